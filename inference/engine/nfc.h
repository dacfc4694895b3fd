// Unicode's canonical composition (NFC, UAX #15).
#pragma once

#include <string>
#include <string_view>

namespace assay {

// Well-formed stretches of `text` are composed; bytes that are no UTF-8 stay as they are.
// Thread-safe.
std::string ToNfc(std::string_view text);

}  // namespace assay
