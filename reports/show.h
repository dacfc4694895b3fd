// One run for a person at a terminal: what its numbers mean, and the samples behind them.
//
// All text of models, datasets and servers is made safe here; what comes back can be printed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "harness/json.h"
#include "harness/store.h"
#include "harness/types.h"
#include "reports/terminal.h"

namespace assay {

// Model, endpoint, code, and per task: dataset, prompts, extraction, grading, sampling.
std::string DescribeRun(const RunSummary& run, const Terminal& terminal);

// "running", "complete", "incomplete".
std::string_view RunStateName(RunState state);

// Why a run that is not complete stopped; "" where it runs or is complete, or where nobody kept it.
std::string WhyStopped(const RunSummary& run);

struct SampleView {
  std::string run_id;
  StoredSample stored;
  Problem problem;
  Prompt prompt;
  std::vector<Verdict> history;  // oldest first; empty where nobody asked
};

enum class Reasoning { kFolded, kFull };

// Prompt, reasoning, answer with the extraction marked, verdict, and the command that checks it
// again. `task` is the sample's, from the run's manifest.
std::string DescribeSample(const SampleView& view, const TaskManifest& task, Reasoning reasoning,
                           const Terminal& terminal);
Json SampleToJson(const SampleView& view);

// "assay verify ..." for a shell: copied and run, it grades this answer again. Where the grader
// reads the problem's row, on the machine that holds the run.
std::string VerifyCommand(const SampleView& view, const TaskManifest& task);

// "assay run ..." with what was asked for: the same model, tasks and seed give the same run, as far
// as the backend can. "" for a run that was imported.
std::string ReproduceCommand(const RunManifest& run);

// One word of a shell command, whatever is in it; control characters as $'\x1b'.
std::string ShellQuote(std::string_view text);

}  // namespace assay
