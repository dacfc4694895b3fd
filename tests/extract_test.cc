// What the extractors read: tables of right and wrong, the given cases, options, and hostile texts.
#include "harness/extract.h"

#include <array>
#include <chrono>
#include <random>

#include "harness/reasoning.h"
#include "harness/text.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing_support::ReadJsonFile;
using testing_support::ReadTable;
using testing_support::SharedPath;
using testing_support::TableRow;

BoundExtractor Bind(std::string_view name, const Json& options = Json()) {
  absl::StatusOr<const Extractor*> extractor = FindExtractor(name);
  EXPECT_TRUE(extractor.ok()) << extractor.status();
  absl::StatusOr<BoundExtractor> bound = (*extractor)->bind(options);
  EXPECT_TRUE(bound.ok()) << bound.status();
  return *std::move(bound);
}

std::string BindError(std::string_view name, const Json& options) {
  return std::string((*FindExtractor(name))->bind(options).status().message());
}

std::string Shown(const std::optional<std::string>& answer) { return answer.value_or("-"); }

// What every extraction must keep, whatever the text.
void ExpectSound(std::string_view text, const Extraction& found) {
  EXPECT_LE(found.begin, found.end);
  EXPECT_LE(found.end, text.size());
  EXPECT_EQ(found.answer.has_value(), !found.rule.empty());
  EXPECT_TRUE(!found.answer || found.answer == found.lenient || found.answer == found.strict);
}

Problem WithChoices(std::string_view field) {
  Problem problem;
  if (const std::optional<int64_t> count = ParseInt(field)) {
    for (int64_t i = 0; i < *count; ++i)
      problem.choices.push_back("the choice number " + std::to_string(i));
    return problem;
  }
  for (const std::string_view choice : Split(field, ';')) problem.choices.emplace_back(choice);
  return problem;
}

TEST(Extract, LettersAreReadAsTheTableSays) {
  const BoundExtractor extract = Bind("letter");
  const std::vector<TableRow> rows = ReadTable("extract_letter.txt");
  ASSERT_GT(rows.size(), 100u);
  for (const TableRow& row : rows) {
    ASSERT_EQ(row.fields.size(), 4u) << "line " << row.line;
    const Extraction found = extract(row.fields[0], WithChoices(row.fields[1]));
    EXPECT_EQ(Shown(found.lenient), row.fields[2])
        << "line " << row.line << ": " << row.fields[0] << " by " << found.rule;
    EXPECT_EQ(Shown(found.strict), row.fields[3])
        << "line " << row.line << ": strict: " << row.fields[0];
    ExpectSound(row.fields[0], found);
  }
}

// The same endings with a page of working before them, and with Windows line ends.
TEST(Extract, LettersAreReadAlikeAfterWorking) {
  const BoundExtractor extract = Bind("letter");
  const std::string working =
      "Let A be the area and B the base. Compare (A) with (C).\nStep 1: a = 3 and I = 2.\n\n";
  for (const TableRow& row : ReadTable("extract_letter.txt")) {
    if (row.fields[0].find(')') == 1 || row.fields[0].find("B⏎⏎") == 0) continue;  // read as lines
    const Problem problem = WithChoices(row.fields[1]);
    const Extraction alone = extract(row.fields[0], problem);
    if (alone.rule.starts_with("first_line")) continue;
    const Extraction after = extract(working + row.fields[0], problem);
    EXPECT_EQ(Shown(after.lenient), row.fields[2])
        << "line " << row.line << ": after working: " << row.fields[0];
    const std::string carriages = ReplaceAll(row.fields[0], "\n", "\r\n");
    EXPECT_EQ(Shown(extract(carriages, problem).lenient), row.fields[2])
        << "line " << row.line << " with \\r\\n";
  }
}

TEST(Extract, AFirstLineThatTheLastOneContradictsIsNoAnswer) {
  const BoundExtractor extract = Bind("letter");
  EXPECT_EQ(extract("A because x.\n\nBut y holds. Therefore B.", Problem()).answer, std::nullopt);
  EXPECT_EQ(extract("A because x.\n\nAnd y holds. Therefore A.", Problem()).answer, "A");
  const Extraction corrected = extract("A because x.\n\nNo wait, B.", Problem());
  EXPECT_EQ(corrected.answer, "B");
  EXPECT_EQ(corrected.rule, "first_line_corrected");
}

