// Runners against transformers' float32 answers, and against each other.
#include "inference/engine/runner.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <random>

#include "inference/engine/chat.h"
#include "inference/engine/cpu.h"
#include "inference/engine/cpu_kernels.h"
#include "inference/engine/mapped_file.h"
#include "inference/engine/matmul.h"
#include "inference/engine/products_bf16.h"
#include "inference/engine/reference.h"
#include "inference/engine/scheduler.h"
#include "tests/engine_models.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing_support::Golden;
using testing_support::LogitsAfter;
using testing_support::OpenTiny;
using testing_support::ReadGolden;
using testing_support::TinyModels;

constexpr int kUsable = 280;  // ids with a token in the tiny models

RunnerShape Shape(int pages = 200) {
  return {.decode_rows = 20,
          .prefill_rows = 48,
          .page_tokens = 64,
          .pages = pages,
          .max_positions = 512};
}

struct Made {
  std::string name;
  std::unique_ptr<ModelRunner> runner;
};

// The oracle and every float32 version of the CPU runner.
std::vector<Made> Float32Runners(const std::shared_ptr<const Checkpoint>& checkpoint) {
  std::vector<Made> made;
  made.push_back({"reference", MakeReferenceRunner(checkpoint, Shape(), kUsable)});
  const auto add = [&](const char* kernels, size_t small) {
    CpuOptions options;
    options.weights = NumberFormat::kF32;
    options.kernels = kernels;
    options.threads = 2;
    options.small_model_bytes = small;
    made.push_back({std::string(kernels) + (small == 0 ? ", shared" : ", by blocks"),
                    MakeCpuRunner(checkpoint, Shape(), kUsable, options)});
  };
  for (const char* kernels : {"base", "avx2", "avx512"}) add(kernels, size_t{1} << 30);
  add("", 0);
  return made;
}

double WorstDifference(std::span<const float> a, std::span<const float> b) {
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(double{a[i]} - b[i]));
  return worst;
}

std::span<const float> RowOf(const std::vector<float>& rows, size_t row, int width) {
  return std::span(rows).subspan(row * width, width);
}

TEST(Runners, LogitsAreTransformersLogits) {
  for (const std::string& name : TinyModels()) {
    const std::shared_ptr<const Checkpoint> checkpoint = OpenTiny(name);
    const Golden golden = ReadGolden(name);
    for (Made& made : Float32Runners(checkpoint)) {
      double worst = 0;
      for (size_t p = 0; p < golden.prompts.size(); ++p) {
        const auto after = LogitsAfter(made.runner.get(), golden.prompts[p]);
        worst = std::max(worst, WorstDifference(after.back(),
                                                RowOf(golden.prompt_logits, p, golden.vocabulary)));
      }
      const auto after = LogitsAfter(made.runner.get(), golden.prompts[19]);
      for (int i = 0; i < 16; ++i) {
        worst = std::max(
            worst, WorstDifference(after[i], RowOf(golden.sequence_logits, i, golden.vocabulary)));
      }
      // Asked for: 1e-3. Float32 gives a hundred times better, and a mistake in a formula does not.
      EXPECT_LT(worst / golden.logit_range, 2e-5) << name << ", " << made.name;
      RecordProperty(name + ", " + made.name, std::to_string(worst / golden.logit_range));
    }
  }
}

TEST(Runners, GreedyTokensAreTransformersTokens) {
  for (const std::string& name : TinyModels()) {
    const std::shared_ptr<const Checkpoint> checkpoint = OpenTiny(name);
    const Golden golden = ReadGolden(name);
    for (Made& made : Float32Runners(checkpoint)) {
      std::vector<std::vector<int>> drawn(golden.prompts.size());
      Scheduler scheduler(made.runner.get(),
                          [&](FinishedSample s) { drawn[s.tag] = std::move(s.ids); });
      for (size_t p = 0; p < golden.prompts.size(); ++p) {
        GroupRequest group;
        group.tag = p;
        group.prompt = golden.prompts[p];
        group.plan.temperature = 0;
        group.samples = {0};
        group.max_tokens = 200;
        ASSERT_OK(scheduler.Submit(group));
      }
      while (*scheduler.Step()) {
      }
      for (size_t p = 0; p < golden.prompts.size(); ++p) {
        EXPECT_EQ(drawn[p], golden.greedy[p]) << name << ", " << made.name << ", prompt " << p;
      }
      // And the logits at the far end.
      std::vector<int> ids = golden.prompts[7];
      ids.insert(ids.end(), golden.greedy[7].begin(), golden.greedy[7].end());
      const auto after = LogitsAfter(made.runner.get(), ids);
      EXPECT_LT(WorstDifference(after.back(), RowOf(golden.last_logits, 7, golden.vocabulary)) /
                    golden.logit_range,
                2e-5)
          << name << ", " << made.name;
    }
  }
}

