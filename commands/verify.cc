// `assay verify`: one answer against one reference, a file of pairs, or a stored sample, with the
// grader's reasoning.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "commands/shared/named_runs.h"
#include "commands/shared/run_execution.h"
#include "harness/command.h"
#include "harness/compress.h"
#include "harness/extract.h"
#include "harness/grading.h"
#include "harness/reasoning.h"
#include "harness/registry.h"
#include "harness/rows.h"
#include "harness/status.h"
#include "harness/store.h"
#include "harness/text.h"
#include "reports/compare.h"

namespace assay {
namespace {

struct VerifyFlags {
  std::string reference;
  std::vector<std::string> answer;  // one; a list shows whether it was given, be it empty
  std::string grader = "math";
  std::string options;
  std::string extractor;  // empty: ANSWER is the answer; pairs use "boxed" for `raw`
  std::string extract_options;
  std::string choices;  // divided by ";"
  std::string pairs;
  std::string run, task, problem, database = DefaultDatabase();
  std::optional<int> sample;
  bool json = false;
};

// What one pair came to.
struct Judged {
  Sample sample;
  double microseconds = 0;
};

absl::StatusOr<Json> ReadOptions(std::string_view flag, const std::string& text) {
  if (text.empty()) return Json();
  absl::StatusOr<Json> options = ParseJson(text);
  if (!options.ok()) return Annotate(options.status(), std::string(flag));
  return options;
}

absl::StatusOr<TaskGrading> Bind(const VerifyFlags& flags) {
  ASSIGN_OR_RETURN(const Json options, ReadOptions("--options", flags.options));
  ASSIGN_OR_RETURN(const Json extract, ReadOptions("--extract-options", flags.extract_options));
  return BindGrading(flags.extractor.empty() ? "boxed" : flags.extractor, extract, flags.grader,
                     options);
}

absl::StatusOr<Judged> Judge(const TaskGrading& grading, const Problem& problem, Sample sample) {
  Judged judged;
  judged.sample = std::move(sample);
  const auto begin = std::chrono::steady_clock::now();
  RETURN_IF_ERROR(GradeSample(grading, problem, &judged.sample));
  judged.microseconds =
      std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
  return judged;
}

// A whole reply, as a server would have sent it: split, extracted, graded.
absl::StatusOr<Judged> JudgeReply(const TaskGrading& grading, const Problem& problem,
                                  std::string_view reply) {
  Sample sample;
  const SplitReply split = SplitReasoning(reply, std::nullopt, /*prefix_opened=*/false);
  Completion& completion = sample.completion;
  completion.raw = reply;
  completion.reasoning = split.reasoning;
  completion.answer = split.answer;
  completion.unclosed_reasoning = split.unclosed;
  return Judge(grading, problem, std::move(sample));
}

// An answer that is already extracted.
absl::StatusOr<Judged> JudgeAnswer(TaskGrading grading, const Problem& problem,
                                   std::string_view answer) {
  grading.extract = [](std::string_view text, const Problem&) {
    Extraction extraction;
    extraction.answer = extraction.lenient = std::string(text);
    extraction.rule = "given";
    extraction.end = text.size();
    return extraction;
  };
  // Not JudgeReply: an answer that holds a tag is not to be split.
  Sample sample;
  sample.completion.answer = answer;
  return Judge(grading, problem, std::move(sample));
}

constexpr size_t kShownBytes = 500;

Json OptionalText(const std::optional<std::string>& text) {
  return text ? Json(Shorten(*text, kShownBytes)) : Json();
}

double Rounded(double microseconds) { return std::round(microseconds * 10) / 10; }

Json TierOf(const Verdict& verdict) {
  const Json* tier = verdict.detail.Find("tier");
  return tier == nullptr ? Json() : *tier;
}

Json ToJson(const Judged& judged) {
  const Verdict& verdict = judged.sample.verdict;
  const Extraction& extraction = judged.sample.extraction;
  Json json = Json::MakeObject({{"verdict", OutcomeName(verdict.outcome)},
                                {"score", verdict.score},
                                {"tier", TierOf(verdict)},
                                {"why", verdict.why}});
  json.Set("answer", OptionalText(extraction.answer));
  json.Set("rule", extraction.rule);
  json.Set("grader", verdict.grader);
  json.Set("grader_version", verdict.grader_version);
  json.Set("detail", verdict.detail);
  json.Set("microseconds", Rounded(judged.microseconds));
  return json;
}

// A verdict's detail, a line for each of its parts: the tier, both sides as they were read, ...
void PrintDetail(const Json& detail) {
  if (!detail.is_object()) {
    if (!detail.is_null()) std::printf("%-10s %s\n", "detail", Printable(detail.Dump()).c_str());
    return;
  }
  for (const auto& [name, value] : detail.AsMembers()) {
    const std::string label = ReplaceAll(name, "_", " ");
    const std::string text = value.is_string() ? value.AsString() : value.Dump();
    std::printf("  %-18s %s\n", Printable(label).c_str(), Printable(text).c_str());
  }
}

void PrintForPeople(const Judged& judged) {
  const Verdict& verdict = judged.sample.verdict;
  const Extraction& extraction = judged.sample.extraction;
  const auto line = [](std::string_view name, const std::string& value) {
    std::printf("%-10s %s\n", std::string(name).c_str(), value.c_str());
  };
  line("verdict", absl::StrFormat("%s (score %g)", OutcomeName(verdict.outcome), verdict.score));
  line("why", Printable(verdict.why));
  if (extraction.rule != "given")
    line("answer",
         Printable(extraction.answer
                       ? absl::StrFormat("%s (by the rule %s)",
                                         Shorten(*extraction.answer, kShownBytes), extraction.rule)
                       : std::string("none found")));
  line("grader", absl::StrFormat("%s, version %d", verdict.grader, verdict.grader_version));
  PrintDetail(verdict.detail);
  line("time", absl::StrFormat("%.1f us", judged.microseconds));
}

void Print(const Judged& judged, bool json) {
  if (!json) return PrintForPeople(judged);
  std::printf("%s\n", ToJson(judged).Dump().c_str());
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "assay verify: %s\n", Printable(std::string(status.message())).c_str());
  return 1;
}

absl::Status VerifyOne(const VerifyFlags& flags) {
  ASSIGN_OR_RETURN(const TaskGrading grading, Bind(flags));
  Problem problem;
  problem.id = "verify";
  problem.reference = flags.reference;
  for (const std::string_view choice : Split(flags.choices, ';')) {
    if (!flags.choices.empty()) problem.choices.emplace_back(Trim(choice));
  }
  const bool reply = !flags.extractor.empty() || grading.reads_whole_completion;
  ASSIGN_OR_RETURN(const Judged judged, reply ? JudgeReply(grading, problem, flags.answer[0])
                                              : JudgeAnswer(grading, problem, flags.answer[0]));
  Print(judged, flags.json);
  return absl::OkStatus();
}

// ---- A stored sample --------------------------------------------------------------------------

// By the extractor and grader that the run's manifest names, as this program has them now. Stores
// nothing.
absl::Status VerifyStored(const VerifyFlags& flags) {
  NamedRuns runs(flags.database);
  ASSIGN_OR_RETURN(const NamedRun named, runs.Find(flags.run));
  Store* const store = named.store;
  const RunManifest& run = named.run.manifest;
  const std::string& id = run.id;
  ASSIGN_OR_RETURN(const TaskManifest* task, NamedTask(run, flags.task));
  ASSIGN_OR_RETURN(const std::optional<StoredProblem> asked,
                   store->FindProblem(id, task->name, flags.problem));
  if (!asked) {
    return NotFound("run %s, task %s: no problem '%s' was asked", id, task->name, flags.problem);
  }
  SampleFilter filter;
  filter.task = task->name;
  filter.problem_id = flags.problem;
  filter.index = *flags.sample - 1;
  filter.parts = SampleParts::kAll;
  std::optional<Judged> judged;
  ASSIGN_OR_RETURN(const TaskGrading grading, BindGrading(*task));
  RETURN_IF_ERROR(store->ForEachSample(id, filter, [&](const StoredSample& stored) {
    ASSIGN_OR_RETURN(judged, Judge(grading, asked->problem, stored.sample));
    return absl::OkStatus();
  }));
  if (!judged) {
    return NotFound("run %s, task %s, problem %s: there is no sample %d", id, task->name,
                    flags.problem, *flags.sample);
  }
  Print(*judged, flags.json);
  return absl::OkStatus();
}

// ---- Pairs ------------------------------------------------------------------------------------

constexpr size_t kMostPairBytes = 64 << 20;

// "FIELD_parts": a list of [text, times], for texts that are too long to write out.
absl::StatusOr<std::optional<std::string>> JoinParts(const Row& row, const std::string& where,
                                                     const std::string& field) {
  const Json* parts = row.fields.Find(field);
  if (parts == nullptr || parts->is_null()) return std::optional<std::string>();
  const absl::Status wrong = InvalidArgument(
      "%s: field '%s': expected a list of [text, times], 64 MB in all", where, field);
  if (!parts->is_array()) return wrong;
  std::string text;
  for (const Json& part : parts->AsArray()) {
    const bool pair = part.is_array() && part.size() == 2 && part.AsArray()[0].is_string() &&
                      part.AsArray()[1].is_integer();
    if (!pair) return wrong;
    const std::string& piece = part.AsArray()[0].AsString();
    const int64_t times = part.AsArray()[1].AsInteger();
    const bool fits =
        times >= 0 &&
        static_cast<uint64_t>(times) <= kMostPairBytes / std::max<size_t>(piece.size(), 1) &&
        text.size() + piece.size() * static_cast<size_t>(times) <= kMostPairBytes;
    if (!fits) return wrong;
    for (int64_t i = 0; i < times; ++i) text += piece;
  }
  return std::optional<std::string>(std::move(text));
}

// The field's text, a number as it is written, or its parts joined; nothing where it is not there.
absl::StatusOr<std::optional<std::string>> FieldText(const Row& row, const std::string& where,
                                                     const std::string& field) {
  const Json* value = row.fields.Find(field);
  if (value == nullptr || value->is_null()) return JoinParts(row, where, field + "_parts");
  if (value->is_string() || value->is_number()) return std::optional<std::string>(value->ToText());
  return InvalidArgument("%s: field '%s': expected a string, found %s", where, field,
                         std::string(KindName(*value)));
}

// A null is a field that is there.
absl::Status Lacks(const Row& row, const std::string& path, const std::string& where,
                   const std::string& field) {
  if (row.fields.Find(field) == nullptr) return MissingField(row, path, field);
  return InvalidArgument("%s: field '%s': expected a string, found null", where, field);
}

absl::StatusOr<Problem> ProblemOf(const Row& row, const std::string& path,
                                  const std::string& where) {
  Problem problem;
  const Json* id = row.fields.Find("id");
  problem.id = id != nullptr ? id->ToText() : std::to_string(row.line);
  ASSIGN_OR_RETURN(const std::optional<std::string> gold, FieldText(row, where, "gold"));
  if (!gold) return Lacks(row, path, where, "gold");
  problem.reference = *gold;
  const Json* choices = row.fields.Find("choices");
  if (choices == nullptr || choices->is_null()) return problem;
  if (!choices->is_array())
    return InvalidArgument("%s: field 'choices': expected a list, found %s", where,
                           std::string(KindName(*choices)));
  for (const Json& choice : choices->AsArray()) problem.choices.push_back(choice.ToText());
  return problem;
}

absl::StatusOr<Judged> JudgeRow(const TaskGrading& grading, const Row& row, const std::string& path,
                                const Problem& problem, const std::string& where) {
  ASSIGN_OR_RETURN(const std::optional<std::string> raw, FieldText(row, where, "raw"));
  if (raw) return JudgeReply(grading, problem, *raw);
  ASSIGN_OR_RETURN(const std::optional<std::string> pred, FieldText(row, where, "pred"));
  if (pred) return JudgeAnswer(grading, problem, *pred);
  return Lacks(row, path, where, "pred");
}

// How the verdicts fell, against `expected` where the rows have it.
struct Tally {
  int pairs = 0, correct = 0, undecided = 0;
  int as_expected = 0, against = 0;
  std::vector<double> microseconds;
};

void Count(const Row& row, const Judged& judged, Tally* tally) {
  const Outcome outcome = judged.sample.verdict.outcome;
  ++tally->pairs;
  tally->correct += outcome == Outcome::kCorrect;
  tally->undecided += outcome == Outcome::kUndecided;
  tally->microseconds.push_back(judged.microseconds);
  const std::optional<bool> expected = row.fields.FindBool("expected");
  if (!expected || outcome == Outcome::kUndecided) return;
  ++((outcome == Outcome::kCorrect) == *expected ? tally->as_expected : tally->against);
}

double Quantile(std::vector<double>* values, double share) {
  const auto at = static_cast<size_t>(share * static_cast<double>(values->size() - 1));
  std::nth_element(values->begin(), values->begin() + static_cast<std::ptrdiff_t>(at),
                   values->end());
  return (*values)[at];
}

// To standard error, so that standard output is one JSON object a line.
void PrintTally(Tally tally) {
  std::fprintf(stderr, "%d pairs: %d correct, %d undecided; %.1f us median, %.1f us at 99 %%\n",
               tally.pairs, tally.correct, tally.undecided, Quantile(&tally.microseconds, 0.5),
               Quantile(&tally.microseconds, 0.99));
  if (tally.as_expected + tally.against == 0) return;
  std::fprintf(stderr, "against 'expected': %d right, %d wrong, %d undecided\n", tally.as_expected,
               tally.against, tally.pairs - tally.as_expected - tally.against);
}

void PrintPair(const Problem& problem, const Judged& judged) {
  Json line = Json::MakeObject({{"id", problem.id}});
  const Json judgement = ToJson(judged);
  for (const Json::Member& member : judgement.AsMembers()) line.Set(member.first, member.second);
  std::printf("%s\n", line.Dump().c_str());
}

// "-" is standard input, as JSON lines.
absl::StatusOr<std::unique_ptr<RowReader>> OpenPairs(const std::string& path) {
  if (path != "-") return OpenRows(path);
  ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> input, OpenByteSource("/dev/stdin"));
  return OpenRows(std::move(input), "stdin.jsonl");
}

