// Opens the GPU of this machine, or says why there is none to open.
#pragma once

#include <memory>
#include <string>

#include "inference/engine/cuda/device.h"

namespace assay::cuda {

// Whether this program was built with CUDA.
bool BuiltWithCuda();
// The machine's first GPU (CUDA_VISIBLE_DEVICES chooses among several). Null with `error`, in words
// that say what was found and what was wanted: this build has no CUDA, no driver, a driver too old,
// no GPU, a GPU too old, no library of products.
std::unique_ptr<Device> OpenDevice(std::string* error);

}  // namespace assay::cuda
