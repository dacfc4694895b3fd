// How samples and verdicts become rows, and rows become them again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "harness/json.h"
#include "harness/sqlite.h"
#include "harness/store/texts.h"
#include "harness/types.h"

namespace assay {

int64_t NowMilliseconds();  // since 1970, UTC
std::string NowIso8601();   // "2026-11-23T14:05:09Z"

// The run's manifest as JSON, with members that this program does not know; `run` is its row.
absl::StatusOr<Json> ReadRunManifest(Sqlite& database, int64_t run);

// 64 hex digits take 32 bytes; any other key is kept as it is.
std::string PackKey(std::string_view key, bool* packed);
std::string UnpackKey(const SqliteStatement& row, int column);

// --- verdicts, with the extraction that they were made from ---
class VerdictTable {
 public:
  static absl::StatusOr<VerdictTable> Prepare(Sqlite& database);
  absl::Status Add(int64_t sample, const Extraction& extraction, const Verdict& verdict,
                   int64_t now_ms);

 private:
  explicit VerdictTable(SqliteStatement insert) : insert_(std::move(insert)) {}
  SqliteStatement insert_;
};

// For "SELECT ..., <columns> FROM ... verdicts AS v": their number, and reading them.
inline constexpr char kVerdictColumns[] =
    "v.grader, v.grader_version, v.outcome, v.score, v.why, v.detail, v.answer, v.strict, "
    "v.lenient, v.same, v.rule, v.answer_begin, v.answer_end";
inline constexpr int kVerdictColumnCount = 13;
absl::Status ReadVerdict(const SqliteStatement& row, int first, Extraction* extraction,
                         Verdict* verdict);

// --- completions without their texts ---
inline constexpr char kSampleColumns[] =
    "s.sample_index, s.key, s.finish, s.unclosed_reasoning, s.prompt_tokens, s.reasoning_tokens, "
    "s.answer_tokens, s.tokens_measured, s.latency_seconds, s.cost_usd, s.seed, s.server";
inline constexpr int kSampleColumnCount = 12;
// The texts and the server's names are left as they are; *server is the row of `servers`.
void ReadSample(const SqliteStatement& row, int first, Sample* sample, std::string* key,
                int64_t* server);

// --- texts ---
inline constexpr char kTextColumns[] =
    "x.raw_begin, x.raw_size, x.reasoning_begin, x.reasoning_size, x.answer_begin, x.answer_size, "
    "x.cut, x.tail";  // and x.head where all is wanted
inline constexpr int kTextColumnCount = 8;
PackedTexts ReadTextRanges(const SqliteStatement& row, int first);

}  // namespace assay
