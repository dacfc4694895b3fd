// The methods of str, dict, list and tuple, the global functions, and how arguments meet
// parameters.
#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>

#include "harness/status.h"
#include "harness/template_builtins.h"
#include "harness/template_text.h"
#include "harness/template_value.h"
#include "harness/text.h"

namespace assay::jinja {
namespace {

using ValueOr = absl::StatusOr<Value>;

absl::StatusOr<std::string_view> StringArgument(const Value& value, std::string_view what) {
  if (value.is_undefined()) return UndefinedError(value);
  if (!value.is_string()) return InvalidArgument("%s must be str, not %s", what, TypeName(value));
  return value.view_text();
}

absl::StatusOr<int64_t> IntegerOr(const Value* value, int64_t standard) {
  if (value == nullptr) return standard;
  if (value->is_undefined()) return UndefinedError(*value);
  if (!value->is_integral()) return InvalidArgument("an int is wanted, not %s", TypeName(*value));
  return value->as_integer();
}

Value Piece(std::string_view text, const Value& whole) {
  Value piece = Value::String(text);
  piece.safe = whole.safe;
  return piece;
}

// A safe string escapes what it takes in.
Value Taken(Runtime& runtime, const Value& text, const Value& whole) {
  if (!whole.safe || text.safe) return text;
  return runtime.NewString(EscapeHtml(text.view_text()));
}

// ---- str ----

template <std::string (*kChange)(std::string_view)>
ValueOr Change(Runtime& runtime, const Value& text, const Bound&) {
  RETURN_IF_ERROR(runtime.ChargeBytes(text.size * 4));
  return Piece(runtime.NewString(kChange(text.view_text())).view_text(), text);
}

template <Side kSide>
ValueOr Strip(Runtime& runtime, const Value& text, const Bound& args) {
  RETURN_IF_ERROR(runtime.ChargeBytes(text.size));
  const Value* characters = args.given(0);
  if (characters == nullptr) return Piece(StripBlanks(text.view_text(), kSide), text);
  ASSIGN_OR_RETURN(const std::string_view any, StringArgument(*characters, "strip arg"));
  RETURN_IF_ERROR(runtime.ChargeBytes(text.size * any.size()));
  return Piece(StripCharacters(text.view_text(), any, kSide), text);
}

// The part of a string that start and end select, for find, count and startswith.
struct Window {
  std::string_view text;
  size_t first;  // its first code point's index
};

absl::StatusOr<std::optional<Window>> WindowOf(Runtime& runtime, const Value& text,
                                               const Value* start, const Value* end) {
  if (start == nullptr && end == nullptr) return Window{text.view_text(), 0};
  RETURN_IF_ERROR(runtime.ChargeBytes(text.size * 2));
  const int64_t length = static_cast<int64_t>(CodePoints(text.view_text()));
  ASSIGN_OR_RETURN(int64_t from, IntegerOr(start, 0));
  ASSIGN_OR_RETURN(int64_t to, IntegerOr(end, length));
  if (from < 0) from = std::max<int64_t>(from + length, 0);
  if (to < 0) to = std::max<int64_t>(to + length, 0);
  to = std::min(to, length);
  if (from > to) return std::nullopt;
  const size_t begin = OffsetOf(text.view_text(), static_cast<size_t>(from));
  const std::string_view rest = text.view_text().substr(begin);
  return Window{rest.substr(0, OffsetOf(rest, static_cast<size_t>(to - from))),
                static_cast<size_t>(from)};
}

ValueOr Affixed(Runtime& runtime, const Value& text, const Bound& args, bool at_start) {
  ASSIGN_OR_RETURN(const std::optional<Window> window,
                   WindowOf(runtime, text, args.given(1), args.given(2)));
  std::vector<Value> affixes = {*args[0]};
  if (args[0]->is(Kind::kTuple)) affixes.assign(args[0]->items, args[0]->items + args[0]->size);
  for (const Value& affix : affixes) {
    ASSIGN_OR_RETURN(const std::string_view wanted,
                     StringArgument(affix, "the first argument of startswith or endswith"));
    if (!window.has_value()) continue;
    RETURN_IF_ERROR(runtime.ChargeBytes(wanted.size()));
    if (at_start ? window->text.starts_with(wanted) : window->text.ends_with(wanted)) {
      return Value::Bool(true);
    }
  }
  return Value::Bool(false);
}
ValueOr StartsWith(Runtime& runtime, const Value& text, const Bound& args) {
  return Affixed(runtime, text, args, true);
}
ValueOr EndsWith(Runtime& runtime, const Value& text, const Bound& args) {
  return Affixed(runtime, text, args, false);
}

absl::StatusOr<int64_t> Position(Runtime& runtime, const Value& text, const Bound& args,
                                 bool last) {
  ASSIGN_OR_RETURN(const std::string_view wanted, StringArgument(*args[0], "the text to find"));
  ASSIGN_OR_RETURN(const std::optional<Window> window,
                   WindowOf(runtime, text, args.given(1), args.given(2)));
  if (!window.has_value()) return -1;
  RETURN_IF_ERROR(runtime.ChargeBytes(window->text.size() * (last ? wanted.size() + 1 : 1)));
  const size_t found = last ? FindLastText(window->text, wanted) : FindText(window->text, wanted);
  if (found == std::string_view::npos) return -1;
  return static_cast<int64_t>(window->first + CodePoints(window->text.substr(0, found)));
}
template <bool kLast>
ValueOr Find(Runtime& runtime, const Value& text, const Bound& args) {
  ASSIGN_OR_RETURN(const int64_t position, Position(runtime, text, args, kLast));
  return Value::Integer(position);
}
template <bool kLast>
ValueOr Index(Runtime& runtime, const Value& text, const Bound& args) {
  ASSIGN_OR_RETURN(const int64_t position, Position(runtime, text, args, kLast));
  if (position < 0) return InvalidArgument("substring not found");
  return Value::Integer(position);
}

ValueOr Count(Runtime& runtime, const Value& text, const Bound& args) {
  ASSIGN_OR_RETURN(const std::string_view wanted, StringArgument(*args[0], "the text to count"));
  ASSIGN_OR_RETURN(const std::optional<Window> window,
                   WindowOf(runtime, text, args.given(1), args.given(2)));
  if (!window.has_value()) return Value::Integer(0);
  RETURN_IF_ERROR(runtime.ChargeBytes(window->text.size()));
  if (wanted.empty()) return Value::Integer(static_cast<int64_t>(CodePoints(window->text)) + 1);
  int64_t count = 0;
  for (size_t at = FindText(window->text, wanted); at != std::string_view::npos;
       at = FindText(window->text, wanted, at + wanted.size())) {
    ++count;
  }
  return Value::Integer(count);
}

std::vector<std::string_view> BlankPieces(std::string_view text, int64_t limit) {
  std::vector<std::string_view> pieces;
  text = StripBlanks(text, Side::kLeft);
  while (!text.empty()) {
    if (limit >= 0 && static_cast<int64_t>(pieces.size()) == limit) {
      pieces.push_back(text);  // str.split keeps blanks at its end here
      break;
    }
    size_t end = 0;
    for (size_t next = 0; end < text.size() && !IsSpace(Decode(text, &next));) end = next;
    pieces.push_back(text.substr(0, end));
    text = StripBlanks(text.substr(end), Side::kLeft);
  }
  return pieces;
}

// From the right, in reading order.
std::vector<std::string_view> BlankPiecesFromRight(std::string_view text, int64_t limit) {
  std::vector<std::string_view> pieces;
  text = StripBlanks(text, Side::kRight);
  while (!text.empty()) {
    if (limit >= 0 && static_cast<int64_t>(pieces.size()) == limit) {
      pieces.push_back(text);
      break;
    }
    size_t begin = text.size();
    while (begin > 0) {
      size_t last = begin - 1;
      while (last > 0 && (text[last] & 0xC0) == 0x80) --last;
      size_t next = last;
      if (IsSpace(Decode(text, &next))) break;
      begin = last;
    }
    pieces.push_back(text.substr(begin));
    text = StripBlanks(text.substr(0, begin), Side::kRight);
  }
  std::reverse(pieces.begin(), pieces.end());
  return pieces;
}

std::vector<std::string_view> Pieces(std::string_view text, std::string_view separator,
                                     int64_t limit) {
  std::vector<std::string_view> pieces;
  size_t begin = 0;
  while (limit < 0 || static_cast<int64_t>(pieces.size()) < limit) {
    const size_t end = FindText(text, separator, begin);
    if (end == std::string_view::npos) break;
    pieces.push_back(text.substr(begin, end - begin));
    begin = end + separator.size();
  }
  pieces.push_back(text.substr(begin));
  return pieces;
}

std::vector<std::string_view> PiecesFromRight(std::string_view text, std::string_view separator,
                                              int64_t limit) {
  std::vector<std::string_view> pieces;
  size_t end = text.size();
  while (limit < 0 || static_cast<int64_t>(pieces.size()) < limit) {
    const size_t at =
        end < separator.size() ? text.npos : text.rfind(separator, end - separator.size());
    if (at == text.npos) break;
    pieces.push_back(text.substr(at + separator.size(), end - at - separator.size()));
    end = at;
  }
  pieces.push_back(text.substr(0, end));
  std::reverse(pieces.begin(), pieces.end());
  return pieces;
}

ValueOr ListOfPieces(Runtime& runtime, const std::vector<std::string_view>& pieces,
                     const Value& whole) {
  RETURN_IF_ERROR(runtime.Charge(static_cast<int64_t>(pieces.size() / 4)));
  RETURN_IF_ERROR(runtime.Reserve(pieces.size() * sizeof(Value)));
  std::vector<Value> values;
  values.reserve(pieces.size());
  for (const std::string_view piece : pieces) values.push_back(Piece(piece, whole));
  return runtime.NewList(values);
}

template <bool kFromRight>
ValueOr SplitMethod(Runtime& runtime, const Value& text, const Bound& args) {
  RETURN_IF_ERROR(runtime.ChargeBytes(text.size * 2));
  ASSIGN_OR_RETURN(const int64_t limit, IntegerOr(args[1], -1));
  if (args.given(0) == nullptr) {
    return ListOfPieces(runtime,
                        kFromRight ? BlankPiecesFromRight(text.view_text(), limit)
                                   : BlankPieces(text.view_text(), limit),
                        text);
  }
  ASSIGN_OR_RETURN(const std::string_view separator, StringArgument(*args[0], "the separator"));
  if (separator.empty()) return InvalidArgument("empty separator");
  if (kFromRight) RETURN_IF_ERROR(runtime.ChargeBytes(text.size * separator.size()));
  return ListOfPieces(runtime,
                      kFromRight ? PiecesFromRight(text.view_text(), separator, limit)
                                 : Pieces(text.view_text(), separator, limit),
                      text);
}

ValueOr SplitLinesMethod(Runtime& runtime, const Value& text, const Bound& args) {
  RETURN_IF_ERROR(runtime.ChargeBytes(text.size * 2));
  return ListOfPieces(runtime, TextLines(text.view_text(), args.flag(0)), text);
}

template <bool kFromRight>
ValueOr Partition(Runtime& runtime, const Value& text, const Bound& args) {
  ASSIGN_OR_RETURN(const std::string_view separator, StringArgument(*args[0], "the separator"));
  if (separator.empty()) return InvalidArgument("empty separator");
  RETURN_IF_ERROR(runtime.ChargeBytes(text.size * (kFromRight ? separator.size() : 1)));
  const std::string_view view = text.view_text();
  const size_t at = kFromRight ? FindLastText(view, separator) : FindText(view, separator);
  std::array<Value, 3> parts = {Piece(view, text), Piece("", text), Piece("", text)};
  if (at != view.npos) {
    parts = {Piece(view.substr(0, at), text), Piece(separator, text),
             Piece(view.substr(at + separator.size()), text)};
  } else if (kFromRight) {
    std::swap(parts[0], parts[2]);
  }
  return runtime.NewTuple(parts);
}

ValueOr ReplaceMethod(Runtime& runtime, const Value& text, const Bound& args) {
  RETURN_IF_ERROR(StringArgument(*args[0], "replace() argument 1").status());
  RETURN_IF_ERROR(StringArgument(*args[1], "replace() argument 2").status());
  ASSIGN_OR_RETURN(const int64_t count, IntegerOr(args[2], -1));
  const std::string_view from = Taken(runtime, *args[0], text).view_text();
  const std::string_view to = Taken(runtime, *args[1], text).view_text();
  ASSIGN_OR_RETURN(const Value replaced, ReplaceText(runtime, text.view_text(), from, to, count));
  return Piece(replaced.view_text(), text);
}

ValueOr JoinMethod(Runtime& runtime, const Value& text, const Bound& args) {
  ASSIGN_OR_RETURN(const std::span<const Value> items, Items(runtime, *args[0]));
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) {
    RETURN_IF_ERROR(runtime.Charge(1));
    RETURN_IF_ERROR(runtime.CheckOutput(out.size()));
    if (i > 0) out += text.view_text();
    if (text.safe && !items[i].is_string()) {
      ASSIGN_OR_RETURN(const std::string_view item, TextOf(runtime, items[i]));
      out += EscapeHtml(item);  // Markup.join takes anything
      continue;
    }
    RETURN_IF_ERROR(StringArgument(items[i], "an item of str.join").status());
    out += Taken(runtime, items[i], text).view_text();
  }
  RETURN_IF_ERROR(runtime.Reserve(out.size()));
  return Piece(runtime.NewString(out).view_text(), text);
}

template <Side kSide>
ValueOr Pad(Runtime& runtime, const Value& text, const Bound& args) {
  ASSIGN_OR_RETURN(const int64_t width, IntegerOr(args[0], 0));
  std::string_view fill = " ";
  if (args[1] != nullptr) {
    ASSIGN_OR_RETURN(fill, StringArgument(*args[1], "the fill character"));
  }
  if (CodePoints(fill) != 1) {
    return InvalidArgument("the fill character must be exactly one character long");
  }
  return PadText(runtime, text, width, fill, kSide);
}

ValueOr Zfill(Runtime& runtime, const Value& text, const Bound& args) {
  ASSIGN_OR_RETURN(const int64_t width, IntegerOr(args[0], 0));
  const bool sign = text.size > 0 && (text.text[0] == '-' || text.text[0] == '+');
  const Value digits = Piece(text.view_text().substr(sign ? 1 : 0), text);
  ASSIGN_OR_RETURN(const Value padded,
                   PadText(runtime, digits, width - (sign ? 1 : 0), "0", Side::kLeft));
  if (!sign) return padded;
  return Piece(
      runtime.NewString(std::string(1, text.text[0]) + std::string(padded.view_text())).view_text(),
      text);
}

template <bool kPrefix>
ValueOr RemoveAffix(Runtime&, const Value& text, const Bound& args) {
  ASSIGN_OR_RETURN(const std::string_view affix, StringArgument(*args[0], "the affix"));
  std::string_view view = text.view_text();
  if (kPrefix && view.starts_with(affix)) view.remove_prefix(affix.size());
  if (!kPrefix && view.ends_with(affix)) view.remove_suffix(affix.size());
  return Value::String(view);
}

ValueOr FormatMethod(Runtime& runtime, const Value& text, const Bound& args) {
  return BraceFormat(runtime, text, *args.all);
}

// All code points are so, and there is one.
template <bool (*kProperty)(char32_t), bool kOfEmpty = false>
ValueOr All(Runtime& runtime, const Value& text, const Bound&) {
  RETURN_IF_ERROR(runtime.ChargeBytes(text.size * 4));
  for (size_t i = 0; i < text.size;) {
    if (!kProperty(Decode(text.view_text(), &i))) return Value::Bool(false);
  }
  return Value::Bool(kOfEmpty || text.size > 0);
}
bool IsAlphanumeric(char32_t c) { return IsAlphabetic(c) || IsNumeric(c); }
bool IsAsciiPoint(char32_t c) { return c < 0x80; }

template <bool kUpper>
ValueOr IsCased(Runtime& runtime, const Value& text, const Bound& args) {
  return FindTest(kUpper ? "upper" : "lower")->function(runtime, text, args);
}

ValueOr IsTitled(Runtime& runtime, const Value& text, const Bound&) {
  RETURN_IF_ERROR(runtime.ChargeBytes(text.size * 4));
  bool inside = false, found = false;
  for (size_t i = 0; i < text.size;) {
    const char32_t c = Decode(text.view_text(), &i);
    const bool capital = IsUpper(c) || IsTitle(c);
    if (capital ? inside : (IsLower(c) && !inside)) return Value::Bool(false);
    inside = capital || IsLower(c);
    found = found || inside;
  }
  return Value::Bool(found);
}

ValueOr ExpandTabs(Runtime& runtime, const Value& text, const Bound& args) {
  ASSIGN_OR_RETURN(const int64_t stop, IntegerOr(args[0], 8));
  if (stop > 1000) return InvalidArgument("expandtabs: a width of %d, more than 1000", stop);
  std::string out;
  int64_t column = 0;
  for (size_t i = 0; i < text.size;) {
    const size_t begin = i;
    const char32_t c = Decode(text.view_text(), &i);
    if (c == '\t') {
      const int64_t blanks = stop > 0 ? stop - column % stop : 0;
      RETURN_IF_ERROR(runtime.Charge(1));
      RETURN_IF_ERROR(runtime.Reserve(out.size()));
      out.append(static_cast<size_t>(blanks), ' ');
      column += blanks;
      continue;
    }
    out += text.view_text().substr(begin, i - begin);
    column = c == '\n' || c == '\r' ? 0 : column + 1;
  }
  return Piece(runtime.NewString(out).view_text(), text);
}

// ---- dict ----

template <ViewObject::Side kSide>
ValueOr View(Runtime& runtime, const Value& dict, const Bound&) {
  Value view = Value::Make(Kind::kView);
  view.view = runtime.arena().New(ViewObject{kSide, dict});
  return view;
}

ValueOr Get(Runtime& runtime, const Value& dict, const Bound& args) {
  ASSIGN_OR_RETURN(const std::optional<Value> found, DictFind(runtime, dict, *args[0]));
  if (found.has_value()) return *found;
  return args[1] != nullptr ? *args[1] : Value::None();
}

ValueOr Copy(Runtime&, const Value& whole, const Bound&) { return whole; }  // nothing can change it

// ---- list, tuple ----

ValueOr IndexOf(Runtime& runtime, const Value& list, const Bound& args) {
  ASSIGN_OR_RETURN(const std::span<const Value> items, Items(runtime, list));
  const int64_t length = static_cast<int64_t>(items.size());
  ASSIGN_OR_RETURN(int64_t from, IntegerOr(args[1], 0));
  ASSIGN_OR_RETURN(int64_t to, IntegerOr(args[2], length));
  from = std::max<int64_t>(from < 0 ? from + length : from, 0);
  to = std::min(to < 0 ? to + length : to, length);
  for (int64_t i = from; i < to; ++i) {
    ASSIGN_OR_RETURN(const bool equal, Equal(runtime, items[static_cast<size_t>(i)], *args[0]));
    if (equal) return Value::Integer(i);
  }
  return InvalidArgument("the value is not in the %s", TypeName(list));
}

ValueOr CountOf(Runtime& runtime, const Value& list, const Bound& args) {
  ASSIGN_OR_RETURN(const std::span<const Value> items, Items(runtime, list));
  int64_t count = 0;
  for (const Value& item : items) {
    ASSIGN_OR_RETURN(const bool equal, Equal(runtime, item, *args[0]));
    count += equal ? 1 : 0;
  }
  return Value::Integer(count);
}

ValueOr IsWhole(Runtime&, const Value& real, const Bound&) {
  return Value::Bool(std::isfinite(real.real) && std::floor(real.real) == real.real);
}

constexpr FunctionSpec kStringMethods[] = {
    {"capitalize", "", 0, Change<CapitalizeText>},
    {"center", "/width fillchar", 1, Pad<Side::kBoth>},
    {"count", "/sub start end", 1, Count},
    {"endswith", "/suffix start end", 1, EndsWith},
    {"expandtabs", "tabsize", 0, ExpandTabs},
    {"find", "/sub start end", 1, Find<false>},
    {"format", "*", 0, FormatMethod},
    {"index", "/sub start end", 1, Index<false>},
    {"isalnum", "", 0, All<IsAlphanumeric>},
    {"isalpha", "", 0, All<IsAlphabetic>},
    {"isascii", "", 0, All<IsAsciiPoint, true>},
    {"isdecimal", "", 0, All<IsDecimal>},
    {"isdigit", "", 0, All<IsDigit>},
    {"islower", "", 0, IsCased<false>},
    {"isnumeric", "", 0, All<IsNumeric>},
    {"isprintable", "", 0, All<IsPrintable, true>},
    {"isspace", "", 0, All<IsSpace>},
    {"istitle", "", 0, IsTitled},
    {"isupper", "", 0, IsCased<true>},
    {"join", "/iterable", 1, JoinMethod},
    {"ljust", "/width fillchar", 1, Pad<Side::kRight>},
    {"lower", "", 0, Change<LowerText>},
    {"lstrip", "/chars", 0, Strip<Side::kLeft>},
    {"partition", "/sep", 1, Partition<false>},
    {"removeprefix", "/prefix", 1, RemoveAffix<true>},
    {"removesuffix", "/suffix", 1, RemoveAffix<false>},
    {"replace", "/old new count", 2, ReplaceMethod},
    {"rfind", "/sub start end", 1, Find<true>},
    {"rindex", "/sub start end", 1, Index<true>},
    {"rjust", "/width fillchar", 1, Pad<Side::kLeft>},
    {"rpartition", "/sep", 1, Partition<true>},
    {"rsplit", "sep maxsplit", 0, SplitMethod<true>},
    {"rstrip", "/chars", 0, Strip<Side::kRight>},
    {"split", "sep maxsplit", 0, SplitMethod<false>},
    {"splitlines", "keepends", 0, SplitLinesMethod},
    {"startswith", "/prefix start end", 1, StartsWith},
    {"strip", "/chars", 0, Strip<Side::kBoth>},
    {"swapcase", "", 0, Change<SwapCaseText>},
    {"title", "", 0, Change<TitleText>},
    {"upper", "", 0, Change<UpperText>},
    {"zfill", "/width", 1, Zfill},
};
constexpr FunctionSpec kDictMethods[] = {
    {"copy", "", 0, Copy},
    {"get", "/key default", 1, Get},
    {"items", "", 0, View<ViewObject::Side::kItems>},
    {"keys", "", 0, View<ViewObject::Side::kKeys>},
    {"values", "", 0, View<ViewObject::Side::kValues>},
};
constexpr FunctionSpec kListMethods[] = {
    {"copy", "", 0, Copy},
    {"count", "/value", 1, CountOf},
    {"index", "/value start stop", 1, IndexOf},
};
constexpr FunctionSpec kTupleMethods[] = {
    {"count", "/value", 1, CountOf},
    {"index", "/value start stop", 1, IndexOf},
};
constexpr FunctionSpec kRealMethods[] = {
    {"is_integer", "", 0, IsWhole},
};

// Refused by the sandbox: they would change the value.
constexpr std::string_view kDictChanges[] = {"clear", "pop", "popitem", "setdefault", "update"};
constexpr std::string_view kListChanges[] = {"append", "extend",  "insert",
                                             "remove", "reverse", "sort"};
// In Python, not here.
constexpr std::string_view kStringUnsupported[] = {"casefold",     "encode",    "format_map",
                                                   "isidentifier", "maketrans", "translate",
                                                   "striptags",    "unescape"};
constexpr std::string_view kDictUnsupported[] = {"fromkeys"};
constexpr std::string_view kListUnsupported[] = {"clear", "pop"};
constexpr std::string_view kNumberUnsupported[] = {
    "as_integer_ratio", "bit_count", "bit_length", "conjugate", "denominator", "from_bytes",
    "fromhex",          "hex",       "imag",       "numerator", "real",        "to_bytes"};
constexpr std::string_view kRangeUnsupported[] = {"count", "index", "start", "step", "stop"};

struct Methods {
  std::span<const FunctionSpec> methods;
  std::span<const std::string_view> forbidden;
  std::span<const std::string_view> unsupported;
};

Methods MethodsOf(const Value& object) {
  switch (object.kind) {
    case Kind::kString:
      return {kStringMethods, {}, kStringUnsupported};
    case Kind::kDict:
      return {kDictMethods, kDictChanges, kDictUnsupported};
    case Kind::kList:
      return {kListMethods, kListChanges, kListUnsupported};
    case Kind::kTuple:
      return {kTupleMethods, {}, {}};
    case Kind::kReal:
      return {kRealMethods, {}, kNumberUnsupported};
    case Kind::kBool:
    case Kind::kInteger:
    case Kind::kBigInteger:
      return {{}, {}, kNumberUnsupported};
    case Kind::kRange:
      return {{}, {}, kRangeUnsupported};
    default:
      return {};
  }
}

// ---- functions ----

ValueOr Namespace(Runtime& runtime, const Value&, const Bound& args) {
  NamespaceObject* space = runtime.arena().New(NamespaceObject{});
  if (args.all->positional.size() > 1) return InvalidArgument("namespace takes one dict at most");
  for (const Value& initial : args.all->positional) {
    if (!initial.is(Kind::kDict)) {
      return InvalidArgument("namespace needs a dict, not %s", TypeName(initial));
    }
    for (const Entry& entry : DictEntries(initial)) {
      ASSIGN_OR_RETURN(const std::string_view name, StringArgument(entry.key, "a name"));
      NamespaceSet(runtime, space, name, entry.value);
    }
  }
  for (const auto& [name, value] : args.all->named) NamespaceSet(runtime, space, name, value);
  Value result = Value::Make(Kind::kNamespace);
  result.space = space;
  return result;
}

// dict(pairs or a dict, name=value...).
ValueOr Dict(Runtime& runtime, const Value&, const Bound& args) {
  if (args.all->positional.size() > 1) return InvalidArgument("dict takes one argument at most");
  std::vector<Entry> entries;
  for (const Value& initial : args.all->positional) {
    if (initial.is(Kind::kDict)) {
      entries = DictEntries(initial);
      continue;
    }
    ASSIGN_OR_RETURN(const std::span<const Value> pairs, Items(runtime, initial));
    for (const Value& pair : pairs) {
      ASSIGN_OR_RETURN(const std::span<const Value> two, Items(runtime, pair));
      if (two.size() != 2) return InvalidArgument("dict: a pair of length %d", two.size());
      RETURN_IF_ERROR(PutEntry(runtime, two[0], two[1], &entries));
    }
  }
  for (const auto& [name, value] : args.all->named) {
    RETURN_IF_ERROR(PutEntry(runtime, Value::String(name), value, &entries));
  }
  return runtime.NewDict(entries);
}

ValueOr Range(Runtime& runtime, const Value&, const Bound& args) {
  const size_t given = args.all->positional.size();
  ASSIGN_OR_RETURN(const int64_t first, IntegerOr(args[0], 0));
  ASSIGN_OR_RETURN(const int64_t second, IntegerOr(args[1], 0));
  ASSIGN_OR_RETURN(const int64_t step, IntegerOr(args[2], 1));
  if (step == 0) return InvalidArgument("range() arg 3 must not be zero");
  const int64_t start = given > 1 ? first : 0, stop = given > 1 ? second : first;
  const auto distance = static_cast<uint64_t>(stop) - static_cast<uint64_t>(start);
  uint64_t count = 0;
  if (step > 0 && start < stop) count = (distance - 1) / static_cast<uint64_t>(step) + 1;
  if (step < 0 && start > stop) {
    count = (~distance + 1 - 1) / (~static_cast<uint64_t>(step) + 1) + 1;
  }
  if (count > 100'000) {
    return InvalidArgument("range too big: the sandbox allows 100000 items, this has %d", count);
  }
  Value result = Value::Make(Kind::kRange);
  result.range = runtime.arena().New(RangeObject{start, stop, step, static_cast<size_t>(count)});
  return result;
}

ValueOr RaiseException(Runtime& runtime, const Value&, const Bound& args) {
  ASSIGN_OR_RETURN(const std::string_view message, TextOf(runtime, *args[0]));
  return InvalidArgument("the template raised an exception: %s", Shorten(message, 1000));
}

// One directive at a time, so that only what means the same everywhere passes to the C library.
absl::StatusOr<std::string> FormatTime(std::string_view format, int64_t unix_seconds) {
  const std::time_t seconds = static_cast<std::time_t>(unix_seconds);
  std::tm broken{};
  if (gmtime_r(&seconds, &broken) == nullptr) return InvalidArgument("strftime_now: no such time");
  std::string out;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      out.push_back(format[i]);
      continue;
    }
    std::string directive = "%";
    if (++i < format.size() && format[i] == '-') directive.push_back(format[i++]);
    const char letter = i < format.size() ? format[i] : '\0';
    if (letter == 'f') {
      out += "000000";
      continue;
    }
    if (letter == '\0' || std::string_view("aAbBcCdDeFgGhHIjklmMnpPrRStTuUVwWxXyY%").find(letter) ==
                              std::string_view::npos) {
      return InvalidArgument("strftime_now: unsupported directive '%%%c'", letter);
    }
    directive.push_back(letter);
    char buffer[128];
    out.append(buffer, std::strftime(buffer, sizeof(buffer), directive.c_str(), &broken));
  }
  return out;
}

