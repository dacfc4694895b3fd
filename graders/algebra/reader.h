// Reads the text of an answer into a tree: the lexer's tokens through a Pratt parser.
//
// Pure; bounded by Limits in depth, nodes and bytes. A part that cannot be parsed makes the whole
// unreadable as mathematics: no number is ever taken out of a failed span.
#pragma once

#include <string>
#include <string_view>

#include "graders/algebra/lexer.h"
#include "graders/algebra/node.h"

namespace assay::algebra {

struct Reading {
  Expr tree;          // null: not readable as mathematics
  std::string error;  // why not
  bool over_limit = false;
  bool has_words = false;  // prose was met
  // Unread for a word that works on the value before it ("5 squared"): not just words either.
  bool acts_on_value = false;
  Ambiguities seen;
};

// `spelled`: the text after Spell() and StripFrame().
Reading Read(std::string_view spelled, const ReadingOptions& options, const Limits& limits);

}  // namespace assay::algebra
