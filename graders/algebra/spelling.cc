// An answer's text before it is scanned: Unicode spelled in TeX, what surrounds it removed; and
// texts folded for comparing words.
#include <string>
#include <string_view>
#include <unordered_map>

#include "graders/algebra/lexer.h"
#include "graders/algebra/lexer_tables.h"
#include "harness/text.h"

namespace assay::algebra {
namespace {

std::string_view AsciiOf(char32_t c) {
  static const std::unordered_map<char32_t, std::string_view> table = {{U'π', "\\pi "},
                                                                       {U'√', " sqrt "},
                                                                       {U'°', "^{\\circ}"},
                                                                       {U'²', "^{2}"},
                                                                       {U'³', "^{3}"},
                                                                       {U'¹', "^{1}"},
                                                                       {U'⁰', "^{0}"},
                                                                       {U'⁴', "^{4}"},
                                                                       {U'⁵', "^{5}"},
                                                                       {U'⁶', "^{6}"},
                                                                       {U'⁷', "^{7}"},
                                                                       {U'⁸', "^{8}"},
                                                                       {U'⁹', "^{9}"},
                                                                       {U'½', "\\frac{1}{2}"},
                                                                       {U'⅓', "\\frac{1}{3}"},
                                                                       {U'⅔', "\\frac{2}{3}"},
                                                                       {U'¼', "\\frac{1}{4}"},
                                                                       {U'¾', "\\frac{3}{4}"},
                                                                       {U'⅕', "\\frac{1}{5}"},
                                                                       {U'⅛', "\\frac{1}{8}"},
                                                                       {U'⅖', "\\frac{2}{5}"},
                                                                       {U'⅗', "\\frac{3}{5}"},
                                                                       {U'⅘', "\\frac{4}{5}"},
                                                                       {U'⅙', "\\frac{1}{6}"},
                                                                       {U'⅚', "\\frac{5}{6}"},
                                                                       {U'⅜', "\\frac{3}{8}"},
                                                                       {U'⅝', "\\frac{5}{8}"},
                                                                       {U'⅞', "\\frac{7}{8}"},
                                                                       {U'×', "\\times "},
                                                                       {U'·', "\\cdot "},
                                                                       {U'⋅', "\\cdot "},
                                                                       {U'∙', "\\cdot "},
                                                                       {U'÷', "\\div "},
                                                                       {U'±', "\\pm "},
                                                                       {U'∓', "\\mp "},
                                                                       {U'−', "-"},
                                                                       {U'–', "-"},
                                                                       {U'—', "-"},
                                                                       {U'‐', "-"},
                                                                       {U'‑', "-"},
                                                                       {U'≤', "\\le "},
                                                                       {U'≥', "\\ge "},
                                                                       {U'⩽', "\\le "},
                                                                       {U'⩾', "\\ge "},
                                                                       {U'≠', "\\ne "},
                                                                       {U'≈', "\\approx "},
                                                                       {U'≡', "\\equiv "},
                                                                       {U'∞', "\\infty "},
                                                                       {U'∈', "\\in "},
                                                                       {U'∉', "\\notin "},
                                                                       {U'∪', "\\cup "},
                                                                       {U'∩', "\\cap "},
                                                                       {U'∖', "\\setminus "},
                                                                       {U'∅', "\\emptyset "},
                                                                       {U'ø', "\\emptyset "},
                                                                       {U'Ø', "\\emptyset "},
                                                                       {U'ℝ', "\\mathbb{R}"},
                                                                       {U'ℤ', "\\mathbb{Z}"},
                                                                       {U'ℕ', "\\mathbb{N}"},
                                                                       {U'ℚ', "\\mathbb{Q}"},
                                                                       {U'ℂ', "\\mathbb{C}"},
                                                                       {U'′', "'"},
                                                                       {U'″', "''"},
                                                                       {U'’', "'"},
                                                                       {U'‘', "'"},
                                                                       {U'“', "\""},
                                                                       {U'”', "\""},
                                                                       {U'…', "\\ldots "},
                                                                       {U'⋯', "\\cdots "},
                                                                       {U'，', ","},
                                                                       {U'、', ","},
                                                                       {U'；', ";"},
                                                                       {U'：', ":"},
                                                                       {U'。', "."},
                                                                       {U'（', "("},
                                                                       {U'）', ")"},
                                                                       {U'［', "["},
                                                                       {U'］', "]"},
                                                                       {U'【', "["},
                                                                       {U'】', "]"},
                                                                       {U'和', " and "},
                                                                       {U'或', " or "},
                                                                       {U'且', " and "},
                                                                       {U'→', "\\to "},
                                                                       {U'⇒', "\\to "},
                                                                       {U'∠', "\\angle "},
                                                                       {U'△', "\\triangle "},
                                                                       {U'⊥', "\\perp "},
                                                                       {U'∥', "\\parallel "},
                                                                       {U'∀', "\\forall "},
                                                                       {U'⌊', "\\lfloor "},
                                                                       {U'⌋', "\\rfloor "},
                                                                       {U'⌈', "\\lceil "},
                                                                       {U'⌉', "\\rceil "},
                                                                       {U'⟨', "\\langle "},
                                                                       {U'⟩', "\\rangle "},
                                                                       {U'∧', "\\wedge "},
                                                                       {U'∨', "\\vee "},
                                                                       {U'⊂', "\\subset "},
                                                                       {U'⊆', "\\subseteq "},
                                                                       {U'∑', "\\sum "},
                                                                       {U'∏', "\\prod "},
                                                                       {U'∫', "\\int "},
                                                                       {U'∂', "\\partial "},
                                                                       {U'α', "\\alpha "},
                                                                       {U'β', "\\beta "},
                                                                       {U'γ', "\\gamma "},
                                                                       {U'δ', "\\delta "},
                                                                       {U'ε', "\\epsilon "},
                                                                       {U'ζ', "\\zeta "},
                                                                       {U'η', "\\eta "},
                                                                       {U'θ', "\\theta "},
                                                                       {U'κ', "\\kappa "},
                                                                       {U'λ', "\\lambda "},
                                                                       {U'μ', "\\mu "},
                                                                       {U'µ', "\\mu "},
                                                                       {U'ν', "\\nu "},
                                                                       {U'ξ', "\\xi "},
                                                                       {U'ρ', "\\rho "},
                                                                       {U'σ', "\\sigma "},
                                                                       {U'τ', "\\tau "},
                                                                       {U'φ', "\\phi "},
                                                                       {U'ϕ', "\\phi "},
                                                                       {U'χ', "\\chi "},
                                                                       {U'ψ', "\\psi "},
                                                                       {U'ω', "\\omega "},
                                                                       {U'Γ', "\\Gamma "},
                                                                       {U'Δ', "\\Delta "},
                                                                       {U'Θ', "\\Theta "},
                                                                       {U'Λ', "\\Lambda "},
                                                                       {U'Σ', "\\Sigma "},
                                                                       {U'Φ', "\\Phi "},
                                                                       {U'Ψ', "\\Psi "},
                                                                       {U'Ω', "\\Omega "},
                                                                       {U'ℓ', "\\ell "},
                                                                       {U'％', "%"},
                                                                       {U'＄', "$"},
                                                                       {U'∣', "\\mid "},
                                                                       {U'⁺', "^{+}"},
                                                                       {U'⁻', "^{-}"},
                                                                       {U'¢', " cents "},
                                                                       {U'€', "\\euro "},
                                                                       {U'£', "\\pounds "},
                                                                       {U'¥', "\\yen "},
                                                                       {U'￥', "\\yen "}};
  const auto found = table.find(c);
  return found == table.end() ? std::string_view() : found->second;
}

bool IsInvisible(char32_t c) {
  return (c >= 0x200B && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) ||
         (c >= 0x2060 && c <= 0x2069) || c == 0xFEFF || c == 0x00AD;
}
bool IsWideBlank(char32_t c) {
  return c == 0xA0 || c == 0x3000 || (c >= 0x2000 && c <= 0x200A) || c == 0x202F;
}

char32_t NextCodePoint(std::string_view text, size_t* at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(*at);
  const int length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  char32_t c = length == 1 ? lead : lead & (0xFF >> (length + 1));
  for (int i = 1; i < length; ++i) c = (c << 6) | (byte(*at + i) & 0x3F);
  *at += length;
  return c;
}

bool IsSuperscript(std::string_view spelled) {
  return spelled.size() == 4 && spelled.substr(0, 2) == "^{";
}

// Removes `open`...`close` around the whole of `text`.
bool StripPair(std::string_view open, std::string_view close, std::string_view* text) {
  if (text->size() < open.size() + close.size()) return false;
  if (text->substr(0, open.size()) != open) return false;
  if (text->substr(text->size() - close.size()) != close) return false;
  *text = text->substr(open.size(), text->size() - open.size() - close.size());
  return true;
}

// Removes \boxed{...} around the whole of `text`.
bool StripBox(std::string_view* text) {
  for (const std::string_view macro : {"\\boxed", "\\fbox"}) {
    if (text->substr(0, macro.size()) != macro) continue;
    const std::string_view rest = TrimLeft(text->substr(macro.size()));
    if (rest.empty() || rest.front() != '{' || rest.back() != '}') continue;
    int depth = 0;
    for (size_t i = 0; i < rest.size(); ++i) {
      if (rest[i] == '\\') {
        ++i;
      } else if (rest[i] == '{') {
        ++depth;
      } else if (rest[i] == '}' && --depth == 0 && i + 1 != rest.size()) {
        return false;
      }
    }
    *text = rest.substr(1, rest.size() - 2);
    return true;
  }
  return false;
}

bool StripOnce(std::string_view* text) {
  const std::string_view trimmed = Trim(*text);
  const bool blanks = trimmed.size() != text->size();
  *text = trimmed;
  if (text->size() > 4 && StripPair("$$", "$$", text)) return true;
  // "$a$, $b$" has dollars inside: those the scanner drops.
  if (text->size() > 1 && text->front() == '$' && text->back() == '$' &&
      text->substr(1, text->size() - 2).find('$') == std::string_view::npos &&
      (text->size() < 3 || (*text)[text->size() - 2] != '\\') && StripPair("$", "$", text))
    return true;
  if (StripPair("\\[", "\\]", text) || StripPair("\\(", "\\)", text)) return true;
  if (text->size() > 4 && StripPair("**", "**", text)) return true;
  if (StripBox(text)) return true;
  const bool ends_in_dots = text->size() > 1 && (*text)[text->size() - 2] == '.';
  if (!text->empty() && text->back() == '.' && !ends_in_dots) {
    text->remove_suffix(1);
    return true;
  }
  if (text->size() > 2 && text->substr(text->size() - 2) == "\\ ") {
    text->remove_suffix(2);
    return true;
  }
  if (text->size() > 2 && text->substr(0, 2) == "\\ ") {
    text->remove_prefix(2);
    return true;
  }
  if (text->size() > 1 && (text->back() == ',' || text->back() == ';')) {
    text->remove_suffix(text->size() > 2 && (*text)[text->size() - 2] == '\\' ? 2 : 1);
    return true;
  }
  if (text->size() > 1 && text->back() == '\\' && (*text)[text->size() - 2] != '\\') {
    text->remove_suffix(1);  // what is left of a final "\ "
    return true;
  }
  if (text->size() > 2 && text->substr(text->size() - 2) == "\\\\") {
    text->remove_suffix(2);
    return true;
  }
  return blanks;
}

bool IsArticle(std::string_view word) { return word == "a" || word == "an" || word == "the"; }

}  // namespace

std::string Spell(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 16);
  bool after_superscript = false;
  const bool valid = !FirstInvalidUtf8(text);
  const std::string repaired = valid ? std::string() : ToValidUtf8(text);
  if (!valid) text = repaired;
  for (size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      out += text[at++];
      after_superscript = false;
      continue;
    }
    const size_t begin = at;
    const char32_t c = NextCodePoint(text, &at);
    const std::string_view spelled = AsciiOf(c);
    if (IsInvisible(c)) continue;
    if (IsWideBlank(c)) {
      out += ' ';
    } else if (c >= 0xFF01 && c <= 0xFF5E && spelled.empty()) {
      out += static_cast<char>(c - 0xFF01 + '!');
    } else if (spelled.empty()) {
      out += text.substr(begin, at - begin);
    } else if (after_superscript && IsSuperscript(spelled)) {
      out.pop_back();
      out += spelled.substr(2);
    } else {
      out += spelled;
    }
    after_superscript = IsSuperscript(spelled);
  }
  return out;
}

