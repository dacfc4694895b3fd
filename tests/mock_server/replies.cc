// Replies are built by appending text: the mock must be several times faster than the client that
// is measured against it.
#include "tests/mock_server/replies.h"

#include <algorithm>
#include <fstream>
#include <functional>
#include <utility>

#include "harness/json.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay::mock_server {
namespace {

constexpr int64_t kBytesPerToken = 4;
constexpr std::string_view kSentence =
    "Let \\(x = \\frac{3}{4}\\); multiplying both sides by 4 gives the next line of the work.\n";

void AppendEscaped(std::string_view text, std::string* out) {
  static constexpr char kHex[] = "0123456789abcdef";
  size_t run = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out->append(text, run, i - run);
    run = i + 1;
    if (c == '\n') {
      *out += "\\n";
    } else if (c >= 0x20) {
      *out += '\\';
      *out += static_cast<char>(c);
    } else {
      *out += "\\u00";
      *out += kHex[c >> 4];
      *out += kHex[c & 0xF];
    }
  }
  out->append(text, run);
}

// The last code point border at or before `at`.
size_t Border(std::string_view text, size_t at) {
  if (at >= text.size()) return text.size();
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  return at;
}

int64_t Tokens(size_t bytes) {
  return (static_cast<int64_t>(bytes) + kBytesPerToken - 1) / kBytesPerToken;
}

std::vector<std::string> Strings(const Json* value) {
  std::vector<std::string> strings;
  if (value == nullptr) return strings;
  if (value->is_string()) return {value->AsString()};
  if (!value->is_array()) return strings;
  for (const Json& each : value->AsArray()) {
    if (each.is_string()) strings.push_back(each.AsString());
  }
  return strings;
}

// A message's text: a string, or the text parts of a list.
std::string MessageText(const Json& message) {
  const Json* content = message.Find("content");
  if (content == nullptr) return "";
  if (content->is_string()) return content->AsString();
  std::string text;
  if (content->is_array()) {
    for (const Json& part : content->AsArray()) text += part.FindString("text").value_or("");
  }
  return text;
}

absl::Status ReadMessages(const Json& body, Request* request) {
  const Json* messages = body.Find("messages");
  if (messages == nullptr || !messages->is_array()) {
    return InvalidArgument("field 'messages': expected an array");
  }
  for (const Json& message : messages->AsArray()) {
    std::string text = MessageText(message);
    request->prompt_hash = Mix(request->prompt_hash ^ std::hash<std::string>{}(text));
    if (message.FindString("role") == "user") request->prompt = std::move(text);
  }
  return absl::OkStatus();
}

absl::Status ReadPrompt(const Json& body, Request* request) {
  const std::optional<std::string> prompt = body.FindString("prompt");
  if (!prompt) return InvalidArgument("field 'prompt': expected a string");
  request->prompt = *prompt;
  request->prompt_hash = Mix(std::hash<std::string>{}(*prompt));
  return absl::OkStatus();
}

// A tagged, close-only or separate thinking, as the options say.
Reply Shaped(ReasoningForm form, std::string reasoning, std::string answer, bool cut) {
  Reply reply;
  reply.reasoning_tokens = Tokens(reasoning.size());
  reply.tokens = reply.reasoning_tokens + Tokens(answer.size());
  if (cut) reply.finish = "length";
  if (form == ReasoningForm::kField || form == ReasoningForm::kShortField) {
    reply.reasoning = std::move(reasoning);
    reply.content = std::move(answer);
    return reply;
  }
  const std::string open = form == ReasoningForm::kTags ? "<think>\n" : "";
  const std::string close = cut && answer.empty() ? "" : "\n</think>\n\n";
  reply.content = open + std::move(reasoning) + close + std::move(answer);
  return reply;
}

void CutAt(size_t bytes, Reply* reply) {
  if (reply->content.size() <= bytes) return;
  reply->content.resize(Border(reply->content, bytes));
  reply->tokens = Tokens(bytes);
  reply->finish = "length";
}

