// The shipped tasks, suites, problem set and replies: each loads, is what its card says, and does
// what the replies' authors expect.
#include <algorithm>
#include <filesystem>
#include <map>
#include <numeric>
#include <set>

#include "harness/catalogue.h"
#include "harness/grading.h"
#include "harness/reasoning.h"
#include "harness/rows.h"
#include "harness/status.h"
#include "harness/task.h"
#include "harness/text.h"
#include "tests/testing.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing_support::ReadJsonLinesFile;
using testing_support::SharedPath;
using testing_support::SourcePath;
using testing_support::TemporaryDirectory;
using testing_support::WriteWholeFile;

SearchPath ShippedPath() {
  return {{SourcePath("tasks")}, {SourcePath("../shared/data"), SourcePath("datasets")}};
}

absl::StatusOr<std::vector<AskedProblem>> AskAll(const Task& task, uint64_t seed) {
  ASSIGN_OR_RETURN(std::unique_ptr<ProblemStream> stream, OpenProblems(ShippedPath(), task, seed));
  std::vector<AskedProblem> all;
  while (true) {
    ASSIGN_OR_RETURN(std::optional<AskedProblem> asked, stream->Next());
    if (!asked) return all;
    all.push_back(*std::move(asked));
  }
}

TEST(TaskFilesTest, AllLoadAndSayWhereTheyComeFrom) {
  ASSERT_OK_AND_ASSIGN(const std::vector<TaskListing> listings, ListTasks(ShippedPath()));
  std::set<std::string> names;
  for (const TaskListing& listing : listings) {
    names.insert(listing.name);
    EXPECT_FALSE(listing.about.empty()) << listing.path;
    ASSERT_OK_AND_ASSIGN(const std::vector<Task> tasks, LoadTasks(ShippedPath(), listing.name, {}));
    for (const Task& task : tasks) {
      EXPECT_TRUE(task.card.Find("source") != nullptr && task.card.Find("licence") != nullptr)
          << task.path;
      // DeepSeek-R1's decoding.
      EXPECT_EQ(task.sampling.temperature, 0.6) << task.path;
      EXPECT_EQ(task.sampling.top_p, 0.95) << task.path;
      // The demo checkpoint has a context of 1,024 tokens; asking it for more is refused.
      const bool for_demo = task.name.starts_with("demo_");
      EXPECT_EQ(task.sampling.max_tokens, for_demo ? 320 : 32768) << task.path;
      EXPECT_EQ(task.definition.Find("system"), nullptr) << task.path;
    }
  }
  for (const char* wanted :
       {"math_500", "aime_2024", "aime_2025", "amc_2023", "gsm8k", "mmlu", "mmlu_stem", "mmlu_pro",
        "mmlu_redux", "gpqa_diamond", "basics_numbers", "basics_choice", "basics_words", "r1",
        "quickstart"}) {
    EXPECT_TRUE(names.contains(wanted)) << wanted;
  }
}

TEST(TaskFilesTest, TheCatalogueAndTheTasksAgree) {
  ASSERT_OK_AND_ASSIGN(const std::vector<CatalogueEntry> entries, LoadCatalogue(ShippedPath()));
  std::map<std::string, CatalogueEntry> by_file;
  for (const CatalogueEntry& entry : entries) by_file[entry.file] = entry;
  ASSERT_OK_AND_ASSIGN(const std::vector<TaskListing> listings, ListTasks(ShippedPath()));
  for (const TaskListing& listing : listings) {
    if (listing.is_suite) continue;
    ASSERT_OK_AND_ASSIGN(const std::vector<Task> tasks, LoadTasks(ShippedPath(), listing.name, {}));
    const std::string file = std::filesystem::path(tasks[0].dataset.file).filename().string();
    ASSERT_TRUE(by_file.contains(file)) << file;
    const CatalogueEntry& entry = by_file[file];
    EXPECT_THAT(entry.tasks, testing::Contains(listing.name));
    if (!tasks[0].dataset.sha256.empty()) {
      EXPECT_EQ(entry.sha256, tasks[0].dataset.sha256) << file;
    }
    const auto size = tasks[0].card.FindInteger("size");
    if (size && file != "basics.jsonl") {
      EXPECT_EQ(*size, entry.rows) << file;
    }
  }
  const auto basics = std::find_if(entries.begin(), entries.end(), [](const CatalogueEntry& entry) {
    return entry.name == "basics";
  });
  const DatasetCheck check = CheckDataset(ShippedPath(), *basics);
  EXPECT_EQ(check.state, DatasetState::kAsPublished) << check.what;
}

