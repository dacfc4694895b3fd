// What the checkers say: IFEval's instructions against tables and the original's verdicts, and
// DROP's measures.
#include <algorithm>
#include <cstdio>
#include <map>

#include "graders/instructions/check.h"
#include "graders/instructions/language.h"
#include "graders/instructions/python_json.h"
#include "graders/instructions/sentences.h"
#include "graders/instructions/unicode.h"
#include "graders/spans/drop.h"
#include "harness/grader.h"
#include "harness/registry.h"
#include "harness/text.h"
#include "tests/testing.h"

namespace assay {
namespace {

using instructions::BindCheck;
using instructions::Check;
using instructions::ToCodePoints;
using testing::HasSubstr;
using testing_support::ReadJsonLinesFile;
using testing_support::ReadTable;
using testing_support::SharedPath;
using testing_support::TableRow;

BoundGrader Bind(std::string_view name, const Json& options = Json()) {
  absl::StatusOr<BoundGrader> bound = (**FindGrader(name)).bind(options);
  EXPECT_TRUE(bound.ok()) << bound.status();
  return *std::move(bound);
}

TEST(Instructions, TheTableHolds) {
  std::map<std::string, int> followed, broken;
  for (const TableRow& row : ReadTable("instructions.txt")) {
    ASSERT_EQ(row.fields.size(), 5u) << "line " << row.line;
    ASSERT_OK_AND_ASSIGN(const Json arguments, ParseJson(row.fields[1]));
    ASSERT_OK_AND_ASSIGN(const Check check, BindCheck(row.fields[0], arguments));
    const std::u32string reply = ToCodePoints(ReplaceAll(row.fields[2], "⇥", "\t"));
    EXPECT_EQ(instructions::FollowsStrict(check, reply), row.fields[3] == "followed")
        << "line " << row.line << ": " << row.fields[0] << ": " << row.fields[2];
    EXPECT_EQ(instructions::FollowsLoose(check, reply), row.fields[4] == "followed")
        << "line " << row.line << " (loose): " << row.fields[0] << ": " << row.fields[2];
    ++(row.fields[3] == "followed" ? followed : broken)[row.fields[0]];
  }
  EXPECT_EQ(instructions::InstructionNames().size(), 25u);
  for (const std::string& name : instructions::InstructionNames()) {
    EXPECT_GE(followed[name], 1) << name;
    EXPECT_GE(broken[name], 2) << name;
  }
}

TEST(Instructions, BlankRepliesFollowNothing) {
  ASSERT_OK_AND_ASSIGN(const Check check, BindCheck("punctuation:no_comma", Json()));
  for (const char* blank : {"", " ", "\n\n", "\u00a0\u3000"}) {
    EXPECT_FALSE(instructions::FollowsStrict(check, ToCodePoints(blank)));
    EXPECT_FALSE(instructions::FollowsLoose(check, ToCodePoints(blank)));
  }
  // What is left without its last line follows, loosely.
  EXPECT_TRUE(instructions::FollowsLoose(check, ToCodePoints("clean\na, b")));
  EXPECT_FALSE(instructions::FollowsStrict(check, ToCodePoints("clean\na, b")));
}

TEST(Instructions, ArgumentsThatAreMissingOrWrongAreNamed) {
  struct Row {
    const char* name;
    const char* arguments;
    const char* message;
  };
  for (const Row& row : std::vector<Row>{
           {"keywords:existance", "{}", "did you mean 'keywords:existence'"},
           {"keywords:existence", "{}",
            "argument 'keywords': expected a list of words, found none"},
           {"keywords:existence", R"({"keywords": ["("]})", "RE2 pattern"},
           {"keywords:frequency", R"({"keyword": "a", "frequency": 2})", "argument 'relation'"},
           {"keywords:letter_frequency",
            R"({"letter": "ab", "let_frequency": 1, "let_relation": "at least"})", "one letter"},
           {"length_constraints:number_words", R"({"num_words": "3", "relation": "at least"})",
            "argument 'num_words': expected a whole number"},
           {"length_constraints:number_words", R"({"num_words": 3, "relation": "at most"})",
            "'less than' or 'at least'"},
           {"length_constraints:nth_paragraph_first_word",
            R"({"num_paragraphs": 2, "nth_paragraph": 3, "first_word": "a"})",
            "the number of a paragraph"},
           {"punctuation:no_comma", "[]", "expected an object"}}) {
    const absl::StatusOr<Check> check = BindCheck(row.name, *ParseJson(row.arguments));
    ASSERT_FALSE(check.ok()) << row.name << " " << row.arguments;
    EXPECT_THAT(std::string(check.status().message()), HasSubstr(row.message));
  }
  // Tables that went through Arrow hold nulls, and 3.0 for 3.
  EXPECT_TRUE(BindCheck("length_constraints:number_words",
                        *ParseJson(R"({"num_words": 3.0, "relation": "at least", "letter": null})"))
                  .ok());
}

TEST(Instructions, LooseVariantsLeaveOutLinesAndAsterisks) {
  std::vector<std::string> texts;
  for (const std::u32string& variant : instructions::LooseVariants(U"*a*\n b \nc")) {
    texts.push_back(instructions::ToUtf8(variant));
  }
  EXPECT_THAT(texts, testing::ElementsAre("*a*\n b \nc", "a\n b \nc", "b \nc", "b \nc", "*a*\n b",
                                          "a\n b", "b", "b"));
}

Json Row(std::string_view instruction, const char* arguments) {
  Json names = Json::MakeArray(), kwargs = Json::MakeArray();
  names.Append(instruction);
  kwargs.Append(*ParseJson(arguments));
  return Json::MakeObject({{"instruction_id_list", names}, {"kwargs", kwargs}});
}

TEST(Instructions, TheGraderAsksTheRowsInstructionsOfTheAnswer) {
  const BoundGrader grader = Bind("instructions");
  Problem problem;
  problem.id = "p";
  problem.row = Row("punctuation:no_comma", "{}");
  problem.row.Find("instruction_id_list")->Append("startend:quotation");
  problem.row.Find("kwargs")->Append(Json());
  Completion completion;
  completion.reasoning = "thoughts, with commas";
  completion.answer = "\"no marks\"";
  ASSERT_OK_AND_ASSIGN(const Verdict good, grader.grade(problem, completion, {}));
  EXPECT_EQ(good.outcome, Outcome::kCorrect);
  completion.answer = "\"one\"\nA, B";
  ASSERT_OK_AND_ASSIGN(const Verdict bad, grader.grade(problem, completion, {}));
  EXPECT_EQ(bad.outcome, Outcome::kIncorrect);
  EXPECT_THAT(bad.why, HasSubstr("punctuation:no_comma (followed loosely)"));
  const Json* measures = bad.detail.Find("measures");
  EXPECT_EQ(measures->FindInteger("instructions"), 2);
  EXPECT_EQ(measures->FindInteger("strict"), 0);
  EXPECT_EQ(measures->FindInteger("loose"), 2);
  problem.row = Json::MakeObject({});
  EXPECT_FALSE(grader.grade(problem, completion, {}).ok());
  problem.row = Row("nothing:known", "{}");
  EXPECT_THAT(std::string(grader.grade(problem, completion, {}).status().message()),
              HasSubstr("problem 'p': unknown instruction 'nothing:known'"));
}

// --- the original checker's verdicts on GPT-4's replies ---

struct Graded {
  std::vector<bool> strict, loose;
};

std::vector<Graded> GradeGpt4() {
  const BoundGrader grader = Bind("instructions");
  std::vector<Graded> all;
  const std::vector<Json> rows = ReadJsonLinesFile(SharedPath("data/ifeval/prompts.jsonl"));
  const std::vector<Json> replies =
      ReadJsonLinesFile(SharedPath("data/ifeval/gpt4_responses.jsonl"));
  EXPECT_EQ(rows.size(), replies.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    Problem problem;
    problem.row = rows[i];
    Completion completion;
    completion.answer = replies[i].FindString("response").value_or("");
    const absl::StatusOr<Verdict> verdict = grader.grade(problem, completion, {});
    EXPECT_TRUE(verdict.ok()) << verdict.status();
    Graded graded;
    for (const Json& one : verdict->detail.Find("each")->AsArray()) {
      graded.strict.push_back(*one.FindBool("strict"));
      graded.loose.push_back(*one.FindBool("loose"));
    }
    all.push_back(std::move(graded));
  }
  return all;
}

std::vector<bool> Bools(const Json& list) {
  std::vector<bool> bools;
  for (const Json& one : list.AsArray()) bools.push_back(one.AsBool());
  return bools;
}

TEST(Instructions, TheOriginalsVerdictsOnGpt4AreReproduced) {
  SKIP_WITHOUT_SHARED("data/ifeval/prompts.jsonl");
  SKIP_WITHOUT_SHARED("vectors/ifeval_gpt4_verdicts.jsonl");
  const std::vector<Graded> graded = GradeGpt4();
  for (const Json& expected : ReadJsonLinesFile(SharedPath("vectors/ifeval_gpt4_verdicts.jsonl"))) {
    const Graded& mine = graded[static_cast<size_t>(*expected.FindInteger("line"))];
    EXPECT_EQ(mine.strict, Bools(*expected.Find("strict"))) << expected.Find("key")->ToText();
    EXPECT_EQ(mine.loose, Bools(*expected.Find("loose"))) << expected.Find("key")->ToText();
  }
  int prompts_strict = 0, prompts_loose = 0, strict = 0, loose = 0, instructions = 0;
  for (const Graded& one : graded) {
    const auto count = [](const std::vector<bool>& bools) {
      return static_cast<int>(std::count(bools.begin(), bools.end(), true));
    };
    const int asked = static_cast<int>(one.strict.size());
    instructions += asked;
    strict += count(one.strict);
    loose += count(one.loose);
    prompts_strict += count(one.strict) == asked ? 1 : 0;
    prompts_loose += count(one.loose) == asked ? 1 : 0;
  }
  EXPECT_EQ(prompts_strict, 417);
  EXPECT_EQ(prompts_loose, 431);
  EXPECT_EQ(instructions, 834);
  EXPECT_EQ(strict, 698);
  EXPECT_EQ(loose, 714);
}

TEST(Instructions, CountsAgreeWithTheOriginals) {
  SKIP_WITHOUT_SHARED("data/ifeval/gpt4_responses.jsonl");
  SKIP_WITHOUT_SHARED("vectors/ifeval_gpt4_verdicts.jsonl");
  const std::vector<Json> replies =
      ReadJsonLinesFile(SharedPath("data/ifeval/gpt4_responses.jsonl"));
  int sentences_differ = 0, all = 0;
  for (const Json& expected : ReadJsonLinesFile(SharedPath("vectors/ifeval_gpt4_verdicts.jsonl"))) {
    const auto line = static_cast<size_t>(*expected.FindInteger("line"));
    const std::u32string text = ToCodePoints(*replies[line].FindString("response"));
    const Json& counts = *expected.Find("counts");
    const std::string key = expected.Find("key")->ToText();
    ++all;
    EXPECT_EQ(static_cast<int64_t>(text.size()), counts.FindInteger("chars")) << key;
    EXPECT_EQ(static_cast<int64_t>(instructions::CountWords(text)), counts.FindInteger("words"))
        << key;
    const std::vector<std::u32string> tokens = instructions::Tokens(text);
    EXPECT_EQ(std::count_if(tokens.begin(), tokens.end(), instructions::AllUpper),
              counts.FindInteger("caps_words"))
        << key;
    const auto sentences = static_cast<int64_t>(instructions::Sentences(text).size());
    if (sentences != counts.FindInteger("sentences_punkt")) {
      ++sentences_differ;
      std::printf("key %s: %d sentences, Punkt %d\n", key.c_str(), static_cast<int>(sentences),
                  static_cast<int>(*counts.FindInteger("sentences_punkt")));
    }
  }
  // Punkt's trained parameters are not here, only abbreviations.
  std::printf("sentence counts differ in %d of %d texts\n", sentences_differ, all);
  EXPECT_LE(sentences_differ, 6);
}

TEST(Sentences, AbbreviationsInitialsAndNumbersDoNotEndThem) {
  const auto count = [](std::string_view text) {
    return instructions::Sentences(ToCodePoints(text)).size();
  };
  EXPECT_EQ(count("Mr. Smith met Dr. Jones. They spoke."), 2u);
  EXPECT_EQ(count("J. R. Smith came."), 1u);
  EXPECT_EQ(count("He came at 5 p.m. He left."), 2u);
  EXPECT_EQ(count("It costs 3.50. Cheap."), 2u);
  EXPECT_EQ(count("Wait... what? Yes!"), 2u);
  EXPECT_EQ(count("He said (quietly.) Then he left."), 2u);
  EXPECT_EQ(count("\"Stop!\" she said."), 2u);  // as Punkt has it
  EXPECT_EQ(count("no end"), 1u);
  EXPECT_EQ(count("   "), 0u);
  EXPECT_EQ(count(""), 0u);
}

TEST(Languages, TextsAreToldApart) {
  const std::vector<std::pair<const char*, const char*>> rows = {
      {"en", "The children play in the garden while their parents talk about the weather."},
      {"fr", "Les enfants jouent dans le jardin pendant que leurs parents parlent du temps."},
      {"es", "Los niños juegan en el jardín mientras sus padres hablan del tiempo."},
      {"ru", "Дети играют в саду, пока их родители говорят о погоде."},
      {"bg", "Децата играят в градината, докато родителите им говорят за времето."},
      {"ar", "يلعب الأطفال في الحديقة بينما يتحدث آباؤهم عن الطقس."},
      {"fa", "بچه‌ها در باغ بازی می‌کنند"},
      {"th", "เด็กๆ เล่นอยู่ในสวนขณะที่พ่อแม่คุยกันเรื่องอากาศ"},
      {"ja", "子供たちは庭で遊んでいて、両親は天気について話しています。"},
      {"zh-cn", "孩子们在花园里玩耍，他们的父母在谈论天气。"},
      {"sw", "Watoto wanacheza bustanini wakati wazazi wao wanazungumza kuhusu hali ya hewa."}};
  for (const auto& [language, text] : rows) {
    EXPECT_EQ(instructions::DetectLanguage(ToCodePoints(text)), language) << text;
  }
  EXPECT_EQ(instructions::DetectLanguage(U"123 ... https://example.org/the/children"),
            std::nullopt);
  // The same for the same text, always.
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(instructions::DetectLanguage(U"Dear"), instructions::DetectLanguage(U"Dear"));
  }
}

TEST(PythonJson, DeepNestingIsRefusedNotCrashed) {
  EXPECT_TRUE(instructions::PythonReadsAsJson(std::string(500, '[') + std::string(500, ']')));
  EXPECT_FALSE(instructions::PythonReadsAsJson(std::string(1'000'000, '[')));
  EXPECT_FALSE(instructions::PythonReadsAsJson("\xEF\xBB\xBF{}"));
  EXPECT_FALSE(instructions::PythonReadsAsJson(""));
}

// --- DROP ---

TEST(F1, TheTableHolds) {
  const BoundGrader grader = Bind("f1", Json::MakeObject({{"separator", " / "}}));
  for (const TableRow& row : ReadTable("grade_f1.txt")) {
    ASSERT_EQ(row.fields.size(), 4u) << "line " << row.line;
    Problem problem;
    problem.reference = row.fields[1];
    Extraction extraction;
    extraction.answer = row.fields[0];
    ASSERT_OK_AND_ASSIGN(const Verdict verdict, grader.grade(problem, {}, extraction));
    EXPECT_EQ(verdict.outcome == Outcome::kCorrect, row.fields[2] == "1")
        << "line " << row.line << ": " << verdict.why;
    EXPECT_DOUBLE_EQ(verdict.score, *ParseDouble(row.fields[3]))
        << "line " << row.line << ": " << verdict.why;
    EXPECT_EQ(verdict.detail.Find("measures")->FindNumber("f1"), verdict.score);
  }
}

TEST(F1, SpansArePairedOneToOne) {
  const spans::Spans two = {"Smith", "Jones"};
  EXPECT_EQ(spans::Measure({"Jones", "Smith"}, two).exact_match, 1);
  EXPECT_EQ(spans::Measure({"Jones", "Smith"}, two).f1, 1);
  EXPECT_EQ(spans::Measure({"Smith"}, two).exact_match, 0);
  EXPECT_EQ(spans::Measure({"Smith"}, two).f1, 0.5);
  EXPECT_EQ(spans::Measure({"Smith", "Smith"}, two).f1, 0.5);
  EXPECT_EQ(spans::Measure({"Smith", "Jones", "Lee"}, two).f1, 0.6667);
  // The greedy pairing, "a b" with "a b c", would leave "a b d" with nothing.
  EXPECT_EQ(spans::Measure({"x b", "x b c"}, {"x b c", "x b"}).f1, 1);
  const BoundGrader grader =
      Bind("f1", *ParseJson(R"({"annotations": "gold", "answer_separator": ","})"));
  Problem problem;
  problem.id = "p";
  problem.row = *ParseJson(
      R"({"gold": [{"number": "", "spans": ["Smith", "Jones"], "date": {}},
                   {"number": "3", "spans": [], "date": {}},
                   {"number": "", "spans": [], "date": {"day": "1", "month": "May", "year": "1900"}}]})");
  for (const char* answer : {"Jones, Smith", "3", "1 May 1900"}) {
    Extraction extraction;
    extraction.answer = answer;
    ASSERT_OK_AND_ASSIGN(const Verdict verdict, grader.grade(problem, {}, extraction));
    EXPECT_EQ(verdict.outcome, Outcome::kCorrect) << answer << ": " << verdict.why;
  }
  Extraction extraction;
  extraction.answer = "Jones";
  EXPECT_EQ(grader.grade(problem, {}, extraction)->score, 0.5);
  problem.row = *ParseJson(R"({"gold": "Jones|Smith"})");  // annotations, not spans
  EXPECT_EQ(grader.grade(problem, {}, extraction)->outcome, Outcome::kCorrect);
  problem.row = *ParseJson(R"({"gold": [{"number": 3.5}, true]})");
  EXPECT_FALSE(grader.grade(problem, {}, extraction).ok());
  problem.row = *ParseJson(R"({})");
  EXPECT_THAT(std::string(grader.grade(problem, {}, extraction).status().message()),
              HasSubstr("problem 'p': the row has no field 'gold'"));
}

