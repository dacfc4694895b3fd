// The arena, the budget, and Python's len, bool, ==, <, in, iteration and subscripts on values.
#include "harness/template_value.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "harness/status.h"
#include "harness/template_builtins.h"
#include "harness/template_text.h"
#include "harness/text.h"

namespace assay::jinja {
namespace {

constexpr int kMaxValueDepth = 250;  // of values in values; Python gives up near 1000

absl::Status TooDeep() {
  return ResourceExhausted("a value is nested deeper than %d", kMaxValueDepth);
}

template <typename T>
int ThreeWay(const T& a, const T& b) {
  return a < b ? -1 : (b < a ? 1 : 0);
}

// -1, 0, 1, or nothing where a NaN is met.
std::optional<int> CompareNumbers(const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral()) return ThreeWay(a.as_integer(), b.as_integer());
  // An 80-bit long double holds every int64 and every double.
  const auto wide = [](const Value& v) {
    return v.kind == Kind::kReal ? static_cast<long double>(v.real)
                                 : static_cast<long double>(v.as_integer());
  };
  const long double left = wide(a), right = wide(b);
  if (std::isnan(left) || std::isnan(right)) return std::nullopt;
  return ThreeWay(left, right);
}

class Comparison {
 public:
  explicit Comparison(Runtime& runtime) : runtime_(runtime) {}

  absl::StatusOr<bool> Equal(const Value& a, const Value& b, int depth) {
    RETURN_IF_ERROR(runtime_.Charge(1));
    if (depth > kMaxValueDepth) return TooDeep();
    if (a.is_number() && b.is_number()) return CompareNumbers(a, b) == 0;
    if (a.kind != b.kind) return false;
    switch (a.kind) {
      case Kind::kUndefined:
      case Kind::kNone:
        return true;
      case Kind::kString:
        RETURN_IF_ERROR(runtime_.ChargeBytes(std::min(a.size, b.size)));
        return a.view_text() == b.view_text();
      case Kind::kBigInteger:
        return a.view_text() == b.view_text();
      case Kind::kList:
      case Kind::kTuple:
        return EqualSequences(a, b, depth);
      case Kind::kDict:
        return EqualDicts(a, b, depth);
      case Kind::kRange:
        return EqualRanges(*a.range, *b.range);
      case Kind::kView:
        return EqualViews(*a.view, *b.view, depth);
      default:
        return a.json == b.json;  // the same object
    }
  }

  absl::StatusOr<bool> Less(const Value& a, const Value& b, int depth) {
    RETURN_IF_ERROR(runtime_.Charge(1));
    if (depth > kMaxValueDepth) return TooDeep();
    if (a.is_undefined()) return UndefinedError(a);
    if (b.is_undefined()) return UndefinedError(b);
    if (a.is_number() && b.is_number()) {
      const std::optional<int> order = CompareNumbers(a, b);
      return order.has_value() && *order < 0;
    }
    if (a.is_string() && b.is_string()) {
      RETURN_IF_ERROR(runtime_.ChargeBytes(std::min(a.size, b.size)));
      return a.view_text() < b.view_text();  // UTF-8 orders as code points do
    }
    if (a.kind == b.kind && a.is_sequence()) return LessSequences(a, b, depth);
    return InvalidArgument("'<' not supported between instances of '%s' and '%s'", TypeName(a),
                           TypeName(b));
  }

 private:
  absl::StatusOr<bool> EqualSequences(const Value& a, const Value& b, int depth) {
    ASSIGN_OR_RETURN(const std::span<const Value> left, Items(runtime_, a));
    ASSIGN_OR_RETURN(const std::span<const Value> right, Items(runtime_, b));
    if (left.size() != right.size()) return false;
    for (size_t i = 0; i < left.size(); ++i) {
      ASSIGN_OR_RETURN(const bool equal, Equal(left[i], right[i], depth + 1));
      if (!equal) return false;
    }
    return true;
  }

