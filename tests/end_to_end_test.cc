// The program as its users run it: real processes, a faulty server, kill -9, a full disk, two at
// once.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <random>
#include <thread>

#include "harness/status.h"
#include "harness/text.h"
#include "tests/mock_server/server.h"
#include "tests/testing.h"

namespace assay {
namespace {

using mock_server::Fault;
using mock_server::MockServer;
using testing::HasSubstr;
using testing::Not;
using testing_support::BinaryPath;
using testing_support::ReadWholeFile;
using testing_support::SharedPath;
using testing_support::SourcePath;
using testing_support::TemporaryDirectory;
using testing_support::WriteWholeFile;

constexpr char kSecret[] = "sk-a-secret-that-must-not-appear-anywhere";

struct Finished {
  int exit_status = -1;  // -1: ended by a signal
  int signal = 0;
  std::string out, err;
};

class EndToEnd : public testing::Test {
 protected:
  // Writes a task of sums whose prompts the mock answers with \boxed{42}: right for every third
  // problem.
  void WriteTask(int problems, int samples) {
    std::string rows;
    for (int i = 0; i < problems; ++i) {
      rows += absl::StrFormat(
          "{\"id\": \"p%d\", \"question\": \"Problem number %d.\", \"answer\": \"%d\"}\n", i, i,
          i % 3 == 0 ? 42 : 17);
    }
    WriteWholeFile(directory_.Path("sums.jsonl"), rows);
    WriteWholeFile(directory_.Path("sums.yaml"), absl::StrFormat(R"(name: sums
version: "1"
about: Sums for end-to-end tests.
dataset:
  file: sums.jsonl
fields:
  id: id
  reference: answer
prompt: "{{ question }}"
extract:
  name: boxed
grader:
  name: math
samples: %d
sampling:
  temperature: 0.6
  max_tokens: 1000
metrics: [pass@1]
)",
                                                                 samples));
  }

  mock_server::Options MockOptions() {
    mock_server::Options options;
    options.body_bytes = 200;
    options.answers = {"42", "17", "17", "5"};
    return options;
  }

  void StartMock(const mock_server::Options& options) {
    mock_.reset();
    absl::StatusOr<std::unique_ptr<MockServer>> mock = MockServer::Start(options);
    ASSERT_TRUE(mock.ok()) << mock.status();
    mock_ = *std::move(mock);
  }

