// Rows: every format gives the same rows, and every damaged file is told apart by FILE:LINE.
#include "harness/rows.h"

#include <algorithm>
#include <random>

#include "harness/hash.h"
#include "harness/status.h"
#include "harness/text.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing_support::SharedPath;
using testing_support::TemporaryDirectory;
using testing_support::WriteWholeFile;

// Bytes handed out a few at a time, so that every border falls everywhere.
class Drip final : public ByteSource {
 public:
  Drip(std::string bytes, size_t step) : bytes_(std::move(bytes)), step_(step) {}
  absl::StatusOr<size_t> Read(char* buffer, size_t capacity) override {
    const size_t size = std::min({step_, capacity, bytes_.size() - at_});
    bytes_.copy(buffer, size, at_);
    at_ += size;
    return size;
  }

 private:
  std::string bytes_;
  size_t step_;
  size_t at_ = 0;
};

class Broken final : public ByteSource {
 public:
  absl::StatusOr<size_t> Read(char* buffer, size_t) override {
    if (read_++ > 0) return Unavailable("x.jsonl: the disk went away");
    const std::string_view text = "{\"a\":1}\n{\"a\":";
    text.copy(buffer, text.size());
    return text.size();
  }

 private:
  int read_ = 0;
};

absl::StatusOr<std::vector<Row>> All(RowReader& reader) {
  std::vector<Row> rows;
  while (true) {
    ASSIGN_OR_RETURN(std::optional<Row> row, reader.Next());
    if (!row) return rows;
    rows.push_back(*std::move(row));
  }
}

absl::StatusOr<std::vector<Row>> Rows(const std::string& bytes, const std::string& name,
                                      size_t step = 1 << 20, const RowLimits& limits = {}) {
  ASSIGN_OR_RETURN(std::unique_ptr<RowReader> reader,
                   OpenRows(std::make_unique<Drip>(bytes, step), name, limits));
  return All(*reader);
}

std::string Shown(const absl::StatusOr<std::vector<Row>>& rows) {
  if (!rows.ok()) return std::string(rows.status().message());
  std::string out;
  for (const Row& row : *rows) out += absl::StrFormat("%d%s ", row.line, row.fields.Dump());
  return out;
}

struct Case {
  const char* name;
  std::string bytes;
  const char* rows;
};

TEST(RowsTest, ReadsEveryFormatWhateverTheReadSizes) {
  const std::vector<Case> cases = {
      {"a.jsonl", "{\"q\":\"x\"}\n\n{\"q\":2}\n", R"(1{"q":"x"} 3{"q":2} )"},
      {"a.jsonl", "\xEF\xBB\xBF{\"q\":1}\r\n{\"q\":2}", R"(1{"q":1} 2{"q":2} )"},
      {"a.ndjson", "{\"q\":\"\xC3\xA9\"}\n", "1{\"q\":\"\xC3\xA9\"} "},
      {"a.json", "[\n {\"q\":1},\n\n {\"q\":[1,{\"a\":\"]}\\\"\"}]}\n]\n",
       R"(2{"q":1} 4{"q":[1,{"a":"]}\""}]} )"},
      {"a.json", "[{\"q\":1},{\"q\":2}]", R"(1{"q":1} 1{"q":2} )"},
      {"a.json", "{\"q\":1}\n{\"q\":2}\n", R"(1{"q":1} 2{"q":2} )"},
      {"a.json", "{\n\"q\":1\n}\n{\"q\":\n2}\n", R"(1{"q":1} 4{"q":2} )"},
      {"a.csv", "q,a\nx,1\n\"y, \"\"z\"\"\nw\",2\n",
       R"(2{"q":"x","a":"1"} 3{"q":"y, \"z\"\nw","a":"2"} )"},
      {"a.csv", "\xEF\xBB\xBFq,a\r\nx,\r\n,1", R"(2{"q":"x","a":""} 3{"q":"","a":"1"} )"},
      {"a.csv", ",q\n0,x\n", R"(2{"column_1":"0","q":"x"} )"},
      {"a.csv", "q\n\"\"\n\nx\n", R"(2{"q":""} 4{"q":"x"} )"},
      {"a.tsv", "q\ta\nx, y\t1\n", R"(2{"q":"x, y","a":"1"} )"},
      {"dir.x/a.csv", "q\nx y \"z\"\n", R"(2{"q":"x y \"z\""} )"},
  };
  for (const Case& c : cases) {
    for (const size_t step : {size_t{1}, size_t{2}, size_t{3}, size_t{7}, size_t{1} << 20}) {
      EXPECT_EQ(Shown(Rows(c.bytes, c.name, step)), c.rows) << c.bytes << " by " << step;
    }
  }
}

