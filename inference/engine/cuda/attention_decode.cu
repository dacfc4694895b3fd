// One new row of each sequence against its pages: every chunk of 512 positions by itself, then the
// chunks together in their order.
//
// Keys stand on the rows of the tensor cores' products and a group's query heads, padded to 8, on
// their columns: groups of 4 to 7 heads read a key once. A warp takes 16 positions of every page
// and keeps its own greatest score and sums; nobody waits for another warp before the chunk's end.
// Keys and values come through a ring of shared memory, a page ahead.
#include <cstring>

#include "inference/engine/cuda/kernel_functions.h"
#include "inference/engine/cuda/kernels.h"
#include "inference/engine/cuda/lanes.h"

namespace KERNEL_NAMESPACE {
namespace {

using namespace assay::cuda;

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * 32;
constexpr int kWarpPositions = kPagePositions / kWarps;
// A page ahead for each warp: with heads of 128, 68 KiB a block, so that GPUs with 99 KiB run it
// and an H200 has three blocks on a multiprocessor, 96 KiB on their way at a time.
constexpr int kStages = 2;
constexpr float kLog2e = 1.44269504088896340736F;
static_assert(kWarpPositions == 16);  // a tile of the products

// Rows are 16 bytes longer than a head: eight of them lie in different banks.
template <int kDim>
struct WarpShared {
  union {
    Half tiles[kStages][2][kWarpPositions][kDim + 8];  // keys, values
    float sums[kMostGroup][kDim];                      // once the chunk is done
  };
};
template <int kDim>
struct alignas(16) DecodeShared {
  WarpShared<kDim> warps[kWarps];
  float greatest[kWarps][kMostGroup];
  float weights[kWarps][kMostGroup];
  int next;
};

static_assert(sizeof(DecodeShared<128>) <= 99 * 1024);  // compute capability 8.6 and 8.9

// Where this warp's 16 positions of a page come from.
template <int kDim>
DEVICE void LoadTile(const DecodeAttentionArgs& args, int page, int kv_head, int first_slot,
                     int valid, Half (*tiles)[kWarpPositions][kDim + 8]) {
  constexpr int kPieces = kDim / 8;  // of 16 bytes in a row
  const int lane = threadIdx.x % 32;
  const Half* keys = args.pool + KeysAt(args.shape, page, args.layer, kv_head) +
                     static_cast<size_t>(first_slot) * kDim;
  const Half* values = keys + static_cast<size_t>(kPagePositions) * kDim;
  UNROLL for (int piece = lane; piece < kWarpPositions * kPieces; piece += 32) {
    const int row = piece / kPieces, column = piece % kPieces * 8;
    // What lies beyond the sequence may be anything, and 0 * NaN is NaN: zeros instead.
    CopyAsync(&tiles[0][row][column], keys + row * kDim + column, row < valid);
    CopyAsync(&tiles[1][row][column], values + row * kDim + column, row < valid);
  }
}

// The state of a warp: of heads lane % 4 * 2 and the one after it.
template <int kDim>
struct WarpState {
  float greatest[2];
  float weights[2];  // of this lane's positions only
  float sums[kDim / 16][4];
};

// Queries as B of a product: 16 dimensions times 8 heads each.
template <int kDim>
DEVICE void LoadQueries(const DecodeAttentionArgs& args, int row, int kv_head, int group,
                        uint32_t (&queries)[kDim / 16][2]) {
  const int lane = threadIdx.x % 32;
  const int head = lane / 4;
  const Half* q = args.q + (static_cast<size_t>(row) * args.heads + kv_head * group + head) * kDim +
                  lane % 4 * 2;
  UNROLL for (int k = 0; k < kDim / 16; ++k) {
    queries[k][0] = queries[k][1] = 0;
    if (head >= group) continue;
    memcpy(&queries[k][0], q + k * 16, 4);
    memcpy(&queries[k][1], q + k * 16 + 8, 4);
  }
}

// 16 positions, of which the first `valid` count (at least one).
template <int kDim>
DEVICE void AttendTile(const Half (*tiles)[kWarpPositions][kDim + 8],
                       const uint32_t (&queries)[kDim / 16][2], float scale_log2, int valid,
                       WarpState<kDim>* state) {
  const int lane = threadIdx.x % 32;
  float scores[4] = {};
  UNROLL for (int k = 0; k < kDim / 16; ++k) {
    uint32_t keys[4];
    LoadMatrices(keys, &tiles[0][lane % 16][k * 16 + lane / 16 * 8]);
    Multiply(scores, keys, queries[k]);
  }
  // scores[i]: position lane / 4 + i / 2 * 8, head lane % 4 * 2 + i % 2.
  uint32_t weights[2];  // as B: 16 positions times 8 heads
  float rescale[2];
  UNROLL for (int i = 0; i < 4; ++i) {
    scores[i] = lane / 4 + i / 2 * 8 < valid ? scores[i] * scale_log2 : -INFINITY;
  }
  UNROLL for (int h = 0; h < 2; ++h) {
    float most = fmaxf(scores[h], scores[h + 2]);
    UNROLL for (int mask = 4; mask < 32; mask *= 2) most = fmaxf(most, ShuffleXor(most, mask));
    most = fmaxf(most, state->greatest[h]);
    rescale[h] = exp2f(state->greatest[h] - most);
    state->greatest[h] = most;
    scores[h] = exp2f(scores[h] - most);
    scores[h + 2] = exp2f(scores[h + 2] - most);
    state->weights[h] = state->weights[h] * rescale[h] + (scores[h] + scores[h + 2]);
  }
  weights[0] = TransposeMatrix(RoundPair(scores[0], scores[1]));
  weights[1] = TransposeMatrix(RoundPair(scores[2], scores[3]));
  UNROLL for (int d = 0; d < kDim / 16; ++d) {
    uint32_t values[4];  // as A: 16 dimensions times 16 positions
    LoadMatricesTransposed(values, &tiles[1][lane % 8 + lane / 16 * 8][d * 16 + lane / 8 % 2 * 8]);
    UNROLL for (int i = 0; i < 4; ++i) state->sums[d][i] *= rescale[i % 2];
    Multiply(state->sums[d], values, weights);
  }
}

// The warp's state into its part of shared memory, as [head][dimension].
template <int kDim>
DEVICE void StoreState(const WarpState<kDim>& state, int warp, DecodeShared<kDim>* shared) {
  const int lane = threadIdx.x % 32;
  UNROLL for (int h = 0; h < 2; ++h) {
    float weights = state.weights[h];
    UNROLL for (int mask = 4; mask < 32; mask *= 2) weights += ShuffleXor(weights, mask);
    if (lane < 4) {
      shared->greatest[warp][lane * 2 + h] = state.greatest[h];
      shared->weights[warp][lane * 2 + h] = weights;
    }
  }
  UNROLL for (int d = 0; d < kDim / 16; ++d) {
    UNROLL for (int i = 0; i < 4; ++i) {
      shared->warps[warp].sums[lane % 4 * 2 + i % 2][d * 16 + lane / 4 + i / 2 * 8] =
          state.sums[d][i];
    }
  }
}

// The warps' states together, in the order of warps.
template <int kDim>
DEVICE void CombineWarps(const DecodeAttentionArgs& args, const ChunkItem& item, int kv_head,
                         int group, const DecodeShared<kDim>& shared) {
  for (int i = threadIdx.x; i < group * kDim; i += kThreads) {
    const int head = i / kDim, d = i % kDim;
    float most = shared.greatest[0][head];
    UNROLL for (int warp = 1; warp < kWarps; ++warp) most =
        fmaxf(most, shared.greatest[warp][head]);
    float sum = 0, weights = 0;
    UNROLL for (int warp = 0; warp < kWarps; ++warp) {
      const float factor = exp2f(shared.greatest[warp][head] - most);  // 0 where it had no position
      sum += shared.warps[warp].sums[head][d] * factor;
      weights += shared.weights[warp][head] * factor;
    }
    const size_t at =
        (static_cast<size_t>(item.row) * args.heads + kv_head * group + head) * args.most_chunks +
        item.chunk;
    args.sums[at * kDim + d] = sum;
    if (d == 0) {
      args.greatest[at] = most;
      args.weights[at] = weights;
    }
  }
}

template <int kDim>
DEVICE void AttendChunk(const DecodeAttentionArgs& args, const ChunkItem& item, int kv_head,
                        DecodeShared<kDim>* shared) {
  const int warp = threadIdx.x / 32;
  const int group = args.heads / args.shape.kv_heads;
  const RowInput row = args.rows[item.row];
  const int positions = PositionsInChunk(row.position, item.chunk);
  const int pages = (positions + kPagePositions - 1) / kPagePositions;
  const int32_t* table =
      args.tables + static_cast<size_t>(row.sequence) * args.table_width + item.chunk * kChunkPages;
  Half(*ring)[2][kWarpPositions][kDim + 8] = shared->warps[warp].tiles;

  uint32_t queries[kDim / 16][2];
  LoadQueries<kDim>(args, item.row, kv_head, group, queries);
  WarpState<kDim> state;
  UNROLL for (int h = 0; h < 2; ++h) {
    state.greatest[h] = -INFINITY;
    state.weights[h] = 0;
  }
  UNROLL for (int d = 0; d < kDim / 16; ++d) {
    UNROLL for (int i = 0; i < 4; ++i) state.sums[d][i] = 0;
  }
  const int first_slot = warp * kWarpPositions;
  // Pages that this warp has positions in: the last one may end before its slots.
  const int warp_pages = (positions - first_slot + kPagePositions - 1) / kPagePositions;
  const auto load = [&](int page) {
    if (page < pages && page < warp_pages) {
      const int valid = positions - page * kPagePositions - first_slot;
      LoadTile<kDim>(args, table[page], kv_head, first_slot, valid, ring[page % kStages]);
    }
    CopyCommit();  // one group a page, so that waiting counts pages
  };
  UNROLL for (int page = 0; page < kStages - 1; ++page) load(page);
  for (int page = 0; page < warp_pages; ++page) {
    CopyWait<kStages - 2>();
    SyncWarp();  // every lane's copies of this page are there, and nobody reads the one before it
    load(page + kStages - 1);
    const int valid = positions - page * kPagePositions - first_slot;
    AttendTile<kDim>(ring[page % kStages], queries, args.scale * kLog2e, valid, &state);
  }
  CopyWait<0>();
  SyncWarp();  // the ring becomes the place of the sums
  StoreState<kDim>(state, warp, shared);
}

template <int kDim>
KERNEL KERNEL_BOUNDS(kThreads, 2) DecodeAttention(DecodeAttentionArgs args) {
  auto& shared = Shared<DecodeShared<kDim>>();
  const int kv_heads = args.shape.kv_heads;
  const int work = *args.items_count * kv_heads;
  int number = blockIdx.x;
  while (number < work) {
    // The next piece's number is asked for early: it is there when this one is done.
    if (threadIdx.x == 0) {
      shared.next = static_cast<int>(gridDim.x + AddAtomically(args.ticket, 1));
    }
    const ChunkItem item = args.items[number / kv_heads];
    const int kv_head = number % kv_heads;
    AttendChunk<kDim>(args, item, kv_head, &shared);
    SyncBlock();
    CombineWarps<kDim>(args, item, kv_head, args.heads / kv_heads, shared);
    number = shared.next;
    SyncBlock();
  }
}

struct alignas(16) FourSums {
  float values[4];
};
struct alignas(8) FourHalves {
  Half halves[4];
};

// A thread for four dimensions of a head.
KERNEL KERNEL_BOUNDS(256, 1) CombineChunks(DecodeAttentionArgs args) {
  const int fours = args.shape.head_dim / 4;
  const int row = blockIdx.y;
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i >= args.heads * fours) return;
  const int head = i / fours, four = i % fours;
  FourHalves* out =
      reinterpret_cast<FourHalves*>(args.out) + static_cast<size_t>(row) * args.heads * fours + i;
  const int chunks = ChunksOf(args.rows[row].position);
  const size_t at = (static_cast<size_t>(row) * args.heads + head) * args.most_chunks;
  float most = -INFINITY;
  for (int c = 0; c < chunks; ++c) most = fmaxf(most, args.greatest[at + c]);
  FourSums sum = {};
  float weights = 0;
  for (int c = 0; c < chunks; ++c) {
    const float factor = exp2f(args.greatest[at + c] - most);
    const FourSums part = reinterpret_cast<const FourSums*>(args.sums)[(at + c) * fours + four];
    UNROLL for (int k = 0; k < 4; ++k) sum.values[k] += part.values[k] * factor;
    weights += args.weights[at + c] * factor;
  }
  FourHalves done = {};  // of an idle row: zeros
  if (chunks > 0) {
    UNROLL for (int k = 0; k < 4; ++k) done.halves[k] = Round(sum.values[k] / weights);
  }
  *out = done;
}

constexpr int kPlanThreads = 256;

struct PlanShared {
  int full[kPlanThreads], partial[kPlanThreads];
};

// Sums of what threads hold up to each one, itself included.
DEVICE void ScanBlock(int* values) {
  const int thread = threadIdx.x;
  for (int offset = 1; offset < kPlanThreads; offset *= 2) {
    const int left = thread >= offset ? values[thread - offset] : 0;
    SyncBlock();
    values[thread] += left;
    SyncBlock();
  }
}

// One block; so many rows at a time. Whole chunks come first: their number is counted before.
KERNEL KERNEL_BOUNDS(kPlanThreads, 1) PlanWork(WorkArgs args) {
  auto& shared = Shared<PlanShared>();
  const int thread = threadIdx.x;
  for (int layer = thread; layer < args.layers; layer += kPlanThreads) args.tickets[layer] = 0;
  int own_full = 0;
  for (int row = thread; row < args.count; row += kPlanThreads) {
    own_full += FullChunksOf(args.rows[row].position);
  }
  shared.full[thread] = own_full;
  SyncBlock();
  ScanBlock(shared.full);
  int full_before = 0, partial_before = shared.full[kPlanThreads - 1];
  SyncBlock();
  for (int first = 0; first < args.count; first += kPlanThreads) {
    const int row = first + thread;
    const int position = row < args.count ? args.rows[row].position : -1;
    const int full = FullChunksOf(position);
    const int partial = ChunksOf(position) - full;  // 0 or 1
    shared.full[thread] = full;
    shared.partial[thread] = partial;
    SyncBlock();
    ScanBlock(shared.full);
    ScanBlock(shared.partial);
    const int full_at = full_before + shared.full[thread] - full;
    const int partial_at = partial_before + shared.partial[thread] - partial;
    for (int chunk = 0; chunk < full; ++chunk) args.items[full_at + chunk] = {row, chunk};
    if (partial != 0) args.items[partial_at] = {row, full};
    full_before += shared.full[kPlanThreads - 1];
    partial_before += shared.partial[kPlanThreads - 1];
    SyncBlock();
  }
  if (thread == 0) *args.items_count = partial_before;
}

template <int kDim>
void LaunchFor(const DecodeAttentionArgs& args, Stream stream) {
  LAUNCH(DecodeAttention<kDim>, dim3(args.blocks), kThreads, sizeof(DecodeShared<kDim>), stream,
         args);
}

}  // namespace

