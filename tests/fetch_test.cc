// Fetching against the mock hub: every way that a network fails ends in the right bytes or in one
// clear error, and never in a damaged data directory.
#include "fetch/fetch.h"

#include <filesystem>
#include <thread>

#include "fetch/archive.h"
#include "fetch/download.h"
#include "fetch/files.h"
#include "fetch/transfer.h"
#include "harness/data_manifest.h"
#include "harness/hash.h"
#include "harness/status.h"
#include "harness/text.h"
#include "tests/mock_hub/hub.h"
#include "tests/testing.h"

namespace assay::fetch {
namespace {

namespace fs = std::filesystem;
using mock_hub::Fault;
using mock_hub::HubFile;
using mock_hub::MockHub;
using mock_hub::Order;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing_support::ReadWholeFile;
using testing_support::TemporaryDirectory;
using testing_support::WriteWholeFile;

std::string Lines(int count, std::string_view padding = "") {
  std::string lines;
  for (int i = 0; i < count; ++i) {
    lines +=
        absl::StrFormat("{\"id\":%d,\"question\":\"q%d%s\",\"answer\":\"%d\"}\n", i, i, padding, i);
  }
  return lines;
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

class Fetching : public testing::Test {
 protected:
  void SetUp() override {
    auto hub = MockHub::Start();
    ASSERT_TRUE(hub.ok()) << hub.status();
    hub_ = *std::move(hub);
    options_.directory = directory_.Path("data");
    options_.hub.endpoint = options_.hub.rows_endpoint = hub_->endpoint();
    options_.patience.connect = milliseconds(2000);
    options_.patience.first_byte = options_.patience.stall = milliseconds(300);
    options_.patience.backoff_base = milliseconds(1);
    options_.patience.backoff_cap = milliseconds(5);
    options_.watcher.note = [this](const std::string& note) { notes_ += note + "\n"; };
    entry_.name = "set";
    entry_.file = "set.jsonl";
    entry_.fetch = FetchMethod::kResolve;
    entry_.hub_id = "owner/set";
    entry_.files = {"test.jsonl"};
  }

  void Serve(const std::string& bytes, HubFile file = {}) {
    file.bytes = bytes;
    hub_->PutFile("owner/set", "test.jsonl", std::move(file));
  }
  std::string FinalPath() const { return options_.directory + "/set.jsonl"; }
  // Nothing is left but what is whole.
  void ExpectClean() const {
    for (const auto& file : fs::directory_iterator(options_.directory)) {
      const std::string name = file.path().filename().string();
      EXPECT_TRUE(name == "set.jsonl" || name == ".fetch" || name == kDataManifestName) << name;
    }
    EXPECT_FALSE(fs::exists(options_.directory + "/.fetch/set/made"));
  }
  void ExpectFails(std::string_view message) {
    const auto set = FetchDataset(entry_, options_);
    ASSERT_FALSE(set.ok());
    EXPECT_THAT(Message(set.status()), HasSubstr(message));
    EXPECT_FALSE(fs::exists(FinalPath()));
    if (fs::exists(options_.directory)) ExpectClean();
  }

  TemporaryDirectory directory_;
  std::unique_ptr<MockHub> hub_;
  FetchOptions options_;
  CatalogueEntry entry_;
  std::string notes_;
};

TEST_F(Fetching, TheFirstFetchPinsWhatItGot) {
  const std::string bytes = Lines(7);
  Serve(bytes);
  ASSERT_OK_AND_ASSIGN(const FetchedSet set, FetchDataset(entry_, options_));
  EXPECT_EQ(ReadWholeFile(set.path), bytes);
  EXPECT_EQ(set.rows, 7);
  EXPECT_FALSE(set.was_here);
  ASSERT_OK_AND_ASSIGN(const DataManifest manifest, ReadDataManifest(options_.directory));
  ASSERT_NE(manifest.Find("set"), nullptr);
  EXPECT_EQ(manifest.Find("set")->sha256, Sha256Hex(bytes));
  EXPECT_EQ(manifest.Find("set")->rows, 7);
  EXPECT_EQ(manifest.Find("set")->revision, std::string(40, '1'));
  EXPECT_EQ(manifest.Find("set")->sources[0].sha256, Sha256Hex(bytes));
  ExpectClean();
  EXPECT_FALSE(fs::exists(options_.directory + "/.fetch/set"));
}

TEST_F(Fetching, WhatIsHereIsNotAskedForAgain) {
  Serve(Lines(3));
  ASSERT_OK(FetchDataset(entry_, options_));
  const size_t asked = hub_->seen().size();
  ASSERT_OK_AND_ASSIGN(const FetchedSet set, FetchDataset(entry_, options_));
  EXPECT_TRUE(set.was_here);
  EXPECT_EQ(set.rows, 3);
  EXPECT_EQ(hub_->seen().size(), asked);
}

TEST_F(Fetching, ALaterFetchAsksForThePinnedRevision) {
  Serve(Lines(3));
  ASSERT_OK(FetchDataset(entry_, options_));
  options_.again = true;
  ASSERT_OK(FetchDataset(entry_, options_));
  EXPECT_THAT(hub_->seen().back().path, HasSubstr("/resolve/" + std::string(40, '1') + "/"));
  hub_->SetRevision(std::string(40, '2'));
  const auto gone = FetchDataset(entry_, options_);
  EXPECT_THAT(Message(gone.status()), HasSubstr("404 Not Found: not found; the file or revision"));
  EXPECT_EQ(ReadWholeFile(FinalPath()), Lines(3));  // untouched
}

TEST_F(Fetching, OtherBytesThanThePinnedOnesAreAHardErrorUntilAccepted) {
  Serve(Lines(3));
  ASSERT_OK(FetchDataset(entry_, options_));
  Serve(Lines(4));
  options_.again = true;
  const auto differs = FetchDataset(entry_, options_);
  ASSERT_FALSE(differs.ok());
  EXPECT_THAT(Message(differs.status()), HasSubstr(Sha256Hex(Lines(3))));
  EXPECT_THAT(Message(differs.status()), HasSubstr(Sha256Hex(Lines(4))));
  EXPECT_THAT(Message(differs.status()), HasSubstr("--accept-new"));
  EXPECT_EQ(ReadWholeFile(FinalPath()), Lines(3));
  options_.accept_new = true;
  ASSERT_OK(FetchDataset(entry_, options_));
  EXPECT_EQ(ReadWholeFile(FinalPath()), Lines(4));
  options_.accept_new = options_.again = false;
  ASSERT_OK_AND_ASSIGN(const FetchedSet set, FetchDataset(entry_, options_));
  EXPECT_EQ(set.rows, 4);
  ExpectClean();
}

TEST_F(Fetching, TheCataloguesHashDecides) {
  Serve(Lines(3));
  entry_.sha256 = Sha256Hex(Lines(5));
  ExpectFails("its sha256 is " + Sha256Hex(Lines(3)) + ", the catalogue pins " + entry_.sha256);
  options_.accept_new = true;
  ASSERT_OK(FetchDataset(entry_, options_));
  options_.accept_new = false;
  // It stays accepted, and says so.
  ASSERT_OK(FetchDataset(entry_, options_));
  options_.again = true;
  ASSERT_OK(FetchDataset(entry_, options_));
  const DatasetCheck check = CheckDataset({{}, {options_.directory}}, entry_);
  EXPECT_EQ(check.state, DatasetState::kAsPinned);
  EXPECT_THAT(check.what, HasSubstr("accepted"));
}

TEST_F(Fetching, TheCataloguesNumberOfRowsIsChecked) {
  Serve(Lines(3));
  entry_.rows = 5;
  ExpectFails("3 rows came, the catalogue has 5");
  options_.accept_new = true;
  ASSERT_OK(FetchDataset(entry_, options_));
  options_.accept_new = false;
  options_.again = true;
  ASSERT_OK(FetchDataset(entry_, options_));  // an accepted set stays accepted
}

TEST_F(Fetching, AFileThatWasChangedHereIsTold) {
  Serve(Lines(3));
  ASSERT_OK(FetchDataset(entry_, options_));
  WriteWholeFile(FinalPath(), Lines(2));
  const auto changed = FetchDataset(entry_, options_);
  EXPECT_THAT(Message(changed.status()), HasSubstr("is not the file that was pinned"));
  EXPECT_THAT(Message(changed.status()), HasSubstr(Sha256Hex(Lines(2))));
  options_.again = true;
  ASSERT_OK(FetchDataset(entry_, options_));
  EXPECT_EQ(ReadWholeFile(FinalPath()), Lines(3));
}

TEST_F(Fetching, AFilePutHereByHandIsTakenAndPinned) {
  fs::create_directories(options_.directory);
  WriteWholeFile(FinalPath(), Lines(6));
  options_.offline = true;
  ASSERT_OK_AND_ASSIGN(const FetchedSet set, FetchDataset(entry_, options_));
  EXPECT_EQ(set.rows, 6);
  WriteWholeFile(FinalPath(), Lines(5));
  EXPECT_FALSE(FetchDataset(entry_, options_).ok());
  EXPECT_THAT(hub_->seen(), IsEmpty());
}

TEST_F(Fetching, OfflineNeverTouchesTheNetwork) {
  Serve(Lines(3));
  options_.offline = true;
  ExpectFails("--offline forbids to fetch it");
  options_.again = true;
  ExpectFails("--offline");
  EXPECT_THAT(hub_->seen(), IsEmpty());
}

TEST_F(Fetching, ATokenGoesToTheHubAndNotToTheStore) {
  options_.hub.token = "hf_secret_token";
  Serve(Lines(3), {.redirected = true, .gated = true});
  ASSERT_OK(FetchDataset(entry_, options_));
  bool at_store = false;
  for (const mock_hub::SeenRequest& request : hub_->seen()) {
    EXPECT_EQ(Contains(request.head, "hf_secret_token"), !request.at_store) << request.head;
    at_store |= request.at_store;
  }
  EXPECT_TRUE(at_store);
  // Signed addresses are not written down either.
  const std::string manifest =
      ReadWholeFile(options_.directory + "/" + std::string(kDataManifestName));
  EXPECT_THAT(manifest, Not(HasSubstr("secret")));
}

TEST_F(Fetching, AGatedSetSaysWhichPageAndWhichVariable) {
  entry_.gated = true;
  entry_.page = "https://huggingface.co/datasets/owner/set";
  Serve(Lines(3), {.gated = true});
  ExpectFails("401 Unauthorized: Access to this dataset is restricted.; the set is gated");
  ExpectFails("accept its terms at https://huggingface.co/datasets/owner/set");
  ExpectFails("HF_TOKEN");
  options_.hub.token = "hf_wrong_token";
  ExpectFails("403 Forbidden");
  ExpectFails("accept its terms at https://huggingface.co/datasets/owner/set");
  const auto refused = FetchDataset(entry_, options_);
  EXPECT_THAT(Message(refused.status()) + notes_, Not(HasSubstr("hf_wrong_token")));
}

// --- faults that are waited out ---

TEST_F(Fetching, CutConnectionsAreTakenUpWhereTheyBroke) {
  const std::string bytes = Lines(2000, std::string(50, 'x'));
  for (const bool redirected : {false, true}) {
    fs::remove_all(options_.directory);
    Serve(bytes, {.redirected = redirected});
    const size_t before = hub_->seen().size();
    for (int i = 0; i < 8; ++i) hub_->AddOrder({.fault = Fault::kCut, .after = 10'000 + i});
    ASSERT_OK(FetchDataset(entry_, options_));
    EXPECT_EQ(ReadWholeFile(FinalPath()), bytes);
    EXPECT_EQ(hub_->orders_left(), 0u);
    int ranges = 0;
    const auto seen = hub_->seen();
    for (size_t i = before; i < seen.size(); ++i) {
      ranges += Contains(seen[i].head, "If-Range: \"v1\"") && seen[i].at_store == redirected;
    }
    EXPECT_EQ(ranges, 8);
  }
}

TEST_F(Fetching, RefusalsAreWaitedOut) {
  Serve(Lines(3));
  for (const int status : {429, 500, 502, 503, 504}) {
    hub_->AddOrder({.fault = Fault::kStatus, .status = status});
  }
  ASSERT_OK(FetchDataset(entry_, options_));
  EXPECT_THAT(notes_, HasSubstr("429 Too Many Requests; again in"));
}

TEST_F(Fetching, RetryAfterIsKept) {
  Serve(Lines(3));
  hub_->AddOrder({.fault = Fault::kStatus, .status = 429, .retry_after = 1});
  ASSERT_OK(FetchDataset(entry_, options_));
  EXPECT_THAT(notes_, HasSubstr("429 Too Many Requests; again in 1.0 s"));
  fs::remove_all(options_.directory);
  hub_->AddOrder({.fault = Fault::kStatus, .status = 429, .retry_after = 3600});
  ExpectFails("the server asks to come back in 3600 s");
}

TEST_F(Fetching, TriesEnd) {
  Serve(Lines(3));
  for (int i = 0; i < 6; ++i) hub_->AddOrder({.fault = Fault::kStatus, .status = 503});
  ExpectFails("503 Service Unavailable (6 tries)");
  EXPECT_EQ(hub_->orders_left(), 0u);
}

TEST_F(Fetching, StallsAndSilenceAreBroughtToAnEnd) {
  Serve(Lines(100));
  hub_->AddOrder({.fault = Fault::kStall, .after = 100});
  hub_->AddOrder({.fault = Fault::kSilence});
  ASSERT_OK(FetchDataset(entry_, options_));
  EXPECT_EQ(ReadWholeFile(FinalPath()), Lines(100));
  EXPECT_THAT(notes_, HasSubstr("sent nothing more in the middle of the file"));
  EXPECT_THAT(notes_, HasSubstr("did not begin to answer in time"));
}

TEST_F(Fetching, ASlowServerIsNotAStalledOne) {
  hub_->SetPace(20'000);
  Serve(Lines(400));  // some 0.8 s: longer than the limit of a stall
  ASSERT_OK(FetchDataset(entry_, options_));
  EXPECT_THAT(notes_, IsEmpty());
}

TEST_F(Fetching, AFileThatChangesMidwayIsNeverMixed) {
  const std::string first = Lines(500, "aaaa"), second = Lines(500, "bbbb");
  Serve(first);
  hub_->AddOrder({.fault = Fault::kCut, .after = 5'000});
  hub_->AddOrder({.fault = Fault::kChange, .bytes = second});
  ASSERT_OK(FetchDataset(entry_, options_));
  EXPECT_EQ(ReadWholeFile(FinalPath()), second);
  EXPECT_THAT(notes_, HasSubstr("beginning anew"));
}

TEST_F(Fetching, ARangeFromAnotherPlaceIsNotTaken) {
  const std::string bytes = Lines(500);
  Serve(bytes);
  hub_->AddOrder({.fault = Fault::kCut, .after = 5'000});
  hub_->AddOrder({.fault = Fault::kWrongRange});
  ASSERT_OK(FetchDataset(entry_, options_));
  EXPECT_EQ(ReadWholeFile(FinalPath()), bytes);
}

TEST_F(Fetching, WithoutRangesOrAStrongEtagItBeginsAnew) {
  const std::string bytes = Lines(500);
  for (const HubFile& file : {HubFile{.ranges = false}, HubFile{.etag = "W/\"v1\""},
                              HubFile{.etag = ""}, HubFile{.says_length = false}}) {
    fs::remove_all(options_.directory);
    Serve(bytes, file);
    hub_->AddOrder({.fault = Fault::kCut, .after = 5'000});
    ASSERT_OK(FetchDataset(entry_, options_));
    EXPECT_EQ(ReadWholeFile(FinalPath()), bytes);
  }
}

TEST_F(Fetching, APartOfAnotherRunIsGoneOnWith) {
  const std::string bytes = Lines(500);
  Serve(bytes);
  options_.patience.tries = 1;
  hub_->AddOrder({.fault = Fault::kCut, .after = 5'000});
  ExpectFails("the connection broke");
  const size_t before = hub_->seen().size();
  ASSERT_OK(FetchDataset(entry_, options_));
  EXPECT_EQ(ReadWholeFile(FinalPath()), bytes);
  EXPECT_THAT(hub_->seen()[before].head, HasSubstr("Range: bytes=5000-"));
  EXPECT_THAT(notes_, HasSubstr("going on at byte 5,000 of"));
}

TEST_F(Fetching, APartThatIsLongerThanTheFileIsDropped) {
  Serve(Lines(500));
  options_.patience.tries = 1;
  hub_->AddOrder({.fault = Fault::kCut, .after = 5'000});
  ExpectFails("the connection broke");
  Serve(Lines(5));  // the same ETag, which is a server's fault
  ASSERT_OK(FetchDataset(entry_, options_));
  EXPECT_EQ(ReadWholeFile(FinalPath()), Lines(5));
}

// --- faults that are errors ---

TEST_F(Fetching, PagesInThePlaceOfDataAreRecognised) {
  Serve(Lines(3));
  hub_->AddOrder({.fault = Fault::kWebPage});
  ExpectFails("the server sent a web page");
  hub_->AddOrder({.fault = Fault::kDisguisedPage});
  ExpectFails("this is a web page (HTML or XML), not rows");
  ASSERT_OK(FetchDataset(entry_, options_));  // and nothing of it stayed
}

TEST_F(Fetching, DamageOnTheWayIsSeenByTheHubsOwnHash) {
  Serve(Lines(30), {.redirected = true});
  hub_->AddOrder({.fault = Fault::kFlip});
  ExpectFails("what came is damaged");
  ASSERT_OK(FetchDataset(entry_, options_));
}

TEST_F(Fetching, RowsThatAreWrongAreToldWithTheirLine) {
  std::string bytes = Lines(9'000) + "[\"a list\"]\n" + Lines(10);
  Serve(bytes);
  ExpectFails("set.jsonl:9001: expected an object ({...}), found array");
  bytes = Lines(3);
  bytes.resize(bytes.size() - 9);
  Serve(bytes);
  ExpectFails("is the file cut off?");
  Serve("");
  ExpectFails("an empty reply came");
  Serve("version https://git-lfs.github.com/spec/v1\noid sha256:1\n");
  ExpectFails("Git LFS pointer");
  Serve("PAR1....");
  ExpectFails("Parquet");
}

TEST_F(Fetching, AnUnreachableHubIsOneClearError) {
  options_.hub.endpoint = "http://127.0.0.1:1";
  options_.patience.tries = 2;
  ExpectFails("http://127.0.0.1:1 cannot be reached: ");
  ExpectFails("HF_ENDPOINT");
  options_.hub.endpoint = "http://no-such-host.invalid";
  ExpectFails("http://no-such-host.invalid cannot be reached: ");
}

TEST_F(Fetching, ALostFileSaysWhereToLook) {
  ExpectFails("404 Not Found: not found; the file or revision is not there");
}

TEST_F(Fetching, RedirectsAreBounded) {
  Serve("", {.location = "/datasets/owner/set/resolve/main/test.jsonl"});
  ExpectFails("more than 10 redirects");
  EXPECT_EQ(hub_->seen().size(), 11u);
  Serve("", {.location = "ftp://somewhere/test.jsonl"});
  ExpectFails("a redirect (302) to nowhere");
}

TEST_F(Fetching, ARelativeRedirectIsFollowedWithTheToken) {
  options_.hub.token = "hf_secret_token";
  hub_->PutFile("owner/new", "test.jsonl", {.bytes = Lines(3), .gated = true});
  Serve("", {.location = "/datasets/owner/new/resolve/main/test.jsonl"});
  ASSERT_OK(FetchDataset(entry_, options_));  // as for a repository that was renamed
}

TEST_F(Fetching, AnyAddressWillDo) {
  Serve(Lines(3), {.redirected = true});
  entry_.fetch = FetchMethod::kUrl;
  entry_.files = {hub_->endpoint() + "/owner/set/test.jsonl"};
  ASSERT_OK(FetchDataset(entry_, options_));
}

TEST_F(Fetching, AFileThatIsNotThereCostsNoneOfTheOthers) {
  hub_->PutFile("owner/set", "a.jsonl", {.bytes = Lines(3)});
  entry_.files = {"a.jsonl", "b.jsonl"};
  ExpectFails("404 Not Found");
  hub_->PutFile("owner/set", "b.jsonl", {.bytes = Lines(2)});
  const size_t before = hub_->seen().size();
  ASSERT_OK(FetchDataset(entry_, options_));
  EXPECT_EQ(hub_->seen().size(), before + 1);
}

TEST_F(Fetching, ADirectoryThatCannotBeMadeIsOneClearError) {
  WriteWholeFile(directory_.Path("file"), "x");
  Serve(Lines(3));
  options_.directory = directory_.Path("file") + "/data";
  const auto set = FetchDataset(entry_, options_);
  EXPECT_THAT(Message(set.status()), HasSubstr("cannot make the directory: Not a directory"));
  options_.directory = "/sys/assay";
  const auto forbidden = FetchDataset(entry_, options_);
  EXPECT_THAT(Message(forbidden.status()), HasSubstr("/sys/assay"));
}

TEST_F(Fetching, AFullDiskIsOneClearError) {
  ASSERT_OK_AND_ASSIGN(FileWriter full, FileWriter::Open("/dev/full", 0));
  const absl::Status status = full.Write("x");
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_THAT(Message(status), HasSubstr("No space left on device; make room"));
}

TEST_F(Fetching, ADamagedManifestIsNotWrittenOver) {
  Serve(Lines(3));
  ASSERT_OK(FetchDataset(entry_, options_));
  const std::string path = options_.directory + "/" + std::string(kDataManifestName);
  for (const std::string_view text : {"{", "{\"format\":2}", "{\"format\":1,\"sets\":[{}]}"}) {
    WriteWholeFile(path, text);
    const auto set = FetchDataset(entry_, options_);
    ASSERT_FALSE(set.ok()) << text;
    EXPECT_THAT(Message(set.status()), HasSubstr(path));
    EXPECT_EQ(ReadWholeFile(path), text);
  }
}

TEST_F(Fetching, TwoAtOnceDownloadOnce) {
  hub_->SetPace(200'000);
  Serve(Lines(2000, std::string(20, 'x')));
  std::vector<std::thread> threads;
  std::vector<absl::Status> ends(3);
  for (absl::Status& end : ends) {
    threads.emplace_back([&end, this] {
      FetchOptions own = options_;
      own.watcher = {};
      end = FetchDataset(entry_, own).status();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& end : ends) EXPECT_OK(end);
  EXPECT_EQ(hub_->seen().size(), 1u);
  EXPECT_EQ(ReadWholeFile(FinalPath()), Lines(2000, std::string(20, 'x')));
}

TEST_F(Fetching, StoppingKeepsWhatCame) {
  hub_->SetPace(100'000);
  const std::string bytes = Lines(2000, std::string(20, 'x'));
  Serve(bytes);
  int64_t came = 0;
  options_.watcher.progress = [&came](std::string_view, int64_t done, int64_t, Unit) {
    came = done;
  };
  options_.watcher.stopping = [&came] { return came > 10'000; };
  const auto stopped = FetchDataset(entry_, options_);
  EXPECT_TRUE(absl::IsCancelled(stopped.status())) << stopped.status();
  options_.watcher.stopping = [] { return false; };
  hub_->SetPace(0);
  ASSERT_OK(FetchDataset(entry_, options_));
  EXPECT_THAT(hub_->seen().back().head, HasSubstr("Range: bytes="));
  EXPECT_EQ(ReadWholeFile(FinalPath()), bytes);
}

// --- joining and converting ---

TEST_F(Fetching, SeveralFilesAreJoinedInOrder) {
  hub_->PutFile("owner/set", "a.jsonl", {.bytes = "{\"n\":1}\n{\"n\":2}"});
  hub_->PutFile("owner/set", "b.jsonl", {.bytes = "{\"n\": 3 }\n"});
  entry_.files = {"a.jsonl", "b.jsonl"};
  ASSERT_OK_AND_ASSIGN(const FetchedSet set, FetchDataset(entry_, options_));
  EXPECT_EQ(ReadWholeFile(set.path), "{\"n\":1}\n{\"n\":2}\n{\"n\": 3 }\n");
  EXPECT_EQ(set.rows, 3);
}

TEST_F(Fetching, RowsAreConverted) {
  hub_->PutFile("owner/set", "d/one_val.csv", {.bytes = "id,Question\n10,\"a, b\"\n11,c\n12,d\n"});
  hub_->PutFile("owner/set", "d/two_val.csv", {.bytes = "id,Question\n12,e\n13,f\n"});
  entry_.files = {"d/one_val.csv", "d/two_val.csv"};
  entry_.convert.keep = {.field = "id", .from = 11, .to = 12};
  entry_.convert.rename = {{"Question", "question"}};
  entry_.convert.source_as = "subject";
  entry_.convert.number_as = "n";
  ASSERT_OK_AND_ASSIGN(const FetchedSet set, FetchDataset(entry_, options_));
  const std::string wanted =
      "{\"id\":\"11\",\"question\":\"c\",\"subject\":\"one_val\",\"n\":0}\n"
      "{\"id\":\"12\",\"question\":\"d\",\"subject\":\"one_val\",\"n\":1}\n"
      "{\"id\":\"12\",\"question\":\"e\",\"subject\":\"two_val\",\"n\":2}\n";
  EXPECT_EQ(ReadWholeFile(set.path), wanted);
  // What is in the final form already is imported as it is.
  WriteWholeFile(directory_.Path("final.jsonl"), wanted);
  ASSERT_OK(ImportDataset(entry_, {directory_.Path("final.jsonl")}, options_));
  EXPECT_EQ(ReadWholeFile(set.path), wanted);
}

TEST_F(Fetching, ConversionsThatDoNotFitAreErrors) {
  Serve("{\"id\":\"x\",\"a\":1,\"b\":2}\n");
  entry_.convert.keep = {.field = "id", .from = 1};
  ExpectFails("test.jsonl:1: field 'id': expected a whole number, found \"x\"");
  entry_.convert.keep->field = "di";
  ExpectFails("no field 'di'; did you mean 'id'");
  entry_.convert.keep.reset();
  entry_.convert.rename = {{"a", "b"}};
  ExpectFails("field 'a' cannot be named 'b': there is one already");
  entry_.convert.rename = {{"c", "d"}};
  ExpectFails("no field 'c'");
}

// --- the rows API ---

class FetchingRows : public Fetching {
 protected:
  void SetUp() override {
    Fetching::SetUp();
    entry_.fetch = FetchMethod::kRows;
    entry_.files.clear();
    entry_.configs = {"all"};
    entry_.split = "test";
    ServeRows("all", 250);
  }
  void ServeRows(const std::string& config, int count) {
    mock_hub::SplitRows split{.revision = std::string(40, '5')};
    for (int i = 0; i < count; ++i) {
      split.rows.push_back(absl::StrFormat("{\"n\":%d,\"choices\":[\"a\",\"é\"]}", i));
    }
    hub_->PutRows("owner/set", config, "test", split);
  }
};

TEST_F(FetchingRows, AHundredAtATime) {
  ASSERT_OK_AND_ASSIGN(const FetchedSet set, FetchDataset(entry_, options_));
  EXPECT_EQ(set.rows, 250);
  EXPECT_EQ(hub_->seen().size(), 3u);
  EXPECT_THAT(ReadWholeFile(set.path), HasSubstr("{\"n\":249,\"choices\":[\"a\",\"é\"]}\n"));
  ASSERT_OK_AND_ASSIGN(const DataManifest manifest, ReadDataManifest(options_.directory));
  EXPECT_EQ(manifest.Find("set")->revision, std::string(40, '5'));
  // The same bytes every time.
  options_.again = true;
  ASSERT_OK(FetchDataset(entry_, options_));
}

TEST_F(FetchingRows, AnotherRunGoesOnAtItsRow) {
  options_.patience.tries = 1;
  hub_->AddOrder({});
  hub_->AddOrder({.fault = Fault::kCut, .after = 500});
  ExpectFails("the connection broke");
  ASSERT_OK_AND_ASSIGN(const FetchedSet set, FetchDataset(entry_, options_));
  EXPECT_EQ(set.rows, 250);
  EXPECT_EQ(hub_->seen().size(), 4u);
  EXPECT_THAT(notes_, HasSubstr("going on at row 100 of 250"));
}

TEST_F(FetchingRows, ConfigurationsAreJoined) {
  ServeRows("some", 3);
  entry_.configs = {"all", "some"};
  entry_.convert.source_as = "subject";
  ASSERT_OK_AND_ASSIGN(const FetchedSet set, FetchDataset(entry_, options_));
  EXPECT_EQ(set.rows, 253);
  EXPECT_THAT(ReadWholeFile(set.path),
              HasSubstr("\"n\":2,\"choices\":[\"a\",\"é\"],\"subject\":\"some\"}\n"));
}

TEST_F(FetchingRows, WhatIsNoRowIsAnError) {
  struct Case {
    Order order;
    std::string_view message;
  };
  for (const Case& wrong :
       {Case{{.fault = Fault::kCutCell}, "row 0: the server cut the cell 'question'"},
        Case{{.fault = Fault::kNoRows}, "no row came at 0 of 250"},
        Case{{.fault = Fault::kStatus, .status = 404}, "404 Not Found"}}) {
    hub_->AddOrder(wrong.order);
    ExpectFails(wrong.message);
  }
  hub_->AddOrder({});
  hub_->AddOrder({.fault = Fault::kMoved});
  ExpectFails("the set changed while it was fetched (250 rows");
  ASSERT_OK_AND_ASSIGN(const FetchedSet set, FetchDataset(entry_, options_));
  EXPECT_EQ(set.rows, 251);
}

TEST_F(FetchingRows, AnotherRevisionThanTheCataloguesIsTold) {
  entry_.revision = std::string(40, '6');
  ASSERT_OK(FetchDataset(entry_, options_));
  EXPECT_THAT(notes_, HasSubstr("the rows API serves the newest revision (" + std::string(40, '5') +
                                "); the catalogue names"));
}

// --- import ---

TEST_F(Fetching, ImportTakesTheFilesThatAFetchWouldGet) {
  WriteWholeFile(directory_.Path("mine.jsonl"), Lines(4));
  ASSERT_OK_AND_ASSIGN(const FetchedSet set,
                       ImportDataset(entry_, {directory_.Path("mine.jsonl")}, options_));
  EXPECT_EQ(ReadWholeFile(set.path), Lines(4));
  EXPECT_EQ(ReadWholeFile(directory_.Path("mine.jsonl")), Lines(4));  // copied, not moved
  // It is pinned like a fetch.
  WriteWholeFile(directory_.Path("mine.jsonl"), Lines(5));
  const auto differs = ImportDataset(entry_, {directory_.Path("mine.jsonl")}, options_);
  EXPECT_THAT(Message(differs.status()), HasSubstr("what came is not what was pinned"));
  EXPECT_THAT(hub_->seen(), IsEmpty());
}

TEST_F(Fetching, ImportRefusesWhatIsNoDataset) {
  WriteWholeFile(directory_.Path("a.parquet"), "PAR1");
  const auto parquet = ImportDataset(entry_, {directory_.Path("a.parquet")}, options_);
  EXPECT_THAT(Message(parquet.status()), HasSubstr("convert it: python3 -c"));
  EXPECT_THAT(Message(parquet.status()), HasSubstr(directory_.Path("a.parquet")));
  WriteWholeFile(directory_.Path("a.jsonl"), "<!DOCTYPE html><html>");
  const auto page = ImportDataset(entry_, {directory_.Path("a.jsonl")}, options_);
  EXPECT_THAT(Message(page.status()), HasSubstr("web page"));
  EXPECT_THAT(Message(ImportDataset(entry_, {directory_.Path("none.jsonl")}, options_).status()),
              HasSubstr("none.jsonl: cannot open"));
  EXPECT_FALSE(EntryForImport("../x", "a.csv").ok());
  EXPECT_FALSE(EntryForImport("", "a.csv").ok());
  ASSERT_OK_AND_ASSIGN(const CatalogueEntry own, EntryForImport("capitals", "d/a.b.csv.gz"));
  EXPECT_EQ(own.file, "capitals.csv.gz");
}

}  // namespace
}  // namespace assay::fetch
