// The built program as a shell sees it: help everywhere, wrong use told apart from failed work, and
// JSON that parses.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "harness/text.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using testing_support::BinaryPath;
using testing_support::ProgramEnd;
using testing_support::RunAssay;
using testing_support::SourcePath;
using testing_support::TemporaryDirectory;
using testing_support::WriteWholeFile;

// Names in the "Subcommands:" block of a help text.
std::vector<std::string> Subcommands(std::string_view help) {
  std::vector<std::string> names;
  bool in_block = false;
  for (const std::string_view line : SplitLines(help)) {
    if (line == "Subcommands:") {
      in_block = true;
    } else if (in_block && line.starts_with("  ") && line.size() > 2 && line[2] != ' ') {
      names.emplace_back(Split(line.substr(2), ' ')[0]);
    }
  }
  return names;
}

void ExpectHelpBelow(const std::vector<std::string>& command, int* commands) {
  std::vector<std::string> words = command;
  words.push_back("--help");
  const ProgramEnd end = RunAssay(words);
  EXPECT_EQ(end.status, 0) << Join(words, " ");
  EXPECT_THAT(end.out, HasSubstr("Usage: assay")) << Join(words, " ");
  EXPECT_EQ(end.err, "");
  ++*commands;
  for (const std::string& name : Subcommands(end.out)) {
    std::vector<std::string> below = command;
    below.push_back(name);
    ExpectHelpBelow(below, commands);
  }
}

TEST(CommandLine, EveryCommandHasHelp) {
  int commands = 0;
  ExpectHelpBelow({}, &commands);
  EXPECT_GE(commands, 8);
}

TEST(CommandLine, HelpAndVersionEndWell) {
  EXPECT_THAT(RunAssay({"--version"}).out, StartsWith("assay 0."));
  EXPECT_EQ(RunAssay({"help", "doctor"}).out, RunAssay({"doctor", "--help"}).out);
  EXPECT_EQ(RunAssay({"help"}).out, RunAssay({"--help"}).out);
}

// Wrong use: status 2, nothing on stdout, and a message that helps.
void ExpectWrongUse(const std::vector<std::string>& words, const std::string& message) {
  const ProgramEnd end = RunAssay(words);
  EXPECT_EQ(end.status, 2) << Join(words, " ") << "\n" << end.err;
  EXPECT_EQ(end.out, "") << Join(words, " ");
  EXPECT_THAT(end.err, AllOf(HasSubstr(message), HasSubstr("--help"))) << Join(words, " ");
}

TEST(CommandLine, WrongUseNamesWhatWasMeant) {
  ExpectWrongUse({}, "expected a command: ");
  ExpectWrongUse({"docter"}, "unknown command 'docter'; did you mean 'doctor'?");
  ExpectWrongUse({"docter", "--help"}, "unknown command 'docter'; did you mean 'doctor'?");
  ExpectWrongUse({"doctor", "--jsno"},
                 "assay doctor: unknown flag '--jsno'; did you mean '--json'");
  ExpectWrongUse({"doctor", "--basurl=x"}, "did you mean '--base-url'?");
  ExpectWrongUse({"run", "--temp", "1"}, "unknown flag '--temp'; did you mean '--temperature'?");
  ExpectWrongUse({"doctor", "extra"}, "unexpected argument 'extra'");
  ExpectWrongUse({"compare", "a"}, "b is required");
  ExpectWrongUse({"doctor", "\x1b[31m"}, "unexpected argument '\\x1b[31m'");
}

TEST(CommandLine, WrongTypesAreNamed) {
  ExpectWrongUse({"runs", "--limit", "many"}, "--limit: expected a whole number, found 'many'");
  ExpectWrongUse({"runs", "--limit", "3x"}, "--limit: expected a whole number, found '3x'");
  ExpectWrongUse({"runs", "--limit", "99999999999"}, "--limit: expected a whole number from -");
  ExpectWrongUse({"runs", "--limit", "--json"}, "--limit: expected a value, found the flag --json");
  ExpectWrongUse({"runs", "--limit"}, "--limit");
  ExpectWrongUse({"runs", "--limit", "1", "--limit", "2"}, "--limit");
  ExpectWrongUse({"runs", "--db", "--json"}, "--db: expected a value, found the flag --json");
  ExpectWrongUse({"run", "--temperature", "warm"},
                 "--temperature: expected a number, found 'warm'");
  ExpectWrongUse({"run", "--temperature", "nan"}, "--temperature: expected a number, found 'nan'");
  ExpectWrongUse({"run", "--seed", "-1"}, "--seed: expected a whole number, 0 or more, found '-1'");
}

