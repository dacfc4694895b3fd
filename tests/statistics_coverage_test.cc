// Do nominal 95 % intervals hold the truth 95 times in 100? Exactly where the sum is short, else by
// seeded simulation.
#include <cmath>

#include "harness/distributions.h"
#include "harness/random.h"
#include "harness/statistics.h"
#include "tests/testing.h"

namespace assay {
namespace {

#if defined(ASSAY_SANITIZE_ADDRESS) || defined(ASSAY_SANITIZE_THREAD)
constexpr int kSlower = 10;  // draws are fewer where they are slow; the bounds below widen alike
#else
constexpr int kSlower = 1;
#endif

constexpr double kLow = 0.93;
constexpr double kHigh = 0.97;

// Four standard errors of a simulated share near 0.95.
double Noise(int draws) { return 4 * std::sqrt(0.95 * 0.05 / draws); }
// The bounds asked for; fewer draws cannot tell as finely.
double Slack(int draws) { return kSlower == 1 ? 0 : Noise(draws); }

bool Holds(const Estimate& estimate, double truth) {
  return estimate.low() <= truth && truth <= estimate.high();
}

std::vector<ProblemMean> OneSampleEach(int64_t right, int64_t n) {
  std::vector<ProblemMean> problems(static_cast<size_t>(n), ProblemMean{0, 0, 1, -1});
  for (int64_t i = 0; i < right; ++i) problems[static_cast<size_t>(i)].mean = 1;
  return problems;
}

double BinomialPmf(int64_t n, int64_t x, double p) {
  double log_choose = 0;
  for (int64_t i = 1; i <= x; ++i) {
    log_choose += std::log(static_cast<double>(n - i + 1) / static_cast<double>(i));
  }
  return std::exp(log_choose + static_cast<double>(x) * std::log(p) +
                  static_cast<double>(n - x) * std::log1p(-p));
}

// Of the headline estimate, one sample a problem: the sum over all outcomes.
double ExactCoverage(int64_t n, double p) {
  double coverage = 0;
  for (int64_t right = 0; right <= n; ++right) {
    if (Holds(MeanEstimate(OneSampleEach(right, n)), p)) coverage += BinomialPmf(n, right, p);
  }
  return coverage;
}

TEST(Coverage, OneSampleAProblemExactly) {
  for (const int64_t n : {100, 198, 500}) {
    for (const double p : {0.02, 0.05, 0.1, 0.3, 0.5, 0.62, 0.75, 0.8, 0.9, 0.95, 0.98}) {
      const double coverage = ExactCoverage(n, p);
      EXPECT_GE(coverage, kLow) << n << " " << p;
      EXPECT_LE(coverage, kHigh) << n << " " << p;
    }
  }
}

TEST(Coverage, FewProblemsCoverOnAverage) {
  // With n problems only n + 1 intervals exist, so coverage jumps from p to p; the mean must hold.
  for (const int64_t n : {10, 20, 30}) {
    double sum = 0;
    double worst = 1;
    for (int step = 5; step <= 95; ++step) {
      const double coverage = ExactCoverage(n, step / 100.0);
      sum += coverage / 91;
      worst = std::min(worst, coverage);
    }
    EXPECT_GE(sum, kLow) << n;
    EXPECT_LE(sum, kHigh) << n;
    EXPECT_GE(worst, 0.83) << n;  // Brown, Cai, DasGupta (2001): the dips of Wilson's interval
  }
}

TEST(Coverage, WaldDoesNotCover) {
  // The check can fail: the textbook interval at n = 30, p = 0.95 holds the truth 79 times in 100.
  double coverage = 0;
  for (int64_t right = 0; right <= 30; ++right) {
    const Interval wald = WaldInterval(static_cast<double>(right), 30);
    if (wald.low <= 0.95 && 0.95 <= wald.high) coverage += BinomialPmf(30, right, 0.95);
  }
  EXPECT_LT(coverage, 0.8);
}

TEST(Coverage, SimulationAgreesWithTheSum) {
  const int draws = 20000 / kSlower;
  Xoshiro256 random(20260101);
  int held = 0;
  for (int draw = 0; draw < draws; ++draw) {
    int64_t right = 0;
    for (int i = 0; i < 100; ++i) right += random.Uniform() < 0.8 ? 1 : 0;
    held += Holds(MeanEstimate(OneSampleEach(right, 100)), 0.8) ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(held) / draws, ExactCoverage(100, 0.8), Noise(draws));
}

// How hard problems are: always right with `easy`, never with `hopeless`, else with a chance drawn
// evenly, or `chance` where that is set.
struct Difficulty {
  double easy = 0;
  double hopeless = 0;
  double chance = -1;

