// The statistics against independent figures: 50-digit oracles where ../shared has them, and always
// small cases done by hand, by brute force, or by a second method.
#include "harness/statistics.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>

#include "harness/distributions.h"
#include "harness/random.h"
#include "harness/text.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::DoubleEq;
using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr double kTolerance = 1e-9;

// Relative, so that 7e-29 is checked as well as 0.5; `wanted` 0 is checked absolutely.
void ExpectClose(double got, double wanted, const std::string& what) {
  EXPECT_NEAR(got, wanted, kTolerance * std::max(std::abs(wanted), wanted == 0 ? 1e-3 : 1e-300))
      << what;
}

// "3/4", "0.75" or 0.75.
double Number(const Json& json) {
  const std::string text = json.ToText();
  const std::vector<std::string_view> halves = Split(text, '/');
  const std::optional<double> numerator = ParseDouble(halves[0]);
  EXPECT_TRUE(numerator) << "not a number: " << text;
  return *numerator / (halves.size() == 2 ? *ParseDouble(halves[1]) : 1.0);
}

double Number(const Json& json, std::string_view name) { return Number(*json.Find(name)); }

std::vector<double> Numbers(const Json& json) {
  std::vector<double> numbers;
  for (const Json& one : json.AsArray()) numbers.push_back(Number(one));
  return numbers;
}

Json Oracle(std::string_view section) {
  const Json json =
      testing_support::ReadJsonFile(testing_support::SharedPath("vectors/stats_oracle.json"));
  const Json* found = json.Find(section);
  EXPECT_NE(found, nullptr) << section;
  return found == nullptr ? Json() : *found;
}

Json::Array Rows(std::string_view section) { return Oracle(section).AsArray(); }

std::vector<ProblemMean> Problems(const std::vector<std::vector<double>>& scores,
                                  const std::vector<int>& clusters = {}) {
  std::vector<ProblemMean> problems;
  for (size_t i = 0; i < scores.size(); ++i) {
    problems.push_back(MeanOfSamples(scores[i], clusters.empty() ? -1 : clusters[i]));
  }
  return problems;
}

// n problems of one sample each, the first `right` of them right.
std::vector<ProblemMean> Binary(int64_t right, int64_t n) {
  std::vector<ProblemMean> problems(static_cast<size_t>(n), ProblemMean{0, 0, 1, -1});
  for (int64_t i = 0; i < right; ++i) problems[static_cast<size_t>(i)].mean = 1;
  return problems;
}

// ---- distributions ----

TEST(Distributions, ReproduceTheOracle) {
  SKIP_WITHOUT_SHARED("vectors/stats_oracle.json");
  const Json special = Oracle("special");
  const auto each = [&](std::string_view name, auto function) {
    for (const Json& row : special.Find(name)->AsArray()) {
      const std::vector<double> numbers = Numbers(row);
      ExpectClose(function(numbers), numbers.back(), std::string(name) + " " + row.Dump());
    }
  };
  each("norm_quantile", [](const auto& x) { return NormalQuantile(x[0]); });
  each("norm_cdf", [](const auto& x) { return NormalCdf(x[0]); });
  each("t_quantile", [](const auto& x) { return StudentQuantile(x[0], x[1]); });
  each("t_cdf", [](const auto& x) { return StudentCdf(x[0], x[1]); });
  each("chi2_sf", [](const auto& x) { return ChiSquaredUpper(x[0], x[1]); });
  each("beta_quantile", [](const auto& x) { return BetaQuantile(x[0], x[1], x[2]); });
}

TEST(Distributions, KnownClosedForms) {
  // t with one degree of freedom is Cauchy's, with two algebraic; chi-squared with two exponential;
  // beta(1, b) a power.
  EXPECT_NEAR(StudentCdf(1, 1), 0.75, 1e-14);
  EXPECT_NEAR(StudentQuantile(0.975, 1), std::tan(M_PI * 0.475), 1e-11);
  EXPECT_NEAR(StudentCdf(2, 2), 0.5 + 2 / (2 * std::sqrt(6.0)), 1e-14);
  EXPECT_NEAR(ChiSquaredUpper(3, 2), std::exp(-1.5), 1e-15);
  EXPECT_NEAR(BetaQuantile(0.3, 1, 4), 1 - std::pow(0.7, 0.25), 1e-14);
  EXPECT_NEAR(NormalCdf(NormalQuantile(0.123)), 0.123, 1e-14);
}

