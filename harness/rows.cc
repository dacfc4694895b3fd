// One buffer that slides over the file and grows to the longest row; a scanner per format cuts rows
// out of it, so that a parser never sees more than one row.
#include "harness/rows.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "harness/hash.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

constexpr size_t kReadBytes = 256 << 10;

// The bytes not yet consumed, as one contiguous view that grows on demand. Counts lines.
class Window {
 public:
  Window(std::unique_ptr<ByteSource> source, std::string name, size_t max_row_bytes)
      : source_(std::move(source)), name_(std::move(name)), max_row_bytes_(max_row_bytes) {}

  std::string_view view() const { return std::string_view(buffer_).substr(begin_, end_ - begin_); }
  int64_t line() const { return line_; }
  const std::string& name() const { return name_; }
  std::string Where(int64_t line) const { return absl::StrFormat("%s:%d", name_, line); }

  // Reads more behind view(): false at the end of the file. Views taken before are void.
  absl::StatusOr<bool> Grow() {
    if (at_end_) return false;
    if (end_ - begin_ > max_row_bytes_) {
      return InvalidArgument("%s: a row longer than %s bytes; is a quote or a newline missing?",
                             Where(line_), WithThousands(static_cast<int64_t>(max_row_bytes_)));
    }
    if (end_ == buffer_.size()) MakeRoom();
    ASSIGN_OR_RETURN(const size_t got, source_->Read(buffer_.data() + end_, buffer_.size() - end_));
    end_ += got;
    at_end_ = got == 0;
    return !at_end_;
  }

  // `size` bytes are done with; the lines in them are counted.
  void Consume(size_t size) {
    const std::string_view done = view().substr(0, size);
    line_ += std::count(done.begin(), done.end(), '\n');
    begin_ += size;
  }
  // The same where the caller knows how many newlines there are.
  void ConsumeLines(size_t size, int64_t newlines) {
    line_ += newlines;
    begin_ += size;
  }

  // Offset in view() of the first byte from `from` on that `wanted` accepts, reading on as needed.
  // Nothing: the file ends first.
  template <typename Wanted>
  absl::StatusOr<std::optional<size_t>> FindFrom(size_t from, Wanted wanted) {
    for (size_t i = from;;) {
      const std::string_view text = view();
      for (; i < text.size(); ++i) {
        if (wanted(text[i])) return std::optional<size_t>(i);
      }
      ASSIGN_OR_RETURN(const bool more, Grow());
      if (!more) return std::optional<size_t>();
    }
  }

  // Skips blanks and newlines. False: nothing but blanks was left.
  absl::StatusOr<bool> SkipBlanks() {
    ASSIGN_OR_RETURN(const std::optional<size_t> at, FindFrom(0, [](char c) {
                       return c != ' ' && c != '\t' && c != '\r' && c != '\n';
                     }));
    Consume(at.value_or(view().size()));
    return at.has_value();
  }

 private:
  // What is consumed makes room; where that is less than half, the buffer doubles, so that a long
  // row costs linear time.
  void MakeRoom() {
    if (begin_ > buffer_.size() / 2) {
      std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    } else {
      buffer_.resize(std::max(kReadBytes, buffer_.size() * 2));
    }
  }

  std::unique_ptr<ByteSource> source_;
  std::string name_;
  size_t max_row_bytes_;
  std::string buffer_;  // [begin_, end_) is the view; behind it is room to read into
  size_t begin_ = 0;
  size_t end_ = 0;
  int64_t line_ = 1;
  bool at_end_ = false;
};

// The next line without its newline (and "\r"), left in the window. Nothing: the end.
struct LineCut {
  std::string_view text;
  size_t size = 0;  // with its newline
  bool has_newline = false;
};
absl::StatusOr<std::optional<LineCut>> CutLine(Window& window) {
  for (size_t from = 0;;) {
    const std::string_view view = window.view();
    const void* found =
        from < view.size() ? std::memchr(view.data() + from, '\n', view.size() - from) : nullptr;
    if (found != nullptr) {
      const size_t length = static_cast<size_t>(static_cast<const char*>(found) - view.data());
      return LineCut{view.substr(0, length), length + 1, true};
    }
    from = view.size();
    ASSIGN_OR_RETURN(const bool more, window.Grow());
    if (more) continue;
    if (window.view().empty()) return std::optional<LineCut>();
    return LineCut{window.view(), window.view().size(), false};
  }
}

