// A report on one or more runs: their results, curves, each against the baseline, and a trend.
//
// The page, --format json, md and csv show the same value; nobody computes a number after it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/json.h"
#include "harness/outcomes.h"
#include "harness/store.h"
#include "reports/compare.h"
#include "reports/curves.h"
#include "reports/published.h"
#include "reports/results.h"

namespace assay {

struct ReportInput {
  Store* store = nullptr;  // outlives the report
  RunSummary run;
};

struct ReportOptions {
  std::vector<std::string> tasks;  // empty: all
  // "step": the number that follows this word in a run's name or model; or one number a run, with
  // commas. Empty: no trend.
  std::string x;
  bool allow_partial = false;  // a labelled number over missing samples
  bool consensus = false;      // cons@k also where no task asks for it and it costs time
  bool samples = false;        // keep a row per sample, for the page
  size_t baseline = 0;         // of the runs given: it becomes the first, "A"
  std::string published_as;    // the model whose published figures stand beside; empty: each run's
};

// One problem as its list shows it.
struct ProblemRow {
  std::string id;
  std::string question;  // shortened
  std::string reference;
  std::vector<std::string> tags;
};

constexpr uint8_t kUngraded = 5;  // after the five outcomes
struct SampleRow {
  uint32_t problem = 0;  // in TaskSamples::problems
  int32_t index = 0;
  uint8_t outcome = kUngraded;
  uint16_t rule = 0, tier = 0;  // in `rules`, `tiers`; 0: none
  uint32_t answer = 0;          // in `answers`; 0: none
  int32_t reasoning_tokens = 0, answer_tokens = 0;
};

// A task of a run, sample by sample, in the store's order.
struct TaskSamples {
  std::vector<ProblemRow> problems;
  std::vector<SampleRow> samples;
  std::vector<std::string> rules = {""}, tiers = {""}, answers = {""};
};

struct TaskReport {
  LoadedOutcomes loaded;
  TaskResult result;
  TaskCurves curves;
  TaskSamples samples;
};

struct RunReport {
  ReportInput input;
  std::string letter;  // "A", "B", ...
  std::vector<TaskReport> tasks;
  std::optional<double> x;
  std::vector<PublishedLine> published;    // beside the run's own figures, where its model has any
  std::vector<TaskDeviations> deviations;  // from the recipes that have its tasks
};

struct Report {
  ReportOptions options;
  std::vector<RunReport> runs;
  std::vector<Comparison> comparisons;  // runs[1], runs[2]... each against runs[0]
  std::vector<std::string> notes;       // what a reader must know before the numbers
  std::vector<std::string> verdicts;    // the answer, a sentence each
};

absl::StatusOr<Report> LoadReport(std::vector<ReportInput> inputs, const ReportOptions& options);

Json ReportToJson(const Report& report);
std::string ReportToMarkdown(const Report& report);
std::string ReportToCsv(const Report& report);

// "A", "B", ..., "Z", "AA", ...
std::string RunLetter(size_t index);

// The number after `word` in `text` ("checkpoints/step-500": 500 for "step"), or nothing.
std::optional<double> NumberAfter(std::string_view word, std::string_view text);

// A field of a CSV line, quoted where it must be; one that a spreadsheet would run as a formula is
// kept as text.
std::string CsvField(std::string_view text);

}  // namespace assay
