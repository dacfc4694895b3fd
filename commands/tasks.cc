// `assay tasks`: what there is to run, what a task says, whether it is sound, and what it sends.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>

#include "harness/backend.h"
#include "harness/catalogue.h"
#include "harness/command.h"
#include "harness/keys.h"
#include "harness/recipe.h"
#include "harness/reference_results.h"
#include "harness/registry.h"
#include "harness/rows.h"
#include "harness/status.h"
#include "harness/task.h"
#include "harness/text.h"
#include "harness/types.h"
#include "harness/yaml.h"
#include "reports/table.h"

namespace assay {
namespace {

// Flags that every sub-command shares.
struct Common {
  std::vector<std::string> include_paths;
  std::vector<std::string> data_dirs;
  bool json = false;
  uint64_t seed = 0;

  SearchPath Path() const { return DefaultSearchPath(include_paths, data_dirs); }
};

struct Changes {
  std::optional<int> num_fewshot;
  std::optional<int> samples;
  std::optional<std::string> system_instruction;
  std::optional<std::string> reply_prefix;
  std::optional<std::string> dataset_file;

  TaskOverrides Overrides() const {
    return {num_fewshot, system_instruction, samples, {}, Json(), reply_prefix, dataset_file};
  }
};

void DeclareCommon(CommandLine& line, Common& common) {
  line.Option("--include-path", &common.include_paths, "directories with more task files");
  line.Option("--data-dir", &common.data_dirs, "directories with dataset files");
  line.Flag("--json", &common.json, "machine-readable output");
}

void DeclareChanges(CommandLine& line, Changes& changes) {
  line.Option("--num-fewshot,-f", &changes.num_fewshot, "few-shot examples to show");
  line.Option("--system-instruction", &changes.system_instruction, "system message to send");
  line.Option("--reply-prefix", &changes.reply_prefix, "what the reply is forced to begin with");
  line.Option("--dataset-file", &changes.dataset_file, "read this file instead of the task's");
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "assay tasks: %s\n", std::string(status.message()).c_str());
  return 1;
}

void Print(const Json& json) { std::cout << json.Dump(2) << "\n"; }

// --- list ---

std::string KindOf(const TaskListing& listing) {
  if (listing.is_suite) return "suite";
  return listing.path.empty() ? "row" : "task";
}

// What a task still lacks: "ready", or the command that gets its data.
std::string TaskState(const SearchPath& path, const std::vector<CatalogueEntry>& catalogue,
                      const Task& task) {
  const absl::StatusOr<std::vector<std::string>> missing = MissingDatasets(path, task);
  if (!missing.ok()) return "broken: " + std::string(missing.status().message());
  if (missing->empty()) return "ready";
  const std::string& file = missing->front();
  const auto entry = std::find_if(catalogue.begin(), catalogue.end(), [&](const auto& one) {
    return one.file == std::filesystem::path(file).filename();
  });
  return entry == catalogue.end() ? "needs data: " + file + " (in no catalogue)"
                                  : "needs data: " + HowToGet(*entry);
}

// The rows of recipes that no task measures yet.
std::vector<TaskListing> NotYet(const std::vector<Recipe>& recipes,
                                std::vector<std::string>* states) {
  std::vector<TaskListing> rows;
  for (const Recipe& recipe : recipes) {
    for (const RecipeRow& row : recipe.rows) {
      if (!row.task.empty()) continue;
      TaskListing listing;
      listing.name = row.benchmark;
      listing.about = absl::StrFormat("a row of %s's table (%s)", recipe.name, row.metric);
      rows.push_back(std::move(listing));
      states->push_back("needs " + row.needs + ": not yet");
    }
  }
  return rows;
}

// What cannot be read is told on stderr and makes the exit status 1; the others are listed.
int List(const Common& common) {
  SearchPath path = common.Path();
  std::vector<absl::Status> broken;
  absl::StatusOr<std::vector<TaskListing>> tasks = ListTasks(path, &broken);
  if (!tasks.ok()) return Fail(tasks.status());
  for (const absl::Status& one : broken) Fail(one);
  std::erase_if(path.task_directories, [](const std::string& directory) {
    std::error_code ignored;
    return !std::filesystem::is_directory(directory, ignored);
  });
  // A directory of one's own tasks has no catalogue; then files alone are looked for.
  const absl::StatusOr<std::vector<CatalogueEntry>> catalogue = LoadCatalogue(path);
  if (!catalogue.ok() && !absl::IsNotFound(catalogue.status())) return Fail(catalogue.status());
  std::vector<std::string> states;
  for (const TaskListing& task : *tasks) {
    if (task.is_suite) {
      states.emplace_back();
      continue;
    }
    const absl::StatusOr<std::vector<Task>> loaded = LoadTasks(path, task.path, {});
    if (!loaded.ok()) {
      states.push_back("broken: " + std::string(loaded.status().message()));
      broken.push_back(loaded.status());
      continue;
    }
    states.push_back(
        TaskState(path, catalogue.ok() ? *catalogue : std::vector<CatalogueEntry>(), (*loaded)[0]));
  }
  std::vector<absl::Status> told;
  const absl::StatusOr<std::vector<Recipe>> recipes = ListRecipes(path, &told);
  if (!recipes.ok()) return Fail(recipes.status());
  for (TaskListing& row : NotYet(*recipes, &states)) tasks->push_back(std::move(row));
  if (common.json) {
    Json list = Json::MakeArray();
    for (size_t i = 0; i < tasks->size(); ++i) {
      const TaskListing& task = (*tasks)[i];
      list.Append(Json::MakeObject({{"name", task.name},
                                    {"kind", KindOf(task)},
                                    {"state", states[i].empty() ? Json() : Json(states[i])},
                                    {"about", task.about},
                                    {"path", task.path.empty() ? Json() : Json(task.path)}}));
    }
    Print(list);
    return broken.empty() ? 0 : 1;
  }
  Table table{{{"name"}, {"kind"}, {"state"}, {"about"}}, {}};
  for (size_t i = 0; i < tasks->size(); ++i) {
    const TaskListing& task = (*tasks)[i];
    table.AddRow({task.name, KindOf(task), states[i], task.about});
  }
  std::cout << RenderTable(table, TableForm::kTerminal);
  return broken.empty() ? 0 : 1;
}

// --- show ---

Json TaskJson(const Task& task) {
  return Json::MakeObject({{"name", task.name},
                           {"version", task.version},
                           {"path", task.path},
                           {"hash", task.hash},
                           {"definition", task.definition}});
}

std::string PlugText(const std::string& name, const Json& options) {
  return options.is_null() ? name : name + " " + options.Dump();
}

void ShowTask(const Task& task) {
  const auto line = [](const char* name, const std::string& text) {
    if (!text.empty()) std::printf("%-12s %s\n", name, text.c_str());
  };
  std::printf("%s %s\n", task.name.c_str(), task.version.c_str());
  line("about", task.about);
  line("file", task.path);
  line("hash", task.hash);
  for (const char* entry : {"source", "licence", "size", "citation", "prompt", "notes"}) {
    const Json* value = task.card.Find(entry);
    if (value != nullptr) line(entry, value->ToText());
  }
  line("dataset", task.dataset.file);
  line("sha256", task.dataset.sha256.empty() ? "not pinned" : task.dataset.sha256);
  line("extract", PlugText(task.extractor, task.extract_options));
  line("grader", PlugText(task.grader, task.grader_options));
  line("samples", absl::StrFormat("%d of each problem", task.samples));
  line("sampling", SamplingToJson(task.sampling).Dump());
  line("metrics", Join(task.metrics, ", "));
  const std::vector<ReferenceResult> published = ReferenceResultsOf(task.definition);
  for (const ReferenceResult& result : published) {
    line("published", absl::StrFormat("%s, %s %s (%s)", result.model, result.metric,
                                      Json(result.value).ToText(), result.source));
  }
}

int Show(const Common& common, const Changes& changes, const std::string& name) {
  const absl::StatusOr<std::vector<Task>> tasks =
      LoadTasks(common.Path(), name, changes.Overrides());
  if (!tasks.ok()) return Fail(tasks.status());
  Json list = Json::MakeArray();
  for (size_t i = 0; i < tasks->size(); ++i) {
    if (common.json) {
      list.Append(TaskJson((*tasks)[i]));
      continue;
    }
    if (i > 0) std::printf("\n");
    ShowTask((*tasks)[i]);
  }
  if (common.json) Print(list);
  return 0;
}

// --- check ---

std::string FindingText(const TaskFinding& finding) {
  std::string where;
  if (finding.line > 0) where += absl::StrFormat("line %d ", finding.line);
  if (!finding.problem_id.empty()) where += "(" + Shorten(finding.problem_id, 40) + ") ";
  return absl::StrFormat("  %s %s%s", finding.fatal ? "bad: " : "look:", where, finding.what);
}

Json CheckJson(const Task& task, const TaskCheck& check) {
  Json findings = Json::MakeArray();
  for (const TaskFinding& finding : check.findings) {
    findings.Append(Json::MakeObject({{"problem", finding.problem_id},
                                      {"line", finding.line},
                                      {"fatal", finding.fatal},
                                      {"what", finding.what}}));
  }
  return Json::MakeObject(
      {{"task", task.name},
       {"problems", check.problems},
       {"references_correct", check.references_correct},
       {"references_undecided", check.references_undecided},
       {"others_tried", check.others_tried},
       {"others_rejected", check.others_rejected},
       {"longest_prompt_bytes", static_cast<int64_t>(check.longest_prompt_bytes)},
       {"findings", std::move(findings)}});
}

int64_t Fatal(const TaskCheck& check) {
  int64_t count = 0;
  for (const TaskFinding& finding : check.findings) count += finding.fatal ? 1 : 0;
  return count;
}

void PrintCheck(const Task& task, const TaskCheck& check, int most) {
  const auto number = [](int64_t value) { return WithThousands(value); };
  std::printf(
      "%s: %s\n  %s problems; references graded correct: %s, undecided: %s; wrong answers "
      "rejected: "
      "%s of %s; longest prompt: %s bytes\n",
      task.name.c_str(), Fatal(check) == 0 ? "sound" : "NOT SOUND", number(check.problems).c_str(),
      number(check.references_correct).c_str(), number(check.references_undecided).c_str(),
      number(check.others_rejected).c_str(), number(check.others_tried).c_str(),
      number(static_cast<int64_t>(check.longest_prompt_bytes)).c_str());
  int shown = 0;
  for (const bool fatal : {true, false}) {
    for (const TaskFinding& finding : check.findings) {
      if (finding.fatal != fatal || shown >= most) continue;
      std::printf("%s\n", Printable(FindingText(finding)).c_str());
      ++shown;
    }
  }
  const int64_t rest = static_cast<int64_t>(check.findings.size()) - shown;
  if (rest > 0) std::printf("  and %s more (--all or --json shows them)\n", number(rest).c_str());
}

int Check(const Common& common, const Changes& changes, const std::string& name, int limit,
          bool all) {
  if (limit < 0) {
    return Fail(InvalidArgument("--limit: expected 0 (all) or more, found %d", limit));
  }
  const SearchPath path = common.Path();
  const absl::StatusOr<std::vector<Task>> tasks = LoadTasks(path, name, changes.Overrides());
  if (!tasks.ok()) return Fail(tasks.status());
  Json list = Json::MakeArray();
  bool sound = true;
  for (const Task& task : *tasks) {
    const absl::StatusOr<TaskCheck> check = CheckTask(path, task, common.seed, limit);
    if (!check.ok()) {
      sound = false;
      Fail(Annotate(check.status(), task.name));
      continue;
    }
    sound = sound && Fatal(*check) == 0;
    if (common.json) {
      list.Append(CheckJson(task, *check));
    } else {
      PrintCheck(task, *check, all ? INT32_MAX : 20);
    }
  }
  if (common.json) Print(list);
  return sound ? 0 : 1;
}

// --- preview ---

// What goes over the wire for the problem's first samples, byte for byte.
absl::StatusOr<std::string> RequestBody(const Task& task, const AskedProblem& asked,
                                        const std::string& model, uint64_t seed) {
  ASSIGN_OR_RETURN(const Backend* endpoint, FindBackend("endpoint"));
  CompletionRequest request{task.name, asked.problem.id, asked.prompt, task.sampling, {}};
  request.sampling.seed = seed;
  for (int i = 0; i < task.samples; ++i) {
    request.draws.push_back({i, SampleSeed(seed, task.name, asked.problem.id, i)});
  }
  BackendConfig config;
  config.model = model;
  return endpoint->request_body(config, request);
}

Json PreviewJson(const Task& task, const AskedProblem& asked, std::string body) {
  Json order = Json::MakeArray();
  for (const int position : asked.problem.choice_order) order.Append(position);
  Json tags = Json::MakeArray();
  for (const std::string& tag : asked.problem.tags) tags.Append(tag);
  return Json::MakeObject({{"task", task.name},
                           {"id", asked.problem.id},
                           {"line", asked.line},
                           {"reference", asked.problem.reference},
                           {"choice_order", std::move(order)},
                           {"tags", std::move(tags)},
                           {"prompt", PromptToJson(asked.prompt)},
                           {"request_body", std::move(body)}});
}

// Harmless on a terminal, line by line.
std::string PrintableLines(std::string_view text) {
  std::string lines;
  for (const std::string_view line : Split(text, '\n')) {
    if (!lines.empty() || line.data() != text.data()) lines += "\n";
    lines += Printable(line);
  }
  return lines;
}

void PrintPreview(const Task& task, const AskedProblem& asked) {
  std::printf("=== %s, problem %s (line %lld), reference: %s\n", task.name.c_str(),
              Printable(asked.problem.id).c_str(), static_cast<long long>(asked.line),
              Printable(asked.problem.reference).c_str());
  const auto message = [](const std::string& role, const std::string& text) {
    std::printf("--- %s, %s bytes\n%s\n", role.c_str(),
                WithThousands(static_cast<int64_t>(text.size())).c_str(),
                PrintableLines(text).c_str());
  };
  for (const Message& part : asked.prompt.messages) message(part.role, part.text);
  if (!asked.prompt.reply_prefix.empty()) message("the reply begins", asked.prompt.reply_prefix);
}

absl::Status PreviewTask(const Common& common, const Task& task, int limit,
                         const std::string& model, Json* list) {
  ASSIGN_OR_RETURN(std::unique_ptr<ProblemStream> stream,
                   OpenProblems(common.Path(), task, common.seed));
  for (int i = 0; limit <= 0 || i < limit; ++i) {
    ASSIGN_OR_RETURN(const std::optional<AskedProblem> asked, stream->Next());
    if (!asked) break;
    ASSIGN_OR_RETURN(std::string body, RequestBody(task, *asked, model, common.seed));
    if (common.json) {
      list->Append(PreviewJson(task, *asked, std::move(body)));
    } else {
      PrintPreview(task, *asked);
      std::printf("--- the request's body, %s bytes\n%s\n",
                  WithThousands(static_cast<int64_t>(body.size())).c_str(),
                  PrintableLines(body).c_str());
    }
  }
  return absl::OkStatus();
}

int Preview(const Common& common, const Changes& changes, const std::string& name, int limit,
            const std::string& model) {
  if (limit < 0) {
    return Fail(InvalidArgument("--limit: expected 0 (all) or more, found %d", limit));
  }
  const absl::StatusOr<std::vector<Task>> tasks =
      LoadTasks(common.Path(), name, changes.Overrides());
  if (!tasks.ok()) return Fail(tasks.status());
  Json list = Json::MakeArray();
  for (const Task& task : *tasks) {
    const absl::Status status = PreviewTask(common, task, limit, model, &list);
    if (!status.ok()) return Fail(status);
  }
  if (common.json) Print(list);
  return 0;
}

// --- new ---

// How a row of the data is read: what stands in the new file's `fields` and `prompt`.
struct NewFields {
  std::string id = "id";  // empty: the rows have none
  std::string question = "question";
  std::string answer = "answer";
};

// The first of `names` that the row has, in any case; "" for none.
std::string FirstField(const Row& row, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    for (const auto& [field, value] : row.fields.AsMembers()) {
      if (EqualsIgnoreCaseAscii(field, name)) return field;
    }
  }
  return "";
}

