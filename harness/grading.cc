// Truncated, no answer, or the grader's word: in that order.
#include "harness/grading.h"

#include "harness/registry.h"
#include "harness/status.h"

namespace assay {
namespace {

Verdict WithoutGrader(Outcome outcome, std::string why) {
  Verdict verdict;
  verdict.outcome = outcome;
  verdict.why = std::move(why);
  return verdict;
}

std::string WhyTruncated(const Completion& completion) {
  if (completion.finish == FinishReason::kLength) return "cut off at the token limit";
  return "the reasoning never ended";
}

// What a filter left of a reply is no answer of the model's, whatever stands in it.
bool IsBlocked(const Completion& completion) {
  return completion.finish == FinishReason::kContentFilter;
}

absl::StatusOr<Verdict> Judge(const TaskGrading& grading, const Problem& problem,
                              const Sample& sample) {
  if (sample.completion.truncated()) {
    return WithoutGrader(Outcome::kTruncated, WhyTruncated(sample.completion));
  }
  if (IsBlocked(sample.completion)) {
    return WithoutGrader(Outcome::kNoAnswer, "the server's content filter ended the reply");
  }
  if (!grading.reads_whole_completion && !sample.extraction.answer) {
    return WithoutGrader(Outcome::kNoAnswer, "no rule of the extractor found an answer");
  }
  return grading.bound.grade(problem, sample.completion, sample.extraction);
}

}  // namespace

absl::StatusOr<TaskGrading> BindGrading(std::string_view extractor, const Json& extract_options,
                                        std::string_view grader, const Json& grader_options) {
  ASSIGN_OR_RETURN(const Extractor* found_extractor, FindExtractor(extractor));
  ASSIGN_OR_RETURN(const Grader* found_grader, FindGrader(grader));
  TaskGrading grading;
  grading.grader = found_grader->name;
  grading.grader_version = found_grader->version;
  grading.reads_whole_completion = found_grader->reads_whole_completion;
  ASSIGN_OR_RETURN(grading.extract, found_extractor->bind(extract_options));
  ASSIGN_OR_RETURN(grading.bound, found_grader->bind(grader_options));
  return grading;
}

absl::Status GradeSample(const TaskGrading& grading, const Problem& problem, Sample* sample) {
  sample->extraction = Extraction();
  if (!sample->completion.truncated() && !IsBlocked(sample->completion)) {
    sample->extraction = grading.extract(sample->completion.answer, problem);
  }
  ASSIGN_OR_RETURN(sample->verdict, Judge(grading, problem, *sample));
  sample->verdict.grader = grading.grader;
  sample->verdict.grader_version = grading.grader_version;
  CHECK(sample->verdict.score >= 0 && sample->verdict.score <= 1);
  return absl::OkStatus();
}

}  // namespace assay
