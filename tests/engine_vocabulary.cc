// Builds tokenizer.json values; the converter from ranks is its own small BPE, no code shared with
// what is tested.
#include "tests/engine_vocabulary.h"

#include <array>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "harness/status.h"
#include "harness/text.h"

namespace assay::testing_support {
namespace {

constexpr std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// GPT-2's printable letters for the 256 bytes.
std::array<std::string, 256> Letters() {
  std::array<std::string, 256> letters;
  char32_t extra = 256;
  for (int b = 0; b < 256; ++b) {
    const bool keeps = (b > 32 && b < 127) || (b > 160 && b < 173) || b > 173;
    AppendUtf8(keeps ? static_cast<char32_t>(b) : extra++, &letters[static_cast<size_t>(b)]);
  }
  return letters;
}

std::string InLetters(std::string_view bytes) {
  static const std::array<std::string, 256> letters = Letters();
  std::string out;
  for (const char c : bytes) out += letters[static_cast<unsigned char>(c)];
  return out;
}

Json Added(int id, std::string_view content, bool special) {
  return Json::MakeObject({{"id", id},
                           {"content", content},
                           {"single_word", false},
                           {"lstrip", false},
                           {"rstrip", false},
                           {"normalized", false},
                           {"special", special}});
}

Json TokenizerJson(Json vocab, Json merges, Json added) {
  const Json byte_level = Json::MakeObject({{"type", "ByteLevel"},
                                            {"add_prefix_space", false},
                                            {"trim_offsets", false},
                                            {"use_regex", false}});
  const Json split = Json::MakeObject({{"type", "Split"},
                                       {"pattern", Json::MakeObject({{"Regex", kQwen2Pattern}})},
                                       {"behavior", "Isolated"},
                                       {"invert", false}});
  return Json::MakeObject(
      {{"version", "1.0"},
       {"added_tokens", std::move(added)},
       {"normalizer", Json::MakeObject({{"type", "NFC"}})},
       {"pre_tokenizer", Json::MakeObject({{"type", "Sequence"},
                                           {"pretokenizers", Json::Array{split, byte_level}}})},
       {"post_processor", byte_level},
       {"decoder", byte_level},
       {"model", Json::MakeObject({{"type", "BPE"},
                                   {"dropout", Json()},
                                   {"unk_token", Json()},
                                   {"continuing_subword_prefix", ""},
                                   {"end_of_word_suffix", ""},
                                   {"fuse_unk", false},
                                   {"byte_fallback", false},
                                   {"ignore_merges", false},
                                   {"vocab", std::move(vocab)},
                                   {"merges", std::move(merges)}})}});
}

std::string FromBase64(std::string_view text) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == '=') break;
    bits = bits << 6 | static_cast<uint32_t>(kDigits.find(c));
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(bits >> count & 0xFF);
    }
  }
  return out;
}

using Ranks = std::unordered_map<std::string, int>;

// What is left of a token after merging by ranks below its own: two parts, for all but bytes.
std::vector<std::string> Parts(const std::string& token, int rank, const Ranks& ranks) {
  std::vector<std::string> parts;
  for (const char c : token) parts.emplace_back(1, c);
  while (true) {
    int best_rank = rank;
    size_t best = 0;
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto found = ranks.find(parts[i] + parts[i + 1]);
      if (found != ranks.end() && found->second < best_rank) {
        best_rank = found->second;
        best = i;
      }
    }
    if (best_rank == rank) return parts;
    parts[best] += parts[best + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

}  // namespace

Json SmallTokenizer() {
  Json vocab = Json::MakeObject(), merges = Json::MakeArray(), added = Json::MakeArray();
  int next = 0;
  for (int b = 0; b < 256; ++b) {
    vocab.AsMembers().emplace_back(InLetters(std::string(1, static_cast<char>(b))), next++);
  }
  for (const auto& [left, right] :
       std::vector<std::pair<std::string, std::string>>{{"b", "c"},
                                                        {"a", "b"},
                                                        {"a", "bc"},
                                                        {"ab", "ab"},
                                                        {"t", "h"},
                                                        {"th", "e"},
                                                        {" ", "the"},
                                                        {" ", " "},
                                                        {"c", "a"},
                                                        {"1", "2"},
                                                        {"\xc3", "\xa9"},
                                                        {"d", "a"}}) {
    merges.Append(Json::Array{Json(InLetters(left)), Json(InLetters(right))});
    vocab.AsMembers().emplace_back(InLetters(left + right), next++);
  }
  for (const std::string_view token : {"<|begin|>", "<|end|>", "<think>", "</think>", "\u24d0"}) {
    added.Append(Added(next++, token, token.starts_with("<|")));
  }
  return TokenizerJson(std::move(vocab), std::move(merges), std::move(added));
}

Json QwenTokenizerJson(std::string_view tiktoken) {
  std::vector<std::string> tokens;
  Ranks ranks;
  for (const std::string_view line : SplitLines(tiktoken)) {
    const std::vector<std::string_view> fields = Split(line, ' ');
    if (fields.size() != 2) continue;
    CHECK(ParseInt(fields[1]) == static_cast<int64_t>(tokens.size()));
    tokens.push_back(FromBase64(fields[0]));
    ranks.emplace(tokens.back(), static_cast<int>(tokens.size()) - 1);
  }
  Json vocab = Json::MakeObject(), merges = Json::MakeArray(), added = Json::MakeArray();
  for (size_t rank = 0; rank < tokens.size(); ++rank) {
    vocab.AsMembers().emplace_back(InLetters(tokens[rank]), static_cast<int>(rank));
    const std::vector<std::string> parts = Parts(tokens[rank], static_cast<int>(rank), ranks);
    if (parts.size() == 2) {
      merges.Append(Json(InLetters(parts[0]) + " " + InLetters(parts[1])));
    }
  }
  int next = static_cast<int>(tokens.size());
  for (const std::string_view token : {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}) {
    added.Append(Added(next++, token, true));
  }
  return TokenizerJson(std::move(vocab), std::move(merges), std::move(added));
}

}  // namespace assay::testing_support