TEST(F1, NumbersAreWrittenAsPythonWritesThem) {
  EXPECT_EQ(spans::NormalSpan("5"), "5.0");
  EXPECT_EQ(spans::NormalSpan("1,234,567"), "1234567.0");
  EXPECT_EQ(spans::NormalSpan("0.00001"), "1e-05");
  EXPECT_EQ(spans::NormalSpan("12345678901234567890"), "1.2345678901234567e+19");
  EXPECT_EQ(spans::NormalSpan("3.14%"), "314.0");  // the point is punctuation where % is
  EXPECT_EQ(spans::NormalSpan("inf"), "inf");
  EXPECT_EQ(spans::NormalSpan("a the an"), "");
}

// --- Chinese ---

TEST(Exact, FullWidthFormsAreTheirAscii) {
  const BoundGrader wide =
      Bind("exact", *ParseJson(R"({"full_width": true, "ignore_punctuation": true})"));
  const BoundGrader plain = Bind("exact");
  const auto outcome = [](const BoundGrader& grader, const char* answer, const char* reference) {
    Problem problem;
    problem.reference = reference;
    Extraction extraction;
    extraction.answer = answer;
    return grader.grade(problem, {}, extraction)->outcome;
  };
  for (const auto& [answer, reference] :
       std::vector<std::pair<const char*, const char*>>{{"是。", "是"},
                                                        {"「是」", "是"},
                                                        {"１２３", "123"},
                                                        {"ＡＢＣ", "abc"},
                                                        {"１，２３４", "1234"},
                                                        {"　是　", "是"},
                                                        {"《红楼梦》", "红楼梦"},
                                                        {"５０％", "50"}}) {
    EXPECT_EQ(outcome(wide, answer, reference), Outcome::kCorrect) << answer;
    EXPECT_EQ(outcome(plain, answer, reference), Outcome::kIncorrect) << answer;
  }
  for (const auto& [answer, reference] : std::vector<std::pair<const char*, const char*>>{
           {"否。", "是"}, {"不是", "是"}, {"１２３", "124"}, {"是否", "是"}, {"红楼", "红楼梦"}}) {
    EXPECT_EQ(outcome(wide, answer, reference), Outcome::kIncorrect) << answer;
  }
}

}  // namespace
}  // namespace assay
