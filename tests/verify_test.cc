// `assay verify` as people and scripts call it: one pair, whole replies, files of pairs, wrong use.
#include "harness/text.h"
#include "tests/report_runs.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing_support::ProgramEnd;
using testing_support::RunAssay;
using testing_support::TemporaryDirectory;
using testing_support::WriteWholeFile;

Json Verified(std::vector<std::string> words) {
  words.insert(words.begin(), "verify");
  words.insert(words.begin() + 1, "--json");
  const ProgramEnd end = RunAssay(words);
  EXPECT_EQ(end.status, 0) << end.err;
  const absl::StatusOr<Json> json = ParseJson(Trim(end.out));
  EXPECT_TRUE(json.ok()) << end.out;
  return json.ok() ? *json : Json();
}

TEST(Verify, OnePairIsJudgedWithItsReason) {
  const ProgramEnd end = RunAssay({"verify", "\\frac{1}{2}", "0.5"});
  EXPECT_EQ(end.status, 0);
  EXPECT_THAT(end.out, HasSubstr("verdict    correct (score 1)"));
  EXPECT_THAT(end.out, HasSubstr("proved equal"));
  const Json wrong = Verified({"5", "6"});
  EXPECT_EQ(wrong.FindString("verdict"), "incorrect");
  EXPECT_EQ(wrong.FindNumber("score"), 0);
  EXPECT_EQ(wrong.FindString("tier"), "exact");
  EXPECT_EQ(wrong.FindString("grader"), "math");
  EXPECT_EQ(Verified({"5", "x^2"}).FindString("verdict"), "incorrect");
  EXPECT_EQ(Verified({"--", "-5", "-5.0"}).FindString("verdict"), "correct");
  EXPECT_EQ(Verified({"5", ""}).FindString("verdict"), "undecided");
}

TEST(Verify, AWholeReplyIsSplitAndSearched) {
  const std::vector<std::string> reply = {"--extractor", "boxed", "42"};
  const auto judged = [&](std::string text) {
    std::vector<std::string> words = reply;
    words.push_back(std::move(text));
    return Verified(words);
  };
  const Json found = judged("<think>\\boxed{41}</think>so \\boxed{42}");
  EXPECT_EQ(found.FindString("verdict"), "correct");
  EXPECT_EQ(found.FindString("answer"), "42");
  EXPECT_EQ(found.FindString("rule"), "boxed");
  EXPECT_EQ(judged("<think>so \\boxed{42}").FindString("verdict"), "truncated");
  EXPECT_EQ(judged("I do not know").FindString("verdict"), "no_answer");
  const Json letter = Verified({"--grader", "choice", "--extractor", "letter", "--choices",
                                "ham; eggs", "B", "Answer: (b)"});
  EXPECT_EQ(letter.FindString("verdict"), "correct");
}

TEST(Verify, AFileOfPairsGivesALineForEach) {
  const TemporaryDirectory directory;
  const std::string path = directory.Path("pairs.jsonl");
  WriteWholeFile(
      path,
      "{\"id\": \"a\", \"gold\": \"1/2\", \"pred\": \"0.5\", \"expected\": true}\n"
      "{\"gold\": 42, \"raw\": \"<think>\\\\boxed{41}</think>\\\\boxed{42}\", \"expected\": true}\n"
      "{\"id\": \"c\", \"gold\": \"1\", \"pred_parts\": [[\"9\", 70000]], \"expected\": false}\n"
      "{\"id\": \"d\", \"gold\": \"1\", \"pred\": \"2\", \"expected\": true}\n");
  const ProgramEnd end = RunAssay({"verify", "--pairs", path});
  EXPECT_EQ(end.status, 0) << end.err;
  std::vector<Json> lines;
  for (const std::string_view line : SplitLines(end.out)) lines.push_back(*ParseJson(line));
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0].FindString("id"), "a");
  EXPECT_EQ(lines[0].FindString("verdict"), "correct");
  EXPECT_GE(*lines[0].FindNumber("microseconds"), 0);
  EXPECT_EQ(lines[1].FindString("id"), "2");
  EXPECT_EQ(lines[1].FindString("verdict"), "correct");
  EXPECT_EQ(lines[2].FindString("verdict"), "undecided");
  EXPECT_EQ(lines[3].FindString("verdict"), "incorrect");
  EXPECT_THAT(end.err, HasSubstr("4 pairs: 2 correct, 1 undecided"));
  EXPECT_THAT(end.err, HasSubstr("against 'expected': 2 right, 1 wrong, 1 undecided"));
}

// How the sides were read stands below the verdict, each part on its line.
TEST(Verify, TheReasoningIsShown) {
  const ProgramEnd end = RunAssay({"verify", "\\log 100", "2"});
  EXPECT_THAT(end.out, HasSubstr("tier               exact\n"));
  EXPECT_THAT(end.out, HasSubstr("reference          log(100, 10)\n"));
  EXPECT_THAT(end.out, HasSubstr("answer             2\n"));
  const ProgramEnd other = RunAssay({"verify", "1,234", "234,1"});
  EXPECT_THAT(other.out, HasSubstr("reference reading  commas divide a list\n"));
  const Json numeric = Verified({"\\int_0^2 x^3\\,dx", "4"});
  EXPECT_EQ(numeric.Find("detail")->FindString("verdict"), "numerically_equal");
  EXPECT_GE(*numeric.Find("detail")->FindInteger("digits"), 50);
}

