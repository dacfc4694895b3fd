// Json: what goes in comes out, and errors say where.
#include "harness/json.h"

#include "tests/testing.h"

namespace assay {
namespace {

TEST(Json, KeepsNumbersAsWritten) {
  const std::string text =
      R"({"a":0.10,"b":123456789012345678901234567890,"c":[1,-2,1e5],"d":"é\n"})";
  ASSERT_OK_AND_ASSIGN(const Json json, ParseJson(text));
  EXPECT_EQ(json.Find("a")->ToText(), "0.10");
  EXPECT_EQ(json.Find("b")->ToText(), "123456789012345678901234567890");
  EXPECT_EQ(json.Dump(), text);
}

// What only the package reads stands beside what the scanner reads: the same values and texts.
TEST(Json, NumbersAreTheSameWhoeverReadsThem) {
  for (const std::string_view text :
       {"0", "-0", "-1", "9223372036854775807", "9223372036854775808", "18446744073709551615",
        "18446744073709551616", "-9223372036854775808", "-9223372036854775809", "1.0", "1e5",
        "1E-5", "0.10", "-0.0", "1e-400", "4.9e-324", "1.7976931348623157e308"}) {
    ASSERT_OK_AND_ASSIGN(const Json alone, ParseJson(text));
    // A repeated name is left to the package.
    ASSERT_OK_AND_ASSIGN(const Json slow, ParseJson("{\"a\":0,\"a\":" + std::string(text) + "}"));
    const Json& other = *slow.Find("a");
    EXPECT_EQ(alone.kind(), other.kind()) << text;
    EXPECT_EQ(alone.AsNumber(), other.AsNumber()) << text;
    EXPECT_EQ(alone.ToText(), other.ToText()) << text;
  }
  for (const std::string_view text : {"1e999", "01", "1.", ".5", "+1", "-", "1e", "0x1", "NaN"}) {
    EXPECT_FALSE(ParseJson(text).ok()) << text;
  }
}

TEST(Json, LastOfRepeatedMembersWins) {
  ASSERT_OK_AND_ASSIGN(const Json json, ParseJson(R"({"a":1,"b":2,"a":3})"));
  EXPECT_EQ(json.Dump(), R"({"a":3,"b":2})");
}

TEST(Json, ErrorsSayWhere) {
  EXPECT_THAT(std::string(ParseJson("{\n  \"a\": tru\n}").status().message()),
              testing::HasSubstr("line 2"));
  EXPECT_THAT(std::string(ParseJson("\"\xff\"").status().message()), testing::HasSubstr("UTF-8"));
  EXPECT_FALSE(ParseJson("").ok());
  EXPECT_FALSE(ParseJson("{} x").ok());
  using namespace std::string_view_literals;
  EXPECT_FALSE(ParseJson("{}\0"sv).ok());
  EXPECT_THAT(std::string(ParseJson("\"a\"\0:["sv).status().message()),
              testing::HasSubstr("zero byte"));
}

TEST(Json, NestingIsLimited) {
  EXPECT_OK(ParseJson(std::string(150, '[') + std::string(150, ']')));
  EXPECT_THAT(std::string(ParseJson(std::string(100000, '[')).status().message()),
              testing::HasSubstr("nested deeper"));
}

TEST(Json, InvalidUtf8IsReplacedWhenWritten) {
  EXPECT_EQ(Json("a\xff"
                 "b")
                .Dump(),
            "\"a\xEF\xBF\xBD"
            "b\"");
}

}  // namespace
TEST(JsonTest, EveryCharacterSurvivesBeingWrittenAsAString) {
  std::string text = "quotes \" and \\ and / stay";
  for (int c = 0; c < 128; ++c) text += static_cast<char>(c);
  text += "é 数 😀";
  std::string written;
  AppendJsonString(text, &written);
  EXPECT_EQ(written, Json(text).Dump());
  ASSERT_OK_AND_ASSIGN(const Json read, ParseJson(written));
  EXPECT_EQ(read.AsString(), text);
  EXPECT_NE(written.find("\\n\\u000b\\f\\r"), std::string::npos) << written;
  written.clear();
  AppendJsonString("bad \xFF", &written);
  EXPECT_EQ(written, "\"bad \xEF\xBF\xBD\"");
}

}  // namespace assay
