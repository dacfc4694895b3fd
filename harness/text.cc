// Text helpers; the UTF-8 walk is the table of RFC 3629, section 4.
#include "harness/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <limits>

#include "absl/strings/str_format.h"

namespace assay {
namespace {

constexpr std::string_view kBlanks = " \t\n\r\f\v";

// Length of the well-formed sequence at `text`, or 0 with `*bad` = length of the maximal ill-formed
// subpart.
size_t Utf8Length(std::string_view text, size_t* bad) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  *bad = 1;
  if (lead < 0x80) return 1;
  size_t length = 0;
  unsigned char low = 0x80, high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return 0;
  }
  for (size_t i = 1; i < length; ++i) {
    if (i >= text.size() || byte(i) < low || byte(i) > high) {
      *bad = i;
      return 0;
    }
    low = 0x80;
    high = 0xBF;
  }
  return length;
}

}  // namespace

std::string_view TrimLeft(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  return begin == std::string_view::npos ? text.substr(text.size()) : text.substr(begin);
}

std::string_view TrimRight(std::string_view text) {
  const size_t last = text.find_last_not_of(kBlanks);
  return last == std::string_view::npos ? text.substr(0, 0) : text.substr(0, last + 1);
}

std::string_view Trim(std::string_view text) { return TrimLeft(TrimRight(text)); }

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (size_t begin = 0;;) {
    const size_t end = text.find(separator, begin);
    if (end == std::string_view::npos) {
      parts.push_back(text.substr(begin));
      return parts;
    }
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
}

std::vector<std::string_view> SplitLines(std::string_view text) {
  std::vector<std::string_view> lines = Split(text, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  for (std::string_view& line : lines) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  }
  return lines;
}

std::string Join(std::span<const std::string> parts, std::string_view separator) {
  std::string joined;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) joined += separator;
    joined += parts[i];
  }
  return joined;
}

std::string ToLowerAscii(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

bool EqualsIgnoreCaseAscii(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ToLowerAscii(a) == ToLowerAscii(b);
}

std::string ReplaceAll(std::string_view text, std::string_view from, std::string_view to) {
  if (from.empty()) return std::string(text);
  std::string out;
  size_t begin = 0;
  for (size_t hit; (hit = text.find(from, begin)) != std::string_view::npos;
       begin = hit + from.size()) {
    out += text.substr(begin, hit - begin);
    out += to;
  }
  out += text.substr(begin);
  return out;
}

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::optional<int64_t> ParseInt(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::optional<double> ParseDouble(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::optional<size_t> FirstInvalidUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    // Thirty-two ASCII bytes at a time: nearly all that models write.
    std::array<uint64_t, 4> block;
    if (i + sizeof block <= text.size()) {
      std::memcpy(block.data(), text.data() + i, sizeof block);
      if (((block[0] | block[1] | block[2] | block[3]) & 0x8080808080808080) == 0) {
        i += sizeof block;
        continue;
      }
    }
    size_t bad = 0;
    const size_t length = Utf8Length(text.substr(i), &bad);
    if (length == 0) return i;
    i += length;
  }
  return std::nullopt;
}

std::string ToValidUtf8(std::string_view text) {
  const std::optional<size_t> first = FirstInvalidUtf8(text);
  if (!first) return std::string(text);
  std::string out(text.substr(0, *first));
  for (size_t i = *first; i < text.size();) {
    size_t bad = 0;
    const size_t length = Utf8Length(text.substr(i), &bad);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      i += bad;
    } else {
      out += text.substr(i, length);
      i += length;
    }
  }
  return out;
}

void AppendUtf8(char32_t code_point, std::string* out) {
  const auto put = [&](uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  const uint32_t c = code_point;
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6);
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3F));
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

size_t CountCodePoints(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

int EditDistance(std::string_view a, std::string_view b) {
  std::vector<int> before, previous(b.size() + 1), current(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) previous[j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    current[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int change = a[i - 1] == b[j - 1] ? 0 : 1;
      current[j] = std::min({previous[j] + 1, current[j - 1] + 1, previous[j - 1] + change});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) current[j] = std::min(current[j], before[j - 2] + 1);
    }
    before = previous;
    std::swap(previous, current);
  }
  return previous[b.size()];
}

