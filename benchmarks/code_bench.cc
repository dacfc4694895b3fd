// Tests judged a second: small Python programs by profile, calls, asserts, C++ programs, and
// compiling with and without the precompiled header. Outputs are checked; a wrong verdict ends the
// benchmark.
//
// On a machine that is not idle the rate says little; `cpu_us` is the CPU time of a test (of a
// compilation), the harness's and the sandbox's together: 2e6 / cpu_us is what two whole cores do.
#include <benchmark/benchmark.h>
#include <dirent.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <random>
#include <sstream>
#include <thread>

#include "graders/code/judge.h"
#include "harness/status.h"

namespace assay {
namespace {

constexpr int kSolutions = 50, kTests = 20;

Runner& SharedRunner(bool headers = true) {
  static auto* with = new absl::StatusOr<std::unique_ptr<Runner>>(Runner::Start({.workers = 2}));
  static auto* without = new absl::StatusOr<std::unique_ptr<Runner>>(
      Runner::Start({.workers = 1, .precompiled_headers = false}));
  CHECK(with->ok() && without->ok());
  return headers ? ***with : ***without;
}

// CPU seconds of this process, its living descendants, and all that they waited for.
double TreeSeconds() {
  std::map<int, std::pair<int, double>> all;  // pid -> parent, seconds
  DIR* proc = opendir("/proc");
  while (const dirent* entry = readdir(proc)) {
    if (std::atoi(entry->d_name) == 0) continue;  // "self" is one of them, once more
    std::ifstream file(std::string("/proc/") + entry->d_name + "/stat");
    std::string text;
    std::getline(file, text);
    const size_t name_end = text.rfind(')');
    if (name_end == std::string::npos) continue;
    std::istringstream fields(text.substr(name_end + 2));
    std::string state;
    int parent = 0;
    fields >> state >> parent;
    double value = 0, ticks = 0;
    for (int field = 5; field <= 17 && fields >> value; ++field) ticks += field >= 14 ? value : 0;
    all[std::atoi(entry->d_name)] = {parent, ticks / static_cast<double>(sysconf(_SC_CLK_TCK))};
  }
  closedir(proc);
  double seconds = 0;
  for (const auto& [pid, own] : all) {
    int at = pid;
    while (at != getpid() && all.contains(at)) at = all[at].first;
    if (at == getpid()) seconds += own.second;
  }
  return seconds;
}

// The sum and the maximum of up to 50 integers.
code::CodeProblem SmallProblem() {
  std::mt19937 random(1);
  code::CodeProblem problem;
  for (int i = 0; i < kTests; ++i) {
    int64_t sum = 0, most = -1000;
    std::string input;
    for (int k = 0; k < 50; ++k) {
      const auto value = static_cast<int64_t>(random() % 2001) - 1000;
      sum += value;
      most = std::max(most, value);
      input += std::to_string(value) + " ";
    }
    problem.tests.push_back(
        {input + "\n", std::to_string(sum) + " " + std::to_string(most) + "\n", ""});
  }
  return problem;
}

std::string PythonSource(int number) {
  return "# " + std::to_string(number) +
         "\nimport sys\ndef main():\n    x = list(map(int, sys.stdin.read().split()))\n"
         "    print(sum(x), max(x))\nmain()\n";
}

std::string CppSource(int64_t number) {
  return "#include <bits/stdc++.h>\n// " + std::to_string(number) +
         "\nint main() {\n  long x, sum = 0, most = -1000;\n"
         "  while (std::cin >> x) { sum += x; most = std::max(most, x); }\n"
         "  std::cout << sum << ' ' << most << '\\n';\n}\n";
}

// Every solution judged once, on two threads.
void JudgeAll(benchmark::State& state, std::string_view language, code::Profile profile,
              const code::CodeProblem& problem, const std::function<std::string(int)>& source) {
  const Language& spec = **FindLanguage(language);
  const int solutions = language == "cpp" ? 20 : kSolutions;
  for (int i = 0; i < solutions; ++i)  // compiled before anything is measured
    CHECK(SharedRunner().Prepare(spec, source(i)).ok());
  CHECK(code::Judge(SharedRunner(), problem, spec, source(0), {.profile = profile}).ok());
  int64_t tests = 0;
  const double began = TreeSeconds();
  for (auto _ : state) {
    std::atomic<int> next = 0, accepted = 0;
    {
      std::vector<std::jthread> threads;
      for (int t = 0; t < 2; ++t) {
        threads.emplace_back([&] {
          for (int i = next++; i < solutions; i = next++) {
            const auto judgement =
                code::Judge(SharedRunner(), problem, spec, source(i), {.profile = profile});
            const bool good = judgement.ok() && judgement->verdict == code::JudgeVerdict::kAccepted;
            accepted += good;
            if (!good)
              std::fprintf(
                  stderr, "%s\n",
                  judgement.ok() ? judgement->why.c_str() : judgement.status().ToString().c_str());
          }
        });
      }
    }
    if (accepted != solutions) return state.SkipWithError("a right program was not accepted");
    tests += int64_t{solutions} * static_cast<int64_t>(problem.tests.size());
  }
  state.SetItemsProcessed(tests);
  state.counters["cpu_us"] = (TreeSeconds() - began) * 1e6 / static_cast<double>(tests);
  state.counters["restarts"] = static_cast<double>(SharedRunner().sandbox().restarts());
}

void JudgeSmall(benchmark::State& state, std::string_view language, code::Profile profile) {
  JudgeAll(state, language, profile, SmallProblem(),
           [&](int i) { return language == "cpp" ? CppSource(i) : PythonSource(i); });
}

std::string FunctionSource(int number) {
  return "# " + std::to_string(number) + "\ndef f(x): return x + 1\n";
}

void PythonCall(benchmark::State& state) {
  code::CodeProblem problem;
  problem.kind = code::ProblemKind::kCall;
  problem.entry = "f";
  for (int i = 0; i < 6; ++i)
    problem.tests.push_back({"[" + std::to_string(i) + "]", std::to_string(i + 1), ""});
  JudgeAll(state, "python3", code::Profile::kNative, problem, FunctionSource);
}
void PythonAssert(benchmark::State& state) {
  code::CodeProblem problem;
  problem.kind = code::ProblemKind::kAssert;
  problem.entry = "f";
  problem.tests = {{"", "", "assert f(1) == 2\nassert f(2) == 3\n"}};
  JudgeAll(state, "python3", code::Profile::kNative, problem, FunctionSource);
}
BENCHMARK(PythonCall)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(PythonAssert)->UseRealTime()->Unit(benchmark::kMillisecond);
void PythonNative(benchmark::State& state) { JudgeSmall(state, "python3", code::Profile::kNative); }
void PythonLcb(benchmark::State& state) { JudgeSmall(state, "python3", code::Profile::kLcb); }
void Cpp(benchmark::State& state) { JudgeSmall(state, "cpp", code::Profile::kNative); }
BENCHMARK(PythonNative)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(PythonLcb)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(Cpp)->UseRealTime()->Unit(benchmark::kMillisecond);

// Each source is new, so that nothing comes from the cache.
void Compile(benchmark::State& state, bool headers) {
  Language spec = **FindLanguage("cpp");
  if (!headers) std::erase(spec.compile, "-I/pch");
  CHECK(SharedRunner(headers).Prepare(spec, CppSource(0)).ok());
  std::random_device seed;
  int64_t number = int64_t{seed()} << 20;
  const double began = TreeSeconds();
  for (auto _ : state) {
    const auto prepared = SharedRunner(headers).Prepare(spec, CppSource(++number));
    if (!prepared.ok() || !prepared->ready || prepared->from_cache)
      return state.SkipWithError("did not compile");
  }
  state.counters["cpu_us"] =
      (TreeSeconds() - began) * 1e6 / static_cast<double>(state.iterations());
}
void CompileWithHeader(benchmark::State& state) { Compile(state, true); }
void CompilePlain(benchmark::State& state) { Compile(state, false); }
BENCHMARK(CompileWithHeader)->UseRealTime()->Unit(benchmark::kMillisecond)->Iterations(5);
BENCHMARK(CompilePlain)->UseRealTime()->Unit(benchmark::kMillisecond)->Iterations(5);

}  // namespace
}  // namespace assay
