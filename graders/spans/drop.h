// DROP's measures (Dua et al. 2019): exact match and bag-of-words F1 after its own normalisation,
// as in the evaluator of AllenNLP's reading-comprehension models. Pure functions; thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/json.h"

namespace assay::spans {

// An answer is one or several spans of text.
using Spans = std::vector<std::string>;

// Small letters; cut at blanks and hyphens; punctuation gone, but for numbers, which become
// Python's str(float(...)): "5,000" is "5000.0"; articles and extra blanks gone.
std::string NormalSpan(std::string_view span);

struct Measures {
  double exact_match = 0;  // 0 or 1
  double f1 = 0;           // in [0, 1], rounded to four decimals as the original rounds per cents
};
// Spans are paired one to one so that the sum of F1 is largest. A reference with numbers scores
// nothing for an answer that shares none of them.
Measures Measure(const Spans& answer, const Spans& reference);
// The best exact match and the best F1 of any reference that is not blank.
Measures BestMeasure(const Spans& answer, const std::vector<Spans>& references);

// One annotation: a text, a list of texts, or the published form {number, spans, date}.
absl::StatusOr<Spans> AnnotationFromJson(const Json& json);

}  // namespace assay::spans
