// Recordings of every shape: which field is what, and which problem a row belongs to.
#include "harness/recording.h"

#include "absl/strings/str_format.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::TemporaryDirectory;
using testing_support::WriteWholeFile;

class RecordingTest : public testing::Test {
 protected:
  absl::StatusOr<Recording> Read(const std::string& text, const RecordingFields& fields = {},
                                 RecordingFormat format = RecordingFormat::kAuto,
                                 const std::string& task = "") {
    WriteWholeFile(path_, text);
    return ReadRecording(path_, format, fields, task);
  }
  Completion Unpack(const RecordedCompletion& one, bool prefix_opened = false) {
    Decompressor decompressor;
    absl::StatusOr<Completion> completion = UnpackRecorded(one, prefix_opened, decompressor);
    EXPECT_TRUE(completion.ok()) << completion.status();
    return completion.ok() ? *completion : Completion();
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_.Path("outputs.jsonl");
};

Problem MakeProblem(const std::string& id, const std::string& question) {
  Problem problem;
  problem.id = id;
  problem.row = Json::MakeObject({{"question", question}, {"n", 3}});
  return problem;
}

TEST_F(RecordingTest, FieldsOfManyNamesAreFoundAndTheGuessIsTold) {
  const struct {
    const char* row;
    const char* id;
    const char* raw;
  } cases[] = {
      {R"({"id": "a", "completion": "x"})", "a", "x"},
      {R"({"problem_id": 7, "output": "x", "sample": 0})", "7", "x"},
      {R"({"idx": 7, "raw_output": "x", "text": "y"})", "7", "x"},
      {R"({"qid": "q", "message": {"content": "x", "reasoning_content": "r"}})", "q", "x"},
      {R"({"id": "a", "choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]})", "a",
       "x"},
      {R"({"unique_id": "test/1.json", "responses": ["x"]})", "test/1.json", "x"},
  };
  for (const auto& c : cases) {
    ASSERT_OK_AND_ASSIGN(const Recording recording, Read(c.row));
    ASSERT_EQ(recording.completions.size(), 1u) << c.row;
    EXPECT_THAT(recording.completions[0].ids, ElementsAre(c.id));
    EXPECT_EQ(Unpack(recording.completions[0]).raw, c.raw);
    EXPECT_THAT(recording.notes, testing::Contains(HasSubstr("completion: taken from field")));
  }
}

TEST_F(RecordingTest, NamedFieldsAreUsedAndNotGuessed) {
  RecordingFields fields;
  fields.id = "meta.key";
  fields.completion = "gen.0";
  ASSERT_OK_AND_ASSIGN(
      const Recording recording,
      Read(R"({"id": "wrong", "meta": {"key": "k"}, "output": "wrong", "gen": ["x", "y"]})",
           fields));
  EXPECT_THAT(recording.completions[0].ids, ElementsAre("k"));
  EXPECT_EQ(Unpack(recording.completions[0]).raw, "x");
  fields.completion = "outptu";
  const absl::Status missing = Read("{\"id\": 1,\n\"output\": \"x\"}", fields).status();
  EXPECT_FALSE(missing.ok());
  fields = {};
  fields.completion = "outptu";
  EXPECT_THAT(std::string(Read(R"({"id": 1, "output": "x"})", fields).status().message()),
              HasSubstr("outputs.jsonl:1: there is no field 'outptu'; did you mean 'output'?"));
}

