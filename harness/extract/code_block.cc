// The extractor `code_block`: the last fenced block in the task's language, else the likeliest
// other one.
//
// Fences as in CommonMark 0.30, section 4.5, with what models do besides: a fence that opens at the
// end of a sentence, one that never closes, one that closes behind code or before words.
#include <algorithm>
#include <array>

#include "harness/extract/common.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay::extract {
namespace {

constexpr size_t kNowhere = std::string_view::npos;

struct Language {
  std::string_view name;
  std::array<std::string_view, 6> aliases;
};
constexpr std::array<Language, 18> kLanguages = {{
    {"python", {"py", "python3", "python2", "py3", "pypy", "pypy3"}},
    {"cpp", {"c++", "cc", "cxx", "c++17", "c++20", "cpp17"}},
    {"c", {"h", "c11", "c99", "c17"}},
    {"java", {"java8", "java17"}},
    {"javascript", {"js", "node", "jsx", "mjs"}},
    {"typescript", {"ts", "tsx"}},
    {"go", {"golang"}},
    {"rust", {"rs"}},
    {"csharp", {"c#", "cs"}},
    {"kotlin", {"kt"}},
    {"ruby", {"rb"}},
    {"php", {}},
    {"swift", {}},
    {"scala", {}},
    {"haskell", {"hs"}},
    {"julia", {"jl"}},
    {"r", {}},
    {"sql", {"mysql", "sqlite", "postgresql"}},
}};
// Shown beside a program, seldom the program.
constexpr std::array<std::string_view, 17> kNotPrograms = {
    "text", "txt",  "plaintext", "plain", "output", "console",  "bash", "sh",   "shell",
    "zsh",  "json", "yaml",      "diff",  "input",  "markdown", "md",   "latex"};

// The language's own name for an alias ("py" is "python"); any other word as it is.
std::string CanonicalLanguage(std::string_view tag) {
  const std::string lower = ToLowerAscii(tag);
  if (lower.empty()) return lower;  // the aliases are padded with empty ones
  for (const Language& language : kLanguages) {
    const bool alias = std::find(language.aliases.begin(), language.aliases.end(), lower) !=
                       language.aliases.end();
    if (lower == language.name || alias) return std::string(language.name);
  }
  return lower;
}

bool IsProgramLanguage(std::string_view canonical) {
  return std::any_of(kLanguages.begin(), kLanguages.end(),
                     [&](const Language& language) { return language.name == canonical; });
}

bool IsMarkdown(std::string_view canonical) { return canonical == "markdown" || canonical == "md"; }

struct Fence {
  char mark = '`';
  size_t length = 0;  // 0: no fence
  size_t begin = 0;   // of the run
  std::string_view info;
};

// The run of three or more marks at the front of a line, list bullet and indent passed.
Fence FenceAtFront(std::string_view text, Span line) {
  Span rest = TrimSpan(text, line);
  for (const std::string_view bullet : {"- ", "* ", "+ "}) {
    if (rest.In(text).starts_with(bullet)) rest = TrimSpan(text, {rest.begin + 2, rest.end});
  }
  const std::string_view view = rest.In(text);
  if (view.empty() || (view[0] != '`' && view[0] != '~')) return {};
  const size_t length = std::min(view.find_first_not_of(view[0]), view.size());
  if (length < 3) return {};
  return {view[0], length, rest.begin, Trim(view.substr(length))};
}

// "Here it is: ```python": the one run in the line, with a language that is known behind it.
Fence FenceAtEnd(std::string_view text, Span line) {
  const std::string_view view = TrimRight(line.In(text));
  const size_t first = view.find("```");
  if (first == kNowhere) return {};
  const size_t after = std::min(view.find_first_not_of('`', first), view.size());
  const std::string_view info = view.substr(after);
  if (!IsProgramLanguage(CanonicalLanguage(info))) return {};
  return {'`', after - first, line.begin + first, info};
}

// "python", "{.python}", "Python title=x", "python:main.py" are all python.
std::string LanguageOf(std::string_view info) {
  while (!info.empty() && (info[0] == '{' || info[0] == '.' || info[0] == '='))
    info.remove_prefix(1);
  return CanonicalLanguage(info.substr(0, info.find_first_of(" \t,:{}=")));
}

struct Block {
  Span body;
  std::string language;
  bool closed = true;
};

// Goes through the blocks of a text in order.
class BlockReader {
 public:
  explicit BlockReader(std::string_view text) : text_(text) {}

