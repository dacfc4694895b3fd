// A dataset as a stream of asked problems: find and fingerprint the file, map its rows, draw
// few-shot examples, render prompts.
#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "harness/catalogue.h"
#include "harness/data_manifest.h"
#include "harness/hash.h"
#include "harness/random.h"
#include "harness/status.h"
#include "harness/task.h"
#include "harness/task_spec.h"
#include "harness/text.h"
#include "re2/re2.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

// Beyond the ones needed: where an example is the problem itself, the next one takes its place.
constexpr size_t kSpareExamples = 8;

struct Example {
  uint64_t order = 0;
  std::string where;  // FILE:LINE
  Problem problem;
  std::vector<Message> question;
  std::string reply;
  // What it asks, whatever the place of its choices: compared with the problem's.
  std::vector<std::optional<std::string>> asks;
};

std::string UserText(const std::vector<Message>& messages) {
  std::string text;
  for (const Message& message : messages) {
    if (message.role == "user") text += message.text + "\n";
  }
  return text;
}

// Rendered without few-shot examples, but for the system message.
absl::StatusOr<std::vector<Message>> RenderMessages(const TaskSpec& spec, const Json& context,
                                                    const std::string& where,
                                                    std::vector<std::string>* blank = nullptr) {
  std::vector<Message> messages;
  for (const MessageTemplate& message : spec.prompt) {
    ASSIGN_OR_RETURN(std::string text, RenderChecked(message.text, context, where, blank));
    if (Trim(text).empty()) {
      return InvalidArgument("%s: the %s message of the prompt renders to nothing", where,
                             message.role);
    }
    messages.push_back({message.role, std::move(text)});
  }
  return messages;
}

// Every run of white space as one blank.
std::string OneBlankEach(std::string_view text) {
  std::string words;
  for (const char c : ReplaceAll(text, "\u00a0", " ")) {
    const bool blank = Trim(std::string_view(&c, 1)).empty();
    if (blank && (words.empty() || words.back() == ' ')) continue;
    words += blank ? ' ' : c;
  }
  return std::string(TrimRight(words));
}

// A problem as one template puts it, without its choices and whatever the white space: two rows
// that ask the same have the same, though each is shuffled by its own id. Nothing: the row is not
// for that template.
std::optional<std::string> Asks(const std::vector<const CheckedTemplate*>& templates,
                                const FieldMap& fields, const Problem& problem) {
  constexpr size_t kAnyChoices = 26;  // more than a template reaches for
  Problem bare = problem;
  if (fields.choices) {
    bare.choices.assign(kAnyChoices, "");
    Json blanks = Json::MakeArray();
    for (const std::string& blank : bare.choices) blanks.Append(blank);
    const auto blank = [&bare](const std::string& field, const Json& value) {
      if (bare.row.Find(field) != nullptr) bare.row.Set(field, value);
    };
    blank(fields.choices->list_field, blanks);
    for (const std::string& field : fields.choices->fields) blank(field, "");
  }
  const Json context = TemplateContext(bare);
  std::string text;
  for (const CheckedTemplate* one : templates) {
    const absl::StatusOr<std::string> rendered = RenderChecked(*one, context, "");
    if (!rendered.ok()) return std::nullopt;
    text += *rendered + "\n";
  }
  text = OneBlankEach(text);
  if (!fields.choices) return text;
  // One wording ("Which is true?") asks many things: the right choice says which.
  const size_t right = static_cast<size_t>(problem.reference[0] - 'A');
  return text + "\n" + OneBlankEach(problem.choices[right]);
}

// By the prompt, and by the template of the examples where they have their own.
std::vector<std::optional<std::string>> Asks(const TaskSpec& spec, const Problem& problem) {
  std::vector<const CheckedTemplate*> prompt;
  for (const MessageTemplate& message : spec.prompt) {
    if (message.role == "user") prompt.push_back(&message.text);
  }
  std::vector<std::optional<std::string>> asks = {Asks(prompt, spec.fields, problem)};
  if (spec.fewshot->question) {
    asks.push_back(Asks({&*spec.fewshot->question}, spec.fields, problem));
  }
  return asks;
}

