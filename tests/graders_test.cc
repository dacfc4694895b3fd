// What the graders say: tables of right and wrong answers, the options, and which answers are one.
#include "harness/grader.h"

#include <cstdio>
#include <random>

#include "harness/extract.h"
#include "harness/reasoning.h"
#include "harness/registry.h"
#include "harness/text.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing_support::ReadJsonLinesFile;
using testing_support::ReadTable;
using testing_support::SharedPath;
using testing_support::TableRow;

BoundGrader Bind(std::string_view name, const Json& options = Json()) {
  absl::StatusOr<const Grader*> grader = FindGrader(name);
  EXPECT_TRUE(grader.ok()) << grader.status();
  absl::StatusOr<BoundGrader> bound = (*grader)->bind(options);
  EXPECT_TRUE(bound.ok()) << bound.status();
  return *std::move(bound);
}

absl::StatusOr<Verdict> Grade(const BoundGrader& grader, std::string_view answer,
                              std::string_view reference, std::vector<std::string> choices = {}) {
  Problem problem;
  problem.id = "p1";
  problem.reference = reference;
  problem.choices = std::move(choices);
  Extraction extraction;
  extraction.answer = std::string(answer);
  return grader.grade(problem, Completion(), extraction);
}

void ExpectOutcome(const absl::StatusOr<Verdict>& verdict, std::string_view outcome,
                   const TableRow& row) {
  ASSERT_TRUE(verdict.ok()) << "line " << row.line << ": " << verdict.status();
  EXPECT_EQ(OutcomeName(verdict->outcome), outcome)
      << "line " << row.line << ": " << row.fields[0] << ": " << verdict->why;
  EXPECT_EQ(verdict->score, outcome == "correct" ? 1 : 0) << "line " << row.line;
  EXPECT_FALSE(verdict->why.empty()) << "line " << row.line;
}

std::vector<std::string> ChoicesOf(std::string_view field) {
  std::vector<std::string> choices;
  for (const std::string_view choice : Split(field, ';')) choices.emplace_back(choice);
  return choices;
}

TEST(Exact, TheTableHoldsBothWaysRound) {
  const BoundGrader grader = Bind("exact");
  for (const TableRow& row : ReadTable("grade_exact.txt")) {
    ASSERT_EQ(row.fields.size(), 3u) << "line " << row.line;
    ExpectOutcome(Grade(grader, row.fields[0], row.fields[1]), row.fields[2], row);
    ExpectOutcome(Grade(grader, row.fields[1], row.fields[0]), row.fields[2], row);
    EXPECT_EQ(grader.same_answer(row.fields[0], row.fields[1]), row.fields[2] == "correct")
        << "line " << row.line;
  }
}

TEST(Exact, OptionsChangeWhatCounts) {
  const BoundGrader by_case = Bind("exact", Json::MakeObject({{"ignore_case", false}}));
  EXPECT_EQ(Grade(by_case, "East", "east")->outcome, Outcome::kIncorrect);
  EXPECT_EQ(Grade(by_case, "east", "east")->outcome, Outcome::kCorrect);
  const BoundGrader as_text = Bind("exact", Json::MakeObject({{"numbers", false}}));
  EXPECT_EQ(Grade(as_text, "073", "73")->outcome, Outcome::kIncorrect);
  EXPECT_EQ(Grade(as_text, "73", "73")->outcome, Outcome::kCorrect);
  const BoundGrader loose = Bind("exact", Json::MakeObject({{"ignore_punctuation", true}}));
  EXPECT_EQ(Grade(loose, "it's, east!", "its east")->outcome, Outcome::kCorrect);
  EXPECT_EQ(Grade(loose, "it's, west!", "its east")->outcome, Outcome::kIncorrect);
}

