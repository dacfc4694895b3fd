// Field names differ from set to set; what they mean does not.
#include "graders/code/problem.h"

#include <algorithm>
#include <array>

#include "graders/code/private_tests.h"
#include "harness/status.h"
#include "harness/text.h"
#include "sandbox/language.h"

namespace assay::code {
namespace {

constexpr std::array<std::string_view, 4> kKinds = {"stdin", "call", "assert", "interactive"};

// The first of these fields that is there and not null.
const Json* FirstOf(const Json& row, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    const Json* value = row.Find(name);
    if (value != nullptr && !value->is_null()) return value;
  }
  return nullptr;
}

std::string TextOf(const Json& row, std::initializer_list<std::string_view> names) {
  const Json* value = FirstOf(row, names);
  return value == nullptr ? "" : value->ToText();
}

absl::StatusOr<ProblemKind> KindOf(const Json& row, std::string_view where) {
  const std::string name = TextOf(row, {"kind"});
  const auto found = std::find(kKinds.begin(), kKinds.end(), name);
  if (found != kKinds.end()) return static_cast<ProblemKind>(found - kKinds.begin());
  if (!name.empty()) {
    return InvalidArgument("%s: field 'kind': expected one of %s, found '%s'", std::string(where),
                           Join(std::vector<std::string>(kKinds.begin(), kKinds.end()), ", "),
                           name);
  }
  if (FirstOf(row, {"test_list", "test"}) != nullptr) return ProblemKind::kAssert;
  return ProblemKind::kStdin;
}

// LiveCodeBench writes one JSON value on each line of a call's input.
absl::StatusOr<Json> ArgumentsOf(const std::string& lines, std::string_view where) {
  Json arguments = Json::MakeArray();
  for (const std::string_view line : Split(lines, '\n')) {
    if (Trim(line).empty()) continue;
    absl::StatusOr<Json> value = ParseJson(line);
    if (!value.ok()) return Annotate(value.status(), std::string(where));
    arguments.Append(*std::move(value));
  }
  return arguments;
}

absl::StatusOr<CodeTest> CallTest(const Json& json, std::string_view where) {
  CodeTest test;
  const Json* expected = FirstOf(json, {"expected"});
  if (const Json* arguments = FirstOf(json, {"args"}); arguments != nullptr) {
    if (!arguments->is_array())
      return InvalidArgument("%s: field 'args': expected a list, found %s", std::string(where),
                             std::string(KindName(*arguments)));
    test.input = arguments->Dump();
    test.expected = json.Find("expected") == nullptr ? "" : json.Find("expected")->Dump();
  } else {
    ASSIGN_OR_RETURN(const Json arguments_read, ArgumentsOf(TextOf(json, {"input"}), where));
    test.input = arguments_read.Dump();
    test.expected = expected != nullptr ? expected->ToText() : TextOf(json, {"output"});
  }
  if (const absl::StatusOr<Json> value = ParseJson(test.expected); !value.ok())
    return Annotate(value.status(), absl::StrFormat("%s: the expected value", where));
  return test;
}

absl::StatusOr<CodeTest> TestFrom(ProblemKind kind, const Json& json, const Checker& checker,
                                  std::string_view where) {
  CodeTest test;
  if (kind == ProblemKind::kAssert) {
    test.code = json.is_string() ? json.AsString() : TextOf(json, {"code"});
    if (test.code.empty())
      return InvalidArgument("%s: expected test code in field 'code'", std::string(where));
    return test;
  }
  if (!json.is_object())
    return InvalidArgument("%s: expected an object, found %s", std::string(where),
                           std::string(KindName(json)));
  if (kind == ProblemKind::kCall) return CallTest(json, where);
  test.input = TextOf(json, {"input", "stdin"});
  const Json* expected = FirstOf(json, {"output", "expected", "stdout"});
  const bool needed = kind == ProblemKind::kStdin && checker.comparison != Comparison::kProgram;
  if (expected == nullptr && needed)
    return InvalidArgument("%s: field 'output' is missing: what is the right output?",
                           std::string(where));
  if (expected != nullptr) test.expected = expected->ToText();
  return test;
}

// A list, or the text of one.
absl::StatusOr<Json> ListOf(const Json& value, std::string_view name, std::string_view where) {
  if (value.is_array()) return value;
  if (value.is_string()) {
    absl::StatusOr<Json> parsed = ParseJson(value.AsString());
    if (parsed.ok() && parsed->is_array()) return parsed;
  }
  return InvalidArgument("%s: field '%s': expected a list of tests, found %s", std::string(where),
                         std::string(name), std::string(KindName(value)));
}

// All tests of the row as one list, in the order in which they are run.
absl::StatusOr<Json> TestList(const Json& row, std::string_view where) {
  Json all = Json::MakeArray();
  const auto add = [&](const Json& list) {
    for (const Json& test : list.AsArray()) all.Append(test);
  };
  for (const std::string_view name :
       {"tests", "official_tests", "test_list", "public_test_cases"}) {
    const Json* value = row.Find(name);
    if (value == nullptr || value->is_null()) continue;
    ASSIGN_OR_RETURN(const Json list, ListOf(*value, name, where));
    add(list);
  }
  if (const Json* hidden = FirstOf(row, {"private_test_cases"}); hidden != nullptr) {
    if (hidden->is_string()) {
      ASSIGN_OR_RETURN(const Json list, ReadPrivateTests(hidden->AsString(), where));
      add(list);
    } else {
      ASSIGN_OR_RETURN(const Json list, ListOf(*hidden, "private_test_cases", where));
      add(list);
    }
  }
  if (const Json* test = row.Find("test"); test != nullptr && test->is_string())
    all.Append(Json::MakeObject({{"code", test->AsString()}}));
  return all;
}

// LiveCodeBench says by each test whether it is a call, and names the function in `metadata`.
void ReadMetadata(const Json& row, const Json& tests, CodeProblem* problem) {
  const Json* metadata = row.Find("metadata");
  if (metadata == nullptr || tests.size() == 0) return;
  const absl::StatusOr<Json> parsed =
      metadata->is_string() ? ParseJson(metadata->AsString()) : absl::StatusOr<Json>(*metadata);
  if (!parsed.ok()) return;
  const std::string name = TextOf(*parsed, {"func_name"});
  const bool functional = TextOf(tests.AsArray()[0], {"testtype"}) == "functional";
  if (name.empty() && !functional) return;
  problem->kind = ProblemKind::kCall;
  problem->entry = name;
}

// The first of the fields that the row has. One that makes no sense is no limit of a run, and not
// quietly another one.
absl::StatusOr<double> LimitOf(const Json& row, const std::vector<std::string_view>& names,
                               const LimitRange& range, double otherwise, std::string_view where) {
  for (const std::string_view name : names) {
    const Json* value = row.Find(name);
    if (value == nullptr || value->is_null()) continue;
    if (value->is_number() && range.Holds(value->AsNumber())) return value->AsNumber();
    return InvalidArgument("%s: field '%s': found %s, wanted %s", std::string(where),
                           std::string(name), Shorten(value->Dump(), 60),
                           std::string(range.wanted));
  }
  return otherwise;
}

}  // namespace

