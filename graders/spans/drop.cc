// Normalisation works token by token; the pairing is the Hungarian algorithm on a small table.
#include "graders/spans/drop.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <set>

#include "graders/instructions/unicode.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay::spans {
namespace {

namespace python = instructions;

constexpr size_t kMaxSpans = 64;  // of one answer; more are left out of the pairing

// What Python's float() makes of a word without blanks; underscores only between digits.
std::optional<double> PythonFloat(std::string_view word) {
  std::string digits;
  for (size_t i = 0; i < word.size(); ++i) {
    const auto digit = [&](size_t at) {
      return at < word.size() && word[at] >= '0' && word[at] <= '9';
    };
    if (word[i] == '_' && i > 0 && digit(i - 1) && digit(i + 1)) continue;
    digits += word[i];
  }
  std::string lower = ToLowerAscii(digits);
  const bool minus = lower.starts_with("-");
  if (minus || lower.starts_with("+")) lower.erase(0, 1);
  if (lower == "inf" || lower == "infinity") {
    return minus ? -std::numeric_limits<double>::infinity()
                 : std::numeric_limits<double>::infinity();
  }
  if (lower == "nan") return std::numeric_limits<double>::quiet_NaN();
  if (lower.empty() || lower.find_first_not_of("0123456789.e+-") != std::string::npos) {
    return std::nullopt;
  }
  double value = 0;
  const auto end = std::from_chars(lower.data(), lower.data() + lower.size(), value);
  if (end.ptr != lower.data() + lower.size()) return std::nullopt;
  if (end.ec == std::errc::result_out_of_range) {
    const bool tiny = lower.find("e-") != std::string::npos;
    value = tiny ? 0 : std::numeric_limits<double>::infinity();
  } else if (end.ec != std::errc()) {
    return std::nullopt;
  }
  return minus ? -value : value;
}

// Python's repr of a float: the shortest digits, plain from 1e-4 to below 1e16.
std::string PythonRepr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  const double size = std::abs(value);
  char buffer[400];
  const bool plain = size == 0 || (size >= 1e-4 && size < 1e16);
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value,
                                 plain ? std::chars_format::fixed : std::chars_format::scientific);
  std::string text(buffer, end.ptr);
  if (plain && text.find('.') == std::string::npos) text += ".0";
  return text;
}

bool IsPunctuation(char32_t c) {
  return c < 0x80 &&
         std::string_view("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~").find(static_cast<char>(c)) !=
             std::string_view::npos;
}

std::u32string WithoutArticles(std::u32string_view text) {
  std::u32string rest;
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    while (end < text.size() && python::IsWord(text[end])) ++end;
    const std::u32string_view word = text.substr(i, end - i);
    const bool article = word == U"a" || word == U"an" || word == U"the";
    rest += article ? std::u32string_view(U" ") : word;
    if (end == i) rest += text[end++];
    i = end;
  }
  return rest;
}

// One token of a span, or nothing where only punctuation or an article was there.
std::string NormalToken(std::u32string_view token) {
  const std::u32string lower = python::Lower(token);
  // float() takes blanks around a number.
  std::string text = python::ToUtf8(python::Strip(lower));
  std::optional<double> number = PythonFloat(text);
  if (!number) {
    std::u32string bare;
    for (const char32_t c : lower) {
      if (!IsPunctuation(c)) bare += c;
    }
    text = python::ToUtf8(bare);
    number = PythonFloat(python::ToUtf8(python::Strip(bare)));
  }
  if (number) text = PythonRepr(*number);
  std::string normal;
  const std::u32string words = WithoutArticles(python::ToCodePoints(text));
  for (const std::u32string_view word : python::SplitAtBlanks(words)) {
    normal += (normal.empty() ? "" : " ") + python::ToUtf8(word);
  }
  return normal;
}

using Bag = std::set<std::string>;

size_t Shared(const Bag& a, const Bag& b) {
  return static_cast<size_t>(
      std::count_if(a.begin(), a.end(), [&](const std::string& word) { return b.contains(word); }));
}

Bag NumbersOf(const Bag& bag) {
  Bag numbers;
  for (const std::string& word : bag) {
    if (PythonFloat(word)) numbers.insert(word);
  }
  return numbers;
}

double F1(const Bag& answer, const Bag& reference) {
  const Bag wanted = NumbersOf(reference);
  if (!wanted.empty() && Shared(wanted, NumbersOf(answer)) == 0) return 0;
  const auto shared = static_cast<double>(Shared(reference, answer));
  const double precision = answer.empty() ? 1 : shared / static_cast<double>(answer.size());
  const double recall = reference.empty() ? 1 : shared / static_cast<double>(reference.size());
  return precision + recall == 0 ? 0 : 2 * precision * recall / (precision + recall);
}

