// The sandbox: what gets out, what is limited, who tells the end; as root and as an ordinary user.
#include "sandbox/sandbox.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <thread>

#include "harness/status.h"
#include "harness/text.h"
#include "sandbox/cgroup.h"
#include "sandbox/language.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing_support::BinaryPath;
using testing_support::RunAssay;
using testing_support::TemporaryDirectory;
using testing_support::WriteWholeFile;

// One for all tests of this file; null, and why, where this machine does not allow it.
struct Shared {
  std::unique_ptr<Runner> runner;
  std::string why;
};
const Shared& FullRunner() {
  static const auto* shared = [] {
    auto* made = new Shared;
    absl::StatusOr<std::unique_ptr<Runner>> runner = Runner::Start({.workers = 2});
    if (runner.ok()) {
      made->runner = *std::move(runner);
    } else {
      made->why = std::string(runner.status().message());
    }
    return made;
  }();
  return *shared;
}
#define SKIP_WITHOUT_FULL_ISOLATION() \
  if (!FullRunner().runner) GTEST_SKIP() << "skipped: " << FullRunner().why

ProgramEnd RunPython(std::string_view source, std::string_view input = "",
                     const RunLimits& limits = {}) {
  Runner& runner = *FullRunner().runner;
  const absl::StatusOr<Prepared> program = runner.Prepare(**FindLanguage("python3"), source);
  EXPECT_OK(program);
  absl::StatusOr<ProgramEnd> end = runner.Run(*program, input, limits);
  EXPECT_OK(end);
  return end.ok() ? *std::move(end) : ProgramEnd();
}

#define SKIP_WITHOUT_PYTHON() \
  if (!IsInstalled(**FindLanguage("python3"))) GTEST_SKIP() << "skipped: no /usr/bin/python3"

TEST(Sandbox, EveryProbeOfTheSelfTestHolds) {
  SKIP_WITHOUT_FULL_ISOLATION();
  ASSERT_OK_AND_ASSIGN(const std::vector<SandboxProbe> probes,
                       ProbeSandbox(FullRunner().runner->sandbox()));
  EXPECT_GE(probes.size(), 19u);
  EXPECT_OK(CheckProbes(probes, Isolation::kFull));
}

TEST(Sandbox, AProbeThatGotOutIsNamed) {
  const std::vector<SandboxProbe> probes = {{"files", true, ""}, {"network", false, "has sockets"}};
  EXPECT_THAT(std::string(CheckProbes(probes, Isolation::kFull).message()),
              HasSubstr("network (has sockets)"));
  EXPECT_OK(CheckProbes(probes, Isolation::kNone));
}

TEST(Sandbox, InputGoesInAndOutputComesOut) {
  SKIP_WITHOUT_FULL_ISOLATION();
  SKIP_WITHOUT_PYTHON();
  const ProgramEnd end = RunPython(
      "import sys\nprint(sum(map(int, sys.stdin.read().split())))\nprint('x', file=sys.stderr)",
      "1 2 39\n");
  EXPECT_EQ(end.verdict, RunVerdict::kFinished);
  EXPECT_EQ(end.run.standard_output, "42\n");
  EXPECT_EQ(end.run.standard_error, "x\n");
  EXPECT_EQ(end.run.exit_code, 0);
  EXPECT_GT(end.run.memory_bytes, 1 << 20);
  EXPECT_GT(end.run.cpu_us, 0);
}

TEST(Sandbox, LargeInputAndOutputAreWhole) {
  SKIP_WITHOUT_FULL_ISOLATION();
  SKIP_WITHOUT_PYTHON();
  const std::string input(5 << 20, 'y');
  const ProgramEnd end =
      RunPython("import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read())", input);
  EXPECT_TRUE(end.run.standard_output == input);
  EXPECT_EQ(end.run.stdout_seen, 5 << 20);
}

