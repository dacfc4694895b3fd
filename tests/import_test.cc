// Import: what others recorded becomes a run like one of ours; and what we export comes back.
#include "harness/import.h"

#include <filesystem>
#include <map>

#include "absl/strings/str_format.h"
#include "harness/outcomes.h"
#include "harness/task.h"
#include "harness/text.h"
#include "reports/export.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing_support::ReadJsonFile;
using testing_support::ReadJsonLinesFile;
using testing_support::ReadWholeFile;
using testing_support::SharedPath;
using testing_support::TemporaryDirectory;
using testing_support::WriteWholeFile;

class ImportTest : public testing::Test {
 protected:
  ImportTest() {
    WriteWholeFile(directory_.Path("sums.jsonl"),
                   "{\"id\": \"a\", \"question\": \"What is 40 + 2 here?\", \"answer\": \"42\"}\n"
                   "{\"id\": \"b\", \"question\": \"What is 40 + 3 here?\", \"answer\": \"43\"}\n"
                   "{\"id\": \"c\", \"question\": \"What is 40 + 4 here?\", \"answer\": \"44\"}\n");
    WriteWholeFile(directory_.Path("sums.yaml"),
                   "name: sums\nversion: \"1\"\nabout: sums\ndataset:\n  file: sums.jsonl\n"
                   "fields:\n  id: id\n  reference: answer\nprompt: \"{{ question }}\"\n"
                   "extract: boxed\ngrader: math\nmetrics: [pass@1]\n");
    absl::StatusOr<std::unique_ptr<Store>> store =
        Store::Open(directory_.Path("assay.db"), StoreMode::kReadWrite);
    EXPECT_OK(store.status());
    store_ = *std::move(store);
  }

  Task LoadOne(const std::string& path) {
    absl::StatusOr<std::vector<Task>> tasks = LoadTasks(search_, path, {});
    EXPECT_TRUE(tasks.ok()) << tasks.status();
    return tasks.ok() ? tasks->at(0) : Task();
  }

  absl::StatusOr<ImportReport> Import(const std::string& rows, ImportPlan plan = {},
                                      const RecordingFields& fields = {}) {
    WriteWholeFile(directory_.Path("outputs.jsonl"), rows);
    return ImportFile(directory_.Path("outputs.jsonl"), std::move(plan), fields);
  }
  absl::StatusOr<ImportReport> ImportFile(const std::string& path, ImportPlan plan = {},
                                          const RecordingFields& fields = {}) {
    plan.search = search_;
    if (plan.task.name.empty()) plan.task = LoadOne(directory_.Path("sums.yaml"));
    absl::StatusOr<Recording> recording =
        ReadRecording(path, RecordingFormat::kAuto, fields, plan.task.name);
    if (!recording.ok()) return recording.status();
    return ImportRecording(*store_, plan, *recording);
  }

  // "problem/index" -> what became of it.
  std::map<std::string, Outcome> Outcomes(const std::string& run) {
    std::map<std::string, Outcome> outcomes;
    EXPECT_OK(store_->ForEachSample(run, {}, [&](const StoredSample& stored) {
      EXPECT_TRUE(stored.graded);
      outcomes[absl::StrFormat("%s/%d", stored.sample.problem_id, stored.sample.index)] =
          stored.sample.verdict.outcome;
      return absl::OkStatus();
    }));
    return outcomes;
  }

  TemporaryDirectory directory_;
  SearchPath search_ = DefaultSearchPath({}, {});
  std::unique_ptr<Store> store_;
};

