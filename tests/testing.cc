// Paths, temporary directories and tables for tests.
#include "tests/testing.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
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

void CopyPrograms(const std::vector<std::string>& names, const std::string& directory) {
  namespace fs = std::filesystem;
  fs::create_directory(directory + "/bin");
  for (const std::string& name : names) {
    fs::copy_file(BinaryPath("bin/" + name), directory + "/bin/" + name);
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(ASSAY_BINARY_DIR)) {
    if (entry.path().extension() != ".so") continue;
    fs::copy_file(entry.path(), directory / entry.path().filename());
  }
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

namespace {

// Null-terminated pointers into `words`, as exec wants them.
std::vector<char*> Pointers(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

ProgramEnd RunProgram(const std::vector<std::string>& words,
                      const std::vector<std::string>& environment, std::string_view input) {
  const TemporaryDirectory directory;
  WriteWholeFile(directory.Path("in"), input);
  const std::string in = directory.Path("in"), out = directory.Path("out"),
                    err = directory.Path("err");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, in.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), O_WRONLY | O_CREAT, 0600);
  // The first of two equal names counts.
  std::vector<std::string> variables = environment;
  for (char** variable = environ; *variable != nullptr; ++variable) variables.push_back(*variable);
  pid_t child = 0;
  const int error = posix_spawnp(&child, words[0].c_str(), &actions, nullptr,
                                 Pointers(words).data(), Pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  EXPECT_EQ(error, 0) << "cannot run " << words[0];
  if (error != 0) return {};
  int status = 0;
  waitpid(child, &status, 0);
  ProgramEnd end;
  end.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  end.out = ReadWholeFile(out);
  end.err = ReadWholeFile(err);
  return end;
}

ProgramEnd RunAssay(std::vector<std::string> words, const std::vector<std::string>& environment) {
  words.insert(words.begin(), BinaryPath("bin/assay"));
  return RunProgram(words, environment);
}

std::vector<std::string> ProjectFiles() {
  std::vector<std::string> files;
  const std::filesystem::path root(SourcePath(""));
  for (auto it = std::filesystem::recursive_directory_iterator(root);
       it != std::filesystem::recursive_directory_iterator(); ++it) {
    const std::string name = it->path().filename().string();
    if (it->is_directory() && (name.starts_with(".") || name == "build")) {
      it.disable_recursion_pending();
    } else if (it->is_regular_file()) {
      files.push_back(it->path().lexically_relative(root).string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
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
