// Worker processes: what can run away runs in a child with limits, one request and one reply at a
// time.
//
//   WorkerPool pool({.command = {"assay", "grade-worker", "math"}, .workers = 4});
//   absl::StatusOr<std::string> reply = pool.Call(request, 1s);
//
// A hang, a crash or a full memory costs the one request that caused it: the child is killed, the
// call says why, and the next call has a fresh child.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace assay {

struct WorkerOptions {
  std::vector<std::string> command;  // program and arguments; the program speaks ServeWorker
  int workers = 1;                   // children alive at the most; started when first needed
  size_t memory_bytes = 512 << 20;   // of address space, each; not kept under sanitizers
  std::chrono::milliseconds start_limit{10000};  // until a child says that it is ready
};

struct CallLimits {
  // Of the child's own CPU time, so that a busy machine, which takes longer over the same work,
  // changes no outcome; zero: none but the wall.
  std::chrono::milliseconds cpu{0};
  std::chrono::milliseconds wall{1000};
};

class WorkerPool {
 public:
  explicit WorkerPool(WorkerOptions options);
  ~WorkerPool();  // kills and reaps the children; no call may be under way
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Sends the request to a free child (waiting for one) and returns its reply. Thread-safe. The
  // request's own faults: DeadlineExceeded (a limit of time passed), ResourceExhausted (out of
  // memory), Aborted (the child crashed). Any other error is ours: the child cannot be run.
  absl::StatusOr<std::string> Call(std::string_view request, const CallLimits& limits);
  absl::StatusOr<std::string> Call(std::string_view request, std::chrono::milliseconds wall) {
    return Call(request, CallLimits{.wall = wall});
  }

  // Children started since the beginning, the first ones included.
  int64_t started() const;

 private:
  struct Shared;
  std::unique_ptr<Shared> shared_;
};

// True where a Call failed by its own request's fault: that costs a verdict, not the run.
bool IsFaultOfRequest(const absl::Status& status);
// "timeout", "over limit", "crash": for a verdict's `why`.
std::string_view NameOfFault(const absl::Status& status);

// The other side, in the child: answers requests from standard input's socket until it closes;
// returns the exit status. Standard output goes nowhere meanwhile. `answer` running out of memory
// (std::bad_alloc) is told to the caller, and the child ends.
int ServeWorker(const std::function<std::string(std::string_view request)>& answer);

// The program whose sub-command `grade-worker` graders may run their workers with; empty until
// main.cc has said so, as in tests, where graders then do their work in the process itself.
void SetWorkerProgram(std::string path);
std::string WorkerProgram();

}  // namespace assay
