// Tasks: what a file may say, what a row becomes, and that a wrong word is told with its line.
#include "harness/task.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "harness/data_manifest.h"
#include "harness/keys.h"
#include "harness/rows.h"
#include "harness/status.h"
#include "harness/task_spec.h"
#include "harness/text.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::ReadTable;
using testing_support::TemporaryDirectory;
using testing_support::WriteWholeFile;

constexpr const char* kTask = R"(name: t
version: 1.0
about: a task
card: {source: here, licence: MIT}
dataset: {file: t.jsonl}
fields: {id: id, reference: answer, tags: [subject]}
prompt: "Q: {{ question }}"
extract: boxed
grader: exact
samples: 4
sampling: {temperature: 0.60, top_p: 0.95, max_tokens: 100}
)";

constexpr const char* kRows =
    R"({"id":"p1","question":"1+1?","answer":"2","subject":"sum"}
{"id":"p2","question":"2+1?","answer":3,"subject":"sum"}
{"id":"p3","question":"2*3?","answer":"6","subject":"product"}
)";

// A directory with one task and its rows.
class Folder {
 public:
  explicit Folder(const std::string& yaml = kTask, const std::string& rows = kRows,
                  const std::string& rows_name = "t.jsonl") {
    Write("t.yaml", yaml);
    Write(rows_name, rows);
    path.task_directories = {directory_.Path()};
  }
  void Write(const std::string& name, std::string_view text) {
    std::filesystem::create_directories(std::filesystem::path(directory_.Path(name)).parent_path());
    WriteWholeFile(directory_.Path(name), text);
  }
  std::string Path(const std::string& name) const { return directory_.Path(name); }

  absl::StatusOr<Task> Load(const std::string& spec = "t",
                            const TaskOverrides& overrides = {}) const {
    ASSIGN_OR_RETURN(std::vector<Task> tasks, LoadTasks(path, spec, overrides));
    return tasks.front();
  }
  absl::StatusOr<std::vector<AskedProblem>> Ask(const TaskOverrides& overrides = {},
                                                uint64_t seed = 0) const {
    ASSIGN_OR_RETURN(const Task task, Load("t", overrides));
    ASSIGN_OR_RETURN(std::unique_ptr<ProblemStream> stream, OpenProblems(path, task, seed));
    std::vector<AskedProblem> all;
    while (true) {
      ASSIGN_OR_RETURN(std::optional<AskedProblem> one, stream->Next());
      if (!one) return all;
      all.push_back(*std::move(one));
    }
  }

  SearchPath path;

 private:
  TemporaryDirectory directory_;
};

std::string With(std::string text, std::string_view from, std::string_view to) {
  EXPECT_THAT(text, HasSubstr(std::string(from)));
  return ReplaceAll(text, from, to);
}

std::string MessageOf(const absl::Status& status) { return std::string(status.message()); }

TEST(TaskTest, ReadsADefinition) {
  const Folder folder;
  ASSERT_OK_AND_ASSIGN(const Task task, folder.Load());
  EXPECT_EQ(task.name, "t");
  EXPECT_EQ(task.version, "1.0");
  EXPECT_EQ(task.samples, 4);
  EXPECT_EQ(task.sampling.temperature, 0.6);
  EXPECT_EQ(task.sampling.max_tokens, 100);
  EXPECT_FALSE(task.sampling.top_k.has_value());
  EXPECT_THAT(task.metrics, ElementsAre("pass@1"));
  EXPECT_EQ(task.extractor, "boxed");
  EXPECT_EQ(task.grader, "exact");
  EXPECT_EQ(task.card.FindString("licence"), "MIT");
}

// As written, not as the number that it looks like: 1.10 comes after 1.9, and is not 1.1.
TEST(TaskTest, AVersionIsWhatIsWritten) {
  for (const std::string version : {"1.10", "2", "0.90", "1.0", "10.500", "007", "1.1.0"}) {
    Folder folder(With(kTask, "version: 1.0", "version: " + version));
    ASSERT_OK_AND_ASSIGN(const Task task, folder.Load());
    EXPECT_EQ(task.version, version);
  }
}

TEST(TaskTest, AsksTheRowsInOrder) {
  const Folder folder;
  ASSERT_OK_AND_ASSIGN(const std::vector<AskedProblem> asked, folder.Ask());
  ASSERT_EQ(asked.size(), 3u);
  EXPECT_EQ(asked[1].problem.id, "p2");
  EXPECT_EQ(asked[1].problem.reference, "3");
  EXPECT_EQ(asked[1].line, 2);
  EXPECT_THAT(asked[2].problem.tags, ElementsAre("subject:product"));
  ASSERT_EQ(asked[0].prompt.messages.size(), 1u);
  EXPECT_EQ(asked[0].prompt.messages[0].role, "user");
  EXPECT_EQ(asked[0].prompt.messages[0].text, "Q: 1+1?");
}

// tests/tables/task_errors.txt: what is replaced | by what | what the message must hold.
TEST(TaskTest, EveryMistakeIsToldWithItsLine) {
  for (const auto& row : ReadTable("task_errors.txt")) {
    ASSERT_EQ(row.fields.size(), 3u) << "task_errors.txt:" << row.line;
    const Folder folder(With(kTask, row.fields[0], row.fields[1]));
    const absl::StatusOr<std::vector<AskedProblem>> asked = folder.Ask();
    ASSERT_FALSE(asked.ok()) << "task_errors.txt:" << row.line << ": no error";
    EXPECT_THAT(MessageOf(asked.status()), HasSubstr(row.fields[2]))
        << "task_errors.txt:" << row.line;
  }
}

TEST(TaskTest, EveryBadRowIsToldWithItsLineAndTheNextOneIsRead) {
  const Folder folder(kTask, R"({"id":"a","question":"x","answer":"1","subject":"s"}
{"id":"b","question":"x","answr":"1","subject":"s"}
{"id":"c","question":"x","answer":["1"],"subject":"s"}
{"id":"d","question":"x","answer":" ","subject":"s"}
{"id":"a","question":"y","answer":"1","subject":"s"}
{"id":"e","questio":"y","answer":"1","subject":"s"}
{"id":"f","question":"y","answer":"1","subject":"s"}
)");
  ASSERT_OK_AND_ASSIGN(const Task task, folder.Load());
  ASSERT_OK_AND_ASSIGN(auto stream, OpenProblems(folder.path, task, 0));
  EXPECT_TRUE(stream->Next().ok());
  const std::vector<const char*> wanted = {
      "t.jsonl:2: no field 'answer'; did you mean 'answr'?",
      "t.jsonl:3: field 'answer': expected text or a number, found [\"1\"]",
      "t.jsonl:4: the reference is empty", "t.jsonl:5: the id 'a' was used by an earlier row",
      "t.jsonl:6: the template uses 'question', which this row has not; did you mean 'questio'?"};
  for (const char* message : wanted) {
    const auto row = stream->Next();
    ASSERT_FALSE(row.ok()) << message;
    EXPECT_THAT(MessageOf(row.status()), HasSubstr(message));
  }
  ASSERT_OK_AND_ASSIGN(const auto last, stream->Next());
  EXPECT_EQ(last->problem.id, "f");
}

