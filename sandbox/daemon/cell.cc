// clone3, setns, limits, capabilities, filter, exec: in this order, each failure named.
#include "sandbox/daemon/cell.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/securebits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "sandbox/daemon/filter.h"
#include "sandbox/daemon/landlock.h"
#include "sandbox/daemon/system.h"

namespace assay::sandboxd {
namespace {

using sandbox_wire::Limits;
using sandbox_wire::Request;

// ---- the cell's first process -----------------------------------------------------------------

std::string MountCell(const Limits& limits) {
  struct {
    uint64_t set = MOUNT_ATTR_RDONLY, clear = 0, propagation = 0, userns = 0;
  } read_only;
  if (syscall(SYS_mount_setattr, AT_FDCWD, "/box", 0, &read_only, sizeof read_only) != 0)
    return Errno("remount /box read-only");
  const std::string scratch = "mode=0777,size=" + std::to_string(limits.scratch_bytes) +
                              ",nr_inodes=" + std::to_string(limits.scratch_files);
  if (mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, scratch.c_str()) != 0)
    return Errno("mount /tmp");
  if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC,
            "hidepid=invisible,subset=pid") != 0)
    return Errno("mount /proc");
  return "";
}

// Nobody inside can signal the first process of a pid namespace; it ends by our kill alone. The
// program runs as the same user, but may not look into it: it has capabilities, the program none.
[[noreturn]] void ReapForEver() {
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  while (true) {
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    sigwaitinfo(&child, nullptr);
  }
}

[[noreturn]] void BeFirst(const Limits& limits, int report) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  const std::string failed = MountCell(limits);
  WriteAll(report, failed.empty() ? "+" : failed);
  if (!failed.empty()) _exit(1);
  // No descriptor of the worker's stays open here: the program shares the pid namespace.
  close_range(0, ~0u, 0);
  ReapForEver();
}

std::string ReadReport(int report) {
  std::string text;
  char buffer[512];
  while (true) {
    const ssize_t got = read(report, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(buffer, static_cast<size_t>(got));
    if (text == "+") break;
  }
  return text;
}

// ---- the program's process --------------------------------------------------------------------

std::string SetLimit(int resource, int64_t value, const char* name) {
  const rlimit limit = {static_cast<rlim_t>(value), static_cast<rlim_t>(value)};
  return setrlimit(static_cast<__rlimit_resource>(resource), &limit) == 0
             ? ""
             : Errno(std::string("setrlimit ") + name);
}

// Processes and threads of our user now: below `full` there is no count of our own.
int64_t CountOwnTasks() {
  int64_t count = 0;
  DIR* proc = opendir("/proc");
  if (proc == nullptr) return 4096;
  while (const dirent* entry = readdir(proc)) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    struct stat about = {};
    const std::string tasks = std::string(entry->d_name) + "/task";
    if (fstatat(dirfd(proc), tasks.c_str(), &about, 0) != 0 || about.st_uid != getuid()) continue;
    count += static_cast<int64_t>(about.st_nlink) - 2;  // a directory for each
  }
  closedir(proc);
  return count;
}

std::string SetLimits(const Place& place, const Limits& limits) {
  for (const LimitRow& row : LimitTable(place, limits)) {
    const std::string failed = SetLimit(row.resource, row.value, row.name);
    if (!failed.empty()) return failed;
  }
  return "";
}

// What sandbox/daemon/python.cc keeps for its interpreter.
constexpr int kKept[] = {CAP_SYS_ADMIN, CAP_SYS_CHROOT, CAP_SETPCAP, CAP_SYS_PTRACE};

std::string DropCapabilities() {
  for (const int capability : kKept) prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  return syscall(SYS_capset, &header, none) == 0 ? "" : Errno("capset");
}

// Of the daemon's own making; all others were default when it began. Handlers do not outlive exec.
void DefaultSignals() {
  signal(SIGPIPE, SIG_DFL);
  signal(SIGINT, SIG_DFL);
}