TEST_F(RecordingTest, NamedFieldsThatNoRowHasAreAnError) {
  const std::string rows = R"({"id": "a", "completion": "x", "finish_reason": "length"})";
  const struct {
    RecordingFields fields;
    const char* says;
  } cases[] = {
      {{.finish = "finnish_reason"}, "'finnish_reason' of --finish-field; did you mean"},
      {{.reasoning = "thoughts"}, "'thoughts' of --reasoning-field"},
      {{.question = "querstion"}, "'querstion' of --question-field"},
      {{.index = "number"}, "'number' of --index-field"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(std::string(Read(rows, c.fields).status().message()), HasSubstr(c.says));
  }
  // One row that has it is enough.
  EXPECT_OK(Read(rows + "\n" + R"({"id": "b", "completion": "x", "why": null})", {.finish = "why"})
                .status());
}

TEST_F(RecordingTest, FinishReasonsInEverybodysWords) {
  const struct {
    const char* word;  // JSON
    FinishReason reason;
  } cases[] = {
      {"\"length\"", FinishReason::kLength},
      {"\"MAX_TOKENS\"", FinishReason::kLength},
      {"\"FinishReason.MAX_TOKENS\"", FinishReason::kLength},
      {"\"model_length\"", FinishReason::kLength},
      {"\"max_new_tokens\"", FinishReason::kLength},
      {"\"max_output_tokens\"", FinishReason::kLength},
      {"\"truncated\"", FinishReason::kLength},
      {"\"incomplete\"", FinishReason::kLength},
      {"\"STOP\"", FinishReason::kStop},
      {"\"end_turn\"", FinishReason::kStop},
      {"\"stop_sequence\"", FinishReason::kStop},
      {"null", FinishReason::kStop},
      {"5", FinishReason::kOther},
      {"\"SAFETY\"", FinishReason::kContentFilter},
      {"\"lengthy\"", FinishReason::kOther},
  };
  for (const auto& c : cases) {
    ASSERT_OK_AND_ASSIGN(
        const Recording recording,
        Read(absl::StrFormat(R"({"id": "a", "completion": "x", "finish_reason": %s})", c.word)));
    EXPECT_EQ(Unpack(recording.completions[0]).finish, c.reason) << c.word;
    EXPECT_EQ(recording.unknown_finishes.empty(), c.reason != FinishReason::kOther) << c.word;
  }
}

TEST_F(RecordingTest, WhatTheServerGaveUpIsNoReply) {
  for (const char* word : {"error", "abort", "cancelled", "FinishReason.ERROR"}) {
    ASSERT_OK_AND_ASSIGN(
        const Recording recording,
        Read(absl::StrFormat("{\"id\": \"a\", \"completion\": \"x\"}\n{\"id\": \"b\", "
                             "\"completion\": \"\", \"finish_reason\": \"%s\"}",
                             word)));
    EXPECT_EQ(recording.completions.size(), 1u) << word;
    EXPECT_EQ(recording.failed_draws, 1) << word;
  }
}

TEST_F(RecordingTest, CutOffRepliesInOtherForms) {
  ASSERT_OK_AND_ASSIGN(const Recording flagged,
                       Read(R"({"id": "a", "completion": "x", "truncated": true}
{"id": "b", "completion": "x", "truncated": false})"));
  EXPECT_EQ(Unpack(flagged.completions[0]).finish, FinishReason::kLength);
  EXPECT_EQ(Unpack(flagged.completions[1]).finish, FinishReason::kStop);
  ASSERT_OK_AND_ASSIGN(const Recording ollama,
                       Read(R"({"id": "a", "response": "x", "done_reason": "length"})"));
  EXPECT_EQ(Unpack(ollama.completions[0]).finish, FinishReason::kLength);
  // A list must say it of each.
  EXPECT_THAT(
      std::string(Read(R"({"id": "a", "outputs": ["x", "y"], "finish_reasons": ["length"]})")
                      .status()
                      .message()),
      HasSubstr("1 finish reasons for 2 completions"));
  ASSERT_OK_AND_ASSIGN(const Recording silent, Read(R"({"id": "a", "completion": "x"})"));
  EXPECT_THAT(silent.notes, testing::Contains(HasSubstr("no field tells it")));
}

TEST_F(RecordingTest, RowWithNoCompletionSaysWhatItHas) {
  const absl::Status status =
      Read("{\"id\": 1, \"output\": \"x\"}\n{\"id\": 2, \"outcome\": 3}").status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("outputs.jsonl:2:"));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("--completion-field; the row has id, outcome"));
  EXPECT_THAT(std::string(Read(R"({"id": 1, "output": 5})").status().message()),
              HasSubstr("expected a string, found integer"));
  EXPECT_THAT(std::string(Read("").status().message()), HasSubstr("the file is empty"));
}

TEST_F(RecordingTest, ListsAreSamplesOfOneProblem) {
  ASSERT_OK_AND_ASSIGN(
      const Recording recording,
      Read(R"({"id": "a", "outputs": ["x", "y", "z"], "reasoning": ["p", "q", "r"],)"
           R"( "finish_reason": ["stop", "length", "stop"]})"));
  ASSERT_EQ(recording.completions.size(), 3u);
  EXPECT_EQ(recording.completions[2].index, 2);
  const Completion second = Unpack(recording.completions[1]);
  EXPECT_EQ(second.answer, "y");
  EXPECT_EQ(second.reasoning, "q");
  EXPECT_TRUE(second.truncated());
  EXPECT_FALSE(Unpack(recording.completions[2]).truncated());
}

