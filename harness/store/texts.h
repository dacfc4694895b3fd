// How a completion's three texts become bytes in the store.
//
// Reasoning and answer are nearly always parts of the raw reply, so one text holds all three and
// each is a range of it. A long text is cut before the answer into two frames, so that regrading
// reads and decompresses a few hundred bytes instead of the whole reasoning trace.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "harness/compress.h"
#include "harness/types.h"

namespace assay {

struct TextRange {
  int64_t begin = 0;
  int64_t size = 0;
};

struct PackedTexts {
  TextRange raw;
  TextRange reasoning;
  TextRange answer;
  int64_t cut = 0;   // `head` holds the bytes before it, `tail` those from it on
  std::string head;  // a zstd frame; empty where cut is 0
  std::string tail;  // a zstd frame; the answer lies in it whole
};

// The zstd level for a text of so many bytes.
int LevelFor(size_t size);

// Takes the three texts out of *completion. Not thread-safe, as the compressor is not.
void PackTexts(Completion* completion, Compressor& compressor, PackedTexts* packed);

// `head` and `tail` are frames. Fills in completion's raw, reasoning and answer.
absl::Status UnpackTexts(const PackedTexts& ranges, std::string_view head, std::string_view tail,
                         Decompressor& decompressor, Completion* completion);
// The answer alone: `head` is not needed.
absl::Status UnpackAnswer(const PackedTexts& ranges, std::string_view tail,
                          Decompressor& decompressor, std::string* answer);

}  // namespace assay
