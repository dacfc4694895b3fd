// `assay datasets`: which sets the tasks read, where each comes from, and whether the files at hand
// are those.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>

#include "harness/catalogue.h"
#include "harness/command.h"
#include "harness/status.h"
#include "harness/text.h"
#include "reports/table.h"

namespace assay {
namespace {

struct Flags {
  std::vector<std::string> data_dirs;
  std::vector<std::string> names;
  bool json = false;
};

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "assay datasets: %s\n", std::string(status.message()).c_str());
  return 1;
}

Json EntryJson(const CatalogueEntry& entry) {
  Json tasks = Json::MakeArray();
  for (const std::string& task : entry.tasks) tasks.Append(task);
  const auto text = [](const std::string& value) { return value.empty() ? Json() : Json(value); };
  return Json::MakeObject({{"name", entry.name},
                           {"file", entry.file},
                           {"sha256", text(entry.sha256)},
                           {"rows", entry.rows == 0 ? Json() : Json(entry.rows)},
                           {"origin", entry.origin},
                           {"licence", entry.licence},
                           {"citation", text(entry.citation)},
                           {"gated", entry.gated},
                           {"page", text(entry.page)},
                           {"fetch", FetchMethodName(entry.fetch)},
                           {"hub_id", text(entry.hub_id)},
                           {"revision", text(entry.revision)},
                           {"get", HowToGet(entry)},
                           {"tasks", std::move(tasks)}});
}

int List(const Flags& flags) {
  const SearchPath path = DefaultSearchPath({}, flags.data_dirs);
  const absl::StatusOr<std::vector<CatalogueEntry>> entries = LoadCatalogue(path);
  if (!entries.ok()) return Fail(entries.status());
  Json list = Json::MakeArray();
  Table table{{{"name"}, {"rows", true}, {"licence"}, {"here"}, {"origin"}}, {}};
  for (const CatalogueEntry& entry : *entries) {
    const std::string found = FindDataset(path, entry);
    Json json = EntryJson(entry);
    json.Set("path", found.empty() ? Json() : Json(found));
    list.Append(std::move(json));
    table.AddRow({entry.name, entry.rows == 0 ? "" : WithThousands(entry.rows),
                  Shorten(entry.licence, 40), found.empty() ? "no" : "yes", entry.origin});
  }
  std::cout << (flags.json ? list.Dump(2) + "\n" : RenderTable(table, TableForm::kTerminal));
  return 0;
}

// Those asked for by name, or all.
absl::StatusOr<std::vector<CatalogueEntry>> Chosen(const SearchPath& path,
                                                   const std::vector<std::string>& names) {
  ASSIGN_OR_RETURN(std::vector<CatalogueEntry> entries, LoadCatalogue(path));
  if (names.empty()) return entries;
  std::vector<CatalogueEntry> chosen;
  std::vector<std::string> known;
  for (const CatalogueEntry& entry : entries) known.push_back(entry.name);
  for (const std::string& name : names) {
    const auto at = std::find(known.begin(), known.end(), name);
    if (at == known.end()) {
      return NotFound("no dataset '%s' in the catalogue%s (known: %s)", name,
                      DidYouMean(name, known), Join(known, ", "));
    }
    chosen.push_back(entries[static_cast<size_t>(at - known.begin())]);
  }
  return chosen;
}

// A set that is absent is a failure only where it was asked for by name.
int Verify(const Flags& flags) {
  const SearchPath path = DefaultSearchPath({}, flags.data_dirs);
  const absl::StatusOr<std::vector<CatalogueEntry>> entries = Chosen(path, flags.names);
  if (!entries.ok()) return Fail(entries.status());
  bool good = true;
  Json list = Json::MakeArray();
  Table table{{{"name"}, {"state"}, {"rows", true}, {"what"}}, {}};
  for (const CatalogueEntry& entry : *entries) {
    const DatasetCheck check = CheckDataset(path, entry);
    const bool absent = check.state == DatasetState::kAbsent;
    good = good && (absent ? flags.names.empty()
                           : check.state == DatasetState::kAsPublished ||
                                 check.state == DatasetState::kRowsOnly);
    Json json = EntryJson(entry);
    json.Set("state", DatasetStateName(check.state));
    json.Set("path", check.path);
    json.Set("found_sha256", check.sha256);
    json.Set("found_rows", check.rows);
    json.Set("what", check.what);
    list.Append(std::move(json));
    table.AddRow({entry.name, std::string(DatasetStateName(check.state)),
                  absent ? "" : WithThousands(check.rows),
                  absent ? "to get it: " + HowToGet(entry) : check.what});
  }
  std::cout << (flags.json ? list.Dump(2) + "\n" : RenderTable(table, TableForm::kTerminal));
  return good ? 0 : 1;
}

void Declare(CommandLine& line) {
  const auto flags = std::make_shared<Flags>();
  CommandLine& list = line.Sub("list", "The catalogue, and which sets are here");
  list.Option("--data-dir", &flags->data_dirs, "directories with dataset files");
  list.Flag("--json", &flags->json, "machine-readable output");
  list.Action([flags] { return List(*flags); });

  CommandLine& verify = line.Sub("verify", "Compare the files at hand with the catalogue");
  verify.Positional("name", &flags->names, "sets to verify; default: all that are here", false);
  verify.Option("--data-dir", &flags->data_dirs, "directories with dataset files");
  verify.Flag("--json", &flags->json, "machine-readable output");
  verify.Action([flags] { return Verify(*flags); });
}

}  // namespace

Command DatasetsCommand() {
  Command command;
  command.name = "datasets";
  command.about = "List and verify dataset files";
  command.order = 61;
  command.declare = Declare;
  return command;
}

}  // namespace assay
