// The replay backend: recordings in the forms that people keep them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "absl/strings/str_format.h"
#include "harness/registry.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing_support::TemporaryDirectory;
using testing_support::WriteWholeFile;

class Replay : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<CompletionSource>> Open(std::string_view rows,
                                                         Json options = Json()) {
    const std::string path = directory_.Path("recorded.jsonl");
    WriteWholeFile(path, rows);
    BackendConfig config;
    config.model = "replay:" + path;
    config.options = std::move(options);
    return (*FindBackend("replay"))->open(config);
  }

  // What each draw of a problem came to.
  std::map<int, absl::StatusOr<Completion>> Draw(CompletionSource& source, const std::string& id,
                                                 int draws, const std::string& prefix = "") {
    CompletionRequest request;
    request.task = "t";
    request.problem_id = id;
    request.prompt.reply_prefix = prefix;
    for (int i = 0; i < draws; ++i) request.draws.push_back({i, 0});
    std::map<int, absl::StatusOr<Completion>> landed;
    BackendCounters counters;
    bool given = false;
    CompletionFlow flow;
    flow.counters = &counters;
    flow.stopping = [] { return false; };
    flow.next = [&]() -> std::optional<CompletionRequest> {
      if (std::exchange(given, true)) return std::nullopt;
      return request;
    };
    flow.done = [&](const CompletionRequest&, const assay::Draw& draw,
                    absl::StatusOr<Completion> completion) {
      EXPECT_TRUE(landed.emplace(draw.index, std::move(completion)).second);
    };
    EXPECT_OK(source.Run(flow));
    return landed;
  }

  TemporaryDirectory directory_;
};

TEST_F(Replay, ReadsRowsByProblemAndIndex) {
  ASSERT_OK_AND_ASSIGN(
      const auto source,
      Open(R"({"id": "a", "index": 1, "completion": "second", "finish_reason": "length"})"
           "\n"
           R"({"id": "a", "index": 0, "completion": "<think>why</think>first"})"
           "\n"
           R"({"id": 7, "index": 0, "completion": "seven", "reasoning_content": "because"})"
           "\n"));
  auto a = Draw(*source, "a", 2);
  EXPECT_EQ(a.at(0)->answer, "first");
  EXPECT_EQ(a.at(0)->reasoning, "why");
  EXPECT_EQ(a.at(0)->raw, "<think>why</think>first");
  EXPECT_EQ(a.at(1)->answer, "second");
  EXPECT_TRUE(a.at(1)->truncated());
  auto seven = Draw(*source, "7", 1);
  EXPECT_EQ(seven.at(0)->answer, "seven");
  EXPECT_EQ(seven.at(0)->reasoning, "because");
  EXPECT_EQ(source->identity().endpoint, "replay");
  EXPECT_EQ(source->identity().model_hash.size(), 64u);
}

TEST_F(Replay, RowsWithoutAnIndexAreCountedAndListsAreSpread) {
  ASSERT_OK_AND_ASSIGN(const auto source,
                       Open("{\"id\": \"a\", \"output\": \"x\"}\n"
                            "{\"id\": \"a\", \"output\": \"y\"}\n"
                            "{\"id\": \"b\", \"completions\": [\"p\", \"q\"]}\n"));
  auto a = Draw(*source, "a", 2);
  EXPECT_EQ(a.at(0)->raw + a.at(1)->raw, "xy");
  auto b = Draw(*source, "b", 2);
  EXPECT_EQ(b.at(0)->raw + b.at(1)->raw, "pq");
}

TEST_F(Replay, WhatWasNotRecordedIsMissingAndTheMessageSaysSo) {
  ASSERT_OK_AND_ASSIGN(const auto source,
                       Open("{\"id\": \"a\", \"index\": 0, \"raw\": \"x\"}\n"
                            "{\"id\": \"a\", \"index\": 1, \"error\": \"timeout\"}\n"));
  auto a = Draw(*source, "a", 3);
  EXPECT_OK(a.at(0));
  for (const int i : {1, 2}) {
    EXPECT_EQ(a.at(i).status().code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(std::string(a.at(i).status().message()),
                HasSubstr(absl::StrFormat("sample %d of problem 'a' (1 recorded)", i)));
  }
}

TEST_F(Replay, ARowsTaskKeepsItToThatTask) {
  ASSERT_OK_AND_ASSIGN(
      const auto source,
      Open("{\"task\": \"other\", \"id\": \"a\", \"index\": 0, \"raw\": \"no\"}\n"
           "{\"task\": \"t\", \"id\": \"a\", \"index\": 0, \"raw\": \"yes\"}\n"
           "{\"task\": \"other\", \"id\": \"b\", \"index\": 0, \"raw\": \"no\"}\n"));
  EXPECT_EQ(Draw(*source, "a", 1).at(0)->raw, "yes");
  EXPECT_FALSE(Draw(*source, "b", 1).at(0).ok());
}

TEST_F(Replay, OurOwnExportIsNotSplitAgain) {
  ASSERT_OK_AND_ASSIGN(
      const auto source,
      Open(R"({"task": "t", "problem_id": "a", "index": 0, "raw": "r <b>", "reasoning": "r",)"
           R"( "answer": "kept", "unclosed_reasoning": true, "finish": "stop", "seed": 12,)"
           R"( "tokens": {"prompt": 3, "reasoning": 4, "answer": 5, "source": "measured"}})"
           "\n"));
  const auto landed = Draw(*source, "a", 1);
  const Completion& completion = *landed.at(0);
  EXPECT_EQ(completion.answer, "kept");
  EXPECT_TRUE(completion.unclosed_reasoning);
  EXPECT_EQ(completion.seed, 12u);
  EXPECT_EQ(completion.tokens.reasoning, 4);
  EXPECT_EQ(completion.tokens.source, TokenSource::kMeasured);
}

TEST_F(Replay, ACompletionOfAnotherPromptIsMissing) {
  const auto row = [](const std::string& asked) {
    return R"({"format": "assay-sample/1", "task": "t", "problem_id": "a", "index": 0, "raw": "x",
 "messages": )" +
           asked + "}";
  };
  const auto one_line = [](std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
  };
  ASSERT_OK_AND_ASSIGN(const auto same, Open(one_line(row("[]"))));
  EXPECT_OK(Draw(*same, "a", 1).at(0).status());  // Draw asks with no message
  ASSERT_OK_AND_ASSIGN(const auto other,
                       Open(one_line(row(R"([{"role": "user", "content": "A) 1 B) 2"}])"))));
  const absl::Status status = Draw(*other, "a", 1).at(0).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("drawn for another prompt"));
}

