// The flags that say what a report holds, however it is shown.
#pragma once

#include <string>

#include "harness/command.h"
#include "reports/report.h"

namespace assay {

// --baseline, --tasks, --x, --published-as, --consensus, --allow-partial. Both outlive the line's
// action.
void DeclareReportFlags(CommandLine& line, std::string* baseline, ReportOptions* report);

}  // namespace assay
