// Runs are read side by side, each once; everything else is arithmetic on what was read.
#include "reports/report.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <set>
#include <thread>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_format.h"
#include "harness/manifest.h"
#include "harness/registry.h"
#include "harness/status.h"
#include "harness/text.h"
#include "reports/breakdown.h"
#include "reports/show.h"
#include "reports/table.h"

namespace assay {
namespace {

constexpr size_t kQuestionBytes = 240;
constexpr size_t kAnswerBytes = 80;
// Comparing answers asks the grader; up to here it is too quick to be noticed.
constexpr int64_t kSamplesComparedUnasked = 20000;

// --- reading ---

std::string QuestionOf(const Prompt& prompt) {
  std::string_view text;
  for (const Message& message : prompt.messages) {
    if (message.role == "user") text = message.text;
  }
  return Shorten(ToValidUtf8(Trim(text)), kQuestionBytes);
}

// Texts that recur, numbered from 1; 0 is "none".
class Dictionary {
 public:
  explicit Dictionary(std::vector<std::string>* texts) : texts_(texts) {}
  uint32_t Of(std::string_view text) {
    if (text.empty()) return 0;
    const auto [entry, is_new] =
        numbers_.try_emplace(std::string(text), static_cast<uint32_t>(texts_->size()));
    if (is_new) texts_->push_back(entry->first);
    return entry->second;
  }

 private:
  std::vector<std::string>* texts_;
  absl::flat_hash_map<std::string, uint32_t> numbers_;
};

// Looks on while a task is read: what it costs, and its rows where they are wanted.
class Onlooker {
 public:
  Onlooker(bool rows, Spending* spending, TaskSamples* into)
      : rows_(rows),
        spending_(spending),
        into_(into),
        rules_(&into->rules),
        tiers_(&into->tiers),
        answers_(&into->answers) {}

  void SeeProblem(const Problem& problem, const Prompt& prompt) {
    if (!rows_) return;
    into_->problems.push_back(
        {problem.id, QuestionOf(prompt), Shorten(problem.reference, kQuestionBytes), problem.tags});
  }

  void SeeSample(const StoredSample& stored) {
    Spend(stored);
    if (rows_) AddRow(stored);
  }

 private:
  void Spend(const StoredSample& stored) {
    const Completion& completion = stored.sample.completion;
    ++spending_->samples;
    spending_->prompt_tokens += completion.tokens.prompt;
    spending_->reasoning_tokens += completion.tokens.reasoning;
    spending_->answer_tokens += completion.tokens.answer;
    spending_->estimated += completion.tokens.source == TokenSource::kEstimated ? 1 : 0;
    spending_->seconds += completion.latency_seconds;
    if (!completion.cost_usd) return;
    ++spending_->with_cost;
    spending_->cost_usd += *completion.cost_usd;
    if (stored.sample.problem_id != cost_problem_ || spending_->cost_terms.empty()) {
      cost_problem_ = stored.sample.problem_id;
      spending_->cost_terms.emplace_back();
    }
    RatioTerm& term = spending_->cost_terms.back();
    term.numerator += *completion.cost_usd;
    const bool correct = stored.graded && stored.sample.verdict.outcome == Outcome::kCorrect;
    term.denominator += correct ? 1 : 0;
  }

  void AddRow(const StoredSample& stored) {
    const Sample& sample = stored.sample;
    // Samples come problem by problem, in the problems' order.
    while (at_ < into_->problems.size() && into_->problems[at_].id != sample.problem_id) ++at_;
    SampleRow row;
    row.problem = static_cast<uint32_t>(at_);
    row.index = sample.index;
    row.reasoning_tokens = static_cast<int32_t>(sample.completion.tokens.reasoning);
    row.answer_tokens = static_cast<int32_t>(sample.completion.tokens.answer);
    if (stored.graded) {
      row.outcome = static_cast<uint8_t>(sample.verdict.outcome);
      row.rule = static_cast<uint16_t>(rules_.Of(sample.extraction.rule));
      const std::string tier = sample.verdict.detail.FindString("tier").value_or("");
      row.tier = static_cast<uint16_t>(tiers_.Of(tier));
      if (sample.extraction.answer) {
        row.answer = answers_.Of(Shorten(ToValidUtf8(*sample.extraction.answer), kAnswerBytes));
      }
    }
    into_->samples.push_back(row);
  }

