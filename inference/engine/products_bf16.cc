// CMake compiles this file alone for AVX-512 BF16.
//
// No standard library here: an inline function of its headers, compiled for AVX-512, could be the
// one that the linker keeps for all.
#include "inference/engine/products_bf16.h"

#if defined(__AVX512BF16__)

#include <immintrin.h>

namespace assay {
namespace {

constexpr int kVectors = kPanelColumns / 16;
constexpr int kRows = 6;           // 24 sums and 4 weights fit the 32 registers
constexpr int kAheadBytes = 4096;  // how far before its use memory is asked for

inline __m512bh AsPairs(__m512i words) { return reinterpret_cast<__m512bh>(words); }

// --- panels ---

// `Rows` rows of one panel. `First`: the panel may not yet be in a cache.
template <int Rows, bool First>
inline void Block(const uint16_t* panel, int pairs, const uint16_t* x, int in, int columns,
                  float* y, size_t stride) {
  __m512 sums[Rows][kVectors];
  for (int r = 0; r < Rows; ++r) {
    for (int v = 0; v < kVectors; ++v) sums[r][v] = _mm512_setzero_ps();
  }
  const char* weights = reinterpret_cast<const char*>(panel);
  for (int pair = 0; pair < pairs; ++pair, weights += kVectors * 64) {
    __m512i w[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      w[v] = _mm512_loadu_si512(weights + v * 64);
      if (First) _mm_prefetch(weights + kAheadBytes + v * 64, _MM_HINT_T0);
    }
    for (int r = 0; r < Rows; ++r) {
      int both;
      __builtin_memcpy(&both, x + static_cast<size_t>(r) * in + 2 * pair, sizeof(both));
      const __m512i broadcast = _mm512_set1_epi32(both);
      for (int v = 0; v < kVectors; ++v) {
        sums[r][v] = _mm512_dpbf16_ps(sums[r][v], AsPairs(w[v]), AsPairs(broadcast));
      }
    }
  }
  for (int r = 0; r < Rows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      const int left = columns - v * 16;
      if (left <= 0) break;
      const auto mask = static_cast<__mmask16>(left >= 16 ? 0xFFFF : (1 << left) - 1);
      _mm512_mask_storeu_ps(y + r * stride + v * 16, mask, sums[r][v]);
    }
  }
}

template <bool First>
inline void Rest(int rows, const uint16_t* panel, int pairs, const uint16_t* x, int in, int columns,
                 float* y, size_t stride) {
  switch (rows) {
    case 1:
      return Block<1, First>(panel, pairs, x, in, columns, y, stride);
    case 2:
      return Block<2, First>(panel, pairs, x, in, columns, y, stride);
    case 3:
      return Block<3, First>(panel, pairs, x, in, columns, y, stride);
    case 4:
      return Block<4, First>(panel, pairs, x, in, columns, y, stride);
    case 5:
      return Block<5, First>(panel, pairs, x, in, columns, y, stride);
    default:
      return Block<kRows, First>(panel, pairs, x, in, columns, y, stride);
  }
}

void Multiply(const uint16_t* panels, int columns, int in, const uint16_t* x, int rows, float* y,
              size_t stride) {
  for (int column = 0; column < columns; column += kPanelColumns) {
    const uint16_t* panel = panels + static_cast<size_t>(column) * in;
    const int left = columns - column;
    const int now = rows < kRows ? rows : kRows;
    Rest<true>(now, panel, in / 2, x, in, left, y + column, stride);
    for (int row = now; row < rows; row += kRows) {
      Rest<false>(rows - row < kRows ? rows - row : kRows, panel, in / 2,
                  x + static_cast<size_t>(row) * in, in, left, y + column + row * stride, stride);
    }
  }
}

// --- rows as they lie ---

// The sums of four vectors' lanes, each in the same order.
inline __m128 AddUp(__m512 a, __m512 b, __m512 c, __m512 d) {
  const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
  const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
  const __m512d ab2 = _mm512_castps_pd(ab), cd2 = _mm512_castps_pd(cd);
  const __m512 all = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(ab2, cd2)),
                                   _mm512_castpd_ps(_mm512_unpackhi_pd(ab2, cd2)));
  const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(all), _mm512_extractf32x8_ps(all, 1));
  return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}

