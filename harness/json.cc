// The only file that includes nlohmann/json, which says what is wrong with a text and writes
// numbers.
//
// Texts are read by JsonScanner, some ten times faster. Whatever it does not take, or would have to
// mend, is read again by the package: that one decides, and its errors are shown.
#include "harness/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "harness/json_scanner.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

// The last of several members of one name stays, at the first one's place, as in Python.
// Near-linear: a hostile reply may hold a million members. Returns a name that was repeated.
std::optional<std::string> DropRepeats(Json::Members* members) {
  std::map<std::string_view, size_t> last;
  for (size_t i = 0; i < members->size(); ++i) last[(*members)[i].first] = i;
  if (last.size() == members->size()) return std::nullopt;
  Json::Members kept;
  std::optional<std::string> repeated;
  for (const Json::Member& member : *members) {
    const auto found = last.find(member.first);
    if (found == last.end()) {
      repeated = member.first;
      continue;
    }
    kept.push_back((*members)[found->second]);
    last.erase(found);
  }
  *members = std::move(kept);
  return repeated;
}

// Builds a Json bottom-up; `open_` holds the containers not yet closed.
class Builder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Builder(const JsonLimits& limits) : limits_(limits) {}

  bool null() override { return Put(Json()); }
  bool boolean(bool value) override { return Put(Json(value)); }
  bool number_integer(number_integer_t value) override { return Put(Json(int64_t{value})); }
  bool number_unsigned(number_unsigned_t value) override { return Put(Json(uint64_t{value})); }
  bool number_float(number_float_t value, const string_t& text) override {
    return Put(Json::MakeNumber(value, text));
  }
  bool string(string_t& value) override { return Put(Json(std::move(value))); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return Open(Json::MakeObject()); }
  bool start_array(std::size_t) override { return Open(Json::MakeArray()); }
  bool key(string_t& name) override {
    open_.back().key = std::move(name);
    return true;
  }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    error_position_ = position;
    const std::string_view what = error.what();
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ..." -> from
    // "syntax error".
    const size_t colon = what.find(": ");
    error_ = std::string(colon == std::string_view::npos ? what : what.substr(colon + 2));
    return false;
  }

  Json Take() { return std::move(root_); }
  const std::string& error() const { return error_; }
  size_t error_position() const { return error_position_; }

 private:
  struct Frame {
    Json container;
    std::string key;
  };

  bool Put(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (Frame& top = open_.back(); top.container.is_array()) {
      top.container.Append(std::move(value));
    } else {
      top.container.AsMembers().emplace_back(std::move(top.key), std::move(value));
    }
    return true;
  }
  bool Open(Json container) {
    if (static_cast<int>(open_.size()) >= limits_.max_depth) {
      error_ = absl::StrFormat("nested deeper than %d", limits_.max_depth);
      return false;
    }
    open_.push_back({std::move(container), {}});
    return true;
  }
  bool Close() {
    Json done = std::move(open_.back().container);
    open_.pop_back();
    if (!done.is_object()) return Put(std::move(done));
    const std::optional<std::string> repeated = DropRepeats(&done.AsMembers());
    if (repeated && !limits_.allow_repeated_names) {
      error_ =
          absl::StrFormat("'%s' stands twice in one object", Printable(Shorten(*repeated, 100)));
      return false;
    }
    return Put(std::move(done));
  }

  const JsonLimits& limits_;
  Json root_;
  std::vector<Frame> open_;
  std::string error_;
  size_t error_position_ = 0;
};

// Reads with the scanner; false: let the package look.
class FastReader {
 public:
  FastReader(std::string_view text, const JsonLimits& limits) : scanner_(text, limits.max_depth) {}

  bool Read(Json* value) { return Value(value) && scanner_.Finish().ok() && !scanner_.repaired(); }

 private:
  bool Value(Json* value) {
    switch (scanner_.Peek()) {
      case '{':
        return Object(value);
      case '[':
        return Array(value);
      case '"': {
        std::string text;
        if (!scanner_.ReadString(&text)) return false;
        *value = Json(std::move(text));
        return true;
      }
      case 't':
      case 'f':
        *value = Json(scanner_.Peek() == 't');
        return scanner_.Skip();
      case 'n':
        *value = Json();
        return scanner_.Skip();
      default:
        return Number(value);
    }
  }

  bool Object(Json* value) {
    Json object = Json::MakeObject();
    Json::Members& members = object.AsMembers();
    std::string name;
    if (!scanner_.BeginObject()) return false;
    while (scanner_.NextMember(&name)) {
      members.emplace_back(std::move(name), Json());
      if (!Value(&members.back().second)) return false;
    }
    if (scanner_.failed() || HasRepeats(members)) return false;
    *value = std::move(object);
    return true;
  }

  bool Array(Json* value) {
    Json::Array values;
    if (!scanner_.BeginArray()) return false;
    while (scanner_.NextElement()) {
      if (!Value(&values.emplace_back())) return false;
    }
    if (scanner_.failed()) return false;
    *value = Json(std::move(values));
    return true;
  }

