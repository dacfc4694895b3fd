// The parser. From loose to tight: top (lists, "and", "or"), statement (chains of relations), set
// expression (unions), ratio, sum, product, power, primary. Every nested call goes through Deeper,
// which counts depth; every node through Counted, which counts nodes.
#include "graders/algebra/reader.h"

#include <algorithm>
#include <functional>
#include <unordered_set>
#include <utility>
#include <vector>

#include "graders/algebra/units.h"
#include "harness/text.h"

namespace assay::algebra {
namespace {

constexpr long kMaxExponentDigits = 6;  // of "1e999999": beyond, a power of ten is kept symbolic

bool AllDigits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}
bool AllLetters(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
}
bool AllUpper(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

mpq_class PowerOfTen(size_t exponent) {
  mpz_class power;
  mpz_ui_pow_ui(power.get_mpz_t(), 10, exponent);
  return mpq_class(power);
}

// Of digits. (The constructor from a string would throw where the lexer let something else
// through.)
mpz_class IntegerOf(const std::string& digits) {
  mpz_class value;
  if (mpz_set_str(value.get_mpz_t(), digits.c_str(), 10) != 0) value = 0;
  return value;
}

// "12.50" without an exponent.
mpq_class DecimalValue(std::string_view digits) {
  const size_t point = digits.find('.');
  std::string all(digits.substr(0, point));
  const std::string_view fraction =
      point == std::string_view::npos ? std::string_view() : digits.substr(point + 1);
  all += fraction;
  if (all.empty()) all = "0";
  mpq_class value(IntegerOf(all));
  if (!fraction.empty()) value /= PowerOfTen(fraction.size());
  return value;
}

// "0.58(3)".
mpq_class RepeatingValue(std::string_view text) {
  const size_t open = text.find('(');
  const std::string_view before = text.substr(0, open);
  const std::string_view period = text.substr(open + 1, text.size() - open - 2);
  const size_t places = before.size() - before.find('.') - 1;
  mpq_class tail(IntegerOf(std::string(period)));
  tail /= (PowerOfTen(period.size()) - 1) * PowerOfTen(places);
  return DecimalValue(before) + tail;
}

// Words that are prose, not products of letters.
bool LooksLikeProse(std::string_view word) {
  static const std::unordered_set<std::string_view> shorts = {
      "six", "the", "not", "all", "any", "yes", "odd", "for", "are", "has", "can",  "one", "two",
      "ten", "red", "day", "but", "its", "non", "was", "out", "use", "set", "no",   "is",  "of",
      "if",  "Yes", "No",  "The", "All", "Not", "its", "who", "why", "how", "None", "DNE", "NaN",
      "nan", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "pts", "pt",  "per"};
  if (shorts.count(word)) return true;
  if (word.size() < 4 || AllUpper(word)) return false;
  return word.find_first_of("aeiouyAEIOUY") != std::string_view::npos;
}

// Words inside the conditions of a piecewise function that say nothing.
bool IsFillerWord(std::string_view word) {
  return word == "if" || word == "for" || word == "when" || word == "where" || word == "is" ||
         word == "If" || word == "for all" || word == "as";
}

class Parser {
 public:
  Parser(std::vector<Token> tokens, const ReadingOptions& options, const Limits& limits,
         bool is_tex, bool is_plain)
      : tokens_(std::move(tokens)),
        options_(options),
        limits_(limits),
        is_tex_(is_tex),
        is_plain_(is_plain),
        counting_only_(std::all_of(tokens_.begin(), tokens_.end(), [](const Token& token) {
          return (token.kind != TokenKind::kName && token.kind != TokenKind::kWord) ||
                 IsCountingLetter(token.text);
        })) {}

  Expr Top() {
    DropAlignment();
    const Expr tree = Sequence(Stop::kEnd);
    if (tree && !AtEnd()) Fail("'" + Now().text + "' was not expected");
    return error_.empty() && !over_limit_ ? tree : nullptr;
  }
  const std::string& error() const { return error_; }
  bool over_limit() const { return over_limit_; }
  bool words() const { return words_; }
  bool acts() const { return acts_; }
  const Ambiguities& seen() const { return seen_; }

 private:
  enum class Stop { kEnd, kBracket, kCell };
  // How a bar in the place of an operator is taken.
  enum class Bar { kOpens, kCloses, kSuchThat };

  struct Deeper {
    explicit Deeper(Parser* parser) : parser_(parser) {
      if (++parser_->depth_ > parser_->limits_.max_depth) {
        parser_->over_limit_ = true;
        parser_->Fail("nested too deep");
      }
    }
    ~Deeper() { --parser_->depth_; }
    Parser* parser_;
  };

  // --- tokens ---

  const Token& Now() const { return tokens_[at_]; }
  const Token& Next(size_t ahead = 1) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  bool AtEnd() const { return Now().kind == TokenKind::kEnd; }
  bool failed() const { return !error_.empty(); }
  bool IsOperator(std::string_view text) const {
    return Now().kind == TokenKind::kOperator && Now().text == text;
  }
  bool NextIsOperator(std::string_view text, size_t ahead = 1) const {
    return Next(ahead).kind == TokenKind::kOperator && Next(ahead).text == text;
  }
  bool Accept(std::string_view op) {
    if (!IsOperator(op)) return false;
    ++at_;
    return true;
  }
  Expr Fail(std::string why) {
    if (error_.empty()) error_ = std::move(why);
    return nullptr;
  }
  Expr Counted(Expr node) {
    if (++nodes_ > limits_.max_nodes) {
      over_limit_ = true;
      return Fail("too many parts");
    }
    return node;
  }

  // aligned and its kin only lay out: their rows are statements.
  void DropAlignment() {
    static const std::unordered_set<std::string_view> names = {
        "aligned",  "align",     "gathered",  "gather", "split",       "equation",
        "eqnarray", "alignedat", "flushleft", "center", "displaymath", "math"};
    int inside = 0;
    std::vector<Token> kept;
    int other = 0;
    for (Token& token : tokens_) {
      const bool op = token.kind == TokenKind::kOperator;
      const size_t colon = token.text.find(':');
      const bool layout = op && colon != std::string::npos &&
                          names.count(std::string_view(token.text).substr(colon + 1));
      if (layout) {
        inside += token.text[0] == 'b' ? 1 : -1;
        continue;
      }
      if (op && token.text.substr(0, 6) == "begin:") ++other;
      if (op && token.text.substr(0, 4) == "end:") --other;
      if (op && other == 0 && token.text == "&") continue;
      if (op && other == 0 && token.text == "\\\\") token.text = ";";
      kept.push_back(std::move(token));
    }
    tokens_ = std::move(kept);
  }

  // --- lists ---

  bool AtSeparator() const {
    return IsOperator(",") || IsOperator(";") || IsOperator("and") || IsOperator("or") ||
           JoinsRelations();
  }
  // "x<2 \lor x>3": between relations they are "or" and "and".
  bool JoinsRelations() const {
    if (!IsOperator("vee") && !IsOperator("wedge")) return false;
    int depth = 0;
    for (size_t i = at_ + 1; i < tokens_.size(); ++i) {
      const Token& token = tokens_[i];
      if (token.kind != TokenKind::kOperator) continue;
      const std::string& text = token.text;
      if (text == "(" || text == "[" || text == "{" || text == "\\{") ++depth;
      if ((text == ")" || text == "]" || text == "}" || text == "\\}") && --depth < 0) return false;
      if (depth == 0 && (text == "<" || text == ">" || text == "<=" || text == ">=" ||
                         text == "!=" || text == "=" || text == "in"))
        return true;
    }
    return false;
  }
  static std::string_view JoiningWord(const std::string& text) {
    return text == "vee" ? "or" : text == "wedge" ? "and" : std::string_view(text);
  }
  bool AtStop(Stop stop) const {
    if (AtEnd()) return true;
    if (Now().kind != TokenKind::kOperator) return false;
    const std::string& text = Now().text;
    if (stop == Stop::kCell) return text == "&" || text == "\\\\" || text.substr(0, 4) == "end:";
    if (stop == Stop::kBracket)
      return text == ")" || text == "]" || text == "\\}" || text == "}" || text == "rangle" ||
             (text == "[" && french_ > 0);
    return false;
  }

  struct Items {
    std::vector<Expr> items;
    std::vector<std::string> separators;  // between them; "," before "and" is merged into "and"
  };

  Items ReadItems(Stop stop) {
    Items list;
    while (Accept(";") || Accept(",")) {
    }
    while (!AtStop(stop)) {
      const Expr item = Statement();
      if (failed()) return list;
      list.items.push_back(item);
      if (list.items.size() > limits_.max_elements) {
        over_limit_ = true;
        Fail("a list too long");
        return list;
      }
      if (!AtSeparator()) break;
      std::string separator;
      while (AtSeparator()) {
        const std::string_view word = JoiningWord(Now().text);
        if (separator.empty() || word == "and" || word == "or") separator = word;
        ++at_;
      }
      list.separators.push_back(separator);
    }
    while (list.separators.size() >= list.items.size() && !list.separators.empty())
      list.separators.pop_back();
    return list;
  }

  Expr Sequence(Stop stop) {
    Items list = ReadItems(stop);
    if (failed()) return nullptr;
    if (list.items.empty()) return Fail("nothing to read");
    return FromItems(std::move(list));
  }

  static bool IsComparison(const Expr& e) {
    return e->kind == Kind::kRelation &&
           e->text.find_first_not_of("<>lg!en") == std::string::npos &&
           (e->text.find_first_of("en") == std::string::npos || e->args.size() == 2);
  }

  // Groups by the looser separators: "p=5, q=2 and p=7, q=2" is two systems.
  Expr FromItems(Items list) {
    if (list.items.size() == 1) return list.items[0];
    const auto all = [&](auto predicate) {
      return std::all_of(list.items.begin(), list.items.end(), predicate);
    };
    const auto count = [&](std::string_view separator) {
      return std::count(list.separators.begin(), list.separators.end(), separator);
    };
    if (all([](const Expr& e) { return IsComparison(e) || e->kind == Kind::kAnd; }) &&
        count(",") == 0 && count(";") == 0)
      return Combine(std::move(list));
    const auto loose = [](const std::string& s) { return s == "and" || s == "or" || s == ";"; };
    if (count(",") > 0 && std::any_of(list.separators.begin(), list.separators.end(), loose)) {
      if (Expr groups = Grouped(list)) return groups;
    }
    return Counted(MakeNode(Kind::kList, std::move(list.items)));
  }

  // Inequalities joined by "and" and "or"; "and" binds tighter.
  Expr Combine(Items list) {
    std::vector<Expr> alternatives;
    std::vector<Expr> together = {list.items[0]};
    const auto close = [&] {
      alternatives.push_back(together.size() == 1 ? together[0]
                                                  : MakeNode(Kind::kAnd, std::move(together)));
      together.clear();
    };
    for (size_t i = 0; i < list.separators.size(); ++i) {
      if (list.separators[i] == "or") close();
      together.push_back(list.items[i + 1]);
    }
    close();
    if (alternatives.size() == 1) return Counted(alternatives[0]);
    return Counted(MakeNode(Kind::kOr, std::move(alternatives)));
  }

  static bool IsAssignment(const Expr& e) {
    return e->kind == Kind::kRelation && e->text == "=" && e->args[0]->kind == Kind::kSymbol;
  }

  // Groups of equal length of assignments to the same names; null where they are none.
  Expr Grouped(const Items& list) {
    std::vector<std::vector<Expr>> groups(1);
    for (size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0 && list.separators[i - 1] != ",") groups.emplace_back();
      groups.back().push_back(list.items[i]);
    }
    std::vector<Expr> systems;
    for (const std::vector<Expr>& group : groups) {
      if (group.size() < 2 || group.size() != groups[0].size()) return nullptr;
      if (!std::all_of(group.begin(), group.end(), IsAssignment)) return nullptr;
      systems.push_back(MakeNode(Kind::kSystem, group));
    }
    return Counted(MakeNode(Kind::kList, std::move(systems)));
  }

  // --- statements ---

  char RelationOperator() const {
    if (Now().kind != TokenKind::kOperator) return 0;
    const std::string& text = Now().text;
    if (text == "=") return kEqual;
    if (text == "<") return kLess;
    if (text == ">") return kGreater;
    if (text == "<=") return kLessEqual;
    if (text == ">=") return kGreaterEqual;
    if (text == "!=") return kNotEqual;
    if (text == "~") return kApproximately;
    if (text == "in") return kElementOf;
    if (text == "notin") return kNotElementOf;
    if (text == "congruent") return kCongruent;
    if (text == "subset") return kSubset;
    if (text == "->") return kOtherRelation;
    if (text == "mid" && bar_ == Bar::kOpens) return kOtherRelation;  // P(A | B)
    return 0;
  }

  Expr Statement() {
    Deeper deeper(this);
    if (failed()) return nullptr;
    while (IsOperator("=") || IsOperator("~") || IsOperator("->") || IsOperator("bullet"))
      ++at_;  // "= 5", "≈ 6.76"
    Expr first = SetExpression();
    if (failed()) return nullptr;
    std::vector<Expr> operands = {first};
    std::string operators;
    while (const char op = RelationOperator()) {
      ++at_;
      while (op == kEqual && (IsOperator("=") || IsOperator("~"))) ++at_;
      // "a = b =": a chain left open.
      if (AtEnd() && !operators.empty()) break;
      operands.push_back(SetExpression());
      if (failed()) return nullptr;
      operators += op;
    }
    Expr statement = operators.empty()
                         ? first
                         : Counted(MakeNode(Kind::kRelation, std::move(operands), operators));
    return failed() ? nullptr : WithModulus(statement);
  }

  // "\pmod{7}", "(mod 7)", "mod 7".
  Expr WithModulus(Expr statement) {
    while (true) {
      bool bracket = false;
      if (IsOperator("(") &&
          (NextIsOperator("bmod") || NextIsOperator("mod") || NextIsWord("mod"))) {
        bracket = true;
        at_ += 2;
      } else if (IsOperator("pmod") || IsOperator("mod")) {
        ++at_;
      } else {
        return statement;
      }
      const Expr modulus = SetExpression();
      if (failed()) return nullptr;
      if (bracket && !Accept(")")) return Fail("')' was expected after the modulus");
      statement = Counted(MakeNode(Kind::kModulo, {statement, modulus}));
      if (failed()) return nullptr;
    }
  }
  bool NextIsWord(std::string_view word) const {
    return (Next().kind == TokenKind::kWord || Next().kind == TokenKind::kText) &&
           Next().text == word;
  }

  Expr SetExpression() {
    Expr left = Ratio();
    while (!failed()) {
      Kind kind;
      if (IsOperator("cup") || (IsOperator("vee") && !JoinsRelations())) {
        kind = Kind::kUnion;
      } else if (IsOperator("cap")) {
        kind = Kind::kIntersection;
      } else if (IsOperator("setminus")) {
        kind = Kind::kDifference;
      } else {
        break;
      }
      ++at_;
      Expr right = Ratio();
      if (failed()) break;
      std::vector<Expr> args;
      if (left->kind == kind && kind != Kind::kDifference) {
        args = left->args;
        args.push_back(right);
      } else {
        args = {left, right};
      }
      left = Counted(MakeNode(kind, std::move(args)));
    }
    return failed() ? nullptr : left;
  }

  // ":", and "5 to 3".
  bool AtRatio() const {
    if (IsWordNow("to")) return Next().kind == TokenKind::kNumber;
    return IsOperator(":") && bar_ != Bar::kSuchThat;
  }

  Expr Ratio() {
    Expr first = Sum();
    if (failed()) return nullptr;
    if (IsOperator("over")) return Overline(first, false);
    if (IsOperator("choose")) return Overline(first, true);
    if (!AtRatio()) return first;
    std::vector<Expr> parts = {first};
    while (AtRatio()) {
      ++at_;
      parts.push_back(Sum());
      if (failed()) return nullptr;
    }
    // "4:30 p.m.": the half day belongs to the whole.
    if (parts.size() == 2 && parts[1]->kind == Kind::kQuantity &&
        (parts[1]->text == "am" || parts[1]->text == "pm")) {
      const std::string half = parts[1]->text;
      parts[1] = parts[1]->args[0];
      return Counted(MakeNode(Kind::kQuantity, {MakeNode(Kind::kRatio, std::move(parts))}, half));
    }
    return Counted(MakeNode(Kind::kRatio, std::move(parts)));
  }

  // {a \over b}, {n \choose k}.
  Expr Overline(const Expr& above, bool binomial) {
    ++at_;
    const Expr below = Sum();
    if (failed()) return nullptr;
    return Counted(binomial ? MakeCall("binom", {above, below})
                            : MakeNode(Kind::kDiv, {above, below}));
  }

  // --- sums and products ---

  Expr Sum() {
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

  bool StartsOperand() const {
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
    return text == "\\{" || text == "{" || text == "lfloor" || text == "lceil" ||
           text == "langle" || text == "..." || text == "emptyset" || text == "\\$" ||
           text.substr(0, 6) == "begin:" || text.substr(0, 9) == "currency:" || text == "not";
  }

  // A sign directly after an operator: "2*-3", "2/-3".
  Expr SignedPower() {
    bool negative = false;
    while (IsOperator("-") || IsOperator("+")) {
      if (IsOperator("-")) negative = !negative;
      ++at_;
    }
    Expr value = Power();
    if (failed()) return nullptr;
    return negative ? Negate(value) : value;
  }

  Expr Product() {
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

  bool IsWordNow(std::string_view word) const {
    return (Now().kind == TokenKind::kWord || Now().kind == TokenKind::kText) && Now().text == word;
  }

  Expr Times(const Expr& left, const Expr& right) {
    if (failed()) return nullptr;
    return Counted(MakeProduct({left, right}));
  }

  Expr Divide(const Expr& left) {
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

  // --- units ---

  bool IsUnitNow() const {
    if (Now().kind == TokenKind::kText) return true;
    return Now().kind == TokenKind::kWord && IsBareUnit(Now().text);
  }

  static bool CanCarryUnit(const Expr& e) {
    return IsValue(*e) || e->kind == Kind::kPlusMinus || e->kind == Kind::kCurrency ||
           e->kind == Kind::kTuple || e->kind == Kind::kPercent;
  }
  static bool IsNumeric(const Expr& e) {
    return !Any(e, [](const Node& n) { return n.kind == Kind::kSymbol; });
  }

  // A unit, multiplier or noun after a value: the value so wrapped, or null where there is none.
  Expr UnitAfter(const Expr& value) {
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
  static bool SaysMore(std::string_view lower) {
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
  static bool ActsOnTheValue(std::string_view lower) {
    static const std::unordered_set<std::string_view> words = {
        "squared", "cubed",     "root",       "roots",     "reciprocal", "inverse",  "doubled",
        "tripled", "halved",    "negated",    "factorial", "pi",         "quarters", "quarter",
        "third",   "fourth",    "fifth",      "sixth",     "seventh",    "eighth",   "ninth",
        "tenth",   "hundredth", "thousandth", "millionth", "billionth",  "i",        "e"};
    return lower.substr(0, 1) == "-" || words.count(lower.substr(0, lower.find(' '))) > 0;
  }

  // "(or 6)", "(extraneous)", "cm (not 6)": an aside that says more than a unit or a name does, or
  // a number. What the value then is the words do not say.
  static bool IsAside(std::string_view lower) {
    const size_t open = lower.find_first_of("([");
    if (open == std::string_view::npos) return false;
    return SaysMore(lower) || lower.find_first_of("0123456789=?", open) != std::string_view::npos;
  }

  // "(to 2 decimal places)", "(rounded to the nearest cent)", "(base 10)": how the value before it
  // is written, in brackets and nothing else.
  static bool TellsPrecision(std::string_view lower) {
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

  Expr FailOnAct(std::string_view words) {
    acts_ = true;
    return Fail("the words '" + Shorten(words, 40) + "' after a value");
  }

  static bool IsUnitPhrase(std::string_view lower) {
    return lower == "square" || lower == "cubic" || lower == "sq" || lower == "units";
  }

  Expr Wrap(const Expr& value, const std::string& lower) {
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
  void ReadUnitTail(std::string* unit) {
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
      } else if (IsOperator("/") &&
                 (Next().kind == TokenKind::kText ||
                  (Next().kind == TokenKind::kWord && IsBareUnit(Next().text)))) {
        *unit += "/" + ToLowerAscii(Next().text);
        at_ += 2;
      } else if (IsOperator("-") && Next().kind == TokenKind::kText &&
                 ReadUnit(Next().text).known) {
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

  // --- powers and postfix signs ---

  Expr Power() {
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
  std::string BracketedDigits(size_t begin) const {
    const bool brackets = at_ == begin + 3 && tokens_[begin].text == "(" &&
                          tokens_[begin + 2].text == ")" && AllDigits(tokens_[begin + 1].text);
    return brackets ? tokens_[begin + 1].text : "";
  }

  Expr Primed(const Expr& base) {
    std::string primes;
    while (Accept("'")) primes += "'";
    if (base->kind == Kind::kSymbol) {
      Expr symbol = MakeSymbol(base->text + primes);
      return AppliedIfBracketed(symbol);
    }
    return Counted(MakeCall("prime" + primes, {base}));
  }

  // "36^\circ", and the letters of temperature scales after it.
  Expr Degrees(const Expr& value) {
    if ((Now().kind == TokenKind::kName || Now().kind == TokenKind::kText) &&
        (Now().text == "C" || Now().text == "F")) {
      const std::string unit = Now().text == "C" ? "celsius" : "fahrenheit";
      ++at_;
      return Counted(MakeNode(Kind::kQuantity, {value}, unit));
    }
    return Counted(MakeNode(Kind::kDegree, {value}));
  }

  Expr Raised(const Expr& base) {
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
  static bool BeginsExponent(const Token& token) {
    return token.kind == TokenKind::kNumber || token.kind == TokenKind::kName ||
           token.kind == TokenKind::kFunction || token.kind == TokenKind::kCommand ||
           (token.kind == TokenKind::kOperator && (token.text == "(" || token.text == "{"));
  }

  Expr Exponent() {
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
  bool AtBareNumber() const {
    return Now().kind == TokenKind::kNumber &&
           Now().text.find_first_of("eE") == std::string::npos && !NextIsOperator("_");
  }
  Expr BareNumber() {
    const std::string text = Now().text;
    ++at_;
    return PlainNumber(text);
  }

  // TeX takes one digit where a group is missing: \frac12, x^10.
  Expr FirstDigit() {
    Token& token = tokens_[at_];
    const std::string digit = token.text.substr(0, 1);
    token.text.erase(0, 1);
    token.space_before = false;
    return Counted(MakeNumber(DecimalValue(digit)));
  }

  // The argument of a macro: a group, or one token (of a number: one digit).
  Expr TexArgument() {
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

  Expr FirstLetter() {
    Token& token = tokens_[at_];
    const std::string letter = token.text.substr(0, 1);
    token.text.erase(0, 1);
    if (token.text.size() == 1) token.kind = TokenKind::kName;
    return Counted(Named(letter));
  }

  // {...} in TeX; {1,2} in plain text is a set.
  Expr Group() {
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
  static std::string WithSortedTerms(const std::string& raw) {
    if (!Contains(raw, "+") || raw.find_first_of("-*/^_(),=") != std::string::npos) return raw;
    std::vector<std::string> terms;
    for (const std::string_view term : Split(raw, '+')) terms.emplace_back(term);
    std::sort(terms.begin(), terms.end(), std::greater<>());
    std::string sorted;
    for (const std::string& term : terms) sorted += (sorted.empty() ? "" : "+") + term;
    return sorted;
  }

  // The text of an argument that names something: a subscript.
  std::string RawArgument() {
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

  // --- primaries ---

  Expr Primary() {
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

  Expr Number() {
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

  Expr PlainNumber(const std::string& text) {
    const bool decimal = Contains(text, ".");
    return Counted(MakeNumber(DecimalValue(text), decimal ? text : ""));
  }

  // Beyond a million places the power stays symbolic, so that nothing is materialised.
  Expr Scientific(const std::string& text, size_t e) {
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
  Expr InBase(const std::string& digits) {
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
  Expr Mixed(const Expr& whole) {
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
               Next(2).kind == TokenKind::kNumber && AllDigits(Next(2).text) &&
               Now().space_before) {
      const mpq_class above = DecimalValue(Now().text);
      const mpq_class below = DecimalValue(Next(2).text);
      if (below == 0 || above >= below) return nullptr;
      at_ += 3;
      fraction = MakeNode(Kind::kDiv, {MakeNumber(above), MakeNumber(below)});
    } else {
      return nullptr;
    }
    const mpq_class value =
        *whole->number + *fraction->args[0]->number / *fraction->args[1]->number;
    return Counted(MakeNumber(value));
  }

  static bool IsProperFraction(const Expr& e) {
    if (e->kind != Kind::kDiv) return false;
    for (const Expr& part : e->args)
      if (part->kind != Kind::kNumber || part->number->get_den() != 1 || !part->text.empty())
        return false;
    return *e->args[0]->number > 0 && *e->args[0]->number < *e->args[1]->number;
  }

  Expr Named(std::string_view name) {
    if (name == "j" && options_.j_is_imaginary) return MakeConstant("i");
    if (name == "pi" || name == "e" || name == "i" || name == "inf") return MakeConstant(name);
    return MakeSymbol(name);
  }

  static bool IsFunctionLetter(std::string_view name) {
    if (name.empty()) return false;
    const char c = name[0];
    return (name.size() == 1 || name[1] == '_' || name[1] == '\'' || name[1] == '^') &&
           (c == 'f' || c == 'g' || c == 'h' || c == 'F' || c == 'G' || c == 'H');
  }

  // --- ways to choose: C_9^3, C^3_9, {}_9C_3, {}^9C_3, and the same with P and A ---

  static bool IsCountingLetter(std::string_view name) {
    return name == "C" || name == "P" || name == "A";
  }

  // A script at `at`, as "_9" or "^{9}", which must be a whole number; moves `at` behind it.
  std::optional<mpq_class> WholeScript(std::string_view op, size_t* at) const {
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
  Expr ScriptedChoices(const std::string& letter) {
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
  Expr PrescriptedChoices() {
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

  Expr Ways(const std::string& letter, const mpq_class& n, const mpq_class& k) {
    if (k > n) return nullptr;
    const Expr ways = MakeCall("binom", {MakeNumber(n), MakeNumber(k)});
    if (letter == "C") return Counted(ways);
    return Counted(MakeProduct({ways, MakeCall("factorial", {MakeNumber(k)})}));
  }

  Expr Name() {
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
  Expr AppliedIfBracketed(const Expr& name) {
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

  Expr Applied(const Expr& name) {
    ++at_;
    Items list = ReadBracketed(")");
    if (failed()) return nullptr;
    return Counted(MakeCall("apply:" + name->text, std::move(list.items)));
  }

  // C(9,3), P(5,2): ways to choose, with and without order; of whole numbers only.
  Expr Choices(const std::string& name) {
    const auto whole = [&](size_t ahead) {
      return Next(ahead).kind == TokenKind::kNumber && AllDigits(Next(ahead).text);
    };
    if (!whole(1) || !NextIsOperator(",", 2) || !whole(3) || !NextIsOperator(")", 4))
      return nullptr;
    const Expr n = MakeNumber(DecimalValue(Next(1).text));
    const Expr k = MakeNumber(DecimalValue(Next(3).text));
    at_ += 5;
    const Expr ways = MakeCall("binom", {n, k});
    if (name == "C") return Counted(ways);
    return Counted(MakeProduct({ways, MakeCall("factorial", {k})}));
  }

  Items ReadBracketed(std::string_view close) {
    const Bar outer = std::exchange(bar_, Bar::kOpens);
    const int french = std::exchange(french_, 0);
    Items list = ReadItems(Stop::kBracket);
    bar_ = outer;
    french_ = french;
    if (!failed() && !Accept(close)) Fail("'" + std::string(close) + "' was expected");
    return list;
  }

  Expr Word() {
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

  // "xy^2": all but the last letter now; the caller's product loop reads the last one as a factor.
  static Expr MakeProductKeepingPower(std::vector<Expr> letters) {
    return MakeProduct(std::move(letters));
  }

  Expr Text() {
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

  // --- functions ---

  Expr Function() {
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
  Expr Powered(const std::string& name, const Expr& call, const Expr& power) {
    static const std::unordered_set<std::string_view> invertible = {
        "sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh"};
    const bool inverse = power->kind == Kind::kNumber && *power->number == -1;
    if (inverse && invertible.count(name)) {
      const std::string prefix = name.size() == 4 ? "ar" : "arc";
      return Counted(MakeCall(prefix + name, call->args));
    }
    return Counted(MakeNode(Kind::kPow, {call, power}));
  }

  static bool TakesSeveral(std::string_view name) {
    return name == "max" || name == "min" || name == "gcd" || name == "lcm" || name == "binom" ||
           name == "mod";
  }

  Expr Call(const std::string& name) {
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

  Expr Cis(const Expr& angle) {
    return Counted(MakeSum(
        {MakeCall("cos", {angle}), MakeProduct({MakeConstant("i"), MakeCall("sin", {angle})})}));
  }

  // What a function without brackets takes: the factors next to it, up to a sign, a slash or
  // another function. "\sin 2x \cos x" is (sin 2x)(cos x).
  Expr ImplicitArgument() {
    Deeper deeper(this);
    if (failed()) return nullptr;
    bool negative = false;
    while (Accept("-")) negative = !negative;
    Expr argument = Power();
    while (!failed() && StartsOperand() && Now().kind != TokenKind::kFunction &&
           Now().kind != TokenKind::kText && !IsUnitNow() && !IsOperator("|") &&
           !IsOperator("\\{")) {
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
  bool AtDifferential() const {
    const Token& now = Now();
    if (now.kind == TokenKind::kWord) return now.text.size() == 2 && now.text[0] == 'd';
    return now.kind == TokenKind::kName && now.text == "d" && Next().kind == TokenKind::kName;
  }

  static bool EndsInPi(const Expr& e) {
    const Expr& last = e->kind == Kind::kMul ? e->args.back() : e;
    return last->kind == Kind::kConstant && last->text == "pi";
  }

  Expr Logarithm(bool tex) {
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

  Expr Command() {
    const std::string name = Now().text;
    const bool tex = Now().tex;
    ++at_;
    if (name == "frac" || name == "dfrac" || name == "tfrac" || name == "cfrac" ||
        name == "sfrac" || name == "nicefrac")
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

  static bool IsD(const Expr& e) {
    return e->kind == Kind::kSymbol && (e->text == "d" || e->text == "partial");
  }

  // dM/dt is M'.
  static Expr Derivative(const Expr& above, const Expr& below) {
    const auto differential = [](const Expr& e) {
      return e->kind == Kind::kMul && e->args.size() == 2 && IsD(e->args[0]) &&
             e->args[1]->kind == Kind::kSymbol;
    };
    if (!differential(above) || !differential(below)) return nullptr;
    return MakeSymbol(above->args[1]->text + "'");
  }

  Expr Fraction() {
    const Expr above = TexArgument();
    if (failed()) return nullptr;
    const Expr below = TexArgument();
    if (failed()) return nullptr;
    if (Expr derivative = Derivative(above, below)) return Counted(derivative);
    return Counted(MakeNode(Kind::kDiv, {above, below}));
  }

  Expr SquareRoot(bool tex) {
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

  Expr Binomial() {
    const Expr above = TexArgument();
    if (failed()) return nullptr;
    const Expr below = TexArgument();
    if (failed()) return nullptr;
    return Counted(MakeCall("binom", {above, below}));
  }

  // \sum_{k=1}^{n} body; without bounds the whole stays an unknown.
  Expr BigOperator(const std::string& name) {
    Expr lower;
    Expr upper;
    for (int i = 0; i < 2; ++i) {
      if (Accept("_")) {
        lower = TexArgument();
      } else if (Accept("^")) {
        upper = TexArgument();
      }
      if (failed()) return nullptr;
    }
    const Expr body = ProductAfterOperator();
    if (failed()) return nullptr;
    const bool counted = name[0] != 'b' && lower && upper && lower->kind == Kind::kRelation &&
                         lower->text == "=" && lower->args.size() == 2;
    if (!counted) {
      std::vector<Expr> args = {body};
      if (lower) args.push_back(lower);
      if (upper) args.push_back(upper);
      return Counted(MakeCall("unbounded" + name, std::move(args)));
    }
    Expr variable = lower->args[0];
    Expr inner = body;
    // "i" counts here, and is no imaginary unit.
    if (variable->kind == Kind::kConstant && variable->text == "i") {
      variable = MakeSymbol("i");
      inner = ImaginaryToSymbol(body);
    }
    if (variable->kind != Kind::kSymbol) return Fail("a counter was expected");
    return Counted(MakeCall(name, {variable, lower->args[1], upper, inner}));
  }

  static Expr ImaginaryToSymbol(const Expr& e) {
    if (e->kind == Kind::kConstant && e->text == "i") return MakeSymbol("i");
    if (e->args.empty()) return e;
    auto copy = std::make_shared<Node>(*e);
    for (Expr& arg : copy->args) arg = ImaginaryToSymbol(arg);
    return copy;
  }

  // The body of a sum or an integral: a product, with its sign.
  Expr ProductAfterOperator() {
    bool negative = false;
    while (Accept("-")) negative = !negative;
    const Expr body = Product();
    if (failed()) return nullptr;
    return negative ? Negate(body) : body;
  }

  // \int_0^1 f dx: the differential ends it.
  Expr Integral(const std::string& name) {
    std::vector<Expr> bounds;
    Expr lower;
    Expr upper;
    for (int i = 0; i < 2; ++i) {
      if (Accept("_")) {
        lower = TexArgument();
      } else if (Accept("^")) {
        upper = TexArgument();
      }
      if (failed()) return nullptr;
    }
    ++integrals_;
    const Expr body = Sum();
    --integrals_;
    if (failed()) return nullptr;
    const Expr variable = DifferentialOf(body);
    if (!variable || !lower || !upper || name != "int") {
      std::vector<Expr> args = {body};
      if (lower) args.push_back(lower);
      if (upper) args.push_back(upper);
      return Counted(MakeCall("unbounded" + name, std::move(args)));
    }
    return Counted(MakeCall("int", {variable, lower, upper, WithoutDifferential(body)}));
  }

  // A product that ends in "d x".
  static Expr DifferentialOf(const Expr& body) {
    if (body->kind != Kind::kMul || body->args.size() < 2) return nullptr;
    const Expr& last = body->args.back();
    const Expr& d = body->args[body->args.size() - 2];
    return IsD(d) && last->kind == Kind::kSymbol ? last : nullptr;
  }
  static Expr WithoutDifferential(const Expr& body) {
    std::vector<Expr> rest(body->args.begin(), body->args.end() - 2);
    return rest.empty() ? MakeInteger(1) : MakeProduct(std::move(rest));
  }

  Expr Limit(const std::string& name) {
    Expr below;
    if (Accept("_")) below = TexArgument();
    if (failed()) return nullptr;
    const Expr body = ProductAfterOperator();
    if (failed()) return nullptr;
    std::vector<Expr> args = {body};
    if (below) args.push_back(below);
    return Counted(MakeCall("unbounded" + name, std::move(args)));
  }

  Expr Blackboard() {
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
  Expr Figure(const std::string& kind) {
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

  // The vector from A to B is not that from B to A, as a product of letters would be.
  static bool IsArrow(std::string_view accent) {
    return accent == "vec" || accent == "overrightarrow" || accent == "overleftarrow";
  }
  // "AB" of a product of two letters or more; "" of anything else.
  static std::string LettersOf(const Expr& e) {
    std::string letters;
    if (e->kind != Kind::kMul) return letters;
    for (const Expr& factor : e->args) {
      if (factor->kind != Kind::kSymbol || factor->text.size() != 1) return "";
      letters += factor->text;
    }
    return letters;
  }

  Expr Accent(const std::string& name) {
    const Expr inside = TexArgument();
    if (failed()) return nullptr;
    if (name == "overline" || name == "overrightarrow" || name == "overarc" ||
        name == "wideparen" || name == "overleftarrow") {
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

  // --- brackets ---

  Expr Bracket() {
    const Token token = Now();
    const std::string& text = token.text;
    if (text == "(") return Round();
    if (text == "[") return Square();
    if (text == "]") return French();
    if ((text == "{" && NextIsOperator("}")) || text == "_" || text == "^") {
      if (Expr ways = PrescriptedChoices()) return ways;
    }
    if (text == "{") return Group();
    if (text == "\\{") return Braces();
    if (text == "|" || text == "norm" || text == "mid") return Bars(text);
    if (text == "lfloor" || text == "lceil") return FloorOrCeil(text);
    if (text == "langle") {
      ++at_;
      Items list = ReadBracketed("rangle");
      if (failed()) return nullptr;
      if (list.items.empty()) return Fail("an empty bracket");
      return Counted(MakeNode(Kind::kTuple, std::move(list.items), "<>"));
    }
    if (text.substr(0, 6) == "begin:") return Environment(text.substr(6));
    if (text == "...") {
      ++at_;
      return Counted(MakeNode(Kind::kEllipsis, {}));
    }
    if (text == "emptyset") {
      ++at_;
      return Counted(MakeNode(Kind::kNamedSet, {}, "empty"));
    }
    if (text == "\\$") {
      ++at_;
      const Expr value = SignedPower();
      return failed() ? nullptr : Counted(MakeNode(Kind::kCurrency, {value}, "$"));
    }
    if (text.substr(0, 9) == "currency:") {
      ++at_;
      const Expr value = SignedPower();
      return failed() ? nullptr : Counted(MakeNode(Kind::kCurrency, {value}, text.substr(9)));
    }
    if (text == "-" || text == "+") return SignedPower();
    if (text == "not") {
      ++at_;
      const Expr value = Primary();
      return failed() ? nullptr : Counted(MakeCall("not", {value}));
    }
    return Fail("'" + Shorten(text, 20) + "' was not expected");
  }

  bool CloseRound(std::string* close) {
    if (!IsOperator(")") && !IsOperator("]")) return false;
    *close = Now().text;
    ++at_;
    return true;
  }

  Items InsideBrackets() {
    const Bar outer = std::exchange(bar_, Bar::kOpens);
    const int french = std::exchange(french_, 0);
    Items list = ReadItems(Stop::kBracket);
    bar_ = outer;
    french_ = french;
    return list;
  }

  Expr Round() {
    ++at_;
    Items list = InsideBrackets();
    if (failed()) return nullptr;
    std::string close;
    if (!CloseRound(&close)) return Fail("')' was expected");
    if (list.items.empty()) return Fail("an empty bracket");
    if (close == "]") {
      if (list.items.size() != 2) return Fail("an interval with two ends was expected");
      return Counted(MakeNode(Kind::kInterval, std::move(list.items), "(]"));
    }
    if (list.items.size() == 1) return list.items[0];
    return Counted(MakeNode(Kind::kTuple, std::move(list.items), "()"));
  }

  Expr Square() {
    ++at_;
    Items list = InsideBrackets();
    if (failed()) return nullptr;
    std::string close;
    if (!CloseRound(&close)) return Fail("']' was expected");
    if (list.items.empty()) return Fail("an empty bracket");
    if (close == ")") {
      if (list.items.size() != 2) return Fail("an interval with two ends was expected");
      return Counted(MakeNode(Kind::kInterval, std::move(list.items), "[)"));
    }
    if (list.items.size() == 1 && list.items[0]->kind != Kind::kInterval) return list.items[0];
    if (std::all_of(list.items.begin(), list.items.end(), IsAssignment))
      return Counted(MakeNode(Kind::kSystem, std::move(list.items)));
    if (Expr matrix = Rows(list.items)) return matrix;
    if (list.items.size() == 2)
      return Counted(MakeNode(Kind::kInterval, std::move(list.items), "[]"));
    return Counted(MakeNode(Kind::kTuple, std::move(list.items), "[]"));
  }

  // [[1,2],[3,4]]: a matrix in programmers' notation.
  Expr Rows(const std::vector<Expr>& items) {
    const auto is_row = [&](const Expr& e) {
      return (e->kind == Kind::kInterval || e->kind == Kind::kTuple) && e->text == "[]" &&
             e->args.size() == items[0]->args.size();
    };
    if (!std::all_of(items.begin(), items.end(), is_row)) return nullptr;
    std::vector<Expr> cells;
    for (const Expr& row : items) cells.insert(cells.end(), row->args.begin(), row->args.end());
    return Counted(MakeMatrix(static_cast<int>(items.size()),
                              static_cast<int>(items[0]->args.size()), std::move(cells)));
  }

  // ]a, b[: brackets turned outwards exclude the end.
  Expr French() {
    ++at_;
    const Bar outer = std::exchange(bar_, Bar::kOpens);
    const int french = std::exchange(french_, 1);
    Items list = ReadItems(Stop::kBracket);
    bar_ = outer;
    french_ = french;
    if (failed()) return nullptr;
    if (list.items.size() != 2) return Fail("an interval with two ends was expected");
    const bool open = IsOperator("[");
    if (!open && !IsOperator("]")) return Fail("']' or '[' was expected");
    ++at_;
    return Counted(MakeNode(Kind::kInterval, std::move(list.items), open ? "()" : "(]"));
  }

  Expr Braces() {
    ++at_;
    if (Accept("\\}")) return Counted(MakeNode(Kind::kNamedSet, {}, "empty"));
    // A brace on the left only, before an array: cases or a system.
    if (Now().kind == TokenKind::kOperator && Now().text.substr(0, 6) == "begin:") {
      const Expr body = Environment("cases");
      if (failed()) return nullptr;
      if (Accept("\\}"))
        return body->kind == Kind::kSystem ? Counted(MakeNode(Kind::kSet, body->args)) : body;
      return body;
    }
    const Bar outer = std::exchange(bar_, Bar::kSuchThat);
    const int french = std::exchange(french_, 0);
    Expr result = SetBody();
    bar_ = outer;
    french_ = french;
    return result;
  }

  Expr SetBody() {
    Items list = ReadItems(Stop::kBracket);
    if (failed()) return nullptr;
    const bool such_that = IsOperator("mid") || IsOperator("|") || IsOperator(":");
    if (!such_that) {
      if (!Accept("\\}")) return Fail("'}' was expected");
      if (list.items.empty()) return Fail("an empty set was expected");
      return Counted(MakeNode(Kind::kSet, std::move(list.items)));
    }
    ++at_;
    bar_ = Bar::kOpens;
    Items conditions = ReadItems(Stop::kBracket);
    if (failed()) return nullptr;
    if (!Accept("\\}")) return Fail("'}' was expected");
    if (conditions.items.empty() || list.items.size() != 1)
      return Fail("a set of elements and conditions was expected");
    // Conditions divided by commas hold together.
    for (std::string& separator : conditions.separators)
      if (separator == "," || separator == ";") separator = "and";
    Expr condition =
        conditions.items.size() == 1 ? conditions.items[0] : Combine(std::move(conditions));
    if (failed()) return nullptr;
    return Counted(MakeNode(Kind::kSetBuilder, {list.items[0], condition}));
  }

  Expr Bars(const std::string& bar) {
    Deeper deeper(this);
    if (failed()) return nullptr;
    ++at_;
    const Bar outer = std::exchange(bar_, Bar::kCloses);
    Expr inside = SetExpression();
    bar_ = outer;
    if (failed()) return nullptr;
    if (!Accept(bar)) return Fail("a closing bar was expected");
    if (inside->kind == Kind::kMatrix) return Counted(MakeCall("det", {inside}));
    return Counted(MakeCall(bar == "norm" ? "norm" : "abs", {inside}));
  }

  Expr FloorOrCeil(const std::string& open) {
    ++at_;
    const Bar outer = std::exchange(bar_, Bar::kOpens);
    const Expr inside = SetExpression();
    bar_ = outer;
    if (failed()) return nullptr;
    if (!Accept(open == "lfloor" ? "rfloor" : "rceil")) return Fail("a closing floor was expected");
    return Counted(MakeCall(open == "lfloor" ? "floor" : "ceil", {inside}));
  }

  // --- environments ---

  Expr Environment(const std::string& name_given) {
    Deeper deeper(this);
    if (failed()) return nullptr;
    const std::string opened = Now().text.substr(6);
    ++at_;
    const Bar outer = std::exchange(bar_, Bar::kOpens);
    const int french = std::exchange(french_, 0);
    std::vector<std::vector<Expr>> rows(1);
    while (!failed()) {
      if (Accept("end:" + opened)) break;
      if (AtEnd()) return Fail("\\end{" + opened + "} was expected");
      if (Accept("\\\\")) {
        if (!rows.back().empty()) rows.emplace_back();
      } else if (Accept("&")) {
      } else {
        const size_t begin = at_;
        ReadCell(&rows.back());
        if (!failed() && at_ == begin) return Fail("\\end{" + opened + "} was expected");
      }
    }
    bar_ = outer;
    french_ = french;
    if (failed()) return nullptr;
    if (rows.back().empty()) rows.pop_back();
    if (rows.empty()) return Fail("an empty matrix");
    if (name_given == "cases" || opened == "cases" || opened == "dcases" || opened == "rcases")
      return Cases(rows);
    return Matrix(rows, opened);
  }

  // Cells of words only ("if", "for") are left out.
  void ReadCell(std::vector<Expr>* row) {
    while (Now().kind == TokenKind::kText && IsFillerWord(ToLowerAscii(Now().text))) ++at_;
    if (AtStop(Stop::kCell)) return;
    Items list = ReadItems(Stop::kCell);
    if (failed()) return;
    if (!AtStop(Stop::kCell)) {
      Fail("'" + Shorten(Now().text, 20) + "' in a matrix");
      return;
    }
    if (list.items.empty()) return;
    row->push_back(FromItems(std::move(list)));
  }

  Expr Cases(const std::vector<std::vector<Expr>>& rows) {
    std::vector<Expr> parts;
    const bool single =
        std::all_of(rows.begin(), rows.end(), [](const auto& row) { return row.size() == 1; });
    for (const std::vector<Expr>& row : rows) {
      if (row.size() > 2 || row.empty()) return Fail("cases with a value and a condition each");
      parts.insert(parts.end(), row.begin(), row.end());
      if (!single && row.size() == 1) parts.push_back(MakeNode(Kind::kText, {}, "otherwise"));
    }
    return Counted(MakeNode(single ? Kind::kSystem : Kind::kPiecewise, std::move(parts)));
  }

  Expr Matrix(const std::vector<std::vector<Expr>>& rows, const std::string& environment) {
    std::vector<Expr> cells;
    for (const std::vector<Expr>& row : rows) {
      if (row.size() != rows[0].size()) return Fail("a matrix with rows of unequal length");
      cells.insert(cells.end(), row.begin(), row.end());
    }
    if (cells.size() > limits_.max_elements) {
      over_limit_ = true;
      return Fail("a matrix too large");
    }
    const Expr matrix = Counted(MakeMatrix(static_cast<int>(rows.size()),
                                           static_cast<int>(rows[0].size()), std::move(cells)));
    if (failed()) return nullptr;
    return environment == "vmatrix" ? Counted(MakeCall("det", {matrix})) : matrix;
  }

  std::vector<Token> tokens_;
  const ReadingOptions& options_;
  const Limits& limits_;
  const bool is_tex_;
  const bool is_plain_;
  const bool counting_only_;  // no letters but those of "ways to choose"
  size_t at_ = 0;
  int depth_ = 0;
  int nodes_ = 0;
  int integrals_ = 0;  // around this place
  int french_ = 0;     // inside ]a, b[: a '[' closes
  Bar bar_ = Bar::kOpens;
  bool last_was_number_ = false;
  bool is_text_context_ = false;
  bool words_ = false;
  bool acts_ = false;
  bool over_limit_ = false;
  std::string error_;
  Ambiguities seen_;
};

}  // namespace

Reading Read(std::string_view spelled, const ReadingOptions& options, const Limits& limits) {
  Lexed lexed = Lex(spelled, options, limits);
  Reading reading;
  reading.seen = lexed.seen;
  reading.has_words = lexed.has_words;
  reading.over_limit = lexed.over_limit;
  reading.error = lexed.error;
  lexed.is_tex = lexed.is_tex && options.macros_written;
  if (lexed.over_limit || !lexed.error.empty()) {
    if (reading.error.empty()) reading.error = "over a limit";
    return reading;
  }
  if (lexed.tokens.size() == 1) {
    reading.error = "empty";
    return reading;
  }
  const bool prose = std::any_of(lexed.tokens.begin(), lexed.tokens.end(), [](const Token& token) {
    return token.kind == TokenKind::kWord && LooksLikeProse(token.text);
  });
  // Where j is the only letter it may be the engineers' imaginary unit.
  const auto names =
      std::count_if(lexed.tokens.begin(), lexed.tokens.end(), [](const Token& token) {
        return token.kind == TokenKind::kName && token.text != "pi" && token.text != "e";
      });
  const auto js = std::count_if(lexed.tokens.begin(), lexed.tokens.end(), [](const Token& token) {
    return token.kind == TokenKind::kName && token.text == "j";
  });
  const bool j_alone = js > 0 && js == names && lexed.tokens.size() > 2;
  Parser parser(std::move(lexed.tokens), options, limits, lexed.is_tex, lexed.is_plain);
  reading.tree = parser.Top();
  reading.error = parser.error();
  reading.over_limit = parser.over_limit();
  reading.has_words = reading.has_words || parser.words() || (!reading.tree && prose);
  reading.acts_on_value = !reading.tree && parser.acts();
  const Ambiguities& seen = parser.seen();
  reading.seen.slash = seen.slash;
  reading.seen.log = seen.log;
  reading.seen.exponent_digits = seen.exponent_digits;
  reading.seen.imaginary_j = j_alone;
  return reading;
}

}  // namespace assay::algebra
