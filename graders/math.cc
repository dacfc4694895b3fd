// The grader `math`: a plug around the symbolic checker in graders/algebra/.
//
// The checker works in child processes (harness/process.h), so that a formula that explodes inside
// a library costs its own verdict only. Where there is no program to run children with, as in
// tests, it works in the process itself.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <thread>

#include "graders/algebra/check.h"
#include "graders/algebra/tame.h"
#include "harness/grader.h"
#include "harness/process.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

using algebra::CheckOptions;

absl::Status WrongOption(std::string_view name, const Json& found, std::string_view wanted) {
  return InvalidArgument("grader 'math': option '%s': expected %s, found %s", std::string(name),
                         std::string(wanted), found.Dump());
}

absl::Status SetPercent(const Json& value, CheckOptions* options) {
  if (value == Json("bare")) {
    options->policy.percent_equals_bare = true;
  } else if (value == Json("strict")) {
    options->policy.percent_equals_bare = false;
  } else {
    return WrongOption("percent", value, "'bare' or 'strict'");
  }
  return absl::OkStatus();
}

absl::Status SetRounding(const Json& value, CheckOptions* options) {
  const absl::Status wrong = WrongOption("rounding", value, "a list of 'reference' and 'double'");
  if (!value.is_array()) return wrong;
  options->policy.round_to_reference = false;
  options->policy.accept_double = false;
  for (const Json& rule : value.AsArray()) {
    if (rule == Json("reference")) {
      options->policy.round_to_reference = true;
    } else if (rule == Json("double")) {
      options->policy.accept_double = true;
    } else {
      return wrong;
    }
  }
  return absl::OkStatus();
}

absl::Status SetForm(const Json& value, CheckOptions* options) {
  static constexpr std::pair<const char*, algebra::Form> forms[] = {
      {"any", algebra::Form::kAny},
      {"reduced", algebra::Form::kReduced},
      {"factored", algebra::Form::kFactored},
      {"expanded", algebra::Form::kExpanded}};
  for (const auto& [name, form] : forms) {
    if (value != Json(name)) continue;
    options->form = form;
    return absl::OkStatus();
  }
  return WrongOption("form", value, "'any', 'reduced', 'factored' or 'expanded'");
}

absl::Status SetTolerance(std::string_view name, const Json& value, CheckOptions* options) {
  if (!value.is_number() || !std::isfinite(value.AsNumber()) || value.AsNumber() <= 0 ||
      value.AsNumber() >= 1e6)
    return WrongOption(name, value, "a positive number");
  auto& target = name == "relative_tolerance" ? options->policy.relative_tolerance
                                              : options->policy.absolute_tolerance;
  target = value.AsNumber();
  return absl::OkStatus();
}

absl::Status SetDigits(const Json& value, CheckOptions* options) {
  if (!value.is_integer() || value.AsInteger() < 1 || value.AsInteger() > 15)
    return WrongOption("significant_digits", value, "a whole number from 1 to 15");
  options->policy.significant_digits = static_cast<int>(value.AsInteger());
  return absl::OkStatus();
}

const std::vector<std::string>& OptionNames() {
  static const std::vector<std::string> names = {
      "percent",           "rounding", "form", "relative_tolerance", "absolute_tolerance",
      "significant_digits"};
  return names;
}

absl::Status SetOption(const std::string& name, const Json& value, CheckOptions* options) {
  if (name == "percent") return SetPercent(value, options);
  if (name == "rounding") return SetRounding(value, options);
  if (name == "form") return SetForm(value, options);
  if (name == "significant_digits") return SetDigits(value, options);
  if (name == "relative_tolerance" || name == "absolute_tolerance")
    return SetTolerance(name, value, options);
  return InvalidArgument("grader 'math': unknown option '%s'%s", name,
                         DidYouMean(name, OptionNames()));
}

