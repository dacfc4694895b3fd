// What a tokenizer.json says, read and checked, before it becomes tables.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/json.h"
#include "inference/engine/added_tokens.h"
#include "inference/engine/bpe.h"
#include "inference/engine/pre_tokenizer.h"

namespace assay {

struct TokenizerDefinition {
  std::vector<std::string> tokens;  // bytes by id; added tokens as their text; none is missing
  std::array<int, 256> byte_ids{};  // the token of each single byte
  std::vector<Merge> merges;
  bool ignore_merges = false;
  std::vector<AddedToken> added;
  bool nfc = false;
  PreTokenizer pre_tokenizer = PreTokenizer::kQwen2;
  std::vector<int> prefix, suffix;  // what the post-processor puts around a text
};

// `config` is tokenizer_config.json's object or null: its added_tokens_decoder may add tokens.
// Errors begin with `name` and name the field.
absl::StatusOr<TokenizerDefinition> ReadTokenizerJson(std::string_view text, std::string_view name,
                                                      const Json& config);

// The bytes that a vocabulary entry of byte-level BPE is written for (GPT-2's printable stand-ins
// for the 256 bytes), or nothing where a letter stands for no byte.
std::optional<std::string> BytesOfLetters(std::string_view letters);

}  // namespace assay
