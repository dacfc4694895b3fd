// A value is read into one small form first; then two of them are compared.
#include "graders/code/values.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "harness/status.h"
#include "harness/text.h"

namespace assay::code {
namespace {

struct Value {
  enum class Kind { kNull, kInteger, kReal, kText, kBytes, kList, kSet, kDict, kComplex, kOther };
  Kind kind = Kind::kNull;
  std::string text;            // of kText, kBytes; the digits of kInteger; the shape of kOther
  double real = 0;             // of kReal, and of kInteger as near as it gets
  std::vector<Value> members;  // of a dictionary: key, value, key, value
};

constexpr const char* kTags[] = {"float",   "tuple", "set",     "frozenset", "bytes",
                                 "complex", "range", "dict",    "deque",     "counter",
                                 "ordered", "view",  "iterator"};

const Json::Member* TagOf(const Json& json) {
  if (!json.is_object() || json.size() != 1) return nullptr;
  const Json::Member& member = json.AsMembers()[0];
  const auto found = std::find(std::begin(kTags), std::end(kTags), member.first);
  return found == std::end(kTags) ? nullptr : &member;
}

double RealOf(const Json& body) {
  const std::string text = ToLowerAscii(body.ToText());
  if (text == "inf") return HUGE_VAL;
  if (text == "-inf") return -HUGE_VAL;
  return ParseDouble(text).value_or(std::nan(""));
}

Value Read(const Json& json);

Value ReadMembers(Value::Kind kind, const Json& list) {
  Value value;
  value.kind = list.is_array() ? kind : Value::Kind::kOther;
  if (!list.is_array()) return value;
  for (const Json& member : list.AsArray()) value.members.push_back(Read(member));
  return value;
}

Value ReadPairs(const Json& pairs) {
  Value value;
  value.kind = Value::Kind::kDict;
  if (!pairs.is_array()) return value;
  for (const Json& pair : pairs.AsArray()) {
    if (!pair.is_array() || pair.size() != 2) continue;
    value.members.push_back(Read(pair.AsArray()[0]));
    value.members.push_back(Read(pair.AsArray()[1]));
  }
  return value;
}

Value ReadTagged(const std::string& tag, const Json& body) {
  Value value;
  if (tag == "float") {
    value.kind = Value::Kind::kReal;
    value.real = RealOf(body);
    return value;
  }
  if (tag == "bytes") {
    value.kind = Value::Kind::kBytes;
    value.text = body.ToText();
    return value;
  }
  if (tag == "dict" || tag == "counter" || tag == "ordered") return ReadPairs(body);
  if (tag == "set" || tag == "frozenset") return ReadMembers(Value::Kind::kSet, body);
  if (tag == "tuple" || tag == "deque" || tag == "view" || tag == "iterator")
    return ReadMembers(Value::Kind::kList, body);
  value.kind = Value::Kind::kOther;
  value.text = tag + body.Dump();
  return value;
}

Value ReadNumber(const Json& json) {
  Value value;
  const std::string text = json.ToText();
  const bool integer = text.find_first_of(".eE") == std::string::npos;
  value.kind = integer ? Value::Kind::kInteger : Value::Kind::kReal;
  value.real = json.AsNumber();
  if (integer) value.text = text == "-0" ? "0" : text;
  return value;
}

Value Read(const Json& json) {
  Value value;
  switch (json.kind()) {
    case Json::Kind::kNull:
      return value;
    case Json::Kind::kBool:
      value.kind = Value::Kind::kInteger;
      value.real = json.AsBool() ? 1 : 0;
      value.text = json.AsBool() ? "1" : "0";
      return value;
    case Json::Kind::kInteger:
    case Json::Kind::kReal:
      return ReadNumber(json);
    case Json::Kind::kString:
      value.kind = Value::Kind::kText;
      value.text = json.AsString();
      return value;
    case Json::Kind::kArray:
      return ReadMembers(Value::Kind::kList, json);
    case Json::Kind::kObject:
      break;
  }
  if (const Json::Member* tag = TagOf(json)) return ReadTagged(tag->first, tag->second);
  value.kind = Value::Kind::kDict;
  for (const Json::Member& member : json.AsMembers()) {
    value.members.push_back(Read(Json(member.first)));
    value.members.push_back(Read(member.second));
  }
  return value;
}

bool IsNumber(const Value& value) {
  return value.kind == Value::Kind::kInteger || value.kind == Value::Kind::kReal;
}

bool SameNumber(const Value& found, const Value& wanted, const Checker& checker) {
  const bool integers = found.kind == Value::Kind::kInteger && wanted.kind == Value::Kind::kInteger;
  if (integers) return found.text == wanted.text;
  if (checker.comparison == Comparison::kFloats)
    return NearlyEqual(wanted.real, found.real, checker.absolute, checker.relative);
  return found.real == wanted.real;
}

bool Same(const Value& found, const Value& wanted, const Checker& checker);

// Each member of one is in the other, whatever the order; quadratic, and sets of tests are small.
bool SameUnordered(const Value& found, const Value& wanted, size_t step, const Checker& checker) {
  if (found.members.size() != wanted.members.size()) return false;
  std::vector<bool> used(wanted.members.size());
  for (size_t i = 0; i < found.members.size(); i += step) {
    bool matched = false;
    for (size_t k = 0; k < wanted.members.size() && !matched; k += step) {
      if (used[k] || !Same(found.members[i], wanted.members[k], checker)) continue;
      if (step == 2 && !Same(found.members[i + 1], wanted.members[k + 1], checker)) continue;
      used[k] = matched = true;
    }
    if (!matched) return false;
  }
  return true;
}

bool Same(const Value& found, const Value& wanted, const Checker& checker) {
  if (IsNumber(found) && IsNumber(wanted)) return SameNumber(found, wanted, checker);
  if (found.kind != wanted.kind) return false;
  switch (found.kind) {
    case Value::Kind::kList:
      return found.members.size() == wanted.members.size() &&
             std::equal(found.members.begin(), found.members.end(), wanted.members.begin(),
                        [&](const Value& a, const Value& b) { return Same(a, b, checker); });
    case Value::Kind::kSet:
      return SameUnordered(found, wanted, 1, checker);
    case Value::Kind::kDict:
      return SameUnordered(found, wanted, 2, checker);
    default:
      return found.text == wanted.text;
  }
}

void Show(const Value& value, std::string* out) {
  const auto list = [&](const char* open, const char* close, size_t step) {
    *out += open;
    for (size_t i = 0; i < value.members.size() && out->size() < 2000; i += step) {
      if (i > 0) *out += ", ";
      Show(value.members[i], out);
      if (step == 1) continue;
      *out += ": ";
      Show(value.members[i + 1], out);
    }
    *out += close;
  };
  switch (value.kind) {
    case Value::Kind::kNull:
      *out += "None";
      return;
    case Value::Kind::kReal:
      *out += absl::StrFormat("%.17g", value.real);
      return;
    case Value::Kind::kText:
      AppendJsonString(value.text, out);
      return;
    case Value::Kind::kList:
      return list("[", "]", 1);
    case Value::Kind::kSet:
      return list("{", "}", 1);
    case Value::Kind::kDict:
      return list("{", "}", 2);
    default:
      *out += value.text;
  }
}

}  // namespace

bool SameValue(const Json& found, const Json& expected, const Checker& checker) {
  return Same(Read(found), Read(expected), checker);
}

std::string ShowValue(const Json& value) {
  std::string text;
  Show(Read(value), &text);
  return text;
}

}  // namespace assay::code