  std::vector<std::string> RunWords(const std::string& database,
                                    std::vector<std::string> more = {}) {
    std::vector<std::string> words = {"run",
                                      "--model",
                                      "mock",
                                      "--base-url",
                                      mock_->base_url(),
                                      "--tasks",
                                      directory_.Path("sums.yaml"),
                                      "--db",
                                      directory_.Path(database),
                                      "--quiet"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  pid_t Spawn(const std::vector<std::string>& words, const std::string& log,
              rlim_t file_bytes = RLIM_INFINITY) {
    const std::string program = BinaryPath("bin/assay");
    std::vector<const char*> argv = {program.c_str()};
    for (const std::string& word : words) argv.push_back(word.c_str());
    argv.push_back(nullptr);
    const std::string out = directory_.Path(log + ".out"), err = directory_.Path(log + ".err");
    const std::string home = directory_.Path();
    const pid_t child = fork();
    if (child == 0) {
      dup2(open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
      dup2(open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
      setenv("OPENAI_API_KEY", kSecret, 1);
      setenv("ASSAY_DATA", home.c_str(), 1);
      if (file_bytes != RLIM_INFINITY) {
        const rlimit limit = {file_bytes, file_bytes};
        setrlimit(RLIMIT_FSIZE, &limit);
      }
      execv(program.c_str(), const_cast<char* const*>(argv.data()));
      _exit(127);
    }
    return child;
  }

  Finished Wait(pid_t child, const std::string& log) {
    int status = 0;
    waitpid(child, &status, 0);
    Finished finished;
    if (WIFEXITED(status)) finished.exit_status = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) finished.signal = WTERMSIG(status);
    finished.out = ReadWholeFile(directory_.Path(log + ".out"));
    finished.err = ReadWholeFile(directory_.Path(log + ".err"));
    return finished;
  }

  Finished Assay(const std::vector<std::string>& words) {
    return Wait(Spawn(words, "assay"), "assay");
  }

  // Every stored draw and what was said of it, from the JSONL export: (problem, index) -> outcome
  // and reply.
  std::map<std::pair<std::string, int64_t>, std::string> Draws(const std::string& database) {
    const std::string path = directory_.Path("export.jsonl");
    std::filesystem::remove(path);
    const Finished exported = Assay(
        {"export", "last", "--db", directory_.Path(database), "--format", "jsonl", "-o", path});
    EXPECT_EQ(exported.exit_status, 0) << exported.err;
    std::map<std::pair<std::string, int64_t>, std::string> draws;
    for (const Json& row : testing_support::ReadJsonLinesFile(path)) {
      const Json* verdict = row.Find("verdict");
      const std::string outcome =
          verdict == nullptr ? "" : verdict->FindString("outcome").value_or("");
      const auto draw = std::pair(row.FindString("problem_id").value_or("?"),
                                  row.FindInteger("index").value_or(-1));
      EXPECT_TRUE(draws.emplace(draw, outcome).second)
          << draw.first << " " << draw.second << " twice";
    }
    return draws;
  }

  void ExpectNoSecretOnDisk() {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_.Path())) {
      if (!entry.is_regular_file()) continue;
      EXPECT_EQ(ReadWholeFile(entry.path()).find(kSecret), std::string::npos) << entry.path();
    }
  }

  TemporaryDirectory directory_;
  std::unique_ptr<MockServer> mock_;
};

#if defined(ASSAY_SANITIZE_ADDRESS) || defined(ASSAY_SANITIZE_THREAD)
constexpr int kRounds = 3;
#else
constexpr int kRounds = 10;
#endif

TEST_F(EndToEnd, ThePreviewShowsTheBytesThatAreSent) {
  for (const int samples : {1, 3, 20}) {
    WriteTask(3, samples);
    mock_server::Options options = MockOptions();
    options.record = true;
    StartMock(options);
    const std::string task = directory_.Path("sums.yaml");
    const Finished preview =
        Assay({"tasks", "preview", task, "--model", "mock", "--limit", "1", "--json"});
    ASSERT_EQ(preview.exit_status, 0) << preview.err;
    const absl::StatusOr<Json> shown = ParseJson(preview.out);
    ASSERT_TRUE(shown.ok()) << shown.status();
    const auto body = shown->AsArray().at(0).FindString("request_body");
    ASSERT_TRUE(body.has_value()) << preview.out;
    const std::string database = absl::StrFormat("preview%d.db", samples);
    ASSERT_EQ(Assay(RunWords(database, {"--limit", "1"})).exit_status, 0);
    ASSERT_FALSE(mock_->recorded().empty());
    EXPECT_EQ(mock_->recorded()[0].body, *body) << samples;
  }
}

TEST_F(EndToEnd, KilledAtRandomMomentsAndResumedEndsAsIfUndisturbed) {
  constexpr int kProblems = 60, kSamples = 4, kConnections = 8, kKills = 5;
  WriteTask(kProblems, kSamples);
  mock_server::Options options = MockOptions();
  options.delay_ms = 10;
  options.n = mock_server::Honours::kNo;
  StartMock(options);
  const Finished undisturbed = Assay(RunWords("undisturbed.db"));
  ASSERT_EQ(undisturbed.exit_status, 0) << undisturbed.err;
  const auto expected = Draws("undisturbed.db");
  ASSERT_EQ(expected.size(), static_cast<size_t>(kProblems * kSamples));

  std::mt19937 random(20261123);
  std::uniform_int_distribution<int> moment(20, 200);
  int kills = 0;
  for (int round = 0; round < kRounds; ++round) {
    const std::string database = absl::StrFormat("killed%d.db", round);
    const std::vector<std::string> first = RunWords(
        database,
        {"--max-connections", std::to_string(kConnections), "--model-args", "n_per_request=1"});
    std::vector<std::string> words = first;
    int64_t stored = 0;
    int landed_kills = 0;
    for (int kill_count = 0; kill_count < kKills; ++kill_count) {
      const pid_t child = Spawn(words, "killed");
      std::this_thread::sleep_for(std::chrono::milliseconds(moment(random)));
      kill(child, SIGKILL);
      if (Wait(child, "killed").signal == SIGKILL) ++landed_kills;
      // Killed before its run was made: start it again; afterwards: resume it.
      const Finished runs = Assay({"runs", "--db", directory_.Path(database), "--json"});
      const absl::StatusOr<Json> listed = ParseJson(runs.out);
      const bool exists = runs.exit_status == 0 && listed.ok() && listed->size() > 0;
      stored = exists ? listed->AsArray()[0].FindInteger("samples_stored").value_or(-1) : 0;
      words = exists ? std::vector<std::string>{"resume", "last", "--db", directory_.Path(database),
                                                "--quiet"}
                     : first;
    }
    kills += landed_kills;
    const int64_t before_last = mock_->stats().requests;
    const Finished finished = Assay(words);
    ASSERT_EQ(finished.exit_status, 0) << finished.err;
    EXPECT_EQ(finished.out, undisturbed.out) << "round " << round;
    EXPECT_EQ(Draws(database), expected) << "round " << round;
    // Exactly what was not committed when the last kill came is asked again. (How much that is
    // depends on the moment: what was on the wire, and the replies that had just come from there.)
    EXPECT_EQ(mock_->stats().requests - before_last, kProblems * kSamples - stored)
        << "round " << round;
  }
  EXPECT_GE(kills, kRounds * kKills / 2);  // or the moments test nothing
}

TEST_F(EndToEnd, FaultsChangeNothingButTheTime) {
  WriteTask(50, 4);
  StartMock(MockOptions());
  const Finished calm = Assay(RunWords("calm.db"));
  ASSERT_EQ(calm.exit_status, 0) << calm.err;
  mock_server::Options options = MockOptions();
  options.rate(Fault::kTooManyRequests) = 0.2;
  options.rate(Fault::kReset) = 0.05;
  options.rate(Fault::kCut) = 0.03;
  options.rate(Fault::kTruncatedJson) = 0.03;
  options.rate(Fault::kWrongType) = 0.02;
  options.rate(Fault::kNullContent) = 0.02;
  options.rate(Fault::kMissingChoices) = 0.02;
  options.rate(Fault::kEmptyBody) = 0.02;
  options.rate(Fault::kServerError) = 0.05;
  options.rate(Fault::kMissingUsage) = 0.05;
  StartMock(options);
  const Finished stormy = Assay(RunWords("stormy.db", {"--model-args", "backoff_base_ms=5"}));
  ASSERT_EQ(stormy.exit_status, 0) << stormy.err;
  EXPECT_EQ(stormy.out, calm.out);
  EXPECT_EQ(Draws("stormy.db"), Draws("calm.db"));
  EXPECT_GT(mock_->stats().fault(Fault::kReset), 0);
}

TEST_F(EndToEnd, AServerThatDiesForAWhileCostsNoSample) {
  WriteTask(40, 2);
  mock_server::Options options = MockOptions();
  options.delay_ms = 5;
  options.down_after = 30;
  options.down_seconds = 10;
  StartMock(options);
  const Finished finished = Assay(RunWords("down.db", {"--max-connections", "8"}));
  EXPECT_EQ(finished.exit_status, 0) << finished.err;
  EXPECT_EQ(Draws("down.db").size(), 80u);
}

TEST_F(EndToEnd, AWrongKeyStopsAtOnceAndIsNotRepeated) {
  WriteTask(20, 1);
  mock_server::Options options = MockOptions();
  options.require_key = "another-key";
  StartMock(options);
  const Finished finished = Assay(RunWords("refused.db"));
  EXPECT_EQ(finished.exit_status, 1);
  EXPECT_THAT(finished.err, HasSubstr("401"));
  EXPECT_THAT(finished.err, HasSubstr("OPENAI_API_KEY"));
  EXPECT_LE(mock_->stats().requests, 64);
  ExpectNoSecretOnDisk();
  // A run without a sample is nothing to resume, and is not left behind.
  EXPECT_THAT(finished.err, HasSubstr("nothing was sampled"));
  EXPECT_THAT(finished.err, Not(HasSubstr("assay resume")));
  EXPECT_EQ(finished.out, "");
  const Finished runs = Assay({"runs", "--db", directory_.Path("refused.db"), "--json"});
  ASSERT_OK_AND_ASSIGN(const Json list, ParseJson(runs.out));
  EXPECT_EQ(list.size(), 0u) << runs.out;
}

TEST_F(EndToEnd, ResumeKeepsTheMetricsThatTheRunWasAskedFor) {
  WriteTask(20, 1);
  mock_server::Options options = MockOptions();
  options.rate(Fault::kServerError) = 0.3;
  StartMock(options);
  Finished finished =
      Assay(RunWords("metrics.db", {"--model-args", "backoff_base_ms=1,max_retries=0", "--samples",
                                    "4", "--metrics", "pass@1,cons@4", "--json"}));
  EXPECT_EQ(finished.exit_status, 1);
  for (int i = 0; i < 30 && finished.exit_status == 1; ++i) {
    finished = Assay({"resume", "last", "--db", directory_.Path("metrics.db"), "--json"});
  }
  ASSERT_EQ(finished.exit_status, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("cons@4"));
  EXPECT_EQ(Draws("metrics.db").size(), 80u);
}

TEST_F(EndToEnd, TheKeyIsInNoFileThatARunLeaves) {
  WriteTask(20, 2);
  mock_server::Options options = MockOptions();
  options.require_key = kSecret;
  options.rate(Fault::kServerError) = 0.2;
  StartMock(options);
  const Finished finished = Assay(RunWords("keyed.db", {"--model-args", "backoff_base_ms=5"}));
  ASSERT_EQ(finished.exit_status, 0) << finished.err;
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"show", "last"}, {"runs"}, {"runs", "--json"}, {"show", "last", "--json"}}) {
    std::vector<std::string> with_database = words;
    with_database.insert(with_database.end(), {"--db", directory_.Path("keyed.db")});
    const Finished shown = Assay(with_database);
    EXPECT_EQ(shown.exit_status, 0) << shown.err;
    EXPECT_THAT(shown.out + shown.err, Not(HasSubstr(kSecret)));
  }
  Draws("keyed.db");
  ExpectNoSecretOnDisk();
}

