// A problem and its samples as the page's script reads them.
#pragma once

#include <vector>

#include "harness/json.h"
#include "harness/store.h"
#include "harness/types.h"

namespace assay {

// What was asked: the prompt, the reference, the choices.
Json AskedJson(const StoredProblem& asked);
// Texts, counts, extraction, verdict, and the command that checks it again.
Json SampleJson(const std::string& run_id, const StoredSample& stored, const Problem& problem,
                const TaskManifest& task);
// Verdicts, oldest first.
Json HistoryJson(const std::vector<Verdict>& history);

// Whole numbers beyond 2^53 as texts: a browser would round them.
Json ExactInBrowser(Json json);

}  // namespace assay
