// A Hugging Face checkpoint directory, opened and checked: configuration, weights, tokenizer.
//
// Reads config.json, generation_config.json, model.safetensors or model.safetensors.index.json with
// its shards, tokenizer.json, tokenizer_config.json. Weights are mapped, not copied. Open checks
// all that can be known before the first token: every tensor that the configuration calls for is
// there with its shape, none is there that it does not call for, no weight is NaN or infinite, the
// tied output matrix is the embedding.
//
// Immutable once opened; any thread may read. A file that is truncated while it is mapped kills the
// process (SIGBUS): do not overwrite a checkpoint that is being evaluated.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "inference/engine/config.h"
#include "inference/engine/tokenizer.h"

namespace assay {

// One tensor, row-major, little-endian. `bytes` points into the mapped file and is owned by the
// Checkpoint; it is aligned to nothing in particular: copy, or use unaligned loads.
struct Tensor {
  std::string name;
  Dtype dtype = Dtype::kBf16;
  std::vector<int64_t> shape;  // [out, in] for matrices
  std::string_view bytes;
};

class MappedFile;

struct CheckpointOptions {
  bool read_weights = true;  // false: hash() is empty, and NaN is not looked for
  int threads = 0;           // for reading the weights once; 0: as many as there are cores
};

class Checkpoint {
 public:
  // Errors name the file and the field or tensor.
  static absl::StatusOr<std::shared_ptr<const Checkpoint>> Open(
      const std::string& directory, const CheckpointOptions& options = {});
  ~Checkpoint();

  const std::string& directory() const { return directory_; }
  const ModelConfig& config() const { return config_; }
  // The tensor of that name, or nullptr. Every name of ExpectedTensors(config()) is found.
  const Tensor* Find(std::string_view name) const;
  const std::vector<Tensor>& tensors() const { return tensors_; }  // sorted by name
  // SHA-256 over names, types, shapes and bytes of the weights; the same however they are sharded.
  const std::string& hash() const { return hash_; }
  // Null where the directory holds no tokenizer.json.
  const std::shared_ptr<const Tokenizer>& tokenizer() const { return tokenizer_; }
  int64_t parameters() const;
  int64_t weight_bytes() const;

 private:
  Checkpoint() = default;
  std::string directory_;
  ModelConfig config_;
  std::vector<std::unique_ptr<MappedFile>> files_;
  std::vector<Tensor> tensors_;
  std::string hash_;
  // Shared: the chat format, the scheduler and the caller read the same one.
  std::shared_ptr<const Tokenizer> tokenizer_;
};

}  // namespace assay
