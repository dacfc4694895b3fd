// Only problems that both runs have are compared, and what was left out is said.
#include "reports/compare.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_format.h"
#include "harness/status.h"
#include "harness/text.h"
#include "reports/results.h"
#include "reports/table.h"

namespace assay {
namespace {

std::vector<std::string> TaskNames(const RunManifest& run) {
  std::vector<std::string> names;
  for (const TaskManifest& task : run.tasks) names.push_back(task.name);
  return names;
}

std::optional<Estimate> PassAt1(const MetricInput& input,
                                const std::vector<std::string>& left_out) {
  // As the run's own table does it: undecided earns nothing, and problems may share a cluster.
  const std::set<std::string> out(left_out.begin(), left_out.end());
  MeanSums means;
  ForEachMean(input, EarnedScore, [&](const ProblemOutcomes& problem, const ProblemMean& mean) {
    if (!out.contains(problem.id)) means.Add(mean);
  });
  if (means.empty()) return std::nullopt;
  return MeanEstimate(means);
}

MajorityTable CountMajorities(const PairedTask& paired) {
  MajorityTable table;
  table.only_a = static_cast<int64_t>(paired.a_right_b_wrong.size());
  table.only_b = static_cast<int64_t>(paired.b_right_a_wrong.size());
  table.both_right = paired.both_right;
  table.both_wrong = paired.both_wrong;
  table.test = McNemar(table.only_a, table.only_b);
  return table;
}

absl::StatusOr<TaskComparison> LoadAndCompare(Store& store_a, const RunSummary& a,
                                              const TaskManifest& task_a, Store& store_b,
                                              const RunSummary& b, const TaskManifest& task_b) {
  const OutcomeOptions options = {.answer_classes = false};
  ASSIGN_OR_RETURN(const LoadedOutcomes in_a, LoadOutcomesAndCounts(store_a, a, task_a, options));
  ASSIGN_OR_RETURN(const LoadedOutcomes in_b, LoadOutcomesAndCounts(store_b, b, task_b, options));
  return CompareTask(in_a, a.manifest, task_a, in_b, b.manifest, task_b);
}

std::string Side(std::string_view letter, const RunSummary& run) {
  const RunManifest& manifest = run.manifest;
  return absl::StrFormat("%s: run %s  %s, model %s, started %s\n", letter, Printable(manifest.id),
                         Printable(manifest.name), Printable(manifest.model),
                         Printable(manifest.started));
}

std::string Warnings(const Comparison& comparison, const Terminal& terminal) {
  std::string out;
  for (const std::string& note : ComparisonNotes(comparison, "A", "B")) {
    out += Paint(terminal, Ink::kYellow, "! " + Printable(note)) + "\n";
  }
  return out;
}

// One task of the verdict, by what can be said of it.
enum class Finding { kBetter, kWorse, kUnseen };

Finding FindingOf(const TaskComparison& task) {
  if (task.p_holm >= 0.05) return Finding::kUnseen;
  return task.paired.difference->value() > 0 ? Finding::kBetter : Finding::kWorse;
}

// More was asked than this one question: of other tasks, or of other runs of a report.
bool IsAdjusted(const Comparison& comparison) {
  return std::any_of(comparison.tasks.begin(), comparison.tasks.end(),
                     [](const TaskComparison& task) { return task.questions > 1; });
}

std::string Points(double share) { return FormatPercent(std::abs(share)) + " points"; }

std::string PClause(double p) {
  const std::string text = FormatP(p);
  return text.starts_with("<") ? "< " + text.substr(1) : "= " + text;
}

std::string ByHowMuch(const TaskComparison& task) {
  return absl::StrFormat(
      "on %s by %s (95 %% interval %s, p %s)", task.task, Points(task.paired.difference->value()),
      FormatInterval(*task.paired.difference, Unit::kDifferenceOfShares), PClause(task.p_holm));
}

std::string Enumerate(const std::vector<std::string>& parts) {
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) text += i + 1 == parts.size() ? " and " : ", ";
    text += parts[i];
  }
  return text;
}

// With more tasks than a sentence can carry: how many, and between what.
std::string InShort(const std::vector<const TaskComparison*>& tasks) {
  double least = 1, most = 0;
  for (const TaskComparison* task : tasks) {
    const double size = std::abs(task->paired.difference->value());
    least = std::min(least, size);
    most = std::max(most, size);
  }
  if (tasks.size() == 1) return absl::StrFormat("1 task (%s, by %s)", tasks[0]->task, Points(most));
  return absl::StrFormat("%d tasks (by %s to %s)", tasks.size(), FormatPercent(least),
                         Points(most));
}

constexpr size_t kTasksInASentence = 4;

