// The house rules as a test: who may include whom, which file owns which library, what a file opens
// with, and that the names written in tasks and documents exist.
#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include <re2/re2.h>
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "harness/extract.h"
#include "harness/registry.h"
#include "harness/task.h"
#include "harness/text.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing_support::ProjectFiles;
using testing_support::ReadWholeFile;
using testing_support::RunAssay;
using testing_support::SourcePath;

// --- the include table (docs/architecture.md) ---

// Folder -> our folders that it may include. tests/ and benchmarks/ may include everybody.
const std::map<std::string, std::set<std::string>, std::less<>>& IncludeTable() {
  static const auto* table = new std::map<std::string, std::set<std::string>, std::less<>>{
      {"harness", {"harness"}},
      {"sandbox", {"sandbox", "harness"}},
      {"graders", {"graders", "sandbox", "harness"}},
      {"http", {"http", "harness"}},
      {"inference", {"inference", "http", "harness"}},
      {"fetch", {"fetch", "http", "harness"}},
      {"reports", {"reports", "harness"}},
      {"commands", {"commands", "fetch", "http", "reports", "sandbox", "harness"}},
      {"main.cc", {"reports", "harness"}},
  };
  return *table;
}

const std::set<std::string, std::less<>> kOurFolders = {
    "harness", "http",    "sandbox",  "graders", "inference",
    "fetch",   "reports", "commands", "tests",   "benchmarks"};

// A header that has one home: it may be included by files whose path begins with one of these.
struct Seam {
  std::string_view header;  // the include begins with this
  std::vector<std::string_view> homes;
};
const std::vector<Seam>& Seams() {
  static const auto* seams = new std::vector<Seam>{
      {"sqlite3.h", {"harness/sqlite.cc"}},
      {"nlohmann/", {"harness/json.cc"}},
      {"curl/", {"http/client.cc", "benchmarks/curl_floor.cc"}},
      {"yaml-cpp/", {"harness/yaml.cc"}},
      {"CLI/", {"main.cc"}},
      {"oneapi/dnnl", {"inference/engine/matmul.cc"}},
      {"zstd", {"harness/compress.cc"}},
      {"zlib.h", {"harness/compress.cc"}},
      {"openssl/", {"harness/hash.cc"}},
      {"boost/process", {"harness/process.cc"}},
      {"boost/math", {"harness/distributions.cc", "tests/"}},  // tests: an oracle of its own
      {"boost/beast", {"http/server.cc"}},
      {"boost/asio", {"http/server.cc"}},
      {"gmp", {"graders/", "tests/"}},
      {"seccomp.h", {"sandbox/daemon/filter.cc"}},
      {"zip.h", {"fetch/archive.cc", "tests/fetch_archive_test.cc"}},
      {"unicode/", {"inference/engine/nfc.cc", "graders/instructions/unicode.cc"}},
      {"cuda_runtime", {"inference/engine/cuda/"}},
      {"cublasLt", {"inference/engine/cuda/device.cc"}},
  };
  return *seams;
}

struct Include {
  int line = 0;
  bool quoted = false;
  std::string path;
};

std::vector<Include> IncludesOf(std::string_view text) {
  std::vector<Include> includes;
  int number = 0;
  for (const std::string_view whole : SplitLines(text)) {
    ++number;
    std::string_view line = Trim(whole);
    if (!line.starts_with("#")) continue;
    line = TrimLeft(line.substr(1));
    if (!line.starts_with("include")) continue;
    line = TrimLeft(line.substr(7));
    if (line.empty() || (line[0] != '"' && line[0] != '<')) continue;
    const size_t end = line.find(line[0] == '"' ? '"' : '>', 1);
    if (end == std::string_view::npos) continue;
    includes.push_back({number, line[0] == '"', std::string(line.substr(1, end - 1))});
  }
  return includes;
}

std::string TopFolder(std::string_view path) { return std::string(Split(path, '/')[0]); }

