// The extractor `regex`: what a task's own pattern matches, by RE2, which never backtracks.
#include <re2/re2.h>

#include <memory>

#include "harness/extract/common.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay::extract {
namespace {

struct Pattern {
  RE2 regex;
  int group = 0;
  bool first = false;
};

// The group asked for, of the match that begins at or after `begin`; moves `*begin` past the match.
bool NextMatch(const Pattern& pattern, std::string_view text, size_t* begin,
               std::optional<Found>* found) {
  std::vector<re2::StringPiece> groups(static_cast<size_t>(pattern.group) + 1);
  const bool matched =
      *begin <= text.size() && pattern.regex.Match(text, *begin, text.size(), RE2::UNANCHORED,
                                                   groups.data(), static_cast<int>(groups.size()));
  if (!matched) return false;
  const size_t match_end = static_cast<size_t>(groups[0].data() - text.data()) + groups[0].size();
  *begin = groups[0].empty() ? match_end + 1 : match_end;
  const re2::StringPiece& group = groups.back();
  if (group.data() == nullptr) return true;  // that group took no part
  const size_t at = static_cast<size_t>(group.data() - text.data());
  *found = Found{std::string(group.data(), group.size()), "regex", at, at + group.size()};
  return true;
}

std::optional<Found> Search(const Pattern& pattern, std::string_view text) {
  if (text.data() == nullptr) text = "";
  std::optional<Found> found;
  for (size_t begin = 0; NextMatch(pattern, text, &begin, &found);) {
    if (pattern.first && found) break;
  }
  return found;
}

absl::StatusOr<int> ReadGroup(const Options& options, const RE2& regex) {
  const int groups = regex.NumberOfCapturingGroups();
  ASSIGN_OR_RETURN(const std::optional<int64_t> group, options.ReadInteger("group"));
  if (!group) return groups > 0 ? 1 : 0;
  if (*group >= 0 && *group <= groups) return static_cast<int>(*group);
  return InvalidArgument(
      "extractor 'regex': option 'group': expected 0 to %d (groups of the pattern), found %d",
      groups, *group);
}

absl::StatusOr<std::shared_ptr<const Pattern>> ReadPattern(const Options& options) {
  ASSIGN_OR_RETURN(const std::optional<std::string> text, options.ReadString("pattern"));
  if (!text)
    return InvalidArgument(
        "extractor 'regex': option 'pattern': missing: the pattern to search for");
  RE2::Options how;
  how.set_log_errors(false);
  how.set_max_mem(64 << 20);
  // Shared: the bound extractor is copied by value, and a compiled pattern cannot be.
  auto pattern = std::shared_ptr<Pattern>(new Pattern{RE2(*text, how)});
  if (!pattern->regex.ok()) {
    return InvalidArgument("extractor 'regex': option 'pattern': '%s': %s", *text,
                           pattern->regex.error());
  }
  ASSIGN_OR_RETURN(pattern->group, ReadGroup(options, pattern->regex));
  ASSIGN_OR_RETURN(const std::string which, options.ReadWord("which", {"last", "first"}));
  pattern->first = which == "first";
  return std::shared_ptr<const Pattern>(pattern);
}

}  // namespace

Extractor RegexExtractor() {
  Extractor extractor;
  extractor.name = "regex";
  extractor.about = "what the option 'pattern' (RE2) matches: its first group, of the last match";
  extractor.options = {"mode", "pattern", "group", "which"};
  extractor.bind = [known = extractor.options](const Json& json) -> absl::StatusOr<BoundExtractor> {
    const Options options("regex", json);
    RETURN_IF_ERROR(options.CheckNames(known));
    ASSIGN_OR_RETURN(const Mode mode, options.ReadMode());
    ASSIGN_OR_RETURN(const std::shared_ptr<const Pattern> pattern, ReadPattern(options));
    return BoundExtractor([mode, pattern](std::string_view text, const Problem&) {
      const std::optional<Found> found = Search(*pattern, text);
      return ToExtraction(found, found, mode);
    });
  };
  return extractor;
}

}  // namespace assay::extract
