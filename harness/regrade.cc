// Reads samples in batches, grades each batch on all cores, writes its verdicts in one transaction.
#include "harness/regrade.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <thread>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "harness/grading.h"
#include "harness/status.h"

namespace assay {
namespace {

using Problems = absl::flat_hash_map<std::string, Problem>;

bool Differ(const Verdict& before, const Verdict& after) {
  return before.outcome != after.outcome || before.score != after.score;
}

// A task's problems and its grading as this program has it now.
class TaskGrader {
 public:
  static absl::StatusOr<TaskGrader> Open(Store& store, const std::string& run_id,
                                         const TaskManifest& task, const RegradeOptions& options) {
    TaskGrader grader;
    ASSIGN_OR_RETURN(grader.grading_, BindGrading(task));
    RETURN_IF_ERROR(
        store.ForEachProblem(run_id, task.name, [&](const Problem& problem, const Prompt&) {
          const bool wanted =
              options.limit <= 0 || grader.problems_.size() < static_cast<size_t>(options.limit);
          if (wanted) grader.problems_.emplace(problem.id, problem);
          return absl::OkStatus();
        }));
    grader.limited_ = options.limit > 0;
    grader.threads_ = options.threads > 0 ? static_cast<unsigned>(options.threads)
                                          : std::max(1U, std::thread::hardware_concurrency());
    return grader;
  }

  SampleParts parts() const {
    return grading_.reads_whole_completion ? SampleParts::kAll : SampleParts::kAnswers;
  }
  // Whether the newest verdict is of this program's version of the grader.
  bool IsCurrent(const StoredSample& stored) const {
    const Verdict& verdict = stored.sample.verdict;
    return stored.graded && verdict.grader == grading_.grader &&
           verdict.grader_version == grading_.grader_version;
  }
  // Leaves the samples of the problems that are looked at.
  void LeaveWanted(std::vector<StoredSample>* batch) const {
    if (!limited_) return;
    std::erase_if(*batch, [&](const StoredSample& one) {
      return !problems_.contains(one.sample.problem_id);
    });
  }
  std::string ReferenceOf(const std::string& problem_id) const {
    const auto problem = problems_.find(problem_id);
    return problem == problems_.end() ? "" : problem->second.reference;
  }

  // Grades copies of the samples on all cores; a status for each.
  std::vector<absl::Status> Grade(const std::vector<StoredSample>& batch,
                                  std::vector<Sample>* graded) const {
    graded->assign(batch.size(), Sample());
    std::vector<absl::Status> statuses(batch.size());
    std::atomic<size_t> next{0};
    const auto work = [&] {
      for (size_t i; (i = next.fetch_add(1)) < batch.size();) {
        Sample& sample = (*graded)[i] = batch[i].sample;
        const auto problem = problems_.find(sample.problem_id);
        statuses[i] = problem == problems_.end()
                          ? absl::InternalError("its problem is not in the database")
                          : GradeSample(grading_, problem->second, &sample);
      }
    };
    std::vector<std::jthread> pool;
    for (unsigned i = 1; i < threads_; ++i) pool.emplace_back(work);
    work();
    pool.clear();
    return statuses;
  }

 private:
  TaskGrading grading_;
  Problems problems_;
  bool limited_ = false;
  unsigned threads_ = 1;
};

constexpr size_t kBatch = 2048;

// Reads samples in batches and hands each batch on, the last one too.
absl::Status ForEachBatch(Store& store, const std::string& run_id, const SampleFilter& filter,
                          const std::function<absl::Status(std::vector<StoredSample>)>& use) {
  std::vector<StoredSample> batch;
  const auto flush = [&]() -> absl::Status { return use(std::exchange(batch, {})); };
  RETURN_IF_ERROR(store.ForEachSample(run_id, filter, [&](const StoredSample& stored) {
    batch.push_back(stored);
    return batch.size() < kBatch ? absl::OkStatus() : flush();
  }));
  return flush();
}

class TaskRegrader {
 public:
  TaskRegrader(Store& store, const RunManifest& manifest, const TaskManifest& task,
               const RegradeOptions& options, RegradeReport* report)
      : store_(store), run_id_(manifest.id), task_(task), options_(options), report_(report) {}

