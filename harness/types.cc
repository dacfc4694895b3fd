// Names and JSON forms of the nouns.
#include "harness/types.h"

namespace assay {

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
  if (name == "stop" || name == "eos" || name == "end_turn") return FinishReason::kStop;
  if (name == "length" || name == "max_tokens") return FinishReason::kLength;
  if (name == "content_filter") return FinishReason::kContentFilter;
  return FinishReason::kOther;
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
