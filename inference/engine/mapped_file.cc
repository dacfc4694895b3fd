// open, fstat, mmap and their errors.
#include "inference/engine/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "harness/status.h"

namespace assay {
namespace {

absl::Status FileError(const std::string& path, int error) {
  struct stat link = {};
  if (error == ENOENT && lstat(path.c_str(), &link) == 0) {
    return NotFound("%s: is a link to a file that is not there", path);
  }
  if (error == ENOENT) return NotFound("%s: no such file", path);
  return FailedPrecondition("%s: cannot be read: %s", path, std::strerror(error));
}

// A descriptor that closes itself.
struct Descriptor {
  int fd = -1;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<MappedFile>> MappedFile::Open(const std::string& path) {
  // Without waiting for whoever would write into a pipe of that name.
  Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) return FileError(path, errno);
  struct stat before = {}, after = {};
  if (fstat(file.fd, &before) != 0) return FileError(path, errno);
  if (!S_ISREG(before.st_mode)) return FailedPrecondition("%s: is no regular file", path);
  if (before.st_size == 0) return InvalidArgument("%s: is empty", path);
  const auto size = static_cast<size_t>(before.st_size);
  void* memory = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (memory == MAP_FAILED) return FileError(path, errno);
  madvise(memory, size, MADV_SEQUENTIAL);
  auto mapped = std::unique_ptr<MappedFile>(
      new MappedFile(path, std::string_view(static_cast<const char*>(memory), size)));
  // A copy still being written would be mapped at its first length.
  if (fstat(file.fd, &after) != 0 || after.st_size != before.st_size) {
    return FailedPrecondition("%s: changes its size while it is opened", path);
  }
  return mapped;
}

MappedFile::~MappedFile() { munmap(const_cast<char*>(bytes_.data()), bytes_.size()); }

void MappedFile::EndSequentialReading() const {
  madvise(const_cast<char*>(bytes_.data()), bytes_.size(), MADV_NORMAL);
}

absl::StatusOr<std::string> ReadTextFile(const std::string& path, size_t max_bytes) {
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0) return FileError(path, errno);
  if (S_ISREG(status.st_mode) && status.st_size == 0) return std::string();
  absl::StatusOr<std::unique_ptr<MappedFile>> file = MappedFile::Open(path);
  if (!file.ok()) return file.status();
  const std::string_view bytes = (*file)->bytes();
  if (bytes.size() > max_bytes) {
    return ResourceExhausted("%s: %d bytes, more than the %d that such a file may have", path,
                             bytes.size(), max_bytes);
  }
  return std::string(bytes);
}

bool FileExists(const std::string& path) {
  struct stat status = {};
  return lstat(path.c_str(), &status) == 0;
}

}  // namespace assay
