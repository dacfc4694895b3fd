// The commands that read a database (runs, show, compare), on runs whose every figure is known by
// hand.
#include "absl/strings/str_format.h"
#include "harness/store.h"
#include "harness/text.h"
#include "reports/compare.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing_support::ProgramEnd;
using testing_support::RunAssay;

TaskManifest MakeTask(const std::string& name, int samples) {
  TaskManifest task;
  task.name = name;
  task.version = "1";
  task.task_hash = "hash of the task";
  task.prompt_hash = "hash of the prompts";
  task.dataset_path = "sums.jsonl";
  task.dataset_sha256 = "hash of the data";
  task.extractor = "boxed";
  task.grader = "exact";
  task.grader_version = 1;
  task.samples_per_problem = samples;
  task.metrics = {"pass@1"};
  task.sampling = Json::MakeObject({{"temperature", 0.6}});
  task.definition = Json::MakeObject({{"name", name}});
  return task;
}

Outcome OutcomeOf(char letter) {
  switch (letter) {
    case 'C':
      return Outcome::kCorrect;
    case 'I':
      return Outcome::kIncorrect;
    case 'T':
      return Outcome::kTruncated;
    case 'U':
      return Outcome::kUndecided;
    default:
      return Outcome::kNoAnswer;
  }
}

StoredSample MakeSample(const std::string& task, const std::string& id, int index, char letter) {
  StoredSample stored;
  stored.task = task;
  stored.key = absl::StrFormat("%s/%s/%d", task, id, index);
  stored.graded = true;
  Sample& sample = stored.sample;
  sample.problem_id = id;
  sample.index = index;
  sample.completion.raw = sample.completion.answer = "I say \\boxed{7}\x1b[31m.";
  sample.verdict.outcome = OutcomeOf(letter);
  if (letter == 'T') {
    sample.completion.finish = FinishReason::kLength;
  } else if (letter != 'N') {
    sample.extraction.answer = sample.extraction.strict = sample.extraction.lenient = "7";
    sample.extraction.rule = "boxed";
    sample.extraction.begin = 13;
    sample.extraction.end = 14;
  }
  sample.verdict.score = letter == 'C' ? 1 : 0;
  sample.verdict.grader = "exact";
  sample.verdict.grader_version = 1;
  sample.verdict.why = letter == 'I' ? "7 is not 8" : "";
  return stored;
}

// outcomes[i][p]: sample i of problem p: C, I, N, T, U, or '-' for a draw that failed.
using Outcomes = std::vector<std::string>;

class Reading : public testing::Test {
 protected:
  std::string WriteRun(RunManifest manifest, const std::vector<Outcomes>& by_task) {
    absl::StatusOr<std::unique_ptr<Store>> store = Store::Open(database_, StoreMode::kReadWrite);
    EXPECT_OK(store.status());
    for (size_t t = 0; t < by_task.size(); ++t) {
      manifest.tasks[t].problems = static_cast<int64_t>(by_task[t][0].size());
    }
    absl::StatusOr<std::unique_ptr<RunWriter>> writer = (*store)->CreateRun(&manifest);
    EXPECT_OK(writer.status());
    bool complete = true;
    for (size_t t = 0; t < by_task.size(); ++t) {
      complete &= PutTask(manifest.tasks[t].name, by_task[t], **writer);
    }
    EXPECT_OK((*writer)->Finish(complete ? RunState::kComplete : RunState::kIncomplete));
    return manifest.id;
  }

  // Whether no sample is missing.
  static bool PutTask(const std::string& task, const Outcomes& outcomes, RunWriter& writer) {
    bool complete = true;
    for (size_t p = 0; p < outcomes[0].size(); ++p) {
      Problem problem;
      problem.id = absl::StrFormat("p%d", p);
      problem.reference = "8";
      problem.tags = {p % 2 == 0 ? "level:even" : "level:odd"};
      Prompt prompt;
      prompt.messages = {{"user", "What is the sum of problem " + problem.id + "?"}};
      EXPECT_OK(writer.PutProblem(task, problem, prompt));
      for (size_t i = 0; i < outcomes.size(); ++i) {
        const int index = static_cast<int>(i);
        if (outcomes[i][p] == '-') {
          complete = false;
          EXPECT_OK(writer.PutFailure(task, problem.id, index, "HTTP 503 \x1b[2J"));
        } else {
          EXPECT_OK(writer.PutSample(MakeSample(task, problem.id, index, outcomes[i][p])));
        }
      }
    }
    return complete;
  }

