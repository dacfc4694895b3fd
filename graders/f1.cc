// The grader `f1`: DROP's exact match and bag-of-words F1, the best over all annotations.
#include <algorithm>

#include "graders/spans/drop.h"
#include "harness/grader.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

struct F1Options {
  std::string separator = "|";   // between annotations in a text
  std::string answer_separator;  // between spans in the answer; empty: the answer is one span
  std::string annotations;       // the row's field that holds them; empty: the reference
};

absl::StatusOr<std::string> ReadText(const Json& options, std::string_view name,
                                     std::string otherwise) {
  const Json* value = options.Find(name);
  if (value == nullptr) return otherwise;
  if (value->is_string()) return value->AsString();
  return InvalidArgument("grader 'f1': option '%s': expected text, found %s", std::string(name),
                         std::string(KindName(*value)));
}

absl::StatusOr<F1Options> ReadOptions(const Json& json, const std::vector<std::string>& known) {
  if (!json.is_null() && !json.is_object()) {
    return InvalidArgument("grader 'f1': options: expected an object, found %s",
                           std::string(KindName(json)));
  }
  for (size_t i = 0; i < json.size(); ++i) {
    const std::string& name = json.AsMembers()[i].first;
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    return InvalidArgument("grader 'f1': unknown option '%s'%s (known: %s)", name,
                           DidYouMean(name, known), Join(known, ", "));
  }
  F1Options options;
  ASSIGN_OR_RETURN(options.separator, ReadText(json, "separator", "|"));
  ASSIGN_OR_RETURN(options.answer_separator, ReadText(json, "answer_separator", ""));
  ASSIGN_OR_RETURN(options.annotations, ReadText(json, "annotations", ""));
  return options;
}

// Pieces without the blanks around them; an empty separator cuts nothing.
std::vector<std::string> Pieces(std::string_view text, const std::string& separator) {
  std::vector<std::string> pieces;
  while (true) {
    const size_t at = separator.empty() ? text.npos : text.find(separator);
    pieces.emplace_back(Trim(text.substr(0, at)));
    if (at == text.npos) return pieces;
    text.remove_prefix(at + separator.size());
  }
}

absl::StatusOr<std::vector<spans::Spans>> References(const Problem& problem,
                                                     const F1Options& options) {
  const Json reference(problem.reference);
  const Json* field = &reference;
  if (!options.annotations.empty()) {
    field = problem.row.Find(options.annotations);
    if (field == nullptr) {
      return InvalidArgument("problem '%s': the row has no field '%s'", problem.id,
                             options.annotations);
    }
  }
  std::vector<spans::Spans> references;
  if (field->is_string()) {
    for (std::string& text : Pieces(field->AsString(), options.separator)) {
      if (!text.empty()) references.push_back({std::move(text)});
    }
  } else {
    const Json all = field->is_array() ? *field : Json(Json::Array{*field});
    for (const Json& annotation : all.AsArray()) {
      absl::StatusOr<spans::Spans> read = spans::AnnotationFromJson(annotation);
      if (!read.ok()) {
        return Annotate(read.status(), absl::StrFormat("problem '%s': field '%s'", problem.id,
                                                       options.annotations));
      }
      references.push_back(*std::move(read));
    }
  }
  if (!references.empty()) return references;
  return InvalidArgument("problem '%s': no reference answer", problem.id);
}

absl::StatusOr<Verdict> Grade(const Problem& problem, std::string_view answer,
                              const F1Options& options) {
  ASSIGN_OR_RETURN(const std::vector<spans::Spans> references, References(problem, options));
  const spans::Spans mine = Pieces(answer, options.answer_separator);
  const spans::Measures best = spans::BestMeasure(mine, references);
  Verdict verdict;
  verdict.outcome = best.exact_match == 1 ? Outcome::kCorrect : Outcome::kIncorrect;
  verdict.score = best.f1;
  verdict.why = absl::StrFormat(
      "F1 %.2f, %s: '%s' against '%s'%s", 100 * best.f1,
      best.exact_match == 1 ? "exact" : "not exact", Shorten(Join(mine, "; "), 60),
      Shorten(Join(references[0], "; "), 60),
      references.size() > 1 ? absl::StrFormat(" and %d others", references.size() - 1) : "");
  verdict.detail = Json::MakeObject(
      {{"measures", Json::MakeObject({{"exact_match", best.exact_match}, {"f1", best.f1}})}});
  return verdict;
}

}  // namespace

Grader F1Grader() {
  Grader grader;
  grader.name = "f1";
  grader.about = "DROP's bag-of-words F1 as the score; correct where a reference matches exactly";
  grader.options = {"separator", "answer_separator", "annotations"};
  grader.reads_row = true;
  grader.bind = [known = grader.options](const Json& json) -> absl::StatusOr<BoundGrader> {
    ASSIGN_OR_RETURN(const F1Options options, ReadOptions(json, known));
    BoundGrader bound;
    bound.grade = [options](const Problem& problem, const Completion&,
                            const Extraction& extraction) {
      return Grade(problem, extraction.answer.value_or(""), options);
    };
    bound.same_answer = [](std::string_view a, std::string_view b) {
      return spans::NormalSpan(a) == spans::NormalSpan(b);
    };
    return bound;
  };
  return grader;
}

}  // namespace assay