TEST(TaskFilesTest, DatasetsAtHandAreComparedWithTheCatalogue) {
  const TemporaryDirectory directory;
  const SearchPath path{{}, {directory.Path()}};
  CatalogueEntry entry;
  entry.file = "a.jsonl";
  entry.rows = 2;
  EXPECT_EQ(CheckDataset(path, entry).state, DatasetState::kAbsent);
  WriteWholeFile(directory.Path("a.jsonl"), "{\"q\":1}\n{\"q\":2}\n");
  const DatasetCheck rows_only = CheckDataset(path, entry);
  EXPECT_EQ(rows_only.state, DatasetState::kRowsOnly);
  entry.sha256 = rows_only.sha256;
  EXPECT_EQ(CheckDataset(path, entry).state, DatasetState::kAsPublished);
  entry.rows = 3;
  EXPECT_EQ(CheckDataset(path, entry).state, DatasetState::kDiffers);
  entry.rows = 2;
  WriteWholeFile(directory.Path("a.jsonl"), "{\"q\":1}\n{\"q\":3}\n");
  EXPECT_THAT(CheckDataset(path, entry).what, HasSubstr(entry.sha256));
  WriteWholeFile(directory.Path("a.jsonl"), "<html>");
  EXPECT_EQ(CheckDataset(path, entry).state, DatasetState::kBroken);
}

TEST(TaskFilesTest, MmluKnowsAllSubjects) {
  ASSERT_OK_AND_ASSIGN(const std::vector<Task> tasks, LoadTasks(ShippedPath(), "mmlu", {}));
  const Json* map = tasks[0].definition.Find("fields")->Find("tags")->Find("category")->Find("map");
  ASSERT_NE(map, nullptr);
  EXPECT_EQ(map->size(), 57u);
}

// --- our own problems ---

// + - * / ^ % over rationals, gcd(a,b), lcm(a,b): enough for the set's `expression`s, and nothing
// of the graders' own arithmetic.
struct Ratio {
  int64_t over = 0, under = 1;
};
Ratio Reduced(int64_t over, int64_t under) {
  const int64_t common = std::gcd(over, under) * (under < 0 ? -1 : 1);
  return {over / common, under / common};
}

class Calculator {
 public:
  explicit Calculator(std::string_view text) : text_(text) {}
  Ratio Value() {
    const Ratio value = Sum();
    EXPECT_EQ(at_, text_.size()) << text_;
    return value;
  }