// Looks at the first row of a file that is there, for the names of its fields.
absl::StatusOr<NewFields> FieldsOfFile(const std::string& path) {
  ASSIGN_OR_RETURN(const std::unique_ptr<RowReader> rows, OpenRows(path));
  ASSIGN_OR_RETURN(const std::optional<Row> row, rows->Next());
  NewFields fields;
  fields.id = FirstField(*row, {"id", "unique_id", "key", "idx"});
  fields.question = FirstField(*row, {"question", "problem", "prompt", "text"});
  fields.answer = FirstField(*row, {"answer", "reference", "expected_answer", "solution"});
  if (!fields.question.empty() && !fields.answer.empty()) return fields;
  std::vector<std::string> names;
  for (const auto& [field, value] : row->fields.AsMembers()) names.push_back(field);
  return InvalidArgument(
      "%s: no field is called question (problem, prompt, text) and answer (reference, "
      "expected_answer, solution); it has: %s. Rename two, or write the task by hand "
      "(tasks/README.md)",
      path, Shorten(Join(names, ", "), 300));
}

// Quoted where it would not be read back as it stands.
std::string YamlScalar(const std::string& text) {
  const bool plain = std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '/' || c == '.' || c == '_' || c == '-';
  });
  return plain && std::isalpha(static_cast<unsigned char>(text[0])) != 0 ? text : YamlQuote(text);
}

