// The store: what was put is there, once, unchanged, whatever happened meanwhile.
#include "harness/store.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "harness/hash.h"
#include "harness/keys.h"
#include "harness/manifest.h"
#include "harness/sqlite.h"
#include "harness/status.h"
#include "harness/store/schema.h"
#include "harness/store/texts.h"
#include "harness/token_logprobs.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing_support::ReadWholeFile;
using testing_support::SourcePath;
using testing_support::TemporaryDirectory;
using testing_support::WriteWholeFile;

TaskManifest MakeTask(const std::string& name) {
  TaskManifest task;
  task.name = name;
  task.version = "2";
  task.task_hash = "abc";
  task.extractor = "boxed";
  task.grader = "math";
  task.grader_version = 1;
  task.samples_per_problem = 4;
  task.metrics = {"pass@1", "cons@4"};
  task.sampling = Json::MakeObject({{"temperature", 0.6}});
  task.definition = Json::MakeObject({{"name", name}});
  return task;
}

RunManifest MakeManifest(const std::vector<std::string>& tasks = {"sums"}) {
  RunManifest manifest;
  manifest.name = "a run";
  manifest.backend = "endpoint";
  manifest.model = "m";
  manifest.base_urls = {"http://127.0.0.1:1/v1"};
  manifest.seed = 0xFFFFFFFFFFFFFFFF;
  manifest.options = Json::MakeObject({{"limit", 3}});
  for (const std::string& task : tasks) manifest.tasks.push_back(MakeTask(task));
  return manifest;
}

Problem MakeProblem(const std::string& id) {
  Problem problem;
  problem.id = id;
  problem.row = Json::MakeObject({{"question", "what is " + id + "?"}, {"n", 1}});
  problem.reference = "42";
  problem.choices = {"a", "b"};
  problem.choice_order = {1, 0};
  problem.tags = {"level:3"};
  return problem;
}

Prompt MakePrompt(const std::string& id) {
  Prompt prompt;
  prompt.messages = {{"user", "what is " + id + "?"}};
  prompt.reply_prefix = "<think>\n";
  return prompt;
}

std::string KeyOf(const std::string& task, const std::string& id, int index) {
  return Sha256Hex(task + "/" + id + "/" + std::to_string(index));
}

StoredSample MakeSample(const std::string& task, const std::string& id, int index) {
  StoredSample stored;
  stored.task = task;
  stored.key = KeyOf(task, id, index);
  Sample& sample = stored.sample;
  sample.problem_id = id;
  sample.index = index;
  Completion& completion = sample.completion;
  completion.reasoning = "thinking of " + id + " for the " + std::to_string(index) + "th time";
  completion.answer = "So it is \\boxed{42}. \xff not UTF-8";
  completion.raw = "<think>\n" + completion.reasoning + "\n</think>\n\n" + completion.answer;
  completion.tokens = {10, 20, 30, TokenSource::kMeasured};
  completion.latency_seconds = 0.25;
  completion.cost_usd = 0.001;
  completion.seed = 0x8000000000000001;
  completion.served_by = "http://127.0.0.1:1/v1";
  completion.served_model = "m-2";
  sample.extraction.answer = "42";
  sample.extraction.lenient = "42";
  sample.extraction.strict = std::nullopt;
  sample.extraction.rule = "boxed";
  sample.extraction.begin = 16;
  sample.extraction.end = 18;
  sample.verdict.outcome = Outcome::kCorrect;
  sample.verdict.score = 1;
  sample.verdict.why = "equal";
  sample.verdict.grader = "math";
  sample.verdict.grader_version = 1;
  sample.verdict.detail = Json::MakeObject({{"tier", "integers"}});
  return stored;
}

void ExpectEqual(const StoredSample& a, const StoredSample& b) {
  EXPECT_EQ(a.task, b.task);
  EXPECT_EQ(a.key, b.key);
  EXPECT_EQ(a.sample.problem_id, b.sample.problem_id);
  EXPECT_EQ(a.sample.index, b.sample.index);
  const Completion &ca = a.sample.completion, &cb = b.sample.completion;
  EXPECT_EQ(ca.raw, cb.raw);
  EXPECT_EQ(ca.reasoning, cb.reasoning);
  EXPECT_EQ(ca.answer, cb.answer);
  EXPECT_EQ(ca.unclosed_reasoning, cb.unclosed_reasoning);
  EXPECT_EQ(ca.finish, cb.finish);
  EXPECT_EQ(ca.tokens.prompt, cb.tokens.prompt);
  EXPECT_EQ(ca.tokens.reasoning, cb.tokens.reasoning);
  EXPECT_EQ(ca.tokens.answer, cb.tokens.answer);
  EXPECT_EQ(ca.tokens.source, cb.tokens.source);
  EXPECT_EQ(ca.latency_seconds, cb.latency_seconds);
  EXPECT_EQ(ca.cost_usd, cb.cost_usd);
  EXPECT_EQ(ca.seed, cb.seed);
  EXPECT_EQ(ca.served_by, cb.served_by);
  EXPECT_EQ(ca.served_model, cb.served_model);
  const Extraction &ea = a.sample.extraction, &eb = b.sample.extraction;
  EXPECT_EQ(ea.answer, eb.answer);
  EXPECT_EQ(ea.strict, eb.strict);
  EXPECT_EQ(ea.lenient, eb.lenient);
  EXPECT_EQ(ea.rule, eb.rule);
  EXPECT_EQ(ea.begin, eb.begin);
  EXPECT_EQ(ea.end, eb.end);
  const Verdict &va = a.sample.verdict, &vb = b.sample.verdict;
  EXPECT_EQ(va.outcome, vb.outcome);
  EXPECT_EQ(va.score, vb.score);
  EXPECT_EQ(va.why, vb.why);
  EXPECT_EQ(va.grader, vb.grader);
  EXPECT_EQ(va.grader_version, vb.grader_version);
  EXPECT_EQ(va.detail, vb.detail);
}

class StoreTest : public testing::Test {
 protected:
  std::unique_ptr<Store> OpenStore(StoreMode mode = StoreMode::kReadWrite) {
    absl::StatusOr<std::unique_ptr<Store>> store = Store::Open(path_, mode);
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }

  // A finished run of `problems` x 4 samples.
  std::string MakeRun(Store& store, const std::string& name = "a run", int problems = 3) {
    RunManifest manifest = MakeManifest();
    manifest.name = name;
    absl::StatusOr<std::unique_ptr<RunWriter>> writer = store.CreateRun(&manifest);
    EXPECT_OK(writer.status());
    for (int p = 0; p < problems; ++p) {
      const std::string id = "p" + std::to_string(p);
      EXPECT_OK((*writer)->PutProblem("sums", MakeProblem(id), MakePrompt(id)));
      for (int i = 0; i < 4; ++i) EXPECT_OK((*writer)->PutSample(MakeSample("sums", id, i)));
    }
    EXPECT_OK((*writer)->Finish(RunState::kComplete));
    return manifest.id;
  }