// `Rows` rows times `Columns` columns, 4 or 1. `Ahead` columns of those that come next are asked
// for meanwhile, from `ahead` on.
template <int Rows, int Columns, int Ahead>
inline void InPlaceBlock(const char* weights, int in, const uint16_t* x, float* y, size_t stride,
                         const char* ahead) {
  const size_t row_bytes = static_cast<size_t>(in) * 2;
  __m512 sums[Rows][Columns];
  for (int r = 0; r < Rows; ++r) {
    for (int c = 0; c < Columns; ++c) sums[r][c] = _mm512_setzero_ps();
  }
  // One step: 32 numbers, or those that `mask` lets through. Always unrolled, so that the sums stay
  // in registers.
  const auto step = [&](int k, auto load) __attribute__((always_inline)) {
    __m512i w[Columns];
#pragma GCC unroll 8
    for (int c = 0; c < Columns; ++c) {
      const char* from = weights + c * row_bytes + static_cast<size_t>(k) * 2;
      w[c] = load(from);
    }
#pragma GCC unroll 8
    for (int c = 0; c < Ahead; ++c) {
      // One column is a stream that comes by once.
      _mm_prefetch(ahead + c * row_bytes + static_cast<size_t>(k) * 2,
                   Columns == 1 ? _MM_HINT_NTA : _MM_HINT_T1);
    }
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const __m512i v = load(x + static_cast<size_t>(r) * in + k);
#pragma GCC unroll 8
      for (int c = 0; c < Columns; ++c) {
        sums[r][c] = _mm512_dpbf16_ps(sums[r][c], AsPairs(w[c]), AsPairs(v));
      }
    }
  };
  int k = 0;
  for (; k + 32 <= in; k += 32) step(k, [](const void* from) { return _mm512_loadu_si512(from); });
  const __mmask32 mask = (1U << (in - k)) - 1;
  if (k < in) {
    step(k, [mask](const void* from) { return _mm512_maskz_loadu_epi16(mask, from); });
  }
  for (int r = 0; r < Rows; ++r) {
    if (Columns == 4) {
      _mm_storeu_ps(y + r * stride, AddUp(sums[r][0], sums[r][1 % Columns], sums[r][2 % Columns],
                                          sums[r][3 % Columns]));
    } else {
      y[r * stride] = _mm_cvtss_f32(AddUp(sums[r][0], sums[r][0], sums[r][0], sums[r][0]));
    }
  }
}

template <int Columns, int Ahead>
inline void InPlaceRows(int rows, const char* weights, int in, const uint16_t* x, float* y,
                        size_t stride, const char* ahead) {
  switch (rows) {
    case 1:
      return InPlaceBlock<1, Columns, Ahead>(weights, in, x, y, stride, ahead);
    case 2:
      return InPlaceBlock<2, Columns, Ahead>(weights, in, x, y, stride, ahead);
    case 3:
      return InPlaceBlock<3, Columns, Ahead>(weights, in, x, y, stride, ahead);
    case 4:
      return InPlaceBlock<4, Columns, Ahead>(weights, in, x, y, stride, ahead);
    case 5:
      return InPlaceBlock<5, Columns, Ahead>(weights, in, x, y, stride, ahead);
    default:
      return InPlaceBlock<kRows, Columns, Ahead>(weights, in, x, y, stride, ahead);
  }
}

inline int RowsFrom(int row, int rows) { return rows - row < kRows ? rows - row : kRows; }

inline void InPlaceColumn(const char* weights, int in, const uint16_t* x, int rows, float* y,
                          size_t stride) {
  const char* ahead = weights + kAheadBytes;  // it streams
  InPlaceRows<1, 1>(RowsFrom(0, rows), weights, in, x, y, stride, ahead);
  for (int row = kRows; row < rows; row += kRows) {
    InPlaceRows<1, 0>(RowsFrom(row, rows), weights, in, x + static_cast<size_t>(row) * in,
                      y + row * stride, stride, ahead);
  }
}