  const bool rows_;
  Spending* spending_;
  TaskSamples* into_;
  Dictionary rules_, tiers_, answers_;
  std::string cost_problem_;
  size_t at_ = 0;
};

bool AsksForConsensus(const TaskManifest& task) {
  return std::any_of(task.metrics.begin(), task.metrics.end(), [](const std::string& name) {
    const absl::StatusOr<const Metric*> metric = FindMetric(name);
    return metric.ok() && (*metric)->needs_answer_classes;
  });
}

absl::StatusOr<TaskReport> LoadTask(const ReportInput& input, const TaskManifest& task,
                                    const ReportOptions& options) {
  TaskReport report;
  Spending spending;
  Onlooker onlooker(options.samples, &spending, &report.samples);
  OutcomeOptions load;
  load.answer_classes = task.samples_per_problem > 1 &&
                        (options.consensus || AsksForConsensus(task) ||
                         task.problems * task.samples_per_problem <= kSamplesComparedUnasked);
  load.on_problem = [&](const Problem& problem, const Prompt& prompt) {
    onlooker.SeeProblem(problem, prompt);
  };
  load.on_sample = [&](const StoredSample& stored) { onlooker.SeeSample(stored); };
  ASSIGN_OR_RETURN(report.loaded, LoadOutcomesAndCounts(*input.store, input.run, task, load));
  ASSIGN_OR_RETURN(report.result, ComputeTaskResult(report.loaded, task));
  report.curves = ComputeCurves(report.loaded, task, spending);
  if (task.samples_per_problem == 1) report.curves.no_consensus = "one sample of each problem";
  return report;
}

// Every (run, task) at once, on as many threads as there are cores.
absl::Status LoadTasks(const ReportOptions& options, std::vector<RunReport>* runs) {
  struct Piece {
    const ReportInput* input;
    const TaskManifest* task;
    TaskReport* into;
    absl::Status status;
  };
  std::vector<Piece> pieces;
  for (RunReport& run : *runs) {
    std::vector<const TaskManifest*> wanted;
    for (const TaskManifest& task : run.input.run.manifest.tasks) {
      const bool named =
          std::find(options.tasks.begin(), options.tasks.end(), task.name) != options.tasks.end();
      if (options.tasks.empty() || named) wanted.push_back(&task);
    }
    run.tasks.resize(wanted.size());
    for (size_t i = 0; i < wanted.size(); ++i) {
      pieces.push_back({&run.input, wanted[i], &run.tasks[i], absl::OkStatus()});
    }
  }
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i = next++; i < pieces.size(); i = next++) {
      absl::StatusOr<TaskReport> loaded = LoadTask(*pieces[i].input, *pieces[i].task, options);
      pieces[i].status = loaded.status();
      if (loaded.ok()) *pieces[i].into = *std::move(loaded);
    }
  };
  {
    const size_t cores = std::max(1u, std::thread::hardware_concurrency());
    std::vector<std::jthread> threads;
    for (size_t i = 1; i < std::min(cores, pieces.size()); ++i) threads.emplace_back(work);
    work();
  }
  for (const Piece& piece : pieces) RETURN_IF_ERROR(piece.status);
  return absl::OkStatus();
}

