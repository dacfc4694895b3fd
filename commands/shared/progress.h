// The progress line of a run: samples done, running accuracy with its interval, tokens/s,
// truncated, retries, time left.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "harness/backend.h"
#include "harness/pipeline.h"

namespace assay {

// One line, without the newline; `seconds` since the start.
std::string ProgressText(const RunProgress& progress, const BackendCounters& counters,
                         double seconds);

// Prints to stderr from a thread of its own: one line rewritten each half second on a terminal,
// plain lines every ten seconds elsewhere. Stops and clears the line when destroyed.
class ProgressPrinter {
 public:
  ProgressPrinter(const RunProgress& progress, const BackendCounters& counters);
  ~ProgressPrinter();

 private:
  void Loop();

  const RunProgress& progress_;
  const BackendCounters& counters_;
  const bool terminal_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;  // guarded by mutex_
  std::jthread thread_;
};

}  // namespace assay
