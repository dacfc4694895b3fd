// A fixed set of threads that share series of small pieces of work.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace assay {

// The caller's thread is member 0 and works too. Nobody is waited for who has not begun a piece:
// on a busy machine the caller does alone what the others do not come to. The others spin for some
// microseconds after a series before they sleep, since the next one is near.
class Team {
 public:
  explicit Team(int threads);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return static_cast<int>(threads_.size()) + 1; }
  // work(member, piece) once for each piece in [0, count), each on any member, in any order;
  // returns when all have returned. What was written before is seen by every piece, and what pieces
  // wrote is seen after. Not re-entrant; one thread calls.
  void ForEach(int count, const std::function<void(int member, int piece)>& work);

 private:
  void Loop(int member);
  bool DoOne(int member);

  // The series' number in the upper half, pieces not yet begun in the lower.
  std::atomic<uint64_t> pieces_{0};
  std::atomic<const std::function<void(int, int)>*> work_{nullptr};  // of the present series
  std::atomic<int> count_{0};                                        // of the series' pieces
  std::atomic<uint32_t> series_{0};                                  // begun so far
  std::atomic<uint32_t> done_{0};                                    // pieces of the present series
  std::atomic<bool> stopping_{false};
  std::vector<std::jthread> threads_;
};

}  // namespace assay