TEST_F(ImportTest, RowsAreGradedAndStored) {
  ASSERT_OK_AND_ASSIGN(const ImportReport report,
                       Import(R"({"id": "c", "sample": 1, "output": "\\boxed{44}"}
{"id": "c", "sample": 0, "output": "\\boxed{45}"}
{"id": "a", "sample": 0, "output": "no idea"}
{"id": "a", "sample": 1, "output": "\\boxed{42}", "finish_reason": "length"}
{"id": "b", "sample": 0, "output": "<think>\\boxed{1}</think>\\boxed{43}"}
{"id": "b", "sample": 1, "output": "<think>\\boxed{43}"})"));
  EXPECT_EQ(report.completions, 6);
  EXPECT_EQ(report.samples_per_problem, 2);
  EXPECT_EQ(report.missing, 0);
  const std::map<std::string, Outcome> wanted = {
      {"a/0", Outcome::kNoAnswer},  {"a/1", Outcome::kTruncated}, {"b/0", Outcome::kCorrect},
      {"b/1", Outcome::kTruncated}, {"c/0", Outcome::kIncorrect}, {"c/1", Outcome::kCorrect}};
  EXPECT_EQ(Outcomes(report.run_id), wanted);
  ASSERT_OK_AND_ASSIGN(const RunSummary run, store_->FindRun(report.run_id));
  EXPECT_EQ(run.state, RunState::kComplete);
  EXPECT_EQ(run.manifest.backend, "import");
  EXPECT_EQ(run.manifest.name, "outputs.jsonl on sums");
  EXPECT_EQ(run.manifest.tasks[0].problems, 3);
  EXPECT_EQ(run.manifest.tasks[0].samples_per_problem, 2);
  EXPECT_EQ(run.samples_planned, 6);
}

TEST_F(ImportTest, WhatAContentFilterEndedHasNoAnswer) {
  ASSERT_OK_AND_ASSIGN(
      const ImportReport report,
      Import(R"({"id": "a", "output": "\\boxed{42}", "finish_reason": "content_filter"}
{"id": "b", "output": "\\boxed{43}", "finish_reason": "SAFETY"}
{"id": "c", "output": "\\boxed{44}", "finish_reason": "stop"})"));
  const std::map<std::string, Outcome> wanted = {
      {"a/0", Outcome::kNoAnswer}, {"b/0", Outcome::kNoAnswer}, {"c/0", Outcome::kCorrect}};
  EXPECT_EQ(Outcomes(report.run_id), wanted);
}

TEST_F(ImportTest, ProblemsThatTheFileLacksAreMissingUnlessLeftOut) {
  const std::string rows = R"({"id": "a", "outputs": ["\\boxed{42}", "\\boxed{42}"]}
{"id": "b", "outputs": ["\\boxed{43}"]})";
  ASSERT_OK_AND_ASSIGN(const ImportReport report, Import(rows));
  EXPECT_EQ(report.missing, 3);
  EXPECT_EQ(report.problems, 3);
  EXPECT_EQ(report.problems_recorded, 2);
  EXPECT_EQ(store_->FindRun(report.run_id)->state, RunState::kIncomplete);
  ImportPlan plan;
  plan.only_recorded = true;
  ASSERT_OK_AND_ASSIGN(const ImportReport subset, Import(rows, plan));
  EXPECT_EQ(subset.problems, 2);
  EXPECT_EQ(subset.missing, 1);
  ASSERT_OK_AND_ASSIGN(const auto failures, store_->ListFailures(subset.run_id));
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0].problem_id, "b");
  EXPECT_EQ(failures[0].index, 1);
}

TEST_F(ImportTest, CompletionsOfNoProblemAreAnErrorUnlessSkipped) {
  const std::string rows = R"({"id": "a", "output": "\\boxed{42}"}
{"id": "zz", "output": "\\boxed{1}"})";
  const absl::Status refused = Import(rows).status();
  EXPECT_THAT(std::string(refused.message()), HasSubstr("outputs.jsonl:2"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("matched were 1 of 2"));
  ASSERT_OK_AND_ASSIGN(const auto runs, store_->ListRuns());
  EXPECT_TRUE(runs.empty()) << "a refused file leaves no run";
  ImportPlan plan;
  plan.skip_unmatched = true;
  ASSERT_OK_AND_ASSIGN(const ImportReport report, Import(rows, plan));
  EXPECT_EQ(report.unmatched, 1);
  EXPECT_EQ(report.completions, 1);
  EXPECT_FALSE(Import(R"({"id": "zz", "output": "x"})", plan).ok()) << "nothing matches at all";
}

TEST_F(ImportTest, TheSameSampleTwiceIsAnErrorThatNamesBothLines) {
  const absl::Status status = Import(R"({"id": "a", "sample": 3, "output": "x"}
{"id": "a", "sample": 3, "output": "y"})")
                                  .status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("outputs.jsonl:2: sample 3"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("line 1"));
}

