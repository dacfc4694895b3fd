// Buffers are taken once; a decode step is the same launches every time, so that it can be
// replayed.
#include "inference/engine/cuda/model.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

namespace assay::cuda {
namespace {

constexpr size_t kStagingBytes = size_t{64} << 20;
constexpr int kHostPagesTogether = 32;
constexpr int kPrefillMark = 2;  // slots have marks 0 and 1; loading uses them before there is any

int TableWidth(const StepShape& step) {
  return (step.max_positions + kPagePositions - 1) / kPagePositions;
}
int MostChunks(const StepShape& step) {
  return std::max(1, (step.max_positions + kChunkPositions - 1) / kChunkPositions);
}
size_t MostRows(const StepShape& step) {
  return static_cast<size_t>(std::max({step.decode_rows, step.prefill_rows, Model::kLogitRows}));
}

}  // namespace

Needs NeedsOf(const ModelShape& model, const StepShape& step) {
  Needs needs;
  const auto hidden = static_cast<size_t>(model.hidden), ffn = static_cast<size_t>(model.ffn);
  const auto q = static_cast<size_t>(model.q_width()), qkv = static_cast<size_t>(model.qkv_width());
  const size_t halves = model.layers * (hidden * (qkv + q) + 3 * hidden * ffn) +
                        static_cast<size_t>(model.vocabulary) * hidden * (model.tied ? 1 : 2);
  const size_t floats = model.layers * (2 * hidden + qkv + hidden + 2 * model.head_dim) + hidden +
                        static_cast<size_t>(step.max_positions) * model.head_dim;
  needs.weights = halves * sizeof(Half) + floats * sizeof(float);
  needs.page = PageElements(model.pool()) * sizeof(Half);
  const size_t rows = MostRows(step);
  const auto decode = static_cast<size_t>(step.decode_rows);
  const size_t logit_rows = std::max(decode, static_cast<size_t>(Model::kLogitRows));
  needs.steps = rows * (2 * hidden * sizeof(float) + qkv * sizeof(float) +
                        (hidden + 2 * q + 3 * ffn) * sizeof(Half)) +
                logit_rows * model.vocabulary * sizeof(float) +
                decode * model.heads * MostChunks(step) * (model.head_dim + 2) * sizeof(float) +
                (decode + rows) * (TableWidth(step) * sizeof(int32_t) + 512) +
                decode * MostChunks(step) * sizeof(ChunkItem);
  return needs;
}

Model::Model(Device* device, const ModelShape& model, const StepShape& step)
    : device_(device),
      shape_(model),
      step_(step),
      needs_(NeedsOf(model, step)),
      table_width_(TableWidth(step)),
      most_chunks_(MostChunks(step)) {
  for (int rows = step.decode_rows; rows >= 1; rows /= 2) {
    ladder_.push_back(rows);
    if (!step.fast) break;
  }
  std::reverse(ladder_.begin(), ladder_.end());
}

Model::~Model() {
  if (device_->error().empty()) device_->Wait();
  device_->Forget(this);
  for (void* memory : memory_) device_->Free(memory);
  for (void* memory : pinned_) device_->FreePinned(memory);
  for (void* memory : ordinary_) std::free(memory);
}

template <typename T>
T* Model::Take(size_t count) {
  void* memory = device_->Allocate(std::max<size_t>(count, 1) * sizeof(T));
  if (memory == nullptr) {
    short_of_memory_ = true;
  } else {
    memory_.push_back(memory);
  }
  return static_cast<T*>(memory);
}

template <typename T>
T* Model::TakePinned(size_t count) {
  void* memory = device_->AllocatePinned(std::max<size_t>(count, 1) * sizeof(T));
  if (memory == nullptr) {
    short_of_memory_ = true;
  } else {
    pinned_.push_back(memory);
  }
  return static_cast<T*>(memory);
}

std::unique_ptr<Model> Model::Make(Device* device, const ModelShape& model, const StepShape& step,
                                   std::string* error) {
  std::unique_ptr<Model> made(new Model(device, model, step));
  if (!made->AllocateAll(error)) return nullptr;
  made->PrepareProducts();
  if (!device->error().empty()) {
    *error = device->error();
    return nullptr;
  }
  return made;
}

bool Model::AllocateAll(std::string* error) {
  const auto hidden = static_cast<size_t>(shape_.hidden), ffn = static_cast<size_t>(shape_.ffn);
  const auto q = static_cast<size_t>(shape_.q_width()),
             qkv = static_cast<size_t>(shape_.qkv_width());
  const auto vocabulary = static_cast<size_t>(shape_.vocabulary);
  weights_.embedding = Take<Half>(vocabulary * hidden);
  weights_.head = shape_.tied ? weights_.embedding : Take<Half>(vocabulary * hidden);
  weights_.final_norm = Take<float>(hidden);
  const size_t angles = static_cast<size_t>(step_.max_positions) * (shape_.head_dim / 2);
  weights_.cos = Take<float>(angles);
  weights_.sin = Take<float>(angles);
  for (int i = 0; i < shape_.layers && !short_of_memory_; ++i) {
    Layer layer;
    layer.qkv = Take<Half>(qkv * hidden);
    layer.o = Take<Half>(hidden * q);
    layer.gate_up = Take<Half>(2 * ffn * hidden);
    layer.down = Take<Half>(hidden * ffn);
    layer.input_norm = Take<float>(hidden);
    layer.post_norm = Take<float>(hidden);
    if (shape_.qkv_bias) layer.qkv_bias = Take<float>(qkv);
    if (shape_.o_bias) layer.o_bias = Take<float>(hidden);
    if (shape_.qk_norm) {
      layer.q_norm = Take<float>(shape_.head_dim);
      layer.k_norm = Take<float>(shape_.head_dim);
    }
    weights_.layers.push_back(layer);
  }
  const size_t rows = MostRows(step_), decode = static_cast<size_t>(step_.decode_rows);
  const auto prefill = static_cast<size_t>(step_.prefill_rows);
  const size_t logit_rows = std::max(decode, static_cast<size_t>(kLogitRows));
  x_ = Take<float>(rows * hidden);
  normed_ = Take<Half>(rows * hidden);
  qkv_ = Take<float>(rows * qkv);
  q_ = Take<Half>(rows * q);
  attended_ = Take<Half>(rows * q);
  projected_ = Take<float>(rows * hidden);
  gate_up_ = Take<Half>(rows * 2 * ffn);
  activated_ = Take<Half>(rows * ffn);
  gathered_ = Take<Half>(kLogitRows * hidden);
  logits_ = Take<float>(logit_rows * vocabulary);
  const size_t chunks = decode * most_chunks_ * shape_.heads;
  sums_ = Take<float>(chunks * shape_.head_dim);
  greatest_ = Take<float>(chunks);
  chunk_weights_ = Take<float>(chunks);
  items_ = Take<ChunkItem>(decode * most_chunks_);
  items_count_ = Take<int32_t>(1);
  tickets_ = Take<uint32_t>(shape_.layers);
  drawn_ = Take<int32_t>(decode);
  results_ = Take<RowResult>(logit_rows);
  decode_.rows = Take<RowInput>(decode);
  decode_.draws = Take<DrawInput>(decode);
  decode_.tables = Take<int32_t>(decode * table_width_);
  prefill_.rows = Take<RowInput>(prefill);
  prefill_.draws = Take<DrawInput>(kLogitRows);
  prefill_.tables = Take<int32_t>(prefill * table_width_);
  prefill_.tiles = Take<QueryTile>(prefill);
  prefill_.indices = Take<int32_t>(kLogitRows);
  pool_ = Take<Half>(PageElements(shape_.pool()) * step_.pages);
  if (short_of_memory_) {
    *error = "out of memory on the GPU";
    return false;
  }
  for (Slot& slot : slots_) {
    slot.rows = TakePinned<RowInput>(decode);
    slot.draws = TakePinned<DrawInput>(decode);
    slot.tables = TakePinned<int32_t>(decode * table_width_);
    slot.results = TakePinned<RowResult>(decode);
  }
  prefill_slot_.rows = TakePinned<RowInput>(prefill);
  prefill_slot_.draws = TakePinned<DrawInput>(kLogitRows);
  prefill_slot_.tables = TakePinned<int32_t>(prefill * table_width_);
  prefill_slot_.results = TakePinned<RowResult>(kLogitRows);
  pinned_tiles_ = TakePinned<QueryTile>(prefill);
  pinned_indices_ = TakePinned<int32_t>(kLogitRows);
  for (char*& staging : staging_) staging = TakePinned<char>(kStagingBytes);
  if (short_of_memory_) {
    *error = "out of pinned memory on the host";
    return false;
  }
  for (const Slot* slot : {&slots_[0], &slots_[1], &prefill_slot_}) {
    const size_t sequences = slot == &prefill_slot_ ? prefill : decode;
    std::fill_n(slot->tables, sequences * table_width_, 0);
  }
  return true;
}

void Model::PrepareProducts() {
  std::vector<int> counts = ladder_;
  counts.push_back(step_.prefill_rows);
  for (const int rows : counts) {
    device_->Prepare({rows, shape_.hidden, shape_.qkv_width(), false});
    device_->Prepare({rows, shape_.q_width(), shape_.hidden, false});
    device_->Prepare({rows, shape_.hidden, 2 * shape_.ffn, true});
    device_->Prepare({rows, shape_.ffn, shape_.hidden, false});
  }
  counts = ladder_;
  counts.push_back(kLogitRows);
  for (const int rows : counts) {
    device_->Prepare({rows, shape_.hidden, shape_.vocabulary, false});
  }
}

void Model::Load(void* to, size_t bytes,
                 const std::function<void(char* piece, size_t begin, size_t count)>& fill) {
  int turn = 0;
  for (size_t begin = 0; begin < bytes; begin += kStagingBytes, turn = 1 - turn) {
    const size_t count = std::min(kStagingBytes, bytes - begin);
    if (begin >= 2 * kStagingBytes) device_->WaitFor(turn);
    fill(staging_[turn], begin, count);
    device_->ToDevice(static_cast<char*>(to) + begin, staging_[turn], count);
    device_->Mark(turn);
  }
  device_->Wait();
}

void Model::WriteTables(std::span<const PageList> sequences, int32_t* tables) const {
  for (size_t i = 0; i < sequences.size(); ++i) {
    const size_t count = std::min(sequences[i].size(), static_cast<size_t>(table_width_));
    std::copy_n(sequences[i].begin(), count, tables + i * table_width_);
  }
}

bool Model::ReserveLogits(Slot* slot, size_t rows) {
  if (rows <= slot->logits_room) return true;
  // The old one stays until the end: steps under way may still write to it.
  slot->logits = TakePinned<float>(rows * shape_.vocabulary);
  slot->logits_room = slot->logits != nullptr ? rows : 0;
  return slot->logits != nullptr;
}

int Model::RowsFor(int count) const {
  return *std::lower_bound(ladder_.begin(), ladder_.end(), count);
}

// --- the layers ---

void Model::Norm(const Inputs& inputs, int rows, const float* bias, const float* norm) {
  device_->kernels().add_norm(
      {inputs.rows, projected_, bias, norm, x_, normed_, rows, shape_.hidden, shape_.epsilon},
      device_->stream());
}

// tiles > 0: the rows are of prefill and attend by these tiles.
void Model::Forward(const Inputs& inputs, int rows, int tiles) {
  const Kernels& kernels = device_->kernels();
  const Stream stream = device_->stream();
  const float scale = 1.0F / std::sqrt(static_cast<float>(shape_.head_dim));
  const bool prefill = tiles > 0;
  kernels.embed({inputs.rows, drawn_, weights_.embedding, weights_.layers[0].input_norm, x_,
                 normed_, rows, shape_.hidden, shape_.vocabulary, shape_.epsilon},
                stream);
  for (int i = 0; i < shape_.layers; ++i) {
    const Layer& layer = weights_.layers[i];
    device_->Multiply({rows, shape_.hidden, shape_.qkv_width(), false}, layer.qkv, normed_, qkv_);
    RopeArgs rope;
    rope.rows = inputs.rows;
    rope.tables = inputs.tables;
    rope.qkv = qkv_;
    rope.bias = layer.qkv_bias;
    rope.q_norm = layer.q_norm;
    rope.k_norm = layer.k_norm;
    rope.cos = weights_.cos;
    rope.sin = weights_.sin;
    rope.q = q_;
    rope.pool = pool_;
    rope.shape = shape_.pool();
    rope.count = rows;
    rope.heads = shape_.heads;
    rope.layer = i;
    rope.table_width = table_width_;
    rope.epsilon = shape_.epsilon;
    kernels.rope(rope, stream);
    if (prefill) {
      PrefillAttentionArgs attention;
      attention.rows = inputs.rows;
      attention.tables = inputs.tables;
      attention.tiles = inputs.tiles;
      attention.q = q_;
      attention.pool = pool_;
      attention.out = attended_;
      attention.shape = shape_.pool();
      attention.tiles_count = tiles;
      attention.heads = shape_.heads;
      attention.layer = i;
      attention.table_width = table_width_;
      attention.scale = scale;
      kernels.prefill_attention(attention, stream);
    } else {
      DecodeAttentionArgs attention;
      attention.rows = inputs.rows;
      attention.tables = inputs.tables;
      attention.items = items_;
      attention.items_count = items_count_;
      attention.ticket = tickets_ + i;
      attention.q = q_;
      attention.pool = pool_;
      attention.sums = sums_;
      attention.greatest = greatest_;
      attention.weights = chunk_weights_;
      attention.out = attended_;
      attention.shape = shape_.pool();
      attention.count = rows;
      attention.heads = shape_.heads;
      attention.layer = i;
      attention.table_width = table_width_;
      attention.most_chunks = most_chunks_;
      attention.blocks = device_->decode_blocks(shape_.head_dim);
      attention.scale = scale;
      kernels.decode_attention(attention, stream);
    }
    device_->Multiply({rows, shape_.q_width(), shape_.hidden, false}, layer.o, attended_,
                      projected_);
    Norm(inputs, rows, layer.o_bias, layer.post_norm);
    device_->Multiply({rows, shape_.hidden, 2 * shape_.ffn, true}, layer.gate_up, normed_,
                      gate_up_);
    kernels.swiglu({inputs.rows, gate_up_, activated_, rows, shape_.ffn}, stream);
    device_->Multiply({rows, shape_.ffn, shape_.hidden, false}, layer.down, activated_, projected_);
    const bool last = i + 1 == shape_.layers;
    Norm(inputs, rows, nullptr, last ? weights_.final_norm : weights_.layers[i + 1].input_norm);
  }
}

void Model::DecodeWork(int rows) {
  const Kernels& kernels = device_->kernels();
  const Stream stream = device_->stream();
  kernels.plan_work({decode_.rows, items_, items_count_, tickets_, rows, shape_.layers}, stream);
  Forward(decode_, rows, 0);
  device_->Multiply({rows, shape_.hidden, shape_.vocabulary, false}, weights_.head, normed_,
                    logits_);
  kernels.sample({logits_, decode_.draws, results_, drawn_, rows, shape_.usable,
                  static_cast<size_t>(shape_.vocabulary)},
                 stream);
}

// --- steps ---

void Model::BeginDecode(const Step& step) {
  const int index = next_slot_;
  next_slot_ = (next_slot_ + 1) % kDepth;
  // Free to be written: the step that had this slot before has been finished.
  Slot& slot = slots_[index];
  const int count = static_cast<int>(step.rows.size());
  const int rows = RowsFor(count);
  slot.count = count;
  std::copy(step.rows.begin(), step.rows.end(), slot.rows);
  std::copy(step.draws.begin(), step.draws.end(), slot.draws);
  std::fill_n(slot.rows + count, rows - count, RowInput{});
  std::fill_n(slot.draws + count, rows - count, DrawInput{});
  WriteTables(step.sequences, slot.tables);
  device_->ToDevice(decode_.rows, slot.rows, rows * sizeof(RowInput));
  device_->ToDevice(decode_.draws, slot.draws, rows * sizeof(DrawInput));
  device_->ToDevice(decode_.tables, slot.tables,
                    static_cast<size_t>(count) * table_width_ * sizeof(int32_t));
  device_->Replay(this, rows, [&] { DecodeWork(rows); });
  device_->ToHost(slot.results, results_, count * sizeof(RowResult));
  slot.kept.clear();
  for (int row = 0; row < count; ++row) {
    if (!step.keep_logits.empty() && step.keep_logits[row] != 0) slot.kept.push_back(row);
  }
  if (ReserveLogits(&slot, slot.kept.size())) {
    for (size_t i = 0; i < slot.kept.size(); ++i) {
      device_->ToHost(slot.logits + i * shape_.vocabulary,
                      logits_ + static_cast<size_t>(slot.kept[i]) * shape_.vocabulary,
                      shape_.vocabulary * sizeof(float));
    }
  }
  device_->Mark(index);
  begun_.push_back(index);
}

void Model::FinishDecode(std::span<RowResult> results) {
  finished_slot_ = begun_.front();
  begun_.pop_front();
  device_->WaitFor(finished_slot_);
  const Slot& slot = slots_[finished_slot_];
  std::copy_n(slot.results, slot.count, results.begin());
}

std::span<const float> Model::Logits(int row) const {
  const Slot& slot = slots_[finished_slot_];
  const auto found = std::lower_bound(slot.kept.begin(), slot.kept.end(), row);
  if (found == slot.kept.end() || *found != row || slot.logits == nullptr) return {};
  const auto place = static_cast<size_t>(found - slot.kept.begin());
  return {slot.logits + place * shape_.vocabulary, static_cast<size_t>(shape_.vocabulary)};
}

void Model::Prefill(const Step& step, std::span<RowResult> results, const OnLogits& on_logits) {
  Slot& slot = prefill_slot_;
  device_->WaitFor(kPrefillMark);  // the slot's copies of the step before
  const int count = static_cast<int>(step.rows.size());
  std::copy(step.rows.begin(), step.rows.end(), slot.rows);
  std::fill_n(slot.rows + count, step_.prefill_rows - count, RowInput{});
  WriteTables(step.sequences, slot.tables);
  int tiles = 0;
  for (int row = 0; row < count; ++row) {
    const bool continues = row > 0 && step.rows[row].sequence == step.rows[row - 1].sequence &&
                           pinned_tiles_[tiles - 1].count < kQueryTile;
    if (!continues) pinned_tiles_[tiles++] = {row, 0};
    ++pinned_tiles_[tiles - 1].count;
  }
  device_->ToDevice(prefill_.rows, slot.rows, step_.prefill_rows * sizeof(RowInput));
  device_->ToDevice(prefill_.tables, slot.tables,
                    step.sequences.size() * table_width_ * sizeof(int32_t));
  device_->ToDevice(prefill_.tiles, pinned_tiles_, tiles * sizeof(QueryTile));
  Forward(prefill_, step_.prefill_rows, tiles);
  device_->Mark(kPrefillMark);
  std::vector<int> wanted;
  for (int row = 0; row < count; ++row) {
    const DrawInput& draw = step.draws[row];
    const bool kept = !step.keep_logits.empty() && step.keep_logits[row] != 0;
    if (draw.draws != 0 || draw.target >= 0 || kept) wanted.push_back(row);
  }
  for (size_t begin = 0; begin < wanted.size(); begin += kLogitRows) {
    const size_t some = std::min<size_t>(kLogitRows, wanted.size() - begin);
    ReadWanted(step, std::span(wanted).subspan(begin, some), results, on_logits);
  }
}

// Logits of up to kLogitRows rows, always computed with so many.
void Model::ReadWanted(const Step& step, std::span<const int> wanted, std::span<RowResult> results,
                       const OnLogits& on_logits) {
  Slot& slot = prefill_slot_;
  const Kernels& kernels = device_->kernels();
  const auto count = static_cast<int>(wanted.size());
  for (int i = 0; i < kLogitRows; ++i) {
    pinned_indices_[i] = wanted[std::min(i, count - 1)];
    slot.draws[i] = i < count ? step.draws[wanted[i]] : DrawInput{};
  }
  device_->ToDevice(prefill_.indices, pinned_indices_, kLogitRows * sizeof(int32_t));
  device_->ToDevice(prefill_.draws, slot.draws, kLogitRows * sizeof(DrawInput));
  kernels.gather({normed_, prefill_.indices, gathered_, kLogitRows, shape_.hidden},
                 device_->stream());
  device_->Multiply({kLogitRows, shape_.hidden, shape_.vocabulary, false}, weights_.head, gathered_,
                    logits_);
  kernels.sample({logits_, prefill_.draws, results_, nullptr, count, shape_.usable,
                  static_cast<size_t>(shape_.vocabulary)},
                 device_->stream());
  device_->ToHost(slot.results, results_, count * sizeof(RowResult));
  std::vector<int> kept;
  for (int i = 0; i < count; ++i) {
    if (!step.keep_logits.empty() && step.keep_logits[wanted[i]] != 0) kept.push_back(i);
  }
  if (!kept.empty() && ReserveLogits(&slot, kLogitRows)) {
    for (const int i : kept) {
      const size_t at = static_cast<size_t>(i) * shape_.vocabulary;
      device_->ToHost(slot.logits + at, logits_ + at, shape_.vocabulary * sizeof(float));
    }
  }
  device_->Wait();
  for (int i = 0; i < count; ++i) results[wanted[i]] = slot.results[i];
  for (const int i : kept) {
    if (slot.logits == nullptr) break;
    on_logits(wanted[i], {slot.logits + static_cast<size_t>(i) * shape_.vocabulary,
                          static_cast<size_t>(shape_.vocabulary)});
  }
}

// --- pages ---

void Model::CopyPage(int from, int to) {
  const size_t page = PageElements(shape_.pool());
  device_->Copy(pool_ + page * to, pool_ + page * from, needs_.page);
}
void Model::SavePage(char* to, int page) {
  device_->ToHost(to, pool_ + PageElements(shape_.pool()) * page, needs_.page);
}
void Model::LoadPage(int page, const char* from) {
  device_->ToDevice(pool_ + PageElements(shape_.pool()) * page, from, needs_.page);
}

char* Model::TakeHostPage() {
  if (host_pages_.empty()) {
    void* memory = device_->AllocatePinned(needs_.page * kHostPagesTogether);
    if (memory == nullptr) {  // slower to copy, and as good
      memory = std::aligned_alloc(64, (needs_.page + 63) / 64 * 64 * kHostPagesTogether);
      if (memory == nullptr) return nullptr;
      ordinary_.push_back(memory);
    } else {
      pinned_.push_back(memory);
    }
    for (int i = 0; i < kHostPagesTogether; ++i) {
      host_pages_.push_back(static_cast<char*>(memory) + needs_.page * i);
    }
  }
  char* page = host_pages_.back();
  host_pages_.pop_back();
  return page;
}
void Model::GiveHostPage(char* page) { host_pages_.push_back(page); }

}  // namespace assay::cuda
