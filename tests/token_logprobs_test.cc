// Log-probabilities of tokens: packed and unpacked, read in both of OpenAI's forms, written in one.
#include "harness/token_logprobs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "absl/strings/str_format.h"
#include "harness/status.h"
#include "harness/text.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::HasSubstr;

std::string Pack(const std::vector<LoggedToken>& tokens) {
  std::string packed;
  for (const LoggedToken& token : tokens) AppendLoggedToken(token, &packed);
  return packed;
}

absl::StatusOr<std::vector<LoggedToken>> Unpack(std::string_view packed) {
  std::vector<LoggedToken> tokens;
  RETURN_IF_ERROR(ForEachLoggedToken(packed, [&](const LoggedToken& token) {
    tokens.push_back(token);
    return absl::OkStatus();
  }));
  return tokens;
}

void ExpectEqual(const std::vector<LoggedToken>& a, const std::vector<LoggedToken>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].drawn.text, b[i].drawn.text);
    EXPECT_EQ(a[i].drawn.logprob, b[i].drawn.logprob);
    ASSERT_EQ(a[i].top.size(), b[i].top.size());
    for (size_t t = 0; t < a[i].top.size(); ++t) {
      EXPECT_EQ(a[i].top[t].text, b[i].top[t].text);
      EXPECT_EQ(a[i].top[t].logprob, b[i].top[t].logprob);
    }
  }
}

std::vector<LoggedToken> Tokens() {
  std::vector<LoggedToken> tokens = {{{"The", -0.25F}, {{"The", -0.25F}, {"A", -1.625F}}},
                                     {{"", -1e-7F}, {}},
                                     {{"\xE2\x82", -3.5F}, {{"\xE2\x82", -3.5F}, {"\"\n", -4}}},
                                     {{"\xAC", 0}, {}},
                                     {{std::string(300, 'x') + '\0', -12.1F}, {}}};
  for (int i = 0; i < kMostTopLogprobs; ++i) {
    tokens[4].top.push_back({std::to_string(i), -1.0F / static_cast<float>(3 + i)});
  }
  return tokens;
}

TEST(TokenLogprobs, PackedComesBackAndAPartOfItIsAnErrorOrFewerTokens) {
  const std::vector<LoggedToken> tokens = Tokens();
  const std::string packed = Pack(tokens);
  ASSERT_OK_AND_ASSIGN(const std::vector<LoggedToken> back, Unpack(packed));
  ExpectEqual(back, tokens);
  std::vector<size_t> borders;
  for (size_t count = 0; count <= tokens.size(); ++count) {
    borders.push_back(
        Pack({tokens.begin(), tokens.begin() + static_cast<ptrdiff_t>(count)}).size());
  }
  for (size_t size = 0; size < packed.size(); ++size) {
    const auto part = Unpack(packed.substr(0, size));
    const bool whole = std::find(borders.begin(), borders.end(), size) != borders.end();
    EXPECT_EQ(part.ok(), whole) << size;
    EXPECT_EQ(part.status().code(), whole ? absl::StatusCode::kOk : absl::StatusCode::kDataLoss);
  }
  // Counts beyond what is there are not believed.
  EXPECT_FALSE(Unpack(std::string("\x01") + "a" + std::string(4, '\0') + "\xFF\xFF\xFF\x7F").ok());
  EXPECT_FALSE(Unpack(std::string(12, '\xFF')).ok());
}