  absl::StatusOr<bool> EqualDicts(const Value& a, const Value& b, int depth) {
    if (*Length(a) != *Length(b)) return false;
    for (const Entry& entry : DictEntries(a)) {
      ASSIGN_OR_RETURN(const std::optional<Value> other, DictFind(runtime_, b, entry.key));
      if (!other.has_value()) return false;
      ASSIGN_OR_RETURN(const bool equal, Equal(entry.value, *other, depth + 1));
      if (!equal) return false;
    }
    return true;
  }

  static bool EqualRanges(const RangeObject& a, const RangeObject& b) {
    if (a.count != b.count) return false;
    if (a.count == 0) return true;
    return a.start == b.start && (a.count == 1 || a.step == b.step);
  }

  // Keys and items compare as sets do; values only as the same object.
  absl::StatusOr<bool> EqualViews(const ViewObject& a, const ViewObject& b, int depth) {
    if (a.side != b.side || a.side == ViewObject::Side::kValues) return &a == &b;
    if (*Length(a.dict) != *Length(b.dict)) return false;
    if (a.side == ViewObject::Side::kItems) return EqualDicts(a.dict, b.dict, depth);
    for (const Entry& entry : DictEntries(a.dict)) {
      ASSIGN_OR_RETURN(const std::optional<Value> other, DictFind(runtime_, b.dict, entry.key));
      if (!other.has_value()) return false;
    }
    return true;
  }

  absl::StatusOr<bool> LessSequences(const Value& a, const Value& b, int depth) {
    ASSIGN_OR_RETURN(const std::span<const Value> left, Items(runtime_, a));
    ASSIGN_OR_RETURN(const std::span<const Value> right, Items(runtime_, b));
    for (size_t i = 0; i < std::min(left.size(), right.size()); ++i) {
      ASSIGN_OR_RETURN(const bool equal, Equal(left[i], right[i], depth + 1));
      if (!equal) return Less(left[i], right[i], depth + 1);
    }
    return left.size() < right.size();
  }

