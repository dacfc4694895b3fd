// Where the weights fit a core's cache, members of the team take blocks of rows through the whole
// model, each by itself; else they share every operation of all rows.
#include "inference/engine/cpu.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>

#include "absl/strings/str_format.h"
#include "harness/status.h"
#include "inference/engine/cpu_kernels.h"
#include "inference/engine/matmul.h"
#include "inference/engine/team.h"
#include "inference/engine/weights.h"

namespace assay {
namespace {

constexpr int kDecodeBlock = 16;   // rows
constexpr int kPrefillBlock = 32;  // rows at least, but whole sequences
constexpr int kLogitRows = 64;     // logits are computed for so many rows at a time

struct Layer {
  std::vector<float> input_norm, post_norm;
  std::vector<float> qkv_bias, o_bias, q_norm, k_norm;  // empty where the model has none
  std::unique_ptr<PackedMatrix> qkv, o, gate_up, down;
};

// Memory for the rows of one step (or block), grown when needed.
struct Scratch {
  std::vector<float> x, qkv, projected, gate_up, logits;
  std::vector<char> normed, attended, activated, gathered;  // in the weights' format
};

// What a member of the team needs for itself.
struct Worker {
  explicit Worker(int usable) : sampler(usable) {}
  MatmulThread matmul;
  Sampler sampler;
  std::vector<float> scores;
  Scratch scratch;  // for blocks of rows
  absl::Status status;
};

int ThreadsOf(int wanted) {
  return wanted > 0 ? wanted : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

const CpuKernels& ChooseKernels(std::string_view name) {
  for (const CpuKernels* kernels : {&BestKernels(), Avx2Kernels(), &BaseKernels()}) {
    // AVX2 comes with every AVX-512.
    if (kernels == nullptr || (kernels == Avx2Kernels() && &BestKernels() == &BaseKernels())) {
      continue;
    }
    if (name.empty() || name == kernels->name) return *kernels;
  }
  return BaseKernels();
}

class CpuRunner final : public ModelRunner {
 public:
  CpuRunner(std::shared_ptr<const Checkpoint> checkpoint, const RunnerShape& shape, int usable,
            const CpuOptions& options);
  ~CpuRunner() override { munmap(pool_, pool_bytes_); }

  const RunnerShape& shape() const override { return shape_; }
  std::string description() const override;
  absl::Status Prefill(std::span<const TokenRow> rows, std::span<RowOutput> outputs) override {
    return Step(rows, outputs, /*prefill=*/true);
  }
  absl::Status Decode(std::span<const TokenRow> rows, std::span<RowOutput> outputs) override {
    return Step(rows, outputs, /*prefill=*/false);
  }
  void Settle() override;
  void CopyPage(int from, int to) override { std::memcpy(Page(to), Page(from), page_bytes_); }
  PageBytes SavePage(int page) override {
    PageBytes bytes = MakePageBytes(page_bytes_);
    std::memcpy(bytes.get(), Page(page), page_bytes_);
    return bytes;
  }
  void LoadPage(int page, const PageBytes& bytes) override {
    std::memcpy(Page(page), bytes.get(), page_bytes_);
  }

 private:
  // One set of rows on its way through the model.
  struct Pass {
    int member = -1;  // who takes it; -1: the whole team shares each operation
    Scratch* scratch = nullptr;
    std::span<const TokenRow> rows;
    std::span<RowOutput> outputs;
    bool prefill = false;
    int computed = 0;  // rows that products are computed with
  };
  struct Block {
    size_t begin = 0, count = 0;
  };

  void Load(const ModelTensors& tensors);
  void CheckIndependence();
  absl::Status Step(std::span<const TokenRow> rows, std::span<RowOutput> outputs, bool prefill);
  std::vector<Block> Blocks(std::span<const TokenRow> rows, bool prefill) const;
  void Reserve(size_t rows, Scratch* scratch) const;
  int Computed(size_t rows, bool prefill) const;

  // work(worker, piece) for each piece, by whoever takes the pass.
  template <typename Work>
  void ForEach(const Pass& pass, int count, const Work& work);
  void Forward(Pass& pass);
  void Multiply(Pass& pass, const PackedMatrix& matrix, const void* x, int rows, float* y);
  void Embed(Pass& pass);
  void AttendAll(Pass& pass, int layer);
  void StoreRow(const Pass& pass, int row, int kv_head, int layer);
  void AttendRow(const Pass& pass, Worker& me, int row, int kv_head, int layer);
  void AddAndNorm(Pass& pass, const std::vector<float>& bias, const std::vector<float>& norm);
  void Activate(Pass& pass);
  void Head(Pass& pass);
  void ReadRow(const Pass& pass, Worker& me, int row, const float* logits);

  char* Page(int page) const { return pool_ + page_bytes_ * static_cast<size_t>(page); }
  size_t HeadOffset(int layer, int kv_head) const {
    return (static_cast<size_t>(layer) * config_.kv_heads + kv_head) * 2 * config_.head_dim *
           kPageSlots * unit_;
  }
  char* At(std::vector<char>& rows, int row, size_t width) const {
    return rows.data() + static_cast<size_t>(row) * width * unit_;
  }

  std::shared_ptr<const Checkpoint> checkpoint_;  // shared with whoever opened it
  const ModelConfig& config_;
  const NumberFormat format_;
  const int unit_;  // bytes of a number in format_
  const CpuKernels& kernels_;
  const size_t small_model_bytes_;
  RunnerShape shape_;
  int q_width_, kv_width_, qkv_width_;
  size_t page_bytes_, pool_bytes_, weight_bytes_ = 0;
  char* pool_ = nullptr;
  const Tensor* embedding_ = nullptr;
  std::vector<Layer> layers_;
  std::vector<float> final_norm_;
  std::unique_ptr<PackedMatrix> head_;
  RopeTable rope_;
  bool rows_independent_ = true;
  Team team_;
  std::vector<std::unique_ptr<Worker>> workers_;  // one for each member of the team
  Scratch shared_;                                // for steps that the team shares
  // Takes the weights that lie in the checkpoint's file to large pages, while the model runs.
  std::jthread mover_;
};

CpuRunner::CpuRunner(std::shared_ptr<const Checkpoint> checkpoint, const RunnerShape& shape,
                     int usable, const CpuOptions& options)
    : checkpoint_(std::move(checkpoint)),
      config_(checkpoint_->config()),
      format_(options.weights),
      unit_(BytesOf(format_)),
      kernels_(ChooseKernels(options.kernels)),
      small_model_bytes_(options.small_model_bytes),
      shape_(shape),
      q_width_(config_.heads * config_.head_dim),
      kv_width_(config_.kv_heads * config_.head_dim),
      qkv_width_(q_width_ + 2 * kv_width_),
      page_bytes_(static_cast<size_t>(config_.layers) * 2 * kv_width_ * kPageSlots * unit_),
      pool_bytes_(std::max<size_t>(1, page_bytes_ * shape.pages)),
      rope_(MakeRopeTable(config_, shape.max_positions)),
      team_(ThreadsOf(options.threads)) {
  CHECK(shape_.page_tokens == kPageSlots && config_.head_dim % 16 == 0);
  shape_.vocabulary = config_.vocabulary;
  // Zero pages that take memory only once they are written.
  void* pool = mmap(nullptr, pool_bytes_, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(pool != MAP_FAILED);
  madvise(pool, pool_bytes_, MADV_HUGEPAGE);  // a step walks through all of it
  pool_ = static_cast<char*>(pool);
  for (int member = 0; member < team_.size(); ++member) {
    workers_.push_back(std::make_unique<Worker>(usable));
  }
  Load(FindTensors(*checkpoint_));
  if (options.fixed_rows) {
    rows_independent_ = false;
  } else {
    CheckIndependence();
  }
}

std::string CpuRunner::description() const {
  return absl::StrFormat(
      "cpu: %s, %s, kernels %s%s, version 2", format_ == NumberFormat::kBf16 ? "bf16" : "f32",
      MatmulDescription(format_), kernels_.name,
      rows_independent_
          ? ""
          : absl::StrFormat(", fixed rows %d and %d", shape_.decode_rows, shape_.prefill_rows));
}

// All chunks of all matrices are one series of pieces of work for the team.
void CpuRunner::Load(const ModelTensors& tensors) {
  std::vector<std::pair<PackedMatrix*, int>> pieces;  // and the chunk
  const auto pack = [&](const std::vector<const Tensor*>& parts) {
    std::unique_ptr<PackedMatrix> matrix = PackedMatrix::Prepare(parts, format_);
    // Opening has read every weight; from here on, a matrix is in memory once.
    for (const Tensor* part : parts) {
      if (!matrix->in_place()) ForgetPages(part->bytes);
    }
    for (int chunk = 0; chunk < matrix->chunks(); ++chunk) {
      pieces.emplace_back(matrix.get(), chunk);
    }
    weight_bytes_ += matrix->bytes();
    return matrix;
  };
  const auto join = [](std::initializer_list<const Tensor*> parts) {
    std::vector<float> all;
    for (const Tensor* part : parts) {
      const std::vector<float> values = AllFloats(part);
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  };
  for (const LayerTensors& from : tensors.layers) {
    Layer layer;
    layer.input_norm = AllFloats(from.input_norm);
    layer.post_norm = AllFloats(from.post_norm);
    layer.q_norm = AllFloats(from.q_norm);
    layer.k_norm = AllFloats(from.k_norm);
    layer.o_bias = AllFloats(from.o_bias);
    layer.qkv_bias = join({from.q_bias, from.k_bias, from.v_bias});
    layer.qkv = pack({from.q, from.k, from.v});
    layer.o = pack({from.o});
    layer.gate_up = pack({from.gate, from.up});
    layer.down = pack({from.down});
    layers_.push_back(std::move(layer));
  }
  final_norm_ = AllFloats(tensors.final_norm);
  embedding_ = tensors.embedding;
  head_ = pack({tensors.head});
  team_.ForEach(static_cast<int>(pieces.size()),
                [&](int, int i) { pieces[i].first->FillChunk(pieces[i].second); });
  std::erase_if(pieces, [](const auto& piece) { return !piece.first->in_place(); });
  if (pieces.empty()) return;
  mover_ = std::jthread([pieces](const std::stop_token& stop) {
    setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), 10);  // the model's steps come first
    for (const auto& [matrix, chunk] : pieces) {
      if (stop.stop_requested()) return;
      matrix->MoveChunk(chunk);
    }
  });
}

void CpuRunner::Settle() {
  if (mover_.joinable()) mover_.join();
}

void CpuRunner::CheckIndependence() {
  const int most = std::max(shape_.decode_rows, shape_.prefill_rows);
  const Layer& layer = layers_.front();
  for (const PackedMatrix* matrix :
       {layer.qkv.get(), layer.o.get(), layer.gate_up.get(), layer.down.get(), head_.get()}) {
    rows_independent_ &= RowsAreIndependent(*matrix, most);
  }
}

int CpuRunner::Computed(size_t rows, bool prefill) const {
  if (rows_independent_) return static_cast<int>(rows);
  return prefill ? shape_.prefill_rows : shape_.decode_rows;
}

void CpuRunner::Reserve(size_t rows, Scratch* scratch) const {
  const auto padded = static_cast<size_t>(PaddedRows(static_cast<int>(rows)));
  const auto grow = [&](auto& buffer, size_t width) {
    if (buffer.size() < padded * width) buffer.resize(padded * width);
  };
  grow(scratch->x, config_.hidden);
  grow(scratch->qkv, qkv_width_);
  grow(scratch->projected, config_.hidden);
  grow(scratch->gate_up, 2 * static_cast<size_t>(config_.ffn));
  grow(scratch->normed, static_cast<size_t>(config_.hidden) * unit_);
  grow(scratch->attended, static_cast<size_t>(q_width_) * unit_);
  grow(scratch->activated, static_cast<size_t>(config_.ffn) * unit_);
}

// Rows of one sequence stay together: a later one attends to the keys of those before it.
std::vector<CpuRunner::Block> CpuRunner::Blocks(std::span<const TokenRow> rows,
                                                bool prefill) const {
  std::vector<Block> blocks;
  for (size_t i = 0; i < rows.size(); ++i) {
    const bool continues = prefill && i > 0 && rows[i].pages.data() == rows[i - 1].pages.data();
    const size_t full = prefill ? kPrefillBlock : kDecodeBlock;
    if (blocks.empty() || (!continues && blocks.back().count >= full)) blocks.push_back({i, 0});
    ++blocks.back().count;
  }
  return blocks;
}

absl::Status CpuRunner::Step(std::span<const TokenRow> rows, std::span<RowOutput> outputs,
                             bool prefill) {
  CHECK(rows.size() <= static_cast<size_t>(prefill ? shape_.prefill_rows : shape_.decode_rows));
  for (const TokenRow& row : rows) {
    CHECK(row.token >= 0 && row.token < config_.vocabulary && row.position < shape_.max_positions);
  }
  const std::vector<Block> blocks = Blocks(rows, prefill);
  // Never shared, even where there is but one block: on a busy machine a thread that waits for
  // another within every operation loses far more than it gains.
  const bool by_blocks = rows_independent_ && weight_bytes_ <= small_model_bytes_;
  for (const auto& worker : workers_) worker->status = absl::OkStatus();
  if (by_blocks) {
    team_.ForEach(static_cast<int>(blocks.size()), [&](int member, int i) {
      const auto [begin, count] = blocks[i];
      Pass pass{member,
                &workers_[member]->scratch,
                rows.subspan(begin, count),
                outputs.subspan(begin, count),
                prefill,
                static_cast<int>(count)};
      Reserve(count, pass.scratch);
      Forward(pass);
    });
  } else {
    Pass pass{-1, &shared_, rows, outputs, prefill, Computed(rows.size(), prefill)};
    Reserve(pass.computed, pass.scratch);
    Forward(pass);
  }
  for (const auto& worker : workers_) RETURN_IF_ERROR(worker->status);
  return absl::OkStatus();
}

template <typename Work>
void CpuRunner::ForEach(const Pass& pass, int count, const Work& work) {
  if (pass.member < 0) {
    team_.ForEach(count, [&](int member, int piece) { work(*workers_[member], piece); });
    return;
  }
  for (int piece = 0; piece < count; ++piece) work(*workers_[pass.member], piece);
}

void CpuRunner::Multiply(Pass& pass, const PackedMatrix& matrix, const void* x, int rows,
                         float* y) {
  // Few rows wait for memory, which is read faster in long runs: neighbouring chunks go together,
  // as long as there is enough to share.
  constexpr int kFewRows = 4, kMostTogether = 4;
  const int together =
      rows > kFewRows ? 1 : std::clamp(matrix.chunks() / (8 * team_.size()), 1, kMostTogether);
  const int pieces = (matrix.chunks() + together - 1) / together;
  ForEach(pass, pieces, [&](Worker& me, int piece) {
    const int end = std::min((piece + 1) * together, matrix.chunks());
    for (int chunk = piece * together; chunk < end; ++chunk) {
      me.matmul.Multiply(matrix, chunk, x, rows, y);
    }
  });
}

void CpuRunner::Embed(Pass& pass) {
  const int hidden = config_.hidden;
  const int rows = static_cast<int>(pass.rows.size());
  ForEach(pass, rows, [&](Worker&, int row) {
    float* x = &pass.scratch->x[static_cast<size_t>(row) * hidden];
    ReadFloats(*embedding_, int64_t{pass.rows[row].token} * hidden, hidden, x);
    kernels_.rms_norm(x, layers_[0].input_norm.data(), static_cast<float>(config_.rms_epsilon),
                      hidden, At(pass.scratch->normed, row, hidden), format_);
  });
}

// Biases, head norms and rotation of one key-value head and its query heads, in place; then key and
// value into the cache.
void CpuRunner::StoreRow(const Pass& pass, int row, int kv_head, int layer_index) {
  const Layer& layer = layers_[layer_index];
  const TokenRow& token = pass.rows[row];
  const int dim = config_.head_dim, group = config_.heads / config_.kv_heads;
  const auto epsilon = static_cast<float>(config_.rms_epsilon);
  float* qkv = &pass.scratch->qkv[static_cast<size_t>(row) * qkv_width_];
  const float* cos = &rope_.cos[static_cast<size_t>(token.position) * rope_.half];
  const float* sin = &rope_.sin[static_cast<size_t>(token.position) * rope_.half];
  const auto prepare = [&](int offset, int width, const std::vector<float>& norm) {
    if (!layer.qkv_bias.empty()) kernels_.add(qkv + offset, &layer.qkv_bias[offset], width);
    for (int at = offset; at < offset + width && !norm.empty(); at += dim) {
      kernels_.rms_norm(qkv + at, norm.data(), epsilon, dim, qkv + at, NumberFormat::kF32);
    }
  };
  const int query = kv_head * group * dim, key = q_width_ + kv_head * dim, value = key + kv_width_;
  prepare(query, group * dim, layer.q_norm);
  prepare(key, dim, layer.k_norm);
  prepare(value, dim, {});
  for (int i = 0; i < group; ++i) kernels_.rotate(qkv + query + i * dim, cos, sin, rope_.half);
  kernels_.rotate(qkv + key, cos, sin, rope_.half);

  const int slot = token.position % kPageSlots;
  char* keys = Page(token.pages[token.position / kPageSlots]) + HeadOffset(layer_index, kv_head);
  char* values = keys + static_cast<size_t>(dim) * kPageSlots * unit_;
  kernels_.convert(qkv + value, dim, values + static_cast<size_t>(slot) * dim * unit_, format_);
  float converted[256];  // a key in the cache's format
  CHECK(dim <= 256);
  kernels_.convert(qkv + key, dim, converted, format_);
  const char* from = reinterpret_cast<const char*>(converted);
  for (int d = 0; d < dim; ++d) {
    std::memcpy(keys + (static_cast<size_t>(d) * kPageSlots + slot) * unit_, from + d * unit_,
                unit_);
  }
}

void CpuRunner::AttendRow(const Pass& pass, Worker& me, int row, int kv_head, int layer) {
  const TokenRow& token = pass.rows[row];
  const int group = config_.heads / config_.kv_heads;
  const int first = kv_head * group * config_.head_dim;
  AttendJob job;
  job.queries = &pass.scratch->qkv[static_cast<size_t>(row) * qkv_width_ + first];
  job.group = group;
  job.head_dim = config_.head_dim;
  job.positions = token.position + 1;
  job.scale = 1 / std::sqrt(static_cast<float>(config_.head_dim));
  job.pool = pool_;
  job.page_bytes = page_bytes_;
  job.head_offset = HeadOffset(layer, kv_head);
  job.pages = token.pages.data();
  job.cache = format_;
  const size_t padded =
      static_cast<size_t>(job.positions + kPageSlots - 1) / kPageSlots * kPageSlots;
  std::vector<float>& scores = me.scores;
  if (scores.size() < padded * group) scores.resize(padded * group);
  job.scores = scores.data();
  job.out = At(pass.scratch->attended, row, q_width_) + static_cast<size_t>(first) * unit_;
  job.out_format = format_;
  kernels_.attend(job);
}

void CpuRunner::AttendAll(Pass& pass, int layer) {
  const int heads = config_.kv_heads;
  const int pieces = static_cast<int>(pass.rows.size()) * heads;
  // A decoded row sees no other row's keys of this step; a prompt's rows do.
  ForEach(pass, pieces, [&](Worker& me, int i) {
    StoreRow(pass, i / heads, i % heads, layer);
    if (!pass.prefill) AttendRow(pass, me, i / heads, i % heads, layer);
  });
  if (!pass.prefill) return;
  ForEach(pass, pieces,
          [&](Worker& me, int i) { AttendRow(pass, me, i / heads, i % heads, layer); });
}

// x += projected (+ bias), and its norm for what comes next.
void CpuRunner::AddAndNorm(Pass& pass, const std::vector<float>& bias,
                           const std::vector<float>& norm) {
  const int hidden = config_.hidden;
  const int rows = static_cast<int>(pass.rows.size());
  ForEach(pass, rows, [&](Worker&, int row) {
    const size_t at = static_cast<size_t>(row) * hidden;
    float* x = &pass.scratch->x[at];
    kernels_.add(x, &pass.scratch->projected[at], hidden);
    if (!bias.empty()) kernels_.add(x, bias.data(), hidden);
    kernels_.rms_norm(x, norm.data(), static_cast<float>(config_.rms_epsilon), hidden,
                      At(pass.scratch->normed, row, hidden), format_);
  });
}

void CpuRunner::Activate(Pass& pass) {
  const int rows = static_cast<int>(pass.rows.size());
  ForEach(pass, rows, [&](Worker&, int row) {
    const float* gate = &pass.scratch->gate_up[static_cast<size_t>(row) * 2 * config_.ffn];
    kernels_.silu_times(gate, gate + config_.ffn, config_.ffn,
                        At(pass.scratch->activated, row, config_.ffn), format_);
  });
}

void CpuRunner::Forward(Pass& pass) {
  Scratch& scratch = *pass.scratch;
  Embed(pass);
  for (int i = 0; i < config_.layers; ++i) {
    const Layer& layer = layers_[i];
    const std::vector<float>& next =
        i + 1 < config_.layers ? layers_[i + 1].input_norm : final_norm_;
    Multiply(pass, *layer.qkv, scratch.normed.data(), pass.computed, scratch.qkv.data());
    AttendAll(pass, i);
    Multiply(pass, *layer.o, scratch.attended.data(), pass.computed, scratch.projected.data());
    AddAndNorm(pass, layer.o_bias, layer.post_norm);
    Multiply(pass, *layer.gate_up, scratch.normed.data(), pass.computed, scratch.gate_up.data());
    Activate(pass);
    Multiply(pass, *layer.down, scratch.activated.data(), pass.computed, scratch.projected.data());
    AddAndNorm(pass, {}, next);
  }
  Head(pass);
}

void CpuRunner::ReadRow(const Pass& pass, Worker& me, int row, const float* logits) {
  const absl::Status status = ReadLogits({logits, static_cast<size_t>(config_.vocabulary)},
                                         pass.rows[row], &me.sampler, &pass.outputs[row]);
  if (!status.ok()) me.status = status;
}

// Logits only of the rows that want them, some rows at a time.
void CpuRunner::Head(Pass& pass) {
  std::vector<int> wanted;
  for (size_t i = 0; i < pass.rows.size(); ++i) {
    const TokenRow& row = pass.rows[i];
    if (row.draw != nullptr || row.target >= 0 || !row.logits.empty()) {
      wanted.push_back(static_cast<int>(i));
    }
  }
  Scratch& scratch = *pass.scratch;
  const size_t width = static_cast<size_t>(config_.hidden) * unit_;
  for (size_t begin = 0; begin < wanted.size(); begin += kLogitRows) {
    const int count = static_cast<int>(std::min<size_t>(kLogitRows, wanted.size() - begin));
    const int computed = rows_independent_ ? count : kLogitRows;
    const auto padded = static_cast<size_t>(PaddedRows(computed));
    if (scratch.gathered.size() < padded * width) scratch.gathered.resize(padded * width);
    const size_t floats = padded * config_.vocabulary;
    if (scratch.logits.size() < floats) scratch.logits.resize(floats);
    for (int i = 0; i < count; ++i) {
      std::memcpy(&scratch.gathered[i * width], &scratch.normed[wanted[begin + i] * width], width);
    }
    Multiply(pass, *head_, scratch.gathered.data(), computed, scratch.logits.data());
    ForEach(pass, count, [&](Worker& me, int i) {
      ReadRow(pass, me, wanted[begin + i],
              &scratch.logits[static_cast<size_t>(i) * config_.vocabulary]);
    });
  }
}

}  // namespace

NumberFormat BestFormat(Dtype dtype) {
  return dtype == Dtype::kBf16 && HasFastBf16() ? NumberFormat::kBf16 : NumberFormat::kF32;
}

std::unique_ptr<ModelRunner> MakeCpuRunner(std::shared_ptr<const Checkpoint> checkpoint,
                                           RunnerShape shape, int usable,
                                           const CpuOptions& options) {
  return std::make_unique<CpuRunner>(std::move(checkpoint), shape, usable, options);
}

}  // namespace assay
