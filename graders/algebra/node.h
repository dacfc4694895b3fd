// The typed syntax tree of an answer: what the reader builds and every later stage looks at.
//
// Trees are immutable once built, and subtrees are shared between readings and normal forms: hence
// shared_ptr. Depth and size are bounded by the reader (Limits), so walking one recursively is
// safe.
#pragma once

#include <gmpxx.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay::algebra {

enum class Kind {
  // Values.
  kNumber,     // `number`; `text` as written where it was a decimal ("0.50", "4.5e33"), else ""
  kConstant,   // "pi", "e", "i", "inf"
  kSymbol,     // "x", "x_{12}", "alpha", "M'"
  kAdd,        // two or more
  kMul,        // two or more
  kDiv,        // numerator, denominator
  kPow,        // base, exponent
  kNeg,        // one
  kRoot,       // radicand, index: the real root where the radicand is real and the index is odd
  kCall,       // a function by name in `text`
  kPlusMinus,  // "+-" or "-+": one (prefix) or two
  // Wrappers of one value.
  kPercent,
  kDegree,
  kCurrency,  // "$"
  kQuantity,  // `text`: the unit as written
  // Collections.
  kTuple,     // `text`: the brackets, "()" or "<>" or "[]"
  kInterval,  // `text`: "[]", "[)", "(]" or "()": low, high
  kList,      // by commas, semicolons, "and", "or"
  kSet,
  kMatrix,     // `rows`, `columns`, by rows
  kPiecewise,  // value, condition, value, condition...
  kSystem,     // several statements that hold together
  // Sets.
  kNamedSet,  // "R", "Z", "N", "Q", "C", "empty"
  kUnion,
  kIntersection,
  kDifference,
  kSetBuilder,  // element, condition
  // Statements.
  kRelation,  // a chain: operands, and one character for each operator in `text` (below)
  kAnd,
  kOr,
  // Notations.
  kModulo,  // a (mod n): value, modulus
  kRatio,   // a : b : c
  kBase,    // digits in `text`; the base in `number`
  kEllipsis,
  kText,  // words
};

// Operators of a relation chain.
inline constexpr char kEqual = '=';
inline constexpr char kLess = '<';
inline constexpr char kGreater = '>';
inline constexpr char kLessEqual = 'l';
inline constexpr char kGreaterEqual = 'g';
inline constexpr char kNotEqual = '!';
inline constexpr char kApproximately = '~';
inline constexpr char kElementOf = 'e';
inline constexpr char kNotElementOf = 'n';
inline constexpr char kCongruent = '%';
inline constexpr char kSubset = 's';
inline constexpr char kOtherRelation = 'o';

struct Node;
using Expr = std::shared_ptr<const Node>;

struct Node {
  Kind kind;
  std::string text;
  std::optional<mpq_class> number;
  std::vector<Expr> args;
  int rows = 0;
  int columns = 0;
};

Expr MakeNode(Kind kind, std::vector<Expr> args, std::string text = "");
Expr MakeNumber(const mpq_class& value, std::string as_written = "");
Expr MakeInteger(long value);
Expr MakeSymbol(std::string_view name);
Expr MakeConstant(std::string_view name);
Expr MakeCall(std::string_view function, std::vector<Expr> args);
Expr MakeMatrix(int rows, int columns, std::vector<Expr> cells);
Expr Negate(const Expr& value);
// One operand: itself. Nested sums and products are merged.
Expr MakeSum(std::vector<Expr> terms);
Expr MakeProduct(std::vector<Expr> factors);
Expr Subtract(const Expr& left, const Expr& right);

// A text that is the same for trees that differ only in the order of commuting operands, in how
// differences and quotients are written, or in redundant brackets. Equal texts mean equal trees;
// the converse does not hold.
std::string CanonicalText(const Expr& expression);
// For people: close to what was written, fully bracketed where it matters.
std::string Readable(const Expr& expression);

// Whether this is a value (a number or an expression), not a collection, statement or text.
bool IsValue(const Node& node);
// Whether any node satisfies the predicate.
template <typename Predicate>
bool Any(const Expr& expression, const Predicate& predicate) {
  if (predicate(*expression)) return true;
  for (const Expr& arg : expression->args)
    if (Any(arg, predicate)) return true;
  return false;
}

// `replacement` for every occurrence of the node with this canonical symbol name.
Expr Substitute(const Expr& expression, std::string_view symbol, const Expr& replacement);

}  // namespace assay::algebra
