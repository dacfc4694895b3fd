// Finding task files and suites, reading them strictly, and applying what the command line changes.
#include "harness/task.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <tuple>

#include "harness/build_info.h"
#include "harness/compress.h"
#include "harness/hash.h"
#include "harness/recipe.h"
#include "harness/registry.h"
#include "harness/status.h"
#include "harness/task_spec.h"
#include "harness/text.h"
#include "harness/yaml.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxSuiteDepth = 16;

bool IsFile(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}
bool IsDirectory(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

bool IsTaskFileName(const fs::path& path) {
  return path.extension() == ".yaml" || path.extension() == ".yml";
}

// The YAML files below a directory, by stem; sorted, so that every machine finds the same.
std::vector<fs::path> TaskFilesBelow(const std::string& directory) {
  std::vector<fs::path> files;
  std::error_code error;
  const auto options = fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator at(directory, options, error), end; !error && at != end;
       at.increment(error)) {
    const fs::path& path = at->path();
    if (path.filename().string().starts_with('.')) {
      if (IsDirectory(path)) at.disable_recursion_pending();
    } else if (IsTaskFileName(path) && IsFile(path)) {
      files.push_back(path);
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

absl::StatusOr<YamlNode> ReadYamlFile(const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> source, OpenByteSource(path, 16 << 20));
  ASSIGN_OR_RETURN(const std::string text, ReadAll(*source));
  return ParseYaml(text, path);
}

bool IsSuite(const YamlNode& root) { return root.is_map() && root.Find("suite") != nullptr; }

// Sorted members and no spellings of numbers: equal definitions have equal texts.
Json Canonical(const Json& json) {
  if (json.is_number() && !json.is_integer()) return Json(json.AsNumber());
  if (json.is_array()) {
    Json list = Json::MakeArray();
    for (const Json& item : json.AsArray()) list.Append(Canonical(item));
    return list;
  }
  if (!json.is_object()) return json;
  Json object = Json::MakeObject();
  for (const auto& [name, value] : json.AsMembers()) {
    object.AsMembers().emplace_back(name, Canonical(value));
  }
  std::sort(object.AsMembers().begin(), object.AsMembers().end(),
            [](const Json::Member& a, const Json::Member& b) { return a.first < b.first; });
  return object;
}

// What describes a task to people changes no number.
std::string DefinitionHash(const Json& definition) {
  Json counted = Json::MakeObject();
  for (const auto& [name, value] : definition.AsMembers()) {
    const bool described =
        name == "about" || name == "card" || name == "tags" || name == "reference_results";
    // A version is a text, whatever number it looks like: 1.10 is not 1.1.
    const bool spelled = name == "version" && Canonical(value).ToText() != value.ToText();
    if (!described) counted.Set(name, spelled ? Json(value.ToText()) : value);
  }
  return Sha256Hex(Canonical(counted).Dump());
}

absl::Status ApplyFewShot(int count, const std::string& file, Json* definition) {
  if (count < 0) return InvalidArgument("--num-fewshot: expected 0 or more, found %d", count);
  Json* fewshot = definition->Find("fewshot");
  if (fewshot != nullptr) {
    fewshot->Set("count", count);
  } else if (count > 0) {
    return InvalidArgument(
        "%s: this task has no few-shot examples to draw %d from: give it the key `fewshot` (see "
        "tasks/README.md)",
        file, count);
  }
  return absl::OkStatus();
}

// A window is one more condition of the filter, so that what it is is part of the task's hash.
absl::Status ApplyWindow(const TaskOverrides& overrides, const std::string& file, Json* dataset) {
  if (overrides.release) {
    if (dataset->Find("parts") == nullptr)
      return InvalidArgument("%s: --release: the dataset has no parts", file);
    dataset->Set("release", *overrides.release);
  }
  if (!overrides.since && !overrides.until) return absl::OkStatus();
  const std::optional<std::string> date = dataset->FindString("date");
  if (!date) {
    return InvalidArgument(
        "%s: --since and --until: the task does not say which field of a row is "
        "its date (dataset.date)",
        file);
  }
  Json window = Json::MakeObject();
  const std::tuple<const char*, const char*, const std::optional<std::string>*> ends[] = {
      {"from", "--since", &overrides.since}, {"until", "--until", &overrides.until}};
  for (const auto& [name, flag, value] : ends) {
    if (!*value) continue;
    if (!IsDate(**value))
      return InvalidArgument("%s: expected a date as YYYY-MM-DD (2024-08-01), found '%s'", flag,
                             **value);
    window.Set(name, **value);
  }
  if (overrides.since && overrides.until && *overrides.since >= *overrides.until) {
    return InvalidArgument("--since %s is not before --until %s: no problem is of that time",
                           *overrides.since, *overrides.until);
  }
  if (dataset->Find("filter") == nullptr) dataset->Set("filter", Json::MakeObject());
  dataset->Find("filter")->Set(*date, std::move(window));
  return absl::OkStatus();
}

absl::Status ApplyOverrides(const TaskOverrides& overrides, const std::string& file,
                            Json* definition) {
  if (overrides.num_fewshot) {
    RETURN_IF_ERROR(ApplyFewShot(*overrides.num_fewshot, file, definition));
  }
  if (overrides.system_instruction) definition->Set("system", *overrides.system_instruction);
  if (overrides.reply_prefix) definition->Set("reply_prefix", *overrides.reply_prefix);
  if (overrides.samples) {
    if (*overrides.samples < 1) {
      return InvalidArgument("samples: expected 1 or more, found %d", *overrides.samples);
    }
    definition->Set("samples", *overrides.samples);
  }
  if (!overrides.metrics.empty()) {
    Json metrics = Json::MakeArray();
    for (const std::string& metric : overrides.metrics) {
      RETURN_IF_ERROR(Annotate(FindMetric(metric).status(), "--metrics"));
      metrics.Append(metric);
    }
    definition->Set("metrics", std::move(metrics));
  }
  RETURN_IF_ERROR(MergeSampling(overrides.sampling, "sampling", TextNumbers::kRead,
                                definition->Find("sampling")));
  if (overrides.dataset_file) {
    Json* dataset = definition->Find("dataset");
    dataset->Set("file", *overrides.dataset_file);
    // The fingerprint is of the file that the task names.
    std::erase_if(dataset->AsMembers(), [](const Json::Member& member) {
      return member.first == "sha256" || member.first == "parts";
    });
  }
  return ApplyWindow(overrides, file, definition->Find("dataset"));
}

void ReadPlug(const Json& plug, std::string* name, Json* options) {
  *name = plug.is_string() ? plug.AsString() : plug.FindString("name").value_or("");
  if (const Json* given = plug.Find("options")) *options = *given;
}

// `definition` is valid.
Task TaskFromDefinition(Json definition, const std::string& path) {
  const auto text = [&](std::string_view name) {
    const Json* found = definition.Find(name);
    return found == nullptr ? std::string() : found->ToText();
  };
  Task task;
  task.path = path;
  task.name = text("name");
  task.version = text("version");
  task.about = text("about");
  if (const Json* card = definition.Find("card")) task.card = *card;
  task.dataset = DatasetFromJson(*definition.Find("dataset"));
  ReadPlug(*definition.Find("extract"), &task.extractor, &task.extract_options);
  ReadPlug(*definition.Find("grader"), &task.grader, &task.grader_options);
  task.samples = static_cast<int>(definition.FindInteger("samples").value_or(1));
  task.sampling = SamplingFromJson(*definition.Find("sampling"));
  for (const Json& metric : definition.Find("metrics")->AsArray()) {
    task.metrics.push_back(metric.AsString());
  }
  task.hash = DefinitionHash(definition);
  task.definition = std::move(definition);
  return task;
}

// Sampling under its canonical names, and defaults written out: two ways to say the same have one
// hash.
absl::Status Normalize(Json* definition, const std::string& file) {
  Json sampling = Json::MakeObject();
  if (const Json* given = definition->Find("sampling")) {
    RETURN_IF_ERROR(MergeSampling(*given, file + ": sampling", TextNumbers::kRefuse, &sampling));
  }
  definition->Set("sampling", std::move(sampling));
  if (definition->Find("samples") == nullptr) definition->Set("samples", 1);
  if (definition->Find("metrics") == nullptr) {
    definition->Set("metrics", Json(Json::Array{Json("pass@1")}));
  }
  return absl::OkStatus();
}

absl::StatusOr<Task> TaskFromYaml(const YamlNode& root, const std::string& path,
                                  const std::vector<TaskOverrides>& overrides) {
  RETURN_IF_ERROR(ValidateTask(root, path));
  Json definition = YamlToJson(root);
  RETURN_IF_ERROR(Normalize(&definition, path));
  for (const TaskOverrides& layer : overrides) {
    RETURN_IF_ERROR(ApplyOverrides(layer, path, &definition));
  }
  return TaskFromDefinition(std::move(definition), path);
}

std::vector<std::string> KnownNames(const SearchPath& path) {
  std::set<std::string> names;
  for (const std::string& directory : path.task_directories) {
    for (const fs::path& file : TaskFilesBelow(directory)) names.insert(file.stem().string());
  }
  return {names.begin(), names.end()};
}

// The file of that name; the first directory on the path that has it wins.
absl::StatusOr<std::string> FindTaskFile(const SearchPath& path, const std::string& name) {
  const bool is_path = IsTaskFileName(name) || name.find('/') != std::string::npos;
  if (is_path) {
    if (IsFile(name)) return name;
    return NotFound("%s: no such task file", name);
  }
  for (const std::string& directory : path.task_directories) {
    for (const fs::path& file : TaskFilesBelow(directory)) {
      if (file.stem() == name) return file.string();
    }
  }
  const std::vector<std::string> known = KnownNames(path);
  return NotFound("unknown task '%s'%s (looked for %s.yaml in: %s; `assay tasks list` shows all)",
                  name, DidYouMean(name, known), name,
                  path.task_directories.empty() ? "nowhere" : Join(path.task_directories, ", "));
}

// Tasks are found by file name: another name inside would be found by nobody.
absl::Status CheckNameIsStem(const YamlNode& root, const std::string& file, std::string_view key) {
  const YamlNode* name = root.Find(key);
  const std::string stem = fs::path(file).stem().string();
  if (name == nullptr || !name->is_scalar() || name->value.ToText() == stem) {
    return absl::OkStatus();  // absent or no text: the validator says so
  }
  return InvalidArgument("%s:%d: %s: expected the file's own name '%s', found '%s'", file,
                         name->line, key, stem, Shorten(name->value.ToText(), 60));
}

// One entry of a suite: a name, or a map of name and overrides.
struct SuiteEntry {
  std::string name;
  int line = 0;
  TaskOverrides overrides;
};

absl::Status SuiteError(const std::string& file, int line, std::string_view message) {
  return InvalidArgument("%s:%d: %s", file, line, message);
}

absl::StatusOr<TaskOverrides> OverridesFromYaml(const YamlNode& node, const std::string& file) {
  static const auto* known = new std::vector<std::string>{
      "name", "samples", "num_fewshot", "sampling", "system", "reply_prefix", "dataset_file"};
  TaskOverrides overrides;
  for (size_t i = 0; i < node.members.size(); ++i) {
    const std::string& name = node.members[i].name;
    const YamlNode& value = node.members[i].node;
    const int line = node.member_lines[i];
    const Json json = YamlToJson(value);
    const auto wanted = [&](std::string_view what) {
      return SuiteError(file, line,
                        absl::StrFormat("%s: expected %s, found %s", name, what, Describe(value)));
    };
    if (name == "samples" || name == "num_fewshot") {
      if (!json.is_integer() || json.AsInteger() < 0 || json.AsInteger() > 1'000'000) {
        return wanted("a whole number");
      }
      (name == "samples" ? overrides.samples : overrides.num_fewshot) =
          static_cast<int>(json.AsInteger());
    } else if (name == "sampling") {
      Json checked;
      RETURN_IF_ERROR(MergeSampling(json, absl::StrFormat("%s:%d: sampling", file, line),
                                    TextNumbers::kRefuse, &checked));
      overrides.sampling = json;
    } else if (name == "system" || name == "reply_prefix" || name == "dataset_file") {
      if (!json.is_string()) return wanted("text");
      (name == "system"         ? overrides.system_instruction
       : name == "reply_prefix" ? overrides.reply_prefix
                                : overrides.dataset_file) = json.AsString();
    } else if (name != "name") {
      return SuiteError(file, line,
                        absl::StrFormat("unknown key '%s'%s (known: %s)", Shorten(name, 60),
                                        DidYouMean(name, *known), Join(*known, ", ")));
    }
  }
  return overrides;
}

absl::StatusOr<std::vector<SuiteEntry>> ReadSuite(const YamlNode& root, const std::string& file) {
  const std::vector<std::string> known = {"suite", "about", "tasks", "protocol", "notes", "rows"};
  for (size_t i = 0; i < root.members.size(); ++i) {
    const auto& [name, value] = root.members[i];
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return SuiteError(file, root.member_lines[i],
                        absl::StrFormat("suite: unknown key '%s'%s (known: %s)", Shorten(name, 60),
                                        DidYouMean(name, known), Join(known, ", ")));
    }
    const bool is_text = name == "suite" || name == "about";
    if (is_text && !(value.is_scalar() && value.value.is_string())) {
      return SuiteError(file, value.line, name + ": expected text, found " + Describe(value));
    }
  }
  RETURN_IF_ERROR(ValidateRecipe(root, file));
  const YamlNode* tasks = root.Find("tasks");
  if (tasks == nullptr || !tasks->is_list() || tasks->items.empty()) {
    return SuiteError(file, tasks == nullptr ? root.line : tasks->line,
                      "tasks: expected a list of tasks");
  }
  std::vector<SuiteEntry> entries;
  for (const YamlNode& item : tasks->items) {
    const YamlNode* name = item.is_map() ? item.Find("name") : &item;
    if (name == nullptr || !name->is_scalar() || !name->value.is_string()) {
      return SuiteError(
          file, item.line,
          "tasks: expected a task's name, or a map with one, found " + Describe(item));
    }
    SuiteEntry entry{name->value.AsString(), item.line, {}};
    if (item.is_map()) {
      ASSIGN_OR_RETURN(entry.overrides, OverridesFromYaml(item, file));
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

// Walks suites; `open` are the files being read, for loops; `layers` the overrides from the
// outermost suite in.
class Loader {
 public:
  Loader(const SearchPath& path, const TaskOverrides& last) : path_(path), last_(last) {}

  absl::Status Load(const std::string& spec, std::vector<TaskOverrides> layers) {
    ASSIGN_OR_RETURN(const std::string file, FindTaskFile(path_, spec));
    ASSIGN_OR_RETURN(const YamlNode root, ReadYamlFile(file));
    if (IsSuite(root)) return LoadSuite(root, file, layers);
    RETURN_IF_ERROR(CheckNameIsStem(root, file, "name"));
    // The inner suite knows the task best, the outer one is asked for, the command line decides.
    std::reverse(layers.begin(), layers.end());
    layers.push_back(last_);
    ASSIGN_OR_RETURN(Task task, TaskFromYaml(root, file, layers));
    if (!names_.insert(task.name).second) {
      return InvalidArgument("the task '%s' is asked for twice", task.name);
    }
    tasks_.push_back(std::move(task));
    return absl::OkStatus();
  }

  std::vector<Task> Take() { return std::move(tasks_); }

 private:
  absl::Status LoadSuite(const YamlNode& root, const std::string& file,
                         const std::vector<TaskOverrides>& layers) {
    RETURN_IF_ERROR(CheckNameIsStem(root, file, "suite"));
    const std::string canonical = fs::weakly_canonical(file).string();
    if (std::find(open_.begin(), open_.end(), canonical) != open_.end()) {
      return InvalidArgument("%s: this suite holds itself: %s -> %s", file, Join(open_, " -> "),
                             canonical);
    }
    if (open_.size() >= kMaxSuiteDepth) return InvalidArgument("%s: suites nested too deep", file);
    ASSIGN_OR_RETURN(const std::vector<SuiteEntry> entries, ReadSuite(root, file));
    open_.push_back(canonical);
    for (const SuiteEntry& entry : entries) {
      std::vector<TaskOverrides> inner = layers;
      inner.push_back(entry.overrides);
      RETURN_IF_ERROR(
          Annotate(Load(entry.name, std::move(inner)), absl::StrFormat("%s:%d", file, entry.line)));
    }
    open_.pop_back();
    return absl::OkStatus();
  }

  const SearchPath& path_;
  const TaskOverrides& last_;
  std::vector<std::string> open_;
  std::set<std::string> names_;
  std::vector<Task> tasks_;
};

void AppendIfDirectory(const fs::path& directory, std::vector<std::string>* list) {
  std::error_code ignored;
  if (!IsDirectory(directory)) return;
  std::string canonical = fs::weakly_canonical(directory, ignored).string();
  if (canonical.empty()) canonical = directory.string();
  if (std::find(list->begin(), list->end(), canonical) == list->end()) {
    list->push_back(std::move(canonical));
  }
}

fs::path ProgramDirectory() {
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored).parent_path();
}

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

SearchPath DefaultSearchPath(const std::vector<std::string>& include_paths,
                             const std::vector<std::string>& data_dirs) {
  SearchPath path;
  // Given by the user: kept as given, also where absent, so that messages show it.
  path.task_directories = include_paths;
  path.data_directories = data_dirs;
  const std::string data = Environment("ASSAY_DATA");  // outlives the views into it
  for (const std::string_view directory : Split(data, ':')) {
    if (!directory.empty()) path.data_directories.emplace_back(directory);
  }
  const std::string xdg = Environment("XDG_DATA_HOME"), home = Environment("HOME");
  if (!xdg.empty()) AppendIfDirectory(fs::path(xdg) / "assay" / "datasets", &path.data_directories);
  if (xdg.empty() && !home.empty()) {
    AppendIfDirectory(fs::path(home) / ".local/share/assay/datasets", &path.data_directories);
  }
  // The shipped folders: installed beside the program, or the checkout that it was built from.
  for (const fs::path& root :
       {ProgramDirectory() / "../share/assay", fs::path(SourceDirectory())}) {
    AppendIfDirectory(root / "tasks", &path.task_directories);
    AppendIfDirectory(root / "datasets", &path.data_directories);
  }
  return path;
}

namespace {

absl::StatusOr<TaskListing> ListTask(const fs::path& file) {
  ASSIGN_OR_RETURN(const YamlNode root, ReadYamlFile(file.string()));
  TaskListing listing;
  listing.path = file.string();
  listing.is_suite = IsSuite(root);
  const char* key = listing.is_suite ? "suite" : "name";
  RETURN_IF_ERROR(CheckNameIsStem(root, listing.path, key));
  if (listing.is_suite) {
    RETURN_IF_ERROR(ReadSuite(root, listing.path).status());
  } else {
    RETURN_IF_ERROR(ValidateTask(root, listing.path));
  }
  listing.name = file.stem().string();
  if (const YamlNode* about = root.Find("about")) listing.about = about->value.ToText();
  return listing;
}

// A misspelt directory would let a task of the same name be found further on.
absl::Status CheckDirectory(const std::string& directory) {
  if (IsDirectory(directory)) return absl::OkStatus();
  return NotFound("--include-path: the directory '%s' is not there", directory);
}

}  // namespace

absl::StatusOr<std::vector<TaskListing>> ListTasks(const SearchPath& path,
                                                   std::vector<absl::Status>* broken) {
  const auto pass_over = [broken](const absl::Status& status) {
    if (broken == nullptr || status.ok()) return status;
    broken->push_back(status);
    return absl::OkStatus();
  };
  std::map<std::string, TaskListing> listings;
  std::set<std::string> seen;
  for (const std::string& directory : path.task_directories) {
    RETURN_IF_ERROR(pass_over(CheckDirectory(directory)));
    for (const fs::path& file : TaskFilesBelow(directory)) {
      // Hidden by an earlier directory, also by a broken file there.
      if (!seen.insert(file.stem().string()).second) continue;
      absl::StatusOr<TaskListing> listing = ListTask(file);
      RETURN_IF_ERROR(pass_over(listing.status()));
      if (listing.ok()) listings[file.stem().string()] = *std::move(listing);
    }
  }
  std::vector<TaskListing> sorted;
  for (auto& [name, listing] : listings) sorted.push_back(std::move(listing));
  return sorted;
}

absl::StatusOr<std::vector<Task>> LoadTasks(const SearchPath& path, std::string_view spec,
                                            const TaskOverrides& overrides) {
  for (const std::string& directory : path.task_directories) {
    RETURN_IF_ERROR(CheckDirectory(directory));
  }
  Loader loader(path, overrides);
  RETURN_IF_ERROR(loader.Load(std::string(spec), {}));
  return loader.Take();
}

absl::StatusOr<Task> TaskFromText(std::string_view yaml, const std::string& path) {
  ASSIGN_OR_RETURN(const YamlNode root, ParseYaml(yaml, path));
  return TaskFromYaml(root, path, {});
}

}  // namespace assay
