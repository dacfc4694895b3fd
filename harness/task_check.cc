// Proof that a task is sound: every reference, written as a reply, must be graded right, and
// another's must not; and what looks damaged is told.
#include <algorithm>
#include <array>
#include <map>

#include "absl/container/flat_hash_map.h"
#include "harness/grading.h"
#include "harness/hash.h"
#include "harness/metric.h"
#include "harness/status.h"
#include "harness/task.h"
#include "harness/task_spec.h"
#include "harness/text.h"

namespace assay {
namespace {

constexpr size_t kLongPromptBytes = 100'000;  // some 25,000 tokens
constexpr size_t kLeakBytes = 12;             // a shorter reference stands in a prompt by chance

// What a grader says of `text` as a reply.
absl::StatusOr<Sample> GradeText(const TaskGrading& grading, const Problem& problem,
                                 std::string text) {
  Sample sample;
  sample.problem_id = problem.id;
  sample.completion.raw = text;
  sample.completion.answer = std::move(text);
  RETURN_IF_ERROR(GradeSample(grading, problem, &sample));
  return sample;
}

// An answer as the prompt of such a task asks for it.
std::string WrittenAs(std::string_view extractor, const std::string& answer) {
  if (extractor == "boxed") return "The answer is $\\boxed{" + answer + "}$.";
  if (extractor == "code_block") return "```\n" + answer + "\n```";
  if (extractor == "last_line") return "This is my answer.\n" + answer;
  if (extractor == "loglikelihood") return answer;
  if (extractor == "json") return Json::MakeObject({{"answer", answer}}).Dump();
  if (extractor == "number") return "The answer is " + answer + ".";
  return "Answer: " + answer;
}

// A task's own pattern may want another form: the first in which something is found.
absl::StatusOr<Sample> GradeAnswer(const Task& task, const TaskGrading& grading,
                                   const Problem& problem, const std::string& answer) {
  ASSIGN_OR_RETURN(Sample sample, GradeText(grading, problem, WrittenAs(task.extractor, answer)));
  for (const std::string_view form : {"boxed", "letter", "last_line", "code_block", "json"}) {
    if (sample.extraction.answer || task.extractor != "regex") break;
    ASSIGN_OR_RETURN(sample, GradeText(grading, problem, WrittenAs(form, answer)));
  }
  return sample;
}

bool SamePlainAnswer(std::string_view a, std::string_view b) {
  if (EqualsIgnoreCaseAscii(Trim(a), Trim(b))) return true;
  const auto number = [](std::string_view text) {
    return ParseDouble(ReplaceAll(Trim(text), ",", ""));
  };
  return number(a) && number(a) == number(b);
}

struct Damage {
  std::string_view bytes;
  const char* what;
};
constexpr std::array<Damage, 9> kDamage = {
    {{"\xEF\xBF\xBD", "a replacement character (U+FFFD): bytes were lost when it was decoded"},
     {"\xC3\xA2\xE2\x82\xAC",
      "UTF-8 read as Windows-1252 (an apostrophe or dash became 3 letters)"},
     {"\xC3\x83\xC2", "UTF-8 read as Latin-1 (an accented letter became two)"},
     {"\xC3\x82\xC2", "UTF-8 read as Latin-1 (a blank or sign became two)"},
     {"\f", "a form feed: a TeX command like \\frac lost its backslash in JSON"},
     {"\b", "a backspace: a TeX command like \\boxed or \\begin lost its backslash in JSON"},
     {"\v", "a vertical tab: a TeX command like \\vec lost its backslash"},
     {"\x1B", "an escape character"},
     {std::string_view("\0", 1), "a NUL character"}}};

// The prompt's templates as they are written.
std::string PromptText(const Task& task) {
  const Json* prompt = task.definition.Find("prompt");
  return prompt == nullptr ? "" : prompt->Dump();
}

class Checker {
 public:
  Checker(const Task& task, TaskGrading grading) : task_(task), grading_(std::move(grading)) {}

  void AddRowError(const absl::Status& error) {
    check_.findings.push_back({"", 0, true, std::string(error.message())});
  }