absl::Status CheckTasks(const std::vector<ReportInput>& inputs, const ReportOptions& options) {
  for (const std::string& name : options.tasks) {
    std::vector<std::string> names;
    bool found = false;
    for (const ReportInput& input : inputs) {
      for (const TaskManifest& task : input.run.manifest.tasks) {
        names.push_back(task.name);
        found = found || task.name == name;
      }
    }
    if (!found) return NotFound("no run has a task '%s'%s", name, DidYouMean(name, names));
  }
  return absl::OkStatus();
}

// --- comparing ---

const TaskReport* FindTaskReport(const RunReport& run, std::string_view name) {
  const auto found = std::find_if(run.tasks.begin(), run.tasks.end(), [&](const TaskReport& task) {
    return task.result.manifest.name == name;
  });
  return found == run.tasks.end() ? nullptr : &*found;
}

Comparison CompareWithBase(const RunReport& base, const RunReport& run) {
  Comparison comparison;
  comparison.a = base.input.run;
  comparison.b = run.input.run;
  for (const TaskReport& task : base.tasks) {
    const std::string& name = task.result.manifest.name;
    const TaskReport* other = FindTaskReport(run, name);
    if (other == nullptr) {
      comparison.only_in_a.push_back(name);
      continue;
    }
    comparison.tasks.push_back(CompareTask(task.loaded, base.input.run.manifest,
                                           task.result.manifest, other->loaded,
                                           run.input.run.manifest, other->result.manifest));
  }
  for (const TaskReport& task : run.tasks) {
    const std::string& name = task.result.manifest.name;
    if (FindTaskReport(base, name) == nullptr) comparison.only_in_b.push_back(name);
  }
  return comparison;
}

// One question for each task and run: all of them are asked at once, so Holm is over all.
void Compare(Report* report) {
  std::vector<TaskComparison*> asked;
  for (size_t i = 1; i < report->runs.size(); ++i) {
    report->comparisons.push_back(CompareWithBase(report->runs[0], report->runs[i]));
  }
  for (Comparison& comparison : report->comparisons) {
    for (TaskComparison& task : comparison.tasks) asked.push_back(&task);
  }
  AdjustForTasks(asked);
}

// --- the trend's axis ---

absl::Status PlaceOnAxis(const std::string& x, std::vector<RunReport>* runs) {
  if (x.empty()) return absl::OkStatus();
  const std::vector<std::string_view> pieces = Split(x, ',');
  if (ParseDouble(Trim(pieces[0]))) {
    if (pieces.size() != runs->size()) {
      return InvalidArgument("--x %s: %d numbers for %d runs", x, pieces.size(), runs->size());
    }
    for (size_t i = 0; i < pieces.size(); ++i) {
      (*runs)[i].x = ParseDouble(Trim(pieces[i]));
      if (!(*runs)[i].x) {
        return InvalidArgument("--x %s: expected a number, found '%s'", x, pieces[i]);
      }
    }
    return absl::OkStatus();
  }
  for (RunReport& run : *runs) {
    const RunManifest& manifest = run.input.run.manifest;
    run.x = NumberAfter(x, manifest.name);
    if (!run.x) run.x = NumberAfter(x, manifest.model);
    if (!run.x) {
      return NotFound(
          "--x %s: run %s has no number after '%s' in its name (%s) or model (%s); numbers may be "
          "given, one for each run: --x 100,200",
          x, manifest.id, x, manifest.name, manifest.model);
    }
  }
  return absl::OkStatus();
}

absl::Status PlaceBesideThePublished(const ReportOptions& options, RunReport* run) {
  const RunManifest& manifest = run->input.run.manifest;
  std::vector<TaskResult> results;
  for (const TaskReport& task : run->tasks) results.push_back(task.result);
  run->published =
      PublishedLines(results, options.published_as.empty() ? manifest.model : options.published_as);
  ASSIGN_OR_RETURN(run->deviations, RunDeviations(DefaultSearchPath({}, {}), manifest));
  return absl::OkStatus();
}

// --- sentences ---

std::string Interval95(const Estimate& estimate, Unit unit) {
  return "95 % interval " + FormatInterval(estimate, unit);
}

