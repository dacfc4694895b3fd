// What --model-args may say to the embedded engine.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/json.h"
#include "inference/engine/chat.h"

namespace assay {

enum class Device { kAuto, kCpu, kCuda, kReference };
enum class WeightFormat { kAuto, kBf16, kF32 };

struct EngineOptions {
  Device device = Device::kAuto;
  WeightFormat weights = WeightFormat::kAuto;
  ChatOptions chat;
  bool use_chat_template = true;  // false: a prompt is one message, encoded as it stands
  int threads = 0;                // 0: as many as there are cores
  int batch = 0;                  // samples in flight at most; 0: what suits the device
  int prefill_chunk = 0;          // prompt tokens in a step at most; 0: likewise
  // On a GPU: steps shrink with what runs. Faster at the end of a run, and tokens then hang on what
  // else ran; else every step has its full size.
  bool fast = false;
  std::optional<int> context;             // positions of a sequence; unset: the checkpoint's
  std::optional<double> kv_memory_bytes;  // of the key-value cache; unset: from what is free
};

// Names, for Backend::options.
std::vector<std::string> EngineOptionNames();
// `given` is the object of --model-args, or null. Errors name the option, what was found and what
// was wanted.
absl::StatusOr<EngineOptions> ReadEngineOptions(const Json& given);
std::string_view DeviceName(Device device);

}  // namespace assay
