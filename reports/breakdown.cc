// A number's meaning comes from the metric's own sentence and the estimate's own method.
#include "reports/breakdown.h"

#include "absl/strings/str_format.h"
#include "harness/registry.h"
#include "harness/text.h"
#include "reports/terminal.h"

namespace assay {

std::string TagTable(const std::vector<TaskResult>& results, int limit, TableForm form) {
  Table table;
  table.columns = {{"task"},           {"tag"},
                   {"problems", true}, {"samples", true},
                   {"pass@1 %", true}, {"95 % interval", true}};
  std::string cut;
  for (const TaskResult& result : results) {
    int rows = 0;
    for (const TagResult& tag : result.tags) {
      if (limit > 0 && ++rows > limit) {
        cut += absl::StrFormat("%s: %d more tags\n", result.manifest.name,
                               static_cast<int>(result.tags.size()) - limit);
        break;
      }
      const Estimate& estimate = tag.estimate;
      table.AddRow({result.manifest.name, tag.tag, WithThousands(estimate.problems()),
                    WithThousands(estimate.samples()), FormatValue(estimate, Unit::kShare),
                    FormatInterval(estimate, Unit::kShare)});
    }
  }
  return table.rows.empty() ? "" : RenderTable(table, form) + SafeLines(cut);
}

std::string WhatTheNumbersMean(const TaskResult& result) {
  std::string text;
  for (const NamedEstimate& named : result.estimates) {
    const absl::StatusOr<const Metric*> metric = FindMetric(named.name);
    const Estimate& estimate = named.estimate;
    text += absl::StrFormat(
        "%s of %s: %s; %s, %s; ± is the standard error, [ ] the %g %% interval "
        "(%s)\n",
        named.name, result.manifest.name, metric.ok() ? (*metric)->about : "",
        Counted(estimate.problems(), "problem"), Counted(estimate.samples(), "sample"),
        100 * estimate.level(), estimate.method());
  }
  const auto& parts = result.parts;
  if (parts && parts->se_question && parts->se_sampling) {
    text += absl::StrFormat(
        "pass@1 of %s would move by ± %s with other problems, by ± %s with new samples of these\n",
        result.manifest.name, FormatPercent(*parts->se_question),
        FormatPercent(*parts->se_sampling));
  }
  return SafeLines(text);
}

}  // namespace assay
