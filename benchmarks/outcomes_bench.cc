// Last reply to printed score: 32,000 stored samples into a task's table, and two runs compared.
//
// Wrong answers are spread over a dozen forms a problem, as sampled ones are, so that cons@k has
// answers to compare.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "harness/hash.h"
#include "harness/outcomes.h"
#include "harness/random.h"
#include "harness/status.h"
#include "tests/testing.h"

namespace assay {
namespace {

struct Stored {
  testing_support::TemporaryDirectory directory;
  std::unique_ptr<Store> store;
  RunSummary run;
};

StoredSample Draw(const std::string& id, int index, Xoshiro256* random) {
  StoredSample stored;
  stored.task = "bench";
  stored.key = Sha256Hex(id + "/" + std::to_string(index));
  Sample& sample = stored.sample;
  sample.problem_id = id;
  sample.index = index;
  sample.completion.answer = "So it is what it is.";
  sample.verdict.grader = "math";
  sample.verdict.grader_version = 1;
  const uint64_t kind = random->Below(20);
  if (kind == 0) {
    sample.verdict.outcome = Outcome::kTruncated;
    return stored;
  }
  sample.verdict.outcome = kind < 12 ? Outcome::kCorrect : Outcome::kIncorrect;
  sample.verdict.score = kind < 12 ? 1 : 0;
  const uint64_t form = random->Below(12);
  sample.extraction.answer =
      kind < 12 ? "42"
                : "\\frac{" + std::to_string(form + 1) + "}{" + std::to_string(form + 7) + "}";
  return stored;
}

std::unique_ptr<Stored> Fill(int problems, int samples) {
  auto stored = std::make_unique<Stored>();
  auto store = Store::Open(stored->directory.Path("bench.db"), StoreMode::kReadWrite);
  CHECK(store.ok());
  stored->store = *std::move(store);
  TaskManifest task;
  task.name = "bench";
  task.extractor = "boxed";
  task.grader = "math";
  task.problems = problems;
  task.samples_per_problem = samples;
  RunManifest manifest;
  manifest.tasks = {task};
  auto writer = stored->store->CreateRun(&manifest);
  CHECK(writer.ok());
  Xoshiro256 random(1);
  for (int i = 0; i < problems; ++i) {
    Problem problem;
    problem.id = "problem " + std::to_string(i);
    problem.row = Json::MakeObject({{"question", std::string(400, 'q')}});
    problem.tags = {"level:" + std::to_string(i % 5), "subject:" + std::to_string(i % 57)};
    CHECK((*writer)
              ->PutProblem("bench", problem, Prompt{{{"user", std::string(500, 'q')}}, ""})
              .ok());
    for (int j = 0; j < samples; ++j) {
      CHECK((*writer)->PutSample(Draw(problem.id, j, &random)).ok());
    }
  }
  CHECK((*writer)->Finish(RunState::kComplete).ok());
  auto run = stored->store->FindRun("last");
  CHECK(run.ok());
  stored->run = *run;
  return stored;
}

void BM_TaskResult(benchmark::State& state, std::vector<std::string> metrics) {
  const auto stored = Fill(static_cast<int>(state.range(0)), static_cast<int>(state.range(1)));
  TaskManifest task = stored->run.manifest.tasks[0];
  task.metrics = std::move(metrics);
  for (auto _ : state) {
    auto result = ComputeTaskResult(*stored->store, stored->run, task);
    CHECK(result.ok() && result->unavailable.empty());
    benchmark::DoNotOptimize(result);
  }
}
BENCHMARK_CAPTURE(BM_TaskResult, pass, {"pass@1"})
    ->Args({500, 64})
    ->Args({16000, 2})
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_TaskResult, everything,
                  {"pass@1", "pass@k", "pass^k", "cons@k", "g-pass@16", "mg-pass@16", "truncated",
                   "undecided"})
    ->Args({500, 64})
    ->Args({2000, 16})
    ->Unit(benchmark::kMillisecond);

void BM_ComparePaired(benchmark::State& state) {
  const auto a = Fill(static_cast<int>(state.range(0)), 4);
  auto input = LoadOutcomes(*a->store, a->run, a->run.manifest.tasks[0]);
  CHECK(input.ok());
  MetricInput other;
  for (ProblemOutcomes problem : input->problems) {
    problem.samples[0].score = 0;
    other.problems.push_back(problem);
  }
  for (auto _ : state) benchmark::DoNotOptimize(ComparePaired(*input, other));
}
BENCHMARK(BM_ComparePaired)->Arg(500)->Arg(14042)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace assay
