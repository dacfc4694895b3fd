// The scanner. What is special: numbers are joined across thousands separators here, because only
// here is it known whether a bracket is open, and words keep their letters together, because only
// the parser knows whether "cm" is a unit or a product.
#include "graders/algebra/lexer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "graders/algebra/lexer_tables.h"
#include "harness/text.h"

namespace assay::algebra {
namespace {

class Scanner {
 public:
  Scanner(std::string_view text, const ReadingOptions& reading, const Limits& limits)
      : text_(text), reading_(reading), limits_(limits) {}

  Lexed Run() {
    while (out_.error.empty() && !out_.over_limit && at_ < text_.size()) Step();
    Push(TokenKind::kEnd, "");
    return std::move(out_);
  }

 private:
  char Peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : 0; }

  void Fail(std::string why) {
    if (out_.error.empty()) out_.error = std::move(why);
  }

  Token& Push(TokenKind kind, std::string text, bool tex = false) {
    Token token;
    token.kind = kind;
    token.text = std::move(text);
    token.space_before = space_;
    token.tex = tex;
    token.side = side_;
    side_ = 0;
    space_ = false;
    out_.tokens.push_back(std::move(token));
    // Each token becomes at most a few nodes; far beyond the node limit there is nothing to parse.
    if (out_.tokens.size() > static_cast<size_t>(limits_.max_nodes) * 4) out_.over_limit = true;
    return out_.tokens.back();
  }

  void Step() {
    const char c = Peek();
    if (IsBlank(c) || c == '~') {
      space_ = true;
      ++at_;
    } else if (IsDigit(c) || (c == '.' && IsDigit(Peek(1)))) {
      Number();
    } else if (IsLetter(c)) {
      Letters();
    } else if (c == '\\') {
      Macro();
    } else if (static_cast<unsigned char>(c) >= 0x80) {
      OtherScript();
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      Fail("a control character");
    } else {
      Punctuation(c);
    }
  }

  // Formulas on lines of their own are divided as by semicolons.
  void Dollar() {
    space_ = true;
    size_t at = at_;
    bool new_line = false;
    while (at < text_.size() && (IsBlank(text_[at]) || text_[at] == '$')) {
      if (text_[at] == '$' && new_line) break;
      new_line = new_line || text_[at] == '\n';
      ++at;
    }
    if (!new_line || at >= text_.size() || text_[at] != '$' || out_.tokens.empty()) return;
    at_ = at + 1;
    Push(TokenKind::kOperator, ";");
  }

  // A run of characters of scripts that have no mathematics: words.
  void OtherScript() {
    const size_t begin = at_;
    while (at_ < text_.size() && static_cast<unsigned char>(text_[at_]) >= 0x80) ++at_;
    out_.has_words = true;
    Push(TokenKind::kText, std::string(text_.substr(begin, at_ - begin)));
  }

  void Punctuation(char c) {
    static const std::array<std::pair<std::string_view, std::string_view>, 14> doubles = {
        {{"**", "^"},
         {"<=", "<="},
         {">=", ">="},
         {"=<", "<="},
         {"=>", "->"},
         {"!=", "!="},
         {"==", "="},
         {":=", "="},
         {"->", "->"},
         {"+-", "+-"},
         {"&&", "and"},
         {"||", "norm"},
         {"~=", "~"},
         {"=~", "~"}}};
    if (text_.substr(at_, 3) == "...") {
      at_ += 3;
      Push(TokenKind::kOperator, "...");
      return;
    }
    if (text_.substr(at_, 3) == "+/-") {
      at_ += 3;
      Push(TokenKind::kOperator, "+-");
      return;
    }
    for (const auto& [spelling, name] : doubles) {
      if (text_.substr(at_, 2) != spelling) continue;
      // "4 + -1" has a blank; "x!=5" reads as "not equal", as in programs.
      if (spelling == "+-" && IsDigit(Peek(2)) && !out_.tokens.empty()) continue;
      if (spelling == "!=" && !out_.tokens.empty() && out_.is_tex) continue;
      at_ += 2;
      if (spelling == "**") out_.is_plain = true;
      Push(TokenKind::kOperator, std::string(name));
      return;
    }
    ++at_;
    if (c == '(' || c == '[') ++depth_;
    if (c == ')' || c == ']') depth_ = std::max(0, depth_ - 1);
    if (c == '$') {
      Dollar();
      return;
    }
    if (c == '*') out_.is_plain = true;
    if (c == '@') {
      out_.has_words = true;
      Push(TokenKind::kText, "at");
      return;
    }
    // "max. 5"
    if (c == '.' && !out_.tokens.empty() && out_.tokens.back().kind == TokenKind::kFunction) return;
    if (c == '"' || c == '`') {
      space_ = true;
      return;
    }
    Push(TokenKind::kOperator, std::string(1, c));
  }

