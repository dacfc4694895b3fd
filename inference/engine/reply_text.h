// A sample's text as its tokens come: stop strings over token borders, and where thinking ends.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "inference/engine/scheduler.h"
#include "inference/engine/tokenizer.h"

namespace assay {

// Special tokens are no text. Stop strings are matched on bytes, wherever token borders fall; the
// text ends before the first one. Owned by one sample; not thread-safe.
class ReplyText final : public TokenWatcher {
 public:
  ReplyText(std::shared_ptr<const Tokenizer> tokenizer, std::vector<std::string> stops);

  bool OnToken(int id) override;

  // Valid UTF-8: ill-formed bytes are U+FFFD. `repaired` says whether there were any.
  std::string Text(bool* repaired = nullptr) const;
  const std::string& stopped_by() const { return stopped_by_; }  // the stop string; "": none
  // How many of the tokens seen so far lie wholly within the first `bytes` bytes of the text.
  int64_t TokensWithin(size_t bytes) const;

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;  // shared with the checkpoint
  std::vector<std::string> stops_;
  size_t longest_stop_ = 0;
  std::string bytes_;
  std::vector<size_t> ends_;  // of each token in bytes_
  std::string stopped_by_;
};

}  // namespace assay
