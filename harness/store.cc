// Runs and their readers; the writer of a run is harness/store/writer.cc.
#include "harness/store.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <random>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "harness/manifest.h"
#include "harness/status.h"
#include "harness/store/connection.h"
#include "harness/store/rows.h"
#include "harness/store/schema.h"
#include "harness/store/texts.h"
#include "harness/store/writer.h"
#include "harness/text.h"

namespace assay {
namespace {

constexpr size_t kMaxAskedBytes = size_t{1} << 30;
constexpr size_t kVerdictsPerTransaction = 2000;  // a few milliseconds: others may write meanwhile
constexpr int kRunIdLength = 8;

struct TaskRow {
  int64_t row = 0;
  std::string name;
};

struct Server {
  std::string served_by;
  std::string served_model;
};
using Servers = absl::flat_hash_map<int64_t, Server>;  // by row

// Without vowels and look-alikes: no words, nothing to misread. Never all digits.
std::string RandomRunId() {
  static constexpr std::string_view kLetters = "bcdfghjkmnpqrstvwxz";
  static constexpr std::string_view kAll = "bcdfghjkmnpqrstvwxz23456789";
  std::random_device random;
  std::string id(1, kLetters[random() % kLetters.size()]);
  while (id.size() < kRunIdLength) id += kAll[random() % kAll.size()];
  return id;
}

RunState StateFromName(std::string_view name) {
  if (name == "complete") return RunState::kComplete;
  return name == "running" ? RunState::kRunning : RunState::kIncomplete;
}

// --- runs ---

std::string ManifestWithoutTasks(const RunManifest& manifest) {
  RunManifest head = manifest;
  head.tasks.clear();
  return RunManifestToJson(head).Dump();
}

absl::StatusOr<int64_t> RunRow(Sqlite& database, const std::string& run_id) {
  ASSIGN_OR_RETURN(SqliteStatement query, database.Prepare("SELECT id FROM runs WHERE run_id = ?"));
  query.Bind(run_id);
  ASSIGN_OR_RETURN(const bool found, query.Step());
  if (!found) return NotFound("%s: there is no run '%s'", database.path(), run_id);
  return query.Integer(0);
}

absl::StatusOr<std::vector<TaskRow>> TaskRows(Sqlite& database, int64_t run) {
  ASSIGN_OR_RETURN(SqliteStatement query,
                   database.Prepare("SELECT id, name FROM tasks WHERE run = ? ORDER BY position"));
  query.Bind(run);
  std::vector<TaskRow> tasks;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, query.Step());
    if (!more) return tasks;
    tasks.push_back({query.Integer(0), std::string(query.Text(1))});
  }
}

// The run's task of that name, or all of them where it is empty.
absl::StatusOr<std::vector<TaskRow>> SelectTasks(Sqlite& database, const std::string& run_id,
                                                 const std::string& task) {
  ASSIGN_OR_RETURN(const int64_t run, RunRow(database, run_id));
  ASSIGN_OR_RETURN(std::vector<TaskRow> tasks, TaskRows(database, run));
  if (task.empty()) return tasks;
  std::vector<std::string> names;
  for (const TaskRow& one : tasks) {
    if (one.name == task) return std::vector<TaskRow>{one};
    names.push_back(one.name);
  }
  return NotFound("%s: run %s has no task '%s'%s; it has %s", database.path(), run_id, task,
                  DidYouMean(task, names), Join(names, ", "));
}

absl::Status InsertTasks(Sqlite& database, int64_t run, const std::vector<TaskManifest>& tasks,
                         std::map<std::string, int64_t>* rows) {
  ASSIGN_OR_RETURN(SqliteStatement insert,
                   database.Prepare("INSERT INTO tasks (run, position, name, manifest) "
                                    "VALUES (?, ?, ?, ?)"));
  int position = 0;
  for (const TaskManifest& task : tasks) {
    if (rows->count(task.name) > 0) {
      return InvalidArgument("the task %s is named twice in one run", task.name);
    }
    RETURN_IF_ERROR(insert.Execute(run, position++, task.name, TaskManifestToJson(task).Dump()));
    rows->emplace(task.name, database.last_row_id());
  }
  return absl::OkStatus();
}

