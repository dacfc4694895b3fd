// The grader `math` with its real worker processes: hostile pairs, workers that are killed, and a
// machine that gives them no time.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "graders/algebra/tame.h"
#include "harness/grader.h"
#include "harness/process.h"
#include "harness/registry.h"
#include "tests/testing.h"

namespace assay {
namespace {

using namespace std::chrono_literals;
using testing_support::BinaryPath;
using testing_support::ReadJsonLinesFile;
using testing_support::ReadTable;
using testing_support::RunAssay;
using testing_support::SharedPath;

#if defined(ASSAY_SANITIZE_ADDRESS) || defined(ASSAY_SANITIZE_THREAD)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

struct Pair {
  std::string reference;
  std::string answer;
};

// Bound once for all tests, with workers of the built program.
const BoundGrader& Math() {
  static const BoundGrader* bound = [] {
    SetWorkerProgram(BinaryPath("bin/assay"));
    return new BoundGrader(*(*FindGrader("math"))->bind(Json()));
  }();
  return *bound;
}

absl::StatusOr<Verdict> TryGrade(const Pair& pair) {
  Problem problem;
  problem.reference = pair.reference;
  Extraction extraction;
  extraction.answer = pair.answer;
  return Math().grade(problem, Completion(), extraction);
}

Verdict Graded(const Pair& pair) {
  const absl::StatusOr<Verdict> verdict = TryGrade(pair);
  EXPECT_TRUE(verdict.ok()) << verdict.status();
  return verdict.ok() ? *verdict : Verdict();
}

std::string DetailOf(const Verdict& verdict) {
  return verdict.detail.FindString("verdict").value_or("");
}

std::vector<pid_t> Children() {
  std::vector<pid_t> children;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(task.path() / "children");
    for (pid_t pid; file >> pid;) children.push_back(pid);
  }
  return children;
}

double ChildrenCpuSeconds() {
  rusage used = {};
  getrusage(RUSAGE_CHILDREN, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

// Pairs that need a worker and take it some time.
std::vector<Pair> SomeWork() {
  std::vector<Pair> pairs;
  for (const auto& row : ReadTable("algebra_pairs.txt")) {
    if (algebra::IsTame(row.fields[0], row.fields[1])) continue;
    pairs.push_back({row.fields[0], row.fields[1]});
    if (pairs.size() == 120) break;
  }
  return pairs;
}

// Rows that explode: each ends with a verdict, within the limits of its worker.
TEST(AlgebraWorkers, HostilePairsEndWithinTheirLimits) {
  SKIP_WITHOUT_SHARED("vectors/math_pairs.jsonl");
  int rows = 0;
  double longest = 0;
  const Verdict first = Graded({"\\sqrt{8}", "2\\sqrt{2}"});
  EXPECT_EQ(first.outcome, Outcome::kCorrect) << first.why;
  for (const Json& row : ReadJsonLinesFile(SharedPath("vectors/math_pairs.jsonl"))) {
    if (row.FindString("category") != "hostile") continue;
    const auto text = [&](const std::string& field) {
      if (const auto whole = row.FindString(field)) return *whole;
      std::string joined;
      if (const Json* parts = row.Find(field + "_parts"))
        for (const Json& part : parts->AsArray())
          for (int64_t i = 0; i < part.AsArray()[1].AsInteger(); ++i)
            joined += part.AsArray()[0].AsString();
      return joined;
    };
    ++rows;
    const auto begin = std::chrono::steady_clock::now();
    const Verdict verdict = Graded({text("gold"), text("pred")});
    const double wall =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    longest = std::max(longest, wall);
    const bool expected = *row.FindBool("expected");
    if (expected) {
      EXPECT_NE(verdict.outcome, Outcome::kIncorrect) << *row.FindString("id") << verdict.why;
    } else {
      EXPECT_NE(verdict.outcome, Outcome::kCorrect) << *row.FindString("id") << verdict.why;
    }
  }
  EXPECT_GE(rows, 30);
  std::printf("%d hostile pairs; the longest took %.3f s of wall time\n", rows, longest);
}

// A formula that no limit of ours stops in time: a second of CPU time, then a fresh worker.
TEST(AlgebraWorkers, APairThatHangsCostsASecondAndItsOwnVerdict) {
  const Pair hang = {
      "\\sum_{a=1}^{12}\\sum_{b=1}^{12}\\sum_{c=1}^{12}\\sqrt[7]{a+\\sqrt[5]{b+\\sqrt{c}}}",
      "\\sum_{a=1}^{12}\\sum_{b=1}^{12}\\sum_{c=1}^{12}\\sqrt[7]{a+\\sqrt[5]{c+\\sqrt{b}}}"};
  const double before = ChildrenCpuSeconds();
  const Verdict verdict = Graded(hang);
  EXPECT_EQ(verdict.outcome, Outcome::kUndecided) << verdict.why;
  std::printf("%s; %.2f s of CPU time\n", verdict.why.c_str(), ChildrenCpuSeconds() - before);
  EXPECT_EQ(Graded({"\\sqrt{8}", "2\\sqrt{2}"}).outcome, Outcome::kCorrect);
}

// Workers are killed all the time: each kill costs one verdict at the most, told as a crash, and
// never the run.
TEST(AlgebraWorkers, AKilledWorkerCostsOneVerdict) {
  const std::vector<Pair> pairs = SomeWork();
  std::vector<Outcome> calm;
  for (const Pair& pair : pairs) calm.push_back(Graded(pair).outcome);
  std::atomic<bool> done = false;
  std::atomic<int> kills = 0;
  std::jthread killer([&] {
    while (!done) {
      std::this_thread::sleep_for(25ms);
      for (const pid_t child : Children()) {
        kill(child, SIGKILL);
        ++kills;
      }
    }
  });
  int lost = 0;
  for (int round = 0; round < 1; ++round) {
    for (size_t i = 0; i < pairs.size(); ++i) {
      const absl::StatusOr<Verdict> verdict = TryGrade(pairs[i]);
      if (verdict.ok() && verdict->outcome == calm[i]) continue;
      ++lost;
      if (!verdict.ok()) {
        // Killed while it started: that is no fault of the pair, which stays ungraded.
        EXPECT_THAT(std::string(verdict.status().message()),
                    testing::HasSubstr("before its first request"));
        continue;
      }
      EXPECT_EQ(verdict->outcome, Outcome::kUndecided);
      EXPECT_EQ(DetailOf(*verdict), "over_limit") << verdict->why;
      EXPECT_THAT(verdict->why, testing::HasSubstr("crash"));
    }
  }
  done = true;
  killer.join();
  // The last ones killed are dead before the next test asks them.
  std::this_thread::sleep_for(100ms);
  EXPECT_GT(kills, 0);
  EXPECT_LE(lost, kills);
}

// A machine that is busy elsewhere stops workers for long: no verdict changes.
TEST(AlgebraWorkers, AWorkerWithoutTimeGivesTheSameVerdicts) {
  const std::vector<Pair> pairs = SomeWork();
  std::vector<std::string> calm;
  for (const Pair& pair : pairs) calm.push_back(Graded(pair).why);
  std::atomic<bool> done = false;
  std::jthread stopper([&] {
    while (!done) {
      for (const pid_t child : Children()) kill(child, SIGSTOP);
      std::this_thread::sleep_for(60ms);
      for (const pid_t child : Children()) kill(child, SIGCONT);
      std::this_thread::sleep_for(5ms);
    }
    for (const pid_t child : Children()) kill(child, SIGCONT);
  });
  for (size_t i = 0; i < pairs.size(); ++i) EXPECT_EQ(Graded(pairs[i]).why, calm[i]);
  done = true;
}

// After all of the above: no child ever held more than its limit.
TEST(AlgebraWorkers, NoWorkerHeldMoreThanItsLimit) {
  if (kSanitized) GTEST_SKIP() << "sanitizers reserve more address space than any limit";
  for (const pid_t child : Children()) kill(child, SIGKILL);
  for (int i = 0; i < 40; ++i) (void)TryGrade({"\\sqrt{8}", "2\\sqrt{2}"});  // reaps them all
  EXPECT_EQ(Graded({"\\sqrt{8}", "2\\sqrt{2}"}).outcome, Outcome::kCorrect);
  rusage used = {};
  getrusage(RUSAGE_CHILDREN, &used);
  std::printf("the largest worker held %ld MiB\n", used.ru_maxrss / 1024);
  EXPECT_LE(used.ru_maxrss, 512 * 1024);
  EXPECT_EQ(RunAssay({"grade-worker", "exact"}).status, 1);
}

}  // namespace
}  // namespace assay
