// The tokenizer against known encodings, Hugging Face's own answers, and files that are wrong.
#include "inference/engine/tokenizer.h"

#include <algorithm>
#include <map>
#include <random>

#include "harness/text.h"
#include "inference/engine/nfc.h"
#include "inference/engine/pre_tokenizer.h"
#include "inference/engine/tokenizer_json.h"
#include "tests/engine_vocabulary.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing_support::QwenTokenizerJson;
using testing_support::ReadJsonFile;
using testing_support::ReadWholeFile;
using testing_support::SharedPath;
using testing_support::SmallTokenizer;
using testing_support::SourcePath;

using TokenizerPointer = std::shared_ptr<const Tokenizer>;

absl::StatusOr<TokenizerPointer> Read(const Json& json, const Json& config = {}) {
  return Tokenizer::Parse(json.Dump(), "tokenizer.json", config);
}

std::vector<int> Ids(const Json& list) {
  std::vector<int> ids;
  for (const Json& id : list.AsArray()) ids.push_back(static_cast<int>(id.AsInteger()));
  return ids;
}

// --- known encodings ---

struct Vector {
  std::string text;
  std::vector<int> ids;
};

std::vector<Vector> ReadVectors(const std::string& ids_file) {
  const std::string whole = ReadWholeFile(SharedPath("data/tokenizer/qwen2.inp"));
  const std::string separator = "\n__ggml_vocab_test__\n";
  std::vector<Vector> vectors;
  for (size_t at = 0; at <= whole.size();) {
    const size_t end = std::min(whole.find(separator, at), whole.size());
    vectors.push_back({whole.substr(at, end - at), {}});
    at = end + separator.size();
  }
  const std::string ids = ReadWholeFile(SharedPath("data/tokenizer/" + ids_file));
  const std::vector<std::string_view> lines = SplitLines(ids);
  // The last text, behind the last separator, is empty, and so is its line, which has no line
  // break.
  EXPECT_EQ(vectors.size(), lines.size() + 1);
  EXPECT_EQ(vectors.back().text, "");
  for (size_t i = 0; i < lines.size(); ++i) {
    for (const std::string_view id : Split(Trim(lines[i]), ' ')) {
      if (!id.empty()) vectors[i].ids.push_back(static_cast<int>(*ParseInt(id)));
    }
  }
  return vectors;
}

void ExpectVectors(const Tokenizer& tokenizer, const std::vector<Vector>& vectors) {
  ASSERT_EQ(vectors.size(), 47u);
  for (const Vector& vector : vectors) {
    EXPECT_EQ(tokenizer.Encode(vector.text, true), vector.ids) << vector.text;
    EXPECT_EQ(tokenizer.Encode(vector.text, false), vector.ids) << vector.text;
    EXPECT_EQ(tokenizer.Decode(vector.ids, false), vector.text);
  }
}

TEST(TokenizerVectors, QwensVocabularyGivesAll47Encodings) {
  SKIP_WITHOUT_SHARED("data/tokenizer/qwen.tiktoken");
  const Json json = QwenTokenizerJson(ReadWholeFile(SharedPath("data/tokenizer/qwen.tiktoken")));
  ASSERT_OK_AND_ASSIGN(const TokenizerPointer tokenizer, Read(json));
  EXPECT_EQ(tokenizer->size(), 151646);
  EXPECT_EQ(tokenizer->pre_tokenizer(), "qwen2");
  ExpectVectors(*tokenizer, ReadVectors("qwen2.out"));
}

TEST(TokenizerVectors, Gpt2sTokenizerJsonGivesAll47Encodings) {
  SKIP_WITHOUT_SHARED("data/tokenizer/gpt2_tokenizer.json");
  ASSERT_OK_AND_ASSIGN(const TokenizerPointer tokenizer,
                       Tokenizer::Open(SharedPath("data/tokenizer/gpt2_tokenizer.json")));
  EXPECT_EQ(tokenizer->size(), 50257);
  EXPECT_EQ(tokenizer->pre_tokenizer(), "gpt2");
  ExpectVectors(*tokenizer, ReadVectors("gpt2.out"));
}