  Runtime& runtime_;
};

absl::Status CheckHashable(const Value& key, int depth = 0) {
  if (key.is(Kind::kList) || key.is(Kind::kDict)) {
    return InvalidArgument("unhashable type: '%s'", TypeName(key));
  }
  if (key.is(Kind::kTuple)) {
    if (depth > kMaxValueDepth) return TooDeep();
    for (const Value& part : std::span(key.items, key.size)) {
      RETURN_IF_ERROR(CheckHashable(part, depth + 1));
    }
  }
  return absl::OkStatus();
}

std::span<const Value> CharacterItems(Runtime& runtime, std::string_view text) {
  Value* items = runtime.arena().NewArray<Value>(CodePoints(text));
  size_t count = 0;
  for (size_t i = 0; i < text.size();) {
    const size_t begin = i;
    Decode(text, &i);
    items[count++] = Value::String(text.substr(begin, i - begin));
  }
  return {items, count};
}

Value ViewItem(Runtime& runtime, ViewObject::Side side, const Entry& entry) {
  if (side == ViewObject::Side::kKeys) return entry.key;
  if (side == ViewObject::Side::kValues) return entry.value;
  const std::array<Value, 2> pair = {entry.key, entry.value};
  return runtime.NewTuple(pair);
}

std::span<const Value> DictItems(Runtime& runtime, const Value& dict, ViewObject::Side side) {
  const size_t count = *Length(dict);
  Value* items = runtime.arena().NewArray<Value>(count);
  for (size_t i = 0; i < count; ++i) items[i] = ViewItem(runtime, side, DictEntry(dict, i));
  return {items, count};
}

// A Python index of a sequence of that length, or nothing.
std::optional<size_t> IndexInto(const Value& key, size_t length) {
  if (!key.is_integral()) return std::nullopt;
  int64_t index = key.as_integer();
  if (index < 0) index += static_cast<int64_t>(length);
  if (index < 0 || index >= static_cast<int64_t>(length)) return std::nullopt;
  return static_cast<size_t>(index);
}

// The positions that a Python slice selects: `count` of them from `start` by `step`.
struct SliceRange {
  int64_t start, stop, step, count;
};

absl::StatusOr<std::optional<int64_t>> SliceBound(const Value& value) {
  if (value.is(Kind::kNone)) return std::nullopt;
  if (value.is_integral()) return value.as_integer();
  return InvalidArgument("slice indices must be integers or None, not '%s'", TypeName(value));
}

absl::StatusOr<SliceRange> ResolveSlice(const Value& start, const Value& stop, const Value& step,
                                        int64_t length) {
  ASSIGN_OR_RETURN(const std::optional<int64_t> first, SliceBound(start));
  ASSIGN_OR_RETURN(const std::optional<int64_t> last, SliceBound(stop));
  ASSIGN_OR_RETURN(const std::optional<int64_t> stride, SliceBound(step));
  const int64_t by = std::clamp<int64_t>(stride.value_or(1), -INT64_MAX, INT64_MAX);
  if (by == 0) return InvalidArgument("slice step cannot be zero");
  const int64_t low = by > 0 ? 0 : -1, high = by > 0 ? length : length - 1;
  const auto place = [&](int64_t position) {
    return std::clamp(position < 0 ? position + length : position, low, high);
  };
  const int64_t from = first ? place(*first) : (by > 0 ? low : high);
  const int64_t to = last ? place(*last) : (by > 0 ? high : low);
  int64_t count = 0;
  if (by > 0 && from < to) count = (to - from - 1) / by + 1;
  if (by < 0 && to < from) count = (from - to - 1) / -by + 1;
  return SliceRange{from, to, by, count};
}

absl::StatusOr<Value> SliceString(Runtime& runtime, const Value& text, const SliceRange& range,
                                  bool ascii) {
  const std::string_view view = text.view_text();
  Value result = Value::String("");
  if (range.count > 0 && range.step == 1) {
    const size_t begin =
        ascii ? static_cast<size_t>(range.start) : OffsetOf(view, static_cast<size_t>(range.start));
    const std::string_view rest = view.substr(begin);
    const size_t bytes =
        ascii ? static_cast<size_t>(range.count) : OffsetOf(rest, static_cast<size_t>(range.count));
    result = Value::String(rest.substr(0, bytes));
  } else if (range.count > 0) {
    const std::span<const Value> characters = CharacterItems(runtime, view);
    std::string picked;
    for (int64_t i = 0; i < range.count; ++i) {
      picked += characters[static_cast<size_t>(range.start + i * range.step)].view_text();
    }
    result = runtime.NewString(picked);
  }
  result.safe = text.safe;
  return result;
}

}  // namespace

Value Value::Bool(bool value) {
  Value result = Make(Kind::kBool);
  result.boolean = value;
  return result;
}

Value Value::Integer(int64_t value) {
  Value result = Make(Kind::kInteger);
  result.integer = value;
  return result;
}

Value Value::Real(double value) {
  Value result = Make(Kind::kReal);
  result.real = value;
  return result;
}

Value Value::String(std::string_view text) {
  Value result = Make(Kind::kString);
  result.text = text.data();
  result.size = text.size();
  return result;
}

Value Value::Undefined(std::string_view name) {
  Value result;
  result.text = name.data();
  result.size = name.size();
  return result;
}

Value Value::List(std::span<const Value> items) {
  Value result = Make(Kind::kList);
  result.items = items.data();
  result.size = items.size();
  return result;
}

Value Value::Tuple(std::span<const Value> items) {
  Value result = List(items);
  result.kind = Kind::kTuple;
  return result;
}