 private:
  bool Take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  Ratio Sum() {
    Ratio left = Term();
    while (true) {
      const int sign = Take('+') ? 1 : Take('-') ? -1 : 0;
      if (sign == 0) return left;
      const Ratio right = Term();
      left = Reduced(left.over * right.under + sign * right.over * left.under,
                     left.under * right.under);
    }
  }
  Ratio Term() {
    Ratio left = Power();
    while (true) {
      if (Take('*')) {
        const Ratio right = Power();
        left = Reduced(left.over * right.over, left.under * right.under);
      } else if (Take('/')) {
        const Ratio right = Power();
        left = Reduced(left.over * right.under, left.under * right.over);
      } else if (Take('%')) {
        left = {left.over % Power().over, 1};
      } else {
        return left;
      }
    }
  }
  Ratio Power() {
    const Ratio base = Atom();
    if (!Take('^')) return base;
    Ratio power{1, 1};
    for (int64_t n = Atom().over; n > 0; --n) {
      power = Reduced(power.over * base.over, power.under * base.under);
    }
    return power;
  }
  Ratio Atom() {
    for (const std::string_view name : {"gcd", "lcm"}) {
      if (text_.substr(at_, 4) != std::string(name) + "(") continue;
      at_ += 4;
      const int64_t a = Sum().over;
      EXPECT_TRUE(Take(','));
      const int64_t b = Sum().over;
      EXPECT_TRUE(Take(')'));
      return {name == "gcd" ? std::gcd(a, b) : std::lcm(a, b), 1};
    }
    if (Take('(')) {
      const Ratio inner = Sum();
      EXPECT_TRUE(Take(')')) << text_;
      return inner;
    }
    int64_t digits = 0;
    const size_t begin = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') {
      digits = digits * 10 + (text_[at_++] - '0');
    }
    EXPECT_GT(at_, begin) << text_;
    return {digits, 1};
  }

  std::string_view text_;
  size_t at_ = 0;
};

// "11/24", "4.2", "-14", "01".
Ratio ReferenceValue(std::string_view text) {
  const bool minus = text.starts_with('-');
  if (minus) text.remove_prefix(1);
  Ratio value{0, 1};
  size_t i = 0;
  for (; i < text.size() && text[i] != '/'; ++i) {
    if (text[i] == '.') continue;
    value.over = value.over * 10 + (text[i] - '0');
    if (text.find('.') < i) value.under *= 10;
  }
  if (i < text.size()) value.under = *ParseInt(text.substr(i + 1));
  return Reduced(minus ? -value.over : value.over, value.under);
}

TEST(BasicsTest, AtLeast120ProblemsWithTagsAndReferencesThatTheirExpressionsGive) {
  const std::vector<Json> rows = ReadJsonLinesFile(SourcePath("datasets/basics.jsonl"));
  EXPECT_GE(rows.size(), 120u);
  std::set<std::string> ids, questions;
  std::map<std::string, int> kinds, levels;
  int computed = 0;
  for (const Json& row : rows) {
    EXPECT_TRUE(ids.insert(*row.FindString("id")).second);
    EXPECT_TRUE(questions.insert(*row.FindString("question")).second);
    ++kinds[*row.FindString("kind")];
    ++levels[std::to_string(*row.FindInteger("level"))];
    EXPECT_FALSE(row.FindString("subject")->empty());
    if (const auto expression = row.FindString("expression")) {
      const Ratio value = Calculator(*expression).Value();
      const Ratio reference = ReferenceValue(*row.FindString("answer"));
      EXPECT_TRUE(value.over == reference.over && value.under == reference.under)
          << *row.FindString("id") << ": " << *expression;
      ++computed;
    }
  }
  EXPECT_EQ(kinds.size(), 3u);
  EXPECT_EQ(levels.size(), 5u);
  EXPECT_GE(computed, 60);
}

TEST(BasicsTest, TheCalculatorOfThisTestKnowsItsPrecedence) {
  const auto shown = [](std::string_view text) {
    const Ratio value = Calculator(text).Value();
    return absl::StrFormat("%d/%d", value.over, value.under);
  };
  EXPECT_EQ(shown("3+4*(10-6)^2"), "67/1");
  EXPECT_EQ(shown("1-1/2-1/3"), "1/6");
  EXPECT_EQ(shown("2026%7"), "3/1");
  EXPECT_EQ(shown("lcm(lcm(12,15),20)"), "60/1");
}

TEST(BasicsTest, EveryTaskOfTheQuickstartIsSound) {
  ASSERT_OK_AND_ASSIGN(const std::vector<Task> tasks, LoadTasks(ShippedPath(), "quickstart", {}));
  int64_t problems = 0;
  for (const Task& task : tasks) {
    ASSERT_OK_AND_ASSIGN(const TaskCheck check, CheckTask(ShippedPath(), task, 0));
    for (const TaskFinding& finding : check.findings) {
      EXPECT_FALSE(finding.fatal) << task.name << " " << finding.problem_id << ": " << finding.what;
    }
    EXPECT_EQ(check.references_correct, check.problems) << task.name;
    EXPECT_EQ(check.others_rejected, check.others_tried) << task.name;
    problems += check.problems;
  }
  EXPECT_EQ(problems, 162);
}

