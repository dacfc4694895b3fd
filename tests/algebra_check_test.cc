// The symbolic checker against tables: ours always, the shared vectors where they are present.
#include "graders/algebra/check.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/testing.h"

namespace assay::algebra {
namespace {

using testing_support::ReadJsonLinesFile;
using testing_support::ReadTable;
using testing_support::SharedPath;

std::string Repeated(const Json& parts) {
  std::string text;
  for (const Json& part : parts.AsArray())
    for (int64_t i = 0; i < part.AsArray()[1].AsInteger(); ++i)
      text += part.AsArray()[0].AsString();
  return text;
}

std::string TextOf(const Json& row, std::string_view field) {
  if (const auto text = row.FindString(field)) return *text;
  const Json* parts = row.Find(std::string(field) + "_parts");
  return parts == nullptr ? "" : Repeated(*parts);
}

TEST(AlgebraCheck, DecidesEveryPairOfTheTable) {
  for (const auto& row : ReadTable("algebra_pairs.txt")) {
    ASSERT_EQ(row.fields.size(), 3u) << "line " << row.line;
    const Outcome outcome = Check(row.fields[0], row.fields[1], {});
    EXPECT_EQ(VerdictName(outcome.verdict), row.fields[2])
        << "line " << row.line << ": " << row.fields[0] << " | " << row.fields[1] << "\n  read as "
        << outcome.reference_form << " | " << outcome.answer_form << "\n  " << outcome.note;
    if (outcome.verdict == Verdict::kNumericallyEqual) {
      EXPECT_GE(outcome.digits, kEnoughDigits) << "line " << row.line;
    }
  }
}

// In the categories of the research, more of each; what must not count may be undecided.
TEST(AlgebraCheck, DecidesEveryKindOfAnswer) {
  for (const auto& row : ReadTable("algebra_kinds.txt")) {
    ASSERT_EQ(row.fields.size(), 3u) << "line " << row.line;
    ASSERT_TRUE(row.fields[2] == "right" || row.fields[2] == "wrong") << "line " << row.line;
    const Outcome outcome = Check(row.fields[0], row.fields[1], {});
    EXPECT_EQ(outcome.correct(), row.fields[2] == "right")
        << "line " << row.line << ": " << row.fields[0] << " | " << row.fields[1] << ": "
        << VerdictName(outcome.verdict) << " " << outcome.note;
  }
}

// No roles, no order: what two answers of a vote are to each other.
TEST(AlgebraCheck, SameAnswerIsSymmetric) {
  for (const auto& row : ReadTable("algebra_pairs.txt")) {
    EXPECT_EQ(SameAnswer(row.fields[0], row.fields[1], {}),
              SameAnswer(row.fields[1], row.fields[0], {}))
        << "line " << row.line;
  }
}

TEST(AlgebraCheck, EverySideOfTheTableEqualsItselfUnlessItHasNoValue) {
  for (const auto& row : ReadTable("algebra_pairs.txt")) {
    for (const std::string& text : {row.fields[0], row.fields[1]}) {
      const Outcome outcome = Check(text, text, {});
      const bool no_answer = outcome.verdict == Verdict::kUndefined;
      EXPECT_TRUE(outcome.correct() || no_answer) << text << ": " << VerdictName(outcome.verdict);
    }
  }
}

TEST(AlgebraCheck, SharedPairsThatMustHoldDo) {
  SKIP_WITHOUT_SHARED("vectors/math_pairs.jsonl");
  for (const Json& row : ReadJsonLinesFile(SharedPath("vectors/math_pairs.jsonl"))) {
    const std::string category = *row.FindString("category");
    if (row.Find("raw") != nullptr || category == "hostile" || *row.FindString("tier") != "must")
      continue;
    const Outcome outcome = Check(TextOf(row, "gold"), TextOf(row, "pred"), {});
    EXPECT_EQ(outcome.correct(), *row.FindBool("expected"))
        << *row.FindString("id") << ": " << TextOf(row, "gold") << " | " << TextOf(row, "pred")
        << " " << VerdictName(outcome.verdict) << " " << outcome.note;
  }
}

// Policy rows are decided one way each; those that differ from the vectors' advice are named here
// and in graders/README.md.
TEST(AlgebraCheck, SharedPoliciesAreAsDocumented) {
  SKIP_WITHOUT_SHARED("vectors/math_pairs.jsonl");
  const std::set<std::string> otherwise = {};  // none at present
  for (const Json& row : ReadJsonLinesFile(SharedPath("vectors/math_pairs.jsonl"))) {
    if (row.Find("raw") != nullptr || *row.FindString("tier") != "policy") continue;
    const std::string id = *row.FindString("id");
    const Outcome outcome = Check(TextOf(row, "gold"), TextOf(row, "pred"), {});
    EXPECT_EQ(outcome.correct(), *row.FindBool("expected") != (otherwise.count(id) > 0)) << id;
  }
}

TEST(AlgebraCheck, SharedHostilePairsEndWithAnAcceptableVerdict) {
  SKIP_WITHOUT_SHARED("vectors/math_pairs.jsonl");
  for (const Json& row : ReadJsonLinesFile(SharedPath("vectors/math_pairs.jsonl"))) {
    if (*row.FindString("category") != "hostile") continue;
    const Outcome outcome = Check(TextOf(row, "gold"), TextOf(row, "pred"), {});
    const bool expected = *row.FindBool("expected");
    EXPECT_TRUE(outcome.correct() == expected || outcome.verdict == Verdict::kOverLimit)
        << *row.FindString("id") << " " << VerdictName(outcome.verdict);
  }
}

// References that are malformed in their files, by name: they parse neither as mathematics nor as
// words, and equal themselves letter for letter.
const std::set<std::string>& Malformed() {
  static const std::set<std::string> texts = {
      "",
      "5 4.6",
      "$-3 b^{4}+13 b^{3}-7 b^{2}-$",
      "m^2n\\cdot m=m^3\\cdot",
      "$n<-7$ or $n>8:(-\\infty-7), \\bigcup(8, \\infty)$",
      "$\\left[-\\frac{11 \\pi}{6},-\\frac{7 \\pi}{6}\\right] \\cup\\left[\\frac{\\pi}{6}, "
      "\\frac{5 "
      "\\pi}{6}\\right] \\cup,\\left\\{-\\frac{\\pi}{2}, \\frac{3 \\pi}{2}\\right\\}$",
      "$y=\\frac{1}{x}\\left[c_{1} \\cos (2 \\ln x)+c_{2} \\sin (2 \\ln x]\\right.$",
      "$\\mu\\left|\\sigma^{2}, x_{1}, \\ldots, x_{n} \\sim N\\left(5.5353, \\frac{4}{81} "
      "\\sigma^{2}\\right), 1 / \\sigma^{2}\\right| x_{1}, \\ldots, x_{n} \\sim "
      "\\operatorname{Gamma}(11,41.737)$"};
  return texts;
}

TEST(AlgebraCheck, SharedReferencesParseAndEqualThemselves) {
  SKIP_WITHOUT_SHARED("vectors/gold_answers.jsonl");
  int read = 0;
  for (const Json& row : ReadJsonLinesFile(SharedPath("vectors/gold_answers.jsonl"))) {
    const std::string gold = *row.FindString("gold");
    if (gold.empty()) continue;
    const Understood understood = Understand(gold, {});
    EXPECT_TRUE(Malformed().count(gold) > 0 || understood.as_mathematics || understood.as_words)
        << gold << ": " << understood.error;
    const Outcome outcome = Check(gold, gold, {});
    EXPECT_TRUE(outcome.correct()) << gold << ": " << VerdictName(outcome.verdict);
    ++read;
  }
  EXPECT_EQ(read, 6062);  // two are empty
}

}  // namespace
}  // namespace assay::algebra
