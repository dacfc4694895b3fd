// Completions that others recorded become a run: split, extracted, graded and stored as `run` does
// it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/recording.h"
#include "harness/store.h"
#include "harness/task.h"
#include "harness/types.h"

namespace assay {

struct ImportPlan {
  SearchPath search;
  Task task;
  std::string name;   // of the run; empty: made from the file and the task
  std::string model;  // empty: what the file tells, else the file's name
  // Of choice orders. Where the recording tells its own orders, those hold; where it does not and
  // there is no seed, letters are read by the published order.
  std::optional<uint64_t> seed;
  // The run is of the problems that the file has, instead of all the task's problems, of which the
  // others would be missing.
  bool only_recorded = false;
  // The file's rows answer the task's problems one after the other; ids and questions are not read.
  bool in_order = false;
  int64_t limit = 0;  // > 0: the run is of the task's first so many problems
  // Completions of no problem are counted and left out; else they are an error.
  bool skip_unmatched = false;
};

struct ImportReport {
  std::string run_id;
  int64_t completions = 0;  // stored
  int64_t unmatched = 0;
  int64_t problems = 0;            // of the run
  int64_t problems_recorded = 0;   // of them, with a completion
  int samples_per_problem = 0;     // the most that any has
  int64_t missing = 0;             // samples that the run plans and the file lacks
  std::string ungraded_because;    // the first grading error, where any sample stayed ungraded
  std::vector<std::string> notes;  // how fields and problems were found
};

// The samples per problem are as many as the file has of any one.
absl::StatusOr<ImportReport> ImportRecording(Store& store, const ImportPlan& plan,
                                             const Recording& recording);

// A task made from the recording's own rows: FILE.yaml and FILE.jsonl beside it, a problem for each
// distinct id or, without ids, each distinct question. For outputs whose problems are in no
// dataset at hand. Existing files are never overwritten.
struct NewTaskFields {
  std::string id;
  std::string question;
  std::string reference;
};
struct NewTaskReport {
  std::string yaml;
  std::string rows;
  int64_t problems = 0;
  std::vector<std::string> notes;
};
absl::StatusOr<NewTaskReport> MakeTaskFromRecording(const std::string& recording,
                                                    const std::string& yaml_path,
                                                    const NewTaskFields& fields);

}  // namespace assay
