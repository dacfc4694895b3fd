// The store: one SQLite file that divides sampling (hours of GPU) from reading (seconds).
//
// Completions are immutable; verdicts live in their own table by grader and version and can be
// recomputed. Each sample is committed as it lands: kill -9 at any moment loses at most what was in
// flight. One writer thread, many readers (WAL). The file's format: docs/store.md.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "harness/types.h"

namespace assay {

enum class StoreMode { kReadOnly, kReadWrite };  // kReadWrite makes the file where there is none

// A run that was killed is told as kIncomplete: nobody holds its lock.
enum class RunState { kRunning, kComplete, kIncomplete };

struct RunSummary {
  RunManifest manifest;
  RunState state = RunState::kRunning;
  int64_t samples_planned = 0;
  int64_t samples_stored = 0;
  int64_t failures = 0;  // draws whose retries were exhausted and that are still missing
  std::string finished;  // ISO 8601, UTC; empty while running
};

// A sample with what it was asked. `key` is RequestKey (harness/keys.h).
struct StoredSample {
  std::string task;
  std::string key;
  Sample sample;
  // False: it has no verdict yet, and `sample`'s is meaningless. As an input: a sample whose
  // verdict names no grader is stored ungraded, whatever this says.
  bool graded = false;
};

// A problem as it was asked.
struct StoredProblem {
  Problem problem;
  Prompt prompt;
};

// What a reader wants decompressed: the texts are most of the bytes.
enum class SampleParts {
  kVerdicts,
  kAnswers,
  kAll
};  // kAnswers: answer text, no reasoning, no raw

// The missing draw's last error.
struct StoredFailure {
  std::string task;
  std::string problem_id;
  int index = 0;
  std::string message;
  std::string when;
};

struct SampleFilter {
  std::string task;        // empty: all
  std::string problem_id;  // empty: all
  std::optional<int> index;
  std::optional<Outcome> outcome;
  int grader_version = 0;  // the newest verdict by this version of a grader; 0: the newest of all
  SampleParts parts = SampleParts::kVerdicts;
  bool logprobs = false;  // Completion::logprobs too: many times the size of the texts
};

// Writes one run. Put* may be called from any thread; they block while the queue is full
// (back-pressure) and return the writer's first error (disk full) from then on, so that the run
// stops instead of losing samples silently.
class RunWriter {
 public:
  virtual ~RunWriter() = default;  // flushes; errors at this point are lost: call Finish
  // The problem as asked. Before its first sample. One that is already there is left as it is; an
  // error if it was asked otherwise (the task's file or its data changed).
  virtual absl::Status PutProblem(const std::string& task, const Problem& problem,
                                  const Prompt& prompt) = 0;
  // A sample that is already there with the same key is left as it is; with another key it is an
  // error.
  virtual absl::Status PutSample(StoredSample sample) = 0;
  virtual absl::Status PutFailure(const std::string& task, const std::string& problem_id, int index,
                                  std::string_view message) = 0;
  // Blocks until all that was put is committed.
  virtual absl::Status Flush() = 0;
  // Flushes, sets the state and ends the run's last session; `stopped_by` says why the run is not
  // complete.
  virtual absl::Status Finish(RunState state, std::string_view stopped_by = {}) = 0;
};

// How a run is gone on with.
struct Resumption {
  RunSession session;  // of this process; `started` is filled in
  Json options;        // an object takes the place of the manifest's options; null leaves them
};

// Thread-safe. Readers see what was committed when their call began.
class Store {
 public:
  virtual ~Store() = default;
  // A newer schema than this program knows, a file that is no SQLite database, no permission: an
  // error naming the file.
  static absl::StatusOr<std::unique_ptr<Store>> Open(const std::string& path, StoreMode mode);

  // Fills in manifest->id. The run is locked for this process until the writer dies; a second
  // process that wants to write the same run gets FailedPrecondition naming the process that holds
  // it.
  virtual absl::StatusOr<std::unique_ptr<RunWriter>> CreateRun(RunManifest* manifest) = 0;
  virtual absl::StatusOr<std::unique_ptr<RunWriter>> ResumeRun(const std::string& run_id,
                                                               const Resumption& how = {}) = 0;
  // Takes a run out again that never drew a sample; FailedPrecondition where it holds any, or where
  // a process is writing it.
  virtual absl::Status DiscardEmptyRun(const std::string& run_id) = 0;
  // Manifest fields that are known only once all problems were rendered (prompt_hash, problems) may
  // be set once.
  virtual absl::Status UpdateTasks(const std::string& run_id,
                                   const std::vector<TaskManifest>& tasks) = 0;

  virtual absl::StatusOr<std::vector<RunSummary>> ListRuns() = 0;
  // By id, unambiguous prefix of an id, name, or "last". NotFound lists what there is.
  virtual absl::StatusOr<RunSummary> FindRun(std::string_view which) = 0;

  virtual absl::Status ForEachProblem(
      const std::string& run_id, const std::string& task,
      const std::function<absl::Status(const Problem&, const Prompt&)>& visit) = 0;
  // One of them; nothing where the run has not (or not yet) asked it.
  virtual absl::StatusOr<std::optional<StoredProblem>> FindProblem(
      const std::string& run_id, const std::string& task, const std::string& problem_id) = 0;
  // Ordered by task as in the manifest, then problem as asked, then index. The verdict is the
  // newest.
  virtual absl::Status ForEachSample(
      const std::string& run_id, const SampleFilter& filter,
      const std::function<absl::Status(const StoredSample&)>& visit) = 0;
  // (problem id, sample index, key) of every stored sample of a task: what resume need not ask
  // again.
  virtual absl::Status ForEachKey(
      const std::string& run_id, const std::string& task,
      const std::function<absl::Status(std::string_view problem_id, int index,
                                       std::string_view key)>& visit) = 0;
  virtual absl::StatusOr<std::vector<StoredFailure>> ListFailures(const std::string& run_id) = 0;

  // Adds verdicts (and the extractions they were made from) in one transaction per batch; the
  // newest counts.
  struct NewVerdict {
    std::string task;
    std::string problem_id;
    int index = 0;
    Extraction extraction;
    Verdict verdict;
  };
  virtual absl::Status PutVerdicts(const std::string& run_id,
                                   const std::vector<NewVerdict>& verdicts) = 0;
  // Every verdict ever given to one sample, oldest first.
  virtual absl::StatusOr<std::vector<Verdict>> VerdictHistory(const std::string& run_id,
                                                              const std::string& task,
                                                              const std::string& problem_id,
                                                              int index) = 0;
};

}  // namespace assay