// A field may be asked for in ways that allow its absence; none of them is an error.
TEST(TaskTest, ATemplateMayAskWhetherTheRowHasAField) {
  const std::pair<const char*, const char*> cases[] = {
      {"{% if row['hint'] is defined %}{{ row['hint'] }}{% endif %}Q", "Q"},
      {"{{ row['hint'] | default('none') }}", "none"},
      {"{{ row.get('hint', 'none') }} {{ row.get('id') }}", "none p1"},
      {"{% if 'hint' in row %}{{ row.hint }}{% endif %}Q", "Q"},
      {"{{ row['question'] }} {{ row.subject }}", "1+1? sum"}};
  for (const auto& [prompt, wanted] : cases) {
    const Folder folder(With(kTask, "Q: {{ question }}", prompt));
    const absl::StatusOr<std::vector<AskedProblem>> asked = folder.Ask();
    ASSERT_TRUE(asked.ok()) << prompt << ": " << asked.status();
    EXPECT_EQ(asked->front().prompt.messages[0].text, wanted);
  }
}

// What stands in the row, in the place of a field; what the run and the check say of it, or
// nothing.
TEST(TaskTest, ANullIsNeverSentAsAWord) {
  const std::string row = R"({"id":"p1","question":"1+1?","answer":"2","subject":"sum"})";
  const std::tuple<const char*, const char*, const char*> cases[] = {
      {"\"1+1?\"", "null",
       "t.jsonl:1: t.yaml: prompt:1: 'question' is null, and it would be written as the word None"},
      {"\"2\"", "null", "t.jsonl:1: field 'answer': expected text or a number, found null"},
      {"\"sum\"", "null", "t.jsonl:1: field 'subject': expected text or a number, found null"},
      {"\"p1\"", "null", "t.jsonl:1: field 'id': expected text or a number, found null"},
      {"\"sum\"", "\"sum\",\"unused\":null", ""},
      {"\"1+1?\"", "\"None\"", ""}};
  for (const auto& [from, to, wanted] : cases) {
    const Folder folder(kTask, With(row, from, to) + "\n");
    std::string message = MessageOf(folder.Ask().status());
    message = ReplaceAll(message, folder.Path("") + "/", "");
    EXPECT_THAT(message, HasSubstr(wanted)) << to;
    EXPECT_EQ(message.empty(), *wanted == '\0') << message;
  }
}

TEST(TaskTest, ReferencesAreCutOutOfSolutions) {
  const Folder folder(
      With(kTask, "reference: answer",
           "reference: {field: answer, after: '####', before: ' dollars', map: {'18': eighteen}}"),
      "{\"id\":\"1\",\"question\":\"q\",\"subject\":\"s\",\"answer\":\"a #### b\\n#### 18 "
      "dollars\"}\n"
      "{\"id\":\"2\",\"question\":\"q\",\"subject\":\"s\",\"answer\":\"18\"}\n"
      "{\"id\":\"3\",\"question\":\"q\",\"subject\":\"s\",\"answer\":\"#### 19 dollars\"}\n");
  ASSERT_OK_AND_ASSIGN(const Task task, folder.Load());
  ASSERT_OK_AND_ASSIGN(auto stream, OpenProblems(folder.path, task, 0));
  ASSERT_OK_AND_ASSIGN(const auto first, stream->Next());
  EXPECT_EQ(first->problem.reference, "eighteen");
  EXPECT_THAT(MessageOf(stream->Next().status()),
              HasSubstr("t.jsonl:2: field 'answer': no '####'"));
  EXPECT_THAT(MessageOf(stream->Next().status()), HasSubstr("'19' is not in the task's map"));
}

TEST(TaskTest, NestedFieldsAndConstantsAreSources) {
  const Folder folder(With(With(kTask, "reference: answer", "reference: target.spans.1"),
                           "[subject]", "{kind: {value: 7}, who: {template: '{{ question }}'}}"),
                      "{\"id\":1,\"question\":\"q\",\"target\":{\"spans\":[\"a\",\"b\"]}}\n");
  ASSERT_OK_AND_ASSIGN(const std::vector<AskedProblem> asked, folder.Ask());
  EXPECT_EQ(asked[0].problem.reference, "b");
  EXPECT_EQ(asked[0].problem.id, "1");
  EXPECT_THAT(asked[0].problem.tags, ElementsAre("kind:7", "who:q"));
}

TEST(TaskTest, RowsWithoutAnIdAreKnownByTheirContent) {
  const std::string yaml = With(kTask, "id: id, ", "");
  const std::string row = "{\"question\":\"q\",\"answer\":\"1\",\"subject\":\"s\"}\n";
  const std::string other = "{\"question\":\"r\",\"answer\":\"1\",\"subject\":\"s\"}\n";
  ASSERT_OK_AND_ASSIGN(const auto one, Folder(yaml, row + other + row).Ask());
  ASSERT_OK_AND_ASSIGN(const auto two, Folder(yaml, other + row).Ask());
  EXPECT_EQ(one[0].problem.id.size(), 16u);
  EXPECT_EQ(one[0].problem.id, two[1].problem.id);
  EXPECT_EQ(one[1].problem.id, two[0].problem.id);
  EXPECT_EQ(one[2].problem.id, one[0].problem.id + "-2");
}

TEST(TaskTest, FilterKeepsRowsAndRefusesAWrongField) {
  const auto filtered = [](std::string_view filter) {
    return Folder(With(kTask, "{file: t.jsonl}",
                       absl::StrFormat("{file: t.jsonl, filter: %s}", filter)))
        .Ask();
  };
  ASSERT_OK_AND_ASSIGN(const auto products, filtered("{subject: product}"));
  EXPECT_EQ(products.size(), 1u);
  ASSERT_OK_AND_ASSIGN(const auto two, filtered("{answer: [2, 3]}"));
  EXPECT_EQ(two.size(), 2u);
  EXPECT_THAT(MessageOf(filtered("{subjct: product}").status()), HasSubstr("dataset.filter: "));
  EXPECT_THAT(MessageOf(filtered("{subject: none}").status()), HasSubstr("no row passes"));
}

TEST(TaskTest, PartsAreReadAsOneAndReleasesAreTheFirst) {
  const std::string last = R"({"id":"p4","question":"1?","answer":"1","subject":"sum"})"
                           "\n";
  Folder folder(With(kTask, "{file: t.jsonl}", "{file: all.jsonl, parts: [t.jsonl, b/2.jsonl]}"));
  folder.Write("b/2.jsonl", last);
  ASSERT_OK_AND_ASSIGN(const auto all, folder.Ask());
  EXPECT_EQ(all.size(), 4u);
  EXPECT_EQ(all[3].problem.id, "p4");
  EXPECT_EQ(all[3].line, 1);  // of its own part
  const std::pair<const char*, size_t> releases[] = {
      {"release_v1", 3}, {"release_v2", 4}, {"release_latest", 4}, {"v2", 1}, {"v1_v2", 4}};
  for (const auto& [name, count] : releases) {
    ASSERT_OK_AND_ASSIGN(const auto some, folder.Ask({.release = name}));
    EXPECT_EQ(some.size(), count) << name;
  }
  for (const char* name : {"release_v3", "v0", "v2_v1", "release_v1_v2", "latest"}) {
    EXPECT_THAT(MessageOf(folder.Ask({.release = name}).status()), HasSubstr("release_v1 to"))
        << name;
  }
  ASSERT_OK_AND_ASSIGN(const Task task, folder.Load());
  ASSERT_OK_AND_ASSIGN(const auto parts, OpenProblems(folder.path, task, 0));
  // What is joined outside has the same fingerprint, and comes first.
  folder.Write("all.jsonl", kRows + last);
  ASSERT_OK_AND_ASSIGN(const auto joined, OpenProblems(folder.path, task, 0));
  EXPECT_EQ(joined->dataset_sha256(), parts->dataset_sha256());
  EXPECT_THAT(joined->dataset_path(), HasSubstr("all.jsonl"));
  EXPECT_THAT(MessageOf(Folder().Ask({.release = "v1"}).status()), HasSubstr("no parts"));
}

