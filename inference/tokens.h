// A guess at the number of tokens in a text, for servers and files that tell none.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "harness/text.h"

namespace assay {

// Four ASCII characters a token, and about 0.7 of one for any other character: near enough for
// totals, always labelled as estimated.
inline int64_t EstimateTokens(std::string_view text) {
  const size_t characters = CountCodePoints(text);
  const auto ascii = static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; }));
  return static_cast<int64_t>(static_cast<double>(ascii) / 4 +
                              static_cast<double>(characters - ascii) * 0.7 + 0.999);
}

}  // namespace assay
