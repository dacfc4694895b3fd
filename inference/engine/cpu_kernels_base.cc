// The kernels for any machine, and the choice among the versions.
#define KERNEL_LANES 4
#define KERNEL_QUERIES 2
#define KERNEL_NAMESPACE kernels_base
#define KERNEL_NAME "base"
#include "inference/engine/cpu_kernels_body.h"

namespace assay {

const CpuKernels& BaseKernels() { return kernels_base::kTable; }

const CpuKernels& BestKernels() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
      Avx512Kernels() != nullptr) {
    return *Avx512Kernels();
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && Avx2Kernels() != nullptr) {
    return *Avx2Kernels();
  }
#endif
  return BaseKernels();
}

}  // namespace assay
