// Any bytes as a safetensors file and as an index: read or refused by name, never beyond the bytes;
// what is read tiles the data exactly.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "inference/engine/config.h"
#include "inference/engine/safetensors.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

// Header lengths that fit are rare among random bytes: the first two bytes say how long it is.
std::string WithLength(std::string_view bytes) {
  if (bytes.size() < 2) return std::string(bytes);
  const size_t length = static_cast<unsigned char>(bytes[0]) |
                        static_cast<size_t>(static_cast<unsigned char>(bytes[1])) << 8;
  std::string file{bytes[0], bytes[1]};
  file.resize(8, length > bytes.size() ? '\x01' : '\0');
  return file.append(bytes.substr(2));
}

void Check(std::string_view file) {
  const auto tensors = assay::ReadSafetensors(file, "fuzz");
  if (!tensors.ok()) return Require(tensors.status().message().substr(0, 5) == "fuzz:");
  size_t bytes = 0, elements_bytes = 0;
  for (const assay::Tensor& tensor : *tensors) {
    Require(tensor.bytes.empty() ||
            (tensor.bytes.data() >= file.data() + 8 && tensor.bytes.end() <= file.end()));
    size_t size = static_cast<size_t>(assay::DtypeBytes(tensor.dtype));
    for (const int64_t n : tensor.shape) size *= static_cast<size_t>(n);
    bytes += tensor.bytes.size();
    elements_bytes += size;
  }
  Require(bytes == elements_bytes && bytes < file.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Check(bytes);
  Check(WithLength(bytes));
  if (const auto index = assay::ReadShardIndex(bytes, "fuzz"); index.ok()) {
    for (const std::string& shard : index->shards) Require(shard.find('/') == std::string::npos);
  }
  if (const auto config = assay::ParseModelConfig(bytes, "fuzz"); config.ok()) {
    Require(config->heads % config->kv_heads == 0 && config->hidden > 0);
  }
  return 0;
}
