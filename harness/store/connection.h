// Connections to the store's file: how they are opened, and a pool of those that read.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/sqlite.h"

namespace assay {

// Ready for reading and writing; the file exists and is up to date.
absl::StatusOr<Sqlite> OpenForWriting(const std::string& path);
// The same; makes the file or migrates it where need be.
absl::StatusOr<Sqlite> MakeForWriting(const std::string& path);

// Readers that are lent one by one. Thread-safe.
class ReaderPool {
 public:
  explicit ReaderPool(std::string path) : path_(std::move(path)) {}

  // A connection inside a read transaction: all that is read with it is one moment's.
  class Lease {
   public:
    Lease(ReaderPool* pool, std::unique_ptr<Sqlite> connection)
        : pool_(pool), connection_(std::move(connection)) {}
    Lease(Lease&&) = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();  // gives it back
    Sqlite& operator*() { return *connection_; }
    Sqlite* operator->() { return connection_.get(); }

   private:
    ReaderPool* pool_;
    std::unique_ptr<Sqlite> connection_;
  };
  absl::StatusOr<Lease> Borrow();

 private:
  std::string path_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Sqlite>> idle_;  // guarded by mutex_
};

}  // namespace assay
