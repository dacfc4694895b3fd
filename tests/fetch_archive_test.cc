// Archives from outside: members are found by name, and hostile archives write nothing.
#include "fetch/archive.h"

#include <zip.h>

#include <filesystem>

#include "fetch/fetch.h"
#include "harness/text.h"
#include "tests/mock_hub/hub.h"
#include "tests/testing.h"

namespace assay::fetch {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing_support::ReadWholeFile;
using testing_support::TemporaryDirectory;
using testing_support::WriteWholeFile;

struct Entry {
  std::string name;
  std::string text;
  bool link = false;
  bool locked = false;
};

void MakeArchive(const std::string& path, const std::vector<Entry>& entries) {
  fs::remove(path);
  int code = 0;
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_EXCL, &code);
  ASSERT_NE(archive, nullptr);
  for (const Entry& entry : entries) {
    zip_source_t* source =
        zip_source_buffer(archive, entry.text.data(), entry.text.size(), /*freep=*/0);
    const zip_int64_t index = zip_file_add(archive, entry.name.c_str(), source, 0);
    ASSERT_GE(index, 0) << zip_strerror(archive);
    const auto at = static_cast<zip_uint64_t>(index);
    if (entry.link) {
      zip_file_set_external_attributes(archive, at, 0, ZIP_OPSYS_UNIX, 0120777u << 16);
    }
    if (entry.locked) {
      ASSERT_EQ(zip_file_set_encryption(archive, at, ZIP_EM_TRAD_PKWARE, "secret"), 0);
    }
  }
  ASSERT_EQ(zip_close(archive), 0);
}

class Archives : public testing::Test {
 protected:
  absl::StatusOr<std::vector<Member>> Extract(std::string_view pattern,
                                              const ArchiveLimits& limits = {}) {
    return ExtractMembers(path_, pattern, directory_.Path("out-"), limits);
  }
  std::string Error(std::string_view pattern, const ArchiveLimits& limits = {}) {
    return std::string(Extract(pattern, limits).status().message());
  }
  size_t FilesWritten() const {
    size_t files = 0;
    for (const auto& file : fs::directory_iterator(directory_.Path())) {
      files += file.path() != path_;
    }
    return files;
  }
  TemporaryDirectory directory_;
  const std::string path_ = directory_.Path("a.zip");
};

TEST_F(Archives, MembersAreTakenInTheOrderOfTheirNames) {
  MakeArchive(path_, {{"val/b.csv", "b"},
                      {"val/a.csv", "a"},
                      {"val/sub/c.csv", "c"},
                      {"test/a.csv", "t"},
                      {"val/", ""},
                      {"val/d.txt", "d"}});
  ASSERT_OK_AND_ASSIGN(const std::vector<Member> members, Extract("val/*.csv"));
  ASSERT_EQ(members.size(), 2u);
  EXPECT_EQ(members[0].name, "val/a.csv");
  EXPECT_EQ(ReadWholeFile(members[0].path), "a");
  EXPECT_EQ(ReadWholeFile(members[1].path), "b");
  ASSERT_OK_AND_ASSIGN(const std::vector<Member> one, Extract("test/a.csv"));
  EXPECT_EQ(ReadWholeFile(one[0].path), "t");
  EXPECT_THAT(Error("val/x.csv"), HasSubstr("no member 'val/x.csv' in the archive; did you mean"));
}

TEST_F(Archives, HostileOnesAreRefusedWhole) {
  struct Case {
    Entry entry;
    std::string_view message;
  };
  const Case cases[] = {
      {{"../../evil.csv", "x"}, "leads out of the archive"},
      {{"/etc/evil.csv", "x"}, "leads out of the archive"},
      {{"val/../../evil.csv", "x"}, "leads out of the archive"},
      {{"C:\\evil.csv", "x"}, "leads out of the archive"},
      {{"val/link.csv", "/etc/passwd", true, false}, "a symbolic link"},
      {{"val/locked.csv", "x", false, true}, "encrypted"},
  };
  for (const Case& hostile : cases) {
    MakeArchive(path_, {hostile.entry});
    EXPECT_THAT(Error("val/*.csv"), HasSubstr(hostile.message)) << hostile.entry.name;
    EXPECT_EQ(FilesWritten(), 0u);
  }
}

TEST_F(Archives, BombsAreRefusedBeforeTheyGoOff) {
  MakeArchive(path_, {{"a.csv", std::string(5 << 20, '0')}});
  EXPECT_THAT(Error("a.csv", {.ratio_from = 1 << 20}), HasSubstr("a zip bomb?"));
  EXPECT_THAT(Error("a.csv", {.max_bytes = 4 << 20}), HasSubstr("more than 4,194,304 bytes"));
  EXPECT_EQ(FilesWritten(), 0u);
  ASSERT_OK(Extract("a.csv"));
  MakeArchive(path_, {{"a.csv", std::string(3 << 20, '0')}, {"b.csv", std::string(3 << 20, '0')}});
  EXPECT_THAT(Error("*.csv", {.max_bytes = 4 << 20}), HasSubstr("('b.csv')"));
}

TEST_F(Archives, DamagedOnesAreRefused) {
  MakeArchive(path_, {{"a.csv", "some text that is not packed, for it is short"}});
  const std::string whole = ReadWholeFile(path_);
  // Every byte changed in turn: the right text or an error, never another text.
  int refused = 0;
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string broken = whole;
    broken[i] = static_cast<char>(broken[i] ^ 0x20);
    WriteWholeFile(path_, broken);
    const auto members = Extract("a.csv");
    if (members.ok()) {
      EXPECT_EQ(ReadWholeFile((*members)[0].path), "some text that is not packed, for it is short");
    }
    refused += !members.ok();
  }
  EXPECT_GT(refused, 60);
  for (size_t size = 0; size < whole.size(); size += 7) {
    WriteWholeFile(path_, whole.substr(0, size));
    EXPECT_FALSE(Extract("a.csv").ok()) << size;
  }
  WriteWholeFile(path_, "<html>");
  EXPECT_THAT(Error("a.csv"), HasSubstr("not a sound .zip archive"));
}

TEST_F(Archives, AFetchTakesMembersOutAndJoinsThem) {
  MakeArchive(path_, {{"val/law_val.csv", "id,q\n0,a\n"}, {"val/art_val.csv", "id,q\n0,b\n"}});
  auto hub = mock_hub::MockHub::Start();
  ASSERT_TRUE(hub.ok());
  (*hub)->PutFile("owner/set", "exam.zip", {.bytes = ReadWholeFile(path_), .redirected = true});
  CatalogueEntry entry;
  entry.name = "set";
  entry.file = "set.jsonl";
  entry.fetch = FetchMethod::kResolve;
  entry.hub_id = "owner/set";
  entry.files = {"exam.zip"};
  entry.member = "val/*.csv";
  entry.convert.source_as = "subject";
  FetchOptions options;
  options.directory = directory_.Path("data");
  options.hub.endpoint = (*hub)->endpoint();
  ASSERT_OK_AND_ASSIGN(const FetchedSet set, FetchDataset(entry, options));
  EXPECT_EQ(ReadWholeFile(set.path),
            "{\"id\":\"0\",\"q\":\"b\",\"subject\":\"art_val\"}\n"
            "{\"id\":\"0\",\"q\":\"a\",\"subject\":\"law_val\"}\n");
  // The archive at hand gives the same.
  ASSERT_OK(ImportDataset(entry, {path_}, options));
}

}  // namespace
}  // namespace assay::fetch