size_t CountPieces(PreTokenizer kind, std::string_view text) {
  size_t pieces = 0;
  for (; !text.empty(); ++pieces) text.remove_prefix(PieceLength(kind, text));
  return pieces;
}

// Llama 3's vocabulary is not at hand. What its encodings do say: no token reaches over pieces, and
// runs of digits, each three of which are one token, are cut as expected.
TEST(TokenizerVectors, Llama3sEncodingsAgreeWithItsPieces) {
  SKIP_WITHOUT_SHARED("data/tokenizer/llama3.out");
  int digits = 0;
  for (const Vector& vector : ReadVectors("llama3.out")) {
    const size_t pieces = CountPieces(PreTokenizer::kLlama3, vector.text);
    EXPECT_LE(pieces, vector.ids.size()) << vector.text;
    const bool only_digits =
        !vector.text.empty() && vector.text.find_first_not_of("0123456789") == std::string::npos;
    if (!only_digits) continue;
    ++digits;
    EXPECT_EQ(pieces, vector.ids.size()) << vector.text;
    EXPECT_EQ(pieces, (vector.text.size() + 2) / 3) << vector.text;
  }
  EXPECT_GE(digits, 5);
}

// --- Hugging Face's answers for the tiny checkpoints (tests/make_engine_goldens.py) ---

TEST(TokenizerGoldens, TinyCheckpointsEncodeAsHuggingFaceDoes) {
  for (const std::string name : {"tiny_llama", "tiny_qwen2", "tiny_qwen3"}) {
    const std::string directory = SourcePath("tests/data/" + name);
    ASSERT_OK_AND_ASSIGN(const TokenizerPointer tokenizer, Tokenizer::Open(directory));
    const Json golden = ReadJsonFile(directory + "/golden.json");
    ASSERT_GT(golden.Find("encodings")->size(), 10u);
    for (const Json& vector : golden.Find("encodings")->AsArray()) {
      const std::string text = vector.Find("text")->AsString();
      EXPECT_EQ(tokenizer->Encode(text, true), Ids(*vector.Find("ids"))) << name << ": " << text;
      EXPECT_EQ(tokenizer->Encode(text, false), Ids(*vector.Find("ids_without_special")))
          << name << ": " << text;
    }
  }
}

TEST(Tokenizer, TinyLlamaPutsItsBeginningBeforeRawTexts) {
  ASSERT_OK_AND_ASSIGN(const TokenizerPointer llama,
                       Tokenizer::Open(SourcePath("tests/data/tiny_llama")));
  ASSERT_TRUE(llama->bos().has_value());
  EXPECT_THAT(llama->prefix_ids(), ElementsAre(*llama->bos()));
  EXPECT_EQ(llama->bos(), llama->TokenId("<|begin_of_text|>"));
  EXPECT_EQ(llama->pre_tokenizer(), "llama3");
  ASSERT_OK_AND_ASSIGN(const TokenizerPointer qwen,
                       Tokenizer::Open(SourcePath("tests/data/tiny_qwen2")));
  EXPECT_THAT(qwen->prefix_ids(), IsEmpty());
  EXPECT_FALSE(qwen->bos().has_value());
  EXPECT_EQ(qwen->eos(), qwen->TokenId("<|im_end|>"));
}

// --- pieces: by hand against RE2 ---

std::string RandomText(std::mt19937* random, int length) {
  static const std::vector<std::string> kParts = {
      "a",      "Z",    "s",       "'",    "'s",   "'RE",  "'ll", "1",      "9",
      " ",      "  ",   "\t",      "\n",   "\r",   "\r\n", "-",   "_",      "{",
      "\"",     "é",    "ſ",       "日",   "ß",    "½",    "２",  "\u00a0", "\u3000",
      "\u2028", "🙂", "e\u0301", "\x00", "\x7f", "K",    "'ſ",  "\x80",   "\xe3\x81"};
  std::string text;
  for (int i = 0; i < length; ++i) text += kParts[(*random)() % kParts.size()];
  return text;
}

