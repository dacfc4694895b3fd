// What a cell's processes use now, read from /proc: memory that they touched, CPU time.
#pragma once

#include <cstdint>
#include <vector>

#include "sandbox/daemon/cell.h"

namespace assay::sandboxd {

// Page tables, stacks in the kernel, pipes: so much of what the kernel has for a program beside
// what it touched does not count, by either means.
constexpr int64_t KernelShare(int64_t limit) { return limit / 128 + (int64_t{2} << 20); }

struct Usage {
  int64_t cpu_us = 0;  // living processes, what they waited for, and reaped orphans
  // Where it is over the limit: anonymous and shared memory that was touched, and large page
  // tables. Below, pages of files may be in it.
  int64_t memory_bytes = 0;
  int processes = 0;
  bool waits_for_disk = false;  // one of them is in the state that disks keep one in
};

// `proc` is the worker's own /proc; `others` are processes of the worker that are no program's (its
// Python zygote). Where the sum is over `limit`, pages that several processes share are counted
// once: that costs more to find out.
Usage ReadUsage(int proc, const Place& place, const Cell& cell, const std::vector<int>& others,
                int64_t limit);

// What a busy machine kept from the program; nothing where the kernel does not count it.
struct Waiting {
  int64_t disk_bytes = 0;  // that living ones had to be given from a disk
  int64_t waited_us = 0;   // for a processor, the one of them that waited longest; turns begun only
  int64_t ran_ns = 0;      // on a processor, all of them together
  bool runnable = false;   // one of them runs, or would if it had a processor
};
Waiting ReadWaiting(int proc, const Place& place, const Cell& cell, const std::vector<int>& others);

// Of a cell in the tier `full` whose program was reaped: whether nothing runs in it but its first
// process; then *orphans_us is the CPU time of those that this one reaped.
bool IsEmptyCell(int proc, const Cell& cell, const std::vector<int>& others, int64_t* orphans_us);

}  // namespace assay::sandboxd
