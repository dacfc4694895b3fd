// The scheduler over a runner whose every logit hangs on the whole prefix as the pages hold it: a
// page lost, shared wrongly or brought back wrong changes the tokens.
#include "inference/engine/scheduler.h"

#include <cstring>
#include <deque>
#include <map>
#include <random>

#include "harness/status.h"
#include "inference/engine/philox.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::HasSubstr;

constexpr int kVocabulary = 40;
constexpr int kStop = 7;

// A page of this runner holds the tokens themselves. Checks what a ModelRunner may assume. With a
// depth above 1 it is a device that tells its tokens late: the step's outputs come only from
// FinishDecode.
class PrefixRunner final : public ModelRunner {
 public:
  explicit PrefixRunner(const RunnerShape& shape, int depth = 1)
      : shape_(shape),
        depth_(depth),
        pages_(shape.pages, std::vector<int>(shape.page_tokens, -1)),
        sampler_(kVocabulary) {}

  const RunnerShape& shape() const override { return shape_; }
  std::string description() const override { return "prefix"; }
  absl::Status Prefill(std::span<const TokenRow> rows, std::span<RowOutput> outputs) override {
    CHECK(static_cast<int>(rows.size()) <= shape_.prefill_rows);
    return Forward(rows, outputs);
  }
  absl::Status Decode(std::span<const TokenRow> rows, std::span<RowOutput> outputs) override {
    CHECK(static_cast<int>(rows.size()) <= shape_.decode_rows);
    most_rows_ = std::max(most_rows_, rows.size());
    return Forward(rows, outputs);
  }
  int decode_depth() const override { return depth_; }
  absl::Status BeginDecode(std::span<const TokenRow> rows) override {
    CHECK(static_cast<int>(begun_.size()) < depth_);
    std::vector<TokenRow> known(rows.begin(), rows.end());
    for (TokenRow& row : known) {
      if (row.from_row < 0) continue;
      CHECK(row.token == -1 && !begun_.empty() && row.draw->plan->repetition_penalty == 1);
      row.token = begun_.back()[row.from_row].drawn.id;
      ++late_tokens_;
    }
    std::vector<RowOutput> outputs(rows.size());
    RETURN_IF_ERROR(Decode(known, outputs));
    begun_.push_back(std::move(outputs));
    return absl::OkStatus();
  }
  absl::Status FinishDecode(std::span<RowOutput> outputs) override {
    CHECK(!begun_.empty() && begun_.front().size() == outputs.size());
    std::move(begun_.front().begin(), begun_.front().end(), outputs.begin());
    begun_.pop_front();
    return absl::OkStatus();
  }
  void CopyPage(int from, int to) override { pages_[to] = pages_[from]; }
  PageBytes SavePage(int page) override {
    PageBytes bytes = MakePageBytes(pages_[page].size() * sizeof(int));
    std::memcpy(bytes.get(), pages_[page].data(), pages_[page].size() * sizeof(int));
    return bytes;
  }
  void LoadPage(int page, const PageBytes& bytes) override {
    std::memcpy(pages_[page].data(), bytes.get(), pages_[page].size() * sizeof(int));
  }
  size_t most_rows() const { return most_rows_; }
  int64_t late_tokens() const { return late_tokens_; }
  size_t under_way() const { return begun_.size(); }

 private:
  absl::Status Forward(std::span<const TokenRow> rows, std::span<RowOutput> outputs) {
    CHECK(!rows.empty() && rows.size() == outputs.size());
    for (size_t r = 0; r < rows.size(); ++r) {
      const TokenRow& row = rows[r];
      pages_[row.pages[row.position / shape_.page_tokens]][row.position % shape_.page_tokens] =
          row.token;
      uint64_t hash = 1;
      for (int i = 0; i <= row.position; ++i) {
        const int token = pages_[row.pages[i / shape_.page_tokens]][i % shape_.page_tokens];
        CHECK(token >= 0);
        hash = (hash ^ static_cast<uint64_t>(token + 1)) * 0x100000001B3;
      }
      std::vector<float> logits(kVocabulary);
      for (int i = 0; i < kVocabulary; ++i) {
        logits[i] =
            static_cast<float>(8 * PhiloxUniform(hash, {static_cast<uint32_t>(i), 0, 0, 0}));
      }
      if (row.draw != nullptr) {
        RETURN_IF_ERROR(sampler_.Draw(logits, *row.draw->plan, row.draw->key, row.draw->prompt,
                                      row.draw->reply, &outputs[r].drawn));
      }
      if (row.target >= 0) {
        outputs[r].target_logprob = sampler_.LogProbability(logits, row.target);
        outputs[r].target_is_greatest = sampler_.Greatest(logits) == row.target;
      }
    }
    return absl::OkStatus();
  }

