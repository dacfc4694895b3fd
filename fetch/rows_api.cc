// Each page is appended, then noted: what lies behind the note is cut off by the next run.
#include "fetch/rows_api.h"

#include "fetch/files.h"
#include "harness/compress.h"
#include "harness/json.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay::fetch {
namespace {

constexpr int64_t kRowsPerCall = 100;  // the most that the API gives

struct RowsNote {
  std::string split;  // "ID CONFIG SPLIT"
  int64_t rows = 0;
  int64_t bytes = 0;
  int64_t total = -1;
  std::string revision;
};

std::string NotePath(const std::string& path) { return path + ".json"; }

absl::Status SaveNote(const std::string& path, const RowsNote& note) {
  const Json json = Json::MakeObject({{"split", note.split},
                                      {"rows", note.rows},
                                      {"bytes", note.bytes},
                                      {"total", note.total},
                                      {"revision", note.revision}});
  return WriteWhole(NotePath(path), json.Dump() + "\n");
}

RowsNote LoadNote(const std::string& path, const std::string& split) {
  const RowsNote none{.split = split};
  const absl::StatusOr<std::unique_ptr<ByteSource>> source =
      OpenByteSource(NotePath(path), 1 << 20);
  if (!source.ok()) return none;
  const absl::StatusOr<std::string> text = ReadAll(**source);
  const absl::StatusOr<Json> json = text.ok() ? ParseJson(*text) : text.status();
  if (!json.ok() || json->FindString("split") != split) return none;
  RowsNote note{.split = split};
  note.rows = json->FindInteger("rows").value_or(0);
  note.bytes = json->FindInteger("bytes").value_or(0);
  note.total = json->FindInteger("total").value_or(-1);
  note.revision = json->FindString("revision").value_or("");
  const bool useful = note.rows >= 0 && note.bytes >= 0 && note.bytes <= FileSize(path);
  return useful ? note : none;
}

struct Page {
  std::string lines;
  int64_t rows = 0;
  int64_t total = 0;
};

absl::Status CheckRow(const Json& entry, int64_t wanted, std::string_view where) {
  const Json* row = entry.Find("row");
  if (row == nullptr || !row->is_object() || !entry.FindInteger("row_idx")) {
    return Unavailable("%s: row %d: expected an object with 'row_idx' and 'row'", where, wanted);
  }
  if (*entry.FindInteger("row_idx") != wanted) {
    return Unavailable("%s: row %d: the server gave row %d in its place", where, wanted,
                       *entry.FindInteger("row_idx"));
  }
  const Json* cut = entry.Find("truncated_cells");
  if (cut == nullptr || cut->size() == 0) return absl::OkStatus();
  return FailedPrecondition(
      "%s: row %d: the server cut the cell '%s': this set is too long for the rows API; get its "
      "file by hand and use `assay datasets import`",
      where, wanted, Shorten(cut->AsArray()[0].ToText(), 60));
}

// `offset`: of its first row.
absl::StatusOr<Page> ReadPage(std::string_view body, int64_t offset, std::string_view where) {
  const absl::StatusOr<Json> json = ParseJson(body);
  if (!json.ok()) return Annotate(json.status(), absl::StrFormat("%s: no rows came", where));
  const Json* rows = json->Find("rows");
  const std::optional<int64_t> total = json->FindInteger("num_rows_total");
  if (rows == nullptr || !rows->is_array() || !total || *total < 0) {
    return Unavailable("%s: expected 'rows' and 'num_rows_total', found %s", where,
                       Printable(Shorten(body, 100)));
  }
  if (json->FindBool("partial").value_or(false)) {
    return FailedPrecondition(
        "%s: the server has only a part of this set; get its file by hand and use `assay datasets "
        "import`",
        where);
  }
  Page page;
  page.total = *total;
  for (const Json& entry : rows->AsArray()) {
    RETURN_IF_ERROR(CheckRow(entry, offset + page.rows, where));
    page.lines += entry.Find("row")->Dump();
    page.lines += '\n';
    ++page.rows;
  }
  if (page.rows == 0 && offset < page.total) {
    return Unavailable("%s: no row came at %d of %d", where, offset, page.total);
  }
  return page;
}

absl::StatusOr<http::Outcome> GetPage(Transfer& transfer, const std::string& url) {
  return transfer.Get(
      url,
      [] {
        Hop hop;
        hop.wanted_headers = {"X-Revision"};
        return hop;
      },
      [] { return false; });
}

}  // namespace

absl::StatusOr<FetchedRows> FetchRows(Transfer& transfer, const std::string& config,
                                      const std::string& path) {
  const CatalogueEntry& entry = transfer.entry();
  const std::string what = absl::StrFormat("%s %s %s", entry.hub_id, config, entry.split);
  RowsNote note = LoadNote(path, what);
  ASSIGN_OR_RETURN(FileWriter writer, FileWriter::Open(path, note.bytes));
  if (note.rows > 0 && note.rows != note.total) {
    transfer.watcher().note(
        absl::StrFormat("%s: going on at row %d of %d", what, note.rows, note.total));
  }
  while (note.rows != note.total) {
    const std::string url =
        RowsUrl(transfer.hub(), entry.hub_id, config, entry.split, note.rows, kRowsPerCall);
    ASSIGN_OR_RETURN(const http::Outcome outcome, GetPage(transfer, url));
    ASSIGN_OR_RETURN(const Page page, ReadPage(outcome.body, note.rows, what));
    const auto header = outcome.headers.find("X-Revision");
    const std::string revision = header == outcome.headers.end() ? "" : header->second;
    const bool first = note.rows == 0;
    if (!first && (page.total != note.total || revision != note.revision)) {
      // Rows of two versions must not be mixed; the note goes, and with it what came.
      RETURN_IF_ERROR(SaveNote(path, RowsNote{.split = what}));
      return Unavailable(
          "%s: the set changed while it was fetched (%d rows of '%s', then %d of '%s'); run the "
          "command again",
          what, note.total, note.revision, page.total, revision);
    }
    RETURN_IF_ERROR(writer.Write(page.lines));
    note.rows += page.rows;
    note.bytes = writer.size();
    note.total = page.total;
    note.revision = revision;
    RETURN_IF_ERROR(SaveNote(path, note));
    transfer.watcher().progress(what, note.rows, note.total, Unit::kRows);
  }
  RETURN_IF_ERROR(writer.SyncAndClose());
  return FetchedRows{note.rows, note.bytes, note.revision};
}

}  // namespace assay::fetch