  std::vector<StoredSample> Samples(Store& store, const std::string& run,
                                    const SampleFilter& filter) {
    std::vector<StoredSample> samples;
    EXPECT_OK(store.ForEachSample(run, filter, [&](const StoredSample& sample) {
      samples.push_back(sample);
      return absl::OkStatus();
    }));
    return samples;
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_.Path("assay.db");
};

// --- what goes in comes out ---

TEST_F(StoreTest, EveryFieldOfASampleComesBack) {
  auto store = OpenStore();
  const std::string run = MakeRun(*store);
  const auto samples = Samples(*store, run, {.parts = SampleParts::kAll});
  ASSERT_EQ(samples.size(), 12u);
  for (size_t i = 0; i < samples.size(); ++i) {
    const std::string id = "p" + std::to_string(i / 4);
    ExpectEqual(samples[i], MakeSample("sums", id, static_cast<int>(i % 4)));
    EXPECT_TRUE(samples[i].graded);
  }
}

TEST_F(StoreTest, LogprobsComeBackWhereTheyAreWanted) {
  auto store = OpenStore();
  RunManifest manifest = MakeManifest();
  ASSERT_OK_AND_ASSIGN(auto writer, store->CreateRun(&manifest));
  ASSERT_OK(writer->PutProblem("sums", MakeProblem("p0"), MakePrompt("p0")));
  std::string packed;
  for (int i = 0; i < 5000; ++i) {
    AppendLoggedToken({{"token", -0.5F}, {{"token", -0.5F}, {"other", -1.5F}}}, &packed);
  }
  for (int i = 0; i < 3; ++i) {
    StoredSample sample = MakeSample("sums", "p0", i);
    if (i != 1) sample.sample.completion.logprobs = packed + std::string(1 + i, '\0');
    ASSERT_OK(writer->PutSample(std::move(sample)));
  }
  ASSERT_OK(writer->Finish(RunState::kComplete));
  for (const SampleParts parts :
       {SampleParts::kVerdicts, SampleParts::kAnswers, SampleParts::kAll}) {
    const auto with = Samples(*store, manifest.id, {.parts = parts, .logprobs = true});
    const auto without = Samples(*store, manifest.id, {.parts = parts});
    ASSERT_EQ(with.size(), 3u);
    ASSERT_EQ(without.size(), 3u);
    for (int i = 0; i < 3; ++i) {
      const std::string& found = with[i].sample.completion.logprobs;
      EXPECT_EQ(found, i == 1 ? "" : packed + std::string(1 + i, '\0'));
      EXPECT_EQ(without[i].sample.completion.logprobs, "");
      EXPECT_EQ(with[i].sample.completion.raw, without[i].sample.completion.raw);
    }
  }
  ASSERT_OK_AND_ASSIGN(Sqlite database, Sqlite::Open(path_, SqliteMode::kReadWrite));
  EXPECT_FALSE(database.Execute("UPDATE logprobs SET packed = x'00'").ok());
  ASSERT_OK_AND_ASSIGN(const int64_t bytes,
                       database.QueryInteger("SELECT max(length(packed)) FROM logprobs"));
  EXPECT_LT(bytes, 5000) << "they are compressed";
}

TEST_F(StoreTest, PartsLeaveOutTexts) {
  auto store = OpenStore();
  const std::string run = MakeRun(*store);
  const StoredSample whole = MakeSample("sums", "p0", 0);
  const StoredSample verdict = Samples(*store, run, {.parts = SampleParts::kVerdicts})[0];
  EXPECT_EQ(verdict.sample.completion.answer, "");
  EXPECT_EQ(verdict.sample.completion.raw, "");
  EXPECT_EQ(verdict.sample.extraction.answer, "42");
  EXPECT_EQ(verdict.sample.completion.tokens.reasoning, 20);
  const StoredSample answer = Samples(*store, run, {.parts = SampleParts::kAnswers})[0];
  EXPECT_EQ(answer.sample.completion.answer, whole.sample.completion.answer);
  EXPECT_EQ(answer.sample.completion.reasoning, "");
  EXPECT_EQ(answer.sample.completion.raw, "");
}

TEST_F(StoreTest, ProblemsComeBackAsAsked) {
  auto store = OpenStore();
  const std::string run = MakeRun(*store);
  std::vector<std::string> ids;
  ASSERT_OK(store->ForEachProblem(run, "sums", [&](const Problem& problem, const Prompt& prompt) {
    const Problem expected = MakeProblem(problem.id);
    ids.push_back(problem.id);
    EXPECT_EQ(problem.row, expected.row);
    EXPECT_EQ(problem.reference, expected.reference);
    EXPECT_EQ(problem.choices, expected.choices);
    EXPECT_EQ(problem.choice_order, expected.choice_order);
    EXPECT_EQ(problem.tags, expected.tags);
    EXPECT_EQ(PromptToJson(prompt), PromptToJson(MakePrompt(problem.id)));
    return absl::OkStatus();
  }));
  EXPECT_EQ(ids, (std::vector<std::string>{"p0", "p1", "p2"}));
  // One alone, by its id.
  ASSERT_OK_AND_ASSIGN(const auto one, store->FindProblem(run, "sums", "p1"));
  ASSERT_TRUE(one.has_value());
  EXPECT_EQ(one->problem.id, "p1");
  EXPECT_EQ(one->problem.row, MakeProblem("p1").row);
  EXPECT_EQ(PromptToJson(one->prompt), PromptToJson(MakePrompt("p1")));
  ASSERT_OK_AND_ASSIGN(const auto none, store->FindProblem(run, "sums", "p3"));
  EXPECT_FALSE(none.has_value());
  EXPECT_EQ(store->FindProblem(run, "summs", "p1").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(StoreTest, ManifestComesBackWhole) {
  auto store = OpenStore();
  const std::string run = MakeRun(*store);
  RunManifest expected = MakeManifest();
  ASSERT_OK_AND_ASSIGN(const RunSummary summary, store->FindRun(run));
  expected.id = run;
  expected.started = summary.manifest.started;
  EXPECT_EQ(RunManifestToJson(summary.manifest), RunManifestToJson(expected));
  EXPECT_EQ(summary.state, RunState::kComplete);
  EXPECT_EQ(summary.samples_planned, 12);
  EXPECT_EQ(summary.samples_stored, 12);
  EXPECT_EQ(summary.failures, 0);
  EXPECT_EQ(summary.finished.size(), 20u) << summary.finished;
}

TEST_F(StoreTest, SamplesComeByTaskThenProblemThenIndexWhateverOrderTheyLandedIn) {
  auto store = OpenStore();
  RunManifest manifest = MakeManifest({"zeta", "alpha"});
  ASSERT_OK_AND_ASSIGN(auto writer, store->CreateRun(&manifest));
  std::vector<std::tuple<std::string, std::string, int>> wanted;
  std::vector<StoredSample> samples;
  for (const char* task : {"zeta", "alpha"}) {
    for (const char* id : {"9", "10", "1"}) {
      ASSERT_OK(writer->PutProblem(task, MakeProblem(id), MakePrompt(id)));
      for (int i = 0; i < 3; ++i) {
        wanted.emplace_back(task, id, i);
        samples.push_back(MakeSample(task, id, i));
      }
    }
  }
  std::shuffle(samples.begin(), samples.end(), std::mt19937(1));
  for (StoredSample& sample : samples) ASSERT_OK(writer->PutSample(std::move(sample)));
  ASSERT_OK(writer->Flush());
  std::vector<std::tuple<std::string, std::string, int>> found;
  for (const StoredSample& s : Samples(*store, manifest.id, {})) {
    found.emplace_back(s.task, s.sample.problem_id, s.sample.index);
  }
  EXPECT_EQ(found, wanted);
}

TEST_F(StoreTest, FiltersSelect) {
  auto store = OpenStore();
  RunManifest manifest = MakeManifest({"one", "two"});
  ASSERT_OK_AND_ASSIGN(auto writer, store->CreateRun(&manifest));
  for (const char* task : {"one", "two"}) {
    for (const char* id : {"a", "b"}) {
      ASSERT_OK(writer->PutProblem(task, MakeProblem(id), MakePrompt(id)));
      StoredSample wrong = MakeSample(task, id, 0);
      wrong.sample.verdict.outcome = Outcome::kIncorrect;
      ASSERT_OK(writer->PutSample(std::move(wrong)));
      ASSERT_OK(writer->PutSample(MakeSample(task, id, 1)));
      StoredSample ungraded = MakeSample(task, id, 2);
      ungraded.sample.verdict = Verdict();
      ASSERT_OK(writer->PutSample(std::move(ungraded)));
    }
  }
  ASSERT_OK(writer->Finish(RunState::kIncomplete));
  const std::string& run = manifest.id;
  EXPECT_EQ(Samples(*store, run, {}).size(), 12u);
  EXPECT_EQ(Samples(*store, run, {.task = "two"}).size(), 6u);
  EXPECT_EQ(Samples(*store, run, {.problem_id = "a"}).size(), 6u);
  EXPECT_EQ(Samples(*store, run, {.task = "one", .problem_id = "a"}).size(), 3u);
  EXPECT_EQ(Samples(*store, run, {.problem_id = "c"}).size(), 0u);
  const auto second = Samples(*store, run, {.task = "two", .problem_id = "b", .index = 1});
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].sample.index, 1);
  EXPECT_EQ(Samples(*store, run, {.index = 0}).size(), 4u);
  EXPECT_EQ(Samples(*store, run, {.index = 3}).size(), 0u);
  const auto wrong = Samples(*store, run, {.outcome = Outcome::kIncorrect});
  ASSERT_EQ(wrong.size(), 4u);
  EXPECT_EQ(wrong[0].sample.index, 0);
  const auto all = Samples(*store, run, {.task = "one", .problem_id = "b"});
  EXPECT_FALSE(all[2].graded);
  EXPECT_EQ(all[2].sample.extraction.answer, std::nullopt);
  const absl::Status unknown =
      store->ForEachSample(run, {.task = "onne"}, [](const auto&) { return absl::OkStatus(); });
  EXPECT_EQ(unknown.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("did you mean 'one'?"));
}

TEST_F(StoreTest, VisitorsErrorEndsTheVisitAndIsReturned) {
  auto store = OpenStore();
  const std::string run = MakeRun(*store);
  int visits = 0;
  const absl::Status status = store->ForEachSample(run, {}, [&](const StoredSample&) {
    return ++visits == 2 ? absl::CancelledError("enough") : absl::OkStatus();
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(visits, 2);
  EXPECT_EQ(Samples(*store, run, {}).size(), 12u);  // the connection is still good
}

// --- texts ---

TEST(Texts, EveryShapeOfACompletionComesBack) {
  const std::string trace = [] {
    std::mt19937 random(5);
    std::string text;
    while (text.size() < 40000) text += "word" + std::to_string(random() % 1000) + " ";
    return text;
  }();
  const struct {
    const char* what;
    std::string raw, reasoning, answer;
    bool in_two;
  } cases[] = {
      {"tags", "<think>\na b\n</think>\n\nanswer", "a b", "answer", false},
      {"empty", "", "", "", false},
      {"field", "the answer", "the thinking, which came apart", "the answer", false},
      {"no reasoning", "answer", "", "answer", false},
      {"unclosed", "<think>on and on", "on and on", "", false},
      {"answer also in the thinking", "<think>42 is 42</think>42", "42 is 42", "42", false},
      {"texts that are no part of the reply", "raw", "other", "another", false},
      {"several blocks joined", "<think>a</think>x<think>b</think>y", "a\nb", "y", false},
      {"bytes", std::string("\x00\xff<think>\x80</think>\x00", 19), "\x80", std::string(1, '\0'),
       false},
      {"long trace in tags", "<think>" + trace + "</think>42", trace, "42", true},
      {"long trace apart", "42", trace, "42", false},
      {"long trace and long answer", "<think>" + trace + "</think>" + trace, trace, trace, true},
      {"long answer", trace, "", trace, false},
  };
  Compressor compressor;
  Decompressor decompressor;
  for (const auto& c : cases) {
    Completion completion;
    completion.raw = c.raw;
    completion.reasoning = c.reasoning;
    completion.answer = c.answer;
    PackedTexts packed;
    PackTexts(&completion, compressor, &packed);
    EXPECT_EQ(packed.cut > 0, c.in_two) << c.what;
    Completion back;
    ASSERT_OK(UnpackTexts(packed, packed.head, packed.tail, decompressor, &back));
    EXPECT_EQ(back.raw, c.raw) << c.what;
    EXPECT_EQ(back.reasoning, c.reasoning) << c.what;
    EXPECT_EQ(back.answer, c.answer) << c.what;
    std::string answer;
    ASSERT_OK(UnpackAnswer(packed, packed.tail, decompressor, &answer));
    EXPECT_EQ(answer, c.answer) << c.what;
  }
}

TEST(Texts, HostileRepliesPackInLinearTime) {
  Completion completion;
  completion.raw = std::string(4 << 20, 'a');
  completion.reasoning = std::string(2 << 20, 'a') + "b";
  completion.answer = std::string(1 << 20, 'a') + "c";
  Compressor compressor;
  PackedTexts packed;
  PackTexts(&completion, compressor, &packed);  // a naive search would take hours
  EXPECT_EQ(packed.reasoning.begin, 4 << 20);
}

TEST(Texts, RangesOutsideTheTextAreErrors) {
  Completion completion;
  completion.raw = completion.answer = "answer";
  Compressor compressor;
  Decompressor decompressor;
  PackedTexts packed;
  PackTexts(&completion, compressor, &packed);
  for (const TextRange bad : {TextRange{-1, 2}, TextRange{0, 7}, TextRange{7, 0}, TextRange{2, -1},
                              TextRange{INT64_MAX, 1}, TextRange{1, INT64_MAX}}) {
    PackedTexts damaged = packed;
    damaged.answer = bad;
    std::string answer;
    EXPECT_FALSE(UnpackAnswer(damaged, damaged.tail, decompressor, &answer).ok()) << bad.begin;
    EXPECT_FALSE(UnpackTexts(damaged, damaged.head, damaged.tail, decompressor, &completion).ok());
  }
}

// --- keys ---

TEST_F(StoreTest, SameKeyIsANoOpAndAnotherKeyAnError) {
  auto store = OpenStore();
  const std::string run = MakeRun(*store);
  ASSERT_OK_AND_ASSIGN(auto writer, store->ResumeRun(run));
  StoredSample again = MakeSample("sums", "p1", 2);
  again.sample.completion.raw = again.sample.completion.answer = "something else";
  ASSERT_OK(writer->PutSample(again));
  ASSERT_OK(writer->Flush());
  const auto samples = Samples(*store, run, {.problem_id = "p1", .parts = SampleParts::kAll});
  ASSERT_EQ(samples.size(), 4u);
  ExpectEqual(samples[2], MakeSample("sums", "p1", 2));

  ASSERT_OK(writer->PutProblem("sums", MakeProblem("p9"), MakePrompt("p9")));
  ASSERT_OK(writer->PutSample(MakeSample("sums", "p9", 0)));
  again.key = Sha256Hex("another request");
  ASSERT_OK(writer->PutSample(again));
  const absl::Status status = writer->Flush();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("sample 2 of problem p1 of task sums"));
  // What was put before it is not lost; what is put after the error is known is refused.
  EXPECT_EQ(Samples(*store, run, {.problem_id = "p9"}).size(), 1u);
  EXPECT_EQ(writer->PutSample(MakeSample("sums", "p9", 1)), status);
  EXPECT_EQ(Samples(*store, run, {.problem_id = "p1"}).size(), 4u);
}

TEST_F(StoreTest, EqualTextsOfOneProblemStayTwoSamples) {
  auto store = OpenStore();
  RunManifest manifest = MakeManifest();
  ASSERT_OK_AND_ASSIGN(auto writer, store->CreateRun(&manifest));
  ASSERT_OK(writer->PutProblem("sums", MakeProblem("p"), MakePrompt("p")));
  for (int i = 0; i < 64; ++i) {
    StoredSample sample = MakeSample("sums", "p", 0);  // the same text, seed, everything
    sample.sample.index = i;
    sample.key = KeyOf("sums", "p", i);
    ASSERT_OK(writer->PutSample(std::move(sample)));
  }
  ASSERT_OK(writer->Flush());
  EXPECT_EQ(Samples(*store, manifest.id, {}).size(), 64u);
}

TEST_F(StoreTest, TwoRunsNeverShareASample) {
  auto store = OpenStore();
  const std::string one = MakeRun(*store), two = MakeRun(*store);
  ASSERT_OK_AND_ASSIGN(auto writer, store->ResumeRun(two));
  ASSERT_OK(writer->PutProblem("sums", MakeProblem("only two"), MakePrompt("only two")));
  ASSERT_OK(writer->PutSample(MakeSample("sums", "only two", 0)));
  ASSERT_OK(writer->Flush());
  EXPECT_EQ(Samples(*store, one, {}).size(), 12u);
  EXPECT_EQ(Samples(*store, two, {}).size(), 13u);
}

TEST_F(StoreTest, OnlyARunWithoutSamplesCanBeTakenOut) {
  auto store = OpenStore();
  const std::string full = MakeRun(*store);
  RunManifest manifest = MakeManifest();
  ASSERT_OK_AND_ASSIGN(auto writer, store->CreateRun(&manifest));
  ASSERT_OK(writer->PutProblem("sums", MakeProblem("p"), MakePrompt("p")));
  ASSERT_OK(writer->PutFailure("sums", "p", 0, "refused"));
  ASSERT_OK(writer->Flush());
  EXPECT_FALSE(store->DiscardEmptyRun(manifest.id).ok()) << "it is being written";
  writer.reset();
  EXPECT_OK(store->DiscardEmptyRun(manifest.id));
  EXPECT_FALSE(store->FindRun(manifest.id).ok());
  EXPECT_THAT(std::string(store->DiscardEmptyRun(full).message()),
              testing::HasSubstr("holds 12 samples and is kept"));
  EXPECT_EQ(Samples(*store, full, {}).size(), 12u);
}

TEST_F(StoreTest, KeysAreListedAsTheyWereGiven) {
  auto store = OpenStore();
  RunManifest manifest = MakeManifest();
  ASSERT_OK_AND_ASSIGN(auto writer, store->CreateRun(&manifest));
  ASSERT_OK(writer->PutProblem("sums", MakeProblem("p"), MakePrompt("p")));
  const std::vector<std::string> keys = {
      KeyOf("sums", "p", 0),     "", "short", std::string(64, 'G'), std::string(64, 'A'),
      std::string("\xff\x00", 2)};
  for (size_t i = 0; i < keys.size(); ++i) {
    StoredSample sample = MakeSample("sums", "p", static_cast<int>(i));
    sample.key = keys[i];
    ASSERT_OK(writer->PutSample(std::move(sample)));
  }
  ASSERT_OK(writer->Flush());
  std::vector<std::string> found;
  ASSERT_OK(store->ForEachKey(manifest.id, "sums",
                              [&](std::string_view id, int index, std::string_view key) {
                                EXPECT_EQ(id, "p");
                                EXPECT_EQ(index, static_cast<int>(found.size()));
                                found.emplace_back(key);
                                return absl::OkStatus();
                              }));
  EXPECT_EQ(found, keys);
}

// --- what never changes ---

TEST_F(StoreTest, CompletionsProblemsAndVerdictsRefuseUpdates) {
  MakeRun(*OpenStore());
  ASSERT_OK_AND_ASSIGN(Sqlite database, Sqlite::Open(path_, SqliteMode::kReadWrite));
  for (const char* sql :
       {"UPDATE samples SET prompt_tokens = 1", "UPDATE texts SET tail = x'00'",
        "UPDATE verdicts SET score = 1", "UPDATE problems SET problem_id = 'x'"}) {
    const absl::Status status = database.Execute(sql);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << sql;
    EXPECT_THAT(std::string(status.message()), HasSubstr("never changed")) << sql;
  }
}

TEST_F(StoreTest, ProblemAskedOtherwiseIsAnError) {
  auto store = OpenStore();
  const std::string run = MakeRun(*store);
  ASSERT_OK_AND_ASSIGN(auto writer, store->ResumeRun(run));
  ASSERT_OK(writer->PutProblem("sums", MakeProblem("p0"), MakePrompt("p0")));
  ASSERT_OK(writer->Flush());
  Problem changed = MakeProblem("p0");
  changed.reference = "43";
  ASSERT_OK(writer->PutProblem("sums", changed, MakePrompt("p0")));
  EXPECT_THAT(std::string(writer->Flush().message()), HasSubstr("problem p0 of task sums"));
}

TEST_F(StoreTest, SampleNeedsItsProblemAndItsTask) {
  auto store = OpenStore();
  const std::string run = MakeRun(*store);
  {
    ASSERT_OK_AND_ASSIGN(auto writer, store->ResumeRun(run));
    ASSERT_OK(writer->PutSample(MakeSample("sums", "unknown", 0)));
    EXPECT_THAT(std::string(writer->Flush().message()), HasSubstr("no problem 'unknown'"));
  }
  ASSERT_OK_AND_ASSIGN(auto writer, store->ResumeRun(run));
  ASSERT_OK(writer->PutSample(MakeSample("products", "p0", 0)));
  EXPECT_THAT(std::string(writer->Flush().message()), HasSubstr("no task 'products'"));
}

TEST_F(StoreTest, LateManifestFieldsAreSetOnce) {
  auto store = OpenStore();
  RunManifest manifest = MakeManifest();
  ASSERT_OK(store->CreateRun(&manifest).status());
  TaskManifest task = manifest.tasks[0];
  task.problems = 500;
  task.prompt_hash = "hash";
  ASSERT_OK(store->UpdateTasks(manifest.id, {task}));
  ASSERT_OK(store->UpdateTasks(manifest.id, {task}));  // the same again: nothing to do
  ASSERT_OK_AND_ASSIGN(const RunSummary summary, store->FindRun(manifest.id));
  EXPECT_EQ(summary.manifest.tasks[0].problems, 500);
  EXPECT_EQ(summary.manifest.tasks[0].prompt_hash, "hash");
  EXPECT_EQ(summary.samples_planned, 2000);
  task.prompt_hash = "another";
  EXPECT_THAT(std::string(store->UpdateTasks(manifest.id, {task}).message()),
              HasSubstr("prompt_hash"));
  task.prompt_hash = "hash";
  task.grader = "exact";
  EXPECT_THAT(std::string(store->UpdateTasks(manifest.id, {task}).message()), HasSubstr("grader"));
  task.name = "other";
  EXPECT_EQ(store->UpdateTasks(manifest.id, {task}).code(), absl::StatusCode::kNotFound);
}

// --- verdicts ---

TEST_F(StoreTest, NewestVerdictCountsAndTheOthersStay) {
  auto store = OpenStore();
  const std::string run = MakeRun(*store);
  std::vector<Store::NewVerdict> verdicts;
  for (int i = 0; i < 4; ++i) {
    Store::NewVerdict verdict;
    verdict.task = "sums";
    verdict.problem_id = "p1";
    verdict.index = i;
    verdict.extraction.answer = "41";
    verdict.extraction.strict = "41";
    verdict.extraction.lenient = "43";
    verdict.verdict.outcome = Outcome::kIncorrect;
    verdict.verdict.grader = "math";
    verdict.verdict.grader_version = 2;
    verdicts.push_back(verdict);
  }
  ASSERT_OK(store->PutVerdicts(run, verdicts));
  const auto wrong = Samples(*store, run, {.outcome = Outcome::kIncorrect});
  ASSERT_EQ(wrong.size(), 4u);
  EXPECT_EQ(wrong[0].sample.problem_id, "p1");
  EXPECT_EQ(wrong[0].sample.verdict.grader_version, 2);
  EXPECT_EQ(wrong[0].sample.extraction.answer, "41");
  EXPECT_EQ(wrong[0].sample.extraction.strict, "41");
  EXPECT_EQ(wrong[0].sample.extraction.lenient, "43");
  EXPECT_EQ(Samples(*store, run, {.outcome = Outcome::kCorrect}).size(), 8u);
  ASSERT_OK_AND_ASSIGN(const auto history, store->VerdictHistory(run, "sums", "p1", 0));
  ASSERT_EQ(history.size(), 2u);
  EXPECT_EQ(history[0].grader_version, 1);
  EXPECT_EQ(history[1].grader_version, 2);
  verdicts[1].index = 99;
  const absl::Status missing = store->PutVerdicts(run, verdicts);
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  ASSERT_OK_AND_ASSIGN(const auto after, store->VerdictHistory(run, "sums", "p1", 0));
  EXPECT_EQ(after.size(), 2u) << "a batch with an error leaves nothing";
}

TEST_F(StoreTest, VerdictsMayBeAddedWhileSamplesAreVisited) {
  auto store = OpenStore();
  const std::string run = MakeRun(*store);
  int visited = 0;
  ASSERT_OK(store->ForEachSample(run, {}, [&](const StoredSample& stored) {
    ++visited;
    EXPECT_EQ(stored.sample.verdict.grader_version, 1);
    Store::NewVerdict verdict{stored.task, stored.sample.problem_id, stored.sample.index,
                              stored.sample.extraction, stored.sample.verdict};
    verdict.verdict.grader_version = 2;
    return store->PutVerdicts(run, {verdict});
  }));
  EXPECT_EQ(visited, 12);
}

// --- failures ---

TEST_F(StoreTest, FailureStaysUntilItsSampleLands) {
  auto store = OpenStore();
  RunManifest manifest = MakeManifest();
  ASSERT_OK_AND_ASSIGN(auto writer, store->CreateRun(&manifest));
  ASSERT_OK(writer->PutProblem("sums", MakeProblem("p"), MakePrompt("p")));
  ASSERT_OK(writer->PutFailure("sums", "p", 1, "connection reset"));
  ASSERT_OK(writer->PutFailure("sums", "p", 1, "status 503"));
  ASSERT_OK(writer->PutFailure("sums", "p", 0, "stalled"));
  ASSERT_OK(writer->Flush());
  ASSERT_OK_AND_ASSIGN(auto failures, store->ListFailures(manifest.id));
  ASSERT_EQ(failures.size(), 2u);
  EXPECT_EQ(failures[1].message, "status 503");
  EXPECT_EQ(failures[1].problem_id, "p");
  EXPECT_EQ(failures[1].when.size(), 20u);
  writer.reset();
  ASSERT_OK_AND_ASSIGN(writer, store->ResumeRun(manifest.id));
  ASSERT_OK(writer->PutSample(MakeSample("sums", "p", 1)));
  ASSERT_OK(writer->PutFailure("sums", "p", 1, "too late"));  // the sample is there
  ASSERT_OK(writer->Finish(RunState::kIncomplete));
  ASSERT_OK_AND_ASSIGN(failures, store->ListFailures(manifest.id));
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0].index, 0);
  ASSERT_OK_AND_ASSIGN(const RunSummary summary, store->FindRun(manifest.id));
  EXPECT_EQ(summary.failures, 1);
  EXPECT_EQ(summary.state, RunState::kIncomplete);
}

