// The five commands of docs/adding-a-task.md, run as they stand there.
#include <filesystem>

#include "harness/text.h"
#include "tests/mock_server/server.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing_support::BinaryPath;
using testing_support::ProgramEnd;
using testing_support::ReadWholeFile;
using testing_support::RunProgram;
using testing_support::SourcePath;
using testing_support::TemporaryDirectory;
using testing_support::WriteWholeFile;

// The fenced blocks of a document that open with ```LANGUAGE.
std::vector<std::string> Blocks(std::string_view text, std::string_view language) {
  std::vector<std::string> blocks;
  bool inside = false, wanted = false;
  for (const std::string_view line : SplitLines(text)) {
    if (line.starts_with("```")) {
      inside = !inside;
      wanted = inside && line.substr(3) == language;
      if (wanted) blocks.emplace_back();
    } else if (inside && wanted) {
      blocks.back() += std::string(line) + "\n";
    }
  }
  return blocks;
}

TEST(AddingATask, TheFiveCommandsOfTheGuideRun) {
  const std::string guide = ReadWholeFile(SourcePath("docs/adding-a-task.md"));
  const std::vector<std::string> tables = Blocks(guide, ""), commands = Blocks(guide, "sh"),
                                 yaml = Blocks(guide, "yaml");
  ASSERT_EQ(tables.size(), 1u);
  ASSERT_EQ(commands.size(), 5u);
  ASSERT_EQ(yaml.size(), 1u);
  const TemporaryDirectory directory;
  WriteWholeFile(directory.Path("capitals.csv"), tables[0]);
  mock_server::Options options;
  options.answers = {"Paris"};
  auto server = mock_server::MockServer::Start(options);
  ASSERT_TRUE(server.ok()) << server.status();
  std::vector<std::string> outputs;
  for (const std::string& command : commands) {
    const std::string line = ReplaceAll(command, "http://localhost:8000/v1", (*server)->base_url());
    // `RunAssay` does not know of directories; the shell does.
    const ProgramEnd end = RunProgram(
        {"sh", "-c",
         "PATH='" + BinaryPath("bin") + "':$PATH && cd '" + directory.Path() + "' && " + line},
        {"ASSAY_DATA=" + directory.Path("data"), "OPENAI_API_KEY=unused"});
    EXPECT_EQ(end.status, 0) << line << end.out << end.err;
    outputs.push_back(end.out);
  }
  EXPECT_THAT(outputs[0], HasSubstr("imported"));
  EXPECT_THAT(ReadWholeFile(directory.Path("capitals.yaml")), HasSubstr(yaml[0]));
  EXPECT_THAT(outputs[2], HasSubstr("capitals: sound"));
  EXPECT_THAT(outputs[3], HasSubstr("What is the capital of France?"));
  // One of three is Paris: the result is a number with its error.
  EXPECT_THAT(outputs[4], HasSubstr("capitals"));
  EXPECT_THAT(outputs[4], HasSubstr("33"));
}

TEST(AddingATask, ColumnsThatNoTaskKnowsAreTold) {
  const TemporaryDirectory directory;
  WriteWholeFile(directory.Path("odd.csv"), "frage,antwort\na,b\n");
  const ProgramEnd end =
      testing_support::RunAssay({"tasks", "new", "odd", "-o", directory.Path("odd.yaml"),
                                 "--dataset-file", directory.Path("odd.csv")});
  EXPECT_EQ(end.status, 1);
  EXPECT_THAT(end.err, HasSubstr("it has: frage, antwort"));
  EXPECT_FALSE(std::filesystem::exists(directory.Path("odd.yaml")));
}

}  // namespace
}  // namespace assay