TEST(Extract, TheGivenChoiceEndingsAreAllReached) {
  SKIP_WITHOUT_SHARED("vectors/mc_extract_cases.json");
  const BoundExtractor extract = Bind("letter");
  const Json cases = ReadJsonFile(SharedPath("vectors/mc_extract_cases.json"));
  ASSERT_EQ(cases.Find("cases")->size(), 27u);
  for (const std::string choices : {"4", "10"}) {
    for (const Json& row : cases.Find("cases")->AsArray()) {
      const std::string text = *row.FindString("text");
      const SplitReply split = SplitReasoning(text, std::nullopt, false);
      const Extraction found =
          split.unclosed ? Extraction() : extract(split.answer, WithChoices(choices));
      EXPECT_EQ(Shown(found.answer), row.FindString("careful").value_or("-"))
          << text << " by " << found.rule;
    }
  }
}

TEST(Extract, BoxesAreReadAsTheTableSays) {
  const BoundExtractor extract = Bind("boxed");
  for (const TableRow& row : ReadTable("extract_boxed.txt")) {
    ASSERT_EQ(row.fields.size(), 4u) << "line " << row.line;
    const Extraction found = extract(row.fields[0], Problem());
    EXPECT_EQ(Shown(found.lenient), row.fields[1]) << "line " << row.line << ": " << row.fields[0];
    EXPECT_EQ(Shown(found.strict), row.fields[2])
        << "line " << row.line << ": strict: " << row.fields[0];
    EXPECT_EQ(found.rule, row.fields[3]) << "line " << row.line << ": " << row.fields[0];
    ExpectSound(row.fields[0], found);
  }
}

TEST(Extract, WhatStandsInLinesBeforeABoxDoesNotMoveIt) {
  const BoundExtractor extract = Bind("boxed");
  std::mt19937 random(3);
  for (const TableRow& row : ReadTable("extract_boxed.txt")) {
    const Extraction alone = extract(row.fields[0], Problem());
    if (row.fields[0].find("box") == std::string::npos) continue;
    for (int round = 0; round < 20; ++round) {
      std::string before;
      for (size_t parts = random() % 12; parts > 0; --parts) {
        constexpr std::array<std::string_view, 6> kParts = {"{", "}", "\\", "\\{", "x", "\n"};
        before += kParts[random() % kParts.size()];
      }
      before += '\n';
      const Extraction after = extract(before + row.fields[0], Problem());
      EXPECT_EQ(after.answer, alone.answer) << before << row.fields[0];
      EXPECT_EQ(after.rule, alone.rule) << before << row.fields[0];
      if (alone.answer) {
        EXPECT_EQ(after.begin, alone.begin + before.size());
      }
    }
  }
}

TEST(Extract, NumbersAreReadAsTheTableSays) {
  const BoundExtractor extract = Bind("number");
  for (const TableRow& row : ReadTable("extract_number.txt")) {
    ASSERT_EQ(row.fields.size(), 4u) << "line " << row.line;
    const Extraction found = extract(row.fields[0], Problem());
    EXPECT_EQ(Shown(found.lenient), row.fields[1]) << "line " << row.line << ": " << row.fields[0];
    EXPECT_EQ(Shown(found.strict), row.fields[2])
        << "line " << row.line << ": strict: " << row.fields[0];
    EXPECT_EQ(found.rule, row.fields[3]) << "line " << row.line << ": " << row.fields[0];
    ExpectSound(row.fields[0], found);
  }
}

Json Language(std::string_view language) {
  Json options = Json::MakeObject();
  if (language != "-") options.Set("language", language);
  return options;
}

TEST(Extract, CodeIsReadAsTheTableSays) {
  for (const TableRow& row : ReadTable("extract_code.txt")) {
    ASSERT_EQ(row.fields.size(), 4u) << "line " << row.line;
    const std::string text = ReplaceAll(row.fields[0], "␍", "\r");
    const Extraction found = Bind("code_block", Language(row.fields[1]))(text, Problem());
    const std::string code =
        found.lenient && found.lenient->empty() ? "(empty)" : Shown(found.lenient);
    EXPECT_EQ(code, row.fields[2]) << "line " << row.line << ": " << row.fields[0];
    EXPECT_EQ(found.rule, row.fields[3]) << "line " << row.line << ": " << row.fields[0];
    ExpectSound(text, found);
  }
}

