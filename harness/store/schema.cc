// Migrations: entry N brings a file from user_version N to N + 1. Never change one that was
// released; add another.
#include "harness/store/schema.h"

#include <span>

#include "harness/build_info.h"
#include "harness/status.h"

namespace assay {
namespace {

// docs/store.md says what each column means.
constexpr const char* kMigrations[] = {
    R"sql(
CREATE TABLE runs (
  id INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('running', 'complete', 'incomplete')),
  finished TEXT NOT NULL DEFAULT '',
  manifest TEXT NOT NULL
);
CREATE TABLE tasks (
  id INTEGER PRIMARY KEY,
  run INTEGER NOT NULL REFERENCES runs (id),
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  manifest TEXT NOT NULL,
  UNIQUE (run, name)
);
CREATE TABLE problems (
  id INTEGER PRIMARY KEY,
  task INTEGER NOT NULL REFERENCES tasks (id),
  problem_id TEXT NOT NULL,
  asked BLOB NOT NULL,
  UNIQUE (task, problem_id)
);
CREATE INDEX problems_of_task ON problems (task);
CREATE TABLE servers (
  id INTEGER PRIMARY KEY,
  served_by TEXT NOT NULL,
  served_model TEXT NOT NULL,
  UNIQUE (served_by, served_model)
);
CREATE TABLE samples (
  id INTEGER PRIMARY KEY,
  problem INTEGER NOT NULL REFERENCES problems (id),
  sample_index INTEGER NOT NULL,
  key NOT NULL,
  finish TEXT NOT NULL,
  unclosed_reasoning INTEGER NOT NULL,
  prompt_tokens INTEGER NOT NULL,
  reasoning_tokens INTEGER NOT NULL,
  answer_tokens INTEGER NOT NULL,
  tokens_measured INTEGER NOT NULL,
  latency_seconds REAL NOT NULL,
  cost_usd REAL,
  seed INTEGER NOT NULL,
  server INTEGER NOT NULL REFERENCES servers (id),
  created_ms INTEGER NOT NULL,
  UNIQUE (problem, sample_index)
);
CREATE TABLE texts (
  sample INTEGER PRIMARY KEY REFERENCES samples (id),
  raw_begin INTEGER NOT NULL,
  raw_size INTEGER NOT NULL,
  reasoning_begin INTEGER NOT NULL,
  reasoning_size INTEGER NOT NULL,
  answer_begin INTEGER NOT NULL,
  answer_size INTEGER NOT NULL,
  cut INTEGER NOT NULL,
  tail BLOB NOT NULL,
  head BLOB
);
CREATE TABLE verdicts (
  id INTEGER PRIMARY KEY,
  sample INTEGER NOT NULL REFERENCES samples (id),
  grader TEXT NOT NULL,
  grader_version INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  score REAL NOT NULL,
  why TEXT NOT NULL,
  detail TEXT,
  answer TEXT,
  strict TEXT,
  lenient TEXT,
  same INTEGER NOT NULL,
  rule TEXT NOT NULL,
  answer_begin INTEGER NOT NULL,
  answer_end INTEGER NOT NULL,
  created_ms INTEGER NOT NULL
);
CREATE INDEX verdicts_of_sample ON verdicts (sample);
CREATE TRIGGER samples_never_change BEFORE UPDATE ON samples
  BEGIN SELECT RAISE(ABORT, 'a stored completion is never changed'); END;
CREATE TRIGGER texts_never_change BEFORE UPDATE ON texts
  BEGIN SELECT RAISE(ABORT, 'a stored completion is never changed'); END;
CREATE TRIGGER verdicts_never_change BEFORE UPDATE ON verdicts
  BEGIN SELECT RAISE(ABORT, 'a verdict is never changed: a newer one is added'); END;
CREATE TRIGGER problems_never_change BEFORE UPDATE ON problems
  BEGIN SELECT RAISE(ABORT, 'a problem as asked is never changed'); END;
)sql",
    R"sql(
CREATE TABLE failures (
  problem INTEGER NOT NULL REFERENCES problems (id),
  sample_index INTEGER NOT NULL,
  message TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  PRIMARY KEY (problem, sample_index)
) WITHOUT ROWID;
CREATE VIEW newest_verdicts AS
  SELECT runs.run_id, tasks.name AS task, problems.problem_id, samples.sample_index,
         samples.finish, verdicts.outcome, verdicts.score, verdicts.answer, verdicts.why,
         verdicts.grader, verdicts.grader_version
  FROM samples
  JOIN problems ON problems.id = samples.problem
  JOIN tasks ON tasks.id = problems.task
  JOIN runs ON runs.id = tasks.run
  LEFT JOIN verdicts
    ON verdicts.id = (SELECT max(id) FROM verdicts AS v WHERE v.sample = samples.id);
)sql",
    R"sql(
