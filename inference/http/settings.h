// How an endpoint is to be asked: read once from what the user typed and from the environment.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/backend.h"
#include "http/client.h"
#include "inference/http/reply.h"

namespace assay::http {

enum class Api { kChat, kCompletions };
enum class Streaming { kAuto, kAlways, kNever };

// One server. Only `label` may be shown.
struct BaseUrl {
  std::string url;          // of the completions path, query included, user and password removed
  std::string models_url;   // of /models
  std::string credentials;  // "user:password" or empty
  std::string label;        // `url` without its query
  std::string path;         // "/v1/chat/completions"
};

struct Settings {
  std::string model;  // as sent
  Api api = Api::kChat;
  std::vector<BaseUrl> urls;
  std::string key;      // secret; empty: none
  std::string key_env;  // where it was looked for
  Streaming stream = Streaming::kAuto;
  int n_per_request = 8;  // at most so many draws in one request; 1: one each
  bool send_seed = true;
  bool send_prefix = true;    // a forced reply prefix is sent to the server
  bool prefilled = false;     // the server's own template opens the thinking
  bool sample_header = true;  // x-assay-sample: the draws' indexes, for servers' logs
  std::string max_tokens_field = "max_tokens";
  Limits limits;
  int max_retries = 8;
  std::chrono::milliseconds patience{600'000};       // with a server that refuses or is away
  std::chrono::milliseconds start_patience{60'000};  // with one that never answered yet
  std::chrono::milliseconds final_patience{60'000};  // with what is in flight at a final error
  std::chrono::milliseconds backoff_base{500};
  std::chrono::milliseconds backoff_cap{30'000};
  int start_connections = 32;
  int max_connections = 512;
};

// The names of --model-args.
const std::vector<std::string>& OptionNames();
absl::StatusOr<Settings> ReadSettings(const BackendConfig& config);

// `text` with every occurrence of the key and of the URLs' credentials replaced.
std::string Scrub(const Settings& settings, std::string text);
// The same for the key in the texts of a reply; whether it was there. A short key is none: servers
// that want none are given words ("EMPTY"), and a model may write those.
bool ScrubReply(const Settings& settings, Reply* reply);

// Whether a reply to such a request is asked for as a stream.
bool Streams(const Settings& settings, const std::optional<int>& max_tokens);

}  // namespace assay::http
