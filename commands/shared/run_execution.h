// Runs a plan in front of a person: progress, Ctrl-C, the final table, the exit status.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "commands/shared/run_request.h"
#include "harness/store.h"
#include "harness/types.h"

namespace assay {

struct RunDisplay {
  bool json = false;           // machine-readable stdout
  bool quiet = false;          // no progress lines
  bool allow_partial = false;  // print a labelled number over missing samples
};

// How much of a run this process draws.
struct RunScope {
  bool new_run = false;   // made just now: not kept where nothing can be sampled
  int most_problems = 0;  // > 0: stop after asking for samples of so many
};

// This process, for the run's manifest.
RunSession ThisSession(const BackendIdentity& identity);

// Prints "assay: error" lines for `status` to stderr and returns 1.
int PrintError(const absl::Status& status);

// "assay.db", or $ASSAY_DB.
std::string DefaultDatabase();

// For commands that read or extend runs: a file that is not there is an error, not an empty
// database.
absl::StatusOr<std::unique_ptr<Store>> OpenExistingStore(const std::string& database,
                                                         StoreMode mode = StoreMode::kReadWrite);

// The run's results as a table, or as JSON, on stdout; read from the store.
absl::Status PrintRunResults(Store& store, const std::string& run_id, const RunDisplay& display);

// Executes, then prints the table of results; returns the exit status: 0 complete, 1 failed or
// incomplete, 130 interrupted.
int ExecuteAndReport(const RunPlan& plan, CompletionSource& source, Store& store,
                     std::unique_ptr<RunWriter> writer, RunManifest manifest,
                     const std::string& database, const RunScope& scope, const RunDisplay& display);

}  // namespace assay