// Each program ends as it must, and `why` holds the word.
struct Ending {
  const char* name;
  const char* source;
  RunVerdict verdict;
  const char* why;
};
class SandboxEndings : public testing::TestWithParam<Ending> {};
TEST_P(SandboxEndings, AreToldByTheKernel) {
  SKIP_WITHOUT_FULL_ISOLATION();
  SKIP_WITHOUT_PYTHON();
  // Only the one that sleeps meets the wall: the machine may be busy.
  const int64_t wall = std::string_view(GetParam().why) == "wall" ? 500 : 30000;
  RunLimits limits = {.wall_ms = wall, .cpu_ms = 300, .memory_bytes = 64 << 20, .processes = 16};
  limits.stdout_bytes = 1 << 20;
  limits.file_bytes = 1 << 20;
  const ProgramEnd end = RunPython(GetParam().source, "", limits);
  EXPECT_EQ(RunVerdictName(end.verdict), RunVerdictName(GetParam().verdict)) << end.why;
  EXPECT_THAT(end.why, HasSubstr(GetParam().why));
}
INSTANTIATE_TEST_SUITE_P(
    Each, SandboxEndings,
    testing::Values(
        Ending{"Exit", "import sys; sys.exit(3)", RunVerdict::kRuntimeError, "exit 3"},
        Ending{"Exception", "1/0", RunVerdict::kRuntimeError, "exit 1"},
        Ending{"Abort", "import os; os.abort()", RunVerdict::kRuntimeError, "SIGABRT"},
        Ending{"KillsItself", "import os; os.kill(os.getpid(), 9)", RunVerdict::kRuntimeError,
               "SIGKILL"},
        Ending{"Spins", "while True: pass", RunVerdict::kTimeLimit, "cpu"},
        Ending{"SpinsInChildren",
               "import os,time\nfor _ in range(2):\n  if os.fork() == 0:\n    while True: pass\n"
               "time.sleep(9)",
               RunVerdict::kTimeLimit, "cpu"},
        Ending{"Sleeps", "import time; time.sleep(9)", RunVerdict::kTimeLimit, "wall"},
        Ending{"Eats", "a = []\nwhile True: a.append(bytearray(1 << 20))", RunVerdict::kMemoryLimit,
               ""},
        Ending{"EatsInChildren",
               "import os,time\nfor _ in range(8):\n  if os.fork() == 0:\n"
               "    a = b'x' * (20 << 20)\n    time.sleep(9)\ntime.sleep(9)",
               RunVerdict::kMemoryLimit, ""},
        Ending{"AsksForTooMuch", "bytearray(1 << 40)", RunVerdict::kMemoryLimit, "alloc"},
        Ending{"Floods", "while True: print('x' * 65536)", RunVerdict::kOutputLimit, "stdout"},
        Ending{"ForksForEver", "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass",
               RunVerdict::kTimeLimit, "cpu"},
        Ending{"Mounts", "import ctypes; ctypes.CDLL(None).mount(b't', b'/tmp', b'tmpfs', 0, None)",
               RunVerdict::kSecurityViolation, ""}),
    [](const testing::TestParamInfo<Ending>& info) { return std::string(info.param.name); });

// Processes that do nothing but run, each a session of its own: where the scheduler shares out by
// session, each is as much as the sandbox; where by process, too.
class Spinners {
 public:
  explicit Spinners(unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      const pid_t child = fork();
      if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setsid();
        for (std::atomic<int> turn = 0;; ++turn) continue;
      }
      if (child > 0) children_.push_back(child);
    }
  }
  ~Spinners() {
    for (const pid_t child : children_) kill(child, SIGKILL);
    for (const pid_t child : children_) waitpid(child, nullptr, 0);
  }

 private:
  std::vector<pid_t> children_;
};

TEST(Sandbox, WaitingForAProcessorIsNotTheProgramsTime) {
  SKIP_WITHOUT_FULL_ISOLATION();
  SKIP_WITHOUT_PYTHON();
  const std::string spins = "import time\nwhile time.process_time() < 0.8: pass\nprint('done')\n";
  std::optional<ProgramEnd> busy, asleep;
  {
    const Spinners others(4 * std::thread::hardware_concurrency());
    busy = RunPython(spins, "", {.wall_ms = 3000, .cpu_ms = 5000});  // eight times it at the most
    asleep = RunPython("import time; time.sleep(60)", "", {.wall_ms = 300});
  }
  EXPECT_EQ(busy->run.standard_output, "done\n") << busy->why;
  EXPECT_EQ(asleep->why, "wall");
  EXPECT_LT(asleep->run.wall_us, 5'000'000);
  if (busy->run.wall_us < 3'000'000)
    GTEST_SKIP() << "skipped: this machine's scheduler gave it a processor in spite of the others";
}

