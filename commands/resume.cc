// `assay resume`: ask for the samples that a run still lacks, and for nothing else.
#include <memory>

#include "commands/shared/isolation.h"
#include "commands/shared/run_execution.h"
#include "harness/status.h"

namespace assay {
namespace {

struct Options {
  std::string run = "last";
  std::string database = DefaultDatabase();
  std::string api_key_env;
  std::string isolation;
  int max_connections = 0;
  RunDisplay display;
};

absl::Status SameTasks(const RunManifest& manifest, const std::vector<TaskManifest>& now) {
  if (manifest.tasks.size() != now.size()) {
    return FailedPrecondition("run %s has %d tasks, and its suite now names %d; start a new run",
                              manifest.id, manifest.tasks.size(), now.size());
  }
  for (size_t i = 0; i < now.size(); ++i) {
    const TaskManifest& then = manifest.tasks[i];
    if (then.name != now[i].name || then.task_hash != now[i].task_hash) {
      return FailedPrecondition(
          "task %s changed since run %s began (hash %s, now %s); start a new run", then.name,
          manifest.id, then.task_hash.substr(0, 12), now[i].task_hash.substr(0, 12));
    }
    if (then.dataset_sha256 != now[i].dataset_sha256) {
      return FailedPrecondition(
          "%s changed since run %s began (sha256 %s, now %s); start a new run", now[i].dataset_path,
          manifest.id, then.dataset_sha256, now[i].dataset_sha256);
    }
  }
  return absl::OkStatus();
}

// Text of an object's member, or nothing.
std::string TextOf(const Json& object, std::string_view name) {
  const Json* member = object.is_object() ? object.Find(name) : nullptr;
  return member != nullptr ? member->ToText() : "";
}

// A backend that promises the same samples for the same seed says under which key it does. Under
// another one (another GPU, a CPU instead, another library, a changed checkpoint) the rest would be
// another run's.
absl::Status SameKey(const RunManifest& manifest, const BackendIdentity& now) {
  const std::string then_key = TextOf(manifest.backend_options, "reproduction_key");
  const std::string now_key = TextOf(now.options, "reproduction_key");
  if (then_key == now_key) return absl::OkStatus();
  return FailedPrecondition(
      "run %s was begun under reproduction key %s (%s), and here it would go on under %s (%s): its "
      "samples would not be those that it lacks. Nothing was changed; resume it where and as it "
      "was "
      "begun, or start a new run",
      manifest.id, then_key.substr(0, 12), TextOf(manifest.backend_options, "runner"),
      now_key.substr(0, 12), TextOf(now.options, "runner"));
}

absl::StatusOr<int> Resume(const Options& options) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Store> store, OpenExistingStore(options.database));
  ASSIGN_OR_RETURN(RunSummary summary, store->FindRun(options.run));
  RunManifest& manifest = summary.manifest;
  absl::StatusOr<RunRequest> request = RunRequestFromJson(manifest.options);
  if (!request.ok()) return Annotate(request.status(), "run " + manifest.id);
  if (!options.api_key_env.empty()) request->api_key_env = options.api_key_env;
  if (options.max_connections > 0) request->max_connections = options.max_connections;
  RETURN_IF_ERROR(
      ApplyIsolation(options.isolation.empty() ? request->isolation : options.isolation));
  ASSIGN_OR_RETURN(const RunPlan plan, MakeRunPlan(*request));
  ASSIGN_OR_RETURN(const std::vector<TaskManifest> now, PlanManifests(plan));
  RETURN_IF_ERROR(SameTasks(manifest, now));
  ASSIGN_OR_RETURN(const Backend* backend, ChooseBackend(*request));
  ASSIGN_OR_RETURN(const std::unique_ptr<CompletionSource> source,
                   backend->open(MakeBackendConfig(*request)));
  RETURN_IF_ERROR(SameKey(manifest, source->identity()));
  ASSIGN_OR_RETURN(std::unique_ptr<RunWriter> writer, store->ResumeRun(manifest.id));
  return ExecuteAndReport(plan, *source, *store, std::move(writer), manifest, options.database,
                          options.display);
}

}  // namespace

Command ResumeCommand() {
  Command command;
  command.name = "resume";
  command.about = "Ask for the samples that a run still lacks";
  command.order = 20;
  command.declare = [](CommandLine& line) {
    auto options = std::make_shared<Options>();  // shared: lives as long as the action
    line.Positional("run", &options->run, "The run's id, name, or 'last'", false);
    line.Option("--db", &options->database, "The results database");
    line.Option("--api-key-env", &options->api_key_env,
                "The environment variable that holds the key");
    line.Option("--max-connections", &options->max_connections,
                "Requests in flight at most; 0: adaptive");
    DeclareIsolation(line, &options->isolation);
    line.Flag("--json", &options->display.json, "Machine-readable results on stdout");
    line.Flag("--quiet,-q", &options->display.quiet, "No progress lines");
    line.Flag("--allow-partial", &options->display.allow_partial,
              "A labelled number, with bounds, over missing samples");
    line.Action([options] {
      const absl::StatusOr<int> status = Resume(*options);
      return status.ok() ? *status : PrintError(status.status());
    });
  };
  return command;
}

}  // namespace assay
