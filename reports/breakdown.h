// Below a run's table: what each number means, and pass@1 by tag.
#pragma once

#include <string>
#include <vector>

#include "harness/outcomes.h"
#include "reports/table.h"

namespace assay {

// pass@1 by tag, or "" where no tag splits a task's problems. `limit` rows a task; 0: all.
std::string TagTable(const std::vector<TaskResult>& results, int limit,
                     TableForm form = TableForm::kTerminal);

// A line per metric: what was averaged over what, and what the interval is.
std::string WhatTheNumbersMean(const TaskResult& result);

}  // namespace assay
