// Exact rational evaluation, with every size estimated before anything is computed.
#pragma once

#include <gmpxx.h>

#include <map>
#include <string>

#include "graders/algebra/node.h"

namespace assay::algebra {

enum class EvalStatus {
  kValue,
  kUndefined,    // a division by zero, 0^0, the logarithm of 0, ...
  kNotRational,  // or not known to be
  kTooBig,
};

struct ExactResult {
  EvalStatus status = EvalStatus::kNotRational;
  mpq_class value;
};

// Values of symbols, by the key of SymbolKey().
using ExactBindings = std::map<std::string, mpq_class, std::less<>>;

ExactResult ExactValue(const Expr& expression, const ExactBindings& bindings = {});

// What a free unknown is bound by: a symbol's name, or the canonical text of an application that
// nothing here can evaluate, like f(x).
std::string SymbolKey(const Node& node);
// Whether the node is an unknown to the evaluators.
bool IsUnknown(const Node& node);

// The number of terms of a sum or product that is still added up one by one.
inline constexpr long kMaxTerms = 2000;
inline constexpr long kMaxFactorial = 5000;
inline constexpr size_t kMaxBits = 2'000'000;

}  // namespace assay::algebra