  RunnerShape shape_;
  int depth_;
  std::vector<std::vector<int>> pages_;
  Sampler sampler_;
  size_t most_rows_ = 0;
  std::deque<std::vector<RowOutput>> begun_;
  int64_t late_tokens_ = 0;
};

RunnerShape Shape(int decode_rows, int pages) {
  return {.decode_rows = decode_rows,
          .prefill_rows = 24,
          .page_tokens = 8,
          .pages = pages,
          .max_positions = 120,
          .vocabulary = kVocabulary};
}

GroupRequest MakeGroup(uint64_t number, int prompt, std::vector<int> samples, int max_tokens) {
  GroupRequest group;
  group.tag = number;
  group.key = 1000 + number;
  group.samples = std::move(samples);
  group.max_tokens = max_tokens;
  group.stop_ids = {kStop};
  for (int i = 0; i < prompt; ++i)
    group.prompt.push_back(static_cast<int>((number * 7 + i * i) % kVocabulary));
  return group;
}

std::vector<int> Indices(int count) {
  std::vector<int> indices(count);
  for (int i = 0; i < count; ++i) indices[i] = i;
  return indices;
}

using Drawn = std::map<std::pair<uint64_t, int>, std::vector<int>>;

// Runs the groups to their end, checking the invariants after every step.
Drawn RunAll(ModelRunner* runner, const std::vector<GroupRequest>& groups,
             SchedulerCounts* counts = nullptr) {
  Drawn drawn;
  Scheduler scheduler(runner, [&](FinishedSample sample) {
    const bool fresh =
        drawn.emplace(std::pair(sample.tag, sample.sample), std::move(sample.ids)).second;
    EXPECT_TRUE(fresh) << "a sample came twice";
  });
  for (const GroupRequest& group : groups) EXPECT_OK(scheduler.Submit(group));
  while (true) {
    const absl::StatusOr<bool> more = scheduler.Step();
    EXPECT_OK(more);
    scheduler.CheckInvariants();
    if (!more.ok() || !*more) break;
  }
  EXPECT_EQ(scheduler.waiting(), 0);
  EXPECT_EQ(scheduler.pool().used(), 0) << "pages were lost";
  if (counts != nullptr) *counts = scheduler.counts();
  return drawn;
}

// The plain way: one sequence, one row at a time, no sharing.
std::vector<int> DrawAlone(const GroupRequest& group, int sample) {
  PrefixRunner runner(Shape(1, 20));
  GroupRequest one = group;
  one.samples = {sample};
  return RunAll(&runner, {one}).at({group.tag, sample});
}

std::vector<GroupRequest> ManyGroups() {
  std::vector<GroupRequest> groups;
  for (int i = 0; i < 12; ++i)
    groups.push_back(MakeGroup(i, 1 + (i * 11) % 47, Indices(1 + i % 7), 5 + (i * 13) % 60));
  groups[3].plan.repetition_penalty = 1.3;
  groups[4].plan.temperature = 0;
  groups[5].plan.top_p = 0.8;
  return groups;
}

TEST(Scheduler, EverySampleEqualsItselfDrawnAlone) {
  const std::vector<GroupRequest> groups = ManyGroups();
  PrefixRunner runner(Shape(6, 200));
  const Drawn drawn = RunAll(&runner, groups);
  size_t samples = 0;
  for (const GroupRequest& group : groups) {
    samples += group.samples.size();
    for (const int sample : group.samples) {
      EXPECT_EQ(drawn.at({group.tag, sample}), DrawAlone(group, sample))
          << group.tag << " " << sample;
    }
  }
  EXPECT_EQ(drawn.size(), samples);
  EXPECT_EQ(runner.most_rows(), 6u) << "slots stayed empty";
}

