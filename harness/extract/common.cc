// Options, boxes and spans; the box reader keeps a bounded stack so that hostile nesting costs
// nothing.
#include "harness/extract/common.h"

#include <algorithm>
#include <array>
#include <deque>

#include "harness/byte_search.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay::extract {
namespace {

constexpr size_t kNowhere = std::string_view::npos;
constexpr size_t kMostBoxes = 64;

bool IsAsciiLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Length of "\boxed" or "\fbox" at `at`, else 0.
size_t BoxCommand(std::string_view text, size_t at, bool* fbox) {
  const std::string_view rest = text.substr(at);
  for (const std::string_view name : {"\\boxed", "\\fbox"}) {
    if (!rest.starts_with(name)) continue;
    if (rest.size() > name.size() && IsAsciiLetter(rest[name.size()])) return 0;
    *fbox = name == "\\fbox";
    return name.size();
  }
  return 0;
}

// Where a box without (closing) braces ends: with its math, its line, or the text.
size_t EndOfLoose(std::string_view text, size_t begin, bool at_blank) {
  for (size_t i = begin; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '$' || c == '\n' || (at_blank && (c == ' ' || c == '\t'))) return i;
    const bool math_ends =
        c == '\\' && i + 1 < text.size() && (text[i + 1] == ')' || text[i + 1] == ']');
    if (math_ends) return i;
  }
  return text.size();
}

Box UnbracedBox(std::string_view text, size_t command, size_t inner, bool fbox) {
  Span span{inner, EndOfLoose(text, inner, /*at_blank=*/true)};
  span = TrimSpan(text, span, ".,;:!?*");
  return {command, span.end, span.begin, span.end, fbox, false, true};
}

// Walks the text once: braces opened and closed, boxes among them.
class BoxReader {
 public:
  explicit BoxReader(std::string_view text) : text_(text) {}

  std::vector<Box> Read() {
    for (size_t i = 0; (i = FindAnyOf(text_, "\\{}", i)) != kNowhere;) i = Step(i);
    if (boxes_.empty() && !open_.empty()) boxes_.push_back(Unclosed(open_.back().box));
    return {boxes_.begin(), boxes_.end()};
  }

 private:
  struct Open {
    Box box;
    size_t depth;
  };

  // Handles the character at `i`; says where to go on.
  size_t Step(size_t i) {
    if (text_[i] == '{') {
      ++depth_;
      return i + 1;
    }
    if (text_[i] == '}') {
      Close(i);
      return i + 1;
    }
    bool fbox = false;
    const size_t length = BoxCommand(text_, i, &fbox);
    if (length > 0) return Begin(i, i + length, fbox);
    // An escaped character; but a doubled backslash before a box (escaped twice) is passed alone.
    const bool doubled =
        i + 1 < text_.size() && text_[i + 1] == '\\' && BoxCommand(text_, i + 1, &fbox) > 0;
    return doubled ? i + 1 : std::min(i + 2, text_.size());
  }

  size_t Begin(size_t command, size_t after, bool fbox) {
    const size_t inner = std::min(text_.find_first_not_of(" \t\n", after), text_.size());
    if (inner == text_.size()) return inner;
    if (text_[inner] != '{') {
      const Box box = UnbracedBox(text_, command, inner, fbox);
      if (box.inner_end > box.inner_begin) Keep(box);
      return std::max(after, inner);
    }
    open_.push_back({{command, 0, inner + 1, 0, fbox, true, true}, depth_});
    if (open_.size() > kMostBoxes) open_.pop_front();
    ++depth_;
    return inner + 1;
  }

  void Close(size_t i) {
    if (depth_ == 0) return;  // a stray closing brace
    --depth_;
    if (open_.empty() || open_.back().depth != depth_) return;
    Box box = open_.back().box;
    open_.pop_back();
    box.inner_end = i;
    box.end = i + 1;
    Keep(box);
  }

  // Boxes inside this one give way to it.
  void Keep(const Box& box) {
    while (!boxes_.empty() && boxes_.back().begin > box.begin) boxes_.pop_back();
    boxes_.push_back(box);
    if (boxes_.size() > kMostBoxes) boxes_.pop_front();
  }

  Box Unclosed(Box box) const {
    const Span span =
        TrimSpan(text_, {box.inner_begin, EndOfLoose(text_, box.inner_begin, false)}, ".,;:!?*");
    box.inner_begin = span.begin;
    box.inner_end = box.end = span.end;
    box.closed = false;
    return box;
  }

  std::string_view text_;
  size_t depth_ = 0;
  std::deque<Open> open_;
  std::deque<Box> boxes_;
};

// What stands between two boxes, without math delimiters and spacing: "", ",", "and", ", and" ...
std::string JoiningWords(std::string_view gap) {
  static constexpr std::array<std::string_view, 18> kSilent = {
      "\\(", "\\)", "\\[", "\\]", "\\quad", "\\qquad", "\\text{", "\\mathrm{", "\\,",
      "\\;", "\\ ", "$",   "}",   " ",      "\n",      "\t",      "*",         "\\\\"};
  std::string words;
  while (!gap.empty()) {
    const bool silent = std::any_of(kSilent.begin(), kSilent.end(),
                                    [&](std::string_view word) { return Take(word, &gap); });
    if (silent) continue;
    words += gap.front();
    gap.remove_prefix(1);
  }
  return words;
}

constexpr size_t kLongestGap = 80;

}  // namespace

