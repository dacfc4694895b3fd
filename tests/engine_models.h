// The tiny checkpoints of tests/data with what transformers said of them, and ways to run a runner.
#pragma once

#include <bit>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "harness/json.h"
#include "inference/engine/checkpoint.h"
#include "inference/engine/runner.h"
#include "inference/engine/weights.h"
#include "tests/testing.h"

namespace assay::testing_support {

inline const std::vector<std::string>& TinyModels() {
  static const auto* names = new std::vector<std::string>{"tiny_qwen2", "tiny_qwen3", "tiny_llama"};
  return *names;
}

inline std::shared_ptr<const Checkpoint> OpenTiny(const std::string& name) {
  absl::StatusOr<std::shared_ptr<const Checkpoint>> opened =
      Checkpoint::Open(SourcePath("tests/data/" + name));
  EXPECT_TRUE(opened.ok()) << opened.status();
  return *opened;
}

inline std::vector<std::vector<int>> IdLists(const Json& lists) {
  std::vector<std::vector<int>> ids;
  for (const Json& list : lists.AsArray()) {
    ids.emplace_back();
    for (const Json& id : list.AsArray()) ids.back().push_back(static_cast<int>(id.AsInteger()));
  }
  return ids;
}

struct Golden {
  std::vector<std::vector<int>> prompts, greedy;
  double logit_range = 0;
  int vocabulary = 0;
  std::vector<float> prompt_logits, last_logits, sequence_logits;  // rows of `vocabulary`
};

// A tensor of a safetensors file that we wrote ourselves.
inline std::vector<float> ReadFloat32(const std::string& bytes, const std::string& name) {
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof(length));
  const Json header = *ParseJson(bytes.substr(8, length));
  const Json::Array& offsets = header.Find(name)->Find("data_offsets")->AsArray();
  const size_t begin = 8 + length + static_cast<size_t>(offsets[0].AsInteger());
  const size_t end = 8 + length + static_cast<size_t>(offsets[1].AsInteger());
  std::vector<float> values((end - begin) / sizeof(float));
  std::memcpy(values.data(), bytes.data() + begin, end - begin);
  return values;
}

inline Golden ReadGolden(const std::string& name) {
  const std::string directory = SourcePath("tests/data/" + name);
  const Json json = ReadJsonFile(directory + "/golden.json");
  const std::string tensors = ReadWholeFile(directory + "/golden.safetensors");
  Golden golden;
  golden.prompts = IdLists(*json.Find("prompts"));
  golden.greedy = IdLists(*json.Find("greedy"));
  golden.logit_range = json.Find("logit_range")->AsNumber();
  golden.prompt_logits = ReadFloat32(tensors, "prompt_logits");
  golden.last_logits = ReadFloat32(tensors, "last_logits");
  golden.sequence_logits = ReadFloat32(tensors, "sequence_logits");
  golden.vocabulary = static_cast<int>(golden.prompt_logits.size() / golden.prompts.size());
  return golden;
}

// The same model with its weights rounded to bf16 and written as such, so that a bf16 runner and
// the oracle read the same numbers.
inline void WriteBf16Copy(const std::string& name, const std::string& directory) {
  const std::shared_ptr<const Checkpoint> checkpoint = OpenTiny(name);
  Json header = Json::MakeObject();
  std::string data;
  for (const Tensor& tensor : checkpoint->tensors()) {
    const std::vector<float> values = AllFloats(&tensor);
    const size_t begin = data.size();
    for (const float value : values) {
      const auto bits = std::bit_cast<uint32_t>(value);
      const auto half = static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
      data.append(reinterpret_cast<const char*>(&half), sizeof(half));
    }
    Json shape = Json::MakeArray();
    for (const int64_t extent : tensor.shape) shape.Append(extent);
    Json offsets = Json::MakeArray();
    offsets.Append(static_cast<int64_t>(begin));
    offsets.Append(static_cast<int64_t>(data.size()));
    header.Set(tensor.name,
               Json::MakeObject({{"dtype", "BF16"}, {"shape", shape}, {"data_offsets", offsets}}));
  }
  std::string text = header.Dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  std::string bytes(reinterpret_cast<const char*>(&length), sizeof(length));
  WriteWholeFile(directory + "/model.safetensors", bytes + text + data);
  for (const char* file : {"config.json", "generation_config.json", "tokenizer.json",
                           "tokenizer_config.json", "chat_template.jinja"}) {
    const std::string from = SourcePath("tests/data/" + name + "/" + file);
    if (std::filesystem::exists(from)) WriteWholeFile(directory + "/" + file, ReadWholeFile(from));
  }
}

// Logits after each of the ids, which lie in the runner's first pages: one prefill chunk after the
// other, each as large as the shape lets it be.
inline std::vector<std::vector<float>> LogitsAfter(ModelRunner* runner,
                                                   const std::vector<int>& ids) {
  const RunnerShape& shape = runner->shape();
  std::vector<int> pages;
  for (int page = 0; page * shape.page_tokens < static_cast<int>(ids.size()); ++page) {
    pages.push_back(page);
  }
  std::vector<std::vector<float>> logits(ids.size(), std::vector<float>(shape.vocabulary));
  std::vector<TokenRow> rows;
  for (size_t i = 0; i < ids.size(); ++i) {
    TokenRow row{ids[i], static_cast<int>(i), pages};
    row.logits = logits[i];
    rows.push_back(row);
    if (static_cast<int>(rows.size()) < shape.prefill_rows && i + 1 < ids.size()) continue;
    std::vector<RowOutput> outputs(rows.size());
    EXPECT_OK(runner->Prefill(rows, outputs));
    rows.clear();
  }
  return logits;
}

}  // namespace assay::testing_support
