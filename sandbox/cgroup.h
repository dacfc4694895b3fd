// Where the kernel can count and hold what a program uses: a folder of cgroups (v2) of our own.
//
//   B/assay-PID-N/          ours; locked while we live, removed when we end or by who starts next
//     slot-K/               a worker's, handed to its assay-sandboxd
//       ours/  cell/        the worker itself; the program that it runs
//
// B is the directory that $ASSAY_CGROUP names, else the cgroup that this process is in, where that
// may be divided: memory and pids are there, we may write, and nobody else is in it (systemd-run
// --user --scope -p Delegate=yes ... makes such a one).
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace assay {

class Cgroups {
 public:
  // `where` as SandboxOptions::cgroup. Never null. An error only where a directory was named and
  // cannot be used; where none was, usable() says no and why() says why.
  static absl::StatusOr<std::unique_ptr<Cgroups>> Open(const std::string& where);
  ~Cgroups();  // removes the folder; nothing may run in it that should live
  Cgroups(const Cgroups&) = delete;
  Cgroups& operator=(const Cgroups&) = delete;

  bool usable() const { return !folder_.empty(); }
  bool asked_for() const { return asked_for_; }  // a directory was named
  const std::string& why() const { return why_; }
  const std::string& folder() const { return folder_; }

  // A new slot's path. Thread-safe, as the next one.
  absl::StatusOr<std::string> MakeSlot();
  // Kills what is in it and removes it.
  void RemoveSlot(const std::string& slot);

 private:
  Cgroups() = default;
  bool asked_for_ = false;
  std::string why_;
  std::string folder_;  // empty: not usable
  int lock_ = -1;       // on the folder
};

}  // namespace assay