TEST(Extract, TheGivenCodeEndingsAreAllReached) {
  SKIP_WITHOUT_SHARED("vectors/code_extract_cases.json");
  const BoundExtractor extract = Bind("code_block", Language("python"));
  const Json cases = ReadJsonFile(SharedPath("vectors/code_extract_cases.json"));
  ASSERT_EQ(cases.Find("cases")->size(), 8u);
  for (const Json& row : cases.Find("cases")->AsArray()) {
    const std::string text = *row.FindString("text");
    EXPECT_EQ(extract(text, Problem()).answer, row.FindString("careful")) << text;
  }
}

// Only the closed block in the language asked for is in the form asked for.
TEST(Extract, CodeInStrictModeMustBeTaggedAndClosed) {
  Json options = Language("python");
  options.Set("mode", "strict");
  const BoundExtractor extract = Bind("code_block", options);
  EXPECT_EQ(extract("```python\nA\n```", Problem()).answer, "A");
  EXPECT_EQ(extract("```\nA\n```", Problem()).answer, std::nullopt);
  EXPECT_EQ(extract("```python\nA", Problem()).answer, std::nullopt);
  EXPECT_EQ(extract("```python\nA", Problem()).lenient, "A");
}

TEST(Extract, LastLineStrictIsTheLineAndLenientIsBare) {
  const BoundExtractor extract = Bind("last_line");
  const auto read = [&](std::string_view text) { return extract(text, Problem()); };
  EXPECT_EQ(read("a\n\n  b c \n\n").answer, "b c");
  EXPECT_EQ(read("a\r\nb\r\n").answer, "b");
  EXPECT_EQ(read("x\n**Answer:** east").strict, "**Answer:** east");
  EXPECT_EQ(read("x\n**Answer:** east").lenient, "east");
  EXPECT_EQ(read("The final answer is east").lenient, "east");
  EXPECT_EQ(read("**east**").lenient, "east");
  EXPECT_EQ(read("answering machines").lenient, "answering machines");
  EXPECT_EQ(read("").answer, std::nullopt);
  EXPECT_EQ(read(" \n\t\n").answer, std::nullopt);
  const Extraction found = read("ab\n  cd ");
  EXPECT_EQ(found.begin, 5u);
  EXPECT_EQ(found.end, 7u);
}

Json RegexOptions(std::string_view pattern, std::optional<int> group = std::nullopt,
                  std::string_view which = "last") {
  Json options = Json::MakeObject({{"pattern", pattern}, {"which", which}});
  if (group) options.Set("group", *group);
  return options;
}

TEST(Extract, RegexTakesTheGroupOfTheFirstOrTheLastMatch) {
  const std::string_view text = "x=1, y=22, z=";
  EXPECT_EQ(Bind("regex", RegexOptions("[a-z]=(\\d+)"))(text, Problem()).answer, "22");
  EXPECT_EQ(
      Bind("regex", RegexOptions("[a-z]=(\\d+)", std::nullopt, "first"))(text, Problem()).answer,
      "1");
  EXPECT_EQ(Bind("regex", RegexOptions("[a-z]=(\\d+)", 0))(text, Problem()).answer, "y=22");
  EXPECT_EQ(Bind("regex", RegexOptions("\\d+"))(text, Problem()).answer, "22");
  EXPECT_EQ(Bind("regex", RegexOptions("(\\d)|(q)", 2))(text, Problem()).answer, std::nullopt);
  EXPECT_EQ(Bind("regex", RegexOptions("q"))(text, Problem()).answer, std::nullopt);
  EXPECT_EQ(Bind("regex", RegexOptions("^"))("", Problem()).answer, "");
  const Extraction found = Bind("regex", RegexOptions("y=(\\d+)"))(text, Problem());
  EXPECT_EQ(text.substr(found.begin, found.end - found.begin), "22");
  EXPECT_EQ(found.rule, "regex");
}

