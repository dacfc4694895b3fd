// `assay datasets`: which sets the tasks read, getting them, and whether the files at hand are
// those.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>

#include "commands/shared/fetching.h"
#include "commands/shared/interrupt.h"
#include "fetch/fetch.h"
#include "harness/catalogue.h"
#include "harness/command.h"
#include "harness/status.h"
#include "harness/text.h"
#include "reports/table.h"

namespace assay {
namespace {

struct Flags {
  FetchFlags fetch;
  std::vector<std::string> names;
  std::vector<std::string> include_paths;
  std::string suite;
  std::string as;
  bool quiet = false;
  bool json = false;
};

SearchPath PathOf(const Flags& flags) {
  return DefaultSearchPath(flags.include_paths, flags.fetch.data_dirs);
}

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
  const SearchPath path = PathOf(flags);
  const absl::StatusOr<std::vector<CatalogueEntry>> entries = LoadAllSets(path);
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
  ASSIGN_OR_RETURN(std::vector<CatalogueEntry> entries, LoadAllSets(path));
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
  const SearchPath path = PathOf(flags);
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
                                 check.state == DatasetState::kAsPinned ||
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

// --- fetch ---

// The sets that a suite's tasks read.
absl::StatusOr<std::vector<std::string>> NamesOfSuite(const SearchPath& path,
                                                      const std::string& suite) {
  ASSIGN_OR_RETURN(const std::vector<Task> tasks, LoadTasks(path, suite, {}));
  ASSIGN_OR_RETURN(const std::vector<CatalogueEntry> entries, LoadCatalogue(path));
  std::vector<std::string> names;
  for (const Task& task : tasks) {
    const auto entry = std::find_if(
        entries.begin(), entries.end(),
        [&task](const CatalogueEntry& candidate) { return candidate.file == task.dataset.file; });
    if (entry == entries.end()) {
      return NotFound("suite '%s': the catalogue has no set for the file '%s' of the task '%s'",
                      suite, task.dataset.file, task.name);
    }
    if (std::find(names.begin(), names.end(), entry->name) == names.end()) {
      names.push_back(entry->name);
    }
  }
  return names;
}

absl::StatusOr<std::vector<CatalogueEntry>> ToFetch(const Flags& flags, const SearchPath& path) {
  const bool all = flags.names == std::vector<std::string>{"all"};
  if (flags.names.empty() == flags.suite.empty()) {
    return InvalidArgument("name the sets to fetch, or `all`, or a suite (--suite r1)");
  }
  if (!flags.suite.empty()) {
    ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesOfSuite(path, flags.suite));
    return Chosen(path, names);
  }
  if (!all) return Chosen(path, flags.names);
  ASSIGN_OR_RETURN(std::vector<CatalogueEntry> entries, LoadCatalogue(path));
  std::erase_if(entries, [](const CatalogueEntry& entry) {
    return entry.fetch == FetchMethod::kShipped || entry.fetch == FetchMethod::kByHand;
  });
  return entries;
}

// A set that lies in another data directory is compared there, not fetched a second time.
std::string DirectoryFor(const SearchPath& path, const CatalogueEntry& entry,
                         const std::string& fallback) {
  const std::string found = FindDataset(path, entry);
  if (found.empty()) return fallback;
  return std::filesystem::path(found).parent_path().string();
}

Json FetchedJson(const CatalogueEntry& entry, const absl::StatusOr<fetch::FetchedSet>& set) {
  Json json = Json::MakeObject({{"name", entry.name}, {"ok", set.ok()}});
  if (!set.ok()) {
    json.Set("error", std::string(set.status().message()));
    return json;
  }
  json.Set("fetched", !set->was_here);
  json.Set("path", set->path);
  json.Set("sha256", set->sha256);
  json.Set("rows", set->rows);
  json.Set("bytes", set->bytes);
  json.Set("download_seconds", set->download_seconds);
  return json;
}

std::vector<std::string> FetchedCells(const CatalogueEntry& entry, const fetch::FetchedSet& set,
                                      std::string_view act) {
  return {entry.name, set.was_here ? "was here" : std::string(act), WithThousands(set.rows),
          Shorten(set.sha256, 16), set.path};
}

int Fetch(const Flags& flags) {
  const SearchPath path = PathOf(flags);
  const absl::StatusOr<std::vector<CatalogueEntry>> entries = ToFetch(flags, path);
  if (!entries.ok()) return Fail(entries.status());
  FetchPrinter printer(flags.quiet);
  absl::StatusOr<fetch::FetchOptions> options = MakeFetchOptions(flags.fetch, &printer);
  if (!options.ok()) return Fail(options.status());
  const std::string target = options->directory;
  const InterruptGuard guard;
  Json list = Json::MakeArray();
  Table table{{{"name"}, {"state"}, {"rows", true}, {"sha256"}, {"path"}}, {}};
  bool good = true;
  for (const CatalogueEntry& entry : *entries) {
    options->directory = DirectoryFor(path, entry, target);
    const absl::StatusOr<fetch::FetchedSet> set = fetch::FetchDataset(entry, *options);
    printer.Clear();
    good = good && set.ok();
    list.Append(FetchedJson(entry, set));
    if (set.ok()) {
      table.AddRow(FetchedCells(entry, *set, "fetched"));
    } else {
      Fail(set.status());
    }
    if (Interrupted()) return 130;
  }
  if (flags.json) {
    std::cout << list.Dump(2) << "\n";
  } else if (!table.rows.empty()) {
    std::cout << RenderTable(table, TableForm::kTerminal);
  }
  return good ? 0 : 1;
}

// --- import and path ---

absl::StatusOr<fetch::FetchedSet> ImportAs(const Flags& flags, CatalogueEntry* entry) {
  const SearchPath path = PathOf(flags);
  ASSIGN_OR_RETURN(const std::vector<CatalogueEntry> entries, LoadCatalogue(path));
  const auto known =
      std::find_if(entries.begin(), entries.end(),
                   [&flags](const CatalogueEntry& one) { return one.name == flags.as; });
  if (known != entries.end()) {
    *entry = *known;
  } else {
    if (flags.names.size() != 1) {
      return InvalidArgument("a set of your own is one file, found %d", flags.names.size());
    }
    ASSIGN_OR_RETURN(*entry, fetch::EntryForImport(flags.as, flags.names[0]));
  }
  FetchPrinter printer(flags.quiet);
  ASSIGN_OR_RETURN(const fetch::FetchOptions options, MakeFetchOptions(flags.fetch, &printer));
  const InterruptGuard guard;
  return fetch::ImportDataset(*entry, flags.names, options);
}

int Import(const Flags& flags) {
  if (flags.as.empty()) return Fail(InvalidArgument("--as: which set is it?"));
  CatalogueEntry entry;
  const absl::StatusOr<fetch::FetchedSet> set = ImportAs(flags, &entry);
  if (!set.ok()) return Fail(set.status());
  if (flags.json) {
    std::cout << FetchedJson(entry, set).Dump(2) << "\n";
    return 0;
  }
  Table table{{{"name"}, {"state"}, {"rows", true}, {"sha256"}, {"path"}}, {}};
  table.AddRow(FetchedCells(entry, *set, "imported"));
  std::cout << RenderTable(table, TableForm::kTerminal);
  return 0;
}

int Path(const Flags& flags) {
  const SearchPath path = PathOf(flags);
  const absl::StatusOr<std::vector<CatalogueEntry>> entries = Chosen(path, flags.names);
  if (!entries.ok()) return Fail(entries.status());
  int status = 0;
  Json list = Json::MakeArray();
  for (const CatalogueEntry& entry : *entries) {
    const std::string found = FindDataset(path, entry);
    list.Append(
        Json::MakeObject({{"name", entry.name}, {"path", found.empty() ? Json() : Json(found)}}));
    if (found.empty()) {
      status = Fail(NotFound("%s is not here: %s", entry.file, HowToGet(entry)));
    } else if (!flags.json) {
      std::cout << found << "\n";
    }
  }
  if (flags.json) std::cout << list.Dump(2) << "\n";
  return status;
}

void DeclareCommon(CommandLine& line, Flags* flags) {
  line.Option("--data-dir", &flags->fetch.data_dirs, "directories with dataset files");
  line.Flag("--json", &flags->json, "machine-readable output");
}

void Declare(CommandLine& line) {
  const auto flags = std::make_shared<Flags>();
  CommandLine& list = line.Sub("list", "The catalogue, and which sets are here");
  DeclareCommon(list, flags.get());
  list.Action([flags] { return List(*flags); });

  CommandLine& get = line.Sub("fetch", "Download sets, check them, pin them");
  get.Positional("name", &flags->names, "sets to fetch, or all", false);
  get.Option("--suite", &flags->suite, "the sets that this suite's tasks read");
  get.Option("--include-path", &flags->include_paths, "directories with more task files");
  get.Flag("--offline", &flags->fetch.offline, "do not touch the network: compare what is here");
  get.Flag("--again", &flags->fetch.again, "fetch also what is here, and compare");
  get.Flag("--accept-new", &flags->fetch.accept_new, "take and pin what differs from the pin");
  get.Option("--timeout", &flags->fetch.timeout, "seconds without a byte before a new try");
  get.Flag("--quiet,-q", &flags->quiet, "no progress");
  DeclareCommon(get, flags.get());
  get.Action([flags] { return Fetch(*flags); });

  CommandLine& verify = line.Sub("verify", "Compare the files at hand with catalogue and pins");
  verify.Positional("name", &flags->names, "sets to verify; default: all that are here", false);
  DeclareCommon(verify, flags.get());
  verify.Action([flags] { return Verify(*flags); });

  CommandLine& import = line.Sub("import", "Take files at hand as a set, as a fetch would");
  import.Positional("file", &flags->names, "the files, in the catalogue's order", true);
  import.Option("--as", &flags->as, "the set's name: of the catalogue, or your own");
  import.Flag("--accept-new", &flags->fetch.accept_new, "take and pin what differs from the pin");
  import.Flag("--quiet,-q", &flags->quiet, "no progress");
  DeclareCommon(import, flags.get());
  import.Action([flags] { return Import(*flags);
});

CommandLine& where = line.Sub("path", "Where a set's file is");
where.Positional("name", &flags->names, "sets to look for", true);
DeclareCommon(where, flags.get());
where.Action([flags] { return Path(*flags); });
}  // namespace

}  // namespace assay

Command DatasetsCommand() {
  Command command;
  command.name = "datasets";
  command.about = "List, fetch, import and verify dataset files";
  command.order = 61;
  command.declare = Declare;
  return command;
}

}  // namespace assay