ValueOr StrftimeNow(Runtime& runtime, const Value&, const Bound& args) {
  ASSIGN_OR_RETURN(const std::string_view format, StringArgument(*args[0], "the format"));
  RETURN_IF_ERROR(runtime.Charge(static_cast<int64_t>(format.size())));
  ASSIGN_OR_RETURN(const std::string text, FormatTime(format, runtime.limits().now_unix_seconds));
  RETURN_IF_ERROR(runtime.Reserve(text.size()));
  return runtime.NewString(text);
}

ValueOr MakeJoiner(Runtime& runtime, const Value&, const Bound& args) {
  std::string_view separator = ", ";
  if (args[0] != nullptr) {
    ASSIGN_OR_RETURN(separator, StringArgument(*args[0], "the separator"));
  }
  Value result = Value::Make(Kind::kJoiner);
  result.joiner = runtime.arena().New(Joiner{separator});
  return result;
}

constexpr FunctionSpec kFunctions[] = {
    {"dict", "*", 0, Dict},
    {"joiner", "sep", 0, MakeJoiner},
    {"namespace", "*", 0, Namespace},
    {"raise_exception", "message", 1, RaiseException},
    {"range", "/start stop step", 1, Range},
    {"strftime_now", "format", 1, StrftimeNow},
};

}  // namespace

