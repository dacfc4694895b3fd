// A cell: one program's process tree, and how it is begun and ended.
//
// In the tier `full` a cell is a pid, mount and ipc namespace of its own with an empty /tmp. Its
// first process is ours: it mounts, then only reaps orphans; when it is killed the kernel kills
// everything in the cell. The program itself is the worker's child, put into the cell, so that its
// end is told to the worker by the kernel and by nobody else.
#pragma once

#include <linux/filter.h>
#include <sys/resource.h>

#include <string>
#include <utility>
#include <vector>

#include "sandbox/protocol.h"

namespace assay::sandboxd {

enum class Tier { kFull, kLandlock, kNone };

// Where a worker's programs find things. In `full` the paths are the ones inside.
struct Place {
  Tier tier = Tier::kFull;
  std::string box = "/box";
  std::string scratch = "/tmp";
  std::vector<std::pair<std::string, std::string>> directories;  // inside -> real
  int own_pid_namespace = -1;
  // Processes of the program's user that are ours: the daemon that waits, the worker, the cell's
  // first one, warm interpreters; and first ones of earlier cells that still end.
  int own_processes = 3;
  int ending = 0;
  int cgroup = -1;  // that programs begin in; -1: the worker's own
  std::vector<sock_filter> filter;
};

// `text` where it begins with a path inside, as the path that it really is.
std::string Placed(const Place& place, const std::string& text);

struct Cell {
  int first = -1;  // our process in it; none below `full`
  int first_pidfd = -1;
  int program = -1;
  int program_pidfd = -1;
};

// Descriptors as the program will have them: [0], [1], [2], then extra ones.
using Descriptors = std::vector<int>;

// The cell without its program; "" or what failed.
std::string OpenCell(const Place& place, const sandbox_wire::Limits& limits, Cell* cell);
// Where root is given up and the worker's root stands: capabilities that no program and no warm
// interpreter needs to begin cannot be had again. The other four are dropped by each program.
void DropBounding();
// Begins the program; returns when it was executed, or says what failed.
std::string StartProgram(const Place& place, const sandbox_wire::Request& request,
                         const Descriptors& descriptors, Cell* cell);
// Kills what still lives in the cell and waits until nothing does. `usage` is of the program and
// all that it waited for, plus orphans.
struct CellEnd {
  bool program_reaped = false;  // the caller waited for it already
  int status = 0;               // of the program, as from wait4
  int64_t cpu_us = 0;
  int64_t peak_bytes = 0;
};
void CloseCell(const Place& place, Cell* cell, CellEnd* end);
// Waits for the program, which has ended, and for nothing else.
void ReapProgram(Cell* cell, CellEnd* end);
// Below `full`, where /tmp is a directory of the host's: removes what the program left in it.
void EmptyScratch(const Place& place);
// Kills the program's tree without waiting.
void KillCell(const Cell& cell);
int64_t CpuUs(const rusage& usage);

// Resource limits of a program: a row's number, value, and name.
struct LimitRow {
  int resource = 0;
  int64_t value = 0;
  const char* name = "";
};
std::vector<LimitRow> LimitTable(const Place& place, const sandbox_wire::Limits& limits);

// What the program's process does before it becomes the program: limits, no capabilities, filter.
std::string Confine(const Place& place, const sandbox_wire::Limits& limits);

}  // namespace assay::sandboxd
