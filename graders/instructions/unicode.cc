// The graders' only file that includes ICU; `\s`, `\w` and case are CPython's definitions on its
// properties.
#include "graders/instructions/unicode.h"

#include <unicode/locid.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include "harness/status.h"

namespace assay::instructions {

std::u32string ToCodePoints(std::string_view text) {
  std::u32string points;
  points.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    CHECK(i + length <= text.size());  // valid UTF-8, says the caller
    char32_t point = length == 1 ? lead : lead & (0x7F >> length);
    for (size_t k = 1; k < length; ++k) {
      point = point << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3F);
    }
    points += point;
    i += length;
  }
  return points;
}

std::string ToUtf8(std::u32string_view text) {
  std::string utf8;
  utf8.reserve(text.size());
  for (const char32_t c : text) {
    if (c < 0x80) {
      utf8 += static_cast<char>(c);
    } else if (c < 0x800) {
      utf8 += static_cast<char>(0xC0 | c >> 6);
      utf8 += static_cast<char>(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
      utf8 += static_cast<char>(0xE0 | c >> 12);
      utf8 += static_cast<char>(0x80 | (c >> 6 & 0x3F));
      utf8 += static_cast<char>(0x80 | (c & 0x3F));
    } else {
      utf8 += static_cast<char>(0xF0 | c >> 18);
      utf8 += static_cast<char>(0x80 | (c >> 12 & 0x3F));
      utf8 += static_cast<char>(0x80 | (c >> 6 & 0x3F));
      utf8 += static_cast<char>(0x80 | (c & 0x3F));
    }
  }
  return utf8;
}

bool IsSpace(char32_t c) {
  if (c < 0x80) return (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x20);
  const UCharDirection direction = u_charDirection(static_cast<UChar32>(c));
  return direction == U_WHITE_SPACE_NEUTRAL || direction == U_BLOCK_SEPARATOR ||
         direction == U_SEGMENT_SEPARATOR ||
         u_charType(static_cast<UChar32>(c)) == U_SPACE_SEPARATOR;
}

bool IsDecimal(char32_t c) { return u_charType(static_cast<UChar32>(c)) == U_DECIMAL_DIGIT_NUMBER; }

bool IsAlphabetic(char32_t c) {
  return (U_GET_GC_MASK(static_cast<UChar32>(c)) & U_GC_L_MASK) != 0;
}

bool IsWord(char32_t c) {
  if (c < 0x80) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  }
  return IsAlphabetic(c) ||
         u_getIntPropertyValue(static_cast<UChar32>(c), UCHAR_NUMERIC_TYPE) != U_NT_NONE;
}

bool IsUpper(char32_t c) { return u_isUUppercase(static_cast<UChar32>(c)) != 0; }
bool IsLower(char32_t c) { return u_isULowercase(static_cast<UChar32>(c)) != 0; }

namespace {

bool IsTitle(char32_t c) { return u_charType(static_cast<UChar32>(c)) == U_TITLECASE_LETTER; }

}  // namespace

bool AllUpper(std::u32string_view text) {
  bool cased = false;
  for (const char32_t c : text) {
    if (IsLower(c) || IsTitle(c)) return false;
    cased = cased || IsUpper(c);
  }
  return cased;
}

bool AllLower(std::u32string_view text) {
  bool cased = false;
  for (const char32_t c : text) {
    if (IsUpper(c) || IsTitle(c)) return false;
    cased = cased || IsLower(c);
  }
  return cased;
}

std::u32string Lower(std::u32string_view text) {
  bool ascii = true;
  std::u32string lower(text);
  for (char32_t& c : lower) {
    ascii = ascii && c < 0x80;
    if (c >= 'A' && c <= 'Z') c += 'a' - 'A';
  }
  if (ascii) return lower;
  icu::UnicodeString wide;
  for (const char32_t c : text) wide.append(static_cast<UChar32>(c));
  wide.toLower(icu::Locale::getRoot());
  lower.clear();
  for (int32_t i = 0; i < wide.length(); i = wide.moveIndex32(i, 1)) {
    lower += static_cast<char32_t>(wide.char32At(i));
  }
  return lower;
}

std::u32string_view Strip(std::u32string_view text) {
  while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  return text;
}

std::u32string_view StripSetLeft(std::u32string_view text, std::u32string_view set) {
  while (!text.empty() && set.find(text.front()) != set.npos) text.remove_prefix(1);
  return text;
}

std::u32string_view StripSetRight(std::u32string_view text, std::u32string_view set) {
  while (!text.empty() && set.find(text.back()) != set.npos) text.remove_suffix(1);
  return text;
}

std::u32string_view StripSet(std::u32string_view text, std::u32string_view set) {
  return StripSetRight(StripSetLeft(text, set), set);
}

bool IsBlank(std::u32string_view text) { return Strip(text).empty(); }

std::vector<std::u32string_view> SplitAt(std::u32string_view text, std::u32string_view separator) {
  std::vector<std::u32string_view> pieces;
  while (true) {
    const size_t at = text.find(separator);
    pieces.push_back(text.substr(0, at));
    if (at == text.npos) return pieces;
    text.remove_prefix(at + separator.size());
  }
}

std::vector<std::u32string_view> SplitAtBlanks(std::u32string_view text) {
  std::vector<std::u32string_view> words;
  for (size_t i = 0; i < text.size();) {
    while (i < text.size() && IsSpace(text[i])) ++i;
    const size_t begin = i;
    while (i < text.size() && !IsSpace(text[i])) ++i;
    if (i > begin) words.push_back(text.substr(begin, i - begin));
  }
  return words;
}

std::u32string Without(std::u32string_view text, char32_t c) {
  std::u32string rest(text);
  std::erase(rest, c);
  return rest;
}

namespace {

icu::UnicodeString Nfc(const icu::UnicodeString& text) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* nfc = icu::Normalizer2::getNFCInstance(error);
  CHECK(U_SUCCESS(error));
  const icu::UnicodeString composed = nfc->normalize(text, error);
  CHECK(U_SUCCESS(error));
  return composed;
}

icu::UnicodeString FromUtf8(std::string_view text) {
  return icu::UnicodeString::fromUTF8(
      icu::StringPiece(text.data(), static_cast<int32_t>(text.size())));
}

}  // namespace

std::string Composed(std::string_view text) {
  std::string utf8;
  Nfc(FromUtf8(text)).toUTF8String(utf8);
  return utf8;
}

std::string CaseFolded(std::string_view text) {
  icu::UnicodeString folded = Nfc(FromUtf8(text));
  std::string utf8;
  Nfc(folded.foldCase(U_FOLD_CASE_DEFAULT)).toUTF8String(utf8);
  return utf8;
}

char32_t Compose(char32_t letter, char32_t mark) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* nfc = icu::Normalizer2::getNFCInstance(error);
  CHECK(U_SUCCESS(error));
  const UChar32 composed =
      nfc->composePair(static_cast<UChar32>(letter), static_cast<UChar32>(mark));
  return composed < 0 ? 0 : static_cast<char32_t>(composed);
}

}  // namespace assay::instructions
