// What this build is and where it came from.
#pragma once

#include <string>

namespace assay {

std::string AssayVersion();  // "0.1.0"
// The commit that the program was built of, with "+changes" where files differed from it; "" where
// it was built outside a checkout, and in tests. The program sets it once, before anything else.
std::string CodeVersion();
void SetCodeVersion(std::string revision);
std::string
SourceDirectory();  // where the program was built from: the last place that tasks/ is looked for
std::string BuildType();  // "Release"

}  // namespace assay
