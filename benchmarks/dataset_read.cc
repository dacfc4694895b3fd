// How fast a dataset file is read, and a task's problems rendered: megabytes and rows a second of
// CPU time, and the memory that it took. Used by fetch_path.py and by hand.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>

#include "harness/rows.h"
#include "harness/task.h"

namespace {

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double PeakMegabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return 1;
}

int ReadRows(const std::string& path) {
  const double before = CpuSeconds();
  const auto rows = assay::OpenRows(path);
  if (!rows.ok()) return Fail(rows.status());
  int64_t count = 0;
  while (true) {
    const auto row = (*rows)->Next();
    if (!row.ok()) return Fail(row.status());
    if (!*row) break;
    ++count;
  }
  const double seconds = CpuSeconds() - before;
  const double bytes = static_cast<double>(std::filesystem::file_size(path));
  std::printf("%lld rows, %.1f MB: %.3f s of CPU, %.0f MB/s, peak %.1f MB\n",
              static_cast<long long>(count), bytes / 1e6, seconds, bytes / 1e6 / seconds,
              PeakMegabytes());
  return 0;
}

int RenderTask(const std::string& spec, const std::string& directory) {
  const double before = CpuSeconds();
  const auto begun = std::chrono::steady_clock::now();
  const assay::SearchPath path = assay::DefaultSearchPath({}, {directory});
  const auto tasks = assay::LoadTasks(path, spec, {});
  if (!tasks.ok()) return Fail(tasks.status());
  const auto stream = assay::OpenProblems(path, (*tasks)[0], 0);
  if (!stream.ok()) return Fail(stream.status());
  int64_t count = 0, bytes = 0;
  while (true) {
    const auto asked = (*stream)->Next();
    if (!asked.ok()) return Fail(asked.status());
    if (!*asked) break;
    ++count;
    for (const assay::Message& message : (*asked)->prompt.messages) {
      bytes += static_cast<int64_t>(message.text.size());
    }
  }
  const double wall =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  std::printf("%lld problems, %.1f MB of prompts: %.3f s of CPU, %.3f s of wall, peak %.1f MB\n",
              static_cast<long long>(count), static_cast<double>(bytes) / 1e6,
              CpuSeconds() - before, wall, PeakMegabytes());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "rows") == 0) return ReadRows(argv[2]);
  if (argc == 4 && std::strcmp(argv[1], "task") == 0) return RenderTask(argv[2], argv[3]);
  std::fprintf(stderr, "dataset_read rows FILE | task NAME DATA_DIR\n");
  return 2;
}