// Members k0 to k(count - 1): more than are compared each with each.
std::string Many(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += absl::StrFormat("%s\"k%d\":0", i > 0 ? "," : "", i);
  return text;
}

TEST(RowsTest, SaysWhereAndWhatIsWrong) {
  const std::vector<Case> cases = {
      {"a.jsonl", "", "a.jsonl: the file is empty"},
      {"a.jsonl", "\n \n", "a.jsonl: the file holds no rows"},
      {"a.json", "[ ]", "a.json: the file holds no rows"},
      {"a.csv", "q,a", "a.csv: the file holds no rows"},
      {"a.csv", "q,a\rx,1\ry,2\r", "a.csv: its lines end in carriage returns alone (\\r)"},
      {"a.csv", "q,a\n", "a.csv: the file holds no rows"},
      {"a.jsonl", "{\"q\":1}\n{\"q\":}\n", "a.jsonl:2: JSON, line 1 column 6"},
      {"a.jsonl", "{\"q\":1}\n{\"q\":\"tw", "is the file cut off?"},
      {"a.jsonl", "{\"q\":1}\n[1]\n", "a.jsonl:2: expected an object ({...}), found array"},
      {"a.jsonl", "{\"q\":1}\n{\"q\":\"\xFF\"}\n",
       "a.jsonl:2: JSON, line 1 column 7: not valid UTF-8"},
      {"a.jsonl", "{\"q\":1} {\"q\":2}\n", "a.jsonl:1: "},
      {"a.jsonl", "{\"q\":1}\n{\"q\":1,\"q\":2}\n", "a.jsonl:2: 'q' stands twice in one object"},
      {"a.jsonl", "{\"q\":1}\n{\"x\":[{\"q\":1,\"a\":0,\"\\u0071\":1}]}\n",
       "a.jsonl:2: 'q' stands twice in one object"},
      {"a.jsonl", "{" + Many(100) + ",\"k7\":2}\n", "a.jsonl:1: 'k7' stands twice in one object"},
      {"a.json", "[{\"q\":1},\n{\"q\":1,\"q\":1}]", "a.json:2: 'q' stands twice in one object"},
      {"a.json", "[{\"q\":1}\n {\"q\":2}]", "a.json:2: expected ',' or ']', found '{\"q\":2}]'"},
      {"a.json", "[{\"q\":1},\n]", "a.json:2: expected an object ({...}), found ']'"},
      {"a.json", "[{\"q\":1},\n", "found the end of the file"},
      {"a.json", "[{\"q\":1}\n", "a.json:2: expected ',' or ']', found the end of the file"},
      {"a.json", "[\n{\"q\":1", "a.json:2: this object never ends"},
      {"a.json", "[{\"q\":1}] x", "expected the end of the file after ']', found 'x'"},
      {"a.json", "[1]", "a.json:1: expected an object ({...}), found '1]'"},
      {"a.json", "3", "a.json:1: expected an object ({...}), found integer"},
      {"a.csv", "q,a\nx,1\ny\n", "a.csv:3: found 1 fields, the header has 2"},
      {"a.csv", "q,a\nx,1,2\n", "a.csv:2: found 3 fields, the header has 2"},
      {"a.csv", "q,q\nx,1\n", "a.csv:1: the header names 'q' twice"},
      {"a.csv", "q,a\nx,\"y\n\nz", "a.csv:2: field 2: this quoted field never ends"},
      {"a.csv", "q,a\n\"x\"y,1\n", "a.csv:2: field 1: text after the closing quote: 'y'"},
      {"a.csv", "q,a\nx,\xC3\n", "a.csv:2: field 'a': not valid UTF-8"},
      {"a.jsonl", "<!DOCTYPE html>\n<html>", "a.jsonl:1: this is a web page"},
      {"a.csv", "\n <html lang=en>", "a.csv:1: this is a web page"},
      {"a.jsonl", "version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"},
      {"a.jsonl", "PAR1xxxx", "a.jsonl: this is a Parquet file"},
      {"a.csv", std::string("\xFF\xFEq\0", 4), "this is UTF-16"},
      {"a.parquet", "PAR1", "a.parquet: .parquet files are not read; convert it: python3"},
      {"a.jsonlines", "{}", "a.jsonlines: the name must end in"},
      {"a.josnl", "{}", "did you mean '.jsonl'?"},
      {"a", "{}", "a: the name must end in"},
  };
  for (const Case& c : cases) {
    EXPECT_THAT(Shown(Rows(c.bytes, c.name)), HasSubstr(c.rows)) << c.bytes;
    EXPECT_THAT(Shown(Rows(c.bytes, c.name, 1)), HasSubstr(c.rows)) << c.bytes;
  }
}

