// In the tier `full` the worker is the first process of a pid namespace of its own, so that its
// /proc lists the cell's processes and next to nothing else. Below, children are followed.
#include "sandbox/daemon/watch.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

#include "sandbox/daemon/system.h"

namespace assay::sandboxd {
namespace {

std::vector<int> ListProcesses(int proc) {
  std::vector<int> pids;
  const int again = openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* directory = again < 0 ? nullptr : fdopendir(again);
  if (directory == nullptr) return pids;
  while (const dirent* entry = readdir(directory)) {
    const int pid = atoi(entry->d_name);
    if (pid > 0) pids.push_back(pid);
  }
  closedir(directory);
  return pids;
}

void AppendChildren(int proc, int pid, std::vector<int>* pids) {
  const std::string path = std::to_string(pid) + "/task/" + std::to_string(pid) + "/children";
  const std::string text = ReadSmall(proc, path.c_str());
  const char* at = text.c_str();
  while (true) {
    char* end = nullptr;
    const long child = strtol(at, &end, 10);
    if (end == at) return;
    pids->push_back(static_cast<int>(child));
    at = end;
  }
}

std::vector<int> Descendants(int proc) {
  std::vector<int> pids;
  AppendChildren(proc, getpid(), &pids);
  for (size_t i = 0; i < pids.size() && i < 10000; ++i) AppendChildren(proc, pids[i], &pids);
  return pids;
}

// utime + stime + cutime + cstime of /proc/PID/stat, the 14th to 17th fields; or the last two.
// *in_disk_wait becomes true where the state is D.
int64_t CpuOf(int proc, int pid, bool only_children = false, bool* in_disk_wait = nullptr) {
  const std::string text = ReadSmall(proc, (std::to_string(pid) + "/stat").c_str());
  const size_t after_name = text.rfind(')');
  if (after_name == std::string::npos) return 0;
  if (in_disk_wait != nullptr && text.compare(after_name, 3, ") D") == 0) *in_disk_wait = true;
  const char* at = text.c_str() + after_name + 1;
  for (int field = 3; field < 14; ++field) at = strchr(at + 1, ' ') ? strchr(at + 1, ' ') : at;
  int64_t ticks = 0;
  for (int field = 14; field <= 17; ++field) {
    char* end = nullptr;
    const int64_t value = strtoll(at, &end, 10);
    if (field >= 16 || !only_children) ticks += value;
    at = end;
  }
  static const int64_t tick_us = 1000000 / sysconf(_SC_CLK_TCK);
  return ticks * tick_us;
}

// "Name:   123 kB" in bytes; 0 where the line is not there.
int64_t FieldBytes(const std::string& text, const char* name) {
  const size_t at = text.find(name);
  return at == std::string::npos ? 0
                                 : strtoll(text.c_str() + at + strlen(name), nullptr, 10) * 1024;
}

int64_t TouchedBy(int proc, int pid) {
  const std::string text = ReadSmall(proc, (std::to_string(pid) + "/status").c_str());
  return FieldBytes(text, "\nRssAnon:") + FieldBytes(text, "\nRssShmem:");
}

// At least as much, and a third of the kernel's work to find out: all that is resident. And the
// address space, touched or not.
struct Extent {
  int64_t mapped_bytes = 0, resident_bytes = 0;
};
Extent ExtentOf(int proc, int pid) {
  const std::string text = ReadSmall(proc, (std::to_string(pid) + "/statm").c_str());
  const size_t blank = text.find(' ');
  if (blank == std::string::npos) return {};
  static const int64_t page_bytes = sysconf(_SC_PAGESIZE);
  return {strtoll(text.c_str(), nullptr, 10) * page_bytes,
          strtoll(text.c_str() + blank, nullptr, 10) * page_bytes};
}

// Page tables: who reads one byte of every 2 MiB of a large reservation has touched nothing, and
// the kernel has given 4 KiB for each. What an honest program has of them is let pass.
int64_t TablesOf(int proc, int pid, const Extent& extent, int64_t limit) {
  constexpr int64_t kMappedByATable = 512;  // times its size
  const int64_t let_pass = KernelShare(limit);
  if (extent.mapped_bytes / kMappedByATable <= let_pass) return 0;
  const std::string text = ReadSmall(proc, (std::to_string(pid) + "/status").c_str());
  return std::max<int64_t>(0, FieldBytes(text, "\nVmPTE:") - let_pass);
}

// The same, each page divided by how many share it.
int64_t ShareOf(int proc, int pid) {
  const std::string text = ReadSmall(proc, (std::to_string(pid) + "/smaps_rollup").c_str());
  if (text.empty()) return TouchedBy(proc, pid);
  return FieldBytes(text, "\nPss_Anon:") + FieldBytes(text, "\nPss_Shmem:");
}

// All but ours: the worker, the cell's first process, `others`.
void EraseOwn(const Cell& cell, const std::vector<int>& others, std::vector<int>* pids) {
  std::erase_if(*pids, [&](int pid) {
    return pid == getpid() || pid == cell.first ||
           std::find(others.begin(), others.end(), pid) != others.end();
  });
}

}  // namespace

Waiting ReadWaiting(int proc, const Place& place, const Cell& cell,
                    const std::vector<int>& others) {
  std::vector<int> pids = place.tier == Tier::kFull ? ListProcesses(proc) : Descendants(proc);
  EraseOwn(cell, others, &pids);
  Waiting waiting;
  for (const int pid : pids) {
    // Nanoseconds on a processor, nanoseconds in the queue for one, turns.
    const std::string text = ReadSmall(proc, (std::to_string(pid) + "/schedstat").c_str());
    const size_t blank = text.find(' ');
    if (blank == std::string::npos) continue;
    waiting.ran_ns += strtoll(text.c_str(), nullptr, 10);
    waiting.waited_us =
        std::max<int64_t>(waiting.waited_us, strtoll(text.c_str() + blank, nullptr, 10) / 1000);
    const std::string io = ReadSmall(proc, (std::to_string(pid) + "/io").c_str());
    const size_t read_at = io.find("\nread_bytes: ");
    if (read_at != std::string::npos)
      waiting.disk_bytes += strtoll(io.c_str() + read_at + strlen("\nread_bytes: "), nullptr, 10);
    // "pid (name) S ...": a name may hold anything, a bracket too.
    const std::string stat = ReadSmall(proc, (std::to_string(pid) + "/stat").c_str());
    const size_t name_end = stat.rfind(')');
    waiting.runnable = waiting.runnable ||
                       (name_end != std::string::npos && stat.compare(name_end, 3, ") R") == 0);
  }
  return waiting;
}

bool IsEmptyCell(int proc, const Cell& cell, const std::vector<int>& others, int64_t* orphans_us) {
  std::vector<int> pids = ListProcesses(proc);
  // Our own are seen where /proc can be read at all.
  if (std::find(pids.begin(), pids.end(), cell.first) == pids.end()) return false;
  EraseOwn(cell, others, &pids);
  if (!pids.empty()) return false;
  *orphans_us = CpuOf(proc, cell.first, true);
  return true;
}

Usage ReadUsage(int proc, const Place& place, const Cell& cell, const std::vector<int>& others,
                int64_t limit) {
  const bool full = place.tier == Tier::kFull;
  std::vector<int> pids = full ? ListProcesses(proc) : Descendants(proc);
  EraseOwn(cell, others, &pids);
  Usage usage;
  usage.processes = static_cast<int>(pids.size());
  int64_t tables_bytes = 0;
  if (cell.first > 0) usage.cpu_us += CpuOf(proc, cell.first);
  for (const int pid : pids) {
    usage.cpu_us += CpuOf(proc, pid, false, &usage.waits_for_disk);
    const Extent extent = ExtentOf(proc, pid);
    tables_bytes += TablesOf(proc, pid, extent, limit);
    usage.memory_bytes += extent.resident_bytes;
  }
  usage.memory_bytes += tables_bytes;
  if (usage.memory_bytes <= limit) return usage;
  usage.memory_bytes = tables_bytes;
  for (const int pid : pids) usage.memory_bytes += TouchedBy(proc, pid);
  if (usage.memory_bytes <= limit || pids.size() < 2) return usage;
  usage.memory_bytes = tables_bytes;
  for (const int pid : pids) usage.memory_bytes += ShareOf(proc, pid);
  return usage;
}

}  // namespace assay::sandboxd
