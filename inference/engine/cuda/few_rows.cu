// The product of a matrix and very few rows: what a decode step of a sample or two is made of.
//
// A warp adds up one output for all rows, in an order that hangs on the width alone; every weight
// is read once. cuBLASLt's ways are made for tiles of 64 rows and take up to twice the time that
// reading the weights takes.
#include "inference/engine/cuda/kernel_functions.h"
#include "inference/engine/cuda/kernels.h"
#include "inference/engine/cuda/lanes.h"

namespace KERNEL_NAMESPACE {
namespace {

using namespace assay::cuda;

constexpr int kThreads = 128;
constexpr int kWarps = kThreads / 32;
constexpr int kAhead = 8;  // pieces that a lane asks for at a time

struct alignas(16) Piece {
  Half halves[8];
};

template <int kRows>
KERNEL KERNEL_BOUNDS(kThreads, 4) FewRows(FewRowsArgs args) {
  const int lane = threadIdx.x % 32;
  const int out = blockIdx.x * kWarps + threadIdx.x / 32;
  const int pieces = args.in / 8;
  const Piece* weights =
      reinterpret_cast<const Piece*>(args.weights + static_cast<size_t>(out) * args.in);
  const Piece* x = reinterpret_cast<const Piece*>(args.x);
  Piece some[kAhead];
  const auto load = [&](int first) {
    UNROLL for (int j = 0; j < kAhead; ++j) {
      const int i = first + j * 32;
      if (out < args.out && i < pieces) some[j] = weights[i];
    }
  };
  load(lane);  // nobody writes weights: these may be asked for before the rows are there
  WaitForEarlierKernels();
  if (out >= args.out) return;  // whole warps, and no barrier follows
  float sums[kRows] = {};
  for (int first = lane; first < pieces; first += kAhead * 32) {
    if (first != lane) load(first);
    UNROLL for (int j = 0; j < kAhead; ++j) {
      const int i = first + j * 32;
      if (i >= pieces) continue;
      UNROLL for (int row = 0; row < kRows; ++row) {
        const Piece own = x[static_cast<size_t>(row) * pieces + i];
        UNROLL for (int k = 0; k < 8; ++k) {
          sums[row] += Widen(some[j].halves[k]) * Widen(own.halves[k]);
        }
      }
    }
  }
  UNROLL for (int row = 0; row < kRows; ++row) {
    const float sum = WarpSum(sums[row]);
    if (lane != 0) continue;
    const size_t at = static_cast<size_t>(row) * args.out + out;
    if (args.half_out) {
      static_cast<Half*>(args.y)[at] = Round(sum);
    } else {
      static_cast<float*>(args.y)[at] = sum;
    }
  }
}

template <int kRows>
void LaunchFor(const FewRowsArgs& args, Stream stream) {
  LAUNCH(FewRows<kRows>, dim3((args.out + kWarps - 1) / kWarps), kThreads, 0, stream, args);
}

}  // namespace

void LaunchFewRows(const FewRowsArgs& args, Stream stream) {
  switch (args.rows) {
    case 1:
      LaunchFor<1>(args, stream);
      break;
    case 2:
      LaunchFor<2>(args, stream);
      break;
    case 3:
      LaunchFor<3>(args, stream);
      break;
    default:
      LaunchFor<4>(args, stream);
  }
}

}  // namespace KERNEL_NAMESPACE
