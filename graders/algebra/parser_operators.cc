// Sums, products, powers and postfix signs.
#include "graders/algebra/parser.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "graders/algebra/parser_text.h"
#include "graders/algebra/units.h"
#include "harness/text.h"

namespace assay::algebra {

// --- sums and products ---

Expr Parser::Sum() {
  if (failed()) return nullptr;
  std::vector<Expr> terms;
  bool first = true;
  while (true) {
    bool negative = false;
    bool plus_minus = false;
    bool minus_plus = false;
    bool any = false;
    while (true) {
      if (Accept("+")) {
      } else if (Accept("-")) {
        negative = !negative;
      } else if (Accept("+-")) {
        plus_minus = true;
      } else if (Accept("-+")) {
        minus_plus = true;
      } else {
        break;
      }
      any = true;
    }
    if (!any && !first) break;
    Expr term = Product();
    if (failed()) return nullptr;
    if (negative) term = Negate(term);
    if (plus_minus || minus_plus) {
      std::vector<Expr> args;
      if (!terms.empty()) args.push_back(MakeSum(std::move(terms)));
      args.push_back(term);
      term = Counted(MakeNode(Kind::kPlusMinus, std::move(args), plus_minus ? "+-" : "-+"));
      terms.clear();
    }
    terms.push_back(term);
    first = false;
    if (!(IsOperator("+") || IsOperator("-") || IsOperator("+-") || IsOperator("-+"))) break;
    if (static_cast<int>(terms.size()) > limits_.max_nodes) {
      over_limit_ = true;
      return Fail("too many terms");
    }
  }
  if (terms.empty()) return Fail("a term was expected");
  return terms.size() == 1 ? terms[0] : Counted(MakeSum(std::move(terms)));
}

bool Parser::StartsOperand() const {
  switch (Now().kind) {
    case TokenKind::kNumber:
    case TokenKind::kRepeating:
    case TokenKind::kName:
    case TokenKind::kFunction:
    case TokenKind::kCommand:
      return true;
    case TokenKind::kWord:
    case TokenKind::kText:
      return !IsWordNow("to");
    case TokenKind::kEnd:
      return false;
    case TokenKind::kOperator:
      break;
  }
  const std::string& text = Now().text;
  if (text == "(") {
    // "(mod 7)" closes a statement.
    return !(NextIsOperator("bmod") || NextIsOperator("mod") || NextIsWord("mod"));
  }
  if (text == "[") return french_ == 0;
  if (text == "|" || text == "norm") return Now().side != 'R' && bar_ == Bar::kOpens;
  return text == "\\{" || text == "{" || text == "lfloor" || text == "lceil" || text == "langle" ||
         text == "..." || text == "emptyset" || text == "\\$" || text.substr(0, 6) == "begin:" ||
         text.substr(0, 9) == "currency:" || text == "not";
}

// A sign directly after an operator: "2*-3", "2/-3".
Expr Parser::SignedPower() {
  bool negative = false;
  while (IsOperator("-") || IsOperator("+")) {
    if (IsOperator("-")) negative = !negative;
    ++at_;
  }
  Expr value = Power();
  if (failed()) return nullptr;
  return negative ? Negate(value) : value;
}

Expr Parser::Product() {
  if (failed()) return nullptr;
  Expr left = Power();
  bool after_slash = false;
  while (!failed()) {
    if (Accept("*")) {
      after_slash = false;
      left = Times(left, SignedPower());
    } else if (IsOperator("/")) {
      ++at_;
      left = Divide(left);
      after_slash = true;
    } else if (IsOperator("bmod") || (IsWordNow("mod") && !is_text_context_)) {
      ++at_;
      const Expr right = SignedPower();
      if (failed()) return nullptr;
      left = Counted(MakeCall("mod", {left, right}));
    } else if (IsOperator("bullet") || (IsOperator("wedge") && !JoinsRelations())) {
      const std::string name = Now().text;
      ++at_;
      const Expr right = SignedPower();
      if (failed()) return nullptr;
      // Of propositions; that of vectors changes its sign with the order.
      if (name == "wedge" && left->kind == Kind::kSymbol && right->kind == Kind::kSymbol) {
        left = Counted(MakeNode(Kind::kIntersection, {left, right}));
        continue;
      }
      left = Counted(MakeCall(name, {left, right}));
    } else if (Expr unit = UnitAfter(left)) {
      left = unit;
    } else if (!failed() && StartsOperand()) {
      if (Now().kind == TokenKind::kNumber && last_was_number_)
        return Fail("two numbers side by side");
      if (after_slash) seen_.slash = true;
      left = Times(left, Power());
    } else {
      break;
    }
  }
  return failed() ? nullptr : left;
}

Expr Parser::Times(const Expr& left, const Expr& right) {
  if (failed()) return nullptr;
  return Counted(MakeProduct({left, right}));
}

Expr Parser::Divide(const Expr& left) {
  Expr right = SignedPower();
  if (failed()) return nullptr;
  // "2 mi/hr": handled with units. The tight reading takes what stands next to the divisor.
  if (!options_.slash_binds_loose) {
    while (!failed() && StartsOperand() && !IsUnitNow()) {
      seen_.slash = true;
      right = Times(right, Power());
    }
    if (failed()) return nullptr;
  }
  // "1/2%" is a half per cent: nobody divides by a percentage of a number.
  if (right->kind == Kind::kPercent && left->kind == Kind::kNumber &&
      right->args[0]->kind == Kind::kNumber) {
    const Expr quotient = Counted(MakeNode(Kind::kDiv, {left, right->args[0]}));
    return failed() ? nullptr : Counted(MakeNode(Kind::kPercent, {quotient}));
  }
  return Counted(MakeNode(Kind::kDiv, {left, right}));
}

// --- powers and postfix signs ---

Expr Parser::Power() {
  Deeper deeper(this);
  if (failed()) return nullptr;
  const size_t begin = at_;
  Expr base = Primary();
  while (!failed()) {
    if (IsOperator("^")) {
      base = Raised(base);
    } else if (IsOperator("!")) {
      ++at_;
      const bool twice = Accept("!");
      base = Counted(MakeCall(twice ? "doublefactorial" : "factorial", {base}));
    } else if (IsOperator("%")) {
      ++at_;
      base = Counted(MakeNode(Kind::kPercent, {base}));
    } else if (IsOperator("degree") || IsOperator("circ")) {
      ++at_;
      base = Degrees(base);
    } else if (IsOperator("'")) {
      base = Primed(base);
    } else if (IsOperator("_")) {
      // A subscript on something that is no plain name.
      if (const std::string digits = BracketedDigits(begin); !digits.empty()) {
        base = InBase(digits);  // (1011)_2
        continue;
      }
      ++at_;
      const std::string subscript = RawArgument();
      if (failed()) return nullptr;
      const bool name = base->kind == Kind::kSymbol && base->text.find("_{") == std::string::npos;
      base = Counted(name ? MakeSymbol(base->text + "_{" + subscript + "}")
                          : MakeCall("subscript:" + subscript, {base}));
    } else {
      break;
    }
  }
  if (failed()) return nullptr;
  last_was_number_ = at_ == begin + 1 && tokens_[begin].kind == TokenKind::kNumber;
  return base;
}

// The digits of "(1011)" between `begin` and here; "" where it is anything else.
std::string Parser::BracketedDigits(size_t begin) const {
  const bool brackets = at_ == begin + 3 && tokens_[begin].text == "(" &&
                        tokens_[begin + 2].text == ")" && AllDigits(tokens_[begin + 1].text);
  return brackets ? tokens_[begin + 1].text : "";
}

Expr Parser::Primed(const Expr& base) {
  std::string primes;
  while (Accept("'")) primes += "'";
  if (base->kind == Kind::kSymbol) {
    Expr symbol = MakeSymbol(base->text + primes);
    return AppliedIfBracketed(symbol);
  }
  return Counted(MakeCall("prime" + primes, {base}));
}

// "36^\circ", and the letters of temperature scales after it.
Expr Parser::Degrees(const Expr& value) {
  if ((Now().kind == TokenKind::kName || Now().kind == TokenKind::kText) &&
      (Now().text == "C" || Now().text == "F")) {
    const std::string unit = Now().text == "C" ? "celsius" : "fahrenheit";
    ++at_;
    return Counted(MakeNode(Kind::kQuantity, {value}, unit));
  }
  return Counted(MakeNode(Kind::kDegree, {value}));
}

Expr Parser::Raised(const Expr& base) {
  ++at_;
  const bool brace = IsOperator("{");
  const size_t look = brace ? 1 : 0;
  const auto is = [&](std::string_view op) {
    return Next(look).kind == TokenKind::kOperator && Next(look).text == op &&
           (!brace || NextIsOperator("}", 2));
  };
  if (is("circ") || is("degree")) {
    at_ += brace ? 3 : 1;
    return Degrees(base);
  }
  const bool signed_exponent = !brace && (is("+") || is("-")) && BeginsExponent(Next(1));
  if ((is("+") || is("-") || is("bullet")) && !signed_exponent) {
    // a one-sided limit, a charge, a dual
    const std::string sign = Next(look).text;
    at_ += brace ? 3 : 1;
    return Counted(MakeCall("superscript:" + sign, {base}));
  }
  if (Next(look).kind == TokenKind::kOperator && Next(look).text == "'") {
    at_ += look;
    Expr primed = Primed(base);
    if (brace && !failed() && !Accept("}")) return Fail("'}' was expected after primes");
    return primed;
  }
  // Function inverse: f^{-1}(x) is no quotient.
  const Expr exponent = Exponent();
  if (failed()) return nullptr;
  if (base->kind == Kind::kSymbol && IsFunctionLetter(base->text) && IsOperator("(") &&
      exponent->kind == Kind::kNumber && *exponent->number == -1)
    return AppliedIfBracketed(MakeSymbol(base->text + "^-1"));
  if (exponent->kind == Kind::kSymbol && (exponent->text == "T" || exponent->text == "top") &&
      base->kind == Kind::kMatrix)
    return Counted(MakeCall("transpose", {base}));
  return Counted(MakeNode(Kind::kPow, {base, exponent}));
}

// "10^-5", unlike "0^-" and "0^+".
bool Parser::BeginsExponent(const Token& token) {
  return token.kind == TokenKind::kNumber || token.kind == TokenKind::kName ||
         token.kind == TokenKind::kFunction || token.kind == TokenKind::kCommand ||
         (token.kind == TokenKind::kOperator && (token.text == "(" || token.text == "{"));
}

Expr Parser::Exponent() {
  Deeper deeper(this);
  if (failed()) return nullptr;
  if (IsOperator("-") || IsOperator("+")) {  // plain: 10^-5
    const bool negative = IsOperator("-");
    ++at_;
    const Expr value = Exponent();
    if (failed()) return nullptr;
    return negative ? Negate(value) : value;
  }
  if (Now().kind == TokenKind::kNumber && !Now().merged && Now().text.size() > 1) {
    if (is_tex_ && !is_plain_) return FirstDigit();
    if (!is_plain_) seen_.exponent_digits = true;
  }
  const bool braced = IsOperator("{");
  Expr exponent = AtBareNumber() ? BareNumber() : Primary();
  if (failed()) return nullptr;
  if (!braced && IsOperator("!") && exponent->kind == Kind::kNumber) return exponent;
  if (IsOperator("^")) return Raised(exponent);  // a^b^c is a^(b^c)
  return exponent;
}

// A number that is a whole argument: what follows it is no part of it, as in "\log_3 \frac19".
bool Parser::AtBareNumber() const {
  return Now().kind == TokenKind::kNumber && Now().text.find_first_of("eE") == std::string::npos &&
         !NextIsOperator("_");
}

Expr Parser::BareNumber() {
  const std::string text = Now().text;
  ++at_;
  return PlainNumber(text);
}

// TeX takes one digit where a group is missing: \frac12, x^10.
Expr Parser::FirstDigit() {
  Token& token = tokens_[at_];
  const std::string digit = token.text.substr(0, 1);
  token.text.erase(0, 1);
  token.space_before = false;
  return Counted(MakeNumber(DecimalValue(digit)));
}

// The argument of a macro: a group, or one token (of a number: one digit).
Expr Parser::TexArgument() {
  Deeper deeper(this);
  if (failed()) return nullptr;
  if (IsOperator("{")) return Group();
  if (Now().kind == TokenKind::kNumber && !Now().merged && Now().text.size() > 1 &&
      Now().text[0] != '.')
    return FirstDigit();
  if (AtBareNumber()) return BareNumber();
  if (IsOperator("-") && !AtEnd()) {
    ++at_;
    const Expr value = TexArgument();
    return failed() ? nullptr : Negate(value);
  }
  if (Now().kind == TokenKind::kWord) return FirstLetter();
  return Primary();
}

Expr Parser::FirstLetter() {
  Token& token = tokens_[at_];
  const std::string letter = token.text.substr(0, 1);
  token.text.erase(0, 1);
  if (token.text.size() == 1) token.kind = TokenKind::kName;
  return Counted(Named(letter));
}

// {...} in TeX; {1,2} in plain text is a set.
Expr Parser::Group() {
  Deeper deeper(this);
  if (failed()) return nullptr;
  if (!Accept("{")) return Fail("'{' was expected");
  if (Accept("}")) return Fail("an empty group");
  const Bar outer = std::exchange(bar_, Bar::kOpens);
  const int french = std::exchange(french_, 0);
  Items list = ReadItems(Stop::kBracket);
  bar_ = outer;
  french_ = french;
  if (failed()) return nullptr;
  if (!Accept("}")) return Fail("'}' was expected");
  if (list.items.empty()) return Fail("an empty group");
  if (list.items.size() == 1) return list.items[0];
  return Counted(MakeNode(Kind::kSet, std::move(list.items)));
}

// "1+n" as "n+1".
std::string Parser::WithSortedTerms(const std::string& raw) {
  if (!Contains(raw, "+") || raw.find_first_of("-*/^_(),=") != std::string::npos) return raw;
  std::vector<std::string> terms;
  for (const std::string_view term : Split(raw, '+')) terms.emplace_back(term);
  std::sort(terms.begin(), terms.end(), std::greater<>());
  std::string sorted;
  for (const std::string& term : terms) sorted += (sorted.empty() ? "" : "+") + term;
  return sorted;
}

// The text of an argument that names something: a subscript.
std::string Parser::RawArgument() {
  const auto spelled = [](const Token& token) { return token.text; };
  if (!Accept("{")) {
    if (AtEnd()) {
      Fail("a subscript was expected");
      return "";
    }
    if (Now().kind == TokenKind::kNumber && !Now().merged && Now().text.size() > 1 && is_tex_) {
      Token& token = tokens_[at_];
      const std::string digit = token.text.substr(0, 1);
      token.text.erase(0, 1);
      return digit;
    }
    if (Now().kind == TokenKind::kWord) {
      Token& token = tokens_[at_];
      const std::string letter = token.text.substr(0, 1);
      token.text.erase(0, 1);
      if (token.text.size() == 1) token.kind = TokenKind::kName;
      return letter;
    }
    const std::string text = spelled(Now());
    ++at_;
    return text;
  }
  std::string raw;
  int depth = 1;
  while (!AtEnd()) {
    if (IsOperator("{")) ++depth;
    if (IsOperator("}") && --depth == 0) {
      ++at_;
      return WithSortedTerms(raw);
    }
    if (!raw.empty() && (AllLetters(Now().text) && AllLetters(raw.substr(raw.size() - 1))))
      raw += ' ';
    if (!IsOperator("{") && !IsOperator("}")) raw += spelled(Now());
    ++at_;
  }
  Fail("a brace that never closes");
  return "";
}

}  // namespace assay::algebra
