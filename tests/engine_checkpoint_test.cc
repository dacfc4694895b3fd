// Checkpoint directories: the tiny ones that are right, and every way in which files can be wrong.
#include "inference/engine/checkpoint.h"

#include <sys/stat.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>

#include "absl/strings/str_format.h"
#include "harness/text.h"
#include "inference/engine/rope.h"
#include "inference/engine/safetensors.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing_support::ReadJsonFile;
using testing_support::ReadWholeFile;
using testing_support::SourcePath;
using testing_support::TemporaryDirectory;
using testing_support::WriteWholeFile;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

// --- safetensors ---

std::string Safetensors(std::string_view header, size_t data_bytes) {
  std::string file;
  for (int i = 0; i < 8; ++i) file += static_cast<char>(header.size() >> (8 * i) & 0xFF);
  file += header;
  return file + std::string(data_bytes, '\1');
}

TEST(Safetensors, ReadsTensorsSortedByName) {
  const std::string file = Safetensors(
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2,1],"data_offsets":[4,12]},)"
      R"("a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]},)"
      R"("scalar":{"dtype":"F16","shape":[],"data_offsets":[12,14]},)"
      R"("empty":{"dtype":"F16","shape":[0,7],"data_offsets":[14,14]}}  )",
      14);
  ASSERT_OK_AND_ASSIGN(const std::vector<Tensor> tensors, ReadSafetensors(file, "x"));
  ASSERT_EQ(tensors.size(), 4u);
  EXPECT_EQ(tensors[0].name, "a");
  EXPECT_EQ(tensors[0].dtype, Dtype::kBf16);
  EXPECT_EQ(tensors[1].name, "b");
  EXPECT_THAT(tensors[1].shape, ElementsAre(2, 1));
  EXPECT_EQ(tensors[1].bytes.size(), 8u);
  EXPECT_EQ(tensors[1].bytes.data(), file.data() + file.size() - 10);
  EXPECT_THAT(tensors[2].shape, ElementsAre(0, 7));
  EXPECT_THAT(tensors[3].shape, IsEmpty());
}

struct WrongHeader {
  std::string header;
  size_t data_bytes;
  std::string message;
};

