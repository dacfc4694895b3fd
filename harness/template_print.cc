// str(), repr() and json.dumps() of template values, byte for byte as Python writes them.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "harness/status.h"
#include "harness/template_builtins.h"
#include "harness/template_text.h"
#include "harness/template_value.h"
#include "harness/text.h"

namespace assay::jinja {
namespace {

constexpr int kMaxPrintDepth = 250;

class Printer {
 public:
  Printer(Runtime& runtime, std::string* out) : runtime_(runtime), out_(*out) {}

  absl::Status Text(const Value& value) {
    if (value.is_undefined()) return absl::OkStatus();
    if (value.is_string()) {
      out_ += value.view_text();
      return absl::OkStatus();
    }
    return Repr(value, 0);
  }

  absl::Status Repr(const Value& value, int depth) {
    RETURN_IF_ERROR(Spend(depth));
    switch (value.kind) {
      case Kind::kUndefined:
        out_ += "Undefined";
        break;
      case Kind::kNone:
        out_ += "None";
        break;
      case Kind::kBool:
        out_ += value.boolean ? "True" : "False";
        break;
      case Kind::kInteger:
        out_ += std::to_string(value.integer);
        break;
      case Kind::kBigInteger:
        out_ += value.view_text();
        break;
      case Kind::kReal:
        out_ += RealRepr(value.real);
        break;
      case Kind::kString:
        if (value.safe) out_ += "Markup(";
        AppendStringRepr(value.view_text(), &out_);
        if (value.safe) out_ += ")";
        break;
      case Kind::kList:
        return Sequence(value, "[", "]", depth);
      case Kind::kTuple:
        return Sequence(value, "(", value.size == 1 ? ",)" : ")", depth);
      case Kind::kDict:
        return Dict(DictEntries(value), depth);
      case Kind::kRange:
        return Range(*value.range);
      case Kind::kView:
        return View(*value.view, depth);
      case Kind::kNamespace:
        out_ += "<Namespace ";
        RETURN_IF_ERROR(
            Dict({value.space->entries, value.space->entries + value.space->size}, depth));
        out_ += ">";
        break;
      case Kind::kMacro:
        out_ += "<Macro ";
        AppendStringRepr(MacroName(*value.macro).view_text(), &out_);
        out_ += ">";
        break;
      case Kind::kLoop:
        out_ += LoopRepr(*value.loop);
        break;
      case Kind::kGenerator:
      case Kind::kFunction:
      case Kind::kMethod:
      case Kind::kJoiner:
        // Python would print an address, which no two runs share.
        return InvalidArgument("cannot print a %s (for a generator, |list comes first)",
                               TypeName(value));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Spend(int depth) {
    if (depth > kMaxPrintDepth) {
      return ResourceExhausted("cannot print a value nested deeper than %d", kMaxPrintDepth);
    }
    RETURN_IF_ERROR(runtime_.Charge(1));
    return runtime_.CheckOutput(out_.size());
  }

  absl::Status Sequence(const Value& value, std::string_view open, std::string_view close,
                        int depth) {
    ASSIGN_OR_RETURN(const std::span<const Value> items, Items(runtime_, value));
    out_ += open;
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += ", ";
      RETURN_IF_ERROR(Repr(items[i], depth + 1));
    }
    out_ += close;
    return absl::OkStatus();
  }

  absl::Status Dict(const std::vector<Entry>& entries, int depth) {
    out_ += "{";
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i > 0) out_ += ", ";
      RETURN_IF_ERROR(Repr(entries[i].key, depth + 1));
      out_ += ": ";
      RETURN_IF_ERROR(Repr(entries[i].value, depth + 1));
    }
    out_ += "}";
    return absl::OkStatus();
  }

  absl::Status Range(const RangeObject& range) {
    out_ += absl::StrFormat("range(%d, %d", range.start, range.stop);
    out_ += range.step == 1 ? ")" : absl::StrFormat(", %d)", range.step);
    return absl::OkStatus();
  }

  absl::Status View(const ViewObject& view, int depth) {
    static constexpr std::string_view kNames[] = {"dict_keys(", "dict_values(", "dict_items("};
    out_ += kNames[static_cast<size_t>(view.side)];
    Value whole = Value::Make(Kind::kView);
    whole.view = &view;
    ASSIGN_OR_RETURN(const std::span<const Value> items, Items(runtime_, whole));
    RETURN_IF_ERROR(Sequence(Value::List(items), "[", "])", depth));
    return absl::OkStatus();
  }