absl::StatusOr<RunRows> InsertRun(Sqlite& database, const RunManifest& manifest) {
  ASSIGN_OR_RETURN(SqliteTransaction transaction, SqliteTransaction::Begin(&database));
  ASSIGN_OR_RETURN(SqliteStatement insert,
                   database.Prepare("INSERT INTO runs (run_id, name, state, manifest) "
                                    "VALUES (?, ?, 'running', ?)"));
  RETURN_IF_ERROR(insert.Execute(manifest.id, manifest.name, ManifestWithoutTasks(manifest)));
  RunRows rows;
  rows.run = database.last_row_id();
  RETURN_IF_ERROR(InsertTasks(database, rows.run, manifest.tasks, &rows.task_rows));
  RETURN_IF_ERROR(transaction.Commit());
  return rows;
}

absl::Status GoOn(Sqlite& database, int64_t run, const Resumption& how) {
  ASSIGN_OR_RETURN(SqliteTransaction transaction, SqliteTransaction::Begin(&database));
  ASSIGN_OR_RETURN(Json manifest, ReadRunManifest(database, run));
  RunSession session = how.session;
  session.started = NowIso8601();
  Json* sessions = manifest.Find("sessions");
  if (sessions == nullptr || !sessions->is_array()) {
    manifest.Set("sessions", Json::MakeArray());
    sessions = manifest.Find("sessions");
  }
  sessions->Append(SessionToJson(session));
  if (how.options.is_object()) manifest.Set("options", how.options);
  ASSIGN_OR_RETURN(
      SqliteStatement update,
      database.Prepare(
          "UPDATE runs SET state = 'running', finished = '', manifest = ? WHERE id = ?"));
  RETURN_IF_ERROR(update.Execute(manifest.Dump(), run));
  return transaction.Commit();
}

absl::StatusOr<std::vector<TaskManifest>> ReadTaskManifests(Sqlite& database, int64_t run) {
  ASSIGN_OR_RETURN(SqliteStatement query,
                   database.Prepare("SELECT manifest FROM tasks WHERE run = ? ORDER BY position"));
  query.Bind(run);
  std::vector<TaskManifest> tasks;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, query.Step());
    if (!more) return tasks;
    ASSIGN_OR_RETURN(const Json json, ParseJson(query.Text(0)));
    ASSIGN_OR_RETURN(tasks.emplace_back(), TaskManifestFromJson(json));
  }
}

absl::StatusOr<int64_t> CountOfRun(Sqlite& database, std::string_view sql, int64_t run) {
  ASSIGN_OR_RETURN(SqliteStatement query, database.Prepare(sql));
  query.Bind(run);
  ASSIGN_OR_RETURN(const bool row, query.Step());
  return row ? query.Integer(0) : 0;
}

// Where the run ended before all problems were rendered, at least those that were put are planned.
absl::StatusOr<int64_t> PlannedSamples(Sqlite& database, int64_t run,
                                       const std::vector<TaskManifest>& tasks) {
  ASSIGN_OR_RETURN(SqliteStatement query,
                   database.Prepare("SELECT count(*) FROM problems JOIN tasks ON tasks.id = "
                                    "problems.task WHERE tasks.run = ? AND tasks.name = ?"));
  int64_t planned = 0;
  for (const TaskManifest& task : tasks) {
    query.Bind(run, task.name);
    ASSIGN_OR_RETURN(const bool row, query.Step());
    planned += task.samples_per_problem * std::max(task.problems, row ? query.Integer(0) : 0);
  }
  return planned;
}

absl::Status FillSummary(Sqlite& database, int64_t run, RunSummary* summary) {
  RunManifest& manifest = summary->manifest;
  ASSIGN_OR_RETURN(manifest.tasks, ReadTaskManifests(database, run));
  ASSIGN_OR_RETURN(summary->samples_planned, PlannedSamples(database, run, manifest.tasks));
  ASSIGN_OR_RETURN(
      summary->samples_stored,
      CountOfRun(database,
                 "SELECT count(*) FROM tasks JOIN problems ON problems.task = tasks.id "
                 "JOIN samples ON samples.problem = problems.id WHERE tasks.run = ?",
                 run));
  ASSIGN_OR_RETURN(
      summary->failures,
      CountOfRun(database,
                 "SELECT count(*) FROM failures JOIN problems ON problems.id = failures.problem "
                 "JOIN tasks ON tasks.id = problems.task WHERE tasks.run = ?",
                 run));
  const bool running = summary->state == RunState::kRunning;
  if (running && !RunLock::IsHeld(database.path(), manifest.id)) {
    summary->state = RunState::kIncomplete;
  }
  return absl::OkStatus();
}

struct NamedRun {
  int64_t row = 0;
  std::string id;
  std::string name;
};