std::string_view KindName(ProblemKind kind) { return kKinds[static_cast<size_t>(kind)]; }

absl::StatusOr<CodeProblem> ProblemFromRow(const Json& row, std::string_view where) {
  CodeProblem problem;
  ASSIGN_OR_RETURN(problem.kind, KindOf(row, where));
  ASSIGN_OR_RETURN(const Json tests, TestList(row, where));
  if (tests.size() == 0) return InvalidArgument("%s: no tests (field 'tests')", std::string(where));
  ReadMetadata(row, tests, &problem);
  problem.language = TextOf(row, {"language", "lang"});
  if (problem.entry.empty()) problem.entry = TextOf(row, {"entry_point", "fn_name", "entry"});
  problem.context = TextOf(row, {"context"});
  if (problem.kind == ProblemKind::kAssert && problem.context.empty())
    problem.context = TextOf(row, {"test_setup_code"});
  // HumanEval: helpers that the tests use stand in the prompt, before the function asked for.
  if (row.FindString("test") && problem.context.empty()) {
    problem.context = TextOf(row, {"prompt"});
    if (!problem.context.empty()) problem.context += "\n    pass\n";
  }
  const Json* checker = FirstOf(row, {"checker"});
  const Comparison usual =
      FirstOf(row, {"public_test_cases"}) != nullptr ? Comparison::kLcb : Comparison::kTokens;
  problem.checker.comparison = usual;
  if (checker != nullptr) {
    ASSIGN_OR_RETURN(problem.checker, CheckerFromJson(*checker, where));
  }
  if (const Json* interactor = FirstOf(row, {"interactor"}); interactor != nullptr) {
    problem.interactor_language = TextOf(*interactor, {"language"});
    problem.interactor_source = TextOf(*interactor, {"source"});
  }
  if (problem.kind == ProblemKind::kInteractive && problem.interactor_source.empty())
    return InvalidArgument("%s: field 'interactor': an interactive problem needs a program",
                           std::string(where));
  if (problem.kind == ProblemKind::kCall && problem.entry.empty())
    return InvalidArgument("%s: field 'entry_point': which function is called?",
                           std::string(where));
  for (size_t i = 0; i < tests.size(); ++i) {
    const std::string place = absl::StrFormat("%s: test %d", where, i + 1);
    ASSIGN_OR_RETURN(CodeTest test,
                     TestFrom(problem.kind, tests.AsArray()[i], problem.checker, place));
    problem.tests.push_back(std::move(test));
  }
  ASSIGN_OR_RETURN(problem.time_limit_seconds,
                   LimitOf(row, {"time_limit_s", "time_limit"}, kSecondsOfALimit, 6, where));
  // Sets that give none were written for machines with several gigabytes.
  ASSIGN_OR_RETURN(const double mebibytes, LimitOf(row, {"memory_limit_mb", "memory_limit"},
                                                   kMebibytesOfALimit, 1024, where));
  problem.memory_limit_mib = static_cast<int64_t>(mebibytes);
  problem.several_answers = row.FindBool("several_answers").value_or(false);
  return problem;
}

RunLimits LimitsOf(const CodeProblem& problem) {
  if (problem.limits) return *problem.limits;
  RunLimits limits;
  limits.cpu_ms = static_cast<int64_t>(problem.time_limit_seconds * 1000);
  limits.wall_ms = std::max(3 * limits.cpu_ms, limits.cpu_ms + 2000);
  limits.memory_bytes = problem.memory_limit_mib << 20;
  return limits;
}

}  // namespace assay::code
