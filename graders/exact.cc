// The grader `exact`: equal after normalising text.
#include "harness/grader.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay {

Grader ExactGrader() {
  Grader grader;
  grader.name = "exact";
  grader.about = "equal text after trimming";
  grader.bind = [](const Json&) -> absl::StatusOr<BoundGrader> {
    BoundGrader bound;
    bound.grade = [](const Problem& problem, const Completion&,
                     const Extraction& extraction) -> absl::StatusOr<Verdict> {
      Verdict verdict;
      const bool equal = Trim(extraction.answer.value_or("")) == Trim(problem.reference);
      verdict.outcome = equal ? Outcome::kCorrect : Outcome::kIncorrect;
      verdict.score = equal ? 1 : 0;
      return verdict;
    };
    return bound;
  };
  return grader;
}

}  // namespace assay
