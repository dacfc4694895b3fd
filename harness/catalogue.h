// The catalogue of datasets: where each comes from, its version, how to get it; and whether the
// file at hand is that one.
//
// datasets/README.md documents every key of datasets/catalogue.yaml.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/task.h"

namespace assay {

enum class FetchMethod {
  kShipped,  // lies beside the catalogue
  kResolve,  // files of a repository at Hugging Face's hub
  kRows,     // the hub's rows API: for sets that are published as Parquet alone
  kUrl,      // files at any address
  kByHand,   // `get` says how
};
std::string_view FetchMethodName(FetchMethod method);  // "shipped", "resolve", ...

// Rows whose field lies in a range of numbers, or is this text.
struct RowsToKeep {
  std::string field;
  std::optional<int64_t> from, to;  // both ends included
  std::optional<std::string> equals;
};

// What is done to each row between the published files and the one that tasks read, in this order.
// Each step leaves alone what it has already been done to.
struct RowConversion {
  std::optional<RowsToKeep> keep;
  std::vector<std::pair<std::string, std::string>> rename;  // from, to
  std::string source_as;  // a new field: the configuration's name, or the file's without its ending
  std::string number_as;  // a new field: 0, 1, 2, ...
  bool empty() const { return !keep && rename.empty() && source_as.empty() && number_as.empty(); }
};

struct CatalogueEntry {
  std::string name;
  std::string file;    // a plain file name, as tasks write it
  std::string sha256;  // of `file`; empty: not pinned, the first fetch pins
  int64_t rows = 0;    // of `file`; 0: not known
  std::string origin;
  std::string licence;
  std::string citation;
  std::string get;  // how to get it by hand, in a line
  std::vector<std::string> tasks;

  FetchMethod fetch = FetchMethod::kByHand;
  bool gated = false;
  std::string page;  // of a gated set: where its terms are accepted
  std::string hub_id;
  std::string revision;              // 40 hex digits; empty: not pinned, the first fetch pins
  std::vector<std::string> configs;  // kRows: joined in this order
  std::string split;                 // kRows
  // kResolve: paths in the repository. kUrl: addresses. Joined in this order.
  std::vector<std::string> files;
  // Where `files` are .zip archives: the member, or several by one '*' ("val/*.csv"), by name.
  std::string member;
  RowConversion convert;
};

// The first catalogue.yaml on the data directories. Strict, as task files are.
absl::StatusOr<std::vector<CatalogueEntry>> LoadCatalogue(const SearchPath& path);
// The same from text; `file` stands in messages.
absl::StatusOr<std::vector<CatalogueEntry>> CatalogueFromText(std::string_view text,
                                                              const std::string& file);

// With the sets that were imported under names of their own: those in the manifests of the data
// directories.
absl::StatusOr<std::vector<CatalogueEntry>> LoadAllSets(const SearchPath& path);

// What a user without the file has to do, in a sentence: a command where one does it.
std::string HowToGet(const CatalogueEntry& entry);

enum class DatasetState { kAbsent, kAsPublished, kAsPinned, kRowsOnly, kDiffers, kBroken };
struct DatasetCheck {
  DatasetState state = DatasetState::kAbsent;
  std::string path;
  std::string sha256;
  int64_t rows = 0;
  std::string what;  // why it differs or is broken
};
// Looks for the file. kAsPinned: as it was when it was fetched or imported first (or accepted),
// says the manifest beside it. kRowsOnly: nothing is pinned but the number of rows, and that is
// right.
DatasetCheck CheckDataset(const SearchPath& path, const CatalogueEntry& entry);
// Only whether and where the file is there; empty: absent.
std::string FindDataset(const SearchPath& path, const CatalogueEntry& entry);

std::string_view DatasetStateName(DatasetState state);  // "absent", "as published", ...

}  // namespace assay
