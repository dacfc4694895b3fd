// `assay compare A B`: two runs paired problem by problem.
#include <cstdio>
#include <memory>

#include "commands/shared/run_execution.h"
#include "harness/command.h"
#include "harness/status.h"
#include "harness/store.h"
#include "reports/compare.h"
#include "reports/terminal.h"

namespace assay {
namespace {

struct Options {
  std::string a, b;
  std::string database = DefaultDatabase();
  std::string database_b;
  std::string baseline;
  std::vector<std::string> tasks;
  int flips = 5;
  bool json = false;
};

// Whether --baseline names the second run; an error where it names neither.
absl::StatusOr<bool> IsBaseline(const std::string& name, Store& store_a, const RunSummary& a,
                                Store& store_b, const RunSummary& b) {
  if (name.empty()) return false;
  const absl::StatusOr<RunSummary> in_a = store_a.FindRun(name);
  if (in_a.ok() && in_a->manifest.id == a.manifest.id) return false;
  const absl::StatusOr<RunSummary> in_b = store_b.FindRun(name);
  if (in_b.ok() && in_b->manifest.id == b.manifest.id) return true;
  return InvalidArgument("--baseline: expected one of the two runs, %s or %s, found '%s'",
                         a.manifest.id, b.manifest.id, name);
}

absl::Status Compare(const Options& options) {
  if (options.flips < 0) {
    return InvalidArgument("--flips: expected 0 or more, found %d", options.flips);
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<Store> store_a,
                   Store::Open(options.database, StoreMode::kReadOnly));
  std::unique_ptr<Store> other;
  if (!options.database_b.empty()) {
    ASSIGN_OR_RETURN(other, Store::Open(options.database_b, StoreMode::kReadOnly));
  }
  Store& store_b = other != nullptr ? *other : *store_a;
  ASSIGN_OR_RETURN(const RunSummary a, store_a->FindRun(options.a));
  ASSIGN_OR_RETURN(const RunSummary b, store_b.FindRun(options.b));
  ASSIGN_OR_RETURN(const bool turned, IsBaseline(options.baseline, *store_a, a, store_b, b));
  ASSIGN_OR_RETURN(const Comparison comparison,
                   turned ? CompareRuns(store_b, b, *store_a, a, options.tasks)
                          : CompareRuns(*store_a, a, store_b, b, options.tasks));
  const std::string text = options.json
                               ? ComparisonToJson(comparison).Dump(2) + "\n"
                               : DescribeComparison(comparison, options.flips, TerminalOf(stdout));
  std::fputs(text.c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace

Command CompareCommand() {
  Command command;
  command.name = "compare";
  command.about = "Compare two runs problem by problem: differences with intervals, and flips";
  command.order = 60;
  command.declare = [](CommandLine& line) {
    auto options = std::make_shared<Options>();  // shared: lives as long as the action
    line.Positional("a", &options->a, "A run's id, name, or 'last'", true);
    line.Positional("b", &options->b, "The run that is compared with it", true);
    line.Option("--baseline", &options->baseline,
                "The run of the two that the other is compared with (default: the first)");
    line.Option("--db", &options->database, "The results database");
    line.Option("--db-b", &options->database_b, "Run B's database, where it is another");
    line.Option("--tasks,-t", &options->tasks, "Only these tasks");
    line.Option("--flips", &options->flips, "Problems named per task that one run alone got right");
    line.Flag("--json", &options->json, "Machine-readable stdout, with every flip");
    line.Action([options] {
      const absl::Status status = Compare(*options);
      return status.ok() ? 0 : PrintError(status);
    });
  };
  return command;
}

}  // namespace assay
