// The runner for CPUs: packed weights, products by matmul.h, own kernels for the rest.
#pragma once

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "inference/engine/checkpoint.h"
#include "inference/engine/number_format.h"
#include "inference/engine/runner.h"

namespace assay {

struct CpuOptions {
  NumberFormat weights = NumberFormat::kBf16;  // and of what is multiplied with them, and the cache
  int threads = 0;                             // 0: as many as there are cores
  // For tests: "base", "avx2", "avx512"; empty: the best. A version that the machine lacks is the
  // base one.
  const char* kernels = "";
  // For tests: as if products' rows were not independent of their number.
  bool fixed_rows = false;
  // Models whose weights are no larger go by blocks of rows, one thread each: they fit a core's
  // cache beside the rows. Larger ones are shared by all threads, operation by operation.
  size_t small_model_bytes = size_t{16} << 20;
};

// What the weights' own format calls for on this machine: bf16 where the file is bf16 and the
// machine multiplies it fast, else float32.
NumberFormat BestFormat(Dtype dtype);

// Rows are independent: products' by RowsAreIndependent (checked at loading; where it does not
// hold, every product is computed with the shape's full number of rows), all else because it works
// on one row at a time. So a row's bits do not hang on the number of threads either. The residual
// stream, scores, softmax, logits are float32; what enters a product, and the cache, are in
// `weights` format, rounded once. `shape.vocabulary` is set from the checkpoint.
std::unique_ptr<ModelRunner> MakeCpuRunner(std::shared_ptr<const Checkpoint> checkpoint,
                                           RunnerShape shape, int usable,
                                           const CpuOptions& options);

}  // namespace assay
