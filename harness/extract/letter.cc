// The extractor `letter`: which choice a reply settles on. It reads sentences, not patterns: what
// announces a letter, what negates it, what joins two, what takes an earlier answer back.
//
// The rules in their order stand in graders/README.md.
#include <algorithm>
#include <array>

#include "harness/extract/common.h"
#include "harness/extract/letter_statement.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay::extract {
namespace {

// ---- Statements in a reply --------------------------------------------------------------------

struct Statement {
  Reading reading;
  std::string rule;
  size_t begin = 0;    // of what announces it
  bool exact = false;  // in the form that prompts ask for
};

constexpr size_t kLongestStatement = 600;  // bytes of a line that are read as a statement
constexpr int kMostStatements = 400;       // looked at, from the last one back

Span StatementFrom(std::string_view text, size_t begin) {
  const std::string_view window = text.substr(0, std::min(text.size(), begin + kLongestStatement));
  return {begin, std::min(window.find('\n', begin), window.size())};
}

bool IsOnlyMarkup(std::string_view text) {
  return text.find_first_not_of(" \t\r*_#:`>$=-\n") == kNowhere;
}

// What stands behind an announcement: the rest of its line, or the next line where that is empty.
Span AnnouncedAt(std::string_view text, size_t begin) {
  Span span = StatementFrom(text, begin);
  if (!IsOnlyMarkup(span.In(text))) return span;
  const size_t next = text.find_first_not_of(" \t\r*_#:`>\n", begin);
  if (next == kNowhere || next - begin > 200) return {begin, begin};
  size_t line = text.rfind('\n', next);
  return StatementFrom(text, line == kNowhere || line < begin ? begin : line + 1);
}

Reading ReadAt(std::string_view text, Span span, int letters) {
  Reading reading = StatementReader(span.In(text), letters).Read();
  reading.begin += span.begin;
  reading.end += span.begin;
  return reading;
}

// Passes blanks (no-break ones too) and emphasis.
size_t SkipMarkup(std::string_view text, size_t at) {
  while (at < text.size()) {
    const std::string_view rest = text.substr(at);
    if (std::string_view(" \t*_").find(rest[0]) != kNowhere) {
      ++at;
    } else if (rest.starts_with("\u00A0")) {
      at += 2;
    } else if (rest.starts_with("\u202F")) {
      at += 3;
    } else {
      break;
    }
  }
  return at;
}

enum class Announces { kNothing, kColon, kVerb, kLineEnd };

// What follows the word "answer" that ends at `at`; moves `*at` behind it.
Announces ReadAnnouncement(std::string_view text, size_t* at) {
  size_t i = *at;
  if (text.substr(i).starts_with("s")) ++i;
  if (text.substr(i).starts_with(">")) return *at = i + 1, Announces::kColon;  // <answer>B</answer>
  i = SkipMarkup(text, i);
  const std::string_view rest = text.substr(i);
  if (rest.empty() || rest[0] == '\n' || rest[0] == '\r') return *at = i, Announces::kLineEnd;
  for (const std::string_view colon : {":", "：", "=", "→", "- ", "– ", "— ", "।", "ঃ"}) {
    if (rest.starts_with(colon)) return *at = i + colon.size(), Announces::kColon;
  }
  const std::string lower = ToLowerAscii(rest.substr(0, 24));
  for (const std::string_view verb :
       {"is", "should be", "would be", "must be", "es", "ist", "est", "choice is", "option is",
        "choice:", "option:", "是", "为", "应为", "选"}) {
    const bool word_ends =
        WordLength(lower, verb.size()) == 0 || static_cast<unsigned char>(verb[0]) >= 0x80;
    if (lower.starts_with(verb) && word_ends) return *at = i + verb.size(), Announces::kVerb;
  }
  return Announces::kNothing;
}

// The line up to `at` says no more than "Final" or "So, the correct": the announcement leads its
// line.
bool LeadsItsLine(std::string_view text, size_t at) {
  static constexpr std::array<std::string_view, 16> kLeads = {
      "final", "correct", "the", "my",     "so",    "thus", "therefore", "hence",
      "best",  "right",   "a",   "choice", "short", "正确", "故",        "step"};
  const size_t floor = at > 120 ? at - 120 : 0;
  const size_t newline = at == 0 ? kNowhere : text.rfind('\n', at - 1);
  const size_t begin = newline == kNowhere ? 0 : newline + 1;
  if (begin < floor) return false;
  for (const Token& token : Tokenize(text.substr(begin, at - begin))) {
    if (token.kind == Kind::kJoin) continue;
    if (token.kind == Kind::kStop || !IsOneOf(token.word, kLeads)) return false;
  }
  return true;
}

// "a common incorrect answer", "the naive answer": what describes the word behind `tokens`.
bool IsOthersAnswer(const std::vector<Token>& tokens) {
  static constexpr std::array<std::string_view, 7> kOthers = {
      "naive", "naïve", "naively", "common", "incorrect", "misleading", "superficial"};
  static constexpr std::array<std::string_view, 4> kArticles = {"the", "a", "an", "this"};
  for (size_t back = 1; back <= 3 && back <= tokens.size(); ++back) {
    const Token& token = tokens[tokens.size() - back];
    if (IsOneOf(token.word, kArticles)) return false;
    if (IsOneOf(token.word, kOthers)) return true;
  }
  return false;
}

// "I don't think the answer is A", "I doubt it is A"; not "I have no doubt that the answer is A",
// and not "I don't think B holds, so the answer is A": a denial reaches to the end of its clause.
bool IsDenied(const std::vector<Token>& tokens) {
  static constexpr std::array<std::string_view, 8> kTurns = {"so",  "therefore", "thus",  "hence",
                                                             "but", "because",   "since", "then"};
  static constexpr std::array<std::string_view, 9> kNots = {
      "don't", "dont", "doesn't", "didn't", "can't", "cannot", "couldn't", "wouldn't", "never"};
  static constexpr std::array<std::string_view, 10> kOpinions = {
      "think", "believe", "feel", "agree", "expect", "say", "accept", "mean", "imply", "suppose"};
  static constexpr std::array<std::string_view, 10> kSure = {
      "no", "nobody", "without", "beyond", "little", "don't", "not", "cannot", "can't", "never"};
  for (size_t i = tokens.size(); i-- > 0;) {
    const std::string& word = tokens[i].word;
    const bool clause_ends = tokens[i].kind == Kind::kStop || tokens[i].kind == Kind::kJoin;
    if (clause_ends || IsOneOf(word, kTurns)) return false;
    if (word == "doubt" || word == "doubts") {
      const bool sure = (i > 0 && IsOneOf(tokens[i - 1].word, kSure)) ||
                        (i > 1 && IsOneOf(tokens[i - 2].word, kSure));
      return !sure;
    }
    if (word == "doubtful" || word == "unlikely" || word == "not") return true;
    const auto is_opinion = [&](size_t at) {
      return at < tokens.size() && IsOneOf(tokens[at].word, kOpinions);
    };
    if (IsOneOf(word, kNots) && (is_opinion(i + 1) || is_opinion(i + 2))) return true;
  }
  return false;
}

// "if the answer is A", "a common mistake is to think the answer is A": nothing is claimed.
bool IsHypothetical(std::string_view text, size_t at) {
  static constexpr std::array<std::string_view, 20> kDoubts = {
      "if",      "suppose",    "assume", "assuming", "whether", "unless",      "tempting",
      "mistake", "mistakenly", "might",  "could",    "may",     "incorrectly", "wrongly",
      "first",   "initially",  "why",    "wrong",    "trap",    "previously"};
  const size_t floor = at > 100 ? at - 100 : 0;
  const std::vector<Token> tokens = Tokenize(text.substr(floor, at - floor));
  if (IsOthersAnswer(tokens) || IsDenied(tokens)) return true;
  for (size_t i = tokens.size(); i > 0; --i) {
    if (tokens[i - 1].kind == Kind::kStop) return false;
    if (IsOneOf(tokens[i - 1].word, kDoubts)) return true;
  }
  return false;
}

// Whether a sentence begins with `phrase`: "Hold on." does, charges that hold on to something do
// not.
bool BeginsSentence(std::string_view lower, std::string_view phrase) {
  for (size_t at = 0; (at = lower.find(phrase, at)) != kNowhere; at += phrase.size()) {
    const size_t before = at == 0 ? kNowhere : lower.find_last_not_of(" *_\t", at - 1);
    if (before == kNowhere || Contains("\n\r.!?,;:-(", lower.substr(before, 1))) return true;
  }
  return false;
}

// "The answer is A? No.", "A? Or B": a letter that its own reply questions. "A?" alone is a guess,
// and a guess is an answer.
bool IsQuestioned(std::string_view text, size_t letter_end) {
  static constexpr std::array<std::string_view, 8> kAgainst = {"no",    "nope",    "not", "or",
                                                               "maybe", "perhaps", "hmm", "wait"};
  constexpr size_t kNear = 60;
  const std::string_view near = text.substr(letter_end, kNear);
  const size_t mark = near.find_first_not_of(" )]}*_\"'`$");
  if (mark == kNowhere || near[mark] != '?') return false;
  const StatementReader reader(near.substr(mark + 1), 26);
  const std::vector<Token>& tokens = reader.tokens();
  if (tokens.empty()) return false;
  return tokens[0].kind == Kind::kLetter ? tokens[0].capital && reader.IsChoice(0)
                                         : IsOneOf(tokens[0].word, kAgainst);
}

// The reply takes something back between two of its statements.
bool TakesBack(std::string_view between) {
  static constexpr std::array<std::string_view, 21> kTurns = {"wait",
                                                              "actually",
                                                              "correction",
                                                              "let me re",
                                                              "let me double",
                                                              "on second thought",
                                                              "hmm",
                                                              "i made a",
                                                              "sorry",
                                                              "scratch that",
                                                              "i was wrong",
                                                              "that is wrong",
                                                              "that's wrong",
                                                              "reconsider",
                                                              "recheck",
                                                              "apolog",
                                                              "oops",
                                                              "strike that",
                                                              "i take that back",
                                                              "i misread",
                                                              "let me check again"};
  const std::string lower = ToLowerAscii(between.substr(0, 20000));
  return BeginsSentence(lower, "hold on") || BeginsSentence(lower, "my mistake.") ||
         BeginsSentence(lower, "my mistake,") || BeginsSentence(lower, "my mistake:") ||
         std::any_of(kTurns.begin(), kTurns.end(),
                     [&](std::string_view turn) { return Contains(lower, turn); });
}

constexpr std::array<std::string_view, 37> kAnswerWords = {
    "Answer",   "answer",   "ANSWER",    "Ans",       "Correction", "correction", "Solution",
    "Antwort",  "antwort",  "Respuesta", "respuesta", "Réponse",    "réponse",    "Reponse",
    "Risposta", "risposta", "Resposta",  "resposta",  "Jawaban",    "jawaban",    "Jibu",
    "Ìdáhùn",   "Ответ",    "ответ",     "Choice",    "choice",     "Option",     "option",
    "答案",     "回答",     "答え",      "정답",      "답변",       "উত্তর",       "उत्तर",
    "الإجابة",  "الجواب"};
// "Option: B" announces; "Option B" names a choice, and a "Solution" is more than its answer.
constexpr std::array<std::string_view, 5> kOnlyWithColon = {"Choice", "choice", "Option", "option",
                                                            "Solution"};
// An answer stands near the end: of a longer reply only this much is searched for announcements.
constexpr size_t kSearchedBytes = 4 << 20;

// "unanswered" does not hold the word "answer".
bool BeginsWord(std::string_view text, size_t at) {
  if (at == 0 || static_cast<unsigned char>(text[at]) >= 0xE1) return true;  // CJK has no blanks
  const auto before = static_cast<unsigned char>(text[at - 1]);
  return !IsAsciiWord(text[at - 1]) && (before < 0x80 || before >= 0xE1 || text[at] < 0x7F);
}

struct Search {
  std::string_view text;
  int letters;
  const std::vector<std::string>& choices;
};

// Text without markup, final period, case and doubled blanks, to compare with a choice's.
std::string PlainText(std::string_view text) {
  const Span span = TrimSpan(text, {0, text.size()}, "*_$`\"'.,;:");
  std::string plain;
  for (const char c : span.In(text)) {
    const bool blank = c == ' ' || (c >= '\t' && c <= '\r');
    if (!(blank && plain.ends_with(' '))) plain += blank ? ' ' : c;
  }
  return ToLowerAscii(plain);
}

// The letter of the one choice whose text stands in `span`.
Reading ReadChoiceText(const Search& search, Span span) {
  Reading reading{Says::kNothing, 0, span.begin, span.end};
  const std::string plain = PlainText(span.In(search.text));
  if (plain.empty()) return reading;
  for (size_t i = 0; i < search.choices.size() && i < 26; ++i) {
    if (PlainText(search.choices[i]) != plain) continue;
    if (reading.says == Says::kLetter) return {};  // two choices read the same
    reading.says = Says::kLetter;
    reading.letter = static_cast<char>('A' + i);
  }
  return reading;
}

// What `span` says by letter, or else by a choice's text. Adds "_choice_text" to the rule then.
Statement ReadStatement(const Search& search, Span span, std::string rule, size_t begin) {
  Statement statement{ReadAt(search.text, span, search.letters), std::move(rule), begin, false};
  if (statement.reading.says != Says::kNothing) return statement;
  statement.reading = ReadChoiceText(search, span);
  statement.rule += "_choice_text";
  return statement;
}

void KeepLater(std::optional<Statement>* kept, const Statement& statement) {
  if (statement.reading.says == Says::kNothing) return;
  if (!*kept || statement.begin > (*kept)->begin) *kept = statement;
}

struct Statements {
  std::optional<Statement> line;  // announced at the front of a line
  std::optional<Statement> box;
  std::optional<Statement> phrase;  // within a sentence
};

// Reads the announcement whose word "answer" stands at `at`.
void ReadAnswerWord(const Search& search, size_t at, size_t length, Statements* found) {
  const bool closing_tag = at > 0 && search.text[at - 1] == '/';
  if (!BeginsWord(search.text, at) || closing_tag) return;
  size_t after = at + length;
  const Announces announces = ReadAnnouncement(search.text, &after);
  const bool needs_colon = IsOneOf(search.text.substr(at, length), kOnlyWithColon);
  if (needs_colon && announces != Announces::kColon) return;
  const bool leads = LeadsItsLine(search.text, at);
  if (announces == Announces::kLineEnd && !leads) return;
  const Span span = AnnouncedAt(search.text, after);
  const bool one_letter = StatementReader(span.In(search.text), search.letters).IsOneLetter();
  if (announces == Announces::kNothing && !one_letter)
    return;  // "Answer B" says it, "answer a question" does not
  const bool asked =
      announces == Announces::kNothing && !leads && span.In(search.text).find('?') != kNowhere;
  if (asked) return;  // "Is the answer A?"
  if (needs_colon && !leads) return;
  const bool line = leads;
  if (!line && IsHypothetical(search.text, at)) return;
  Statement statement = ReadStatement(
      search, span, line && announces != Announces::kVerb ? "answer_line" : "answer_phrase", at);
  statement.exact = line && announces == Announces::kColon && one_letter && span.begin == after;
  KeepLater(line ? &found->line : &found->phrase, statement);
}

// The longest answer word at the front of `text`, or "".
std::string_view AnswerWordAt(std::string_view text) {
  std::string_view longest;
  for (const std::string_view word : kAnswerWords) {
    if (word.size() > longest.size() && text.starts_with(word)) longest = word;
  }
  return longest;
}

// Which bytes an answer word can begin with.
const std::array<bool, 256>& FirstBytes() {
  static const auto* first = [] {
    auto* bytes = new std::array<bool, 256>{};
    for (const std::string_view word : kAnswerWords) {
      (*bytes)[static_cast<unsigned char>(word[0])] = true;
    }
    return bytes;
  }();
  return *first;
}

// The last announcement of each kind: backwards, up to the first that leads its line.
void FindAnnouncements(const Search& search, Statements* found) {
  const std::string_view text = search.text;
  const size_t floor = text.size() > kSearchedBytes ? text.size() - kSearchedBytes : 0;
  const std::array<bool, 256>& first = FirstBytes();
  int looked_at = 0;
  for (size_t at = text.size(); at-- > floor && looked_at < kMostStatements;) {
    if (!first[static_cast<unsigned char>(text[at])]) continue;
    const std::string_view word = AnswerWordAt(text.substr(at, 40));
    if (word.empty()) continue;
    ++looked_at;
    ReadAnswerWord(search, at, word.size(), found);
    if (found->line) return;
  }
}

void FindBox(const Search& search, Statements* found) {
  const std::vector<Box> boxes = FindBoxes(search.text);
  const Box* before = nullptr;
  for (const Box& box : boxes) {
    if (box.inner_end - box.inner_begin > kLongestStatement) continue;
    const Span inner{box.inner_begin, box.inner_end};
    Statement statement = ReadStatement(search, inner, "boxed", box.begin);
    statement.exact = StatementReader(inner.In(search.text), search.letters).IsOneLetter();
    // "\boxed{A} and \boxed{C}" are two answers, as "A and C" in one box are.
    const bool joined = before != nullptr && found->box && found->box->begin == before->begin &&
                        (found->box->reading.letter != statement.reading.letter ||
                         found->box->reading.says == Says::kConflict) &&
                        JointOf(search.text, *before, box) == Joint::kList;
    if (joined && statement.reading.says == Says::kLetter) statement.reading.says = Says::kConflict;
    KeepLater(&found->box, statement);
    before = &box;
  }
}

// ---- Phrases ----------------------------------------------------------------------------------

constexpr std::array<std::string_view, 6> kPraise = {"correct", "right",  "best",
                                                     "true",    "answer", "accurate"};

// The words from `i` on, articles passed, come to praise: "is the most likely correct answer".
bool IsPraised(const std::vector<Token>& tokens, size_t i) {
  static constexpr std::array<std::string_view, 3> kIs = {"is", "must", "seems"};
  static constexpr std::array<std::string_view, 10> kBetween = {
      "the", "most", "likely", "clearly", "definitely", "indeed", "therefore", "be", "thus", "our"};
  if (i >= tokens.size() || !IsOneOf(tokens[i].word, kIs)) return false;
  ++i;
  while (i < tokens.size() && IsOneOf(tokens[i].word, kBetween)) ++i;
  return i < tokens.size() && IsOneOf(tokens[i].word, kPraise);
}

// "the correct option is (B)", "I choose B", "go with option B", "it is B", "actually B", 选B.
bool IsChosen(std::string_view text, const std::vector<Token>& tokens, size_t i) {
  static constexpr std::array<std::string_view, 14> kChoosing = {
      "choose",  "select", "pick", "chose",       "choosing", "selecting", "picking",
      "correct", "best",   "it's", "appropriate", "actually", "rather",    "instead"};
  static constexpr std::array<std::string_view, 14> kBetween = {
      "option",    "choice", "letter", "the",  "one",       "is",   "answer",
      "statement", "be",     "would",  "must", "therefore", "thus", "should"};
  const std::string_view before = text.substr(0, tokens[i].begin);
  for (const std::string_view choose : {"选", "选择", "选：", "选:", "选项是", "选 ", "选择 "}) {
    if (before.ends_with(choose)) return true;
  }
  bool is = false;  // "it is B", but not "call it B"
  for (size_t back = 1; back <= 5 && back <= i; ++back) {
    const Token& token = tokens[i - back];
    if (token.kind == Kind::kJoin && back > 1) continue;  // "Actually, B"
    if (token.kind == Kind::kJoin && i > back && tokens[i - back - 1].word == "actually") continue;
    if (token.kind != Kind::kWord) return false;
    if (IsOneOf(token.word, kChoosing) || (token.word == "it" && is)) return true;
    const bool going = token.word == "with" && i > back &&
                       (tokens[i - back - 1].word == "go" || tokens[i - back - 1].word == "going");
    if (going) return true;
    if (!IsOneOf(token.word, kBetween)) return false;
    is |= token.word == "is" || token.word == "be";
  }
  return false;
}

// "Actually (B) would need another sign" settles on nothing.
constexpr std::array<std::string_view, 9> kSupposing = {
    "would", "could", "might", "may", "should", "needs", "requires", "seems", "looks"};

// The last phrase of a line that settles on a letter.
std::optional<Statement> PhraseInLine(const Search& search, Span line) {
  const StatementReader reader(line.In(search.text), search.letters);
  const std::vector<Token>& tokens = reader.tokens();
  for (size_t i = tokens.size(); i > 0; --i) {
    const size_t at = i - 1;
    if (tokens[at].kind != Kind::kLetter || !reader.IsChoice(at) || reader.IsNegated(at)) continue;
    const bool praised = IsPraised(tokens, i);
    const bool settled =
        praised ||
        (IsChosen(line.In(search.text), tokens, at) &&
         (reader.EndsAfter(at) || (tokens[at].wrapped && !IsOneOf(tokens[i].word, kSupposing))));
    if (!settled) continue;
    const size_t begin = line.begin + tokens[at].begin;
    if (IsHypothetical(search.text, begin)) continue;
    Reading reading = reader.Of(at);
    if (!praised && reader.Joined(at) > 0) reading.says = Says::kConflict;
    reading.begin += line.begin;
    reading.end += line.begin;
    return Statement{reading, praised ? "praised" : "chosen", begin, false};
  }
  return std::nullopt;
}

constexpr int kMostLines = 60;  // looked at for a phrase, from the last one back

// Before `floor` nothing is looked for: a phrase there would not outweigh what stands at `floor`.
void FindPhrase(const Search& search, size_t floor, Statements* found) {
  size_t end = search.text.size();
  for (int i = 0; i < kMostLines && end > floor; ++i) {
    const size_t newline = search.text.rfind('\n', end - 1);
    const size_t begin = newline == kNowhere ? 0 : newline + 1;
    // Of a line that is too long only its end is read.
    const Span line{std::max(begin, end > 4 * kLongestStatement ? end - 4 * kLongestStatement : 0),
                    end};
    const std::optional<Statement> phrase = PhraseInLine(search, line);
    if (phrase) return KeepLater(&found->phrase, *phrase);
    end = newline == kNowhere ? 0 : newline;
  }
}

// ---- Lines that are an answer by themselves ---------------------------------------------------

// "B) text", "(B) text", "**B.** text": the letter at the front of the line, marked, or 0.
char MarkedAtFront(std::string_view line) {
  const size_t at = line.find_first_not_of(" \t*_-([");
  if (at == kNowhere || !(line[at] >= 'A' && line[at] <= 'Z')) return 0;
  const std::string_view after = line.substr(at + 1);
  return HasListMark(after, 0) || after.starts_with(")") || after.starts_with("]") ? line[at] : 0;
}

// The one letter that lines are marked with, or 0 where there are several (a list of the choices).
char OnlyMark(std::string_view text) {
  char only = 0;
  for (size_t at = 0; at < text.size();) {
    const char mark = MarkedAtFront(TakeLine(text, &at).In(text).substr(0, 40));
    if (mark == 0 || mark == only) continue;
    if (only != 0) return 0;
    only = mark;
  }
  return only;
}

// "B", "(B)", "Option B", "So B.": nothing but a letter and words that lead to it.
bool IsLoneLetter(const StatementReader& reader) {
  const std::vector<Token>& tokens = reader.tokens();
  size_t i = 0;
  while (i < tokens.size() && IsOneOf(tokens[i].word, kFillers)) ++i;
  const bool letter = i < tokens.size() && tokens[i].kind == Kind::kLetter && reader.IsChoice(i);
  return letter &&
         (i + 1 == tokens.size() || (i + 2 == tokens.size() && tokens[i + 1].kind == Kind::kStop));
}

// "B because ...".
bool IsReasonedLetter(const StatementReader& reader) {
  static constexpr std::array<std::string_view, 4> kReasons = {"because", "since", "as", "due"};
  const std::vector<Token>& tokens = reader.tokens();
  return tokens.size() > 2 && tokens[0].kind == Kind::kLetter && tokens[0].capital &&
         IsOneOf(tokens[1].word, kReasons);
}

std::optional<Statement> LoneLine(const Search& search, Span line, std::string rule) {
  if (line.end - line.begin > kLongestStatement) return std::nullopt;
  const std::string_view view = line.In(search.text);
  const StatementReader reader(view, search.letters);
  const char mark = MarkedAtFront(view);
  const bool marked = mark != 0 && mark == OnlyMark(search.text);
  if (!marked && !IsLoneLetter(reader) && !IsReasonedLetter(reader)) return std::nullopt;
  Statement statement{ReadAt(search.text, line, search.letters), std::move(rule), line.begin,
                      false};
  const bool nothing = statement.reading.says == Says::kNothing;
  // "(A) and (B) fail, so (D)." begins with a mark and is still a sentence.
  const bool sentence = marked && statement.reading.says == Says::kConflict;
  if (nothing || sentence) return std::nullopt;
  return statement;
}

// "(A) and (B) fail, so (D).": what the last line comes to.
std::optional<Statement> Conclusion(const Search& search) {
  const Span line = LastLine(search.text);
  const Span read{
      std::max(line.begin, line.end > kLongestStatement ? line.end - kLongestStatement : 0),
      line.end};
  const StatementReader reader(read.In(search.text), search.letters);
  Reading reading = reader.ReadConclusion(/*only_concluded=*/true);
  reading.begin += read.begin;
  reading.end += read.begin;
  if (reading.says == Says::kNothing) return std::nullopt;
  return Statement{reading, "concluded", read.begin, false};
}

Span FirstLine(std::string_view text) {
  const size_t begin = std::min(text.find_first_not_of(" \t\r\n*#"), text.size());
  return TrimSpan(text, {begin, std::min(text.find('\n', begin), text.size())});
}

// ---- The reply --------------------------------------------------------------------------------

std::optional<Statement> Later(const std::optional<Statement>& a,
                               const std::optional<Statement>& b) {
  if (!a || !b) return a ? a : b;
  return a->begin > b->begin ? a : b;
}

// A line or a box outweighs the sentences around it, unless the reply takes it back afterwards.
std::optional<Statement> Settle(const Search& search, const Statements& found) {
  const std::optional<Statement> strong = Later(found.line, found.box);
  if (!strong) return found.phrase;
  if (!found.phrase || found.phrase->begin < strong->reading.end) return strong;
  // "The answer is A? No: the answer is B."
  const bool both_sentences =
      strong->rule.starts_with("answer_phrase") && found.phrase->rule.starts_with("answer_phrase");
  if (both_sentences) return found.phrase;
  const size_t end = strong->reading.end;
  return TakesBack(search.text.substr(end, found.phrase->begin - end)) ? found.phrase : strong;
}

// "no wait, B", "actually it is (B)", "I mean B": the last letter that is said in place of another.
// Nothing but markers and fillers may stand before it; "actually, B is wrong" takes nothing back.
std::optional<Statement> Correction(const Search& search, size_t from) {
  static constexpr std::array<std::string_view, 16> kMarkers = {
      "no",      "nope",    "wait", "sorry", "oops",       "oh",     "actually", "rather",
      "instead", "scratch", "hmm",  "mean",  "correction", "second", "meant",    "make"};
  static constexpr std::array<std::string_view, 8> kBetween = {
      "on", "thought", "thoughts", "i", "really", "but", "or", "and"};
  const Span rest{from, std::min(search.text.size(), from + 20000)};
  const StatementReader reader(rest.In(search.text), search.letters);
  const std::vector<Token>& tokens = reader.tokens();
  std::optional<Statement> correction;
  bool marked = false;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const Token& token = tokens[i];
    // "there is no B" names none.
    const bool after_word =
        i > 0 && tokens[i - 1].kind == Kind::kWord && !reader.MarkBetween(tokens[i - 1], token);
    const bool says_no = token.word == "no" && after_word && !marked;
    const bool hold_on =
        token.word == "hold" && i + 1 < tokens.size() && tokens[i + 1].word == "on";
    if (hold_on || (token.kind == Kind::kWord && IsOneOf(token.word, kMarkers) && !says_no)) {
      marked = true;
      continue;
    }
    const bool settled = token.kind == Kind::kLetter && reader.InRange(token) &&
                         (token.capital || token.wrapped) &&
                         (reader.Settles(i) || reader.Joined(i) > 0);
    if (marked && settled && !reader.IsNegated(i)) {
      Reading reading = reader.Of(i);
      if (reader.Joined(i) > 0) reading.says = Says::kConflict;
      reading.begin += from;
      reading.end += from;
      correction = Statement{reading, "corrected", from + token.begin, false};
    }
    marked &= token.kind == Kind::kJoin || token.kind == Kind::kStop ||
              IsOneOf(token.word, kFillers) || IsOneOf(token.word, kBetween);
  }
  if (correction || !TakesBack(rest.In(search.text))) return correction;
  Reading concluded = reader.ReadConclusion(/*only_concluded=*/true);  // "But wait, ... So B."
  if (concluded.says == Says::kNothing) return std::nullopt;
  concluded.begin += from;
  concluded.end += from;
  return Statement{concluded, "corrected", concluded.begin, false};
}

