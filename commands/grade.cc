// `assay grade`: grade a stored run again, without a model, and print which verdicts changed.
#include <cstdio>
#include <memory>

#include "commands/shared/run_execution.h"
#include "harness/regrade.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

struct Options {
  std::string run = "last";
  std::string task;
  std::string database = DefaultDatabase();
  bool dry_run = false;
  int show = 20;
  RunDisplay display;
};

std::string Describe(const Verdict& verdict, bool graded) {
  if (!graded) return "not graded";
  return absl::StrFormat("%s (%s@%d)", OutcomeName(verdict.outcome), verdict.grader,
                         verdict.grader_version);
}

Json ToJson(const RunManifest& manifest, const RegradeReport& report) {
  Json changes = Json::MakeArray();
  for (const VerdictChange& change : report.changes) {
    changes.Append(Json::MakeObject(
        {{"task", change.task},
         {"problem", change.problem_id},
         {"sample", change.index},
         {"before", change.was_graded ? Json(OutcomeName(change.before.outcome)) : Json()},
         {"after", OutcomeName(change.after.outcome)},
         {"why", change.after.why},
         {"answer", change.answer},
         {"reference", change.reference}}));
  }
  return Json::MakeObject({{"run", manifest.id},
                           {"samples", report.samples},
                           {"newly_graded", report.newly_graded},
                           {"failed", report.failed},
                           {"score_before", report.score_before},
                           {"score_after", report.score_after},
                           {"changes", std::move(changes)}});
}

void Print(const RegradeReport& report, int show) {
  int shown = 0;
  for (const VerdictChange& change : report.changes) {
    if (!change.was_graded) continue;
    if (++shown > show) continue;
    std::printf("%s / %s / sample %d: %s -> %s; answer '%s', reference '%s': %s\n",
                change.task.c_str(), Printable(change.problem_id).c_str(), change.index,
                Describe(change.before, change.was_graded).c_str(),
                Describe(change.after, true).c_str(), Printable(Shorten(change.answer, 60)).c_str(),
                Printable(Shorten(change.reference, 60)).c_str(),
                Printable(change.after.why).c_str());
  }
  if (shown > show) std::printf("... and %d more (--show N)\n", shown - show);
  std::printf("%s samples graded again: %d verdicts change, %s graded for the first time\n",
              WithThousands(report.samples).c_str(), shown,
              WithThousands(report.newly_graded).c_str());
  if (report.failed > 0) {
    std::printf("%s could not be graded (%s); they stay as they were\n",
                WithThousands(report.failed).c_str(), report.failed_because.c_str());
  }
}

absl::StatusOr<int> Grade(const Options& options) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Store> store, OpenExistingStore(options.database));
  ASSIGN_OR_RETURN(const RunSummary summary, store->FindRun(options.run));
  RegradeOptions regrade;
  regrade.task = options.task;
  regrade.dry_run = options.dry_run;
  ASSIGN_OR_RETURN(const RegradeReport report, Regrade(*store, summary.manifest, regrade));
  if (options.display.json) {
    std::printf("%s\n", ToJson(summary.manifest, report).Dump(2).c_str());
  } else {
    Print(report, options.show);
    if (!options.dry_run)
      RETURN_IF_ERROR(PrintRunResults(*store, summary.manifest.id, options.display));
  }
  return report.failed == 0 ? 0 : 1;
}

}  // namespace

Command GradeCommand() {
  Command command;
  command.name = "grade";
  command.about = "Grade a stored run again, without a model; print which verdicts changed";
  command.order = 30;
  command.declare = [](CommandLine& line) {
    auto options = std::make_shared<Options>();  // shared: lives as long as the action
    line.Positional("run", &options->run, "The run's id, name, or 'last'", false);
    line.Option("--task,-t", &options->task, "Only this task");
    line.Option("--db", &options->database, "The results database");
    line.Option("--show", &options->show, "Changed verdicts to print");
    line.Flag("--dry-run", &options->dry_run, "Compare only; store nothing");
    line.Flag("--json", &options->display.json, "Machine-readable results on stdout");
    line.Flag("--allow-partial", &options->display.allow_partial,
              "A labelled number, with bounds, over missing samples");
    line.Action([options] {
      const absl::StatusOr<int> status = Grade(*options);
      return status.ok() ? *status : PrintError(status.status());
    });
  };
  return command;
}

}  // namespace assay
