// Published figures and protocols: read strictly, looked up by a model's name, compared with what a
// run did; and the shipped recipe against the paper's table.
#include "harness/recipe.h"

#include <cmath>
#include <map>
#include <set>

#include "harness/metric.h"
#include "harness/random.h"
#include "harness/reference_results.h"
#include "harness/registry.h"
#include "harness/text.h"
#include "harness/yaml.h"
#include "reports/published.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing_support::ReadWholeFile;
using testing_support::RunAssay;
using testing_support::SharedPath;
using testing_support::SourcePath;
using testing_support::TemporaryDirectory;
using testing_support::WriteWholeFile;

SearchPath Shipped() { return {{SourcePath("tasks")}, {SourcePath("datasets")}}; }

const char kTask[] =
    "name: t\nversion: \"1\"\ndataset: {file: t.jsonl}\nfields: {id: id, reference: answer}\n"
    "prompt: \"{{ question }}\"\nextract: last_line\ngrader: exact\nsamples: 4\n"
    "sampling: {temperature: 0.6, top_p: 0.95, max_tokens: 32768}\n";

// --- reference_results ---

absl::Status LoadWith(const std::string& results) {
  const TemporaryDirectory directory;
  WriteWholeFile(directory.Path("t.yaml"), kTask + results);
  return LoadTasks({}, directory.Path("t.yaml"), {}).status();
}

TEST(ReferenceResults, AreReadStrictly) {
  const std::string sound =
      "reference_results:\n  - {model: M, metric: pass@1, value: 79.8, source: s}\n";
  EXPECT_TRUE(LoadWith(sound).ok()) << LoadWith(sound);
  for (const auto& [from, to, message] : std::vector<std::array<std::string, 3>>{
           {"value: 79.8", "value: many", "reference_results[0].value: expected a number"},
           {"value: 79.8", "value: 798", "expected 0 to 100"},
           {"value: 79.8, ", "", "the key 'value' is missing"},
           {", source: s", "", "the key 'source' is missing"},
           {"metric: pass@1", "metric: pas@1", "pas@1"},
           {"source: s", "sauce: s", "did you mean 'source'"},
           {"value: 79.8", "value: 79.8, unit: points", "expected percent or rating"},
           {"  - {model: M, metric: pass@1, value: 79.8, source: s}", "  none",
            "expected a list"}}) {
    const absl::Status status = LoadWith(ReplaceAll(sound, from, to));
    ASSERT_FALSE(status.ok()) << to;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
    EXPECT_THAT(std::string(status.message()), HasSubstr("t.yaml:1"));  // line 10 or 11
  }
}

TEST(ReferenceResults, ChangeNoHash) {
  const TemporaryDirectory directory;
  const std::string path = directory.Path("t.yaml");
  WriteWholeFile(path, kTask);
  const std::string before = (*LoadTasks({}, path, {}))[0].hash;
  WriteWholeFile(path,
                 std::string(kTask) +
                     "reference_results: [{model: M, metric: pass@1, value: 1, source: s}]\n");
  EXPECT_EQ((*LoadTasks({}, path, {}))[0].hash, before);
}

Json Definition() {
  return *ParseJson(R"({"reference_results": [
    {"model": "DeepSeek-R1", "metric": "pass@1", "value": 79.8, "source": "a"},
    {"model": "DeepSeek-R1", "metric": "pass@1", "value": 79.8, "source": "b"},
    {"model": "DeepSeek-R1-Zero", "metric": "pass@1", "value": 71.0, "source": "a"},
    {"model": "DeepSeek-R1-Zero", "metric": "pass@1", "value": 77.9, "source": "b", "note": "n"},
    {"model": "DeepSeek-R1-Zero", "metric": "codeforces_rating", "value": 1444, "unit": "rating",
     "source": "a"}]})");
}

TEST(ReferenceResults, AModelIsFoundByItsNameAndNoOther) {
  for (const char* name :
       {"DeepSeek-R1", "deepseek-ai/DeepSeek-R1", "deepseek_r1", "x/y/deepseek-r1/"}) {
    EXPECT_EQ(PublishedFor(Definition(), name).size(), 2u) << name;
  }
  for (const char* name : {"", "/", "deepseek", "DeepSeek-R1-0528", "DeepSeek-R10", "R1"}) {
    EXPECT_THAT(PublishedFor(Definition(), name), IsEmpty()) << name;
  }
}

