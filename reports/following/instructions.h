// What the four IFEval metrics share: counts of instructions asked and followed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/metric.h"

namespace assay {

// `followed`: "strict" or "loose". Per prompt: the share of samples that follow every instruction.
// Per instruction: followed over asked, problems as clusters. A sample without an answer follows
// none; how many it was asked is then told by its problem's tag "instructions:N".
absl::StatusOr<std::vector<NamedEstimate>> PromptsFollowed(const MetricInput& input,
                                                           std::string_view followed,
                                                           std::string name);
absl::StatusOr<std::vector<NamedEstimate>> InstructionsFollowed(const MetricInput& input,
                                                                std::string_view followed,
                                                                std::string name);

}  // namespace assay
