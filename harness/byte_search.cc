// Whole blocks are compared at once, and only a block with a hit byte by byte.
#include "harness/byte_search.h"

#include "harness/status.h"

namespace assay {
namespace {

constexpr size_t kBlock = 64;

}  // namespace

size_t FindAnyOf(std::string_view text, std::string_view bytes, size_t from) {
  CHECK(!bytes.empty() && bytes.size() <= 4);
  const char a = bytes[0];
  const char b = bytes.size() > 1 ? bytes[1] : a;
  const char c = bytes.size() > 2 ? bytes[2] : a;
  const char d = bytes.size() > 3 ? bytes[3] : a;
  // Whole blocks first: without a way out of the loop, the compiler compares sixteen at once.
  for (; from < text.size() && text.size() - from >= kBlock; from += kBlock) {
    const char* block = text.data() + from;
    unsigned char any = 0;
    for (size_t i = 0; i < kBlock; ++i) {
      any |= static_cast<unsigned char>((block[i] == a) | (block[i] == b) | (block[i] == c) |
                                        (block[i] == d));
    }
    if (any != 0) break;
  }
  for (; from < text.size(); ++from) {
    const char found = text[from];
    if (found == a || found == b || found == c || found == d) return from;
  }
  return std::string_view::npos;
}

size_t FindWord(std::string_view text, std::string_view word, size_t from) {
  CHECK(!word.empty());
  const size_t last = word.size() - 1;
  // A block is passed over where the word's first and last bytes stand nowhere in it as in the
  // word.
  for (; from < text.size() && text.size() - from >= kBlock + last; from += kBlock) {
    const char* block = text.data() + from;
    unsigned char any = 0;
    for (size_t i = 0; i < kBlock; ++i) {
      const bool first_is = block[i] == word[0], last_is = block[i + last] == word[last];
      any |= static_cast<unsigned char>(int{first_is} & int{last_is});
    }
    if (any == 0) continue;
    const size_t found = text.substr(from, kBlock + last).find(word);
    if (found != std::string_view::npos) return from + found;
  }
  return text.find(word, from);
}

}  // namespace assay
