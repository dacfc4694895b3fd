// The catalogue's reader: every key is read, and every wrong entry is refused with its line.
#include "harness/catalogue.h"

#include "harness/text.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::SourcePath;

constexpr std::string_view kGood =
    "sets:\n"
    "  - name: a\n"
    "    file: a.jsonl\n"
    "    origin: somewhere\n"
    "    licence: MIT\n";

absl::StatusOr<std::vector<CatalogueEntry>> Read(std::string_view more) {
  return CatalogueFromText(std::string(kGood) + std::string(more), "catalogue.yaml");
}

TEST(Catalogue, EveryKeyIsRead) {
  ASSERT_OK_AND_ASSIGN(const std::vector<CatalogueEntry> entries,
                       Read("    sha256: " + std::string(64, 'a') +
                            "\n    rows: 7\n    citation: Someone 2024\n    gated: true\n"
                            "    fetch: resolve\n    hub_id: owner/name\n    revision: " +
                            std::string(40, 'b') +
                            "\n    split: test\n    config: all\n    files: [one.zip, two.zip]\n"
                            "    member: val/*.csv\n    get: by hand\n    tasks: [t, u]\n"
                            "    convert:\n      keep: {field: id, from: 11, to: 510}\n"
                            "      rename: {Question: question, Answer: answer}\n"
                            "      source_as: subject\n      number_as: idx\n"));
  ASSERT_EQ(entries.size(), 1u);
  const CatalogueEntry& entry = entries[0];
  EXPECT_EQ(entry.rows, 7);
  EXPECT_EQ(entry.citation, "Someone 2024");
  EXPECT_TRUE(entry.gated);
  EXPECT_EQ(entry.page, "https://huggingface.co/datasets/owner/name");
  EXPECT_EQ(entry.fetch, FetchMethod::kResolve);
  EXPECT_EQ(entry.revision, std::string(40, 'b'));
  EXPECT_THAT(entry.configs, ElementsAre("all"));
  EXPECT_THAT(entry.files, ElementsAre("one.zip", "two.zip"));
  EXPECT_EQ(entry.member, "val/*.csv");
  EXPECT_THAT(entry.tasks, ElementsAre("t", "u"));
  EXPECT_EQ(entry.convert.keep->from, 11);
  EXPECT_EQ(entry.convert.keep->to, 510);
  EXPECT_THAT(entry.convert.rename,
              ElementsAre(std::pair<std::string, std::string>("Question", "question"),
                          std::pair<std::string, std::string>("Answer", "answer")));
  EXPECT_EQ(entry.convert.source_as, "subject");
  EXPECT_EQ(entry.convert.number_as, "idx");
  EXPECT_THAT(HowToGet(entry), HasSubstr("HF_TOKEN"));
}