namespace {

// "--temp" of "--temperature", "letr" of "letter": three letters at least, the first ones right.
bool IsAbbreviation(std::string_view name, std::string_view candidate) {
  const size_t dashes = std::min(name.find_first_not_of('-'), name.size());
  if (name.size() < dashes + 3 || candidate.size() <= name.size()) return false;
  if (candidate.starts_with(name)) return true;
  if (name.size() < dashes + 4 || candidate.size() > name.size() + 2 ||
      name.substr(0, dashes + 2) != candidate.substr(0, dashes + 2)) {
    return false;
  }
  size_t matched = 0;
  for (const char c : candidate) matched += matched < name.size() && name[matched] == c ? 1 : 0;
  return matched == name.size();
}

}  // namespace

std::optional<std::string> NearestName(std::string_view name,
                                       std::span<const std::string> candidates) {
  // Two changes make another word of a short one.
  const int limit = name.size() <= 4 ? 1 : std::max<int>(2, static_cast<int>(name.size()) / 3);
  int best = limit + 1;
  std::optional<std::string> nearest;
  for (const std::string& candidate : candidates) {
    const int distance = EditDistance(ToLowerAscii(name), ToLowerAscii(candidate));
    if (distance >= best || distance >= static_cast<int>(candidate.size())) continue;
    best = distance;
    nearest = candidate;
  }
  if (best <= 1) return nearest;
  const std::string* longer = nullptr;  // the shortest that it abbreviates
  for (const std::string& candidate : candidates) {
    if (!IsAbbreviation(ToLowerAscii(name), ToLowerAscii(candidate))) continue;
    if (longer == nullptr || candidate.size() < longer->size()) longer = &candidate;
  }
  return longer != nullptr ? *longer : nearest;
}

std::string DidYouMean(std::string_view name, std::span<const std::string> candidates) {
  const std::optional<std::string> nearest = NearestName(name, candidates);
  return nearest ? absl::StrFormat("; did you mean '%s'?", *nearest) : "";
}

std::string Shorten(std::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes) return std::string(text);
  size_t cut = max_bytes;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) --cut;
  return std::string(text.substr(0, cut)) + "...";
}

std::string Printable(std::string_view text) {
  std::string out;
  const std::string valid = ToValidUtf8(text);
  for (size_t i = 0; i < valid.size();) {
    size_t bad = 0;
    const size_t length = Utf8Length(std::string_view(valid).substr(i), &bad);
    const std::string_view piece = std::string_view(valid).substr(i, length);
    const auto lead = static_cast<unsigned char>(piece[0]);
    // U+0080..9F are controls; U+200E/F, U+202A..E and U+2066..9 turn the direction of what
    // follows.
    const bool high_control = piece >= "\xC2\x80" && piece <= "\xC2\x9F";
    const bool turns = piece == "\xE2\x80\x8E" || piece == "\xE2\x80\x8F" ||
                       (piece >= "\xE2\x80\xAA" && piece <= "\xE2\x80\xAE") ||
                       (piece >= "\xE2\x81\xA6" && piece <= "\xE2\x81\xA9");
    if (lead == '\n') {
      out += "\\n";
    } else if (lead == '\t') {
      out += "\\t";
    } else if (lead < 0x20 || lead == 0x7F) {
      out += absl::StrFormat("\\x%02x", lead);
    } else if (high_control || turns) {
      for (const char c : piece) out += absl::StrFormat("\\x%02x", static_cast<unsigned char>(c));
    } else {
      out += piece;
    }
    i += length;
  }
  return out;
}

std::string WithThousands(int64_t value) {
  std::string digits = std::to_string(value);
  const size_t sign = value < 0 ? 1 : 0;
  for (size_t i = digits.size(); i > sign + 3;) {
    i -= 3;
    digits.insert(i, ",");
  }
  return digits;
}

std::string Counted(int64_t count, std::string_view noun) {
  return WithThousands(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

}  // namespace assay