TEST(Distributions, OutsideTheDomainIsNoNumberAndNoException) {
  EXPECT_TRUE(std::isnan(NormalQuantile(1.5)));
  EXPECT_TRUE(std::isnan(StudentQuantile(0.975, 0)));
  EXPECT_TRUE(std::isnan(BetaQuantile(0.5, -1, 2)));
  EXPECT_EQ(NormalQuantile(0), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(ChiSquaredUpper(0, 3), 1);
}

// ---- random numbers ----

TEST(Random, XoshiroReproducesTheOracle) {
  SKIP_WITHOUT_SHARED("vectors/stats_oracle.json");
  for (const Json& row : Rows("prng")) {
    const auto seed = static_cast<uint64_t>(row.Find("seed")->AsInteger());
    Xoshiro256 words(seed);
    for (const Json& word : row.Find("xoshiro256ss")->AsArray()) {
      EXPECT_EQ(std::to_string(words.Next()), word.ToText()) << seed;
    }
    Xoshiro256 indices(seed);
    for (const Json& index : row.Find("below_30")->AsArray()) {
      EXPECT_EQ(indices.Below(30), static_cast<uint64_t>(index.AsInteger())) << seed;
    }
  }
}

TEST(Random, XoshiroKeepsItsFirstWord) {
  // splitmix64(0) begins e220a8397b1dcdaf, 6e789e6aa1b965f4: rotl(5 * second, 7) * 9.
  EXPECT_EQ(Xoshiro256(0).Next(), 11091344671253066420U);
}

TEST(Random, PythonReproducesTheOracle) {
  SKIP_WITHOUT_SHARED("vectors/prompt_oracle.json");
  const Json oracle =
      testing_support::ReadJsonFile(testing_support::SharedPath("vectors/prompt_oracle.json"));
  for (const Json& row : oracle.Find("mt")->AsArray()) {
    const auto seed = static_cast<uint64_t>(row.Find("seed")->AsInteger());
    PythonRandom random(seed);
    for (const Json& word : row.Find("getrandbits32")->AsArray()) {
      EXPECT_EQ(int64_t{random.GetRandBits32()}, word.AsInteger()) << seed;
    }
    for (const Json& real : row.Find("random")->AsArray()) {
      EXPECT_EQ(random.Random(), Number(real)) << seed;
    }
  }
  for (const Json& row : oracle.Find("sample")->AsArray()) {
    PythonRandom random(static_cast<uint64_t>(row.Find("seed")->AsInteger()));
    const std::vector<int64_t> drawn =
        random.Sample(row.Find("n")->AsInteger(), row.Find("k")->AsInteger());
    const Json::Array& wanted = row.Find("indices")->AsArray();
    ASSERT_EQ(drawn.size(), wanted.size());
    for (size_t i = 0; i < drawn.size(); ++i) EXPECT_EQ(drawn[i], wanted[i].AsInteger());
  }
  for (const Json& row : oracle.Find("shuffle")->AsArray()) {
    PythonRandom random(static_cast<uint64_t>(row.Find("seed")->AsInteger()));
    std::vector<int64_t> values(static_cast<size_t>(row.Find("n")->AsInteger()));
    std::iota(values.begin(), values.end(), 0);
    random.Shuffle(&values);
    const Json::Array& wanted = row.Find("result")->AsArray();
    ASSERT_EQ(values.size(), wanted.size());
    for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(values[i], wanted[i].AsInteger());
  }
}

TEST(Random, GpqaOrdersAreThoseOfSimpleEvals) {
  SKIP_WITHOUT_SHARED("vectors/prompt_oracle.json");
  const Json oracle =
      testing_support::ReadJsonFile(testing_support::SharedPath("vectors/prompt_oracle.json"));
  const Json& gpqa = *oracle.Find("gpqa_simple_evals");
  const Json::Array& wanted = gpqa.Find("permutations")->AsArray();
  const std::vector<std::array<int, 4>> orders = SimpleEvalsGpqaOrders(198, 4);
  ASSERT_EQ(orders.size(), wanted.size());
  std::string gold;
  for (size_t i = 0; i < orders.size(); ++i) {
    std::string digits;
    for (size_t shown = 0; shown < 4; ++shown) {
      digits += static_cast<char>('0' + orders[i][shown]);
      if (orders[i][shown] == 0) gold += static_cast<char>('A' + shown);
    }
    EXPECT_EQ(digits, wanted[i].AsString()) << i;
  }
  EXPECT_EQ(gold, gpqa.Find("gold_letters")->AsString());
}

TEST(Random, PythonKeepsItsFirstNumbers) {
  // As CPython 3.11 prints them, in this order.
  PythonRandom random(2026);
  for (const uint32_t word : {511616025U, 1372175472U, 2158288730U}) {
    EXPECT_EQ(random.GetRandBits32(), word);
  }
  EXPECT_EQ(random.Random(), 0.9513425790654324);
  EXPECT_THAT(random.Sample(1000, 5), ElementsAre(662, 880, 975, 105, 905));
  EXPECT_THAT(random.Sample(10, 3), ElementsAre(3, 8, 6));
  EXPECT_EQ(random.Below(1'000'000'000'000), 630429788277U);
  std::vector<int> values = {0, 1, 2, 3, 4, 5, 6, 7};
  random.Shuffle(&values);
  EXPECT_THAT(values, ElementsAre(5, 2, 0, 1, 3, 4, 6, 7));
  // A seed of two words.
  PythonRandom wide((uint64_t{1} << 40) + 17);
  EXPECT_EQ(wide.GetRandBits32(), 2840774218U);
  EXPECT_EQ(wide.GetRandBits32(), 3282848423U);
  EXPECT_EQ(wide.GetRandBits(48), 128811401488070U);
  EXPECT_EQ(wide.GetRandBits(64), 13909752014883308044U);
}

// ---- means over problems ----

TEST(Means, ReproduceTheOracle) {
  SKIP_WITHOUT_SHARED("vectors/stats_oracle.json");
  for (const Json& row : Rows("pass1")) {
    std::vector<std::vector<double>> scores;
    for (const Json& one : row.Find("input")->Find("q")->AsArray()) scores.push_back(Numbers(one));
    std::map<std::string, int> numbers;
    std::vector<int> clusters;
    for (const Json& name : row.Find("input")->Find("cluster")->AsArray()) {
      clusters.push_back(
          numbers.emplace(name.AsString(), static_cast<int>(numbers.size())).first->second);
    }
    const MeanParts parts = TakeApart(Problems(scores, clusters));
    const Json& expect = *row.Find("expect");
    EXPECT_EQ(parts.problems, expect.Find("n")->AsInteger());
    EXPECT_EQ(parts.clusters, static_cast<int64_t>(numbers.size()));
    ExpectClose(parts.mean, Number(expect, "macro_mean"), "macro");
    ExpectClose(parts.micro_mean, Number(expect, "micro_mean"), "micro");
    ExpectClose(*parts.se_question, Number(expect, "se_question"), "question");
    ExpectClose(*parts.se_sampling, Number(expect, "se_sampling_only"), "sampling");
    ExpectClose(parts.se_naive, Number(expect, "se_naive_binomial_over_all_samples"), "naive");
    ExpectClose(parts.se_cluster_cr0, Number(expect, "se_cluster_CR0"), "CR0");
    ExpectClose(*parts.se_cluster, Number(expect, "se_cluster_CR1_inspect"), "CR1");
    ExpectClose(*parts.se_cluster_miller, Number(expect, "se_miller_cluster"), "Miller");
    ExpectClose(*parts.between_variance, Number(expect, "between_var"), "between");
    ExpectClose(*parts.within_variance, Number(expect, "within_var_of_question_mean"), "within");
    const Estimate estimate = MeanEstimate(Problems(scores));
    const std::vector<double> interval = Numbers(*expect.Find("t_ci95"));
    ExpectClose(estimate.value(), Number(expect, "macro_mean"), "value");
    ExpectClose(estimate.standard_error(), Number(expect, "se_question"), "error");
    ExpectClose(estimate.low(), interval[0], "low");
    ExpectClose(estimate.high(), interval[1], "high");
    EXPECT_THAT(estimate.method(), HasSubstr("t over"));
    const Estimate clustered = MeanEstimate(Problems(scores, clusters));
    ExpectClose(clustered.standard_error(), Number(expect, "se_cluster_CR1_inspect"), "clustered");
    EXPECT_THAT(clustered.method(), HasSubstr("CR1"));
  }
}

TEST(Means, HandComputed) {
  // Means 1, 1/2, 0: mean 1/2, squares 1/4 + 0 + 1/4, SE = sqrt(1/2 / 6); t(0.975, 2) = 4.3027:
  // 0.5 +- 1.242 leaves [0, 1], so an effective n of (1/4) / (1/12) = 3 takes over.
  const Estimate estimate = MeanEstimate(Problems({{1, 1}, {1, 0}, {0, 0}}));
  EXPECT_DOUBLE_EQ(estimate.value(), 0.5);
  EXPECT_DOUBLE_EQ(estimate.standard_error(), std::sqrt(1.0 / 12));
  const Interval wilson = WilsonIntervalAt(1.5, 3, StudentQuantile(0.975, 2));
  EXPECT_DOUBLE_EQ(estimate.low(), wilson.low);
  EXPECT_DOUBLE_EQ(estimate.high(), wilson.high);
  EXPECT_THAT(estimate.method(), HasSubstr("effective n of 3.0"));
  EXPECT_EQ(estimate.problems(), 3);
  EXPECT_EQ(estimate.samples(), 6);
}

TEST(Means, UnevenSampleCountsWeighProblemsEqually) {
  const Estimate estimate = MeanEstimate(Problems({{1, 1, 1, 1, 1, 1, 1, 1}, {0}, {1, 0}}));
  EXPECT_DOUBLE_EQ(estimate.value(), 0.5);  // not 9/11
  EXPECT_EQ(estimate.samples(), 11);
  EXPECT_FALSE(TakeApart(Problems({{1, 1}, {0}})).se_sampling);  // one sample says no spread
}

TEST(Means, OneSampleAProblemIsWilson) {
  const Estimate estimate = MeanEstimate(Binary(24, 30));
  const Interval wilson = WilsonInterval(24, 30);
  EXPECT_DOUBLE_EQ(estimate.low(), wilson.low);
  EXPECT_DOUBLE_EQ(estimate.high(), wilson.high);
  EXPECT_DOUBLE_EQ(estimate.standard_error(), std::sqrt(0.8 * 0.2 / 29));
  EXPECT_EQ(estimate.method(), "Wilson on 30 problems");
  const Estimate same = ProportionEstimate(24, 30);
  EXPECT_DOUBLE_EQ(same.low(), estimate.low());
  EXPECT_DOUBLE_EQ(same.standard_error(), estimate.standard_error());
}

// Nothing that a run can store gives an interval of no width, or one beyond [0, 1], or an error 0.
TEST(Means, NoDataGiveAFalseCertainty) {
  std::vector<std::vector<ProblemMean>> inputs;
  for (const int n : {1, 2, 3, 30, 1000}) {
    inputs.push_back(Binary(0, n));
    inputs.push_back(Binary(n, n));
    inputs.push_back(Binary(n - 1, n));
    for (const int cluster : {-1, 7}) {
      for (const double mean : {0.0, 1.0 / 3, 0.5, 1.0}) {
        inputs.emplace_back(static_cast<size_t>(n), ProblemMean{mean, 0.1, 64, cluster});
        inputs.back().front().mean = 0.999;  // one that differs a little
        inputs.emplace_back(static_cast<size_t>(n), ProblemMean{mean, 0.1, 64, cluster});
      }
    }
  }
  for (const std::vector<ProblemMean>& input : inputs) {
    for (const Estimate& estimate : {MeanEstimate(input), BootstrapEstimate(input, 200, 1)}) {
      const std::string what = EstimateToJson(estimate).Dump();
      EXPECT_GE(estimate.low(), 0) << what;
      EXPECT_LE(estimate.high(), 1) << what;
      EXPECT_LE(estimate.low(), estimate.value()) << what;
      EXPECT_GE(estimate.high(), estimate.value()) << what;
      EXPECT_GT(estimate.high() - estimate.low(), 1e-6) << what;
      EXPECT_GT(estimate.standard_error(), 0) << what;
      EXPECT_FALSE(estimate.method().empty());
    }
  }
}

TEST(Means, AllRightClaimsNoMoreThanTheProblemsCanSay) {
  // 64 samples of each of 30 problems, all right: still 30 problems.
  std::vector<ProblemMean> problems(30, ProblemMean{1, 0, 64, -1});
  EXPECT_DOUBLE_EQ(MeanEstimate(problems).low(), WilsonInterval(30, 30).low);
  for (size_t i = 0; i < problems.size(); ++i) problems[i].cluster = static_cast<int>(i / 6);
  EXPECT_DOUBLE_EQ(MeanEstimate(problems).low(), WilsonInterval(5, 5).low);
  EXPECT_THAT(MeanEstimate(problems).method(), HasSubstr("5 clusters"));
}

TEST(Means, ProblemsInOneClusterAloneSayNothingOfOthers) {
  std::vector<ProblemMean> problems = Binary(15, 30);
  for (ProblemMean& problem : problems) problem.cluster = 3;
  const Estimate estimate = MeanEstimate(problems);
  EXPECT_DOUBLE_EQ(estimate.low(), WilsonInterval(0.5, 1).low);
}

TEST(Means, ClustersOfOneProblemAreNoClusters) {
  std::vector<ProblemMean> problems = Problems({{1, 1}, {1, 0}, {0, 0}, {1, 0}, {1, 0}, {0, 1}});
  const Estimate alone = MeanEstimate(problems);
  for (size_t i = 0; i < problems.size(); ++i) problems[i].cluster = static_cast<int>(i);
  EXPECT_DOUBLE_EQ(MeanEstimate(problems).low(), alone.low());
  EXPECT_EQ(MeanEstimate(problems).method(), alone.method());
}

TEST(Means, CopiesOfAProblemInAClusterAddNothing) {
  // Each problem four times over, clustered: about the error of the problems once, not half of it.
  std::vector<ProblemMean> once =
      Problems({{1, 1}, {1, 0}, {0, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 0}});
  std::vector<ProblemMean> copies;
  for (size_t i = 0; i < once.size(); ++i) {
    for (int copy = 0; copy < 4; ++copy) {
      copies.push_back(once[i]);
      copies.back().cluster = static_cast<int>(i);
    }
  }
  EXPECT_NEAR(MeanEstimate(copies).standard_error(), MeanEstimate(once).standard_error(), 1e-12);
}

// Summed up in one pass, against the textbook's two passes over all values.
TEST(Means, SumsAreThoseOfTwoPasses) {
  Xoshiro256 random(11);
  for (const bool clustered : {false, true}) {
    std::vector<ProblemMean> problems;
    for (int i = 0; i < 1000; ++i) {
      // Close together and far from 0: what differences of large sums would lose.
      const double mean = 0.9 + 1e-7 * static_cast<double>(random.Below(1000));
      const int cluster = clustered && i % 4 != 0 ? static_cast<int>(random.Below(60)) : -1;
      problems.push_back({mean, 0.01, 1 + static_cast<int64_t>(random.Below(3)), cluster});
    }
    double center = 0;
    for (const ProblemMean& problem : problems) center += problem.mean / 1000;
    double squares = 0, by_cluster = 0;
    std::map<int, double> clusters;
    for (const ProblemMean& problem : problems) {
      const double residual = problem.mean - center;
      squares += residual * residual;
      if (problem.cluster >= 0) clusters[problem.cluster] += residual;
      if (problem.cluster < 0) by_cluster += residual * residual;
    }
    for (const auto& [number, sum] : clusters) by_cluster += sum * sum;
    const MeanParts parts = TakeApart(problems);
    EXPECT_NEAR(parts.mean, center, 1e-14);
    EXPECT_NEAR(*parts.se_question / std::sqrt(squares / (1000.0 * 999)), 1, 1e-7);
    EXPECT_NEAR(parts.se_cluster_cr0 / (std::sqrt(by_cluster) / 1000), 1, 1e-7);
    EXPECT_EQ(parts.clusters, clustered ? 250 + static_cast<int64_t>(clusters.size()) : 1000);
    std::reverse(problems.begin(), problems.end());
    EXPECT_NEAR(TakeApart(problems).se_cluster_cr0 / parts.se_cluster_cr0, 1, 1e-7);
  }
}

TEST(Means, ManyEqualValuesHaveNoSpread) {
  MeanSums sums;
  for (int i = 0; i < 300000; ++i) sums.Add({0.3, 0, 1, i % 7});
  EXPECT_THAT(MeanEstimate(sums).method(), HasSubstr("error from the interval's width"));
}

TEST(Means, AnotherLevelIsAnotherWidth) {
  const std::vector<ProblemMean> problems = Problems({{1, 1, 0}, {1, 0, 0}, {0, 0, 1}, {1, 0, 1}});
  EXPECT_LT(MeanEstimate(problems, 0.8).high(), MeanEstimate(problems, 0.95).high());
  EXPECT_EQ(MeanEstimate(problems, 0.8).level(), 0.8);
}

TEST(Ratios, AccuracyAmongFinished) {
  // 14 right of 19 finished samples, 6 problems: the oracle of token budgets, by hand.
  const std::vector<RatioTerm> terms = {{3, 4}, {2, 3}, {1, 1}, {4, 4}, {1, 4}, {3, 3}};
  const Estimate estimate = RatioEstimate(terms);
  EXPECT_DOUBLE_EQ(estimate.value(), 14.0 / 19);
  double squares = 0;
  for (const RatioTerm& term : terms) {
    squares += std::pow(term.numerator - 14.0 / 19 * term.denominator, 2);
  }
  EXPECT_NEAR(estimate.standard_error(), std::sqrt(squares * 6 / 5) / 19, 1e-15);
  EXPECT_EQ(estimate.samples(), 19);
}

TEST(Ratios, WithoutRepeatsIsAProportion) {
  const Estimate ratio = RatioEstimate(std::vector<RatioTerm>{{1, 1}, {0, 1}, {0, 0}, {1, 1}});
  EXPECT_DOUBLE_EQ(ratio.low(), WilsonInterval(2, 3).low);
  EXPECT_EQ(ratio.problems(), 3);
}

// ---- intervals ----

TEST(Intervals, ReproduceTheOracle) {
  SKIP_WITHOUT_SHARED("vectors/stats_oracle.json");
  const std::map<std::string, Interval (*)(double, double, double)> kinds = {
      {"wilson", WilsonInterval},
      {"wilson_cc", WilsonContinuityInterval},
      {"clopper_pearson", ClopperPearsonInterval},
      {"jeffreys", JeffreysInterval},
      {"agresti_coull", AgrestiCoullInterval},
      {"wald", WaldInterval}};
  for (const Json& row : Rows("intervals")) {
    for (const auto& [name, function] : kinds) {
      const Interval got = function(Number(row, "x"), Number(row, "n"), Number(row, "level"));
      const std::vector<double> wanted = Numbers(*row.Find(name));
      ExpectClose(got.low, wanted[0], name + " low " + row.Dump());
      ExpectClose(got.high, wanted[1], name + " high " + row.Dump());
    }
  }
  for (const Json& row : Rows("newcombe")) {
    const auto count = [&](std::string_view name) { return row.Find(name)->AsInteger(); };
    const Interval got = NewcombeInterval(count("x1"), count("n1"), count("x2"), count("n2"));
    ExpectClose(got.low, Number(row, "lo"), "newcombe " + row.Dump());
    ExpectClose(got.high, Number(row, "hi"), "newcombe " + row.Dump());
  }
}

TEST(Intervals, WilsonEndsSolveTheScoreEquation) {
  // The ends are where |p - x/n| = z sqrt(p(1-p)/n).
  const double z = NormalQuantile(0.975);
  const Interval wilson = WilsonInterval(7, 20);
  for (const double end : {wilson.low, wilson.high}) {
    EXPECT_NEAR(std::abs(end - 0.35), z * std::sqrt(end * (1 - end) / 20), 1e-14);
  }
}

TEST(Intervals, RuleOfThree) {
  EXPECT_NEAR(ClopperPearsonInterval(0, 30).high, 1 - std::pow(0.025, 1.0 / 30), 1e-14);
  EXPECT_NEAR(ClopperPearsonInterval(30, 30).low, std::pow(0.025, 1.0 / 30), 1e-14);
}

TEST(Intervals, AreSymmetricInRightAndWrong) {
  for (const auto interval : {WilsonInterval, WilsonContinuityInterval, ClopperPearsonInterval,
                              JeffreysInterval, AgrestiCoullInterval, WaldInterval}) {
    for (int x = 0; x <= 12; ++x) {
      const Interval right = interval(x, 12, 0.9);
      const Interval wrong = interval(12 - x, 12, 0.9);
      EXPECT_NEAR(right.low, 1 - wrong.high, 1e-12) << x;
      EXPECT_NEAR(right.high, 1 - wrong.low, 1e-12) << x;
    }
  }
}

// ---- several samples of one problem ----

TEST(Samples, PassAtKReproducesTheOracle) {
  SKIP_WITHOUT_SHARED("vectors/stats_oracle.json");
  for (const Json& row : Rows("pass_at_k")) {
    const auto count = [&](std::string_view name) { return row.Find(name)->AsInteger(); };
    const int64_t n = count("n");
    ExpectClose(PassAtK(n, count("c"), count("k")), Number(row, "value"), row.Dump());
    ExpectClose(PassHatK(n, count("c"), count("k")), Number(row, "pass_hat_k"), row.Dump());
  }
}

TEST(Samples, GPassAtKReproducesTheOracle) {
  SKIP_WITHOUT_SHARED("vectors/stats_oracle.json");
  for (const Json& row : Rows("g_pass_at_k")) {
    const auto count = [&](std::string_view name) { return row.Find(name)->AsInteger(); };
    const std::string tau = row.Find("tau")->AsString();
    double got = 0;
    if (tau == "mG") {
      got = MeanGPassAtK(count("n"), count("c"), count("k"));
    } else {
      ASSERT_OK_AND_ASSIGN(const Rational threshold, ParseThreshold(tau));
      got = GPassAtK(count("n"), count("c"), count("k"), threshold);
    }
    ExpectClose(got, Number(row, "value"), row.Dump());
  }
}

TEST(Samples, MajorityReproducesTheOracle) {
  SKIP_WITHOUT_SHARED("vectors/stats_oracle.json");
  for (const Json& row : Rows("maj_at_k")) {
    std::vector<VoteClass> classes = {{row.Find("correct")->AsInteger(), 1}};
    for (const Json& other : row.Find("others")->AsArray()) {
      classes.push_back({other.AsInteger(), 0});
    }
    const bool drop = row.Find("invalid_policy")->AsString() == "drop";
    const double got =
        MajorityAtK(classes, row.Find("invalid")->AsInteger(), row.Find("k")->AsInteger(),
                    drop ? InvalidVotes::kDrop : InvalidVotes::kClass);
    ExpectClose(got, Number(row, "value"), row.Dump());
  }
}

// Calls `visit` with every subset of size k of 0..n-1.
void ForEachSubset(size_t n, size_t k,
                   const std::function<void(const std::vector<size_t>&)>& visit) {
  std::vector<bool> chosen(n, false);
  std::fill(chosen.end() - static_cast<std::ptrdiff_t>(k), chosen.end(), true);
  do {
    std::vector<size_t> subset;
    for (size_t i = 0; i < n; ++i) {
      if (chosen[i]) subset.push_back(i);
    }
    visit(subset);
  } while (std::next_permutation(chosen.begin(), chosen.end()));
}

TEST(Samples, PassesEqualEnumeration) {
  for (int64_t n = 1; n <= 8; ++n) {
    for (int64_t correct = 0; correct <= n; ++correct) {
      for (int64_t k = 1; k <= n; ++k) {
        std::vector<int64_t> subsets_by_right(static_cast<size_t>(k) + 1, 0);
        int64_t all = 0;
        ForEachSubset(static_cast<size_t>(n), static_cast<size_t>(k), [&](const auto& subset) {
          const auto right = std::count_if(subset.begin(), subset.end(), [&](size_t i) {
            return static_cast<int64_t>(i) < correct;
          });
          ++subsets_by_right[static_cast<size_t>(right)];
          ++all;
        });
        const auto at_least = [&](int64_t threshold) {
          return static_cast<double>(std::accumulate(subsets_by_right.begin() + threshold,
                                                     subsets_by_right.end(), int64_t{0})) /
                 static_cast<double>(all);
        };
        EXPECT_NEAR(PassAtK(n, correct, k), at_least(1), 1e-14);
        EXPECT_NEAR(PassHatK(n, correct, k), at_least(k), 1e-14);
        EXPECT_NEAR(GPassAtK(n, correct, k, {1, 2}), at_least((k + 1) / 2), 1e-14);
        if (k < 2) continue;
        double sum = 0;
        for (int64_t i = (k + 1) / 2 + 1; i <= k; ++i) sum += at_least(i);
        EXPECT_NEAR(MeanGPassAtK(n, correct, k), sum * 2 / static_cast<double>(k), 1e-14);
      }
    }
  }
}

double MajorityByEnumeration(const std::vector<VoteClass>& classes, int64_t invalid, int64_t k,
                             InvalidVotes policy) {
  std::vector<size_t> vote_of;  // the class of each sample; classes.size(): invalid
  for (size_t i = 0; i < classes.size(); ++i) {
    vote_of.insert(vote_of.end(), static_cast<size_t>(classes[i].votes), i);
  }
  vote_of.insert(vote_of.end(), static_cast<size_t>(invalid), classes.size());
  double total = 0;
  int64_t subsets = 0;
  ForEachSubset(vote_of.size(), static_cast<size_t>(k), [&](const std::vector<size_t>& subset) {
    std::vector<int> votes(classes.size() + 1, 0);
    for (const size_t sample : subset) ++votes[vote_of[sample]];
    if (policy == InvalidVotes::kDrop) votes.back() = 0;
    const int most = *std::max_element(votes.begin(), votes.end());
    double score = 0;
    int tied = 0;
    for (size_t i = 0; i < votes.size(); ++i) {
      if (votes[i] != most) continue;
      ++tied;
      score += i < classes.size() ? classes[i].score : 0;
    }
    total += most == 0 ? 0 : score / tied;
    ++subsets;
  });
  return total / static_cast<double>(subsets);
}

TEST(Samples, MajorityEqualsEnumeration) {
  const std::vector<std::vector<VoteClass>> cases = {
      {{3, 1}, {2, 0}, {2, 0}, {1, 0}},
      {{2, 1}, {2, 1}, {3, 0}},            // two classes that are both right
      {{4, 0.5}, {3, 1}, {1, 0}, {1, 0}},  // scores between
      {{1, 1}, {1, 0}, {1, 0}, {1, 0}, {1, 0}, {1, 0}},
      {{5, 0}, {2, 1}},
      {{9, 1}},
      {}};
  for (const std::vector<VoteClass>& classes : cases) {
    for (const int64_t invalid : {0, 1, 3}) {
      int64_t n = invalid;
      for (const VoteClass& one : classes) n += one.votes;
      for (int64_t k = 1; k <= n; ++k) {
        for (const InvalidVotes policy : {InvalidVotes::kDrop, InvalidVotes::kClass}) {
          EXPECT_NEAR(MajorityAtK(classes, invalid, k, policy),
                      MajorityByEnumeration(classes, invalid, k, policy), 1e-12)
              << "k=" << k << " invalid=" << invalid;
        }
      }
    }
  }
}

TEST(Samples, MajorityOfManyStaysFinite) {
  const std::vector<VoteClass> halves = {{300, 1}, {300, 0}, {200, 0}};
  const double share = MajorityAtK(halves, 200, 500);
  EXPECT_GT(share, 0.45);
  EXPECT_LT(share, 0.5);
}

TEST(Samples, ThresholdsAreExact) {
  struct Case {
    std::string text;
    int64_t numerator, denominator;
  };
  for (const Case& one : {Case{"0.5", 5, 10},
                          {"1/2", 1, 2},
                          {"1", 1, 1},
                          {"0.07", 7, 100},
                          {"1.0", 10, 10},
                          {".25", 25, 100}}) {
    ASSERT_OK_AND_ASSIGN(const Rational tau, ParseThreshold(one.text));
    EXPECT_EQ(tau.numerator, one.numerator) << one.text;
    EXPECT_EQ(tau.denominator, one.denominator) << one.text;
  }
  for (const std::string_view wrong : {"0", "1.5", "-0.5", "", "x", "1/0", "2/1", "0.5.5", "1/2/3",
                                       "0.-5", "nan", "1e-1", ".", "0.1234567890"}) {
    EXPECT_FALSE(ParseThreshold(wrong).ok()) << wrong;
  }
  // 100 * 0.07 is 7.000000000000001 in floating point: 8 right would be asked for.
  ASSERT_OK_AND_ASSIGN(const Rational seven, ParseThreshold("0.07"));
  EXPECT_EQ(GPassAtK(100, 7, 100, seven), 1);
}

// ---- two runs ----

TEST(Paired, ReproducesTheOracle) {
  SKIP_WITHOUT_SHARED("vectors/stats_oracle.json");
  for (const Json& row : Rows("paired")) {
    const std::vector<double> a = Numbers(*row.Find("a"));
    const std::vector<double> b = Numbers(*row.Find("b"));
    const PairedComparison got = ComparePairs(a, b);
    const Json& expect = *row.Find("expect");
    EXPECT_EQ(got.problems, expect.Find("n")->AsInteger());
    ExpectClose(got.mean_difference, Number(expect, "mean_diff"), "difference");
    ExpectClose(got.se_paired, Number(expect, "se_paired"), "paired");
    ExpectClose(got.se_unpaired, Number(expect, "se_unpaired"), "unpaired");
    ExpectClose(*got.correlation, Number(expect, "pearson"), "pearson");
    ExpectClose(*got.t, Number(expect, "t"), "t");
    ExpectClose(got.p_t, Number(expect, "p_t"), "p_t");
    ExpectClose(got.p_z, Number(expect, "p_z"), "p_z");
    ExpectClose(got.p_sign_flip, Number(expect, "signflip_exact_p"), "flip");
    EXPECT_TRUE(got.sign_flip_exact);
    EXPECT_EQ(got.wins, expect.Find("wins")->AsInteger());
    EXPECT_EQ(got.losses, expect.Find("losses")->AsInteger());
    EXPECT_EQ(got.ties, expect.Find("ties")->AsInteger());
    std::vector<PairedDifference> differences;
    for (size_t i = 0; i < a.size(); ++i) differences.push_back({a[i] - b[i]});
    const Estimate estimate = DifferenceEstimate(differences, 2 * got.problems);
    ExpectClose(estimate.value(), Number(expect, "mean_diff"), "estimate");
    ExpectClose(estimate.standard_error(), Number(expect, "se_paired"), "its error");
    // The interval and the p-value say the same.
    EXPECT_EQ(estimate.low() > 0, got.p_t < 0.05);
  }
}

TEST(Means, ARatioWithoutAnUpperEnd) {
  // 10 + 20 + 60 tokens for 1 + 2 + 3 right answers: r = 15; residuals -5, -10, 15; standard error
  // sqrt(3/2 * 350) / 6; t with 2 degrees of freedom is 4.302652729911275.
  const std::vector<RatioTerm> terms = {{10, 1}, {20, 2}, {60, 3}};
  const std::optional<Estimate> got = PositiveRatioEstimate(terms, 9);
  ASSERT_TRUE(got);
  const double error = std::sqrt(1.5 * 350) / 6;
  ExpectClose(got->value(), 15, "value");
  ExpectClose(got->standard_error(), error, "error");
  ExpectClose(got->high(), 15 * std::exp(4.302652729911275 * error / 15), "high");
  ExpectClose(got->low() * got->high(), 15.0 * 15.0, "symmetric in the logarithm");
  EXPECT_EQ(got->problems(), 3);
  EXPECT_EQ(got->samples(), 9);
  // A problem without a right answer costs tokens all the same.
  ExpectClose(PositiveRatioEstimate(std::vector<RatioTerm>{{10, 1}, {20, 0}}, 2)->value(), 30,
              "30");
  // No error can be told: nothing right, one problem, no spread.
  EXPECT_FALSE(PositiveRatioEstimate(std::vector<RatioTerm>{{10, 0}, {20, 0}}, 2));
  EXPECT_FALSE(PositiveRatioEstimate(std::vector<RatioTerm>{{10, 1}}, 1));
  EXPECT_FALSE(PositiveRatioEstimate(std::vector<RatioTerm>{{10, 1}, {20, 2}}, 2));
  EXPECT_FALSE(PositiveRatioEstimate(std::vector<RatioTerm>{}, 0));
}

TEST(Paired, SwappingTheRunsSwapsTheSigns) {
  const std::vector<double> a = {1, 0.5, 0.75, 0, 1, 0.25};
  const std::vector<double> b = {0.5, 0.5, 0.25, 0.25, 1, 0};
  const PairedComparison forward = ComparePairs(a, b);
  const PairedComparison backward = ComparePairs(b, a);
  EXPECT_DOUBLE_EQ(forward.mean_difference, -backward.mean_difference);
  EXPECT_DOUBLE_EQ(forward.p_t, backward.p_t);
  EXPECT_DOUBLE_EQ(forward.p_sign_flip, backward.p_sign_flip);
  EXPECT_EQ(forward.wins, backward.losses);
}

TEST(Paired, SignFlipsByHand) {
  // Differences 1, 1, 1: of the 8 assignments of signs only +++ and --- are as far out.
  EXPECT_DOUBLE_EQ(
      ComparePairs(std::vector<double>{1, 1, 1}, std::vector<double>{0, 0, 0}).p_sign_flip, 0.25);
  // Three equal differences have no spread: no t, and the sign-flip p stands for its p.
  const PairedComparison alike =
      ComparePairs(std::vector<double>{1, 1, 1}, std::vector<double>{0, 0, 0});
  EXPECT_FALSE(alike.t);
  EXPECT_DOUBLE_EQ(alike.p_t, 0.25);
}

TEST(Paired, MonteCarloAgreesWithTheBinomialTail) {
  // 30 problems differ by 1, 21 of them to one side: P(|2X - 30| >= 12), X ~ Binomial(30, 1/2).
  std::vector<double> a(40, 0.5);
  std::vector<double> b(40, 0.5);
  for (size_t i = 0; i < 30; ++i) (i < 21 ? a : b)[i] = 1.5;
  const PairedComparison got = ComparePairs(a, b, 99);
  EXPECT_FALSE(got.sign_flip_exact);
  const double wanted = McNemar(21, 9).p_exact;
  EXPECT_NEAR(got.p_sign_flip, wanted, 4 * std::sqrt(wanted / 20000));
  EXPECT_EQ(ComparePairs(a, b, 99).p_sign_flip, got.p_sign_flip);  // the seed decides
}

TEST(Paired, MonteCarloAgreesWithEnumeration) {
  // 18 differences of mixed sizes are enumerated; two more that weigh next to nothing are not.
  std::vector<double> a;
  for (int i = 0; i < 18; ++i) a.push_back((i % 4 + 1) * (i % 3 == 0 ? -0.25 : 0.25));
  const std::vector<double> zeros(21, 0.0);
  const double exact = ComparePairs(a, std::span(zeros).first(18)).p_sign_flip;
  for (int i = 0; i < 3; ++i) a.push_back(1e-11);
  const PairedComparison drawn = ComparePairs(a, zeros, 3);
  EXPECT_FALSE(drawn.sign_flip_exact);
  EXPECT_NEAR(drawn.p_sign_flip, exact, 4 * std::sqrt(exact * (1 - exact) / 20000));
}

TEST(Paired, EqualRunsDifferByNothingButNotForSure) {
  const std::vector<double> same = {1, 0, 1, 1, 0, 0, 1, 1, 1, 1};
  const PairedComparison got = ComparePairs(same, same);
  EXPECT_EQ(got.p_t, 1);
  EXPECT_EQ(got.p_sign_flip, 1);
  EXPECT_EQ(got.ties, 10);
  const Estimate estimate =
      DifferenceEstimate(std::vector<PairedDifference>(10, PairedDifference{0}), 20);
  const double z2 = std::pow(NormalQuantile(0.975), 2);
  EXPECT_EQ(estimate.value(), 0);
  EXPECT_NEAR(estimate.high(), z2 / (10 + z2), 1e-12);  // as Tango's score interval has it
  EXPECT_NEAR(estimate.low(), -z2 / (10 + z2), 1e-12);
  EXPECT_GT(estimate.standard_error(), 0);
}

TEST(Paired, DifferencesStayWithinBounds) {
  for (const std::vector<double>& values : std::vector<std::vector<double>>{
           {1}, {-1}, {0}, {1, 1, 1}, {1, -1}, {1, 1, 0.99}, {-1, -1, -0.5, -1}}) {
    std::vector<PairedDifference> differences;
    for (const double value : values) differences.push_back({value});
    const Estimate estimate = DifferenceEstimate(differences, 2);
    EXPECT_GE(estimate.low(), -1);
    EXPECT_LE(estimate.high(), 1);
    EXPECT_LE(estimate.low(), estimate.value());
    EXPECT_GE(estimate.high(), estimate.value());
    EXPECT_GT(estimate.high() - estimate.low(), 0.01);
    EXPECT_GT(estimate.standard_error(), 0);
  }
}

TEST(Paired, McNemarReproducesTheOracle) {
  SKIP_WITHOUT_SHARED("vectors/stats_oracle.json");
  for (const Json& row : Rows("mcnemar")) {
    const McNemarTest got = McNemar(row.Find("b")->AsInteger(), row.Find("c")->AsInteger());
    ExpectClose(got.p_exact, Number(row, "exact"), row.Dump());
    ExpectClose(got.p_mid, Number(row, "midp"), row.Dump());
    EXPECT_EQ(got.chi2.has_value(), !row.Find("chi2")->is_null());
    if (!got.chi2) continue;
    ExpectClose(*got.chi2, Number(row, "chi2"), row.Dump());
    ExpectClose(got.p_chi2, Number(row, "p_chi2"), row.Dump());
    ExpectClose(*got.chi2_cc, Number(row, "chi2_cc"), row.Dump());
    ExpectClose(got.p_chi2_cc, Number(row, "p_chi2_cc"), row.Dump());
  }
}

TEST(Paired, McNemarByHand) {
  EXPECT_DOUBLE_EQ(McNemar(5, 1).p_exact, 2 * (1 + 6) / 64.0);
  EXPECT_DOUBLE_EQ(McNemar(5, 1).p_mid, (2 * (1 + 6) - 6) / 64.0);
  EXPECT_DOUBLE_EQ(McNemar(3, 8).p_exact, McNemar(8, 3).p_exact);
  EXPECT_LT(McNemar(1000, 700).p_exact, 1e-12);
}

TEST(Power, ReproducesTheOracle) {
  SKIP_WITHOUT_SHARED("vectors/stats_oracle.json");
  for (const Json& row : Rows("power")) {
    const PairedVariance variance = {Number(row, "omega2"), Number(row, "sigma_a2"),
                                     Number(row, "sigma_b2"), Number(row, "K_a"),
                                     Number(row, "K_b")};
    const double alpha = Number(row, "alpha");
    const double beta = Number(row, "beta");
    if (row.Find("mde") != nullptr) {
      const double got = DetectableDifference(variance, row.Find("n")->AsInteger(), alpha, beta);
      ExpectClose(got, Number(row, "mde"), row.Dump());
    } else {
      const double got = ProblemsNeeded(variance, Number(row, "delta"), alpha, beta);
      // The oracle's omega2 and sigma2 are themselves rounded to 18 digits.
      ExpectClose(got, Number(row, "n_required"), row.Dump());
      EXPECT_EQ(std::ceil(got), Number(row, "n_ceil"));
    }
  }
}

TEST(Power, DetectableDifferenceInvertsProblemsNeeded) {
  const PairedVariance variance = {0.02, 0.1, 0.2, 4, 8};
  const double difference = DetectableDifference(variance, 100);
  EXPECT_NEAR(ProblemsNeeded(variance, difference), 100, 1e-9);
}

TEST(Multiplicity, ReproducesTheOracle) {
  SKIP_WITHOUT_SHARED("vectors/stats_oracle.json");
  for (const Json& row : Rows("multiple")) {
    const std::vector<double> p = Numbers(*row.Find("p"));
    const auto check = [&](std::string_view name, const std::vector<double>& got) {
      const std::vector<double> wanted = Numbers(*row.Find(name));
      ASSERT_EQ(got.size(), wanted.size());
      for (size_t i = 0; i < got.size(); ++i) ExpectClose(got[i], wanted[i], std::string(name));
    };
    check("bonferroni", BonferroniAdjust(p));
    check("holm", HolmAdjust(p));
    check("bh", BenjaminiHochbergAdjust(p));
    check("by", BenjaminiYekutieliAdjust(p));
  }
}

TEST(Multiplicity, ByHand) {
  EXPECT_THAT(HolmAdjust(std::vector<double>{0.03, 0.01, 0.04}),
              ElementsAre(DoubleEq(0.06), DoubleEq(0.03), DoubleEq(0.06)));
  EXPECT_THAT(BenjaminiHochbergAdjust(std::vector<double>{0.03, 0.01, 0.05}),
              ElementsAre(DoubleEq(0.045), DoubleEq(0.03), DoubleEq(0.05)));
  EXPECT_TRUE(HolmAdjust({}).empty());
}

// ---- bootstrap ----

TEST(Bootstrap, ReproducesTheOracle) {
  SKIP_WITHOUT_SHARED("vectors/stats_oracle.json");
  for (const Json& row : Rows("bootstrap")) {
    const std::vector<double> means = Numbers(*row.Find("question_means"));
    const Json& expect = *row.Find("expect");
    const BootstrapResult got =
        BootstrapMean(means, static_cast<int>(expect.Find("B")->AsInteger()),
                      static_cast<uint64_t>(expect.Find("seed")->AsInteger()));
    ExpectClose(got.value, Number(expect, "estimate"), "value");
    const std::vector<double> first = Numbers(*expect.Find("first_replicates"));
    for (size_t i = 0; i < first.size(); ++i) ExpectClose(got.replicates[i], first[i], "replicate");
    ExpectClose(got.mean, Number(expect, "boot_mean"), "mean");
    ExpectClose(got.standard_error, Number(expect, "boot_se"), "error");
    const auto interval = [&](const Interval& one, std::string_view name) {
      const std::vector<double> wanted = Numbers(*expect.Find(name));
      ExpectClose(one.low, wanted[0], std::string(name));
      ExpectClose(one.high, wanted[1], std::string(name));
    };
    interval(got.percentile, "percentile_ci95");
    ExpectClose(got.bias_z0, Number(expect, "bca_z0"), "z0");
    ExpectClose(got.acceleration, Number(expect, "bca_acc"), "acceleration");
    interval(*got.bca_levels, "bca_levels");
    interval(*got.bca, "bca_ci95");
  }
}

TEST(Bootstrap, ErrorIsThatOfTheMean) {
  std::vector<ProblemMean> problems;
  for (int i = 0; i < 100; ++i) problems.push_back({(i * 37 % 101) / 100.0, 0, 4, -1});
  const double analytic = *TakeApart(problems).se_question;
  EXPECT_NEAR(BootstrapEstimate(problems, 4000, 5).standard_error(), analytic, 0.05 * analytic);
}

TEST(Bootstrap, ClustersAreDrawnWhole) {
  // Two problems a cluster, equal within: the error is that of 50 clusters, not of 100 problems.
  std::vector<ProblemMean> problems;
  for (int i = 0; i < 100; ++i) problems.push_back({(i / 2 * 37 % 51) / 50.0, 0, 1, i / 2});
  const double clustered = *TakeApart(problems).se_cluster;
  EXPECT_NEAR(BootstrapClusters(problems, 4000, 5).standard_error, clustered, 0.05 * clustered);
  EXPECT_GT(clustered, 1.3 * *TakeApart(problems).se_question);
}

TEST(Bootstrap, QuantilesInterpolate) {
  const std::vector<double> sorted = {1, 2, 4, 8};
  EXPECT_DOUBLE_EQ(QuantileOfSorted(sorted, 0), 1);
  EXPECT_DOUBLE_EQ(QuantileOfSorted(sorted, 0.5), 3);
  EXPECT_DOUBLE_EQ(QuantileOfSorted(sorted, 0.75), 5);
  EXPECT_DOUBLE_EQ(QuantileOfSorted(sorted, 1), 8);
}

// ---- token budgets ----

TEST(Budget, ReproducesTheOracle) {
  SKIP_WITHOUT_SHARED("vectors/cot_budget_cases.json");
  const Json oracle =
      testing_support::ReadJsonFile(testing_support::SharedPath("vectors/cot_budget_cases.json"));
  std::vector<std::vector<BudgetSample>> problems;
  std::vector<ProblemMean> truncation;
  std::vector<ProblemMean> all;
  std::vector<RatioTerm> finished;
  std::vector<Observed> lengths;
  double tokens = 0;
  double correct = 0;
  for (const Json& problem : oracle.Find("samples")->AsArray()) {
    std::vector<double> cut;
    std::vector<double> scores;
    problems.emplace_back();
    finished.emplace_back();
    for (const Json& sample : problem.AsArray()) {
      const Json::Array& fields = sample.AsArray();
      const bool truncated = fields[3].AsString() == "length";
      const BudgetSample one = {fields[0].AsInteger(), fields[1].AsInteger(), Number(fields[2]),
                                truncated};
      problems.back().push_back(one);
      cut.push_back(truncated ? 1 : 0);
      scores.push_back(one.score);
      finished.back().numerator += truncated ? 0 : one.score;
      finished.back().denominator += truncated ? 0 : 1;
      const auto length = static_cast<double>(one.reasoning_tokens + one.answer_tokens);
      lengths.push_back({length, truncated});
      tokens += length;
      correct += one.score;
    }
    truncation.push_back(MeanOfSamples(cut));
    all.push_back(MeanOfSamples(scores));
  }
  const Json::Array& curve = oracle.Find("curve")->AsArray();
  std::vector<int64_t> budgets;
  for (const Json& point : curve) budgets.push_back(point.Find("budget")->AsInteger());
  const std::vector<BudgetPoint> points = BudgetCurve(problems, budgets);
  for (size_t i = 0; i < curve.size(); ++i) {
    ExpectClose(points[i].accuracy.value(), Number(curve[i], "accuracy"), curve[i].Dump());
    EXPECT_NEAR(points[i].standard_error, Number(curve[i], "se"), kTolerance) << curve[i].Dump();
    ExpectClose(points[i].cut_share, Number(curve[i], "cut_share"), curve[i].Dump());
    EXPECT_GT(points[i].accuracy.high(), points[i].accuracy.low());
  }
  ExpectClose(TakeApart(truncation).mean, Number(*oracle.Find("truncation"), "rate"), "rate");
  EXPECT_NEAR(*TakeApart(truncation).se_question, Number(*oracle.Find("truncation"), "se_question"),
              kTolerance);
  ExpectClose(MeanEstimate(all).value(), Number(oracle, "accuracy_all"), "all");
  ExpectClose(RatioEstimate(finished).value(), Number(oracle, "accuracy_finished_only"), "done");
  ExpectClose(tokens / static_cast<double>(lengths.size()), Number(oracle, "mean_total_tokens"),
              "tokens");
  ExpectClose(tokens / correct, Number(oracle, "tokens_per_correct"), "per correct");
  const std::vector<SurvivalPoint> survival = KaplanMeier(lengths);
  const Json::Array& wanted = oracle.Find("km_survival")->AsArray();
  ASSERT_EQ(survival.size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_EQ(survival[i].length, Number(wanted[i].AsArray()[0]));
    ExpectClose(survival[i].survival, Number(wanted[i].AsArray()[1]), wanted[i].Dump());
  }
  EXPECT_EQ(SurvivalQuantile(survival, 0.5), Number(oracle, "km_median"));
}

TEST(Budget, KaplanMeierByHand) {
  // Ends at 1, 2, 2 and 4; censored at 2 (still at risk there) and at 3: 5/6, then 3/5 of that,
  // then nothing.
  const std::vector<SurvivalPoint> points =
      KaplanMeier({{3, true}, {1, false}, {2, false}, {2, true}, {2, false}, {4, false}});
  ASSERT_EQ(points.size(), 3U);
  EXPECT_DOUBLE_EQ(points[0].survival, 5.0 / 6);
  EXPECT_DOUBLE_EQ(points[1].survival, 0.5);
  EXPECT_EQ(points[1].at_risk, 5);
  EXPECT_EQ(points[1].events, 2);
  EXPECT_DOUBLE_EQ(points[1].standard_error, 0.5 * std::sqrt(1.0 / 30 + 2.0 / 15));
  EXPECT_EQ(points[2].survival, 0);
  EXPECT_EQ(SurvivalQuantile(points, 0.5), 2);
}

TEST(Budget, NoQuantileBeyondTheCap) {
  const std::vector<SurvivalPoint> points = KaplanMeier({{5, false}, {8, true}, {8, true}});
  EXPECT_EQ(SurvivalQuantile(points, 0.3), 5);
  EXPECT_EQ(SurvivalQuantile(points, 0.5), std::nullopt);
  EXPECT_TRUE(KaplanMeier({}).empty());
}

TEST(Budget, CurveNeverFalls) {
  const std::vector<std::vector<BudgetSample>> problems = {{{10, 2, 1, false}, {90, 5, 1, false}},
                                                           {{50, 1, 0, false}, {100, 0, 0, true}}};
  const std::vector<int64_t> budgets = {0, 12, 60, 95, 1000};
  const std::vector<BudgetPoint> points = BudgetCurve(problems, budgets);
  EXPECT_THAT(points[1].accuracy.value(), DoubleEq(0.25));
  for (size_t i = 1; i < points.size(); ++i) {
    EXPECT_GE(points[i].accuracy.value(), points[i - 1].accuracy.value());
    EXPECT_LE(points[i].cut_share, points[i - 1].cut_share);
  }
  EXPECT_DOUBLE_EQ(points.back().cut_share, 0.25);  // what was truncated stays cut
}

// ---- prompt sensitivity ----

TEST(Prompts, ReproduceTheOracle) {
  SKIP_WITHOUT_SHARED("vectors/stats_oracle.json");
  const Json oracle = Oracle("prompt_sensitivity");
  std::vector<std::vector<double>> scores;
  for (const Json& row : oracle.Find("y")->AsArray()) scores.push_back(Numbers(row));
  const PromptSensitivity got = ComparePrompts(scores);
  const std::vector<double> means = Numbers(*oracle.Find("template_means"));
  for (size_t i = 0; i < means.size(); ++i) ExpectClose(got.template_means[i], means[i], "mean");
  ExpectClose(got.spread, Number(oracle, "spread"), "spread");
  ExpectClose(*got.cochran_q, Number(oracle, "cochran_q"), "Q");
  ExpectClose(*got.p_cochran, Number(oracle, "p"), "p");
  ExpectClose(got.variance_observed, Number(oracle, "var_between_templates_observed"), "observed");
  ExpectClose(got.residual_mean_square, Number(oracle, "residual_ms"), "residual");
  ExpectClose(got.variance_component, Number(oracle, "var_component"), "component");
  // 12 problems: chi-squared and permutation need not agree to more than this.
  EXPECT_NEAR(got.p_permutation, *got.p_cochran, 0.03);
}

TEST(Prompts, TwoTemplatesAreMcNemar) {
  // Cochran's Q of two columns is McNemar's chi-squared: 5 to 1 disagreements.
  std::vector<std::vector<double>> scores = {{1, 1}, {0, 0}, {0, 1}};
  for (int i = 0; i < 5; ++i) scores.push_back({1, 0});
  EXPECT_NEAR(*ComparePrompts(scores).cochran_q, *McNemar(5, 1).chi2, 1e-12);
}

TEST(Prompts, EqualTemplatesDoNotDiffer) {
  const PromptSensitivity got = ComparePrompts({{1, 1, 1}, {0, 0, 0}, {1, 1, 1}});
  EXPECT_EQ(got.spread, 0);
  EXPECT_FALSE(got.cochran_q);
  EXPECT_EQ(got.p_permutation, 1);
  EXPECT_EQ(got.variance_component, 0);
  EXPECT_FALSE(ComparePrompts({{0.5, 1}, {0.25, 0}}).cochran_q);  // means: no Q
}

}  // namespace
}  // namespace assay