  double Draw(Xoshiro256* random) const {
    const double u = random->Uniform();
    if (u < easy) return 1;
    if (u < easy + hopeless) return 0;
    return chance >= 0 ? chance : random->Uniform();
  }
  double Mean() const { return easy + (1 - easy - hopeless) * (chance >= 0 ? chance : 0.5); }
};

std::vector<ProblemMean> DrawRun(const Difficulty& difficulty, int problems, int samples,
                                 Xoshiro256* random) {
  std::vector<ProblemMean> run;
  for (int i = 0; i < problems; ++i) {
    const double p = difficulty.Draw(random);
    int right = 0;
    for (int j = 0; j < samples; ++j) right += random->Uniform() < p ? 1 : 0;
    run.push_back({static_cast<double>(right) / samples, 0, samples, -1});
  }
  return run;
}

double SimulatedCoverage(const Difficulty& difficulty, int problems, int samples, int draws) {
  Xoshiro256 random(7);
  int held = 0;
  for (int draw = 0; draw < draws; ++draw) {
    const auto run = DrawRun(difficulty, problems, samples, &random);
    held += Holds(MeanEstimate(run), difficulty.Mean()) ? 1 : 0;
  }
  return static_cast<double>(held) / draws;
}

TEST(Coverage, SeveralSamplesAProblem) {
  struct Case {
    const char* name;
    Difficulty difficulty;
    int problems, samples;
  };
  for (const Case& one : {Case{"alike", {0, 0, 0.6}, 30, 4},
                          {"alike, good", {0, 0, 0.9}, 100, 8},
                          {"mixed", {0.4, 0.2}, 30, 16},
                          {"mixed, good", {0.6, 0.1}, 100, 4},
                          {"bimodal", {0.7, 0.25}, 60, 8},
                          {"poor", {0.05, 0.5}, 200, 4},
                          {"even", {0, 0}, 10, 4}}) {
    const int draws = 8000 / kSlower;
    const double coverage = SimulatedCoverage(one.difficulty, one.problems, one.samples, draws);
    EXPECT_GE(coverage, kLow - Slack(draws)) << one.name;
    EXPECT_LE(coverage, kHigh + Slack(draws)) << one.name;
  }
}

TEST(Coverage, NearlyAllRightIsNotCertain) {
  // 30 problems, 4 samples, 99.5 % right: in half of all runs every sample is right, and t alone
  // would claim [1, 1]. What stands in for it may be wide, but it holds the truth.
  const Difficulty difficulty = {0, 0, 0.995};
  const int draws = 4000 / kSlower;
  EXPECT_GE(SimulatedCoverage(difficulty, 30, 4, draws), kLow);
  Xoshiro256 random(7);
  int t_held = 0;
  for (int draw = 0; draw < draws; ++draw) {
    const MeanParts parts = TakeApart(DrawRun(difficulty, 30, 4, &random));
    const double half = StudentQuantile(0.975, 29) * *parts.se_question;
    t_held += parts.mean - half <= 0.995 && 0.995 <= parts.mean + half ? 1 : 0;
  }
  EXPECT_LT(static_cast<double>(t_held) / draws, 0.7);
}

TEST(Coverage, Clusters) {
  // 40 passages of 5 questions that share their difficulty.
  const int draws = 4000 / kSlower;
  Xoshiro256 random(11);
  int held = 0;
  int held_without = 0;
  for (int draw = 0; draw < draws; ++draw) {
    std::vector<ProblemMean> run;
    for (int cluster = 0; cluster < 40; ++cluster) {
      const double p = random.Uniform();
      for (int i = 0; i < 5; ++i) run.push_back({random.Uniform() < p ? 1.0 : 0.0, 0, 1, cluster});
    }
    held += Holds(MeanEstimate(run), 0.5) ? 1 : 0;
    for (ProblemMean& problem : run) problem.cluster = -1;
    held_without += Holds(MeanEstimate(run), 0.5) ? 1 : 0;
  }
  EXPECT_GE(static_cast<double>(held) / draws, kLow - Slack(draws));
  EXPECT_LE(static_cast<double>(held) / draws, kHigh + Slack(draws));
  EXPECT_LT(static_cast<double>(held_without) / draws, 0.9);
}

TEST(Coverage, PairedDifferences) {
  // b is right on what a is, less 4 points; both draw 4 samples of 60 problems.
  const int draws = 4000 / kSlower;
  Xoshiro256 random(13);
  int held = 0;
  int unpaired_held = 0;
  for (int draw = 0; draw < draws; ++draw) {
    std::vector<PairedDifference> differences;
    std::vector<ProblemMean> a;
    std::vector<ProblemMean> b;
    for (int i = 0; i < 60; ++i) {
      const double p = 0.04 + 0.96 * random.Uniform();
      int balance = 0;
      int right = 0;
      for (int j = 0; j < 4; ++j) {
        const int first = random.Uniform() < p ? 1 : 0;
        right += first;
        balance += first - (random.Uniform() < p - 0.04 ? 1 : 0);
      }
      a.push_back({right / 4.0, 0, 4, -1});
      b.push_back({(right - balance) / 4.0, 0, 4, -1});
      differences.push_back({balance / 4.0});
    }
    held += Holds(DifferenceEstimate(differences, 480), 0.04) ? 1 : 0;
    const MeanParts of_a = TakeApart(a);
    const MeanParts of_b = TakeApart(b);
    const double half =
        StudentQuantile(0.975, 59) * std::hypot(*of_a.se_question, *of_b.se_question);
    unpaired_held += std::abs(of_a.mean - of_b.mean - 0.04) <= half ? 1 : 0;
  }
  EXPECT_GE(static_cast<double>(held) / draws, kLow - Slack(draws));
  EXPECT_LE(static_cast<double>(held) / draws, kHigh + Slack(draws));
  EXPECT_GT(static_cast<double>(unpaired_held) / draws, 0.99);  // twice as wide as need be
}

TEST(Coverage, AccuracyAmongFinished) {
  // Hard problems are cut more often: the ratio's own target is E[right and finished]/E[finished].
  const int draws = 4000 / kSlower;
  Xoshiro256 random(17);
  int held = 0;
  // With p even in [0, 1] and finished with chance (1 + p)/2: E[p (1+p)/2] / E[(1+p)/2].
  const double truth = (0.5 + 1.0 / 3) / 1.5;
  for (int draw = 0; draw < draws; ++draw) {
    std::vector<RatioTerm> terms(80);
    for (RatioTerm& term : terms) {
      const double p = random.Uniform();
      for (int j = 0; j < 4; ++j) {
        if (random.Uniform() >= (1 + p) / 2) continue;
        term.denominator += 1;
        term.numerator += random.Uniform() < p ? 1 : 0;
      }
    }
    held += Holds(RatioEstimate(terms), truth) ? 1 : 0;
  }
  EXPECT_GE(static_cast<double>(held) / draws, kLow - Slack(draws));
  EXPECT_LE(static_cast<double>(held) / draws, kHigh + Slack(draws));
}

TEST(Coverage, Bootstrap) {
  const int draws = 600 / kSlower;
  Xoshiro256 random(19);
  int held = 0;
  const Difficulty difficulty = {0.4, 0.2};
  for (int draw = 0; draw < draws; ++draw) {
    const auto run = DrawRun(difficulty, 60, 4, &random);
    held += Holds(BootstrapEstimate(run, 400, random.Next()), difficulty.Mean()) ? 1 : 0;
  }
  // Few draws: within their noise of 95 %.
  EXPECT_NEAR(static_cast<double>(held) / draws, 0.95, Noise(draws));
}

}  // namespace
}  // namespace assay
