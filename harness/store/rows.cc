// The columns, in the order that the SELECTs and INSERTs name them.
#include "harness/store/rows.h"

#include <chrono>
#include <ctime>

#include "harness/status.h"

namespace assay {
namespace {

// Bits of verdicts.same: that text is the answer itself and is not stored twice. Extracted programs
// are long.
constexpr int64_t kStrictIsAnswer = 1;
constexpr int64_t kLenientIsAnswer = 2;

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

std::optional<std::string_view> View(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  return std::string_view(*text);
}

std::optional<std::string> OptionalText(const SqliteStatement& row, int column) {
  if (row.IsNull(column)) return std::nullopt;
  return std::string(row.Text(column));
}

}  // namespace

int64_t NowMilliseconds() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string NowIso8601() {
  const std::time_t now = std::time(nullptr);
  std::tm parts = {};
  gmtime_r(&now, &parts);
  char text[32];
  return std::string(text, std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts));
}

absl::StatusOr<Json> ReadRunManifest(Sqlite& database, int64_t run) {
  ASSIGN_OR_RETURN(SqliteStatement query,
                   database.Prepare("SELECT manifest FROM runs WHERE id = ?"));
  query.Bind(run);
  ASSIGN_OR_RETURN(const bool found, query.Step());
  if (!found) return NotFound("%s: there is no run in row %d", database.path(), run);
  return ParseJson(query.Text(0));
}

std::string PackKey(std::string_view key, bool* packed) {
  *packed = false;
  if (key.size() != 64) return std::string(key);
  std::string bytes(32, '\0');
  for (size_t i = 0; i < 32; ++i) {
    const int high = HexValue(key[2 * i]), low = HexValue(key[2 * i + 1]);
    if (high < 0 || low < 0) return std::string(key);
    bytes[i] = static_cast<char>(high << 4 | low);
  }
  *packed = true;
  return bytes;
}

std::string UnpackKey(const SqliteStatement& row, int column) {
  const std::string_view bytes = row.Text(column);
  if (!row.IsBlob(column)) return std::string(bytes);
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string key;
  key.reserve(2 * bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    key.push_back(kDigits[byte >> 4]);
    key.push_back(kDigits[byte & 0xF]);
  }
  return key;
}

absl::StatusOr<VerdictTable> VerdictTable::Prepare(Sqlite& database) {
  ASSIGN_OR_RETURN(
      SqliteStatement insert,
      database.Prepare("INSERT INTO verdicts (sample, grader, grader_version, outcome, score, why, "
                       "detail, answer, strict, lenient, same, rule, answer_begin, answer_end, "
                       "created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  return VerdictTable(std::move(insert));
}

absl::Status VerdictTable::Add(int64_t sample, const Extraction& extraction, const Verdict& verdict,
                               int64_t now_ms) {
  const bool strict_same = extraction.strict && extraction.strict == extraction.answer;
  const bool lenient_same = extraction.lenient && extraction.lenient == extraction.answer;
  const int64_t same = (strict_same ? kStrictIsAnswer : 0) | (lenient_same ? kLenientIsAnswer : 0);
  std::optional<std::string> detail;
  if (!verdict.detail.is_null()) detail = verdict.detail.Dump();
  const auto strict = strict_same ? std::nullopt : View(extraction.strict);
  const auto lenient = lenient_same ? std::nullopt : View(extraction.lenient);
  return insert_.Execute(
      sample, verdict.grader, verdict.grader_version, OutcomeName(verdict.outcome), verdict.score,
      verdict.why, detail, extraction.answer, strict, lenient, same, extraction.rule,
      static_cast<int64_t>(extraction.begin), static_cast<int64_t>(extraction.end), now_ms);
}

absl::Status ReadVerdict(const SqliteStatement& row, int first, Extraction* extraction,
                         Verdict* verdict) {
  verdict->grader = row.Text(first);
  verdict->grader_version = static_cast<int>(row.Integer(first + 1));
  const std::optional<Outcome> outcome = OutcomeFromName(row.Text(first + 2));
  if (!outcome) {
    return absl::DataLossError(
        absl::StrFormat("a verdict with the unknown outcome '%s'", row.Text(first + 2)));
  }
  verdict->outcome = *outcome;
  verdict->score = row.Real(first + 3);
  verdict->why = row.Text(first + 4);
  verdict->detail = Json();
  if (!row.IsNull(first + 5)) {
    ASSIGN_OR_RETURN(verdict->detail, ParseJson(row.Text(first + 5)));
  }
  extraction->answer = OptionalText(row, first + 6);
  const int64_t same = row.Integer(first + 9);
  extraction->strict =
      (same & kStrictIsAnswer) != 0 ? extraction->answer : OptionalText(row, first + 7);
  extraction->lenient =
      (same & kLenientIsAnswer) != 0 ? extraction->answer : OptionalText(row, first + 8);
  extraction->rule = row.Text(first + 10);
  extraction->begin = static_cast<size_t>(row.Integer(first + 11));
  extraction->end = static_cast<size_t>(row.Integer(first + 12));
  return absl::OkStatus();
}

void ReadSample(const SqliteStatement& row, int first, Sample* sample, std::string* key,
                int64_t* server) {
  sample->index = static_cast<int>(row.Integer(first));
  *key = UnpackKey(row, first + 1);
  Completion& completion = sample->completion;
  completion.finish = FinishReasonFromName(row.Text(first + 2));
  completion.unclosed_reasoning = row.Integer(first + 3) != 0;
  completion.tokens.prompt = row.Integer(first + 4);
  completion.tokens.reasoning = row.Integer(first + 5);
  completion.tokens.answer = row.Integer(first + 6);
  completion.tokens.source =
      row.Integer(first + 7) != 0 ? TokenSource::kMeasured : TokenSource::kEstimated;
  completion.latency_seconds = row.Real(first + 8);
  completion.cost_usd = std::nullopt;
  if (!row.IsNull(first + 9)) completion.cost_usd = row.Real(first + 9);
  completion.seed = static_cast<uint64_t>(row.Integer(first + 10));
  *server = row.Integer(first + 11);
}

PackedTexts ReadTextRanges(const SqliteStatement& row, int first) {
  PackedTexts ranges;
  ranges.raw = {row.Integer(first), row.Integer(first + 1)};
  ranges.reasoning = {row.Integer(first + 2), row.Integer(first + 3)};
  ranges.answer = {row.Integer(first + 4), row.Integer(first + 5)};
  ranges.cut = row.Integer(first + 6);
  return ranges;
}

}  // namespace assay