TEST(TokenLogprobs, JsonComesBackEqual) {
  const std::vector<LoggedToken> tokens = Tokens();
  ASSERT_OK_AND_ASSIGN(const Json json, LogprobsToJson(Pack(tokens)));
  // Through text, as a file holds it.
  ASSERT_OK_AND_ASSIGN(const Json read, ParseJson(json.Dump()));
  std::string packed;
  ASSERT_OK_AND_ASSIGN(const bool found, ReadLogprobs(read, &packed));
  EXPECT_TRUE(found);
  ASSERT_OK_AND_ASSIGN(const std::vector<LoggedToken> back, Unpack(packed));
  ExpectEqual(back, tokens);
  const Json& first = json.Find("content")->AsArray()[0];
  EXPECT_EQ(first.Dump(), R"({"token":"The","logprob":-0.25,"top_logprobs":[)"
                          R"({"token":"The","logprob":-0.25},{"token":"A","logprob":-1.625}]})");
  EXPECT_EQ(json.Find("content")->AsArray()[2].Find("bytes")->Dump(), "[226,130]");
  // No infinity reaches JSON.
  ASSERT_OK_AND_ASSIGN(
      const Json least,
      LogprobsToJson(Pack({{{"a", -std::numeric_limits<float>::infinity()}, {}}})));
  EXPECT_OK(ParseJson(least.Dump()));
  ASSERT_OK_AND_ASSIGN(
      const Json none,
      LogprobsToJson(Pack({{{"a", std::numeric_limits<float>::quiet_NaN()}, {}}})));
  EXPECT_OK(ParseJson(none.Dump()));
}

struct Read {
  bool found = false;
  std::string error;
  std::string text;  // "token logprob [top logprob, ...]; ..."
};

Read ReadText(std::string_view json) {
  Read read;
  std::string packed;
  JsonScanner scanner(json);
  const absl::StatusOr<bool> found = ReadLogprobs(&scanner, &packed);
  if (!found.ok()) read.error = std::string(found.status().message());
  if (const absl::Status end = scanner.Finish(); found.ok() && !end.ok())
    read.error = std::string(end.message());
  read.found = found.ok() && *found;
  const auto tokens = Unpack(packed);
  EXPECT_OK(tokens);
  for (const LoggedToken& token : *tokens) {
    read.text += absl::StrFormat("%s %g", token.drawn.text, token.drawn.logprob);
    for (const TokenChance& top : token.top) {
      read.text += absl::StrFormat(", %s %g", top.text, top.logprob);
    }
    read.text += "; ";
  }
  return read;
}

TEST(TokenLogprobs, ReadsEachFormThatServersUse) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"content": [{"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}]})",
       "a -0.5; "},
      {R"({"content": [{"logprob": -1e0, "top_logprobs": [{"token": "b", "logprob": -0.25},
        {"token": "c", "logprob": -9999.0, "bytes": null}], "token": "b", "id": 7}], "refusal": null})",
       "b -1, b -0.25, c -9999; "},
      {R"({"content": []})", ""},
      // The bytes are the token where its text cannot be.
      {R"({"content": [{"token": "?", "logprob": 0, "bytes": [104, 105]}]})", "hi 0; "},
      {R"({"content": [{"token": "x", "logprob": 0, "bytes": [104, 256]}]})", "x 0; "},
      {R"({"content": [{"token": "x", "logprob": 0, "bytes": "hi"}]})", "x 0; "},
      {R"({"content": [{"token": "x", "logprob": -3.4028234663852886e+38}]})", "x -3.40282e+38; "},
      {R"({"content": [{"token": "x", "logprob": -1e999}]})", "x -3.40282e+38; "},
      {R"({"content": [{"token": "x", "logprob": -1e-999, "top_logprobs": null}]})", "x -0; "},
      {R"({"content": null, "refusal": [{"token": "No", "logprob": -2}]})", "No -2; "},
      {R"({"content": [{"token": "b", "logprob": -1}], "reasoning_content": [{"token": "a", "logprob": -2}]})",
       "a -2; b -1; "},
      {R"({"tokens": ["a", "b"], "token_logprobs": [-1, -2], "top_logprobs": [{"a": -1, "c": -3}, null], "text_offset": [0, 1]})",
       "a -1, a -1, c -3; b -2; "},
      {R"({"text_offset": [], "token_logprobs": [-1], "tokens": ["a"], "top_logprobs": null})",
       "a -1; "},
  };
  for (const auto& [json, wanted] : cases) {
    const Read read = ReadText(json);
    EXPECT_TRUE(read.found) << json << read.error;
    EXPECT_EQ(read.text, wanted) << json;
  }
  for (const char* nothing : {"null", "{}", R"({"content": null, "refusal": null})"}) {
    const Read read = ReadText(nothing);
    EXPECT_FALSE(read.found) << nothing;
    EXPECT_EQ(read.error, "") << nothing;
  }
}