std::string OneRunSentence(const RunReport& run, const TaskReport& task, bool allow_partial) {
  const TaskResult& result = task.result;
  const TaskManifest& manifest = result.manifest;
  const std::string of = absl::StrFormat("%s x %s", Counted(manifest.problems, "problem"),
                                         Counted(manifest.samples_per_problem, "sample"));
  if (!result.complete() && !allow_partial) {
    if (!result.if_missing_wrong || !result.if_missing_right) {
      return absl::StrFormat("%s: nothing is graded.", manifest.name);
    }
    const int64_t missing = result.missing + result.ungraded;
    return absl::StrFormat("%s: %s of %s %s missing; %s's %s lies in [%s, %s] %%.", manifest.name,
                           WithThousands(missing), Counted(result.planned, "sample"),
                           IsOrAre(missing), run.letter,
                           result.headline() != nullptr ? result.headline()->name : "pass@1",
                           FormatPercent(result.if_missing_wrong->value()),
                           FormatPercent(result.if_missing_right->value()));
  }
  if (result.headline() == nullptr) return absl::StrFormat("%s: no number.", manifest.name);
  const NamedEstimate& headline = *result.headline();
  const Unit unit = UnitOf(headline);
  return absl::StrFormat("%s: %s %s%s%s, %s (%s).", manifest.name, headline.name,
                         FormatValue(headline.estimate, unit), unit == Unit::kShare ? " %" : "",
                         result.complete() ? "" : " (partial)", Interval95(headline.estimate, unit),
                         of);
}

constexpr size_t kSentences = 6;

void Say(Report* report) {
  if (report->runs.size() == 1) {
    const RunReport& run = report->runs[0];
    for (size_t i = 0; i < std::min(run.tasks.size(), kSentences); ++i) {
      report->verdicts.push_back(OneRunSentence(run, run.tasks[i], report->options.allow_partial));
    }
    for (const TaskReport& task : run.tasks) {
      if (task.result.served_models.size() < 2) continue;
      report->notes.push_back(absl::StrFormat("%s: NOT ONE MODEL: %s", task.result.manifest.name,
                                              ServedModels(task.result.served_models)));
    }
    return;
  }
  for (size_t i = 0; i < report->comparisons.size(); ++i) {
    const Comparison& comparison = report->comparisons[i];
    const std::string& letter = report->runs[i + 1].letter;
    report->verdicts.push_back(comparison.tasks.empty()
                                   ? absl::StrFormat("%s and A have no task in common.", letter)
                                   : VerdictSentence(comparison, report->runs[0].letter, letter));
    for (std::string& note : ComparisonNotes(comparison, report->runs[0].letter, letter)) {
      report->notes.push_back(report->runs.size() > 2 ? letter + " against A, " + note
                                                      : std::move(note));
    }
  }
}

// --- JSON ---

Json Shown(const Estimate& estimate, Unit unit) {
  Json json = EstimateToJson(estimate);
  json.Set("unit", unit == Unit::kCount ? "count" : "share");
  json.Set("shown", FormatValue(estimate, unit));
  json.Set("interval", FormatInterval(estimate, unit));
  return json;
}

