// Names and JSON forms of the nouns.
#include "harness/types.h"

#include <map>

#include "harness/text.h"

namespace assay {
namespace {

// "FinishReason.MAX_TOKENS" -> "max_tokens".
std::string BareWord(std::string_view name) {
  name = Trim(name);
  return ToLowerAscii(name.substr(name.rfind('.') + 1));  // npos + 1: all of it
}

}  // namespace

std::string_view OutcomeName(Outcome outcome) {
  switch (outcome) {
    case Outcome::kCorrect:
      return "correct";
    case Outcome::kIncorrect:
      return "incorrect";
    case Outcome::kNoAnswer:
      return "no_answer";
    case Outcome::kTruncated:
      return "truncated";
    case Outcome::kUndecided:
      return "undecided";
  }
  return "undecided";
}

std::optional<Outcome> OutcomeFromName(std::string_view name) {
  for (const Outcome outcome : {Outcome::kCorrect, Outcome::kIncorrect, Outcome::kNoAnswer,
                                Outcome::kTruncated, Outcome::kUndecided}) {
    if (OutcomeName(outcome) == name) return outcome;
  }
  return std::nullopt;
}

std::string_view FinishReasonName(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kContentFilter:
      return "content_filter";
    case FinishReason::kOther:
      return "other";
  }
  return "other";
}

FinishReason FinishReasonFromName(std::string_view name) {
  static const auto* reasons = new std::map<std::string, FinishReason, std::less<>>{
      {"stop", FinishReason::kStop},
      {"eos", FinishReason::kStop},
      {"eos_token", FinishReason::kStop},
      {"end", FinishReason::kStop},
      {"end_turn", FinishReason::kStop},
      {"stop_sequence", FinishReason::kStop},
      {"stop_token", FinishReason::kStop},
      {"complete", FinishReason::kStop},
      {"completed", FinishReason::kStop},
      {"finished", FinishReason::kStop},
      {"done", FinishReason::kStop},
      {"tool_calls", FinishReason::kStop},
      {"tool_use", FinishReason::kStop},
      {"function_call", FinishReason::kStop},
      {"length", FinishReason::kLength},
      {"max_tokens", FinishReason::kLength},
      {"max_new_tokens", FinishReason::kLength},
      {"max_output_tokens", FinishReason::kLength},
      {"max_completion_tokens", FinishReason::kLength},
      {"max_length", FinishReason::kLength},
      {"max_model_len", FinishReason::kLength},
      {"model_length", FinishReason::kLength},
      {"context_length", FinishReason::kLength},
      {"context_length_exceeded", FinishReason::kLength},
      {"model_context_window_exceeded", FinishReason::kLength},
      {"token_limit", FinishReason::kLength},
      {"token_limit_reached", FinishReason::kLength},
      {"truncated", FinishReason::kLength},
      {"incomplete", FinishReason::kLength},
      {"content_filter", FinishReason::kContentFilter},
      {"content_filtered", FinishReason::kContentFilter},
      {"safety", FinishReason::kContentFilter},
      {"refusal", FinishReason::kContentFilter},
      {"recitation", FinishReason::kContentFilter},
      {"prohibited_content", FinishReason::kContentFilter},
  };
  const auto found = reasons->find(BareWord(name));
  return found == reasons->end() ? FinishReason::kOther : found->second;
}

bool FinishTellsFailure(std::string_view name) {
  const std::string word = BareWord(name);
  return word == "abort" || word == "aborted" || word == "error" || word == "failed" ||
         word == "cancelled" || word == "canceled" || word == "timeout" ||
         word == "insufficient_system_resource";
}

Json SamplingToJson(const Sampling& sampling) {
  Json json = Json::MakeObject();
  if (sampling.temperature) json.Set("temperature", *sampling.temperature);
  if (sampling.top_p) json.Set("top_p", *sampling.top_p);
  if (sampling.top_k) json.Set("top_k", *sampling.top_k);
  if (sampling.min_p) json.Set("min_p", *sampling.min_p);
  if (sampling.repetition_penalty) json.Set("repetition_penalty", *sampling.repetition_penalty);
  if (sampling.max_tokens) json.Set("max_tokens", *sampling.max_tokens);
  if (!sampling.stop.empty()) {
    Json stop = Json::MakeArray();
    for (const std::string& text : sampling.stop) stop.Append(text);
    json.Set("stop", std::move(stop));
  }
  if (sampling.top_logprobs) {  // as OpenAI names the two
    json.Set("logprobs", true);
    json.Set("top_logprobs", *sampling.top_logprobs);
  }
  if (sampling.extra.is_object()) {
    for (const Json::Member& member : sampling.extra.AsMembers())
      json.Set(member.first, member.second);
  }
  return json;
}

Json PromptToJson(const Prompt& prompt) {
  Json messages = Json::MakeArray();
  for (const Message& message : prompt.messages) {
    messages.Append(Json::MakeObject({{"role", message.role}, {"content", message.text}}));
  }
  Json json = Json::MakeObject({{"messages", std::move(messages)}});
  if (!prompt.reply_prefix.empty()) json.Set("reply_prefix", prompt.reply_prefix);
  for (const std::string& text : prompt.continuations) {
    Json* known = json.Find("continuations");
    (known != nullptr ? *known : json.Set("continuations", Json::MakeArray())).Append(text);
  }
  return json;
}

}  // namespace assay
