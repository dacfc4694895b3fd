// The handler touches one atomic number: nothing else is safe there.
#include "commands/shared/interrupt.h"

#include <unistd.h>

#include <atomic>

namespace assay {
namespace {

std::atomic<int> interrupts{0};

extern "C" void OnInterrupt(int) {
  if (interrupts.fetch_add(1) == 0) return;
  _exit(130);  // asked twice: whatever was stored is committed
}

}  // namespace

InterruptGuard::InterruptGuard() {
  struct sigaction action = {};
  action.sa_handler = OnInterrupt;
  sigaction(SIGINT, &action, &old_interrupt_);
  sigaction(SIGTERM, &action, &old_terminate_);
}

InterruptGuard::~InterruptGuard() {
  sigaction(SIGINT, &old_interrupt_, nullptr);
  sigaction(SIGTERM, &old_terminate_, nullptr);
}

bool Interrupted() { return interrupts > 0; }

}  // namespace assay
