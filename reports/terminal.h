// What a terminal can show: its width, whether it takes colours, and text made safe and folded for
// it.
//
// Texts of models and datasets are hostile: they reach a terminal only through SafeLines or
// Printable.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace assay {

struct Terminal {
  bool color = false;  // false also where NO_COLOR is set, TERM is dumb, or output is a file
  int columns = 100;
};
// Asks once what `stream` is connected to.
Terminal TerminalOf(std::FILE* stream);

enum class Ink { kBold, kDim, kRed, kGreen, kYellow };
// `text` in that colour, or as it is where the terminal takes none. `text` must be safe already.
std::string Paint(const Terminal& terminal, Ink ink, std::string_view text);

// Columns that `text` takes: wide East Asian characters and emoji two, combining marks none. Simple
// on purpose: no grapheme clusters.
int DisplayWidth(std::string_view text);

// Printable, but newlines and tabs are kept as layout: a text of several lines for people.
std::string SafeLines(std::string_view text);

// `text` cut to at most `columns`, ending in "..." where it was cut; on one line, and safe.
std::string FitColumns(std::string_view text, int columns);

}  // namespace assay
