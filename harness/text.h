// Text helpers on std::string_view: split, trim, join, UTF-8, nearest name, numbers.
//
// Pure functions; all thread-safe. Views returned point into the argument.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

// ASCII blanks (space, \t \n \r \f \v) at both ends, the left end, the right end removed.
std::string_view Trim(std::string_view text);
std::string_view TrimLeft(std::string_view text);
std::string_view TrimRight(std::string_view text);

// Pieces between separators: "a,,b" at ',' gives {"a", "", "b"}; "" gives {""}.
std::vector<std::string_view> Split(std::string_view text, char separator);
// Lines without their "\n" or "\r\n"; a final newline does not add an empty line.
std::vector<std::string_view> SplitLines(std::string_view text);
std::string Join(std::span<const std::string> parts, std::string_view separator);

std::string ToLowerAscii(std::string_view text);
bool EqualsIgnoreCaseAscii(std::string_view a, std::string_view b);
std::string ReplaceAll(std::string_view text, std::string_view from, std::string_view to);
bool Contains(std::string_view text, std::string_view part);

// The whole of `text` as a number, or nothing: no blanks, no trailing characters, no overflow.
std::optional<int64_t> ParseInt(std::string_view text);
std::optional<double> ParseDouble(std::string_view text);

// Offset of the first byte that is not well-formed UTF-8 (RFC 3629: no surrogates, no overlong
// forms), or nothing.
std::optional<size_t> FirstInvalidUtf8(std::string_view text);
// Ill-formed sequences replaced by U+FFFD, one per maximal subpart (Unicode 15, section 3.9).
std::string ToValidUtf8(std::string_view text);
void AppendUtf8(char32_t code_point, std::string* out);
// Code points; `text` must be valid UTF-8.
size_t CountCodePoints(std::string_view text);

// Edit distance with transpositions (optimal string alignment).
int EditDistance(std::string_view a, std::string_view b);
// The candidate nearest to `name`, if it is near enough to be a slip (distance <= 2, or a third of
// the length) or `name` is its beginning or it with two letters left out, else nothing.
std::optional<std::string> NearestName(std::string_view name,
                                       std::span<const std::string> candidates);
// "; did you mean 'x'?" or "" : to append to an error message.
std::string DidYouMean(std::string_view name, std::span<const std::string> candidates);

// `text` cut to at most `max_bytes` on a code point border, with "..." appended where it was cut.
std::string Shorten(std::string_view text, size_t max_bytes);
// Safe for a terminal: control characters, escape sequences, bidirectional marks and ill-formed
// UTF-8 as visible escapes
// ("\x1b", "\n", "\u202e"); everything else as it is.
std::string Printable(std::string_view text);
// 1234567 -> "1,234,567".
std::string WithThousands(int64_t value);
// "1 sample", "1,200 samples".
std::string Counted(int64_t count, std::string_view noun);

}  // namespace assay
