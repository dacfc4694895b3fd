// The second-best tier: no namespaces, but Landlock's rules on files, TCP, signals and abstract
// sockets.
#pragma once

#include <string>

#include "sandbox/daemon/cell.h"

namespace assay::sandboxd {

// "" where the kernel's Landlock is new enough (ABI 6: signals and abstract sockets), else why not.
std::string LandlockMissing();
// In the program's process, after no_new_privs.
std::string EnterLandlock(const Place& place);

}  // namespace assay::sandboxd
