// Inside the template engine: tokens, the syntax tree, and the calls that make them.
//
// A Program is immutable once parsed and shared by threads. Its nodes lie in deques, so that
// dropping a deep tree takes no deep recursion; nodes point at each other plainly.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/template_builtins.h"
#include "harness/template_value.h"

namespace assay::jinja {

enum class TokenType : uint8_t {
  kText,  // outside tags
  kVariableBegin,
  kVariableEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kString,
  kInteger,
  kReal,
  kOperator,
  kEnd,
};

struct Token {
  TokenType type = TokenType::kEnd;
  int line = 0;
  std::string_view text;  // of a string: unescaped
  int64_t integer = 0;
  double real = 0;
};

struct Expression;

struct CallArguments {
  std::vector<Expression*> positional;
  std::vector<std::pair<std::string_view, Expression*>> named;
  Expression* star = nullptr;       // *rest
  Expression* star_star = nullptr;  // **rest
};

enum class Comparator : uint8_t {
  kEqual,
  kUnequal,
  kLess,
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual,
  kIn,
  kNotIn
};

struct Expression {
  enum class Kind : uint8_t {
    kConstant,
    kName,
    kTuple,
    kList,
    kDict,       // children: key, value, key, value...
    kAttribute,  // children[0].name
    kItem,       // children[0][children[1]]
    kSlice,      // children[0][1:2:3], a nullptr where left out
    kCall,       // children[0](arguments)
    kFilter,     // children[0]|spec(arguments)
    kTest,       // children[0] is spec(arguments)
    kCaptured,   // the text of the block that a filter or set block wraps
    kNot,
    kNegate,
    kPlus,
    kArithmetic,
    kConcatenate,  // children ~ children...
    kCompare,      // children[0] comparators[0] children[1] comparators[1] ...
    kAnd,
    kOr,
    kConditional,  // children[0] if children[1] else children[2]; that may be nullptr
  };
  Kind kind = Kind::kConstant;
  Operator op = Operator::kAdd;
  int line = 0;
  int height = 1;   // of the tree below
  int symbol = -1;  // of a kName
  Value constant;
  std::string_view name;
  std::vector<Expression*> children;
  std::vector<Comparator> comparators;
  const FunctionSpec* spec = nullptr;
  CallArguments arguments;
};

struct Statement;
using Body = std::vector<Statement*>;

struct Parameter {
  int symbol = -1;
  std::string_view name;
  Expression* standard = nullptr;
};

struct Statement {
  enum class Kind : uint8_t {
    kText,
    kOutput,       // expression
    kIf,           // branches
    kFor,          // target in expression if condition; bodies: loop, else
    kSet,          // target = expression
    kSetBlock,     // target = expression over what the body writes
    kFilterBlock,  // expression over what the body writes
    kMacro,
    kCallBlock,  // expression is the call; parameters and body are the caller's
    kWith,       // assignments; body
    kScope,      // body with names of its own
    kBreak,
    kContinue,
  };
  struct Branch {
    Expression* condition = nullptr;  // none: else
    Body body;
  };
  struct Target {
    // Names to bind: a name, or a tuple of targets; or space.attribute of a namespace.
    Expression* names = nullptr;
    int space = -1;
    std::string_view attribute;
  };

  Kind kind = Kind::kText;
  int line = 0;
  std::string_view text;
  Expression* expression = nullptr;
  Expression* condition = nullptr;
  Target target;
  std::vector<Target> targets;      // of kWith
  std::vector<Expression*> values;  // of kWith
  std::vector<Branch> branches;     // of kIf
  Body body;
  Body else_body;
  bool recursive = false;
  // Which special names the body mentions.
  bool uses_loop = false, uses_caller = false, uses_varargs = false, uses_kwargs = false;
  int symbol = -1;  // of a macro's name
  std::string_view name;
  std::vector<Parameter> parameters;
};

// The first symbols of every program.
inline constexpr int kLoopSymbol = 0;
inline constexpr int kCallerSymbol = 1;
inline constexpr int kVarargsSymbol = 2;
inline constexpr int kKwargsSymbol = 3;

struct Program {
  std::string name;
  std::string source;  // newlines normalised
  std::deque<std::string> strings;
  std::deque<Expression> expressions;
  std::deque<Statement> statements;
  std::map<std::string, int, std::less<>> symbols;
  std::vector<std::string_view> symbol_names;  // views of the keys of `symbols`
  Body body;

  int Symbol(std::string_view name);
};

// The tokens of program.source, which this first normalises; a kEnd closes them. Errors say
// "NAME:LINE: ...".
absl::StatusOr<std::vector<Token>> Tokenize(std::string_view source, Program* program);
absl::Status Parse(std::string_view source, Program* program);
// See Template::NamesRead and MembersRead.
std::vector<std::string> NamesRead(const Program& program);
std::vector<std::string> MembersRead(const Program& program, std::string_view name);
// How a template writes the way to a value: "question", "row.question", "target.spans.0"; what a
// filter takes for what it gives. Empty: it is calculated.
std::string PathText(const Expression& node);
// The last step of such a way: "x" of row.x and of row['x']. Empty: it is none, or not by name.
std::string_view MemberName(const Expression& node);
// `x is defined`, `x | default(y)`: the template knows that x may be absent.
bool AllowsAbsence(const Expression& node);

}  // namespace assay::jinja
