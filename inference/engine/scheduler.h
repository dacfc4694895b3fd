// Keeps a runner's decode slots full: prompts are prefilled once and shared, samples run, are
// swapped out when pages run out, and end.
//
//   group:  queued -> prefill (chunk by chunk) -> ready (its pages are shared by its samples)
//   sample: waiting -> running <-> swapped out -> done
//
// Owner: one thread calls everything here. Finished samples are handed to `on_finished` on that
// thread, as values, each exactly once.
//
// Invariants (CheckInvariants; the tests call it between steps):
//   references to pages = table entries of groups and samples; a page with several references is
//   not written; free + used = total.
// Steps overlap as far as the runner lets them (ModelRunner::decode_depth): the next one is begun
// before the last one's tokens are known, so a sample that turns out to have ended may have one row
// more under way, which is thrown away. Whoever is swapped out has nothing under way. What cannot
// change a sample's tokens: which slot and pages it has, what else runs, when it is swapped.
// Everything that can stands in its GroupRequest.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "inference/engine/kv_pages.h"
#include "inference/engine/prefix_index.h"
#include "inference/engine/runner.h"
#include "inference/engine/sampler.h"

namespace assay {

// Sees a sample's tokens as they come; stop strings live here (reply_text.h).
class TokenWatcher {
 public:
  virtual ~TokenWatcher() = default;
  virtual bool OnToken(int id) = 0;  // true: the sample ends with this token
};

// One prompt and the samples wanted of it.
struct GroupRequest {
  uint64_t tag = 0;         // comes back with each sample
  std::vector<int> prompt;  // not empty
  SamplingPlan plan;
  uint64_t key = 0;           // DrawKey::key of all its draws
  std::vector<int> samples;   // their indices
  std::vector<int> stop_ids;  // sorted; a stop id ends the sample and is its last id
  int max_tokens = 0;         // >= 1; the sequence ends earlier where the context does
  std::function<std::unique_ptr<TokenWatcher>()> make_watcher;  // one for each sample; may be empty
};

enum class SampleEnd { kStopId, kWatcher, kLength };

struct FinishedSample {
  uint64_t tag = 0;
  int sample = 0;
  SampleEnd end = SampleEnd::kLength;
  std::vector<int> ids;              // drawn, in order
  std::vector<DrawnToken> logprobs;  // one for each id where the plan asks for them, else empty
  std::unique_ptr<TokenWatcher> watcher;
  double seconds = 0;  // since its first decode step
};

// Work done so far. A prompt token counts once, however many samples share it.
struct SchedulerCounts {
  int64_t prefill_tokens = 0;
  int64_t prefill_steps = 0;
  int64_t shared_tokens = 0;  // of prompts, taken from another prompt that begins alike
  int64_t decode_tokens = 0;  // rows of decode steps
  int64_t decode_steps = 0;
  int64_t pages_copied = 0;  // on write
  int64_t swaps_out = 0;
  int64_t swaps_in = 0;
};

// Continuations scored after a shared context (`Score`).
struct ScoreRequest {
  std::vector<int> context;  // not empty
  std::vector<std::vector<int>> continuations;
};
struct ContinuationScore {
  double logprob = 0;  // of the whole continuation
  int tokens = 0;
  bool is_greedy = true;  // each of its tokens is the most probable one
};

class Scheduler {
 public:
  // The runner outlives the scheduler.
  Scheduler(ModelRunner* runner, std::function<void(FinishedSample)> on_finished);
  ~Scheduler();  // waits for what is under way
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // An error: the request can never run here (a prompt longer than the context, a sequence larger
  // than the pool). It says which of its numbers is too large.
  absl::Status Submit(GroupRequest request);

  // One step of the runner. False: nothing is left to do. An error is the runner's: no sample can
  // go on.
  absl::StatusOr<bool> Step();

  // Samples submitted and not yet running: a caller that keeps this above decode_rows keeps the
  // slots full.
  int waiting() const { return waiting_; }
  int running() const { return static_cast<int>(running_.size()); }

