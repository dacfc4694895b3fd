// Text of an answer to tokens: LaTeX, plain calculator notation and Unicode alike.
//
// One pass, no backtracking, no macro expansion. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace assay::algebra {

struct Limits {
  size_t max_bytes = 64 * 1024;
  int max_depth = 300;
  int max_nodes = 5000;
  size_t max_digits = 10000;   // of one literal
  size_t max_elements = 1024;  // of a list
};

// How ambiguous notation is taken. The first value of each is the likelier one.
struct ReadingOptions {
  bool thousands = true;          // 1,234 is one number (else a list)
  bool scientific = true;         // 2e-1 is 0.2 (else 2*e - 1)
  bool slash_binds_loose = true;  // 1/2x is (1/2)x (else 1/(2x))
  bool j_is_imaginary = false;    // 3-2j is 3-2i
  bool macros_written = true;     // macros stand for themselves, not for Unicode signs
  bool log_is_default = true;     // \log is base 10 and log() natural (else the other way round)
};

// Which of those choices the text offers.
struct Ambiguities {
  bool thousands = false;
  bool scientific = false;
  bool slash = false;
  bool log = false;
  bool imaginary_j = false;
  bool exponent_digits = false;  // 2^10 with no sign whether TeX or plain is meant: never decided
};

enum class TokenKind {
  kNumber,     // digits as written, separators removed: "1234.50", "4.5e33"
  kRepeating,  // "0.58(3)": the period in brackets
  kName,       // one symbol: "x", "alpha", "ABC" in \mathit; "pi", "inf" and "e" too
  kWord,       // a run of two letters or more that is no known name: a product, a unit, or words
  kText,       // words inside \text and the like
  kFunction,   // "sin", "ln", "max", ...
  kCommand,    // "frac", "sqrt", "binom", "sum", ...
  kOperator,   // "+", "<=", "(", "\\{", "begin:pmatrix", ...
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;
  bool space_before = false;
  bool tex = false;     // came from a macro
  bool merged = false;  // a number whose separators were removed: never split into digits
  char side = 0;        // of a bar: 'L', 'R' or unknown
};

struct Lexed {
  std::vector<Token> tokens;  // ends with kEnd
  std::string error;          // not empty: unreadable, and why
  bool over_limit = false;
  bool has_words = false;  // prose was met
  bool is_tex = false;     // a macro was met
  bool is_plain = false;   // '*' or another sign of calculator notation was met
  Ambiguities seen;
};

Lexed Lex(std::string_view text, const ReadingOptions& reading, const Limits& limits);

// Unicode mathematics to its TeX or ASCII spelling; invisible characters dropped; invalid UTF-8
// replaced. Also removes what surrounds an answer: dollar signs, \[ \], \boxed, a final full stop.
std::string Spell(std::string_view text);
std::string_view StripFrame(std::string_view text);

// The text folded for comparing words: macros' names and braces, blanks, case, punctuation and
// articles removed.
std::string FoldWords(std::string_view text);

}  // namespace assay::algebra