TEST(ReferenceResults, DisagreementsAllStand) {
  EXPECT_EQ(PublishedText(PublishedFor(Definition(), "DeepSeek-R1"), "pass@1"), "79.8 (a; b)");
  const auto zero = PublishedFor(Definition(), "DeepSeek-R1-Zero");
  EXPECT_EQ(PublishedText(zero, "pass@1"), "71.0 (a), 77.9 (b: n)");
  EXPECT_EQ(PublishedText(zero, "codeforces_rating"), "1444 (a)");
  EXPECT_EQ(PublishedText(zero, "cons@64"), "");
}

// --- recipes ---

absl::StatusOr<Recipe> RecipeFrom(const std::string& keys) {
  const TemporaryDirectory directory;
  WriteWholeFile(directory.Path("t.yaml"), kTask);
  WriteWholeFile(directory.Path("s.yaml"), "suite: s\nabout: a\ntasks: [t]\n" + keys);
  return LoadRecipe({{directory.Path()}, {}}, "s");
}

TEST(Recipes, AreReadStrictly) {
  const std::string sound =
      "protocol: {temperature: 0.6, system: none}\nnotes: [one]\n"
      "rows:\n  - {benchmark: B, metric: m, task: t}\n  - {benchmark: C, metric: m, needs: a "
      "judge}\n";
  const absl::StatusOr<Recipe> recipe = RecipeFrom(sound);
  ASSERT_TRUE(recipe.ok()) << recipe.status();
  EXPECT_EQ(recipe->rows.size(), 2u);
  EXPECT_EQ(recipe->rows[1].needs, "a judge");
  for (const auto& [from, to, message] : std::vector<std::array<std::string, 3>>{
           {"temperature", "temprature", "did you mean 'temperature'"},
           {"task: t", "tusk: t", "did you mean 'task'"},
           {"task: t", "note: t", "either task or needs"},
           {"needs: a judge", "needs: x, task: t", "either task or needs"},
           {"notes: [one]", "notes: one", "notes: expected a list"},
           {"protocol: {temperature: 0.6, system: none}\n", "", "it needs the key 'protocol'"}}) {
    const absl::StatusOr<Recipe> wrong = RecipeFrom(ReplaceAll(sound, from, to));
    ASSERT_FALSE(wrong.ok()) << to;
    EXPECT_THAT(std::string(wrong.status().message()), HasSubstr(message));
  }
  EXPECT_THAT(std::string(LoadRecipe(Shipped(), "r2").status().message()),
              HasSubstr("did you mean 'r1'"));
}

TEST(Recipes, DeviationsOfARunAreTold) {
  ASSERT_OK_AND_ASSIGN(const Recipe recipe, LoadRecipe(Shipped(), "r1"));
  ASSERT_OK_AND_ASSIGN(const std::vector<Task> tasks, LoadTasks(Shipped(), "math_500", {}));
  TaskManifest manifest;
  manifest.name = "math_500";
  manifest.definition = tasks[0].definition;
  manifest.definition.Set("reply_prefix", "<think>\n");
  manifest.sampling = SamplingToJson(tasks[0].sampling);
  manifest.samples_per_problem = tasks[0].samples;
  manifest.dataset_sha256 = tasks[0].dataset.sha256;
  RunManifest run;
  EXPECT_THAT(DeviationsFromRecipe(recipe, tasks[0], run, manifest), IsEmpty());

  manifest.sampling.Set("temperature", 0);
  manifest.sampling.Set("max_tokens", 1024);
  manifest.definition.Set("system", "Be brief.");
  manifest.definition.Set("reply_prefix", "");
  manifest.definition.Set("extract", "number");
  manifest.samples_per_problem = 1;
  manifest.dataset_sha256 = "0";
  run.options = Json::MakeObject({{"limit", 20}});
  const std::vector<std::string> told = DeviationsFromRecipe(recipe, tasks[0], run, manifest);
  for (const char* wanted :
       {"temperature 0 instead of 0.6", "max_tokens 1024 instead of 32768", "a system message",
        "not forced to begin with '<think>\\n'", "`extract` is not", "samples of each problem: 1",
        "--limit 20", "not the file"}) {
    EXPECT_THAT(told, Contains(HasSubstr(wanted)));
  }
  EXPECT_EQ(told.size(), 8u);
  manifest.sampling = Json();
  EXPECT_THAT(DeviationsFromRecipe(recipe, tasks[0], run, manifest),
              Contains("how the replies were sampled is not known"));
}

