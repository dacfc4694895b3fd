// The sampler's arithmetic (sampler.h) for host and device: masses, the order of candidates, the
// race.
//
// Only IEEE additions, products and divisions in a fixed order; the CUDA source that includes this
// is compiled without fused multiply-adds. A test compares every bit with the host's sampler.
#pragma once

#include <bit>
#include <cstdint>

#include "inference/engine/host_device.h"
#include "inference/engine/philox.h"
#include "inference/engine/portable_math.h"

namespace assay::cuda {

constexpr double kOneMass = 0x1p40;  // of the most probable token

// round(exp((logit - greatest) / temperature) * 2^40).
HOST_DEVICE inline uint64_t MassOf(float logit, double greatest, double inverse_temperature) {
  const double exponent = (static_cast<double>(logit) - greatest) * inverse_temperature;
  if (exponent < -28.5) return 0;  // exp(-28.5) * 2^40 = 0.46: most of a vocabulary ends here
  const double value = PortableExp(exponent) * kOneMass;
  return std::bit_cast<uint64_t>(value + 0x1p52) & ((uint64_t{1} << 52) - 1);
}

// Rises with the logit; equal for equal logits, whatever the sign of a zero.
HOST_DEVICE inline uint32_t OrderedBits(float logit) {
  const auto bits = std::bit_cast<uint32_t>(logit + 0.0F);
  return (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
}

// The order that cuts follow, as one number that rises: by falling logit, then by rising id.
HOST_DEVICE inline uint64_t CutOrder(float logit, int id) {
  return static_cast<uint64_t>(~OrderedBits(logit)) << 32 | static_cast<uint32_t>(id);
}
// Cut into digits, the first the highest: 11, 11, 10 bits of the logit, 11 and 11 of the id.
constexpr int kCutDigits = 5;
constexpr int kDigitValues = 2048;
constexpr int kMostVocabulary = 1 << 22;
HOST_DEVICE inline int DigitShift(int digit) {
  return digit == 0 ? 53 : digit == 1 ? 42 : digit == 2 ? 32 : digit == 3 ? 11 : 0;
}
HOST_DEVICE inline int DigitBits(int digit) { return digit == 2 ? 10 : 11; }
HOST_DEVICE inline int DigitOf(uint64_t order, int digit) {
  return static_cast<int>(order >> DigitShift(digit)) & ((1 << DigitBits(digit)) - 1);
}
// The digits before this one.
HOST_DEVICE inline bool SamePrefix(uint64_t a, uint64_t b, int digit) {
  const int shift = digit == 0 ? 64 : DigitShift(digit - 1);
  return digit == 0 || a >> shift == b >> shift;
}

// A first, coarse cut: 64 buckets for each factor of e in mass, the last for all that is lower.
// Never falls while CutOrder rises.
constexpr int kBuckets = kDigitValues;
HOST_DEVICE inline int BucketOf(float logit, double greatest, double inverse_temperature) {
  const double distance = (greatest - static_cast<double>(logit)) * inverse_temperature * 64;
  return distance < kBuckets - 1 ? static_cast<int>(distance) : kBuckets - 1;
}

// When an id of this mass (> 0) arrives in the race; the first one is drawn.
HOST_DEVICE inline double ArrivalOf(double uniform, uint64_t mass) {
  return -PortableLog(uniform) / static_cast<double>(mass);
}
// True: an id with this uniform arrives no earlier than `best`, for sure (-ln u >= 1 - u; the slack
// keeps rounding from turning away what would have won).
HOST_DEVICE inline bool CannotWin(double uniform, uint64_t mass, double best) {
  return 1 - uniform > best * static_cast<double>(mass) * (1 + 1e-12);
}

}  // namespace assay::cuda
