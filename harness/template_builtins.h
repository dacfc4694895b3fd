// Inside the template engine: the filters, tests, methods and global functions, each a row of a
// table.
//
// Adding one is one function and one row. What Jinja2 has and we have not stands in a list of
// names, so that a template using it is refused by name.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "harness/template_text.h"
#include "harness/template_value.h"

namespace assay::jinja {

struct Arguments {
  absl::InlinedVector<Value, 4> positional;
  absl::InlinedVector<std::pair<std::string_view, Value>, 2> named;
};

// Arguments by parameter: `args[i]` is the value of the i-th, or nullptr where it was not given.
class Bound {
 public:
  const Value* operator[](size_t i) const { return i < values.size() ? values[i] : nullptr; }
  bool flag(size_t i) const { return (*this)[i] != nullptr && Truth(*values[i]); }
  // A parameter given as None counts as not given.
  const Value* given(size_t i) const {
    const Value* value = (*this)[i];
    return value == nullptr || value->is(Kind::kNone) ? nullptr : value;
  }

  absl::InlinedVector<const Value*, 6> values;
  const Arguments* all = nullptr;
};

using Builtin = absl::StatusOr<Value> (*)(Runtime& runtime, const Value& input, const Bound& args);

// A filter, a test, a method or a function.
struct FunctionSpec {
  std::string_view name;
  // Names divided by blanks. "/" at the head: only by position. "*": anything, the function looks
  // at `Bound::all` itself.
  std::string_view parameters;
  size_t required;
  Builtin function;
};

absl::StatusOr<Value> Call(Runtime& runtime, const FunctionSpec& spec, const Value& input,
                           const Arguments& args);

// nullptr where there is none.
const FunctionSpec* FindFilter(std::string_view name);
const FunctionSpec* FindTest(std::string_view name);
const FunctionSpec* FindFunction(std::string_view name);
// "no filter 'x'; did you mean ...", or that Jinja2's own is not supported.
absl::Status NoSuchFilter(std::string_view name);
absl::Status NoSuchTest(std::string_view name);
// Jinja2's global functions that are refused: lipsum, cycler.
bool IsUnsupportedFunction(std::string_view name);

// The method `name` of a value as a kMethod; an undefined one where the sandbox forbids it;
// nothing where Python has no such attribute; an error where only we lack it.
absl::StatusOr<std::optional<Value>> FindMethod(Runtime& runtime, const Value& object,
                                                std::string_view name);
struct MethodObject {
  Value receiver;
  const FunctionSpec* spec;
};

std::span<const FunctionSpec> FilterTable();
std::span<const FunctionSpec> TestTable();

// "%s and %d" % values, and "{} and {x}".format(...).
absl::StatusOr<Value> PercentFormat(Runtime& runtime, const Value& format, const Value& values);
absl::StatusOr<Value> BraceFormat(Runtime& runtime, const Value& format, const Arguments& args);

// Shared by the filters and the methods of one name.
absl::StatusOr<Value> ReplaceText(Runtime& runtime, std::string_view text, std::string_view from,
                                  std::string_view to, int64_t count);
absl::StatusOr<Value> PadText(Runtime& runtime, const Value& text, int64_t width,
                              std::string_view fill, Side side);
// str.splitlines, without the line ends unless `keep_ends`.
std::vector<std::string_view> TextLines(std::string_view text, bool keep_ends);

// The interpreter's own objects, defined beside it.
std::optional<size_t> LoopLength(const LoopState& loop);
std::string LoopRepr(const LoopState& loop);
absl::StatusOr<Value> LoopAttribute(Runtime& runtime, const Value& loop, std::string_view name);
Value MacroName(const MacroObject& macro);

}  // namespace assay::jinja
