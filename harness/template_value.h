// Inside the template engine: values as Python has them, the arena they live in, and what Python's
// built-in operators do with them.
//
// A Value is 24 plain bytes. It owns nothing: its text and items lie in the arena of one rendering,
// in the parsed template, or in the caller's context, and all three outlive the rendering. So
// values are copied freely, cycles cannot leak, and the memory that a hostile template takes is
// counted in one place. Everything here belongs to one rendering and one thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "harness/json.h"
#include "harness/template.h"

namespace assay::jinja {

struct Entry;
struct Generator;
struct Joiner;
struct LoopState;
struct MacroObject;
struct MethodObject;
struct NamespaceObject;
struct RangeObject;
struct ViewObject;
struct FunctionSpec;

enum class Kind : uint8_t {
  kUndefined,
  kNone,
  kBool,
  kInteger,
  kBigInteger,  // outside int64: kept as its digits, prints and compares, does not calculate
  kReal,
  kString,
  kList,
  kTuple,
  kDict,
  kRange,
  kView,       // what dict.keys(), .values() and .items() give
  kGenerator,  // what map, select, items... give: walked once
  kNamespace,
  kMacro,
  kFunction,
  kMethod,  // a method bound to its receiver
  kLoop,
  kJoiner,
};

struct Value {
  Kind kind = Kind::kUndefined;
  bool safe = false;      // of a string: `|safe` made it, so `+` escapes the other side
  bool borrowed = false;  // of a list or dict: `json` holds it
  union {
    bool boolean;
    int64_t integer;
    double real;
    const char* text = nullptr;  // a string, the digits of a kBigInteger, the name of a kUndefined
    const Value* items;          // a list or tuple
    const Entry* entries;        // a dict, keys unique, in insertion order
    const Json* json;
    const RangeObject* range;
    const ViewObject* view;
    Generator* generator;
    NamespaceObject* space;
    const MacroObject* macro;
    const FunctionSpec* function;
    const MethodObject* method;
    LoopState* loop;
    Joiner* joiner;
  };
  size_t size = 0;  // of text, items, entries

  static Value None() { return Make(Kind::kNone); }
  static Value Bool(bool value);
  static Value Integer(int64_t value);
  static Value Real(double value);
  static Value String(std::string_view text);  // a view: see the head of this file
  static Value Undefined(std::string_view name);
  static Value List(std::span<const Value> items);
  static Value Tuple(std::span<const Value> items);
  static Value Dict(std::span<const Entry> entries);
  static Value FromJson(const Json& json);
  static Value Make(Kind kind) {
    Value value;
    value.kind = kind;
    return value;
  }

  bool is(Kind other) const { return kind == other; }
  bool is_undefined() const { return kind == Kind::kUndefined; }
  bool is_string() const { return kind == Kind::kString; }
  bool is_sequence() const { return kind == Kind::kList || kind == Kind::kTuple; }
  // Python's bool is an int.
  bool is_integral() const { return kind == Kind::kInteger || kind == Kind::kBool; }
  bool is_number() const { return is_integral() || kind == Kind::kReal; }
  std::string_view view_text() const { return {text, size}; }
  int64_t as_integer() const { return kind == Kind::kBool ? (boolean ? 1 : 0) : integer; }
  double as_real() const { return kind == Kind::kReal ? real : static_cast<double>(as_integer()); }
};
static_assert(std::is_trivially_destructible_v<Value> && sizeof(Value) == 24);

struct Entry {
  Value key;
  Value value;
};

struct RangeObject {
  int64_t start, stop, step;
  size_t count;
};
struct ViewObject {
  enum class Side { kKeys, kValues, kItems } side;
  Value dict;
};
struct Generator {
  std::span<const Value> items;
  size_t next = 0;
  std::string_view failure;  // where not empty, walking it is this error
};
struct NamespaceObject {
  Entry* entries = nullptr;
  size_t size = 0, capacity = 0;
};
struct Joiner {
  std::string_view separator;
  bool used = false;
};

// Bump allocation; everything is freed with it, no destructor runs.
class Arena {
 public:
  char* Allocate(size_t bytes, size_t alignment);
  template <typename T>
  T* New(T value) {
    static_assert(std::is_trivially_destructible_v<T>);
    return new (Allocate(sizeof(T), alignof(T))) T(value);
  }
  template <typename T>
  T* NewArray(size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    return new (Allocate(sizeof(T) * count, alignof(T))) T[count];
  }
  std::string_view Copy(std::string_view text);
  // left + right; where `left` is the newest text it grows in place, so that a chain of additions
  // copies each piece once.
  std::string_view Concatenate(std::string_view left, std::string_view right);
  size_t used() const { return used_; }

 private:
  static constexpr size_t kBlockBytes = 16 << 10;
  std::vector<std::unique_ptr<char[]>> blocks_;
  char* next_ = nullptr;
  char* end_ = nullptr;
  size_t used_ = 0;
};

// What one rendering may still spend. Every loop that a template can drive charges it.
class Runtime {
 public:
  explicit Runtime(const TemplateLimits& limits) : limits_(limits) {}

