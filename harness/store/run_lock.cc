// Open-file-description locks (fcntl), and the care that a lock file which is removed needs.
#include "harness/store/run_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

// One name whatever link the database is reached by.
std::string LockPath(const std::string& database, const std::string& run_id) {
  char* resolved = realpath(database.c_str(), nullptr);
  const std::string real = resolved != nullptr ? resolved : database;
  std::free(resolved);
  return absl::StrFormat("%s.%s.lock", real, run_id);
}

std::string HostName() {
  char name[HOST_NAME_MAX + 1] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "unknown host";
}

void WriteHolder(int descriptor) {
  const std::string holder = absl::StrFormat("process %d on %s\n", getpid(), HostName());
  // For people only: a full disk here is no reason to refuse the lock.
  if (ftruncate(descriptor, 0) != 0) return;
  if (pwrite(descriptor, holder.data(), holder.size(), 0) < 0) return;
}

std::string ReadHolder(int descriptor) {
  char text[256];
  const ssize_t size = pread(descriptor, text, sizeof(text), 0);
  const std::string holder(Trim(std::string_view(text, size > 0 ? static_cast<size_t>(size) : 0)));
  return holder.empty() ? "another process" : holder;
}

// Between open and lock the former holder may have removed the file: then the lock is on a file
// that nobody else can see.
bool IsStillThere(const std::string& path, int descriptor) {
  struct stat opened, named;
  if (fstat(descriptor, &opened) != 0 || stat(path.c_str(), &named) != 0) return false;
  return opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

// Belongs to the open file, not to the process: two writers in one process exclude each other too,
// and F_OFD_GETLK can ask without taking.
struct flock WholeFile() {
  struct flock whole = {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  return whole;
}

}  // namespace

absl::StatusOr<RunLock> RunLock::Take(const std::string& database, const std::string& run_id) {
  const std::string path = LockPath(database, run_id);
  while (true) {
    const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor < 0) {
      return absl::PermissionDeniedError(
          absl::StrFormat("%s: cannot make the run's lock file: %s", path, std::strerror(errno)));
    }
    RunLock lock(path, descriptor);
    struct flock whole = WholeFile();
    if (fcntl(descriptor, F_OFD_SETLK, &whole) != 0) {
      const int error = errno;
      const std::string holder = ReadHolder(descriptor);
      lock.path_.clear();  // it is the holder's to remove
      if (error == EINTR) continue;
      if (error == EAGAIN || error == EACCES) {
        return FailedPrecondition("%s: run %s is being written by %s; wait for it or stop it",
                                  database, run_id, holder);
      }
      return Unavailable("%s: cannot lock: %s", path, std::strerror(error));
    }
    if (!IsStillThere(path, descriptor)) {
      lock.path_.clear();
      continue;
    }
    WriteHolder(descriptor);
    return lock;
  }
}

bool RunLock::IsHeld(const std::string& database, const std::string& run_id) {
  const int descriptor = open(LockPath(database, run_id).c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  struct flock whole = WholeFile();
  const bool held = fcntl(descriptor, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
  close(descriptor);
  return held;
}

RunLock::RunLock(RunLock&& other) noexcept
    : path_(std::exchange(other.path_, "")), descriptor_(std::exchange(other.descriptor_, -1)) {}

RunLock& RunLock::operator=(RunLock&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

RunLock::~RunLock() {
  if (descriptor_ < 0) return;
  // Removed while still locked, so that nobody else's lock can be on it.
  if (!path_.empty()) unlink(path_.c_str());
  close(descriptor_);
}

}  // namespace assay
