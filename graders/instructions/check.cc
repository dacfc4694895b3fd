// One function for each type of instruction; a table binds names to them.
#include "graders/instructions/check.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "graders/instructions/language.h"
#include "graders/instructions/python_json.h"
#include "graders/instructions/sentences.h"
#include "graders/instructions/unicode.h"
#include "harness/status.h"
#include "harness/text.h"
#include "re2/re2.h"

namespace assay::instructions {
namespace {

using Text = std::u32string_view;

// --- arguments ---

class Arguments {
 public:
  Arguments(std::string name, const Json& json) : name_(std::move(name)), json_(json) {}

  absl::StatusOr<int64_t> Whole(std::string_view key) const {
    const Json* value = json_.Find(key);
    // Tables that went through Arrow hold 3.0 for 3.
    if (value != nullptr && value->is_number()) {
      const double number = value->AsNumber();
      if (number >= 0 && number <= 1e9 &&
          number == static_cast<double>(static_cast<int64_t>(number))) {
        return static_cast<int64_t>(number);
      }
    }
    return Wrong(key, "a whole number from 0 on", value);
  }
  absl::StatusOr<std::u32string> Words(std::string_view key) const {
    const Json* value = json_.Find(key);
    if (value != nullptr && value->is_string()) {
      const std::u32string text = ToCodePoints(ToValidUtf8(value->AsString()));
      if (!IsBlank(text)) return std::u32string(Strip(text));
    }
    return Wrong(key, "text", value);
  }
  absl::StatusOr<std::vector<std::string>> List(std::string_view key) const {
    const Json* value = json_.Find(key);
    if (value == nullptr || !value->is_array() || value->size() == 0) {
      return Wrong(key, "a list of words", value);
    }
    std::vector<std::string> words;
    for (const Json& word : value->AsArray()) {
      if (!word.is_string() || word.AsString().empty()) return Wrong(key, "a list of words", value);
      words.push_back(word.AsString());
    }
    return words;
  }
  // "less than" or "at least".
  absl::StatusOr<std::function<bool(size_t)>> Bound(std::string_view relation_key,
                                                    std::string_view number_key) const {
    ASSIGN_OR_RETURN(const int64_t wanted, Whole(number_key));
    const Json* value = json_.Find(relation_key);
    const std::string relation = value != nullptr && value->is_string() ? value->AsString() : "";
    const auto limit = static_cast<size_t>(wanted);
    if (relation == "less than") return [limit](size_t found) { return found < limit; };
    if (relation == "at least") return [limit](size_t found) { return found >= limit; };
    return Wrong(relation_key, "'less than' or 'at least'", value);
  }
  absl::Status Wrong(std::string_view key, std::string_view wanted, const Json* found) const {
    return InvalidArgument("instruction '%s': argument '%s': expected %s, found %s", name_,
                           std::string(key), std::string(wanted),
                           found == nullptr ? "none" : Shorten(found->Dump(), 60));
  }

 private:
  std::string name_;
  const Json& json_;
};

using Bound = absl::StatusOr<Check>;

// --- keywords ---

// Keywords are patterns, as in the original; case does not count.
absl::StatusOr<std::shared_ptr<const RE2>> KeywordPattern(const Arguments& arguments,
                                                          std::string_view key,
                                                          const std::string& word) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(1 << 22);
  auto pattern = std::make_shared<const RE2>("(?i)" + word, options);
  const Json json(word);
  if (!pattern->ok()) return arguments.Wrong(key, "a word or an RE2 pattern", &json);
  return pattern;
}

absl::StatusOr<std::vector<std::shared_ptr<const RE2>>> Patterns(const Arguments& arguments,
                                                                 std::string_view key) {
  ASSIGN_OR_RETURN(const std::vector<std::string> words, arguments.List(key));
  std::vector<std::shared_ptr<const RE2>> patterns;
  for (const std::string& word : words) {
    ASSIGN_OR_RETURN(auto pattern, KeywordPattern(arguments, key, word));
    patterns.push_back(std::move(pattern));
  }
  return patterns;
}

Bound KeywordExistence(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto patterns, Patterns(arguments, "keywords"));
  return Check([patterns](Text text) {
    const std::string bytes = ToUtf8(text);
    return std::all_of(patterns.begin(), patterns.end(),
                       [&](const auto& pattern) { return RE2::PartialMatch(bytes, *pattern); });
  });
}

