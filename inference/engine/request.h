// From a request of the harness to what the scheduler runs, checked.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/backend.h"
#include "inference/engine/chat.h"
#include "inference/engine/config.h"
#include "inference/engine/scheduler.h"

namespace assay {

struct ResolvedSampling {
  SamplingPlan plan;
  std::vector<int> stop_ids;  // sorted: the model's end-of-sequence ids and the request's
  std::vector<std::string> stops;
  int max_tokens = 0;  // at most the context
};

// What is not set: temperature 1, no cut, as many tokens as the context holds. `extra` may hold
// stop_token_ids (a list of integers) and ignore_eos (a boolean). Anything that is out of range,
// not known, or asks for more tokens than the context has is an error that names the field.
// `context` is how many positions a sequence may have, `limit_name` what bounds it
// ("DIR/config.json: field 'max_position_embeddings'").
absl::StatusOr<ResolvedSampling> ResolveSampling(const Sampling& sampling,
                                                 const ModelConfig& config, int context,
                                                 std::string_view limit_name);

// DrawKey::key of a problem: of the run's seed, the task and the problem's id.
uint64_t ProblemKey(uint64_t run_seed, std::string_view task, std::string_view problem_id);

}  // namespace assay