bool AskTheSame(const std::vector<std::optional<std::string>>& a,
                const std::vector<std::optional<std::string>>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] && a[i] == b[i]) return true;
  }
  return false;
}

uint64_t ExampleOrder(uint64_t seed, const std::string& id) {
  return Hash64(absl::StrFormat("fewshot/1:%d:%s", seed, id));
}

// The `wanted` rows of a file with the smallest hash of (seed, id): the same whatever their order,
// with no more rows in memory than wanted.
absl::StatusOr<std::vector<Example>> DrawExamples(const TaskSpec& spec, const std::string& file,
                                                  uint64_t choice_seed, size_t wanted) {
  const auto later = [](const Example& a, const Example& b) { return a.order < b.order; };
  ASSIGN_OR_RETURN(std::unique_ptr<RowReader> rows, OpenRows(file));
  std::vector<Example> heap;
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<Row> row, rows->Next());
    if (!row) break;
    ASSIGN_OR_RETURN(const bool passes, PassesFilter(*row, row->part.empty() ? file : row->part,
                                                     spec.fewshot->dataset.filter));
    if (!passes) continue;
    Example example;
    ASSIGN_OR_RETURN(example.problem, ProblemFromRow(spec.fields, *row, file, choice_seed));
    example.where = absl::StrFormat("%s:%d", row->part.empty() ? file : row->part, row->line);
    example.order = ExampleOrder(spec.fewshot->seed, example.problem.id);
    if (heap.size() == wanted && example.order >= heap.front().order) continue;
    heap.push_back(std::move(example));
    std::push_heap(heap.begin(), heap.end(), later);
    if (heap.size() <= wanted) continue;
    std::pop_heap(heap.begin(), heap.end(), later);
    heap.pop_back();
  }
  std::sort_heap(heap.begin(), heap.end(), later);
  return heap;
}

absl::Status RenderExample(const TaskSpec& spec, Example* example) {
  const std::string where = example->where + ": as a few-shot example";
  example->asks = Asks(spec, example->problem);
  Json context = TemplateContext(example->problem);
  if (spec.fewshot->question) {
    ASSIGN_OR_RETURN(std::string text, RenderChecked(*spec.fewshot->question, context, where));
    example->question.push_back({"user", std::move(text)});
  } else {
    ASSIGN_OR_RETURN(example->question, RenderMessages(spec, context, where));
    std::erase_if(example->question,
                  [](const Message& message) { return message.role == "system"; });
  }
  context.Set("reference", example->problem.reference);
  ASSIGN_OR_RETURN(example->reply, RenderChecked(*spec.fewshot->reply, context, where));
  return absl::OkStatus();
}

class TaskStream final : public ProblemStream {
 public:
  TaskStream(Task task, TaskSpec spec, std::string file, std::string sha256, uint64_t seed,
             const ChoiceOrders* orders)
      : task_(std::move(task)),
        spec_(std::move(spec)),
        file_(std::move(file)),
        sha256_(std::move(sha256)),
        seed_(seed),
        orders_(orders) {}

