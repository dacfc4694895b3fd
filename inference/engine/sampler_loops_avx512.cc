// The sampler's loops for machines with AVX-512; CMake compiles this file alone for it.
#include "inference/engine/sampler_loops.h"

#if defined(__AVX512BW__)

#define LOOPS_NAMESPACE sampler_avx512
#include "inference/engine/sampler_loops_body.h"

namespace assay {
const SamplerLoops* Avx512SamplerLoops() { return &sampler_avx512::kTable; }
}  // namespace assay

#else

namespace assay {
const SamplerLoops* Avx512SamplerLoops() { return nullptr; }
}  // namespace assay

#endif
