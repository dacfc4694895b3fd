// A file of a server as a file here, that goes on where it broke off.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "fetch/transfer.h"

namespace assay::fetch {

struct Downloaded {
  int64_t bytes = 0;
  std::string sha256;
  std::string revision;  // the hub's, 40 hex digits; may be empty
};

// Downloads `url` to `path`. What is there of an earlier try (`path`, and `path`.json, which says
// of what) is kept where the server says that it is still the same (ETag). A file that came whole
// before is not asked for again. `what` stands in progress and errors.
absl::StatusOr<Downloaded> Download(Transfer& transfer, const std::string& url,
                                    const std::string& path, const std::string& what);

}  // namespace assay::fetch
