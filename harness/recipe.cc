// Reads the recipe keys of suites, and compares a run's manifest with them.
#include "harness/recipe.h"

#include <algorithm>
#include <memory>

#include "harness/compress.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

absl::Status ErrorAt(const std::string& file, int line, const std::string& what) {
  return InvalidArgument("%s:%d: %s", file, line, what);
}

absl::Status CheckMap(const YamlNode& node, const std::string& file, const std::string& what,
                      const std::vector<std::string>& known) {
  if (!node.is_map()) return ErrorAt(file, node.line, what + ": expected a map");
  for (size_t i = 0; i < node.members.size(); ++i) {
    const std::string& name = node.members[i].name;
    const bool text = node.members[i].node.is_scalar();
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return ErrorAt(file, node.member_lines[i],
                     absl::StrFormat("%s: unknown key '%s'%s (known: %s)", what, Shorten(name, 60),
                                     DidYouMean(name, known), Join(known, ", ")));
    }
    if (!text) return ErrorAt(file, node.member_lines[i], what + "." + name + ": expected text");
  }
  return absl::OkStatus();
}

absl::StatusOr<YamlNode> ReadSuiteFile(const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> source, OpenByteSource(path, 1 << 20));
  ASSIGN_OR_RETURN(const std::string text, ReadAll(*source));
  return ParseYaml(text, path);
}

std::string TextOf(const YamlNode& node, const char* name) {
  const YamlNode* found = node.Find(name);
  return found == nullptr ? "" : found->value.ToText();
}

Recipe FromSuite(const YamlNode& suite) {
  Recipe recipe;
  recipe.name = TextOf(suite, "suite");
  recipe.about = TextOf(suite, "about");
  recipe.protocol = YamlToJson(*suite.Find("protocol"));
  if (const YamlNode* notes = suite.Find("notes")) {
    for (const YamlNode& note : notes->items) recipe.notes.push_back(note.value.ToText());
  }
  if (const YamlNode* rows = suite.Find("rows")) {
    for (const YamlNode& row : rows->items) {
      recipe.rows.push_back({TextOf(row, "benchmark"), TextOf(row, "metric"), TextOf(row, "task"),
                             TextOf(row, "needs"), TextOf(row, "note")});
    }
  }
  return recipe;
}

std::string NumberText(const Json* value) {
  return value == nullptr || value->is_null() ? "the server's default" : value->ToText();
}

bool SameValue(const Json* a, const Json* b) {
  if (a == nullptr || b == nullptr) return (a == nullptr) == (b == nullptr);
  if (a->is_number() && b->is_number()) return a->AsNumber() == b->AsNumber();
  return *a == *b;
}

void CompareSampling(const Recipe& recipe, const TaskManifest& task,
                     std::vector<std::string>* deviations) {
  if (task.sampling.is_null()) {
    deviations->push_back("how the replies were sampled is not known");
    return;
  }
  for (const char* name : {"temperature", "top_p", "max_tokens"}) {
    const Json* wanted = recipe.protocol.Find(name);
    const Json* used = task.sampling.Find(name);
    if (wanted == nullptr || SameValue(wanted, used)) continue;
    deviations->push_back(
        absl::StrFormat("%s %s instead of %s", name, NumberText(used), wanted->ToText()));
  }
}

// A member of the definition, or null.
Json Part(const Json& definition, std::string_view name) {
  const Json* found = definition.Find(name);
  return found == nullptr ? Json() : *found;
}

int64_t Shots(const Json& definition) {
  return Part(definition, "fewshot").FindInteger("count").value_or(0);
}

void CompareDefinitions(const Recipe& recipe, const Task& recipe_task, const TaskManifest& task,
                        std::vector<std::string>* deviations) {
  const std::string system = Part(task.definition, "system").ToText();
  const bool has_system = !Part(task.definition, "system").is_null() && !system.empty();
  if (recipe.protocol.FindString("system").value_or("none") == "none" && has_system) {
    deviations->push_back("a system message is sent; the recipe has none");
  }
  const std::optional<std::string> prefix = recipe.protocol.FindString("reply_prefix");
  const std::string used = task.definition.FindString("reply_prefix").value_or("");
  if (prefix && *prefix != used) {
    deviations->push_back(used.empty()
                              ? "replies are not forced to begin with '" + Printable(*prefix) +
                                    "' (--reply-prefix, where the server can)"
                              : "replies are forced to begin with '" + Printable(used) +
                                    "' instead of '" + Printable(*prefix) + "'");
  }
  if (Shots(task.definition) != Shots(recipe_task.definition)) {
    deviations->push_back(absl::StrFormat("%d examples are shown instead of %d",
                                          Shots(task.definition), Shots(recipe_task.definition)));
  }
  for (const char* name : {"prompt", "fields", "extract", "grader", "loglikelihood"}) {
    if (Part(task.definition, name) == Part(recipe_task.definition, name)) continue;
    deviations->push_back(absl::StrFormat("`%s` is not that of the task as shipped", name));
  }
}

}  // namespace