// In the state that disks keep one in, but no disk is to blame.
TEST(Sandbox, WaitingForAChildOfVforkIsTheProgramsTime) {
  SKIP_WITHOUT_FULL_ISOLATION();
  const Language& c = **FindLanguage("c");
  if (!IsInstalled(c)) GTEST_SKIP() << "skipped: no " << c.probe_program;
  ASSERT_OK_AND_ASSIGN(
      const Prepared program,
      FullRunner().runner->Prepare(c,
                                   "#include <unistd.h>\n"
                                   "int main() { if (vfork() == 0) { sleep(60); _exit(0); } }"));
  ASSERT_TRUE(program.ready) << program.failure.why;
  ASSERT_OK_AND_ASSIGN(const ProgramEnd end,
                       FullRunner().runner->Run(program, "", {.wall_ms = 500}));
  EXPECT_EQ(end.why, "wall");
  EXPECT_LT(end.run.wall_us, 5'000'000);
}

TEST(Sandbox, WaitingForADiskIsNotTheProgramsTimeForAWhile) {
  SKIP_WITHOUT_FULL_ISOLATION();
  SKIP_WITHOUT_PYTHON();
  const ProgramEnd end = RunPython(
      "import glob,mmap,os,sys\nroom = mmap.mmap(-1, 1 << 20, mmap.MAP_PRIVATE)\n"
      "name = max(glob.glob('/usr/bin/*'), key=os.path.getsize)\n"
      "try: file = os.open(name, os.O_RDONLY | os.O_DIRECT)\n"
      "except OSError: sys.exit()\nwhile True: os.preadv(file, [room], 0)\n",
      "", {.wall_ms = 300, .cpu_ms = 60000});
  if (end.verdict == RunVerdict::kFinished) GTEST_SKIP() << "skipped: no reading past the cache";
  EXPECT_EQ(end.why, "wall");
  EXPECT_LT(end.run.wall_us, 9'000'000);
  if (end.run.wall_us < 400'000) GTEST_SKIP() << "skipped: a disk that keeps nobody waiting";
}

TEST(Sandbox, AnOrphanThatRunsOnEndsWithItsCell) {
  SKIP_WITHOUT_FULL_ISOLATION();
  SKIP_WITHOUT_PYTHON();
  const std::string orphan = "import os\nif os.fork() == 0:\n  os.setsid()\n  while True: pass\n";
  const std::string counts =
      "import os\nprint(len([p for p in os.listdir('/proc') if p.isdigit()]))\n";
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(RunPython(orphan).verdict, RunVerdict::kFinished);
    EXPECT_EQ(RunPython(counts).run.standard_output, "1\n");  // it sees itself alone
  }
}

