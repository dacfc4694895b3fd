// From flags to a plan, and to JSON and back.
#include "commands/shared/run_request.h"

#include <filesystem>
#include <set>

#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

Json Strings(const std::vector<std::string>& values) {
  Json array = Json::MakeArray();
  for (const std::string& value : values) array.Append(value);
  return array;
}

std::vector<std::string> StringsAt(const Json& json, std::string_view name) {
  std::vector<std::string> values;
  const Json* found = json.Find(name);
  if (found == nullptr || !found->is_array()) return values;
  for (const Json& value : found->AsArray()) values.push_back(value.ToText());
  return values;
}

// Relative paths would mean something else when the run is resumed from another directory.
std::string AbsoluteIfPath(const std::string& text) {
  const bool is_path = Contains(text, "/") || text.ends_with(".yaml") || text.ends_with(".yml");
  return is_path && std::filesystem::exists(text) ? std::filesystem::absolute(text).string() : text;
}

std::vector<std::string> AbsolutePaths(std::vector<std::string> paths) {
  for (std::string& path : paths) path = std::filesystem::absolute(path).string();
  return paths;
}

// A comma inside brackets or quotes does not separate.
std::vector<std::string> SplitTopLevel(std::string_view text) {
  std::vector<std::string> parts(1);
  int depth = 0;
  bool quoted = false;
  for (const char c : text) {
    if (c == '"') quoted = !quoted;
    if (!quoted && (c == '[' || c == '{')) ++depth;
    if (!quoted && (c == ']' || c == '}')) --depth;
    if (c == ',' && depth <= 0 && !quoted) {
      parts.emplace_back();
    } else {
      parts.back().push_back(c);
    }
  }
  return parts;
}

}  // namespace

absl::StatusOr<Json> ParseKeyValues(std::string_view flag, std::string_view text) {
  if (const std::string_view trimmed = Trim(text); trimmed.starts_with("{")) {
    ASSIGN_OR_RETURN(Json object, ParseJson(trimmed));
    return object;
  }
  Json values = Json::MakeObject();
  for (const std::string& part : SplitTopLevel(text)) {
    if (Trim(part).empty()) continue;
    const size_t equals = part.find('=');
    if (equals == std::string::npos) {
      return InvalidArgument("%s: expected key=value, found '%s'", flag, part);
    }
    const std::string key(Trim(std::string_view(part).substr(0, equals)));
    const std::string value(Trim(std::string_view(part).substr(equals + 1)));
    if (values.Find(key) != nullptr) return InvalidArgument("%s: '%s' is given twice", flag, key);
    if (value == "True" || value == "False") {  // as lm-evaluation-harness's users type them
      values.Set(key, value == "True");
      continue;
    }
    absl::StatusOr<Json> parsed = ParseJson(value);
    values.Set(key, parsed.ok() ? *std::move(parsed) : Json(value));
  }
  return values;
}

Json RunRequestToJson(const RunRequest& request) {
  Json json = Json::MakeObject();
  json.Set("backend", request.backend);
  json.Set("model", AbsoluteIfPath(request.model));
  json.Set("base_urls", Strings(request.base_urls));
  json.Set("model_args", request.model_args);
  json.Set("api_key_env", request.api_key_env);
  json.Set("max_connections", request.max_connections);
  std::vector<std::string> tasks;
  for (const std::string& task : request.tasks) tasks.push_back(AbsoluteIfPath(task));
  json.Set("tasks", Strings(tasks));
  json.Set("include_paths", Strings(AbsolutePaths(request.include_paths)));
  json.Set("data_dirs", Strings(AbsolutePaths(request.data_dirs)));
  json.Set("limit", request.limit);
  json.Set("seed", std::to_string(request.seed));  // text: JSON readers lose digits above 2^53
  if (!request.isolation.empty()) json.Set("isolation", request.isolation);
  const TaskOverrides& overrides = request.overrides;
  if (overrides.num_fewshot) json.Set("num_fewshot", *overrides.num_fewshot);
  if (overrides.system_instruction) json.Set("system_instruction", *overrides.system_instruction);
  if (overrides.samples) json.Set("samples", *overrides.samples);
  if (!overrides.metrics.empty()) json.Set("metrics", Strings(overrides.metrics));
  if (overrides.reply_prefix) json.Set("reply_prefix", *overrides.reply_prefix);
  if (overrides.dataset_file) {
    json.Set("dataset_file", std::filesystem::absolute(*overrides.dataset_file).string());
  }
  if (overrides.release) json.Set("release", *overrides.release);
  if (overrides.since) json.Set("since", *overrides.since);
  if (overrides.until) json.Set("until", *overrides.until);
  if (overrides.sampling.is_object()) json.Set("sampling", overrides.sampling);
  return json;
}