TEST_F(EndToEnd, CredentialsTypedAsFlagsAreRefused) {
  WriteTask(1, 1);
  StartMock(MockOptions());
  const Finished argument =
      Assay(RunWords("a.db", {"--model-args", std::string("api_key=") + kSecret}));
  EXPECT_EQ(argument.exit_status, 1);
  EXPECT_THAT(argument.err, HasSubstr("--api-key-env"));
  const Finished address =
      Assay({"run", "--model", "m", "--base-url", "http://me:hunter2@127.0.0.1:1/v1", "--tasks",
             directory_.Path("sums.yaml"), "--db", directory_.Path("a.db")});
  EXPECT_EQ(address.exit_status, 1);
  EXPECT_THAT(address.err, Not(HasSubstr("hunter2")));
}

TEST_F(EndToEnd, AFullDiskStopsTheRunAndResumeEndsIt) {
  WriteTask(200, 4);
  mock_server::Options options = MockOptions();
  options.body_bytes = 4096;
  StartMock(options);
  const Finished calm = Assay(RunWords("calm.db"));
  ASSERT_EQ(calm.exit_status, 0) << calm.err;
  const pid_t child = Spawn(RunWords("full.db"), "full", 300 << 10);
  const Finished full = Wait(child, "full");
  EXPECT_EQ(full.exit_status, 1) << full.err;
  EXPECT_THAT(full.err, HasSubstr("full.db"));
  const size_t kept = Draws("full.db").size();
  EXPECT_LT(kept, 800u);
  const Finished resumed = Assay({"resume", "last", "--db", directory_.Path("full.db"), "--quiet"});
  EXPECT_EQ(resumed.exit_status, 0) << resumed.err;
  EXPECT_EQ(resumed.out, calm.out);
  EXPECT_EQ(Draws("full.db"), Draws("calm.db"));
}

