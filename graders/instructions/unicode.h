// Text as Python sees it: code points, and Python's own ideas of letters, blanks and case.
//
// Pure functions; thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace assay::instructions {

// `text` must be valid UTF-8 (harness/text.h: ToValidUtf8).
std::u32string ToCodePoints(std::string_view text);
std::string ToUtf8(std::u32string_view text);

bool IsSpace(char32_t c);    // str.isspace, re's \s
bool IsWord(char32_t c);     // re's \w: letters, everything numeric, and _
bool IsDecimal(char32_t c);  // re's \d
bool IsAlphabetic(char32_t c);
bool IsUpper(char32_t c);
bool IsLower(char32_t c);

// str.isupper and str.islower: one cased letter at least, and none of the other case.
bool AllUpper(std::u32string_view text);
bool AllLower(std::u32string_view text);
std::u32string Lower(std::u32string_view text);  // str.lower: final sigma and dotted I included

std::u32string_view Strip(std::u32string_view text);  // str.strip()
std::u32string_view StripSet(std::u32string_view text, std::u32string_view set);
std::u32string_view StripSetLeft(std::u32string_view text, std::u32string_view set);
std::u32string_view StripSetRight(std::u32string_view text, std::u32string_view set);
bool IsBlank(std::u32string_view text);  // nothing is left by Strip
std::vector<std::u32string_view> SplitAt(std::u32string_view text, std::u32string_view separator);
std::vector<std::u32string_view> SplitAtBlanks(std::u32string_view text);  // str.split()
std::u32string Without(std::u32string_view text, char32_t c);

// unicodedata.normalize("NFC"), and str.casefold() between two of them: "BRASÍLIA", "Brasília" and
// its spelling with a combining accent are one. `text` must be valid UTF-8.
std::string Composed(std::string_view text);
std::string CaseFolded(std::string_view text);

// Composes a letter and one combining mark, or 0 where there is no such letter.
char32_t Compose(char32_t letter, char32_t mark);

}  // namespace assay::instructions
