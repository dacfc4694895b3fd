// Brackets of every kind, and environments.
#include "graders/algebra/parser.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "graders/algebra/parser_text.h"
#include "harness/text.h"

namespace assay::algebra {

// --- brackets ---

Expr Parser::Bracket() {
  const Token token = Now();
  const std::string& text = token.text;
  if (text == "(") return Round();
  if (text == "[") return Square();
  if (text == "]") return French();
  if ((text == "{" && NextIsOperator("}")) || text == "_" || text == "^") {
    if (Expr ways = PrescriptedChoices()) return ways;
  }
  if (text == "{") return Group();
  if (text == "\\{") return Braces();
  if (text == "|" || text == "norm" || text == "mid") return Bars(text);
  if (text == "lfloor" || text == "lceil") return FloorOrCeil(text);
  if (text == "langle") {
    ++at_;
    Items list = ReadBracketed("rangle");
    if (failed()) return nullptr;
    if (list.items.empty()) return Fail("an empty bracket");
    return Counted(MakeNode(Kind::kTuple, std::move(list.items), "<>"));
  }
  if (text.substr(0, 6) == "begin:") return Environment(text.substr(6));
  if (text == "...") {
    ++at_;
    return Counted(MakeNode(Kind::kEllipsis, {}));
  }
  if (text == "emptyset") {
    ++at_;
    return Counted(MakeNode(Kind::kNamedSet, {}, "empty"));
  }
  if (text == "\\$") {
    ++at_;
    const Expr value = SignedPower();
    return failed() ? nullptr : Counted(MakeNode(Kind::kCurrency, {value}, "$"));
  }
  if (text.substr(0, 9) == "currency:") {
    ++at_;
    const Expr value = SignedPower();
    return failed() ? nullptr : Counted(MakeNode(Kind::kCurrency, {value}, text.substr(9)));
  }
  if (text == "-" || text == "+") return SignedPower();
  if (text == "not") {
    ++at_;
    const Expr value = Primary();
    return failed() ? nullptr : Counted(MakeCall("not", {value}));
  }
  return Fail("'" + Shorten(text, 20) + "' was not expected");
}

bool Parser::CloseRound(std::string* close) {
  if (!IsOperator(")") && !IsOperator("]")) return false;
  *close = Now().text;
  ++at_;
  return true;
}

Parser::Items Parser::InsideBrackets() {
  const Bar outer = std::exchange(bar_, Bar::kOpens);
  const int french = std::exchange(french_, 0);
  Items list = ReadItems(Stop::kBracket);
  bar_ = outer;
  french_ = french;
  return list;
}

Expr Parser::Round() {
  ++at_;
  Items list = InsideBrackets();
  if (failed()) return nullptr;
  std::string close;
  if (!CloseRound(&close)) return Fail("')' was expected");
  if (list.items.empty()) return Fail("an empty bracket");
  if (close == "]") {
    if (list.items.size() != 2) return Fail("an interval with two ends was expected");
    return Counted(MakeNode(Kind::kInterval, std::move(list.items), "(]"));
  }
  if (list.items.size() == 1) return list.items[0];
  return Counted(MakeNode(Kind::kTuple, std::move(list.items), "()"));
}

Expr Parser::Square() {
  ++at_;
  Items list = InsideBrackets();
  if (failed()) return nullptr;
  std::string close;
  if (!CloseRound(&close)) return Fail("']' was expected");
  if (list.items.empty()) return Fail("an empty bracket");
  if (close == ")") {
    if (list.items.size() != 2) return Fail("an interval with two ends was expected");
    return Counted(MakeNode(Kind::kInterval, std::move(list.items), "[)"));
  }
  if (list.items.size() == 1 && list.items[0]->kind != Kind::kInterval) return list.items[0];
  if (std::all_of(list.items.begin(), list.items.end(), IsAssignment))
    return Counted(MakeNode(Kind::kSystem, std::move(list.items)));
  if (Expr matrix = Rows(list.items)) return matrix;
  if (list.items.size() == 2)
    return Counted(MakeNode(Kind::kInterval, std::move(list.items), "[]"));
  return Counted(MakeNode(Kind::kTuple, std::move(list.items), "[]"));
}

// [[1,2],[3,4]]: a matrix in programmers' notation.
Expr Parser::Rows(const std::vector<Expr>& items) {
  const auto is_row = [&](const Expr& e) {
    return (e->kind == Kind::kInterval || e->kind == Kind::kTuple) && e->text == "[]" &&
           e->args.size() == items[0]->args.size();
  };
  if (!std::all_of(items.begin(), items.end(), is_row)) return nullptr;
  std::vector<Expr> cells;
  for (const Expr& row : items) cells.insert(cells.end(), row->args.begin(), row->args.end());
  return Counted(MakeMatrix(static_cast<int>(items.size()), static_cast<int>(items[0]->args.size()),
                            std::move(cells)));
}

// ]a, b[: brackets turned outwards exclude the end.
Expr Parser::French() {
  ++at_;
  const Bar outer = std::exchange(bar_, Bar::kOpens);
  const int french = std::exchange(french_, 1);
  Items list = ReadItems(Stop::kBracket);
  bar_ = outer;
  french_ = french;
  if (failed()) return nullptr;
  if (list.items.size() != 2) return Fail("an interval with two ends was expected");
  const bool open = IsOperator("[");
  if (!open && !IsOperator("]")) return Fail("']' or '[' was expected");
  ++at_;
  return Counted(MakeNode(Kind::kInterval, std::move(list.items), open ? "()" : "(]"));
}

Expr Parser::Braces() {
  ++at_;
  if (Accept("\\}")) return Counted(MakeNode(Kind::kNamedSet, {}, "empty"));
  // A brace on the left only, before an array: cases or a system.
  if (Now().kind == TokenKind::kOperator && Now().text.substr(0, 6) == "begin:") {
    const Expr body = Environment("cases");
    if (failed()) return nullptr;
    if (Accept("\\}"))
      return body->kind == Kind::kSystem ? Counted(MakeNode(Kind::kSet, body->args)) : body;
    return body;
  }
  const Bar outer = std::exchange(bar_, Bar::kSuchThat);
  const int french = std::exchange(french_, 0);
  Expr result = SetBody();
  bar_ = outer;
  french_ = french;
  return result;
}

Expr Parser::SetBody() {
  Items list = ReadItems(Stop::kBracket);
  if (failed()) return nullptr;
  const bool such_that = IsOperator("mid") || IsOperator("|") || IsOperator(":");
  if (!such_that) {
    if (!Accept("\\}")) return Fail("'}' was expected");
    if (list.items.empty()) return Fail("an empty set was expected");
    return Counted(MakeNode(Kind::kSet, std::move(list.items)));
  }
  ++at_;
  bar_ = Bar::kOpens;
  Items conditions = ReadItems(Stop::kBracket);
  if (failed()) return nullptr;
  if (!Accept("\\}")) return Fail("'}' was expected");
  if (conditions.items.empty() || list.items.size() != 1)
    return Fail("a set of elements and conditions was expected");
  // Conditions divided by commas hold together.
  for (std::string& separator : conditions.separators)
    if (separator == "," || separator == ";") separator = "and";
  Expr condition =
      conditions.items.size() == 1 ? conditions.items[0] : Combine(std::move(conditions));
  if (failed()) return nullptr;
  return Counted(MakeNode(Kind::kSetBuilder, {list.items[0], condition}));
}

Expr Parser::Bars(const std::string& bar) {
  Deeper deeper(this);
  if (failed()) return nullptr;
  ++at_;
  const Bar outer = std::exchange(bar_, Bar::kCloses);
  Expr inside = SetExpression();
  bar_ = outer;
  if (failed()) return nullptr;
  if (!Accept(bar)) return Fail("a closing bar was expected");
  if (inside->kind == Kind::kMatrix) return Counted(MakeCall("det", {inside}));
  return Counted(MakeCall(bar == "norm" ? "norm" : "abs", {inside}));
}

Expr Parser::FloorOrCeil(const std::string& open) {
  ++at_;
  const Bar outer = std::exchange(bar_, Bar::kOpens);
  const Expr inside = SetExpression();
  bar_ = outer;
  if (failed()) return nullptr;
  if (!Accept(open == "lfloor" ? "rfloor" : "rceil")) return Fail("a closing floor was expected");
  return Counted(MakeCall(open == "lfloor" ? "floor" : "ceil", {inside}));
}

// --- environments ---

Expr Parser::Environment(const std::string& name_given) {
  Deeper deeper(this);
  if (failed()) return nullptr;
  const std::string opened = Now().text.substr(6);
  ++at_;
  const Bar outer = std::exchange(bar_, Bar::kOpens);
  const int french = std::exchange(french_, 0);
  std::vector<std::vector<Expr>> rows(1);
  while (!failed()) {
    if (Accept("end:" + opened)) break;
    if (AtEnd()) return Fail("\\end{" + opened + "} was expected");
    if (Accept("\\\\")) {
      if (!rows.back().empty()) rows.emplace_back();
    } else if (Accept("&")) {
    } else {
      const size_t begin = at_;
      ReadCell(&rows.back());
      if (!failed() && at_ == begin) return Fail("\\end{" + opened + "} was expected");
    }
  }
  bar_ = outer;
  french_ = french;
  if (failed()) return nullptr;
  if (rows.back().empty()) rows.pop_back();
  if (rows.empty()) return Fail("an empty matrix");
  if (name_given == "cases" || opened == "cases" || opened == "dcases" || opened == "rcases")
    return Cases(rows);
  return Matrix(rows, opened);
}

// Cells of words only ("if", "for") are left out.
void Parser::ReadCell(std::vector<Expr>* row) {
  while (Now().kind == TokenKind::kText && IsFillerWord(ToLowerAscii(Now().text))) ++at_;
  if (AtStop(Stop::kCell)) return;
  Items list = ReadItems(Stop::kCell);
  if (failed()) return;
  if (!AtStop(Stop::kCell)) {
    Fail("'" + Shorten(Now().text, 20) + "' in a matrix");
    return;
  }
  if (list.items.empty()) return;
  row->push_back(FromItems(std::move(list)));
}

Expr Parser::Cases(const std::vector<std::vector<Expr>>& rows) {
  std::vector<Expr> parts;
  const bool single =
      std::all_of(rows.begin(), rows.end(), [](const auto& row) { return row.size() == 1; });
  for (const std::vector<Expr>& row : rows) {
    if (row.size() > 2 || row.empty()) return Fail("cases with a value and a condition each");
    parts.insert(parts.end(), row.begin(), row.end());
    if (!single && row.size() == 1) parts.push_back(MakeNode(Kind::kText, {}, "otherwise"));
  }
  return Counted(MakeNode(single ? Kind::kSystem : Kind::kPiecewise, std::move(parts)));
}

Expr Parser::Matrix(const std::vector<std::vector<Expr>>& rows, const std::string& environment) {
  std::vector<Expr> cells;
  for (const std::vector<Expr>& row : rows) {
    if (row.size() != rows[0].size()) return Fail("a matrix with rows of unequal length");
    cells.insert(cells.end(), row.begin(), row.end());
  }
  if (cells.size() > limits_.max_elements) {
    over_limit_ = true;
    return Fail("a matrix too large");
  }
  const Expr matrix = Counted(MakeMatrix(static_cast<int>(rows.size()),
                                         static_cast<int>(rows[0].size()), std::move(cells)));
  if (failed()) return nullptr;
  return environment == "vmatrix" ? Counted(MakeCall("det", {matrix})) : matrix;
}

}  // namespace assay::algebra
