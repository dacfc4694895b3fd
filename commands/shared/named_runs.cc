// A database is opened when the first of its runs is named.
#include "commands/shared/named_runs.h"

#include <filesystem>

#include "harness/status.h"

namespace assay {
namespace {

struct Name {
  std::string database, run;
};

Name SplitName(const std::string& name, const std::string& database) {
  const size_t colon = name.rfind(':');
  if (colon == std::string::npos) return {database, name};
  const std::string path = name.substr(0, colon);
  if (!std::filesystem::exists(path)) return {database, name};
  return {path, name.substr(colon + 1)};
}

bool IsSame(const NamedRun& a, const NamedRun& b) {
  return a.store == b.store && a.run.manifest.id == b.run.manifest.id;
}

}  // namespace

absl::StatusOr<NamedRun> NamedRuns::Find(const std::string& name) {
  const Name wanted = SplitName(name, database_);
  std::unique_ptr<Store>& store = stores_[wanted.database];
  if (store == nullptr) {
    ASSIGN_OR_RETURN(store, Store::Open(wanted.database, StoreMode::kReadOnly));
  }
  ASSIGN_OR_RETURN(RunSummary run, store->FindRun(wanted.run));
  return NamedRun{wanted.database, store.get(), std::move(run)};
}

absl::Status NamedRuns::Add(const std::string& name) {
  ASSIGN_OR_RETURN(NamedRun found, Find(name));
  for (const NamedRun& other : all) {
    if (!IsSame(other, found)) continue;
    return InvalidArgument("run %s is named twice ('%s')", found.run.manifest.id, name);
  }
  all.push_back(std::move(found));
  return absl::OkStatus();
}

absl::StatusOr<size_t> NamedRuns::PlaceOfBaseline(const std::string& name) {
  if (name.empty()) return size_t{0};
  ASSIGN_OR_RETURN(NamedRun found, Find(name));
  for (size_t i = 0; i < all.size(); ++i) {
    if (IsSame(all[i], found)) return i;
  }
  all.insert(all.begin(), std::move(found));
  return size_t{0};
}

}  // namespace assay
