// What tests share: status matchers, paths, temporary directories, whole files.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "harness/json.h"

namespace assay::testing_support {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& status_or) {
  return status_or.status();
}

// The repository's root, the build tree, and ../shared ("" where it is absent).
std::string SourcePath(std::string_view relative);
std::string BinaryPath(std::string_view relative);
// Copies programs of the build to DIRECTORY/bin, with the libraries of ours that they load, if any:
// the build tree may be closed to other users.
void CopyPrograms(const std::vector<std::string>& names, const std::string& directory);
std::string SharedPath(std::string_view relative);

// A fresh directory, removed with the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  std::string Path(std::string_view name = "") const;

 private:
  std::string path_;
};

std::string ReadWholeFile(const std::string& path);  // fails the test where it cannot
void WriteWholeFile(const std::string& path, std::string_view bytes);
Json ReadJsonFile(const std::string& path);  // fails the test where it cannot; .gz is not read
std::vector<Json> ReadJsonLinesFile(const std::string& path);

// A program run to its end. `words[0]` is its path or a name on PATH; `environment` ("NAME=value")
// is added to ours.
struct ProgramEnd {
  int status = -1;  // the exit status; 128 + the signal where one killed it
  std::string out;
  std::string err;
};
ProgramEnd RunProgram(const std::vector<std::string>& words,
                      const std::vector<std::string>& environment = {},
                      std::string_view input = "");
// The built `assay` with these words; a test that names this function depends on the program.
ProgramEnd RunAssay(std::vector<std::string> words,
                    const std::vector<std::string>& environment = {});

// The project's own text files, relative to its root and sorted: no build trees, no hidden folders.
std::vector<std::string> ProjectFiles();

// The rows of tests/tables/NAME: lines of fields divided by " | "; '#' begins a comment line; "⏎"
// in a field is a newline. A '|' without blanks around it is itself. Each field is trimmed.
struct TableRow {
  int line = 0;
  std::vector<std::string> fields;
};
std::vector<TableRow> ReadTable(std::string_view name);

}  // namespace assay::testing_support

#define EXPECT_OK(expression) \
  EXPECT_EQ(::assay::testing_support::StatusOf(expression), absl::OkStatus())
#define ASSERT_OK(expression) \
  ASSERT_EQ(::assay::testing_support::StatusOf(expression), absl::OkStatus())
// Declares `target` from a StatusOr, or fails the test.
#define ASSERT_OK_AND_ASSIGN(target, expression) \
  ASSERT_OK_AND_ASSIGN_AT(__COUNTER__, target, expression)
#define ASSERT_OK_AND_ASSIGN_AT(counter, target, expression) \
  ASSERT_OK_AND_ASSIGN_NAMED(counter, target, expression)
#define ASSERT_OK_AND_ASSIGN_NAMED(counter, target, expression)                \
  auto assay_holder_##counter = (expression);                                  \
  ASSERT_TRUE(assay_holder_##counter.ok()) << assay_holder_##counter.status(); \
  target = *std::move(assay_holder_##counter)
// Skips a test that needs the shared files, and says so.
#define SKIP_WITHOUT_SHARED(relative)                         \
  if (::assay::testing_support::SharedPath(relative).empty()) \
  GTEST_SKIP() << "skipped: ../shared/" << (relative) << " is absent"