  Runtime& runtime_;
  std::string& out_;
};

void AppendEscapedUnit(uint32_t unit, std::string* out) {
  out->append(absl::StrFormat("\\u%04x", unit));
}

void AppendJsonString(std::string_view text, bool ascii, std::string* out) {
  out->push_back('"');
  for (size_t i = 0; i < text.size();) {
    const size_t begin = i;
    const char32_t c = Decode(text, &i);
    static constexpr std::string_view kNamed = "\"\"\\\\\nn\rr\tt\bb\ff";
    const size_t named = c < 0x80 ? kNamed.find(static_cast<char>(c)) : std::string_view::npos;
    if (named != std::string_view::npos && named % 2 == 0) {
      out->push_back('\\');
      out->push_back(kNamed[named + 1]);
    } else if (c < 0x20) {
      AppendEscapedUnit(c, out);
    } else if (c < 0x80 || !ascii) {
      *out += text.substr(begin, i - begin);
    } else if (c < 0x10000) {
      AppendEscapedUnit(c, out);
    } else {
      AppendEscapedUnit(0xD800 + ((c - 0x10000) >> 10), out);
      AppendEscapedUnit(0xDC00 + ((c - 0x10000) & 0x3FF), out);
    }
  }
  out->push_back('"');
}

std::string JsonReal(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  return RealRepr(value);
}

class JsonWriter {
 public:
  JsonWriter(Runtime& runtime, const JsonStyle& style, std::string* out)
      : runtime_(runtime), style_(style), out_(*out) {}

  absl::Status Write(const Value& value, int depth) {
    RETURN_IF_ERROR(runtime_.Charge(1));
    RETURN_IF_ERROR(runtime_.CheckOutput(out_.size()));
    if (depth > kMaxPrintDepth) {
      return ResourceExhausted("tojson: a value is nested deeper than %d", kMaxPrintDepth);
    }
    switch (value.kind) {
      case Kind::kNone:
        out_ += "null";
        return absl::OkStatus();
      case Kind::kBool:
        out_ += value.boolean ? "true" : "false";
        return absl::OkStatus();
      case Kind::kInteger:
        out_ += std::to_string(value.integer);
        return absl::OkStatus();
      case Kind::kBigInteger:
        out_ += value.view_text();
        return absl::OkStatus();
      case Kind::kReal:
        out_ += JsonReal(value.real);
        return absl::OkStatus();
      case Kind::kString:
        AppendJsonString(value.view_text(), style_.ascii, &out_);
        return absl::OkStatus();
      case Kind::kList:
      case Kind::kTuple:
        return WriteSequence(value, depth);
      case Kind::kDict:
        return WriteDict(value, depth);
      default:
        return InvalidArgument("tojson: object of type %s is not JSON serializable",
                               TypeName(value));
    }
  }

 private:
  absl::Status WriteSequence(const Value& value, int depth) {
    ASSIGN_OR_RETURN(const std::span<const Value> items, Items(runtime_, value));
    out_ += "[";
    for (size_t i = 0; i < items.size(); ++i) {
      Separate(i, depth);
      RETURN_IF_ERROR(Write(items[i], depth + 1));
    }
    if (!items.empty()) NewLine(depth);
    out_ += "]";
    return absl::OkStatus();
  }

  absl::Status WriteDict(const Value& value, int depth) {
    std::vector<Entry> entries = DictEntries(value);
    if (style_.sort_keys) RETURN_IF_ERROR(SortByKey(&entries));
    out_ += "{";
    for (size_t i = 0; i < entries.size(); ++i) {
      Separate(i, depth);
      RETURN_IF_ERROR(WriteKey(entries[i].key));
      out_ += style_.key_separator;
      RETURN_IF_ERROR(Write(entries[i].value, depth + 1));
    }
    if (!entries.empty()) NewLine(depth);
    out_ += "}";
    return absl::OkStatus();
  }

