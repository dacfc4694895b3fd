// Shows a page to the person at this machine.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace assay {

// A file or an address, by xdg-open.
absl::Status OpenInBrowser(std::string target);

}  // namespace assay