  // `plain` is the problem with its choices as published: the same whatever the seed.
  absl::Status Add(const AskedProblem& asked, const AskedProblem& plain) {
    ++check_.problems;
    LookAtPrompt(asked, plain);
    LookAtKinds(asked);
    LookAtDate(asked);
    RETURN_IF_ERROR(TryReference(asked));
    RETURN_IF_ERROR(TryAnother(asked));
    RETURN_IF_ERROR(TryEcho(asked));
    return absl::OkStatus();
  }

  TaskCheck Finish() {
    LookAtTask();
    return std::move(check_);
  }

 private:
  void Note(const AskedProblem& asked, bool fatal, std::string what) {
    check_.findings.push_back({asked.problem.id, asked.line, fatal, std::move(what)});
  }

  void LookAtPrompt(const AskedProblem& asked, const AskedProblem& plain) {
    std::string text;
    for (const Message& message : asked.prompt.messages) text += message.text + "\n";
    check_.longest_prompt_bytes = std::max(check_.longest_prompt_bytes, text.size());
    if (text.size() > kLongPromptBytes) {
      Note(asked, false,
           absl::StrFormat("a prompt of %s bytes",
                           WithThousands(static_cast<int64_t>(text.size()))));
    }
    for (const Damage& damage : kDamage) {
      const bool prompt = Contains(text, damage.bytes);
      if (!prompt && !Contains(asked.problem.reference, damage.bytes)) continue;
      Note(asked, false,
           absl::StrFormat("the %s holds %s", prompt ? "prompt" : "reference", damage.what));
    }
    for (const std::string& value : asked.blank_values) {
      Note(asked, false, absl::StrFormat("'%s', which the prompt shows, is empty", value));
    }
    LookForRepeat(asked, plain);
    LookAtChoices(asked);
    LookForChecker(asked, text);
    if (asked.problem.choices.empty() && asked.problem.reference.size() >= kLeakBytes &&
        Contains(plain.prompt.messages.back().text, asked.problem.reference)) {
      Note(asked, false,
           "the reference stands in the prompt: " + Shorten(asked.problem.reference, 60));
    }
  }

  // A list where the rows before have text would be sent as "['x']": told where the prompt shows
  // it.
  void LookAtKinds(const AskedProblem& asked) {
    for (const auto& [name, value] : asked.problem.row.AsMembers()) {
      if (value.is_null() || !Contains(prompt_text_, name)) continue;
      const bool holds_others = value.is_array() || value.is_object();
      const auto [first, fresh] =
          first_kinds_.emplace(name, FieldKind{asked.line, holds_others, KindName(value)});
      if (fresh || first->second.holds_others == holds_others) continue;
      Note(asked, true,
           absl::StrFormat("field '%s': found %s, the row at line %d has %s", name, KindName(value),
                           first->second.line, first->second.name));
    }
  }

  // --since and --until would refuse such a row.
  void LookAtDate(const AskedProblem& asked) {
    const std::string& field = task_.dataset.date;
    if (field.empty()) return;
    const Json* found = asked.problem.row.Find(field);
    if (found == nullptr) {
      std::vector<std::string> known;
      for (const auto& [name, value] : asked.problem.row.AsMembers()) known.push_back(name);
      Note(asked, true,
           absl::StrFormat("dataset.date: no field '%s'%s", field, DidYouMean(field, known)));
    } else if (!found->is_string() || !IsDate(found->AsString())) {
      Note(asked, true,
           absl::StrFormat("dataset.date: field '%s': expected a date as YYYY-MM-DD, found %s",
                           field, Shorten(found->Dump(), 60)));
    }
  }

  void LookForRepeat(const AskedProblem& asked, const AskedProblem& plain) {
    std::string key;
    for (const Message& message : plain.prompt.messages) key += message.role + message.text + "\n";
    const auto [first, fresh] =
        first_asked_.emplace(Hash64(key), std::make_pair(asked.line, plain.problem.reference));
    if (fresh) return;
    const auto& [line, reference] = first->second;
    const bool same = SamePlainAnswer(reference, plain.problem.reference);
    Note(asked, !same,
         absl::StrFormat("the same prompt as line %d%s", line,
                         same ? "" : ", with another reference"));
  }

