// The SHA-256 of a file that grows, computed behind the writer's back: a download then waits for
// the network alone.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace assay::fetch {

// Its own thread reads what was written, from the page cache. Advance and Finish belong to one
// thread.
class FollowingHash {
 public:
  explicit FollowingHash(std::string path);
  ~FollowingHash();
  FollowingHash(const FollowingHash&) = delete;
  FollowingHash& operator=(const FollowingHash&) = delete;

  // The file's first `size` bytes stand; never less than before.
  void Advance(int64_t size);
  // Of the bytes that stand, once all are read. Ends the hash.
  absl::StatusOr<std::string> Finish();

 private:
  void Loop();
  absl::StatusOr<std::string> HashAll();

  const std::string path_;
  std::mutex mutex_;
  std::condition_variable wake_;
  int64_t size_ = 0;                    // guarded by mutex_
  bool whole_ = false;                  // guarded by mutex_
  bool given_up_ = false;               // guarded by mutex_
  absl::StatusOr<std::string> digest_;  // of the thread, until it is joined
  std::thread thread_;
};

}  // namespace assay::fetch
