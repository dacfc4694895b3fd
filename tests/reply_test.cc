// Reading replies: what is accepted, what is refused and with which words, whole and as streams.
#include "inference/http/reply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "harness/json_scanner.h"
#include "harness/text.h"
#include "tests/testing.h"

namespace assay::http {
namespace {

using testing::HasSubstr;

std::string ErrorOf(std::string_view body) {
  const absl::StatusOr<Reply> reply = ParseReply(body);
  return reply.ok() ? "accepted" : std::string(reply.status().message());
}

TEST(ParseReply, RefusesEachWrongReplyWithItsReason) {
  for (const auto& row : testing_support::ReadTable("reply_errors.txt")) {
    ASSERT_EQ(row.fields.size(), 2u) << "line " << row.line;
    EXPECT_THAT(ErrorOf(row.fields[0]), HasSubstr(row.fields[1])) << "line " << row.line;
  }
}

TEST(ParseReply, ReadsEachFormThatServersUse) {
  for (const auto& row : testing_support::ReadTable("reply_forms.txt")) {
    ASSERT_EQ(row.fields.size(), 4u) << "line " << row.line;
    const absl::StatusOr<Reply> reply = ParseReply(row.fields[0]);
    ASSERT_TRUE(reply.ok()) << "line " << row.line << ": " << reply.status();
    EXPECT_EQ(reply->choices[0].content, row.fields[1]) << "line " << row.line;
    EXPECT_EQ(reply->choices[0].reasoning.value_or("none"), row.fields[2]) << "line " << row.line;
    EXPECT_EQ(reply->choices[0].finish, row.fields[3]) << "line " << row.line;
  }
}

TEST(ParseReply, ReadsUsageModelAndEveryChoiceInOrder) {
  ASSERT_OK_AND_ASSIGN(const Reply reply, ParseReply(R"(
        {"model": "m-1", "choices": [
          {"index": 2, "message": {"content": "c"}, "finish_reason": "stop"},
          {"index": 0, "message": {"content": "a"}, "finish_reason": "length"},
          {"index": 1, "message": {"content": "b"}, "finish_reason": "stop"}],
         "usage": {"prompt_tokens": 5, "completion_tokens": 70, "prompt_tokens_details": null,
                   "completion_tokens_details": {"reasoning_tokens": 60}}})"));
  EXPECT_EQ(reply.model, "m-1");
  EXPECT_EQ(reply.usage.prompt, 5);
  EXPECT_EQ(reply.usage.completion, 70);
  EXPECT_EQ(reply.usage.reasoning, 60);
  ASSERT_EQ(reply.choices.size(), 3u);
  EXPECT_EQ(reply.choices[0].content + reply.choices[1].content + reply.choices[2].content, "abc");
}

TEST(ParseReply, BadBytesAndHalfSurrogatesAreReplacedAndSaid) {
  const auto with = [](std::string_view content) {
    return "{\"choices\":[{\"message\":{\"content\":\"" + std::string(content) + "\"}}]}";
  };
  ASSERT_OK_AND_ASSIGN(const Reply bad, ParseReply(with("a\xFF"
                                                        "b")));
  EXPECT_EQ(bad.choices[0].content,
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_TRUE(bad.repaired);
  ASSERT_OK_AND_ASSIGN(const Reply half, ParseReply(with(R"(a\ud83dx\ude00\ud83d\ude00)")));
  EXPECT_EQ(half.choices[0].content, "a\xEF\xBF\xBDx\xEF\xBF\xBD😀");
  EXPECT_TRUE(half.repaired);
  ASSERT_OK_AND_ASSIGN(const Reply good, ParseReply(with("a\xC3\xA9\\u00e9")));
  EXPECT_EQ(good.choices[0].content, "aéé");
  EXPECT_FALSE(good.repaired);
}

// Half a reply is never an answer, wherever it was cut.
TEST(ParseReply, RefusesEveryPrefixOfAReply) {
  const std::string whole =
      R"({"choices":[{"message":{"content":"12\n\u00e9"},"finish_reason":"stop"}],"usage":{"x":[1.5e3,true]}})";
  ASSERT_OK(ParseReply(whole));
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(ParseReply(whole.substr(0, size)).ok()) << whole.substr(0, size);
  }
  EXPECT_FALSE(ParseReply(whole + "x").ok());
  EXPECT_OK(ParseReply("\n\n \r\n" + whole + "\n"));  // some servers send blank lines while we wait
}

// The general reader judges: both accept the same texts and read the same strings.
TEST(JsonScanner, AgreesWithTheGeneralReader) {
  const std::string seed =
      R"({"a":[1,-2.5e+1,"x\n\"\\\/\u0041",true,false,null,{}],"b":{"c":"d"},"e":""})";
  std::mt19937 random(7);
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text = seed;
    const int edits = static_cast<int>(random() % 3);
    for (int i = 0; i < edits; ++i) {
      static constexpr std::string_view kBytes = "{}[]\",:\\0123e.-tn u\n\x01";
      const size_t at = random() % text.size();
      if (random() % 2 == 0) {
        text[at] = kBytes[random() % kBytes.size()];
      } else {
        text.erase(at, 1 + random() % 3);
      }
    }
    JsonScanner scanner(text);
    scanner.Skip();
    const bool fast = scanner.Finish().ok() && !scanner.repaired();
    EXPECT_EQ(fast, ParseJson(text).ok()) << text;
    accepted += fast ? 1 : 0;
  }
  EXPECT_GT(accepted, 1000);
  EXPECT_LT(accepted, 19000);
}