  // A code problem with several right outputs, compared with one of them, fails right programs.
  void LookForChecker(const AskedProblem& asked, std::string_view prompt) {
    if (task_.grader != "code") return;
    const Json& row = asked.problem.row;
    const Json* checker = row.Find("checker");
    if (checker != nullptr && checker->FindString("type").value_or("") == "program") return;
    if (row.FindString("kind").value_or("stdin") != "stdin") return;
    const std::string lower = ToLowerAscii(prompt);
    const bool said = row.FindBool("several_answers").value_or(false);
    for (const std::string_view words :
         {"any of them", "multiple answers", "multiple solutions", "any such", "any valid",
          "several answers", "any order", "multiple possible", "any one of"}) {
      if (!said && !Contains(lower, words)) continue;
      Note(asked, said,
           absl::StrFormat("several outputs are right%s, and there is no checker program",
                           said ? "" : absl::StrFormat(" ('%s')", words)));
      return;
    }
  }

  void LookAtChoices(const AskedProblem& asked) {
    const std::vector<std::string>& choices = asked.problem.choices;
    for (size_t i = 0; i < choices.size(); ++i) {
      if (Trim(choices[i]).empty()) {
        Note(asked, false, absl::StrFormat("choice %c is empty", 'A' + i));
      }
      const auto again = std::find(choices.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                   choices.end(), choices[i]);
      if (again == choices.end()) continue;
      const bool right = asked.problem.reference[0] - 'A' == static_cast<int>(i) ||
                         asked.problem.reference[0] - 'A' == again - choices.begin();
      Note(asked, right,
           absl::StrFormat("the choice '%s' stands there twice%s", Shorten(choices[i], 60),
                           right ? ", and one of the two is the right one" : ""));
    }
  }

  absl::Status TryReference(const AskedProblem& asked) {
    if (grading_.reads_whole_completion) return absl::OkStatus();
    ASSIGN_OR_RETURN(const Sample sample,
                     GradeAnswer(task_, grading_, asked.problem, asked.problem.reference));
    const Verdict& verdict = sample.verdict;
    if (verdict.outcome == Outcome::kCorrect) {
      ++check_.references_correct;
    } else if (verdict.outcome == Outcome::kUndecided) {
      ++check_.references_undecided;
    } else {
      Note(asked, true,
           absl::StrFormat("the reference '%s', given as the answer, is graded %s: %s",
                           Shorten(asked.problem.reference, 80), OutcomeName(verdict.outcome),
                           verdict.why));
    }
    return absl::OkStatus();
  }

  // A wrong answer: the next letter of a choice problem; else the reference of one of the problems
  // before that had another. Empty: there is none.
  std::string WrongAnswer(const Problem& problem) {
    if (!problem.choices.empty()) {
      const size_t right = static_cast<size_t>(problem.reference[0] - 'A');
      return std::string(1, static_cast<char>('A' + (right + 1) % problem.choices.size()));
    }
    std::string other;
    for (const std::string& before : earlier_references_) {
      if (!before.empty() && !SamePlainAnswer(before, problem.reference)) other = before;
    }
    if (problem.reference != earlier_references_[1]) {
      earlier_references_[0] = std::exchange(earlier_references_[1], problem.reference);
    }
    return other;
  }

  absl::Status TryAnother(const AskedProblem& asked) {
    if (grading_.reads_whole_completion) return absl::OkStatus();
    const Problem& problem = asked.problem;
    const std::string other = WrongAnswer(problem);
    if (other.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const Sample sample, GradeAnswer(task_, grading_, problem, other));
    ++check_.others_tried;
    if (sample.verdict.outcome != Outcome::kCorrect) {
      ++check_.others_rejected;
      return absl::OkStatus();
    }
    Note(asked, false,
         absl::StrFormat("'%s', a wrong answer, is graded correct (the reference: '%s')",
                         Shorten(other, 60), Shorten(problem.reference, 60)));
    return absl::OkStatus();
  }

  // A model that repeats the question must not be right.
  absl::Status TryEcho(const AskedProblem& asked) {
    if (grading_.reads_whole_completion) return absl::OkStatus();
    ASSIGN_OR_RETURN(const Sample sample,
                     GradeText(grading_, asked.problem, asked.prompt.messages.back().text));
    if (sample.verdict.outcome == Outcome::kCorrect) {
      ++echoes_;
      Note(asked, false, "the prompt, given back as the reply, is graded correct");
    }
    return absl::OkStatus();
  }

