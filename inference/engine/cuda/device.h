// What the GPU's runner asks of a GPU, as plain pointers and sizes: CUDA's own (device.cu), or a
// stand-in on the host that runs the same kernels (tests/emulation).
//
// One thread calls. Everything but Allocate and Wait is put into one queue and takes effect in the
// order of calls. The first error stays: after it nothing is done any more, and error() says what
// it was.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "inference/engine/cuda/kernels.h"

namespace assay::cuda {

struct DeviceFacts {
  std::string name;    // "NVIDIA H200"
  int capability = 0;  // 90 for 9.0
  int multiprocessors = 0;
  size_t total_bytes = 0;
  size_t free_bytes = 0;    // when it was opened
  std::string products;     // the library of products and its version
  int driver_version = 0;   // 13000 for 13.0: what the driver can run
  int runtime_version = 0;  // what this program was built with
};

// y[rows][out] = x[rows][in] * weights[out][in]^T, added up in float32; y is float or half.
struct ProductShape {
  int rows = 0, in = 0, out = 0;
  bool half_out = false;
  auto operator<=>(const ProductShape&) const = default;
};

class Device {
 public:
  virtual ~Device() = default;
  virtual const DeviceFacts& facts() const = 0;
  virtual const Kernels& kernels() const = 0;
  virtual Stream stream() const = 0;
  // Blocks of decode_attention that run at the same time.
  virtual int decode_blocks(int head_dim) const = 0;
  // Empty: no error so far.
  virtual const std::string& error() const = 0;

  // Null where there is no room, which is no error. Aligned to 256 bytes.
  virtual void* Allocate(size_t bytes) = 0;
  virtual void Free(void* memory) = 0;
  // On the host, where copies need no detour. Null where there is none.
  virtual void* AllocatePinned(size_t bytes) = 0;
  virtual void FreePinned(void* memory) = 0;

  // Pinned memory must stay as it is until a Mark made later has been waited for.
  virtual void ToDevice(void* to, const void* from, size_t bytes) = 0;
  virtual void ToHost(void* to, const void* from, size_t bytes) = 0;
  virtual void Copy(void* to, const void* from, size_t bytes) = 0;
  virtual void Fill(void* to, int byte, size_t bytes) = 0;

  static constexpr int kMarks = 4;
  virtual void Mark(int mark) = 0;
  virtual void WaitFor(int mark) = 0;  // until all that was asked for before Mark is done
  virtual void Wait() = 0;             // for everything

  // Chooses how a product of this shape is computed, once; always the same way from then on. An
  // error: no way that adds each element up in a fixed order.
  virtual void Prepare(const ProductShape& shape) = 0;
  virtual void Multiply(const ProductShape& shape, const Half* weights, const Half* x, void* y) = 0;
  // What the bits of products hang on beside the library's version: the ways that were chosen.
  virtual std::string ChosenWays() const = 0;

  // The work of a step of this many rows, for which `owner` asks for the same every time: recorded
  // and then replayed as a whole, until the owner's buffers are given back and Forget is called.
  virtual void Replay(const void* owner, int rows, const std::function<void()>& work) = 0;
  virtual void Forget(const void* owner) = 0;
};

}  // namespace assay::cuda
