// One text, three ranges, one or two frames.
#include "harness/store/texts.h"

#include <cstring>
#include <optional>

#include "harness/status.h"

namespace assay {
namespace {

constexpr size_t kMaxTextBytes = size_t{1} << 30;  // SQLite keeps no longer value
constexpr size_t kCutFrom = 16 * 1024;             // texts below are one frame

size_t OffsetOf(std::string_view text, const void* found) {
  return static_cast<size_t>(static_cast<const char*>(found) - text.data());
}

// Linear in the text whatever its bytes: replies are not to be trusted. A long part is looked for
// by its beginning, which stands nowhere else as a rule: the linear search of all of it costs as
// much as everything else that a 2 KB sample costs (measured).
std::optional<size_t> FindFrom(std::string_view text, size_t from, std::string_view part) {
  constexpr size_t kBeginning = 32;
  constexpr int kTries = 8;
  if (from > text.size()) return std::nullopt;
  if (part.empty()) return from;
  const std::string_view beginning = part.substr(0, kBeginning);
  for (int tried = 0; tried < kTries; ++tried) {
    const void* found =
        memmem(text.data() + from, text.size() - from, beginning.data(), beginning.size());
    if (found == nullptr) return std::nullopt;
    const size_t at = OffsetOf(text, found);
    if (text.substr(at, part.size()) == part) return at;
    from = at + 1;
  }
  const void* found = memmem(text.data() + from, text.size() - from, part.data(), part.size());
  if (found == nullptr) return std::nullopt;
  return OffsetOf(text, found);
}

// The range of `part` in *text at or after `from`; appended where it is not there.
TextRange FindOrAppend(std::string_view part, size_t from, std::string* text) {
  const std::optional<size_t> found = FindFrom(*text, from, part);
  const size_t begin = found.value_or(text->size());
  if (!found) *text += part;
  return {static_cast<int64_t>(begin), static_cast<int64_t>(part.size())};
}

bool Inside(const TextRange& range, size_t begin, size_t size) {
  const auto low = static_cast<int64_t>(begin);
  return range.begin >= low && range.size >= 0 &&
         range.size <= low + static_cast<int64_t>(size) - range.begin;
}

std::string_view Part(std::string_view text, const TextRange& range) {
  return text.substr(static_cast<size_t>(range.begin), static_cast<size_t>(range.size));
}

absl::Status WrongRanges() { return absl::DataLossError("text ranges that lie outside the text"); }

}  // namespace

// Measured on real replies (docs/store.md): at 2 KB level -1 costs 7 us and level 1 10 us; from
// 8 KB on level 1 costs little more than the faster ones and keeps much less.
int LevelFor(size_t size) { return size < 4096 ? -1 : 1; }

void PackTexts(Completion* completion, Compressor& compressor, PackedTexts* packed) {
  std::string text = std::move(completion->raw);
  const std::string reasoning = std::move(completion->reasoning);
  const std::string answer = std::move(completion->answer);
  completion->raw = completion->reasoning = completion->answer = std::string();
  packed->raw = {0, static_cast<int64_t>(text.size())};
  packed->reasoning = FindOrAppend(reasoning, 0, &text);
  // The answer follows the thinking; where the server kept the thinking apart, it is the reply.
  const TextRange& thought = packed->reasoning;
  const bool apart = thought.begin >= packed->raw.size;
  const auto from = static_cast<size_t>(apart ? 0 : thought.begin + thought.size);
  packed->answer = FindOrAppend(answer, from, &text);
  CHECK(text.size() <= kMaxTextBytes);
  const auto cut = static_cast<size_t>(packed->answer.begin);
  const bool in_two = text.size() >= kCutFrom && cut >= kCutFrom / 2;
  packed->cut = in_two ? packed->answer.begin : 0;
  packed->head.clear();
  const std::string_view whole = text;
  if (in_two) compressor.Compress(whole.substr(0, cut), LevelFor(cut), &packed->head);
  const std::string_view rest = whole.substr(in_two ? cut : 0);
  compressor.Compress(rest, LevelFor(rest.size()), &packed->tail);
}

absl::Status UnpackTexts(const PackedTexts& ranges, std::string_view head, std::string_view tail,
                         Decompressor& decompressor, Completion* completion) {
  std::string text;
  RETURN_IF_ERROR(decompressor.Decompress(tail, kMaxTextBytes, &text));
  if (ranges.cut > 0) {
    std::string first;
    RETURN_IF_ERROR(decompressor.Decompress(head, kMaxTextBytes, &first));
    text.insert(0, first);
  }
  for (const TextRange& range : {ranges.raw, ranges.reasoning, ranges.answer}) {
    if (!Inside(range, 0, text.size())) return WrongRanges();
  }
  completion->raw = Part(text, ranges.raw);
  completion->reasoning = Part(text, ranges.reasoning);
  completion->answer = Part(text, ranges.answer);
  return absl::OkStatus();
}

absl::Status UnpackAnswer(const PackedTexts& ranges, std::string_view tail,
                          Decompressor& decompressor, std::string* answer) {
  std::string text;
  RETURN_IF_ERROR(decompressor.Decompress(tail, kMaxTextBytes, &text));
  if (!Inside(ranges.answer, static_cast<size_t>(ranges.cut), text.size())) return WrongRanges();
  *answer = Part(text, {ranges.answer.begin - ranges.cut, ranges.answer.size});
  return absl::OkStatus();
}

}  // namespace assay
