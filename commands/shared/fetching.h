// Fetching in front of a person: progress, Ctrl-C, and the sets that a run still lacks.
#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "fetch/fetch.h"
#include "harness/catalogue.h"
#include "harness/task.h"

namespace assay {

// "mmlu: test.jsonl  [######........]  43%  12.1 MB of 28.0 MB, 3.2 MB/s, 5s left". Total -1: not
// known.
std::string FetchProgressText(std::string_view what, int64_t done, int64_t total, fetch::Unit unit,
                              double seconds);

// Writes to stderr: on a terminal one line rewritten, elsewhere a line every ten seconds.
class FetchPrinter {
 public:
  explicit FetchPrinter(bool quiet);
  ~FetchPrinter();
  fetch::Watcher MakeWatcher();  // of this object, which must outlive it
  void Clear();                  // the line on the terminal

 private:
  void Show(std::string_view what, int64_t done, int64_t total, fetch::Unit unit);
  void Note(const std::string& text);

  const bool quiet_;
  const bool terminal_;
  std::mutex mutex_;
  std::string what_;  // guarded by mutex_, as is all that follows
  std::chrono::steady_clock::time_point began_, shown_;
};

struct FetchFlags {
  std::vector<std::string> data_dirs;
  bool offline = false;
  bool accept_new = false;
  bool again = false;
  double timeout = 0;  // seconds without a byte; 0: as is
};
// With the hub and its token from the environment.
absl::StatusOr<fetch::FetchOptions> MakeFetchOptions(const FetchFlags& flags,
                                                     FetchPrinter* printer);

// The catalogue's entries for files that these tasks want and that are nowhere.
absl::StatusOr<std::vector<CatalogueEntry>> MissingSets(const SearchPath& path,
                                                        const std::vector<Task>& tasks);

// Before a run: fetches what is missing where `fetch`; where not, asks a person at a terminal, and
// does nothing elsewhere (the run then says which command gets the file).
absl::Status FetchForRun(const SearchPath& path, const std::vector<Task>& tasks,
                         const std::vector<std::string>& data_dirs, bool fetch);

}  // namespace assay
