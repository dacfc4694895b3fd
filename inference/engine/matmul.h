// Products with weight matrices: the only user of oneDNN.
//
// A row of a product has the same bits whatever the other rows are and however many: oneDNN 2.6's
// kernels add along the inner dimension in an order that hangs on neither (seen on the shapes that
// were tried, and checked for each matrix by RowsAreIndependent). Each
// call runs on its own thread alone; several threads share a product by its chunks of columns.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "inference/engine/checkpoint.h"
#include "inference/engine/number_format.h"

namespace assay {

// Whether this machine multiplies bf16 faster than float32.
bool HasFastBf16();
// "oneDNN 2.6.3, avx512_core_bf16": what the bits of a product hang on.
std::string MatmulDescription();

// Number of rows that a product of `rows` is computed with: buffers must have that many.
int PaddedRows(int rows);

// Matrices [out, in] of one `in`, one below the other, in the library's own layout and cut into
// chunks of columns. Immutable once packed; threads may share it.
class PackedMatrix {
 public:
  // Memory for all chunks, still empty; then FillChunk for each, on any thread. `parts` are needed
  // until then, and are of one dtype.
  static std::unique_ptr<PackedMatrix> Prepare(std::vector<const Tensor*> parts,
                                               NumberFormat format);
  void FillChunk(int chunk);
  ~PackedMatrix();

  int in() const { return in_; }
  int out() const { return out_; }
  NumberFormat format() const { return format_; }
  int chunks() const { return chunks_; }
  int ColumnsBefore(int chunk) const { return std::min(chunk * columns_, out_); }
  size_t bytes() const { return bytes_; }

 private:
  friend class MatmulThread;
  struct Shape;
  PackedMatrix() = default;
  int Columns(int chunk) const;
  void ForgetRows(int begin, int count) const;

  std::vector<const Tensor*> parts_;
  NumberFormat format_ = NumberFormat::kBf16;
  int in_ = 0, out_ = 0;
  int chunks_ = 0, columns_ = 0;  // of all chunks but the last
  const Shape* shape_ = nullptr;  // of full chunks; lives as long as the program
  const Shape* last_shape_ = nullptr;
  char* packed_ = nullptr;
  size_t bytes_ = 0;
};

// What one thread needs to multiply. Make and use it on that thread.
class MatmulThread {
 public:
  MatmulThread();
  ~MatmulThread();
  MatmulThread(const MatmulThread&) = delete;
  MatmulThread& operator=(const MatmulThread&) = delete;

  // y[row][begin of chunk ...] = x[row] * W^T for `rows` rows; x is [PaddedRows(rows)][in] in the
  // matrix's format, y [PaddedRows(rows)][out]. Rows from `rows` on are scratch.
  void Multiply(const PackedMatrix& matrix, int chunk, const void* x, int rows, float* y);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Whether a row's product has the same bits for every number of rows up to `most`: tried with
// random numbers. What to do where it has not: always compute with the same number of rows.
bool RowsAreIndependent(const PackedMatrix& matrix, int most);

}  // namespace assay