TEST(TaskTest, AReleaseOfAJoinedFileSaysWhatToDo) {
  Folder folder(With(kTask, "{file: t.jsonl}",
                     "{file: all.jsonl, parts: [c/1.jsonl, c/2.jsonl], hub_id: some/set}"));
  folder.Write("all.jsonl", kRows);
  EXPECT_OK(folder.Ask().status());
  EXPECT_OK(folder.Ask({.release = "release_v2"}).status());  // all of it
  const std::string said = MessageOf(folder.Ask({.release = "release_v1"}).status());
  for (const char* part : {"'c/1.jsonl' was not found", "all.jsonl holds", "--since", "some/set"})
    EXPECT_THAT(said, HasSubstr(part));
}

TEST(TaskTest, AWindowOfDatesIsHalfOpen) {
  const Folder folder(
      With(kTask, "{file: t.jsonl}", "{file: t.jsonl, date: day}"),
      R"({"id":"a","question":"1?","answer":"1","subject":"s","day":"2024-07-31T23:59:59"}
{"id":"b","question":"1?","answer":"2","subject":"s","day":"2024-08-01T00:00:00"}
{"id":"c","question":"1?","answer":"3","subject":"s","day":"2025-01-31T20:00:00"}
{"id":"d","question":"1?","answer":"4","subject":"s","day":"2025-02-01T00:00:00"}
)");
  const auto ids = [&](std::optional<std::string> since, std::optional<std::string> until) {
    std::string text;
    const auto asked = folder.Ask({.since = since, .until = until});
    EXPECT_OK(asked);
    for (const AskedProblem& one : *asked) text += one.problem.id;
    return text;
  };
  EXPECT_EQ(ids("2024-08-01", "2025-02-01"), "bc");
  EXPECT_EQ(ids("2024-08-01", std::nullopt), "bcd");
  EXPECT_EQ(ids(std::nullopt, "2025-01-31"), "ab");
  ASSERT_OK_AND_ASSIGN(const Task one, folder.Load("t", {.since = "2024-08-01"}));
  ASSERT_OK_AND_ASSIGN(const Task other, folder.Load("t", {.since = "2024-08-02"}));
  EXPECT_NE(one.hash, other.hash);
  const std::pair<TaskOverrides, const char*> wrong[] = {
      {{.since = "August"}, "--since: expected a date as YYYY-MM-DD (2024-08-01), found 'August'"},
      {{.since = "2024-13-45"}, "--since: expected a date as YYYY-MM-DD"},
      {{.until = "2023-02-29"}, "--until: expected a date as YYYY-MM-DD"},
      {{.until = "2024-02-29T24:00"}, "--until: expected a date as YYYY-MM-DD"},
      {{.since = "2024-08-01", .until = "2024-08-01"}, "is not before"},
      {{.until = "2001-01-01"}, "no row passes"}};
  for (const auto& [overrides, message] : wrong)
    EXPECT_THAT(MessageOf(folder.Ask(overrides).status()), HasSubstr(message));
  EXPECT_THAT(MessageOf(Folder().Ask({.since = "2024-08-01"}).status()), HasSubstr("dataset.date"));
}

TEST(TaskTest, ADateIsADayOfTheCalendar) {
  for (const char* date :
       {"2024-08-01", "2024-02-29", "2000-02-29", "0001-01-01", "2024-08-01T00:00",
        "2024-08-01 23:59:59", "2024-08-01T12:00:00.25Z", "2024-08-01T12:00+02:00"}) {
    EXPECT_TRUE(IsDate(date)) << date;
  }
  for (const char* text :
       {"", "null", "2024", "2024-08", "2024-8-1", "15.02.2024", "2024/08/01", "2024-13-45",
        "2024-00-10", "2024-02-30", "2023-02-29", "1900-02-29", "2024-08-01T24:00",
        "2024-08-01T12:60", "2024-08-01T", "2024-08-01x", " 2024-08-01"}) {
    EXPECT_FALSE(IsDate(text)) << text;
  }
}

// What stands in the second row as its day; what a window says of it, or nothing where the row is
// left out or in.
TEST(TaskTest, ARowWithoutADateIsNotPassedOverInAWindow) {
  const std::string yaml = With(kTask, "{file: t.jsonl}", "{file: t.jsonl, date: day}");
  const std::tuple<const char*, const char*, size_t> cases[] = {
      {"null", "t.jsonl:2: field 'day': expected a date as YYYY-MM-DD", 0},
      {"\"15.02.2024\"",
       "expected a date as YYYY-MM-DD (2024-08-01), a time may follow, found "
       "\"15.02.2024\"",
       0},
      {"\"\"", "t.jsonl:2: field 'day': expected a date", 0},
      {"20240801", "t.jsonl:2: field 'day': expected a date", 0},
      {"\"2024-02-30\"", "t.jsonl:2: field 'day': expected a date", 0},
      {"\"2024-08-01 00:30\"", "", 2},
      {"\"2024-08-01\"", "", 2},
      {"\"2024-07-31 23:30\"", "", 1}};
  for (const auto& [day, wanted, asked_rows] : cases) {
    const std::string rows = absl::StrFormat(
        R"({"id":"a","question":"1?","answer":"1","subject":"s","day":"2024-09-01"}
{"id":"b","question":"2?","answer":"2","subject":"s","day":%s}
)",
        day);
    const Folder folder(yaml, rows);
    const auto asked = folder.Ask({.since = "2024-08-01"});
    EXPECT_THAT(MessageOf(asked.status()), HasSubstr(wanted)) << day;
    EXPECT_EQ(asked.ok(), *wanted == '\0') << day;
    EXPECT_EQ(asked.ok() ? asked->size() : 0, asked_rows) << day;
    EXPECT_OK(folder.Ask()) << "without a window nobody needs the date";
  }
  // A range of text knows no dates, but a null is in none.
  const std::string text =
      With(kTask, "{file: t.jsonl}", "{file: t.jsonl, filter: {subject: {from: m, until: t}}}");
  ASSERT_OK_AND_ASSIGN(const auto some, Folder(text).Ask());
  EXPECT_EQ(some.size(), 3u);
  EXPECT_THAT(MessageOf(Folder(text, ReplaceAll(kRows, "\"product\"", "null")).Ask().status()),
              HasSubstr("t.jsonl:3: field 'subject': expected a text or a number to compare"));
}

