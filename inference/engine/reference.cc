// Llama-style decoder: RMSNorm, rotary grouped-query attention, SwiGLU; after Hugging Face's
// modeling_{llama,qwen2,qwen3}.py, by their published mathematics.
#include "inference/engine/reference.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "harness/status.h"
#include "inference/engine/portable_math.h"
#include "inference/engine/weights.h"

namespace assay {
namespace {

using Floats = std::vector<float>;

// Sixteen running sums, added up pairwise at the end: an order that is fixed and yet leaves room
// for vectors.
float Dot(const float* a, const float* b, int count) {
  float sums[16] = {};
  int i = 0;
  for (; i + 16 <= count; i += 16) {
    for (int lane = 0; lane < 16; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  }
  for (int lane = 0; i < count; ++i, ++lane) sums[lane] += a[i] * b[i];
  for (int width = 8; width > 0; width /= 2) {
    for (int lane = 0; lane < width; ++lane) sums[lane] += sums[lane + width];
  }
  return sums[0];
}

// y = W x + b, W as [out, in].
void MatVec(const Floats& weight, const Floats& bias, const float* x, int in, int out, float* y) {
  for (int row = 0; row < out; ++row) {
    const float sum = Dot(&weight[static_cast<size_t>(row) * in], x, in);
    y[row] = bias.empty() ? sum : sum + bias[row];
  }
}

void RmsNorm(const float* x, const Floats& weight, double epsilon, int count, float* y) {
  const float mean = Dot(x, x, count) / static_cast<float>(count);
  const float scale = 1 / std::sqrt(mean + static_cast<float>(epsilon));
  for (int i = 0; i < count; ++i) y[i] = x[i] * scale * weight[i];
}

float Exp(float x) { return static_cast<float>(PortableExp(x)); }

// x / (1 + e^-x), without a large exponential on either side.
float Silu(float x) { return x >= 0 ? x / (1 + Exp(-x)) : x * Exp(x) / (1 + Exp(x)); }

struct Layer {
  Floats input_norm, post_norm, q, k, v, o, q_bias, k_bias, v_bias, o_bias, q_norm, k_norm, gate,
      up, down;
};

class ReferenceRunner final : public ModelRunner {
 public:
  ReferenceRunner(std::shared_ptr<const Checkpoint> checkpoint, const RunnerShape& shape,
                  int usable);

  const RunnerShape& shape() const override { return shape_; }
  std::string description() const override { return "reference: float32, scalar, version 1"; }
  absl::Status Prefill(std::span<const TokenRow> rows, std::span<RowOutput> outputs) override {
    return ForwardAll(rows, outputs);
  }
  absl::Status Decode(std::span<const TokenRow> rows, std::span<RowOutput> outputs) override {
    return ForwardAll(rows, outputs);
  }
  void CopyPage(int from, int to) override { std::copy_n(Page(from), page_floats_, Page(to)); }
  PageBytes SavePage(int page) override {
    PageBytes bytes = MakePageBytes(page_floats_ * sizeof(float));
    std::memcpy(bytes.get(), Page(page), page_floats_ * sizeof(float));
    return bytes;
  }
  void LoadPage(int page, const PageBytes& bytes) override {
    std::memcpy(Page(page), bytes.get(), page_floats_ * sizeof(float));
  }

 private:
  absl::Status ForwardAll(std::span<const TokenRow> rows, std::span<RowOutput> outputs);
  void Forward(const TokenRow& row);
  void Attend(const TokenRow& row, int layer, const float* q, float* out);
  void Rotate(int position, float* head) const;
  void Project(const Layer& layer, const TokenRow& row, int index);
  float* Page(int page) { return &cache_[page * page_floats_]; }
  // Keys of a position in a layer, all heads; its values follow them.
  float* Cached(const TokenRow& row, int position, int layer) {
    const int slot = position % shape_.page_tokens;
    return Page(row.pages[position / shape_.page_tokens]) +
           (static_cast<size_t>(layer) * shape_.page_tokens + slot) * 2 * kv_width_;
  }

  std::shared_ptr<const Checkpoint> checkpoint_;  // shared with whoever opened it
  const ModelConfig& config_;
  RunnerShape shape_;
  size_t q_width_, kv_width_, page_floats_;
  Floats embedding_, final_norm_, head_;  // head_ is empty where it is the embedding
  std::vector<Layer> layers_;
  RopeTable rope_;
  Sampler sampler_;
  Floats cache_;
  Floats x_, normed_, q_, attended_, gate_, up_, projected_, scores_, logits_;  // of one row
};

ReferenceRunner::ReferenceRunner(std::shared_ptr<const Checkpoint> checkpoint,
                                 const RunnerShape& shape, int usable)
    : checkpoint_(std::move(checkpoint)),
      config_(checkpoint_->config()),
      shape_(shape),
      q_width_(static_cast<size_t>(config_.heads) * config_.head_dim),
      kv_width_(static_cast<size_t>(config_.kv_heads) * config_.head_dim),
      page_floats_(2 * kv_width_ * config_.layers * shape.page_tokens),
      rope_(MakeRopeTable(config_, shape.max_positions)),
      sampler_(usable) {
  shape_.vocabulary = config_.vocabulary;
  const ModelTensors tensors = FindTensors(*checkpoint_);
  embedding_ = AllFloats(tensors.embedding);
  final_norm_ = AllFloats(tensors.final_norm);
  if (tensors.head != tensors.embedding) head_ = AllFloats(tensors.head);
  for (const LayerTensors& from : tensors.layers) {
    layers_.push_back({AllFloats(from.input_norm), AllFloats(from.post_norm), AllFloats(from.q),
                       AllFloats(from.k), AllFloats(from.v), AllFloats(from.o),
                       AllFloats(from.q_bias), AllFloats(from.k_bias), AllFloats(from.v_bias),
                       AllFloats(from.o_bias), AllFloats(from.q_norm), AllFloats(from.k_norm),
                       AllFloats(from.gate), AllFloats(from.up), AllFloats(from.down)});
  }
  cache_.resize(page_floats_ * shape_.pages);
  x_.resize(config_.hidden);
  normed_.resize(config_.hidden);
  projected_.resize(config_.hidden);
  q_.resize(q_width_);
  attended_.resize(q_width_);
  gate_.resize(config_.ffn);
  up_.resize(config_.ffn);
  scores_.resize(shape_.max_positions);
  logits_.resize(config_.vocabulary);
}

// Pairs are (i, i + half), as Hugging Face's rotate_half has them.
void ReferenceRunner::Rotate(int position, float* head) const {
  const float* cos = &rope_.cos[static_cast<size_t>(position) * rope_.half];
  const float* sin = &rope_.sin[static_cast<size_t>(position) * rope_.half];
  for (int i = 0; i < rope_.half; ++i) {
    const float a = head[i], b = head[i + rope_.half];
    head[i] = a * cos[i] - b * sin[i];
    head[i + rope_.half] = b * cos[i] + a * sin[i];
  }
}

// Queries into q_; keys and values into the row's place in the cache.
void ReferenceRunner::Project(const Layer& layer, const TokenRow& row, int index) {
  float* keys = Cached(row, row.position, index);
  float* values = keys + kv_width_;
  MatVec(layer.q, layer.q_bias, normed_.data(), config_.hidden, static_cast<int>(q_width_),
         q_.data());
  MatVec(layer.k, layer.k_bias, normed_.data(), config_.hidden, static_cast<int>(kv_width_), keys);
  MatVec(layer.v, layer.v_bias, normed_.data(), config_.hidden, static_cast<int>(kv_width_),
         values);
  const int dim = config_.head_dim;
  for (int head = 0; head < config_.heads + config_.kv_heads; ++head) {
    const bool is_query = head < config_.heads;
    float* at = is_query ? &q_[static_cast<size_t>(head) * dim]
                         : keys + static_cast<size_t>(head - config_.heads) * dim;
    if (config_.qk_norm) {
      RmsNorm(at, is_query ? layer.q_norm : layer.k_norm, config_.rms_epsilon, dim, at);
    }
    Rotate(row.position, at);
  }
}

void ReferenceRunner::Attend(const TokenRow& row, int layer, const float* q, float* out) {
  const int dim = config_.head_dim;
  const int group = config_.heads / config_.kv_heads;
  const float scale = 1 / std::sqrt(static_cast<float>(dim));
  for (int head = 0; head < config_.heads; ++head) {
    const size_t offset = static_cast<size_t>(head / group) * dim;
    const float* query = q + static_cast<size_t>(head) * dim;
    float greatest = -INFINITY, sum = 0;
    for (int p = 0; p <= row.position; ++p) {
      scores_[p] = Dot(query, Cached(row, p, layer) + offset, dim) * scale;
      greatest = std::max(greatest, scores_[p]);
    }
    float* mixed = out + static_cast<size_t>(head) * dim;
    std::fill_n(mixed, dim, 0.0F);
    for (int p = 0; p <= row.position; ++p) {
      const float weight = Exp(scores_[p] - greatest);
      const float* values = Cached(row, p, layer) + kv_width_ + offset;
      sum += weight;
      for (int i = 0; i < dim; ++i) mixed[i] += weight * values[i];
    }
    for (int i = 0; i < dim; ++i) mixed[i] /= sum;
  }
}

// Leaves the final hidden state, normed, in normed_.
void ReferenceRunner::Forward(const TokenRow& row) {
  const int hidden = config_.hidden;
  std::copy_n(&embedding_[static_cast<size_t>(row.token) * hidden], hidden, x_.data());
  for (int i = 0; i < config_.layers; ++i) {
    const Layer& layer = layers_[i];
    RmsNorm(x_.data(), layer.input_norm, config_.rms_epsilon, hidden, normed_.data());
    Project(layer, row, i);
    Attend(row, i, q_.data(), attended_.data());
    MatVec(layer.o, layer.o_bias, attended_.data(), static_cast<int>(q_width_), hidden,
           projected_.data());
    for (int j = 0; j < hidden; ++j) x_[j] += projected_[j];
    RmsNorm(x_.data(), layer.post_norm, config_.rms_epsilon, hidden, normed_.data());
    MatVec(layer.gate, {}, normed_.data(), hidden, config_.ffn, gate_.data());
    MatVec(layer.up, {}, normed_.data(), hidden, config_.ffn, up_.data());
    for (int j = 0; j < config_.ffn; ++j) gate_[j] = Silu(gate_[j]) * up_[j];
    MatVec(layer.down, {}, gate_.data(), config_.ffn, hidden, projected_.data());
    for (int j = 0; j < hidden; ++j) x_[j] += projected_[j];
  }
  RmsNorm(x_.data(), final_norm_, config_.rms_epsilon, hidden, normed_.data());
}

absl::Status ReferenceRunner::ForwardAll(std::span<const TokenRow> rows,
                                         std::span<RowOutput> outputs) {
  for (size_t i = 0; i < rows.size(); ++i) {
    const TokenRow& row = rows[i];
    CHECK(row.token >= 0 && row.token < config_.vocabulary && row.position < shape_.max_positions);
    Forward(row);
    if (row.draw == nullptr && row.target < 0 && row.logits.empty()) continue;
    MatVec(head_.empty() ? embedding_ : head_, {}, normed_.data(), config_.hidden,
           config_.vocabulary, logits_.data());
    RETURN_IF_ERROR(ReadLogits(logits_, row, &sampler_, &outputs[i]));
  }
  return absl::OkStatus();
}

}  // namespace

std::unique_ptr<ModelRunner> MakeReferenceRunner(std::shared_ptr<const Checkpoint> checkpoint,
                                                 RunnerShape shape, int usable) {
  return std::make_unique<ReferenceRunner>(std::move(checkpoint), shape, usable);
}

}  // namespace assay