bool LooksLikeWebPage(std::string_view text) {
  text = Trim(text.substr(0, 512));
  if (text.empty() || text.front() != '<') return false;
  const std::string lower = ToLowerAscii(text);
  for (const char* tag : {"<!doctype", "<html", "<head", "<body", "<?xml", "<!--"}) {
    if (lower.starts_with(tag)) return true;
  }
  return false;
}

// What is in the file's place, where its first bytes tell that it is no dataset at all.
absl::Status RecognizeWrongFile(const Window& window) {
  const std::string_view text = window.view();
  if (text.starts_with("PAR1")) {
    return InvalidArgument(
        "%s: this is a Parquet file, which is not read; convert it: python3 -c \"import pandas; "
        "pandas.read_parquet('IN').to_json('OUT.jsonl', orient='records', lines=True)\"",
        window.name());
  }
  if (text.starts_with("version https://git-lfs")) {
    return InvalidArgument(
        "%s:1: this is a Git LFS pointer, not the file itself; fetch it with `git lfs pull`",
        window.name());
  }
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    return InvalidArgument("%s:1: this is UTF-16; save it as UTF-8", window.name());
  }
  if (LooksLikeWebPage(text)) {
    return InvalidArgument(
        "%s:1: this is a web page (HTML or XML), not rows; was an error or a login page saved in "
        "the file's place?",
        window.name());
  }
  if (text.starts_with("PK\x03\x04")) {
    return InvalidArgument("%s: this is a ZIP archive; unpack it first", window.name());
  }
  return absl::OkStatus();
}

// Keeps what each format shares: errors and the end are told again, no row at all is an error.
class Reader : public RowReader {
 public:
  explicit Reader(Window window) : window_(std::move(window)) {}

  absl::StatusOr<std::optional<Row>> Next() final {
    if (!failed_.ok()) return failed_;
    if (done_) return std::optional<Row>();
    absl::StatusOr<std::optional<Row>> row = Begin();
    if (row.ok()) row = Read();
    if (row.ok() && !row->has_value() && rows_ == 0) {
      row = InvalidArgument("%s: %s", window_.name(),
                            empty_            ? "the file is empty"
                            : has_old_breaks_ ? "its lines end in carriage returns alone (\\r), as "
                                                "on old Macs; save it with line feeds (\\n)"
                                              : "the file holds no rows");
    }
    if (!row.ok()) {
      failed_ = row.status();
    } else if (row->has_value()) {
      ++rows_;
    } else {
      done_ = true;
    }
    return row;
  }

 protected:
  virtual absl::StatusOr<std::optional<Row>> Read() = 0;
  Window& window() { return window_; }

 private:
  absl::StatusOr<std::optional<Row>> Begin() {
    if (begun_) return std::optional<Row>();
    begun_ = true;
    while (window_.view().size() < 512) {
      ASSIGN_OR_RETURN(const bool more, window_.Grow());
      if (!more) break;
    }
    if (window_.view().starts_with("\xEF\xBB\xBF")) window_.ConsumeLines(3, 0);
    empty_ = window_.view().empty();
    has_old_breaks_ = Contains(window_.view(), "\r") && !Contains(window_.view(), "\n");
    RETURN_IF_ERROR(RecognizeWrongFile(window_));
    return std::optional<Row>();
  }

  Window window_;
  absl::Status failed_;
  int64_t rows_ = 0;
  bool begun_ = false;
  bool empty_ = false;
  bool has_old_breaks_ = false;
  bool done_ = false;
};

absl::StatusOr<Row> ObjectRow(std::string_view text, const Window& window, bool cut_off) {
  const int64_t line = window.line();
  // Whichever of two values of one name is meant, the row would lose the other silently.
  absl::StatusOr<Json> json = ParseJson(text, {.allow_repeated_names = false});
  if (!json.ok()) {
    return InvalidArgument("%s: %s%s", window.Where(line), std::string(json.status().message()),
                           cut_off ? " (the last line has no newline: is the file cut off?)" : "");
  }
  if (!json->is_object()) {
    return InvalidArgument("%s: expected an object ({...}), found %s%s", window.Where(line),
                           KindName(*json),
                           json->is_array() ? "; a file that holds one array is named .json" : "");
  }
  return Row{*std::move(json), line};
}

// One object per line; blank lines are passed over.
absl::StatusOr<std::optional<Row>> ReadJsonLine(Window& window) {
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<LineCut> cut, CutLine(window));
    if (!cut) return std::optional<Row>();
    if (Trim(cut->text).empty()) {
      window.ConsumeLines(cut->size, cut->has_newline ? 1 : 0);
      continue;
    }
    ASSIGN_OR_RETURN(Row row, ObjectRow(cut->text, window, !cut->has_newline));
    window.ConsumeLines(cut->size, cut->has_newline ? 1 : 0);
    return row;
  }
}

