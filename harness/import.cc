// Two passes over the problems: one to match the file's rows, one to grade and store.
#include "harness/import.h"

#include <algorithm>
#include <map>

#include "harness/build_info.h"
#include "harness/grading.h"
#include "harness/hash.h"
#include "harness/keys.h"
#include "harness/pipeline.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

std::string BaseName(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

struct TaskProblems {
  ProblemIndex index;
  bool shuffled = false;  // choices of some problem are not asked in the published order
};

absl::StatusOr<TaskProblems> IndexProblems(const ImportPlan& plan) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ProblemStream> stream,
                   OpenProblems(plan.search, plan.task, plan.seed.value_or(0)));
  TaskProblems problems;
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<AskedProblem> asked, stream->Next());
    if (!asked) return problems;
    problems.index.Add(asked->problem);
    const std::vector<int>& order = asked->problem.choice_order;
    problems.shuffled = problems.shuffled || !std::is_sorted(order.begin(), order.end());
  }
}

// The completions of each problem, by sample index.
using Draws = std::vector<std::map<int, const RecordedCompletion*>>;

// Some files count from 1.
int FirstIndex(const Recording& recording) {
  int first = 1;
  for (const RecordedCompletion& one : recording.completions) {
    first = std::min(first, one.index.value_or(0));
  }
  return first;
}

// Each index below a problem's highest is a row of every problem: a file whose numbers are no
// sample indices (a problem's number, a time) would fill the store with missing samples.
absl::Status CheckDense(const Recording& recording, const RecordedCompletion& one, int index) {
  constexpr int64_t kFew = 256;
  const int64_t drawn = static_cast<int64_t>(recording.completions.size()) + recording.failed_draws;
  if (index < std::max(kFew, drawn)) return absl::OkStatus();
  return InvalidArgument(
      "%s:%d: sample index %d, and the file holds %d completions in all: expected one below %d; "
      "--index-field names the field that holds it",
      recording.path, one.line, *one.index, drawn, std::max(kFew, drawn));
}

absl::Status SortDraws(const Recording& recording, const RecordingMatch& match, Draws* draws) {
  const int first = FirstIndex(recording);
  for (size_t i = 0; i < recording.completions.size(); ++i) {
    if (!match.problem_of[i]) continue;
    const RecordedCompletion& one = recording.completions[i];
    auto& of_problem = (*draws)[*match.problem_of[i]];
    const int next = of_problem.empty() ? 0 : of_problem.rbegin()->first + 1;
    const int index = one.index ? *one.index - first : next;
    if (one.index) RETURN_IF_ERROR(CheckDense(recording, one, index));
    const auto [place, is_new] = of_problem.emplace(index, &one);
    if (is_new) continue;
    return InvalidArgument(
        "%s:%d: sample %d of this problem is also in line %d; without a field for the sample's "
        "index (--index-field) they are numbered in order",
        recording.path, one.line, one.index.value_or(index), place->second->line);
  }
  return absl::OkStatus();
}

int MostSamples(const Draws& draws) {
  int most = 0;
  for (const auto& of_problem : draws) {
    if (!of_problem.empty()) most = std::max(most, of_problem.rbegin()->first + 1);
  }
  return most;
}

absl::Status CheckMatch(const ImportPlan& plan, const Recording& recording,
                        const RecordingMatch& match, size_t problems) {
  const auto all = static_cast<int64_t>(recording.completions.size());
  const int64_t unmatched = all - match.matched;
  if (match.matched > 0 && (unmatched == 0 || plan.skip_unmatched)) return absl::OkStatus();
  return InvalidArgument(
      "%s belongs to none of the %d problems of task %s, by id, question or place; matched were %d "
      "of %d completions%s",
      match.first_unmatched, problems, plan.task.name, match.matched, all,
      match.matched > 0 ? " (--skip-unmatched leaves the others out)"
                        : " (--id-field and --question-field say where to look)");
}

class Importer {
 public:
  Importer(Store& store, const ImportPlan& plan, const Recording& recording)
      : store_(store), plan_(plan), recording_(recording) {}

  absl::StatusOr<ImportReport> Import();

 private:
  void ChooseOrders(bool shuffled);
  void CompareWithRecorded(const AskedProblem& asked);
  void TellDifferences();
  absl::StatusOr<RunManifest> MakeManifest() const;
  absl::Status StoreAll();
  absl::Status StoreProblem(const AskedProblem& asked, size_t place);
  absl::Status StoreSample(const AskedProblem& asked, int index,
                           const RecordedCompletion& recorded);