size_t CountMatches(const RE2& pattern, const std::string& text) {
  size_t count = 0, from = 0;
  re2::StringPiece match;
  while (from <= text.size() &&
         pattern.Match(text, from, text.size(), RE2::UNANCHORED, &match, 1)) {
    ++count;
    const size_t end = static_cast<size_t>(match.data() - text.data()) + match.size();
    from = match.empty() ? end + 1 : end;
  }
  return count;
}

Bound KeywordFrequency(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const std::u32string word, arguments.Words("keyword"));
  ASSIGN_OR_RETURN(const auto pattern, KeywordPattern(arguments, "keyword", ToUtf8(word)));
  ASSIGN_OR_RETURN(const auto enough, arguments.Bound("relation", "frequency"));
  return Check(
      [pattern, enough](Text text) { return enough(CountMatches(*pattern, ToUtf8(text))); });
}

// The code point that ends before, or begins at, a byte of valid UTF-8.
char32_t PointBefore(std::string_view text, size_t at) {
  size_t begin = at - 1;
  while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
  return ToCodePoints(text.substr(begin, at - begin))[0];
}
size_t PointLength(std::string_view text, size_t at) {
  size_t end = at + 1;
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
  return end - at;
}
// Python's \b: RE2's knows only ASCII.
bool IsWordBorder(std::string_view text, size_t at) {
  const bool before = at > 0 && IsWord(PointBefore(text, at));
  const bool after =
      at < text.size() && IsWord(ToCodePoints(text.substr(at, PointLength(text, at)))[0]);
  return before != after;
}

bool HoldsAsWord(const RE2& pattern, const std::string& text) {
  re2::StringPiece match;
  size_t from = 0;
  while (from <= text.size() &&
         pattern.Match(text, from, text.size(), RE2::UNANCHORED, &match, 1)) {
    const auto begin = static_cast<size_t>(match.data() - text.data());
    if (IsWordBorder(text, begin) && IsWordBorder(text, begin + match.size())) return true;
    if (begin == text.size()) return false;
    from = begin + PointLength(text, begin);
  }
  return false;
}

Bound ForbiddenWords(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto patterns, Patterns(arguments, "forbidden_words"));
  return Check([patterns](Text text) {
    const std::string bytes = ToUtf8(text);
    return std::none_of(patterns.begin(), patterns.end(),
                        [&](const auto& pattern) { return HoldsAsWord(*pattern, bytes); });
  });
}

Bound LetterFrequency(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const std::u32string letter, arguments.Words("letter"));
  ASSIGN_OR_RETURN(const auto enough, arguments.Bound("let_relation", "let_frequency"));
  const std::u32string lower = Lower(letter);
  // The original replaces whatever is not a to z by a letter drawn at random; we count what the
  // prompt asks for.
  if (lower.size() != 1) {
    const Json json(ToUtf8(letter));
    return arguments.Wrong("letter", "one letter", &json);
  }
  return Check([letter = lower[0], enough](Text text) {
    const std::u32string lowered = Lower(text);
    return enough(static_cast<size_t>(std::count(lowered.begin(), lowered.end(), letter)));
  });
}

// --- language and case ---

// What cannot be told counts as followed, as in the original.
bool IsInLanguage(Text text, const std::string& language) {
  const std::optional<std::string> detected = DetectLanguage(text);
  return !detected || *detected == language;
}

Bound ResponseLanguage(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const std::u32string language, arguments.Words("language"));
  return Check([language = ToUtf8(language)](Text text) { return IsInLanguage(text, language); });
}
Bound EnglishCapital(const Arguments&) {
  return Check([](Text text) { return AllUpper(text) && IsInLanguage(text, "en"); });
}
Bound EnglishLowercase(const Arguments&) {
  return Check([](Text text) { return AllLower(text) && IsInLanguage(text, "en"); });
}
Bound CapitalWordFrequency(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto enough, arguments.Bound("capital_relation", "capital_frequency"));
  return Check([enough](Text text) {
    const std::vector<std::u32string> tokens = Tokens(text);
    return enough(static_cast<size_t>(std::count_if(
        tokens.begin(), tokens.end(), [](const auto& token) { return AllUpper(token); })));
  });
}

// --- lengths ---

