// The metrics: right numbers on small inputs done by hand, and plain words where there is none.
#include "harness/metric.h"

#include "harness/registry.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::DoubleEq;
using testing::ElementsAre;
using testing::HasSubstr;

// 'c' correct, 'w' wrong, 'n' no answer, 't' truncated, 'u' undecided; answers: 'c' class 0, 'w'
// and 'u' class 1, or the digit that follows.
ProblemOutcomes Problem(const std::string& id, std::string_view letters) {
  ProblemOutcomes problem;
  problem.id = id;
  for (const char letter : letters) {
    if (letter >= '0' && letter <= '9') {
      problem.samples.back().answer_class = letter - '0';
      continue;
    }
    SampleOutcome sample;
    sample.index = static_cast<int>(problem.samples.size());
    switch (letter) {
      case 'c':
        sample = {sample.index, Outcome::kCorrect, 1, 0};
        break;
      case 'w':
        sample = {sample.index, Outcome::kIncorrect, 0, 1};
        break;
      case 'n':
        sample = {sample.index, Outcome::kNoAnswer, 0, -1};
        break;
      case 't':
        sample = {sample.index, Outcome::kTruncated, 0, -1};
        break;
      default:
        sample = {sample.index, Outcome::kUndecided, 0, 1};
    }
    problem.samples.push_back(sample);
  }
  return problem;
}

MetricInput Input(const std::vector<std::string>& problems) {
  MetricInput input;
  for (const std::string& letters : problems) {
    input.problems.push_back(Problem("p" + std::to_string(input.problems.size()), letters));
  }
  return input;
}

absl::StatusOr<std::vector<NamedEstimate>> Compute(const std::string& asked,
                                                   const MetricInput& input) {
  const absl::StatusOr<const Metric*> metric = FindMetric(asked);
  if (!metric.ok()) return metric.status();
  return (*metric)->compute(input, asked);
}

// "name=value" of each estimate.
std::vector<std::string> Shown(const absl::StatusOr<std::vector<NamedEstimate>>& estimates) {
  if (!estimates.ok()) return {std::string(estimates.status().message())};
  std::vector<std::string> shown;
  for (const NamedEstimate& one : *estimates) {
    char text[32];
    std::snprintf(text, sizeof(text), "%.6g", one.estimate.value());
    shown.push_back(one.name + "=" + text);
  }
  return shown;
}

TEST(Metrics, PassAt1IsTheMeanOverProblems) {
  EXPECT_THAT(Shown(Compute("pass@1", Input({"cc", "cw", "nt", "w"}))),
              ElementsAre("pass@1=0.375"));
}

TEST(Metrics, UndecidedCountsAsNothingWhateverItsScore) {
  ProblemOutcomes undecided = Problem("p0", "u");
  undecided.samples[0].score = 0.9;
  MetricInput input;
  input.problems = {undecided, Problem("p1", "c")};
  EXPECT_THAT(Shown(Compute("pass@1", input)), ElementsAre("pass@1=0.5"));
  EXPECT_THAT(Shown(Compute("undecided", input)),
              ElementsAre("undecided=0.5", "accuracy_if_undecided_right=1"));
}

TEST(Metrics, ClustersWidenTheInterval) {
  const MetricInput input = Input({"cc", "cc", "cc", "ww", "ww", "ww", "cw", "cw", "cc", "wc"});
  ASSERT_OK_AND_ASSIGN(const auto alone, Compute("pass@1", input));
  MetricInput passages;
  for (ProblemOutcomes problem : input.problems) {
    problem.cluster = "passage " + std::to_string(passages.problems.size() / 3);
    passages.problems.push_back(problem);
  }
  ASSERT_OK_AND_ASSIGN(const auto clustered, Compute("pass@1", passages));
  EXPECT_DOUBLE_EQ(clustered[0].estimate.value(), alone[0].estimate.value());
  EXPECT_GT(clustered[0].estimate.standard_error(), 1.3 * alone[0].estimate.standard_error());
  EXPECT_THAT(clustered[0].estimate.method(), HasSubstr("4 clusters"));
}

