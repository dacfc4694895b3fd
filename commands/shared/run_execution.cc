// Signals become a polite stop; results are read back from the store, never from memory.
#include "commands/shared/run_execution.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "commands/shared/interrupt.h"
#include "commands/shared/progress.h"
#include "harness/build_info.h"
#include "harness/status.h"
#include "harness/text.h"
#include "reports/published.h"
#include "reports/results.h"
#include "reports/terminal.h"

namespace assay {
namespace {

std::string ResumeCommand(const std::string& run_id, const std::string& database) {
  std::string command = "assay resume " + run_id;
  if (database != "assay.db") command += " --db " + database;
  return command;
}

std::string Replies(int64_t count) {
  return count == 1 ? "1 reply" : WithThousands(count) + " replies";
}

// Replies that are not stored byte for byte.
void ExplainChanges(const BackendCounters& counters) {
  if (const int64_t count = counters.scrubbed_replies; count > 0) {
    std::fprintf(stderr, "assay: %s that held the key that was sent; it is stored as [key]\n",
                 Replies(count).c_str());
  }
  if (const int64_t count = counters.repaired_replies; count > 0) {
    std::fprintf(stderr, "assay: %s with bytes that are no UTF-8; they are stored as U+FFFD\n",
                 Replies(count).c_str());
  }
}

void ExplainOutcome(const RunOutcome& outcome, const RunProgress& progress,
                    const std::string& run_id, const std::string& database) {
  if (!outcome.error.ok()) PrintError(outcome.error);
  if (outcome.interrupted)
    std::fprintf(stderr, "assay: stopped; everything that landed is stored\n");
  if (progress.failed > 0) {
    std::fprintf(
        stderr,
        "assay: %ld samples are missing: their requests failed (see `assay show %s --failures`)\n",
        static_cast<long>(progress.failed.load()), run_id.c_str());
  }
  if (progress.ungraded > 0) {
    std::fprintf(stderr,
                 "assay: %ld samples are stored but not graded (%s); grade them: assay grade %s\n",
                 static_cast<long>(progress.ungraded.load()), outcome.ungraded_because.c_str(),
                 run_id.c_str());
  }
  if (!outcome.complete) {
    std::fprintf(stderr, "assay: to fetch what is missing: %s\n",
                 ResumeCommand(run_id, database).c_str());
  }
}

// Refused before a single sample was drawn (a wrong key, an unknown model): a run without samples
// would only stand in the way, so a new one is not kept.
int ExplainNothingDrawn(const RunOutcome& outcome, Store& store, const std::string& run_id,
                        const std::string& database, bool new_run) {
  PrintError(outcome.error);
  if (!new_run) {
    std::fprintf(stderr, "assay: nothing was sampled; when that is mended: %s\n",
                 ResumeCommand(run_id, database).c_str());
    return 1;
  }
  const absl::Status discarded = store.DiscardEmptyRun(run_id);
  if (discarded.ok()) {
    std::fprintf(stderr,
                 "assay: nothing was sampled, so run %s was not kept; mend that and run again\n",
                 run_id.c_str());
    return 1;
  }
  PrintError(discarded);
  std::fprintf(stderr, "assay: nothing was sampled; run %s is empty\n", run_id.c_str());
  return 1;
}

}  // namespace

int PrintError(const absl::Status& status) {
  // A template, a server or a dataset may have written part of it.
  std::fprintf(stderr, "assay: %s", SafeLines(std::string(status.message())).c_str());
  return 1;
}

RunSession ThisSession(const BackendIdentity& identity) {
  RunSession session;
  session.assay_version = AssayVersion();
  session.code_version = CodeVersion();
  std::array<char, 256> name = {};
  if (gethostname(name.data(), name.size() - 1) == 0) session.host = name.data();
  session.base_urls = identity.base_urls;
  return session;
}

std::string DefaultDatabase() {
  const char* set = std::getenv("ASSAY_DB");
  return set != nullptr && *set != '\0' ? set : "assay.db";
}

absl::StatusOr<std::unique_ptr<Store>> OpenExistingStore(const std::string& database,
                                                         StoreMode mode) {
  std::error_code ignored;
  if (!std::filesystem::exists(database, ignored)) {
    return NotFound("%s: no such database (--db or ASSAY_DB names it)", database);
  }
  // Opened for writing it would become a database.
  if (std::filesystem::is_regular_file(database, ignored) &&
      std::filesystem::file_size(database, ignored) == 0) {
    return FailedPrecondition("%s: an empty file, no database of assay", database);
  }
  return Store::Open(database, mode);
}

absl::Status PrintRunResults(Store& store, const std::string& run_id, const RunDisplay& display) {
  ASSIGN_OR_RETURN(const RunSummary run, store.FindRun(run_id));
  ASSIGN_OR_RETURN(const std::vector<TaskResult> results, LoadResults(store, run));
  const Partial partial = display.allow_partial ? Partial::kLabelled : Partial::kRefuse;
  std::string text;
  if (display.json) {
    text = ResultsToJson(run, results, partial).Dump(2) + "\n";
  } else {
    text = ResultTable(results, partial, TableForm::kTerminal);
    const std::vector<PublishedLine> published = PublishedLines(results, run.manifest.model);
    if (!published.empty()) text += "\n" + PublishedTextOf(published);
  }
  std::fputs(text.c_str(), stdout);
  return absl::OkStatus();
}

int ExecuteAndReport(const RunPlan& plan, CompletionSource& source, Store& store,
                     std::unique_ptr<RunWriter> writer, RunManifest manifest,
                     const std::string& database, const RunScope& scope,
                     const RunDisplay& display) {
  RunProgress progress;
  BackendCounters counters;
  RunOutcome outcome;
  {
    const InterruptGuard guard;
    std::unique_ptr<ProgressPrinter> printer;
    if (!display.quiet) printer = std::make_unique<ProgressPrinter>(progress, counters);
    PipelineOptions options;
    options.interrupted = Interrupted;
    options.most_problems = scope.most_problems;
    outcome = ExecuteRun(plan, source, store, *writer, &manifest, options, &counters, &progress);
  }
  writer.reset();
  const bool nothing_drawn = !outcome.error.ok() && !outcome.interrupted && progress.stored == 0 &&
                             progress.stored_before == 0 && progress.failed == 0;
  if (nothing_drawn)
    return ExplainNothingDrawn(outcome, store, manifest.id, database, scope.new_run);
  const absl::Status printed = PrintRunResults(store, manifest.id, display);
  if (!printed.ok()) PrintError(printed);
  ExplainChanges(counters);
  ExplainOutcome(outcome, progress, manifest.id, database);
  if (outcome.interrupted) return 130;
  return outcome.complete && printed.ok() ? 0 : 1;
}

}  // namespace assay