TEST_F(EndToEnd, TwoProcessesOnOneRunAreRefusedAndOnOneDatabaseShareIt) {
  WriteTask(40, 2);
  mock_server::Options options = MockOptions();
  options.delay_ms = 50;
  StartMock(options);
  const pid_t first =
      Spawn(RunWords("shared.db", {"--max-connections", "4", "--name", "first"}), "first");
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const Finished second = Assay({"resume", "first", "--db", directory_.Path("shared.db")});
  EXPECT_EQ(second.exit_status, 1);
  EXPECT_THAT(second.err, HasSubstr(std::to_string(first)));
  const Finished other = Assay(RunWords("shared.db", {"--name", "other"}));
  EXPECT_EQ(other.exit_status, 0) << other.err;
  const Finished done = Wait(first, "first");
  EXPECT_EQ(done.exit_status, 0) << done.err;
  EXPECT_EQ(done.out, other.out);
}

TEST_F(EndToEnd, CtrlCStopsCleanlyAndSaysHowToGoOn) {
  WriteTask(200, 2);
  mock_server::Options options = MockOptions();
  options.delay_ms = 50;
  StartMock(options);
  const pid_t child = Spawn(RunWords("stopped.db", {"--max-connections", "4"}), "stopped");
  // Once it asks: before that a loaded machine may not have let it begin.
  for (int i = 0; i < 3000 && mock_->stats().requests < 20; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  kill(child, SIGINT);
  const Finished stopped = Wait(child, "stopped");
  EXPECT_EQ(stopped.exit_status, 130) << stopped.err;
  EXPECT_THAT(stopped.err, HasSubstr("assay resume"));
  const Finished runs = Assay({"runs", "--db", directory_.Path("stopped.db"), "--json"});
  EXPECT_THAT(runs.out, HasSubstr("\"stopped_by\": \"interrupted\""));
  const std::vector<std::string> resume = {"resume", "last", "--db", directory_.Path("stopped.db"),
                                           "--quiet"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), resume.begin(), resume.end());
    return Assay(more);
  };
  // What would be asked for, and nothing is.
  const size_t kept = Draws("stopped.db").size();
  const int64_t asked = mock_->stats().requests;
  const Finished dry = with({"--dry-run", "--json"});
  EXPECT_EQ(dry.exit_status, 0) << dry.err;
  ASSERT_OK_AND_ASSIGN(const Json told, ParseJson(dry.out));
  EXPECT_EQ(told.FindInteger("missing"), 400 - static_cast<int64_t>(kept));
  EXPECT_EQ(mock_->stats().requests, asked);
  // The samples of three problems, then the run can be resumed once more.
  const Finished some = with({"--limit", "3"});
  EXPECT_EQ(some.exit_status, 1) << some.err;
  EXPECT_THAT(some.err, HasSubstr("assay resume"));
  EXPECT_GT(Draws("stopped.db").size(), kept);
  EXPECT_LE(Draws("stopped.db").size(), kept + 6);
  const Finished resumed = with({});
  EXPECT_EQ(resumed.exit_status, 0) << resumed.err;
  EXPECT_EQ(Draws("stopped.db").size(), 400u);
}

