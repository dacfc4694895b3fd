// The only file that speaks libseccomp: rules in, a BPF program out.
#include "sandbox/daemon/filter.h"

#include <asm/ioctls.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace assay::sandboxd {
namespace {

// What compilers, interpreters and their run-time libraries need. Files are held by mounts or
// Landlock, processes by namespaces and limits; so reading, writing and forking are on the list.
// vmsplice is not: a page in a pipe keeps the 2 MiB that it is a part of, and nobody counts them.
constexpr const char* kAllowed[] = {
    // files
    "read",
    "write",
    "readv",
    "writev",
    "pread64",
    "pwrite64",
    "preadv",
    "pwritev",
    "preadv2",
    "pwritev2",
    "open",
    "openat",
    "openat2",
    "creat",
    "close",
    "close_range",
    "stat",
    "fstat",
    "lstat",
    "newfstatat",
    "statx",
    "statfs",
    "fstatfs",
    "lseek",
    "access",
    "faccessat",
    "faccessat2",
    "dup",
    "dup2",
    "dup3",
    "fcntl",
    "ftruncate",
    "truncate",
    "fallocate",
    "fsync",
    "fdatasync",
    "fadvise64",
    "readahead",
    "sync_file_range",
    "getdents",
    "getdents64",
    "getcwd",
    "chdir",
    "fchdir",
    "rename",
    "renameat",
    "renameat2",
    "mkdir",
    "mkdirat",
    "rmdir",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "symlink",
    "symlinkat",
    "readlink",
    "readlinkat",
    "chmod",
    "fchmod",
    "fchmodat",
    "chown",
    "fchown",
    "lchown",
    "fchownat",
    "umask",
    "utime",
    "utimes",
    "utimensat",
    "futimesat",
    "mknod",
    "mknodat",
    "sendfile",
    "copy_file_range",
    "splice",
    "tee",
    "pipe",
    "pipe2",
    "getxattr",
    "lgetxattr",
    "fgetxattr",
    "listxattr",
    "llistxattr",
    "flistxattr",
    "sync",
    "syncfs",
    // waiting
    "poll",
    "ppoll",
    "select",
    "pselect6",
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "eventfd",
    "eventfd2",
    "signalfd",
    "signalfd4",
    "timerfd_create",
    "timerfd_settime",
    "timerfd_gettime",
    "pause",
    "nanosleep",
    "clock_nanosleep",
    "restart_syscall",
    // memory
    "munmap",
    "mprotect",
    "mremap",
    "madvise",
    "brk",
    "msync",
    "mincore",
    "mlock",
    "munlock",
    "mlock2",
    "mlockall",
    "munlockall",
    "membarrier",
    "pkey_alloc",
    "pkey_free",
    "pkey_mprotect",
    "get_mempolicy",
    // processes and threads
    "fork",
    "vfork",
    "execve",
    "execveat",
    "exit",
    "exit_group",
    "wait4",
    "waitid",
    "kill",
    "tkill",
    "tgkill",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigpending",
    "rt_sigtimedwait",
    "rt_sigsuspend",
    "rt_sigqueueinfo",
    "rt_tgsigqueueinfo",
    "sigaltstack",
    "futex",
    "futex_waitv",
    "set_robust_list",
    "get_robust_list",
    "set_tid_address",
    "rseq",
    "arch_prctl",
    "prctl",
    "gettid",
    "getpid",
    "getppid",
    "getpgid",
    "getpgrp",
    "setpgid",
    "getsid",
    "setsid",
    "pidfd_open",
    "pidfd_send_signal",
    "sched_yield",
    "sched_getaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "sched_get_priority_max",
    "sched_get_priority_min",
    "sched_rr_get_interval",
    "getpriority",
    "getcpu",
    "capget",
    "ioprio_get",
    // who and how much
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getresuid",
    "getresgid",
    "getgroups",
    "getrlimit",
    "setrlimit",
    "prlimit64",
    "getrusage",
    "times",
    "sysinfo",
    "uname",
    "getrandom",
    // time
    "time",
    "gettimeofday",
    "clock_gettime",
    "clock_getres",
    "alarm",
    "setitimer",
    "getitimer",
    "timer_create",
    "timer_settime",
    "timer_gettime",
    "timer_getoverrun",
    "timer_delete",
    // pairs of sockets (event loops wake themselves with one); nothing can be connected to
    "sendto",
    "recvfrom",
    "sendmsg",
    "recvmsg",
    "sendmmsg",
    "recvmmsg",
    "shutdown",
    "getsockname",
    "getpeername",
    "getsockopt",
    "setsockopt",
};

// Honest programs may try these and live with the answer.
constexpr const char* kForbidden[] = {
    "sched_setaffinity",
    "sched_setscheduler",
    "sched_setparam",
    "sched_setattr",
    "setpriority",
    "ioprio_set",
    "personality",
    "name_to_handle_at",
    "chroot",
    "setuid",
    "setgid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "setfsuid",
    "setfsgid",
    "setgroups",
    "capset",
    "clock_settime",
    "settimeofday",
    "adjtimex",
    "clock_adjtime",
    "sethostname",
    "setdomainname",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "removexattr",
    "lremovexattr",
    "fremovexattr",
    "syslog",
};

// No solution to a problem calls these: the process ends, and the verdict says so.
constexpr const char* kDeadly[] = {
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "pidfd_getfd",
    "kcmp",
    "mount",
    "umount2",
    "pivot_root",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "unshare",
    "setns",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "keyctl",
    "add_key",
    "request_key",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "open_by_handle_at",
    "reboot",
    "swapon",
    "swapoff",
    "acct",
    "quotactl",
    "iopl",
    "ioperm",
    "modify_ldt",
    "lookup_dcookie",
    "vhangup",
    "nfsservctl",
    "uselib",
    "_sysctl",
};

constexpr uint32_t kNewNamespaces[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                       CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};

// Adds rules until one fails; a name that this library does not know is left to the default.
class Rules {
 public:
  explicit Rules(scmp_filter_ctx context) : context_(context) {}
  void Add(uint32_t action, const char* name) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number < 0) return;
    Note(seccomp_rule_add(context_, action, number, 0), name);
  }
  void Add(uint32_t action, const char* name, const scmp_arg_cmp& when) {
    Note(seccomp_rule_add_array(context_, action, seccomp_syscall_resolve_name(name), 1, &when),
         name);
  }
  const std::string& error() const { return error_; }

 private:
  void Note(int result, const char* name) {
    if (result < 0 && error_.empty()) error_ = std::string(name) + ": " + strerror(-result);
  }
  scmp_filter_ctx context_;
  std::string error_;
};

