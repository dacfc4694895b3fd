// `assay doctor`: is this machine, this build, this endpoint fit for a run?
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <thread>

#include "absl/strings/str_format.h"
#include "commands/shared/run_execution.h"
#include "commands/shared/run_request.h"
#include "harness/build_info.h"
#include "harness/command.h"
#include "harness/extract.h"
#include "harness/registry.h"
#include "harness/status.h"
#include "harness/store.h"
#include "harness/task.h"
#include "harness/text.h"
#include "reports/terminal.h"
#include "sandbox/language.h"

namespace assay {
namespace {

struct Options {
  std::string model;
  std::string backend;
  std::vector<std::string> base_urls;
  std::string model_args;
  std::string device;
  std::string api_key_env;
  std::vector<std::string> include_paths;
  std::vector<std::string> data_dirs;
  std::string database = DefaultDatabase();
  bool json = false;
};

// What was found about one thing. A problem makes doctor end with status 1; a caution does not.
enum class Health { kFine, kCaution, kProblem };
struct Finding {
  std::string topic;  // "build", "disk"
  Health health = Health::kFine;
  std::string text;
};

std::string_view HealthName(Health health) {
  if (health == Health::kFine) return "ok";
  return health == Health::kCaution ? "caution" : "problem";
}

// The first line of a file of /proc or /sys; "" where it cannot be read.
std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// An error for people: its lines stay lines.
std::string Told(const absl::Status& status) {
  return std::string(TrimRight(SafeLines(std::string(status.message()))));
}

// --- the build ---

std::string Instrumentation() {
#if defined(ASSAY_SANITIZE_ADDRESS)
  return ", address sanitizer (slow)";
#elif defined(ASSAY_SANITIZE_THREAD)
  return ", thread sanitizer (slow)";
#else
  return "";
#endif
}

// Names of the shared libraries that are loaded now: their versions stand in the names.
std::set<std::string> LoadedLibraries() {
  std::set<std::string> names;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const size_t slash = line.rfind('/');
    if (slash == std::string::npos || !Contains(line, ".so")) continue;
    std::error_code ignored;
    const std::filesystem::path file = line.substr(line.find('/'));
    const std::filesystem::path real = std::filesystem::canonical(file, ignored);
    names.insert((ignored ? file : real).filename().string());
  }
  return names;
}

void CheckBuild(std::vector<Finding>* findings) {
  const std::string code = CodeVersion();
  findings->push_back({"build", Instrumentation().empty() ? Health::kFine : Health::kCaution,
                       absl::StrFormat("assay %s, code %s, %s%s, GCC %s", AssayVersion(),
                                       code.empty() ? "unknown" : code, BuildType(),
                                       Instrumentation(), __VERSION__)});
  std::vector<std::string> known;
  for (const std::string& name : LoadedLibraries()) {
    for (const std::string_view ours :
         {"libsqlite3", "libcurl", "libzstd", "libyaml-cpp", "libgmp.", "libre2", "libcrypto"}) {
      if (name.starts_with(ours)) known.push_back(name);
    }
  }
  findings->push_back({"libraries", Health::kFine, Join(known, ", ")});
  findings->push_back(
      {"plugs", Health::kFine,
       absl::StrFormat("%d graders, %d backends, %d metrics, %d extractors", GraderEntries().size(),
                       BackendEntries().size(), MetricEntries().size(), Extractors().size())});
}

// --- the machine ---

void CheckMachine(std::vector<Finding>* findings) {
  const auto pages = static_cast<double>(sysconf(_SC_PHYS_PAGES));
  const double gigabytes = pages * static_cast<double>(sysconf(_SC_PAGE_SIZE)) / 1e9;
  findings->push_back(
      {"machine", Health::kFine,
       absl::StrFormat("%d cores, %.1f GB of memory, load %s", std::thread::hardware_concurrency(),
                       gigabytes, FirstLine("/proc/loadavg"))});
}

void CheckGpu(std::vector<Finding>* findings) {
  std::error_code ignored;
  std::vector<std::string> models;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/driver/nvidia/gpus", ignored)) {
    const std::string line = FirstLine((entry.path() / "information").string());
    models.emplace_back(
        Trim(std::string_view(line).substr(std::min(line.find(':') + 1, line.size()))));
  }
  findings->push_back(
      {"GPU", Health::kFine,
       models.empty() ? "none (none is needed to ask an endpoint)"
                      : absl::StrFormat("%d: %s", models.size(), Printable(Join(models, ", ")))});
}

// --- the sandbox ---

