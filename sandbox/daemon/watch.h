// What a cell's processes use now, read from /proc: memory that they touched, CPU time.
#pragma once

#include <cstdint>
#include <vector>

#include "sandbox/daemon/cell.h"

namespace assay::sandboxd {

struct Usage {
  int64_t cpu_us = 0;  // living processes, what they waited for, and reaped orphans
  int64_t memory_bytes =
      0;  // anonymous and shared memory that was touched; file pages do not count
  int processes = 0;
};

// `proc` is the worker's own /proc; `others` are processes of the worker that are no program's (its
// Python zygote). Where the sum is over `limit`, pages that several processes share are counted
// once: that costs more to find out.
Usage ReadUsage(int proc, const Place& place, const Cell& cell, const std::vector<int>& others,
                int64_t limit);

}  // namespace assay::sandboxd
