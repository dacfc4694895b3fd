// What a task's stored samples say against k, length, token budget and cost: the curves of a
// report.
//
// Nothing is generated again: a budget's accuracy is that of the stored traces cut off there.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harness/json.h"
#include "harness/outcomes.h"
#include "harness/statistics.h"

namespace assay {

struct CurvePoint {
  int64_t x = 0;
  Estimate y;
};

// Samples that ended by themselves, by length; the cut-off ones are told beside them.
struct LengthBin {
  int64_t from = 0, to = 0;  // tokens, both within
  int64_t samples = 0;
  Estimate accuracy;
};

struct BudgetCurvePoint {
  BudgetPoint point;
  // Above the cap the samples that were cut off might have become right: what the accuracy would be
  // if all of them had. Nothing where the stored traces say it all.
  std::optional<Estimate> if_cut_right;
};

// Counts of samples by length; `edges` has one more, the last bin closed.
struct LengthHistogram {
  std::vector<int64_t> edges;
  std::vector<int64_t> correct, wrong, truncated;
};

// What completions cost beside their outcome; gathered while a run is read.
struct Spending {
  int64_t samples = 0;
  int64_t prompt_tokens = 0, reasoning_tokens = 0, answer_tokens = 0;
  int64_t estimated = 0;              // samples whose tokens were guessed from the text
  int64_t with_cost = 0;              // samples that told a cost
  double cost_usd = 0;                // of those
  double seconds = 0;                 // summed latency
  std::vector<RatioTerm> cost_terms;  // per problem with samples: cost against right answers
};

struct TaskCurves {
  std::vector<CurvePoint> pass_at_k;
  std::vector<CurvePoint> cons_at_k;
  std::string no_consensus;  // why there is no cons@k
  bool thinks = false;       // lengths are of the thinking; false: of the whole reply
  std::vector<LengthBin> by_length;
  std::optional<Estimate> length_correct, length_wrong;  // mean tokens of samples that ended
  std::optional<double> median_length;                   // Kaplan-Meier: truncation as censoring
  std::vector<BudgetCurvePoint> budgets;
  std::optional<int64_t> cap;  // max_tokens
  LengthHistogram histogram;
  Spending spending;
  std::optional<Estimate> tokens_per_correct;  // generated tokens, thinking and answer
  std::optional<Estimate> cost_per_correct;    // only where every sample told its cost
};

TaskCurves ComputeCurves(const LoadedOutcomes& loaded, const TaskManifest& task,
                         const Spending& spending);
Json CurvesToJson(const TaskCurves& curves);

}  // namespace assay