Bound NumberOfSentences(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto enough, arguments.Bound("relation", "num_sentences"));
  return Check([enough](Text text) { return enough(Sentences(text).size()); });
}
Bound NumberOfWords(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto enough, arguments.Bound("relation", "num_words"));
  return Check([enough](Text text) { return enough(CountWords(text)); });
}

// Pieces between "***", each with a blank before and behind it taken along.
std::vector<std::u32string> SplitAtDividers(Text text) {
  std::vector<std::u32string> pieces;
  size_t begin = 0;
  for (size_t i = 0; i < text.size();) {
    const size_t mark = IsSpace(text[i]) ? i + 1 : i;
    if (!text.substr(mark).starts_with(U"***")) {
      ++i;
      continue;
    }
    pieces.emplace_back(text.substr(begin, i - begin));
    i = mark + 3;
    if (i < text.size() && IsSpace(text[i])) ++i;
    begin = i;
  }
  pieces.emplace_back(text.substr(begin));
  return pieces;
}

Bound NumberOfParagraphs(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const int64_t wanted, arguments.Whole("num_paragraphs"));
  return Check([wanted](Text text) {
    const std::vector<std::u32string> pieces = SplitAtDividers(text);
    int64_t paragraphs = 0;
    for (size_t i = 0; i < pieces.size(); ++i) {
      if (!IsBlank(pieces[i])) {
        ++paragraphs;
      } else if (i != 0 && i + 1 != pieces.size()) {
        return false;
      }
    }
    return paragraphs == wanted;
  });
}

// A paragraph's first word as the original reads it.
std::u32string FirstWord(Text paragraph) {
  Text word = SplitAtBlanks(paragraph)[0];
  word = StripSetLeft(StripSetLeft(word, U"'"), U"\"");
  return Lower(word.substr(0, word.find_first_of(U".,?!'\"")));
}

Bound ParagraphFirstWord(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const int64_t wanted, arguments.Whole("num_paragraphs"));
  ASSIGN_OR_RETURN(const int64_t nth, arguments.Whole("nth_paragraph"));
  ASSIGN_OR_RETURN(const std::u32string word, arguments.Words("first_word"));
  if (nth < 1 || nth > wanted) {
    const Json found(nth);
    return arguments.Wrong("nth_paragraph", "the number of a paragraph", &found);
  }
  return Check([wanted, nth, word = Lower(word)](Text text) {
    const std::vector<Text> paragraphs = SplitAt(text, U"\n\n");
    const auto full = std::count_if(paragraphs.begin(), paragraphs.end(),
                                    [](Text paragraph) { return !IsBlank(paragraph); });
    // Blank paragraphs are not counted, but they are numbered.
    if (full != wanted || nth > full) return false;
    const Text paragraph = paragraphs[static_cast<size_t>(nth - 1)];
    return !IsBlank(paragraph) && FirstWord(paragraph) == word;
  });
}

// --- content and format ---

Bound NumberOfPlaceholders(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const int64_t least, arguments.Whole("num_placeholders"));
  return Check([least](Text text) {
    int64_t found = 0;
    for (const Text line : SplitAt(text, U"\n")) {
      for (size_t open = line.find(U'['); open != line.npos;) {
        const size_t close = line.find(U']', open);
        if (close == line.npos) break;
        ++found;
        open = line.find(U'[', close);
      }
    }
    return found >= least;
  });
}

Bound Postscript(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const std::u32string marker, arguments.Words("postscript_marker"));
  // \s is RE2's and knows ASCII blanks only; Python's others are written out.
  static constexpr const char* kBlank = R"([\s\x{1c}-\x{1f}\x{85}\p{Z}]?)";
  std::string pattern = ToUtf8(Lower(marker));
  if (marker == U"P.P.S") pattern = absl::StrFormat(R"(p\.%sp\.%ss)", kBlank, kBlank);
  if (marker == U"P.S.") pattern = absl::StrFormat(R"(p\.%ss\.)", kBlank);
  RE2::Options options;
  options.set_log_errors(false);
  const auto compiled = std::make_shared<const RE2>(pattern, options);
  if (!compiled->ok()) {
    const Json found(pattern);
    return arguments.Wrong("postscript_marker", "text or an RE2 pattern", &found);
  }
  return Check([compiled](Text text) { return RE2::PartialMatch(ToUtf8(Lower(text)), *compiled); });
}