TEST(RowsTest, AnErrorStaysAndComesAfterTheGoodRows) {
  ASSERT_OK_AND_ASSIGN(auto reader,
                       OpenRows(std::make_unique<Drip>("{\"q\":1}\nx\n{\"q\":3}\n", 9), "a.jsonl"));
  EXPECT_TRUE(reader->Next().ok());
  const std::string first(reader->Next().status().message());
  EXPECT_THAT(first, HasSubstr("a.jsonl:2"));
  EXPECT_EQ(reader->Next().status().message(), first.c_str());
}

TEST(RowsTest, AReadErrorIsNotTheEnd) {
  ASSERT_OK_AND_ASSIGN(auto reader, OpenRows(std::make_unique<Broken>(), "x.jsonl"));
  // The broken half row must not be judged: the disk is at fault.
  EXPECT_THAT(Shown(All(*reader)), HasSubstr("the disk went away"));
}

TEST(RowsTest, ARowWithoutEndIsStoppedAtTheLimit) {
  std::string bytes = "{\"q\":\"" + std::string(3 << 20, 'x');
  for (const char* name : {"a.jsonl", "a.json"}) {
    EXPECT_THAT(Shown(Rows(bytes, name, 1 << 16, {.max_row_bytes = 1 << 20})),
                HasSubstr(":1: a row longer than 1,048,576 bytes"));
  }
  EXPECT_THAT(Shown(Rows("q\n\"" + bytes, "a.csv", 1 << 16, {.max_row_bytes = 1 << 20})),
              HasSubstr("a.csv:2: a row longer than"));
}

TEST(RowsTest, RandomTablesAgreeInAllFormats) {
  std::mt19937 random(20261123);
  const std::string alphabet = "ab,\t\"\n\r {}[]\\:\xC3\xA9";
  for (int round = 0; round < 200; ++round) {
    std::string jsonl, json = "[", csv = "q,a\n", tsv = "q\ta\n";
    std::vector<std::string> wanted;
    const int rows = 1 + static_cast<int>(random() % 5);
    for (int i = 0; i < rows; ++i) {
      Json row = Json::MakeObject();
      std::string line[2];
      for (int column = 0; column < 2; ++column) {
        std::string text;
        for (int n = static_cast<int>(random() % 12); n > 0; --n) {
          const size_t at = random() % (alphabet.size() - 1);
          text += static_cast<unsigned char>(alphabet[at]) >= 0x80 ? "\xC3\xA9"
                                                                   : alphabet.substr(at, 1);
        }
        row.Set(column == 0 ? "q" : "a", text);
        line[column] = "\"" + ReplaceAll(text, "\"", "\"\"") + "\"";
      }
      wanted.push_back(row.Dump());
      jsonl += row.Dump() + "\n";
      json += (i > 0 ? ",\n" : "") + row.Dump(2);
      csv += line[0] + "," + line[1] + "\n";
      tsv += line[0] + "\t" + line[1] + "\r\n";
    }
    const size_t step = 1 + random() % 9;
    for (const auto& [name, bytes] : {std::pair<std::string, std::string>{"a.jsonl", jsonl},
                                      {"a.json", json + "]"},
                                      {"a.csv", csv},
                                      {"a.tsv", tsv}}) {
      const absl::StatusOr<std::vector<Row>> read = Rows(bytes, name, step);
      ASSERT_TRUE(read.ok()) << read.status() << "\n" << bytes;
      std::vector<std::string> found;
      for (const Row& row : *read) found.push_back(row.fields.Dump());
      EXPECT_EQ(found, wanted) << name << "\n" << bytes;
    }
  }
}

