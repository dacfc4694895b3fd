// Renders a parsed template: walks the syntax tree with a chain of frames that hold its names.
#include "harness/template.h"

#include <algorithm>

#include "harness/status.h"
#include "harness/template_builtins.h"
#include "harness/template_syntax.h"
#include "harness/template_value.h"
#include "harness/text.h"

namespace assay {
namespace jinja {

// Names and their values within one scope. Lies in the arena; loops reuse theirs.
struct Frame {
  struct Binding {
    int symbol;
    Value value;
  };
  Frame* parent = nullptr;
  Binding* bindings = nullptr;
  size_t size = 0, capacity = 0;
};

// A macro, or the body of a call block, with the names around it.
struct MacroObject {
  const Statement* statement;
  Frame* closure;
};

struct LoopState {
  const Statement* statement;
  Frame* outer;
  std::span<const Value> items;
  size_t index0 = 0;
  int64_t depth0 = 0;
  bool changed_before = false;
  std::span<const Value> last_changed;
};

namespace {

using ValueOr = absl::StatusOr<Value>;

ValueOr Cycle(Runtime&, const Value& loop, const Bound& args) {
  const auto& values = args.all->positional;
  if (values.empty()) return InvalidArgument("no items for cycling given");
  return values[loop.loop->index0 % values.size()];
}

ValueOr Changed(Runtime& runtime, const Value& loop, const Bound& args) {
  LoopState& state = *loop.loop;
  const Value now = runtime.NewTuple(args.all->positional);
  bool same = false;
  if (state.changed_before) {
    ASSIGN_OR_RETURN(same, Equal(runtime, now, Value::Tuple(state.last_changed)));
  }
  state.changed_before = true;
  state.last_changed = {now.items, now.size};
  return Value::Bool(!same);
}

constexpr FunctionSpec kCycle = {"cycle", "*", 0, Cycle};
constexpr FunctionSpec kChanged = {"changed", "*", 0, Changed};

class Interpreter {
 public:
  Interpreter(const Program& program, const Json& context, const TemplateLimits& limits,
              std::vector<std::string>* blank)
      : program_(program),
        context_(context),
        runtime_(limits),
        blank_(blank),
        globals_(program.symbol_names.size()) {}

  absl::StatusOr<std::string> Run() {
    std::string out;
    out_ = &out;
    Frame* root = NewFrame(nullptr);
    const absl::Status status = ExecuteBody(program_.body, root);
    if (status.ok()) return out;
    return absl::Status(status.code(), absl::StrFormat("%s:%d: %s", program_.name, line_,
                                                       std::string(status.message())));
  }

 private:
  // ---- names ----

  Frame* NewFrame(Frame* parent) { return runtime_.arena().New(Frame{parent}); }

  void Bind(Frame* frame, int symbol, const Value& value) {
    for (size_t i = 0; i < frame->size; ++i) {
      if (frame->bindings[i].symbol != symbol) continue;
      frame->bindings[i].value = value;
      return;
    }
    if (frame->size == frame->capacity) {
      const size_t capacity = std::max<size_t>(4, frame->capacity * 2);
      auto* grown = runtime_.arena().NewArray<Frame::Binding>(capacity);
      std::copy_n(frame->bindings, frame->size, grown);
      frame->bindings = grown;
      frame->capacity = capacity;
    }
    frame->bindings[frame->size++] = {symbol, value};
  }

  const Value& Lookup(const Frame* frame, int symbol) {
    for (; frame != nullptr; frame = frame->parent) {
      for (size_t i = 0; i < frame->size; ++i) {
        if (frame->bindings[i].symbol == symbol) return frame->bindings[i].value;
      }
    }
    std::optional<Value>& global = globals_[static_cast<size_t>(symbol)];
    if (!global.has_value()) global = Global(program_.symbol_names[static_cast<size_t>(symbol)]);
    return *global;
  }

  // The context comes before the built-in functions.
  Value Global(std::string_view name) const {
    if (const Json* found = context_.Find(name)) return Value::FromJson(*found);
    if (const FunctionSpec* spec = FindFunction(name)) {
      Value function = Value::Make(Kind::kFunction);
      function.function = spec;
      return function;
    }
    return Value::Undefined(name);
  }

  // ---- limits and places ----

  class Deeper {
   public:
    explicit Deeper(int* depth) : depth_(depth) { ++*depth_; }
    ~Deeper() { --*depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;

   private:
    int* depth_;
  };

