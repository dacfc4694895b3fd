// Landlock by system calls: Debian 12's headers know ABI 2, the kernel may know 7.
#include "sandbox/daemon/landlock.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "sandbox/daemon/system.h"

namespace assay::sandboxd {
namespace {

// <linux/landlock.h>, ABI 6.
struct Ruleset {
  uint64_t files = 0;
  uint64_t network = 0;
  uint64_t scopes = 0;
};
struct __attribute__((packed)) PathRule {
  uint64_t allowed = 0;
  int32_t directory = -1;
};
constexpr uint64_t kExecute = 1 << 0, kWriteFile = 1 << 1, kReadFile = 1 << 2, kReadDir = 1 << 3;
constexpr uint64_t kTruncate = 1 << 14;
constexpr uint64_t kAllFiles = (1 << 16) - 1;  // up to IOCTL_DEV, ABI 5
constexpr uint64_t kMakeDevices = (1 << 6) | (1 << 11);
constexpr uint64_t kTcp = 3;     // bind, connect
constexpr uint64_t kScopes = 3;  // abstract sockets, signals
constexpr int kWantedAbi = 6;

std::string Allow(int ruleset, const std::string& path, uint64_t access) {
  PathRule rule;
  rule.allowed = access;
  rule.directory = open(path.c_str(), O_PATH | O_CLOEXEC);
  if (rule.directory < 0) return "";  // what is not there need not be allowed
  const long added = syscall(SYS_landlock_add_rule, ruleset, 1 /* beneath a path */, &rule, 0);
  const std::string failed = added != 0 ? Errno("landlock_add_rule " + path) : "";
  close(rule.directory);
  return failed;
}

std::string AllowPlaces(int ruleset, const Place& place) {
  const uint64_t see = kExecute | kReadFile | kReadDir;
  std::string failed;
  const auto allow = [&](const std::string& path, uint64_t access) {
    if (failed.empty()) failed = Allow(ruleset, path, access);
  };
  for (const char* path :
       {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/alternatives"})
    allow(path, see);
  allow("/etc/ld.so.cache", kReadFile);
  for (const char* path : {"/dev/null", "/dev/full", "/dev/random", "/dev/urandom"})
    allow(path, kReadFile | kWriteFile | kTruncate);
  allow(place.box, see);
  for (const auto& [inside, real] : place.directories) allow(real, see);
  allow(place.scratch, kAllFiles & ~kMakeDevices);
  return failed;
}

}  // namespace

std::string LandlockMissing() {
  const long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, 1 /* ask for the version */);
  if (abi < 0) return Errno("landlock_create_ruleset");
  if (abi >= kWantedAbi) return "";
  return "Landlock ABI " + std::to_string(abi) + ", wanted " + std::to_string(kWantedAbi) +
         " (an older one lets a program kill its user's processes)";
}

std::string EnterLandlock(const Place& place) {
  const Ruleset rules = {kAllFiles, kTcp, kScopes};
  const auto ruleset =
      static_cast<int>(syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0));
  if (ruleset < 0) return Errno("landlock_create_ruleset");
  std::string failed = AllowPlaces(ruleset, place);
  if (failed.empty() && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
    failed = Errno("landlock_restrict_self");
  close(ruleset);
  return failed;
}

}  // namespace assay::sandboxd