TEST_F(EndToEnd, GradeSaysThatTheTaskChangedSince) {
  WriteTask(4, 1);
  StartMock(MockOptions());
  ASSERT_EQ(Assay(RunWords("graded.db")).exit_status, 0);
  const std::vector<std::string> grade = {"grade", "last", "--dry-run", "--db",
                                          directory_.Path("graded.db")};
  EXPECT_THAT(Assay(grade).err, Not(HasSubstr("changed since")));
  const std::string yaml = ReadWholeFile(directory_.Path("sums.yaml"));
  const size_t grader = yaml.find("name: math");
  ASSERT_NE(grader, yaml.npos);
  WriteWholeFile(directory_.Path("sums.yaml"),
                 yaml.substr(0, grader) + "name: exact" + yaml.substr(grader + 10));
  const Finished told = Assay(grade);
  EXPECT_EQ(told.exit_status, 0);
  EXPECT_THAT(told.err, HasSubstr("task sums changed since run"));
}

// Half of a run's samples are missing, since its server was too slow, and then it moved.
TEST_F(EndToEnd, AServerThatMovedOrATimeoutThatWasTooShortIsMendedByResume) {
  WriteTask(40, 2);
  mock_server::Options options = MockOptions();
  options.delay_ms = 300;
  options.delay_shape = mock_server::DelayShape::kExponential;
  StartMock(options);
  const Finished begun =
      Assay(RunWords("moved.db", {"--model-args", "timeout=0.2,max_retries=0,n_per_request=1"}));
  EXPECT_EQ(begun.exit_status, 1);
  const auto landed = [&] {
    int64_t count = 0;
    for (const auto& [draw, outcome] : Draws("moved.db")) count += outcome.empty() ? 0 : 1;
    return count;
  };
  const int64_t kept = landed();
  ASSERT_GT(kept, 0);
  ASSERT_LT(kept, 80);

  options.delay_ms = 0;
  StartMock(options);  // on another port
  const auto resume = [&](std::vector<std::string> more) {
    std::vector<std::string> words = {"resume", "last", "--db", directory_.Path("moved.db"),
                                      "--quiet"};
    words.insert(words.end(), more.begin(), more.end());
    return Assay(words);
  };
  // What would make other samples of the rest is refused, by name, before anything is asked.
  const std::tuple<std::vector<std::string>, std::string> refused[] = {
      {{"--base-url", ReplaceAll(mock_->base_url(), "/v1", "/v2")},
       "'/v2/chat/completions' is not '/v1/chat/completions'"},
      {{"--base-url", mock_->base_url(), "--model-args", "api=completions"}, "api=completions"},
      {{"--base-url", mock_->base_url(), "--model-args", "prefilled=true"}, "prefilled=true"},
      {{"--base-url", mock_->base_url(), "--model-args", "timeot=3"}, "did you mean 'timeout'"},
      {{"--base-url", ReplaceAll(mock_->base_url(), "//", "//me:hunter2@")}, "--api-key-env"},
  };
  for (const auto& [more, message] : refused) {
    const Finished finished = resume(more);
    EXPECT_EQ(finished.exit_status, 1) << message;
    EXPECT_THAT(finished.err, HasSubstr(message));
    EXPECT_THAT(finished.err, Not(HasSubstr("hunter2")));
  }
  EXPECT_EQ(mock_->stats().requests, 0);
  EXPECT_EQ(landed(), kept);

  // n_per_request=1 is still what the run began with.
  const Finished resumed =
      resume({"--base-url", mock_->base_url(), "--model-args", "timeout=60,prefilled=false"});
  EXPECT_EQ(resumed.exit_status, 1) << "prefilled was not said when the run began";
  const Finished some =
      resume({"--base-url", mock_->base_url(), "--model-args", "timeout=60", "--limit", "2"});
  EXPECT_EQ(some.exit_status, 1) << some.err;
  EXPECT_LT(landed(), 80);
  const Finished mended = resume({});  // where the server is now was said, and is known
  EXPECT_EQ(mended.exit_status, 0) << mended.err;
  EXPECT_EQ(landed(), 80);
  EXPECT_EQ(mock_->stats().requests, 80 - kept);
  // Who drew what of it can be seen.
  const Finished shown = Assay({"show", "last", "--db", directory_.Path("moved.db")});
  EXPECT_THAT(shown.out, HasSubstr("samples failed, every retry too"));
  EXPECT_THAT(shown.out, HasSubstr("stopped: asked for samples of 2 problems only"));
  EXPECT_THAT(shown.out, HasSubstr("asked " + mock_->base_url()));
}

