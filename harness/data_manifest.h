// The manifest of a data directory (assay-manifest.json): what each set's file was when it came, so
// that a later one must be the same.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace assay {

inline constexpr std::string_view kDataManifestName = "assay-manifest.json";

struct PinnedSource {
  std::string from;    // an address without its query, or a file's path
  std::string sha256;  // of what came; empty for rows read from an API
  int64_t bytes = 0;
};

struct PinnedSet {
  std::string name;
  std::string file;
  std::string sha256;  // of `file`
  int64_t rows = 0;
  int64_t bytes = 0;
  std::string revision;  // of the repository, as its server said; may be empty
  std::string when;      // UTC
  std::string by;        // "assay 0.1.0"
  // The user took this one although the catalogue (or an earlier fetch) had another.
  bool accepted = false;
  std::vector<PinnedSource> sources;
};

struct DataManifest {
  std::vector<PinnedSet> sets;  // by name
  const PinnedSet* Find(std::string_view name) const;
  const PinnedSet* FindFile(std::string_view file) const;
  void Put(PinnedSet set);  // replaces the one of that name
};

// No file is an empty manifest; a damaged one is an error that names it.
absl::StatusOr<DataManifest> ReadDataManifest(const std::string& directory);
std::string DataManifestText(const DataManifest& manifest);

}  // namespace assay
