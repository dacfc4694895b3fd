// A prompt's rows against their sequence's pages, in tiles of 64 positions counted from 0.
//
// A row's sums pass over the same tiles in the same order whatever rows stand beside it and
// wherever a chunk of the prompt was cut: a tile beyond a row's position adds zeros and changes no
// bit. Keys and values are read from the pages, where this step's own have been put before.
#include <cstring>

#include "inference/engine/cuda/kernel_functions.h"
#include "inference/engine/cuda/kernels.h"
#include "inference/engine/cuda/lanes.h"

namespace KERNEL_NAMESPACE {
namespace {

using namespace assay::cuda;

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * 32;
constexpr float kLog2e = 1.44269504088896340736F;
static_assert(kKeyTile == kPagePositions && kQueryTile == kWarps * 16);

template <int kDim>
struct alignas(16) PrefillShared {
  Half tiles[2][2][kKeyTile][kDim + 8];  // [stage][keys, values]
};

static_assert(sizeof(PrefillShared<128>) <= 99 * 1024);  // compute capability 8.6 and 8.9

template <int kDim>
DEVICE void LoadTile(const PrefillAttentionArgs& args, int page, int kv_head, int valid,
                     Half (*tiles)[kKeyTile][kDim + 8]) {
  constexpr int kPieces = kDim / 8;
  const Half* keys = args.pool + KeysAt(args.shape, page, args.layer, kv_head);
  const Half* values = keys + static_cast<size_t>(kPagePositions) * kDim;
  for (int piece = threadIdx.x; piece < kKeyTile * kPieces; piece += kThreads) {
    const int row = piece / kPieces, column = piece % kPieces * 8;
    CopyAsync(&tiles[0][row][column], keys + row * kDim + column, row < valid);
    CopyAsync(&tiles[1][row][column], values + row * kDim + column, row < valid);
  }
}

// Of rows lane / 4 and lane / 4 + 8 of the warp's 16.
template <int kDim>
struct RowState {
  float greatest[2];
  float weights[2];  // of this lane's positions only
  float sums[kDim / 8][4];
};

template <int kDim>
DEVICE void AttendTile(const Half (*tiles)[kKeyTile][kDim + 8],
                       const uint32_t (&queries)[kDim / 16][4], const int (&positions)[2],
                       int first_key, float scale_log2, RowState<kDim>* state) {
  const int lane = threadIdx.x % 32;
  float scores[kKeyTile / 8][4];
  UNROLL for (int pair = 0; pair < kKeyTile / 16; ++pair) {
    UNROLL for (int i = 0; i < 4; ++i) scores[2 * pair][i] = scores[2 * pair + 1][i] = 0;
    UNROLL for (int k = 0; k < kDim / 16; ++k) {
      uint32_t keys[4];  // as B: 16 dimensions times 8 positions, twice
      LoadMatrices(keys,
                   &tiles[0][pair * 16 + lane % 8 + lane / 16 * 8][k * 16 + lane / 8 % 2 * 8]);
      const uint32_t first[2] = {keys[0], keys[1]}, second[2] = {keys[2], keys[3]};
      Multiply(scores[2 * pair], queries[k], first);
      Multiply(scores[2 * pair + 1], queries[k], second);
    }
  }
  float most[2] = {state->greatest[0], state->greatest[1]};
  UNROLL for (int tile = 0; tile < kKeyTile / 8; ++tile) {
    UNROLL for (int i = 0; i < 4; ++i) {
      const int key = first_key + tile * 8 + lane % 4 * 2 + i % 2;
      scores[tile][i] = key <= positions[i / 2] ? scores[tile][i] * scale_log2 : -INFINITY;
      most[i / 2] = fmaxf(most[i / 2], scores[tile][i]);
    }
  }
  float rescale[2];
  UNROLL for (int r = 0; r < 2; ++r) {
    most[r] = fmaxf(most[r], ShuffleXor(most[r], 1));
    most[r] = fmaxf(most[r], ShuffleXor(most[r], 2));
    rescale[r] = exp2f(state->greatest[r] - most[r]);
    state->greatest[r] = most[r];
    state->weights[r] *= rescale[r];
  }
  UNROLL for (int tile = 0; tile < kKeyTile / 8; ++tile) {
    UNROLL for (int i = 0; i < 4; ++i) {
      scores[tile][i] = exp2f(scores[tile][i] - most[i / 2]);
      state->weights[i / 2] += scores[tile][i];
    }
  }
  UNROLL for (int d = 0; d < kDim / 8; ++d) {
    UNROLL for (int i = 0; i < 4; ++i) state->sums[d][i] *= rescale[i / 2];
  }
  UNROLL for (int pair = 0; pair < kKeyTile / 16; ++pair) {
    const float(&left)[4] = scores[2 * pair];
    const float(&right)[4] = scores[2 * pair + 1];
    const uint32_t weights[4] = {RoundPair(left[0], left[1]), RoundPair(left[2], left[3]),
                                 RoundPair(right[0], right[1]), RoundPair(right[2], right[3])};
    UNROLL for (int d = 0; d < kDim / 16; ++d) {
      uint32_t values[4];  // as B: 16 positions times 8 dimensions, twice
      LoadMatricesTransposed(values, &tiles[1][pair * 16 + lane % 16][d * 16 + lane / 16 * 8]);
      const uint32_t first[2] = {values[0], values[1]}, second[2] = {values[2], values[3]};
      Multiply(state->sums[2 * d], weights, first);
      Multiply(state->sums[2 * d + 1], weights, second);
    }
  }
}

template <int kDim>
KERNEL KERNEL_BOUNDS(kThreads, 2) PrefillAttention(PrefillAttentionArgs args) {
  auto& shared = Shared<PrefillShared<kDim>>();
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const QueryTile tile = args.tiles[blockIdx.x];
  const int head = blockIdx.y;
  const int kv_head = head / (args.heads / args.shape.kv_heads);
  const RowInput last = args.rows[tile.first + tile.count - 1];
  const int32_t* table = args.tables + static_cast<size_t>(last.sequence) * args.table_width;

  // This lane's two rows; beyond the tile's end the last one stands in, and is not written.
  int rows[2], positions[2];
  UNROLL for (int r = 0; r < 2; ++r) {
    const int within = warp * 16 + lane / 4 + r * 8;
    rows[r] = tile.first + (within < tile.count ? within : tile.count - 1);
    positions[r] = args.rows[rows[r]].position;
  }
  uint32_t queries[kDim / 16][4];  // as A: 16 rows times 16 dimensions
  UNROLL for (int k = 0; k < kDim / 16; ++k) {
    UNROLL for (int i = 0; i < 4; ++i) {
      const Half* q = args.q + (static_cast<size_t>(rows[i % 2]) * args.heads + head) * kDim;
      memcpy(&queries[k][i], q + k * 16 + i / 2 * 8 + lane % 4 * 2, 4);
    }
  }
  RowState<kDim> state;
  UNROLL for (int r = 0; r < 2; ++r) {
    state.greatest[r] = -INFINITY;
    state.weights[r] = 0;
  }
  UNROLL for (int d = 0; d < kDim / 8; ++d) {
    UNROLL for (int i = 0; i < 4; ++i) state.sums[d][i] = 0;
  }

  const int pages = last.position / kPagePositions + 1;
  const auto load = [&](int page) {
    if (page < pages) {
      LoadTile<kDim>(args, table[page], kv_head, last.position + 1 - page * kPagePositions,
                     shared.tiles[page % 2]);
    }
    CopyCommit();
  };
  load(0);
  for (int page = 0; page < pages; ++page) {
    load(page + 1);
    CopyWait<1>();
    SyncBlock();  // everybody's copies of this page are there
    AttendTile<kDim>(shared.tiles[page % 2], queries, positions, page * kPagePositions,
                     args.scale * kLog2e, &state);
    SyncBlock();  // nobody reads what the next copies go to
  }
  CopyWait<0>();

  UNROLL for (int r = 0; r < 2; ++r) {
    float weights = state.weights[r];
    weights += ShuffleXor(weights, 1);
    weights += ShuffleXor(weights, 2);
    if (warp * 16 + lane / 4 + r * 8 >= tile.count) continue;
    Half* out = args.out + (static_cast<size_t>(rows[r]) * args.heads + head) * kDim;
    UNROLL for (int d = 0; d < kDim / 8; ++d) {
      const uint32_t pair =
          RoundPair(state.sums[d][2 * r] / weights, state.sums[d][2 * r + 1] / weights);
      memcpy(out + d * 8 + lane % 4 * 2, &pair, 4);
    }
  }
}

template <int kDim>
void LaunchFor(const PrefillAttentionArgs& args, Stream stream) {
  LAUNCH(PrefillAttention<kDim>, dim3(args.tiles_count, args.heads), kThreads,
         sizeof(PrefillShared<kDim>), stream, args);
}

}  // namespace

void LaunchPrefillAttention(const PrefillAttentionArgs& args, Stream stream) {
  switch (args.shape.head_dim) {
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
}

}  // namespace KERNEL_NAMESPACE
