// Columns are written as text at once: a JSON value for each of 320,000 samples would cost more
// than reading them.
#include "reports/page/chunks.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "harness/compress.h"
#include "harness/status.h"
#include "harness/text.h"
#include "reports/page/transcripts.h"

namespace assay {
namespace {

constexpr int kLevel = 6;
constexpr size_t kChunkBytes = 256 * 1024;  // of text; unpacked in a few milliseconds
constexpr int kTooLarge = 5;                // problems passed over before the page counts as full
constexpr size_t kFittingSamples = 8;       // of a problem and run, where not all may fit

template <typename Value>
void AppendColumn(std::string_view name, const std::vector<Value>& values, std::string* out) {
  *out += (out->back() == '{' ? "\"" : ",\"") + std::string(name) + "\":[";
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) *out += ',';
    *out += std::to_string(values[i]);
  }
  *out += ']';
}

void AppendTexts(std::string_view name, const std::vector<std::string>& texts, std::string* out) {
  *out += (out->back() == '{' ? "\"" : ",\"") + std::string(name) + "\":[";
  for (size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) *out += ',';
    AppendJsonString(texts[i], out);
  }
  *out += ']';
}

const TaskReport& TaskOf(const Report& report, const PageTask::Side& side) {
  return report.runs[side.run].tasks[side.task];
}

}  // namespace

std::string ChunkElement(const std::string& name, const std::string& text) {
  return "<script type=\"text/plain\" id=\"chunk-" + name + "\">" +
         absl::Base64Escape(DeflateZlib(text, kLevel)) + "</script>\n";
}

std::vector<PageTask> JoinTasks(const Report& report) {
  std::vector<PageTask> tasks;
  std::vector<std::map<std::string_view, uint32_t>> places;
  for (size_t r = 0; r < report.runs.size(); ++r) {
    for (size_t t = 0; t < report.runs[r].tasks.size(); ++t) {
      const TaskReport& task = report.runs[r].tasks[t];
      const std::string& name = task.result.manifest.name;
      size_t at = 0;
      while (at < tasks.size() && tasks[at].name != name) ++at;
      if (at == tasks.size()) {
        tasks.emplace_back().name = name;
        places.emplace_back();
      }
      PageTask::Side& side = tasks[at].sides.emplace_back();
      side.run = r;
      side.task = t;
      for (const ProblemRow& problem : task.samples.problems) {
        const auto [entry, is_new] =
            places[at].try_emplace(problem.id, static_cast<uint32_t>(tasks[at].problems.size()));
        if (is_new) tasks[at].problems.push_back(&problem);
        side.problem_of.push_back(entry->second);
      }
    }
  }
  return tasks;
}

std::string ProblemsText(const Report& report, const PageTask& task) {
  std::vector<std::string> tags;
  std::map<std::string, size_t> numbers;
  std::string out = "{\"problems\":[";
  for (const ProblemRow* problem : task.problems) {
    if (out.back() != '[') out += ',';
    out += '[';
    AppendJsonString(problem->id, &out);
    out += ',';
    AppendJsonString(problem->question, &out);
    out += ',';
    AppendJsonString(problem->reference, &out);
    out += ",[";
    for (size_t i = 0; i < problem->tags.size(); ++i) {
      const auto [entry, is_new] = numbers.try_emplace(problem->tags[i], tags.size());
      if (is_new) tags.push_back(problem->tags[i]);
      out += (i > 0 ? "," : "") + std::to_string(entry->second);
    }
    out += "]]";
  }
  out += "]";
  AppendTexts("tags", tags, &out);
  out += ",\"means\":{";
  for (const PageTask::Side& side : task.sides) {
    std::vector<std::string> means(task.problems.size(), "null");
    const TaskReport& of_run = TaskOf(report, side);
    // Outcomes and rows are both in the store's order; problems without a sample are in rows only.
    const auto& rows = of_run.samples.problems;
    size_t row = 0;
    for (const ProblemOutcomes& problem : of_run.loaded.input.problems) {
      while (row < rows.size() && rows[row].id != problem.id) ++row;
      if (row == rows.size()) break;
      double sum = 0;
      for (const SampleOutcome& sample : problem.samples) sum += EarnedScore(sample);
      const auto samples = static_cast<double>(problem.samples.size());
      means[side.problem_of[row]] = absl::StrFormat("%.6g", sum / samples);
    }
    out += (out.back() == '{' ? "\"" : ",\"") + report.runs[side.run].letter + "\":[" +
           Join(means, ",") + "]";
  }
  return out + "}}";
}

