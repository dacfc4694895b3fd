// Everything of the GPU's runner that can be known without a GPU: index arithmetic by exhaustion,
// the kernels' own code in an emulator (tests/emulation), and the runner on top of both.
#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "harness/status.h"
#include "inference/engine/cuda/draw_math.h"
#include "inference/engine/cuda/layout.h"
#include "inference/engine/cuda/model.h"
#include "inference/engine/cuda/open.h"
#include "inference/engine/cuda/runner.h"
#include "inference/engine/engine.h"
#include "inference/engine/reference.h"
#include "inference/engine/scheduler.h"
#include "tests/cuda_model_check.h"
#include "tests/cuda_parity.h"
#include "tests/emulation/device.h"
#include "tests/emulation/emulator.h"
#include "tests/engine_models.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing_support::Golden;
using testing_support::LogitsAfter;
using testing_support::ReadGolden;
using testing_support::TinyModels;

#ifdef ASSAY_SANITIZE_THREAD
#define SKIP_WITHOUT_FIBERS() GTEST_SKIP() << "skipped: ThreadSanitizer knows no fibers"
#else
#define SKIP_WITHOUT_FIBERS() (void)0
#endif

// --- index arithmetic ---

TEST(CudaLayout, EveryElementOfAPoolHasOneHome) {
  for (const cuda::PoolShape& shape : {cuda::PoolShape{3, 2, 32}, cuda::PoolShape{1, 5, 96}}) {
    const int pages = 3;
    std::vector<int> owners(PageElements(shape) * pages, 0);
    for (int page = 0; page < pages; ++page) {
      for (int layer = 0; layer < shape.layers; ++layer) {
        for (int head = 0; head < shape.kv_heads; ++head) {
          for (int i = 0; i < cuda::kPagePositions * shape.head_dim; ++i) {
            ++owners[KeysAt(shape, page, layer, head) + i];
            ++owners[ValuesAt(shape, page, layer, head) + i];
          }
          // A page is one piece: swapping copies it as such.
          EXPECT_EQ(KeysAt(shape, page, layer, head) / PageElements(shape), size_t(page));
        }
      }
    }
    EXPECT_EQ(std::count(owners.begin(), owners.end(), 1), static_cast<long>(owners.size()));
  }
}

TEST(CudaLayout, ChunksCoverEachPositionOnce) {
  EXPECT_EQ(cuda::ChunksOf(-1), 0);
  EXPECT_EQ(cuda::FullChunksOf(-1), 0);
  for (int position = 0; position < 5000; ++position) {
    const int chunks = cuda::ChunksOf(position), full = cuda::FullChunksOf(position);
    int covered = 0;
    for (int chunk = 0; chunk < chunks; ++chunk) {
      const int here = cuda::PositionsInChunk(position, chunk);
      EXPECT_EQ(here == cuda::kChunkPositions, chunk < full);
      EXPECT_GT(here, 0);
      covered += here;
    }
    ASSERT_EQ(covered, position + 1);
    ASSERT_LE(chunks - full, 1);
  }
}

TEST(CudaDrawMath, CutOrderIsTheSamplersOrder) {
  std::vector<float> logits = {0.0F, -0.0F, 1e-45F, -1e-45F, 1e38F, -1e38F, 3.5F, 3.5F, -2.25F};
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  for (int i = 0; i < 60; ++i) logits.push_back(normal(random));
  const auto count = static_cast<int>(logits.size());
  for (int a = 0; a < count; ++a) {
    for (int b = 0; b < count; ++b) {
      const bool first = logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
      EXPECT_EQ(cuda::CutOrder(logits[a], a) < cuda::CutOrder(logits[b], b), first);
      // The coarse cut never contradicts the fine one.
      if (!first) continue;
      EXPECT_LE(cuda::BucketOf(logits[a], 1e38, 1e-36), cuda::BucketOf(logits[b], 1e38, 1e-36));
      EXPECT_LE(cuda::BucketOf(logits[a], 1e38, 1), cuda::BucketOf(logits[b], 1e38, 1));
    }
  }
}

