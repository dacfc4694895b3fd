// The loops of sampler_loops.h, written once; each version includes this with its own
// LOOPS_NAMESPACE, compiled for its own instruction set.
//
// Blocks without branches, which the compiler turns into vector instructions. No standard library
// beyond what has no code of its own.
#pragma once

#include "inference/engine/portable_math.h"
#include "inference/engine/sampler_loops.h"

namespace assay::LOOPS_NAMESPACE {
namespace {

constexpr int kBlock = 256;
constexpr int kSums = 16;

bool AllFinite(const float* logits, int count) {
  uint32_t bad = 0;
  for (int i = 0; i < count; ++i) {
    uint32_t bits;
    __builtin_memcpy(&bits, logits + i, sizeof(bits));
    bad |= (bits & 0x7F800000) == 0x7F800000 ? 1 : 0;
  }
  return bad == 0;
}

int GreatestId(const float* logits, int count) {
  float most[kSums];
  for (float& one : most) one = logits[0];
  int i = 0;
  for (; i + kSums <= count; i += kSums) {
    for (int lane = 0; lane < kSums; ++lane) {
      most[lane] = logits[i + lane] > most[lane] ? logits[i + lane] : most[lane];
    }
  }
  for (; i < count; ++i) most[0] = logits[i] > most[0] ? logits[i] : most[0];
  for (const float one : most) most[0] = one > most[0] ? one : most[0];
  for (int begin = 0; begin < count; begin += kBlock) {
    const int end = begin + kBlock < count ? begin + kBlock : count;
    int found = 0;
    for (int at = begin; at < end; ++at) found |= logits[at] == most[0] ? 1 : 0;
    if (found == 0) continue;
    for (int at = begin; at < end; ++at) {
      if (logits[at] == most[0]) return at;
    }
  }
  return 0;  // not reached: some logit is the greatest
}

uint64_t Masses(const float* logits, int count, double greatest, double inverse_temperature,
                uint64_t* masses) {
  uint64_t total = 0;
  for (int i = 0; i < count; ++i) {
    const double value =
        PortableExp((static_cast<double>(logits[i]) - greatest) * inverse_temperature) * 0x1p40;
    // Adding 2^52 leaves the rounded integer in the low bits.
    const double shifted = value + 0x1p52;
    uint64_t bits;
    __builtin_memcpy(&bits, &shifted, sizeof(bits));
    masses[i] = bits & ((uint64_t{1} << 52) - 1);
    total += masses[i];
  }
  return total;
}

double SumExp(const float* logits, int count, double greatest) {
  double sums[kSums] = {};
  double values[kBlock];
  for (int begin = 0; begin < count; begin += kBlock) {
    const int here = count - begin < kBlock ? count - begin : kBlock;
    for (int i = 0; i < here; ++i) {
      values[i] = PortableExp(static_cast<double>(logits[begin + i]) - greatest);
    }
    for (int i = here; i < kBlock; ++i) values[i] = 0;
    for (int i = 0; i < kBlock; i += kSums) {
      for (int lane = 0; lane < kSums; ++lane) sums[lane] += values[i + lane];
    }
  }
  for (int width = kSums / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) sums[i] += sums[i + width];
  }
  return sums[0];
}

void Uniforms(uint64_t key, uint32_t sample, uint32_t position, uint32_t first, double* uniforms) {
  for (int i = 0; i < kUniformBlock; ++i) {
    uint32_t c0 = sample, c1 = position, c2 = first + static_cast<uint32_t>(i), c3 = 0;
    auto key0 = static_cast<uint32_t>(key);
    auto key1 = static_cast<uint32_t>(key >> 32);
    for (int round = 0; round < 10; ++round) {  // as Philox (philox.h), without its array
      const uint64_t product0 = uint64_t{0xD2511F53} * c0;
      const uint64_t product1 = uint64_t{0xCD9E8D57} * c2;
      c0 = static_cast<uint32_t>(product1 >> 32) ^ c1 ^ key0;
      c1 = static_cast<uint32_t>(product1);
      c2 = static_cast<uint32_t>(product0 >> 32) ^ c3 ^ key1;
      c3 = static_cast<uint32_t>(product0);
      key0 += 0x9E3779B9;
      key1 += 0xBB67AE85;
    }
    const uint64_t word = uint64_t{c0} << 32 | c1;
    // 52 bits in a double: below 2^52, so that the lowest bits of 2^52 + w are w.
    const uint64_t bits = 0x4330000000000000 | word >> 12;
    double whole;
    __builtin_memcpy(&whole, &bits, sizeof(whole));
    uniforms[i] = ((whole - 0x1p52) + 0.5) * 0x1p-52;
  }
}

constexpr SamplerLoops kTable = {AllFinite, GreatestId, Masses, SumExp, Uniforms};

}  // namespace
}  // namespace assay::LOOPS_NAMESPACE