  static RunManifest MakeManifest(const std::string& name, const std::vector<TaskManifest>& tasks) {
    RunManifest manifest;
    manifest.name = name;
    manifest.backend = "replay";
    manifest.model = "model-" + name;
    manifest.started = "2026-01-02T03:04:05Z";
    manifest.tasks = tasks;
    return manifest;
  }

  ProgramEnd Ask(std::vector<std::string> words) {
    words.push_back("--db");
    words.push_back(database_);
    return RunAssay(words);
  }

  Json AskJson(std::vector<std::string> words) {
    words.push_back("--json");
    const ProgramEnd end = Ask(words);
    EXPECT_EQ(end.status, 0) << end.err;
    absl::StatusOr<Json> json = ParseJson(end.out);
    EXPECT_OK(json.status());
    return json.ok() ? *std::move(json) : Json();
  }

  testing_support::TemporaryDirectory directory_;
  std::string database_ = directory_.Path("runs.db");
};

TEST_F(Reading, RunsAreListedWithStateAndCounts) {
  WriteRun(MakeManifest("first", {MakeTask("sums", 1)}), {{"CCCI"}});
  WriteRun(MakeManifest("second", {MakeTask("sums", 2)}), {{"CC", "C-"}});
  const ProgramEnd end = Ask({"runs"});
  EXPECT_THAT(end.out,
              AllOf(HasSubstr("first"), HasSubstr("complete"), HasSubstr("4/4"),
                    HasSubstr("incomplete"), HasSubstr("3/4"), HasSubstr("2026-01-02 03:04")));
  const Json json = AskJson({"runs"});
  ASSERT_EQ(json.size(), 2u);
  EXPECT_EQ(json.AsArray()[1].FindString("name"), "second");
  EXPECT_EQ(json.AsArray()[1].FindInteger("failures"), 1);
  EXPECT_EQ(AskJson({"runs", "--limit", "1"}).AsArray()[0].FindString("name"), "second");
}

TEST_F(Reading, ARunSaysWhatItsNumbersMean) {
  WriteRun(MakeManifest("a", {MakeTask("sums", 2)}), {{"CCCIT", "CCIIU"}});
  const ProgramEnd end = Ask({"show"});
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_THAT(end.out, AllOf(HasSubstr("model-a"), HasSubstr("hash of the data"),
                             HasSubstr("{\"temperature\":0.6}"), HasSubstr("exact, version 1"),
                             HasSubstr("pass@1"), HasSubstr("50.0 ± ")));
  EXPECT_THAT(end.out, AllOf(HasSubstr("level:even"), HasSubstr("level:odd")));
  const Json json = AskJson({"show", "last"});
  EXPECT_EQ(json.Find("manifest")->FindString("model"), "model-a");
  const Json& samples = *json.Find("tasks")->AsArray()[0].Find("samples");
  EXPECT_EQ(samples.FindInteger("truncated"), 1);
  EXPECT_EQ(samples.FindInteger("undecided"), 1);
}

TEST_F(Reading, MissingSamplesWithholdTheNumber) {
  WriteRun(MakeManifest("a", {MakeTask("sums", 1)}), {{"CCCCC-"}});
  const ProgramEnd end = Ask({"show"});
  EXPECT_THAT(end.out, AllOf(HasSubstr("missing"), Not(HasSubstr("100.0 ±"))));
  EXPECT_THAT(Ask({"show", "--allow-partial"}).out, HasSubstr("partial"));
  const ProgramEnd failures = Ask({"show", "--failures"});
  EXPECT_THAT(failures.out, AllOf(HasSubstr("p5"), HasSubstr("HTTP 503 \\x1b[2J")));
  EXPECT_EQ(AskJson({"show", "--failures"}).Find("failures")->size(), 1u);
}