TEST(Scheduler, NeitherOrderNorBatchNorSwappingChangesTokens) {
  std::vector<GroupRequest> groups = ManyGroups();
  PrefixRunner wide(Shape(64, 400));
  const Drawn expected = RunAll(&wide, groups);
  std::mt19937 random(5);
  for (int round = 0; round < 20; ++round) {
    std::shuffle(groups.begin(), groups.end(), random);
    for (GroupRequest& group : groups)
      std::shuffle(group.samples.begin(), group.samples.end(), random);
    const int rows = 1 + static_cast<int>(random() % 20);
    PrefixRunner runner(Shape(rows, 15 + static_cast<int>(random() % 30)), 1 + round % 3);
    SchedulerCounts counts;
    EXPECT_EQ(RunAll(&runner, groups, &counts), expected) << "round " << round;
    EXPECT_EQ(counts.swaps_in, counts.swaps_out);
    EXPECT_EQ(runner.under_way(), 0u);
  }
}

// The host learns of a token one step late: the same samples, and at most one row wasted for each
// that ends by a token.
TEST(Scheduler, TokensThatComeLateAreTheSameTokens) {
  const std::vector<GroupRequest> groups = ManyGroups();
  PrefixRunner prompt(Shape(6, 200));
  SchedulerCounts prompt_counts;
  const Drawn expected = RunAll(&prompt, groups, &prompt_counts);
  int64_t ended_by_token = 0, tokens = 0;
  for (const auto& [name, ids] : expected) {
    ended_by_token += ids.back() == kStop ? 1 : 0;
    tokens += static_cast<int64_t>(ids.size());
  }
  ASSERT_GT(ended_by_token, 3);
  EXPECT_EQ(prompt_counts.decode_tokens, tokens);
  for (const int depth : {2, 3}) {
    PrefixRunner late(Shape(6, 200), depth);
    SchedulerCounts counts;
    EXPECT_EQ(RunAll(&late, groups, &counts), expected) << "depth " << depth;
    EXPECT_GT(late.late_tokens(), tokens / 3);
    EXPECT_GE(counts.decode_tokens, tokens);
    EXPECT_LE(counts.decode_tokens, tokens + (depth - 1) * ended_by_token);
    EXPECT_EQ(late.under_way(), 0u);
  }
}

TEST(Scheduler, ARunThatIsLeftWaitsForWhatIsUnderWay) {
  PrefixRunner runner(Shape(4, 100), 2);
  {
    Scheduler scheduler(&runner, [](FinishedSample) {});
    GroupRequest endless = MakeGroup(1, 9, Indices(3), 50);
    endless.stop_ids = {};
    ASSERT_OK(scheduler.Submit(endless));
    for (int i = 0; i < 5; ++i) ASSERT_OK(scheduler.Step());
    EXPECT_EQ(runner.under_way(), 1u);
  }
  EXPECT_EQ(runner.under_way(), 0u);
  EXPECT_EQ(RunAll(&runner, ManyGroups()), [] {
    PrefixRunner fresh(Shape(4, 100));
    return RunAll(&fresh, ManyGroups());
  }());
}

TEST(Scheduler, RunsOutOfPagesAndSwaps) {
  const std::vector<GroupRequest> groups = {MakeGroup(1, 20, Indices(8), 100)};
  GroupRequest endless = groups[0];
  endless.stop_ids = {};
  PrefixRunner roomy(Shape(8, 200)), tight(Shape(8, 17));
  SchedulerCounts roomy_counts, tight_counts;
  const Drawn expected = RunAll(&roomy, {endless}, &roomy_counts);
  EXPECT_EQ(RunAll(&tight, {endless}, &tight_counts), expected);
  EXPECT_EQ(roomy_counts.swaps_out, 0);
  EXPECT_GT(tight_counts.swaps_out, 7);
  EXPECT_EQ(tight_counts.swaps_out, tight_counts.swaps_in);
  // Swapped, never computed again.
  EXPECT_EQ(tight_counts.decode_tokens, roomy_counts.decode_tokens);
  EXPECT_EQ(tight_counts.prefill_tokens, roomy_counts.prefill_tokens);
}

TEST(Scheduler, SamplesOfOnePromptShareItsPrefill) {
  GroupRequest group = MakeGroup(1, 77, Indices(64), 4);
  group.stop_ids = {};
  PrefixRunner runner(Shape(16, 200));
  SchedulerCounts counts;
  RunAll(&runner, {group}, &counts);
  EXPECT_EQ(counts.prefill_tokens, 76);  // once; the last token is each sample's own first row
  EXPECT_EQ(counts.prefill_steps, 4);    // 24 rows a chunk
  EXPECT_EQ(counts.decode_tokens, 64 * 4);
  // Position 76 lies in a page that the prompt has begun: each sample but the last owner copies it.
  EXPECT_EQ(counts.pages_copied, 63);
}