// The benchmark's name in the given table -> the row's task.
const std::map<std::string, std::string>& TableTasks() {
  static const auto* tasks = new std::map<std::string, std::string>{
      {"MMLU", "mmlu"},
      {"MMLU-Redux", "mmlu_redux_zero_eval"},
      {"MMLU-Pro", "mmlu_pro"},
      {"DROP", "drop"},
      {"IFEval", "ifeval"},
      {"GPQA-Diamond", "gpqa_diamond"},
      {"LiveCodeBench", "livecodebench_2024_08_2025_01"},
      {"LiveCodeBench 2024-08..2025-01", "livecodebench_2024_08_2025_01"},
      {"Codeforces", "codeforces"},
      {"AIME 2024", "aime_2024"},
      {"MATH-500", "math_500"},
      {"CNMO 2024", "cnmo_2024"},
      {"CLUEWSC", "cluewsc"},
      {"C-Eval", "ceval"}};
  return *tasks;
}

TEST(Recipes, EveryFigureOfThePapersTableIsInItsTask) {
  SKIP_WITHOUT_SHARED("vectors/r1_paper_table.json");
  ASSERT_OK_AND_ASSIGN(const Json table,
                       ParseJson(ReadWholeFile(SharedPath("vectors/r1_paper_table.json"))));
  std::map<std::string, std::vector<ReferenceResult>> by_task;
  std::set<std::string> not_yet;
  int found = 0;
  for (const Json& row : table.Find("rows")->AsArray()) {
    const std::string benchmark = *row.FindString("benchmark");
    const auto task = TableTasks().find(benchmark);
    if (task == TableTasks().end()) {
      not_yet.insert(benchmark);
      continue;
    }
    if (row.FindString("metric") == "percentile") continue;
    if (!by_task.contains(task->second)) {
      ASSERT_OK_AND_ASSIGN(const std::vector<Task> loaded, LoadTasks(Shipped(), task->second, {}));
      by_task[task->second] = ReferenceResultsOf(loaded[0].definition);
    }
    bool there = false;
    for (const ReferenceResult& result : by_task[task->second]) {
      there = there || (result.model == row.FindString("model") &&
                        std::abs(result.value - *row.FindNumber("value")) < 1e-9);
    }
    EXPECT_TRUE(there) << row.Dump();
    found += there ? 1 : 0;
  }
  EXPECT_GT(found, 200);
  // The others are rows that need something.
  ASSERT_OK_AND_ASSIGN(const Recipe recipe, LoadRecipe(Shipped(), "r1"));
  std::set<std::string> needing;
  for (const RecipeRow& row : recipe.rows) {
    if (!row.needs.empty()) needing.insert(ReplaceAll(row.benchmark, " ", ""));
  }
  for (const std::string& benchmark : not_yet) {
    EXPECT_TRUE(needing.contains(ReplaceAll(benchmark, " ", ""))) << benchmark;
  }
}

TEST(Recipes, EveryTaskOfTheSuiteHasARowAndACard) {
  ASSERT_OK_AND_ASSIGN(const Recipe recipe, LoadRecipe(Shipped(), "r1"));
  std::set<std::string> with_row;
  for (const RecipeRow& row : recipe.rows) with_row.insert(row.task);
  ASSERT_OK_AND_ASSIGN(const std::vector<Task> tasks, LoadTasks(Shipped(), "r1", {}));
  for (const Task& task : tasks) {
    EXPECT_TRUE(with_row.contains(task.name)) << task.name;
    for (const char* entry : {"source", "licence", "prompt"}) {
      EXPECT_NE(task.card.Find(entry), nullptr) << task.name << ": " << entry;
    }
  }
}

TEST(Recipes, AreShownByTheCommand) {
  const auto shown = RunAssay({"recipe", "r1"});
  EXPECT_EQ(shown.status, 0) << shown.err;
  for (const char* wanted :
       {"temperature   0.6", "reply_prefix  $'<think>\\n'\n", "AIME 2024 (Pass@1): task aime_2024",
        "79.8 (paper v1, table 4", "SimpleQA (correct): needs a judge: not yet", "3-shot"}) {
    EXPECT_THAT(shown.out, HasSubstr(wanted));
  }
  const auto json = RunAssay({"recipe", "r1", "--json"});
  ASSERT_OK_AND_ASSIGN(const Json parsed, ParseJson(json.out));
  EXPECT_EQ(parsed.FindString("recipe"), "r1");
  EXPECT_EQ(RunAssay({"recipe", "none"}).status, 1);
}

