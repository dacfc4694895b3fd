// What `assay doctor --model DIR` shows of a checkpoint before hours are spent on it.
#pragma once

#include "absl/status/statusor.h"
#include "harness/json.h"
#include "inference/engine/engine.h"

namespace assay {

// An array of one object: {"checkpoint": DIR, "findings": [{topic, health, text}, ...]}; health is
// "ok", "caution" or "problem". Runs a few decode steps to say how fast they are.
absl::StatusOr<Json> ProbeEngine(const Engine& engine);

}  // namespace assay
