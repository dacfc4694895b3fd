// The sampler's loops for machines with AVX2; CMake compiles this file alone for it.
#include "inference/engine/sampler_loops.h"

#if defined(__AVX2__)

#define LOOPS_NAMESPACE sampler_avx2
#include "inference/engine/sampler_loops_body.h"

namespace assay {
const SamplerLoops* Avx2SamplerLoops() { return &sampler_avx2::kTable; }
}  // namespace assay

#else

namespace assay {
const SamplerLoops* Avx2SamplerLoops() { return nullptr; }
}  // namespace assay

#endif
