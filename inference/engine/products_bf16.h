// Products of bf16 matrices by AVX-512 BF16: our own layout of weights and the loops over it.
//
// A row of a product is one sum for each column, along the inner dimension from its first pair of
// numbers to its last, whatever the other rows are and however many: rows are independent by
// construction. Weights lie in panels of 64 columns, [pair of the inner dimension][64 columns][2],
// so that a product reads memory once, from one end to the other.
#pragma once

#include <cstddef>
#include <cstdint>

namespace assay {

constexpr int kPanelColumns = 64;

struct Bf16Products {
  // One panel from `columns` <= 64 rows of a matrix [out][in], `in` even; columns beyond are zeros.
  // A row is `in` numbers at any address.
  void (*pack)(const char* const* rows, int columns, int in, uint16_t* panel);
  // y[row][column] for `columns` columns, which lie in as many panels as they need; x is
  // [rows][in], y has `stride` numbers from one row to the next.
  void (*multiply)(const uint16_t* panels, int columns, int in, const uint16_t* x, int rows,
                   float* y, size_t stride);
};

// Null where this build or this machine has no such instructions.
const Bf16Products* BestBf16Products();

}  // namespace assay
