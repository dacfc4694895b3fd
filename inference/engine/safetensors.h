// Reads the header of a .safetensors file and believes none of it.
//
// The format (Hugging Face, safetensors README): a 64-bit little-endian length N, N bytes of JSON
// {name: {dtype, shape, data_offsets: [begin, end]}}, then the tensors' bytes without holes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "inference/engine/checkpoint.h"

namespace assay {

// The tensors of a file's bytes, sorted by name; their `bytes` point into `file`. Errors begin with
// `name`, the file's. What is checked: the length fits in the file and is at most 100 MB; the
// header begins with '{' and is one JSON object without repeated names; types are BF16, F16 or F32;
// sizes do not overflow and agree with the offsets; sorted by offset the tensors follow each other
// from 0 to the end of the file with neither hole nor overlap. Tensors without elements are legal.
absl::StatusOr<std::vector<Tensor>> ReadSafetensors(std::string_view file, std::string_view name);

// An index file: which tensor lies in which shard.
struct ShardIndex {
  std::vector<std::pair<std::string, std::string>> files;  // tensor, shard; sorted by tensor
  std::vector<std::string> shards;                         // each once, sorted; plain base names
};
absl::StatusOr<ShardIndex> ReadShardIndex(std::string_view text, std::string_view name);

}  // namespace assay
