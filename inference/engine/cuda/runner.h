// The runner for GPUs: bf16 weights and cache, products by cuBLASLt, own kernels for the rest.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "inference/engine/checkpoint.h"
#include "inference/engine/cuda/device.h"
#include "inference/engine/cuda/model.h"
#include "inference/engine/runner.h"

namespace assay {

// `usable`: ids at or above it are never drawn.
cuda::ModelShape CudaModelShape(const ModelConfig& config, int usable);
cuda::StepShape CudaStepShape(const RunnerShape& shape, bool fast);

// Rows are independent because every step computes with its full number of rows, each product in
// one way, attention in chunks and tiles that are counted from position 0 (model.h); with `fast`
// decode steps shrink with what runs, and they are not. The residual stream, scores, softmax and
// logits are float32; what enters a product, and the cache, are bf16. Tokens are drawn on the
// device by the sampler's rule, but for plans with a repetition penalty, which are drawn on the
// host from the device's logits. `shape.vocabulary` is set from the checkpoint.
//
// Nothing is allocated on the device afterwards. Errors: the model's shape is none that the kernels
// compute; no memory; the device's own.
absl::StatusOr<std::unique_ptr<ModelRunner>> MakeCudaRunner(
    std::shared_ptr<const Checkpoint> checkpoint, std::unique_ptr<cuda::Device> device,
    RunnerShape shape, int usable, bool fast);

// Over a model that is filled already, such as one with random weights; the model's device is
// `device`.
std::unique_ptr<ModelRunner> MakeCudaRunner(std::unique_ptr<cuda::Device> device,
                                            std::unique_ptr<cuda::Model> model);

}  // namespace assay