TEST_F(EndToEnd, AMistypedDatabaseIsNamedAndNotMade) {
  for (const std::string command : {"resume", "grade", "show", "runs"}) {
    std::vector<std::string> words = {command, "--db", directory_.Path("typo.db")};
    if (command != "runs") words.insert(words.begin() + 1, "last");
    const Finished finished = Assay(words);
    EXPECT_EQ(finished.exit_status, 1) << command;
    EXPECT_THAT(finished.err, HasSubstr("typo.db")) << command;
    EXPECT_FALSE(std::filesystem::exists(directory_.Path("typo.db"))) << command;
  }
}

TEST_F(EndToEnd, AnEmptyFileIsNoDatabaseAndStaysEmpty) {
  for (const std::string command : {"resume", "grade", "show", "runs"}) {
    testing_support::WriteWholeFile(directory_.Path("empty.db"), "");
    std::vector<std::string> words = {command, "--db", directory_.Path("empty.db")};
    if (command != "runs") words.insert(words.begin() + 1, "last");
    const Finished finished = Assay(words);
    EXPECT_EQ(finished.exit_status, 1) << command;
    EXPECT_THAT(finished.err, HasSubstr("an empty file, no database of assay")) << command;
    EXPECT_EQ(std::filesystem::file_size(directory_.Path("empty.db")), 0u) << command;
  }
}

