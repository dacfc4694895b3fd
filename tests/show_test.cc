// What `assay show` prints: the whole sample, hostile text made harmless, commands that can be
// copied.
#include "reports/show.h"

#include "harness/text.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing::Not;

TaskManifest ExampleTask() {
  TaskManifest task;
  task.name = "math_500";
  task.version = "1";
  task.samples_per_problem = 4;
  task.grader = "math";
  task.grader_version = 1;
  task.extractor = "boxed";
  return task;
}

SampleView ExampleView() {
  SampleView view;
  view.stored.task = "math_500";
  view.stored.graded = true;
  view.problem.reference = "42";
  view.prompt.messages = {{"user", "What is 6 x 7?\nBox it."}};
  Sample& sample = view.stored.sample;
  sample.problem_id = "p17";
  sample.index = 2;
  sample.completion.reasoning = "I think " + std::string(1000, 'x') + " about the end";
  sample.completion.answer = "So it is \\boxed{41}.";
  sample.extraction.answer = sample.extraction.strict = sample.extraction.lenient = "41";
  sample.extraction.rule = "boxed";
  sample.extraction.begin = 16;
  sample.extraction.end = 18;
  sample.verdict.outcome = Outcome::kIncorrect;
  sample.verdict.grader = "math";
  sample.verdict.grader_version = 1;
  sample.verdict.why = "41 is not 42";
  return view;
}

std::string Describe(const SampleView& view, Reasoning reasoning = Reasoning::kFolded) {
  return DescribeSample(view, ExampleTask(), reasoning, {});
}