TEST(Exact, WrongOptionsAreNamed) {
  const Grader& grader = **FindGrader("exact");
  EXPECT_THAT(std::string(grader.bind(Json::MakeObject({{"ignore_cas", true}})).status().message()),
              HasSubstr("unknown option 'ignore_cas'; did you mean 'ignore_case'?"));
  EXPECT_THAT(std::string(grader.bind(Json::MakeObject({{"numbers", "yes"}})).status().message()),
              HasSubstr("'numbers': expected true or false, found string"));
  EXPECT_THAT(std::string(grader.bind(Json("numbers")).status().message()),
              HasSubstr("expected an object, found string"));
}

TEST(Choice, TheTableHolds) {
  const BoundGrader grader = Bind("choice");
  for (const TableRow& row : ReadTable("grade_choice.txt")) {
    ASSERT_EQ(row.fields.size(), 4u) << "line " << row.line;
    ExpectOutcome(Grade(grader, row.fields[0], row.fields[1], ChoicesOf(row.fields[2])),
                  row.fields[3], row);
  }
}

// A reference that is no choice is ours to mend: the model is not marked down for it.
TEST(Choice, AReferenceThatIsNoChoiceIsAnError) {
  const BoundGrader grader = Bind("choice");
  EXPECT_THAT(std::string(Grade(grader, "A", "E", {"x", "y"}).status().message()),
              HasSubstr("problem 'p1': reference: expected a choice's letter or text, found 'E'"));
  EXPECT_FALSE(Grade(grader, "A", "", {"x", "y"}).ok());
  EXPECT_THAT(
      std::string((*FindGrader("choice"))->bind(Json::MakeObject({{"a", 1}})).status().message()),
      HasSubstr("unknown option 'a'"));
}

TEST(Choice, SpellingsOfALetterAreOneAnswer) {
  const BoundGrader grader = Bind("choice");
  EXPECT_TRUE(grader.same_answer("B", "(b)"));
  EXPECT_TRUE(grader.same_answer("Paris", "paris."));
  EXPECT_FALSE(grader.same_answer("B", "C"));
  EXPECT_FALSE(grader.same_answer("B", "Paris"));
}

TEST(Math, TheTableHolds) {
  const BoundGrader grader = Bind("math");
  int rows = 0;
  for (const TableRow& row : ReadTable("math_equal.txt")) {
    ASSERT_EQ(row.fields.size(), 3u) << "line " << row.line;
    ExpectOutcome(Grade(grader, row.fields[0], row.fields[1]), row.fields[2], row);
    ++rows;
  }
  EXPECT_GT(rows, 180);
}

// Equality asks nothing of the order. Rounding does: it looks at the reference's digits.
TEST(Math, WhatIsEqualIsEqualTheOtherWayRound) {
  const BoundGrader grader = Bind("math");
  for (const TableRow& row : ReadTable("math_equal.txt")) {
    const absl::StatusOr<Verdict> forth = Grade(grader, row.fields[0], row.fields[1]);
    if (forth->detail.FindString("verdict") == "rounded_match") continue;
    const absl::StatusOr<Verdict> verdict = Grade(grader, row.fields[1], row.fields[0]);
    if (verdict->detail.FindString("verdict") == "rounded_match") continue;
    // Nor may it be a guess how the reference is read.
    if (Contains(verdict->why, "read in two ways")) continue;
    EXPECT_EQ(verdict->outcome == Outcome::kCorrect, row.fields[2] == "correct")
        << "line " << row.line << ": " << verdict->why;
  }
}

TEST(Math, EveryReadableRowEqualsItself) {
  const BoundGrader grader = Bind("math");
  for (const TableRow& row : ReadTable("math_equal.txt")) {
    // What cannot be read, or has no value, equals nothing.
    const bool readable = Grade(grader, row.fields[0], row.fields[0])->outcome == Outcome::kCorrect;
    EXPECT_EQ(grader.same_answer(row.fields[0], row.fields[0]), readable) << "line " << row.line;
    EXPECT_TRUE(readable || row.fields[2] != "correct") << "line " << row.line;
    EXPECT_EQ(grader.same_answer(row.fields[0], row.fields[1]),
              grader.same_answer(row.fields[1], row.fields[0]));
  }
}