TEST_F(Replay, WhatTheServerGaveUpIsMissing) {
  ASSERT_OK_AND_ASSIGN(const auto source,
                       Open(R"({"id": "a", "output": "x", "finish_reason": "abort"}
{"id": "b", "output": "x", "finish_reason": "MAX_TOKENS"})"));
  EXPECT_FALSE(Draw(*source, "a", 1).at(0).ok());
  ASSERT_OK_AND_ASSIGN(const Completion cut, Draw(*source, "b", 1).at(0));
  EXPECT_EQ(cut.finish, FinishReason::kLength);
}

TEST_F(Replay, APrefilledThinkingIsKnownFromThePromptOrTold) {
  const char kRow[] = "{\"id\": \"a\", \"index\": 0, \"raw\": \"only thinking\"}\n";
  ASSERT_OK_AND_ASSIGN(const auto source, Open(kRow));
  EXPECT_FALSE(Draw(*source, "a", 1).at(0)->truncated());
  EXPECT_TRUE(Draw(*source, "a", 1, "<think>\n").at(0)->truncated());
  ASSERT_OK_AND_ASSIGN(const auto told, Open(kRow, Json::MakeObject({{"prefilled", true}})));
  EXPECT_TRUE(Draw(*told, "a", 1).at(0)->truncated());
}

TEST_F(Replay, BadRowsAreErrorsWithTheirLine) {
  const auto error = [&](std::string_view rows, Json options = Json()) {
    return std::string(Open(rows, std::move(options)).status().message());
  };
  const std::string good = "{\"id\": \"a\", \"index\": 0, \"raw\": \"x\"}\n";
  EXPECT_THAT(error(good + good), HasSubstr(":2: sample 0 of problem 'a' is there twice"));
  EXPECT_THAT(error("{\"id\": \"a\", \"index\": -1, \"raw\": \"x\"}\n"), HasSubstr(":1:"));
  EXPECT_THAT(error("{\"id\": \"a\", \"raw\": 5}\n"), HasSubstr("expected a string"));
  EXPECT_THAT(error("{\"raw\": \"x\"}\n"), HasSubstr("problem_id"));
  EXPECT_THAT(error("{\"id\": \"a\"}\n"), HasSubstr(":1:"));
  EXPECT_THAT(error(good, Json::MakeObject({{"id_feild", "x"}})), HasSubstr("did you mean"));
  EXPECT_FALSE(Open("").ok());
}

TEST_F(Replay, OtherFieldNamesMayBeTold) {
  ASSERT_OK_AND_ASSIGN(
      const auto source,
      Open("{\"q\": \"a\", \"k\": 3, \"said\": \"x\", \"id\": \"other\"}\n",
           Json::MakeObject({{"id_field", "q"}, {"index_field", "k"}, {"text_field", "said"}})));
  EXPECT_EQ(Draw(*source, "a", 4).at(3)->raw, "x");
}

TEST_F(Replay, RealOutputsAreReadAsTheyLie) {
  SKIP_WITHOUT_SHARED("vectors/qwen_math_outputs.jsonl");
  const std::string path = testing_support::SharedPath("vectors/qwen_math_outputs.jsonl");
  BackendConfig config;
  config.model = path;
  const Backend& backend = **FindBackend("replay");
  EXPECT_TRUE(backend.claims(config));
  ASSERT_OK_AND_ASSIGN(const auto source, backend.open(config));
  for (const Json& row : testing_support::ReadJsonLinesFile(path)) {
    const auto landed = Draw(*source, std::to_string(*row.FindInteger("idx")), 8);
    const int sample = static_cast<int>(*row.FindInteger("sample"));
    ASSERT_OK(landed.at(sample));
    EXPECT_EQ(landed.at(sample)->raw, *row.FindString("raw_output"));
  }
}

}  // namespace
}  // namespace assay