  std::optional<Block> Next() {
    while (at_ < text_.size()) {
      const Span line = TakeLine(text_, &at_);
      const Fence fence = Opening(line);
      if (fence.length == 0 || IsMarkdown(LanguageOf(fence.info))) continue;
      std::optional<Block> block = ReadBody(fence);
      if (block) return block;
    }
    return std::nullopt;
  }

 private:
  static constexpr int kMostLinesAhead = 400;

  Fence Opening(Span line) const {
    const Fence fence = FenceAtFront(text_, line);
    const bool inline_code = fence.mark == '`' && fence.info.find('`') != kNowhere;
    if (fence.length > 0) return inline_code ? Fence() : fence;
    return FenceAtEnd(text_, line);
  }

  // A line that ends the block that `open` began: the fence alone, or before words.
  static bool Closes(const Fence& open, const Fence& fence) {
    if (fence.mark != open.mark || fence.length < open.length) return false;
    return fence.info.empty() ||
           (fence.info.find('`') == kNowhere && !IsProgramLanguage(LanguageOf(fence.info)));
  }

  // Another block of a known language begins where this one was not closed.
  static bool Restarts(const Fence& open, const Fence& fence) {
    return fence.mark == open.mark && fence.length >= open.length &&
           IsProgramLanguage(LanguageOf(fence.info));
  }

  std::optional<Block> ReadBody(const Fence& open) {
    Block block{{at_, text_.size()}, LanguageOf(open.info), false};
    bool in_string = false;  // of Python: a fence inside """ is text
    size_t first_close_end = kNowhere, first_close_next = 0;
    int lines_ahead = 0;
    while (at_ < text_.size()) {
      const size_t begin = at_;
      const Span line = TakeLine(text_, &at_);
      const Fence fence = FenceAtFront(text_, line);
      if (fence.length > 0 && Restarts(open, fence)) {
        if (first_close_end != kNowhere) break;
        at_ = begin;
        return Ended(block, begin);
      }
      if (fence.length > 0 && Closes(open, fence)) {
        if (!in_string) return Ended(block, begin);
        if (first_close_end == kNowhere) {
          first_close_end = begin;
          first_close_next = at_;
        }
      }
      if (block.language == "python") in_string ^= TogglesString(line.In(text_));
      if (first_close_end != kNowhere && ++lines_ahead > kMostLinesAhead) break;
    }
    if (first_close_end != kNowhere) {  // the string never ended: the first fence counts after all
      at_ = first_close_next;
      return Ended(block, first_close_end);
    }
    return Unclosed(block);
  }

  static bool TogglesString(std::string_view line) {
    bool toggles = false;
    for (size_t i = 0; (i = line.find_first_of("\"'", i)) != kNowhere;) {
      const std::string_view rest = line.substr(i);
      const bool triple = rest.starts_with("\"\"\"") || rest.starts_with("'''");
      toggles ^= triple;
      i += triple ? 3 : 1;
    }
    return toggles;
  }

  static Block Ended(Block block, size_t end) {
    block.body.end = end;
    block.closed = true;
    return block;
  }

  // The last block of a reply may lack its fence, or have it behind the last line of code.
  std::optional<Block> Unclosed(Block block) const {
    Span body = TrimSpan(text_, block.body);
    if (body.In(text_).ends_with("```")) body = TrimSpan(text_, body, "`");
    block.body.end = std::max(body.end, block.body.begin);
    if (body.begin >= body.end) return std::nullopt;
    return block;
  }

