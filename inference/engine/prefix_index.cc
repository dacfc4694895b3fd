// A chain of blocks of tokens, each found by the number of the one before it and its own tokens.
#include "inference/engine/prefix_index.h"

namespace assay {

PrefixIndex::Key PrefixIndex::KeyOf(uint64_t parent, std::span<const int> tokens,
                                    size_t index) const {
  const auto block = tokens.subspan(index * page_tokens_, page_tokens_);
  return {parent, std::vector<int>(block.begin(), block.end())};
}

PrefixIndex::Run PrefixIndex::Find(std::span<const int> tokens) const {
  Run run;
  uint64_t parent = 0;
  for (size_t i = 0; (i + 1) * page_tokens_ <= tokens.size(); ++i) {
    const auto found = entries_.find(KeyOf(parent, tokens, i));
    if (found == entries_.end()) return run;
    if (!found->second.written) {
      run.next_is_coming = true;
      return run;
    }
    run.pages.push_back(found->second.page);
    parent = found->second.number;
  }
  return run;
}

void PrefixIndex::Add(std::span<const int> tokens, std::span<const int> pages) {
  uint64_t parent = 0;
  for (size_t i = 0; (i + 1) * page_tokens_ <= tokens.size(); ++i) {
    const auto [place, is_new] = entries_.try_emplace(KeyOf(parent, tokens, i));
    Entry& entry = place->second;
    if (is_new) {
      entry.page = pages[i];
      entry.number = ++last_number_;
      by_page_[entry.page] = place;
      unwritten_.push_back(entry.page);
    }
    parent = entry.number;
  }
}

void PrefixIndex::MarkWritten() {
  for (const int page : unwritten_) {
    const auto found = by_page_.find(page);
    if (found != by_page_.end()) found->second->second.written = true;
  }
  unwritten_.clear();
}

void PrefixIndex::Forget(int page) {
  const auto found = by_page_.find(page);
  if (found == by_page_.end()) return;
  entries_.erase(found->second);
  by_page_.erase(found);
}

}  // namespace assay
