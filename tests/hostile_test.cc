// Two catalogues of hostile programs, tests/hostile and the shared one: each ends in a verdict that
// its index accepts, nothing leaks, no process is left. Others of the same form: $ASSAY_HOSTILE_DIR
// in place of the shared one, $ASSAY_OWN_HOSTILE_DIR in place of ours.
#include <dirent.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "absl/strings/str_format.h"
#include "graders/code/judge.h"
#include "harness/text.h"
#include "tests/testing.h"

namespace assay {
namespace {

using code::CodeProblem;
using testing_support::ReadJsonLinesFile;
using testing_support::ReadWholeFile;
using testing_support::SharedPath;
using testing_support::SourcePath;

std::string Directory() {
  const char* given = std::getenv("ASSAY_HOSTILE_DIR");
  return given != nullptr ? given : SharedPath("vectors/hostile");
}

std::string OwnDirectory() {
  const char* given = std::getenv("ASSAY_OWN_HOSTILE_DIR");
  return given != nullptr ? given : SourcePath("tests/hostile");
}

// How many times as long as its processor time a little work takes now: 1 on a machine that does
// nothing else. (The load of the last minute would count the bombs of the test before.)
double Crowding() {
  const auto begin = std::chrono::steady_clock::now();
  timespec start = {}, now = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
  double processor = 0;
  while (processor < 0.05) {
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    processor = static_cast<double>(now.tv_sec - start.tv_sec) +
                1e-9 * static_cast<double>(now.tv_nsec - start.tv_nsec);
  }
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  return std::clamp(wall.count() / processor, 1.0, 8.0);
}

// Limits of the catalogue's README; on a busy machine the wall is as much farther away.
RunLimits HostileLimits() {
  static const auto wall_ms = static_cast<int64_t>(3000 * Crowding());
  return {.wall_ms = wall_ms, .cpu_ms = 1000, .memory_bytes = int64_t{256} << 20};
}

CodeProblem ProblemFor(const Json& row) {
  CodeProblem problem;
  problem.entry = "add";
  problem.limits = HostileLimits();
  const std::string mode = *row.FindString("mode");
  if (mode == "stdin") {
    problem.tests.push_back({"1 2\n", "3\n", ""});
    if (const auto mebibytes = row.FindInteger("stdin_mib"))
      problem.tests[0].input += std::string(static_cast<size_t>(*mebibytes) << 20, 'x');
  } else if (mode == "call") {
    problem.kind = code::ProblemKind::kCall;
    problem.tests = {{"[1,2]", "3", ""}, {"[10,20]", "30", ""}, {"[-5,7]", "2", ""}};
  } else {
    problem.kind = code::ProblemKind::kAssert;
    problem.tests = {{"", "",
                      "def check(candidate):\n    assert candidate(1, 2) == 3\n"
                      "    assert abs(candidate(.1, .2) - .3) < 1e-6\n"
                      "    assert candidate(-5, 7) == 2\ncheck(add)\n"}};
  }
  return problem;
}

// Users that this process's own supervisors run as; other sandboxes of this machine have others.
std::set<int64_t> SandboxUsers(bool children_only, const std::set<int64_t>& among, int* count) {
  std::set<int64_t> users;
  DIR* proc = opendir("/proc");
  while (const dirent* entry = readdir(proc)) {
    std::ifstream status(std::string("/proc/") + entry->d_name + "/status");
    std::string line;
    int64_t parent = 0, user = 0;
    while (std::getline(status, line)) {
      const std::vector<std::string_view> words = Split(line, '\t');
      if (line.starts_with("PPid:")) parent = ParseInt(words[1]).value_or(0);
      if (line.starts_with("Uid:")) user = ParseInt(words[1]).value_or(0);
    }
    if (user < 61000 || user >= 65000) continue;
    if (children_only && parent == getpid()) users.insert(user);
    if (!children_only) *count += among.contains(user);
  }
  closedir(proc);
  return users;
}

int SandboxProcesses(const std::set<int64_t>& users) {
  int count = 0;
  SandboxUsers(false, users, &count);
  return count;
}

// Processes of this user besides this one and those that it descends from.
int OwnOtherProcesses() {
  const auto count = [] {
    std::map<int64_t, int64_t> parents;
    DIR* proc = opendir("/proc");
    while (const dirent* entry = readdir(proc)) {
      std::ifstream status(std::string("/proc/") + entry->d_name + "/status");
      std::string line;
      int64_t parent = 0, user = -1;
      while (std::getline(status, line)) {
        const std::vector<std::string_view> words = Split(line, '\t');
        if (line.starts_with("PPid:")) parent = ParseInt(words[1]).value_or(0);
        if (line.starts_with("Uid:")) user = ParseInt(words[1]).value_or(-1);
      }
      const std::optional<int64_t> pid = ParseInt(entry->d_name);  // "self" is none
      if (pid && user == getuid()) parents[*pid] = parent;
    }
    closedir(proc);
    for (int64_t at = getpid(); parents.contains(at);) {
      const int64_t parent = parents[at];
      parents.erase(at);
      at = parent;
    }
    return static_cast<int>(parents.size());
  };
  for (int i = 0; i < 100 && count() > 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  return count();
}

// What a program might find outside: a file, a listener on an abstract socket, a variable.
class Canaries {
 public:
  Canaries() {
    setenv("ASSAY_CANARY", "ASSAY_CANARY_sk-123", 1);
    testing_support::WriteWholeFile(directory_.Path("expected"), "ASSAY_EXPECTED_CANARY");
    listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    const std::string_view name = "assay_canary";
    std::copy(name.begin(), name.end(), address.sun_path + 1);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    bind(listener_, reinterpret_cast<sockaddr*>(&address), size);
    listen(listener_, 8);
  }
  ~Canaries() { close(listener_); }
  bool Intact() const {
    return ReadWholeFile(directory_.Path("expected")) == "ASSAY_EXPECTED_CANARY";
  }

 private:
  testing_support::TemporaryDirectory directory_;
  int listener_ = -1;
};

// "" where the row's program ended as it may.
std::string Finding(Runner& runner, const std::string& directory, const Json& row,
                    code::Profile profile) {
  const std::string file = *row.FindString("file");
  const std::string source = ReadWholeFile(directory + "/" + file);
  const absl::StatusOr<const Language*> language = FindLanguage(*row.FindString("lang"));
  if (!language.ok()) return file + ": " + std::string(language.status().message());
  const absl::StatusOr<code::Judgement> judgement =
      code::Judge(runner, ProblemFor(row), **language, source, {.profile = profile});
  if (!judgement.ok()) return file + ": " + judgement.status().ToString();
  const std::string verdict(code::JudgeVerdictName(judgement->verdict));
  std::string finding;
  bool expected = false;
  for (const Json& name : row.Find("expect")->AsArray()) expected |= name.AsString() == verdict;
  // LiveCodeBench's runner puts a program into a function of its own: it may end otherwise, and
  // must not be right.
  if (profile == code::Profile::kLcb) expected = verdict != "accepted";
  if (!expected) finding += " is " + verdict + " (" + judgement->why + ")";
  if (const auto detail = row.FindString("detail");
      detail && !Contains(verdict + " " + judgement->why, *detail))
    finding += " says '" + judgement->why + "', wanted " + *detail;
  for (const code::TestResult& test : judgement->tests) {
    const std::string all = test.got + test.standard_error + test.why;
    const std::string leak = row.FindString("must_not_output").value_or("ASSAY_CANARY_sk");
    if (Contains(all, leak) || Contains(all, "ASSAY_EXPECTED"))
      finding += " put out " + Printable(Shorten(all, 100));
    // A machine under load is slow; what is meant is that nobody waited for an orphan's hour.
    if (const auto most = row.FindNumber("max_wall_s");
        most && test.wall_seconds > *most + Crowding())
      finding += absl::StrFormat(" took %.1f s", test.wall_seconds);
  }
  return finding.empty() ? "" : file + finding;
}

// Programs that search for what they must not see read whatever /etc/alternatives points at, half a
// gigabyte on some machines; the disk is not what these tests measure.
void ReadAlternativesOnce() {
  std::error_code ignored;
  std::vector<char> bytes(1 << 20);
  for (const auto& entry : std::filesystem::directory_iterator("/etc/alternatives", ignored)) {
    std::ifstream file(entry.path(), std::ios::binary);
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
}

void RunAll(const std::string& directory, std::string_view language,
            Isolation isolation = Isolation::kFull,
            code::Profile profile = code::Profile::kNative) {
  if (directory.empty()) GTEST_SKIP() << "skipped: ../shared/vectors/hostile is absent";
  ReadAlternativesOnce();
  absl::StatusOr<std::unique_ptr<Runner>> runner =
      Runner::Start({.workers = 2, .isolation = isolation});
  if (!runner.ok()) GTEST_SKIP() << "skipped: " << runner.status().message();
  const Canaries canaries;
  std::vector<Json> rows = ReadJsonLinesFile(directory + "/index.jsonl");
  std::erase_if(rows, [&](const Json& row) { return *row.FindString("lang") != language; });
  ASSERT_GT(rows.size(), 5u);
  std::atomic<size_t> next = 0;
  std::mutex mutex;
  std::vector<std::string> findings;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      for (size_t row = next++; row < rows.size(); row = next++) {
        const std::string finding = Finding(**runner, directory, rows[row], profile);
        const std::lock_guard lock(mutex);
        if (!finding.empty()) findings.push_back(finding);
      }
    });
  }
  threads.clear();
  EXPECT_THAT(findings, testing::IsEmpty()) << Join(findings, "\n");
  EXPECT_TRUE(canaries.Intact());
  const int64_t restarts = (*runner)->sandbox().restarts();
  EXPECT_EQ(restarts, 0);
  const std::set<int64_t> users = SandboxUsers(true, {}, nullptr);
  runner->reset();
  // An ordinary user's programs are that user's: none but this one is left.
  if (getuid() != 0) {
    EXPECT_EQ(OwnOtherProcesses(), 0);
  }
  if (getuid() == 0) {
    EXPECT_FALSE(users.empty());
    for (int i = 0; i < 100 && SandboxProcesses(users) > 0; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(SandboxProcesses(users), 0);
  }
}

// As somebody who is not root: this program again, with copies of what such a user may not reach.
TEST(HostileAsOrdinaryUser, ProgramsAreContained) {
  if (getuid() != 0) GTEST_SKIP() << "skipped: these tests run as an ordinary user already";
  namespace fs = std::filesystem;
  const testing_support::TemporaryDirectory directory;
  testing_support::CopyPrograms({"hostile_test", "assay-sandboxd"}, directory.Path());
  fs::copy(OwnDirectory(), directory.Path("own"), fs::copy_options::recursive);
  if (!Directory().empty())
    fs::copy(Directory(), directory.Path("hostile"), fs::copy_options::recursive);
  fs::create_directory(directory.Path("cache"));
  ASSERT_EQ(chmod(directory.Path().c_str(), 0755), 0);
  // A user that nobody else is: what is left of it can be counted.
  const auto user = static_cast<unsigned>(60000 + getpid() % 900);
  ASSERT_EQ(chown(directory.Path("cache").c_str(), user, user), 0);
  const testing_support::ProgramEnd end = testing_support::RunProgram(
      {"env", "-i", "PATH=/usr/bin:/bin", "HOME=/nonexistent",
       "XDG_CACHE_HOME=" + directory.Path("cache"),
       "ASSAY_OWN_HOSTILE_DIR=" + directory.Path("own"),
       "ASSAY_HOSTILE_DIR=" + (Directory().empty() ? "" : directory.Path("hostile")), "setpriv",
       absl::StrFormat("--reuid=%d", user), absl::StrFormat("--regid=%d", user), "--clear-groups",
       directory.Path("bin/hostile_test"), "--gtest_filter=Hostile.*"});
  EXPECT_EQ(end.status, 0) << end.out << end.err;
  EXPECT_THAT(end.out, testing::HasSubstr("4 tests"));
  if (Contains(end.out, "SKIPPED")) GTEST_SKIP() << "skipped: " << Shorten(end.out, 600);
}

TEST(Hostile, PythonProgramsAreContained) { RunAll(Directory(), "python3"); }
TEST(Hostile, CppProgramsAreContained) { RunAll(Directory(), "cpp"); }
TEST(Hostile, OwnPythonProgramsAreContained) { RunAll(OwnDirectory(), "python3"); }
TEST(Hostile, OwnCppProgramsAreContained) { RunAll(OwnDirectory(), "cpp"); }

TEST(HostileElsewhere, OwnProgramsAreContainedInLiveCodeBenchsProfile) {
  RunAll(OwnDirectory(), "python3", Isolation::kFull, code::Profile::kLcb);
}
TEST(HostileElsewhere, OwnPythonProgramsAreContainedByLandlock) {
  RunAll(OwnDirectory(), "python3", Isolation::kLandlock);
}
TEST(HostileElsewhere, OwnCppProgramsAreContainedByLandlock) {
  RunAll(OwnDirectory(), "cpp", Isolation::kLandlock);
}

}  // namespace
}  // namespace assay