  absl::Status Run() {
    ASSIGN_OR_RETURN(const TaskGrader grader, TaskGrader::Open(store_, run_id_, task_, options_));
    SampleFilter filter;
    filter.task = task_.name;
    filter.parts = grader.parts();
    return ForEachBatch(store_, run_id_, filter, [&](std::vector<StoredSample> batch) {
      grader.LeaveWanted(&batch);
      if (options_.missing)
        std::erase_if(batch, [&](const StoredSample& one) { return grader.IsCurrent(one); });
      return GradeBatch(grader, std::move(batch));
    });
  }

 private:
  // In pieces of some seconds each, so that a kill costs no more. Readers see the store as it was
  // when they began: writing does not wait for them.
  absl::Status GradeBatch(const TaskGrader& grader, std::vector<StoredSample> batch) {
    for (size_t begin = 0; begin < batch.size();) {
      const size_t end = std::min(batch.size(), begin + piece_);
      const std::vector<StoredSample> piece(
          std::make_move_iterator(batch.begin() + static_cast<std::ptrdiff_t>(begin)),
          std::make_move_iterator(batch.begin() + static_cast<std::ptrdiff_t>(end)));
      const auto began = std::chrono::steady_clock::now();
      std::vector<Sample> graded;
      const std::vector<absl::Status> statuses = grader.Grade(piece, &graded);
      for (size_t i = 0; i < piece.size(); ++i)
        Note(grader, piece[i], std::move(graded[i]), statuses[i]);
      const auto took = std::chrono::steady_clock::now() - began;
      if (took < std::chrono::milliseconds(500)) piece_ = std::min(2 * piece_, kBatch);
      if (took > std::chrono::seconds(4)) piece_ = std::max<size_t>(piece_ / 2, 16);
      begin = end;
      if (!options_.dry_run) RETURN_IF_ERROR(store_.PutVerdicts(run_id_, verdicts_));
      verdicts_.clear();
    }
    return absl::OkStatus();
  }

  void Note(const TaskGrader& grader, const StoredSample& before, Sample after,
            const absl::Status& status) {
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
    if (!before.graded || Differ(before.sample.verdict, after.verdict)) {
      report_->changes.push_back({task_.name, after.problem_id, after.index, before.graded,
                                  before.sample.verdict, after.verdict,
                                  after.extraction.answer.value_or(""),
                                  grader.ReferenceOf(after.problem_id)});
    }
    verdicts_.push_back({task_.name, after.problem_id, after.index, std::move(after.extraction),
                         std::move(after.verdict)});
  }

  Store& store_;
  const std::string run_id_;
  const TaskManifest& task_;
  const RegradeOptions& options_;
  RegradeReport* report_;
  std::vector<Store::NewVerdict> verdicts_;
  size_t piece_ = 64;
};

// --- two versions ---

class TaskComparison {
 public:
  TaskComparison(Store& store, const RunManifest& manifest, const TaskManifest& task,
                 const VersionPair& versions, const RegradeOptions& options, VersionReport* report)
      : store_(store),
        run_id_(manifest.id),
        task_(task),
        versions_(versions),
        options_(options),
        report_(report) {}

  absl::Status Run() {
    ASSIGN_OR_RETURN(const TaskGrader grader, TaskGrader::Open(store_, run_id_, task_, options_));
    if (versions_.after > 0) RETURN_IF_ERROR(ReadAfter());
    SampleFilter filter = Filter(versions_.before);
    if (versions_.after == 0) filter.parts = grader.parts();
    return ForEachBatch(store_, run_id_, filter, [&](std::vector<StoredSample> batch) {
      grader.LeaveWanted(&batch);
      report_->samples += static_cast<int64_t>(batch.size());
      if (versions_.after > 0) {
        for (const StoredSample& before : batch) NoteStored(grader, before);
      } else {
        NoteGraded(grader, std::move(batch));
      }
      return absl::OkStatus();
    });
  }

 private:
  using Key = std::pair<std::string, int>;

  SampleFilter Filter(int version) const {
    SampleFilter filter;
    filter.task = task_.name;
    filter.grader_version = version;
    return filter;
  }

