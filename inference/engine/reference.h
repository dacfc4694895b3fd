// The oracle: a scalar float32 forward pass that is written to be read, one row after the other.
#pragma once

#include <memory>

#include "inference/engine/checkpoint.h"
#include "inference/engine/runner.h"

namespace assay {

// Rows are independent because each goes through the whole model by itself. Sums go in a fixed
// order with no fused operation and an exp of our own, so that its bits are the same on every
// machine (up to the cos and sin of the C library, which are rounded from double). Weights are held
// as float32. `shape.vocabulary` is set from the checkpoint. Ids at or above `usable` are never
// drawn.
std::unique_ptr<ModelRunner> MakeReferenceRunner(std::shared_ptr<const Checkpoint> checkpoint,
                                                 RunnerShape shape, int usable);

}  // namespace assay