absl::Status VerifyPairs(const VerifyFlags& flags) {
  ASSIGN_OR_RETURN(const TaskGrading grading, Bind(flags));
  ASSIGN_OR_RETURN(const std::unique_ptr<RowReader> rows, OpenPairs(flags.pairs));
  Tally tally;
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<Row> row, rows->Next());
    if (!row) break;
    const std::string where = absl::StrFormat("%s:%d", flags.pairs, row->line);
    ASSIGN_OR_RETURN(const Problem problem, ProblemOf(*row, flags.pairs, where));
    absl::StatusOr<Judged> judged = JudgeRow(grading, *row, flags.pairs, problem, where);
    if (!judged.ok())
      return Contains(std::string(judged.status().message()), where)
                 ? judged.status()
                 : Annotate(judged.status(), where);
    PrintPair(problem, *judged);
    Count(*row, *judged, &tally);
  }
  PrintTally(std::move(tally));
  return absl::OkStatus();
}

int Verify(const VerifyFlags& flags) {
  const int ways =
      (flags.pairs.empty() ? 0 : 1) + (flags.answer.empty() ? 0 : 1) + (flags.run.empty() ? 0 : 1);
  const bool stored = !flags.run.empty();
  const bool names_sample = !flags.problem.empty() && flags.sample.value_or(0) >= 1;
  if (ways != 1 || flags.answer.size() > 1 || stored != names_sample) {
    std::fprintf(stderr,
                 "assay verify: expected REFERENCE and ANSWER, or --pairs FILE, or --run RUN "
                 "--problem ID --sample N with N from 1\n"
                 "Try: assay verify --help\n");
    return 2;
  }
  const absl::Status status = stored                ? VerifyStored(flags)
                              : flags.pairs.empty() ? VerifyOne(flags)
                                                    : VerifyPairs(flags);
  return status.ok() ? 0 : Fail(status);
}

}  // namespace

