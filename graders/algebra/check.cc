// Readings on both sides, compared until one pair of them holds; and what is said when none does.
#include "graders/algebra/check.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "graders/algebra/exact.h"
#include "graders/algebra/reader.h"
#include "graders/algebra/words.h"
#include "harness/text.h"

namespace assay::algebra {
namespace {

constexpr size_t kMaxReadings = 4;

struct NamedReading {
  std::string name;
  Expr tree;
};

// A side of the comparison, read.
struct Side {
  std::string spelled;  // without its frame
  std::vector<NamedReading> readings;
  std::string error;
  bool over_limit = false;
  bool has_words = false;
  Ambiguities seen;
};

void AddAlternatives(const Ambiguities& seen, const ReadingOptions& base, const Limits& limits,
                     Side* side) {
  struct Alternative {
    bool offered;
    const char* name;
    void (*apply)(ReadingOptions*);
  };
  const std::array<Alternative, 5> alternatives = {{
      {seen.thousands, "commas divide a list", [](ReadingOptions* o) { o->thousands = false; }},
      {seen.log, "the other base of log", [](ReadingOptions* o) { o->log_is_default = false; }},
      {seen.slash, "the slash takes the whole product",
       [](ReadingOptions* o) { o->slash_binds_loose = false; }},
      {seen.imaginary_j, "j is the imaginary unit",
       [](ReadingOptions* o) { o->j_is_imaginary = true; }},
      {seen.scientific, "e is Euler's number", [](ReadingOptions* o) { o->scientific = false; }},
  }};
  for (const Alternative& alternative : alternatives) {
    if (!alternative.offered || side->readings.size() >= kMaxReadings) continue;
    ReadingOptions options = base;
    alternative.apply(&options);
    const Reading reading = Read(side->spelled, options, limits);
    if (reading.tree) side->readings.push_back({alternative.name, Normalise(reading.tree)});
  }
}

// "C. 1-i", "(C) 1-i", "\\textbf{(C)} 1-i": the letter of a choice before its content, which is
// left in `text`; "C)" alone leaves the letter. Nothing where there is none.
std::optional<char> TakeChoice(std::string_view* text) {
  std::string_view rest = *text;
  bool group = false;
  for (const std::string_view macro : {"\\text{", "\\textbf{", "\\mathrm{", "\\mathbf{"}) {
    if (rest.substr(0, macro.size()) != macro) continue;
    rest.remove_prefix(macro.size());
    group = true;
  }
  const bool bracket = !rest.empty() && rest.front() == '(';
  if (bracket) rest.remove_prefix(1);
  if (rest.size() < 2 || rest[0] < 'A' || rest[0] > 'H') return std::nullopt;
  if (rest[1] != ')' && (rest[1] != '.' || bracket)) return std::nullopt;
  const char letter = rest[0];
  rest.remove_prefix(2);
  if (group) {
    rest = TrimLeft(rest);
    if (rest.empty() || rest.front() != '}') return std::nullopt;
    rest.remove_prefix(1);
  } else if (bracket && !rest.empty() && rest.front() != ' ' && rest.front() != '\\') {
    return std::nullopt;  // (C)D is a product
  }
  if (rest.substr(0, 2) == "\\ " || rest.substr(0, 2) == "\\,") rest.remove_prefix(2);
  rest = Trim(rest);
  if (rest.empty()) {
    if (!bracket && !group) *text = text->substr(0, 1);
    return std::nullopt;
  }
  *text = rest;
  return letter;
}

Side ReadSide(std::string_view text, const Limits& limits) {
  Side side;
  if (text.size() > limits.max_bytes) {
    side.over_limit = true;
    side.error = "too long";
    return side;
  }
  const std::string spelled = Spell(text);
  side.spelled = std::string(StripFrame(spelled));
  std::string_view content = side.spelled;
  const std::optional<char> choice = TakeChoice(&content);
  if (choice || content.size() != side.spelled.size())
    side.spelled = std::string(StripFrame(content));
  ReadingOptions options;
  options.macros_written = Contains(text, "\\");
  const Reading reading = Read(side.spelled, options, limits);
  side.error = reading.error;
  side.over_limit = reading.over_limit;
  side.has_words = reading.has_words;
  side.seen = reading.seen;
  if (reading.tree) side.readings.push_back({"", Normalise(reading.tree)});
  if (!side.over_limit) AddAlternatives(reading.seen, options, limits, &side);
  if (const auto ordinal = OrdinalNumber(side.spelled))
    side.readings.push_back({"an ordinal number", MakeNumber(*ordinal)});
  if (choice)
    side.readings.push_back({"the letter of a choice", MakeSymbol(std::string(1, *choice))});
  // Words that are no mathematics are an answer of their own.
  if (side.readings.empty() && side.has_words && !reading.acts_on_value && !side.over_limit) {
    const std::string folded = FoldWords(side.spelled);
    if (!folded.empty())
      side.readings.push_back({"words", Normalise(MakeNode(Kind::kText, {}, folded))});
  }
  return side;
}

// "A" and "a": the letter of a choice, where it is the whole answer.
bool IsSameChoice(const Side& a, const Side& b) {
  const auto letter = [](const Side& side) -> char {
    if (side.readings.empty()) return 0;
    const Node& node = *side.readings[0].tree;
    const bool single =
        (node.kind == Kind::kSymbol || node.kind == Kind::kConstant) && node.text.size() == 1;
    return single ? node.text[0] : 0;
  };
  const char x = letter(a);
  const char y = letter(b);
  const auto pair = [](char upper, char lower) {
    return upper >= 'A' && upper <= 'E' && lower == upper - 'A' + 'a';
  };
  return pair(x, y) || pair(y, x);
}

Verdict VerdictOf(Finding finding) {
  switch (finding) {
    case Finding::kEqual:
      return Verdict::kProvedEqual;
    case Finding::kNumeric:
      return Verdict::kNumericallyEqual;
    case Finding::kRounded:
      return Verdict::kRoundedMatch;
    case Finding::kDifferent:
      return Verdict::kProvedDifferent;
    case Finding::kUndecided:
      return Verdict::kUndecided;
    case Finding::kUndefined:
      return Verdict::kUndefined;
  }
  return Verdict::kUndecided;
}

void Fill(const Decision& decision, Outcome* outcome) {
  outcome->verdict = VerdictOf(decision.finding);
  outcome->tier = decision.tier;
  outcome->digits = decision.digits;
  outcome->note = decision.note;
}

void FillForms(const NamedReading& reference, const NamedReading& answer, Outcome* outcome) {
  outcome->reference_reading = reference.name;
  outcome->answer_reading = answer.name;
  outcome->reference_form = Shorten(Readable(reference.tree), 400);
  outcome->answer_form = Shorten(Readable(answer.tree), 400);
}

// --- required forms ---

bool IsReduced(const Expr& e) {
  if (e->kind == Kind::kDiv && e->args[0]->kind == Kind::kNumber &&
      e->args[1]->kind == Kind::kNumber) {
    const mpq_class& above = *e->args[0]->number;
    const mpq_class& below = *e->args[1]->number;
    if (above.get_den() == 1 && below.get_den() == 1) {
      mpz_class common;
      mpz_gcd(common.get_mpz_t(), above.get_num_mpz_t(), below.get_num_mpz_t());
      if (common != 1 || below == 1) return false;
    }
  }
  return std::all_of(e->args.begin(), e->args.end(), IsReduced);
}
bool IsExpanded(const Expr& e) {
  if (e->kind == Kind::kMul || e->kind == Kind::kPow) {
    for (const Expr& arg : e->args)
      if (arg->kind == Kind::kAdd && !IsConstant(arg)) return false;
  }
  return std::all_of(e->args.begin(), e->args.end(), IsExpanded);
}
bool IsFactored(const Expr& e) {
  if (e->kind == Kind::kNeg) return IsFactored(e->args[0]);
  return e->kind != Kind::kAdd || IsConstant(e);
}

bool HasForm(const Expr& e, Form form) {
  switch (form) {
    case Form::kAny:
      return true;
    case Form::kReduced:
      return IsReduced(e);
    case Form::kFactored:
      return IsFactored(e);
    case Form::kExpanded:
      return IsExpanded(e);
  }
  return true;
}

// --- the comparison ---

void CompareReadings(const Side& reference, const Side& answer, const CheckOptions& options,
                     const Deadline& deadline, Outcome* outcome) {
  bool first = true;
  for (const NamedReading& g : reference.readings) {
    for (const NamedReading& p : answer.readings) {
      const Decision decision = Compare(g.tree, p.tree, options.policy, deadline);
      const bool holds = Holds(decision);
      // The first pair is the likeliest; another one speaks only where it holds.
      if (first || holds) {
        Fill(decision, outcome);
        FillForms(g, p, outcome);
      }
      first = false;
      if (holds && !HasForm(p.tree, options.form)) {
        outcome->verdict = Verdict::kProvedDifferent;
        outcome->note = "the right value, but not in the form that the task asks for";
      }
      if (holds) return;
    }
  }
}

// --- what was proved of one reading only ---

bool HasWord(std::string_view text, std::string_view word) {
  const std::string folded = " " + FoldWords(text) + " ";
  return Contains(folded, " " + std::string(word) + " ");
}

// "x = k\pi, where k is an integer": the words make the letter a parameter.
bool DeclaresParameter(const Side& side) {
  if (!side.has_words) return false;
  for (const std::string_view word : {"integer", "integers", "whole", "natural"})
    if (HasWord(side.spelled, word)) return true;
  return false;
}

bool HasUnknown(const Side& side) {
  return !side.readings.empty() &&
         Any(side.readings[0].tree, [](const Node& n) { return n.kind == Kind::kSymbol; });
}

// Why "different" is not proved after all; "" where it is.
std::string DoubtOfDifference(const Side& reference, const Side& answer) {
  const bool parameter = DeclaresParameter(reference) || DeclaresParameter(answer);
  if (parameter && HasUnknown(reference) && HasUnknown(answer))
    return "a parameter that is described in words";
  const auto bare = [](const Side& side) {
    return !side.readings.empty() && IsValue(*side.readings[0].tree);
  };
  // "1 hour 30 minutes" against 1.5: which unit is left out?
  const auto in_parts = [](const Side& side) {
    return side.has_words && IsMeasureInParts(FoldWords(side.spelled));
  };
  if ((in_parts(reference) && bare(answer)) || (in_parts(answer) && bare(reference)))
    return "a measure in several units against a bare number";
  return "";
}

// "cat" and "act": words or products of letters? Only where nothing says that it is mathematics,
// and the letters come in another order.
bool MayBeWords(std::string_view a, std::string_view b) {
  static constexpr std::array<std::string_view, 26> kTwoLetters = {
      "no", "on", "of", "or", "is", "it", "in", "at", "to", "up", "us", "we", "me",
      "my", "so", "do", "go", "he", "if", "by", "be", "as", "an", "am", "ok", "hi"};
  const auto may_be_word = [](std::string_view text) {
    const std::string lower = ToLowerAscii(Trim(text));
    if (lower.size() == 2)
      return std::find(kTwoLetters.begin(), kTwoLetters.end(), lower) != kTwoLetters.end();
    return lower.size() > 2 &&
           lower.find_first_not_of("abcdefghijklmnopqrstuvwxyz") == std::string::npos &&
           lower.find_first_of("aeiou") != std::string::npos &&
           lower.find_first_not_of("abcdxyz") != std::string::npos;  // letters that calculate
  };
  return FoldWords(a) != FoldWords(b) && may_be_word(a) && may_be_word(b);
}

// Nothing but runs of capitals, alone or listed: "BAC", "\text{HTTH}", "WLW, LWW".
struct CapitalRuns {
  std::vector<std::string> runs;
  bool in_order = false;  // "(HTT, THT)": the places count
  bool words = false;     // one of them may be a word: three letters, or two within \text
};

// Reads a text as runs of capitals; nothing where it holds anything else.
class CapitalRunReader {
 public:
  explicit CapitalRunReader(std::string_view text) : rest_(text) {}