TEST(Safetensors, WrongHeadersAreRefused) {
  const auto one = [](std::string fields) { return R"({"t":{)" + fields + "}}"; };
  const std::vector<WrongHeader> cases = {
      {"", 0, "header of 0 bytes"},
      {"{", 0, "header of 1 bytes"},
      {"[]", 0, "does not begin with '{'"},
      {" {}", 0, "does not begin with '{'"},
      {"{}x", 0, "header: JSON"},
      {"{\"t\":\"\xff\"}", 0, "not valid UTF-8"},
      {"{}", 1, "its tensors end at byte 0 of the data, which has 1"},
      {R"({"t":3})", 0, "tensor 't': expected an object, found integer"},
      {one(R"("shape":[1],"data_offsets":[0,2])"), 2, "field 'dtype': expected a string"},
      {one(R"("dtype":"I8","shape":[1],"data_offsets":[0,1])"), 1, "'I8' is not supported"},
      {one(R"("dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1])"), 1,
       "'F8_E4M3' is not supported"},
      {one(R"("dtype":"F16","data_offsets":[0,2])"), 2, "field 'shape': expected an array"},
      {one(R"("dtype":"F16","shape":[-1],"data_offsets":[0,2])"), 2, "field 'shape'"},
      {one(R"("dtype":"F16","shape":[1.0],"data_offsets":[0,2])"), 2, "field 'shape'"},
      {one(R"("dtype":"F16","shape":[18446744073709551615],"data_offsets":[0,2])"), 2,
       "field 'shape'"},
      {one(R"("dtype":"F16","shape":[4294967296,4294967296],"data_offsets":[0,0])"), 0,
       "more elements than 2^64 bytes"},
      {one(R"("dtype":"F16","shape":[9223372036854775807,3],"data_offsets":[0,2])"), 2,
       "more elements than 2^64 bytes"},
      {one(R"("dtype":"F16","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,2])"), 2, "9 dimensions"},
      {one(R"("dtype":"F16","shape":[1],"data_offsets":[0])"), 2, "expected [begin, end]"},
      {one(R"("dtype":"F16","shape":[1],"data_offsets":[2,0])"), 2, "expected [begin, end]"},
      {one(R"("dtype":"F16","shape":[1],"data_offsets":[0,4])"), 4, "its shape and type take 2"},
      {one(R"("dtype":"F16","shape":[1],"data_offsets":[2,4])"), 4, "there is a hole"},
      {one(R"("dtype":"F16","shape":[2],"data_offsets":[0,4])"), 2, "which has 2: truncated?"},
      {one(R"("dtype":"F16","shape":[1],"data_offsets":[0,2])"), 3, "end at byte 2 of the data"},
      {one(R"("dtype":"F16","shape":[1],"data_offsets":[0,2],"x":1)"), 2, "unknown field 'x'"},
      {one(R"("dtype":"F16","dtype":"F16","shape":[1],"data_offsets":[0,2])"), 2,
       "'dtype' stands twice"},
      {R"({"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},"a":{"dtype":"F16","shape":[1],"data_offsets":[2,4]}})",
       4, "'a' stands twice"},
      {R"({"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"F16","shape":[2],"data_offsets":[2,6]}})",
       6, "it overlaps the one before"},
      // Two names for the same bytes: a header may not be used to blow up what it describes.
      {R"({"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},"b":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}})",
       2, "it overlaps the one before"},
      {R"({"__metadata__":3})", 0, "'__metadata__': expected an object"},
      {R"({"__metadata__":{"a":1}})", 0, "'__metadata__' field 'a': expected a string"},
  };
  for (const WrongHeader& wrong : cases) {
    const auto tensors =
        ReadSafetensors(Safetensors(wrong.header, wrong.data_bytes), "w.safetensors");
    EXPECT_FALSE(tensors.ok()) << wrong.header;
    EXPECT_THAT(Message(tensors.status()), testing::StartsWith("w.safetensors: ")) << wrong.header;
    EXPECT_THAT(Message(tensors.status()), HasSubstr(wrong.message)) << wrong.header;
  }
}

TEST(Safetensors, LengthsAreNotBelieved) {
  for (const uint64_t length : {uint64_t{0}, uint64_t{1}, uint64_t{3}, uint64_t{100'000'001},
                                uint64_t{1} << 63, UINT64_MAX, UINT64_MAX - 7}) {
    std::string file(8, '\0');
    for (int i = 0; i < 8; ++i) file[i] = static_cast<char>(length >> (8 * i) & 0xFF);
    EXPECT_FALSE(ReadSafetensors(file + "{}", "x").ok()) << length;
  }
  const std::string whole = ReadWholeFile(SourcePath("tests/data/tiny_qwen2/model.safetensors"));
  EXPECT_OK(ReadSafetensors(whole, "x"));
  for (size_t length = 0; length < whole.size(); length += length < 4000 ? 1 : 997) {
    EXPECT_FALSE(ReadSafetensors(whole.substr(0, length), "x").ok()) << length;
  }
  EXPECT_FALSE(ReadSafetensors(whole + "x", "x").ok());
}