absl::StatusOr<std::vector<NamedRun>> NamedRuns(Sqlite& database) {
  ASSIGN_OR_RETURN(SqliteStatement query,
                   database.Prepare("SELECT id, run_id, name FROM runs ORDER BY id"));
  std::vector<NamedRun> runs;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, query.Step());
    if (!more) return runs;
    runs.push_back({query.Integer(0), std::string(query.Text(1)), std::string(query.Text(2))});
  }
}

absl::StatusOr<RunSummary> ReadRun(Sqlite& database, int64_t row) {
  ASSIGN_OR_RETURN(SqliteStatement query,
                   database.Prepare("SELECT manifest, state, finished FROM runs WHERE id = ?"));
  query.Bind(row);
  ASSIGN_OR_RETURN(const bool found, query.Step());
  CHECK(found);
  RunSummary summary;
  ASSIGN_OR_RETURN(const Json json, ParseJson(query.Text(0)));
  ASSIGN_OR_RETURN(summary.manifest, RunManifestFromJson(json));
  summary.state = StateFromName(query.Text(1));
  summary.finished = query.Text(2);
  RETURN_IF_ERROR(FillSummary(database, row, &summary));
  return summary;
}

std::string Listing(const std::vector<NamedRun>& runs) {
  constexpr size_t kShown = 10;
  std::string text;
  for (size_t i = runs.size(); i-- > 0 && runs.size() - i <= kShown;) {
    text += absl::StrFormat("%s%s (%s)", text.empty() ? "" : ", ", runs[i].id, runs[i].name);
  }
  if (runs.size() > kShown) text += ", ...";
  return text;
}

absl::StatusOr<int64_t> OnlyOne(const std::vector<NamedRun>& matches, const Sqlite& database,
                                std::string_view which) {
  if (matches.size() == 1) return matches[0].row;
  return InvalidArgument("%s: '%s' means %d runs: %s; name one by its id", database.path(), which,
                         matches.size(), Listing(matches));
}

absl::StatusOr<int64_t> WhichRun(const Sqlite& database, const std::vector<NamedRun>& runs,
                                 std::string_view which) {
  if (runs.empty()) return NotFound("%s: it holds no run", database.path());
  if (which == "last") return runs.back().row;
  std::vector<NamedRun> by_name, by_prefix;
  std::vector<std::string> names;
  for (const NamedRun& run : runs) {
    if (run.id == which) return run.row;
    if (run.name == which) by_name.push_back(run);
    if (!which.empty() && run.id.compare(0, which.size(), which) == 0) by_prefix.push_back(run);
    names.push_back(run.name);
    names.push_back(run.id);
  }
  if (!by_name.empty()) return OnlyOne(by_name, database, which);
  if (!by_prefix.empty()) return OnlyOne(by_prefix, database, which);
  return NotFound("%s: there is no run '%s'%s; it holds %s", database.path(), which,
                  DidYouMean(which, names), Listing(runs));
}

// --- manifests that become complete ---

absl::Status Changed(const std::string& task, std::string_view field, const Json& before,
                     const Json& after) {
  return FailedPrecondition("task %s: '%s' is already %s and would become %s", task, field,
                            Shorten(before.Dump(), 200), Shorten(after.Dump(), 200));
}

bool IsUnset(const Json& value) {
  if (value.is_integer()) return value.AsInteger() == 0;
  return value.is_null() || (value.is_string() && value.AsString().empty());
}

// What was not known may be set; what was known stays.
absl::StatusOr<Json> Completed(const Json& before, const Json& after) {
  static constexpr std::string_view kLate[] = {"prompt_hash", "problems", "dataset_path",
                                               "dataset_sha256"};
  const std::string task = before.FindString("name").value_or("");
  for (const Json::Member& member : after.AsMembers()) {
    const Json* old = before.Find(member.first);
    if (old != nullptr && *old == member.second) continue;
    const bool late =
        std::find(std::begin(kLate), std::end(kLate), member.first) != std::end(kLate);
    if (late && (old == nullptr || IsUnset(*old))) continue;
    return Changed(task, member.first, old != nullptr ? *old : Json(), member.second);
  }
  return after;
}

// --- samples ---