// Memory is asked for the next four columns by all full blocks of rows, up to four: it takes longer
// than one block computes, and no block then waits for it.
inline void InPlaceColumns(const char* weights, int in, const uint16_t* x, int rows, float* y,
                           size_t stride) {
  const size_t row_bytes = static_cast<size_t>(in) * 2;
  const char* next = weights + 4 * row_bytes;
  const char* const end = weights + 8 * row_bytes;
  const int full_blocks = rows / kRows;
  for (int row = 0; row < rows; row += kRows) {
    const int now = RowsFrom(row, rows);
    const uint16_t* from = x + static_cast<size_t>(row) * in;
    float* to = y + row * stride;
    if (next == end) {
      InPlaceRows<4, 0>(now, weights, in, from, to, stride, next);
    } else if (full_blocks <= 1) {
      InPlaceRows<4, 4>(now, weights, in, from, to, stride, next);
      next = end;
    } else if (full_blocks < 4) {
      InPlaceRows<4, 2>(now, weights, in, from, to, stride, next);
      next += 2 * row_bytes;
    } else {
      InPlaceRows<4, 1>(now, weights, in, from, to, stride, next);
      next += row_bytes;
    }
  }
}

void MultiplyInPlace(const char* weights, int columns, int in, const uint16_t* x, int rows,
                     float* y, size_t stride) {
  const size_t row_bytes = static_cast<size_t>(in) * 2;
  int column = 0;
  // One row waits for memory: one stream of it is read faster than four.
  for (; rows > 1 && column + 4 <= columns; column += 4) {
    InPlaceColumns(weights + column * row_bytes, in, x, rows, y + column, stride);
  }
  for (; column < columns; ++column) {
    InPlaceColumn(weights + column * row_bytes, in, x, rows, y + column, stride);
  }
}

// --- panels are made ---

// words[i] becomes the i-th words of all sixteen.
inline void Transpose(__m512i words[16]) {
  __m512i t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(words[i], words[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(words[i], words[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    words[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    words[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    words[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    words[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  // Now words[4 g + j] holds, in its four quarters q, word 4 q + j of rows 4 g .. 4 g + 3.
  for (int j = 0; j < 4; ++j) {
    const __m512i a = _mm512_shuffle_i32x4(words[j], words[4 + j], 0x88);
    const __m512i b = _mm512_shuffle_i32x4(words[j], words[4 + j], 0xDD);
    const __m512i c = _mm512_shuffle_i32x4(words[8 + j], words[12 + j], 0x88);
    const __m512i d = _mm512_shuffle_i32x4(words[8 + j], words[12 + j], 0xDD);
    t[j] = _mm512_shuffle_i32x4(a, c, 0x88);
    t[8 + j] = _mm512_shuffle_i32x4(a, c, 0xDD);
    t[4 + j] = _mm512_shuffle_i32x4(b, d, 0x88);
    t[12 + j] = _mm512_shuffle_i32x4(b, d, 0xDD);
  }
  for (int i = 0; i < 16; ++i) words[i] = t[i];
}

void Pack(const char* const* rows, int columns, int in, uint16_t* panel) {
  const int pairs = in / 2;
  for (int pair = 0; pair < pairs; pair += 16) {
    const int here = pairs - pair < 16 ? pairs - pair : 16;
    const auto mask = static_cast<__mmask16>(here == 16 ? 0xFFFF : (1 << here) - 1);
    for (int v = 0; v < kVectors; ++v) {
      __m512i words[16];
      for (int i = 0; i < 16; ++i) {
        const int column = v * 16 + i;
        words[i] = column < columns ? _mm512_maskz_loadu_epi32(mask, rows[column] + 4 * pair)
                                    : _mm512_setzero_si512();
      }
      Transpose(words);
      for (int i = 0; i < here; ++i) {
        _mm512_storeu_si512(panel + (static_cast<size_t>(pair + i) * kPanelColumns + v * 16) * 2,
                            words[i]);
      }
    }
  }
}

constexpr Bf16Products kProducts = {Pack, Multiply, MultiplyInPlace};

}  // namespace

const Bf16Products* BestBf16Products() {
  static const bool has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512vl") &&
                          __builtin_cpu_supports("avx512bf16");
  return has ? &kProducts : nullptr;
}

}  // namespace assay

#else

namespace assay {
const Bf16Products* BestBf16Products() { return nullptr; }
}  // namespace assay

#endif
