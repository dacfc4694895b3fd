// The lock of one run: one process writes it, and the lock dies with that process.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace assay {

// A lock on the file "<database>.<run>.lock", which holds the holder's host and process for people.
// The file goes when the lock is released; after kill -9 it stays, unlocked, and is used again.
class RunLock {
 public:
  // FailedPrecondition names the holder.
  static absl::StatusOr<RunLock> Take(const std::string& database, const std::string& run_id);
  // Whether somebody holds it now. Takes nothing, makes nothing.
  static bool IsHeld(const std::string& database, const std::string& run_id);

  RunLock(RunLock&& other) noexcept;
  RunLock& operator=(RunLock&& other) noexcept;
  ~RunLock();  // releases

 private:
  RunLock(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  std::string path_;
  int descriptor_ = -1;
};

}  // namespace assay
