// Products with weight matrices: bf16 by our own loops where the machine has AVX-512 BF16
// (products_bf16.h), all else by oneDNN, whose only user this is.
//
// A row of a product has the same bits whatever the other rows are and however many: our own loops
// see to it, and oneDNN 2.6's kernels add along the inner dimension in an order that hangs on
// neither (seen on the shapes that were tried, and checked for each matrix by RowsAreIndependent).
// Each call runs on its own thread alone; several threads share a product by its chunks of columns.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inference/engine/checkpoint.h"
#include "inference/engine/number_format.h"
#include "inference/engine/products_bf16.h"

namespace assay {

// Whether this machine multiplies bf16 faster than float32.
bool HasFastBf16();
// What the bits of a product hang on: "own products, avx512_bf16", "oneDNN 2.6.3, avx2".
std::string MatmulDescription(NumberFormat format);

// Number of rows that a product of `rows` is computed with: buffers must have that many.
int PaddedRows(int rows);

// Matrices [out, in] of one `in`, one below the other, and cut into chunks of columns: copied into
// a layout of their own, or multiplied as they lie in the checkpoint's file (bf16 of a long `in`,
// by our own products), which hangs on the matrix and the machine alone. Threads may share it once
// its chunks are filled.
class PackedMatrix {
 public:
  // Memory for all chunks, still empty; then FillChunk for each, on any thread. `parts` outlive the
  // matrix; their bytes are a file's, mapped: pages that have been copied are given back.
  static std::unique_ptr<PackedMatrix> Prepare(std::vector<const Tensor*> parts,
                                               NumberFormat format);
  void FillChunk(int chunk);
  // A chunk that lies in the file is copied into large pages of memory, which are read faster. Not
  // a bit of a product changes, so other threads may multiply meanwhile; one thread moves.
  bool in_place() const { return in_place_; }
  void MoveChunk(int chunk);
  ~PackedMatrix();

  int in() const { return in_; }
  int out() const { return out_; }
  NumberFormat format() const { return format_; }
  int chunks() const { return chunks_; }
  int ColumnsBefore(int chunk) const { return std::min(chunk * columns_, out_); }
  size_t bytes() const { return bytes_; }

 private:
  friend class MatmulThread;
  friend bool RowsAreIndependent(const PackedMatrix& matrix, int most);
  struct Shape;
  PackedMatrix() = default;
  int Columns(int chunk) const;
  void TakeMemory();
  std::string_view RowsOf(const Tensor& part, int row, int rows) const;
  void ForgetRows(int begin, int count) const;
  void MultiplyInPlace(int chunk, const uint16_t* x, int rows, float* y) const;
  // run(rows of a part, as bytes; the first one's number in the chunk): each part of the rows
  // begin .. begin + count of all parts.
  template <typename Run>
  void ForEachPart(int begin, int count, const Run& run) const;
  void FillOwn(int begin, int count, char* to) const;
  void FillByLibrary(int begin, int count, const Shape& shape, char* to) const;

  std::vector<const Tensor*> parts_;
  NumberFormat format_ = NumberFormat::kBf16;
  int in_ = 0, out_ = 0;
  int chunks_ = 0, columns_ = 0;       // of all chunks but the last
  const Bf16Products* own_ = nullptr;  // null: the library's layout
  const Shape* shape_ = nullptr;       // its, of full chunks; lives as long as the program
  const Shape* last_shape_ = nullptr;
  size_t chunk_bytes_ = 0;  // of full chunks, as packed
  char* packed_ = nullptr;
  size_t bytes_ = 0;
  bool in_place_ = false;
  // In place: where each chunk's rows have been moved to, null: not yet.
  std::vector<std::atomic<const char*>> moved_;
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
