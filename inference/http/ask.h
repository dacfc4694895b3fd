// Turns a prompt into request bodies and replies into completions.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/backend.h"
#include "harness/types.h"
#include "inference/http/reply.h"
#include "inference/http/settings.h"

namespace assay::http {

// What all requests for one problem share: written once.
struct Ask {
  CompletionRequest request;
  std::string body_head;  // an object that still lacks its end
  bool streams = false;
  bool prefix_opened = false;  // the reply begins inside the thinking
};

// An error where Sampling::extra names a field that assay sets itself.
absl::StatusOr<Ask> MakeAsk(const Settings& settings, CompletionRequest request);

// The body that asks for these draws of it.
std::string RequestBody(const Settings& settings, const Ask& ask, std::span<const Draw> draws,
                        bool stream_usage);

// Choice `position` of a reply as the completion of a draw. `seed`: the one sent.
Completion ToCompletion(const Ask& ask, Reply* reply, size_t position, uint64_t seed,
                        double seconds, const std::string& served_by);

}  // namespace assay::http
