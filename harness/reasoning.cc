// One pass finds the tags that are used; the last closing and the first opening one decide. Where
// an opening tag stands behind the last closing one, a second pass over that part asks whether it
// is only shown there: in a code block, or as a word of a sentence.
#include "harness/reasoning.h"

#include <algorithm>
#include <array>

#include "harness/byte_search.h"
#include "harness/text.h"

namespace assay {
namespace {

constexpr size_t kNowhere = std::string_view::npos;

struct Tag {
  size_t begin = kNowhere;
  size_t end = kNowhere;
  bool closing = false;
};

// What stands between the brackets, with its slash, in lower case.
std::optional<bool> ClosingTagName(std::string_view name) {
  const std::string lower = ToLowerAscii(TrimRight(name));
  if (lower == "think" || lower == "thinking") return false;
  if (lower == "/think" || lower == "/thinking") return true;
  return std::nullopt;
}

struct Brackets {
  std::string_view open, close;
};
constexpr std::array<Brackets, 3> kBrackets = {{{"<", ">"}, {"[", "]"}, {"◁", "▷"}}};
constexpr size_t kLongestName = 16;  // "/thinking" and some blanks

// The tag that begins at `at`, or one with `begin` nowhere.
Tag ReadTag(std::string_view text, size_t at) {
  for (const Brackets& brackets : kBrackets) {
    const std::string_view rest = text.substr(at);
    if (!rest.starts_with(brackets.open)) continue;
    const std::string_view inside = rest.substr(brackets.open.size(), kLongestName);
    const size_t close = inside.find(brackets.close);
    if (close == kNowhere) return {};
    const std::optional<bool> closing = ClosingTagName(inside.substr(0, close));
    if (!closing) return {};
    // In square brackets only Magistral's capitals: "[think]" is a stage direction.
    if (brackets.open == "[" && inside.find("THINK") == kNowhere) return {};
    return {at, at + brackets.open.size() + close + brackets.close.size(), *closing};
  }
  return {};
}

// A quotation mark that opens: what stands before it neither ends a word nor a sentence.
bool OpensQuotation(std::string_view text, size_t quote) {
  if (quote == 0) return true;
  const auto before = static_cast<unsigned char>(text[quote - 1]);
  return before <= ' ' || std::string_view("([{<>,;:=-*").find(text[quote - 1]) != kNowhere;
}

// `tag` stands alone between two equal marks, the first of which opens a quotation.
bool IsQuoted(std::string_view text, const Tag& tag) {
  const std::string_view before = text.substr(0, tag.begin), after = text.substr(tag.end);
  if (before.ends_with("“") && after.starts_with("”")) return true;
  if (before.empty() || after.empty() || before.back() != after.front()) return false;
  const char mark = before.back();
  if (mark != '"' && mark != '\'' && mark != '`') return false;
  return OpensQuotation(text, tag.begin - 1);
}

struct Tags {
  Tag first_opening;      // before `last_closing`, or anywhere where nothing closes
  Tag last_closing;       // of the reply
  bool reopened = false;  // an opening tag stands after `last_closing`
};

Tags FindTags(std::string_view text) {
  Tags tags;
  for (size_t at = 0; (at = FindAnyOf(text, "<[\xE2", at)) != kNowhere;) {
    const Tag tag = ReadTag(text, at);
    if (tag.begin == kNowhere || IsQuoted(text, tag)) {
      ++at;
      continue;
    }
    at = tag.end;
    if (tag.closing) {
      tags.last_closing = tag;
      tags.reopened = false;
    } else {
      if (tags.first_opening.begin == kNowhere) tags.first_opening = tag;
      tags.reopened = true;
    }
  }
  return tags;
}

// A run of three or more backticks or tildes at the front of a line.
struct Fence {
  char mark = 0;  // 0: the line has none
  size_t length = 0;
  bool bare = false;  // nothing behind it: it may close a block
};

Fence FenceOf(std::string_view line) {
  line = Trim(line);
  Fence fence;
  if (line.empty() || (line[0] != '`' && line[0] != '~')) return fence;
  fence.length = std::min(line.find_first_not_of(line[0]), line.size());
  if (fence.length < 3) return {};
  const std::string_view info = line.substr(fence.length);
  if (line[0] == '`' && Contains(info, "`")) return {};  // ```x``` is code within a line
  fence.mark = line[0];
  fence.bare = info.empty();
  return fence;
}

// "The user wrote <think>. I answer": a word of a sentence. Text stands before it on its line, and
// what follows goes on with that sentence, as no thinking begins.
bool IsWordOfSentence(std::string_view text, const Tag& tag) {
  const std::string_view before = text.substr(0, tag.begin), after = text.substr(tag.end);
  if (!before.ends_with(' ') || after.empty()) return false;
  const std::string_view word = TrimRight(before);
  if (word.empty() || word.size() + 1 != before.size()) return false;
  constexpr std::string_view kMarks = ".,;:!?)";
  if (kMarks.find(after[0]) != kNowhere)
    return after.size() == 1 || after[1] == ' ' || after[1] == '\n';
  for (const std::string_view noun : {" tag", " token", " block", " element", " marker"}) {
    if (after.starts_with(noun)) return true;
  }
  return false;
}

// A block that shows a tag is short. Thinking that runs from a tag to a fence of its own is not.
constexpr size_t kLongestShown = 1000;

// The first opening tag of `text` that begins thinking: one that is neither quoted
// nor a word of a sentence nor shown in a code block that is closed soon.
Tag FirstUsedOpening(std::string_view text) {
  Fence open;
  Tag shown;  // the first tag in the block that is open
  for (size_t line = 0; line < text.size();) {
    const size_t newline = std::min(text.find('\n', line), text.size());
    const Fence fence = FenceOf(text.substr(line, newline - line));
    const bool closes =
        open.mark != 0 && fence.mark == open.mark && fence.bare && fence.length >= open.length;
    if (closes) {
      if (shown.begin != kNowhere && newline - shown.begin > kLongestShown) return shown;
      open = {};
      shown = {};
    } else if (open.mark == 0 && fence.mark != 0) {
      open = fence;
    }
    for (size_t at = line; (at = FindAnyOf(text.substr(0, newline), "<[\xE2", at)) != kNowhere;) {
      const Tag tag = ReadTag(text, at);
      if (tag.begin == kNowhere || tag.closing || IsQuoted(text, tag) ||
          IsWordOfSentence(text, tag)) {
        ++at;
        continue;
      }
      if (open.mark == 0) return tag;
      if (shown.begin == kNowhere) shown = tag;
      at = tag.end;
      if (at >= newline) break;
    }
    line = newline + 1;
  }
  return shown;
}

std::string WithoutTag(std::string_view text, const Tag& tag) {
  if (tag.begin >= text.size()) return std::string(text);
  return std::string(text.substr(0, tag.begin)) + std::string(text.substr(tag.end));
}

SplitReply SplitByTags(std::string_view content, bool prefix_opened) {
  Tags tags = FindTags(content);
  const bool closes = tags.last_closing.begin != kNowhere;
  if (tags.reopened) {
    const Tag used = FirstUsedOpening(content.substr(closes ? tags.last_closing.end : 0));
    tags.reopened = used.begin != kNowhere;
    if (!closes) tags.first_opening = used;
  }
  SplitReply split;
  split.unclosed = tags.reopened || (prefix_opened && !closes);
  if (split.unclosed) {
    split.reasoning = WithoutTag(content, tags.first_opening);
    return split;
  }
  if (!closes) {
    split.answer = std::string(content);
    return split;
  }
  const std::string_view thinking = content.substr(0, tags.last_closing.begin);
  split.reasoning = WithoutTag(thinking, tags.first_opening);
  split.answer = std::string(content.substr(tags.last_closing.end));
  split.empty = Trim(split.reasoning).empty();
  return split;
}

}  // namespace

SplitReply SplitReasoning(std::string_view content, std::optional<std::string_view> reasoning_field,
                          bool prefix_opened) {
  if (!reasoning_field) return SplitByTags(content, prefix_opened);
  // The server parsed the thinking out, opening tag of the prompt and all.
  SplitReply split = SplitByTags(content, /*prefix_opened=*/false);
  if (reasoning_field->empty()) return split;
  const std::string inside = std::move(split.reasoning);
  split.reasoning = std::string(*reasoning_field);
  if (!Trim(inside).empty()) split.reasoning += "\n" + inside;
  split.empty = !split.unclosed && Trim(split.reasoning).empty();
  return split;
}

}  // namespace assay
