// One list of fields each way: a Reader that remembers its first error keeps them short.
#include "harness/manifest.h"

#include "harness/status.h"

namespace assay {
namespace {

Json Strings(const std::vector<std::string>& values) {
  Json json = Json::MakeArray();
  for (const std::string& value : values) json.Append(value);
  return json;
}

// Reads members of one object; a missing or null one leaves its target as it is.
class Reader {
 public:
  explicit Reader(const Json& json) : json_(json) {
    if (!json.is_object()) status_ = Wrong("", "an object", json);
  }

  void Read(std::string_view name, std::string* target) {
    const Json* value = Present(name);
    if (value == nullptr) return;
    if (!value->is_string()) return Fail(name, "a string", *value);
    *target = value->AsString();
  }
  template <typename T>
  void ReadInteger(std::string_view name, T* target) {
    const Json* value = Present(name);
    if (value == nullptr) return;
    if (!value->is_integer()) return Fail(name, "an integer", *value);
    *target = static_cast<T>(value->AsInteger());
  }
  void Read(std::string_view name, std::vector<std::string>* target) {
    const Json* value = Present(name);
    if (value == nullptr) return;
    if (!value->is_array()) return Fail(name, "a list of strings", *value);
    target->clear();
    for (const Json& element : value->AsArray()) {
      if (!element.is_string()) return Fail(name, "a list of strings", element);
      target->push_back(element.AsString());
    }
  }
  void Read(std::string_view name, Json* target) {
    const Json* value = Present(name);
    if (value != nullptr) *target = *value;
  }
  const Json* Present(std::string_view name) const {
    const Json* value = status_.ok() ? json_.Find(name) : nullptr;
    return value != nullptr && !value->is_null() ? value : nullptr;
  }
  void Fail(std::string_view name, std::string_view wanted, const Json& found) {
    if (status_.ok()) status_ = Wrong(name, wanted, found);
  }
  void Keep(const absl::Status& status) {
    if (status_.ok()) status_ = status;
  }
  const absl::Status& status() const { return status_; }

 private:
  static absl::Status Wrong(std::string_view name, std::string_view wanted, const Json& found) {
    return InvalidArgument("manifest field '%s': wanted %s, found %s", name, wanted,
                           KindName(found));
  }

