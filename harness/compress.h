// Compression: zstd for stored texts, and files read as a stream of bytes, plain, .gz or .zst.
//
// No other file includes zstd.h or zlib.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace assay {

// Makes zstd frames; keeps its context, which costs more to make than a small text to compress.
// Not thread-safe: one per thread.
class Compressor {
 public:
  Compressor();
  ~Compressor();
  Compressor(Compressor&&) noexcept;
  Compressor& operator=(Compressor&&) noexcept;
  // Replaces *frame, keeping its capacity. Levels: -7 (fastest) .. 19.
  void Compress(std::string_view text, int level, std::string* frame);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Reads zstd frames whose size is written in them, as Compressor writes it. Not thread-safe.
class Decompressor {
 public:
  Decompressor();
  ~Decompressor();
  Decompressor(Decompressor&&) noexcept;
  Decompressor& operator=(Decompressor&&) noexcept;
  // Replaces *text. DataLoss where `frame` is no whole frame; ResourceExhausted where it says that
  // it holds more than `max_bytes`: nothing is allocated for such a frame.
  absl::Status Decompress(std::string_view frame, size_t max_bytes, std::string* text);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A zlib stream (RFC 1950), whole. DataLoss where it is none or breaks off; ResourceExhausted where
// it holds more than `max_bytes`.
absl::StatusOr<std::string> InflateZlib(std::string_view bytes, size_t max_bytes);

// `bytes` as one zlib stream. Levels: 1 (fastest) .. 9.
std::string DeflateZlib(std::string_view bytes, int level);

// Bytes that come one after the other. Not thread-safe.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Fills `buffer` with 1 .. capacity bytes and returns how many; 0 at the end. Errors name the
  // file. After an error or the end, it keeps returning the same.
  virtual absl::StatusOr<size_t> Read(char* buffer, size_t capacity) = 0;
};

// Opens a file, decompressing what begins as gzip (several members too) or zstd (several frames
// too) whatever its name. A name ending in .gz or .zst with other bytes in it, bytes that end in
// mid-stream, and more than `max_bytes` of output are errors.
absl::StatusOr<std::unique_ptr<ByteSource>> OpenByteSource(const std::string& path,
                                                           uint64_t max_bytes = UINT64_MAX);

// The rest of a source, whole.
absl::StatusOr<std::string> ReadAll(ByteSource& source);

}  // namespace assay
