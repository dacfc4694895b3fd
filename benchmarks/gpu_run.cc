// End to end: the scheduler keeps 256 slots full with samples of lognormal lengths, tokens become
// text and are searched for stop strings, on random weights.
#include "benchmarks/gpu_run.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "benchmarks/gpu_floor.h"
#include "harness/status.h"
#include "inference/engine/cuda/open.h"
#include "inference/engine/cuda/runner.h"
#include "inference/engine/reply_text.h"
#include "inference/engine/scheduler.h"

namespace assay {
namespace {

constexpr int kProblems = 128, kSamples = 8, kRows = 256, kPrompt = 200;
constexpr int kMeanTokens = 2048, kMostTokens = 8192;

void Tell(const GpuFigure& figure) {
  std::printf("%s\n", FigureLine(figure).c_str());
  std::fflush(stdout);
}

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Turns ids into text, as a run does, and ends at a length of its own.
class EndAt final : public TokenWatcher {
 public:
  EndAt(const std::shared_ptr<const Tokenizer>& tokenizer, int tokens)
      : left_(tokens), ids_(tokenizer->size()), text_(tokenizer, {"\n\nProblem:", "<|never|>"}) {}
  bool OnToken(int id) override {
    text_.OnToken(id % ids_);  // the demo's vocabulary stands in; its stop strings may not end us
    return --left_ <= 0;
  }