// --- finding runs ---

TEST_F(StoreTest, RunsAreFoundByIdPrefixNameAndLast) {
  auto store = OpenStore();
  EXPECT_EQ(store->FindRun("last").status().code(), absl::StatusCode::kNotFound);
  const std::string one = MakeRun(*store, "first"), two = MakeRun(*store, "second");
  const std::string three = MakeRun(*store, "second");
  const auto id = [&](std::string_view which) -> std::string {
    const absl::StatusOr<RunSummary> run = store->FindRun(which);
    return run.ok() ? run->manifest.id : std::string(run.status().message());
  };
  EXPECT_EQ(id(one), one);
  EXPECT_EQ(id("first"), one);
  EXPECT_EQ(id("last"), three);
  EXPECT_EQ(id(one.substr(0, 7)), one);
  EXPECT_THAT(id("second"), HasSubstr("means 2 runs"));
  EXPECT_THAT(id("second"), HasSubstr(two));
  EXPECT_THAT(id("frist"), HasSubstr("did you mean 'first'?"));
  EXPECT_THAT(id("frist"), HasSubstr(one));
  ASSERT_OK_AND_ASSIGN(const auto runs, store->ListRuns());
  ASSERT_EQ(runs.size(), 3u);
  EXPECT_EQ(runs[0].manifest.id, one);
  std::set<std::string> ids = {one, two, three};
  EXPECT_EQ(ids.size(), 3u);
}

