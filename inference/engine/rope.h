// Rotary frequencies of a model: plain, linear, Llama 3's and YaRN's.
#pragma once

#include <vector>

#include "inference/engine/config.h"

namespace assay {

struct RopeFrequencies {
  std::vector<double> inverse;  // [head_dim / 2]: radians per position
  double attention_factor = 1;  // multiplies cos and sin
};

// In double precision; angles are position * inverse[i], to be taken in double and rounded once.
RopeFrequencies ComputeRopeFrequencies(const ModelConfig& config);

}  // namespace assay
