// A GPU's stand-in on the host: the same kernels in the emulator, products by plain loops.
#pragma once

#include <memory>

#include "inference/engine/cuda/device.h"

namespace assay {

struct EmulatedDeviceOptions {
  size_t memory_bytes = size_t{1} << 32;  // that Allocate gives at most
  // > 0: from this many calls of the queue on, every one is an error.
  int64_t fails_after = 0;
};
std::unique_ptr<cuda::Device> MakeEmulatedDevice(const EmulatedDeviceOptions& options = {});

}  // namespace assay
