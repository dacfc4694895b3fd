// System calls that the C library of Debian 12 has no name for.
#include "sandbox/daemon/system.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

namespace assay::sandboxd {

std::string Errno(std::string_view what) { return std::string(what) + ": " + strerror(errno); }

int64_t NowUs() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

bool WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

bool WriteFile(const std::string& path, std::string_view text) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (file < 0) return false;
  const bool written = WriteAll(file, text);
  const int reason = errno;
  close(file);
  errno = reason;
  return written;
}

std::string ReadSmall(int directory, const char* path) {
  const int file = openat(directory, path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return "";
  std::string text(8192, '\0');
  const ssize_t got = read(file, text.data(), text.size());
  close(file);
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return text;
}

int PidfdOpen(int pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

void PidfdKill(int pidfd) { syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0); }

int Clone(uint64_t flags, int* pidfd, int cgroup) {
  clone_args arguments = {};
  arguments.flags = flags | (pidfd != nullptr ? CLONE_PIDFD : 0);
  arguments.exit_signal = SIGCHLD;
  arguments.pidfd = reinterpret_cast<uint64_t>(pidfd);
  if (cgroup >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<uint64_t>(cgroup);
  }
  return static_cast<int>(syscall(SYS_clone3, &arguments, sizeof arguments));
}

}  // namespace assay::sandboxd