Value Value::Dict(std::span<const Entry> entries) {
  Value result = Make(Kind::kDict);
  result.entries = entries.data();
  result.size = entries.size();
  return result;
}

Value Value::FromJson(const Json& json) {
  switch (json.kind()) {
    case Json::Kind::kNull:
      return None();
    case Json::Kind::kBool:
      return Bool(json.AsBool());
    case Json::Kind::kInteger:
      return Integer(json.AsInteger());
    case Json::Kind::kReal: {
      // What was read as digits alone is an int in Python, however long.
      const std::string* digits = json.NumberText();
      if (digits == nullptr || digits->find_first_not_of("-0123456789") != std::string::npos) {
        return Real(json.AsNumber());
      }
      Value big = String(*digits);
      big.kind = Kind::kBigInteger;
      return big;
    }
    case Json::Kind::kString:
      return String(json.AsString());
    case Json::Kind::kArray:
    case Json::Kind::kObject:
      break;
  }
  Value container = Make(json.is_array() ? Kind::kList : Kind::kDict);
  container.borrowed = true;
  container.json = &json;
  container.size = json.size();
  return container;
}

char* Arena::Allocate(size_t bytes, size_t alignment) {
  uintptr_t at = (reinterpret_cast<uintptr_t>(next_) + alignment - 1) & ~(alignment - 1);
  if (next_ == nullptr || at + bytes > reinterpret_cast<uintptr_t>(end_)) {
    const size_t block = std::max(bytes + alignment, kBlockBytes);
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(block));
    next_ = blocks_.back().get();
    end_ = next_ + block;
    used_ += block;
    at = (reinterpret_cast<uintptr_t>(next_) + alignment - 1) & ~(alignment - 1);
  }
  next_ = reinterpret_cast<char*>(at + bytes);
  return reinterpret_cast<char*>(at);
}

std::string_view Arena::Copy(std::string_view text) {
  if (text.empty()) return "";
  char* copy = Allocate(text.size(), 1);
  std::memcpy(copy, text.data(), text.size());
  return {copy, text.size()};
}

std::string_view Arena::Concatenate(std::string_view left, std::string_view right) {
  if (right.empty()) return left;
  if (left.empty()) return right;
  // Older views of `left` see the same bytes as before, so growing it harms nobody.
  if (left.data() + left.size() == next_ && right.size() <= static_cast<size_t>(end_ - next_)) {
    std::memcpy(next_, right.data(), right.size());
    next_ += right.size();
    return {left.data(), left.size() + right.size()};
  }
  // Room for as much again: the next addition then finds it.
  const size_t total = left.size() + right.size();
  char* joined = Allocate(total + total / 2, 1);
  std::memcpy(joined, left.data(), left.size());
  std::memcpy(joined + left.size(), right.data(), right.size());
  next_ = joined + total;
  return {joined, total};
}

absl::Status Runtime::Reserve(size_t bytes) const {
  if (bytes <= limits_.max_memory_bytes && arena_.used() + bytes <= limits_.max_memory_bytes) {
    return absl::OkStatus();
  }
  return ResourceExhausted("the template needs more than %d bytes of memory",
                           limits_.max_memory_bytes);
}

absl::Status Runtime::CheckOutput(size_t bytes) const {
  if (bytes <= limits_.max_output_bytes) return absl::OkStatus();
  return ResourceExhausted("the template writes more than %d bytes", limits_.max_output_bytes);
}

absl::Status Runtime::Exhausted() const {
  if (steps_ > limits_.max_steps) {
    return ResourceExhausted("the template takes more than %d steps", limits_.max_steps);
  }
  return Reserve(0);
}

std::span<const Value> Runtime::NewItems(std::span<const Value> items) {
  Value* copy = arena_.NewArray<Value>(items.size());
  std::copy(items.begin(), items.end(), copy);
  return {copy, items.size()};
}