TEST(CommandLine, DashesAndUnderscoresAreAlikeInNamesOnly) {
  const ProgramEnd end = RunAssay({"run", "--num_fewshot=x"});
  EXPECT_EQ(end.status, 2);
  EXPECT_THAT(end.err, HasSubstr("--num-fewshot: expected a whole number, found 'x'"));
  const ProgramEnd value = RunAssay({"runs", "--db=no_such_file.db"});
  EXPECT_EQ(value.status, 1);
  EXPECT_THAT(value.err, HasSubstr("no_such_file.db"));
}

class ConfigFile : public testing::Test {
 protected:
  ProgramEnd RunWith(const std::string& yaml, std::vector<std::string> words) {
    WriteWholeFile(directory_.Path("c.yaml"), yaml);
    words.push_back("--config");
    words.push_back(directory_.Path("c.yaml"));
    return RunAssay(words);
  }

  TemporaryDirectory directory_;
};

TEST_F(ConfigFile, SetsFlagsAndLosesToTheCommandLine) {
  EXPECT_THAT(RunWith("db: from_file.db\n", {"runs"}).err, HasSubstr("from_file.db"));
  const ProgramEnd end = RunWith("db: from_file.db\n", {"runs", "--db", "typed.db"});
  EXPECT_THAT(end.err, HasSubstr("typed.db"));
  const ProgramEnd json = RunWith("json: true\ninclude_path: [a, b]\n", {"doctor"});
  EXPECT_TRUE(ParseJson(json.out).ok()) << json.out;
}

TEST_F(ConfigFile, ASeedKeepsAllItsDigits) {
  const std::string rest = "\ntasks: basics_numbers\nlimit: 1\ndry_run: true\n";
  for (const char* seed :
       {"0", "9223372036854775807", "12345678901234567890", "18446744073709551615"}) {
    EXPECT_EQ(RunWith("seed: " + (seed + rest), {"run"}).status, 0) << seed;
  }
  for (const char* seed : {"18446744073709551616", "-1", "1.5", "1e3"}) {
    const ProgramEnd end = RunWith("seed: " + (seed + rest), {"run"});
    EXPECT_EQ(end.status, 2) << seed;
    EXPECT_THAT(end.err, HasSubstr("c.yaml:1: 'seed': expected a whole number")) << seed;
  }
}

TEST_F(ConfigFile, ErrorsNameTheLineAndTheNearestFlag) {
  const struct {
    const char* yaml;
    const char* message;
  } cases[] = {
      {"limit: 3\nbd: x\n", "c.yaml:2: unknown key 'bd'; did you mean 'db'?"},
      {"limit: many\n", "c.yaml:1: 'limit': expected a whole number, found 'many'"},
      {"limit: [1, 2]\n", "c.yaml:1: 'limit': expected one value, found a list"},
      {"json: yes\n", "c.yaml:1: 'json': expected true or false"},
      {"- limit\n", "c.yaml:1: expected flags (name: value), found a list"},
      {"help: true\n", "c.yaml:1: unknown key 'help'"},
      {"config: c.yaml\n", "c.yaml:1: unknown key 'config'"},
      {"limit: 1\n\nlimit : 2\n", "c.yaml:3"},
  };
  for (const auto& c : cases) {
    const ProgramEnd end = RunWith(c.yaml, {"runs"});
    EXPECT_EQ(end.status, 2) << c.yaml;
    EXPECT_THAT(end.err, HasSubstr(c.message)) << c.yaml;
  }
  ExpectWrongUse({"runs", "--config", "no_such.yaml"}, "no_such.yaml");
}

TEST(CommandLine, DoctorReportsAndHidesKeys) {
  const TemporaryDirectory directory;
  const std::vector<std::string> environment = {"OPENAI_API_KEY=sk-secret-of-a-test",
                                                "ASSAY_DB=" + directory.Path("a.db")};
  const ProgramEnd end = RunAssay({"doctor", "--json"}, environment);
  EXPECT_EQ(end.status, 0) << end.out;
  ASSERT_OK_AND_ASSIGN(const Json json, ParseJson(end.out));
  EXPECT_EQ(json.FindBool("healthy"), true);
  const ProgramEnd text = RunAssay({"doctor"}, environment);
  EXPECT_THAT(text.out, HasSubstr("OPENAI_API_KEY is set"));
  EXPECT_THAT(end.out + end.err + text.out + text.err,
              testing::Not(HasSubstr("sk-secret-of-a-test")));
}

