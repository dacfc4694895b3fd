// `assay grade`: grade a stored run again, without a model, and print which verdicts changed; or
// only list how two versions of its grader differ.
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>

#include "commands/shared/isolation.h"
#include "commands/shared/run_execution.h"
#include "commands/shared/run_request.h"
#include "harness/pipeline.h"
#include "harness/regrade.h"
#include "harness/status.h"
#include "harness/text.h"
#include "reports/table.h"

namespace assay {
namespace {

struct Options {
  std::string run = "last";
  std::string task;
  std::string database = DefaultDatabase();
  std::string against;
  std::string isolation;
  int limit = 0;
  bool dry_run = false;
  bool missing = false;
  int show = 20;
  RunDisplay display;
};

std::string Describe(const Verdict& verdict, bool graded) {
  if (!graded) return "not graded";
  return absl::StrFormat("%s (%s@%d)", OutcomeName(verdict.outcome), verdict.grader,
                         verdict.grader_version);
}

Json ToJson(const VerdictChange& change) {
  Json json = Json::MakeObject(
      {{"task", change.task},
       {"problem", change.problem_id},
       {"sample", change.index},
       {"before", change.was_graded ? Json(OutcomeName(change.before.outcome)) : Json()},
       {"after", OutcomeName(change.after.outcome)},
       {"grader", change.after.grader},
       {"why", change.after.why}});
  if (change.was_graded) {
    json.Set("why_before", change.before.why);
    json.Set("version_before", change.before.grader_version);
  }
  json.Set("version_after", change.after.grader_version);
  json.Set("answer", change.answer);
  json.Set("reference", change.reference);
  return json;
}

Json ToJson(const std::vector<VerdictChange>& list) {
  Json changes = Json::MakeArray();
  for (const VerdictChange& change : list) changes.Append(ToJson(change));
  return changes;
}

Json ToJson(const RunManifest& manifest, const RegradeReport& report) {
  return Json::MakeObject({{"run", manifest.id},
                           {"samples", report.samples},
                           {"newly_graded", report.newly_graded},
                           {"failed", report.failed},
                           {"score_before", report.score_before},
                           {"score_after", report.score_after},
                           {"changes", ToJson(report.changes)}});
}

Json ToJson(const RunManifest& manifest, const VersionReport& report) {
  return Json::MakeObject({{"run", manifest.id},
                           {"samples", report.samples},
                           {"compared", report.compared},
                           {"failed", report.failed},
                           {"score_before", report.score_before},
                           {"score_after", report.score_after},
                           {"changes", ToJson(report.changes)}});
}

// Up to `show` of the changes of samples that were graded before; returns how many there are.
int PrintChanges(const std::vector<VerdictChange>& changes, int show) {
  int shown = 0;
  for (const VerdictChange& change : changes) {
    if (!change.was_graded) continue;
    if (++shown > show) continue;
    std::printf("%s / %s / sample %d: %s -> %s; answer '%s', reference '%s': %s (was: %s)\n",
                change.task.c_str(), Printable(change.problem_id).c_str(), change.index + 1,
                Describe(change.before, change.was_graded).c_str(),
                Describe(change.after, true).c_str(), Printable(Shorten(change.answer, 60)).c_str(),
                Printable(Shorten(change.reference, 60)).c_str(),
                Printable(change.after.why).c_str(), Printable(change.before.why).c_str());
  }
  if (shown > show) std::printf("... and %d more (--show N)\n", shown - show);
  return shown;
}

void PrintFailed(int64_t failed, const std::string& because) {
  if (failed == 0) return;
  std::printf("%s could not be graded (%s); they stay as they were\n",
              WithThousands(failed).c_str(), because.c_str());
}

void Print(const RegradeReport& report, int show) {
  const int shown = PrintChanges(report.changes, show);
  std::printf("%s graded again: %s, %s graded for the first time\n",
              Counted(report.samples, "sample").c_str(),
              (Counted(shown, "verdict") + (shown == 1 ? " changes" : " change")).c_str(),
              WithThousands(report.newly_graded).c_str());
  PrintFailed(report.failed, report.failed_because);
}

// "correct -> incorrect: 3", each kind of change on a line of its own.
void PrintKinds(const std::vector<VerdictChange>& changes) {
  std::map<std::string, int> kinds;
  for (const VerdictChange& change : changes)
    ++kinds[absl::StrFormat("%s -> %s", OutcomeName(change.before.outcome),
                            OutcomeName(change.after.outcome))];
  for (const auto& [kind, count] : kinds) std::printf("  %s: %d\n", kind.c_str(), count);
}

void Print(const VersionReport& report, const VersionPair& versions, int show) {
  const int shown = PrintChanges(report.changes, show);
  const std::string after =
      versions.after > 0 ? absl::StrFormat("version %d", versions.after) : std::string("now");
  std::printf("version %d against %s: %d of %s verdicts differ; score %g -> %g\n", versions.before,
              after.c_str(), shown, WithThousands(report.compared).c_str(), report.score_before,
              report.score_after);
  PrintKinds(report.changes);
  if (report.compared + report.failed < report.samples) {
    std::printf("%s of %s without a verdict to compare\n",
                WithThousands(report.samples - report.compared - report.failed).c_str(),
                Counted(report.samples, "sample").c_str());
  }
  PrintFailed(report.failed, report.failed_because);
}

// "2": that version against this program; "1..2": two stored versions.
absl::StatusOr<VersionPair> ReadVersions(const std::string& text) {
  const size_t dots = text.find("..");
  const std::optional<int64_t> before = ParseInt(text.substr(0, dots));
  std::optional<int64_t> after = 0;
  if (dots != std::string::npos) after = ParseInt(text.substr(dots + 2));
  const auto fits = [](const std::optional<int64_t>& version) {
    return version && *version > 0 && *version < 1'000'000;
  };
  if (!fits(before) || (dots != std::string::npos && !fits(after)))
    return InvalidArgument("--against: expected a grader's version, or two as in 1..2, found '%s'",
                           text);
  return VersionPair{static_cast<int>(*before), static_cast<int>(*after)};
}

absl::StatusOr<int> Compare(const Options& options, Store& store, const RunManifest& manifest) {
  ASSIGN_OR_RETURN(const VersionPair versions, ReadVersions(options.against));
  RegradeOptions regrade;
  regrade.task = options.task;
  regrade.limit = options.limit;
  ASSIGN_OR_RETURN(const VersionReport report, CompareVersions(store, manifest, versions, regrade));
  if (options.display.json) {
    std::printf("%s\n", ToJson(manifest, report).Dump(2).c_str());
  } else {
    Print(report, versions, options.show);
  }
  return report.failed == 0 ? 0 : 1;
}

// A run is graded as it was defined when it began; who changed the task since should know.
void TellChangedTasks(const RunManifest& manifest) {
  const absl::StatusOr<RunRequest> request = RunRequestFromJson(manifest.options);
  if (!request.ok()) return;  // an import: how its task was found is not stored
  const absl::StatusOr<RunPlan> plan = MakeRunPlan(*request);
  if (!plan.ok()) return;  // the task is gone; the run has all that grading needs
  const absl::StatusOr<std::vector<TaskManifest>> now = PlanManifests(*plan);
  if (!now.ok()) return;
  for (const TaskManifest& then : manifest.tasks) {
    const auto today = std::find_if(now->begin(), now->end(),
                                    [&](const TaskManifest& one) { return one.name == then.name; });
    if (today == now->end() || today->task_hash == then.task_hash) continue;
    std::fprintf(stderr,
                 "note: task %s changed since run %s began (hash %s, now %s); graded as the run "
                 "defines it (`assay export` and `assay import` grade its replies by today's)\n",
                 Printable(then.name).c_str(), manifest.id.c_str(),
                 then.task_hash.substr(0, 12).c_str(), today->task_hash.substr(0, 12).c_str());
  }
}

absl::StatusOr<int> Grade(const Options& options) {
  if (options.show < 0) {
    return InvalidArgument("--show: expected 0 or more, found %d", options.show);
  }
  if (options.limit < 0) {
    return InvalidArgument("--limit: expected 0 (all) or more, found %d", options.limit);
  }
  const bool stores = !options.dry_run && options.against.empty();
  ASSIGN_OR_RETURN(
      const std::unique_ptr<Store> store,
      OpenExistingStore(options.database, stores ? StoreMode::kReadWrite : StoreMode::kReadOnly));
  ASSIGN_OR_RETURN(const RunSummary summary, store->FindRun(options.run));
  RETURN_IF_ERROR(ApplyIsolation(options.isolation.empty()
                                     ? summary.manifest.options.FindString("isolation").value_or("")
                                     : options.isolation));
  TellChangedTasks(summary.manifest);
  if (!options.against.empty()) return Compare(options, *store, summary.manifest);
  RegradeOptions regrade;
  regrade.task = options.task;
  regrade.limit = options.limit;
  regrade.dry_run = options.dry_run;
  regrade.missing = options.missing;
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
    line.Option("--against", &options->against,
                "Store nothing; list what this version of the grader said otherwise than today's "
                "does (2), or than another stored one did (1..2), and why");
    DeclareIsolation(line, &options->isolation);
    line.Option("--limit,-L", &options->limit, "Only the first N problems of each task; 0: all");
    line.Flag("--dry-run", &options->dry_run, "Compare only; store nothing");
    line.Flag("--missing", &options->missing,
              "Only samples without a verdict of today's version: goes on after a kill");
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
