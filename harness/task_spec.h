// A task's definition made ready to run: where each value of a problem comes from, templates
// parsed. Private to harness/task*.cc.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/json.h"
#include "harness/rows.h"
#include "harness/task.h"
#include "harness/template.h"
#include "harness/types.h"
#include "harness/yaml.h"

namespace assay {

// A template, the names it must find in its context, and the fields it must find in `row`.
struct CheckedTemplate {
  Template parsed;
  std::vector<std::string> names;
  std::vector<std::string> row_fields;
};

// Where one value of a problem comes from in its row: a field, a template over the row, or the same
// for all.
struct ValueSource {
  std::string field;
  std::optional<CheckedTemplate> made;
  std::optional<Json> value;
  std::string after;   // what follows the last of these
  std::string before;  // and stands before the first of these
  Json map;            // object or null: the text that it is replaced by
};

// kSimpleEvals: as simple-evals asks GPQA, every row four times, in the orders that Python's
// Random(0) draws one after the other.
enum class Shuffle { kAlways, kNever, kSafe, kSimpleEvals };
constexpr int kSimpleEvalsPasses = 4;

struct ChoicesSource {
  std::string list_field;           // one field that holds a list
  std::vector<std::string> fields;  // or one field per choice
  std::vector<std::string> drop;    // choices that are fillers ("N/A")
  Shuffle shuffle = Shuffle::kSafe;
};

enum class ReferenceForm { kText, kIndex, kLetter, kChoice };

struct FieldMap {
  std::optional<ValueSource> id;
  ReferenceForm reference_form = ReferenceForm::kText;
  ValueSource reference;
  std::optional<ChoicesSource> choices;
  std::vector<std::pair<std::string, ValueSource>> tags;
  std::optional<ValueSource> cluster;
};

struct MessageTemplate {
  std::string role;
  CheckedTemplate text;
};

struct FewShot {
  DatasetReference dataset;  // file empty: the task's own
  int count = 0;
  uint64_t seed = 0;
  bool as_turns = true;
  std::string separator;
  std::string introduction;                 // before the examples, where they are not turns
  std::optional<CheckedTemplate> question;  // none: the task's prompt
  std::optional<CheckedTemplate> reply;
};

struct TaskSpec {
  FieldMap fields;
  std::string system;
  std::vector<MessageTemplate> prompt;
  std::optional<FewShot> fewshot;
  std::string reply_prefix;
  // Not drawn but scored: each choice, or its letter, after the prompt and this.
  enum class Continuations { kNone, kLetters, kChoices };
  Continuations continuations = Continuations::kNone;
  std::string delimiter;
};

// Keys, types and names of a task file, each error with FILE:LINE.
absl::Status ValidateTask(const YamlNode& root, const std::string& file);
// From a definition that passed ValidateTask.
absl::StatusOr<TaskSpec> BuildSpec(const Json& definition, const std::string& file);
DatasetReference DatasetFromJson(const Json& dataset);

// From a command line numbers come as text; in a file "0.6" is a slip.
enum class TextNumbers { kRead, kRefuse };
// Known sampling keys, gen_kwargs names too, into `sampling`. `where` begins the messages. Two
// names of one key that say different things (max_tokens, max_gen_toks) are an error.
absl::Status MergeSampling(const Json& given, std::string_view where, TextNumbers text_numbers,
                           Json* sampling);
Sampling SamplingFromJson(const Json& sampling);

// A day of the calendar in ISO 8601, alone or with a time: "2024-08-01", "2024-08-01T12:30:00Z".
bool IsDate(std::string_view text);
// Whether a row passes `dataset.filter`. Where a range's ends are dates, a row's value that is none
// is an error, not a row before or after them.
absl::StatusOr<bool> PassesFilter(const Row& row, std::string_view path, const Json& filter);

// The row as a problem, without its prompt. `path` is the dataset's, for messages. `order`: of the
// choices, where something else than the seed decides it.
absl::StatusOr<Problem> ProblemFromRow(const FieldMap& fields, const Row& row,
                                       const std::string& path, uint64_t seed,
                                       const std::vector<int>* order = nullptr);
// Whether options speak of each other's places ("all of the above", "A and C"): shuffled, such a
// problem has another answer.
bool ChoicesReferToPlaces(const std::vector<std::string>& choices);

// What templates see of a problem: its row's fields, `row`; where there are choices, `choices`,
// `letters` and `lettered_choices` ("A) ...\nB) ...").
Json TemplateContext(const Problem& problem);
// What the template wants and the context has not, or has as null, is an error. `blank`: see
// Template::Render.
absl::StatusOr<std::string> RenderChecked(const CheckedTemplate& text, const Json& context,
                                          const std::string& where,
                                          std::vector<std::string>* blank = nullptr);

// The file that a dataset reference names: as an absolute path, beside the task file, or in a data
// directory.
absl::StatusOr<std::string> FindDatasetFile(const SearchPath& path, const Task& task,
                                            const DatasetReference& dataset);
// Checks the fingerprint where one is pinned: by the task, by the manifest beside the file, or by
// the manifest of a data directory that holds a set of that name. Returns the file's.
absl::StatusOr<std::string> CheckFingerprint(const SearchPath& path, const std::string& file,
                                             const DatasetReference& dataset,
                                             const std::string& task_path);

}  // namespace assay