  void NoteTask(bool fatal, std::string what) {
    check_.findings.push_back({"", 0, fatal, std::move(what)});
  }

  void LookAtTask() {
    if (grading_.reads_whole_completion) {
      NoteTask(false, "the grader reads whole replies: references cannot be tried as answers");
    }
    if (check_.others_tried > 0 && check_.others_rejected == 0) {
      NoteTask(true, "no wrong answer was rejected: this grader finds everything right");
    }
    if (check_.problems > 3 && echoes_ * 2 > check_.problems) {
      NoteTask(true,
               "most prompts, given back as the reply, are graded correct: they hold the answer");
    }
    if (check_.problems > 0 && check_.references_undecided == check_.problems) {
      NoteTask(true, "no reference can be decided by this grader");
    }
    if (const absl::Status carried = SamplesCarry(task_.metrics, task_.samples); !carried.ok()) {
      NoteTask(true, std::string(carried.message()));
    }
    for (const char* entry : {"source", "licence"}) {
      if (task_.card.Find(entry) == nullptr) {
        NoteTask(false, absl::StrFormat("the card does not say the %s", entry));
      }
    }
    const std::optional<int64_t> size = task_.card.FindInteger("size");
    if (size && *size != check_.problems) {
      NoteTask(false, absl::StrFormat("the card says %d problems, the dataset holds %d", *size,
                                      check_.problems));
    }
  }

  struct FieldKind {
    int64_t line = 0;
    bool holds_others = false;
    std::string_view name;
  };

  const Task& task_;
  TaskGrading grading_;
  const std::string prompt_text_ = PromptText(task_);
  std::map<std::string, FieldKind> first_kinds_;  // by field
  TaskCheck check_;
  // By a hash of the prompt: the line and reference of its first asking.
  absl::flat_hash_map<uint64_t, std::pair<int64_t, std::string>> first_asked_;
  std::array<std::string, 2> earlier_references_;  // different ones, the last one last
  int64_t echoes_ = 0;
};

// The task with its choices as published.
absl::StatusOr<std::unique_ptr<ProblemStream>> OpenUnshuffled(const SearchPath& path, Task task,
                                                              uint64_t seed) {
  Json* fields = task.definition.Find("fields");
  Json* choices = fields == nullptr ? nullptr : fields->Find("choices");
  if (choices == nullptr) return std::unique_ptr<ProblemStream>();
  // Each row several times: there is no stream of the published order that runs beside it.
  if (choices->FindString("shuffle").value_or("") == "simple_evals") {
    return std::unique_ptr<ProblemStream>();
  }
  if (choices->is_string()) {
    *choices = Json::MakeObject({{"field", *choices}});
  } else if (choices->is_array()) {
    *choices = Json::MakeObject({{"fields", *choices}});
  }
  choices->Set("shuffle", false);
  return OpenProblems(path, task, seed);
}

}  // namespace

absl::StatusOr<TaskCheck> CheckTask(const SearchPath& path, const Task& task, uint64_t seed,
                                    int64_t limit) {
  ASSIGN_OR_RETURN(TaskGrading grading, BindGrading(task.extractor, task.extract_options,
                                                    task.grader, task.grader_options));
  ASSIGN_OR_RETURN(std::unique_ptr<ProblemStream> stream, OpenProblems(path, task, seed));
  ASSIGN_OR_RETURN(std::unique_ptr<ProblemStream> unshuffled, OpenUnshuffled(path, task, seed));
  Checker checker(task, std::move(grading));
  std::string last_error;
  for (int64_t row = 0; limit <= 0 || row < limit; ++row) {
    absl::StatusOr<std::optional<AskedProblem>> asked = stream->Next();
    absl::StatusOr<std::optional<AskedProblem>> plain =
        unshuffled == nullptr ? asked : unshuffled->Next();
    if (!asked.ok()) {
      // The same error twice is the file's, not the row's: nothing follows.
      const std::string error(asked.status().message());
      if (error == last_error) break;
      checker.AddRowError(asked.status());
      last_error = error;
      continue;
    }
    if (!asked->has_value()) break;
    RETURN_IF_ERROR(plain.status());
    CHECK(plain->has_value());  // the same rows pass the same filter
    RETURN_IF_ERROR(checker.Add(**asked, **plain));
  }
  return checker.Finish();
}

}  // namespace assay