CREATE TABLE logprobs (
  sample INTEGER PRIMARY KEY REFERENCES samples (id),
  packed BLOB NOT NULL
);
CREATE TRIGGER logprobs_never_change BEFORE UPDATE ON logprobs
  BEGIN SELECT RAISE(ABORT, 'a stored completion is never changed'); END;
)sql",
};

// Schema 3 only added a table.
constexpr int64_t kOldestReadable = 2;

absl::StatusOr<int64_t> Version(Sqlite& database) {
  return database.QueryInteger("PRAGMA user_version");
}

absl::Status CheckOwner(Sqlite& database) {
  ASSIGN_OR_RETURN(const int64_t owner, database.QueryInteger("PRAGMA application_id"));
  if (owner == kStoreApplicationId) return absl::OkStatus();
  ASSIGN_OR_RETURN(const int64_t tables,
                   database.QueryInteger("SELECT count(*) FROM sqlite_master"));
  if (owner == 0 && tables == 0) return absl::OkStatus();  // empty
  return FailedPrecondition("%s: an SQLite database of another program, not of assay",
                            database.path());
}

absl::Status CheckNotNewer(Sqlite& database, int64_t version) {
  if (version <= SchemaVersion()) return absl::OkStatus();
  return FailedPrecondition(
      "%s: written by a newer assay (schema %d); this one, %s, knows up to schema %d: use the "
      "newer "
      "program",
      database.path(), version, AssayVersion(), SchemaVersion());
}

absl::StatusOr<bool> NeedsMigrationNow(Sqlite& database) {
  RETURN_IF_ERROR(CheckOwner(database));
  ASSIGN_OR_RETURN(const int64_t version, Version(database));
  RETURN_IF_ERROR(CheckNotNewer(database, version));
  return version < SchemaVersion();
}

}  // namespace

int64_t SchemaVersion() { return static_cast<int64_t>(std::size(kMigrations)); }

absl::StatusOr<bool> NeedsMigration(Sqlite& database) {
  if (database.in_transaction()) return NeedsMigrationNow(database);
  // One moment's view: another process may be making the tables now.
  RETURN_IF_ERROR(database.Execute("BEGIN"));
  absl::StatusOr<bool> needed = NeedsMigrationNow(database);
  RETURN_IF_ERROR(database.Execute("COMMIT"));
  return needed;
}

absl::StatusOr<bool> IsReadableAsItIs(Sqlite& database) {
  ASSIGN_OR_RETURN(const int64_t version, Version(database));
  return version >= kOldestReadable && version <= SchemaVersion();
}

absl::StatusOr<bool> HasLogprobs(Sqlite& database) {
  ASSIGN_OR_RETURN(
      const int64_t tables,
      database.QueryInteger("SELECT count(*) FROM sqlite_master WHERE name = 'logprobs'"));
  return tables > 0;
}

absl::Status Migrate(Sqlite& database) {
  ASSIGN_OR_RETURN(SqliteTransaction transaction, SqliteTransaction::Begin(&database));
  // Asked again under the lock: another process may have been faster.
  ASSIGN_OR_RETURN(const bool needed, NeedsMigration(database));
  if (!needed) return transaction.Commit();
  ASSIGN_OR_RETURN(const int64_t version, Version(database));
  for (const char* migration : std::span(kMigrations).subspan(static_cast<size_t>(version))) {
    RETURN_IF_ERROR(database.Execute(migration));
  }
  RETURN_IF_ERROR(
      database.Execute(absl::StrFormat("PRAGMA application_id = %d; PRAGMA user_version = %d",
                                       kStoreApplicationId, SchemaVersion())));
  return transaction.Commit();
}

}  // namespace assay
