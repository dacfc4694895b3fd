// Functions and macros.
#include "graders/algebra/parser.h"

#include <algorithm>
#include <unordered_set>
#include <utility>
#include <vector>

#include "graders/algebra/units.h"

namespace assay::algebra {

// --- functions ---

Expr Parser::Function() {
  const Token token = Now();
  const std::string name = token.text;
  ++at_;
  if (name == "log") return Logarithm(token.tex);
  // m_{\max}, \max_{x}: a limit below belongs to the name.
  std::string subscript;
  if (IsOperator("_")) {
    ++at_;
    subscript = "_{" + RawArgument() + "}";
    if (failed()) return nullptr;
  }
  Expr power;
  if (IsOperator("^")) {
    ++at_;
    power = Exponent();
    if (failed()) return nullptr;
  }
  // "P(max = j)": the name alone.
  if (!StartsOperand() && !IsOperator("-") && !IsOperator("+") && !IsOperator("|"))
    return Counted(MakeSymbol(name + subscript));
  Expr call = Call(name + subscript);
  if (failed() || !power) return call;
  return Powered(name, call, power);
}

// \sin^{-1} is the inverse; \sin^2 x is the square.
Expr Parser::Powered(const std::string& name, const Expr& call, const Expr& power) {
  static const std::unordered_set<std::string_view> invertible = {
      "sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh"};
  const bool inverse = power->kind == Kind::kNumber && *power->number == -1;
  if (inverse && invertible.count(name)) {
    const std::string prefix = name.size() == 4 ? "ar" : "arc";
    return Counted(MakeCall(prefix + name, call->args));
  }
  return Counted(MakeNode(Kind::kPow, {call, power}));
}

bool Parser::TakesSeveral(std::string_view name) {
  return name == "max" || name == "min" || name == "gcd" || name == "lcm" || name == "binom" ||
         name == "mod";
}

Expr Parser::Call(const std::string& name) {
  std::vector<Expr> args;
  if (IsOperator("(") || (IsOperator("[") && french_ == 0)) {
    const std::string close = IsOperator("(") ? ")" : "]";
    ++at_;
    args = ReadBracketed(close).items;
  } else if (IsOperator("\\{") && TakesSeveral(name)) {
    ++at_;
    args = ReadBracketed("\\}").items;
  } else {
    args = {ImplicitArgument()};
  }
  if (failed()) return nullptr;
  if (args.empty()) return Fail(name + " without an argument");
  if (args.size() == 1 && args[0]->kind == Kind::kSet && TakesSeveral(name)) args = args[0]->args;
  if (name == "exp") return Counted(MakeNode(Kind::kPow, {MakeConstant("e"), args[0]}));
  if (name == "cbrt") return Counted(MakeNode(Kind::kRoot, {args[0], MakeInteger(3)}));
  if (name == "cis") return Cis(args[0]);
  if (args.size() > 1 && !TakesSeveral(name)) return Fail(name + " with several arguments");
  return Counted(MakeCall(name, std::move(args)));
}

Expr Parser::Cis(const Expr& angle) {
  return Counted(MakeSum(
      {MakeCall("cos", {angle}), MakeProduct({MakeConstant("i"), MakeCall("sin", {angle})})}));
}

// What a function without brackets takes: the factors next to it, up to a sign, a slash or
// another function. "\sin 2x \cos x" is (sin 2x)(cos x).
Expr Parser::ImplicitArgument() {
  Deeper deeper(this);
  if (failed()) return nullptr;
  bool negative = false;
  while (Accept("-")) negative = !negative;
  Expr argument = Power();
  while (!failed() && StartsOperand() && Now().kind != TokenKind::kFunction &&
         Now().kind != TokenKind::kText && !IsUnitNow() && !IsOperator("|") && !IsOperator("\\{")) {
    if (IsOperator("(") && Now().space_before) break;
    if (integrals_ > 0 && AtDifferential()) break;
    argument = Times(argument, Power());
  }
  if (failed()) return nullptr;
  // "\sin \pi/4"
  if (IsOperator("/") && Next().kind == TokenKind::kNumber && EndsInPi(argument)) {
    ++at_;
    const Expr below = Power();
    if (failed()) return nullptr;
    argument = Counted(MakeNode(Kind::kDiv, {argument, below}));
  }
  return negative ? Negate(argument) : argument;
}

// "\int \sin x dx": the differential is no part of the sine's argument.
bool Parser::AtDifferential() const {
  const Token& now = Now();
  if (now.kind == TokenKind::kWord) return now.text.size() == 2 && now.text[0] == 'd';
  return now.kind == TokenKind::kName && now.text == "d" && Next().kind == TokenKind::kName;
}

bool Parser::EndsInPi(const Expr& e) {
  const Expr& last = e->kind == Kind::kMul ? e->args.back() : e;
  return last->kind == Kind::kConstant && last->text == "pi";
}

Expr Parser::Logarithm(bool tex) {
  Expr base;
  if (Accept("_")) base = TexArgument();
  if (failed()) return nullptr;
  Expr power;
  if (IsOperator("^")) {
    ++at_;
    power = Exponent();
  }
  if (failed()) return nullptr;
  std::vector<Expr> args;
  if (Accept("(")) {
    args = ReadBracketed(")").items;
  } else {
    args = {ImplicitArgument()};
  }
  if (failed()) return nullptr;
  if (args.empty()) return Fail("log without an argument");
  if (args.size() == 2 && !base) base = args[1];
  Expr call;
  if (base) {
    call = Counted(MakeCall("log", {args[0], base}));
  } else {
    seen_.log = true;
    const bool ten = tex == options_.log_is_default;
    call = Counted(ten ? MakeCall("log", {args[0], MakeInteger(10)}) : MakeCall("ln", {args[0]}));
  }
  return failed() || !power ? call : Counted(MakeNode(Kind::kPow, {call, power}));
}

// --- macros ---

Expr Parser::Command() {
  const std::string name = Now().text;
  const bool tex = Now().tex;
  ++at_;
  if (name == "frac" || name == "dfrac" || name == "tfrac" || name == "cfrac" || name == "sfrac" ||
      name == "nicefrac")
    return Fraction();
  if (name == "sqrt" || name == "root") return SquareRoot(tex);
  if (name == "binom" || name == "dbinom" || name == "tbinom") return Binomial();
  if (name == "sum" || name == "prod") return BigOperator(name);
  if (name == "bigcup" || name == "bigcap") return BigOperator(name);
  if (name == "int" || name == "iint" || name == "oint" || name == "iiint") return Integral(name);
  if (name == "lim" || name == "limsup" || name == "liminf") return Limit(name);
  if (name == "mathbb" || name == "Bbb") return Blackboard();
  if (name == "angle" || name == "triangle" || name == "measuredangle") return Figure(name);
  if (name == "textcircled" || name == "circled") {
    const std::string raw = RawArgument();
    return failed() ? nullptr : Counted(MakeSymbol("circled_" + raw));
  }
  if (name == "overset" || name == "underset" || name == "stackrel" || name == "underbrace" ||
      name == "overbrace" || name == "xrightarrow" || name == "substack" || name == "not" ||
      name == "phantom" || name == "circledR")
    return Fail("the macro \\" + name);
  return Accent(name);
}

// dM/dt is M'.
Expr Parser::Derivative(const Expr& above, const Expr& below) {
  const auto differential = [](const Expr& e) {
    return e->kind == Kind::kMul && e->args.size() == 2 && IsD(e->args[0]) &&
           e->args[1]->kind == Kind::kSymbol;
  };
  if (!differential(above) || !differential(below)) return nullptr;
  return MakeSymbol(above->args[1]->text + "'");
}

Expr Parser::Fraction() {
  const Expr above = TexArgument();
  if (failed()) return nullptr;
  const Expr below = TexArgument();
  if (failed()) return nullptr;
  if (Expr derivative = Derivative(above, below)) return Counted(derivative);
  return Counted(MakeNode(Kind::kDiv, {above, below}));
}

Expr Parser::SquareRoot(bool tex) {
  Expr index = MakeInteger(2);
  if (tex && IsOperator("[")) {
    ++at_;
    Items list = ReadBracketed("]");
    if (failed()) return nullptr;
    if (list.items.size() != 1) return Fail("a root's index was expected");
    index = list.items[0];
  }
  // In plain text all digits stand under the root.
  Expr radicand;
  if (IsOperator("(")) {
    ++at_;
    Items list = ReadBracketed(")");
    if (failed()) return nullptr;
    if (list.items.size() != 1) return Fail("one radicand was expected");
    radicand = list.items[0];
  } else {
    radicand = tex ? TexArgument() : Primary();
  }
  if (failed()) return nullptr;
  return Counted(MakeNode(Kind::kRoot, {radicand, index}));
}

Expr Parser::Binomial() {
  const Expr above = TexArgument();
  if (failed()) return nullptr;
  const Expr below = TexArgument();
  if (failed()) return nullptr;
  return Counted(MakeCall("binom", {above, below}));
}

Parser::Bounds Parser::ReadBounds() {
  Bounds bounds;
  for (int i = 0; i < 2 && !failed(); ++i) {
    if (Accept("_")) {
      bounds.lower = TexArgument();
    } else if (Accept("^")) {
      bounds.upper = TexArgument();
    }
  }
  return bounds;
}

Expr Parser::Unbounded(const std::string& name, const Expr& body, const Bounds& bounds) {
  std::vector<Expr> args = {body};
  if (bounds.lower) args.push_back(bounds.lower);
  if (bounds.upper) args.push_back(bounds.upper);
  return Counted(MakeCall("unbounded" + name, std::move(args)));
}

// \sum_{k=1}^{n} body; without bounds the whole stays an unknown.
Expr Parser::BigOperator(const std::string& name) {
  const Bounds bounds = ReadBounds();
  if (failed()) return nullptr;
  const Expr body = ProductAfterOperator();
  if (failed()) return nullptr;
  const bool counted = name[0] != 'b' && bounds.lower && bounds.upper &&
                       bounds.lower->kind == Kind::kRelation && bounds.lower->text == "=" &&
                       bounds.lower->args.size() == 2;
  if (!counted) {
    return Unbounded(name, body, bounds);
  }
  Expr variable = bounds.lower->args[0];
  Expr inner = body;
  // "i" counts here, and is no imaginary unit.
  if (variable->kind == Kind::kConstant && variable->text == "i") {
    variable = MakeSymbol("i");
    inner = ImaginaryToSymbol(body);
  }
  if (variable->kind != Kind::kSymbol) return Fail("a counter was expected");
  return Counted(MakeCall(name, {variable, bounds.lower->args[1], bounds.upper, inner}));
}

Expr Parser::ImaginaryToSymbol(const Expr& e) {
  if (e->kind == Kind::kConstant && e->text == "i") return MakeSymbol("i");
  if (e->args.empty()) return e;
  auto copy = std::make_shared<Node>(*e);
  for (Expr& arg : copy->args) arg = ImaginaryToSymbol(arg);
  return copy;
}

// The body of a sum or an integral: a product, with its sign.
Expr Parser::ProductAfterOperator() {
  bool negative = false;
  while (Accept("-")) negative = !negative;
  const Expr body = Product();
  if (failed()) return nullptr;
  return negative ? Negate(body) : body;
}

// \int_0^1 f dx: the differential ends it.
Expr Parser::Integral(const std::string& name) {
  const Bounds bounds = ReadBounds();
  if (failed()) return nullptr;
  ++integrals_;
  const Expr body = Sum();
  --integrals_;
  if (failed()) return nullptr;
  const Expr variable = DifferentialOf(body);
  if (!variable || !bounds.lower || !bounds.upper || name != "int") {
    return Unbounded(name, body, bounds);
  }
  return Counted(
      MakeCall("int", {variable, bounds.lower, bounds.upper, WithoutDifferential(body)}));
}

// A product that ends in "d x".
Expr Parser::DifferentialOf(const Expr& body) {
  if (body->kind != Kind::kMul || body->args.size() < 2) return nullptr;
  const Expr& last = body->args.back();
  const Expr& d = body->args[body->args.size() - 2];
  return IsD(d) && last->kind == Kind::kSymbol ? last : nullptr;
}

Expr Parser::WithoutDifferential(const Expr& body) {
  std::vector<Expr> rest(body->args.begin(), body->args.end() - 2);
  return rest.empty() ? MakeInteger(1) : MakeProduct(std::move(rest));
}

Expr Parser::Limit(const std::string& name) {
  Expr below;
  if (Accept("_")) below = TexArgument();
  if (failed()) return nullptr;
  const Expr body = ProductAfterOperator();
  if (failed()) return nullptr;
  std::vector<Expr> args = {body};
  if (below) args.push_back(below);
  return Counted(MakeCall("unbounded" + name, std::move(args)));
}

Expr Parser::Blackboard() {
  const std::string raw = RawArgument();
  if (failed()) return nullptr;
  if (raw == "R" || raw == "Z" || raw == "N" || raw == "Q" || raw == "C") {
    std::string suffix;
    // \mathbb{R}^2, \mathbb{Z}^+ stay names of their own.
    if (Accept("^") || Accept("_")) suffix = "^" + RawArgument();
    if (failed()) return nullptr;
    return Counted(MakeNode(Kind::kNamedSet, {}, raw + suffix));
  }
  return Counted(MakeSymbol("bb_" + raw));
}

// \angle ABC, \triangle ABC: one name.
Expr Parser::Figure(const std::string& kind) {
  std::string name;
  while (Now().kind == TokenKind::kWord || Now().kind == TokenKind::kName ||
         (Now().kind == TokenKind::kNumber && name.empty())) {
    if (Now().kind == TokenKind::kName && Now().text.size() > 1 && !name.empty()) break;
    name += Now().text;
    ++at_;
    if (name.size() >= 3) break;
  }
  if (name.empty()) return Fail("a figure's name was expected");
  // The arms of an angle have no order, nor have the corners of a triangle.
  if (kind == "triangle") std::sort(name.begin(), name.end());
  if (kind != "triangle" && name.size() == 3 && name[2] < name[0]) std::swap(name[0], name[2]);
  return Counted(MakeSymbol((kind == "triangle" ? "triangle " : "angle ") + name));
}

// "AB" of a product of two letters or more; "" of anything else.
std::string Parser::LettersOf(const Expr& e) {
  std::string letters;
  if (e->kind != Kind::kMul) return letters;
  for (const Expr& factor : e->args) {
    if (factor->kind != Kind::kSymbol || factor->text.size() != 1) return "";
    letters += factor->text;
  }
  return letters;
}

Expr Parser::Accent(const std::string& name) {
  const Expr inside = TexArgument();
  if (failed()) return nullptr;
  if (name == "overline" || name == "overrightarrow" || name == "overarc" || name == "wideparen" ||
      name == "overleftarrow") {
    // \overline{AB} is the segment AB, as the bare letters are.
    if (inside->kind == Kind::kMul && name == "overline") return inside;
  }
  if (const std::string ends = LettersOf(inside); !ends.empty() && IsArrow(name)) {
    const bool backwards = name == "overleftarrow";
    return Counted(
        MakeSymbol("vec_" + (backwards ? std::string(ends.rbegin(), ends.rend()) : ends)));
  }
  if (inside->kind == Kind::kSymbol && name == "hat" &&
      (inside->text == "j" || inside->text == "k"))
    return Counted(MakeSymbol("unit_" + inside->text));
  const auto is_imaginary = [](const Node& n) {
    return n.kind == Kind::kConstant && n.text == "i";
  };
  if ((name == "overline" || name == "bar") && IsValue(*inside) && Any(inside, is_imaginary))
    return Counted(MakeCall("conj", {inside}));
  if (inside->kind == Kind::kSymbol) {
    const std::string mark = name == "overrightarrow" ? "vec" : name == "overline" ? "bar" : name;
    return AppliedIfBracketed(Counted(MakeSymbol(mark + "_" + inside->text)));
  }
  if (inside->kind == Kind::kConstant && (name == "hat" || name == "vec"))
    return Counted(MakeSymbol("unit_" + inside->text));
  return Counted(MakeCall("accent:" + name, {inside}));
}

}  // namespace assay::algebra
