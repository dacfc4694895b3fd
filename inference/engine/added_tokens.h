// Finds added tokens (`<|im_end|>`, `<think>`) in a text, leftmost and longest.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

struct AddedToken {
  std::string content;
  int id = 0;
  bool special = false;     // skipped in text that people read
  bool normalized = false;  // looked for after the normalizer, not before
  bool lstrip = false;      // takes the blanks before it along
  bool rstrip = false;      // and those behind it
  // Text where a word goes on before or behind it; what it covers is then not looked at again, as
  // Hugging Face's tokenizers do.
  bool single_word = false;
};

// A part of a text: an added token, or ordinary text (id -1).
struct TextPart {
  std::string_view text;
  int id = -1;
};

// Immutable once built; thread-safe.
class AddedTokenFinder {
 public:
  // Tokens with empty content are never found.
  explicit AddedTokenFinder(std::vector<AddedToken> tokens);

  bool empty() const { return tokens_.empty(); }
  // The longest token at `at`, or nullptr. A token of one character with `separator` (may be empty)
  // right behind it is not one.
  const AddedToken* LongestAt(std::string_view text, size_t at, std::string_view separator) const;
  // Whether any token begins at `at`.
  bool AnyAt(std::string_view text, size_t at) const { return LongestAt(text, at, {}) != nullptr; }
  // `text` cut into tokens and what lies between them; parts are never empty.
  std::vector<TextPart> Split(std::string_view text, std::string_view separator) const;

 private:
  struct Node {
    std::vector<std::pair<unsigned char, int>> next;  // byte, node
    int token = -1;                                   // that ends here
  };
  std::vector<AddedToken> tokens_;
  std::vector<Node> nodes_;  // a trie; nodes_[0] is its root
  std::vector<int> first_;   // [256]: the root's children, -1: none
};

}  // namespace assay