TEST(CudaDrawMath, DigitsSpellACutOrder) {
  std::mt19937_64 random(4);
  for (int i = 0; i < 20000; ++i) {
    const uint64_t id = random() % cuda::kMostVocabulary;
    const uint64_t order = (random() << 32) | id;
    uint64_t spelled = 0;
    for (int digit = 0; digit < cuda::kCutDigits; ++digit) {
      EXPECT_TRUE(cuda::SamePrefix(order, spelled, digit));
      EXPECT_LT(cuda::DigitOf(order, digit), cuda::kDigitValues);
      spelled |= static_cast<uint64_t>(cuda::DigitOf(order, digit)) << cuda::DigitShift(digit);
    }
    ASSERT_EQ(spelled, order);
  }
}

TEST(CudaDrawMath, MassesThatAreLeftOutAreNone) {
  for (int i = 0; i < 100000; ++i) {
    const float logit = -40.0F + 45.0F * static_cast<float>(i) / 100000;
    const double exact = PortableExp((double{logit} - 5) * 0.9) * 0x1p40;
    EXPECT_EQ(cuda::MassOf(logit, 5, 0.9), static_cast<uint64_t>(std::nearbyint(exact)));
  }
}

// --- kernels ---

TEST(CudaKernels, AgreeWithPlainLoopsWhateverTheOrderOfThreads) {
  SKIP_WITHOUT_FIBERS();
  const std::unique_ptr<cuda::Device> device = MakeEmulatedDevice();
  uint64_t seed = 10;
#ifdef ASSAY_SANITIZE_ADDRESS  // here it is about what is touched, not in which order
  const std::vector<emulation::Order> orders = {emulation::Order::kShuffled};
#else
  const std::vector<emulation::Order> orders = {
      emulation::Order::kForward, emulation::Order::kBackward, emulation::Order::kShuffled};
#endif
  for (const emulation::Order order : orders) {
    emulation::SetOrder(order, ++seed);
    const std::vector<ParityFinding> findings = CheckAllKernels(device.get(), {.seed = seed});
    EXPECT_GT(findings.size(), 90u);
    for (const ParityFinding& finding : findings) {
      EXPECT_TRUE(finding.ok) << finding.check << ": " << finding.detail;
    }
  }
  emulation::SetOrder(emulation::Order::kForward, 1);
}

TEST(CudaKernels, DrawWhatTheHostsSamplerDraws) {
  SKIP_WITHOUT_FIBERS();
  constexpr int kVocabulary = 700, kUsable = 690, kRows = 400;
  const std::unique_ptr<cuda::Device> device = MakeEmulatedDevice();
  std::mt19937_64 random(8);
  std::normal_distribution<float> normal;
  std::vector<float> logits(size_t{kRows} * kVocabulary);
  std::vector<cuda::DrawInput> draws(kRows);
  std::vector<cuda::RowResult> results(kRows);
  std::vector<int> wanted;
  for (int row = 0; row < kRows; ++row) {
    SamplingPlan plan;
    plan.temperature = row % 11 == 0 ? 0 : 0.2 + 0.01 * (row % 150);
    plan.top_k = row % 3 == 0 ? 1 + row % 40 : 0;
    plan.top_p = row % 2 == 0 ? 0.05 + 0.002 * row : 1;
    plan.min_p = row % 5 == 0 ? 0.001 * row : 0;
    const DrawKey key = {random(), static_cast<uint32_t>(row), static_cast<uint32_t>(row * 7)};
    const std::span<float> mine(&logits[size_t{kVocabulary} * row], kVocabulary);
    for (float& logit : mine) {
      logit = (0.5F + static_cast<float>(row % 9)) * normal(random);
      if (row % 4 == 0) logit = std::round(logit);  // ties
    }
    Sampler sampler(kUsable);
    DrawnToken drawn;
    ASSERT_OK(sampler.Draw(mine, plan, key, {}, {}, &drawn));
    wanted.push_back(drawn.id);
    cuda::DrawInput& draw = draws[row];
    draw.key = key.key;
    draw.sample = key.sample;
    draw.position = key.position;
    draw.inverse_temperature = plan.temperature > 0 ? 1 / plan.temperature : 0;
    draw.top_p = plan.top_p;
    draw.min_p = plan.min_p;
    draw.top_k = plan.top_k;
    draw.draws = 1;
  }
  device->kernels().sample(
      {logits.data(), draws.data(), results.data(), nullptr, kRows, kUsable, kVocabulary}, nullptr);
  device->Wait();
  for (int row = 0; row < kRows; ++row) EXPECT_EQ(results[row].drawn, wanted[row]) << row;
}

