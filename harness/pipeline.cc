// A planner hands out requests, the backend completes them, graders judge, the writer stores:
// threads joined by values.
#include "harness/pipeline.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "absl/container/flat_hash_map.h"
#include "harness/grading.h"
#include "harness/hash.h"
#include "harness/keys.h"
#include "harness/registry.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

// A problem whose draws are under way.
struct OpenProblem {
  Problem problem;
  std::string key_prefix;  // of its samples' request keys
  int draws_left = 0;
  int draws_graded = 0;
  bool whole = false;  // all of its samples are drawn in this process
  double score_sum = 0;
};

struct GradingJob {
  size_t task = 0;
  std::shared_ptr<OpenProblem> open;  // shared by the jobs of one problem; the last one drops it
  std::string key;
  Draw draw;
  Completion completion;
  size_t bytes() const {
    return completion.raw.size() + completion.reasoning.size() + completion.answer.size() +
           completion.logprobs.size();
  }
};

// Bounded by count and bytes, so that slow grading slows the backend instead of filling memory.
//
// Waking for every reply costs more than grading a plain one: a grader that had nothing to do lets
// a millisecond's worth gather, and takes several at once.
class JobQueue {
 public:
  explicit JobQueue(int takers) : takers_(static_cast<size_t>(takers)) {}

  void Push(GradingJob job) {
    std::unique_lock lock(mutex_);
    not_full_.wait(lock, [&] { return jobs_.size() < kMaxJobs && bytes_ < kMaxBytes; });
    bytes_ += job.bytes();
    jobs_.push_back(std::move(job));
    if (idle_ > 0) not_empty_.notify_one();
    if (jobs_.size() == kEnough) gathered_.notify_all();
  }
  // Some of what waits, a few at most: grading may be slow, and the others idle. Empty once the
  // queue is closed and drained.
  std::vector<GradingJob> Pop() {
    std::unique_lock lock(mutex_);
    while (jobs_.empty() && !closed_) {
      ++idle_;
      not_empty_.wait(lock, [&] { return !jobs_.empty() || closed_; });
      --idle_;
      gathered_.wait_for(lock, kGather, [&] { return closed_ || jobs_.size() >= kEnough; });
    }
    std::vector<GradingJob> share;
    const size_t even = (jobs_.size() + takers_ - 1) / takers_;
    for (size_t left = std::min(even, kMaxShare); left > 0; --left) {
      share.push_back(std::move(jobs_.front()));
      bytes_ -= share.back().bytes();
      jobs_.pop_front();
    }
    if (!share.empty()) not_full_.notify_all();
    return share;
  }
  void Close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    not_empty_.notify_all();
    gathered_.notify_all();
  }

 private:
  static constexpr size_t kMaxJobs = 4096;
  static constexpr size_t kMaxBytes = 32 << 20;
  static constexpr size_t kEnough = 64;
  static constexpr size_t kMaxShare = 16;
  static constexpr std::chrono::milliseconds kGather{1};
  const size_t takers_;
  std::mutex mutex_;
  std::condition_variable not_empty_, gathered_, not_full_;
  std::deque<GradingJob> jobs_;  // guarded by mutex_
  size_t bytes_ = 0;             // guarded by mutex_
  int idle_ = 0;                 // guarded by mutex_: takers that wait for a first job
  bool closed_ = false;          // guarded by mutex_
};

bool MatchesFilter(const Json& fields, const Json& filter) {
  if (!filter.is_object()) return true;
  for (const Json::Member& wanted : filter.AsMembers()) {
    const Json* found = fields.Find(wanted.first);
    if (found == nullptr) return false;
    const auto same = [&](const Json& value) { return value.ToText() == found->ToText(); };
    const bool match = wanted.second.is_array() ? std::any_of(wanted.second.AsArray().begin(),
                                                              wanted.second.AsArray().end(), same)
                                                : same(wanted.second);
    if (!match) return false;
  }
  return true;
}

int64_t LimitOf(double limit, int64_t rows) {
  if (limit <= 0) return rows;
  if (limit < 1)
    return std::max<int64_t>(1, std::llround(std::ceil(limit * static_cast<double>(rows))));
  return std::min<int64_t>(rows, std::llround(limit));
}

