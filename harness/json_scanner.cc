// The grammar of RFC 8259, one function a rule.
#include "harness/json_scanner.h"

#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <limits>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Quotes, backslashes and control characters: all that ends a run of plain bytes.
constexpr std::array<bool, 256> MakeSpecial() {
  std::array<bool, 256> special{};
  for (size_t c = 0; c < 0x20; ++c) special[c] = true;
  special['"'] = special['\\'] = true;
  return special;
}
constexpr std::array<bool, 256> kSpecial = MakeSpecial();

// What a character after a backslash stands for; 0: nothing.
constexpr std::array<char, 256> MakeEscaped() {
  std::array<char, 256> escaped{};
  constexpr std::string_view kNames = "\"\\/bfnrt", kValues = "\"\\/\b\f\n\r\t";
  for (size_t i = 0; i < kNames.size(); ++i) {
    escaped[static_cast<unsigned char>(kNames[i])] = kValues[i];
  }
  return escaped;
}
constexpr std::array<char, 256> kEscaped = MakeEscaped();
char Escaped(char name) { return kEscaped[static_cast<unsigned char>(name)]; }

constexpr size_t kBlock = 64, kPiece = 16;

// A bit for each of the 64 bytes at `block` that is special. `ascii` becomes false where one is
// not ASCII.
#if defined(__SSE2__)
uint64_t SpecialBits(const char* block, bool* ascii) {
  uint64_t special = 0;
  int high = 0;
  for (size_t i = 0; i < kBlock; i += kPiece) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + i));
    const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    const __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
    const int found = _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), control));
    special |= static_cast<uint64_t>(static_cast<uint32_t>(found)) << i;
    high |= _mm_movemask_epi8(bytes);
  }
  *ascii &= high == 0;
  return special;
}
#else
uint64_t SpecialBits(const char* block, bool* ascii) {
  uint64_t special = 0;
  for (size_t i = 0; i < kBlock; ++i) {
    const auto byte = static_cast<unsigned char>(block[i]);
    special |= static_cast<uint64_t>(kSpecial[byte]) << i;
    *ascii &= byte < 0x80;
  }
  return special;
}
#endif

// `size` bytes and what follows them up to a whole piece.
inline void CopyPieces(const char* from, size_t size, char* to) {
  for (size_t i = 0; i < size; i += kPiece) std::memcpy(to + i, from + i, kPiece);
}

