// `assay view`: what is in the database now, over its addresses; runs that grow while they are
// served; what goes wrong said as such; the program from its first line to Ctrl-C.
#include "reports/view.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "absl/strings/str_format.h"
#include "harness/json.h"
#include "harness/text.h"
#include "http/client.h"
#include "http/server.h"
#include "tests/report_runs.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing_support::BinaryPath;
using testing_support::ReportRunSpec;
using testing_support::RunAssay;
using testing_support::TemporaryDirectory;
using testing_support::WriteReportRun;
using testing_support::WriteWholeFile;

class Viewing : public testing::Test {
 protected:
  ViewAnswer Ask(std::string_view target) { return Ask(view_, target); }
  static ViewAnswer Ask(View& view, std::string_view target) {
    const std::optional<http::ServedRequest> request = http::ParseTarget(target);
    EXPECT_TRUE(request.has_value()) << target;
    return view.Answer(request->path, request->query);
  }
  Json AskJson(std::string_view target) {
    const ViewAnswer answer = Ask(target);
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.content_type, "application/json");
    absl::StatusOr<Json> json = ParseJson(answer.body);
    EXPECT_OK(json.status());
    return json.ok() ? *json : Json();
  }
  // The error of an answer, which must be one.
  std::string ErrorOf(std::string_view target, int status) {
    const ViewAnswer answer = Ask(target);
    EXPECT_EQ(answer.status, status) << target << ": " << answer.body;
    if (answer.content_type != "application/json") return answer.body;
    absl::StatusOr<Json> json = ParseJson(answer.body);
    EXPECT_OK(json.status());
    return json->FindString("error").value_or("(no error)");
  }

  TemporaryDirectory directory_;
  std::string database_ = directory_.Path("runs.db");
  View view_{{database_}};
};

TEST_F(Viewing, SamplesComeWithTheirTextsAndVerdicts) {
  const std::string id = WriteReportRun(database_, {.name = "one", .outcomes = {"CI", "NT"}});
  const Json json = AskJson("/samples?run=" + id + "&task=sums&problem=p0&index=1&index=0&index=7");
  const Json::Array& samples = json.Find("samples")->AsArray();
  ASSERT_EQ(samples.size(), 3u);
  EXPECT_EQ(samples[0].FindInteger("index"), 1);
  EXPECT_EQ(samples[0].FindString("outcome"), "incorrect");
  EXPECT_EQ(samples[0].FindString("why"), "7 is not 8");
  EXPECT_EQ(samples[1].FindString("reasoning"), "I think about problem 0.");
  EXPECT_EQ(samples[1].Find("answer")->Dump(), R"(["It is \\boxed{","7","}, I say."])");
  EXPECT_THAT(*samples[1].FindString("verify"), HasSubstr("assay verify"));
  EXPECT_EQ(samples[1].Find("history"), nullptr) << "one verdict is no history";
  // One that is not there is said to be missing, not left empty.
  EXPECT_EQ(samples[2].FindInteger("index"), 7);
  EXPECT_THAT(*samples[2].FindString("error"), HasSubstr("does not hold this sample"));
  EXPECT_EQ(samples[2].Find("answer"), nullptr);
}

TEST_F(Viewing, EarlierVerdictsAreTold) {
  const std::string id = WriteReportRun(database_, {.name = "one", .outcomes = {"I"}});
  {
    ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(database_, StoreMode::kReadWrite));
    Store::NewVerdict verdict;
    verdict.task = "sums";
    verdict.problem_id = "p0";
    verdict.verdict.outcome = Outcome::kCorrect;
    verdict.verdict.score = 1;
    verdict.verdict.grader = "exact";
    verdict.verdict.grader_version = 2;
    verdict.verdict.why = "8 after all";
    ASSERT_OK(store->PutVerdicts(id, {verdict}));
  }
  const Json json = AskJson("/samples?run=" + id + "&task=sums&problem=p0&index=0");
  const Json& sample = json.Find("samples")->AsArray()[0];
  EXPECT_EQ(sample.FindString("outcome"), "correct");
  const Json::Array& history = sample.Find("history")->AsArray();
  ASSERT_EQ(history.size(), 2u);
  EXPECT_EQ(history[0].FindString("grader"), "exact, version 1");
  EXPECT_EQ(history[0].FindString("outcome"), "incorrect");
  EXPECT_EQ(history[0].FindString("why"), "7 is not 8");
  EXPECT_EQ(history[1].FindString("grader"), "exact, version 2");
}