TEST_F(StoreTest, StateFollowsTheWriter) {
  auto store = OpenStore();
  RunManifest manifest = MakeManifest();
  const auto state = [&] { return store->FindRun(manifest.id)->state; };
  {
    ASSERT_OK_AND_ASSIGN(auto writer, store->CreateRun(&manifest));
    EXPECT_EQ(state(), RunState::kRunning);
  }
  EXPECT_EQ(state(), RunState::kIncomplete);  // its writer died without a word
  {
    ASSERT_OK_AND_ASSIGN(auto writer, store->ResumeRun(manifest.id));
    EXPECT_EQ(state(), RunState::kRunning);
    ASSERT_OK(writer->Finish(RunState::kComplete));
    EXPECT_EQ(state(), RunState::kComplete);
  }
  EXPECT_EQ(store->ResumeRun("nonsense").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(StoreTest, SessionsTellWhoDrewWhereAndWhyTheyStopped) {
  auto store = OpenStore();
  RunManifest manifest = MakeManifest();
  manifest.sessions = {{.assay_version = "0.1.0", .host = "here", .base_urls = {"http://one/v1"}}};
  ASSERT_OK((*store->CreateRun(&manifest))->Finish(RunState::kIncomplete, "HTTP 401"));
  {
    // As it is left by kill -9.
    ASSERT_OK(store->ResumeRun(manifest.id).status());
  }
  const Resumption moved = {
      {.assay_version = "0.2.0", .host = "there", .base_urls = {"http://two/v1"}},
      Json::MakeObject({{"limit", 4}})};
  {
    ASSERT_OK_AND_ASSIGN(auto writer, store->ResumeRun(manifest.id, moved));
    ASSERT_OK(writer->Finish(RunState::kComplete));
  }
  ASSERT_OK_AND_ASSIGN(const RunSummary run, store->FindRun(manifest.id));
  const std::vector<RunSession>& sessions = run.manifest.sessions;
  ASSERT_EQ(sessions.size(), 3u);
  EXPECT_EQ(sessions[0].started, run.manifest.started);
  EXPECT_EQ(sessions[0].stopped_by, "HTTP 401");
  EXPECT_EQ(sessions[0].base_urls, std::vector<std::string>{"http://one/v1"});
  EXPECT_EQ(sessions[1].ended, "");
  EXPECT_EQ(sessions[1].started.size(), 20u);
  EXPECT_EQ(sessions[2].host, "there");
  EXPECT_EQ(sessions[2].assay_version, "0.2.0");
  EXPECT_EQ(sessions[2].stopped_by, "");
  EXPECT_EQ(sessions[2].ended, run.finished);
  EXPECT_EQ(run.manifest.options, moved.options);
}

// A newer program's manifest may say more than this one knows: it stays.
TEST_F(StoreTest, MembersOfAManifestThatNobodyKnowsOutliveAResume) {
  auto store = OpenStore();
  RunManifest manifest = MakeManifest();
  ASSERT_OK((*store->CreateRun(&manifest))->Finish(RunState::kIncomplete));
  ASSERT_OK_AND_ASSIGN(Sqlite database, Sqlite::Open(path_, SqliteMode::kReadWrite));
  ASSERT_OK(database.Execute("UPDATE runs SET manifest = json_set(manifest, '$.later', 7)"));
  ASSERT_OK((*store->ResumeRun(manifest.id))->Finish(RunState::kComplete));
  ASSERT_OK_AND_ASSIGN(const int64_t later,
                       database.QueryInteger("SELECT json_extract(manifest, '$.later') FROM runs"));
  EXPECT_EQ(later, 7);
}

// --- threads ---

TEST_F(StoreTest, ManyThreadsPutAndReadAtOnce) {
  auto store = OpenStore();
  RunManifest manifest = MakeManifest();
  ASSERT_OK_AND_ASSIGN(auto writer, store->CreateRun(&manifest));
  constexpr int kThreads = 6, kProblems = 40, kSamples = 5;
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int p = 0; p < kProblems; ++p) {
        const std::string id = absl::StrFormat("%d-%d", t, p);
        EXPECT_OK(writer->PutProblem("sums", MakeProblem(id), MakePrompt(id)));
        for (int i = 0; i < kSamples; ++i) {
          EXPECT_OK(writer->PutSample(MakeSample("sums", id, i)));
        }
        if (p % 10 == t) {
          EXPECT_OK(writer->Flush());
        }
      }
    });
  }
  size_t seen = 0;
  for (int i = 0; i < 20; ++i) {
    const size_t now = Samples(*store, manifest.id, {}).size();
    EXPECT_GE(now, seen) << "a committed sample vanished";
    seen = now;
  }
  threads.clear();
  ASSERT_OK(writer->Flush());
  EXPECT_EQ(Samples(*store, manifest.id, {}).size(),
            static_cast<size_t>(kThreads * kProblems * kSamples));
}