TEST_F(Reading, SamplesAreChosenByOutcomeProblemAndNumber) {
  WriteRun(MakeManifest("a", {MakeTask("sums", 2)}), {{"CCI", "CIN"}});
  const ProgramEnd end = Ask({"show", "--outcome", "incorrect"});
  EXPECT_THAT(end.out,
              AllOf(HasSubstr("problem p1, sample 2 of 2"), HasSubstr("problem p2, sample 1 of 2"),
                    HasSubstr("7 is not 8"), HasSubstr("What is the sum of problem p2?"),
                    HasSubstr("I say \\boxed{⟦7⟧}\\x1b[31m."),
                    HasSubstr("assay verify --grader exact -- 8 7"), HasSubstr("2 samples shown"),
                    Not(HasSubstr("problem p0"))));
  const auto count = [&](const std::vector<std::string>& words) {
    return AskJson(words).Find("samples")->size();
  };
  EXPECT_EQ(count({"show", "--limit", "0"}), 6u);
  EXPECT_EQ(count({"show", "--limit", "4"}), 4u);
  EXPECT_EQ(count({"show", "--problem", "p1"}), 2u);
  EXPECT_EQ(count({"show", "--problem", "p1", "--sample", "2"}), 1u);
  EXPECT_EQ(count({"show", "--outcome", "no-answer"}), 1u);
  EXPECT_EQ(Ask({"show", "--sample", "2"}).status, 0);
  const ProgramEnd beyond = Ask({"show", "--sample", "99"});
  EXPECT_EQ(beyond.status, 1);
  EXPECT_THAT(beyond.err, HasSubstr("holds no sample 99"));
  const ProgramEnd absent = Ask({"show", "--problem", "p9"});
  EXPECT_EQ(absent.status, 1);
  EXPECT_THAT(absent.err, HasSubstr("no such sample of a problem 'p9'"));
}

TEST_F(Reading, NamesThatAreNotThereSuggest) {
  WriteRun(MakeManifest("a", {MakeTask("sums", 1)}), {{"CI"}});
  EXPECT_THAT(Ask({"show", "--task", "sum"}).err, HasSubstr("did you mean 'sums'?"));
  EXPECT_THAT(Ask({"show", "--outcome", "incorect"}).err, HasSubstr("did you mean 'incorrect'?"));
  EXPECT_EQ(Ask({"show", "no_such_run"}).status, 1);
  EXPECT_EQ(Ask({"compare", "last", "no_such_run"}).status, 1);
  EXPECT_THAT(Ask({"compare", "last", "last", "--tasks", "sum"}).err,
              HasSubstr("did you mean 'sums'?"));
}

