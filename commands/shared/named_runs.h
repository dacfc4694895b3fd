// Runs as a command line names them: by id, name or "last"; DATABASE:RUN is one of another
// database.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/store.h"

namespace assay {

struct NamedRun {
  std::string database;  // its path
  Store* store = nullptr;
  RunSummary run;
};

// Those found so far, and their databases, which it holds open.
class NamedRuns {
 public:
  // `database`: of names that tell none.
  explicit NamedRuns(std::string database) : database_(std::move(database)) {}
  absl::StatusOr<NamedRun> Find(const std::string& name);
  // The same, kept in `all`; a run that is there already is an error.
  absl::Status Add(const std::string& name);
  // The place in `all` of the run that the others are compared with: added as the first where it is
  // not among them. "": the first.
  absl::StatusOr<size_t> PlaceOfBaseline(const std::string& name);

  std::vector<NamedRun> all;

 private:
  std::string database_;
  std::map<std::string, std::unique_ptr<Store>> stores_;
};

}  // namespace assay
