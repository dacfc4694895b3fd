// Codeforces ratings: the oracle's standings, problem ratings and percentiles, and cases by hand.
#include "reports/rating/codeforces.h"

#include <cmath>
#include <cstdlib>

#include "absl/strings/str_format.h"
#include "harness/registry.h"
#include "harness/text.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing_support::ReadJsonFile;
using testing_support::SharedPath;

Json Oracle() { return ReadJsonFile(SharedPath("vectors/codeforces_oracle.json")); }

Contest ContestOf(Json json) {
  json.Set("rows", *json.Find("rows_points_penalty_oldrating"));
  const absl::StatusOr<Contest> contest = ContestFromJson(json, "oracle");
  EXPECT_OK(contest);
  return contest.ok() ? *contest : Contest();
}

TEST(CodeforcesOracle, EveryStandingsCase) {
  SKIP_WITHOUT_SHARED("vectors/codeforces_oracle.json");
  const Json oracle = Oracle();
  int cases = 0;
  for (const Json& row : oracle.Find("elo_cases")->AsArray()) {
    const Contest contest = ContestOf(
        oracle.Find("standings")->AsArray()[static_cast<size_t>(*row.FindInteger("contest"))]);
    std::vector<Attempts> problems;
    for (const Json& verdicts : row.Find("verdicts")->AsArray()) {
      Attempts attempts;
      for (const Json& verdict : verdicts.AsArray()) attempts.push_back(verdict.AsString() == "AC");
      problems.push_back(attempts);
    }
    const ContestScore score = ScoreAttempts(contest, problems);
    EXPECT_EQ(score.points, row.FindNumber("score"));
    EXPECT_EQ(score.penalty, row.FindNumber("penalty"));
    EXPECT_EQ(CodeEloRank(contest, score), row.FindInteger("rank0_codeelo"));
    EXPECT_EQ(StrictlyBetter(contest, score), row.FindInteger("strictly_better"));
    EXPECT_EQ(ContestRating(contest, score, RankRule::kCodeElo), row.FindInteger("rating_codeelo"));
    const std::optional<int> consistent = ContestRating(contest, score, RankRule::kConsistent);
    const std::optional<int64_t> wanted = row.FindInteger("rating_rank1");
    EXPECT_EQ(consistent.has_value(), wanted.has_value());
    if (consistent && wanted) {
      EXPECT_EQ(*consistent, *wanted);
    }
    ++cases;
  }
  EXPECT_EQ(cases, 9);
}

TEST(CodeforcesOracle, EveryProblemRating) {
  SKIP_WITHOUT_SHARED("vectors/codeforces_oracle.json");
  const Json oracle = Oracle();
  const auto near = [](const std::optional<ProblemRating>& found, const Json* wanted) {
    ASSERT_EQ(found.has_value(), wanted->is_array());
    if (!found) return;
    EXPECT_NEAR(found->rating, *ParseDouble(wanted->AsArray()[0].AsString()), 1e-6);
    EXPECT_NEAR(found->standard_error, *ParseDouble(wanted->AsArray()[1].AsString()), 1e-6);
  };
  for (const Json& row : oracle.Find("problem_rating_cases")->AsArray()) {
    std::vector<RatedProblem> problems;
    for (size_t i = 0; i < row.Find("difficulty")->size(); ++i)
      problems.push_back({row.Find("difficulty")->AsArray()[i].AsNumber(),
                          row.Find("solved")->AsArray()[i].AsNumber()});
    near(RateByProblems(problems), row.Find("mle"));
    near(RateByProblems(problems, RatingPrior{1200, 600}), row.Find("map_mu1200_sd600"));
  }
}

TEST(CodeforcesOracle, EveryPercentileAndQuantile) {
  SKIP_WITHOUT_SHARED("vectors/codeforces_oracle.json");
  const Json oracle = Oracle();
  ASSERT_OK_AND_ASSIGN(const Population population,
                       PopulationFromJson(*oracle.Find("ratings"), "oracle"));
  for (const Json& row : oracle.Find("percentile_cases")->AsArray()) {
    EXPECT_NEAR(*PercentBelow(population, *row.FindNumber("rating")),
                *row.FindNumber("percent_below"), 1e-9);
  }
  const Json::Array& quantiles = oracle.Find("quantiles_permille")->AsArray();
  for (size_t i = 0; i < quantiles.size(); ++i)
    ASSERT_EQ(PopulationQuantile(population, static_cast<int>(i)), quantiles[i].AsInteger()) << i;
  // Of every 25 points: how many are below.
  int64_t all = 0;
  for (const auto& [rating, count] : population.counts) all += count;
  EXPECT_EQ(all, oracle.Find("ratings")->FindInteger("n"));
  for (const Json& row : oracle.Find("cum_every_25")->AsArray()) {
    const double percent =
        *PercentBelow(population, static_cast<double>(row.AsArray()[0].AsInteger()));
    EXPECT_NEAR(percent * static_cast<double>(all) / 100,
                static_cast<double>(row.AsArray()[1].AsInteger()), 0.01)
        << row.Dump();
  }
  // The published percentiles are of another population: never this one's.
  for (const Json& row : oracle.Find("published_pairs")->AsArray()) {
    const double percent = *PercentBelow(population, *row.FindNumber("rating"));
    EXPECT_NEAR(*PercentBelow(PublishedWithR1(), *row.FindNumber("rating")),
                *row.FindNumber("published_percentile"), 1e-9);
    EXPECT_NEAR(PopulationQuantile(population, 0), *oracle.Find("ratings")->FindInteger("min"), 0);
    EXPECT_NEAR(percent, *row.FindNumber("codeelo_file_percentile"), 0.006);
    EXPECT_NEAR(percent - *row.FindNumber("published_percentile"), *row.FindNumber("difference"),
                0.01);
  }
}

