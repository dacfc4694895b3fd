// Reads what an OpenAI-compatible server replied: strictly, so that half a reply is an error and
// never an answer.
//
// Replies come from outside: everything here is total on any bytes (tests/fuzz/reply_fuzz.cc).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace assay::http {

struct ReplyChoice {
  int index = 0;
  std::string content;
  std::optional<std::string> reasoning;  // from `reasoning_content` or `reasoning`
  std::string finish;                    // as the server wrote it; empty where it did not
  // Of its tokens, packed (harness/token_logprobs.h), where they were wanted and sent.
  std::optional<std::string> logprobs;
};

struct ReplyUsage {
  std::optional<int64_t> prompt;
  std::optional<int64_t> completion;
  std::optional<int64_t> reasoning;
};

struct Reply {
  std::string model;                 // as reported; may be empty
  std::vector<ReplyChoice> choices;  // by rising index, at least one
  ReplyUsage usage;
  bool repaired = false;  // held bytes that are no UTF-8, or half surrogate pairs: now U+FFFD
};

// A whole reply of /chat/completions or /completions. An error says which field was wrong and how:
// "field 'choices': expected an array, found null". Such a reply may be asked for again.
// `logprobs`: those of tokens are wanted; else what stands there is passed over, whatever it is.
absl::StatusOr<Reply> ParseReply(std::string_view body, bool logprobs = false);

// Server-sent events, fed as they come in pieces of any size.
class EventReader {
 public:
  explicit EventReader(bool logprobs = false) : logprobs_(logprobs) {}
  // The first error stays: what follows it is not read.
  absl::Status Feed(std::string_view bytes);
  // The reply, once the server ended the stream. Unavailable where it did not say that it was done.
  absl::StatusOr<Reply> Finish();
  size_t buffered() const { return line_.size() + bytes_; }

 private:
  struct Building {
    ReplyChoice choice;
    bool finished = false;
    bool said = false;  // content came, were it empty
  };

  absl::Status Line(std::string_view line);
  absl::Status Event(std::string_view json);

  bool logprobs_;     // wanted
  std::string line_;  // the beginning of a line that has not ended
  size_t bytes_ = 0;  // of text kept
  bool done_ = false;
  absl::Status error_;
  std::vector<Building> choices_;
  Reply reply_;
};

// The message of an error body, whatever its shape, on one line and short; "" for none.
std::string ErrorMessage(std::string_view body);
// The error's code or type ("insufficient_quota"), or "".
std::string ErrorCode(std::string_view body);

}  // namespace assay::http
