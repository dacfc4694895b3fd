// Reads datasets/catalogue.yaml and compares files with it.
#include "harness/catalogue.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <set>
#include <span>

#include "harness/compress.h"
#include "harness/data_manifest.h"
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

enum class Shape { kText, kTexts, kCount, kFlag, kMap };
struct Key {
  std::string_view name;
  Shape shape;
  std::string_view wanted;
};
constexpr Key kKeys[] = {
    {"name", Shape::kText, "text"},
    {"file", Shape::kText, "text"},
    {"sha256", Shape::kText, "text"},
    {"rows", Shape::kCount, "a number from 1 on"},
    {"origin", Shape::kText, "text"},
    {"licence", Shape::kText, "text"},
    {"citation", Shape::kText, "text"},
    {"get", Shape::kText, "text"},
    {"tasks", Shape::kTexts, "a list of texts"},
    {"fetch", Shape::kText, "text"},
    {"gated", Shape::kFlag, "true or false"},
    {"page", Shape::kText, "text"},
    {"hub_id", Shape::kText, "text"},
    {"revision", Shape::kText, "text"},
    {"config", Shape::kTexts, "text or a list of texts"},
    {"split", Shape::kText, "text"},
    {"files", Shape::kTexts, "a list of texts"},
    {"member", Shape::kText, "text"},
    {"convert", Shape::kMap, "a map"},
};
constexpr Key kConvertKeys[] = {
    {"keep", Shape::kMap, "a map"},
    {"rename", Shape::kMap, "a map of texts"},
    {"source_as", Shape::kText, "text"},
    {"number_as", Shape::kText, "text"},
};
constexpr Key kKeepKeys[] = {
    {"field", Shape::kText, "text"},
    {"from", Shape::kCount, "a number from 0 on"},
    {"to", Shape::kCount, "a number from 0 on"},
    {"equals", Shape::kText, "text"},
};

bool IsText(const YamlNode& node) { return node.is_scalar() && node.value.is_string(); }

bool Fits(const YamlNode& node, Shape shape) {
  switch (shape) {
    case Shape::kText:
      return IsText(node);
    case Shape::kTexts:
      return IsText(node) ||
             (node.is_list() && std::all_of(node.items.begin(), node.items.end(), IsText));
    case Shape::kCount:
      return node.is_scalar() && node.value.is_integer() && node.value.AsInteger() >= 0;
    case Shape::kFlag:
      return node.is_scalar() && node.value.is_bool();
    case Shape::kMap:
      return node.is_map();
  }
  return false;
}

// Every member is a known key and has its shape. `where`: "convert." or "".
absl::Status CheckKeys(const YamlNode& node, std::span<const Key> keys, const std::string& file,
                       const std::string& where) {
  std::vector<std::string> known;
  for (const Key& key : keys) known.emplace_back(key.name);
  for (size_t i = 0; i < node.members.size(); ++i) {
    const auto& [name, value] = node.members[i];
    const int line = node.member_lines[i];
    const auto at = std::find(known.begin(), known.end(), name);
    if (at == known.end()) {
      return EntryError(
          file, line,
          absl::StrFormat("unknown key '%s%s'%s (known: %s)", where, Shorten(name, 60),
                          DidYouMean(name, known), Join(known, ", ")));
    }
    const Key& key = keys[static_cast<size_t>(at - known.begin())];
    if (!Fits(value, key.shape)) {
      return EntryError(
          file, line,
          absl::StrFormat("%s%s: expected %s, found %s", where, name, key.wanted, Describe(value)));
    }
  }
  return absl::OkStatus();
}

std::string TextOf(const YamlNode& node, std::string_view name) {
  const YamlNode* found = node.Find(name);
  return found == nullptr ? "" : found->value.AsString();
}

std::optional<int64_t> CountOf(const YamlNode& node, std::string_view name) {
  const YamlNode* found = node.Find(name);
  if (found == nullptr) return std::nullopt;
  return found->value.AsInteger();
}

// One text stands for a list of one.
std::vector<std::string> TextsOf(const YamlNode& node, std::string_view name) {
  const YamlNode* found = node.Find(name);
  if (found == nullptr) return {};
  if (!found->is_list()) return {found->value.AsString()};
  std::vector<std::string> texts;
  for (const YamlNode& item : found->items) texts.push_back(item.value.AsString());
  return texts;
}