  // --- numbers ---

  size_t DigitsEnd(size_t from) const {
    while (from < text_.size() && IsDigit(text_[from])) ++from;
    return from;
  }

  // The length of a separator of thousands at `at`, and whether it could also divide a list.
  size_t Separator(size_t at, bool* ambiguous) const {
    static const std::array<std::string_view, 8> sure = {"{,}",   ",\\!", "\\,", "\\;",
                                                         "{\\,}", "\\ ",  "~",   "\\:"};
    *ambiguous = false;
    for (const std::string_view separator : sure) {
      if (text_.substr(at, separator.size()) != separator) continue;
      size_t length = separator.size();
      while (separator == ",\\!" && at + length < text_.size() && IsBlank(text_[at + length]))
        ++length;  // "11,\! 111"
      return length;
    }
    if (at < text_.size() && text_[at] == ',') {
      *ambiguous = true;
      return 1;
    }
    if (at < text_.size() && text_[at] == ' ') return 1;
    return 0;
  }

  // Where a number with thousands groups ends, or `first` where it has none. Every group has three
  // digits; in the Indian way the middle ones have two.
  size_t Grouped(size_t begin, size_t first, std::string* digits, bool* ambiguous) const {
    if (first - begin > 3 || first == begin || text_[begin] == '0') return first;
    const bool after_tex_argument = !out_.tokens.empty() && out_.tokens.back().text == "^";
    if (after_tex_argument) return first;
    std::string collected(text_.substr(begin, first - begin));
    size_t end = first;
    std::string_view used;
    int last = 0;
    bool two = false;
    while (true) {
      bool unsure = false;
      const size_t length = Separator(end, &unsure);
      if (length == 0) break;
      const std::string_view separator = text_.substr(end, length);
      // ",\!" and "{,}" are never list commas, wherever they stand; "[-36,\!104]" is an interval,
      // so inside brackets nothing joins but "{,}".
      if (depth_ > 0 && separator != "{,}") break;
      if (!used.empty() && separator != used) break;
      const size_t group = DigitsEnd(end + length) - (end + length);
      if (group != 3 && group != 2) break;
      if (group == 2 && (separator != "," || first - begin > 2)) break;
      two = two || group == 2;
      used = separator;
      *ambiguous = *ambiguous || unsure;
      collected.append(text_.substr(end + length, group));
      end += length + group;
      last = static_cast<int>(group);
    }
    if (end == first || last != 3) return first;
    if (used == " " && end < text_.size() && (text_[end] == '/' || text_[end] == '\\'))
      return first;
    (void)two;
    *digits = std::move(collected);
    return end;
  }

  bool StartsExponent(size_t at) const {
    if (at >= text_.size() || (text_[at] != 'e' && text_[at] != 'E')) return false;
    size_t digits = at + 1;
    if (digits < text_.size() && (text_[digits] == '+' || text_[digits] == '-')) ++digits;
    if (digits >= text_.size() || !IsDigit(text_[digits])) return false;
    const size_t end = DigitsEnd(digits);
    return end >= text_.size() || !(IsLetter(text_[end]) || text_[end] == '^');
  }

