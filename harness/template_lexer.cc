// Template source to tokens, with Jinja2's whitespace control under trim_blocks and lstrip_blocks.
#include <algorithm>
#include <optional>

#include "harness/status.h"
#include "harness/template_syntax.h"
#include "harness/template_text.h"
#include "harness/text.h"

namespace assay::jinja {
namespace {

constexpr size_t kMaxSourceBytes = 4 << 20;
constexpr size_t kNone = std::string_view::npos;

bool IsDigitByte(char c) { return c >= '0' && c <= '9'; }

// "\r\n" and "\r" become "\n"; one newline at the end is dropped (keep_trailing_newline is off).
std::string Normalised(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') continue;
    out.push_back(source[i] == '\r' ? '\n' : source[i]);
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

class Lexer {
 public:
  explicit Lexer(Program* program) : program_(*program), source_(program->source) {}

  absl::StatusOr<std::vector<Token>> Run() {
    while (at_ < source_.size()) {
      const size_t tag = FindTag(at_);
      if (tag == kNone) {
        EmitText(source_.substr(at_));
        at_ = source_.size();
      } else if (source_[tag + 1] == '#') {
        RETURN_IF_ERROR(Comment(tag));
      } else if (const std::optional<size_t> raw_end = RawBegin(tag)) {
        RETURN_IF_ERROR(Raw(tag, *raw_end));
      } else {
        RETURN_IF_ERROR(Tag(tag));
      }
    }
    tokens_.push_back({TokenType::kEnd, line_, "end of template"});
    return std::move(tokens_);
  }

 private:
  absl::Status Error(std::string_view what) const { return ErrorAt(line_, what); }
  absl::Status ErrorAt(int line, std::string_view what) const {
    return InvalidArgument("%s:%d: %s", program_.name, line, what);
  }

  // The next "{{", "{%" or "{#".
  size_t FindTag(size_t from) const {
    for (size_t i = from; (i = source_.find('{', i)) != kNone && i + 1 < source_.size(); ++i) {
      const char next = source_[i + 1];
      if (next == '{' || next == '%' || next == '#') return i;
    }
    return kNone;
  }

  bool At(size_t i, std::string_view wanted) const {
    return source_.substr(std::min(i, source_.size()), wanted.size()) == wanted;
  }
  char SignAt(size_t i) const {
    return i < source_.size() && (source_[i] == '-' || source_[i] == '+') ? source_[i] : '\0';
  }
  size_t SkipBlanks(size_t i) const {
    while (i < source_.size()) {
      size_t next = i;
      if (!IsSpace(Decode(source_, &next))) break;
      i = next;
    }
    return i;
  }

  void MoveTo(size_t position) {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<ptrdiff_t>(at_),
                                         source_.begin() + static_cast<ptrdiff_t>(position), '\n'));
    at_ = position;
  }

  void EmitText(std::string_view text) {
    if (!text.empty()) tokens_.push_back({TokenType::kText, line_, text});
  }

  // The text up to a tag, less what the tag's sign and lstrip_blocks take away.
  void TextBefore(size_t tag, bool lstrip) {
    std::string_view text = source_.substr(at_, tag - at_);
    const char sign = SignAt(tag + 2);
    if (sign == '-') {
      text = StripBlanks(text, Side::kRight);
    } else if (sign != '+' && lstrip) {
      const size_t newline = text.rfind('\n');
      const size_t line_begin = newline == kNone ? 0 : newline + 1;
      const bool whole_line = newline != kNone || line_starting_;
      if (whole_line && StripBlanks(text.substr(line_begin)).empty()) {
        text = text.substr(0, line_begin);
      }
    }
    EmitText(text);
    MoveTo(tag);
  }

  // Past "%}" or "#}" at `close`, whose sign stands before it: '-' takes the blanks behind, none
  // takes one newline (trim_blocks).
  void CloseTag(size_t close, char sign, bool trim) {
    size_t end = close + 2;
    if (sign == '-') {
      end = SkipBlanks(end);
    } else if (sign != '+' && trim && end < source_.size() && source_[end] == '\n') {
      ++end;
    }
    MoveTo(end);
    line_starting_ = source_[end - 1] == '\n';
  }

