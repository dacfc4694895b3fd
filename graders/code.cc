// The grader `code`: runs the program that was answered on the problem's tests, in the sandbox.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "graders/code/judge.h"
#include "harness/grader.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

struct CodeOptions {
  std::string language;  // where neither the row nor the answer says one
  Isolation isolation = Isolation::kFull;
  bool all_tests = false;
  code::Profile profile = code::Profile::kNative;
  std::optional<double> time_limit_seconds;  // where the row has none of its own
  std::optional<int64_t> memory_limit_mib;
};

absl::StatusOr<std::string> ReadText(const Json& options, std::string_view name,
                                     std::string otherwise) {
  const Json* value = options.Find(name);
  if (value == nullptr || value->is_null()) return otherwise;
  if (value->is_string()) return value->AsString();
  return InvalidArgument("grader 'code': option '%s': expected a string, found %s",
                         std::string(name), std::string(KindName(*value)));
}

absl::StatusOr<std::optional<double>> ReadLimit(const Json& options, std::string_view name,
                                                const LimitRange& range) {
  const Json* value = options.Find(name);
  if (value == nullptr || value->is_null()) return std::optional<double>();
  if (value->is_number() && range.Holds(value->AsNumber()))
    return std::optional<double>(value->AsNumber());
  return InvalidArgument("grader 'code': option '%s': found %s, wanted %s", std::string(name),
                         Shorten(value->Dump(), 60), std::string(range.wanted));
}

absl::StatusOr<code::Profile> ProfileFromName(const std::string& name) {
  for (const auto profile :
       {code::Profile::kNative, code::Profile::kLcb, code::Profile::kLcbStringIo}) {
    if (name == code::ProfileName(profile)) return profile;
  }
  return InvalidArgument(
      "grader 'code': option 'profile': expected native, lcb or lcb-stringio, found '%s'", name);
}

// What the command line or the environment says comes before the task.
std::string IsolationAsked(const std::string& by_task) {
  const char* given = std::getenv("ASSAY_ISOLATION");
  return given != nullptr && *given != '\0' ? given : by_task;
}

absl::StatusOr<CodeOptions> ReadOptions(const Json& json, const std::vector<std::string>& known) {
  if (!json.is_null() && !json.is_object()) {
    return InvalidArgument("grader 'code': options: expected an object, found %s",
                           std::string(KindName(json)));
  }
  for (size_t i = 0; i < json.size(); ++i) {
    const std::string& name = json.AsMembers()[i].first;
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    return InvalidArgument("grader 'code': unknown option '%s'%s (known: %s)", name,
                           DidYouMean(name, known), Join(known, ", "));
  }
  CodeOptions options;
  ASSIGN_OR_RETURN(options.language, ReadText(json, "language", "python3"));
  RETURN_IF_ERROR(FindLanguage(options.language).status());
  ASSIGN_OR_RETURN(const std::string isolation, ReadText(json, "isolation", "full"));
  ASSIGN_OR_RETURN(options.isolation, IsolationFromName(IsolationAsked(isolation)));
  ASSIGN_OR_RETURN(const std::string profile, ReadText(json, "profile", "native"));
  ASSIGN_OR_RETURN(options.profile, ProfileFromName(profile));
  options.all_tests = json.FindBool("all_tests").value_or(false);
  ASSIGN_OR_RETURN(options.time_limit_seconds, ReadLimit(json, "time_limit_s", kSecondsOfALimit));
  ASSIGN_OR_RETURN(const std::optional<double> memory,
                   ReadLimit(json, "memory_limit_mb", kMebibytesOfALimit));
  if (memory) options.memory_limit_mib = static_cast<int64_t>(*memory);
  return options;
}

// One runner for each isolation and the whole process, started and tried when first needed. Lives
// as long as the process: its workers end with it.
absl::StatusOr<Runner*> SharedRunner(Isolation isolation) {
  static auto* mutex = new std::mutex;
  static auto* runners = new std::map<Isolation, absl::StatusOr<std::unique_ptr<Runner>>>;
  const std::lock_guard lock(*mutex);
  auto known = runners->find(isolation);
  if (known == runners->end()) {
    const int cores = std::max(2u, std::thread::hardware_concurrency());
    absl::StatusOr<std::unique_ptr<Runner>> runner =
        Runner::Start({.workers = cores, .isolation = isolation});
    if (runner.ok()) {
      const absl::StatusOr<std::vector<SandboxProbe>> probes = ProbeSandbox((*runner)->sandbox());
      const absl::Status held = probes.ok() ? CheckProbes(*probes, isolation) : probes.status();
      if (!held.ok()) runner = held;
    }
    known = runners->emplace(isolation, std::move(runner)).first;
  }
  if (!known->second.ok()) {
    const absl::Status status = known->second.status();
    runners->erase(known);  // asked again, it is tried again
    return status;
  }
  return known->second->get();
}

