// The report's numbers and sentences, on runs whose every figure is known by hand.
#include "reports/report.h"

#include <filesystem>

#include "absl/strings/str_format.h"
#include "harness/text.h"
#include "reports/show.h"
#include "tests/report_runs.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing_support::ProgramEnd;
using testing_support::ReportRunSpec;
using testing_support::RunAssay;
using testing_support::WriteReportRun;

std::vector<std::string> Repeated(const std::string& outcomes, int times) {
  return std::vector<std::string>(static_cast<size_t>(times), outcomes);
}

class Reports : public testing::Test {
 protected:
  absl::StatusOr<Report> Load(const std::vector<std::string>& runs, ReportOptions options = {}) {
    if (store_ == nullptr) {
      absl::StatusOr<std::unique_ptr<Store>> store = Store::Open(database_, StoreMode::kReadOnly);
      if (!store.ok()) return store.status();
      store_ = *std::move(store);
    }
    std::vector<ReportInput> inputs;
    for (const std::string& run : runs) {
      absl::StatusOr<RunSummary> found = store_->FindRun(run);
      if (!found.ok()) return found.status();
      inputs.push_back({store_.get(), *std::move(found)});
    }
    return LoadReport(std::move(inputs), options);
  }

  testing_support::TemporaryDirectory directory_;
  std::string database_ = directory_.Path("runs.db");
  std::unique_ptr<Store> store_;
};

TEST_F(Reports, ABetterRunIsSaidToBe) {
  // B is right on all that A is, and on 12 of A's 20 failures.
  std::vector<std::string> a = Repeated("CC", 10), b = Repeated("CC", 10);
  for (int i = 0; i < 20; ++i) {
    a.push_back("II");
    b.push_back(i < 12 ? "CC" : "II");
  }
  WriteReportRun(database_, {.name = "a", .outcomes = a});
  WriteReportRun(database_, {.name = "b", .outcomes = b});
  ASSERT_OK_AND_ASSIGN(const Report report, Load({"a", "b"}));
  ASSERT_THAT(report.verdicts, SizeIs(1));
  EXPECT_THAT(report.verdicts[0], AllOf(HasSubstr("B is better than A on sums by 40.0 points (95 % "
                                                  "interval [+"),
                                        HasSubstr("p = 0.0001")));
  EXPECT_THAT(report.notes, IsEmpty());
  // The other way round it is the same, said of the other.
  ASSERT_OK_AND_ASSIGN(const Report turned, Load({"b", "a"}));
  EXPECT_THAT(turned.verdicts[0], HasSubstr("B is worse than A on sums by 40.0 points"));
}

TEST_F(Reports, NoDifferenceIsNoClaim) {
  WriteReportRun(database_, {.name = "a", .outcomes = {"CC", "CI", "II", "CC"}});
  WriteReportRun(database_, {.name = "b", .outcomes = {"CC", "CC", "II", "CI"}});
  ASSERT_OK_AND_ASSIGN(const Report report, Load({"a", "b"}));
  EXPECT_THAT(report.verdicts[0], AllOf(HasSubstr("no difference between A and B can be seen"),
                                        HasSubstr("would be missed"), Not(HasSubstr("better"))));
}

TEST_F(Reports, WhatIsNotTheSameIsSaidFirst) {
  WriteReportRun(database_, {.name = "a", .outcomes = {"C", "I"}});
  WriteReportRun(
      database_,
      {.name = "b", .outcomes = {"C", "C"}, .sampling = Json::MakeObject({{"max_tokens", 2000}})});
  ASSERT_OK_AND_ASSIGN(const Report report, Load({"a", "b"}));
  EXPECT_THAT(report.notes,
              ElementsAre(AllOf(HasSubstr("NOT THE SAME"), HasSubstr("max_tokens: 1000"))));
  EXPECT_THAT(ReportToMarkdown(report), HasSubstr("max_tokens"));
}