TEST(PreTokenizer, PiecesByHandAreThoseOfTheRegularExpression) {
  std::mt19937 random(17);
  for (int i = 0; i < 20000; ++i) {
    const std::string text = RandomText(&random, 1 + static_cast<int>(random() % 12));
    for (const PreTokenizer kind :
         {PreTokenizer::kQwen2, PreTokenizer::kLlama3, PreTokenizer::kGpt2}) {
      for (std::string_view rest = text; !rest.empty();) {
        const size_t length = PieceLength(kind, rest);
        ASSERT_EQ(length, PieceLengthByRegex(kind, rest))
            << PreTokenizerName(kind) << " in " << Printable(text) << " at " << Printable(rest);
        ASSERT_GE(length, 1u);
        ASSERT_LE(length, rest.size());
        rest.remove_prefix(length);
      }
    }
  }
}

std::vector<std::string> Pieces(PreTokenizer kind, std::string_view text) {
  std::vector<std::string> pieces;
  while (!text.empty()) {
    pieces.emplace_back(text.substr(0, PieceLength(kind, text)));
    text.remove_prefix(pieces.back().size());
  }
  return pieces;
}

TEST(PreTokenizer, GivesTheLastBlankBackToTheNextWord) {
  EXPECT_THAT(Pieces(PreTokenizer::kQwen2, "a   b  \n  c  "),
              ElementsAre("a", "  ", " b", "  \n", " ", " c", "  "));
  EXPECT_THAT(Pieces(PreTokenizer::kQwen2, "x\u00a0\u3000y"),
              ElementsAre("x", "\u00a0", "\u3000y"));
  EXPECT_THAT(Pieces(PreTokenizer::kGpt2, "a\n\n b"), ElementsAre("a", "\n\n", " b"));
  EXPECT_THAT(Pieces(PreTokenizer::kQwen2, "12345"), ElementsAre("1", "2", "3", "4", "5"));
  EXPECT_THAT(Pieces(PreTokenizer::kLlama3, "12345"), ElementsAre("123", "45"));
  EXPECT_THAT(Pieces(PreTokenizer::kGpt2, "we'll WE'LL"),
              ElementsAre("we", "'ll", " WE", "'", "LL"));
  EXPECT_THAT(Pieces(PreTokenizer::kQwen2, "WE'LL 'x"), ElementsAre("WE", "'LL", " '", "x"));
}

TEST(PreTokenizer, OnlyKnownPatternsAreKnown) {
  EXPECT_EQ(PreTokenizerFromPattern(R"(\p{N}{1,3})"), std::nullopt);
  EXPECT_EQ(PreTokenizerFromPattern(""), std::nullopt);
}

// --- round trips ---

TEST(Tokenizer, DecodingGivesBackTheBytes) {
  Json json = SmallTokenizer();
  json.Set("normalizer", Json());
  ASSERT_OK_AND_ASSIGN(const TokenizerPointer tokenizer, Read(json));
  std::mt19937 random(3);
  for (int i = 0; i < 2000; ++i) {
    std::string bytes;
    for (size_t n = random() % 40; n > 0; --n) bytes += static_cast<char>(random() % 256);
    EXPECT_EQ(tokenizer->Decode(tokenizer->Encode(bytes, false), true), bytes);
    const std::string text = RandomText(&random, 12);
    EXPECT_EQ(tokenizer->Decode(tokenizer->Encode(text, true), false), text);
  }
}

