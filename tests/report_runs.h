// Runs made by hand for the tests of reports and of the page.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "harness/store.h"
#include "harness/types.h"

namespace assay::testing_support {

struct ReportRunSpec {
  std::string name;
  std::string model = "model";
  std::string task = "sums";
  // outcomes[p][i]: sample i of problem p: C, I, N, T, U, '-' for one that is missing, '.' for one
  // that is not graded.
  std::vector<std::string> outcomes;
  std::vector<std::string> metrics = {"pass@1"};
  Json sampling = Json::MakeObject({{"max_tokens", 1000}});
  std::optional<double> cost_usd;  // of each sample
  Json reference_results;          // of the task's definition
  // Last hand at what is stored.
  std::function<void(Problem&, Prompt&)> with_problem;
  std::function<void(StoredSample&)> with_sample;
};

// A run of one task in `database`; its id. Problem p is "p0", "p1"...; sample i of problem p
// thought for 100 (p + 1) + i tokens and answered in 10.
std::string WriteReportRun(const std::string& database, const ReportRunSpec& spec);

}  // namespace assay::testing_support
