// From a store to a task's table, and two runs side by side: counts, bounds, classes, flips.
#include "harness/outcomes.h"

#include <cmath>

#include "harness/distributions.h"
#include "harness/hash.h"
#include "harness/status.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using testing_support::TemporaryDirectory;

struct Draw {
  std::string answer;  // "" none
  Outcome outcome = Outcome::kIncorrect;
  bool graded = true;
  std::string served;  // the model's name as the server told it
};

Draw Right(std::string answer = "42") { return {std::move(answer), Outcome::kCorrect}; }
Draw Wrong(std::string answer = "7") { return {std::move(answer), Outcome::kIncorrect}; }
Draw Undecided(std::string answer) { return {std::move(answer), Outcome::kUndecided}; }
Draw Cut() { return {"", Outcome::kTruncated}; }
Draw Silent() { return {"", Outcome::kNoAnswer}; }
Draw Ungraded() { return {"", Outcome::kUndecided, false}; }

struct Asked {
  std::string id;
  std::vector<std::string> tags;
  std::vector<Draw> draws;
};

TaskManifest MakeTask(int samples, int64_t problems, std::vector<std::string> metrics) {
  TaskManifest task;
  task.name = "sums";
  task.version = "1";
  task.extractor = "boxed";
  task.grader = "exact";
  task.grader_version = 1;
  task.samples_per_problem = samples;
  task.problems = problems;
  task.metrics = std::move(metrics);
  return task;
}

StoredSample MakeSample(const std::string& id, int index, const Draw& draw) {
  StoredSample stored;
  stored.task = "sums";
  stored.key = Sha256Hex(id + "/" + std::to_string(index));
  stored.sample.problem_id = id;
  stored.sample.index = index;
  stored.sample.completion.answer = draw.answer;
  stored.sample.completion.served_model = draw.served;
  stored.sample.completion.tokens = {1, 20, 30, TokenSource::kMeasured};
  if (!draw.answer.empty()) stored.sample.extraction.answer = draw.answer;
  if (!draw.graded) return stored;
  stored.graded = true;
  stored.sample.verdict.outcome = draw.outcome;
  stored.sample.verdict.score = draw.outcome == Outcome::kCorrect ? 1 : 0;
  stored.sample.verdict.grader = "exact";
  stored.sample.verdict.grader_version = 1;
  return stored;
}

// A stored run, read back through the store.
class OutcomesTest : public testing::Test {
 protected:
  void Put(const TaskManifest& task, const std::vector<Asked>& problems) {
    ASSERT_OK_AND_ASSIGN(store_, Store::Open(directory_.Path("a.db"), StoreMode::kReadWrite));
    RunManifest manifest;
    manifest.name = "run";
    manifest.backend = "replay";
    manifest.tasks = {task};
    ASSERT_OK_AND_ASSIGN(auto writer, store_->CreateRun(&manifest));
    for (const Asked& asked : problems) {
      Problem problem;
      problem.id = asked.id;
      problem.reference = "42";
      problem.tags = asked.tags;
      ASSERT_OK(writer->PutProblem("sums", problem, Prompt{{{"user", asked.id}}, ""}));
      for (size_t i = 0; i < asked.draws.size(); ++i) {
        ASSERT_OK(writer->PutSample(MakeSample(asked.id, static_cast<int>(i), asked.draws[i])));
      }
    }
    ASSERT_OK(writer->Finish(RunState::kComplete));
    ASSERT_OK_AND_ASSIGN(run_, store_->FindRun("last"));
  }

  absl::StatusOr<TaskResult> Result() {
    return ComputeTaskResult(*store_, run_, run_.manifest.tasks[0]);
  }
  absl::StatusOr<std::vector<ProblemOutcomes>> Problems() {
    ASSIGN_OR_RETURN(const MetricInput input, LoadOutcomes(*store_, run_, run_.manifest.tasks[0]));
    return input.problems.Unpacked();
  }

  TemporaryDirectory directory_;
  std::unique_ptr<Store> store_;
  RunSummary run_;
};