std::string Conclusion(const Comparison& comparison) {
  return SafeLines(VerdictSentence(comparison, "A", "B") + "\n");
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

Json MajorityToJson(const MajorityTable& table) {
  return Json::MakeObject({{"both_right", table.both_right},
                           {"only_a_right", table.only_a},
                           {"only_b_right", table.only_b},
                           {"both_wrong", table.both_wrong},
                           {"p_exact", table.test.p_exact},
                           {"p_mid", table.test.p_mid}});
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
                           {"mcnemar", MajorityToJson(task.majority)},
                           {"only_in_a", TextsToJson(paired.only_in_a)},
                           {"only_in_b", TextsToJson(paired.only_in_b)}});
}

}  // namespace

const TaskManifest* FindTask(const RunManifest& run, std::string_view name) {
  const auto found = std::find_if(run.tasks.begin(), run.tasks.end(),
                                  [name](const TaskManifest& task) { return task.name == name; });
  return found == run.tasks.end() ? nullptr : &*found;
}

absl::StatusOr<const TaskManifest*> NamedTask(const RunManifest& run, const std::string& name) {
  const std::vector<std::string> names = TaskNames(run);
  if (name.empty() && names.size() == 1) return &run.tasks[0];
  if (name.empty()) {
    return InvalidArgument("run %s has several tasks, name one: %s", run.id, Join(names, ", "));
  }
  if (const TaskManifest* found = FindTask(run, name)) return found;
  return NotFound("run %s has no task '%s'%s; it has %s", run.id, name, DidYouMean(name, names),
                  Join(names, ", "));
}

TaskComparison CompareTask(const LoadedOutcomes& in_a, const RunManifest& a,
                           const TaskManifest& task_a, const LoadedOutcomes& in_b,
                           const RunManifest& b, const TaskManifest& task_b) {
  TaskComparison comparison;
  comparison.task = task_a.name;
  comparison.paired = ComparePaired(in_a.input, in_b.input);
  comparison.a = PassAt1(in_a.input, comparison.paired.only_in_a);
  comparison.b = PassAt1(in_b.input, comparison.paired.only_in_b);
  comparison.counts_a = in_a.counts;
  comparison.counts_b = in_b.counts;
  comparison.majority = CountMajorities(comparison.paired);
  comparison.differs = WhatDiffers(task_a, task_b, a, b);
  return comparison;
}

void AdjustForTasks(const std::vector<TaskComparison*>& tasks) {
  std::vector<double> p;
  for (const TaskComparison* task : tasks) {
    if (task->paired.difference) p.push_back(task->paired.p);
  }
  const std::vector<double> adjusted = HolmAdjust(p);
  size_t next = 0;
  for (TaskComparison* task : tasks) {
    task->questions = std::max<size_t>(1, p.size());
    if (task->paired.difference) task->p_holm = adjusted[next++];
  }
}

