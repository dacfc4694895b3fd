// A model in a GPU's memory and its two kinds of steps, as plain numbers: what the runner
// (runner.cc) wraps, and what the bare benchmark runs without it.
//
// Decode always computes with all its rows (idle ones are zeros), prefill with all of its own, and
// products are computed in one way for each shape: so no row's bits hang on the others. Up to
// kDepth decode steps may be under way.
#pragma once

#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "inference/engine/cuda/device.h"

namespace assay::cuda {

struct ModelShape {
  int hidden = 0, layers = 0, heads = 0, kv_heads = 0, head_dim = 0, ffn = 0;
  int vocabulary = 0;
  int usable = 0;  // ids below have a token
  float epsilon = 0;
  bool qkv_bias = false, o_bias = false, qk_norm = false, tied = false;

  int qkv_width() const { return (heads + 2 * kv_heads) * head_dim; }
  int q_width() const { return heads * head_dim; }
  PoolShape pool() const { return {layers, kv_heads, head_dim}; }
};

struct StepShape {
  int decode_rows = 0;
  int prefill_rows = 0;
  int pages = 0;
  int max_positions = 0;
  // Steps with few rows are computed with fewer: faster, and a row's bits then hang on how many
  // others there are.
  bool fast = false;
};

// Bytes that a model takes.
struct Needs {
  size_t weights = 0;
  size_t page = 0;   // one of the cache
  size_t steps = 0;  // activations, logits, inputs, sums of chunks
};
Needs NeedsOf(const ModelShape& model, const StepShape& step);

// A row's place in a step's page tables.
using PageList = std::span<const int>;

class Model {
 public:
  static constexpr int kDepth = 2;
  static constexpr int kLogitRows = 64;  // of prefill rows whose logits are wanted, at a time

  // The device outlives the model. Null with `error`, where memory is lacking or no way to compute
  // a product is found.
  static std::unique_ptr<Model> Make(Device* device, const ModelShape& model, const StepShape& step,
                                     std::string* error);
  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  struct Layer {
    Half *qkv = nullptr, *o = nullptr, *gate_up = nullptr, *down = nullptr;
    float *input_norm = nullptr, *post_norm = nullptr;
    float *qkv_bias = nullptr, *o_bias = nullptr, *q_norm = nullptr, *k_norm = nullptr;  // or null
  };
  struct Weights {
    Half *embedding = nullptr, *head = nullptr;  // the same where they are tied
    float* final_norm = nullptr;
    float *cos = nullptr, *sin = nullptr;  // [max_positions][head_dim / 2]
    std::vector<Layer> layers;
  };
  // To be filled by Load before the first step.
  const Weights& weights() const { return weights_; }
  // Fills device memory piece by piece: `fill` writes bytes begin .. begin + count of it.
  void Load(void* to, size_t bytes,
            const std::function<void(char* piece, size_t begin, size_t count)>& fill);

  // What is wanted of rows, whose `sequence` names one of `sequences`. draws.size() == rows.size().
  struct Step {
    std::span<const RowInput> rows;
    std::span<const DrawInput> draws;
    std::span<const PageList> sequences;
    std::span<const char> keep_logits;  // of each row: not 0 where Logits will be asked for
  };
  // Row i is of sequence i.
  void BeginDecode(const Step& step);
  // Of the oldest step begun.
  void FinishDecode(std::span<RowResult> results);
  // Of a row of the step that was finished last, where they were kept; valid until the next call.
  std::span<const float> Logits(int row) const;

  // Logits are handed out one row after the other.
  using OnLogits = std::function<void(int row, std::span<const float> logits)>;
  void Prefill(const Step& step, std::span<RowResult> results, const OnLogits& on_logits);

  void CopyPage(int from, int to);
  void SavePage(char* to, int page);  // pinned
  void LoadPage(int page, const char* from);
  size_t page_bytes() const { return needs_.page; }
  // Pinned memory for a page, from a stock; or ordinary memory where there is no more.
  char* TakeHostPage();
  void GiveHostPage(char* page);

  const ModelShape& shape() const { return shape_; }
  const StepShape& steps() const { return step_; }
  const Needs& needs() const { return needs_; }
  Half* pool() const { return pool_; }
  Device* device() const { return device_; }
  // Numbers of rows that decode steps are computed with.
  const std::vector<int>& ladder() const { return ladder_; }

 private:
  // Pinned inputs and results of one decode step.
  struct Slot {
    RowInput* rows = nullptr;
    DrawInput* draws = nullptr;
    int32_t* tables = nullptr;
    RowResult* results = nullptr;
    std::vector<int> kept;  // rows whose logits were kept, in the order of their places
    float* logits = nullptr;
    size_t logits_room = 0;  // rows
    int count = 0;
  };
  // A step's inputs on the device.
  struct Inputs {
    RowInput* rows = nullptr;
    DrawInput* draws = nullptr;
    int32_t* tables = nullptr;
    QueryTile* tiles = nullptr;
    int32_t* indices = nullptr;
  };

  Model(Device* device, const ModelShape& model, const StepShape& step);
  bool AllocateAll(std::string* error);
  template <typename T>
  T* Take(size_t count);
  template <typename T>
  T* TakePinned(size_t count);
  void PrepareProducts();
  void WriteTables(std::span<const PageList> sequences, int32_t* tables) const;
  bool ReserveLogits(Slot* slot, size_t rows);
  int RowsFor(int count) const;

  // The kernels of a pass over the layers; leaves the normed final state in normed_.
  void Forward(const Inputs& inputs, int rows, int tiles);
  void Norm(const Inputs& inputs, int rows, const float* bias, const float* norm);
  void DecodeWork(int rows);
  void ReadWanted(const Step& step, std::span<const int> wanted, std::span<RowResult> results,
                  const OnLogits& on_logits);

  Device* device_;
  const ModelShape shape_;
  const StepShape step_;
  const Needs needs_;
  const int table_width_, most_chunks_;
  std::vector<int> ladder_;
  std::vector<void*> memory_, pinned_, ordinary_;  // all that was taken
  bool short_of_memory_ = false;

  Weights weights_;
  Half* pool_ = nullptr;
  float *x_ = nullptr, *qkv_ = nullptr, *projected_ = nullptr, *logits_ = nullptr;
  Half *normed_ = nullptr, *q_ = nullptr, *attended_ = nullptr, *gate_up_ = nullptr,
       *activated_ = nullptr, *gathered_ = nullptr;
  float *sums_ = nullptr, *greatest_ = nullptr, *chunk_weights_ = nullptr;
  ChunkItem* items_ = nullptr;
  int32_t* items_count_ = nullptr;
  uint32_t* tickets_ = nullptr;
  int32_t* drawn_ = nullptr;
  RowResult* results_ = nullptr;
  Inputs decode_, prefill_;
  Slot slots_[kDepth], prefill_slot_;
  QueryTile* pinned_tiles_ = nullptr;
  int32_t* pinned_indices_ = nullptr;
  char* staging_[2] = {};
  std::deque<int> begun_;  // slots
  int next_slot_ = 0;
  int finished_slot_ = -1;
  std::vector<char*> host_pages_;  // free ones
};

}  // namespace assay::cuda
