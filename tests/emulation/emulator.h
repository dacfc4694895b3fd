// Runs the GPU's kernels on a host, one block after the other: every thread of a block is a fiber
// that runs until it waits for others.
//
// It is strict where a GPU is lenient, so that what is wrong shows:
//   shared memory begins as NaNs; asynchronous copies arrive when they are waited for (threads
//   forward), at once (backward), or the one or the other (shuffled): who reads too early reads
//   NaNs, and who copies too early overwrites what is still read; lanes that meet in different
//   instructions, barriers that not all threads reach, misaligned rows and copies end the program
//   with a message; the order in which fibers run is a choice (Order): a result that hangs on it
//   shows a race.
// Include it before the .cu, with ASSAY_EMULATE_CUDA defined.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <vector>

#include "inference/engine/cuda/layout.h"

struct dim3 {
  int x = 1, y = 1, z = 1;
  explicit dim3(int the_x, int the_y = 1, int the_z = 1) : x(the_x), y(the_y), z(the_z) {}
};

namespace assay::emulation {

enum class Order { kForward, kBackward, kShuffled };
// For the launches that follow. `seed` chooses the shuffles of threads and blocks.
void SetOrder(Order order, uint64_t seed);
// Launches so far.
int64_t Launches();

void Launch(dim3 grid, int threads, size_t shared_bytes, const std::function<void()>& thread);

struct Index {
  int x = 0, y = 0, z = 0;
};
const Index& ThreadIndex();
const Index& BlockIndex();
const Index& GridSize();
#define threadIdx assay::emulation::ThreadIndex()
#define blockIdx assay::emulation::BlockIndex()
#define gridDim assay::emulation::GridSize()

void* SharedBytes(size_t count);
void SyncBlock();
void SyncWarp();

constexpr size_t kLaneBytes = 48;
// All lanes of a warp give `in`; `combine` turns the 32 inputs into the 32 outputs.
void Meet(const char* instruction, const void* in, size_t in_bytes, void* out, size_t out_bytes,
          void (*combine)(const char (*in)[kLaneBytes], char (*out)[kLaneBytes], int parameter),
          int parameter);

template <typename T>
T ShuffleXor(T value, int mask) {
  static_assert(sizeof(T) <= kLaneBytes);
  T result;
  Meet(
      "shuffle", &value, sizeof(T), &result, sizeof(T),
      [](const char(*in)[kLaneBytes], char(*out)[kLaneBytes], int by) {
        for (int lane = 0; lane < 32; ++lane) std::memcpy(out[lane], in[lane ^ by], sizeof(T));
      },
      mask);
  return result;
}
inline uint32_t AddAtomically(uint32_t* to, uint32_t value) {
  const uint32_t before = *to;
  *to += value;
  return before;
}

void CopyAsync(void* to, const void* from, bool valid);
void CopyCommit();
void CopyWaitFor(int pending);
template <int kPending>
void CopyWait() {
  CopyWaitFor(kPending);
}
void LoadMatrices(uint32_t (&matrices)[4], const cuda::Half* row);
void LoadMatricesTransposed(uint32_t (&matrices)[4], const cuda::Half* row);
uint32_t TransposeMatrix(uint32_t matrix);
void Multiply(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);

}  // namespace assay::emulation
