// What this build is and where it came from.
#pragma once

#include <string>

namespace assay {

std::string AssayVersion();  // "0.1.0"
std::string CodeVersion();   // the checkout's git revision; "" outside a checkout
std::string
SourceDirectory();  // where the program was built from: the last place that tasks/ is looked for
std::string BuildType();  // "Release"

}  // namespace assay
