// One function for each kind of problem; what they share is how an end becomes a result.
#include "graders/code/judge.h"

#include <signal.h>

#include <algorithm>
#include <map>
#include <random>

#include "graders/code/values.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay {
const std::map<std::string, std::string>& SandboxFiles();  // cmake/embed.cmake
}

namespace assay::code {
namespace {

constexpr size_t kShown = 600;  // bytes of a failed test's texts that are kept

std::string Kept(std::string_view text) {
  return Shorten(ToValidUtf8(text.substr(0, 4 * kShown)), kShown);
}

JudgeVerdict VerdictOf(RunVerdict verdict) {
  switch (verdict) {
    case RunVerdict::kFinished:
      return JudgeVerdict::kAccepted;
    case RunVerdict::kTimeLimit:
      return JudgeVerdict::kTimeLimit;
    case RunVerdict::kMemoryLimit:
      return JudgeVerdict::kMemoryLimit;
    case RunVerdict::kOutputLimit:
      return JudgeVerdict::kOutputLimit;
    case RunVerdict::kRuntimeError:
      return JudgeVerdict::kRuntimeError;
    case RunVerdict::kSecurityViolation:
      return JudgeVerdict::kSecurityViolation;
    case RunVerdict::kCompileError:
      break;
  }
  return JudgeVerdict::kCompileError;
}

// How the program ended, before its output is looked at.
TestResult ResultOf(const ProgramEnd& end) {
  TestResult result;
  result.verdict = VerdictOf(end.verdict);
  result.why = end.why;
  result.wall_seconds = static_cast<double>(end.run.wall_us) / 1e6;
  result.cpu_seconds = static_cast<double>(end.run.cpu_us) / 1e6;
  result.memory_bytes = end.run.memory_bytes;
  if (result.verdict != JudgeVerdict::kAccepted)
    result.standard_error = Kept(end.run.standard_error);
  return result;
}

void Fail(JudgeVerdict verdict, std::string why, TestResult* result) {
  result->verdict = verdict;
  result->why = std::move(why);
}

// ---- programs with input and output -----------------------------------------------------------

// testlib's exit statuses: 0 right, 1 wrong, 2 and 8 badly formed, 3 the checker's own failure, 4
// something after the answer, 7 points, 16 and more a partial score.
void TakeCheckerExit(const ProgramEnd& end, TestResult* result) {
  const std::string said = Kept(Trim(end.run.standard_error));
  const int64_t status = end.run.exit_code;
  static_assert(kGuardFailed == 3 && kGuardGone > 216);  // neither is a word about the answer
  if (end.verdict == RunVerdict::kFinished) return;
  if (end.verdict != RunVerdict::kRuntimeError || end.run.signal != 0) {
    return Fail(JudgeVerdict::kCheckerError,
                absl::StrFormat("the checker: %s %s", RunVerdictName(end.verdict), end.why),
                result);
  }
  if (status == 1 || status == 2 || status == 4 || status == 8) {
    const char* what = status == 1   ? "wrong"
                       : status == 4 ? "more than the answer"
                                     : "badly formed";
    return Fail(JudgeVerdict::kWrongAnswer, absl::StrFormat("checker: %s: %s", what, said), result);
  }
  if (status == 7 || (status >= 16 && status <= 216))
    return Fail(JudgeVerdict::kWrongAnswer, absl::StrFormat("checker: partly right: %s", said),
                result);
  Fail(JudgeVerdict::kCheckerError, absl::StrFormat("the checker ended with %d: %s", status, said),
       result);
}

struct Helper {  // a checker or an interactor, ready once for all tests
  const Language* language = nullptr;
  std::string source;
};

// Of the problem's own programs: ten times what a solution has, 2 s at the least, 30 s at the most.
RunLimits HelperLimits(const CodeProblem& problem) {
  const int64_t cpu_ms = std::clamp<int64_t>(10 * LimitsOf(problem).cpu_ms, 2000, 30000);
  return {.wall_ms = 3 * cpu_ms,
          .cpu_ms = cpu_ms,
          .memory_bytes = int64_t{512} << 20,
          .stderr_bytes = 4096};
}

// The program with this test's files beside it.
absl::StatusOr<Prepared> WithFiles(Runner& runner, const Helper& helper,
                                   std::vector<sandbox_wire::BoxFile> files) {
  ASSIGN_OR_RETURN(Prepared program, runner.PrepareGuarded(*helper.language, helper.source));
  if (!program.ready)
    return FailedPrecondition("the problem's own program does not compile: %s",
                              program.failure.why);
  for (const sandbox_wire::BoxFile& file : program.box->files) files.push_back(file);
  program.box = MakeBox(std::move(files));
  return program;
}

absl::Status RunChecker(Runner& runner, const CodeProblem& problem, const CodeTest& test,
                        const std::string& output, TestResult* result) {
  Helper helper;
  ASSIGN_OR_RETURN(helper.language, FindLanguage(problem.checker.language));
  helper.source = problem.checker.source;
  ASSIGN_OR_RETURN(const Prepared checker, WithFiles(runner, helper,
                                                     {{"input.txt", test.input, false},
                                                      {"output.txt", output, false},
                                                      {"answer.txt", test.expected, false}}));
  ASSIGN_OR_RETURN(const ProgramEnd end,
                   runner.Run(checker, "", HelperLimits(problem),
                              {"/box/input.txt", "/box/output.txt", "/box/answer.txt"}));
  TakeCheckerExit(end, result);
  return absl::OkStatus();
}

void Show(const CodeTest& test, std::string_view got, TestResult* result) {
  if (result->verdict == JudgeVerdict::kAccepted) return;
  result->input = Kept(test.input);
  result->expected = Kept(test.expected);
  result->got = Kept(got);
}

absl::StatusOr<TestResult> StdinTest(Runner& runner, const CodeProblem& problem,
                                     const Prepared& program, const CodeTest& test) {
  ASSIGN_OR_RETURN(const ProgramEnd end, runner.Run(program, test.input, LimitsOf(problem)));
  TestResult result = ResultOf(end);
  if (result.verdict == JudgeVerdict::kAccepted) {
    if (problem.checker.comparison == Comparison::kProgram) {
      RETURN_IF_ERROR(RunChecker(runner, problem, test, end.run.standard_output, &result));
    } else {
      const Match match = Compare(problem.checker, end.run.standard_output, test.expected);
      result.line = match.line;
      if (!match.same) Fail(JudgeVerdict::kWrongAnswer, match.why, &result);
    }
  }
  Show(test, end.run.standard_output, &result);
  return result;
}

// ---- programs that talk -----------------------------------------------------------------------

constexpr int64_t kGraceMs = 2000;  // of an interactor, after its program's wall limit

// Whether a program that was stopped by its wall limit waited for an interactor that hung. One that
// waited itself sees the end of its input and ends; one that only then begins to loop (its program
// had not answered, it does not look at the end of its input) has used the CPU since, and not
// before.
bool Hangs(const ProgramEnd& own, const ProgramEnd& interactor, int64_t wall_ms) {
  const bool stopped = interactor.run.stopped == RunStopped::kWall;
  const int64_t after_us = interactor.run.ended_us - own.run.ended_us;
  if (!stopped || after_us < kGraceMs * 1000 / 2) return false;
  const bool slept = interactor.run.cpu_us < kGraceMs * 1000 / 2;
  const bool was_busy = interactor.run.cpu_us > kGraceMs * 1000 + wall_ms * 1000 / 2;
  return slept || was_busy;
}

absl::StatusOr<TestResult> InteractiveTest(Runner& runner, const CodeProblem& problem,
                                           const Prepared& program, const CodeTest& test) {
  Helper helper;
  ASSIGN_OR_RETURN(helper.language, FindLanguage(problem.interactor_language));
  helper.source = problem.interactor_source;
  ASSIGN_OR_RETURN(const Prepared interactor, WithFiles(runner, helper,
                                                        {{"input.txt", test.input, false},
                                                         {"answer.txt", test.expected, false}}));
  RunLimits patient = HelperLimits(problem);
  const int64_t wall_ms = EffectiveLimits(*program.language, LimitsOf(problem)).wall_ms;
  patient.wall_ms = wall_ms + kGraceMs;  // the program's limit comes first
  ASSIGN_OR_RETURN(
      const auto ends,
      runner.RunJoined(program, LimitsOf(problem), {}, interactor, patient,
                       {"/box/input.txt", "/tmp/out.txt", "/box/answer.txt"}, Joint::kStandard));
  const auto& [own, other] = ends;
  TestResult result = ResultOf(own);
  const bool limit =
      result.verdict != JudgeVerdict::kAccepted && result.verdict != JudgeVerdict::kRuntimeError;
  const bool left_alone = interactor.guarded && other.run.exit_code == kGuardGone;
  // Who ends because the other did may be seen to end first: a death is told when all of a cell is
  // gone. An interactor that was left alone came second, whatever the clock says.
  const bool crashed_first = result.verdict == JudgeVerdict::kRuntimeError &&
                             (left_alone || own.run.ended_us < other.run.ended_us);
  if (own.run.stopped == RunStopped::kWall && Hangs(own, other, wall_ms)) {
    Fail(JudgeVerdict::kCheckerError,
         absl::StrFormat("the interactor: still ran when its program was gone (%s)", other.why),
         &result);
  } else if (!limit && !crashed_first) {
    TestResult said = result;
    said.verdict = JudgeVerdict::kAccepted;
    said.why.clear();
    if (left_alone) {
      Fail(JudgeVerdict::kWrongAnswer,
           absl::StrFormat("the program ended before the talk did: %s",
                           Kept(Trim(other.run.standard_error))),
           &said);
    } else {
      TakeCheckerExit(other, &said);
    }
    // The interactor's word counts, unless it was content and the program failed all the same.
    if (said.verdict != JudgeVerdict::kAccepted) result = said;
  }
  Show(test, other.run.standard_error, &result);
  return result;
}

// ---- functions --------------------------------------------------------------------------------

absl::StatusOr<Prepared> WithDriver(Runner& runner, std::string_view solution,
                                    std::vector<sandbox_wire::BoxFile> more) {
  ASSIGN_OR_RETURN(const Language* python, FindLanguage("python3"));
  more.push_back({"solution.py", std::string(solution), false});
  return runner.Prepare(*python, SandboxFiles().at("sandbox/python/driver.py"), std::move(more));
}

absl::StatusOr<Json> CallRequest(const CodeProblem& problem, const CodeTest& test) {
  ASSIGN_OR_RETURN(Json arguments, ParseJson(test.input));
  return Json::MakeObject({{"entry", problem.entry}, {"args", std::move(arguments)}});
}

// What the driver said of a call; the program it runs in may have said anything.
void TakeReply(const CodeProblem& problem, const CodeTest& test, const std::string& reply,
               TestResult* result, std::string* got) {
  const absl::StatusOr<Json> json = ParseJson(Trim(reply));
  if (!json.ok() || !json->is_object())
    return Fail(JudgeVerdict::kRuntimeError, "ended without returning a value", result);
  if (const std::optional<std::string> raised = json->FindString("raised"))
    return Fail(JudgeVerdict::kRuntimeError, Kept(*raised), result);
  if (const std::optional<std::string> strange = json->FindString("strange"))
    return Fail(JudgeVerdict::kWrongAnswer, "returned " + Kept(*strange), result);
  const Json* value = json->Find("value");
  if (value == nullptr)
    return Fail(JudgeVerdict::kRuntimeError, "ended without returning a value", result);
  *got = ShowValue(*value);
  const absl::StatusOr<Json> expected = ParseJson(test.expected);
  if (expected.ok() && SameValue(*value, *expected, problem.checker)) return;
  Fail(JudgeVerdict::kWrongAnswer,
       absl::StrFormat("expected %s, found %s", Shorten(test.expected, 80), Shorten(*got, 80)),
       result);
}

// sandbox/cpp/call.h, the solution, and which of its functions is called. What LeetCode's solutions
// find declared, these do.
std::string CppCallProgram(std::string_view source, const std::string& entry) {
  const bool in_class = Contains(source, "class Solution") || Contains(source, "struct Solution");
  return absl::StrFormat(
      "%s%s\n%s\n#undef main\nASSAY_CALL(&%s)\n", SandboxFiles().at("sandbox/cpp/call.h"),
      in_class ? "using namespace std;" : "", source, (in_class ? "Solution::" : "::") + entry);
}

absl::StatusOr<TestResult> CallTest(Runner& runner, const CodeProblem& problem,
                                    const Prepared& program, const CodeTest& test) {
  ASSIGN_OR_RETURN(const Json request, CallRequest(problem, test));
  const bool cpp = program.language->name == "cpp";
  ASSIGN_OR_RETURN(const ProgramEnd end,
                   cpp ? runner.Run(program, test.input, LimitsOf(problem))
                       : runner.Run(program, request.Dump(), LimitsOf(problem), {"call"}));
  TestResult result = ResultOf(end);
  std::string got;
  if (result.verdict == JudgeVerdict::kAccepted)
    TakeReply(problem, test, end.run.standard_output, &result, &got);
  Show(test, got, &result);
  return result;
}

// ---- as LiveCodeBench's runner ----------------------------------------------------------------

absl::StatusOr<Json> LcbRequest(const CodeProblem& problem, std::string_view source,
                                Profile profile, bool with_expected) {
  Json inputs = Json::MakeArray(), expected = Json::MakeArray();
  const bool call = problem.kind == ProblemKind::kCall;
  for (const CodeTest& test : problem.tests) {
    Json input = test.input;
    if (call) {
      ASSIGN_OR_RETURN(input, ParseJson(test.input));
    }
    inputs.Append(std::move(input));
    expected.Append(test.expected);
  }
  Json request = Json::MakeObject({{"source", ToValidUtf8(source)},
                                   {"fn_name", call ? problem.entry : ""},
                                   {"inputs", std::move(inputs)}});
  request.Set("era", profile == Profile::kLcbStringIo ? "stringio" : "later");
  request.Set("timeout", std::max<int64_t>(1, static_cast<int64_t>(problem.time_limit_seconds)));
  if (with_expected) request.Set("expected", std::move(expected));
  return request;
}

// The driver writes each byte of UTF-8 as one code point, so that surrogates pass.
std::string FromLatin1(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto first = static_cast<unsigned char>(text[i]);
    if (first < 0x80 || i + 1 == text.size()) {
      bytes += text[i];
    } else {
      bytes += static_cast<char>((first & 3) << 6 | (text[++i] & 0x3F));
    }
  }
  return bytes;
}

// One line of the driver's. Returns whether the runner would go on.
bool TakeLcbLine(const CodeTest& test, const Json& line, TestResult* result, int* code) {
  std::string got;
  bool same = false;
  if (const std::optional<int64_t> failed = line.FindInteger("code")) {
    *code = *failed == -3 ? -3 : -4;
    const auto verdict = *code == -3 ? JudgeVerdict::kTimeLimit : JudgeVerdict::kRuntimeError;
    Fail(verdict, *code == -3 ? "wall" : Kept(line.FindString("why").value_or("")), result);
    Show(test, "", result);
    return false;
  }
  if (const std::optional<bool> equal = line.FindBool("equal")) {
    same = *equal;
  } else if (const Json* value = line.Find("value")) {
    const absl::StatusOr<Json> expected = ParseJson(test.expected);
    same = expected.ok() && SameValue(*value, *expected, {});
    got = ShowValue(*value);
  } else {
    got = FromLatin1(line.FindString("out").value_or(""));
    const Match match = Compare({.comparison = Comparison::kLcb}, got, test.expected);
    same = match.same;
    result->line = match.line;
    result->why = match.why;
  }
  if (same) return true;
  *code = -2;
  Fail(JudgeVerdict::kWrongAnswer, result->why, result);
  Show(test, got, result);
  return false;
}

absl::Status JudgeLcb(Runner& runner, const CodeProblem& problem, std::string_view source,
                      Profile profile, bool with_expected, Judgement* judgement) {
  ASSIGN_OR_RETURN(const Json request, LcbRequest(problem, source, profile, with_expected));
  ASSIGN_OR_RETURN(const Prepared program, WithDriver(runner, "", {}));
  RunLimits limits = LimitsOf(problem);
  limits.wall_ms = (static_cast<int64_t>(problem.time_limit_seconds) + 1) * 1000 *
                       static_cast<int64_t>(problem.tests.size()) +
                   5000;
  limits.cpu_ms = limits.wall_ms;
  ASSIGN_OR_RETURN(const ProgramEnd end, runner.Run(program, request.Dump(), limits, {"lcb"}));
  const std::vector<std::string_view> lines = SplitLines(end.run.standard_output);
  for (size_t i = 0; i < problem.tests.size(); ++i) {
    TestResult result;
    const absl::StatusOr<Json> line =
        i < lines.size() ? ParseJson(lines[i]) : absl::StatusOr<Json>(absl::NotFoundError(""));
    if (!line.ok() || !line->is_object()) {
      // The runner finds an empty list where its child died.
      result = ResultOf(end);
      if (result.verdict == JudgeVerdict::kAccepted)
        Fail(JudgeVerdict::kRuntimeError, "the process ended early", &result);
      judgement->lcb_code = -2;
      judgement->tests.push_back(std::move(result));
      return absl::OkStatus();
    }
    if (line->FindBool("ask").value_or(false) && !with_expected) {
      // Only the program's own `==` can say; to be as LiveCodeBench is, it is believed.
      judgement->tests.clear();
      judgement->weak = true;
      return JudgeLcb(runner, problem, source, profile, true, judgement);
    }
    const bool on = TakeLcbLine(problem.tests[i], *line, &result, &judgement->lcb_code);
    judgement->tests.push_back(std::move(result));
    if (!on) return absl::OkStatus();
  }
  return absl::OkStatus();
}

// ---- asserts, in a sandbox of their own -------------------------------------------------------

Json TestSpec(const CodeProblem& problem) {
  Json tests = Json::MakeArray();
  for (const CodeTest& test : problem.tests) tests.Append(test.code);
  return Json::MakeObject(
      {{"entry", problem.entry}, {"context", problem.context}, {"tests", std::move(tests)}});
}

// The tester's report decides; it runs nothing but the dataset's code and ours.
absl::Status TakeReport(const ProgramEnd& tester, const ProgramEnd& candidate,
                        Judgement* judgement) {
  TestResult result = ResultOf(candidate);
  const absl::StatusOr<Json> report = ParseJson(tester.run.standard_output);
  const bool done = tester.verdict == RunVerdict::kFinished && report.ok() &&
                    report->FindBool("done").value_or(false);
  if (done && report->Find("broken") != nullptr) {
    return FailedPrecondition("the problem's own test fails before it calls anything: %s",
                              *report->FindString("broken"));
  }
  const auto text = [&](std::string_view name) { return report->FindString(name); };
  if (result.verdict != JudgeVerdict::kAccepted) {
    // As the kernel told it.
  } else if (!done) {
    result = ResultOf(tester);
    if (result.verdict == JudgeVerdict::kAccepted || result.verdict == JudgeVerdict::kRuntimeError)
      Fail(JudgeVerdict::kWrongAnswer, "the test ended without a report", &result);
  } else if (text("gone")) {
    Fail(JudgeVerdict::kRuntimeError, Kept(*text("gone")), &result);
  } else if (text("raised")) {
    Fail(JudgeVerdict::kRuntimeError, Kept(*text("raised")), &result);
  } else if (text("strange")) {
    Fail(JudgeVerdict::kWrongAnswer, "returned " + Kept(*text("strange")), &result);
  } else if (text("failed")) {
    Fail(JudgeVerdict::kWrongAnswer, Kept(*text("failed")), &result);
  } else if (report->FindInteger("calls").value_or(0) == 0) {
    Fail(JudgeVerdict::kWrongAnswer, "the test never called the solution", &result);
  }
  const int64_t passed = done ? report->FindInteger("passed").value_or(0) : 0;
  for (int64_t i = 0; i < passed && i < judgement->tests_total; ++i) judgement->tests.push_back({});
  if (result.verdict == JudgeVerdict::kAccepted) {
    if (!judgement->tests.empty()) judgement->tests[0] = result;
  } else {
    if (done) result.got = Kept(text("last").value_or(""));
    if (done) result.expected = Kept(text("failed").value_or(""));
    judgement->tests.push_back(std::move(result));
  }
  judgement->weak = done && report->FindBool("weak").value_or(false);
  return absl::OkStatus();
}

absl::Status JudgeAsserts(Runner& runner, const CodeProblem& problem, std::string_view source,
                          Judgement* judgement) {
  ASSIGN_OR_RETURN(const Prepared candidate, WithDriver(runner, source, {}));
  ASSIGN_OR_RETURN(const Prepared tester,
                   WithDriver(runner, "", {{"test.json", TestSpec(problem).Dump(), false}}));
  RunLimits limits = LimitsOf(problem);
  RunLimits tester_limits = limits;
  tester_limits.wall_ms += 2000;  // the candidate's limit comes first
  tester_limits.cpu_ms += 10000;
  tester_limits.memory_bytes = int64_t{1} << 30;
  tester_limits.stdout_bytes = 1 << 20;
  ASSIGN_OR_RETURN(const auto ends, runner.RunJoined(candidate, limits, {"candidate"}, tester,
                                                     tester_limits, {"tester"}, Joint::kSide));
  return TakeReport(ends.second, ends.first, judgement);
}

// ---- asserts of compiled languages: one process, and the mark `weak` --------------------------

// The test's main runs to its end, and says so with a word that it reads from its input.
std::string CppTestProgram(std::string_view source, std::string_view test) {
  std::string program(source);
  program +=
      "\n#undef NDEBUG\n#undef assert\n#include <assert.h>\n#include <stdio.h>\n"
      "#undef main\n#define main assay_test_main\n";
  // `main` may end without a return, another function may not: g++ -O2 runs on into what follows.
  std::string body(test);
  if (const size_t last = body.rfind('}'); last != std::string::npos)
    body.insert(last, "\nreturn 0;\n");
  program += body;
  program +=
      "\n#undef main\nint main() {\n  char word[64] = {};\n"
      "  if (!::fgets(word, sizeof word, stdin)) return 3;\n"
      "  ::assay_test_main();\n  ::fputs(word, stdout);\n  return 0;\n}\n";
  return program;
}

std::string Nonce() {
  static thread_local std::mt19937_64 random{std::random_device{}()};
  return absl::StrFormat("%016x%016x", random(), random());
}

absl::StatusOr<TestResult> CppAssertTest(Runner& runner, const CodeProblem& problem,
                                         const Language& language, std::string_view source,
                                         const CodeTest& test, JudgeVerdict* compile) {
  ASSIGN_OR_RETURN(const Prepared program,
                   runner.Prepare(language, CppTestProgram(source, test.code)));
  if (!program.ready) {
    *compile = JudgeVerdict::kCompileError;
    return ResultOf(program.failure);
  }
  const std::string nonce = Nonce();
  ASSIGN_OR_RETURN(const ProgramEnd end, runner.Run(program, nonce + "\n", LimitsOf(problem)));
  TestResult result = ResultOf(end);
  const bool asserted = end.run.signal == SIGABRT && Contains(end.run.standard_error, "Assertion");
  if (asserted) {
    Fail(JudgeVerdict::kWrongAnswer, Kept(Trim(end.run.standard_error)), &result);
  } else if (result.verdict == JudgeVerdict::kAccepted &&
             !TrimRight(end.run.standard_output).ends_with(nonce)) {
    Fail(JudgeVerdict::kRuntimeError, "ended before the test did", &result);
  }
  return result;
}

// ---- all tests --------------------------------------------------------------------------------

absl::StatusOr<TestResult> RunTest(Runner& runner, const CodeProblem& problem,
                                   const Prepared& program, const CodeTest& test) {
  if (problem.kind == ProblemKind::kCall) return CallTest(runner, problem, program, test);
  if (problem.kind == ProblemKind::kInteractive)
    return InteractiveTest(runner, problem, program, test);
  return StdinTest(runner, problem, program, test);
}

absl::Status RunTests(Runner& runner, const CodeProblem& problem, const Prepared& program,
                      const JudgeOptions& options, Judgement* judgement) {
  for (const CodeTest& test : problem.tests) {
    ASSIGN_OR_RETURN(TestResult result, RunTest(runner, problem, program, test));
    const bool failed = result.verdict != JudgeVerdict::kAccepted;
    judgement->tests.push_back(std::move(result));
    if (failed && !options.all_tests) break;
  }
  return absl::OkStatus();
}

absl::Status RunCppAsserts(Runner& runner, const CodeProblem& problem, const Language& language,
                           std::string_view source, Judgement* judgement) {
  judgement->weak = true;
  for (const CodeTest& test : problem.tests) {
    JudgeVerdict compile = JudgeVerdict::kAccepted;
    ASSIGN_OR_RETURN(TestResult result,
                     CppAssertTest(runner, problem, language, source, test, &compile));
    const bool failed = result.verdict != JudgeVerdict::kAccepted;
    judgement->tests.push_back(std::move(result));
    if (failed) break;
  }
  return absl::OkStatus();
}

absl::Status JudgeInto(Runner& runner, const CodeProblem& problem, const Language& language,
                       std::string_view source, const JudgeOptions& options, Judgement* judgement) {
  const bool python = language.name == "python3" || language.name == "pypy3";
  if (problem.kind == ProblemKind::kAssert && python)
    return JudgeAsserts(runner, problem, source, judgement);
  if (problem.kind == ProblemKind::kAssert)
    return RunCppAsserts(runner, problem, language, source, judgement);
  const bool lcb = options.profile != Profile::kNative && language.name == "python3" &&
                   (problem.kind == ProblemKind::kStdin || problem.kind == ProblemKind::kCall);
  if (lcb) return JudgeLcb(runner, problem, source, options.profile, false, judgement);
  const bool cpp_call = problem.kind == ProblemKind::kCall && language.name == "cpp";
  if (problem.kind == ProblemKind::kCall && !python && !cpp_call) {
    return FailedPrecondition("a call of a function in language '%s' is not known how to make",
                              language.name);
  }
  absl::StatusOr<Prepared> program =
      cpp_call ? runner.Prepare(language, CppCallProgram(source, problem.entry))
      : problem.kind == ProblemKind::kCall ? WithDriver(runner, source, {})
                                           : runner.Prepare(language, source);
  RETURN_IF_ERROR(program.status());
  if (program->ready) return RunTests(runner, problem, *program, options, judgement);
  judgement->tests.push_back(ResultOf(program->failure));
  return absl::OkStatus();
}

}  // namespace

