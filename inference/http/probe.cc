// Each question is one request; what cannot be told from the replies stays null.
#include "inference/http/probe.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "harness/status.h"
#include "harness/text.h"
#include "http/client.h"
#include "inference/http/ask.h"
#include "inference/http/asker.h"
#include "inference/http/reply.h"

namespace assay::http {
namespace {

constexpr std::chrono::milliseconds kPatience{60'000};

// The answer alone: some servers look for a stop text in the thinking, some do not.
std::string AnswerOf(const ReplyChoice& choice) {
  const size_t thought = choice.content.rfind("</think>");
  return thought == std::string::npos ? choice.content : choice.content.substr(thought + 8);
}

std::string TextOf(const ReplyChoice& choice) {
  return choice.reasoning.value_or("") + choice.content;
}

class Prober {
 public:
  Prober(const Settings& settings, const BaseUrl& url)
      : settings_(Hurried(settings)), url_(url), client_(Headers(settings), settings_.limits) {}

  Json Probe();

 private:
  static Settings Hurried(Settings settings) {
    settings.limits.total = std::min(settings.limits.total, kPatience);
    settings.limits.stall = std::min(settings.limits.stall, kPatience);
    return settings;
  }
  static std::vector<std::string> Headers(const Settings& settings) {
    if (settings.key.empty()) return {};
    return {"Authorization: Bearer " + settings.key};
  }

  struct Question {
    std::string text = "What is 17 + 25? Think briefly, then give the number.";
    double temperature = 0;
    int max_tokens = 256;
    uint64_t seed = 7;
    int n = 1;
    std::string stop;
    bool stream = false;
  };

  absl::StatusOr<Reply> Ask(const Question& question);
  void ListModels();
  bool AskPlainly();
  Json HonoursN();
  Json HonoursSeed();
  Json HonoursStop(const std::string& answer);
  Json HonoursMaxTokens();
  Json ReadsStreams();

  const Settings settings_;
  const BaseUrl url_;
  Client client_;
  Json found_ = Json::MakeObject();
  std::string answer_;  // of the reply to the first question
};

absl::StatusOr<Reply> Prober::Ask(const Question& question) {
  CompletionRequest request;
  request.prompt.messages = {{"user", question.text}};
  request.sampling.temperature = question.temperature;
  request.sampling.max_tokens = question.max_tokens;
  if (!question.stop.empty()) request.sampling.stop = {question.stop};
  Settings settings = settings_;
  settings.stream = question.stream ? Streaming::kAlways : Streaming::kNever;
  ASSIGN_OR_RETURN(const http::Ask ask, MakeAsk(settings, std::move(request)));
  const std::vector<Draw> draws(static_cast<size_t>(question.n), Draw{0, question.seed});
  EventReader events;
  Request http;
  http.url = url_.url;
  http.credentials = url_.credentials;
  http.body = RequestBody(settings, ask, draws, true);
  http.on_bytes = [&](std::string_view bytes) { return events.Feed(bytes).ok(); };
  const Outcome outcome = Fetch(&client_, std::move(http));
  if (outcome.trouble != Trouble::kNone) {
    return absl::UnavailableError(Scrub(settings_, url_.label + ": " + outcome.error));
  }
  if (outcome.status != 200) {
    return absl::FailedPreconditionError(
        Scrub(settings_, absl::StrFormat("%s: %s: %s", url_.label, StatusText(outcome.status),
                                         ErrorMessage(outcome.body))));
  }
  const bool streamed = outcome.content_type.starts_with("text/event-stream");
  if (question.stream && !streamed) return FailedPrecondition("it does not stream");
  return streamed ? events.Finish() : ParseReply(outcome.body);
}

void Prober::ListModels() {
  Request request;
  request.url = url_.models_url;
  request.credentials = url_.credentials;
  const Outcome outcome = Fetch(&client_, std::move(request));
  const absl::StatusOr<Json> body = ParseJson(ToValidUtf8(outcome.body));
  const Json* list = body.ok() ? body->Find("data") : nullptr;
  if (outcome.status != 200 || list == nullptr || !list->is_array()) return;
  Json names = Json::MakeArray();
  bool listed = false;
  for (const Json& model : list->AsArray()) {
    const std::optional<std::string> name = model.FindString("id");
    if (!name) continue;
    listed = listed || *name == settings_.model;
    names.Append(*name);
  }
  found_.Set("models", std::move(names));
  found_.Set("model_listed", listed);
}

std::string_view ReasoningForm(const ReplyChoice& choice) {
  if (choice.reasoning && !choice.reasoning->empty()) return "field";
  if (Contains(choice.content, "<think>")) return "tags";
  return Contains(choice.content, "</think>") ? "close_only" : "none";
}

// False where the endpoint gave no reply at all.
bool Prober::AskPlainly() {
  const auto began = Clock::now();
  const absl::StatusOr<Reply> reply = Ask({.max_tokens = 2048});
  found_.Set("seconds", std::chrono::duration<double>(Clock::now() - began).count());
  found_.Set("reachable", reply.ok());
  if (!reply.ok()) {
    found_.Set("error", std::string(reply.status().message()));
    return false;
  }
  answer_ = AnswerOf(reply->choices[0]);
  found_.Set("served_model", reply->model);
  found_.Set("reasoning", ReasoningForm(reply->choices[0]));
  found_.Set("usage", reply->usage.completion.has_value());
  return true;
}

Json Prober::HonoursN() {
  const absl::StatusOr<Reply> reply = Ask({.temperature = 1, .max_tokens = 16, .n = 2});
  return reply.ok() && reply->choices.size() == 2;
}

// The same seed twice gives the same text, and another seed another one. Where the text is always
// the same, nothing is known.
Json Prober::HonoursSeed() {
  const std::string text = "Write one surprising sentence about any animal.";
  std::vector<std::string> texts;
  for (const uint64_t seed : {11, 11, 12, 13}) {
    const absl::StatusOr<Reply> reply =
        Ask({.text = text, .temperature = 1, .max_tokens = 48, .seed = seed});
    if (!reply.ok()) return nullptr;
    texts.push_back(TextOf(reply->choices[0]));
  }
  if (texts[0] != texts[1]) return false;
  if (texts[0] == texts[2] && texts[0] == texts[3]) return nullptr;
  return true;
}

// The first word of at least 4 letters from the middle on, else from the beginning; "" for none.
std::string WordOf(std::string_view text) {
  const auto is_letter = [](char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; };
  for (const size_t from : {text.find(' ', text.size() / 2), size_t{0}}) {
    const std::string_view rest = text.substr(std::min(from, text.size()));
    auto begin = rest.begin();
    while (begin != rest.end()) {
      begin = std::find_if(begin, rest.end(), is_letter);
      const auto end = std::find_if_not(begin, rest.end(), is_letter);
      if (end - begin >= 4) return std::string(begin, end);
      begin = end;
    }
  }
  return "";
}

// A word of the plain reply's answer is made the stop text of the same question.
Json Prober::HonoursStop(const std::string& answer) {
  const std::string word = WordOf(answer);
  if (word.empty()) return nullptr;
  const absl::StatusOr<Reply> reply = Ask({.max_tokens = 2048, .stop = word});
  if (!reply.ok()) return nullptr;
  return !Contains(AnswerOf(reply->choices[0]), word);
}

Json Prober::HonoursMaxTokens() {
  const absl::StatusOr<Reply> reply =
      Ask({.text = "Count from 1 to 100 in words.", .max_tokens = 8});
  if (!reply.ok()) return nullptr;
  if (reply->usage.completion) return *reply->usage.completion <= 8;
  return TextOf(reply->choices[0]).size() <= 100;
}

Json Prober::ReadsStreams() { return Ask({.max_tokens = 16, .stream = true}).ok(); }

Json Prober::Probe() {
  found_.Set("url", url_.label);
  ListModels();
  if (!AskPlainly()) return std::move(found_);
  found_.Set("streams", ReadsStreams());
  found_.Set("honours_n", HonoursN());
  found_.Set("honours_seed", HonoursSeed());
  found_.Set("honours_stop", HonoursStop(answer_));
  found_.Set("honours_max_tokens", HonoursMaxTokens());
  return std::move(found_);
}

}  // namespace

absl::StatusOr<Json> ProbeEndpoint(const Settings& settings) {
  Json all = Json::MakeArray();
  for (const BaseUrl& url : settings.urls) all.Append(Prober(settings, url).Probe());
  return all;
}

}  // namespace assay::http
