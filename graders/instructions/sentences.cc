// Punkt without its training: abbreviations are listed, capitals and initials decide the rest.
#include "graders/instructions/sentences.h"

#include <algorithm>
#include <set>

#include "graders/instructions/unicode.h"
#include "harness/text.h"
#include "re2/re2.h"

namespace assay::instructions {
namespace {

using Words = std::set<std::string, std::less<>>;

// Written without their last period, in lower case. Which of the usual ones are here, and that
// "e.g", "i.e" and "etc" are not, follows Punkt's English model, so that counts agree with it.
const Words& Abbreviations() {
  static const auto* list = new Words{
      "a.m",     "adm",  "ala",   "ariz", "aug",    "ave",  "bros", "c.v",  "calif", "cie", "co",
      "col",     "colo", "conn",  "corp", "cos",    "ct",   "d.c",  "dec",  "dr",    "feb", "fla",
      "fri",     "ft",   "ga",    "gen",  "ill",    "inc",  "jan",  "jr",   "kan",   "ky",  "l.a",
      "lt",      "ltd",  "m.b.a", "maj",  "messrs", "mg",   "mich", "minn", "mr",    "mrs", "ms",
      "n.c",     "n.h",  "n.j",   "n.m",  "n.v",    "n.y",  "nev",  "nov",  "oct",   "ok",  "okla",
      "ore",     "p.m",  "pa",    "ph.d", "prof",   "r.i",  "rep",  "reps", "s.a",   "s.c", "sen",
      "sep",     "sept", "sr",    "st",   "sw",     "tenn", "tues", "u.k",  "u.n",   "u.s", "u.s.a",
      "u.s.s.r", "va",   "vs",    "vt",   "w.va",   "wash", "wed",  "wis",  "yr"};
  return *list;
}

// Letters that, by themselves before a period, are an abbreviation whatever follows.
constexpr std::u32string_view kLetters = U"cdefghklmnprstvw";

// Words that begin a sentence even after an abbreviation or an ellipsis, when written with a
// capital.
const Words& Starters() {
  static const auto* list = new Words{
      "according", "although", "always", "among",        "being",   "between", "both",   "but",
      "consider",  "despite",  "does",   "even",         "finally", "he",      "her",    "here",
      "however",   "i",        "if",     "in",           "indeed",  "instead", "it",     "many",
      "meanwhile", "moreover", "most",   "nevertheless", "nor",     "note",    "please", "put",
      "since",     "so",       "some",   "still",        "such",    "the",     "there",  "these",
      "they",      "think",    "this",   "though",       "thus",    "under",   "very",   "were",
      "when",      "which",    "while",  "yes",          "yet",     "your"};
  return *list;
}

// Words that are no names: after an initial and with a capital they begin a sentence.
const Words& CommonWords() {
  static const auto* list = new Words{
      "a",       "about", "after",   "again",  "all",      "also",    "always", "an",      "and",
      "another", "any",   "are",     "as",     "at",       "because", "before", "being",   "below",
      "between", "by",    "can",     "come",   "consider", "could",   "do",     "does",    "during",
      "each",    "every", "finally", "find",   "first",    "for",     "from",   "further", "get",
      "give",    "go",    "has",     "have",   "he",       "her",     "here",   "his",     "how",
      "i",       "if",    "in",      "is",     "it",       "its",     "just",   "keep",    "know",
      "last",    "later", "let",     "like",   "look",     "make",    "many",   "may",     "maybe",
      "more",    "most",  "much",    "my",     "never",    "next",    "no",     "not",     "note",
      "now",     "of",    "often",   "on",     "once",     "one",     "only",   "or",      "other",
      "our",     "out",   "over",    "please", "put",      "read",    "see",    "several", "she",
      "should",  "so",    "some",    "still",  "such",     "take",    "that",   "the",     "their",
      "then",    "there", "these",   "they",   "think",    "this",    "those",  "to",      "today",
      "two",     "under", "use",     "very",   "was",      "we",      "well",   "were",    "what",
      "when",    "where", "which",   "while",  "who",      "why",     "will",   "with",    "would",
      "yes",     "you",   "your"};
  return *list;
}

bool IsSentenceEnd(char32_t c) { return c == U'.' || c == U'?' || c == U'!'; }
bool EndsWord(char32_t c) {
  return std::u32string_view(U")\";}]*:@'({[?!").find(c) != std::u32string_view::npos;
}
bool MayBeginWord(char32_t c) {
  return std::u32string_view(U"(\"`{[:;&#*@)}]-,").find(c) == std::u32string_view::npos;
}

// Length of a dash, an ellipsis or a spaced ellipsis at `at`; 0 where there is none.
size_t LongMark(std::u32string_view text, size_t at) {
  const auto run = [&](char32_t c) {
    size_t end = at;
    while (end < text.size() && text[end] == c) ++end;
    return end - at;
  };
  if (const size_t dashes = run(U'-'); dashes >= 2) return dashes;
  if (const size_t dots = run(U'.'); dots >= 2) return dots;
  size_t end = at, pairs = 0;
  while (end + 1 < text.size() && text[end] == U'.' && IsSpace(text[end + 1])) {
    end += 2;
    ++pairs;
  }
  // As many pairs as leave a period behind them.
  for (; pairs >= 2; --pairs, end -= 2) {
    if (end < text.size() && text[end] == U'.') return end + 1 - at;
  }
  return 0;
}

bool WordEndsAt(std::u32string_view line, size_t at) {
  if (at == line.size() || IsSpace(line[at]) || EndsWord(line[at])) return true;
  return LongMark(line, at) > 0;
}

// A word's pieces as Punkt sees them: periods stay with their word.
std::vector<std::u32string_view> PunktTokens(std::u32string_view line) {
  std::vector<std::u32string_view> tokens;
  for (size_t i = 0; i < line.size();) {
    if (IsSpace(line[i])) {
      ++i;
      continue;
    }
    size_t length = LongMark(line, i);
    if (length == 0 && MayBeginWord(line[i])) {
      size_t end = i + 1;
      while (!WordEndsAt(line, end) && !(line[end] == U',' && WordEndsAt(line, end + 1))) ++end;
      length = end - i;
    }
    length = std::max<size_t>(length, 1);
    tokens.push_back(line.substr(i, length));
    i += length;
  }
  return tokens;
}

bool IsNumber(std::u32string_view token) {
  size_t i = 0;
  if (i < token.size() && token[i] == U'-') ++i;
  if (i < token.size() && (token[i] == U'.' || token[i] == U',')) ++i;
  if (i == token.size() || !IsDecimal(token[i])) return false;
  return std::all_of(token.begin() + static_cast<std::ptrdiff_t>(i), token.end(), [](char32_t c) {
    return IsDecimal(c) || c == U',' || c == U'.' || c == U'-';
  });
}

bool IsAbbreviation(std::u32string_view word) {
  const std::string lower = ToUtf8(Lower(word));
  if (Abbreviations().contains(lower)) return true;
  const size_t dash = lower.rfind('-');
  return dash != std::string::npos && Abbreviations().contains(lower.substr(dash + 1));
}

// Whether a sentence ends with `token`, which `next` follows. `opens_line`: nothing stands before
// it.
bool BreaksAfter(std::u32string_view token, std::u32string_view next, bool opens_line) {
  if (token.size() == 1 && IsSentenceEnd(token[0])) return true;
  if (!token.ends_with(U".")) return false;
  const std::u32string_view word = token.substr(0, token.size() - 1);
  std::string next_word = ToUtf8(Lower(next));
  // A word that ends its own sentence keeps its period.
  if (next_word.size() > 1 && next_word.ends_with('.')) next_word.pop_back();
  const bool capital = IsUpper(next[0]);
  if (token.ends_with(U"..")) return capital && Starters().contains(next_word);
  if (IsAbbreviation(word)) return capital && Starters().contains(next_word);
  const bool initial = word.size() == 1 && IsWord(word[0]) && !IsDecimal(word[0]);
  if (initial && kLetters.find(Lower(word)[0]) != kLetters.npos) return false;
  if (!initial && !IsNumber(token)) return true;
  const bool mark =
      next.size() == 1 && std::u32string_view(U";:,.!?").find(next[0]) != std::u32string_view::npos;
  if (mark || IsLower(next[0])) return false;
  // "A. Overview" is an outline, "J. Smith" is not.
  const bool outline = opens_line && (word == U"A" || word == U"B" || word == U"I");
  return outline || !(initial && capital && !CommonWords().contains(next_word));
}

// Whether a sentence ends within `context`, a word with its mark and what follows.
bool HoldsBreak(std::u32string_view context, bool opens_line) {
  std::vector<std::u32string_view> tokens;
  for (const std::u32string_view line : SplitAt(context, U"\n")) {
    const std::vector<std::u32string_view> more = PunktTokens(line);
    tokens.insert(tokens.end(), more.begin(), more.end());
  }
  for (size_t i = 0; i + 1 < tokens.size(); ++i) {
    if (BreaksAfter(tokens[i], tokens[i + 1], opens_line && i == 0)) return true;
  }
  return false;
}

// A mark that may end a sentence, and the word around it.
struct Candidate {
  size_t mark = 0;
  size_t word = 0;   // where the word before it begins
  size_t after = 0;  // end of what follows: one mark, or blanks and a word
  size_t next = 0;   // where the next sentence would begin
};

// The candidate at `at`, without its word.
bool CandidateAt(std::u32string_view text, size_t at, Candidate* candidate) {
  if (!IsSentenceEnd(text[at]) || at + 1 == text.size()) return false;
  candidate->mark = at;
  candidate->next = at + 1;
  candidate->after = at + 2;
  if (EndsWord(text[at + 1])) return true;
  size_t i = at + 1;
  while (i < text.size() && IsSpace(text[i])) ++i;
  if (i == at + 1 || i == text.size()) return false;
  candidate->next = i;
  while (i < text.size() && !IsSpace(text[i])) ++i;
  candidate->after = i;
  return true;
}

// Of marks in a row without a blank, the last.
std::vector<Candidate> Candidates(std::u32string_view text) {
  std::vector<Candidate> found;
  size_t stop = 0, start = 0;  // of the word before the last candidate
  for (size_t at = 0; at < text.size(); ++at) {
    Candidate candidate;
    if (!CandidateAt(text, at, &candidate)) continue;
    const std::u32string_view before = text.substr(stop, at - stop);
    const size_t blank = before.find_last_of(U" \t\n\r\v\f");
    const bool new_word = blank != before.npos && blank > 0;
    candidate.word = new_word ? stop + blank + 1 : start;
    if (!found.empty() && found.back().mark > candidate.word) found.pop_back();
    start = candidate.word;
    stop = at;
    found.push_back(candidate);
  }
  return found;
}

// Length of the closing quotes and brackets that begin `text` and belong to the sentence before.
struct Closing {
  size_t marks = 0;
  size_t with_blanks = 0;
};
Closing ClosingMarks(std::u32string_view text) {
  size_t marks = 0;
  while (marks < text.size() &&
         std::u32string_view(U"\"')]}").find(text[marks]) != std::u32string_view::npos) {
    ++marks;
    const bool line_ends = marks == text.size() || text[marks] == U'\n';
    if (line_ends || IsSpace(text[marks])) {
      size_t end = marks;
      while (end < text.size() && IsSpace(text[end])) ++end;
      return {marks, end};
    }
    if (text.substr(marks).starts_with(U"--")) return {marks, marks};
  }
  return {};
}

struct Span {
  size_t begin = 0, end = 0;
};

std::vector<Span> RawSentences(std::u32string_view text) {
  std::vector<Span> spans;
  size_t last = 0;
  for (const Candidate& candidate : Candidates(text)) {
    const size_t before = text.substr(0, candidate.word).find_last_not_of(U" \t");
    const bool opens_line = before == text.npos || text[before] == U'\n';
    if (!HoldsBreak(text.substr(candidate.word, candidate.after - candidate.word), opens_line)) {
      continue;
    }
    spans.push_back({last, candidate.mark + 1});
    last = candidate.next;
  }
  size_t end = text.size();
  while (end > 0 && IsSpace(text[end - 1])) --end;
  spans.push_back({last, end});
  return spans;
}

// --- words ---

struct Rewrite {
  RE2* pattern;
  const char* replacement;
};

RE2* Pattern(const char* text) {
  RE2::Options options;
  options.set_log_errors(true);
  auto* pattern = new RE2(text, options);  // lives as long as the program
  return pattern;
}

// A quote before one letter by itself, which is no clitic: 'a -> ' a.
std::string WithQuotesApart(std::string_view text) {
  const std::u32string points = ToCodePoints(text);
  std::u32string apart;
  for (size_t i = 0; i < points.size(); ++i) {
    apart += points[i];
    if (points[i] != U'\'' || i + 1 == points.size() || !IsWord(points[i + 1])) continue;
    const bool alone = i + 2 == points.size() || !IsWord(points[i + 2]);
    const bool clitic =
        std::u32string_view(U"mtsdnMTSDN").find(points[i + 1]) != std::u32string_view::npos;
    if (alone && !clitic) apart += U' ';
  }
  return ToUtf8(apart);
}

void Apply(const std::vector<Rewrite>& rewrites, std::string* text) {
  for (const Rewrite& rewrite : rewrites) {
    RE2::GlobalReplace(text, *rewrite.pattern, rewrite.replacement);
  }
}

// Blanks around marks and clitics, as the Penn Treebank cuts words.
std::string Spaced(std::string text) {
  static const auto* const opening = new std::vector<Rewrite>{
      {Pattern("([«“‘„]|`+)"), R"( \1 )"},
      {Pattern("^\""), "``"},
      {Pattern("(``)"), R"( \1 )"},
      {Pattern(R"(([ (\[{<])("|'{2}))"), R"(\1 `` )"},
  };
  static const auto* const marks = new std::vector<Rewrite>{
      {Pattern(R"(([^.])(\.)([\])}>"'»”’ ]*)\s*$)"), R"(\1 \2 \3 )"},
      {Pattern(R"(([:,])([^\p{Nd}]))"), R"( \1 \2)"},
      {Pattern(R"(([:,])$)"), R"( \1 )"},
      {Pattern(R"(\.{2,})"), R"( \0 )"},
      {Pattern(R"([;@#$%&])"), R"( \0 )"},
      {Pattern(R"(([^.])(\.)([\])}>"']*)\s*$)"), R"(\1 \2\3 )"},
      {Pattern(R"([?!])"), R"( \0 )"},
      {Pattern(R"(([^'])' )"), R"(\1 ' )"},
      {Pattern(R"([*])"), R"( \0 )"},
      {Pattern(R"([\]\[(){}<>])"), R"( \0 )"},
      {Pattern("--"), " -- "},
  };
  static const auto* const closing = new std::vector<Rewrite>{
      {Pattern("([»”’])"), R"( \1 )"},
      {Pattern("''"), " '' "},
      {Pattern("\""), " '' "},
      {Pattern(R"(([^' ])('[sS]|'[mM]|'[dD]|') )"), R"(\1 \2 )"},
      {Pattern(R"(([^' ])('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) )"), R"(\1 \2 )"},
      {Pattern(R"((?i)\b(can)(not)\b)"), R"( \1 \2 )"},
      {Pattern(R"((?i)\b(d)('ye)\b)"), R"( \1 \2 )"},
      {Pattern(R"((?i)\b(gim)(me)\b)"), R"( \1 \2 )"},
      {Pattern(R"((?i)\b(gon)(na)\b)"), R"( \1 \2 )"},
      {Pattern(R"((?i)\b(got)(ta)\b)"), R"( \1 \2 )"},
      {Pattern(R"((?i)\b(lem)(me)\b)"), R"( \1 \2 )"},
      {Pattern(R"((?i)\b(more)('n)\b)"), R"( \1 \2 )"},
      {Pattern(R"((?i)\b(wan)(na)(\s))"), R"( \1 \2 \3)"},
      {Pattern(R"((?i) ('t)(is)\b)"), R"( \1 \2 )"},
      {Pattern(R"((?i) ('t)(was)\b)"), R"( \1 \2 )"},
  };
  Apply(*opening, &text);
  text = WithQuotesApart(text);
  Apply(*marks, &text);
  text = " " + text + " ";
  Apply(*closing, &text);
  return text;
}

}  // namespace

std::vector<std::u32string_view> Sentences(std::u32string_view text) {
  std::vector<std::u32string_view> sentences;
  const std::vector<Span> spans = RawSentences(text);
  size_t moved = 0;  // of the next sentence's beginning, which closes this one
  for (size_t i = 0; i < spans.size(); ++i) {
    const size_t begin = spans[i].begin + moved;
    size_t end = spans[i].end;
    moved = 0;
    bool closes = false;
    if (i + 1 < spans.size()) {
      const Span& next = spans[i + 1];
      const Closing closing =
          ClosingMarks(text.substr(next.begin, next.end > next.begin ? next.end - next.begin : 0));
      closes = closing.marks > 0;
      if (closes) {
        end = next.begin + closing.marks;
        moved = closing.with_blanks;
      }
    }
    if (closes || begin < end)
      sentences.push_back(text.substr(begin, end > begin ? end - begin : 0));
  }
  return sentences;
}

std::vector<std::u32string> Tokens(std::u32string_view text) {
  std::vector<std::u32string> tokens;
  for (const std::u32string_view sentence : Sentences(text)) {
    const std::u32string spaced = ToCodePoints(Spaced(ToUtf8(sentence)));
    for (const std::u32string_view token : SplitAtBlanks(spaced)) tokens.emplace_back(token);
  }
  return tokens;
}

size_t CountWords(std::u32string_view text) {
  size_t words = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (IsWord(text[i]) && (i == 0 || !IsWord(text[i - 1]))) ++words;
  }
  return words;
}

}  // namespace assay::instructions