std::string_view ProfileName(Profile profile) {
  if (profile == Profile::kNative) return "native";
  return profile == Profile::kLcb ? "lcb" : "lcb-stringio";
}

std::string_view JudgeVerdictName(JudgeVerdict verdict) {
  constexpr std::string_view kNames[] = {
      "accepted",      "wrong_answer",  "time_limit",         "memory_limit", "output_limit",
      "runtime_error", "compile_error", "security_violation", "no_code",      "checker_error"};
  return kNames[static_cast<size_t>(verdict)];
}

absl::StatusOr<Judgement> Judge(Runner& runner, const CodeProblem& problem,
                                const Language& language, std::string_view source,
                                const JudgeOptions& options) {
  Judgement judgement;
  judgement.language = language.name;
  judgement.limits = EffectiveLimits(language, LimitsOf(problem));
  judgement.tests_total = static_cast<int>(problem.tests.size());
  RETURN_IF_ERROR(JudgeInto(runner, problem, language, source, options, &judgement));
  for (size_t i = 0; i < judgement.tests.size(); ++i) {
    const TestResult& result = judgement.tests[i];
    if (result.verdict == JudgeVerdict::kAccepted) continue;
    judgement.verdict = result.verdict;
    judgement.failed_test = static_cast<int>(i);
    judgement.why = absl::StrFormat("test %d of %d: %s", i + 1, judgement.tests_total, result.why);
    if (result.verdict == JudgeVerdict::kCompileError) judgement.why = result.why;
    break;
  }
  if (judgement.verdict == JudgeVerdict::kAccepted)
    judgement.why = absl::StrFormat("%d tests", judgement.tests_total);
  return judgement;
}

