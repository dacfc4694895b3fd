// Numbers, names, words, and the ways to choose.
#include "graders/algebra/parser.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "graders/algebra/parser_text.h"
#include "harness/text.h"

namespace assay::algebra {

namespace {

constexpr long kMaxExponentDigits = 6;  // of "1e999999": beyond, a power of ten is kept symbolic

}  // namespace

// --- primaries ---

Expr Parser::Primary() {
  if (failed()) return nullptr;
  const Token token = Now();
  switch (token.kind) {
    case TokenKind::kNumber:
      return Number();
    case TokenKind::kRepeating:
      ++at_;
      return Counted(MakeNumber(RepeatingValue(token.text)));
    case TokenKind::kName:
      return Name();
    case TokenKind::kWord:
      return Word();
    case TokenKind::kText:
      return Text();
    case TokenKind::kFunction:
      return Function();
    case TokenKind::kCommand:
      return Command();
    case TokenKind::kEnd:
      return Fail("the end was not expected");
    case TokenKind::kOperator:
      return Bracket();
  }
  return nullptr;
}

Expr Parser::Number() {
  const Token token = Now();
  ++at_;
  if (IsOperator("_") && AllDigits(token.text)) return InBase(token.text);
  const size_t e = token.text.find_first_of("eE");
  Expr number = e == std::string::npos ? PlainNumber(token.text) : Scientific(token.text, e);
  if (failed()) return nullptr;
  if (e == std::string::npos && AllDigits(token.text)) {
    if (Expr mixed = Mixed(number)) return mixed;
  }
  return number;
}

Expr Parser::PlainNumber(const std::string& text) {
  const bool decimal = Contains(text, ".");
  return Counted(MakeNumber(DecimalValue(text), decimal ? text : ""));
}

// Beyond a million places the power stays symbolic, so that nothing is materialised.
Expr Parser::Scientific(const std::string& text, size_t e) {
  const mpq_class mantissa = DecimalValue(std::string_view(text).substr(0, e));
  std::string exponent = text.substr(e + 1);
  if (exponent[0] == '+') exponent.erase(0, 1);
  const mpz_class power = IntegerOf(exponent);
  if (exponent.size() > kMaxExponentDigits || abs(power) > 100000) {
    return Counted(
        MakeProduct({MakeNumber(mantissa),
                     MakeNode(Kind::kPow, {MakeInteger(10), MakeNumber(mpq_class(power))})}));
  }
  const mpq_class scale = PowerOfTen(std::abs(power.get_si()));
  const mpq_class value = power < 0 ? mpq_class(mantissa / scale) : mpq_class(mantissa * scale);
  return Counted(MakeNumber(value, text));
}

// "52_8", "204_{\text{five}}".
Expr Parser::InBase(const std::string& digits) {
  ++at_;
  const std::string raw = RawArgument();
  if (failed()) return nullptr;
  static const std::vector<std::string_view> words = {
      "zero", "one", "two",    "three",  "four",     "five",     "six",     "seven",  "eight",
      "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen"};
  long base = ParseInt(raw).value_or(0);
  for (size_t i = 0; i < words.size(); ++i)
    if (ToLowerAscii(raw) == words[i]) base = static_cast<long>(i);
  if (base < 2 || base > 36)
    return Counted(MakeCall("subscript:" + raw, {MakeNumber(DecimalValue(digits))}));
  auto node = std::make_shared<Node>();
  node->kind = Kind::kBase;
  const size_t significant = digits.find_first_not_of('0');
  node->text = significant == std::string::npos ? "0" : digits.substr(significant);
  node->number = mpq_class(base);
  return Counted(node);
}

// "1\frac{4}{5}" and "2 5/8": a whole number, then a proper fraction of whole numbers.
Expr Parser::Mixed(const Expr& whole) {
  const size_t back = at_;
  Expr fraction;
  if (Now().kind == TokenKind::kCommand && (Now().text == "frac" || Now().text == "dfrac" ||
                                            Now().text == "tfrac" || Now().text == "cfrac")) {
    const std::vector<Token> saved = tokens_;
    fraction = Primary();
    if (failed()) return nullptr;
    if (!IsProperFraction(fraction)) {
      tokens_ = saved;
      at_ = back;
      return nullptr;
    }
  } else if (Now().kind == TokenKind::kNumber && AllDigits(Now().text) && NextIsOperator("/") &&
             Next(2).kind == TokenKind::kNumber && AllDigits(Next(2).text) && Now().space_before) {
    const mpq_class above = DecimalValue(Now().text);
    const mpq_class below = DecimalValue(Next(2).text);
    if (below == 0 || above >= below) return nullptr;
    at_ += 3;
    fraction = MakeNode(Kind::kDiv, {MakeNumber(above), MakeNumber(below)});
  } else {
    return nullptr;
  }
  const mpq_class value = *whole->number + *fraction->args[0]->number / *fraction->args[1]->number;
  return Counted(MakeNumber(value));
}

bool Parser::IsProperFraction(const Expr& e) {
  if (e->kind != Kind::kDiv) return false;
  for (const Expr& part : e->args)
    if (part->kind != Kind::kNumber || part->number->get_den() != 1 || !part->text.empty())
      return false;
  return *e->args[0]->number > 0 && *e->args[0]->number < *e->args[1]->number;
}

Expr Parser::Named(std::string_view name) {
  if (name == "j" && options_.j_is_imaginary) return MakeConstant("i");
  if (name == "pi" || name == "e" || name == "i" || name == "inf") return MakeConstant(name);
  return MakeSymbol(name);
}

bool Parser::IsFunctionLetter(std::string_view name) {
  if (name.empty()) return false;
  const char c = name[0];
  return (name.size() == 1 || name[1] == '_' || name[1] == '\'' || name[1] == '^') &&
         (c == 'f' || c == 'g' || c == 'h' || c == 'F' || c == 'G' || c == 'H');
}

// --- ways to choose: C_9^3, C^3_9, {}_9C_3, {}^9C_3, and the same with P and A ---

// A script at `at`, as "_9" or "^{9}", which must be a whole number; moves `at` behind it.
std::optional<mpq_class> Parser::WholeScript(std::string_view op, size_t* at) const {
  const auto token = [&](size_t i) -> const Token& {
    return tokens_[std::min(i, tokens_.size() - 1)];
  };
  size_t i = *at;
  if (token(i).kind != TokenKind::kOperator || token(i).text != op) return std::nullopt;
  const bool brace = token(++i).text == "{" && token(i).kind == TokenKind::kOperator;
  if (brace) ++i;
  const Token& number = token(i++);
  if (number.kind != TokenKind::kNumber || !AllDigits(number.text)) return std::nullopt;
  if (!brace && number.text.size() > 1) return std::nullopt;
  if (brace && (token(i).kind != TokenKind::kOperator || token(i++).text != "}"))
    return std::nullopt;
  *at = i;
  return DecimalValue(number.text);
}

// With the letter just read: null unless two whole numbers stand at it, and no letter but such is
// in the whole text (C_2^2 beside an x is a constant's square).
Expr Parser::ScriptedChoices(const std::string& letter) {
  if (!counting_only_) return nullptr;
  for (const auto& [first, second] : {std::pair{"_", "^"}, {"^", "_"}}) {
    size_t at = at_;
    const auto one = WholeScript(first, &at);
    const auto two = one ? WholeScript(second, &at) : std::nullopt;
    if (!two) continue;
    const bool below_first = first[0] == '_';
    Expr ways = Ways(letter, below_first ? *one : *two, below_first ? *two : *one);
    if (ways) at_ = at;
    return ways;
  }
  return nullptr;
}

// {}_9C_3 from the empty group on, or from the script where there is none.
Expr Parser::PrescriptedChoices() {
  size_t at = at_;
  if (IsOperator("{")) at += 2;
  auto n = WholeScript("_", &at);
  if (!n) n = WholeScript("^", &at);
  if (!n || tokens_[at].kind != TokenKind::kName || !IsCountingLetter(tokens_[at].text))
    return nullptr;
  const std::string letter = tokens_[at++].text;
  const auto k = WholeScript("_", &at);
  if (!k) return nullptr;
  Expr ways = Ways(letter, *n, *k);
  if (ways) at_ = at;
  return ways;
}

Expr Parser::Ways(const std::string& letter, const mpq_class& n, const mpq_class& k) {
  if (k > n) return nullptr;
  const Expr ways = MakeCall("binom", {MakeNumber(n), MakeNumber(k)});
  if (letter == "C") return Counted(ways);
  return Counted(MakeProduct({ways, MakeCall("factorial", {MakeNumber(k)})}));
}

Expr Parser::Name() {
  const Token token = Now();
  ++at_;
  std::string name = token.text;
  if (IsCountingLetter(name)) {
    if (Expr ways = ScriptedChoices(name)) return ways;
  }
  if (IsOperator("_")) {
    ++at_;
    const std::string subscript = RawArgument();
    if (failed()) return nullptr;
    return AppliedIfBracketed(Counted(MakeSymbol(name + "_{" + subscript + "}")));
  }
  const Expr named = Counted(Named(name));
  if (failed() || named->kind != Kind::kSymbol) return named;
  return AppliedIfBracketed(named);
}

// f(x), y(t): the application of an unknown function. Otherwise a bracket after a letter is a
// factor: x(y+z).
Expr Parser::AppliedIfBracketed(const Expr& name) {
  if (failed() || !IsOperator("(") || Now().space_before) return name;
  const bool one_letter = Next().kind == TokenKind::kName && NextIsOperator(")", 2) &&
                          Next().text.size() == 1 && Next().text != name->text &&
                          name->text != "i" && Next().text != "i" && Next().text != "e";
  if (name->text == "C" || name->text == "P") {
    if (Expr count = Choices(name->text)) return count;
  }
  // I(0), y(2): a value of a function; nobody writes a product so.
  const bool one_number = Next().kind == TokenKind::kNumber && NextIsOperator(")", 2);
  if (!IsFunctionLetter(name->text) && !one_letter && !one_number) return name;
  if (one_number && (name->text == "zeta" || name->text == "Gamma")) {
    const std::string function = name->text;
    ++at_;
    Items list = ReadBracketed(")");
    return failed() ? nullptr : Counted(MakeCall(function, std::move(list.items)));
  }
  return Applied(name);
}

Expr Parser::Applied(const Expr& name) {
  ++at_;
  Items list = ReadBracketed(")");
  if (failed()) return nullptr;
  return Counted(MakeCall("apply:" + name->text, std::move(list.items)));
}

// C(9,3), P(5,2): ways to choose, with and without order; of whole numbers only.
Expr Parser::Choices(const std::string& name) {
  const auto whole = [&](size_t ahead) {
    return Next(ahead).kind == TokenKind::kNumber && AllDigits(Next(ahead).text);
  };
  if (!whole(1) || !NextIsOperator(",", 2) || !whole(3) || !NextIsOperator(")", 4)) return nullptr;
  const Expr n = MakeNumber(DecimalValue(Next(1).text));
  const Expr k = MakeNumber(DecimalValue(Next(3).text));
  at_ += 5;
  const Expr ways = MakeCall("binom", {n, k});
  if (name == "C") return Counted(ways);
  return Counted(MakeProduct({ways, MakeCall("factorial", {k})}));
}

Parser::Items Parser::ReadBracketed(std::string_view close) {
  const Bar outer = std::exchange(bar_, Bar::kOpens);
  const int french = std::exchange(french_, 0);
  Items list = ReadItems(Stop::kBracket);
  bar_ = outer;
  french_ = french;
  if (!failed() && !Accept(close)) Fail("'" + std::string(close) + "' was expected");
  return list;
}

Expr Parser::Word() {
  const std::string word = Now().text;
  const bool matrix = word == "Matrix" && NextIsOperator("(");
  if (LooksLikeProse(word) && !matrix) {
    words_ = true;
    return Fail("the word '" + Shorten(word, 40) + "'");
  }
  if (word.size() > 24) return Fail("a long run of letters");
  if (word == "Matrix" && NextIsOperator("(")) {
    ++at_;
    return Round();
  }
  ++at_;
  std::vector<Expr> letters;
  for (size_t i = 0; i + 1 < word.size(); ++i) letters.push_back(Named(word.substr(i, 1)));
  // The last letter may carry a subscript, a bracket or a power: give it back as a token.
  Token last = tokens_[at_ - 1];
  last.kind = TokenKind::kName;
  last.text = word.substr(word.size() - 1);
  last.space_before = false;
  nodes_ += static_cast<int>(letters.size());
  tokens_[--at_] = std::move(last);
  return Counted(MakeProductKeepingPower(std::move(letters)));
}

Expr Parser::Text() {
  const Token token = Now();
  const std::string lower = ToLowerAscii(token.text);
  if (IsFillerWord(lower)) {
    ++at_;
    return Primary();
  }
  ++at_;
  if (token.text.size() == 1 && AllLetters(token.text)) {
    tokens_[--at_].kind = TokenKind::kName;
    return Name();
  }
  if (AllLetters(token.text) && token.text.size() <= 4 && AllUpper(token.text) &&
      token.text != "DNE") {
    std::vector<Expr> letters;
    for (const char c : token.text) letters.push_back(MakeSymbol(std::string(1, c)));
    return Counted(MakeProduct(std::move(letters)));
  }
  words_ = true;
  return Counted(MakeNode(Kind::kText, {}, FoldWords(token.text)));
}

}  // namespace assay::algebra
