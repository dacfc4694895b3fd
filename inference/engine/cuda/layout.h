// Where things lie in the GPU's memory: pages, chunks, tiles, as arithmetic that host and device
// share.
//
// A page is one piece of the pool, so that it is copied, saved and brought back by one copy:
//   pool [page][layer][kv_head][keys, values][kPagePositions][head_dim]   bf16
#pragma once

#include <cstddef>
#include <cstdint>

#include "inference/engine/host_device.h"

namespace assay::cuda {

using Half = uint16_t;  // bits of a bf16

constexpr int kPagePositions = 64;
// A sequence's attention in a decode step is cut here, counted from position 0: where the cuts lie
// hangs on nothing else.
constexpr int kChunkPositions = 512;
constexpr int kChunkPages = kChunkPositions / kPagePositions;
constexpr int kMostGroup = 8;   // query heads that share a key-value head
constexpr int kQueryTile = 64;  // rows of one sequence that prefill takes together
constexpr int kKeyTile = 64;    // positions that they attend to at a time, from 0
constexpr int kMostLogprobs = 20;

struct PoolShape {
  int layers = 0;
  int kv_heads = 0;
  int head_dim = 0;
};

HOST_DEVICE inline size_t PageElements(const PoolShape& shape) {
  return static_cast<size_t>(shape.layers) * shape.kv_heads * 2 * kPagePositions * shape.head_dim;
}
// Of a page's keys of a head; position `slot` lies slot * head_dim further.
HOST_DEVICE inline size_t KeysAt(const PoolShape& shape, int page, int layer, int kv_head) {
  return static_cast<size_t>(page) * PageElements(shape) +
         (static_cast<size_t>(layer) * shape.kv_heads + kv_head) * 2 * kPagePositions *
             shape.head_dim;
}
HOST_DEVICE inline size_t ValuesAt(const PoolShape& shape, int page, int layer, int kv_head) {
  return KeysAt(shape, page, layer, kv_head) + static_cast<size_t>(kPagePositions) * shape.head_dim;
}

// Of a row that attends to positions 0 .. position; an idle row (position -1) has none.
HOST_DEVICE inline int ChunksOf(int position) {
  return (position + kChunkPositions) / kChunkPositions;
}
HOST_DEVICE inline int PositionsInChunk(int position, int chunk) {
  const int left = position + 1 - chunk * kChunkPositions;
  return left < kChunkPositions ? left : kChunkPositions;
}
HOST_DEVICE inline int FullChunksOf(int position) { return (position + 1) / kChunkPositions; }

// One piece of a decode step's attention, for all heads of one key-value head.
struct ChunkItem {
  int row = 0;
  int chunk = 0;
};

// Rows first .. first + count of a prefill step: of one sequence, by rising position.
struct QueryTile {
  int first = 0;
  int count = 0;  // at most kQueryTile
};

}  // namespace assay::cuda
