// `assay run`: evaluate a model on tasks, every sample stored as it lands.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "commands/shared/fetching.h"
#include "commands/shared/isolation.h"
#include "commands/shared/run_execution.h"
#include "harness/metric.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

struct Options {
  std::string model;
  std::string backend;
  std::vector<std::string> base_urls;
  std::string model_args;
  std::string device;
  std::string api_key_env;
  int max_connections = 0;
  std::vector<std::string> tasks;
  std::vector<std::string> include_paths;
  std::vector<std::string> data_dirs;
  std::optional<int> num_fewshot;
  std::optional<int> samples;
  std::vector<std::string> metrics;
  std::optional<int> max_tokens;
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::string gen_kwargs;
  std::optional<std::string> system_instruction;
  std::optional<std::string> reply_prefix;
  std::optional<std::string> dataset_file;
  std::optional<std::string> release;
  std::optional<std::string> since;
  std::optional<std::string> until;
  std::optional<double> limit;
  uint64_t seed = 0;
  std::string isolation;
  std::string name;
  std::string database = DefaultDatabase();
  bool dry_run = false;
  bool fetch = false;
  RunDisplay display;
};

// What a flag of its own says; --gen-kwargs may say it too, but not otherwise.
absl::Status SetOnce(std::string_view key, std::string_view flag, const Json& value,
                     Json* sampling) {
  const Json* said = sampling->Find(key);
  const bool differs = said != nullptr && (!said->is_number() || !value.is_number() ||
                                           said->AsNumber() != value.AsNumber());
  if (differs) {
    return InvalidArgument("--gen-kwargs sets %s to %s, and %s to %s: give one of them", key,
                           said->Dump(), flag, value.Dump());
  }
  sampling->Set(key, value);
  return absl::OkStatus();
}

absl::StatusOr<RunRequest> MakeRequest(const Options& options) {
  RunRequest request;
  request.backend = options.backend;
  request.model = options.model;
  request.base_urls = options.base_urls;
  request.api_key_env = options.api_key_env;
  request.max_connections = options.max_connections;
  request.tasks = options.tasks;
  request.include_paths = options.include_paths;
  request.data_dirs = options.data_dirs;
  request.limit = options.limit.value_or(0);
  request.seed = options.seed;
  request.isolation = options.isolation;
  ASSIGN_OR_RETURN(request.model_args, ParseKeyValues("--model-args", options.model_args));
  RETURN_IF_ERROR(SetDevice(options.device, &request.model_args));
  ASSIGN_OR_RETURN(Json sampling, ParseKeyValues("--gen-kwargs", options.gen_kwargs));
  if (options.max_tokens)
    RETURN_IF_ERROR(SetOnce("max_tokens", "--max-tokens", *options.max_tokens, &sampling));
  if (options.temperature)
    RETURN_IF_ERROR(SetOnce("temperature", "--temperature", *options.temperature, &sampling));
  if (options.top_p) RETURN_IF_ERROR(SetOnce("top_p", "--top-p", *options.top_p, &sampling));
  request.overrides.sampling = std::move(sampling);
  request.overrides.num_fewshot = options.num_fewshot;
  request.overrides.samples = options.samples;
  request.overrides.metrics = options.metrics;
  request.overrides.system_instruction = options.system_instruction;
  request.overrides.reply_prefix = options.reply_prefix;
  request.overrides.dataset_file = options.dataset_file;
  request.overrides.release = options.release;
  request.overrides.since = options.since;
  request.overrides.until = options.until;
  if (options.limit && (*options.limit <= 0 ||
                        (*options.limit > 1 && *options.limit != std::floor(*options.limit)))) {
    return InvalidArgument(
        "--limit: expected a count from 1 on, or a fraction between 0 and 1, found %g",
        *options.limit);
  }
  if (options.max_connections < 0) {
    return InvalidArgument("--max-connections: expected at least 0 (adaptive), found %d",
                           options.max_connections);
  }
  if (options.name == "last") {
    return InvalidArgument("--name: 'last' is the word for the newest run; choose another");
  }
  if (options.samples && *options.samples < 1) {
    return InvalidArgument("--samples: expected at least 1, found %d", *options.samples);
  }
  RETURN_IF_ERROR(RefuseSecrets(request));
  return request;
}