// --- the runner ---

constexpr int kUsable = 280;  // ids with a token in the tiny models

struct Opened {
  std::shared_ptr<const Checkpoint> checkpoint;
  std::unique_ptr<testing_support::TemporaryDirectory> directory;
};

Opened OpenAsBf16(const std::string& name) {
  Opened opened;
  opened.directory = std::make_unique<testing_support::TemporaryDirectory>();
  testing_support::WriteBf16Copy(name, opened.directory->Path());
  opened.checkpoint = *Checkpoint::Open(opened.directory->Path());
  return opened;
}

RunnerShape Shape(int decode_rows = 4, int prefill_rows = 24, int pages = 60) {
  return {.decode_rows = decode_rows,
          .prefill_rows = prefill_rows,
          .page_tokens = 64,
          .pages = pages,
          .max_positions = 400};
}

std::unique_ptr<ModelRunner> MakeEmulated(const Opened& opened, const RunnerShape& shape,
                                          bool fast = false) {
  absl::StatusOr<std::unique_ptr<ModelRunner>> runner =
      MakeCudaRunner(opened.checkpoint, MakeEmulatedDevice(), shape, kUsable, fast);
  EXPECT_OK(runner);
  return *std::move(runner);
}

std::vector<int> SomeIds(const std::string& name, int prompt, size_t count) {
  const Golden golden = ReadGolden(name);
  std::vector<int> ids = golden.prompts[prompt];
  ids.insert(ids.end(), golden.greedy[prompt].begin(), golden.greedy[prompt].end());
  if (ids.size() > count) ids.resize(count);
  return ids;
}

TEST(CudaRunner, StaysWithinTheGatesOfBf16) {
  SKIP_WITHOUT_FIBERS();
  for (const std::string& name : TinyModels()) {
    const Opened opened = OpenAsBf16(name);
    const auto oracle = MakeReferenceRunner(opened.checkpoint, Shape(), kUsable);
    const auto runner = MakeEmulated(opened, Shape());
    double difference = 0, norm = 0;
    for (const int prompt : {3, 7}) {
      const std::vector<int> ids = SomeIds(name, prompt, 90);
      const auto wanted = LogitsAfter(oracle.get(), ids);
      const auto found = LogitsAfter(runner.get(), ids);
      for (size_t row = 0; row < ids.size(); ++row) {
        for (int i = 0; i < kUsable; ++i) {
          difference += std::pow(double{found[row][i]} - wanted[row][i], 2);
          norm += std::pow(double{wanted[row][i]}, 2);
        }
      }
    }
    // As the CPU runner's gates (engine_runner_test.cc); gate_up and attention's inputs are rounded
    // once more here.
    EXPECT_LE(std::sqrt(difference / norm), name == "tiny_qwen2" ? 5e-2 : 2e-2) << name;
    std::printf("%s: relative L2 %.2e\n", name.c_str(), std::sqrt(difference / norm));
  }
}

TEST(CudaRunner, ARowHasTheSameBitsInEveryChunk) {
  SKIP_WITHOUT_FIBERS();
  const Opened opened = OpenAsBf16("tiny_qwen3");
  const std::vector<int> ids = SomeIds("tiny_qwen3", 5, 75);
  const auto runner = MakeEmulated(opened, Shape());
  const auto expected = LogitsAfter(runner.get(), ids);
  for (const int chunk : {1, 7, 70}) {
    const auto other = MakeEmulated(opened, Shape(4, chunk));
    EXPECT_EQ(LogitsAfter(other.get(), ids), expected) << "chunks of " << chunk;
  }
}

using Drawn = std::map<std::pair<uint64_t, int>, std::vector<int>>;