TEST_F(ImportTest, AnIndexThatIsNoneIsToldAndMakesNoRows) {
  const struct {
    const char* row;
    const char* wanted;
  } cases[] = {
      {R"({"id": "b", "index": 5000000000, "output": "x"})",
       "outputs.jsonl:2: the sample index: expected an integer from 0 to 1000000, found "
       "5000000000"},
      {R"({"id": "b", "index": 20000000, "output": "x"})", "found 20000000"},
      {R"({"id": "b", "index": -1, "output": "x"})", "from 0 to 1000000, found -1"},
      {R"({"id": "b", "index": 1.5, "output": "x"})", "from 0 to 1000000, found 1.5"},
      {R"({"id": "b", "index": "1", "output": "x"})", "from 0 to 1000000, found \"1\""},
      {R"({"id": "b", "index": 900000, "output": "x"})",
       "outputs.jsonl:2: sample index 900000, and the file holds 2 completions in all: expected "
       "one below 256"},
  };
  for (const auto& c : cases) {
    const std::string rows = R"({"id": "a", "index": 0, "output": "x"})" + std::string("\n");
    EXPECT_THAT(std::string(Import(rows + c.row).status().message()), HasSubstr(c.wanted)) << c.row;
  }
  const absl::Status ours =
      Import(R"({"format": "assay-sample/1", "problem_id": "a", "index": 5000000000, "raw": "x"})")
          .status();
  EXPECT_THAT(std::string(ours.message()), HasSubstr("found 5000000000"));
  ASSERT_OK_AND_ASSIGN(const std::vector<RunSummary> runs, store_->ListRuns());
  EXPECT_TRUE(runs.empty());
  // Some samples missing is no error.
  EXPECT_OK(Import(R"({"id": "a", "index": 7, "output": "\\boxed{42}"})").status());
}

TEST_F(ImportTest, SamplesWithoutAnIndexAreNumberedInOrder) {
  ASSERT_OK_AND_ASSIGN(const ImportReport report, Import(R"({"id": "a", "output": "\\boxed{1}"}
{"id": "a", "output": "\\boxed{42}"}
{"id": "a", "output": "\\boxed{1}"})"));
  EXPECT_EQ(report.samples_per_problem, 3);
  EXPECT_EQ(Outcomes(report.run_id).at("a/1"), Outcome::kCorrect);
}

TEST_F(ImportTest, FilesThatCountFromOneAreUnderstood) {
  ASSERT_OK_AND_ASSIGN(const ImportReport report,
                       Import(R"({"id": "a", "epoch": 1, "output": "\\boxed{42}"}
{"id": "a", "epoch": 2, "output": "\\boxed{1}"})"));
  EXPECT_EQ(report.samples_per_problem, 2);
  EXPECT_EQ(Outcomes(report.run_id).at("a/0"), Outcome::kCorrect);
}

// --- there and back ---

constexpr char kRows[] = R"({"id": "a", "output": "<think>forty and two</think>\\boxed{42}"}
{"id": "a", "output": "\\boxed{41}", "reasoning_content": "kept apart"}
{"id": "b", "output": "<think>\\boxed{43}"}
{"id": "b", "output": "\\boxed{43}", "finish_reason": "length"}
{"id": "c", "output": "forty-four"}
{"id": "c", "output": "é \\boxed{44}"})";

void ExpectSameSamples(Store& store, const std::string& one, const std::string& two) {
  const auto read = [&](const std::string& run) {
    std::vector<StoredSample> samples;
    EXPECT_OK(store.ForEachSample(run, {.parts = SampleParts::kAll}, [&](const StoredSample& s) {
      samples.push_back(s);
      return absl::OkStatus();
    }));
    return samples;
  };
  const std::vector<StoredSample> a = read(one), b = read(two);
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].sample.problem_id, b[i].sample.problem_id);
    EXPECT_EQ(a[i].sample.index, b[i].sample.index);
    EXPECT_EQ(a[i].sample.completion.reasoning, b[i].sample.completion.reasoning) << i;
    EXPECT_EQ(a[i].sample.completion.answer, b[i].sample.completion.answer) << i;
    EXPECT_EQ(a[i].sample.completion.truncated(), b[i].sample.completion.truncated()) << i;
    EXPECT_EQ(a[i].sample.extraction.answer, b[i].sample.extraction.answer) << i;
    EXPECT_EQ(a[i].sample.verdict.outcome, b[i].sample.verdict.outcome) << i;
  }
}

