// Dataset files as a stream of rows: JSONL, JSON arrays, CSV and TSV, plain or .gz or .zst, with
// their fingerprint.
//
// One row in memory at a time (a JSON array too). Every error says FILE:LINE and what was found and
// wanted.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "harness/compress.h"
#include "harness/json.h"

namespace assay {

struct Row {
  Json fields;       // object; CSV and TSV values are strings
  int64_t line = 0;  // 1-based line where the row begins in the uncompressed file
  std::string part;  // the file, where several are read as one
};

struct RowLimits {
  size_t max_row_bytes = 256 << 20;  // a longer row is an error: memory stays bounded
};

// Reads one file once. Not thread-safe. A file without any row is an error, told by the first Next.
// After an error or the end, Next keeps returning the same.
class RowReader {
 public:
  virtual ~RowReader() = default;
  virtual absl::StatusOr<std::optional<Row>> Next() = 0;  // nothing: the end
};

// Several files are one dataset: their paths joined by this.
inline constexpr char kPartSeparator = '\n';

// Format by name: .jsonl .json .csv .tsv, each also with .gz or .zst. A .json file may hold an
// array, or objects one after the other.
absl::StatusOr<std::unique_ptr<RowReader>> OpenRows(const std::string& path,
                                                    const RowLimits& limits = {});
// The same from bytes that come from elsewhere; `name` says the format and stands in messages.
absl::StatusOr<std::unique_ptr<RowReader>> OpenRows(std::unique_ptr<ByteSource> source,
                                                    const std::string& name,
                                                    const RowLimits& limits = {});

// SHA-256 of the file's bytes as they lie on disk, in hex; of several files, of all bytes in order.
absl::StatusOr<std::string> FileSha256(const std::string& path);

// `row.fields`' member as text or an error "FILE:LINE: field 'answer': expected a string, found
// 204".
absl::StatusOr<std::string> RequireString(const Row& row, std::string_view path,
                                          std::string_view field);

// "FILE:LINE: no field 'answr'; did you mean 'answer'? (fields: question, answer)"
absl::Status MissingField(const Row& row, std::string_view path, std::string_view field);

}  // namespace assay