class JsonLinesReader final : public Reader {
 public:
  using Reader::Reader;

 private:
  absl::StatusOr<std::optional<Row>> Read() override { return ReadJsonLine(window()); }
};

// Where the object that begins at the window's front ends; knows strings and nesting only, the
// parser judges the rest.
absl::StatusOr<std::optional<size_t>> ObjectEnd(Window& window) {
  int depth = 0;
  bool in_string = false, escaped = false;
  return window.FindFrom(0, [&](char c) {
    if (escaped) {
      escaped = false;
    } else if (in_string) {
      escaped = c == '\\';
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      return --depth <= 0;
    }
    return false;
  });
}

// An array of objects, read one element at a time; or objects one after the other.
class JsonReader final : public Reader {
 public:
  using Reader::Reader;

 private:
  enum class Shape { kUnknown, kArray, kLines, kObjects, kEnded };

  absl::StatusOr<std::optional<Row>> Read() override {
    if (shape_ == Shape::kUnknown) RETURN_IF_ERROR(FindShape());
    switch (shape_) {
      case Shape::kLines:
        return ReadJsonLine(window());
      case Shape::kArray:
        return ReadElement();
      case Shape::kObjects:
        return ReadObject();
      default:
        return std::optional<Row>();
    }
  }

  absl::Status FindShape() {
    ASSIGN_OR_RETURN(const bool any, window().SkipBlanks());
    if (!any) {
      shape_ = Shape::kEnded;
      return absl::OkStatus();
    }
    if (window().view().front() == '[') {
      window().Consume(1);
      shape_ = Shape::kArray;
      return absl::OkStatus();
    }
    // Line by line where the first line is whole: then a bad row spoils no other.
    ASSIGN_OR_RETURN(const std::optional<LineCut> cut, CutLine(window()));
    shape_ = cut && ParseJson(cut->text).ok() ? Shape::kLines : Shape::kObjects;
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<Row>> ReadObject() {
    ASSIGN_OR_RETURN(const bool any, window().SkipBlanks());
    if (!any) return std::optional<Row>();
    return CutObject();
  }

  absl::StatusOr<std::optional<Row>> ReadElement() {
    ASSIGN_OR_RETURN(const bool any, window().SkipBlanks());
    if (!any) return Wanted(first_ ? "']' or an object" : "',' or ']'");
    char c = window().view().front();
    if (c == ']') return End();
    if (!first_) {
      if (c != ',') return Wanted("',' or ']'");
      window().Consume(1);
      ASSIGN_OR_RETURN(const bool more, window().SkipBlanks());
      if (!more) return Wanted("an object");
      c = window().view().front();
    }
    if (c != '{') return Wanted("an object ({...})");
    first_ = false;
    return CutObject();
  }

  absl::StatusOr<std::optional<Row>> End() {
    window().Consume(1);
    ASSIGN_OR_RETURN(const bool any, window().SkipBlanks());
    if (any) return Wanted("the end of the file after ']'");
    shape_ = Shape::kEnded;
    return std::optional<Row>();
  }

  absl::StatusOr<std::optional<Row>> CutObject() {
    ASSIGN_OR_RETURN(const std::optional<size_t> last, ObjectEnd(window()));
    if (!last) {
      return InvalidArgument("%s: this object never ends: is the file cut off?",
                             window().Where(window().line()));
    }
    ASSIGN_OR_RETURN(Row row, ObjectRow(window().view().substr(0, *last + 1), window(), false));
    window().Consume(*last + 1);
    return row;
  }

  absl::Status Wanted(std::string_view what) {
    const std::string_view rest = window().view();
    if (rest.empty()) {
      return InvalidArgument("%s: expected %s, found the end of the file: is it cut off?",
                             window().Where(window().line()), what);
    }
    return InvalidArgument("%s: expected %s, found '%s'", window().Where(window().line()), what,
                           ToValidUtf8(Shorten(rest.substr(0, rest.find('\n')), 20)));
  }

  Shape shape_ = Shape::kUnknown;
  bool first_ = true;
};

// RFC 4180: quoted fields may hold the separator, newlines and doubled quotes. The first record
// names the fields.
class SeparatedReader final : public Reader {
 public:
  SeparatedReader(Window window, char separator)
      : Reader(std::move(window)), separator_(separator) {}

