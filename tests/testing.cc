// Paths, temporary directories and tables for tests.
#include "tests/testing.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "harness/text.h"

namespace assay::testing_support {

std::string SourcePath(std::string_view relative) {
  return std::string(ASSAY_SOURCE_DIR) + "/" + std::string(relative);
}

std::string BinaryPath(std::string_view relative) {
  return std::string(ASSAY_BINARY_DIR) + "/" + std::string(relative);
}

std::string SharedPath(std::string_view relative) {
  const std::string path = SourcePath("../shared/" + std::string(relative));
  return std::filesystem::exists(path) ? path : "";
}

TemporaryDirectory::TemporaryDirectory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "assay_test_XXXXXX").string();
  path_ = mkdtemp(pattern.data());
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryDirectory::Path(std::string_view name) const {
  return name.empty() ? path_ : path_ + "/" + std::string(name);
}

std::string ReadWholeFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << "cannot read " << path;
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

void WriteWholeFile(const std::string& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  EXPECT_TRUE(file.good()) << "cannot write " << path;
}

Json ReadJsonFile(const std::string& path) {
  absl::StatusOr<Json> json = ParseJson(ReadWholeFile(path));
  EXPECT_TRUE(json.ok()) << path << ": " << json.status();
  return json.ok() ? *std::move(json) : Json();
}

std::vector<Json> ReadJsonLinesFile(const std::string& path) {
  std::vector<Json> rows;
  const std::string text = ReadWholeFile(path);
  for (const std::string_view line : SplitLines(text)) {
    if (Trim(line).empty()) continue;
    absl::StatusOr<Json> json = ParseJson(line);
    EXPECT_TRUE(json.ok()) << path << ":" << rows.size() + 1 << ": " << json.status();
    if (json.ok()) rows.push_back(*std::move(json));
  }
  return rows;
}

std::vector<TableRow> ReadTable(std::string_view name) {
  std::vector<TableRow> rows;
  const std::string text = ReadWholeFile(SourcePath("tests/tables/" + std::string(name)));
  int number = 0;
  for (const std::string_view line : SplitLines(text)) {
    ++number;
    if (Trim(line).empty() || line.front() == '#') continue;
    TableRow row{number, {}};
    const std::string spaced = std::string(line) + " ";
    for (size_t begin = 0; begin <= spaced.size();) {
      size_t end = spaced.find(" | ", begin);
      if (end == std::string::npos) end = spaced.size();
      const std::string field(Trim(std::string_view(spaced).substr(begin, end - begin)));
      row.fields.push_back(ReplaceAll(field, "⏎", "\n"));
      begin = end + 3;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace assay::testing_support