TEST(Extract, OptionsAreCheckedAndNamed) {
  using testing::HasSubstr;
  EXPECT_THAT(BindError("boxed", Json::MakeObject({{"mod", "strict"}})),
              HasSubstr("unknown option 'mod'; did you mean 'mode'?"));
  EXPECT_THAT(BindError("boxed", Json::MakeObject({{"mode", "strikt"}})),
              HasSubstr("expected one of lenient, strict, found 'strikt'; did you mean 'strict'?"));
  EXPECT_THAT(BindError("boxed", Json::MakeObject({{"mode", 1}})),
              HasSubstr("'mode': expected a string, found integer"));
  EXPECT_THAT(BindError("boxed", Json("strict")), HasSubstr("expected an object, found string"));
  EXPECT_THAT(BindError("letter", Json::MakeObject({{"letters", 27}})),
              HasSubstr("expected 2 to 26, found 27"));
  EXPECT_THAT(BindError("regex", Json()), HasSubstr("'pattern': missing"));
  EXPECT_THAT(BindError("regex", RegexOptions("(")), HasSubstr("'pattern': '('"));
  EXPECT_THAT(BindError("regex", RegexOptions("a", 1)), HasSubstr("expected 0 to 0"));
  EXPECT_THAT(std::string(FindExtractor("boxd").status().message()),
              HasSubstr("did you mean 'boxed'?"));
}

TEST(Extract, StrictModeGradesOnlyTheFormAskedFor) {
  const Json strict = Json::MakeObject({{"mode", "strict"}});
  const Extraction boxed = Bind("boxed", strict)("The answer is 42.", Problem());
  EXPECT_EQ(boxed.answer, std::nullopt);
  EXPECT_EQ(boxed.lenient, "42");
  EXPECT_EQ(boxed.rule, "");
  const Extraction letter = Bind("letter", strict)("The answer is B.", WithChoices("4"));
  EXPECT_EQ(letter.answer, std::nullopt);
  EXPECT_EQ(letter.lenient, "B");
  EXPECT_EQ(
      Bind("letter", Json::MakeObject({{"letters", 5}}))("Answer: E", WithChoices("4")).answer,
      "E");
}

#if defined(ASSAY_SANITIZE_ADDRESS) || defined(ASSAY_SANITIZE_THREAD)
constexpr size_t kLargeBytes = 4u << 20;  // instrumented code is slow
#else
constexpr size_t kLargeBytes = 64u << 20;
#endif

// Each extractor on the pieces that its rules look for, repeated: time must grow as the text does.
TEST(Extract, SixtyFourMegabytesAreReadInLinearTime) {
  const std::vector<std::string> pieces = {
      "\\boxed{",        "Answer: A or ",  "```python\n", "{",   "}",    "1,000,",
      "the answer is ",  "\n\n",           "\xFF\xFE",    "选B", "(A) ", "#### ",
      "``` x\n\"\"\"\n", "B is correct. ", "wait, "};
  std::mt19937 random(7);
  std::string text;
  while (text.size() < kLargeBytes) {
    const std::string& piece = pieces[random() % pieces.size()];
    for (size_t i = random() % 1000; i > 0; --i) text += piece;
  }
  std::vector<BoundExtractor> extractors;
  for (const std::string name : {"boxed", "letter", "number", "code_block", "last_line"})
    extractors.push_back(Bind(name));
  extractors.push_back(Bind("regex", RegexOptions("answer is (\\w+)")));
  for (const BoundExtractor& extract : extractors)
    ExpectSound(text, extract(text, WithChoices("4")));
  for (const std::string& piece : pieces) {
    std::string repeated;
    while (repeated.size() < kLargeBytes / 64) repeated += piece;
    for (const BoundExtractor& extract : extractors)
      ExpectSound(repeated, extract(repeated, WithChoices("4")));
  }
}

TEST(Extract, RandomTextsAreReadSoundly) {
  const std::vector<std::string> pieces = {
      "\\boxed", "{",   "}",      "Answer", ":",     " ",   "A",   "B",  "or",
      "\n",      "```", "python", "~~~",    "$",     "\\(", "\\)", "is", "\xEF\xBC\xA2",
      "\xE2",    "(",   ")",      "**",     "####",  "12",  ",",   ".",  "-",
      "/",       "%",   "not",    "答案",   "\"\"\""};
  std::vector<BoundExtractor> extractors;
  for (const std::string name : {"boxed", "letter", "number", "code_block", "last_line"})
    extractors.push_back(Bind(name));
  std::mt19937 random(11);
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (size_t i = random() % 24; i > 0; --i) text += pieces[random() % pieces.size()];
    for (const BoundExtractor& extract : extractors)
      ExpectSound(text, extract(text, WithChoices("4")));
  }
}

}  // namespace
}  // namespace assay
