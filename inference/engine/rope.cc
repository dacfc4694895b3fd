// The frequency formulas of transformers' modeling_rope_utils.py, in double precision.
#include "inference/engine/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace assay {
namespace {

// Llama 3.1's: wavelengths beyond the original context are stretched by the factor, short ones
// stay, and between them the two are blended.
double Llama3Frequency(const Llama3Rope& rope, double frequency) {
  const double wavelength = 2 * std::numbers::pi / frequency;
  const double longest = rope.original_max_positions / rope.low_frequency_factor;
  const double shortest = rope.original_max_positions / rope.high_frequency_factor;
  if (wavelength > longest) return frequency / rope.factor;
  if (wavelength < shortest) return frequency;
  const double smooth = (rope.original_max_positions / wavelength - rope.low_frequency_factor) /
                        (rope.high_frequency_factor - rope.low_frequency_factor);
  return (1 - smooth) * frequency / rope.factor + smooth * frequency;
}

// The dimension whose wave turns `rotations` times within the original context.
double CorrectionDimension(const ModelConfig& config, const YarnRope& rope, double rotations) {
  return config.head_dim *
         std::log(rope.original_max_positions / (rotations * 2 * std::numbers::pi)) /
         (2 * std::log(config.rope_theta));
}

void ApplyYarn(const ModelConfig& config, const YarnRope& rope, std::vector<double>* inverse) {
  double low = CorrectionDimension(config, rope, rope.beta_fast);
  double high = CorrectionDimension(config, rope, rope.beta_slow);
  if (rope.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, config.head_dim - 1.0);
  if (low == high) high += 0.001;
  for (size_t i = 0; i < inverse->size(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    const double kept = 1 - ramp;  // 1: as trained; 0: stretched
    const double frequency = (*inverse)[i];
    (*inverse)[i] = frequency / rope.factor * (1 - kept) + frequency * kept;
  }
}

}  // namespace

RopeFrequencies ComputeRopeFrequencies(const ModelConfig& config) {
  RopeFrequencies rope;
  for (int i = 0; i < config.head_dim; i += 2) {
    rope.inverse.push_back(std::pow(config.rope_theta, -static_cast<double>(i) / config.head_dim));
  }
  if (config.llama3_rope) {
    for (double& frequency : rope.inverse) {
      frequency = Llama3Frequency(*config.llama3_rope, frequency);
    }
  } else if (config.yarn_rope) {
    ApplyYarn(config, *config.yarn_rope, &rope.inverse);
    rope.attention_factor = config.yarn_rope->attention_factor;
  } else if (config.linear_rope_factor) {
    for (double& frequency : rope.inverse) frequency /= *config.linear_rope_factor;
  }
  return rope;
}

}  // namespace assay