  absl::Status Step(int line) {
    line_ = line;
    if (depth_ > runtime_.limits().max_depth) {
      return ResourceExhausted("evaluation is nested deeper than %d", runtime_.limits().max_depth);
    }
    return runtime_.Charge(1);
  }

  absl::Status Write(std::string_view text) {
    *out_ += text;
    return runtime_.CheckOutput(out_->size());
  }

  // What `write` writes, as a string in the arena.
  template <typename WriteAll>
  ValueOr Capture(WriteAll write) {
    std::string captured;
    std::string* outer = std::exchange(out_, &captured);
    const absl::Status status = write();
    out_ = outer;
    RETURN_IF_ERROR(status);
    RETURN_IF_ERROR(runtime_.Reserve(captured.size()));
    RETURN_IF_ERROR(runtime_.ChargeBytes(captured.size()));
    return runtime_.NewString(captured);
  }

  // ---- statements ----

  enum class Flow : uint8_t { kOn, kBreak, kContinue };

  absl::Status ExecuteBody(const Body& body, Frame* frame) {
    for (const Statement* statement : body) {
      RETURN_IF_ERROR(Execute(*statement, frame));
      if (flow_ != Flow::kOn) break;
    }
    return absl::OkStatus();
  }

  absl::Status Execute(const Statement& node, Frame* frame) {
    if (node.kind == Statement::Kind::kText) {
      RETURN_IF_ERROR(Step(node.line));
      return Write(node.text);
    }
    const Deeper deeper(&depth_);
    RETURN_IF_ERROR(Step(node.line));
    switch (node.kind) {
      case Statement::Kind::kText:
        break;
      case Statement::Kind::kOutput:
        return ExecuteOutput(node, frame);
      case Statement::Kind::kIf:
        return ExecuteIf(node, frame);
      case Statement::Kind::kFor:
        return ExecuteFor(node, frame);
      case Statement::Kind::kSet:
        return ExecuteSet(node, frame);
      case Statement::Kind::kSetBlock:
        return ExecuteSetBlock(node, frame);
      case Statement::Kind::kFilterBlock:
        return ExecuteFilterBlock(node, frame);
      case Statement::Kind::kMacro:
        Bind(frame, node.symbol, MacroValue(node, frame));
        break;
      case Statement::Kind::kCallBlock:
        return ExecuteCallBlock(node, frame);
      case Statement::Kind::kWith:
        return ExecuteWith(node, frame);
      case Statement::Kind::kScope:
        return ExecuteBody(node.body, NewFrame(frame));
      case Statement::Kind::kBreak:
        flow_ = Flow::kBreak;
        break;
      case Statement::Kind::kContinue:
        flow_ = Flow::kContinue;
        break;
    }
    return absl::OkStatus();
  }

  // What `from` gave is written as text, or changed into text.
  absl::Status CheckHole(const Value& value, const Expression& from, Frame* frame) {
    if (runtime_.limits().write_holes) return absl::OkStatus();
    if (value.is(Kind::kNone)) {
      const std::string path = PathText(from);
      const std::string what = path.empty() ? "a null" : "'" + path + "' is null, and it";
      return InvalidArgument(
          "%s would be written as the word None: give it a text, or ask for one (`{%% if %s %%}`, "
          "`| default('', true)`)",
          what, path.empty() ? "..." : path);
    }
    if (!value.is_undefined() || IsLeftOutElse(value)) return absl::OkStatus();
    const std::string path = PathText(from);
    if (path.empty()) return UndefinedError(value);
    return InvalidArgument("'%s' is undefined%s", path, NearestMember(from, frame));
  }

  // What becomes a piece of another text: `'%s' % x`, `'%s' | format(x)`, `'{}'.format(x)`.
  absl::Status CheckPieces(const std::vector<Expression*>& pieces, const Value* values,
                           Frame* frame) {
    for (size_t i = 0; i < pieces.size(); ++i) {
      RETURN_IF_ERROR(CheckHole(values[i], *pieces[i], frame));
    }
    return absl::OkStatus();
  }

  // `x if y` writes nothing where y does not hold: that is what it says.
  static bool IsLeftOutElse(const Value& value) { return value.view_text() == kLeftOutElse; }

  // "; did you mean 'x'?", where an object that was asked for a member has one like it.
  std::string NearestMember(const Expression& node, Frame* frame) {
    if (node.kind == Expression::Kind::kFilter) return NearestMember(*node.children[0], frame);
    const std::string_view name = MemberName(node);
    if (name.empty()) return "";
    const ValueOr object = Evaluate(*node.children[0], frame);
    if (!object.ok() || !object->is(Kind::kDict)) return "";
    std::vector<std::string> known;
    for (const Entry& entry : DictEntries(*object)) {
      if (entry.key.is_string()) known.emplace_back(entry.key.view_text());
    }
    return DidYouMean(name, known);
  }

