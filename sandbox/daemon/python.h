// A warm Python beside the worker: runs begin with a fork of it instead of an interpreter's start.
#pragma once

#include <string>
#include <vector>

#include "sandbox/daemon/cell.h"

namespace assay::sandboxd {

// sandbox/python/zygote.py as a process of the worker's. Only in the tier `full`.
class Zygote {
 public:
  // What it holds besides the interpreter: the more, the longer a fork takes.
  enum class Kind {
    kPrograms,
    kCalls,  // our driver (sandbox/python/driver.py), compiled
    kTools   // the driver and the modules of its `tester` and `lcb`
  };
  explicit Zygote(Kind kind) : kind_(kind) {}
  // Starts it where it is not there yet; "" or what failed.
  std::string Ensure(const Place& place, const sandbox_wire::Request& request);
  int pid() const { return pid_; }

  // As StartProgram: the program is a child of the zygote, in the cell.
  std::string StartProgram(const Place& place, const sandbox_wire::Request& request,
                           const Descriptors& descriptors, Cell* cell);
  // After the cell was killed: how the program ended, as the kernel told the zygote.
  std::string Reap(CellEnd* end);

 private:
  const Kind kind_;
  int pid_ = -1;
  int socket_ = -1;
};

// Whether the request runs a file with an interpreter that a zygote can stand in for.
bool IsDriver(const std::string& text);
bool FitsZygote(const Place& place, const sandbox_wire::Request& request);

}  // namespace assay::sandboxd
