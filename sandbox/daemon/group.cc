// What is opened while root may open it is written later: the kernel asks who opened it.
#include "sandbox/daemon/group.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "sandbox/daemon/system.h"
#include "sandbox/daemon/watch.h"

namespace assay::sandboxd {
namespace {

constexpr int64_t kLittle = 1 << 20;

std::string ReadAgain(int file) {
  char buffer[1024];
  const ssize_t got = file < 0 ? -1 : pread(file, buffer, sizeof buffer, 0);
  return std::string(buffer, got > 0 ? static_cast<size_t>(got) : 0);
}

// "name 12" on a line of its own.
int64_t LineOf(const std::string& text, const std::string& name) {
  const size_t at = ("\n" + text).find("\n" + name + " ");
  return at == std::string::npos ? 0 : strtoll(text.c_str() + at + name.size() + 1, nullptr, 10);
}

bool WriteNumber(int file, int64_t value) { return WriteAll(file, std::to_string(value)); }

}  // namespace

std::string Group::Write(const char* name, const std::string& text) const {
  const int file = openat(cell_, name, O_WRONLY | O_CLOEXEC);
  const bool written = file >= 0 && WriteAll(file, text);
  const std::string failed = written ? "" : Errno(name);
  if (file >= 0) close(file);
  return failed;
}

std::string Group::Join(int slot, int64_t user) {
  slot_ = slot;
  cell_ = openat(slot_, "cell", O_PATH | O_DIRECTORY | O_CLOEXEC);
  const int procs = openat(slot_, "cgroup.procs", O_WRONLY | O_CLOEXEC);
  ours_procs_ = openat(slot_, "ours/cgroup.procs", O_WRONLY | O_CLOEXEC);
  control_ = openat(slot_, "cgroup.subtree_control", O_WRONLY | O_CLOEXEC);
  std::string failed;
  if (cell_ < 0 || procs < 0 || ours_procs_ < 0 || control_ < 0) failed = Errno("open the cgroup");
  // To start a process in a cgroup asks for the right to move one there from where the starter is.
  for (const char* path : {"cgroup.procs", "ours/cgroup.procs", "cell/cgroup.procs"}) {
    if (failed.empty() && user >= 0 &&
        fchownat(slot_, path, static_cast<uid_t>(user), static_cast<gid_t>(user), 0) != 0)
      failed = Errno("chown cgroup.procs");
  }
  if (failed.empty() && !WriteAll(procs, "0")) failed = Errno("join the cgroup");
  if (procs >= 0) close(procs);
  return failed;
}

std::string Group::Divide() {
  if (!WriteAll(ours_procs_, "0")) return Errno("cgroup ours");
  if (!WriteAll(control_, "+memory +pids")) return Errno("cgroup.subtree_control");
  close(ours_procs_);
  close(control_);
  memory_max_ = openat(cell_, "memory.max", O_WRONLY | O_CLOEXEC);
  processes_max_ = openat(cell_, "pids.max", O_WRONLY | O_CLOEXEC);
  events_ = openat(cell_, "memory.events", O_RDONLY | O_CLOEXEC);
  current_ = openat(cell_, "memory.current", O_RDONLY | O_CLOEXEC);
  if (memory_max_ < 0 || processes_max_ < 0 || events_ < 0 || current_ < 0)
    return Errno("open the cell's cgroup");
  kill_ = openat(cell_, "cgroup.kill", O_WRONLY | O_CLOEXEC);  // since 5.14
  // One process of a program killed and the others left would be an end of neither kind.
  const std::string failed = Write("memory.oom.group", "1");
  if (!failed.empty()) return failed;
  const bool swaps = faccessat(cell_, "memory.swap.max", F_OK, 0) == 0;
  if (swaps && !Write("memory.swap.max", "0").empty()) return Errno("memory.swap.max");
  // The warm Python's forks say where their thread's number is (sandbox/python/fork.c).
  int* address = nullptr;
  if (prctl(PR_GET_TID_ADDRESS, &address, 0, 0, 0) != 0) return Errno("PR_GET_TID_ADDRESS");
  return "";
}

std::string Group::Try() {
  const int child = Clone(0, nullptr, cell_);
  if (child == 0) _exit(0);
  if (child < 0) return Errno("clone into the cgroup");
  waitpid(child, nullptr, 0);
  used_ = true;
  return "";
}

std::string Group::Begin(const sandbox_wire::Limits& limits) {
  if (!used_) return "";
  const int64_t most = limits.memory_bytes + KernelShare(limits.memory_bytes);
  if (most != most_bytes_ && !WriteNumber(memory_max_, most)) return Errno("memory.max");
  most_bytes_ = most;
  if (limits.processes != most_processes_ && !WriteNumber(processes_max_, limits.processes))
    return Errno("pids.max");
  most_processes_ = limits.processes;
  began_ = ReadEvents();
  began_bytes_ = CurrentBytes();
  return "";
}

int64_t Group::CurrentBytes() const { return strtoll(ReadAgain(current_).c_str(), nullptr, 10); }

Group::Events Group::ReadEvents() const {
  const std::string text = ReadAgain(events_);
  return {LineOf(text, "oom"), LineOf(text, "oom_kill")};
}

bool Group::HoldsMore() const { return used_ && CurrentBytes() > began_bytes_ + kLittle; }

Group::Killed Group::WhyKilled() const {
  if (!used_) return Killed::kNo;
  const Events now = ReadEvents();
  if (now.killed == began_.killed) return Killed::kNo;
  return now.oom != began_.oom ? Killed::kOwnLimit : Killed::kOthers;
}

void Group::KillAll() const {
  if (used_ && kill_ >= 0) WriteAll(kill_, "1");
}

}  // namespace assay::sandboxd
