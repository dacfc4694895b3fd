// `assay datasets` and `assay run --fetch` as a user runs them: real processes against the mock
// hub, kill -9, a full disk, a proxy, and a token that must not be seen.
#include <unistd.h>

#include <filesystem>

#include "commands/shared/fetching.h"
#include "harness/hash.h"
#include "harness/status.h"
#include "harness/text.h"
#include "tests/mock_hub/hub.h"
#include "tests/mock_server/server.h"
#include "tests/testing.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using mock_hub::Fault;
using mock_hub::MockHub;
using testing::HasSubstr;
using testing::Not;
using testing_support::BinaryPath;
using testing_support::ProgramEnd;
using testing_support::ReadWholeFile;
using testing_support::RunProgram;
using testing_support::SourcePath;
using testing_support::TemporaryDirectory;
using testing_support::WriteWholeFile;

constexpr char kToken[] = "hf_a_token_that_must_not_appear";

std::string Problems(int count) {
  std::string lines;
  for (int i = 0; i < count; ++i) {
    lines += absl::StrFormat(
        "{\"id\":\"p%d\",\"question\":\"What is %d plus %d?\",\"answer\":"
        "\"%d\"}\n",
        i, i, i, 2 * i);
  }
  return lines;
}

class FetchCommands : public testing::Test {
 protected:
  void SetUp() override {
    auto hub = MockHub::Start();
    ASSERT_TRUE(hub.ok()) << hub.status();
    hub_ = *std::move(hub);
    data_ = directory_.Path("data");
    // A catalogue of our own, found before the shipped one.
    fs::create_directories(directory_.Path("catalogue"));
    WriteWholeFile(directory_.Path("catalogue/catalogue.yaml"), R"(sets:
  - {name: sums, file: sums.jsonl, origin: the mock hub, licence: none, fetch: resolve,
     hub_id: owner/sums, files: [test.jsonl], tasks: [sums]}
  - {name: secret, file: secret.jsonl, origin: the mock hub, licence: none, fetch: resolve,
     hub_id: owner/secret, gated: true, files: [test.jsonl]}
  - {name: rows, file: rows.jsonl, origin: the mock hub, licence: none, fetch: rows,
     hub_id: owner/rows, split: test}
  - {name: hand, file: hand.jsonl, origin: elsewhere, licence: none, fetch: by_hand,
     get: ask for it}
)");
    WriteWholeFile(directory_.Path("sums.yaml"), R"(name: sums
version: "1"
about: Sums.
dataset: {file: sums.jsonl}
fields: {id: id, reference: answer}
prompt: "{{ question }}"
extract: boxed
grader: exact
samples: 1
)");
    hub_->SetToken(kToken);
    hub_->PutFile("owner/sums", "test.jsonl", {.bytes = Problems(20), .redirected = true});
    hub_->PutFile("owner/secret", "test.jsonl",
                  {.bytes = Problems(5), .redirected = true, .gated = true});
    hub_->PutRows("owner/rows", "default", "test", {.rows = {"{\"n\":1}", "{\"n\":2}"}});
  }

  std::vector<std::string> Environment(const std::string& token = "") const {
    return {"ASSAY_DATA=" + data_ + ":" + directory_.Path("catalogue"),
            "HF_ENDPOINT=" + hub_->endpoint(),
            "HF_ROWS_ENDPOINT=" + hub_->endpoint(),
            "HF_TOKEN=" + token,
            "HOME=" + directory_.Path("home"),
            "http_proxy=",
            "https_proxy="};
  }
  ProgramEnd Assay(std::vector<std::string> words, const std::string& token = "") {
    return testing_support::RunAssay(std::move(words), Environment(token));
  }
  ProgramEnd Shell(const std::string& script) {
    return RunProgram({"sh", "-c", script, "sh", BinaryPath("bin/assay")}, Environment());
  }

  TemporaryDirectory directory_;
  std::unique_ptr<MockHub> hub_;
  std::string data_;
};

