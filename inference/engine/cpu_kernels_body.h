// The loops of cpu_kernels.h, written once; each version includes this with its own KERNEL_LANES,
// KERNEL_QUERIES and KERNEL_NAMESPACE, compiled for its own instruction set.
//
// No standard library here: an inline function of its headers, compiled for AVX-512, could be the
// one that the linker keeps for all.
#pragma once

#include "inference/engine/cpu_kernels.h"

#if KERNEL_LANES == 16
#include <immintrin.h>
#endif

namespace assay::KERNEL_NAMESPACE {
namespace {

typedef float Lanes __attribute__((vector_size(KERNEL_LANES * 4)));
typedef uint32_t Words __attribute__((vector_size(KERNEL_LANES * 4)));
typedef int32_t Integers __attribute__((vector_size(KERNEL_LANES * 4)));
typedef uint16_t Halves __attribute__((vector_size(KERNEL_LANES * 2)));

constexpr int kLanes = KERNEL_LANES;

inline Lanes Load(const float* from) {
  Lanes lanes;
  __builtin_memcpy(&lanes, from, sizeof(lanes));
  return lanes;
}
// GCC 12 widens and narrows sixteen halves in seven instructions where the machine has one.
#if KERNEL_LANES == 16
inline Lanes Load(const uint16_t* from) {
  const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  return reinterpret_cast<Lanes>(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}
inline __m256i Narrow(const Words& words) {
  return _mm512_cvtepi32_epi16(reinterpret_cast<__m512i>(words));
}
#else
inline Halves Narrow(const Words& words) { return __builtin_convertvector(words, Halves); }
inline Lanes Load(const uint16_t* from) {
  Halves halves;
  __builtin_memcpy(&halves, from, sizeof(halves));
  const Words words = __builtin_convertvector(halves, Words) << 16;
  Lanes lanes;
  __builtin_memcpy(&lanes, &words, sizeof(lanes));
  return lanes;
}
#endif
inline void Store(const Lanes& lanes, float* to) { __builtin_memcpy(to, &lanes, sizeof(lanes)); }
// To the nearest, ties to even.
inline void Store(const Lanes& lanes, uint16_t* to) {
  Words words;
  __builtin_memcpy(&words, &lanes, sizeof(words));
  words = (words + 0x7FFF + ((words >> 16) & 1)) >> 16;
  const auto halves = Narrow(words);
  __builtin_memcpy(to, &halves, sizeof(halves));
}
inline void StoreOne(float x, float* to) { *to = x; }
inline void StoreOne(float x, uint16_t* to) {
  uint32_t word;
  __builtin_memcpy(&word, &x, sizeof(word));
  *to = static_cast<uint16_t>((word + 0x7FFF + ((word >> 16) & 1)) >> 16);
}
inline Lanes Splat(float x) { return Lanes{} + x; }

inline float Sum(const Lanes& lanes) {
  float parts[kLanes];
  Store(lanes, parts);
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) parts[i] += parts[i + width];
  }
  return parts[0];
}
inline float Greatest(const Lanes& lanes) {
  float parts[kLanes];
  Store(lanes, parts);
  float greatest = parts[0];
  for (int i = 1; i < kLanes; ++i) greatest = parts[i] > greatest ? parts[i] : greatest;
  return greatest;
}

// e^x with |relative error| < 2e-7, for x in [-87, 87]; beyond, the value at the border.
inline Lanes Exp(Lanes x) {
  x = x < -87.0F ? Splat(-87.0F) : x;
  x = x > 87.0F ? Splat(87.0F) : x;
  const Lanes shifted = x * 1.44269504F + 12582912.0F;  // 1.5 * 2^23: rounds to an integer
  const Lanes n = shifted - 12582912.0F;
  const Lanes r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
  Lanes p = Splat(1.0F / 5040);
  p = p * r + 1.0F / 720;
  p = p * r + 1.0F / 120;
  p = p * r + 1.0F / 24;
  p = p * r + 1.0F / 6;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  Words bits;
  __builtin_memcpy(&bits, &shifted, sizeof(bits));
  bits = (bits + 127) << 23;
  Lanes scale;
  __builtin_memcpy(&scale, &bits, sizeof(scale));
  return p * scale;
}
inline float ExpOne(float x) {
  float parts[kLanes];
  Store(Exp(Splat(x)), parts);
  return parts[0];
}

// --- rows ---

template <typename Out>
void RmsNormTo(const float* x, const float* weight, float epsilon, int count, Out* out) {
  Lanes sums = {};
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) sums += Load(x + i) * Load(x + i);
  float sum = Sum(sums);
  for (; i < count; ++i) sum += x[i] * x[i];
  const float scale = 1.0F / __builtin_sqrtf(sum / static_cast<float>(count) + epsilon);
  for (i = 0; i + kLanes <= count; i += kLanes) {
    Store(Load(x + i) * scale * Load(weight + i), out + i);
  }
  for (; i < count; ++i) StoreOne(x[i] * scale * weight[i], out + i);
}
void RmsNorm(const float* x, const float* weight, float epsilon, int count, void* out,
             NumberFormat format) {
  if (format == NumberFormat::kBf16) {
    RmsNormTo(x, weight, epsilon, count, static_cast<uint16_t*>(out));
  } else {
    RmsNormTo(x, weight, epsilon, count, static_cast<float*>(out));
  }
}

