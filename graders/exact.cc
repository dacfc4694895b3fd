// The grader `exact`: the same text after normalising, or the same plain number.
#include <algorithm>
#include <array>

#include "graders/rational/decimal_text.h"
#include "harness/grader.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

struct ExactOptions {
  bool ignore_case = true;
  bool ignore_punctuation = false;
  bool numbers = true;
  bool full_width = false;
};

absl::StatusOr<bool> ReadBool(const Json& options, std::string_view name, bool otherwise) {
  const Json* value = options.Find(name);
  if (value == nullptr) return otherwise;
  if (value->is_bool()) return value->AsBool();
  return InvalidArgument("grader 'exact': option '%s': expected true or false, found %s",
                         std::string(name), std::string(KindName(*value)));
}

absl::StatusOr<ExactOptions> ReadOptions(const Json& json, const std::vector<std::string>& known) {
  if (!json.is_null() && !json.is_object()) {
    return InvalidArgument("grader 'exact': options: expected an object, found %s",
                           std::string(KindName(json)));
  }
  for (size_t i = 0; i < json.size(); ++i) {
    const std::string& name = json.AsMembers()[i].first;
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    return InvalidArgument("grader 'exact': unknown option '%s'%s (known: %s)", name,
                           DidYouMean(name, known), Join(known, ", "));
  }
  ExactOptions options;
  ASSIGN_OR_RETURN(options.ignore_case, ReadBool(json, "ignore_case", true));
  ASSIGN_OR_RETURN(options.ignore_punctuation, ReadBool(json, "ignore_punctuation", false));
  ASSIGN_OR_RETURN(options.numbers, ReadBool(json, "numbers", true));
  ASSIGN_OR_RETURN(options.full_width, ReadBool(json, "full_width", false));
  return options;
}

// Money and percent signs, which a question about money or percent lets an answer leave out.
std::string_view WithoutSigns(std::string_view text) {
  text = Trim(text);
  for (const std::string_view sign : {"\\$", "$"}) {
    if (text.starts_with(sign)) text.remove_prefix(sign.size());
  }
  for (const std::string_view sign : {"\\%", "%"}) {
    if (text.ends_with(sign)) text.remove_suffix(sign.size());
  }
  return text;
}

std::string WithoutPunctuation(std::string_view text) {
  std::string rest;
  for (const char c : text) {
    const bool punctuation =
        std::string_view("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~").find(c) != std::string_view::npos;
    if (!punctuation) rest += c;
  }
  return std::string(Trim(NormalText(rest, /*keep_case=*/true)));
}

// Chinese texts: full-width digits, letters and signs are their ASCII ones, other marks the
// nearest.
std::string NarrowText(std::string_view text) {
  struct Mark {
    std::string_view wide, narrow;
  };
  static constexpr std::array<Mark, 18> kMarks = {{{"\u3000", " "},
                                                   {"。", "."},
                                                   {"、", ","},
                                                   {"“", "\""},
                                                   {"”", "\""},
                                                   {"‘", "'"},
                                                   {"’", "'"},
                                                   {"「", "\""},
                                                   {"」", "\""},
                                                   {"『", "\""},
                                                   {"』", "\""},
                                                   {"【", "["},
                                                   {"】", "]"},
                                                   {"《", "<"},
                                                   {"》", ">"},
                                                   {"·", "."},
                                                   {"—", "-"},
                                                   {"…", "..."}}};
  std::string narrow;
  for (size_t i = 0; i < text.size();) {
    const std::string_view rest = text.substr(i);
    // U+FF01 to U+FF5E are ASCII's 0x21 to 0x7E.
    if (rest.size() >= 3 && rest[0] == '\xEF' && (rest[1] == '\xBC' || rest[1] == '\xBD')) {
      const int offset =
          (rest[1] == '\xBC' ? 0 : 0x40) + (static_cast<unsigned char>(rest[2]) - 0x80);
      if (offset >= 1 && offset <= 0x5E) {
        narrow += static_cast<char>(0x20 + offset);
        i += 3;
        continue;
      }
    }
    const auto mark = std::find_if(kMarks.begin(), kMarks.end(),
                                   [&](const Mark& one) { return rest.starts_with(one.wide); });
    narrow += mark == kMarks.end() ? rest.substr(0, 1) : mark->narrow;
    i += mark == kMarks.end() ? 1 : mark->wide.size();
  }
  return narrow;
}

// One spelling for each answer: two answers are the same where these are equal.
std::string Normal(std::string_view given, const ExactOptions& options) {
  const std::string narrow = options.full_width ? NarrowText(given) : std::string(given);
  const std::string_view text = narrow;
  const std::string normal = NormalText(text, !options.ignore_case);
  if (options.numbers) {
    const std::optional<std::string> number = CanonicalNumber(WithoutSigns(normal));
    if (number) return *number;
  }
  return options.ignore_punctuation ? WithoutPunctuation(normal) : normal;
}

Verdict Compare(std::string_view answer, std::string_view reference, const ExactOptions& options) {
  const std::string mine = Normal(answer, options), wanted = Normal(reference, options);
  Verdict verdict;
  verdict.outcome = mine == wanted ? Outcome::kCorrect : Outcome::kIncorrect;
  verdict.score = mine == wanted ? 1 : 0;
  verdict.why = absl::StrFormat("'%s' %s '%s'", Shorten(mine, 60), mine == wanted ? "is" : "is not",
                                Shorten(wanted, 60));
  return verdict;
}

}  // namespace

Grader ExactGrader() {
  Grader grader;
  grader.name = "exact";
  grader.version = 2;
  grader.about = "the same text but for case, blanks and number spelling (073 = 73, 1.50 = 1.5)";
  grader.options = {"ignore_case", "ignore_punctuation", "numbers", "full_width"};
  grader.bind = [known = grader.options](const Json& json) -> absl::StatusOr<BoundGrader> {
    ASSIGN_OR_RETURN(const ExactOptions options, ReadOptions(json, known));
    BoundGrader bound;
    bound.grade = [options](const Problem& problem, const Completion&,
                            const Extraction& extraction) -> absl::StatusOr<Verdict> {
      return Compare(extraction.answer.value_or(""), problem.reference, options);
    };
    bound.same_answer = [options](std::string_view a, std::string_view b) {
      return Normal(a, options) == Normal(b, options);
    };
    return bound;
  };
  return grader;
}

}  // namespace assay