// --- products ---

TEST(Products, RowsOfOurOwnAreSumsOfExactProductsWhateverTheirNumber) {
  const Bf16Products* products = BestBf16Products();
  if (products == nullptr) GTEST_SKIP() << "this machine has no AVX-512 BF16";
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  const auto numbers = [&](size_t count) {
    std::vector<uint16_t> halves(count);
    for (uint16_t& half : halves) half = std::bit_cast<uint32_t>(normal(random)) >> 16;
    return halves;
  };
  const auto value = [](uint16_t half) { return std::bit_cast<float>(uint32_t{half} << 16); };
  struct Shape {
    int in, out, rows;
  };
  for (const auto [in, out, rows] : {Shape{2, 1, 1}, {34, 70, 7}, {128, 256, 16}, {896, 130, 13}}) {
    // One number off its natural border: a file's rows lie anywhere.
    std::vector<uint16_t> weights = numbers(static_cast<size_t>(in) * out + 1);
    std::vector<char> bytes(weights.size() * 2 + 1);
    std::memcpy(bytes.data() + 1, weights.data(), weights.size() * 2);
    const std::vector<uint16_t> x = numbers(static_cast<size_t>(in) * rows);
    std::vector<uint16_t> panels(static_cast<size_t>((out + 63) / 64) * 64 * in, 0xFFFF);
    for (int column = 0; column < out; column += kPanelColumns) {
      std::vector<const char*> from;
      for (int i = column; i < std::min(out, column + kPanelColumns); ++i) {
        from.push_back(bytes.data() + 1 + static_cast<size_t>(i) * in * 2);
      }
      products->pack(from.data(), static_cast<int>(from.size()), in,
                     &panels[static_cast<size_t>(column) * in]);
    }
    const size_t stride = static_cast<size_t>(out) + 3;
    std::vector<float> y(stride * rows, -7), again(stride * rows);
    products->multiply(panels.data(), out, in, x.data(), rows, y.data(), stride);
    for (int row = 0; row < rows; ++row) {
      for (int column = 0; column < out; ++column) {
        double sum = 0, size = 0;
        for (int k = 0; k < in; ++k) {
          const double product = double{value(x[static_cast<size_t>(row) * in + k])} *
                                 value(weights[static_cast<size_t>(column) * in + k]);
          sum += product;
          size += std::abs(product);
        }
        ASSERT_NEAR(y[row * stride + column], sum, 1e-6 * size + 1e-30)
            << in << " " << out << ": " << row << ", " << column;
      }
      for (size_t i = out; i < stride; ++i) ASSERT_EQ(y[row * stride + i], -7);  // not ours
    }
    const auto expect_rows_alone = [&](auto multiply) {
      for (int fewer = 1; fewer <= rows; ++fewer) {
        again = y;
        for (int i = 0; i < fewer * out; ++i) again[i / out * stride + i % out] = 0;
        multiply(fewer, again.data());
        ASSERT_EQ(std::memcmp(again.data(), y.data(), y.size() * sizeof(float)), 0);
      }
    };
    expect_rows_alone([&](int fewer, float* to) {
      products->multiply(panels.data(), out, in, x.data(), fewer, to, stride);
    });
    // In place: another order of adding, and nothing more.
    const std::vector<float> by_panels = y;
    const auto in_place = [&](int some, float* to) {
      products->multiply_in_place(bytes.data() + 1, out, in, x.data(), some, to, stride);
    };
    in_place(rows, y.data());
    for (size_t i = 0; i < y.size(); ++i) {
      ASSERT_NEAR(y[i], by_panels[i], 1e-6 * in) << in << " " << out << ": " << i;
    }
    expect_rows_alone(in_place);
  }
}

