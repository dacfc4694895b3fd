// Putters hand over values; the writer thread compresses and commits them.
//
// Compression is the writer's work: the putters are the threads that read from the network, of
// which there may be only one, and the writer has time while they wait. It is done before the
// transaction begins, so that another process waits for a few inserts only.
#include "harness/store/writer.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "harness/manifest.h"
#include "harness/status.h"
#include "harness/store/rows.h"
#include "harness/store/texts.h"
#include "harness/text.h"

namespace assay {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMaxQueuedBytes = 16 << 20;  // one batch more is being written
constexpr size_t kMaxQueuedJobs = 8192;
constexpr size_t kMaxTextBytes = 800 << 20;  // SQLite keeps no value beyond 1 GB
constexpr size_t kMaxCachedProblems = 4096;
constexpr size_t kMaxStoppedByBytes = 2000;
// At most 250 commits a second: at 15,000 samples a second a commit for each would cost four times
// as much as the insert. What lands when the writer was idle is committed at once.
constexpr auto kCommitInterval = std::chrono::milliseconds(4);

struct ProblemJob {
  std::string task;
  std::string problem_id;
  std::string asked;  // JSON
};
struct SampleJob {
  StoredSample stored;
  PackedTexts texts;
  std::string logprobs;  // a zstd frame, or empty
};
struct FailureJob {
  std::string task;
  std::string problem_id;
  int index;
  std::string message;
};
struct StateJob {
  RunState state;
  std::string stopped_by;
};
using Job = std::variant<ProblemJob, SampleJob, FailureJob, StateJob>;

size_t TextBytes(const Completion& completion) {
  return completion.raw.size() + completion.reasoning.size() + completion.answer.size() +
         completion.logprobs.size();
}

struct JobBytes {
  size_t operator()(const ProblemJob& job) const { return job.asked.size(); }
  size_t operator()(const SampleJob& job) const { return TextBytes(job.stored.sample.completion); }
  size_t operator()(const FailureJob& job) const { return job.message.size(); }
  size_t operator()(const StateJob&) const { return 0; }
};
size_t BytesOf(const Job& job) { return 1024 + std::visit(JobBytes(), job); }

std::string_view StateName(RunState state) {
  switch (state) {
    case RunState::kRunning:
      return "running";
    case RunState::kComplete:
      return "complete";
    case RunState::kIncomplete:
      return "incomplete";
  }
  return "incomplete";
}

// The prepared statements of one run's writer, used by its thread alone.
class RunTables {
 public:
  static absl::StatusOr<std::unique_ptr<RunTables>> Open(Sqlite database, RunRows rows) {
    std::unique_ptr<RunTables> tables(new RunTables(std::move(database), std::move(rows)));
    RETURN_IF_ERROR(tables->PrepareAll());
    return tables;
  }

  // Compresses; before the transaction.
  void Prepare(Job& job);

  // All jobs in one transaction. An error: nothing of it is stored. A job that contradicts what is
  // stored is left out and told in *rejected; the others are stored.
  absl::Status Commit(std::vector<Job>& jobs, absl::Status* rejected) {
    absl::Status status = CommitAll(jobs, rejected);
    // What was looked up may have been rolled back.
    if (!status.ok()) ForgetRows();
    return status;
  }

 private:
  RunTables(Sqlite database, RunRows rows)
      : database_(std::move(database)), rows_(std::move(rows)) {}
  absl::Status PrepareAll();
  absl::Status CommitAll(std::vector<Job>& jobs, absl::Status* rejected);
  void ForgetRows() {
    problems_.clear();
    servers_.clear();
    may_have_failures_ = true;
  }

  absl::Status Write(ProblemJob& job);
  absl::Status Write(SampleJob& job);
  absl::Status Write(FailureJob& job);
  absl::Status Write(StateJob& job);
  absl::Status CheckAskedAlike(const ProblemJob& job, int64_t task);
  absl::Status CheckSameKey(const StoredSample& stored, int64_t problem);
  absl::Status WriteTexts(int64_t sample, const PackedTexts& texts);

  absl::StatusOr<int64_t> TaskRow(const std::string& task) const;
  absl::StatusOr<int64_t> ProblemRow(const std::string& task, const std::string& problem_id);
  absl::StatusOr<int64_t> ServerRow(const Completion& completion);
  void RememberProblem(std::string key, int64_t row);