TEST_F(StoreTest, LargeRepliesPassTheBoundedQueue) {
  auto store = OpenStore();
  RunManifest manifest = MakeManifest();
  ASSERT_OK_AND_ASSIGN(auto writer, store->CreateRun(&manifest));
  ASSERT_OK(writer->PutProblem("sums", MakeProblem("p"), MakePrompt("p")));
  std::mt19937 random(3);
  std::string noise(40 << 20, ' ');  // beyond the queue's limit: it must pass alone
  for (char& c : noise) c = static_cast<char>('a' + random() % 4);
  for (int i = 0; i < 3; ++i) {
    StoredSample sample = MakeSample("sums", "p", i);
    sample.sample.completion.raw = sample.sample.completion.answer = noise;
    ASSERT_OK(writer->PutSample(std::move(sample)));
  }
  ASSERT_OK(writer->Flush());
  const auto samples = Samples(*store, manifest.id, {.parts = SampleParts::kAnswers});
  ASSERT_EQ(samples.size(), 3u);
  EXPECT_EQ(samples[2].sample.completion.answer, noise);
}

// --- files ---

TEST_F(StoreTest, FilesThatAreNoDatabaseAreRefusedByName) {
  const auto error = [](const std::string& path, StoreMode mode) {
    return Store::Open(path, mode).status();
  };
  const absl::Status missing = error(path_, StoreMode::kReadOnly);
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(path_));
  for (const StoreMode mode : {StoreMode::kReadOnly, StoreMode::kReadWrite}) {
    const std::string text = directory_.Path("notes.txt");
    WriteWholeFile(text, std::string(10000, 'x'));
    const absl::Status not_sqlite = error(text, mode);
    EXPECT_EQ(not_sqlite.code(), absl::StatusCode::kDataLoss) << not_sqlite;
    EXPECT_THAT(std::string(not_sqlite.message()), HasSubstr("notes.txt"));
    EXPECT_EQ(ReadWholeFile(text), std::string(10000, 'x'));

    const std::string other = directory_.Path("other.db");
    if (!std::filesystem::exists(other)) {
      ASSERT_OK_AND_ASSIGN(Sqlite database, Sqlite::Open(other, SqliteMode::kReadWriteCreate));
      ASSERT_OK(database.Execute("CREATE TABLE songs (title)"));
    }
    const absl::Status foreign = error(other, mode);
    EXPECT_EQ(foreign.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(foreign.message()), HasSubstr("another program"));

    const absl::Status no_directory = error(directory_.Path("no/such/assay.db"), mode);
    EXPECT_EQ(no_directory.code(), absl::StatusCode::kNotFound) << no_directory;
    EXPECT_EQ(error(directory_.Path(), mode).code(), absl::StatusCode::kInvalidArgument);
  }
  WriteWholeFile(directory_.Path("empty.db"), "");
  EXPECT_THAT(std::string(error(directory_.Path("empty.db"), StoreMode::kReadOnly).message()),
              HasSubstr("empty"));
}