TEST_F(Viewing, AnAnswerHoldsWhatFitsAndAtLeastOneSample) {
  ReportRunSpec spec{.name = "long", .outcomes = {"CCCC"}};
  spec.with_sample = [](StoredSample& stored) {
    stored.sample.completion.reasoning = std::string(60'000, 'r');
  };
  const std::string id = WriteReportRun(database_, spec);
  ViewLimits limits;
  limits.bytes = 100'000;
  View view({database_}, limits);
  const auto count = [&](const std::string& indices) -> size_t {
    const ViewAnswer answer = Ask(view, "/samples?run=" + id + "&task=sums&problem=p0" + indices);
    EXPECT_EQ(answer.status, 200);
    return ParseJson(answer.body)->Find("samples")->size();
  };
  EXPECT_EQ(count("&index=0&index=1&index=2&index=3"), 2u);
  EXPECT_EQ(count("&index=2&index=3"), 2u);
  limits.bytes = 10;
  View narrow({database_}, limits);
  const ViewAnswer answer =
      Ask(narrow, "/samples?run=" + id + "&task=sums&problem=p0&index=3&index=2");
  EXPECT_EQ(ParseJson(answer.body)->Find("samples")->size(), 1u);
}

TEST_F(Viewing, AProblemIsToldOnceAndWhereItWasAskedOtherwise) {
  const std::string a = WriteReportRun(database_, {.name = "a", .outcomes = {"C", "C"}});
  ReportRunSpec spec{.name = "b", .outcomes = {"C"}};
  spec.with_problem = [](Problem&, Prompt& prompt) { prompt.messages[0].text += " Briefly."; };
  const std::string b = WriteReportRun(database_, spec);
  const std::string c =
      WriteReportRun(database_, {.name = "c", .task = "other", .outcomes = {"C"}});
  const std::string runs = "/problem?run=" + a + "&run=" + b + "&run=" + c + "&task=sums&problem=";
  const Json both = AskJson(runs + "p0");
  EXPECT_THAT(both.Find("asked")->Dump(), HasSubstr("problem number 0?"));
  const Json::Array& each = both.Find("runs")->AsArray();
  ASSERT_EQ(each.size(), 3u);
  EXPECT_EQ(each[0].Find("asked"), nullptr);
  EXPECT_THAT(each[1].Find("asked")->Dump(), HasSubstr("Briefly."));
  EXPECT_EQ(each[2].Find("asked"), nullptr);
  // Only the first run has it.
  EXPECT_THAT(AskJson(runs + "p1").Find("asked")->Dump(), HasSubstr("problem number 1?"));
  EXPECT_THAT(ErrorOf(runs + "p2", 404), HasSubstr("none of the runs has asked a problem 'p2'"));
}

TEST_F(Viewing, SearchReadsPromptsThinkingAnswersAndReasons) {
  ReportRunSpec spec{.name = "one", .outcomes = {"C", "C", "C", "I", "C", "C"}};
  spec.with_problem = [](Problem& problem, Prompt& prompt) {
    if (problem.id == "p0") prompt.messages[0].text = "A QUAGGA in the prompt";
  };
  spec.with_sample = [](StoredSample& stored) {
    Sample& sample = stored.sample;
    if (sample.problem_id == "p1") sample.completion.reasoning = "thinking of a Quagga";
    if (sample.problem_id == "p2") sample.completion.answer += " quagga";
    if (sample.problem_id == "p3") sample.verdict.why = "no quagga";
    if (sample.problem_id == "p4") {
      sample.completion.reasoning = sample.completion.answer = "";
      sample.completion.raw = "raw quagga";
      sample.extraction = {};
    }
  };
  const std::string id = WriteReportRun(database_, spec);
  const auto found = [&](std::string_view query) {
    std::vector<std::string> ids;
    const Json json = AskJson("/search?run=" + id + "&task=sums&q=" + http::PercentEncode(query));
    for (const Json& one : json.Find("problems")->AsArray()) ids.push_back(one.AsString());
    return Join(ids, " ");
  };
  EXPECT_EQ(found("quagga"), "p0 p1 p2 p3 p4");
  EXPECT_EQ(found("QuAgGa in"), "p0");
  EXPECT_EQ(found("of a quagga"), "p1");
  EXPECT_EQ(found("zebra"), "");
  EXPECT_EQ(found(".*"), "") << "no pattern: text";
}

TEST_F(Viewing, ASearchThatTakesTooLongIsAnErrorAndSoIsOneThatIsStopped) {
  const std::string id = WriteReportRun(database_, {.name = "one", .outcomes = {"C"}});
  const std::string target = "/search?run=" + id + "&task=sums&q=x";
  ViewLimits limits;
  limits.search = std::chrono::milliseconds(0);
  View impatient({database_}, limits);
  ViewAnswer answer = Ask(impatient, target);
  EXPECT_EQ(answer.status, 503);
  EXPECT_THAT(answer.body, HasSubstr("given up"));
  view_.Stop();
  answer = Ask(target);
  EXPECT_EQ(answer.status, 503);
  EXPECT_THAT(answer.body, HasSubstr("ending"));
}

TEST_F(Viewing, WhatGoesWrongIsAnErrorWithItsName) {
  const std::string id = WriteReportRun(database_, {.name = "one", .outcomes = {"C"}});
  const std::string run = "run=" + id;
  struct Case {
    std::string target;
    int status;
    std::string error;
  };
  const std::vector<Case> cases = {
      {"/nowhere", 404, "there is no page &#39;/nowhere&#39;"},
      {"/../etc/passwd", 404, "there is no page"},
      {"/report", 400, "found 0"},
      {"/report?run=onee", 404, "there is no run &#39;onee&#39;; did you mean &#39;one&#39;?"},
      {"/report?run=one&run=" + id, 400, "named twice"},
      {"/report?run=2:one", 404, "there is no run &#39;2:one&#39;"},
      {"/report?run=x:one", 404, "there is no run"},
      {"/report?run=one&baselin=one", 400, "did you mean &#39;baseline&#39;?"},
      {"/report?run=one&partial=yes", 400, "expected 0 or 1"},
      {"/report?run=one&task=nope", 404, "no run has a task"},
      {"/report?run=<script>alert(1)</script>", 404, "&lt;script&gt;"},
      {"/compare?run=nope", 404, "there is no run"},
      {"/samples?" + run, 400, "wants one 'task='"},
      {"/samples?" + run + "&task=sums&problem=p9&index=0", 404, "asked no problem 'p9'"},
      {"/samples?" + run + "&task=tums&problem=p0&index=0", 404, "no task 'tums'"},
      {"/samples?" + run + "&task=sums&problem=p0", 400, "expected 1 to 1000 samples"},
      {"/samples?" + run + "&task=sums&problem=p0&index=-1", 400, "found '-1'"},
      {"/samples?" + run + "&task=sums&problem=p0&index=1e3", 400, "found '1e3'"},
      {"/samples?" + run + "&task=sums&problem=p0&index=99999999999", 400, "a sample's number"},
      {"/samples?" + run + "&task=sums&problem=&index=0", 400, "one 'problem='"},
      {"/samples?run=nope&task=sums&problem=p0&index=0", 404, "there is no run 'nope'"},
      {"/search?" + run + "&task=sums", 400, "one 'q='"},
      {"/search?" + run + "&task=sums&q=" + std::string(1001, 'a'), 400, "up to 1000 bytes"},
  };
  for (const Case& one : cases) {
    const std::string error =
        ErrorOf(ReplaceAll(ReplaceAll(one.target, "<", "%3C"), ">", "%3E"), one.status);
    EXPECT_THAT(error, HasSubstr(one.error)) << one.target;
    EXPECT_THAT(error, Not(HasSubstr("<script>"))) << one.target;
  }
}

TEST_F(Viewing, ADatabaseThatIsGoneOrDamagedIsAnErrorAtOnce) {
  const std::string id = WriteReportRun(database_, {.name = "one", .outcomes = {"C"}});
  const std::string sample = "/samples?run=" + id + "&task=sums&problem=p0&index=0";
  EXPECT_EQ(Ask(sample).status, 200);
  std::filesystem::rename(database_, directory_.Path("away.db"));
  EXPECT_THAT(ErrorOf(sample, 404), HasSubstr("runs.db"));
  EXPECT_THAT(ErrorOf("/report?run=one", 404), HasSubstr("runs.db"));
  EXPECT_THAT(Ask("/").body, HasSubstr("class=\"warning\""));
  EXPECT_FALSE(std::filesystem::exists(database_)) << "looking makes no file";
  WriteWholeFile(database_, "this is no database, whatever its name says ............");
  EXPECT_THAT(ErrorOf(sample, 500), HasSubstr("runs.db"));
  std::filesystem::rename(directory_.Path("away.db"), database_);
  EXPECT_EQ(Ask(sample).status, 200);
}

TEST_F(Viewing, TheListNamesRunsNewestFirstAndEscapes) {
  EXPECT_THAT(Ask("/").body, HasSubstr("class=\"warning\"")) << "no file yet";
  WriteReportRun(database_, {.name = "first", .outcomes = {"C-"}});
  const std::string second = WriteReportRun(database_, {.name = "<img src=x onerror=alert(1)>",
                                                        .model = "</td><script>alert(1)</script>",
                                                        .outcomes = {"CC"}});
  const ViewAnswer answer = Ask("/");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, Not(HasSubstr("<script")));
  EXPECT_THAT(answer.body, Not(HasSubstr("<img")));
  EXPECT_THAT(answer.policy, HasSubstr("default-src 'none'"));
  EXPECT_THAT(answer.policy, Not(HasSubstr("script-src")));
  const size_t old_at = answer.body.find(">first<"), new_at = answer.body.find("&lt;img src=x");
  ASSERT_NE(old_at, std::string::npos);
  ASSERT_NE(new_at, std::string::npos);
  EXPECT_LT(new_at, old_at);
  EXPECT_THAT(answer.body, HasSubstr("/report?run=" + second));
  EXPECT_THAT(answer.body, HasSubstr(">1 of 2<"));
  EXPECT_THAT(answer.body, HasSubstr(">incomplete<"));
}