TEST(TaskTest, AWrongFingerprintNamesBothHashes) {
  const std::string wrong(64, 'a');
  const Folder folder(With(kTask, "{file: t.jsonl}", "{file: t.jsonl, sha256: " + wrong + "}"));
  const std::string message = MessageOf(folder.Ask().status());
  EXPECT_THAT(message, HasSubstr(wrong));
  ASSERT_OK_AND_ASSIGN(const std::string right, FileSha256(folder.Path("t.jsonl")));
  EXPECT_THAT(message, HasSubstr(right));
  const Folder good(With(kTask, "{file: t.jsonl}", "{file: t.jsonl, sha256: " + right + "}"));
  EXPECT_OK(good.Ask());
}

TEST(TaskTest, DatasetsAreFoundBesideTheTaskThenInDataDirectories) {
  Folder folder(kTask, kRows, "data/t.jsonl");
  EXPECT_THAT(MessageOf(folder.Ask().status()), HasSubstr("was not found. Looked at: "));
  folder.path.data_directories = {folder.Path("nowhere"), folder.Path("data")};
  EXPECT_OK(folder.Ask());
  EXPECT_OK(folder.Ask({.dataset_file = folder.Path("data/t.jsonl")}));
}

// --- choices ---

constexpr const char* kChoiceTask = R"(name: t
version: 1
dataset: {file: t.jsonl}
fields: {id: id, choices: options, reference_index: right}
prompt: "{{ question }} {{ letters }}"
extract: letter
grader: choice
)";

std::string ChoiceRows(int count, std::string_view options = R"(["w","x","y","z"])") {
  std::string rows;
  for (int i = 0; i < count; ++i) {
    rows += absl::StrFormat("{\"id\":\"c%d\",\"question\":\"q%d\",\"options\":%s,\"right\":%d}\n",
                            i, i, options, i % 4);
  }
  return rows;
}

TEST(TaskTest, ChoicesFollowTheSeedAndTheLetterFollowsThem) {
  const Folder folder(kChoiceTask, ChoiceRows(40));
  ASSERT_OK_AND_ASSIGN(const auto one, folder.Ask({}, 1));
  ASSERT_OK_AND_ASSIGN(const auto again, folder.Ask({}, 1));
  ASSERT_OK_AND_ASSIGN(const auto two, folder.Ask({}, 2));
  std::set<std::vector<int>> orders;
  std::map<std::string, int> letters;
  int moved = 0;
  for (size_t i = 0; i < one.size(); ++i) {
    const Problem& problem = one[i].problem;
    EXPECT_EQ(problem.choice_order, again[i].problem.choice_order);
    EXPECT_EQ(problem.choice_order, ChoiceOrder(problem.id, 1, 4));
    moved += problem.choice_order != two[i].problem.choice_order ? 1 : 0;
    orders.insert(problem.choice_order);
    ++letters[problem.reference];
    const std::string published = std::string("wxyz").substr(i % 4, 1);
    EXPECT_EQ(problem.choices[static_cast<size_t>(problem.reference[0] - 'A')], published);
  }
  EXPECT_GT(moved, 30);
  EXPECT_GT(orders.size(), 10u);
  EXPECT_EQ(letters.size(), 4u) << "the right letter must not be constant";
}

TEST(TaskTest, ChoicesThatSpeakOfPlacesKeepTheirs) {
  const std::string options = R"(["w","x","y","all of the above"])";
  ASSERT_OK_AND_ASSIGN(const auto safe, Folder(kChoiceTask, ChoiceRows(20, options)).Ask({}, 5));
  for (const AskedProblem& asked : safe) {
    EXPECT_THAT(asked.problem.choice_order, ElementsAre(0, 1, 2, 3));
  }
  const std::string always =
      With(kChoiceTask, "choices: options", "choices: {field: options, shuffle: true}");
  ASSERT_OK_AND_ASSIGN(const auto shuffled, Folder(always, ChoiceRows(20, options)).Ask({}, 5));
  EXPECT_TRUE(std::any_of(shuffled.begin(), shuffled.end(), [](const AskedProblem& asked) {
    return asked.problem.choices.back() != "all of the above";
  }));
  const std::string never =
      With(kChoiceTask, "choices: options", "choices: {field: options, shuffle: false}");
  ASSERT_OK_AND_ASSIGN(const auto kept, Folder(never, ChoiceRows(20)).Ask({}, 5));
  for (const AskedProblem& asked : kept) {
    EXPECT_THAT(asked.problem.choices, ElementsAre("w", "x", "y", "z"));
  }
}

// tests/tables/task_choices.txt: one option | refers, or not
TEST(TaskTest, OptionsThatReferToOthersAreKnown) {
  for (const auto& row : ReadTable("task_choices.txt")) {
    EXPECT_EQ(ChoicesReferToPlaces({"an option", row.fields[0]}), row.fields[1] == "refers")
        << "task_choices.txt:" << row.line << ": " << row.fields[0];
  }
}

// Numbers are places where no option speaks of them as quantities.
TEST(TaskTest, NumberedOptionsAreKnownByTheOthers) {
  EXPECT_TRUE(ChoicesReferToPlaces({"LC network.", "RC network.", "RL network.", "Both 2 and 3."}));
  EXPECT_TRUE(ChoicesReferToPlaces({"x", "y", "either (1) or (2)", "neither 1 nor 2"}));
  EXPECT_FALSE(ChoicesReferToPlaces({"2 only", "3 only", "both 2 and 3", "neither 2 nor 3"}));
  EXPECT_FALSE(ChoicesReferToPlaces({"2", "3", "5", "both 2 and 3"}));
  EXPECT_FALSE(ChoicesReferToPlaces({"x", "y", "z", "both 5 and 7"}));
  EXPECT_FALSE(ChoicesReferToPlaces({"x", "y", "z", "both 2 and 3 atoms"}));
  EXPECT_FALSE(ChoicesReferToPlaces({"1, 2", "2, 3", "(1, 2)", "between 1 and 2"}));
}

TEST(TaskTest, FillersAreDroppedAndPositionsStayTheDatasets) {
  const std::string yaml = With(kChoiceTask, "choices: options",
                                "choices: {field: options, drop: [N/A], shuffle: false}");
  const std::string options = R"(["N/A","x","N/A","z"])";
  const Folder folder(yaml, ChoiceRows(2, options));
  ASSERT_OK_AND_ASSIGN(const Task task, folder.Load());
  ASSERT_OK_AND_ASSIGN(auto stream, OpenProblems(folder.path, task, 0));
  EXPECT_THAT(MessageOf(stream->Next().status()), HasSubstr("is one that the task drops"));
  ASSERT_OK_AND_ASSIGN(const auto second, stream->Next());
  EXPECT_THAT(second->problem.choices, ElementsAre("x", "z"));
  EXPECT_THAT(second->problem.choice_order, ElementsAre(1, 3));
  EXPECT_EQ(second->problem.reference, "A");
}

