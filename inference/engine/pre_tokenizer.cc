// ASCII is cut by hand, anything that touches another character by RE2: most text is ASCII, and a
// table is ten times as fast.
#include "inference/engine/pre_tokenizer.h"

#include <re2/re2.h>

#include <array>
#include <string>

#include "harness/status.h"

namespace assay {
namespace {

constexpr std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// --- by RE2 ---

// RE2's \s is ASCII; Unicode's White_Space is meant.
#define ASSAY_BLANK \
  R"(\x{09}-\x{0D} \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})"

const RE2& Regex(PreTokenizer kind) {
  static const auto* regexes = [] {
    const std::string blank = ASSAY_BLANK;
    const std::string rest =
        "| ?[^" + blank + R"(\p{L}\p{N}]+[\r\n]*|[)" + blank + R"(]*[\r\n]+|[)" + blank + "]+";
    const std::string words = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)";
    RE2::Options options;
    options.set_max_mem(64 << 20);  // Unicode's classes make large automata
    return new std::array<RE2, 3>{{{words + R"(\p{N})" + rest, options},
                                   {words + R"(\p{N}{1,3})" + rest, options},
                                   {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^)" + blank +
                                        R"(\p{L}\p{N}]+|[)" + blank + "]+",
                                    options}}};
  }();
  const RE2& regex = (*regexes)[static_cast<size_t>(kind)];
  CHECK(regex.ok());
  return regex;
}

const RE2& LastBlank() {
  static const auto* regex = new RE2("[" ASSAY_BLANK "]$");
  return *regex;
}

size_t LastCodePointBytes(std::string_view text) {
  size_t length = 1;
  while (length < text.size() && length < 4 && (text[text.size() - length] & 0xC0) == 0x80) {
    ++length;
  }
  return length;
}

// No alternative but `\s+` ends in a blank that is no line break, so such a piece is all blanks.
size_t GiveBack(std::string_view piece, bool ends_text, bool keeps_line_breaks) {
  if (ends_text) return piece.size();
  if (keeps_line_breaks && (piece.back() == '\n' || piece.back() == '\r')) return piece.size();
  const std::string_view last = piece.substr(piece.size() - LastCodePointBytes(piece));
  const bool is_single = last.size() == piece.size();
  if (is_single || !RE2::FullMatch(re2::StringPiece(last.data(), last.size()), LastBlank())) {
    return piece.size();
  }
  return piece.size() - last.size();
}

// --- ASCII by hand ---

enum Class : unsigned char { kOther, kLetter, kDigit, kBlank, kBreak, kForeign };

constexpr std::array<Class, 256> MakeClasses() {
  std::array<Class, 256> classes = {};
  for (int c = 0; c < 256; ++c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    classes[c] = c >= 0x80                        ? kForeign
                 : letter                         ? kLetter
                 : c >= '0' && c <= '9'           ? kDigit
                 : c == '\r' || c == '\n'         ? kBreak
                 : (c >= 9 && c <= 13) || c == 32 ? kBlank
                                                  : kOther;
  }
  return classes;
}
constexpr std::array<Class, 256> kClasses = MakeClasses();

// A text with a class for each place; what lies beyond its end is told apart by AtEnd.
struct Ascii {
  std::string_view text;
  Class At(size_t i) const { return kClasses[static_cast<unsigned char>(text[i])]; }
  bool AtEnd(size_t i) const { return i >= text.size(); }
  bool Is(size_t i, Class wanted) const { return i < text.size() && At(i) == wanted; }
  size_t Skip(size_t i, Class wanted) const {
    while (Is(i, wanted)) ++i;
    return i;
  }
};

constexpr size_t kUndecided = 0;  // a character that is not ASCII has a say

// 's 't 're 've 'm 'll 'd behind an apostrophe at 0, or kUndecided (also where there is none).
size_t Contraction(std::string_view text, bool any_case) {
  const auto at = [&](size_t i) -> char {
    if (i >= text.size()) return 0;
    const char c = text[i];
    return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  };
  switch (at(1)) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return 2;
    case 'r':
    case 'v':
      return at(2) == 'e' ? 3 : kUndecided;
    case 'l':
      return at(2) == 'l' ? 3 : kUndecided;
    default:
      return kUndecided;
  }
}

