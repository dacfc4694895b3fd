// Sets of the catalogue as files in the data directory: got, converted, checked, pinned.
//
// The first fetch of a set pins it (assay-manifest.json); every later one must give the same bytes.
// Whatever happens in between, a file in the data directory is whole and checked, or not there:
// work is done in DIRECTORY/.fetch/NAME, under a lock.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "fetch/hub.h"
#include "fetch/transfer.h"
#include "harness/catalogue.h"
#include "harness/task.h"

namespace assay::fetch {

// Where sets are put: the first of `data_dirs`, else of $ASSAY_DATA, else
// $XDG_DATA_HOME/assay/datasets or ~/.local/share/assay/datasets.
absl::StatusOr<std::string> DataDirectory(const std::vector<std::string>& data_dirs);

struct FetchOptions {
  std::string directory;
  bool offline = false;     // the network is not touched
  bool accept_new = false;  // take and pin what differs from the pin
  bool again = false;       // also where the file is here
  Hub hub;
  Patience patience;
  Watcher watcher;
};

struct FetchedSet {
  std::string path;
  std::string sha256;
  int64_t rows = 0;
  int64_t bytes = 0;
  bool was_here = false;        // nothing was to be done
  double download_seconds = 0;  // until all sources were whole on this disk
};

// Thread-safe, and safe between processes: where another one fetches the same set, waits for it and
// takes what it got.
absl::StatusOr<FetchedSet> FetchDataset(const CatalogueEntry& entry, const FetchOptions& options);

// The same with files at hand instead of the network: those that `entry` would fetch, in order, or
// one file that is in the final form already. An archive's members are taken out of it.
absl::StatusOr<FetchedSet> ImportDataset(const CatalogueEntry& entry,
                                         const std::vector<std::string>& files,
                                         const FetchOptions& options);
// An entry for a set that the catalogue does not have: taken as it is.
absl::StatusOr<CatalogueEntry> EntryForImport(const std::string& name, const std::string& file);

}  // namespace assay::fetch
