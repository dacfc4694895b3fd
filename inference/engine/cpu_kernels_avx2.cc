// The kernels for machines with AVX2; CMake compiles this file alone for it.
#include "inference/engine/cpu_kernels.h"

#if defined(__AVX2__)

#define KERNEL_LANES 8
#define KERNEL_QUERIES 2
#define KERNEL_NAMESPACE kernels_avx2
#define KERNEL_NAME "avx2"
#include "inference/engine/cpu_kernels_body.h"

namespace assay {
const CpuKernels* Avx2Kernels() { return &kernels_avx2::kTable; }
}  // namespace assay

#else

namespace assay {
const CpuKernels* Avx2Kernels() { return nullptr; }
}  // namespace assay

#endif
