// The way in, and the loosest levels of the parser: lists and statements.
#include "graders/algebra/reader.h"

#include <algorithm>
#include <unordered_set>
#include <utility>
#include <vector>

#include "graders/algebra/parser.h"
#include "graders/algebra/parser_text.h"
#include "harness/text.h"

namespace assay::algebra {

Expr Parser::Top() {
  DropAlignment();
  const Expr tree = Sequence(Stop::kEnd);
  if (tree && !AtEnd()) Fail("'" + Now().text + "' was not expected");
  return error_.empty() && !over_limit_ ? tree : nullptr;
}

// --- tokens ---

bool Parser::Accept(std::string_view op) {
  if (!IsOperator(op)) return false;
  ++at_;
  return true;
}

Expr Parser::Fail(std::string why) {
  if (error_.empty()) error_ = std::move(why);
  return nullptr;
}

Expr Parser::Counted(Expr node) {
  if (++nodes_ > limits_.max_nodes) {
    over_limit_ = true;
    return Fail("too many parts");
  }
  return node;
}

// aligned and its kin only lay out: their rows are statements.
void Parser::DropAlignment() {
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

bool Parser::AtSeparator() const {
  return IsOperator(",") || IsOperator(";") || IsOperator("and") || IsOperator("or") ||
         JoinsRelations();
}

// "x<2 \lor x>3": between relations they are "or" and "and".
bool Parser::JoinsRelations() const {
  if (!IsOperator("vee") && !IsOperator("wedge")) return false;
  int depth = 0;
  for (size_t i = at_ + 1; i < tokens_.size(); ++i) {
    const Token& token = tokens_[i];
    if (token.kind != TokenKind::kOperator) continue;
    const std::string& text = token.text;
    if (text == "(" || text == "[" || text == "{" || text == "\\{") ++depth;
    if ((text == ")" || text == "]" || text == "}" || text == "\\}") && --depth < 0) return false;
    if (depth == 0 && (text == "<" || text == ">" || text == "<=" || text == ">=" || text == "!=" ||
                       text == "=" || text == "in"))
      return true;
  }
  return false;
}

bool Parser::AtStop(Stop stop) const {
  if (AtEnd()) return true;
  if (Now().kind != TokenKind::kOperator) return false;
  const std::string& text = Now().text;
  if (stop == Stop::kCell) return text == "&" || text == "\\\\" || text.substr(0, 4) == "end:";
  if (stop == Stop::kBracket)
    return text == ")" || text == "]" || text == "\\}" || text == "}" || text == "rangle" ||
           (text == "[" && french_ > 0);
  return false;
}

Parser::Items Parser::ReadItems(Stop stop) {
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

Expr Parser::Sequence(Stop stop) {
  Items list = ReadItems(stop);
  if (failed()) return nullptr;
  if (list.items.empty()) return Fail("nothing to read");
  return FromItems(std::move(list));
}

bool Parser::IsComparison(const Expr& e) {
  return e->kind == Kind::kRelation && e->text.find_first_not_of("<>lg!en") == std::string::npos &&
         (e->text.find_first_of("en") == std::string::npos || e->args.size() == 2);
}

// Groups by the looser separators: "p=5, q=2 and p=7, q=2" is two systems.
Expr Parser::FromItems(Items list) {
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
Expr Parser::Combine(Items list) {
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

// Groups of equal length of assignments to the same names; null where they are none.
Expr Parser::Grouped(const Items& list) {
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

char Parser::RelationOperator() const {
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

Expr Parser::Statement() {
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
Expr Parser::WithModulus(Expr statement) {
  while (true) {
    bool bracket = false;
    if (IsOperator("(") && (NextIsOperator("bmod") || NextIsOperator("mod") || NextIsWord("mod"))) {
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

bool Parser::NextIsWord(std::string_view word) const {
  return (Next().kind == TokenKind::kWord || Next().kind == TokenKind::kText) &&
         Next().text == word;
}

Expr Parser::SetExpression() {
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
bool Parser::AtRatio() const {
  if (IsWordNow("to")) return Next().kind == TokenKind::kNumber;
  return IsOperator(":") && bar_ != Bar::kSuchThat;
}

Expr Parser::Ratio() {
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
Expr Parser::Overline(const Expr& above, bool binomial) {
  ++at_;
  const Expr below = Sum();
  if (failed()) return nullptr;
  return Counted(binomial ? MakeCall("binom", {above, below})
                          : MakeNode(Kind::kDiv, {above, below}));
}

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