TEST_F(OutcomesTest, ACompleteRun) {
  Put(MakeTask(2, 3, {"pass@1", "pass@2", "truncated"}), {{"a", {"level:1"}, {Right(), Right()}},
                                                          {"b", {"level:2"}, {Right(), Wrong()}},
                                                          {"c", {"level:2"}, {Cut(), Silent()}}});
  ASSERT_OK_AND_ASSIGN(const TaskResult result, Result());
  EXPECT_TRUE(result.complete());
  EXPECT_EQ(result.planned, 6);
  EXPECT_EQ(result.correct, 3);
  EXPECT_EQ(result.incorrect, 1);
  EXPECT_EQ(result.no_answer, 1);
  EXPECT_EQ(result.truncated, 1);
  EXPECT_EQ(result.missing, 0);
  ASSERT_NE(result.headline(), nullptr);
  EXPECT_EQ(result.headline()->name, "pass@1");
  EXPECT_DOUBLE_EQ(result.headline()->estimate.value(), 0.5);
  EXPECT_EQ(result.headline()->estimate.samples(), 6);
  EXPECT_THAT(result.unavailable, IsEmpty());
  EXPECT_FALSE(result.if_missing_wrong);
  EXPECT_DOUBLE_EQ(result.if_truncated_right->value(), 2.0 / 3);
  EXPECT_FALSE(result.if_undecided_right);
  ASSERT_EQ(result.tags.size(), 2U);
  EXPECT_EQ(result.tags[1].tag, "level:2");
  EXPECT_DOUBLE_EQ(result.tags[1].estimate.value(), 0.25);
  EXPECT_EQ(result.tags[1].counts.truncated, 1);
  EXPECT_TRUE(result.parts->se_sampling);
}

TEST_F(OutcomesTest, MissingSamplesAreBoundedNotFilled) {
  // 4 problems of 2 samples: one sample of b, both of d and one verdict of c are not there.
  Put(MakeTask(2, 4, {"pass@1", "pass@2"}),
      {{"a", {}, {Right(), Right()}}, {"b", {}, {Wrong()}}, {"c", {}, {Right(), Ungraded()}}});
  ASSERT_OK_AND_ASSIGN(const TaskResult result, Result());
  EXPECT_FALSE(result.complete());
  EXPECT_EQ(result.planned, 8);
  EXPECT_EQ(result.stored, 5);
  EXPECT_EQ(result.graded, 4);
  EXPECT_EQ(result.missing, 3);
  EXPECT_EQ(result.ungraded, 1);
  EXPECT_DOUBLE_EQ(result.headline()->estimate.value(), 2.0 / 3);  // over what is there
  EXPECT_DOUBLE_EQ(result.if_missing_wrong->value(), 3.0 / 8);
  EXPECT_DOUBLE_EQ(result.if_missing_right->value(), 7.0 / 8);
  EXPECT_EQ(result.if_missing_right->problems(), 4);
  ASSERT_EQ(result.unavailable.size(), 1U);
  EXPECT_EQ(result.unavailable[0].name, "pass@2");
  EXPECT_THAT(result.unavailable[0].why, HasSubstr("'b' has 1"));
}

TEST_F(OutcomesTest, ARunWithoutASampleHasNoNumber) {
  Put(MakeTask(2, 3, {"pass@1"}), {{"a", {}, {}}});
  ASSERT_OK_AND_ASSIGN(const TaskResult result, Result());
  EXPECT_EQ(result.missing, 6);
  EXPECT_EQ(result.headline(), nullptr);
  EXPECT_THAT(result.estimates, IsEmpty());
  ASSERT_EQ(result.unavailable.size(), 1U);
  EXPECT_FALSE(TaskResultToJson(result).Find("complete")->AsBool());
}

TEST_F(OutcomesTest, AnInterruptedRunKnowsAtLeastWhatItBegan) {
  Put(MakeTask(4, 0, {"pass@1"}), {{"a", {}, {Right()}}, {"b", {}, {Wrong(), Wrong()}}});
  ASSERT_OK_AND_ASSIGN(const TaskResult result, Result());
  EXPECT_EQ(result.planned, 8);
  EXPECT_EQ(result.missing, 5);
}

TEST_F(OutcomesTest, UndecidedIsCountedApart) {
  Put(MakeTask(2, 1, {"pass@1", "undecided"}), {{"a", {}, {Right(), Undecided("x+1")}}});
  ASSERT_OK_AND_ASSIGN(const TaskResult result, Result());
  EXPECT_EQ(result.undecided, 1);
  EXPECT_DOUBLE_EQ(result.headline()->estimate.value(), 0.5);
  EXPECT_DOUBLE_EQ(result.if_undecided_right->value(), 1);
}

