// In place of the GPU's device, in builds without CUDA.
#include "inference/engine/cuda/open.h"

#ifndef ASSAY_CUDA

namespace assay::cuda {

bool BuiltWithCuda() { return false; }

std::unique_ptr<Device> OpenDevice(std::string* error) {
  *error =
      "this build has no CUDA: nvcc was not found when it was configured; with CUDA's compiler on "
      "the PATH or in /usr/local/cuda/bin, configure and build again";
  return nullptr;
}

}  // namespace assay::cuda

#endif
