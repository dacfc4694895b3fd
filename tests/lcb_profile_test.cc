// The profile `lcb` says what LiveCodeBench's runner says, in both eras, and `native` what CPython
// says: ../shared/vectors/lcb_quirks.jsonl.
#include <atomic>
#include <iostream>
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

code::CodeProblem ProblemOf(const Json& row) {
  code::CodeProblem problem;
  problem.checker.comparison = code::Comparison::kLcb;
  problem.time_limit_seconds = static_cast<double>(*row.FindInteger("timeout"));
  const std::optional<std::string> name = row.FindString("fn_name");
  if (name) {
    problem.kind = code::ProblemKind::kCall;
    problem.entry = *name;
  }
  for (size_t i = 0; i < row.Find("inputs")->size(); ++i) {
    const std::string& input = row.Find("inputs")->AsArray()[i].AsString();
    const std::string& output = row.Find("outputs")->AsArray()[i].AsString();
    std::string given = input;
    if (name) given = "[" + ReplaceAll(input, "\n", ",") + "]";
    problem.tests.push_back({given, output, ""});
  }
  return problem;
}

bool HasNumpy(Runner& runner) {
  const absl::StatusOr<Prepared> program =
      runner.Prepare(**FindLanguage("python3"), "import numpy");
  if (!program.ok()) return false;
  const absl::StatusOr<ProgramEnd> end = runner.Run(*program, "", {});
  return end.ok() && end->verdict == RunVerdict::kFinished;
}

void RunProfile(code::Profile profile, const char* field) {
  SKIP_WITHOUT_SHARED("vectors/lcb_quirks.jsonl");
  absl::StatusOr<std::unique_ptr<Runner>> runner = Runner::Start({.workers = 2});
  if (!runner.ok()) GTEST_SKIP() << "skipped: " << runner.status().message();
  std::vector<Json> rows = ReadJsonLinesFile(SharedPath("vectors/lcb_quirks.jsonl"));
  std::erase_if(rows, [&](const Json& row) { return !row.FindBool(field).has_value(); });
  if (!HasNumpy(**runner)) {
    std::cerr << "python3-numpy is not installed: rows that import it are left out\n";
    std::erase_if(rows, [](const Json& row) { return Contains(*row.FindString("code"), "numpy"); });
  }
  ASSERT_GT(rows.size(), 20u);
  std::atomic<size_t> next = 0;
  std::mutex mutex;
  std::vector<std::string> findings;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      for (size_t at = next++; at < rows.size(); at = next++) {
        const absl::StatusOr<code::Judgement> judgement =
            code::Judge(**runner, ProblemOf(rows[at]), **FindLanguage("python3"),
                        *rows[at].FindString("code"), {.profile = profile});
        const std::lock_guard lock(mutex);
        if (!judgement.ok()) {
          findings.push_back(judgement.status().ToString());
        } else if ((judgement->verdict == code::JudgeVerdict::kAccepted) !=
                   *rows[at].FindBool(field)) {
          findings.push_back(absl::StrFormat("%s: %s %s", *rows[at].FindString("name"),
                                             code::JudgeVerdictName(judgement->verdict),
                                             judgement->why));
        }
      }
    });
  }
  threads.clear();
  EXPECT_THAT(findings, testing::IsEmpty()) << Join(findings, "\n");
}

TEST(LcbProfile, LaterEra) { RunProfile(code::Profile::kLcb, "lcb_pass"); }
TEST(LcbProfile, StringIoEra) { RunProfile(code::Profile::kLcbStringIo, "lcb2024_pass"); }
TEST(LcbProfile, NativeIsCPython) { RunProfile(code::Profile::kNative, "native_pass"); }

}  // namespace
}  // namespace assay
