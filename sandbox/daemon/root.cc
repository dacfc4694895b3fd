// Mounts by descriptors (open_tree, move_mount), so that a path that only root could walk is a
// mount before root is given up.
#include "sandbox/daemon/root.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "sandbox/daemon/system.h"

namespace assay::sandboxd {
namespace {

constexpr int kInsideUser = 1000;  // not 0: what asks for root is told that it is not
const char* const kNewRoot = "/tmp";

// Which calls there are is the kernel's; glibc 2.36 names them, its <sys/mount.h> clashes with
// <linux/mount.h> in older ones.
int OpenTree(int directory, const char* path, unsigned flags) {
  return static_cast<int>(syscall(SYS_open_tree, directory, path, flags));
}
int MoveMount(int tree, const char* to) {
  return static_cast<int>(
      syscall(SYS_move_mount, tree, "", AT_FDCWD, to, 0x00000004 /* F_EMPTY_PATH */));
}
int SetMount(const char* path, uint64_t attributes, bool recursive) {
  struct {
    uint64_t set, clear, propagation, userns;
  } change = {attributes, 0, 0, 0};
  return static_cast<int>(syscall(SYS_mount_setattr, AT_FDCWD, path, recursive ? AT_RECURSIVE : 0,
                                  &change, sizeof change));
}

std::string Inside(const std::string& path) { return std::string(kNewRoot) + path; }

// Hangs a mount that nobody else uses at `to` in the new root.
std::string Attach(int tree, const std::string& to, uint64_t attributes) {
  if (MoveMount(tree, Inside(to).c_str()) < 0) return Errno("move_mount " + to);
  if (SetMount(Inside(to).c_str(), attributes, true) < 0) return Errno("mount_setattr " + to);
  return "";
}

// What `from` shows, at `to` in the new root.
std::string Bind(const std::string& from, const std::string& to, uint64_t attributes) {
  const int tree =
      OpenTree(AT_FDCWD, from.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
  if (tree < 0) return Errno("open_tree " + from);
  const std::string failed = Attach(tree, to, attributes);
  close(tree);
  return failed;
}

bool MakeDirectory(const std::string& path) {
  return mkdir(Inside(path).c_str(), 0755) == 0 || errno == EEXIST;
}
bool MakeFile(const std::string& path) { return WriteFile(Inside(path), ""); }

// /bin, /lib and their kin: links into /usr where the system has merged them, else directories.
std::string ShowSystem(const char* path) {
  struct stat about = {};
  if (lstat(path, &about) != 0) return "";  // this system has none
  if (S_ISLNK(about.st_mode)) {
    char target[256];
    const ssize_t length = readlink(path, target, sizeof target - 1);
    if (length <= 0) return Errno(path);
    target[length] = '\0';
    return symlink(target, Inside(path).c_str()) == 0 ? "" : Errno(std::string("symlink ") + path);
  }
  const bool made = S_ISDIR(about.st_mode) ? MakeDirectory(path) : MakeFile(path);
  if (!made) return Errno(path);
  return Bind(path, path, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
}

std::string ShowDevices() {
  MakeDirectory("/dev");
  for (const std::string name : {"/dev/null", "/dev/full", "/dev/random", "/dev/urandom"}) {
    if (!MakeFile(name)) return Errno(name);
    const std::string failed = Bind(name, name, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    if (!failed.empty()) return failed;
  }
  const char* const links[][2] = {{"/proc/self/fd", "/dev/fd"},
                                  {"/proc/self/fd/0", "/dev/stdin"},
                                  {"/proc/self/fd/1", "/dev/stdout"},
                                  {"/proc/self/fd/2", "/dev/stderr"}};
  for (const auto& link : links) {
    if (symlink(link[0], Inside(link[1]).c_str()) != 0) return Errno(link[1]);
  }
  return "";
}

std::string ShowSystems() {
  MakeDirectory("/etc");
  // alternatives: Debian's numpy finds its BLAS by them, `c++` and `java` their compilers.
  for (const char* path : {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
                           "/etc/alternatives", "/etc/ld.so.cache", "/etc/java-17-openjdk"}) {
    const std::string failed = ShowSystem(path);
    if (!failed.empty()) return failed;
  }
  return "";
}

std::string MountEmpty(const char* path, const char* options) {
  MakeDirectory(path);
  if (mount("tmpfs", Inside(path).c_str(), "tmpfs", MS_NOSUID | MS_NODEV, options) == 0) return "";
  return Errno(std::string("mount tmpfs ") + path);
}

std::string Fill(const std::vector<ReadOnlyDirectory>& directories) {
  std::string failed = ShowSystems();
  if (failed.empty()) failed = ShowDevices();
  for (const ReadOnlyDirectory& directory : directories) {
    if (!failed.empty()) break;
    MakeDirectory(directory.inside);
    const uint64_t attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    failed = directory.is_mount ? Attach(directory.descriptor, directory.inside, attributes)
                                : Bind(directory.real, directory.inside, attributes);
  }
  if (failed.empty()) failed = MountEmpty("/box", "size=320m,nr_inodes=256,mode=0755");
  if (failed.empty() && !MakeDirectory("/tmp")) failed = Errno("/tmp");
  MakeDirectory("/proc");
  if (failed.empty() && mount("proc", Inside("/proc").c_str(), "proc",
                              MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
    failed = Errno("mount proc");
  return failed;
}

// Whether this user namespace has that user: a line of the map is "first, first outside, how many".
bool IsMapped(uid_t user) {
  const std::string map = ReadSmall(AT_FDCWD, "/proc/self/uid_map");
  const char* at = map.c_str();
  while (true) {
    char* end = nullptr;
    const unsigned long first = strtoul(at, &end, 10);
    if (end == at) return false;
    strtoul(end, &end, 10);
    const unsigned long count = strtoul(end, &end, 10);
    if (user >= first && user - first < count) return true;
    at = end;
  }
}

// No namespaces below this one, whatever the filter says.
void ForbidFurtherNamespaces() { WriteFile("/proc/sys/user/max_user_namespaces", "0"); }

}  // namespace

void HoldDirectories(std::vector<ReadOnlyDirectory>* directories) {
  if (geteuid() != 0) return;
  for (ReadOnlyDirectory& directory : *directories) {
    const int tree = OpenTree(directory.descriptor, "",
                              OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_EMPTY_PATH);
    if (tree < 0) continue;
    close(directory.descriptor);
    directory.descriptor = tree;
    directory.is_mount = true;
  }
}

int64_t UserToBecome() {
  const auto user = static_cast<uid_t>(61000 + getpid() % 4000);
  // Root of a user namespace that has no other user in it is an ordinary user outside.
  return geteuid() == 0 && IsMapped(user) ? int64_t{user} : -1;
}

std::string GiveUpRoot() {
  if (UserToBecome() < 0) return "";
  const auto user = static_cast<uid_t>(UserToBecome());
  if (setgroups(0, nullptr) != 0) return Errno("setgroups");
  if (setresgid(user, user, user) != 0) return Errno("setresgid");
  if (setresuid(user, user, user) != 0) return Errno("setresuid");
  // Giving up root makes /proc/self root's own; the maps are written there.
  if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0) return Errno("prctl dumpable");
  return "";
}

std::string EnterNamespaces() {
  const std::string user = std::to_string(geteuid()), group = std::to_string(getegid());
  const std::string inside = std::to_string(kInsideUser);
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
              CLONE_NEWUTS | CLONE_NEWCGROUP) != 0)
    return Errno("unshare user, mount, pid, network, ipc, uts, cgroup namespaces");
  if (!WriteFile("/proc/self/setgroups", "deny")) return Errno("/proc/self/setgroups");
  if (!WriteFile("/proc/self/gid_map", inside + " " + group + " 1")) return Errno("gid_map");
  if (!WriteFile("/proc/self/uid_map", inside + " " + user + " 1")) return Errno("uid_map");
  return "";
}

std::string BuildRoot(std::vector<ReadOnlyDirectory> directories) {
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return Errno("make mounts private");
  for (ReadOnlyDirectory& directory : directories) {  // before /tmp, where one may lie, is covered
    if (directory.is_mount) continue;
    directory.descriptor = OpenTree(AT_FDCWD, directory.real.c_str(),
                                    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (directory.descriptor < 0) return Errno("open_tree " + directory.real);
    directory.is_mount = true;
  }
  if (mount("tmpfs", kNewRoot, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,nr_inodes=256,mode=0755") !=
      0)
    return Errno("mount tmpfs for the root");
  const std::string failed = Fill(directories);
  if (!failed.empty()) return failed;
  ForbidFurtherNamespaces();
  if (chdir(kNewRoot) != 0) return Errno("chdir to the new root");
  if (syscall(SYS_pivot_root, ".", ".") != 0) return Errno("pivot_root");
  if (umount2(".", MNT_DETACH) != 0) return Errno("umount of the old root");
  if (chdir("/") != 0) return Errno("chdir /");
  if (SetMount("/", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, false) != 0)
    return Errno("remount / read-only");
  return "";
}

std::string EmptyBox(const std::string& box) {
  DIR* directory = opendir(box.c_str());
  if (directory == nullptr) return Errno("opendir " + box);
  while (const dirent* entry = readdir(directory)) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    unlink((box + "/" + name).c_str());
  }
  closedir(directory);
  return "";
}

std::string FillBox(const std::string& box, const std::vector<BoxEntry>& files) {
  for (const BoxEntry& file : files) {
    if (file.name.empty() || file.name.find('/') != std::string::npos) return "box: bad name";
    const std::string path = box + "/" + file.name;
    if (!WriteFile(path, file.bytes)) return Errno("write " + path);
    if (chmod(path.c_str(), file.executable ? 0555 : 0444) != 0) return Errno("chmod " + path);
  }
  return "";
}

}  // namespace assay::sandboxd