TEST_F(StoreTest, TruncatedAndDamagedFilesAreErrorsNotWrongAnswers) {
  std::string run;
  {
    auto store = OpenStore();
    run = MakeRun(*store, "a run", 200);
  }
  const std::string good = ReadWholeFile(path_);
  ASSERT_GT(good.size(), 100000u);
  const std::string bad = directory_.Path("bad.db");
  const auto read = [&](const std::string& bytes) -> absl::Status {
    WriteWholeFile(bad, bytes);
    ASSIGN_OR_RETURN(const auto store, Store::Open(bad, StoreMode::kReadOnly));
    size_t count = 0;
    RETURN_IF_ERROR(
        store->ForEachSample(run, {.parts = SampleParts::kAll}, [&](const StoredSample& stored) {
          ++count;
          const std::string& id = stored.sample.problem_id;
          const auto expected = MakeSample("sums", id, stored.sample.index);
          EXPECT_EQ(stored.sample.completion.raw, expected.sample.completion.raw);
          return absl::OkStatus();
        }));
    EXPECT_EQ(count, 800u);
    return absl::OkStatus();
  };
  ASSERT_OK(read(good));
  EXPECT_EQ(read(good.substr(0, good.size() / 2)).code(), absl::StatusCode::kDataLoss);
  EXPECT_FALSE(read(good.substr(0, 100)).ok());
  // A page of rubbish inside.
  std::string rubbish = good;
  const size_t page = good.size() / 4096 / 2 * 4096;
  for (size_t i = page; i < page + 4096; ++i) rubbish[i] = '\x5a';
  EXPECT_FALSE(read(rubbish).ok());
}

TEST_F(StoreTest, OlderFileIsBroughtUpToDate) {
  // Written by the first schema, and kept: tests/tables/store_v1.sql.
  const auto make = [&](const std::string& path) {
    ASSERT_OK_AND_ASSIGN(Sqlite database, Sqlite::Open(path, SqliteMode::kReadWriteCreate));
    ASSERT_OK(database.Execute(ReadWholeFile(SourcePath("tests/tables/store_v1.sql"))));
    ASSERT_OK_AND_ASSIGN(const int64_t version, database.QueryInteger("PRAGMA user_version"));
    ASSERT_EQ(version, 1);
  };
  for (const StoreMode mode : {StoreMode::kReadOnly, StoreMode::kReadWrite}) {
    path_ = directory_.Path(mode == StoreMode::kReadOnly ? "read.db" : "write.db");
    make(path_);
    auto store = OpenStore(mode);
    ASSERT_NE(store, nullptr);
    ASSERT_OK_AND_ASSIGN(const RunSummary summary, store->FindRun("last"));
    EXPECT_EQ(summary.manifest.name, "old run");
    EXPECT_EQ(summary.samples_stored, 2);
    ASSERT_OK(store->ListFailures(summary.manifest.id).status());  // a table of schema 2
    const auto samples = Samples(*store, summary.manifest.id, {.parts = SampleParts::kAll});
    ASSERT_EQ(samples.size(), 2u);
    EXPECT_EQ(samples[0].key, KeyOf("sums", "p0", 0));
    EXPECT_EQ(samples[0].sample.completion.raw, "<think>\nold thoughts\n</think>\n\n42");
    EXPECT_EQ(samples[0].sample.completion.reasoning, "old thoughts");
    EXPECT_EQ(samples[1].sample.verdict.outcome, Outcome::kIncorrect);
    const auto with = Samples(*store, summary.manifest.id, {.logprobs = true});
    ASSERT_EQ(with.size(), 2u);
    EXPECT_EQ(with[0].sample.completion.logprobs, "");  // a table of schema 3
    ASSERT_OK_AND_ASSIGN(Sqlite database, Sqlite::Open(path_, SqliteMode::kReadOnly));
    ASSERT_OK_AND_ASSIGN(const int64_t version, database.QueryInteger("PRAGMA user_version"));
    EXPECT_EQ(version, SchemaVersion());
  }
}

TEST_F(StoreTest, NewerFileIsRefusedByName) {
  MakeRun(*OpenStore());
  {
    ASSERT_OK_AND_ASSIGN(Sqlite database, Sqlite::Open(path_, SqliteMode::kReadWrite));
    ASSERT_OK(database.Execute("PRAGMA user_version = 999"));
  }
  for (const StoreMode mode : {StoreMode::kReadOnly, StoreMode::kReadWrite}) {
    const absl::Status status = Store::Open(path_, mode).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(status.message()), HasSubstr("assay.db"));
    EXPECT_THAT(std::string(status.message()), HasSubstr("newer assay (schema 999)"));
  }
}