Command VerifyCommand() {
  Command command;
  command.name = "verify";
  command.about = "Judge one answer against one reference, with the reasoning";
  command.order = 60;
  command.declare = [](CommandLine& line) {
    auto flags = std::make_shared<VerifyFlags>();
    line.Positional("reference", &flags->reference, "The right answer", false);
    line.Positional("answer", &flags->answer,
                    "The answer to judge; words that begin with a dash come after --", false);
    line.Option("--grader,-g", &flags->grader, "Which grader judges");
    line.Option("--options", &flags->options, "The grader's options, as JSON");
    line.Option("--extractor", &flags->extractor,
                "ANSWER is a whole reply: find the answer with this");
    line.Option("--extract-options", &flags->extract_options, "The extractor's options, as JSON");
    line.Option("--choices", &flags->choices,
                "The choices' texts, divided by ';', for the grader 'choice'");
    line.Option(
        "--pairs", &flags->pairs,
        "A JSONL file, or - for standard input, with gold and pred (or raw, a whole reply) in "
        "each row");
    line.Option(
        "--run", &flags->run,
        "The run of a stored sample: id, name, 'last' or DATABASE:RUN; judged as its task says");
    line.Option("--task", &flags->task, "The stored sample's task");
    line.Option("--problem", &flags->problem, "The stored sample's problem");
    line.Option("--sample", &flags->sample, "The stored sample's number, from 1");
    line.Option("--db", &flags->database, "The results database of --run");
    line.Flag("--json", &flags->json, "Print one JSON object");
    line.Action([flags] { return Verify(*flags); });
  };
  return command;
}

}  // namespace assay