TEST(Recipes, TheListOfTasksShowsEveryRowWithItsState) {
  const TemporaryDirectory directory;
  const auto listed = RunAssay({"tasks", "list", "--json", "--data-dir", directory.Path()});
  ASSERT_EQ(listed.status, 0) << listed.err;
  ASSERT_OK_AND_ASSIGN(const Json list, ParseJson(listed.out));
  std::map<std::string, std::string> states;
  for (const Json& one : list.AsArray()) {
    states[*one.FindString("name")] = one.FindString("state").value_or("");
  }
  EXPECT_EQ(states["basics_numbers"], "ready");
  EXPECT_EQ(states["AlpacaEval 2.0"], "needs a judge: not yet");
  EXPECT_EQ(states["r1"], "");
  EXPECT_THAT(states["drop"], HasSubstr("needs data: "));
  EXPECT_THAT(states["drop"], HasSubstr("drop_dev"));
  ASSERT_OK_AND_ASSIGN(const Recipe recipe, LoadRecipe(Shipped(), "r1"));
  for (const RecipeRow& row : recipe.rows) {
    EXPECT_FALSE(states[row.task.empty() ? row.benchmark : row.task].empty()) << row.benchmark;
  }
}

// --- a run beside them ---

TEST(Published, OnlyCompleteResultsOfANamedModelAreCompared) {
  TaskResult result;
  result.manifest.name = "t";
  result.manifest.definition = Definition();
  result.planned = result.graded = 2;
  const std::vector<ProblemMean> means = {{0.5, 0, 1, -1}, {1, 0, 1, -1}};
  result.estimates.push_back({"pass@1", MeanEstimate(means)});
  const std::vector<PublishedLine> lines = PublishedLines({result}, "deepseek-ai/DeepSeek-R1");
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_THAT(PublishedTextOf(lines), HasSubstr("t, pass@1: published 79.8 (a; b), here 75"));
  EXPECT_THAT(PublishedLines({result}, "another"), IsEmpty());
  result.graded = 1;
  EXPECT_THAT(PublishedLines({result}, "DeepSeek-R1"), IsEmpty());
}

// --- the metrics of several numbers ---

SampleOutcome Followed(double asked, double strict, double loose) {
  SampleOutcome sample;
  sample.outcome = strict == asked ? Outcome::kCorrect : Outcome::kIncorrect;
  sample.measures = {{"instructions", asked}, {"strict", strict}, {"loose", loose}};
  return sample;
}

double Value(const MetricInput& input, const std::string& name) {
  const absl::StatusOr<std::vector<NamedEstimate>> estimates =
      (**FindMetric(name)).compute(input, name);
  EXPECT_TRUE(estimates.ok()) << estimates.status();
  return (*estimates)[0].estimate.value();
}

