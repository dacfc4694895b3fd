// Pairs whose truth is known by construction: generated expressions, rewritten and respelled so
// that they stay equal, or changed so that they cannot be.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "graders/algebra/check.h"

namespace assay::algebra {
namespace {

using Random = std::mt19937;

int Pick(Random& random, int low, int high) {
  return std::uniform_int_distribution<int>(low, high)(random);
}

// An expression of the generator: its own, so that the checker's tree cannot hide its own faults.
struct Term {
  enum class Kind { kInteger, kSymbol, kRoot, kSum, kProduct, kQuotient, kSquare } kind;
  int value = 0;    // of an integer, or under a root
  char symbol = 0;  //
  std::vector<Term> parts;
};

Term Integer(int value) { return {Term::Kind::kInteger, value, 0, {}}; }
Term Sum(Term a, Term b) { return {Term::Kind::kSum, 0, 0, {std::move(a), std::move(b)}}; }
Term Product(Term a, Term b) { return {Term::Kind::kProduct, 0, 0, {std::move(a), std::move(b)}}; }
Term Quotient(Term a, Term b) {
  return {Term::Kind::kQuotient, 0, 0, {std::move(a), std::move(b)}};
}
Term Square(Term a) { return {Term::Kind::kSquare, 0, 0, {std::move(a)}}; }
Term Negative(Term a) { return Product(Integer(-1), std::move(a)); }

Term Leaf(Random& random, bool symbols) {
  const int kind = Pick(random, 0, symbols ? 4 : 1);
  if (kind == 0) return Integer(Pick(random, -9, 12));
  if (kind == 1) return {Term::Kind::kRoot, Pick(random, 2, 15), 0, {}};
  return {Term::Kind::kSymbol, 0, "xyat" [Pick(random, 0, 3)], {}};
}

// Denominators are never zero: positive integers, or a square plus one.
Term Denominator(Random& random, bool symbols) {
  if (!symbols || Pick(random, 0, 1) == 0) return Integer(Pick(random, 2, 9));
  return Sum(Square({Term::Kind::kSymbol, 0, "xyat" [Pick(random, 0, 3)], {}}), Integer(1));
}

Term Generate(Random& random, int depth, bool symbols) {
  if (depth == 0) return Leaf(random, symbols);
  switch (Pick(random, 0, 4)) {
    case 0:
    case 1:
      return Sum(Generate(random, depth - 1, symbols), Generate(random, depth - 1, symbols));
    case 2:
      return Product(Generate(random, depth - 1, symbols), Generate(random, depth - 1, symbols));
    case 3:
      return Quotient(Generate(random, depth - 1, symbols), Denominator(random, symbols));
    default:
      return Square(Generate(random, depth - 1, symbols));
  }
}

// An equal expression of another shape.
Term Rewritten(const Term& term, Random& random) {
  Term copy = term;
  for (Term& part : copy.parts) part = Rewritten(part, random);
  switch (copy.kind) {
    case Term::Kind::kSum:
      if (Pick(random, 0, 1) == 0) std::swap(copy.parts[0], copy.parts[1]);
      break;
    case Term::Kind::kProduct: {
      if (Pick(random, 0, 1) == 0) std::swap(copy.parts[0], copy.parts[1]);
      const Term& last = copy.parts[1];
      if (last.kind == Term::Kind::kSum && Pick(random, 0, 1) == 0)  // expand
        return Sum(Product(copy.parts[0], last.parts[0]), Product(copy.parts[0], last.parts[1]));
      break;
    }
    case Term::Kind::kSquare: {
      const Term& base = copy.parts[0];
      if (Pick(random, 0, 2) == 0) return Product(base, base);
      if (base.kind == Term::Kind::kSum && Pick(random, 0, 1) == 0)  // the binomial formula
        return Sum(Sum(Square(base.parts[0]), Square(base.parts[1])),
                   Product(Integer(2), Product(base.parts[0], base.parts[1])));
      break;
    }
    case Term::Kind::kQuotient: {
      const int factor = Pick(random, 2, 6);
      if (Pick(random, 0, 2) == 0)
        return Quotient(Product(Integer(factor), copy.parts[0]),
                        Product(Integer(factor), copy.parts[1]));
      const Term& above = copy.parts[0];
      if (above.kind == Term::Kind::kSum && Pick(random, 0, 1) == 0)  // split the fraction
        return Sum(Quotient(above.parts[0], copy.parts[1]),
                   Quotient(above.parts[1], copy.parts[1]));
      break;
    }
    case Term::Kind::kRoot:
      if (Pick(random, 0, 2) == 0)
        return Quotient({Term::Kind::kRoot, copy.value * 9, 0, {}}, Integer(3));
      if (Pick(random, 0, 3) == 0)  // as 1/√n is written without a root below
        return Quotient(Integer(copy.value), {Term::Kind::kRoot, copy.value, 0, {}});
      break;
    case Term::Kind::kInteger:
      if (Pick(random, 0, 3) == 0) {
        const int part = Pick(random, -5, 5);
        return Sum(Integer(copy.value - part), Integer(part));
      }
      break;
    case Term::Kind::kSymbol:
      break;
  }
  return copy;
}

std::string Spelled(const Term& term, Random& random);

std::string Bracketed(const Term& term, Random& random) {
  const bool atom = term.kind == Term::Kind::kSymbol || term.kind == Term::Kind::kRoot ||
                    (term.kind == Term::Kind::kInteger && term.value >= 0);
  const std::string text = Spelled(term, random);
  if (atom) return text;
  return Pick(random, 0, 1) == 0 ? "(" + text + ")" : "\\left(" + text + "\\right)";
}

std::string SpelledQuotient(const Term& term, Random& random) {
  static const std::vector<std::string> macros = {"\\frac", "\\dfrac", "\\tfrac", "\\cfrac"};
  if (Pick(random, 0, 3) == 0)
    return "(" + Bracketed(term.parts[0], random) + "/" + Bracketed(term.parts[1], random) + ")";
  return macros[Pick(random, 0, 3)] + "{" + Spelled(term.parts[0], random) + "}{" +
         Spelled(term.parts[1], random) + "}";
}

std::string SpelledRoot(int value, Random& random) {
  const std::string digits = std::to_string(value);
  switch (Pick(random, 0, 2)) {
    case 0:
      return "\\sqrt{" + digits + "}";
    case 1:
      return "\\sqrt[2]{" + digits + "}";
    default:
      return "{" + digits + "}^{\\frac12}";
  }
}

std::string Spelled(const Term& term, Random& random) {
  static const std::vector<std::string> times = {"\\cdot ", "\\times ", " \\cdot\\, "};
  switch (term.kind) {
    case Term::Kind::kInteger:
      return std::to_string(term.value);
    case Term::Kind::kSymbol:
      return std::string(1, term.symbol);
    case Term::Kind::kRoot:
      return SpelledRoot(term.value, random);
    case Term::Kind::kSum:
      return Bracketed(term.parts[0], random) + (Pick(random, 0, 1) == 0 ? "+" : " + ") +
             Bracketed(term.parts[1], random);
    case Term::Kind::kProduct:
      return Bracketed(term.parts[0], random) + times[Pick(random, 0, 2)] +
             Bracketed(term.parts[1], random);
    case Term::Kind::kQuotient:
      return SpelledQuotient(term, random);
    case Term::Kind::kSquare:
      return "{" + Bracketed(term.parts[0], random) + "}^{2}";
  }
  return "";
}

void ExpectEqual(const std::string& a, const std::string& b) {
  const Outcome outcome = Check(a, b, {});
  EXPECT_TRUE(outcome.correct()) << a << "\n"
                                 << b << "\n"
                                 << VerdictName(outcome.verdict) << " " << outcome.note;
}
void ExpectDifferent(const std::string& a, const std::string& b) {
  const Outcome outcome = Check(a, b, {});
  EXPECT_EQ(outcome.verdict, Verdict::kProvedDifferent) << a << "\n" << b << "\n" << outcome.note;
}

TEST(AlgebraMetamorphic, RewrittenExpressionsStayEqual) {
  Random random(20260101);
  for (int i = 0; i < 1500; ++i) {
    const Term term = Generate(random, Pick(random, 1, 3), /*symbols=*/i % 3 != 0);
    const std::string spelled = Spelled(term, random);
    ExpectEqual(spelled, Spelled(Rewritten(term, random), random));
  }
}

TEST(AlgebraMetamorphic, AnAddedOneIsSeen) {
  Random random(20260102);
  for (int i = 0; i < 1500; ++i) {
    const Term term = Generate(random, Pick(random, 1, 3), /*symbols=*/i % 3 != 0);
    const Term changed = Sum(Rewritten(term, random), Integer(Pick(random, 0, 1) == 0 ? 1 : -1));
    const std::string spelled = Spelled(term, random);
    ExpectDifferent(spelled, Spelled(Rewritten(changed, random), random));
  }
}

TEST(AlgebraMetamorphic, ADifferenceOfEqualsIsZero) {
  Random random(20260103);
  for (int i = 0; i < 300; ++i) {
    const Term term = Generate(random, 2, /*symbols=*/i % 2 == 0);
    const Term zero = Sum(term, Negative(Rewritten(term, random)));
    ExpectEqual("0", Spelled(zero, random));
    ExpectDifferent("0", Spelled(Sum(zero, Integer(2)), random));
  }
}

// Intervals in their many notations: brackets, inequalities, set-builders, complements.
TEST(AlgebraMetamorphic, IntervalsAreTheSameInEveryNotation) {
  Random random(20260104);
  for (int i = 0; i < 500; ++i) {
    const int low = Pick(random, -20, 10);
    const int high = low + Pick(random, 1, 12);
    const bool low_closed = Pick(random, 0, 1) == 0;
    const bool high_closed = Pick(random, 0, 1) == 0;
    const std::string a = std::to_string(low);
    const std::string b = std::to_string(high);
    const std::string bracket = (low_closed ? "[" : "(") + a + "," + b + (high_closed ? "]" : ")");
    const std::string chain =
        a + (low_closed ? "\\le x" : "<x") + (high_closed ? "\\leq " : "<") + b;
    const std::string parts = "x" + std::string(high_closed ? "\\leqslant " : "<") + b +
                              "\\text{ and }x" + (low_closed ? "\\ge " : ">") + a;
    const std::string middle = std::to_string(low + (high - low) / 2);
    const std::string pieces = (low_closed ? "[" : "(") + a + "," + middle + "]\\cup[" + middle +
                               "," + b + (high_closed ? "]" : ")");
    ExpectEqual(bracket, chain);
    ExpectEqual(bracket, parts);
    ExpectEqual(chain, "\\{x\\mid " + chain + "\\}");
    ExpectEqual(chain, "x\\in" + bracket);
    if (high - low >= 2) ExpectEqual(bracket, pieces);
    const std::string other = (low_closed ? "(" : "[") + a + "," + b + (high_closed ? "]" : ")");
    ExpectDifferent(bracket, other);
    ExpectDifferent(chain, (low_closed ? "[" : "(") + a + "," + std::to_string(high + 1) +
                               (high_closed ? "]" : ")"));
  }
}

TEST(AlgebraMetamorphic, ListsAreTheSameInEveryOrderAndTuplesAreNot) {
  Random random(20260105);
  for (int i = 0; i < 400; ++i) {
    const int count = Pick(random, 2, 6);
    std::vector<std::string> items;
    for (int k = 0; k < count; ++k)
      items.push_back("\\frac{" + std::to_string(Pick(random, -20, 20)) + "}{7}+" +
                      std::to_string(k * 10));
    const auto joined = [&](const std::string& separator) {
      std::string text;
      for (const std::string& item : items) text += (text.empty() ? "" : separator) + item;
      return text;
    };
    const std::string list = joined(", ");
    const std::string set = "\\{" + joined(",") + "\\}";
    const std::string tuple = "(" + joined(",") + ")";
    std::rotate(items.begin(), items.begin() + 1, items.end());
    ExpectEqual(list, joined(" , "));
    ExpectEqual(set, "\\{" + joined(",\\ ") + "\\}");
    ExpectEqual(list, joined("\\text{ and }"));
    ExpectDifferent(tuple, "(" + joined(",") + ")");
    items.pop_back();
    ExpectDifferent(list, joined(","));
  }
}

// Roots leave the denominator: 1/(a√m + b√n) times its conjugate.
TEST(AlgebraMetamorphic, RationalisedFractionsStayEqual) {
  Random random(20260107);
  for (int i = 0; i < 400; ++i) {
    const int a = Pick(random, 1, 5);
    const int b = Pick(random, 1, 5);
    const int m = Pick(random, 2, 19);
    const int n = Pick(random, 2, 19);
    const int below = a * a * m - b * b * n;
    if (below == 0) continue;
    const auto root = [](int factor, int radicand) {
      return std::to_string(factor) + "\\sqrt{" + std::to_string(radicand) + "}";
    };
    const std::string fraction = "\\frac{1}{" + root(a, m) + "+" + root(b, n) + "}";
    const std::string over = "}{" + std::to_string(below) + "}";
    ExpectEqual(fraction, "\\frac{" + root(a, m) + "-" + root(b, n) + over);
    ExpectEqual(fraction,
                "\\frac{-" + root(b, n) + "+\\sqrt{" + std::to_string(a * a * m) + "}" + over);
    ExpectDifferent(fraction, "\\frac{" + root(a, m) + "+" + root(b, n) + over);
    ExpectDifferent(fraction, "\\frac{" + root(a, m + 1) + "-" + root(b, n) + over);
  }
}

// Addition theorems with random factors: proved, not only seen at points; a wrong sign is refuted.
TEST(AlgebraMetamorphic, AdditionTheoremsAreProved) {
  Random random(20260108);
  for (int i = 0; i < 50; ++i) {
    const std::string u = std::to_string(Pick(random, 1, 4)) + "x";
    const std::string v = std::to_string(Pick(random, 1, 4)) + "y";
    const bool sine = Pick(random, 0, 1) == 0;
    const bool plus = Pick(random, 0, 1) == 0;
    const std::string left = (sine ? "\\sin(" : "\\cos(") + u + (plus ? "+" : "-") + v + ")";
    const auto right = [&](bool sign) {
      const std::string between = sign ? "+" : "-";
      return sine ? "\\sin " + u + "\\cos " + v + between + "\\cos " + u + "\\sin " + v
                  : "\\cos " + u + "\\cos " + v + between + "\\sin " + u + "\\sin " + v;
    };
    const Outcome outcome = Check(left, right(sine == plus), {});
    EXPECT_EQ(outcome.verdict, Verdict::kProvedEqual) << left << " | " << right(sine == plus);
    ExpectDifferent(left, right(sine != plus));
    const int k = Pick(random, 2, 5);
    const std::string power = std::to_string(k);
    ExpectEqual("e^{" + power + "x+y}", "(e^x)^" + power + "e^{y}");
    ExpectDifferent("e^{" + power + "x+y}", "(e^x)^" + power + "+e^{y}");
  }
}

// Generated expressions of all kinds: each is itself, and no order of two of them matters.
TEST(AlgebraMetamorphic, SamenessIsReflexiveAndSymmetric) {
  Random random(20260109);
  for (int i = 0; i < 500; ++i) {
    const Term term = Generate(random, Pick(random, 1, 2), /*symbols=*/i % 2 == 0);
    const Term other = Pick(random, 0, 1) == 0 ? Rewritten(term, random)
                                               : Generate(random, 1, /*symbols=*/i % 2 == 0);
    const std::string a = Spelled(term, random);
    const std::string b = Spelled(other, random);
    EXPECT_TRUE(SameAnswer(a, a, {})) << a;
    EXPECT_TRUE(SameAnswer(b, b, {})) << b;
    EXPECT_EQ(SameAnswer(a, b, {}), SameAnswer(b, a, {})) << a << " | " << b;
  }
}

TEST(AlgebraMetamorphic, EquationsStayTheSameUpToAFactor) {
  Random random(20260106);
  for (int i = 0; i < 300; ++i) {
    const int a = Pick(random, 1, 9);
    const int b = Pick(random, 1, 9);
    const int c = Pick(random, 1, 30);
    const int k = Pick(random, 2, 7);
    const auto equation = [](int p, int q, int r) {
      return std::to_string(p) + "x+" + std::to_string(q) + "y=" + std::to_string(r);
    };
    ExpectEqual(equation(a, b, c), equation(a * k, b * k, c * k));
    ExpectEqual(equation(a, b, c), "y=\\frac{" + std::to_string(c) + "-" + std::to_string(a) +
                                       "x}{" + std::to_string(b) + "}");
    ExpectDifferent(equation(a, b, c), equation(a * k, b * k, c * k + 1));
    ExpectDifferent(equation(a, b, c), equation(a + 1, b, c));
  }
}

}  // namespace
}  // namespace assay::algebra
