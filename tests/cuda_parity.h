// The GPU's kernels against plain loops in double precision: what runs in the emulator in every
// build, and on a GPU wherever there is one. Needs the standard library only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "inference/engine/cuda/device.h"

namespace assay {

struct ParityFinding {
  std::string check;
  bool ok = false;
  std::string detail;  // what was measured; where it failed, where and what was wanted
};

struct ParityOptions {
  uint64_t seed = 1;
  // Sizes of real models, which take a GPU.
  bool large = false;
};

// Random data, odd sizes, outputs and unused memory filled with NaNs before each run.
std::vector<ParityFinding> CheckRowKernels(cuda::Device* device, const ParityOptions& options);
std::vector<ParityFinding> CheckDecodeAttention(cuda::Device* device, const ParityOptions& options);
std::vector<ParityFinding> CheckPrefillAttention(cuda::Device* device,
                                                 const ParityOptions& options);
std::vector<ParityFinding> CheckSampling(cuda::Device* device, const ParityOptions& options);
std::vector<ParityFinding> CheckProducts(cuda::Device* device, const ParityOptions& options);
std::vector<ParityFinding> CheckAllKernels(cuda::Device* device, const ParityOptions& options);

}  // namespace assay
