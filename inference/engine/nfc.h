// What Unicode's tables say: canonical composition (NFC, UAX #15), and what is part of a word.
#pragma once

#include <string>
#include <string_view>

namespace assay {

// By Unicode 9's data, as Hugging Face's tokenizers compose (measured on version 0.23): later
// characters stay as they are. The composition of older characters never changes.
// Well-formed stretches of `text` are composed; bytes that are no UTF-8 stay as they are.
// Thread-safe.
std::string ToNfc(std::string_view text);

// Whether the first (last) character of `text` is a letter, mark, digit, connector or joiner (\w of
// UTS #18). False where there is none, and for bytes that are no UTF-8. Thread-safe.
bool BeginsInWord(std::string_view text);
bool EndsInWord(std::string_view text);

}  // namespace assay