  Store& store_;
  const ImportPlan& plan_;
  const Recording& recording_;
  Draws draws_;
  TaskGrading grading_;
  RunManifest manifest_;
  std::unique_ptr<RunWriter> writer_;
  Decompressor decompressor_;
  Sha256 prompt_hash_;
  ImportReport report_;
  ChoiceOrders orders_;
  // Problems that the file tells otherwise than the task: how many, and the first.
  struct Difference {
    int64_t problems = 0;
    std::string first;
  };
  Difference references_, prompts_;
};

// The letters of a recording mean the options as they stood when it was made.
void Importer::ChooseOrders(bool shuffled) {
  for (const auto& [id, problem] : recording_.problems) {
    if (!problem.choice_order.empty()) orders_.of.emplace(id, problem.choice_order);
  }
  if (!orders_.of.empty() || !shuffled || plan_.seed) return;
  orders_.published = true;
  report_.notes.push_back(
      "choices: no order is recorded; letters are read by the published order (--seed N: by the "
      "task's own, with that seed)");
}

void Importer::CompareWithRecorded(const AskedProblem& asked) {
  const auto found = recording_.problems.find(asked.problem.id);
  if (found == recording_.problems.end()) return;
  const RecordedProblem& told = found->second;
  const auto differs = [&](const std::string& how, Difference* difference) {
    if (difference->problems++ > 0) return;
    difference->first = absl::StrFormat("%s:%d: problem '%s'%s", recording_.path, told.line,
                                        Shorten(asked.problem.id, 60), how);
  };
  if (!told.reference.empty() && told.reference != asked.problem.reference) {
    differs(absl::StrFormat(": '%s' there, '%s' in the dataset", Shorten(told.reference, 60),
                            Shorten(asked.problem.reference, 60)),
            &references_);
  }
  if (told.messages &&
      *told.messages != PromptMessagesHash(*PromptToJson(asked.prompt).Find("messages"))) {
    differs("", &prompts_);
  }
}

void Importer::TellDifferences() {
  if (references_.problems > 0) {
    report_.notes.push_back(absl::StrFormat(
        "references: %d of %d problems have another one in the file; graded by the dataset's "
        "(first: %s)",
        references_.problems, report_.problems, references_.first));
  }
  if (prompts_.problems > 0) {
    report_.notes.push_back(absl::StrFormat(
        "prompts: %d of %d problems were asked otherwise than the task asks today (first: %s)",
        prompts_.problems, report_.problems, prompts_.first));
  }
}

absl::StatusOr<RunManifest> Importer::MakeManifest() const {
  RunPlan run_plan;
  run_plan.search = plan_.search;
  run_plan.tasks = {plan_.task};
  run_plan.tasks[0].samples = report_.samples_per_problem;
  run_plan.seed = plan_.seed.value_or(0);
  RunManifest manifest;
  ASSIGN_OR_RETURN(manifest.tasks, PlanManifests(run_plan));
  manifest.tasks[0].sampling = Json();  // how they were drawn is not known
  const std::string file = BaseName(recording_.path);
  manifest.model = !plan_.model.empty() ? plan_.model : recording_.model;
  if (manifest.model.empty()) manifest.model = file;
  manifest.name =
      plan_.name.empty() ? absl::StrFormat("%s on %s", file, plan_.task.name) : plan_.name;
  manifest.backend = "import";
  manifest.model_hash = recording_.sha256;
  manifest.seed = plan_.seed.value_or(0);
  manifest.assay_version = AssayVersion();
  manifest.code_version = CodeVersion();
  Json notes = Json::MakeArray();
  for (const std::string& note : report_.notes) notes.Append(note);
  manifest.backend_options =
      Json::MakeObject({{"file", recording_.path}, {"notes", std::move(notes)}});
  return manifest;
}

