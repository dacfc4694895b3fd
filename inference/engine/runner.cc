// From a row's logits to what was asked of the row.
#include "inference/engine/runner.h"

#include <algorithm>

#include "harness/status.h"

namespace assay {

absl::Status ReadLogits(std::span<const float> logits, const TokenRow& row, Sampler* sampler,
                        RowOutput* output) {
  if (!row.logits.empty()) std::copy(logits.begin(), logits.end(), row.logits.begin());
  if (row.draw != nullptr) {
    const DrawOrder& order = *row.draw;
    RETURN_IF_ERROR(
        sampler->Draw(logits, *order.plan, order.key, order.prompt, order.reply, &output->drawn));
  }
  if (row.target >= 0) {
    output->target_logprob = sampler->LogProbability(logits, row.target);
    output->target_is_greatest = sampler->Greatest(logits) == row.target;
  }
  return absl::OkStatus();
}

}  // namespace assay