TEST_F(Viewing, MarkedRunsAreComparedTheOldestFirst) {
  const std::string a = WriteReportRun(database_, {.name = "a", .outcomes = {"C"}});
  const std::string b = WriteReportRun(database_, {.name = "b", .outcomes = {"I"}});
  const ViewAnswer answer = Ask("/compare?run=" + b + "&run=" + a);
  EXPECT_EQ(answer.status, 303);
  EXPECT_EQ(answer.location, "/report?run=" + a + "&run=" + b);
  EXPECT_EQ(Ask("/compare").location, "/");
}

TEST_F(Viewing, AReportHoldsNoTranscriptAndMayAskItsOwnServerOnly) {
  WriteReportRun(database_, {.name = "a", .outcomes = {"C"}});
  WriteReportRun(database_, {.name = "b", .outcomes = {"I"}});
  const ViewAnswer answer = Ask("/report?run=a&run=b");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.policy, HasSubstr("connect-src 'self'"));
  EXPECT_TRUE(Contains(answer.body, "connect-src 'self'\">")) << "in the page, too";
  EXPECT_TRUE(Contains(answer.body, "id=\"chunk-c0A\""));
  EXPECT_FALSE(Contains(answer.body, "id=\"chunk-t0\""));
}

TEST_F(Viewing, ARunWithoutASampleIsShown) {
  const std::string id = WriteReportRun(database_, {.name = "begun", .outcomes = {"--", "--"}});
  EXPECT_EQ(Ask("/report?run=begun").status, 200);
  EXPECT_EQ(Ask("/report?run=begun&partial=1&consensus=1").status, 200);
  EXPECT_EQ(AskJson("/search?run=" + id + "&task=sums&q=problem").Find("problems")->size(), 2u);
}

