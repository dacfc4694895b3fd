// A JSON value, and reading and writing it; keeps json.hpp out of every other file.
//
// Objects keep the order of their members. Numbers keep the text they were read from, so that
// "0.10" and a 30-digit integer lose nothing. Plain values: copying copies; not for sharing between
// threads while changed.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"

namespace assay {

class Json {
 public:
  enum class Kind { kNull, kBool, kInteger, kReal, kString, kArray, kObject };
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Members = std::vector<Member>;

  Json() = default;                                        // null
  Json(std::nullptr_t) {}                                  // NOLINT(google-explicit-constructor)
  Json(bool value) : value_(value) {}                      // NOLINT(google-explicit-constructor)
  Json(int value) : value_(int64_t{value}) {}              // NOLINT(google-explicit-constructor)
  Json(int64_t value) : value_(value) {}                   // NOLINT(google-explicit-constructor)
  Json(uint64_t value);                                    // NOLINT(google-explicit-constructor)
  Json(double value) : value_(Real{value, {}}) {}          // NOLINT(google-explicit-constructor)
  Json(const char* value) : value_(std::string(value)) {}  // NOLINT(google-explicit-constructor)
  Json(std::string value) : value_(std::move(value)) {}    // NOLINT(google-explicit-constructor)
  // NOLINTNEXTLINE(google-explicit-constructor)
  Json(std::string_view value) : value_(std::string(value)) {}
  Json(Array value) : value_(std::move(value)) {}  // NOLINT(google-explicit-constructor)

  static Json MakeArray() { return Json(Array{}); }
  static Json MakeObject(std::initializer_list<Member> members = {});
  // A number outside int64, or a real: its value and the text to write it with.
  static Json MakeNumber(double value, std::string text);

  Kind kind() const { return static_cast<Kind>(value_.index()); }
  bool is_null() const { return kind() == Kind::kNull; }
  bool is_bool() const { return kind() == Kind::kBool; }
  bool is_integer() const { return kind() == Kind::kInteger; }
  bool is_number() const { return kind() == Kind::kInteger || kind() == Kind::kReal; }
  bool is_string() const { return kind() == Kind::kString; }
  bool is_array() const { return kind() == Kind::kArray; }
  bool is_object() const { return kind() == Kind::kObject; }

  // Each CHECKs the kind.
  bool AsBool() const;
  int64_t AsInteger() const;
  double AsNumber() const;  // of either kind of number
  const std::string& AsString() const;
  const Array& AsArray() const;
  Array& AsArray();
  const Members& AsMembers() const;
  Members& AsMembers();

  // The text that a number was read from, or nullptr where it was not read (or is an int64).
  const std::string* NumberText() const;

  // A string as it is, a number as it was written, true/false; anything else as JSON text.
  std::string ToText() const;

  // The member of that name, or nullptr (also where this is no object). Last wins in duplicates, as
  // when read.
  const Json* Find(std::string_view name) const;
  Json* Find(std::string_view name);
  // The member's value if it is there and of that kind, else nothing.
  std::optional<std::string> FindString(std::string_view name) const;
  std::optional<int64_t> FindInteger(std::string_view name) const;
  std::optional<double> FindNumber(std::string_view name) const;
  std::optional<bool> FindBool(std::string_view name) const;
  // Sets or replaces a member; a null becomes an object first. CHECKs otherwise. Returns the value
  // set.
  Json& Set(std::string_view name, Json value);
  void Append(Json value);  // a null becomes an array first
  size_t size() const;      // of an array or object; 0 otherwise

  // indent < 0: one line, no blanks. Invalid UTF-8 is written as U+FFFD. Non-ASCII is kept. NaN and
  // infinity become null.
  std::string Dump(int indent = -1) const;

  friend bool operator==(const Json& a, const Json& b);

 private:
  struct Real {
    double value;
    std::string text;  // as read; empty: shortest that round-trips
  };
  struct Object {
    Members members;
  };
  std::variant<std::monostate, bool, int64_t, Real, std::string, Array, Object> value_;
};

struct JsonLimits {
  int max_depth = 200;
  // True: the last of several members of one name wins, as in Python. False: they are an error.
  bool allow_repeated_names = true;
};

// One JSON text. The error says the byte, line and column, and what was wanted. `text` must be
// UTF-8.
absl::StatusOr<Json> ParseJson(std::string_view text, const JsonLimits& limits = {});

// `text` between quotes, escaped as Dump does: for requests written without building a value.
void AppendJsonString(std::string_view text, std::string* out);

// "null", "boolean", "integer", "number", "string", "array", "object": for error messages.
std::string_view KindName(const Json& value);

}  // namespace assay