std::optional<std::string> IncludeFinding(const std::string& file, const Include& include) {
  for (const Seam& seam : Seams()) {
    if (!std::string_view(include.path).starts_with(seam.header)) continue;
    bool at_home = false;
    for (const std::string_view home : seam.homes) at_home |= file.starts_with(home);
    if (at_home) return std::nullopt;
    return absl::StrFormat("%s:%d: <%s> has one home: %s", file, include.line, include.path,
                           seam.homes[0]);
  }
  if (!include.quoted) return std::nullopt;
  const std::string to = TopFolder(include.path);
  const auto from = IncludeTable().find(TopFolder(file));
  if (!kOurFolders.contains(to)) {
    // A packaged library's header, as Abseil's are written.
    if (Contains(include.path, "/") && !include.path.starts_with(".")) return std::nullopt;
    return absl::StrFormat("%s:%d: \"%s\": write the path from the root", file, include.line,
                           include.path);
  }
  if (from == IncludeTable().end() || from->second.contains(to)) return std::nullopt;
  return absl::StrFormat("%s:%d: %s may not include %s", file, include.line, from->first, to);
}

std::vector<std::string> IncludeFindings(const std::string& file, std::string_view text) {
  std::vector<std::string> findings;
  for (const Include& include : IncludesOf(text)) {
    if (const auto finding = IncludeFinding(file, include)) findings.push_back(*finding);
  }
  return findings;
}

// --- the opening sentence ---

std::optional<std::string> OpeningFinding(const std::string& file, std::string_view text) {
  const bool code = file.ends_with(".h") || file.ends_with(".cc") || file.ends_with(".cu");
  const std::string_view mark = code ? "// " : "# ";
  std::string sentence;
  for (const std::string_view line : SplitLines(text)) {
    if (sentence.empty() && line.starts_with("#!")) continue;
    // Python's way to say it: a docstring.
    if (sentence.empty() && !code && line.starts_with("\"\"\"")) sentence = line.substr(3);
    if (!line.starts_with(mark)) break;
    sentence += std::string(line.substr(mark.size())) + " ";
  }
  const std::string_view said = Trim(sentence);
  if (said.size() >= 15 && (Contains(said, ".") || Contains(said, "?"))) return std::nullopt;
  return absl::StrFormat("%s:1: expected a comment that says in a sentence what the file is for",
                         file);
}

bool OpensWithASentence(std::string_view file) {
  for (const std::string_view end : {".h", ".cc", ".cu", ".py", ".sh", ".cmake"}) {
    if (file.ends_with(end)) return true;
  }
  return file.starts_with("scripts/");
}

// --- one name, one type ---

// The types with a body that `text` declares in namespaces that other files see. Two files that
// declare one name differently compile and link, and one calls the other's destructor.
std::vector<std::string> SharedTypes(std::string_view text) {
  static const RE2 opens(R"((?:inline )?namespace ?([\w:]*) ?\{)");
  static const RE2 type(
      R"((?:class|struct|union|enum|enum class) (?:alignas\(\w+\) )?([A-Z]\w*)(?: final)?(?: : [^;]*)?(?: \{.*)?)");
  std::vector<std::string> within;
  std::vector<std::string> types;
  for (const std::string_view line : SplitLines(text)) {
    std::string name;
    if (RE2::FullMatch(line, opens, &name)) {
      within.push_back(name);
    } else if (line.starts_with("}  // namespace") && !within.empty()) {
      within.pop_back();
    } else if (RE2::FullMatch(line, type, &name) && !std::ranges::count(within, "")) {
      types.push_back(absl::StrCat(absl::StrJoin(within, "::"), "::", name));
    }
  }
  return types;
}

bool IsCode(std::string_view file) {
  return file.ends_with(".h") || file.ends_with(".cc") || file.ends_with(".cu");
}

// --- the tests of the rules ---

TEST(HouseRules, IncludesPointDown) {
  EXPECT_THAT(IncludeFindings("harness/text.cc", "// A.\n#include \"reports/table.h\"\n"),
              ElementsAre("harness/text.cc:2: harness may not include reports"));
  EXPECT_THAT(IncludeFindings("main.cc", "#  include \"graders/algebra/node.h\"  // why\n"),
              ElementsAre("main.cc:1: main.cc may not include graders"));
  EXPECT_THAT(IncludeFindings("graders/math.cc", "#include \"inference/http/asker.h\"\n"),
              ElementsAre("graders/math.cc:1: graders may not include inference"));
  EXPECT_THAT(IncludeFindings("commands/run.cc", "#include \"tests/testing.h\"\n"),
              ElementsAre("commands/run.cc:1: commands may not include tests"));
  EXPECT_THAT(IncludeFindings("harness/text.cc", "#include \"text.h\"\n#include \"../main.h\"\n"),
              ElementsAre("harness/text.cc:1: \"text.h\": write the path from the root",
                          "harness/text.cc:2: \"../main.h\": write the path from the root"));
  EXPECT_THAT(IncludeFindings("graders/math.cc",
                              "#include <string>\n#include \"harness/text.h\"\n"
                              "#include \"absl/status/status.h\"\n#include \"sandbox/run.h\"\n"),
              IsEmpty());
  EXPECT_THAT(IncludeFindings("tests/math_test.cc", "#include \"graders/algebra/node.h\"\n"),
              IsEmpty());
}

