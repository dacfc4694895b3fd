// Transfers report each piece; what is shown is thinned here.
#include "commands/shared/fetching.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>

#include "absl/strings/str_format.h"
#include "commands/shared/interrupt.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

using std::chrono::steady_clock;

constexpr int kBarColumns = 20;

std::string Amount(int64_t count, bool in_bytes) {
  if (!in_bytes) return WithThousands(count);
  const auto bytes = static_cast<double>(count);
  if (bytes < 1e6) return absl::StrFormat("%.0f kB", bytes / 1e3);
  if (bytes < 1e9) return absl::StrFormat("%.1f MB", bytes / 1e6);
  return absl::StrFormat("%.2f GB", bytes / 1e9);
}

std::string Bar(int64_t done, int64_t total) {
  if (total <= 0) return "";
  const double part = std::clamp(static_cast<double>(done) / static_cast<double>(total), 0.0, 1.0);
  const auto full = static_cast<size_t>(part * kBarColumns);
  return absl::StrFormat("  [%s%s] %3.0f%%", std::string(full, '#'),
                         std::string(kBarColumns - full, '.'), std::floor(100 * part));
}

}  // namespace

std::string FetchProgressText(std::string_view what, int64_t done, int64_t total, fetch::Unit unit,
                              double seconds) {
  const bool in_bytes = unit == fetch::Unit::kBytes;
  std::string text = Printable(what) + Bar(done, total) + "  " + Amount(done, in_bytes);
  if (total > 0) text += " of " + Amount(total, in_bytes);
  if (!in_bytes) text += " rows";
  if (seconds < 0.5) return text;
  const double rate = static_cast<double>(done) / seconds;
  text += ", " + Amount(std::llround(rate), in_bytes) + "/s";
  if (total > done && rate > 0) {
    text += absl::StrFormat(", %.0fs left", static_cast<double>(total - done) / rate);
  }
  return text;
}

FetchPrinter::FetchPrinter(bool quiet) : quiet_(quiet), terminal_(isatty(STDERR_FILENO) == 1) {}
FetchPrinter::~FetchPrinter() { Clear(); }

fetch::Watcher FetchPrinter::MakeWatcher() {
  fetch::Watcher watcher;
  watcher.note = [this](const std::string& text) { Note(text); };
  watcher.progress = [this](std::string_view what, int64_t done, int64_t total, fetch::Unit unit) {
    Show(what, done, total, unit);
  };
  watcher.stopping = Interrupted;
  return watcher;
}

void FetchPrinter::Clear() {
  if (terminal_ && !quiet_) std::fputs("\r\033[K", stderr);
}

void FetchPrinter::Note(const std::string& text) {
  if (quiet_) return;
  Clear();
  std::fprintf(stderr, "assay: %s\n", text.c_str());
}

void FetchPrinter::Show(std::string_view what, int64_t done, int64_t total, fetch::Unit unit) {
  if (quiet_) return;
  const std::lock_guard lock(mutex_);
  const auto now = steady_clock::now();
  if (what != what_) {
    what_ = what;
    began_ = shown_ = now;
    return;
  }
  const auto pause = terminal_ ? std::chrono::milliseconds(100) : std::chrono::seconds(10);
  if (now - shown_ < pause) return;
  shown_ = now;
  const double seconds = std::chrono::duration<double>(now - began_).count();
  const std::string text = FetchProgressText(what, done, total, unit, seconds);
  std::fprintf(stderr, terminal_ ? "\r\033[K%s" : "%s\n", text.c_str());
  std::fflush(stderr);
}

absl::StatusOr<fetch::FetchOptions> MakeFetchOptions(const FetchFlags& flags,
                                                     FetchPrinter* printer) {
  fetch::FetchOptions options;
  ASSIGN_OR_RETURN(options.directory, fetch::DataDirectory(flags.data_dirs));
  ASSIGN_OR_RETURN(options.hub, fetch::HubFromEnvironment());
  options.offline = flags.offline;
  options.accept_new = flags.accept_new;
  options.again = flags.again;
  if (flags.timeout < 0) {
    return InvalidArgument("--timeout: expected seconds, found %g", flags.timeout);
  }
  if (flags.timeout > 0) {
    const std::chrono::milliseconds limit(static_cast<int64_t>(flags.timeout * 1000));
    options.patience.first_byte = options.patience.stall = limit;
    options.patience.connect = std::min(options.patience.connect, limit);
  }
  options.watcher = printer->MakeWatcher();
  return options;
}

absl::StatusOr<std::vector<CatalogueEntry>> MissingSets(const SearchPath& path,
                                                        const std::vector<Task>& tasks) {
  std::vector<std::string> files;
  for (const Task& task : tasks) {
    ASSIGN_OR_RETURN(const std::vector<std::string> missing, MissingDatasets(path, task));
    files.insert(files.end(), missing.begin(), missing.end());
  }
  std::vector<CatalogueEntry> sets;
  if (files.empty()) return sets;
  ASSIGN_OR_RETURN(const std::vector<CatalogueEntry> entries, LoadCatalogue(path));
  for (const CatalogueEntry& entry : entries) {
    if (std::find(files.begin(), files.end(), entry.file) != files.end()) sets.push_back(entry);
  }
  return sets;
}

absl::Status FetchForRun(const SearchPath& path, const std::vector<Task>& tasks,
                         const std::vector<std::string>& data_dirs, bool fetch) {
  const bool can_ask = isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1;
  if (!fetch && !can_ask) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<CatalogueEntry> sets, MissingSets(path, tasks));
  if (sets.empty()) return absl::OkStatus();
  FetchPrinter printer(false);
  ASSIGN_OR_RETURN(const fetch::FetchOptions options,
                   MakeFetchOptions({.data_dirs = data_dirs}, &printer));
  for (const CatalogueEntry& entry : sets) {
    if (!fetch) {
      std::fprintf(stderr, "%s is not here. Fetch it from %s (%s) to %s? [y/N] ",
                   entry.file.c_str(), entry.origin.c_str(), entry.licence.c_str(),
                   options.directory.c_str());
      std::string answer;
      std::getline(std::cin, answer);
      if (answer.empty() || (answer[0] != 'y' && answer[0] != 'Y')) continue;
    }
    const InterruptGuard guard;
    RETURN_IF_ERROR(fetch::FetchDataset(entry, options).status());
    printer.Clear();
  }
  return absl::OkStatus();
}

}  // namespace assay
