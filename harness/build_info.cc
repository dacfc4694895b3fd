// What CMake told of the build. The git revision is read from .git at run time, so that no rebuild
// is needed to be right.
#include "harness/build_info.h"

#include <filesystem>
#include <fstream>

namespace assay {
namespace {

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

}  // namespace

std::string AssayVersion() { return ASSAY_VERSION; }
std::string SourceDirectory() { return ASSAY_SOURCE_DIR; }
std::string BuildType() { return ASSAY_BUILD_TYPE; }

std::string CodeVersion() {
  const std::string git = SourceDirectory() + "/.git";
  std::string head = FirstLine(git + "/HEAD");
  if (!head.starts_with("ref: ")) return head;
  const std::string reference = head.substr(5);
  if (std::filesystem::exists(git + "/" + reference)) return FirstLine(git + "/" + reference);
  std::ifstream packed(git + "/packed-refs");
  for (std::string line; std::getline(packed, line);) {
    if (line.ends_with(" " + reference)) return line.substr(0, line.find(' '));
  }
  return "";
}

}  // namespace assay