  absl::Status Charge(int64_t steps) {
    steps_ += steps;
    if (steps_ <= limits_.max_steps && arena_.used() <= limits_.max_memory_bytes) [[likely]] {
      return absl::OkStatus();
    }
    return Exhausted();
  }
  // For work in proportion to bytes read.
  absl::Status ChargeBytes(size_t bytes) { return Charge(static_cast<int64_t>(bytes >> 8) + 1); }
  // Before making something that big.
  absl::Status Reserve(size_t bytes) const;
  absl::Status CheckOutput(size_t bytes) const;

  Arena& arena() { return arena_; }
  const TemplateLimits& limits() const { return limits_; }

  Value NewString(std::string_view text) { return Value::String(arena_.Copy(text)); }
  Value NewList(std::span<const Value> items) { return Value::List(NewItems(items)); }
  Value NewTuple(std::span<const Value> items) { return Value::Tuple(NewItems(items)); }
  Value NewGenerator(std::span<const Value> items);
  // Python runs a generator when it is walked: what went wrong in making it is an error only then.
  // What ran out (steps, memory) is an error at once.
  absl::StatusOr<Value> NewGenerator(const absl::StatusOr<std::vector<Value>>& items);
  Value NewDict(std::span<const Entry> entries);  // keys must be unique

 private:
  absl::Status Exhausted() const;
  std::span<const Value> NewItems(std::span<const Value> items);

  TemplateLimits limits_;
  Arena arena_;
  int64_t steps_ = 0;
};

// "int", "str", "list"...: Python's name of the type, for messages.
std::string_view TypeName(const Value& value);

bool Truth(const Value& value);
// Each charges a step per element met; nested deeper than 250 is an error.
absl::StatusOr<bool> Equal(Runtime& runtime, const Value& a, const Value& b);
// a < b; an error for what Python cannot order.
absl::StatusOr<bool> Less(Runtime& runtime, const Value& a, const Value& b);
absl::StatusOr<bool> LessOrEqual(Runtime& runtime, const Value& a, const Value& b);
absl::StatusOr<bool> In(Runtime& runtime, const Value& item, const Value& container);

// str(value), repr(value). What Python prints with an address (a method, a generator) is an error.
absl::Status AppendText(Runtime& runtime, const Value& value, std::string* out);
absl::Status AppendRepr(Runtime& runtime, const Value& value, std::string* out);
// str(value) as a view: a string as it is, anything else written into the arena.
absl::StatusOr<std::string_view> TextOf(Runtime& runtime, const Value& value);
std::string RealRepr(double value);
void AppendStringRepr(std::string_view text, std::string* out);

// json.dumps with Python's separators.
struct JsonStyle {
  std::optional<std::string> indent;
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool ascii = false;
  bool sort_keys = false;
};
absl::Status AppendJson(Runtime& runtime, const Value& value, const JsonStyle& style,
                        std::string* out);

// len(value), or nothing where Python has none.
std::optional<size_t> Length(const Value& value);
bool IsIterable(const Value& value);
// Everything that iterating gives; a generator is used up. An error says "'int' object is not
// iterable".
absl::StatusOr<std::span<const Value>> Items(Runtime& runtime, const Value& value);
std::vector<Entry> DictEntries(const Value& dict);
// Entry `i` of a dict; `i` < size.
Entry DictEntry(const Value& dict, size_t i);
absl::StatusOr<std::optional<Value>> DictFind(Runtime& runtime, const Value& dict,
                                              const Value& key);
std::optional<Value> DictFindName(const Value& dict, std::string_view name);
// Adds or replaces, as a Python dict does: an equal key keeps its place. `entries` is no dict yet.
absl::Status PutEntry(Runtime& runtime, const Value& key, const Value& value,
                      std::vector<Entry>* entries);
std::optional<Value> NamespaceFind(const NamespaceObject& space, std::string_view name);
void NamespaceSet(Runtime& runtime, NamespaceObject* space, std::string_view name,
                  const Value& value);
Value RangeItem(const RangeObject& range, size_t i);

enum class Operator : uint8_t {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kFloorDivide,
  kModulo,
  kPower
};
absl::StatusOr<Value> Arithmetic(Runtime& runtime, Operator op, const Value& a, const Value& b);
absl::StatusOr<Value> Negate(const Value& value);
absl::StatusOr<Value> Plus(const Value& value);

// container[key] by Python's rules; nothing where Python raises TypeError or LookupError.
absl::StatusOr<std::optional<Value>> Subscript(Runtime& runtime, const Value& container,
                                               const Value& key);
// container[start:stop:step]; a kNone leaves the bound out.
absl::StatusOr<Value> Slice(Runtime& runtime, const Value& container, const Value& start,
                            const Value& stop, const Value& step);
// The one place where environment.getattr and environment.getitem of the sandbox are kept.
absl::StatusOr<Value> GetAttribute(Runtime& runtime, const Value& object, std::string_view name);
absl::StatusOr<Value> GetItem(Runtime& runtime, const Value& object, const Value& key);
// "messages.0.role" as filters take it: parts looked up with GetItem.
absl::StatusOr<Value> GetPath(Runtime& runtime, const Value& object, const Value& path,
                              const Value* missing = nullptr);

// An operation on an undefined value: "'x' is undefined".
absl::Status UndefinedError(const Value& value);

}  // namespace assay::jinja