std::vector<GroupRequest> SomeGroups() {
  std::vector<GroupRequest> groups;
  for (int g = 0; g < 4; ++g) {
    GroupRequest group;
    group.tag = static_cast<uint64_t>(g);
    group.key = 500 + static_cast<uint64_t>(g);
    for (int i = 0; i < 3 + g * 21; ++i) group.prompt.push_back((i * 13 + g) % 200);
    for (int i = 0; i < 2 + g % 2; ++i) group.samples.push_back(i);
    group.max_tokens = 9 + g * 5;
    group.stop_ids = {17, 18, 19, 20, 21, 22, 23, 24};
    groups.push_back(group);
  }
  groups[1].plan = {.temperature = 0.7, .top_p = 0.9};
  groups[2].plan = {.temperature = 0.9, .repetition_penalty = 1.4};
  groups[3].plan = {.temperature = 0, .logprobs = 3};
  return groups;
}

Drawn RunAll(ModelRunner* runner, std::vector<GroupRequest> groups,
             SchedulerCounts* counts = nullptr,
             std::map<uint64_t, std::vector<DrawnToken>>* logprobs = nullptr) {
  Drawn drawn;
  Scheduler scheduler(runner, [&](FinishedSample sample) {
    if (logprobs != nullptr) (*logprobs)[sample.tag] = sample.logprobs;
    drawn[{sample.tag, sample.sample}] = std::move(sample.ids);
  });
  for (GroupRequest& group : groups) EXPECT_OK(scheduler.Submit(std::move(group)));
  while (true) {
    const absl::StatusOr<bool> more = scheduler.Step();
    EXPECT_OK(more);
    scheduler.CheckInvariants();
    if (!more.ok() || !*more) break;
  }
  if (counts != nullptr) *counts = scheduler.counts();
  return drawn;
}

TEST(CudaRunner, TokensHangOnNeitherOrderNorNumberNorSwapping) {
  SKIP_WITHOUT_FIBERS();
  const Opened opened = OpenAsBf16("tiny_qwen2");
  std::vector<GroupRequest> groups = SomeGroups();
  const auto wide = MakeEmulated(opened, Shape());
  std::map<uint64_t, std::vector<DrawnToken>> logprobs;
  const Drawn expected = RunAll(wide.get(), groups, nullptr, &logprobs);
  ASSERT_EQ(expected.size(), 10u);

  std::reverse(groups.begin(), groups.end());
  const auto reversed = MakeEmulated(opened, Shape());
  EXPECT_EQ(RunAll(reversed.get(), groups), expected);

  for (GroupRequest group : groups) {  // one sample of each by itself
    group.samples = {1};
    const auto alone = MakeEmulated(opened, Shape());
    const Drawn one = RunAll(alone.get(), {group});
    EXPECT_EQ(one.at({group.tag, 1}), expected.at({group.tag, 1})) << group.tag;
  }

  GroupRequest endless = SomeGroups()[0];
  endless.stop_ids = {};
  endless.max_tokens = 150;
  endless.samples = {0, 1, 2, 3};
  const auto roomy = MakeEmulated(opened, Shape());
  const auto tight = MakeEmulated(opened, Shape(4, 24, 5));
  SchedulerCounts counts;
  const Drawn unswapped = RunAll(roomy.get(), {endless});
  EXPECT_EQ(RunAll(tight.get(), {endless}, &counts), unswapped);
  EXPECT_GT(counts.swaps_out, 0);

  // Steps that shrink: the emulator's products are those of any number of rows, so that the tokens
  // show whether the right rows are computed. On a GPU they need not be the same.
  const auto fast = MakeEmulated(opened, Shape(), /*fast=*/true);
  EXPECT_EQ(RunAll(fast.get(), groups), expected);
  EXPECT_THAT(fast->description(), HasSubstr("at most rows 4"));
  EXPECT_THAT(wide->description(), HasSubstr("fixed rows 4"));

  // Greedy draws with their log-probabilities: the first of the most probable ones is drawn.
  for (const DrawnToken& token : logprobs.at(3)) {
    ASSERT_EQ(token.top.size(), 3u);
    EXPECT_EQ(token.top[0].id, token.id);
    EXPECT_EQ(token.top[0].logprob, token.logprob);
    EXPECT_GE(token.top[0].logprob, token.top[1].logprob);
  }
}