TEST(Tokenizer, LongPiecesMergeAsShortOnesDo) {
  ASSERT_OK_AND_ASSIGN(const TokenizerPointer tokenizer, Read(SmallTokenizer()));
  // "ab" merges before "aba" could: 30 letters take the scan, 300 the heap.
  const auto encode = [&](int n) {
    std::string text;
    for (int i = 0; i < n; ++i) text += "abc"[i % 3];
    return tokenizer->Encode(text, false);
  };
  const std::vector<int> cell = encode(3);
  for (const int n : {30, 48, 51, 300, 3000}) {
    std::vector<int> expected;
    for (int i = 0; i < n / 3; ++i) expected.insert(expected.end(), cell.begin(), cell.end());
    EXPECT_EQ(encode(n), expected) << n;
  }
  std::mt19937 random(5);
  for (int i = 0; i < 300; ++i) {
    // Random letters: compare the heap with the scan by cutting nothing, through a hostile length.
    std::string text;
    for (int n = 0; n < 60; ++n) text += "abcd"[random() % 4];
    EXPECT_EQ(tokenizer->Decode(tokenizer->Encode(text, false), false), text);
  }
}

TEST(Tokenizer, AMillionLettersWithoutABlankEndSoon) {
  ASSERT_OK_AND_ASSIGN(const TokenizerPointer tokenizer, Read(SmallTokenizer()));
  const std::string text(1 << 20, 'a');
  EXPECT_EQ(tokenizer->Decode(tokenizer->Encode(text, true), false), text);
  const std::string blanks(1 << 20, ' ');
  EXPECT_EQ(tokenizer->Decode(tokenizer->Encode(blanks, true), false), blanks);
}

TEST(Tokenizer, ComposesCharactersWhereTheFileSaysSo) {
  ASSERT_OK_AND_ASSIGN(const TokenizerPointer tokenizer, Read(SmallTokenizer()));
  EXPECT_EQ(tokenizer->Encode("cafe\u0301", true), tokenizer->Encode("caf\u00e9", true));
  Json plain = SmallTokenizer();
  plain.Set("normalizer", Json());
  ASSERT_OK_AND_ASSIGN(const TokenizerPointer without, Read(plain));
  EXPECT_NE(without->Encode("cafe\u0301", true), without->Encode("caf\u00e9", true));
  EXPECT_EQ(without->Decode(without->Encode("cafe\u0301", true), true), "cafe\u0301");
}

TEST(Nfc, ComposesWhatUnicode9Knew) {
  EXPECT_EQ(ToNfc("e\u0301\u0323"), "\u1eb9\u0301");
  EXPECT_EQ(ToNfc("\u1100\u1161\u11a8 A\u030a \u212b"), "\uac01 \u00c5 \u00c5");
  // U+07FD came with Unicode 11: by today's tables it would go before U+07F3.
  EXPECT_EQ(ToNfc("\u07f3\u07fd"), "\u07f3\u07fd");
  EXPECT_EQ(ToNfc("\u0301\u0323"), "\u0323\u0301");
  EXPECT_EQ(ToNfc("e\u0301\xff e\u0301\x80"), "\u00e9\xff \u00e9\x80");
}

// --- added tokens ---

TEST(Tokenizer, AddedTokensAreTokensOnlyWhereAllowed) {
  ASSERT_OK_AND_ASSIGN(const TokenizerPointer tokenizer, Read(SmallTokenizer()));
  const int end = *tokenizer->TokenId("<|end|>");
  EXPECT_THAT(tokenizer->Encode("a<|end|>a", true), ElementsAre(testing::_, end, testing::_));
  EXPECT_THAT(tokenizer->Encode("a<|end|>a", false), testing::Not(testing::Contains(end)));
  EXPECT_EQ(tokenizer->Decode(tokenizer->Encode("a<|end|>a", true), true), "aa");
  EXPECT_EQ(tokenizer->Decode(tokenizer->Encode("a<think>a", true), true), "a<think>a");
  EXPECT_EQ(tokenizer->Decode(tokenizer->Encode("a<|end|>a", false), true), "a<|end|>a");
}