// Rows only, nothing rendered: cheap enough to run beside the first requests.
absl::StatusOr<int64_t> CountProblems(const Task& task, const std::string& dataset_path,
                                      const std::function<bool()>& stop) {
  ASSIGN_OR_RETURN(std::unique_ptr<RowReader> rows, OpenRows(dataset_path));
  int64_t count = 0;
  while (!stop()) {
    ASSIGN_OR_RETURN(const std::optional<Row> row, rows->Next());
    if (!row) break;
    if (MatchesFilter(row->fields, task.dataset.filter)) ++count;
  }
  return count;
}

int GradingThreads(const PipelineOptions& options) {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  return options.grading_threads > 0 ? options.grading_threads : std::max(1, cores - 1);
}

class Pipeline {
 public:
  Pipeline(const RunPlan& plan, CompletionSource& source, Store& store, RunWriter& writer,
           RunManifest* manifest, const PipelineOptions& options, BackendCounters* counters,
           RunProgress* progress)
      : plan_(plan),
        source_(source),
        store_(store),
        writer_(writer),
        manifest_(manifest),
        options_(options),
        counters_(counters),
        progress_(progress),
        identity_(source.identity()),
        graders_(GradingThreads(options)),
        queue_(graders_) {}

  RunOutcome Execute();

 private:
  struct TaskState {
    TaskGrading grading;
    std::unique_ptr<ProblemStream> stream;  // while this task is being read
    absl::flat_hash_map<std::string, std::string>
        stored;  // problem id + index -> key, from an earlier process
    Sha256 prompt_hash;
    int64_t problems = 0;
    int64_t limit = -1;  // -1: not known yet (a fraction waits for the count)
  };

  absl::Status Prepare();
  absl::Status LoadStoredKeys(size_t task);
  std::optional<CompletionRequest> Next();
  absl::StatusOr<std::optional<CompletionRequest>> NextLocked();
  absl::StatusOr<std::optional<CompletionRequest>> Plan(const AskedProblem& asked);
  absl::Status EndTask();
  void Done(const CompletionRequest& request, const Draw& draw,
            absl::StatusOr<Completion> completion);
  void GradeJobs();
  void Grade(GradingJob job);
  void CountAll();
  void Fail(const absl::Status& error);
  bool Stopping();
  absl::Status UpdateManifest();
  std::string WhyIncomplete() const;  // "" where the run is complete

  const RunPlan& plan_;
  CompletionSource& source_;
  Store& store_;
  RunWriter& writer_;
  RunManifest* manifest_;
  const PipelineOptions& options_;
  BackendCounters* counters_;
  RunProgress* progress_;
  const BackendIdentity identity_;

  std::vector<TaskState> tasks_;
  std::vector<std::string> dataset_paths_;  // as in the manifest, which changes under mutex_
  const int graders_;
  JobQueue queue_;
  std::atomic<bool> failed_{false};

  std::mutex mutex_;    // of the planner
  size_t current_ = 0;  // guarded by mutex_: the task being read
  std::map<std::pair<std::string, std::string>, std::shared_ptr<OpenProblem>>
      open_;                    // guarded by mutex_
  bool read_all_ = false;       // guarded by mutex_
  int64_t asked_problems_ = 0;  // guarded by mutex_

  std::mutex outcome_mutex_;
  RunOutcome outcome_;  // guarded by outcome_mutex_ until the threads are joined
};

std::string DrawKey(std::string_view problem_id, int index) {
  return absl::StrFormat("%s\n%d", problem_id, index);
}

void Pipeline::Fail(const absl::Status& error) {
  {
    std::lock_guard lock(outcome_mutex_);
    if (outcome_.error.ok()) outcome_.error = error;
  }
  failed_ = true;
}

bool Pipeline::Stopping() { return failed_ || (options_.interrupted && options_.interrupted()); }

absl::Status Pipeline::LoadStoredKeys(size_t task) {
  TaskState& state = tasks_[task];
  return store_.ForEachKey(manifest_->id, plan_.tasks[task].name,
                           [&](std::string_view problem_id, int index, std::string_view key) {
                             state.stored.emplace(DrawKey(problem_id, index), std::string(key));
                             progress_->stored_before += 1;
                             return absl::OkStatus();
                           });
}