TEST_F(FetchCommands, AFetchThenListVerifyAndPath) {
  ProgramEnd end = Assay({"datasets", "path", "sums"});
  EXPECT_EQ(end.status, 1);
  EXPECT_THAT(end.err, HasSubstr("sums.jsonl is not here: `assay datasets fetch sums`"));
  end = Assay({"datasets", "fetch", "sums"});
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_THAT(end.out, HasSubstr("fetched"));
  end = Assay({"datasets", "fetch", "sums", "--json"});
  ASSERT_OK_AND_ASSIGN(const Json json, ParseJson(end.out));
  EXPECT_EQ(json.AsArray()[0].FindString("sha256"), Sha256Hex(Problems(20)));
  EXPECT_EQ(json.AsArray()[0].FindBool("fetched"), false);
  EXPECT_EQ(Assay({"datasets", "path", "sums"}).out, data_ + "/sums.jsonl\n");
  end = Assay({"datasets", "verify", "sums"});
  EXPECT_EQ(end.status, 0);
  EXPECT_THAT(end.out, HasSubstr("as pinned"));
  EXPECT_THAT(Assay({"datasets", "list"}).out, HasSubstr("sums"));
  WriteWholeFile(data_ + "/sums.jsonl", Problems(19));
  end = Assay({"datasets", "verify", "sums"});
  EXPECT_EQ(end.status, 1);
  EXPECT_THAT(end.out, HasSubstr("DIFFERS"));
}

TEST_F(FetchCommands, AllThatCanBeFetchedAndWhatCannot) {
  ProgramEnd end = Assay({"datasets", "fetch", "all"}, kToken);
  EXPECT_EQ(end.status, 0) << end.err;
  for (const char* file : {"sums.jsonl", "secret.jsonl", "rows.jsonl"}) {
    EXPECT_TRUE(fs::exists(data_ + "/" + file)) << file;
  }
  end = Assay({"datasets", "fetch", "hand"});
  EXPECT_EQ(end.status, 1);
  EXPECT_THAT(end.err, HasSubstr("no command fetches this set: ask for it"));
  EXPECT_THAT(Assay({"datasets", "fetch", "summs"}).err, HasSubstr("did you mean 'sums'"));
  EXPECT_THAT(Assay({"datasets", "fetch"}).err, HasSubstr("name the sets to fetch"));
  // One that fails does not keep the others from being fetched.
  fs::remove_all(data_);
  end = Assay({"datasets", "fetch", "all"});
  EXPECT_EQ(end.status, 1);
  EXPECT_TRUE(fs::exists(data_ + "/rows.jsonl"));
  EXPECT_FALSE(fs::exists(data_ + "/secret.jsonl"));
}

TEST_F(FetchCommands, ASuiteFetchesWhatItsTasksRead) {
  WriteWholeFile(directory_.Path("mine.yaml"), "suite: mine\nabout: mine\ntasks:\n  - sums\n");
  const ProgramEnd end =
      Assay({"datasets", "fetch", "--suite", "mine", "--include-path", directory_.Path()});
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_TRUE(fs::exists(data_ + "/sums.jsonl"));
  EXPECT_FALSE(fs::exists(data_ + "/rows.jsonl"));
}

TEST_F(FetchCommands, ARunFetchesWhatItLacksWhereAsked) {
  const std::vector<std::string> run = {"run", "--dry-run", "--tasks",
                                        directory_.Path("sums.yaml")};
  ProgramEnd end = Assay(run);
  EXPECT_EQ(end.status, 1);
  EXPECT_THAT(end.err, HasSubstr("To get it: `assay datasets fetch sums`."));
  EXPECT_TRUE(hub_->seen().empty());
  std::vector<std::string> fetching = run;
  fetching.push_back("--fetch");
  end = Assay(fetching);
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_THAT(end.out, HasSubstr("20 problems"));
  const size_t asked = hub_->seen().size();
  EXPECT_EQ(Assay(fetching).status, 0);
  EXPECT_EQ(hub_->seen().size(), asked);
  // What was pinned holds for every run.
  WriteWholeFile(data_ + "/sums.jsonl", Problems(19));
  end = Assay(run);
  EXPECT_EQ(end.status, 1);
  EXPECT_THAT(end.err, HasSubstr("this is not the file that was pinned"));
  EXPECT_THAT(end.err, HasSubstr(Sha256Hex(Problems(20))));
}

TEST_F(FetchCommands, OfflineAsksNobody) {
  const ProgramEnd end = Assay({"datasets", "fetch", "sums", "--offline"});
  EXPECT_EQ(end.status, 1);
  EXPECT_THAT(end.err, HasSubstr("--offline"));
  EXPECT_TRUE(hub_->seen().empty());
}

