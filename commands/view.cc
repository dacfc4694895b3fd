// `assay view [RUN ...]`: the runs of a database in the browser, with every transcript, until
// Ctrl-C.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>

#include "commands/shared/interrupt.h"
#include "commands/shared/named_runs.h"
#include "commands/shared/open_browser.h"
#include "commands/shared/report_flags.h"
#include "commands/shared/run_execution.h"
#include "harness/command.h"
#include "harness/status.h"
#include "harness/store.h"
#include "harness/text.h"
#include "http/server.h"
#include "reports/report.h"
#include "reports/view.h"

namespace assay {
namespace {

struct Options {
  std::vector<std::string> runs;
  std::string database = DefaultDatabase();
  std::string baseline;
  ReportOptions report;
  int port = 0;
  bool open = false;
};

// What is served, and the place in it that the command line asks for.
struct Target {
  std::vector<std::string> databases;
  std::string path = "/";
};

std::string ReportPath(const Options& options, const std::vector<std::string>& keys,
                       size_t baseline) {
  std::string path = "/report";
  const auto add = [&](const std::string& name, const std::string& value) {
    path += (path == "/report" ? "?" : "&") + name + "=" + http::PercentEncode(value);
  };
  for (const std::string& key : keys) add("run", key);
  if (baseline > 0) add("baseline", keys[baseline]);
  for (const std::string& task : options.report.tasks) add("task", task);
  if (!options.report.x.empty()) add("x", options.report.x);
  if (!options.report.published_as.empty()) add("published_as", options.report.published_as);
  if (options.report.consensus) add("consensus", "1");
  if (options.report.allow_partial) add("partial", "1");
  return path;
}

absl::StatusOr<Target> FindTarget(const Options& options) {
  Target target;
  const bool chosen = !options.report.tasks.empty() || !options.report.x.empty() ||
                      options.report.consensus || options.report.allow_partial ||
                      !options.report.published_as.empty();
  if (options.runs.empty() && options.baseline.empty()) {
    if (chosen) return InvalidArgument("name the runs that these flags are for, or 'last'");
    RETURN_IF_ERROR(Store::Open(options.database, StoreMode::kReadOnly).status());
    target.databases = {options.database};
    return target;
  }
  NamedRuns runs(options.database);
  for (const std::string& name : options.runs) RETURN_IF_ERROR(runs.Add(name));
  ASSIGN_OR_RETURN(const size_t baseline, runs.PlaceOfBaseline(options.baseline));
  std::vector<std::string> keys;
  for (const NamedRun& run : runs.all) {
    const auto known = std::find(target.databases.begin(), target.databases.end(), run.database);
    keys.push_back(
        View::KeyOf(static_cast<size_t>(known - target.databases.begin()), run.run.manifest.id));
    if (known == target.databases.end()) target.databases.push_back(run.database);
  }
  target.path = ReportPath(options, keys, baseline);
  return target;
}

absl::Status Serve(const Options& options) {
  ASSIGN_OR_RETURN(const Target target, FindTarget(options));
  const InterruptGuard guard;
  View view(target.databases);
  ASSIGN_OR_RETURN(
      const std::unique_ptr<http::LocalServer> server,
      http::LocalServer::Start(options.port, {}, [&](const http::ServedRequest& asked) {
        ViewAnswer answer = view.Answer(asked.path, asked.query);
        return http::ServedReply{answer.status, answer.content_type, std::move(answer.body),
                                 answer.policy, answer.location};
      }));
  const std::string address = server->address() + target.path;
  std::printf("%s\n", address.c_str());
  std::fflush(stdout);
  std::fprintf(stderr, "serving %s to this machine only; Ctrl-C ends it\n",
               Printable(Join(target.databases, ", ")).c_str());
  if (options.open) {
    const absl::Status opened = OpenInBrowser(address);
    if (!opened.ok()) PrintError(opened);  // it can be opened by hand
  }
  while (!Interrupted()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  view.Stop();
  return absl::OkStatus();
}

}  // namespace

Command ViewCommand() {
  Command command;
  command.name = "view";
  command.about = "Serve the runs of a database to the browser, with every transcript";
  command.order = 66;
  command.declare = [](CommandLine& line) {
    auto options = std::make_shared<Options>();  // shared: lives as long as the action
    line.Positional("runs", &options->runs,
                    "Runs by id, name or 'last' to compare; none: the list of all. DATABASE:RUN "
                    "is a run of another database",
                    false);
    line.Option("--db", &options->database, "The results database");
    line.Option("--port", &options->port, "The port on 127.0.0.1; 0: any free one");
    line.Flag("--open", &options->open, "Open it in the browser");
    DeclareReportFlags(line, &options->baseline, &options->report);
    line.Action([options] {
      const absl::Status status = Serve(*options);
      return status.ok() ? 0 : PrintError(status);
    });
  };
  return command;
}

}  // namespace assay