TEST_F(RecordingTest, RepliesAreSplitAsARunSplitsThem) {
  ASSERT_OK_AND_ASSIGN(const Recording recording, Read(R"({"id": "a", "output": "<think>r</think>x"}
{"id": "b", "output": "r</think>x"}
{"id": "c", "output": "x", "reasoning_content": "r"}
{"id": "d", "output": "<think>r"}
{"id": "e", "output": "still thinking"})"));
  for (int i = 0; i < 3; ++i) {
    const Completion completion = Unpack(recording.completions[static_cast<size_t>(i)]);
    EXPECT_EQ(completion.reasoning, "r") << i;
    EXPECT_EQ(completion.answer, "x") << i;
    EXPECT_FALSE(completion.truncated()) << i;
  }
  EXPECT_TRUE(Unpack(recording.completions[3]).truncated());
  EXPECT_FALSE(Unpack(recording.completions[4]).truncated());
  EXPECT_TRUE(Unpack(recording.completions[4], true).truncated()) << "the prompt had opened it";
}

TEST_F(RecordingTest, LmEvalSamplesAreRead) {
  const std::string line =
      R"({"doc_id": 4, "doc": {"unique_id": "u4", "problem": "What is 2 + 2, exactly?"}, )"
      R"("target": "4", "arguments": {"gen_args_0": {"arg_0": "..."}}, "resps": [["a", "b"]], )"
      R"("filtered_resps": ["a"], "filter": "FILTER"})";
  std::string first = line, second = line;
  first.replace(first.find("FILTER"), 6, "strict-match");
  second.replace(second.find("FILTER"), 6, "flexible-extract");
  ASSERT_OK_AND_ASSIGN(const Recording recording, Read(first + "\n" + second + "\n"));
  EXPECT_EQ(recording.format, RecordingFormat::kLmEval);
  ASSERT_EQ(recording.completions.size(), 2u) << "two filters tell of the same two samples";
  EXPECT_EQ(recording.completions[0].place, 4);
  EXPECT_THAT(recording.completions[0].ids, ElementsAre("u4"));
  EXPECT_EQ(recording.completions[1].index, 1);
  EXPECT_EQ(Unpack(recording.completions[1]).raw, "b");
  EXPECT_EQ(recording.questions[recording.completions[0].question], "What is 2 + 2, exactly?");
}

TEST_F(RecordingTest, RowsOfOtherTasksArePassedOver) {
  const std::string rows =
      R"({"format": "assay-sample/1", "task": "a", "problem_id": "p", "index": 0, "raw": "x"}
{"format": "assay-sample/1", "task": "b", "problem_id": "p", "index": 0, "raw": "y"}
{"format": "assay-sample/1", "task": "b", "problem_id": "p", "index": 1, "error": "reset"})";
  ASSERT_OK_AND_ASSIGN(const Recording recording, Read(rows, {}, RecordingFormat::kAuto, "b"));
  ASSERT_EQ(recording.completions.size(), 1u);
  EXPECT_EQ(Unpack(recording.completions[0]).raw, "y");
  EXPECT_EQ(recording.other_tasks, 1);
  EXPECT_EQ(recording.failed_draws, 1);
  EXPECT_EQ(Read(rows, {}, RecordingFormat::kAuto, "c").status().code(),
            absl::StatusCode::kNotFound);
}

// --- matching ---

RecordingMatch Match(const Recording& recording, const std::vector<Problem>& problems) {
  ProblemIndex index;
  for (const Problem& problem : problems) index.Add(problem);
  return MatchRecording(recording, index);
}

TEST_F(RecordingTest, MatchesById) {
  ASSERT_OK_AND_ASSIGN(
      const Recording recording,
      Read("{\"id\": \"b\", \"output\": \"x\"}\n{\"id\": \"a\", \"output\": \"y\"}"));
  const RecordingMatch match =
      Match(recording, {MakeProblem("a", "question a?"), MakeProblem("b", "question b?")});
  EXPECT_EQ(match.how, "by id");
  EXPECT_THAT(match.problem_of, ElementsAre(1, 0));
}