std::string SampleQuery(const SampleFilter& filter) {
  std::string sql =
      absl::StrFormat("SELECT p.problem_id, %s, v.id, %s", kSampleColumns, kVerdictColumns);
  if (filter.parts != SampleParts::kVerdicts) sql += absl::StrFormat(", %s", kTextColumns);
  if (filter.parts == SampleParts::kAll) sql += ", x.head";
  if (filter.logprobs) sql += ", l.packed";  // the last one
  sql +=
      " FROM problems AS p CROSS JOIN samples AS s ON s.problem = p.id"
      " LEFT JOIN verdicts AS v ON v.id = (SELECT max(n.id) FROM verdicts AS n WHERE n.sample = "
      "s.id";
  if (filter.grader_version > 0)
    sql += absl::StrFormat(" AND n.grader_version = %d", filter.grader_version);
  sql += ")";
  if (filter.parts != SampleParts::kVerdicts) sql += " CROSS JOIN texts AS x ON x.sample = s.id";
  if (filter.logprobs) sql += " LEFT JOIN logprobs AS l ON l.sample = s.id";
  // Written out, so that one problem is found by its index.
  sql += " WHERE p.task = ?1";
  sql += filter.problem_id.empty() ? " AND ?2 IS NULL" : " AND p.problem_id = ?2";
  sql += filter.outcome ? " AND v.outcome = ?3" : " AND ?3 IS NULL";
  if (filter.index) sql += absl::StrFormat(" AND s.sample_index = %d", *filter.index);
  return sql + " ORDER BY p.id, s.sample_index";
}

class SampleReader {
 public:
  static constexpr int kSampleAt = 1;
  static constexpr int kVerdictIdAt = kSampleAt + kSampleColumnCount;
  static constexpr int kVerdictAt = kVerdictIdAt + 1;
  static constexpr int kTextsAt = kVerdictAt + kVerdictColumnCount;

  SampleReader(const SampleFilter& filter, Servers servers)
      : parts_(filter.parts), logprobs_(filter.logprobs), servers_(std::move(servers)) {}

  absl::Status Read(const SqliteStatement& row, StoredSample* stored) {
    Sample& sample = stored->sample;
    sample.problem_id = row.Text(0);
    int64_t server = 0;
    ReadSample(row, kSampleAt, &sample, &stored->key, &server);
    if (const auto found = servers_.find(server); found != servers_.end()) {
      sample.completion.served_by = found->second.served_by;
      sample.completion.served_model = found->second.served_model;
    }
    stored->graded = !row.IsNull(kVerdictIdAt);
    if (stored->graded) {
      RETURN_IF_ERROR(ReadVerdict(row, kVerdictAt, &sample.extraction, &sample.verdict));
    } else {
      sample.extraction = Extraction();
      sample.verdict = Verdict();
    }
    RETURN_IF_ERROR(ReadLogprobs(row, &sample.completion.logprobs));
    return ReadTexts(row, &sample.completion);
  }

 private:
  absl::Status ReadTexts(const SqliteStatement& row, Completion* completion) {
    if (parts_ == SampleParts::kVerdicts) return absl::OkStatus();
    const PackedTexts ranges = ReadTextRanges(row, kTextsAt);
    const std::string_view tail = row.Text(kTextsAt + kTextColumnCount - 1);
    if (parts_ == SampleParts::kAnswers) {
      return UnpackAnswer(ranges, tail, decompressor_, &completion->answer);
    }
    return UnpackTexts(ranges, row.Text(kTextsAt + kTextColumnCount), tail, decompressor_,
                       completion);
  }

  absl::Status ReadLogprobs(const SqliteStatement& row, std::string* logprobs) {
    logprobs->clear();
    if (!logprobs_) return absl::OkStatus();
    int column = kTextsAt;
    if (parts_ != SampleParts::kVerdicts) column += kTextColumnCount;
    if (parts_ == SampleParts::kAll) ++column;  // the head
    if (row.IsNull(column)) return absl::OkStatus();
    return Annotate(decompressor_.Decompress(row.Text(column), kMaxAskedBytes, logprobs),
                    "log-probabilities");
  }

  SampleParts parts_;
  bool logprobs_;
  Servers servers_;
  Decompressor decompressor_;
};

absl::StatusOr<Servers> ReadServers(Sqlite& database) {
  ASSIGN_OR_RETURN(SqliteStatement query,
                   database.Prepare("SELECT id, served_by, served_model FROM servers"));
  Servers servers;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, query.Step());
    if (!more) return servers;
    servers[query.Integer(0)] = {std::string(query.Text(1)), std::string(query.Text(2))};
  }
}

absl::Status VisitSamples(SqliteStatement& query, const TaskRow& task, const SampleFilter& filter,
                          SampleReader& reader,
                          const std::function<absl::Status(const StoredSample&)>& visit) {
  std::optional<std::string_view> problem, outcome;
  if (!filter.problem_id.empty()) problem = filter.problem_id;
  if (filter.outcome) outcome = OutcomeName(*filter.outcome);
  query.Bind(task.row, problem, outcome);
  StoredSample stored;
  stored.task = task.name;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, query.Step());
    if (!more) return absl::OkStatus();
    RETURN_IF_ERROR(reader.Read(query, &stored));
    RETURN_IF_ERROR(visit(stored));
  }
}

