// The grader `instructions`: whether a reply follows IFEval's instructions, each and all.
#include <algorithm>

#include "graders/instructions/check.h"
#include "graders/instructions/unicode.h"
#include "harness/grader.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

using instructions::BindCheck;
using instructions::Check;

struct Instruction {
  std::string name;
  Check check;
};

absl::StatusOr<std::vector<Instruction>> InstructionsOf(const Problem& problem) {
  const Json* names = problem.row.Find("instruction_id_list");
  const Json* arguments = problem.row.Find("kwargs");
  if (names == nullptr || !names->is_array() || names->size() == 0) {
    return InvalidArgument("problem '%s': field 'instruction_id_list': expected a list of names",
                           problem.id);
  }
  if (arguments == nullptr || !arguments->is_array() || arguments->size() != names->size()) {
    return InvalidArgument("problem '%s': field 'kwargs': expected a list of %d objects",
                           problem.id, names->size());
  }
  std::vector<Instruction> bound;
  for (size_t i = 0; i < names->size(); ++i) {
    const std::string name = names->AsArray()[i].ToText();
    absl::StatusOr<Check> check = BindCheck(name, arguments->AsArray()[i]);
    if (!check.ok()) return Annotate(check.status(), "problem '" + problem.id + "'");
    bound.push_back({name, *std::move(check)});
  }
  return bound;
}

absl::StatusOr<Verdict> Grade(const Problem& problem, const Completion& completion) {
  ASSIGN_OR_RETURN(const std::vector<Instruction> asked, InstructionsOf(problem));
  const std::u32string text = instructions::ToCodePoints(ToValidUtf8(completion.answer));
  int strict = 0, loose = 0;
  Json each = Json::MakeArray();
  std::vector<std::string> broken;
  for (const Instruction& instruction : asked) {
    const bool follows = instructions::FollowsStrict(instruction.check, text);
    const bool nearly = follows || instructions::FollowsLoose(instruction.check, text);
    strict += follows ? 1 : 0;
    loose += nearly ? 1 : 0;
    if (!follows) broken.push_back(instruction.name + (nearly ? " (followed loosely)" : ""));
    each.Append(Json::MakeObject(
        {{"instruction", instruction.name}, {"strict", follows}, {"loose", nearly}}));
  }
  const int count = static_cast<int>(asked.size());
  Verdict verdict;
  verdict.outcome = strict == count ? Outcome::kCorrect : Outcome::kIncorrect;
  verdict.score = strict == count ? 1 : 0;
  verdict.why = broken.empty() ? absl::StrFormat("all %d instructions followed", count)
                               : "not followed: " + Join(broken, ", ");
  verdict.detail = Json::MakeObject(
      {{"measures",
        Json::MakeObject({{"instructions", count}, {"strict", strict}, {"loose", loose}})},
       {"each", std::move(each)}});
  return verdict;
}

}  // namespace

Grader InstructionsGrader() {
  Grader grader;
  grader.name = "instructions";
  grader.about = "IFEval's 25 kinds of checkable instructions; correct where all are followed";
  grader.reads_whole_completion = true;
  grader.reads_row = true;
  grader.bind = [](const Json& options) -> absl::StatusOr<BoundGrader> {
    if (options.size() > 0) {
      return InvalidArgument(
          "grader 'instructions': unknown option '%s' (it has none)",
          options.is_object() ? options.AsMembers()[0].first : std::string(KindName(options)));
    }
    BoundGrader bound;
    bound.grade = [](const Problem& problem, const Completion& completion, const Extraction&) {
      return Grade(problem, completion);
    };
    return bound;
  };
  return grader;
}

}  // namespace assay