absl::StatusOr<RowsToKeep> KeepFromYaml(const YamlNode& node, const std::string& file) {
  RETURN_IF_ERROR(CheckKeys(node, kKeepKeys, file, "convert.keep."));
  RowsToKeep keep;
  keep.field = TextOf(node, "field");
  keep.from = CountOf(node, "from");
  keep.to = CountOf(node, "to");
  if (node.Find("equals") != nullptr) keep.equals = TextOf(node, "equals");
  const bool range = keep.from || keep.to;
  if (keep.field.empty() || range == keep.equals.has_value()) {
    return EntryError(file, node.line,
                      "convert.keep: expected 'field' with 'from' and 'to', or with 'equals'");
  }
  return keep;
}

absl::StatusOr<RowConversion> ConversionFromYaml(const YamlNode& node, const std::string& file) {
  RETURN_IF_ERROR(CheckKeys(node, kConvertKeys, file, "convert."));
  RowConversion convert;
  if (const YamlNode* keep = node.Find("keep")) {
    ASSIGN_OR_RETURN(convert.keep, KeepFromYaml(*keep, file));
  }
  if (const YamlNode* rename = node.Find("rename")) {
    for (const auto& [from, to] : rename->members) {
      if (!IsText(to) || to.value.AsString().empty()) {
        return EntryError(
            file, to.line,
            absl::StrFormat("convert.rename.%s: expected text, found %s", from, Describe(to)));
      }
      convert.rename.emplace_back(from, to.value.AsString());
    }
  }
  convert.source_as = TextOf(node, "source_as");
  convert.number_as = TextOf(node, "number_as");
  return convert;
}

constexpr std::string_view kFetchMethods[] = {"shipped", "resolve", "rows", "url", "by_hand"};

std::optional<FetchMethod> FetchMethodFromName(std::string_view name) {
  for (size_t i = 0; i < std::size(kFetchMethods); ++i) {
    if (kFetchMethods[i] == name) return static_cast<FetchMethod>(i);
  }
  return std::nullopt;
}

bool IsHex(std::string_view text, size_t digits) {
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == text.npos;
}

// Letters, digits and -._ ; neither "." nor "..": what may stand between two slashes of an address
// or be a file's name.
bool IsPlainName(std::string_view name) {
  static constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._";
  return !name.empty() && name.front() != '.' && name.find_first_not_of(kAllowed) == name.npos;
}

bool IsHubId(std::string_view id) {
  const std::vector<std::string_view> parts = Split(id, '/');
  return parts.size() == 2 && IsPlainName(parts[0]) && IsPlainName(parts[1]);
}

// A path within a repository or an archive: it leads nowhere else.
bool IsInnerPath(std::string_view path) {
  for (const std::string_view part : Split(path, '/')) {
    if (part.empty() || part == "." || part == "..") return false;
  }
  return path.find_first_of("\\?#") == path.npos &&
         std::none_of(path.begin(), path.end(), [](char c) { return c > 0 && c < ' '; });
}

bool IsWebAddress(std::string_view url) {
  const size_t begin = url.starts_with("https://") ? 8 : url.starts_with("http://") ? 7 : 0;
  if (begin == 0 || url.find_first_of(" \t\"<>") != url.npos) return false;
  const std::string_view host = url.substr(begin, url.find('/', begin) - begin);
  return !host.empty() && host.find('@') == host.npos;
}

// What is wrong between the keys; "" where nothing is.
std::string WrongTogether(const CatalogueEntry& entry) {
  const auto every = [&entry](auto good) {
    return std::all_of(entry.files.begin(), entry.files.end(), good);
  };
  const bool resolve = entry.fetch == FetchMethod::kResolve;
  const bool rows = entry.fetch == FetchMethod::kRows;
  const bool url = entry.fetch == FetchMethod::kUrl;
  const bool rewritten = rows || entry.files.size() > 1 || !entry.convert.empty() ||
                         entry.member.find('*') != std::string::npos;
  if ((resolve || rows) && entry.hub_id.empty()) return "fetch: it wants 'hub_id'";
  if ((resolve || url) && entry.files.empty()) return "fetch: it wants 'files'";
  if (!resolve && !url && !entry.files.empty()) return "files: only with fetch: resolve or url";
  if (rows && entry.split.empty()) return "fetch: rows wants 'split'";
  if (entry.fetch == FetchMethod::kByHand && entry.get.empty()) {
    return "the key 'get' is missing: a set that no command fetches says how to get it";
  }
  if (resolve && !every(IsInnerPath)) return "files: expected paths within the repository";
  if (url && !every(IsWebAddress)) return "files: expected addresses (https://...)";
  if (!entry.member.empty() &&
      !every([](const std::string& name) { return name.ends_with(".zip"); })) {
    return "member: only where every one of 'files' is a .zip";
  }
  if (!entry.member.empty() && !IsInnerPath(entry.member)) {
    return "member: expected a path within the archive";
  }
  if (rewritten && !entry.file.ends_with(".jsonl")) {
    return "file: what is joined or converted is written as .jsonl";
  }
  if (entry.gated && entry.page.empty()) return "gated: it wants 'page'";
  return "";
}