TEST(CommandLine, AKeyInAnAddressIsNotStored) {
  const TemporaryDirectory directory;
  const std::string database = directory.Path("a.db");
  for (const char* query : {"token=sk-secret", "a=1&API_KEY=sk-secret", "sig=sk-secret&b=2"}) {
    const ProgramEnd end =
        RunAssay({"run", "--model", "m", "--tasks", "basics_numbers", "--db", database,
                  "--base-url", std::string("http://127.0.0.1:1/v1?") + query});
    EXPECT_EQ(end.status, 1) << query;
    EXPECT_THAT(end.err, AllOf(HasSubstr("would end up in the database"),
                               HasSubstr("OPENAI_BASE_URL"), Not(HasSubstr("sk-secret"))));
    EXPECT_FALSE(std::filesystem::exists(database));
  }
  // What is no key may stand there.
  const ProgramEnd version =
      RunAssay({"run", "--model", "m", "--tasks", "basics_numbers", "--dry-run", "--base-url",
                "http://127.0.0.1:1/v1?api-version=2024-02-01", "--db", database});
  EXPECT_EQ(version.status, 0) << version.err;
}

TEST(CommandLine, DoctorNamesWhatIsWrong) {
  const TemporaryDirectory directory;
  WriteWholeFile(directory.Path("text.db"), "this is no database, but a long line of text\n");
  const ProgramEnd end =
      RunAssay({"doctor", "--db", directory.Path("text.db"), "--api-key-env", "ASSAY_NO_SUCH_KEY"});
  EXPECT_EQ(end.status, 1);
  EXPECT_THAT(end.out, AllOf(HasSubstr("text.db"), HasSubstr("ASSAY_NO_SUCH_KEY is not set")));
  const ProgramEnd away = RunAssay({"doctor", "--model", "m", "--base-url", "http://127.0.0.1:1/v1",
                                    "--db", directory.Path("new.db")});
  EXPECT_EQ(away.status, 1);
  EXPECT_THAT(away.out, HasSubstr("http://127.0.0.1:1"));
}

TEST(CommandLine, DoctorSaysWhatARunWouldRefuse) {
  const ProgramEnd nowhere = RunAssay({"doctor", "--db", "/no/such/folder/x.db"});
  EXPECT_EQ(nowhere.status, 1);
  EXPECT_THAT(nowhere.out, HasSubstr("x.db: cannot be made, its folder is not there"));
  EXPECT_THAT(nowhere.out, Not(HasSubstr("the first run makes it")));
  const ProgramEnd model = RunAssay({"doctor", "--model", "no_such_model"}, {"OPENAI_BASE_URL="});
  EXPECT_EQ(model.status, 1);
  EXPECT_THAT(model.out, HasSubstr("\n                      endpoint: a server"));
  EXPECT_THAT(model.out, Not(HasSubstr("\\n")));
}

// A dry run refuses what the run would, as far as no network is needed for it.
TEST(CommandLine, ADryRunRefusesWhatTheRunWould) {
  const auto dry = [](std::vector<std::string> more) {
    std::vector<std::string> words = {"run",     "--tasks", "basics_numbers",
                                      "--limit", "1",       "--dry-run"};
    words.insert(words.end(), more.begin(), more.end());
    return RunAssay(words, {"OPENAI_BASE_URL=", "OPENAI_API_KEY="});
  };
  const std::string url = "http://127.0.0.1:1/v1";
  const std::pair<std::vector<std::string>, const char*> wrong[] = {
      {{"--model", "m", "--backend", "nope"}, "unknown backend 'nope'"},
      {{"--model", "m", "--base-url", url, "--device", "gpu"}, "knows no 'device'"},
      {{"--model", SourcePath("tests"), "--device", "gpu"}, "device"},
      {{"--model", "m", "--base-url", url, "--model-args", "foo=1"}, "knows no 'foo'"},
      {{"--model", "m", "--base-url", "notaurl"}, "--base-url: expected http://HOST:PORT/v1"},
      {{"--model", "m", "--base-url", "http://127.0.0.1:99999/v1"}, "Port number"},
      {{"--model", "m", "--base-url", "http://a b/v1"}, "--base-url: expected"},
      {{"--base-url", url}, "--model: expected NAME"},
      {{"--model", "no_such_model"}, "no backend knows what to do with it"},
      {{"--db", "/no/such/folder/x.db"}, "--db /no/such/folder/x.db: its folder is not there"},
      {{"--db", SourcePath("README.md")}, "README.md"},
      {{"--model", "replay:/no/such.jsonl"}, "/no/such.jsonl"},
      {{"--model", "m", "--base-url", url, "--api-key-env", "ASSAY_NO_SUCH"}, "is not set"}};
  for (const auto& [words, message] : wrong) {
    const ProgramEnd end = dry(words);
    EXPECT_EQ(end.status, 1) << Join(words, " ");
    EXPECT_THAT(end.err, HasSubstr(message)) << Join(words, " ");
    EXPECT_EQ(end.out, "") << Join(words, " ");
  }
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{},
        {"--model", "m", "--base-url", url},
        {"--model", "openai/m", "--model-args", "timeout=5"}}) {
    const ProgramEnd end = dry(words);
    EXPECT_EQ(end.status, 0) << Join(words, " ") << end.err;
  }
}

