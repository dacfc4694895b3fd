// The emulated launches, as a table like the GPU's.
#define ASSAY_EMULATE_CUDA
#include "tests/emulation/kernels.h"

#include "tests/emulation/emulator.h"
// After the emulator.
#include "inference/engine/cuda/kernel_functions.h"

namespace assay {

const cuda::Kernels& EmulatedKernels() { return emulated::kTable; }

}  // namespace assay
