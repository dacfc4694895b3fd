// Names as Hugging Face's models give them; Checkpoint::Open has checked that they are all there.
#include "inference/engine/weights.h"

#include <sys/mman.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "absl/strings/str_format.h"
#include "harness/status.h"
#include "inference/engine/rope.h"

namespace assay {
namespace {

const Tensor* Need(const Checkpoint& checkpoint, const std::string& name) {
  const Tensor* tensor = checkpoint.Find(name);
  CHECK(tensor != nullptr);
  return tensor;
}

float HalfToFloat(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t exponent = (half >> 10) & 31;
  const uint32_t mantissa = half & 1023;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000 | mantissa << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
  const float tiny = static_cast<float>(mantissa) * 0x1p-24F;
  return sign != 0 ? -tiny : tiny;
}

template <typename Word>
Word Load(const char* bytes, int64_t index) {
  Word word;
  std::memcpy(&word, bytes + index * static_cast<int64_t>(sizeof(Word)), sizeof(Word));
  return word;
}

}  // namespace

ModelTensors FindTensors(const Checkpoint& checkpoint) {
  const ModelConfig& config = checkpoint.config();
  ModelTensors model;
  model.embedding = Need(checkpoint, "model.embed_tokens.weight");
  model.final_norm = Need(checkpoint, "model.norm.weight");
  model.head = config.tied_embeddings ? model.embedding : Need(checkpoint, "lm_head.weight");
  for (int i = 0; i < config.layers; ++i) {
    const std::string prefix = absl::StrFormat("model.layers.%d.", i);
    const auto need = [&](const char* name) { return Need(checkpoint, prefix + name); };
    LayerTensors layer;
    layer.input_norm = need("input_layernorm.weight");
    layer.post_norm = need("post_attention_layernorm.weight");
    layer.q = need("self_attn.q_proj.weight");
    layer.k = need("self_attn.k_proj.weight");
    layer.v = need("self_attn.v_proj.weight");
    layer.o = need("self_attn.o_proj.weight");
    if (config.qkv_bias) {
      layer.q_bias = need("self_attn.q_proj.bias");
      layer.k_bias = need("self_attn.k_proj.bias");
      layer.v_bias = need("self_attn.v_proj.bias");
    }
    if (config.o_bias) layer.o_bias = need("self_attn.o_proj.bias");
    if (config.qk_norm) {
      layer.q_norm = need("self_attn.q_norm.weight");
      layer.k_norm = need("self_attn.k_norm.weight");
    }
    layer.gate = need("mlp.gate_proj.weight");
    layer.up = need("mlp.up_proj.weight");
    layer.down = need("mlp.down_proj.weight");
    model.layers.push_back(layer);
  }
  return model;
}

void ReadFloats(const Tensor& tensor, int64_t begin, int64_t count, float* out) {
  const char* bytes = tensor.bytes.data();
  switch (tensor.dtype) {
    case Dtype::kBf16:
      for (int64_t i = 0; i < count; ++i) {
        out[i] = std::bit_cast<float>(uint32_t{Load<uint16_t>(bytes, begin + i)} << 16);
      }
      break;
    case Dtype::kF16:
      for (int64_t i = 0; i < count; ++i) out[i] = HalfToFloat(Load<uint16_t>(bytes, begin + i));
      break;
    case Dtype::kF32:
      std::memcpy(out, bytes + begin * 4, static_cast<size_t>(count) * 4);
      break;
  }
}

std::vector<float> AllFloats(const Tensor* tensor) {
  if (tensor == nullptr) return {};
  int64_t count = 1;
  for (const int64_t extent : tensor->shape) count *= extent;
  std::vector<float> values(count);
  ReadFloats(*tensor, 0, count, values.data());
  return values;
}

namespace {

void AdviseAround(std::string_view bytes, int advice) {
  constexpr uintptr_t kPage = 4096;
  const auto begin = reinterpret_cast<uintptr_t>(bytes.data());
  const uintptr_t first = begin / kPage * kPage;
  const uintptr_t end = (begin + bytes.size() + kPage - 1) / kPage * kPage;
  if (first < end) madvise(reinterpret_cast<void*>(first), end - first, advice);
}

}  // namespace

void FetchPages(std::string_view bytes) {
#ifdef MADV_POPULATE_READ
  // A kernel before 5.14 does not know it: then pages come one by one.
  AdviseAround(bytes, MADV_POPULATE_READ);
#else
  (void)bytes;
#endif
}

void AnnouncePages(std::string_view bytes) { AdviseAround(bytes, MADV_WILLNEED); }

void ForgetPages(std::string_view bytes) {
  constexpr uintptr_t kPage = 4096;
  const auto begin = reinterpret_cast<uintptr_t>(bytes.data());
  const uintptr_t first = (begin + kPage - 1) / kPage * kPage;
  const uintptr_t end = (begin + bytes.size()) / kPage * kPage;
  if (first < end) madvise(reinterpret_cast<void*>(first), end - first, MADV_DONTNEED);
}

RopeTable MakeRopeTable(const ModelConfig& config, int positions) {
  const RopeFrequencies rope = ComputeRopeFrequencies(config);
  RopeTable table;
  table.half = static_cast<int>(rope.inverse.size());
  for (int position = 0; position < positions; ++position) {
    for (const double inverse : rope.inverse) {
      const double angle = position * inverse;
      table.cos.push_back(static_cast<float>(std::cos(angle) * rope.attention_factor));
      table.sin.push_back(static_cast<float>(std::sin(angle) * rope.attention_factor));
    }
  }
  return table;
}

}  // namespace assay