// The metrics with no k above the number of samples: cons@64 of 16 becomes cons@16.
std::vector<std::string> MetricsThatFit(const std::vector<std::string>& metrics, int samples) {
  std::vector<std::string> fitting;
  for (const std::string& metric : metrics) {
    const absl::StatusOr<AskedMetric> asked = ParseAsked(metric);
    std::string name = metric;
    if (asked.ok() && asked->k.value_or(1) > samples) {
      name = absl::StrFormat("%s%d%s%s", asked->family, samples, asked->rest.empty() ? "" : "_",
                             asked->rest);
    }
    if (std::find(fitting.begin(), fitting.end(), name) == fitting.end()) fitting.push_back(name);
  }
  return fitting;
}

// Told before the first sample, not after the last.
absl::Status CheckMetrics(const std::vector<Task>& tasks) {
  for (const Task& task : tasks) {
    const absl::Status carried = SamplesCarry(task.metrics, task.samples);
    if (carried.ok()) continue;
    return InvalidArgument("%s: %s; draw more with --samples, or say --metrics %s", task.path,
                           std::string(carried.message()),
                           Join(MetricsThatFit(task.metrics, task.samples), ","));
  }
  return absl::OkStatus();
}

std::string DefaultName(const RunRequest& request) {
  const size_t slash = request.model.find_last_of('/', request.model.size() - 2);
  const std::string model =
      slash == std::string::npos ? request.model : request.model.substr(slash + 1);
  return model + " on " + Join(request.tasks, ",");
}

RunManifest MakeManifest(const RunRequest& request, const std::string& backend,
                         const BackendIdentity& identity, std::vector<TaskManifest> tasks,
                         const std::string& name) {
  RunManifest manifest;
  manifest.name = name.empty() ? DefaultName(request) : name;
  manifest.backend = backend;
  manifest.model = identity.model;
  manifest.model_hash = identity.model_hash;
  manifest.base_urls = identity.base_urls;
  manifest.backend_options = identity.options;
  manifest.tasks = std::move(tasks);
  manifest.seed = request.seed;
  const RunSession session = ThisSession(identity);
  manifest.assay_version = session.assay_version;
  manifest.code_version = session.code_version;
  manifest.host = session.host;
  manifest.options = RunRequestToJson(request);
  manifest.sessions = {session};
  return manifest;
}

struct DryCounts {
  int64_t problems = 0;
  int64_t prompt_bytes = 0;
};

absl::StatusOr<DryCounts> DryRunTask(const RunPlan& plan, const Task& task, bool print_prompts) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ProblemStream> stream,
                   OpenProblems(plan.search, task, plan.seed));
  DryCounts counts;
  while (plan.limit < 1 || static_cast<double>(counts.problems) < plan.limit) {
    ASSIGN_OR_RETURN(const std::optional<AskedProblem> asked, stream->Next());
    if (!asked) break;
    counts.problems += 1;
    for (const Message& message : asked->prompt.messages) {
      counts.prompt_bytes += static_cast<int64_t>(message.text.size());
    }
    if (print_prompts && counts.problems == 1) {
      std::printf("%s, first prompt (problem %s):\n%s\n\n", task.name.c_str(),
                  asked->problem.id.c_str(), PromptToJson(asked->prompt).Dump(2).c_str());
    }
  }
  if (plan.limit > 0 && plan.limit < 1) {
    const auto all = static_cast<double>(counts.problems);
    const double kept = std::max(1.0, std::ceil(all * plan.limit));
    counts.prompt_bytes =
        static_cast<int64_t>(static_cast<double>(counts.prompt_bytes) * kept / std::max(1.0, all));
    counts.problems = static_cast<int64_t>(kept);
  }
  return counts;
}

