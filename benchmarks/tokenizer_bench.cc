// What encoding and decoding cost, over this project's own text and code: Qwen's vocabulary where
// ../shared has it, GPT-2's, and the tiny checkpoint's (which merges little).
#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "harness/status.h"
#include "inference/engine/pre_tokenizer.h"
#include "inference/engine/tokenizer.h"
#include "tests/engine_vocabulary.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing_support::ReadWholeFile;
using testing_support::SharedPath;

enum Vocabulary { kQwen, kGpt2, kTiny };

std::shared_ptr<const Tokenizer> Make(Vocabulary vocabulary) {
  absl::StatusOr<std::shared_ptr<const Tokenizer>> tokenizer;
  if (vocabulary == kTiny) {
    tokenizer = Tokenizer::Open(testing_support::SourcePath("tests/data/tiny_llama"));
  } else if (SharedPath("data/tokenizer").empty()) {
    return nullptr;
  } else if (vocabulary == kGpt2) {
    tokenizer = Tokenizer::Open(SharedPath("data/tokenizer/gpt2_tokenizer.json"));
  } else {
    const std::string ranks = ReadWholeFile(SharedPath("data/tokenizer/qwen.tiktoken"));
    tokenizer = Tokenizer::Parse(testing_support::QwenTokenizerJson(ranks).Dump(), "qwen", {});
  }
  CHECK(tokenizer.ok());
  return *tokenizer;
}

const Tokenizer* Get(benchmark::State& state) {
  static auto* made = new std::shared_ptr<const Tokenizer>[3];
  std::shared_ptr<const Tokenizer>& tokenizer = made[state.range(0)];
  if (tokenizer == nullptr) tokenizer = Make(static_cast<Vocabulary>(state.range(0)));
  if (tokenizer == nullptr) state.SkipWithError("../shared/data/tokenizer is absent");
  static constexpr const char* kNames[] = {"qwen", "gpt2", "tiny llama"};
  state.SetLabel(kNames[state.range(0)]);
  return tokenizer.get();
}

const std::string& Text() {
  static const auto* text = [] {
    auto* whole = new std::string;
    for (const std::string& file : testing_support::ProjectFiles()) {
      *whole += ReadWholeFile(testing_support::SourcePath(file));
    }
    return whole;
  }();
  return *text;
}

void BM_Encode(benchmark::State& state) {
  const Tokenizer* tokenizer = Get(state);
  if (tokenizer == nullptr) return;
  size_t tokens = 0;
  for (auto _ : state) tokens = tokenizer->Encode(Text(), true).size();
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * Text().size()));
  state.counters["bytes/token"] = static_cast<double>(Text().size()) / static_cast<double>(tokens);
}
BENCHMARK(BM_Encode)->Arg(kQwen)->Arg(kGpt2)->Arg(kTiny)->Unit(benchmark::kMillisecond);

// A prompt: nothing is worth remembering between calls.
void BM_EncodePrompt(benchmark::State& state) {
  const Tokenizer* tokenizer = Get(state);
  if (tokenizer == nullptr) return;
  const std::string prompt = Text().substr(20000, 500);
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer->Encode(prompt, true));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * prompt.size()));
}
BENCHMARK(BM_EncodePrompt)->Arg(kQwen)->Arg(kTiny)->Unit(benchmark::kMicrosecond);

void BM_Decode(benchmark::State& state) {
  const Tokenizer* tokenizer = Get(state);
  if (tokenizer == nullptr) return;
  const std::vector<int> ids = tokenizer->Encode(Text(), true);
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer->Decode(ids, true));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * Text().size()));
}
BENCHMARK(BM_Decode)->Arg(kQwen)->Unit(benchmark::kMillisecond);

// The pieces alone: by hand with RE2 for what is not ASCII, and by RE2 alone (range(1)).
void BM_Pieces(benchmark::State& state) {
  const auto kind = static_cast<PreTokenizer>(state.range(0));
  const auto length = state.range(1) == 0 ? PieceLength : PieceLengthByRegex;
  size_t pieces = 0;
  for (auto _ : state) {
    for (std::string_view rest = Text(); !rest.empty(); ++pieces) {
      rest.remove_prefix(length(kind, rest));
    }
  }
  benchmark::DoNotOptimize(pieces);
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * Text().size()));
  state.SetLabel(std::string(PreTokenizerName(kind)) + (state.range(1) ? " by RE2" : ""));
}
BENCHMARK(BM_Pieces)->ArgsProduct({{0, 1, 2}, {0, 1}})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace assay
