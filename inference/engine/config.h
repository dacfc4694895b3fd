// What config.json and its neighbours say about a model, checked: shapes, rope, end-of-sequence
// ids.
//
// Sources of meaning: Hugging Face's configuration_{qwen2,qwen3,llama}.py and
// modeling_rope_utils.py, by their published behaviour. A field that would change the model's
// numbers and that we do not follow is an error that names it; nothing is ignored.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/json.h"

namespace assay {

enum class Dtype { kBf16, kF16, kF32 };

std::string_view DtypeName(Dtype dtype);  // "BF16", "F16", "F32": as safetensors writes them
int DtypeBytes(Dtype dtype);              // 2, 2, 4

// The frequencies of Llama 3.1 and later: long wavelengths are stretched by `factor`.
struct Llama3Rope {
  double factor = 1;
  double low_frequency_factor = 1;
  double high_frequency_factor = 4;
  double original_max_positions = 8192;
};

// YaRN (arXiv:2309.00071), static: it changes short contexts too, so that a run records it.
struct YarnRope {
  double factor = 1;
  double beta_fast = 32;
  double beta_slow = 1;
  double original_max_positions = 0;
  double attention_factor = 1;  // cos and sin are both multiplied by it
  bool truncate = true;         // correction dimensions are rounded outwards
};

// Rotary embeddings are of the rotate-half kind: the first half of a head pairs with the second.
struct ModelConfig {
  std::string architecture;  // "qwen2", "qwen3", "llama"
  int hidden = 0;
  int layers = 0;
  int heads = 0;
  int kv_heads = 0;  // divides heads
  int head_dim = 0;  // need not be hidden / heads
  int ffn = 0;
  int vocabulary = 0;  // rows of the embedding; may exceed the tokenizer's size: mask the rest
  int max_positions = 0;
  double rms_epsilon = 0;
  double rope_theta = 0;                  // for frequencies ask RopeFrequencies (rope.h)
  std::optional<Llama3Rope> llama3_rope;  // at most one of these three
  std::optional<YarnRope> yarn_rope;
  std::optional<double> linear_rope_factor;
  bool tied_embeddings = false;  // the output matrix is the embedding
  bool qkv_bias = false;         // on q, k and v
  bool o_bias = false;           // on the attention's output
  bool qk_norm = false;        // RMSNorm over head_dim on each head of q and k, before the rotation
  Dtype dtype = Dtype::kBf16;  // of the weights in the files
  std::vector<int> eos;    // union of generation_config, config and tokenizer, sorted; may be empty
  std::optional<int> bos;  // the tokenizer's; config.json's is not believed (R1 distills lie)
  std::vector<std::string> unread_fields;  // of config.json, that mean nothing to us: reported
  Json generation_config;  // as in the file, reported and never applied; null where absent
};

// From the text of config.json. `name` stands in messages ("DIR/config.json: field 'rope_theta':
// expected a number, found a string"). eos holds config.json's own; bos stays empty; dtype is what
// the file claims (the tensors decide).
absl::StatusOr<ModelConfig> ParseModelConfig(std::string_view text, std::string_view name);

// "eos_token_id" of a config or generation config: an integer, a list of them, null or absent.
absl::StatusOr<std::vector<int>> EosIds(const Json& object, std::string_view name);

// The tensors that a model of this shape consists of, by their Hugging Face names.
struct TensorShape {
  std::string name;
  std::vector<int64_t> shape;
  std::string fields;  // of config.json that say so: "num_key_value_heads * head_dim, hidden_size"
};
std::vector<TensorShape> ExpectedTensors(const ModelConfig& config);

// For the manifest and `assay doctor`: the fields above.
Json ConfigToJson(const ModelConfig& config);

}  // namespace assay
