// An opened engine as a source of completions: the harness's requests in, samples out.
#pragma once

#include <memory>
#include <string>

#include "harness/backend.h"
#include "inference/engine/engine.h"

namespace assay {

// Runs on the thread that calls Run, which owns scheduler and runner; `model` is the checkpoint as
// the user named it.
std::unique_ptr<CompletionSource> MakeEngineSource(Engine engine, const std::string& model,
                                                   const Json& options);

}  // namespace assay
