// `assay import` and `assay export` as a user types them.
#include <filesystem>

#include "harness/text.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing_support::ProgramEnd;
using testing_support::ReadJsonLinesFile;
using testing_support::RunAssay;
using testing_support::TemporaryDirectory;
using testing_support::WriteWholeFile;

class TransferCommands : public testing::Test {
 protected:
  TransferCommands() {
    WriteWholeFile(
        outputs_,
        R"({"idx": 0, "question": "What is 40 + 2 here?", "gold": "42", "outputs": ["\\boxed{42}", "\\boxed{40}"]}
{"idx": 1, "question": "What is 1 + 1 then?", "gold": "2", "outputs": ["\\boxed{2}", "\\boxed{2}"]}
)");
  }
  TemporaryDirectory directory_;
  std::string outputs_ = directory_.Path("outputs.jsonl");
  std::string database_ = directory_.Path("assay.db");
  std::string yaml_ = directory_.Path("made.yaml");
};

TEST_F(TransferCommands, OutputsBringTheirTaskAndComeBack) {
  const ProgramEnd made =
      RunAssay({"import", outputs_, "--make-task", yaml_, "--db", database_, "--json"});
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_THAT(made.err, HasSubstr("completion: taken from field 'outputs'"));
  EXPECT_THAT(made.err, HasSubstr("problems: matched by id"));
  ASSERT_OK_AND_ASSIGN(const Json table, ParseJson(made.out));

  const std::string exported = directory_.Path("all.jsonl");
  const ProgramEnd written = RunAssay({"export", "last", "-o", exported, "--db", database_});
  ASSERT_EQ(written.status, 0) << written.err;
  ASSERT_EQ(ReadJsonLinesFile(exported).size(), 4u);

  const ProgramEnd again = RunAssay(
      {"import", exported, "--task", yaml_, "--db", directory_.Path("b.db"), "--json", "-q"});
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(again.err, "");
}

TEST_F(TransferCommands, ADryRunPrintsTheTableAndALimitTakesTheFirstProblems) {
  ASSERT_EQ(RunAssay({"import", outputs_, "--make-task", yaml_, "--db", database_}).status, 0);
  const std::string other = directory_.Path("other.db");
  const ProgramEnd dry =
      RunAssay({"import", outputs_, "--task", yaml_, "--db", other, "--dry-run"});
  EXPECT_EQ(dry.status, 0) << dry.err;
  EXPECT_THAT(dry.err, HasSubstr("nowhere (--dry-run)"));
  EXPECT_THAT(dry.out, HasSubstr("2 x 2"));
  EXPECT_FALSE(std::filesystem::exists(other));
  const ProgramEnd one =
      RunAssay({"import", outputs_, "--task", yaml_, "--db", other, "--limit", "1"});
  EXPECT_EQ(one.status, 0) << one.err;
  EXPECT_THAT(one.out, HasSubstr("1 x 2"));
  const ProgramEnd graded =
      RunAssay({"grade", "last", "--db", database_, "--limit", "1", "--dry-run", "--json"});
  ASSERT_OK_AND_ASSIGN(const Json report, ParseJson(graded.out));
  EXPECT_EQ(report.FindInteger("samples"), 2);
  const ProgramEnd checked = RunAssay({"tasks", "check", yaml_, "--limit", "1", "--json"});
  EXPECT_THAT(checked.out, HasSubstr("\"problems\": 1,"));
  EXPECT_EQ(RunAssay({"tasks", "check", yaml_, "--limit", "-1"}).status, 1);
  EXPECT_EQ(RunAssay({"import", outputs_, "--make-task", directory_.Path("new.yaml"), "--db", other,
                      "--dry-run"})
                .status,
            1);
  EXPECT_FALSE(std::filesystem::exists(directory_.Path("new.yaml")));
}

// Two runs' files in one directory would be read back as one run.
TEST_F(TransferCommands, ADirectoryWithAnotherRunsExportIsRefused) {
  ASSERT_EQ(RunAssay({"import", outputs_, "--make-task", yaml_, "--db", database_}).status, 0);
  const std::string out = directory_.Path("out");
  ASSERT_EQ(RunAssay({"export", "last", "-o", out, "--db", database_}).status, 0);
  EXPECT_EQ(RunAssay({"export", "last", "-o", out, "--db", database_}).status, 0) << "its own";
  const std::string other_yaml = directory_.Path("other.yaml");
  ASSERT_EQ(RunAssay({"import", outputs_, "--make-task", other_yaml, "--db", database_}).status, 0);
  const ProgramEnd refused = RunAssay({"export", "last", "-o", out, "--db", database_});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, HasSubstr("the directory holds the export of run"));
  EXPECT_TRUE(std::filesystem::exists(out + "/samples_made.jsonl"));
  EXPECT_FALSE(std::filesystem::exists(out + "/samples_other.jsonl"));
  WriteWholeFile(out + "/notes.txt", "mine");
  ASSERT_EQ(RunAssay({"export", "last", "-o", out, "--db", database_, "--force"}).status, 0);
  EXPECT_FALSE(std::filesystem::exists(out + "/samples_made.jsonl"));
  EXPECT_TRUE(std::filesystem::exists(out + "/samples_other.jsonl"));
  EXPECT_TRUE(std::filesystem::exists(out + "/notes.txt"));
  WriteWholeFile(out + "/manifest.json", "{}");
  const ProgramEnd foreign = RunAssay({"export", "last", "-o", out, "--db", database_, "--force"});
  EXPECT_EQ(foreign.status, 1);
  EXPECT_THAT(foreign.err, HasSubstr("no run's manifest"));
}

TEST_F(TransferCommands, PartialRunsExitWithOneAndWrongUseIsExplained) {
  ASSERT_EQ(RunAssay({"import", outputs_, "--make-task", yaml_, "--db", database_}).status, 0);
  WriteWholeFile(outputs_, R"({"idx": 0, "output": "\\boxed{42}"})");
  const ProgramEnd partial = RunAssay({"import", outputs_, "--task", yaml_, "--db", database_});
  EXPECT_EQ(partial.status, 1);
  EXPECT_THAT(partial.err, HasSubstr("missing: 1 sample that"));
  EXPECT_THAT(partial.err, HasSubstr("--only-recorded"));
  EXPECT_EQ(
      RunAssay({"import", outputs_, "--task", yaml_, "--db", database_, "--only-recorded"}).status,
      0);
  const ProgramEnd no_task = RunAssay({"import", outputs_, "--db", database_});
  EXPECT_NE(no_task.status, 0);
  EXPECT_THAT(no_task.err, HasSubstr("--make-task"));
  const ProgramEnd format =
      RunAssay({"export", "last", "-o", "-", "--format", "lmeval", "--db", database_});
  EXPECT_NE(format.status, 0);
  EXPECT_THAT(format.err, HasSubstr("did you mean 'lm-eval'?"));
  const ProgramEnd run = RunAssay({"export", "nonsense", "-o", "-", "--db", database_});
  EXPECT_THAT(run.err, HasSubstr("there is no run 'nonsense'"));
}

}  // namespace
}  // namespace assay