TEST(Verify, PairsComeFromStandardInputToo) {
  const ProgramEnd end = testing_support::RunProgram(
      {testing_support::BinaryPath("bin/assay"), "verify", "--pairs", "-"}, {},
      "{\"id\": \"a\", \"gold\": \"1/2\", \"pred\": \"0.5\"}\n"
      "{\"id\": \"b\", \"gold\": \"1/2\", \"raw\": \"\\\\boxed{0.6}\"}\n");
  EXPECT_EQ(end.status, 0) << end.err;
  std::vector<Json> lines;
  for (const std::string_view line : SplitLines(end.out)) lines.push_back(*ParseJson(line));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].FindString("id"), "a");
  EXPECT_EQ(lines[0].FindString("verdict"), "correct");
  EXPECT_EQ(lines[0].FindNumber("score"), 1);
  EXPECT_EQ(lines[0].FindString("tier"), "exact");
  EXPECT_TRUE(lines[0].FindNumber("microseconds").has_value());
  EXPECT_EQ(lines[1].FindString("verdict"), "incorrect");
}

TEST(Verify, AStoredSampleIsJudgedAgainAsItsTaskSays) {
  const TemporaryDirectory directory;
  const std::string database = directory.Path("runs.db");
  testing_support::WriteReportRun(
      database,
      {.name = "run", .outcomes = {"IC", "I-"}, .with_problem = [](Problem& problem, Prompt&) {
         if (problem.id == "p1") problem.reference = "7";
       }});
  const auto verify = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"verify", "--db", database, "--run", "run"});
    return RunAssay(words);
  };
  const ProgramEnd wrong = verify({"--task", "sums", "--problem", "p0", "--sample", "1"});
  EXPECT_EQ(wrong.status, 0) << wrong.err;
  EXPECT_THAT(wrong.out, HasSubstr("incorrect (score 0)"));
  EXPECT_THAT(wrong.out, HasSubstr("7 (by the rule boxed)"));
  // One task needs no name.
  const ProgramEnd right = verify({"--problem", "p1", "--sample", "1", "--json"});
  EXPECT_EQ(ParseJson(Trim(right.out))->FindString("verdict"), "correct") << right.out << right.err;
  EXPECT_THAT(verify({"--task", "sum", "--problem", "p0", "--sample", "1"}).err,
              HasSubstr("no task 'sum'; did you mean 'sums'?"));
  EXPECT_THAT(verify({"--problem", "p9", "--sample", "1"}).err, HasSubstr("no problem 'p9'"));
  EXPECT_THAT(verify({"--problem", "p1", "--sample", "2"}).err, HasSubstr("there is no sample 2"));
  EXPECT_EQ(verify({"--problem", "p1", "--sample", "0"}).status, 2);
  EXPECT_EQ(verify({"--problem", "p1"}).status, 2);
  const ProgramEnd elsewhere =
      RunAssay({"verify", "--run", database + ":run", "--problem", "p0", "--sample", "1"});
  EXPECT_EQ(elsewhere.status, 0) << elsewhere.err;
  EXPECT_EQ(verify({"5", "5", "--problem", "p1", "--sample", "1"}).status, 2);
}

TEST(Verify, WhatIsWrongIsNamed) {
  EXPECT_EQ(RunAssay({"verify"}).status, 2);
  EXPECT_EQ(RunAssay({"verify", "5"}).status, 2);
  EXPECT_EQ(RunAssay({"verify", "5", "6", "7"}).status, 2);
  EXPECT_EQ(RunAssay({"verify", "5", "6", "--pairs", "x.jsonl"}).status, 2);
  EXPECT_THAT(RunAssay({"verify", "5", "6", "--grader", "mth"}).err,
              HasSubstr("unknown grader 'mth'; did you mean 'math'?"));
  EXPECT_THAT(RunAssay({"verify", "5", "6", "--options", "{"}).err, HasSubstr("--options"));
  EXPECT_EQ(RunAssay({"verify", "--pairs", "/no/such.jsonl"}).status, 1);
  const TemporaryDirectory directory;
  const std::string path = directory.Path("pairs.jsonl");
  const auto error = [&](std::string_view row) {
    WriteWholeFile(path, row);
    const ProgramEnd end = RunAssay({"verify", "--pairs", path});
    EXPECT_EQ(end.status, 1);
    return end.err;
  };
  EXPECT_THAT(error("{\"gold\": \"1\"}\n"), HasSubstr("pairs.jsonl:1: no field 'pred'"));
  EXPECT_THAT(error("{\"gold\": \"1\", \"pred\": \"1\"}\n{\"pred\": \"1\"}\n"),
              HasSubstr("pairs.jsonl:2: no field 'gold'"));
  EXPECT_THAT(error("{\"gold\": \"1\", \"pred\": null}\n"),
              HasSubstr("pairs.jsonl:1: field 'pred': expected a string, found null"));
  EXPECT_THAT(error("{\"gold\": null, \"pred\": \"1\"}\n"),
              HasSubstr("pairs.jsonl:1: field 'gold': expected a string, found null"));
  EXPECT_THAT(error("{\"gold\": \"1\", \"pred\": []}\n"),
              HasSubstr("field 'pred': expected a string, found array"));
  EXPECT_THAT(error("{\"gold\": \"1\", \"pred_parts\": [[\"9\", 9000000000000000000]]}\n"),
              HasSubstr("field 'pred_parts': expected a list of [text, times], 64 MB in all"));
}

// The internal command is there for worker pools, and says so to people.
TEST(Verify, TheWorkerCommandRefusesWhatHasNoWorker) {
  const ProgramEnd exact = RunAssay({"grade-worker", "exact"});
  EXPECT_EQ(exact.status, 1);
  EXPECT_THAT(exact.err, HasSubstr("the grader 'exact' works in the process itself"));
  EXPECT_THAT(RunAssay({"grade-worker", "mth"}).err, HasSubstr("did you mean 'math'?"));
}

}  // namespace
}  // namespace assay
