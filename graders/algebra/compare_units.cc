// Quantities, percents, degrees, times of day; words; ratios.
#include "graders/algebra/comparer.h"

#include "graders/algebra/exact.h"
#include "graders/algebra/words.h"
#include "harness/text.h"

namespace assay::algebra {

// --- units ---

Comparer::Measure Comparer::Read(const Expr& e) {
  Measure measure;
  measure.value = e;
  if (!IsWrapped(e)) return measure;
  measure.kind = e->kind;
  measure.value = e->args[0];
  if (e->kind == Kind::kCurrency) measure.unit = ReadUnit(e->text == "$" ? "dollar" : e->text);
  if (e->kind == Kind::kQuantity) {
    measure.unit_text = e->text;
    for (const std::string_view scale : {"degrees ", "degree "})  // "degrees celsius"
      if (e->text.starts_with(scale)) measure.unit_text = e->text.substr(scale.size());
    if (measure.unit_text == "centigrade") measure.unit_text = "celsius";
    measure.unit = ReadUnit(measure.unit_text);
  }
  if (e->kind == Kind::kCurrency && IsWrapped(measure.value)) return Read(measure.value);
  return measure;
}

Decision Comparer::CompareWrapped(const Expr& g, const Expr& p) {
  const Measure left = Read(g);
  const Measure right = Read(p);
  Decision decision = CompareMeasures(left, right);
  if (decision.finding == Finding::kEqual) decision.tier = Tier::kUnits;
  return decision;
}

Decision Comparer::CompareMeasures(const Measure& left, const Measure& right) {
  if (IsPercentOfNoun(left) != IsPercentOfNoun(right))
    return IsPercentOfNoun(left) ? CompareMeasures(Read(left.value), right)
                                 : CompareMeasures(left, Read(right.value));
  const bool left_bare = left.kind == Kind::kNumber;
  const bool right_bare = right.kind == Kind::kNumber;
  if (left.kind == Kind::kPercent || right.kind == Kind::kPercent)
    return ComparePercents(left, right);
  if (left.kind == Kind::kDegree || right.kind == Kind::kDegree) return CompareDegrees(left, right);
  if (left_bare && IsHalfDay(right)) return Compare(left.value, OnTheClockOf(left.value, right));
  if (right_bare && IsHalfDay(left)) return Compare(OnTheClockOf(right.value, left), right.value);
  if (left_bare || right_bare) {
    const Decision bare = Compare(left.value, right.value);
    if (Holds(bare)) return bare;
    const Expr without = left_bare ? WithoutUnitLetter(left.value, right.unit_text)
                                   : WithoutUnitLetter(right.value, left.unit_text);
    if (!without) return bare;
    return left_bare ? Compare(without, right.value) : Compare(left.value, without);
  }
  return CompareUnits(left, right);
}

// 10m beside 10\,\mathrm{m}: 10, since the other side says that the letter is a unit.
Expr Comparer::WithoutUnitLetter(const Expr& product, std::string_view unit) {
  if (unit.size() != 1 || product->kind != Kind::kMul || !IsPlain(product)) return nullptr;
  const Expr& last = product->args.back();
  if (last->kind != Kind::kSymbol || last->text != unit) return nullptr;
  const Expr rest = MakeProduct(std::vector<Expr>(product->args.begin(), product->args.end() - 1));
  return IsConstant(rest) ? rest : nullptr;
}

Decision Comparer::ComparePercents(const Measure& left, const Measure& right) {
  if (left.kind == right.kind) return Compare(left.value, right.value);
  const bool left_percent = left.kind == Kind::kPercent;
  if ((left_percent ? right.kind : left.kind) != Kind::kNumber)
    return Different(Tier::kUnits, "percent against another unit");
  const auto hundredth = [](const Expr& e) { return MakeNode(Kind::kDiv, {e, MakeInteger(100)}); };
  if (!IsPlain(left.value) || !IsPlain(right.value)) return Compare(left.value, right.value);
  const Decision scaled = left_percent
                              ? CompareValues(hundredth(left.value), right.value, deadline_)
                              : CompareValues(left.value, hundredth(right.value), deadline_);
  if (Holds(scaled) || !policy_.percent_equals_bare) return scaled;
  return Compare(left.value, right.value);
}

// 48° and 48; also 90° and π/2.
Decision Comparer::CompareDegrees(const Measure& left, const Measure& right) {
  const bool left_degree = left.kind == Kind::kDegree;
  if (left.kind == right.kind) return Compare(left.value, right.value);
  const Measure& other = left_degree ? right : left;
  if (other.kind != Kind::kNumber && !(other.kind == Kind::kQuantity && other.unit.bases.empty()))
    return Different(Tier::kUnits, "degrees against another unit");
  const Decision direct = Compare(left.value, right.value);
  if (Holds(direct) || !IsPlain(left.value) || !IsPlain(right.value)) return direct;
  const auto radians = [](const Expr& e) { return MakeNode(Kind::kDegree, {e}); };
  const Expr a = left_degree ? radians(left.value) : left.value;
  const Expr b = left_degree ? right.value : radians(right.value);
  return CompareValues(a, b, deadline_);
}

// 25 °C as a number of kelvins; null where the unit is no temperature.
Expr Comparer::Kelvins(const Measure& m) {
  if (m.unit_text == "celsius") return MakeSum({m.value, MakeNumber(mpq_class(5463, 20))});
  if (m.unit_text == "fahrenheit")
    return MakeProduct(
        {MakeNumber(mpq_class(5, 9)), MakeSum({m.value, MakeNumber(mpq_class(45967, 100))})});
  if (m.unit_text == "k" || m.unit_text == "kelvin" || m.unit_text == "kelvins") return m.value;
  return nullptr;
}

// 25 °C is 77 °F; as differences, 25 °C are 45 °F.
Decision Comparer::CompareTemperatures(const Measure& left, const Measure& right) {
  const Decision points = CompareValues(Kelvins(left), Kelvins(right), deadline_);
  if (Holds(points)) return points;
  const auto slope = [](const Measure& m) {
    return MakeProduct({MakeNumber(mpq_class(m.unit_text == "fahrenheit" ? 5 : 9)), m.value});
  };
  if (Holds(CompareValues(slope(left), slope(right), deadline_)))
    return Undecided("the same as differences of temperature");
  return points;
}

Decision Comparer::CompareUnits(const Measure& left, const Measure& right) {
  if (left.unit_text != right.unit_text && IsPlain(left.value) && IsPlain(right.value) &&
      Kelvins(left) && Kelvins(right))
    return CompareTemperatures(left, right);
  if (left.unit.bases.empty() || right.unit.bases.empty() ||
      (left.unit.bases == right.unit.bases && left.unit.scale == right.unit.scale))
    return Compare(left.value, right.value);
  if (left.unit.bases != right.unit.bases) {
    if (left.unit.known && right.unit.known)
      return Different(Tier::kUnits, "units of different kinds");
    if (IsHalfDay(left) && IsHalfDay(right)) return Different(Tier::kUnits, "am against pm");
    const Decision values = Compare(left.value, right.value);
    return Holds(values) ? Undecided("units that are not known to be the same") : values;
  }
  if (!IsPlain(left.value) || !IsPlain(right.value)) return Undecided("converted units");
  const auto scaled = [](const Measure& m) {
    return MakeProduct({MakeNumber(m.unit.scale), m.value});
  };
  return CompareValues(scaled(left), scaled(right), deadline_);
}

// "4:30 pm" as 16:30 where the other side counts to 24.
Expr Comparer::OnTheClockOf(const Expr& other, const Measure& time) {
  const auto hour = [](const Expr& e) -> std::optional<mpq_class> {
    if (e->kind != Kind::kRatio || e->args.size() != 2) return std::nullopt;
    return e->args[0]->number;
  };
  const auto from = hour(time.value);
  const auto to = hour(other);
  if (!from || !to || time.unit_text != "pm" || *to < 13 || *from > 11) return time.value;
  return MakeNode(Kind::kRatio, {MakeNumber(*from + 12), time.value->args[1]});
}

// --- words ---

Decision Comparer::CompareTexts(const Expr& g, const Expr& p) {
  const auto fold = [](const Expr& e) -> std::optional<std::string> {
    if (e->kind == Kind::kText) return e->text;
    if (e->kind == Kind::kSymbol && e->text.size() == 1) return ToLowerAscii(e->text);
    return std::nullopt;
  };
  const auto a = fold(g);
  const auto b = fold(p);
  if (!a || !b) {
    const std::string& words = g->kind == Kind::kText ? g->text : p->text;
    if (MayNameNumber(words)) return Undecided("words that may name a number");
    return Different(Tier::kStructure, "words against mathematics");
  }
  if (SaysThereIsNone(*a) && SaysThereIsNone(*b)) return Equal(Tier::kText);
  return *a == *b ? Equal(Tier::kText) : Different(Tier::kText);
}

// --- ratios ---

// A clock shows whole minutes in two digits; the lexer keeps no leading zero, so the numbers must
// do.
bool Comparer::MayBeTime(const Expr& e) {
  if (e->args.size() != 2) return false;
  for (const Expr& part : e->args)
    if (part->kind != Kind::kNumber || part->number->get_den() != 1) return false;
  return *e->args[0]->number <= 24 && *e->args[1]->number < 60 &&
         (*e->args[1]->number >= 10 || *e->args[1]->number == 0);
}

Decision Comparer::CompareRatios(const Expr& g, const Expr& p) {
  if (g->kind != Kind::kRatio || p->kind != Kind::kRatio) {
    const Expr& ratio = g->kind == Kind::kRatio ? g : p;
    const Expr& other = g->kind == Kind::kRatio ? p : g;
    if (ratio->args.size() != 2 || !IsPlain(other) || !IsPlain(ratio->args[0]) ||
        !IsPlain(ratio->args[1]))
      return Different(Tier::kStructure, "a ratio against another kind");
    if (MayBeTime(ratio)) return Different(Tier::kStructure, "a time of day against a number");
    // 5:3 as the number 5/3.
    return CompareValues(MakeNode(Kind::kDiv, {ratio->args[0], ratio->args[1]}), other, deadline_);
  }
  if (g->args.size() != p->args.size())
    return Different(Tier::kStructure, "another number of parts");
  const Decision same = CompareInOrderOf(g->args, p->args);
  if (Holds(same) || (MayBeTime(g) && MayBeTime(p))) return same;
  return CompareScaled(g, p);
}

// 5:3 is 10:6: every cross product agrees.
Decision Comparer::CompareScaled(const Expr& g, const Expr& p) {
  Decision total = Equal(Tier::kExact, "up to scaling");
  for (size_t i = 0; i < g->args.size(); ++i) {
    if (!IsPlain(g->args[i]) || !IsPlain(p->args[i])) return Undecided("a ratio of other things");
    const auto is_zero = [](const Expr& e) {
      const ExactResult value = ExactValue(e);
      return value.status == EvalStatus::kValue && value.value == 0;
    };
    if (is_zero(g->args[i]) || is_zero(p->args[i])) return Different(Tier::kExact);
    if (i == 0) continue;
    total = Both(total, CompareValues(MakeProduct({g->args[0], p->args[i]}),
                                      MakeProduct({p->args[0], g->args[i]}), deadline_));
  }
  return total;
}

}  // namespace assay::algebra
