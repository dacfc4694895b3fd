// No figure is compared that is not named: the model's name decides, and disagreements all stand.
#include "reports/published.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "harness/reference_results.h"
#include "harness/status.h"
#include "harness/text.h"
#include "reports/table.h"

namespace assay {
namespace {

std::string Here(const NamedEstimate& named, const std::string& unit) {
  return FormatValue(named.estimate, unit == "rating" ? Unit::kCount : Unit::kShare);
}

}  // namespace

std::vector<PublishedLine> PublishedLines(const std::vector<TaskResult>& results,
                                          std::string_view model) {
  std::vector<PublishedLine> lines;
  for (const TaskResult& result : results) {
    if (!result.complete()) continue;
    const std::vector<ReferenceResult> published = PublishedFor(result.manifest.definition, model);
    for (const NamedEstimate& named : result.estimates) {
      const std::string text = PublishedText(published, named.name);
      if (text.empty()) continue;
      const auto unit =
          std::find_if(published.begin(), published.end(),
                       [&](const ReferenceResult& one) { return one.metric == named.name; });
      lines.push_back({result.manifest.name, named.name, text, Here(named, unit->unit)});
    }
  }
  return lines;
}

absl::StatusOr<std::vector<TaskDeviations>> RunDeviations(const SearchPath& path,
                                                          const RunManifest& run) {
  ASSIGN_OR_RETURN(const std::vector<Recipe> recipes, ListRecipes(path));
  std::vector<TaskDeviations> all;
  for (const Recipe& recipe : recipes) {
    for (const TaskManifest& task : run.tasks) {
      const bool in_recipe =
          std::any_of(recipe.rows.begin(), recipe.rows.end(),
                      [&](const RecipeRow& row) { return row.task == task.name; });
      if (!in_recipe) continue;
      ASSIGN_OR_RETURN(const std::vector<Task> shipped, LoadTasks(path, task.name, {}));
      all.push_back({recipe.name, task.name, DeviationsFromRecipe(recipe, shipped[0], run, task)});
    }
  }
  return all;
}

std::string PublishedTextOf(const std::vector<PublishedLine>& lines) {
  std::string text;
  for (const PublishedLine& line : lines) {
    text += absl::StrFormat("%s, %s: published %s, here %s\n", Printable(line.task), line.metric,
                            Printable(line.published), line.here);
  }
  return text;
}

std::string DeviationsText(const std::vector<TaskDeviations>& deviations) {
  std::string text;
  for (const TaskDeviations& one : deviations) {
    if (one.lines.empty()) continue;
    text += absl::StrFormat("%s differs from the recipe %s: %s\n", Printable(one.task), one.recipe,
                            Printable(Join(one.lines, "; ")));
  }
  return text;
}

Json PublishedToJson(const std::vector<PublishedLine>& lines) {
  Json list = Json::MakeArray();
  for (const PublishedLine& line : lines) {
    list.Append(Json::MakeObject({{"task", line.task},
                                  {"metric", line.metric},
                                  {"published", line.published},
                                  {"here", line.here}}));
  }
  return list;
}

Json DeviationsToJson(const std::vector<TaskDeviations>& deviations) {
  Json list = Json::MakeArray();
  for (const TaskDeviations& one : deviations) {
    Json lines = Json::MakeArray();
    for (const std::string& line : one.lines) lines.Append(line);
    list.Append(Json::MakeObject(
        {{"recipe", one.recipe}, {"task", one.task}, {"deviations", std::move(lines)}}));
  }
  return list;
}

}  // namespace assay
