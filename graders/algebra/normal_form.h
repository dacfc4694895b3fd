// What is the same in another spelling, brought to one: before two answers are compared.
#pragma once

#include <optional>
#include <vector>

#include "graders/algebra/node.h"

namespace assay::algebra {

inline bool IsWrapped(const Expr& e) {
  return e->kind == Kind::kQuantity || e->kind == Kind::kPercent || e->kind == Kind::kDegree ||
         e->kind == Kind::kCurrency;
}
inline bool IsMatrix(const Expr& e) { return e->kind == Kind::kMatrix; }
inline bool IsPlain(const Expr& e) { return IsValue(*e); }

inline bool HasKind(const Expr& e, Kind kind) {
  return Any(e, [&](const Node& n) { return n.kind == kind; });
}

// "x \in A".
bool IsMembership(const Expr& e);
// Every choice of signs for the items' ±, written out; nothing where there are too many.
std::optional<std::vector<Expr>> ExpandSigns(const std::vector<Expr>& items);

}  // namespace assay::algebra
