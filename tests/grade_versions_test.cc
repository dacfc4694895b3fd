// `assay grade --against`: how two versions of a grader differ on a stored run, end to end.
#include "harness/store.h"
#include "harness/text.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing_support::ProgramEnd;
using testing_support::RunAssay;
using testing_support::TemporaryDirectory;
using testing_support::WriteWholeFile;

constexpr int kNow = 2;  // the version of `math` that grades here

class GradeVersions : public testing::Test {
 protected:
  // Four replies to one question: right, right in another form, wrong, and no answer.
  void SetUp() override {
    WriteWholeFile(
        directory_.Path("replies.jsonl"),
        "{\"id\": \"half\", \"index\": 0, \"question\": \"1/2?\", \"reference\": \"0.5\", "
        "\"completion\": \"\\\\boxed{0.5}\"}\n"
        "{\"id\": \"half\", \"index\": 1, \"question\": \"1/2?\", \"reference\": \"0.5\", "
        "\"completion\": \"\\\\boxed{\\\\frac{1}{2}}\"}\n"
        "{\"id\": \"half\", \"index\": 2, \"question\": \"1/2?\", \"reference\": \"0.5\", "
        "\"completion\": \"\\\\boxed{0.6}\"}\n"
        "{\"id\": \"half\", \"index\": 3, \"question\": \"1/2?\", \"reference\": \"0.5\", "
        "\"completion\": \"no idea\"}\n");
    const ProgramEnd end = RunAssay({"import", directory_.Path("replies.jsonl"), "--make-task",
                                     directory_.Path("halves.yaml"), "--db", database_, "--quiet"});
    ASSERT_EQ(end.status, 0) << end.err;
    version_ = StoredVersion();
  }

  int StoredVersion() {
    int version = 0;
    const auto store = Store::Open(database_, StoreMode::kReadWrite);
    EXPECT_OK(store.status());
    const auto run = (*store)->FindRun("last");
    EXPECT_OK(run.status());
    EXPECT_OK((*store)->ForEachSample(run->manifest.id, {}, [&](const StoredSample& stored) {
      version = stored.sample.verdict.grader_version;
      task_ = stored.task;
      return absl::OkStatus();
    }));
    return version;
  }

  // As if another version of the grader had judged sample `index`.
  void AddVerdict(int index, int version, Outcome outcome, const std::string& why) {
    ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(database_, StoreMode::kReadWrite));
    ASSERT_OK_AND_ASSIGN(const RunSummary run, store->FindRun("last"));
    Store::NewVerdict verdict;
    verdict.task = task_;
    verdict.problem_id = "half";
    verdict.index = index;
    verdict.extraction.answer = "old answer";
    verdict.verdict.outcome = outcome;
    verdict.verdict.score = outcome == Outcome::kCorrect ? 1 : 0;
    verdict.verdict.why = why;
    verdict.verdict.grader = "math";
    verdict.verdict.grader_version = version;
    ASSERT_OK(store->PutVerdicts(run.manifest.id, {verdict}));
  }

  ProgramEnd Grade(std::vector<std::string> words) {
    words.insert(words.begin(), {"grade", "last", "--db", database_});
    return RunAssay(words);
  }

  size_t VerdictsOf(int index) {
    const auto store = Store::Open(database_, StoreMode::kReadWrite);
    EXPECT_OK(store.status());
    const auto run = (*store)->FindRun("last");
    const auto history = (*store)->VerdictHistory(run->manifest.id, task_, "half", index);
    EXPECT_OK(history.status());
    return history->size();
  }

  TemporaryDirectory directory_;
  std::string database_ = directory_.Path("assay.db");
  std::string task_;
  int version_ = 0;
};