std::string_view StripFrame(std::string_view text) {
  for (int i = 0; i < 64 && StripOnce(&text); ++i) {
  }
  return text;
}

std::string FoldWords(std::string_view text) {
  std::string folded;
  std::string word;
  const auto flush = [&] {
    if (!word.empty() && !IsArticle(word)) {
      if (!folded.empty()) folded += ' ';
      folded += word;
    }
    word.clear();
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\') {
      size_t end = i + 1;
      while (end < text.size() && IsLetter(text[end])) ++end;
      const std::string_view name = text.substr(i + 1, end - i - 1);
      const bool layout = Layout().count(name) || TextMacros().count(name) || Sizes().count(name);
      if (end == i + 1) {
        i = end;  // a control symbol is a blank
        flush();
      } else {
        if (!layout) word += "\\" + std::string(name);
        i = end - 1;
      }
    } else if (IsBlank(c) || c == '~') {
      flush();
    } else if (Contains("{}$\"`", std::string_view(&c, 1))) {
      continue;
    } else if (c == '.' || c == ',' || c == '!' || c == ';' || c == ':') {
      // Punctuation between digits means something; at a word's end it does not.
      const bool digits =
          i > 0 && i + 1 < text.size() && IsDigit(text[i - 1]) && IsDigit(text[i + 1]);
      if (digits) word += c;
      if (!digits && c == ',') flush();
    } else {
      word += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
  }
  flush();
  return folded;
}

}  // namespace assay::algebra
