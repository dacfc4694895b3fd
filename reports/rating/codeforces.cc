// Bisection for the rank, Newton for the likelihood; both functions are monotone.
#include "reports/rating/codeforces.h"

#include <algorithm>
#include <cmath>

#include "harness/status.h"

namespace assay {
namespace {

constexpr double kScale = 2.302585092994046 / 400;  // ln(10) / 400

double Expected(double own, double other) { return 1 / (1 + std::pow(10, (other - own) / 400)); }

// The rank that a rating expects, from 1: one, and each opponent's chance to be better.
double Seed(const Contest& contest, double rating) {
  double seed = 1;
  for (const ContestRow& row : contest.rows) seed += Expected(row.rating, rating);
  return seed;
}

bool IsBetter(const ContestRow& row, const ContestScore& score) {
  return row.points > score.points || (row.points == score.points && row.penalty < score.penalty);
}

bool IsEqual(const ContestRow& row, const ContestScore& score) {
  return row.points == score.points && row.penalty == score.penalty;
}

// The largest integer in [low, high] whose seed is at least `rank`; seeds fall with the rating.
int LargestWithSeed(const Contest& contest, double rank, int low, int high) {
  while (low < high) {
    const int middle = low + (high - low + 1) / 2;
    if (Seed(contest, middle) >= rank) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

}  // namespace

ContestScore ScoreAttempts(const Contest& contest, std::span<const Attempts> problems, int most) {
  ContestScore score;
  for (size_t i = 0; i < problems.size() && i < contest.problem_points.size(); ++i) {
    const Attempts& attempts = problems[i];
    const auto end = attempts.begin() +
                     std::min(static_cast<std::ptrdiff_t>(attempts.size()), std::ptrdiff_t{most});
    const auto first = std::find(attempts.begin(), end, true);
    if (first == end) continue;
    const auto failed = static_cast<double>(first - attempts.begin());
    if (contest.icpc) {
      score.points += 1;
      score.penalty += 10 * failed;
    } else {
      score.points += std::max(0.0, contest.problem_points[i] - 50 * failed);
    }
  }
  return score;
}

int CodeEloRank(const Contest& contest, const ContestScore& score) {
  int rank = 0;
  for (const ContestRow& row : contest.rows) {
    if (!IsBetter(row, score) && !IsEqual(row, score)) break;
    ++rank;
  }
  return rank;
}

int StrictlyBetter(const Contest& contest, const ContestScore& score) {
  return static_cast<int>(
      std::count_if(contest.rows.begin(), contest.rows.end(),
                    [&](const ContestRow& row) { return IsBetter(row, score); }));
}

std::optional<int> ContestRating(const Contest& contest, const ContestScore& score, RankRule rule) {
  double best = 0;
  for (const ContestRow& row : contest.rows) best = std::max(best, row.rating);
  if (rule == RankRule::kCodeElo)
    return LargestWithSeed(contest, CodeEloRank(contest, score), 0, static_cast<int>(best) + 99);
  const int better = StrictlyBetter(contest, score);
  if (better == 0) return std::nullopt;
  return LargestWithSeed(contest, better + 1, -100000, 100000);
}

absl::StatusOr<Contest> ContestFromJson(const Json& json, const std::string& where) {
  Contest contest;
  contest.id =
      json.FindString("id").value_or(json.FindInteger("id") ? json.Find("id")->ToText() : "");
  const std::string kind = json.FindString("kind").value_or("");
  if (kind != "cf" && kind != "icpc")
    return InvalidArgument("%s: field 'kind': expected cf or icpc, found '%s'", where, kind);
  contest.icpc = kind == "icpc";
  const Json* points = json.Find("problem_points");
  const Json* rows = json.Find("rows");
  if (points == nullptr || !points->is_array() || rows == nullptr || !rows->is_array())
    return InvalidArgument("%s: expected lists 'problem_points' and 'rows'", where);
  for (const Json& value : points->AsArray()) {
    if (!value.is_number()) return InvalidArgument("%s: 'problem_points': expected numbers", where);
    contest.problem_points.push_back(value.AsNumber());
  }
  for (const Json& row : rows->AsArray()) {
    const bool numbers = row.is_array() && row.size() == 3 &&
                         std::all_of(row.AsArray().begin(), row.AsArray().end(),
                                     [](const Json& value) { return value.is_number(); });
    if (!numbers)
      return InvalidArgument("%s: 'rows': expected [points, penalty, rating], found %s", where,
                             row.Dump());
    contest.rows.push_back(
        {row.AsArray()[0].AsNumber(), row.AsArray()[1].AsNumber(), row.AsArray()[2].AsNumber()});
  }
  std::stable_sort(contest.rows.begin(), contest.rows.end(),
                   [](const ContestRow& a, const ContestRow& b) {
                     return a.points != b.points ? a.points > b.points : a.penalty < b.penalty;
                   });
  return contest;
}

std::optional<ProblemRating> RateByProblems(std::span<const RatedProblem> problems,
                                            const std::optional<RatingPrior>& prior) {
  double solved = 0;
  for (const RatedProblem& problem : problems) solved += problem.solved;
  const bool extreme = solved <= 0 || solved >= static_cast<double>(problems.size());
  if (!prior && extreme) return std::nullopt;
  const double weight = prior ? 1 / (prior->deviation * prior->deviation) : 0;
  double low = -20000, high = 20000;
  double information = 0;
  // The slope of the log-likelihood falls everywhere: bisection cannot miss its zero.
  for (int i = 0; i < 200; ++i) {
    const double rating = (low + high) / 2;
    double slope = prior ? (prior->mean - rating) * weight : 0;
    information = weight;
    for (const RatedProblem& problem : problems) {
      const double chance = Expected(rating, problem.rating);
      slope += kScale * (problem.solved - chance);
      information += kScale * kScale * chance * (1 - chance);
    }
    (slope > 0 ? low : high) = rating;
  }
  return ProblemRating{(low + high) / 2, 1 / std::sqrt(information)};
}

absl::StatusOr<Population> PopulationFromJson(const Json& json, const std::string& where) {
  Population population;
  population.name = json.FindString("name").value_or(json.FindString("source").value_or(""));
  const Json* values = json.Find("values");
  const Json* counts = json.Find("counts");
  if (const Json* pairs = json.Find("pairs"); pairs != nullptr && pairs->is_array()) {
    for (const Json& pair : pairs->AsArray()) {
      const bool numbers = pair.is_array() && pair.size() == 2 && pair.AsArray()[0].is_number() &&
                           pair.AsArray()[1].is_number();
      if (!numbers)
        return InvalidArgument("%s: 'pairs': expected [rating, percent], found %s", where,
                               pair.Dump());
      population.pairs.emplace_back(pair.AsArray()[0].AsNumber(), pair.AsArray()[1].AsNumber());
    }
    std::sort(population.pairs.begin(), population.pairs.end());
    const bool rises =
        std::is_sorted(population.pairs.begin(), population.pairs.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
    if (population.name.empty() || population.pairs.size() < 2 || !rises)
      return InvalidArgument("%s: a population needs 'name' and two 'pairs' or more that rise",
                             where);
    return population;
  }
  const bool lists = values != nullptr && counts != nullptr && values->is_array() &&
                     counts->is_array() && values->size() == counts->size() && values->size() > 0;
  if (population.name.empty() || !lists)
    return InvalidArgument("%s: a population needs 'name' and lists 'values' and 'counts'", where);
  for (size_t i = 0; i < values->size(); ++i) {
    const Json &value = values->AsArray()[i], &count = counts->AsArray()[i];
    if (!value.is_integer() || !count.is_integer() || count.AsInteger() < 0)
      return InvalidArgument("%s: entry %d is no rating with its count", where, i);
    population.counts.emplace_back(static_cast<int>(value.AsInteger()), count.AsInteger());
  }
  std::sort(population.counts.begin(), population.counts.end());
  return population;
}

const Population& PublishedWithR1() {
  static const auto* population =
      new Population{"pairs published with DeepSeek-R1 (arXiv 2501.12948)",
                     {},
                     {{717, 20.3},
                      {759, 23.6},
                      {1134, 58.7},
                      {1444, 80.4},
                      {1534, 84.5},
                      {1687, 90.5},
                      {1746, 92.1},
                      {1820, 93.4},
                      {2029, 96.3},
                      {2061, 96.6}}};
  return *population;
}

namespace {

std::optional<double> BetweenPairs(const std::vector<std::pair<double, double>>& pairs,
                                   double rating) {
  if (rating < pairs.front().first || rating > pairs.back().first) return std::nullopt;
  for (size_t i = 1; i < pairs.size(); ++i) {
    const auto& [low, low_percent] = pairs[i - 1];
    const auto& [high, high_percent] = pairs[i];
    if (rating > high) continue;
    return low_percent + (high_percent - low_percent) * (rating - low) / (high - low);
  }
  return pairs.back().second;
}

}  // namespace

std::optional<double> PercentBelow(const Population& population, double rating) {
  if (!population.pairs.empty()) return BetweenPairs(population.pairs, rating);
  int64_t below = 0, all = 0;
  for (const auto& [value, count] : population.counts) {
    all += count;
    if (value < rating) below += count;
  }
  return all == 0 ? 0 : 100 * static_cast<double>(below) / static_cast<double>(all);
}

int PopulationQuantile(const Population& population, int permille) {
  int64_t all = 0;
  for (const auto& [value, count] : population.counts) all += count;
  const int64_t at = std::min(all - 1, permille * all / 1000);
  int64_t before = 0;
  for (const auto& [value, count] : population.counts) {
    before += count;
    if (before > at) return value;
  }
  return population.counts.empty() ? 0 : population.counts.back().first;
}

}  // namespace assay
