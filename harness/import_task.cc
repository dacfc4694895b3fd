// A task out of the rows of a recording: what is the same in all samples of a problem is the
// problem.
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "harness/hash.h"
#include "harness/import.h"
#include "harness/rows.h"
#include "harness/status.h"
#include "harness/task.h"
#include "harness/text.h"

namespace assay {
namespace {

using Names = std::vector<std::string>;
const Names kIds = {"problem_id", "id", "unique_id", "question_id", "task_id", "qid", "idx"};
const Names kQuestions = {"question", "problem", "prompt", "input", "query"};
const Names kReferences = {"reference", "gold", "answer", "target", "expected_answer", "solution"};
const Names kTags = {"level", "subject", "type", "category", "difficulty"};

struct Source {
  std::string id, question, reference;  // names of fields; no id: the question tells problems apart
};

struct NewProblem {
  int64_t line = 0;
  Json row;
};

absl::StatusOr<std::string> Choose(const Row& row, const std::string& path, const char* what,
                                   const char* flag, const std::string& told, const Names& names,
                                   std::vector<std::string>* notes) {
  if (!told.empty()) {
    if (FindPath(row.fields, told) != nullptr) return told;
    return InvalidArgument("%s:%d: there is no field '%s'", path, row.line, told);
  }
  for (const std::string& name : names) {
    const Json* found = row.fields.Find(name);
    const bool plain = found != nullptr && (found->is_string() || found->is_number());
    if (!plain) continue;
    notes->push_back(absl::StrFormat("%s: taken from field '%s'", what, name));
    return name;
  }
  return InvalidArgument("%s:%d: no field looks like the %s; name it with %s", path, row.line, what,
                         flag);
}

std::string TextAt(const Json& row, const std::string& path) {
  const Json* found = path.empty() ? nullptr : FindPath(row, path);
  return found == nullptr ? "" : found->ToText();
}

// Fields that differ between the samples of a problem are the samples', not the problem's.
void KeepCommon(const Json& row, Json* common) {
  Json kept = Json::MakeObject();
  for (const Json::Member& member : common->AsMembers()) {
    const Json* other = row.Find(member.first);
    if (other != nullptr && *other == member.second) kept.Set(member.first, member.second);
  }
  *common = std::move(kept);
}

class TaskMaker {
 public:
  TaskMaker(std::string path, const NewTaskFields& fields)
      : path_(std::move(path)), told_(fields) {}

  absl::Status ReadAll() {
    ASSIGN_OR_RETURN(const std::unique_ptr<RowReader> rows, OpenRows(path_));
    while (true) {
      ASSIGN_OR_RETURN(const std::optional<Row> row, rows->Next());
      if (!row) return absl::OkStatus();
      if (order_.empty()) RETURN_IF_ERROR(ChooseFields(*row));
      RETURN_IF_ERROR(Add(*row));
    }
  }

  // The fields that every problem has keep their names; the rows are one per problem.
  std::string Rows() const {
    std::string text;
    for (const std::string& id : order_) {
      const Json& common = problems_.at(id).row;
      Json row = Json::MakeObject({{"id", id},
                                   {"question", TextAt(common, source_.question)},
                                   {"answer", TextAt(common, source_.reference)}});
      for (const std::string& tag : Tags()) row.Set(tag, TextAt(common, tag));
      text += row.Dump() + "\n";
    }
    return text;
  }

  Names Tags() const {
    Names tags;
    for (const std::string& name : kTags) {
      bool all = true;
      for (const auto& [id, problem] : problems_) all &= !TextAt(problem.row, name).empty();
      if (all && name != source_.question && name != source_.reference) tags.push_back(name);
    }
    return tags;
  }

  size_t size() const { return order_.size(); }
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  absl::Status ChooseFields(const Row& row) {
    ASSIGN_OR_RETURN(source_.question, Choose(row, path_, "question", "--question-field",
                                              told_.question, kQuestions, &notes_));
    ASSIGN_OR_RETURN(source_.reference, Choose(row, path_, "reference answer", "--reference-field",
                                               told_.reference, kReferences, &notes_));
    absl::StatusOr<std::string> id =
        Choose(row, path_, "problem id", "--id-field", told_.id, kIds, &notes_);
    if (!id.ok() && !told_.id.empty()) return id.status();
    if (id.ok()) source_.id = *id;
    return absl::OkStatus();
  }