// The largest sum of one entry a row, each in another column; as many columns as rows or more.
double BestPairing(const std::vector<std::vector<double>>& scores) {
  const size_t rows = scores.size(), columns = scores[0].size();
  std::vector<double> row_price(rows + 1, 0), column_price(columns + 1, 0);
  std::vector<size_t> row_of(columns + 1, 0);
  for (size_t row = 1; row <= rows; ++row) {
    std::vector<double> slack(columns + 1, std::numeric_limits<double>::infinity());
    std::vector<size_t> before(columns + 1, 0);
    std::vector<bool> used(columns + 1, false);
    size_t column = 0;
    row_of[0] = row;
    do {
      used[column] = true;
      const size_t at = row_of[column];
      double least = std::numeric_limits<double>::infinity();
      size_t next = 0;
      for (size_t j = 1; j <= columns; ++j) {
        if (used[j]) continue;
        const double cost = -scores[at - 1][j - 1] - row_price[at] - column_price[j];
        if (cost < slack[j]) {
          slack[j] = cost;
          before[j] = column;
        }
        if (slack[j] < least) {
          least = slack[j];
          next = j;
        }
      }
      for (size_t j = 0; j <= columns; ++j) {
        if (used[j]) {
          row_price[row_of[j]] += least;
          column_price[j] -= least;
        } else {
          slack[j] -= least;
        }
      }
      column = next;
    } while (row_of[column] != 0);
    while (column != 0) {
      row_of[column] = row_of[before[column]];
      column = before[column];
    }
  }
  double sum = 0;
  for (size_t j = 1; j <= columns; ++j) {
    if (row_of[j] != 0) sum += scores[row_of[j] - 1][j - 1];
  }
  return sum;
}

struct Normalised {
  std::vector<std::string> spans;
  std::vector<Bag> bags;
};

Normalised Normalise(const Spans& answer) {
  Normalised normalised;
  for (const std::string& span : answer) {
    normalised.spans.push_back(NormalSpan(span));
    Bag bag;
    for (const std::string_view word : Split(normalised.spans.back(), ' ')) {
      if (!word.empty()) bag.emplace(word);
    }
    normalised.bags.push_back(std::move(bag));
    if (normalised.spans.size() == kMaxSpans) break;
  }
  return normalised;
}

}  // namespace

std::string NormalSpan(std::string_view span) {
  const std::u32string text = python::ToCodePoints(ToValidUtf8(span));
  std::string normal;
  for (size_t i = 0; i <= text.size();) {
    const size_t end = std::min(text.find_first_of(U" -", i), text.size());
    const std::string token = NormalToken(std::u32string_view(text).substr(i, end - i));
    if (!token.empty()) normal += (normal.empty() ? "" : " ") + token;
    i = end + 1;
  }
  return normal;
}

Measures Measure(const Spans& answer, const Spans& reference) {
  const Normalised mine = Normalise(answer), wanted = Normalise(reference);
  Measures measures;
  if (mine.spans.empty() || wanted.spans.empty()) return measures;
  const std::set<std::string> all_mine(mine.spans.begin(), mine.spans.end());
  const std::set<std::string> all_wanted(wanted.spans.begin(), wanted.spans.end());
  measures.exact_match = all_mine == all_wanted && mine.spans.size() == wanted.spans.size() ? 1 : 0;
  // The pairing wants no more rows than columns.
  const bool swapped = wanted.bags.size() > mine.bags.size();
  const std::vector<Bag>& rows = swapped ? mine.bags : wanted.bags;
  const std::vector<Bag>& columns = swapped ? wanted.bags : mine.bags;
  std::vector<std::vector<double>> scores(rows.size(), std::vector<double>(columns.size()));
  for (size_t i = 0; i < rows.size(); ++i) {
    for (size_t j = 0; j < columns.size(); ++j) {
      scores[i][j] = swapped ? F1(rows[i], columns[j]) : F1(columns[j], rows[i]);
    }
  }
  const double mean = BestPairing(scores) / static_cast<double>(columns.size());
  measures.f1 = std::nearbyint(mean * 10'000) / 10'000;
  return measures;
}

Measures BestMeasure(const Spans& answer, const std::vector<Spans>& references) {
  Measures best;
  for (const Spans& reference : references) {
    if (std::all_of(reference.begin(), reference.end(),
                    [](const std::string& span) { return Trim(span).empty(); })) {
      continue;
    }
    const Measures one = Measure(answer, reference);
    best.exact_match = std::max(best.exact_match, one.exact_match);
    best.f1 = std::max(best.f1, one.f1);
  }
  return best;
}

namespace {

std::string DateText(const Json& date) {
  std::string text;
  for (const char* part : {"day", "month", "year"}) {
    const Json* value = date.Find(part);
    text += (text.empty() ? "" : " ") + (value == nullptr ? "" : value->ToText());
  }
  return std::string(Trim(text));
}

}  // namespace

absl::StatusOr<Spans> AnnotationFromJson(const Json& json) {
  if (json.is_string() || json.is_number()) return Spans{json.ToText()};
  Spans spans;
  const Json* list = json.is_array() ? &json : json.Find("spans");
  if (json.is_object()) {
    const Json* number = json.Find("number");
    if (number != nullptr && !number->is_null() && !number->ToText().empty()) {
      return Spans{number->ToText()};
    }
    const Json* date = json.Find("date");
    const bool no_spans = list == nullptr || list->size() == 0;
    if (no_spans && date != nullptr && date->is_object()) return Spans{DateText(*date)};
  }
  if (list == nullptr || !list->is_array() || list->size() == 0) {
    return InvalidArgument(
        "expected a text, a list of texts, or an object with number, spans or date; found %s",
        Shorten(json.Dump(), 80));
  }
  for (const Json& span : list->AsArray()) spans.push_back(span.ToText());
  return spans;
}

}  // namespace assay::spans
