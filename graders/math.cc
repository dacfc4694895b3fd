// The grader `math`: a thin plug around the checker in graders/rational/.
//
// Version 1 decides plain numbers; what it cannot read it calls Undecided, never wrong.
#include "graders/rational/compare.h"
#include "harness/grader.h"
#include "harness/status.h"

namespace assay {
namespace {

Verdict ToVerdict(RationalVerdict decided) {
  Verdict verdict;
  verdict.outcome = decided.outcome;
  verdict.score = decided.outcome == Outcome::kCorrect ? 1 : 0;
  verdict.why = std::move(decided.why);
  verdict.detail = Json::MakeObject({{"tier", std::move(decided.tier)}});
  return verdict;
}

}  // namespace

Grader MathGrader() {
  Grader grader;
  grader.name = "math";
  grader.version = 1;
  grader.about = "the same number, proved with exact rationals; undecided where that cannot tell";
  grader.bind = [](const Json& options) -> absl::StatusOr<BoundGrader> {
    if (!options.is_null() && (!options.is_object() || options.size() > 0)) {
      return InvalidArgument("grader 'math': it has no options, found %s", options.Dump());
    }
    BoundGrader bound;
    bound.grade = [](const Problem& problem, const Completion&,
                     const Extraction& extraction) -> absl::StatusOr<Verdict> {
      return ToVerdict(CompareAnswers(problem.reference, extraction.answer.value_or("")));
    };
    bound.same_answer = SameAnswer;
    return bound;
  };
  return grader;
}

}  // namespace assay