TEST(Sandbox, TheCpuTimeOfOrphansThatDiedCounts) {
  SKIP_WITHOUT_FULL_ISOLATION();
  SKIP_WITHOUT_PYTHON();
  const ProgramEnd end = RunPython(
      "import os,time\nr, w = os.pipe()\nif os.fork() == 0:\n  if os.fork() == 0:\n"
      "    while time.process_time() < 0.3: pass\n    os.write(w, b'x')\n  os._exit(0)\n"
      "os.close(w)\nos.read(r, 1)\nos.read(r, 1)\ntime.sleep(0.1)\n");
  EXPECT_EQ(end.verdict, RunVerdict::kFinished) << end.why;
  EXPECT_GT(end.run.cpu_us, 250'000);
}

TEST(Sandbox, ForkedChildrenThatShareTheirMemoryAreCountedOnce) {
  SKIP_WITHOUT_FULL_ISOLATION();
  SKIP_WITHOUT_PYTHON();
  const ProgramEnd end = RunPython(
      "import os,time\na = b'x' * (60 << 20)\nfor _ in range(6):\n  if os.fork() == 0:\n"
      "    time.sleep(0.15); os._exit(0)\ntime.sleep(0.15)\nprint('done')",
      "", {.memory_bytes = 128 << 20});
  EXPECT_EQ(end.run.standard_output, "done\n") << end.why;
}

TEST(Sandbox, NothingOfOneRunIsThereInTheNext) {
  SKIP_WITHOUT_FULL_ISOLATION();
  SKIP_WITHOUT_PYTHON();
  const std::string source =
      "import os\nprint(os.listdir('/tmp'))\nopen('/tmp/left', 'w').write('x')\n"
      "try: os.chmod('/box/main.py', 0o777)\nexcept OSError as e: print(e.errno)\n";
  for (int i = 0; i < 4; ++i) EXPECT_EQ(RunPython(source).run.standard_output, "[]\n30\n");
}

TEST(Sandbox, WhatADaemonWritesLaterDoesNotCount) {
  SKIP_WITHOUT_FULL_ISOLATION();
  SKIP_WITHOUT_PYTHON();
  const ProgramEnd end = RunPython(
      "import os,time\nif os.fork() == 0:\n  os.setsid(); time.sleep(0.3); "
      "print('late',flush=True)");
  EXPECT_EQ(end.verdict, RunVerdict::kFinished);
  EXPECT_EQ(end.run.standard_output, "");
  EXPECT_LT(end.run.wall_us, 5000000);
}

TEST(Sandbox, TheInputCannotBeChangedForTheNextRun) {
  SKIP_WITHOUT_FULL_ISOLATION();
  SKIP_WITHOUT_PYTHON();
  const ProgramEnd end = RunPython(
      "import os\nfor act in (lambda: os.ftruncate(0, 0),\n"
      "            lambda: os.write(os.open('/proc/self/fd/0', os.O_RDWR), b'HACK')):\n"
      "  try: act(); print('changed')\n  except OSError as e: print(e.errno)\n",
      "data");
  EXPECT_THAT(end.run.standard_output, Not(HasSubstr("changed")));
}

TEST(Sandbox, ProgramsAreJoinedByTheirStandardStreams) {
  SKIP_WITHOUT_FULL_ISOLATION();
  SKIP_WITHOUT_PYTHON();
  Runner& runner = *FullRunner().runner;
  const Language& python = **FindLanguage("python3");
  ASSERT_OK_AND_ASSIGN(
      const Prepared asks,
      runner.Prepare(python,
                     "for i in range(3):\n  print(i, flush=True)\n  assert int(input()) == 2 * i"));
  ASSERT_OK_AND_ASSIGN(
      const Prepared answers,
      runner.Prepare(python,
                     "import sys\nfor line in sys.stdin: print(2 * int(line), flush=True)"));
  const RunLimits limits;
  ASSERT_OK_AND_ASSIGN(const auto ends,
                       runner.RunJoined(asks, limits, {}, answers, limits, {}, Joint::kStandard));
  EXPECT_EQ(ends.first.verdict, RunVerdict::kFinished) << ends.first.run.standard_error;
  EXPECT_EQ(ends.second.verdict, RunVerdict::kFinished) << ends.second.run.standard_error;
}

TEST(Sandbox, TwoThatWaitForEachOtherEndByTheWallLimit) {
  SKIP_WITHOUT_FULL_ISOLATION();
  SKIP_WITHOUT_PYTHON();
  Runner& runner = *FullRunner().runner;
  ASSERT_OK_AND_ASSIGN(const Prepared waits, runner.Prepare(**FindLanguage("python3"), "input()"));
  const RunLimits limits = {.wall_ms = 300};
  ASSERT_OK_AND_ASSIGN(const auto ends,
                       runner.RunJoined(waits, limits, {}, waits, limits, {}, Joint::kStandard));
  EXPECT_TRUE(ends.first.why == "wall" || ends.second.why == "wall");
}

TEST(Sandbox, ADeadSupervisorIsReplacedAndTheRunRepeated) {
  SKIP_WITHOUT_FULL_ISOLATION();
  SKIP_WITHOUT_PYTHON();
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Sandbox> sandbox, Sandbox::Start({}));
  ProgramRun run;
  run.arguments = {"/usr/bin/python3", "-c", "print(42)"};
  const std::string own = "/proc/self/task/" + std::to_string(getpid()) + "/children";
  const auto children = [&] {
    std::vector<pid_t> pids;
    std::ifstream file(own);
    for (pid_t pid = 0; file >> pid;) pids.push_back(pid);
    return pids;
  };
  ASSERT_FALSE(children().empty());
  kill(children().back(), SIGKILL);  // the youngest is the sandbox of this test
  ASSERT_OK_AND_ASSIGN(const RunEnd end, sandbox->RunProgram(run));
  EXPECT_EQ(end.standard_output, "42\n");
  EXPECT_EQ(sandbox->restarts(), 1);
}

TEST(Sandbox, AProgramThatIsNotThereIsOursAndNoVerdict) {
  SKIP_WITHOUT_FULL_ISOLATION();
  ProgramRun run;
  run.arguments = {"/usr/bin/no-such-program"};
  const absl::StatusOr<RunEnd> end = FullRunner().runner->sandbox().RunProgram(run);
  EXPECT_TRUE(absl::IsUnavailable(end.status())) << end.status();
  EXPECT_THAT(std::string(end.status().message()), HasSubstr("no-such-program"));
}

