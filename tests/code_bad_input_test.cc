// Bad input to the code grader: each gets a verdict or a clear error, and what is ours is never the
// model's fault.
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_format.h"
#include "graders/code/judge.h"
#include "harness/grading.h"
#include "harness/status.h"
#include "harness/text.h"
#include "tests/testing.h"

namespace assay {
namespace {

using code::CodeProblem;
using code::JudgeVerdict;
using testing::HasSubstr;
using testing_support::BinaryPath;
using testing_support::TemporaryDirectory;
using testing_support::WriteWholeFile;

Json Parsed(std::string_view text) {
  const absl::StatusOr<Json> json = ParseJson(text);
  EXPECT_OK(json);
  return json.ok() ? *json : Json();
}

struct Shared {
  std::unique_ptr<Runner> runner;
  std::string why;
};
const Shared& FullRunner() {
  static const auto* shared = [] {
    auto* made = new Shared;
    absl::StatusOr<std::unique_ptr<Runner>> runner = Runner::Start({.workers = 2});
    if (runner.ok()) made->runner = *std::move(runner);
    if (!runner.ok()) made->why = std::string(runner.status().message());
    return made;
  }();
  return *shared;
}
#define SKIP_WITHOUT_FULL_ISOLATION() \
  if (!FullRunner().runner) GTEST_SKIP() << "skipped: " << FullRunner().why

absl::StatusOr<code::Judgement> JudgeRow(std::string_view row, std::string_view source,
                                         std::string_view language = "python3") {
  ASSIGN_OR_RETURN(const CodeProblem problem, code::ProblemFromRow(Parsed(row), "row"));
  return code::Judge(*FullRunner().runner, problem, **FindLanguage(language), source, {});
}

constexpr char kDouble[] =
    R"({"tests": [{"input": "1\n", "output": "2\n"}, {"input": "5\n", "output": "10\n"}], "time_limit_s": 20})";

// --- replies ---

TEST(BadReplies, EachHasItsOutcome) {
  SKIP_WITHOUT_FULL_ISOLATION();
  ASSERT_OK_AND_ASSIGN(
      const TaskGrading grading,
      BindGrading("code_block", Parsed(R"({"language": "python"})"), "code", Json()));
  Problem problem;
  problem.id = "p";
  problem.row = Parsed(kDouble);
  const std::string right = "x = int(input())\nprint(2 * x)\n", wrong = "print(input())\n";
  const auto fenced = [](std::string_view code) {
    return absl::StrFormat("```python\n%s```\n", code);
  };
  const std::string nul("\0", 1);
  const struct {
    const char* name;
    std::string reply;
    Outcome outcome;
  } table[] = {
      {"nothing", "", Outcome::kNoAnswer},
      {"blanks", " \n\t\n", Outcome::kNoAnswer},
      {"prose", "I would read x and print twice its value.", Outcome::kNoAnswer},
      {"an empty block", "```python\n```\n", Outcome::kNoAnswer},
      {"the last of several blocks is right", fenced(wrong) + "No:\n" + fenced(right),
       Outcome::kCorrect},
      {"the last of several blocks is wrong", fenced(right) + "No:\n" + fenced(wrong),
       Outcome::kIncorrect},
      {"prose in the block", fenced("First, read x.\n"), Outcome::kIncorrect},
      {"CRLF", ReplaceAll(fenced(right), "\n", "\r\n"), Outcome::kCorrect},
      {"BOM", fenced("\xEF\xBB\xBF" + right), Outcome::kCorrect},
      {"tabs", fenced("def f():\n\tx = int(input())\n\tprint(2 * x)\nf()\n"), Outcome::kCorrect},
      {"tabs and blanks mixed", fenced("if 1:\n\tx = int(input())\n        print(2 * x)\n"),
       Outcome::kIncorrect},
      {"a zero byte in a text", fenced("t = '" + nul + "'\n" + right), Outcome::kIncorrect},
      {"no UTF-8", fenced("t = '\xff\xfe'\n" + right), Outcome::kIncorrect},
      {"10 MB", fenced(std::string(10 << 20, '#') + "\n" + right), Outcome::kIncorrect},
      {"100,000 lines", fenced(ReplaceAll(std::string(100000, 'x'), "x", "y = 1\n") + right),
       Outcome::kCorrect}};
  for (const auto& row : table) {
    Sample sample;
    sample.completion.raw = sample.completion.answer = row.reply;
    ASSERT_OK(GradeSample(grading, problem, &sample)) << row.name;
    EXPECT_EQ(OutcomeName(sample.verdict.outcome), OutcomeName(row.outcome))
        << row.name << ": " << sample.verdict.why;
  }
}

TEST(BadReplies, OddSourcesOfCppGetVerdicts) {
  SKIP_WITHOUT_FULL_ISOLATION();
  if (!IsInstalled(**FindLanguage("cpp"))) GTEST_SKIP() << "skipped: no g++";
  const std::string right =
      "#include <cstdio>\nint main() {\n\tint x;\n\tscanf(\"%d\", &x);\n"
      "\tprintf(\"%d\\n\", 2 * x);\n}\n";
  const std::pair<std::string, JudgeVerdict> table[] = {
      {"", JudgeVerdict::kCompileError},
      {"Here is my answer.", JudgeVerdict::kCompileError},
      {"\xEF\xBB\xBF" + ReplaceAll(right, "\n", "\r\n"), JudgeVerdict::kAccepted},
      {"// \xff\xfe\n" + right, JudgeVerdict::kAccepted},
      {std::string(10 << 20, ' ') + right, JudgeVerdict::kCompileError}};
  for (const auto& [source, verdict] : table) {
    ASSERT_OK_AND_ASSIGN(const code::Judgement judgement, JudgeRow(kDouble, source, "cpp"));
    EXPECT_EQ(code::JudgeVerdictName(judgement.verdict), code::JudgeVerdictName(verdict))
        << Printable(Shorten(source, 40)) << ": " << judgement.why;
  }
}

// --- tests and checkers ---

TEST(BadTests, AHundredMegabytesGoInWhole) {
  SKIP_WITHOUT_FULL_ISOLATION();
  CodeProblem problem;
  problem.tests.push_back({std::string(100'000'000, 'x'), "100000000\n", ""});
  problem.time_limit_seconds = 60;
  problem.memory_limit_mib = 1024;
  ASSERT_OK_AND_ASSIGN(const code::Judgement judgement,
                       code::Judge(*FullRunner().runner, problem, **FindLanguage("python3"),
                                   "import sys\nprint(len(sys.stdin.buffer.read()))", {}));
  EXPECT_EQ(judgement.verdict, JudgeVerdict::kAccepted) << judgement.why;
  // What is kept of a failed one is short.
  problem.tests[0].expected = std::string(100'000'000, '1');
  ASSERT_OK_AND_ASSIGN(
      const code::Judgement wrong,
      code::Judge(*FullRunner().runner, problem, **FindLanguage("python3"), "print(1)", {}));
  EXPECT_EQ(wrong.verdict, JudgeVerdict::kWrongAnswer);
  EXPECT_LT(ToJson(wrong).Dump().size(), 10'000u);
}

TEST(BadTests, ACheckerThatFailsIsNobodysScore) {
  SKIP_WITHOUT_FULL_ISOLATION();
  const auto judge = [](std::string_view language, std::string_view checker) {
    Json row = Parsed(R"({"tests": [{"input": "x"}], "time_limit_s": 0.2})");
    row.Set("checker", Json::MakeObject({{"type", "program"},
                                         {"language", std::string(language)},
                                         {"source", std::string(checker)}}));
    return JudgeRow(row.Dump(), "print(1)");
  };
  const std::pair<const char*, const char*> table[] = {
      {"hangs", "while True: pass"},
      {"crashes", "import os; os.kill(os.getpid(), 11)"},
      {"throws", "raise SystemExit(3)"},
      {"eats", "a = []\nwhile True: a.append(bytearray(1 << 20))"},
      {"floods", "while True: print('x' * 65536)"}};
  for (const auto& [name, checker] : table) {
    const absl::StatusOr<code::Judgement> judgement = judge("python3", checker);
    ASSERT_OK(judgement) << name;
    EXPECT_EQ(judgement->verdict, JudgeVerdict::kCheckerError) << name << ": " << judgement->why;
  }
  // One that does not compile is an error of ours that says so.
  if (!IsInstalled(**FindLanguage("cpp"))) return;
  EXPECT_THAT(std::string(judge("cpp", "int main() { return x; }").status().message()),
              HasSubstr("does not compile"));
}

// Status 1 is testlib's "wrong": it counts where the checker says it, not where Python or Node.js
// ends so.
TEST(BadTests, ACrashOfACheckerIsNotItsWord) {
  SKIP_WITHOUT_FULL_ISOLATION();
  const struct {
    const char *language, *checker;
    JudgeVerdict verdict;
  } table[] = {{"python3", "import sys\nassert sys.argv[0] == __file__ and len(sys.argv) == 4",
                JudgeVerdict::kAccepted},
               {"python3", "import sys\nsys.exit(1)", JudgeVerdict::kWrongAnswer},
               {"python3", "import sys\nsys.exit('no permutation')", JudgeVerdict::kWrongAnswer},
               {"python3", "import os\nos._exit(1)", JudgeVerdict::kWrongAnswer},
               {"python3", "1 / 0", JudgeVerdict::kCheckerError},
               {"python3", "def (", JudgeVerdict::kCheckerError},
               {"python3", "import nowhere", JudgeVerdict::kCheckerError},
               {"python3", "input()", JudgeVerdict::kCheckerError},
               {"python3", "def f(): f()\nf()", JudgeVerdict::kCheckerError},
               {"node", "require('fs').readFileSync(process.argv[2])", JudgeVerdict::kAccepted},
               {"node", "process.exit(1)", JudgeVerdict::kWrongAnswer},
               {"node", "null.x", JudgeVerdict::kCheckerError},
               {"node", "let (", JudgeVerdict::kCheckerError}};
  for (const auto& row : table) {
    if (!IsInstalled(**FindLanguage(row.language))) continue;
    Json problem = Parsed(R"({"tests": [{"input": "x"}], "time_limit_s": 5})");
    problem.Set("checker",
                Json::MakeObject(
                    {{"type", "program"}, {"language", row.language}, {"source", row.checker}}));
    ASSERT_OK_AND_ASSIGN(const code::Judgement judgement, JudgeRow(problem.Dump(), "print(1)"));
    EXPECT_EQ(code::JudgeVerdictName(judgement.verdict), code::JudgeVerdictName(row.verdict))
        << row.checker << ": " << judgement.why;
  }
}

// Who is to blame where a talk does not come to its end.
TEST(BadTests, AnInteractorThatFailsIsNobodysScore) {
  SKIP_WITHOUT_FULL_ISOLATION();
  const char* echo = "print(int(input()))";
  const char* sleep = "import time\ntime.sleep(100)";
  const char* busy = "while True: pass";
  const char* reads = "import sys\nsys.stdin.read()";
  const char* asks = "print(1, flush=True)\nassert int(input()) == 1";
  const char* loops =
      "import sys\nprint(1, flush=True)\nwhile sys.stdin.readline() != '1\\n': pass";
  const struct {
    const char *name, *program, *interactor;
    JudgeVerdict verdict;
  } table[] = {
      {"both well", echo, asks, JudgeVerdict::kAccepted},
      {"the program waits, the interactor sleeps", echo, sleep, JudgeVerdict::kCheckerError},
      {"the program waits, the interactor is busy", echo, busy, JudgeVerdict::kCheckerError},
      {"the program has ended, the interactor sleeps", "pass", sleep, JudgeVerdict::kCheckerError},
      {"the program has ended, the interactor is busy", "pass", busy, JudgeVerdict::kCheckerError},
      {"the program is busy", busy, asks, JudgeVerdict::kTimeLimit},
      {"the program is busy, the interactor sleeps", busy, sleep, JudgeVerdict::kTimeLimit},
      {"the program sleeps", sleep, asks, JudgeVerdict::kTimeLimit},
      {"each waits", "input()\ninput()", asks, JudgeVerdict::kTimeLimit},
      {"each waits, and the interactor knows no end", "input()\ninput()", loops,
       JudgeVerdict::kTimeLimit},
      // With programs that an early end does not kill: of two deaths at once the first is not
      // known.
      {"the interactor crashes", reads, "1 / 0", JudgeVerdict::kCheckerError},
      {"the interactor says wrong", reads, "raise SystemExit(1)", JudgeVerdict::kWrongAnswer},
      {"the program says nothing", "pass", asks, JudgeVerdict::kWrongAnswer},
      {"the program crashes", "1 / 0", asks, JudgeVerdict::kRuntimeError}};
  for (const auto& row : table) {
    Json problem =
        Parsed(R"({"kind": "interactive", "tests": [{"input": "x"}], "time_limit_s": 0.5})");
    problem.Set("interactor",
                Json::MakeObject({{"language", "python3"}, {"source", row.interactor}}));
    ASSERT_OK_AND_ASSIGN(const code::Judgement judgement, JudgeRow(problem.Dump(), row.program));
    EXPECT_EQ(code::JudgeVerdictName(judgement.verdict), code::JudgeVerdictName(row.verdict))
        << row.name << ": " << judgement.why;
  }
}

TEST(BadTests, ALimitThatMakesNoSenseIsToldByTasksCheckAndIsNoVerdict) {
  const TemporaryDirectory directory;
  WriteWholeFile(directory.Path("d.jsonl"),
                 R"r({"id": "neg", "s": "print(1)", "time_limit_s": -1, )r"
                 R"("tests": [{"input": "", "output": "1"}]})"
                 "\n");
  WriteWholeFile(directory.Path("t.yaml"),
                 "name: t\nversion: \"1\"\nabout: a limit\n"
                 "card: {source: here, licence: MIT}\ndataset: {file: d.jsonl}\n"
                 "fields: {id: id, reference: s}\nprompt: '{{ s }}'\n"
                 "extract: code_block\ngrader: code\nmetrics: [pass@1]\n");
  const testing_support::ProgramEnd end =
      testing_support::RunAssay({"tasks", "check", directory.Path("t.yaml")});
  EXPECT_EQ(end.status, 1);
  EXPECT_THAT(end.out + end.err,
              HasSubstr("problem neg: field 'time_limit_s': found -1, wanted seconds from 0.001"));
  ASSERT_OK_AND_ASSIGN(const TaskGrading grading,
                       BindGrading("code_block", Json(), "code", Json()));
  Problem problem;
  problem.id = "neg";
  problem.row = Parsed(R"({"memory_limit_mb": 0, "tests": [{"input": "", "output": "1"}]})");
  Sample sample;
  sample.completion.raw = sample.completion.answer = "```python\nprint(1)\n```\n";
  EXPECT_THAT(std::string(GradeSample(grading, problem, &sample).message()),
              HasSubstr("problem neg: field 'memory_limit_mb': found 0, wanted MiB from 1"));
}

TEST(BadTests, ALanguageThatIsNotInstalledIsAnErrorAndNoVerdict) {
  SKIP_WITHOUT_FULL_ISOLATION();
  for (const Language& language : Languages()) {
    if (IsInstalled(language)) continue;
    const absl::StatusOr<code::Judgement> judgement = JudgeRow(kDouble, "x", language.name);
    EXPECT_TRUE(absl::IsFailedPrecondition(judgement.status()));
    EXPECT_THAT(std::string(judgement.status().message()),
                AllOf(HasSubstr(language.name), HasSubstr("not installed")));
    return;
  }
  GTEST_SKIP() << "skipped: every language is installed";
}

// --- the machine ---

testing_support::ProgramEnd Shell(const std::string& script, const std::string& directory) {
  return testing_support::RunProgram({"sh", "-c", script, BinaryPath("bin/assay"), directory});
}

TEST(BadMachine, TooFewDescriptorsIsAnErrorOfOurs) {
  SKIP_WITHOUT_FULL_ISOLATION();
#ifdef ASSAY_SANITIZE_UNDEFINED
  GTEST_SKIP() << "skipped: UBSan looks at virtual tables through a pipe, and without a descriptor "
                  "for it calls good objects bad";
#endif
  const TemporaryDirectory directory;
  WriteWholeFile(directory.Path("p.py"), "print(42)\n");
  const auto run = [&](int descriptors) {
    return Shell(absl::StrFormat("ulimit -n %d; exec \"$0\" sandbox run \"$1/p.py\"", descriptors),
                 directory.Path());
  };
  int errors = 0, good = 0;
  for (const int descriptors : {4, 5, 6, 7, 8, 10, 12, 32, 64, 100, 1024}) {
    const testing_support::ProgramEnd end = run(descriptors);
    good += end.status == 0 && end.out == "42\n";
    const bool said = end.status == 1 &&
                      (Contains(end.err, "descriptor") ||
                       Contains(end.err, "Too many open files") || Contains(end.err, "isolation"));
    errors += said;
    // With fewer than the program's own libraries need, the loader says so.
    const bool loader = end.status == 127;
    EXPECT_TRUE(said || loader || end.out == "42\n")
        << descriptors << ": " << end.status << " " << end.err;
  }
  EXPECT_GE(errors, 1);
  EXPECT_GE(good, 2);
}

TEST(BadMachine, AFullDiskForTheCacheCostsTimeAndNothingElse) {
  SKIP_WITHOUT_FULL_ISOLATION();
  if (!IsInstalled(**FindLanguage("c"))) GTEST_SKIP() << "skipped: no gcc";
  const TemporaryDirectory directory;
  WriteWholeFile(directory.Path("p.c"), "#include <stdio.h>\nint main(void) { puts(\"42\"); }\n");
  // /tmp and the cache are one small disk without a free byte.
  const testing_support::ProgramEnd end = testing_support::RunProgram(
      {"unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
       "mkdir \"$1/full\" && mount -t tmpfs -o size=256k none \"$1/full\" && "
       "mkdir -p \"$1/full/assay/pch\" \"$1/full/assay/programs\" && "
       "cp \"$1/p.c\" \"$1/full/p.c\" && "
       "{ dd if=/dev/zero of=\"$1/full/x\" bs=4k 2>/dev/null; "
       "TMPDIR=\"$1/full\" XDG_CACHE_HOME=\"$1/full\" exec \"$0\" sandbox run \"$1/full/p.c\"; }",
       BinaryPath("bin/assay"), directory.Path()});
  if (Contains(end.err, "unshare") || Contains(end.err, "mount"))
    GTEST_SKIP() << "skipped: " << end.err;
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(end.out, "42\n");
}

// Below `full` a program's files lie in /tmp; full of what others put there, it is nobody's
// verdict.
TEST(BadMachine, AFullTmpIsAnErrorOfOursByLandlock) {
  const TemporaryDirectory directory;
  WriteWholeFile(directory.Path("p.py"), "print(42)\n");
  WriteWholeFile(directory.Path("probe.py"), "print(1)\n");
  if (const auto probe = testing_support::RunAssay(
          {"sandbox", "run", directory.Path("probe.py"), "--isolation=landlock"});
      probe.status != 0)
    GTEST_SKIP() << "skipped: " << probe.err;
  const testing_support::ProgramEnd end = testing_support::RunProgram(
      {"unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
       "exec 3< \"$1/p.py\"; mount -t tmpfs -o size=64k none /tmp && "
       "{ dd if=/dev/zero of=/tmp/x bs=4k 2>/dev/null; "
       "XDG_CACHE_HOME=/dev/shm/assay-full-tmp-$$ \"$0\" sandbox run --language python3 "
       "--isolation=landlock /proc/self/fd/3; status=$?; rm -rf /dev/shm/assay-full-tmp-$$; "
       "exit $status; }",
       BinaryPath("bin/assay"), directory.Path()});
  if (Contains(end.err, "unshare:") || Contains(end.err, "mount:"))
    GTEST_SKIP() << "skipped: " << end.err;
  EXPECT_EQ(end.status, 1) << end.out;
  EXPECT_THAT(end.err, HasSubstr("No space left on device"));
  EXPECT_EQ(end.out, "");
}

TEST(BadMachine, ACacheThatCannotBeMadeIsAnErrorThatNamesIt) {
  const auto runner = Runner::Start({.cache_directory = "/proc/nowhere"});
  EXPECT_THAT(std::string(runner.status().message()), HasSubstr("/proc/nowhere"));
}

TEST(BadMachine, WithoutUserNamespacesNothingIsGraded) {
  const TemporaryDirectory directory;
  WriteWholeFile(directory.Path("p.py"), "print(42)\n");
  const testing_support::ProgramEnd end = testing_support::RunProgram(
      {"unshare", "--user", "--map-root-user", "sh", "-c",
       "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$0\" sandbox run \"$1/p.py\"",
       BinaryPath("bin/assay"), directory.Path()});
  if (!Contains(end.err, "sandbox")) GTEST_SKIP() << "skipped: no user namespaces: " << end.err;
  EXPECT_EQ(end.status, 1);
  EXPECT_THAT(end.err, HasSubstr("isolation 'full' is not possible here"));
  EXPECT_THAT(end.out, Not(HasSubstr("42")));
}

// --- calls of C++ functions ---

TEST(CppCalls, ValuesGoInAndComeOutByTheFunctionsTypes) {
  SKIP_WITHOUT_FULL_ISOLATION();
  if (!IsInstalled(**FindLanguage("cpp"))) GTEST_SKIP() << "skipped: no g++";
  const struct {
    const char *row, *source;
    JudgeVerdict verdict;
  } table[] = {
      {R"({"kind": "call", "entry_point": "f", "tests": [{"args": [[3, 1, 2], "h\u00e9"], "expected": [1, 2, 3, 3]}]})",
       "class Solution {\npublic:\n  vector<int> f(vector<int>& a, string s) {\n"
       "    cout << \"noise\";\n    a.push_back(s.size());\n    sort(a.begin(), a.end());\n"
       "    return a;\n  }\n};\nint main() { return 1; }\n",
       JudgeVerdict::kAccepted},
      {R"({"kind": "call", "entry_point": "f", "tests": [{"args": [2.5], "expected": 5.0}, {"args": [1], "expected": 2}]})",
       "double f(double x) { return 2 * x; }", JudgeVerdict::kAccepted},
      {R"({"kind": "call", "entry_point": "f", "tests": [{"args": [1], "expected": 2}, {"args": [2], "expected": 4}]})",
       "int f(int x) { return x + 1; }", JudgeVerdict::kWrongAnswer},
      {R"({"kind": "call", "entry_point": "f", "tests": [{"args": [1], "expected": 2}]})",
       "int g(int x) { return x; }", JudgeVerdict::kCompileError},
      {R"({"kind": "call", "entry_point": "f", "tests": [{"args": ["x"], "expected": 2}]})",
       "int f(int x) { return x; }", JudgeVerdict::kRuntimeError},
      {R"({"kind": "call", "entry_point": "f", "tests": [{"args": [1], "expected": 2}]})",
       "#include <unistd.h>\nint f(int) { write(1, \"{\\\"value\\\": 2}\\n\", 13); _exit(0); }",
       JudgeVerdict::kRuntimeError}};
  for (const auto& row : table) {
    ASSERT_OK_AND_ASSIGN(const code::Judgement judgement, JudgeRow(row.row, row.source, "cpp"));
    EXPECT_EQ(code::JudgeVerdictName(judgement.verdict), code::JudgeVerdictName(row.verdict))
        << row.source << ": " << judgement.why;
  }
}

}  // namespace
}  // namespace assay
