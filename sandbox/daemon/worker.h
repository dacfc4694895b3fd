// The supervisor's loop: one request at a time, from the socket to the end of the program.
#pragma once

#include <string>

#include "sandbox/daemon/cell.h"
#include "sandbox/daemon/group.h"

namespace assay::sandboxd {

// Answers requests until the socket closes. Returns the exit status.
int Serve(int socket, Place place, Group group);

}  // namespace assay::sandboxd
