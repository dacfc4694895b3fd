// Building trees, and their canonical and readable texts.
#include "graders/algebra/node.h"

#include <algorithm>
#include <utility>

namespace assay::algebra {
namespace {

std::string_view KindLetter(Kind kind) {
  switch (kind) {
    case Kind::kNumber:
      return "num";
    case Kind::kConstant:
      return "const";
    case Kind::kSymbol:
      return "sym";
    case Kind::kAdd:
      return "+";
    case Kind::kMul:
      return "*";
    case Kind::kDiv:
      return "/";
    case Kind::kPow:
      return "^";
    case Kind::kNeg:
      return "neg";
    case Kind::kRoot:
      return "root";
    case Kind::kCall:
      return "call";
    case Kind::kPlusMinus:
      return "pm";
    case Kind::kPercent:
      return "percent";
    case Kind::kDegree:
      return "degree";
    case Kind::kCurrency:
      return "money";
    case Kind::kQuantity:
      return "unit";
    case Kind::kTuple:
      return "tuple";
    case Kind::kInterval:
      return "interval";
    case Kind::kList:
      return "list";
    case Kind::kSet:
      return "set";
    case Kind::kMatrix:
      return "matrix";
    case Kind::kPiecewise:
      return "cases";
    case Kind::kSystem:
      return "system";
    case Kind::kNamedSet:
      return "named";
    case Kind::kUnion:
      return "union";
    case Kind::kIntersection:
      return "cap";
    case Kind::kDifference:
      return "minus";
    case Kind::kSetBuilder:
      return "such";
    case Kind::kRelation:
      return "rel";
    case Kind::kAnd:
      return "and";
    case Kind::kOr:
      return "or";
    case Kind::kModulo:
      return "mod";
    case Kind::kRatio:
      return "ratio";
    case Kind::kBase:
      return "base";
    case Kind::kEllipsis:
      return "dots";
    case Kind::kText:
      return "text";
  }
  return "?";
}

bool Commutes(Kind kind) {
  return kind == Kind::kAdd || kind == Kind::kUnion || kind == Kind::kIntersection ||
         kind == Kind::kSet || kind == Kind::kAnd || kind == Kind::kOr;
}

// Products of matrices do not commute, and those of sets are no products.
bool IsNoNumber(const Node& node) { return !IsValue(node); }

std::string Tagged(std::string_view tag, const std::vector<std::string>& parts) {
  std::string text = "(";
  text += tag;
  for (const std::string& part : parts) {
    text += ' ';
    text += part;
  }
  text += ')';
  return text;
}

// A product as a sign, factors above and factors below the line, each as canonical text.
struct Factors {
  bool negative = false;
  std::vector<std::string> above;
  std::vector<std::string> below;
};

void AddFactors(const Expr& e, bool below, Factors* out) {
  switch (e->kind) {
    case Kind::kNeg:
      out->negative = !out->negative;
      AddFactors(e->args[0], below, out);
      return;
    case Kind::kMul:
      for (const Expr& arg : e->args) AddFactors(arg, below, out);
      return;
    case Kind::kDiv:
      AddFactors(e->args[0], below, out);
      AddFactors(e->args[1], !below, out);
      return;
    case Kind::kNumber:
      if (*e->number < 0) out->negative = !out->negative;
      if (abs(*e->number) == 1) return;
      (below ? out->below : out->above).push_back(mpq_class(abs(*e->number)).get_str());
      return;
    default:
      (below ? out->below : out->above).push_back(CanonicalText(e));
  }
}

std::string ProductText(const Expr& e) {
  Factors factors;
  AddFactors(e, false, &factors);
  std::sort(factors.above.begin(), factors.above.end());
  std::sort(factors.below.begin(), factors.below.end());
  std::string text = factors.above.size() == 1 ? factors.above[0] : Tagged("*", factors.above);
  if (factors.above.empty()) text = "1";
  if (!factors.below.empty()) text = "(/ " + text + " " + Tagged("*", factors.below) + ")";
  return factors.negative ? "(- " + text + ")" : text;
}

std::string Bracketed(const Expr& e) {
  const bool atom = e->kind == Kind::kNumber || e->kind == Kind::kSymbol ||
                    e->kind == Kind::kConstant || e->kind == Kind::kCall ||
                    e->kind == Kind::kRoot || e->kind == Kind::kTuple;
  const std::string text = Readable(e);
  return atom && (text.empty() || text[0] != '-') ? text : "(" + text + ")";
}

std::string Joined(const std::vector<Expr>& args, std::string_view separator) {
  std::string text;
  for (size_t i = 0; i < args.size(); ++i) {
    if (i > 0) text += separator;
    text += Readable(args[i]);
  }
  return text;
}

std::string RelationSign(char op) {
  switch (op) {
    case kLessEqual:
      return "<=";
    case kGreaterEqual:
      return ">=";
    case kNotEqual:
      return "!=";
    case kApproximately:
      return "~";
    case kElementOf:
      return "in";
    case kNotElementOf:
      return "not in";
    case kCongruent:
      return "congruent to";
    case kSubset:
      return "subset of";
    case kOtherRelation:
      return "->";
    default:
      return std::string(1, op);
  }
}

std::string ReadableSum(const Expr& e) {
  std::string text;
  for (const Expr& term : e->args) {
    const bool negative = term->kind == Kind::kNeg;
    if (!text.empty() || negative) text += negative ? "-" : "+";
    const Expr& shown = negative ? term->args[0] : term;
    text += shown->kind == Kind::kAdd ? Bracketed(shown) : Readable(shown);
  }
  return text;
}

std::string ReadableProduct(const Expr& e) {
  std::string text;
  for (const Expr& factor : e->args) {
    if (!text.empty()) text += "*";
    text += Bracketed(factor);
  }
  return text;
}

std::string ReadableMatrix(const Expr& e) {
  std::string text = "[";
  for (int row = 0; row < e->rows; ++row) {
    if (row > 0) text += "; ";
    for (int column = 0; column < e->columns; ++column) {
      if (column > 0) text += ", ";
      text += Readable(e->args[row * e->columns + column]);
    }
  }
  return text + "]";
}

}  // namespace

Expr MakeNode(Kind kind, std::vector<Expr> args, std::string text) {
  auto node = std::make_shared<Node>();
  node->kind = kind;
  node->args = std::move(args);
  node->text = std::move(text);
  return node;
}

Expr MakeNumber(const mpq_class& value, std::string as_written) {
  auto node = std::make_shared<Node>();
  node->kind = Kind::kNumber;
  node->number = value;
  node->text = std::move(as_written);
  return node;
}

Expr MakeInteger(long value) { return MakeNumber(mpq_class(value)); }
Expr MakeSymbol(std::string_view name) { return MakeNode(Kind::kSymbol, {}, std::string(name)); }
Expr MakeConstant(std::string_view name) {
  return MakeNode(Kind::kConstant, {}, std::string(name));
}
Expr MakeCall(std::string_view function, std::vector<Expr> args) {
  return MakeNode(Kind::kCall, std::move(args), std::string(function));
}

Expr MakeMatrix(int rows, int columns, std::vector<Expr> cells) {
  auto node = std::make_shared<Node>();
  node->kind = Kind::kMatrix;
  node->rows = rows;
  node->columns = columns;
  node->args = std::move(cells);
  return node;
}

Expr Negate(const Expr& value) {
  if (value->kind == Kind::kNumber && value->text.empty()) return MakeNumber(-*value->number);
  if (value->kind == Kind::kNeg) return value->args[0];
  return MakeNode(Kind::kNeg, {value});
}

Expr MakeSum(std::vector<Expr> terms) {
  if (terms.size() == 1) return terms[0];
  std::vector<Expr> flat;
  for (Expr& term : terms) {
    if (term->kind == Kind::kAdd) {
      flat.insert(flat.end(), term->args.begin(), term->args.end());
    } else {
      flat.push_back(std::move(term));
    }
  }
  return MakeNode(Kind::kAdd, std::move(flat));
}

Expr MakeProduct(std::vector<Expr> factors) {
  if (factors.size() == 1) return factors[0];
  std::vector<Expr> flat;
  for (Expr& factor : factors) {
    if (factor->kind == Kind::kMul) {
      flat.insert(flat.end(), factor->args.begin(), factor->args.end());
    } else {
      flat.push_back(std::move(factor));
    }
  }
  return MakeNode(Kind::kMul, std::move(flat));
}

Expr Subtract(const Expr& left, const Expr& right) { return MakeSum({left, Negate(right)}); }

std::string CanonicalText(const Expr& e) {
  switch (e->kind) {
    case Kind::kNumber:
      return e->number->get_str();
    case Kind::kConstant:
      return "#" + e->text;
    case Kind::kSymbol:
      if (e->text.size() == 1) return "'" + e->text;
      return "'" + std::to_string(e->text.size()) + ":" + e->text;
    case Kind::kNeg:
    case Kind::kMul:
    case Kind::kDiv:
      if (!Any(e, IsNoNumber)) return ProductText(e);
      break;
    default:
      break;
  }
  std::vector<std::string> parts;
  parts.reserve(e->args.size());
  for (const Expr& arg : e->args) parts.push_back(CanonicalText(arg));
  if (Commutes(e->kind)) std::sort(parts.begin(), parts.end());
  std::string tag(KindLetter(e->kind));
  // Text is length-prefixed, so that no text can imitate structure.
  if (!e->text.empty()) tag += ":" + std::to_string(e->text.size()) + ":" + e->text;
  if (e->number) tag += "@" + e->number->get_str();
  if (e->kind == Kind::kMatrix) tag += std::to_string(e->rows);
  return Tagged(tag, parts);
}

std::string Readable(const Expr& e) {
  switch (e->kind) {
    case Kind::kNumber:
      return e->text.empty() ? e->number->get_str() : e->text;
    case Kind::kConstant:
    case Kind::kSymbol:
      return e->text;
    case Kind::kAdd:
      return ReadableSum(e);
    case Kind::kMul:
      return ReadableProduct(e);
    case Kind::kDiv:
      return Bracketed(e->args[0]) + "/" + Bracketed(e->args[1]);
    case Kind::kPow:
      return Bracketed(e->args[0]) + "^" + Bracketed(e->args[1]);
    case Kind::kNeg:
      return "-" + Bracketed(e->args[0]);
    case Kind::kRoot:
      return "root(" + Joined(e->args, ", ") + ")";
    case Kind::kCall:
      return e->text + "(" + Joined(e->args, ", ") + ")";
    case Kind::kPlusMinus:
      return e->args.size() == 1 ? e->text + Bracketed(e->args[0])
                                 : Bracketed(e->args[0]) + e->text + Bracketed(e->args[1]);
    case Kind::kPercent:
      return Bracketed(e->args[0]) + "%";
    case Kind::kDegree:
      return Bracketed(e->args[0]) + " deg";
    case Kind::kCurrency:
      return "$" + Readable(e->args[0]);
    case Kind::kQuantity:
      return Readable(e->args[0]) + " [" + e->text + "]";
    case Kind::kTuple:
      return "(" + Joined(e->args, ", ") + ")";
    case Kind::kInterval:
      return e->text.substr(0, 1) + Joined(e->args, ", ") + e->text.substr(1);
    case Kind::kList:
      return "list(" + Joined(e->args, ", ") + ")";
    case Kind::kSet:
      return "{" + Joined(e->args, ", ") + "}";
    case Kind::kMatrix:
      return ReadableMatrix(e);
    case Kind::kPiecewise:
      return "cases(" + Joined(e->args, ", ") + ")";
    case Kind::kSystem:
      return "system(" + Joined(e->args, ", ") + ")";
    case Kind::kNamedSet:
      return e->text;
    case Kind::kUnion:
      return Joined(e->args, " u ");
    case Kind::kIntersection:
      return Joined(e->args, " n ");
    case Kind::kDifference:
      return Joined(e->args, " \\ ");
    case Kind::kSetBuilder:
      return "{" + Joined(e->args, " | ") + "}";
    case Kind::kRelation: {
      std::string text = Readable(e->args[0]);
      for (size_t i = 1; i < e->args.size(); ++i)
        text += " " + RelationSign(e->text[i - 1]) + " " + Readable(e->args[i]);
      return text;
    }
    case Kind::kAnd:
      return Joined(e->args, " and ");
    case Kind::kOr:
      return Joined(e->args, " or ");
    case Kind::kModulo:
      return Joined(e->args, " mod ");
    case Kind::kRatio:
      return Joined(e->args, ":");
    case Kind::kBase:
      return e->text + "_" + e->number->get_str();
    case Kind::kEllipsis:
      return "...";
    case Kind::kText:
      return "\"" + e->text + "\"";
  }
  return "";
}

bool IsValue(const Node& node) {
  switch (node.kind) {
    case Kind::kNumber:
    case Kind::kConstant:
    case Kind::kSymbol:
    case Kind::kAdd:
    case Kind::kMul:
    case Kind::kDiv:
    case Kind::kPow:
    case Kind::kNeg:
    case Kind::kRoot:
    case Kind::kCall:
      return true;
    default:
      return false;
  }
}

Expr Substitute(const Expr& e, std::string_view symbol, const Expr& replacement) {
  if (e->kind == Kind::kSymbol) return e->text == symbol ? replacement : e;
  if (e->args.empty()) return e;
  auto copy = std::make_shared<Node>(*e);
  for (Expr& arg : copy->args) arg = Substitute(arg, symbol, replacement);
  return copy;
}

}  // namespace assay::algebra