void HonourLimits(const Options& options, const Request& request, Reply* reply) {
  if (options.honours_stop) {
    for (const std::string& stop : request.stop) {
      const size_t at = stop.empty() ? std::string::npos : reply->content.find(stop);
      if (at != std::string::npos) reply->content.resize(at);
    }
  }
  if (options.honours_max_tokens && request.max_tokens && reply->tokens > *request.max_tokens) {
    CutAt(static_cast<size_t>(std::max<int64_t>(0, *request.max_tokens) * kBytesPerToken), reply);
    reply->tokens = *request.max_tokens;
    reply->reasoning_tokens = std::min(reply->reasoning_tokens, reply->tokens);
  }
}

std::string_view ReasoningFieldName(const Options& options) {
  return options.reasoning == ReasoningForm::kShortField ? "reasoning" : "reasoning_content";
}

void AppendText(std::string_view text, Fault fault, std::string* out) {
  *out += '"';
  if (fault == Fault::kInvalidUtf8) *out += "\xC3\x28 \xED\xA0\x80 \xFF";
  AppendEscaped(text, out);
  *out += '"';
}

// --- log-probabilities: a token is kBytesPerToken bytes of text, whole characters ---

// Of a token and of its alternatives: made from its text, so that a test can foretell them.
double LogprobOf(std::string_view token) {
  return -static_cast<double>(std::hash<std::string_view>{}(token) % 4096) / 512;
}
std::string Alternative(std::string_view token, int64_t rank) {
  return std::string(token) + static_cast<char>('a' + rank % 26);
}

void AppendToken(std::string_view token, std::string* out) {
  *out += "{\"token\":";
  AppendText(token, Fault::kNone, out);
  absl::StrAppendFormat(out, ",\"logprob\":%.9g,\"bytes\":[", LogprobOf(token));
  for (size_t i = 0; i < token.size(); ++i) {
    absl::StrAppendFormat(out, "%s%d", i > 0 ? "," : "", static_cast<unsigned char>(token[i]));
  }
  *out += "]";
}

