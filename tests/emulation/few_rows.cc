// The kernels of inference/engine/cuda/few_rows.cu, compiled for the emulator.
#define ASSAY_EMULATE_CUDA
#include "tests/emulation/emulator.h"
// After the emulator.
#include "inference/engine/cuda/few_rows.cu"