TEST_F(Reports, AllComparisonsAreAdjustedForTogether) {
  WriteReportRun(database_, {.name = "a", .outcomes = {"C", "I", "I", "I", "C", "C"}});
  WriteReportRun(database_, {.name = "b", .outcomes = {"C", "C", "C", "I", "C", "C"}});
  WriteReportRun(database_, {.name = "c", .outcomes = {"C", "C", "C", "C", "I", "C"}});
  ASSERT_OK_AND_ASSIGN(const Report two, Load({"a", "b"}));
  ASSERT_OK_AND_ASSIGN(const Report three, Load({"a", "b", "c"}));
  EXPECT_THAT(three.comparisons, SizeIs(2));
  const TaskComparison& alone = two.comparisons[0].tasks[0];
  const TaskComparison& among = three.comparisons[0].tasks[0];
  EXPECT_DOUBLE_EQ(alone.p_holm, alone.paired.p);
  EXPECT_DOUBLE_EQ(among.paired.p, alone.paired.p);
  EXPECT_NEAR(among.p_holm, std::min(1.0, 2 * among.paired.p), 1e-12);
  // Wherever a p is told that is not its own question's alone, both are.
  const auto told = [](const Report& report) {
    return Split(ReplaceAll(ReportToMarkdown(report), "p (Holm)", "\x01"), '\x01').size() - 1;
  };
  EXPECT_EQ(told(two), 0u);
  EXPECT_EQ(told(three), 2u);
}

TEST_F(Reports, AnyRunMayBeTheBaseline) {
  WriteReportRun(database_, {.name = "s-1", .outcomes = {"C", "I", "I", "I"}});
  WriteReportRun(database_, {.name = "s-2", .outcomes = {"C", "C", "I", "I"}});
  WriteReportRun(database_, {.name = "s-3", .outcomes = {"C", "C", "C", "I"}});
  ASSERT_OK_AND_ASSIGN(const Report report,
                       Load({"s-1", "s-2", "s-3"}, {.x = "10,20,30", .baseline = 1}));
  std::vector<std::string> runs;
  for (const RunReport& run : report.runs) {
    runs.push_back(absl::StrFormat("%s %s %g", run.letter, run.input.run.manifest.name, *run.x));
  }
  // The numbers of --x stay with the runs that they were given for.
  EXPECT_THAT(runs, ElementsAre("A s-2 20", "B s-1 10", "C s-3 30"));
  ASSERT_THAT(report.comparisons, SizeIs(2));
  EXPECT_NEAR(report.comparisons[0].tasks[0].paired.difference->value(), -0.25, 1e-12);
  EXPECT_NEAR(report.comparisons[1].tasks[0].paired.difference->value(), 0.25, 1e-12);
}

TEST_F(Reports, TheCommandsTakeABaseline) {
  WriteReportRun(database_, {.name = "old", .outcomes = {"C", "I", "I", "I"}});
  WriteReportRun(database_, {.name = "new", .outcomes = {"C", "C", "I", "I"}});
  WriteReportRun(database_, {.name = "other", .outcomes = {"C", "C", "C", "I"}});
  const auto difference = [&](std::vector<std::string> words, bool report) {
    words.insert(words.end(), {"--db", database_});
    const ProgramEnd end = RunAssay(words);
    EXPECT_EQ(end.status, 0) << end.err;
    const absl::StatusOr<Json> json = ParseJson(end.out);
    EXPECT_OK(json.status());
    const Json& of = report ? json->Find("comparisons")->AsArray()[0] : *json;
    return *of.Find("tasks")->AsArray()[0].Find("difference")->FindNumber("value");
  };
  EXPECT_NEAR(difference({"report", "old", "new", "--format", "json"}, true), 0.25, 1e-12);
  EXPECT_NEAR(difference({"report", "old", "new", "--baseline", "new", "--format", "json"}, true),
              -0.25, 1e-12);
  // One that is not among the runs is added to them.
  EXPECT_NEAR(difference({"report", "new", "--baseline", "old", "--format", "json"}, true), 0.25,
              1e-12);
  EXPECT_NEAR(difference({"compare", "old", "new", "--json"}, false), 0.25, 1e-12);
  EXPECT_NEAR(difference({"compare", "old", "new", "--baseline", "old", "--json"}, false), 0.25,
              1e-12);
  EXPECT_NEAR(difference({"compare", "old", "new", "--baseline", "new", "--json"}, false), -0.25,
              1e-12);
  const ProgramEnd neither =
      RunAssay({"compare", "old", "new", "--baseline", "other", "--db", database_});
  EXPECT_EQ(neither.status, 1);
  EXPECT_THAT(neither.err, HasSubstr("expected one of the two runs"));
  const ProgramEnd nobody =
      RunAssay({"report", "old", "--baseline", "nobody", "--db", database_, "-o", "-"});
  EXPECT_EQ(nobody.status, 1);
  EXPECT_THAT(nobody.err, HasSubstr("there is no run 'nobody'"));
}