// The quote that ends the string which goes on at `from`, one with an even number of backslashes
// before it; the end of the text where there is none.
size_t ClosingQuote(std::string_view text, size_t from) {
  for (size_t at = from; (at = text.find('"', at)) != std::string_view::npos; ++at) {
    size_t first = at;
    while (first > from && text[first - 1] == '\\') --first;
    if ((at - first) % 2 == 0) return at;
  }
  return text.size();
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

absl::Status JsonScanner::error() const {
  if (error_ == nullptr) return absl::OkStatus();
  const std::string found =
      error_at_ >= text_.size()
          ? "the end"
          : absl::StrFormat("'%s'", Shorten(ToValidUtf8(text_.substr(error_at_, 12)), 12));
  return InvalidArgument("JSON, byte %d: expected %s, found %s", error_at_, error_, found);
}

bool JsonScanner::Fail(const char* wanted) {
  if (error_ != nullptr) return false;
  error_ = wanted;
  error_at_ = at_;
  return false;
}

void JsonScanner::SkipBlanks() {
  while (at_ < text_.size() &&
         (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) {
    ++at_;
  }
}

char JsonScanner::Peek() {
  SkipBlanks();
  return at_ < text_.size() ? text_[at_] : '\0';
}

bool JsonScanner::Consume(char c, const char* wanted) {
  if (failed()) return false;
  if (Peek() != c || at_ >= text_.size()) return Fail(wanted);
  ++at_;
  return true;
}

bool JsonScanner::Begin(char open) {
  if (!Consume(open, open == '{' ? "an object" : "an array")) return false;
  if (++depth_ > max_depth_) return Fail("nesting less deep");
  first_ = true;
  return true;
}

bool JsonScanner::Next(char close) {
  if (failed()) return false;
  if (Peek() == close) {
    ++at_;
    --depth_;
    first_ = false;
    return false;
  }
  if (!first_ && !Consume(',', close == '}' ? "',' or '}'" : "',' or ']'")) return false;
  first_ = false;
  return true;
}

bool JsonScanner::NextMember(std::string* name) {
  return Next('}') && ReadString(name) && Consume(':', "':'");
}

bool JsonScanner::NextElement() { return Next(']'); }

size_t JsonScanner::PlainRun() const {
  size_t end = at_;
  bool ascii = true;
  for (; text_.size() - end >= kBlock; end += kBlock) {
    const uint64_t special = SpecialBits(text_.data() + end, &ascii);
    if (special != 0) return end + static_cast<size_t>(std::countr_zero(special)) - at_;
  }
  while (end < text_.size() && !kSpecial[static_cast<unsigned char>(text_[end])]) ++end;
  return end - at_;
}

// What is written is never longer than what was read: one look for the end gives all the room.
bool JsonScanner::ReadString(std::string* value) {
  value->clear();
  if (!Consume('"', "a string")) return false;
  if (const size_t run = PlainRun(); at_ + run < text_.size() && text_[at_ + run] == '"') {
    value->assign(text_, at_, run);
    at_ += run + 1;
    Repair(value);
    return true;
  }
  const size_t closing = ClosingQuote(text_, at_);
  value->resize(closing - at_ + kPiece);
  char* const begin = value->data();
  char* to = begin;
  bool ascii = true;
  std::string character;
  while (true) {
    to = ReadBlocks(to, &ascii);
    while (at_ < text_.size() && !kSpecial[static_cast<unsigned char>(text_[at_])]) {
      ascii &= static_cast<unsigned char>(text_[at_]) < 0x80;
      *to++ = text_[at_++];
    }
    if (at_ >= text_.size()) return Fail("the rest of a string");
    if (text_[at_] == '"') break;
    if (text_[at_] != '\\') return Fail("no control character inside a string");
    ++at_;
    if (const char c = at_ < text_.size() ? Escaped(text_[at_]) : '\0'; c != '\0') {
      *to++ = c;
      ++at_;
      continue;
    }
    character.clear();
    if (!CodePoint(&character)) return false;
    to += character.copy(to, character.size());
  }
  CHECK(at_ == closing);
  ++at_;
  value->resize(static_cast<size_t>(to - begin));
  if (!ascii) Repair(value);
  return true;
}

// Plain bytes and escapes of one letter, as long as whole blocks and a piece are left. Where the
// special bytes of a block stand is known before the first of them is read, so that none waits for
// the one before it.
char* JsonScanner::ReadBlocks(char* to, bool* ascii) {
  // Not through `at_`, which a byte that is written might change, for all the compiler knows.
  const char* from = text_.data() + at_;
  const char* const end = text_.data() + text_.size();
  while (static_cast<size_t>(end - from) >= kBlock + kPiece) {
    size_t at = 0;
    uint64_t special = SpecialBits(from, ascii);
    while (special != 0) {
      const auto next = static_cast<size_t>(std::countr_zero(special));
      CopyPieces(from + at, next - at, to);
      to += next - at;
      at = next;
      const char escaped = from[at] == '\\' ? Escaped(from[at + 1]) : '\0';
      if (escaped == '\0') {
        at_ = static_cast<size_t>(from + at - text_.data());
        return to;
      }
      *to++ = escaped;
      at += 2;
      if (at >= kBlock) break;
      special &= ~uint64_t{0} << at;
    }
    if (at < kBlock) {
      CopyPieces(from + at, kBlock - at, to);
      to += kBlock - at;
      at = kBlock;
    }
    from += at;  // one more where an escape lies across the end of the block
  }
  at_ = static_cast<size_t>(from - text_.data());
  return to;
}

void JsonScanner::Repair(std::string* value) {
  if (!FirstInvalidUtf8(*value)) return;
  *value = ToValidUtf8(*value);
  repaired_ = true;
}

bool JsonScanner::Hex4(uint32_t* unit) {
  if (at_ + 4 > text_.size()) return Fail("four hexadecimal digits");
  const char* begin = text_.data() + at_;
  const auto [end, error] = std::from_chars(begin, begin + 4, *unit, 16);
  if (error != std::errc() || end != begin + 4) return Fail("four hexadecimal digits");
  at_ += 4;
  return true;
}

bool JsonScanner::CodePoint(std::string* out) {
  if (at_ >= text_.size() || text_[at_] != 'u') return Fail("an escape");
  ++at_;
  uint32_t unit = 0;
  if (!Hex4(&unit)) return false;
  if (unit < 0xD800 || unit > 0xDFFF) {
    AppendUtf8(unit, out);
    return true;
  }
  uint32_t low = 0;
  if (unit < 0xDC00 && text_.substr(at_, 2) == "\\u") {
    const size_t before = at_;
    at_ += 2;
    if (!Hex4(&low)) return false;
    if (low >= 0xDC00 && low <= 0xDFFF) {
      AppendUtf8(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00), out);
      return true;
    }
    at_ = before;  // the next escape stands for itself
  }
  *out += kReplacement;
  repaired_ = true;
  return true;
}

bool JsonScanner::Digits() {
  if (at_ >= text_.size() || !IsDigit(text_[at_])) return Fail("a digit");
  while (at_ < text_.size() && IsDigit(text_[at_])) ++at_;
  return true;
}

bool JsonScanner::Number(bool* integer) {
  const auto next_is = [&](char c) { return at_ < text_.size() && text_[at_] == c; };
  *integer = true;
  if (next_is('-')) ++at_;
  if (next_is('0')) {
    ++at_;
  } else if (!Digits()) {
    return false;
  }
  if (next_is('.')) {
    *integer = false;
    ++at_;
    if (!Digits()) return false;
  }
  if (next_is('e') || next_is('E')) {
    *integer = false;
    ++at_;
    if (next_is('+') || next_is('-')) ++at_;
    if (!Digits()) return false;
  }
  return true;
}

// The text of a number; "" where it is none, which is stepped over.
std::string_view JsonScanner::NumberText(bool* integer) {
  if (failed()) return "";
  const char c = Peek();
  if (c != '-' && !IsDigit(c)) {
    Skip();
    return "";
  }
  const size_t begin = at_;
  return Number(integer) ? text_.substr(begin, at_ - begin) : "";
}

bool JsonScanner::ReadInteger(int64_t* value) {
  bool integer = false;
  const std::string_view text = NumberText(&integer);
  if (text.empty() || !integer) return false;
  return std::from_chars(text.data(), text.data() + text.size(), *value).ec == std::errc();
}

bool JsonScanner::ReadNumber(double* value) {
  bool integer = false;
  const std::string_view text = NumberText(&integer);
  if (text.empty()) return false;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), *value);
  if (result.ec == std::errc()) return true;
  // Out of range: towards zero where the exponent is negative, else as far as it goes.
  const bool tiny = text.find("e-") != text.npos || text.find("E-") != text.npos;
  const double most = tiny ? 0 : std::numeric_limits<double>::max();
  *value = text[0] == '-' ? -most : most;
  return true;
}

bool JsonScanner::Literal(std::string_view word) {
  if (text_.substr(at_, word.size()) != word) return Fail("a value");
  at_ += word.size();
  return true;
}

bool JsonScanner::Skip() {
  if (failed()) return false;
  std::string ignored;
  bool integer = false;
  switch (Peek()) {
    case '{':
      BeginObject();
      while (NextMember(&ignored)) Skip();
      return !failed();
    case '[':
      BeginArray();
      while (NextElement()) Skip();
      return !failed();
    case '"':
      return ReadString(&ignored);
    case 't':
      return Literal("true");
    case 'f':
      return Literal("false");
    case 'n':
      return Literal("null");
    default:
      if (at_ < text_.size() && (text_[at_] == '-' || IsDigit(text_[at_]))) return Number(&integer);
      return Fail("a value");
  }
}

std::string_view JsonScanner::Raw() {
  Peek();
  const size_t begin = at_;
  Skip();
  return text_.substr(begin, at_ - begin);
}

absl::Status JsonScanner::Finish() {
  if (!failed() && (Peek(), at_ < text_.size())) Fail("the end");
  return error();
}

}  // namespace assay
