// A checkpoint's tensors by what they are for, and their numbers as floats.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "inference/engine/checkpoint.h"

namespace assay {

// Pointers into the Checkpoint, which outlives them. Null: this model has none.
struct LayerTensors {
  const Tensor* input_norm = nullptr;                                   // [hidden]
  const Tensor *q = nullptr, *k = nullptr, *v = nullptr, *o = nullptr;  // [out, in]
  const Tensor *q_bias = nullptr, *k_bias = nullptr, *v_bias = nullptr, *o_bias = nullptr;
  const Tensor *q_norm = nullptr, *k_norm = nullptr;  // [head_dim]
  const Tensor* post_norm = nullptr;                  // [hidden]
  const Tensor *gate = nullptr, *up = nullptr, *down = nullptr;
};
struct ModelTensors {
  const Tensor* embedding = nullptr;   // [vocabulary, hidden]
  const Tensor* final_norm = nullptr;  // [hidden]
  const Tensor* head = nullptr;        // [vocabulary, hidden]; the embedding where they are tied
  std::vector<LayerTensors> layers;
};
ModelTensors FindTensors(const Checkpoint& checkpoint);

// Elements begin .. begin + count, in the tensor's order, each exactly.
void ReadFloats(const Tensor& tensor, int64_t begin, int64_t count, float* out);
// The whole tensor; empty for null.
std::vector<float> AllFloats(const Tensor* tensor);

// Brings the mapped pages of `bytes` into memory at once, which costs far less than one by one as
// they are touched. A hint, too.
void FetchPages(std::string_view bytes);

// Asks for the mapped pages of `bytes` without waiting for them.
void AnnouncePages(std::string_view bytes);

// Tells the system that the mapped pages wholly within a tensor's `bytes` need not stay in memory:
// they come back from the file when they are read again. A hint; the values do not change.
void ForgetPages(std::string_view bytes);

// cos and sin of every position's angles, rounded once from double.
struct RopeTable {
  int half = 0;                 // head_dim / 2
  std::vector<float> cos, sin;  // [position][half]
};
RopeTable MakeRopeTable(const ModelConfig& config, int positions);

}  // namespace assay
