// Cuts a text into the pieces within which byte pairs merge.
//
// The three patterns that our models use are recognised by their exact text. RE2 has no look-ahead,
// so `\s+(?!\S)|\s+` is matched as `\s+`, and a piece of several blanks that neither ends the text
// nor ends in a line break gives its last one back: the same language (checked against a regular
// expression engine with look-ahead, benchmarks/tokenizer_compare.py).
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace assay {

enum class PreTokenizer { kQwen2, kLlama3, kGpt2 };

std::string_view PreTokenizerName(PreTokenizer kind);  // "qwen2", "llama3", "gpt2"
// By the text of the `Split` pattern in tokenizer.json; GPT-2's is also ByteLevel's own.
std::optional<PreTokenizer> PreTokenizerFromPattern(std::string_view pattern);

// Length in bytes of the piece at the beginning of `text`, which is not empty and ends where the
// text ends (a piece depends on what follows it). At least 1. A byte that is no UTF-8 is a piece of
// its own. Thread-safe.
size_t PieceLength(PreTokenizer kind, std::string_view text);

// The same by RE2 alone: what PieceLength falls back to, and is tested against.
size_t PieceLengthByRegex(PreTokenizer kind, std::string_view text);

}  // namespace assay