std::string ColumnsText(const Report& report, const PageTask& task, const PageTask::Side& side) {
  const TaskSamples& from = TaskOf(report, side).samples;
  std::vector<uint32_t> problem, index, outcome, rule, tier, answer, reasoning, answered;
  for (const SampleRow& row : from.samples) {
    problem.push_back(side.problem_of[row.problem]);
    index.push_back(static_cast<uint32_t>(row.index));
    outcome.push_back(row.outcome);
    rule.push_back(row.rule);
    tier.push_back(row.tier);
    answer.push_back(row.answer);
    reasoning.push_back(static_cast<uint32_t>(row.reasoning_tokens));
    answered.push_back(static_cast<uint32_t>(row.answer_tokens));
  }
  CHECK(side.problem_of.size() <= task.problems.size());
  std::string out = "{";
  AppendColumn("problem", problem, &out);
  AppendColumn("index", index, &out);
  AppendColumn("outcome", outcome, &out);
  AppendColumn("rule", rule, &out);
  AppendColumn("tier", tier, &out);
  AppendColumn("answer", answer, &out);
  AppendColumn("reasoning", reasoning, &out);
  AppendColumn("answered", answered, &out);
  AppendTexts("rules", from.rules, &out);
  AppendTexts("tiers", from.tiers, &out);
  AppendTexts("answers", from.answers, &out);
  return out + "}";
}

namespace {

// --- transcripts: which ---

struct Wanted {
  size_t task = 0;       // in the page's tasks
  uint32_t problem = 0;  // in its problems
};

std::set<std::string_view> FlippedIds(const Report& report, const std::string& task) {
  std::set<std::string_view> ids;
  for (const Comparison& comparison : report.comparisons) {
    for (const TaskComparison& one : comparison.tasks) {
      if (one.task != task) continue;
      ids.insert(one.paired.a_right_b_wrong.begin(), one.paired.a_right_b_wrong.end());
      ids.insert(one.paired.b_right_a_wrong.begin(), one.paired.b_right_a_wrong.end());
    }
  }
  return ids;
}

// How soon a problem is wanted: 0 it flips, 1 some sample is not correct, 2 all are correct.
std::vector<int> Urgency(const Report& report, const PageTask& task) {
  std::vector<int> urgency(task.problems.size(), 2);
  for (const PageTask::Side& side : task.sides) {
    for (const SampleRow& row : TaskOf(report, side).samples.samples) {
      if (row.outcome != static_cast<uint8_t>(Outcome::kCorrect)) {
        urgency[side.problem_of[row.problem]] = 1;
      }
    }
  }
  const std::set<std::string_view> flipped = FlippedIds(report, task.name);
  for (size_t i = 0; i < task.problems.size(); ++i) {
    if (flipped.contains(task.problems[i]->id)) urgency[i] = 0;
  }
  return urgency;
}

// Task by turns, so that none takes all the room.
std::vector<Wanted> InTurns(const std::vector<std::vector<uint32_t>>& by_task) {
  std::vector<Wanted> wanted;
  size_t longest = 0;
  for (const auto& problems : by_task) longest = std::max(longest, problems.size());
  for (size_t i = 0; i < longest; ++i) {
    for (size_t t = 0; t < by_task.size(); ++t) {
      if (i < by_task[t].size()) wanted.push_back({t, by_task[t][i]});
    }
  }
  return wanted;
}

std::vector<Wanted> ChooseProblems(const Report& report, const std::vector<PageTask>& tasks,
                                   Transcripts transcripts) {
  std::vector<Wanted> chosen;
  if (transcripts == Transcripts::kNone) return chosen;
  const int last = transcripts == Transcripts::kFlips   ? 0
                   : transcripts == Transcripts::kWrong ? 1
                                                        : 2;
  std::vector<std::vector<int>> urgencies;
  for (const PageTask& task : tasks) urgencies.push_back(Urgency(report, task));
  for (int level = 0; level <= last; ++level) {
    std::vector<std::vector<uint32_t>> by_task(tasks.size());
    for (size_t t = 0; t < tasks.size(); ++t) {
      for (uint32_t i = 0; i < urgencies[t].size(); ++i) {
        if (urgencies[t][i] == level) by_task[t].push_back(i);
      }
    }
    const std::vector<Wanted> of_level = InTurns(by_task);
    chosen.insert(chosen.end(), of_level.begin(), of_level.end());
  }
  return chosen;
}

// Some right and some wrong ones where there are too many, so that both can be read.
std::vector<StoredSample> ChooseSamples(std::vector<StoredSample> samples,
                                        Transcripts transcripts) {
  const auto correct = [](const StoredSample& stored) {
    return stored.graded && stored.sample.verdict.outcome == Outcome::kCorrect;
  };
  if (transcripts == Transcripts::kWrong) std::erase_if(samples, correct);
  if (transcripts != Transcripts::kFitting || samples.size() <= kFittingSamples) return samples;
  const auto right = static_cast<size_t>(std::count_if(samples.begin(), samples.end(), correct));
  const size_t wrong = samples.size() - right;
  size_t room_right =
      std::max(kFittingSamples / 2, kFittingSamples - std::min(kFittingSamples, wrong));
  size_t room_wrong = kFittingSamples - std::min(right, room_right);
  std::erase_if(samples, [&](const StoredSample& stored) {
    size_t& room = correct(stored) ? room_right : room_wrong;
    if (room == 0) return true;
    --room;
    return false;
  });
  return samples;
}

// --- transcripts: reading ---

using AskedById = std::map<std::string, StoredProblem, std::less<>>;

absl::StatusOr<AskedById> ReadAsked(const RunReport& run, const std::string& task,
                                    const std::set<std::string_view>& ids) {
  AskedById asked;
  RETURN_IF_ERROR(run.input.store->ForEachProblem(
      run.input.run.manifest.id, task, [&](const Problem& problem, const Prompt& prompt) {
        if (ids.contains(problem.id)) asked[problem.id] = {problem, prompt};
        return absl::OkStatus();
      }));
  return asked;
}

// Reads the problems of one task, each run's prompts once.
class TaskTranscripts {
 public:
  static absl::StatusOr<TaskTranscripts> Open(const Report& report, const PageTask& task,
                                              const std::set<std::string_view>& ids) {
    TaskTranscripts opened;
    opened.report_ = &report;
    opened.task_ = &task;
    for (const PageTask::Side& side : task.sides) {
      AskedById asked;
      if (!ids.empty()) {
        ASSIGN_OR_RETURN(asked, ReadAsked(report.runs[side.run], task.name, ids));
      }
      opened.asked_.push_back(std::move(asked));
    }
    return opened;
  }

