// The worker seam with a worker that hangs, crashes and eats memory: this program itself, started
// with "worker" as its argument.
#include "harness/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <thread>

#include "harness/text.h"
#include "tests/testing.h"

namespace assay {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

#if defined(ASSAY_SANITIZE_ADDRESS) || defined(ASSAY_SANITIZE_THREAD)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// ---- the worker's side ----

std::string EatMemory() {
  std::vector<std::unique_ptr<char[]>> eaten;
  while (true) {
    eaten.push_back(std::make_unique<char[]>(1 << 20));
    std::fill_n(eaten.back().get(), 1 << 20, static_cast<char>(eaten.size()));
  }
}

void SpendCpu(std::chrono::milliseconds time) {
  const std::clock_t end = std::clock() + time.count() * CLOCKS_PER_SEC / 1000;
  while (std::clock() < end) {
  }
}

std::string Answer(std::string_view request) {
  if (request == "hang") {
    for (std::atomic<int> i = 0;; ++i) {
    }
  }
  if (request == "nap") std::this_thread::sleep_for(600ms);
  if (request == "work") SpendCpu(120ms);
  if (request == "sleep") std::this_thread::sleep_for(1h);
  if (request == "abort") std::abort();
  if (request == "kill") raise(SIGKILL);
  if (request == "segfault") raise(SIGSEGV);
  if (request == "exit") _exit(0);
  if (request == "memory") return EatMemory();
  if (request == "cpu") {
    rlimit one = {1, RLIM_INFINITY};
    setrlimit(RLIMIT_CPU, &one);
    return Answer("hang");
  }
  if (request == "print") std::printf("not part of any reply\n");
  if (request == "pid") return std::to_string(getpid());
  if (request == "memory limit") {
    rlimit memory = {};
    getrlimit(RLIMIT_AS, &memory);
    return std::to_string(memory.rlim_cur);
  }
  if (request == "cpu limit") {
    rlimit cpu = {};
    getrlimit(RLIMIT_CPU, &cpu);
    return std::to_string(cpu.rlim_cur);
  }
  return "<" + std::string(request) + ">";
}

// ---- our side ----

WorkerOptions Self(int workers = 1) {
  WorkerOptions options;
  options.command = {"/proc/self/exe", "worker"};
  options.workers = workers;
  return options;
}

TEST(Process, RepliesComeBackWhole) {
  WorkerPool pool(Self());
  EXPECT_EQ(*pool.Call("a", 5s), "<a>");
  EXPECT_EQ(*pool.Call("", 5s), "<>");
  EXPECT_EQ(*pool.Call(std::string("\0\n\xFF", 3), 5s), "<" + std::string("\0\n\xFF", 3) + ">");
  const std::string large(8 << 20, 'x');
  EXPECT_EQ(pool.Call(large, 30s)->size(), large.size() + 2);
  EXPECT_EQ(*pool.Call("print", 5s), "<print>");
  EXPECT_EQ(pool.started(), 1);
}

TEST(Process, AFaultCostsItsOwnRequestOnly) {
  WorkerPool pool(Self());
  struct Case {
    std::string_view request, fault, says;
    bool under_sanitizers;
  };
  const std::vector<Case> cases = {{"hang", "timeout", "no reply within 200 ms", true},
                                   {"sleep", "timeout", "no reply within 200 ms", true},
                                   {"abort", "crash", "Aborted", true},
                                   {"kill", "crash", "Killed", true},
                                   {"segfault", "crash", "Segmentation", false}};
  int64_t started = 0;
  for (const Case& one : cases) {
    if (kSanitized && !one.under_sanitizers) continue;
    const absl::StatusOr<std::string> reply = pool.Call(one.request, 200ms);
    ASSERT_FALSE(reply.ok()) << one.request;
    EXPECT_TRUE(IsFaultOfRequest(reply.status())) << reply.status();
    EXPECT_EQ(NameOfFault(reply.status()), one.fault) << reply.status();
    EXPECT_THAT(std::string(reply.status().message()), HasSubstr(std::string(one.says)));
    ASSERT_OK_AND_ASSIGN(const std::string after, pool.Call("after", 5s));
    EXPECT_EQ(after, "<after>") << one.request;
    EXPECT_EQ(pool.started(), started + 2) << one.request;
    ++started;
  }
}

TEST(Process, MemoryIsLimited) {
  if (kSanitized) GTEST_SKIP() << "sanitizers reserve more address space than any limit";
  WorkerOptions options = Self();
  options.memory_bytes = 200 << 20;
  WorkerPool pool(options);
  EXPECT_EQ(*pool.Call("memory limit", 5s), std::to_string(200 << 20));
  const absl::Status status = pool.Call("memory", 30s).status();
  EXPECT_TRUE(IsFaultOfRequest(status));
  EXPECT_EQ(NameOfFault(status), "over limit") << status;
  EXPECT_EQ(*pool.Call("a", 5s), "<a>");
}

// What a busy or stopped machine does to a child: its wall time passes, its CPU time does not.
TEST(Process, ALimitOfCpuTimeIsTheChildsOwn) {
  WorkerPool pool(Self());
  const CallLimits limits = {.cpu = 200ms, .wall = 60s};
  const absl::Status status = pool.Call("hang", limits).status();
  EXPECT_EQ(NameOfFault(status), "timeout") << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("CPU time"));
  // Three times the limit asleep or stopped costs nothing.
  EXPECT_EQ(*pool.Call("nap", limits), "<nap>");
  const auto pid = static_cast<pid_t>(*ParseInt(*pool.Call("pid", limits)));
  kill(pid, SIGSTOP);
  std::jthread resume([pid] {
    std::this_thread::sleep_for(600ms);
    kill(pid, SIGCONT);
  });
  EXPECT_EQ(*pool.Call("a", limits), "<a>");
  EXPECT_EQ(pool.started(), 2);
  // Each request has its own.
  for (int i = 0; i < 3; ++i) EXPECT_EQ(*pool.Call("work", limits), "<work>");
  EXPECT_EQ(pool.started(), 2);
  const absl::Status asleep = pool.Call("sleep", {.cpu = 200ms, .wall = 300ms}).status();
  EXPECT_THAT(std::string(asleep.message()), HasSubstr("no reply within 300 ms"));
}

