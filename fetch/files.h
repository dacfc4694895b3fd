// Files that are whole or not there: written aside, synced, renamed; and locks between processes.
//
// Errors name the path and say what can be done: a full disk, no permission, a directory in the
// way.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace assay::fetch {

// With its parents.
absl::Status MakeDirectory(const std::string& path);

// Writes a file from its beginning or its end on. Not thread-safe.
class FileWriter {
 public:
  FileWriter() = default;
  ~FileWriter();
  FileWriter(FileWriter&& other) noexcept;
  FileWriter& operator=(FileWriter&& other) noexcept;

  // Keeps the first `keep` bytes of what is there, and goes on behind them.
  static absl::StatusOr<FileWriter> Open(const std::string& path, int64_t keep);
  absl::Status Write(std::string_view bytes);
  absl::Status Truncate(int64_t size);
  int64_t size() const { return size_; }
  // What was written is on the disk when this returns OK.
  absl::Status SyncAndClose();

 private:
  void StartWriteBack();

  std::string path_;
  int descriptor_ = -1;
  int64_t size_ = 0;
  int64_t written_back_ = 0;  // up to here the kernel was told to write
};

// -1: there is no such file.
int64_t FileSize(const std::string& path);
// Bytes that an ordinary user may still write below `directory`; -1: not known.
int64_t FreeBytes(const std::string& directory);

// Puts a synced file in its place, and syncs the directory.
absl::Status MoveIntoPlace(const std::string& from, const std::string& to);
absl::Status WriteWhole(const std::string& path, std::string_view bytes);

// One holder at a time, over all processes; given back by the destructor, and by the kernel where a
// process dies.
class FileLock {
 public:
  // `waiting` is called again and again while another holds it; false gives up (Cancelled).
  static absl::StatusOr<FileLock> Take(const std::string& path,
                                       const std::function<bool()>& waiting);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

}  // namespace assay::fetch