TEST_F(ImportTest, OurOwnExportComesBackWhole) {
  ASSERT_OK_AND_ASSIGN(const ImportReport first, Import(kRows));
  ASSERT_OK_AND_ASSIGN(const RunSummary run, store_->FindRun(first.run_id));
  const std::string file = directory_.Path("all.jsonl");
  ASSERT_OK_AND_ASSIGN(const auto files, ExportJsonl(*store_, run, "", file));
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(files[0].lines, 6);
  const auto lines = ReadJsonLinesFile(file);
  EXPECT_EQ(lines[0].FindString("problem_id"), "a");
  EXPECT_EQ(lines[0].FindString("reference"), "42");
  EXPECT_EQ(lines[0].Find("verdict")->FindString("outcome"), "correct");
  EXPECT_EQ(lines[0].Find("extraction")->FindString("answer"), "42");
  EXPECT_EQ(lines[2].FindBool("unclosed_reasoning"), true);
  EXPECT_EQ(lines[3].FindString("finish"), "length");
  EXPECT_EQ(FindPath(lines[0], "messages.0.content")->AsString(), "What is 40 + 2 here?");
  ASSERT_OK_AND_ASSIGN(const ImportReport second, ImportFile(file));
  ExpectSameSamples(*store_, first.run_id, second.run_id);
}

TEST_F(ImportTest, LmEvalExportComesBack) {
  ASSERT_OK_AND_ASSIGN(const ImportReport first, Import(kRows));
  ASSERT_OK_AND_ASSIGN(const RunSummary run, store_->FindRun(first.run_id));
  ASSERT_OK_AND_ASSIGN(const auto files,
                       ExportLmEval(*store_, run, "", directory_.Path("out"), false));
  ASSERT_EQ(files.size(), 2u);
  EXPECT_THAT(files[0].path, HasSubstr("out/samples_sums_20"));
  EXPECT_THAT(files[1].path, HasSubstr("out/results_20"));
  EXPECT_EQ(files[0].lines, 3);
  ASSERT_OK_AND_ASSIGN(const ImportReport second, ImportFile(files[0].path));
  ExpectSameSamples(*store_, first.run_id, second.run_id);
}

// Letters mean the options as they stood: published in the files of others, our order in ours.
TEST_F(ImportTest, LettersAreReadByTheOrderThatTheyWereWrittenFor) {
  WriteWholeFile(directory_.Path("choice.yaml"),
                 "name: choice\nversion: \"1\"\nabout: choices\ndataset:\n  file: choice.jsonl\n"
                 "fields:\n  id: id\n  choices: options\n  reference_index: right\n"
                 "prompt: \"{{ question }}\\n{{ lettered_choices }}\"\n"
                 "extract: letter\ngrader: choice\nmetrics: [pass@1]\n");
  std::string dataset, rows;
  for (int i = 0; i < 12; ++i) {
    dataset += absl::StrFormat(
        R"({"id": "q%d", "question": "Which is the number %d?", "options": ["%d", "no", "nor this", "none"], "right": 0})"
        "\n",
        i, i, i);
    rows += absl::StrFormat(R"({"id": "q%d", "output": "Answer: A"})"
                            "\n",
                            i);
  }
  WriteWholeFile(directory_.Path("choice.jsonl"), dataset);
  ImportPlan plan;
  plan.task = LoadOne(directory_.Path("choice.yaml"));
  ASSERT_OK_AND_ASSIGN(const ImportReport published, Import(rows, plan));
  EXPECT_THAT(published.notes, testing::Contains(HasSubstr("by the published order")));
  for (const auto& [sample, outcome] : Outcomes(published.run_id)) {
    EXPECT_EQ(outcome, Outcome::kCorrect) << sample;
  }
  // Told to be of a run with seed 7, the same letters mean other options.
  plan.seed = 7;
  ASSERT_OK_AND_ASSIGN(const ImportReport seeded, Import(rows, plan));
  EXPECT_NE(Outcomes(seeded.run_id), Outcomes(published.run_id));
  EXPECT_THAT(seeded.notes, testing::Not(testing::Contains(HasSubstr("published order"))));
  // Our own files tell the order: it holds, whatever the seed.
  ASSERT_OK_AND_ASSIGN(const RunSummary run, store_->FindRun(seeded.run_id));
  ASSERT_OK_AND_ASSIGN(const auto ours,
                       ExportJsonl(*store_, run, "", directory_.Path("all.jsonl")));
  ASSERT_OK_AND_ASSIGN(const auto theirs,
                       ExportLmEval(*store_, run, "", directory_.Path("lm"), false));
  for (const std::string& file : {ours[0].path, theirs[0].path}) {
    for (const std::optional<uint64_t> seed : {std::optional<uint64_t>(), std::optional(1ul)}) {
      plan.seed = seed;
      ASSERT_OK_AND_ASSIGN(const ImportReport again, ImportFile(file, plan));
      ExpectSameSamples(*store_, seeded.run_id, again.run_id);
      EXPECT_THAT(again.notes, testing::Not(testing::Contains(HasSubstr("references:"))));
      EXPECT_THAT(again.notes, testing::Not(testing::Contains(HasSubstr("prompts:"))));
    }
  }
  // An order that cannot be of that row is an error that names it.
  std::string line = ReadWholeFile(ours[0].path);
  const size_t order = line.find("\"choice_order\":[");
  ASSERT_NE(order, line.npos);
  line[order + 16] = '9';
  WriteWholeFile(directory_.Path("bad.jsonl"), line);
  EXPECT_THAT(std::string(ImportFile(directory_.Path("bad.jsonl"), plan).status().message()),
              HasSubstr("names place 9"));
}

