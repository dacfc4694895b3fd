// A trie over the tokens' bytes, tried at each byte that begins one.
#include "inference/engine/added_tokens.h"

#include <utility>

#include "inference/engine/nfc.h"

namespace assay {
namespace {

// Unicode's White_Space, as a byte length at the beginning of `text`; 0 where there is none.
size_t BlankBytes(std::string_view text) {
  if (text.empty()) return 0;
  const auto byte = [&](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  const unsigned char c = byte(0);
  if ((c >= 9 && c <= 13) || c == ' ') return 1;
  if (c == 0xC2 && (byte(1) == 0x85 || byte(1) == 0xA0)) return 2;
  if (c == 0xE1) return byte(1) == 0x9A && byte(2) == 0x80 ? 3 : 0;
  if (c == 0xE3) return byte(1) == 0x80 && byte(2) == 0x80 ? 3 : 0;
  if (c != 0xE2) return 0;
  const bool in_2000 = byte(1) == 0x80 && byte(2) >= 0x80 && byte(2) <= 0x8A;
  const bool separator = byte(1) == 0x80 && (byte(2) == 0xA8 || byte(2) == 0xA9 || byte(2) == 0xAF);
  return in_2000 || separator || (byte(1) == 0x81 && byte(2) == 0x9F) ? 3 : 0;
}

size_t BlanksAtEnd(std::string_view text) {
  size_t end = text.size();
  while (end > 0) {
    size_t begin = end - 1;
    while (begin > 0 && (text[begin] & 0xC0) == 0x80) --begin;
    if (BlankBytes(text.substr(begin, end - begin)) != end - begin) break;
    end = begin;
  }
  return text.size() - end;
}

size_t BlanksAtBegin(std::string_view text) {
  size_t at = 0;
  while (const size_t length = BlankBytes(text.substr(at))) at += length;
  return at;
}

bool IsOneCharacter(std::string_view text) {
  size_t characters = 0;
  for (const char c : text) characters += (c & 0xC0) != 0x80;
  return characters == 1;
}

}  // namespace

AddedTokenFinder::AddedTokenFinder(std::vector<AddedToken> tokens)
    : tokens_(std::move(tokens)), nodes_(1), first_(256, -1) {
  for (size_t i = 0; i < tokens_.size(); ++i) {
    int node = 0;
    for (const char c : tokens_[i].content) {
      const auto byte = static_cast<unsigned char>(c);
      int next = -1;
      for (const auto& [edge, child] : nodes_[node].next) {
        if (edge == byte) next = child;
      }
      if (next < 0) {
        next = static_cast<int>(nodes_.size());
        nodes_.emplace_back();
        nodes_[node].next.emplace_back(byte, next);
      }
      node = next;
    }
    if (node != 0) nodes_[node].token = static_cast<int>(i);
  }
  for (const auto& [byte, child] : nodes_[0].next) first_[byte] = child;
}

const AddedToken* AddedTokenFinder::LongestAt(std::string_view text, size_t at,
                                              std::string_view separator) const {
  int node = first_[static_cast<unsigned char>(text[at])];
  const AddedToken* longest = nullptr;
  for (size_t i = at + 1; node >= 0; ++i) {
    if (const int token = nodes_[node].token; token >= 0) {
      const bool taken_apart = !separator.empty() && IsOneCharacter(tokens_[token].content) &&
                               text.substr(i).starts_with(separator);
      if (!taken_apart) longest = &tokens_[token];
    }
    if (i >= text.size()) break;
    int next = -1;
    for (const auto& [edge, child] : nodes_[node].next) {
      if (edge == static_cast<unsigned char>(text[i])) next = child;
    }
    node = next;
  }
  return longest;
}

std::vector<TextPart> AddedTokenFinder::Split(std::string_view text,
                                              std::string_view separator) const {
  std::vector<TextPart> parts;
  size_t begin = 0;  // of the ordinary text not yet handed out
  const auto add_text = [&](size_t end) {
    if (end > begin) parts.push_back({text.substr(begin, end - begin), -1});
  };
  for (size_t at = 0; at < text.size();) {
    const AddedToken* token =
        first_[static_cast<unsigned char>(text[at])] < 0 ? nullptr : LongestAt(text, at, separator);
    if (token == nullptr) {
      ++at;
      continue;
    }
    size_t end = at + token->content.size();
    if (token->single_word && (EndsInWord(text.substr(0, at)) || BeginsInWord(text.substr(end)))) {
      at = end;
      continue;
    }
    if (token->lstrip) at -= BlanksAtEnd(text.substr(begin, at - begin));
    if (token->rstrip) end += BlanksAtBegin(text.substr(end));
    add_text(at);
    parts.push_back({text.substr(at, end - at), token->id});
    begin = at = end;
  }
  add_text(text.size());
  return parts;
}

}  // namespace assay