absl::StatusOr<Value> Call(Runtime& runtime, const FunctionSpec& spec, const Value& input,
                           const Arguments& args) {
  RETURN_IF_ERROR(runtime.Charge(1));
  Bound bound;
  bound.all = &args;
  const bool by_position = spec.parameters.starts_with('/');
  std::string_view names = spec.parameters.substr(by_position ? 1 : 0);
  if (names == "*") return spec.function(runtime, input, bound);
  size_t taken = 0;
  while (!names.empty()) {
    const size_t end = std::min(names.find(' '), names.size());
    const std::string_view name = names.substr(0, end);
    const size_t i = bound.values.size();
    bound.values.push_back(i < args.positional.size() ? &args.positional[i] : nullptr);
    for (const auto& [given, value] : args.named) {
      if (given != name || by_position) continue;
      if (bound.values[i] != nullptr) {
        return InvalidArgument("%s got several values for argument '%s'", spec.name, name);
      }
      bound.values[i] = &value;
      ++taken;
    }
    if (i < spec.required && bound.values[i] == nullptr) {
      return InvalidArgument("%s: the argument '%s' is missing", spec.name, name);
    }
    names = names.substr(std::min(end + 1, names.size()));
  }
  if (args.positional.size() > bound.values.size()) {
    return InvalidArgument("%s takes at most %d arguments, got %d", spec.name, bound.values.size(),
                           args.positional.size());
  }
  if (taken < args.named.size()) {
    return InvalidArgument("%s got an unexpected keyword argument (of '%s')", spec.name,
                           args.named.front().first);
  }
  return spec.function(runtime, input, bound);
}