TEST(HouseRules, ALibraryHasOneHome) {
  EXPECT_THAT(IncludeFindings("harness/store.cc", "#include <sqlite3.h>\n"),
              ElementsAre("harness/store.cc:1: <sqlite3.h> has one home: harness/sqlite.cc"));
  EXPECT_THAT(IncludeFindings("tests/json_test.cc", "\n#include <nlohmann/json_fwd.hpp>\n"),
              ElementsAre("tests/json_test.cc:2: <nlohmann/json_fwd.hpp> has one home: "
                          "harness/json.cc"));
  EXPECT_THAT(IncludeFindings("harness/sqlite.cc", "#include <sqlite3.h>\n"), IsEmpty());
  EXPECT_THAT(IncludeFindings("http/client.cc", "#include <curl/curl.h>\n"), IsEmpty());
  EXPECT_THAT(IncludeFindings("inference/endpoint.cc", "#include \"curl/curl.h\"\n"),
              ElementsAre("inference/endpoint.cc:1: <curl/curl.h> has one home: http/client.cc"));
}

TEST(HouseRules, AFileOpensWithASentence) {
  EXPECT_EQ(OpeningFinding("a.cc", "// The only file that speaks SQLite.\n"), std::nullopt);
  EXPECT_EQ(OpeningFinding("scripts/a", "#!/bin/sh\n# Does all\n# that is wanted.\n"),
            std::nullopt);
  EXPECT_EQ(OpeningFinding("a.py", "#!/usr/bin/env python3\n\"\"\"Makes the replies.\"\"\"\n"),
            std::nullopt);
  for (const std::string_view text :
       {"", "#include <string>\n", "\n// A sentence that comes too late.\n", "// a.cc\n",
        "// store helpers and the like\nint x;\n"}) {
    EXPECT_NE(OpeningFinding("a.cc", text), std::nullopt) << text;
  }
}

TEST(HouseRules, TypesThatOtherFilesSeeAreFound) {
  EXPECT_THAT(SharedTypes("namespace assay {\nclass A {\nstruct B final : A {\nenum class C {\n"
                          "namespace inner {\nstruct D {};\n}  // namespace inner\nstruct E {\n"),
              ElementsAre("assay::A", "assay::B", "assay::C", "assay::inner::D", "assay::E"));
  EXPECT_THAT(SharedTypes("namespace assay {\nclass A;\n  class B {\nnamespace {\nclass C {\n"
                          "}  // namespace\nstruct D f();\nclass X::Y {\n}  // namespace assay\n"),
              IsEmpty());
}

TEST(House, OneNameIsOneType) {
  std::map<std::string, std::string> homes;
  for (const std::string& file : ProjectFiles()) {
    if (!IsCode(file)) continue;
    const std::vector<std::string> types = SharedTypes(ReadWholeFile(SourcePath(file)));
    for (const std::string& type : std::set<std::string>(types.begin(), types.end())) {
      const auto [known, is_new] = homes.emplace(type, file);
      EXPECT_TRUE(is_new) << file << ": " << type << " is declared in " << known->second
                          << " too; give one of them another name or a namespace of its own";
    }
  }
  EXPECT_GT(homes.size(), 200u);
}

TEST(House, IncludesAndSeamsHold) {
  int checked = 0;
  for (const std::string& file : ProjectFiles()) {
    if (!IsCode(file)) continue;
    ++checked;
    for (const std::string& finding : IncludeFindings(file, ReadWholeFile(SourcePath(file)))) {
      ADD_FAILURE() << finding;
    }
  }
  EXPECT_GT(checked, 40) << "the walk over the project found too few files";
}

TEST(House, EveryFileOpensWithASentence) {
  for (const std::string& file : ProjectFiles()) {
    if (!OpensWithASentence(file)) continue;
    if (const auto finding = OpeningFinding(file, ReadWholeFile(SourcePath(file)))) {
      ADD_FAILURE() << *finding;
    }
  }
}