absl::StatusOr<Comparison> CompareRuns(Store& store_a, const RunSummary& a, Store& store_b,
                                       const RunSummary& b, const std::vector<std::string>& tasks) {
  Comparison comparison;
  comparison.a = a;
  comparison.b = b;
  for (const std::string& name : tasks) {
    for (const RunSummary* run : {&a, &b}) {
      RETURN_IF_ERROR(NamedTask(run->manifest, name).status());
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
    ASSIGN_OR_RETURN(TaskComparison compared, LoadAndCompare(store_a, a, task, store_b, b, *other));
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
  std::vector<TaskComparison*> compared;
  for (TaskComparison& task : comparison.tasks) compared.push_back(&task);
  AdjustForTasks(compared);
  return comparison;
}

std::string VerdictSentence(const Comparison& comparison, std::string_view a, std::string_view b) {
  std::vector<const TaskComparison*> better, worse, unseen;
  std::vector<std::string> partial;  // what is missing could turn them
  for (const TaskComparison& task : comparison.tasks) {
    if (!task.paired.difference) continue;
    if (!task.counts_a.complete() || !task.counts_b.complete()) {
      partial.push_back(task.task);
      continue;
    }
    const Finding finding = FindingOf(task);
    (finding == Finding::kBetter  ? better
     : finding == Finding::kWorse ? worse
                                  : unseen)
        .push_back(&task);
  }
  const size_t compared = better.size() + worse.size() + unseen.size();
  std::string no_verdict = partial.empty()
                               ? ""
                               : absl::StrFormat("No verdict on %s: samples are missing.",
                                                 partial.size() <= kTasksInASentence
                                                     ? Enumerate(partial)
                                                     : absl::StrFormat("%d tasks", partial.size()));
  if (compared == 0) {
    if (!partial.empty()) return no_verdict;
    return absl::StrFormat("%s and %s have no problem in common.", a, b);
  }
  const auto name = [&](const std::vector<const TaskComparison*>& tasks) {
    if (tasks.size() > kTasksInASentence) return "on " + InShort(tasks);
    std::vector<std::string> parts;
    parts.reserve(tasks.size());
    for (const TaskComparison* task : tasks) parts.push_back(ByHowMuch(*task));
    return Enumerate(parts);
  };
  std::string text;
  if (!better.empty()) text = absl::StrFormat("%s is better than %s %s", b, a, name(better));
  if (!worse.empty()) {
    text += text.empty() ? absl::StrFormat("%s is worse than %s %s", b, a, name(worse))
                         : "; it is worse " + name(worse);
  }
  const bool claims = !better.empty() || !worse.empty();
  const std::string end = (claims && IsAdjusted(comparison) ? "; p adjusted by Holm." : ".") +
                          (partial.empty() ? "" : " " + no_verdict);
  if (unseen.empty()) return text + end;
  std::vector<std::string> names, sizes;
  for (const TaskComparison* task : unseen) {
    names.push_back(task->task);
    sizes.push_back(FormatPercent(task->paired.detectable_difference));
  }
  const bool few = unseen.size() <= kTasksInASentence;
  const std::string where =
      few ? Enumerate(names) : absl::StrFormat("%d other tasks", unseen.size());
  text += absl::StrFormat("%s %s no difference between %s and %s can be seen",
                          text.empty() ? "On" : "; on", where, a, b);
  // What was not seen may still be there.
  if (few) {
    text += absl::StrFormat(": under %s points it would be missed more than one time in five",
                            Enumerate(sizes));
  }
  return text + end;
}

std::vector<std::string> ComparisonNotes(const Comparison& comparison, std::string_view a,
                                         std::string_view b) {
  std::vector<std::string> notes;
  const RunManifest &run_a = comparison.a.manifest, &run_b = comparison.b.manifest;
  if (run_a.id == run_b.id && run_a.started == run_b.started) {
    notes.push_back(absl::StrFormat("%s and %s are the same run", a, b));
  }
  for (const TaskComparison& task : comparison.tasks) {
    for (const std::string& difference : task.differs) {
      notes.push_back(task.task + ": NOT THE SAME in both runs: " + difference);
    }
    const auto incomplete = [&](std::string_view letter, const OutcomeCounts& counts) {
      if (counts.complete()) return;
      notes.push_back(absl::StrFormat(
          "%s: run %s lacks %s of %s; the difference is partial, and no verdict", task.task, letter,
          WithThousands(counts.planned - counts.graded), Counted(counts.planned, "sample")));
    };
    incomplete(a, task.counts_a);
    incomplete(b, task.counts_b);
    const auto mixed = [&](std::string_view letter, const OutcomeCounts& counts) {
      if (counts.served_models.size() < 2) return;
      notes.push_back(absl::StrFormat("%s: run %s is NOT ONE MODEL: %s", task.task, letter,
                                      ServedModels(counts.served_models)));
    };
    mixed(a, task.counts_a);
    mixed(b, task.counts_b);
    const size_t left_out = task.paired.only_in_a.size() + task.paired.only_in_b.size();
    if (left_out > 0) {
      notes.push_back(
          absl::StrFormat("%s: compared on the %s that both runs have; %s alone has %d, "
                          "%s alone has %d",
                          task.task, Counted(task.paired.problems, "problem"), a,
                          task.paired.only_in_a.size(), b, task.paired.only_in_b.size()));
    }
  }
  if (!comparison.only_in_a.empty()) {
    notes.push_back(absl::StrFormat("only in %s: ", a) + Join(comparison.only_in_a, ", "));
  }
  if (!comparison.only_in_b.empty()) {
    notes.push_back(absl::StrFormat("only in %s: ", b) + Join(comparison.only_in_b, ", "));
  }
  return notes;
}

std::string DifferenceTable(const Comparison& comparison, TableForm form) {
  const bool several = IsAdjusted(comparison);
  Table table;
  table.columns = {{"task"},      {"problems", true},      {"A %", true},
                   {"B %", true}, {"B - A ± error", true}, {"95 % interval", true},
                   {"p", true}};
  if (several) table.columns.push_back({"p (Holm)", true});
  table.columns.push_back({"B better/worse/same", true});
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
  return RenderTable(table, form);
}

std::string DescribeComparison(const Comparison& comparison, int flips, const Terminal& terminal) {
  std::string out =
      Side("A", comparison.a) + Side("B", comparison.b) + Warnings(comparison, terminal) + "\n" +
      DifferenceTable(comparison, TableForm::kTerminal) + "\n" + Conclusion(comparison);
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
