// Splits a reply into thinking and answer, once, at ingest.
//
// The rule (the cases stand in tests/tables/reasoning.txt): the thinking is everything up to the
// last closing tag, whether an opening tag stood in the reply or in the prompt's forced prefix; the
// answer is what follows. An opening tag with no closing tag after it is thinking that never ended:
// no answer follows it.
//
// Tags are <think> and <thinking> with their closing forms, in any case and with blanks before the
// ">"; Magistral's [THINK] [/THINK]; Kimi's ◁think▷ ◁/think▷. Any closing form ends any opening
// one. <thought>, <reasoning>, <reflection> are not tags: prompts ask for them as part of the
// answer. A tag that is alone between two quotation marks or backticks ("</think>", `<think>`) is
// talked about, not used, and is passed over. So is an opening tag behind the last closing one (or
// with none in the reply) that is shown in a closed code block of at most 1000 bytes, or is a word
// of a sentence ("you wrote <think>.", "the <think> tag"): thinking begins the reply or a line, and
// does not begin with a comma.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace assay {

struct SplitReply {
  std::string reasoning;  // byte for byte, without the block's own first opening and last closing
                          // tag; text before the opening tag belongs to it
  std::string answer;     // byte for byte what follows; empty where `unclosed`
  bool unclosed = false;  // thinking began and never ended
  bool empty = false;     // a closed think block is there and holds nothing but blanks
};

// `reasoning_field`: the server's separate field where it sent one (then `content` is the answer,
// and a think block in it is added to the reasoning). An empty field with tags in the content is a
// server that does not parse: the tags decide.
// `prefix_opened`: the prompt ended in an opening tag, so the reply starts inside the thinking:
// with no closing tag at all it is unclosed. Without it, a reply with no tags is all answer.
// Linear in the text; any bytes.
SplitReply SplitReasoning(std::string_view content, std::optional<std::string_view> reasoning_field,
                          bool prefix_opened);

}  // namespace assay