// Tries the installed languages' own small programs; "" or what is wrong.
std::string TryLanguage(Runner& runner, const Language& language) {
  const absl::StatusOr<Prepared> program = runner.Prepare(language, language.probe_source);
  if (!program.ok()) return std::string(program.status().message());
  if (!program->ready) return program->failure.why;
  const absl::StatusOr<ProgramEnd> end = runner.Run(*program, "", {.memory_bytes = 512 << 20});
  if (!end.ok()) return std::string(end.status().message());
  return end->run.standard_output == language.probe_output
             ? ""
             : absl::StrFormat("%s %s", RunVerdictName(end->verdict), end->why);
}

void CheckLanguages(Runner& runner, std::vector<Finding>* findings) {
  std::vector<std::string> offered, missing;
  for (const Language& language : Languages()) {
    if (!IsInstalled(language)) {
      missing.push_back(language.name);
      continue;
    }
    const std::string wrong = TryLanguage(runner, language);
    if (wrong.empty()) offered.push_back(language.name);
    if (!wrong.empty())
      findings->push_back(
          {"languages", Health::kCaution,
           absl::StrFormat("%s does not work: %s", language.name, Printable(Shorten(wrong, 200)))});
  }
  findings->push_back(
      {"languages", Health::kFine,
       absl::StrFormat("%s%s%s", offered.empty() ? "none" : Join(offered, ", "),
                       missing.empty() ? "" : "; not installed: ", Join(missing, ", "))});
}

std::string MemoryMeans(const Sandbox& sandbox) {
  if (sandbox.memory_means() == "cgroup") return "memory held by cgroups";
  return absl::StrFormat("memory polled every 10 ms (no cgroup: %s)",
                         Printable(Shorten(sandbox.why_poll(), 200)));
}

// A caution where it is not possible: only code tasks need it, and they refuse by themselves.
void CheckSandbox(std::vector<Finding>* findings) {
  const absl::StatusOr<std::unique_ptr<Runner>> runner = Runner::Start({});
  if (!runner.ok()) {
    findings->push_back({"sandbox", Health::kCaution, Told(runner.status())});
    return;
  }
  const absl::StatusOr<std::vector<SandboxProbe>> probes = ProbeSandbox((*runner)->sandbox());
  const absl::Status status =
      probes.ok() ? CheckProbes(*probes, Isolation::kFull) : probes.status();
  findings->push_back({"sandbox", status.ok() ? Health::kFine : Health::kProblem,
                       status.ok()
                           ? absl::StrFormat("full isolation; %d probes held; %s", probes->size(),
                                             MemoryMeans((*runner)->sandbox()))
                           : Told(status)});
  CheckLanguages(**runner, findings);
}

// --- the database ---

void CheckDisk(const std::string& database, std::vector<Finding>* findings) {
  std::error_code ignored;
  const std::string folder = std::filesystem::absolute(database, ignored).parent_path().string();
  struct statvfs space = {};
  if (statvfs(folder.c_str(), &space) != 0) {
    findings->push_back({"disk", Health::kProblem, Printable(folder) + ": no such folder"});
    return;
  }
  const double gigabytes =
      static_cast<double>(space.f_bavail) * static_cast<double>(space.f_frsize) / 1e9;
  const bool writable = access(folder.c_str(), W_OK) == 0;
  const Health health = !writable || gigabytes < 0.1 ? Health::kProblem
                        : gigabytes < 5              ? Health::kCaution
                                                     : Health::kFine;
  findings->push_back({"disk", health,
                       absl::StrFormat("%.1f GB free in %s%s", gigabytes, Printable(folder),
                                       writable ? "" : ", which cannot be written to")});
}

void CheckDatabase(const std::string& database, std::vector<Finding>* findings) {
  std::error_code ignored;
  const std::string folder = std::filesystem::absolute(database, ignored).parent_path().string();
  if (!std::filesystem::is_directory(folder, ignored)) {
    findings->push_back({"database", Health::kProblem,
                         Printable(database) + ": cannot be made, its folder is not there"});
    return;
  }
  if (!std::filesystem::exists(database, ignored)) {
    findings->push_back({"database", Health::kFine,
                         Printable(database) + ": not there yet; the first run makes it"});
    return;
  }
  const auto runs = [&]() -> absl::StatusOr<std::vector<RunSummary>> {
    ASSIGN_OR_RETURN(const std::unique_ptr<Store> store,
                     Store::Open(database, StoreMode::kReadOnly));
    return store->ListRuns();
  }();
  findings->push_back(
      runs.ok() ? Finding{"database", Health::kFine,
                          absl::StrFormat("%s: %d runs", Printable(database), runs->size())}
                : Finding{"database", Health::kProblem, Told(runs.status())});
}

