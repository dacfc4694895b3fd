// How many requests at once, and how long to wait before asking again: pure arithmetic, no clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <random>

#include "http/client.h"

namespace assay::http {

// Additive increase, multiplicative decrease, as TCP's congestion control: doubling each round
// until the first refusal, then slowly up again. A refusal of a request that was sent before the
// last cut says nothing new and cuts nothing.
class Pacer {
 public:
  Pacer(int start, int most) : limit_(start), most_(most) {}

  int limit() const { return static_cast<int>(limit_); }
  // `full`: as many requests as allowed were in flight. An idle limit does not grow.
  void Succeeded(bool full);
  void Refused(Clock::time_point sent, Clock::time_point now);

 private:
  double limit_;
  const double most_;
  bool refused_once_ = false;
  Clock::time_point last_cut_{};
};

// How many refused requests may wait for their turn, besides those in flight. A server that refuses
// at random serves the more the more are tried; one that is full only refuses more. So there is
// room while a success costs few refusals, and ever less while it costs many.
class WaitingRoom {
 public:
  int size() const { return size_; }
  void Succeeded();
  void Refused();

 private:
  int size_ = 8;
};

// The wait before try number `failures` + 1: base * 2^(failures - 1), capped, times a factor drawn
// from [1/2, 1], so that those who failed together do not come back together.
std::chrono::milliseconds Backoff(int failures, std::chrono::milliseconds base,
                                  std::chrono::milliseconds cap, std::mt19937_64* random);

}  // namespace assay::http