absl::Status ValidateRecipe(const YamlNode& suite, const std::string& file) {
  const YamlNode* protocol = suite.Find("protocol");
  for (const char* name : {"notes", "rows"}) {
    const YamlNode* node = suite.Find(name);
    if (node == nullptr) continue;
    if (protocol == nullptr) {
      return ErrorAt(file, node->line, absl::StrFormat("%s: it needs the key 'protocol'", name));
    }
    if (!node->is_list()) return ErrorAt(file, node->line, std::string(name) + ": expected a list");
  }
  if (protocol == nullptr) return absl::OkStatus();
  RETURN_IF_ERROR(CheckMap(
      *protocol, file, "protocol",
      {"temperature", "top_p", "max_tokens", "system", "reply_prefix", "samples", "source"}));
  if (const YamlNode* notes = suite.Find("notes")) {
    for (const YamlNode& note : notes->items) {
      if (!note.is_scalar()) return ErrorAt(file, note.line, "notes: expected text");
    }
  }
  const YamlNode* rows = suite.Find("rows");
  if (rows == nullptr) return absl::OkStatus();
  for (const YamlNode& row : rows->items) {
    RETURN_IF_ERROR(CheckMap(row, file, "rows", {"benchmark", "metric", "task", "needs", "note"}));
    const bool has_task = row.Find("task") != nullptr, has_needs = row.Find("needs") != nullptr;
    if (row.Find("benchmark") == nullptr || row.Find("metric") == nullptr ||
        has_task == has_needs) {
      return ErrorAt(file, row.line, "rows: expected benchmark, metric, and either task or needs");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Recipe>> ListRecipes(const SearchPath& path,
                                                std::vector<absl::Status>* broken) {
  ASSIGN_OR_RETURN(const std::vector<TaskListing> listings, ListTasks(path, broken));
  std::vector<Recipe> recipes;
  for (const TaskListing& listing : listings) {
    if (!listing.is_suite) continue;
    ASSIGN_OR_RETURN(const YamlNode root, ReadSuiteFile(listing.path));
    if (root.Find("protocol") != nullptr) recipes.push_back(FromSuite(root));
  }
  return recipes;
}

absl::StatusOr<Recipe> LoadRecipe(const SearchPath& path, std::string_view name) {
  std::vector<absl::Status> broken;
  ASSIGN_OR_RETURN(std::vector<Recipe> recipes, ListRecipes(path, &broken));
  std::vector<std::string> names;
  for (Recipe& recipe : recipes) {
    if (recipe.name == name) return std::move(recipe);
    names.push_back(recipe.name);
  }
  if (!broken.empty()) return broken.front();  // it may be the one that was asked for
  return NotFound("no recipe '%s'%s (known: %s)", std::string(name), DidYouMean(name, names),
                  Join(names, ", "));
}

std::vector<std::string> DeviationsFromRecipe(const Recipe& recipe, const Task& recipe_task,
                                              const RunManifest& run, const TaskManifest& task) {
  std::vector<std::string> deviations;
  CompareSampling(recipe, task, &deviations);
  CompareDefinitions(recipe, recipe_task, task, &deviations);
  if (task.samples_per_problem != recipe_task.samples) {
    deviations.push_back(absl::StrFormat("samples of each problem: %d instead of %d",
                                         task.samples_per_problem, recipe_task.samples));
  }
  const Json* limit = run.options.Find("limit");
  if (limit != nullptr && limit->is_number() && limit->AsNumber() > 0) {
    deviations.push_back("not all problems were asked (--limit " + limit->ToText() + ")");
  }
  if (!recipe_task.dataset.sha256.empty() && task.dataset_sha256 != recipe_task.dataset.sha256) {
    deviations.push_back("the dataset is not the file that the task was written for");
  }
  return deviations;
}

}  // namespace assay