  // Few members are compared each with each; many are left to the package.
  static bool HasRepeats(const Json::Members& members) {
    constexpr size_t kFew = 64;
    if (members.size() > kFew) return true;
    for (size_t i = 1; i < members.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        if (members[i].first == members[j].first) return true;
      }
    }
    return false;
  }

  bool Number(Json* value) {
    const std::string_view text = scanner_.Raw();
    if (scanner_.failed() || text.empty()) return false;
    int64_t integer = 0;
    const char* end = text.data() + text.size();
    auto read = std::from_chars(text.data(), end, integer);
    if (read.ec == std::errc() && read.ptr == end) {
      *value = Json(integer);
      return true;
    }
    double real = 0;
    read = std::from_chars(text.data(), end, real);
    if (read.ec != std::errc() || read.ptr != end) return false;  // too large, or too near 0
    *value = Json::MakeNumber(real, std::string(text));
    return true;
  }

  JsonScanner scanner_;
};

// Copies in runs: most bytes of a text need no escape.
void DumpString(std::string_view text, std::string* out) {
  static constexpr char kHex[] = "0123456789abcdef";
  out->push_back('"');
  size_t run = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out->append(text, run, i - run);
    run = i + 1;
    out->push_back('\\');
    static constexpr std::string_view kShort = "\"\"\\\\\nn\rr\tt\bb\ff";  // pairs
    size_t pair = 0;
    while (pair < kShort.size() && static_cast<unsigned char>(kShort[pair]) != c) pair += 2;
    if (pair < kShort.size()) {
      out->push_back(kShort[pair + 1]);
    } else {
      *out += "u00";
      out->push_back(kHex[c >> 4]);
      out->push_back(kHex[c & 0xF]);
    }
  }
  out->append(text, run);
  out->push_back('"');
}

std::string RealText(double value) {
  if (!std::isfinite(value)) return "null";
  return nlohmann::json(value).dump();
}

void NewLine(int indent, int depth, std::string* out) {
  if (indent < 0) return;
  out->push_back('\n');
  out->append(static_cast<size_t>(indent) * static_cast<size_t>(depth), ' ');
}

void DumpTo(const Json& value, int indent, int depth, std::string* out);

void DumpArray(const Json::Array& values, int indent, int depth, std::string* out) {
  out->push_back('[');
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out->push_back(',');
    NewLine(indent, depth + 1, out);
    DumpTo(values[i], indent, depth + 1, out);
  }
  if (!values.empty()) NewLine(indent, depth, out);
  out->push_back(']');
}

void DumpObject(const Json::Members& members, int indent, int depth, std::string* out) {
  out->push_back('{');
  for (size_t i = 0; i < members.size(); ++i) {
    if (i > 0) out->push_back(',');
    NewLine(indent, depth + 1, out);
    DumpString(ToValidUtf8(members[i].first), out);
    *out += indent < 0 ? ":" : ": ";
    DumpTo(members[i].second, indent, depth + 1, out);
  }
  if (!members.empty()) NewLine(indent, depth, out);
  out->push_back('}');
}

void DumpTo(const Json& value, int indent, int depth, std::string* out) {
  switch (value.kind()) {
    case Json::Kind::kString:
      return DumpString(ToValidUtf8(value.AsString()), out);
    case Json::Kind::kArray:
      return DumpArray(value.AsArray(), indent, depth, out);
    case Json::Kind::kObject:
      return DumpObject(value.AsMembers(), indent, depth, out);
    case Json::Kind::kNull:
      *out += "null";
      return;
    case Json::Kind::kBool:
      *out += value.AsBool() ? "true" : "false";
      return;
    case Json::Kind::kInteger:
    case Json::Kind::kReal:
      *out += value.ToText();
      return;
  }
}

absl::Status ParseError(std::string_view text, size_t position, std::string_view what) {
  const std::string_view before =
      text.substr(0, std::min(position > 0 ? position - 1 : 0, text.size()));
  size_t line = 1, column = 1;
  for (const char c : before) {
    column = c == '\n' ? 1 : column + 1;
    line += c == '\n' ? 1 : 0;
  }
  return InvalidArgument("JSON, line %d column %d: %s", line, column, what);
}

}  // namespace

Json::Json(uint64_t value) {
  if (value <= static_cast<uint64_t>(INT64_MAX)) {
    value_ = static_cast<int64_t>(value);
  } else {
    value_ = Real{static_cast<double>(value), std::to_string(value)};
  }
}

Json Json::MakeObject(std::initializer_list<Member> members) {
  Json object;
  object.value_ = Object{Members(members)};
  return object;
}

Json Json::MakeNumber(double value, std::string text) {
  Json number;
  number.value_ = Real{value, std::move(text)};
  return number;
}

bool Json::AsBool() const {
  CHECK(is_bool());
  return std::get<bool>(value_);
}

int64_t Json::AsInteger() const {
  CHECK(is_integer());
  return std::get<int64_t>(value_);
}

