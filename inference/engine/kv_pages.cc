// A stack of free pages and a count for each.
#include "inference/engine/kv_pages.h"

#include <algorithm>

#include "harness/status.h"

namespace assay {

PagePool::PagePool(int pages) : references_(pages, 0) {
  for (int page = pages; page-- > 0;) free_.push_back(page);
}

std::optional<int> PagePool::Take() {
  if (free_.empty()) return std::nullopt;
  const int page = free_.back();
  free_.pop_back();
  CHECK(references_[page] == 0);
  references_[page] = 1;
  most_used_ = std::max(most_used_, used());
  return page;
}

void PagePool::Share(int page) {
  CHECK(references_[page] > 0);
  ++references_[page];
}

bool PagePool::Release(int page) {
  CHECK(references_[page] > 0);
  if (--references_[page] > 0) return false;
  free_.push_back(page);
  return true;
}

int PagePool::references(int page) const { return references_[page]; }

}  // namespace assay