TEST(Sandbox, ADaemonThatIsNotThereIsAnError) {
  const auto sandbox = Sandbox::Start({.program = "/nowhere/assay-sandboxd"});
  EXPECT_THAT(std::string(sandbox.status().message()), HasSubstr("/nowhere/assay-sandboxd"));
}

TEST(Sandbox, ManyThreadsShareFewWorkers) {
  SKIP_WITHOUT_FULL_ISOLATION();
  Sandbox& sandbox = FullRunner().runner->sandbox();
  std::atomic<int> good = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) {
        ProgramRun run;
        run.arguments = {"/usr/bin/cat"};
        run.input = std::to_string(t * 100 + i);
        const absl::StatusOr<RunEnd> end = sandbox.RunProgram(run);
        good += end.ok() && end->standard_output == run.input;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(good, 80);
}

// --- memory, by both means ---

// A runner whose memory is held by cgroups where this machine lets us, or polled; null, and why.
const Shared& RunnerBy(const std::string& means) {
  static auto* all = new std::map<std::string, Shared>;
  auto [known, is_new] = all->try_emplace(means);
  if (!is_new) return known->second;
  absl::StatusOr<std::unique_ptr<Runner>> runner =
      Runner::Start({.workers = 2, .cgroup = means == "poll" ? "off" : ""});
  if (!runner.ok()) {
    known->second.why = std::string(runner.status().message());
  } else if ((*runner)->sandbox().memory_means() != means) {
    known->second.why = "no cgroup: " + (*runner)->sandbox().why_poll();
  } else {
    known->second.runner = *std::move(runner);
  }
  return known->second;
}

class SandboxMemory : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_PYTHON();
    if (!RunnerBy(GetParam()).runner) GTEST_SKIP() << "skipped: " << RunnerBy(GetParam()).why;
  }
  ProgramEnd Run(std::string_view source, RunLimits limits) const {
    limits.wall_ms = 60000;
    limits.cpu_ms = 30000;
    Runner& runner = *RunnerBy(GetParam()).runner;
    const absl::StatusOr<Prepared> program = runner.Prepare(**FindLanguage("python3"), source);
    EXPECT_OK(program);
    absl::StatusOr<ProgramEnd> end = runner.Run(*program, "", limits);
    EXPECT_OK(end);
    return end.ok() ? *std::move(end) : ProgramEnd();
  }
  const char* By() const { return std::string_view(GetParam()) == "poll" ? "rss" : "cgroup"; }
};
INSTANTIATE_TEST_SUITE_P(By, SandboxMemory, testing::Values("poll", "cgroup"),
                         [](const auto& info) { return std::string(info.param); });

// What is below the limit may stay as long as it likes, what is above it ends.
TEST_P(SandboxMemory, EndsAtTheLimitAndNotBefore) {
  for (const int limit : {64, 200}) {
    const RunLimits limits = {.memory_bytes = int64_t{limit} << 20};
    const ProgramEnd below = Run(absl::StrFormat("import time\na = b'x' * (%d << 20)\n"
                                                 "time.sleep(0.1)\nprint('done')\n",
                                                 limit - 24),
                                 limits);
    EXPECT_EQ(below.run.standard_output, "done\n") << limit << " " << below.why;
    EXPECT_LE(below.run.memory_bytes, limits.memory_bytes);
    const ProgramEnd above = Run(absl::StrFormat("import time\na = b'x' * (%d << 20)\n"
                                                 "time.sleep(30)\nprint('done')\n",
                                                 limit + 6),
                                 limits);
    EXPECT_EQ(above.verdict, RunVerdict::kMemoryLimit) << limit << " " << above.why;
    EXPECT_EQ(above.why, By());
    EXPECT_GE(above.run.memory_bytes, limits.memory_bytes);
  }
}

TEST_P(SandboxMemory, OfAFileInTmpThatIsMappedCounts) {
  RunLimits limits = {.memory_bytes = 48 << 20};
  limits.file_bytes = limits.scratch_bytes = 128 << 20;
  const ProgramEnd end =
      Run("import mmap,os,time\nf = os.open('/tmp/f', os.O_RDWR | os.O_CREAT)\n"
          "os.ftruncate(f, 60 << 20)\nm = mmap.mmap(f, 60 << 20)\n"
          "for i in range(0, 60 << 20, 4096): m[i] = 1\ntime.sleep(30)\n",
          limits);
  EXPECT_EQ(end.verdict, RunVerdict::kMemoryLimit) << end.why;
  // Nothing of it is held against the next one, whose own fits.
  const ProgramEnd next = Run("a = b'x' * (24 << 20)\nprint('done')", {.memory_bytes = 48 << 20});
  EXPECT_EQ(next.run.standard_output, "done\n") << next.why;
}

