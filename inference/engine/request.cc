// Every sampling field is applied or refused by name; none is passed over.
#include "inference/engine/request.h"

#include <algorithm>
#include <cmath>

#include "harness/hash.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

absl::Status CheckRange(std::string_view field, double value, bool fine, std::string_view wanted) {
  if (fine && std::isfinite(value)) return absl::OkStatus();
  return InvalidArgument("sampling field '%s': expected %s, found %g", field, wanted, value);
}

absl::Status ResolveExtra(const Json& extra, std::vector<int>* stop_ids, bool* ignore_eos) {
  if (!extra.is_object()) return absl::OkStatus();
  static const std::vector<std::string> kKnown = {"stop_token_ids", "ignore_eos"};
  for (const auto& [name, value] : extra.AsMembers()) {
    if (name == "ignore_eos" && value.is_bool()) {
      *ignore_eos = value.AsBool();
    } else if (name == "stop_token_ids" && value.is_array()) {
      for (const Json& id : value.AsArray()) {
        if (!id.is_integer()) {
          return InvalidArgument("sampling field 'stop_token_ids': expected integers, found %s",
                                 id.Dump());
        }
        stop_ids->push_back(static_cast<int>(id.AsInteger()));
      }
    } else if (std::find(kKnown.begin(), kKnown.end(), name) != kKnown.end()) {
      return InvalidArgument("sampling field '%s': a %s is no value of it", name, KindName(value));
    } else {
      return InvalidArgument("sampling field '%s': the embedded engine does not know it%s", name,
                             DidYouMean(name, kKnown));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ResolvedSampling> ResolveSampling(const Sampling& sampling,
                                                 const ModelConfig& config, int context,
                                                 std::string_view limit_name) {
  ResolvedSampling resolved;
  SamplingPlan& plan = resolved.plan;
  plan.temperature = sampling.temperature.value_or(1);
  RETURN_IF_ERROR(CheckRange("temperature", plan.temperature, plan.temperature >= 0, "at least 0"));
  plan.top_p = sampling.top_p.value_or(1);
  RETURN_IF_ERROR(
      CheckRange("top_p", plan.top_p, plan.top_p > 0 && plan.top_p <= 1, "above 0 and at most 1"));
  plan.top_k = sampling.top_k.value_or(0);
  RETURN_IF_ERROR(CheckRange("top_k", plan.top_k, plan.top_k >= -1, "0 or -1 (all), or a count"));
  plan.top_k = std::max(plan.top_k, 0);
  plan.min_p = sampling.min_p.value_or(0);
  RETURN_IF_ERROR(
      CheckRange("min_p", plan.min_p, plan.min_p >= 0 && plan.min_p <= 1, "between 0 and 1"));
  plan.repetition_penalty = sampling.repetition_penalty.value_or(1);
  RETURN_IF_ERROR(CheckRange("repetition_penalty", plan.repetition_penalty,
                             plan.repetition_penalty > 0, "above 0"));
  if (sampling.top_logprobs) {
    const int count = *sampling.top_logprobs;
    RETURN_IF_ERROR(CheckRange("top_logprobs", count, count >= 0 && count <= kMaxLogprobs,
                               absl::StrFormat("between 0 and %d", kMaxLogprobs)));
    plan.logprobs = std::max(1, count);  // the sampler reports none without a first alternative
  }
  resolved.max_tokens = sampling.max_tokens.value_or(context);
  RETURN_IF_ERROR(
      CheckRange("max_tokens", resolved.max_tokens, resolved.max_tokens >= 1, "at least 1"));
  if (resolved.max_tokens > context) {
    return InvalidArgument(
        "sampling field 'max_tokens': %d tokens are asked for, and %s leaves a sequence %d "
        "positions, the prompt's included; ask for fewer (--max-tokens)",
        resolved.max_tokens, limit_name, context);
  }
  bool ignore_eos = false;
  RETURN_IF_ERROR(ResolveExtra(sampling.extra, &resolved.stop_ids, &ignore_eos));
  if (!ignore_eos) {
    resolved.stop_ids.insert(resolved.stop_ids.end(), config.eos.begin(), config.eos.end());
  }
  if (resolved.stop_ids.empty() && sampling.stop.empty() && !ignore_eos) {
    return FailedPrecondition(
        "config.json, generation_config.json and tokenizer_config.json name no end-of-sequence id, "
        "and the sampling no stop: every sample would be cut at its length; name one of them "
        "(stop, "
        "or extra: {stop_token_ids: [...]}), or say extra: {ignore_eos: true}");
  }
  std::sort(resolved.stop_ids.begin(), resolved.stop_ids.end());
  resolved.stops = sampling.stop;
  return resolved;
}

uint64_t ProblemKey(uint64_t run_seed, std::string_view task, std::string_view problem_id) {
  // Lengths first, so that ("ab", "c") and ("a", "bc") differ.
  return Hash64(absl::StrFormat("engine-draw/1 %d %d:%s %d:%s", run_seed, task.size(), task,
                                problem_id.size(), problem_id));
}

}  // namespace assay