TEST(Codeforces, WorkedByHand) {
  // One opponent: a rating of 1500 expects rank 1.5; to expect rank 2 one must be far worse.
  Contest contest;
  contest.problem_points = {500, 1000};
  contest.rows = {{1500, 0, 1500}, {0, 0, 1500}};
  const ContestScore score = ScoreAttempts(contest, std::vector<Attempts>{{false, true}, {}});
  EXPECT_EQ(score.points, 450);
  EXPECT_EQ(StrictlyBetter(contest, score), 1);
  EXPECT_EQ(ContestRating(contest, score, RankRule::kConsistent), 1500);
  EXPECT_EQ(ContestRating(contest, {2000, 0}, RankRule::kConsistent), std::nullopt);
  EXPECT_EQ(ContestRating(contest, {2000, 0}, RankRule::kCodeElo), 1599);
  // Half of the problems of one rating: that rating.
  const std::vector<RatedProblem> half = {{1400, 1}, {1400, 0}};
  EXPECT_NEAR(RateByProblems(half)->rating, 1400, 1e-6);
  EXPECT_EQ(RateByProblems(std::vector<RatedProblem>{{1400, 1}}), std::nullopt);
}

TEST(Codeforces, APopulationOfPairsKnowsNothingBeyondThem) {
  EXPECT_NEAR(*PercentBelow(PublishedWithR1(), 738), (20.3 + 23.6) / 2, 1e-9);
  EXPECT_FALSE(PercentBelow(PublishedWithR1(), 716).has_value());
  EXPECT_FALSE(PercentBelow(PublishedWithR1(), 2062).has_value());
  const auto read = [](const char* text) { return PopulationFromJson(*ParseJson(text), "p"); };
  EXPECT_OK(read(R"({"name": "n", "pairs": [[1, 2], [3, 4]]})"));
  EXPECT_FALSE(read(R"({"name": "n", "pairs": [[1, 5], [3, 4]]})").ok());
  EXPECT_FALSE(read(R"({"name": "n", "pairs": [[1, 5]]})").ok());
  EXPECT_FALSE(read(R"({"pairs": [[1, 2], [3, 4]]})").ok());
}

TEST(Codeforces, AttemptsBeyondTheLimitDoNotCount) {
  Contest contest;
  contest.problem_points = {500};
  const std::vector<Attempts> late = {{false, false, true}};
  EXPECT_EQ(ScoreAttempts(contest, late, 2).points, 0);
  EXPECT_EQ(ScoreAttempts(contest, late, 3).points, 400);
}

TEST(Codeforces, FaultsOfASnapshotAreNamed) {
  for (const char* text : {R"({"kind": "x"})", R"({"kind": "cf"})",
                           R"({"kind": "cf", "problem_points": [1], "rows": [[1, 2]]})",
                           R"({"kind": "cf", "problem_points": ["a"], "rows": []})"}) {
    const absl::StatusOr<Json> json = ParseJson(text);
    EXPECT_THAT(std::string(ContestFromJson(*json, "snap: contest 3").status().message()),
                testing::HasSubstr("snap: contest 3"));
  }
  EXPECT_FALSE(PopulationFromJson(Json::MakeObject(), "p").ok());
}

MetricInput Input() {
  MetricInput input;
  for (int i = 0; i < 12; ++i) {
    ProblemOutcomes problem;
    problem.id = std::to_string(i);
    problem.tags = {"rating:" + std::to_string(800 + 100 * i), "contest:7",
                    std::string("index:") + static_cast<char>('A' + i)};
    for (int k = 0; k < 4; ++k) {
      const bool right = i < 6 || (i < 9 && k == 0);
      problem.samples.push_back(
          {k, right ? Outcome::kCorrect : Outcome::kIncorrect, right ? 1.0 : 0.0});
    }
    input.problems.push_back(problem);
  }
  input.samples_planned = 4;
  return input;
}