TEST(ShardIndex, NamesStayInTheDirectory) {
  ASSERT_OK_AND_ASSIGN(
      const ShardIndex index,
      ReadShardIndex(R"({"weight_map":{"b":"2.safetensors","a":"1.safetensors"}})", "x"));
  EXPECT_THAT(index.shards, ElementsAre("1.safetensors", "2.safetensors"));
  for (const std::string shard : {"../1.safetensors", "/etc/1.safetensors", "a/b.safetensors", "..",
                                  "", "1.bin", "a\\\\b.safetensors"}) {
    const auto wrong = ReadShardIndex(R"({"weight_map":{"a":")" + shard + "\"}}", "x");
    EXPECT_FALSE(wrong.ok()) << shard;
    EXPECT_THAT(Message(wrong.status()), HasSubstr("'weight_map': tensor 'a'"));
  }
  EXPECT_FALSE(ReadShardIndex(R"({"weight_map":{"a":3}})", "x").ok());
  EXPECT_FALSE(ReadShardIndex(R"({"weight_map":{}})", "x").ok());
  EXPECT_FALSE(ReadShardIndex(R"({})", "x").ok());
  EXPECT_FALSE(
      ReadShardIndex(R"({"weight_map":{"a":"1.safetensors","a":"2.safetensors"}})", "x").ok());
}

// --- config.json ---

Json QwenConfig() { return ReadJsonFile(SourcePath("tests/data/tiny_qwen2/config.json")); }

TEST(Config, EachFieldOfTheTinyOnesIsRead) {
  ASSERT_OK_AND_ASSIGN(
      const ModelConfig llama,
      ParseModelConfig(ReadWholeFile(SourcePath("tests/data/tiny_llama/config.json")), "c"));
  EXPECT_EQ(llama.architecture, "llama");
  EXPECT_EQ(llama.head_dim, 32);
  EXPECT_EQ(llama.kv_heads, 1);
  EXPECT_EQ(llama.rope_theta, 500000);
  ASSERT_TRUE(llama.llama3_rope.has_value());
  EXPECT_EQ(llama.llama3_rope->factor, 8);
  EXPECT_EQ(llama.llama3_rope->original_max_positions, 64);
  EXPECT_FALSE(llama.tied_embeddings || llama.qkv_bias || llama.o_bias || llama.qk_norm);
  EXPECT_EQ(llama.eos.size(), 2u);
  EXPECT_EQ(llama.dtype, Dtype::kBf16);
  EXPECT_THAT(llama.unread_fields, IsEmpty());

  ASSERT_OK_AND_ASSIGN(
      const ModelConfig qwen3,
      ParseModelConfig(ReadWholeFile(SourcePath("tests/data/tiny_qwen3/config.json")), "c"));
  EXPECT_EQ(qwen3.head_dim, 32);
  EXPECT_NE(qwen3.head_dim * qwen3.heads, qwen3.hidden);
  EXPECT_TRUE(qwen3.tied_embeddings && qwen3.qkv_bias && qwen3.o_bias && qwen3.qk_norm);
  EXPECT_EQ(qwen3.rope_theta, 1000000);
  EXPECT_EQ(qwen3.dtype, Dtype::kF32);

  ASSERT_OK_AND_ASSIGN(const ModelConfig qwen2, ParseModelConfig(QwenConfig().Dump(), "c"));
  EXPECT_TRUE(qwen2.qkv_bias && !qwen2.o_bias && !qwen2.qk_norm);
}

struct WrongConfig {
  std::string field;
  Json value;
  std::string message;
};