// --- keys: whether they are there, never what they are ---

void CheckKeys(const std::string& api_key_env, std::vector<Finding>* findings) {
  std::vector<std::string> names = {"OPENAI_API_KEY"};
  if (!api_key_env.empty() && api_key_env != names[0]) names.insert(names.begin(), api_key_env);
  for (const std::string& name : names) {
    const char* value = std::getenv(name.c_str());
    const bool set = value != nullptr && *value != '\0';
    const bool named = name == api_key_env;
    findings->push_back({"key", named && !set ? Health::kProblem : Health::kFine,
                         Printable(name) + (set ? " is set" : " is not set")});
  }
}

// --- tasks and data ---

void CheckTasks(const Options& options, std::vector<Finding>* findings) {
  const SearchPath path = DefaultSearchPath(options.include_paths, options.data_dirs);
  std::vector<absl::Status> broken;
  const absl::StatusOr<std::vector<TaskListing>> tasks = ListTasks(path, &broken);
  if (!tasks.ok()) broken.push_back(tasks.status());
  for (const absl::Status& one : broken) {
    findings->push_back({"tasks", Health::kProblem, Told(one)});
  }
  if (tasks.ok()) {
    findings->push_back({"tasks", tasks->empty() ? Health::kProblem : Health::kFine,
                         absl::StrFormat("%d tasks and suites in %s", tasks->size(),
                                         Printable(Join(path.task_directories, ", ")))});
  }
  for (const std::string& folder : path.data_directories) {
    const bool is_there = std::filesystem::is_directory(folder);
    findings->push_back({"data", Health::kFine,
                         Printable(folder) + (is_there ? ""
                                                       : ": not there (nothing is read "
                                                         "from it)")});
  }
}

// --- an endpoint ---

Finding Honours(const Json& server, std::string_view member, std::string_view good,
                std::string_view bad) {
  const std::optional<bool> told = server.FindBool(member);
  if (!told) return {"endpoint", Health::kCaution, std::string(member) + ": could not be told"};
  return {"endpoint", *told ? Health::kFine : Health::kCaution, std::string(*told ? good : bad)};
}

std::string ThinkingForm(const std::string& form) {
  if (form == "field") return "thinking comes in a field of its own";
  if (form == "tags") return "thinking comes in <think>...</think>";
  if (form == "close_only")
    return "thinking comes before </think>; the opening tag is the prompt's";
  return "no thinking was seen";
}

// What a backend found out by itself: {"findings": [{topic, health, text}]}.
void CopyFindings(const Json& told, std::vector<Finding>* findings) {
  for (const Json& finding : told.AsArray()) {
    const std::string health = finding.FindString("health").value_or("ok");
    findings->push_back({Printable(finding.FindString("topic").value_or("model")),
                         health == "ok"        ? Health::kFine
                         : health == "caution" ? Health::kCaution
                                               : Health::kProblem,
                         Printable(finding.FindString("text").value_or(""))});
  }
}

void DescribeServer(const Json& server, std::vector<Finding>* findings) {
  if (const Json* told = server.Find("findings"); told != nullptr && told->is_array()) {
    CopyFindings(*told, findings);
    return;
  }
  const std::string url = Printable(server.FindString("url").value_or("the endpoint"));
  const std::string error = Printable(server.FindString("error").value_or(""));
  if (!server.FindBool("reachable").value_or(false)) {
    findings->push_back({"endpoint", Health::kProblem, url + " cannot be used: " + error});
    return;
  }
  if (!error.empty()) {
    findings->push_back({"endpoint", Health::kProblem, url + ": " + error});
    return;
  }
  findings->push_back(
      {"endpoint", Health::kFine,
       absl::StrFormat("%s answers as %s in %.2f s", url,
                       Printable(server.FindString("served_model").value_or("an unnamed model")),
                       server.FindNumber("seconds").value_or(0))});
  if (!server.FindBool("model_listed").value_or(true)) {
    findings->push_back(
        {"endpoint", Health::kCaution, "the model is not among those that the server lists"});
  }
  findings->push_back(
      {"endpoint", Health::kFine, ThinkingForm(server.FindString("reasoning").value_or("none"))});
  findings->push_back(Honours(server, "usage", "reports token usage",
                              "reports no token usage: counts are estimated from the text"));
  findings->push_back(Honours(server, "streams", "streams replies",
                              "streams no replies: a stall is seen only at the total time limit"));
  findings->push_back(Honours(server, "honours_n", "honours n: samples share one request",
                              "ignores n: one request for each sample"));
  findings->push_back(Honours(server, "honours_seed", "honours seed",
                              "ignores seed: a second run draws other samples"));
  findings->push_back(Honours(server, "honours_stop", "honours stop", "ignores stop"));
  findings->push_back(Honours(server, "honours_max_tokens", "honours max_tokens",
                              "ignores max_tokens: nothing limits a reply's length"));
}