std::vector<std::string_view> TokensOf(std::string_view text) {
  std::vector<std::string_view> tokens;
  while (!text.empty()) {
    const size_t end = std::max<size_t>(1, Border(text, kBytesPerToken));
    tokens.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return tokens;
}

void AppendChatLogprobs(std::string_view text, int64_t alternatives, std::string* out) {
  *out += "{\"content\":[";
  bool first = true;
  for (const std::string_view token : TokensOf(text)) {
    if (!std::exchange(first, false)) *out += ",";
    AppendToken(token, out);
    *out += ",\"top_logprobs\":[";
    for (int64_t rank = 0; rank < alternatives; ++rank) {
      if (rank > 0) *out += ",";
      AppendToken(Alternative(token, rank), out);
      *out += "}";
    }
    *out += "]}";
  }
  *out += "],\"refusal\":null}";
}

void AppendTextLogprobs(std::string_view text, int64_t alternatives, std::string* out) {
  std::string tokens, logprobs, tops;
  for (const std::string_view token : TokensOf(text)) {
    if (!tokens.empty()) tokens += ",", logprobs += ",", tops += ",";
    AppendText(token, Fault::kNone, &tokens);
    absl::StrAppendFormat(&logprobs, "%.9g", LogprobOf(token));
    tops += "{";
    for (int64_t rank = 0; rank < alternatives; ++rank) {
      if (rank > 0) tops += ",";
      const std::string alternative = Alternative(token, rank);
      AppendText(alternative, Fault::kNone, &tops);
      absl::StrAppendFormat(&tops, ":%.9g", LogprobOf(alternative));
    }
    tops += "}";
  }
  *out += "{\"tokens\":[" + tokens + "],\"token_logprobs\":[" + logprobs +
          "],\"top_logprobs\":" + (alternatives > 0 ? "[" + tops + "]" : "null") + "}";
}

// The value of `logprobs`.
void AppendLogprobs(const Options& options, const Request& request, std::string_view text,
                    std::string* out) {
  if (!request.top_logprobs || !options.honours_logprobs) {
    *out += "null";
  } else if (request.api == Api::kCompletions) {
    AppendTextLogprobs(text, *request.top_logprobs, out);
  } else {
    AppendChatLogprobs(text, *request.top_logprobs, out);
  }
}

void AppendUsage(const Request& request, const std::vector<Reply>& replies, std::string* out) {
  int64_t tokens = 0, reasoning = 0;
  for (const Reply& reply : replies) {
    tokens += reply.tokens;
    reasoning += reply.reasoning_tokens;
  }
  const int64_t prompt = Tokens(request.prompt.size());
  *out += ",\"usage\":{\"prompt_tokens\":" + std::to_string(prompt) +
          ",\"completion_tokens\":" + std::to_string(tokens) +
          ",\"total_tokens\":" + std::to_string(prompt + tokens);
  if (reasoning > 0) {
    *out +=
        ",\"completion_tokens_details\":{\"reasoning_tokens\":" + std::to_string(reasoning) + "}";
  }
  *out += "}";
}

void AppendChoice(const Options& options, const Request& request, const Reply& reply, size_t index,
                  Fault fault, std::string* out) {
  *out += "{\"index\":" + std::to_string(index) + ",";
  if (request.api == Api::kCompletions) {
    *out += "\"text\":";
  } else {
    *out += "\"message\":{\"role\":\"assistant\",";
    if (reply.reasoning) {
      *out += absl::StrFormat("\"%s\":", ReasoningFieldName(options));
      AppendText(*reply.reasoning, Fault::kNone, out);
      *out += ",";
    }
    *out += "\"content\":";
  }
  if (fault == Fault::kNullContent) {
    *out += "null";
  } else {
    AppendText(reply.content, fault, out);
  }
  if (request.api == Api::kChat) *out += "}";
  *out += ",\"logprobs\":";
  const bool thinks = request.api == Api::kChat && reply.reasoning;
  AppendLogprobs(options, request, (thinks ? *reply.reasoning : "") + reply.content, out);
  *out += ",\"finish_reason\":\"" + reply.finish + "\"}";
}

std::string Head(const Options& options, const Request& request, bool chunk) {
  std::string object = request.api == Api::kCompletions ? "text_completion"
                       : chunk                          ? "chat.completion.chunk"
                                                        : "chat.completion";
  return "{\"id\":\"mock-1\",\"object\":\"" + object + "\",\"created\":1700000000,\"model\":\"" +
         options.model + "\",\"choices\":[";
}

std::string TextEvent(const Options& options, const Request& request, size_t index,
                      std::string_view field, std::string_view piece, Fault fault) {
  std::string event = "data: " + Head(options, request, true);
  event += "{\"index\":" + std::to_string(index) + ",";
  event += request.api == Api::kCompletions ? "" : "\"delta\":{";
  event += absl::StrFormat("\"%s\":", field);
  if (fault == Fault::kNullContent) {
    event += "null";
  } else {
    AppendText(piece, fault, &event);
  }
  event += request.api == Api::kCompletions ? "" : "}";
  if (request.top_logprobs) {
    event += ",\"logprobs\":";
    AppendLogprobs(options, request, piece, &event);
  }
  return event + ",\"finish_reason\":null}]}\n\n";
}

void AppendTextEvents(const Options& options, const Request& request, size_t index,
                      std::string_view field, std::string_view text, Fault fault,
                      std::vector<std::string>* events) {
  const size_t step = static_cast<size_t>(std::max(4, options.chunk_bytes));
  for (size_t at = 0; at < text.size();) {
    const size_t end = Border(text, at + step);
    events->push_back(TextEvent(options, request, index, field, text.substr(at, end - at), fault));
    at = end;
    if (fault == Fault::kInvalidUtf8) fault = Fault::kNone;  // once is enough
  }
}

}  // namespace

uint64_t Mix(uint64_t value) {
  value += 0x9E3779B97F4A7C15;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
  return value ^ (value >> 31);
}

double Unit(uint64_t hash) { return static_cast<double>(hash >> 11) * 0x1.0p-53; }

