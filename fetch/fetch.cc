// Is it here? Else, under the set's lock: get the sources, make the file, check it, pin it, put it
// in place.
#include "fetch/fetch.h"

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <memory>
#include <optional>

#include "fetch/archive.h"
#include "fetch/convert.h"
#include "fetch/download.h"
#include "fetch/files.h"
#include "fetch/rows_api.h"
#include "harness/build_info.h"
#include "harness/data_manifest.h"
#include "harness/rows.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay::fetch {
namespace {

namespace fs = std::filesystem;

std::string UtcNow() {
  const std::time_t now = std::time(nullptr);
  std::tm parts = {};
  gmtime_r(&now, &parts);
  char text[32] = {};
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

// What the file must be, and who says so.
struct Pin {
  std::string sha256;  // empty: nobody says
  std::string by;      // "the catalogue"
};

bool IsWrongData(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsDataLoss(status) ||
         absl::IsFailedPrecondition(status);
}

// What the sources gave.
struct Gathered {
  std::vector<SourceFile> files;
  std::vector<PinnedSource> pinned;
  std::string revision;
};

class Fetcher {
 public:
  Fetcher(const CatalogueEntry& entry, const FetchOptions& options)
      : entry_(entry),
        options_(options),
        directory_(options.directory),
        final_path_((directory_ / entry.file).string()),
        work_((directory_ / ".fetch" / entry.name).string()) {}

  absl::StatusOr<FetchedSet> Fetch() {
    if (entry_.fetch == FetchMethod::kShipped || entry_.fetch == FetchMethod::kByHand) {
      RETURN_IF_ERROR(ReadManifest());
      if (IsHere()) return TakeWhatIsHere();
      return FailedPrecondition("%s: no command fetches this set: %s", entry_.name,
                                HowToGet(entry_));
    }
    RETURN_IF_ERROR(ReadManifest());
    if (IsHere() && !options_.again) return TakeWhatIsHere();
    if (options_.offline) {
      return FailedPrecondition(
          "%s: %s is not in %s, and --offline forbids to fetch it; on a machine with a network: %s",
          entry_.name, entry_.file, options_.directory, HowToGet(entry_));
    }
    return WithLock([this]() -> absl::StatusOr<FetchedSet> {
      // Another process may have got it while this one waited.
      if (IsHere() && (!options_.again || waited_)) return TakeWhatIsHere();
      const auto begun = std::chrono::steady_clock::now();
      ASSIGN_OR_RETURN(const Gathered gathered, Gather());
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
      ASSIGN_OR_RETURN(FetchedSet set, Settle(gathered));
      set.download_seconds = took.count();
      return set;
    });
  }

  absl::StatusOr<FetchedSet> Import(const std::vector<std::string>& files) {
    return WithLock([&]() -> absl::StatusOr<FetchedSet> {
      ASSIGN_OR_RETURN(const Gathered gathered, TakeFiles(files));
      return Settle(gathered);
    });
  }

 private:
  template <typename Act>
  absl::StatusOr<FetchedSet> WithLock(const Act& act) {
    RETURN_IF_ERROR(MakeDirectory(work_));
    ASSIGN_OR_RETURN(
        const FileLock lock, FileLock::Take(work_ + ".lock", [this] {
          if (!waited_) {
            options_.watcher.note(entry_.name + ": another process is fetching it; waiting");
          }
          waited_ = true;
          return !options_.watcher.stopping();
        }));
    RETURN_IF_ERROR(MakeDirectory(work_));  // the holder before may have removed it
    RETURN_IF_ERROR(ReadManifest());
    absl::StatusOr<FetchedSet> set = act();
    std::error_code ignored;
    fs::remove(work_ + "/made", ignored);
    // What came whole and is wrong is not kept, so that the next fetch downloads it again; what
    // broke off is.
    if (set.ok() || IsWrongData(set.status())) fs::remove_all(work_, ignored);
    return set;
  }

  absl::Status ReadManifest() {
    ASSIGN_OR_RETURN(manifest_, ReadDataManifest(options_.directory));
    return absl::OkStatus();
  }

  const PinnedSet* Pinned() const { return manifest_.Find(entry_.name); }
  bool IsHere() const { return FileSize(final_path_) >= 0; }

  // A choice of the user's stands above the catalogue, the catalogue above an earlier fetch.
  Pin WantedPin() const {
    const PinnedSet* pinned = Pinned();
    const std::string manifest = (directory_ / kDataManifestName).string();
    if (pinned != nullptr && pinned->accepted) {
      return {pinned->sha256, "you accepted on " + pinned->when + " (" + manifest + ")"};
    }
    if (!entry_.sha256.empty()) return {entry_.sha256, "the catalogue pins"};
    if (pinned == nullptr) return {};
    return {pinned->sha256, "the fetch of " + pinned->when + " pinned (" + manifest + ")"};
  }

  // The file in the data directory, compared with the pin; pinned where nobody did.
  absl::StatusOr<FetchedSet> TakeWhatIsHere() {
    FetchedSet set;
    set.path = final_path_;
    set.was_here = true;
    set.bytes = FileSize(final_path_);
    ASSIGN_OR_RETURN(set.sha256, FileSha256(final_path_));
    const PinnedSet* pinned = Pinned();
    if (pinned != nullptr && pinned->sha256 == set.sha256 && Agrees(set.sha256)) {
      set.rows = pinned->rows;
      return set;
    }
    if (!Agrees(set.sha256) && !options_.accept_new) {
      return FailedPrecondition(
          "%s: %s is not the file that was pinned: its sha256 is %s, %s %s. It was changed or "
          "damaged: fetch it anew with `assay datasets fetch %s --again`, or accept what is here "
          "with --accept-new",
          entry_.name, final_path_, set.sha256, WantedPin().by, WantedPin().sha256, entry_.name);
    }
    ASSIGN_OR_RETURN(set.rows, CheckRows(final_path_));
    const bool is_pinned = Agrees(set.sha256) && !WantedPin().sha256.empty();
    if (is_pinned) return set;
    // Somebody else's directory, say: then it stays unpinned, and is none the worse for it.
    const absl::Status wrote = PinSet(set, {.pinned = {{final_path_, set.sha256, set.bytes}}});
    if (absl::IsPermissionDenied(wrote)) return set;
    RETURN_IF_ERROR(wrote);
    return set;
  }

  bool Agrees(const std::string& sha256) const {
    const Pin pin = WantedPin();
    return pin.sha256.empty() || pin.sha256 == sha256;
  }

  std::string Revision() const {
    if (!entry_.revision.empty()) return entry_.revision;
    const PinnedSet* pinned = Pinned();
    const bool keep = pinned != nullptr && !pinned->revision.empty() && !options_.accept_new;
    return keep ? pinned->revision : "main";
  }

  absl::StatusOr<Gathered> Gather() {
    Transfer transfer(options_.hub, entry_, options_.patience, options_.watcher);
    return entry_.fetch == FetchMethod::kRows ? GatherRows(transfer) : GatherFiles(transfer);
  }

  absl::StatusOr<Gathered> GatherRows(Transfer& transfer) {
    Gathered gathered;
    for (size_t i = 0; i < entry_.configs.size(); ++i) {
      const std::string& config = entry_.configs[i];
      const std::string path = absl::StrFormat("%s/rows-%d", work_, i);
      ASSIGN_OR_RETURN(const FetchedRows rows, FetchRows(transfer, config, path));
      gathered.files.push_back({path, config + ".jsonl"});
      gathered.pinned.push_back({absl::StrFormat("%s/rows %s %s %s", options_.hub.rows_endpoint,
                                                 entry_.hub_id, config, entry_.split),
                                 "", rows.bytes});
      gathered.revision = rows.revision;
    }
    if (!entry_.revision.empty() && gathered.revision != entry_.revision) {
      options_.watcher.note(absl::StrFormat(
          "%s: the rows API serves the newest revision (%s); the catalogue names %s", entry_.name,
          gathered.revision.empty() ? "it does not say which" : Shorten(gathered.revision, 40),
          entry_.revision));
    }
    return gathered;
  }

  absl::StatusOr<Gathered> GatherFiles(Transfer& transfer) {
    Gathered gathered;
    const bool resolve = entry_.fetch == FetchMethod::kResolve;
    for (size_t i = 0; i < entry_.files.size(); ++i) {
      const std::string& file = entry_.files[i];
      const std::string url =
          resolve ? ResolveUrl(options_.hub, entry_.hub_id, Revision(), file) : file;
      const std::string path = absl::StrFormat("%s/file-%d", work_, i);
      const std::string name = file.substr(file.rfind('/') + 1);
      ASSIGN_OR_RETURN(const Downloaded downloaded,
                       Download(transfer, url, path, entry_.name + ": " + name));
      if (!downloaded.revision.empty()) gathered.revision = downloaded.revision;
      gathered.pinned.push_back({ShownUrl(url), downloaded.sha256, downloaded.bytes});
      RETURN_IF_ERROR(AddFile(path, name, &gathered));
    }
    return gathered;
  }

  // An archive gives its members.
  absl::Status AddFile(const std::string& path, const std::string& name, Gathered* gathered) {
    if (entry_.member.empty() || !name.ends_with(".zip")) {
      gathered->files.push_back({path, name});
      return absl::OkStatus();
    }
    const std::string prefix = absl::StrFormat("%s/member-%d-", work_, gathered->pinned.size());
    ASSIGN_OR_RETURN(const std::vector<Member> members,
                     ExtractMembers(path, entry_.member, prefix));
    for (const Member& member : members) gathered->files.push_back({member.path, member.name});
    return absl::OkStatus();
  }

  absl::StatusOr<Gathered> TakeFiles(const std::vector<std::string>& files) {
    Gathered gathered;
    for (const std::string& file : files) {
      // What is no such file by its name (Parquet) is told by that name.
      if (!file.ends_with(".zip")) RETURN_IF_ERROR(OpenRows(file).status());
      ASSIGN_OR_RETURN(std::string sha256, FileSha256(file));
      gathered.pinned.push_back({file, std::move(sha256), FileSize(file)});
      RETURN_IF_ERROR(AddFile(file, file.substr(file.rfind('/') + 1), &gathered));
    }
    return gathered;
  }

  // Makes the file of its sources, checks it, pins it and puts it in place.
  absl::StatusOr<FetchedSet> Settle(const Gathered& gathered) {
    FetchedSet set;
    set.path = final_path_;
    ASSIGN_OR_RETURN(const std::string made, Make(gathered, &set));
    set.bytes = FileSize(made);
    ASSIGN_OR_RETURN(set.rows, CheckRows(made));
    if (!Agrees(set.sha256) && !options_.accept_new) {
      const Pin pin = WantedPin();
      return FailedPrecondition(
          "%s: what came is not what was pinned: its sha256 is %s, %s %s. Nothing in %s was "
          "changed. "
          "Where the new one is right, accept it with --accept-new",
          entry_.name, set.sha256, pin.by, pin.sha256, options_.directory);
    }
    // Pinned first: were the order the other one, a kill between the two would leave a file that
    // nothing vouches for.
    RETURN_IF_ERROR(PinSet(set, gathered));
    RETURN_IF_ERROR(MoveIntoPlace(made, final_path_));
    return set;
  }

  // The finished file's path, in the work directory.
  absl::StatusOr<std::string> Make(const Gathered& gathered, FetchedSet* set) {
    const std::string made = work_ + "/made";
    const bool import = gathered.files[0].path.rfind(work_, 0) != 0;
    // Imported in the final form, where other forms would be converted.
    const bool final_form = gathered.pinned.size() == 1 && !entry_.sha256.empty() &&
                            gathered.pinned[0].sha256 == entry_.sha256;
    if (!final_form && !IsTakenAsItIs(gathered.files, entry_)) {
      RETURN_IF_ERROR(ConvertFiles(gathered.files, entry_, made));
    } else if (import || final_form) {
      std::error_code error;
      fs::copy_file(gathered.files[0].path, made, fs::copy_options::overwrite_existing, error);
      if (error) return Unavailable("%s: cannot copy: %s", made, error.message());
    } else {
      set->sha256 = gathered.pinned[0].sha256;
      if (set->sha256.empty() || !entry_.member.empty()) {
        ASSIGN_OR_RETURN(set->sha256, FileSha256(gathered.files[0].path));
      }
      return gathered.files[0].path;
    }
    ASSIGN_OR_RETURN(set->sha256, FileSha256(made));
    return made;
  }

  // Reads every row: what is no dataset is told here, not in the middle of a run.
  absl::StatusOr<int64_t> CheckRows(const std::string& path) {
    ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> bytes, OpenByteSource(path));
    ASSIGN_OR_RETURN(const std::unique_ptr<RowReader> rows,
                     OpenRows(std::move(bytes), entry_.file));
    int64_t count = 0;
    while (true) {
      absl::StatusOr<std::optional<Row>> row = rows->Next();
      if (!row.ok()) return Annotate(row.status(), entry_.name + ": what came is no dataset");
      if (!*row) break;
      ++count;
      if (count % 1024 == 0)
        options_.watcher.progress(entry_.name + ": checking", count, -1, Unit::kRows);
    }
    const PinnedSet* pinned = Pinned();
    const bool accepted = pinned != nullptr && pinned->accepted && pinned->rows == count;
    if (entry_.rows == 0 || entry_.rows == count || accepted || options_.accept_new) return count;
    return FailedPrecondition(
        "%s: %d rows came, the catalogue has %d. Where the new ones are right, accept them with "
        "--accept-new",
        entry_.name, count, entry_.rows);
  }

  absl::Status PinSet(const FetchedSet& set, const Gathered& gathered) {
    const std::string lock_path = (directory_ / ".fetch" / "manifest.lock").string();
    RETURN_IF_ERROR(MakeDirectory((directory_ / ".fetch").string()));
    ASSIGN_OR_RETURN(const FileLock lock,
                     FileLock::Take(lock_path, [this] { return !options_.watcher.stopping(); }));
    RETURN_IF_ERROR(ReadManifest());
    PinnedSet pinned;
    pinned.name = entry_.name;
    pinned.file = entry_.file;
    pinned.sha256 = set.sha256;
    pinned.rows = set.rows;
    pinned.bytes = set.bytes;
    pinned.revision = gathered.revision;
    pinned.when = UtcNow();
    pinned.by = "assay " + AssayVersion();
    // A choice stays one, also when the same file comes again.
    pinned.accepted = entry_.sha256.empty() ? !Agrees(set.sha256) : set.sha256 != entry_.sha256;
    pinned.accepted = pinned.accepted || (entry_.rows > 0 && entry_.rows != set.rows);
    pinned.sources = gathered.pinned;
    manifest_.Put(std::move(pinned));
    return WriteWhole((directory_ / kDataManifestName).string(), DataManifestText(manifest_));
  }

  const CatalogueEntry& entry_;
  const FetchOptions& options_;
  const fs::path directory_;
  const std::string final_path_;
  const std::string work_;
  DataManifest manifest_;
  bool waited_ = false;
};

}  // namespace

