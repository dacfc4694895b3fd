// Code points, blanks and case as Python's str has them.
#include "harness/template_text.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "harness/template_unicode.h"
#include "harness/text.h"

namespace assay::jinja {
namespace {

uint32_t Properties(char32_t c) {
  const std::span<const uint32_t> runs = Unicode().property_runs;
  const uint32_t probe = std::min<uint32_t>(c, 0x10FFFF) << 9 | 0x1FF;
  return *(std::upper_bound(runs.begin(), runs.end(), probe) - 1) & 0x1FF;
}

bool Has(char32_t c, uint32_t properties) { return (Properties(c) & properties) != 0; }

struct CaseChange {
  std::span<const CaseRange> ranges;
  std::span<const CaseSpecial> specials;
};

void AppendChanged(char32_t c, const CaseChange& change, std::string* out) {
  for (const CaseSpecial& special : change.specials) {
    if (special.code == c) {
      *out += special.text;
      return;
    }
  }
  auto after =
      std::upper_bound(change.ranges.begin(), change.ranges.end(), c,
                       [](char32_t code, const CaseRange& range) { return code < range.first; });
  // Two ranges of stride 2 may interleave: look at the nearest few.
  for (int i = 0; i < 4 && after != change.ranges.begin(); ++i) {
    --after;
    if (c <= after->last && (c - after->first) % static_cast<uint32_t>(after->stride) == 0) {
      AppendUtf8(static_cast<char32_t>(static_cast<int32_t>(c) + after->delta), out);
      return;
    }
  }
  AppendUtf8(c, out);
}

CaseChange Lower() { return {Unicode().lower, Unicode().lower_specials}; }
CaseChange Upper() { return {Unicode().upper, Unicode().upper_specials}; }
CaseChange Title() { return {Unicode().title, Unicode().title_specials}; }

// Is there a letter next to `position` once the ignorable signs are skipped?
bool LetterBefore(std::string_view text, size_t position) {
  while (position > 0) {
    do {
      --position;
    } while (position > 0 && (text[position] & 0xC0) == 0x80);
    size_t at = position;
    const uint32_t properties = Properties(Decode(text, &at));
    if ((properties & kCaseIgnorable) != 0) continue;
    return (properties & (kUpper | kLower | kTitle)) != 0;
  }
  return false;
}

bool LetterAfter(std::string_view text, size_t position) {
  while (position < text.size()) {
    const uint32_t properties = Properties(Decode(text, &position));
    if ((properties & kCaseIgnorable) != 0) continue;
    return (properties & (kUpper | kLower | kTitle)) != 0;
  }
  return false;
}

// A capital sigma that ends a word has a small form of its own.
void AppendLower(std::string_view text, size_t begin, size_t end, char32_t c, std::string* out) {
  if (c == 0x3A3 && LetterBefore(text, begin) && !LetterAfter(text, end)) {
    AppendUtf8(0x3C2, out);
  } else {
    AppendChanged(c, Lower(), out);
  }
}

bool IsAsciiByte(char c) { return static_cast<unsigned char>(c) < 0x80; }
char LowerByte(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
char UpperByte(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

// `change(begin, end, code point, out)` for every code point.
template <typename Change>
std::string Transform(std::string_view text, Change change) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const size_t begin = i;
    const char32_t c = Decode(text, &i);
    change(begin, i, c, &out);
  }
  return out;
}

bool ContainsCodePoint(std::string_view characters, char32_t wanted) {
  for (size_t i = 0; i < characters.size();) {
    if (Decode(characters, &i) == wanted) return true;
  }
  return false;
}

template <typename Strip>
std::string_view StripWhile(std::string_view text, Side side, Strip strip) {
  size_t begin = 0, end = text.size();
  while (side != Side::kRight && begin < end) {
    size_t next = begin;
    if (!strip(Decode(text, &next))) break;
    begin = next;
  }
  while (side != Side::kLeft && begin < end) {
    size_t last = end - 1;
    while (last > begin && !IsAsciiByte(text[last]) && (text[last] & 0xC0) == 0x80) --last;
    size_t next = last;
    if (!strip(Decode(text, &next))) break;
    end = last;
  }
  return text.substr(begin, end - begin);
}

}  // namespace

char32_t Decode(std::string_view text, size_t* position) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const size_t at = (*position)++;
  const unsigned char lead = byte(at);
  if (lead < 0x80) return lead;
  const size_t length = lead >= 0xF0 ? 4 : (lead >= 0xE0 ? 3 : 2);
  if (lead < 0xC2 || lead > 0xF4 || at + length > text.size()) return 0xFFFD;
  char32_t c = lead & (0x7F >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return 0xFFFD;
    c = c << 6 | (byte(at + i) & 0x3F);
  }
  *position = at + length;
  return c;
}