std::optional<Found> ToFound(const std::optional<Statement>& statement) {
  if (!statement || statement->reading.says != Says::kLetter) return std::nullopt;
  const Reading& reading = statement->reading;
  return Found{std::string(1, reading.letter), statement->rule, reading.begin, reading.end};
}

Extraction ExtractLetter(const Search& search, Mode mode) {
  Statements found;
  FindAnnouncements(search, &found);
  FindBox(search, &found);
  const std::optional<Statement> strong = Later(found.line, found.box);
  FindPhrase(search, strong ? strong->reading.end : 0, &found);
  // A sentence that leads its line is a statement, but not the form that is asked for.
  const bool line_in_form = found.line && found.line->rule.starts_with("answer_line");
  const std::optional<Statement>& form = line_in_form ? found.line : found.box;
  std::optional<Statement> settled = Settle(search, found);
  if (!settled) settled = LoneLine(search, LastLine(search.text), "last_line");
  if (!settled) {
    settled = LoneLine(search, FirstLine(search.text), "first_line");
    const std::optional<Statement> conclusion = Conclusion(search);
    const bool differs = settled && conclusion && conclusion->begin > settled->reading.end &&
                         conclusion->reading.letter != settled->reading.letter;
    if (!settled) settled = conclusion;
    // "A because ...\n\n... Therefore B.": which one is meant? A correction below may say.
    if (differs) settled->reading.says = Says::kConflict;
  }
  if (settled && IsQuestioned(search.text, settled->reading.end))
    settled->reading.says = Says::kConflict;
  if (settled) {
    const std::optional<Statement> correction = Correction(search, settled->reading.end);
    const bool differs = correction && (correction->reading.letter != settled->reading.letter ||
                                        correction->reading.says == Says::kConflict);
    if (differs)
      settled =
          Statement{correction->reading, settled->rule + "_corrected", correction->begin, false};
  }
  return ToExtraction(form && form->exact ? ToFound(form) : std::nullopt, ToFound(settled), mode);
}

