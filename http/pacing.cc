// The constants are TCP's in spirit; a cut of 0.7 instead of 0.5 since a refusal costs little.
#include "http/pacing.h"

#include <algorithm>

namespace assay::http {
namespace {

constexpr double kCut = 0.7;
constexpr double kStep = 4;  // requests more per round after the first refusal
constexpr double kLeast = 1;
constexpr int kRefusalsPerSuccess = 6;  // where room neither grows nor shrinks
constexpr int kMostRoom = 64;

}  // namespace

void Pacer::Succeeded(bool full) {
  if (!full) return;
  limit_ = std::min(most_, limit_ + (refused_once_ ? kStep / limit_ : 1));
}

void Pacer::Refused(Clock::time_point sent, Clock::time_point now) {
  refused_once_ = true;
  if (sent < last_cut_) return;
  last_cut_ = now;
  limit_ = std::max(kLeast, limit_ * kCut);
}

void WaitingRoom::Succeeded() { size_ = std::min(kMostRoom, size_ + kRefusalsPerSuccess); }

void WaitingRoom::Refused() { size_ = std::max(0, size_ - 1); }

std::chrono::milliseconds Backoff(int failures, std::chrono::milliseconds base,
                                  std::chrono::milliseconds cap, std::mt19937_64* random) {
  const int doublings = std::clamp(failures - 1, 0, 20);
  const double whole = std::min(static_cast<double>(cap.count()),
                                static_cast<double>(base.count()) * (1 << doublings));
  const double part = std::uniform_real_distribution<double>(0.5, 1)(*random);
  return std::chrono::milliseconds(static_cast<int64_t>(whole * part) + 1);
}

}  // namespace assay::http
