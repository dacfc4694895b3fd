// The hub's rows API: a split as JSONL, 100 rows a call, going on where it broke off.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "fetch/transfer.h"

namespace assay::fetch {

struct FetchedRows {
  int64_t rows = 0;
  int64_t bytes = 0;
  std::string revision;  // that the server says it served; may be empty
};

// Writes the rows of `config` to `path`, one object a line, as the server orders them. `path`.json
// notes how far it came. Cells that the server cut are an error: half a problem is none.
absl::StatusOr<FetchedRows> FetchRows(Transfer& transfer, const std::string& config,
                                      const std::string& path);

}  // namespace assay::fetch