TEST_F(FetchCommands, KillNineInTheMiddleLosesOnlyWhatWasInFlight) {
  const std::string bytes = Problems(20'000);
  hub_->PutFile("owner/sums", "test.jsonl", {.bytes = bytes, .redirected = true});
  hub_->SetPace(500'000);
  for (int kills = 0; kills < 3; ++kills) {
    const ProgramEnd killed = Shell("timeout -s KILL 0.7 \"$1\" datasets fetch sums");
    EXPECT_NE(killed.status, 0);
    EXPECT_FALSE(fs::exists(data_ + "/sums.jsonl"));
  }
  hub_->SetPace(0);
  const ProgramEnd end = Assay({"datasets", "fetch", "sums"});
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_THAT(end.err, HasSubstr("going on at byte"));
  EXPECT_EQ(ReadWholeFile(data_ + "/sums.jsonl"), bytes);
  EXPECT_THAT(hub_->seen().back().head, HasSubstr("Range: bytes="));
}

TEST_F(FetchCommands, CtrlCKeepsWhatCame) {
  hub_->PutFile("owner/sums", "test.jsonl", {.bytes = Problems(20'000)});
  hub_->SetPace(500'000);
  const ProgramEnd stopped = Shell("timeout -s INT --foreground 1 \"$1\" datasets fetch sums");
  EXPECT_THAT(stopped.err, HasSubstr("stopped; the same command goes on from here"));
  hub_->SetPace(0);
  EXPECT_THAT(Assay({"datasets", "fetch", "sums"}).err, HasSubstr("going on at byte"));
}

TEST_F(FetchCommands, TwoProcessesAtOnceDownloadOnce) {
  hub_->PutFile("owner/sums", "test.jsonl", {.bytes = Problems(20'000)});
  hub_->SetPace(1'500'000);
  const ProgramEnd end = Shell(
      "\"$1\" datasets fetch sums & one=$!; \"$1\" datasets fetch sums & two=$!; "
      "wait $one && wait $two");
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_THAT(end.err, HasSubstr("another process is fetching it; waiting"));
  EXPECT_EQ(hub_->seen().size(), 1u);
}

TEST_F(FetchCommands, AFullDiskIsOneErrorAndTheNextFetchGoesOn) {
  const std::string bytes = Problems(20'000);
  hub_->PutFile("owner/sums", "test.jsonl", {.bytes = bytes});
  // No write beyond 512 x 1,000 bytes.
  const ProgramEnd full = Shell("trap '' XFSZ; ulimit -f 1000; exec \"$1\" datasets fetch sums");
  EXPECT_EQ(full.status, 1);
  EXPECT_THAT(full.err, HasSubstr("cannot write: File too large; make room"));
  EXPECT_FALSE(fs::exists(data_ + "/sums.jsonl"));
  const ProgramEnd end = Assay({"datasets", "fetch", "sums"});
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_THAT(end.err, HasSubstr("going on at byte"));
  EXPECT_EQ(ReadWholeFile(data_ + "/sums.jsonl"), bytes);
}

TEST_F(FetchCommands, ADirectoryWithoutPermissionIsOneError) {
  if (geteuid() == 0) {
    data_ = "/proc/assay-data";  // where root may not write either
  } else {
    data_ = directory_.Path("closed") + "/data";
    fs::create_directories(directory_.Path("closed"));
    fs::permissions(directory_.Path("closed"), fs::perms::owner_read);
  }
  const ProgramEnd end = Assay({"datasets", "fetch", "sums"});
  EXPECT_EQ(end.status, 1);
  EXPECT_THAT(end.err, HasSubstr(data_));
  EXPECT_THAT(end.err, HasSubstr("cannot make the directory"));
}

TEST_F(FetchCommands, TheTokenAppearsNowhere) {
  std::string all;
  const auto run = [&](const std::vector<std::string>& words) {
    const ProgramEnd end = Assay(words, kToken);
    all += end.out + end.err;
  };
  run({"datasets", "fetch", "secret"});
  EXPECT_TRUE(fs::exists(data_ + "/secret.jsonl"));
  fs::remove_all(data_);
  hub_->SetToken("another");
  run({"datasets", "fetch", "secret"});  // 403
  hub_->SetToken(kToken);
  hub_->AddOrder({.fault = Fault::kStatus, .status = 503});
  hub_->AddOrder({.fault = Fault::kCut, .after = 10});
  hub_->AddOrder({.fault = Fault::kWebPage});
  run({"datasets", "fetch", "secret", "--json"});
  run({"datasets", "fetch", "all"});
  run({"datasets", "list", "--json"});
  run({"datasets", "verify", "--json"});
  EXPECT_THAT(all, HasSubstr("403"));
  EXPECT_THAT(all, HasSubstr("web page"));
  EXPECT_THAT(all, Not(HasSubstr(kToken)));
  EXPECT_THAT(all, Not(HasSubstr("signed_secret")));
  int files = 0;
  for (const auto& file : fs::recursive_directory_iterator(directory_.Path())) {
    if (!file.is_regular_file()) continue;
    ++files;
    EXPECT_THAT(ReadWholeFile(file.path().string()), Not(HasSubstr(kToken))) << file.path();
    EXPECT_THAT(ReadWholeFile(file.path().string()), Not(HasSubstr("signed_secret")));
  }
  EXPECT_GT(files, 5);
}

TEST_F(FetchCommands, AWrongEnvironmentIsTold) {
  const auto with = [&](const std::string& variable) {
    std::vector<std::string> environment = Environment();
    environment.insert(environment.begin(), variable);  // the first one counts
    return testing_support::RunAssay({"datasets", "fetch", "sums"}, environment).err;
  };
  EXPECT_THAT(with("HF_ENDPOINT=ftp://x"), HasSubstr("$HF_ENDPOINT: expected http(s)://HOST"));
  EXPECT_THAT(with("HF_ENDPOINT=https://me:password@x"), Not(HasSubstr("password@")));
  EXPECT_THAT(with("HF_TOKEN=a b"), HasSubstr("$HF_TOKEN: a token is"));
}

TEST_F(FetchCommands, AProxyOfTheEnvironmentIsUsed) {
  std::vector<std::string> environment = Environment();
  // No such host: only a proxy finds it. The first of a name counts.
  environment.insert(environment.begin(),
                     {"HF_ENDPOINT=http://hub.invalid", "http_proxy=" + hub_->endpoint()});
  hub_->PutFile("owner/sums", "test.jsonl", {.bytes = Problems(20)});
  const ProgramEnd end = testing_support::RunAssay({"datasets", "fetch", "sums"}, environment);
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_THAT(hub_->seen().back().head, HasSubstr("http://hub.invalid/datasets/owner/sums"));
}

TEST_F(FetchCommands, ParquetByHandSaysHowToConvertIt) {
  WriteWholeFile(directory_.Path("a.parquet"), "PAR1");
  const ProgramEnd end =
      Assay({"datasets", "import", directory_.Path("a.parquet"), "--as", "hand"});
  EXPECT_EQ(end.status, 1);
  EXPECT_THAT(end.err, HasSubstr("python3 -c \"import pandas; pandas.read_parquet('"));
}

TEST_F(FetchCommands, ImportsUnderANameOfOnesOwnAreListed) {
  WriteWholeFile(directory_.Path("mine.csv"), "id,question,answer\n1,What?,42\n");
  ProgramEnd end = Assay({"datasets", "import", directory_.Path("mine.csv"), "--as", "capitals"});
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(Assay({"datasets", "path", "capitals"}).out, data_ + "/capitals.csv\n");
  end = Assay({"datasets", "verify", "capitals"});
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_THAT(end.out, HasSubstr("as pinned"));
  EXPECT_THAT(Assay({"datasets", "list"}).out, HasSubstr("capitals"));
}

TEST(FetchProgress, SaysHowMuchHowFastAndHowLong) {
  EXPECT_EQ(FetchProgressText("a: b", 500'000, 1'000'000, fetch::Unit::kBytes, 0),
            "a: b  [##########..........]  50%  500 kB of 1.0 MB");
  EXPECT_EQ(FetchProgressText("a", 200, 1'000, fetch::Unit::kRows, 2),
            "a  [####................]  20%  200 of 1,000 rows, 100/s, 8s left");
  EXPECT_EQ(FetchProgressText("a", 3'000'000'000, -1, fetch::Unit::kBytes, 2),
            "a  3.00 GB, 1.50 GB/s");
}

}  // namespace
}  // namespace assay