TEST(TaskTest, TheRightChoiceIsToldByIndexLetterOrText) {
  const std::string row = R"({"id":1,"question":"q","options":["w","x","y"],"right":RIGHT})";
  const auto ask = [&](const std::string& form, const std::string& right) {
    return Folder(With(With(kChoiceTask, "reference_index: right", form + ": right"),
                       "choices: options", "choices: {field: options, shuffle: false}"),
                  With(row, "RIGHT", right) + "\n")
        .Ask();
  };
  const std::vector<std::tuple<const char*, const char*, const char*>> cases = {
      {"reference_index", "1", "B"},
      {"reference_index", "\"1\"", "B"},
      {"reference_letter", "\"C\"", "C"},
      {"reference_letter", "\"c\"", "C"},
      {"reference_choice", "\" x \"", "B"},
      {"reference_index", "3", "expected 0 to 2"},
      {"reference_index", "-1", "expected"},
      {"reference_letter", "\"D\"", "a letter from A to C"},
      {"reference_letter", "\"AB\"", "a letter"},
      {"reference_choice", "\"v\"", "one of the choices"},
  };
  for (const auto& [form, right, wanted] : cases) {
    const auto asked = ask(form, right);
    EXPECT_THAT(asked.ok() ? (*asked)[0].problem.reference : MessageOf(asked.status()),
                HasSubstr(wanted))
        << form << " " << right;
  }
}

// --- few-shot ---

std::string FewShotTask(const std::string& more) {
  return std::string(kTask) + "fewshot: {count: 2" + more + "}\n";
}

std::string ManyRows(int count) {
  std::string rows;
  for (int i = 0; i < count; ++i) {
    rows += absl::StrFormat(
        "{\"id\":\"n%d\",\"question\":\"what is %d?\",\"answer\":\"%d\",\"subject\":\"s\"}\n", i, i,
        i);
  }
  return rows;
}

TEST(TaskTest, FewShotExamplesAreFixedAndNeverTheProblemItself) {
  const Folder folder(FewShotTask(""), ManyRows(30));
  ASSERT_OK_AND_ASSIGN(const auto asked, folder.Ask({}, 1));
  ASSERT_OK_AND_ASSIGN(const auto other_seed, folder.Ask({}, 2));
  std::set<std::string> firsts;
  for (size_t i = 0; i < asked.size(); ++i) {
    const std::vector<Message>& messages = asked[i].prompt.messages;
    ASSERT_EQ(messages.size(), 5u);
    EXPECT_EQ(messages[1].role, "assistant");
    EXPECT_EQ("what is " + messages[1].text + "?", messages[0].text.substr(3));
    EXPECT_NE(messages[0].text, messages[4].text);
    EXPECT_NE(messages[2].text, messages[4].text);
    EXPECT_EQ(messages[0].text, other_seed[i].prompt.messages[0].text);
    firsts.insert(messages[0].text + messages[2].text);
  }
  EXPECT_LE(firsts.size(), 3u) << "problems share their examples, but for those drawn themselves";
  ASSERT_OK_AND_ASSIGN(const auto seeded, Folder(FewShotTask(", seed: 7"), ManyRows(30)).Ask());
  EXPECT_NE(seeded[0].prompt.messages[0].text, asked[0].prompt.messages[0].text);
}

TEST(TaskTest, FewShotFromAnotherFileSkipsTheSameQuestion) {
  Folder folder(
      FewShotTask(
          ", file: train.jsonl, as_turns: false, reply: ' A: {{ reference }}', separator: ' / '"),
      ManyRows(3));
  folder.Write("train.jsonl", ReplaceAll(ManyRows(4), "\"n", "\"train"));
  ASSERT_OK_AND_ASSIGN(const auto asked, folder.Ask());
  ASSERT_EQ(asked.size(), 3u);
  for (size_t i = 0; i < asked.size(); ++i) {
    ASSERT_EQ(asked[i].prompt.messages.size(), 1u);
    const std::string& text = asked[i].prompt.messages[0].text;
    const std::string own = absl::StrFormat("what is %d?", i);
    EXPECT_EQ(text.find(own), text.rfind(own)) << text;
    EXPECT_THAT(text, testing::EndsWith(own));
    EXPECT_THAT(text, HasSubstr(" A: "));
  }
}

// The row of another file; whether it asks what the tested one asks ("q", "w x y z", right: x).
TEST(TaskTest, AnExampleIsNeverTheTestedQuestionInAnotherOrder) {
  const std::string yaml =
      With(kChoiceTask, "extract:", "fewshot: {count: 1, file: train.jsonl}\nextract:");
  const std::string row =
      R"({"id":"t0","question":"Is  it so?","options":["w","x","y","z"],"right":1})";
  const std::string other =
      R"({"id":"o","question":"Another?","options":["w","x","y","z"],"right":1})";
  const std::pair<std::string, bool> cases[] = {
      {With(row, "t0", "t1"), true},
      {R"({"id":"u","question":" Is it\nso? ","options":["w","x","y","z"],"right":1})", true},
      {R"({"id":"u","question":"Is it so?","options":["z","y","x","w"],"right":2})", true},
      {R"({"id":"u","question":"Is it so?","options":["x","k","l"],"right":0})", true},
      {R"({"id":"u","question":"Is it so?","options":["k","l","m","n"],"right":0})", false},
      {R"({"id":"u","question":"Is it not so?","options":["w","x","y","z"],"right":1})", false}};
  for (const auto& [example, same] : cases) {
    Folder folder(With(yaml, "{{ letters }}", "{{ lettered_choices }}"), row + "\n");
    folder.Write("train.jsonl", example + "\n" + other + "\n");
    for (uint64_t seed = 0; seed < 4; ++seed) {
      ASSERT_OK_AND_ASSIGN(const auto asked, folder.Ask({}, seed));
      const std::vector<Message>& messages = asked[0].prompt.messages;
      ASSERT_EQ(messages.size(), 3u);
      EXPECT_TRUE(!same || Contains(messages[0].text, "Another?")) << example;
    }
    // Alone it is either too few, or shown.
    folder.Write("train.jsonl", example + "\n");
    const auto alone = folder.Ask();
    EXPECT_EQ(alone.ok(), !same) << example << alone.status();
  }
}

TEST(TaskTest, AnExampleOfAnotherFormIsComparedByBothTemplates) {
  const std::string yaml =
      With(kTask, "extract:",
           "fewshot: {count: 1, file: train.jsonl, template: 'Say: {{ question }}'}\nextract:");
  Folder folder(yaml);
  folder.Write("train.jsonl", ReplaceAll(kRows, "\"p", "\"train"));
  ASSERT_OK_AND_ASSIGN(const auto asked, folder.Ask());
  for (const AskedProblem& one : asked) {
    EXPECT_NE(one.prompt.messages[0].text,
              "Say: " + one.problem.row.FindString("question").value_or(""));
  }
}

TEST(TaskTest, AnExampleThatCannotBeShownIsToldWithItsLine) {
  const std::string yaml =
      With(kTask, "extract:", "fewshot: {count: 1, file: train.jsonl}\nextract:");
  const std::pair<const char*, const char*> cases[] = {
      {R"({"id":"x","question":null,"answer":"1","subject":"s"})",
       "train.jsonl:1: as a few-shot example: "},
      {R"({"id":"x","questin":"?","answer":"1","subject":"s"})",
       "train.jsonl:1: as a few-shot example: the template uses 'question', which this row has"}};
  for (const auto& [row, message] : cases) {
    Folder folder(yaml);
    folder.Write("train.jsonl", std::string(row) + "\n");
    EXPECT_THAT(MessageOf(folder.Ask().status()), HasSubstr(message)) << row;
  }
}