TEST_F(Reports, OneIsOne) {
  WriteReportRun(database_, {.name = "a", .outcomes = {"C"}});
  ASSERT_OK_AND_ASSIGN(const Report one, Load({"a"}));
  EXPECT_THAT(one.verdicts[0], HasSubstr("(1 problem x 1 sample)"));
  store_ = nullptr;
  WriteReportRun(database_, {.name = "b", .outcomes = {"CCC", "IC-"}});
  ASSERT_OK_AND_ASSIGN(const Report more, Load({"b"}));
  EXPECT_THAT(more.verdicts[0], HasSubstr("1 of 6 samples is missing"));
}

TEST_F(Reports, MissingSamplesGiveBoundsAndNoNumber) {
  WriteReportRun(database_, {.name = "a", .outcomes = {"CC", "C-", "II"}});
  ASSERT_OK_AND_ASSIGN(const Report report, Load({"a"}));
  EXPECT_THAT(report.verdicts[0],
              AllOf(HasSubstr("1 of 6 samples is missing"), HasSubstr("[50.0, 66.7]")));
  const Json json = ReportToJson(report);
  const Json& task = json.Find("runs")->AsArray()[0].Find("tasks")->AsArray()[0];
  EXPECT_EQ(task.Find("table")->size(), 0u);
  EXPECT_THAT(ReportToCsv(report), AllOf(HasSubstr("bound,"), Not(HasSubstr("estimate,"))));
  ASSERT_OK_AND_ASSIGN(const Report partial, Load({"a"}, {.allow_partial = true}));
  EXPECT_THAT(partial.verdicts[0], HasSubstr("(partial)"));
  EXPECT_THAT(ReportToCsv(partial), AllOf(HasSubstr("partial,"), Not(HasSubstr("estimate,"))));
}

TEST_F(Reports, NoVerdictWhereSamplesAreMissing) {
  // All that is there says that b is better; one sample of it is not there.
  WriteReportRun(database_, {.name = "a", .outcomes = {"II", "II", "II", "II", "II", "II", "II"}});
  WriteReportRun(database_, {.name = "b", .outcomes = {"CC", "CC", "CC", "CC", "CC", "CC", "C-"}});
  ASSERT_OK_AND_ASSIGN(const Report report, Load({"a", "b"}));
  EXPECT_THAT(report.verdicts[0], AllOf(HasSubstr("No verdict on sums: samples are missing."),
                                        Not(HasSubstr("better"))));
  EXPECT_EQ(report.comparisons[0].tasks[0].paired.b_right_a_wrong.size(), 6u);
  EXPECT_EQ(report.comparisons[0].tasks[0].majority.only_b, 6);
  store_ = nullptr;
  WriteReportRun(database_, {.name = "c", .outcomes = {"CC", "CC", "CC", "CC", "CC", "CC", "CI"}});
  ASSERT_OK_AND_ASSIGN(const Report whole, Load({"a", "c"}));
  EXPECT_THAT(whole.verdicts[0], AllOf(HasSubstr("better"), Not(HasSubstr("No verdict"))));
}

TEST_F(Reports, FormsAndCommandsGiveTheSameNumbers) {
  WriteReportRun(database_, {.name = "a", .outcomes = {"CC", "CI", "II", "CC", "IN"}});
  WriteReportRun(database_, {.name = "b", .outcomes = {"CC", "CC", "CI", "CT", "CC"}});
  const auto ask = [&](std::vector<std::string> words) {
    words.insert(words.end(), {"--db", database_});
    const ProgramEnd end = RunAssay(words);
    EXPECT_EQ(end.status, 0) << end.err;
    return end.out;
  };
  ASSERT_OK_AND_ASSIGN(const Json compared, ParseJson(ask({"compare", "a", "b", "--json"})));
  ASSERT_OK_AND_ASSIGN(const Json reported,
                       ParseJson(ask({"report", "a", "b", "--format", "json"})));
  const Json& from_compare = compared.Find("tasks")->AsArray()[0];
  const Json& from_report = reported.Find("comparisons")->AsArray()[0].Find("tasks")->AsArray()[0];
  for (const Json::Member& member : from_compare.AsMembers()) {
    EXPECT_EQ(*from_report.Find(member.first), member.second) << member.first;
  }
  ASSERT_OK_AND_ASSIGN(const Json shown, ParseJson(ask({"show", "b", "--json"})));
  const Json& estimate = *shown.Find("tasks")->AsArray()[0].Find("estimates")->Find("pass@1");
  const Json& in_table =
      reported.Find("runs")->AsArray()[1].Find("tasks")->AsArray()[0].Find("table")->AsArray()[0];
  EXPECT_EQ(*in_table.Find("value"), *estimate.Find("value"));
  EXPECT_EQ(*in_table.Find("low"), *estimate.Find("low"));
  const std::string csv = ask({"report", "a", "b", "--format", "csv"});
  EXPECT_THAT(csv, HasSubstr("," + from_compare.Find("difference")->Find("value")->ToText() + ","));
  EXPECT_THAT(csv, HasSubstr("," + from_compare.Find("p")->ToText() + ","));
  const std::string markdown = ask({"report", "a", "b", "--format", "md"});
  EXPECT_THAT(markdown, AllOf(HasSubstr(*from_report.FindString("shown")),
                              HasSubstr(*in_table.FindString("shown")), HasSubstr("| sums")));
  // Every line of the CSV has every column.
  for (const std::string_view line : SplitLines(csv)) {
    int columns = 1;
    bool quoted = false;
    for (const char c : line) {
      quoted = quoted != (c == '"');
      columns += c == ',' && !quoted ? 1 : 0;
    }
    EXPECT_EQ(columns, 16) << line;
  }
}