  void Number() {
    const size_t begin = at_;
    size_t end = DigitsEnd(at_);
    if (end - begin > limits_.max_digits) {
      out_.over_limit = true;
      return;
    }
    std::string digits(text_.substr(begin, end - begin));
    bool unsure = false;
    std::string joined;
    const size_t grouped = Grouped(begin, end, &joined, &unsure);
    bool merged = false;
    if (grouped != end) {
      if (unsure) out_.seen.thousands = true;
      if (!unsure || reading_.thousands) {
        digits = joined;
        end = grouped;
        merged = true;
      }
    } else if (DecimalComma(begin, end)) {
      out_.seen.thousands = true;
      if (reading_.thousands) {
        const size_t stop = DigitsEnd(end + 1);
        digits += "." + std::string(text_.substr(end + 1, stop - end - 1));
        end = stop;
        merged = true;
      }
    }
    if (end < text_.size() && text_[end] == '.' && text_.substr(end, 3) != "...") {
      const size_t stop = DigitsEnd(end + 1);
      if (stop - end > limits_.max_digits) {
        out_.over_limit = true;
        return;
      }
      digits += text_.substr(end, stop - end);
      end = stop;
    }
    at_ = end;
    const bool decimal = Contains(digits, ".");
    if (decimal && Repeating(&digits)) return;
    if (StartsExponent(at_)) {
      const bool plain_integer = !decimal && text_[at_] == 'e';
      if (plain_integer) out_.seen.scientific = true;
      if (!plain_integer || reading_.scientific) {
        size_t stop = at_ + 1;
        if (!IsDigit(text_[stop])) ++stop;
        stop = DigitsEnd(stop);
        digits += text_.substr(at_, stop - at_);
        at_ = stop;
        merged = true;
      }
    }
    Push(TokenKind::kNumber, std::move(digits)).merged = merged;
  }

  // "0,111": a comma as the decimal point, only after a lone zero and before three digits or more,
  // for "1,2" is a list far more often.
  bool DecimalComma(size_t begin, size_t end) const {
    const bool zero = depth_ == 0 && end - begin == 1 && text_[begin] == '0';
    if (!zero || end >= text_.size() || text_[end] != ',') return false;
    const size_t stop = DigitsEnd(end + 1);
    return stop - (end + 1) >= 3 &&
           (stop >= text_.size() || text_[stop] != '.' || stop + 1 == text_.size());
  }

  // After a decimal: an overlined or dotted or bracketed period, or an ellipsis. Pushes the token.
  bool Repeating(std::string* digits) {
    const std::string_view rest = text_.substr(at_);
    std::string period;
    size_t length = 0;
    if (rest.substr(0, 10) == "\\overline{" || rest.substr(0, 5) == "\\bar{") {
      const size_t open = rest.find('{');
      const size_t close = rest.find('}');
      if (close == std::string_view::npos) return false;
      period = std::string(Trim(rest.substr(open + 1, close - open - 1)));
      length = close + 1;
    } else if (rest.substr(0, 5) == "\\dot{" || rest.substr(0, 5) == "\\dot ") {
      length = DottedPeriod(rest, &period);
    } else if (rest.substr(0, 1) == "(") {
      const size_t close = rest.find(')');
      if (close == std::string_view::npos || close > 20) return false;
      period = std::string(rest.substr(1, close - 1));
      length = close + 1;
    } else {
      return Ellipsis(digits);
    }
    if (period.empty() || !std::all_of(period.begin(), period.end(), IsDigit)) return false;
    at_ += length;
    Push(TokenKind::kRepeating, *digits + "(" + period + ")").merged = true;
    return true;
  }

