// exp and log whose every bit is the same on every machine: only IEEE additions and products, in a
// fixed order.
//
// The project is built without contraction into fused multiply-adds (-std=c++20, no extensions),
// which this rests on. Error below 1e-14 relative, measured by tests/engine_sampler_test.cc.
#pragma once

#include <bit>
#include <cstdint>

#include "inference/engine/host_device.h"

namespace assay {

// e^x for x <= 709; 0 below -708. Written without branches, so that loops over it vectorise; always
// inlined, so that no version compiled for one instruction set becomes everybody's.
[[gnu::always_inline]] HOST_DEVICE inline double PortableExp(double x) {
  constexpr double kLog2e = 1.4426950408889634;
  constexpr double kLn2High = 0.693147180369123816490, kLn2Low = 1.90821492927058770002e-10;
  constexpr double kShift = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to an integer
  const double clamped = x < -708.0 ? -708.0 : x;
  const double shifted = clamped * kLog2e + kShift;
  const double n = shifted - kShift;
  const double r = (clamped - n * kLn2High) - n * kLn2Low;  // |r| <= ln 2 / 2
  double p = 1.0 / 6227020800.0;                            // Taylor: 1/13!, then downwards
  p = p * r + 1.0 / 479001600.0;
  p = p * r + 1.0 / 39916800.0;
  p = p * r + 1.0 / 3628800.0;
  p = p * r + 1.0 / 362880.0;
  p = p * r + 1.0 / 40320.0;
  p = p * r + 1.0 / 5040.0;
  p = p * r + 1.0 / 720.0;
  p = p * r + 1.0 / 120.0;
  p = p * r + 1.0 / 24.0;
  p = p * r + 1.0 / 6.0;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  // The low bits of `shifted` hold n as a two's complement integer.
  const uint64_t scale = (std::bit_cast<uint64_t>(shifted) + 1023) << 52;
  const double result = p * std::bit_cast<double>(scale);
  return x < -708.0 ? 0.0 : result;
}

// ln x for finite x > 0 that is no subnormal.
HOST_DEVICE inline double PortableLog(double x) {
  constexpr double kLn2High = 0.693147180369123816490, kLn2Low = 1.90821492927058770002e-10;
  const auto bits = std::bit_cast<uint64_t>(x);
  // m in [sqrt(1/2), sqrt(2)), x = m * 2^e.
  const uint64_t shifted = bits - 0x3FE6A09E667F3BCDULL;
  const auto e = static_cast<int64_t>(shifted) >> 52;
  const double m = std::bit_cast<double>(bits - (static_cast<uint64_t>(e) << 52));
  const double s = (m - 1.0) / (m + 1.0);  // ln m = 2 artanh s, |s| < 0.1716
  const double z = s * s;
  double p = 1.0 / 19.0;
  p = p * z + 1.0 / 17.0;
  p = p * z + 1.0 / 15.0;
  p = p * z + 1.0 / 13.0;
  p = p * z + 1.0 / 11.0;
  p = p * z + 1.0 / 9.0;
  p = p * z + 1.0 / 7.0;
  p = p * z + 1.0 / 5.0;
  p = p * z + 1.0 / 3.0;
  const double ln_m = 2.0 * s + 2.0 * s * (z * p);
  const auto n = static_cast<double>(e);
  return n * kLn2High + (ln_m + n * kLn2Low);
}

}  // namespace assay