bool IsAscii(std::string_view text) { return std::all_of(text.begin(), text.end(), IsAsciiByte); }

size_t CodePoints(std::string_view text) {
  if (IsAscii(text)) return text.size();
  size_t count = 0;
  for (size_t i = 0; i < text.size(); ++count) Decode(text, &i);
  return count;
}

size_t OffsetOf(std::string_view text, size_t index) {
  size_t offset = 0;
  for (; index > 0 && offset < text.size(); --index) Decode(text, &offset);
  return offset;
}

size_t FindText(std::string_view text, std::string_view needle, size_t from) {
  if (from > text.size()) return std::string_view::npos;
  if (needle.empty()) return from;
  // memmem is linear; string_view::find is not.
  const void* found = memmem(text.data() + from, text.size() - from, needle.data(), needle.size());
  if (found == nullptr) return std::string_view::npos;
  return static_cast<size_t>(static_cast<const char*>(found) - text.data());
}

size_t FindLastText(std::string_view text, std::string_view needle) {
  if (needle.empty()) return text.size();
  size_t last = std::string_view::npos;
  for (size_t at = FindText(text, needle); at != std::string_view::npos;
       at = FindText(text, needle, at + 1)) {
    last = at;
  }
  return last;
}

bool IsSpace(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x1F);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool IsPrintable(char32_t c) {
  if (c < 0x7F) return c >= 0x20;
  return Has(c, kPrintable);
}
bool IsAlphabetic(char32_t c) { return Has(c, kAlphabetic); }
bool IsDecimal(char32_t c) { return Has(c, kDecimal); }
bool IsDigit(char32_t c) { return Has(c, kDecimal | kDigit); }
bool IsNumeric(char32_t c) { return Has(c, kDecimal | kDigit | kNumeric); }
bool IsUpper(char32_t c) { return Has(c, kUpper); }
bool IsLower(char32_t c) { return Has(c, kLower); }
bool IsTitle(char32_t c) { return Has(c, kTitle); }

std::string_view StripBlanks(std::string_view text, Side side) {
  return StripWhile(text, side, IsSpace);
}

std::string_view StripCharacters(std::string_view text, std::string_view characters, Side side) {
  return StripWhile(text, side, [&](char32_t c) { return ContainsCodePoint(characters, c); });
}

std::string LowerText(std::string_view text) {
  if (IsAscii(text)) return ToLowerAscii(text);
  return Transform(text, [&](size_t begin, size_t end, char32_t c, std::string* out) {
    if (c < 0x80) {
      out->push_back(LowerByte(static_cast<char>(c)));
    } else {
      AppendLower(text, begin, end, c, out);
    }
  });
}

std::string UpperText(std::string_view text) {
  return Transform(text, [](size_t, size_t, char32_t c, std::string* out) {
    if (c < 0x80) {
      out->push_back(UpperByte(static_cast<char>(c)));
    } else {
      AppendChanged(c, Upper(), out);
    }
  });
}

std::string TitleText(std::string_view text) {
  bool inside = false;  // of a word
  return Transform(text, [&](size_t begin, size_t end, char32_t c, std::string* out) {
    if (inside) {
      AppendLower(text, begin, end, c, out);
    } else {
      AppendChanged(c, Title(), out);
    }
    inside = Has(c, kUpper | kLower | kTitle);
  });
}

std::string CapitalizeText(std::string_view text) {
  return Transform(text, [&](size_t begin, size_t end, char32_t c, std::string* out) {
    if (begin == 0) {
      AppendChanged(c, Title(), out);
    } else {
      AppendLower(text, begin, end, c, out);
    }
  });
}

std::string SwapCaseText(std::string_view text) {
  return Transform(text, [&](size_t begin, size_t end, char32_t c, std::string* out) {
    if (IsUpper(c)) {
      AppendLower(text, begin, end, c, out);
    } else if (IsLower(c)) {
      AppendChanged(c, Upper(), out);
    } else {
      AppendUtf8(c, out);
    }
  });
}

std::string EscapeHtml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out.push_back(c);
    }
  }
  return out;
}

}  // namespace assay::jinja
