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
