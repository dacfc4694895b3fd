// Text helpers: right and wrong UTF-8, nearest names, numbers, and what a terminal may be shown.
#include "harness/text.h"

#include <random>

#include "harness/byte_search.h"
#include "tests/testing.h"

namespace assay {
namespace {

TEST(Text, SplitsKeepEmptyPieces) {
  EXPECT_THAT(Split("a,,b", ','), testing::ElementsAre("a", "", "b"));
  EXPECT_THAT(Split("", ','), testing::ElementsAre(""));
  EXPECT_THAT(SplitLines("a\r\nb\n\nc\n"), testing::ElementsAre("a", "b", "", "c"));
}

TEST(Text, TrimsOnlyBlanks) {
  EXPECT_EQ(Trim(" \t x y \n"), "x y");
  EXPECT_EQ(Trim(" \n "), "");
}

TEST(Text, NumbersMustBeWhole) {
  EXPECT_EQ(ParseInt("-12"), -12);
  EXPECT_EQ(ParseInt("12 "), std::nullopt);
  EXPECT_EQ(ParseInt("99999999999999999999"), std::nullopt);
  EXPECT_EQ(ParseInt(""), std::nullopt);
  EXPECT_EQ(ParseDouble("1e3"), 1000.0);
  EXPECT_EQ(ParseDouble("1e3x"), std::nullopt);
}

TEST(Text, FindsTheFirstOfSomeBytesAsTheStandardDoes) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string text(random() % 300, 'a');
    for (int hits = static_cast<int>(random() % 4); hits > 0 && !text.empty(); --hits) {
      text[random() % text.size()] = "xyz\xE2"[random() % 4];
    }
    for (const std::string_view bytes : {"x", "xy", "xyz", "xyz\xE2"}) {
      const size_t from = random() % 310;
      EXPECT_EQ(FindAnyOf(text, bytes, from), std::string_view(text).find_first_of(bytes, from));
    }
  }
}

TEST(Text, FindsAWordAsTheStandardDoes) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string text(random() % 300, 'a');
    for (char& c : text) c = "abox"[random() % 4];
    if (round % 2 == 0 && !text.empty()) text[random() % text.size()] = '\0';
    for (const std::string_view word : {"b", "bo", "box", "boxb", "abab", "xxxxx"}) {
      const size_t from = random() % 310;
      EXPECT_EQ(FindWord(text, word, from), std::string_view(text).find(word, from));
    }
  }
}

TEST(Text, FindsIllFormedUtf8) {
  EXPECT_EQ(FirstInvalidUtf8("aé漢😀"), std::nullopt);
  EXPECT_EQ(FirstInvalidUtf8("ab\xC0\x80"), 2u);        // overlong
  EXPECT_EQ(FirstInvalidUtf8("\xED\xA0\x80"), 0u);      // surrogate
  EXPECT_EQ(FirstInvalidUtf8("\xF4\x90\x80\x80"), 0u);  // above U+10FFFF
  EXPECT_EQ(FirstInvalidUtf8("x\xE2\x82"), 1u);         // cut short
  EXPECT_EQ(ToValidUtf8("x\xE2\x82y\xFFz"), "x\xEF\xBF\xBDy\xEF\xBF\xBDz");
}

TEST(Text, SuggestsOnlyNearNames) {
  const std::vector<std::string> names = {"math_500", "aime_2024", "gsm8k"};
  EXPECT_EQ(NearestName("math500", names), "math_500");
  EXPECT_EQ(NearestName("aime_2042", names), "aime_2024");
  EXPECT_EQ(NearestName("humaneval", names), std::nullopt);
  EXPECT_EQ(NearestName("nope", std::vector<std::string>{"code", "math"}), std::nullopt);
  EXPECT_EQ(NearestName("mth", std::vector<std::string>{"code", "math"}), "math");
  EXPECT_EQ(EditDistance("abcd", "acbd"), 1);
  const std::vector<std::string> flags = {"--help", "--temperature", "--top-p", "--max-tokens"};
  EXPECT_EQ(NearestName("--temp", flags), "--temperature");
  EXPECT_EQ(NearestName("--max", flags), "--max-tokens");
  EXPECT_EQ(NearestName("--hlep", flags), "--help");
  EXPECT_EQ(NearestName("--te", flags), std::nullopt);
  EXPECT_EQ(NearestName("--xemp", flags), "--help") << "no beginning of another";
  const std::vector<std::string> extractors = {"boxed", "letter", "number", "last_line"};
  EXPECT_EQ(NearestName("letr", extractors), "letter");
  EXPECT_EQ(NearestName("LETR", extractors), "letter");
  EXPECT_EQ(NearestName("lenr", extractors), std::nullopt);
  EXPECT_EQ(NearestName("line", extractors), std::nullopt);
}

TEST(Text, ATerminalIsShownNoControls) {
  EXPECT_EQ(Printable("a\x1b[31mb\nc\td\x7f"), "a\\x1b[31mb\\nc\\td\\x7f");
  EXPECT_EQ(Printable("é\xE2\x80\xAEx"), "é\\xe2\\x80\\xaex");
  EXPECT_EQ(Printable("\xC2\x9B"
                      "1m"),
            "\\xc2\\x9b1m");
}

TEST(Text, CutsOnCodePoints) {
  EXPECT_EQ(Shorten("ééé", 3), "é...");
  EXPECT_EQ(WithThousands(-1234567), "-1,234,567");
  EXPECT_EQ(WithThousands(999), "999");
}

}  // namespace
}  // namespace assay