double Json::AsNumber() const {
  CHECK(is_number());
  return is_integer() ? static_cast<double>(std::get<int64_t>(value_))
                      : std::get<Real>(value_).value;
}

const std::string& Json::AsString() const {
  CHECK(is_string());
  return std::get<std::string>(value_);
}

const Json::Array& Json::AsArray() const {
  CHECK(is_array());
  return std::get<Array>(value_);
}

Json::Array& Json::AsArray() {
  CHECK(is_array());
  return std::get<Array>(value_);
}

const Json::Members& Json::AsMembers() const {
  CHECK(is_object());
  return std::get<Object>(value_).members;
}

Json::Members& Json::AsMembers() {
  CHECK(is_object());
  return std::get<Object>(value_).members;
}

const std::string* Json::NumberText() const {
  const Real* real = std::get_if<Real>(&value_);
  return real != nullptr && !real->text.empty() ? &real->text : nullptr;
}

std::string Json::ToText() const {
  switch (kind()) {
    case Kind::kString:
      return AsString();
    case Kind::kInteger:
      return std::to_string(AsInteger());
    case Kind::kReal: {
      const Real& real = std::get<Real>(value_);
      return real.text.empty() ? RealText(real.value) : real.text;
    }
    default:
      return Dump();
  }
}

const Json* Json::Find(std::string_view name) const {
  if (!is_object()) return nullptr;
  for (const Member& member : AsMembers()) {
    if (member.first == name) return &member.second;
  }
  return nullptr;
}

Json* Json::Find(std::string_view name) {
  return const_cast<Json*>(static_cast<const Json*>(this)->Find(name));
}

std::optional<std::string> Json::FindString(std::string_view name) const {
  const Json* found = Find(name);
  if (found == nullptr || !found->is_string()) return std::nullopt;
  return found->AsString();
}

std::optional<int64_t> Json::FindInteger(std::string_view name) const {
  const Json* found = Find(name);
  if (found == nullptr || !found->is_integer()) return std::nullopt;
  return found->AsInteger();
}

std::optional<double> Json::FindNumber(std::string_view name) const {
  const Json* found = Find(name);
  if (found == nullptr || !found->is_number()) return std::nullopt;
  return found->AsNumber();
}

std::optional<bool> Json::FindBool(std::string_view name) const {
  const Json* found = Find(name);
  if (found == nullptr || !found->is_bool()) return std::nullopt;
  return found->AsBool();
}

Json& Json::Set(std::string_view name, Json value) {
  if (is_null()) value_ = Object{};
  if (Json* found = Find(name)) return *found = std::move(value);
  Members& members = AsMembers();
  members.emplace_back(std::string(name), std::move(value));
  return members.back().second;
}

void Json::Append(Json value) {
  if (is_null()) value_ = Array{};
  AsArray().push_back(std::move(value));
}

size_t Json::size() const {
  if (is_array()) return AsArray().size();
  if (is_object()) return AsMembers().size();
  return 0;
}

std::string Json::Dump(int indent) const {
  std::string out;
  DumpTo(*this, indent, 0, &out);
  return out;
}

bool operator==(const Json& a, const Json& b) {
  if (a.is_number() && b.is_number()) {
    if (a.is_integer() && b.is_integer()) return a.AsInteger() == b.AsInteger();
    return a.AsNumber() == b.AsNumber();
  }
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Json::Kind::kBool:
      return a.AsBool() == b.AsBool();
    case Json::Kind::kString:
      return a.AsString() == b.AsString();
    case Json::Kind::kArray:
      return a.AsArray() == b.AsArray();
    case Json::Kind::kObject:
      return a.AsMembers() == b.AsMembers();
    default:
      return true;
  }
}

absl::StatusOr<Json> ParseJson(std::string_view text, const JsonLimits& limits) {
  Json fast;
  if (FastReader(text, limits).Read(&fast)) return fast;
  // The package takes a zero byte for the end of the text and would ignore what follows it.
  if (const size_t zero = text.find('\0'); zero != text.npos) {
    return ParseError(text, zero + 1, "a zero byte");
  }
  if (const std::optional<size_t> bad = FirstInvalidUtf8(text)) {
    return ParseError(text, *bad + 1, "not valid UTF-8");
  }
  Builder builder(limits);
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder)) {
    const std::string what = builder.error().empty() ? "not JSON" : builder.error();
    // Told by our own limits, which know no place.
    if (builder.error_position() == 0) return InvalidArgument("%s", what);
    return ParseError(text, builder.error_position(), what);
  }
  return builder.Take();
}

std::string_view KindName(const Json& value) {
  static constexpr std::string_view kNames[] = {"null",   "boolean", "integer", "number",
                                                "string", "array",   "object"};
  return kNames[static_cast<size_t>(value.kind())];
}

void AppendJsonString(std::string_view text, std::string* out) {
  if (FirstInvalidUtf8(text)) return DumpString(ToValidUtf8(text), out);
  DumpString(text, out);
}

}  // namespace assay
