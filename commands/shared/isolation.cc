// The grader is a plug that knows no command line: it reads $ASSAY_ISOLATION.
#include "commands/shared/isolation.h"

#include <cstdlib>

#include "harness/status.h"
#include "sandbox/sandbox.h"

namespace assay {

void DeclareIsolation(CommandLine& line, std::string* target) {
  line.Option("--isolation", target,
              "Of programs that a model wrote: full, landlock or none; below full each verdict and "
              "each table says so");
}

absl::Status ApplyIsolation(const std::string& isolation) {
  if (isolation.empty()) return absl::OkStatus();
  if (const auto known = IsolationFromName(isolation); !known.ok())
    return Annotate(known.status(), "--isolation");
  setenv("ASSAY_ISOLATION", isolation.c_str(), 1);
  return absl::OkStatus();
}

}  // namespace assay
