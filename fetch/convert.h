// Published files into the one that tasks read: joined, rows kept, fields renamed and added.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "harness/catalogue.h"

namespace assay::fetch {

struct SourceFile {
  std::string path;
  std::string name;  // as published: its ending says the format, its stem goes into `source_as`
};

// Whether the file is taken as it is, byte for byte: one source in the form that is wanted, and
// nothing to be done to its rows.
bool IsTakenAsItIs(const std::vector<SourceFile>& sources, const CatalogueEntry& entry);

// Writes `to`. JSONL files that only are joined keep their bytes; anything else is written anew, as
// one JSON object a line.
absl::Status ConvertFiles(const std::vector<SourceFile>& sources, const CatalogueEntry& entry,
                          const std::string& to);

}  // namespace assay::fetch