TEST_F(EndToEnd, ADryRunAsksNothing) {
  WriteTask(10, 3);
  StartMock(MockOptions());
  const Finished dry = Assay(RunWords("dry.db", {"--dry-run"}));
  EXPECT_EQ(dry.exit_status, 0) << dry.err;
  EXPECT_THAT(dry.out, HasSubstr("Problem number 0."));
  EXPECT_THAT(dry.out, HasSubstr("30 samples"));
  EXPECT_EQ(mock_->stats().requests, 0);
  EXPECT_FALSE(std::filesystem::exists(directory_.Path("dry.db")));
}

TEST_F(EndToEnd, MissingSamplesGiveNoHeadlineNumber) {
  WriteTask(30, 2);
  mock_server::Options options = MockOptions();
  options.rate(Fault::kServerError) = 0.3;
  StartMock(options);
  const Finished finished =
      Assay(RunWords("partial.db", {"--model-args", "backoff_base_ms=1,max_retries=0", "--json"}));
  EXPECT_EQ(finished.exit_status, 1);
  EXPECT_THAT(finished.err, HasSubstr("missing"));
  ASSERT_OK_AND_ASSIGN(const Json results, ParseJson(finished.out));
  EXPECT_THAT(results.Dump(), HasSubstr("\"missing\""));
  EXPECT_THAT(results.Dump(), Not(HasSubstr("\"pass@1\",\"value\":0")));
}