  absl::Status WriteValue(const Value& value, const Expression& from, Frame* frame) {
    RETURN_IF_ERROR(CheckHole(value, from, frame));
    RETURN_IF_ERROR(AppendText(runtime_, value, out_));
    return runtime_.CheckOutput(out_->size());
  }

  absl::Status ExecuteOutput(const Statement& node, Frame* frame) {
    ASSIGN_OR_RETURN(const Value value, Evaluate(*node.expression, frame));
    line_ = node.line;
    if (blank_ != nullptr && value.is_string() && Trim(value.view_text()).empty() &&
        !AllowsAbsence(*node.expression)) {
      std::string path = PathText(*node.expression);
      if (!path.empty()) blank_->push_back(std::move(path));
    }
    return WriteValue(value, *node.expression, frame);
  }

  absl::Status ExecuteIf(const Statement& node, Frame* frame) {
    for (const Statement::Branch& branch : node.branches) {
      if (branch.condition != nullptr) {
        ASSIGN_OR_RETURN(const Value value, Evaluate(*branch.condition, frame));
        if (!Truth(value)) continue;
      }
      return ExecuteBody(branch.body, frame);
    }
    return absl::OkStatus();
  }

  absl::Status ExecuteFor(const Statement& node, Frame* frame) {
    ASSIGN_OR_RETURN(const Value iterable, Evaluate(*node.expression, frame));
    line_ = node.line;
    return ExecuteLoop(node, frame, iterable, 0);
  }

  absl::Status ExecuteLoop(const Statement& node, Frame* outer, const Value& iterable,
                           int64_t depth0) {
    ASSIGN_OR_RETURN(std::span<const Value> items, Items(runtime_, iterable));
    Frame* frame = NewFrame(outer);
    // Where the body asks for loop.last or the like, the filter must have run to the end before.
    const bool filter_first = node.condition != nullptr && node.uses_loop;
    if (filter_first) {
      ASSIGN_OR_RETURN(items, Chosen(node, items, frame));
    }
    Value loop = Value::Make(Kind::kLoop);
    if (node.uses_loop) {
      loop.loop = runtime_.arena().New(LoopState{&node, outer, items, 0, depth0});
    }
    bool entered = false;
    for (size_t i = 0; i < items.size() && flow_ != Flow::kBreak; ++i) {
      frame->size = 0;  // each round begins without the names that the last one set
      RETURN_IF_ERROR(Step(node.line));
      RETURN_IF_ERROR(Assign(*node.target.names, items[i], frame));
      if (node.condition != nullptr && !filter_first) {
        ASSIGN_OR_RETURN(const Value chosen, Evaluate(*node.condition, frame));
        if (!Truth(chosen)) continue;
      }
      if (node.uses_loop) {
        loop.loop->index0 = i;
        Bind(frame, kLoopSymbol, loop);
      }
      entered = true;
      RETURN_IF_ERROR(ExecuteBody(node.body, frame));
      if (flow_ == Flow::kContinue) flow_ = Flow::kOn;
    }
    flow_ = Flow::kOn;
    if (entered || node.else_body.empty()) return absl::OkStatus();
    return ExecuteBody(node.else_body, NewFrame(outer));
  }

  absl::StatusOr<std::span<const Value>> Chosen(const Statement& node, std::span<const Value> items,
                                                Frame* frame) {
    std::vector<Value> chosen;
    for (const Value& item : items) {
      frame->size = 0;
      RETURN_IF_ERROR(Step(node.line));
      RETURN_IF_ERROR(Assign(*node.target.names, item, frame));
      ASSIGN_OR_RETURN(const Value keep, Evaluate(*node.condition, frame));
      if (Truth(keep)) chosen.push_back(Repacked(*node.target.names, frame));
    }
    const Value list = runtime_.NewList(chosen);
    return std::span<const Value>(list.items, list.size);
  }

  // Jinja2's filter hands on the names it unpacked, as a tuple.
  Value Repacked(const Expression& target, Frame* frame) {
    if (target.kind == Expression::Kind::kName) return Lookup(frame, target.symbol);
    std::vector<Value> parts;
    for (const Expression* child : target.children) {
      parts.push_back(Repacked(*child, frame));
    }
    return runtime_.NewTuple(parts);
  }