  std::optional<CapitalRuns> Read() {
    while (!rest_.empty()) {
      if (!Step()) return std::nullopt;
    }
    EndRun();
    return found_;
  }

 private:
  bool Take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  bool Step() {
    if (rest_.front() >= 'A' && rest_.front() <= 'Z') {
      run_ += rest_.front();
      run_in_text_ |= text_depth_ > 0;
      rest_.remove_prefix(1);
      return true;
    }
    for (const std::string_view silent :
         {" ", "\n", "\t", "$", "~", ".", "\\ ", "\\,", "\\quad", "\\left", "\\right"}) {
      if (Take(silent)) return true;
    }
    for (const std::string_view text :
         {"\\text{", "\\textbf{", "\\textit{", "\\textrm{", "\\texttt{", "\\mbox{"}) {
      if (Take(text)) return OpenGroup(/*text=*/true);
    }
    for (const std::string_view group : {"\\mathrm{", "\\mathbf{", "\\overline{", "{"}) {
      if (Take(group)) return OpenGroup(/*text=*/false);
    }
    if (Take("}")) return CloseGroup();
    for (const std::string_view bracket : {"(", "[", ")", "]"}) {
      if (!Take(bracket)) continue;
      found_.in_order = true;
      return EndRun();
    }
    for (const std::string_view between : {",", ";", "\\{", "\\}", "and", "or"}) {
      if (Take(between)) return EndRun();
    }
    return false;
  }