TEST_P(SandboxMemory, OfAllProcessesCountsAndWhatTheyShareCountsOnce) {
  RunLimits limits = {.memory_bytes = 96 << 20};
  limits.file_bytes = limits.scratch_bytes = 64 << 20;
  const ProgramEnd shared =
      Run("import mmap,os,time\nf = os.open('/tmp/f', os.O_RDWR | os.O_CREAT)\n"
          "os.ftruncate(f, 50 << 20)\nm = mmap.mmap(f, 50 << 20)\n"
          "def touch():\n  for i in range(0, 50 << 20, 4096): m[i] = 1\n"
          "touch()\nfor _ in range(4):\n  if os.fork() == 0:\n    touch(); time.sleep(0.1)\n"
          "    os._exit(0)\nfor _ in range(4): os.wait()\nprint('done')\n",
          limits);
  EXPECT_EQ(shared.run.standard_output, "done\n") << shared.why;
  const ProgramEnd each =
      Run("import os,time\nfor _ in range(4):\n  if os.fork() == 0:\n"
          "    a = b'x' * (30 << 20)\n    time.sleep(30)\n    os._exit(0)\ntime.sleep(30)\n",
          limits);
  EXPECT_EQ(each.verdict, RunVerdict::kMemoryLimit) << each.why;
}

TEST_P(SandboxMemory, AForkBombMakesAsManyProcessesAsItMay) {
  const ProgramEnd end =
      Run("import os\nr, w = os.pipe()\nn = 1\ntry:\n  while True:\n    if os.fork() == 0:\n"
          "      os.close(w); os.read(r, 1); os._exit(0)\n    n += 1\n"
          "except OSError as e: print(n, e.errno)\n",
          {.memory_bytes = 512 << 20, .processes = 12});
  EXPECT_EQ(end.run.standard_output, "12 11\n") << end.why;  // EAGAIN
}

TEST(SandboxCgroups, ANamedOneThatCannotBeUsedIsAnError) {
  const TemporaryDirectory directory;
  for (const std::string& where : {std::string("/nowhere"), directory.Path()}) {
    const auto sandbox = Sandbox::Start({.cgroup = where});
    EXPECT_TRUE(absl::IsFailedPrecondition(sandbox.status())) << sandbox.status();
    EXPECT_THAT(std::string(sandbox.status().message()), HasSubstr(where));
  }
}

TEST(SandboxCgroups, AreOffWhereOneSaysSo) {
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Cgroups> none, Cgroups::Open("off"));
  EXPECT_FALSE(none->usable());
  EXPECT_EQ(none->why(), "turned off");
}

TEST(SandboxCgroups, OfAKilledHarnessAreRemovedByTheNext) {
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<Cgroups> ours, Cgroups::Open(""));
  if (!ours->usable()) GTEST_SKIP() << "skipped: " << ours->why();
  const std::filesystem::path base = std::filesystem::path(ours->folder()).parent_path();
  const auto folders = [&] {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(base))
      count += entry.path().filename().string().starts_with("assay-") &&
               !entry.path().filename().string().starts_with("assay-harness-");
    return count;
  };
  const int before = folders();
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const absl::StatusOr<std::unique_ptr<Cgroups>> theirs = Cgroups::Open(base.string());
    if (theirs.ok()) theirs->get()->MakeSlot().IgnoreError();
    [[maybe_unused]] const ssize_t told = write(ready[1], "x", 1);
    while (true) pause();
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_EQ(folders(), before + 1);
  {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Cgroups> more, Cgroups::Open(base.string()));
    EXPECT_EQ(folders(), before + 2);  // it lives: it is left alone
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(folders(), before + 1);
  {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Cgroups> more, Cgroups::Open(base.string()));
    EXPECT_EQ(folders(), before + 1);  // its own; the dead one's is gone
  }
  EXPECT_EQ(folders(), before);
  ours.reset();
  close(ready[0]);
  close(ready[1]);
}

// --- languages ---