absl::StatusOr<Json> Probe(const Options& options) {
  RunRequest request;
  request.backend = options.backend;
  request.model = options.model;
  request.base_urls = options.base_urls;
  request.api_key_env = options.api_key_env;
  ASSIGN_OR_RETURN(request.model_args, ParseKeyValues("--model-args", options.model_args));
  RETURN_IF_ERROR(SetDevice(options.device, &request.model_args));
  RETURN_IF_ERROR(RefuseSecrets(request));
  ASSIGN_OR_RETURN(const Backend* backend, ChooseBackend(request));
  if (!backend->probe) return Json::MakeArray();
  return backend->probe(MakeBackendConfig(request));
}

void CheckEndpoint(const Options& options, std::vector<Finding>* findings) {
  if (options.model.empty() && options.base_urls.empty() && options.backend.empty()) return;
  const absl::StatusOr<Json> servers = Probe(options);
  if (!servers.ok()) {
    findings->push_back({options.base_urls.empty() ? "model" : "endpoint", Health::kProblem,
                         Told(servers.status())});
    return;
  }
  for (const Json& server : servers->AsArray()) DescribeServer(server, findings);
}

// --- the report ---

int Report(const std::vector<Finding>& findings, bool json) {
  bool healthy = true;
  const Terminal terminal = TerminalOf(stdout);
  Json list = Json::MakeArray();
  for (const Finding& finding : findings) {
    healthy &= finding.health != Health::kProblem;
    list.Append(Json::MakeObject({{"topic", finding.topic},
                                  {"health", HealthName(finding.health)},
                                  {"text", finding.text}}));
    if (json) continue;
    const Ink ink = finding.health == Health::kFine      ? Ink::kGreen
                    : finding.health == Health::kCaution ? Ink::kYellow
                                                         : Ink::kRed;
    const std::string health = absl::StrFormat("%-8s", HealthName(finding.health));
    std::printf("%s %-10s %s\n", Paint(terminal, ink, health).c_str(), finding.topic.c_str(),
                ReplaceAll(finding.text, "\n", "\n" + std::string(20, ' ')).c_str());
  }
  if (json) {
    const Json report = Json::MakeObject({{"healthy", healthy}, {"findings", std::move(list)}});
    std::printf("%s\n", report.Dump(2).c_str());
  }
  return healthy ? 0 : 1;
}

int Doctor(const Options& options) {
  std::vector<Finding> findings;
  CheckBuild(&findings);
  CheckMachine(&findings);
  CheckGpu(&findings);
  CheckSandbox(&findings);
  CheckDisk(options.database, &findings);
  CheckDatabase(options.database, &findings);
  CheckKeys(options.api_key_env, &findings);
  CheckTasks(options, &findings);
  CheckEndpoint(options, &findings);
  return Report(findings, options.json);
}

}  // namespace

Command DoctorCommand() {
  Command command;
  command.name = "doctor";
  command.about =
      "Check the build, the machine, the tasks and, with --model or --base-url, a model";
  command.order = 110;
  command.declare = [](CommandLine& line) {
    auto options = std::make_shared<Options>();  // shared: lives as long as the action
    line.Option("--model,-M", &options->model, "The model to ask for");
    line.Option("--backend", &options->backend, "The backend; told from --model if not given");
    line.Option("--base-url", &options->base_urls, "The endpoint, to /v1");
    line.Option("--model-args,-a", &options->model_args, "Options of the backend: key=value,...");
    line.Option("--device", &options->device,
                "auto, cuda, cpu or reference: where a checkpoint runs");
    line.Option("--api-key-env", &options->api_key_env,
                "The environment variable that holds the key");
    line.Option("--include-path", &options->include_paths, "Directories with further tasks");
    line.Option("--data-dir", &options->data_dirs, "Directories with dataset files");
    line.Option("--db", &options->database, "The results database");
    line.Flag("--json", &options->json, "Machine-readable stdout");
    line.Action([options] { return Doctor(*options); });
  };
  return command;
}

}  // namespace assay