absl::Status Importer::StoreSample(const AskedProblem& asked, int index,
                                   const RecordedCompletion& recorded) {
  const bool prefix_opened = TrimRight(asked.prompt.reply_prefix).ends_with("<think>");
  StoredSample stored;
  stored.task = plan_.task.name;
  Sampling sampling;
  sampling.seed = plan_.seed.value_or(0);
  stored.key = RequestKey(manifest_.model, "import", asked.prompt, sampling, index);
  stored.sample.problem_id = asked.problem.id;
  stored.sample.index = index;
  absl::StatusOr<Completion> completion = UnpackRecorded(recorded, prefix_opened, decompressor_);
  RETURN_IF_ERROR(
      Annotate(completion.status(), absl::StrFormat("%s:%d", recording_.path, recorded.line)));
  stored.sample.completion = *std::move(completion);
  if (stored.sample.completion.served_by.empty()) {
    stored.sample.completion.served_by = recording_.path;
  }
  const absl::Status graded = GradeSample(grading_, asked.problem, &stored.sample);
  if (!graded.ok()) {
    if (report_.ungraded_because.empty()) report_.ungraded_because = graded.ToString();
    stored.sample.verdict = Verdict();  // stored ungraded
  }
  report_.completions += 1;
  return writer_->PutSample(std::move(stored));
}

absl::Status Importer::StoreProblem(const AskedProblem& asked, size_t place) {
  const auto& draws = draws_[place];
  if (plan_.limit > 0 && static_cast<int64_t>(place) >= plan_.limit) return absl::OkStatus();
  if (draws.empty() && plan_.only_recorded) return absl::OkStatus();
  CompareWithRecorded(asked);
  RETURN_IF_ERROR(writer_->PutProblem(plan_.task.name, asked.problem, asked.prompt));
  prompt_hash_.Update(PromptToJson(asked.prompt).Dump() + "\n");
  report_.problems += 1;
  if (!draws.empty()) report_.problems_recorded += 1;
  for (int index = 0; index < report_.samples_per_problem; ++index) {
    const auto found = draws.find(index);
    if (found != draws.end()) {
      RETURN_IF_ERROR(StoreSample(asked, index, *found->second));
      continue;
    }
    report_.missing += 1;
    RETURN_IF_ERROR(writer_->PutFailure(plan_.task.name, asked.problem.id, index,
                                        recording_.path + ": it has no such completion"));
  }
  return absl::OkStatus();
}

absl::Status Importer::StoreAll() {
  ASSIGN_OR_RETURN(const std::unique_ptr<ProblemStream> stream,
                   OpenProblems(plan_.search, plan_.task, plan_.seed.value_or(0), &orders_));
  for (size_t place = 0;; ++place) {
    ASSIGN_OR_RETURN(const std::optional<AskedProblem> asked, stream->Next());
    if (!asked) break;
    if (place >= draws_.size())
      return FailedPrecondition("%s: it grew meanwhile", stream->dataset_path());
    RETURN_IF_ERROR(StoreProblem(*asked, place));
  }
  manifest_.tasks[0].prompt_hash = prompt_hash_.HexDigest();
  manifest_.tasks[0].problems = report_.problems;
  RETURN_IF_ERROR(writer_->Flush());
  return store_.UpdateTasks(manifest_.id, manifest_.tasks);
}

absl::StatusOr<ImportReport> Importer::Import() {
  ASSIGN_OR_RETURN(grading_, BindGrading(plan_.task.extractor, plan_.task.extract_options,
                                         plan_.task.grader, plan_.task.grader_options));
  ASSIGN_OR_RETURN(const TaskProblems problems, IndexProblems(plan_));
  const ProblemIndex& index = problems.index;
  const RecordingMatch match =
      plan_.in_order ? MatchInOrder(recording_, index) : MatchRecording(recording_, index);
  RETURN_IF_ERROR(CheckMatch(plan_, recording_, match, index.size()));
  report_.notes = recording_.notes;
  report_.notes.push_back(absl::StrFormat("problems: matched %s", match.how));
  ChooseOrders(problems.shuffled);
  report_.unmatched = static_cast<int64_t>(recording_.completions.size()) - match.matched;
  draws_.resize(index.size());
  RETURN_IF_ERROR(SortDraws(recording_, match, &draws_));
  report_.samples_per_problem = MostSamples(draws_);
  ASSIGN_OR_RETURN(manifest_, MakeManifest());
  ASSIGN_OR_RETURN(writer_, store_.CreateRun(&manifest_));
  report_.run_id = manifest_.id;
  RETURN_IF_ERROR(StoreAll());
  TellDifferences();
  const bool complete = report_.missing == 0 && report_.ungraded_because.empty();
  RETURN_IF_ERROR(writer_->Finish(complete ? RunState::kComplete : RunState::kIncomplete));
  return report_;
}

}  // namespace

absl::StatusOr<ImportReport> ImportRecording(Store& store, const ImportPlan& plan,
                                             const Recording& recording) {
  return Importer(store, plan, recording).Import();
}

}  // namespace assay
