// The instructions of a warp that the kernels use, under names: the GPU's own or, where a test has
// included its emulator (tests/emulation/emulator.h) before, functions that do the same on a host.
//
// Fragments of mma.m16n8k16 are as the PTX manual lays them out; with `lane` in 0 .. 31:
//   A [16][16]  a[0]: row lane / 4,     columns lane % 4 * 2 + {0, 1}    a[2]: columns + 8
//               a[1]: row lane / 4 + 8                                   a[3]: columns + 8
//   B [16][8]   b[0]: rows lane % 4 * 2 + {0, 1}, column lane / 4        b[1]: rows + 8
//   C [16][8]   c[0], c[1]: row lane / 4, columns lane % 4 * 2 + {0, 1}  c[2], c[3]: row + 8
#pragma once

#include <math.h>
#include <cstdint>
#include <cstring>

#include "inference/engine/cuda/layout.h"

#ifdef ASSAY_EMULATE_CUDA

#define KERNEL_NAMESPACE assay::emulated
#define KERNEL static void
#define KERNEL_BOUNDS(threads, blocks)
#define DEVICE inline
#define UNROLL
#define LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                         \
  do {                                                                                 \
    (void)(stream);                                                                    \
    assay::emulation::Launch(grid, block, shared_bytes, [=] { kernel(__VA_ARGS__); }); \
  } while (false)

#else

#include <cuda_runtime.h>
#define KERNEL_NAMESPACE assay::cuda
#define KERNEL __global__ void
#define KERNEL_BOUNDS(threads, blocks) __launch_bounds__(threads, blocks)
#define DEVICE __device__ __forceinline__
#define UNROLL _Pragma("unroll")
// What may go wrong here stays in cudaGetLastError, which the device asks after each step.
#define LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                             \
  do {                                                                                     \
    if ((shared_bytes) > 48 * 1024) {                                                      \
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,            \
                           static_cast<int>(shared_bytes));                                \
    }                                                                                      \
    kernel<<<grid, block, shared_bytes, static_cast<cudaStream_t>(stream)>>>(__VA_ARGS__); \
  } while (false)

#endif

namespace KERNEL_NAMESPACE {

using Half = cuda::Half;

#ifdef ASSAY_EMULATE_CUDA

using emulation::AddAtomically;
using emulation::CopyAsync;
using emulation::CopyCommit;
using emulation::CopyWait;
using emulation::LoadMatrices;
using emulation::LoadMatricesTransposed;
using emulation::Multiply;
using emulation::ShuffleXor;
using emulation::SyncBlock;
using emulation::SyncWarp;
using emulation::TransposeMatrix;
template <typename T>
inline T& Shared() {
  return *reinterpret_cast<T*>(emulation::SharedBytes(sizeof(T)));
}

#else

DEVICE void SyncBlock() { __syncthreads(); }
DEVICE void SyncWarp() { __syncwarp(); }

template <typename T>
DEVICE T ShuffleXor(T value, int mask) {
  return __shfl_xor_sync(0xFFFFFFFFU, value, mask);
}
DEVICE uint32_t AddAtomically(uint32_t* to, uint32_t value) { return atomicAdd(to, value); }

DEVICE uint32_t SharedAddress(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

// 16 bytes to shared memory, behind the program's back until CopyWait; zeros where !valid.
DEVICE void CopyAsync(void* to, const void* from, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(SharedAddress(to)),
               "l"(from), "r"(valid ? 16 : 0)
               : "memory");
}
DEVICE void CopyCommit() { asm volatile("cp.async.commit_group;\n" ::: "memory"); }
// Until at most kPending of this thread's groups are still on their way.
template <int kPending>
DEVICE void CopyWait() {
  asm volatile("cp.async.wait_group %0;\n" ::"n"(kPending) : "memory");
}

// Four 8 x 8 matrices of halves; lane i names row i % 8 of matrix i / 8 (16 bytes, aligned to 16).
// Lane i gets elements i % 4 * 2 + {0, 1} of row i / 4 of each.
DEVICE void LoadMatrices(uint32_t (&matrices)[4], const Half* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(matrices[0]), "=r"(matrices[1]), "=r"(matrices[2]), "=r"(matrices[3])
               : "r"(SharedAddress(row))
               : "memory");
}
// Lane i gets elements i / 4 of rows i % 4 * 2 + {0, 1}.
DEVICE void LoadMatricesTransposed(uint32_t (&matrices)[4], const Half* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(matrices[0]), "=r"(matrices[1]), "=r"(matrices[2]), "=r"(matrices[3])
               : "r"(SharedAddress(row))
               : "memory");
}
// From lane i holding elements i % 4 * 2 + {0, 1} of row i / 4, to the same of the transpose.
DEVICE uint32_t TransposeMatrix(uint32_t matrix) {
  uint32_t transposed;
  asm volatile("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;\n" : "=r"(transposed) : "r"(matrix));
  return transposed;
}
// c += a b.
DEVICE void Multiply(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};\n"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// The block's shared memory, as one struct.
template <typename T>
DEVICE T& Shared() {
  extern __shared__ __align__(128) unsigned char bytes[];
  return *reinterpret_cast<T*>(bytes);
}

#endif

DEVICE uint32_t BitsOf(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return bits;
}
DEVICE float FloatOf(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}
DEVICE float Widen(Half half) { return FloatOf(static_cast<uint32_t>(half) << 16); }
// To the nearest, ties to even: as the CPU's kernels round.
DEVICE Half Round(float value) {
  const uint32_t bits = BitsOf(value);
  return static_cast<Half>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}
DEVICE uint32_t RoundPair(float low, float high) {
  return static_cast<uint32_t>(Round(low)) | static_cast<uint32_t>(Round(high)) << 16;
}

// The sum over a warp, in every lane, in a fixed order.
DEVICE float WarpSum(float value) {
  UNROLL for (int mask = 16; mask > 0; mask /= 2) value += ShuffleXor(value, mask);
  return value;
}

}  // namespace KERNEL_NAMESPACE
