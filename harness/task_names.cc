// Tokens of the {{ }} and {% %} regions, one pass; what stands around a name says whether it is
// read.
#include "harness/task_names.h"

#include <algorithm>
#include <set>

namespace assay {
namespace {

bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsNamePart(char c) { return IsNameStart(c) || (c >= '0' && c <= '9'); }

// Names, strings (as "'"), numbers (as "0"), "==" and single characters, of one region.
std::vector<std::string> Tokens(std::string_view text) {
  std::vector<std::string> tokens;
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    size_t end = i + 1;
    if (IsNameStart(c)) {
      while (end < text.size() && IsNamePart(text[end])) ++end;
      tokens.emplace_back(text.substr(i, end - i));
    } else if (c == '\'' || c == '"') {
      while (end < text.size() && text[end] != c) end += text[end] == '\\' ? 2 : 1;
      ++end;
      tokens.emplace_back("'");
    } else if (c >= '0' && c <= '9') {
      while (end < text.size() && (IsNamePart(text[end]) || text[end] == '.')) ++end;
      tokens.emplace_back("0");
    } else if (end < text.size() && text[end] == '=' &&
               std::string_view("=!<>").find(c) != std::string_view::npos) {
      tokens.emplace_back("==");
      ++end;
    } else if (c != ' ' && c != '\n' && c != '\t' && c != '\r') {
      tokens.emplace_back(1, c);
    }
    i = std::min(end, text.size());
  }
  return tokens;
}

const std::set<std::string, std::less<>>& OwnNames() {
  static const auto* names =
      new std::set<std::string, std::less<>>{"and",          "or",
                                             "not",          "in",
                                             "is",           "if",
                                             "else",         "elif",
                                             "endif",        "for",
                                             "endfor",       "set",
                                             "endset",       "macro",
                                             "endmacro",     "true",
                                             "false",        "none",
                                             "True",         "False",
                                             "None",         "loop",
                                             "range",        "namespace",
                                             "dict",         "joiner",
                                             "cycler",       "break",
                                             "continue",     "recursive",
                                             "filter",       "endfilter",
                                             "generation",   "endgeneration",
                                             "call",         "endcall",
                                             "caller",       "with",
                                             "endwith",      "raise_exception",
                                             "strftime_now", "raw",
                                             "endraw"};
  return *names;
}

struct Reading {
  std::set<std::string> read;
  std::set<std::string> bound;
};

void BindUntil(const std::vector<std::string>& tokens, size_t from, std::string_view stop,
               Reading* reading) {
  for (size_t i = from; i < tokens.size() && tokens[i] != stop; ++i) {
    if (IsNameStart(tokens[i][0])) reading->bound.insert(tokens[i]);
  }
}

void ReadRegion(const std::vector<std::string>& tokens, bool is_statement, Reading* reading) {
  if (is_statement && !tokens.empty()) {
    if (tokens[0] == "for") BindUntil(tokens, 1, "in", reading);
    if (tokens[0] == "set" || tokens[0] == "with") BindUntil(tokens, 1, "=", reading);
    if (tokens[0] == "macro" || tokens[0] == "call") BindUntil(tokens, 1, ")", reading);
  }
  const auto at = [&](size_t i) { return i < tokens.size() ? tokens[i] : std::string(); };
  for (size_t i = 0; i < tokens.size(); ++i) {
    const std::string& name = tokens[i];
    if (!IsNameStart(name[0]) || OwnNames().contains(name)) continue;
    const std::string before = i > 0 ? tokens[i - 1] : "";
    if (before == "." || before == "|" || before == "is") continue;
    if (before == "not" && i > 1 && tokens[i - 2] == "is") continue;
    if (at(i + 1) == "=") continue;  // the name of an argument, or set
    if (at(i + 1) == "is" || (at(i + 1) == "|" && (at(i + 2) == "default" || at(i + 2) == "d"))) {
      reading->bound.insert(name);  // the template knows that it may be absent
    }
    reading->read.insert(name);
  }
}

}  // namespace

std::vector<std::string> NamesReadBy(std::string_view source) {
  Reading reading;
  for (size_t i = 0; i + 1 < source.size();) {
    if (source[i] != '{' || std::string_view("{%#").find(source[i + 1]) == std::string_view::npos) {
      ++i;
      continue;
    }
    const char kind = source[i + 1];
    const std::string_view close = kind == '{' ? "}}" : kind == '%' ? "%}" : "#}";
    size_t end = source.find(close, i + 2);
    if (end == std::string_view::npos) break;
    if (kind != '#') {
      std::string_view region = source.substr(i + 2, end - i - 2);
      if (region.starts_with('-') || region.starts_with('+')) region.remove_prefix(1);
      ReadRegion(Tokens(region), kind == '%', &reading);
    }
    i = end + 2;
  }
  std::vector<std::string> names;
  std::set_difference(reading.read.begin(), reading.read.end(), reading.bound.begin(),
                      reading.bound.end(), std::back_inserter(names));
  return names;
}

}  // namespace assay