TEST(Following, PromptsAndInstructionsAreCountedApart) {
  ProblemOutcomes cut = {"c", "", {"instructions:5"}, {SampleOutcome()}};
  cut.samples[0].outcome = Outcome::kTruncated;  // it was asked five, followed none
  MetricInput input;
  input.problems = {{"a", "", {}, {Followed(3, 3, 3)}}, {"b", "", {}, {Followed(2, 1, 2)}}, cut};
  EXPECT_DOUBLE_EQ(Value(input, "prompt_strict"), 1.0 / 3);
  EXPECT_DOUBLE_EQ(Value(input, "prompt_loose"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(Value(input, "instruction_strict"), 4.0 / 10);
  EXPECT_DOUBLE_EQ(Value(input, "instruction_loose"), 5.0 / 10);
  cut.tags.clear();
  input.problems = {{"a", "", {}, {Followed(3, 3, 3)}}, cut};
  EXPECT_THAT(std::string((**FindMetric("instruction_strict"))
                              .compute(input, "instruction_strict")
                              .status()
                              .message()),
              HasSubstr("problem 'c' does not say"));
}

TEST(F1Metrics, ReadTheGradersMeasures) {
  ProblemOutcomes judged = {"a", "", {}, {SampleOutcome()}};
  judged.samples[0].outcome = Outcome::kIncorrect;
  judged.samples[0].measures = {{"exact_match", 0}, {"f1", 0.5}};
  ProblemOutcomes cut = {"b", "", {}, {SampleOutcome()}};
  cut.samples[0].outcome = Outcome::kTruncated;
  MetricInput input;
  input.problems = {judged, cut};
  EXPECT_DOUBLE_EQ(Value(input, "f1"), 0.25);
  EXPECT_DOUBLE_EQ(Value(input, "exact_match"), 0);
  judged.samples[0].measures.clear();
  input.problems = {judged, cut};
  EXPECT_FALSE((**FindMetric("f1")).compute(input, "f1").ok());
}

// --- options of tasks ---

std::vector<AskedProblem> Ask(const TemporaryDirectory& directory, const std::string& yaml,
                              const std::string& rows) {
  WriteWholeFile(directory.Path("t.yaml"), yaml);
  WriteWholeFile(directory.Path("t.jsonl"), rows);
  std::vector<AskedProblem> all;
  const absl::StatusOr<std::vector<Task>> tasks = LoadTasks({}, directory.Path("t.yaml"), {});
  EXPECT_TRUE(tasks.ok()) << tasks.status();
  if (!tasks.ok()) return all;
  const auto stream = OpenProblems({}, (*tasks)[0], 7);
  EXPECT_TRUE(stream.ok()) << stream.status();
  if (!stream.ok()) return all;
  while (true) {
    absl::StatusOr<std::optional<AskedProblem>> asked = (*stream)->Next();
    EXPECT_TRUE(asked.ok()) << asked.status();
    if (!asked.ok() || !*asked) return all;
    all.push_back(**std::move(asked));
  }
}

TEST(SimpleEvalsOrder, AsksEveryRowFourTimesInPythonsOrders) {
  const TemporaryDirectory directory;
  const std::vector<AskedProblem> asked = Ask(
      directory,
      "name: t\nversion: \"1\"\ndataset: {file: t.jsonl}\nfields:\n  id: id\n"
      "  choices: {fields: [r, x, y, z], shuffle: simple_evals}\n  reference_index: {value: 0}\n"
      "prompt: \"{{ lettered_choices }}\"\nextract: letter\ngrader: choice\n",
      "{\"id\": 1, \"r\": \"r1\", \"x\": \"x1\", \"y\": \"y1\", \"z\": \"z1\"}\n"
      "{\"id\": 2, \"r\": \"r2\", \"x\": \"x2\", \"y\": \"y2\", \"z\": \"z2\"}\n"
      "{\"id\": 3, \"r\": \"r3\", \"x\": \"x3\", \"y\": \"y3\", \"z\": \"z3\"}\n");
  const std::vector<std::array<int, 4>> orders = SimpleEvalsGpqaOrders(3, 4);
  ASSERT_EQ(asked.size(), 12u);
  ASSERT_EQ(orders.size(), 12u);
  for (size_t i = 0; i < asked.size(); ++i) {
    const Problem& problem = asked[i].problem;
    EXPECT_EQ(problem.id, std::to_string(i % 3 + 1) + "/" + std::to_string(i / 3 + 1));
    EXPECT_THAT(problem.tags, Contains("cluster:" + std::to_string(i % 3 + 1)));
    EXPECT_THAT(problem.choice_order, testing::ElementsAreArray(orders[i]));
    const size_t shown = static_cast<size_t>(problem.reference[0] - 'A');
    EXPECT_EQ(problem.choices[shown], "r" + std::to_string(i % 3 + 1));
  }
}

TEST(FewShotIntroduction, StandsBeforeTheExamples) {
  const TemporaryDirectory directory;
  const std::vector<AskedProblem> asked =
      Ask(directory,
          std::string(kTask) +
              "fewshot: {count: 1, as_turns: false, introduction: \"Examples:\\n\", separator: "
              "\"\\n\"}\n",
          "{\"id\": 1, \"question\": \"one\", \"answer\": \"a\"}\n"
          "{\"id\": 2, \"question\": \"two\", \"answer\": \"b\"}\n");
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[0].prompt.messages.back().text, "Examples:\ntwob\none");
}

}  // namespace
}  // namespace assay
