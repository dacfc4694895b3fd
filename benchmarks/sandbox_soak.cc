// Judges one right program many times and counts what was not accepted: every such one is ours.
//
// usage: sandbox_soak [RUNS] [python3|cpp] [THREADS] [WALL_MS] [FILE]     10000 python3 4 3000
// FILE is a program to run in place of the small one; it is then judged right that prints what the
// first run of it printed. Beside errors and verdicts it prints the slowest runs.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "graders/code/judge.h"
#include "harness/status.h"

namespace assay {
namespace {

int Soak(int runs, const std::string& language, int threads, int wall_ms, std::string source) {
  auto runner = Runner::Start({.workers = threads});
  if (!runner.ok()) {
    std::fprintf(stderr, "sandbox_soak: %s\n", std::string(runner.status().message()).c_str());
    return 1;
  }
  const Language& spec = **FindLanguage(language);
  code::CodeProblem problem;
  problem.limits = {.wall_ms = wall_ms, .cpu_ms = 5000, .memory_bytes = int64_t{256} << 20};
  problem.tests.push_back({"1 2\n", source.empty() ? "3\n" : "", ""});
  if (source.empty()) {
    source = language == "cpp" ? "#include <cstdio>\nint main() { int a, b; std::scanf(\"%d%d\", "
                                 "&a, &b); std::printf(\"%d\\n\", a + b); }\n"
                               : "print(sum(map(int, input().split())))\n";
  } else {
    const auto first = code::Judge(**runner, problem, spec, source, {});
    CHECK(first.ok() && !first->tests.empty());
    problem.tests[0].expected = first->tests[0].got;
  }
  std::atomic<int> next = 0;
  std::mutex mutex;
  std::map<std::string, int> found;  // by mutex
  std::vector<double> seconds;       // by mutex
  {
    std::vector<std::jthread> workers;
    for (int t = 0; t < threads; ++t) {
      workers.emplace_back([&] {
        while (next++ < runs) {
          const auto judged = code::Judge(**runner, problem, spec, source, {});
          const std::lock_guard lock(mutex);
          ++found[judged.ok()
                      ? std::string(code::JudgeVerdictName(judged->verdict)) + " " + judged->why
                      : "ERROR " + std::string(judged.status().message())];
          if (judged.ok() && !judged->tests.empty())
            seconds.push_back(judged->tests[0].wall_seconds);
        }
      });
    }
  }
  for (const auto& [what, count] : found) std::printf("%7d %s\n", count, what.c_str());
  std::sort(seconds.begin(), seconds.end());
  if (!seconds.empty()) {
    std::printf("wall seconds: median %.3f, 99 %% %.3f, slowest %.3f\n",
                seconds[seconds.size() / 2], seconds[seconds.size() * 99 / 100], seconds.back());
  }
  return found.size() == 1 && found.begin()->first.starts_with("accepted") ? 0 : 1;
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) {
  std::string source;
  if (argc > 5) {
    std::ifstream file(argv[5]);
    source.assign(std::istreambuf_iterator<char>(file), {});
  }
  return assay::Soak(argc > 1 ? std::atoi(argv[1]) : 10000, argc > 2 ? argv[2] : "python3",
                     argc > 3 ? std::atoi(argv[3]) : 4, argc > 4 ? std::atoi(argv[4]) : 3000,
                     std::move(source));
}