absl::StatusOr<Request> ReadRequest(Api api, std::string_view body,
                                    std::string_view sample_header) {
  ASSIGN_OR_RETURN(const Json json, ParseJson(body));
  Request request;
  request.api = api;
  RETURN_IF_ERROR(api == Api::kChat ? ReadMessages(json, &request) : ReadPrompt(json, &request));
  request.model = json.FindString("model").value_or("");
  request.n = static_cast<int>(std::clamp<int64_t>(json.FindInteger("n").value_or(1), 1, 1024));
  if (const auto seed = json.FindInteger("seed")) request.seed = static_cast<uint64_t>(*seed);
  request.max_tokens = json.FindInteger("max_tokens");
  if (!request.max_tokens) request.max_tokens = json.FindInteger("max_completion_tokens");
  request.stop = Strings(json.Find("stop"));
  request.stream = json.FindBool("stream").value_or(false);
  if (const Json* options = json.Find("stream_options")) {
    request.stream_usage = options->FindBool("include_usage").value_or(false);
  }
  if (api == Api::kCompletions) {
    request.top_logprobs = json.FindInteger("logprobs");
  } else if (json.FindBool("logprobs").value_or(false)) {
    request.top_logprobs = json.FindInteger("top_logprobs").value_or(0);
  }
  for (const std::string_view part : Split(sample_header, ',')) {
    if (const std::optional<int64_t> index = ParseInt(Trim(part))) {
      request.samples.push_back(static_cast<int>(*index));
    }
  }
  return request;
}

absl::StatusOr<ReplyBook> ReplyBook::Open(const Options& options) {
  ReplyBook book;
  book.options_ = options;
  if (!options.reply_file.empty()) RETURN_IF_ERROR(book.Load(options.reply_file));
  while (book.filler_.size() < static_cast<size_t>(options.body_bytes)) book.filler_ += kSentence;
  return book;
}

absl::Status ReplyBook::Load(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return NotFound("%s: cannot read", path);
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (Trim(line).empty()) continue;
    const absl::StatusOr<Json> row = ParseJson(line);
    if (!row.ok()) return Annotate(row.status(), absl::StrFormat("%s:%d", path, number));
    Entry entry{row->FindString("match").value_or(""), Strings(row->Find("replies")),
                Strings(row->Find("reasoning")), Strings(row->Find("finish"))};
    if (entry.match.empty()) {
      return InvalidArgument("%s:%d: field 'match': expected a text", path, number);
    }
    if (entry.replies.empty()) {
      return InvalidArgument("%s:%d: field 'replies': expected a list of texts", path, number);
    }
    entries_.push_back(std::move(entry));
  }
  return absl::OkStatus();
}

// The longest match wins, so that one problem's text may lie inside another's.
const ReplyBook::Entry* ReplyBook::FindEntry(const Request& request) {
  const uint64_t key = std::hash<std::string>{}(request.prompt);
  if (const auto known = found_.find(key); known != found_.end()) return known->second;
  const Entry* best = nullptr;
  for (const Entry& entry : entries_) {
    if (best != nullptr && entry.match.size() <= best->match.size()) continue;
    if (Contains(request.prompt, entry.match)) best = &entry;
  }
  return found_[key] = best;
}

uint64_t ReplyBook::DrawNumber(const Request& request, int choice, uint64_t arrival) const {
  if (static_cast<size_t>(choice) < request.samples.size()) {
    return static_cast<uint64_t>(request.samples[static_cast<size_t>(choice)]);
  }
  if (request.seed && options_.honours_seed) return *request.seed + static_cast<uint64_t>(choice);
  return arrival + static_cast<uint64_t>(choice);
}

Reply ReplyBook::Recorded(const Entry& entry, uint64_t draw) const {
  const std::string& answer = entry.replies[draw % entry.replies.size()];
  Reply reply;
  if (entry.reasoning.empty()) {
    reply.content = answer;
    reply.tokens = Tokens(answer.size());
  } else {
    // A recorded thinking is sent somewhere even where the options name no form.
    const ReasoningForm form =
        options_.reasoning == ReasoningForm::kNone ? ReasoningForm::kField : options_.reasoning;
    reply = Shaped(form, entry.reasoning[draw % entry.reasoning.size()], answer, false);
  }
  if (!entry.finish.empty()) reply.finish = entry.finish[draw % entry.finish.size()];
  return reply;
}

Reply ReplyBook::MadeUp(const Request& request, uint64_t draw) const {
  const uint64_t hash = Mix(Mix(options_.seed ^ request.prompt_hash) + draw);
  const bool cut = Unit(Mix(hash + 1)) < options_.length_share;
  const std::string head =
      absl::StrFormat("Draw %d of problem %016x.\n", draw, request.prompt_hash);
  const std::string tail =
      "The answer is \\boxed{" + options_.answers[hash % options_.answers.size()] + "}.";
  const size_t body = static_cast<size_t>(options_.body_bytes);
  const size_t fill = std::min(filler_.size(), body - std::min(body, head.size() + tail.size()));
  std::string work = head + filler_.substr(0, fill);
  if (options_.reasoning != ReasoningForm::kNone) {
    return Shaped(options_.reasoning, std::move(work), cut ? "" : tail, cut);
  }
  Reply reply;
  reply.content = std::move(work);
  if (!cut) reply.content += tail;
  if (cut) reply.finish = "length";
  reply.tokens = Tokens(reply.content.size());
  return reply;
}

