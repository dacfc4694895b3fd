// Inside the template engine: Python's view of text, by code point, over UTF-8.
//
// Pure functions. Ill-formed bytes do no harm: each counts as one code point of its own.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace assay::jinja {

// The code point at `*position`, which moves past it.
char32_t Decode(std::string_view text, size_t* position);
bool IsAscii(std::string_view text);
size_t CodePoints(std::string_view text);
// Byte offset of code point `index`; the end where there are fewer.
size_t OffsetOf(std::string_view text, size_t index);
// Where `needle` begins at or after byte `from`, or npos. Linear in the worst case too.
size_t FindText(std::string_view text, std::string_view needle, size_t from = 0);
size_t FindLastText(std::string_view text, std::string_view needle);

// str.isspace and friends, of one code point.
bool IsSpace(char32_t c);
bool IsPrintable(char32_t c);
bool IsAlphabetic(char32_t c);
bool IsDecimal(char32_t c);  // general category Nd
bool IsDigit(char32_t c);    // decimal or digit
bool IsNumeric(char32_t c);  // decimal, digit or numeric
bool IsUpper(char32_t c);
bool IsLower(char32_t c);
bool IsTitle(char32_t c);

enum class Side { kBoth, kLeft, kRight };
// str.strip, lstrip, rstrip: blanks, or any of the code points in `characters`.
std::string_view StripBlanks(std::string_view text, Side side = Side::kBoth);
std::string_view StripCharacters(std::string_view text, std::string_view characters, Side side);

std::string LowerText(std::string_view text);
std::string UpperText(std::string_view text);
std::string TitleText(std::string_view text);       // str.title
std::string CapitalizeText(std::string_view text);  // str.capitalize
std::string SwapCaseText(std::string_view text);

// & < > " ' as HTML entities.
std::string EscapeHtml(std::string_view text);

}  // namespace assay::jinja
