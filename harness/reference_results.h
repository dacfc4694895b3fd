// The figures that others published for a task's benchmark, as its `reference_results` hold them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "harness/json.h"

namespace assay {

struct ReferenceResult {
  std::string model;  // as its authors call it: "DeepSeek-R1"
  std::string metric;
  double value = 0;  // in per cent, or as `unit` says
  std::string unit;  // "percent", "rating"
  std::string source;
  std::string note;  // what differs from this task; usually empty
};

// Of a task's definition that passed ValidateTask, in its order.
std::vector<ReferenceResult> ReferenceResultsOf(const Json& definition);

// Those of one model. Names are compared without what stands before the last '/', case and
// punctuation: "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B". A name that is not exactly a published
// one has none: "deepseek-r1-0528" is another model.
std::vector<ReferenceResult> PublishedFor(const Json& definition, std::string_view model);

// "79.8 (paper v1 table 4)"; several publications of one metric that agree are named together, and
// those that disagree all stand there: "71.0 (a), 77.9 (b)". Empty where `metric` has none.
std::string PublishedText(const std::vector<ReferenceResult>& of_model, std::string_view metric);

}  // namespace assay