TEST(Config, WhatIsNotSupportedIsRefusedByName) {
  const Json rope = Json::MakeObject({{"rope_type", "dynamic"}, {"factor", 2.0}});
  const Json mrope =
      Json::MakeObject({{"type", "default"}, {"mrope_section", Json::Array{Json(16), Json(24)}}});
  const Json no_factor = Json::MakeObject({{"rope_type", "llama3"}});
  const Json mscale = Json::MakeObject({{"rope_type", "yarn"}, {"factor", 4.0}, {"mscale", 1.0}});
  const std::vector<WrongConfig> cases = {
      {"model_type", "mixtral", "field 'model_type': expected \"qwen2\", \"qwen3\" or \"llama\""},
      {"model_type", Json(), "field 'model_type'"},
      {"architectures", Json::Array{Json("Qwen2ForSequenceClassification")}, "'architectures'"},
      {"use_sliding_window", true, "'use_sliding_window' is set"},
      {"quantization_config", Json::MakeObject({{"bits", 4}}), "'quantization_config' is set"},
      {"auto_map", Json::MakeObject({{"AutoModel", "x.py"}}), "'auto_map' is set"},
      {"hidden_act", "gelu", "'hidden_act': expected \"silu\", found \"gelu\""},
      {"mlp_bias", true, "'mlp_bias' is set"},
      {"use_mrope", true, "'use_mrope' is set"},
      {"partial_rotary_factor", 0.5, "'partial_rotary_factor'"},
      {"layer_types", Json::Array{Json("sliding_attention"), Json("full_attention")},
       "'layer_types'"},
      {"hidden_size", Json(), "'hidden_size': expected an integer"},
      {"hidden_size", "64", "'hidden_size': expected an integer"},
      {"hidden_size", 64.5, "'hidden_size': expected an integer"},
      {"hidden_size", 0, "'hidden_size': expected an integer"},
      {"hidden_size", -64, "'hidden_size': expected an integer"},
      {"hidden_size", int64_t{1} << 40, "'hidden_size': expected an integer"},
      {"hidden_size", 62, "'head_dim': heads of 31"},
      {"hidden_size", 63, "'num_attention_heads': expected a divisor of hidden_size"},
      {"head_dim", 48, "'head_dim': heads of 48"},
      {"num_hidden_layers", 100000, "'num_hidden_layers'"},
      {"num_attention_heads", 0, "'num_attention_heads'"},
      {"num_key_value_heads", 3, "'num_key_value_heads': expected a divisor"},
      {"num_key_value_heads", Json(), "'num_key_value_heads'"},
      {"intermediate_size", Json(), "'intermediate_size'"},
      {"vocab_size", 1 << 21, "'vocab_size'"},
      {"max_position_embeddings", Json(), "'max_position_embeddings'"},
      {"rms_norm_eps", 0, "'rms_norm_eps'"},
      {"rms_norm_eps", 1.0, "'rms_norm_eps'"},
      {"rope_theta", Json(), "'rope_theta': expected a number"},
      {"rope_theta", "10000", "'rope_theta': expected a number greater than 0, found \"10000\""},
      {"rope_theta", 0.5, "'rope_theta'"},
      {"rope_scaling", "yarn", "'rope_scaling': expected an object"},
      {"rope_scaling", rope, "'rope_scaling': field 'rope_type': expected \"default\""},
      {"rope_scaling", mrope, "field 'mrope_section' is not supported"},
      {"rope_scaling", no_factor, "field 'factor': expected a number"},
      {"rope_scaling", mscale, "field 'mscale' is not supported with rope type 'yarn'"},
      {"tie_word_embeddings", "yes", "'tie_word_embeddings': expected true or false"},
      {"torch_dtype", "float8_e4m3fn", "'torch_dtype'"},
      {"eos_token_id", "x", "'eos_token_id'"},
      {"eos_token_id", Json::Array{Json(-1)}, "'eos_token_id'"},
  };
  for (const WrongConfig& wrong : cases) {
    Json config = QwenConfig();
    config.Set(wrong.field, wrong.value);
    const auto read = ParseModelConfig(config.Dump(), "config.json");
    EXPECT_FALSE(read.ok()) << wrong.field << " " << wrong.value.Dump();
    EXPECT_THAT(Message(read.status()), HasSubstr(wrong.message));
    EXPECT_THAT(Message(read.status()), testing::StartsWith("config.json: "));
  }
  for (const std::string text :
       {"", "[]", "3", "{\"model_type\":\"qwen2\",\"model_type\":\"llama\"}"}) {
    EXPECT_FALSE(ParseModelConfig(text, "config.json").ok()) << text;
  }
}

TEST(Config, NeutralValuesAndUnknownFieldsPass) {
  Json config = QwenConfig();
  config.Set("use_mrope", false);
  config.Set("quantization_config", Json());
  config.Set("my_training_note", "x");
  config.Set("head_dim", Json());
  ASSERT_OK_AND_ASSIGN(const ModelConfig read, ParseModelConfig(config.Dump(), "config.json"));
  EXPECT_THAT(read.unread_fields, ElementsAre("my_training_note"));
}

