// What the graders say: tables of right and wrong answers, the options, and which answers are one.
#include "harness/grader.h"
#include "harness/registry.h"
#include "harness/text.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing_support::ReadTable;
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

}  // namespace
}  // namespace assay