 private:
  absl::StatusOr<std::optional<Row>> Read() override {
    if (names_.empty()) {
      ASSIGN_OR_RETURN(const bool any, ReadRecord());
      if (!any) return std::optional<Row>();
      RETURN_IF_ERROR(TakeNames());
    }
    ASSIGN_OR_RETURN(const bool any, ReadRecord());
    if (!any) return std::optional<Row>();
    if (fields_.size() != names_.size()) {
      return InvalidArgument("%s: found %d fields, the header has %d", window().Where(line_),
                             fields_.size(), names_.size());
    }
    Row row{Json::MakeObject(), line_};
    for (size_t i = 0; i < names_.size(); ++i) {
      if (FirstInvalidUtf8(fields_[i])) {
        return InvalidArgument("%s: field '%s': not valid UTF-8", window().Where(line_), names_[i]);
      }
      row.fields.AsMembers().emplace_back(names_[i], Json(std::move(fields_[i])));
    }
    return row;
  }

  absl::Status TakeNames() {
    absl::flat_hash_set<std::string> seen;
    for (size_t i = 0; i < fields_.size(); ++i) {
      // Tables saved with their index have one unnamed column.
      std::string name =
          fields_[i].empty() ? absl::StrFormat("column_%d", i + 1) : std::move(fields_[i]);
      if (FirstInvalidUtf8(name)) {
        return InvalidArgument("%s: the header: not valid UTF-8", window().Where(line_));
      }
      if (!seen.insert(name).second) {
        return InvalidArgument("%s: the header names '%s' twice", window().Where(line_), name);
      }
      names_.push_back(std::move(name));
    }
    return absl::OkStatus();
  }

  // Fills fields_ and line_; false at the end of the file. Blank lines are passed over.
  absl::StatusOr<bool> ReadRecord() {
    while (true) {
      line_ = window().line();
      fields_.clear();
      ASSIGN_OR_RETURN(const bool more, window().view().empty() ? window().Grow() : true);
      if (!more) return false;
      bool last = false;
      while (!last) {
        ASSIGN_OR_RETURN(last, ReadField());
      }
      const bool blank = fields_.size() == 1 && Trim(fields_[0]).empty() && !quoted_;
      if (!blank) return true;
    }
  }

  // Appends one field; true where it is the record's last.
  absl::StatusOr<bool> ReadField() {
    if (window().view().empty()) {
      ASSIGN_OR_RETURN(const bool more, window().Grow());
      if (!more) {  // the file ends behind a separator
        fields_.emplace_back();
        return true;
      }
    }
    quoted_ = window().view().front() == '"';
    std::string value;
    if (quoted_) {
      RETURN_IF_ERROR(ReadQuoted(&value));
    }
    ASSIGN_OR_RETURN(const std::optional<size_t> end,
                     window().FindFrom(0, [&](char c) { return c == separator_ || c == '\n'; }));
    const size_t length = end.value_or(window().view().size());
    const bool last = !end || window().view()[length] == '\n';
    std::string_view rest = window().view().substr(0, length);
    if (last && rest.ends_with('\r')) rest.remove_suffix(1);
    if (quoted_ && !Trim(rest).empty()) {
      return InvalidArgument("%s: field %d: text after the closing quote: '%s'",
                             window().Where(window().line()), fields_.size() + 1,
                             ToValidUtf8(Shorten(rest, 20)));
    }
    if (!quoted_) value = rest;
    fields_.push_back(std::move(value));
    window().Consume(length + (end ? 1 : 0));
    return last;
  }

  // The window stands at the opening quote, then behind the closing one.
  absl::Status ReadQuoted(std::string* value) {
    const int64_t begun = window().line();
    size_t from = 1;
    while (true) {
      ASSIGN_OR_RETURN(const std::optional<size_t> quote,
                       window().FindFrom(from, [](char c) { return c == '"'; }));
      if (!quote) {
        return InvalidArgument("%s: field %d: this quoted field never ends", window().Where(begun),
                               fields_.size() + 1);
      }
      ASSIGN_OR_RETURN(const std::optional<size_t> next,
                       window().FindFrom(*quote + 1, [](char) { return true; }));
      value->append(window().view().substr(from, *quote - from));
      if (!next || window().view()[*next] != '"') {
        window().Consume(*quote + 1);
        return absl::OkStatus();
      }
      value->push_back('"');
      from = *next + 1;
    }
  }