TEST_F(OutcomesTest, AnswersVoteByTheGradersEquality) {
  // The grader `exact` calls "Paris" and " paris " the same; correct answers are one class however
  // they are written; undecided ones vote; truncated and silent ones do not.
  Put(MakeTask(8, 1, {"cons@8"}),
      {{"a",
        {},
        {Wrong("Paris"), Right("42"), Wrong("paris"), Right("forty-two"), Undecided("Paris"), Cut(),
         Silent(), Wrong("Rome")}}});
  ASSERT_OK_AND_ASSIGN(const auto problems, Problems());
  std::vector<int> classes;
  for (const SampleOutcome& sample : problems[0].samples) {
    classes.push_back(sample.answer_class);
  }
  EXPECT_THAT(classes, ElementsAre(1, 0, 1, 0, 1, -1, -1, 2));
  EXPECT_EQ(problems[0].samples[3].reasoning_tokens, 20);
  ASSERT_OK_AND_ASSIGN(const TaskResult result, Result());
  EXPECT_EQ(result.headline()->name, "cons@8");
  EXPECT_DOUBLE_EQ(result.headline()->estimate.value(), 0);  // three votes for Paris, two for 42
}

TEST_F(OutcomesTest, ClassesOfOneProblemAreNotThoseOfTheNext) {
  Put(MakeTask(1, 2, {"cons@1"}), {{"a", {}, {Wrong("x")}}, {"b", {}, {Wrong("y")}}});
  ASSERT_OK_AND_ASSIGN(const auto problems, Problems());
  EXPECT_EQ(problems[0].samples[0].answer_class, 1);
  EXPECT_EQ(problems[1].samples[0].answer_class, 1);
}

TEST_F(OutcomesTest, ServedModelsAreCounted) {
  Draw first = Right(), second = Wrong();
  first.served = "ckpt-A";
  second.served = "ckpt-B";
  Put(MakeTask(2, 2, {"pass@1"}), {{"a", {}, {first, second}}, {"b", {}, {first, Wrong()}}});
  ASSERT_OK_AND_ASSIGN(const TaskResult result, Result());
  const std::map<std::string, int64_t> wanted = {{"ckpt-A", 2}, {"ckpt-B", 1}};
  EXPECT_EQ(result.served_models, wanted);
  EXPECT_THAT(TaskResultToJson(result).Dump(), HasSubstr(R"("ckpt-A":2)"));
}

TEST_F(OutcomesTest, ClustersComeFromTheirTag) {
  Put(MakeTask(1, 3, {"pass@1"}), {{"a", {"cluster:p1", "level:1"}, {Right()}},
                                   {"b", {"cluster:p1", "level:2"}, {Right()}},
                                   {"c", {"cluster:p2", "level:2"}, {Wrong()}}});
  ASSERT_OK_AND_ASSIGN(const auto problems, Problems());
  EXPECT_EQ(problems[0].cluster, "p1");
  EXPECT_THAT(problems[0].tags, ElementsAre("level:1"));
  ASSERT_OK_AND_ASSIGN(const TaskResult result, Result());
  EXPECT_THAT(result.headline()->estimate.method(), HasSubstr("2 clusters"));
  EXPECT_EQ(result.tags.size(), 2U);  // no breakdown by cluster
}

TEST_F(OutcomesTest, ATagThatAllHaveSplitsNothing) {
  Put(MakeTask(1, 2, {"pass@1"}), {{"a", {"set:x"}, {Right()}}, {"b", {"set:x"}, {Right()}}});
  ASSERT_OK_AND_ASSIGN(const TaskResult result, Result());
  EXPECT_THAT(result.tags, IsEmpty());
}

TEST_F(OutcomesTest, AMetricNobodyKnowsIsAnError) {
  Put(MakeTask(1, 1, {"pass@1", "glory"}), {{"a", {}, {Right()}}});
  EXPECT_EQ(Result().status().code(), absl::StatusCode::kNotFound);
}

TEST_F(OutcomesTest, OverlappingMetricsAreShownOnce) {
  Put(MakeTask(2, 1, {"pass@1", "pass@k"}), {{"a", {}, {Right(), Wrong()}}});
  ASSERT_OK_AND_ASSIGN(const TaskResult result, Result());
  ASSERT_EQ(result.estimates.size(), 2U);
  EXPECT_EQ(result.estimates[0].name, "pass@1");
  EXPECT_EQ(result.estimates[1].name, "pass@2");
}