TEST(Metrics, PassAtKByHand) {
  // Of 4 samples 1 is right: C(3,2)/C(4,2) = 1/2 of the pairs miss it. Of 4 samples 2: 5/6.
  const MetricInput input = Input({"cwww", "ccnt"});
  EXPECT_THAT(Shown(Compute("pass@2", input)), ElementsAre("pass@2=0.666667"));
  EXPECT_THAT(Shown(Compute("pass@k", input)),
              ElementsAre("pass@1=0.375", "pass@2=0.666667", "pass@4=1"));
  EXPECT_THAT(Shown(Compute("pass^2", input)), ElementsAre("pass^2=0.0833333"));
}

TEST(Metrics, AloneGoesUpToTheFewestSamples) {
  EXPECT_THAT(Shown(Compute("pass@k", Input({"ccccc", "cwc", "cwcw"}))),
              ElementsAre("pass@1=0.722222", "pass@2=0.944444"));
}

TEST(Metrics, MoreThanWereDrawnIsAnErrorThatNamesTheProblem) {
  const absl::Status status = Compute("pass@4", Input({"cccc", "cwc"})).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("'p1' has 3 graded samples"));
}

TEST(Metrics, ConsensusCountsAnswersNotStrings) {
  // Three right answers that share a class beat two wrong ones; a tie is shared.
  const MetricInput input = Input({"cccw1w1", "ccw1w1n"});
  EXPECT_THAT(Shown(Compute("cons@5", input)), ElementsAre("cons@5=0.75"));
  EXPECT_THAT(Shown(Compute("maj@5", input)), ElementsAre("maj@5=0.75"));
  EXPECT_THAT(Shown(Compute("cons@1", input)), ElementsAre("cons@1=0.5"));
}

TEST(Metrics, ConsensusOfOnlyInvalidSamplesIsWrong) {
  EXPECT_THAT(Shown(Compute("cons@4", Input({"nntt", "cntt"}))), ElementsAre("cons@4=0.5"));
}

TEST(Metrics, ConsensusWantsItsClasses) {
  MetricInput input = Input({"cccc"});
  input.answer_classes = false;
  EXPECT_THAT(Shown(Compute("cons@4", input)), ElementsAre(HasSubstr("without their classes")));
}

TEST(Metrics, GPassByHand) {
  // Of 4 samples 3 are right. At k = 2: both right in 3 of 6 pairs, one at least in all.
  const MetricInput input = Input({"cccw"});
  EXPECT_THAT(Shown(Compute("g-pass@2_0.5", input)), ElementsAre("g-pass@2_0.5=1"));
  EXPECT_THAT(Shown(Compute("G-Pass@2_1.0", input)), ElementsAre("g-pass@2_1.0=0.5"));
  EXPECT_THAT(Shown(Compute("g-pass@4", input)), ElementsAre("g-pass@4_0.25=1", "g-pass@4_0.5=1",
                                                             "g-pass@4_0.75=1", "g-pass@4_1.0=0"));
  // 2/4 * (P(>= 3 of 4) + P(>= 4 of 4)) = 1/2.
  EXPECT_THAT(Shown(Compute("mg-pass@k", input)), ElementsAre("mg-pass@4=0.5"));
  EXPECT_THAT(Shown(Compute("mg-pass@1", input)), ElementsAre(HasSubstr("two samples")));
  EXPECT_THAT(Shown(Compute("g-pass@4_1.5", input)), ElementsAre(HasSubstr("(0, 1]")));
}

TEST(Metrics, TruncationWithItsBounds) {
  EXPECT_THAT(
      Shown(Compute("truncated", Input({"cctt", "cwwt", "cccc"}))),
      ElementsAre("truncated=0.25", "accuracy_among_finished=0.777778",
                  "accuracy_if_truncated_wrong=0.583333", "accuracy_if_truncated_right=0.833333"));
}

TEST(Metrics, AllTruncatedHasNoAccuracyAmongFinished) {
  EXPECT_THAT(
      Shown(Compute("truncated", Input({"tt", "t"}))),
      ElementsAre("truncated=1", "accuracy_if_truncated_wrong=0", "accuracy_if_truncated_right=1"));
}

