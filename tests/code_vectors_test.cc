// Known good programs are accepted, known wrong ones rejected: ../shared/vectors/code.
//
// Every third row; with ASSAY_ALL_VECTORS set, every row.
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "absl/strings/str_format.h"
#include "graders/code/judge.h"
#include "harness/text.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing_support::ReadJsonLinesFile;
using testing_support::SharedPath;

struct Case {
  std::string name;
  code::CodeProblem problem;
  std::string language;
  std::string source;
  bool good = false;
  std::string expect;  // the verdict of a natural failure; "" any but accepted
};

std::vector<Case> CasesOf(const Json& row) {
  std::vector<Case> cases;
  const std::string id = *row.FindString("id");
  // A right answer that is late where it is compiled without -O2 (7 s); optimised it takes 1.5 s.
  if (id == "MultiPL-E-cpp/HumanEval_129_minPath" && row.FindString("expect") == "time_limit")
    return cases;
  absl::StatusOr<code::CodeProblem> problem = code::ProblemFromRow(row, id);
  EXPECT_OK(problem);
  if (!problem.ok()) return cases;
  // The machine may be busy: what is to be found out is right or wrong, not fast or slow.
  const std::string expect = row.FindString("expect").value_or("");
  if (expect != "time_limit") problem->time_limit_seconds *= 2;
  const std::string language = *row.FindString("lang");
  cases.push_back({id, *problem, language, *row.FindString("solution"), expect.empty(), expect});
  const Json* wrong = row.Find("wrong");
  for (size_t i = 0; wrong != nullptr && i < wrong->size(); ++i)
    cases.push_back({id + " wrong " + std::to_string(i), *problem, language,
                     *wrong->AsArray()[i].FindString("solution"), false, ""});
  return cases;
}

std::string Finding(Runner& runner, const Case& one) {
  const absl::StatusOr<code::Judgement> judgement =
      code::Judge(runner, one.problem, **FindLanguage(one.language), one.source, {});
  if (!judgement.ok()) return one.name + ": " + judgement.status().ToString();
  const std::string verdict(code::JudgeVerdictName(judgement->verdict));
  const bool accepted = judgement->verdict == code::JudgeVerdict::kAccepted;
  if (accepted == one.good && (one.expect.empty() || one.expect == verdict)) return "";
  return absl::StrFormat("%s: %s %s", one.name, verdict, judgement->why);
}

void RunFile(const std::string& name, size_t step) {
  SKIP_WITHOUT_SHARED("vectors/code/" + name);
  absl::StatusOr<std::unique_ptr<Runner>> runner = Runner::Start({.workers = 4});
  if (!runner.ok()) GTEST_SKIP() << "skipped: " << runner.status().message();
  if (std::getenv("ASSAY_ALL_VECTORS") != nullptr) step = 1;
  const std::vector<Json> rows = ReadJsonLinesFile(SharedPath("vectors/code/" + name));
  std::vector<Case> cases;
  for (size_t i = 0; i < rows.size(); i += step) {
    for (Case& one : CasesOf(rows[i])) cases.push_back(std::move(one));
  }
  std::atomic<size_t> next = 0;
  std::mutex mutex;
  std::vector<std::string> findings;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      for (size_t at = next++; at < cases.size(); at = next++) {
        const std::string finding = Finding(**runner, cases[at]);
        const std::lock_guard lock(mutex);
        if (!finding.empty()) findings.push_back(finding);
      }
    });
  }
  threads.clear();
  EXPECT_THAT(findings, testing::IsEmpty()) << cases.size() << " programs\n"
                                            << Join(findings, "\n");
  EXPECT_EQ((*runner)->sandbox().restarts(), 0);
}

TEST(CodeVectors, HumanEval) { RunFile("humaneval.jsonl", 6); }
TEST(CodeVectors, HumanEvalLike) { RunFile("humaneval_like.jsonl", 3); }
TEST(CodeVectors, CppAnswers) { RunFile("multipl_e_cpp.jsonl", 12); }
TEST(CodeVectors, CppNaturalFailures) { RunFile("multipl_e_cpp_natural_wrong.jsonl", 6); }
TEST(CodeVectors, StdinProblems) { RunFile("stdin_problems.jsonl", 2); }

}  // namespace
}  // namespace assay
