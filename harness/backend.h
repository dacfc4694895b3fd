// The Backend plug: a .cc in inference/ that completes prompts.
//
// inference/NAME.cc defines `Backend NameBackend()`. Nothing else is needed: CMake lists the
// folder.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/json.h"
#include "harness/types.h"

namespace assay {

// One draw that is wanted: the sample's index and its own derived seed.
struct Draw {
  int index = 0;
  uint64_t seed = 0;
};

// All missing samples of one problem; a backend may share work between them (`n` in one request,
// one prefill).
struct CompletionRequest {
  std::string task;
  std::string problem_id;
  Prompt prompt;
  Sampling sampling;
  std::vector<Draw> draws;
};

// What went wrong last, so that somebody who watches learns it before patience ends. Any thread.
class LastTrouble {
 public:
  void Set(std::string what) {
    const std::lock_guard lock(mutex_);
    what_ = std::move(what);
  }
  std::string Get() const {
    const std::lock_guard lock(mutex_);
    return what_;
  }

 private:
  mutable std::mutex mutex_;
  std::string what_;  // by mutex_
};

// Live figures for the progress line. Written by the backend, read by anybody.
struct BackendCounters {
  std::atomic<int64_t> requests_sent{0};
  std::atomic<int64_t> retries{0};
  LastTrouble last_trouble;  // why the last retry was needed; empty before the first
  std::atomic<int64_t> in_flight{0};
  std::atomic<int64_t> concurrency{0};  // the present limit
  std::atomic<int64_t> tokens{0};       // completion tokens received
  std::atomic<int64_t> bytes_received{0};
  std::atomic<int64_t> repaired_replies{0};  // held bytes that are no UTF-8, now U+FFFD
  std::atomic<int64_t> scrubbed_replies{0};  // held the key that they were asked with, now "[key]"
};

// What a backend is driven by; all three functions are called from the backend's own threads,
// `next` and `done` from one or many: they are thread-safe. `done` is called exactly once for every
// draw taken with `next`, unless Run returns an error or `stopping` turned true.
struct CompletionFlow {
  std::function<std::optional<CompletionRequest>()> next;  // nothing: no more work
  // An error means that this draw stays missing (retries exhausted); the run goes on.
  std::function<void(const CompletionRequest&, const Draw&, absl::StatusOr<Completion>)> done;
  std::function<bool()>
      stopping;  // true: send nothing more, give up what is in flight, return soon
  BackendCounters* counters = nullptr;  // never null
};

struct BackendIdentity {
  std::string model;       // as asked for
  std::string model_hash;  // weights' hash, or the name that the server reports; may be empty
  std::vector<std::string> base_urls;
  std::string
      endpoint;  // goes into the request key: base URLs' paths do not differ between mirrors
  Json options;  // for the manifest; holds no secret
};

// An opened backend.
class CompletionSource {
 public:
  virtual ~CompletionSource() = default;
  virtual BackendIdentity identity() const = 0;
  // Blocks until `next` is exhausted and every draw is done, or until stopping. An error is one
  // that no retry heals (401, 403, 404, no such model): it ends the run at once.
  virtual absl::Status Run(const CompletionFlow& flow) = 0;
};

// What the user typed, already parsed.
struct BackendConfig {
  std::string model;                   // --model
  std::vector<std::string> base_urls;  // --base-url, several allowed
  Json options;             // --model-args key=value,...: an object; unknown keys are errors
  std::string api_key_env;  // name of the variable that holds the key; empty: the backend's default
  int max_connections = 0;  // 0: adaptive
};

// Fields of a request to a server that are ours alone: Sampling::extra may not set them.
inline constexpr std::array<std::string_view, 7> kOwnRequestFields = {
    "model", "messages", "prompt", "n", "seed", "stream", "stream_options"};

struct Backend {
  std::string name;                  // "endpoint"
  std::string about;                 // one sentence
  std::vector<std::string> options;  // names known in BackendConfig::options
  // Those of them that say what is asked or how a reply is read, where nothing else would tell: the
  // rest of a run is drawn under the values that it began with. Others (when and how often is
  // asked) may change when a run is resumed; so may those of a reproduction key, which is compared
  // by itself.
  std::vector<std::string> fixed_options;
  // Whether Prompt::continuations are understood. Where not, a task that needs them is refused
  // before a model is opened.
  bool scores_continuations = false;
  // Whether this backend is meant by `config` when the user named none (a checkpoint directory, a
  // JSONL file, a URL).
  std::function<bool(const BackendConfig& config)> claims;
  std::function<absl::StatusOr<std::unique_ptr<CompletionSource>>(const BackendConfig& config)>
      open;
  // What `open` refuses and can be told without a network and without reading a model: for a dry
  // run. May be empty.
  std::function<absl::Status(const BackendConfig& config)> check;
  // What `assay doctor` shows of it: an array of objects, one for each server (inference/http/
  // probe.h). May be empty: there is nothing to ask.
  std::function<absl::StatusOr<Json>(const BackendConfig& config)> probe;
  // The body of the first request for these draws, byte for byte, for `assay tasks preview`;
  // nothing is sent. May be empty: nothing goes over a wire.
  std::function<absl::StatusOr<std::string>(const BackendConfig& config,
                                            const CompletionRequest& request)>
      request_body;
};

}  // namespace assay
