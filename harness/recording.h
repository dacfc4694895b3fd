// Recorded completions in a file of another program's making, or of ours: found, named, matched to
// a task's problems.
//
// Read are: `assay export` lines, lm-evaluation-harness's samples_*.jsonl, and rows of any other
// kind, whose fields are told or guessed; each guess is written down for the user.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/compress.h"
#include "harness/json.h"
#include "harness/rows.h"
#include "harness/types.h"

namespace assay {

enum class RecordingFormat { kAuto, kRows, kLmEval, kAssay };

// "auto", "jsonl", "lm-eval", "assay".
absl::StatusOr<RecordingFormat> RecordingFormatFromName(std::string_view name);

// Names of fields, "a.b.0" for a way down; empty: guessed. A completion's field may hold a list: n
// samples of one problem, and then the reasoning's and finish's fields may hold lists too.
struct RecordingFields {
  std::string id;
  std::string index;
  std::string completion;
  std::string reasoning;
  std::string finish;
  std::string question;
  std::string task;  // rows of another task are passed over; lm-eval's files hold one task each
};

// One completion. Its text is packed away: a recording may be larger than memory.
struct RecordedCompletion {
  int64_t line = 0;
  std::optional<int> index;      // as the file tells it
  std::vector<std::string> ids;  // what may be the problem's id, likeliest first
  std::optional<int64_t> place;  // the problem's place in the dataset (lm-eval's doc_id)
  size_t question = 0;           // in `questions`; 0: none
  std::string packed;
};

// What a file of ours tells of a problem as it was asked.
struct RecordedProblem {
  int64_t line = 0;
  std::vector<int> choice_order;  // empty: no choices
  std::string reference;
  std::optional<uint64_t> messages;  // PromptMessagesHash of the prompt, where the file has it
};

struct Recording {
  std::string path;
  std::string sha256;
  RecordingFormat format = RecordingFormat::kRows;
  std::vector<RecordedCompletion> completions;
  std::vector<std::string> questions;  // distinct, blanks normalised; the first is empty
  std::map<std::string, RecordedProblem, std::less<>> problems;  // by id; only of our own files
  // Finish reasons that nobody knows, with the number of replies that have them.
  std::map<std::string, int64_t> unknown_finishes;
  std::string model;               // where the file tells it
  int64_t failed_draws = 0;        // rows that tell of an error instead of a completion
  int64_t other_tasks = 0;         // rows passed over
  std::vector<std::string> notes;  // what was guessed, for people
};

// `task`: only rows of that task, where rows name one.
absl::StatusOr<Recording> ReadRecording(const std::string& path, RecordingFormat format,
                                        const RecordingFields& fields, const std::string& task);

// The completion itself, split into reasoning and answer. `prefix_opened`: the prompt ended inside
// the thinking (harness/reasoning.h).
absl::StatusOr<Completion> UnpackRecorded(const RecordedCompletion& recorded, bool prefix_opened,
                                          Decompressor& decompressor);

// --- matching ---

// What is known of a task's problems: told once for each, in the dataset's order.
class ProblemIndex {
 public:
  void Add(const Problem& problem);
  size_t size() const { return count_; }

 private:
  friend class Matcher;
  size_t count_ = 0;
  std::map<std::string, size_t, std::less<>> by_id_;
  std::map<std::string, std::optional<size_t>, std::less<>> by_text_;  // nothing: of several
  std::vector<std::vector<std::string>> texts_;                        // long enough to tell apart
  std::vector<std::string> short_questions_;                           // one that is not
};

struct RecordingMatch {
  std::string how;  // "by id (field 'idx')", "by the question's text", "by place"
  std::vector<std::optional<size_t>> problem_of;  // for each completion, by place in the dataset
  int64_t matched = 0;
  std::string first_unmatched;  // for an error: "FILE:LINE: ..."
};
// One way for the whole file: the first of id, question, place that matches all of it, else the one
// that matches most. A problem whose text is another one than the row's question is no match.
RecordingMatch MatchRecording(const Recording& recording, const ProblemIndex& problems);

// The file's first row answers the first problem, and so on, whatever the row says its question is:
// for files whose questions differ in a word from the dataset's.
RecordingMatch MatchInOrder(const Recording& recording, const ProblemIndex& problems);

// Of the list of messages, as `assay export` writes it.
uint64_t PromptMessagesHash(const Json& messages);

// Blanks collapsed to one space and trimmed.
std::string NormalBlanks(std::string_view text);

// The member at "a.b.0", or nullptr.
const Json* FindPath(const Json& json, std::string_view path);

}  // namespace assay
