// Widths come from the Unicode blocks that East Asian text and emoji use (Unicode 15, EAW W and F).
#include "reports/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "harness/text.h"

namespace assay {
namespace {

struct Range {
  char32_t first, last;
};

constexpr std::array<Range, 17> kWide = {{{0x1100, 0x115F},
                                          {0x2E80, 0x303E},
                                          {0x3041, 0x33FF},
                                          {0x3400, 0x4DBF},
                                          {0x4E00, 0x9FFF},
                                          {0xA000, 0xA4CF},
                                          {0xA960, 0xA97C},
                                          {0xAC00, 0xD7A3},
                                          {0xF900, 0xFAFF},
                                          {0xFE30, 0xFE6F},
                                          {0xFF01, 0xFF60},
                                          {0xFFE0, 0xFFE6},
                                          {0x1F300, 0x1F64F},
                                          {0x1F680, 0x1F6FF},
                                          {0x1F900, 0x1F9FF},
                                          {0x20000, 0x2FFFD},
                                          {0x30000, 0x3FFFD}}};
constexpr std::array<Range, 7> kNoWidth = {{{0x0300, 0x036F},
                                            {0x1AB0, 0x1AFF},
                                            {0x1DC0, 0x1DFF},
                                            {0x200B, 0x200F},
                                            {0x20D0, 0x20FF},
                                            {0xFE00, 0xFE0F},
                                            {0xFE20, 0xFE2F}}};

template <size_t n>
bool IsIn(const std::array<Range, n>& ranges, char32_t point) {
  return std::any_of(ranges.begin(), ranges.end(), [point](const Range& range) {
    return range.first <= point && point <= range.last;
  });
}

int WidthOf(char32_t point) {
  if (IsIn(kNoWidth, point)) return 0;
  return IsIn(kWide, point) ? 2 : 1;
}

// The code point at `at`, which moves behind it. `text` must be valid UTF-8.
char32_t NextPoint(std::string_view text, size_t* at) {
  const auto lead = static_cast<unsigned char>(text[(*at)++]);
  if (lead < 0x80) return lead;
  const int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
  char32_t point = lead & (0x3F >> more);
  for (int i = 0; i < more; ++i) {
    point = point << 6 | (static_cast<unsigned char>(text[(*at)++]) & 0x3F);
  }
  return point;
}

}  // namespace

Terminal TerminalOf(std::FILE* stream) {
  Terminal terminal;
  const int descriptor = fileno(stream);
  if (isatty(descriptor) != 1) return terminal;
  const char* kind = std::getenv("TERM");
  const bool dumb = kind == nullptr || std::string_view(kind) == "dumb";
  terminal.color = !dumb && std::getenv("NO_COLOR") == nullptr;
  winsize size = {};
  if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20) {
    terminal.columns = size.ws_col;
  }
  return terminal;
}

std::string Paint(const Terminal& terminal, Ink ink, std::string_view text) {
  static constexpr std::array<const char*, 5> kCodes = {"1", "2", "31", "32", "33"};
  if (!terminal.color || text.empty()) return std::string(text);
  return "\033[" + std::string(kCodes[static_cast<size_t>(ink)]) + "m" + std::string(text) +
         "\033[0m";
}

int DisplayWidth(std::string_view text) {
  const std::string valid = ToValidUtf8(text);
  int width = 0;
  for (size_t at = 0; at < valid.size();) width += WidthOf(NextPoint(valid, &at));
  return width;
}

std::string SafeLines(std::string_view text) {
  std::string out;
  for (const std::string_view line : SplitLines(text)) {
    bool first = true;
    for (const std::string_view part : Split(line, '\t')) {
      if (!first) out += "    ";
      out += Printable(part);
      first = false;
    }
    out += '\n';
  }
  return out;
}

std::string FitColumns(std::string_view text, int columns) {
  const std::string safe = Printable(text);
  if (DisplayWidth(safe) <= columns) return safe;
  int width = 0;
  size_t end = 0;
  for (size_t at = 0; at < safe.size(); end = at) {
    width += WidthOf(NextPoint(safe, &at));
    if (width > columns - 3) break;
  }
  return safe.substr(0, end) + "...";
}

}  // namespace assay