Outcome OutcomeOf(code::JudgeVerdict verdict) {
  if (verdict == code::JudgeVerdict::kAccepted) return Outcome::kCorrect;
  if (verdict == code::JudgeVerdict::kNoCode) return Outcome::kNoAnswer;
  // The problem's own program failed: nobody's fault that has a score.
  if (verdict == code::JudgeVerdict::kCheckerError) return Outcome::kUndecided;
  return Outcome::kIncorrect;
}

Verdict VerdictOf(const code::Judgement& judgement, const CodeOptions& options) {
  const Isolation isolation = options.isolation;
  Verdict verdict;
  verdict.outcome = OutcomeOf(judgement.verdict);
  verdict.score = verdict.outcome == Outcome::kCorrect ? 1 : 0;
  const std::string mark = isolation == Isolation::kFull
                               ? ""
                               : absl::StrFormat(" [isolation: %s]", IsolationName(isolation));
  verdict.why = absl::StrFormat("%s%s%s%s", code::JudgeVerdictName(judgement.verdict),
                                judgement.why.empty() ? "" : ": ",
                                Printable(ToValidUtf8(judgement.why)), mark);
  verdict.detail = code::ToJson(judgement);
  verdict.detail.Set("isolation", IsolationName(isolation));
  verdict.detail.Set("profile", code::ProfileName(options.profile));
  return verdict;
}

// HumanEval asks for the rest of a function: an answer that holds the whole one follows the
// prompt's imports and helpers (and defines the function again), any other continues its text.
std::string Completed(const Json& row, const code::CodeProblem& asked, const std::string& answer) {
  const std::optional<std::string> prompt = row.FindString("prompt");
  const bool has_test = row.FindString("test").has_value();
  if (!prompt || !has_test || asked.kind != code::ProblemKind::kAssert) return answer;
  const bool whole = Contains(answer, "def " + asked.entry);
  if (whole && Contains(answer, "from __future__")) return answer;
  return *prompt + (whole ? "    pass\n\n" : "") + answer;
}

// A limit of the row's own, by either of its names.
bool HasField(const Json& row, const std::string& name) {
  return row.FindNumber(name) || row.FindNumber(name + "_s") || row.FindNumber(name + "_mb");
}

absl::StatusOr<Verdict> Grade(const CodeOptions& options, const Problem& problem,
                              const Extraction& extraction) {
  if (!extraction.answer || Trim(*extraction.answer).empty()) {
    code::Judgement nothing;
    nothing.verdict = code::JudgeVerdict::kNoCode;
    nothing.why = extraction.answer ? "the block is empty" : "no block";
    return VerdictOf(nothing, options);
  }
  const std::string where = absl::StrFormat("problem %s", problem.id);
  ASSIGN_OR_RETURN(code::CodeProblem asked, code::ProblemFromRow(problem.row, where));
  if (options.time_limit_seconds && !HasField(problem.row, "time_limit"))
    asked.time_limit_seconds = *options.time_limit_seconds;
  if (options.memory_limit_mib && !HasField(problem.row, "memory_limit"))
    asked.memory_limit_mib = *options.memory_limit_mib;
  ASSIGN_OR_RETURN(const Language* language,
                   FindLanguage(asked.language.empty() ? options.language : asked.language));
  ASSIGN_OR_RETURN(Runner * runner, SharedRunner(options.isolation));
  absl::StatusOr<code::Judgement> judgement =
      code::Judge(*runner, asked, *language, Completed(problem.row, asked, *extraction.answer),
                  {options.profile, options.all_tests});
  if (!judgement.ok()) return Annotate(judgement.status(), where);
  Verdict verdict = VerdictOf(*judgement, options);
  verdict.detail.Set("memory_by", runner->sandbox().memory_means());
  return verdict;
}

}  // namespace

Grader CodeGrader() {
  Grader grader;
  grader.name = "code";
  grader.version = 2;
  grader.about = "the program passes every test of its problem, run in the sandbox";
  grader.options = {"language", "isolation",    "all_tests",
                    "profile",  "time_limit_s", "memory_limit_mb"};
  grader.reads_row = true;
  grader.bind = [known = grader.options](const Json& json) -> absl::StatusOr<BoundGrader> {
    ASSIGN_OR_RETURN(const CodeOptions options, ReadOptions(json, known));
    BoundGrader bound;
    bound.grade = [options](const Problem& problem, const Completion&,
                            const Extraction& extraction) -> absl::StatusOr<Verdict> {
      return Grade(options, problem, extraction);
    };
    return bound;
  };
  return grader;
}

}  // namespace assay