Value Runtime::NewGenerator(std::span<const Value> items) {
  Value result = Value::Make(Kind::kGenerator);
  result.generator = arena_.New(Generator{NewItems(items)});
  return result;
}

absl::StatusOr<Value> Runtime::NewGenerator(const absl::StatusOr<std::vector<Value>>& items) {
  if (items.ok()) return NewGenerator(std::span<const Value>(*items));
  if (absl::IsResourceExhausted(items.status())) return items.status();
  Value result = NewGenerator(std::span<const Value>());
  result.generator->failure = arena_.Copy(std::string(items.status().message()));
  return result;
}

Value Runtime::NewDict(std::span<const Entry> entries) {
  Entry* copy = arena_.NewArray<Entry>(entries.size());
  std::copy(entries.begin(), entries.end(), copy);
  return Value::Dict({copy, entries.size()});
}

std::string_view TypeName(const Value& value) {
  switch (value.kind) {
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInteger:
    case Kind::kBigInteger:
      return "int";
    case Kind::kReal:
      return "float";
    case Kind::kString:
      return value.safe ? "Markup" : "str";
    case Kind::kList:
      return "list";
    case Kind::kTuple:
      return "tuple";
    case Kind::kDict:
      return "dict";
    case Kind::kRange:
      return "range";
    case Kind::kView:
      return "dict view";
    case Kind::kGenerator:
      return "generator";
    case Kind::kNamespace:
      return "Namespace";
    case Kind::kMacro:
      return "Macro";
    case Kind::kFunction:
      return "function";
    case Kind::kMethod:
      return "method";
    case Kind::kLoop:
      return "LoopContext";
    case Kind::kJoiner:
      return "Joiner";
  }
  return "?";
}

absl::Status UndefinedError(const Value& value) {
  return InvalidArgument("'%s' is undefined", value.view_text());
}

bool Truth(const Value& value) {
  switch (value.kind) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
      return value.boolean;
    case Kind::kInteger:
      return value.integer != 0;
    case Kind::kReal:
      return value.real != 0;
    default:
      break;
  }
  const std::optional<size_t> length = Length(value);
  return !length.has_value() || *length > 0;
}

absl::StatusOr<bool> Equal(Runtime& runtime, const Value& a, const Value& b) {
  return Comparison(runtime).Equal(a, b, 0);
}

absl::StatusOr<bool> Less(Runtime& runtime, const Value& a, const Value& b) {
  return Comparison(runtime).Less(a, b, 0);
}

absl::StatusOr<bool> LessOrEqual(Runtime& runtime, const Value& a, const Value& b) {
  ASSIGN_OR_RETURN(const bool less, Less(runtime, a, b));
  if (less) return true;
  return Equal(runtime, a, b);  // not !(b < a): with a NaN both are false
}

std::optional<size_t> Length(const Value& value) {
  switch (value.kind) {
    case Kind::kUndefined:
      return 0;
    case Kind::kString:
      return CodePoints(value.view_text());
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
      return value.size;
    case Kind::kRange:
      return value.range->count;
    case Kind::kView:
      return value.view->dict.size;
    case Kind::kLoop:
      return LoopLength(*value.loop);
    default:
      return std::nullopt;
  }
}

bool IsIterable(const Value& value) {
  return value.is(Kind::kGenerator) || value.is(Kind::kLoop) || Length(value).has_value();
}

