// Reads and writes /sys/fs/cgroup, or wherever it is mounted, on the harness's side.
#include "sandbox/cgroup.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path);
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

// "" or what failed.
std::string WriteTo(const std::string& path, std::string_view text) {
  const int file = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  const bool written =
      file >= 0 && write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const std::string failed = written ? "" : absl::StrFormat("%s: %s", path, strerror(errno));
  if (file >= 0) close(file);
  return failed;
}

bool HasWord(const std::string& text, std::string_view wanted) {
  for (const std::string_view line : SplitLines(text)) {
    for (const std::string_view word : Split(line, ' ')) {
      if (word == wanted) return true;
    }
  }
  return false;
}
bool HasControllers(const std::string& text) {
  return HasWord(text, "memory") && HasWord(text, "pids");
}

// The cgroup v2 that this process is in, as a directory that can be walked to.
struct Own {
  std::string directory;  // empty: none
  std::string why;
};
Own OwnCgroup() {
  std::string path;
  const std::string memberships = ReadWhole("/proc/self/cgroup");
  for (const std::string_view line : SplitLines(memberships)) {
    if (line.starts_with("0::")) path = std::string(line.substr(3));
  }
  if (path.empty()) return {"", "no cgroup v2"};
  const std::string mounts = ReadWhole("/proc/self/mountinfo");
  for (const std::string_view line : SplitLines(mounts)) {
    const size_t dash = line.find(" - cgroup2 ");
    if (dash == std::string_view::npos) continue;
    const std::vector<std::string_view> words = Split(line.substr(0, dash), ' ');
    if (words.size() < 6) continue;
    const std::string root(words[3] == "/" ? "" : words[3]);
    if (path != root && !path.starts_with(root + "/")) continue;
    const std::string below = path.substr(root.size());
    return {std::string(words[4]) + (below == "/" ? "" : below), ""};
  }
  return {"", absl::StrFormat("cgroup v2 '%s' is mounted nowhere here", path)};
}

// ---- leftovers --------------------------------------------------------------------------------

void KillAll(const std::string& folder) {
  if (WriteTo(folder + "/cgroup.kill", "1").empty()) return;
  std::error_code ignored;  // kernels before 5.14
  std::vector<std::string> folders = {folder};
  for (const auto& entry : fs::recursive_directory_iterator(folder, ignored)) {
    if (entry.is_directory(ignored)) folders.push_back(entry.path().string());
  }
  for (const std::string& one : folders) {
    std::ifstream procs(one + "/cgroup.procs");
    for (pid_t pid = 0; procs >> pid;) {
      if (pid > 0 && pid != getpid()) kill(pid, SIGKILL);
    }
  }
}

// Deepest first. Only directories can be removed there, and files need not.
bool RemoveFolders(const std::string& folder) {
  std::error_code ignored;
  std::vector<std::string> inside;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.is_directory(ignored)) inside.push_back(entry.path().string());
  }
  for (const std::string& one : inside) RemoveFolders(one);
  return rmdir(folder.c_str()) == 0 || errno == ENOENT;
}

// What was killed takes a moment to be gone; what cannot be removed is for the next start.
void KillAndRemove(const std::string& folder) {
  for (int i = 0; i < 200 && !RemoveFolders(folder); ++i) {
    KillAll(folder);
    std::this_thread::sleep_for(std::chrono::milliseconds(i < 20 ? 1 : 10));
  }
}

constexpr std::string_view kPrefix = "assay-";
constexpr std::string_view kHarness = "assay-harness-";

// Folders of processes that were killed: nobody holds their lock.
void RemoveLeftovers(const std::string& base) {
  std::error_code ignored;
  std::vector<std::string> folders;
  for (const auto& entry : fs::directory_iterator(base, ignored)) {
    if (entry.path().filename().string().starts_with(kPrefix))
      folders.push_back(entry.path().string());
  }
  for (const std::string& folder : folders) {
    if (fs::path(folder).filename().string().starts_with(kHarness)) {
      rmdir(folder.c_str());  // where it is empty
      continue;
    }
    const int lock = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0) KillAndRemove(folder);
    if (lock >= 0) close(lock);
  }
}

// ---- the directory that is divided ------------------------------------------------------------

bool MayWrite(const std::string& path) {
  return faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) == 0;
}

std::vector<pid_t> Members(const std::string& base) {
  std::vector<pid_t> pids;
  std::ifstream procs(base + "/cgroup.procs");
  for (pid_t pid = 0; procs >> pid;) pids.push_back(pid);
  return pids;
}

// Where this process moved to, and where it came from; of Divide.
struct Moved {
  std::string base, leaf;
};
Moved& Move() {
  static auto* const moved = new Moved;
  return *moved;
}

// A cgroup with processes in it cannot be divided: where this process is the only one, it moves
// into a leaf first.
std::string Divide(const std::string& base) {
  const std::string control = base + "/cgroup.subtree_control";
  if (HasControllers(ReadWhole(control))) return "";
  const std::vector<pid_t> members = Members(base);
  const bool only_us = members.size() == 1 && members[0] == getpid();
  if (!members.empty() && !only_us)
    return absl::StrFormat("%s: %d processes besides this one are in it", base,
                           static_cast<int>(members.size()) - 1);
  const std::string leaf = absl::StrFormat("%s/%s%d", base, std::string(kHarness), getpid());
  if (only_us) {
    if (mkdir(leaf.c_str(), 0755) != 0 && errno != EEXIST)
      return absl::StrFormat("mkdir %s: %s", leaf, strerror(errno));
    const std::string failed = WriteTo(leaf + "/cgroup.procs", "0");
    if (!failed.empty()) return failed;
  }
  const std::string failed = WriteTo(control, "+memory +pids");
  if (only_us) Move() = {base, leaf};
  if (!failed.empty() && only_us) {
    WriteTo(base + "/cgroup.procs", "0");
    rmdir(leaf.c_str());
    Move() = {};
  }
  return failed;
}

