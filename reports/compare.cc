// Only problems that both runs have are compared, and what was left out is said.
#include "reports/compare.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_format.h"
#include "harness/status.h"
#include "harness/text.h"
#include "reports/table.h"

namespace assay {
namespace {

const TaskManifest* FindTask(const RunManifest& run, std::string_view name) {
  const auto found = std::find_if(run.tasks.begin(), run.tasks.end(),
                                  [name](const TaskManifest& task) { return task.name == name; });
  return found == run.tasks.end() ? nullptr : &*found;
}

std::vector<std::string> TaskNames(const RunManifest& run) {
  std::vector<std::string> names;
  for (const TaskManifest& task : run.tasks) names.push_back(task.name);
  return names;
}

std::optional<Estimate> PassAt1(const MetricInput& input,
                                const std::vector<std::string>& left_out) {
  // As the run's own table does it: undecided earns nothing, and problems may share a cluster.
  const std::set<std::string> out(left_out.begin(), left_out.end());
  MetricInput kept = input;
  std::erase_if(kept.problems, [&](const ProblemOutcomes& problem) {
    return out.contains(problem.id) || problem.samples.empty();
  });
  if (kept.problems.empty()) return std::nullopt;
  return MeanEstimate(MeansOverSamples(kept, EarnedScore));
}

absl::StatusOr<TaskComparison> CompareTask(Store& store_a, const RunSummary& a,
                                           const TaskManifest& task_a, Store& store_b,
                                           const RunSummary& b, const TaskManifest& task_b) {
  const OutcomeOptions options = {.answer_classes = false};
  ASSIGN_OR_RETURN(const LoadedOutcomes in_a, LoadOutcomesAndCounts(store_a, a, task_a, options));
  ASSIGN_OR_RETURN(const LoadedOutcomes in_b, LoadOutcomesAndCounts(store_b, b, task_b, options));
  TaskComparison comparison;
  comparison.task = task_a.name;
  comparison.paired = ComparePaired(in_a.input, in_b.input);
  comparison.a = PassAt1(in_a.input, comparison.paired.only_in_a);
  comparison.b = PassAt1(in_b.input, comparison.paired.only_in_b);
  comparison.counts_a = in_a.counts;
  comparison.counts_b = in_b.counts;
  comparison.differs = WhatDiffers(task_a, task_b, a.manifest, b.manifest);
  return comparison;
}

void AdjustForTasks(std::vector<TaskComparison>* tasks) {
  std::vector<double> p;
  for (const TaskComparison& task : *tasks) {
    if (task.paired.difference) p.push_back(task.paired.p);
  }
  const std::vector<double> adjusted = HolmAdjust(p);
  size_t next = 0;
  for (TaskComparison& task : *tasks) {
    if (task.paired.difference) task.p_holm = adjusted[next++];
  }
}

std::string Side(std::string_view letter, const RunSummary& run) {
  const RunManifest& manifest = run.manifest;
  return absl::StrFormat("%s: run %s  %s, model %s, started %s\n", letter, Printable(manifest.id),
                         Printable(manifest.name), Printable(manifest.model),
                         Printable(manifest.started));
}

// What a reader must know before the numbers.
std::string Warnings(const Comparison& comparison, const Terminal& terminal) {
  std::string out;
  const auto warn = [&](const std::string& text) {
    out += Paint(terminal, Ink::kYellow, "! " + Printable(text)) + "\n";
  };
  for (const TaskComparison& task : comparison.tasks) {
    for (const std::string& difference : task.differs) {
      warn(task.task + ": NOT THE SAME in both runs: " + difference);
    }
    const auto incomplete = [&](std::string_view letter, const OutcomeCounts& counts) {
      if (counts.complete()) return;
      warn(absl::StrFormat("%s: run %s lacks %s of %s samples; the difference is partial",
                           task.task, letter, WithThousands(counts.planned - counts.graded),
                           WithThousands(counts.planned)));
    };
    incomplete("A", task.counts_a);
    incomplete("B", task.counts_b);
    const size_t left_out = task.paired.only_in_a.size() + task.paired.only_in_b.size();
    if (left_out > 0) {
      warn(
          absl::StrFormat("%s: compared on the %s problems that both runs have; A alone has %d, B "
                          "alone has %d",
                          task.task, WithThousands(task.paired.problems),
                          task.paired.only_in_a.size(), task.paired.only_in_b.size()));
    }
  }
  if (!comparison.only_in_a.empty()) {
    warn("only in A: " + Join(comparison.only_in_a, ", "));
  }
  if (!comparison.only_in_b.empty()) {
    warn("only in B: " + Join(comparison.only_in_b, ", "));
  }
  return out;
}

std::string DifferenceTable(const Comparison& comparison) {
  const bool several = comparison.tasks.size() > 1;
  Table table;
  table.columns = {{"task"},      {"problems", true},      {"A %", true},
                   {"B %", true}, {"A - B ± error", true}, {"95 % interval", true},
                   {"p", true}};
  if (several) table.columns.push_back({"p (Holm)", true});
  table.columns.push_back({"A better/worse/same", true});
  table.columns.push_back({"detectable", true});
  for (const TaskComparison& task : comparison.tasks) {
    const PairedTask& paired = task.paired;
    const auto& difference = paired.difference;
    std::vector<std::string> row = {
        task.task,
        WithThousands(paired.problems),
        task.a ? FormatPercent(task.a->value()) : "-",
        task.b ? FormatPercent(task.b->value()) : "-",
        difference ? FormatValue(*difference, Unit::kDifferenceOfShares) : "-",
        difference ? FormatInterval(*difference, Unit::kDifferenceOfShares) : "-",
        difference ? FormatP(paired.p) : "-"};
    if (several) row.push_back(difference ? FormatP(task.p_holm) : "-");
    row.push_back(absl::StrFormat("%d/%d/%d", paired.comparison.wins, paired.comparison.losses,
                                  paired.comparison.ties));
    row.push_back(difference ? FormatPercent(paired.detectable_difference) : "-");
    table.AddRow(std::move(row));
  }
  return RenderTable(table, TableForm::kTerminal);
}

std::string Conclusion(const Comparison& comparison) {
  std::string out;
  for (const TaskComparison& task : comparison.tasks) {
    if (!task.paired.difference) continue;
    const double difference = task.paired.difference->value();
    out += task.task + ": ";
    if (task.p_holm >= 0.05) {
      out += absl::StrFormat(
          "no difference shown at 5 %%; this many problems would show one of %s points in four of "
          "five runs\n",
          FormatPercent(task.paired.detectable_difference));
    } else {
      out += absl::StrFormat("%s is better by %s points\n", difference > 0 ? "A" : "B",
                             FormatPercent(std::abs(difference)));
    }
  }
  return SafeLines(out);
}

std::string Flips(const TaskComparison& task, int flips) {
  std::string out;
  const auto list = [&](std::string_view what, const std::vector<std::string>& ids) {
    const size_t shown = std::min(ids.size(), static_cast<size_t>(std::max(0, flips)));
    if (shown == 0) return;
    const std::vector<std::string> first(ids.begin(),
                                         ids.begin() + static_cast<std::ptrdiff_t>(shown));
    out += absl::StrFormat("%s: %s (%d): %s%s\n", task.task, what, ids.size(), Join(first, ", "),
                           shown < ids.size() ? ", ..." : "");
  };
  list("A right, B wrong", task.paired.a_right_b_wrong);
  list("B right, A wrong", task.paired.b_right_a_wrong);
  return SafeLines(out);
}

Json TextsToJson(const std::vector<std::string>& texts) {
  Json json = Json::MakeArray();
  for (const std::string& text : texts) json.Append(text);
  return json;
}

Json SideToJson(const RunSummary& run) {
  return Json::MakeObject({{"id", run.manifest.id},
                           {"name", run.manifest.name},
                           {"model", run.manifest.model},
                           {"started", run.manifest.started}});
}

Json TaskComparisonToJson(const TaskComparison& task) {
  const PairedTask& paired = task.paired;
  const PairedComparison& tests = paired.comparison;
  const auto estimate = [](const std::optional<Estimate>& value) {
    return value ? EstimateToJson(*value) : Json();
  };
  return Json::MakeObject({{"task", task.task},
                           {"comparable", task.differs.empty()},
                           {"differs", TextsToJson(task.differs)},
                           {"problems", paired.problems},
                           {"a", estimate(task.a)},
                           {"b", estimate(task.b)},
                           {"difference", estimate(paired.difference)},
                           {"p", paired.p},
                           {"p_holm", task.p_holm},
                           {"p_sign_flip", tests.p_sign_flip},
                           {"wins", tests.wins},
                           {"losses", tests.losses},
                           {"ties", tests.ties},
                           {"detectable_difference", paired.detectable_difference},
                           {"missing_a", task.counts_a.planned - task.counts_a.graded},
                           {"missing_b", task.counts_b.planned - task.counts_b.graded},
                           {"a_right_b_wrong", TextsToJson(paired.a_right_b_wrong)},
                           {"b_right_a_wrong", TextsToJson(paired.b_right_a_wrong)},
                           {"only_in_a", TextsToJson(paired.only_in_a)},
                           {"only_in_b", TextsToJson(paired.only_in_b)}});
}

}  // namespace

absl::StatusOr<Comparison> CompareRuns(Store& store_a, const RunSummary& a, Store& store_b,
                                       const RunSummary& b, const std::vector<std::string>& tasks) {
  Comparison comparison;
  comparison.a = a;
  comparison.b = b;
  for (const std::string& name : tasks) {
    for (const RunSummary* run : {&a, &b}) {
      const std::vector<std::string> names = TaskNames(run->manifest);
      if (FindTask(run->manifest, name) != nullptr) continue;
      return NotFound("run %s has no task '%s'%s", run->manifest.id, name, DidYouMean(name, names));
    }
  }
  const auto wanted = [&](const std::string& name) {
    return tasks.empty() || std::find(tasks.begin(), tasks.end(), name) != tasks.end();
  };
  for (const TaskManifest& task : a.manifest.tasks) {
    if (!wanted(task.name)) continue;
    const TaskManifest* other = FindTask(b.manifest, task.name);
    if (other == nullptr) {
      comparison.only_in_a.push_back(task.name);
      continue;
    }
    ASSIGN_OR_RETURN(TaskComparison compared, CompareTask(store_a, a, task, store_b, b, *other));
    comparison.tasks.push_back(std::move(compared));
  }
  for (const TaskManifest& task : b.manifest.tasks) {
    const bool shared = FindTask(a.manifest, task.name) != nullptr;
    if (wanted(task.name) && !shared) comparison.only_in_b.push_back(task.name);
  }
  if (comparison.tasks.empty()) {
    return NotFound("runs %s (%s) and %s (%s) have no task in common", a.manifest.id,
                    Join(TaskNames(a.manifest), ", "), b.manifest.id,
                    Join(TaskNames(b.manifest), ", "));
  }
  AdjustForTasks(&comparison.tasks);
  return comparison;
}

std::string DescribeComparison(const Comparison& comparison, int flips, const Terminal& terminal) {
  std::string out = Side("A", comparison.a) + Side("B", comparison.b) +
                    Warnings(comparison, terminal) + "\n" + DifferenceTable(comparison) + "\n" +
                    Conclusion(comparison);
  for (const TaskComparison& task : comparison.tasks) out += Flips(task, flips);
  return out;
}

Json ComparisonToJson(const Comparison& comparison) {
  Json tasks = Json::MakeArray();
  for (const TaskComparison& task : comparison.tasks) tasks.Append(TaskComparisonToJson(task));
  return Json::MakeObject({{"a", SideToJson(comparison.a)},
                           {"b", SideToJson(comparison.b)},
                           {"tasks", std::move(tasks)},
                           {"only_in_a", TextsToJson(comparison.only_in_a)},
                           {"only_in_b", TextsToJson(comparison.only_in_b)}});
}

}  // namespace assay