absl::StatusOr<std::span<const Value>> Items(Runtime& runtime, const Value& value) {
  RETURN_IF_ERROR(runtime.Charge(1));
  switch (value.kind) {
    case Kind::kUndefined:
      return std::span<const Value>();
    case Kind::kGenerator: {
      Generator& generator = *value.generator;
      if (!generator.failure.empty()) return InvalidArgument("%s", generator.failure);
      const std::span<const Value> rest = generator.items.subspan(generator.next);
      generator.next = generator.items.size();
      return rest;
    }
    case Kind::kTuple:
      return std::span<const Value>(value.items, value.size);
    case Kind::kList:
      if (!value.borrowed) return std::span<const Value>(value.items, value.size);
      break;
    case Kind::kString:
    case Kind::kDict:
    case Kind::kRange:
    case Kind::kView:
      break;
    default:
      return InvalidArgument("'%s' object is not iterable", TypeName(value));
  }
  const size_t bound = value.is_string() ? value.size : *Length(value);
  RETURN_IF_ERROR(runtime.Charge(static_cast<int64_t>(bound / 16)));
  RETURN_IF_ERROR(runtime.Reserve(bound * sizeof(Value)));
  if (value.is_string()) return CharacterItems(runtime, value.view_text());
  if (value.is(Kind::kDict)) return DictItems(runtime, value, ViewObject::Side::kKeys);
  if (value.is(Kind::kView)) return DictItems(runtime, value.view->dict, value.view->side);
  Value* items = runtime.arena().NewArray<Value>(bound);
  for (size_t i = 0; i < bound; ++i) {
    items[i] = value.is(Kind::kRange) ? RangeItem(*value.range, i)
                                      : Value::FromJson(value.json->AsArray()[i]);
  }
  return std::span<const Value>(items, bound);
}

Entry DictEntry(const Value& dict, size_t i) {
  if (!dict.borrowed) return dict.entries[i];
  const Json::Member& member = dict.json->AsMembers()[i];
  return {Value::String(member.first), Value::FromJson(member.second)};
}

std::vector<Entry> DictEntries(const Value& dict) {
  std::vector<Entry> entries(dict.size);
  for (size_t i = 0; i < dict.size; ++i) entries[i] = DictEntry(dict, i);
  return entries;
}

std::optional<Value> DictFindName(const Value& dict, std::string_view name) {
  if (dict.borrowed) {
    const Json* found = dict.json->Find(name);
    if (found == nullptr) return std::nullopt;
    return Value::FromJson(*found);
  }
  for (const Entry& entry : std::span(dict.entries, dict.size)) {
    if (entry.key.is_string() && entry.key.view_text() == name) return entry.value;
  }
  return std::nullopt;
}

absl::StatusOr<std::optional<Value>> DictFind(Runtime& runtime, const Value& dict,
                                              const Value& key) {
  RETURN_IF_ERROR(CheckHashable(key));
  RETURN_IF_ERROR(runtime.Charge(static_cast<int64_t>(dict.size / 8)));
  if (key.is_string()) return DictFindName(dict, key.view_text());
  if (dict.borrowed) return std::nullopt;  // JSON has only string keys
  for (const Entry& entry : std::span(dict.entries, dict.size)) {
    ASSIGN_OR_RETURN(const bool equal, Equal(runtime, entry.key, key));
    if (equal) return entry.value;
  }
  return std::nullopt;
}

absl::Status PutEntry(Runtime& runtime, const Value& key, const Value& value,
                      std::vector<Entry>* entries) {
  RETURN_IF_ERROR(CheckHashable(key));
  for (Entry& entry : *entries) {
    ASSIGN_OR_RETURN(const bool equal, Equal(runtime, entry.key, key));
    if (!equal) continue;
    entry.value = value;
    return absl::OkStatus();
  }
  entries->push_back({key, value});
  return absl::OkStatus();
}

std::optional<Value> NamespaceFind(const NamespaceObject& space, std::string_view name) {
  for (const Entry& entry : std::span(space.entries, space.size)) {
    if (entry.key.view_text() == name) return entry.value;
  }
  return std::nullopt;
}

void NamespaceSet(Runtime& runtime, NamespaceObject* space, std::string_view name,
                  const Value& value) {
  for (Entry& entry : std::span(space->entries, space->size)) {
    if (entry.key.view_text() != name) continue;
    entry.value = value;
    return;
  }
  if (space->size == space->capacity) {
    space->capacity = std::max<size_t>(4, space->capacity * 2);
    Entry* grown = runtime.arena().NewArray<Entry>(space->capacity);
    std::copy_n(space->entries, space->size, grown);
    space->entries = grown;
  }
  space->entries[space->size++] = {Value::String(name), value};
}

