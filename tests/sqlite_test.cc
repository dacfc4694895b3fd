// The hold on SQLite: values go in and come out whole, and errors say which file and which kind.
#include "harness/sqlite.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "harness/status.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing_support::TemporaryDirectory;
using testing_support::WriteWholeFile;

absl::StatusOr<Sqlite> Create(const std::string& path) {
  return Sqlite::Open(path, SqliteMode::kReadWriteCreate);
}

TEST(Sqlite, EveryKindOfValueComesBack) {
  TemporaryDirectory directory;
  ASSERT_OK_AND_ASSIGN(Sqlite database, Create(directory.Path("a.db")));
  ASSERT_OK(database.Execute("CREATE TABLE t (a, b, c, d, e, f)"));
  ASSERT_OK_AND_ASSIGN(SqliteStatement insert,
                       database.Prepare("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)"));
  const std::string bytes("\x00\xff zero", 7);
  ASSERT_OK(insert.Execute(INT64_MIN, 0.1, "text\n", SqliteBlob{bytes}, std::nullopt,
                           std::optional<int>(7)));
  ASSERT_OK(insert.Execute(true, -1e300, std::string_view(), SqliteBlob{{}}, std::nullopt,
                           std::optional<int>()));
  EXPECT_EQ(database.changes(), 1);
  EXPECT_EQ(database.last_row_id(), 2);
  ASSERT_OK_AND_ASSIGN(SqliteStatement query, database.Prepare("SELECT * FROM t ORDER BY rowid"));
  ASSERT_OK_AND_ASSIGN(bool row, query.Step());
  ASSERT_TRUE(row);
  EXPECT_EQ(query.Integer(0), INT64_MIN);
  EXPECT_EQ(query.Real(1), 0.1);
  EXPECT_EQ(query.Text(2), "text\n");
  EXPECT_FALSE(query.IsBlob(2));
  EXPECT_EQ(query.Text(3), bytes);
  EXPECT_TRUE(query.IsBlob(3));
  EXPECT_TRUE(query.IsNull(4));
  EXPECT_EQ(query.Integer(5), 7);
  ASSERT_OK_AND_ASSIGN(row, query.Step());
  EXPECT_EQ(query.Integer(0), 1);
  EXPECT_FALSE(query.IsNull(2));  // empty is not NULL
  EXPECT_FALSE(query.IsNull(3));
  EXPECT_TRUE(query.IsNull(5));
  ASSERT_OK_AND_ASSIGN(row, query.Step());
  EXPECT_FALSE(row);
}

TEST(Sqlite, TransactionIsUndoneUnlessCommitted) {
  TemporaryDirectory directory;
  ASSERT_OK_AND_ASSIGN(Sqlite database, Create(directory.Path("a.db")));
  ASSERT_OK(database.Execute("CREATE TABLE t (a)"));
  {
    ASSERT_OK_AND_ASSIGN(SqliteTransaction transaction, SqliteTransaction::Begin(&database));
    ASSERT_OK(database.Execute("INSERT INTO t VALUES (1)"));
  }
  ASSERT_OK_AND_ASSIGN(int64_t count, database.QueryInteger("SELECT count(*) FROM t"));
  EXPECT_EQ(count, 0);
  {
    ASSERT_OK_AND_ASSIGN(SqliteTransaction transaction, SqliteTransaction::Begin(&database));
    ASSERT_OK(database.Execute("INSERT INTO t VALUES (1)"));
    ASSERT_OK(transaction.Commit());
  }
  ASSERT_OK_AND_ASSIGN(count, database.QueryInteger("SELECT count(*) FROM t"));
  EXPECT_EQ(count, 1);
}

