// Look-ups by name; the tables themselves are generated.
#include "harness/registry.h"

#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

// "pass@8" and "pass@k" are of the family "pass@", "pass^4" of "pass^"; "truncated" is its own.
std::string Family(std::string_view name) {
  const size_t mark = name.find_first_of("@^");
  return ToLowerAscii(mark == name.npos ? name : name.substr(0, mark + 1));
}

std::vector<std::string> NamesOf(const Metric& metric) {
  std::vector<std::string> names = metric.aliases;
  names.insert(names.begin(), metric.name);
  return names;
}

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
  // A metric of just that name comes before the family that it looks like: pass@1 is no pass@k.
  for (const Metric& metric : MetricEntries()) {
    for (const std::string& known : NamesOf(metric)) {
      if (EqualsIgnoreCaseAscii(known, name)) return &metric;
    }
  }
  // "pass@x" and "pass@0" are nobody's.
  const absl::StatusOr<AskedMetric> parsed = ParseAsked(name);
  if (!parsed.ok()) return parsed.status();
  for (const Metric& metric : MetricEntries()) {
    for (const std::string& known : NamesOf(metric)) {
      if (known == Family(known) + "k" && Family(known) == Family(name)) return &metric;
    }
  }
  return FindEntry(MetricEntries(), "metric", name);
}

}  // namespace assay
