// The extractor `boxed`: the last \boxed{...}; where there is none, an announced answer, or a last
// line that is an answer by itself.
#include <algorithm>
#include <array>

#include "harness/extract/common.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay::extract {
namespace {

constexpr size_t kNowhere = std::string_view::npos;

Span InnerOf(const Box& box) { return {box.inner_begin, box.inner_end}; }

// Takes one spacing command or filler off the front: \quad, \phantom{2}.
bool TakeFiller(std::string_view* text) {
  for (const std::string_view phantom : {"\\phantom{", "\\hphantom{", "\\vphantom{"}) {
    if (!Take(phantom, text)) continue;
    text->remove_prefix(std::min(text->find('}'), text->size() - 1) + 1);
    return true;
  }
  for (const std::string_view space : {"\\quad", "\\qquad", "\\,", "\\ ", "~", " ", "\n", "\t"}) {
    if (Take(space, text)) return true;
  }
  return false;
}

// \boxed{} and \boxed{\phantom{2}} are places to fill in, not answers.
bool IsBlank(std::string_view inner) {
  while (TakeFiller(&inner)) {
  }
  return inner.empty() || inner == "?" || inner == "\\ldots" || inner == "...";
}

// \boxed{28}\% is 28\%.
Span WithPercent(std::string_view text, size_t end) {
  const std::string_view rest = text.substr(end);
  if (rest.starts_with("\\%")) return {end, end + 2};
  if (rest.starts_with("%")) return {end, end + 1};
  return {end, end};
}

// The content, out of boxes that hold nothing but a box.
std::string Content(std::string_view text, const Box& box) {
  const Span inner = TrimSpan(text, InnerOf(box));
  std::string_view content = inner.In(text);
  for (int depth = 0; depth < 8; ++depth) {
    const std::vector<Box> boxes = FindBoxes(content);
    const bool whole = boxes.size() == 1 && boxes[0].begin == 0 && boxes[0].end == content.size();
    if (!whole) break;
    content = Trim(InnerOf(boxes[0]).In(content));
  }
  return std::string(content);
}

std::string BoxRule(const Box& box) {
  if (!box.closed) return "boxed_unclosed";
  if (!box.braced) return "boxed_unbraced";
  return box.fbox ? "fbox" : "boxed";
}

Found OneBox(std::string_view text, const Box& box) {
  const Span percent = WithPercent(text, box.end);
  const std::string content = Content(text, box);
  const bool doubled = content.ends_with("%");
  return {content + (doubled ? "" : std::string(percent.In(text))), BoxRule(box), box.begin,
          percent.end};
}

// The answer that ends with the last of `boxes`: one box, or those joined to it into a list.
std::optional<Found> LastAnswer(std::string_view text, const std::vector<Box>& boxes) {
  if (boxes.empty()) return std::nullopt;
  size_t first = boxes.size() - 1;
  std::vector<std::string> contents = {OneBox(text, boxes[first]).text};
  while (first > 0) {
    const Joint joint = JointOf(text, boxes[first - 1], boxes[first]);
    if (joint == Joint::kNone) break;
    --first;
    const std::string content = OneBox(text, boxes[first]).text;
    if (std::find(contents.begin(), contents.end(), content) == contents.end())
      contents.insert(contents.begin(), content);
  }
  if (contents.size() == 1) return OneBox(text, boxes.back());
  return Found{Join(contents, ", "), "boxes_joined", boxes[first].begin, boxes.back().end};
}

std::vector<Box> Filled(std::string_view text, std::vector<Box> boxes, bool strict) {
  std::erase_if(boxes, [&](const Box& box) {
    const bool other_form = box.fbox || !box.braced || !box.closed;
    return IsBlank(InnerOf(box).In(text)) || (strict && other_form);
  });
  return boxes;
}

// ---- Without a box --------------------------------------------------------------------------

// The first math span in `span`, with its delimiters taken off; or an empty span.
Span FirstMath(std::string_view text, Span span) {
  struct Delimiters {
    std::string_view open, close;
  };
  static constexpr std::array<Delimiters, 4> kMath = {
      {{"$$", "$$"}, {"$", "$"}, {"\\(", "\\)"}, {"\\[", "\\]"}}};
  const std::string_view line = span.In(text);
  Span best{span.end, span.end};
  for (const Delimiters& math : kMath) {
    const size_t open = line.find(math.open);
    if (open == kNowhere) continue;
    const size_t inner = open + math.open.size();
    const size_t close = line.find(math.close, inner);
    // "$5 and $6" is money; a span of math does not begin with a digit and end in a blank.
    if (close == kNowhere || close == inner || line[close - 1] == ' ') continue;
    if (span.begin + inner < best.begin)
      best = TrimSpan(text, {span.begin + inner, span.begin + close});
  }
  return best;
}

// A sentence ends at a period that a blank or the line's end follows.
size_t EndOfSentence(std::string_view text, Span span) {
  for (size_t i = span.begin; i < span.end; ++i) {
    const bool mark = text[i] == '.' || text[i] == '!' || text[i] == '?';
    if (mark && (i + 1 >= span.end || text[i + 1] == ' ')) return i;
  }
  return span.end;
}

// What an announcement announces: the math at its front, or its words up to the sentence's end.
Span Announced(std::string_view text, Span rest) {
  rest = TrimSpan(text, rest, "*_ ");
  const Span math = FirstMath(text, rest);
  const bool math_leads = math.begin < math.end && math.begin - rest.begin <= 24;
  if (math_leads) return math;
  rest.end = EndOfSentence(text, rest);
  return TrimSpan(text, rest, "*_`\"");
}

// After the word "answer" at `at`: where what it announces begins, or nowhere. "is", ":" or "=".
size_t AfterAnnouncement(std::string_view text, size_t at) {
  size_t i = text.find_first_not_of("* \t_", at);
  if (i == kNowhere) return kNowhere;
  const std::string_view rest = text.substr(i);
  for (const std::string_view mark : {":", "：", "=", "is:", "is ", "is\n", "is:\n", "是", "为"}) {
    if (rest.starts_with(mark)) return i + mark.size();
  }
  return kNowhere;
}

constexpr size_t kLongestAnnounced = 200;
constexpr size_t kLongestLine = 1000;     // of an announcement; what is longer announces nothing
constexpr int kMostAnnouncements = 2000;  // looked at, from the last one back

// The line that begins at or after `begin`, blank lines passed. Bounded, so that a text of nothing
// but announcements is still read in linear time.
Span LineFrom(std::string_view text, size_t begin) {
  const std::string_view window = text.substr(0, std::min(text.size(), begin + kLongestLine));
  const size_t first = window.find_first_not_of(" \t\r\n*:", begin);
  if (first == kNowhere) return {text.size(), text.size()};
  return {first, std::min(window.find('\n', first), window.size())};
}

// The last "answer is X" or "Answer: X".
std::optional<Found> FindAnnounced(std::string_view text) {
  for (const std::string_view word : {"nswer", "NSWER", "答案"}) {
    size_t at = text.size();
    for (int i = 0; i < kMostAnnouncements && at > 0; ++i) {
      at = text.rfind(word, at - 1);
      if (at == kNowhere) break;
      const size_t begin = AfterAnnouncement(text, at + word.size());
      if (begin == kNowhere) continue;
      const Span span = Announced(text, LineFrom(text, begin));
      if (span.begin >= span.end || span.end - span.begin > kLongestAnnounced) continue;
      return Found{std::string(span.In(text)), "answer_announced", span.begin, span.end};
    }
  }
  return std::nullopt;
}

// A last line that is math by itself, or a number by itself.
std::optional<Found> FindLastLine(std::string_view text) {
  const Span line = TrimSpan(text, LastLine(text), "*.");
  if (line.begin >= line.end || line.end - line.begin > kLongestAnnounced) return std::nullopt;
  const Span math = FirstMath(text, line);
  const bool all_math =
      math.begin < math.end && (math.end - math.begin) + 5 > line.end - line.begin;
  if (all_math) return Found{std::string(math.In(text)), "last_line_math", math.begin, math.end};
  const bool number = line.In(text).find_first_not_of("0123456789.,/-+%$") == kNowhere;
  if (number) return Found{std::string(line.In(text)), "last_line_number", line.begin, line.end};
  return std::nullopt;
}

// A base model goes on with a new problem after the sentence that ends its worked examples.
std::string_view UpToNextProblem(std::string_view text) {
  static constexpr std::string_view kEnd = "I hope it is correct";
  const size_t end = text.find(kEnd);
  return end == kNowhere ? text : text.substr(0, end);
}

}  // namespace

Extractor BoxedExtractor() {
  Extractor extractor;
  extractor.name = "boxed";
  extractor.about = "the last \\boxed{...}, or else an answer that the text announces";
  extractor.options = {"mode"};
  extractor.bind = [known = extractor.options](const Json& json) -> absl::StatusOr<BoundExtractor> {
    const Options options("boxed", json);
    RETURN_IF_ERROR(options.CheckNames(known));
    ASSIGN_OR_RETURN(const Mode mode, options.ReadMode());
    return BoundExtractor([mode](std::string_view text, const Problem&) {
      const std::vector<Box> boxes = FindBoxes(text);
      const std::optional<Found> strict = LastAnswer(text, Filled(text, boxes, true));
      std::optional<Found> lenient = LastAnswer(text, Filled(text, boxes, false));
      if (!lenient) lenient = FindAnnounced(UpToNextProblem(text));
      if (!lenient) lenient = FindLastLine(text);
      return ToExtraction(strict, lenient, mode);
    });
  };
  return extractor;
}

}  // namespace assay::extract