// A hung worker whose parent is gone must end by itself.
TEST(Process, CpuTimeIsLimitedToo) {
  WorkerPool pool(Self());
  ASSERT_OK_AND_ASSIGN(const std::string limit, pool.Call("cpu limit", 5s));
  EXPECT_LE(*ParseInt(limit), 20);
  const absl::Status status = pool.Call("cpu", 60s).status();
  EXPECT_EQ(NameOfFault(status), "timeout") << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("CPU time"));
}

// What is wrong with the program is ours, and is not blamed on a request.
TEST(Process, AProgramThatCannotRunIsOurError) {
  WorkerOptions missing;
  missing.command = {"/no/such/program"};
  const absl::Status cannot_run = WorkerPool(missing).Call("a", 5s).status();
  EXPECT_FALSE(IsFaultOfRequest(cannot_run));
  EXPECT_THAT(std::string(cannot_run.message()), HasSubstr("cannot run '/no/such/program'"));
  WorkerOptions wrong;
  wrong.command = {"/bin/false"};
  EXPECT_THAT(std::string(WorkerPool(wrong).Call("a", 5s).status().message()),
              HasSubstr("ended with status 1"));
  WorkerOptions silent;
  silent.command = {"/bin/sleep", "100"};
  silent.start_limit = 100ms;
  const absl::Status not_ready = WorkerPool(silent).Call("a", 5s).status();
  EXPECT_FALSE(IsFaultOfRequest(not_ready));
  EXPECT_THAT(std::string(not_ready.message()), HasSubstr("did not say that it is ready"));
  WorkerPool pool(Self());
  EXPECT_FALSE(IsFaultOfRequest(pool.Call("exit", 5s).status()));
  EXPECT_EQ(*pool.Call("a", 5s), "<a>");
}

// Killed while it waited for work: nobody's request is lost.
TEST(Process, AWorkerThatDiedIdleIsReplacedUnseen) {
  WorkerPool pool(Self());
  const int64_t pid = *ParseInt(*pool.Call("pid", 5s));
  ASSERT_EQ(kill(static_cast<pid_t>(pid), SIGKILL), 0);
  std::this_thread::sleep_for(50ms);
  ASSERT_OK_AND_ASSIGN(const std::string reply, pool.Call("a", 5s));
  EXPECT_EQ(reply, "<a>");
  EXPECT_EQ(pool.started(), 2);
}

TEST(Process, ManyThreadsShareFewWorkersWithFaultsAmongThem) {
  WorkerPool pool(Self(3));
  std::atomic<int> right = 0, faults = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 60; ++i) {
          const std::string request = i % 20 == 7 ? "abort" : std::to_string(t * 1000 + i);
          const absl::StatusOr<std::string> reply = pool.Call(request, 20s);
          if (request == "abort") {
            faults += IsFaultOfRequest(reply.status()) ? 1 : 0;
          } else {
            right += reply.ok() && *reply == "<" + request + ">" ? 1 : 0;
          }
        }
      });
    }
  }
  EXPECT_EQ(right, 8 * 57);
  EXPECT_EQ(faults, 8 * 3);
}

TEST(Process, WorkersEndWithTheirPool) {
  int64_t pid = 0;
  {
    WorkerPool pool(Self());
    pid = *ParseInt(*pool.Call("pid", 5s));
    EXPECT_EQ(kill(static_cast<pid_t>(pid), 0), 0);
  }
  EXPECT_EQ(kill(static_cast<pid_t>(pid), 0), -1);
}

// Prints what a round trip costs; the bound only catches a lost wake-up.
TEST(Process, ARoundTripIsShort) {
  WorkerPool pool(Self());
  ASSERT_OK(pool.Call("warm", 5s));
  const auto begin = std::chrono::steady_clock::now();
  constexpr int kCalls = 20000;
  for (int i = 0; i < kCalls; ++i) ASSERT_OK(pool.Call("\\frac{1}{2} 0.5", 5s));
  const double microseconds =
      std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count() /
      kCalls;
  RecordProperty("microseconds_per_call", std::to_string(microseconds));
  std::printf("%.1f us a call\n", microseconds);
  EXPECT_LT(microseconds, 5000);
}

}  // namespace

int Worker() { return ServeWorker(Answer); }

}  // namespace assay

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "worker") return assay::Worker();
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