void Add(float* x, const float* y, int count) {
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) Store(Load(x + i) + Load(y + i), x + i);
  for (; i < count; ++i) x[i] += y[i];
}

void Rotate(float* head, const float* cos, const float* sin, int half) {
  int i = 0;
  for (; i + kLanes <= half; i += kLanes) {
    const Lanes a = Load(head + i), b = Load(head + i + half);
    const Lanes c = Load(cos + i), s = Load(sin + i);
    Store(a * c - b * s, head + i);
    Store(b * c + a * s, head + i + half);
  }
  for (; i < half; ++i) {
    const float a = head[i], b = head[i + half];
    head[i] = a * cos[i] - b * sin[i];
    head[i + half] = b * cos[i] + a * sin[i];
  }
}

template <typename Out>
void SiluTimesTo(const float* gate, const float* up, int count, Out* out) {
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const Lanes g = Load(gate + i);
    Store(g / (1.0F + Exp(-g)) * Load(up + i), out + i);
  }
  for (; i < count; ++i) StoreOne(gate[i] / (1.0F + ExpOne(-gate[i])) * up[i], out + i);
}
void SiluTimes(const float* gate, const float* up, int count, void* out, NumberFormat format) {
  if (format == NumberFormat::kBf16) {
    SiluTimesTo(gate, up, count, static_cast<uint16_t*>(out));
  } else {
    SiluTimesTo(gate, up, count, static_cast<float*>(out));
  }
}

void Convert(const float* x, int count, void* out, NumberFormat format) {
  if (format == NumberFormat::kF32) {
    __builtin_memcpy(out, x, static_cast<size_t>(count) * sizeof(float));
    return;
  }
  auto* to = static_cast<uint16_t*>(out);
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) Store(Load(x + i), to + i);
  for (; i < count; ++i) StoreOne(x[i], to + i);
}

// --- attention ---

template <typename Cached>
const Cached* HeadIn(const AttendJob& job, int page) {
  return reinterpret_cast<const Cached*>(
      job.pool + static_cast<size_t>(job.pages[page]) * job.page_bytes + job.head_offset);
}

// Scores of `Queries` query heads from `first` on, for all positions, rounded up to whole pages.
template <typename Cached, int Queries>
void Score(const AttendJob& job, int first, int padded) {
  constexpr int kVectors = 4;
  for (int begin = 0; begin < padded; begin += kVectors * kLanes) {
    const Cached* keys = HeadIn<Cached>(job, begin / kPageSlots) + begin % kPageSlots;
    Lanes sums[Queries][kVectors] = {};
    for (int d = 0; d < job.head_dim; ++d) {
      Lanes key[kVectors];
      for (int v = 0; v < kVectors; ++v) key[v] = Load(keys + d * kPageSlots + v * kLanes);
      for (int q = 0; q < Queries; ++q) {
        const float query = job.queries[(first + q) * job.head_dim + d];
        for (int v = 0; v < kVectors; ++v) sums[q][v] += key[v] * query;
      }
    }
    for (int q = 0; q < Queries; ++q) {
      float* to = job.scores + static_cast<size_t>(first + q) * padded + begin;
      for (int v = 0; v < kVectors; ++v) Store(sums[q][v] * job.scale, to + v * kLanes);
    }
  }
}

