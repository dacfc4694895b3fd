// Reads datasets/catalogue.yaml and compares files with it.
#include "harness/catalogue.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "harness/compress.h"
#include "harness/rows.h"
#include "harness/status.h"
#include "harness/text.h"
#include "harness/yaml.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

absl::Status EntryError(const std::string& file, int line, std::string_view message) {
  return InvalidArgument("%s:%d: %s", file, line, message);
}

absl::StatusOr<CatalogueEntry> EntryFromYaml(const YamlNode& node, const std::string& file) {
  static const auto* known = new std::vector<std::string>{"name",   "file",    "sha256", "rows",
                                                          "origin", "licence", "get",    "tasks"};
  if (!node.is_map()) {
    return EntryError(file, node.line, "sets: expected a map, found " + Describe(node));
  }
  CatalogueEntry entry;
  for (size_t i = 0; i < node.members.size(); ++i) {
    const auto& [name, value] = node.members[i];
    const int line = node.member_lines[i];
    if (std::find(known->begin(), known->end(), name) == known->end()) {
      return EntryError(file, line,
                        absl::StrFormat("unknown key '%s'%s (known: %s)", Shorten(name, 60),
                                        DidYouMean(name, *known), Join(*known, ", ")));
    }
    const bool list = name == "tasks", number = name == "rows";
    const bool good = list     ? value.is_list()
                      : number ? value.value.is_integer() && value.value.AsInteger() > 0
                               : value.is_scalar() && value.value.is_string();
    if (!good) {
      return EntryError(file, line,
                        absl::StrFormat("%s: expected %s, found %s", name,
                                        list     ? "a list"
                                        : number ? "a number from 1 on"
                                                 : "text",
                                        Describe(value)));
    }
  }
  const Json json = YamlToJson(node);
  const auto text = [&](std::string_view name) { return json.FindString(name).value_or(""); };
  entry = {text("name"),   text("file"),    text("sha256"), json.FindInteger("rows").value_or(0),
           text("origin"), text("licence"), text("get"),    {}};
  if (const Json* tasks = json.Find("tasks")) {
    for (const Json& task : tasks->AsArray()) entry.tasks.push_back(task.ToText());
  }
  for (const char* required : {"name", "file", "origin", "licence", "get"}) {
    if (text(required).empty()) {
      return EntryError(file, node.line, absl::StrFormat("the key '%s' is missing", required));
    }
  }
  return entry;
}

absl::StatusOr<std::string> FindCatalogue(const SearchPath& path) {
  for (const std::string& directory : path.data_directories) {
    const fs::path file = fs::path(directory) / "catalogue.yaml";
    std::error_code ignored;
    if (fs::is_regular_file(file, ignored)) return file.string();
  }
  return NotFound("no catalogue.yaml in: %s", Join(path.data_directories, ", "));
}

absl::StatusOr<int64_t> CountRows(const std::string& file) {
  ASSIGN_OR_RETURN(std::unique_ptr<RowReader> rows, OpenRows(file));
  for (int64_t count = 0;; ++count) {
    ASSIGN_OR_RETURN(const std::optional<Row> row, rows->Next());
    if (!row) return count;
  }
}

DatasetCheck Broken(DatasetCheck check, const absl::Status& status) {
  check.state = DatasetState::kBroken;
  check.what = std::string(status.message());
  return check;
}

}  // namespace

absl::StatusOr<std::vector<CatalogueEntry>> LoadCatalogue(const SearchPath& path) {
  ASSIGN_OR_RETURN(const std::string file, FindCatalogue(path));
  ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> source, OpenByteSource(file, 16 << 20));
  ASSIGN_OR_RETURN(const std::string text, ReadAll(*source));
  ASSIGN_OR_RETURN(const YamlNode root, ParseYaml(text, file));
  const YamlNode* sets = root.Find("sets");
  if (sets == nullptr || !sets->is_list() || root.members.size() != 1) {
    return EntryError(file, root.line, "expected the one key 'sets' with a list");
  }
  std::vector<CatalogueEntry> entries;
  std::set<std::string> names;
  for (const YamlNode& node : sets->items) {
    ASSIGN_OR_RETURN(CatalogueEntry entry, EntryFromYaml(node, file));
    if (!names.insert(entry.name).second) {
      return EntryError(file, node.line, "the set '" + entry.name + "' stands here twice");
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::string FindDataset(const SearchPath& path, const CatalogueEntry& entry) {
  for (const std::string& directory : path.data_directories) {
    const fs::path file = fs::path(directory) / entry.file;
    std::error_code ignored;
    if (fs::is_regular_file(file, ignored)) return file.string();
  }
  return "";
}

DatasetCheck CheckDataset(const SearchPath& path, const CatalogueEntry& entry) {
  DatasetCheck check;
  check.path = FindDataset(path, entry);
  if (check.path.empty()) return check;
  absl::StatusOr<std::string> sha256 = FileSha256(check.path);
  if (!sha256.ok()) return Broken(std::move(check), sha256.status());
  check.sha256 = *std::move(sha256);
  const absl::StatusOr<int64_t> rows = CountRows(check.path);
  if (!rows.ok()) return Broken(std::move(check), rows.status());
  check.rows = *rows;
  check.state = entry.sha256.empty() ? DatasetState::kRowsOnly : DatasetState::kAsPublished;
  if (!entry.sha256.empty() && entry.sha256 != check.sha256) {
    check.state = DatasetState::kDiffers;
    check.what = absl::StrFormat("sha256 %s, wanted %s", check.sha256, entry.sha256);
  } else if (entry.rows > 0 && entry.rows != check.rows) {
    check.state = DatasetState::kDiffers;
    check.what = absl::StrFormat("%d rows, wanted %d", check.rows, entry.rows);
  }
  return check;
}

std::string_view DatasetStateName(DatasetState state) {
  static constexpr std::string_view kNames[] = {"absent", "as published", "right number of rows",
                                                "DIFFERS", "BROKEN"};
  return kNames[static_cast<size_t>(state)];
}

}  // namespace assay
