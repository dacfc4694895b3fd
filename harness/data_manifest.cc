// Strict on reading: a manifest that somebody edited wrongly must not pin something else.
#include "harness/data_manifest.h"

#include <algorithm>
#include <filesystem>

#include "harness/compress.h"
#include "harness/json.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kFormat = 1;

Json SetToJson(const PinnedSet& set) {
  Json json = Json::MakeObject({{"name", set.name},
                                {"file", set.file},
                                {"sha256", set.sha256},
                                {"rows", set.rows},
                                {"bytes", set.bytes}});
  if (!set.revision.empty()) json.Set("revision", set.revision);
  json.Set("when", set.when);
  json.Set("by", set.by);
  if (set.accepted) json.Set("accepted", true);
  Json sources = Json::MakeArray();
  for (const PinnedSource& source : set.sources) {
    Json entry = Json::MakeObject({{"from", source.from}, {"bytes", source.bytes}});
    if (!source.sha256.empty()) entry.Set("sha256", source.sha256);
    sources.Append(std::move(entry));
  }
  json.Set("sources", std::move(sources));
  return json;
}

absl::StatusOr<PinnedSet> SetFromJson(const Json& json) {
  const auto text = [&json](std::string_view name) { return json.FindString(name).value_or(""); };
  PinnedSet set;
  set.name = text("name");
  set.file = text("file");
  set.sha256 = text("sha256");
  set.rows = json.FindInteger("rows").value_or(0);
  set.bytes = json.FindInteger("bytes").value_or(0);
  set.revision = text("revision");
  set.when = text("when");
  set.by = text("by");
  set.accepted = json.FindBool("accepted").value_or(false);
  if (set.name.empty() || set.file.empty() || set.sha256.size() != 64) {
    return InvalidArgument("a set without 'name', 'file' or a 'sha256' of 64 digits: %s",
                           Shorten(json.Dump(), 80));
  }
  if (const Json* sources = json.Find("sources"); sources != nullptr && sources->is_array()) {
    for (const Json& source : sources->AsArray()) {
      set.sources.push_back({source.FindString("from").value_or(""),
                             source.FindString("sha256").value_or(""),
                             source.FindInteger("bytes").value_or(0)});
    }
  }
  return set;
}

absl::StatusOr<DataManifest> ManifestFromText(std::string_view text) {
  ASSIGN_OR_RETURN(const Json json, ParseJson(text));
  if (json.FindInteger("format") != kFormat) {
    return InvalidArgument("expected \"format\": %d", kFormat);
  }
  const Json* sets = json.Find("sets");
  if (sets == nullptr || !sets->is_array()) return InvalidArgument("expected the array 'sets'");
  DataManifest manifest;
  for (const Json& set : sets->AsArray()) {
    ASSIGN_OR_RETURN(PinnedSet pinned, SetFromJson(set));
    manifest.Put(std::move(pinned));
  }
  return manifest;
}

}  // namespace

const PinnedSet* DataManifest::Find(std::string_view name) const {
  const auto at = std::find_if(sets.begin(), sets.end(),
                               [name](const PinnedSet& set) { return set.name == name; });
  return at == sets.end() ? nullptr : &*at;
}

const PinnedSet* DataManifest::FindFile(std::string_view file) const {
  const auto at = std::find_if(sets.begin(), sets.end(),
                               [file](const PinnedSet& set) { return set.file == file; });
  return at == sets.end() ? nullptr : &*at;
}

void DataManifest::Put(PinnedSet set) {
  const auto at = std::lower_bound(
      sets.begin(), sets.end(), set.name,
      [](const PinnedSet& pinned, const std::string& name) { return pinned.name < name; });
  if (at != sets.end() && at->name == set.name) {
    *at = std::move(set);
  } else {
    sets.insert(at, std::move(set));
  }
}

absl::StatusOr<DataManifest> ReadDataManifest(const std::string& directory) {
  const std::string path = (fs::path(directory) / kDataManifestName).string();
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return DataManifest();
  ASSIGN_OR_RETURN(const std::unique_ptr<ByteSource> source, OpenByteSource(path, 64 << 20));
  ASSIGN_OR_RETURN(const std::string text, ReadAll(*source));
  absl::StatusOr<DataManifest> manifest = ManifestFromText(text);
  if (!manifest.ok()) return Annotate(manifest.status(), path);
  return manifest;
}

std::string DataManifestText(const DataManifest& manifest) {
  Json sets = Json::MakeArray();
  for (const PinnedSet& set : manifest.sets) sets.Append(SetToJson(set));
  return Json::MakeObject({{"format", kFormat}, {"sets", std::move(sets)}}).Dump(1) + "\n";
}

}  // namespace assay
