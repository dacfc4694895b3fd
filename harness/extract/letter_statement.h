// One statement of a reply ("so the answer is (B), not C"): its words, and which letter it says.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/text.h"

namespace assay::extract {

inline constexpr size_t kNowhere = std::string_view::npos;

template <size_t N>
bool IsOneOf(std::string_view word, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

enum class Kind { kWord, kLetter, kJoin, kStop, kOther };

struct Token {
  Kind kind = Kind::kOther;
  std::string word;        // in small letters; a join or stop as written
  char letter = 0;         // in capitals
  bool capital = false;    // as it was written
  bool wrapped = false;    // (B), **B**, $B$, "B", \text{B}
  bool list_mark = false;  // B) or B. or B:
  size_t begin = 0;
  size_t end = 0;
};

bool IsAsciiWord(char c);
// Length of the word character at `at`, 0 where there is none. Latin, Greek, Cyrillic and the like
// (below U+2000) make words; CJK does not, so the letter in 选B项 stands alone.
size_t WordLength(std::string_view text, size_t at);
// "B)", "B." and "B:" with a blank or nothing behind.
bool HasListMark(std::string_view text, size_t end);
// Markup is passed over; commands (\text, \boxed) too.
std::vector<Token> Tokenize(std::string_view statement);

enum class Says { kNothing, kLetter, kConflict };

struct Reading {
  Says says = Says::kNothing;
  char letter = 0;
  size_t begin = 0;
  size_t end = 0;
};

// Passed over before the letter: "Answer: the correct option is (B)".
inline constexpr std::array<std::string_view, 44> kFillers = {
    "is",      "are",        "option",    "options", "choice", "letter", "the",     "correct",
    "final",   "would",      "be",        "should",  "must",   "most",   "likely",  "probably",
    "clearly", "definitely", "therefore", "so",      "thus",   "hence",  "answer",  "best",
    "right",   "indeed",     "simply",    "my",      "to",     "maybe",  "perhaps", "that",
    "it",      "it's",       "choose",    "select",  "pick",   "both",   "either",  "es",
    "ist",     "est",        "la",        "opción"};

// `text` must outlive it. Choices are the first `letters` letters.
class StatementReader {
 public:
  StatementReader(std::string_view text, int letters)
      : text_(text), letters_(letters), tokens_(Tokenize(text)) {}
  Reading Read() const;
  bool IsOneLetter() const;
  const std::vector<Token>& tokens() const { return tokens_; }
  Reading ReadConclusion(bool only_concluded) const;
  bool EndsAfter(size_t i) const;
  bool Settles(size_t i) const;
  // "A (Paris)", "A - Paris": the word behind is set off, so the letter is no article to it.
  bool MarkBetween(const Token& token, const Token& next) const {
    return !Trim(text_.substr(token.end, next.begin - token.end)).empty();
  }
  bool IsChoice(size_t i) const;
  bool IsQuestion(size_t i) const {
    return i + 1 < tokens_.size() && (tokens_[i + 1].word == "?" || tokens_[i + 1].word == "？");
  }
  bool InRange(const Token& token) const { return token.letter - 'A' < letters_; }
  Reading Of(size_t i) const;
  bool IsJoinWord(size_t i) const;
  size_t Joined(size_t i) const;
  bool IsNegated(size_t i) const;

 private:
  bool ExcludesFromAll(size_t but) const;
  bool IsTakenBack(size_t i) const;
  bool AnotherIsListed(size_t i) const;
  std::optional<Reading> ReadGroup(size_t first) const;
  template <size_t N>
  bool HasCue(size_t i, const std::array<std::string_view, N>& cues) const;

  std::string_view text_;
  int letters_;
  std::vector<Token> tokens_;
};

}  // namespace assay::extract
