// `assay import`: completions that were recorded elsewhere become a run, graded as `run` grades.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>

#include "commands/shared/run_execution.h"
#include "harness/command.h"
#include "harness/import.h"
#include "harness/status.h"
#include "harness/store.h"
#include "harness/task.h"
#include "harness/text.h"
#include "reports/table.h"

namespace assay {
namespace {

struct Options {
  std::string file;
  std::string task;
  std::string make_task;
  std::string format = "auto";
  RecordingFields fields;
  std::string reference_field;
  std::string name;
  std::string model;
  std::vector<std::string> include_paths;
  std::vector<std::string> data_dirs;
  std::optional<std::string> dataset_file;
  std::optional<uint64_t> seed;
  std::string database = DefaultDatabase();
  bool only_recorded = false;
  bool skip_unmatched = false;
  bool in_order = false;
  int limit = 0;
  bool dry_run = false;
  RunDisplay display;
};

// Notes are part of the result: a guess that nobody saw is a wrong number waiting.
void Note(const Options& options, const std::string& note) {
  if (!options.display.quiet) std::fprintf(stderr, "%s\n", note.c_str());
}

absl::Status MakeTask(const Options& options) {
  ASSIGN_OR_RETURN(
      const NewTaskReport made,
      MakeTaskFromRecording(options.file, options.make_task,
                            {options.fields.id, options.fields.question, options.reference_field}));
  for (const std::string& note : made.notes) Note(options, note);
  Note(options, absl::StrFormat("made %s and %s: %s problems", made.yaml, made.rows,
                                WithThousands(made.problems)));
  return absl::OkStatus();
}

absl::StatusOr<ImportPlan> MakePlan(const Options& options) {
  ImportPlan plan;
  plan.search = DefaultSearchPath(options.include_paths, options.data_dirs);
  const std::string spec = options.make_task.empty() ? options.task : options.make_task;
  TaskOverrides overrides;
  overrides.dataset_file = options.dataset_file;
  ASSIGN_OR_RETURN(std::vector<Task> tasks, LoadTasks(plan.search, spec, overrides));
  if (tasks.size() != 1) {
    return InvalidArgument("--task: %s is a suite of %d tasks; import one task at a time", spec,
                           tasks.size());
  }
  plan.task = std::move(tasks[0]);
  plan.name = options.name;
  plan.model = options.model;
  plan.seed = options.seed;
  plan.only_recorded = options.only_recorded;
  plan.skip_unmatched = options.skip_unmatched;
  plan.in_order = options.in_order;
  plan.limit = options.limit;
  return plan;
}

void Tell(const Options& options, const Recording& recording, const ImportReport& report) {
  for (const std::string& note : report.notes) Note(options, note);
  Note(options, absl::StrFormat("run %s: %s completions of %s of %s problems, %d a problem -> %s",
                                report.run_id, WithThousands(report.completions),
                                WithThousands(report.problems_recorded),
                                WithThousands(report.problems), report.samples_per_problem,
                                options.dry_run ? "nowhere (--dry-run)" : options.database));
  if (recording.other_tasks > 0) {
    Note(options, absl::StrFormat("passed over: %s rows of other tasks",
                                  WithThousands(recording.other_tasks)));
  }
  if (recording.failed_draws > 0) {
    Note(options, absl::StrFormat("passed over: %s that tell of an error instead of a reply",
                                  Counted(recording.failed_draws, "draw")));
  }
  if (report.unmatched > 0) {
    Note(options,
         absl::StrFormat("left out: %s of no problem", Counted(report.unmatched, "completion")));
  }
  if (report.missing > 0) {
    Note(options, absl::StrFormat("missing: %s that the file does not have%s",
                                  Counted(report.missing, "sample"),
                                  report.problems_recorded < report.problems
                                      ? " (--only-recorded leaves out problems without any)"
                                      : ""));
  }
  if (!report.ungraded_because.empty()) {
    Note(options, "some samples are ungraded: " + report.ungraded_because);
  }
}

// A folder that goes when this does.
class ScratchFolder {
 public:
  static absl::StatusOr<std::unique_ptr<ScratchFolder>> Make() {
    std::error_code error;
    std::string path = (std::filesystem::temp_directory_path(error) / "assay-dry-XXXXXX").string();
    if (error || mkdtemp(path.data()) == nullptr) {
      return Unavailable("--dry-run: no folder can be made at %s (%s); TMPDIR names another", path,
                         error ? error.message() : std::strerror(errno));
    }
    return std::unique_ptr<ScratchFolder>(new ScratchFolder(path));
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  std::string Path(const std::string& name) const { return path_ + "/" + name; }

 private:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

absl::StatusOr<int> Import(const Options& options) {
  if (options.task.empty() == options.make_task.empty()) {
    return InvalidArgument(
        "name the task with --task, or have one made from the file with --make-task NEW.yaml%s",
        options.task.empty() ? "" : ": one of the two, found both");
  }
  if (options.limit < 0) {
    return InvalidArgument("--limit: expected 0 (all) or more, found %d", options.limit);
  }
  if (options.dry_run && !options.make_task.empty()) {
    return InvalidArgument("--dry-run: --make-task writes files; have the task made first");
  }
  ASSIGN_OR_RETURN(const RecordingFormat format, RecordingFormatFromName(options.format));
  if (!options.make_task.empty()) RETURN_IF_ERROR(MakeTask(options));
  ASSIGN_OR_RETURN(const ImportPlan plan, MakePlan(options));
  ASSIGN_OR_RETURN(const Recording recording,
                   ReadRecording(options.file, format, options.fields, plan.task.name));
  // A dry run is the whole of it, into a database that is gone afterwards.
  std::unique_ptr<ScratchFolder> scratch;
  if (options.dry_run) {
    ASSIGN_OR_RETURN(scratch, ScratchFolder::Make());
  }
  ASSIGN_OR_RETURN(
      const std::unique_ptr<Store> store,
      Store::Open(scratch ? scratch->Path("dry.db") : options.database, StoreMode::kReadWrite));
  ASSIGN_OR_RETURN(const ImportReport report, ImportRecording(*store, plan, recording));
  Tell(options, recording, report);
  RETURN_IF_ERROR(PrintRunResults(*store, report.run_id, options.display));
  return report.missing == 0 && report.ungraded_because.empty() ? 0 : 1;
}

void Declare(CommandLine& line) {
  auto options = std::make_shared<Options>();  // shared: lives as long as the action
  line.Positional("file", &options->file,
                  "JSON lines (also .gz, .zst): `assay export`'s, lm-evaluation-harness's "
                  "samples_*.jsonl, or any rows with completions",
                  true);
  line.Option("--task,-t,--tasks", &options->task, "The task whose problems they answer");
  line.Option("--make-task", &options->make_task,
              "Make a task of the file's own questions and references: NEW.yaml, NEW.jsonl");
  line.Option("--format", &options->format, "auto, jsonl, lm-eval or assay");
  line.Option("--id-field", &options->fields.id, "The problem's id ('a.b.0' goes down)");
  line.Option("--index-field", &options->fields.index, "The sample's index within its problem");
  line.Option("--completion-field", &options->fields.completion,
              "The reply: a text, or a list of texts (n samples)");
  line.Option("--reasoning-field", &options->fields.reasoning, "Thinking that was kept apart");
  line.Option("--finish-field", &options->fields.finish,
              "Why the reply ended; 'length' is truncated");
  line.Option("--question-field", &options->fields.question, "The question's text");
  line.Option("--reference-field", &options->reference_field,
              "The right answer; for --make-task only");
  line.Option("--name", &options->name, "A name for the run");
  line.Option("--model,-M", &options->model, "The model that the completions are of");
  line.Option("--include-path", &options->include_paths, "Directories with further tasks");
  line.Option("--data-dir", &options->data_dirs, "Directories with dataset files");
  line.Option("--dataset-file", &options->dataset_file, "Read this file instead of the task's");
  line.Option("--seed", &options->seed,
              "Orders choices as a run with this seed does; without it the file's own order "
              "holds, else the published one");
  line.Option("--db,--output-path,-o", &options->database, "The results database");
  line.Flag("--only-recorded", &options->only_recorded,
            "The run is of the problems that the file has; the task's others are not missing");
  line.Flag("--skip-unmatched", &options->skip_unmatched,
            "Leave out completions that belong to no problem");
  line.Flag("--in-order", &options->in_order,
            "The first row answers the first problem, and so on; questions are not compared");
  line.Option("--limit,-L", &options->limit, "Only the task's first N problems; 0: all");
  line.Flag("--dry-run", &options->dry_run, "Match, grade and print all the same; store nothing");
  line.Flag("--json", &options->display.json, "Machine-readable results on stdout");
  line.Flag("--quiet,-q", &options->display.quiet, "Say nothing but the results");
  line.Flag("--allow-partial", &options->display.allow_partial,
            "A labelled number, with bounds, over missing samples");
  line.Action([options] {
    const absl::StatusOr<int> status = Import(*options);
    return status.ok() ? *status : PrintError(status.status());
  });
}

}  // namespace

Command ImportCommand() {
  Command command;
  command.name = "import";
  command.about = "Make a run of completions that were recorded elsewhere";
  command.order = 70;
  command.declare = Declare;
  return command;
}

}  // namespace assay
