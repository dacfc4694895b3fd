// From a row's logits to what was asked of the row.
#include "inference/engine/runner.h"

#include <algorithm>

#include "harness/status.h"

namespace assay {

PageBytes MakePageBytes(size_t count) {
  return {new char[count], [](char* bytes) { delete[] bytes; }};
}

absl::Status ModelRunner::BeginDecode(std::span<const TokenRow> rows) {
  std::vector<RowOutput> outputs(rows.size());
  RETURN_IF_ERROR(Decode(rows, outputs));
  begun_.push_back(std::move(outputs));
  return absl::OkStatus();
}

absl::Status ModelRunner::FinishDecode(std::span<RowOutput> outputs) {
  CHECK(!begun_.empty() && begun_.front().size() == outputs.size());
  std::move(begun_.front().begin(), begun_.front().end(), outputs.begin());
  begun_.pop_front();
  return absl::OkStatus();
}

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
