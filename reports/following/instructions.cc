// Reads the measures that the grader `instructions` leaves with each verdict.
#include "reports/following/instructions.h"

#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

constexpr std::string_view kTag = "instructions:";

std::optional<double> AskedOf(const ProblemOutcomes& problem) {
  for (const SampleOutcome& sample : problem.samples) {
    if (const auto asked = sample.Measure("instructions")) return asked;
  }
  for (const std::string& tag : problem.tags) {
    if (tag.starts_with(kTag)) return ParseDouble(std::string_view(tag).substr(kTag.size()));
  }
  return std::nullopt;
}

// Nothing where every problem says how many instructions it holds.
absl::Status CheckAsked(const MetricInput& input, const std::string& name) {
  for (const ProblemOutcomes& problem : input.problems) {
    if (problem.samples.empty() || AskedOf(problem)) continue;
    return FailedPrecondition(
        "%s: problem '%s' does not say how many instructions it holds; its grader should be "
        "'instructions'",
        name, problem.id);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<NamedEstimate>> PromptsFollowed(const MetricInput& input,
                                                           std::string_view followed,
                                                           std::string name) {
  RETURN_IF_ERROR(CheckAsked(input, name));
  const std::string measure(followed);
  return OneMean(std::move(name), MeansOverSamples(input, [&](const SampleOutcome& sample) {
                   const auto asked = sample.Measure("instructions");
                   return asked && sample.Measure(measure) == asked ? 1.0 : 0.0;
                 }));
}

absl::StatusOr<std::vector<NamedEstimate>> InstructionsFollowed(const MetricInput& input,
                                                                std::string_view followed,
                                                                std::string name) {
  RETURN_IF_ERROR(CheckAsked(input, name));
  const std::string measure(followed);
  std::vector<RatioTerm> terms = RatioTerms(
      input, [&](const SampleOutcome& sample) { return sample.Measure(measure).value_or(0); },
      [](const SampleOutcome&) { return 0.0; });
  CHECK(terms.size() == input.problems.size());  // a problem without samples has a term of zeros
  double instructions = 0;
  auto term = terms.begin();
  for (const ProblemOutcomes& problem : input.problems) {
    term->denominator = AskedOf(problem).value_or(0) * static_cast<double>(problem.samples.size());
    instructions += term++->denominator;
  }
  if (instructions <= 0) return FailedPrecondition("%s: no graded samples", name);
  return std::vector<NamedEstimate>{{std::move(name), RatioEstimate(terms)}};
}

}  // namespace assay