TEST_F(OutcomesTest, JsonCarriesTheIntervalAndWhatIsMissing) {
  Put(MakeTask(2, 2, {"pass@1", "pass@2"}),
      {{"a", {"l:1"}, {Right(), Wrong()}}, {"b", {"l:2"}, {Wrong()}}});
  ASSERT_OK_AND_ASSIGN(const TaskResult result, Result());
  const Json json = TaskResultToJson(result);
  EXPECT_EQ(json.Find("samples")->FindInteger("missing"), 1);
  EXPECT_TRUE(json.Find("estimates")->Find("pass@1")->FindNumber("low"));
  EXPECT_TRUE(json.Find("estimates")->Find("pass@2")->FindString("unavailable"));
  EXPECT_TRUE(json.Find("if_missing_wrong"));
  EXPECT_TRUE(json.Find("tags")->Find("l:1"));
}

// ---- two runs ----

ProblemOutcomes Scores(const std::string& id, const std::vector<double>& scores) {
  ProblemOutcomes problem;
  problem.id = id;
  for (const double score : scores) {
    problem.samples.push_back({static_cast<int>(problem.samples.size()),
                               score > 0 ? Outcome::kCorrect : Outcome::kIncorrect, score});
  }
  return problem;
}

TEST(Compare, FlipsAndWhatOnlyOneHas) {
  MetricInput a;
  a.problems = {Scores("p", {1, 1}), Scores("q", {1, 0}), Scores("r", {1, 1, 1}), Scores("x", {1}),
                Scores("s", {0, 0})};
  MetricInput b;
  b.problems = {Scores("y", {1}), Scores("r", {0, 1}), Scores("q", {1, 1}), Scores("p", {1}),
                Scores("s", {0})};
  const PairedTask got = ComparePaired(a, b);
  EXPECT_EQ(got.problems, 4);
  EXPECT_THAT(got.a_right_b_wrong, ElementsAre("r"));
  EXPECT_THAT(got.b_right_a_wrong, ElementsAre("q"));
  EXPECT_THAT(got.only_in_a, ElementsAre("x"));
  EXPECT_THAT(got.only_in_b, ElementsAre("y"));
  EXPECT_EQ(got.comparison.wins, 1);
  EXPECT_EQ(got.comparison.losses, 1);
  EXPECT_EQ(got.comparison.ties, 2);
  ASSERT_TRUE(got.difference);
  EXPECT_DOUBLE_EQ(got.difference->value(), 0);
  EXPECT_EQ(got.difference->samples(), 9 + 6);
  EXPECT_DOUBLE_EQ(got.p, got.comparison.p_t);
  EXPECT_GT(got.detectable_difference, 0);
}

TEST(Compare, WhatOnlyMissingSamplesTurnedIsNoFlip) {
  MetricInput a;
  a.samples_planned = 3;
  a.problems = {Scores("p", {1}), Scores("q", {1, 1, 0}), Scores("r", {0, 0, 1}),
                Scores("s", {1, 1, 1})};
  MetricInput b;
  b.samples_planned = 3;
  b.problems = {Scores("p", {1, 0, 0}), Scores("q", {0, 0, 0}), Scores("r", {1, 1}),
                Scores("s", {1, 1, 1})};
  const PairedTask got = ComparePaired(a, b);
  EXPECT_EQ(got.problems, 4);
  EXPECT_THAT(got.a_right_b_wrong, ElementsAre("q"));  // not p, of which a has one sample
  EXPECT_THAT(got.b_right_a_wrong, testing::IsEmpty());
  EXPECT_EQ(got.both_right, 1);
  EXPECT_EQ(got.both_wrong, 0);
}

TEST(Compare, WithoutCommonProblemsThereIsNoNumber) {
  MetricInput a;
  a.problems = {Scores("p", {1})};
  MetricInput b;
  b.problems = {Scores("q", {1})};
  const PairedTask got = ComparePaired(a, b);
  EXPECT_EQ(got.problems, 0);
  EXPECT_FALSE(got.difference);
  EXPECT_EQ(ComparePaired(MetricInput(), MetricInput()).problems, 0);
}

