// No number over missing samples unless asked for, and never an unlabelled one.
#include "reports/results.h"

#include "harness/status.h"
#include "harness/text.h"
#include "reports/show.h"

namespace assay {
namespace {

std::string Share(int64_t part, int64_t whole) {
  if (whole == 0) return "-";
  return FormatPercent(static_cast<double>(part) / static_cast<double>(whole));
}

std::vector<std::string> Row(const TaskResult& result, std::string metric, std::string value,
                             std::string interval, bool first) {
  const auto only_first = [&](std::string text) { return first ? std::move(text) : std::string(); };
  return {only_first(result.manifest.name),
          only_first(result.manifest.version),
          std::move(metric),
          only_first(absl::StrFormat("%s x %d", WithThousands(result.manifest.problems),
                                     result.manifest.samples_per_problem)),
          std::move(value),
          std::move(interval),
          only_first(Share(result.truncated, result.graded)),
          only_first(Share(result.no_answer, result.graded)),
          only_first(Share(result.undecided, result.graded)),
          only_first(WithThousands(result.missing + result.ungraded))};
}

std::string Bounds(const TaskResult& result) {
  if (!result.if_missing_wrong || !result.if_missing_right) return "-";
  return absl::StrFormat("in [%s, %s]", FormatPercent(result.if_missing_wrong->value()),
                         FormatPercent(result.if_missing_right->value()));
}

void AddIncomplete(const TaskResult& result, Partial partial, Table* table) {
  const std::string metric = result.headline() != nullptr ? result.headline()->name : "pass@1";
  table->AddRow(Row(result, metric, Bounds(result), "", true));
  if (partial == Partial::kRefuse) return;
  for (const NamedEstimate& named : result.estimates) {
    table->AddRow(Row(result, named.name + " (partial)", FormatValue(named.estimate, UnitOf(named)),
                      FormatInterval(named.estimate, UnitOf(named)), false));
  }
}

void AddTask(const TaskResult& result, Partial partial, Table* table) {
  if (!result.complete()) return AddIncomplete(result, partial, table);
  bool first = true;
  for (const NamedEstimate& named : result.estimates) {
    table->AddRow(Row(result, named.name, FormatValue(named.estimate, UnitOf(named)),
                      FormatInterval(named.estimate, UnitOf(named)), first));
    first = false;
  }
  if (first) table->AddRow(Row(result, "-", "-", "", true));
}

// Above this share of cut-off replies the token cap, not the model, may be what was measured.
constexpr double kManyTruncated = 0.02;

std::string Notes(const TaskResult& result, Partial partial) {
  std::string notes;
  const std::string& name = result.manifest.name;
  if (!result.complete()) {
    notes += absl::StrFormat(
        "%s: %s of %s %s missing%s%s%s\n", name, WithThousands(result.missing + result.ungraded),
        Counted(result.planned, "sample"), IsOrAre(result.missing + result.ungraded),
        result.ungraded > 0
            ? absl::StrFormat(" (%s stored but not graded)", WithThousands(result.ungraded))
            : "",
        result.graded > 0 ? "; the bounds take them all wrong and all right" : "",
        partial == Partial::kRefuse && result.graded > 0
            ? " (--allow-partial shows the number over the rest)"
            : "");
  }
  if (result.served_models.size() > 1) {
    notes += absl::StrFormat("%s: NOT ONE MODEL: the server said that these answered: %s\n", name,
                             ServedModels(result.served_models));
  }
  if (result.below_full_isolation > 0) {
    notes += absl::StrFormat(
        "%s: NOT FULLY ISOLATED: %s of %s programs ran with isolation '%s' or better; what they "
        "did "
        "to this machine, or to each other's verdicts, is not known\n",
        name, WithThousands(result.below_full_isolation), WithThousands(result.graded),
        result.isolation);
  }
  const bool many = result.graded > 0 && static_cast<double>(result.truncated) >
                                             kManyTruncated * static_cast<double>(result.graded);
  if (many && result.complete() && result.if_truncated_right) {
    notes += absl::StrFormat("%s: truncated samples count as wrong; if right, pass@1 would be %s\n",
                             name, FormatPercent(result.if_truncated_right->value()));
  }
  if (result.undecided > 0 && result.complete() && result.if_undecided_right) {
    notes += absl::StrFormat("%s: %s %s as wrong; if right, pass@1 would be %s\n", name,
                             Counted(result.undecided, "undecided sample"),
                             result.undecided == 1 ? "counts" : "count",
                             FormatPercent(result.if_undecided_right->value()));
  }
  for (const UnavailableMetric& metric : result.unavailable) {
    if (result.graded == 0) break;  // said above
    notes += absl::StrFormat("%s: no %s: %s\n", name, metric.name, metric.why);
  }
  return notes;
}

}  // namespace

Unit UnitOf(const NamedEstimate& named) {
  const bool counts = Contains(named.name, "token") || Contains(named.name, "rating");
  return counts ? Unit::kCount : Unit::kShare;
}

std::string ServedModels(const std::map<std::string, int64_t>& served) {
  std::vector<std::string> parts;
  parts.reserve(served.size());
  for (const auto& [model, samples] : served) {
    parts.push_back(absl::StrFormat("%s (%s)", Printable(model), Counted(samples, "sample")));
  }
  return Join(parts, ", ");
}

absl::StatusOr<std::vector<TaskResult>> LoadResults(Store& store, const RunSummary& run) {
  std::vector<TaskResult> results;
  for (const TaskManifest& task : run.manifest.tasks) {
    ASSIGN_OR_RETURN(TaskResult result, ComputeTaskResult(store, run, task));
    results.push_back(std::move(result));
  }
  return results;
}

std::string ResultTable(const std::vector<TaskResult>& results, Partial partial, TableForm form) {
  Table table;
  table.columns = {{"task"},
                   {"version"},
                   {"metric"},
                   {"problems x samples", true},
                   {"value", true},
                   {"95 % interval", true},
                   {"truncated %", true},
                   {"no answer %", true},
                   {"undecided %", true},
                   {"missing", true}};
  std::string notes;
  for (const TaskResult& result : results) {
    AddTask(result, partial, &table);
    notes += Notes(result, partial);
  }
  std::string text = RenderTable(table, form);
  if (!notes.empty()) text += "\n" + notes;
  return text;
}

Json ResultsToJson(const RunSummary& run, const std::vector<TaskResult>& results, Partial partial) {
  Json tasks = Json::MakeArray();
  for (const TaskResult& result : results) {
    Json task = TaskResultToJson(result);
    if (!result.complete() && partial == Partial::kRefuse) {
      task.Set("estimates", Json::MakeObject());
      task.Set("refused", "samples are missing; --allow-partial gives the number over the rest");
    }
    tasks.Append(std::move(task));
  }
  return Json::MakeObject({{"run", run.manifest.id},
                           {"name", run.manifest.name},
                           {"state", RunStateName(run.state)},
                           {"stopped_by", WhyStopped(run)},
                           {"tasks", std::move(tasks)}});
}

}  // namespace assay
