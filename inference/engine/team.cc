// Spin a little, then sleep on the word that is to change (C++20's atomic wait).
#include "inference/engine/team.h"

namespace assay {
namespace {

inline void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Until `word` is no longer `old`.
void AwaitChange(const std::atomic<uint32_t>& word, uint32_t old) {
  for (int spin = 0; spin < 4000; ++spin) {
    if (word.load(std::memory_order_acquire) != old) return;
    Pause();
  }
  word.wait(old, std::memory_order_acquire);
}

}  // namespace

Team::Team(int threads) {
  for (int member = 1; member < threads; ++member) {
    threads_.emplace_back([this, member] { Loop(member); });
  }
}

Team::~Team() {
  stopping_ = true;
  started_.fetch_add(1);
  started_.notify_all();
}

void Team::Loop(int member) {
  uint32_t seen = 0;
  while (true) {
    AwaitChange(started_, seen);
    ++seen;
    if (stopping_) return;
    (*work_.load())(member);
    Wait();
  }
}

void Team::Run(const std::function<void(int member)>& work) {
  work_ = &work;
  started_.fetch_add(1);
  if (!threads_.empty()) started_.notify_all();
  work(0);
  Wait();
}

void Team::Wait() {
  const uint32_t now = passed_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == static_cast<uint32_t>(size())) {
    arrived_.store(0, std::memory_order_relaxed);
    next_.store(0, std::memory_order_relaxed);
    passed_.fetch_add(1, std::memory_order_acq_rel);
    if (!threads_.empty()) passed_.notify_all();
    return;
  }
  AwaitChange(passed_, now);
}

}  // namespace assay