  absl::Status Assign(const Expression& target, const Value& value, Frame* frame) {
    if (target.kind == Expression::Kind::kName) {
      Bind(frame, target.symbol, value);
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(const std::span<const Value> parts, Items(runtime_, value));
    if (parts.size() != target.children.size()) {
      return InvalidArgument("%d values to unpack into %d names", parts.size(),
                             target.children.size());
    }
    for (size_t i = 0; i < parts.size(); ++i) {
      RETURN_IF_ERROR(Assign(*target.children[i], parts[i], frame));
    }
    return absl::OkStatus();
  }

  absl::Status AssignTarget(const Statement::Target& target, const Value& value, Frame* frame) {
    if (target.space < 0) return Assign(*target.names, value, frame);
    const Value& space = Lookup(frame, target.space);
    if (space.is_undefined()) return UndefinedError(space);
    if (!space.is(Kind::kNamespace)) {
      return InvalidArgument("cannot assign the attribute '%s' of '%s', only of a namespace",
                             target.attribute, TypeName(space));
    }
    NamespaceSet(runtime_, space.space, target.attribute, value);
    return absl::OkStatus();
  }

  absl::Status ExecuteSet(const Statement& node, Frame* frame) {
    ASSIGN_OR_RETURN(const Value value, Evaluate(*node.expression, frame));
    line_ = node.line;
    return AssignTarget(node.target, value, frame);
  }

  // What the body writes, through the filters around it.
  ValueOr FilteredBody(const Statement& node, Frame* frame) {
    ASSIGN_OR_RETURN(const Value text,
                     Capture([&] { return ExecuteBody(node.body, NewFrame(frame)); }));
    if (flow_ != Flow::kOn) return text;
    captured_ = text;
    return Evaluate(*node.expression, frame);
  }

  absl::Status ExecuteSetBlock(const Statement& node, Frame* frame) {
    ASSIGN_OR_RETURN(const Value value, FilteredBody(node, frame));
    if (flow_ != Flow::kOn) return absl::OkStatus();
    return AssignTarget(node.target, value, frame);
  }

  absl::Status ExecuteFilterBlock(const Statement& node, Frame* frame) {
    ASSIGN_OR_RETURN(const Value value, FilteredBody(node, frame));
    if (flow_ != Flow::kOn) return absl::OkStatus();
    if (!value.is_string()) {
      return InvalidArgument("a filter block must give str, not %s", TypeName(value));
    }
    return WriteValue(value, *node.expression, frame);
  }

  absl::Status ExecuteCallBlock(const Statement& node, Frame* frame) {
    const Expression& call = *node.expression;
    ASSIGN_OR_RETURN(const Value callee, Evaluate(*call.children[0], frame));
    Arguments args;
    RETURN_IF_ERROR(EvaluateArguments(call.arguments, frame, &args));
    args.named.emplace_back("caller", MacroValue(node, frame));
    line_ = node.line;
    ASSIGN_OR_RETURN(const Value value, CallValue(callee, args));
    return WriteValue(value, call, frame);
  }

  absl::Status ExecuteWith(const Statement& node, Frame* frame) {
    Frame* inner = NewFrame(frame);
    for (size_t i = 0; i < node.targets.size(); ++i) {
      ASSIGN_OR_RETURN(const Value value, Evaluate(*node.values[i], frame));
      RETURN_IF_ERROR(AssignTarget(node.targets[i], value, inner));
    }
    return ExecuteBody(node.body, inner);
  }

  Value MacroValue(const Statement& node, Frame* frame) {
    Value macro = Value::Make(Kind::kMacro);
    macro.macro = runtime_.arena().New(MacroObject{&node, frame});
    return macro;
  }

  // ---- calls ----

  absl::Status EvaluateArguments(const CallArguments& given, Frame* frame, Arguments* args) {
    for (const Expression* expression : given.positional) {
      ASSIGN_OR_RETURN(args->positional.emplace_back(), Evaluate(*expression, frame));
    }
    for (const auto& [name, expression] : given.named) {
      ASSIGN_OR_RETURN(const Value value, Evaluate(*expression, frame));
      args->named.emplace_back(name, value);
    }
    if (given.star != nullptr) {
      ASSIGN_OR_RETURN(const Value rest, Evaluate(*given.star, frame));
      ASSIGN_OR_RETURN(const std::span<const Value> items, Items(runtime_, rest));
      args->positional.insert(args->positional.end(), items.begin(), items.end());
    }
    if (given.star_star != nullptr) {
      ASSIGN_OR_RETURN(const Value rest, Evaluate(*given.star_star, frame));
      RETURN_IF_ERROR(AddNamed(rest, args));
    }
    return absl::OkStatus();
  }

  absl::Status AddNamed(const Value& rest, Arguments* args) {
    if (!rest.is(Kind::kDict)) {
      return InvalidArgument("the argument after ** must be a dict, not %s", TypeName(rest));
    }
    for (const Entry& entry : DictEntries(rest)) {
      if (!entry.key.is_string()) return InvalidArgument("keywords must be strings");
      for (const auto& [known, ignored] : args->named) {
        if (known == entry.key.view_text()) {
          return InvalidArgument("several values for the keyword argument '%s'", known);
        }
      }
      args->named.emplace_back(entry.key.view_text(), entry.value);
    }
    return absl::OkStatus();
  }

  ValueOr CallValue(const Value& callee, const Arguments& args) {
    switch (callee.kind) {
      case Kind::kMacro:
        return CallMacro(*callee.macro, args);
      case Kind::kFunction:
        return Call(runtime_, *callee.function, Value(), args);
      case Kind::kMethod:
        return Call(runtime_, *callee.method->spec, callee.method->receiver, args);
      case Kind::kLoop:
        return CallLoop(*callee.loop, args);
      case Kind::kJoiner:
        if (std::exchange(callee.joiner->used, true))
          return Value::String(callee.joiner->separator);
        return Value::String("");
      case Kind::kUndefined:
        return UndefinedError(callee);
      default:
        return InvalidArgument("'%s' object is not callable", TypeName(callee));
    }
  }

  // loop(children): the same loop over other items, one level down.
  ValueOr CallLoop(const LoopState& loop, const Arguments& args) {
    if (!loop.statement->recursive) {
      return InvalidArgument("the loop must have the 'recursive' marker to be called");
    }
    if (args.positional.size() != 1 || !args.named.empty()) {
      return InvalidArgument("loop() takes exactly one argument");
    }
    const Deeper deeper(&depth_);
    RETURN_IF_ERROR(Step(line_));
    return Capture([&] {
      return ExecuteLoop(*loop.statement, loop.outer, args.positional[0], loop.depth0 + 1);
    });
  }

  ValueOr CallMacro(const MacroObject& macro, const Arguments& args) {
    const Deeper deeper(&depth_);
    RETURN_IF_ERROR(Step(line_));
    Frame* frame = NewFrame(macro.closure);
    RETURN_IF_ERROR(BindParameters(*macro.statement, args, frame));
    const int line = line_;
    ASSIGN_OR_RETURN(const Value text,
                     Capture([&] { return ExecuteBody(macro.statement->body, frame); }));
    line_ = line;
    return text;
  }

  static const Value* FindNamed(const Arguments& args, std::string_view name) {
    for (const auto& [known, value] : args.named) {
      if (known == name) return &value;
    }
    return nullptr;
  }

  absl::Status BindParameters(const Statement& macro, const Arguments& args, Frame* frame) {
    for (size_t i = 0; i < macro.parameters.size(); ++i) {
      const Parameter& parameter = macro.parameters[i];
      const Value* named = FindNamed(args, parameter.name);
      if (i < args.positional.size()) {
        // Jinja2 leaves the keyword over, and then refuses it below.
        Bind(frame, parameter.symbol, args.positional[i]);
      } else if (named != nullptr) {
        Bind(frame, parameter.symbol, *named);
      } else {
        Bind(frame, parameter.symbol, Value::Undefined(parameter.name));
        if (parameter.standard == nullptr) continue;
        ASSIGN_OR_RETURN(const Value value, Evaluate(*parameter.standard, frame));
        Bind(frame, parameter.symbol, value);
      }
    }
    return BindSpecial(macro, args, frame);
  }

  // caller, kwargs and varargs take what the parameters leave; what nothing takes is an error.
  absl::Status BindSpecial(const Statement& macro, const Arguments& args, Frame* frame) {
    const size_t positional = std::min(args.positional.size(), macro.parameters.size());
    std::vector<Entry> rest;
    bool explicit_caller = false;
    for (const Parameter& parameter : macro.parameters) {
      explicit_caller = explicit_caller || parameter.name == "caller";
    }
    const bool takes_caller = macro.uses_caller && !explicit_caller;
    for (const auto& [name, value] : args.named) {
      bool taken = takes_caller && name == "caller";
      for (size_t i = positional; i < macro.parameters.size(); ++i) {
        taken = taken || macro.parameters[i].name == name;
      }
      if (!taken) rest.push_back({Value::String(name), value});
    }
    if (takes_caller) {
      const Value* caller = FindNamed(args, "caller");
      Bind(frame, kCallerSymbol, caller != nullptr ? *caller : Value::Undefined("caller"));
    }
    if (macro.uses_kwargs) {
      Bind(frame, kKwargsSymbol, runtime_.NewDict(rest));
    } else if (!rest.empty()) {
      return InvalidArgument("macro '%s' takes no keyword argument '%s'", macro.name,
                             rest.front().key.view_text());
    }
    if (macro.uses_varargs) {
      const std::span<const Value> all(args.positional.data(), args.positional.size());
      Bind(frame, kVarargsSymbol, runtime_.NewTuple(all.subspan(positional)));
    } else if (args.positional.size() > macro.parameters.size()) {
      return InvalidArgument("macro '%s' takes not more than %d arguments, got %d", macro.name,
                             macro.parameters.size(), args.positional.size());
    }
    return absl::OkStatus();
  }

  // ---- expressions ----

  ValueOr Evaluate(const Expression& node, Frame* frame) {
    // The leaves first: most of the work, and no depth.
    if (node.kind == Expression::Kind::kConstant) return node.constant;
    if (node.kind == Expression::Kind::kName) return Lookup(frame, node.symbol);
    const Deeper deeper(&depth_);
    RETURN_IF_ERROR(Step(node.line));
    switch (node.kind) {
      case Expression::Kind::kConstant:
      case Expression::Kind::kName:
        break;
      case Expression::Kind::kTuple:
      case Expression::Kind::kList:
        return EvaluateSequence(node, frame);
      case Expression::Kind::kDict:
        return EvaluateDict(node, frame);
      case Expression::Kind::kAttribute:
        return EvaluateAttribute(node, frame);
      case Expression::Kind::kItem:
        return EvaluateItem(node, frame);
      case Expression::Kind::kSlice:
        return EvaluateSlice(node, frame);
      case Expression::Kind::kCall:
        return EvaluateCall(node, frame);
      case Expression::Kind::kFilter:
        return EvaluateSpec(node, frame, "filter");
      case Expression::Kind::kTest:
        return EvaluateSpec(node, frame, "test");
      case Expression::Kind::kCaptured:
        return captured_;
      case Expression::Kind::kNot:
      case Expression::Kind::kNegate:
      case Expression::Kind::kPlus:
        return EvaluateUnary(node, frame);
      case Expression::Kind::kArithmetic:
        return EvaluateArithmetic(node, frame);
      case Expression::Kind::kConcatenate:
        return EvaluateConcatenation(node, frame);
      case Expression::Kind::kCompare:
        return EvaluateComparison(node, frame);
      case Expression::Kind::kAnd:
      case Expression::Kind::kOr:
        return EvaluateLogic(node, frame);
      case Expression::Kind::kConditional:
        return EvaluateConditional(node, frame);
    }
    return Value();
  }

  ValueOr EvaluateSequence(const Expression& node, Frame* frame) {
    const size_t count = node.children.size();
    Value* items = runtime_.arena().NewArray<Value>(count);
    for (size_t i = 0; i < count; ++i) {
      ASSIGN_OR_RETURN(items[i], Evaluate(*node.children[i], frame));
    }
    const std::span<const Value> all(items, count);
    return node.kind == Expression::Kind::kTuple ? Value::Tuple(all) : Value::List(all);
  }

  ValueOr EvaluateDict(const Expression& node, Frame* frame) {
    std::vector<Entry> entries;
    for (size_t i = 0; i < node.children.size(); i += 2) {
      ASSIGN_OR_RETURN(const Value key, Evaluate(*node.children[i], frame));
      ASSIGN_OR_RETURN(const Value value, Evaluate(*node.children[i + 1], frame));
      RETURN_IF_ERROR(PutEntry(runtime_, key, value, &entries));
    }
    return runtime_.NewDict(entries);
  }

  ValueOr EvaluateAttribute(const Expression& node, Frame* frame) {
    ASSIGN_OR_RETURN(const Value object, Evaluate(*node.children[0], frame));
    line_ = node.line;
    return GetAttribute(runtime_, object, node.name);
  }

  ValueOr EvaluateItem(const Expression& node, Frame* frame) {
    ASSIGN_OR_RETURN(const Value object, Evaluate(*node.children[0], frame));
    ASSIGN_OR_RETURN(const Value key, Evaluate(*node.children[1], frame));
    line_ = node.line;
    return GetItem(runtime_, object, key);
  }

  ValueOr EvaluateSlice(const Expression& node, Frame* frame) {
    Value parts[4];
    for (size_t i = 0; i < 4; ++i) {
      parts[i] = Value::None();
      if (node.children[i] == nullptr) continue;
      ASSIGN_OR_RETURN(parts[i], Evaluate(*node.children[i], frame));
    }
    line_ = node.line;
    return Slice(runtime_, parts[0], parts[1], parts[2], parts[3]);
  }

  ValueOr EvaluateCall(const Expression& node, Frame* frame) {
    ASSIGN_OR_RETURN(const Value callee, Evaluate(*node.children[0], frame));
    Arguments args;
    RETURN_IF_ERROR(EvaluateArguments(node.arguments, frame, &args));
    line_ = node.line;
    if (callee.is(Kind::kMethod) && MemberName(*node.children[0]) == "format") {
      RETURN_IF_ERROR(CheckPieces(node.arguments.positional, args.positional.data(), frame));
    }
    return CallValue(callee, args);
  }

  ValueOr EvaluateSpec(const Expression& node, Frame* frame, std::string_view what) {
    ASSIGN_OR_RETURN(const Value input, Evaluate(*node.children[0], frame));
    Arguments args;
    RETURN_IF_ERROR(EvaluateArguments(node.arguments, frame, &args));
    line_ = node.line;
    if (node.kind == Expression::Kind::kFilter && !TakesHoles(node)) {
      RETURN_IF_ERROR(CheckHole(input, *node.children[0], frame));
    }
    if (node.kind == Expression::Kind::kFilter && node.spec->name == "format") {
      RETURN_IF_ERROR(CheckPieces(node.arguments.positional, args.positional.data(), frame));
    }
    ValueOr result = Call(runtime_, *node.spec, input, args);
    if (result.ok()) return result;
    return Annotate(result.status(), absl::StrFormat("%s '%s'", what, node.spec->name));
  }

  // Filters that are there for them; every other would make a text of None, or of nothing.
  static bool TakesHoles(const Expression& filter) {
    return AllowsAbsence(filter) || filter.spec->name == "tojson";
  }

  ValueOr EvaluateUnary(const Expression& node, Frame* frame) {
    ASSIGN_OR_RETURN(const Value value, Evaluate(*node.children[0], frame));
    line_ = node.line;
    if (node.kind == Expression::Kind::kNot) return Value::Bool(!Truth(value));
    return node.kind == Expression::Kind::kNegate ? Negate(value) : Plus(value);
  }

  ValueOr EvaluateArithmetic(const Expression& node, Frame* frame) {
    ASSIGN_OR_RETURN(const Value left, Evaluate(*node.children[0], frame));
    ASSIGN_OR_RETURN(const Value right, Evaluate(*node.children[1], frame));
    line_ = node.line;
    if (node.op == Operator::kModulo && left.is_string()) {
      const Expression& given = *node.children[1];
      const bool several = given.kind == Expression::Kind::kTuple;
      RETURN_IF_ERROR(several ? CheckPieces(given.children, right.items, frame)
                              : CheckHole(right, given, frame));
    }
    return Arithmetic(runtime_, node.op, left, right);
  }

  ValueOr EvaluateConcatenation(const Expression& node, Frame* frame) {
    std::string text;
    for (const Expression* child : node.children) {
      ASSIGN_OR_RETURN(const Value value, Evaluate(*child, frame));
      line_ = node.line;
      RETURN_IF_ERROR(CheckHole(value, *child, frame));
      RETURN_IF_ERROR(AppendText(runtime_, value, &text));
    }
    RETURN_IF_ERROR(runtime_.Reserve(text.size()));
    RETURN_IF_ERROR(runtime_.ChargeBytes(text.size()));
    return runtime_.NewString(text);
  }

  absl::StatusOr<bool> Compare(Comparator comparator, const Value& left, const Value& right) {
    switch (comparator) {
      case Comparator::kEqual:
        return Equal(runtime_, left, right);
      case Comparator::kUnequal: {
        ASSIGN_OR_RETURN(const bool equal, Equal(runtime_, left, right));
        return !equal;
      }
      case Comparator::kLess:
        return Less(runtime_, left, right);
      case Comparator::kLessOrEqual:
        return LessOrEqual(runtime_, left, right);
      case Comparator::kGreater:
        return Less(runtime_, right, left);
      case Comparator::kGreaterOrEqual:
        return LessOrEqual(runtime_, right, left);
      case Comparator::kIn:
        return In(runtime_, left, right);
      case Comparator::kNotIn: {
        ASSIGN_OR_RETURN(const bool in, In(runtime_, left, right));
        return !in;
      }
    }
    return false;
  }

  // a < b < c is a < b and b < c, with b evaluated once.
  ValueOr EvaluateComparison(const Expression& node, Frame* frame) {
    ASSIGN_OR_RETURN(Value left, Evaluate(*node.children[0], frame));
    for (size_t i = 0; i < node.comparators.size(); ++i) {
      ASSIGN_OR_RETURN(const Value right, Evaluate(*node.children[i + 1], frame));
      line_ = node.line;
      ASSIGN_OR_RETURN(const bool holds, Compare(node.comparators[i], left, right));
      if (!holds) return Value::Bool(false);
      left = right;
    }
    return Value::Bool(true);
  }

  ValueOr EvaluateLogic(const Expression& node, Frame* frame) {
    ASSIGN_OR_RETURN(const Value left, Evaluate(*node.children[0], frame));
    const bool decides = Truth(left) == (node.kind == Expression::Kind::kOr);
    if (decides) return left;
    return Evaluate(*node.children[1], frame);
  }

  ValueOr EvaluateConditional(const Expression& node, Frame* frame) {
    ASSIGN_OR_RETURN(const Value condition, Evaluate(*node.children[1], frame));
    if (Truth(condition)) return Evaluate(*node.children[0], frame);
    if (node.children[2] != nullptr) return Evaluate(*node.children[2], frame);
    return Value::Undefined(kLeftOutElse);
  }

  static constexpr std::string_view kLeftOutElse = "inline if without else";

  const Program& program_;
  const Json& context_;
  Runtime runtime_;
  std::vector<std::string>* blank_;            // see Template::Render; may be nullptr
  std::vector<std::optional<Value>> globals_;  // by symbol; filled when first asked for
  std::string* out_ = nullptr;
  int line_ = 1;  // where the evaluation is, for errors
  int depth_ = 0;
  Flow flow_ = Flow::kOn;
  Value captured_;  // what a filter or set block wrote
};

}  // namespace

std::optional<size_t> LoopLength(const LoopState& loop) { return loop.items.size(); }

std::string LoopRepr(const LoopState& loop) {
  return absl::StrFormat("<LoopContext %d/%d>", loop.index0 + 1, loop.items.size());
}

absl::StatusOr<Value> LoopAttribute(Runtime& runtime, const Value& loop, std::string_view name) {
  const LoopState& state = *loop.loop;
  const int64_t index0 = static_cast<int64_t>(state.index0);
  const int64_t length = static_cast<int64_t>(state.items.size());
  if (name == "index") return Value::Integer(index0 + 1);
  if (name == "index0") return Value::Integer(index0);
  if (name == "first") return Value::Bool(index0 == 0);
  if (name == "last") return Value::Bool(index0 + 1 == length);
  if (name == "length") return Value::Integer(length);
  if (name == "revindex") return Value::Integer(length - index0);
  if (name == "revindex0") return Value::Integer(length - index0 - 1);
  if (name == "depth") return Value::Integer(state.depth0 + 1);
  if (name == "depth0") return Value::Integer(state.depth0);
  if (name == "previtem") {
    return index0 == 0 ? Value::Undefined("previous item") : state.items[state.index0 - 1];
  }
  if (name == "nextitem") {
    return index0 + 1 == length ? Value::Undefined("next item") : state.items[state.index0 + 1];
  }
  if (name != "cycle" && name != "changed") return Value::Undefined(name);
  Value method = Value::Make(Kind::kMethod);
  method.method = runtime.arena().New(MethodObject{loop, name == "cycle" ? &kCycle : &kChanged});
  return method;
}

Value MacroName(const MacroObject& macro) { return Value::String(macro.statement->name); }

}  // namespace jinja

struct Template::Program : jinja::Program {};

absl::StatusOr<Template> Template::Parse(std::string_view source, std::string_view name) {
  auto program = std::make_shared<Program>();
  program->name = std::string(name);
  RETURN_IF_ERROR(jinja::Parse(source, program.get()));
  return Template(std::move(program));
}

std::vector<std::string> Template::NamesRead() const { return jinja::NamesRead(*program_); }
std::vector<std::string> Template::MembersRead(std::string_view name) const {
  return jinja::MembersRead(*program_, name);
}

absl::StatusOr<std::string> Template::Render(const Json& context, const TemplateLimits& limits,
                                             std::vector<std::string>* blank) const {
  if (!context.is_object() && !context.is_null()) {
    return InvalidArgument("%s:1: the context must be an object, found %s", program_->name,
                           KindName(context));
  }
  return jinja::Interpreter(*program_, context, limits, blank).Run();
}

}  // namespace assay
