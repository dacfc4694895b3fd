// --isolation of the commands that grade: how well the programs that a model wrote are locked in.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "harness/command.h"

namespace assay {

void DeclareIsolation(CommandLine& line, std::string* target);
// Before anything is graded and any thread begins: what is asked for here comes before the task's
// own option. Empty changes nothing. An unknown name is an error.
absl::Status ApplyIsolation(const std::string& isolation);

}  // namespace assay
