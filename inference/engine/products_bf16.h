// Products of bf16 matrices by AVX-512 BF16: the loops, and the layout of weights for one of them.
//
// A row of a product is one sum for each column, along the inner dimension in an order that hangs
// on the matrix alone, whatever the other rows are and however many: rows are independent by
// construction. There are two ways, and each reads memory once, from one end to the other:
//
// Panels of 64 columns, [pair of the inner dimension][64 columns][2]: sixteen columns to a vector.
// Fastest where the inner dimension is short, and a copy of the weights.
//
// Rows as they lie in a checkpoint's file: sixteen pairs of the inner dimension to a vector, added
// up at the end. Nothing is copied, so that a large model is there as soon as its file is.
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
  // The same for the next `columns` rows, from `weights` on, of a matrix [out][in] at any address.
  // Another order of adding: other last bits.
  void (*multiply_in_place)(const char* weights, int columns, int in, const uint16_t* x, int rows,
                            float* y, size_t stride);
};

// Null where this build or this machine has no such instructions.
const Bf16Products* BestBf16Products();

}  // namespace assay
