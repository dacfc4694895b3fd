// The list of outcomes: what goes in comes out, in order, as often as it is read, and takes little
// room.
#include "harness/outcome_list.h"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/random.h"

namespace assay {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

void ExpectSame(const ProblemOutcomes& a, const ProblemOutcomes& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.cluster, b.cluster);
  EXPECT_EQ(a.tags, b.tags);
  ASSERT_EQ(a.samples.size(), b.samples.size());
  for (size_t i = 0; i < a.samples.size(); ++i) {
    EXPECT_EQ(a.samples[i].index, b.samples[i].index);
    EXPECT_EQ(a.samples[i].outcome, b.samples[i].outcome);
    EXPECT_EQ(a.samples[i].score, b.samples[i].score);
    EXPECT_EQ(a.samples[i].answer_class, b.samples[i].answer_class);
    EXPECT_EQ(a.samples[i].reasoning_tokens, b.samples[i].reasoning_tokens);
    EXPECT_EQ(a.samples[i].answer_tokens, b.samples[i].answer_tokens);
    EXPECT_EQ(a.samples[i].measures, b.samples[i].measures);
  }
}

// Of every shape: without samples, tags, clusters; long texts; numbers at their ends.
std::vector<ProblemOutcomes> Mixed(int count) {
  Xoshiro256 random(7);
  std::vector<ProblemOutcomes> problems;
  for (int i = 0; i < count; ++i) {
    ProblemOutcomes problem;
    problem.id = absl::StrFormat("p%d", i) + std::string(random.Below(20) == 0 ? 70000 : 0, 'x');
    if (random.Below(3) == 0) problem.cluster = absl::StrFormat("c%d", i / 3);
    for (uint64_t k = random.Below(3); k > 0; --k) {
      problem.tags.push_back(absl::StrFormat("t:%d", random.Below(5)));
    }
    for (uint64_t k = random.Below(4); k > 0; --k) {
      SampleOutcome sample;
      sample.index = static_cast<int>(k);
      sample.outcome = static_cast<Outcome>(random.Below(5));
      sample.score = static_cast<double>(random.Below(1000)) / 7;
      sample.answer_class = static_cast<int>(random.Below(4)) - 1;
      sample.reasoning_tokens = static_cast<int64_t>(random.Below(100000)) - 1;
      sample.answer_tokens = random.Below(9) == 0 ? std::numeric_limits<int64_t>::max() : 3;
      if (random.Below(2) == 0) sample.measures = {{"f1", 0.1}, {"", -0.0}};
      problem.samples.push_back(sample);
    }
    problems.push_back(problem);
  }
  return problems;
}

TEST(OutcomeList, GivesBackWhatWasPutIn) {
  const std::vector<ProblemOutcomes> problems = Mixed(500);
  const OutcomeList list(problems);
  EXPECT_EQ(list.size(), problems.size());
  const std::vector<ProblemOutcomes> unpacked = list.Unpacked();
  ASSERT_THAT(unpacked, SizeIs(problems.size()));
  for (size_t i = 0; i < problems.size(); ++i) ExpectSame(unpacked[i], problems[i]);
}

TEST(OutcomeList, IsReadAsOftenAsAskedAndGrowsInBetween) {
  OutcomeList list;
  EXPECT_TRUE(list.empty());
  EXPECT_TRUE(list.begin() == list.end());
  for (const ProblemOutcomes& problem : Mixed(60)) {
    list.push_back(problem);
    size_t seen = 0;
    for (const ProblemOutcomes& one : list) seen += !one.id.empty();
    EXPECT_EQ(seen, list.size());
  }
}

TEST(OutcomeList, TwoReadersDoNotDisturbEachOther) {
  const OutcomeList list(Mixed(200));
  int64_t pairs = 0;
  for (const ProblemOutcomes& outer : list) {
    if (outer.id.size() > 5) continue;
    for (const ProblemOutcomes& inner : list) pairs += outer.id == inner.id;
  }
  int64_t short_ids = 0;
  for (const ProblemOutcomes& one : list) short_ids += one.id.size() <= 5;
  EXPECT_EQ(pairs, short_ids);
  EXPECT_GT(pairs, 100);
}

TEST(OutcomeList, ACopyStandsByItself) {
  OutcomeList list = {{"a", "", {}, {}}};
  OutcomeList copy = list;
  copy.push_back({"b", "", {}, {}});
  std::vector<std::string> ids;
  for (const ProblemOutcomes& one : copy) ids.push_back(one.id);
  EXPECT_THAT(ids, ElementsAre("a", "b"));
  EXPECT_EQ(list.size(), 1u);
}

// A run's memory must not grow with its problems: some 200 bytes each is what their structs take.
TEST(OutcomeList, AProblemTakesFewBytes) {
  Xoshiro256 random(1);
  OutcomeList list;
  constexpr int kProblems = 100000;
  for (int i = 0; i < kProblems; ++i) {
    SampleOutcome sample;
    sample.outcome = random.Below(2) == 0 ? Outcome::kCorrect : Outcome::kIncorrect;
    sample.score = sample.outcome == Outcome::kCorrect ? 1 : 0;
    sample.reasoning_tokens = static_cast<int64_t>(random.Below(4000));
    sample.answer_tokens = static_cast<int64_t>(random.Below(300));
    list.push_back({absl::StrFormat("%d", i), "", {"subject:algebra"}, {sample}});
  }
  EXPECT_LT(list.bytes(), 20 * kProblems);
}

}  // namespace
}  // namespace assay
