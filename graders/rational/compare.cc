// The tiers in order: same text, then both read as numbers, then what stands around the numbers.
#include "graders/rational/compare.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_format.h"
#include "graders/rational/quantity.h"
#include "harness/text.h"

namespace assay {
namespace {

constexpr size_t kShown = 60;

RationalVerdict Decide(Outcome outcome, std::string tier, std::string why) {
  return {outcome, std::move(tier), std::move(why)};
}

RationalVerdict Unread(std::string_view side, std::string_view text, ReadProblem problem) {
  const bool over = problem == ReadProblem::kOverLimit;
  return Decide(
      Outcome::kUndecided, over ? "over_limit" : "unread",
      absl::StrFormat("the %s is %s: '%s'", side, over ? "over the limits" : "no plain number",
                      Shorten(text, kShown)));
}

std::string Relation(const Quantity& answer, std::string_view relation, const Quantity& reference) {
  return absl::StrFormat("%s %s %s", ShownValue(answer.value), relation,
                         ShownValue(reference.value));
}

// 28% for 28 or for 0.28, where only one of them has the sign. Never 28 for 0.28.
bool EqualButForPercent(const Quantity& reference, const Quantity& answer) {
  if (reference.percent == answer.percent) return false;
  const mpq_class& with = reference.percent ? reference.value : answer.value;
  const mpq_class& without = reference.percent ? answer.value : reference.value;
  return with == without || with == without * 100;
}

// The answer, rounded half away from zero to the reference's written decimals, is the reference.
bool RoundsTo(const Quantity& reference, const Quantity& answer) {
  if (reference.decimals == 0 || reference.decimals > 1000) return false;
  mpz_class scale;
  mpz_ui_pow_ui(scale.get_mpz_t(), 10, static_cast<unsigned long>(reference.decimals));
  const mpq_class difference = abs(answer.value - reference.value) * mpq_class(scale) * 2;
  return difference <= 1;
}

// 100,200,300 and 300,200,100 are two numbers, or one list.
bool MayBeOneList(const Quantity& reference, const Quantity& answer) {
  if (reference.comma_groups.empty() || answer.comma_groups.empty()) return false;
  std::vector<std::string_view> wanted = Split(reference.comma_groups, ','),
                                given = Split(answer.comma_groups, ',');
  std::sort(wanted.begin(), wanted.end());
  std::sort(given.begin(), given.end());
  return wanted == given;
}

RationalVerdict CompareValues(const Quantity& reference, const Quantity& answer) {
  const bool both_units = !reference.unit.empty() && !answer.unit.empty();
  if (both_units && reference.unit != answer.unit) {
    return Decide(Outcome::kUndecided, "units",
                  absl::StrFormat("the units differ: %s and %s", answer.unit, reference.unit));
  }
  if (reference.value == answer.value)
    return Decide(Outcome::kCorrect, "number", Relation(answer, "=", reference));
  if (EqualButForPercent(reference, answer))
    return Decide(Outcome::kCorrect, "percent",
                  Relation(answer, "=", reference) + " but for the percent sign");
  // Five apples are not three, but what one unlisted noun makes of a number is not known here.
  const bool unlisted =
      reference.unit != answer.unit && !(reference.unit_known && answer.unit_known);
  if (unlisted)
    return Decide(Outcome::kUndecided, "units",
                  "the numbers differ, and a unit is not in the list");
  if (MayBeOneList(reference, answer))
    return Decide(Outcome::kUndecided, "list",
                  "the numbers differ, but may be lists of the same numbers");
  if (RoundsTo(reference, answer))
    return Decide(Outcome::kUndecided, "rounding", Relation(answer, "only rounds to", reference));
  return Decide(Outcome::kIncorrect, "number", Relation(answer, "is not", reference));
}

}  // namespace

RationalVerdict CompareAnswers(std::string_view reference, std::string_view answer) {
  const std::string wanted = TextForm(reference), found = TextForm(answer);
  if (wanted.empty() || found.empty())
    return Decide(Outcome::kUndecided, "unread",
                  wanted.empty() ? "the reference is empty" : "the answer is empty");
  const bool same_text = wanted == found;
  const QuantityReading right = ReadQuantity(reference);
  if (same_text)
    return Decide(Outcome::kCorrect, right.quantity ? "number" : "text",
                  absl::StrFormat("the same text: '%s'", Shorten(wanted, kShown)));
  if (!right.quantity) return Unread("reference", reference, right.problem);
  const QuantityReading given = ReadQuantity(answer);
  if (!given.quantity) return Unread("answer", answer, given.problem);
  const bool names_differ = !right.quantity->name.empty() && !given.quantity->name.empty() &&
                            right.quantity->name != given.quantity->name;
  if (names_differ)
    return Decide(Outcome::kUndecided, "names",
                  absl::StrFormat("%s is given, %s is asked for", given.quantity->name,
                                  right.quantity->name));
  return CompareValues(*right.quantity, *given.quantity);
}

bool SameAnswer(std::string_view a, std::string_view b) {
  const QuantityReading first = ReadQuantity(a), second = ReadQuantity(b);
  if (first.quantity && second.quantity) return first.quantity->value == second.quantity->value;
  return first.quantity.has_value() == second.quantity.has_value() && TextForm(a) == TextForm(b);
}

}  // namespace assay