TEST(Catalogue, WrongEntriesAreRefusedWithTheirLine) {
  struct Case {
    std::string_view more;
    std::string_view message;
  };
  const Case cases[] = {
      {"", "catalogue.yaml:2: the key 'fetch' is missing"},
      {"    fetch: resolv\n", "did you mean 'resolve'"},
      {"    fetch: by_hand\n", "'get' is missing"},
      {"    fetch: shipped\n    sha265: x\n", "catalogue.yaml:7: unknown key 'sha265'; did you"},
      {"    fetch: shipped\n    sha256: ABC\n", "64 hex digits"},
      {"    fetch: shipped\n    revision: main\n", "40 hex digits"},
      {"    fetch: shipped\n    rows: 0\n", "rows: expected a number from 1 on"},
      {"    fetch: shipped\n    rows: many\n", "catalogue.yaml:7: rows: expected a number"},
      {"    fetch: shipped\n    gated: 1\n", "gated: expected true or false, found the number 1"},
      {"    fetch: shipped\n    gated: true\n", "it wants 'page'"},
      {"    fetch: shipped\n    files: [x]\n", "files: only with fetch: resolve or url"},
      {"    fetch: resolve\n    files: [x]\n", "it wants 'hub_id'"},
      {"    fetch: resolve\n    hub_id: o/n\n", "it wants 'files'"},
      {"    fetch: resolve\n    hub_id: o/n/m\n    files: [x]\n", "expected OWNER/NAME"},
      {"    fetch: resolve\n    hub_id: ../n\n    files: [x]\n", "expected OWNER/NAME"},
      {"    fetch: resolve\n    hub_id: o/n\n    files: [a/../../x]\n", "paths within"},
      {"    fetch: resolve\n    hub_id: o/n\n    files: [/etc/passwd]\n", "paths within"},
      {"    fetch: resolve\n    hub_id: o/n\n    files: [x.csv]\n    member: y\n", "is a .zip"},
      {"    fetch: resolve\n    hub_id: o/n\n    files: [x.zip]\n    member: ../y\n", "within the"},
      {"    fetch: url\n    files: [ftp://x/y]\n", "expected addresses"},
      {"    fetch: url\n    files: [\"https://user:key@x/y\"]\n", "expected addresses"},
      {"    fetch: rows\n    hub_id: o/n\n", "fetch: rows wants 'split'"},
      {"    fetch: shipped\n    convert: {drop: x}\n", "unknown key 'convert.drop'"},
      {"    fetch: shipped\n    convert: {rename: {a: 1}}\n", "convert.rename.a: expected text"},
      {"    fetch: shipped\n    convert: {keep: {field: a}}\n", "convert.keep: expected"},
      {"    fetch: shipped\n    convert: {keep: {from: 1, to: 2}}\n", "convert.keep: expected"},
      {"    fetch: shipped\n  - 7\n", "expected a map, found the number 7"},
      {"    fetch: shipped\n  - {name: a, file: b.jsonl, origin: o, licence: l, fetch: shipped}\n",
       "the set 'a' stands here twice"},
      {"    fetch: shipped\n  - {name: b, file: a.jsonl, origin: o, licence: l, fetch: shipped}\n",
       "two sets have the file 'a.jsonl'"},
      {"    fetch: shipped\n  - {name: b, file: ../b, origin: o, licence: l, fetch: shipped}\n",
       "file: expected letters, digits and -._, found '../b'"},
      {"    fetch: shipped\nother: 1\n", "expected the one key 'sets'"},
  };
  for (const Case& wrong : cases) {
    const auto entries = Read(wrong.more);
    ASSERT_FALSE(entries.ok()) << wrong.more;
    EXPECT_THAT(std::string(entries.status().message()), HasSubstr(wrong.message)) << wrong.more;
  }
}

TEST(Catalogue, WhatIsJoinedOrConvertedIsJsonLines) {
  const std::string csv = ReplaceAll(kGood, "a.jsonl", "a.csv");
  for (const std::string_view more :
       {"    fetch: rows\n    hub_id: o/n\n    split: test\n",
        "    fetch: resolve\n    hub_id: o/n\n    files: [x.csv, y.csv]\n",
        "    fetch: resolve\n    hub_id: o/n\n    files: [x.csv]\n    convert: {number_as: n}\n"}) {
    const auto entries = CatalogueFromText(csv + std::string(more), "c.yaml");
    ASSERT_FALSE(entries.ok()) << more;
    EXPECT_THAT(std::string(entries.status().message()), HasSubstr("written as .jsonl"));
  }
}

TEST(Catalogue, TheShippedOneSaysHowToGetEachSet) {
  ASSERT_OK_AND_ASSIGN(const std::vector<CatalogueEntry> entries,
                       LoadCatalogue({{}, {SourcePath("datasets")}}));
  EXPECT_GE(entries.size(), 20u);
  for (const CatalogueEntry& entry : entries) {
    EXPECT_FALSE(HowToGet(entry).empty()) << entry.name;
    const bool ours = entry.fetch == FetchMethod::kShipped;
    EXPECT_TRUE(ours || !entry.citation.empty()) << entry.name;
  }
}

}  // namespace
}  // namespace assay