TEST(CommandLine, ADryRunSaysWhetherTokensAreLimited) {
  const TemporaryDirectory directory;
  WriteWholeFile(directory.Path("t.yaml"),
                 "name: t\nversion: 1\ndataset: {file: t.jsonl}\nfields: {reference: a}\n"
                 "prompt: '{{ q }}'\nextract: boxed\ngrader: exact\n");
  WriteWholeFile(directory.Path("t.jsonl"), "{\"q\":\"?\",\"a\":\"1\"}\n");
  std::vector<std::string> words = {"run", "--tasks", directory.Path("t.yaml"), "--dry-run"};
  EXPECT_THAT(RunAssay(words).out, HasSubstr("completion tokens without a limit"));
  words.push_back("--json");
  ASSERT_OK_AND_ASSIGN(const Json open, ParseJson(RunAssay(words).out));
  EXPECT_TRUE(open.AsArray()[0].Find("completion_tokens_at_most")->is_null());
  words.insert(words.end(), {"--max-tokens", "7", "--samples", "3"});
  ASSERT_OK_AND_ASSIGN(const Json limited, ParseJson(RunAssay(words).out));
  EXPECT_EQ(limited.AsArray()[0].FindInteger("completion_tokens_at_most"), 21);
}

TEST(CommandLine, TooFewSamplesNameTheMetricsThatTheyCarry) {
  const TemporaryDirectory directory;
  const auto refused = [&](const std::string& metrics, const char* samples) {
    WriteWholeFile(directory.Path("t.yaml"),
                   "name: t\nversion: 1\ndataset: {file: t.jsonl}\nfields: {reference: a}\n"
                   "prompt: '{{ q }}'\nextract: boxed\ngrader: exact\nmetrics: " +
                       metrics + "\n");
    WriteWholeFile(directory.Path("t.jsonl"), "{\"q\":\"?\",\"a\":\"1\"}\n");
    return RunAssay(
        {"run", "--tasks", directory.Path("t.yaml"), "--dry-run", "--samples", samples});
  };
  const ProgramEnd end = refused("[pass@1, cons@64]", "16");
  EXPECT_EQ(end.status, 1);
  EXPECT_THAT(end.err, HasSubstr("say --metrics pass@1,cons@16\n"));
  EXPECT_THAT(refused("[g-pass@16_0.5, pass@8, pass@4]", "4").err,
              HasSubstr("say --metrics g-pass@4_0.5,pass@4\n"));
  EXPECT_EQ(refused("[pass@1, cons@64]", "64").status, 0);
}