const FunctionSpec* FindFunction(std::string_view name) {
  for (const FunctionSpec& spec : kFunctions) {
    if (spec.name == name) return &spec;
  }
  return nullptr;
}

bool IsUnsupportedFunction(std::string_view name) { return name == "lipsum" || name == "cycler"; }

absl::StatusOr<std::optional<Value>> FindMethod(Runtime& runtime, const Value& object,
                                                std::string_view name) {
  const Methods known = MethodsOf(object);
  for (const FunctionSpec& spec : known.methods) {
    if (spec.name != name) continue;
    Value method = Value::Make(Kind::kMethod);
    method.method = runtime.arena().New(MethodObject{object, &spec});
    return method;
  }
  const auto lists = [&](std::span<const std::string_view> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (lists(known.forbidden)) {
    return Value::Undefined(runtime.arena().Copy(
        absl::StrFormat("%s.%s (the sandbox lets nothing be changed)", TypeName(object), name)));
  }
  if (lists(known.unsupported)) {
    return InvalidArgument("%s.%s is not supported", TypeName(object), name);
  }
  return std::nullopt;
}

absl::StatusOr<Value> ReplaceText(Runtime& runtime, std::string_view text, std::string_view from,
                                  std::string_view to, int64_t count) {
  RETURN_IF_ERROR(runtime.ChargeBytes(text.size() * 2));
  std::string out;
  size_t begin = 0;
  for (int64_t done = 0; count < 0 || done < count; ++done) {
    // An empty `from` is met before every code point and at the end.
    size_t found = from.empty() ? begin : FindText(text, from, begin);
    if (found == text.npos) break;
    RETURN_IF_ERROR(runtime.Reserve(out.size() + to.size()));
    out += text.substr(begin, found - begin);
    out += to;
    begin = found + from.size();
    if (!from.empty()) continue;
    if (begin == text.size()) break;
    Decode(text, &begin);
    out += text.substr(found, begin - found);
  }
  if (begin < text.size()) out += text.substr(begin);
  RETURN_IF_ERROR(runtime.Reserve(out.size()));
  RETURN_IF_ERROR(runtime.ChargeBytes(out.size()));
  return runtime.NewString(out);
}

absl::StatusOr<Value> PadText(Runtime& runtime, const Value& text, int64_t width,
                              std::string_view fill, Side side) {
  RETURN_IF_ERROR(runtime.ChargeBytes(text.size));
  const int64_t length = static_cast<int64_t>(CodePoints(text.view_text()));
  if (width <= length) return text;
  const int64_t missing = width - length;
  RETURN_IF_ERROR(runtime.Reserve(static_cast<size_t>(missing)));
  RETURN_IF_ERROR(runtime.Reserve(static_cast<size_t>(missing) * fill.size()));
  RETURN_IF_ERROR(runtime.Charge(missing / 64));
  // str.center puts the odd blank to the left where the width is odd.
  int64_t left = side == Side::kLeft ? missing : 0;
  if (side == Side::kBoth) left = missing / 2 + (missing & width & 1);
  std::string out;
  for (int64_t i = 0; i < left; ++i) out += fill;
  out += text.view_text();
  for (int64_t i = left; i < missing; ++i) out += fill;
  return Piece(runtime.NewString(out).view_text(), text);
}

std::vector<std::string_view> TextLines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> lines;
  for (size_t begin = 0, i = 0; begin < text.size();) {
    size_t end = i;
    bool ended = i == text.size();
    if (!ended) {
      const char32_t c = Decode(text, &i);
      if (c == '\r' && i < text.size() && text[i] == '\n') ++i;
      ended = (c >= 10 && c <= 13) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
              c == 0x2029;
    }
    if (!ended) continue;
    lines.push_back(text.substr(begin, (keep_ends ? i : end) - begin));
    begin = i;
  }
  return lines;
}

}  // namespace assay::jinja
