// What `assay view` shows: the list of runs, reports, and transcripts on demand, straight from the
// databases as they are at that moment.
//
// Addresses: / lists the runs; /report?run=A&run=B is a report; /problem, /samples and /search are
// what its page asks for, in JSON. A run is named by its id; one of the second database as "2:ID".
// What goes wrong is an error with a status and a text, on a page or in JSON, never an empty
// answer.
#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/store.h"
#include "reports/report.h"

namespace assay {

struct ViewAnswer {
  int status = 200;
  std::string content_type;
  std::string body;
  std::string policy;    // Content-Security-Policy
  std::string location;  // of a redirection
};

struct ViewLimits {
  size_t bytes = size_t{8} << 20;  // of samples in one answer; one sample may be larger
  std::chrono::milliseconds search{30'000};
};

using ViewQuery = std::vector<std::pair<std::string, std::string>>;  // decoded

// Thread-safe. Opens the databases anew for each answer: one that is gone is an error at once.
class View {
 public:
  explicit View(std::vector<std::string> databases, const ViewLimits& limits = {})
      : databases_(std::move(databases)), limits_(limits) {}

  ViewAnswer Answer(const std::string& path, const ViewQuery& query);
  // How a run of databases[database] is named in addresses.
  static std::string KeyOf(size_t database, const std::string& run_id);
  // Ends searches that are under way.
  void Stop() { stopped_ = true; }

 private:
  struct Runs;
  absl::StatusOr<ReportInput> FindRun(const std::string& key, Runs* runs, size_t* database) const;
  absl::StatusOr<ViewAnswer> Page(const std::string& path, const ViewQuery& query) const;
  absl::StatusOr<ViewAnswer> Index() const;
  absl::StatusOr<ViewAnswer> Compare(const ViewQuery& query) const;
  absl::StatusOr<ViewAnswer> ReportPage(const ViewQuery& query) const;
  absl::StatusOr<std::string> Data(const std::string& path, const ViewQuery& query) const;
  absl::StatusOr<std::string> ProblemText(const ViewQuery& query) const;
  absl::StatusOr<std::string> SamplesText(const ViewQuery& query) const;
  absl::StatusOr<std::string> SearchText(const ViewQuery& query) const;

  const std::vector<std::string> databases_;
  const ViewLimits limits_;
  std::atomic<bool> stopped_{false};
};

}  // namespace assay
