// `assay resume`: ask for the samples that a run still lacks, and for nothing else.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "commands/shared/isolation.h"
#include "commands/shared/run_execution.h"
#include "harness/status.h"
#include "harness/text.h"
#include "reports/results.h"

namespace assay {
namespace {

struct Options {
  std::string run = "last";
  std::string database = DefaultDatabase();
  std::vector<std::string> base_urls;
  std::string model_args;
  std::string api_key_env;
  std::string isolation;
  int max_connections = 0;
  int most_problems = 0;
  bool dry_run = false;
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

absl::Status ChangeModelArgs(const RunManifest& manifest, const Backend& backend,
                             std::string_view text, RunRequest* request) {
  ASSIGN_OR_RETURN(const Json given, ParseKeyValues("--model-args", text));
  for (const Json::Member& member : given.AsMembers()) {
    const Json* then = request->model_args.Find(member.first);
    if (then != nullptr && then->ToText() == member.second.ToText()) continue;
    const std::vector<std::string>& fixed = backend.fixed_options;
    if (std::find(fixed.begin(), fixed.end(), member.first) != fixed.end()) {
      return FailedPrecondition(
          "--model-args: run %s was begun with %s, and with %s=%s the samples that it lacks would "
          "be drawn or read otherwise than those that it holds. Nothing was changed; leave it out, "
          "or start a new run",
          manifest.id,
          then != nullptr ? absl::StrFormat("%s=%s", member.first, then->ToText())
                          : absl::StrFormat("the default of '%s'", member.first),
          member.first, member.second.ToText());
    }
    request->model_args.Set(member.first, member.second);
  }
  return absl::OkStatus();
}

absl::Status ChangeBaseUrls(const RunManifest& manifest, const std::vector<std::string>& base_urls,
                            RunRequest* request) {
  if (base_urls.empty()) return absl::OkStatus();
  if (manifest.base_urls.empty()) {
    return InvalidArgument(
        "--base-url: run %s was drawn by the backend '%s', not from a server; leave it out",
        manifest.id, manifest.backend);
  }
  request->base_urls = base_urls;
  return absl::OkStatus();
}

// What was told now is what later resumes begin from.
absl::Status Change(const RunManifest& manifest, const Backend& backend, const Options& options,
                    RunRequest* request) {
  if (!options.api_key_env.empty()) request->api_key_env = options.api_key_env;
  if (options.max_connections > 0) request->max_connections = options.max_connections;
  if (!options.isolation.empty()) request->isolation = options.isolation;
  RETURN_IF_ERROR(ChangeModelArgs(manifest, backend, options.model_args, request));
  RETURN_IF_ERROR(ChangeBaseUrls(manifest, options.base_urls, request));
  return RefuseSecrets(*request);
}

// Where nobody typed an address: where the environment says, or where the run was drawn last.
BackendConfig ConfigFor(const RunManifest& manifest, const RunRequest& request) {
  BackendConfig config = MakeBackendConfig(request);
  if (!config.base_urls.empty() || std::getenv("OPENAI_BASE_URL") != nullptr) return config;
  const std::vector<RunSession>& sessions = manifest.sessions;
  const bool told = !sessions.empty() && !sessions.back().base_urls.empty();
  config.base_urls = told ? sessions.back().base_urls : manifest.base_urls;
  return config;
}

// "/v1/chat/completions" of "http://host:8000/v1/chat/completions".
std::string_view PathOf(std::string_view url) {
  const size_t scheme = url.find("://");
  const size_t slash = url.find('/', scheme == url.npos ? 0 : scheme + 3);
  return slash == url.npos ? "" : url.substr(slash);
}

// A server may move; the path on it is in the samples' keys.
absl::Status SamePath(const RunManifest& manifest, const BackendIdentity& now) {
  if (manifest.base_urls.empty() || PathOf(manifest.base_urls[0]) == now.endpoint) {
    return absl::OkStatus();
  }
  return FailedPrecondition(
      "run %s was begun at %s, and here it would go on at %s: the path is part of its samples' "
      "keys, and '%s' is not '%s'. Nothing was changed; give a --base-url with the same path, or "
      "start a new run",
      manifest.id, manifest.base_urls[0], now.base_urls.empty() ? "" : now.base_urls[0],
      now.endpoint, PathOf(manifest.base_urls[0]));
}

// What would be asked for, as far as the store knows it. Problems are counted at a run's beginning:
// one that was killed before that knows of none.
absl::StatusOr<int> TellMissing(Store& store, const RunSummary& summary, bool json) {
  ASSIGN_OR_RETURN(const std::vector<TaskResult> results, LoadResults(store, summary));
  Json tasks = Json::MakeArray();
  int64_t missing = 0;
  for (const TaskResult& result : results) {
    missing += result.missing;
    const int64_t stored = result.planned - result.missing;
    tasks.Append(Json::MakeObject({{"task", result.manifest.name},
                                   {"planned", result.planned},
                                   {"stored", stored},
                                   {"missing", result.missing}}));
    if (json) continue;
    if (result.planned == 0) {
      std::printf("%s: not known; the run was stopped before its problems were counted\n",
                  result.manifest.name.c_str());
      continue;
    }
    std::printf("%s: %s of %s stored, %s would be asked for\n", result.manifest.name.c_str(),
                WithThousands(stored).c_str(), Counted(result.planned, "sample").c_str(),
                WithThousands(result.missing).c_str());
  }
  if (json) {
    std::printf("%s\n", Json::MakeObject({{"run", summary.manifest.id},
                                          {"missing", missing},
                                          {"tasks", std::move(tasks)}})
                            .Dump(2)
                            .c_str());
  }
  return 0;
}

absl::StatusOr<int> Resume(const Options& options) {
  if (options.most_problems < 0) {
    return InvalidArgument("--limit: expected 0 (all) or more, found %d", options.most_problems);
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<Store> store,
                   OpenExistingStore(options.database, options.dry_run ? StoreMode::kReadOnly
                                                                       : StoreMode::kReadWrite));
  ASSIGN_OR_RETURN(RunSummary summary, store->FindRun(options.run));
  RunManifest& manifest = summary.manifest;
  absl::StatusOr<RunRequest> request = RunRequestFromJson(manifest.options);
  if (!request.ok()) return Annotate(request.status(), "run " + manifest.id);
  ASSIGN_OR_RETURN(const Backend* backend, FindBackend(manifest.backend));
  RETURN_IF_ERROR(Change(manifest, *backend, options, &*request));
  RETURN_IF_ERROR(ApplyIsolation(request->isolation));
  ASSIGN_OR_RETURN(const RunPlan plan, MakeRunPlan(*request));
  ASSIGN_OR_RETURN(const std::vector<TaskManifest> now, PlanManifests(plan));
  RETURN_IF_ERROR(SameTasks(manifest, now));
  if (options.dry_run) return TellMissing(*store, summary, options.display.json);
  ASSIGN_OR_RETURN(const std::unique_ptr<CompletionSource> source,
                   backend->open(ConfigFor(manifest, *request)));
  RETURN_IF_ERROR(SamePath(manifest, source->identity()));
  RETURN_IF_ERROR(SameKey(manifest, source->identity()));
  const Resumption resumption = {ThisSession(source->identity()), RunRequestToJson(*request)};
  ASSIGN_OR_RETURN(std::unique_ptr<RunWriter> writer, store->ResumeRun(manifest.id, resumption));
  const RunScope scope = {.most_problems = options.most_problems};
  return ExecuteAndReport(plan, *source, *store, std::move(writer), manifest, options.database,
                          scope, options.display);
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
    line.Option("--base-url", &options->base_urls,
                "Where the endpoint is now, where it moved; the path on it must be the same");
    line.Option("--model-args,-a", &options->model_args,
                "Other values of the backend's options: timeout=600,...; those that the run began "
                "with stay");
    line.Option("--api-key-env", &options->api_key_env,
                "The environment variable that holds the key");
    line.Option("--max-connections", &options->max_connections,
                "Requests in flight at most; 0: adaptive");
    DeclareIsolation(line, &options->isolation);
    line.Option("--limit,-L", &options->most_problems,
                "Ask for the samples of so many problems, then stop; 0: all");
    line.Flag("--dry-run", &options->dry_run, "Say what would be asked for; ask nothing");
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