absl::Status Pipeline::Prepare() {
  tasks_.resize(plan_.tasks.size());
  for (size_t i = 0; i < plan_.tasks.size(); ++i) {
    const Task& task = plan_.tasks[i];
    ASSIGN_OR_RETURN(tasks_[i].grading, BindGrading(task.extractor, task.extract_options,
                                                    task.grader, task.grader_options));
    if (plan_.limit == 0 || plan_.limit >= 1) tasks_[i].limit = LimitOf(plan_.limit, INT64_MAX);
    dataset_paths_.push_back(manifest_->tasks[i].dataset_path);
    RETURN_IF_ERROR(LoadStoredKeys(i));
  }
  return absl::OkStatus();
}

// Counts every task's rows, so that progress has a total, without holding up the first request.
void Pipeline::CountAll() {
  for (size_t i = 0; i < plan_.tasks.size(); ++i) {
    const absl::StatusOr<int64_t> rows =
        CountProblems(plan_.tasks[i], dataset_paths_[i], [&] { return Stopping(); });
    if (!rows.ok()) return;  // the planner will meet the same row and say so
    const int64_t problems = LimitOf(plan_.limit, *rows);
    progress_->planned += problems * plan_.tasks[i].samples;
    std::lock_guard lock(mutex_);
    if (manifest_->tasks[i].problems == 0) manifest_->tasks[i].problems = problems;
  }
  progress_->planned_known = true;
  // Stored now, so that a run that is killed still knows how many samples it lacks.
  std::vector<TaskManifest> counted;
  {
    std::lock_guard lock(mutex_);
    counted = manifest_->tasks;
  }
  if (const absl::Status updated = store_.UpdateTasks(manifest_->id, counted); !updated.ok())
    Fail(updated);
}

absl::Status Pipeline::EndTask() {
  TaskState& state = tasks_[current_];
  TaskManifest& manifest = manifest_->tasks[current_];
  manifest.prompt_hash = state.prompt_hash.HexDigest();
  manifest.problems = state.problems;
  state.stream.reset();
  ++current_;
  return absl::OkStatus();
}

absl::StatusOr<std::optional<CompletionRequest>> Pipeline::Plan(const AskedProblem& asked) {
  const Task& task = plan_.tasks[current_];
  TaskState& state = tasks_[current_];
  const std::string& id = asked.problem.id;
  state.problems += 1;
  const std::string prompt_json = PromptToJson(asked.prompt).Dump();
  state.prompt_hash.Update(prompt_json);
  state.prompt_hash.Update("\n");

  CompletionRequest request;
  request.sampling = task.sampling;
  request.sampling.seed = plan_.seed;
  request.prompt = asked.prompt;
  std::string key_prefix =
      RequestKeyPrefix(identity_.model, identity_.endpoint, prompt_json, request.sampling);
  for (int index = 0; index < task.samples; ++index) {
    const auto stored =
        state.stored.empty() ? state.stored.end() : state.stored.find(DrawKey(id, index));
    if (stored == state.stored.end()) {
      request.draws.push_back({index, SampleSeed(plan_.seed, task.name, id, index)});
      continue;
    }
    if (stored->second != RequestKey(key_prefix, index)) {
      return FailedPrecondition(
          "run %s: task %s, problem '%s', sample %d was asked differently when it was stored "
          "(model, endpoint, prompt "
          "or sampling changed since); start a new run instead of resuming",
          manifest_->id, task.name, id, index + 1);
    }
  }
  if (request.draws.empty()) return std::nullopt;
  request.task = task.name;
  request.problem_id = id;
  RETURN_IF_ERROR(writer_.PutProblem(task.name, asked.problem, asked.prompt));
  auto open = std::make_shared<OpenProblem>();
  open->problem = asked.problem;
  open->key_prefix = std::move(key_prefix);
  open->draws_left = static_cast<int>(request.draws.size());
  open->whole = open->draws_left == task.samples;
  open_[{request.task, request.problem_id}] = std::move(open);
  return request;
}