// Prompts of a few-shot task: the same 43 tokens, then their own.
std::vector<GroupRequest> FewShotGroups() {
  std::vector<GroupRequest> groups;
  for (int i = 0; i < 10; ++i) {
    GroupRequest group = MakeGroup(static_cast<uint64_t>(i), 43, Indices(1 + i % 3), 20);
    for (int at = 0; at < 43; ++at) group.prompt[at] = at * at % 31;
    for (int at = 0; at < 1 + i % 5 * 4; ++at) group.prompt.push_back((i * 5 + at) % kVocabulary);
    groups.push_back(std::move(group));
  }
  groups[9].prompt[20] = 39;  // this one turns off in the third page
  return groups;
}

TEST(Scheduler, ACommonBeginningIsComputedOnceInWholePages) {
  const std::vector<GroupRequest> groups = FewShotGroups();
  PrefixRunner runner(Shape(6, 200));
  SchedulerCounts counts;
  const Drawn drawn = RunAll(&runner, groups, &counts);
  int64_t tokens = 0;
  for (const GroupRequest& group : groups) {
    tokens += static_cast<int64_t>(group.prompt.size()) - 1;
    for (const int sample : group.samples) {
      EXPECT_EQ(drawn.at({group.tag, sample}), DrawAlone(group, sample))
          << group.tag << " " << sample;
    }
  }
  // Five pages of eight for eight prompts, two for the one that turns off.
  EXPECT_GE(counts.shared_tokens, 8 * 40 + 16);
  EXPECT_EQ(counts.prefill_tokens, tokens - counts.shared_tokens);
}

TEST(Scheduler, SharingABeginningChangesNoTokenWhateverTheOrderAndThePool) {
  std::vector<GroupRequest> groups = FewShotGroups();
  for (GroupRequest& group : ManyGroups()) {
    group.tag += 100;
    groups.push_back(std::move(group));
  }
  Drawn expected;
  for (const GroupRequest& group : groups) {
    for (const int sample : group.samples) {
      expected[{group.tag, sample}] = DrawAlone(group, sample);
    }
  }
  std::mt19937 random(8);
  int64_t shared = 0, swapped = 0;
  for (int round = 0; round < 30; ++round) {
    std::shuffle(groups.begin(), groups.end(), random);
    const int rows = 1 + static_cast<int>(random() % 20);
    PrefixRunner runner(Shape(rows, 15 + static_cast<int>(random() % 30)), 1 + round % 3);
    SchedulerCounts counts;
    EXPECT_EQ(RunAll(&runner, groups, &counts), expected) << "round " << round;
    shared += counts.shared_tokens;
    swapped += counts.swaps_out;
  }
  EXPECT_GT(shared, 0);
  EXPECT_GT(swapped, 0);
}

TEST(Scheduler, APromptThatEndsOnAPageCopiesNothing) {
  GroupRequest group = MakeGroup(1, 17, Indices(5), 3);
  group.stop_ids = {};
  PrefixRunner runner(Shape(8, 100));
  SchedulerCounts counts;
  RunAll(&runner, {group}, &counts);
  EXPECT_EQ(counts.pages_copied, 0);
}

TEST(Scheduler, PromptsShareAChunk) {
  std::vector<GroupRequest> groups;
  for (int i = 0; i < 4; ++i) groups.push_back(MakeGroup(i, 7, {0}, 3));
  PrefixRunner runner(Shape(8, 100));
  SchedulerCounts counts;
  RunAll(&runner, groups, &counts);
  EXPECT_EQ(counts.prefill_tokens, 24);
  EXPECT_EQ(counts.prefill_steps, 1);
}

