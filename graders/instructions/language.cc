// The language check's model is a text that is read once; a text's n-grams are counted, not drawn.
#include "graders/instructions/language.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "graders/instructions/unicode.h"
#include "harness/status.h"
#include "harness/text.h"
#include "re2/re2.h"

namespace assay {

const std::map<std::string, std::string>& LanguageFiles();  // cmake/embed.cmake

namespace instructions {
namespace {

constexpr size_t kMaxCodePoints = 10'000;
constexpr double kSmoothing = 0.5 / 10'000;

struct Entry {
  int language = 0;
  double probability = 0;
};

// Up to three code points of 21 bits.
using Gram = uint64_t;
Gram Pack(std::u32string_view letters) {
  Gram packed = 0;
  for (const char32_t c : letters) packed = packed << 21 | c;
  return packed;
}

struct Model {
  std::vector<std::string> languages;
  absl::flat_hash_map<Gram, std::vector<Entry>> grams;
};

const Model& TheModel() {
  static const auto* model = [] {
    auto* made = new Model;
    const std::string& text = LanguageFiles().at("graders/instructions/languages.txt");
    for (const std::string_view line : SplitLines(text)) {
      if (line.empty() || line[0] == '#') continue;
      const std::vector<std::string_view> words = Split(line, ' ');
      const std::optional<int64_t> level = words.size() > 2 ? ParseInt(words[1]) : std::nullopt;
      CHECK(level.has_value());  // the program's own file
      if (made->languages.empty() || made->languages.back() != words[0]) {
        made->languages.emplace_back(words[0]);
      }
      const int language = static_cast<int>(made->languages.size()) - 1;
      for (size_t i = 2; i < words.size(); ++i) {
        std::u32string gram = ToCodePoints(words[i]);
        std::replace(gram.begin(), gram.end(), U'_', U' ');
        made->grams[Pack(gram)].push_back({language, std::exp2(-static_cast<double>(*level) / 8)});
      }
    }
    return made;
  }();
  return *model;
}

// One letter for what has too many to count apart, a blank for what is no letter.
char32_t Normal(char32_t c) {
  if (c < 0x80) return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ? c : U' ';
  if (c == 0xA0 || c == 0xAB || c == 0xB0 || c == 0xBB) return U' ';
  if (c == 0x219) return 0x15F;  // Romanian: comma below is written as a cedilla
  if (c == 0x21B) return 0x163;
  if (c >= 0x2000 && c <= 0x206F) return U' ';
  if (c == 0x6CC) return 0x64A;                   // Farsi's yeh
  if (c >= 0x1EA0 && c <= 0x1EFF) return 0x1EC3;  // Vietnamese vowels
  if (c >= 0x3040 && c <= 0x309F) return 0x3042;  // Hiragana
  if (c >= 0x30A0 && c <= 0x30FF) return 0x30A2;  // Katakana
  if (c >= 0x3100 && c <= 0x312F) return 0x3105;  // Bopomofo
  if (c >= 0x31A0 && c <= 0x31BF) return 0x3105;
  if (c >= 0xAC00 && c <= 0xD7AF) return 0xAC00;  // Hangul
  return c;
}

std::u32string WithoutAddresses(std::u32string_view text) {
  static const RE2* const url = new RE2(R"(https?://[-_.?&~;+=/#0-9A-Za-z]+)");
  static const RE2* const mail =
      new RE2(R"([-_.0-9A-Za-z]{1,64}@[-_0-9A-Za-z]{1,255}[-_.0-9A-Za-z]{1,255})");
  std::string bytes = ToUtf8(text);
  RE2::GlobalReplace(&bytes, *url, " ");
  RE2::GlobalReplace(&bytes, *mail, " ");
  return ToCodePoints(bytes);
}

// Vietnamese letters with their tone marks apart become one letter; blanks in a row become one.
std::u32string Composed(std::u32string_view text) {
  std::u32string composed;
  size_t read = 0;
  for (const char32_t c : text) {
    const bool mark = c == 0x300 || c == 0x301 || c == 0x303 || c == 0x309 || c == 0x323;
    const char32_t whole = mark && !composed.empty() ? Compose(composed.back(), c) : 0;
    if (whole != 0) {
      composed.back() = whole;
      continue;
    }
    if (++read > kMaxCodePoints) break;
    if (c != U' ' || composed.empty() || composed.back() != U' ') composed += c;
  }
  return composed;
}

// Latin words in a text of another script are names and quotations.
std::u32string WithoutForeignLatin(std::u32string text) {
  const auto latin = [](char32_t c) { return c >= 'A' && c <= 'z'; };
  size_t letters = 0, others = 0;
  for (const char32_t c : text) {
    letters += latin(c) ? 1 : 0;
    others += c >= 0x300 && !(c >= 0x1E00 && c <= 0x1EFF) ? 1 : 0;
  }
  if (letters * 2 < others) std::erase_if(text, latin);
  return text;
}

// How often each known n-gram stands in the text. Words in capitals are passed over from their
// second letter on.
absl::flat_hash_map<Gram, int> CountGrams(std::u32string_view text, const Model& model) {
  absl::flat_hash_map<Gram, int> counts;
  std::u32string last = U" ";
  bool capitals = false;
  for (const char32_t given : text) {
    const char32_t c = Normal(given);
    const char32_t before = last.back();
    if (before == U' ') {
      last = U" ";
      capitals = false;
      if (c == U' ') continue;
    } else if (last.size() == 3) {
      last.erase(0, 1);
    }
    last += c;
    capitals = IsUpper(c) && (capitals || IsUpper(before));
    if (capitals) continue;
    for (size_t n = 1; n <= last.size(); ++n) {
      const std::u32string_view gram = std::u32string_view(last).substr(last.size() - n);
      if (gram == U" ") continue;
      if (const Gram packed = Pack(gram); model.grams.contains(packed)) ++counts[packed];
    }
  }
  return counts;
}

}  // namespace

std::optional<std::string> DetectLanguage(std::u32string_view text) {
  const Model& model = TheModel();
  const absl::flat_hash_map<Gram, int> counts =
      CountGrams(WithoutForeignLatin(Composed(WithoutAddresses(text))), model);
  if (counts.empty()) return std::nullopt;
  // In one order whatever the hash table's, so that sums round alike.
  std::vector<std::pair<Gram, int>> sorted(counts.begin(), counts.end());
  std::sort(sorted.begin(), sorted.end());
  const double unseen = std::log(kSmoothing);
  std::vector<double> score(model.languages.size(), 0);
  for (const auto& [gram, count] : sorted) {
    for (const Entry& entry : model.grams.at(gram)) {
      score[static_cast<size_t>(entry.language)] +=
          count * (std::log(kSmoothing + entry.probability) - unseen);
    }
  }
  const auto best = std::max_element(score.begin(), score.end());
  return model.languages[static_cast<size_t>(best - score.begin())];
}

}  // namespace instructions
}  // namespace assay
