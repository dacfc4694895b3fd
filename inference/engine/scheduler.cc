// One loop: admit prompts, fill slots, then either one prefill chunk or one decode step.
#include "inference/engine/scheduler.h"

#include <algorithm>
#include <chrono>

#include "harness/status.h"

namespace assay {
namespace {

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::span<const int> WithoutLast(const std::vector<int>& ids) {
  return std::span(ids).first(ids.size() - 1);
}

// While the slots are nearly full, a prefill chunk may take one step in this many.
constexpr int kDecodesPerPrefill = 8;

}  // namespace

Scheduler::Scheduler(ModelRunner* runner, std::function<void(FinishedSample)> on_finished)
    : runner_(runner),
      shape_(runner->shape()),
      on_finished_(std::move(on_finished)),
      pool_(shape_.pages),
      prefixes_(shape_.page_tokens) {}

Scheduler::~Scheduler() {
  for (const BegunStep& step : begun_) {
    std::vector<RowOutput> outputs(step.size());
    // Nobody is left whom an error would concern.
    (void)runner_->FinishDecode(outputs);
  }
}

int Scheduler::PagesFor(int positions) const {
  return (positions + shape_.page_tokens - 1) / shape_.page_tokens;
}

absl::Status Scheduler::Submit(GroupRequest request) {
  CHECK(!request.prompt.empty() && request.max_tokens >= 1);
  CHECK(std::is_sorted(request.stop_ids.begin(), request.stop_ids.end()));
  const int prompt = static_cast<int>(request.prompt.size());
  if (prompt >= shape_.max_positions) {
    return InvalidArgument("the prompt has %d tokens, and the context holds %d with the reply",
                           prompt, shape_.max_positions);
  }
  const int longest = static_cast<int>(
      std::min<int64_t>(int64_t{prompt} + request.max_tokens - 1, shape_.max_positions));
  if (PagesFor(longest) + 1 > pool_.total()) {
    return ResourceExhausted(
        "a prompt of %d tokens and a reply of up to %d need %d pages of the key-value cache, and "
        "it has %d",
        prompt, request.max_tokens, PagesFor(longest) + 1, pool_.total());
  }
  waiting_ += static_cast<int>(request.samples.size());
  Group group;
  group.request = std::make_shared<const GroupRequest>(std::move(request));
  if (group.not_started() > 0) groups_.push_back(std::move(group));
  return absl::OkStatus();
}

// --- pages ---

bool Scheduler::TakePage(Holder* holder) {
  const std::optional<int> page = pool_.Take();
  if (!page) return false;
  holder->pages.push_back(*page);
  return true;
}

void Scheduler::Release(int page) {
  if (pool_.Release(page)) prefixes_.Forget(page);
}

void Scheduler::Drop(Holder* holder) {
  for (const int page : holder->pages) {
    if (page >= 0) Release(page);
  }
  holder->pages.clear();
  holder->swapped.clear();
}

// Without `shared_too`, pages that others use as well stay: dropping them would free nothing.
void Scheduler::SwapOut(Holder* holder, bool shared_too) {
  for (size_t i = 0; i < holder->pages.size(); ++i) {
    const int page = holder->pages[i];
    if (page < 0 || (!shared_too && pool_.references(page) > 1)) continue;
    holder->swapped[i] = runner_->SavePage(page);
    Release(page);
    holder->pages[i] = -1;
  }
}

// Brings every page back; with `force`, at the cost of others.
bool Scheduler::Restore(Holder* holder, bool force) {
  while (static_cast<int>(holder->swapped.size()) > pool_.free()) {
    if (!force || !FreeByEviction(holder)) return false;
  }
  for (auto& [index, bytes] : holder->swapped) {
    const std::optional<int> page = pool_.Take();
    CHECK(page.has_value());
    runner_->LoadPage(*page, bytes);
    holder->pages[index] = *page;
  }
  holder->swapped.clear();
  return true;
}

// Frees at least one page that waiting groups and swapped-out samples still hold, the youngest
// first. False: none of them holds any but `needy`.
bool Scheduler::FreeByEviction(const Holder* needy) {
  const int before = pool_.free();
  for (auto group = groups_.rbegin(); group != groups_.rend(); ++group) {
    if (&*group != needy) SwapOut(&*group, /*shared_too=*/true);
    if (pool_.free() > before) return true;
  }
  for (auto sample = swapped_.rbegin(); sample != swapped_.rend(); ++sample) {
    if (&*sample != needy) SwapOut(&*sample, /*shared_too=*/true);
    if (pool_.free() > before) return true;
  }
  return false;
}

// The page of the position to be written next is the sample's own. False: no page is free.
bool Scheduler::MakeWritable(Running* sample) {
  const size_t index = static_cast<size_t>(sample->written / shape_.page_tokens);
  if (index == sample->pages.size()) return TakePage(sample);
  const int shared = sample->pages[index];
  if (pool_.references(shared) == 1) return true;
  const std::optional<int> own = pool_.Take();
  if (!own) return false;
  runner_->CopyPage(shared, *own);
  Release(shared);
  sample->pages[index] = *own;
  ++counts_.pages_copied;
  return true;
}

void Scheduler::Suspend(std::list<Running>::iterator sample) {
  CHECK(sample->pending == 0);
  SwapOut(&*sample, /*shared_too=*/false);
  ++counts_.swaps_out;
  // Only the youngest is ever suspended, and none starts while some wait here: order by age holds.
  swapped_.splice(swapped_.begin(), running_, sample);
}

// MakeWritable, at the cost of younger samples. False: there are older ones, and it must wait.
bool Scheduler::Prepare(Running* sample) {
  while (!MakeWritable(sample)) {
    const auto youngest = std::prev(running_.end());
    if (&*youngest != sample) {
      Suspend(youngest);
    } else if (running_.size() > 1) {
      return false;
    } else {
      CHECK(FreeByEviction(sample));  // alone it fits: Submit saw to that
    }
  }
  return true;
}

// --- who runs ---

// The prompt's last token is each sample's to decode.
std::span<const int> Scheduler::ToPrefill(const Group& group) const {
  return WithoutLast(group.request->prompt);
}

// Takes whole pages that another prompt with the same beginning has computed, instead of the
// group's own. True: the next one is being computed in this step, so that it pays to wait for it.
bool Scheduler::ShareBeginning(Group* group) {
  if (group->prefilled % shape_.page_tokens != 0) return false;  // a page of its own is begun
  const PrefixIndex::Run run = prefixes_.Find(ToPrefill(*group));
  const auto done = static_cast<size_t>(group->prefilled / shape_.page_tokens);
  for (size_t i = done; i < run.pages.size(); ++i) {
    pool_.Share(run.pages[i]);
    if (i < group->pages.size()) {
      Release(group->pages[i]);
      group->pages[i] = run.pages[i];
    } else {
      group->pages.push_back(run.pages[i]);
    }
    group->prefilled += shape_.page_tokens;
    counts_.shared_tokens += shape_.page_tokens;
  }
  return run.next_is_coming && run.pages.size() >= done;
}

void Scheduler::AdmitGroups() {
  int ready_soon = 0;  // samples that wait for nothing but a slot and the prefill under way
  for (const Group& group : groups_) ready_soon += group.admitted ? group.not_started() : 0;
  const int slots = shape_.decode_rows;
  const int in_flight = static_cast<int>(running_.size() + swapped_.size());
  for (Group& group : groups_) {
    if (group.admitted) continue;
    // A little ahead of the free slots, no more: a waiting prompt only takes up pages.
    if (ready_soon >= slots - in_flight + std::max(1, slots / 8)) return;
    const PrefixIndex::Run shared = prefixes_.Find(ToPrefill(group));
    const int pages = PagesFor(group.to_prefill()) - static_cast<int>(shared.pages.size());
    const bool idle = in_flight == 0 && ready_soon == 0;
    if (!idle && pool_.free() < pages + 2 * (in_flight + 1)) return;
    ShareBeginning(&group);
    for (int i = 0; i < pages; ++i) CHECK(TakePage(&group));
    group.admitted = true;
    ready_soon += group.not_started();
  }
}

bool Scheduler::ResumeOldest() {
  if (swapped_.empty()) return false;
  Running& oldest = swapped_.front();
  const bool alone = running_.empty();
  const int wanted = static_cast<int>(oldest.swapped.size() + running_.size()) + 2;
  if (!alone && pool_.free() < wanted) return false;
  CHECK(Restore(&oldest, alone));
  ++counts_.swaps_in;
  running_.splice(running_.end(), swapped_, swapped_.begin());
  return true;
}

// Samples of one problem start one after another, so that its prompt's pages are short-lived.
bool Scheduler::StartNext() {
  const auto group =
      std::find_if(groups_.begin(), groups_.end(), [](const Group& g) { return g.ready(); });
  if (group == groups_.end()) return false;
  const bool alone = running_.empty();
  const int wanted = static_cast<int>(group->swapped.size() + running_.size()) + 2;
  if (!alone && pool_.free() < wanted) return false;
  CHECK(Restore(&*group, alone));
  Running sample;
  sample.request = group->request;
  sample.sample = group->request->samples[group->started++];
  sample.written = group->prefilled;
  sample.pages = group->pages;
  for (const int page : sample.pages) pool_.Share(page);
  if (group->request->make_watcher) sample.watcher = group->request->make_watcher();
  sample.started_seconds = Now();
  running_.push_back(std::move(sample));
  --waiting_;
  if (group->not_started() == 0) {
    Drop(&*group);
    groups_.erase(group);
  }
  return true;
}

void Scheduler::FillSlots() {
  while (running() < shape_.decode_rows) {
    // The oldest come first, and nobody starts before those who were put aside.
    const bool filled = swapped_.empty() ? StartNext() : ResumeOldest();
    if (!filled) return;
  }
}

bool Scheduler::ShouldPrefill() const {
  const bool any = std::any_of(groups_.begin(), groups_.end(), [](const Group& group) {
    return group.admitted && group.to_prefill() > 0;
  });
  if (!any) return false;
  const bool nearly_full = running_.size() * 10 > static_cast<size_t>(shape_.decode_rows) * 9;
  return running_.empty() || (!nearly_full && swapped_.empty()) ||
         decodes_since_prefill_ >= kDecodesPerPrefill;
}

// --- steps ---

absl::StatusOr<bool> Scheduler::Step() {
  AdmitGroups();
  FillSlots();
  if (ShouldPrefill()) {
    ASSIGN_OR_RETURN(const bool prefilled, PrefillChunk());
    if (prefilled) return true;
  }
  if (running_.empty()) {
    CHECK(groups_.empty() && swapped_.empty());
    RETURN_IF_ERROR(FinishAll());
    return false;
  }
  RETURN_IF_ERROR(DecodeOnce());
  return true;
}

// False: no prompt could be brought back into the pool while others run.
absl::StatusOr<bool> Scheduler::PrefillChunk() {
  std::vector<TokenRow> rows;
  const int64_t shared_before = counts_.shared_tokens;
  for (Group& group : groups_) {
    if (!group.admitted || group.to_prefill() == 0) continue;
    if (!Restore(&group, /*force=*/rows.empty() && running_.empty())) break;
    if (ShareBeginning(&group)) continue;
    const int room = shape_.prefill_rows - static_cast<int>(rows.size());
    const int take = std::min(room, group.to_prefill());
    for (int i = 0; i < take; ++i) {
      const int position = group.prefilled + i;
      rows.push_back({group.request->prompt[position], position, group.pages});
    }
    group.prefilled += take;
    prefixes_.Add(ToPrefill(group).first(static_cast<size_t>(group.prefilled)), group.pages);
    if (take == room) break;
  }
  if (rows.empty()) return counts_.shared_tokens > shared_before;
  std::vector<RowOutput> outputs(rows.size());
  decodes_since_prefill_ = 0;
  ++counts_.prefill_steps;
  counts_.prefill_tokens += static_cast<int64_t>(rows.size());
  RETURN_IF_ERROR(runner_->Prefill(rows, outputs));
  prefixes_.MarkWritten();
  return true;
}

absl::Status Scheduler::DecodeOnce() {
  bool writable = true, whole_replies = true;
  for (Running& sample : running_) {
    writable &= ReachedItsLength(sample) || MakeWritable(&sample);
    whole_replies &= sample.pending == 0 || sample.request->plan.repetition_penalty == 1;
  }
  if (!writable || !whole_replies) RETURN_IF_ERROR(FinishAll());
  if (!writable) {  // others must make room
    for (auto sample = running_.begin(); sample != running_.end(); ++sample) {
      if (Prepare(&*sample)) continue;  // it may have suspended what came next
      Suspend(sample);                  // it was the youngest, and so the last
      break;
    }
  }
  if (running_.empty()) return absl::OkStatus();
  const size_t before = begun_.size();
  RETURN_IF_ERROR(Begin());
  const bool full = begun_.size() >= static_cast<size_t>(runner_->decode_depth());
  return full || begun_.size() == before ? FinishOldest() : absl::OkStatus();
}

// With what is under way: its next token needs no drawing, whatever that brings.
bool Scheduler::ReachedItsLength(const Running& sample) const {
  const GroupRequest& request = *sample.request;
  return sample.drawn() >= request.max_tokens ||
         static_cast<int>(request.prompt.size()) + sample.drawn() >= shape_.max_positions;
}

// One row for each running sample that may have one.
absl::Status Scheduler::Begin() {
  std::vector<DrawOrder> orders;
  orders.reserve(running_.size());
  std::vector<TokenRow> rows;
  BegunStep step;
  for (auto sample = running_.begin(); sample != running_.end(); ++sample) {
    if (ReachedItsLength(*sample)) continue;
    const GroupRequest& request = *sample->request;
    const auto drawn_at = static_cast<uint32_t>(sample->written + 1);
    orders.push_back({&request.plan,
                      {request.key, static_cast<uint32_t>(sample->sample), drawn_at},
                      request.prompt,
                      sample->ids});
    TokenRow row{sample->next_token(), sample->written, sample->pages, &orders.back()};
    if (sample->pending > 0) {
      row.token = -1;
      row.from_row = sample->row;
    }
    rows.push_back(row);
    step.push_back({sample});
  }
  if (rows.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(runner_->BeginDecode(rows));
  for (size_t i = 0; i < step.size(); ++i) {
    Running& sample = *step[i].sample;
    ++sample.written;
    ++sample.pending;
    sample.row = static_cast<int>(i);
  }
  begun_.push_back(std::move(step));
  ++decodes_since_prefill_;
  ++counts_.decode_steps;
  counts_.decode_tokens += static_cast<int64_t>(rows.size());
  return absl::OkStatus();
}

absl::Status Scheduler::FinishOldest() {
  CHECK(!begun_.empty());
  BegunStep step = std::move(begun_.front());
  begun_.pop_front();
  std::vector<RowOutput> outputs(step.size());
  RETURN_IF_ERROR(runner_->FinishDecode(outputs));
  for (size_t i = 0; i < step.size(); ++i) {
    if (step[i].ended) continue;
    const auto sample = step[i].sample;
    --sample->pending;
    if (!TakeDrawn(&*sample, std::move(outputs[i].drawn))) continue;
    for (BegunStep& later : begun_) {
      for (BegunRow& row : later) row.ended |= !row.ended && row.sample == sample;
    }
    running_.erase(sample);
  }
  return absl::OkStatus();
}

absl::Status Scheduler::FinishAll() {
  while (!begun_.empty()) RETURN_IF_ERROR(FinishOldest());
  return absl::OkStatus();
}

bool Scheduler::TakeDrawn(Running* sample, DrawnToken drawn) {
  const GroupRequest& request = *sample->request;
  const int id = drawn.id;
  sample->ids.push_back(id);
  if (request.plan.logprobs > 0) sample->logprobs.push_back(std::move(drawn));
  const auto length = static_cast<int>(sample->ids.size());
  if (std::binary_search(request.stop_ids.begin(), request.stop_ids.end(), id)) {
    Finish(sample, SampleEnd::kStopId);  // before stop strings: its text is not looked at
  } else if (sample->watcher && sample->watcher->OnToken(id)) {
    Finish(sample, SampleEnd::kWatcher);
  } else if (length >= request.max_tokens ||
             static_cast<int>(request.prompt.size()) + length >= shape_.max_positions) {
    Finish(sample, SampleEnd::kLength);
  } else {
    return false;
  }
  return true;
}

void Scheduler::Finish(Running* sample, SampleEnd end) {
  Drop(sample);
  FinishedSample finished;
  finished.tag = sample->request->tag;
  finished.sample = sample->sample;
  finished.end = end;
  finished.ids = std::move(sample->ids);
  finished.logprobs = std::move(sample->logprobs);
  finished.watcher = std::move(sample->watcher);
  finished.seconds = Now() - sample->started_seconds;
  on_finished_(std::move(finished));
}

void Scheduler::CheckInvariants() const {
  std::vector<int> entries(pool_.total(), 0);
  const auto count = [&](const Holder& holder) {
    for (size_t i = 0; i < holder.pages.size(); ++i) {
      CHECK((holder.pages[i] < 0) == holder.swapped.contains(i));
      if (holder.pages[i] >= 0) ++entries[holder.pages[i]];
    }
  };
  for (const Group& group : groups_) count(group);
  for (const Running& sample : running_) count(sample);
  for (const Running& sample : swapped_) count(sample);
  int used = 0;
  for (int page = 0; page < pool_.total(); ++page) {
    CHECK(entries[page] == pool_.references(page));
    used += entries[page] > 0 ? 1 : 0;
  }
  CHECK(used == pool_.used() && used + pool_.free() == pool_.total());
  CHECK(running() <= shape_.decode_rows);
}

// --- scoring ---

// One continuation's rows: its first row is the context's last token.
struct Scheduler::Scored : Holder {
  size_t request = 0, continuation = 0;
};

// At most: the context's pages, and for each continuation those that it does not share.
int Scheduler::PagesToScore(const ScoreRequest& request) const {
  const int shared = static_cast<int>(request.context.size()) - 1;
  int pages = PagesFor(shared);
  for (const std::vector<int>& continuation : request.continuations) {
    pages += PagesFor(shared + static_cast<int>(continuation.size())) - shared / shape_.page_tokens;
  }
  return pages;
}

absl::Status Scheduler::RunPrefill(std::span<const TokenRow> rows,
                                   std::vector<RowOutput>* outputs) {
  outputs->assign(rows.size(), {});
  for (size_t begin = 0; begin < rows.size(); begin += static_cast<size_t>(shape_.prefill_rows)) {
    const size_t count = std::min(rows.size() - begin, static_cast<size_t>(shape_.prefill_rows));
    RETURN_IF_ERROR(
        runner_->Prefill(rows.subspan(begin, count), std::span(*outputs).subspan(begin, count)));
    ++counts_.prefill_steps;
    counts_.prefill_tokens += static_cast<int64_t>(count);
  }
  return absl::OkStatus();
}

int Scheduler::CommonPages(std::span<const int> a, std::span<const int> b) const {
  const size_t least = std::min(a.size(), b.size());
  const auto same = std::mismatch(a.begin(), a.begin() + static_cast<ptrdiff_t>(least), b.begin());
  return static_cast<int>(same.first - a.begin()) / shape_.page_tokens;
}

absl::Status Scheduler::ScoreBatch(std::span<const ScoreRequest> requests,
                                   std::vector<std::vector<ContinuationScore>>* scores) {
  std::vector<Holder> contexts(requests.size());
  // Contexts that begin as an earlier one does (few-shot examples) take its whole pages, and what
  // is their own is computed once those are written.
  std::vector<size_t> first;
  std::vector<TokenRow> rows, later;
  std::vector<RowOutput> outputs;
  for (size_t r = 0; r < requests.size(); ++r) {
    const std::span<const int> ids = WithoutLast(requests[r].context);
    int shared = 0;
    for (const size_t other : first) {
      const int pages = CommonPages(ids, WithoutLast(requests[other].context));
      for (; shared < pages; ++shared) {
        // Up to here the pages of all that were looked at hold the same tokens.
        pool_.Share(contexts[other].pages[shared]);
        contexts[r].pages.push_back(contexts[other].pages[shared]);
      }
    }
    if (shared == 0) first.push_back(r);
    counts_.shared_tokens += int64_t{shared} * shape_.page_tokens;
    const int count = static_cast<int>(ids.size());
    for (int i = shared; i < PagesFor(count); ++i) CHECK(TakePage(&contexts[r]));
    for (int i = shared * shape_.page_tokens; i < count; ++i) {
      (shared > 0 ? later : rows).push_back({ids[i], i, contexts[r].pages});
    }
  }
  absl::Status status = RunPrefill(rows, &outputs);
  if (status.ok()) status = RunPrefill(later, &outputs);
  rows.clear();
  std::list<Scored> scored;  // a list: rows keep views of its elements
  for (size_t r = 0; r < requests.size() && status.ok(); ++r) {
    const int shared = static_cast<int>(requests[r].context.size()) - 1;
    for (size_t c = 0; c < requests[r].continuations.size(); ++c) {
      const std::vector<int>& ids = requests[r].continuations[c];
      Scored& one = scored.emplace_back();
      one.request = r;
      one.continuation = c;
      for (int i = 0; i < PagesFor(shared + static_cast<int>(ids.size())); ++i) {
        if (i < shared / shape_.page_tokens) {
          pool_.Share(contexts[r].pages[i]);
          one.pages.push_back(contexts[r].pages[i]);
          continue;
        }
        CHECK(TakePage(&one));
        const bool partial = i == shared / shape_.page_tokens && shared % shape_.page_tokens != 0;
        if (partial) runner_->CopyPage(contexts[r].pages[i], one.pages.back());
      }
      for (size_t i = 0; i < ids.size(); ++i) {
        TokenRow row{i == 0 ? requests[r].context.back() : ids[i - 1], shared + static_cast<int>(i),
                     one.pages};
        row.target = ids[i];
        rows.push_back(row);
      }
    }
  }
  if (status.ok()) status = RunPrefill(rows, &outputs);
  size_t row = 0;
  for (Scored& one : scored) {
    ContinuationScore& score = (*scores)[one.request][one.continuation];
    const size_t count = requests[one.request].continuations[one.continuation].size();
    for (size_t i = 0; i < count && status.ok(); ++i, ++row) {
      score.logprob += outputs[row].target_logprob;
      score.is_greedy &= outputs[row].target_is_greatest;
      ++score.tokens;
    }
    Drop(&one);
  }
  for (Holder& context : contexts) Drop(&context);
  return status;
}

absl::StatusOr<std::vector<std::vector<ContinuationScore>>> Scheduler::Score(
    std::span<const ScoreRequest> requests) {
  RETURN_IF_ERROR(FinishAll());
  std::vector<std::vector<ContinuationScore>> scores;
  for (const ScoreRequest& request : requests) {
    CHECK(!request.context.empty());
    size_t longest = 0;
    for (const std::vector<int>& ids : request.continuations)
      longest = std::max(longest, ids.size());
    if (request.context.size() + longest > static_cast<size_t>(shape_.max_positions)) {
      return InvalidArgument(
          "the prompt and its longest continuation have %d tokens, and the "
          "context holds %d",
          request.context.size() + longest, shape_.max_positions);
    }
  }
  for (size_t begin = 0; begin < requests.size();) {
    const int needed = PagesToScore(requests[begin]);
    if (needed > pool_.total()) {
      return ResourceExhausted("scoring needs %d pages of the key-value cache, and it has %d",
                               needed, pool_.total());
    }
    while (needed > pool_.free()) {
      if (!FreeByEviction(nullptr)) Suspend(std::prev(running_.end()));
    }
    size_t end = begin;
    int pages = 0;
    while (end < requests.size() && pages + PagesToScore(requests[end]) <= pool_.free()) {
      pages += PagesToScore(requests[end++]);
    }
    std::vector<std::vector<ContinuationScore>> batch;
    for (size_t r = begin; r < end; ++r) {
      batch.emplace_back(requests[r].continuations.size());
    }
    RETURN_IF_ERROR(ScoreBatch(requests.subspan(begin, end - begin), &batch));
    for (std::vector<ContinuationScore>& one : batch) scores.push_back(std::move(one));
    begin = end;
  }
  return scores;
}

}  // namespace assay