absl::StatusOr<CheckOptions> ReadOptions(const Json& json) {
  CheckOptions options;
  if (json.is_null()) return options;
  if (!json.is_object())
    return InvalidArgument("grader 'math': expected an object of options, found %s", json.Dump());
  for (const auto& [name, value] : json.AsMembers())
    RETURN_IF_ERROR(SetOption(name, value, &options));
  return options;
}

// --- the checker in a child ---

// A second of a child's own time. The wall stands far behind it, for a child that was stopped: how
// busy the machine is must not decide a verdict.
constexpr CallLimits kHardLimits{.cpu = std::chrono::seconds(1), .wall = std::chrono::seconds(20)};

// One pool for all bindings; null where there is no program for children.
WorkerPool* Workers() {
  static const std::unique_ptr<WorkerPool> pool = []() -> std::unique_ptr<WorkerPool> {
    const std::string program = WorkerProgram();
    if (program.empty()) return nullptr;
    const int workers = std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, 16);
    return std::make_unique<WorkerPool>(
        WorkerOptions{.command = {program, "grade-worker", "math"}, .workers = workers});
  }();
  return pool.get();
}

std::string ToRequest(std::string_view reference, std::string_view answer, const Json& options,
                      bool symmetric) {
  return Json::MakeObject({{"reference", reference},
                           {"answer", answer},
                           {"options", options},
                           {"symmetric", symmetric}})
      .Dump();
}

std::string ToReply(const algebra::Outcome& checked) {
  return Json::MakeObject({{"verdict", static_cast<int64_t>(checked.verdict)},
                           {"tier", static_cast<int64_t>(checked.tier)},
                           {"digits", checked.digits},
                           {"note", checked.note},
                           {"reference_reading", checked.reference_reading},
                           {"answer_reading", checked.answer_reading},
                           {"reference_form", checked.reference_form},
                           {"answer_form", checked.answer_form},
                           {"microseconds", checked.microseconds}})
      .Dump();
}

absl::StatusOr<algebra::Outcome> FromReply(std::string_view reply) {
  ASSIGN_OR_RETURN(const Json json, ParseJson(reply));
  algebra::Outcome checked;
  const std::optional<int64_t> verdict = json.FindInteger("verdict");
  const std::optional<int64_t> tier = json.FindInteger("tier");
  if (!verdict || !tier) return Internal("grader 'math': a worker's reply without a verdict");
  checked.verdict = static_cast<algebra::Verdict>(*verdict);
  checked.tier = static_cast<algebra::Tier>(*tier);
  checked.digits = static_cast<int>(json.FindInteger("digits").value_or(0));
  checked.note = json.FindString("note").value_or("");
  checked.reference_reading = json.FindString("reference_reading").value_or("");
  checked.answer_reading = json.FindString("answer_reading").value_or("");
  checked.reference_form = json.FindString("reference_form").value_or("");
  checked.answer_form = json.FindString("answer_form").value_or("");
  checked.microseconds = json.FindNumber("microseconds").value_or(0);
  return checked;
}

// What a child does with one request. The request is ours: a broken one is a bug.
std::string Work(std::string_view request) {
  const absl::StatusOr<Json> json = ParseJson(request);
  CHECK(json.ok());
  absl::StatusOr<CheckOptions> options = ReadOptions(*json->Find("options"));
  CHECK(options.ok());
  options->policy.symmetric = *json->FindBool("symmetric");
  if (options->policy.symmetric) options->form = algebra::Form::kAny;
  return ToReply(
      algebra::Check(*json->FindString("reference"), *json->FindString("answer"), *options));
}

algebra::Outcome FromFault(const absl::Status& status) {
  algebra::Outcome checked;
  checked.verdict = status.code() == absl::StatusCode::kDeadlineExceeded
                        ? algebra::Verdict::kTimeout
                        : algebra::Verdict::kOverLimit;
  checked.note = NameOfFault(status);
  return checked;
}

// A task's options, as the checker takes them and as a child is told.
struct Binding {
  CheckOptions options;
  Json json;
};