TEST(TaskTest, TooFewRowsForTheExamplesIsAnError) {
  EXPECT_THAT(MessageOf(Folder(FewShotTask(""), ManyRows(2)).Ask().status()),
              HasSubstr("too few to draw 2 few-shot examples"));
  EXPECT_THAT(MessageOf(Folder().Load("t", {.num_fewshot = 3}).status()),
              HasSubstr("no few-shot examples to draw 3 from"));
  EXPECT_OK(Folder().Load("t", {.num_fewshot = 0}));
}

// --- overrides and hashes ---

TEST(TaskTest, OverridesChangeTheTaskAndItsHash) {
  const Folder folder(FewShotTask(""), ManyRows(30));
  ASSERT_OK_AND_ASSIGN(const Task plain, folder.Load());
  std::set<std::string> hashes = {plain.hash};
  const auto load = [&](const TaskOverrides& overrides) {
    const absl::StatusOr<Task> task = folder.Load("t", overrides);
    EXPECT_TRUE(task.ok()) << task.status();
    EXPECT_TRUE(hashes.insert(task->hash).second) << "the hash must change";
    return *task;
  };
  EXPECT_EQ(load({.samples = 9}).samples, 9);
  EXPECT_THAT(load({.metrics = {"cons@4"}}).metrics, ElementsAre("cons@4"));
  const Task sampled = load(
      {.sampling = *ParseJson(
           R"({"max_gen_toks": 7, "temperature": "0.1", "until": "X", "do_sample": true, "reasoning_effort": "low"})")});
  EXPECT_EQ(sampled.sampling.max_tokens, 7);
  EXPECT_EQ(sampled.sampling.temperature, 0.1);
  EXPECT_EQ(sampled.sampling.top_p, 0.95) << "what is not overridden stays";
  EXPECT_THAT(sampled.sampling.stop, ElementsAre("X"));
  EXPECT_EQ(sampled.sampling.extra.FindString("reasoning_effort"), "low");
  EXPECT_EQ(load({.sampling = *ParseJson(R"({"do_sample": false})")}).sampling.temperature, 0.0);
  load({.num_fewshot = 1});
  load({.system_instruction = "be brief"});
  load({.reply_prefix = "<think>\n"});
  load({.dataset_file = folder.Path("t.jsonl")});
  ASSERT_OK_AND_ASSIGN(const auto asked, folder.Ask({.num_fewshot = 1,
                                                     .system_instruction = "be brief",
                                                     .reply_prefix = "<think>\n"}));
  EXPECT_EQ(asked[0].prompt.messages[0].role, "system");
  EXPECT_EQ(asked[0].prompt.messages.size(), 4u);
  EXPECT_EQ(asked[0].prompt.reply_prefix, "<think>\n");
}

TEST(TaskTest, WrongOverridesAreErrors) {
  const Folder folder;
  const std::vector<std::pair<const char*, const char*>> cases = {
      {R"({"temprature": 1})", "unknown key 'temprature'; did you mean 'temperature'?"},
      {R"({"temperature": "hot"})", "sampling.temperature: expected a number from 0 to 100"},
      {R"({"temperature": -1})", "expected a number from 0 to 100"},
      {R"({"top_p": 0})", "expected a number above 0"},
      {R"({"max_tokens": 5, "max_gen_toks": 6})", "both set max_tokens: expected one of them"},
      {R"({"logit_bias": {"1": 2}, "extra": {"logit_bias": {"1": 3}}})",
       "both set extra.logit_bias"},
      {R"({"max_tokens": 0})", "expected a whole number from 1 to 2147483647"},
      {R"({"max_tokens": 1.5})", "expected a whole number from 1 to 2147483647"},
      {R"({"seed": 1})", "use --seed"},
      {R"({"stop": [1]})", "expected text or a list of texts"},
      {R"([1])", "expected a map"}};
  for (const auto& [sampling, message] : cases) {
    EXPECT_THAT(MessageOf(folder.Load("t", {.sampling = *ParseJson(sampling)}).status()),
                HasSubstr(message));
  }
  EXPECT_THAT(MessageOf(folder.Load("t", {.metrics = {"pas@1"}}).status()),
              HasSubstr("--metrics: unknown metric 'pas@1'; did you mean"));
  EXPECT_FALSE(folder.Load("t", {.samples = 0}).ok());
}

TEST(TaskTest, TheHashIsOfTheMeaningNotOfTheText) {
  ASSERT_OK_AND_ASSIGN(const Task plain, Folder().Load());
  const auto hash = [](const std::string& yaml) {
    const absl::StatusOr<Task> task = Folder(yaml).Load();
    EXPECT_TRUE(task.ok()) << task.status();
    return task->hash;
  };
  EXPECT_EQ(plain.hash, hash(std::string("# a comment\n") + kTask));
  EXPECT_EQ(plain.hash, hash(With(kTask, "0.60", "0.6")));
  EXPECT_EQ(plain.hash, hash(With(kTask, "max_tokens", "max_gen_toks")));
  EXPECT_EQ(plain.hash, hash(With(kTask, "a task", "another text")));
  EXPECT_EQ(plain.hash, hash(std::string(kTask) + "metrics: [pass@1]\n"));
  EXPECT_NE(plain.hash, hash(With(kTask, "0.60", "0.61")));
  EXPECT_NE(plain.hash, hash(With(kTask, "Q: ", "Q : ")));
  EXPECT_NE(plain.hash, hash(With(kTask, "version: 1.0", "version: 1.1")));
  EXPECT_NE(hash(With(kTask, "version: 1.0", "version: 1.10")),
            hash(With(kTask, "version: 1.0", "version: 1.1")));
}

// --- finding ---

TEST(TaskTest, TheFirstDirectoryWinsAndPathsWork) {
  Folder folder;
  folder.Write("mine/t.yaml", With(kTask, "samples: 4", "samples: 5"));
  folder.path.task_directories = {folder.Path("mine"), folder.Path("")};
  ASSERT_OK_AND_ASSIGN(const Task mine, folder.Load());
  EXPECT_EQ(mine.samples, 5);
  ASSERT_OK_AND_ASSIGN(const Task by_path, folder.Load(folder.Path("t.yaml")));
  EXPECT_EQ(by_path.samples, 4);
  EXPECT_THAT(MessageOf(folder.Load("tt").status()),
              HasSubstr("unknown task 'tt' (looked for tt.yaml in: "));
  EXPECT_THAT(MessageOf(folder.Load("no/t.yaml").status()), HasSubstr("no such task file"));
  folder.Write("other.yaml", kTask);
  EXPECT_THAT(MessageOf(folder.Load("other").status()),
              HasSubstr("other.yaml:1: name: expected the file's own name 'other', found 't'"));
}

