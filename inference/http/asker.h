// The endpoint as a source of completions: keeps many requests in flight, asks again what failed,
// and loses nothing.
#pragma once

#include <memory>

#include "harness/backend.h"
#include "inference/http/settings.h"

namespace assay::http {

std::unique_ptr<CompletionSource> MakeAsker(Settings settings, const BackendConfig& config);

}  // namespace assay::http
