// The sampler's loops over a whole vocabulary, in one version for each instruction set.
//
// All versions give the same bits: every id's number is computed by the same IEEE operations, none
// of them fused, and sums are of integers or in a fixed order.
#pragma once

#include <cstdint>

namespace assay {

constexpr int kUniformBlock = 64;  // ids

struct SamplerLoops {
  bool (*all_finite)(const float* logits, int count);
  // The lowest id of the greatest logit; count >= 1.
  int (*greatest)(const float* logits, int count);
  // masses[i] = round(exp((logits[i] - greatest) * inverse_temperature) * 2^40); returns their sum.
  uint64_t (*masses)(const float* logits, int count, double greatest, double inverse_temperature,
                     uint64_t* masses);
  // The sum of exp(logits[i] - greatest).
  double (*sum_exp)(const float* logits, int count, double greatest);
  // uniforms[i] = PhiloxUniform(key, {sample, position, first + i, 0}) for kUniformBlock ids.
  void (*uniforms)(uint64_t key, uint32_t sample, uint32_t position, uint32_t first,
                   double* uniforms);
};

const SamplerLoops& BaseSamplerLoops();
const SamplerLoops* Avx2SamplerLoops();    // null where this build has none
const SamplerLoops* Avx512SamplerLoops();  // null where this build has none
// The fastest that this machine runs.
const SamplerLoops& BestSamplerLoops();

}  // namespace assay
