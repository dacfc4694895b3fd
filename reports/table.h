// Tables and numbers for people: aligned on a terminal, or as Markdown; a value never without its
// error.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/statistics.h"

namespace assay {

struct Table {
  struct Column {
    std::string title;
    bool right = false;  // numbers stand right
  };
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;  // each as long as `columns`

  void AddRow(std::vector<std::string> cells);  // CHECKs the length
};

enum class TableForm { kTerminal, kMarkdown };

// Cells are made safe for a terminal (harness/text.h: Printable); '|' is escaped in Markdown.
std::string RenderTable(const Table& table, TableForm form);

// What the numbers of an estimate are: a share is shown in percent.
enum class Unit { kShare, kDifferenceOfShares, kCount };

// Both with the digits that the error deserves: two of the error's own, between 1 and 3 decimals.
std::string FormatValue(const Estimate& estimate, Unit unit);     // "65.3 ± 2.1", "+1.20 ± 0.55"
std::string FormatInterval(const Estimate& estimate, Unit unit);  // "[61.0, 69.4]"
std::string FormatP(double p);                                    // "0.031", "<0.0001"
std::string FormatPercent(double share);                          // "12.5"
std::string_view IsOrAre(int64_t count);

}  // namespace assay