TEST(Codeforces, TheMetricGivesARatingWithItsInterval) {
  ASSERT_OK_AND_ASSIGN(const Metric* metric, FindMetric("codeforces_rating"));
  ASSERT_OK_AND_ASSIGN(const auto estimates, metric->compute(Input(), "codeforces_rating"));
  const Estimate& estimate = estimates[0].estimate;
  EXPECT_GT(estimate.value(), 1200);
  EXPECT_LT(estimate.value(), 1700);
  EXPECT_LT(estimate.low(), estimate.value());
  EXPECT_GT(estimate.high(), estimate.value());
  EXPECT_EQ(estimate.problems(), 12);
  ASSERT_EQ(estimates.size(), 2u);
  EXPECT_THAT(estimates[1].estimate.method(), testing::HasSubstr("published with DeepSeek-R1"));
  EXPECT_GT(estimates[1].estimate.value(), 0.587);  // 1134
  EXPECT_LT(estimates[1].estimate.value(), 0.921);  // 1746
  EXPECT_EQ(estimate.samples(), 48);
  ASSERT_OK_AND_ASSIGN(const auto again, metric->compute(Input(), "codeforces_rating"));
  EXPECT_EQ(again[0].estimate.low(), estimate.low());
  MetricInput untagged;
  for (ProblemOutcomes problem : Input().problems) {
    problem.tags.clear();
    untagged.problems.push_back(problem);
  }
  EXPECT_FALSE(metric->compute(untagged, "codeforces_rating").ok());
}

TEST(Codeforces, WithASnapshotTheContestsAreRatedToo) {
  const testing_support::TemporaryDirectory directory;
  testing_support::WriteWholeFile(
      directory.Path("s.json"),
      R"({"contests": [{"id": "7", "kind": "cf", "problem_points": [500, 1000, 1500, 2000, 2500, 3000,
          3500, 4000, 4500, 5000, 5500, 6000],
          "rows": [[30000, 0, 2400], [20000, 0, 1900], [9000, 0, 1500], [500, 0, 1000]]}]})");
  setenv("ASSAY_CODEFORCES_SNAPSHOT", directory.Path("s.json").c_str(), 1);
  ASSERT_OK_AND_ASSIGN(const Metric* metric, FindMetric("codeforces_rating"));
  const auto estimates = metric->compute(Input(), "codeforces_rating");
  unsetenv("ASSAY_CODEFORCES_SNAPSHOT");
  ASSERT_OK(estimates);
  // Above the highest published pair there is no percentile.
  ASSERT_EQ(estimates->size(), (*estimates)[1].estimate.value() > 2061 ? 2u : 3u);
  const Estimate& rating = (*estimates)[1].estimate;
  EXPECT_THAT(rating.method(), testing::HasSubstr("first 8 samples in the order drawn"));
  // 22,500 points: only the first row is better.
  EXPECT_GT(rating.value(), 1900);
  EXPECT_LT(rating.value(), 2400);
}

TEST(Codeforces, TheRulesOfASnapshotAreFollowedAndPrinted) {
  const auto compute = [](const char* rules) {
    const testing_support::TemporaryDirectory directory;
    const std::string contests =
        R"("contests": [{"id": "7", "kind": "cf", "problem_points": [500, 1000, 1500, 2000, 2500, 3000,
          3500, 4000, 4500, 5000, 5500, 6000],
          "rows": [[30000, 0, 2400], [24000, 0, 2100], [22450, 0, 1900], [9000, 0, 1500], [500, 0, 1000]]}],
          "populations": [{"name": "four people", "values": [1000, 1500, 2000, 2500], "counts": [1, 1, 1, 1]}])";
    testing_support::WriteWholeFile(directory.Path("s.json"),
                                    absl::StrFormat("{%s, \"rules\": %s}", contests, rules));
    setenv("ASSAY_CODEFORCES_SNAPSHOT", directory.Path("s.json").c_str(), 1);
    auto estimates = (*FindMetric("codeforces_rating"))->compute(Input(), "codeforces_rating");
    unsetenv("ASSAY_CODEFORCES_SNAPSHOT");
    return estimates;
  };
  // Problems 6 to 8 are right in their first sample alone: shuffled, some points are lost.
  const auto drawn = compute("{}"), shuffled = compute(R"({"order": "shuffled"})"),
             codeelo = compute(R"({"rank": "codeelo", "attempts": 3})");
  ASSERT_OK(drawn);
  ASSERT_OK(shuffled);
  ASSERT_OK(codeelo);
  EXPECT_LT((*shuffled)[1].estimate.value(), (*drawn)[1].estimate.value());
  EXPECT_GT((*codeelo)[1].estimate.value(), (*drawn)[1].estimate.value());
  EXPECT_THAT((*shuffled)[1].estimate.method(), testing::HasSubstr("random order"));
  EXPECT_THAT((*codeelo)[1].estimate.method(),
              AllOf(testing::HasSubstr("first 3 samples"), testing::HasSubstr("CodeElo's ranks")));
  EXPECT_THAT(drawn->back().estimate.method(), testing::HasSubstr("four people"));
  EXPECT_NEAR(drawn->back().estimate.value(), 0.5, 0.26);
  for (const char* wrong : {R"({"rank": "best"})", R"({"attempts": 0})", R"({"odrer": "drawn"})"})
    EXPECT_THAT(std::string(compute(wrong).status().message()), testing::HasSubstr("rules:"));
}

}  // namespace
}  // namespace assay