// Finds the rows of samples by (task, problem, index).
class SampleFinder {
 public:
  static absl::StatusOr<SampleFinder> Open(Sqlite& database, const std::string& run_id) {
    SampleFinder finder;
    ASSIGN_OR_RETURN(const int64_t run, RunRow(database, run_id));
    ASSIGN_OR_RETURN(const std::vector<TaskRow> tasks, TaskRows(database, run));
    for (const TaskRow& task : tasks) finder.tasks_[task.name] = task.row;
    ASSIGN_OR_RETURN(finder.query_,
                     database.Prepare("SELECT s.id FROM problems AS p JOIN samples AS s "
                                      "ON s.problem = p.id WHERE p.task = ? AND p.problem_id = ? "
                                      "AND s.sample_index = ?"));
    finder.where_ = absl::StrFormat("%s: run %s", database.path(), run_id);
    return finder;
  }

  absl::StatusOr<int64_t> Row(const std::string& task, const std::string& problem_id, int index) {
    const auto found = tasks_.find(task);
    query_.Bind(found != tasks_.end() ? found->second : -1, problem_id, index);
    ASSIGN_OR_RETURN(const bool row, query_.Step());
    if (!row) {
      return NotFound("%s has no sample %d of problem %s of task %s", where_, index, problem_id,
                      task);
    }
    return query_.Integer(0);
  }

 private:
  SqliteStatement query_;
  std::map<std::string, int64_t> tasks_;
  std::string where_;
};

class SqliteStore final : public Store {
 public:
  SqliteStore(std::string path, StoreMode mode, Sqlite writer)
      : path_(path), mode_(mode), writer_(std::move(writer)), readers_(std::move(path)) {}

  // Errors of a file that cannot be read come now, not with the first question.
  absl::Status Try() { return readers_.Borrow().status(); }

  absl::StatusOr<std::unique_ptr<RunWriter>> CreateRun(RunManifest* manifest) override {
    RETURN_IF_ERROR(MayWrite());
    if (manifest->started.empty()) manifest->started = NowIso8601();
    for (RunSession& session : manifest->sessions) {
      if (session.started.empty()) session.started = manifest->started;
    }
    const std::lock_guard guard(mutex_);
    while (true) {
      manifest->id = RandomRunId();
      ASSIGN_OR_RETURN(RunLock lock, RunLock::Take(path_, manifest->id));
      absl::StatusOr<RunRows> rows = InsertRun(writer_, *manifest);
      if (rows.status().code() == absl::StatusCode::kAlreadyExists) continue;
      RETURN_IF_ERROR(rows.status());
      return Start(std::move(lock), *std::move(rows));
    }
  }

  absl::StatusOr<std::unique_ptr<RunWriter>> ResumeRun(const std::string& run_id,
                                                       const Resumption& how) override {
    RETURN_IF_ERROR(MayWrite());
    const std::lock_guard guard(mutex_);
    RunRows rows;
    ASSIGN_OR_RETURN(rows.run, RunRow(writer_, run_id));
    ASSIGN_OR_RETURN(RunLock lock, RunLock::Take(path_, run_id));
    ASSIGN_OR_RETURN(const std::vector<TaskRow> tasks, TaskRows(writer_, rows.run));
    for (const TaskRow& task : tasks) rows.task_rows[task.name] = task.row;
    RETURN_IF_ERROR(GoOn(writer_, rows.run, how));
    return Start(std::move(lock), std::move(rows));
  }

