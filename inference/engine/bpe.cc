// The merge loop, twice: by scanning for short pieces, with a heap for long ones, whose cost a
// hostile text would otherwise square.
#include "inference/engine/bpe.h"

#include <algorithm>
#include <bit>
#include <queue>
#include <tuple>
#include <utility>

namespace assay {
namespace {

constexpr size_t kShortPiece = 48;
constexpr uint32_t kNoRank = UINT32_MAX;

uint64_t PairOf(int left, int right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

// The finalizer of splitmix64.
uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

}  // namespace

Bpe::Bpe(std::vector<int> byte_ids, const std::vector<Merge>& merges,
         std::unordered_map<std::string_view, int> whole_pieces)
    : byte_ids_(std::move(byte_ids)), whole_pieces_(std::move(whole_pieces)) {
  slots_.resize(std::bit_ceil(2 * merges.size() + 2));
  mask_ = slots_.size() - 1;
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const uint64_t pair = PairOf(merges[rank].left, merges[rank].right);
    uint64_t at = Mix(pair) & mask_;
    while (slots_[at].pair != UINT64_MAX && slots_[at].pair != pair) at = (at + 1) & mask_;
    slots_[at] = {pair, static_cast<uint32_t>(rank), merges[rank].merged};
  }
}

const Bpe::Slot* Bpe::Find(int left, int right) const {
  const uint64_t pair = PairOf(left, right);
  uint64_t at = Mix(pair) & mask_;
  while (slots_[at].pair != pair) {
    if (slots_[at].pair == UINT64_MAX) return nullptr;
    at = (at + 1) & mask_;
  }
  return &slots_[at];
}

void Bpe::Append(std::string_view piece, std::vector<int>* ids) const {
  if (piece.size() == 1) {
    ids->push_back(byte_ids_[static_cast<unsigned char>(piece[0])]);
    return;
  }
  if (!whole_pieces_.empty()) {
    const auto found = whole_pieces_.find(piece);
    if (found != whole_pieces_.end()) {
      ids->push_back(found->second);
      return;
    }
  }
  piece.size() <= kShortPiece ? AppendShort(piece, ids) : AppendLong(piece, ids);
}

void Bpe::AppendShort(std::string_view piece, std::vector<int>* ids) const {
  int symbols[kShortPiece];
  const Slot* merges[kShortPiece];  // [i]: of symbols i and i + 1; null: none
  size_t count = piece.size();
  for (size_t i = 0; i < count; ++i) symbols[i] = byte_ids_[static_cast<unsigned char>(piece[i])];
  for (size_t i = 0; i + 1 < count; ++i) merges[i] = Find(symbols[i], symbols[i + 1]);
  while (count > 1) {
    size_t best = count;
    uint32_t best_rank = kNoRank;
    for (size_t i = 0; i + 1 < count; ++i) {
      if (merges[i] != nullptr && merges[i]->rank < best_rank) {
        best = i;
        best_rank = merges[i]->rank;
      }
    }
    if (best == count) break;
    symbols[best] = merges[best]->merged;
    std::copy(symbols + best + 2, symbols + count, symbols + best + 1);
    if (best + 2 < count) std::copy(merges + best + 2, merges + count - 1, merges + best + 1);
    --count;
    if (best > 0) merges[best - 1] = Find(symbols[best - 1], symbols[best]);
    if (best + 1 < count) merges[best] = Find(symbols[best], symbols[best + 1]);
  }
  ids->insert(ids->end(), symbols, symbols + count);
}

void Bpe::AppendLong(std::string_view piece, std::vector<int>* ids) const {
  struct Symbol {
    int id;
    int previous, next;  // -1: none
  };
  std::vector<Symbol> symbols(piece.size());
  const int count = static_cast<int>(piece.size());
  for (int i = 0; i < count; ++i) {
    symbols[i] = {byte_ids_[static_cast<unsigned char>(piece[i])], i - 1,
                  i + 1 < count ? i + 1 : -1};
  }
  // (rank, place of the left symbol, the pair as it was): lowest rank first, then leftmost. An
  // entry whose pair is no longer there is stale.
  using Entry = std::tuple<uint32_t, int, uint64_t>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> heap;
  const auto push = [&](int left) {
    if (left < 0 || symbols[left].next < 0) return;
    const int right_id = symbols[symbols[left].next].id;
    if (const Slot* slot = Find(symbols[left].id, right_id)) {
      heap.emplace(slot->rank, left, PairOf(symbols[left].id, right_id));
    }
  };
  for (int i = 0; i < count; ++i) push(i);
  while (!heap.empty()) {
    const auto [rank, left, pair] = heap.top();
    heap.pop();
    const int right = symbols[left].id < 0 ? -1 : symbols[left].next;
    if (right < 0 || PairOf(symbols[left].id, symbols[right].id) != pair) continue;
    symbols[left].id = Find(symbols[left].id, symbols[right].id)->merged;
    symbols[left].next = symbols[right].next;
    if (symbols[left].next >= 0) symbols[symbols[left].next].previous = left;
    symbols[right].id = -1;
    push(symbols[left].previous);
    push(left);
  }
  for (int i = 0; i >= 0; i = symbols[i].next) ids->push_back(symbols[i].id);
}

}  // namespace assay