void AddCloneRules(Rules* rules) {
  uint32_t all = 0;
  for (const uint32_t flag : kNewNamespaces) {
    rules->Add(SCMP_ACT_KILL_PROCESS, "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag));
    all |= flag;
  }
  rules->Add(SCMP_ACT_ALLOW, "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, all, 0));
}

// Everything but what types into a terminal. Arguments are 32 bits wide: the kernel looks no
// further.
void AddIoctlRules(Rules* rules) {
  static_assert(TIOCSTI < TIOCLINUX);
  rules->Add(SCMP_ACT_ALLOW, "ioctl", SCMP_A1_32(SCMP_CMP_LT, TIOCSTI));
  rules->Add(SCMP_ACT_ALLOW, "ioctl", SCMP_A1_32(SCMP_CMP_GT, TIOCLINUX));
  for (uint32_t code = TIOCSTI + 1; code < TIOCLINUX; ++code)
    rules->Add(SCMP_ACT_ALLOW, "ioctl", SCMP_A1_32(SCMP_CMP_EQ, code));
  rules->Add(SCMP_ACT_KILL_PROCESS, "ioctl", SCMP_A1_32(SCMP_CMP_EQ, TIOCSTI));
  rules->Add(SCMP_ACT_KILL_PROCESS, "ioctl", SCMP_A1_32(SCMP_CMP_EQ, TIOCLINUX));
}

// Memory that processes share without a file stays, uncounted, when nobody has it in his page table
// any more: a program could hide any amount of it in a line (MADV_DONTNEED). MAP_SHARED_VALIDATE
// has the bit of MAP_SHARED. /dev/zero, mapped, is the same: programs see none.
void AddMmapRules(Rules* rules) {
  constexpr uint32_t kBoth = MAP_SHARED | MAP_ANONYMOUS;
  for (const uint32_t flags : {uint32_t{0}, uint32_t{MAP_SHARED}, uint32_t{MAP_ANONYMOUS}})
    rules->Add(SCMP_ACT_ALLOW, "mmap", SCMP_A3(SCMP_CMP_MASKED_EQ, kBoth, flags));
  rules->Add(SCMP_ACT_ERRNO(EPERM), "mmap", SCMP_A3(SCMP_CMP_MASKED_EQ, kBoth, kBoth));
}

void AddRules(Rules* rules) {
  for (const char* name : kAllowed) rules->Add(SCMP_ACT_ALLOW, name);
  for (const char* name : kForbidden) rules->Add(SCMP_ACT_ERRNO(EPERM), name);
  for (const char* name : kDeadly) rules->Add(SCMP_ACT_KILL_PROCESS, name);
  rules->Add(SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket");
  rules->Add(SCMP_ACT_ALLOW, "socketpair", SCMP_A0_32(SCMP_CMP_EQ, AF_UNIX));
  AddCloneRules(rules);
  AddIoctlRules(rules);
  AddMmapRules(rules);
}

std::vector<sock_filter> Export(scmp_filter_ctx context, std::string* error) {
  const int file = memfd_create("filter", MFD_CLOEXEC);
  std::vector<sock_filter> filter;
  if (file >= 0 && seccomp_export_bpf(context, file) == 0) {
    const off_t bytes = lseek(file, 0, SEEK_END);
    filter.resize(static_cast<size_t>(bytes) / sizeof(sock_filter));
    if (pread(file, filter.data(), static_cast<size_t>(bytes), 0) != bytes) filter.clear();
  }
  if (file >= 0) close(file);
  if (filter.empty()) *error = "seccomp filter cannot be exported";
  return filter;
}

}  // namespace

std::vector<sock_filter> MakeFilter(std::string* error) {
  scmp_filter_ctx context = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
  if (context == nullptr) {
    *error = "seccomp_init failed";
    return {};
  }
  seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a tree: the depth is 8, not 300
  Rules rules(context);
  AddRules(&rules);
  std::vector<sock_filter> filter;
  if (rules.error().empty()) {
    filter = Export(context, error);
  } else {
    *error = "seccomp rule: " + rules.error();
  }
  seccomp_release(context);
  return filter;
}

bool ApplyFilter(const std::vector<sock_filter>& filter) {
  sock_fprog program = {static_cast<unsigned short>(filter.size()),
                        const_cast<sock_filter*>(filter.data())};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

}  // namespace assay::sandboxd