std::string NewTaskYaml(const std::string& name, const std::string& data, const NewFields& fields) {
  return absl::StrFormat(R"(# %s: say here in a sentence what is asked and where it comes from.
name: %s
version: "1"
about: what it asks, in a line
card:
  source: where the problems come from (a URL)
  licence: under which licence they may be used
dataset:
  # JSONL, JSON, CSV or TSV, also with .gz or .zst; beside this file, or in a --data-dir.
  file: %s
  # `sha256sum FILE`: then nobody measures another version by mistake.
  # sha256: ...
fields:
%s  reference: %s
  # tags: [subject, level]
prompt: |-
  {{ %s }}
  Please reason step by step, and put your final answer within \boxed{}.
extract: boxed
grader: exact
samples: 4
sampling:
  temperature: 0.6
  top_p: 0.95
  max_tokens: 32768
metrics: [pass@1]
)",
                         name, name, YamlScalar(data),
                         fields.id.empty() ? "" : "  id: " + fields.id + "\n", fields.answer,
                         fields.question);
}

constexpr const char* kNewRows =
    R"({"id": "first", "question": "What is 6 times 7?", "answer": "42"}
{"id": "second", "question": "How many days has a leap year?", "answer": "366"}
)";

absl::Status WriteNewFile(const std::string& path, const std::string& text) {
  if (std::filesystem::exists(path)) {
    return FailedPrecondition("%s: is there already; it is left as it is", path);
  }
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.flush();
  return file ? absl::OkStatus() : Unavailable("%s: cannot write", path);
}