  // The problem's text with the samples of every run; *samples grows by their number.
  absl::StatusOr<std::string> Read(uint32_t problem, Transcripts transcripts, int64_t* samples) {
    const std::string& id = task_->problems[problem]->id;
    Json json;
    Json runs = Json::MakeObject();
    for (size_t s = 0; s < task_->sides.size(); ++s) {
      const auto asked = asked_[s].find(id);
      if (asked == asked_[s].end()) continue;
      const RunReport& run = report_->runs[task_->sides[s].run];
      ASSIGN_OR_RETURN(Json list, ReadRun(run, task_->sides[s], asked->second, transcripts));
      *samples += static_cast<int64_t>(list.size());
      Json own = AskedJson(asked->second);
      if (json.is_null()) {
        json = own;
      } else if (own != json) {
        // Asked otherwise in this run: shown with its samples.
        runs.Set(run.letter,
                 Json::MakeObject({{"asked", std::move(own)}, {"samples", std::move(list)}}));
        continue;
      }
      runs.Set(run.letter, Json::MakeObject({{"samples", std::move(list)}}));
    }
    if (json.is_null()) json = Json::MakeObject({{"id", id}});
    Json whole = Json::MakeObject({{"problem", static_cast<int64_t>(problem)},
                                   {"asked", std::move(json)},
                                   {"runs", std::move(runs)}});
    return whole.Dump();
  }