  absl::Status Comment(size_t tag) {
    TextBefore(tag, true);
    const size_t begin = tag + (SignAt(tag + 2) != '\0' ? 3 : 2);
    const size_t close = source_.find("#}", begin);
    if (close == kNone) return Error("a comment without its end, '#}'");
    CloseTag(close, close > begin ? SignAt(close - 1) : '\0', true);
    return absl::OkStatus();
  }

  // The end of "{% raw %}" at `tag`, if it stands there.
  std::optional<size_t> RawBegin(size_t tag) const {
    if (source_[tag + 1] != '%') return std::nullopt;
    size_t i = SkipBlanks(tag + (SignAt(tag + 2) != '\0' ? 3 : 2));
    if (!At(i, "raw")) return std::nullopt;
    i = SkipBlanks(i + 3);
    if (At(i, "-%}")) return SkipBlanks(i + 3);
    if (At(i, "%}")) return i + 2;
    return std::nullopt;
  }

  absl::Status Raw(size_t tag, size_t begin) {
    TextBefore(tag, true);
    const int line = line_;
    MoveTo(begin);
    line_starting_ = source_[begin - 1] == '\n';
    for (size_t end = begin; (end = source_.find("{%", end)) != kNone; ++end) {
      size_t i = SkipBlanks(end + (SignAt(end + 2) != '\0' ? 3 : 2));
      if (!At(i, "endraw")) continue;
      i = SkipBlanks(i + 6);
      const char sign = SignAt(i);
      if (!At(i + (sign != '\0' ? 1 : 0), "%}")) continue;
      TextBefore(end, true);
      CloseTag(i + (sign != '\0' ? 1 : 0), sign, true);
      return absl::OkStatus();
    }
    return ErrorAt(line, "a raw block without its end, {% endraw %}");
  }

  absl::Status Tag(size_t tag) {
    const bool block = source_[tag + 1] == '%';
    TextBefore(tag, block);
    const int line = line_;
    tokens_.push_back({block ? TokenType::kBlockBegin : TokenType::kVariableBegin, line_,
                       source_.substr(tag, 2)});
    at_ = tag + (SignAt(tag + 2) != '\0' ? 3 : 2);
    open_.clear();
    const std::string_view close = block ? "%}" : "}}";
    for (;;) {
      MoveTo(SkipBlanks(at_));
      if (at_ >= source_.size()) {
        return ErrorAt(line, absl::StrFormat("a tag without its end, '%s'", close));
      }
      const char sign = SignAt(at_);
      const bool signed_close = sign != '\0' && (block || sign == '-') && At(at_ + 1, close);
      if (open_.empty() && (signed_close || At(at_, close))) {
        tokens_.push_back({block ? TokenType::kBlockEnd : TokenType::kVariableEnd, line_, close});
        CloseTag(at_ + (signed_close ? 1 : 0), signed_close ? sign : '\0', block);
        return absl::OkStatus();
      }
      RETURN_IF_ERROR(Inside());
    }
  }

  // One token of an expression.
  absl::Status Inside() {
    const char c = source_[at_];
    if (IsDigitByte(c)) return Number();
    if (c == '\'' || c == '"') return String(c);
    if (const size_t end = NameEnd(at_); end > at_) {
      tokens_.push_back({TokenType::kName, line_, source_.substr(at_, end - at_)});
      at_ = end;
      return absl::OkStatus();
    }
    return OperatorToken();
  }

  size_t NameEnd(size_t i) const {
    while (i < source_.size()) {
      size_t next = i;
      const char32_t c = Decode(source_, &next);
      if (c != '_' && !IsAlphabetic(c) && !IsNumeric(c)) break;
      i = next;
    }
    return i;
  }

