// `assay runs`: the runs of a database, newest last.
#include <algorithm>
#include <cstdio>
#include <memory>

#include "absl/strings/str_format.h"
#include "commands/shared/run_execution.h"
#include "harness/command.h"
#include "harness/status.h"
#include "harness/store.h"
#include "harness/text.h"
#include "reports/show.h"
#include "reports/table.h"
#include "reports/terminal.h"

namespace assay {
namespace {

struct Options {
  std::string database = DefaultDatabase();
  int limit = 0;
  bool json = false;
};

std::string TaskNames(const RunManifest& manifest) {
  std::vector<std::string> names;
  for (const TaskManifest& task : manifest.tasks) names.push_back(task.name);
  return Join(names, ", ");
}

// "2026-11-23T14:05:09Z" -> "2026-11-23 14:05".
std::string ToTheMinute(const std::string& iso8601) {
  return iso8601.size() < 16 ? iso8601 : iso8601.substr(0, 10) + " " + iso8601.substr(11, 5);
}

std::string RunsTable(const std::vector<RunSummary>& runs) {
  Table table;
  table.columns = {{"run"},           {"state"}, {"samples", true}, {"failed", true},
                   {"started (UTC)"}, {"model"}, {"tasks"},         {"name"}};
  for (const RunSummary& run : runs) {
    const RunManifest& manifest = run.manifest;
    table.AddRow({manifest.id, std::string(RunStateName(run.state)),
                  absl::StrFormat("%s/%s", WithThousands(run.samples_stored),
                                  WithThousands(run.samples_planned)),
                  WithThousands(run.failures), ToTheMinute(manifest.started),
                  FitColumns(manifest.model, 40), FitColumns(TaskNames(manifest), 40),
                  FitColumns(manifest.name, 40)});
  }
  return RenderTable(table, TableForm::kTerminal);
}

Json RunsToJson(const std::vector<RunSummary>& runs) {
  Json json = Json::MakeArray();
  for (const RunSummary& run : runs) {
    const RunManifest& manifest = run.manifest;
    Json tasks = Json::MakeArray();
    for (const TaskManifest& task : manifest.tasks) tasks.Append(task.name);
    json.Append(Json::MakeObject({{"id", manifest.id},
                                  {"name", manifest.name},
                                  {"state", RunStateName(run.state)},
                                  {"stopped_by", WhyStopped(run)},
                                  {"model", manifest.model},
                                  {"backend", manifest.backend},
                                  {"tasks", std::move(tasks)},
                                  {"samples_planned", run.samples_planned},
                                  {"samples_stored", run.samples_stored},
                                  {"failures", run.failures},
                                  {"started", manifest.started},
                                  {"finished", run.finished}}));
  }
  return json;
}

absl::Status ListRuns(const Options& options) {
  if (options.limit < 0) {
    return InvalidArgument("--limit: expected 0 or more, found %d", options.limit);
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<Store> store,
                   Store::Open(options.database, StoreMode::kReadOnly));
  ASSIGN_OR_RETURN(std::vector<RunSummary> runs, store->ListRuns());
  const auto limit = static_cast<size_t>(options.limit);
  if (limit > 0 && runs.size() > limit) {
    runs.erase(runs.begin(), runs.end() - static_cast<std::ptrdiff_t>(limit));
  }
  const std::string text = options.json ? RunsToJson(runs).Dump(2) + "\n" : RunsTable(runs);
  std::fputs(text.c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace

Command RunsCommand() {
  Command command;
  command.name = "runs";
  command.about = "List the runs of a database";
  command.order = 40;
  command.declare = [](CommandLine& line) {
    auto options = std::make_shared<Options>();  // shared: lives as long as the action
    line.Option("--db", &options->database, "The results database");
    line.Option("--limit,-L", &options->limit, "The newest N only; 0: all");
    line.Flag("--json", &options->json, "Machine-readable stdout");
    line.Action([options] {
      const absl::Status status = ListRuns(*options);
      return status.ok() ? 0 : PrintError(status);
    });
  };
  return command;
}

}  // namespace assay