// Four bytes to a token is the usual rule of thumb for English; said as such.
absl::StatusOr<int> DryRun(const RunPlan& plan, bool json) {
  Json report = Json::MakeArray();
  for (const Task& task : plan.tasks) {
    ASSIGN_OR_RETURN(const DryCounts counts, DryRunTask(plan, task, !json));
    const int64_t samples = counts.problems * task.samples;
    const int64_t prompt_tokens = counts.prompt_bytes / 4;
    // 0 where the task limits nothing.
    const int64_t most = task.sampling.max_tokens.value_or(0) * samples;
    const std::string at_most =
        most > 0 ? absl::StrFormat("at most %s completion tokens", WithThousands(most))
                 : "completion tokens without a limit (no max_tokens is set)";
    if (!json) {
      std::printf(
          "%s: %s problems x %d samples = %s samples; about %s prompt tokens (bytes / 4, each "
          "prompt once), "
          "%s\n",
          task.name.c_str(), WithThousands(counts.problems).c_str(), task.samples,
          WithThousands(samples).c_str(), WithThousands(prompt_tokens).c_str(), at_most.c_str());
    }
    report.Append(Json::MakeObject({{"task", task.name},
                                    {"problems", counts.problems},
                                    {"samples_per_problem", task.samples},
                                    {"samples", samples},
                                    {"prompt_tokens_estimated", prompt_tokens},
                                    {"completion_tokens_at_most", most > 0 ? Json(most) : Json()},
                                    {"sampling", SamplingToJson(task.sampling)}}));
  }
  if (json) std::printf("%s\n", report.Dump(2).c_str());
  return 0;
}

// What the run would refuse of the model, as far as nobody needs to be asked for it. Without any
// word of a model, a dry run is of the tasks alone.
absl::Status CheckBackend(const RunRequest& request, const RunPlan& plan) {
  if (request.model.empty() && request.base_urls.empty() && request.backend.empty() &&
      request.model_args.size() == 0 && request.api_key_env.empty()) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const Backend* backend, ChooseBackend(request));
  RETURN_IF_ERROR(CheckAnswerable(plan, *backend));
  return backend->check ? backend->check(MakeBackendConfig(request)) : absl::OkStatus();
}

absl::Status CheckDatabase(const std::string& database) {
  std::error_code ignored;
  if (std::filesystem::exists(database, ignored)) {
    return Store::Open(database, StoreMode::kReadOnly).status();
  }
  const auto folder = std::filesystem::absolute(database, ignored).parent_path();
  if (std::filesystem::is_directory(folder, ignored)) return absl::OkStatus();
  return NotFound("--db %s: its folder is not there", database);
}

absl::StatusOr<int> Run(const Options& options) {
  ASSIGN_OR_RETURN(const RunRequest request, MakeRequest(options));
  RETURN_IF_ERROR(ApplyIsolation(request.isolation));
  ASSIGN_OR_RETURN(RunPlan plan, MakeRunPlan(request));
  RETURN_IF_ERROR(CheckMetrics(plan.tasks));
  if (options.dry_run) {
    RETURN_IF_ERROR(CheckBackend(request, plan));
    RETURN_IF_ERROR(CheckDatabase(options.database));
  }
  RETURN_IF_ERROR(FetchForRun(plan.search, plan.tasks, request.data_dirs, options.fetch));
  // The data directory may be new.
  plan.search = DefaultSearchPath(request.include_paths, request.data_dirs);
  if (options.dry_run) return DryRun(plan, options.display.json);
  if (request.model.empty() && request.base_urls.empty() && request.backend.empty()) {
    return InvalidArgument("--model: name a model, a checkpoint directory or a recording");
  }
  ASSIGN_OR_RETURN(std::vector<TaskManifest> tasks, PlanManifests(plan));
  ASSIGN_OR_RETURN(const Backend* backend, ChooseBackend(request));
  RETURN_IF_ERROR(CheckAnswerable(plan, *backend));
  ASSIGN_OR_RETURN(const std::unique_ptr<CompletionSource> source,
                   backend->open(MakeBackendConfig(request)));
  ASSIGN_OR_RETURN(const std::unique_ptr<Store> store,
                   Store::Open(options.database, StoreMode::kReadWrite));
  RunManifest manifest =
      MakeManifest(request, backend->name, source->identity(), std::move(tasks), options.name);
  ASSIGN_OR_RETURN(std::unique_ptr<RunWriter> writer, store->CreateRun(&manifest));
  if (!options.display.quiet) {
    std::fprintf(stderr, "run %s: %s -> %s\n", manifest.id.c_str(),
                 Printable(manifest.name).c_str(), options.database.c_str());
  }
  return ExecuteAndReport(plan, *source, *store, std::move(writer), manifest, options.database,
                          {.new_run = true}, options.display);
}

