// The pipeline against a fake backend: nothing lost, nothing twice, failures stay missing, resume
// asks only for the rest.
#include "harness/pipeline.h"

#include <filesystem>
#include <mutex>
#include <set>
#include <thread>

#include "harness/keys.h"
#include "harness/regrade.h"
#include "harness/status.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing_support::TemporaryDirectory;
using testing_support::WriteWholeFile;

// Answers every draw with "Answer: <letter of what reply(problem, index) says>"; faults on request.
class FakeSource final : public CompletionSource {
 public:
  std::function<absl::StatusOr<Completion>(const CompletionRequest&, const Draw&)> reply;
  std::function<void()> after_each = [] {};
  absl::Status fatal;  // returned by Run after `fatal_after` draws
  int fatal_after = -1;
  std::string model = "fake";
  int threads = 2;

  BackendIdentity identity() const override { return {.model = model, .endpoint = "fake:"}; }

  absl::Status Run(const CompletionFlow& flow) override {
    std::vector<std::jthread> pool;
    for (int i = 0; i < threads; ++i) {
      pool.emplace_back([&] {
        while (!flow.stopping()) {
          const std::optional<CompletionRequest> request = flow.next();
          if (!request) return;
          for (const Draw& draw : request->draws) {
            if (flow.stopping() ||
                (fatal_after >= 0 && asked.size() >= static_cast<size_t>(fatal_after)))
              return;
            {
              std::lock_guard lock(mutex);
              asked.push_back({request->problem_id, draw.index});
              seeds.insert(draw.seed);
            }
            flow.done(*request, draw, reply(*request, draw));
            after_each();
          }
        }
      });
    }
    pool.clear();
    return fatal;
  }

  std::mutex mutex;
  std::vector<std::pair<std::string, int>> asked;  // guarded by mutex while Run
  std::set<uint64_t> seeds;                        // guarded by mutex while Run
};

Completion Says(std::string answer) {
  Completion completion;
  completion.raw = completion.answer = std::move(answer);
  completion.tokens = {10, 0, 5, TokenSource::kMeasured};
  return completion;
}

class PipelineTest : public testing::Test {
 protected:
  void SetUp() override { WriteTask(kProblems); }

  void WriteTask(int problems) {
    std::string rows;
    for (int i = 0; i < problems; ++i) {
      rows += absl::StrFormat(
          "{\"id\": \"p%d\", \"question\": \"What is %d + 1?\", \"answer\": \"%d\"}\n", i, i,
          i + 1);
    }
    WriteWholeFile(directory_.Path("sums.jsonl"), rows);
    WriteWholeFile(directory_.Path("sums.yaml"), R"(name: sums
version: "1"
about: Sums for the pipeline's tests.
dataset:
  file: sums.jsonl
fields:
  id: id
  reference: answer
prompt: "{{ question }}"
extract:
  name: last_line
grader:
  name: exact
samples: 3
sampling:
  temperature: 0.6
metrics: [pass@1]
)");
  }

  RunPlan Plan(double limit = 0) {
    RunPlan plan;
    plan.search = DefaultSearchPath({}, {});
    absl::StatusOr<std::vector<Task>> tasks =
        LoadTasks(plan.search, directory_.Path("sums.yaml"), {});
    EXPECT_TRUE(tasks.ok()) << tasks.status();
    if (tasks.ok()) plan.tasks = *std::move(tasks);
    plan.seed = 7;
    plan.limit = limit;
    return plan;
  }

  RunOutcome Start(const RunPlan& plan, FakeSource& source) {
    RunManifest manifest;
    absl::StatusOr<std::vector<TaskManifest>> tasks = PlanManifests(plan);
    EXPECT_TRUE(tasks.ok()) << tasks.status();
    manifest.tasks = *std::move(tasks);
    manifest.model = source.model;
    Reopen();
    absl::StatusOr<std::unique_ptr<RunWriter>> writer = store_->CreateRun(&manifest);
    EXPECT_TRUE(writer.ok()) << writer.status();
    run_id_ = manifest.id;
    return Execute(plan, source, **writer, &manifest);
  }

  RunOutcome Resume(const RunPlan& plan, FakeSource& source) {
    Reopen();
    absl::StatusOr<RunSummary> summary = store_->FindRun(run_id_);
    EXPECT_TRUE(summary.ok()) << summary.status();
    absl::StatusOr<std::unique_ptr<RunWriter>> writer = store_->ResumeRun(run_id_);
    EXPECT_TRUE(writer.ok()) << writer.status();
    return Execute(plan, source, **writer, &summary->manifest);
  }

