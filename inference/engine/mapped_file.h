// A file mapped into memory for reading.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace assay {

// Read-only and private. Thread-safe. A file that another process truncates while it is mapped
// kills this one when the lost part is read; nothing is done against that.
class MappedFile {
 public:
  static absl::StatusOr<std::unique_ptr<MappedFile>> Open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  // It has been read from one end to the other and is now wanted anywhere, again and again.
  void EndSequentialReading() const;

  std::string_view bytes() const { return bytes_; }
  const std::string& path() const { return path_; }

 private:
  MappedFile(std::string path, std::string_view bytes) : path_(std::move(path)), bytes_(bytes) {}
  std::string path_;
  std::string_view bytes_;
};

// A small text file, whole. NotFound where it is absent; larger than `max_bytes` is an error.
absl::StatusOr<std::string> ReadTextFile(const std::string& path, size_t max_bytes);
// True of a link that leads nowhere, too: a cache that lost a file is no checkpoint without it.
bool FileExists(const std::string& path);

}  // namespace assay
