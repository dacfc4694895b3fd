// The digits shown follow the error: more would be noise, fewer would hide a difference.
#include "reports/table.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"
#include "harness/status.h"
#include "harness/text.h"
#include "reports/terminal.h"

namespace assay {
namespace {

// A column's width may be cut by no terminal: tables are copied into files and chats.
std::string Padded(const std::string& cell, int width, bool right) {
  const std::string blanks(static_cast<size_t>(std::max(0, width - DisplayWidth(cell))), ' ');
  return right ? blanks + cell : cell + blanks;
}

std::string SafeCell(const std::string& cell, TableForm form) {
  const std::string safe = Printable(cell);
  return form == TableForm::kMarkdown ? ReplaceAll(safe, "|", "\\|") : safe;
}

int Decimals(double error) {
  if (!(error > 0)) return 1;
  return std::clamp(1 - static_cast<int>(std::floor(std::log10(error))), 1, 3);
}

double Scale(Unit unit) { return unit == Unit::kCount ? 1 : 100; }

std::string Number(double value, int decimals, Unit unit) {
  std::string text = unit == Unit::kDifferenceOfShares ? absl::StrFormat("%+.*f", decimals, value)
                                                       : absl::StrFormat("%.*f", decimals, value);
  // "-0.0" says that something is below nothing.
  const bool is_zero = text.find_first_of("123456789") == std::string::npos;
  if (is_zero && !text.empty() && (text[0] == '-' || text[0] == '+')) text.erase(0, 1);
  return text;
}

}  // namespace

void Table::AddRow(std::vector<std::string> cells) {
  CHECK(cells.size() == columns.size());
  rows.push_back(std::move(cells));
}

std::string RenderTable(const Table& table, TableForm form) {
  std::vector<std::vector<std::string>> lines(1);
  for (const Table::Column& column : table.columns) {
    lines[0].push_back(SafeCell(column.title, form));
  }
  for (const std::vector<std::string>& row : table.rows) {
    std::vector<std::string>& line = lines.emplace_back();
    for (const std::string& cell : row) line.push_back(SafeCell(cell, form));
  }
  std::vector<int> widths(table.columns.size(), 1);
  for (const std::vector<std::string>& line : lines) {
    for (size_t c = 0; c < line.size(); ++c) widths[c] = std::max(widths[c], DisplayWidth(line[c]));
  }
  const bool markdown = form == TableForm::kMarkdown;
  std::string out;
  for (size_t l = 0; l < lines.size(); ++l) {
    std::string text, rule;
    for (size_t c = 0; c < widths.size(); ++c) {
      const bool right = table.columns[c].right;
      text += (markdown ? "| " : c == 0 ? "" : "  ") + Padded(lines[l][c], widths[c], right);
      text += markdown ? " " : "";
      rule += markdown ? "|" : c == 0 ? "" : "  ";
      rule += std::string(static_cast<size_t>(widths[c]) + (markdown ? 1 : 0), '-');
      rule += markdown ? (right ? ":" : "-") : "";
    }
    out += std::string(markdown ? text + "|" : std::string(TrimRight(text))) + "\n";
    if (l == 0) out += rule + (markdown ? "|" : "") + "\n";
  }
  return out;
}

std::string FormatValue(const Estimate& estimate, Unit unit) {
  const double scale = Scale(unit);
  const double error = estimate.standard_error() * scale;
  const int decimals = Decimals(error);
  return absl::StrFormat("%s ± %.*f", Number(estimate.value() * scale, decimals, unit), decimals,
                         error);
}

std::string FormatInterval(const Estimate& estimate, Unit unit) {
  const double scale = Scale(unit);
  const int decimals = Decimals(estimate.standard_error() * scale);
  return absl::StrFormat("[%s, %s]", Number(estimate.low() * scale, decimals, unit),
                         Number(estimate.high() * scale, decimals, unit));
}

std::string FormatP(double p) {
  if (p < 0.0001) return "<0.0001";
  return absl::StrFormat("%.*f", p < 0.01 ? 4 : 3, p);
}

std::string FormatPercent(double share) { return Number(100 * share, 1, Unit::kShare); }

std::string_view IsOrAre(int64_t count) { return count == 1 ? "is" : "are"; }

}  // namespace assay