// Puts `descriptors` at 0, 1, 2, ...; `report` after them, closed by exec; closes all others.
std::string ArrangeDescriptors(const Descriptors& descriptors, int* report) {
  const int count = static_cast<int>(descriptors.size());
  std::vector<int> high;
  for (const int descriptor : descriptors) {
    high.push_back(fcntl(descriptor, F_DUPFD_CLOEXEC, count + 1));
    if (high.back() < 0) return Errno("dup");
  }
  const int report_high = fcntl(*report, F_DUPFD_CLOEXEC, count + 1);
  for (int i = 0; i < count; ++i) {
    if (dup2(high[static_cast<size_t>(i)], i) < 0) return Errno("dup2");
  }
  if (dup3(report_high, count, O_CLOEXEC) < 0) return Errno("dup3");
  *report = count;
  close_range(static_cast<unsigned>(count) + 1, ~0u, 0);
  return "";
}

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

[[noreturn]] void BeProgram(const Place& place, const Request& request,
                            const Descriptors& descriptors, const Cell& cell, int report) {
  std::vector<std::string> arguments;
  for (const std::string& argument : request.arguments)
    arguments.push_back(Placed(place, argument));
  std::vector<std::string> environment = request.environment;
  if (place.tier != Tier::kFull) environment.push_back("TMPDIR=" + place.scratch);
  std::string failed;
  if (place.tier == Tier::kFull &&
      syscall(SYS_setns, cell.first_pidfd, CLONE_NEWNS | CLONE_NEWIPC) != 0)
    failed = Errno("setns into the cell");
  if (failed.empty()) failed = ArrangeDescriptors(descriptors, &report);
  setsid();
  DefaultSignals();
  // Where the machine runs out of memory, the kernel's choice is the program, not the harness.
  WriteFile("/proc/self/oom_score_adj", "1000");
  umask(022);
  if (failed.empty() && chdir(place.scratch.c_str()) != 0) failed = Errno("chdir to the scratch");
  if (failed.empty()) failed = Confine(place, request.limits);
  if (failed.empty()) {
    execve(arguments[0].c_str(), Pointers(arguments).data(), Pointers(environment).data());
    failed = Errno("exec " + arguments[0]);
  }
  WriteAll(report, failed);
  _exit(127);
}

// ---- ends -------------------------------------------------------------------------------------

// Below `full`: the orphans of a cell come to us, the subreaper. Kills until there are none.
void KillDescendants() {
  for (int round = 0; round < 1000; ++round) {
    const std::string path = "/proc/self/task/" + std::to_string(getpid()) + "/children";
    const std::string children = ReadSmall(AT_FDCWD, path.c_str());
    if (children.empty()) return;
    for (const char* at = children.c_str(); *at != '\0';) {
      char* end = nullptr;
      const long pid = strtol(at, &end, 10);
      if (end == at) break;
      at = end;
      kill(static_cast<pid_t>(pid), SIGKILL);
    }
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
  }
}

int Reap(int pid, CellEnd* end) {
  int status = 0;
  rusage usage = {};
  while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR) {
  }
  end->cpu_us += CpuUs(usage);
  end->peak_bytes = std::max<int64_t>(end->peak_bytes, usage.ru_maxrss * 1024);
  return status;
}

void Forget(int* descriptor) {
  if (*descriptor >= 0) close(*descriptor);
  *descriptor = -1;
}

}  // namespace

std::string Placed(const Place& place, const std::string& text) {
  if (place.tier == Tier::kFull) return text;
  for (const auto& [inside, real] : place.directories) {
    if (text == inside || text.starts_with(inside + "/")) return real + text.substr(inside.size());
    if (text == "-I" + inside) return "-I" + real;
  }
  if (text == "/box" || text.starts_with("/box/")) return place.box + text.substr(4);
  if (text == "/tmp" || text.starts_with("/tmp/")) return place.scratch + text.substr(4);
  return text;
}