absl::StatusOr<std::optional<CompletionRequest>> Pipeline::NextLocked() {
  if (options_.most_problems > 0 && asked_problems_ >= options_.most_problems) return std::nullopt;
  while (current_ < plan_.tasks.size()) {
    const Task& task = plan_.tasks[current_];
    TaskState& state = tasks_[current_];
    if (!state.stream) {
      ASSIGN_OR_RETURN(state.stream, OpenProblems(plan_.search, task, plan_.seed));
      if (state.limit < 0) {
        ASSIGN_OR_RETURN(const int64_t rows, CountProblems(task, state.stream->dataset_path(),
                                                           [&] { return Stopping(); }));
        state.limit = LimitOf(plan_.limit, rows);
      }
    }
    if (state.problems >= state.limit) {
      RETURN_IF_ERROR(EndTask());
      continue;
    }
    ASSIGN_OR_RETURN(const std::optional<AskedProblem> asked, state.stream->Next());
    if (!asked) {
      RETURN_IF_ERROR(EndTask());
      continue;
    }
    ASSIGN_OR_RETURN(std::optional<CompletionRequest> request, Plan(*asked));
    if (request) {
      ++asked_problems_;
      return request;
    }
    if (Stopping()) return std::nullopt;
  }
  read_all_ = true;
  return std::nullopt;
}

std::optional<CompletionRequest> Pipeline::Next() {
  if (Stopping()) return std::nullopt;
  std::lock_guard lock(mutex_);
  absl::StatusOr<std::optional<CompletionRequest>> request = NextLocked();
  if (request.ok()) return *std::move(request);
  Fail(request.status());
  return std::nullopt;
}

void Pipeline::Done(const CompletionRequest& request, const Draw& draw,
                    absl::StatusOr<Completion> completion) {
  GradingJob job;
  {
    std::lock_guard lock(mutex_);
    const auto found = open_.find({request.task, request.problem_id});
    CHECK(found != open_.end());
    job.open = found->second;
    CHECK(job.open->draws_left > 0);
    if (--job.open->draws_left == 0) open_.erase(found);
  }
  if (!completion.ok()) {
    progress_->failed += 1;
    const absl::Status status = writer_.PutFailure(request.task, request.problem_id, draw.index,
                                                   std::string(completion.status().message()));
    if (!status.ok()) Fail(status);
    return;
  }
  for (size_t i = 0; i < plan_.tasks.size(); ++i) {
    if (plan_.tasks[i].name == request.task) job.task = i;
  }
  job.key = RequestKey(job.open->key_prefix, draw.index);
  job.draw = draw;
  job.completion = *std::move(completion);
  queue_.Push(std::move(job));
}

void Pipeline::Grade(GradingJob job) {
  StoredSample stored;
  stored.task = plan_.tasks[job.task].name;
  stored.key = std::move(job.key);
  stored.sample.problem_id = job.open->problem.id;
  stored.sample.index = job.draw.index;
  stored.sample.completion = std::move(job.completion);
  const absl::Status graded =
      GradeSample(tasks_[job.task].grading, job.open->problem, &stored.sample);
  stored.graded = graded.ok();
  const double score = stored.sample.verdict.score;
  const bool truncated = stored.sample.completion.truncated();
  if (!graded.ok()) {
    progress_->ungraded += 1;
    std::lock_guard lock(outcome_mutex_);
    if (outcome_.ungraded_because.empty()) outcome_.ungraded_because = graded.ToString();
  }
  if (const absl::Status put = writer_.PutSample(std::move(stored)); !put.ok()) return Fail(put);
  progress_->stored += 1;
  if (truncated) progress_->truncated += 1;
  if (!graded.ok() || !job.open->whole) return;
  std::lock_guard lock(outcome_mutex_);
  OpenProblem& open = *job.open;
  open.score_sum += score;
  if (++open.draws_graded < plan_.tasks[job.task].samples) return;
  const double mean = open.score_sum / open.draws_graded;
  progress_->problems_done += 1;
  progress_->score_sum = progress_->score_sum + mean;
  progress_->score_square_sum = progress_->score_square_sum + mean * mean;
}

void Pipeline::GradeJobs() {
  for (std::vector<GradingJob> jobs = queue_.Pop(); !jobs.empty(); jobs = queue_.Pop()) {
    for (GradingJob& job : jobs) Grade(std::move(job));
  }
}

absl::Status Pipeline::UpdateManifest() {
  return store_.UpdateTasks(manifest_->id, manifest_->tasks);
}

