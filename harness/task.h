// Tasks as data: a YAML file says where the rows are, how they become prompts, and how replies are
// graded.
//
// tasks/README.md documents every key. Loading is strict: unknown keys, wrong types, unknown names
// are errors with FILE:LINE, what was wanted and the nearest valid name.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/extract.h"
#include "harness/grader.h"
#include "harness/json.h"
#include "harness/rows.h"
#include "harness/types.h"

namespace assay {

struct DatasetReference {
  std::string
      file;  // as written: relative to the YAML file, else looked for in the data directories
  std::string sha256;  // empty: not pinned
  std::string hub_id;  // where it comes from: documentation, and `datasets fetch`
  std::string revision;
  std::string config;
  std::string split;
  // Object or null: field -> value or list of values that a row must have, or {from, until}: text
  // at or after the one and before the other (dates in ISO 8601).
  Json filter;
  std::vector<std::string> parts;  // what `file` is joined from, in order; a release is the first
  std::string release;             // of `parts`; empty: all
  std::string date;                // the field of a row's date; empty: none
};

// A task's definition, as loaded; immutable. `definition` is the whole file as JSON, overrides
// applied.
struct Task {
  std::string name;
  std::string version;
  std::string about;
  std::string path;  // of the YAML file
  std::string hash;  // sha256 of `definition` without `about`, `card` and `tags`: no number hangs
                     // on these
  Json definition;
  Json card;  // source, licence, size, citation
  DatasetReference dataset;
  std::string extractor;
  Json extract_options;
  std::string grader;
  Json grader_options;
  int samples = 1;
  Sampling sampling;
  std::vector<std::string> metrics;
};

// What the command line changes of a task before it runs. Unset: as the task says.
struct TaskOverrides {
  std::optional<int> num_fewshot;
  std::optional<std::string> system_instruction;
  std::optional<int> samples;
  std::vector<std::string> metrics;  // empty: as the task says
  Json sampling;  // object or null: temperature, top_p, ... (gen_kwargs names too)
  std::optional<std::string> reply_prefix;
  std::optional<std::string> dataset_file;
  std::optional<std::string> release;  // of dataset.parts
  // Dates, of tasks that name the field of a row's date (dataset.date): from `since` on, before
  // `until`.
  std::optional<std::string> since;
  std::optional<std::string> until;
};

struct AskedProblem {
  Problem problem;
  Prompt prompt;
  int64_t line = 0;  // in the dataset file
  // Values that the prompt shows and that hold no text ("question", "row.question").
  std::vector<std::string> blank_values;
};

// The problems of a task, in the dataset's order, no id twice. One in memory at a time. Not
// thread-safe.
class ProblemStream {
 public:
  virtual ~ProblemStream() = default;
  // Nothing: the end. An error of one row (a missing field) can be passed over by asking again; an
  // error of the file is told again.
  virtual absl::StatusOr<std::optional<AskedProblem>> Next() = 0;
  virtual const std::string& dataset_path() const = 0;
  virtual const std::string& dataset_sha256()
      const = 0;  // checked against the task's before the first row
};

// Where tasks and dataset files are looked for, in order.
struct SearchPath {
  std::vector<std::string> task_directories;  // --include-path first, then the shipped tasks/
  std::vector<std::string>
      data_directories;  // --data-dir, $ASSAY_DATA, the XDG data directory, the shipped datasets/
};
// `include_paths` and `data_dirs` come from flags; the rest from the environment and from where the
// program lies.
SearchPath DefaultSearchPath(const std::vector<std::string>& include_paths,
                             const std::vector<std::string>& data_dirs);

// A task from YAML text; `path` stands in messages and says where a relative dataset file lies.
absl::StatusOr<Task> TaskFromText(std::string_view yaml, const std::string& path);

struct TaskListing {
  std::string name;
  std::string path;
  bool is_suite = false;
  std::string about;
};
// All tasks and suites found on the path, sorted by name. A broken file, or a directory that is not
// there, is an error that names it; with `broken`, the error goes there and the others are listed.
absl::StatusOr<std::vector<TaskListing>> ListTasks(const SearchPath& path,
                                                   std::vector<absl::Status>* broken = nullptr);

// `spec` is a task's name, a suite's name (all its tasks, in order), or the path of a YAML file of
// either.
absl::StatusOr<std::vector<Task>> LoadTasks(const SearchPath& path, std::string_view spec,
                                            const TaskOverrides& overrides);

// The files that a task would read (few-shot examples' too, where it shows some) and that are
// nowhere on the path; by the names that the task gives them.
absl::StatusOr<std::vector<std::string>> MissingDatasets(const SearchPath& path, const Task& task);

// Orders of choices that a recording brings, where its letters are not by our seed.
struct ChoiceOrders {
  bool published = false;  // all as the dataset has them (not where the task shuffles as
                           // simple-evals does, whose order is always the same)
  std::map<std::string, std::vector<int>> of;  // by problem id: order[displayed] = place
};

// `seed` orders choices, but for those of `orders` (which must outlive the stream); few-shot
// examples hang on the task's own fixed seed. Errors (missing file, wrong sha256) come before the
// first row. A problem whose task names a cluster has the tag "cluster:...".
absl::StatusOr<std::unique_ptr<ProblemStream>> OpenProblems(const SearchPath& path,
                                                            const Task& task, uint64_t seed,
                                                            const ChoiceOrders* orders = nullptr);

// --- proving a task sound (`assay tasks check`) ---
struct TaskFinding {
  std::string problem_id;  // empty: the task as a whole
  int64_t line = 0;
  bool fatal = false;  // false: worth a look
  std::string what;
};
struct TaskCheck {
  int64_t problems = 0;
  int64_t references_correct = 0;  // the reference, written as a reply, graded Correct
  int64_t references_undecided = 0;
  int64_t others_rejected = 0;  // another problem's reference, not graded Correct
  int64_t others_tried = 0;
  size_t longest_prompt_bytes = 0;
  std::vector<TaskFinding> findings;
};
// limit > 0: only the first so many rows.
absl::StatusOr<TaskCheck> CheckTask(const SearchPath& path, const Task& task, uint64_t seed,
                                    int64_t limit = 0);

}  // namespace assay
