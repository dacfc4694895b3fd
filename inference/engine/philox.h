// Random bits that hang on a key and a counter alone, so that no draw depends on the one before it.
//
// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel Random Numbers: As Easy as 1, 2, 3; SC 2011).
#pragma once

#include <array>
#include <cstdint>

#include "inference/engine/host_device.h"

namespace assay {

using PhiloxBlock = std::array<uint32_t, 4>;

HOST_DEVICE inline PhiloxBlock Philox(uint64_t key, PhiloxBlock counter) {
  auto key0 = static_cast<uint32_t>(key);
  auto key1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53} * counter[0];
    const uint64_t product1 = uint64_t{0xCD9E8D57} * counter[2];
    counter = {
        static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key0, static_cast<uint32_t>(product1),
        static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key1, static_cast<uint32_t>(product0)};
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return counter;
}

// In (0, 1), never 0 or 1: 52 bits and a half.
HOST_DEVICE inline double PhiloxUniform(uint64_t key, const PhiloxBlock& counter) {
  const PhiloxBlock bits = Philox(key, counter);
  const uint64_t word = uint64_t{bits[0]} << 32 | bits[1];
  return (static_cast<double>(word >> 12) + 0.5) * 0x1p-52;
}

}  // namespace assay