// ---- curves ----

TEST_F(Reports, CurvesByHand) {
  // Thinking takes 100 (p + 1) + i tokens, answers 10; truncated at 1000.
  WriteReportRun(database_,
                 {.name = "a", .outcomes = {"CC", "CI", "IT"}, .metrics = {"pass@1", "cons@k"}});
  ASSERT_OK_AND_ASSIGN(const Report report, Load({"a"}));
  const TaskCurves& curves = report.runs[0].tasks[0].curves;
  ASSERT_THAT(curves.pass_at_k, SizeIs(2));
  EXPECT_EQ(curves.pass_at_k[1].x, 2);
  EXPECT_NEAR(curves.pass_at_k[0].y.value(), 0.5, 1e-12);
  EXPECT_NEAR(curves.pass_at_k[1].y.value(), 2.0 / 3, 1e-12);
  // cons@2 of the second problem: 7 against 7, right and wrong of one class each, a tie: 1/2.
  ASSERT_THAT(curves.cons_at_k, SizeIs(2));
  EXPECT_NEAR(curves.cons_at_k[1].y.value(), 0.5, 1e-12);
  EXPECT_EQ(curves.cap, 1000);
  EXPECT_TRUE(curves.thinks);
  ASSERT_TRUE(curves.tokens_per_correct);
  EXPECT_NEAR(curves.tokens_per_correct->value(), (110 + 111 + 210 + 211 + 310 + 1010) / 3.0, 1e-9);
  // Five samples ended: 100, 101, 200, 201, 300; too few for two groups.
  ASSERT_THAT(curves.by_length, SizeIs(1));
  EXPECT_EQ(curves.by_length[0].from, 100);
  EXPECT_EQ(curves.by_length[0].to, 300);
  EXPECT_EQ(curves.by_length[0].samples, 5);
  EXPECT_NEAR(curves.by_length[0].accuracy.value(), 3.0 / 5, 1e-12);
  // Half of the six have ended at 200 tokens.
  EXPECT_EQ(curves.median_length, 200);
}

TEST_F(Reports, AboveTheCapOnlyARangeIsKnown) {
  WriteReportRun(database_, {.name = "a", .outcomes = {"CC", "CI", "IT"}});
  WriteReportRun(database_, {.name = "whole", .outcomes = {"CC", "CI", "II"}});
  ASSERT_OK_AND_ASSIGN(const Report report, Load({"a", "whole"}));
  int beyond = 0;
  for (const BudgetCurvePoint& one : report.runs[0].tasks[0].curves.budgets) {
    if (one.point.budget <= 1010) {
      EXPECT_FALSE(one.if_cut_right) << one.point.budget;
    } else {
      ++beyond;
      ASSERT_TRUE(one.if_cut_right);
      EXPECT_NEAR(one.point.accuracy.value(), 0.5, 1e-12);
      EXPECT_NEAR(one.if_cut_right->value(), 4.0 / 6, 1e-12);
    }
  }
  EXPECT_GT(beyond, 0);
  const std::vector<BudgetCurvePoint>& whole = report.runs[1].tasks[0].curves.budgets;
  EXPECT_TRUE(std::none_of(whole.begin(), whole.end(),
                           [](const auto& one) { return one.if_cut_right.has_value(); }));
  EXPECT_NEAR(whole.back().point.accuracy.value(), 0.5, 1e-12);
  EXPECT_EQ(whole.back().point.budget, 311);
  EXPECT_NEAR(whole.front().point.accuracy.value(), 1.0 / 6, 1e-12);  // only 110 fits
}

