// The report as one HTML file: opens from disk, asks the network for nothing, runs only its own
// script.
//
// Texts of models and datasets enter the file compressed and in base64 only, and the page shows
// them as text: nothing in them can become markup, style or script.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "reports/report.h"

namespace assay {

// Which transcripts lie in the page.
enum class Transcripts {
  kFitting,  // flips first, then wrong ones, then the rest: what fits into `max_bytes`
  kFlips,    // every sample of the problems that one run gets right and the first does not, or back
  kWrong,    // every sample that is not correct
  kAll,
  kNone
};
// "fit", "flips", "wrong", "all", "none".
absl::StatusOr<Transcripts> TranscriptsFromName(std::string_view name);

struct PageOptions {
  Transcripts transcripts = Transcripts::kFitting;
  int64_t max_bytes = 5'000'000;  // of the whole page; binds kFitting only
};

// `report` was loaded with its samples; its stores are read for transcripts.
absl::StatusOr<std::string> MakePage(const Report& report, const PageOptions& options);

// The same page for `assay view`: it holds no transcripts and asks the server that it came from for
// them. `keys`: how each run is named there, in the report's order.
struct ServedPage {
  std::string html;
  std::string policy;  // its Content-Security-Policy
};
absl::StatusOr<ServedPage> MakeServedPage(const Report& report,
                                          const std::vector<std::string>& keys);

// A page in the same dress that runs no script. `body` is markup.
using PlainPage = ServedPage;
PlainPage MakePlainPage(const std::string& title, const std::string& body);

// Text as markup that shows it; ill-formed UTF-8 as U+FFFD.
std::string EscapeHtml(std::string_view text);

}  // namespace assay