TEST(CommandLine, ANewTaskFindsItsDataFromEverywhere) {
  const TemporaryDirectory directory;
  WriteWholeFile(directory.Path("d.jsonl"), "{\"id\":\"a\",\"question\":\"?\",\"answer\":\"1\"}\n");
  std::filesystem::create_directories(directory.Path("sub"));
  std::filesystem::create_directories(directory.Path("data"));
  std::filesystem::copy_file(directory.Path("d.jsonl"), directory.Path("data/e.jsonl"));
  const auto in = [&](const std::string& words) {
    return testing_support::RunProgram(
        {"sh", "-c",
         "cd '" + directory.Path() + "' && '" + BinaryPath("bin/assay") + "' tasks " + words},
        {"ASSAY_DATA=" + directory.Path("data")});
  };
  // The words; the file that is written; how it names its data.
  const std::tuple<const char*, const char*, const char*> cases[] = {
      {"new beside --dataset-file d.jsonl", "beside.yaml", "file: d.jsonl\n"},
      {"new below -o sub/below.yaml --dataset-file d.jsonl", "sub/below.yaml",
       "file: \"../d.jsonl\"\n"},
      {"new taken -o sub/taken.yaml --dataset-file data/e.jsonl", "sub/taken.yaml",
       "file: e.jsonl\n"},
      {"new above --dataset-file ./d.jsonl", "above.yaml", "file: d.jsonl\n"},
      {"new named.yaml --dataset-file d.jsonl", "named.yaml", "name: named\n"},
      {"new sub/deep.yaml --dataset-file d.jsonl", "sub/deep.yaml", "name: deep\n"}};
  for (const auto& [words, file, wanted] : cases) {
    EXPECT_EQ(in(words).status, 0) << words;
    EXPECT_THAT(testing_support::ReadWholeFile(directory.Path(file)), HasSubstr(wanted)) << words;
    EXPECT_EQ(in(std::string("check ") + file).status, 0) << words;
    const ProgramEnd elsewhere = RunAssay({"tasks", "check", directory.Path(file)},
                                          {"ASSAY_DATA=" + directory.Path("data")});
    EXPECT_EQ(elsewhere.status, 0) << words << elsewhere.err;
  }
  EXPECT_THAT(in("new a/b").err, HasSubstr("say: assay tasks new b -o a/b.yaml"));
  EXPECT_EQ(in("new y.yaml -o z.yaml").status, 1);
  EXPECT_FALSE(std::filesystem::exists(directory.Path("named.yaml.yaml")));
}

TEST(CommandLine, ABrokenTaskFileHidesNoOther) {
  const TemporaryDirectory directory;
  WriteWholeFile(directory.Path("broken.yaml"), "name: broken\n");
  const ProgramEnd end = RunAssay({"tasks", "list", "--include-path", directory.Path()});
  EXPECT_EQ(end.status, 1);
  EXPECT_THAT(end.out, HasSubstr("basics_numbers"));
  EXPECT_THAT(end.err, HasSubstr("broken.yaml:1: task: the key"));
  const ProgramEnd gone = RunAssay({"tasks", "list", "--include-path", directory.Path("gone")});
  EXPECT_EQ(gone.status, 1);
  EXPECT_THAT(gone.out, HasSubstr("basics_numbers"));
  EXPECT_THAT(gone.err, HasSubstr("gone' is not there"));
  EXPECT_EQ(RunAssay({"tasks", "check", "basics_numbers", "--include-path", directory.Path("gone")})
                .status,
            1);
  EXPECT_EQ(RunAssay({"tasks", "list"}).status, 0);
}

TEST(CommandLine, AWordInSquareBracketsIsOneWord) {
  EXPECT_THAT(RunAssay({"verify", "[0,1]", "[0,1]"}).out, HasSubstr("correct"));
  EXPECT_THAT(RunAssay({"verify", "--", "(0,1)", "[0,1]"}).out, HasSubstr("incorrect"));
  EXPECT_THAT(RunAssay({"[run]"}).err, HasSubstr("'[run]'"));
}

TEST(CommandLine, NumbersThatMeanNothingAreRefused) {
  const auto error = [](const std::vector<std::string>& more) {
    std::vector<std::string> words = {"run", "--model", "m", "--tasks", "basics_words"};
    words.insert(words.end(), more.begin(), more.end());
    return RunAssay(words).err;
  };
  for (const char* limit : {"0", "-1", "1.5"}) {
    EXPECT_THAT(error({"--limit", limit}), HasSubstr("--limit: expected a count from 1 on"));
  }
  EXPECT_THAT(RunAssay({"tasks", "preview", "basics_numbers", "--limit", "-1"}).err,
              HasSubstr("--limit: expected 0 (all) or more, found -1"));
  EXPECT_THAT(RunAssay({"grade", "last", "--show", "-3"}).err,
              HasSubstr("--show: expected 0 or more, found -3"));
  EXPECT_THAT(error({"--max-connections", "-1"}), HasSubstr("--max-connections: expected"));
  EXPECT_THAT(error({"--name", "last"}), HasSubstr("'last' is the word for the newest run"));
  EXPECT_THAT(RunAssay({"export", "--format", "lm-eval", "-o", "-"}).err,
              HasSubstr("name a directory, found '-'"));
}