// What the device draws from its logits is what the host draws from the same ones.
TEST(CudaRunner, DrawsByTheSamplersRule) {
  SKIP_WITHOUT_FIBERS();
  const Opened opened = OpenAsBf16("tiny_llama");
  const auto runner = MakeEmulated(opened, Shape());
  const std::vector<int> ids = SomeIds("tiny_llama", 2, 30), pages = {4};
  Sampler sampler(kUsable);
  for (size_t i = 0; i < ids.size(); ++i) {
    SamplingPlan plan = {.temperature = 0.8, .top_p = 0.9};
    if (i % 3 == 1) plan = {.temperature = 1.2, .top_k = 9};
    if (i % 3 == 2) plan = {.temperature = 0.8, .repetition_penalty = 1.5};
    const DrawOrder order = {&plan, {99, 3, static_cast<uint32_t>(i + 1)}, ids, {}};
    std::vector<float> logits(runner->shape().vocabulary);
    TokenRow row{ids[i], static_cast<int>(i), pages, &order};
    row.logits = logits;
    row.target = static_cast<int>(i * 5);
    RowOutput output;
    ASSERT_OK(runner->Decode({&row, 1}, {&output, 1}));
    DrawnToken drawn;
    ASSERT_OK(sampler.Draw(logits, plan, order.key, ids, {}, &drawn));
    EXPECT_EQ(output.drawn.id, drawn.id) << i;
    EXPECT_NEAR(output.target_logprob, sampler.LogProbability(logits, row.target), 1e-9);
    EXPECT_EQ(output.target_is_greatest, sampler.Greatest(logits) == row.target);
  }
}

TEST(CudaRunner, ScoresContinuationsAsTheReferenceDoes) {
  SKIP_WITHOUT_FIBERS();
  const Opened opened = OpenAsBf16("tiny_qwen3");
  const auto runner = MakeEmulated(opened, Shape(4, 70));
  const auto oracle = MakeReferenceRunner(opened.checkpoint, Shape(4, 70), kUsable);
  const std::vector<ScoreRequest> requests = {{SomeIds("tiny_qwen3", 1, 70), {{5, 6, 7}, {100}}},
                                              {{9, 8}, {{1}, {2, 3}}}};
  const auto score = [&](ModelRunner* on) {
    Scheduler scheduler(on, [](FinishedSample) {});
    const auto scores = scheduler.Score(requests);
    EXPECT_OK(scores);
    return *scores;
  };
  const auto found = score(runner.get()), wanted = score(oracle.get());
  for (size_t r = 0; r < requests.size(); ++r) {
    for (size_t c = 0; c < found[r].size(); ++c) {
      EXPECT_EQ(found[r][c].tokens, wanted[r][c].tokens);
      EXPECT_NEAR(found[r][c].logprob, wanted[r][c].logprob, 0.15) << r << " " << c;
    }
  }
}

// --- going wrong ---

TEST(CudaRunner, AnErrorOfTheGpuEndsTheRunAndSaysWhat) {
  SKIP_WITHOUT_FIBERS();
  const Opened opened = OpenAsBf16("tiny_llama");
  const auto counted = MakeEmulated(opened, Shape());
  for (const int64_t later : {0, 3, 40, 90}) {
    // Loading asks for a few hundred things; the failure comes in one of the steps after it.
    EmulatedDeviceOptions options;
    options.fails_after = 60 + later;
    absl::StatusOr<std::unique_ptr<ModelRunner>> runner = MakeCudaRunner(
        opened.checkpoint, MakeEmulatedDevice(options), Shape(), kUsable, /*fast=*/false);
    absl::Status status = runner.status();
    int finished = 0;
    if (runner.ok()) {
      Scheduler scheduler(runner->get(), [&](FinishedSample) { ++finished; });
      for (GroupRequest& group : SomeGroups()) ASSERT_OK(scheduler.Submit(std::move(group)));
      absl::StatusOr<bool> more = true;
      while (more.ok() && *more) more = scheduler.Step();
      status = more.status();
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << later;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("emulated GPU: an illegal memory access was encountered"));
    EXPECT_LT(finished, 10);
  }
}

