// The kernels between the matrix products, as a table of launches: plain pointers and sizes, so
// that CUDA sources include nothing but this.
//
// Rows of activations lie [row][width]. A row whose position is negative is idle: nothing of it is
// written but zeros where a product reads. What a row's numbers are hangs on that row and its
// sequence's pages alone.
#pragma once

#include <cstddef>
#include <cstdint>

#include "inference/engine/cuda/layout.h"

namespace assay::cuda {

using Stream = void*;  // a cudaStream_t

struct RowInput {
  int32_t token = 0;
  int32_t from_row = -1;  // >= 0: the token is drawn[from_row], of the decode step before
  int32_t position = -1;
  int32_t sequence = 0;  // whose pages: row of the page table
};

// What is wanted of a row's logits.
struct DrawInput {
  uint64_t key = 0;  // DrawKey
  uint32_t sample = 0;
  uint32_t position = 0;
  double inverse_temperature = 0;  // 0: the greatest logit
  double top_p = 1;
  double min_p = 0;
  int32_t top_k = 0;
  int32_t logprobs = 0;
  int32_t draws = 0;    // 0: nothing is drawn
  int32_t target = -1;  // >= 0: its log-probability
};

struct RowResult {
  int32_t drawn = -1;
  int32_t bad = -1;  // >= 0: this logit is no finite number, and nothing else here is valid
  float bad_value = 0;
  int32_t target_is_greatest = 0;
  uint64_t cut =
      0;  // CutOrder (draw_math.h) of the last id that top-k and top-p left; else all ones
  double logprob = 0;  // of `drawn`, where logprobs are asked for
  double target_logprob = 0;
  int32_t top_ids[kMostLogprobs] = {};
  double top_logprobs[kMostLogprobs] = {};
};

// x = embedding[token]; normed = x / rms(x) * norm.
struct EmbedArgs {
  const RowInput* rows = nullptr;
  const int32_t* drawn = nullptr;
  const Half* embedding = nullptr;  // [vocabulary][hidden]
  const float* norm = nullptr;
  float* x = nullptr;
  Half* normed = nullptr;
  int count = 0, hidden = 0, vocabulary = 0;
  float epsilon = 0;
};

// x += added (+ bias); normed = x / rms(x) * norm.
struct AddNormArgs {
  const RowInput* rows = nullptr;
  const float* added = nullptr;
  const float* bias = nullptr;  // or null
  const float* norm = nullptr;
  float* x = nullptr;
  Half* normed = nullptr;
  int count = 0, hidden = 0;
  float epsilon = 0;
};

// Queries, keys and values of a layer: bias, norms, rotation; keys and values go to their pages.
struct RopeArgs {
  const RowInput* rows = nullptr;
  const int32_t* tables = nullptr;  // [sequence][table_width]
  const float* qkv = nullptr;       // [row][heads + 2 kv_heads][head_dim]
  const float* bias = nullptr;      // of such a row, or null
  const float* q_norm = nullptr;    // [head_dim], or null
  const float* k_norm = nullptr;
  const float* cos = nullptr;  // [position][head_dim / 2]
  const float* sin = nullptr;
  Half* q = nullptr;  // [row][heads][head_dim]
  Half* pool = nullptr;
  PoolShape shape;
  int count = 0, heads = 0, layer = 0, table_width = 0;
  float epsilon = 0;
};

// The chunks of a decode step's rows: whole ones first, so that the longest work is begun first.
struct WorkArgs {
  const RowInput* rows = nullptr;
  ChunkItem* items = nullptr;  // [count * most_chunks]
  int32_t* items_count = nullptr;
  uint32_t* tickets = nullptr;  // [layers], set to zero
  int count = 0, layers = 0;
};

struct DecodeAttentionArgs {
  const RowInput* rows = nullptr;
  const int32_t* tables = nullptr;
  const ChunkItem* items = nullptr;
  const int32_t* items_count = nullptr;
  uint32_t* ticket = nullptr;  // this layer's
  const Half* q = nullptr;
  const Half* pool = nullptr;
  // Of each [row][head][chunk]: the chunk's sum of weighted values [head_dim], its greatest score
  // (in powers of two) and the sum of its weights.
  float* sums = nullptr;
  float* greatest = nullptr;
  float* weights = nullptr;
  Half* out = nullptr;  // [row][heads][head_dim]
  PoolShape shape;
  int count = 0, heads = 0, layer = 0, table_width = 0, most_chunks = 0;
  int blocks = 0;  // that share the work
  float scale = 0;
};

struct PrefillAttentionArgs {
  const RowInput* rows = nullptr;
  const int32_t* tables = nullptr;
  const QueryTile* tiles = nullptr;
  const Half* q = nullptr;
  const Half* pool = nullptr;
  Half* out = nullptr;
  PoolShape shape;
  int tiles_count = 0, heads = 0, layer = 0, table_width = 0;
  float scale = 0;
};

// out = silu(gate) * up.
struct SwigluArgs {
  const RowInput* rows = nullptr;
  const Half* gate_up = nullptr;  // [row][gate ffn, up ffn]
  Half* out = nullptr;            // [row][ffn]
  int count = 0, ffn = 0;
};

// out[i] = rows[indices[i]].
struct GatherArgs {
  const Half* rows = nullptr;
  const int32_t* indices = nullptr;
  Half* out = nullptr;
  int count = 0, width = 0;
};

// The sampler's rule (sampler.h), for each row by one block. Same logits, same ids.
struct SampleArgs {
  const float* logits = nullptr;  // [row][stride]
  const DrawInput* draws = nullptr;
  RowResult* results = nullptr;
  int32_t* drawn = nullptr;  // [row], or null
  int count = 0, usable = 0;
  size_t stride = 0;
};

struct Kernels {
  void (*embed)(const EmbedArgs&, Stream);
  void (*add_norm)(const AddNormArgs&, Stream);
  void (*rope)(const RopeArgs&, Stream);
  void (*plan_work)(const WorkArgs&, Stream);
  void (*decode_attention)(const DecodeAttentionArgs&, Stream);  // and the chunks' combination
  void (*prefill_attention)(const PrefillAttentionArgs&, Stream);
  void (*swiglu)(const SwigluArgs&, Stream);
  void (*gather)(const GatherArgs&, Stream);
  void (*sample)(const SampleArgs&, Stream);
};

// The GPU's own. What `decode_attention` wants for `blocks` hangs on the GPU: DecodeBlocksPerUnit
// times its multiprocessors.
const Kernels& DeviceKernels();
int DecodeBlocksPerUnit(int head_dim);

}  // namespace assay::cuda