TEST_F(ImportTest, ADatasetThatChangedSinceIsTold) {
  ASSERT_OK_AND_ASSIGN(const ImportReport first, Import(kRows));
  ASSERT_OK_AND_ASSIGN(const RunSummary run, store_->FindRun(first.run_id));
  const std::string file = directory_.Path("all.jsonl");
  ASSERT_OK_AND_ASSIGN(const auto files, ExportJsonl(*store_, run, "", file));
  WriteWholeFile(directory_.Path("sums.jsonl"),
                 "{\"id\": \"a\", \"question\": \"What is 40 + 9 here?\", \"answer\": \"49\"}\n"
                 "{\"id\": \"b\", \"question\": \"What is 40 + 3 here?\", \"answer\": \"43\"}\n"
                 "{\"id\": \"c\", \"question\": \"What is 40 + 4 here?\", \"answer\": \"44\"}\n");
  ASSERT_OK_AND_ASSIGN(const ImportReport second, ImportFile(file));
  EXPECT_THAT(second.notes,
              testing::Contains(HasSubstr("references: 1 of 3 problems have another one")));
  EXPECT_THAT(second.notes, testing::Contains(HasSubstr("problem 'a': '42' there, '49'")));
  EXPECT_THAT(second.notes,
              testing::Contains(HasSubstr("prompts: 1 of 3 problems were asked otherwise")));
}

TEST_F(ImportTest, LmEvalFilesHoldWhatItsReadersLookFor) {
  ASSERT_OK_AND_ASSIGN(const ImportReport report, Import(kRows));
  ASSERT_OK_AND_ASSIGN(const RunSummary run, store_->FindRun(report.run_id));
  ASSERT_OK_AND_ASSIGN(const auto files,
                       ExportLmEval(*store_, run, "sums", directory_.Path("out"), false));
  const Json results = ReadJsonFile(files[1].path);
  // 2 of 6 correct: 1/2, 0, 1/2.
  EXPECT_NEAR(*results.Find("results")->Find("sums")->FindNumber("pass@1,none"), 1.0 / 3, 1e-12);
  EXPECT_NEAR(*results.Find("results")->Find("sums")->FindNumber("pass@1_stderr,none"), 1.0 / 6,
              1e-12);
  EXPECT_EQ(results.Find("versions")->FindString("sums"), "1");
  EXPECT_EQ(results.Find("n-shot")->FindInteger("sums"), 0);
  EXPECT_EQ(results.Find("n-samples")->Find("sums")->FindInteger("effective"), 3);
  EXPECT_EQ(results.Find("configs")->Find("sums")->FindInteger("repeats"), 2);
  ASSERT_NE(results.Find("git_hash"), nullptr);
  const Json line = ReadJsonLinesFile(files[0].path)[0];
  // SHA-256 as Python computes them: sha256(json.dumps(doc, indent=2, ensure_ascii=False)), ...
  EXPECT_EQ(line.FindString("doc_hash"),
            "07b5f1fe95be140b4d9e8f21b4f56751cbc31cca07b202253284d11c1a7b3152");
  EXPECT_EQ(line.FindString("target_hash"),
            "73475cb40a568e8da8a045ced110137e159f890ac4da883b6b17dc651b3a8049");
  EXPECT_EQ(FindPath(line, "arguments.gen_args_0.arg_0")->AsString(),
            R"([{"role": "user", "content": "What is 40 + 2 here?"}])");
  EXPECT_EQ(FindPath(line, "resps.0")->size(), 2u);
  EXPECT_EQ(FindPath(line, "filtered_resps.0.1")->AsString(), "41");
  EXPECT_EQ(line.FindNumber("pass@1"), 0.5);
}