absl::StatusOr<RunRequest> RunRequestFromJson(const Json& json) {
  if (!json.is_object() || json.Find("tasks") == nullptr) {
    return FailedPrecondition(
        "the run's manifest holds no request (it was imported, not run), so there is nothing to "
        "ask for again");
  }
  RunRequest request;
  request.backend = json.FindString("backend").value_or("");
  request.model = json.FindString("model").value_or("");
  request.base_urls = StringsAt(json, "base_urls");
  if (const Json* arguments = json.Find("model_args")) request.model_args = *arguments;
  request.api_key_env = json.FindString("api_key_env").value_or("");
  request.max_connections = static_cast<int>(json.FindInteger("max_connections").value_or(0));
  request.tasks = StringsAt(json, "tasks");
  request.include_paths = StringsAt(json, "include_paths");
  request.data_dirs = StringsAt(json, "data_dirs");
  request.limit = json.FindNumber("limit").value_or(0);
  const std::string seed = json.FindString("seed").value_or("0");
  request.seed = std::strtoull(seed.c_str(), nullptr, 10);
  request.isolation = json.FindString("isolation").value_or("");
  TaskOverrides& overrides = request.overrides;
  if (const auto value = json.FindInteger("num_fewshot"))
    overrides.num_fewshot = static_cast<int>(*value);
  overrides.system_instruction = json.FindString("system_instruction");
  if (const auto value = json.FindInteger("samples")) overrides.samples = static_cast<int>(*value);
  overrides.metrics = StringsAt(json, "metrics");
  overrides.reply_prefix = json.FindString("reply_prefix");
  overrides.dataset_file = json.FindString("dataset_file");
  overrides.release = json.FindString("release");
  overrides.since = json.FindString("since");
  overrides.until = json.FindString("until");
  if (const Json* sampling = json.Find("sampling")) overrides.sampling = *sampling;
  return request;
}

namespace {

// By which names keys go, in options and in addresses.
bool NamesSecret(std::string_view name) {
  static const std::set<std::string, std::less<>> kSecrets = {
      "api_key", "api-key",  "apikey", "key", "token", "access_token", "auth_token",   "header",
      "headers", "password", "secret", "sig", "code",  "signature",    "authorization"};
  return kSecrets.contains(ToLowerAscii(name));
}

// The first parameter of an address's query that is named like a key, or nothing.
std::string_view SecretParameter(std::string_view url) {
  const size_t question = url.find('?');
  if (question == url.npos) return "";
  for (const std::string_view parameter : Split(url.substr(question + 1), '&')) {
    const std::string_view name = parameter.substr(0, parameter.find('='));
    if (NamesSecret(name)) return name;
  }
  return "";
}

}  // namespace

absl::Status RefuseSecrets(const RunRequest& request) {
  for (const std::string& url : request.base_urls) {
    if (const std::string_view name = SecretParameter(url); !name.empty()) {
      return InvalidArgument(
          "--base-url: '%s' in the address would end up in the database; set OPENAI_BASE_URL to "
          "the whole address (it is asked as it stands, and stored without what follows '?')",
          name);
    }
    const size_t scheme = url.find("://");
    const size_t host = scheme == std::string::npos ? 0 : scheme + 3;
    const size_t at = url.find('@', host);
    if (at != std::string::npos && at < url.find('/', host)) {
      return InvalidArgument(
          "--base-url: credentials in the address would end up in the database; set "
          "OPENAI_API_KEY, or name another "
          "variable with --api-key-env");
    }
  }
  if (!request.model_args.is_object()) {
    return InvalidArgument("--model-args: expected key=value pairs, found %s",
                           KindName(request.model_args));
  }
  for (const Json::Member& member : request.model_args.AsMembers()) {
    if (!NamesSecret(member.first)) continue;
    return InvalidArgument(
        "--model-args: '%s' would end up in the database; set OPENAI_API_KEY, or name another "
        "variable with "
        "--api-key-env",
        member.first);
  }
  return absl::OkStatus();
}

BackendConfig MakeBackendConfig(const RunRequest& request) {
  BackendConfig config;
  config.model = request.model;
  config.base_urls = request.base_urls;
  config.options = request.model_args;
  config.api_key_env = request.api_key_env;
  config.max_connections = request.max_connections;
  return config;
}

absl::StatusOr<const Backend*> ChooseBackend(const RunRequest& request) {
  if (!request.backend.empty()) return FindBackend(request.backend);
  const BackendConfig config = MakeBackendConfig(request);
  std::string about;
  for (const Backend& backend : BackendEntries()) {
    if (backend.claims(config)) return &backend;
    about += absl::StrFormat("\n  %s: %s", backend.name, backend.about);
  }
  return InvalidArgument(
      "--model '%s': no backend knows what to do with it; name one with --backend:%s",
      request.model, about);
}

absl::StatusOr<RunPlan> MakeRunPlan(const RunRequest& request) {
  RunPlan plan;
  plan.search = DefaultSearchPath(request.include_paths, request.data_dirs);
  plan.seed = request.seed;
  plan.limit = request.limit;
  std::set<std::string> names;
  for (const std::string& spec : request.tasks) {
    ASSIGN_OR_RETURN(std::vector<Task> tasks, LoadTasks(plan.search, spec, request.overrides));
    for (Task& task : tasks) {
      if (!names.insert(task.name).second)
        return InvalidArgument("--tasks: '%s' is named twice", task.name);
      plan.tasks.push_back(std::move(task));
    }
  }
  if (plan.tasks.empty())
    return InvalidArgument("--tasks: name at least one task (see `assay tasks list`)");
  return plan;
}

absl::Status SetDevice(const std::string& device, Json* model_args) {
  if (device.empty()) return absl::OkStatus();
  const std::string other = model_args->FindString("device").value_or(device);
  if (other != device) {
    return InvalidArgument("--device says '%s' and --model-args says device='%s': name one", device,
                           other);
  }
  model_args->Set("device", device);
  return absl::OkStatus();
}

}  // namespace assay
