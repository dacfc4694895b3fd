// A thin hold on SQLite: connections and statements that close themselves, and errors that name the
// file.
//
// No other file includes sqlite3.h. What went wrong is told apart by the status code:
//   ResourceExhausted  the disk is full, a quota or a file size limit is reached
//   DataLoss           not an SQLite database, or a damaged one
//   Unavailable        another process held the lock for longer than the busy time-out
//   AlreadyExists      a uniqueness constraint;  FailedPrecondition  any other one, or a trigger
//   NotFound, PermissionDenied  the file
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct sqlite3;
struct sqlite3_stmt;

namespace assay {

enum class SqliteMode {
  kReadOnly,
  kReadWrite,
  kReadWriteCreate,
  kImmutable  // nobody writes while it is read: works in a directory that cannot be written
};

// Bytes, where a std::string_view alone would be text.
struct SqliteBlob {
  std::string_view bytes;
};

// One compiled statement. Not thread-safe. Must die before its connection.
class SqliteStatement {
 public:
  SqliteStatement() = default;
  SqliteStatement(SqliteStatement&& other) noexcept { *this = std::move(other); }
  SqliteStatement& operator=(SqliteStatement&& other) noexcept;
  ~SqliteStatement();

  // Resets the statement and binds all its parameters, in order: integers, doubles, text,
  // SqliteBlob, std::nullopt, std::optional of these. Text and bytes are not copied: they must live
  // until the next Bind, Reset or the end.
  template <typename... Args>
  void Bind(const Args&... args) {
    Reset();
    int parameter = 0;
    (BindOne(++parameter, args), ...);
  }
  // True: there is a row. False: the end; the statement is reset.
  absl::StatusOr<bool> Step();
  // Binds, runs to the end, resets.
  template <typename... Args>
  absl::Status Execute(const Args&... args) {
    Bind(args...);
    return RunToEnd();
  }
  void Reset();

  // Columns of the present row, from 0. Views live until the next Step, Bind or Reset.
  bool IsNull(int column) const;
  int64_t Integer(int column) const;
  double Real(int column) const;
  std::string_view Text(int column) const;  // of a blob too
  bool IsBlob(int column) const;

 private:
  friend class Sqlite;
  SqliteStatement(sqlite3_stmt* statement, const std::string* path)
      : statement_(statement), path_(path) {}

  template <typename T>
  void BindOne(int parameter, const T& value) {
    if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
      BindInteger(parameter, static_cast<int64_t>(value));
    } else if constexpr (std::is_floating_point_v<T>) {
      BindReal(parameter, value);
    } else if constexpr (std::is_same_v<T, SqliteBlob>) {
      BindBytes(parameter, value.bytes);
    } else if constexpr (std::is_same_v<T, std::nullopt_t>) {
      BindNull(parameter);
    } else {
      BindText(parameter, value);
    }
  }
  template <typename T>
  void BindOne(int parameter, const std::optional<T>& value) {
    if (value) {
      BindOne(parameter, *value);
    } else {
      BindNull(parameter);
    }
  }
  void BindInteger(int parameter, int64_t value);
  void BindReal(int parameter, double value);
  void BindText(int parameter, std::string_view value);
  void BindBytes(int parameter, std::string_view value);
  void BindNull(int parameter);
  absl::Status RunToEnd();

  sqlite3_stmt* statement_ = nullptr;
  const std::string* path_ = nullptr;  // the connection's
};

// A connection. Used by one thread at a time.
class Sqlite {
 public:
  static absl::StatusOr<Sqlite> Open(const std::string& path, SqliteMode mode,
                                     int busy_milliseconds = 60000);
  Sqlite() = default;
  Sqlite(Sqlite&& other) noexcept { *this = std::move(other); }
  Sqlite& operator=(Sqlite&& other) noexcept;
  ~Sqlite();

  // One or many statements whose rows are not wanted.
  absl::Status Execute(const std::string& sql);
  absl::StatusOr<SqliteStatement> Prepare(std::string_view sql);
  // The first column of the first row.
  absl::StatusOr<int64_t> QueryInteger(std::string_view sql);
  absl::StatusOr<std::string> QueryText(std::string_view sql);

  int64_t last_row_id() const;
  int64_t changes() const;  // rows changed by the last INSERT, UPDATE or DELETE
  bool in_transaction() const;
  // The file no longer lies at its path: it was moved, deleted or replaced since it was opened.
  bool has_moved() const;
  const std::string& path() const { return *path_; }

 private:
  sqlite3* connection_ = nullptr;
  std::unique_ptr<const std::string> path_;  // at one address for the statements
};

// A write transaction from BEGIN IMMEDIATE; rolled back unless committed.
class SqliteTransaction {
 public:
  static absl::StatusOr<SqliteTransaction> Begin(Sqlite* connection);
  SqliteTransaction(SqliteTransaction&& other) noexcept
      : connection_(std::exchange(other.connection_, nullptr)) {}
  SqliteTransaction& operator=(SqliteTransaction&&) = delete;
  ~SqliteTransaction();
  absl::Status Commit();  // an error: nothing of it was stored

 private:
  explicit SqliteTransaction(Sqlite* connection) : connection_(connection) {}
  Sqlite* connection_;
};

std::string SqliteVersion();

}  // namespace assay
