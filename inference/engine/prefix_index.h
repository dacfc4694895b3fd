// Which pages of running prompts hold which tokens, so that a prompt that begins as another one
// does shares its pages instead of computing them again.
//
// Only whole pages are shared, and only while somebody has them: the index holds no reference. A
// page's numbers hang on the tokens up to its end alone, so whose prefill wrote it changes no bit.
// Not thread-safe: the scheduler's thread owns it.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

namespace assay {

class PrefixIndex {
 public:
  explicit PrefixIndex(int page_tokens) : page_tokens_(page_tokens) {}

  struct Run {
    std::vector<int> pages;       // of the first whole pages of the tokens, written ones only
    bool next_is_coming = false;  // the page after them is being written for another prompt
  };
  Run Find(std::span<const int> tokens) const;

  // pages[i] holds, or will hold, the i-th whole page of `tokens`. The pages before it are in the
  // index too. What is there already stays.
  void Add(std::span<const int> tokens, std::span<const int> pages);
  // All that was added has been written.
  void MarkWritten();
  // The page is free and may be written again.
  void Forget(int page);

 private:
  struct Entry {
    int page = -1;
    uint64_t number = 0;  // never used again, so that a lost parent leaves no wrong child
    bool written = false;
  };
  // The number of the entry before (0: none) and a page's tokens.
  using Key = std::pair<uint64_t, std::vector<int>>;
  using Entries = std::map<Key, Entry>;

  Key KeyOf(uint64_t parent, std::span<const int> tokens, size_t index) const;

  int page_tokens_;
  uint64_t last_number_ = 0;
  Entries entries_;
  std::map<int, Entries::iterator> by_page_;
  std::vector<int> unwritten_;  // pages
};

}  // namespace assay
