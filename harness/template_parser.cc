// Tokens to the syntax tree; what the engine lacks is refused here by name and line.
#include <algorithm>
#include <initializer_list>

#include "harness/status.h"
#include "harness/template_syntax.h"
#include "harness/text.h"

namespace assay::jinja {
namespace {

constexpr int kMaxNesting = 100;  // of brackets and blocks in the source
constexpr int kMaxHeight = 400;   // of an expression's tree: a + b + c is 3 high

constexpr std::string_view kTags[] = {"break", "call",  "continue", "filter", "for", "generation",
                                      "if",    "macro", "print",    "raw",    "set", "with"};
constexpr std::string_view kUnsupportedTags[] = {"autoescape", "block", "debug",  "do",
                                                 "extends",    "from",  "import", "include",
                                                 "pluralize",  "trans"};

// Which special names a body mentions, for the macros and loops around it.
struct Mentions {
  bool loop = false, caller = false, varargs = false, kwargs = false;
};

class Parser {
 public:
  Parser(Program* program, std::vector<Token> tokens)
      : program_(*program), tokens_(std::move(tokens)) {}

  absl::Status Run() {
    ASSIGN_OR_RETURN(program_.body, ParseBody({}));
    return absl::OkStatus();
  }

 private:
  using ExpressionOr = absl::StatusOr<Expression*>;
  using StatementOr = absl::StatusOr<Statement*>;
  using Kind = Expression::Kind;

  // ---- tokens ----