TEST(RowsTest, FieldErrorsNameTheFieldAndTheNearest) {
  ASSERT_OK_AND_ASSIGN(const std::vector<Row> rows,
                       Rows("\n{\"answer\":204,\"question\":\"x\"}\n", "aime.jsonl"));
  EXPECT_EQ(RequireString(rows[0], "aime.jsonl", "answer").status().message(),
            "aime.jsonl:2: field 'answer': expected a string, found 204");
  EXPECT_EQ(
      RequireString(rows[0], "aime.jsonl", "questoin").status().message(),
      "aime.jsonl:2: no field 'questoin'; did you mean 'question'? (fields: answer, question)");
  EXPECT_EQ(*RequireString(rows[0], "aime.jsonl", "question"), "x");
}

TEST(RowsTest, FingerprintsTheBytesOnDisk) {
  const TemporaryDirectory directory;
  const std::string path = directory.Path("a.jsonl");
  WriteWholeFile(path, "abc");
  EXPECT_EQ(*FileSha256(path), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_THAT(std::string(FileSha256(directory.Path("b")).status().message()),
              HasSubstr("cannot open"));
  EXPECT_FALSE(FileSha256(directory.Path()).ok());
  EXPECT_FALSE(OpenRows(directory.Path("none.jsonl")).ok());
}

// Two rows, as gzip writes them.
const std::string& GzipRows() {
  static const auto* bytes = new std::string(
      "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xab\x56\x2a\x54\xb2\x32"
      "\xac\xe5\xaa\x06\xd1\x46\xb5\x5c\x00\x91\xfe\x3e\x7c\x10\x00\x00"
      "\x00",
      33);
  return *bytes;
}

TEST(RowsTest, CompressedFilesGiveTheSameRowsAndTheirOwnFingerprint) {
  const TemporaryDirectory directory;
  const std::string plain = "{\"q\":1}\n{\"q\":2}\n";
  std::string zstd;
  Compressor().Compress(plain, 3, &zstd);
  for (const auto& [name, bytes] : {std::pair<const char*, std::string>{"a.jsonl", plain},
                                    {"a.jsonl.gz", GzipRows()},
                                    {"a.jsonl.zst", zstd}}) {
    const std::string path = directory.Path(name);
    WriteWholeFile(path, bytes);
    ASSERT_OK_AND_ASSIGN(auto reader, OpenRows(path));
    EXPECT_EQ(Shown(All(*reader)), R"(1{"q":1} 2{"q":2} )") << name;
    EXPECT_EQ(*FileSha256(path), Sha256Hex(bytes)) << "of the bytes on disk";
    // Cut off in the middle: an error that names the file, not fewer rows.
    WriteWholeFile(path, bytes.substr(0, bytes.size() - 4));
    ASSERT_OK_AND_ASSIGN(auto cut, OpenRows(path));
    EXPECT_THAT(Shown(All(*cut)), HasSubstr(name));
  }
  WriteWholeFile(directory.Path("b.jsonl.gz"), plain);
  EXPECT_FALSE(OpenRows(directory.Path("b.jsonl.gz")).ok()) << "not gzip at all";
}

TEST(RowsTest, SharedSetsHaveTheirPublishedSizes) {
  SKIP_WITHOUT_SHARED("data");
  for (const auto& [name, wanted] :
       std::vector<std::pair<const char*, size_t>>{{"math_500.jsonl", 500},
                                                   {"aime_2024.json", 30},
                                                   {"aime_2025.json", 30},
                                                   {"amc_2023.json", 40},
                                                   {"gsm8k.jsonl", 1319},
                                                   {"mmlu_stem.jsonl", 3018}}) {
    ASSERT_OK_AND_ASSIGN(auto reader, OpenRows(SharedPath(std::string("data/") + name)));
    ASSERT_OK_AND_ASSIGN(const std::vector<Row> rows, All(*reader));
    EXPECT_EQ(rows.size(), wanted) << name;
  }
}

}  // namespace
}  // namespace assay
