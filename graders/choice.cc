// The grader `choice`: the letter of the right choice, or that choice's own text.
#include "graders/rational/decimal_text.h"
#include "harness/grader.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

// Takes wrappings off both ends: "(B)", "B.", "\text{B}", "**B**", "$B$".
std::string_view Bare(std::string_view text) {
  static constexpr std::string_view kOpen = " ([{*\"'`$_", kClose = " )]}*\"'`$_.:,";
  for (size_t before = text.size() + 1; text.size() < before;) {
    before = text.size();
    text = Trim(text);
    for (const std::string_view command :
         {"\\text", "\\textbf", "\\mathrm", "\\mathbf", "\\boxed"}) {
      if (text.starts_with(command) && text.substr(command.size()).starts_with("{"))
        text.remove_prefix(command.size());
    }
    while (!text.empty() && kOpen.find(text.front()) != std::string_view::npos)
      text.remove_prefix(1);
    while (!text.empty() && kClose.find(text.back()) != std::string_view::npos)
      text.remove_suffix(1);
  }
  return text;
}

// The letter that `text` is, in capitals; full-width letters count.
std::optional<char> LetterOf(std::string_view text) {
  text = Bare(text);
  if (text.size() == 3 && text.starts_with("\xEF\xBC") && text[2] >= '\xA1' && text[2] <= '\xBA') {
    return static_cast<char>(text[2] - '\xA1' + 'A');
  }
  if (text.size() != 1) return std::nullopt;
  const char c = text[0];
  if (c >= 'a' && c <= 'z') return static_cast<char>(c - 'a' + 'A');
  return c >= 'A' && c <= 'Z' ? std::optional(c) : std::nullopt;
}

// The letter of the one choice that has this text, if exactly one has.
std::optional<char> LetterOfText(std::string_view text, const std::vector<std::string>& choices) {
  const std::string normal = NormalText(text);
  std::optional<char> letter;
  for (size_t i = 0; i < choices.size() && i < 26; ++i) {
    if (NormalText(choices[i]) != normal) continue;
    if (letter) return std::nullopt;
    letter = static_cast<char>('A' + i);
  }
  return letter;
}

std::optional<char> Chosen(std::string_view text, const std::vector<std::string>& choices) {
  const std::optional<char> letter = LetterOf(text);
  const bool within =
      letter && (choices.empty() || static_cast<size_t>(*letter - 'A') < choices.size());
  return within ? letter : LetterOfText(text, choices);
}

absl::StatusOr<Verdict> Grade(const Problem& problem, std::string_view answer) {
  const std::optional<char> wanted = Chosen(problem.reference, problem.choices);
  if (!wanted) {
    return InvalidArgument(
        "problem '%s': reference: expected a choice's letter or text, found '%s'", problem.id,
        Shorten(problem.reference, 60));
  }
  const std::optional<char> chosen = Chosen(answer, problem.choices);
  Verdict verdict;
  verdict.outcome = chosen == wanted ? Outcome::kCorrect : Outcome::kIncorrect;
  verdict.score = chosen == wanted ? 1 : 0;
  verdict.why =
      chosen ? absl::StrFormat("chose %c, %c is right", *chosen, *wanted)
             : absl::StrFormat("'%s' names no choice, %c is right", Shorten(answer, 60), *wanted);
  return verdict;
}

bool SameChoice(std::string_view a, std::string_view b) {
  const std::optional<char> first = LetterOf(a), second = LetterOf(b);
  return first && second ? *first == *second : NormalText(a) == NormalText(b);
}

}  // namespace

Grader ChoiceGrader() {
  Grader grader;
  grader.name = "choice";
  grader.version = 2;
  grader.about = "the letter of the right choice, or its text where no other choice has the same";
  grader.bind = [](const Json& options) -> absl::StatusOr<BoundGrader> {
    if (options.size() > 0) {
      return InvalidArgument(
          "grader 'choice': unknown option '%s' (it has none)",
          options.is_object() ? options.AsMembers()[0].first : std::string(KindName(options)));
    }
    BoundGrader bound;
    bound.grade = [](const Problem& problem, const Completion&, const Extraction& extraction) {
      return Grade(problem, extraction.answer.value_or(""));
    };
    bound.same_answer = SameChoice;
    return bound;
  };
  return grader;
}

}  // namespace assay