TEST_F(Reading, TwoRunsArePairedByProblem) {
  // A is right on p0..p7, B on p0..p5 and p8: 0.7 - 0.8, one win of B, two losses.
  const std::string a = WriteRun(MakeManifest("a", {MakeTask("sums", 1)}), {{"CCCCCCCCII"}});
  const std::string b = WriteRun(MakeManifest("b", {MakeTask("sums", 1)}), {{"CCCCCCIICI"}});
  const Json json = AskJson({"compare", a, b});
  const Json& task = json.Find("tasks")->AsArray()[0];
  EXPECT_NEAR(*task.Find("difference")->FindNumber("value"), -0.1, 1e-12);
  EXPECT_NEAR(*task.Find("a")->FindNumber("value"), 0.8, 1e-12);
  EXPECT_NEAR(*task.Find("b")->FindNumber("value"), 0.7, 1e-12);
  EXPECT_EQ(task.FindInteger("wins"), 1);
  EXPECT_EQ(task.FindInteger("losses"), 2);
  EXPECT_EQ(task.FindInteger("ties"), 7);
  EXPECT_EQ(task.FindBool("comparable"), true);
  const Json& majority = *task.Find("mcnemar");
  EXPECT_EQ(majority.FindInteger("both_right"), 6);
  EXPECT_EQ(majority.FindInteger("only_a_right"), 2);
  EXPECT_EQ(majority.FindInteger("only_b_right"), 1);
  EXPECT_EQ(majority.FindInteger("both_wrong"), 1);
  EXPECT_NEAR(*majority.FindNumber("p_exact"), 1, 1e-12);
  EXPECT_EQ(task.Find("a_right_b_wrong")->Dump(), R"(["p6","p7"])");
  EXPECT_EQ(task.Find("b_right_a_wrong")->Dump(), R"(["p8"])");
  const ProgramEnd text = Ask({"compare", a, b});
  EXPECT_THAT(text.out,
              AllOf(HasSubstr("-10.0 ± "), HasSubstr("1/2/7"), HasSubstr("p6, p7"),
                    HasSubstr("no difference between A and B can be seen"), Not(HasSubstr("!"))));
  // The other way round everything changes its sign and nothing else.
  const Json turned = AskJson({"compare", b, a});
  const Json& task_turned = turned.Find("tasks")->AsArray()[0];
  EXPECT_NEAR(*task_turned.Find("difference")->FindNumber("value"), 0.1, 1e-12);
  EXPECT_NEAR(*task_turned.FindNumber("p"), *task.FindNumber("p"), 1e-12);
}

TEST_F(Reading, WhatCannotBeComparedIsSaidLoudly) {
  TaskManifest other = MakeTask("sums", 1);
  other.dataset_sha256 = "another";
  const std::string a = WriteRun(MakeManifest("a", {MakeTask("sums", 1)}), {{"CCCC"}});
  const std::string b = WriteRun(MakeManifest("b", {other}), {{"CCI-"}});
  const ProgramEnd end = Ask({"compare", a, b});
  EXPECT_THAT(end.out, AllOf(HasSubstr("! sums: NOT THE SAME in both runs:"),
                             HasSubstr("run B lacks 1 of 4 samples"),
                             HasSubstr("compared on the 3 problems that both runs have")));
  EXPECT_EQ(AskJson({"compare", a, b}).Find("tasks")->AsArray()[0].FindBool("comparable"), false);
}

TEST_F(Reading, SeveralTasksAreAdjustedForAndLonelyOnesNamed) {
  const std::string a =
      WriteRun(MakeManifest("a", {MakeTask("sums", 1), MakeTask("words", 1), MakeTask("alone", 1)}),
               {{"CCCCCCCCCCCCCCCCCCCC"}, {"CCCI"}, {"C"}});
  const std::string b = WriteRun(MakeManifest("b", {MakeTask("sums", 1), MakeTask("words", 1)}),
                                 {{"IIIIIIIIIIIIIIIIIIII"}, {"CCIC"}});
  const Json json = AskJson({"compare", a, b});
  const Json& sums = json.Find("tasks")->AsArray()[0];
  EXPECT_NEAR(*sums.FindNumber("p_holm"), std::min(1.0, 2 * *sums.FindNumber("p")), 1e-12);
  EXPECT_EQ(json.Find("only_in_a")->Dump(), R"(["alone"])");
  const ProgramEnd end = Ask({"compare", a, b});
  EXPECT_THAT(end.out,
              AllOf(HasSubstr("p (Holm)"), HasSubstr("B is worse than A on sums by 100.0 points"),
                    HasSubstr("! only in A: alone")));
}

TEST_F(Reading, RunsOfTwoDatabasesAreCompared) {
  const std::string first = database_;
  WriteRun(MakeManifest("a", {MakeTask("sums", 1)}), {{"CC"}});
  database_ = directory_.Path("other.db");
  WriteRun(MakeManifest("b", {MakeTask("sums", 1)}), {{"CI"}});
  const std::string second = database_;
  database_ = first;
  const Json json = AskJson({"compare", "a", "b", "--db-b", second});
  EXPECT_NEAR(*json.Find("tasks")->AsArray()[0].Find("difference")->FindNumber("value"), -0.5,
              1e-12);
}

}  // namespace
}  // namespace assay
