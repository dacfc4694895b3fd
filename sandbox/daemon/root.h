// The worker's own small world: namespaces, and a root that holds the system's programs and
// nothing of anybody's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace assay::sandboxd {

// A directory of the host that programs may read.
struct ReadOnlyDirectory {
  int descriptor = -1;  // O_PATH; after HoldDirectories, where root: a mount that hangs nowhere yet
  bool is_mount = false;
  std::string real;    // as an ordinary user: its path, which that user can walk
  std::string inside;  // "/pch"
};

// Before root is given up: afterwards nobody could walk to a directory below /root.
void HoldDirectories(std::vector<ReadOnlyDirectory>* directories);

// Where root: becomes an ordinary user that nobody else is (61000 and on), so that limits on
// processes count and nothing of root's is owned. Returns what failed, "" where nothing did.
std::string GiveUpRoot();
// Who that will be; -1: nobody else than now.
int64_t UserToBecome();

// New user, mount, pid, network, ipc, uts and cgroup namespaces; the caller stays outside the pid
// namespace, its next child is the first in it.
std::string EnterNamespaces();

// In that child: a read-only root with /usr, the linker's cache, four devices, /proc of the new
// pid namespace, and empty /tmp and /box. Beyond this point no file of the host can be named.
std::string BuildRoot(std::vector<ReadOnlyDirectory> directories);

// Replaces what /box holds.
struct BoxEntry {
  std::string name;
  std::string bytes;
  bool executable = false;
};
std::string EmptyBox(const std::string& box);
std::string FillBox(const std::string& box, const std::vector<BoxEntry>& files);

}  // namespace assay::sandboxd
