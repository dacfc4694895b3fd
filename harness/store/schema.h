// The store's tables, and how an older file becomes a present one.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "harness/sqlite.h"

namespace assay {

// PRAGMA user_version of the files that this program writes.
int64_t SchemaVersion();

// "assy": PRAGMA application_id, so that another program's database is never taken for ours.
inline constexpr int64_t kStoreApplicationId = 0x61737379;

// FailedPrecondition where the file is another program's, or newer than this program; true where it
// must be migrated first.
absl::StatusOr<bool> NeedsMigration(Sqlite& database);

// Whether a file that cannot be brought up to date can be read as it is: what it lacks is asked for
// with care (HasLogprobs).
absl::StatusOr<bool> IsReadableAsItIs(Sqlite& database);
// Whether there is a table of log-probabilities (from schema 3 on).
absl::StatusOr<bool> HasLogprobs(Sqlite& database);

// Makes the tables of a new file, or brings an older one up to date, in one transaction: a process
// that is killed meanwhile leaves the old version. Several processes may do it at once.
absl::Status Migrate(Sqlite& database);

}  // namespace assay