TEST_F(ImportTest, LmEvalExportRefusesPartialRuns) {
  ASSERT_OK_AND_ASSIGN(const ImportReport report, Import(R"({"id": "a", "output": "x"})"));
  ASSERT_OK_AND_ASSIGN(const RunSummary run, store_->FindRun(report.run_id));
  const absl::Status refused =
      ExportLmEval(*store_, run, "", directory_.Path("out"), false).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("lacks 2 samples"));
  EXPECT_OK(ExportLmEval(*store_, run, "", directory_.Path("out"), true).status());
}

TEST_F(ImportTest, ExportTellsMissingDrawsAndTheManifest) {
  ASSERT_OK_AND_ASSIGN(const ImportReport report, Import(R"({"id": "a", "output": "x"})"));
  ASSERT_OK_AND_ASSIGN(const RunSummary run, store_->FindRun(report.run_id));
  ASSERT_OK_AND_ASSIGN(const auto files, ExportJsonl(*store_, run, "", directory_.Path("out")));
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files[0].lines, 3);
  const auto lines = ReadJsonLinesFile(files[0].path);
  EXPECT_EQ(lines[1].FindString("problem_id"), "b");
  EXPECT_THAT(*lines[1].FindString("error"), HasSubstr("no such completion"));
  const Json manifest = ReadJsonFile(directory_.Path("out/manifest.json"));
  EXPECT_EQ(manifest.FindString("state"), "incomplete");
  EXPECT_EQ(manifest.FindInteger("samples_planned"), 3);
}

TEST_F(ImportTest, ExportErrorsNameThePathAndLeaveNothing) {
  ASSERT_OK_AND_ASSIGN(const ImportReport report, Import(kRows));
  ASSERT_OK_AND_ASSIGN(const RunSummary run, store_->FindRun(report.run_id));
  EXPECT_THAT(
      std::string(
          ExportJsonl(*store_, run, "", directory_.Path("no/dir/x.jsonl")).status().message()),
      HasSubstr("no/dir/x.jsonl"));
  EXPECT_THAT(std::string(ExportJsonl(*store_, run, "sum", "-").status().message()),
              HasSubstr("did you mean 'sums'?"));
  EXPECT_FALSE(ExportJsonl(*store_, run, "", directory_.Path("sums.yaml")).ok()) << "a file";
}

// --- a task from the outputs themselves ---

TEST_F(ImportTest, ATaskThatCannotBeMadeLeavesNothing) {
  const std::string outputs = directory_.Path("o.jsonl");
  WriteWholeFile(outputs, R"({"id": "a", "question": "1+1?", "gold": "2", "output": "2"})");
  const std::string spaced = directory_.Path("g 1.yaml");
  EXPECT_FALSE(MakeTaskFromRecording(outputs, spaced, {}).ok()) << "no task's name";
  EXPECT_FALSE(std::filesystem::exists(spaced));
  EXPECT_FALSE(std::filesystem::exists(directory_.Path("g 1.jsonl")));
  WriteWholeFile(directory_.Path("there.yaml"), "mine");
  EXPECT_FALSE(MakeTaskFromRecording(outputs, directory_.Path("there.yaml"), {}).ok());
  EXPECT_FALSE(std::filesystem::exists(directory_.Path("there.jsonl")));
  EXPECT_THAT(
      std::string(
          MakeTaskFromRecording(outputs, directory_.Path("no/dir.yaml"), {}).status().message()),
      HasSubstr("No such file or directory"));
}

