// The extractor `number`: the number that the reply announces, else its last number.
#include <re2/re2.h>

#include <algorithm>
#include <array>

#include "harness/extract/common.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay::extract {
namespace {

constexpr size_t kNowhere = std::string_view::npos;

// A number without its sign: \frac{a}{b}; or digits with thousands marks, decimals, a denominator,
// a power of ten; and a percent sign.
const RE2& NumberPattern() {
  static const RE2* pattern = new RE2(
      R"((?:(?:\d+\s?)?\\[dtc]?frac\{\s?[-+]?\d+\s?\}\{\s?\d+\s?\})"
      R"(|(?:\d{1,3}(?:(?:,|\{,\}|,\\!|\\,)\d{3})+\b(?:\.\d+\b)?|\d+(?:\.\d+)?|\.\d+))"
      R"((?:\s?/\s?\d+\b|[eE][-+]?\d+\b|\s?(?:\\times|\\cdot|×|\*)\s?10\s?(?:\^|\*\*)\s?\{?[-+]?\d+\}?|\^\{?[-+]?\d+\}?)?))"
      R"((?:\s?\\?%)?)");
  return *pattern;
}

bool IsWord(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// 1st, 2nd, 3rd, 4th.
bool IsOrdinal(std::string_view text, size_t end) {
  const std::string_view rest = text.substr(end);
  for (const std::string_view suffix : {"st", "nd", "rd", "th"}) {
    if (!rest.starts_with(suffix)) continue;
    return rest.size() == 2 || !IsWord(rest[2]);
  }
  return false;
}

// Part of a name or an index: x2, x_1, x_{12}, x^2.
bool IsPartOfName(std::string_view text, size_t begin) {
  if (begin == 0) return false;
  size_t before = begin - 1;
  if (text[before] == '{' && before > 0) --before;
  const char c = text[before];
  if (c == '_' || c == '^') return true;
  return before == begin - 1 && IsWord(c);
}

bool EndsWithMinus(std::string_view text) {
  return text.ends_with("-") || text.ends_with("−") || text.ends_with("–");
}

// Where the sign before the number at `begin` stands, or `begin`. In "3-5" it is no sign, and at
// the front of a line with a blank behind it, it is a bullet.
size_t SignBegin(std::string_view text, size_t begin) {
  std::string_view before = text.substr(0, begin);
  bool blank = false;
  while (before.ends_with("$") || before.ends_with(" ")) {
    blank |= before.back() == ' ';
    before.remove_suffix(1);
    if (before.ends_with("\\")) before.remove_suffix(1);
  }
  if (!EndsWithMinus(before)) return begin;
  const size_t sign = before.size() - (before.back() == '-' ? 1 : 3);
  const std::string_view left = text.substr(0, sign);
  if (left.empty()) return blank ? begin : sign;
  const char c = left.back();
  if (IsWord(c) || c == ')' || c == ']' || c == '}') return begin;
  const std::string_view nearest = TrimRight(left);
  const bool after_relation =
      !nearest.empty() && std::string_view("=(,[{:").find(nearest.back()) != kNowhere;
  return blank && !after_relation ? begin : sign;
}

Found FoundNumber(std::string_view text, size_t begin, size_t end) {
  const size_t sign = SignBegin(text, begin);
  std::string answer = sign < begin ? "-" : "";
  answer += Trim(text.substr(begin, end - begin));
  return {std::move(answer), "", sign, end};
}

// The last number of `span`, or the first one.
enum class Which { kFirst, kLast };
std::optional<Found> NumberIn(std::string_view text, Span span, Which which) {
  std::optional<Found> found;
  const std::string_view window = text.substr(0, span.end);
  for (size_t at = span.begin; at < span.end;) {
    re2::StringPiece match;
    if (!NumberPattern().Match(window, at, window.size(), RE2::UNANCHORED, &match, 1)) break;
    const size_t begin = static_cast<size_t>(match.data() - text.data()),
                 end = begin + match.size();
    at = end;
    if (IsPartOfName(text, begin) || IsOrdinal(text, end)) continue;
    found = FoundNumber(text, begin, end);
    if (which == Which::kFirst) break;
  }
  return found;
}

std::optional<Found> Named(std::optional<Found> found, std::string rule) {
  if (found) found->rule = std::move(rule);
  return found;
}

Span LineAt(std::string_view text, size_t begin) {
  return {begin, std::min(text.find('\n', begin), text.size())};
}

// GSM8K's form: "#### 42".
std::optional<Found> AfterHashes(std::string_view text) {
  const size_t at = text.rfind("####");
  if (at == kNowhere) return std::nullopt;
  return Named(NumberIn(text, LineAt(text, at + 4), Which::kFirst), "hash_marks");
}

// What may stand beside a number that is the whole of a box: units, dollars, degrees.
bool IsDress(std::string_view text) {
  static const RE2* pattern = new RE2(
      R"((?:\\(?:text|mathrm|mbox|textbf|mathbf|left|right|circ|degree)\b|\\[,;!$ ]|[$~{}^\s°.]|[A-Za-z]+\.?)*)");
  return RE2::FullMatch(text, *pattern);
}

// The number that a box is, behind its last "=". Never one out of the middle of a formula:
// 2\sqrt{3} holds none.
std::optional<Found> InBox(std::string_view text, const Box& box) {
  const std::string_view inner = text.substr(box.inner_begin, box.inner_end - box.inner_begin);
  const size_t equals = inner.rfind('=');
  const size_t begin = box.inner_begin + (equals == kNowhere ? 0 : equals + 1);
  std::optional<Found> found = NumberIn(text, {begin, box.inner_end}, Which::kFirst);
  if (!found || found->begin < begin) return std::nullopt;
  const bool alone = IsDress(text.substr(begin, found->begin - begin)) &&
                     IsDress(text.substr(found->end, box.inner_end - found->end));
  return alone ? Named(std::move(found), "boxed") : std::nullopt;
}

// "Answer: 42", "the answer is 42": the last announcement with a number behind it.
std::optional<Found> Announced(std::string_view text) {
  static constexpr int kMost = 1000;
  size_t at = text.size();
  for (int i = 0; i < kMost && at > 0; ++i) {
    at = text.rfind("nswer", at - 1);
    if (at == kNowhere) break;
    size_t begin = std::min(text.find_first_not_of("* _", at + 5), text.size());
    const std::string_view rest = text.substr(begin);
    if (!rest.starts_with(":") && !rest.starts_with("is") && !rest.starts_with("=")) continue;
    begin = std::min(text.find_first_not_of(":is= *\r\n", begin), text.size());
    Span line = LineAt(text.substr(0, std::min(text.size(), begin + 400)), begin);
    std::optional<Found> found = NumberIn(text, line, Which::kFirst);
    if (found) return Named(std::move(found), "answer_announced");
  }
  return std::nullopt;
}

// Lines from the last one back, so that a long reply is not read whole.
std::optional<Found> LastNumber(std::string_view text) {
  for (size_t end = text.size(); end > 0;) {
    const size_t newline = text.rfind('\n', end - 1);
    const size_t begin = newline == kNowhere ? 0 : newline + 1;
    std::optional<Found> found = NumberIn(text, {begin, end}, Which::kLast);
    if (found) return Named(std::move(found), "last_number");
    end = newline == kNowhere ? 0 : newline;
  }
  return std::nullopt;
}

// In one of the forms that are asked for.
std::optional<Found> FindAnnounced(std::string_view text) {
  std::optional<Found> found = AfterHashes(text);
  if (found) return found;
  const std::vector<Box> boxes = FindBoxes(text);
  return boxes.empty() ? Announced(text) : InBox(text, boxes.back());
}

// A box that holds no number is the answer all the same: no other number is looked for then.
std::optional<Found> FindUnannounced(std::string_view text) {
  return FindBoxes(text).empty() ? LastNumber(text) : std::nullopt;
}

}  // namespace

Extractor NumberExtractor() {
  Extractor extractor;
  extractor.name = "number";
  extractor.about = "the number after ####, in the last box, after \"answer\", or the last one";
  extractor.options = {"mode"};
  extractor.bind = [known = extractor.options](const Json& json) -> absl::StatusOr<BoundExtractor> {
    const Options options("number", json);
    RETURN_IF_ERROR(options.CheckNames(known));
    ASSIGN_OR_RETURN(const Mode mode, options.ReadMode());
    return BoundExtractor([mode](std::string_view text, const Problem&) {
      const std::optional<Found> strict = FindAnnounced(text);
      return ToExtraction(strict, strict ? strict : FindUnannounced(text), mode);
    });
  };
  return extractor;
}

}  // namespace assay::extract
