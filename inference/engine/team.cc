// Pieces are taken by compare-and-swap on (series, pieces left), so that a thread that wakes late
// can never take a piece twice or of a series that is over.
#include "inference/engine/team.h"

namespace assay {
namespace {

inline void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Spins a little, then sleeps, until `word` is no longer `old`.
void AwaitChange(const std::atomic<uint32_t>& word, uint32_t old) {
  for (int spin = 0; spin < 2000; ++spin) {
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
  series_.fetch_add(1);
  series_.notify_all();
}

// False: no piece is left to begin.
bool Team::DoOne(int member) {
  uint64_t pieces = pieces_.load(std::memory_order_acquire);
  while (true) {
    if (static_cast<uint32_t>(pieces) == 0) return false;
    if (pieces_.compare_exchange_weak(pieces, pieces - 1, std::memory_order_acq_rel)) break;
  }
  // The series cannot end before this piece is done, so this is its work.
  // Pieces go out by rising number: what lies one behind the other in memory is read so.
  const int piece = count_.load(std::memory_order_acquire) - static_cast<int>(pieces & 0xFFFFFFFF);
  (*work_.load(std::memory_order_acquire))(member, piece);
  done_.fetch_add(1, std::memory_order_acq_rel);
  return true;
}

void Team::Loop(int member) {
  uint32_t seen = 0;
  while (true) {
    AwaitChange(series_, seen);
    seen = series_.load(std::memory_order_acquire);
    if (stopping_) return;
    bool worked = false;
    while (DoOne(member)) worked = true;
    if (worked) done_.notify_one();
  }
}

void Team::ForEach(int count, const std::function<void(int member, int piece)>& work) {
  if (threads_.empty() || count <= 1) {
    for (int piece = 0; piece < count; ++piece) work(0, piece);
    return;
  }
  work_.store(&work, std::memory_order_release);
  count_.store(count, std::memory_order_release);
  done_.store(0, std::memory_order_release);
  const uint64_t number = series_.load(std::memory_order_relaxed) + uint64_t{1};
  pieces_.store(number << 32 | static_cast<uint32_t>(count), std::memory_order_release);
  series_.fetch_add(1, std::memory_order_acq_rel);
  series_.notify_all();
  while (DoOne(0)) {
  }
  const auto all = static_cast<uint32_t>(count);
  for (uint32_t done = done_.load(std::memory_order_acquire); done != all;
       done = done_.load(std::memory_order_acquire)) {
    AwaitChange(done_, done);
  }
}

}  // namespace assay