  std::string_view text_;
  size_t at_ = 0;
};

bool IsBlankLine(std::string_view line) { return Trim(line).empty(); }

// The blanks that every line begins with.
std::string_view CommonIndent(std::string_view text) {
  std::optional<std::string_view> common;
  for (size_t at = 0; at < text.size();) {
    const std::string_view line = TakeLine(text, &at).In(text);
    if (IsBlankLine(line)) continue;
    const std::string_view indent = line.substr(0, line.find_first_not_of(" \t"));
    if (!common) common = indent;
    size_t same = 0;
    while (same < common->size() && same < indent.size() && (*common)[same] == indent[same]) ++same;
    common = common->substr(0, same);
  }
  return common.value_or("");
}

// The block's lines without their common indent, carriage returns, and blank lines at both ends.
std::string Dedent(std::string_view text) {
  const size_t indent = CommonIndent(text).size();
  std::string code;
  code.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const std::string_view line = TakeLine(text, &at).In(text);
    const bool leading = code.empty() && IsBlankLine(line);
    if (leading) continue;
    if (!IsBlankLine(line)) code += line.substr(indent);
    code += '\n';
  }
  code.resize(TrimRight(code).size());
  return code;
}

struct Rated {
  int rank = 0;
  std::string_view rule;
};

// The higher the likelier; of equals the later.
Rated Rate(const Block& block, std::string_view wanted, bool empty) {
  const bool not_program =
      std::find(kNotPrograms.begin(), kNotPrograms.end(), block.language) != kNotPrograms.end();
  Rated rated;
  if (!wanted.empty() && block.language == wanted) {
    rated = {8, "block_in_language"};
  } else if (wanted.empty() && !block.language.empty() && !not_program) {
    rated = {8, "block_with_language"};
  } else if (block.language.empty()) {
    rated = {6, "block_without_language"};
  } else if (!not_program) {
    rated = {4, "block_in_other_language"};
  } else {
    rated = {2, "block_of_other_text"};
  }
  if (empty) --rated.rank;
  return rated;
}

struct Best {
  std::optional<Block> block;
  Rated rated;
};

void Consider(std::string_view text, const Block& block, std::string_view wanted, Best* best) {
  const Rated rated = Rate(block, wanted, Trim(block.body.In(text)).empty());
  if (best->block && rated.rank < best->rated.rank) return;
  *best = {block, rated};
}

std::optional<Found> ToFound(std::string_view text, const Best& best) {
  if (!best.block) return std::nullopt;
  const Span body = best.block->body;
  std::string rule(best.rated.rule);
  if (!best.block->closed) rule += "_unclosed";
  return Found{Dedent(body.In(text)), std::move(rule), body.begin, body.end};
}

Extraction ExtractCode(std::string_view text, std::string_view wanted, Mode mode) {
  Best strict, lenient;
  BlockReader reader(text);
  while (const std::optional<Block> block = reader.Next()) {
    Consider(text, *block, wanted, &lenient);
    const bool as_asked =
        block->closed && !block->language.empty() && (wanted.empty() || block->language == wanted);
    if (as_asked) Consider(text, *block, wanted, &strict);
  }
  return ToExtraction(ToFound(text, strict), ToFound(text, lenient), mode);
}

}  // namespace

Extractor CodeBlockExtractor() {
  Extractor extractor;
  extractor.name = "code_block";
  extractor.about = "the last fenced code block in the option 'language'";
  extractor.options = {"mode", "language"};
  extractor.bind = [known = extractor.options](const Json& json) -> absl::StatusOr<BoundExtractor> {
    const Options options("code_block", json);
    RETURN_IF_ERROR(options.CheckNames(known));
    ASSIGN_OR_RETURN(const Mode mode, options.ReadMode());
    ASSIGN_OR_RETURN(const std::optional<std::string> language, options.ReadString("language"));
    const std::string wanted = CanonicalLanguage(language.value_or(""));
    return BoundExtractor([mode, wanted](std::string_view text, const Problem&) {
      return ExtractCode(text, wanted, mode);
    });
  };
  return extractor;
}

}  // namespace assay::extract