  absl::Status Open(const std::string& fewshot_file) {
    ASSIGN_OR_RETURN(rows_, OpenRows(file_));
    if (!spec_.fewshot || spec_.fewshot->count == 0) return absl::OkStatus();
    same_file_ = fewshot_file == file_;
    const size_t count = static_cast<size_t>(spec_.fewshot->count);
    ASSIGN_OR_RETURN(examples_, DrawExamples(spec_, fewshot_file, seed_, count + kSpareExamples));
    if (examples_.size() < count + (same_file_ ? 1 : 0)) {
      return InvalidArgument("%s: %d rows are too few to draw %d few-shot examples from",
                             fewshot_file, examples_.size(), count);
    }
    for (Example& example : examples_) RETURN_IF_ERROR(RenderExample(spec_, &example));
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<AskedProblem>> Next() override {
    while (true) {
      ASSIGN_OR_RETURN(const std::optional<Row> row, rows_->Next());
      if (!row && ++pass_ < Passes()) {
        ASSIGN_OR_RETURN(rows_, OpenRows(file_));
        continue;
      }
      if (!row) break;
      ASSIGN_OR_RETURN(const bool passes, PassesFilter(*row, row->part.empty() ? file_ : row->part,
                                                       task_.dataset.filter));
      if (!passes) continue;
      ++asked_;
      return Ask(*row);
    }
    if (asked_ > 0) return std::optional<AskedProblem>();
    return InvalidArgument("%s: no row passes dataset.filter %s", file_,
                           task_.dataset.filter.Dump());
  }

  const std::string& dataset_path() const override { return file_; }
  const std::string& dataset_sha256() const override { return sha256_; }

 private:
  bool AsSimpleEvals() const {
    return spec_.fields.choices && spec_.fields.choices->shuffle == Shuffle::kSimpleEvals;
  }
  int Passes() const { return AsSimpleEvals() ? kSimpleEvalsPasses : 1; }

  // A row that is asked several times is a problem each time; they are not independent.
  absl::Status MakeProblem(const Row& row, const std::string& file, Problem* problem) {
    if (!AsSimpleEvals()) {
      ASSIGN_OR_RETURN(*problem, ProblemFromRow(spec_.fields, row, file, seed_));
      if (orders_ == nullptr || problem->choice_order.empty()) return absl::OkStatus();
      const auto told = orders_->of.find(problem->id);
      if (told == orders_->of.end()) return absl::OkStatus();
      ASSIGN_OR_RETURN(*problem, ProblemFromRow(spec_.fields, row, file, seed_, &told->second));
      return absl::OkStatus();
    }
    std::vector<int> order;
    for (const int64_t at : simple_evals_.Sample(4, 4)) order.push_back(static_cast<int>(at));
    ASSIGN_OR_RETURN(*problem, ProblemFromRow(spec_.fields, row, file, seed_, &order));
    if (!spec_.fields.cluster) problem->tags.push_back("cluster:" + problem->id);
    problem->id += absl::StrFormat("/%d", pass_ + 1);
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<AskedProblem>> Ask(const Row& row) {
    const std::string& file = row.part.empty() ? file_ : row.part;
    const std::string where = absl::StrFormat("%s:%d", file, row.line);
    AskedProblem asked;
    asked.line = row.line;
    RETURN_IF_ERROR(MakeProblem(row, file, &asked.problem));
    RETURN_IF_ERROR(TakeId(where, &asked.problem));
    ASSIGN_OR_RETURN(
        std::vector<Message> messages,
        RenderMessages(spec_, TemplateContext(asked.problem), where, &asked.blank_values));
    ASSIGN_OR_RETURN(asked.prompt.messages,
                     WithExamples(std::move(messages), asked.problem, where));
    if (!spec_.system.empty()) {
      std::erase_if(asked.prompt.messages,
                    [](const Message& message) { return message.role == "system"; });
      asked.prompt.messages.insert(asked.prompt.messages.begin(), {"system", spec_.system});
    }
    asked.prompt.reply_prefix = spec_.reply_prefix;
    RETURN_IF_ERROR(AddContinuations(where, &asked));
    return asked;
  }

  absl::Status AddContinuations(const std::string& where, AskedProblem* asked) const {
    if (spec_.continuations == TaskSpec::Continuations::kNone) return absl::OkStatus();
    const std::vector<std::string>& choices = asked->problem.choices;
    if (choices.size() < 2 || choices.size() > 26) {
      return InvalidArgument(
          "%s: loglikelihood compares a problem's choices, 2 to 26 of them; this one has %d", where,
          choices.size());
    }
    for (size_t i = 0; i < choices.size(); ++i) {
      const bool by_letter = spec_.continuations == TaskSpec::Continuations::kLetters;
      const std::string text = by_letter ? std::string(1, static_cast<char>('A' + i)) : choices[i];
      asked->prompt.continuations.push_back(spec_.delimiter + text);
    }
    return absl::OkStatus();
  }

  // Two problems of one id would share their samples. Rows without an id of their own that are
  // equal in every field are numbered.
  absl::Status TakeId(const std::string& where, Problem* problem) {
    const uint64_t hash = Hash64(problem->id);
    if (ids_[hash % ids_.size()].insert(hash).second) return absl::OkStatus();
    if (spec_.fields.id) {
      return InvalidArgument("%s: the id '%s' was used by an earlier row; ids must be unique",
                             where, Shorten(problem->id, 80));
    }
    problem->id += absl::StrFormat("-%d", ++repeats_[hash] + 1);
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<Message>> WithExamples(std::vector<Message> messages,
                                                    const Problem& problem,
                                                    const std::string& where) const {
    if (examples_.empty()) return messages;
    const std::string own_text = UserText(messages);
    const std::vector<std::optional<std::string>> own_question = Asks(spec_, problem);
    std::vector<const Example*> shown;
    for (const Example& example : examples_) {
      if (shown.size() == static_cast<size_t>(spec_.fewshot->count)) break;
      const bool itself = (same_file_ && example.problem.id == problem.id) ||
                          UserText(example.question) == own_text ||
                          AskTheSame(example.asks, own_question) ||
                          example.problem.row == problem.row;
      if (!itself) shown.push_back(&example);
    }
    if (shown.size() < static_cast<size_t>(spec_.fewshot->count)) {
      return InvalidArgument("%s: too few few-shot examples that are not the problem itself",
                             where);
    }
    return spec_.fewshot->as_turns ? AsTurns(std::move(messages), shown)
                                   : AsText(std::move(messages), shown);
  }

  static std::vector<Message> AsTurns(std::vector<Message> messages,
                                      const std::vector<const Example*>& shown) {
    const auto first = std::find_if(messages.begin(), messages.end(), [](const Message& message) {
      return message.role != "system";
    });
    std::vector<Message> turns(messages.begin(), first);
    for (const Example* example : shown) {
      turns.insert(turns.end(), example->question.begin(), example->question.end());
      turns.push_back({"assistant", example->reply});
    }
    turns.insert(turns.end(), first, messages.end());
    return turns;
  }

  // All in the last message, as completion-style benchmarks ask.
  std::vector<Message> AsText(std::vector<Message> messages,
                              const std::vector<const Example*>& shown) const {
    std::string text = spec_.fewshot->introduction;
    for (const Example* example : shown) {
      text += example->question.back().text + example->reply + spec_.fewshot->separator;
    }
    messages.back().text.insert(0, text);
    return messages;
  }

  Task task_;
  TaskSpec spec_;
  std::string file_;
  std::string sha256_;
  uint64_t seed_;
  const ChoiceOrders* orders_;
  std::unique_ptr<RowReader> rows_;
  std::vector<Example> examples_;
  bool same_file_ = false;
  int64_t asked_ = 0;
  int pass_ = 0;  // over the rows
  PythonRandom simple_evals_{0};
  // Hashes: 8 bytes a problem, whatever the ids; in many small sets, of which one at a time grows.
  std::array<absl::flat_hash_set<uint64_t>, 64> ids_;
  absl::flat_hash_map<uint64_t, int> repeats_;  // of those without an id of their own
};

// What the first fetch pinned holds for every run after it.
absl::Status CheckPinned(const std::string& file, const std::string& sha256) {
  const fs::path path(file);
  ASSIGN_OR_RETURN(const DataManifest manifest, ReadDataManifest(path.parent_path().string()));
  const PinnedSet* pinned = manifest.FindFile(path.filename().string());
  if (pinned == nullptr || pinned->sha256 == sha256) return absl::OkStatus();
  return FailedPrecondition(
      "%s: this is not the file that was pinned on %s (%s there): its sha256 is %s, pinned was %s. "
      "`assay datasets verify %s` says more; `assay datasets fetch %s --accept-new` accepts it",
      file, pinned->when, kDataManifestName, sha256, pinned->sha256, pinned->name, pinned->name);
}

// A file beside the task comes before the data directories: where one of them has a set of that
// name, what was imported and pinned must not be replaced by it unseen.
absl::Status CheckPinnedElsewhere(const SearchPath& path, const std::string& file,
                                  const std::string& name, const std::string& sha256) {
  // One that was pointed at, or some of the parts that a set is joined from.
  if (fs::path(name).has_parent_path() || fs::path(file).filename() != name) {
    return absl::OkStatus();
  }
  for (const std::string& directory : path.data_directories) {
    ASSIGN_OR_RETURN(const DataManifest manifest, ReadDataManifest(directory));
    const PinnedSet* pinned = manifest.FindFile(name);
    if (pinned == nullptr || pinned->sha256 == sha256) continue;
    return FailedPrecondition(
        "%s: it is found first and is not the '%s' that was pinned on %s in %s: its sha256 is %s, "
        "pinned was %s. Move it away to ask the pinned one; to ask this one, take it in (`assay "
        "datasets import %s --as %s --accept-new`) or pin it in the task (dataset.sha256: %s)",
        file, name, pinned->when, directory, sha256, pinned->sha256, file, pinned->name, sha256);
  }
  return absl::OkStatus();
}

// The command that gets the file, where the catalogue knows one.
std::string HowToGetFile(const SearchPath& path, const std::string& file) {
  const absl::StatusOr<std::vector<CatalogueEntry>> entries = LoadCatalogue(path);
  if (!entries.ok()) return "";
  const auto entry =
      std::find_if(entries->begin(), entries->end(),
                   [&file](const CatalogueEntry& candidate) { return candidate.file == file; });
  return entry == entries->end() ? "" : " To get it: " + HowToGet(*entry) + ".";
}

}  // namespace

namespace {

absl::StatusOr<std::string> FindFile(const SearchPath& path, const Task& task,
                                     const DatasetReference& dataset) {
  std::vector<std::string> tried;
  const auto found = [&](const fs::path& candidate) {
    std::error_code ignored;
    tried.push_back(candidate.lexically_normal().string());
    return fs::is_regular_file(candidate, ignored);
  };
  const fs::path file(dataset.file);
  if (file.is_absolute()) {
    if (found(file)) return tried.back();
  } else {
    if (found(fs::path(task.path).parent_path() / file)) return tried.back();
    for (const std::string& directory : path.data_directories) {
      if (found(fs::path(directory) / file)) return tried.back();
    }
    if (found(file)) return tried.back();  // --dataset-file, as the shell completes it
  }
  const std::string from = dataset.hub_id.empty() ? "" : "; it is published as " + dataset.hub_id;
  return NotFound(
      "task '%s': the dataset file '%s' was not found%s.%s Looked at: %s. Name its directory with "
      "--data-dir or $ASSAY_DATA (`assay datasets list` says where each set comes from)",
      task.name, dataset.file, from, HowToGetFile(path, dataset.file), Join(tried, ", "));
}

// The parts of a release: "release_v3" the first three, "release_latest" all, "v3" the third,
// "v2_v3" a range.
absl::StatusOr<std::pair<size_t, size_t>> PartsOf(const Task& task,
                                                  const DatasetReference& dataset) {
  const std::string& name = dataset.release;
  const size_t count = dataset.parts.size();
  if (name.empty() || name == "release_latest") return std::make_pair(size_t{0}, count);
  static const auto* pattern = new RE2("(release_)?v(\\d{1,3})(?:_v(\\d{1,3}))?");
  std::string from_first, first, last;
  const bool known = RE2::FullMatch(name, *pattern, &from_first, &first, &last);
  const auto begin = static_cast<size_t>(ParseInt(first).value_or(0));
  const auto end = last.empty() ? begin : static_cast<size_t>(ParseInt(last).value_or(0));
  const bool ranged = !from_first.empty() && !last.empty();
  if (!known || ranged || begin < 1 || end < begin || end > count) {
    return InvalidArgument(
        "task '%s': release '%s': expected release_v1 to release_v%d, release_latest, v1 to v%d, "
        "or "
        "a range like v1_v%d",
        task.name, Shorten(name, 40), count, count, count);
  }
  return std::make_pair(from_first.empty() ? begin - 1 : 0, end);
}

// `assay datasets fetch` leaves the parts joined; where one ends, the joined file does not say.
absl::Status PartMissing(const SearchPath& path, const Task& task, const DatasetReference& dataset,
                         const std::string& part, const absl::Status& why) {
  if (dataset.file.empty() || dataset.release.empty()) return why;
  const absl::StatusOr<std::string> joined = FindFile(path, task, dataset);
  if (!joined.ok()) return why;
  return NotFound(
      "task '%s': release '%s' is read from the dataset's parts, and '%s' was not found. %s holds "
      "all of them joined: choose its rows by --since and --until, or put the parts beside it "
      "(%s)%s",
      task.name, Shorten(dataset.release, 40), part, *joined, Join(dataset.parts, ", "),
      dataset.hub_id.empty() ? "" : ", which are files of " + dataset.hub_id);
}

}  // namespace

absl::StatusOr<std::string> FindDatasetFile(const SearchPath& path, const Task& task,
                                            const DatasetReference& dataset) {
  if (dataset.parts.empty()) return FindFile(path, task, dataset);
  using Range = std::pair<size_t, size_t>;
  ASSIGN_OR_RETURN(const Range range, PartsOf(task, dataset));
  const bool whole = range.second - range.first == dataset.parts.size();
  if (whole && !dataset.file.empty()) {
    if (absl::StatusOr<std::string> joined = FindFile(path, task, dataset); joined.ok())
      return joined;
  }
  std::string files;
  for (size_t i = range.first; i < range.second; ++i) {
    DatasetReference part = dataset;
    part.file = dataset.parts[i];
    const absl::StatusOr<std::string> found = FindFile(path, task, part);
    if (!found.ok()) return PartMissing(path, task, dataset, part.file, found.status());
    const std::string& file = *found;
    if (i > range.first) files += kPartSeparator;
    files += file;
  }
  return files;
}

absl::StatusOr<std::string> CheckFingerprint(const SearchPath& path, const std::string& file,
                                             const DatasetReference& dataset,
                                             const std::string& task_path) {
  ASSIGN_OR_RETURN(const std::string sha256, FileSha256(file));
  if (dataset.sha256.empty()) {
    RETURN_IF_ERROR(CheckPinned(file, sha256));
    RETURN_IF_ERROR(CheckPinnedElsewhere(path, file, dataset.file, sha256));
    return sha256;
  }
  if (dataset.sha256 == sha256) return sha256;
  return FailedPrecondition(
      "%s: this is not the file that the task was written for: its sha256 is %s, %s wants %s. "
      "Get that version, or name this file with --dataset-file (the task's hash then changes)",
      file, sha256, task_path, dataset.sha256);
}

absl::StatusOr<std::vector<std::string>> MissingDatasets(const SearchPath& path, const Task& task) {
  ASSIGN_OR_RETURN(const TaskSpec spec, BuildSpec(task.definition, task.path));
  std::vector<std::string> missing;
  if (!FindDatasetFile(path, task, task.dataset).ok()) missing.push_back(task.dataset.file);
  const bool shows = spec.fewshot && spec.fewshot->count > 0;
  if (shows && !spec.fewshot->dataset.file.empty() &&
      !FindDatasetFile(path, task, spec.fewshot->dataset).ok()) {
    missing.push_back(spec.fewshot->dataset.file);
  }
  return missing;
}

absl::StatusOr<std::unique_ptr<ProblemStream>> OpenProblems(const SearchPath& path,
                                                            const Task& task, uint64_t seed,
                                                            const ChoiceOrders* orders) {
  ASSIGN_OR_RETURN(TaskSpec spec, BuildSpec(task.definition, task.path));
  if (orders != nullptr && orders->published && spec.fields.choices &&
      spec.fields.choices->shuffle != Shuffle::kSimpleEvals) {
    spec.fields.choices->shuffle = Shuffle::kNever;
  }
  ASSIGN_OR_RETURN(std::string file, FindDatasetFile(path, task, task.dataset));
  ASSIGN_OR_RETURN(std::string sha256, CheckFingerprint(path, file, task.dataset, task.path));
  std::string fewshot_file = file;
  if (spec.fewshot && spec.fewshot->count > 0 && !spec.fewshot->dataset.file.empty()) {
    ASSIGN_OR_RETURN(fewshot_file, FindDatasetFile(path, task, spec.fewshot->dataset));
    RETURN_IF_ERROR(
        CheckFingerprint(path, fewshot_file, spec.fewshot->dataset, task.path).status());
  }
  auto stream = std::make_unique<TaskStream>(task, std::move(spec), std::move(file),
                                             std::move(sha256), seed, orders);
  RETURN_IF_ERROR(stream->Open(fewshot_file));
  return stream;
}

}  // namespace assay