TEST_F(ImportTest, TaskIsMadeFromTheRowsAndFitsThem) {
  const std::string outputs = directory_.Path("o.jsonl");
  WriteWholeFile(
      outputs,
      R"({"idx": 0, "sample": 0, "question": "What is 40 + 2 here?", "gold": "42", "level": "L1", "raw_output": "\\boxed{42}"}
{"idx": 0, "sample": 1, "question": "What is 40 + 2 here?", "gold": "42", "level": "L1", "raw_output": "\\boxed{40}"}
{"idx": 1, "sample": 0, "question": "What is 1 + 1 then?", "gold": "2", "level": "L2", "raw_output": "\\boxed{2}"}
{"idx": 1, "sample": 1, "question": "What is 1 + 1 then?", "gold": "2", "level": "L2", "raw_output": "\\boxed{2}"})");
  const std::string yaml = directory_.Path("made.yaml");
  ASSERT_OK_AND_ASSIGN(const NewTaskReport made, MakeTaskFromRecording(outputs, yaml, {}));
  EXPECT_EQ(made.problems, 2);
  ImportPlan plan;
  plan.task = LoadOne(yaml);
  EXPECT_EQ(plan.task.name, "made");
  ASSERT_OK_AND_ASSIGN(const ImportReport report, ImportFile(outputs, plan));
  EXPECT_EQ(report.missing, 0);
  EXPECT_EQ(report.samples_per_problem, 2);
  const std::map<std::string, Outcome> wanted = {{"0/0", Outcome::kCorrect},
                                                 {"0/1", Outcome::kIncorrect},
                                                 {"1/0", Outcome::kCorrect},
                                                 {"1/1", Outcome::kCorrect}};
  EXPECT_EQ(Outcomes(report.run_id), wanted);
  EXPECT_EQ(MakeTaskFromRecording(outputs, yaml, {}).status().code(),
            absl::StatusCode::kAlreadyExists);
}

TEST_F(ImportTest, OneIdWithTwoQuestionsMakesNoTask) {
  const std::string outputs = directory_.Path("o.jsonl");
  WriteWholeFile(outputs, R"({"idx": 0, "question": "one question", "gold": "42"}
{"idx": 0, "question": "another question", "gold": "42"})");
  const absl::Status status =
      MakeTaskFromRecording(outputs, directory_.Path("made.yaml"), {}).status();
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("o.jsonl:2: problem '0' has another 'question'"));
}

// 800 real outputs, their problems made into a task by the documented command.
TEST_F(ImportTest, RealOutputsAreImportedAndTheGraderIsNeverWrong) {
  SKIP_WITHOUT_SHARED("vectors/qwen_math_outputs.jsonl");
  const std::string outputs = SharedPath("vectors/qwen_math_outputs.jsonl");
  const std::string yaml = directory_.Path("qwen_math.yaml");
  ASSERT_OK_AND_ASSIGN(const NewTaskReport made, MakeTaskFromRecording(outputs, yaml, {}));
  EXPECT_EQ(made.problems, 100);
  ImportPlan plan;
  plan.task = LoadOne(yaml);
  ASSERT_OK_AND_ASSIGN(const ImportReport report, ImportFile(outputs, plan));
  EXPECT_EQ(report.completions, 800);
  EXPECT_EQ(report.problems, 100);
  EXPECT_EQ(report.samples_per_problem, 8);
  EXPECT_EQ(report.missing, 0);
  std::map<std::string, bool> expected;
  for (const Json& row : ReadJsonLinesFile(outputs)) {
    expected[absl::StrFormat("%s/%d", row.Find("idx")->ToText(), *row.FindInteger("sample"))] =
        *row.FindBool("expected");
  }
  std::map<Outcome, int> counts;
  for (const auto& [draw, outcome] : Outcomes(report.run_id)) {
    ++counts[outcome];
    if (outcome == Outcome::kUndecided) continue;
    EXPECT_EQ(outcome == Outcome::kCorrect, expected.at(draw)) << draw;
  }
  for (const auto& [outcome, count] : counts) {
    RecordProperty(std::string(OutcomeName(outcome)), count);
    std::printf("%s: %d\n", std::string(OutcomeName(outcome)).c_str(), count);
  }
}

}  // namespace
}  // namespace assay
