// What the extractors share: their options, the pair of strict and lenient findings, boxes, spans.
//
// Private to harness/extract/ and harness/extract.cc.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/extract.h"

namespace assay::extract {

// One function per extractor; harness/extract.cc lists them.
Extractor BoxedExtractor();
Extractor LetterExtractor();
Extractor NumberExtractor();
Extractor CodeBlockExtractor();
Extractor RegexExtractor();
Extractor LastLineExtractor();
Extractor LoglikelihoodExtractor();

// An answer, the rule that found it, and where.
struct Found {
  std::string text;
  std::string rule;
  size_t begin = 0;
  size_t end = 0;
};

enum class Mode { kLenient, kStrict };

// Reads an extractor's options: first `CheckNames`, then one call per option.
class Options {
 public:
  Options(std::string_view extractor, const Json& options)
      : extractor_(extractor), options_(options) {}

  // An error where `options` is neither an object nor null, or has a name that is not known.
  absl::Status CheckNames(const std::vector<std::string>& known) const;
  absl::StatusOr<Mode> ReadMode() const;
  absl::StatusOr<std::optional<std::string>> ReadString(std::string_view name) const;
  absl::StatusOr<std::optional<int64_t>> ReadInteger(std::string_view name) const;
  // The string, which must be one of `allowed`; the first of them where it is not given.
  absl::StatusOr<std::string> ReadWord(std::string_view name,
                                       const std::vector<std::string>& allowed) const;

 private:
  std::string extractor_;
  const Json& options_;
};

// Both answers recorded; the one that `mode` asks for is graded.
Extraction ToExtraction(const std::optional<Found>& strict, const std::optional<Found>& lenient,
                        Mode mode);

// \boxed{...} and its kin, in the order of the text.
struct Box {
  size_t begin = 0;  // of the backslash
  size_t end = 0;    // after the closing brace
  size_t inner_begin = 0;
  size_t inner_end = 0;
  bool fbox = false;
  bool braced = true;  // \boxed{7}, not \boxed7
  bool closed = true;  // false: no closing brace; it then ends with its line or its math
};
// The last boxes (64 at most) that lie in no other box. Those without a closing brace only where no
// other is found. Linear; escaped braces (\{ \}) do not count.
std::vector<Box> FindBoxes(std::string_view text);

// How the box `next` goes on from `before`: "\boxed{-2} and \boxed{1}" are one list.
enum class Joint { kNone, kRepeat, kList };
Joint JointOf(std::string_view text, const Box& before, const Box& next);

// Takes `word` off the front of `text`.
bool Take(std::string_view word, std::string_view* text);

// `span` of `text` without blanks and without the given characters at its ends.
struct Span {
  size_t begin = 0;
  size_t end = 0;
  std::string_view In(std::string_view text) const { return text.substr(begin, end - begin); }
};
Span TrimSpan(std::string_view text, Span span, std::string_view also = "");

// The line that begins at `*at`, without its line end; moves `*at` to the next line.
Span TakeLine(std::string_view text, size_t* at);
// The last line with something on it, or an empty span at the end.
Span LastLine(std::string_view text);

}  // namespace assay::extract