  RunOutcome Execute(const RunPlan& plan, FakeSource& source, RunWriter& writer,
                     RunManifest* manifest) {
    BackendCounters counters;
    RunProgress progress;
    PipelineOptions options;
    options.interrupted = [this] { return interrupted_.load(); };
    return ExecuteRun(plan, source, *store_, writer, manifest, options, &counters, &progress);
  }

  void Reopen() {
    store_.reset();
    absl::StatusOr<std::unique_ptr<Store>> store =
        Store::Open(directory_.Path("runs.db"), StoreMode::kReadWrite);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  // (problem, index) -> outcome of all that is stored.
  std::map<std::pair<std::string, int>, Outcome> Stored() {
    std::map<std::pair<std::string, int>, Outcome> stored;
    EXPECT_OK(store_->ForEachSample(run_id_, {}, [&](const StoredSample& sample) {
      EXPECT_TRUE(stored
                      .emplace(std::pair(sample.sample.problem_id, sample.sample.index),
                               sample.sample.verdict.outcome)
                      .second);
      return absl::OkStatus();
    }));
    return stored;
  }

  static absl::StatusOr<Completion> Right(const CompletionRequest& request, const Draw&) {
    return Says(std::to_string(std::stoi(request.problem_id.substr(1)) + 1));
  }

  static constexpr int kProblems = 40;
  TemporaryDirectory directory_;
  std::unique_ptr<Store> store_;
  std::string run_id_;
  std::atomic<bool> interrupted_{false};
};

TEST_F(PipelineTest, EverySampleIsAskedOnceWithItsOwnSeedAndStored) {
  FakeSource source;
  source.reply = Right;
  const RunOutcome outcome = Start(Plan(), source);
  EXPECT_TRUE(outcome.complete) << outcome.error;
  EXPECT_EQ(outcome.samples_planned, kProblems * 3);
  EXPECT_EQ(source.asked.size(), kProblems * 3u);
  EXPECT_EQ(source.seeds.size(), kProblems * 3u);
  const auto stored = Stored();
  EXPECT_EQ(stored.size(), kProblems * 3u);
  for (const auto& [draw, result] : stored) EXPECT_EQ(result, Outcome::kCorrect) << draw.first;
}

TEST_F(PipelineTest, AFailedRequestStaysMissingAndResumeAsksOnlyForIt) {
  FakeSource source;
  source.reply = [](const CompletionRequest& request,
                    const Draw& draw) -> absl::StatusOr<Completion> {
    if (draw.index == 1 && request.problem_id.size() == 2)
      return absl::UnavailableError("connection reset");
    return Right(request, draw);
  };
  const RunOutcome first = Start(Plan(), source);
  EXPECT_FALSE(first.complete);
  EXPECT_OK(first.error);
  EXPECT_EQ(Stored().size(), kProblems * 3u - 10);
  ASSERT_OK_AND_ASSIGN(const std::vector<StoredFailure> failures, store_->ListFailures(run_id_));
  EXPECT_EQ(failures.size(), 10u);

  FakeSource again;
  again.reply = Right;
  const RunOutcome second = Resume(Plan(), again);
  EXPECT_TRUE(second.complete) << second.error;
  EXPECT_EQ(again.asked.size(), 10u);
  for (const auto& [problem, index] : again.asked) EXPECT_EQ(index, 1) << problem;
  EXPECT_EQ(Stored().size(), kProblems * 3u);
  ASSERT_OK_AND_ASSIGN(const std::vector<StoredFailure> left, store_->ListFailures(run_id_));
  EXPECT_TRUE(left.empty());
}

TEST_F(PipelineTest, ATruncatedReplyIsNeverSearched) {
  FakeSource source;
  source.reply = [](const CompletionRequest& request,
                    const Draw& draw) -> absl::StatusOr<Completion> {
    absl::StatusOr<Completion> completion = Right(request, draw);
    if (draw.index == 0) completion->finish = FinishReason::kLength;
    if (draw.index == 1) completion->unclosed_reasoning = true;
    return completion;
  };
  EXPECT_TRUE(Start(Plan(5), source).complete);
  for (const auto& [draw, outcome] : Stored()) {
    EXPECT_EQ(outcome, draw.second == 2 ? Outcome::kCorrect : Outcome::kTruncated);
  }
}

TEST_F(PipelineTest, AFatalBackendErrorEndsTheRunAndWhatLandedStays) {
  FakeSource source;
  source.reply = Right;
  source.threads = 1;
  source.fatal = absl::PermissionDeniedError("401: wrong key");
  source.fatal_after = 17;
  const RunOutcome outcome = Start(Plan(), source);
  EXPECT_FALSE(outcome.complete);
  EXPECT_THAT(std::string(outcome.error.message()), testing::HasSubstr("401"));
  EXPECT_EQ(Stored().size(), 17u);
}

TEST_F(PipelineTest, AnInterruptedRunResumesToTheSameSamples) {
  FakeSource source;
  source.reply = Right;
  std::atomic<int> done{0};
  source.after_each = [&] {
    if (++done == 50) interrupted_ = true;
  };
  const RunOutcome first = Start(Plan(), source);
  EXPECT_TRUE(first.interrupted);
  EXPECT_FALSE(first.complete);
  const size_t before = Stored().size();
  EXPECT_GE(before, 50u);
  EXPECT_LT(before, kProblems * 3u);
  interrupted_ = false;
  FakeSource again;
  again.reply = Right;
  EXPECT_TRUE(Resume(Plan(), again).complete);
  EXPECT_EQ(again.asked.size(), kProblems * 3u - before);
  EXPECT_EQ(Stored().size(), kProblems * 3u);
}

TEST_F(PipelineTest, ResumingWithAnotherModelIsRefused) {
  FakeSource source;
  source.reply = Right;
  EXPECT_TRUE(Start(Plan(3), source).complete);
  FakeSource other;
  other.reply = Right;
  other.model = "another";
  const RunOutcome outcome = Resume(Plan(), other);
  EXPECT_THAT(std::string(outcome.error.message()), testing::HasSubstr("asked differently"));
  EXPECT_EQ(Stored().size(), 9u);
}

TEST_F(PipelineTest, TwoProblemsOfOneIdEndTheRun) {
  WriteWholeFile(directory_.Path("sums.jsonl"),
                 "{\"id\":\"a\",\"question\":\"1\",\"answer\":\"1\"}\n{\"id\":\"a\",\"question\":"
                 "\"2\",\"answer\":\"2\"}\n");
  FakeSource source;
  source.reply = [](const CompletionRequest&, const Draw&) -> absl::StatusOr<Completion> {
    return Says("1");
  };
  const RunOutcome outcome = Start(Plan(), source);
  EXPECT_THAT(std::string(outcome.error.message()), testing::HasSubstr("sums.jsonl:2"));
  EXPECT_THAT(std::string(outcome.error.message()), testing::HasSubstr("'a'"));
}

TEST_F(PipelineTest, LimitsCountProblemsOrShares) {
  FakeSource source;
  source.reply = Right;
  EXPECT_EQ(Start(Plan(7), source).samples_planned, 21);
  EXPECT_EQ(Start(Plan(0.25), source).samples_planned, 30);
  EXPECT_EQ(Start(Plan(1000), source).samples_planned, kProblems * 3);
}

TEST_F(PipelineTest, RegradingTellsWhatChangedAndKeepsCompletions) {
  FakeSource source;
  source.reply = [](const CompletionRequest& request,
                    const Draw& draw) -> absl::StatusOr<Completion> {
    return draw.index == 2 ? Says("no idea") : Right(request, draw);
  };
  EXPECT_TRUE(Start(Plan(4), source).complete);
  ASSERT_OK_AND_ASSIGN(RunSummary summary, store_->FindRun(run_id_));
  ASSERT_OK_AND_ASSIGN(const RegradeReport same, Regrade(*store_, summary.manifest, {}));
  EXPECT_EQ(same.samples, 12);
  EXPECT_TRUE(same.changes.empty());
  // Another extractor than the run's: everything that it cannot read changes.
  summary.manifest.tasks[0].extractor = "boxed";
  summary.manifest.tasks[0].extract_options = Json::MakeObject({{"mode", "strict"}});
  ASSERT_OK_AND_ASSIGN(const RegradeReport changed, Regrade(*store_, summary.manifest, {}));
  EXPECT_EQ(changed.changes.size(), 12u);
  for (const auto& [draw, outcome] : Stored()) EXPECT_EQ(outcome, Outcome::kNoAnswer);
}

}  // namespace
}  // namespace assay
