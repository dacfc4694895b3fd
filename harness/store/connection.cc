// Pragmas, and the ways in which a file can be read where it cannot be written.
#include "harness/store/connection.h"

#include <sys/stat.h>

#include <chrono>
#include <thread>

#include "harness/status.h"
#include "harness/store/schema.h"

namespace assay {
namespace {

// synchronous=NORMAL in WAL: a killed process loses nothing that was committed, a power cut may
// lose the last commits but never the file. The checkpoint (and its fsync) comes every 16 MB.
constexpr char kWriterPragmas[] =
    "PRAGMA synchronous = NORMAL;"
    "PRAGMA foreign_keys = ON;"
    "PRAGMA wal_autocheckpoint = 4000;"
    "PRAGMA journal_size_limit = 67108864;"
    "PRAGMA cache_size = -8192;";

bool HasWrittenLog(const std::string& path) {
  struct stat info;
  return stat((path + "-wal").c_str(), &info) == 0 && info.st_size > 0;
}

// Two processes that open a new file at once: the one that is late is told "locked" without SQLite
// having waited.
absl::Status SwitchToWal(Sqlite& database) {
  absl::StatusOr<std::string> mode;
  for (int attempt = 0; attempt < 600; ++attempt) {
    mode = database.QueryText("PRAGMA journal_mode = WAL");
    if (mode.ok() || mode.status().code() != absl::StatusCode::kUnavailable) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  RETURN_IF_ERROR(mode.status());
  if (*mode == "wal") return absl::OkStatus();
  return FailedPrecondition("%s: SQLite cannot keep a write-ahead log here (journal mode %s)",
                            database.path(), *mode);
}

absl::StatusOr<Sqlite> OpenReader(const std::string& path, SqliteMode mode) {
  ASSIGN_OR_RETURN(Sqlite database, Sqlite::Open(path, mode));
  RETURN_IF_ERROR(database.Execute("PRAGMA query_only = ON; PRAGMA cache_size = -16384"));
  ASSIGN_OR_RETURN(const bool old, NeedsMigration(database));
  if (!old) return database;
  ASSIGN_OR_RETURN(const bool readable, IsReadableAsItIs(database));
  if (readable) return database;
  return FailedPrecondition("%s: written by an older assay, and cannot be brought up to date here",
                            path);
}

}  // namespace

absl::StatusOr<Sqlite> OpenForWriting(const std::string& path) {
  ASSIGN_OR_RETURN(Sqlite database, Sqlite::Open(path, SqliteMode::kReadWrite));
  RETURN_IF_ERROR(database.Execute(kWriterPragmas));
  return database;
}

absl::StatusOr<Sqlite> MakeForWriting(const std::string& path) {
  ASSIGN_OR_RETURN(Sqlite database, Sqlite::Open(path, SqliteMode::kReadWriteCreate));
  ASSIGN_OR_RETURN(const bool migrate, NeedsMigration(database));
  ASSIGN_OR_RETURN(const int64_t version, database.QueryInteger("PRAGMA user_version"));
  // A new file holds nothing to lose; waiting for the disk would delay the run's first request by
  // 80 ms (measured). The first checkpoint brings all of it to the disk.
  if (version == 0) RETURN_IF_ERROR(database.Execute("PRAGMA synchronous = OFF"));
  RETURN_IF_ERROR(SwitchToWal(database));
  if (migrate) RETURN_IF_ERROR(Migrate(database));
  RETURN_IF_ERROR(database.Execute(kWriterPragmas));
  return database;
}

// A reader opens the file for writing where it may, and promises not to: only then does the last
// one that closes it clear the log away.
absl::StatusOr<ReaderPool::Lease> ReaderPool::Borrow() {
  std::unique_ptr<Sqlite> connection;
  {
    const std::lock_guard guard(mutex_);
    if (!idle_.empty()) {
      connection = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (connection == nullptr) {
    absl::StatusOr<Sqlite> opened = OpenReader(path_, SqliteMode::kReadWrite);
    // In a directory that cannot be written there is no place for the log's index. Where there is
    // no log either, nobody is writing: the file can be read as it lies.
    const bool denied = opened.status().code() == absl::StatusCode::kPermissionDenied;
    if (denied && !HasWrittenLog(path_)) opened = OpenReader(path_, SqliteMode::kImmutable);
    RETURN_IF_ERROR(opened.status());
    connection = std::make_unique<Sqlite>(*std::move(opened));
  }
  RETURN_IF_ERROR(connection->Execute("BEGIN"));
  return Lease(this, std::move(connection));
}

ReaderPool::Lease::~Lease() {
  if (connection_ == nullptr) return;
  if (!connection_->Execute("COMMIT").ok()) return;
  const std::lock_guard guard(pool_->mutex_);
  pool_->idle_.push_back(std::move(connection_));
}

}  // namespace assay