int64_t CpuUs(const rusage& usage) {
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * int64_t{1000000} +
         usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

std::vector<LimitRow> LimitTable(const Place& place, const Limits& limits) {
  const int64_t cpu_seconds = (limits.cpu_ms + 999) / 1000 + 1;  // ours comes first; this is behind
  // What is allocated and not touched does not count; the poll on what is touched decides, and
  // this is what bounds a burst between two polls.
  const int64_t allocated = 2 * limits.memory_bytes + (int64_t{1} << 30);
  const int64_t others =
      place.tier == Tier::kFull ? place.own_processes + place.ending : CountOwnTasks();
  rlimit files = {};
  getrlimit(RLIMIT_NOFILE, &files);
  const auto allowed_files = static_cast<int64_t>(std::min<rlim_t>(files.rlim_max, 1 << 20));
  return {{RLIMIT_CPU, cpu_seconds, "CPU"},
          {RLIMIT_DATA, allocated, "DATA"},
          {RLIMIT_STACK, limits.stack_bytes, "STACK"},
          {RLIMIT_CORE, 0, "CORE"},
          {RLIMIT_FSIZE, limits.file_bytes, "FSIZE"},
          {RLIMIT_NOFILE, std::min(limits.open_files, allowed_files), "NOFILE"},
          {RLIMIT_NPROC, limits.processes + others, "NPROC"},
          {RLIMIT_MEMLOCK, 0, "MEMLOCK"},
          {RLIMIT_MSGQUEUE, 0, "MSGQUEUE"},
          {RLIMIT_SIGPENDING, 256, "SIGPENDING"},
          {RLIMIT_RTPRIO, 0, "RTPRIO"},
          {RLIMIT_NICE, 0, "NICE"}};
}

std::string Confine(const Place& place, const Limits& limits) {
  std::string failed = SetLimits(place, limits);
  if (failed.empty()) failed = DropCapabilities();
  if (failed.empty() && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) failed = Errno("no_new_privs");
  if (failed.empty() && place.tier == Tier::kLandlock) failed = EnterLandlock(place);
  if (failed.empty() && !place.filter.empty() && !ApplyFilter(place.filter))
    failed = Errno("seccomp");
  return failed;
}

void DropBounding() {
  for (int capability = 0; capability <= 63; ++capability) {
    if (std::find(std::begin(kKept), std::end(kKept), capability) != std::end(kKept)) continue;
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno == EINVAL) break;
  }
}

std::string OpenCell(const Place& place, const Limits& limits, Cell* cell) {
  if (place.tier != Tier::kFull) return "";
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) return Errno("pipe");
  cell->first = Clone(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC, &cell->first_pidfd);
  if (cell->first == 0) BeFirst(limits, report[1]);
  const std::string cloned = cell->first < 0 ? Errno("clone a cell") : "";
  close(report[1]);
  const std::string said = cloned.empty() ? ReadReport(report[0]) : cloned;
  close(report[0]);
  if (said == "+") return "";
  return said.empty() ? "the cell's first process ended" : said;
}

std::string StartProgram(const Place& place, const Request& request, const Descriptors& descriptors,
                         Cell* cell) {
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) return Errno("pipe");
  const bool full = place.tier == Tier::kFull;
  std::string failed;
  if (full && syscall(SYS_setns, cell->first_pidfd, CLONE_NEWPID) != 0)
    failed = Errno("setns to the cell's pid namespace");
  if (failed.empty()) {
    cell->program = Clone(0, &cell->program_pidfd, place.cgroup);
    if (cell->program == 0) BeProgram(place, request, descriptors, *cell, report[1]);
    if (cell->program < 0) failed = Errno("clone the program's process");
  }
  // clone3 of the next cell wants our own one to be the parent.
  if (full && syscall(SYS_setns, place.own_pid_namespace, CLONE_NEWPID) != 0)
    failed = Errno("setns back");
  close(report[1]);
  if (failed.empty()) failed = ReadReport(report[0]);
  close(report[0]);
  return failed;
}

void KillCell(const Cell& cell) {
  if (cell.first >= 0) {
    PidfdKill(cell.first_pidfd);
  } else if (cell.program_pidfd >= 0) {
    PidfdKill(cell.program_pidfd);
  }
}

void EmptyScratch(const Place& place) {
  if (place.tier == Tier::kFull) return;
  const int child = Clone(0, nullptr);
  if (child == 0) {
    execl("/bin/rm", "rm", "-rf", place.scratch.c_str(), nullptr);  // trees of any depth
    _exit(1);
  }
  waitpid(child, nullptr, 0);
  mkdir(place.scratch.c_str(), 0755);
}

void ReapProgram(Cell* cell, CellEnd* end) {
  if (cell->program <= 0 || end->program_reaped) return;
  end->status = Reap(cell->program, end);
  end->program_reaped = true;
}

void CloseCell(const Place& place, Cell* cell, CellEnd* end) {
  KillCell(*cell);
  // The program is our child: the cell's first process cannot finish before it is reaped.
  ReapProgram(cell, end);
  if (cell->first > 0) Reap(cell->first, end);
  if (place.tier != Tier::kFull) KillDescendants();
  Forget(&cell->first_pidfd);
  Forget(&cell->program_pidfd);
  *cell = Cell();
}

}  // namespace assay::sandboxd