TEST_F(GradeVersions, AStoredVersionAgainstThisProgram) {
  ASSERT_GE(version_, kNow);
  AddVerdict(0, 1, Outcome::kCorrect, "the same number");
  AddVerdict(1, 1, Outcome::kIncorrect, "no plain number");
  AddVerdict(2, 1, Outcome::kIncorrect, "another number");
  const ProgramEnd end = Grade({"--against", "1"});
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_THAT(end.out, HasSubstr("/ half / sample 2: incorrect (math@1) -> correct (math@"));
  EXPECT_THAT(end.out, HasSubstr("answer '\\frac{1}{2}', reference '0.5': proved equal"));
  EXPECT_THAT(end.out, HasSubstr("(was: no plain number)"));
  EXPECT_THAT(end.out, Not(HasSubstr("sample 0:")));
  EXPECT_THAT(end.out, Not(HasSubstr("sample 3:")));
  EXPECT_THAT(end.out, HasSubstr("version 1 against now: 1 of 3 verdicts differ; score 1 -> 2"));
  EXPECT_THAT(end.out, HasSubstr("  incorrect -> correct: 1\n"));
  EXPECT_THAT(end.out, HasSubstr("1 of 4 samples without a verdict to compare"));
}

TEST_F(GradeVersions, TwoStoredVersionsAndNothingIsWritten) {
  AddVerdict(1, 1, Outcome::kIncorrect, "no plain number");
  AddVerdict(1, 7, Outcome::kUndecided, "not today");
  AddVerdict(2, 1, Outcome::kIncorrect, "another number");
  AddVerdict(2, 7, Outcome::kIncorrect, "another number");
  const size_t before = VerdictsOf(1);
  const ProgramEnd end = Grade({"--against", "1..7", "--json"});
  EXPECT_EQ(end.status, 0) << end.err;
  ASSERT_OK_AND_ASSIGN(const Json json, ParseJson(end.out));
  EXPECT_EQ(json.FindInteger("samples"), 4);
  EXPECT_EQ(json.FindInteger("compared"), 2);
  ASSERT_EQ(json.Find("changes")->size(), 1u);
  const Json& change = json.Find("changes")->AsArray()[0];
  EXPECT_EQ(change.FindString("problem"), "half");
  EXPECT_EQ(change.FindInteger("sample"), 1);
  EXPECT_EQ(change.FindString("before"), "incorrect");
  EXPECT_EQ(change.FindString("after"), "undecided");
  EXPECT_EQ(change.FindString("why"), "not today");
  EXPECT_EQ(change.FindString("why_before"), "no plain number");
  EXPECT_EQ(change.FindInteger("version_before"), 1);
  EXPECT_EQ(change.FindInteger("version_after"), 7);
  EXPECT_EQ(VerdictsOf(1), before);
  // The other way round.
  EXPECT_THAT(Grade({"--against", "7..1"}).out,
              HasSubstr("undecided (math@7) -> incorrect (math@1)"));
}

// Of several verdicts by one version the newest counts.
TEST_F(GradeVersions, TheNewestVerdictOfAVersionCounts) {
  AddVerdict(0, 1, Outcome::kIncorrect, "first");
  AddVerdict(0, 1, Outcome::kCorrect, "second");
  EXPECT_THAT(Grade({"--against", "1"}).out, HasSubstr("0 of 1 verdicts differ"));
}

TEST_F(GradeVersions, WhatIsNotThereIsNamed) {
  const ProgramEnd none = Grade({"--against", "99"});
  EXPECT_EQ(none.status, 1);
  EXPECT_THAT(none.err, HasSubstr("no sample has a verdict of version 99 of its grader; there are "
                                  "math@" +
                                  std::to_string(version_)));
  EXPECT_EQ(Grade({"--against", "1..99"}).status, 1);
  for (const std::string wrong : {"x", "0", "-1", "1..", "..2", "1..x", "1.5", "1...2"}) {
    const ProgramEnd end = Grade({"--against=" + wrong});
    EXPECT_NE(end.status, 0) << wrong;
    EXPECT_THAT(end.err, HasSubstr("--against: expected a grader's version")) << wrong;
  }
  EXPECT_THAT(Grade({"--against", "1", "--task", "other"}).err, HasSubstr("has no task 'other'"));
}

}  // namespace
}  // namespace assay
