// Grading stored samples in LiveCodeBench's form: killed at random moments and gone on with, the
// table and every verdict are what they are undisturbed. benchmarks/code_resume.py does it with
// more.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <random>
#include <thread>

#include "absl/strings/str_format.h"
#include "harness/compress.h"
#include "harness/text.h"
#include "sandbox/sandbox.h"
#include "tests/testing.h"

extern char** environ;

namespace assay {
namespace {

using testing::HasSubstr;
using testing_support::BinaryPath;
using testing_support::ReadJsonLinesFile;
using testing_support::RunAssay;
using testing_support::TemporaryDirectory;
using testing_support::WriteWholeFile;

constexpr int kProblems = 20, kSamples = 10;

std::string Base64(std::string_view bytes) {
  const std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t at = 0; at < bytes.size(); at += 3) {
    uint32_t three = 0;
    for (size_t i = 0; i < 3; ++i)
      three = three << 8 | (at + i < bytes.size() ? static_cast<uint8_t>(bytes[at + i]) : 0);
    for (size_t i = 0; i < 4; ++i)
      text += at + i > bytes.size() ? '=' : digits[three >> (18 - 6 * i) & 63];
  }
  return text;
}

// As Python pickles a text: protocol 4, BINUNICODE, MEMOIZE, STOP.
std::string Pickled(const std::string& text) {
  std::string size;
  for (int i = 0; i < 4; ++i) size += static_cast<char>(text.size() >> (8 * i));
  return "\x80\x04X" + size + text + "\x94.";
}

std::string Row(int problem) {
  const int factor = 2 + problem % 7, more = 3 * problem;
  Json open = Json::MakeArray(), hidden = Json::MakeArray();
  for (int t = 0; t < 6; ++t) {
    std::string input = "5\n", output;
    for (int i = 0; i < 5; ++i) {
      const int x = (problem * 31 + t * 17 + i * 7) % 1000;
      input += absl::StrFormat("%d%s", x, i == 4 ? "\n" : " ");
      output += absl::StrFormat("%d\n", factor * x + more);
    }
    (t < 2 ? open : hidden)
        .Append(Json::MakeObject({{"input", input}, {"output", output}, {"testtype", "stdin"}}));
  }
  Json row = Json::MakeObject({{"question_id", absl::StrFormat("p%d", problem)},
                               {"question_title", absl::StrFormat("affine-%d", problem)},
                               {"platform", "own"},
                               {"difficulty", "easy"},
                               {"starter_code", ""},
                               {"contest_date", "2024-09-01T00:00:00"},
                               {"metadata", "{}"}});
  row.Set("question_content", absl::StrFormat("Print %d * x + %d of each x.", factor, more));
  row.Set("public_test_cases", open.Dump());
  row.Set("private_test_cases", Base64(DeflateZlib(Pickled(hidden.Dump()), 6)));
  return row.Dump() + "\n";
}

std::string Sample(int problem, int index) {
  const int factor = 2 + problem % 7, more = 3 * problem;
  const std::string right = absl::StrFormat(
      "input()\nfor x in map(int, input().split()): print(%d * x + %d)", factor, more);
  const std::string bodies[] = {right, right + "\nprint(0)", "1 / 0", "def f(:", right};
  const std::string body = bodies[(index + problem) % 5];
  const std::string reply =
      index * problem % 17 == 3 ? "I do not know." : "So:\n```python\n" + body + "\n```\n";
  return Json::MakeObject({{"question_id", absl::StrFormat("p%d", problem)},
                           {"index", index},
                           {"completion", reply}})
             .Dump() +
         "\n";
}

class CodeResume : public testing::Test {
 protected:
  // A database whose samples have no verdicts: they came where there was no sandbox.
  void SetUp() override {
    const absl::StatusOr<std::unique_ptr<Sandbox>> sandbox = Sandbox::Start({});
    if (!sandbox.ok()) GTEST_SKIP() << "skipped: " << sandbox.status().message();
    if (access("/usr/bin/python3", X_OK) != 0) GTEST_SKIP() << "skipped: no /usr/bin/python3";
    std::string rows, samples;
    for (int problem = 0; problem < kProblems; ++problem) {
      rows += Row(problem);
      for (int index = 0; index < kSamples; ++index) samples += Sample(problem, index);
    }
    WriteWholeFile(Path("rows.jsonl"), rows);
    WriteWholeFile(Path("samples.jsonl"), samples);
    const testing_support::ProgramEnd end =
        RunAssay({"import", Path("samples.jsonl"), "-t", "livecodebench", "--dataset-file",
                  Path("rows.jsonl"), "--id-field", "question_id", "--index-field", "index",
                  "--completion-field", "completion", "--db", Path("ungraded.db"), "--quiet"},
                 {"ASSAY_SANDBOXD=/nowhere"});
    ASSERT_THAT(end.out + end.err, HasSubstr("stored but not graded"));
  }