// The problems' file as the task names it: alone where it lies beside the task or in a data
// directory, else the way from the task to it.
std::string DataFileFor(const std::string& output, const std::string& data_file,
                        const SearchPath& search) {
  namespace fs = std::filesystem;
  const fs::path data = fs::weakly_canonical(data_file);
  const fs::path home = fs::weakly_canonical(fs::absolute(output)).parent_path();
  if (data.parent_path() == home) return data.filename().string();
  for (const std::string& directory : search.data_directories) {
    if (data.parent_path() == fs::weakly_canonical(directory)) return data.filename().string();
  }
  return fs::path(data_file).is_absolute() ? data.string() : data.lexically_relative(home).string();
}

int New(const Common& common, std::string name, std::string output, const std::string& data_file) {
  const std::filesystem::path given(name);
  if (given.extension() == ".yaml" || given.extension() == ".yml") {  // the file was named
    if (!output.empty()) {
      return Fail(InvalidArgument("a task's name, then -o FILE; '%s' is a file too", name));
    }
    output = name;
    name = given.stem().string();
  }
  if (name.find('/') != std::string::npos) {
    return Fail(
        InvalidArgument("'%s' is no name; to write the task '%s' elsewhere, say: assay tasks new "
                        "%s -o %s.yaml",
                        name, given.filename().string(), given.filename().string(), name));
  }
  if (output.empty()) output = name + ".yaml";
  const std::filesystem::path path(output);
  if (path.stem().string() != name) {
    return Fail(
        InvalidArgument("%s: a task's file is named for it: expected %s.yaml", output, name));
  }
  NewFields fields;
  std::string data = name + ".jsonl";
  if (!data_file.empty()) {
    const absl::StatusOr<NewFields> found = FieldsOfFile(data_file);
    if (!found.ok()) return Fail(found.status());
    fields = *found;
    data = DataFileFor(output, data_file, common.Path());
  }
  const std::string yaml = NewTaskYaml(name, data, fields);
  // The task is read before it is written: a name that no task may have is told here.
  const absl::StatusOr<Task> task = TaskFromText(yaml, output);
  if (!task.ok()) return Fail(task.status());
  absl::Status written = WriteNewFile(output, yaml);
  if (!written.ok()) return Fail(written);
  if (!data_file.empty()) {
    std::printf("wrote %s\nnext: assay tasks check %s\n", output.c_str(), output.c_str());
    return 0;
  }
  const std::string rows = (path.parent_path() / data).string();
  written = WriteNewFile(rows, kNewRows);
  std::printf("wrote %s%s\nnext: put your problems into %s, then: assay tasks check %s\n",
              output.c_str(), written.ok() ? (" and " + rows).c_str() : "", rows.c_str(),
              output.c_str());
  return 0;
}