  const Token& Now() const { return tokens_[at_]; }
  const Token& After() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  const Token& Take() {
    const Token& token = tokens_[at_];
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  static bool Is(const Token& token, TokenType type, std::string_view text) {
    return token.type == type && token.text == text;
  }
  bool IsOperator(std::string_view text) const { return Is(Now(), TokenType::kOperator, text); }
  bool IsWord(std::string_view text) const { return Is(Now(), TokenType::kName, text); }
  bool TakeOperator(std::string_view text) { return IsOperator(text) && (Take(), true); }
  bool TakeWord(std::string_view text) { return IsWord(text) && (Take(), true); }

  absl::Status Error(int line, std::string_view what) const {
    return InvalidArgument("%s:%d: %s", program_.name, line, what);
  }
  absl::Status Unexpected(std::string_view wanted) const {
    return Error(Now().line,
                 absl::StrFormat("found '%s', wanted %s", Shorten(Now().text, 40), wanted));
  }
  absl::Status ExpectOperator(std::string_view text) {
    if (TakeOperator(text)) return absl::OkStatus();
    return Unexpected(absl::StrFormat("'%s'", text));
  }
  absl::Status ExpectWord(std::string_view text) {
    if (TakeWord(text)) return absl::OkStatus();
    return Unexpected(absl::StrFormat("'%s'", text));
  }
  absl::Status ExpectBlockEnd() {
    if (Now().type != TokenType::kBlockEnd) return Unexpected("'%}'");
    Take();
    return absl::OkStatus();
  }
  absl::StatusOr<std::string_view> ExpectName(std::string_view what) {
    if (Now().type != TokenType::kName) return Unexpected(what);
    return Take().text;
  }

  // ---- nesting ----

  class Nesting {
   public:
    explicit Nesting(int* depth) : depth_(depth) { ++*depth_; }
    ~Nesting() { --*depth_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    int* depth_;
  };
  absl::Status CheckNesting() const {
    if (nesting_ <= kMaxNesting) return absl::OkStatus();
    return Error(Now().line, absl::StrFormat("nested deeper than %d", kMaxNesting));
  }

  // ---- nodes ----

  Expression* New(Kind kind, int line) {
    Expression& node = program_.expressions.emplace_back();
    node.kind = kind;
    node.line = line;
    return &node;
  }
  Expression* Constant(const Value& value, int line) {
    Expression* node = New(Kind::kConstant, line);
    node->constant = value;
    return node;
  }
  // Adds children, and refuses a tree that evaluation would have to climb too high.
  ExpressionOr With(Expression* node, std::initializer_list<Expression*> children) {
    for (Expression* child : children) RETURN_IF_ERROR(Adopt(node, child));
    return node;
  }
  absl::Status Adopt(Expression* node, Expression* child) {
    node->children.push_back(child);
    return Raise(node, child);
  }
  absl::Status Raise(Expression* node, const Expression* child) {
    if (child != nullptr) node->height = std::max(node->height, child->height + 1);
    if (node->height <= kMaxHeight) return absl::OkStatus();
    return Error(node->line,
                 absl::StrFormat("an expression of more than %d parts in a row", kMaxHeight));
  }
  Statement* NewStatement(Statement::Kind kind, int line) {
    Statement& node = program_.statements.emplace_back();
    node.kind = kind;
    node.line = line;
    return &node;
  }

  // ---- expressions, loosest first ----

  ExpressionOr ParseExpression() {
    const Nesting nesting(&nesting_);
    RETURN_IF_ERROR(CheckNesting());
    ASSIGN_OR_RETURN(Expression * value, ParseOr());
    while (IsWord("if")) {
      const int line = Take().line;
      ASSIGN_OR_RETURN(Expression * condition, ParseOr());
      Expression* otherwise = nullptr;
      if (TakeWord("else")) {
        ASSIGN_OR_RETURN(otherwise, ParseExpression());
      }
      ASSIGN_OR_RETURN(value, With(New(Kind::kConditional, line), {value, condition, otherwise}));
    }
    return value;
  }

  ExpressionOr ParseOr() {
    ASSIGN_OR_RETURN(Expression * left, ParseAnd());
    while (IsWord("or")) {
      const int line = Take().line;
      ASSIGN_OR_RETURN(Expression * right, ParseAnd());
      ASSIGN_OR_RETURN(left, With(New(Kind::kOr, line), {left, right}));
    }
    return left;
  }

  ExpressionOr ParseAnd() {
    ASSIGN_OR_RETURN(Expression * left, ParseNot());
    while (IsWord("and")) {
      const int line = Take().line;
      ASSIGN_OR_RETURN(Expression * right, ParseNot());
      ASSIGN_OR_RETURN(left, With(New(Kind::kAnd, line), {left, right}));
    }
    return left;
  }

  ExpressionOr ParseNot() {
    if (!IsWord("not")) return ParseCompare();
    const Nesting nesting(&nesting_);
    RETURN_IF_ERROR(CheckNesting());
    const int line = Take().line;
    ASSIGN_OR_RETURN(Expression * operand, ParseNot());
    return With(New(Kind::kNot, line), {operand});
  }

  std::optional<Comparator> TakeComparator() {
    static constexpr std::pair<std::string_view, Comparator> kSigns[] = {
        {"==", Comparator::kEqual},  {"!=", Comparator::kUnequal},
        {"<", Comparator::kLess},    {"<=", Comparator::kLessOrEqual},
        {">", Comparator::kGreater}, {">=", Comparator::kGreaterOrEqual},
    };
    for (const auto& [sign, comparator] : kSigns) {
      if (TakeOperator(sign)) return comparator;
    }
    if (TakeWord("in")) return Comparator::kIn;
    if (!IsWord("not") || !Is(After(), TokenType::kName, "in")) return std::nullopt;
    Take();
    Take();
    return Comparator::kNotIn;
  }

  ExpressionOr ParseCompare() {
    ASSIGN_OR_RETURN(Expression * first, ParseSum());
    Expression* node = nullptr;
    for (;;) {
      const int line = Now().line;
      const std::optional<Comparator> comparator = TakeComparator();
      if (!comparator.has_value()) return node != nullptr ? node : first;
      if (node == nullptr) {
        ASSIGN_OR_RETURN(node, With(New(Kind::kCompare, line), {first}));
      }
      ASSIGN_OR_RETURN(Expression * operand, ParseSum());
      node->comparators.push_back(*comparator);
      RETURN_IF_ERROR(Adopt(node, operand));
    }
  }

  struct Sign {
    std::string_view text;
    Operator op;
  };
  // left op right op right..., all of one precedence.
  ExpressionOr ParseLeftToRight(ExpressionOr (Parser::*operand)(),
                                std::initializer_list<Sign> signs) {
    ASSIGN_OR_RETURN(Expression * left, (this->*operand)());
    for (;;) {
      const auto sign = std::find_if(signs.begin(), signs.end(),
                                     [&](const Sign& one) { return IsOperator(one.text); });
      if (sign == signs.end()) return left;
      Expression* node = New(Kind::kArithmetic, Take().line);
      node->op = sign->op;
      ASSIGN_OR_RETURN(Expression * right, (this->*operand)());
      ASSIGN_OR_RETURN(left, With(node, {left, right}));
    }
  }

  ExpressionOr ParseSum() {
    return ParseLeftToRight(&Parser::ParseConcatenation,
                            {{"+", Operator::kAdd}, {"-", Operator::kSubtract}});
  }

  ExpressionOr ParseConcatenation() {
    ASSIGN_OR_RETURN(Expression * first, ParseProduct());
    if (!IsOperator("~")) return first;
    ASSIGN_OR_RETURN(Expression * node, With(New(Kind::kConcatenate, Now().line), {first}));
    while (TakeOperator("~")) {
      ASSIGN_OR_RETURN(Expression * next, ParseProduct());
      RETURN_IF_ERROR(Adopt(node, next));
    }
    return node;
  }

  ExpressionOr ParseProduct() {
    return ParseLeftToRight(&Parser::ParsePower, {{"*", Operator::kMultiply},
                                                  {"/", Operator::kDivide},
                                                  {"//", Operator::kFloorDivide},
                                                  {"%", Operator::kModulo}});
  }

  // Jinja2's ** goes left to right and binds looser than a sign.
  ExpressionOr ParsePower() {
    return ParseLeftToRight(&Parser::ParseFiltered, {{"**", Operator::kPower}});
  }

  ExpressionOr ParseFiltered() {
    ASSIGN_OR_RETURN(Expression * node, ParseUnary());
    return ParseFilters(node);
  }

  ExpressionOr ParseUnary() {
    Expression* node = nullptr;
    if (IsOperator("-") || IsOperator("+")) {
      const Nesting nesting(&nesting_);
      RETURN_IF_ERROR(CheckNesting());
      node = New(IsOperator("-") ? Kind::kNegate : Kind::kPlus, Now().line);
      Take();
      ASSIGN_OR_RETURN(Expression * operand, ParseUnary());
      ASSIGN_OR_RETURN(node, With(node, {operand}));
    } else {
      ASSIGN_OR_RETURN(node, ParsePrimary());
    }
    return ParsePostfix(node);
  }

  ExpressionOr ParsePostfix(Expression* node) {
    for (;;) {
      if (IsOperator(".")) {
        ASSIGN_OR_RETURN(node, ParseAttribute(node));
      } else if (IsOperator("[")) {
        ASSIGN_OR_RETURN(node, ParseSubscript(node));
      } else if (IsOperator("(")) {
        ASSIGN_OR_RETURN(node, ParseCall(node));
      } else {
        return node;
      }
    }
  }

  ExpressionOr ParseFilters(Expression* node) {
    for (;;) {
      if (IsOperator("|")) {
        Take();
        ASSIGN_OR_RETURN(node, ParseFilter(node));
      } else if (IsWord("is")) {
        ASSIGN_OR_RETURN(node, ParseTest(node));
      } else if (IsOperator("(")) {
        ASSIGN_OR_RETURN(node, ParseCall(node));
      } else {
        return node;
      }
    }
  }

  ExpressionOr ParseAttribute(Expression* object) {
    const int line = Take().line;
    const Token& token = Take();
    if (token.type == TokenType::kName) {
      Expression* node = New(Kind::kAttribute, line);
      node->name = token.text;
      return With(node, {object});
    }
    if (token.type != TokenType::kInteger)
      return Error(token.line, "wanted a name or number after '.'");
    return With(New(Kind::kItem, line), {object, Constant(Value::Integer(token.integer), line)});
  }

  ExpressionOr ParseSubscript(Expression* object) {
    const int line = Take().line;
    if (IsOperator(":")) return ParseSlice(object, nullptr, line);
    ASSIGN_OR_RETURN(Expression * index, ParseExpression());
    if (IsOperator(":")) return ParseSlice(object, index, line);
    if (IsOperator(",")) {
      ASSIGN_OR_RETURN(index, With(New(Kind::kTuple, line), {index}));
      while (TakeOperator(",") && !IsOperator("]")) {
        ASSIGN_OR_RETURN(Expression * next, ParseExpression());
        RETURN_IF_ERROR(Adopt(index, next));
      }
    }
    RETURN_IF_ERROR(ExpectOperator("]"));
    return With(New(Kind::kItem, line), {object, index});
  }

  ExpressionOr ParseSlice(Expression* object, Expression* start, int line) {
    Expression* bounds[2] = {nullptr, nullptr};
    for (Expression*& bound : bounds) {
      if (!TakeOperator(":")) break;
      if (!IsOperator(":") && !IsOperator("]")) {
        ASSIGN_OR_RETURN(bound, ParseExpression());
      }
    }
    RETURN_IF_ERROR(ExpectOperator("]"));
    return With(New(Kind::kSlice, line), {object, start, bounds[0], bounds[1]});
  }

  ExpressionOr ParsePrimary() {
    const Token& token = Now();
    switch (token.type) {
      case TokenType::kName:
        return ParseName();
      case TokenType::kString:
        return ParseString();
      case TokenType::kInteger:
        Take();
        return Constant(Value::Integer(token.integer), token.line);
      case TokenType::kReal:
        Take();
        return Constant(Value::Real(token.real), token.line);
      default:
        break;
    }
    if (IsOperator("(")) return ParseParentheses();
    if (IsOperator("[")) return ParseList();
    if (IsOperator("{")) return ParseDict();
    return Unexpected("an expression");
  }

  ExpressionOr ParseName() {
    const Token& token = Take();
    if (token.text == "true" || token.text == "True")
      return Constant(Value::Bool(true), token.line);
    if (token.text == "false" || token.text == "False") {
      return Constant(Value::Bool(false), token.line);
    }
    if (token.text == "none" || token.text == "None") return Constant(Value::None(), token.line);
    Expression* node = New(Kind::kName, token.line);
    node->name = token.text;
    node->symbol = program_.Symbol(token.text);
    mentions_.loop = mentions_.loop || token.text == "loop";
    mentions_.caller = mentions_.caller || token.text == "caller";
    mentions_.varargs = mentions_.varargs || token.text == "varargs";
    mentions_.kwargs = mentions_.kwargs || token.text == "kwargs";
    if (IsOperator("(") && IsUnsupportedFunction(token.text)) {
      return Error(token.line, absl::StrFormat("the function '%s' is not supported", token.text));
    }
    return node;
  }

  // Strings side by side are one.
  ExpressionOr ParseString() {
    const Token& first = Take();
    if (Now().type != TokenType::kString) return Constant(Value::String(first.text), first.line);
    std::string joined(first.text);
    while (Now().type == TokenType::kString) joined += Take().text;
    program_.strings.push_back(std::move(joined));
    return Constant(Value::String(program_.strings.back()), first.line);
  }

  ExpressionOr ParseParentheses() {
    const int line = Take().line;
    if (TakeOperator(")")) return New(Kind::kTuple, line);
    ASSIGN_OR_RETURN(Expression * inner, ParseTuple(&Parser::ParseExpression));
    RETURN_IF_ERROR(ExpectOperator(")"));
    return inner;
  }

  bool AtTupleEnd() const {
    return Now().type == TokenType::kVariableEnd || Now().type == TokenType::kBlockEnd ||
           IsOperator(")");
  }

  // One expression, or several divided by commas.
  ExpressionOr ParseTuple(ExpressionOr (Parser::*part)(), std::string_view end_word = "") {
    const int line = Now().line;
    ASSIGN_OR_RETURN(Expression * first, (this->*part)());
    if (!IsOperator(",")) return first;
    ASSIGN_OR_RETURN(Expression * tuple, With(New(Kind::kTuple, line), {first}));
    while (TakeOperator(",")) {
      if (AtTupleEnd() || (!end_word.empty() && IsWord(end_word))) break;
      ASSIGN_OR_RETURN(Expression * next, (this->*part)());
      RETURN_IF_ERROR(Adopt(tuple, next));
    }
    return tuple;
  }

  ExpressionOr ParseList() {
    Expression* list = New(Kind::kList, Take().line);
    while (!IsOperator("]")) {
      if (!list->children.empty()) RETURN_IF_ERROR(ExpectOperator(","));
      if (IsOperator("]")) break;
      ASSIGN_OR_RETURN(Expression * item, ParseExpression());
      RETURN_IF_ERROR(Adopt(list, item));
    }
    Take();
    return list;
  }

  ExpressionOr ParseDict() {
    Expression* dict = New(Kind::kDict, Take().line);
    while (!IsOperator("}")) {
      if (!dict->children.empty()) RETURN_IF_ERROR(ExpectOperator(","));
      if (IsOperator("}")) break;
      ASSIGN_OR_RETURN(Expression * key, ParseExpression());
      RETURN_IF_ERROR(ExpectOperator(":"));
      ASSIGN_OR_RETURN(Expression * value, ParseExpression());
      RETURN_IF_ERROR(Adopt(dict, key));
      RETURN_IF_ERROR(Adopt(dict, value));
    }
    Take();
    return dict;
  }

  ExpressionOr ParseCall(Expression* callee) {
    ASSIGN_OR_RETURN(Expression * node, With(New(Kind::kCall, Now().line), {callee}));
    RETURN_IF_ERROR(ParseArguments(node));
    return node;
  }

  absl::Status ParseArguments(Expression* node) {
    CallArguments& args = node->arguments;
    const int line = Now().line;
    RETURN_IF_ERROR(ExpectOperator("("));
    while (!IsOperator(")")) {
      const bool first = args.positional.empty() && args.named.empty() && args.star == nullptr &&
                         args.star_star == nullptr;
      if (!first) RETURN_IF_ERROR(ExpectOperator(","));
      if (IsOperator(")")) break;
      RETURN_IF_ERROR(ParseArgument(node, line));
    }
    Take();
    return absl::OkStatus();
  }

  absl::Status ParseArgument(Expression* node, int line) {
    CallArguments& args = node->arguments;
    const absl::Status misplaced = Error(line, "an argument out of order in a call");
    Expression* value = nullptr;
    if (IsOperator("*") || IsOperator("**")) {
      const bool names = Take().text == "**";
      if (args.star_star != nullptr || (!names && args.star != nullptr)) return misplaced;
      ASSIGN_OR_RETURN(value, ParseExpression());
      (names ? args.star_star : args.star) = value;
    } else if (Now().type == TokenType::kName && Is(After(), TokenType::kOperator, "=")) {
      if (args.star_star != nullptr) return misplaced;
      const std::string_view name = Take().text;
      Take();
      for (const auto& [known, ignored] : args.named) {
        if (known == name)
          return Error(line, absl::StrFormat("the argument '%s' is given twice", name));
      }
      ASSIGN_OR_RETURN(value, ParseExpression());
      args.named.emplace_back(name, value);
    } else {
      if (args.star != nullptr || args.star_star != nullptr || !args.named.empty())
        return misplaced;
      ASSIGN_OR_RETURN(value, ParseExpression());
      args.positional.push_back(value);
    }
    return Raise(node, value);
  }

  // a.b.c as filters and tests may be named.
  absl::StatusOr<std::string> ParseDottedName(std::string_view what) {
    ASSIGN_OR_RETURN(const std::string_view first, ExpectName(what));
    std::string name(first);
    while (TakeOperator(".")) {
      ASSIGN_OR_RETURN(const std::string_view next, ExpectName(what));
      name += "." + std::string(next);
    }
    return name;
  }

  // Behind the '|'; `input` is nullptr where a block is filtered.
  ExpressionOr ParseFilter(Expression* input) {
    const int line = Now().line;
    ASSIGN_OR_RETURN(const std::string name, ParseDottedName("a filter's name"));
    ASSIGN_OR_RETURN(Expression * node, With(New(Kind::kFilter, line), {input}));
    node->spec = FindFilter(name);
    if (node->spec == nullptr) return Error(line, std::string(NoSuchFilter(name).message()));
    if (IsOperator("(")) RETURN_IF_ERROR(ParseArguments(node));
    return node;
  }

  ExpressionOr ParseTest(Expression* input) {
    const int line = Take().line;
    const bool negated = TakeWord("not");
    ASSIGN_OR_RETURN(const std::string name, ParseDottedName("a test's name"));
    ASSIGN_OR_RETURN(Expression * node, With(New(Kind::kTest, line), {input}));
    node->spec = FindTest(name);
    if (node->spec == nullptr) return Error(line, std::string(NoSuchTest(name).message()));
    if (IsOperator("(")) {
      RETURN_IF_ERROR(ParseArguments(node));
    } else if (StartsTestArgument()) {
      if (IsWord("is")) return Error(Now().line, "tests cannot be chained with 'is'");
      ASSIGN_OR_RETURN(Expression * argument, ParsePrimary());
      ASSIGN_OR_RETURN(argument, ParsePostfix(argument));
      node->arguments.positional.push_back(argument);
      RETURN_IF_ERROR(Raise(node, argument));
    }
    if (!negated) return node;
    return With(New(Kind::kNot, line), {node});
  }

  bool StartsTestArgument() const {
    switch (Now().type) {
      case TokenType::kName:
        return !IsWord("else") && !IsWord("or") && !IsWord("and");
      case TokenType::kString:
      case TokenType::kInteger:
      case TokenType::kReal:
        return true;
      default:
        return IsOperator("[") || IsOperator("{");
    }
  }

  // ---- statements ----

  // Until one of the words in `ends` opens a tag; that word is then Now(). None: to the end.
  absl::StatusOr<Body> ParseBody(std::initializer_list<std::string_view> ends) {
    const Nesting nesting(&nesting_);
    RETURN_IF_ERROR(CheckNesting());
    Body body;
    for (;;) {
      const Token& token = Take();
      if (token.type == TokenType::kText) {
        body.push_back(NewStatement(Statement::Kind::kText, token.line));
        body.back()->text = token.text;
      } else if (token.type == TokenType::kVariableBegin) {
        RETURN_IF_ERROR(ParseOutput(&body));
      } else if (token.type == TokenType::kBlockBegin) {
        if (std::any_of(ends.begin(), ends.end(), [&](auto end) { return IsWord(end); }))
          return body;
        ASSIGN_OR_RETURN(Statement * statement, ParseStatement(ends));
        if (statement != nullptr) body.push_back(statement);
        RETURN_IF_ERROR(ExpectBlockEnd());
      } else {
        if (ends.size() == 0) return body;
        return Error(token.line,
                     absl::StrFormat("the template ends within a block, wanted {%% %s %%}",
                                     *(ends.end() - 1)));
      }
    }
  }

  absl::Status ParseOutput(Body* body) {
    body->push_back(NewStatement(Statement::Kind::kOutput, Now().line));
    ASSIGN_OR_RETURN(body->back()->expression, ParseTuple(&Parser::ParseExpression));
    if (Now().type != TokenType::kVariableEnd) return Unexpected("'}}'");
    Take();
    return absl::OkStatus();
  }

  // The body of a block up to {% end %}, of which only the "%}" is left.
  absl::StatusOr<Body> ParseBlock(std::string_view end) {
    TakeOperator(":");
    RETURN_IF_ERROR(ExpectBlockEnd());
    ASSIGN_OR_RETURN(Body body, ParseBody({end}));
    Take();
    return body;
  }

  StatementOr ParseStatement(std::initializer_list<std::string_view> ends) {
    const Token& tag = Now();
    if (tag.type != TokenType::kName) return Unexpected("a tag's name");
    if (tag.text == "if") return ParseIf();
    if (tag.text == "for") return ParseFor();
    if (tag.text == "set") return ParseSet();
    if (tag.text == "macro") return ParseMacro();
    if (tag.text == "call") return ParseCallBlock();
    if (tag.text == "filter") return ParseFilterBlock();
    if (tag.text == "with") return ParseWith();
    if (tag.text == "print") return ParsePrint();
    if (tag.text == "generation") return ParseGeneration();
    if (tag.text == "break" || tag.text == "continue") {
      Take();
      if (loops_ == 0) return Error(tag.line, absl::StrFormat("'%s' outside a loop", tag.text));
      return NewStatement(
          tag.text == "break" ? Statement::Kind::kBreak : Statement::Kind::kContinue, tag.line);
    }
    return UnknownTag(tag, ends);
  }

  absl::Status UnknownTag(const Token& tag, std::initializer_list<std::string_view> ends) const {
    for (const std::string_view known : kUnsupportedTags) {
      if (tag.text == known) {
        return Error(tag.line, absl::StrFormat("the tag '%s' is not supported", tag.text));
      }
    }
    std::vector<std::string> names(std::begin(kTags), std::end(kTags));
    for (const std::string_view end : ends) names.emplace_back(end);
    const std::string inside =
        ends.size() == 0 ? ""
                         : absl::StrFormat(" (within a block that wants '%s')", *(ends.end() - 1));
    return Error(tag.line, absl::StrFormat("unknown tag '%s'%s%s", tag.text, inside,
                                           DidYouMean(tag.text, names)));
  }

  StatementOr ParseIf() {
    Statement* node = NewStatement(Statement::Kind::kIf, Take().line);
    for (bool more = true; more;) {
      Statement::Branch branch;
      ASSIGN_OR_RETURN(branch.condition, ParseTuple(&Parser::ParseOr));
      TakeOperator(":");
      RETURN_IF_ERROR(ExpectBlockEnd());
      ASSIGN_OR_RETURN(branch.body, ParseBody({"elif", "else", "endif"}));
      node->branches.push_back(std::move(branch));
      const std::string_view word = Take().text;
      more = word == "elif";
      if (word == "else") {
        ASSIGN_OR_RETURN(Body body, ParseBlock("endif"));
        node->branches.push_back({nullptr, std::move(body)});
      }
    }
    return node;
  }

  StatementOr ParseFor() {
    Statement* node = NewStatement(Statement::Kind::kFor, Take().line);
    ASSIGN_OR_RETURN(node->target.names, ParseTarget("in"));
    RETURN_IF_ERROR(ExpectWord("in"));
    ASSIGN_OR_RETURN(node->expression, ParseTuple(&Parser::ParseOr, "recursive"));
    if (TakeWord("if")) {
      ASSIGN_OR_RETURN(node->condition, ParseExpression());
    }
    node->recursive = TakeWord("recursive");
    TakeOperator(":");
    RETURN_IF_ERROR(ExpectBlockEnd());
    ++loops_;
    const bool outer = std::exchange(mentions_.loop, false);
    ASSIGN_OR_RETURN(node->body, ParseBody({"else", "endfor"}));
    node->uses_loop = mentions_.loop;
    mentions_.loop = outer;
    --loops_;
    if (Take().text == "else") {
      ASSIGN_OR_RETURN(node->else_body, ParseBlock("endfor"));
    }
    return node;
  }

  // Names to assign to: one, or a tuple of them, also nested.
  ExpressionOr ParseTarget(std::string_view end_word) {
    const Mentions before = mentions_;
    ASSIGN_OR_RETURN(Expression * target, ParseTuple(&Parser::ParsePrimary, end_word));
    mentions_ = before;
    RETURN_IF_ERROR(CheckTarget(*target));
    return target;
  }

  absl::Status CheckTarget(const Expression& target) const {
    if (target.kind == Kind::kName) return absl::OkStatus();
    if (target.kind != Kind::kTuple) return Error(target.line, "only names can be assigned to");
    for (const Expression* part : target.children) RETURN_IF_ERROR(CheckTarget(*part));
    return absl::OkStatus();
  }

  StatementOr ParseSet() {
    Statement* node = NewStatement(Statement::Kind::kSet, Take().line);
    if (Now().type == TokenType::kName && Is(After(), TokenType::kOperator, ".")) {
      node->target.space = program_.Symbol(Take().text);
      Take();
      ASSIGN_OR_RETURN(node->target.attribute, ExpectName("an attribute's name"));
    } else {
      ASSIGN_OR_RETURN(node->target.names, ParseTarget(""));
    }
    if (TakeOperator("=")) {
      ASSIGN_OR_RETURN(node->expression, ParseTuple(&Parser::ParseExpression));
      return node;
    }
    node->kind = Statement::Kind::kSetBlock;
    node->expression = New(Kind::kCaptured, node->line);
    while (TakeOperator("|")) {
      ASSIGN_OR_RETURN(node->expression, ParseFilter(node->expression));
    }
    ASSIGN_OR_RETURN(node->body, ParseBlock("endset"));
    return node;
  }

  StatementOr ParseFilterBlock() {
    Statement* node = NewStatement(Statement::Kind::kFilterBlock, Take().line);
    node->expression = New(Kind::kCaptured, node->line);
    do {
      ASSIGN_OR_RETURN(node->expression, ParseFilter(node->expression));
    } while (TakeOperator("|"));
    ASSIGN_OR_RETURN(node->body, ParseBlock("endfilter"));
    return node;
  }

  absl::Status ParseParameters(Statement* node) {
    RETURN_IF_ERROR(ExpectOperator("("));
    while (!IsOperator(")")) {
      if (!node->parameters.empty()) RETURN_IF_ERROR(ExpectOperator(","));
      Parameter parameter;
      ASSIGN_OR_RETURN(parameter.name, ExpectName("a parameter's name"));
      parameter.symbol = program_.Symbol(parameter.name);
      for (const Parameter& known : node->parameters) {
        if (known.symbol == parameter.symbol) {
          return Error(node->line,
                       absl::StrFormat("the parameter '%s' stands twice", parameter.name));
        }
      }
      if (TakeOperator("=")) {
        ASSIGN_OR_RETURN(parameter.standard, ParseExpression());
      } else if (!node->parameters.empty() && node->parameters.back().standard != nullptr) {
        return Error(Now().line, "a parameter without a default follows one with a default");
      }
      node->parameters.push_back(parameter);
    }
    Take();
    return absl::OkStatus();
  }

  // The body of a macro or a caller: break and continue do not reach out of it.
  absl::Status ParseMacroBody(Statement* node, std::string_view end) {
    const Mentions outer = std::exchange(mentions_, {});
    const int loops = std::exchange(loops_, 0);
    ASSIGN_OR_RETURN(node->body, ParseBlock(end));
    node->uses_caller = mentions_.caller;
    node->uses_varargs = mentions_.varargs;
    node->uses_kwargs = mentions_.kwargs;
    mentions_ = {outer.loop || mentions_.loop, outer.caller || mentions_.caller,
                 outer.varargs || mentions_.varargs, outer.kwargs || mentions_.kwargs};
    loops_ = loops;
    return absl::OkStatus();
  }

  StatementOr ParseMacro() {
    Statement* node = NewStatement(Statement::Kind::kMacro, Take().line);
    ASSIGN_OR_RETURN(node->name, ExpectName("a macro's name"));
    node->symbol = program_.Symbol(node->name);
    RETURN_IF_ERROR(ParseParameters(node));
    RETURN_IF_ERROR(ParseMacroBody(node, "endmacro"));
    return node;
  }

  StatementOr ParseCallBlock() {
    Statement* node = NewStatement(Statement::Kind::kCallBlock, Take().line);
    node->name = "caller";
    if (IsOperator("(")) RETURN_IF_ERROR(ParseParameters(node));
    ASSIGN_OR_RETURN(node->expression, ParseExpression());
    if (node->expression->kind != Kind::kCall) return Error(node->line, "'call' wants a call");
    RETURN_IF_ERROR(ParseMacroBody(node, "endcall"));
    return node;
  }

  StatementOr ParseWith() {
    Statement* node = NewStatement(Statement::Kind::kWith, Take().line);
    while (Now().type != TokenType::kBlockEnd && !IsOperator(":")) {
      if (!node->targets.empty()) RETURN_IF_ERROR(ExpectOperator(","));
      Statement::Target target;
      ASSIGN_OR_RETURN(target.names, ParsePrimary());
      RETURN_IF_ERROR(CheckTarget(*target.names));
      RETURN_IF_ERROR(ExpectOperator("="));
      node->targets.push_back(target);
      ASSIGN_OR_RETURN(node->values.emplace_back(), ParseExpression());
    }
    ASSIGN_OR_RETURN(node->body, ParseBlock("endwith"));
    return node;
  }

  // {% print a, b %}: as many outputs.
  StatementOr ParsePrint() {
    Statement* node = NewStatement(Statement::Kind::kScope, Take().line);
    while (Now().type != TokenType::kBlockEnd) {
      if (!node->body.empty()) RETURN_IF_ERROR(ExpectOperator(","));
      node->body.push_back(NewStatement(Statement::Kind::kOutput, Now().line));
      ASSIGN_OR_RETURN(node->body.back()->expression, ParseExpression());
    }
    return node;
  }

  // Hugging Face's own tag: marks what the assistant writes, and writes its body as it is.
  StatementOr ParseGeneration() {
    Statement* node = NewStatement(Statement::Kind::kScope, Take().line);
    const int loops = std::exchange(loops_, 0);
    ASSIGN_OR_RETURN(node->body, ParseBlock("endgeneration"));
    loops_ = loops;
    return node;
  }

  Program& program_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  int nesting_ = 0;
  int loops_ = 0;  // around here, within this macro
  Mentions mentions_;
};

}  // namespace

int Program::Symbol(std::string_view symbol_name) {
  const auto found = symbols.find(symbol_name);
  if (found != symbols.end()) return found->second;
  const int symbol = static_cast<int>(symbol_names.size());
  const auto added = symbols.emplace(std::string(symbol_name), symbol).first;
  symbol_names.push_back(added->first);
  return symbol;
}

absl::Status Parse(std::string_view source, Program* program) {
  for (const std::string_view special : {"loop", "caller", "varargs", "kwargs"}) {
    program->Symbol(special);
  }
  ASSIGN_OR_RETURN(std::vector<Token> tokens, Tokenize(source, program));
  return Parser(program, std::move(tokens)).Run();
}

}  // namespace assay::jinja