void LaunchDecodeAttention(const DecodeAttentionArgs& args, Stream stream) {
  switch (args.shape.head_dim) {  // config.cc refuses any other
    case 32:
      LaunchFor<32>(args, stream);
      break;
    case 64:
      LaunchFor<64>(args, stream);
      break;
    case 96:
      LaunchFor<96>(args, stream);
      break;
    default:
      LaunchFor<128>(args, stream);
  }
  const int fours = args.heads * args.shape.head_dim / 4;
  LAUNCH(CombineChunks, dim3((fours + 255) / 256, args.count), 256, 0, stream, args);
}

void LaunchPlanWork(const WorkArgs& args, Stream stream) {
  LAUNCH(PlanWork, dim3(1), kPlanThreads, sizeof(PlanShared), stream, args);
}

#ifndef ASSAY_EMULATE_CUDA
namespace {
template <int kDim>
int BlocksPerUnit() {
  constexpr size_t kBytes = sizeof(DecodeShared<kDim>);
  int blocks = 0;
  cudaFuncSetAttribute(DecodeAttention<kDim>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                       static_cast<int>(kBytes));
  cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, DecodeAttention<kDim>, kThreads, kBytes);
  return blocks;
}
}  // namespace

int DecodeBlocksPerUnit(int head_dim) {
  switch (head_dim) {
    case 32:
      return BlocksPerUnit<32>();
    case 64:
      return BlocksPerUnit<64>();
    case 96:
      return BlocksPerUnit<96>();
    default:
      return BlocksPerUnit<128>();
  }
}
#endif

}  // namespace KERNEL_NAMESPACE
