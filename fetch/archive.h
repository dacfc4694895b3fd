// Members of .zip archives as files: the only user of libzip.
//
// Archives are untrusted: nothing is written but files of our own names, nothing longer than the
// limits, nothing whose checksum is wrong.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace assay::fetch {

struct ArchiveLimits {
  int64_t max_bytes = int64_t{32} << 30;   // of all members taken
  int64_t max_ratio = 200;                 // of a member's length to its packed length...
  int64_t ratio_from = int64_t{64} << 20;  // ...once it is longer than this
};

struct Member {
  std::string name;  // in the archive
  std::string path;  // of the file here
};

// Writes the members that `pattern` names (a '*' stands for any characters but '/') to
// `prefix`0, `prefix`1, ... in the order of their names. No such member is an error that lists
// what there is.
absl::StatusOr<std::vector<Member>> ExtractMembers(const std::string& archive,
                                                   std::string_view pattern,
                                                   const std::string& prefix,
                                                   const ArchiveLimits& limits = {});

}  // namespace assay::fetch
