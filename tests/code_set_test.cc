// Our own code problems: each reference solution is accepted, each wrong one rejected.
#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "absl/strings/str_format.h"
#include "graders/code/judge.h"
#include "harness/text.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing_support::ReadJsonLinesFile;
using testing_support::SourcePath;

std::vector<Json> Rows() { return ReadJsonLinesFile(SourcePath("datasets/code_basics.jsonl")); }

TEST(CodeSet, HasManyProblemsOfEveryKind) {
  std::set<std::string> ids, kinds, languages;
  int wrong = 0;
  for (const Json& row : Rows()) {
    EXPECT_TRUE(ids.insert(*row.FindString("id")).second) << *row.FindString("id");
    kinds.insert(*row.FindString("kind"));
    languages.insert(*row.FindString("language"));
    EXPECT_GE(row.Find("wrong")->size(), 1u) << *row.FindString("id");
    wrong += static_cast<int>(row.Find("wrong")->size());
    EXPECT_OK(code::ProblemFromRow(row, *row.FindString("id")));
  }
  EXPECT_GE(ids.size(), 40u);
  EXPECT_GE(wrong, 50);
  EXPECT_THAT(kinds, testing::ElementsAre("assert", "call", "interactive", "stdin"));
  EXPECT_THAT(languages, testing::ElementsAre("cpp", "python3"));
}

void JudgeRows(std::string_view language) {
  absl::StatusOr<std::unique_ptr<Runner>> runner = Runner::Start({.workers = 4});
  if (!runner.ok()) GTEST_SKIP() << "skipped: " << runner.status().message();
  const Language& spec = **FindLanguage(language);
  if (!IsInstalled(spec)) GTEST_SKIP() << "skipped: " << spec.probe_program << " is missing";
  struct Case {
    std::string name, source;
    code::CodeProblem problem;
    bool good;
  };
  std::vector<Case> cases;
  for (const Json& row : Rows()) {
    if (*row.FindString("language") != language) continue;
    const std::string id = *row.FindString("id");
    ASSERT_OK_AND_ASSIGN(const code::CodeProblem problem, code::ProblemFromRow(row, id));
    cases.push_back({id, *row.FindString("solution"), problem, true});
    for (const Json& wrong : row.Find("wrong")->AsArray())
      cases.push_back({id + " (wrong)", wrong.AsString(), problem, false});
  }
  std::atomic<size_t> next = 0;
  std::mutex mutex;
  std::vector<std::string> findings;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      for (size_t at = next++; at < cases.size(); at = next++) {
        const Case& one = cases[at];
        const absl::StatusOr<code::Judgement> judgement =
            code::Judge(**runner, one.problem, spec, one.source, {});
        const std::lock_guard lock(mutex);
        if (!judgement.ok()) {
          findings.push_back(one.name + ": " + judgement.status().ToString());
        } else if ((judgement->verdict == code::JudgeVerdict::kAccepted) != one.good ||
                   judgement->verdict == code::JudgeVerdict::kCheckerError) {
          findings.push_back(absl::StrFormat(
              "%s: %s %s", one.name, code::JudgeVerdictName(judgement->verdict), judgement->why));
        }
      }
    });
  }
  threads.clear();
  EXPECT_THAT(findings, testing::IsEmpty()) << Join(findings, "\n");
}

TEST(CodeSet, PythonSolutionsAreJudgedRight) { JudgeRows("python3"); }
TEST(CodeSet, CppSolutionsAreJudgedRight) { JudgeRows("cpp"); }

}  // namespace
}  // namespace assay