  bool OpenGroup(bool text) {
    groups_.push_back(text);
    text_depth_ += text ? 1 : 0;
    return true;
  }

  bool CloseGroup() {
    if (groups_.empty()) return false;
    text_depth_ -= groups_.back() ? 1 : 0;
    groups_.pop_back();
    return true;
  }

  bool EndRun() {
    found_.words |= run_.size() > 2 || (run_.size() == 2 && run_in_text_);
    if (!run_.empty()) found_.runs.push_back(run_);
    run_.clear();
    run_in_text_ = false;
    return true;
  }

  std::string_view rest_;
  std::string run_;
  bool run_in_text_ = false;
  int text_depth_ = 0;
  std::vector<bool> groups_;
  CapitalRuns found_;
};

// "BAC" of "x = BAC"; an equation with more on its left is a formula.
std::string_view WithoutName(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos) return text;
  std::string_view name = Trim(text.substr(0, equals));
  if (name.starts_with("$")) name = Trim(name.substr(1));
  return name.size() == 1 ? text.substr(equals + 1) : text;
}

// "HTTH" and "HHTT", "RGB" and "BGR": words, or orders, of the same capitals, which as products
// would be equal.
bool MayBeOrders(std::string_view a, std::string_view b) {
  std::optional<CapitalRuns> left = CapitalRunReader(WithoutName(a)).Read();
  std::optional<CapitalRuns> right = CapitalRunReader(WithoutName(b)).Read();
  if (!left || !right || !(left->words || right->words)) return false;
  if (!left->in_order && !right->in_order) {
    std::sort(left->runs.begin(), left->runs.end());
    std::sort(right->runs.begin(), right->runs.end());
  }
  return left->runs != right->runs;
}

void Decide(const Side& reference, const Side& answer, const CheckOptions& options,
            const Deadline& deadline, Outcome* outcome) {
  if (reference.readings.empty() || answer.readings.empty()) {
    const bool words = reference.has_words || answer.has_words;
    const std::string folded = FoldWords(reference.spelled);
    if (!folded.empty() && words && folded == FoldWords(answer.spelled)) {
      Fill({Finding::kEqual, Tier::kText, 0, ""}, outcome);
      return;
    }
    if (reference.over_limit || answer.over_limit) {
      outcome->verdict = Verdict::kOverLimit;
      outcome->note = reference.over_limit ? reference.error : answer.error;
    } else if (reference.readings.empty()) {
      outcome->verdict = Verdict::kReferenceUnreadable;
      outcome->note = reference.error;
    } else {
      outcome->verdict = Verdict::kAnswerUnreadable;
      outcome->note = answer.error;
    }
    return;
  }
  if (IsSameChoice(reference, answer)) {
    Fill({Finding::kEqual, Tier::kText, 0, "the letter of a choice"}, outcome);
    FillForms(reference.readings[0], answer.readings[0], outcome);
    return;
  }
  CompareReadings(reference, answer, options, deadline, outcome);
  if (outcome->correct()) {
    // The reference decides the score, so it must not be a guess how it is read.
    if (reference.seen.exponent_digits && !options.policy.symmetric) {
      outcome->verdict = Verdict::kUndecided;
      outcome->note = "the reference may be read in two ways: TeX takes one digit as an exponent";
    }
    return;
  }
  const std::string folded = FoldWords(reference.spelled);
  if ((reference.has_words || answer.has_words) && !folded.empty() &&
      folded == FoldWords(answer.spelled))
    return Fill({Finding::kEqual, Tier::kText, 0, ""}, outcome);
  if (outcome->verdict != Verdict::kProvedDifferent) return;
  const std::string doubt = DoubtOfDifference(reference, answer);
  if (!doubt.empty()) Fill({Finding::kUndecided, Tier::kStructure, 0, doubt}, outcome);
}

// The same text: equal at once, unless what it says has no value.
bool DecideIdentical(const Side& reference, const CheckOptions& options, const Deadline& deadline,
                     Outcome* outcome) {
  Fill({Finding::kEqual, Tier::kIdentity, 0, ""}, outcome);
  if (reference.readings.empty()) {
    // What cannot be read, letter for letter, is still the reference. Nothing is no answer.
    if (!reference.spelled.empty() || reference.over_limit) return true;
    outcome->verdict = Verdict::kReferenceUnreadable;
    outcome->tier = Tier::kNone;
    outcome->note = reference.error;
    return true;
  }
  const NamedReading& reading = reference.readings[0];
  FillForms(reading, reading, outcome);
  const Decision self = Compare(reading.tree, reading.tree, options.policy, deadline);
  if (self.finding == Finding::kUndefined) Fill(self, outcome);
  if (outcome->correct() && !HasForm(reading.tree, options.form)) {
    outcome->verdict = Verdict::kProvedDifferent;
    outcome->note = "the right value, but not in the form that the task asks for";
  }
  return true;
}

// Bytes that were no text when they arrived; what stood there is not known.
bool IsDamaged(std::string_view text) {
  return FirstInvalidUtf8(text).has_value() || Contains(text, "\xEF\xBF\xBD");
}

}  // namespace

