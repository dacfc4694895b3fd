// Whether a model's tokens hang on anything but their own sequence, and whether its logits are
// those of another program. Needs the standard library only; runs in the emulator and on a GPU.
#pragma once

#include <string>
#include <vector>

#include "inference/engine/cuda/model.h"
#include "tests/cuda_parity.h"

namespace assay {

struct ExactnessOptions {
  std::string name;
  cuda::ModelShape shape;
  int rows = 64;
  int prefill_rows = 256;
  int prompt = 300;
  int steps = 40;
};

// Small enough for an emulator and for compute-sanitizer.
ExactnessOptions SmallModel();

// Random weights; samples of one prompt, drawn with temperature, their tokens staying on the
// device. The same tokens are wanted in another order of rows, from one sample alone, after pages
// were swapped out and came back elsewhere in mid-run, and with the prompt cut otherwise.
std::vector<ParityFinding> CheckExactness(cuda::Device* device, const ExactnessOptions& options);

// Against what benchmarks/gpu_reference.py wrote of a model in transformers: all rows by prefill,
// and the last ones by decode.
std::vector<ParityFinding> CheckAgainstReference(cuda::Device* device, const std::string& path);

}  // namespace assay