  // "\dot{1}2\dot{3}": the dots mark the first and last digit of the period.
  size_t DottedPeriod(std::string_view rest, std::string* period) const {
    if (rest.size() < 7 || !IsDigit(rest[5])) return 0;
    const bool braced = rest[4] == '{';
    size_t at = braced ? 7 : 6;
    std::string first(1, rest[5]);
    size_t digits = at;
    while (digits < rest.size() && IsDigit(rest[digits])) ++digits;
    if (rest.substr(digits, 5) == "\\dot{" && digits + 7 <= rest.size() &&
        IsDigit(rest[digits + 5])) {
      *period = first + std::string(rest.substr(at, digits - at)) + rest[digits + 5];
      return digits + 7;
    }
    *period = first;
    return at;
  }

  // "0.333\ldots": a decimal that shows its period at least three times (twice from three digits
  // on).
  bool Ellipsis(std::string* digits) {
    const std::string_view rest = text_.substr(at_);
    size_t length = 0;
    for (const std::string_view dots : {"...", "\\ldots", "\\dots", "\\cdots"})
      if (rest.substr(0, dots.size()) == dots) length = dots.size();
    if (length == 0) return false;
    const std::string fraction = digits->substr(digits->find('.') + 1);
    for (size_t period = 1; period * 2 <= fraction.size(); ++period) {
      const size_t repeats = period < 3 ? 3 : 2;
      if (period * repeats > fraction.size()) continue;
      const std::string tail = fraction.substr(fraction.size() - period);
      bool same = true;
      for (size_t i = 1; i < repeats; ++i)
        same = same && fraction.substr(fraction.size() - period * (i + 1), period) == tail;
      if (!same) continue;
      at_ += length;
      Push(TokenKind::kRepeating, *digits + "(" + tail + ")").merged = true;
      return true;
    }
    return false;
  }

  // --- letters ---

  void Letters() {
    const size_t begin = at_;
    while (at_ < text_.size() && IsLetter(text_[at_])) ++at_;
    // A module's name before a function: np.arcsin.
    const std::string_view run = text_.substr(begin, at_ - begin);
    if ((run == "np" || run == "math" || run == "numpy" || run == "sympy") && Peek() == '.' &&
        IsLetter(Peek(1))) {
      ++at_;
      out_.is_plain = true;
      return;
    }
    if (HalfDay(run)) return;
    Word(run);
  }

  // "p.m.", "am" after a number.
  bool HalfDay(std::string_view run) {
    if (out_.tokens.empty() || out_.tokens.back().kind != TokenKind::kNumber) return false;
    const std::string lower = ToLowerAscii(run);
    // "5am" is a product; "4:58am" and "5 am" are times.
    const size_t count = out_.tokens.size();
    const bool clock = count > 1 && out_.tokens[count - 2].text == ":";
    if ((lower == "am" || lower == "pm") && (clock || space_)) {
      Push(TokenKind::kText, lower, true);
      return true;
    }
    if ((lower == "a" || lower == "p") && Peek() == '.' && (Peek(1) == 'm' || Peek(1) == 'M')) {
      at_ += 2;
      if (Peek() == '.') ++at_;
      Push(TokenKind::kText, lower + "m", true);
      return true;
    }
    return false;
  }

  void Word(std::string_view run) {
    if (run.size() == 1) {
      Push(TokenKind::kName, std::string(run));
      return;
    }
    if (run == "inf" || run == "infinity" || run == "Infinity" || run == "oo" || run == "Inf") {
      Push(TokenKind::kName, "inf");
      return;
    }
    if (run == "sqrt") {
      Push(TokenKind::kCommand, "sqrt");
      return;
    }
    if (run == "binom" || run == "comb" || run == "binomial") {
      Push(TokenKind::kFunction, "binom");
      return;
    }
    if (FunctionNames().count(run) && run != "Re" && run != "Im" && run != "sup" && run != "deg") {
      Push(TokenKind::kFunction, std::string(run));
      return;
    }
    if (const auto alias = FunctionAliases().find(run);
        alias != FunctionAliases().end() && run.size() > 2) {
      Push(TokenKind::kFunction, std::string(alias->second));
      return;
    }
    if (run == "pi" || run == "Pi" || GreekWords().count(run)) {
      Push(TokenKind::kName, run == "Pi" ? "pi" : std::string(run));
      return;
    }
    if (run == "and" || run == "or") {
      Push(TokenKind::kOperator, std::string(run));
      return;
    }
    if (GluedFunction(run)) return;
    Push(TokenKind::kWord, std::string(run));
  }

