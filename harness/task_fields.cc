// From a dataset's row to a problem: sources of text, the right choice and where it is shown, an id
// that is the row's own.
#include <re2/re2.h>

#include <algorithm>
#include <chrono>

#include "harness/hash.h"
#include "harness/keys.h"
#include "harness/status.h"
#include "harness/task_spec.h"
#include "harness/text.h"

namespace assay {
namespace {

constexpr size_t kMaxChoices = 26;  // letters

struct RowPlace {
  const Row& row;
  const std::string& path;
  std::string Where() const { return absl::StrFormat("%s:%d", path, row.line); }
};

// A member of that name; else "a.b.0" as a way down.
const Json* FindField(const Json& fields, std::string_view name) {
  if (const Json* found = fields.Find(name)) return found;
  const Json* at = &fields;
  for (const std::string_view part : Split(name, '.')) {
    const std::optional<int64_t> index = ParseInt(part);
    if (at->is_array() && index && *index >= 0 && *index < static_cast<int64_t>(at->size())) {
      at = &at->AsArray()[static_cast<size_t>(*index)];
    } else {
      at = at->Find(part);
    }
    if (at == nullptr) return nullptr;
  }
  return at;
}

absl::StatusOr<const Json*> RequireField(const RowPlace& at, const std::string& field) {
  const Json* found = FindField(at.row.fields, field);
  if (found == nullptr) return MissingField(at.row, at.path, field);
  return found;
}

absl::Status WrongKind(const RowPlace& at, std::string_view field, std::string_view wanted,
                       const Json& found) {
  return InvalidArgument("%s: field '%s': expected %s, found %s", at.Where(), field, wanted,
                         Shorten(found.Dump(), 80));
}

absl::StatusOr<std::string> ScalarText(const RowPlace& at, const std::string& field) {
  ASSIGN_OR_RETURN(const Json* found, RequireField(at, field));
  if (found->is_string() || found->is_number() || found->is_bool()) return found->ToText();
  return WrongKind(at, field, "text or a number", *found);
}

absl::StatusOr<std::string> Cut(const RowPlace& at, const ValueSource& source, std::string text) {
  const std::string what = source.field.empty() ? "a value" : "field '" + source.field + "'";
  if (!source.after.empty()) {
    const size_t found = text.rfind(source.after);
    if (found == std::string::npos) {
      return InvalidArgument("%s: %s: no '%s' in it: %s", at.Where(), what, source.after,
                             Shorten(text, 80));
    }
    text.erase(0, found + source.after.size());
  }
  if (!source.before.empty()) {
    const size_t found = text.find(source.before);
    if (found == std::string::npos) {
      return InvalidArgument("%s: %s: no '%s' in it: %s", at.Where(), what, source.before,
                             Shorten(text, 80));
    }
    text.resize(found);
  }
  text = std::string(Trim(text));
  if (!source.map.is_object()) return text;
  if (const Json* to = source.map.Find(text)) return to->ToText();
  std::vector<std::string> known;
  for (const auto& [name, value] : source.map.AsMembers()) known.push_back(name);
  return InvalidArgument("%s: %s: '%s' is not in the task's map%s", at.Where(), what,
                         Shorten(text, 80), DidYouMean(text, known));
}

absl::StatusOr<std::string> ReadSource(const RowPlace& at, const ValueSource& source) {
  std::string text;
  if (source.value) {
    text = source.value->ToText();
  } else if (source.made) {
    Json context = at.row.fields;
    context.Set("row", at.row.fields);
    ASSIGN_OR_RETURN(text, RenderChecked(*source.made, context, at.Where()));
  } else {
    ASSIGN_OR_RETURN(text, ScalarText(at, source.field));
  }
  return Cut(at, source, std::move(text));
}

absl::StatusOr<std::vector<std::string>> ListTexts(const RowPlace& at, const std::string& field) {
  ASSIGN_OR_RETURN(const Json* found, RequireField(at, field));
  Json list = *found;
  if (list.is_string() && Trim(list.AsString()).starts_with('[')) {  // a list kept in a CSV cell
    absl::StatusOr<Json> parsed = ParseJson(list.AsString());
    if (parsed.ok()) list = *std::move(parsed);
  }
  if (!list.is_array()) return WrongKind(at, field, "a list", *found);
  std::vector<std::string> texts;
  for (const Json& item : list.AsArray()) {
    if (!item.is_string() && !item.is_number() && !item.is_bool()) {
      return WrongKind(at, field, "a list of texts", *found);
    }
    texts.push_back(item.ToText());
  }
  return texts;
}

absl::StatusOr<std::vector<std::string>> ChoicesAsPublished(const RowPlace& at,
                                                            const ChoicesSource& source) {
  if (!source.list_field.empty()) return ListTexts(at, source.list_field);
  std::vector<std::string> texts;
  for (const std::string& field : source.fields) {
    ASSIGN_OR_RETURN(std::string text, ScalarText(at, field));
    texts.push_back(std::move(text));
  }
  return texts;
}

absl::Status WrongReference(const RowPlace& at, const ValueSource& source, std::string_view wanted,
                            std::string_view found) {
  const std::string field = source.field.empty() ? "the reference" : "field '" + source.field + "'";
  return InvalidArgument("%s: %s: expected %s, found '%s'", at.Where(), field, wanted,
                         Shorten(found, 80));
}

// The right choice's position in the dataset.
absl::StatusOr<int> RightChoice(const RowPlace& at, const FieldMap& fields,
                                const std::vector<std::string>& choices) {
  ASSIGN_OR_RETURN(const std::string text, ReadSource(at, fields.reference));
  const int count = static_cast<int>(choices.size());
  if (fields.reference_form == ReferenceForm::kIndex) {
    const std::optional<int64_t> index = ParseInt(text);
    if (index && *index >= 0 && *index < count) return static_cast<int>(*index);
    return WrongReference(at, fields.reference, absl::StrFormat("0 to %d", count - 1), text);
  }
  if (fields.reference_form == ReferenceForm::kLetter) {
    const int index = text.size() == 1 ? (text[0] & ~0x20) - 'A' : -1;
    if (index >= 0 && index < count) return index;
    return WrongReference(at, fields.reference,
                          absl::StrFormat("a letter from A to %c", 'A' + count - 1), text);
  }
  for (int i = 0; i < count; ++i) {
    if (Trim(choices[static_cast<size_t>(i)]) == text) return i;
  }
  return WrongReference(at, fields.reference, "one of the choices", text);
}

std::vector<int> ShownOrder(const ChoicesSource& source, const std::vector<std::string>& choices,
                            const Problem& problem, uint64_t seed) {
  std::vector<int> kept;
  for (size_t i = 0; i < choices.size(); ++i) {
    const std::string text(Trim(choices[i]));
    const bool dropped =
        std::find(source.drop.begin(), source.drop.end(), text) != source.drop.end();
    if (!dropped) kept.push_back(static_cast<int>(i));
  }
  const bool keep = source.shuffle == Shuffle::kNever ||
                    (source.shuffle == Shuffle::kSafe && ChoicesReferToPlaces(choices));
  if (keep) return kept;
  std::vector<int> shown;
  for (const int at : ChoiceOrder(problem.id, seed, static_cast<int>(kept.size()))) {
    shown.push_back(kept[static_cast<size_t>(at)]);
  }
  return shown;
}

// simple-evals orders four, a recording as many as were shown: each place once.
absl::Status CheckOrder(const RowPlace& at, const ChoicesSource& source, size_t choices,
                        const std::vector<int>& order) {
  if (source.shuffle == Shuffle::kSimpleEvals && order.size() != choices) {
    return InvalidArgument("%s: shuffle simple_evals orders %d choices, this row has %d",
                           at.Where(), order.size(), choices);
  }
  std::vector<bool> shown(choices);
  for (const int place : order) {
    const bool fits =
        place >= 0 && static_cast<size_t>(place) < choices && !shown[static_cast<size_t>(place)];
    if (!fits) {
      return InvalidArgument("%s: the recorded order of choices names place %d%s, this row has %d",
                             at.Where(), place, place < 0 ? "" : " twice or too far", choices);
    }
    shown[static_cast<size_t>(place)] = true;
  }
  return absl::OkStatus();
}

absl::Status FillChoices(const RowPlace& at, const FieldMap& fields, uint64_t seed,
                         const std::vector<int>* order, Problem* problem) {
  ASSIGN_OR_RETURN(const std::vector<std::string> choices, ChoicesAsPublished(at, *fields.choices));
  if (order != nullptr) RETURN_IF_ERROR(CheckOrder(at, *fields.choices, choices.size(), *order));
  problem->choice_order =
      order != nullptr ? *order : ShownOrder(*fields.choices, choices, *problem, seed);
  const size_t count = problem->choice_order.size();
  if (count < 2 || count > kMaxChoices) {
    return InvalidArgument("%s: expected 2 to %d choices, found %d", at.Where(), kMaxChoices,
                           count);
  }
  ASSIGN_OR_RETURN(const int right, RightChoice(at, fields, choices));
  for (size_t shown = 0; shown < count; ++shown) {
    const int position = problem->choice_order[shown];
    problem->choices.push_back(choices[static_cast<size_t>(position)]);
    if (position == right) problem->reference = std::string(1, static_cast<char>('A' + shown));
  }
  if (problem->reference.empty()) {
    return InvalidArgument("%s: the right choice '%s' is one that the task drops", at.Where(),
                           Shorten(choices[static_cast<size_t>(right)], 80));
  }
  return absl::OkStatus();
}

// "Both 2 and 3." of "LC network", "RC network", "RL network": positions from 1, where no other
// option speaks of one of the numbers; else they are quantities.
bool SpeaksOfNumberedOptions(const std::string& text, const std::vector<std::string>& choices) {
  static const auto* pattern = new RE2(
      R"((?i)\W*(?:both|neither|either)\s+\(?([1-9])\)?\s*(?:and|or|nor|&)\s*\(?([1-9])\)?\W*)");
  std::string first, second;
  if (!RE2::FullMatch(text, *pattern, &first, &second)) return false;
  for (const std::string& number : {first, second}) {
    if (*ParseInt(number) > static_cast<int64_t>(choices.size())) return false;
    const bool elsewhere =
        std::any_of(choices.begin(), choices.end(), [&](const std::string& other) {
          return !RE2::FullMatch(other, *pattern) && Contains(other, number);
        });
    if (elsewhere) return false;
  }
  return true;
}

// By content, so that it stays when rows are added, taken away or moved.
std::string ContentId(const Row& row) { return Sha256Hex(row.fields.Dump()).substr(0, 16); }

}  // namespace

bool ChoicesReferToPlaces(const std::vector<std::string>& choices) {
  // "all of the above", "none of these", "any two of the preceding statements"
  static const auto* pointing = new RE2(
      "(?i)\\b(all|none|any|both|neither|either|some|two|three|each)\\b[^.]{0,20}"
      "\\b(above|below|these|those|preceding|previous|mentioned|listed)\\b|"
      "\\b(above|preceding|previous|following) (answer|option|choice|statement)s?\\b|"
      "\\bof (the above|these|those)\\b|\\bsame as (the )?(above|[a-j]\\b)");
  // "A and C", "both A and B", "A B and C", "either (A) or (B)"
  static const auto* letters = new RE2(
      "^\\W*(?:(?i:both|neither|either|only|all of|none of|options?|answers?|choices?|statements?)"
      "\\s+)*\\(?[A-J]\\)?(?:(?:\\s*,\\s*|\\s+)(?:(?:and|or|nor|&|but "
      "not|and/or)\\s+)?\\(?[A-J]\\)?)"
      "*\\s*(?:,\\s*|\\s+|\\s*/\\s*|\\s*&\\s*)(?:and|or|nor|&|but "
      "not|and/or)?\\s*\\(?[A-J]\\)?(?:\\W|$)");
  static const auto* named = new RE2("(?i:\\b(options?|answers?|choices?)\\b) \\(?[A-J]\\b");
  // "both (a) and (b)", "(a), (b)"; without parentheses a small letter names a quantity as often.
  static const auto* in_parentheses = new RE2(
      "(?i)(?:^|[\\s,])\\(?[a-j]\\)(?:\\s*,\\s*(?:(?:and|or|nor|&)\\s*)?|\\s*(?:and/"
      "or|and|or|nor|&)"
      "\\s*)\\(?[a-j]\\)");
  // "use the method in (A)", "faster than (b)"
  static const auto* beside = new RE2("\\b(?i:in|from|than|as) \\([A-Ja-j]\\)(?:\\W|$)");
  return std::any_of(choices.begin(), choices.end(), [&](const std::string& text) {
    return RE2::PartialMatch(text, *pointing) || RE2::PartialMatch(text, *letters) ||
           RE2::PartialMatch(text, *named) || RE2::PartialMatch(text, *in_parentheses) ||
           RE2::PartialMatch(text, *beside) || SpeaksOfNumberedOptions(text, choices);
  });
}

bool IsDate(std::string_view text) {
  static const auto* pattern = new RE2(
      "(\\d{4})-(\\d{2})-(\\d{2})"
      "(?:[T ](?:[01]\\d|2[0-3]):[0-5]\\d(?::(?:[0-5]\\d|60)(?:\\.\\d+)?)?"
      "(?:Z|[+-]\\d{2}:?\\d{2})?)?");
  int year = 0, month = 0, day = 0;
  if (!RE2::FullMatch(text, *pattern, &year, &month, &day)) return false;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  return date.ok();
}

namespace {

// At or after `from`, before `until`.
absl::StatusOr<bool> WithinRange(const RowPlace& at, std::string_view field, const Json& found,
                                 const Json& range) {
  const Json *from = range.Find("from"), *until = range.Find("until");
  const auto is_date = [](const Json* end) { return end != nullptr && IsDate(end->ToText()); };
  if (is_date(from) || is_date(until)) {
    if (!found.is_string() || !IsDate(found.AsString())) {
      return WrongKind(at, field, "a date as YYYY-MM-DD (2024-08-01), a time may follow", found);
    }
  } else if (found.is_null()) {
    return WrongKind(at, field, "a text or a number to compare", found);
  }
  // A date and its time may be divided by a blank: it must not sort before a T.
  const auto comparable = [&](const Json& value) {
    const std::string text = value.ToText();
    return IsDate(text) ? ReplaceAll(text, " ", "T") : text;
  };
  const std::string text = comparable(found);
  return !(from != nullptr && text < comparable(*from)) &&
         !(until != nullptr && text >= comparable(*until));
}

}  // namespace

absl::StatusOr<bool> PassesFilter(const Row& row, std::string_view path, const Json& filter) {
  if (!filter.is_object()) return true;
  for (const auto& [field, wanted] : filter.AsMembers()) {
    const Json* found = row.fields.Find(field);
    if (found == nullptr) return Annotate(MissingField(row, path, field), "dataset.filter");
    const std::string text = found->ToText();
    if (wanted.is_object()) {
      const absl::StatusOr<bool> within =
          WithinRange({row, std::string(path)}, field, *found, wanted);
      if (!within.ok()) return Annotate(within.status(), "dataset.filter");
      if (!*within) return false;
      continue;
    }
    const bool passes = wanted.is_array()
                            ? std::any_of(wanted.AsArray().begin(), wanted.AsArray().end(),
                                          [&](const Json& one) { return one.ToText() == text; })
                            : wanted.ToText() == text;
    if (!passes) return false;
  }
  return true;
}

absl::StatusOr<Problem> ProblemFromRow(const FieldMap& fields, const Row& row,
                                       const std::string& path, uint64_t seed,
                                       const std::vector<int>* order) {
  const RowPlace at{row, path};
  Problem problem;
  problem.row = row.fields;
  if (fields.id) {
    ASSIGN_OR_RETURN(problem.id, ReadSource(at, *fields.id));
    if (problem.id.empty()) return InvalidArgument("%s: the id is empty", at.Where());
  } else {
    problem.id = ContentId(row);
  }
  if (fields.choices) {
    RETURN_IF_ERROR(FillChoices(at, fields, seed, order, &problem));
  } else {
    ASSIGN_OR_RETURN(problem.reference, ReadSource(at, fields.reference));
    if (problem.reference.empty()) {
      return InvalidArgument("%s: the reference is empty: no reply could be right", at.Where());
    }
  }
  for (const auto& [tag, source] : fields.tags) {
    ASSIGN_OR_RETURN(const std::string text, ReadSource(at, source));
    problem.tags.push_back(tag + ":" + text);
  }
  if (fields.cluster) {
    ASSIGN_OR_RETURN(const std::string text, ReadSource(at, *fields.cluster));
    problem.tags.push_back("cluster:" + text);
  }
  return problem;
}

Json TemplateContext(const Problem& problem) {
  Json context = problem.row;
  context.Set("row", problem.row);
  if (problem.choices.empty()) return context;
  Json choices = Json::MakeArray(), letters = Json::MakeArray();
  std::vector<std::string> lines;
  for (size_t i = 0; i < problem.choices.size(); ++i) {
    const std::string letter(1, static_cast<char>('A' + i));
    choices.Append(problem.choices[i]);
    letters.Append(letter);
    lines.push_back(letter + ") " + problem.choices[i]);
  }
  context.Set("choices", std::move(choices));
  context.Set("letters", std::move(letters));
  context.Set("lettered_choices", Join(lines, "\n"));
  return context;
}

namespace {

// `used` is how the template writes it.
absl::Status NotInContext(const std::string& where, const std::string& used,
                          const std::string& name, const Json& has) {
  std::vector<std::string> known;
  for (const auto& [field, value] : has.AsMembers()) known.push_back(field);
  return InvalidArgument("%s: the template uses %s, which this row has not%s (it has: %s)", where,
                         used, DidYouMean(name, known), Shorten(Join(known, ", "), 300));
}

}  // namespace

absl::StatusOr<std::string> RenderChecked(const CheckedTemplate& text, const Json& context,
                                          const std::string& where,
                                          std::vector<std::string>* blank) {
  for (const std::string& name : text.names) {
    if (context.Find(name) == nullptr) {
      return NotInContext(where, absl::StrFormat("'%s'", name), name, context);
    }
  }
  const Json* row = context.Find("row");
  for (const std::string& field : text.row_fields) {
    if (row != nullptr && row->Find(field) == nullptr) {
      return NotInContext(where, absl::StrFormat("row['%s']", field), field, *row);
    }
  }
  const TemplateLimits limits = {.write_holes = false};
  absl::StatusOr<std::string> rendered = text.parsed.Render(context, limits, blank);
  if (!rendered.ok()) return Annotate(rendered.status(), where);
  return rendered;
}

}  // namespace assay