  const Json& json_;
  absl::Status status_;
};

void ReadMessages(Reader& reader, Prompt* prompt) {
  const Json* messages = reader.Present("messages");
  if (messages == nullptr) return;
  if (!messages->is_array()) return reader.Fail("messages", "a list", *messages);
  prompt->messages.clear();
  for (const Json& json : messages->AsArray()) {
    Reader message(json);
    message.Read("role", &prompt->messages.emplace_back().role);
    message.Read("content", &prompt->messages.back().text);
    reader.Keep(message.status());
  }
}

void ReadOrder(Reader& reader, std::vector<int>* order) {
  const Json* list = reader.Present("choice_order");
  if (list == nullptr) return;
  if (!list->is_array()) return reader.Fail("choice_order", "a list of integers", *list);
  order->clear();
  for (const Json& place : list->AsArray()) {
    if (!place.is_integer()) return reader.Fail("choice_order", "a list of integers", place);
    order->push_back(static_cast<int>(place.AsInteger()));
  }
}

void ReadSessions(Reader& reader, std::vector<RunSession>* sessions) {
  const Json* list = reader.Present("sessions");
  if (list == nullptr) return;
  if (!list->is_array()) return reader.Fail("sessions", "a list", *list);
  sessions->clear();
  for (const Json& json : list->AsArray()) {
    RunSession& session = sessions->emplace_back();
    Reader member(json);
    member.Read("started", &session.started);
    member.Read("ended", &session.ended);
    member.Read("stopped_by", &session.stopped_by);
    member.Read("assay_version", &session.assay_version);
    member.Read("code_version", &session.code_version);
    member.Read("host", &session.host);
    member.Read("base_urls", &session.base_urls);
    reader.Keep(member.status());
  }
}

}  // namespace

Json SessionToJson(const RunSession& session) {
  return Json::MakeObject({{"started", session.started},
                           {"ended", session.ended},
                           {"stopped_by", session.stopped_by},
                           {"assay_version", session.assay_version},
                           {"code_version", session.code_version},
                           {"host", session.host},
                           {"base_urls", Strings(session.base_urls)}});
}

Json TaskManifestToJson(const TaskManifest& task) {
  return Json::MakeObject({{"name", task.name},
                           {"version", task.version},
                           {"task_hash", task.task_hash},
                           {"dataset_path", task.dataset_path},
                           {"dataset_sha256", task.dataset_sha256},
                           {"prompt_hash", task.prompt_hash},
                           {"extractor", task.extractor},
                           {"extract_options", task.extract_options},
                           {"grader", task.grader},
                           {"grader_version", task.grader_version},
                           {"grader_options", task.grader_options},
                           {"sampling", task.sampling},
                           {"samples_per_problem", task.samples_per_problem},
                           {"problems", task.problems},
                           {"metrics", Strings(task.metrics)},
                           {"definition", task.definition}});
}

Json RunManifestToJson(const RunManifest& manifest) {
  Json tasks = Json::MakeArray();
  for (const TaskManifest& task : manifest.tasks) tasks.Append(TaskManifestToJson(task));
  Json sessions = Json::MakeArray();
  for (const RunSession& session : manifest.sessions) sessions.Append(SessionToJson(session));
  return Json::MakeObject({{"id", manifest.id},
                           {"name", manifest.name},
                           {"backend", manifest.backend},
                           {"model", manifest.model},
                           {"model_hash", manifest.model_hash},
                           {"base_urls", Strings(manifest.base_urls)},
                           {"backend_options", manifest.backend_options},
                           // As text: 64 bits do not fit every reader's numbers.
                           {"seed", std::to_string(manifest.seed)},
                           {"assay_version", manifest.assay_version},
                           {"code_version", manifest.code_version},
                           {"host", manifest.host},
                           {"started", manifest.started},
                           {"options", manifest.options},
                           {"sessions", std::move(sessions)},
                           {"tasks", std::move(tasks)}});
}

absl::StatusOr<TaskManifest> TaskManifestFromJson(const Json& json) {
  TaskManifest task;
  Reader reader(json);
  reader.Read("name", &task.name);
  reader.Read("version", &task.version);
  reader.Read("task_hash", &task.task_hash);
  reader.Read("dataset_path", &task.dataset_path);
  reader.Read("dataset_sha256", &task.dataset_sha256);
  reader.Read("prompt_hash", &task.prompt_hash);
  reader.Read("extractor", &task.extractor);
  reader.Read("extract_options", &task.extract_options);
  reader.Read("grader", &task.grader);
  reader.ReadInteger("grader_version", &task.grader_version);
  reader.Read("grader_options", &task.grader_options);
  reader.Read("sampling", &task.sampling);
  reader.ReadInteger("samples_per_problem", &task.samples_per_problem);
  reader.ReadInteger("problems", &task.problems);
  reader.Read("metrics", &task.metrics);
  reader.Read("definition", &task.definition);
  RETURN_IF_ERROR(reader.status());
  return task;
}

absl::StatusOr<RunManifest> RunManifestFromJson(const Json& json) {
  RunManifest manifest;
  std::string seed;
  Reader reader(json);
  reader.Read("id", &manifest.id);
  reader.Read("name", &manifest.name);
  reader.Read("backend", &manifest.backend);
  reader.Read("model", &manifest.model);
  reader.Read("model_hash", &manifest.model_hash);
  reader.Read("base_urls", &manifest.base_urls);
  reader.Read("backend_options", &manifest.backend_options);
  reader.Read("seed", &seed);
  reader.Read("assay_version", &manifest.assay_version);
  reader.Read("code_version", &manifest.code_version);
  reader.Read("host", &manifest.host);
  reader.Read("started", &manifest.started);
  reader.Read("options", &manifest.options);
  ReadSessions(reader, &manifest.sessions);
  RETURN_IF_ERROR(reader.status());
  for (const char c : seed) {
    if (c < '0' || c > '9')
      return InvalidArgument("manifest field 'seed': '%s' is no number", seed);
    manifest.seed = manifest.seed * 10 + static_cast<uint64_t>(c - '0');
  }
  const Json* tasks = reader.Present("tasks");
  if (tasks == nullptr) return manifest;
  if (!tasks->is_array()) return InvalidArgument("manifest field 'tasks': wanted a list");
  for (const Json& task : tasks->AsArray()) {
    ASSIGN_OR_RETURN(manifest.tasks.emplace_back(), TaskManifestFromJson(task));
  }
  return manifest;
}

Json AskedToJson(const Problem& problem, const Prompt& prompt) {
  Json order = Json::MakeArray();
  for (const int place : problem.choice_order) order.Append(place);
  Json json = Json::MakeObject({{"reference", problem.reference},
                                {"choices", Strings(problem.choices)},
                                {"choice_order", std::move(order)},
                                {"tags", Strings(problem.tags)},
                                {"row", problem.row}});
  Json asked = PromptToJson(prompt);
  for (Json::Member& member : asked.AsMembers()) json.Set(member.first, std::move(member.second));
  return json;
}

absl::Status AskedFromJson(const Json& json, Problem* problem, Prompt* prompt) {
  Reader reader(json);
  reader.Read("reference", &problem->reference);
  reader.Read("choices", &problem->choices);
  ReadOrder(reader, &problem->choice_order);
  reader.Read("tags", &problem->tags);
  reader.Read("row", &problem->row);
  ReadMessages(reader, prompt);
  reader.Read("reply_prefix", &prompt->reply_prefix);
  reader.Read("continuations", &prompt->continuations);
  return reader.status();
}

}  // namespace assay
