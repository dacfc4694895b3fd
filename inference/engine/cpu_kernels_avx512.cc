// The kernels for machines with AVX-512; CMake compiles this file alone for it.
#include "inference/engine/cpu_kernels.h"

#if defined(__AVX512BW__)

#define KERNEL_LANES 16
#define KERNEL_QUERIES 4
#define KERNEL_NAMESPACE kernels_avx512
#define KERNEL_NAME "avx512"
#include "inference/engine/cpu_kernels_body.h"

namespace assay {
const CpuKernels* Avx512Kernels() { return &kernels_avx512::kTable; }
}  // namespace assay

#else

namespace assay {
const CpuKernels* Avx512Kernels() { return nullptr; }
}  // namespace assay

#endif
