// Every token has its bytes; a stop string is looked for in what the last token could have made.
#include "inference/engine/reply_text.h"

#include <algorithm>

#include "harness/text.h"

namespace assay {

ReplyText::ReplyText(std::shared_ptr<const Tokenizer> tokenizer, std::vector<std::string> stops)
    : tokenizer_(std::move(tokenizer)), stops_(std::move(stops)) {
  std::erase(stops_, "");
  for (const std::string& stop : stops_) longest_stop_ = std::max(longest_stop_, stop.size());
}

bool ReplyText::OnToken(int id) {
  const size_t before = bytes_.size();
  if (!tokenizer_->IsSpecial(id)) bytes_ += tokenizer_->TokenBytes(id);
  ends_.push_back(bytes_.size());
  if (stops_.empty() || bytes_.size() == before) return false;
  const size_t from = before >= longest_stop_ ? before - longest_stop_ + 1 : 0;
  size_t first = std::string::npos;
  for (const std::string& stop : stops_) {
    const size_t found = bytes_.find(stop, from);
    if (found >= first) continue;  // npos is the greatest
    first = found;
    stopped_by_ = stop;
  }
  if (first == std::string::npos) return false;
  bytes_.resize(first);
  return true;
}

std::string ReplyText::Text(bool* repaired) const {
  const bool is_valid = !FirstInvalidUtf8(bytes_).has_value();
  if (repaired != nullptr) *repaired = !is_valid;
  return is_valid ? bytes_ : ToValidUtf8(bytes_);
}

int64_t ReplyText::TokensWithin(size_t bytes) const {
  return std::upper_bound(ends_.begin(), ends_.end(), bytes) - ends_.begin();
}

}  // namespace assay