 private:
  absl::StatusOr<Json> ReadRun(const RunReport& run, const PageTask::Side& side,
                               const StoredProblem& asked, Transcripts transcripts) {
    SampleFilter filter;
    filter.task = task_->name;
    filter.problem_id = asked.problem.id;
    filter.parts = SampleParts::kAll;
    std::vector<StoredSample> samples;
    RETURN_IF_ERROR(run.input.store->ForEachSample(run.input.run.manifest.id, filter,
                                                   [&](const StoredSample& stored) {
                                                     samples.push_back(stored);
                                                     return absl::OkStatus();
                                                   }));
    const TaskManifest& manifest = run.tasks[side.task].result.manifest;
    Json list = Json::MakeArray();
    for (const StoredSample& stored : ChooseSamples(std::move(samples), transcripts)) {
      Json& sample = list.AsArray().emplace_back(
          SampleJson(run.input.run.manifest.id, stored, asked.problem, manifest));
      const Verdict& verdict = stored.sample.verdict;
      // Graded again since: only then is it worth asking what was said before.
      if (!stored.graded || verdict.grader_version == manifest.grader_version) continue;
      ASSIGN_OR_RETURN(
          const std::vector<Verdict> history,
          run.input.store->VerdictHistory(run.input.run.manifest.id, task_->name,
                                          stored.sample.problem_id, stored.sample.index));
      if (history.size() > 1) sample.Set("history", HistoryJson(history));
    }
    return list;
  }

  const Report* report_ = nullptr;
  const PageTask* task_ = nullptr;
  std::vector<AskedById> asked_;  // of each side
};

// Texts of problems gathered until a chunk is worth it.
class ChunkWriter {
 public:
  explicit ChunkWriter(PackedTranscripts* into) : into_(into) {}
  int64_t bytes() const { return bytes_; }
  size_t chunk() const { return into_->elements.size(); }
  // What `text` will come to in the page, by what earlier ones came to; what is written is exact.
  int64_t Estimate(size_t text) const {
    return static_cast<int64_t>(1.05 * ratio_ * static_cast<double>(text));
  }
  int64_t expected() const { return bytes_ + Estimate(text_.size()); }
  void Add(const std::string& problem) {
    text_ += (text_.empty() ? "[" : ",") + problem;
    if (text_.size() >= kChunkBytes) Flush();
  }
  void Flush() {
    if (text_.empty()) return;
    std::string element = ChunkElement(absl::StrFormat("t%d", into_->elements.size()), text_ + "]");
    bytes_ += static_cast<int64_t>(element.size());
    ratio_ = static_cast<double>(element.size()) / static_cast<double>(text_.size());
    into_->elements.push_back(std::move(element));
    text_.clear();
  }

 private:
  PackedTranscripts* into_;
  std::string text_;
  int64_t bytes_ = 0;
  double ratio_ = 0.7;  // of random letters; a model's texts come to a third
};

}  // namespace

absl::StatusOr<PackedTranscripts> PackTranscripts(const Report& report,
                                                  const std::vector<PageTask>& tasks,
                                                  const PageOptions& options, int64_t room) {
  PackedTranscripts packed;
  packed.where = Json::MakeObject();
  for (const RunReport& run : report.runs) {
    for (const TaskReport& task : run.tasks) packed.of += task.result.stored;
  }
  const std::vector<Wanted> chosen = ChooseProblems(report, tasks, options.transcripts);
  std::vector<std::set<std::string_view>> ids(tasks.size());
  for (const Wanted& one : chosen) ids[one.task].insert(tasks[one.task].problems[one.problem]->id);
  std::vector<TaskTranscripts> readers;
  for (size_t t = 0; t < tasks.size(); ++t) {
    ASSIGN_OR_RETURN(readers.emplace_back(), TaskTranscripts::Open(report, tasks[t], ids[t]));
  }
  std::vector<Json> where(tasks.size(), Json::MakeObject());
  ChunkWriter writer(&packed);
  int too_large = 0;
  for (const Wanted& one : chosen) {
    if (options.transcripts == Transcripts::kFitting && writer.expected() >= room) break;
    int64_t samples = 0;
    ASSIGN_OR_RETURN(const std::string text,
                     readers[one.task].Read(one.problem, options.transcripts, &samples));
    // One problem too large for what is left is passed over; a smaller one may fit.
    if (options.transcripts == Transcripts::kFitting &&
        writer.expected() + writer.Estimate(text.size()) > room) {
      if (++too_large == kTooLarge) break;
      continue;
    }
    where[one.task].Set(std::to_string(one.problem), static_cast<int64_t>(writer.chunk()));
    packed.samples += samples;
    writer.Add(text);
  }
  writer.Flush();
  for (size_t t = 0; t < tasks.size(); ++t) packed.where.Set(tasks[t].name, std::move(where[t]));
  return packed;
}

}  // namespace assay