  absl::Status DiscardEmptyRun(const std::string& run_id) override {
    RETURN_IF_ERROR(MayWrite());
    const std::lock_guard guard(mutex_);
    ASSIGN_OR_RETURN(const int64_t row, RunRow(writer_, run_id));
    ASSIGN_OR_RETURN(const RunLock lock, RunLock::Take(path_, run_id));
    ASSIGN_OR_RETURN(SqliteTransaction transaction, SqliteTransaction::Begin(&writer_));
    constexpr const char* kProblems =
        "(SELECT problems.id FROM problems JOIN tasks ON tasks.id = problems.task WHERE tasks.run "
        "= ?)";
    ASSIGN_OR_RETURN(SqliteStatement count,
                     writer_.Prepare(absl::StrFormat(
                         "SELECT count(*) FROM samples WHERE problem IN %s", kProblems)));
    count.Bind(row);
    ASSIGN_OR_RETURN(const bool counted, count.Step());
    const int64_t samples = counted ? count.Integer(0) : 0;
    count.Reset();
    if (samples > 0) {
      return FailedPrecondition("%s: run %s holds %d samples and is kept", path_, run_id, samples);
    }
    for (const std::string& sql :
         {absl::StrFormat("DELETE FROM failures WHERE problem IN %s", kProblems),
          std::string("DELETE FROM problems WHERE task IN (SELECT id FROM tasks WHERE run = ?)"),
          std::string("DELETE FROM tasks WHERE run = ?"),
          std::string("DELETE FROM runs WHERE id = ?")}) {
      ASSIGN_OR_RETURN(SqliteStatement remove, writer_.Prepare(sql));
      RETURN_IF_ERROR(remove.Execute(row));
    }
    return transaction.Commit();
  }

  absl::Status UpdateTasks(const std::string& run_id,
                           const std::vector<TaskManifest>& tasks) override {
    RETURN_IF_ERROR(MayWrite());
    const std::lock_guard guard(mutex_);
    ASSIGN_OR_RETURN(SqliteTransaction transaction, SqliteTransaction::Begin(&writer_));
    ASSIGN_OR_RETURN(
        SqliteStatement find,
        writer_.Prepare("SELECT tasks.id, tasks.manifest FROM tasks JOIN runs ON runs.id = "
                        "tasks.run WHERE runs.run_id = ? AND tasks.name = ?"));
    ASSIGN_OR_RETURN(SqliteStatement update,
                     writer_.Prepare("UPDATE tasks SET manifest = ? WHERE id = ?"));
    for (const TaskManifest& task : tasks) {
      find.Bind(run_id, task.name);
      ASSIGN_OR_RETURN(const bool found, find.Step());
      if (!found) return NotFound("%s: run %s has no task '%s'", path_, run_id, task.name);
      ASSIGN_OR_RETURN(const Json before, ParseJson(find.Text(1)));
      absl::StatusOr<Json> completed = Completed(before, TaskManifestToJson(task));
      RETURN_IF_ERROR(Annotate(completed.status(), absl::StrFormat("%s: run %s", path_, run_id)));
      RETURN_IF_ERROR(update.Execute(completed->Dump(), find.Integer(0)));
    }
    find.Reset();
    return transaction.Commit();
  }

  absl::StatusOr<std::vector<RunSummary>> ListRuns() override {
    ASSIGN_OR_RETURN(ReaderPool::Lease database, readers_.Borrow());
    ASSIGN_OR_RETURN(const std::vector<NamedRun> runs, NamedRuns(*database));
    std::vector<RunSummary> summaries;
    for (const NamedRun& run : runs) {
      ASSIGN_OR_RETURN(summaries.emplace_back(), ReadRun(*database, run.row));
    }
    return summaries;
  }

  absl::StatusOr<RunSummary> FindRun(std::string_view which) override {
    ASSIGN_OR_RETURN(ReaderPool::Lease database, readers_.Borrow());
    ASSIGN_OR_RETURN(const std::vector<NamedRun> runs, NamedRuns(*database));
    ASSIGN_OR_RETURN(const int64_t row, WhichRun(*database, runs, which));
    return ReadRun(*database, row);
  }

