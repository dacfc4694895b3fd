// Reads samples in batches, grades each batch on all cores, writes its verdicts in one transaction.
#include "harness/regrade.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "absl/container/flat_hash_map.h"
#include "harness/grading.h"
#include "harness/status.h"

namespace assay {
namespace {

using Problems = absl::flat_hash_map<std::string, Problem>;

class TaskRegrader {
 public:
  TaskRegrader(Store& store, const RunManifest& manifest, const TaskManifest& task,
               const RegradeOptions& options, RegradeReport* report)
      : store_(store), run_id_(manifest.id), task_(task), options_(options), report_(report) {}

  absl::Status Run() {
    ASSIGN_OR_RETURN(grading_, BindGrading(task_));
    RETURN_IF_ERROR(
        store_.ForEachProblem(run_id_, task_.name, [&](const Problem& problem, const Prompt&) {
          problems_.emplace(problem.id, problem);
          return absl::OkStatus();
        }));
    SampleFilter filter;
    filter.task = task_.name;
    filter.parts = grading_.reads_whole_completion ? SampleParts::kAll : SampleParts::kAnswers;
    RETURN_IF_ERROR(store_.ForEachSample(run_id_, filter, [&](const StoredSample& stored) {
      batch_.push_back(stored);
      return batch_.size() < kBatch ? absl::OkStatus() : GradeBatch();
    }));
    RETURN_IF_ERROR(GradeBatch());
    // Written only now: the reader above must not wait for its own writer.
    return options_.dry_run ? absl::OkStatus() : store_.PutVerdicts(run_id_, verdicts_);
  }

 private:
  static constexpr size_t kBatch = 2048;

  absl::Status GradeBatch() {
    std::vector<Sample> graded(batch_.size());
    std::vector<absl::Status> statuses(batch_.size());
    std::atomic<size_t> next{0};
    const auto work = [&] {
      for (size_t i; (i = next.fetch_add(1)) < batch_.size();) {
        graded[i] = batch_[i].sample;
        const auto problem = problems_.find(graded[i].problem_id);
        if (problem == problems_.end()) {
          statuses[i] = absl::InternalError("its problem is not in the database");
          continue;
        }
        statuses[i] = GradeSample(grading_, problem->second, &graded[i]);
      }
    };
    {
      const unsigned threads = options_.threads > 0
                                   ? static_cast<unsigned>(options_.threads)
                                   : std::max(1U, std::thread::hardware_concurrency());
      std::vector<std::jthread> pool;
      for (unsigned i = 1; i < threads; ++i) pool.emplace_back(work);
      work();
    }
    for (size_t i = 0; i < batch_.size(); ++i) Note(batch_[i], std::move(graded[i]), statuses[i]);
    batch_.clear();
    return absl::OkStatus();
  }

  void Note(const StoredSample& before, Sample after, const absl::Status& status) {
    report_->samples += 1;
    if (!status.ok()) {
      report_->failed += 1;
      if (report_->failed_because.empty()) report_->failed_because = std::string(status.message());
      return;
    }
    if (!before.graded) report_->newly_graded += 1;
    if (before.graded) {
      report_->score_before += before.sample.verdict.score;
      report_->score_after += after.verdict.score;
    }
    const bool changed = !before.graded || before.sample.verdict.outcome != after.verdict.outcome ||
                         before.sample.verdict.score != after.verdict.score;
    if (changed) {
      VerdictChange change{task_.name,
                           after.problem_id,
                           after.index,
                           before.graded,
                           before.sample.verdict,
                           after.verdict,
                           after.extraction.answer.value_or(""),
                           ""};
      change.reference = problems_.at(after.problem_id).reference;
      report_->changes.push_back(std::move(change));
    }
    verdicts_.push_back({task_.name, after.problem_id, after.index, std::move(after.extraction),
                         std::move(after.verdict)});
  }

  Store& store_;
  const std::string run_id_;
  const TaskManifest& task_;
  const RegradeOptions& options_;
  RegradeReport* report_;
  TaskGrading grading_;
  Problems problems_;
  std::vector<StoredSample> batch_;
  std::vector<Store::NewVerdict> verdicts_;
};

}  // namespace

absl::StatusOr<RegradeReport> Regrade(Store& store, const RunManifest& manifest,
                                      const RegradeOptions& options) {
  RegradeReport report;
  bool found = options.task.empty();
  for (const TaskManifest& task : manifest.tasks) {
    if (!options.task.empty() && task.name != options.task) continue;
    found = true;
    RETURN_IF_ERROR(TaskRegrader(store, manifest, task, options, &report).Run());
  }
  if (!found) return NotFound("run %s has no task '%s'", manifest.id, options.task);
  return report;
}

}  // namespace assay
