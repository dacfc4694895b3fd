// The CPU runner's own loops, in one version for each instruction set, chosen when the program
// runs.
//
// Every loop works on one row (of one head), in an order that hangs on that row's lengths alone: so
// a row's bits are the same whatever is computed beside it. Versions differ in their last bits.
#pragma once

#include <cstddef>
#include <cstdint>

#include "inference/engine/number_format.h"

namespace assay {

// A page of the cache holds, for each layer and key-value head, keys as [head_dim][kPageSlots] and
// then values as [kPageSlots][head_dim]: scores go along positions, sums along dimensions.
constexpr int kPageSlots = 64;

// One row's attention in one key-value head.
struct AttendJob {
  const float* queries = nullptr;  // [group][head_dim]
  int group = 0;                   // query heads that share the key-value head
  int head_dim = 0;                // a multiple of 16
  int positions = 0;               // attended to: 0 .. positions - 1
  float scale = 0;
  const char* pool = nullptr;  // page p of the sequence begins at pool + pages[p] * page_bytes
  size_t page_bytes = 0;
  size_t head_offset = 0;  // of this layer's and head's keys in a page
  const int* pages = nullptr;
  NumberFormat cache = NumberFormat::kBf16;
  float* scores = nullptr;  // scratch [group][positions rounded up to kPageSlots]
  void* out = nullptr;      // [group][head_dim]
  NumberFormat out_format = NumberFormat::kBf16;
};

struct CpuKernels {
  const char* name;
  // out = x / rms(x) * weight.
  void (*rms_norm)(const float* x, const float* weight, float epsilon, int count, void* out,
                   NumberFormat format);
  void (*add)(float* x, const float* y, int count);  // x += y
  // The pairs (i, i + half) of a head are turned by their angles.
  void (*rotate)(float* head, const float* cos, const float* sin, int half);
  void (*silu_times)(const float* gate, const float* up, int count, void* out,
                     NumberFormat format);  // silu(gate) * up
  void (*convert)(const float* x, int count, void* out, NumberFormat format);
  void (*attend)(const AttendJob& job);
};

const CpuKernels& BaseKernels();
const CpuKernels* Avx2Kernels();    // null where this build has none
const CpuKernels* Avx512Kernels();  // null where this build has none
// The fastest that this machine runs.
const CpuKernels& BestKernels();

}  // namespace assay
