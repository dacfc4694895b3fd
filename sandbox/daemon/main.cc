// assay-sandboxd: runs hostile programs for assay, one at a time, and says how they ended.
//
// Started by sandbox/sandbox.cc with an empty environment, a socket as descriptor 3 and directories
// to show as descriptors from 4 on; it is told no secret, and what it is told it cannot keep: it
// ends with the socket.
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "sandbox/daemon/cell.h"
#include "sandbox/daemon/filter.h"
#include "sandbox/daemon/group.h"
#include "sandbox/daemon/landlock.h"
#include "sandbox/daemon/probe.h"
#include "sandbox/daemon/root.h"
#include "sandbox/daemon/system.h"
#include "sandbox/daemon/worker.h"
#include "sandbox/protocol.h"

namespace assay::sandboxd {
namespace {

constexpr int kSocket = 3;

struct Options {
  Tier tier = Tier::kFull;
  std::vector<ReadOnlyDirectory> directories;  // --show=/inside and --real=PATH; from 4 on
  bool has_group = false;                      // --cgroup: a slot's directory, after those
};

bool ReadOptions(int count, char** words, Options* options) {
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word == "--tier=full") {
      options->tier = Tier::kFull;
    } else if (word == "--tier=landlock") {
      options->tier = Tier::kLandlock;
    } else if (word == "--tier=none") {
      options->tier = Tier::kNone;
    } else if (word.starts_with("--show=")) {
      const int descriptor = kSocket + 1 + static_cast<int>(options->directories.size());
      options->directories.push_back({descriptor, false, "", word.substr(7)});
    } else if (word == "--cgroup") {
      options->has_group = true;
    } else if (word.starts_with("--real=") && !options->directories.empty()) {
      options->directories.back().real = word.substr(7);
    } else {
      return false;
    }
  }
  return true;
}

int Refuse(const std::string& why) {
  sandbox_wire::Send(kSocket, sandbox_wire::Kind::kFault, why);
  return 1;
}

// A group, or why there is none. Each step is taken where those before it succeeded.
struct MaybeGroup {
  Group group;
  std::string missing;  // empty: none

  void Join(const Options& options) {
    const int slot = kSocket + 1 + static_cast<int>(options.directories.size());
    missing = options.has_group ? group.Join(slot, UserToBecome()) : "none was given";
  }
  void Divide() {
    if (missing.empty()) missing = group.Divide();
  }
  void Try() {
    if (missing.empty()) missing = group.Try();
  }
};

int Greet(Place place, MaybeGroup maybe) {
  maybe.Try();
  place.cgroup = maybe.group.cell();
  // What the memory of programs is counted by.
  const std::string memory = maybe.group.used() ? "cgroup" : maybe.missing;
  sandbox_wire::Send(kSocket, sandbox_wire::Kind::kHello, memory);
  return Serve(kSocket, place, maybe.group);
}

// The first process of the worker's pid namespace.
int BeWorker(const Options& options, Place place, const MaybeGroup& group) {
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  const std::string failed = BuildRoot(options.directories);
  if (!failed.empty()) return Refuse(failed);
  for (const ReadOnlyDirectory& directory : options.directories) close(directory.descriptor);
  DropBounding();
  place.own_pid_namespace = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
  if (place.own_pid_namespace < 0) return Refuse(Errno("/proc/self/ns/pid"));
  return Greet(place, group);
}

int WaitFor(int child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int ServeFull(const Options& options, const Place& place, MaybeGroup group) {
  const std::string failed = EnterNamespaces();
  if (!failed.empty()) return Refuse(failed);
  group.Divide();
  const int child = Clone(0, nullptr);
  if (child == 0) _exit(BeWorker(options, place, group));
  if (child < 0) return Refuse(Errno("clone the worker"));
  close(kSocket);
  return WaitFor(child);
}

// Below `full` a program's files lie in a directory of ours, and a second process removes it when
// the first is done, however it ended.
int ServeBelow(const Options& options, Place place, MaybeGroup group) {
  if (options.tier == Tier::kLandlock) {
    const std::string missing = LandlockMissing();
    if (!missing.empty()) return Refuse(missing);
  }
  char folder[] = "/tmp/assay-sandbox-XXXXXX";
  if (mkdtemp(folder) == nullptr) return Refuse(Errno("mkdtemp /tmp"));
  place.box = std::string(folder) + "/box";
  place.scratch = std::string(folder) + "/scratch";
  if (mkdir(place.box.c_str(), 0755) != 0 || mkdir(place.scratch.c_str(), 0755) != 0)
    return Refuse(Errno("mkdir"));
  group.Divide();
  for (const ReadOnlyDirectory& directory : options.directories)
    place.directories.emplace_back(directory.inside, directory.real);
  const int child = Clone(0, nullptr);
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    _exit(Greet(place, group));
  }
  close(kSocket);
  const int status = child < 0 ? 1 : WaitFor(child);
  execl("/bin/rm", "rm", "-rf", folder, nullptr);
  return status;
}

// Our starter's limit may be low; what is not forbidden is taken.
std::string EnoughDescriptors() {
  constexpr rlim_t kWanted = 64;
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_max >= kWanted) return "";
  return std::to_string(limit.rlim_max) + " open files are allowed (ulimit -n), " +
         std::to_string(kWanted) + " are wanted";
}

int Main(int count, char** words) {
  if (count == 4 && strcmp(words[1], "--probe") == 0) return Probe(2, words + 2);
  if (count == 3 && strcmp(words[1], "--misbehave") == 0) return Misbehave(words[2]);
  // What our starter ignored (nohup), programs need not.
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  mallopt(M_MMAP_THRESHOLD, 64 << 10);  // what is large goes back: every fork copies what is held
  signal(SIGPIPE, SIG_IGN);
  signal(SIGINT, SIG_IGN);  // Ctrl-C is the harness's to answer
  umask(022);
  Options options;
  if (!ReadOptions(count, words, &options)) {
    std::fprintf(stderr, "assay-sandboxd: started by assay, not by hand\n");
    return 2;
  }
  std::string failed = EnoughDescriptors();
  if (!failed.empty()) return Refuse(failed);
  Place place;
  place.tier = options.tier;
  if (options.tier == Tier::kFull) HoldDirectories(&options.directories);
  MaybeGroup group;
  group.Join(options);
  failed = GiveUpRoot();
  if (failed.empty()) place.filter = MakeFilter(&failed);
  if (!failed.empty()) return Refuse(failed);
  return options.tier == Tier::kFull ? ServeFull(options, place, group)
                                     : ServeBelow(options, place, group);
}

}  // namespace
}  // namespace assay::sandboxd

int main(int count, char** words) { return assay::sandboxd::Main(count, words); }
