// Ctrl-C as a polite stop: the first one asks, the second one ends the program.
#pragma once

#include <csignal>

namespace assay {

// While one lives, SIGINT and SIGTERM only set what Interrupted tells.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

 private:
  struct sigaction old_interrupt_ = {}, old_terminate_ = {};
};

bool Interrupted();

}  // namespace assay