// Two methods: plain decimals compared by GMP and by their digits.
TEST(Math, RandomDecimalsAreComparedAsTheirDigitsAre) {
  const BoundGrader math = Bind("math"), exact = Bind("exact");
  std::mt19937 random(3);
  for (int round = 0; round < 20000; ++round) {
    const auto number = [&] {
      std::string text = random() % 4 == 0 ? "-" : "";
      for (size_t i = random() % 4; i > 0; --i) text += static_cast<char>('0' + random() % 2);
      if (random() % 2 == 0) text += ".";
      for (size_t i = random() % 3; i > 0; --i) text += static_cast<char>('0' + random() % 2);
      return text;
    };
    const std::string a = number() + "1", b = number() + "1";
    const Outcome by_value = Grade(math, a, b)->outcome, by_digits = Grade(exact, a, b)->outcome;
    EXPECT_EQ(by_value == Outcome::kCorrect, by_digits == Outcome::kCorrect) << a << " and " << b;
  }
}

std::string Joined(const Json& row, std::string_view plain, std::string_view parts) {
  const Json* list = row.Find(parts);
  if (list == nullptr) return row.FindString(plain).value_or("");
  std::string text;
  for (const Json& part : list->AsArray()) {
    for (int64_t i = part.AsArray()[1].AsInteger(); i > 0; --i)
      text += part.AsArray()[0].AsString();
  }
  return text;
}

struct Tally {
  int right = 0, wrong = 0, undecided = 0;
};

void Count(Outcome outcome, bool expected, Tally* tally) {
  const bool decided = outcome == Outcome::kCorrect || outcome == Outcome::kIncorrect;
  if (!decided) {
    ++tally->undecided;
  } else {
    ++((outcome == Outcome::kCorrect) == expected ? tally->right : tally->wrong);
  }
}

BoundExtractor BoxedOf() { return *(*FindExtractor("boxed"))->bind(Json()); }

// A row's answer: given, or extracted from a whole reply.
std::string AnswerOf(const Json& row) {
  const std::optional<std::string> raw = row.FindString("raw");
  if (!raw) return Joined(row, "pred", "pred_parts");
  const SplitReply split = SplitReasoning(*raw, std::nullopt, false);
  return split.unclosed ? "" : BoxedOf()(split.answer, Problem()).answer.value_or("");
}

TEST(Math, NoGivenPairThatMustHoldIsDecidedWrongly) {
  SKIP_WITHOUT_SHARED("vectors/math_pairs.jsonl");
  const BoundGrader grader = Bind("math");
  Tally must, policy;
  for (const Json& row : ReadJsonLinesFile(SharedPath("vectors/math_pairs.jsonl"))) {
    const absl::StatusOr<Verdict> verdict =
        Grade(grader, AnswerOf(row), Joined(row, "gold", "gold_parts"));
    ASSERT_TRUE(verdict.ok());
    const bool expected = *row.FindBool("expected"), is_must = *row.FindString("tier") == "must";
    const bool hostile = *row.FindString("category") == "hostile";  // over a limit is right there
    const bool answered = !AnswerOf(row).empty();  // else the harness says "no answer"
    if (!hostile && answered) Count(verdict->outcome, expected, is_must ? &must : &policy);
    const bool decided = verdict->outcome != Outcome::kUndecided;
    EXPECT_FALSE(is_must && decided && (verdict->outcome == Outcome::kCorrect) != expected)
        << *row.FindString("id") << ": " << verdict->why;
    if (!is_must && decided && (verdict->outcome == Outcome::kCorrect) != expected)
      std::printf("policy %s: %s\n", row.FindString("id")->c_str(), verdict->why.c_str());
  }
  std::printf("must: %d right, %d wrong, %d undecided; policy: %d, %d, %d\n", must.right,
              must.wrong, must.undecided, policy.right, policy.wrong, policy.undecided);
  EXPECT_EQ(must.wrong, 0);
  EXPECT_EQ(must.undecided, 0);
}

