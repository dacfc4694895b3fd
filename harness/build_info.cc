// What CMake told of the build. Which commit it is of is told by the program, which alone is linked
// anew for it.
#include "harness/build_info.h"

#include <utility>

namespace assay {
namespace {

std::string& Revision() {
  static auto* revision = new std::string;
  return *revision;
}

}  // namespace

std::string AssayVersion() { return ASSAY_VERSION; }
std::string SourceDirectory() { return ASSAY_SOURCE_DIR; }
std::string BuildType() { return ASSAY_BUILD_TYPE; }
std::string CodeVersion() { return Revision(); }
void SetCodeVersion(std::string revision) { Revision() = std::move(revision); }

}  // namespace assay
