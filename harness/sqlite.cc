// The only file that speaks SQLite's C interface.
#include "harness/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "harness/status.h"

namespace assay {
namespace {

bool IsSpaceErrno(int error) { return error == ENOSPC || error == EFBIG || error == EDQUOT; }

absl::StatusCode CodeOf(int result, int system_error) {
  if (result == SQLITE_CONSTRAINT_UNIQUE || result == SQLITE_CONSTRAINT_PRIMARYKEY) {
    return absl::StatusCode::kAlreadyExists;
  }
  switch (result & 0xFF) {
    case SQLITE_FULL:
      return absl::StatusCode::kResourceExhausted;
    case SQLITE_IOERR:
      return IsSpaceErrno(system_error) ? absl::StatusCode::kResourceExhausted
                                        : absl::StatusCode::kUnavailable;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return absl::StatusCode::kDataLoss;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return absl::StatusCode::kUnavailable;
    case SQLITE_CONSTRAINT:
      return absl::StatusCode::kFailedPrecondition;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      return absl::StatusCode::kPermissionDenied;
    case SQLITE_CANTOPEN:
      if (IsSpaceErrno(system_error)) return absl::StatusCode::kResourceExhausted;
      return system_error == ENOENT ? absl::StatusCode::kNotFound
                                    : absl::StatusCode::kPermissionDenied;
    case SQLITE_TOOBIG:
      return absl::StatusCode::kInvalidArgument;
    default:
      return absl::StatusCode::kInternal;
  }
}

std::string_view Explain(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kResourceExhausted:
      return "no room left to write the database";
    case absl::StatusCode::kUnavailable:
      return "the database cannot be used now";
    case absl::StatusCode::kDataLoss:
      return "not a sound SQLite database";
    case absl::StatusCode::kPermissionDenied:
      return "no permission";
    default:
      return "SQLite";
  }
}

absl::Status ErrorOf(sqlite3* connection, const std::string& path, int result) {
  // Before anything else is called. SQLite 3.40 forgets the error of a failed write, errno does
  // not.
  const int last_error = errno;
  int system_error = connection != nullptr ? sqlite3_system_errno(connection) : 0;
  if (system_error == 0) system_error = last_error;
  const absl::StatusCode code = CodeOf(result, system_error);
  std::string detail =
      connection != nullptr ? sqlite3_errmsg(connection) : sqlite3_errstr(result & 0xFF);
  const bool system = (result & 0xFF) == SQLITE_IOERR || (result & 0xFF) == SQLITE_CANTOPEN;
  if (system && system_error != 0) {
    detail += absl::StrFormat(" (%s)", std::strerror(system_error));
  }
  return absl::Status(code, absl::StrFormat("%s: %s: %s", path, Explain(code), detail));
}

absl::Status CheckNewFile(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  if (faccessat(AT_FDCWD, parent.c_str(), W_OK | X_OK, AT_EACCESS) == 0) return absl::OkStatus();
  if (errno == ENOENT) return NotFound("%s: there is no directory %s", path, parent);
  return absl::PermissionDeniedError(
      absl::StrFormat("%s: cannot be made: %s", path, std::strerror(errno)));
}

// SQLite's own message for a missing or unreadable file is "unable to open database file".
absl::Status CheckFile(const std::string& path, SqliteMode mode) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT && mode == SqliteMode::kReadWriteCreate) return CheckNewFile(path);
    if (errno == ENOENT) return NotFound("%s: there is no such file", path);
    return absl::PermissionDeniedError(
        absl::StrFormat("%s: cannot be opened: %s", path, std::strerror(errno)));
  }
  if (S_ISDIR(info.st_mode))
    return InvalidArgument("%s: a directory, wanted a database file", path);
  return absl::OkStatus();
}

std::string ImmutableUri(const std::string& path) {
  std::string uri = "file:";
  for (const char c : path) {
    if (c == '?' || c == '#' || c == '%') {
      uri += absl::StrFormat("%%%02X", static_cast<unsigned char>(c));
    } else {
      uri += c;
    }
  }
  return uri + "?immutable=1";
}

int OpenFlags(SqliteMode mode) {
  const int common = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  switch (mode) {
    case SqliteMode::kReadOnly:
      return common | SQLITE_OPEN_READONLY;
    case SqliteMode::kReadWrite:
      return common | SQLITE_OPEN_READWRITE;
    case SqliteMode::kReadWriteCreate:
      return common | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    case SqliteMode::kImmutable:
      return common | SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
  }
  return common;
}

// SQLite takes a null pointer for NULL, also where the size is 0.
const char* NotNull(std::string_view text) { return text.data() != nullptr ? text.data() : ""; }

}  // namespace

SqliteStatement& SqliteStatement::operator=(SqliteStatement&& other) noexcept {
  if (this == &other) return *this;
  sqlite3_finalize(statement_);
  statement_ = std::exchange(other.statement_, nullptr);
  path_ = other.path_;
  return *this;
}

SqliteStatement::~SqliteStatement() { sqlite3_finalize(statement_); }

void SqliteStatement::Reset() { sqlite3_reset(statement_); }