  // The end of digits with single underscores between them, or `i`.
  size_t DigitsEnd(size_t i) const {
    if (i >= source_.size() || !IsDigitByte(source_[i])) return i;
    while (i < source_.size() &&
           (IsDigitByte(source_[i]) ||
            (source_[i] == '_' && i + 1 < source_.size() && IsDigitByte(source_[i + 1])))) {
      ++i;
    }
    return i;
  }

  // The end of a real number at `begin`, or `begin` where none stands. After a dot it is an index.
  size_t RealEnd(size_t begin) const {
    if (begin > 0 && source_[begin - 1] == '.') return begin;
    const size_t whole = DigitsEnd(begin);
    size_t end = whole;
    if (At(end, ".")) end = DigitsEnd(end + 1) > end + 1 ? DigitsEnd(end + 1) : whole;
    if (end < source_.size() && (source_[end] | 0x20) == 'e') {
      const size_t digits = end + 1 + (SignAt(end + 1) != '\0' ? 1 : 0);
      if (DigitsEnd(digits) > digits) return DigitsEnd(digits);
    }
    return end == whole ? begin : end;
  }

  absl::Status Number() {
    const size_t begin = at_;
    const auto digits = [&](size_t end) {
      return ReplaceAll(source_.substr(begin, end - begin), "_", "");
    };
    if (const size_t end = RealEnd(begin); end > begin) {
      Token token{TokenType::kReal, line_, source_.substr(begin, end - begin)};
      token.real = std::strtod(digits(end).c_str(), nullptr);
      at_ = end;
      tokens_.push_back(token);
      return absl::OkStatus();
    }
    const size_t end = IntegerEnd(begin);
    Token token{TokenType::kInteger, line_, source_.substr(begin, end - begin)};
    const std::string text = digits(end);
    const char mark = text.size() > 1 ? static_cast<char>(text[1] | 0x20) : '\0';
    const int base = mark == 'x' ? 16 : (mark == 'o' ? 8 : (mark == 'b' ? 2 : 10));
    errno = 0;
    token.integer = std::strtoll(text.c_str() + (base == 10 ? 0 : 2), nullptr, base);
    if (errno == ERANGE) return Error("an integer outside 64 bits is not supported: " + text);
    at_ = end;
    tokens_.push_back(token);
    return absl::OkStatus();
  }

  size_t IntegerEnd(size_t begin) const {
    const char mark =
        begin + 1 < source_.size() ? static_cast<char>(source_[begin + 1] | 0x20) : '\0';
    const std::string_view allowed = mark == 'x'   ? "0123456789abcdefABCDEF"
                                     : mark == 'o' ? "01234567"
                                                   : "01";
    if (source_[begin] == '0' && (mark == 'x' || mark == 'o' || mark == 'b')) {
      size_t end = begin + 2;
      for (size_t i = end; i < source_.size(); ++i) {
        if (allowed.find(source_[i]) != kNone) {
          end = i + 1;
        } else if (source_[i] != '_' || i + 1 != end + 1) {
          break;
        }
      }
      if (end > begin + 2) return end;
    }
    if (source_[begin] != '0') return DigitsEnd(begin);
    // Only zeros may follow a zero: "007" is two tokens, and so an error of the parser's.
    size_t end = begin + 1;
    while (At(end, "0") || At(end, "_0")) end += At(end, "0") ? 1 : 2;
    return end;
  }

  absl::Status String(char quote) {
    size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) return Error("a string without its closing quote");
    ASSIGN_OR_RETURN(const std::string_view text,
                     Unescaped(source_.substr(at_ + 1, end - at_ - 1)));
    tokens_.push_back({TokenType::kString, line_, text});
    MoveTo(end + 1);
    return absl::OkStatus();
  }