TEST(Rope, FrequenciesAreThoseOfTransformers) {
  const Json goldens = ReadJsonFile(SourcePath("tests/data/rope_goldens.json"));
  ASSERT_EQ(goldens.size(), 6u);
  for (const Json& golden : goldens.AsArray()) {
    ASSERT_OK_AND_ASSIGN(const ModelConfig config,
                         ParseModelConfig(golden.Find("config")->Dump(), "config.json"));
    const RopeFrequencies rope = ComputeRopeFrequencies(config);
    const Json::Array& expected = golden.Find("inverse")->AsArray();
    ASSERT_EQ(rope.inverse.size(), expected.size());
    ASSERT_EQ(rope.inverse.size(), static_cast<size_t>(config.head_dim) / 2);
    for (size_t i = 0; i < expected.size(); ++i) {
      // Theirs are float32.
      EXPECT_NEAR(rope.inverse[i] / expected[i].AsNumber(), 1, 2e-6)
          << golden.Find("config")->Dump() << " " << i;
    }
    EXPECT_NEAR(rope.attention_factor, golden.Find("attention_factor")->AsNumber(), 1e-6);
  }
}

// --- directories ---

class CheckpointDirectory {
 public:
  explicit CheckpointDirectory(std::string_view name) {
    std::filesystem::copy(SourcePath("tests/data/" + std::string(name)), directory_.Path());
  }
  std::string Path(std::string_view file = "") const { return directory_.Path(file); }
  std::string Read(std::string_view file) const { return ReadWholeFile(Path(file)); }
  void Write(std::string_view file, std::string_view bytes) { WriteWholeFile(Path(file), bytes); }
  void Remove(std::string_view file) { std::filesystem::remove(Path(file)); }
  void SetConfig(std::string_view field, Json value) {
    Json config = ReadJsonFile(Path("config.json"));
    config.Set(field, std::move(value));
    Write("config.json", config.Dump());
  }
  std::string Error() const {
    const auto checkpoint = Checkpoint::Open(Path());
    EXPECT_FALSE(checkpoint.ok());
    return Message(checkpoint.status());
  }

 private:
  TemporaryDirectory directory_;
};

// Places where a tensor's bytes begin in a file, by its header.
size_t DataOffset(const std::string& file, const std::string& tensor) {
  const std::vector<Tensor> tensors = *ReadSafetensors(file, "x");
  for (const Tensor& t : tensors) {
    if (t.name == tensor) return static_cast<size_t>(t.bytes.data() - file.data());
  }
  return 0;
}

TEST(Checkpoint, TinyOnesOpen) {
  for (const std::string name : {"tiny_llama", "tiny_qwen2", "tiny_qwen3"}) {
    ASSERT_OK_AND_ASSIGN(const auto checkpoint, Checkpoint::Open(SourcePath("tests/data/" + name)));
    EXPECT_EQ(checkpoint->hash().size(), 64u);
    for (const TensorShape& tensor : ExpectedTensors(checkpoint->config())) {
      const Tensor* found = checkpoint->Find(tensor.name);
      ASSERT_NE(found, nullptr) << tensor.name;
      EXPECT_EQ(found->shape, tensor.shape);
    }
    EXPECT_EQ(checkpoint->Find("nothing"), nullptr);
    EXPECT_EQ(checkpoint->tensors().size(), ExpectedTensors(checkpoint->config()).size());
    EXPECT_EQ(checkpoint->tokenizer()->size(), 280);
    EXPECT_EQ(checkpoint->config().vocabulary, 288);
    EXPECT_FALSE(checkpoint->config().generation_config.is_null());
    EXPECT_GT(checkpoint->parameters(), 10000);
    EXPECT_EQ(checkpoint->weight_bytes(),
              checkpoint->parameters() * DtypeBytes(checkpoint->config().dtype));
  }
}

