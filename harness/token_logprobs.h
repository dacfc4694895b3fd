// How probable a reply's tokens were, each with its alternatives: packed bytes that travel with a
// completion, and OpenAI's JSON for it.
//
// Packed, a token after the other: size and bytes of its text, its log-probability, the number of
// alternatives, and for each of them size, bytes and log-probability. Sizes and numbers are
// base-128 varints, log-probabilities float32, little-endian. 9 bytes or so a token and an
// alternative.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "harness/json.h"
#include "harness/json_scanner.h"

namespace assay {

// OpenAI's `top_logprobs` goes so far; the embedded engine too.
inline constexpr int kMostTopLogprobs = 20;

struct TokenChance {
  std::string text;   // the token's bytes, which may end inside a character
  float logprob = 0;  // natural logarithm
};

struct LoggedToken {
  TokenChance drawn;
  std::vector<TokenChance> top;  // the most probable tokens, by falling probability
};

void AppendLoggedToken(const LoggedToken& token, std::string* packed);

// In order. DataLoss where `packed` is not whole; an error of `visit` ends the visit.
absl::Status ForEachLoggedToken(std::string_view packed,
                                const std::function<absl::Status(const LoggedToken&)>& visit);

// {"content": [{"token", "logprob", "top_logprobs": [{"token", "logprob"}, ...]}, ...]}. A token
// that is no UTF-8 of its own has its "bytes" too.
absl::StatusOr<Json> LogprobsToJson(std::string_view packed);

// Reads the value of a choice's `logprobs` into *packed, appending: that of chat completions
// (`content`; `reasoning_content` before it, `refusal` in its place), or that of completions (lists
// `tokens`, `token_logprobs`, `top_logprobs`). False: null, or it holds no list. An error says
// which field was wrong, found and wanted; text that is no JSON is left to the scanner's own error.
absl::StatusOr<bool> ReadLogprobs(JsonScanner* scanner, std::string* packed);
// The same of a value that was read already.
absl::StatusOr<bool> ReadLogprobs(const Json& logprobs, std::string* packed);

}  // namespace assay
