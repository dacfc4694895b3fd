// Stored runs of math replies through `assay grade`: MATH-500, AIME, AMC, GSM8K, OlympiadBench and
// Minerva style answers, right ones and those of another problem.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "graders/algebra/check.h"
#include "harness/text.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing_support::ProgramEnd;
using testing_support::ReadJsonLinesFile;
using testing_support::RunAssay;
using testing_support::SharedPath;
using testing_support::TemporaryDirectory;
using testing_support::WriteWholeFile;

constexpr size_t kEach = 25;  // references of a set

// Up to kEach references of each set, evenly from all over it.
std::map<std::string, std::vector<std::string>> References() {
  std::map<std::string, std::vector<std::string>> all;
  for (const Json& row : ReadJsonLinesFile(SharedPath("vectors/gold_answers.jsonl"))) {
    const std::string set = *row.FindString("set");
    if (set == "MATH500" || set == "AIME24" || set == "AMC23" || set == "olympiadbench" ||
        set == "minerva")
      all[set].push_back(*row.FindString("gold"));
  }
  for (const Json& row : ReadJsonLinesFile(SharedPath("data/gsm8k.jsonl"))) {
    const std::string answer = row.FindString("answer").value_or("");
    const size_t marks = answer.rfind("####");
    if (marks != std::string::npos)
      all["gsm8k"].emplace_back(Trim(std::string_view(answer).substr(marks + 4)));
  }
  std::map<std::string, std::vector<std::string>> some;
  for (const auto& [set, golds] : all) {
    const size_t step = std::max<size_t>(1, golds.size() / kEach);
    for (size_t i = 0; i < golds.size() && some[set].size() < kEach; i += step)
      if (!Trim(golds[i]).empty()) some[set].push_back(golds[i]);
  }
  return some;
}

// The box's content, as a model writes it: without the dollar signs of some files.
std::string Boxed(std::string_view gold) {
  std::string inside(gold);
  if (inside.size() > 1 && inside.front() == '$' && inside.back() == '$' &&
      inside.find('$', 1) == inside.size() - 1)
    inside = inside.substr(1, inside.size() - 2);
  return "<think>\\boxed{0}</think>So the answer is $\\boxed{" + inside + "}$.";
}

TEST(AlgebraGrade, EveryStyleOfAnswerIsGradedOnAStoredRun) {
  SKIP_WITHOUT_SHARED("vectors/gold_answers.jsonl");
  SKIP_WITHOUT_SHARED("data/gsm8k.jsonl");
  const TemporaryDirectory directory;
  const std::string database = directory.Path("assay.db");
  std::string lines;
  std::map<std::pair<std::string, int64_t>, bool> expected;
  int sets = 0;
  for (const auto& [set, golds] : References()) {
    ++sets;
    for (size_t i = 0; i < golds.size(); ++i) {
      const std::string& other = golds[(i + 1) % golds.size()];
      const std::string id = set + "-" + std::to_string(i);
      for (int64_t index = 0; index < 2; ++index) {
        lines += Json::MakeObject({{"id", id},
                                   {"index", index},
                                   {"question", "Question " + id},
                                   {"reference", golds[i]},
                                   {"completion", Boxed(index == 0 ? golds[i] : other)}})
                     .Dump() +
                 "\n";
        // Two problems of a set may have one answer.
        expected[{id, index}] =
            index == 0 || algebra::Check(golds[i], other, algebra::CheckOptions()).correct();
      }
    }
  }
  EXPECT_EQ(sets, 6);
  WriteWholeFile(directory.Path("replies.jsonl"), lines);
  const ProgramEnd imported =
      RunAssay({"import", directory.Path("replies.jsonl"), "--make-task",
                directory.Path("styles.yaml"), "--db", database, "--quiet"});
  ASSERT_EQ(imported.status, 0) << imported.err;
  const ProgramEnd graded = RunAssay({"grade", "last", "--db", database, "--json"});
  ASSERT_EQ(graded.status, 0) << graded.err;
  ASSERT_OK_AND_ASSIGN(const Json report, ParseJson(graded.out));
  EXPECT_EQ(report.FindInteger("samples"), static_cast<int64_t>(expected.size()));
  EXPECT_EQ(report.FindInteger("failed"), 0);
  EXPECT_EQ(report.Find("changes")->size(), 0u);  // the same grader said it all before
  const std::string exported = directory.Path("all.jsonl");
  ASSERT_EQ(RunAssay({"export", "last", "--db", database, "-o", exported}).status, 0);
  for (const Json& row : ReadJsonLinesFile(exported)) {
    const auto key = std::pair{*row.FindString("problem_id"), *row.FindInteger("index")};
    const Json& verdict = *row.Find("verdict");
    EXPECT_EQ(verdict.FindString("outcome") == "correct", expected.at(key))
        << key.first << " sample " << key.second << ": " << row.FindString("reference").value_or("")
        << " | " << row.Find("extraction")->FindString("answer").value_or("none") << ": "
        << verdict.FindString("why").value_or("");
  }
}

}  // namespace
}  // namespace assay