std::string Pipeline::WhyIncomplete() const {
  if (outcome_.complete) return "";
  if (!outcome_.error.ok()) return std::string(outcome_.error.message());
  if (outcome_.interrupted) return "interrupted";
  std::vector<std::string> reasons;
  if (progress_->failed > 0) {
    reasons.push_back(Counted(progress_->failed, "sample") + " failed, every retry too");
  }
  if (progress_->ungraded > 0) {
    reasons.push_back(absl::StrFormat("%s not graded: %s", Counted(progress_->ungraded, "sample"),
                                      outcome_.ungraded_because));
  }
  if (!read_all_ && options_.most_problems > 0) {
    reasons.push_back("asked for samples of " + Counted(options_.most_problems, "problem") +
                      " only");
  }
  return Join(reasons, "; ");
}

RunOutcome Pipeline::Execute() {
  if (const absl::Status prepared = Prepare(); !prepared.ok()) {
    Fail(prepared);
    const absl::Status told =
        writer_.Finish(RunState::kIncomplete, std::string(prepared.message()));
    if (!told.ok()) Fail(told);  // the first one stays
    return outcome_;
  }
  {
    std::vector<std::jthread> threads;
    std::jthread counter([this] { CountAll(); });
    for (int i = 0; i < graders_; ++i) threads.emplace_back([this] { GradeJobs(); });
    CompletionFlow flow;
    flow.next = [this] { return Next(); };
    flow.done = [this](const CompletionRequest& request, const Draw& draw,
                       absl::StatusOr<Completion> completion) {
      Done(request, draw, std::move(completion));
    };
    flow.stopping = [this] { return Stopping(); };
    flow.counters = counters_;
    if (const absl::Status ran = source_.Run(flow); !ran.ok()) Fail(ran);
    queue_.Close();
  }
  // Beyond this point no thread but the writer's is alive.
  outcome_.interrupted = options_.interrupted && options_.interrupted();
  for (size_t i = 0; i < plan_.tasks.size(); ++i) {
    outcome_.samples_planned += tasks_[i].problems * plan_.tasks[i].samples;
  }
  outcome_.complete = read_all_ && outcome_.error.ok() && progress_->ungraded == 0 &&
                      progress_->stored + progress_->stored_before == outcome_.samples_planned;
  if (const absl::Status updated = UpdateManifest(); !updated.ok()) Fail(updated);
  const RunState state = outcome_.complete ? RunState::kComplete : RunState::kIncomplete;
  if (const absl::Status finished = writer_.Finish(state, WhyIncomplete()); !finished.ok()) {
    Fail(finished);
    outcome_.complete = false;
  }
  return outcome_;
}

}  // namespace

absl::Status CheckAnswerable(const RunPlan& plan, const Backend& backend) {
  if (backend.scores_continuations) return absl::OkStatus();
  for (const Task& task : plan.tasks) {
    if (task.definition.Find("loglikelihood") == nullptr) continue;
    return FailedPrecondition(
        "task %s: loglikelihood asks for log-probabilities of given texts, and the backend '%s' "
        "gives none; a checkpoint directory as --model does",
        task.name, backend.name);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<TaskManifest>> PlanManifests(const RunPlan& plan) {
  std::vector<TaskManifest> manifests;
  for (const Task& task : plan.tasks) {
    ASSIGN_OR_RETURN(const Grader* grader, FindGrader(task.grader));
    ASSIGN_OR_RETURN(const std::unique_ptr<ProblemStream> stream,
                     OpenProblems(plan.search, task, plan.seed));
    TaskManifest manifest;
    manifest.name = task.name;
    manifest.version = task.version;
    manifest.task_hash = task.hash;
    manifest.dataset_path = stream->dataset_path();
    manifest.dataset_sha256 = stream->dataset_sha256();
    manifest.extractor = task.extractor;
    manifest.extract_options = task.extract_options;
    manifest.grader = task.grader;
    manifest.grader_version = grader->version;
    manifest.grader_options = task.grader_options;
    manifest.sampling = SamplingToJson(task.sampling);
    manifest.samples_per_problem = task.samples;
    manifest.metrics = task.metrics;
    manifest.definition = task.definition;
    manifests.push_back(std::move(manifest));
  }
  return manifests;
}

RunOutcome ExecuteRun(const RunPlan& plan, CompletionSource& source, Store& store,
                      RunWriter& writer, RunManifest* manifest, const PipelineOptions& options,
                      BackendCounters* counters, RunProgress* progress) {
  CHECK(manifest->tasks.size() == plan.tasks.size());
  Pipeline pipeline(plan, source, store, writer, manifest, options, counters, progress);
  return pipeline.Execute();
}

}  // namespace assay