TEST(Products, AMatrixGivesTheSameBitsInItsFileAndInMemoryByItself) {
  std::mt19937 random(6);
  std::vector<uint16_t> numbers(576 * 700);
  std::normal_distribution<float> normal;
  for (uint16_t& half : numbers) half = std::bit_cast<uint32_t>(normal(random)) >> 16;
  const testing_support::TemporaryDirectory directory;
  testing_support::WriteWholeFile(
      directory.Path() + "/weights",
      std::string(reinterpret_cast<const char*>(numbers.data()), numbers.size() * 2));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<MappedFile> file,
                       MappedFile::Open(directory.Path() + "/weights"));
  // Three parts, none of which ends where a chunk does.
  std::vector<Tensor> parts(3);
  size_t at = 0;
  for (size_t i = 0; i < 3; ++i) {
    const int rows = std::array{300, 30, 370}[i];
    parts[i].dtype = Dtype::kBf16;
    parts[i].shape = {rows, 576};
    parts[i].bytes = file->bytes().substr(at * 2, size_t{576} * rows * 2);
    at += size_t{576} * rows;
  }
  const auto matrix = PackedMatrix::Prepare({&parts[0], &parts[1], &parts[2]}, NumberFormat::kBf16);
  if (!matrix->in_place()) GTEST_SKIP() << "this machine has no AVX-512 BF16";
  ASSERT_GT(matrix->chunks(), 3);
  MatmulThread thread;
  const auto product = [&](int rows) {
    std::vector<float> y(static_cast<size_t>(rows) * 700);
    for (int chunk = 0; chunk < matrix->chunks(); ++chunk) {
      thread.Multiply(*matrix, chunk, numbers.data(), rows, y.data());
    }
    return y;
  };
  const std::vector<float> expected = product(20);
  for (int moved = 0; moved < matrix->chunks(); ++moved) {
    for (const int rows : {1, 3, 20}) {
      const std::vector<float> found = product(rows);
      ASSERT_EQ(std::memcmp(found.data(), expected.data(), found.size() * sizeof(float)), 0)
          << moved << " chunks moved, " << rows << " rows";
    }
    matrix->MoveChunk(moved);
  }
  for (size_t i = 0; i < 700; ++i) {
    double sum = 0;
    for (size_t k = 0; k < 576; ++k) {
      sum += double{std::bit_cast<float>(uint32_t{numbers[k]} << 16)} *
             std::bit_cast<float>(uint32_t{numbers[i * 576 + k]} << 16);
    }
    EXPECT_NEAR(expected[i], sum, 1e-3) << i;
  }
}

// --- bf16 within the gates ---

struct Gates {
  double relative_l2 = 0, mean_kl = 0;
  int64_t compared = 0, agreed = 0;
};

Gates Compare(const std::vector<std::vector<float>>& oracle,
              const std::vector<std::vector<float>>& tried) {
  Gates gates;
  double difference = 0, norm = 0, kl = 0;
  for (size_t row = 0; row < oracle.size(); ++row) {
    double p_sum = 0, q_sum = 0;
    std::vector<float> a(oracle[row].begin(), oracle[row].begin() + kUsable);
    std::vector<float> b(tried[row].begin(), tried[row].begin() + kUsable);
    for (int i = 0; i < kUsable; ++i) {
      difference += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
      norm += double{a[i]} * a[i];
      p_sum += std::exp(double{a[i]});
      q_sum += std::exp(double{b[i]});
    }
    for (int i = 0; i < kUsable; ++i) {
      const double p = a[i] - std::log(p_sum), q = b[i] - std::log(q_sum);
      kl += std::exp(p) * (p - q);
    }
    const auto best = std::max_element(a.begin(), a.end()) - a.begin();
    const auto tried_best = std::max_element(b.begin(), b.end()) - b.begin();
    std::nth_element(a.begin(), a.begin() + 1, a.end(), std::greater<>());
    if (a[0] - a[1] <= 0.1) continue;
    ++gates.compared;
    gates.agreed += best == tried_best ? 1 : 0;
  }
  gates.relative_l2 = std::sqrt(difference / norm);
  gates.mean_kl = kl / static_cast<double>(oracle.size());
  return gates;
}

TEST(Runners, Bf16StaysWithinItsGates) {
  for (const std::string& name : TinyModels()) {
    const testing_support::TemporaryDirectory directory;
    testing_support::WriteBf16Copy(name, directory.Path());
    ASSERT_OK_AND_ASSIGN(const std::shared_ptr<const Checkpoint> checkpoint,
                         Checkpoint::Open(directory.Path()));
    const Golden golden = ReadGolden(name);
    const auto oracle = MakeReferenceRunner(checkpoint, Shape(), kUsable);
    CpuOptions options;
    options.weights = NumberFormat::kBf16;
    options.threads = 2;
    const auto tried = MakeCpuRunner(checkpoint, Shape(), kUsable, options);
    std::vector<std::vector<float>> expected, found;
    for (size_t p = 0; p < golden.prompts.size(); ++p) {
      std::vector<int> ids = golden.prompts[p];
      ids.insert(ids.end(), golden.greedy[p].begin(), golden.greedy[p].end());
      for (auto& row : LogitsAfter(oracle.get(), ids)) expected.push_back(std::move(row));
      for (auto& row : LogitsAfter(tried.get(), ids)) found.push_back(std::move(row));
    }
    const Gates gates = Compare(expected, found);
    std::printf("%s: relative L2 %.2e, mean KL %.2e, top-1 %ld of %ld\n", name.c_str(),
                gates.relative_l2, gates.mean_kl, static_cast<long>(gates.agreed),
                static_cast<long>(gates.compared));
    // tiny_qwen2 has weights so large that bf16 by transformers itself (5.23, eager, the same bf16
    // weights) is 5.8e-2 from float32, against 1.3e-2 and 1.5e-2 for the other two: half of that
    // (docs/decisions.md).
    EXPECT_LE(gates.relative_l2, name == "tiny_qwen2" ? 2.9e-2 : 2e-2) << name;
    EXPECT_LE(gates.mean_kl, 1e-3) << name;
    EXPECT_GE(static_cast<double>(gates.agreed), 0.99 * static_cast<double>(gates.compared))
        << name;
  }
}