  char separator_;
  std::vector<std::string> names_;
  std::vector<std::string> fields_;
  int64_t line_ = 0;
  bool quoted_ = false;
};

std::string_view Extension(std::string_view name) {
  for (const std::string_view packed : {".gz", ".zst"}) {
    if (name.ends_with(packed)) name.remove_suffix(packed.size());
  }
  const size_t slash = name.rfind('/');
  if (slash != std::string_view::npos) name.remove_prefix(slash + 1);
  const size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : name.substr(dot);
}

absl::Status UnknownFormat(const std::string& name) {
  const std::string extension(Extension(name));
  if (extension == ".parquet" || extension == ".arrow") {
    return InvalidArgument(
        "%s: %s files are not read; convert it: python3 -c \"import pandas; "
        "pandas.read_parquet('%s').to_json('OUT.jsonl', orient='records', lines=True)\"",
        name, extension, name);
  }
  const std::vector<std::string> known = {".jsonl", ".json", ".csv", ".tsv"};
  return InvalidArgument(
      "%s: the name must end in .jsonl, .json, .csv or .tsv (and may go on with .gz or .zst)%s",
      name, DidYouMean(extension, known));
}

}  // namespace

absl::StatusOr<std::unique_ptr<RowReader>> OpenRows(std::unique_ptr<ByteSource> source,
                                                    const std::string& name,
                                                    const RowLimits& limits) {
  const std::string_view extension = Extension(name);
  Window window(std::move(source), name, limits.max_row_bytes);
  if (extension == ".jsonl" || extension == ".ndjson") {
    return std::make_unique<JsonLinesReader>(std::move(window));
  }
  if (extension == ".json") return std::make_unique<JsonReader>(std::move(window));
  if (extension == ".csv") return std::make_unique<SeparatedReader>(std::move(window), ',');
  if (extension == ".tsv") return std::make_unique<SeparatedReader>(std::move(window), '\t');
  return UnknownFormat(name);
}

namespace {

// Files read one after the other; all are there before the first row is told.
class PartReader final : public RowReader {
 public:
  static absl::StatusOr<std::unique_ptr<RowReader>> Open(const std::string& paths,
                                                         const RowLimits& limits) {
    auto reader = std::make_unique<PartReader>();
    for (const std::string_view path : Split(paths, kPartSeparator)) {
      ASSIGN_OR_RETURN(std::unique_ptr<RowReader> part, OpenRows(std::string(path), limits));
      reader->parts_.emplace_back(std::string(path), std::move(part));
    }
    return reader;
  }

  absl::StatusOr<std::optional<Row>> Next() override {
    while (at_ < parts_.size()) {
      ASSIGN_OR_RETURN(std::optional<Row> row, parts_[at_].second->Next());
      if (row) {
        row->part = parts_[at_].first;
        return row;
      }
      ++at_;
    }
    return std::optional<Row>();
  }

 private:
  std::vector<std::pair<std::string, std::unique_ptr<RowReader>>> parts_;
  size_t at_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RowReader>> OpenRows(const std::string& path,
                                                    const RowLimits& limits) {
  if (path.find(kPartSeparator) != std::string::npos) return PartReader::Open(path, limits);
  ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> source, OpenByteSource(path));
  return OpenRows(std::move(source), path, limits);
}

namespace {

absl::Status HashFile(const std::string& path, Sha256* hash) {
  const auto failed = [&path](std::string_view act) {
    return NotFound("%s: cannot %s: %s", path, act, std::strerror(errno));
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"),
                                                             std::fclose);
  if (file == nullptr) return failed("open");
  std::string buffer(kReadBytes, '\0');
  while (true) {
    const size_t got = std::fread(buffer.data(), 1, buffer.size(), file.get());
    if (got == 0) break;
    hash->Update(std::string_view(buffer).substr(0, got));
  }
  if (std::ferror(file.get()) != 0) return failed("read");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> FileSha256(const std::string& path) {
  Sha256 hash;
  for (const std::string_view part : Split(path, kPartSeparator))
    RETURN_IF_ERROR(HashFile(std::string(part), &hash));
  return hash.HexDigest();
}

absl::Status MissingField(const Row& row, std::string_view path, std::string_view field) {
  std::vector<std::string> names;
  for (const auto& [name, value] : row.fields.AsMembers()) names.push_back(name);
  return InvalidArgument("%s:%d: no field '%s'%s (fields: %s)", path, row.line, field,
                         DidYouMean(field, names), Shorten(Join(names, ", "), 300));
}

absl::StatusOr<std::string> RequireString(const Row& row, std::string_view path,
                                          std::string_view field) {
  const Json* value = row.fields.Find(field);
  if (value == nullptr) return MissingField(row, path, field);
  if (!value->is_string()) {
    return InvalidArgument("%s:%d: field '%s': expected a string, found %s", path, row.line, field,
                           Shorten(value->Dump(), 80));
  }
  return value->AsString();
}

}  // namespace assay