 private:
  int left_, ids_;
  ReplyText text_;
};

// Pages that fit beside weights and work space, at most what all rows can need.
int PagesThatFit(const cuda::DeviceFacts& facts, const cuda::ModelShape& model,
                 const cuda::StepShape& step) {
  const cuda::Needs needs = cuda::NeedsOf(model, step);
  const double left = 0.92 * (static_cast<double>(facts.free_bytes) -
                              static_cast<double>(needs.weights + needs.steps));
  const double most = static_cast<double>(step.decode_rows) *
                      (static_cast<double>(step.max_positions) / cuda::kPagePositions + 1);
  return static_cast<int>(std::min(most, left / static_cast<double>(needs.page)));
}

// Decode seconds of a step with every slot taken, at short contexts.
double FullStepSeconds(ModelRunner* runner) {
  Scheduler scheduler(runner, [](FinishedSample) {});
  GroupRequest group;
  for (int i = 0; i < 64; ++i) group.prompt.push_back(i * 37 % 500);
  for (int i = 0; i < runner->shape().decode_rows; ++i) group.samples.push_back(i);
  group.plan = {.temperature = 0.6, .top_p = 0.95};
  group.max_tokens = 120;
  CHECK(scheduler.Submit(group).ok());
  std::vector<double> seconds;
  double begin = Now();
  while (*scheduler.Step()) {
    seconds.push_back(Now() - begin);
    begin = Now();
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

absl::Status RunEndToEnd() {
  absl::StatusOr<std::shared_ptr<const Checkpoint>> demo =
      Checkpoint::Open("inference/demo/final", {.read_weights = false});
  if (!demo.ok()) return Annotate(demo.status(), "run it in the project's folder");
  const std::shared_ptr<const Tokenizer> tokenizer = (*demo)->tokenizer();
  std::string error;
  std::unique_ptr<cuda::Device> device = cuda::OpenDevice(&error);
  if (device == nullptr) return Unavailable("%s", error);
  const GpuCeilings ceilings = MeasureCeilings(device.get());
  const cuda::ModelShape shape = ShapeNamed("1.5B").model;
  cuda::StepShape step = {kRows, 1024, 0, kPrompt + kMostTokens + 64, false};
  step.pages = PagesThatFit(device->facts(), shape, step);
  const double free_before = static_cast<double>(device->facts().free_bytes);
  std::unique_ptr<cuda::Model> model = MakeRandomModel(device.get(), shape, step, &error);
  if (model == nullptr) return ResourceExhausted("%s", error);
  const cuda::Needs needs = model->needs();
  const std::unique_ptr<ModelRunner> runner = MakeCudaRunner(std::move(device), std::move(model));
  Tell({"1.5B, memory beside weights and cache", static_cast<double>(needs.steps) / 1e9, "GB", 0, 0,
        absl::StrFormat("wanted: at most 3; %.1f GB were free", free_before / 1e9)});

  std::mt19937_64 random(11);
  const double sigma = 0.8;
  std::lognormal_distribution<double> length(std::log(kMeanTokens) - sigma * sigma / 2, sigma);
  double positions = 0;
  int64_t tokens = 0, finished = 0;
  Scheduler scheduler(runner.get(), [&](FinishedSample sample) {
    ++finished;
    const auto count = static_cast<double>(sample.ids.size());
    tokens += static_cast<int64_t>(sample.ids.size());
    positions += count * (kPrompt + count / 2);
  });
  for (int problem = 0; problem < kProblems; ++problem) {
    GroupRequest group;
    group.key = static_cast<uint64_t>(problem);
    for (int i = 0; i < kPrompt; ++i) group.prompt.push_back((i * 37 + problem * 11) % 100000);
    for (int i = 0; i < kSamples; ++i) group.samples.push_back(i);
    group.plan = {.temperature = 0.6, .top_p = 0.95};
    group.max_tokens = kMostTokens;
    group.make_watcher = [&] {
      const double drawn = std::clamp<double>(length(random), 16, kMostTokens);
      return std::make_unique<EndAt>(tokenizer, static_cast<int>(drawn));
    };
    RETURN_IF_ERROR(scheduler.Submit(std::move(group)));
  }
  const double begin = Now();
  while (true) {
    ASSIGN_OR_RETURN(const bool more, scheduler.Step());
    if (!more) break;
  }
  const double seconds = Now() - begin;
  CHECK(finished == kProblems * kSamples);
  const auto count = static_cast<double>(tokens);
  const double floor =
      count / kRows * DecodeFloor(shape, kRows, static_cast<int>(positions / count), ceilings);
  Tell({"1.5B, 128 problems x 8 samples, end to end", count / seconds, "tokens/s", floor / seconds,
        0.65,
        absl::StrFormat(
            "of the integrated floor; %d tokens in %.1f s, %d swaps, %.1f %% of rows "
            "wasted; storing not in it",
            tokens, seconds, scheduler.counts().swaps_out,
            100.0 * static_cast<double>(scheduler.counts().decode_tokens - tokens) / count)});
  const double exact = FullStepSeconds(runner.get());

  std::unique_ptr<cuda::Device> second = cuda::OpenDevice(&error);
  if (second == nullptr) return Unavailable("%s", error);
  cuda::StepShape small = step;
  small.fast = true;
  small.pages = kRows * 5;
  std::unique_ptr<cuda::Model> fast_model = MakeRandomModel(second.get(), shape, small, &error);
  if (fast_model == nullptr) {
    Tell({"1.5B, exact mode against fast mode", 0, "", 0, 0, "left out: " + error});
    return absl::OkStatus();
  }
  const std::unique_ptr<ModelRunner> fast =
      MakeCudaRunner(std::move(second), std::move(fast_model));
  const double fast_step = FullStepSeconds(fast.get());
  Tell({"1.5B, exact mode at full occupancy", exact * 1e3, "ms a step", fast_step / exact, 0.97,
        absl::StrFormat("of the fast mode's speed (%.3f ms)", fast_step * 1e3)});
  return absl::OkStatus();
}

}  // namespace

int BenchGpu(bool only_run) {
  if (!only_run) {
    std::string error;
    const std::unique_ptr<cuda::Device> device = cuda::OpenDevice(&error);
    if (device == nullptr) {
      std::fprintf(stderr, "engine_bench: --device cuda: %s\n", error.c_str());
      return 1;
    }
    const GpuCeilings ceilings = MeasureCeilings(device.get());
    std::printf("%s, %s\n", device->facts().name.c_str(), device->facts().products.c_str());
    Tell({"copy on the device, read and written", ceilings.copy_bytes_per_second / 1e9, "GB/s"});
    Tell({"bf16 product of 8192 x 8192 x 8192", ceilings.flops / 1e12, "TFLOP/s"});
    BenchAttention(device.get(), ceilings, "", Tell);
    BenchSteps(device.get(), ceilings, "", Tell);
    if (!device->error().empty()) {
      std::fprintf(stderr, "engine_bench: %s\n", device->error().c_str());
      return 1;
    }
  }
  const absl::Status status = RunEndToEnd();
  if (status.ok()) return 0;
  std::fprintf(stderr, "engine_bench: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace assay
