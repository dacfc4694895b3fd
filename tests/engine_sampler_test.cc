// The sampler against known answers, against a plain sort-and-add version, and against the
// probabilities it should have.
#include "inference/engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>

#include "inference/engine/philox.h"
#include "inference/engine/portable_math.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::HasSubstr;

// Known answers of Random123's kat_vectors.
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(Philox(0, {0, 0, 0, 0}), (PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox(~uint64_t{0}, {~0u, ~0u, ~0u, ~0u}),
            (PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox(0x299f31d0a4093822, {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}),
            (PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(PortableMath, AgreesWithTheLibrary) {
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> exponent(-707, 0), scale(-700, 700);
  double worst_exp = 0, worst_log = 0;
  for (int i = 0; i < 200000; ++i) {
    const double x = exponent(random);
    worst_exp = std::max(worst_exp, std::abs(PortableExp(x) / std::exp(x) - 1));
    const double y = std::exp(scale(random));
    const double error =
        std::abs(PortableLog(y) - std::log(y)) / std::max(1e-3, std::abs(std::log(y)));
    worst_log = std::max(worst_log, error);
  }
  EXPECT_LT(worst_exp, 1e-14);
  EXPECT_LT(worst_log, 1e-12);
  EXPECT_EQ(PortableExp(0), 1);
  EXPECT_EQ(PortableExp(-1e300), 0);
  EXPECT_EQ(PortableExp(-std::numeric_limits<double>::infinity()), 0);
  EXPECT_EQ(PortableLog(1), 0);
}

// A bit of a result that changes is a sample that changes: these are the method's own values.
TEST(PortableMath, BitsAreKept) {
  EXPECT_EQ(std::bit_cast<uint64_t>(PortableExp(-1)),
            std::bit_cast<uint64_t>(0x1.78b56362cef38p-2));
  EXPECT_EQ(std::bit_cast<uint64_t>(PortableLog(2)), std::bit_cast<uint64_t>(0x1.62e42fefa39efp-1));
}

std::vector<const SamplerLoops*> AllLoops() {
  std::vector<const SamplerLoops*> all = {&BaseSamplerLoops()};
  // The best one is AVX-512's or AVX2's; AVX2 comes with every AVX-512.
  if (&BestSamplerLoops() == Avx512SamplerLoops()) all.push_back(Avx512SamplerLoops());
  if (&BestSamplerLoops() != &BaseSamplerLoops()) all.push_back(Avx2SamplerLoops());
  return all;
}

std::vector<float> RandomLogits(int count, double width, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal(0, static_cast<float>(width));
  std::vector<float> logits(count);
  for (float& logit : logits) logit = normal(random);
  return logits;
}

// Which ids may be drawn, and with what mass: by sorting and adding, as a reader of B.6 would.
std::map<int, double> Survivors(std::vector<float> logits, const SamplingPlan& plan, int usable) {
  logits.resize(usable);
  std::vector<int> order(usable);
  for (int i = 0; i < usable; ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return logits[a] > logits[b]; });
  const double top = logits[order[0]];
  const auto mass = [&](int id) {
    return std::round(std::exp((logits[id] - top) / plan.temperature) * 0x1p40);
  };
  if (plan.top_k > 0 && plan.top_k < usable) order.resize(plan.top_k);
  double total = 0, before = 0;
  for (const int id : order) total += mass(id);
  std::map<int, double> kept;
  for (const int id : order) {
    if (before >= plan.top_p * total) break;
    before += mass(id);
    if (mass(id) >= plan.min_p * 0x1p40) kept[id] = mass(id);
  }
  return kept;
}

TEST(SamplerLoops, EveryVersionGivesTheBitsOfThePlainFormula) {
  for (const int count : {1, 15, 16, 17, 255, 256, 1000}) {
    std::vector<float> logits = RandomLogits(count, 9, static_cast<uint64_t>(count));
    if (count > 300) logits[300] = logits[20] = 99;  // two greatest: the lower id counts
    const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
    double first_sum = 0;
    for (const SamplerLoops* loops : AllLoops()) {
      EXPECT_TRUE(loops->all_finite(logits.data(), count));
      EXPECT_EQ(loops->greatest(logits.data(), count), best);
      std::vector<uint64_t> masses(count);
      const uint64_t sum =
          loops->masses(logits.data(), count, logits[best], 1 / 0.6, masses.data());
      uint64_t wanted_sum = 0;
      double plain_sum = 0;
      for (int i = 0; i < count; ++i) {
        const double difference = static_cast<double>(logits[i]) - logits[best];
        const auto wanted =
            static_cast<uint64_t>(std::nearbyint(PortableExp(difference * (1 / 0.6)) * 0x1p40));
        EXPECT_EQ(masses[i], wanted) << i;
        wanted_sum += wanted;
        plain_sum += PortableExp(difference);
      }
      EXPECT_EQ(sum, wanted_sum);
      const double sum_exp = loops->sum_exp(logits.data(), count, logits[best]);
      EXPECT_NEAR(sum_exp, plain_sum, 1e-12 * plain_sum);
      if (first_sum == 0) first_sum = sum_exp;
      EXPECT_EQ(sum_exp, first_sum);
      for (const float bad : {std::numeric_limits<float>::infinity(), std::nanf("")}) {
        std::vector<float> broken = logits;
        broken.back() = bad;
        EXPECT_FALSE(loops->all_finite(broken.data(), count));
      }
    }
  }
  for (const SamplerLoops* loops : AllLoops()) {
    for (const uint32_t first : {0u, 64u, 151872u}) {
      double uniforms[kUniformBlock];
      loops->uniforms(0x123456789ABCDEF, 7, 1000, first, uniforms);
      for (uint32_t i = 0; i < kUniformBlock; ++i) {
        EXPECT_EQ(uniforms[i], PhiloxUniform(0x123456789ABCDEF, {7, 1000, first + i, 0}));
      }
    }
  }
}

TEST(Sampler, DrawsOnlyWhatSurvivesTheCuts) {
  const std::vector<SamplingPlan> plans = {
      {.temperature = 0.6, .top_p = 0.95},
      {.temperature = 1, .top_k = 5},
      {.temperature = 2, .min_p = 0.2},
      {.temperature = 0.8, .top_k = 20, .top_p = 0.7, .min_p = 0.05},
      {.temperature = 1, .top_p = 0.0001},
      {.temperature = 1.3},
  };
  for (const int count : {3, 50, 700}) {
    for (size_t p = 0; p < plans.size(); ++p) {
      const std::vector<float> logits = RandomLogits(count, 2.5, 10 + p);
      const int usable = count - 1;  // the last id has no token
      const std::map<int, double> survivors = Survivors(logits, plans[p], usable);
      Sampler sampler(usable);
      std::map<int, int> seen;
      const int draws = 4000;
      for (int i = 0; i < draws; ++i) {
        DrawnToken drawn;
        ASSERT_OK(
            sampler.Draw(logits, plans[p], {77, static_cast<uint32_t>(i), 5}, {}, {}, &drawn));
        ++seen[drawn.id];
      }
      double total = 0, chi = 0;
      int cells = 0;
      for (const auto& [id, mass] : survivors) total += mass;
      for (const auto& [id, times] : seen) {
        EXPECT_TRUE(survivors.contains(id)) << "plan " << p << ", " << count << " ids: " << id;
      }
      for (const auto& [id, mass] : survivors) {
        const double expected = draws * mass / total;
        if (expected < 5) continue;
        chi += (seen[id] - expected) * (seen[id] - expected) / expected;
        ++cells;
      }
      // Five standard deviations of chi-squared: seeds are fixed, so this passes or fails for good.
      EXPECT_LT(chi, cells + 5 * std::sqrt(2.0 * cells) + 5)
          << "plan " << p << ", " << count << " ids";
    }
  }
}

TEST(Sampler, TheDrawHangsOnItsKeyAlone) {
  const std::vector<float> logits = RandomLogits(300, 1, 4);
  const SamplingPlan plan = {.temperature = 1};
  Sampler used(300);
  std::set<int> seen;
  for (uint32_t position = 0; position < 200; ++position) {
    Sampler fresh(300);
    DrawnToken a, b, c, d;
    ASSERT_OK(used.Draw(logits, plan, {1, 2, position}, {}, {}, &a));
    ASSERT_OK(fresh.Draw(logits, plan, {1, 2, position}, {}, {}, &b));
    EXPECT_EQ(a.id, b.id);
    ASSERT_OK(used.Draw(logits, plan, {1, 3, position}, {}, {}, &c));
    ASSERT_OK(used.Draw(logits, plan, {9, 2, position}, {}, {}, &d));
    seen.insert({a.id, c.id, d.id});
  }
  EXPECT_GT(seen.size(), 150u);
}

// The draw from survivors that were cut is the draw from all, where the winner is among them: the
// race is the same.
TEST(Sampler, CutsDoNotChangeAWinnerThatTheyKeep) {
  const std::vector<float> logits = RandomLogits(2000, 3, 8);
  Sampler sampler(2000);
  int same = 0;
  for (uint32_t i = 0; i < 500; ++i) {
    DrawnToken all, cut;
    const SamplingPlan nucleus = {.temperature = 1, .top_p = 0.9};
    ASSERT_OK(sampler.Draw(logits, {.temperature = 1}, {5, i, 1}, {}, {}, &all));
    ASSERT_OK(sampler.Draw(logits, nucleus, {5, i, 1}, {}, {}, &cut));
    const bool kept = Survivors(logits, nucleus, 2000).contains(all.id);
    EXPECT_TRUE(!kept || all.id == cut.id);
    same += all.id == cut.id ? 1 : 0;
  }
  EXPECT_GT(same, 400);
}

TEST(Sampler, ZeroTemperatureTakesTheGreatestAndTheLowestOfEquals) {
  Sampler sampler(5);
  DrawnToken drawn;
  const std::vector<float> logits = {1, 3, 3, 2, 0};
  ASSERT_OK(sampler.Draw(logits, {.temperature = 0}, {}, {}, {}, &drawn));
  EXPECT_EQ(drawn.id, 1);
  const SamplingPlan one = {.temperature = 1, .top_k = 1};
  for (uint32_t i = 0; i < 50; ++i) {
    ASSERT_OK(sampler.Draw(logits, one, {i, 0, 0}, {}, {}, &drawn));
    EXPECT_EQ(drawn.id, 1);
  }
}

TEST(Sampler, TinyTemperatureIsGreedy) {
  const std::vector<float> logits = RandomLogits(100, 2, 3);
  Sampler sampler(100);
  for (uint32_t i = 0; i < 50; ++i) {
    DrawnToken drawn;
    ASSERT_OK(sampler.Draw(logits, {.temperature = 1e-9}, {i, 0, 0}, {}, {}, &drawn));
    EXPECT_EQ(drawn.id, sampler.Greatest(logits));
  }
}

TEST(Sampler, RepetitionPenaltyCountsAnIdOnce) {
  Sampler sampler(4);
  const SamplingPlan plan = {.temperature = 0, .repetition_penalty = 2};
  const std::vector<int> prompt = {0, 0, 0, 2};
  const std::vector<int> reply = {0};
  DrawnToken drawn;
  // 4 / 2 = 2 beats 1.9; were it divided twice, it would not.
  ASSERT_OK(sampler.Draw(std::vector<float>{4, 1.9F, -1, 1}, plan, {}, prompt, reply, &drawn));
  EXPECT_EQ(drawn.id, 0);
  // A negative logit is multiplied: -1 becomes -2.
  ASSERT_OK(sampler.Draw(std::vector<float>{-9, -1.5F, -1, -3}, plan, {}, prompt, reply, &drawn));
  EXPECT_EQ(drawn.id, 1);
}

TEST(Sampler, LogprobsAreOfTheRawLogits) {
  Sampler sampler(3);
  const std::vector<float> logits = {std::log(0.5F), std::log(0.3F), std::log(0.2F), 9};
  const SamplingPlan plan = {.temperature = 0.1, .repetition_penalty = 3, .logprobs = 2};
  DrawnToken drawn;
  ASSERT_OK(sampler.Draw(logits, plan, {}, std::vector<int>{1}, {}, &drawn));
  ASSERT_EQ(drawn.top.size(), 2u);
  EXPECT_EQ(drawn.top[0].id, 0);
  EXPECT_NEAR(drawn.top[0].logprob, std::log(0.5), 1e-6);
  EXPECT_EQ(drawn.top[1].id, 1);
  EXPECT_NEAR(drawn.top[1].logprob, std::log(0.3), 1e-6);
  EXPECT_NEAR(std::exp(drawn.logprob), drawn.id == 0 ? 0.5 : drawn.id == 1 ? 0.3 : 0.2, 1e-6);
  EXPECT_NEAR(sampler.LogProbability(logits, 2), std::log(0.2), 1e-6);
}

TEST(Sampler, ALogitThatIsNoNumberIsAnError) {
  Sampler sampler(3);
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    DrawnToken drawn;
    const absl::Status status =
        sampler.Draw(std::vector<float>{1, bad, 2}, {}, {1, 2, 33}, {}, {}, &drawn);
    EXPECT_THAT(std::string(status.message()), HasSubstr("the logit of token 1 at position 33"));
  }
}

}  // namespace
}  // namespace assay