TEST(Math, RealOutputsAreNeverDecidedWrongly) {
  SKIP_WITHOUT_SHARED("vectors/qwen_math_outputs.jsonl");
  const BoundGrader grader = Bind("math");
  const BoundExtractor extract = BoxedOf();
  Tally tally;
  for (const Json& row : ReadJsonLinesFile(SharedPath("vectors/qwen_math_outputs.jsonl"))) {
    const Extraction found = extract(*row.FindString("raw_output"), Problem());
    ASSERT_TRUE(found.answer) << row.Find("idx")->AsInteger();
    const Verdict verdict = *Grade(grader, *found.answer, *row.FindString("gold_answer_field"));
    Count(verdict.outcome, *row.FindBool("expected"), &tally);
    const bool decided = verdict.outcome != Outcome::kUndecided;
    EXPECT_FALSE(decided && (verdict.outcome == Outcome::kCorrect) != *row.FindBool("expected"))
        << row.Find("idx")->AsInteger() << ": " << *found.answer << ": " << verdict.why;
    if (!decided)
      std::printf("undecided %ld/%ld: %s\n", row.Find("idx")->AsInteger(),
                  row.Find("sample")->AsInteger(), verdict.why.c_str());
  }
  std::printf("%d right, %d wrong, %d undecided of 800\n", tally.right, tally.wrong,
              tally.undecided);
  EXPECT_EQ(tally.wrong, 0);
  EXPECT_EQ(tally.undecided, 0);
}

TEST(Math, EveryReferenceOfTheMathSetsEqualsItself) {
  SKIP_WITHOUT_SHARED("vectors/gold_answers.jsonl");
  const BoundGrader grader = Bind("math");
  int rows = 0;
  for (const Json& row : ReadJsonLinesFile(SharedPath("vectors/gold_answers.jsonl"))) {
    const std::optional<std::string> gold =
        row.FindString("gold") ? row.FindString("gold") : row.FindString("answer");
    ASSERT_TRUE(gold) << row.Dump();
    if (Trim(*gold).empty()) continue;
    ++rows;
    EXPECT_EQ(Grade(grader, *gold, *gold)->outcome, Outcome::kCorrect) << *gold;
  }
  EXPECT_EQ(rows, 6062);
}

// Towers, long digits and deep nesting end at once, within the limits.
TEST(Math, HugeAnswersAreBounded) {
  const BoundGrader grader = Bind("math");
  const auto repeat = [](std::string_view piece, int times) {
    std::string text;
    for (int i = 0; i < times; ++i) text += piece;
    return text;
  };
  const std::vector<std::string> hostile = {repeat("9", 1 << 20),
                                            repeat("9", 60000),
                                            repeat("{", 30000) + "1" + repeat("}", 30000),
                                            repeat("(", 60000),
                                            repeat("-", 60000) + "1",
                                            repeat("\\frac{", 9000) + "1",
                                            repeat("\\frac1", 9000),
                                            repeat("1/", 30000) + "1",
                                            repeat("1,000", 10000),
                                            "9" + repeat("^{9", 10000),
                                            repeat("1\\text{ million}", 4000),
                                            "1\\text{" + repeat(" million", 8000) + "}",
                                            repeat("\\left(", 9000),
                                            repeat("$", 60000),
                                            repeat(" ", 60000) + "x",
                                            repeat("\\", 60001),
                                            "1e20000",
                                            "0." + repeat("\\overline{9", 5000),
                                            repeat("\\boxed{", 5000) + "1" + repeat("}", 5000)};
  for (const std::string& text : hostile) {
    EXPECT_NE(Grade(grader, text, "7")->outcome, Outcome::kCorrect) << text.substr(0, 20);
    EXPECT_NE(Grade(grader, "7", text)->outcome, Outcome::kCorrect) << text.substr(0, 20);
    grader.same_answer(text, "1");
  }
  EXPECT_EQ(Grade(grader, hostile[0], hostile[0])->outcome, Outcome::kCorrect);
}

