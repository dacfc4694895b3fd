// A fixed set of threads that work on one step together.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace assay {

// The caller's thread is member 0. Between Runs the others sleep; within one, Wait joins all of
// them. Spins for some microseconds before it sleeps, since steps are short.
class Team {
 public:
  explicit Team(int threads);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return static_cast<int>(threads_.size()) + 1; }
  // `work(member)` on every member; returns when all have returned. Not re-entrant.
  void Run(const std::function<void(int member)>& work);

  // Within a Run, by every member: returns when all have come here. Before anyone goes on,
  // the shared counter is 0 again.
  void Wait();
  // The next of a series of pieces of work that members share between two Waits: 0, 1, 2, ...
  int Take() { return next_.fetch_add(1, std::memory_order_relaxed); }

 private:
  void Loop(int member);

  std::atomic<const std::function<void(int)>*> work_{nullptr};
  std::atomic<uint32_t> started_{0};  // Runs begun
  std::atomic<uint32_t> arrived_{0};  // at the present Wait
  std::atomic<uint32_t> passed_{0};   // Waits completed
  std::atomic<int> next_{0};
  std::atomic<bool> stopping_{false};
  std::vector<std::jthread> threads_;
};

}  // namespace assay