TEST(TaskTest, SuitesNestAndTheirOverridesStack) {
  Folder folder;
  folder.Write("u.yaml", With(kTask, "name: t", "name: u"));
  folder.Write(
      "suites/inner.yaml",
      "suite: inner\ntasks:\n  - {name: t, samples: 2, sampling: {temperature: 0.2, top_k: 5}}\n");
  folder.Write("suites/outer.yaml",
               "suite: outer\nabout: all\ntasks:\n  - {name: inner, samples: 3}\n  - u\n");
  ASSERT_OK_AND_ASSIGN(
      const std::vector<Task> tasks,
      LoadTasks(folder.path, "outer", {.sampling = *ParseJson(R"({"top_k": 9})")}));
  ASSERT_EQ(tasks.size(), 2u);
  EXPECT_EQ(tasks[0].name, "t");
  EXPECT_EQ(tasks[0].samples, 3);
  EXPECT_EQ(tasks[0].sampling.temperature, 0.2);
  EXPECT_EQ(tasks[0].sampling.top_k, 9);
  EXPECT_EQ(tasks[1].samples, 4);
  ASSERT_OK_AND_ASSIGN(const std::vector<TaskListing> listings, ListTasks(folder.path));
  std::string shown;
  for (const TaskListing& listing : listings)
    shown += listing.name + (listing.is_suite ? "* " : " ");
  EXPECT_EQ(shown, "inner* outer* t u ");
}

TEST(TaskTest, BrokenSuitesAreErrors) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"suite: s\ntasks: [s]\n", "s.yaml: this suite holds itself"},
      {"suite: s\ntasks: [r]\n", "this suite holds itself"},
      {"suite: s\ntasks: [t, t]\n", "the task 't' is asked for twice"},
      {"suite: s\ntasks: [second_tas]\n",
       "s.yaml:2: unknown task 'second_tas'; did you mean 'second_task'?"},
      {"suite: s\ntasks: []\n", "s.yaml:2: tasks: expected a list of tasks"},
      {"suite: s\n", "tasks: expected a list of tasks"},
      {"suite: s\ntask: [t]\n", "s.yaml:2: suite: unknown key 'task'; did you mean 'tasks'?"},
      {"suite: s\ntasks: [{nam: t}]\n", "expected a task's name"},
      {"suite: s\ntasks:\n- name: t\n  sample: 3\n", "s.yaml:4: unknown key 'sample'"},
      {"suite: s\ntasks:\n- name: t\n  samples: x\n", "s.yaml:4: samples: expected a whole number"},
      {"suite: s\ntasks:\n- {name: t, sampling: {temp: 1}}\n",
       "s.yaml:3: sampling: unknown key 'temp'"},
      {"suite: x\ntasks: [t]\n", "suite: expected the file's own name 's'"},
  };
  for (const auto& [yaml, message] : cases) {
    Folder folder;
    folder.Write("s.yaml", yaml);
    folder.Write("second_task.yaml", With(kTask, "name: t", "name: second_task"));
    folder.Write("r.yaml", "suite: r\ntasks: [s]\n");
    EXPECT_THAT(MessageOf(folder.Load("s").status()), HasSubstr(message)) << yaml;
  }
}

TEST(TaskTest, ABrokenFileStopsTheListAndIsNamed) {
  Folder folder;
  folder.Write("v.yaml", "name: v\nversion: 1\n");
  EXPECT_THAT(MessageOf(ListTasks(folder.path).status()),
              HasSubstr("v.yaml:1: task: the key 'dataset'"));
  // Or it is told, and the others are listed.
  std::vector<absl::Status> broken;
  ASSERT_OK_AND_ASSIGN(const auto listings, ListTasks(folder.path, &broken));
  ASSERT_EQ(listings.size(), 1u);
  EXPECT_EQ(listings[0].name, "t");
  ASSERT_EQ(broken.size(), 1u);
  EXPECT_THAT(MessageOf(broken[0]), HasSubstr("v.yaml:1: task: the key 'dataset'"));
  EXPECT_OK(folder.Load("t")) << "a broken file stops nobody who asks for another";
}

TEST(TaskTest, ADirectoryThatIsNotThereIsTold) {
  Folder folder;
  folder.path.task_directories.insert(folder.path.task_directories.begin(), folder.Path("gone"));
  const char* message = "gone' is not there";
  EXPECT_THAT(MessageOf(folder.Load("t").status()), HasSubstr(message));
  EXPECT_THAT(MessageOf(ListTasks(folder.path).status()), HasSubstr(message));
  std::vector<absl::Status> broken;
  ASSERT_OK_AND_ASSIGN(const auto listings, ListTasks(folder.path, &broken));
  EXPECT_EQ(listings.size(), 1u);
  ASSERT_EQ(broken.size(), 1u);
  EXPECT_THAT(MessageOf(broken[0]), HasSubstr(message));
}

TEST(TaskTest, AFileBesideTheTaskIsHeldAgainstThePinOfItsName) {
  Folder folder;
  folder.path.data_directories = {folder.Path("data")};
  const auto pin = [&](const std::string& file, const std::string& sha256) {
    DataManifest manifest;
    manifest.Put({"t", file, sha256, 3, 10, "", "2026-01-01T00:00:00Z", "assay", false, {}});
    folder.Write("data/assay-manifest.json", DataManifestText(manifest));
  };
  ASSERT_OK_AND_ASSIGN(const std::string own, FileSha256(folder.Path("t.jsonl")));
  EXPECT_OK(folder.Ask());
  pin("t.jsonl", own);
  EXPECT_OK(folder.Ask()) << "the pinned one, whichever copy is read";
  pin("t.jsonl", std::string(64, '0'));
  const std::string message = MessageOf(folder.Ask().status());
  EXPECT_THAT(message, HasSubstr("t.jsonl: it is found first and is not the 't.jsonl' that was"));
  EXPECT_THAT(message, HasSubstr("pinned on 2026-01-01T00:00:00Z"));
  EXPECT_THAT(message, HasSubstr(own));
  EXPECT_OK(folder.Ask({.dataset_file = folder.Path("t.jsonl")})) << "it was pointed at";
  pin("u.jsonl", std::string(64, '0'));
  EXPECT_OK(folder.Ask());
  pin("t.jsonl", std::string(64, '0'));
  folder.Write("t.yaml", With(kTask, "{file: t.jsonl}", "{file: t.jsonl, sha256: " + own + "}"));
  EXPECT_OK(folder.Ask()) << "the task's own pin decides";
  pin("all.jsonl", std::string(64, '0'));
  folder.Write("t.yaml", With(kTask, "{file: t.jsonl}", "{file: all.jsonl, parts: [t.jsonl]}"));
  EXPECT_OK(folder.Ask({.release = "v1"})) << "a part is no other version of the whole";
}

// --- tasks check ---

absl::StatusOr<TaskCheck> CheckFolder(const Folder& folder) {
  ASSIGN_OR_RETURN(const Task task, folder.Load());
  return CheckTask(folder.path, task, 0);
}

std::string FindingsOf(const absl::StatusOr<TaskCheck>& check) {
  if (!check.ok()) return MessageOf(check.status());
  std::string all;
  for (const TaskFinding& finding : check->findings) {
    all +=
        absl::StrFormat("%s%d %s\n", finding.fatal ? "bad " : "look ", finding.line, finding.what);
  }
  return all;
}

TEST(TaskCheckTest, ASoundTaskHasNoFindings) {
  const absl::StatusOr<TaskCheck> check = CheckFolder(Folder());
  EXPECT_EQ(FindingsOf(check), "");
  EXPECT_EQ(check->problems, 3);
  EXPECT_EQ(check->references_correct, 3);
  EXPECT_EQ(check->others_tried, 2);
  EXPECT_EQ(check->others_rejected, 2);
}

