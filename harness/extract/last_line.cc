// The extractor `last_line`: the last line with something on it; leniently, without its label and
// its emphasis.
#include <array>

#include "harness/extract/common.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay::extract {
namespace {

// "Answer: x", "**Final answer:** x": begins after the label, or at the line's own beginning.
Span WithoutLabel(std::string_view text, Span line) {
  static constexpr std::array<std::string_view, 4> kLabels = {"final answer", "the final answer",
                                                              "answer", "the answer"};
  const Span bare = TrimSpan(text, line, "*_#");
  const std::string lower = ToLowerAscii(bare.In(text).substr(0, 40));
  for (const std::string_view label : kLabels) {
    if (!lower.starts_with(label)) continue;
    size_t i = bare.begin + label.size();
    while (i < bare.end && (text[i] == '*' || text[i] == ' ')) ++i;
    if (text.substr(i, bare.end - i).starts_with(":"))
      return TrimSpan(text, {i + 1, bare.end}, "*_");
    if (text.substr(i, bare.end - i).starts_with("is "))
      return TrimSpan(text, {i + 3, bare.end}, "*_");
  }
  return line;
}

// Marks of emphasis, code and headings at both ends.
Span WithoutEmphasis(std::string_view text, Span span) { return TrimSpan(text, span, "*_`#"); }

std::optional<Found> FoundAt(std::string_view text, Span span, std::string rule) {
  if (span.begin >= span.end) return std::nullopt;
  return Found{std::string(span.In(text)), std::move(rule), span.begin, span.end};
}

}  // namespace

Extractor LastLineExtractor() {
  Extractor extractor;
  extractor.name = "last_line";
  extractor.about = "the last line that is not blank";
  extractor.options = {"mode"};
  extractor.bind = [known = extractor.options](const Json& json) -> absl::StatusOr<BoundExtractor> {
    const Options options("last_line", json);
    RETURN_IF_ERROR(options.CheckNames(known));
    ASSIGN_OR_RETURN(const Mode mode, options.ReadMode());
    return BoundExtractor([mode](std::string_view text, const Problem&) {
      const Span line = LastLine(text);
      const Span bare = WithoutEmphasis(text, WithoutLabel(text, line));
      const bool same = bare.begin == line.begin && bare.end == line.end;
      return ToExtraction(FoundAt(text, line, "last_line"),
                          FoundAt(text, bare, same ? "last_line" : "last_line_bare"), mode);
    });
  };
  return extractor;
}

}  // namespace assay::extract
