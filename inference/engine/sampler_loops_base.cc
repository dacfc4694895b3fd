// The sampler's loops for any machine, and the choice among the versions.
#define LOOPS_NAMESPACE sampler_base
#include "inference/engine/sampler_loops_body.h"

namespace assay {

const SamplerLoops& BaseSamplerLoops() { return sampler_base::kTable; }

const SamplerLoops& BestSamplerLoops() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
      Avx512SamplerLoops() != nullptr) {
    return *Avx512SamplerLoops();
  }
  if (__builtin_cpu_supports("avx2") && Avx2SamplerLoops() != nullptr) return *Avx2SamplerLoops();
#endif
  return BaseSamplerLoops();
}

}  // namespace assay