TEST(Checkpoint, EndOfSequenceIsTheUnionOfItsSources) {
  ASSERT_OK_AND_ASSIGN(const auto checkpoint,
                       Checkpoint::Open(SourcePath("tests/data/tiny_qwen2")));
  const Tokenizer& tokenizer = *checkpoint->tokenizer();
  // config.json says the first, tokenizer_config.json the second, generation_config.json both.
  EXPECT_THAT(checkpoint->config().eos,
              ElementsAre(*tokenizer.TokenId("<|endoftext|>"), *tokenizer.TokenId("<|im_end|>")));
  // config.json's bos is not believed.
  EXPECT_FALSE(checkpoint->config().bos.has_value());
}

TEST(Checkpoint, TheHashIsOfTheWeightsHoweverTheyAreSharded) {
  CheckpointDirectory directory("tiny_qwen2");
  ASSERT_OK_AND_ASSIGN(const auto before, Checkpoint::Open(directory.Path(), {.threads = 3}));
  Json map = Json::MakeObject();
  for (const Tensor& tensor : before->tensors()) map.Set(tensor.name, "one.safetensors");
  std::filesystem::rename(directory.Path("model.safetensors"), directory.Path("one.safetensors"));
  directory.Write("model.safetensors.index.json", Json::MakeObject({{"weight_map", map}}).Dump());
  ASSERT_OK_AND_ASSIGN(const auto sharded, Checkpoint::Open(directory.Path(), {.threads = 1}));
  EXPECT_EQ(before->hash(), sharded->hash());
  std::string file = directory.Read("one.safetensors");
  file.back() = static_cast<char>(file.back() ^ 1);
  directory.Write("one.safetensors", file);
  ASSERT_OK_AND_ASSIGN(const auto changed, Checkpoint::Open(directory.Path()));
  EXPECT_NE(before->hash(), changed->hash());
}

TEST(Checkpoint, MissingFilesAreNamed) {
  EXPECT_THAT(Message(Checkpoint::Open("/nonexistent/checkpoint").status()),
              HasSubstr("/nonexistent/checkpoint: no such directory"));
  {
    CheckpointDirectory directory("tiny_qwen2");
    directory.Remove("config.json");
    EXPECT_THAT(directory.Error(), HasSubstr("config.json: no such file"));
  }
  {
    CheckpointDirectory directory("tiny_qwen2");
    directory.Remove("model.safetensors");
    EXPECT_THAT(directory.Error(), HasSubstr("neither model.safetensors nor"));
  }
  {
    CheckpointDirectory directory("tiny_llama");
    directory.Remove("model-00002-of-00002.safetensors");
    EXPECT_THAT(directory.Error(), HasSubstr("names the shard model-00002-of-00002.safetensors"));
  }
  {
    CheckpointDirectory directory("tiny_qwen2");
    directory.Remove("tokenizer.json");
    ASSERT_OK_AND_ASSIGN(const auto checkpoint, Checkpoint::Open(directory.Path()));
    EXPECT_EQ(checkpoint->tokenizer(), nullptr);
  }
}

TEST(Checkpoint, IndexAndShardsMustAgree) {
  const std::string index_name = "model.safetensors.index.json";
  {
    CheckpointDirectory directory("tiny_llama");
    Json index = ReadJsonFile(directory.Path(index_name));
    index.Find("weight_map")->Set("model.norm.weight", "model-00001-of-00002.safetensors");
    directory.Write(index_name, index.Dump());
    EXPECT_THAT(directory.Error(), HasSubstr("tensor 'model.norm.weight' is not in model-00001"));
  }
  {
    CheckpointDirectory directory("tiny_llama");
    Json index = ReadJsonFile(directory.Path(index_name));
    std::erase_if(index.Find("weight_map")->AsMembers(),
                  [](const Json::Member& member) { return member.first == "model.norm.weight"; });
    directory.Write(index_name, index.Dump());
    EXPECT_THAT(directory.Error(), HasSubstr("tensor 'model.norm.weight' is not in the index"));
  }
  {
    CheckpointDirectory directory("tiny_llama");
    Json index = ReadJsonFile(directory.Path(index_name));
    index.Find("weight_map")->Set("extra.weight", "copy.safetensors");
    directory.Write(index_name, index.Dump());
    directory.Write("copy.safetensors", directory.Read("model-00001-of-00002.safetensors"));
    EXPECT_THAT(directory.Error(), HasSubstr("as well"));
  }
}

