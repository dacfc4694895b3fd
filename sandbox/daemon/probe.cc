// Each probe is one way out that a program might try. Deadly system calls are tried in a child.
#include "sandbox/daemon/probe.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

extern char** environ;

namespace assay::sandboxd {
namespace {

void Say(const char* name, const std::string& found) {
  if (found.empty()) {
    std::printf("held %s\n", name);
  } else {
    std::printf("OPEN %s %s\n", name, found.c_str());
  }
}

// Whether `act` says yes in a process that may die of it.
bool InChild(const std::function<bool()>& act) {
  const pid_t child = fork();
  if (child == 0) _exit(act() ? 77 : 0);
  if (child < 0) return false;
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 77;
}

bool Opens(const std::string& path, int flags) {
  const int file = open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (file >= 0) close(file);
  return file >= 0;
}

std::string Files(const char* canary) {
  for (const std::string& path :
       {std::string(canary), std::string("/etc/passwd"), std::string("/etc/shadow"),
        std::string("/root"), std::string("/home"), std::string("/proc/1/environ"),
        std::string("/proc/1/root/etc/passwd")}) {
    if (Opens(path, O_RDONLY)) return "can open " + path;
  }
  return "";
}

std::string Writing() {
  for (const char* path :
       {"/x", "/usr/x", "/box/x", "/dev/x", "/dev/shm/x", "/etc/x", "/var/tmp/x"}) {
    if (Opens(path, O_WRONLY | O_CREAT)) return std::string("can write ") + path;
  }
  return "";
}

std::string Environment() {
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (text.find("ASSAY") != std::string::npos) return text.substr(0, text.find('='));
  }
  return "";
}

std::string Identity() {
  if (getuid() == 0 || geteuid() == 0) return "is root";
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct has[2] = {};
  if (syscall(SYS_capget, &header, has) != 0) return "capget failed";
  return (has[0].permitted | has[1].permitted | has[0].effective) != 0 ? "has capabilities" : "";
}

std::string Network() {
  if (socket(AF_INET, SOCK_STREAM, 0) >= 0) return "has IPv4 sockets";
  if (socket(AF_UNIX, SOCK_STREAM, 0) >= 0) return "has Unix sockets";
  return "";
}

std::string Signals(const char* victim) {
  const int pid = atoi(victim);
  return pid > 1 && kill(pid, 0) == 0 ? "can signal the harness" : "";
}

std::string Tracing() {
  const bool attached =
      InChild([] { return ptrace(PTRACE_ATTACH, getppid(), nullptr, nullptr) == 0; });
  return attached ? "can trace" : "";
}

std::string Namespaces() {
  if (InChild([] { return unshare(CLONE_NEWUSER) == 0; })) return "unshare works";
  if (InChild([] { return mount("t", "/tmp", "tmpfs", 0, nullptr) == 0; })) return "mount works";
  return "";
}

std::string OtherAbis() {
#if defined(__x86_64__)
  const auto i386 = [] {
    int result = 0;
    asm volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");  // getpid
    return result > 0;
  };
  if (InChild(i386)) return "the i386 ABI answers";
  if (InChild([] { return syscall(0x40000000L | SYS_getpid) > 0; })) return "the x32 ABI answers";
#endif
  return "";
}

std::string Kernel() {
  const struct {
    const char* name;
    long number, a, b;
  } calls[] = {{"userfaultfd", SYS_userfaultfd, 1, 0},
               {"io_uring", SYS_io_uring_setup, 1, 0},
               {"keyctl", SYS_keyctl, 0, -3},
               {"bpf", SYS_bpf, 0, 0},
               {"memfd_create", SYS_memfd_create, reinterpret_cast<long>("x"), 0},
               {"shmget", SYS_shmget, 0, 4096}};
  for (const auto& call : calls) {
    if (InChild([&] { return syscall(call.number, call.a, call.b, 0600) >= 0; }))
      return std::string(call.name) + " works";
  }
  return "";
}

std::string Limits() {
  const struct {
    __rlimit_resource resource;
    const char* name;
  } table[] = {{RLIMIT_CPU, "CPU"},     {RLIMIT_DATA, "DATA"},     {RLIMIT_FSIZE, "FSIZE"},
               {RLIMIT_NPROC, "NPROC"}, {RLIMIT_NOFILE, "NOFILE"}, {RLIMIT_CORE, "CORE"}};
  for (const auto& row : table) {
    rlimit limit = {};
    getrlimit(row.resource, &limit);
    if (limit.rlim_max == RLIM_INFINITY) return std::string("no limit on ") + row.name;
    limit.rlim_max += 1;
    if (setrlimit(row.resource, &limit) == 0) return std::string("can raise ") + row.name;
  }
  return "";
}

// Asked for a run with 16 processes.
std::string Processes() {
  std::vector<pid_t> children;
  while (children.size() < 64) {
    const pid_t child = fork();
    if (child < 0) break;
    if (child == 0) {
      pause();
      _exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
  return children.size() >= 64 ? "no limit on processes" : "";
}

std::string InputFile() {
  const int again = open("/proc/self/fd/0", O_RDWR | O_CLOEXEC);
  if (again >= 0 && write(again, "x", 1) == 1) return "can be overwritten";
  return ftruncate(0, 0) == 0 ? "can be truncated" : "";
}

std::string Descriptors() {
  for (int descriptor = 3; descriptor < 1024; ++descriptor) {
    if (fcntl(descriptor, F_GETFD) >= 0) return "inherited " + std::to_string(descriptor);
  }
  return "";
}

// Asked for a run with 1 MiB of scratch, and files of 2 MiB.
std::string Scratch() {
  const std::string block(65536, 'x');
  size_t written = 0;
  for (int i = 0; i < 16; ++i) {
    const std::string name = "fill" + std::to_string(i);
    const int file = open(name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) break;
    for (int blocks = 0; blocks < 8 && write(file, block.data(), block.size()) > 0; ++blocks)
      written += block.size();
    close(file);
  }
  if (written == 0) return "nowhere to write to";
  return written >= (4u << 20) ? "no limit on its bytes" : "";
}

}  // namespace

int Probe(int count, char** words) {
  if (count < 2) return 2;
  signal(SIGXFSZ, SIG_IGN);
  std::setvbuf(stdout, nullptr, _IONBF, 0);  // children must not print it twice
  Say("descriptors", Descriptors());
  Say("environment", Environment());
  Say("files", Files(words[1]));
  Say("writing", Writing());
  Say("identity", Identity());
  Say("network", Network());
  Say("signals", Signals(words[0]));
  Say("tracing", Tracing());
  Say("namespaces", Namespaces());
  Say("other-abis", OtherAbis());
  Say("kernel-surface", Kernel());
  Say("limits", Limits());
  Say("input-file", InputFile());
  Say("scratch", Scratch());
  Say("processes", Processes());
  return 0;
}

int Misbehave(const char* how) {
  if (strcmp(how, "spin") == 0) {
    while (true) asm volatile("");
  }
  if (strcmp(how, "sleep") == 0) pause();
  if (strcmp(how, "memory") == 0) {
    for (int i = 0; i < 4096; ++i) memset(malloc(1 << 20), 1, 1 << 20);
  }
  if (strcmp(how, "output") == 0) {
    const std::string block(65536, 'x');
    while (write(1, block.data(), block.size()) > 0) {
    }
  }
  return 0;
}

}  // namespace assay::sandboxd