TEST(Tokenizer, SeparatedTokensAreOrdinaryText) {
  ASSERT_OK_AND_ASSIGN(const TokenizerPointer tokenizer, Read(SmallTokenizer()));
  const std::string separator = "\uFDD0";
  for (const std::string text : {"<|end|>", "a<think>b</think>", "<<|end|><|end|>",
                                 "<|e<|end|>nd|>", "no tokens", "", "<|end", "\u24d0x\u24d0"}) {
    const std::string separated = tokenizer->Separate(text, separator, false);
    EXPECT_EQ(ReplaceAll(separated, separator, ""), text);
    EXPECT_EQ(tokenizer->EncodeSeparated(separated, separator), tokenizer->Encode(text, false))
        << text;
  }
  const int think = *tokenizer->TokenId("<think>");
  const std::string special_only = tokenizer->Separate("<think><|end|>", separator, true);
  EXPECT_EQ(tokenizer->EncodeSeparated(special_only, separator)[0], think);
}

TEST(Tokenizer, StrippingTokensTakeBlanksAlong) {
  Json json = SmallTokenizer();
  Json& tokens = *json.Find("added_tokens");
  for (Json& token : tokens.AsArray()) {
    if (token.FindString("content") == "<|end|>") token.Set("lstrip", true);
    if (token.FindString("content") == "<think>") token.Set("rstrip", true);
  }
  ASSERT_OK_AND_ASSIGN(const TokenizerPointer tokenizer, Read(json));
  const int end = *tokenizer->TokenId("<|end|>"), think = *tokenizer->TokenId("<think>");
  const int a = tokenizer->Encode("a", true)[0];
  EXPECT_THAT(tokenizer->Encode("a \t\u3000<|end|>a", true), ElementsAre(a, end, a));
  EXPECT_THAT(tokenizer->Encode("a<think> \n a", true), ElementsAre(a, think, a));
}

// What tokenizers 0.23.3 makes of these texts.
TEST(AddedTokens, ASingleWordStandsAlone) {
  const AddedTokenFinder finder(
      {{.content = "ab", .id = 0, .single_word = true},
       {.content = "abc", .id = 1, .lstrip = true, .rstrip = true, .single_word = true},
       {.content = "b!", .id = 2}});
  const std::vector<std::pair<std::string, std::vector<int>>> cases = {
      {"ab", {0}},           {"xab", {-1}},          {"ab x", {0, -1}},
      {"abx", {-1}},         {"\u00e9 ab", {-1, 0}}, {"\u00e9ab", {-1}},
      {"ab!", {0, -1}},      {"ab!c", {0, -1}},      {"_ab", {-1}},
      {"ab_", {-1}},         {"1ab", {-1}},          {"ab\u0301", {-1}},
      {"\u0301ab", {-1}},    {"ab\u200d", {-1}},     {"\u24b6ab", {-1}},
      {"ab-ab", {0, -1, 0}}, {"abab", {-1}},         {" abc ", {1}},
      {"abcd ab", {-1, 0}},  {"xabc ab", {-1, 0}},   {"ab abc ab", {0, 1, 0}},
      {"abb!", {-1, 2}},     {"xab!", {-1}},         {"\u4e2dab", {-1}},
      {"ab\u3002", {0, -1}}, {"ab\u2160", {-1}},     {"\u00b2ab", {-1, 0}},
      {"ab\xff", {0, -1}},  // no UTF-8, which tokenizers never sees
  };
  for (const auto& [text, expected] : cases) {
    std::vector<int> ids;
    std::string whole;
    for (const TextPart& part : finder.Split(text, {})) {
      ids.push_back(part.id);
      whole += part.text;
    }
    EXPECT_EQ(ids, expected) << text;
    EXPECT_EQ(whole, text);
  }
}

// --- streams ---

TEST(TokenStream, EmitsWholeCharactersOnly) {
  ASSERT_OK_AND_ASSIGN(const TokenizerPointer tokenizer, Read(SmallTokenizer()));
  std::mt19937 random(9);
  for (int i = 0; i < 3000; ++i) {
    std::string bytes = i % 2 == 0 ? RandomText(&random, 6) : std::string();
    for (size_t n = random() % 12; n > 0; --n)
      bytes += "\xf0\x9f\x99\x82\xe2\x82\xed\xc3 a"[random() % 11];
    TokenStream stream(tokenizer, true);
    std::string joined;
    for (const int id : tokenizer->Encode(bytes, false)) {
      const std::string part = stream.Append(id);
      EXPECT_FALSE(FirstInvalidUtf8(part).has_value());
      joined += part;
    }
    joined += stream.Finish();
    std::string expected = stream.bytes();
    EXPECT_EQ(joined, ToValidUtf8(expected));
    EXPECT_EQ(expected, tokenizer->Decode(tokenizer->Encode(bytes, false), true));
  }
}

