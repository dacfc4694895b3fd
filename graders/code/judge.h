// Judges one program against one problem: compiles, runs every test in the sandbox, compares
// outside of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "graders/code/problem.h"
#include "harness/json.h"
#include "sandbox/language.h"

namespace assay::code {

enum class JudgeVerdict {
  kAccepted,
  kWrongAnswer,
  kTimeLimit,
  kMemoryLimit,
  kOutputLimit,
  kRuntimeError,
  kCompileError,
  kSecurityViolation,
  kNoCode,
  kCheckerError  // the problem's own program failed: nobody's score
};
std::string_view JudgeVerdictName(JudgeVerdict verdict);  // "accepted", "wrong_answer", ...

struct TestResult {
  JudgeVerdict verdict = JudgeVerdict::kAccepted;
  std::string why;   // "cpu", "exit 1", "line 2: expected '3', found '4'"
  int64_t line = 0;  // of the output, where it is wrong
  std::string input, expected, got, standard_error;  // shortened; of a failed test only
  double wall_seconds = 0, cpu_seconds = 0;
  int64_t memory_bytes = 0;
};

struct Judgement {
  JudgeVerdict verdict = JudgeVerdict::kAccepted;
  std::string why;                // one line
  int failed_test = -1;           // index of the first; -1 where none
  std::vector<TestResult> tests;  // those that were run: up to the first failure, or all
  int tests_total = 0;
  std::string language;
  RunLimits limits;   // as they were for this language
  int lcb_code = 0;   // of the profiles lcb: -2 wrong, -3 late, -4 failed; 0 accepted
  bool weak = false;  // a program that knows how could have forged it (asserts in its own process)
};

// How Python programs with standard input, and calls, are run.
enum class Profile {
  kNative,      // python3 as it is: a fresh process for each test, real standard input
  kLcb,         // as LiveCodeBench's runner: one process, wrapped source, its stand-in for stdin
  kLcbStringIo  // the same with the earlier stand-in, which lighteval and others still use
};
std::string_view ProfileName(Profile profile);  // "native", "lcb", "lcb-stringio"

struct JudgeOptions {
  Profile profile = Profile::kNative;
  bool all_tests = false;  // go on after a failure
};

// Errors are ours (a broken sandbox, a language that is not installed, a problem without sense);
// they never count against the program. Thread-safe.
absl::StatusOr<Judgement> Judge(Runner& runner, const CodeProblem& problem,
                                const Language& language, std::string_view source,
                                const JudgeOptions& options);

Json ToJson(const Judgement& judgement);

}  // namespace assay::code
