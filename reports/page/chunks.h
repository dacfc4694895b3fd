// What the page unpacks when it is needed: JSON texts, compressed, in base64.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/json.h"
#include "reports/page/page.h"
#include "reports/report.h"

namespace assay {

// One element of the page: <script type="text/plain" id="NAME">BASE64</script>. Base64 holds no
// '<', so nothing in a text can end the element.
std::string ChunkElement(const std::string& name, const std::string& text);

// A task's problems over all runs, in the order of the first run that has them.
struct PageTask {
  struct Side {
    size_t run = 0;                    // in Report::runs
    size_t task = 0;                   // in RunReport::tasks
    std::vector<uint32_t> problem_of;  // own problem -> place in `problems`
  };
  std::string name;
  std::vector<const ProblemRow*> problems;
  std::vector<Side> sides;
};
std::vector<PageTask> JoinTasks(const Report& report);

// {"problems", "tags", "means"}: what lists, filters and the scatter need of every problem.
std::string ProblemsText(const Report& report, const PageTask& task);
// A column for each field of a run's samples.
std::string ColumnsText(const Report& report, const PageTask& task, const PageTask::Side& side);

struct PackedTranscripts {
  std::vector<std::string> elements;  // chunks "t0", "t1", ...
  Json where;                         // task -> {problem's place: chunk}
  int64_t samples = 0;                // in the page
  int64_t of = 0;                     // stored
};
// `room`: bytes left for kFitting.
absl::StatusOr<PackedTranscripts> PackTranscripts(const Report& report,
                                                  const std::vector<PageTask>& tasks,
                                                  const PageOptions& options, int64_t room);

}  // namespace assay