TEST(TokenStream, HoldsACharacterBackUntilItIsWhole) {
  ASSERT_OK_AND_ASSIGN(const TokenizerPointer tokenizer, Read(SmallTokenizer()));
  const std::vector<int> ids = tokenizer->Encode("🙂", false);
  ASSERT_EQ(ids.size(), 4u);
  TokenStream stream(tokenizer, true);
  EXPECT_EQ(stream.Append(ids[0]), "");
  EXPECT_EQ(stream.Append(ids[1]), "");
  EXPECT_EQ(stream.Append(ids[2]), "");
  EXPECT_EQ(stream.Append(ids[3]), "🙂");
  EXPECT_EQ(stream.Append(ids[0]), "");
  EXPECT_EQ(stream.Finish(), "\uFFFD");
}

// --- files that are wrong ---

struct WrongFile {
  std::string what;
  std::function<void(Json*)> change;
  std::string message;
};

TEST(TokenizerJson, WhatIsNotSupportedIsRefusedByName) {
  const auto set = [](std::string path, Json value) {
    return [path, value](Json* json) {
      Json* at = json;
      const std::vector<std::string_view> names = Split(path, '.');
      for (size_t i = 0; i + 1 < names.size(); ++i) at = at->Find(names[i]);
      at->Set(names.back(), value);
    };
  };
  const auto pre = [&](Json part) { return set("pre_tokenizer", std::move(part)); };
  const Json metaspace = Json::MakeObject({{"type", "Metaspace"}});
  const std::vector<WrongFile> cases = {
      {"unigram", set("model.type", "Unigram"), "field 'model.type': \"Unigram\""},
      {"dropout", set("model.dropout", 0.1), "'model.dropout'"},
      {"byte fallback", set("model.byte_fallback", true), "'model.byte_fallback'"},
      {"prefix", set("model.continuing_subword_prefix", "##"), "continuing_subword_prefix"},
      {"suffix", set("model.end_of_word_suffix", "</w>"), "end_of_word_suffix"},
      {"ignore_merges", set("model.ignore_merges", "yes"), "'model.ignore_merges': expected true"},
      {"normalizer", set("normalizer", Json::MakeObject({{"type", "NFKC"}})),
       "'normalizer': {\"type\":\"NFKC\"}"},
      {"metaspace", pre(metaspace), "'pre_tokenizer': {\"type\":\"Metaspace\"}"},
      {"no pre-tokenizer", pre(Json()), "'pre_tokenizer': expected one"},
      {"other regex",
       [](Json* json) {
         json->Find("pre_tokenizer")
             ->Find("pretokenizers")
             ->AsArray()[0]
             .Find("pattern")
             ->Set("Regex", "\\w+");
       },
       "the regular expression '\\w+' is not one of those known"},
      {"prefix space",
       [](Json* json) {
         json->Find("pre_tokenizer")
             ->Find("pretokenizers")
             ->AsArray()[1]
             .Set("add_prefix_space", true);
       },
       "add_prefix_space"},
      {"decoder", set("decoder", metaspace), "'decoder': {\"type\":\"Metaspace\"}"},
      {"post-processor", set("post_processor", Json::MakeObject({{"type", "RobertaProcessing"}})),
       "RobertaProcessing"},
      {"no vocabulary", set("model.vocab", Json()), "'model.vocab': expected an object"},
      {"no merges", set("model.merges", 3), "'model.merges': expected an array"},
      {"merge of three", set("model.merges", Json::Array{Json("a b c")}), "expected two tokens"},
      {"merge of strangers", set("model.merges", Json::Array{Json("a Ω")}),
       "is not in model.vocab"},
      {"merge without result", set("model.merges", Json::Array{Json("z z")}),
       "'zz' is not in model.vocab"},
      {"id twice", [](Json* json) { json->Find("model")->Find("vocab")->Set("zz", 0); },
       "id 0 is another token's"},
      {"hole", [](Json* json) { json->Find("model")->Find("vocab")->Set("zz", 2000); },
       "no token has id"},
      {"huge id", [](Json* json) { json->Find("model")->Find("vocab")->Set("zz", 1 << 30); },
       "expected an id below"},
      {"negative id", [](Json* json) { json->Find("model")->Find("vocab")->Set("zz", -1); },
       "expected an id below"},
      {"missing byte",
       [](Json* json) {
         for (Json::Member& member : json->Find("model")->Find("vocab")->AsMembers()) {
           if (member.first == "q") member.first = "qq";
         }
       },
       "no token for byte 0x71 ('q')"},
      {"added id taken", [](Json* json) { json->Find("added_tokens")->AsArray()[0].Set("id", 3); },
       "another token has that id"},
      {"added twice",
       [](Json* json) {
         Json again = json->Find("added_tokens")->AsArray()[0];
         json->Find("added_tokens")->Append(again);
       },
       "stands there twice"},
      {"empty added",
       [](Json* json) { json->Find("added_tokens")->AsArray()[0].Set("content", ""); },
       "field 'content'"},
  };
  for (const WrongFile& wrong : cases) {
    Json json = SmallTokenizer();
    wrong.change(&json);
    const auto tokenizer = Read(json);
    EXPECT_FALSE(tokenizer.ok()) << wrong.what;
    EXPECT_THAT(std::string(tokenizer.status().message()),
                AllOf(HasSubstr("tokenizer.json: "), HasSubstr(wrong.message)))
        << wrong.what;
  }
}