absl::StatusOr<bool> SqliteStatement::Step() {
  const int result = sqlite3_step(statement_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) {
    Reset();
    return false;
  }
  absl::Status error = ErrorOf(sqlite3_db_handle(statement_), *path_, result);
  Reset();
  return error;
}

absl::Status SqliteStatement::RunToEnd() {
  while (true) {
    ASSIGN_OR_RETURN(const bool row, Step());
    if (!row) return absl::OkStatus();
  }
}

// A parameter that is not there, or a value beyond SQLite's 1 GB, is a bug of ours.
void SqliteStatement::BindInteger(int parameter, int64_t value) {
  CHECK(sqlite3_bind_int64(statement_, parameter, value) == SQLITE_OK);
}
void SqliteStatement::BindReal(int parameter, double value) {
  CHECK(sqlite3_bind_double(statement_, parameter, value) == SQLITE_OK);
}
void SqliteStatement::BindText(int parameter, std::string_view value) {
  CHECK(sqlite3_bind_text64(statement_, parameter, NotNull(value), value.size(), SQLITE_STATIC,
                            SQLITE_UTF8) == SQLITE_OK);
}
void SqliteStatement::BindBytes(int parameter, std::string_view value) {
  CHECK(sqlite3_bind_blob64(statement_, parameter, NotNull(value), value.size(), SQLITE_STATIC) ==
        SQLITE_OK);
}
void SqliteStatement::BindNull(int parameter) {
  CHECK(sqlite3_bind_null(statement_, parameter) == SQLITE_OK);
}

bool SqliteStatement::IsNull(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}
bool SqliteStatement::IsBlob(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_BLOB;
}
int64_t SqliteStatement::Integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}
double SqliteStatement::Real(int column) const { return sqlite3_column_double(statement_, column); }
std::string_view SqliteStatement::Text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return {static_cast<const char*>(bytes), static_cast<size_t>(size)};
}

absl::StatusOr<Sqlite> Sqlite::Open(const std::string& path, SqliteMode mode,
                                    int busy_milliseconds) {
  RETURN_IF_ERROR(CheckFile(path, mode));
  const std::string name = mode == SqliteMode::kImmutable ? ImmutableUri(path) : path;
  Sqlite opened;
  opened.path_ = std::make_unique<const std::string>(path);
  const int result = sqlite3_open_v2(name.c_str(), &opened.connection_, OpenFlags(mode), nullptr);
  if (result != SQLITE_OK) return ErrorOf(opened.connection_, path, result);
  sqlite3_busy_timeout(opened.connection_, busy_milliseconds);
  return opened;
}

Sqlite& Sqlite::operator=(Sqlite&& other) noexcept {
  if (this == &other) return *this;
  sqlite3_close_v2(connection_);
  connection_ = std::exchange(other.connection_, nullptr);
  path_ = std::move(other.path_);
  return *this;
}

Sqlite::~Sqlite() { sqlite3_close_v2(connection_); }

absl::Status Sqlite::Execute(const std::string& sql) {
  const int result = sqlite3_exec(connection_, sql.c_str(), nullptr, nullptr, nullptr);
  return result == SQLITE_OK ? absl::OkStatus() : ErrorOf(connection_, *path_, result);
}

absl::StatusOr<SqliteStatement> Sqlite::Prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int result = sqlite3_prepare_v3(connection_, sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (result != SQLITE_OK) return ErrorOf(connection_, *path_, result);
  return SqliteStatement(statement, path_.get());
}

absl::StatusOr<int64_t> Sqlite::QueryInteger(std::string_view sql) {
  ASSIGN_OR_RETURN(SqliteStatement statement, Prepare(sql));
  ASSIGN_OR_RETURN(const bool row, statement.Step());
  return row ? statement.Integer(0) : 0;
}

absl::StatusOr<std::string> Sqlite::QueryText(std::string_view sql) {
  ASSIGN_OR_RETURN(SqliteStatement statement, Prepare(sql));
  ASSIGN_OR_RETURN(const bool row, statement.Step());
  return row ? std::string(statement.Text(0)) : "";
}

int64_t Sqlite::last_row_id() const { return sqlite3_last_insert_rowid(connection_); }
int64_t Sqlite::changes() const { return sqlite3_changes64(connection_); }
bool Sqlite::has_moved() const {
  int moved = 0;
  const int told = sqlite3_file_control(connection_, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  return told == SQLITE_OK && moved != 0;
}
bool Sqlite::in_transaction() const { return sqlite3_get_autocommit(connection_) == 0; }

absl::StatusOr<SqliteTransaction> SqliteTransaction::Begin(Sqlite* connection) {
  RETURN_IF_ERROR(connection->Execute("BEGIN IMMEDIATE"));
  return SqliteTransaction(connection);
}

SqliteTransaction::~SqliteTransaction() {
  // SQLite itself may have rolled back, on a full disk for one.
  if (connection_ == nullptr || !connection_->in_transaction()) return;
  connection_->Execute("ROLLBACK").IgnoreError();
}

absl::Status SqliteTransaction::Commit() {
  RETURN_IF_ERROR(connection_->Execute("COMMIT"));
  connection_ = nullptr;
  return absl::OkStatus();
}

std::string SqliteVersion() { return sqlite3_libversion(); }

}  // namespace assay
