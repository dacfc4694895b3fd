// What the mock server answers, when, and what it does wrong: plain settings, each a flag of the
// program.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace assay::mock_server {

// What can go wrong with one reply. At most one happens to a request.
enum class Fault {
  kNone,
  kTooManyRequests,  // 429, with Retry-After where asked for
  kServerError,      // 500, 502, 503 or 504
  kReset,            // the connection is reset, before the reply or inside it
  kStall,            // half the reply, then nothing more
  kCut,              // half the reply, then the connection is closed in good order
  kTruncatedJson,    // a whole HTTP reply whose JSON ends in the middle
  kInvalidUtf8,      // a good reply with bytes in it that are no UTF-8
  kWrongType,        // 200 with a page of HTML
  kNullContent,      // 200 with "content": null
  kMissingChoices,   // 200 with an error object and no choices
  kEmptyBody,        // 200 with nothing
  kMissingUsage,     // a good reply without token counts
  kHuge,             // a good reply of huge_bytes
};
inline constexpr int kFaults = 14;
std::string_view FaultName(Fault fault);  // "too_many_requests"

enum class ReasoningForm { kNone, kTags, kField, kShortField, kCloseOnly };
enum class Honours { kYes, kNo, kRefuses };  // kRefuses: 400 to a request that asks for it
enum class DelayShape { kFixed, kLognormal, kExponential };
enum class RetryAfter { kNone, kSeconds, kDate };

struct Options {
  int port = 0;  // 0: any free one

  // Replies.
  std::string reply_file;  // JSONL: {"match", "replies", optional "reasoning", "finish"}
  int body_bytes = 2048;   // of a generated reply
  std::vector<std::string> answers = {"42"};  // a generated reply ends in \boxed{one of these}
  double length_share = 0;                    // this share of replies is cut, finish_reason=length
  ReasoningForm reasoning = ReasoningForm::kNone;
  bool usage = true;
  Honours n = Honours::kYes;
  bool streams = true;  // false: a request to stream is answered with plain JSON
  int chunk_bytes = 64;
  double chunk_delay_ms = 0;
  bool honours_seed = true;
  bool honours_stop = true;
  bool honours_max_tokens = true;
  bool honours_logprobs = true;  // false: they are null, whatever is asked for
  std::string model = "mock";
  bool strict_model = false;  // 404 to any other model's name

  // Time.
  double delay_ms = 0;
  DelayShape delay_shape = DelayShape::kFixed;
  double delay_sigma = 0.5;  // of the lognormal; its median is delay_ms

  // Faults.
  uint64_t seed = 1;  // the same requests meet the same faults, whatever their order
  std::array<double, kFaults> rates{};
  RetryAfter retry_after = RetryAfter::kNone;
  int retry_after_seconds = 1;
  double stall_seconds = 0;  // then the rest is sent; 0: never
  int64_t huge_bytes = 64 << 20;
  std::string require_key;   // 401 to a request without "Authorization: Bearer KEY"
  int always_status = 0;     // every completion request is answered with it
  int64_t always_after = 0;  // but for so many at the beginning
  int max_in_flight = 0;     // more are answered with overload_status at once; 0: no limit
  int overload_status = 429;
  int64_t down_after = 0;    // after so many completion requests it dies once; 0: never
  double down_seconds = 10;  // and refuses connections for so long

  bool record = false;  // keeps every request for the test to look at

  double& rate(Fault fault) { return rates[static_cast<size_t>(fault)]; }
};

// From "--flag value" words; the error names the flag and lists the known ones.
absl::StatusOr<Options> ParseFlags(const std::vector<std::string>& words);
std::string FlagsHelp();

}  // namespace assay::mock_server
