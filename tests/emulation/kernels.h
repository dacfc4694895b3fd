// The table of kernels that run in the emulator.
#pragma once

#include "inference/engine/cuda/kernels.h"

namespace assay {

const cuda::Kernels& EmulatedKernels();

}  // namespace assay