  // "sinx", "lnx", "cosxy": a function's name glued to short arguments.
  bool GluedFunction(std::string_view run) {
    for (const std::string_view function :
         {"sin", "cos", "tan", "cot", "sec", "csc", "ln", "log"}) {
      if (run.size() <= function.size() || run.size() > function.size() + 2) continue;
      if (run.substr(0, function.size()) != function) continue;
      static const Names words = {"sine", "since",  "cost",  "costs", "tank",
                                  "tang", "second", "logic", "login", "sect",
                                  "tans", "logo",   "sink",  "sing",  "cots"};
      if (words.count(run)) return false;
      Push(TokenKind::kFunction, std::string(function));
      for (const char c : run.substr(function.size())) Push(TokenKind::kName, std::string(1, c));
      return true;
    }
    return false;
  }

  // --- macros ---

  void Macro() {
    out_.is_tex = true;
    ++at_;
    if (at_ >= text_.size()) {
      Fail("a lone backslash at the end");
      return;
    }
    const char c = Peek();
    if (!IsLetter(c)) {
      ControlSymbol(c);
      return;
    }
    const size_t begin = at_;
    while (at_ < text_.size() && IsLetter(text_[at_])) ++at_;
    ControlWord(text_.substr(begin, at_ - begin));
  }

  void ControlSymbol(char c) {
    ++at_;
    switch (c) {
      case '\\':
        Push(TokenKind::kOperator, "\\\\", true);
        // An optional spacing after a line's end: \\[2pt].
        if (Peek() == '[' && at_ + 1 < text_.size() && IsDigit(text_[at_ + 1])) {
          const size_t close = text_.find(']', at_);
          if (close != std::string_view::npos && close - at_ < 8) at_ = close + 1;
        }
        return;
      case '{':
        ++depth_;
        Push(TokenKind::kOperator, "\\{", true);
        return;
      case '}':
        depth_ = std::max(0, depth_ - 1);
        Push(TokenKind::kOperator, "\\}", true);
        return;
      case '%':
        Push(TokenKind::kOperator, "%", true);
        return;
      case '$':
        Push(TokenKind::kOperator, "\\$", true);
        return;
      case '|':
        Push(TokenKind::kOperator, "norm", true);
        return;
      case '&':
        Push(TokenKind::kText, "&", true);
        return;
      case '#':
      case '_':
        Push(TokenKind::kText, std::string(1, c), true);
        return;
      case '(':
      case ')':
      case '[':
      case ']':
      case ',':
      case ';':
      case ':':
      case '!':
      case ' ':
      case '>':
      case '\n':
      case '\t':
      case '/':
      case '-':
      case '@':
        space_ = c != '!';
        return;
      default:
        Fail(std::string("the macro \\") + c);
    }
  }