TEST(CudaRunner, AGpuThatIsTooSmallIsToldWhatIsNeeded) {
  const Opened opened = OpenAsBf16("tiny_llama");
  EmulatedDeviceOptions options;
  options.memory_bytes = 300000;
  const absl::StatusOr<std::unique_ptr<ModelRunner>> runner = MakeCudaRunner(
      opened.checkpoint, MakeEmulatedDevice(options), Shape(), kUsable, /*fast=*/false);
  EXPECT_EQ(runner.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(runner.status().message()), HasSubstr("out of memory on the GPU"));
  EXPECT_THAT(std::string(runner.status().message()), HasSubstr("GB of key-value cache"));

  const absl::Status small = CheckGpuMemory("DIR", "Tiny GPU", 15e9, 1e9, 3.67e6, 16e9, 17e9);
  EXPECT_EQ(small.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(std::string(small.message()),
            "DIR: 16.94 GB is needed on the GPU (15.00 GB of weights, 1.00 GB for steps, 0.94 GB "
            "for a key-value cache of 16384 tokens), and Tiny GPU has 16.00 GB free of 17.00 GB; a "
            "smaller batch or context needs less (--model-args batch, context), and device=cpu no "
            "GPU");
  EXPECT_OK(CheckGpuMemory("DIR", "Tiny GPU", 15e9, 1e9, 3.67e6, 17e9, 17e9));
}

TEST(CudaRunner, WhatItsKernelsDoNotComputeIsRefused) {
  const Opened opened = OpenAsBf16("tiny_llama");
  EXPECT_EQ(CudaModelShape(opened.checkpoint->config(), kUsable).usable, kUsable);
  std::string why;
  if (cuda::OpenDevice(&why) != nullptr) GTEST_SKIP() << "skipped: this machine has a GPU";
  EXPECT_FALSE(why.empty());
  absl::StatusOr<Engine> engine = OpenEngine(opened.directory->Path(), {.device = Device::kCuda});
  EXPECT_EQ(engine.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(engine.status().message()),
              HasSubstr("--model-args: device=cuda: " + why));
}

// What scripts/gpu-check asks of true-width models on a GPU, here of a small one.
TEST(CudaModel, TokensHangOnTheirOwnSequenceAlone) {
  SKIP_WITHOUT_FIBERS();
  const std::unique_ptr<cuda::Device> device = MakeEmulatedDevice();
  const std::vector<ParityFinding> findings = CheckExactness(device.get(), SmallModel());
  EXPECT_EQ(findings.size(), 9u);
  for (const ParityFinding& finding : findings) {
    EXPECT_TRUE(finding.ok) << finding.check << ": " << finding.detail;
  }
}

// A step's record names its model's buffers: the next model on the same GPU makes its own.
TEST(CudaModel, ALaterModelOnTheSameGpuReplaysItsOwnSteps) {
  SKIP_WITHOUT_FIBERS();
  ExactnessOptions options = SmallModel();
  options.rows = 2;
  options.steps = 30;
  ExactnessOptions later = options;
  later.name = "later";
  later.shape.hidden = 96;
  later.shape.vocabulary = later.shape.usable = 700;
  const std::unique_ptr<cuda::Device> device = MakeEmulatedDevice();
  for (const ExactnessOptions& one : {options, later}) {
    for (const ParityFinding& finding : CheckExactness(device.get(), one)) {
      EXPECT_TRUE(finding.ok) << finding.check << ": " << finding.detail;
    }
  }
}

// The sum of what NeedsOf says is no less than what a model takes.
TEST(CudaModel, TakesNoMoreThanItSays) {
  const Opened opened = OpenAsBf16("tiny_qwen2");
  const cuda::ModelShape model = CudaModelShape(opened.checkpoint->config(), kUsable);
  const cuda::StepShape step = CudaStepShape(Shape(), false);
  const cuda::Needs needs = cuda::NeedsOf(model, step);
  EmulatedDeviceOptions options;
  options.memory_bytes = needs.weights + needs.steps + needs.page * step.pages;
  const std::unique_ptr<cuda::Device> device = MakeEmulatedDevice(options);
  std::string error;
  EXPECT_NE(cuda::Model::Make(device.get(), model, step, &error), nullptr) << error;
  options.memory_bytes -= needs.steps;
  const std::unique_ptr<cuda::Device> smaller = MakeEmulatedDevice(options);
  EXPECT_EQ(cuda::Model::Make(smaller.get(), model, step, &error), nullptr);
}

}  // namespace
}  // namespace assay
