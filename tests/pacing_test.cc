// The pacer and the back-off as arithmetic.
#include "http/pacing.h"

#include <gtest/gtest.h>

namespace assay::http {
namespace {

using std::chrono::milliseconds;

TEST(Pacer, DoublesEachRoundUntilTheFirstRefusal) {
  Pacer pacer(4, 100);
  for (int i = 0; i < 4; ++i) pacer.Succeeded(true);
  EXPECT_EQ(pacer.limit(), 8);
  for (int i = 0; i < 1000; ++i) pacer.Succeeded(true);
  EXPECT_EQ(pacer.limit(), 100);
}

TEST(Pacer, DoesNotGrowWhatIsNotUsed) {
  Pacer pacer(4, 100);
  for (int i = 0; i < 50; ++i) pacer.Succeeded(false);
  EXPECT_EQ(pacer.limit(), 4);
}

TEST(Pacer, CutsOncePerRoundAndThenGrowsSlowly) {
  Pacer pacer(100, 1000);
  const Clock::time_point start{};
  const auto at = [&](int ms) { return start + milliseconds(ms); };
  pacer.Refused(at(10), at(20));
  EXPECT_EQ(pacer.limit(), 70);
  pacer.Refused(at(15), at(25));  // sent before the cut: says nothing new
  EXPECT_EQ(pacer.limit(), 70);
  pacer.Refused(at(30), at(40));
  EXPECT_EQ(pacer.limit(), 49);
  for (int i = 0; i < 49; ++i) pacer.Succeeded(true);  // a round
  EXPECT_GE(pacer.limit(), 52);
  EXPECT_LE(pacer.limit(), 53);
}

TEST(Pacer, NeverFallsBelowOne) {
  Pacer pacer(3, 10);
  for (int i = 0; i < 100; ++i) {
    const auto now = Clock::time_point{} + milliseconds(i);
    pacer.Refused(now, now);
  }
  EXPECT_EQ(pacer.limit(), 1);
}

TEST(WaitingRoom, GrowsWhileASuccessCostsFewRefusalsAndGoesWhileItCostsMany) {
  const auto after = [](int refusals_per_success) {
    WaitingRoom room;
    for (int success = 0; success < 200; ++success) {
      for (int i = 0; i < refusals_per_success; ++i) room.Refused();
      room.Succeeded();
    }
    return room.size();
  };
  EXPECT_EQ(after(0), 64);
  EXPECT_EQ(after(4), 64);  // four in five are refused
  EXPECT_LE(after(12), 6);
  WaitingRoom room;
  for (int i = 0; i < 100; ++i) room.Refused();
  EXPECT_EQ(room.size(), 0);
}

TEST(Backoff, DoublesIsCappedAndJittered) {
  std::mt19937_64 random(5);
  milliseconds least{1'000'000}, most{0};
  for (int i = 0; i < 1000; ++i) {
    const milliseconds wait = Backoff(3, milliseconds(100), milliseconds(10'000), &random);
    least = std::min(least, wait);
    most = std::max(most, wait);
  }
  EXPECT_GE(least, milliseconds(200));
  EXPECT_LT(least, milliseconds(220));
  EXPECT_LE(most, milliseconds(401));
  EXPECT_GT(most, milliseconds(380));
  for (const int failures : {8, 40, 2'000'000'000}) {
    EXPECT_LE(Backoff(failures, milliseconds(100), milliseconds(5'000), &random),
              milliseconds(5'001));
  }
}

}  // namespace
}  // namespace assay::http