  // Python's escapes; an unknown one keeps its backslash.
  absl::StatusOr<std::string_view> Unescaped(std::string_view text) {
    if (text.find('\\') == kNone) return text;
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\') {
        out.push_back(text[i]);
        continue;
      }
      RETURN_IF_ERROR(AppendEscape(text, &i, &out));
    }
    program_.strings.push_back(std::move(out));
    return program_.strings.back();
  }

  // text[*i] is the backslash; leaves *i at the escape's last byte.
  absl::Status AppendEscape(std::string_view text, size_t* i, std::string* out) {
    static constexpr std::string_view kPlain = "\\\\''\"\"a\ab\bf\fn\nr\rt\tv\v";
    const char c = text[++*i];
    for (size_t k = 0; k < kPlain.size(); k += 2) {
      if (kPlain[k] != c) continue;
      out->push_back(kPlain[k + 1]);
      return absl::OkStatus();
    }
    if (c == '\n') return absl::OkStatus();
    if (c >= '0' && c <= '7') {
      char32_t code = 0;
      size_t digits = 0;
      while (digits < 3 && *i + digits < text.size() && text[*i + digits] >= '0' &&
             text[*i + digits] <= '7') {
        code = code * 8 + static_cast<char32_t>(text[*i + digits++] - '0');
      }
      *i += digits - 1;
      AppendUtf8(code, out);
      return absl::OkStatus();
    }
    const size_t width = c == 'x' ? 2 : (c == 'u' ? 4 : (c == 'U' ? 8 : 0));
    if (width > 0) return AppendCode(text, width, i, out);
    if (c == 'N') return Error("\\N{...} in a string is not supported");
    out->push_back('\\');
    out->push_back(c);
    return absl::OkStatus();
  }

  absl::Status AppendCode(std::string_view text, size_t width, size_t* i, std::string* out) {
    const std::string digits(text.substr(*i + 1, width));
    if (digits.size() < width || digits.find_first_not_of("0123456789abcdefABCDEF") != kNone) {
      return Error("a truncated \\x, \\u or \\U escape in a string");
    }
    const unsigned long code = std::strtoul(digits.c_str(), nullptr, 16);
    if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
      return Error(absl::StrFormat("\\u escape of U+%04X, which is no character", code));
    }
    AppendUtf8(static_cast<char32_t>(code), out);
    *i += width;
    return absl::OkStatus();
  }

  absl::Status OperatorToken() {
    static constexpr std::string_view kOperators[] = {
        "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
        "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};
    for (const std::string_view op : kOperators) {
      if (!At(at_, op)) continue;
      RETURN_IF_ERROR(Balance(op[0]));
      tokens_.push_back({TokenType::kOperator, line_, op});
      at_ += op.size();
      return absl::OkStatus();
    }
    size_t next = at_;
    Decode(source_, &next);
    return Error(absl::StrFormat("unexpected '%s' in a tag", source_.substr(at_, next - at_)));
  }

  absl::Status Balance(char c) {
    if (c == '(') open_.push_back(')');
    if (c == '[') open_.push_back(']');
    if (c == '{') open_.push_back('}');
    if (c != ')' && c != ']' && c != '}') return absl::OkStatus();
    if (open_.empty()) return Error(absl::StrFormat("unexpected '%c'", c));
    const char wanted = open_.back();
    open_.pop_back();
    if (wanted == c) return absl::OkStatus();
    return Error(absl::StrFormat("unexpected '%c', expected '%c'", c, wanted));
  }

  Program& program_;
  std::string_view source_;
  size_t at_ = 0;
  int line_ = 1;
  bool line_starting_ = true;  // nothing but a newline stands before `at_`
  std::string open_;           // the closing brackets still wanted in this tag
  std::vector<Token> tokens_;
};

}  // namespace

absl::StatusOr<std::vector<Token>> Tokenize(std::string_view source, Program* program) {
  if (source.size() > kMaxSourceBytes) {
    return InvalidArgument("%s:1: the template has %d bytes, more than %d", program->name,
                           source.size(), kMaxSourceBytes);
  }
  if (const std::optional<size_t> bad = FirstInvalidUtf8(source)) {
    const auto line =
        std::count(source.begin(), source.begin() + static_cast<ptrdiff_t>(*bad), '\n');
    return InvalidArgument("%s:%d: not valid UTF-8", program->name, line + 1);
  }
  program->source = Normalised(source);
  return Lexer(program).Run();
}

}  // namespace assay::jinja