TEST(Checkpoint, AConfigThatLiesIsFoundOut) {
  const std::vector<WrongConfig> cases = {
      {"num_key_value_heads", 2,
       "shape [32], but config.json (num_key_value_heads * head_dim) calls for [64]"},
      {"vocab_size", 300, "has shape [288, 64], but config.json (vocab_size, hidden_size)"},
      {"vocab_size", 200, "but config.json (vocab_size, hidden_size) calls for [200, 64]"},
      {"num_hidden_layers", 3, "tensor 'model.layers.2.input_layernorm.weight', which config.json"},
      {"num_hidden_layers", 1, "tensor 'model.layers.1.input_layernorm.weight' is not part of"},
      {"tie_word_embeddings", false, "tensor 'lm_head.weight', which config.json calls for"},
      {"intermediate_size", 64, "(hidden_size, intermediate_size) calls for [64, 64]"},
      {"eos_token_id", 5000, "id 5000, but vocab_size is 288"},
  };
  for (const WrongConfig& wrong : cases) {
    CheckpointDirectory directory("tiny_qwen2");
    directory.SetConfig(wrong.field, wrong.value);
    EXPECT_THAT(directory.Error(), HasSubstr(wrong.message)) << wrong.field;
  }
  CheckpointDirectory directory("tiny_qwen2");
  directory.SetConfig("model_type", "llama");
  directory.SetConfig("architectures", Json::Array{Json("LlamaForCausalLM")});
  EXPECT_THAT(directory.Error(), HasSubstr("k_proj.bias' is not part of the llama"));
}

// A pipe is refused, not waited for; a link whose file was lost is no file that is absent.
TEST(Checkpoint, PipesAndLinksThatLeadNowhereAreRefusedByName) {
  for (const char* name : {"config.json", "tokenizer.json", "tokenizer_config.json",
                           "generation_config.json", "model.safetensors"}) {
    CheckpointDirectory directory("tiny_qwen2");
    directory.Remove(name);
    ASSERT_EQ(mkfifo(directory.Path(name).c_str(), 0600), 0);
    EXPECT_THAT(directory.Error(), HasSubstr(std::string(name) + ": is no regular file"));
    directory.Remove(name);
    std::filesystem::create_symlink("../blobs/0123", directory.Path(name));
    EXPECT_THAT(directory.Error(),
                HasSubstr(std::string(name) + ": is a link to a file that is not there"));
  }
}

TEST(Checkpoint, ASpecialTokenThatIsNoTextIsRefusedWithItsFile) {
  for (const auto& [value, why] : std::vector<std::pair<Json, std::string>>{
           {Json::MakeObject({{"text", "<s>"}}), "expected a text, or an object with 'content'"},
           {Json(5), "expected a text, or an object with 'content', found 5"},
           {Json("<nope>"), "'<nope>' is none of tokenizer.json's added_tokens"}}) {
    CheckpointDirectory directory("tiny_qwen2");
    Json config = ReadJsonFile(directory.Path("tokenizer_config.json"));
    config.Set("bos_token", value);
    directory.Write("tokenizer_config.json", config.Dump());
    EXPECT_THAT(directory.Error(),
                HasSubstr(directory.Path("tokenizer_config.json") + ": field 'bos_token': " + why));
  }
}

