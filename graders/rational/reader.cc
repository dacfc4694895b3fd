// A recursive descent over TeX and plain spellings of one number; what does not fit is no number.
#include <array>

#include "graders/rational/quantity.h"
#include "graders/rational/units.h"
#include "harness/text.h"

namespace assay {
namespace {

constexpr size_t kNowhere = std::string_view::npos;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

struct Delimiters {
  std::string_view open, close;
};
constexpr std::array<Delimiters, 4> kMath = {
    {{"$$", "$$"}, {"$", "$"}, {"\\(", "\\)"}, {"\\[", "\\]"}}};

// Whether the delimiters around `inner` belong together: not so in "$5 and $6$" or "\(a\) or
// \(b\)".
bool IsPair(std::string_view inner, const Delimiters& math) {
  for (size_t i = 0; i < inner.size(); ++i) {
    if (inner.substr(i).starts_with(math.close)) return false;
    if (inner[i] == '\\' && ++i == inner.size()) return false;  // the closing mark is escaped
  }
  return true;
}

// Blanks, TeX spacing and a final period off both ends; math delimiters around the whole too.
std::string_view WithoutMath(std::string_view text) {
  for (size_t before = text.size() + 1; text.size() < before;) {
    before = text.size();
    text = Trim(text);
    while (text.ends_with("\\,") || text.ends_with("\\!") || text.ends_with("\\;") ||
           text.ends_with("\\ "))
      text.remove_suffix(2);
    if (text.ends_with("\\")) text.remove_suffix(1);  // of "\ " whose blank was trimmed
    if (text.size() > 1 && (text.back() == '.' || text.back() == ',' || text.back() == ';'))
      text.remove_suffix(1);
    for (const Delimiters& math : kMath) {
      const bool around = text.size() > math.open.size() + math.close.size() &&
                          text.starts_with(math.open) && text.ends_with(math.close);
      if (!around) continue;
      const std::string_view inner =
          text.substr(math.open.size(), text.size() - math.open.size() - math.close.size());
      if (!IsPair(inner, math)) continue;
      text = inner;
    }
  }
  return text;
}

// A value and how it was written.
struct Number {
  mpq_class value;
  int decimals = 0;
  bool integer_literal = false;  // digits only: what a mixed number begins with
  std::string comma_groups;      // "100,200" of a literal with plain commas
};

mpz_class PowerOfTen(int exponent) {
  mpz_class power;
  mpz_ui_pow_ui(power.get_mpz_t(), 10, static_cast<unsigned long>(exponent));
  return power;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  QuantityReading Read() {
    Quantity quantity;
    quantity.name = ReadName();
    const bool whole = ReadValue(&quantity) && AtEnd();
    if (over_limit_) return {std::nullopt, ReadProblem::kOverLimit};
    if (!whole) return {std::nullopt, ReadProblem::kNotANumber};
    return {std::move(quantity), ReadProblem::kNone};
  }

 private:
  // ---- characters -----------------------------------------------------------------------------

  std::string_view Rest() const { return text_.substr(at_); }
  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  bool Take(std::string_view word) {
    if (!Rest().starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  // A command, not the beginning of a longer one: \text but not \textbf.
  bool TakeCommand(std::string_view name) {
    const std::string_view rest = Rest();
    if (!rest.starts_with(name) || (rest.size() > name.size() && IsLetter(rest[name.size()])))
      return false;
    at_ += name.size();
    return true;
  }

  // Spacing, \left and \right say nothing.
  void SkipSpace() {
    static constexpr std::array<std::string_view, 6> kSpaces = {
        "\\,", "\\;", "\\:", "\\!", "\\ ", "~"};
    for (size_t before = kNowhere; before != at_;) {
      before = at_;
      while (at_ < text_.size() &&
             (text_[at_] == ' ' || (text_[at_] >= '\t' && text_[at_] <= '\r')))
        ++at_;
      for (const std::string_view space : kSpaces) Take(space);
      for (const std::string_view command :
           {"\\quad", "\\qquad", "\\left", "\\right", "\\displaystyle"})
        TakeCommand(command);
    }
  }

  bool AtEnd() {
    SkipSpace();
    return at_ == text_.size();
  }

  // ---- value with what stands around it -------------------------------------------------------

  // "x =", "\theta =", "x_1 =": the name; otherwise nothing is taken.
  std::string ReadName() {
    const size_t begin = at_;
    SkipSpace();
    std::string name;
    if (Take("\\")) name = "\\";
    while (IsLetter(Peek())) name += text_[at_++];
    const bool one_symbol = name.size() == 1 ? IsLetter(name[0]) : name.starts_with("\\");
    if (one_symbol && Take("_")) name += "_" + ReadSubscript();
    SkipSpace();
    if (one_symbol && name != "\\" && Take("=")) return name;
    at_ = begin;
    return "";
  }

  std::string ReadSubscript() {
    const bool braced = Take("{");
    std::string subscript;
    while (IsLetter(Peek()) || IsDigit(Peek())) {
      subscript += text_[at_++];
      if (!braced) break;
    }
    if (braced && !Take("}")) at_ = text_.size();
    return subscript;
  }

  bool ReadValue(Quantity* quantity) {
    const bool minus = ReadSigns();
    ReadCurrency(quantity);
    const bool minus_inside = ReadSigns();
    Number number;
    if (!ReadMagnitude(&number)) return false;
    quantity->value = number.value;
    quantity->decimals = number.decimals;
    quantity->comma_groups = number.comma_groups;
    if (!ReadSuffixes(quantity)) return false;
    if (minus != minus_inside) quantity->value = -quantity->value;
    return true;
  }

  // Any number of signs; whether they come to a minus.
  bool ReadSigns() {
    bool minus = false;
    for (SkipSpace();; SkipSpace()) {
      if (Take("-") || Take("−") || Take("–")) {
        minus = !minus;
      } else if (!Take("+")) {
        return minus;
      }
    }
  }

  void ReadCurrency(Quantity* quantity) {
    SkipSpace();
    if (Take("\\$") || Take("$")) quantity->unit = "dollar";
    if (Take("€") || Take("\\euro")) quantity->unit = "euro";
    if (Take("£") || TakeCommand("\\pounds")) quantity->unit = "pound sterling";
    SkipSpace();
  }

  // Percent, degrees, units.
  bool ReadSuffixes(Quantity* quantity) {
    SkipSpace();
    if (Take("\\%") || Take("%")) return quantity->percent = true;
    if (TakeDegree()) return ReadDegreeScale(quantity);
    if (at_ == text_.size()) return true;
    const size_t begin = at_;
    if (ReadUnitText(quantity)) return true;
    at_ = begin;  // a closing bracket of an outer value, or no number at all
    return true;
  }

  bool TakeDegree() {
    for (const std::string_view sign : {"^\\circ", "^{\\circ}", "^{\\circ }", "°", "\\degree",
                                        "^ \\circ", "^\\degree", "^{\\degree}"}) {
      if (Take(sign)) return true;
    }
    return false;
  }

  bool ReadDegreeScale(Quantity* quantity) {
    quantity->unit = "degree";
    SkipSpace();
    for (const std::string_view scale :
         {"C", "F", "\\text{C}", "\\text{F}", "\\mathrm{C}", "\\mathrm{F}"}) {
      if (!Rest().starts_with(scale)) continue;
      const bool celsius = Contains(scale, "C");
      at_ += scale.size();
      quantity->unit = celsius ? "degree C" : "degree F";
      break;
    }
    return true;
  }

  // \text{ cm}^2, "square inches", \text{ million} \text{ dollars}.
  bool ReadUnitText(Quantity* quantity) {
    std::string words;
    bool from_text = false;
    for (SkipSpace(); at_ < text_.size(); SkipSpace()) {
      if (!ReadUnitPiece(&words, &from_text) || words.size() > kLongestUnit) break;
    }
    if (words.empty() || words.size() > kLongestUnit) return false;
    const std::optional<UnitReading> unit = ReadUnit(words, from_text);
    if (!unit) return false;
    if (!quantity->unit.empty() && !unit->unit.empty() && quantity->unit != unit->unit)
      return false;
    if (!unit->unit.empty()) quantity->unit = unit->unit;
    quantity->unit_known = unit->known;
    quantity->percent = unit->percent;
    quantity->value *= PowerOfTen(unit->scale_exponent);
    return true;
  }

  bool ReadUnitPiece(std::string* words, bool* from_text) {
    for (const std::string_view command : {"\\text", "\\mathrm", "\\mbox", "\\textrm",
                                           "\\operatorname", "\\rm", "\\textit", "\\mathit"}) {
      const size_t begin = at_;
      if (!TakeCommand(command)) continue;
      SkipSpace();
      if (!Take("{")) return at_ = begin, false;
      const size_t close = text_.find('}', at_);
      if (close == kNowhere) return at_ = begin, false;
      *words += " " + std::string(text_.substr(at_, close - at_));
      at_ = close + 1;
      *from_text = true;
      return true;
    }
    if (!words->empty() && Take("^")) return ReadUnitPower(words);
    std::string word;
    while (IsLetter(Peek())) word += text_[at_++];
    if (word.empty() && !words->empty() && Take("/")) word = "/";
    *words += " " + word;
    return !word.empty();
  }

  bool ReadUnitPower(std::string* words) {
    const bool braced = Take("{");
    const char power = Peek();
    if (power != '2' && power != '3') return false;
    ++at_;
    while (words->ends_with(' ')) words->pop_back();
    *words += std::string("^") + power;
    return !braced || Take("}");
  }

  // ---- magnitudes -----------------------------------------------------------------------------

  bool ReadMagnitude(Number* number) {
    if (++depth_ > kDeepestNesting) return over_limit_ = true, false;
    const bool read = ReadFactor(number) && ReadTail(number);
    --depth_;
    return read;
  }

  // A fraction, a group, or a literal.
  bool ReadFactor(Number* number) {
    SkipSpace();
    if (TakeFracCommand()) return ReadFrac(number);
    if (const char close = TakeGroup()) return ReadGroup(close, number);
    return ReadLiteral(number);
  }

  bool TakeFracCommand() {
    return TakeCommandOrDigit("\\frac") || TakeCommandOrDigit("\\dfrac") ||
           TakeCommandOrDigit("\\tfrac") || TakeCommandOrDigit("\\cfrac");
  }
  bool TakeCommandOrDigit(std::string_view name) { return TakeCommand(name); }

  // An opening bracket, or a command that only dresses what it holds: the bracket that closes it.
  char TakeGroup() {
    if (Take("(")) return ')';
    if (Take("{")) return '}';
    const size_t begin = at_;
    for (const std::string_view command :
         {"\\boxed", "\\fbox", "\\text", "\\textbf", "\\mathbf", "\\mathrm", "\\mbox", "\\bold",
          "\\boldsymbol", "\\ensuremath"}) {
      if (!TakeCommand(command)) continue;
      SkipSpace();
      if (Take("{")) return '}';
      at_ = begin;
    }
    return '\0';
  }

  bool ReadGroup(char close, Number* number) {
    const bool minus = ReadSigns();
    Take("$");  // \boxed{$5$}, \text{$5$}
    const bool minus_inside = ReadSigns();
    in_parentheses_ += close == ')';
    if (!ReadMagnitude(number)) return false;
    in_parentheses_ -= close == ')';
    if (minus != minus_inside) number->value = -number->value;
    number->integer_literal = false;
    Take("$");
    SkipSpace();
    return Take(std::string_view(&close, 1));
  }

  // \frac{a}{b}, \frac12, \frac1{20}.
  bool ReadFrac(Number* number) {
    Number top, bottom;
    if (!ReadFracArgument(&top) || !ReadFracArgument(&bottom)) return false;
    return Divide(top, bottom, number);
  }

  bool ReadFracArgument(Number* number) {
    SkipSpace();
    if (Take("{")) return ReadGroup('}', number);
    if (!IsDigit(Peek())) return false;
    number->value = Peek() - '0';
    ++at_;
    return true;
  }

  static bool Divide(const Number& top, const Number& bottom, Number* quotient) {
    if (bottom.value == 0) return false;
    quotient->value = top.value / bottom.value;
    quotient->decimals = 0;
    quotient->integer_literal = false;
    return true;
  }

  // What may follow a factor: a power, a fraction bar, the fraction of a mixed number, a power of
  // ten.
  bool ReadTail(Number* number) {
    const size_t end = at_;
    SkipSpace();
    if (Peek() == '^' && !IsDegreeAhead()) return ReadPower(number) && ReadTimesTen(number);
    if (Take("/")) return ReadDenominator(number);
    if (number->integer_literal && IsFracAhead()) return ReadMixed(number);
    if (number->integer_literal && at_ > end && IsDigit(Peek())) return ReadPlainMixed(number);
    return ReadTimesTen(number);
  }

  bool IsDegreeAhead() const {
    const std::string_view rest = Rest();
    for (const std::string_view sign :
         {"^\\circ", "^{\\circ", "^ \\circ", "^\\degree", "^{\\degree"}) {
      if (rest.starts_with(sign)) return true;
    }
    return false;
  }

  bool IsFracAhead() {
    const size_t begin = at_;
    const bool frac = TakeFracCommand();
    at_ = begin;
    return frac;
  }

  bool ReadDenominator(Number* number) {
    Number bottom;
    SkipSpace();
    if (!ReadFactor(&bottom)) return false;
    return Divide(*number, bottom, number);
  }

  // 3\frac{1}{2}: the fraction must be a proper one, of plain digits.
  bool ReadMixed(Number* number) {
    TakeFracCommand();
    Number fraction;
    if (!ReadFrac(&fraction)) return false;
    return AddProper(fraction, number);
  }

  // 2 5/8.
  bool ReadPlainMixed(Number* number) {
    Number top, bottom;
    if (!ReadLiteral(&top) || !top.integer_literal) return false;
    SkipSpace();
    if (!Take("/")) return false;
    SkipSpace();
    if (!ReadLiteral(&bottom) || !bottom.integer_literal) return false;
    Number fraction;
    return Divide(top, bottom, &fraction) && AddProper(fraction, number);
  }

  static bool AddProper(const Number& fraction, Number* number) {
    if (fraction.value < 0 || fraction.value >= 1) return false;
    number->value += fraction.value;
    number->integer_literal = false;
    return true;
  }

  // 10^6, 10^{-5}, 2^{10}. Two digits without braces are a power of ten only: TeX reads 2^10 as
  // 2^1 0, and people write 10^23.
  bool ReadPower(Number* number) {
    Take("^");
    SkipSpace();
    const bool braced = Take("{");
    const bool bracket = !braced && Take("(");
    const bool minus = ReadSigns();
    const size_t begin = at_;
    while (IsDigit(Peek())) ++at_;
    const size_t digits = at_ - begin;
    if (digits == 0 || (digits > 1 && !braced && !bracket && number->value != 10)) return false;
    if (digits > 6) return over_limit_ = true, false;
    const int exponent = static_cast<int>(*ParseInt(text_.substr(begin, digits)));
    if ((braced && !TakeClosing("}")) || (bracket && !TakeClosing(")"))) return false;
    return Raise(number, minus ? -exponent : exponent);
  }

  bool TakeClosing(std::string_view bracket) {
    SkipSpace();
    return Take(bracket);
  }

  bool Raise(Number* number, int exponent) {
    const mpq_class base = number->value;
    if (base == 0 && exponent <= 0) return false;
    const size_t bits =
        mpz_sizeinbase(base.get_num_mpz_t(), 2) + mpz_sizeinbase(base.get_den_mpz_t(), 2);
    const auto times = static_cast<unsigned long>(std::abs(exponent));
    if (bits * times > 4u * kLargestExponent + 8) return over_limit_ = true, false;
    mpq_class power;
    mpz_pow_ui(power.get_num_mpz_t(), base.get_num_mpz_t(), times);
    mpz_pow_ui(power.get_den_mpz_t(), base.get_den_mpz_t(), times);
    power.canonicalize();
    number->value = exponent < 0 ? mpq_class(1) / power : power;
    number->decimals = 0;
    number->integer_literal = false;
    return true;
  }

  // a \times 10^{b}. Nothing is taken where no power of ten follows.
  bool ReadTimesTen(Number* number) {
    const size_t begin = at_;
    SkipSpace();
    const bool times =
        TakeCommand("\\times") || TakeCommand("\\cdot") || Take("×") || Take("·") || Take("*");
    SkipSpace();
    if (!times || !Take("10")) return at_ = begin, true;
    SkipSpace();
    if (Peek() != '^') return false;
    Number ten;
    ten.value = 10;
    if (!ReadPower(&ten)) return false;
    number->value *= ten.value;
    number->decimals = 0;
    number->integer_literal = false;
    return true;
  }

  // ---- literals -------------------------------------------------------------------------------

  bool ReadLiteral(Number* number) {
    const size_t begin = at_;
    std::string digits = ReadWholeDigits();
    const std::string_view written = text_.substr(begin, at_ - begin);
    if (Contains(written, ",") && !Contains(written, "{") && !Contains(written, "\\"))
      number->comma_groups = written;
    const size_t whole = digits.size();
    if (Peek() == '.' && at_ + 1 <= text_.size() &&
        (IsDigit(At(at_ + 1)) || IsRepetendAt(at_ + 1) || whole > 0)) {
      ++at_;
      while (IsDigit(Peek())) digits += text_[at_++];
    }
    if (digits.size() > kMostDigits) return over_limit_ = true, false;
    const size_t decimals = digits.size() - whole;
    std::string repetend;
    if (IsRepetendAt(at_) && !ReadRepetend(&repetend)) return false;
    if (digits.empty() && repetend.empty()) return false;
    number->value = ValueOf(digits, static_cast<int>(decimals), repetend);
    number->decimals = repetend.empty() ? static_cast<int>(decimals) : 0;
    number->integer_literal = decimals == 0 && repetend.empty();
    return ReadExponent(number);
  }

  char At(size_t i) const { return i < text_.size() ? text_[i] : '\0'; }

  bool IsRepetendAt(size_t i) const {
    const std::string_view rest = i < text_.size() ? text_.substr(i) : "";
    return rest.starts_with("\\overline{") || rest.starts_with("\\bar{") ||
           rest.starts_with("\\dot{");
  }

  bool ReadRepetend(std::string* repetend) {
    at_ = text_.find('{', at_) + 1;
    while (IsDigit(Peek())) *repetend += text_[at_++];
    return !repetend->empty() && repetend->size() <= 1000 && Take("}");
  }

  // 0.12\overline{34} is (12 + 34/99) / 100.
  static mpq_class ValueOf(const std::string& digits, int decimals, const std::string& repetend) {
    mpz_class whole(0);
    if (!digits.empty()) mpz_set_str(whole.get_mpz_t(), digits.c_str(), 10);
    mpq_class value(whole);
    if (!repetend.empty()) {
      mpz_class repeated;
      mpz_set_str(repeated.get_mpz_t(), repetend.c_str(), 10);
      mpq_class part(repeated, PowerOfTen(static_cast<int>(repetend.size())) - 1);
      part.canonicalize();
      value += part;
    }
    return value / mpq_class(PowerOfTen(decimals));
  }

  // Digits, with thousands marks or without.
  std::string ReadWholeDigits() {
    std::string digits;
    while (IsDigit(Peek())) digits += text_[at_++];
    // No thousands mark follows a zero: 0,245 is a decimal or a list.
    if (digits.empty() || digits.size() > 3 || digits[0] == '0') return digits;
    std::string_view mark;
    while (TakeThousand(&mark)) {
      digits += text_.substr(at_, 3);
      at_ += 3;
    }
    return digits;
  }

  // A mark, with exactly three digits behind it; all marks of one number are alike.
  bool TakeThousand(std::string_view* mark) {
    for (const std::string_view candidate : {",\\!", "{,}", "\\,", ",", " "}) {
      if (!Rest().starts_with(candidate) || (!mark->empty() && *mark != candidate)) continue;
      if (candidate == "," && in_parentheses_ > 0) continue;  // (1,234) is a point
      const size_t i = at_ + candidate.size();
      const bool three =
          IsDigit(At(i)) && IsDigit(At(i + 1)) && IsDigit(At(i + 2)) && !IsDigit(At(i + 3));
      // "2 123/456" is a mixed number.
      const bool mixed =
          candidate == " " && text_.substr(std::min(text_.size(), i + 3)).starts_with("/");
      if (!three || mixed) continue;
      *mark = candidate;
      at_ = i;
      return true;
    }
    return false;
  }

  // 4.5e33. "3e" is three times e, so a digit must follow.
  bool ReadExponent(Number* number) {
    if (Peek() != 'e' && Peek() != 'E') return true;
    size_t i = at_ + 1;
    const bool minus = At(i) == '-';
    if (At(i) == '-' || At(i) == '+') ++i;
    if (!IsDigit(At(i))) return true;
    const size_t begin = i;
    while (IsDigit(At(i))) ++i;
    const std::optional<int64_t> exponent = ParseInt(text_.substr(begin, i - begin));
    if (!exponent || *exponent > kLargestExponent) return over_limit_ = true, false;
    at_ = i;
    const mpq_class power(PowerOfTen(static_cast<int>(*exponent)));
    number->value = minus ? mpq_class(number->value / power) : mpq_class(number->value * power);
    number->decimals = 0;
    number->integer_literal = false;
    return true;
  }

  static constexpr size_t kLongestUnit = 200;  // bytes

  std::string_view text_;
  size_t at_ = 0;
  int depth_ = 0;
  int in_parentheses_ = 0;
  bool over_limit_ = false;
};

// ---- one spelling -----------------------------------------------------------------------------

struct Respelling {
  std::string_view from, to;
};
constexpr std::array<Respelling, 17> kRespellings = {{
    {"\\dfrac", "\\frac"},
    {"\\tfrac", "\\frac"},
    {"\\cfrac", "\\frac"},
    {"\\left", ""},
    {"\\right", ""},
    {"\\displaystyle", ""},
    {"\\quad", " "},
    {"\\qquad", " "},
    {"\\,", " "},
    {"\\;", " "},
    {"\\:", " "},
    {"\\!", ""},
    {"\\ ", " "},
    {"~", " "},
    {"\\cdot", "\\cdot"},
    {"\\leq", "\\le"},
    {"\\geq", "\\ge"},
}};

// The longest respelling at the front of `text`; commands only where they end there.
const Respelling* RespellingAt(std::string_view text) {
  for (const Respelling& respelling : kRespellings) {
    if (!text.starts_with(respelling.from)) continue;
    const bool command = respelling.from.size() > 2;
    const bool longer =
        command && text.size() > respelling.from.size() && IsLetter(text[respelling.from.size()]);
    if (!longer) return &respelling;
  }
  return nullptr;
}

bool NeedsBlank(char before, char after) {
  const auto joins = [](char c) {
    return IsLetter(c) || IsDigit(c) || (static_cast<unsigned char>(c) >= 0x80);
  };
  return joins(before) && joins(after);
}

std::string WithoutSpacing(std::string_view text) {
  std::string form;
  bool blank = false;
  for (size_t i = 0; i < text.size();) {
    const Respelling* respelling =
        text[i] == '\\' || text[i] == '~' ? RespellingAt(text.substr(i)) : nullptr;
    const bool space = text[i] == ' ' || (text[i] >= '\t' && text[i] <= '\r') ||
                       (respelling != nullptr && respelling->to == " ");
    if (space) {
      blank = true;
      i += respelling != nullptr ? respelling->from.size() : 1;
      continue;
    }
    const std::string_view piece = respelling != nullptr ? respelling->to : text.substr(i, 1);
    if (blank && !piece.empty() && !form.empty() && NeedsBlank(form.back(), piece.front()))
      form += ' ';
    if (!piece.empty()) blank = false;
    form += piece;
    i += respelling != nullptr ? respelling->from.size() : 1;
  }
  return form;
}

// The brace that closes the one at the front of `text`, or nowhere.
size_t ClosingBrace(std::string_view text) {
  size_t depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '{') {
      ++depth;
    } else if (text[i] == '}' && --depth == 0) {
      return i;
    }
  }
  return kNowhere;
}

// \text{...} or { } around the whole.
std::string_view WithoutDress(std::string_view text) {
  for (int layer = 0; layer < 8; ++layer) {
    std::string_view inner = text;
    for (const std::string_view command :
         {"\\text", "\\textbf", "\\mathrm", "\\mathbf", "\\mbox", "\\boxed", "\\fbox"}) {
      if (text.starts_with(command) && text.substr(command.size()).starts_with("{"))
        inner = text.substr(command.size());
    }
    if (!inner.starts_with("{") || ClosingBrace(inner) != inner.size() - 1) return text;
    text = Trim(inner.substr(1, inner.size() - 2));
  }
  return text;
}

}  // namespace

QuantityReading ReadQuantity(std::string_view text) {
  text = WithoutMath(text);
  if (text.size() > kMostAnswerBytes) return {std::nullopt, ReadProblem::kOverLimit};
  return Reader(text).Read();
}

std::string TextForm(std::string_view text) {
  return WithoutSpacing(WithoutMath(WithoutDress(WithoutMath(text))));
}

std::string ShownValue(const mpq_class& value) {
  if (mpz_sizeinbase(value.get_num_mpz_t(), 10) + mpz_sizeinbase(value.get_den_mpz_t(), 10) > 60)
    return "a long number";
  return value.get_str();
}

}  // namespace assay