absl::StatusOr<std::vector<Reply>> ReplyBook::Replies(const Request& request, int choices) {
  const Entry* entry = entries_.empty() ? nullptr : FindEntry(request);
  if (!entries_.empty() && entry == nullptr) {
    return NotFound("no recorded reply matches the prompt '%s'", Shorten(request.prompt, 80));
  }
  uint64_t arrival = 0;
  const bool told = !request.samples.empty() || (request.seed && options_.honours_seed);
  if (!told) {
    uint64_t& next = arrivals_[request.prompt_hash];
    arrival = next;
    next += static_cast<uint64_t>(choices);
  }
  std::vector<Reply> replies;
  for (int choice = 0; choice < choices; ++choice) {
    const uint64_t draw = DrawNumber(request, choice, arrival);
    if (entry != nullptr) {
      replies.push_back(Recorded(*entry, draw));  // as it was, whatever is asked for now
    } else {
      replies.push_back(MadeUp(request, draw));
      HonourLimits(options_, request, &replies.back());
    }
  }
  return replies;
}

std::string JsonBody(const Options& options, const Request& request,
                     const std::vector<Reply>& replies, Fault fault) {
  if (fault == Fault::kEmptyBody) return "";
  if (fault == Fault::kMissingChoices) {
    return R"({"error":{"message":"the engine is being restarted","type":"internal_error"}})";
  }
  if (fault == Fault::kWrongType) {
    return "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head>"
           "<body><h1>502 Bad Gateway</h1></body></html>";
  }
  std::string body = Head(options, request, false);
  size_t size = 512;
  for (const Reply& reply : replies) size += reply.content.size() + reply.content.size() / 16 + 128;
  body.reserve(size);
  for (size_t i = 0; i < replies.size(); ++i) {
    if (i > 0) body += ",";
    AppendChoice(options, request, replies[i], i, fault, &body);
  }
  body += "]";
  if (options.usage && fault != Fault::kMissingUsage) AppendUsage(request, replies, &body);
  body += "}";
  if (fault == Fault::kTruncatedJson) body.resize(body.size() / 2);
  return body;
}

std::vector<std::string> Events(const Options& options, const Request& request,
                                const std::vector<Reply>& replies, Fault fault) {
  if (fault == Fault::kEmptyBody) return {};
  if (fault == Fault::kMissingChoices) {
    return {"data: {\"error\":{\"message\":\"the engine is being restarted\"}}\n\n"};
  }
  std::vector<std::string> events;
  for (size_t i = 0; i < replies.size(); ++i) {
    if (replies[i].reasoning && request.api == Api::kChat) {
      AppendTextEvents(options, request, i, ReasoningFieldName(options), *replies[i].reasoning,
                       Fault::kNone, &events);
    }
    const std::string_view field = request.api == Api::kCompletions ? "text" : "content";
    AppendTextEvents(options, request, i, field, replies[i].content, fault, &events);
    events.push_back("data: " + Head(options, request, true) + "{\"index\":" + std::to_string(i) +
                     (request.api == Api::kCompletions ? ",\"text\":\"\"" : ",\"delta\":{}") +
                     ",\"finish_reason\":\"" + replies[i].finish + "\"}]}\n\n");
  }
  if (options.usage && request.stream_usage && fault != Fault::kMissingUsage) {
    std::string event = "data: " + Head(options, request, true) + "]";
    AppendUsage(request, replies, &event);
    events.push_back(event + "}\n\n");
  }
  if (fault == Fault::kTruncatedJson) {
    events.resize(events.size() / 2 + 1);
    events.back().resize(events.back().size() / 2);
    events.back() += "\n\n";
    return events;
  }
  events.push_back("data: [DONE]\n\n");
  return events;
}

}  // namespace assay::mock_server