  void ControlWord(std::string_view name) {
    if (name == "surd") name = "sqrt";
    if (const std::string_view currency = CurrencyOf(name); !currency.empty()) {
      Push(TokenKind::kOperator, "currency:" + std::string(currency), true);
      return;
    }
    if (name == "mathbf" || name == "boldsymbol" || name == "bm") {
      if (UnitVector()) return;
    }
    if (Sizes().count(name)) {
      SizedDelimiter(name);
      return;
    }
    if (name == "textcolor" || name == "color" || name == "hspace" || name == "vspace" ||
        name == "phantom" || name == "tag" || name == "label" || name == "colorbox") {
      SkipGroup();
      return;
    }
    if (TextMacros().count(name) && SkipBlanksTo('{')) {
      TextGroup(name);
      return;
    }
    if (Layout().count(name)) {
      space_ = true;
      return;
    }
    if (name == "begin" || name == "end") {
      Environment(name);
      return;
    }
    if (const auto symbol = SymbolMacros().find(name); symbol != SymbolMacros().end()) {
      if (name == "Re" || name == "Im") {
        Push(TokenKind::kFunction, std::string(name), true);
      } else {
        Push(TokenKind::kName, std::string(symbol->second), true);
      }
      return;
    }
    if (name == "bigcup" || name == "bigcap") {
      // With bounds it ranges over an index, else it joins two sets.
      const bool indexed = SkipBlanksTo('_') || SkipBlanksTo('^');
      Push(indexed ? TokenKind::kCommand : TokenKind::kOperator,
           std::string(name.substr(indexed ? 0 : 3)), true);
      return;
    }
    if (const auto op = OperatorMacros().find(name); op != OperatorMacros().end()) {
      if (name == "lvert" || name == "lVert") side_ = 'L';
      if (name == "rvert" || name == "rVert") side_ = 'R';
      if (op->second == "\\{" || op->second == "langle") ++depth_;
      if (op->second == "\\}" || op->second == "rangle") depth_ = std::max(0, depth_ - 1);
      Push(TokenKind::kOperator, std::string(op->second), true);
      return;
    }
    if (StructureMacros().count(name)) {
      Push(TokenKind::kCommand, std::string(name), true);
      return;
    }
    if (FunctionNames().count(name)) {
      Push(TokenKind::kFunction, std::string(name), true);
      return;
    }
    if (const auto alias = FunctionAliases().find(name); alias != FunctionAliases().end()) {
      Push(TokenKind::kFunction, std::string(alias->second), true);
      return;
    }
    if (name == "par") {
      Push(TokenKind::kOperator, "\\\\", true);
      return;
    }
    Fail("the macro \\" + Shorten(name, 40));
  }

  static std::string_view CurrencyOf(std::string_view macro) {
    if (macro == "euro" || macro == "texteuro" || macro == "EUR") return "eur";
    if (macro == "pounds" || macro == "textsterling") return "gbp";
    return macro == "yen" || macro == "textyen" ? "cny" : "";
  }

  bool SkipBlanksTo(char wanted) {
    size_t at = at_;
    while (at < text_.size() && IsBlank(text_[at])) ++at;
    if (at >= text_.size() || text_[at] != wanted) return false;
    at_ = at;
    return true;
  }

  // \mathbf{i}, \mathbf{j}, \mathbf{k}: the unit vectors. Other bold letters are the letters.
  bool UnitVector() {
    if (Peek() != '{' || Peek(2) != '}' || Peek(1) < 'i' || Peek(1) > 'k') return false;
    Push(TokenKind::kName, std::string("unit_") + Peek(1), true);
    at_ += 3;
    return true;
  }

  void SizedDelimiter(std::string_view name) {
    while (at_ < text_.size() && IsBlank(text_[at_])) ++at_;
    if (Peek() == '.') {
      ++at_;
      return;
    }
    const bool left = name == "left" || name.back() == 'l';
    const bool right = name == "right" || name.back() == 'r';
    if (Peek() == '|' || text_.substr(at_, 2) == "\\|" || text_.substr(at_, 5) == "\\vert")
      side_ = left ? 'L' : right ? 'R' : 0;
  }

  void SkipGroup() {
    if (!SkipBlanksTo('{')) return;
    const size_t close = GroupEnd(at_);
    if (close == std::string_view::npos) {
      Fail("a brace that never closes");
      return;
    }
    at_ = close + 1;
  }

  // The offset of the brace that closes the one at `open`.
  size_t GroupEnd(size_t open) const {
    int depth = 0;
    for (size_t i = open; i < text_.size(); ++i) {
      if (text_[i] == '\\') {
        ++i;
      } else if (text_[i] == '{') {
        ++depth;
      } else if (text_[i] == '}' && --depth == 0) {
        return i;
      }
    }
    return std::string_view::npos;
  }