// Lines that begin, after blanks (and blank lines), with `mark`; where `single`, something else
// than the mark must follow it, be it the end of the line.
int64_t CountBullets(Text text, char32_t mark, bool single) {
  int64_t bullets = 0;
  for (size_t line = 0; line < text.size();) {
    size_t i = line;
    while (i < text.size() && IsSpace(text[i])) ++i;
    const bool bullet = i < text.size() && text[i] == mark &&
                        (!single || (i + 1 < text.size() && text[i + 1] != mark));
    bullets += bullet ? 1 : 0;
    // What was read is not read again, a newline after the mark included.
    const size_t end = text.find(U'\n', bullet ? i + (single ? 2 : 1) : line);
    if (end == text.npos) break;
    line = end + 1;
    // Blank lines before what is no bullet would each be read to its end again.
    if (!bullet && line < i) {
      const size_t last = text.substr(0, i).rfind(U'\n');
      line = last + 1;
    }
  }
  return bullets;
}

Bound NumberOfBullets(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const int64_t wanted, arguments.Whole("num_bullets"));
  return Check([wanted](Text text) {
    return CountBullets(text, U'*', true) + CountBullets(text, U'-', false) == wanted;
  });
}

Bound ConstrainedResponse(const Arguments&) {
  return Check([](Text text) {
    for (const Text option : {U"My answer is yes.", U"My answer is no.", U"My answer is maybe."}) {
      if (text.find(option) != text.npos) return true;
    }
    return false;
  });
}

// Spans on one line between two marks of `stars` asterisks, with something in them.
int64_t CountHighlights(Text text, size_t stars) {
  const std::u32string mark(stars, U'*');
  int64_t found = 0;
  for (size_t i = text.find(mark); i != text.npos;) {
    const size_t end = text.find_first_of(U"*\n", i + stars);
    if (end == text.npos) break;
    if (!text.substr(end).starts_with(mark)) {
      i = text.find(mark, i + 1);
      continue;
    }
    found += IsBlank(text.substr(i + stars, end - i - stars)) ? 0 : 1;
    i = text.find(mark, end + stars);
  }
  return found;
}

Bound NumberOfHighlights(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const int64_t least, arguments.Whole("num_highlights"));
  return Check(
      [least](Text text) { return CountHighlights(text, 1) + CountHighlights(text, 2) >= least; });
}

Bound MultipleSections(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const std::u32string name, arguments.Words("section_spliter"));
  ASSIGN_OR_RETURN(const int64_t least, arguments.Whole("num_sections"));
  return Check([name, least](Text text) {
    int64_t sections = 0;
    for (size_t i = text.find(name); i != text.npos;) {
      size_t digits = i + name.size();
      if (digits < text.size() && IsSpace(text[digits])) ++digits;
      size_t end = digits;
      while (end < text.size() && IsDecimal(text[end])) ++end;
      sections += end > digits ? 1 : 0;
      i = text.find(name, end > digits ? end : i + 1);
    }
    return sections >= least;
  });
}

Bound JsonFormat(const Arguments&) {
  return Check([](Text text) {
    text = Strip(text);
    for (const Text fence : {U"```json", U"```Json", U"```JSON", U"```"}) {
      if (text.starts_with(fence)) text.remove_prefix(fence.size());
    }
    if (text.ends_with(U"```")) text.remove_suffix(3);
    return PythonReadsAsJson(ToUtf8(Strip(text)));
  });
}

Bound Title(const Arguments&) {
  return Check([](Text text) {
    for (const Text line : SplitAt(text, U"\n")) {
      const size_t begin = line.find(U"<<"), end = line.rfind(U">>");
      if (begin == line.npos || end == line.npos || end < begin + 3) continue;
      const Text title = line.substr(begin, end + 2 - begin);
      if (!IsBlank(StripSetRight(StripSetLeft(title, U"<"), U">"))) return true;
    }
    return false;
  });
}

// --- combinations, beginnings and ends ---

Bound TwoResponses(const Arguments&) {
  return Check([](Text text) {
    const std::vector<Text> pieces = SplitAt(text, U"******");
    std::vector<Text> responses;
    for (size_t i = 0; i < pieces.size(); ++i) {
      if (!IsBlank(pieces[i])) {
        responses.push_back(Strip(pieces[i]));
      } else if (i != 0 && i + 1 != pieces.size()) {
        return false;
      }
    }
    return responses.size() == 2 && responses[0] != responses[1];
  });
}

