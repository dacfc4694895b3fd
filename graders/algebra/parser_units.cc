// Units after a number, and words that are none.
#include "graders/algebra/parser.h"

#include <unordered_set>

#include "graders/algebra/parser_text.h"
#include "graders/algebra/units.h"
#include "harness/text.h"

namespace assay::algebra {

bool Parser::IsUnitNow() const {
  if (Now().kind == TokenKind::kText) return true;
  return Now().kind == TokenKind::kWord && IsBareUnit(Now().text);
}

bool Parser::CanCarryUnit(const Expr& e) {
  return IsValue(*e) || e->kind == Kind::kPlusMinus || e->kind == Kind::kCurrency ||
         e->kind == Kind::kTuple || e->kind == Kind::kPercent;
}

// A unit, multiplier or noun after a value: the value so wrapped, or null where there is none.
Expr Parser::UnitAfter(const Expr& value) {
  const Token token = Now();
  if (!CanCarryUnit(value)) return nullptr;
  // "5€": a currency's sign with nothing behind it that it could stand before.
  const bool currency =
      token.kind == TokenKind::kOperator && token.text.substr(0, 9) == "currency:";
  if (currency && Next().kind != TokenKind::kNumber && IsNumeric(value)) {
    ++at_;
    return Counted(MakeNode(Kind::kCurrency, {value}, token.text.substr(9)));
  }
  if (token.kind == TokenKind::kWord) {
    const std::string lower = ToLowerAscii(token.text);
    const bool known = IsBareUnit(token.text) || IsUnitPhrase(lower);
    const bool special = lower == "percent" || lower == "degrees" || lower == "degree" ||
                         MultiplierWord(lower).has_value();
    const bool noun = token.space_before && LooksLikeProse(token.text) && !SaysMore(lower);
    if (noun && !known && !special && ActsOnTheValue(lower)) return FailOnAct(token.text);
    if (!known && !special && !noun) return nullptr;
    if (!IsNumeric(value)) return nullptr;
    if (noun && !known && !special) words_ = true;
    return Wrap(value, lower);
  }
  if (token.kind != TokenKind::kText) return nullptr;
  std::string lower = ToLowerAscii(token.text);
  if (IsFillerWord(lower)) {
    ++at_;
    return value;
  }
  if (lower.substr(0, 3) == "is ") lower = lower.substr(3);  // "n \text{ is odd}"
  if (TellsPrecision(lower)) {
    ++at_;
    return value;
  }
  if (IsAside(lower)) return FailOnAct(token.text);
  if (SaysMore(lower)) {
    words_ = true;
    return Fail("the words '" + Shorten(token.text, 40) + "'");
  }
  if (token.text.size() > 1 && ActsOnTheValue(lower)) return FailOnAct(token.text);
  if (token.text.size() == 1 && !ReadUnit(lower).known) return nullptr;
  if (token.text.size() == 1 && !IsNumeric(value)) return nullptr;
  return Wrap(value, lower);
}

// Words that change what the number before them says: "5 or more" is not 5.
bool Parser::SaysMore(std::string_view lower) {
  static const std::unordered_set<std::string_view> words = {
      "or",      "and",       "more",       "less",     "fewer",        "than",      "at",
      "least",   "most",      "not",        "about",    "to",           "from",      "but",
      "except",  "if",        "when",       "either",   "plus",         "minus",     "times",
      "no",      "only",      "both",       "neither",  "over",         "under",     "between",
      "above",   "below",     "greater",    "smaller",  "larger",       "up",        "down",
      "any",     "all",       "some",       "with",     "without",      "is",        "are",
      "does",    "do",        "i",          "we",       "so",           "because",   "then",
      "until",   "after",     "before",     "off",      "half",         "double",    "twice",
      "base",    "mod",       "modulo",     "other",    "else",         "roughly",   "nearly",
      "wrong",   "false",     "never",      "none",     "cannot",       "incorrect", "impossible",
      "invalid", "undefined", "extraneous", "rejected", "inadmissible", "discarded", "maybe",
      "perhaps", "possibly",  "probably",   "unsure",   "guess",        "unless",    "provided",
      "instead"};
  std::string_view rest = lower;
  int count = 0;
  while (!rest.empty()) {
    const size_t end = rest.find_first_of(" ,;()[]");
    const std::string_view word = rest.substr(0, end);
    if (!word.empty() && (words.count(word) || ++count > 4)) return true;
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  }
  return false;
}

// A word that goes to work on the value before it, and is no unit of it: "5 squared" is not 5,
// and whether "3 quarters" are coins or 3/4 the value does not say.
bool Parser::ActsOnTheValue(std::string_view lower) {
  static const std::unordered_set<std::string_view> words = {
      "squared", "cubed",     "root",       "roots",     "reciprocal", "inverse",  "doubled",
      "tripled", "halved",    "negated",    "factorial", "pi",         "quarters", "quarter",
      "third",   "fourth",    "fifth",      "sixth",     "seventh",    "eighth",   "ninth",
      "tenth",   "hundredth", "thousandth", "millionth", "billionth",  "i",        "e"};
  return lower.substr(0, 1) == "-" || words.count(lower.substr(0, lower.find(' '))) > 0;
}

// "(or 6)", "(extraneous)", "cm (not 6)": an aside that says more than a unit or a name does, or
// a number. What the value then is the words do not say.
bool Parser::IsAside(std::string_view lower) {
  const size_t open = lower.find_first_of("([");
  if (open == std::string_view::npos) return false;
  return SaysMore(lower) || lower.find_first_of("0123456789=?", open) != std::string_view::npos;
}

// "(to 2 decimal places)", "(rounded to the nearest cent)", "(base 10)": how the value before it
// is written, in brackets and nothing else.
bool Parser::TellsPrecision(std::string_view lower) {
  static const std::unordered_set<std::string_view> words = {
      "to",          "rounded",  "correct", "accurate", "approx", "approximately",
      "decimal",     "decimals", "place",   "places",   "dp",     "d",
      "p",           "sf",       "s",       "f",        "sig",    "fig",
      "significant", "figure",   "figures", "digit",    "digits", "nearest",
      "the",         "integer",  "whole",   "number",   "tenth",  "hundredth",
      "thousandth",  "cent",     "exactly"};
  if (!lower.starts_with("(") || !lower.ends_with(")")) return false;
  if (lower == "(base 10)" || lower == "(base ten)") return true;
  bool says = false;
  for (std::string_view rest = lower; !rest.empty();) {
    const size_t end = rest.find_first_of(" ,;().");
    const std::string_view word = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    const bool number = word.size() <= 2 && AllDigits(word);
    if (word.empty()) continue;
    if (!number && words.count(word) == 0) return false;
    says = !number;  // "(to 6)" does not say of what
  }
  return says;
}

Expr Parser::FailOnAct(std::string_view words) {
  acts_ = true;
  return Fail("the words '" + Shorten(words, 40) + "' after a value");
}

Expr Parser::Wrap(const Expr& value, const std::string& lower) {
  ++at_;
  if (const auto multiplier = MultiplierWord(lower))
    return Counted(MakeProduct({value, MakeNumber(*multiplier)}));
  if (lower == "percent" || lower == "per cent" || lower == "percentage points")
    return Counted(MakeNode(Kind::kPercent, {value}));
  if (lower == "degrees" || lower == "degree" || lower == "deg")
    return Counted(MakeNode(Kind::kDegree, {value}));
  std::string unit = lower;
  ReadUnitTail(&unit);
  if (failed()) return nullptr;
  return Counted(MakeNode(Kind::kQuantity, {value}, unit));
}

// "^2", "/ s", and further unit words.
void Parser::ReadUnitTail(std::string* unit) {
  while (true) {
    if (IsOperator("^")) {
      ++at_;
      const bool brace = Accept("{");
      const bool minus = Accept("-");
      if (Now().kind != TokenKind::kNumber || !AllDigits(Now().text)) {
        Fail("a unit's power was expected");
        return;
      }
      *unit += std::string(minus ? "^-" : "^") + Now().text;
      ++at_;
      if (brace && !Accept("}")) {
        Fail("'}' was expected");
        return;
      }
    } else if (IsOperator("/") && (Next().kind == TokenKind::kText ||
                                   (Next().kind == TokenKind::kWord && IsBareUnit(Next().text)))) {
      *unit += "/" + ToLowerAscii(Next().text);
      at_ += 2;
    } else if (IsOperator("-") && Next().kind == TokenKind::kText && ReadUnit(Next().text).known) {
      *unit += " " + ToLowerAscii(Next().text);  // N-m
      at_ += 2;
    } else if (Now().kind == TokenKind::kText ||
               (Now().kind == TokenKind::kWord &&
                (IsBareUnit(Now().text) || LooksLikeProse(Now().text)))) {
      const std::string lower = ToLowerAscii(Now().text);
      if (TellsPrecision(lower)) {
        ++at_;
        continue;
      }
      if (IsAside(lower)) {
        FailOnAct(Now().text);
        return;
      }
      if (SaysMore(lower)) {
        words_ = true;
        Fail("the words '" + Shorten(lower, 40) + "'");
        return;
      }
      *unit += " " + lower;
      ++at_;
    } else {
      return;
    }
  }
}

}  // namespace assay::algebra