TEST(Show, ASampleSaysAllOfIt) {
  const std::string text = Describe(ExampleView());
  for (const char* part :
       {"math_500, problem p17, sample 3 of 4", "| What is 6 x 7?\n", "| Box it.\n",
        "So it is \\boxed{⟦41⟧}.", "'41' by the rule boxed", "reference  '42'",
        "incorrect, by math version 1: 41 is not 42", "assay verify --grader math -- 42 41"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

TEST(Show, ReasoningIsFoldedUnlessAskedFor) {
  EXPECT_THAT(Describe(ExampleView()), Not(HasSubstr("about the end")));
  EXPECT_THAT(Describe(ExampleView()), HasSubstr("--reasoning unfolds it"));
  EXPECT_THAT(Describe(ExampleView(), Reasoning::kFull), HasSubstr("about the end"));
}

TEST(Show, HostileTextReachesNoTerminal) {
  const std::string hostile =
      "\x1b]0;owned\x07\x9b\xC2\x9B"
      "31m\r\xE2\x80\xAE"
      "evil\x7f";
  SampleView view = ExampleView();
  view.stored.task = view.stored.sample.problem_id = view.problem.reference = hostile;
  view.prompt.messages = {{hostile, hostile}};
  view.prompt.reply_prefix = hostile;
  view.problem.tags = {hostile};
  Sample& sample = view.stored.sample;
  sample.completion.reasoning = sample.completion.answer = hostile;
  sample.completion.served_by = sample.completion.served_model = hostile;
  sample.extraction.answer = hostile;
  sample.extraction.lenient = sample.extraction.rule = hostile;
  sample.extraction.begin = 1;
  sample.extraction.end = 4;
  sample.verdict.why = sample.verdict.grader = hostile;
  view.history = {sample.verdict, sample.verdict};
  TaskManifest task = ExampleTask();
  task.grader = hostile;
  const std::string text = DescribeSample(view, task, Reasoning::kFull, {});
  for (const std::string_view line : SplitLines(text)) EXPECT_EQ(Printable(line), line);
  RunSummary run;
  run.manifest.id = run.manifest.name = run.manifest.model = run.manifest.host = hostile;
  run.manifest.base_urls = {hostile};
  run.manifest.backend_options = Json::MakeObject({{"a", hostile}});
  RunSession session;
  session.started = session.ended = session.host = session.stopped_by = hostile;
  session.assay_version = session.code_version = hostile;
  session.base_urls = {hostile};
  run.manifest.sessions = {session, session};
  run.state = RunState::kIncomplete;
  task.name = task.version = task.dataset_path = task.prompt_hash = hostile;
  run.manifest.tasks = {task};
  const std::string described = DescribeRun(run, {});
  for (const std::string_view line : SplitLines(described)) EXPECT_EQ(Printable(line), line);
}

TEST(Show, WhyARunStoppedIsSaid) {
  RunSummary run;
  run.manifest.id = "abcd2345";
  run.state = RunState::kIncomplete;
  EXPECT_EQ(WhyStopped(run), "");  // imported: nobody drew it
  RunSession session;
  session.started = "2026-11-27T20:00:00Z";
  session.host = "there";
  session.assay_version = "0.1.0";
  run.manifest.sessions = {session};
  EXPECT_THAT(WhyStopped(run), HasSubstr("killed"));
  run.state = RunState::kRunning;
  EXPECT_EQ(WhyStopped(run), "");
  run.state = RunState::kIncomplete;
  run.manifest.sessions[0].ended = "2026-11-27T20:05:00Z";
  run.manifest.sessions[0].stopped_by = "HTTP 401";
  EXPECT_THAT(DescribeRun(run, {}), HasSubstr("stopped    HTTP 401\n"));
  EXPECT_THAT(DescribeRun(run, {}), Not(HasSubstr("session ")));
  session.ended = "2026-11-27T21:00:00Z";
  run.manifest.sessions.push_back(session);
  run.state = RunState::kComplete;
  const std::string described = DescribeRun(run, {});
  EXPECT_THAT(described, Not(HasSubstr("  stopped ")));
  EXPECT_THAT(described,
              HasSubstr("1: 2026-11-27T20:00:00Z to 2026-11-27T20:05:00Z on there, assay "
                        "0.1.0; stopped: HTTP 401\n"));
  EXPECT_THAT(described, HasSubstr("2: 2026-11-27T20:00:00Z to 2026-11-27T21:00:00Z on there"));
}

TEST(Show, WhatNeedsMoreThanTheAnswerIsCheckedWhereItIsStored) {
  SampleView view = ExampleView();
  view.run_id = "abcd2345";
  TaskManifest task = ExampleTask();
  task.grader = "code";
  EXPECT_EQ(VerifyCommand(view, task),
            "assay verify --run abcd2345 --task math_500 --problem p17 --sample 3");
}

TEST(Show, OffsetsThatDoNotFitMarkNothing) {
  SampleView view = ExampleView();
  view.stored.sample.extraction.end = 1000;
  EXPECT_THAT(Describe(view), HasSubstr("| So it is \\boxed{41}.\n"));
  view.stored.sample.extraction.answer.reset();
  EXPECT_THAT(Describe(view), HasSubstr("extracted  nothing"));
  EXPECT_THAT(Describe(view), Not(HasSubstr("assay verify")));
}

TEST(Show, UngradedAndFormerVerdictsAreSaid) {
  SampleView view = ExampleView();
  view.stored.graded = false;
  EXPECT_THAT(Describe(view), HasSubstr("not graded yet"));
  view = ExampleView();
  Verdict former = view.stored.sample.verdict;
  former.outcome = Outcome::kUndecided;
  view.history = {former, view.stored.sample.verdict};
  EXPECT_THAT(Describe(view), HasSubstr("formerly   undecided, by math version 1"));
}

TEST(Show, JsonHoldsTheSameFacts) {
  SampleView view = ExampleView();
  view.stored.sample.completion.answer = "\xFF";
  ASSERT_OK_AND_ASSIGN(const Json json, ParseJson(SampleToJson(view).Dump()));
  EXPECT_EQ(json.FindString("problem_id"), "p17");
  EXPECT_EQ(json.FindString("extracted"), "41");
  EXPECT_EQ(json.Find("verdict")->FindString("outcome"), "incorrect");
  EXPECT_EQ(json.Find("completion")->FindString("answer"), "\uFFFD");
}

TEST(Show, AShellReadsBackWhatWasQuoted) {
  for (const std::string text :
       {"", "plain", "two words", "it's", "$HOME `id` \"x\" \\", "-x", "a\nb\tc", "\x1b[31m'\\",
        "\xE2\x80\xAE hidden", "\\frac{1}{2}", "!!", "*", "~", "#a", "é", "\xFF"}) {
    const std::string quoted = ShellQuote(text);
    EXPECT_EQ(Printable(quoted), quoted);
    const testing_support::ProgramEnd end =
        testing_support::RunProgram({"bash", "-c", "printf %s " + quoted + " x"});
    EXPECT_EQ(end.out, text + "x") << quoted;
  }
}

}  // namespace
}  // namespace assay