  absl::Status ForEachProblem(
      const std::string& run_id, const std::string& task,
      const std::function<absl::Status(const Problem&, const Prompt&)>& visit) override {
    ASSIGN_OR_RETURN(ReaderPool::Lease database, readers_.Borrow());
    ASSIGN_OR_RETURN(const std::vector<TaskRow> tasks, SelectTasks(*database, run_id, task));
    ASSIGN_OR_RETURN(
        SqliteStatement query,
        database->Prepare("SELECT problem_id, asked FROM problems WHERE task = ? ORDER BY id"));
    Decompressor decompressor;
    for (const TaskRow& one : tasks) {
      query.Bind(one.row);
      while (true) {
        ASSIGN_OR_RETURN(const bool more, query.Step());
        if (!more) break;
        ASSIGN_OR_RETURN(const StoredProblem asked, ReadAsked(query, decompressor));
        RETURN_IF_ERROR(visit(asked.problem, asked.prompt));
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<StoredProblem>> FindProblem(const std::string& run_id,
                                                           const std::string& task,
                                                           const std::string& problem_id) override {
    ASSIGN_OR_RETURN(ReaderPool::Lease database, readers_.Borrow());
    ASSIGN_OR_RETURN(const std::vector<TaskRow> tasks, SelectTasks(*database, run_id, task));
    ASSIGN_OR_RETURN(SqliteStatement query,
                     database->Prepare("SELECT problem_id, asked FROM problems WHERE task = ? AND "
                                       "problem_id = ?"));
    Decompressor decompressor;
    for (const TaskRow& one : tasks) {
      query.Bind(one.row, problem_id);
      ASSIGN_OR_RETURN(const bool found, query.Step());
      if (!found) continue;
      ASSIGN_OR_RETURN(StoredProblem asked, ReadAsked(query, decompressor));
      return std::optional<StoredProblem>(std::move(asked));
    }
    return std::optional<StoredProblem>();
  }

  absl::Status ForEachSample(
      const std::string& run_id, const SampleFilter& filter,
      const std::function<absl::Status(const StoredSample&)>& visit) override {
    ASSIGN_OR_RETURN(ReaderPool::Lease database, readers_.Borrow());
    ASSIGN_OR_RETURN(const std::vector<TaskRow> tasks, SelectTasks(*database, run_id, filter.task));
    ASSIGN_OR_RETURN(Servers servers, ReadServers(*database));
    SampleFilter what = filter;
    if (what.logprobs) {
      ASSIGN_OR_RETURN(what.logprobs, HasLogprobs(*database));
    }
    SampleReader reader(what, std::move(servers));
    ASSIGN_OR_RETURN(SqliteStatement query, database->Prepare(SampleQuery(what)));
    for (const TaskRow& task : tasks) {
      RETURN_IF_ERROR(VisitSamples(query, task, what, reader, visit));
    }
    return absl::OkStatus();
  }

  absl::Status ForEachKey(const std::string& run_id, const std::string& task,
                          const std::function<absl::Status(std::string_view problem_id, int index,
                                                           std::string_view key)>& visit) override {
    ASSIGN_OR_RETURN(ReaderPool::Lease database, readers_.Borrow());
    ASSIGN_OR_RETURN(const std::vector<TaskRow> tasks, SelectTasks(*database, run_id, task));
    ASSIGN_OR_RETURN(
        SqliteStatement query,
        database->Prepare("SELECT p.problem_id, s.sample_index, s.key FROM problems AS "
                          "p CROSS JOIN samples AS s ON s.problem = p.id WHERE p.task "
                          "= ? ORDER BY p.id, s.sample_index"));
    for (const TaskRow& one : tasks) {
      query.Bind(one.row);
      while (true) {
        ASSIGN_OR_RETURN(const bool more, query.Step());
        if (!more) break;
        const std::string key = UnpackKey(query, 2);
        RETURN_IF_ERROR(visit(query.Text(0), static_cast<int>(query.Integer(1)), key));
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<StoredFailure>> ListFailures(const std::string& run_id) override {
    ASSIGN_OR_RETURN(ReaderPool::Lease database, readers_.Borrow());
    ASSIGN_OR_RETURN(const int64_t run, RunRow(*database, run_id));
    ASSIGN_OR_RETURN(
        SqliteStatement query,
        database->Prepare(
            "SELECT tasks.name, p.problem_id, f.sample_index, f.message, "
            "strftime('%Y-%m-%dT%H:%M:%SZ', f.created_ms / 1000, 'unixepoch') "
            "FROM tasks CROSS JOIN problems AS p ON p.task = tasks.id CROSS JOIN failures AS f "
            "ON f.problem = p.id WHERE tasks.run = ? ORDER BY tasks.position, p.id, "
            "f.sample_index"));
    query.Bind(run);
    std::vector<StoredFailure> failures;
    while (true) {
      ASSIGN_OR_RETURN(const bool more, query.Step());
      if (!more) return failures;
      failures.push_back({std::string(query.Text(0)), std::string(query.Text(1)),
                          static_cast<int>(query.Integer(2)), std::string(query.Text(3)),
                          std::string(query.Text(4))});
    }
  }

  absl::Status PutVerdicts(const std::string& run_id,
                           const std::vector<NewVerdict>& verdicts) override {
    RETURN_IF_ERROR(MayWrite());
    const std::lock_guard guard(mutex_);
    ASSIGN_OR_RETURN(SampleFinder finder, SampleFinder::Open(writer_, run_id));
    ASSIGN_OR_RETURN(VerdictTable table, VerdictTable::Prepare(writer_));
    const int64_t now = NowMilliseconds();
    for (size_t begin = 0; begin < verdicts.size(); begin += kVerdictsPerTransaction) {
      const size_t end = std::min(verdicts.size(), begin + kVerdictsPerTransaction);
      ASSIGN_OR_RETURN(SqliteTransaction transaction, SqliteTransaction::Begin(&writer_));
      for (size_t i = begin; i < end; ++i) {
        const NewVerdict& one = verdicts[i];
        ASSIGN_OR_RETURN(const int64_t row, finder.Row(one.task, one.problem_id, one.index));
        RETURN_IF_ERROR(table.Add(row, one.extraction, one.verdict, now));
      }
      RETURN_IF_ERROR(transaction.Commit());
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<Verdict>> VerdictHistory(const std::string& run_id,
                                                      const std::string& task,
                                                      const std::string& problem_id,
                                                      int index) override {
    ASSIGN_OR_RETURN(ReaderPool::Lease database, readers_.Borrow());
    ASSIGN_OR_RETURN(SampleFinder finder, SampleFinder::Open(*database, run_id));
    ASSIGN_OR_RETURN(const int64_t sample, finder.Row(task, problem_id, index));
    ASSIGN_OR_RETURN(
        SqliteStatement query,
        database->Prepare(absl::StrFormat(
            "SELECT %s FROM verdicts AS v WHERE v.sample = ? ORDER BY v.id", kVerdictColumns)));
    query.Bind(sample);
    std::vector<Verdict> history;
    while (true) {
      ASSIGN_OR_RETURN(const bool more, query.Step());
      if (!more) return history;
      Extraction extraction;
      RETURN_IF_ERROR(ReadVerdict(query, 0, &extraction, &history.emplace_back()));
    }
  }

 private:
  // A row of (problem_id, asked).
  absl::StatusOr<StoredProblem> ReadAsked(const SqliteStatement& row, Decompressor& decompressor) {
    StoredProblem read;
    read.problem.id = row.Text(0);
    std::string text;
    RETURN_IF_ERROR(Annotate(decompressor.Decompress(row.Text(1), kMaxAskedBytes, &text),
                             absl::StrFormat("%s: problem %s", path_, read.problem.id)));
    ASSIGN_OR_RETURN(const Json asked, ParseJson(text));
    RETURN_IF_ERROR(AskedFromJson(asked, &read.problem, &read.prompt));
    return read;
  }

  absl::Status MayWrite() const {
    if (mode_ == StoreMode::kReadWrite) return absl::OkStatus();
    return FailedPrecondition("%s: opened for reading only", path_);
  }

  absl::StatusOr<std::unique_ptr<RunWriter>> Start(RunLock lock, RunRows rows) {
    ASSIGN_OR_RETURN(Sqlite connection, OpenForWriting(path_));
    return StartRunWriter(std::move(connection), std::move(lock), std::move(rows));
  }

  const std::string path_;
  const StoreMode mode_;
  std::mutex mutex_;
  Sqlite writer_;  // guarded by mutex_; not open in a store for reading
  ReaderPool readers_;
};

absl::StatusOr<Sqlite> WriterConnection(const std::string& path, StoreMode mode) {
  if (mode == StoreMode::kReadOnly) return Sqlite();
  return MakeForWriting(path);
}

// A copy without its -wal file looks like that: what a killed run stored lies there until the next
// command reads it.
absl::Status EmptyDatabase(const std::string& path) {
  return FailedPrecondition(
      "%s: an empty file, no database of assay (a copy of one? It moves with the file %s-wal "
      "beside "
      "it)",
      path, path);
}

// An older file is brought up to date where that can be done, whoever opens it.
absl::Status MigrateBeforeReading(const std::string& path) {
  ASSIGN_OR_RETURN(Sqlite database, Sqlite::Open(path, SqliteMode::kReadWrite));
  absl::StatusOr<bool> old = NeedsMigration(database);
  if (!old.ok() || !*old) return absl::OkStatus();  // what is wrong is told by the reader
  ASSIGN_OR_RETURN(const int64_t tables,
                   database.QueryInteger("SELECT count(*) FROM sqlite_master"));
  if (tables == 0) return EmptyDatabase(path);
  return Migrate(database);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const std::string& path, StoreMode mode) {
  if (mode == StoreMode::kReadOnly) RETURN_IF_ERROR(MigrateBeforeReading(path));
  ASSIGN_OR_RETURN(Sqlite writer, WriterConnection(path, mode));
  auto store = std::make_unique<SqliteStore>(path, mode, std::move(writer));
  RETURN_IF_ERROR(store->Try());
  return store;
}

}  // namespace assay