// Every metric: no sample gives an error and no number; any mixture gives intervals that hold the
// value and have a width.
TEST(Metrics, NoneGivesANumberWithoutAnInterval) {
  for (const Metric& metric : MetricEntries()) {
    EXPECT_FALSE(metric.about.empty()) << metric.name;
    EXPECT_FALSE(metric.compute(MetricInput(), metric.name).ok()) << metric.name;
    MetricInput empty_problem;
    empty_problem.problems.push_back(ProblemOutcomes());
    EXPECT_FALSE(metric.compute(empty_problem, metric.name).ok()) << metric.name;
    for (const std::vector<std::string>& problems : std::vector<std::vector<std::string>>{
             {"cc"}, {"ww"}, {"cw"}, {"tt", "nn"}, {"cc", "cc", "cc"}, {"cwtnuccw", "cccc"}}) {
      MetricInput input;
      for (ProblemOutcomes problem : Input(problems).problems) {
        problem.tags = {"rating:1600"};
        for (SampleOutcome& sample : problem.samples) {
          sample.measures = {{"f1", sample.score},
                             {"exact_match", sample.score},
                             {"instructions", 1},
                             {"strict", sample.score},
                             {"loose", sample.score}};
        }
        input.problems.push_back(problem);
      }
      ASSERT_OK_AND_ASSIGN(const auto estimates, metric.compute(input, metric.name));
      EXPECT_FALSE(estimates.empty());
      for (const NamedEstimate& one : estimates) {
        const std::string what = one.name + " " + EstimateToJson(one.estimate).Dump();
        EXPECT_LE(one.estimate.low(), one.estimate.value()) << what;
        EXPECT_GE(one.estimate.high(), one.estimate.value()) << what;
        EXPECT_GT(one.estimate.high() - one.estimate.low(), 0.01) << what;
        EXPECT_GT(one.estimate.standard_error(), 0) << what;
      }
    }
  }
}

TEST(Metrics, AMeasureThatNoVerdictHoldsIsAnErrorThatNamesTheGrader) {
  for (const char* name : {"f1", "exact_match"}) {
    const auto found = Compute(name, Input({"cw", "cc"}));
    ASSERT_FALSE(found.ok());
    EXPECT_THAT(std::string(found.status().message()), testing::HasSubstr("should be 'f1'"));
  }
}

TEST(FindMetric, ExactNamesComeBeforeFamilies) {
  const auto name = [](std::string_view asked) {
    const absl::StatusOr<const Metric*> metric = FindMetric(asked);
    return metric.ok() ? (*metric)->name : std::string(metric.status().message());
  };
  EXPECT_EQ(name("pass@1"), "pass@1");
  EXPECT_EQ(name("pass@8"), "pass@k");
  EXPECT_EQ(name("pass@k"), "pass@k");
  EXPECT_EQ(name("Pass@10"), "pass@k");
  EXPECT_EQ(name("pass^2"), "pass^k");
  EXPECT_EQ(name("maj@64"), "cons@k");
  EXPECT_EQ(name("g-pass@16_0.5"), "g-pass@k");
  EXPECT_EQ(name("mG-Pass@16"), "mg-pass@k");
  EXPECT_EQ(name("truncated"), "truncated");
}

TEST(FindMetric, WrongNamesAreToldTheNearest) {
  for (const std::string_view wrong : {"pass", "truncated@4", "pas@k", "", "@8", "k"}) {
    EXPECT_EQ(FindMetric(wrong).status().code(), absl::StatusCode::kNotFound) << wrong;
  }
  EXPECT_THAT(std::string(FindMetric("pas@k").status().message()),
              HasSubstr("did you mean 'pass@k'"));
  for (const std::string_view wrong : {"pass@0", "pass@x", "pass@-1", "pass@", "cons@1.5"}) {
    EXPECT_THAT(std::string(FindMetric(wrong).status().message()), HasSubstr("positive number"))
        << wrong;
  }
}

TEST(Metrics, NothingMayFollowTheNumber) {
  EXPECT_THAT(Shown(Compute("pass@2_0.5", Input({"cw"}))), ElementsAre(HasSubstr("'_0.5'")));
}

}  // namespace
}  // namespace assay