void Declare(CommandLine& line) {
  struct Flags {
    Common common;
    Changes changes;
    std::string name, output, model = "MODEL";
    int limit = 1;
    int checked = 0;
    bool all = false;
  };
  const auto flags = std::make_shared<Flags>();

  CommandLine& list = line.Sub("list", "All tasks and suites");
  DeclareCommon(list, flags->common);
  list.Action([flags] { return List(flags->common); });

  CommandLine& show = line.Sub("show", "A task's definition, as it would run");
  show.Positional("task", &flags->name, "a task, a suite, or a YAML file", true);
  DeclareCommon(show, flags->common);
  DeclareChanges(show, flags->changes);
  show.Option("--samples,-n", &flags->changes.samples, "samples of each problem");
  show.Action([flags] { return Show(flags->common, flags->changes, flags->name); });

  CommandLine& check = line.Sub("check", "Prove a task sound: references right, others wrong");
  check.Positional("task", &flags->name, "a task, a suite, or a YAML file", true);
  DeclareCommon(check, flags->common);
  DeclareChanges(check, flags->changes);
  check.Option("--seed", &flags->common.seed, "orders the choices");
  check.Option("--limit,-L", &flags->checked, "only the first N rows; 0: all");
  check.Flag("--all", &flags->all, "print every finding, not the first 20");
  check.Action([flags] {
    return Check(flags->common, flags->changes, flags->name, flags->checked, flags->all);
  });

  CommandLine& preview = line.Sub("preview", "The exact text that a task sends");
  preview.Positional("task", &flags->name, "a task, a suite, or a YAML file", true);
  DeclareCommon(preview, flags->common);
  DeclareChanges(preview, flags->changes);
  preview.Option("--limit,-L", &flags->limit, "problems to show; 0: all");
  preview.Option("--seed", &flags->common.seed, "orders the choices");
  preview.Option("--model,-M", &flags->model, "the model's name in the request");
  preview.Action([flags] {
    return Preview(flags->common, flags->changes, flags->name, flags->limit, flags->model);
  });

  CommandLine& make = line.Sub("new", "Write a starting file for a task");
  make.Positional("name", &flags->name, "the new task's name", true);
  make.Option("--output,-o", &flags->output, "the file to write; default NAME.yaml");
  make.Option("--dataset-file", &flags->changes.dataset_file, "the problems, where they are here");
  make.Action([flags] {
    return New(flags->common, flags->name, flags->output, flags->changes.dataset_file.value_or(""));
  });
}

}  // namespace

Command TasksCommand() {
  Command command;
  command.name = "tasks";
  command.about = "List, show, check, preview and begin tasks";
  command.order = 60;
  command.declare = Declare;
  return command;
}

}  // namespace assay