// Scores become weights; returns their sum. Positions beyond the last weigh nothing.
float Softmax(float* scores, int positions, int padded) {
  for (int p = positions; p < padded; ++p) scores[p] = -__builtin_inff();
  Lanes most = Load(scores);
  for (int p = kLanes; p < padded; p += kLanes) {
    const Lanes here = Load(scores + p);
    most = here > most ? here : most;
  }
  const float greatest = Greatest(most);
  Lanes sums = {};
  for (int p = 0; p < padded; p += kLanes) {
    const Lanes weight = Exp(Load(scores + p) - greatest);
    Store(weight, scores + p);
  }
  for (int p = positions; p < padded; ++p) scores[p] = 0;
  for (int p = 0; p < padded; p += kLanes) sums += Load(scores + p);
  return Sum(sums);
}

// `Vectors` vectors of each output from dimension `begin` on.
template <typename Cached, typename Out, int Queries, int Vectors>
void MixSlab(const AttendJob& job, int first, int padded, int begin, const float* totals) {
  Lanes mixed[Queries][Vectors] = {};
  for (int page = 0; page * kPageSlots < job.positions; ++page) {
    const Cached* values =
        HeadIn<Cached>(job, page) + static_cast<size_t>(job.head_dim) * kPageSlots + begin;
    const int left = job.positions - page * kPageSlots;
    const int slots = left < kPageSlots ? left : kPageSlots;
    const float* weights = job.scores + static_cast<size_t>(first) * padded + page * kPageSlots;
    for (int slot = 0; slot < slots; ++slot) {
      Lanes value[Vectors];
      for (int v = 0; v < Vectors; ++v) value[v] = Load(values + slot * job.head_dim + v * kLanes);
      for (int q = 0; q < Queries; ++q) {
        const float weight = weights[static_cast<size_t>(q) * padded + slot];
        for (int v = 0; v < Vectors; ++v) mixed[q][v] += value[v] * weight;
      }
    }
  }
  for (int q = 0; q < Queries; ++q) {
    Out* to = static_cast<Out*>(job.out) + (first + q) * job.head_dim + begin;
    for (int v = 0; v < Vectors; ++v) Store(mixed[q][v] / totals[q], to + v * kLanes);
  }
}

template <typename Cached, typename Out, int Queries>
void AttendQueries(const AttendJob& job, int first) {
  const int padded = (job.positions + kPageSlots - 1) / kPageSlots * kPageSlots;
  Score<Cached, Queries>(job, first, padded);
  float totals[Queries];
  for (int q = 0; q < Queries; ++q) {
    totals[q] =
        Softmax(job.scores + static_cast<size_t>(first + q) * padded, job.positions, padded);
  }
  int begin = 0;
  for (; begin + 4 * kLanes <= job.head_dim; begin += 4 * kLanes) {
    MixSlab<Cached, Out, Queries, 4>(job, first, padded, begin, totals);
  }
  for (; begin < job.head_dim; begin += kLanes) {
    MixSlab<Cached, Out, Queries, 1>(job, first, padded, begin, totals);
  }
}

template <typename Cached, typename Out>
void AttendAs(const AttendJob& job) {
  int first = 0;
  for (; first + KERNEL_QUERIES <= job.group; first += KERNEL_QUERIES) {
    AttendQueries<Cached, Out, KERNEL_QUERIES>(job, first);
  }
  for (; first + 2 <= job.group; first += 2) AttendQueries<Cached, Out, 2>(job, first);
  for (; first < job.group; ++first) AttendQueries<Cached, Out, 1>(job, first);
}

void Attend(const AttendJob& job) {
  const bool cache_bf16 = job.cache == NumberFormat::kBf16;
  const bool out_bf16 = job.out_format == NumberFormat::kBf16;
  if (cache_bf16 && out_bf16) {
    AttendAs<uint16_t, uint16_t>(job);
  } else if (cache_bf16) {
    AttendAs<uint16_t, float>(job);
  } else if (out_bf16) {
    AttendAs<float, uint16_t>(job);
  } else {
    AttendAs<float, float>(job);
  }
}

constexpr CpuKernels kTable = {KERNEL_NAME, RmsNorm, Add, Rotate, SiluTimes, Convert, Attend};

}  // namespace
}  // namespace assay::KERNEL_NAMESPACE
