// Look-ups by name; the tables themselves are generated.
#include "harness/registry.h"

#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

std::string Family(std::string_view name) { return std::string(name.substr(0, name.find('@'))); }

}  // namespace

template <typename Entry>
absl::StatusOr<const Entry*> FindEntry(const std::vector<Entry>& entries, std::string_view kind,
                                       std::string_view name) {
  std::vector<std::string> names;
  for (const Entry& entry : entries) {
    if (entry.name == name) return &entry;
    names.push_back(entry.name);
  }
  return NotFound("unknown %s '%s'%s (known: %s)", kind, name, DidYouMean(name, names),
                  Join(names, ", "));
}

absl::StatusOr<const Grader*> FindGrader(std::string_view name) {
  return FindEntry(GraderEntries(), "grader", name);
}

absl::StatusOr<const Backend*> FindBackend(std::string_view name) {
  return FindEntry(BackendEntries(), "backend", name);
}

absl::StatusOr<const Metric*> FindMetric(std::string_view name) {
  for (const Metric& metric : MetricEntries()) {
    if (metric.name == name || Family(metric.name) == Family(name)) return &metric;
  }
  return FindEntry(MetricEntries(), "metric", name);
}

}  // namespace assay