// ResultsToJson's task with the texts that tables show.
Json TaskToJson(const TaskReport& task, const Report& report, Json json) {
  const bool shown = task.result.complete() || report.options.allow_partial;
  Json list = Json::MakeArray();
  for (const NamedEstimate& named : task.result.estimates) {
    if (!shown) break;
    Json one = Shown(named.estimate, UnitOf(named));
    one.Set("name", named.name);
    list.Append(std::move(one));
  }
  json.Set("table", std::move(list));
  Json tags = Json::MakeArray();
  for (const TagResult& tag : task.result.tags) {
    Json one = Shown(tag.estimate, Unit::kShare);
    one.Set("tag", tag.tag);
    one.Set("truncated", tag.counts.truncated);
    tags.Append(std::move(one));
  }
  json.Set("by_tag", std::move(tags));
  Json bounds = Json::MakeObject();
  const auto bound = [&](std::string_view name, const std::optional<Estimate>& estimate) {
    if (estimate) bounds.Set(name, Shown(*estimate, Unit::kShare));
  };
  bound("missing_wrong", task.result.if_missing_wrong);
  bound("missing_right", task.result.if_missing_right);
  bound("truncated_right", task.result.if_truncated_right);
  bound("undecided_right", task.result.if_undecided_right);
  json.Set("bounds", std::move(bounds));
  json.Set("means", WhatTheNumbersMean(task.result));
  json.Set("problems", task.result.manifest.problems);
  json.Set("samples_per_problem", task.result.manifest.samples_per_problem);
  json.Set("curves", CurvesToJson(task.curves));
  return json;
}

Json RunToJson(const RunReport& run, const Report& report) {
  std::vector<TaskResult> results;
  for (const TaskReport& task : run.tasks) results.push_back(task.result);
  const Partial partial = report.options.allow_partial ? Partial::kLabelled : Partial::kRefuse;
  Json json = ResultsToJson(run.input.run, results, partial);
  Json::Array& tasks = json.Find("tasks")->AsArray();
  for (size_t i = 0; i < tasks.size(); ++i) {
    tasks[i] = TaskToJson(run.tasks[i], report, std::move(tasks[i]));
  }
  json.Set("letter", run.letter);
  json.Set("model", run.input.run.manifest.model);
  json.Set("finished", run.input.run.finished);
  json.Set("samples_planned", run.input.run.samples_planned);
  json.Set("samples_stored", run.input.run.samples_stored);
  json.Set("failures", run.input.run.failures);
  if (run.x) json.Set("x", *run.x);
  json.Set("published", PublishedToJson(run.published));
  json.Set("recipe_deviations", DeviationsToJson(run.deviations));
  json.Set("reproduce", ReproduceCommand(run.input.run.manifest));
  json.Set("manifest", RunManifestToJson(run.input.run.manifest));
  return json;
}

Json Texts(const std::vector<std::string>& texts) {
  Json json = Json::MakeArray();
  for (const std::string& text : texts) json.Append(text);
  return json;
}

Json WithShownTexts(const Comparison& comparison) {
  Json json = ComparisonToJson(comparison);
  Json::Array& tasks = json.Find("tasks")->AsArray();
  for (size_t i = 0; i < tasks.size(); ++i) {
    const PairedTask& paired = comparison.tasks[i].paired;
    if (!paired.difference) continue;
    tasks[i].Set("shown", FormatValue(*paired.difference, Unit::kDifferenceOfShares));
    tasks[i].Set("interval", FormatInterval(*paired.difference, Unit::kDifferenceOfShares));
    tasks[i].Set("p_shown", FormatP(paired.p));
    tasks[i].Set("p_holm_shown", FormatP(comparison.tasks[i].p_holm));
    tasks[i].Set("detectable_shown", FormatPercent(paired.detectable_difference));
    tasks[i].Set("a_shown", FormatPercent(comparison.tasks[i].a->value()));
    tasks[i].Set("b_shown", FormatPercent(comparison.tasks[i].b->value()));
  }
  return json;
}

// --- CSV ---

struct CsvLine {
  std::string kind, run, against, task, metric, x;
  const Estimate* estimate = nullptr;
  std::optional<double> p, p_holm;
};

std::string Exact(double value) { return Json(value).ToText(); }

std::string CsvText(const CsvLine& line) {
  const Estimate& estimate = *line.estimate;
  std::string text;
  for (const std::string& field : {line.kind, line.run, line.against, line.task, line.metric}) {
    text += CsvField(field) + ",";
  }
  text += line.x + ",";
  for (const double value : {estimate.value(), estimate.standard_error(), estimate.low(),
                             estimate.high(), estimate.level()}) {
    text += Exact(value) + ",";
  }
  text += absl::StrFormat("%d,%d,", estimate.problems(), estimate.samples());
  text += (line.p ? Exact(*line.p) : "") + "," + (line.p_holm ? Exact(*line.p_holm) : "");
  return text + "," + CsvField(estimate.method()) + "\n";
}