TEST(JsonScanner, ReadsLongStringsAsTheGeneralReaderDoes) {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (size_t i = random() % 200; i-- > 0;) {
      static constexpr std::string_view kPieces[] = {"plain words ", "\n", "\"",   "\\",  "\t", "é",
                                                     "数",           "😀",  "\x7F", "\x01"};
      text += kPieces[random() % std::size(kPieces)];
    }
    std::string written, read;
    AppendJsonString(text, &written);
    JsonScanner scanner(written);
    ASSERT_TRUE(scanner.ReadString(&read));
    EXPECT_EQ(read, text);
    EXPECT_OK(scanner.Finish());
  }
}

// As it is written, and as it is read: at every distance from a block's edge and from the end.
TEST(JsonScanner, ReadsEveryEscapeWhereverItStands) {
  struct Piece {
    std::string_view written, read;
    bool repaired = false;
  };
  static constexpr Piece kPieces[] = {{"\\n", "\n"},
                                      {"\\\"", "\""},
                                      {"\\\\", "\\"},
                                      {"\\/", "/"},
                                      {"\\b", "\b"},
                                      {"\\u00e9", "é"},
                                      {"é", "é"},
                                      {"\\uD83D\\uDe00", "😀"},
                                      {"\x7F", "\x7F"},
                                      {"\\ud800", "\uFFFD", true},
                                      {"\xFF", "\uFFFD", true},
                                      {"\\t\xFF", "\t\uFFFD", true},
                                      {"\xC3\\t", "\uFFFD\t", true},
                                      {"", ""}};
  std::mt19937 random(5);
  for (const Piece& piece : kPieces) {
    for (size_t before = 0; before < 140; ++before) {
      for (const size_t after : {size_t{0}, size_t{1}, size_t{random() % 160}}) {
        const std::string plain(before, 'a'), rest(after, 'z');
        const std::string written = "\"" + plain + std::string(piece.written) + rest + "\"";
        for (const std::string& tail : {std::string(), std::string(100, ' ')}) {
          const std::string text = written + tail;
          JsonScanner scanner(text);
          std::string read = "what stood there";
          ASSERT_TRUE(scanner.ReadString(&read)) << text;
          EXPECT_EQ(read, plain + std::string(piece.read) + rest) << text;
          EXPECT_EQ(scanner.repaired(), piece.repaired) << text;
          EXPECT_OK(scanner.Finish());
        }
        for (size_t cut = 1; cut < written.size(); ++cut) {
          JsonScanner scanner(std::string_view(written).substr(0, cut));
          std::string read;
          EXPECT_FALSE(scanner.ReadString(&read)) << written.substr(0, cut);
        }
        for (const std::string_view wrong : {"\n", "\x1F", "\\x", "\\u12", "\\u00g0"}) {
          const std::string text = "\"" + plain + std::string(piece.written) + std::string(wrong) +
                                   rest + "\"" + std::string(90, 'z');
          JsonScanner scanner(text);
          std::string read;
          EXPECT_FALSE(scanner.ReadString(&read)) << text;
        }
      }
    }
  }
}