TEST(TaskCheckTest, DamageIsTold) {
  const auto row = [](std::string_view id, std::string_view question, std::string_view answer) {
    return absl::StrFormat(
        "{\"id\":\"%s\",\"question\":\"%s\",\"answer\":\"%s\",\"subject\":\"s\"}\n", id, question,
        answer);
  };
  const std::vector<std::tuple<std::string, const char*>> cases = {
      {row("a", "what \xEF\xBF\xBD is", "1"), "look 1 the prompt holds a replacement character"},
      {row("a", "Janet\xC3\xA2\xE2\x82\xAC\xE2\x84\xA2s ducks", "1"), "UTF-8 read as Windows-1252"},
      {row("a", "caf\xC3\x83\xC2\xA9", "1"), "UTF-8 read as Latin-1"},
      {row("a", "what is \\frac12", "1"), "a form feed: a TeX command like \\frac lost"},
      {row("a", "q", "\\boxed{1}"), "the reference holds a backspace"},
      {row("a", "q", "1") + row("b", "q", "1.0"), "look 2 the same prompt as line 1\n"},
      {row("a", "q", "1") + row("b", "q", "2"),
       "bad 2 the same prompt as line 1, with another reference"},
      {row("a", "is it a certain thing or not?", "a certain thing"),
       "look 1 the reference stands in the prompt"},
      {row("a", std::string(100'001, 'x'), "1"), "look 1 a prompt of 100,005 bytes"},
      {row("a", "the answer is \\\\boxed{7}", "7"),
       "look 1 the prompt, given back as the reply, is graded correct"},
      {row("a", "q", ""), "bad 0 "},
      {row("a", "q", "1") + row("b", "", "2"),
       "look 2 'question', which the prompt shows, is empty"},
      {row("a", " \\n ", "1"), "look 1 'question', which the prompt shows, is empty"},
      {ReplaceAll(row("a", "q", "1"), "\"q\"", "null"), "'question' is null"},
      {row("a", "q", "1") + "x\n" + row("b", "r", "1"), "t.jsonl:2: JSON"},
      {row("a", "q", "1") +
           "{\"id\":\"b\",\"question\":[\"q\"],\"answer\":\"2\",\"subject\":\"s\"}\n",
       "bad 2 field 'question': found array, the row at line 1 has string"},
      {row("a", "q", "1}} \\\\fbox{2}"),
       "bad 1 the reference '1}} \\fbox{2}', given as the answer, is graded"},
  };
  for (const auto& [rows, wanted] : cases) {
    EXPECT_THAT(FindingsOf(CheckFolder(Folder(kTask, rows))), HasSubstr(wanted))
        << rows.substr(0, 200);
  }
}

TEST(TaskCheckTest, ChoicesThatStandTwiceAreTold) {
  const std::string rows =
      R"({"id":1,"question":"q","options":["w","x","x","z"],"right":1}
{"id":2,"question":"r","options":["w","x","x","z"],"right":0}
{"id":3,"question":"s","options":["w"," ","y","z"],"right":0}
)";
  const std::string findings = FindingsOf(CheckFolder(Folder(kChoiceTask, rows)));
  EXPECT_THAT(findings,
              HasSubstr("bad 1 the choice 'x' stands there twice, and one of the two is"));
  EXPECT_THAT(findings, HasSubstr("look 2 the choice 'x' stands there twice\n"));
  EXPECT_THAT(findings, HasSubstr("look 3 choice "));
}

TEST(TaskCheckTest, RepeatsAreFoundWhateverTheOrderOfTheChoices) {
  const std::string row = R"("question":"q","options":["w","x","y","z"],"right":1})";
  std::string rows;
  for (int i = 0; i < 6; ++i) rows += absl::StrFormat("{\"id\":%d,", i) + row + "\n";
  const std::string yaml = With(kChoiceTask, "{{ letters }}", "{{ lettered_choices }}");
  const absl::StatusOr<TaskCheck> check = CheckFolder(Folder(yaml, rows));
  EXPECT_THAT(FindingsOf(check), HasSubstr("look 6 the same prompt as line 1"));
}

TEST(TaskCheckTest, AGraderThatFindsNothingRightOrEverythingIsBad) {
  const std::string never =
      With(kTask, "extract: boxed", "extract: {name: regex, options: {pattern: 'never (.)'}}");
  EXPECT_THAT(FindingsOf(CheckFolder(Folder(never))), HasSubstr("bad 1 the reference '2'"));
  const std::string always = With(kTask, "extract: boxed",
                                  "extract: {name: regex, options: {pattern: '()', which: first}}");
  EXPECT_THAT(FindingsOf(CheckFolder(Folder(always))), HasSubstr("bad"));
}

TEST(TaskCheckTest, MetricsThatTheSamplesCannotCarryAreBad) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"metrics: [pass@1, pass@4, cons@k]", ""},
      {"metrics: [pass@8, pass@1]", "bad 0 metric 'pass@8': k is 8, and only 4 samples of each"},
      {"metrics: [pass@1, maj@5]", "bad 0 metric 'maj@5': k is 5"},
      {"metrics: [g-pass@16_0.5]", "bad 0 metric 'g-pass@16_0.5': k is 16"},
      {"metrics: [pass^64]", "bad 0 metric 'pass^64': k is 64"}};
  for (const auto& [metrics, wanted] : cases) {
    const std::string findings = FindingsOf(CheckFolder(Folder(std::string(kTask) + metrics)));
    EXPECT_THAT(findings, HasSubstr(wanted)) << metrics;
    EXPECT_EQ(findings.empty(), *wanted == '\0') << findings;
  }
}

TEST(TaskCheckTest, RowsThatNoWindowCouldPlaceAreTold) {
  const std::pair<const char*, const char*> cases[] = {
      {"id", "bad 1 dataset.date: field 'id': expected a date as YYYY-MM-DD, found \"p1\""},
      {"subjct", "bad 1 dataset.date: no field 'subjct'; did you mean 'subject'?"}};
  for (const auto& [field, wanted] : cases) {
    const std::string yaml =
        With(kTask, "{file: t.jsonl}", absl::StrFormat("{file: t.jsonl, date: %s}", field));
    EXPECT_THAT(FindingsOf(CheckFolder(Folder(yaml))), HasSubstr(wanted));
  }
  const std::string dated = With(kTask, "{file: t.jsonl}", "{file: t.jsonl, date: subject}");
  const std::string rows =
      ReplaceAll(ReplaceAll(kRows, "\"sum\"", "\"2024-08-01\""), "\"product\"", "null");
  const std::string null_tag = With(dated, ", tags: [subject]", "");
  EXPECT_EQ(FindingsOf(CheckFolder(Folder(null_tag, rows))),
            "bad 3 dataset.date: field 'subject': expected a date as YYYY-MM-DD, found null\n");
  EXPECT_EQ(FindingsOf(CheckFolder(Folder(null_tag, ReplaceAll(rows, "null", "\"2025-01-01\"")))),
            "");
}

TEST(TaskCheckTest, TheCardIsHeldAgainstTheRows) {
  const std::string yaml = With(kTask, "card: {source: here, licence: MIT}", "card: {size: 4}");
  const std::string findings = FindingsOf(CheckFolder(Folder(yaml)));
  EXPECT_THAT(findings, HasSubstr("the card says 4 problems, the dataset holds 3"));
  EXPECT_THAT(findings, HasSubstr("the card does not say the source"));
}

}  // namespace
}  // namespace assay
