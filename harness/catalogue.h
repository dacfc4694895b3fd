// The catalogue of datasets: where each comes from, its version, how to get it; and whether the
// file at hand is that one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/task.h"

namespace assay {

struct CatalogueEntry {
  std::string name;
  std::string file;
  std::string sha256;  // empty: not pinned
  int64_t rows = 0;
  std::string origin;
  std::string licence;
  std::string get;  // how to get it, in a line
  std::vector<std::string> tasks;
};

// The first catalogue.yaml on the data directories. Strict, as task files are.
absl::StatusOr<std::vector<CatalogueEntry>> LoadCatalogue(const SearchPath& path);

enum class DatasetState { kAbsent, kAsPublished, kRowsOnly, kDiffers, kBroken };
struct DatasetCheck {
  DatasetState state = DatasetState::kAbsent;
  std::string path;
  std::string sha256;
  int64_t rows = 0;
  std::string what;  // why it differs or is broken
};
// Looks for the file; kRowsOnly: nothing is pinned but the number of rows, and that is right.
DatasetCheck CheckDataset(const SearchPath& path, const CatalogueEntry& entry);
// Only whether and where the file is there; empty: absent.
std::string FindDataset(const SearchPath& path, const CatalogueEntry& entry);

std::string_view DatasetStateName(DatasetState state);  // "absent", "as published", ...

}  // namespace assay