TEST(TokenLogprobs, RefusesWrongShapesByFieldFoundAndWanted) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"[1]", "field 'logprobs': expected an object, found [1]"},
      {"true", "field 'logprobs': expected an object, found true"},
      {R"({"content": {}})", "field 'logprobs.content': expected a list, found {}"},
      {R"({"content": "abc"})", "field 'logprobs.content': expected a list, found \"abc\""},
      {R"({"content": [7]})", "field 'logprobs.content[0].': expected an object, found 7"},
      {R"({"content": [{"token": "a", "logprob": -1}, {"token": "b"}]})",
       "field 'logprobs.content[1].logprob': expected a number, found nothing"},
      {R"({"content": [{"logprob": -1}]})",
       "field 'logprobs.content[0].token': expected a string, found nothing"},
      {R"({"content": [{"token": 5, "logprob": -1}]})",
       "field 'logprobs.content[0].token': expected a string, found 5"},
      {R"({"content": [{"token": "a", "logprob": null}]})",
       "field 'logprobs.content[0].logprob': expected a number, found null"},
      {R"({"content": [{"token": "a", "logprob": "-1"}]})",
       "field 'logprobs.content[0].logprob': expected a number, found \"-1\""},
      {R"({"content": [{"token": "a", "logprob": -1, "top_logprobs": [{"token": "a"}]}]})",
       "field 'logprobs.content[0].top_logprobs[].logprob': expected a number, found nothing"},
      {R"({"tokens": ["a", "b"], "token_logprobs": [-1]})",
       "field 'logprobs.token_logprobs': expected as many numbers as tokens, found [-1]"},
      {R"({"tokens": ["a"]})", "expected as many numbers as tokens, found nothing"},
      {R"({"tokens": ["a"], "token_logprobs": [null]})",
       "field 'logprobs.token_logprobs[0]': expected a number, found null"},
      {R"({"tokens": ["a"], "token_logprobs": [-1], "top_logprobs": []})",
       "field 'logprobs.top_logprobs': expected as many objects as tokens, found 0"},
      {R"({"tokens": ["a"], "token_logprobs": [-1], "top_logprobs": [{"a": null}]})",
       "field 'logprobs.top_logprobs[0]': expected numbers, found null"},
      {R"({"tokens": "a", "token_logprobs": [-1]})", "expected as many numbers as tokens"},
  };
  for (const auto& [json, wanted] : cases) {
    const Read read = ReadText(json);
    EXPECT_FALSE(read.found) << json;
    EXPECT_THAT(read.error, HasSubstr(wanted)) << json;
  }
  // What is no JSON is the scanner's to tell, and never a token.
  const std::string good = R"({"content": [{"token": "a", "logprob": -0.5}], "refusal": null})";
  for (size_t size = 1; size < good.size(); ++size) {
    const Read read = ReadText(good.substr(0, size));
    EXPECT_NE(read.error, "") << good.substr(0, size);
    EXPECT_EQ(read.text, "") << good.substr(0, size);
  }
}

TEST(TokenLogprobs, TheScannerReadsNumbers) {
  for (const auto& [text, wanted] : std::vector<std::pair<std::string, double>>{
           {"0", 0}, {"-0.5", -0.5}, {"12e-1", 1.2}, {" 7 ", 7}, {"-1E2", -100}}) {
    JsonScanner scanner(text);
    double value = 9;
    EXPECT_TRUE(scanner.ReadNumber(&value)) << text;
    EXPECT_EQ(value, wanted) << text;
    EXPECT_OK(scanner.Finish()) << text;
  }
  for (const char* text : {"\"1\"", "null", "[1]", "-", "01x", "1.", "+1", ""}) {
    JsonScanner scanner(text);
    double value = 9;
    const bool read = scanner.ReadNumber(&value);
    EXPECT_FALSE(read && scanner.Finish().ok()) << text;
  }
}

}  // namespace
}  // namespace assay
