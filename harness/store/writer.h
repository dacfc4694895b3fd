// The writer of one run: a bounded queue, one thread, one transaction for all that waits.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "harness/sqlite.h"
#include "harness/store.h"
#include "harness/store/run_lock.h"

namespace assay {

struct RunRows {
  int64_t run = 0;                           // row of `runs`
  std::map<std::string, int64_t> task_rows;  // task name -> row of `tasks`
};

absl::StatusOr<std::unique_ptr<RunWriter>> StartRunWriter(Sqlite database, RunLock lock,
                                                          RunRows rows);

}  // namespace assay