constexpr int kLettersWithoutChoices = 10;  // A to J, as MMLU-Pro has

}  // namespace

Extractor LetterExtractor() {
  Extractor extractor;
  extractor.name = "letter";
  extractor.about = "the letter of the choice that the reply settles on";
  extractor.options = {"mode", "letters"};
  extractor.bind = [known = extractor.options](const Json& json) -> absl::StatusOr<BoundExtractor> {
    const Options options("letter", json);
    RETURN_IF_ERROR(options.CheckNames(known));
    ASSIGN_OR_RETURN(const Mode mode, options.ReadMode());
    ASSIGN_OR_RETURN(const std::optional<int64_t> letters, options.ReadInteger("letters"));
    if (letters && (*letters < 2 || *letters > 26)) {
      return InvalidArgument("extractor 'letter': option 'letters': expected 2 to 26, found %d",
                             *letters);
    }
    return BoundExtractor([mode, letters](std::string_view text, const Problem& problem) {
      const size_t choices = std::min<size_t>(problem.choices.size(), 26);
      const int count = letters       ? static_cast<int>(*letters)
                        : choices > 0 ? static_cast<int>(choices)
                                      : kLettersWithoutChoices;
      return ExtractLetter({text, count, problem.choices}, mode);
    });
  };
  return extractor;
}

}  // namespace assay::extract