// A run of one class, and nothing foreign right behind it.
size_t Run(const Ascii& ascii, size_t begin, Class wanted) {
  const size_t end = ascii.Skip(begin, wanted);
  return ascii.Is(end, kForeign) ? kUndecided : end;
}

size_t BlankRun(const Ascii& ascii, bool cuts_at_breaks) {
  size_t end = 0, behind_break = 0;
  for (; ascii.Is(end, kBlank) || ascii.Is(end, kBreak); ++end) {
    if (ascii.At(end) == kBreak) behind_break = end + 1;
  }
  if (ascii.Is(end, kForeign)) return kUndecided;
  if (cuts_at_breaks && behind_break > 0) return behind_break;
  return ascii.AtEnd(end) || end == 1 ? end : end - 1;
}

// `begin` is 1 where a space stands before the marks.
size_t MarkRun(const Ascii& ascii, size_t begin, bool takes_breaks) {
  const size_t end = Run(ascii, begin, kOther);
  return end == kUndecided || !takes_breaks ? end : ascii.Skip(end, kBreak);
}

size_t NumberRun(const Ascii& ascii, size_t longest) {
  size_t end = 0;
  while (end < longest && ascii.Is(end, kDigit)) ++end;
  return end < longest && ascii.Is(end, kForeign) ? kUndecided : end;
}

size_t ModernPiece(const Ascii& ascii, size_t longest_number) {
  const Class first = ascii.At(0);
  if (first == kForeign) return kUndecided;
  if (first == kLetter) return Run(ascii, 0, kLetter);
  if (first == kDigit) return NumberRun(ascii, longest_number);
  if (ascii.Is(1, kForeign)) return kUndecided;
  if (ascii.text[0] == '\'') {
    if (const size_t length = Contraction(ascii.text, true)) return length;
  }
  if (first != kBreak && ascii.Is(1, kLetter)) return Run(ascii, 1, kLetter);
  if (first == kOther) return MarkRun(ascii, 0, true);
  if (ascii.text[0] == ' ' && ascii.Is(1, kOther)) return MarkRun(ascii, 1, true);
  return BlankRun(ascii, true);
}

size_t Gpt2Piece(const Ascii& ascii) {
  if (ascii.At(0) == kForeign || ascii.Is(1, kForeign)) return kUndecided;
  if (ascii.text[0] == '\'') {
    if (const size_t length = Contraction(ascii.text, false)) return length;
  }
  const size_t begin = ascii.text[0] == ' ' && ascii.text.size() > 1 ? 1 : 0;
  const Class kind = ascii.At(begin);
  if (kind != kBlank && kind != kBreak) return Run(ascii, begin, kind);
  return BlankRun(ascii, false);
}

}  // namespace

std::string_view PreTokenizerName(PreTokenizer kind) {
  switch (kind) {
    case PreTokenizer::kQwen2:
      return "qwen2";
    case PreTokenizer::kLlama3:
      return "llama3";
    case PreTokenizer::kGpt2:
      return "gpt2";
  }
  return "";
}

std::optional<PreTokenizer> PreTokenizerFromPattern(std::string_view pattern) {
  if (pattern == kQwen2Pattern) return PreTokenizer::kQwen2;
  if (pattern == kLlama3Pattern) return PreTokenizer::kLlama3;
  if (pattern == kGpt2Pattern) return PreTokenizer::kGpt2;
  return std::nullopt;
}

size_t PieceLengthByRegex(PreTokenizer kind, std::string_view text) {
  const re2::StringPiece whole(text.data(), text.size());
  re2::StringPiece match;
  const bool matched = Regex(kind).Match(whole, 0, whole.size(), RE2::ANCHOR_START, &match, 1);
  if (!matched || match.empty()) return 1;
  return GiveBack(text.substr(0, match.size()), match.size() == text.size(),
                  kind != PreTokenizer::kGpt2);
}

size_t PieceLength(PreTokenizer kind, std::string_view text) {
  const Ascii ascii{text};
  size_t length = kUndecided;
  if (kind == PreTokenizer::kGpt2) {
    length = Gpt2Piece(ascii);
  } else {
    length = ModernPiece(ascii, kind == PreTokenizer::kLlama3 ? 3 : 1);
  }
  return length != kUndecided ? length : PieceLengthByRegex(kind, text);
}

}  // namespace assay