Bound RepeatPrompt(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const std::u32string prompt, arguments.Words("prompt_to_repeat"));
  return Check(
      [prompt = Lower(prompt)](Text text) { return Lower(Strip(text)).starts_with(prompt); });
}

Bound EndPhrase(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const std::u32string phrase, arguments.Words("end_phrase"));
  return Check([phrase = Lower(phrase)](Text text) {
    return Lower(StripSet(Strip(text), U"\"")).ends_with(phrase);
  });
}

Bound Quotation(const Arguments&) {
  return Check([](Text text) {
    text = Strip(text);
    return text.size() > 1 && text.front() == U'"' && text.back() == U'"';
  });
}

Bound NoComma(const Arguments&) {
  return Check([](Text text) { return text.find(U',') == text.npos; });
}

using Binder = Bound (*)(const Arguments&);
const std::map<std::string, Binder>& Binders() {
  static const auto* binders = new std::map<std::string, Binder>{
      {"keywords:existence", KeywordExistence},
      {"keywords:frequency", KeywordFrequency},
      {"keywords:forbidden_words", ForbiddenWords},
      {"keywords:letter_frequency", LetterFrequency},
      {"language:response_language", ResponseLanguage},
      {"length_constraints:number_sentences", NumberOfSentences},
      {"length_constraints:number_paragraphs", NumberOfParagraphs},
      {"length_constraints:number_words", NumberOfWords},
      {"length_constraints:nth_paragraph_first_word", ParagraphFirstWord},
      {"detectable_content:number_placeholders", NumberOfPlaceholders},
      {"detectable_content:postscript", Postscript},
      {"detectable_format:number_bullet_lists", NumberOfBullets},
      {"detectable_format:constrained_response", ConstrainedResponse},
      {"detectable_format:number_highlighted_sections", NumberOfHighlights},
      {"detectable_format:multiple_sections", MultipleSections},
      {"detectable_format:json_format", JsonFormat},
      {"detectable_format:title", Title},
      {"combination:two_responses", TwoResponses},
      {"combination:repeat_prompt", RepeatPrompt},
      {"startend:end_checker", EndPhrase},
      {"startend:quotation", Quotation},
      {"change_case:capital_word_frequency", CapitalWordFrequency},
      {"change_case:english_capital", EnglishCapital},
      {"change_case:english_lowercase", EnglishLowercase},
      {"punctuation:no_comma", NoComma},
  };
  return *binders;
}

}  // namespace

const std::vector<std::string>& InstructionNames() {
  static const auto* names = [] {
    auto* all = new std::vector<std::string>;
    for (const auto& [name, binder] : Binders()) all->push_back(name);
    return all;
  }();
  return *names;
}

absl::StatusOr<Check> BindCheck(const std::string& name, const Json& arguments) {
  const auto found = Binders().find(name);
  if (found == Binders().end()) {
    return InvalidArgument("unknown instruction '%s'%s", name,
                           DidYouMean(name, InstructionNames()));
  }
  if (!arguments.is_object() && !arguments.is_null()) {
    return InvalidArgument("instruction '%s': arguments: expected an object, found %s", name,
                           std::string(KindName(arguments)));
  }
  return found->second(Arguments(name, arguments));
}

std::vector<std::u32string> LooseVariants(std::u32string_view text) {
  const size_t first = text.find(U'\n'), last = text.rfind(U'\n');
  const bool one_line = first == text.npos;
  const Text without_first = one_line ? Text() : Strip(text.substr(first + 1));
  const Text without_last = one_line ? Text() : Strip(text.substr(0, last));
  const Text inner =
      one_line || first == last ? Text() : Strip(text.substr(first + 1, last - first - 1));
  std::vector<std::u32string> variants;
  for (const Text variant : {Text(text), without_first, without_last, inner}) {
    variants.emplace_back(variant);
    variants.push_back(Without(variant, U'*'));
  }
  return variants;
}

bool FollowsStrict(const Check& check, std::u32string_view text) {
  return !IsBlank(text) && check(text);
}

bool FollowsLoose(const Check& check, std::u32string_view text) {
  for (const std::u32string& variant : LooseVariants(text)) {
    if (FollowsStrict(check, variant)) return true;
  }
  return false;
}

}  // namespace assay::instructions