TEST(House, HeadersGuardThemselves) {
  for (const std::string& file : ProjectFiles()) {
    if (!file.ends_with(".h")) continue;
    EXPECT_TRUE(Contains(ReadWholeFile(SourcePath(file)), "\n#pragma once\n"))
        << file << ":1: expected #pragma once";
  }
}

// --- names in tasks ---

// What keeps a task from being graded: it does not load, or names what does not exist.
std::vector<std::string> TaskFindings(const SearchPath& path, const std::string& spec) {
  const absl::StatusOr<std::vector<Task>> tasks = LoadTasks(path, spec, {});
  if (!tasks.ok()) return {std::string(tasks.status().message())};
  std::vector<std::string> findings;
  const auto check = [&](const Task& task, const absl::Status& status) {
    if (!status.ok()) findings.push_back(task.path + ": " + std::string(status.message()));
  };
  for (const Task& task : *tasks) {
    check(task, FindGrader(task.grader).status());
    check(task, FindExtractor(task.extractor).status());
    for (const std::string& metric : task.metrics) check(task, FindMetric(metric).status());
  }
  return findings;
}

TEST(HouseRules, ATaskWithAnUnknownGraderIsAFinding) {
  const testing_support::TemporaryDirectory directory;
  const std::string yaml =
      "name: sums\nversion: \"1\"\nabout: Sums.\ndataset:\n  file: sums.jsonl\n"
      "fields:\n  id: id\n  reference: answer\nprompt: \"{{ question }}\"\n"
      "extract:\n  name: boxed\ngrader:\n  name: GRADER\n";
  const std::string path = directory.Path("sums.yaml");
  testing_support::WriteWholeFile(path, ReplaceAll(yaml, "GRADER", "exact"));
  EXPECT_THAT(TaskFindings({}, path), IsEmpty());
  testing_support::WriteWholeFile(path, ReplaceAll(yaml, "GRADER", "exacd"));
  EXPECT_THAT(TaskFindings({}, path),
              ElementsAre(testing::AllOf(testing::HasSubstr("sums.yaml"),
                                         testing::HasSubstr("did you mean 'exact'"))));
}

TEST(House, EveryTaskNamesWhatExists) {
  const SearchPath path = {.task_directories = {SourcePath("tasks")}};
  ASSERT_OK_AND_ASSIGN(const std::vector<TaskListing> listings, ListTasks(path));
  EXPECT_GE(listings.size(), 10u);
  for (const TaskListing& listing : listings) {
    for (const std::string& finding : TaskFindings(path, listing.name)) ADD_FAILURE() << finding;
  }
}

// --- names in documents ---

// What `assay PATH... --help` says, asked once each; nothing where there is no such command.
const std::string& HelpOf(const std::vector<std::string>& command) {
  static auto* known = new std::map<std::vector<std::string>, std::string>;
  const auto [entry, is_new] = known->try_emplace(command);
  if (is_new) {
    std::vector<std::string> words = command;
    words.push_back("--help");
    const testing_support::ProgramEnd end = RunAssay(words);
    if (end.status == 0) entry->second = end.out;
  }
  return entry->second;
}

// "--name" as a whole word in `help`, dashes and underscores alike.
bool HelpNames(std::string_view help, std::string_view flag) {
  const std::string wanted = ReplaceAll(flag, "_", "-");
  const std::string blanked = ReplaceAll(ReplaceAll(help, ",", " "), "\n", " ") + " ";
  return Contains(blanked, " " + wanted + " ");
}

// A shell line's words up to a pipe, a comment or another command; quotes hold words together.
std::vector<std::string> ShellWords(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  char quote = 0;
  bool begun = false;
  for (const char c : std::string(line) + " ") {
    if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else {
        word += c;
      }
    } else if (c == '"' || c == '\'') {
      quote = c;
      begun = true;
    } else if (c == ' ' || c == '\t') {
      if (word == "|" || word == "&&" || word == ";" || word == ">" || word == "&") return words;
      if (word.starts_with("#")) return words;
      if (begun || !word.empty()) words.push_back(word);
      word.clear();
      begun = false;
    } else {
      word += c;
    }
  }
  return words;
}