  void Environment(std::string_view name) {
    if (!SkipBlanksTo('{')) {
      Fail("\\" + std::string(name) + " without a name");
      return;
    }
    const size_t close = text_.find('}', at_);
    if (close == std::string_view::npos || close - at_ > 20) {
      Fail("\\" + std::string(name) + " without a name");
      return;
    }
    std::string environment(text_.substr(at_ + 1, close - at_ - 1));
    std::erase(environment, '*');
    at_ = close + 1;
    if (name == "begin") {
      ++depth_;
      if (environment == "array" || environment == "tabular") SkipGroup();
    } else {
      depth_ = std::max(0, depth_ - 1);
    }
    Push(TokenKind::kOperator, std::string(name) + ":" + environment, true);
  }

  // The content of \text{...}: mathematics where it is a number, a letter or a bracketed letter;
  // the connectors "and", "or"; else words, which the parser may know as a unit.
  void TextGroup(std::string_view macro) {
    const size_t close = GroupEnd(at_);
    if (close == std::string_view::npos) {
      Fail("a brace that never closes");
      return;
    }
    const std::string_view inside = text_.substr(at_ + 1, close - at_ - 1);
    at_ = close + 1;
    TextContent(inside, macro);
  }

  void TextContent(std::string_view inside, std::string_view macro) {
    std::string content;
    for (size_t i = 0; i < inside.size(); ++i) {
      const char c = inside[i];
      const bool spacing =
          c == '~' || c == '$' ||
          (c == '\\' && i + 1 < inside.size() && (inside[i + 1] == ' ' || inside[i + 1] == ','));
      if (c == '\\' && spacing) ++i;
      content += spacing ? ' ' : c;
    }
    const std::string_view trimmed = Trim(content);
    if (trimmed.empty()) {
      space_ = true;
      return;
    }
    const bool letters = std::all_of(trimmed.begin(), trimmed.end(), IsLetter);
    if (Contains(trimmed, "\\") || Contains(trimmed, "{") ||
        IsMathematical(trimmed, AfterValue()) || IsDigit(trimmed.front())) {
      Nested(inside);
      return;
    }
    if (trimmed.size() == 1 && letters) {
      // A roman letter is a unit after a number; the parser decides.
      Push(TokenKind::kText, std::string(trimmed), true);
      return;
    }
    const std::string lower = ToLowerAscii(trimmed);
    if (const std::string_view modulus = ModulusIn(lower); !modulus.empty()) {
      Nested("\\pmod{" + std::string(modulus) + "}");
      return;
    }
    if (const std::string half = ReplaceAll(ReplaceAll(lower, ".", ""), " ", "");
        half == "am" || half == "pm") {
      Push(TokenKind::kText, half, true);
      return;
    }
    if (lower == "and" || lower == "or" || lower == ", and" || lower == ", or" || lower == "and,") {
      if (lower[0] == ',') Push(TokenKind::kOperator, ",");
      Push(TokenKind::kOperator, Contains(lower, "or") ? "or" : "and", true);
      return;
    }
    if (letters && FunctionLike(trimmed, macro)) return;
    if (letters && (macro == "mathrm" || macro == "operatorname") && trimmed.size() <= 2 &&
        trimmed != "cm" && trimmed != "mm" && trimmed != "km" && trimmed != "kg") {
      Push(TokenKind::kText, std::string(trimmed), true);
      return;
    }
    out_.has_words = true;
    Push(TokenKind::kText, std::string(trimmed), true);
  }

  // The number in "(mod 7)"; empty where the words are others.
  static std::string_view ModulusIn(std::string_view lower) {
    for (const std::string_view opening : {"(mod ", "(modulo "}) {
      if (!lower.starts_with(opening) || !lower.ends_with(")")) continue;
      lower.remove_prefix(opening.size());
      lower.remove_suffix(1);
      const std::string_view number = Trim(lower);
      return std::all_of(number.begin(), number.end(), IsDigit) ? number : std::string_view();
    }
    return {};
  }

