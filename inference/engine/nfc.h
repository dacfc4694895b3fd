// Unicode's canonical composition (NFC, UAX #15).
#pragma once

#include <string>
#include <string_view>

namespace assay {

// By Unicode 9's data, as Hugging Face's tokenizers compose (measured on version 0.23): later
// characters stay as they are. The composition of older characters never changes.
// Well-formed stretches of `text` are composed; bytes that are no UTF-8 stay as they are.
// Thread-safe.
std::string ToNfc(std::string_view text);

}  // namespace assay
