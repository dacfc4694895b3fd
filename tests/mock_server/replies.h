// What the mock server says: reads a request, finds or makes its replies, writes them as OpenAI's
// JSON or as server-sent events.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/mock_server/options.h"

namespace assay::mock_server {

enum class Api { kChat, kCompletions };

struct Request {
  Api api = Api::kChat;
  std::string prompt;        // the last user message, or the whole prompt of /v1/completions
  uint64_t prompt_hash = 0;  // of all messages
  std::string model;
  int n = 1;
  std::optional<uint64_t> seed;
  std::optional<int64_t> max_tokens;
  std::vector<std::string> stop;
  bool stream = false;
  bool stream_usage = false;
  std::optional<int64_t> top_logprobs;  // alternatives wanted beside each token's log-probability
  std::vector<int> samples;  // from the header x-assay-sample: choice j is draw samples[j]
};

absl::StatusOr<Request> ReadRequest(Api api, std::string_view body, std::string_view sample_header);

struct Reply {
  std::string content;
  std::optional<std::string> reasoning;  // sent in a field of its own
  std::string finish = "stop";
  int64_t tokens = 0;
  int64_t reasoning_tokens = 0;
};

// The replies known from the file, or made up from the request alone: equal requests get equal
// replies whatever their order, unless nothing in them tells one draw from the next.
class ReplyBook {
 public:
  static absl::StatusOr<ReplyBook> Open(const Options& options);
  // NotFound where a reply file is in use and knows nothing of this prompt.
  absl::StatusOr<std::vector<Reply>> Replies(const Request& request, int choices);

 private:
  struct Entry {
    std::string match;
    std::vector<std::string> replies;
    std::vector<std::string> reasoning;
    std::vector<std::string> finish;
  };

  absl::Status Load(const std::string& path);
  const Entry* FindEntry(const Request& request);
  uint64_t DrawNumber(const Request& request, int choice, uint64_t arrival) const;
  Reply Recorded(const Entry& entry, uint64_t draw) const;
  Reply MadeUp(const Request& request, uint64_t draw) const;

  Options options_;
  std::vector<Entry> entries_;
  std::unordered_map<uint64_t, const Entry*> found_;  // by hash of the prompt
  std::unordered_map<uint64_t, uint64_t> arrivals_;   // by prompt, where draws are told by order
  std::string filler_;
};

// One reply body; `fault` bends it where it is one of the body's faults.
std::string JsonBody(const Options& options, const Request& request,
                     const std::vector<Reply>& replies, Fault fault);
// The same as server-sent events, one string for each.
std::vector<std::string> Events(const Options& options, const Request& request,
                                const std::vector<Reply>& replies, Fault fault);

// A 64-bit mix (splitmix64's finaliser), and a number in [0, 1) made from it.
uint64_t Mix(uint64_t value);
double Unit(uint64_t hash);

}  // namespace assay::mock_server