Value RangeItem(const RangeObject& range, size_t i) {
  // Unsigned, since a product beyond the last item may overflow on its way.
  return Value::Integer(static_cast<int64_t>(static_cast<uint64_t>(range.start) +
                                             i * static_cast<uint64_t>(range.step)));
}

absl::StatusOr<bool> In(Runtime& runtime, const Value& item, const Value& container) {
  if (container.is_string()) {
    if (!item.is_string()) {
      return InvalidArgument("'in <string>' requires string as left operand, not %s",
                             TypeName(item));
    }
    RETURN_IF_ERROR(runtime.ChargeBytes(container.size));
    return FindText(container.view_text(), item.view_text()) != std::string_view::npos;
  }
  if (container.is(Kind::kDict)) {
    ASSIGN_OR_RETURN(const std::optional<Value> found, DictFind(runtime, container, item));
    return found.has_value();
  }
  Generator* generator = container.is(Kind::kGenerator) ? container.generator : nullptr;
  const size_t before = generator != nullptr ? generator->next : 0;
  ASSIGN_OR_RETURN(const std::span<const Value> items, Items(runtime, container));
  for (size_t i = 0; i < items.size(); ++i) {
    ASSIGN_OR_RETURN(const bool equal, Equal(runtime, items[i], item));
    if (!equal) continue;
    if (generator != nullptr) generator->next = before + i + 1;  // walked as far as the match
    return true;
  }
  return false;
}

absl::StatusOr<std::optional<Value>> Subscript(Runtime& runtime, const Value& container,
                                               const Value& key) {
  switch (container.kind) {
    case Kind::kDict: {
      if (!CheckHashable(key).ok()) return std::nullopt;
      return DictFind(runtime, container, key);
    }
    case Kind::kList:
    case Kind::kTuple: {
      const std::optional<size_t> index = IndexInto(key, container.size);
      if (!index.has_value()) return std::nullopt;
      return container.borrowed ? Value::FromJson(container.json->AsArray()[*index])
                                : container.items[*index];
    }
    case Kind::kRange: {
      const std::optional<size_t> index = IndexInto(key, container.range->count);
      if (!index.has_value()) return std::nullopt;
      return RangeItem(*container.range, *index);
    }
    case Kind::kString: {
      if (!key.is_integral()) return std::nullopt;
      RETURN_IF_ERROR(runtime.ChargeBytes(container.size));
      const std::optional<size_t> index = IndexInto(key, *Length(container));
      if (!index.has_value()) return std::nullopt;
      const size_t begin = OffsetOf(container.view_text(), *index);
      size_t end = begin;
      Decode(container.view_text(), &end);
      Value character = Value::String(container.view_text().substr(begin, end - begin));
      character.safe = container.safe;
      return character;
    }
    default:
      return std::nullopt;
  }
}