TEST_F(Viewing, RunsOfTwoDatabasesAreToldApart) {
  const std::string other = directory_.Path("other.db");
  WriteReportRun(database_, {.name = "same", .outcomes = {"C"}});
  ReportRunSpec spec{.name = "same", .outcomes = {"I"}};
  spec.with_sample = [](StoredSample& stored) { stored.sample.completion.reasoning = "elsewhere"; };
  WriteReportRun(other, spec);
  View view({database_, other});
  EXPECT_THAT(Ask(view, "/samples?run=same&task=sums&problem=p0&index=0").body,
              Not(HasSubstr("elsewhere")));
  EXPECT_THAT(Ask(view, "/samples?run=2:same&task=sums&problem=p0&index=0").body,
              HasSubstr("elsewhere"));
  EXPECT_EQ(Ask(view, "/report?run=same&run=2:same").status, 200);
  EXPECT_EQ(Ask(view, "/report?run=same&run=3:same").status, 404);
  EXPECT_THAT(Ask(view, "/").body, HasSubstr("/report?run=2:"));
}

// --- the program ---

// `assay view` in a process of its own.
class Program {
 public:
  explicit Program(std::vector<std::string> words) {
    words.insert(words.begin(), BinaryPath("bin/assay"));
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    EXPECT_EQ(posix_spawn(&process_, arguments[0], &actions, nullptr, arguments.data(), environ),
              0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    output_ = ends[0];
    std::string line;
    char c = 0;
    pollfd wait = {output_, POLLIN, 0};
    while (poll(&wait, 1, 30'000) == 1 && read(output_, &c, 1) == 1 && c != '\n') line += c;
    address_ = line;
  }
  ~Program() {
    close(output_);
    if (process_ > 0) {
      kill(process_, SIGKILL);
      waitpid(process_, nullptr, 0);
    }
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  const std::string& address() const { return address_; }
  // Its exit status after this signal; -1 where it does not end.
  int End(int signal) {
    kill(process_, signal);
    int status = 0;
    for (int i = 0; i < 1000; ++i) {
      if (waitpid(process_, &status, WNOHANG) == process_) {
        process_ = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return -1;
  }

 private:
  pid_t process_ = 0;
  int output_ = -1;
  std::string address_;
};

http::Outcome Fetch(const std::string& url) {
  http::Client client({}, {});
  http::Request request;
  request.url = url;
  return http::Fetch(&client, std::move(request));
}

TEST_F(Viewing, TheProgramServesUntilCtrlC) {
  const std::string id = WriteReportRun(database_, {.name = "one", .outcomes = {"C-", "-"}});
  for (const int signal : {SIGINT, SIGTERM}) {
    Program program({"view", "one", "--db", database_});
    ASSERT_THAT(program.address(), HasSubstr("http://127.0.0.1:"));
    EXPECT_THAT(program.address(), HasSubstr("/report?run=" + id));
    const http::Outcome page = Fetch(program.address());
    EXPECT_EQ(page.status, 200) << page.error;
    EXPECT_THAT(page.content_type, HasSubstr("text/html"));
    EXPECT_EQ(program.End(signal), 0);
    EXPECT_EQ(Fetch(program.address()).trouble, http::Trouble::kConnect);
  }
}

TEST_F(Viewing, TheAddressSaysWhatTheCommandLineAskedFor) {
  const std::string one = WriteReportRun(database_, {.name = "one", .outcomes = {"C-"}});
  const std::string other = directory_.Path("other.db");
  const std::string two = WriteReportRun(other, {.name = "two", .outcomes = {"CC"}});
  Program program({"view", "one", other + ":two", "--db", database_, "--baseline", other + ":two",
                   "--tasks", "sums", "--x", "10,20", "--published-as", "a/b c", "--consensus",
                   "--allow-partial"});
  EXPECT_THAT(program.address(),
              HasSubstr("/report?run=" + one + "&run=2%3A" + two + "&baseline=2%3A" + two +
                        "&task=sums&x=10%2C20&published_as=a%2Fb%20c&consensus=1&partial=1"));
  const http::Outcome page = Fetch(program.address());
  EXPECT_EQ(page.status, 200) << page.body.substr(0, 300);
  EXPECT_THAT(page.body.substr(0, page.body.find("<style>")), HasSubstr("two · one"));
}

TEST_F(Viewing, WithoutAnyoneToOpenTheBrowserItServesAllTheSame) {
  WriteReportRun(database_, {.name = "one", .outcomes = {"C"}});
  const char* path = std::getenv("PATH");
  const std::string before = path != nullptr ? path : "";
  setenv("PATH", directory_.Path().c_str(), 1);  // no xdg-open here
  Program program({"view", "--db", database_, "--open"});
  setenv("PATH", before.c_str(), 1);
  EXPECT_EQ(Fetch(program.address()).status, 200);
  EXPECT_EQ(program.End(SIGINT), 0);
}

TEST_F(Viewing, ARunThatGrowsIsSeenToGrow) {
  ReportRunSpec spec{.name = "growing", .outcomes = {"CC-"}};
  const std::string id = WriteReportRun(database_, spec);
  Program program({"view", "--db", database_});
  const std::string server = program.address().substr(0, program.address().size() - 1);
  const std::string third = server + "/samples?run=" + id + "&task=sums&problem=p0&index=2";
  EXPECT_THAT(Fetch(third).body, HasSubstr("does not hold this sample"));
  EXPECT_THAT(Fetch(server + "/").body, HasSubstr(">2 of 3<"));
  ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(database_, StoreMode::kReadWrite));
  ASSERT_OK_AND_ASSIGN(const auto writer, store->ResumeRun(id));
  StoredSample landed;
  landed.task = "sums";
  landed.key = "sums/0/2";
  landed.sample.problem_id = "p0";
  landed.sample.index = 2;
  landed.sample.completion.answer = landed.sample.completion.raw = "landed just now";
  ASSERT_OK(writer->PutSample(landed));
  ASSERT_OK(writer->Flush());
  // The writer still holds the run.
  EXPECT_THAT(Fetch(third).body, HasSubstr("landed just now"));
  EXPECT_THAT(Fetch(server + "/").body, HasSubstr(">3 of 3<"));
  EXPECT_THAT(Fetch(server + "/").body, HasSubstr(">running<"));
  EXPECT_EQ(Fetch(server + "/report?run=" + id).status, 200);
  ASSERT_OK(writer->Finish(RunState::kComplete));
  EXPECT_EQ(program.End(SIGINT), 0);
}

TEST_F(Viewing, WrongUseIsSaidBeforeAnythingIsServed) {
  const std::string id = WriteReportRun(database_, {.name = "one", .outcomes = {"C"}});
  WriteReportRun(database_, {.name = "two", .outcomes = {"C"}});
  const auto server = http::LocalServer::Start(0, {}, nullptr);
  ASSERT_OK(server.status());
  const std::string taken = std::to_string((*server)->port());
  struct Case {
    std::vector<std::string> words;
    std::string error;
  };
  const std::vector<Case> cases = {
      {{"view", "nope", "--db", database_}, "there is no run 'nope'"},
      {{"view", "one", id, "--db", database_}, "named twice"},
      {{"view", "--db", directory_.Path("absent.db")}, "absent.db"},
      {{"view", "one", "--db", database_, "--port", taken}, "another program listens there"},
      {{"view", "one", "--db", database_, "--port", "70000"}, "found 70000"},
      {{"view", "--db", database_, "--x", "step"}, "name the runs"},
  };
  for (const Case& one : cases) {
    const testing_support::ProgramEnd end = RunAssay(one.words);
    EXPECT_EQ(end.status, 1) << Join(one.words, " ");
    EXPECT_THAT(end.err, HasSubstr(one.error)) << Join(one.words, " ");
    EXPECT_THAT(end.out, IsEmpty());
  }
}

}  // namespace
}  // namespace assay
