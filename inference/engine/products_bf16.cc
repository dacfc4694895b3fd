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

constexpr Bf16Products kProducts = {Pack, Multiply};

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