  // Whether a value or a unit ends here, so that "min" and "sec" are minutes and seconds.
  bool AfterValue() const {
    if (out_.tokens.empty()) return false;
    const Token& last = out_.tokens.back();
    if (last.kind != TokenKind::kOperator)
      return last.kind != TokenKind::kFunction && last.kind != TokenKind::kCommand;
    if (last.text == "/" || last.text == "-")
      return out_.tokens.size() > 1 && out_.tokens[out_.tokens.size() - 2].kind == TokenKind::kText;
    return last.text == ")" || last.text == "}" || last.text == "]";
  }

  bool FunctionLike(std::string_view word, std::string_view macro) {
    if ((word == "min" || word == "sec") && AfterValue()) return false;
    if (macro != "mathrm" && macro != "operatorname" && macro != "text" && macro != "textrm")
      return false;
    if (word == "inf") {
      Push(TokenKind::kName, "inf", true);
      return true;
    }
    if (FunctionNames().count(word)) {
      Push(TokenKind::kFunction, std::string(word), true);
      return true;
    }
    const auto alias = FunctionAliases().find(word);
    if (alias == FunctionAliases().end() || (word.size() == 2 && macro != "operatorname"))
      return false;
    Push(TokenKind::kFunction, std::string(alias->second), true);
    return true;
  }

  // "13", "(C)", "4:30", "-2", "3/4", ",": no words in it.
  // After a value, letters are a unit: "5\text{ m/s}".
  static bool IsMathematical(std::string_view content, bool after_value) {
    size_t run = 0;
    size_t longest = 0;
    for (const char c : content) {
      run = IsLetter(c) ? run + 1 : 0;
      longest = std::max(longest, run);
      if (static_cast<unsigned char>(c) >= 0x80) return false;
    }
    const bool one_letter_only = content.size() == 1 && longest == 1;
    if (after_value && longest > 0 && content.front() != '(') return false;
    return longest <= 1 && !one_letter_only && !Contains(content, "'");
  }

  // Scans `inside` as if it stood here, one level deeper.
  void Nested(std::string_view inside) {
    if (++nesting_ > 20) {
      out_.over_limit = true;
      return;
    }
    const std::string_view outer = text_;
    const size_t outer_at = at_;
    text_ = inside;
    at_ = 0;
    while (out_.error.empty() && !out_.over_limit && at_ < text_.size()) Step();
    text_ = outer;
    at_ = outer_at;
    --nesting_;
  }

  std::string_view text_;
  const ReadingOptions& reading_;
  const Limits& limits_;
  size_t at_ = 0;
  int depth_ = 0;  // of brackets in which a comma divides
  int nesting_ = 0;
  bool space_ = false;
  char side_ = 0;
  Lexed out_;
};

}  // namespace

Lexed Lex(std::string_view text, const ReadingOptions& reading, const Limits& limits) {
  if (text.size() > limits.max_bytes) {
    Lexed lexed;
    lexed.over_limit = true;
    lexed.tokens.emplace_back();
    return lexed;
  }
  // "The answer is 42": the words before say nothing.
  std::string_view rest = text;
  std::string_view bare = rest;
  for (const std::string_view macro : {"\\text{", "\\textbf{", "\\mathrm{"})
    if (bare.substr(0, macro.size()) == macro) bare = bare.substr(macro.size());
  for (const std::string_view lead : LeadIns()) {
    if (!EqualsIgnoreCaseAscii(bare.substr(0, lead.size()), lead)) continue;
    std::string_view after = bare.substr(lead.size());
    if (!after.empty() && IsLetter(after.front())) continue;
    after = TrimLeft(after);
    for (const std::string_view next : {"is:", "is", ":", "}"})
      if (after.substr(0, next.size()) == next) after = TrimLeft(after.substr(next.size()));
    if (bare.size() != rest.size() && !after.empty() && after.front() == '}')
      after = after.substr(1);
    after = TrimLeft(after);
    if (!after.empty()) rest = after;
    break;
  }
  return Scanner(StripFrame(rest), reading, limits).Run();
}

}  // namespace assay::algebra
