// The request's text is appended piece by piece: no JSON value is built for a prompt.
#include "inference/http/ask.h"

#include <algorithm>

#include "harness/backend.h"
#include "harness/json.h"
#include "harness/reasoning.h"
#include "harness/status.h"
#include "inference/tokens.h"

namespace assay::http {
namespace {

absl::Status CheckExtra(const Json& extra) {
  if (!extra.is_object()) return absl::OkStatus();
  for (const auto& [name, value] : extra.AsMembers()) {
    if (std::find(kOwnRequestFields.begin(), kOwnRequestFields.end(), name) !=
        kOwnRequestFields.end()) {
      return InvalidArgument("request field '%s' is set by assay and cannot be passed through",
                             name);
    }
  }
  return absl::OkStatus();
}

void AppendMessage(std::string_view role, std::string_view text, std::string* out) {
  *out += "{\"role\":";
  AppendJsonString(role, out);
  *out += ",\"content\":";
  AppendJsonString(text, out);
  *out += "}";
}

void AppendMessages(const Settings& settings, const Prompt& prompt, std::string* out) {
  *out += ",\"messages\":[";
  for (size_t i = 0; i < prompt.messages.size(); ++i) {
    if (i > 0) *out += ",";
    AppendMessage(prompt.messages[i].role, prompt.messages[i].text, out);
  }
  const bool prefix = settings.send_prefix && !prompt.reply_prefix.empty();
  if (prefix) {
    if (!prompt.messages.empty()) *out += ",";
    AppendMessage("assistant", prompt.reply_prefix, out);
  }
  *out += "]";
  // vLLM's and SGLang's words for: go on where this message ends.
  if (prefix) *out += ",\"continue_final_message\":true,\"add_generation_prompt\":false";
}

// /v1/completions takes one text: the messages' texts in order, the forced prefix after them.
void AppendPrompt(const Settings& settings, const Prompt& prompt, std::string* out) {
  std::string text;
  for (const Message& message : prompt.messages) {
    if (!text.empty()) text += "\n\n";
    text += message.text;
  }
  if (settings.send_prefix) text += prompt.reply_prefix;
  *out += ",\"prompt\":";
  AppendJsonString(text, out);
}

void AppendSampling(const Settings& settings, const Sampling& sampling, std::string* out) {
  const Json fields = SamplingToJson(sampling);
  if (!fields.is_object()) return;
  // /v1/completions has one field for what are two in chat completions.
  const bool one_field = settings.api == Api::kCompletions && sampling.top_logprobs.has_value();
  for (const auto& [name, value] : fields.AsMembers()) {
    if (one_field && name == "logprobs") continue;
    *out += ",";
    if (one_field && name == "top_logprobs") {
      *out += "\"logprobs\":" + value.Dump();
      continue;
    }
    AppendJsonString(name == "max_tokens" ? settings.max_tokens_field : name, out);
    *out += ":";
    *out += value.Dump();
  }
}

bool OpensThinking(std::string_view prefix) {
  const size_t open = prefix.rfind("<think>");
  if (open == prefix.npos) return false;
  const size_t close = prefix.rfind("</think>");
  return close == prefix.npos || close < open;
}

int64_t EstimatedPromptTokens(const Prompt& prompt) {
  int64_t tokens = EstimateTokens(prompt.reply_prefix);
  for (const Message& message : prompt.messages) tokens += EstimateTokens(message.text);
  return tokens;
}

// The server counts all choices of a reply together and seldom tells thinking from answer: the
// total of a single choice is measured, any division of a total is by length.
TokenCounts CountTokens(const Ask& ask, const Reply& reply, const Completion& completion) {
  TokenCounts counts;
  const ReplyUsage& usage = reply.usage;
  counts.prompt = usage.prompt.value_or(-1);
  if (counts.prompt < 0) counts.prompt = EstimatedPromptTokens(ask.request.prompt);
  if (!usage.completion || reply.choices.size() > 1) {
    counts.reasoning = EstimateTokens(completion.reasoning);
    counts.answer = EstimateTokens(completion.answer);
    return counts;
  }
  counts.source = TokenSource::kMeasured;
  const size_t bytes = completion.reasoning.size() + completion.answer.size();
  if (usage.reasoning) {
    counts.reasoning = std::min(*usage.reasoning, *usage.completion);
  } else if (bytes > 0) {
    const double share =
        static_cast<double>(completion.reasoning.size()) / static_cast<double>(bytes);
    counts.reasoning = static_cast<int64_t>(share * static_cast<double>(*usage.completion) + 0.5);
  }
  counts.answer = *usage.completion - counts.reasoning;
  return counts;
}

}  // namespace

absl::StatusOr<Ask> MakeAsk(const Settings& settings, CompletionRequest request) {
  RETURN_IF_ERROR(CheckExtra(request.sampling.extra));
  Ask ask;
  ask.request = std::move(request);
  const Prompt& prompt = ask.request.prompt;
  size_t size = 512 + prompt.reply_prefix.size();
  for (const Message& message : prompt.messages) size += message.text.size() * 9 / 8;
  std::string& body = ask.body_head;
  body.reserve(size);
  body = "{\"model\":";
  AppendJsonString(settings.model, &body);
  if (settings.api == Api::kChat) {
    AppendMessages(settings, prompt, &body);
  } else {
    AppendPrompt(settings, prompt, &body);
  }
  AppendSampling(settings, ask.request.sampling, &body);
  ask.streams = Streams(settings, ask.request.sampling.max_tokens);
  ask.prefix_opened =
      settings.prefilled || (settings.send_prefix && OpensThinking(prompt.reply_prefix));
  return ask;
}

std::string RequestBody(const Settings& settings, const Ask& ask, std::span<const Draw> draws,
                        bool stream_usage) {
  std::string body;
  body.reserve(ask.body_head.size() + 128);
  body += ask.body_head;
  if (settings.send_seed) body += ",\"seed\":" + std::to_string(draws[0].seed);
  if (draws.size() > 1) body += ",\"n\":" + std::to_string(draws.size());
  if (ask.streams) {
    body += ",\"stream\":true";
    if (stream_usage) body += ",\"stream_options\":{\"include_usage\":true}";
  }
  body += "}";
  return body;
}

Completion ToCompletion(const Ask& ask, Reply* reply, size_t position, uint64_t seed,
                        double seconds, const std::string& served_by) {
  ReplyChoice& choice = reply->choices[position];
  Completion completion;
  std::optional<std::string_view> field;
  if (choice.reasoning && !choice.reasoning->empty()) field = *choice.reasoning;
  SplitReply split = SplitReasoning(choice.content, field, ask.prefix_opened);
  completion.reasoning = std::move(split.reasoning);
  completion.answer = std::move(split.answer);
  completion.unclosed_reasoning = split.unclosed;
  completion.raw = std::move(choice.content);
  if (choice.logprobs) completion.logprobs = *std::move(choice.logprobs);
  completion.finish = FinishReasonFromName(choice.finish);
  completion.tokens = CountTokens(ask, *reply, completion);
  completion.latency_seconds = seconds;
  completion.seed = seed;
  completion.served_by = served_by;
  completion.served_model = reply->model;
  return completion;
}

}  // namespace assay::http
