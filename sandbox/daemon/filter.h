// The system calls that a program in the sandbox may make.
#pragma once

#include <linux/filter.h>

#include <string>
#include <vector>

namespace assay::sandboxd {

// A list of what is allowed; what is not on it does not exist (ENOSYS), is forbidden (EPERM), or,
// where no honest program calls it, ends the process with SIGSYS. Any other ABI than x86-64's own
// ends it too. Made once for a worker. Empty, and `error` says why, where it cannot be made.
std::vector<sock_filter> MakeFilter(std::string* error);

// In the program's process, after no_new_privs. Async-signal-safe.
bool ApplyFilter(const std::vector<sock_filter>& filter);

}  // namespace assay::sandboxd
