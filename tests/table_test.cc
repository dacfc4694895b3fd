// Tables: aligned whatever the script, safe whatever the cell, and the same facts in Markdown.
#include "reports/table.h"

#include "reports/terminal.h"
#include "tests/testing.h"

namespace assay {
namespace {

Table Example() {
  Table table;
  table.columns = {{"task"}, {"n", true}};
  table.AddRow({"math_500", "8"});
  table.AddRow({"漢字é", "1,200"});
  return table;
}

TEST(Table, ColumnsLineUp) {
  EXPECT_EQ(RenderTable(Example(), TableForm::kTerminal),
            "task          n\n"
            "--------  -----\n"
            "math_500      8\n"
            "漢字é     1,200\n");
}

TEST(Table, MarkdownIsATable) {
  EXPECT_EQ(RenderTable(Example(), TableForm::kMarkdown),
            "| task     |     n |\n"
            "|----------|------:|\n"
            "| math_500 |     8 |\n"
            "| 漢字é    | 1,200 |\n");
}

TEST(Table, CellsCannotBreakOut) {
  Table table;
  table.columns = {{"a"}};
  table.AddRow({"x|y\nz\x1b[31m"});
  EXPECT_THAT(RenderTable(table, TableForm::kMarkdown), testing::HasSubstr("x\\|y\\nz\\x1b[31m"));
  EXPECT_THAT(RenderTable(table, TableForm::kTerminal), testing::HasSubstr("x|y\\nz\\x1b[31m"));
}

TEST(Table, NothingIsATitle) {
  Table table;
  table.columns = {{"a"}, {"b"}};
  EXPECT_EQ(RenderTable(table, TableForm::kTerminal), "a  b\n-  -\n");
}

TEST(Table, AShortRowIsABug) {
  Table table;
  table.columns = {{"a"}, {"b"}};
  EXPECT_DEATH(table.AddRow({"only one"}), "CHECK failed");
}

TEST(Terminal, WidthCountsColumns) {
  const struct {
    std::string_view text;
    int width;
  } cases[] = {{"", 0},     {"abc", 3},    {"é", 1},      {"e\xCC\x81", 1}, {"漢", 2},
               {"가나", 4}, {"\xFF", 1},   {"ℝ ± ½", 5},  {"😀", 2},         {"Ａ", 2},
               {"ｱ", 1},    {"\u200B", 0}, {"x\u20D7", 1}};
  for (const auto& c : cases) EXPECT_EQ(DisplayWidth(c.text), c.width) << c.text;
}

TEST(Terminal, CutsToColumnsAndSaysSo) {
  EXPECT_EQ(FitColumns("abcdef", 6), "abcdef");
  EXPECT_EQ(FitColumns("abcdefg", 6), "abc...");
  EXPECT_EQ(FitColumns("漢字漢字", 7), "漢字...");
  EXPECT_EQ(FitColumns("a\nb", 10), "a\\nb");
}

TEST(Terminal, LinesStayLinesAndControlsBecomeVisible) {
  EXPECT_EQ(SafeLines("a\tb\n\x1b]0;title\x07\r\nc"), "a    b\n\\x1b]0;title\\x07\nc\n");
  EXPECT_EQ(SafeLines(""), "");
}

TEST(Terminal, NoColoursInAFile) {
  EXPECT_EQ(Paint({.color = false}, Ink::kRed, "x"), "x");
  EXPECT_EQ(Paint({.color = true}, Ink::kRed, "x"), "\033[31mx\033[0m");
}

TEST(Numbers, DigitsFollowTheError) {
  // 13 of 20: sqrt(.65 * .35 / 19) = 0.10943; Wilson (1927): [0.43290, 0.81881].
  const Estimate few = ProportionEstimate(13, 20);
  EXPECT_EQ(FormatValue(few, Unit::kShare), "65.0 ± 10.9");
  EXPECT_EQ(FormatInterval(few, Unit::kShare), "[43.3, 81.9]");
  // 6500 of 10000: error 0.00477, so one more decimal.
  const Estimate many = ProportionEstimate(6500, 10000);
  EXPECT_EQ(FormatValue(many, Unit::kShare), "65.00 ± 0.48");
  EXPECT_EQ(FormatInterval(many, Unit::kShare), "[64.06, 65.93]");
}

TEST(Numbers, DifferencesCarryTheirSign) {
  std::vector<PairedDifference> differences(40, PairedDifference{0.0, -1});
  for (int i = 0; i < 4; ++i) differences[i].difference = 1;
  const Estimate gain = DifferenceEstimate(differences, 80);
  EXPECT_THAT(FormatValue(gain, Unit::kDifferenceOfShares), testing::StartsWith("+10.0 ± "));
  EXPECT_THAT(FormatInterval(gain, Unit::kDifferenceOfShares), testing::StartsWith("[+"));
  for (int i = 0; i < 4; ++i) differences[i].difference = i % 2 == 0 ? 1 : -1;
  const Estimate none = DifferenceEstimate(differences, 80);
  EXPECT_THAT(FormatValue(none, Unit::kDifferenceOfShares), testing::StartsWith("0.0 ± "));
}

TEST(Numbers, PValuesAndPercents) {
  EXPECT_EQ(FormatP(0.00004), "<0.0001");
  EXPECT_EQ(FormatP(0.00314), "0.0031");
  EXPECT_EQ(FormatP(0.5), "0.500");
  EXPECT_EQ(FormatPercent(0.125), "12.5");
  EXPECT_EQ(FormatPercent(0), "0.0");
}

}  // namespace
}  // namespace assay