absl::StatusOr<Value> Slice(Runtime& runtime, const Value& container, const Value& start,
                            const Value& stop, const Value& step) {
  if (container.is_undefined()) return UndefinedError(container);
  if (!container.is_string() && !container.is_sequence() && !container.is(Kind::kRange)) {
    return InvalidArgument("'%s' object cannot be sliced", TypeName(container));
  }
  RETURN_IF_ERROR(runtime.ChargeBytes(container.size));
  const size_t length = *Length(container);
  ASSIGN_OR_RETURN(const SliceRange range,
                   ResolveSlice(start, stop, step, static_cast<int64_t>(length)));
  if (container.is_string()) {
    RETURN_IF_ERROR(runtime.Reserve(range.step == 1 ? 0 : container.size * sizeof(Value)));
    return SliceString(runtime, container, range, length == container.size);
  }
  if (container.is(Kind::kRange)) {
    Value result = container;
    const RangeObject& whole = *container.range;
    const auto at = [&](int64_t i) { return RangeItem(whole, static_cast<size_t>(i)).integer; };
    const auto step =
        static_cast<int64_t>(static_cast<uint64_t>(whole.step) * static_cast<uint64_t>(range.step));
    result.range = runtime.arena().New(
        RangeObject{at(range.start), at(range.stop), step, static_cast<size_t>(range.count)});
    return result;
  }
  RETURN_IF_ERROR(runtime.Charge(range.count / 16));
  RETURN_IF_ERROR(runtime.Reserve(static_cast<size_t>(range.count) * sizeof(Value)));
  Value* items = runtime.arena().NewArray<Value>(static_cast<size_t>(range.count));
  for (int64_t i = 0; i < range.count; ++i) {
    const size_t at = static_cast<size_t>(range.start + i * range.step);
    items[i] =
        container.borrowed ? Value::FromJson(container.json->AsArray()[at]) : container.items[at];
  }
  const std::span<const Value> picked(items, static_cast<size_t>(range.count));
  return container.is(Kind::kTuple) ? Value::Tuple(picked) : Value::List(picked);
}

absl::StatusOr<Value> GetAttribute(Runtime& runtime, const Value& object, std::string_view name) {
  if (object.is_undefined()) return UndefinedError(object);
  if (name.starts_with("__")) return Value::Undefined(name);  // the sandbox shows no internals
  if (object.is(Kind::kNamespace)) {
    return NamespaceFind(*object.space, name).value_or(Value::Undefined(name));
  }
  if (object.is(Kind::kLoop)) return LoopAttribute(runtime, object, name);
  if (object.is(Kind::kMacro) && name == "name") return MacroName(*object.macro);
  ASSIGN_OR_RETURN(const std::optional<Value> method, FindMethod(runtime, object, name));
  if (method.has_value()) return *method;
  if (object.is(Kind::kDict)) {
    RETURN_IF_ERROR(runtime.Charge(static_cast<int64_t>(object.size / 8)));
    return DictFindName(object, name).value_or(Value::Undefined(name));
  }
  return Value::Undefined(name);
}

absl::StatusOr<Value> GetItem(Runtime& runtime, const Value& object, const Value& key) {
  if (object.is_undefined()) return UndefinedError(object);
  ASSIGN_OR_RETURN(const std::optional<Value> found, Subscript(runtime, object, key));
  if (found.has_value()) return *found;
  if (!key.is_string()) return Value::Undefined("element");
  if (object.is(Kind::kDict)) {
    // Not GetAttribute: the key was just looked for.
    ASSIGN_OR_RETURN(const std::optional<Value> method,
                     FindMethod(runtime, object, key.view_text()));
    return method.value_or(Value::Undefined(key.view_text()));
  }
  return GetAttribute(runtime, object, key.view_text());
}

absl::StatusOr<Value> GetPath(Runtime& runtime, const Value& object, const Value& path,
                              const Value* missing) {
  Value at = object;
  if (path.is(Kind::kNone)) return at;
  if (!path.is_string()) {
    ASSIGN_OR_RETURN(at, GetItem(runtime, at, path));
    return missing != nullptr && at.is_undefined() ? *missing : at;
  }
  for (const std::string_view part : Split(path.view_text(), '.')) {
    const bool digits = !part.empty() && part.find_first_not_of("0123456789") == part.npos;
    const std::optional<int64_t> index = digits ? ParseInt(part) : std::nullopt;
    ASSIGN_OR_RETURN(at,
                     GetItem(runtime, at, index ? Value::Integer(*index) : Value::String(part)));
    if (missing != nullptr && at.is_undefined()) at = *missing;
  }
  return at;
}

}  // namespace assay::jinja
