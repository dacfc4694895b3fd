// A code problem as its dataset row says it: tests, comparator, limits.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "graders/code/compare.h"
#include "harness/json.h"
#include "sandbox/sandbox.h"

namespace assay::code {

enum class ProblemKind {
  kStdin,       // a program: input in, output out
  kCall,        // a function: values in, a value out
  kAssert,      // a function or a type: tests of the dataset's call it and assert
  kInteractive  // a program that talks with one of the problem's
};
std::string_view KindName(ProblemKind kind);

struct CodeTest {
  std::string input;     // of kStdin and kInteractive; of kCall a JSON list of arguments
  std::string expected;  // an output; of kCall a JSON value; unset where only the checker knows
  std::string code;      // of kAssert
};

struct CodeProblem {
  ProblemKind kind = ProblemKind::kStdin;
  std::string language;  // of the answer, unless it says another; "" any
  std::string entry;     // the function of kCall and kAssert
  std::string context;   // of kAssert: the dataset's own code before the answer (imports, helpers)
  std::vector<CodeTest> tests;
  Checker checker;
  std::string interactor_language;  // of kInteractive
  std::string interactor_source;
  double time_limit_seconds = 6;
  int64_t memory_limit_mib = 256;
  std::optional<RunLimits> limits;  // instead of the two above
  bool several_answers = false;     // the statement allows more than the expected output
};

// Reads our own form and those of the published sets: `tests` as a list of {input, output},
// {stdin, expected}, {args, expected}, {code}; LiveCodeBench's public_test_cases and
// private_test_cases; HumanEval's test and MBPP's test_list. `where` begins the messages.
absl::StatusOr<CodeProblem> ProblemFromRow(const Json& row, std::string_view where);

// A problem's limits as a run has them: wall time three times the CPU time, and 2 s at the least.
RunLimits LimitsOf(const CodeProblem& problem);

}  // namespace assay::code
