// Ten runs of 32,000 samples each into one page: how long it takes to write and how large it is.
//
// Replies are as long as reasoning is (about 6 KB of text each, of random words, which compress
// worse than a model's); wrong answers are spread over three dozen forms a problem. A browser
// then opens the page, where chromium is installed.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "absl/strings/str_format.h"
#include "harness/hash.h"
#include "harness/random.h"
#include "harness/status.h"
#include "reports/page/page.h"
#include "reports/report.h"
#include "tests/browser/browser.h"
#include "tests/testing.h"

namespace assay {
namespace {

constexpr int kRuns = 10;
constexpr int kProblems = 500;
constexpr int kSamples = 64;
constexpr int kWords = 1000;  // of a reply's thinking

struct Stored {
  testing_support::TemporaryDirectory directory;
  std::unique_ptr<Store> store;
  std::vector<RunSummary> runs;
};

// A vocabulary of 4096 words of 3 to 8 letters; the frequent ones come often, as in language.
const std::vector<std::string>& Vocabulary() {
  static const auto* words = [] {
    auto* made = new std::vector<std::string>;
    Xoshiro256 random(7);
    for (int i = 0; i < 4096; ++i) {
      std::string word;
      for (uint64_t n = 3 + random.Below(6); n > 0; --n) {
        word += static_cast<char>('a' + random.Below(26));
      }
      made->push_back(word);
    }
    return made;
  }();
  return *words;
}

std::string Thinking(Xoshiro256* random) {
  std::string text;
  for (int i = 0; i < kWords; ++i) {
    const double u = random->Uniform();
    text += Vocabulary()[static_cast<size_t>(u * u * u * 4095)] + (i % 17 == 16 ? ".\n" : " ");
  }
  return text;
}

StoredSample Draw(const std::string& id, int index, double skill, Xoshiro256* random) {
  StoredSample stored;
  stored.task = "bench";
  stored.key = Sha256Hex(id + "/" + std::to_string(index));
  stored.graded = true;
  Sample& sample = stored.sample;
  sample.problem_id = id;
  sample.index = index;
  sample.completion.reasoning = Thinking(random);
  sample.completion.tokens = {120, 500 + static_cast<int64_t>(random->Below(4000)),
                              40 + static_cast<int64_t>(random->Below(200)),
                              TokenSource::kMeasured};
  sample.verdict.grader = "math";
  sample.verdict.grader_version = 3;
  const double luck = random->Uniform();
  if (luck > 0.96) {
    sample.completion.finish = FinishReason::kLength;
    sample.verdict.outcome = Outcome::kTruncated;
    return stored;
  }
  const bool right = luck < skill;
  const std::string answer =
      right ? "42" : absl::StrFormat("\\frac{%d}{%d}", random->Below(12) + 1, index % 3 + 7);
  sample.completion.answer = "So it is $\\boxed{" + answer + "}$.";
  sample.extraction.answer = sample.extraction.strict = sample.extraction.lenient = answer;
  sample.extraction.rule = "boxed";
  sample.extraction.begin = 17;
  sample.extraction.end = 17 + answer.size();
  sample.verdict.outcome = right ? Outcome::kCorrect : Outcome::kIncorrect;
  sample.verdict.score = right ? 1 : 0;
  sample.verdict.why = right ? "proved equal (identity)" : "proved different (rationals)";
  sample.verdict.detail = Json::MakeObject({{"tier", right ? "identity" : "rationals"}});
  return stored;
}

const Stored& TenRuns() {
  static const Stored* stored = [] {
    auto* made = new Stored;
    auto store = Store::Open(made->directory.Path("bench.db"), StoreMode::kReadWrite);
    CHECK(store.ok());
    made->store = *std::move(store);
    for (int r = 0; r < kRuns; ++r) {
      TaskManifest task;
      task.name = "bench";
      task.extractor = "boxed";
      task.grader = "math";
      task.problems = kProblems;
      task.samples_per_problem = kSamples;
      task.metrics = {"pass@1"};
      task.sampling = Json::MakeObject({{"max_tokens", 4500}});
      RunManifest manifest;
      manifest.name = absl::StrFormat("step-%d", 100 * r);
      manifest.tasks = {task};
      auto writer = made->store->CreateRun(&manifest);
      CHECK(writer.ok());
      Xoshiro256 random(static_cast<uint64_t>(r) + 1);
      for (int i = 0; i < kProblems; ++i) {
        Problem problem;
        problem.id = absl::StrFormat("problem-%d", i);
        problem.reference = "42";
        problem.tags = {absl::StrFormat("level:%d", i % 5), absl::StrFormat("subject:%d", i % 7)};
        const Prompt prompt{
            {{"user", "What is it, in the end? " + Thinking(&random).substr(0, 300)}}, ""};
        CHECK((*writer)->PutProblem("bench", problem, prompt).ok());
        const double skill = std::min(0.95, 0.2 + 0.03 * r + 0.5 * (i % 10) / 10.0);
        for (int j = 0; j < kSamples; ++j) {
          CHECK((*writer)->PutSample(Draw(problem.id, j, skill, &random)).ok());
        }
      }
      CHECK((*writer)->Finish(RunState::kComplete).ok());
      auto run = made->store->FindRun(manifest.id);
      CHECK(run.ok());
      made->runs.push_back(*run);
    }
    return made;
  }();
  return *stored;
}

absl::StatusOr<std::string> WritePage(const Stored& stored, Transcripts transcripts) {
  std::vector<ReportInput> inputs;
  for (const RunSummary& run : stored.runs) inputs.push_back({stored.store.get(), run});
  ReportOptions options;
  options.samples = true;
  options.x = "step";
  ASSIGN_OR_RETURN(const Report report, LoadReport(std::move(inputs), options));
  return MakePage(report, {.transcripts = transcripts});
}

void BM_Page(benchmark::State& state, Transcripts transcripts) {
  const Stored& stored = TenRuns();
  size_t bytes = 0;
  for (auto _ : state) {
    const auto page = WritePage(stored, transcripts);
    CHECK(page.ok());
    bytes = page->size();
  }
  state.counters["MB"] = static_cast<double>(bytes) / 1e6;
}
BENCHMARK_CAPTURE(BM_Page, fitting, Transcripts::kFitting)->Unit(benchmark::kSecond);
BENCHMARK_CAPTURE(BM_Page, no_transcripts, Transcripts::kNone)->Unit(benchmark::kSecond);

// From the start of the navigation to the first screen drawn and its script idle, by the page's own
// clock; and from a click on "Problems" to its list of 320,000 samples drawn.
void BM_Open(benchmark::State& state) {
  if (testing_support::Browser::Program().empty()) {
    state.SkipWithError("chromium is not installed");
    return;
  }
  const auto page = WritePage(TenRuns(), Transcripts::kFitting);
  CHECK(page.ok());
  const testing_support::TemporaryDirectory directory;
  testing_support::WriteWholeFile(directory.Path("page.html"), *page);
  auto browser = testing_support::Browser::Start();
  CHECK(browser.ok());
  double ready = 0, problems = 0;
  for (auto _ : state) {
    CHECK((*browser)->Open(directory.Path("page.html")).ok());
    const auto shown = (*browser)->Evaluate("Number(document.body.dataset.ready)");
    CHECK(shown.ok());
    const auto listed = (*browser)->Evaluate(
        "(async () => { const begin = performance.now(); go({tab: 'problems'}); while "
        "(!document.querySelector('.detail-head h3')) await new Promise(r => setTimeout(r, 5)); "
        "return performance.now() - begin; })()");
    CHECK(listed.ok());
    state.SetIterationTime(shown->AsNumber() / 1000);
    ready += shown->AsNumber();
    problems += listed->AsNumber();
  }
  const auto times = static_cast<double>(state.iterations());
  state.counters["ready_ms"] = ready / times;
  state.counters["problems_ms"] = problems / times;
}
BENCHMARK(BM_Open)->UseManualTime()->Iterations(5)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace assay