TEST(BasicsTest, EveryReplyHasTheOutcomeThatItsAuthorExpects) {
  std::map<std::string, Json> by_id;
  for (Json& row : ReadJsonLinesFile(SourcePath("datasets/basics_replies.jsonl"))) {
    const std::string id = *row.FindString("id");
    by_id.emplace(id, std::move(row));
  }
  ASSERT_OK_AND_ASSIGN(const std::vector<Task> tasks, LoadTasks(ShippedPath(), "quickstart", {}));
  std::map<std::string, int> outcomes;
  int total = 0;
  for (const Task& task : tasks) {
    ASSERT_OK_AND_ASSIGN(
        const TaskGrading grading,
        BindGrading(task.extractor, task.extract_options, task.grader, task.grader_options));
    ASSERT_OK_AND_ASSIGN(const std::vector<AskedProblem> problems, AskAll(task, 0));
    for (const AskedProblem& asked : problems) {
      ASSERT_TRUE(by_id.contains(asked.problem.id)) << asked.problem.id;
      const Json& row = by_id[asked.problem.id];
      EXPECT_THAT(asked.prompt.messages.back().text, HasSubstr(*row.FindString("match")));
      const Json::Array& replies = row.Find("replies")->AsArray();
      ASSERT_EQ(replies.size(), 4u);
      for (size_t i = 0; i < replies.size(); ++i) {
        Sample sample;
        const SplitReply split = SplitReasoning(replies[i].AsString(), std::nullopt, false);
        sample.completion.reasoning = split.reasoning;
        sample.completion.answer = split.answer;
        sample.completion.unclosed_reasoning = split.unclosed;
        sample.completion.finish =
            FinishReasonFromName(row.Find("finish")->AsArray()[i].AsString());
        ASSERT_OK(GradeSample(grading, asked.problem, &sample));
        const std::string wanted = row.Find("expected")->AsArray()[i].AsString();
        EXPECT_EQ(OutcomeName(sample.verdict.outcome), wanted)
            << asked.problem.id << "[" << i << "]: " << replies[i].AsString() << "\n"
            << sample.verdict.why;
        ++outcomes[wanted];
        ++total;
      }
    }
  }
  EXPECT_EQ(outcomes.size(), 4u) << "correct, incorrect, truncated, no_answer";
  EXPECT_NEAR(outcomes["correct"], 0.65 * total, 0.05 * total);
}

// --- third-party sets ---

TEST(SharedSetsTest, LoadAndAreSound) {
  SKIP_WITHOUT_SHARED("data");
  for (const char* name :
       {"math_500", "aime_2024", "aime_2025", "amc_2023", "gsm8k", "mmlu_stem"}) {
    ASSERT_OK_AND_ASSIGN(const std::vector<Task> tasks, LoadTasks(ShippedPath(), name, {}));
    ASSERT_OK_AND_ASSIGN(const TaskCheck check, CheckTask(ShippedPath(), tasks[0], 0));
    EXPECT_EQ(check.problems, *tasks[0].card.FindInteger("size")) << name;
    EXPECT_EQ(check.references_correct + check.references_undecided, check.problems) << name;
    // Two problems may share an answer in two spellings: rare, and each is told.
    EXPECT_GE(check.others_rejected * 100, check.others_tried * 99) << name;
    for (const TaskFinding& finding : check.findings) {
      // MMLU's one truly bad row of these: two options are the same, and it is the right one.
      const bool known = std::string(name) == "mmlu_stem" && finding.line == 2554;
      EXPECT_EQ(finding.fatal, known) << name << ":" << finding.line << ": " << finding.what;
    }
  }
}

}  // namespace
}  // namespace assay