// "" where `base` can be divided, and is.
std::string MakeReady(const std::string& base) {
  if (access((base + "/cgroup.controllers").c_str(), R_OK) != 0)
    return absl::StrFormat("%s is no cgroup v2", base);
  const std::string controllers = ReadWhole(base + "/cgroup.controllers");
  if (!HasControllers(controllers))
    return absl::StrFormat("%s: controllers '%s', wanted memory and pids", base,
                           std::string(Trim(controllers)));
  for (const char* name : {"", "/cgroup.procs", "/cgroup.subtree_control"}) {
    if (!MayWrite(base + name))
      return absl::StrFormat("%s%s may not be written: %s", base, name, strerror(errno));
  }
  return Divide(base);
}

// Moving and dividing is done once for a process: then it no longer is where it was found.
struct Base {
  std::string directory;
  std::string why;  // empty: it is ready
};
Base OwnBase() {
  static std::mutex mutex;
  static std::optional<Base> known;  // guarded by mutex
  const std::lock_guard lock(mutex);
  if (known) return *known;
  const Own own = OwnCgroup();
  known = Base{own.directory, own.directory.empty() ? own.why : MakeReady(own.directory)};
  return *known;
}

// Whether the directory at `path` is the one that is open: somebody may have removed it.
bool IsStill(int directory, const std::string& path) {
  struct stat held = {}, named = {};
  return fstat(directory, &held) == 0 && stat(path.c_str(), &named) == 0 &&
         held.st_ino == named.st_ino;
}

std::atomic<int> next_folder = 0, next_slot = 0;

// Folders of this process. What still stands at its end (a sandbox that lives as long as the
// process) is removed then.
class Folders {
 public:
  static Folders& All() {
    static auto* const all = [] {
      std::atexit([] { All().RemoveAll(); });  // of a forked child, too
      return new Folders;
    }();
    return *all;
  }
  void Add(const std::string& folder) {
    const std::lock_guard lock(mutex_);
    folders_.insert(folder);
  }
  void Remove(const std::string& folder) {
    KillAndRemove(folder);
    const std::lock_guard lock(mutex_);
    folders_.erase(folder);
  }

 private:
  void RemoveAll() {
    if (getpid() != owner_) return;
    const std::lock_guard lock(mutex_);
    for (const std::string& folder : folders_) KillAndRemove(folder);
    MoveBack();
  }
  // So that who starts in the same cgroup after us finds it as we did; others may use it still.
  static void MoveBack() {
    if (Move().leaf.empty()) return;
    if (!WriteTo(Move().base + "/cgroup.subtree_control", "-memory -pids").empty()) return;
    WriteTo(Move().base + "/cgroup.procs", "0");
    rmdir(Move().leaf.c_str());
  }
  const pid_t owner_ = getpid();
  std::mutex mutex_;
  std::set<std::string> folders_;  // guarded by mutex_
};

}  // namespace

absl::StatusOr<std::unique_ptr<Cgroups>> Cgroups::Open(const std::string& where) {
  std::unique_ptr<Cgroups> made(new Cgroups);
  const char* const environment = std::getenv("ASSAY_CGROUP");
  const std::string asked = !where.empty() ? where : environment != nullptr ? environment : "";
  if (asked == "off") {
    made->why_ = "turned off";
    return made;
  }
  made->asked_for_ = !asked.empty();
  const Base base = made->asked_for_ ? Base{asked, MakeReady(asked)} : OwnBase();
  made->why_ = base.why;
  if (base.why.empty()) {
    RemoveLeftovers(base.directory);
    for (int i = 0; i < 1000 && made->folder_.empty(); ++i) {
      const std::string folder = absl::StrFormat("%s/%s%d-%d", base.directory, std::string(kPrefix),
                                                 getpid(), ++next_folder);
      if (mkdir(folder.c_str(), 0755) != 0) {
        made->why_ = absl::StrFormat("mkdir %s: %s", folder, strerror(errno));
        if (errno != EEXIST) break;
        continue;
      }
      made->lock_ = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      if (made->lock_ >= 0 && flock(made->lock_, LOCK_EX | LOCK_NB) == 0 &&
          IsStill(made->lock_, folder)) {
        made->why_ = WriteTo(folder + "/cgroup.subtree_control", "+memory +pids");
        if (made->why_.empty()) {
          made->folder_ = folder;
          Folders::All().Add(folder);
        }
        if (!made->why_.empty()) rmdir(folder.c_str());
        break;
      }
      if (made->lock_ >= 0) close(made->lock_);
      made->lock_ = -1;
      made->why_ = absl::StrFormat("%s: cannot be locked", folder);
    }
  }
  if (made->asked_for_ && !made->usable())
    return FailedPrecondition("sandbox: cgroup '%s' cannot be used: %s", asked, made->why_);
  return made;
}

Cgroups::~Cgroups() {
  if (usable()) Folders::All().Remove(folder_);
  if (lock_ >= 0) close(lock_);
}

absl::StatusOr<std::string> Cgroups::MakeSlot() {
  CHECK(usable());
  const std::string slot = absl::StrFormat("%s/slot-%d", folder_, ++next_slot);
  for (const std::string& directory : {slot, slot + "/ours", slot + "/cell"}) {
    if (mkdir(directory.c_str(), 0755) != 0)
      return absl::UnavailableError(
          absl::StrFormat("sandbox: mkdir %s: %s", directory, strerror(errno)));
  }
  return slot;
}

void Cgroups::RemoveSlot(const std::string& slot) { KillAndRemove(slot); }

}  // namespace assay
