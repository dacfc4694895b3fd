// The metric `codeforces_rating`: the Elo rating that the solved problems, or the standings of
// whole contests, give a model.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>

#include "harness/distributions.h"
#include "harness/metric.h"
#include "harness/random.h"
#include "harness/statistics_replicates.h"
#include "harness/status.h"
#include "harness/text.h"
#include "reports/rating/codeforces.h"

namespace assay {
namespace {

constexpr int kReplicates = 1000;
constexpr int kShuffles = 200;  // of the samples, where their order is not the one that counts

// How a contest is taken part in; a snapshot's "rules" may say otherwise.
struct Rules {
  RankRule rank = RankRule::kConsistent;
  int attempts = 8;       // of one problem that count
  bool shuffled = false;  // else the samples are submitted in the order in which they were drawn
};

std::string TagOf(const ProblemOutcomes& problem, std::string_view name) {
  for (const std::string& tag : problem.tags) {
    if (tag.size() > name.size() && tag.starts_with(name) && tag[name.size()] == ':')
      return tag.substr(name.size() + 1);
  }
  return "";
}

double MeanScore(const std::vector<SampleOutcome>& samples) {
  double sum = 0;
  for (const SampleOutcome& sample : samples) sum += EarnedScore(sample);
  return sum / static_cast<double>(samples.size());
}

// As many samples as there are, drawn with replacement.
std::vector<SampleOutcome> Redrawn(const std::vector<SampleOutcome>& samples, Xoshiro256* random) {
  std::vector<SampleOutcome> drawn;
  for (size_t i = 0; i < samples.size(); ++i)
    drawn.push_back(samples[random->Below(samples.size())]);
  return drawn;
}

// ---- by the ratings of problems ----

// The likelihood has no maximum where all or none are solved: then the prior decides, and the
// method says so. Replicates use the prior throughout, since some of them are extreme.
absl::StatusOr<NamedEstimate> ByProblems(const MetricInput& input) {
  std::vector<std::vector<SampleOutcome>> problems;
  std::vector<double> ratings;
  int64_t samples = 0;
  for (const ProblemOutcomes& problem : input.problems) {
    const std::optional<double> rating = ParseDouble(TagOf(problem, "rating"));
    if (!rating || problem.samples.empty()) continue;
    problems.push_back(problem.samples);
    ratings.push_back(*rating);
    samples += static_cast<int64_t>(problem.samples.size());
  }
  if (problems.empty())
    return FailedPrecondition("codeforces_rating: no graded problem has a tag 'rating:NUMBER'");
  std::vector<RatedProblem> solved;
  for (size_t i = 0; i < problems.size(); ++i)
    solved.push_back({ratings[i], MeanScore(problems[i])});
  const std::optional<ProblemRating> likely = RateByProblems(solved);
  const ProblemRating value = likely ? *likely : *RateByProblems(solved, RatingPrior());
  Xoshiro256 random(input.seed);
  std::vector<double> replicates;
  for (int i = 0; i < kReplicates; ++i) {
    if (!likely) {
      // Redrawing samples that are all alike shows no spread: the posterior's own stands for it.
      replicates.push_back(value.rating +
                           value.standard_error * NormalQuantile((i + 0.5) / kReplicates));
      continue;
    }
    std::vector<RatedProblem> drawn;
    for (size_t k = 0; k < problems.size(); ++k) {
      const size_t at = random.Below(problems.size());
      drawn.push_back({ratings[at], MeanScore(Redrawn(problems[at], &random))});
    }
    replicates.push_back(RateByProblems(drawn, RatingPrior())->rating);
  }
  const std::string method = absl::StrFormat(
      "%s over rated problems (error of the fit %.0f); %s",
      likely ? "maximum likelihood" : "prior N(1200, 600), all or none solved",
      value.standard_error, likely ? "bootstrap over problems and samples" : "normal interval");
  return NamedEstimate{
      "codeforces_rating",
      EstimateFromReplicates(value.rating, std::move(replicates),
                             static_cast<int64_t>(problems.size()), samples, method)};
}

// ---- by standings: a snapshot file, and problems with tags 'contest' and 'index' ----

struct Entered {
  Contest contest;
  std::vector<std::vector<SampleOutcome>> problems;  // by the contest's order; empty: not tried
};

struct Snapshot {
  std::map<std::string, Entered> contests;
  std::vector<Population> populations;
  Rules rules;
};

absl::Status ReadRules(const Json& json, const std::string& where, Rules* rules) {
  for (const auto& [name, value] : json.AsMembers()) {
    const std::string text = value.is_string() ? value.AsString() : "";
    if (name == "rank" && (text == "consistent" || text == "codeelo")) {
      rules->rank = text == "codeelo" ? RankRule::kCodeElo : RankRule::kConsistent;
    } else if (name == "order" && (text == "drawn" || text == "shuffled")) {
      rules->shuffled = text == "shuffled";
    } else if (name == "attempts" && value.is_integer() && value.AsInteger() >= 1 &&
               value.AsInteger() <= 10000) {
      rules->attempts = static_cast<int>(value.AsInteger());
    } else {
      return InvalidArgument(
          "%s: rules: expected rank (consistent, codeelo), order (drawn, shuffled), attempts (from "
          "1), found '%s': %s",
          where, name, value.Dump());
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Snapshot> ReadSnapshot(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  absl::StatusOr<Json> json = ParseJson(text);
  if (!json.ok()) return Annotate(json.status(), path);
  const Json* contests = json->Find("contests");
  if (contests == nullptr || !contests->is_array())
    return InvalidArgument("%s: expected a list 'contests'", path);
  Snapshot snapshot;
  for (size_t i = 0; i < contests->size(); ++i) {
    ASSIGN_OR_RETURN(Contest contest, ContestFromJson(contests->AsArray()[i],
                                                      absl::StrFormat("%s: contest %d", path, i)));
    Entered& one = snapshot.contests[contest.id];
    one.problems.resize(contest.problem_points.size());
    one.contest = std::move(contest);
  }
  if (const Json* rules = json->Find("rules"); rules != nullptr && rules->is_object())
    RETURN_IF_ERROR(ReadRules(*rules, path, &snapshot.rules));
  const Json* populations = json->Find("populations");
  for (size_t i = 0; populations != nullptr && i < populations->size(); ++i) {
    ASSIGN_OR_RETURN(Population population,
                     PopulationFromJson(populations->AsArray()[i],
                                        absl::StrFormat("%s: population %d", path, i)));
    snapshot.populations.push_back(std::move(population));
  }
  return snapshot;
}

// Problem "A" is the first, "B" the second; a number counts from 1.
std::optional<size_t> PlaceOf(const std::string& index, size_t problems) {
  if (index.empty()) return std::nullopt;
  const std::optional<int64_t> number = ParseInt(index);
  const int64_t place = number ? *number - 1 : index[0] - 'A';
  if (place < 0 || static_cast<size_t>(place) >= problems) return std::nullopt;
  return static_cast<size_t>(place);
}

// `random`: redraws the samples of each problem. `order`: shuffles them.
int RatingIn(const Entered& entered, const Rules& rules, Xoshiro256* random, Xoshiro256* order) {
  std::vector<Attempts> attempts(entered.problems.size());
  for (size_t i = 0; i < attempts.size(); ++i) {
    std::vector<SampleOutcome> samples = entered.problems[i];
    if (random != nullptr) samples = Redrawn(samples, random);
    for (size_t k = samples.size(); order != nullptr && k > 1; --k)
      std::swap(samples[k - 1], samples[order->Below(k)]);
    for (const SampleOutcome& sample : samples) attempts[i].push_back(EarnedScore(sample) >= 1);
  }
  const ContestScore score = ScoreAttempts(entered.contest, attempts, rules.attempts);
  const std::optional<int> rating = ContestRating(entered.contest, score, rules.rank);
  // Better than everybody: no bound from above; CodeElo's cap is the best that can be said.
  return rating ? *rating : *ContestRating(entered.contest, score, RankRule::kCodeElo);
}

double MeanRating(const std::vector<const Entered*>& contests, const Rules& rules,
                  Xoshiro256* random, Xoshiro256* order) {
  double sum = 0;
  for (size_t i = 0; i < contests.size(); ++i) {
    const size_t at = random != nullptr ? random->Below(contests.size()) : i;
    sum += RatingIn(*contests[at], rules, random, order);
  }
  return sum / static_cast<double>(contests.size());
}

// With shuffled samples the mean over many orders.
double ValueOf(const std::vector<const Entered*>& contests, const Rules& rules, Xoshiro256* order) {
  if (!rules.shuffled) return MeanRating(contests, rules, nullptr, nullptr);
  double sum = 0;
  for (int i = 0; i < kShuffles; ++i) sum += MeanRating(contests, rules, nullptr, order);
  return sum / kShuffles;
}

absl::StatusOr<NamedEstimate> ByStandings(const MetricInput& input, const std::string& path,
                                          Snapshot snapshot) {
  int64_t problems = 0, samples = 0;
  std::map<std::string, bool> tried;
  for (const ProblemOutcomes& problem : input.problems) {
    const auto entered = snapshot.contests.find(TagOf(problem, "contest"));
    if (entered == snapshot.contests.end()) continue;
    const auto place = PlaceOf(TagOf(problem, "index"), entered->second.problems.size());
    if (!place) continue;
    entered->second.problems[*place] = problem.samples;
    tried[entered->first] = true;
    ++problems;
    samples += static_cast<int64_t>(problem.samples.size());
  }
  std::vector<const Entered*> contests;
  std::vector<std::string> names;
  for (const auto& [id, yes] : tried) {
    contests.push_back(&snapshot.contests[id]);
    names.push_back(id);
  }
  if (contests.empty())
    return FailedPrecondition("codeforces_rating: no problem is of a contest in %s", path);
  const Rules& rules = snapshot.rules;
  Xoshiro256 random(input.seed), order(input.seed + 1);
  std::vector<double> replicates;
  for (int i = 0; i < kReplicates; ++i)
    replicates.push_back(MeanRating(contests, rules, &random, rules.shuffled ? &order : nullptr));
  const std::string method = absl::StrFormat(
      "mean over %d contests (%s), first %d samples %s, %s ranks; bootstrap over contests and "
      "samples",
      contests.size(), Shorten(Join(names, ", "), 120), rules.attempts,
      rules.shuffled ? absl::StrFormat("in random order, mean of %d orders", kShuffles)
                     : std::string("in the order drawn"),
      rules.rank == RankRule::kCodeElo ? "CodeElo's" : "consistent");
  return NamedEstimate{"codeforces_rating_contests",
                       EstimateFromReplicates(ValueOf(contests, rules, &order),
                                              std::move(replicates), problems, samples, method)};
}

// The rating's place in a population, and those of its interval's ends. Nothing where the
// population says nothing of one of them.
std::optional<NamedEstimate> Percentile(const NamedEstimate& rating, const Population& population,
                                        std::string name) {
  const Estimate& of = rating.estimate;
  const auto value = PercentBelow(population, of.value());
  if (!value) return std::nullopt;
  std::vector<double> replicates;
  for (int i = 0; i < kReplicates; ++i) {
    const double at = of.value() + of.standard_error() * NormalQuantile((i + 0.5) / kReplicates);
    const double low = population.pairs.empty() ? at : population.pairs.front().first;
    const double high = population.pairs.empty() ? at : population.pairs.back().first;
    replicates.push_back(*PercentBelow(population, std::clamp(at, low, high)) / 100);
  }
  return NamedEstimate{
      std::move(name),
      EstimateFromReplicates(
          *value / 100, std::move(replicates), of.problems(), of.samples(),
          absl::StrFormat("share below %s among %s", rating.name, population.name))};
}

absl::StatusOr<std::vector<NamedEstimate>> Compute(const MetricInput& input, const std::string&) {
  std::vector<NamedEstimate> estimates;
  ASSIGN_OR_RETURN(NamedEstimate by_problems, ByProblems(input));
  estimates.push_back(std::move(by_problems));
  std::vector<Population> populations = {PublishedWithR1()};
  const char* path = std::getenv("ASSAY_CODEFORCES_SNAPSHOT");
  if (path != nullptr && *path != '\0') {
    ASSIGN_OR_RETURN(Snapshot snapshot, ReadSnapshot(path));
    for (const Population& population : snapshot.populations) populations.push_back(population);
    ASSIGN_OR_RETURN(NamedEstimate by_standings, ByStandings(input, path, std::move(snapshot)));
    estimates.push_back(std::move(by_standings));
  }
  // Of the rating that stands last: the contests' where there are any.
  const NamedEstimate rating = estimates.back();
  for (size_t i = 0; i < populations.size(); ++i) {
    const std::string name =
        i == 0 ? "codeforces_percentile_r1" : absl::StrFormat("codeforces_percentile_%d", i);
    if (std::optional<NamedEstimate> one = Percentile(rating, populations[i], name))
      estimates.push_back(*std::move(one));
  }
  return estimates;
}

}  // namespace

Metric CodeforcesRatingMetric() {
  Metric metric;
  metric.name = "codeforces_rating";
  metric.about =
      "Elo rating by maximum likelihood over problems with a tag 'rating:N' (all or none solved: a "
      "prior N(1200, 600)); with $ASSAY_CODEFORCES_SNAPSHOT also from contests' standings as "
      "CodeElo (arXiv 2501.01257) does, ranks counted consistently; percentiles by named "
      "populations";
  metric.compute = Compute;
  return metric;
}

}  // namespace assay