TEST(JsonScanner, NestingIsLimited) {
  const std::string deep = std::string(100'000, '[');
  JsonScanner scanner(deep);
  EXPECT_FALSE(scanner.Skip());
  EXPECT_THAT(scanner.error().ToString(), HasSubstr("nesting"));
}

const char kStream[] =
    "data: "
    "{\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}"
    "}]}\n\n"
    ": keep-alive\n\n"
    "event: message\n"
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"be\"}}]}\r\n\r\n"
    "data: "
    "{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"y\"},\"finish_reason\":\"length\"}]}\n\n"
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"cause\"}}]}\n\n"
    "data:{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x "
    "\\u00e9\"},\"finish_reason\":null}]}\n\n"
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":9}}\n\n"
    "data: [DONE]\n\n";

TEST(EventReader, ReadsTheSameInPiecesOfAnySize) {
  const std::string stream = kStream;
  for (size_t step = 1; step <= stream.size(); ++step) {
    EventReader reader;
    for (size_t at = 0; at < stream.size(); at += step) {
      EXPECT_OK(reader.Feed(std::string_view(stream).substr(at, step)));
    }
    ASSERT_OK_AND_ASSIGN(const Reply reply, reader.Finish());
    ASSERT_EQ(reply.choices.size(), 2u);
    EXPECT_EQ(reply.choices[0].content, "x é");
    EXPECT_EQ(reply.choices[0].reasoning, "because");
    EXPECT_EQ(reply.choices[0].finish, "stop");
    EXPECT_EQ(reply.choices[1].content, "y");
    EXPECT_EQ(reply.choices[1].finish, "length");
    EXPECT_EQ(reply.usage.completion, 9);
    EXPECT_EQ(reply.model, "m");
  }
}

TEST(EventReader, AStreamThatEndsEarlyIsNoAnswer) {
  const std::string stream = kStream;
  const size_t finished = stream.find("\"stop\"}]}") + 9;
  for (size_t size = 0; size < finished; ++size) {
    EventReader reader;
    (void)reader.Feed(stream.substr(0, size));
    EXPECT_FALSE(reader.Finish().ok()) << stream.substr(0, size);
  }
}

TEST(EventReader, ErrorsInsideAStreamAreErrors) {
  const auto error_of = [](std::string_view stream) {
    EventReader reader;
    (void)reader.Feed(stream);
    return reader.Finish().status().ToString();
  };
  EXPECT_THAT(error_of("data: {\"error\":{\"message\":\"out of memory\"}}\n\n"),
              HasSubstr("out of memory"));
  EXPECT_THAT(error_of("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"half\n\n"),
              HasSubstr("JSON"));
  EXPECT_THAT(error_of("data: {\"choices\":[{\"index\":-1,\"delta\":{}}]}\n\n"),
              HasSubstr("expected an index"));
  EXPECT_THAT(error_of("data: {\"choices\":[{\"index\":900000000,\"delta\":{}}]}\n\n"),
              HasSubstr("expected an index"));
  EXPECT_THAT(error_of("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},"
                       "\"finish_reason\":\"abort\"}]}\n\ndata: [DONE]\n\n"),
              HasSubstr("gave up"));
  EXPECT_THAT(error_of("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":null},"
                       "\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"),
              HasSubstr("expected content"));
  EXPECT_THAT(error_of("data: [DONE]\n\n"), HasSubstr("without a choice"));
}

TEST(ParseReply, AnErrorInVllmsOlderFormKeepsTheServersWords) {
  for (const std::string body : {R"({"object":"error","message":"engine died","code":500})",
                                 R"({"message":"engine died","object":"error"})"}) {
    const std::string whole(ParseReply(body).status().message());
    EXPECT_EQ(whole, "the server replied with an error: engine died");
    EventReader events;
    EXPECT_EQ(std::string(events.Feed("data: " + body + "\n\n").message()), "stream: " + whole);
  }
  // A reply that only has such a member is none.
  EXPECT_TRUE(ParseReply(R"({"object":"chat.completion","message":"hello","choices":[)"
                         R"({"index":0,"message":{"content":"a"},"finish_reason":"stop"}]})")
                  .ok());
}

TEST(ErrorMessage, IsFoundInEveryShapeAndIsOneShortLine) {
  EXPECT_EQ(ErrorMessage(R"({"error":{"message":"no\nmodel"}})"), "no model");
  EXPECT_EQ(ErrorMessage(R"({"error":"plain"})"), "plain");
  EXPECT_EQ(ErrorMessage(R"({"object":"error","message":"vllm"})"), "vllm");
  EXPECT_EQ(ErrorMessage(R"({"detail":[{"msg":"field"}]})"), R"([{"msg":"field"}])");
  EXPECT_EQ(ErrorMessage("upstream timed out\x1b[31m"), "upstream timed out [31m");
  EXPECT_EQ(ErrorMessage("<html><body>502</body></html>"), "");
  EXPECT_LE(ErrorMessage(std::string(100'000, 'x')).size(), 310u);
  EXPECT_EQ(ErrorCode(R"({"error":{"code":"insufficient_quota"}})"), "insufficient_quota");
}

}  // namespace
}  // namespace assay::http