std::string_view VerdictName(Verdict verdict) {
  static constexpr std::array<std::string_view, 10> names = {
      "proved_equal", "numerically_equal",    "rounded_match",     "proved_different", "undecided",
      "undefined",    "reference_unreadable", "answer_unreadable", "over_limit",       "timeout"};
  return names[static_cast<size_t>(verdict)];
}

Outcome Check(std::string_view reference, std::string_view answer, const CheckOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  const Deadline deadline(options.soft_limit);
  Outcome outcome;
  const auto done = [&] {
    outcome.microseconds =
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
    return outcome;
  };
  if (IsDamaged(reference) || IsDamaged(answer)) {
    outcome.verdict = Verdict::kUndecided;
    outcome.note = "it holds bytes that are no UTF-8";
    return done();
  }
  const Side left = ReadSide(reference, options.limits);
  if (Trim(reference) == Trim(answer) && !Trim(reference).empty() &&
      DecideIdentical(left, options, deadline, &outcome))
    return done();
  const Side right = ReadSide(answer, options.limits);
  if (!left.spelled.empty() && left.spelled == right.spelled &&
      DecideIdentical(left, options, deadline, &outcome))
    return done();
  Decide(left, right, options, deadline, &outcome);
  if (outcome.correct() && (MayBeWords(reference, answer) || MayBeOrders(reference, answer)))
    Fill({Finding::kUndecided, Tier::kText, 0, "words, or products of letters"}, &outcome);
  if (!outcome.correct() && deadline.Passed() && outcome.verdict == Verdict::kUndecided)
    outcome.verdict = Verdict::kTimeout;
  return done();
}

bool SameAnswer(std::string_view a, std::string_view b, const CheckOptions& options) {
  CheckOptions symmetric = options;
  symmetric.policy.symmetric = true;
  symmetric.form = Form::kAny;
  return Check(a, b, symmetric).correct();
}

Understood Understand(std::string_view text, const Limits& limits) {
  Understood understood;
  const Side side = ReadSide(text, limits);
  understood.over_limit = side.over_limit;
  understood.error = side.error;
  if (side.readings.empty()) return understood;
  understood.form = Readable(side.readings[0].tree);
  understood.as_words = side.readings[0].name == "words";
  understood.as_mathematics = !understood.as_words;
  return understood;
}

}  // namespace assay::algebra