absl::StatusOr<std::string> DataDirectory(const std::vector<std::string>& data_dirs) {
  if (!data_dirs.empty()) return data_dirs[0];
  const auto environment = [](const char* name) -> std::string {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
  };
  const std::string data = environment("ASSAY_DATA");
  if (const std::string_view first = Split(data, ':')[0]; !first.empty()) {
    return std::string(first);
  }
  const std::string xdg = environment("XDG_DATA_HOME"), home = environment("HOME");
  if (!xdg.empty()) return xdg + "/assay/datasets";
  if (!home.empty()) return home + "/.local/share/assay/datasets";
  return FailedPrecondition(
      "no place for datasets: name one with --data-dir, $ASSAY_DATA, $XDG_DATA_HOME or $HOME");
}

absl::StatusOr<FetchedSet> FetchDataset(const CatalogueEntry& entry, const FetchOptions& options) {
  return Fetcher(entry, options).Fetch();
}

absl::StatusOr<FetchedSet> ImportDataset(const CatalogueEntry& entry,
                                         const std::vector<std::string>& files,
                                         const FetchOptions& options) {
  if (files.empty()) return InvalidArgument("no file to import");
  return Fetcher(entry, options).Import(files);
}

absl::StatusOr<CatalogueEntry> EntryForImport(const std::string& name, const std::string& file) {
  CatalogueEntry entry;
  entry.name = name;
  std::string_view base(file);
  base.remove_prefix(base.rfind('/') + 1);
  std::string ending;
  for (const std::string_view packed : {".gz", ".zst"}) {
    if (!base.ends_with(packed)) continue;
    ending = packed;
    base.remove_suffix(packed.size());
  }
  const size_t dot = base.rfind('.');
  if (dot != base.npos) ending = std::string(base.substr(dot)) + ending;
  static constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._";
  if (name.empty() || name.front() == '.' || name.find_first_not_of(kAllowed) != name.npos) {
    return InvalidArgument("--as: expected letters, digits and -._, found '%s'",
                           Printable(Shorten(name, 60)));
  }
  entry.file = name + ending;
  entry.fetch = FetchMethod::kByHand;
  entry.get = "`assay datasets import FILE --as " + name + "`";
  return entry;
}

}  // namespace assay::fetch
