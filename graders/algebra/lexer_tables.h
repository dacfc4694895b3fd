// The scanner's words: macros by what they do, names of functions, what leads an answer in.
#pragma once

#include <array>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace assay::algebra {

using Table = std::unordered_map<std::string_view, std::string_view>;
using Names = std::unordered_set<std::string_view>;

inline bool IsDigit(char c) { return c >= '0' && c <= '9'; }
inline bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
inline bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }

// Macros that only lay out.
const Names& Layout();
const Names& Sizes();
const Names& TextMacros();
const Names& FunctionNames();
// Other spellings of functions, in plain text and in macros.
const Table& FunctionAliases();
// Symbols: the name that every spelling gets.
const Table& SymbolMacros();
// Operators: the token text that every spelling gets.
const Table& OperatorMacros();
const Names& StructureMacros();
const Names& GreekWords();
// Words that lead an answer and say nothing.
const std::array<std::string_view, 12>& LeadIns();

}  // namespace assay::algebra