TEST_F(Reports, APriceIsGivenOnlyWhereEverySampleHasOne) {
  WriteReportRun(database_, {.name = "a", .outcomes = {"CC", "CI"}, .cost_usd = 0.03});
  ReportRunSpec half = {.name = "b", .outcomes = {"CC", "CI"}, .cost_usd = 0.03};
  half.with_sample = [](StoredSample& stored) {
    if (stored.sample.index == 0) stored.sample.completion.cost_usd.reset();
  };
  WriteReportRun(database_, half);
  ASSERT_OK_AND_ASSIGN(const Report report, Load({"a", "b"}));
  ASSERT_TRUE(report.runs[0].tasks[0].curves.cost_per_correct);
  EXPECT_NEAR(report.runs[0].tasks[0].curves.cost_per_correct->value(), 0.04, 1e-12);
  EXPECT_FALSE(report.runs[1].tasks[0].curves.cost_per_correct);
}

TEST_F(Reports, LengthsAreCountedOnce) {
  WriteReportRun(database_, {.name = "a", .outcomes = {"CC", "CI", "IT", "NN"}});
  ASSERT_OK_AND_ASSIGN(const Report report, Load({"a"}));
  const LengthHistogram& histogram = report.runs[0].tasks[0].curves.histogram;
  int64_t correct = 0, wrong = 0, truncated = 0;
  for (size_t i = 0; i < histogram.correct.size(); ++i) {
    correct += histogram.correct[i];
    wrong += histogram.wrong[i];
    truncated += histogram.truncated[i];
  }
  EXPECT_EQ(histogram.edges.size(), histogram.correct.size() + 1);
  EXPECT_EQ(correct, 3);
  EXPECT_EQ(wrong, 4);
  EXPECT_EQ(truncated, 1);
  EXPECT_GT(histogram.edges.back(), 1000);
}

// ---- the axis of a trend ----

TEST(NumberAfter, FindsTheStep) {
  EXPECT_EQ(NumberAfter("step", "checkpoints/step-500"), 500);
  EXPECT_EQ(NumberAfter("step", "runs/step_1/global_step20/model"), 20);
  EXPECT_EQ(NumberAfter("Step", "my STEP=3.5."), 3.5);
  EXPECT_EQ(NumberAfter("step", "step-12-final"), 12);
  EXPECT_EQ(NumberAfter("step", "stepping stones"), std::nullopt);
  EXPECT_EQ(NumberAfter("step", "model-7b"), std::nullopt);
  EXPECT_EQ(NumberAfter("step", ""), std::nullopt);
}

TEST_F(Reports, TheAxisIsOfNamesOrGiven) {
  WriteReportRun(database_, {.name = "a", .model = "out/step-100", .outcomes = {"C"}});
  WriteReportRun(database_, {.name = "b", .model = "out/step-200", .outcomes = {"C"}});
  WriteReportRun(database_, {.name = "c", .model = "out/final", .outcomes = {"C"}});
  ASSERT_OK_AND_ASSIGN(const Report report, Load({"a", "b"}, {.x = "step"}));
  EXPECT_EQ(report.runs[1].x, 200);
  EXPECT_THAT(Load({"a", "c"}, {.x = "step"}).status().message(), HasSubstr("no number after"));
  ASSERT_OK_AND_ASSIGN(const Report given, Load({"a", "c"}, {.x = "1, 2.5"}));
  EXPECT_EQ(given.runs[1].x, 2.5);
  EXPECT_THAT(Load({"a", "c"}, {.x = "1"}).status().message(), HasSubstr("1 numbers for 2 runs"));
  EXPECT_THAT(Load({"a", "c"}, {.x = "1,x"}).status().message(), HasSubstr("found 'x'"));
}

