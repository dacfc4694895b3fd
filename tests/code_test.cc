// The code grader's parts: comparators, typed values, rows of several sets, hidden tests, judging.
#include "absl/strings/str_format.h"
#include "graders/code/compare.h"
#include "graders/code/judge.h"
#include "graders/code/private_tests.h"
#include "graders/code/problem.h"
#include "graders/code/values.h"
#include "harness/grading.h"
#include "harness/text.h"
#include "tests/testing.h"

namespace assay {
namespace {

using code::CodeProblem;
using code::JudgeVerdict;
using testing::HasSubstr;
using testing_support::ReadTable;

Json Parsed(std::string_view text) {
  const absl::StatusOr<Json> json = ParseJson(text);
  EXPECT_OK(json);
  return json.ok() ? *json : Json();
}

// --- comparators ---

TEST(Compare, EveryRowOfTheTable) {
  int same = 0, different = 0;
  for (const auto& row : ReadTable("code_compare.txt")) {
    ASSERT_EQ(row.fields.size(), 4u) << row.line;
    ASSERT_OK_AND_ASSIGN(const code::Checker checker,
                         code::CheckerFromJson(Json(row.fields[0]), "table"));
    const code::Match match = code::Compare(checker, row.fields[1], row.fields[2]);
    EXPECT_EQ(match.same, row.fields[3] == "yes") << row.line << ": " << match.why;
    EXPECT_EQ(match.line == 0, match.same) << row.line;
    ++(match.same ? same : different);
  }
  EXPECT_GE(same, 20);
  EXPECT_GE(different, 20);
}

TEST(Compare, SaysTheLine) {
  const code::Match match = code::Compare({}, "1\n2\n4\n", "1\n2\n3\n");
  EXPECT_EQ(match.line, 3);
  EXPECT_EQ(match.why, "token 3: expected '3', found '4'");
}

TEST(Compare, BytesThatAreNoTextAreOnlyWrong) {
  for (const char* name : {"lcb", "tokens", "floats", "lines", "yesno", "exact"}) {
    ASSERT_OK_AND_ASSIGN(const code::Checker checker, code::CheckerFromJson(Json(name), "x"));
    EXPECT_FALSE(code::Compare(checker, "\xff\xfe\xc0\xaf", "3").same) << name;
    EXPECT_FALSE(code::Compare(checker, std::string("3\0", 2), "3").same) << name;
  }
}

TEST(Compare, AnUnknownComparatorIsAnErrorWithTheNearestName) {
  EXPECT_THAT(std::string(code::CheckerFromJson(Json("tokns"), "row 3").status().message()),
              AllOf(HasSubstr("row 3"), HasSubstr("did you mean 'tokens'")));
  EXPECT_FALSE(code::CheckerFromJson(Parsed(R"({"type": "program"})"), "x").ok());
  EXPECT_FALSE(code::CheckerFromJson(Parsed(R"({"type": "floats", "absolute": -1})"), "x").ok());
}

// --- values ---

TEST(Values, AreComparedAsPythonDoes) {
  const struct {
    const char *found, *expected;
    bool same;
  } table[] = {{"3", "3", true},
               {"3", R"({"float": "3.0"})", true},
               {R"({"float": "6.0"})", "6", true},
               {"true", "1", true},
               {"3", "4", false},
               {"3", "\"3\"", false},
               {"null", "0", false},
               {"null", "null", true},
               {R"({"tuple": [1, 2]})", "[1, 2]", true},
               {R"([{"tuple": [1, 2]}])", "[[1, 2]]", true},
               {"[2, 1]", "[1, 2]", false},
               {R"({"set": [2, 1]})", R"({"set": [1, 2]})", true},
               {R"({"set": [1]})", "[1]", false},
               {R"({"dict": [["a", 1]]})", R"({"a": 1})", true},
               {R"({"dict": [["a", 2]]})", R"({"a": 1})", false},
               {R"({"dict": [["a", 1], ["b", 2]]})", R"({"b": 2, "a": 1})", true},
               {"123456789012345678901234567890", "123456789012345678901234567890", true},
               {"123456789012345678901234567890", "123456789012345678901234567891", false},
               {R"({"float": "nan"})", R"({"float": "nan"})", false},
               {R"({"float": "inf"})", R"({"float": "inf"})", true},
               {R"({"bytes": "00"})", "\"00\"", false}};
  for (const auto& row : table) {
    EXPECT_EQ(code::SameValue(Parsed(row.found), Parsed(row.expected), {}), row.same)
        << row.found << " and " << row.expected;
  }
  const code::Checker floats = {.comparison = code::Comparison::kFloats};
  EXPECT_TRUE(
      code::SameValue(Parsed(R"([{"float": "0.30000000000000004"}])"), Parsed("[0.3]"), floats));
  EXPECT_FALSE(code::SameValue(Parsed("[1]"), Parsed("[2]"), floats));
}

// --- hidden tests ---

std::string Base64(std::string_view bytes) {
  static const char* digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k)
      bits = bits << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k)
      text += i + k <= bytes.size() ? digits[bits >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

// A zlib stream of one stored block (RFC 1950, 1951).
std::string Deflated(std::string_view bytes) {
  uint32_t a = 1, b = 0;
  for (const char c : bytes) {
    a = (a + static_cast<unsigned char>(c)) % 65521;
    b = (b + a) % 65521;
  }
  const auto size = static_cast<uint16_t>(bytes.size());
  std::string out("\x78\x01\x01", 3);
  for (const uint16_t word : {size, static_cast<uint16_t>(~size)}) {
    out += static_cast<char>(word & 0xFF);
    out += static_cast<char>(word >> 8);
  }
  out += bytes;
  for (const uint32_t byte : {b >> 8, b, a >> 8, a}) out += static_cast<char>(byte & 0xFF);
  return out;
}

// A pickle of one text, as protocol 4 writes it.
std::string Pickled(const std::string& text) {
  const auto size = static_cast<uint32_t>(text.size());
  return std::string("\x80\x04X", 3) + std::string(reinterpret_cast<const char*>(&size), 4) + text +
         "\x94.";
}

TEST(PrivateTests, AreUnpacked) {
  const std::string json = R"([{"input": "1", "output": "2", "testtype": "stdin"}])";
  ASSERT_OK_AND_ASSIGN(const Json packed,
                       code::ReadPrivateTests(Base64(Deflated(Pickled(json))), "row"));
  EXPECT_EQ(packed.size(), 1u);
  ASSERT_OK_AND_ASSIGN(const Json plain, code::ReadPrivateTests(json, "row"));
  EXPECT_TRUE(plain == packed);
}

TEST(PrivateTests, APickleThatIsNoTextIsRefused) {
  using namespace std::string_literals;
  const std::string bad[] = {"cos\nsystem\n(S'true'\ntR."s,             // GLOBAL, REDUCE
                             "\x80\x04\x8c\x02os\x8c\x06system\x93."s,  // STACK_GLOBAL
                             "\x80\x04K\x01."s,                         // an integer
                             "\x80\x09X\x00\x00\x00\x00."s,             // no such protocol
                             "\x80\x04X\xff\xff\xff\x7f"s,              // a size that is not there
                             "\x80\x04."s,
                             "\x80\x04s."s,
                             "\x80\x04u."s,
                             ""s,
                             "\x80\x04}(X\x01\x00\x00\x00"
                             "au."s};
  for (const std::string& pickle : bad)
    EXPECT_FALSE(code::UnpickleText(pickle).ok()) << Printable(pickle);
  ASSERT_OK_AND_ASSIGN(const std::string dict, code::UnpickleText("\x80\x02}q\x00X\x01\x00\x00\x00"
                                                                  "aX\x01\x00\x00\x00"
                                                                  "bs."s));
  EXPECT_EQ(dict, R"({"a":"b"})");
}

TEST(PrivateTests, DamageIsAnErrorThatNamesTheField) {
  for (const std::string& text :
       {std::string("???"), Base64("not zlib"), Base64(Deflated("x")), std::string("[")}) {
    const absl::StatusOr<Json> tests = code::ReadPrivateTests(text, "row 7");
    EXPECT_THAT(std::string(tests.status().message()),
                HasSubstr("row 7: field 'private_test_cases'"));
  }
}

// --- rows ---

TEST(Rows, OfSeveralSetsAreRead) {
  ASSERT_OK_AND_ASSIGN(
      const CodeProblem lcb,
      code::ProblemFromRow(
          Parsed(
              R"({"public_test_cases": "[{\"input\": \"[1]\\n2\", \"output\": \"3\", \"testtype\": \"functional\"}]",
                     "private_test_cases": "[]", "metadata": "{\"func_name\": \"add\"}"})"),
          "row"));
  EXPECT_EQ(lcb.kind, code::ProblemKind::kCall);
  EXPECT_EQ(lcb.entry, "add");
  EXPECT_EQ(lcb.tests[0].input, "[[1],2]");
  EXPECT_EQ(lcb.checker.comparison, code::Comparison::kLcb);
  ASSERT_OK_AND_ASSIGN(
      const CodeProblem human,
      code::ProblemFromRow(Parsed(R"({"prompt": "def f():\n", "test": "def check(c): pass",
                                                       "entry_point": "f"})"),
                           "row"));
  EXPECT_EQ(human.kind, code::ProblemKind::kAssert);
  ASSERT_OK_AND_ASSIGN(
      const CodeProblem mbpp,
      code::ProblemFromRow(Parsed(R"({"test_list": ["assert f(1) == 2", "assert f(2) == 3"],
                                                       "test_setup_code": "import math"})"),
                           "row"));
  EXPECT_EQ(mbpp.tests.size(), 2u);
  EXPECT_EQ(mbpp.context, "import math");
}

TEST(Rows, LimitsThatMakeNoSenseAreNamed) {
  const auto read = [](const std::string& limit) {
    return code::ProblemFromRow(
        Parsed(R"({"tests": [{"input": "", "output": ""}], )" + limit + "}"), "problem p");
  };
  const char* seconds = ", wanted seconds from 0.001 to 86,400";
  const char* mebibytes = ", wanted MiB from 1 to 1,048,576";
  const std::tuple<const char*, const char*, const char*> bad[] = {
      {"time_limit_s", "0", seconds},         {"time_limit_s", "-1", seconds},
      {"time_limit_s", "1e300", seconds},     {"time_limit_s", "1e-9", seconds},
      {"time_limit_s", "\"2\"", seconds},     {"time_limit", "-1", seconds},
      {"time_limit", "[]", seconds},          {"memory_limit_mb", "0", mebibytes},
      {"memory_limit_mb", "-5", mebibytes},   {"memory_limit_mb", "0.5", mebibytes},
      {"memory_limit_mb", "1e18", mebibytes}, {"memory_limit", "0", mebibytes}};
  for (const auto& [field, found, wanted] : bad) {
    const auto problem = read(absl::StrFormat(R"("%s": %s)", field, found));
    EXPECT_THAT(std::string(problem.status().message()),
                AllOf(HasSubstr(absl::StrFormat("problem p: field '%s': found ", field)),
                      HasSubstr(wanted)));
  }
  ASSERT_OK_AND_ASSIGN(const CodeProblem given,
                       read(R"("time_limit_s": 0.25, "time_limit": 9, "memory_limit": 64)"));
  EXPECT_EQ(given.time_limit_seconds, 0.25);
  EXPECT_EQ(given.memory_limit_mib, 64);
  ASSERT_OK_AND_ASSIGN(const CodeProblem none, read(R"("time_limit": null)"));
  EXPECT_EQ(none.time_limit_seconds, 6);
}

TEST(Rows, FaultsAreNamed) {
  const struct {
    const char *row, *message;
  } table[] = {
      {R"({"id": 1})", "no tests"},
      {R"({"tests": [{"input": "1"}]})", "test 1: field 'output' is missing"},
      {R"({"tests": 3})", "expected a list of tests"},
      {R"({"tests": [1]})", "test 1: expected an object"},
      {R"({"kind": "stdn", "tests": [{"input": "", "output": ""}]})", "field 'kind'"},
      {R"({"kind": "call", "tests": [{"args": [], "expected": 1}]})", "entry_point"},
      {R"({"kind": "call", "entry_point": "f", "tests": [{"args": 1, "expected": 1}]})", "'args'"},
      {R"({"kind": "interactive", "tests": [{"input": ""}]})", "interactor"},
      {R"({"checker": "some", "tests": [{"input": "", "output": ""}]})", "checker"}};
  for (const auto& row : table) {
    const absl::StatusOr<CodeProblem> problem = code::ProblemFromRow(Parsed(row.row), "row 9");
    EXPECT_THAT(std::string(problem.status().message()),
                AllOf(HasSubstr("row 9"), HasSubstr(row.message)));
  }
}

// --- judging ---

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

code::Judgement JudgeRow(const char* row, std::string_view source,
                         std::string_view language = "python3") {
  const absl::StatusOr<CodeProblem> problem = code::ProblemFromRow(Parsed(row), "row");
  EXPECT_OK(problem);
  absl::StatusOr<code::Judgement> judgement =
      code::Judge(*FullRunner().runner, *problem, **FindLanguage(language), source, {});
  EXPECT_OK(judgement);
  return judgement.ok() ? *judgement : code::Judgement();
}

constexpr char kDouble[] =
    R"({"tests": [{"input": "1\n", "output": "2\n"}, {"input": "5\n", "output": "10\n"}], "time_limit_s": 10})";

TEST(Judge, TellsTheFirstFailingTestWithExpectedAndGot) {
  SKIP_WITHOUT_FULL_ISOLATION();
  EXPECT_EQ(JudgeRow(kDouble, "print(2 * int(input()))").verdict, JudgeVerdict::kAccepted);
  const code::Judgement wrong = JudgeRow(kDouble, "print(int(input()) + 1)");
  EXPECT_EQ(wrong.verdict, JudgeVerdict::kWrongAnswer);
  EXPECT_EQ(wrong.failed_test, 1);
  EXPECT_EQ(wrong.tests[1].expected, "10\n");
  EXPECT_EQ(wrong.tests[1].got, "6\n");
  EXPECT_EQ(wrong.tests[1].line, 1);
  const Json json = ToJson(wrong);
  EXPECT_EQ(json.Find("failed")->FindString("got"), "6\n");
  EXPECT_EQ(json.FindInteger("tests_total"), 2);
}

TEST(Judge, OddSourcesGetVerdicts) {
  SKIP_WITHOUT_FULL_ISOLATION();
  const std::string program = "x = int(input())\nprint(2 * x)\n";
  EXPECT_EQ(JudgeRow(kDouble, "\xEF\xBB\xBF" + program).verdict, JudgeVerdict::kAccepted);  // BOM
  EXPECT_EQ(JudgeRow(kDouble, ReplaceAll(program, "\n", "\r\n")).verdict, JudgeVerdict::kAccepted);
  EXPECT_EQ(JudgeRow(kDouble, "").verdict, JudgeVerdict::kWrongAnswer);
  EXPECT_EQ(JudgeRow(kDouble, "Here is my answer.").verdict, JudgeVerdict::kRuntimeError);
  // What CPython makes of a zero byte changed with 3.12; here it is that there is a verdict.
  EXPECT_EQ(JudgeRow(kDouble, program + std::string("\0", 1)).tests_total, 2);
  EXPECT_EQ(JudgeRow(kDouble, program + "# \xff").verdict, JudgeVerdict::kRuntimeError);
  EXPECT_EQ(JudgeRow(kDouble, std::string(10 << 20, '#')).verdict, JudgeVerdict::kCompileError);
}

constexpr char kChecked[] =
    R"({"tests": [{"input": "x"}], "checker": {"type": "program", "language": "python3", "source": "SOURCE"}})";

TEST(Judge, ACheckersFailureIsNobodysScore) {
  SKIP_WITHOUT_FULL_ISOLATION();
  const auto judge = [](std::string_view checker) {
    return JudgeRow(ReplaceAll(kChecked, "SOURCE", checker).c_str(), "print(1)").verdict;
  };
  EXPECT_EQ(judge("pass"), JudgeVerdict::kAccepted);
  EXPECT_EQ(judge("raise SystemExit(1)"), JudgeVerdict::kWrongAnswer);
  EXPECT_EQ(judge("raise SystemExit(2)"), JudgeVerdict::kWrongAnswer);
  EXPECT_EQ(judge("raise SystemExit(3)"), JudgeVerdict::kCheckerError);
  EXPECT_EQ(judge("raise SystemExit(4)"), JudgeVerdict::kWrongAnswer);
  EXPECT_EQ(judge("raise SystemExit(8)"), JudgeVerdict::kWrongAnswer);
  EXPECT_EQ(judge("raise SystemExit(99)"), JudgeVerdict::kWrongAnswer);  // a share of the points
  EXPECT_EQ(judge("import os; os.abort()"), JudgeVerdict::kCheckerError);
}

TEST(Judge, AFunctionCannotForgeItsValue) {
  SKIP_WITHOUT_FULL_ISOLATION();
  const char* row =
      R"({"kind": "call", "entry_point": "f", "tests": [{"args": [1], "expected": 3}]})";
  EXPECT_EQ(JudgeRow(row, "def f(x): return 3").verdict, JudgeVerdict::kAccepted);
  EXPECT_EQ(JudgeRow(row, "class Solution:\n  def f(self, x: int) -> List[int]: return 3").verdict,
            JudgeVerdict::kAccepted);
  const char* forgers[] = {"class X(int):\n  def __eq__(s, o): return True\ndef f(x): return X(4)",
                           "def f(x): print('{\"value\": 3}'); return 4",
                           "import os\nos._exit(0)",
                           "def f(x): raise SystemExit(0)",
                           "def g(x): return 3",
                           "def f(): return 3",
                           "def f(x):\n  l = []; l.append(l); return l"};
  for (const char* forger : forgers)
    EXPECT_NE(JudgeRow(row, forger).verdict, JudgeVerdict::kAccepted) << forger;
}

TEST(Judge, AssertsRunWhereTheCandidateCannotReach) {
  SKIP_WITHOUT_FULL_ISOLATION();
  const char* row =
      R"({"kind": "assert", "entry_point": "f", "tests": ["assert abs(f(1) - 3) < 1", "assert f(2) == 4"]})";
  EXPECT_EQ(JudgeRow(row, "def f(x): return x + 2").verdict, JudgeVerdict::kAccepted);
  const code::Judgement wrong = JudgeRow(row, "def f(x): return 3");
  EXPECT_EQ(wrong.verdict, JudgeVerdict::kWrongAnswer);
  EXPECT_EQ(wrong.failed_test, 1);
  EXPECT_THAT(wrong.tests[1].got, HasSubstr("f(2) returned 3"));
  const char* forgers[] = {
      "class X:\n  def __eq__(s, o): return True\n  def __sub__(s, o): return s\n  def __abs__(s): "
      "return 0\n"
      "def f(x): return X()",
      "def abs(x): return 0\ndef f(x): return 7",
      "import builtins\nbuiltins.abs = lambda x: 0\ndef f(x): return 7",
      "import os\nos.write(4, b'{\"ready\": true}\\n{\"value\": 3}\\n{\"value\": "
      "5}\\n')\nos._exit(0)",
      "import os\ndef f(x): os.kill(0, 9)",
      "raise SystemExit(0)"};
  for (const char* forger : forgers)
    EXPECT_NE(JudgeRow(row, forger).verdict, JudgeVerdict::kAccepted) << forger;
}

TEST(Judge, AProblemsOwnMistakeIsAnErrorAndNoVerdict) {
  SKIP_WITHOUT_FULL_ISOLATION();
  const absl::StatusOr<CodeProblem> problem = code::ProblemFromRow(
      Parsed(
          R"({"kind": "assert", "entry_point": "f", "tests": ["import no_such_module_at_all"]})"),
      "row");
  const auto judgement =
      code::Judge(*FullRunner().runner, *problem, **FindLanguage("python3"), "def f(): pass", {});
  EXPECT_THAT(std::string(judgement.status().message()), HasSubstr("no_such_module_at_all"));
}

TEST(Judge, CppAssertsMustReachTheirEnd) {
  SKIP_WITHOUT_FULL_ISOLATION();
  if (!IsInstalled(**FindLanguage("cpp"))) GTEST_SKIP() << "skipped: no g++";
  const char* row =
      R"({"kind": "assert", "language": "cpp", "entry_point": "f", "tests": ["int main() { assert(f(1) == 2); }"]})";
  EXPECT_EQ(JudgeRow(row, "int f(int x) { return x + 1; }", "cpp").verdict,
            JudgeVerdict::kAccepted);
  EXPECT_EQ(JudgeRow(row, "int f(int x) { return x; }", "cpp").verdict, JudgeVerdict::kWrongAnswer);
  EXPECT_EQ(JudgeRow(row, "#define NDEBUG\nint f(int x) { return x; }", "cpp").verdict,
            JudgeVerdict::kWrongAnswer);
  EXPECT_EQ(JudgeRow(row, "#include <cstdlib>\nint f(int) { std::exit(0); }", "cpp").verdict,
            JudgeVerdict::kRuntimeError);
}

// --- the plug ---

TEST(CodeGrader, GradesAReply) {
  SKIP_WITHOUT_FULL_ISOLATION();
  ASSERT_OK_AND_ASSIGN(const TaskGrading grading,
                       BindGrading("code_block", Json(), "code", Json()));
  Problem problem;
  problem.id = "p";
  problem.row = Parsed(kDouble);
  const auto grade = [&](const char* reply) {
    Sample sample;
    sample.completion.raw = sample.completion.answer = reply;
    EXPECT_OK(GradeSample(grading, problem, &sample));
    return sample.verdict;
  };
  EXPECT_EQ(grade("So:\n```python\nprint(2 * int(input()))\n```\n").outcome, Outcome::kCorrect);
  const Verdict wrong = grade("```python\nprint(int(input()))\n```\n");
  EXPECT_EQ(wrong.outcome, Outcome::kIncorrect);
  EXPECT_THAT(wrong.why, HasSubstr("wrong_answer: test 1 of 2"));
  EXPECT_EQ(wrong.detail.FindString("isolation"), "full");
  EXPECT_EQ(wrong.detail.Find("failed")->FindString("expected"), "2\n");
  EXPECT_EQ(grade("I cannot do this.").outcome, Outcome::kNoAnswer);
  EXPECT_EQ(grade("```python\n```\n").why, "no_code: the block is empty");
}

TEST(CodeGrader, OptionsAreChecked) {
  for (const char* options : {R"({"langage": "cpp"})", R"({"language": "cobol"})",
                              R"({"isolation": "some"})", R"({"time_limit_s": 0})",
                              R"({"time_limit_s": 1e300})", R"({"memory_limit_mb": 0.5})", "[1]"}) {
    EXPECT_FALSE(BindGrading("code_block", Json(), "code", Parsed(options)).ok()) << options;
  }
}

}  // namespace
}  // namespace assay
