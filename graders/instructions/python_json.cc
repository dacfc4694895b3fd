// A recogniser that builds nothing: the checker asks only whether the text is JSON.
#include "graders/instructions/python_json.h"

#include <cstddef>

namespace assay::instructions {
namespace {

constexpr int kMaxDepth = 900;

class Recogniser {
 public:
  explicit Recogniser(std::string_view text) : rest_(text) {}

  bool Whole() {
    Blanks();
    if (!Value(0)) return false;
    Blanks();
    return rest_.empty();
  }

 private:
  bool Take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  bool At(char c) const { return !rest_.empty() && rest_.front() == c; }
  bool AtDigit() const { return !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; }
  void Blanks() {
    while (At(' ') || At('\t') || At('\n') || At('\r')) rest_.remove_prefix(1);
  }
  void Digits() {
    while (AtDigit()) rest_.remove_prefix(1);
  }

  bool Value(int depth) {
    if (depth > kMaxDepth || rest_.empty()) return false;
    if (At('"')) return String();
    if (At('{')) return Object(depth);
    if (At('[')) return Array(depth);
    for (const std::string_view word : {"null", "true", "false", "NaN", "Infinity", "-Infinity"}) {
      if (Take(word)) return true;
    }
    return Number();
  }

  bool Number() {
    Take("-");
    if (!AtDigit()) return false;
    if (!Take("0")) Digits();
    std::string_view before = rest_;
    if (Take(".")) {
      if (AtDigit()) {
        Digits();
      } else {
        rest_ = before;
      }
    }
    before = rest_;
    if (Take("e") || Take("E")) {
      if (!Take("+")) Take("-");
      if (AtDigit()) {
        Digits();
      } else {
        rest_ = before;
      }
    }
    return true;
  }

  bool Escape() {
    if (rest_.empty()) return false;
    const char c = rest_.front();
    rest_.remove_prefix(1);
    if (c != 'u') return std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos;
    for (int i = 0; i < 4; ++i) {
      const bool hex =
          !rest_.empty() &&
          std::string_view("0123456789abcdefABCDEF").find(rest_.front()) != std::string_view::npos;
      if (!hex) return false;
      rest_.remove_prefix(1);
    }
    return true;
  }

  bool String() {
    rest_.remove_prefix(1);
    while (!rest_.empty()) {
      const char c = rest_.front();
      if (static_cast<unsigned char>(c) < 0x20) return false;
      rest_.remove_prefix(1);
      if (c == '"') return true;
      if (c == '\\' && !Escape()) return false;
    }
    return false;
  }

  bool Object(int depth) {
    rest_.remove_prefix(1);
    Blanks();
    if (Take("}")) return true;
    while (true) {
      if (!At('"') || !String()) return false;
      Blanks();
      if (!Take(":")) return false;
      Blanks();
      if (!Value(depth + 1)) return false;
      Blanks();
      if (Take("}")) return true;
      if (!Take(",")) return false;
      Blanks();
    }
  }

  bool Array(int depth) {
    rest_.remove_prefix(1);
    Blanks();
    if (Take("]")) return true;
    while (true) {
      if (!Value(depth + 1)) return false;
      Blanks();
      if (Take("]")) return true;
      if (!Take(",")) return false;
      Blanks();
    }
  }

  std::string_view rest_;
};

}  // namespace

bool PythonReadsAsJson(std::string_view text) { return Recogniser(text).Whole(); }

}  // namespace assay::instructions