TEST(Scheduler, EndsByStopIdWatcherLengthAndContext) {
  struct AtThird final : TokenWatcher {
    int seen = 0;
    bool OnToken(int) override { return ++seen == 3; }
  };
  std::map<uint64_t, FinishedSample> ends;
  PrefixRunner runner(Shape(4, 100));
  Scheduler scheduler(&runner,
                      [&](FinishedSample sample) { ends[sample.tag] = std::move(sample); });
  GroupRequest stops = MakeGroup(0, 9, {0}, 100);
  for (int id = 0; id < kVocabulary; id += 2) stops.stop_ids.push_back(id);
  std::sort(stops.stop_ids.begin(), stops.stop_ids.end());
  GroupRequest watched = MakeGroup(1, 9, {0}, 100);
  watched.stop_ids = {};
  watched.make_watcher = [] { return std::make_unique<AtThird>(); };
  GroupRequest cut = MakeGroup(2, 9, {0}, 6);
  cut.stop_ids = {};
  GroupRequest full = MakeGroup(3, 115, {0}, 100);
  full.stop_ids = {};
  for (const GroupRequest& group : {stops, watched, cut, full}) ASSERT_OK(scheduler.Submit(group));
  while (*scheduler.Step()) {
  }
  EXPECT_EQ(ends[0].end, SampleEnd::kStopId);
  EXPECT_TRUE(ends[0].ids.back() % 2 == 0 || ends[0].ids.back() == kStop);
  EXPECT_EQ(ends[1].end, SampleEnd::kWatcher);
  EXPECT_EQ(ends[1].ids.size(), 3u);
  EXPECT_EQ(ends[2].end, SampleEnd::kLength);
  EXPECT_EQ(ends[2].ids.size(), 6u);
  EXPECT_EQ(ends[3].end, SampleEnd::kLength);
  EXPECT_EQ(ends[3].ids.size(), 5u);  // 115 + 5 = 120 positions
}

TEST(Scheduler, WhatCanNeverRunIsRefused) {
  PrefixRunner runner(Shape(4, 10));
  Scheduler scheduler(&runner, [](FinishedSample) {});
  EXPECT_THAT(std::string(scheduler.Submit(MakeGroup(1, 120, {0}, 1)).message()),
              HasSubstr("the prompt has 120 tokens, and the context holds 120"));
  EXPECT_THAT(std::string(scheduler.Submit(MakeGroup(1, 60, {0}, 60)).message()),
              HasSubstr("need 16 pages of the key-value cache, and it has 10"));
  ASSERT_OK_AND_ASSIGN(const bool more, scheduler.Step());
  EXPECT_FALSE(more);
}

TEST(Scheduler, AnErrorOfTheRunnerEndsTheRun) {
  struct Broken final : ModelRunner {
    RunnerShape the_shape = Shape(4, 100);
    const RunnerShape& shape() const override { return the_shape; }
    std::string description() const override { return "broken"; }
    absl::Status Prefill(std::span<const TokenRow>, std::span<RowOutput>) override {
      return absl::OkStatus();
    }
    absl::Status Decode(std::span<const TokenRow>, std::span<RowOutput>) override {
      return Internal("the device is lost");
    }
    void CopyPage(int, int) override {}
    PageBytes SavePage(int) override { return nullptr; }
    void LoadPage(int, const PageBytes&) override {}
  } runner;
  Scheduler scheduler(&runner, [](FinishedSample) { ADD_FAILURE() << "no sample may end"; });
  ASSERT_OK(scheduler.Submit(MakeGroup(1, 9, {0}, 5)));
  ASSERT_OK(scheduler.Step());
  EXPECT_EQ(scheduler.Step().status().message(), "the device is lost");
}

// --- scoring ---

double ScoreAlone(const std::vector<int>& context, const std::vector<int>& continuation) {
  PrefixRunner runner(Shape(1, 30));
  Sampler sampler(kVocabulary);
  std::vector<int> ids = context, pages;
  for (int i = 0; i < 15; ++i) pages.push_back(i);
  ids.insert(ids.end(), continuation.begin(), continuation.end());
  double sum = 0;
  for (int i = 0; i + 1 < static_cast<int>(ids.size()); ++i) {
    TokenRow row{ids[i], i, pages};
    row.target = ids[i + 1];
    RowOutput output;
    EXPECT_OK(runner.Prefill({&row, 1}, {&output, 1}));
    if (i + 1 >= static_cast<int>(context.size())) sum += output.target_logprob;
  }
  return sum;
}

