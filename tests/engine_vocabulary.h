// Vocabularies for tests of the engine: a small one made here, and Qwen's from its tiktoken file.
#pragma once

#include <string>
#include <string_view>

#include "harness/json.h"

namespace assay::testing_support {

// A tokenizer.json of 256 bytes, merges for "ab", "abc", "the" and the like, NFC, Qwen2's pattern,
// and the added tokens <|begin|>, <|end|> (special), <think>, </think>, and "\u24d0", of one
// letter.
Json SmallTokenizer();

// The tokenizer.json that a file of "base64 rank" lines describes, with Qwen2's pattern and the
// added tokens <|endoftext|>, <|im_start|>, <|im_end|> behind it. Merges are what the ranks imply:
// each token's last merge is the pair that byte pair encoding with the lower ranks leaves of it.
Json QwenTokenizerJson(std::string_view tiktoken);

}  // namespace assay::testing_support