Json ToJson(const Judgement& judgement) {
  Json json = Json::MakeObject({{"verdict", JudgeVerdictName(judgement.verdict)},
                                {"language", judgement.language},
                                {"tests_total", judgement.tests_total}});
  json.Set("time_limit_s", static_cast<double>(judgement.limits.cpu_ms) / 1000);
  json.Set("memory_limit_mb", judgement.limits.memory_bytes >> 20);
  if (judgement.weak) json.Set("weak", true);
  if (judgement.lcb_code != 0) json.Set("lcb_code", judgement.lcb_code);
  if (judgement.failed_test >= 0) {
    const TestResult& failed = judgement.tests[static_cast<size_t>(judgement.failed_test)];
    Json shown = Json::MakeObject({{"test", judgement.failed_test + 1},
                                   {"verdict", JudgeVerdictName(failed.verdict)},
                                   {"why", ToValidUtf8(failed.why)}});
    if (failed.line > 0) shown.Set("line", failed.line);
    const std::pair<const char*, const std::string*> texts[] = {{"input", &failed.input},
                                                                {"expected", &failed.expected},
                                                                {"got", &failed.got},
                                                                {"stderr", &failed.standard_error}};
    for (const auto& [name, text] : texts) {
      if (!text->empty()) shown.Set(name, *text);
    }
    json.Set("failed", std::move(shown));
  }
  Json tests = Json::MakeArray();
  for (const TestResult& result : judgement.tests) {
    Json test = Json::MakeObject({{"verdict", JudgeVerdictName(result.verdict)}});
    test.Set("wall_s", result.wall_seconds);
    test.Set("cpu_s", result.cpu_seconds);
    test.Set("memory_mb", static_cast<double>(result.memory_bytes) / (1 << 20));
    tests.Append(std::move(test));
  }
  json.Set("tests", std::move(tests));
  return json;
}

}  // namespace assay::code
