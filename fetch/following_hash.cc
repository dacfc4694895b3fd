// Reads with pread, which shares no position with the writer.
#include "fetch/following_hash.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "harness/hash.h"
#include "harness/status.h"

namespace assay::fetch {
namespace {

constexpr int64_t kReadBytes = 1 << 20;

class Descriptor {
 public:
  explicit Descriptor(const std::string& path) : value_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~Descriptor() {
    if (value_ >= 0) close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int value() const { return value_; }

 private:
  int value_;
};

}  // namespace

FollowingHash::FollowingHash(std::string path)
    : path_(std::move(path)), thread_([this] { Loop(); }) {}

FollowingHash::~FollowingHash() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    given_up_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void FollowingHash::Advance(int64_t size) {
  {
    const std::lock_guard lock(mutex_);
    size_ = size;
  }
  wake_.notify_one();
}

absl::StatusOr<std::string> FollowingHash::Finish() {
  {
    const std::lock_guard lock(mutex_);
    whole_ = true;
  }
  wake_.notify_one();
  thread_.join();
  return digest_;
}

void FollowingHash::Loop() { digest_ = HashAll(); }

absl::StatusOr<std::string> FollowingHash::HashAll() {
  // Opened late: the file may not be there before its first byte.
  std::unique_ptr<Descriptor> file;
  Sha256 hash;
  std::string buffer(kReadBytes, '\0');
  int64_t done = 0;
  while (true) {
    int64_t size = 0;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return size_ > done || whole_ || given_up_; });
      if (given_up_) return absl::CancelledError("given up");
      size = size_;
    }
    if (size == done) return hash.HexDigest();
    if (file == nullptr) file = std::make_unique<Descriptor>(path_);
    const auto wanted = static_cast<size_t>(std::min(kReadBytes, size - done));
    const ssize_t got = pread(file->value(), buffer.data(), wanted, done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      return Unavailable("%s: cannot read back what was written: %s", path_,
                         got == 0 ? "it became shorter" : std::strerror(errno));
    }
    hash.Update(std::string_view(buffer).substr(0, static_cast<size_t>(got)));
    done += got;
  }
}

}  // namespace assay::fetch
