// Formats the live figures; the running accuracy is over whole problems only, so that it is not led
// by the fast ones.
#include "commands/shared/progress.h"

#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>

#include "absl/strings/str_format.h"
#include "harness/text.h"

namespace assay {
namespace {

constexpr size_t kTroubleShown = 100;  // bytes of what a server said

std::string Duration(double seconds) {
  const int64_t whole = std::llround(seconds);
  if (whole < 60) return absl::StrFormat("%ds", whole);
  if (whole < 3600) return absl::StrFormat("%dm%02ds", whole / 60, whole % 60);
  return absl::StrFormat("%dh%02dm", whole / 3600, whole / 60 % 60);
}

std::string Accuracy(const RunProgress& progress) {
  const auto n = static_cast<double>(progress.problems_done.load());
  if (n < 2) return "";
  const double mean = progress.score_sum / n;
  const double variance = std::max(0.0, (progress.score_square_sum - n * mean * mean) / (n - 1));
  return absl::StrFormat(" | %.1f%% ± %.1f over %d problems", 100 * mean,
                         196 * std::sqrt(variance / n), progress.problems_done.load());
}

}  // namespace

std::string ProgressText(const RunProgress& progress, const BackendCounters& counters,
                         double seconds) {
  const int64_t stored = progress.stored, done = stored + progress.stored_before,
                failed = progress.failed;
  const int64_t planned = progress.planned;
  std::string text = WithThousands(done);
  if (progress.planned_known) text += "/" + WithThousands(planned);
  text += " samples" + Accuracy(progress);
  if (seconds > 0) {
    text += absl::StrFormat(" | %.1f samples/s", static_cast<double>(stored) / seconds);
    if (counters.tokens > 0) {
      text += absl::StrFormat(
          ", %s tokens/s",
          WithThousands(std::llround(static_cast<double>(counters.tokens) / seconds)));
    }
  }
  if (stored > 0) {
    text += absl::StrFormat(" | truncated %.1f%%", 100.0 * static_cast<double>(progress.truncated) /
                                                       static_cast<double>(stored));
  }
  text += absl::StrFormat(" | in flight %d", counters.in_flight.load());
  if (counters.retries > 0) text += absl::StrFormat(", retries %d", counters.retries.load());
  const std::string trouble = counters.last_trouble.Get();
  if (!trouble.empty()) text += " (last: " + Printable(Shorten(trouble, kTroubleShown)) + ")";
  if (failed > 0) text += absl::StrFormat(" | MISSING %d", failed);
  if (progress.ungraded > 0) text += absl::StrFormat(" | UNGRADED %d", progress.ungraded.load());
  if (progress.planned_known && stored > 0 && planned > done) {
    text += " | " +
            Duration(seconds * static_cast<double>(planned - done) / static_cast<double>(stored)) +
            " left";
  }
  return text;
}

ProgressPrinter::ProgressPrinter(const RunProgress& progress, const BackendCounters& counters)
    : progress_(progress),
      counters_(counters),
      terminal_(isatty(STDERR_FILENO) == 1),
      thread_([this] { Loop(); }) {}

ProgressPrinter::~ProgressPrinter() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
  if (terminal_) std::fputs("\r\033[K", stderr);
}

void ProgressPrinter::Loop() {
  const auto start = std::chrono::steady_clock::now();
  const auto pause = terminal_ ? std::chrono::milliseconds(500) : std::chrono::milliseconds(10000);
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, pause, [&] { return stop_; })) {
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const std::string text = ProgressText(progress_, counters_, seconds);
    std::fprintf(stderr, terminal_ ? "\r\033[K%s" : "%s\n", text.c_str());
    std::fflush(stderr);
  }
}

}  // namespace assay
