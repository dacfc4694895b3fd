// The worker's cgroups: itself in one, the programs that it runs in another, which holds their
// memory and their number.
#pragma once

#include <cstdint>
#include <string>

#include "sandbox/protocol.h"

namespace assay::sandboxd {

// `slot` is a directory of cgroups that the harness made (sandbox/cgroup.h), with `ours` and `cell`
// in it. The group of a cell is used for one program after the other: to make one takes the kernel
// as long as a small program runs.
class Group {
 public:
  // While root still is root, and before namespaces are made: so that the cgroup namespace begins
  // at the slot. `user`: who this process becomes; -1: it stays who it is. "" or what failed.
  std::string Join(int slot, int64_t user);
  // In the namespaces: moves into `ours` and gives `cell` its controllers. "" or what failed.
  std::string Divide();
  // In the worker: starts a process in `cell`. "" and the group is used from now on, or what
  // failed.
  std::string Try();

  bool used() const { return used_; }
  int cell() const { return used_ ? cell_ : -1; }  // for clone3; -1: none

  // Before a program is started. "" or what failed.
  std::string Begin(const sandbox_wire::Limits& limits);
  int64_t CurrentBytes() const;
  // Whether much is left in it that was not there when it began: a /tmp whose cell still ends.
  bool HoldsMore() const;
  // Why a process in it was killed since Begin: its own limit, or others' (the machine's, or the
  // limit of a cgroup around ours).
  enum class Killed { kNo, kOwnLimit, kOthers };
  Killed WhyKilled() const;
  void KillAll() const;

 private:
  struct Events {
    int64_t oom = 0, killed = 0;
  };
  Events ReadEvents() const;
  std::string Write(const char* name, const std::string& text) const;

  bool used_ = false;
  int slot_ = -1, cell_ = -1;
  int ours_procs_ = -1, control_ = -1;
  int memory_max_ = -1, processes_max_ = -1, events_ = -1, current_ = -1, kill_ = -1;
  int64_t most_bytes_ = -1, most_processes_ = -1;  // as last written
  int64_t began_bytes_ = 0;
  Events began_;
};

}  // namespace assay::sandboxd
