// Between the engine's rows and the model's plain numbers: loading, orders, results, errors.
#include "inference/engine/cuda/runner.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <deque>

#include "absl/strings/str_format.h"
#include "harness/hash.h"
#include "harness/status.h"
#include "inference/engine/cuda/draw_math.h"
#include "inference/engine/weights.h"

namespace assay {
namespace {

using cuda::DrawInput;
using cuda::Half;
using cuda::RowInput;
using cuda::RowResult;

Half RoundToHalf(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return static_cast<Half>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

// Elements begin .. begin + count of matrices that lie one behind the other, as halves.
void ReadHalves(const std::vector<const Tensor*>& parts, int64_t begin, int64_t count, char* out) {
  std::vector<float> floats;
  for (const Tensor* part : parts) {
    int64_t elements = 1;
    for (const int64_t extent : part->shape) elements *= extent;
    const int64_t take = std::min(count, elements - begin);
    if (take > 0) {
      if (part->dtype == Dtype::kBf16) {
        std::memcpy(out, part->bytes.data() + begin * 2, static_cast<size_t>(take) * 2);
      } else {
        floats.resize(take);
        ReadFloats(*part, begin, take, floats.data());
        for (int64_t i = 0; i < take; ++i) {
          const Half half = RoundToHalf(floats[i]);
          std::memcpy(out + i * 2, &half, sizeof(half));
        }
      }
      out += take * 2;
      count -= take;
      begin = 0;
    } else {
      begin -= elements;
    }
  }
  CHECK(count == 0);
}

bool DrawnOnHost(const TokenRow& row) {
  return row.draw != nullptr && row.draw->plan->repetition_penalty != 1;
}

DrawInput DrawOf(const TokenRow& row) {
  DrawInput draw;
  draw.target = row.target;
  if (row.draw == nullptr || DrawnOnHost(row)) return draw;
  const SamplingPlan& plan = *row.draw->plan;
  draw.key = row.draw->key.key;
  draw.sample = row.draw->key.sample;
  draw.position = row.draw->key.position;
  draw.inverse_temperature = plan.temperature > 0 ? 1 / plan.temperature : 0;
  draw.top_p = plan.top_p;
  draw.min_p = plan.min_p;
  draw.top_k = plan.top_k;
  draw.logprobs = std::min(plan.logprobs, cuda::kMostLogprobs);
  draw.draws = 1;
  return draw;
}

absl::Status ReadResult(const RowResult& result, int position, const DrawInput& draw, int usable,
                        RowOutput* output) {
  if (draw.draws == 0 && draw.target < 0) return absl::OkStatus();
  if (result.bad >= 0) {
    return Internal(
        "the logit of token %d at position %d is %f: the weights or their format overflow this "
        "runner's numbers",
        result.bad, position, result.bad_value);
  }
  if (draw.draws != 0) {
    if (result.drawn < 0 || result.drawn >= usable) {
      return Internal(
          "the GPU drew token %d at position %d, and ids end at %d: its sampling kernel "
          "or its memory is broken",
          result.drawn, position, usable);
    }
    output->drawn.id = result.drawn;
    output->drawn.top.clear();
    if (draw.logprobs > 0) output->drawn.logprob = static_cast<float>(result.logprob);
    for (int i = 0; i < std::min(draw.logprobs, usable); ++i) {
      output->drawn.top.push_back({result.top_ids[i], static_cast<float>(result.top_logprobs[i])});
    }
  }
  if (draw.target >= 0) {
    output->target_logprob = result.target_logprob;
    output->target_is_greatest = result.target_is_greatest != 0;
  }
  return absl::OkStatus();
}

class CudaRunner final : public ModelRunner {
 public:
  CudaRunner(std::shared_ptr<const Checkpoint> checkpoint, std::unique_ptr<cuda::Device> device,
             const RunnerShape& shape, int usable, bool fast)
      : checkpoint_(std::move(checkpoint)),
        device_(std::move(device)),
        shape_(shape),
        usable_(usable),
        fast_(fast),
        sampler_(usable) {
    shape_.vocabulary = checkpoint_->config().vocabulary;
  }
  CudaRunner(std::unique_ptr<cuda::Device> device, std::unique_ptr<cuda::Model> model)
      : device_(std::move(device)),
        shape_({.decode_rows = model->steps().decode_rows,
                .prefill_rows = model->steps().prefill_rows,
                .page_tokens = cuda::kPagePositions,
                .pages = model->steps().pages,
                .max_positions = model->steps().max_positions,
                .vocabulary = model->shape().vocabulary}),
        usable_(model->shape().usable),
        fast_(model->steps().fast),
        sampler_(usable_),
        model_(std::move(model)) {}
  absl::Status Open();

  const RunnerShape& shape() const override { return shape_; }
  std::string description() const override;
  absl::Status Prefill(std::span<const TokenRow> rows, std::span<RowOutput> outputs) override;
  absl::Status Decode(std::span<const TokenRow> rows, std::span<RowOutput> outputs) override {
    CHECK(begun_.empty());
    RETURN_IF_ERROR(BeginDecode(rows));
    return FinishDecode(outputs);
  }
  int decode_depth() const override { return cuda::Model::kDepth; }
  absl::Status BeginDecode(std::span<const TokenRow> rows) override;
  absl::Status FinishDecode(std::span<RowOutput> outputs) override;
  void CopyPage(int from, int to) override { model_->CopyPage(from, to); }
  PageBytes SavePage(int page) override;
  void LoadPage(int page, const PageBytes& bytes) override {
    if (bytes != nullptr) model_->LoadPage(page, bytes.get());
  }

 private:
  // What the host does with a row of a step under way, once its logits are there.
  struct LateRow {
    int position = 0;
    DrawInput draw;
    bool on_host = false;
    SamplingPlan plan;
    DrawKey key;
    std::vector<int> prompt, reply;  // for the penalty
    int target = -1;
    std::span<float> logits;
  };
  struct Begun {
    std::vector<LateRow> rows;
  };

  absl::Status DeviceStatus() const;
  void LoadAll();
  void LoadHalves(Half* to, const std::vector<const Tensor*>& parts);
  void LoadFloats(float* to, const std::vector<float>& values);
  absl::Status ReadLate(const LateRow& late, std::span<const float> logits, RowOutput* output);

  // Shared with whoever opened it; null over a model that came filled.
  std::shared_ptr<const Checkpoint> checkpoint_;
  std::unique_ptr<cuda::Device> device_;
  RunnerShape shape_;
  const int usable_;
  const bool fast_;
  Sampler sampler_;
  std::unique_ptr<cuda::Model> model_;  // before the device in destruction
  std::deque<Begun> begun_;
  absl::Status host_status_;  // no memory for a page
};

// --- opening ---

absl::Status CudaRunner::Open() {
  const cuda::ModelShape model = CudaModelShape(checkpoint_->config(), usable_);
  const cuda::StepShape step = CudaStepShape(shape_, fast_);
  const std::string& directory = checkpoint_->directory();
  if (model.heads / model.kv_heads > cuda::kMostGroup) {
    return InvalidArgument(
        "%s/config.json: %d heads share %d key-value heads, and device=cuda computes groups of at "
        "most %d; device=cpu runs it",
        directory, model.heads, model.kv_heads, cuda::kMostGroup);
  }
  if (model.vocabulary > cuda::kMostVocabulary) {
    return InvalidArgument("%s/config.json: field 'vocab_size' is %d, and device=cuda holds %d",
                           directory, model.vocabulary, cuda::kMostVocabulary);
  }
  std::string error;
  model_ = cuda::Model::Make(device_.get(), model, step, &error);
  if (model_ == nullptr) {
    const cuda::Needs needs = cuda::NeedsOf(model, step);
    return ResourceExhausted(
        "%s: %s: %.2f GB of weights, %.2f GB of key-value cache and %.2f GB for steps are needed "
        "on "
        "%s, and %.2f GB of its %.2f GB were free",
        directory, error, needs.weights / 1e9, static_cast<double>(needs.page) * step.pages / 1e9,
        needs.steps / 1e9, device_->facts().name, device_->facts().free_bytes / 1e9,
        device_->facts().total_bytes / 1e9);
  }
  LoadAll();
  return DeviceStatus();
}

void CudaRunner::LoadHalves(Half* to, const std::vector<const Tensor*>& parts) {
  size_t bytes = 0;
  for (const Tensor* part : parts) {
    size_t elements = 1;
    for (const int64_t extent : part->shape) elements *= static_cast<size_t>(extent);
    bytes += elements * sizeof(Half);
  }
  model_->Load(to, bytes, [&](char* piece, size_t begin, size_t count) {
    ReadHalves(parts, static_cast<int64_t>(begin / 2), static_cast<int64_t>(count / 2), piece);
  });
  for (const Tensor* part : parts) ForgetPages(part->bytes);
}

void CudaRunner::LoadFloats(float* to, const std::vector<float>& values) {
  if (to == nullptr) return;
  model_->Load(to, values.size() * sizeof(float), [&](char* piece, size_t begin, size_t count) {
    std::memcpy(piece, reinterpret_cast<const char*>(values.data()) + begin, count);
  });
}

void CudaRunner::LoadAll() {
  const ModelTensors tensors = FindTensors(*checkpoint_);
  const cuda::Model::Weights& to = model_->weights();
  LoadHalves(to.embedding, {tensors.embedding});
  if (to.head != to.embedding) LoadHalves(to.head, {tensors.head});
  LoadFloats(to.final_norm, AllFloats(tensors.final_norm));
  const RopeTable rope = MakeRopeTable(checkpoint_->config(), shape_.max_positions);
  LoadFloats(to.cos, rope.cos);
  LoadFloats(to.sin, rope.sin);
  for (size_t i = 0; i < tensors.layers.size(); ++i) {
    const LayerTensors& from = tensors.layers[i];
    const cuda::Model::Layer& layer = to.layers[i];
    LoadHalves(layer.qkv, {from.q, from.k, from.v});
    LoadHalves(layer.o, {from.o});
    LoadHalves(layer.gate_up, {from.gate, from.up});
    LoadHalves(layer.down, {from.down});
    LoadFloats(layer.input_norm, AllFloats(from.input_norm));
    LoadFloats(layer.post_norm, AllFloats(from.post_norm));
    std::vector<float> bias;
    for (const Tensor* part : {from.q_bias, from.k_bias, from.v_bias}) {
      const std::vector<float> values = AllFloats(part);
      bias.insert(bias.end(), values.begin(), values.end());
    }
    LoadFloats(layer.qkv_bias, bias);
    LoadFloats(layer.o_bias, AllFloats(from.o_bias));
    LoadFloats(layer.q_norm, AllFloats(from.q_norm));
    LoadFloats(layer.k_norm, AllFloats(from.k_norm));
  }
}

std::string CudaRunner::description() const {
  const cuda::DeviceFacts& facts = device_->facts();
  return absl::StrFormat(
      "cuda: bf16, %s, sm_%d, %d multiprocessors, %s, ways %s, %s rows %d and %d, version 1",
      facts.name, facts.capability, facts.multiprocessors, facts.products,
      Sha256Hex(device_->ChosenWays()).substr(0, 12), fast_ ? "at most" : "fixed",
      shape_.decode_rows, shape_.prefill_rows);
}

absl::Status CudaRunner::DeviceStatus() const {
  RETURN_IF_ERROR(host_status_);
  if (device_->error().empty()) return absl::OkStatus();
  return Unavailable(
      "%s: %s; what has been stored stays, and `assay resume` goes on on this machine when its GPU "
      "works again",
      device_->facts().name, device_->error());
}

// --- steps ---

absl::Status CudaRunner::BeginDecode(std::span<const TokenRow> rows) {
  RETURN_IF_ERROR(DeviceStatus());
  CHECK(!rows.empty() && rows.size() <= static_cast<size_t>(shape_.decode_rows));
  CHECK(begun_.size() < static_cast<size_t>(decode_depth()));
  std::vector<RowInput> inputs;
  std::vector<DrawInput> draws;
  std::vector<cuda::PageList> sequences;
  std::vector<char> keep;
  Begun step;
  for (const TokenRow& row : rows) {
    CHECK(row.position < shape_.max_positions && row.token < shape_.vocabulary);
    CHECK(row.from_row >= 0 ? !begun_.empty() : row.token >= 0);
    inputs.push_back({row.token, row.from_row, row.position, static_cast<int>(sequences.size())});
    sequences.emplace_back(row.pages);
    draws.push_back(DrawOf(row));
    LateRow late;
    late.position = row.position;
    late.draw = draws.back();
    late.on_host = DrawnOnHost(row);
    late.target = row.target;
    late.logits = row.logits;
    if (late.on_host) {
      late.plan = *row.draw->plan;
      late.key = row.draw->key;
      late.prompt.assign(row.draw->prompt.begin(), row.draw->prompt.end());
      late.reply.assign(row.draw->reply.begin(), row.draw->reply.end());
    }
    keep.push_back(late.on_host || !late.logits.empty() ? 1 : 0);
    step.rows.push_back(std::move(late));
  }
  model_->BeginDecode({inputs, draws, sequences, keep});
  begun_.push_back(std::move(step));
  return DeviceStatus();
}

// What the host does itself, by the code of the other runners.
absl::Status CudaRunner::ReadLate(const LateRow& late, std::span<const float> logits,
                                  RowOutput* output) {
  if (logits.empty()) return ResourceExhausted("no host memory for a row of logits");
  DrawOrder order;
  order.plan = &late.plan;
  order.key = late.key;
  order.prompt = late.prompt;
  order.reply = late.reply;
  TokenRow row;
  row.position = late.position;
  row.draw = late.on_host ? &order : nullptr;
  row.target = late.target;
  row.logits = late.logits;
  RowOutput read;
  RETURN_IF_ERROR(ReadLogits(logits, row, &sampler_, &read));
  if (late.on_host) *output = std::move(read);
  return absl::OkStatus();
}

absl::Status CudaRunner::FinishDecode(std::span<RowOutput> outputs) {
  CHECK(!begun_.empty() && begun_.front().rows.size() == outputs.size());
  const Begun step = std::move(begun_.front());
  begun_.pop_front();
  std::vector<RowResult> results(outputs.size());
  model_->FinishDecode(results);
  RETURN_IF_ERROR(DeviceStatus());
  for (size_t i = 0; i < outputs.size(); ++i) {
    const LateRow& late = step.rows[i];
    RETURN_IF_ERROR(ReadResult(results[i], late.position, late.draw, usable_, &outputs[i]));
    if (!late.on_host && late.logits.empty()) continue;
    RETURN_IF_ERROR(ReadLate(late, model_->Logits(static_cast<int>(i)), &outputs[i]));
  }
  return absl::OkStatus();
}

absl::Status CudaRunner::Prefill(std::span<const TokenRow> rows, std::span<RowOutput> outputs) {
  RETURN_IF_ERROR(DeviceStatus());
  CHECK(!rows.empty() && rows.size() <= static_cast<size_t>(shape_.prefill_rows));
  std::vector<RowInput> inputs;
  std::vector<DrawInput> draws;
  std::vector<cuda::PageList> sequences;
  std::vector<char> keep;
  for (const TokenRow& row : rows) {
    CHECK(row.token >= 0 && row.token < shape_.vocabulary && row.position < shape_.max_positions);
    // Rows of one sequence stand together, and a sequence is where its pages are.
    if (sequences.empty() || sequences.back().data() != row.pages.data()) {
      sequences.emplace_back(row.pages);
    }
    inputs.push_back({row.token, -1, row.position, static_cast<int>(sequences.size()) - 1});
    draws.push_back(DrawOf(row));
    keep.push_back(DrawnOnHost(row) || !row.logits.empty() ? 1 : 0);
  }
  std::vector<RowResult> results(rows.size());
  absl::Status late_status;
  model_->Prefill({inputs, draws, sequences, keep}, results,
                  [&](int row, std::span<const float> logits) {
                    RowOutput read;
                    const absl::Status status = ReadLogits(logits, rows[row], &sampler_, &read);
                    if (!status.ok()) late_status = status;
                    if (DrawnOnHost(rows[row])) outputs[row] = std::move(read);
                  });
  RETURN_IF_ERROR(DeviceStatus());
  RETURN_IF_ERROR(late_status);
  for (size_t i = 0; i < rows.size(); ++i) {
    RETURN_IF_ERROR(ReadResult(results[i], rows[i].position, draws[i], usable_, &outputs[i]));
  }
  return absl::OkStatus();
}

PageBytes CudaRunner::SavePage(int page) {
  char* bytes = model_->TakeHostPage();
  if (bytes == nullptr) {
    host_status_ = ResourceExhausted(
        "a page of %.1f MB must leave the GPU for ordinary memory, and there is none; a larger "
        "--model-args kv_memory or a smaller batch swaps less",
        static_cast<double>(model_->page_bytes()) / 1e6);
    return nullptr;
  }
  model_->SavePage(bytes, page);
  return {bytes, [this](char* page_bytes) { model_->GiveHostPage(page_bytes); }};
}

}  // namespace

cuda::ModelShape CudaModelShape(const ModelConfig& config, int usable) {
  cuda::ModelShape shape;
  shape.hidden = config.hidden;
  shape.layers = config.layers;
  shape.heads = config.heads;
  shape.kv_heads = config.kv_heads;
  shape.head_dim = config.head_dim;
  shape.ffn = config.ffn;
  shape.vocabulary = config.vocabulary;
  shape.usable = usable;
  shape.epsilon = static_cast<float>(config.rms_epsilon);
  shape.qkv_bias = config.qkv_bias;
  shape.o_bias = config.o_bias;
  shape.qk_norm = config.qk_norm;
  shape.tied = config.tied_embeddings;
  return shape;
}

cuda::StepShape CudaStepShape(const RunnerShape& shape, bool fast) {
  CHECK(shape.page_tokens == cuda::kPagePositions);
  return {shape.decode_rows, shape.prefill_rows, shape.pages, shape.max_positions, fast};
}

std::unique_ptr<ModelRunner> MakeCudaRunner(std::unique_ptr<cuda::Device> device,
                                            std::unique_ptr<cuda::Model> model) {
  return std::make_unique<CudaRunner>(std::move(device), std::move(model));
}

absl::StatusOr<std::unique_ptr<ModelRunner>> MakeCudaRunner(
    std::shared_ptr<const Checkpoint> checkpoint, std::unique_ptr<cuda::Device> device,
    RunnerShape shape, int usable, bool fast) {
  auto runner =
      std::make_unique<CudaRunner>(std::move(checkpoint), std::move(device), shape, usable, fast);
  RETURN_IF_ERROR(runner->Open());
  return runner;
}

}  // namespace assay