std::optional<std::string> CommandFinding(const std::vector<std::string>& words) {
  std::vector<std::string> command;
  size_t i = 1;
  for (; i < words.size() && !words[i].starts_with("-"); ++i) {
    std::vector<std::string> longer = command;
    longer.push_back(words[i]);
    const bool is_group = command.empty() || Contains(HelpOf(command), "Subcommands:");
    if (!is_group) break;
    if (HelpOf(longer).empty()) return "no such command: assay " + Join(longer, " ");
    command = longer;
  }
  for (; i < words.size() && words[i] != "--"; ++i) {
    const std::string flag = words[i].substr(0, words[i].find('='));
    const bool is_flag = flag.size() > 1 && flag[0] == '-' && std::isdigit(flag[1]) == 0;
    if (is_flag && !HelpNames(HelpOf(command), flag)) {
      return absl::StrFormat("assay %s has no flag %s", Join(command, " "), flag);
    }
  }
  return std::nullopt;
}

// Lines of ``` blocks that run our program or a script, with their numbers; a '\' joins lines.
struct DocumentCommand {
  int line = 0;
  std::vector<std::string> words;
};
std::vector<DocumentCommand> CommandsIn(std::string_view text) {
  std::vector<DocumentCommand> commands;
  bool in_block = false;
  int number = 0, begin = 0;
  std::string joined;
  for (const std::string_view line : SplitLines(text)) {
    ++number;
    if (Trim(line).starts_with("```")) {
      in_block = !in_block;
      joined.clear();
      continue;
    }
    if (!in_block) continue;
    if (joined.empty()) begin = number;
    joined += line;
    if (joined.ends_with("\\")) {
      joined.back() = ' ';
      continue;
    }
    std::string_view shell = Trim(joined);
    if (shell.starts_with("$ ")) shell = TrimLeft(shell.substr(2));
    std::vector<std::string> words = ShellWords(shell);
    // NAME=value before the program
    while (!words.empty() && Contains(words[0], "=")) words.erase(words.begin());
    if (!words.empty()) commands.push_back({begin, words});
    joined.clear();
  }
  return commands;
}

std::optional<std::string> DocumentFinding(const std::vector<std::string>& words) {
  std::string_view program = words[0];
  if (program.starts_with("./")) program.remove_prefix(2);
  if (program == "assay" || program.ends_with("/assay")) return CommandFinding(words);
  const bool ours = program.starts_with("scripts/") || program.starts_with("benchmarks/");
  if (ours && !std::filesystem::exists(SourcePath(program))) {
    return "no such script: " + std::string(program);
  }
  return std::nullopt;
}

TEST(HouseRules, CommandsOfDocumentsAreFound) {
  const std::vector<DocumentCommand> commands = CommandsIn(
      "assay not in a block\n```sh\n$ KEY=x assay run --tasks a \\\n  --model 'b c' | head\n"
      "some output\n```\n");
  ASSERT_EQ(commands.size(), 2u);
  EXPECT_EQ(commands[0].line, 3);
  EXPECT_THAT(commands[0].words, ElementsAre("assay", "run", "--tasks", "a", "--model", "b c"));
}

TEST(HouseRules, WrongCommandsOfDocumentsAreFindings) {
  EXPECT_EQ(DocumentFinding({"assay", "doctor"}), std::nullopt);
  EXPECT_EQ(DocumentFinding({"assay", "--version"}), std::nullopt);
  EXPECT_EQ(DocumentFinding({"build/release/bin/assay", "doctor", "--help"}), std::nullopt);
  EXPECT_EQ(DocumentFinding({"scripts/test"}), std::nullopt);
  EXPECT_EQ(DocumentFinding({"assay", "docter"}), "no such command: assay docter");
  EXPECT_EQ(DocumentFinding({"assay", "doctor", "--hel"}), "assay doctor has no flag --hel");
  EXPECT_EQ(DocumentFinding({"scripts/tset"}), "no such script: scripts/tset");
}

TEST(House, CommandsInDocumentsExist) {
  for (const std::string& file : ProjectFiles()) {
    if (!file.ends_with(".md")) continue;
    for (const DocumentCommand& command : CommandsIn(ReadWholeFile(SourcePath(file)))) {
      const std::optional<std::string> finding = DocumentFinding(command.words);
      if (finding) ADD_FAILURE() << file << ":" << command.line << ": " << *finding;
    }
  }
}

}  // namespace
}  // namespace assay