TEST_F(StoreTest, StoreForReadingWritesNothing) {
  const std::string run = MakeRun(*OpenStore());
  auto store = OpenStore(StoreMode::kReadOnly);
  RunManifest manifest = MakeManifest();
  EXPECT_EQ(store->CreateRun(&manifest).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(store->ResumeRun(run).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(store->PutVerdicts(run, {}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Samples(*store, run, {}).size(), 12u);
  store.reset();
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(directory_.Path())) {
    left.push_back(entry.path().filename());
  }
  EXPECT_EQ(left, std::vector<std::string>{"assay.db"}) << "no log, no lock is left behind";
}

// --- other processes ---

// Runs `body` in a child; its exit status, or -signal. The child must not touch what the parent has
// open.
template <typename Body>
pid_t Fork(Body body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  return child;
}
int Await(pid_t child) {
  int ended = 0;
  waitpid(child, &ended, 0);
  return WIFEXITED(ended) ? WEXITSTATUS(ended) : -WTERMSIG(ended);
}

void ExpectSound(const std::string& path) {
  ASSERT_OK_AND_ASSIGN(Sqlite database, Sqlite::Open(path, SqliteMode::kReadWrite));
  ASSERT_OK_AND_ASSIGN(const std::string check, database.QueryText("PRAGMA integrity_check"));
  EXPECT_EQ(check, "ok");
  ASSERT_OK_AND_ASSIGN(const std::string keys, database.QueryText("PRAGMA foreign_key_check"));
  EXPECT_EQ(keys, "");
  ASSERT_OK_AND_ASSIGN(
      const int64_t bare,
      database.QueryInteger("SELECT count(*) FROM samples WHERE id NOT IN (SELECT sample FROM "
                            "texts)"));
  EXPECT_EQ(bare, 0);
}

TEST_F(StoreTest, SecondWriterOfARunIsToldWhoHoldsIt) {
  const std::string run = MakeRun(*OpenStore());
  int ready[2], go[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(go), 0);
  const pid_t child = Fork([&] {
    auto store = Store::Open(path_, StoreMode::kReadWrite);
    auto writer = (*store)->ResumeRun(run);
    if (write(ready[1], writer.ok() ? "y" : "n", 1) != 1) return 2;
    char byte;
    return read(go[0], &byte, 1) == 1 ? 0 : 3;
  });
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  auto store = OpenStore();
  const absl::Status refused = store->ResumeRun(run).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr(absl::StrFormat("process %d on ", child)));
  EXPECT_THAT(std::string(refused.message()), HasSubstr(run));
  EXPECT_EQ(store->FindRun(run)->state, RunState::kRunning);
  // The same file by another name is the same run.
  std::filesystem::create_symlink(path_, directory_.Path("link.db"));
  ASSERT_OK_AND_ASSIGN(auto linked, Store::Open(directory_.Path("link.db"), StoreMode::kReadWrite));
  EXPECT_EQ(linked->ResumeRun(run).status().code(), absl::StatusCode::kFailedPrecondition);
  // Another run may be written meanwhile.
  EXPECT_EQ(Samples(*store, MakeRun(*store), {}).size(), 12u);
  // The lock dies with the process, however it dies.
  kill(child, SIGKILL);
  EXPECT_EQ(Await(child), -SIGKILL);
  EXPECT_EQ(store->FindRun(run)->state, RunState::kIncomplete);
  EXPECT_OK(store->ResumeRun(run).status());
}

TEST_F(StoreTest, SecondWriterInOneProcessIsRefusedToo) {
  auto store = OpenStore();
  const std::string run = MakeRun(*store);
  ASSERT_OK_AND_ASSIGN(auto writer, store->ResumeRun(run));
  EXPECT_EQ(store->ResumeRun(run).status().code(), absl::StatusCode::kFailedPrecondition);
  writer.reset();
  EXPECT_OK(store->ResumeRun(run).status());
}

// Writes a run of `problems` x 4 samples, flushing now and then; 0 when all went well.
int WriteRun(const std::string& path, int problems) {
  absl::StatusOr<std::unique_ptr<Store>> store = Store::Open(path, StoreMode::kReadWrite);
  if (!store.ok()) return 2;
  RunManifest manifest = MakeManifest();
  absl::StatusOr<std::unique_ptr<RunWriter>> writer = (*store)->CreateRun(&manifest);
  if (!writer.ok()) return 3;
  for (int p = 0; p < problems; ++p) {
    const std::string id = "p" + std::to_string(p);
    if (!(*writer)->PutProblem("sums", MakeProblem(id), MakePrompt(id)).ok()) return 4;
    for (int i = 0; i < 4; ++i) {
      if (!(*writer)->PutSample(MakeSample("sums", id, i)).ok()) return 5;
    }
    if (p % 3 == 0 && !(*writer)->Flush().ok()) return 6;
  }
  return (*writer)->Finish(RunState::kComplete).ok() ? 0 : 7;
}

TEST_F(StoreTest, ProcessesThatMakeAndWriteOneDatabaseAtOnceLoseNothing) {
  constexpr int kProcesses = 5, kProblems = 60;
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    children.push_back(Fork([&] { return WriteRun(path_, kProblems); }));
  }
  for (const pid_t child : children) EXPECT_EQ(Await(child), 0);
  ExpectSound(path_);
  auto store = OpenStore();
  ASSERT_OK_AND_ASSIGN(const auto runs, store->ListRuns());
  ASSERT_EQ(runs.size(), static_cast<size_t>(kProcesses));
  for (const RunSummary& run : runs) {
    EXPECT_EQ(run.state, RunState::kComplete);
    EXPECT_EQ(run.samples_stored, 4 * kProblems);
  }
}

// The child says on a pipe which samples a successful Flush covered; the parent kills it at a
// random moment, and all of them must be there, once.
TEST_F(StoreTest, ADatabaseThatIsMovedOrDeletedUnderARunIsAnError) {
  for (const bool deleted : {false, true}) {
    path_ = directory_.Path(deleted ? "deleted.db" : "moved.db");
    const std::unique_ptr<Store> store = OpenStore();
    RunManifest manifest = MakeManifest();
    ASSERT_OK_AND_ASSIGN(auto writer, store->CreateRun(&manifest));
    ASSERT_OK(writer->PutProblem("sums", MakeProblem("p"), MakePrompt("p")));
    ASSERT_OK(writer->PutSample(MakeSample("sums", "p", 0)));
    ASSERT_OK(writer->Flush());
    if (deleted) std::filesystem::remove(path_);
    if (!deleted) std::filesystem::rename(path_, path_ + ".elsewhere");
    const absl::Status put = writer->PutSample(MakeSample("sums", "p", 1));
    const absl::Status status = put.ok() ? writer->Flush() : put;
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(status.message()), HasSubstr("moved, deleted or replaced"));
  }
}

TEST_F(StoreTest, KillAtAnyMomentLosesNothingThatWasFlushed) {
  std::string run;
  {
    auto store = OpenStore();
    RunManifest manifest = MakeManifest();
    ASSERT_OK(store->CreateRun(&manifest).status());
    run = manifest.id;
  }
  std::mt19937 random(20);
  int acknowledged_in_all = 0;
  int next = 0;  // problems are numbered through all rounds
  for (int round = 0; round < 30; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const pid_t child = Fork([&] {
      auto store = Store::Open(path_, StoreMode::kReadWrite);
      if (!store.ok()) return 2;
      auto writer = (*store)->ResumeRun(run);
      if (!writer.ok()) return 3;
      for (int p = next;; ++p) {
        const std::string id = "p" + std::to_string(p);
        if (!(*writer)->PutProblem("sums", MakeProblem(id), MakePrompt(id)).ok()) return 4;
        for (int i = 0; i < 4; ++i) {
          if (!(*writer)->PutSample(MakeSample("sums", id, i)).ok()) return 5;
        }
        if (p % 7 != 0) continue;
        if (!(*writer)->Flush().ok()) return 6;
        if (write(pipe_ends[1], &p, sizeof(p)) != sizeof(p)) return 7;
      }
    });
    close(pipe_ends[1]);
    int flushed_to = -1;
    // Every other round waits for a first word, however slow the machine; the rest may die while
    // they open the file.
    if (round % 2 == 1) {
      ASSERT_EQ(read(pipe_ends[0], &flushed_to, sizeof(int)), static_cast<ssize_t>(sizeof(int)));
    }
    usleep(random() % 60000);
    kill(child, SIGKILL);
    ASSERT_EQ(Await(child), -SIGKILL) << "the child ended by itself";
    for (int p; read(pipe_ends[0], &p, sizeof(p)) == sizeof(p);) flushed_to = p;
    close(pipe_ends[0]);

    auto store = OpenStore(StoreMode::kReadOnly);
    ASSERT_NE(store, nullptr);
    std::map<int, std::set<int>> found;
    for (const StoredSample& stored : Samples(*store, run, {.parts = SampleParts::kAll})) {
      const int p = std::atoi(stored.sample.problem_id.c_str() + 1);
      EXPECT_TRUE(found[p].insert(stored.sample.index).second) << "twice";
      const auto expected = MakeSample("sums", stored.sample.problem_id, stored.sample.index);
      ASSERT_EQ(stored.sample.completion.raw, expected.sample.completion.raw);
      ASSERT_TRUE(stored.graded);
    }
    for (int p = 0; p <= flushed_to; ++p) {
      ASSERT_EQ(found[p].size(), 4u)
          << "round " << round << ": flushed samples of p" << p << " are gone";
    }
    if (flushed_to >= 0) acknowledged_in_all += flushed_to - next + 1;
    // Resume begins where samples are missing, as `assay resume` does.
    while (found.count(next) > 0 && found[next].size() == 4) ++next;
  }
  ExpectSound(path_);
  EXPECT_GE(acknowledged_in_all, 15) << "the children wrote too little for a test";
}

