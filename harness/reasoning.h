// Splits a reply into thinking and answer, once, at ingest.
//
// Rule (research of seven cases in tests/reasoning_test.cc): the thinking is everything up to the
// last </think> whose block was opened before it, in the reply or in the prompt's forced prefix;
// the answer is what follows. Thinking that opens and never closes leaves no answer after it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace assay {

struct SplitReply {
  std::string reasoning;
  std::string answer;
  bool unclosed = false;  // thinking began and never ended
  bool empty = false;     // a think block is there and holds nothing but blanks
};

// `reasoning_field`: the server's separate field where it sent one (then `content` is the answer,
// tags in it aside). `prefix_opened`: the prompt ended in an opening tag, so the reply starts
// inside the thinking: with no closing tag at all it is unclosed. Without it, a reply with no tags
// is all answer.
SplitReply SplitReasoning(std::string_view content, std::optional<std::string_view> reasoning_field,
                          bool prefix_opened);

}  // namespace assay
