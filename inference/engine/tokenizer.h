// Byte-level BPE as tokenizer.json describes it: text to token ids and back.
//
// Supported: models of type BPE over bytes (with or without ignore_merges), the pre-tokenizers of
// Qwen2, Llama 3 and GPT-2, normalizer NFC or none, added tokens with lstrip and rstrip, post-
// processors that put tokens before or after a text. Anything else is refused by name.
// The ids equal those of Hugging Face's `tokenizers` (benchmarks/tokenizer_compare.py).
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/json.h"

namespace assay {

// Immutable and thread-safe. Ids are 0 .. size() - 1, each of which has a token.
class Tokenizer {
 public:
  // A tokenizer.json, or the directory that holds one; tokenizer_config.json and
  // special_tokens_map.json beside it are read where they are there. Errors name file and field.
  static absl::StatusOr<std::shared_ptr<const Tokenizer>> Open(
      const std::string& file_or_directory);
  // The same from texts; `name` stands in messages. `config` is tokenizer_config.json's object or
  // null.
  static absl::StatusOr<std::shared_ptr<const Tokenizer>> Parse(std::string_view text,
                                                                std::string_view name,
                                                                const Json& config);
  ~Tokenizer();

  // Ids of a text, without what the post-processor would add. allow_special: added tokens (special
  // or not: `<|im_end|>`, `<think>`) written in the text become their ids; otherwise they are
  // ordinary text. Any bytes: what is no UTF-8 is encoded byte by byte.
  std::vector<int> Encode(std::string_view text, bool allow_special) const;

  // The same with allow_special, but added tokens that stand in the text with `separator` inside
  // them are ordinary text and the separators themselves vanish: how chat.cc keeps a problem's text
  // from being read as control tokens. `separator` is a code point in UTF-8.
  std::vector<int> EncodeSeparated(std::string_view text, std::string_view separator) const;
  // `text` with `separator` put behind the first character of every added token in it; with
  // only_special, of special ones only.
  std::string Separate(std::string_view text, std::string_view separator, bool only_special) const;

  // Exactly the bytes that the tokens stand for: a token may end in mid-character (TokenStream).
  // Ids out of range are skipped, and so are special tokens with skip_special.
  std::string Decode(std::span<const int> ids, bool skip_special) const;

  int size() const;
  std::string_view TokenBytes(int id) const;  // empty where there is no such id
  bool IsSpecial(int id) const;
  bool IsAdded(int id) const;
  std::optional<int> TokenId(std::string_view added_token) const;  // "<think>"; added tokens only

  // From tokenizer_config.json (or special_tokens_map.json), where they are set.
  std::optional<int> bos() const;
  std::optional<int> eos() const;
  // Names and texts of the special tokens for templates: {"bos_token": "<|bos|>", ...}.
  const Json& special_tokens() const;
  // What is put around a text that is no chat: usually nothing, or the beginning-of-sequence token.
  const std::vector<int>& prefix_ids() const;
  const std::vector<int>& suffix_ids() const;
  // "qwen2", "llama3", "gpt2": the pre-tokenizer recognised.
  std::string_view pre_tokenizer() const;

 private:
  struct State;
  explicit Tokenizer(std::unique_ptr<const State> state);
  std::unique_ptr<const State> state_;
};

// Text of tokens as they come: emits whole UTF-8 characters only; what is ill-formed becomes
// U+FFFD, one for each maximal subpart (Unicode 15, section 3.9). All that Append and Finish
// returned, joined, is ToValidUtf8(Decode(all ids)). Not thread-safe.
class TokenStream {
 public:
  TokenStream(std::shared_ptr<const Tokenizer> tokenizer, bool skip_special)
      : tokenizer_(std::move(tokenizer)), skip_special_(skip_special) {}

  std::string Append(int id);                          // what is now certain; may be empty
  std::string Finish();                                // the rest
  const std::string& bytes() const { return bytes_; }  // of all tokens so far, exactly

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  bool skip_special_;
  std::string bytes_;
  size_t emitted_ = 0;  // bytes_ before this one have been returned
};

}  // namespace assay