  absl::Status ReadAfter() {
    return store_.ForEachSample(run_id_, Filter(versions_.after), [&](const StoredSample& stored) {
      if (stored.graded) after_[{stored.sample.problem_id, stored.sample.index}] = stored.sample;
      return absl::OkStatus();
    });
  }

  void NoteStored(const TaskGrader& grader, const StoredSample& before) {
    const auto after = after_.find({before.sample.problem_id, before.sample.index});
    if (before.graded && after != after_.end()) Note(grader, before.sample, after->second);
  }

  void NoteGraded(const TaskGrader& grader, std::vector<StoredSample> batch) {
    std::erase_if(batch, [](const StoredSample& stored) { return !stored.graded; });
    std::vector<Sample> graded;
    const std::vector<absl::Status> statuses = grader.Grade(batch, &graded);
    for (size_t i = 0; i < batch.size(); ++i) {
      if (statuses[i].ok()) {
        Note(grader, batch[i].sample, graded[i]);
        continue;
      }
      report_->failed += 1;
      if (report_->failed_because.empty())
        report_->failed_because = std::string(statuses[i].message());
    }
  }

  void Note(const TaskGrader& grader, const Sample& before, const Sample& after) {
    report_->compared += 1;
    report_->score_before += before.verdict.score;
    report_->score_after += after.verdict.score;
    if (!Differ(before.verdict, after.verdict)) return;
    report_->changes.push_back({task_.name, after.problem_id, after.index, true, before.verdict,
                                after.verdict, after.extraction.answer.value_or(""),
                                grader.ReferenceOf(after.problem_id)});
  }

  Store& store_;
  const std::string run_id_;
  const TaskManifest& task_;
  const VersionPair& versions_;
  const RegradeOptions& options_;
  VersionReport* report_;
  std::map<Key, Sample> after_;
};

// "math@1, math@2": what the run's samples were graded with. Reads every verdict: for errors only.
absl::StatusOr<std::string> StoredVersions(Store& store, const RunManifest& manifest,
                                           const std::string& task) {
  std::set<std::pair<std::string, int>> versions;
  SampleFilter filter;
  filter.task = task;
  RETURN_IF_ERROR(
      store.ForEachSample(manifest.id, filter, [&](const StoredSample& stored) -> absl::Status {
        ASSIGN_OR_RETURN(const std::vector<Verdict> history,
                         store.VerdictHistory(manifest.id, stored.task, stored.sample.problem_id,
                                              stored.sample.index));
        for (const Verdict& verdict : history)
          versions.insert({verdict.grader, verdict.grader_version});
        return absl::OkStatus();
      }));
  std::string names;
  for (const auto& [grader, version] : versions)
    names += absl::StrFormat("%s%s@%d", names.empty() ? "" : ", ", grader, version);
  return names;
}

absl::Status NoTask(const RunManifest& manifest, const std::string& task) {
  return NotFound("run %s has no task '%s'", manifest.id, task);
}

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
  if (!found) return NoTask(manifest, options.task);
  return report;
}

absl::StatusOr<VersionReport> CompareVersions(Store& store, const RunManifest& manifest,
                                              const VersionPair& versions,
                                              const RegradeOptions& options) {
  VersionReport report;
  bool found = options.task.empty();
  for (const TaskManifest& task : manifest.tasks) {
    if (!options.task.empty() && task.name != options.task) continue;
    found = true;
    RETURN_IF_ERROR(TaskComparison(store, manifest, task, versions, options, &report).Run());
  }
  if (!found) return NoTask(manifest, options.task);
  if (report.compared + report.failed > 0 || report.samples == 0) return report;
  ASSIGN_OR_RETURN(const std::string stored, StoredVersions(store, manifest, options.task));
  const std::string wanted = versions.after > 0
                                 ? absl::StrFormat("both version %d and version %d of its grader",
                                                   versions.before, versions.after)
                                 : absl::StrFormat("version %d of its grader", versions.before);
  return NotFound("run %s: no sample has a verdict of %s; there are %s", manifest.id, wanted,
                  stored.empty() ? "none" : stored);
}

}  // namespace assay