TEST(Math, WrongOptionsAreNamed) {
  const auto error = [](const Json& options) {
    return std::string((*FindGrader("math"))->bind(options).status().message());
  };
  EXPECT_THAT(error(Json::MakeObject({{"precent", "bare"}})), HasSubstr("did you mean 'percent'"));
  EXPECT_THAT(error(Json::MakeObject({{"percent", "maybe"}})), HasSubstr("'bare' or 'strict'"));
  EXPECT_THAT(error(Json::MakeObject({{"relative_tolerance", -1}})), HasSubstr("positive"));
  EXPECT_THAT(error(Json::MakeObject({{"rounding", "off"}})), HasSubstr("a list"));
  EXPECT_THAT(error(Json::MakeObject({{"form", "short"}})), HasSubstr("factored"));
  EXPECT_THAT(error(Json("percent")), HasSubstr("an object"));
}

TEST(Math, OptionsChangeWhatCounts) {
  const auto outcome = [](const char* options, std::string_view answer,
                          std::string_view reference) {
    return Grade(Bind("math", *ParseJson(options)), answer, reference)->outcome;
  };
  EXPECT_EQ(outcome("{}", "25", "25\\%"), Outcome::kCorrect);
  EXPECT_EQ(outcome(R"({"percent": "strict"})", "25", "25\\%"), Outcome::kIncorrect);
  EXPECT_EQ(outcome(R"({"percent": "strict"})", "0.25", "25\\%"), Outcome::kCorrect);
  EXPECT_EQ(outcome("{}", "2.99e8", "3.00e8"), Outcome::kIncorrect);
  EXPECT_EQ(outcome(R"({"relative_tolerance": 0.01})", "2.99e8", "3.00e8"), Outcome::kCorrect);
  EXPECT_EQ(outcome(R"({"relative_tolerance": 0.001})", "2.99e8", "3.00e8"), Outcome::kIncorrect);
  EXPECT_EQ(outcome(R"({"absolute_tolerance": 0.5})", "7.4", "7"), Outcome::kCorrect);
  EXPECT_EQ(outcome(R"({"absolute_tolerance": 0.5})", "7.6", "7"), Outcome::kIncorrect);
  EXPECT_EQ(outcome(R"({"significant_digits": 3})", "1.414", "\\sqrt2"), Outcome::kCorrect);
  EXPECT_EQ(outcome(R"({"significant_digits": 3})", "1.42", "\\sqrt2"), Outcome::kIncorrect);
  EXPECT_EQ(outcome("{}", "\\frac{37}{3}", "12.3"), Outcome::kCorrect);
  EXPECT_EQ(outcome(R"({"rounding": []})", "\\frac{37}{3}", "12.3"), Outcome::kIncorrect);
  EXPECT_EQ(outcome(R"({"form": "reduced"})", "\\frac{2}{4}", "\\frac12"), Outcome::kIncorrect);
  EXPECT_EQ(outcome(R"({"form": "reduced"})", "\\frac{1}{2}", "\\frac12"), Outcome::kCorrect);
  EXPECT_EQ(outcome(R"({"form": "factored"})", "x^2-1", "(x-1)(x+1)"), Outcome::kIncorrect);
  EXPECT_EQ(outcome(R"({"form": "factored"})", "(x+1)(x-1)", "(x-1)(x+1)"), Outcome::kCorrect);
  EXPECT_EQ(outcome(R"({"form": "expanded"})", "(x+1)(x-1)", "x^2-1"), Outcome::kIncorrect);
}

}  // namespace
}  // namespace assay