TEST(TokenizerJson, WhatIsNoJsonIsAnError) {
  for (const std::string text : {"", "{", "[]", "null", "{\"model\": 3}", "{\"a\":1,\"a\":2}"}) {
    const auto tokenizer = Tokenizer::Parse(text, "tokenizer.json", {});
    EXPECT_FALSE(tokenizer.ok()) << text;
    EXPECT_THAT(std::string(tokenizer.status().message()), HasSubstr("tokenizer.json: "));
  }
}

TEST(TokenizerJson, NamedTokensMustExist) {
  const Json config = Json::MakeObject({{"bos_token", "<s>"}});
  const auto tokenizer = Read(SmallTokenizer(), config);
  EXPECT_FALSE(tokenizer.ok());
  EXPECT_THAT(std::string(tokenizer.status().message()),
              HasSubstr("tokenizer_config.json: field 'bos_token': '<s>' is none of"));
}

TEST(TokenizerJson, TokensOfTheConfigAreAdded) {
  ASSERT_OK_AND_ASSIGN(const TokenizerPointer plain, Read(SmallTokenizer()));
  Json decoder = Json::MakeObject();
  decoder.Set(std::to_string(plain->size()),
              Json::MakeObject({{"content", "<extra>"}, {"special", true}}));
  const Json config = Json::MakeObject(
      {{"added_tokens_decoder", decoder}, {"bos_token", "<extra>"}, {"add_bos_token", true}});
  ASSERT_OK_AND_ASSIGN(const TokenizerPointer tokenizer, Read(SmallTokenizer(), config));
  EXPECT_EQ(tokenizer->bos(), plain->size());
  EXPECT_THAT(tokenizer->Encode("<extra>", true), ElementsAre(plain->size()));
  EXPECT_THAT(tokenizer->prefix_ids(), ElementsAre(plain->size()));
}

TEST(TokenizerJson, LettersStandForBytes) {
  EXPECT_EQ(BytesOfLetters("aĠb"), "a b");
  EXPECT_EQ(BytesOfLetters("ĊĉÃ©"), "\n\té");
  EXPECT_EQ(BytesOfLetters("ſ"), std::nullopt);
  EXPECT_EQ(BytesOfLetters("日"), std::nullopt);
}

}  // namespace
}  // namespace assay