// What is wrong with one value by itself; "" where nothing is.
std::string WrongAlone(const CatalogueEntry& entry) {
  for (const auto& [name, value] : {std::pair("name", entry.name), std::pair("file", entry.file)}) {
    if (IsPlainName(value)) continue;
    return absl::StrFormat("%s: expected letters, digits and -._, found '%s'", name,
                           Shorten(value, 60));
  }
  if (!entry.sha256.empty() && !IsHex(entry.sha256, 64)) {
    return "sha256: expected 64 hex digits in lower case";
  }
  if (!entry.revision.empty() && !IsHex(entry.revision, 40)) {
    return "revision: expected 40 hex digits in lower case; leave it out where it is not known";
  }
  if (!entry.hub_id.empty() && !IsHubId(entry.hub_id)) {
    return absl::StrFormat("hub_id: expected OWNER/NAME, found '%s'", Shorten(entry.hub_id, 80));
  }
  if (!entry.page.empty() && !IsWebAddress(entry.page)) return "page: expected an address";
  return "";
}

absl::StatusOr<CatalogueEntry> EntryFromYaml(const YamlNode& node, const std::string& file) {
  if (!node.is_map()) {
    return EntryError(file, node.line, "sets: expected a map, found " + Describe(node));
  }
  RETURN_IF_ERROR(CheckKeys(node, kKeys, file, ""));
  CatalogueEntry entry;
  entry.name = TextOf(node, "name");
  entry.file = TextOf(node, "file");
  entry.sha256 = TextOf(node, "sha256");
  entry.rows = CountOf(node, "rows").value_or(0);
  entry.origin = TextOf(node, "origin");
  entry.licence = TextOf(node, "licence");
  entry.citation = TextOf(node, "citation");
  entry.get = TextOf(node, "get");
  entry.tasks = TextsOf(node, "tasks");
  const YamlNode* gated = node.Find("gated");
  entry.gated = gated != nullptr && gated->value.AsBool();
  entry.page = TextOf(node, "page");
  entry.hub_id = TextOf(node, "hub_id");
  entry.revision = TextOf(node, "revision");
  entry.configs = TextsOf(node, "config");
  entry.split = TextOf(node, "split");
  entry.files = TextsOf(node, "files");
  entry.member = TextOf(node, "member");
  for (const char* required : {"name", "file", "origin", "licence", "fetch"}) {
    if (TextOf(node, required).empty()) {
      return EntryError(file, node.line, absl::StrFormat("the key '%s' is missing", required));
    }
  }
  if (node.Find("rows") != nullptr && entry.rows == 0) {
    return EntryError(file, node.Find("rows")->line, "rows: expected a number from 1 on, found 0");
  }
  const std::string fetch = TextOf(node, "fetch");
  const std::optional<FetchMethod> method = FetchMethodFromName(fetch);
  if (!method) {
    const std::vector<std::string> known(std::begin(kFetchMethods), std::end(kFetchMethods));
    return EntryError(file, node.Find("fetch")->line,
                      absl::StrFormat("fetch: no way '%s'%s (known: %s)", Shorten(fetch, 60),
                                      DidYouMean(fetch, known), Join(known, ", ")));
  }
  entry.fetch = *method;
  if (const YamlNode* convert = node.Find("convert")) {
    ASSIGN_OR_RETURN(entry.convert, ConversionFromYaml(*convert, file));
  }
  if (entry.gated && entry.page.empty() && !entry.hub_id.empty()) {
    entry.page = "https://huggingface.co/datasets/" + entry.hub_id;
  }
  if (entry.fetch == FetchMethod::kRows && entry.configs.empty()) entry.configs = {"default"};
  for (const std::string& wrong : {WrongAlone(entry), WrongTogether(entry)}) {
    if (!wrong.empty()) return EntryError(file, node.line, "'" + entry.name + "': " + wrong);
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

// A choice of the user's stands above the catalogue, the catalogue above an earlier fetch.
DatasetCheck Compared(DatasetCheck check, const CatalogueEntry& entry, const PinnedSet* pinned) {
  const bool accepted = pinned != nullptr && pinned->accepted;
  const bool by_catalogue = !entry.sha256.empty() && !accepted;
  const std::string wanted = by_catalogue ? entry.sha256 : pinned != nullptr ? pinned->sha256 : "";
  if (!wanted.empty() && wanted != check.sha256) {
    check.state = DatasetState::kDiffers;
    check.what = absl::StrFormat("sha256 %s, wanted %s", check.sha256, wanted);
    return check;
  }
  if (entry.rows > 0 && entry.rows != check.rows && !accepted) {
    check.state = DatasetState::kDiffers;
    check.what = absl::StrFormat("%d rows, wanted %d", check.rows, entry.rows);
    return check;
  }
  check.state = by_catalogue        ? DatasetState::kAsPublished
                : pinned != nullptr ? DatasetState::kAsPinned
                                    : DatasetState::kRowsOnly;
  if (accepted) check.what = "not the catalogue's: accepted on " + pinned->when;
  return check;
}

DatasetCheck Broken(DatasetCheck check, const absl::Status& status) {
  check.state = DatasetState::kBroken;
  check.what = std::string(status.message());
  return check;
}

}  // namespace

std::string_view FetchMethodName(FetchMethod method) {
  return kFetchMethods[static_cast<size_t>(method)];
}

absl::StatusOr<std::vector<CatalogueEntry>> CatalogueFromText(std::string_view text,
                                                              const std::string& file) {
  ASSIGN_OR_RETURN(const YamlNode root, ParseYaml(text, file));
  const YamlNode* sets = root.Find("sets");
  if (sets == nullptr || !sets->is_list() || root.members.size() != 1) {
    return EntryError(file, root.line, "expected the one key 'sets' with a list");
  }
  std::vector<CatalogueEntry> entries;
  std::set<std::string> names, files;
  for (const YamlNode& node : sets->items) {
    ASSIGN_OR_RETURN(CatalogueEntry entry, EntryFromYaml(node, file));
    if (!names.insert(entry.name).second) {
      return EntryError(file, node.line, "the set '" + entry.name + "' stands here twice");
    }
    if (!files.insert(entry.file).second) {
      return EntryError(file, node.line, "two sets have the file '" + entry.file + "'");
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

absl::StatusOr<std::vector<CatalogueEntry>> LoadCatalogue(const SearchPath& path) {
  ASSIGN_OR_RETURN(const std::string file, FindCatalogue(path));
  ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> source, OpenByteSource(file, 16 << 20));
  ASSIGN_OR_RETURN(const std::string text, ReadAll(*source));
  return CatalogueFromText(text, file);
}

absl::StatusOr<std::vector<CatalogueEntry>> LoadAllSets(const SearchPath& path) {
  ASSIGN_OR_RETURN(std::vector<CatalogueEntry> entries, LoadCatalogue(path));
  std::set<std::string> names;
  for (const CatalogueEntry& entry : entries) names.insert(entry.name);
  for (const std::string& directory : path.data_directories) {
    ASSIGN_OR_RETURN(const DataManifest manifest, ReadDataManifest(directory));
    for (const PinnedSet& set : manifest.sets) {
      if (!names.insert(set.name).second) continue;
      CatalogueEntry entry;
      entry.name = set.name;
      entry.file = set.file;
      entry.rows = set.rows;
      entry.origin = set.sources.empty() ? "imported" : "imported from " + set.sources[0].from;
      entry.licence = "not stated";
      entry.get = "`assay datasets import FILE --as " + set.name + "`";
      entries.push_back(std::move(entry));
    }
  }
  return entries;
}

std::string HowToGet(const CatalogueEntry& entry) {
  switch (entry.fetch) {
    case FetchMethod::kShipped:
      return "it lies in assay's datasets/";
    case FetchMethod::kByHand:
      return entry.get;
    default:
      break;
  }
  const std::string command = "`assay datasets fetch " + entry.name + "`";
  if (!entry.gated) return command;
  return absl::StrFormat("accept its terms at %s, set HF_TOKEN, then %s", entry.page, command);
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
  const absl::StatusOr<DataManifest> manifest =
      ReadDataManifest(fs::path(check.path).parent_path().string());
  if (!manifest.ok()) return Broken(std::move(check), manifest.status());
  return Compared(std::move(check), entry, manifest->FindFile(entry.file));
}

std::string_view DatasetStateName(DatasetState state) {
  static constexpr std::string_view kNames[] = {
      "absent", "as published", "as pinned", "right number of rows", "DIFFERS", "BROKEN"};
  return kNames[static_cast<size_t>(state)];
}

}  // namespace assay
