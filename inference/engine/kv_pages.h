// Which page of the key-value pool belongs to whom: reference counts, and nothing of the pages'
// contents.
//
// A page holds the keys and values of `page_tokens` neighbouring positions for every layer; its
// bytes belong to the ModelRunner. A page with more than one reference is never written
// (copy-on-write). Not thread-safe: the scheduler's thread owns it.
#pragma once

#include <optional>
#include <vector>

namespace assay {

class PagePool {
 public:
  explicit PagePool(int pages);

  // A free page with one reference, or nothing. Lowest-numbered pages are not preferred: which page
  // it is never changes a number.
  std::optional<int> Take();
  void Share(int page);    // one reference more
  bool Release(int page);  // one fewer; true: there is none left, and the page is free
  int references(int page) const;

  int total() const { return static_cast<int>(references_.size()); }
  int free() const { return static_cast<int>(free_.size()); }
  int used() const { return total() - free(); }
  int most_used() const { return most_used_; }

 private:
  std::vector<int> references_;
  std::vector<int> free_;
  int most_used_ = 0;
};

}  // namespace assay