  // Log-probabilities of continuations; runs to its end, between the samples' steps.
  absl::StatusOr<std::vector<std::vector<ContinuationScore>>> Score(
      std::span<const ScoreRequest> requests);

  const SchedulerCounts& counts() const { return counts_; }
  const PagePool& pool() const { return pool_; }
  void CheckInvariants() const;

 private:
  // Somebody who keeps pages: a group its prompt's, a sample its sequence's.
  struct Holder {
    std::vector<int> pages;               // -1: swapped out
    std::map<size_t, PageBytes> swapped;  // by index in `pages`: the page's bytes
  };
  struct Group : Holder {
    std::shared_ptr<const GroupRequest> request;  // shared with its samples
    int prefilled = 0;                            // positions written
    size_t started = 0;                           // of request->samples
    bool admitted = false;                        // it has its pages
    int to_prefill() const { return static_cast<int>(request->prompt.size()) - 1 - prefilled; }
    bool ready() const { return admitted && to_prefill() == 0; }
    int not_started() const { return static_cast<int>(request->samples.size() - started); }
  };
  struct Running : Holder {
    std::shared_ptr<const GroupRequest> request;
    int sample = 0;
    int written = 0;  // positions in the cache, once all that is under way is done
    int pending = 0;  // rows under way
    int row = -1;     // of the last of them
    std::vector<int> ids;
    std::vector<DrawnToken> logprobs;
    std::unique_ptr<TokenWatcher> watcher;
    double started_seconds = 0;
    int next_token() const { return ids.empty() ? request->prompt.back() : ids.back(); }
    int drawn() const { return static_cast<int>(ids.size()) + pending; }  // soon
  };
  struct BegunRow {
    std::list<Running>::iterator sample;
    bool ended = false;  // `sample` is gone
  };
  using BegunStep = std::vector<BegunRow>;

  int PagesFor(int positions) const;
  bool TakePage(Holder* holder);
  void Release(int page);
  void Drop(Holder* holder);
  void SwapOut(Holder* holder, bool shared_too);
  bool Restore(Holder* holder, bool force);
  bool FreeByEviction(const Holder* needy);
  bool MakeWritable(Running* sample);
  bool Prepare(Running* sample);
  void Suspend(std::list<Running>::iterator sample);

  std::span<const int> ToPrefill(const Group& group) const;
  bool ShareBeginning(Group* group);
  void AdmitGroups();
  void FillSlots();
  bool ResumeOldest();
  bool StartNext();
  bool ShouldPrefill() const;
  absl::StatusOr<bool> PrefillChunk();
  absl::Status DecodeOnce();
  bool ReachedItsLength(const Running& sample) const;
  absl::Status Begin();
  absl::Status FinishOldest();
  absl::Status FinishAll();
  bool TakeDrawn(Running* sample, DrawnToken drawn);
  void Finish(Running* sample, SampleEnd end);

  struct Scored;
  int PagesToScore(const ScoreRequest& request) const;
  int CommonPages(std::span<const int> a, std::span<const int> b) const;
  absl::Status ScoreBatch(std::span<const ScoreRequest> requests,
                          std::vector<std::vector<ContinuationScore>>* scores);
  absl::Status RunPrefill(std::span<const TokenRow> rows, std::vector<RowOutput>* outputs);

  ModelRunner* runner_;
  const RunnerShape shape_;
  std::function<void(FinishedSample)> on_finished_;
  PagePool pool_;
  PrefixIndex prefixes_;                  // of prompts whose pages are in the pool
  std::list<Group> groups_;               // with samples not yet started, oldest first
  std::list<Running> running_, swapped_;  // oldest first
  std::deque<BegunStep> begun_;           // under way, oldest first
  int waiting_ = 0;
  int decodes_since_prefill_ = 0;
  SchedulerCounts counts_;
};

}  // namespace assay