// The main job of the quickstart: our own problems, replies of known correctness.
TEST_F(EndToEnd, OurOwnSetGivesTheKnownVerdicts) {
  mock_server::Options options;
  options.reply_file = SourcePath("datasets/basics_replies.jsonl");
  StartMock(options);
  const Finished finished =
      Assay({"run", "--model", "mock", "--base-url", mock_->base_url(), "--tasks", "quickstart",
             "--samples", "4", "--db", directory_.Path("own.db"), "--quiet"});
  ASSERT_EQ(finished.exit_status, 0) << finished.err;
  const auto draws = Draws("own.db");
  std::map<std::string, int> expected, found;
  for (const Json& row : testing_support::ReadJsonLinesFile(options.reply_file)) {
    for (const Json& outcome : row.Find("expected")->AsArray()) ++expected[outcome.AsString()];
  }
  for (const auto& [draw, outcome] : draws) ++found[outcome];
  EXPECT_EQ(found, expected);
  EXPECT_GE(draws.size(), 480u);
}

// 800 real outputs of a model on 100 real problems, by import and over HTTP with faults: the same
// table, and no verdict against the corrected `expected`.
TEST_F(EndToEnd, RealOutputsGiveOneTableByEitherWay) {
  SKIP_WITHOUT_SHARED("vectors/qwen_math_outputs.jsonl");
  const std::string outputs = SharedPath("vectors/qwen_math_outputs.jsonl");
  std::map<int64_t, std::pair<Json, Json>> problems;  // idx -> problem row, mock row
  std::map<std::pair<std::string, int64_t>, bool> expected;
  for (const Json& row : testing_support::ReadJsonLinesFile(outputs)) {
    const int64_t idx = *row.FindInteger("idx");
    auto& [problem, reply] = problems[idx];
    if (problem.is_null()) {
      problem = Json::MakeObject({{"id", std::to_string(idx)},
                                  {"question", *row.FindString("question")},
                                  {"answer", *row.FindString("gold")}});
      reply = Json::MakeObject(
          {{"match", *row.FindString("question")}, {"replies", Json::MakeArray()}});
    }
    const int64_t sample = *row.FindInteger("sample");
    ASSERT_EQ(static_cast<int64_t>(reply.Find("replies")->size()), sample) << "rows out of order";
    reply.Find("replies")->Append(*row.FindString("raw_output"));
    expected[{std::to_string(idx), sample}] = *row.FindBool("expected");
  }
  std::string problem_lines, reply_lines;
  for (const auto& [idx, rows] : problems) {
    problem_lines += rows.first.Dump() + "\n";
    reply_lines += rows.second.Dump() + "\n";
  }
  WriteTask(1, 8);
  WriteWholeFile(directory_.Path("sums.jsonl"), problem_lines);
  WriteWholeFile(directory_.Path("replies.jsonl"), reply_lines);

  mock_server::Options options;
  options.reply_file = directory_.Path("replies.jsonl");
  options.rate(Fault::kTooManyRequests) = 0.2;
  options.rate(Fault::kReset) = 0.05;
  StartMock(options);
  const Finished run = Assay(RunWords("http.db", {"--model-args", "backoff_base_ms=5"}));
  ASSERT_EQ(run.exit_status, 0) << run.err;
  const Finished import = Assay({"import", outputs, "--task", directory_.Path("sums.yaml"),
                                 "--id-field", "idx", "--completion-field", "raw_output",
                                 "--index-field", "sample", "--db", directory_.Path("import.db")});
  ASSERT_EQ(import.exit_status, 0) << import.err;
  EXPECT_THAT(import.out, HasSubstr(run.out));

  const auto draws = Draws("http.db");
  EXPECT_EQ(draws, Draws("import.db"));
  ASSERT_EQ(draws.size(), expected.size());
  int undecided = 0;
  for (const auto& [draw, outcome] : draws) {
    if (outcome == "undecided") {
      ++undecided;
      continue;
    }
    EXPECT_EQ(outcome == "correct", expected.at(draw))
        << draw.first << " sample " << draw.second << ": " << outcome;
  }
  RecordProperty("undecided", undecided);
}

}  // namespace
}  // namespace assay
