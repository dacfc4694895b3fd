// Asks an endpoint a few short questions to learn what it is fit for, before money is spent.
#pragma once

#include "absl/status/statusor.h"
#include "harness/json.h"
#include "inference/http/settings.h"

namespace assay::http {

// One object for each base URL, in an array. Members: url, reachable, error (where something
// failed), models, model_listed, served_model, seconds, reasoning ("field", "tags", "close_only",
// "none"), and usage, streams, honours_n, honours_seed, honours_stop, honours_max_tokens: true,
// false, or null where it could not be told.
absl::StatusOr<Json> ProbeEndpoint(const Settings& settings);

}  // namespace assay::http
