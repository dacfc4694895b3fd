// What the archive says of its members is checked before, and again while they are read: a bomb
// lies about its size.
#include "fetch/archive.h"

#include <zip.h>

#include <algorithm>
#include <memory>

#include "fetch/files.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay::fetch {
namespace {

constexpr size_t kReadBytes = size_t{256} << 10;
constexpr uint32_t kUnixTypeMask = 0170000, kUnixLink = 0120000;

struct ArchiveCloser {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct FileCloser {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};
using Archive = std::unique_ptr<zip_t, ArchiveCloser>;

absl::StatusOr<Archive> OpenArchive(const std::string& path) {
  int code = 0;
  Archive archive(zip_open(path.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &code));
  if (archive != nullptr) return archive;
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  const std::string what = ToValidUtf8(zip_error_strerror(&error));
  zip_error_fini(&error);
  return absl::DataLossError(absl::StrFormat("%s: not a sound .zip archive: %s", path, what));
}

bool Matches(std::string_view name, std::string_view pattern) {
  const size_t star = pattern.find('*');
  if (star == pattern.npos) return name == pattern;
  const std::string_view before = pattern.substr(0, star), after = pattern.substr(star + 1);
  if (name.size() < before.size() + after.size()) return false;
  if (!name.starts_with(before)) return false;
  // The shortest stretch first: what follows may hold a star of its own.
  for (size_t end = before.size(); end <= name.size(); ++end) {
    if (end > before.size() && name[end - 1] == '/') return false;
    if (Matches(name.substr(end), after)) return true;
  }
  return false;
}

bool LeadsElsewhere(std::string_view name) {
  if (name.starts_with("/") || Contains(name, "\\") || Contains(name, ":")) return true;
  for (const std::string_view part : Split(name, '/')) {
    if (part == "..") return true;
  }
  return false;
}

struct Found {
  zip_uint64_t index = 0;
  std::string name;
  int64_t size = 0;
  int64_t packed = 0;
};

absl::StatusOr<Found> Look(zip_t* archive, zip_uint64_t index, const std::string& where) {
  zip_stat_t info;
  if (zip_stat_index(archive, index, 0, &info) != 0 || (info.valid & ZIP_STAT_NAME) == 0 ||
      (info.valid & ZIP_STAT_SIZE) == 0 || (info.valid & ZIP_STAT_COMP_SIZE) == 0) {
    return absl::DataLossError(where + ": a member without a name or a size");
  }
  Found found{index, info.name, static_cast<int64_t>(info.size),
              static_cast<int64_t>(info.comp_size)};
  if (LeadsElsewhere(found.name)) {
    return absl::DataLossError(
        absl::StrFormat("%s: the member '%s' leads out of the archive; the "
                        "whole archive is refused",
                        where, Printable(Shorten(found.name, 100))));
  }
  return found;
}

absl::Status CheckKind(zip_t* archive, const Found& found, const std::string& where) {
  zip_uint8_t system = 0;
  zip_uint32_t attributes = 0;
  zip_file_get_external_attributes(archive, found.index, 0, &system, &attributes);
  const bool link = system == ZIP_OPSYS_UNIX && ((attributes >> 16) & kUnixTypeMask) == kUnixLink;
  zip_stat_t info;
  zip_stat_index(archive, found.index, 0, &info);
  const bool locked =
      (info.valid & ZIP_STAT_ENCRYPTION_METHOD) != 0 && info.encryption_method != ZIP_EM_NONE;
  if (!link && !locked) return absl::OkStatus();
  return absl::DataLossError(absl::StrFormat("%s: the member '%s' is %s, wanted a plain file",
                                             where, Printable(found.name),
                                             link ? "a symbolic link" : "encrypted"));
}

absl::Status CheckSize(int64_t size, int64_t packed, int64_t taken, const ArchiveLimits& limits,
                       const std::string& where, const std::string& name) {
  if (size > limits.max_bytes - taken) {
    return absl::DataLossError(
        absl::StrFormat("%s: more than %s bytes in the members wanted ('%s')", where,
                        WithThousands(limits.max_bytes), Printable(name)));
  }
  if (size > limits.ratio_from && size / std::max<int64_t>(packed, 1) > limits.max_ratio) {
    return absl::DataLossError(absl::StrFormat(
        "%s: the member '%s' swells to more than %d times its packed length: a zip bomb?", where,
        Printable(name), limits.max_ratio));
  }
  return absl::OkStatus();
}

// Returns the bytes written.
absl::StatusOr<int64_t> ExtractOne(zip_t* archive, const Found& found, const std::string& path,
                                   int64_t taken, const ArchiveLimits& limits,
                                   const std::string& where) {
  RETURN_IF_ERROR(CheckKind(archive, found, where));
  RETURN_IF_ERROR(CheckSize(found.size, found.packed, taken, limits, where, found.name));
  const std::unique_ptr<zip_file_t, FileCloser> file(zip_fopen_index(archive, found.index, 0));
  const auto damaged = [&](std::string_view what) {
    return absl::DataLossError(
        absl::StrFormat("%s: the member '%s' is damaged: %s", where, Printable(found.name), what));
  };
  if (file == nullptr) return damaged(ToValidUtf8(zip_strerror(archive)));
  ASSIGN_OR_RETURN(FileWriter writer, FileWriter::Open(path, 0));
  std::string buffer(kReadBytes, '\0');
  while (true) {
    const zip_int64_t got = zip_fread(file.get(), buffer.data(), buffer.size());
    if (got < 0) return damaged(ToValidUtf8(zip_file_strerror(file.get())));
    if (got == 0) break;
    const int64_t size = writer.size() + got;
    RETURN_IF_ERROR(CheckSize(size, found.packed, taken, limits, where, found.name));
    RETURN_IF_ERROR(writer.Write(std::string_view(buffer).substr(0, static_cast<size_t>(got))));
  }
  if (writer.size() != found.size) return damaged("its length is not the one announced");
  const int64_t size = writer.size();
  RETURN_IF_ERROR(writer.SyncAndClose());
  return size;
}

}  // namespace

absl::StatusOr<std::vector<Member>> ExtractMembers(const std::string& archive,
                                                   std::string_view pattern,
                                                   const std::string& prefix,
                                                   const ArchiveLimits& limits) {
  ASSIGN_OR_RETURN(const Archive opened, OpenArchive(archive));
  std::vector<Found> wanted;
  std::vector<std::string> names;
  const zip_int64_t count = zip_get_num_entries(opened.get(), 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(Found found, Look(opened.get(), static_cast<zip_uint64_t>(i), archive));
    names.push_back(Printable(Shorten(found.name, 80)));
    if (found.name.ends_with("/") || !Matches(found.name, pattern)) continue;
    wanted.push_back(std::move(found));
  }
  if (wanted.empty()) {
    return NotFound("%s: no member '%s' in the archive%s (members: %s)", archive, pattern,
                    DidYouMean(pattern, names), Shorten(Join(names, ", "), 400));
  }
  std::sort(wanted.begin(), wanted.end(),
            [](const Found& a, const Found& b) { return a.name < b.name; });
  std::vector<Member> members;
  int64_t taken = 0;
  for (const Found& found : wanted) {
    if (!members.empty() && members.back().name == found.name) {
      return absl::DataLossError(
          absl::StrFormat("%s: two members '%s'", archive, Printable(found.name)));
    }
    const std::string path = prefix + std::to_string(members.size());
    ASSIGN_OR_RETURN(const int64_t size,
                     ExtractOne(opened.get(), found, path, taken, limits, archive));
    taken += size;
    members.push_back({found.name, path});
  }
  return members;
}

}  // namespace assay::fetch