absl::Status Options::CheckNames(const std::vector<std::string>& known) const {
  if (options_.is_null()) return absl::OkStatus();
  if (!options_.is_object()) {
    return InvalidArgument("extractor '%s': options: expected an object, found %s", extractor_,
                           std::string(KindName(options_)));
  }
  for (const Json::Member& member : options_.AsMembers()) {
    if (std::find(known.begin(), known.end(), member.first) != known.end()) continue;
    return InvalidArgument("extractor '%s': unknown option '%s'%s (known: %s)", extractor_,
                           member.first, DidYouMean(member.first, known), Join(known, ", "));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::string>> Options::ReadString(std::string_view name) const {
  const Json* value = options_.Find(name);
  if (value == nullptr || value->is_null()) return std::optional<std::string>();
  if (value->is_string()) return std::optional<std::string>(value->AsString());
  return InvalidArgument("extractor '%s': option '%s': expected a string, found %s", extractor_,
                         std::string(name), std::string(KindName(*value)));
}

absl::StatusOr<std::optional<int64_t>> Options::ReadInteger(std::string_view name) const {
  const Json* value = options_.Find(name);
  if (value == nullptr || value->is_null()) return std::optional<int64_t>();
  if (value->is_integer()) return std::optional<int64_t>(value->AsInteger());
  return InvalidArgument("extractor '%s': option '%s': expected an integer, found %s", extractor_,
                         std::string(name), std::string(KindName(*value)));
}

absl::StatusOr<std::string> Options::ReadWord(std::string_view name,
                                              const std::vector<std::string>& allowed) const {
  ASSIGN_OR_RETURN(const std::optional<std::string> word, ReadString(name));
  if (!word) return allowed.front();
  if (std::find(allowed.begin(), allowed.end(), *word) != allowed.end()) return *word;
  return InvalidArgument("extractor '%s': option '%s': expected one of %s, found '%s'%s",
                         extractor_, std::string(name), Join(allowed, ", "), *word,
                         DidYouMean(*word, allowed));
}

absl::StatusOr<Mode> Options::ReadMode() const {
  ASSIGN_OR_RETURN(const std::string word, ReadWord("mode", {"lenient", "strict"}));
  return word == "strict" ? Mode::kStrict : Mode::kLenient;
}

Extraction ToExtraction(const std::optional<Found>& strict, const std::optional<Found>& lenient,
                        Mode mode) {
  Extraction extraction;
  if (strict) extraction.strict = strict->text;
  if (lenient) extraction.lenient = lenient->text;
  const std::optional<Found>& chosen = mode == Mode::kStrict ? strict : lenient;
  if (!chosen) return extraction;
  extraction.answer = chosen->text;
  extraction.rule = chosen->rule;
  extraction.begin = chosen->begin;
  extraction.end = chosen->end;
  return extraction;
}

std::vector<Box> FindBoxes(std::string_view text) {
  // Nothing before the line of the first "box" matters: braces count from where a box opens, and a
  // backslash never reaches beyond a line's end. Long replies have their boxes in their last lines.
  const size_t word = FindWord(text, "box");
  if (word == kNowhere) return {};
  const size_t line = text.rfind('\n', word) + 1;
  std::vector<Box> boxes = BoxReader(text.substr(line)).Read();
  for (Box& box : boxes) {
    for (size_t* at : {&box.begin, &box.end, &box.inner_begin, &box.inner_end}) *at += line;
  }
  return boxes;
}

bool Take(std::string_view word, std::string_view* text) {
  if (!text->starts_with(word)) return false;
  text->remove_prefix(word.size());
  return true;
}

Joint JointOf(std::string_view text, const Box& before, const Box& next) {
  if (next.begin - before.end > kLongestGap) return Joint::kNone;
  const std::string words =
      ToLowerAscii(JoiningWords(text.substr(before.end, next.begin - before.end)));
  const auto inner = [&](const Box& box) {
    return Trim(text.substr(box.inner_begin, box.inner_end - box.inner_begin));
  };
  if (words.empty()) return inner(before) == inner(next) ? Joint::kRepeat : Joint::kNone;
  static constexpr std::array<std::string_view, 8> kJoints = {",",   "and", "or", ",and",
                                                              ",or", ";",   "&",  ";and"};
  return std::find(kJoints.begin(), kJoints.end(), words) != kJoints.end() ? Joint::kList
                                                                           : Joint::kNone;
}

Span TrimSpan(std::string_view text, Span span, std::string_view also) {
  const auto out = [&](char c) {
    return c == ' ' || (c >= '\t' && c <= '\r') || also.find(c) != kNowhere;
  };
  while (span.begin < span.end && out(text[span.begin])) ++span.begin;
  while (span.end > span.begin && out(text[span.end - 1])) --span.end;
  return span;
}

Span TakeLine(std::string_view text, size_t* at) {
  const size_t begin = *at;
  const size_t end = std::min(text.find('\n', begin), text.size());
  *at = std::min(end + 1, text.size());
  const bool carriage = end > begin && text[end - 1] == '\r';
  return {begin, carriage ? end - 1 : end};
}

Span LastLine(std::string_view text) {
  const size_t end = TrimRight(text).size();
  const size_t newline = end == 0 ? kNowhere : text.substr(0, end).rfind('\n');
  return TrimSpan(text, {newline == kNowhere ? 0 : newline + 1, end});
}

}  // namespace assay::extract