absl::StatusOr<algebra::Outcome> Ask(const Binding& binding, std::string_view reference,
                                     std::string_view answer, bool symmetric) {
  // What cannot run away needs no child, and neither does what is beyond the limit, where the
  // checker only compares bytes.
  const size_t most = binding.options.limits.max_bytes;
  const bool harmless =
      reference.size() > most || answer.size() > most ||
      (algebra::IsTame(reference, answer) && !binding.options.policy.significant_digits);
  WorkerPool* workers = harmless ? nullptr : Workers();
  if (workers == nullptr) {
    CheckOptions options = binding.options;
    options.policy.symmetric = symmetric;
    if (symmetric) options.form = algebra::Form::kAny;
    return algebra::Check(reference, answer, options);
  }
  const absl::StatusOr<std::string> reply =
      workers->Call(ToRequest(reference, answer, binding.json, symmetric), kHardLimits);
  if (reply.ok()) return FromReply(*reply);
  if (IsFaultOfRequest(reply.status())) return FromFault(reply.status());
  return reply.status();
}

// --- verdicts ---

Outcome OutcomeOf(const algebra::Outcome& checked) {
  if (checked.correct()) return Outcome::kCorrect;
  return checked.undecided() ? Outcome::kUndecided : Outcome::kIncorrect;
}

// One line for people: "proved equal (exact)", "different (balls)", "undecided: a limit".
std::string Why(const algebra::Outcome& checked) {
  std::string why = ReplaceAll(algebra::VerdictName(checked.verdict), "_", " ");
  if (checked.verdict == algebra::Verdict::kNumericallyEqual)
    why += absl::StrFormat(" to %d digits", checked.digits);
  if (checked.tier != algebra::Tier::kNone)
    why += absl::StrFormat(" (%s)", std::string(algebra::TierName(checked.tier)));
  if (!checked.note.empty()) why += ": " + checked.note;
  return why;
}

Json DetailOf(const algebra::Outcome& checked) {
  Json detail = Json::MakeObject({{"verdict", std::string(algebra::VerdictName(checked.verdict))},
                                  {"tier", std::string(algebra::TierName(checked.tier))}});
  if (checked.digits > 0) detail.Set("digits", checked.digits);
  if (!checked.reference_form.empty()) detail.Set("reference", checked.reference_form);
  if (!checked.answer_form.empty()) detail.Set("answer", checked.answer_form);
  if (!checked.reference_reading.empty())
    detail.Set("reference_reading", checked.reference_reading);
  if (!checked.answer_reading.empty()) detail.Set("answer_reading", checked.answer_reading);
  return detail;
}

Verdict ToVerdict(const algebra::Outcome& checked) {
  Verdict verdict;
  verdict.outcome = OutcomeOf(checked);
  verdict.score = verdict.outcome == Outcome::kCorrect ? 1 : 0;
  verdict.why = Why(checked);
  verdict.detail = DetailOf(checked);
  return verdict;
}

}  // namespace

Grader MathGrader() {
  Grader grader;
  grader.name = "math";
  grader.version = 6;
  grader.about = "the same mathematics, proved or refuted; undecided where neither can be done";
  grader.options = OptionNames();
  grader.work = Work;
  grader.bind = [](const Json& json) -> absl::StatusOr<BoundGrader> {
    ASSIGN_OR_RETURN(CheckOptions options, ReadOptions(json));
    const Binding binding{std::move(options), json};
    BoundGrader bound;
    bound.grade = [binding](const Problem& problem, const Completion&,
                            const Extraction& extraction) -> absl::StatusOr<Verdict> {
      ASSIGN_OR_RETURN(
          const algebra::Outcome checked,
          Ask(binding, problem.reference, extraction.answer.value_or(""), /*symmetric=*/false));
      return ToVerdict(checked);
    };
    bound.same_answer = [binding](std::string_view a, std::string_view b) {
      const absl::StatusOr<algebra::Outcome> checked = Ask(binding, a, b, /*symmetric=*/true);
      return checked.ok() && checked->correct();
    };
    return bound;
  };
  return grader;
}

}  // namespace assay
