// `assay report A [B ...]`: the page that says which run is better, by how much, and on which
// problems; or the same numbers as JSON, Markdown or CSV.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>

#include "commands/shared/named_runs.h"
#include "commands/shared/open_browser.h"
#include "commands/shared/report_flags.h"
#include "commands/shared/run_execution.h"
#include "harness/command.h"
#include "harness/status.h"
#include "harness/store.h"
#include "harness/text.h"
#include "reports/export.h"
#include "reports/page/page.h"
#include "reports/report.h"

namespace assay {
namespace {

struct Options {
  std::vector<std::string> runs;
  std::string database = DefaultDatabase();
  std::string baseline;
  std::string output;
  std::string format;
  std::string transcripts = "fit";
  double max_megabytes = 5;
  bool open = false;
  ReportOptions report;
};

enum class Form { kHtml, kMarkdown, kJson, kCsv };

absl::StatusOr<Form> FormOf(const Options& options) {
  static const std::map<std::string, Form, std::less<>> kForms = {
      {"html", Form::kHtml}, {"md", Form::kMarkdown}, {"json", Form::kJson}, {"csv", Form::kCsv}};
  std::string name = options.format;
  // Told by the file's name where no flag tells it.
  if (name.empty()) name = std::filesystem::path(options.output).extension().string();
  if (name.starts_with(".")) name.erase(0, 1);
  if (name.empty() || name == "htm") return Form::kHtml;
  if (name == "markdown") return Form::kMarkdown;
  if (const auto found = kForms.find(name); found != kForms.end()) return found->second;
  if (options.format.empty()) return Form::kHtml;
  const std::vector<std::string> names = {"html", "md", "json", "csv"};
  return InvalidArgument("--format: expected html, md, json or csv, found '%s'%s", name,
                         DidYouMean(name, names));
}

// A file appears whole or not at all.
absl::Status WriteOut(const std::string& path, const std::string& text) {
  ASSIGN_OR_RETURN(LineFile file, LineFile::Create(path));
  std::string_view line = text;
  if (line.ends_with('\n')) line.remove_suffix(1);  // the file adds it
  RETURN_IF_ERROR(file.Write(line));
  return file.Close().status();
}

absl::StatusOr<std::string> Render(Form form, const Report& report, const Options& options) {
  switch (form) {
    case Form::kMarkdown:
      return ReportToMarkdown(report);
    case Form::kJson:
      return ReportToJson(report).Dump(2) + "\n";
    case Form::kCsv:
      return ReportToCsv(report);
    case Form::kHtml:
      break;
  }
  PageOptions page;
  ASSIGN_OR_RETURN(page.transcripts, TranscriptsFromName(options.transcripts));
  page.max_bytes = static_cast<int64_t>(options.max_megabytes * 1e6);
  return MakePage(report, page);
}

absl::Status WriteReport(Options options) {
  ASSIGN_OR_RETURN(const Form form, FormOf(options));
  RETURN_IF_ERROR(TranscriptsFromName(options.transcripts).status());
  if (options.open && form != Form::kHtml) {
    return InvalidArgument("--open: only a page is opened, not --format %s", options.format);
  }
  if (!(options.max_megabytes > 0 && options.max_megabytes <= 4000)) {
    return InvalidArgument("--max-mb: expected a number above 0, at most 4000, found %g",
                           options.max_megabytes);
  }
  if (options.output.empty()) options.output = form == Form::kHtml ? "report.html" : "-";
  NamedRuns runs(options.database);
  if (options.runs.empty()) options.runs = {"last"};
  for (const std::string& name : options.runs) RETURN_IF_ERROR(runs.Add(name));
  ASSIGN_OR_RETURN(options.report.baseline, runs.PlaceOfBaseline(options.baseline));
  if (options.transcripts == "flips" && runs.all.size() < 2) {
    return InvalidArgument("--transcripts flips: a flip needs two runs, found %d", runs.all.size());
  }
  std::vector<ReportInput> inputs;
  for (NamedRun& one : runs.all) inputs.push_back({one.store, std::move(one.run)});
  options.report.samples = form == Form::kHtml;
  ASSIGN_OR_RETURN(const Report report, LoadReport(std::move(inputs), options.report));
  ASSIGN_OR_RETURN(const std::string text, Render(form, report, options));
  RETURN_IF_ERROR(WriteOut(options.output, text));
  if (options.output == "-") return absl::OkStatus();
  for (const std::string& verdict : report.verdicts) {
    std::printf("%s\n", Printable(verdict).c_str());
  }
  for (const std::string& note : report.notes) std::printf("! %s\n", Printable(note).c_str());
  const bool small = text.size() < 100'000;
  std::printf("%s: %.1f %s\n", Printable(options.output).c_str(),
              static_cast<double>(text.size()) / (small ? 1e3 : 1e6), small ? "kB" : "MB");
  return options.open ? OpenInBrowser(std::filesystem::absolute(options.output).string())
                      : absl::OkStatus();
}

}  // namespace

Command ReportCommand() {
  Command command;
  command.name = "report";
  command.about = "Write a page that compares runs: differences, curves, flips, transcripts";
  command.order = 65;
  command.declare = [](CommandLine& line) {
    auto options = std::make_shared<Options>();  // shared: lives as long as the action
    line.Positional("runs", &options->runs,
                    "Runs by id, name or 'last'; the others are compared with the first, or with "
                    "--baseline. DATABASE:RUN is a run of another database",
                    false);
    line.Option("--db", &options->database, "The results database");
    line.Option("--output,-o", &options->output, "The file; report.html, or stdout for the others");
    line.Option("--format", &options->format,
                "html, md, json or csv; without it the file's name tells");
    line.Flag("--open", &options->open, "Open the page in the browser");
    line.Option("--transcripts", &options->transcripts,
                "Transcripts in the page: fit (flips, then wrong ones, then all, up to --max-mb), "
                "flips, wrong, all or none");
    line.Option("--max-mb", &options->max_megabytes, "The page's size with --transcripts fit");
    DeclareReportFlags(line, &options->baseline, &options->report);
    line.Action([options] {
      const absl::Status status = WriteReport(*options);
      return status.ok() ? 0 : PrintError(status);
    });
  };
  return command;
}

}  // namespace assay
