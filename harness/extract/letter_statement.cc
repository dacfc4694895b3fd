// How a statement is divided into words and letters, and what they come to.
#include "harness/extract/letter_statement.h"

#include "harness/extract/common.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay::extract {

bool IsAsciiWord(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

size_t WordLength(std::string_view text, size_t at) {
  if (at >= text.size()) return 0;
  const auto c = static_cast<unsigned char>(text[at]);
  if (IsAsciiWord(text[at])) return 1;
  if (c >= 0xC3 && c <= 0xDF && at + 1 < text.size()) return 2;
  if ((c == 0xE0 || c == 0xE1) && at + 2 < text.size()) return 3;
  return 0;
}

namespace {

// A full-width letter (U+FF21 to U+FF5A) at `at` as an ASCII one, or 0.
char FullWidthLetter(std::string_view text, size_t at) {
  if (at + 2 >= text.size() || text[at] != '\xEF') return 0;
  const auto middle = static_cast<unsigned char>(text[at + 1]),
             last = static_cast<unsigned char>(text[at + 2]);
  if (middle == 0xBC && last >= 0xA1 && last <= 0xBA) return static_cast<char>('A' + last - 0xA1);
  if (middle == 0xBD && last >= 0x81 && last <= 0x9A) return static_cast<char>('a' + last - 0x81);
  return 0;
}

constexpr std::array<std::string_view, 11> kOpeners = {"(", "[", "{", "*", "_", "\"",
                                                       "'", "`", "$", "“", "（"};
constexpr std::array<std::string_view, 11> kClosers = {")", "]", "}", "*", "_", "\"",
                                                       "'", "`", "$", "”", "）"};

bool IsWrapped(std::string_view text, size_t begin, size_t end) {
  const std::string_view before = text.substr(0, begin), after = text.substr(end);
  return std::any_of(kOpeners.begin(), kOpeners.end(),
                     [&](std::string_view mark) { return before.ends_with(mark); }) &&
         std::any_of(kClosers.begin(), kClosers.end(),
                     [&](std::string_view mark) { return after.starts_with(mark); });
}

// A letter in a formula or a compound is no choice: A=5, B_1, C++, B-cell, vitamin-C, A's.
bool IsInCompound(std::string_view text, size_t begin, size_t end) {
  const std::string_view after = text.substr(end), before = text.substr(0, begin);
  if (!after.empty() && std::string_view("#^=@").find(after[0]) != kNowhere) return true;
  // C++ and a grade of A+ are no choices; A+B are two.
  if (after.starts_with("+") && (after.size() == 1 || !IsAsciiWord(after[1]))) return true;
  if (after.starts_with("_") && WordLength(after, 1) > 0) return true;
  if (after.starts_with(" = ") || after.starts_with("’")) return true;
  const bool joined_behind = after.size() > 1 &&
                             (after[0] == '-' || after[0] == '\'' || after[0] == '.') &&
                             IsAsciiWord(after[1]);
  if (joined_behind) return true;
  if (before.empty()) return false;
  const bool joined_before =
      before.size() > 1 &&
      (before.back() == '-' || before.back() == '\'' || before.back() == '.') &&
      IsAsciiWord(before[before.size() - 2]);
  return joined_before || std::string_view("^=@\\").find(before.back()) != kNowhere;
}

class Tokenizer {
 public:
  explicit Tokenizer(std::string_view text) : text_(text) {}

  std::vector<Token> Read() {
    while (at_ < text_.size()) Step();
    return std::move(tokens_);
  }

 private:
  void Step() {
    const size_t begin = at_;
    if (const char letter = FullWidthLetter(text_, at_)) return ReadFullWidth(letter);
    if (text_[at_] == '\\') return SkipCommand();
    if (const size_t length = TagLength()) return Skip(length);
    while (const size_t length = WordLength(text_, at_)) {
      at_ += length;
      const bool inside = at_ + 1 < text_.size() && (text_[at_] == '\'' || text_[at_] == '-') &&
                          WordLength(text_, at_ + 1) > 0 && at_ > begin + 1;
      if (inside) ++at_;
    }
    if (at_ > begin) return AddWord(begin);
    ReadMark();
  }

  void ReadFullWidth(char letter) {
    const bool alone =
        FullWidthLetter(text_, at_ + 3) == 0 &&
        (tokens_.empty() || tokens_.back().end < at_ || tokens_.back().kind != Kind::kLetter);
    if (alone) AddLetter(at_, at_ + 3, letter);
    at_ += 3;
  }

  // </s>, <|im_end|>, <br>, and ~~what is struck out~~. "<B>" is a letter in brackets.
  size_t TagLength() const {
    const std::string_view rest = text_.substr(at_, 80);
    if (rest.starts_with("~~")) {
      const size_t close = rest.find("~~", 2);
      return close == kNowhere ? 2 : close + 2;
    }
    const size_t close = rest.find('>');
    const bool tag = rest.starts_with("</") || rest.starts_with("<|") || rest.starts_with("<br") ||
                     rest.starts_with("<s>");
    return tag && close != kNowhere ? close + 1 : 0;
  }

  void SkipCommand() {
    ++at_;
    const size_t begin = at_;
    while (at_ < text_.size() &&
           ((text_[at_] >= 'a' && text_[at_] <= 'z') || (text_[at_] >= 'A' && text_[at_] <= 'Z')))
      ++at_;
    if (at_ == begin && at_ < text_.size()) ++at_;
  }

  void AddWord(size_t begin) {
    const std::string_view word = text_.substr(begin, at_ - begin);
    const bool letter = word.size() == 1 && !(word[0] >= '0' && word[0] <= '9');
    if (letter && !IsInCompound(text_, begin, at_)) return AddLetter(begin, at_, word[0]);
    Token token;
    token.kind = Kind::kWord;
    token.word = ToLowerAscii(word);
    token.begin = begin;
    token.end = at_;
    tokens_.push_back(std::move(token));
  }

  void AddLetter(size_t begin, size_t end, char letter) {
    Token token;
    token.kind = Kind::kLetter;
    token.capital = letter >= 'A' && letter <= 'Z';
    token.letter = token.capital ? letter : static_cast<char>(letter - 'a' + 'A');
    token.word = std::string(1, static_cast<char>(token.letter - 'A' + 'a'));
    token.wrapped = IsWrapped(text_, begin, end);
    token.list_mark = HasListMark(text_, end);
    token.begin = begin;
    token.end = end;
    tokens_.push_back(std::move(token));
  }

  void ReadMark() {
    static constexpr std::array<std::string_view, 10> kJoins = {"+", ",",  "/",  "&",  ";",
                                                                "|", "，", "、", "和", "或"};
    static constexpr std::array<std::string_view, 6> kStops = {".", "!", "?", "。", "！", "？"};
    const std::string_view rest = text_.substr(at_);
    for (const std::string_view join : kJoins) {
      if (rest.starts_with(join)) return AddMark(Kind::kJoin, join);
    }
    for (const std::string_view stop : kStops) {
      // "B. Paris" is an option's mark, not a sentence's end.
      const bool of_letter = stop == "." && !tokens_.empty() &&
                             tokens_.back().kind == Kind::kLetter && tokens_.back().end == at_;
      if (rest.starts_with(stop))
        return of_letter && rest.size() > 2 ? Skip(1) : AddMark(Kind::kStop, stop);
    }
    Skip(1);
  }

  void AddMark(Kind kind, std::string_view mark) {
    Token token;
    token.kind = kind;
    token.word = mark;
    token.begin = at_;
    at_ += mark.size();
    token.end = at_;
    tokens_.push_back(std::move(token));
  }

  void Skip(size_t length) { at_ += length; }

  std::string_view text_;
  size_t at_ = 0;
  std::vector<Token> tokens_;
};

// What may follow the pronoun-like "A" where it is a choice and not an article.
constexpr std::array<std::string_view, 40> kAfterLetter = {
    "is",    "are",   "was",       "because",   "since",   "as",      "due",         "and",
    "or",    "but",   "which",     "with",      "for",     "by",      "given",       "from",
    "based", "that",  "therefore", "not",       "rather",  "though",  "although",    "when",
    "while", "where", "per",       "according", "follows", "matches", "corresponds", "if",
    "would", "only",  "alone",     "then",      "instead", "seems",   "must",        "should"};

// "I would say B" is no choice of I.
constexpr std::array<std::string_view, 5> kAfterI = {"is", "because", "since", "or", "and"};

constexpr std::array<std::string_view, 20> kNegations = {
    "not",   "isn't",    "isnt",     "neither", "nor",        "eliminate", "exclude",
    "than",  "except",   "without",  "rules",   "eliminates", "cannot",    "wasn't",
    "can't", "couldn't", "unlikely", "hardly",  "never",      "doubtful"};

// A single letter before which one of these stands is what the sentence comes to.
constexpr std::array<std::string_view, 9> kConclusions = {
    "so", "therefore", "thus", "hence", "conclude", "choose", "pick", "select", "finally"};
constexpr std::array<std::string_view, 24> kCues = {
    "but",    "rather",  "actually", "only",   "so",   "therefore", "thus",     "hence",
    "answer", "option",  "choice",   "choose", "pick", "select",    "is",       "it's",
    "think",  "believe", "say",      "guess",  "with", "be",        "conclude", "letter"};

constexpr std::array<std::string_view, 9> kWrongWords = {
    "wrong", "incorrect", "false", "not", "isn't", "mistaken", "out", "eliminated", "invalid"};

}  // namespace

bool HasListMark(std::string_view text, size_t end) {
  std::string_view rest = text.substr(end);
  if (rest.starts_with("）") || rest.starts_with("．") || rest.starts_with("、")) return true;
  while (rest.starts_with("*")) rest.remove_prefix(1);
  if (rest.empty() || std::string_view(").:").find(rest[0]) == kNowhere) return false;
  rest.remove_prefix(1);
  while (rest.starts_with("*")) rest.remove_prefix(1);
  return rest.empty() || rest[0] == ' ' || rest[0] == '\n' || rest[0] == '$';
}

std::vector<Token> Tokenize(std::string_view statement) { return Tokenizer(statement).Read(); }

template <size_t N>
bool StatementReader::HasCue(size_t i, const std::array<std::string_view, N>& cues) const {
  for (size_t back = 1; back <= 4 && back <= i; ++back) {
    const Token& token = tokens_[i - back];
    if (token.kind != Kind::kWord) return false;
    if (IsOneOf(token.word, cues)) return true;
    if (!IsOneOf(token.word, kFillers)) return false;
  }
  return false;
}

Reading StatementReader::Read() const {
  size_t first = 0;
  while (first < tokens_.size() && tokens_[first].kind == Kind::kWord &&
         IsOneOf(tokens_[first].word, kFillers))
    ++first;
  if (first < tokens_.size() && IsChoice(first)) {
    const std::optional<Reading> group = ReadGroup(first);
    // "A and B are both right, so D"; "A? B? I'd say C".
    const bool open = group && (group->says == Says::kConflict || IsQuestion(first));
    const Reading conclusion = open ? ReadConclusion(!IsQuestion(first)) : Reading();
    if (conclusion.says == Says::kLetter) return conclusion;
    if (group) return *group;
  }
  return ReadConclusion(/*only_concluded=*/false);
}

// The statement is one letter and nothing else.
bool StatementReader::IsOneLetter() const {
  size_t letters = 0;
  for (const Token& token : tokens_) {
    if (token.kind == Kind::kLetter) ++letters;
    if (token.kind == Kind::kWord || token.kind == Kind::kJoin) return false;
  }
  return letters == 1;
}

// No letter in front: the one that the sentence comes to ("a vitamin C deficiency, so B").
Reading StatementReader::ReadConclusion(bool only_concluded) const {
  Reading reading;
  bool concluded = false;
  for (size_t i = 0; i < tokens_.size(); ++i) {
    if (!IsChoice(i) || IsNegated(i)) continue;
    const bool conclusion = HasCue(i, kConclusions) && (tokens_[i].wrapped || EndsAfter(i));
    const bool cue = conclusion || tokens_[i].wrapped || (HasCue(i, kCues) && EndsAfter(i));
    if (!cue || ((concluded || only_concluded) && !conclusion)) continue;
    if (reading.says == Says::kNothing || conclusion) {
      const size_t joined = Joined(i);
      reading = Of(i);
      if (joined > 0 && tokens_[joined].letter != reading.letter) reading.says = Says::kConflict;
      concluded |= conclusion;
    } else if (tokens_[i].letter != reading.letter) {
      reading.says = Says::kConflict;
    }
  }
  return reading;
}

bool StatementReader::EndsAfter(size_t i) const {
  return i + 1 >= tokens_.size() || tokens_[i + 1].kind == Kind::kStop ||
         tokens_[i + 1].kind == Kind::kJoin;
}

// "B.", "(B)", "B) Paris", "(B) because": not "(B) would need another sign".
bool StatementReader::Settles(size_t i) const {
  static constexpr std::array<std::string_view, 5> kReasons = {"because", "since", "as", "with",
                                                               "by"};
  if (EndsAfter(i)) return true;
  if (tokens_[i].list_mark && !tokens_[i].wrapped) return true;
  return IsChoice(i) && IsOneOf(tokens_[i + 1].word, kReasons);
}

// A letter that can be meant as a choice here: no article, no pronoun, no word in small letters.
bool StatementReader::IsChoice(size_t i) const {
  const Token& token = tokens_[i];
  if (token.kind != Kind::kLetter) return false;
  if (token.wrapped || token.list_mark || EndsAfter(i)) return true;
  const Token& next = tokens_[i + 1];
  if (next.kind != Kind::kWord) return token.capital;
  if (token.letter == 'I' && !MarkBetween(token, next)) return IsOneOf(next.word, kAfterI);
  if (!token.capital) return IsOneOf(next.word, kAfterLetter);
  return token.letter != 'A' || IsOneOf(next.word, kAfterLetter) || MarkBetween(token, next);
}

Reading StatementReader::Of(size_t i) const {
  return {InRange(tokens_[i]) ? Says::kLetter : Says::kConflict, tokens_[i].letter,
          tokens_[i].begin, tokens_[i].end};
}

bool StatementReader::IsJoinWord(size_t i) const {
  const Token& token = tokens_[i];
  return token.kind == Kind::kJoin ||
         (token.kind == Kind::kWord &&
          (token.word == "or" || token.word == "and" || token.word == "und" ||
           token.word == "oder" || token.word == "y" || token.word == "o" || token.word == "et" ||
           token.word == "ou"));
}

// The letter joined to the one at `i` by commas, "and", "or": its place, or 0.
size_t StatementReader::Joined(size_t i) const {
  size_t next = i + 1;
  bool worded = false;
  while (next < tokens_.size() && IsJoinWord(next)) worded |= tokens_[next++].kind == Kind::kWord;
  if (next >= tokens_.size() || tokens_[next].kind != Kind::kLetter) return 0;
  // "B, A is wrong": after a bare comma another sentence may begin.
  const bool new_sentence = !worded && next + 1 < tokens_.size() &&
                            tokens_[next + 1].kind == Kind::kWord &&
                            tokens_[next].kind == Kind::kLetter && !IsJoinWord(next + 1);
  return new_sentence || !IsChoice(next) ? 0 : next;
}

bool StatementReader::IsNegated(size_t i) const {
  for (size_t back = 1; back <= 3 && back <= i; ++back) {
    const Token& token = tokens_[i - back];
    if (token.kind == Kind::kStop || token.kind == Kind::kLetter) return false;
    if (token.kind == Kind::kWord && IsOneOf(token.word, kNegations)) return true;
    if (token.word == "but" && ExcludesFromAll(i - back)) return true;
  }
  return IsTakenBack(i);
}

// "everything but B", "all of them but B": the "but" at `but` leaves out what follows. "All are
// wrong but B" and "nothing but B" do not.
bool StatementReader::ExcludesFromAll(size_t but) const {
  static constexpr std::array<std::string_view, 6> kAll = {"all", "everything", "anything",
                                                           "any", "every",      "each"};
  for (size_t back = 1; back <= 4 && back <= but; ++back) {
    const Token& token = tokens_[but - back];
    if (token.kind != Kind::kWord || IsOneOf(token.word, kWrongWords)) return false;
    if (IsOneOf(token.word, kAll)) return true;
  }
  return false;
}

// "A is wrong", "A but that is not right": said right after the letter at `i`.
bool StatementReader::IsTakenBack(size_t i) const {
  static constexpr std::array<std::string_view, 17> kBridges = {
      "would", "but",      "which",   "that",       "this",  "it",   "is",     "was", "are",
      "were",  "actually", "clearly", "definitely", "seems", "both", "turned", "be"};
  for (size_t next = i + 1; next < tokens_.size() && next < i + 7; ++next) {
    if (tokens_[next].kind == Kind::kJoin) continue;
    if (tokens_[next].kind != Kind::kWord) return false;
    if (IsOneOf(tokens_[next].word, kWrongWords)) {
      // "B not A", "B, not A or C": the other one is denied.
      const bool denies_another = next + 1 < tokens_.size() && IsChoice(next + 1);
      return next > i + 1 && !denies_another;
    }
    if (!IsOneOf(tokens_[next].word, kBridges)) return false;
  }
  return false;
}

// "A) Apples and B) Pears": the next letter of the sentence is marked like this one and joined to
// it. In "(D) Both (A) and (B)" the next one is not joined.
bool StatementReader::AnotherIsListed(size_t i) const {
  if (!tokens_[i].wrapped && !tokens_[i].list_mark) return false;
  for (size_t next = i + 1; next < tokens_.size(); ++next) {
    const Token& token = tokens_[next];
    if (token.kind == Kind::kStop) return false;
    if (token.kind != Kind::kLetter) continue;
    const bool alike = token.letter != tokens_[i].letter && (token.wrapped || token.list_mark);
    return alike && IsJoinWord(next - 1) && tokens_[next - 1].kind == Kind::kWord;
  }
  return false;
}

// The letters that begin at `first`: one, or a conflict; nothing where they are taken back.
std::optional<Reading> StatementReader::ReadGroup(size_t first) const {
  size_t last = first;
  bool same = true;
  while (const size_t next = Joined(last)) {
    same &= tokens_[next].letter == tokens_[first].letter;
    last = next;
  }
  const bool runs_on = last + 1 < tokens_.size() && tokens_[last + 1].kind == Kind::kLetter &&
                       tokens_[last + 1].letter != tokens_[first].letter && IsChoice(last + 1);
  if (IsTakenBack(last)) return std::nullopt;
  Reading reading = Of(first);
  if (!same || runs_on || AnotherIsListed(last)) reading.says = Says::kConflict;
  return reading;
}

}  // namespace assay::extract