TEST(Languages, EverySpecHasAProbeAndTheInstalledOnesPassIt) {
  EXPECT_GE(Languages().size(), 8u);
  SKIP_WITHOUT_FULL_ISOLATION();
  for (const Language& language : Languages()) {
    // The others take seconds to start; `assay doctor` tries them.
    if (language.name != "python3" && language.name != "cpp" && language.name != "c") continue;
    if (!IsInstalled(language)) continue;
    ASSERT_OK_AND_ASSIGN(const Prepared program,
                         FullRunner().runner->Prepare(language, language.probe_source));
    ASSERT_TRUE(program.ready) << language.name << ": " << program.failure.run.standard_error;
    ASSERT_OK_AND_ASSIGN(const ProgramEnd end, FullRunner().runner->Run(program, "", {}));
    EXPECT_EQ(end.run.standard_output, language.probe_output) << language.name << end.why;
  }
}

TEST(Languages, AreFoundByNameAliasAndEnding) {
  ASSERT_OK_AND_ASSIGN(const Language* cpp, FindLanguage("C++"));
  EXPECT_EQ(cpp->name, "cpp");
  ASSERT_OK_AND_ASSIGN(const Language* python, LanguageOfFile("a/b.py"));
  EXPECT_EQ(python->name, "python3");
  EXPECT_THAT(std::string(FindLanguage("pythom").status().message()), HasSubstr("did you mean"));
  EXPECT_FALSE(LanguageOfFile("README").ok());
}

TEST(Languages, CompilingIsCachedAndItsErrorsAreVerdicts) {
  SKIP_WITHOUT_FULL_ISOLATION();
  const Language& cpp = **FindLanguage("cpp");
  if (!IsInstalled(cpp)) GTEST_SKIP() << "skipped: no /usr/bin/g++";
  const TemporaryDirectory cache;
  ASSERT_OK_AND_ASSIGN(
      const std::unique_ptr<Runner> runner,
      Runner::Start({.cache_directory = cache.Path(), .precompiled_headers = false}));
  const std::string source = "#include <cstdio>\nint main() { std::puts(\"hi\"); }\n";
  ASSERT_OK_AND_ASSIGN(const Prepared first, runner->Prepare(cpp, source));
  ASSERT_OK_AND_ASSIGN(const Prepared second, runner->Prepare(cpp, source));
  EXPECT_TRUE(first.ready && second.ready);
  EXPECT_FALSE(first.from_cache);
  EXPECT_TRUE(second.from_cache);
  EXPECT_EQ(first.box->id, second.box->id);
  ASSERT_OK_AND_ASSIGN(const Prepared broken, runner->Prepare(cpp, "int main() { return x; }"));
  EXPECT_FALSE(broken.ready);
  EXPECT_EQ(broken.failure.verdict, RunVerdict::kCompileError);
  EXPECT_THAT(broken.failure.why, HasSubstr("main.cpp:1"));
  ASSERT_OK_AND_ASSIGN(const Prepared huge, runner->Prepare(cpp, std::string(10 << 20, ' ')));
  EXPECT_EQ(huge.failure.verdict, RunVerdict::kCompileError);
}

TEST(Languages, WhatIsNotInstalledIsAnError) {
  SKIP_WITHOUT_FULL_ISOLATION();
  Language missing = **FindLanguage("python3");
  missing.probe_program = "/usr/bin/no-such-python";
  EXPECT_TRUE(
      absl::IsFailedPrecondition(FullRunner().runner->Prepare(missing, "print(1)").status()));
}

// --- other users, other kernels ---

std::string Here(const char* name) { return BinaryPath(std::string("bin/") + name); }

