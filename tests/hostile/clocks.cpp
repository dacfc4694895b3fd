// Turns every clock that there is.
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>

#include <cstdio>
#include <initializer_list>

int main() {
  const timespec early = {1, 0};
  const timeval early_too = {1, 0};
  timex change = {};
  change.modes = ADJ_FREQUENCY | ADJ_TICK;
  change.tick = 9000;
  for (const clockid_t clock : {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI,
                                CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID}) {
    if (clock_settime(clock, &early) == 0) std::puts("MOVED");
  }
  if (settimeofday(&early_too, nullptr) == 0) std::puts("MOVED");
  if (adjtimex(&change) >= 0) std::puts("MOVED");
  if (prctl(PR_SET_TIMERSLACK, 1000000000ul, 0, 0, 0) != 0) std::puts("no slack");
  std::puts("4");
}
