// The tables of entries, written by CMake from the folders (cmake/entries.cmake), and look-ups by
// name in them.
//
// Immutable after the first call; thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/backend.h"
#include "harness/command.h"
#include "harness/grader.h"
#include "harness/metric.h"

namespace assay {

const std::vector<Grader>& GraderEntries();
const std::vector<Backend>& BackendEntries();
const std::vector<Metric>& MetricEntries();
const std::vector<Command>& CommandEntries();

// NotFound with the nearest name where there is none. The pointer lives as long as the program.
absl::StatusOr<const Grader*> FindGrader(std::string_view name);
absl::StatusOr<const Backend*> FindBackend(std::string_view name);
// By name or alias, else by family: "pass@8" finds "pass@k", "pass@1" itself. In any case.
absl::StatusOr<const Metric*> FindMetric(std::string_view name);

}  // namespace assay