TEST_F(RecordingTest, InOrderAskedForQuestionsAreNotCompared) {
  ASSERT_OK_AND_ASSIGN(const Recording recording,
                       Read("{\"question\": \"another question?\", \"output\": [\"x\", \"y\"]}\n"
                            "{\"question\": \"question b?\", \"output\": \"z\"}\n"
                            "{\"question\": \"one too many?\", \"output\": \"z\"}"));
  ProblemIndex index;
  index.Add(MakeProblem("a", "question a?"));
  index.Add(MakeProblem("b", "question b?"));
  const RecordingMatch match = MatchInOrder(recording, index);
  EXPECT_THAT(match.problem_of, ElementsAre(0, 0, 1, std::nullopt));
  EXPECT_EQ(match.matched, 3);
  EXPECT_THAT(match.first_unmatched, testing::HasSubstr(":3: "));
}

TEST_F(RecordingTest, MatchesByQuestionWhereIdsMeanNothing) {
  ASSERT_OK_AND_ASSIGN(
      const Recording recording,
      Read("{\"id\": \"x1\", \"question\": \"the  second\\n question\", \"output\": \"x\"}\n"
           "{\"id\": \"x2\", \"question\": \"the first question\", \"output\": \"y\"}"));
  const RecordingMatch match = Match(
      recording, {MakeProblem("a", "the first question"), MakeProblem("b", "the second question")});
  EXPECT_EQ(match.how, "by the question's text");
  EXPECT_THAT(match.problem_of, ElementsAre(1, 0));
}

TEST_F(RecordingTest, EqualIdsWithOtherQuestionsAreNoMatch) {
  // Row numbers of a shuffled file: by id alone every completion would be graded against another
  // problem's reference.
  ASSERT_OK_AND_ASSIGN(
      const Recording recording,
      Read("{\"id\": 0, \"question\": \"the second question\", \"output\": \"x\"}\n"
           "{\"id\": 1, \"question\": \"the first question\", \"output\": \"y\"}"));
  const RecordingMatch match = Match(
      recording, {MakeProblem("0", "the first question"), MakeProblem("1", "the second question")});
  EXPECT_EQ(match.how, "by the question's text");
  EXPECT_THAT(match.problem_of, ElementsAre(1, 0));
}

TEST_F(RecordingTest, ShortQuestionsAreComparedToo) {
  ProblemIndex problems;
  problems.Add(MakeProblem("a", "1+1?"));
  problems.Add(MakeProblem("b", "2+2?"));
  ASSERT_OK_AND_ASSIGN(const Recording same,
                       Read(R"({"id": "a", "question": " 1+1?", "completion": "x"})"));
  EXPECT_EQ(MatchRecording(same, problems).matched, 1);
  ASSERT_OK_AND_ASSIGN(const Recording other,
                       Read(R"({"id": "a", "question": "2+2?", "completion": "x"})"));
  EXPECT_EQ(MatchRecording(other, problems).matched, 0);
}

TEST_F(RecordingTest, QuestionWithInstructionsAroundItStillAgreesWithItsId) {
  ASSERT_OK_AND_ASSIGN(
      const Recording recording,
      Read(R"({"id": "a", "prompt": "Solve. the first question Box it.", "output": "x"})"));
  const RecordingMatch match = Match(recording, {MakeProblem("a", "the first question")});
  EXPECT_EQ(match.how, "by id");
  EXPECT_EQ(match.matched, 1);
}

TEST_F(RecordingTest, QuestionsThatTwoProblemsShareMatchNeither) {
  ASSERT_OK_AND_ASSIGN(const Recording recording,
                       Read(R"({"question": "the same question", "output": "x"})"));
  const RecordingMatch match = Match(
      recording, {MakeProblem("a", "the same question"), MakeProblem("b", "the same question")});
  EXPECT_EQ(match.matched, 0);
  EXPECT_THAT(match.first_unmatched, HasSubstr("outputs.jsonl:1"));
}

TEST_F(RecordingTest, NumbersArePlacesOnlyWhereTheQuestionProvesIt) {
  const std::vector<Problem> problems = {MakeProblem("a", "the first question"),
                                         MakeProblem("b", "the second question")};
  ASSERT_OK_AND_ASSIGN(Recording recording, Read(R"({"idx": 1, "output": "x"})"));
  EXPECT_EQ(Match(recording, problems).matched, 0);
  ASSERT_OK_AND_ASSIGN(
      recording, Read(R"({"idx": 1, "prompt": "Please: the second question", "output": "x"})"));
  EXPECT_EQ(Match(recording, problems).how, "by place in the dataset");
  EXPECT_EQ(Match(recording, problems).matched, 1);
}

}  // namespace
}  // namespace assay