void Declare(CommandLine& line) {
  auto options = std::make_shared<Options>();  // shared: lives as long as the action
  line.Option("--model,-M", &options->model,
              "A model's name at an endpoint, a checkpoint directory, or a recording");
  line.Option("--backend", &options->backend,
              "endpoint, local or replay; told from --model where not given");
  line.Option("--base-url", &options->base_urls, "The endpoint, to /v1; several are balanced");
  line.Option("--model-args,-a", &options->model_args, "Options of the backend: key=value,...");
  line.Option("--device", &options->device,
              "auto, cuda, cpu or reference: where a checkpoint runs");
  line.Option("--api-key-env", &options->api_key_env,
              "The environment variable that holds the key");
  line.Option("--max-connections", &options->max_connections,
              "Requests in flight at most; 0: adaptive");
  line.Option("--tasks,-t", &options->tasks, "Tasks, suites, or paths of YAML files");
  line.Option("--include-path", &options->include_paths, "Directories with further tasks");
  line.Option("--data-dir", &options->data_dirs, "Directories with dataset files");
  line.Flag("--fetch", &options->fetch, "Fetch the datasets that are not here, then run");
  line.Option("--dataset-file", &options->dataset_file, "Read the problems from this file instead");
  line.Option("--release", &options->release,
              "Of a dataset in parts: release_v5 the first five, v5 the fifth, v4_v6 a range");
  line.Option("--since", &options->since, "Only problems from this date on (2024-08-01)");
  line.Option("--until", &options->until, "Only problems from before this date");
  line.Option("--samples,-n,--epochs", &options->samples, "Samples per problem");
  line.Option("--metrics", &options->metrics, "Metrics instead of the tasks' own: pass@1,cons@16");
  line.Option("--limit,-L", &options->limit,
              "The first N problems of each task; below 1: that fraction");
  line.Option("--num-fewshot,-f", &options->num_fewshot, "Few-shot examples per prompt");
  line.Option("--gen-kwargs", &options->gen_kwargs,
              "Sampling: temperature=0.6,top_p=0.95,max_gen_toks=32768");
  line.Option("--temperature", &options->temperature, "Sampling temperature");
  line.Option("--top-p", &options->top_p, "Nucleus sampling mass");
  line.Option("--max-tokens", &options->max_tokens,
              "Completion tokens at most; cut-off samples count as truncated");
  line.Option("--system-instruction", &options->system_instruction,
              "A system message before each prompt");
  line.Option("--reply-prefix", &options->reply_prefix, "Force each reply to begin with this");
  line.Option("--seed", &options->seed, "Each sample's seed and the choice orders derive from it");
  DeclareIsolation(line, &options->isolation);
  line.Option("--name", &options->name, "A name for the run");
  line.Option("--db,--output-path,-o", &options->database, "The results database");
  line.Flag("--dry-run", &options->dry_run,
            "Show the first prompts, counts and expected tokens; ask nothing");
  line.Flag("--json", &options->display.json, "Machine-readable results on stdout");
  line.Flag("--quiet,-q", &options->display.quiet, "No progress lines");
  line.Flag("--allow-partial", &options->display.allow_partial,
            "A labelled number, with bounds, over missing samples");
  line.Action([options] {
    const absl::StatusOr<int> status = Run(*options);
    return status.ok() ? *status : PrintError(status.status());
  });
}

}  // namespace

Command RunCommand() {
  Command command;
  command.name = "run";
  command.about = "Evaluate a model on tasks; every sample is stored as it lands";
  command.order = 10;
  command.declare = Declare;
  return command;
}

}  // namespace assay