// Weights as training leaves them, on text that the model itself goes on with.
TEST(Runners, Bf16StaysWithinItsGatesOnTheDemoCheckpoint) {
  const std::string directory = testing_support::SourcePath("inference/demo/final");
  ASSERT_OK_AND_ASSIGN(const std::shared_ptr<const Checkpoint> checkpoint,
                       Checkpoint::Open(directory));
  ASSERT_OK_AND_ASSIGN(const std::shared_ptr<const ChatFormat> chat,
                       ChatFormat::Open(directory, checkpoint->tokenizer(), {}));
  const auto oracle = MakeReferenceRunner(checkpoint, Shape(), checkpoint->tokenizer()->size());
  CpuOptions options;
  options.weights = NumberFormat::kBf16;
  options.threads = 2;
  const auto tried = MakeCpuRunner(checkpoint, Shape(), checkpoint->tokenizer()->size(), options);
  std::vector<std::vector<float>> expected, found;
  for (const char* question :
       {"What is 17 + 25?", "Solve for x: 3x + 4 = 19", "Compute 12 * 13."}) {
    Prompt prompt;
    prompt.messages.push_back({"user", question});
    ASSERT_OK_AND_ASSIGN(const RenderedPrompt rendered, chat->Render(prompt));
    std::vector<int> ids = rendered.ids;
    Scheduler scheduler(oracle.get(), [&](FinishedSample sample) {
      ids.insert(ids.end(), sample.ids.begin(), sample.ids.end());
    });
    GroupRequest group;
    group.prompt = ids;
    group.plan.temperature = 0;
    group.samples = {0};
    group.stop_ids = checkpoint->config().eos;
    group.max_tokens = 60;
    ASSERT_OK(scheduler.Submit(group));
    while (*scheduler.Step()) {
    }
    for (auto& row : LogitsAfter(oracle.get(), ids)) expected.push_back(std::move(row));
    for (auto& row : LogitsAfter(tried.get(), ids)) found.push_back(std::move(row));
  }
  const Gates gates = Compare(expected, found);
  std::printf("demo: relative L2 %.2e, mean KL %.2e, top-1 %ld of %ld\n", gates.relative_l2,
              gates.mean_kl, static_cast<long>(gates.agreed), static_cast<long>(gates.compared));
  EXPECT_GT(gates.compared, 50);
  EXPECT_LE(gates.relative_l2, 2e-2);
  EXPECT_LE(gates.mean_kl, 1e-3);
  EXPECT_GE(static_cast<double>(gates.agreed), 0.99 * static_cast<double>(gates.compared));
}

// --- a row's bits hang on its own sequence alone ---

using Bits = std::vector<std::vector<float>>;

Bits LogitsOf(const std::shared_ptr<const Checkpoint>& checkpoint, const std::vector<int>& ids,
              CpuOptions options, int prefill_rows) {
  RunnerShape shape = Shape();
  shape.prefill_rows = prefill_rows;
  const auto runner = MakeCpuRunner(checkpoint, shape, kUsable, options);
  return LogitsAfter(runner.get(), ids);
}

TEST(Runners, ARowHasTheSameBitsInEveryChunkAndOnEveryNumberOfThreads) {
  for (const std::string& name : TinyModels()) {
    const std::shared_ptr<const Checkpoint> checkpoint = OpenTiny(name);
    const std::vector<int> ids = ReadGolden(name).greedy[3];
    for (const NumberFormat format : {NumberFormat::kBf16, NumberFormat::kF32}) {
      CpuOptions options;
      options.weights = format;
      options.threads = 1;
      const Bits expected = LogitsOf(checkpoint, ids, options, 64);
      for (const int chunk : {1, 7, 34, 200}) {
        options.threads = 1 + chunk % 3;
        options.small_model_bytes = chunk % 2 == 0 ? 0 : size_t{1} << 30;
        EXPECT_EQ(LogitsOf(checkpoint, ids, options, chunk), expected)
            << name << ", chunks of " << chunk;
      }
    }
  }
}

}  // namespace
}  // namespace assay