  Sqlite database_;
  RunRows rows_;
  Compressor compressor_;
  std::string frame_;
  int64_t now_ms_ = 0;
  SqliteStatement insert_problem_, find_problem_, asked_, insert_sample_, key_of_, insert_texts_;
  SqliteStatement insert_logprobs_;
  SqliteStatement insert_server_, find_server_, insert_failure_, delete_failure_, set_state_;
  std::optional<VerdictTable> verdicts_;
  // Rows that were looked up lately; bounded, since a run may have any number of problems.
  absl::flat_hash_map<std::string, int64_t> problems_;
  absl::flat_hash_map<std::string, int64_t> servers_;
  bool may_have_failures_ = true;
};

std::string PairKey(const std::string& a, const std::string& b) {
  std::string key = a;
  key += '\0';
  key += b;
  return key;
}

absl::Status RunTables::PrepareAll() {
  const auto prepare = [this](SqliteStatement& target, const char* sql) -> absl::Status {
    ASSIGN_OR_RETURN(target, database_.Prepare(sql));
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(prepare(insert_problem_,
                          "INSERT INTO problems (task, problem_id, asked) VALUES (?, ?, ?) "
                          "ON CONFLICT (task, problem_id) DO NOTHING"));
  RETURN_IF_ERROR(
      prepare(find_problem_, "SELECT id FROM problems WHERE task = ? AND problem_id = ?"));
  RETURN_IF_ERROR(prepare(asked_, "SELECT asked FROM problems WHERE task = ? AND problem_id = ?"));
  RETURN_IF_ERROR(prepare(
      insert_sample_,
      "INSERT INTO samples (problem, sample_index, key, finish, unclosed_reasoning, prompt_tokens, "
      "reasoning_tokens, answer_tokens, tokens_measured, latency_seconds, cost_usd, seed, server, "
      "created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT (problem, sample_index) DO NOTHING"));
  RETURN_IF_ERROR(
      prepare(key_of_, "SELECT key FROM samples WHERE problem = ? AND sample_index = ?"));
  RETURN_IF_ERROR(prepare(insert_texts_,
                          "INSERT INTO texts (sample, raw_begin, raw_size, reasoning_begin, "
                          "reasoning_size, answer_begin, answer_size, cut, tail, head) "
                          "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  RETURN_IF_ERROR(prepare(insert_logprobs_, "INSERT INTO logprobs (sample, packed) VALUES (?, ?)"));
  RETURN_IF_ERROR(prepare(insert_server_,
                          "INSERT INTO servers (served_by, served_model) VALUES (?, ?) "
                          "ON CONFLICT (served_by, served_model) DO NOTHING"));
  RETURN_IF_ERROR(
      prepare(find_server_, "SELECT id FROM servers WHERE served_by = ? AND served_model = ?"));
  RETURN_IF_ERROR(
      prepare(insert_failure_,
              "INSERT INTO failures (problem, sample_index, message, created_ms) "
              "SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS "
              "(SELECT 1 FROM samples WHERE problem = ?1 AND sample_index = ?2) "
              "ON CONFLICT (problem, sample_index) DO UPDATE SET message = excluded.message, "
              "created_ms = excluded.created_ms"));
  RETURN_IF_ERROR(
      prepare(delete_failure_, "DELETE FROM failures WHERE problem = ? AND sample_index = ?"));
  RETURN_IF_ERROR(
      prepare(set_state_, "UPDATE runs SET state = ?, finished = ?, manifest = ? WHERE id = ?"));
  ASSIGN_OR_RETURN(verdicts_, VerdictTable::Prepare(database_));
  return absl::OkStatus();
}

void RunTables::Prepare(Job& job) {
  if (auto* problem = std::get_if<ProblemJob>(&job)) {
    compressor_.Compress(problem->asked, LevelFor(problem->asked.size()), &frame_);
    problem->asked = frame_;
  } else if (auto* sample = std::get_if<SampleJob>(&job)) {
    Completion& completion = sample->stored.sample.completion;
    PackTexts(&completion, compressor_, &sample->texts);
    if (completion.logprobs.empty()) return;
    compressor_.Compress(completion.logprobs, LevelFor(completion.logprobs.size()),
                         &sample->logprobs);
    completion.logprobs = std::string();
  }
}

absl::Status RunTables::CommitAll(std::vector<Job>& jobs, absl::Status* rejected) {
  if (database_.has_moved()) {
    return absl::DataLossError(absl::StrFormat(
        "%s: the database was moved, deleted or replaced while this run writes it, so what it "
        "stores would be lost; a database moves with its -wal file beside it, and when no run is "
        "going on",
        database_.path()));
  }
  ASSIGN_OR_RETURN(SqliteTransaction transaction, SqliteTransaction::Begin(&database_));
  now_ms_ = NowMilliseconds();
  for (Job& job : jobs) {
    absl::Status status = std::visit([this](auto& one) { return Write(one); }, job);
    if (status.ok()) continue;
    const bool contradicts = status.code() == absl::StatusCode::kFailedPrecondition;
    if (!contradicts || !database_.in_transaction()) return status;
    if (rejected->ok()) *rejected = status;
  }
  return transaction.Commit();
}

absl::Status RunTables::Write(ProblemJob& job) {
  ASSIGN_OR_RETURN(const int64_t task, TaskRow(job.task));
  RETURN_IF_ERROR(insert_problem_.Execute(task, job.problem_id, SqliteBlob{job.asked}));
  if (database_.changes() == 0) return CheckAskedAlike(job, task);
  RememberProblem(PairKey(job.task, job.problem_id), database_.last_row_id());
  return absl::OkStatus();
}

// A resumed run asks its problems again. The frames may differ where another zstd made them.
absl::Status RunTables::CheckAskedAlike(const ProblemJob& job, int64_t task) {
  asked_.Bind(task, job.problem_id);
  ASSIGN_OR_RETURN(const bool found, asked_.Step());
  CHECK(found);
  const std::string stored(asked_.Text(0));
  asked_.Reset();
  if (stored == job.asked) return absl::OkStatus();
  Decompressor decompressor;
  std::string before, now;
  RETURN_IF_ERROR(
      Annotate(decompressor.Decompress(stored, kMaxTextBytes, &before), database_.path()));
  RETURN_IF_ERROR(decompressor.Decompress(job.asked, kMaxTextBytes, &now));
  if (before == now) return absl::OkStatus();
  return FailedPrecondition(
      "%s: problem %s of task %s is stored with another prompt, reference or row: the task or its "
      "data changed since this run began",
      database_.path(), job.problem_id, job.task);
}

absl::Status RunTables::Write(SampleJob& job) {
  const Sample& sample = job.stored.sample;
  const Completion& completion = sample.completion;
  ASSIGN_OR_RETURN(const int64_t problem, ProblemRow(job.stored.task, sample.problem_id));
  ASSIGN_OR_RETURN(const int64_t server, ServerRow(completion));
  bool packed = false;
  const std::string key = PackKey(job.stored.key, &packed);
  const TokenCounts& tokens = completion.tokens;
  const auto insert = [&](const auto& key_value) {
    return insert_sample_.Execute(
        problem, sample.index, key_value, FinishReasonName(completion.finish),
        completion.unclosed_reasoning, tokens.prompt, tokens.reasoning, tokens.answer,
        tokens.source == TokenSource::kMeasured, completion.latency_seconds, completion.cost_usd,
        completion.seed, server, now_ms_);
  };
  RETURN_IF_ERROR(packed ? insert(SqliteBlob{key}) : insert(key));
  if (database_.changes() == 0) return CheckSameKey(job.stored, problem);
  const int64_t row = database_.last_row_id();
  RETURN_IF_ERROR(WriteTexts(row, job.texts));
  if (!job.logprobs.empty()) {
    RETURN_IF_ERROR(insert_logprobs_.Execute(row, SqliteBlob{job.logprobs}));
  }
  if (!sample.verdict.grader.empty()) {
    RETURN_IF_ERROR(verdicts_->Add(row, sample.extraction, sample.verdict, now_ms_));
  }
  return may_have_failures_ ? delete_failure_.Execute(problem, sample.index) : absl::OkStatus();
}

absl::Status RunTables::CheckSameKey(const StoredSample& stored, int64_t problem) {
  key_of_.Bind(problem, stored.sample.index);
  ASSIGN_OR_RETURN(const bool found, key_of_.Step());
  CHECK(found);
  const std::string key = UnpackKey(key_of_, 0);
  key_of_.Reset();
  if (key == stored.key) return absl::OkStatus();
  return FailedPrecondition(
      "%s: sample %d of problem %s of task %s is stored under key %s, and was put again under %s: "
      "the model, endpoint, prompt or sampling changed",
      database_.path(), stored.sample.index, stored.sample.problem_id, stored.task, key,
      stored.key);
}

absl::Status RunTables::WriteTexts(int64_t sample, const PackedTexts& texts) {
  std::optional<SqliteBlob> head;
  if (texts.cut > 0) head = SqliteBlob{texts.head};
  return insert_texts_.Execute(sample, texts.raw.begin, texts.raw.size, texts.reasoning.begin,
                               texts.reasoning.size, texts.answer.begin, texts.answer.size,
                               texts.cut, SqliteBlob{texts.tail}, head);
}

absl::Status RunTables::Write(FailureJob& job) {
  ASSIGN_OR_RETURN(const int64_t problem, ProblemRow(job.task, job.problem_id));
  may_have_failures_ = true;
  return insert_failure_.Execute(problem, job.index, job.message, now_ms_);
}

absl::Status RunTables::Write(StateJob& job) {
  const std::string finished = job.state == RunState::kRunning ? "" : NowIso8601();
  ASSIGN_OR_RETURN(Json manifest, ReadRunManifest(database_, rows_.run));
  Json* sessions = manifest.Find("sessions");
  if (sessions != nullptr && sessions->is_array() && sessions->size() > 0) {
    Json& last = sessions->AsArray().back();
    last.Set("ended", finished);
    last.Set("stopped_by", Shorten(job.stopped_by, kMaxStoppedByBytes));
  }
  return set_state_.Execute(StateName(job.state), finished, manifest.Dump(), rows_.run);
}

absl::StatusOr<int64_t> RunTables::TaskRow(const std::string& task) const {
  const auto found = rows_.task_rows.find(task);
  if (found != rows_.task_rows.end()) return found->second;
  return FailedPrecondition("%s: the run has no task '%s'", database_.path(), task);
}

absl::StatusOr<int64_t> RunTables::ProblemRow(const std::string& task,
                                              const std::string& problem_id) {
  std::string key = PairKey(task, problem_id);
  if (const auto found = problems_.find(key); found != problems_.end()) return found->second;
  ASSIGN_OR_RETURN(const int64_t task_row, TaskRow(task));
  find_problem_.Bind(task_row, problem_id);
  ASSIGN_OR_RETURN(const bool row, find_problem_.Step());
  if (!row) {
    return FailedPrecondition(
        "%s: task %s has no problem '%s': a problem is put before its samples", database_.path(),
        task, problem_id);
  }
  const int64_t id = find_problem_.Integer(0);
  find_problem_.Reset();
  RememberProblem(std::move(key), id);
  return id;
}

void RunTables::RememberProblem(std::string key, int64_t row) {
  if (problems_.size() >= kMaxCachedProblems) problems_.clear();
  problems_.emplace(std::move(key), row);
}

absl::StatusOr<int64_t> RunTables::ServerRow(const Completion& completion) {
  std::string key = PairKey(completion.served_by, completion.served_model);
  if (const auto found = servers_.find(key); found != servers_.end()) return found->second;
  RETURN_IF_ERROR(insert_server_.Execute(completion.served_by, completion.served_model));
  find_server_.Bind(completion.served_by, completion.served_model);
  ASSIGN_OR_RETURN(const bool row, find_server_.Step());
  CHECK(row);
  const int64_t id = find_server_.Integer(0);
  find_server_.Reset();
  if (servers_.size() >= kMaxCachedProblems) servers_.clear();
  servers_.emplace(std::move(key), id);
  return id;
}

class QueueWriter final : public RunWriter {
 public:
  QueueWriter(std::unique_ptr<RunTables> tables, RunLock lock)
      : lock_(std::move(lock)), tables_(std::move(tables)) {
    thread_ = std::jthread([this] { WriteUntilStopped(); });
  }

  ~QueueWriter() override {
    {
      const std::lock_guard guard(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

  absl::Status PutProblem(const std::string& task, const Problem& problem,
                          const Prompt& prompt) override {
    return Put(ProblemJob{task, problem.id, AskedToJson(problem, prompt).Dump()});
  }

  absl::Status PutSample(StoredSample sample) override {
    if (TextBytes(sample.sample.completion) > kMaxTextBytes) {
      return InvalidArgument(
          "sample %d of problem %s of task %s: a completion of more than %d bytes",
          sample.sample.index, sample.sample.problem_id, sample.task, kMaxTextBytes);
    }
    return Put(SampleJob{std::move(sample), {}});
  }

  absl::Status PutFailure(const std::string& task, const std::string& problem_id, int index,
                          std::string_view message) override {
    return Put(FailureJob{task, problem_id, index, std::string(message)});
  }

  absl::Status Flush() override {
    std::unique_lock lock(mutex_);
    const uint64_t wanted = put_;
    ++flushing_;
    wake_.notify_all();
    committed_.wait(lock, [&] { return done_ >= wanted; });
    --flushing_;
    return error_;
  }

  absl::Status Finish(RunState state, std::string_view stopped_by) override {
    RETURN_IF_ERROR(Put(StateJob{state, std::string(stopped_by)}));
    return Flush();
  }

 private:
  absl::Status Put(Job job) {
    const size_t bytes = BytesOf(job);
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] {
      return !error_.ok() || queue_.empty() ||
             (queue_.size() < kMaxQueuedJobs && queued_bytes_ + bytes <= kMaxQueuedBytes);
    });
    RETURN_IF_ERROR(error_);
    queue_.push_back(std::move(job));
    queued_bytes_ += bytes;
    ++put_;
    // A wake costs as much as an insert: none while the writer is awake anyway.
    if (idle_ || queue_.size() == kMaxQueuedJobs) wake_.notify_all();
    return absl::OkStatus();
  }

  void WriteUntilStopped() {
    Clock::time_point last_commit;
    std::vector<Job> batch;
    while (TakeBatch(last_commit + kCommitInterval, &batch)) {
      absl::Status rejected;
      absl::Status status = Failed() ? absl::OkStatus() : WriteBatch(batch, &rejected);
      if (status.ok()) status = rejected;
      last_commit = Clock::now();
      Done(batch.size(), status);
      batch.clear();
    }
  }

  absl::Status WriteBatch(std::vector<Job>& batch, absl::Status* rejected) {
    for (Job& job : batch) tables_->Prepare(job);
    return tables_->Commit(batch, rejected);
  }

  // False: stopped, and nothing is left. After an error the batches are taken and dropped, so that
  // nobody waits for room for ever.
  bool TakeBatch(Clock::time_point not_before, std::vector<Job>* batch) {
    std::unique_lock lock(mutex_);
    idle_ = true;
    wake_.wait(lock, [&] { return !queue_.empty() || stopping_; });
    idle_ = false;
    wake_.wait_until(lock, not_before, [&] {
      return stopping_ || flushing_ > 0 || queue_.size() >= kMaxQueuedJobs ||
             queued_bytes_ >= kMaxQueuedBytes / 2;
    });
    batch->swap(queue_);
    queued_bytes_ = 0;
    room_.notify_all();
    return !batch->empty();
  }

  bool Failed() {
    const std::lock_guard guard(mutex_);
    return !error_.ok();
  }

  void Done(size_t count, const absl::Status& status) {
    const std::lock_guard guard(mutex_);
    done_ += count;
    if (error_.ok()) error_ = status;
    committed_.notify_all();
    room_.notify_all();
  }

  RunLock lock_;
  std::unique_ptr<RunTables> tables_;  // the writer thread's
  std::mutex mutex_;
  // Guarded by mutex_:
  std::condition_variable wake_;       // the writer waits here
  std::condition_variable room_;       // putters wait here
  std::condition_variable committed_;  // Flush waits here
  std::vector<Job> queue_;
  size_t queued_bytes_ = 0;
  uint64_t put_ = 0;   // jobs ever put
  uint64_t done_ = 0;  // jobs ever committed, or dropped after an error
  int flushing_ = 0;
  bool idle_ = false;
  bool stopping_ = false;
  absl::Status error_;  // the first

  std::jthread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RunWriter>> StartRunWriter(Sqlite database, RunLock lock,
                                                          RunRows rows) {
  ASSIGN_OR_RETURN(std::unique_ptr<RunTables> tables,
                   RunTables::Open(std::move(database), std::move(rows)));
  return std::make_unique<QueueWriter>(std::move(tables), std::move(lock));
}

}  // namespace assay