// A limit on file sizes stands for a full disk: write(2) fails in the midst.
TEST_F(StoreTest, FullDiskIsToldAndLosesNothingThatWasCommitted) {
  const std::string run = MakeRun(*OpenStore());
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const pid_t child = Fork([&] {
    signal(SIGXFSZ, SIG_IGN);
    auto store = Store::Open(path_, StoreMode::kReadWrite);
    auto writer = (*store)->ResumeRun(run);
    const rlimit limit = {400000, 400000};
    setrlimit(RLIMIT_FSIZE, &limit);
    absl::Status status;
    int flushed = -1;
    for (int p = 0; p < 100000 && status.ok(); ++p) {
      const std::string id = "q" + std::to_string(p);
      status = (*writer)->PutProblem("sums", MakeProblem(id), MakePrompt(id));
      if (status.ok()) status = (*writer)->PutSample(MakeSample("sums", id, 0));
      if (status.ok()) status = (*writer)->Flush();
      if (status.ok()) flushed = p;
    }
    if (write(pipe_ends[1], &flushed, sizeof(flushed)) != sizeof(flushed)) return 2;
    if (status.code() != absl::StatusCode::kResourceExhausted) return 3;
    if (status.message().find("assay.db") == absl::string_view::npos) return 4;
    if ((*writer)->PutSample(MakeSample("sums", "q0", 1)) != status) return 5;  // from then on
    return (*writer)->Finish(RunState::kComplete) == status ? 0 : 6;
  });
  EXPECT_EQ(Await(child), 0);
  int flushed = -1;
  ASSERT_EQ(read(pipe_ends[0], &flushed, sizeof(flushed)), static_cast<ssize_t>(sizeof(flushed)));
  EXPECT_GT(flushed, 10);
  ExpectSound(path_);
  auto store = OpenStore();
  EXPECT_EQ(Samples(*store, run, {}).size(), static_cast<size_t>(12 + flushed + 1));
  EXPECT_EQ(store->FindRun(run)->state, RunState::kIncomplete);
  // With room again the run goes on.
  ASSERT_OK_AND_ASSIGN(auto writer, store->ResumeRun(run));
  ASSERT_OK(writer->PutProblem("sums", MakeProblem("after"), MakePrompt("after")));
  ASSERT_OK(writer->PutSample(MakeSample("sums", "after", 0)));
  ASSERT_OK(writer->Finish(RunState::kComplete));
}

// Root may do everything: the child becomes somebody else.
bool BecomeNobody() { return geteuid() != 0 || (setegid(65534) == 0 && seteuid(65534) == 0); }

TEST_F(StoreTest, DirectoryThatCannotBeWrittenIsReadAllTheSame) {
  const std::string run = MakeRun(*OpenStore());
  ASSERT_EQ(chmod(directory_.Path().c_str(), 0555), 0);
  ASSERT_EQ(chmod(path_.c_str(), 0444), 0);
  const pid_t child = Fork([&] {
    if (!BecomeNobody()) return 2;
    auto store = Store::Open(path_, StoreMode::kReadOnly);
    if (!store.ok()) return 3;
    int count = 0;
    const absl::Status status =
        (*store)->ForEachSample(run, {.parts = SampleParts::kAll}, [&](const StoredSample&) {
          ++count;
          return absl::OkStatus();
        });
    if (!status.ok() || count != 12) return 4;
    const absl::Status refused = Store::Open(path_, StoreMode::kReadWrite).status();
    if (refused.code() != absl::StatusCode::kPermissionDenied) return 5;
    const absl::Status no_new =
        Store::Open(directory_.Path("new.db"), StoreMode::kReadWrite).status();
    if (no_new.code() != absl::StatusCode::kPermissionDenied) return 6;
    return no_new.message().find("new.db") != absl::string_view::npos ? 0 : 7;
  });
  EXPECT_EQ(Await(child), 0);
  chmod(directory_.Path().c_str(), 0755);
}

// A file of the schema before log-probabilities, where nobody may write: read as it is.
TEST_F(StoreTest, AFileWithoutLogprobsIsReadWhereItCannotBeBroughtUpToDate) {
  const std::string run = MakeRun(*OpenStore());
  {
    ASSERT_OK_AND_ASSIGN(Sqlite database, Sqlite::Open(path_, SqliteMode::kReadWrite));
    ASSERT_OK(database.Execute("DROP TABLE logprobs; PRAGMA user_version = 2;"));
  }
  ASSERT_EQ(chmod(directory_.Path().c_str(), 0555), 0);
  ASSERT_EQ(chmod(path_.c_str(), 0444), 0);
  const pid_t child = Fork([&] {
    if (!BecomeNobody()) return 2;
    auto store = Store::Open(path_, StoreMode::kReadOnly);
    if (!store.ok()) return 3;
    int count = 0;
    const SampleFilter filter = {.parts = SampleParts::kAll, .logprobs = true};
    const absl::Status status = (*store)->ForEachSample(run, filter, [&](const StoredSample& s) {
      count += s.sample.completion.logprobs.empty() && !s.sample.completion.raw.empty() ? 1 : 100;
      return absl::OkStatus();
    });
    return status.ok() && count == 12 ? 0 : 4;
  });
  EXPECT_EQ(Await(child), 0);
  chmod(directory_.Path().c_str(), 0755);
  chmod(path_.c_str(), 0644);
  // Where it can be written it is brought up to date, and loses nothing.
  EXPECT_EQ(Samples(*OpenStore(), run, {.parts = SampleParts::kAll, .logprobs = true}).size(), 12u);
}

TEST_F(StoreTest, FileThatCannotBeReadIsPermissionDenied) {
  MakeRun(*OpenStore());
  ASSERT_EQ(chmod(directory_.Path().c_str(), 0755), 0);
  ASSERT_EQ(chmod(path_.c_str(), 0), 0);
  const pid_t child = Fork([&] {
    if (!BecomeNobody()) return 2;
    for (const StoreMode mode : {StoreMode::kReadOnly, StoreMode::kReadWrite}) {
      const absl::Status status = Store::Open(path_, mode).status();
      if (status.code() != absl::StatusCode::kPermissionDenied) return 3;
      if (status.message().find("assay.db") == absl::string_view::npos) return 4;
    }
    return 0;
  });
  EXPECT_EQ(Await(child), 0);
}

// --- manifests ---

TEST(Manifest, WrongKindsAreNamed) {
  ASSERT_OK_AND_ASSIGN(const Json wrong, ParseJson(R"({"name": 3})"));
  EXPECT_THAT(std::string(RunManifestFromJson(wrong).status().message()),
              HasSubstr("field 'name': wanted a string, found integer"));
  ASSERT_OK_AND_ASSIGN(const Json unknown, ParseJson(R"({"name": "n", "later": [1]})"));
  EXPECT_OK(RunManifestFromJson(unknown).status());
  ASSERT_OK_AND_ASSIGN(const Json tasks, ParseJson(R"({"tasks": [{"metrics": ["a", 2]}]})"));
  EXPECT_THAT(std::string(RunManifestFromJson(tasks).status().message()), HasSubstr("'metrics'"));
}

}  // namespace
}  // namespace assay
