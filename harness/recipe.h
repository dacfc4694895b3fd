// A published protocol as a suite holds it: how a paper measured, row by row of its table, which
// task measures it here, and what of it cannot be measured yet.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/json.h"
#include "harness/task.h"
#include "harness/types.h"
#include "harness/yaml.h"

namespace assay {

struct RecipeRow {
  std::string benchmark;  // as the table calls it
  std::string metric;     // as the table calls it
  std::string task;       // empty: none yet
  std::string needs;      // what is missing where there is no task: "a judge"
  std::string note;
};

struct Recipe {
  std::string name;  // the suite's
  std::string about;
  Json protocol;  // object: temperature, top_p, max_tokens, system, reply_prefix; text or numbers
  std::vector<std::string> notes;
  std::vector<RecipeRow> rows;
};

// Keys and types of a suite's `protocol`, `notes` and `rows`; nothing where it has none.
absl::Status ValidateRecipe(const YamlNode& suite, const std::string& file);

// NotFound where `name` is no suite with a protocol, with those there are.
absl::StatusOr<Recipe> LoadRecipe(const SearchPath& path, std::string_view name);
// Of all suites that have one. `broken` as of ListTasks.
absl::StatusOr<std::vector<Recipe>> ListRecipes(const SearchPath& path,
                                                std::vector<absl::Status>* broken = nullptr);

// What a run did otherwise than the recipe, one line each; `recipe_task` is the task as shipped.
// Empty: nothing that the manifest could tell.
std::vector<std::string> DeviationsFromRecipe(const Recipe& recipe, const Task& recipe_task,
                                              const RunManifest& run, const TaskManifest& task);

}  // namespace assay