  absl::Status Add(const Row& row) {
    const std::string question = TextAt(row.fields, source_.question);
    const std::string reference = TextAt(row.fields, source_.reference);
    if (Trim(question).empty() || Trim(reference).empty()) {
      return InvalidArgument("%s:%d: field '%s': expected a text, found nothing", path_, row.line,
                             Trim(question).empty() ? source_.question : source_.reference);
    }
    const std::string told = TextAt(row.fields, source_.id);
    const std::string id = told.empty() ? Sha256Hex(NormalBlanks(question)).substr(0, 16) : told;
    const auto found = problems_.find(id);
    if (found == problems_.end()) {
      problems_.emplace(id, NewProblem{row.line, row.fields});
      order_.push_back(id);
      return absl::OkStatus();
    }
    for (const std::string& field : {source_.question, source_.reference}) {
      if (TextAt(found->second.row, field) == TextAt(row.fields, field)) continue;
      return InvalidArgument("%s:%d: problem '%s' has another '%s' than in line %d", path_,
                             row.line, id, field, found->second.line);
    }
    KeepCommon(row.fields, &found->second.row);
    return absl::OkStatus();
  }

  std::string path_;
  NewTaskFields told_;
  Source source_;
  std::map<std::string, NewProblem> problems_;
  std::vector<std::string> order_;
  std::vector<std::string> notes_;
};

std::string TaskYaml(const std::string& name, const std::string& origin, const std::string& rows,
                     const std::string& sha256, const TaskMaker& maker) {
  std::string yaml = absl::StrFormat(
      "# Made by `assay import --make-task` from %s; yours to change.\n"
      "name: %s\n"
      "version: \"1\"\n"
      "about: %s\n"
      "dataset:\n"
      "  file: %s\n"
      "  sha256: %s\n"
      "fields:\n"
      "  id: id\n"
      "  reference: answer\n",
      origin, name, Json(absl::StrFormat("%d problems of %s", maker.size(), origin)).Dump(),
      Json(rows).Dump(), sha256);
  const Names tags = maker.Tags();
  if (!tags.empty()) yaml += absl::StrFormat("  tags: [%s]\n", Join(tags, ", "));
  return yaml +
         "prompt: |-\n"
         "  {{ question }}\n"
         "  Please reason step by step, and put your final answer within \\boxed{}.\n"
         "extract: boxed\n"
         "grader: math\n"
         "metrics: [pass@1]\n";
}

absl::Status CheckNew(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrFormat("%s: it is there already", path));
}

absl::Status WriteNew(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (file.good()) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrFormat("%s: cannot be written: %s", path, std::strerror(errno)));
}

}  // namespace

absl::StatusOr<NewTaskReport> MakeTaskFromRecording(const std::string& recording,
                                                    const std::string& yaml_path,
                                                    const NewTaskFields& fields) {
  const std::filesystem::path yaml(yaml_path);
  if (yaml.extension() != ".yaml" && yaml.extension() != ".yml") {
    return InvalidArgument("--make-task: expected a path that ends in .yaml, found '%s'",
                           yaml_path);
  }
  TaskMaker maker(recording, fields);
  RETURN_IF_ERROR(maker.ReadAll());
  if (maker.size() == 0) return InvalidArgument("%s: it holds no row", recording);
  std::filesystem::path rows = yaml;
  rows.replace_extension(".jsonl");
  const std::string text = maker.Rows();
  const std::string task =
      TaskYaml(yaml.stem().string(), std::filesystem::path(recording).filename().string(),
               rows.filename().string(), Sha256Hex(text), maker);
  // A name that no task may have is told before anything is written.
  RETURN_IF_ERROR(Annotate(TaskFromText(task, yaml_path).status(), "--make-task"));
  RETURN_IF_ERROR(CheckNew(rows.string()));
  RETURN_IF_ERROR(CheckNew(yaml_path));
  RETURN_IF_ERROR(WriteNew(rows.string(), text));
  RETURN_IF_ERROR(WriteNew(yaml_path, task));
  return NewTaskReport{yaml_path, rows.string(), static_cast<int64_t>(maker.size()), maker.notes()};
}

}  // namespace assay
