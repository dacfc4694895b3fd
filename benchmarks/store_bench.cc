// What the store costs: CPU per sample put, and the time to read a run back.
//
// CPU is the whole process's, the writer thread included. Replies are words of a small vocabulary
// in random order, which zstd halves to a third, as it does real replies.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "harness/hash.h"
#include "harness/status.h"
#include "harness/store.h"
#include "tests/testing.h"

namespace assay {
namespace {

std::string Reply(size_t bytes, unsigned seed) {
  static const auto* words = [] {
    auto* made = new std::vector<std::string>;
    std::mt19937 random(1);
    for (int i = 0; i < 600; ++i) {
      std::string word;
      for (size_t n = 2 + random() % 7; n > 0; --n) word += static_cast<char>('a' + random() % 26);
      made->push_back(word + " ");
    }
    return made;
  }();
  std::mt19937 random(seed);
  std::geometric_distribution<size_t> pick(0.012);
  std::string text;
  while (text.size() < bytes) text += (*words)[pick(random) % words->size()];
  text.resize(bytes);
  return text;
}

StoredSample MakeSample(int problem, int index, const std::string& thinking) {
  StoredSample stored;
  stored.task = "bench";
  stored.key = Sha256Hex(std::to_string(problem) + "/" + std::to_string(index));
  stored.sample.problem_id = std::to_string(problem);
  stored.sample.index = index;
  Completion& completion = stored.sample.completion;
  completion.reasoning = thinking;
  completion.answer = "So the answer is \\boxed{42}.";
  completion.raw = "<think>\n" + thinking + "\n</think>\n\n" + completion.answer;
  completion.served_by = "http://127.0.0.1:8000/v1";
  stored.sample.extraction.answer = stored.sample.extraction.lenient = "42";
  stored.sample.extraction.rule = "boxed";
  stored.sample.verdict.outcome = Outcome::kCorrect;
  stored.sample.verdict.score = 1;
  stored.sample.verdict.grader = "math";
  stored.sample.verdict.grader_version = 1;
  stored.sample.verdict.why = "equal integers";
  return stored;
}

std::unique_ptr<RunWriter> NewRun(Store& store, RunManifest* manifest) {
  TaskManifest task;
  task.name = "bench";
  manifest->tasks = {task};
  auto writer = store.CreateRun(manifest);
  CHECK(writer.ok());
  return *std::move(writer);
}

double CpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void FillRun(RunWriter& writer, int problems, int samples,
             const std::vector<std::string>& replies) {
  for (int p = 0; p < problems; ++p) {
    Problem problem;
    problem.id = std::to_string(p);
    CHECK(writer.PutProblem("bench", problem, Prompt()).ok());
    for (int i = 0; i < samples; ++i) {
      const std::string& reply = replies[static_cast<size_t>(p * samples + i) % replies.size()];
      CHECK(writer.PutSample(MakeSample(p, i, reply)).ok());
    }
  }
  CHECK(writer.Flush().ok());
}

std::vector<std::string> Replies(size_t bytes) {
  std::vector<std::string> replies;
  for (unsigned i = 0; i < 200; ++i) replies.push_back(Reply(bytes, i));
  return replies;
}

// Samples put as fast as the writer takes them. The cost of making them is measured alone and taken
// off.
void BM_Put(benchmark::State& state) {
  const auto bytes = static_cast<size_t>(state.range(0));
  const int problems = bytes > 10000 ? 500 : 2500, samples = 8;
  const std::vector<std::string> replies = Replies(bytes);
  double cpu = 0, making = 0, put = 0;
  for (auto _ : state) {
    testing_support::TemporaryDirectory directory;
    auto store = Store::Open(directory.Path("bench.db"), StoreMode::kReadWrite);
    CHECK(store.ok());
    RunManifest manifest;
    auto writer = NewRun(**store, &manifest);
    const double begin = CpuSeconds();
    FillRun(*writer, problems, samples, replies);
    const double middle = CpuSeconds();
    for (int p = 0; p < problems; ++p) {
      for (int i = 0; i < samples; ++i) {
        StoredSample sample = MakeSample(p, i, replies[static_cast<size_t>(i)]);
        benchmark::DoNotOptimize(sample);
      }
    }
    cpu += middle - begin;
    making += CpuSeconds() - middle;
    put += problems * samples;
  }
  state.counters["cpu_us_per_sample"] = (cpu - making) / put * 1e6;
  state.SetItemsProcessed(static_cast<int64_t>(put));
}
BENCHMARK(BM_Put)->Arg(2048)->Arg(65536)->Unit(benchmark::kMillisecond)->UseRealTime();

struct Stored {
  testing_support::TemporaryDirectory directory;
  std::unique_ptr<Store> store;
  RunManifest manifest;
};

Stored& RunOf32000(size_t bytes) {
  static auto* runs = new std::map<size_t, std::unique_ptr<Stored>>;
  std::unique_ptr<Stored>& stored = (*runs)[bytes];
  if (stored == nullptr) {
    stored = std::make_unique<Stored>();
    auto store = Store::Open(stored->directory.Path("bench.db"), StoreMode::kReadWrite);
    CHECK(store.ok());
    stored->store = *std::move(store);
    FillRun(*NewRun(*stored->store, &stored->manifest), 2000, 16, Replies(bytes));
  }
  return *stored;
}

void BM_Read32000(benchmark::State& state) {
  Stored& stored = RunOf32000(static_cast<size_t>(state.range(1)));
  SampleFilter filter;
  filter.parts = static_cast<SampleParts>(state.range(0));
  for (auto _ : state) {
    int64_t count = 0;
    CHECK(stored.store
              ->ForEachSample(stored.manifest.id, filter,
                              [&](const StoredSample&) {
                                ++count;
                                return absl::OkStatus();
                              })
              .ok());
    CHECK(count == 32000);
  }
}
BENCHMARK(BM_Read32000)
    ->ArgNames({"parts", "bytes"})
    ->ArgsProduct({{static_cast<int>(SampleParts::kVerdicts),
                    static_cast<int>(SampleParts::kAnswers), static_cast<int>(SampleParts::kAll)},
                   {2048, 32768}})
    ->Unit(benchmark::kMillisecond);

void BM_Regrade32000(benchmark::State& state) {
  Stored& stored = RunOf32000(2048);
  for (auto _ : state) {
    std::vector<Store::NewVerdict> verdicts;
    CHECK(stored.store
              ->ForEachSample(stored.manifest.id, {.parts = SampleParts::kAnswers},
                              [&](const StoredSample& s) {
                                verdicts.push_back({s.task, s.sample.problem_id, s.sample.index,
                                                    s.sample.extraction, s.sample.verdict});
                                return absl::OkStatus();
                              })
              .ok());
    CHECK(stored.store->PutVerdicts(stored.manifest.id, verdicts).ok());
  }
}
BENCHMARK(BM_Regrade32000)->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(3);

void BM_NewDatabase(benchmark::State& state) {
  for (auto _ : state) {
    testing_support::TemporaryDirectory directory;
    auto store = Store::Open(directory.Path("bench.db"), StoreMode::kReadWrite);
    CHECK(store.ok());
    RunManifest manifest;
    auto writer = NewRun(**store, &manifest);
    state.PauseTiming();
    writer.reset();
    store->reset();
    state.ResumeTiming();
  }
}
BENCHMARK(BM_NewDatabase)->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(20);

}  // namespace
}  // namespace assay