TEST(Compare, SwappingTheRunsTurnsTheSignOnly) {
  MetricInput a;
  MetricInput b;
  for (int i = 0; i < 30; ++i) {
    const std::string id = "p" + std::to_string(i);
    a.problems.push_back(Scores(id, {i % 3 == 0 ? 0.0 : 1.0, i % 2 == 0 ? 1.0 : 0.0}));
    b.problems.push_back(Scores(id, {i % 5 == 0 ? 1.0 : 0.0, i % 7 == 0 ? 0.0 : 1.0}));
  }
  const PairedTask forward = ComparePaired(a, b);
  const PairedTask backward = ComparePaired(b, a);
  EXPECT_NEAR(forward.difference->low(), -backward.difference->high(), 1e-12);
  EXPECT_DOUBLE_EQ(forward.p, backward.p);
  EXPECT_DOUBLE_EQ(forward.comparison.p_sign_flip, backward.comparison.p_sign_flip);
  EXPECT_EQ(forward.a_right_b_wrong, backward.b_right_a_wrong);
  // Interval and p-value agree.
  EXPECT_EQ(forward.difference->low() > 0 || forward.difference->high() < 0, forward.p < 0.05);
}

TEST(Compare, ClustersCountOnce) {
  MetricInput a;
  MetricInput b;
  for (int i = 0; i < 24; ++i) {
    const std::string id = "p" + std::to_string(i);
    a.problems.push_back(Scores(id, {i / 4 % 3 == 0 ? 0.0 : 1.0}));
    b.problems.push_back(Scores(id, {i / 4 % 2 == 0 ? 1.0 : 0.0}));
  }
  const PairedTask alone = ComparePaired(a, b);
  MetricInput in_clusters;
  for (ProblemOutcomes problem : a.problems) {
    problem.cluster = "c" + std::to_string(in_clusters.problems.size() / 4);
    in_clusters.problems.push_back(problem);
  }
  const PairedTask clustered = ComparePaired(in_clusters, b);
  EXPECT_GT(clustered.difference->standard_error(), 1.8 * alone.difference->standard_error());
  EXPECT_GT(clustered.p, alone.p);
  const double t = clustered.difference->value() / clustered.difference->standard_error();
  EXPECT_NEAR(clustered.p, 2 * StudentCdf(-std::abs(t), 5), 1e-12);
}

TaskManifest Described() {
  TaskManifest task = MakeTask(4, 30, {"pass@1"});
  task.task_hash = "aaaa";
  task.dataset_sha256 = "1111111111111111";
  task.prompt_hash = "2222222222222222";
  task.sampling = Json::MakeObject({{"temperature", 0.6}, {"max_tokens", 32768}});
  task.grader_options = Json::MakeObject({{"x", 1}, {"y", 2}});
  return task;
}

TEST(WhatDiffers, NothingBetweenEqualTasksOfDifferentModels) {
  RunManifest a;
  a.model = "one";
  a.seed = 1;
  RunManifest b;
  b.model = "two";
  b.seed = 2;
  TaskManifest same = Described();
  same.grader_options = Json::MakeObject({{"y", 2}, {"x", 1}});
  EXPECT_THAT(WhatDiffers(Described(), same, a, b), IsEmpty());
}

TEST(WhatDiffers, EachInALineOfItsOwn) {
  TaskManifest other = Described();
  other.dataset_sha256 = "3333333333333333";
  other.prompt_hash = "4444444444444444";
  other.grader_version = 2;
  other.samples_per_problem = 8;
  other.sampling = Json::MakeObject({{"temperature", 0.6}, {"max_tokens", 8192}, {"top_k", 20}});
  other.grader_options = Json();
  RunManifest run_a;
  RunManifest run_b;
  run_b.seed = 5;
  EXPECT_THAT(WhatDiffers(Described(), other, run_a, run_b),
              UnorderedElementsAre("dataset: 111111111111 against 333333333333",
                                   "prompts: 222222222222 against 444444444444",
                                   "grader: exact version 1 against exact version 2",
                                   "grader options: x=1, y=2 against none",
                                   "max_tokens: 32768 against 8192", "top_k: none against 20",
                                   "samples per problem: 4 against 8", "seed: 0 against 5"));
}

TEST(WhatDiffers, AnUnknownHashIsNotTakenForEqual) {
  TaskManifest other = Described();
  other.prompt_hash.clear();
  EXPECT_THAT(WhatDiffers(Described(), other, {}, {}),
              ElementsAre("prompts: not known for one of them"));
}

TEST(WhatDiffers, ADifferentDefinitionDeservesAWord) {
  TaskManifest other = Described();
  other.task_hash = "bbbb";
  EXPECT_THAT(WhatDiffers(Described(), other, {}, {}), ElementsAre(HasSubstr("definition")));
}

}  // namespace
}  // namespace assay
