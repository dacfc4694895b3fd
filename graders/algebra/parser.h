// The parser. From loose to tight: top (lists, "and", "or"), statement (chains of relations), set
// expression (unions), ratio, sum, product, power, primary. Every nested call goes through Deeper,
// which counts depth; every node through Counted, which counts nodes.
//
// One class in several files, by the level: reader.cc (lists, statements), parser_operators.cc,
// parser_units.cc, parser_primaries.cc, parser_functions.cc, parser_brackets.cc. One parse, one
// thread.
#pragma once

#include <gmpxx.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graders/algebra/lexer.h"
#include "graders/algebra/node.h"

namespace assay::algebra {

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
  Expr Top();
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
  bool Accept(std::string_view op);
  Expr Fail(std::string why);
  Expr Counted(Expr node);
  void DropAlignment();

  // --- lists ---
  bool AtSeparator() const;
  bool JoinsRelations() const;
  static std::string_view JoiningWord(const std::string& text) {
    return text == "vee" ? "or" : text == "wedge" ? "and" : std::string_view(text);
  }
  bool AtStop(Stop stop) const;
  struct Items {
    std::vector<Expr> items;
    std::vector<std::string> separators;  // between them; "," before "and" is merged into "and"
  };
  Items ReadItems(Stop stop);
  Expr Sequence(Stop stop);
  static bool IsComparison(const Expr& e);
  Expr FromItems(Items list);
  Expr Combine(Items list);
  static bool IsAssignment(const Expr& e) {
    return e->kind == Kind::kRelation && e->text == "=" && e->args[0]->kind == Kind::kSymbol;
  }
  Expr Grouped(const Items& list);

  // --- statements ---
  char RelationOperator() const;
  Expr Statement();
  Expr WithModulus(Expr statement);
  bool NextIsWord(std::string_view word) const;
  Expr SetExpression();
  bool AtRatio() const;
  Expr Ratio();
  Expr Overline(const Expr& above, bool binomial);

  // --- sums and products ---
  Expr Sum();
  bool StartsOperand() const;
  Expr SignedPower();
  Expr Product();
  bool IsWordNow(std::string_view word) const {
    return (Now().kind == TokenKind::kWord || Now().kind == TokenKind::kText) && Now().text == word;
  }
  Expr Times(const Expr& left, const Expr& right);
  Expr Divide(const Expr& left);

  // --- units ---
  bool IsUnitNow() const;
  static bool CanCarryUnit(const Expr& e);
  static bool IsNumeric(const Expr& e) {
    return !Any(e, [](const Node& n) { return n.kind == Kind::kSymbol; });
  }
  Expr UnitAfter(const Expr& value);
  static bool SaysMore(std::string_view lower);
  static bool ActsOnTheValue(std::string_view lower);
  static bool IsAside(std::string_view lower);
  static bool TellsPrecision(std::string_view lower);
  Expr FailOnAct(std::string_view words);
  static bool IsUnitPhrase(std::string_view lower) {
    return lower == "square" || lower == "cubic" || lower == "sq" || lower == "units";
  }
  Expr Wrap(const Expr& value, const std::string& lower);
  void ReadUnitTail(std::string* unit);

  // --- powers and postfix signs ---
  Expr Power();
  std::string BracketedDigits(size_t begin) const;
  Expr Primed(const Expr& base);
  Expr Degrees(const Expr& value);
  Expr Raised(const Expr& base);
  static bool BeginsExponent(const Token& token);
  Expr Exponent();
  bool AtBareNumber() const;
  Expr BareNumber();
  Expr FirstDigit();
  Expr TexArgument();
  Expr FirstLetter();
  Expr Group();
  static std::string WithSortedTerms(const std::string& raw);
  std::string RawArgument();

  // --- primaries ---
  Expr Primary();
  Expr Number();
  Expr PlainNumber(const std::string& text);
  Expr Scientific(const std::string& text, size_t e);
  Expr InBase(const std::string& digits);
  Expr Mixed(const Expr& whole);
  static bool IsProperFraction(const Expr& e);
  Expr Named(std::string_view name);
  static bool IsFunctionLetter(std::string_view name);

  // --- ways to choose: C_9^3, C^3_9, {}_9C_3, {}^9C_3, and the same with P and A ---
  static bool IsCountingLetter(std::string_view name) {
    return name == "C" || name == "P" || name == "A";
  }
  std::optional<mpq_class> WholeScript(std::string_view op, size_t* at) const;
  Expr ScriptedChoices(const std::string& letter);
  Expr PrescriptedChoices();
  Expr Ways(const std::string& letter, const mpq_class& n, const mpq_class& k);
  Expr Name();
  Expr AppliedIfBracketed(const Expr& name);
  Expr Applied(const Expr& name);
  Expr Choices(const std::string& name);
  Items ReadBracketed(std::string_view close);
  Expr Word();
  // "xy^2": all but the last letter now; the caller's product loop reads the last one as a factor.
  static Expr MakeProductKeepingPower(std::vector<Expr> letters) {
    return MakeProduct(std::move(letters));
  }
  Expr Text();

  // --- functions ---
  Expr Function();
  Expr Powered(const std::string& name, const Expr& call, const Expr& power);
  static bool TakesSeveral(std::string_view name);
  Expr Call(const std::string& name);
  Expr Cis(const Expr& angle);
  Expr ImplicitArgument();
  bool AtDifferential() const;
  static bool EndsInPi(const Expr& e);
  Expr Logarithm(bool tex);

  // --- macros ---
  Expr Command();
  static bool IsD(const Expr& e) {
    return e->kind == Kind::kSymbol && (e->text == "d" || e->text == "partial");
  }
  static Expr Derivative(const Expr& above, const Expr& below);
  Expr Fraction();
  Expr SquareRoot(bool tex);
  Expr Binomial();
  struct Bounds {
    Expr lower;  // null where it is not written
    Expr upper;
  };
  Bounds ReadBounds();
  Expr Unbounded(const std::string& name, const Expr& body, const Bounds& bounds);
  Expr BigOperator(const std::string& name);
  static Expr ImaginaryToSymbol(const Expr& e);
  Expr ProductAfterOperator();
  Expr Integral(const std::string& name);
  static Expr DifferentialOf(const Expr& body);
  static Expr WithoutDifferential(const Expr& body);
  Expr Limit(const std::string& name);
  Expr Blackboard();
  Expr Figure(const std::string& kind);
  // The vector from A to B is not that from B to A, as a product of letters would be.
  static bool IsArrow(std::string_view accent) {
    return accent == "vec" || accent == "overrightarrow" || accent == "overleftarrow";
  }
  static std::string LettersOf(const Expr& e);
  Expr Accent(const std::string& name);

  // --- brackets ---
  Expr Bracket();
  bool CloseRound(std::string* close);
  Items InsideBrackets();
  Expr Round();
  Expr Square();
  Expr Rows(const std::vector<Expr>& items);
  Expr French();
  Expr Braces();
  Expr SetBody();
  Expr Bars(const std::string& bar);
  Expr FloorOrCeil(const std::string& open);

  // --- environments ---
  Expr Environment(const std::string& name_given);
  void ReadCell(std::vector<Expr>* row);
  Expr Cases(const std::vector<std::vector<Expr>>& rows);
  Expr Matrix(const std::vector<std::vector<Expr>>& rows, const std::string& environment);

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

}  // namespace assay::algebra