TEST(Checkpoint, ATokenizerLargerThanTheEmbeddingIsFoundOut) {
  CheckpointDirectory directory("tiny_qwen2");
  Json tokenizer = ReadJsonFile(directory.Path("tokenizer.json"));
  Json& added = *tokenizer.Find("added_tokens");
  for (int id = 280; id < 290; ++id) {
    Json token = added.AsArray()[0];
    token.Set("id", id);
    token.Set("content", "<extra_" + std::to_string(id) + ">");
    added.Append(token);
  }
  directory.Write("tokenizer.json", tokenizer.Dump());
  EXPECT_THAT(directory.Error(), HasSubstr("'vocab_size': 288, but tokenizer.json has 290 tokens"));
}

TEST(Checkpoint, NaNAndInfinityAreFoundInEachType) {
  struct Broken {
    std::string checkpoint, file;
    std::vector<std::string> values;  // little-endian bytes
  };
  const std::vector<Broken> cases = {
      {"tiny_llama", "model-00002-of-00002.safetensors", {"\xc0\x7f", "\x80\xff", "\x81\x7f"}},
      {"tiny_qwen2", "model.safetensors", {{"\x00\x7c", 2}, {"\x01\xfe", 2}}},
      {"tiny_qwen3", "model.safetensors", {{"\x00\x00\x80\x7f", 4}, {"\x00\x00\xc0\xff", 4}}},
  };
  for (const Broken& broken : cases) {
    for (const std::string& value : broken.values) {
      CheckpointDirectory directory(broken.checkpoint);
      std::string file = directory.Read(broken.file);
      const size_t at = DataOffset(file, "model.norm.weight") + 3 * value.size();
      file.replace(at, value.size(), value);
      directory.Write(broken.file, file);
      EXPECT_THAT(directory.Error(), HasSubstr("tensor 'model.norm.weight' holds NaN or infinity"));
      EXPECT_OK(Checkpoint::Open(directory.Path(), {.read_weights = false}));
    }
  }
}

TEST(Checkpoint, AStrayOutputMatrixMustBeTheEmbedding) {
  CheckpointDirectory directory("tiny_qwen2");
  ASSERT_OK_AND_ASSIGN(const auto before, Checkpoint::Open(directory.Path()));
  Json map = Json::MakeObject();
  for (const Tensor& tensor : before->tensors()) map.Set(tensor.name, "model.safetensors");
  map.Set("lm_head.weight", "head.safetensors");
  directory.Write("model.safetensors.index.json", Json::MakeObject({{"weight_map", map}}).Dump());
  const Tensor* embedding = before->Find("model.embed_tokens.weight");
  std::string head = Safetensors(
      absl::StrFormat(
          R"({"lm_head.weight":{"dtype":"F16","shape":[288,64],"data_offsets":[0,%d]}})",
          embedding->bytes.size()),
      0);
  const size_t begin = head.size();
  head += embedding->bytes;
  directory.Write("head.safetensors", head);
  ASSERT_OK_AND_ASSIGN(const auto same, Checkpoint::Open(directory.Path()));
  EXPECT_EQ(same->Find("lm_head.weight"), nullptr);
  head[begin] = static_cast<char>(head[begin] ^ 1);
  directory.Write("head.safetensors", head);
  EXPECT_THAT(directory.Error(), HasSubstr("'lm_head.weight' differs"));
}

TEST(Checkpoint, TruncatedWeightsAreNamed) {
  CheckpointDirectory directory("tiny_qwen2");
  const std::string file = directory.Read("model.safetensors");
  for (const size_t length :
       {size_t{0}, size_t{7}, size_t{100}, file.size() / 2, file.size() - 1}) {
    directory.Write("model.safetensors", file.substr(0, length));
    EXPECT_THAT(directory.Error(), HasSubstr("model.safetensors: ")) << length;
  }
}

TEST(Checkpoint, NeighboursThatAreNoJsonAreNamed) {
  for (const std::string file :
       {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"}) {
    CheckpointDirectory directory("tiny_qwen2");
    directory.Write(file, "{\"a\": ");
    EXPECT_THAT(directory.Error(), HasSubstr(file + ": JSON, line 1")) << file;
  }
}

}  // namespace
}  // namespace assay
