// The backend `replay`: recorded completions from a JSONL file or another run.
#include "harness/backend.h"
#include "harness/status.h"

namespace assay {

Backend ReplayBackend() {
  Backend backend;
  backend.name = "replay";
  backend.about = "recorded completions";
  backend.claims = [](const BackendConfig&) { return false; };
  backend.open = [](const BackendConfig&) -> absl::StatusOr<std::unique_ptr<CompletionSource>> {
    return absl::UnimplementedError("replay");
  };
  return backend;
}

}  // namespace assay