  std::string Path(std::string_view name) const { return directory_.Path(name); }

  pid_t StartGrading(const std::string& database) const {
    const std::string program = BinaryPath("bin/assay"), path = Path(database);
    std::vector<std::string> words = {program, "grade", "--missing", "--db", path, "--json"};
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    pid_t pid = -1;
    EXPECT_EQ(posix_spawn(&pid, program.c_str(), &actions, nullptr, pointers.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
  }

  static int StatusOf(pid_t pid, rusage* usage = nullptr) {
    int status = 0;
    wait4(pid, &status, 0, usage);
    return status;
  }

  // problem, index -> outcome and why.
  std::map<std::pair<std::string, int64_t>, std::string> Verdicts(const std::string& database) {
    const testing_support::ProgramEnd end =
        RunAssay({"export", "last", "--db", Path(database), "-o", Path(database + ".jsonl")});
    EXPECT_EQ(end.status, 0) << end.err;
    std::map<std::pair<std::string, int64_t>, std::string> verdicts;
    for (const Json& line : ReadJsonLinesFile(Path(database + ".jsonl"))) {
      const Json* verdict = line.Find("verdict");
      if (verdict == nullptr || !verdict->FindString("outcome")) continue;
      verdicts[{line.FindString("problem_id").value_or("?"),
                line.FindInteger("index").value_or(-1)}] =
          *verdict->FindString("outcome") + ": " + verdict->FindString("why").value_or("");
    }
    return verdicts;
  }

  std::string Table(const std::string& database) const {
    const testing_support::ProgramEnd end = RunAssay({"show", "last", "--db", Path(database)});
    return end.out.substr(std::min(end.out.find("\ntask  "), end.out.size()));
  }

  const TemporaryDirectory directory_;
};

TEST_F(CodeResume, KilledAtRandomMomentsAndGoneOnWithEndsAsIfUndisturbed) {
  for (const char* copy : {"undisturbed.db", "killed.db"})
    std::filesystem::copy_file(Path("ungraded.db"), Path(copy));
  const auto began = std::chrono::steady_clock::now();
  ASSERT_EQ(StatusOf(StartGrading("undisturbed.db")), 0);
  const auto whole_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                            std::chrono::steady_clock::now() - began)
                            .count();
  const auto expected = Verdicts("undisturbed.db");
  ASSERT_EQ(expected.size(), static_cast<size_t>(kProblems * kSamples));

  std::mt19937 random(20261127);
  std::uniform_int_distribution<int64_t> moment(whole_ms / 20, whole_ms / 3);
  int landed = 0;
  std::vector<size_t> graded;
  for (int kills = 0; kills < 4; ++kills) {
    const pid_t child = StartGrading("killed.db");
    std::this_thread::sleep_for(std::chrono::milliseconds(moment(random)));
    kill(child, SIGKILL);
    landed += WIFSIGNALED(StatusOf(child));
    graded.push_back(Verdicts("killed.db").size());
  }
  EXPECT_GE(landed, 1);                                       // or the moments test nothing
  EXPECT_TRUE(std::is_sorted(graded.begin(), graded.end()));  // nothing is lost again
  ASSERT_EQ(StatusOf(StartGrading("killed.db")), 0);
  EXPECT_EQ(Verdicts("killed.db"), expected);
  EXPECT_EQ(Table("killed.db"), Table("undisturbed.db"));
  EXPECT_THAT(Table("killed.db"), HasSubstr("pass@1"));
}

}  // namespace
}  // namespace assay