TEST(Score, ContinuationsShareTheirContext) {
  PrefixRunner runner(Shape(4, 60));
  Scheduler scheduler(&runner, [](FinishedSample) {});
  std::vector<ScoreRequest> requests;
  std::mt19937 random(9);
  for (int r = 0; r < 9; ++r) {
    ScoreRequest request;
    for (int i = 0; i < 1 + r * 5; ++i)
      request.context.push_back(static_cast<int>(random() % kVocabulary));
    for (int c = 0; c < 4; ++c) {
      std::vector<int> ids(1 + random() % 12);
      for (int& id : ids) id = static_cast<int>(random() % kVocabulary);
      request.continuations.push_back(ids);
    }
    requests.push_back(request);
  }
  ASSERT_OK_AND_ASSIGN(const auto scores, scheduler.Score(requests));
  ASSERT_EQ(scores.size(), requests.size());
  int64_t tokens = 0;
  for (size_t r = 0; r < requests.size(); ++r) {
    tokens += static_cast<int64_t>(requests[r].context.size()) - 1;
    for (size_t c = 0; c < 4; ++c) {
      const auto& continuation = requests[r].continuations[c];
      tokens += static_cast<int64_t>(continuation.size());
      EXPECT_EQ(scores[r][c].tokens, static_cast<int>(continuation.size()));
      EXPECT_EQ(scores[r][c].logprob, ScoreAlone(requests[r].context, continuation))
          << r << " " << c;
    }
  }
  EXPECT_EQ(scheduler.counts().prefill_tokens, tokens) << "a context is computed once";
  EXPECT_EQ(scheduler.pool().used(), 0);
}

TEST(Score, ContextsThatBeginAlikeShareTheirPages) {
  PrefixRunner runner(Shape(4, 100));
  Scheduler scheduler(&runner, [](FinishedSample) {});
  std::vector<ScoreRequest> requests;
  int64_t tokens = 0;
  for (int r = 0; r < 6; ++r) {
    ScoreRequest request;
    for (int i = 0; i < 43; ++i) request.context.push_back(i * i % 31);
    for (int i = 0; i < 1 + r * 3; ++i) request.context.push_back((r * 5 + i) % kVocabulary);
    if (r == 4) request.context[20] = 39;  // turns off in the third page
    if (r == 5) request.context[0] = 39;   // shares nothing
    request.continuations = {{r, 3, 5}, {2}};
    tokens += static_cast<int64_t>(request.context.size()) - 1 + 4;
    requests.push_back(request);
  }
  ASSERT_OK_AND_ASSIGN(const auto scores, scheduler.Score(requests));
  for (size_t r = 0; r < requests.size(); ++r) {
    for (size_t c = 0; c < 2; ++c) {
      EXPECT_EQ(scores[r][c].logprob, ScoreAlone(requests[r].context, requests[r].continuations[c]))
          << r << " " << c;
    }
  }
  EXPECT_EQ(scheduler.counts().shared_tokens, 3 * 40 + 16);
  EXPECT_EQ(scheduler.counts().prefill_tokens, tokens - scheduler.counts().shared_tokens);
  EXPECT_EQ(scheduler.pool().used(), 0);
}

TEST(Score, RunsBetweenTheStepsOfSamples) {
  const std::vector<GroupRequest> groups = ManyGroups();
  PrefixRunner alone(Shape(6, 200)), shared(Shape(6, 24), 2);
  const Drawn expected = RunAll(&alone, groups);
  Drawn drawn;
  Scheduler scheduler(&shared, [&](FinishedSample s) {
    drawn[{s.tag, s.sample}] = std::move(s.ids);
  });
  for (const GroupRequest& group : groups) ASSERT_OK(scheduler.Submit(group));
  const std::vector<ScoreRequest> request = {
      {std::vector<int>(30, 3), {std::vector<int>(40, 5), {1, 2}}}};
  const double alone_score = ScoreAlone(request[0].context, request[0].continuations[0]);
  for (int step = 0; *scheduler.Step(); ++step) {
    if (step % 10 != 5) continue;
    ASSERT_OK_AND_ASSIGN(const auto scores, scheduler.Score(request));
    EXPECT_EQ(scores[0][0].logprob, alone_score);
    scheduler.CheckInvariants();
  }
  EXPECT_EQ(drawn, expected);
}

TEST(Score, TooLongIsRefused) {
  PrefixRunner runner(Shape(4, 60));
  Scheduler scheduler(&runner, [](FinishedSample) {});
  const std::vector<ScoreRequest> request = {{std::vector<int>(100, 3), {std::vector<int>(21, 5)}}};
  EXPECT_THAT(std::string(scheduler.Score(request).status().message()), HasSubstr("121 tokens"));
}

}  // namespace
}  // namespace assay
