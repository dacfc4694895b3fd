// Byte pair encoding: a vocabulary of byte strings and the order in which neighbours merge.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"

namespace assay {

// Tokens are bytes; ids index `tokens`. A merge names three ids; its place in the list is its rank.
struct Merge {
  int left = 0;
  int right = 0;
  int merged = 0;
};

// Immutable once built; Append is thread-safe.
class Bpe {
 public:
  Bpe() = default;
  // `byte_ids[b]` is the token of the single byte b. Of two merges of one pair the later counts, as
  // in Hugging Face's tokenizers. `whole_pieces` (ignore_merges): a piece that is a token is that
  // token, whatever the merges say; it maps bytes to ids, and its views must outlive this.
  Bpe(std::vector<int> byte_ids, const std::vector<Merge>& merges,
      std::unordered_map<std::string_view, int> whole_pieces);

  // Appends the ids of one piece.
  void Append(std::string_view piece, std::vector<int>* ids) const;

 private:
  struct Slot {
    uint64_t pair = UINT64_MAX;  // left << 32 | right
    uint32_t rank = 0;
    int merged = 0;
  };
  const Slot* Find(int left, int right) const;
  void AppendShort(std::string_view piece, std::vector<int>* ids) const;
  void AppendLong(std::string_view piece, std::vector<int>* ids) const;

  std::vector<int> byte_ids_;  // [256]
  std::vector<Slot> slots_;    // open addressing; a power of two, at most half full
  uint64_t mask_ = 0;
  std::unordered_map<std::string_view, int> whole_pieces_;
};

}  // namespace assay
