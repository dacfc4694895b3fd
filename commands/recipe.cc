// `assay recipe NAME`: a published protocol in full, row by row of its table.
#include <algorithm>
#include <cstdio>
#include <memory>

#include "absl/strings/str_format.h"
#include "commands/shared/run_execution.h"
#include "harness/command.h"
#include "harness/recipe.h"
#include "harness/reference_results.h"
#include "harness/status.h"
#include "harness/task.h"
#include "harness/text.h"
#include "reports/show.h"

namespace assay {
namespace {

struct Options {
  std::string name = "r1";
  std::string model = "DeepSeek-R1";
  std::vector<std::string> include_paths;
  bool json = false;
};

std::string Sampled(const Task& task) {
  const int64_t shots = task.definition.Find("fewshot") == nullptr
                            ? 0
                            : task.definition.Find("fewshot")->FindInteger("count").value_or(0);
  return shots == 0 ? absl::StrFormat("%d", task.samples)
                    : absl::StrFormat("%d, %d-shot", task.samples, shots);
}

// Every figure of the model, by the metrics that the task names.
std::string Published(const Task& task, std::string_view model) {
  const std::vector<ReferenceResult> results = PublishedFor(task.definition, model);
  std::vector<std::string> texts, seen;
  for (const ReferenceResult& result : results) {
    if (std::find(seen.begin(), seen.end(), result.metric) != seen.end()) continue;
    seen.push_back(result.metric);
    texts.push_back(result.metric + " " + PublishedText(results, result.metric));
  }
  return Join(texts, "; ");
}

// A prefix is to be copied behind its flag, newline and all.
std::string ProtocolText(const Recipe& recipe) {
  std::string text;
  for (const auto& [name, value] : recipe.protocol.AsMembers()) {
    text += absl::StrFormat(
        "  %-13s %s\n", name,
        name == "reply_prefix" ? ShellQuote(value.ToText()) : Printable(value.ToText()));
  }
  for (const std::string& note : recipe.notes) text += "  - " + note + "\n";
  return text;
}

std::string CardText(const Task& task, const char* entry) {
  const Json* found = task.card.Find(entry);
  return found == nullptr ? "" : found->ToText();
}

// What a row's task does, in lines.
std::string Describe(const RecipeRow& row, const Task& task, const std::string& model) {
  std::string text = absl::StrFormat("%s (%s): task %s, version %s\n", row.benchmark, row.metric,
                                     task.name, task.version);
  const auto line = [&](const char* name, const std::string& value) {
    if (!value.empty()) text += absl::StrFormat("  %-10s %s\n", name, value);
  };
  line("prompt", CardText(task, "prompt"));
  line("samples", Sampled(task));
  line("decoding", SamplingToJson(task.sampling).Dump());
  line("extract",
       task.extractor + (task.extract_options.is_null() ? "" : " " + task.extract_options.Dump()));
  line("grader",
       task.grader + (task.grader_options.is_null() ? "" : " " + task.grader_options.Dump()));
  line("metrics", Join(task.metrics, ", "));
  line("licence", CardText(task, "licence"));
  line("published", Published(task, model));
  line("note", row.note);
  return text;
}

Json RowJson(const RecipeRow& row, const Task* task) {
  const auto text = [](const std::string& value) { return value.empty() ? Json() : Json(value); };
  Json json = Json::MakeObject({{"benchmark", row.benchmark},
                                {"metric", row.metric},
                                {"task", text(row.task)},
                                {"needs", text(row.needs)},
                                {"note", text(row.note)}});
  if (task == nullptr) return json;
  json.Set("version", task->version);
  json.Set("card", task->card);
  json.Set("samples", task->samples);
  json.Set("sampling", SamplingToJson(task->sampling));
  json.Set("definition", task->definition);
  return json;
}

absl::Status Show(const Options& options) {
  const SearchPath path = DefaultSearchPath(options.include_paths, {});
  ASSIGN_OR_RETURN(const Recipe recipe, LoadRecipe(path, options.name));
  Json rows = Json::MakeArray();
  std::string text = recipe.name + ": " + recipe.about + "\n" + ProtocolText(recipe);
  for (const RecipeRow& row : recipe.rows) {
    if (row.task.empty()) {
      text += absl::StrFormat("\n%s (%s): needs %s: not yet%s\n", row.benchmark, row.metric,
                              row.needs, row.note.empty() ? "" : "\n  note       " + row.note);
      rows.Append(RowJson(row, nullptr));
      continue;
    }
    ASSIGN_OR_RETURN(const std::vector<Task> tasks, LoadTasks(path, row.task, {}));
    text += "\n" + Describe(row, tasks[0], options.model);
    rows.Append(RowJson(row, &tasks[0]));
  }
  if (!options.json) {
    std::fputs(text.c_str(), stdout);
    return absl::OkStatus();
  }
  Json notes = Json::MakeArray();
  for (const std::string& note : recipe.notes) notes.Append(note);
  const Json json = Json::MakeObject({{"recipe", recipe.name},
                                      {"protocol", recipe.protocol},
                                      {"notes", std::move(notes)},
                                      {"rows", std::move(rows)}});
  std::printf("%s\n", json.Dump(2).c_str());
  return absl::OkStatus();
}

}  // namespace

Command RecipeCommand() {
  Command command;
  command.name = "recipe";
  command.about = "Show a published protocol: settings, prompts, samples, figures, what is not yet";
  command.order = 85;
  command.declare = [](CommandLine& line) {
    auto options = std::make_shared<Options>();  // shared: lives as long as the action
    line.Positional("name", &options->name, "The recipe's name (r1)", false);
    line.Option("--model", &options->model, "Whose published figures to show");
    line.Option("--include-path", &options->include_paths, "Directories with further suites");
    line.Flag("--json", &options->json, "Machine-readable stdout");
    line.Action([options] {
      const absl::Status status = Show(*options);
      return status.ok() ? 0 : PrintError(status);
    });
  };
  return command;
}

}  // namespace assay