TEST(CommandLine, TwoFlagsThatContradictEachOtherAreRefused) {
  const auto dry = [](const std::string& kwargs, const std::string& flag,
                      const std::string& value) {
    return RunAssay({"run", "--tasks", "basics_numbers", "--limit", "1", "--dry-run",
                     "--gen-kwargs", kwargs, flag, value});
  };
  const ProgramEnd tokens = dry("max_tokens=5", "--max-tokens", "6");
  EXPECT_EQ(tokens.status, 1);
  EXPECT_THAT(tokens.err, HasSubstr("--gen-kwargs sets max_tokens to 5, and --max-tokens to 6"));
  EXPECT_EQ(dry("max_gen_toks=5", "--max-tokens", "6").status, 1);
  EXPECT_EQ(dry("temperature=0.5", "--temperature", "0").status, 1);
  EXPECT_EQ(dry("top_p=0.5", "--top-p", "1").status, 1);
  EXPECT_EQ(dry("max_tokens=6", "--max-tokens", "6").status, 0);
  EXPECT_EQ(dry("temperature=0", "--temperature", "0.0").status, 0);
}

TEST(CommandLine, WhereDatasetsAreIsJsonWhereAsked) {
  const ProgramEnd found = RunAssay({"datasets", "path", "basics", "--json"});
  EXPECT_EQ(found.status, 0) << found.err;
  ASSERT_OK_AND_ASSIGN(const Json list, ParseJson(found.out));
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list.AsArray()[0].FindString("name"), "basics");
  EXPECT_THAT(list.AsArray()[0].FindString("path").value_or(""), HasSubstr("basics.jsonl"));
}

TEST(CommandLine, ATabInATaskIsNamed) {
  const TemporaryDirectory directory;
  const std::string path = directory.Path("tabbed.yaml");
  testing_support::WriteWholeFile(path, "name: x\ndataset:\n\tfile: y.jsonl\n");
  const ProgramEnd tabbed = RunAssay({"tasks", "check", path});
  EXPECT_EQ(tabbed.status, 1);
  EXPECT_THAT(tabbed.err, HasSubstr("tabbed.yaml:3: a tab in the indentation"));
  // A tab elsewhere is not blamed for another mistake.
  testing_support::WriteWholeFile(path, "name: 'a\tb'\nabout: [x\n");
  EXPECT_THAT(RunAssay({"tasks", "check", path}).err, Not(HasSubstr("a tab in")));
}

TEST(CommandLine, TheDeviceIsAFlagToo) {
  const ProgramEnd twice = RunAssay({"run", "--model", "m", "--tasks", "basics_words", "--device",
                                     "cpu", "--model-args", "device=reference"});
  EXPECT_THAT(twice.err, AllOf(HasSubstr("--device says 'cpu'"), HasSubstr("'reference'")));
  const TemporaryDirectory directory;
  const ProgramEnd endpoint =
      RunAssay({"run", "--model", "m", "--base-url", "http://127.0.0.1:1/v1", "--tasks",
                "basics_words", "--device", "cpu", "--db", directory.Path("a.db")});
  EXPECT_NE(endpoint.status, 0) << "an endpoint has no device";
  EXPECT_THAT(endpoint.err, HasSubstr("device"));
}

TEST(CommandLine, OutputThatCannotBeWrittenIsAFailure) {
  if (access("/dev/full", W_OK) != 0) GTEST_SKIP() << "this machine has no /dev/full";
  const std::string command = BinaryPath("bin/assay") + " tasks list > /dev/full 2>&1";
  EXPECT_NE(std::system(command.c_str()), 0);
  const std::string fine = BinaryPath("bin/assay") + " tasks list > /dev/null 2>&1";
  EXPECT_EQ(std::system(fine.c_str()), 0);
}

TEST(CommandLine, FailedWorkIsStatusOne) {
  const TemporaryDirectory directory;
  for (const std::string command : {"runs", "show", "grade", "resume"}) {
    const ProgramEnd end = RunAssay({command, "--db", directory.Path("absent.db")});
    EXPECT_EQ(end.status, 1) << command;
    EXPECT_EQ(end.out, "") << command;
    EXPECT_THAT(end.err, HasSubstr("absent.db")) << command;
    // Who only reads makes no file.
    if (command == "runs" || command == "show") {
      EXPECT_FALSE(std::filesystem::exists(directory.Path("absent.db"))) << command;
    }
  }
}

}  // namespace
}  // namespace assay
