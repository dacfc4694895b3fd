// Every step leaves alone what it was done to before, so that a file that is already in the final
// form may be imported too.
#include "fetch/convert.h"

#include <algorithm>
#include <memory>

#include "fetch/files.h"
#include "harness/compress.h"
#include "harness/json.h"
#include "harness/rows.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay::fetch {
namespace {

constexpr size_t kWriteBytes = size_t{1} << 20;

std::string_view BaseName(std::string_view path) { return path.substr(path.rfind('/') + 1); }
// ".jsonl.gz" of "a/v1.2.jsonl.gz".
std::string_view Endings(std::string_view path) {
  const std::string_view name = BaseName(path);
  std::string_view bare = name;
  for (const std::string_view packed : {".gz", ".zst"}) {
    if (bare.ends_with(packed)) bare.remove_suffix(packed.size());
  }
  const size_t dot = bare.rfind('.');
  return dot == bare.npos ? std::string_view() : name.substr(dot);
}
std::string_view Stem(std::string_view path) {
  const std::string_view name = BaseName(path);
  return name.substr(0, name.size() - Endings(name).size());
}

// Small writes gathered.
class LineWriter {
 public:
  explicit LineWriter(FileWriter file) : file_(std::move(file)) {}
  absl::Status Write(std::string_view bytes) {
    buffer_ += bytes;
    return buffer_.size() < kWriteBytes ? absl::OkStatus() : Flush();
  }
  absl::Status Finish() {
    RETURN_IF_ERROR(Flush());
    return file_.SyncAndClose();
  }

 private:
  absl::Status Flush() {
    const absl::Status status = file_.Write(buffer_);
    buffer_.clear();
    return status;
  }
  FileWriter file_;
  std::string buffer_;
};

absl::Status JoinLines(const SourceFile& source, LineWriter* out) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ByteSource> bytes, OpenByteSource(source.path));
  std::string buffer(kWriteBytes, '\0');
  char last = '\n';
  while (true) {
    ASSIGN_OR_RETURN(const size_t got, bytes->Read(buffer.data(), buffer.size()));
    if (got == 0) break;
    RETURN_IF_ERROR(out->Write(std::string_view(buffer).substr(0, got)));
    last = buffer[got - 1];
  }
  return last == '\n' ? absl::OkStatus() : out->Write("\n");
}

// The value as a whole number, also where it is text ("11").
std::optional<int64_t> AsNumber(const Json& value) {
  if (value.is_integer()) return value.AsInteger();
  if (value.is_string()) return ParseInt(Trim(value.AsString()));
  return std::nullopt;
}

absl::StatusOr<bool> Keeps(const RowsToKeep& keep, const Row& row, const std::string& name) {
  const Json* value = row.fields.Find(keep.field);
  if (value == nullptr) return MissingField(row, name, keep.field);
  if (keep.equals) return value->ToText() == *keep.equals;
  const std::optional<int64_t> number = AsNumber(*value);
  if (!number) {
    return InvalidArgument("%s:%d: field '%s': expected a whole number, found %s", name, row.line,
                           keep.field, Shorten(value->Dump(), 80));
  }
  return (!keep.from || *number >= *keep.from) && (!keep.to || *number <= *keep.to);
}

absl::Status Rename(const RowConversion& convert, const std::string& name, Row* row) {
  for (const auto& [from, to] : convert.rename) {
    Json* old = row->fields.Find(from);
    if (old == nullptr && row->fields.Find(to) != nullptr) continue;
    if (old == nullptr) return MissingField(*row, name, from);
    if (row->fields.Find(to) != nullptr) {
      return InvalidArgument("%s:%d: field '%s' cannot be named '%s': there is one already", name,
                             row->line, from, to);
    }
    for (Json::Member& member : row->fields.AsMembers()) {
      if (member.first == from) member.first = to;
    }
  }
  return absl::OkStatus();
}

void AddWhereAbsent(const std::string& field, Json value, Row* row) {
  if (field.empty() || row->fields.Find(field) != nullptr) return;
  row->fields.Set(field, std::move(value));
}

absl::Status ConvertRows(const SourceFile& source, const RowConversion& convert, int64_t* number,
                         LineWriter* out) {
  ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> bytes, OpenByteSource(source.path));
  ASSIGN_OR_RETURN(const std::unique_ptr<RowReader> rows, OpenRows(std::move(bytes), source.name));
  while (true) {
    ASSIGN_OR_RETURN(std::optional<Row> row, rows->Next());
    if (!row) return absl::OkStatus();
    if (convert.keep) {
      ASSIGN_OR_RETURN(const bool kept, Keeps(*convert.keep, *row, source.name));
      if (!kept) continue;
    }
    RETURN_IF_ERROR(Rename(convert, source.name, &*row));
    AddWhereAbsent(convert.source_as, std::string(Stem(source.name)), &*row);
    AddWhereAbsent(convert.number_as, (*number)++, &*row);
    RETURN_IF_ERROR(out->Write(row->fields.Dump() + "\n"));
  }
}

bool IsPlainLines(const SourceFile& source) { return Endings(source.name) == ".jsonl"; }

}  // namespace

bool IsTakenAsItIs(const std::vector<SourceFile>& sources, const CatalogueEntry& entry) {
  return sources.size() == 1 && entry.convert.empty() &&
         Endings(sources[0].name) == Endings(entry.file);
}

absl::Status ConvertFiles(const std::vector<SourceFile>& sources, const CatalogueEntry& entry,
                          const std::string& to) {
  ASSIGN_OR_RETURN(FileWriter file, FileWriter::Open(to, 0));
  LineWriter out(std::move(file));
  const bool only_joined =
      entry.convert.empty() && std::all_of(sources.begin(), sources.end(), IsPlainLines);
  if (!only_joined && Endings(entry.file) != ".jsonl") {
    return InvalidArgument(
        "%s: '%s' would have to be converted, and only .jsonl is written: wanted "
        "a file like %s",
        entry.name, sources[0].name, entry.file);
  }
  int64_t number = 0;
  for (const SourceFile& source : sources) {
    RETURN_IF_ERROR(only_joined ? JoinLines(source, &out)
                                : ConvertRows(source, entry.convert, &number, &out));
  }
  return out.Finish();
}

}  // namespace assay::fetch
