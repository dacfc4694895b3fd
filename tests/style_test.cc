// The layout of the code is clang-format's: one file out of form fails with its name and line.
#include "absl/strings/str_format.h"
#include "harness/text.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing_support::ProgramEnd;
using testing_support::RunProgram;
using testing_support::SourcePath;

// Versions lay out differently; .clang-format is written for Debian 12's.
constexpr std::string_view kVersion = "version 14.";

// Empty where this machine has the clang-format that is wanted; else why not.
std::string WhyNot() {
  const ProgramEnd found = RunProgram({"sh", "-c", "clang-format --version"});
  if (found.status != 0) return "skipped: clang-format is absent";
  if (Contains(found.out, kVersion)) return "";
  return absl::StrFormat("skipped: wanted clang-format %s, found %s", kVersion, Trim(found.out));
}

ProgramEnd Check(const std::vector<std::string>& files) {
  std::vector<std::string> words = {"clang-format", "--dry-run", "-Werror",
                                    "--style=file:" + SourcePath(".clang-format")};
  words.insert(words.end(), files.begin(), files.end());
  return RunProgram(words);
}

TEST(Style, CodeIsLaidOutByClangFormat) {
  if (const std::string why = WhyNot(); !why.empty()) GTEST_SKIP() << why;
  std::vector<std::string> files;
  for (const std::string& file : testing_support::ProjectFiles()) {
    if (file.ends_with(".h") || file.ends_with(".cc")) files.push_back(SourcePath(file));
  }
  const ProgramEnd end = Check(files);
  EXPECT_EQ(end.status, 0) << end.err << "put right by: clang-format -i FILE";
}

TEST(Style, AFileOutOfFormIsFound) {
  if (const std::string why = WhyNot(); !why.empty()) GTEST_SKIP() << why;
  const testing_support::TemporaryDirectory directory;
  testing_support::WriteWholeFile(directory.Path("a.cc"), "// A file.\nint   f( ){return 1;}\n");
  const ProgramEnd end = Check({directory.Path("a.cc")});
  EXPECT_NE(end.status, 0);
  EXPECT_THAT(end.err, testing::HasSubstr("a.cc:2"));
}

}  // namespace
}  // namespace assay