std::string RunLines(const RunReport& run, bool allow_partial) {
  std::string text;
  const std::string& id = run.input.run.manifest.id;
  for (const TaskReport& task : run.tasks) {
    const std::string& name = task.result.manifest.name;
    const auto add = [&](const char* kind, const std::string& metric, const std::string& x,
                         const Estimate& estimate) {
      text += CsvText({kind, id, "", name, metric, x, &estimate, std::nullopt, std::nullopt});
    };
    if (!task.result.complete() && !allow_partial) {
      if (task.result.if_missing_wrong) {
        add("bound", "pass@1, missing wrong", "", *task.result.if_missing_wrong);
        add("bound", "pass@1, missing right", "", *task.result.if_missing_right);
      }
      continue;
    }
    const char* kind = task.result.complete() ? "estimate" : "partial";
    for (const NamedEstimate& one : task.result.estimates) add(kind, one.name, "", one.estimate);
    for (const TagResult& tag : task.result.tags) add("tag", tag.tag, "", tag.estimate);
    for (const CurvePoint& point : task.curves.pass_at_k) {
      add("curve", "pass@k", std::to_string(point.x), point.y);
    }
    for (const CurvePoint& point : task.curves.cons_at_k) {
      add("curve", "cons@k", std::to_string(point.x), point.y);
    }
    for (const LengthBin& bin : task.curves.by_length) {
      add("curve", "accuracy by length, up to", std::to_string(bin.to), bin.accuracy);
    }
    for (const BudgetCurvePoint& one : task.curves.budgets) {
      if (one.if_cut_right) continue;  // not identified
      add("curve", "accuracy within a token budget", std::to_string(one.point.budget),
          one.point.accuracy);
    }
    if (task.curves.tokens_per_correct) {
      add("cost", "tokens per correct answer", "", *task.curves.tokens_per_correct);
    }
    if (task.curves.cost_per_correct) {
      add("cost", "USD per correct answer", "", *task.curves.cost_per_correct);
    }
  }
  return text;
}

std::string RunTitle(const RunReport& run) {
  const RunManifest& manifest = run.input.run.manifest;
  return absl::StrFormat("%s: run %s, %s, model %s", run.letter, Printable(manifest.id),
                         Printable(manifest.name), Printable(manifest.model));
}

}  // namespace

std::string RunLetter(size_t index) {
  std::string letter(1, static_cast<char>('A' + index % 26));
  return index < 26 ? letter : RunLetter(index / 26 - 1) + letter;
}

std::optional<double> NumberAfter(std::string_view word, std::string_view text) {
  const std::string lower = ToLowerAscii(text);
  const std::string wanted = ToLowerAscii(word);
  // The last one that carries a number: a path's end says more than its beginning.
  for (size_t at = lower.rfind(wanted); at != std::string::npos;
       at = at == 0 ? std::string::npos : lower.rfind(wanted, at - 1)) {
    size_t begin = at + wanted.size();
    while (begin < lower.size() && Contains("-_=: ", {&lower[begin], 1})) ++begin;
    size_t end = begin;
    while (end < lower.size() && (std::isdigit(static_cast<unsigned char>(lower[end])) != 0 ||
                                  (lower[end] == '.' && end > begin))) {
      ++end;
    }
    while (end > begin && lower[end - 1] == '.') --end;
    if (end > begin) return ParseDouble(std::string_view(lower).substr(begin, end - begin));
  }
  return std::nullopt;
}