TEST(SandboxUsers, AnOrdinaryUserHasTheSameIsolation) {
  if (getuid() != 0) GTEST_SKIP() << "skipped: these tests run as an ordinary user already";
  SKIP_WITHOUT_FULL_ISOLATION();
  const TemporaryDirectory directory;  // the build tree may be closed to others
  testing_support::CopyPrograms({"assay", "assay-sandboxd"}, directory.Path());
  ASSERT_EQ(chmod(directory.Path().c_str(), 0755), 0);
  const testing_support::ProgramEnd end =
      testing_support::RunProgram({"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                                   directory.Path("bin/assay"), "sandbox", "test"});
  if (Contains(end.err, "is not possible here")) GTEST_SKIP() << "skipped: " << end.err;
  EXPECT_EQ(end.status, 0) << end.out << end.err;
  EXPECT_THAT(end.out, HasSubstr("held   processes"));
}

TEST(SandboxUsers, WhereNamespacesAreForbiddenItRefusesAndNamesTheStep) {
  const testing_support::ProgramEnd end = testing_support::RunProgram(
      {"unshare", "--user", "--map-root-user", "sh", "-c",
       "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$0\" sandbox test", Here("assay")});
  if (!Contains(end.err, "assay")) GTEST_SKIP() << "skipped: no user namespaces: " << end.err;
  EXPECT_EQ(end.status, 1) << end.out;
  EXPECT_THAT(end.err, HasSubstr("isolation 'full' is not possible here: unshare"));
  EXPECT_EQ(end.out, "");
}

TEST(SandboxUsers, LandlockHoldsWhatItPromises) {
  const testing_support::ProgramEnd end = RunAssay({"sandbox", "test", "--isolation=landlock"});
  if (Contains(end.err, "is not possible here")) GTEST_SKIP() << "skipped: " << end.err;
  EXPECT_EQ(end.status, 0) << end.out << end.err;
  EXPECT_THAT(end.out, HasSubstr("held   files"));
}

TEST(SandboxCommand, RunsAFileAndSaysHowItEnded) {
  SKIP_WITHOUT_FULL_ISOLATION();
  SKIP_WITHOUT_PYTHON();
  const TemporaryDirectory directory;
  WriteWholeFile(directory.Path("p.py"), "print(int(input()) + 1)\n");
  WriteWholeFile(directory.Path("in"), "41\n");
  const testing_support::ProgramEnd end =
      RunAssay({"sandbox", "run", directory.Path("p.py"), "--stdin", directory.Path("in")});
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(end.out, "42\n");
  EXPECT_THAT(end.err, HasSubstr("isolation full, memory by "));
  EXPECT_EQ(RunAssay({"sandbox", "run", directory.Path("none.py")}).status, 1);
  EXPECT_EQ(RunAssay({"sandbox", "run", directory.Path("p.py"), "--isolation=some"}).status, 1);
}

TEST(SandboxCommand, WhatIsNoFileOrHasNoEndIsNamed) {
  const TemporaryDirectory directory;
  WriteWholeFile(directory.Path("p.py"), "print(1)\n");
  std::filesystem::create_directory(directory.Path("d.py"));
  const std::string program = directory.Path("p.py"), folder = directory.Path("d.py");
  const std::tuple<std::vector<std::string>, std::string> table[] = {
      {{folder}, folder + ": a directory, wanted a file"},
      {{program, "--stdin", folder}, folder + ": a directory, wanted a file"},
      {{program, "--stdin", "/dev/zero"}, "/dev/zero: a device, wanted a file"},
      {{program, "--stdin", directory.Path("none")}, "none: cannot be read"}};
  for (const auto& [arguments, message] : table) {
    std::vector<std::string> words = {"sandbox", "run"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    const testing_support::ProgramEnd end = RunAssay(words);
    EXPECT_EQ(end.status, 1) << message;
    EXPECT_THAT(end.err, HasSubstr(message));
  }
  // A sparse file of more than the most costs nothing to make, and is not read.
  WriteWholeFile(directory.Path("large"), "");
  std::filesystem::resize_file(directory.Path("large"), (uintmax_t{1} << 30) + 1);
  const testing_support::ProgramEnd large =
      RunAssay({"sandbox", "run", program, "--stdin", directory.Path("large")});
  EXPECT_EQ(large.status, 1);
  EXPECT_THAT(large.err, HasSubstr("large: 1,073,741,825 bytes, wanted at most 1 GiB"));
}

TEST(SandboxCommand, LimitsThatMakeNoSenseAreWrongUse) {
  const TemporaryDirectory directory;
  WriteWholeFile(directory.Path("p.py"), "print(1)\n");
  for (const auto& [flag, value] : {std::pair{"--memory-mib", "0"},
                                    {"--memory-mib", "-5"},
                                    {"--memory-mib", "99999999999"},
                                    {"--cpu-seconds", "-1"},
                                    {"--cpu-seconds", "0"},
                                    {"--seconds", "0"},
                                    {"--seconds", "-3"},
                                    {"--seconds", "1e300"}}) {
    const testing_support::ProgramEnd end =
        RunAssay({"sandbox", "run", directory.Path("p.py"), absl::StrFormat("%s=%s", flag, value)});
    EXPECT_EQ(end.status, 2) << flag << " " << value;
    EXPECT_THAT(end.err, AllOf(HasSubstr(absl::StrFormat("%s: found ", flag)),
                               HasSubstr(", wanted "), Not(HasSubstr("Traceback"))));
    EXPECT_EQ(end.out, "");
  }
}

}  // namespace
}  // namespace assay
