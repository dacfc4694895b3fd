// `assay export`: a run as JSON lines, or as lm-evaluation-harness's two files.
#include <cstdio>
#include <memory>

#include "commands/shared/run_execution.h"
#include "harness/command.h"
#include "harness/status.h"
#include "harness/store.h"
#include "harness/text.h"
#include "reports/export.h"

namespace assay {
namespace {

struct Options {
  std::string run = "last";
  std::string database = DefaultDatabase();
  std::string output;
  std::string format = "jsonl";
  std::string task;
  bool allow_partial = false;
  bool force = false;
  bool json = false;
};

void Print(const RunSummary& run, const std::vector<ExportedFile>& files, bool json) {
  Json list = Json::MakeArray();
  for (const ExportedFile& file : files) {
    list.Append(Json::MakeObject({{"path", file.path}, {"lines", file.lines}}));
    if (json) continue;
    // The lines themselves may be on stdout.
    std::fprintf(stderr, "%s: %s lines\n", file.path == "-" ? "stdout" : file.path.c_str(),
                 WithThousands(file.lines).c_str());
  }
  if (!json) return;
  const Json report = Json::MakeObject({{"run", run.manifest.id}, {"files", std::move(list)}});
  std::printf("%s\n", report.Dump(2).c_str());
}

absl::StatusOr<int> Export(const Options& options) {
  const std::vector<std::string> formats = {"jsonl", "lm-eval"};
  const bool lm_eval = options.format == "lm-eval" || options.format == "lm_eval";
  if (!lm_eval && options.format != "jsonl") {
    return InvalidArgument("--format: expected jsonl or lm-eval, found '%s'%s", options.format,
                           DidYouMean(options.format, formats));
  }
  if (options.output.empty()) {
    return InvalidArgument(
        "--output: name a directory, a file that ends in .jsonl, or - for stdout");
  }
  if (lm_eval && (options.output == "-" || options.output.ends_with(".jsonl"))) {
    return InvalidArgument("--output: lm-eval's files are several: name a directory, found '%s'",
                           options.output);
  }
  if (options.json && options.output == "-") {
    return InvalidArgument("--json: its report and the samples cannot both go to stdout");
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<Store> store,
                   Store::Open(options.database, StoreMode::kReadOnly));
  ASSIGN_OR_RETURN(const RunSummary run, store->FindRun(options.run));
  ASSIGN_OR_RETURN(
      const std::vector<ExportedFile> files,
      lm_eval ? ExportLmEval(*store, run, options.task, options.output, options.allow_partial)
              : ExportJsonl(*store, run, options.task, options.output,
                            options.force ? OtherExport::kReplace : OtherExport::kRefuse));
  Print(run, files, options.json);
  return 0;
}

void Declare(CommandLine& line) {
  auto options = std::make_shared<Options>();  // shared: lives as long as the action
  line.Positional("run", &options->run, "Id, prefix of an id, name, or 'last'", false);
  line.Option("--output,-o,--output-path", &options->output,
              "A directory, a file that ends in .jsonl, or - for stdout");
  line.Option(
      "--format", &options->format,
      "jsonl: a sample a line, with everything; lm-eval: results_*.json and samples_*.jsonl");
  line.Option("--task,-t", &options->task, "This task only");
  line.Option("--db", &options->database, "The results database");
  line.Flag("--allow-partial", &options->allow_partial,
            "lm-eval: write numbers although samples are missing");
  line.Flag("--force", &options->force,
            "jsonl: replace another run's export that the directory holds");
  line.Flag("--json", &options->json, "Machine-readable report on stdout");
  line.Action([options] {
    const absl::StatusOr<int> status = Export(*options);
    return status.ok() ? *status : PrintError(status.status());
  });
}

}  // namespace

Command ExportCommand() {
  Command command;
  command.name = "export";
  command.about = "Write a run as JSON lines or as lm-evaluation-harness's files";
  command.order = 60;
  command.declare = Declare;
  return command;
}

}  // namespace assay
