// Where thinking ends and the answer begins: the table, the given cases, and properties on random
// texts.
#include "harness/reasoning.h"

#include <random>

#include "harness/text.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing_support::ReadJsonFile;
using testing_support::ReadTable;
using testing_support::SharedPath;
using testing_support::TableRow;

std::string StateOf(const SplitReply& split) {
  if (split.unclosed) return "unclosed";
  if (split.empty) return "empty";
  return split.reasoning.empty() ? "none" : "closed";
}

TEST(Reasoning, TheTableHolds) {
  const std::vector<TableRow> rows = ReadTable("reasoning.txt");
  ASSERT_GT(rows.size(), 30u);
  for (const TableRow& row : rows) {
    ASSERT_EQ(row.fields.size(), 6u) << "line " << row.line;
    std::optional<std::string_view> field;
    if (row.fields[1] != "-") field = row.fields[1];
    const SplitReply split = SplitReasoning(row.fields[0], field, row.fields[2] == "yes");
    EXPECT_EQ(split.reasoning, row.fields[3]) << "line " << row.line;
    EXPECT_EQ(split.answer, row.fields[4]) << "line " << row.line;
    EXPECT_EQ(StateOf(split), row.fields[5]) << "line " << row.line;
  }
}

// The oracle keeps the tags in its reasoning; ours drops the block's own two. Put back, the pieces
// make the text again, so nothing is lost and nothing moves.
TEST(Reasoning, TheGivenCasesSplitInTheSamePlace) {
  SKIP_WITHOUT_SHARED("vectors/cot_budget_cases.json");
  const Json cases = ReadJsonFile(SharedPath("vectors/cot_budget_cases.json"));
  ASSERT_NE(cases.Find("think_split"), nullptr);
  ASSERT_EQ(cases.Find("think_split")->size(), 9u);
  for (const Json& row : cases.Find("think_split")->AsArray()) {
    const std::string text = *row.FindString("text"), label = *row.FindString("label");
    const SplitReply split = SplitReasoning(text, std::nullopt, false);
    EXPECT_EQ(split.answer, *row.FindString("answer")) << label;
    const std::string theirs = *row.FindString("reasoning");
    const size_t opening = theirs.find("<think>"), closing = theirs.rfind("</think>");
    std::string ours = theirs;
    if (closing != std::string::npos) ours.erase(closing);
    if (opening != std::string::npos) ours.erase(opening, std::string_view("<think>").size());
    EXPECT_EQ(split.reasoning, ours) << label;
    EXPECT_EQ(split.unclosed, label == "unclosed") << label;
    EXPECT_EQ(split.empty, label == "empty think") << label;
  }
}

// Whatever is written, nothing is invented, and what is called unclosed holds no answer.
TEST(Reasoning, RandomRepliesLoseNothing) {
  const std::vector<std::string> pieces = {"<think>", "</think>", "[THINK]", "\"",       "`",
                                           " ",       "42",       "\n",      "<",        "\xE2",
                                           "▷",       "◁think▷",  "```\n",   "[/THINK]", ". "};
  std::mt19937 random(20260101);
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    const size_t length = random() % 12;
    for (size_t i = 0; i < length; ++i) text += pieces[random() % pieces.size()];
    const SplitReply split = SplitReasoning(text, std::nullopt, random() % 2 == 0);
    EXPECT_TRUE(text.ends_with(split.answer)) << text;
    EXPECT_LE(split.reasoning.size() + split.answer.size(), text.size()) << text;
    EXPECT_TRUE(!split.unclosed || split.answer.empty()) << text;
    EXPECT_FALSE(split.unclosed && split.empty) << text;
    EXPECT_FALSE(SplitReasoning(split.answer, std::nullopt, false).unclosed) << text;
  }
}

#if defined(ASSAY_SANITIZE_ADDRESS) || defined(ASSAY_SANITIZE_THREAD)
constexpr size_t kLargeBytes = 4u << 20;  // instrumented code is slow
#else
constexpr size_t kLargeBytes = 64u << 20;
#endif

TEST(Reasoning, SixtyFourMegabytesOfTagsAreReadOnce) {
  std::string text;
  text.reserve(kLargeBytes + 64);
  while (text.size() < kLargeBytes) text += "<think>\"</think>\" \xFF<[◁";
  const SplitReply split = SplitReasoning(text, std::nullopt, false);
  EXPECT_TRUE(split.unclosed);
  EXPECT_EQ(split.reasoning.size(), text.size() - std::string_view("<think>").size());
}

TEST(Reasoning, SixtyFourMegabytesOfMentionsAreReadTwiceAtMost) {
  std::string text;
  text.reserve(kLargeBytes + 64);
  while (text.size() < kLargeBytes) text += "you wrote <think>. \n```\n<think>\n```\n    ";
  const SplitReply split = SplitReasoning(text, std::nullopt, false);
  EXPECT_FALSE(split.unclosed);
  EXPECT_EQ(split.answer.size(), text.size());
}

TEST(Reasoning, ALongBlockThatBeginsWithATagIsThinking) {
  const std::string text = "```\n<think>\n" + std::string(2000, 'x') + "\n```\n4";
  EXPECT_TRUE(SplitReasoning(text, std::nullopt, false).unclosed);
}

}  // namespace
}  // namespace assay
