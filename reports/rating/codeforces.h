// Codeforces ratings of a model: from the standings of contests, from the ratings of problems, and
// the percentile in a named population.
//
// Sources: CodeElo (Quan et al. 2025, arXiv 2501.01257), whose published computation is the option
// kCodeElo; the Elo expectation 1 / (1 + 10^((b - a) / 400)). Pure functions; thread-safe.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/json.h"

namespace assay {

// --- standings ---

struct ContestRow {  // of one rated participant
  double points = 0;
  double penalty = 0;
  double rating = 0;  // before the contest
};

struct Contest {
  std::string id;
  bool icpc = false;                   // one point a problem and a penalty; else points
  std::vector<double> problem_points;  // of each problem, in order
  std::vector<ContestRow> rows;        // best first
};

// What the attempts at one problem came to: true for accepted, in the order of submission.
using Attempts = std::vector<bool>;

struct ContestScore {
  double points = 0;
  double penalty = 0;
};
// Points less 50 for each failed attempt before the first accepted one, not below 0; in ICPC
// contests one point and a penalty of 10 for each. At most `most` attempts count.
ContestScore ScoreAttempts(const Contest& contest, std::span<const Attempts> problems,
                           int most = 8);

enum class RankRule {
  kConsistent,  // rank 1 + those strictly better, as the expected rank counts; no cap
  kCodeElo  // the 0-based index of the first row beaten; ties are not beaten; within [0, best+99]
};
// The largest integer r with 1 + sum of 1 / (1 + 10^((r - rating_i) / 400)) >= rank. Nothing where
// nobody is better (kConsistent): there is no such bound.
std::optional<int> ContestRating(const Contest& contest, const ContestScore& score, RankRule rule);

// The number of rows before the first that the score beats.
int CodeEloRank(const Contest& contest, const ContestScore& score);
int StrictlyBetter(const Contest& contest, const ContestScore& score);

// {"id", "kind": "cf" or "icpc", "problem_points": [...], "rows": [[points, penalty, rating], ...]}
absl::StatusOr<Contest> ContestFromJson(const Json& json, const std::string& where);

// --- problem ratings ---

struct RatedProblem {
  double rating = 0;
  double solved = 0;  // 0, 1, or the mean of several attempts
};
struct ProblemRating {
  double rating = 0;
  double standard_error = 0;
};
// The maximum of the likelihood with P(solved) = 1 / (1 + 10^((problem - r) / 400)); nothing where
// all or none are solved. With a prior N(mean, deviation), the maximum a posteriori, always there.
struct RatingPrior {
  double mean = 1200;
  double deviation = 600;
};
std::optional<ProblemRating> RateByProblems(std::span<const RatedProblem> problems,
                                            const std::optional<RatingPrior>& prior = std::nullopt);

// --- populations ---

// How many of a population have each rating, or points that were published of it. Never without its
// name: percentiles of one rating differ by points between populations.
struct Population {
  std::string name;
  std::vector<std::pair<int, int64_t>> counts;   // ascending
  std::vector<std::pair<double, double>> pairs;  // instead: rating, percent below; both ascending
};
// What DeepSeek-R1's publication says of its models: ten pairs, between which percentiles are
// interpolated.
const Population& PublishedWithR1();
absl::StatusOr<Population> PopulationFromJson(const Json& json, const std::string& where);
// The share of the population that is strictly below, in percent. With pairs, nothing is known
// beyond the lowest and the highest.
std::optional<double> PercentBelow(const Population& population, double rating);
// The rating with `permille` of the population below it: element floor(permille * n / 1000) of
// the sorted ratings.
int PopulationQuantile(const Population& population, int permille);

}  // namespace assay
