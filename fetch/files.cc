// System calls, and what their failures mean to somebody who wants a file.
#include "fetch/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>

#include "harness/status.h"

namespace assay::fetch {
namespace {

namespace fs = std::filesystem;

absl::Status SystemError(const std::string& path, std::string_view act, int error) {
  const std::string message = absl::StrFormat("%s: cannot %s: %s", path, act, std::strerror(error));
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return absl::ResourceExhaustedError(
          message + "; make room, then run the same command again: it goes on where it stopped");
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(
          message + "; name a directory that you may write to with --data-dir or $ASSAY_DATA");
    default:
      return absl::UnavailableError(message);
  }
}

absl::Status SyncDirectory(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return SystemError(path, "open the directory", errno);
  const int failed = fsync(descriptor) == 0 ? 0 : errno;
  close(descriptor);
  return failed == 0 ? absl::OkStatus() : SystemError(path, "sync the directory", failed);
}

}  // namespace

absl::Status MakeDirectory(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return SystemError(path, "make the directory", error.value());
  if (!fs::is_directory(path, error)) return SystemError(path, "use as a directory", ENOTDIR);
  return absl::OkStatus();
}

FileWriter::~FileWriter() {
  if (descriptor_ >= 0) close(descriptor_);
}
FileWriter::FileWriter(FileWriter&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_),
      written_back_(other.written_back_) {}
FileWriter& FileWriter::operator=(FileWriter&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_, other.size_);
  std::swap(written_back_, other.written_back_);
  return *this;
}

absl::StatusOr<FileWriter> FileWriter::Open(const std::string& path, int64_t keep) {
  FileWriter writer;
  writer.path_ = path;
  writer.descriptor_ = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (writer.descriptor_ < 0) return SystemError(path, "write", errno);
  RETURN_IF_ERROR(writer.Truncate(keep));
  return writer;
}

absl::Status FileWriter::Truncate(int64_t size) {
  struct stat info;
  if (fstat(descriptor_, &info) != 0) return SystemError(path_, "look at", errno);
  const bool same = info.st_size == size;  // a device, say, cannot be cut
  if ((!same && ftruncate(descriptor_, size) != 0) || lseek(descriptor_, size, SEEK_SET) < 0) {
    return SystemError(path_, "cut", errno);
  }
  size_ = written_back_ = size;
  return absl::OkStatus();
}

absl::Status FileWriter::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = write(descriptor_, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return SystemError(path_, "write", errno);
    size_ += wrote;
    StartWriteBack();
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
  return absl::OkStatus();
}

// What is written goes to the disk while more comes, so that the sync at the end has little to do.
void FileWriter::StartWriteBack() {
  constexpr int64_t kStep = int64_t{8} << 20;
  if (size_ - written_back_ < kStep) return;
  sync_file_range(descriptor_, written_back_, size_ - written_back_, SYNC_FILE_RANGE_WRITE);
  written_back_ = size_;
}

absl::Status FileWriter::SyncAndClose() {
  const int descriptor = std::exchange(descriptor_, -1);
  const int failed = fsync(descriptor) == 0 ? 0 : errno;
  if (close(descriptor) != 0 || failed != 0) {
    return SystemError(path_, "write", failed != 0 ? failed : errno);
  }
  return absl::OkStatus();
}

int64_t FileSize(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) ? info.st_size : -1;
}

int64_t FreeBytes(const std::string& directory) {
  struct statvfs info;
  if (statvfs(directory.c_str(), &info) != 0) return -1;
  return static_cast<int64_t>(info.f_bavail) * static_cast<int64_t>(info.f_frsize);
}

absl::Status MoveIntoPlace(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) return SystemError(to, "put in place", errno);
  return SyncDirectory(fs::path(to).parent_path().string());
}

absl::Status WriteWhole(const std::string& path, std::string_view bytes) {
  const std::string aside = absl::StrFormat("%s.new-%d", path, getpid());
  const auto write_all = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(FileWriter writer, FileWriter::Open(aside, 0));
    RETURN_IF_ERROR(writer.Write(bytes));
    RETURN_IF_ERROR(writer.SyncAndClose());
    return MoveIntoPlace(aside, path);
  };
  const absl::Status status = write_all();
  if (!status.ok()) unlink(aside.c_str());
  return status;
}

absl::StatusOr<FileLock> FileLock::Take(const std::string& path,
                                        const std::function<bool()>& waiting) {
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) return SystemError(path, "open the lock", errno);
  FileLock lock(descriptor);
  while (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return SystemError(path, "lock", errno);
    if (!waiting()) return absl::CancelledError("stopped while waiting for " + path);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return lock;
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
FileLock::~FileLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

}  // namespace assay::fetch