TEST_F(Reports, PublishedFiguresStandBesideARunOfTheirModel) {
  ASSERT_OK_AND_ASSIGN(const Json published, ParseJson(R"([{"model": "DeepSeek-R1",
      "metric": "pass@1", "value": 79.8, "source": "the paper"}])"));
  WriteReportRun(database_, {.name = "a",
                             .model = "deepseek-ai/DeepSeek-R1",
                             .outcomes = {"CC", "CI"},
                             .reference_results = published});
  WriteReportRun(database_,
                 {.name = "b", .model = "x", .outcomes = {"CC"}, .reference_results = published});
  WriteReportRun(database_, {.name = "c",
                             .model = "DeepSeek-R1",
                             .task = "aime_2024",
                             .outcomes = {"C-"},
                             .reference_results = published});
  ASSERT_OK_AND_ASSIGN(const Report report, Load({"a", "b"}));
  const Json json = ReportToJson(report);
  const Json::Array& runs = json.Find("runs")->AsArray();
  const Json::Array& lines = runs[0].Find("published")->AsArray();
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].FindString("published"), "79.8 (the paper)");
  EXPECT_THAT(ReportToMarkdown(report), HasSubstr("sums, pass@1: published 79.8 (the paper)"));
  EXPECT_EQ(runs[1].Find("published")->size(), 0u) << "another model";
  ASSERT_OK_AND_ASSIGN(const Report as, Load({"b"}, {.published_as = "DeepSeek-R1"}));
  EXPECT_EQ(as.runs[0].published.size(), 1u);
  ASSERT_OK_AND_ASSIGN(const Report partial, Load({"c"}));
  EXPECT_TRUE(partial.runs[0].published.empty()) << "a sample is missing";
  ASSERT_EQ(partial.runs[0].deviations.size(), 1u);
  EXPECT_FALSE(partial.runs[0].deviations[0].lines.empty()) << "two samples, not 64";
}

TEST(Report, ACommandToRunItAgain) {
  RunManifest run;
  EXPECT_EQ(ReproduceCommand(run), "");  // imported
  run.options = Json::MakeObject({{"model", "my model"}, {"limit", 0.5}, {"samples", 4}});
  run.options.Set("tasks", Json(Json::Array{"a", "b"}));
  run.options.Set("base_urls", Json(Json::Array{"http://x/v1"}));
  run.options.Set("sampling", Json::MakeObject({{"max_tokens", 20}, {"top_p", 0.9}}));
  run.seed = 18446744073709551615u;
  EXPECT_EQ(ReproduceCommand(run),
            "assay run --model 'my model' --base-url http://x/v1 --tasks a --tasks b --samples 4 "
            "--limit 0.5 --gen-kwargs max_tokens=20,top_p=0.9 --seed 18446744073709551615");
}

TEST(Report, LettersGoOn) {
  EXPECT_EQ(RunLetter(0), "A");
  EXPECT_EQ(RunLetter(25), "Z");
  EXPECT_EQ(RunLetter(26), "AA");
  EXPECT_EQ(RunLetter(27), "AB");
}

TEST(Report, CsvFieldsAreTextAndNoFormula) {
  EXPECT_EQ(CsvField("plain"), "plain");
  EXPECT_EQ(CsvField("a,b"), "\"a,b\"");
  EXPECT_EQ(CsvField("say \"x\""), "\"say \"\"x\"\"\"");
  EXPECT_EQ(CsvField("=HYPERLINK(1)"), "'=HYPERLINK(1)");
  EXPECT_EQ(CsvField("@x,y"), "\"'@x,y\"");
  EXPECT_EQ(CsvField(""), "");
}

TEST_F(Reports, WrongUseIsNamed) {
  WriteReportRun(database_, {.name = "a", .outcomes = {"C"}});
  const auto complaint = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "report");
    words.insert(words.end(), {"--db", database_, "-o", directory_.Path("out.html")});
    const ProgramEnd end = RunAssay(words);
    EXPECT_NE(end.status, 0);
    return end.err;
  };
  EXPECT_THAT(complaint({"a", "--format", "htm1"}), HasSubstr("did you mean 'html'?"));
  EXPECT_THAT(complaint({"a", "--transcripts", "flip"}), HasSubstr("did you mean 'flips'?"));
  EXPECT_THAT(complaint({"a", "--transcripts", "flips"}), HasSubstr("a flip needs two runs"));
  EXPECT_THAT(complaint({"a", "a"}), HasSubstr("is named twice"));
  EXPECT_THAT(complaint({"a", "--max-mb", "0"}), HasSubstr("--max-mb: expected a number above 0"));
  EXPECT_THAT(complaint({"a", "--tasks", "sum"}), HasSubstr("did you mean 'sums'?"));
  EXPECT_THAT(complaint({"nobody"}), HasSubstr("nobody"));
  EXPECT_FALSE(std::filesystem::exists(directory_.Path("out.html")));
}

}  // namespace
}  // namespace assay