std::string CsvField(std::string_view text) {
  // A spreadsheet runs what begins like this; an apostrophe keeps it a text.
  const bool formula = !text.empty() && Contains("=+-@\t\r", {text.data(), 1});
  std::string field = (formula ? "'" : "") + std::string(text);
  if (field.find_first_of(",\"\r\n") == std::string::npos) return field;
  return "\"" + ReplaceAll(field, "\"", "\"\"") + "\"";
}

absl::StatusOr<Report> LoadReport(std::vector<ReportInput> inputs, const ReportOptions& options) {
  CHECK(!inputs.empty());
  RETURN_IF_ERROR(CheckTasks(inputs, options));
  Report report;
  report.options = options;
  for (ReportInput& input : inputs) {
    report.runs.emplace_back().input = std::move(input);
  }
  RETURN_IF_ERROR(PlaceOnAxis(options.x, &report.runs));
  CHECK(options.baseline < report.runs.size());
  const auto base = report.runs.begin() + static_cast<std::ptrdiff_t>(options.baseline);
  std::rotate(report.runs.begin(), base, base + 1);
  for (size_t i = 0; i < report.runs.size(); ++i) report.runs[i].letter = RunLetter(i);
  RETURN_IF_ERROR(LoadTasks(options, &report.runs));
  for (RunReport& run : report.runs) RETURN_IF_ERROR(PlaceBesideThePublished(options, &run));
  Compare(&report);
  Say(&report);
  return report;
}

Json ReportToJson(const Report& report) {
  Json runs = Json::MakeArray();
  for (const RunReport& run : report.runs) runs.Append(RunToJson(run, report));
  Json comparisons = Json::MakeArray();
  for (size_t i = 0; i < report.comparisons.size(); ++i) {
    Json json = WithShownTexts(report.comparisons[i]);
    json.Find("a")->Set("letter", report.runs[0].letter);
    json.Find("b")->Set("letter", report.runs[i + 1].letter);
    comparisons.Append(std::move(json));
  }
  return Json::MakeObject({{"verdicts", Texts(report.verdicts)},
                           {"notes", Texts(report.notes)},
                           {"x", report.options.x},
                           {"runs", std::move(runs)},
                           {"comparisons", std::move(comparisons)}});
}

std::string ReportToMarkdown(const Report& report) {
  std::string text;
  for (const std::string& verdict : report.verdicts) text += Printable(verdict) + "\n\n";
  for (const std::string& note : report.notes) text += "> **Note** " + Printable(note) + "\n\n";
  for (size_t i = 0; i < report.comparisons.size(); ++i) {
    text +=
        absl::StrFormat("**%s against %s**\n\n", report.runs[i + 1].letter, report.runs[0].letter);
    text += DifferenceTable(report.comparisons[i], TableForm::kMarkdown) + "\n";
  }
  const Partial partial = report.options.allow_partial ? Partial::kLabelled : Partial::kRefuse;
  for (const RunReport& run : report.runs) {
    std::vector<TaskResult> results;
    for (const TaskReport& task : run.tasks) results.push_back(task.result);
    text += "**" + RunTitle(run) + "**\n\n" + ResultTable(results, partial, TableForm::kMarkdown) +
            "\n" + PublishedTextOf(run.published) + DeviationsText(run.deviations);
  }
  return text;
}

std::string ReportToCsv(const Report& report) {
  std::string text =
      "kind,run,against,task,metric,x,value,standard_error,low,high,level,problems,samples,p,"
      "p_holm,method\n";
  for (const RunReport& run : report.runs) text += RunLines(run, report.options.allow_partial);
  for (const Comparison& comparison : report.comparisons) {
    for (const TaskComparison& task : comparison.tasks) {
      if (!task.paired.difference) continue;
      text += CsvText({"difference", comparison.b.manifest.id, comparison.a.manifest.id, task.task,
                       "pass@1", "", &*task.paired.difference, task.paired.p, task.p_holm});
    }
  }
  return text;
}

}  // namespace assay