TEST(Sqlite, ErrorsNameTheFileAndTheirKind) {
  TemporaryDirectory directory;
  const std::string path = directory.Path("a.db");
  ASSERT_OK_AND_ASSIGN(Sqlite database, Create(path));
  ASSERT_OK(database.Execute("CREATE TABLE t (a UNIQUE CHECK (a < 10))"));
  ASSERT_OK(database.Execute("INSERT INTO t VALUES (1)"));
  const absl::Status twice = database.Execute("INSERT INTO t VALUES (1)");
  EXPECT_EQ(twice.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(twice.message()), HasSubstr("a.db"));
  EXPECT_EQ(database.Execute("INSERT INTO t VALUES (11)").code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(database.Prepare("SELECT nonsense FROM t").status().code(),
            absl::StatusCode::kInternal);
  EXPECT_EQ(Sqlite::Open(directory.Path("none.db"), SqliteMode::kReadOnly).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(Create(directory.Path("no/such/a.db")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Create(directory.Path()).status().code(), absl::StatusCode::kInvalidArgument);
  WriteWholeFile(directory.Path("text.db"), std::string(5000, 'x'));
  ASSERT_OK_AND_ASSIGN(Sqlite text, Sqlite::Open(directory.Path("text.db"), SqliteMode::kReadOnly));
  EXPECT_EQ(text.QueryInteger("PRAGMA user_version").status().code(), absl::StatusCode::kDataLoss);
}

TEST(Sqlite, AnotherWritersLockIsUnavailable) {
  TemporaryDirectory directory;
  ASSERT_OK_AND_ASSIGN(Sqlite one, Create(directory.Path("a.db")));
  ASSERT_OK_AND_ASSIGN(Sqlite two,
                       Sqlite::Open(directory.Path("a.db"), SqliteMode::kReadWrite, 10));
  ASSERT_OK_AND_ASSIGN(SqliteTransaction transaction, SqliteTransaction::Begin(&one));
  EXPECT_EQ(SqliteTransaction::Begin(&two).status().code(), absl::StatusCode::kUnavailable);
}

TEST(Sqlite, FullDatabaseIsResourceExhausted) {
  TemporaryDirectory directory;
  ASSERT_OK_AND_ASSIGN(Sqlite database, Create(directory.Path("a.db")));
  ASSERT_OK(
      database.Execute("PRAGMA synchronous = OFF; PRAGMA max_page_count = 10; CREATE TABLE t (a)"));
  ASSERT_OK_AND_ASSIGN(SqliteStatement insert, database.Prepare("INSERT INTO t VALUES (?)"));
  absl::Status status;
  for (int i = 0; i < 100 && status.ok(); ++i) status = insert.Execute(std::string(1000, 'x'));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("a.db"));
}

// A limit on the file's size makes write(2) fail as a full disk does.
TEST(Sqlite, FullDiskIsResourceExhausted) {
  TemporaryDirectory directory;
  const std::string path = directory.Path("a.db");
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {100000, 100000};
    setrlimit(RLIMIT_FSIZE, &limit);
    absl::StatusOr<Sqlite> database = Create(path);
    if (!database.ok() || !database->Execute("PRAGMA synchronous = OFF; CREATE TABLE t (a)").ok())
      _exit(2);
    absl::Status status;
    for (int i = 0; i < 1000 && status.ok(); ++i) {
      status = database->Execute("INSERT INTO t VALUES (zeroblob(1000))");
    }
    _exit(status.code() == absl::StatusCode::kResourceExhausted ? 0 : 1);
  }
  int ended = 0;
  waitpid(child, &ended, 0);
  EXPECT_EQ(ended, 0);
}

TEST(Sqlite, PathsWithOddCharactersOpenImmutably) {
  TemporaryDirectory directory;
  const std::string path = directory.Path("a b?c#d%41.db");
  {
    ASSERT_OK_AND_ASSIGN(Sqlite database, Create(path));
    ASSERT_OK(database.Execute("PRAGMA user_version = 42"));
  }
  ASSERT_OK_AND_ASSIGN(Sqlite database, Sqlite::Open(path, SqliteMode::kImmutable));
  ASSERT_OK_AND_ASSIGN(const int64_t version, database.QueryInteger("PRAGMA user_version"));
  EXPECT_EQ(version, 42);
}

}  // namespace
}  // namespace assay