  absl::Status WriteKey(const Value& key) {
    if (key.is_string()) {
      AppendJsonString(key.view_text(), style_.ascii, &out_);
      return absl::OkStatus();
    }
    if (!key.is_number() && !key.is(Kind::kBigInteger) && !key.is(Kind::kNone)) {
      return InvalidArgument("tojson: keys must be str, int, float, bool or None, not %s",
                             TypeName(key));
    }
    out_ += "\"";
    RETURN_IF_ERROR(Write(key, 0));
    out_ += "\"";
    return absl::OkStatus();
  }

  absl::Status SortByKey(std::vector<Entry>* entries) {
    absl::Status failure;
    std::stable_sort(entries->begin(), entries->end(), [&](const Entry& a, const Entry& b) {
      if (!failure.ok()) return false;
      const absl::StatusOr<bool> less = Less(runtime_, a.key, b.key);
      if (!less.ok()) failure = less.status();
      return less.ok() && *less;
    });
    return failure;
  }

  void Separate(size_t i, int depth) {
    if (i > 0) out_ += style_.item_separator;
    NewLine(depth + 1);
  }
  void NewLine(int depth) {
    if (!style_.indent.has_value()) return;
    out_ += "\n";
    for (int i = 0; i < depth; ++i) out_ += *style_.indent;
  }

  Runtime& runtime_;
  const JsonStyle& style_;
  std::string& out_;
};

}  // namespace

std::string RealRepr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[40];
  const std::to_chars_result end =
      std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific);
  std::string_view text(buffer, static_cast<size_t>(end.ptr - buffer));
  std::string out;
  if (text.front() == '-') {
    out = "-";
    text.remove_prefix(1);
  }
  // d.ddde[+-]xx: the shortest digits that read back the same; Python lays them out anew.
  const size_t mark = text.find('e');
  int exponent = 0;
  std::from_chars(text.data() + mark + (text[mark + 1] == '+' ? 2 : 1), end.ptr, exponent);
  std::string digits(1, text[0]);
  if (mark > 2) digits += text.substr(2, mark - 2);
  const int count = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {
    out += digits.substr(0, 1);
    if (count > 1) out += "." + digits.substr(1);
    return out + absl::StrFormat("e%c%02d", exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  if (exponent < 0)
    return out + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  if (count <= exponent + 1) {
    return out + digits + std::string(static_cast<size_t>(exponent + 1 - count), '0') + ".0";
  }
  return out + digits.substr(0, static_cast<size_t>(exponent) + 1) + "." +
         digits.substr(static_cast<size_t>(exponent) + 1);
}

void AppendStringRepr(std::string_view text, std::string* out) {
  const bool single = text.find('\'') == text.npos || text.find('"') != text.npos;
  const char quote = single ? '\'' : '"';
  out->push_back(quote);
  for (size_t i = 0; i < text.size();) {
    const size_t begin = i;
    const char32_t c = Decode(text, &i);
    if (c == static_cast<char32_t>(quote) || c == '\\') {
      out->push_back('\\');
      out->push_back(static_cast<char>(c));
    } else if (c == '\n') {
      *out += "\\n";
    } else if (c == '\r') {
      *out += "\\r";
    } else if (c == '\t') {
      *out += "\\t";
    } else if (IsPrintable(c)) {
      *out += text.substr(begin, i - begin);
    } else if (c < 0x100) {
      *out += absl::StrFormat("\\x%02x", static_cast<uint32_t>(c));
    } else if (c < 0x10000) {
      AppendEscapedUnit(c, out);
    } else {
      *out += absl::StrFormat("\\U%08x", static_cast<uint32_t>(c));
    }
  }
  out->push_back(quote);
}

absl::Status AppendText(Runtime& runtime, const Value& value, std::string* out) {
  return Printer(runtime, out).Text(value);
}

absl::Status AppendRepr(Runtime& runtime, const Value& value, std::string* out) {
  return Printer(runtime, out).Repr(value, 0);
}

absl::StatusOr<std::string_view> TextOf(Runtime& runtime, const Value& value) {
  if (value.is_string()) return value.view_text();
  std::string text;
  RETURN_IF_ERROR(AppendText(runtime, value, &text));
  return runtime.arena().Copy(text);
}

absl::Status AppendJson(Runtime& runtime, const Value& value, const JsonStyle& style,
                        std::string* out) {
  return JsonWriter(runtime, style, out).Write(value, 0);
}

}  // namespace assay::jinja
