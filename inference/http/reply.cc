// One pass over the text with a JsonScanner; whole replies and stream events share their field
// readers.
#include "inference/http/reply.h"

#include <algorithm>

#include "harness/json.h"
#include "harness/json_scanner.h"
#include "harness/status.h"
#include "harness/text.h"
#include "harness/token_logprobs.h"
#include "harness/types.h"

namespace assay::http {
namespace {

constexpr int64_t kMaxChoices = 4096;
constexpr size_t kMessageBytes = 300;
constexpr size_t kReserveAtMost = size_t{128} << 10;

std::string_view KindAt(char first) {
  switch (first) {
    case '{':
      return "an object";
    case '[':
      return "an array";
    case '"':
      return "a string";
    case 't':
    case 'f':
      return "a boolean";
    case 'n':
      return "null";
    case '\0':
      return "the end";
    default:
      return first == '-' || (first >= '0' && first <= '9') ? "a number" : "no value";
  }
}

// What a message, a delta or a text choice holds.
struct Said {
  std::optional<std::string> content;
  std::optional<std::string> reasoning;
  std::optional<std::string> refusal;
  std::string_view content_kind = "nothing";  // what stood in its place
};

// A string, or the text parts of a list (some servers send {"type": "text", "text": ...} objects,
// and {"type": "thinking"} ones beside them). Anything else is nothing.
void ReadContent(JsonScanner* scanner, Said* said) {
  said->content_kind = KindAt(scanner->Peek());
  if (scanner->Peek() == '"') {
    std::string& content = said->content.emplace();
    content.reserve(std::min(scanner->bytes_left(), kReserveAtMost));  // most of a reply is content
    scanner->ReadString(&content);
    return;
  }
  const std::string_view raw = scanner->Raw();
  if (said->content_kind != "an array" || scanner->failed()) return;
  const absl::StatusOr<Json> parts = ParseJson(ToValidUtf8(raw));
  if (!parts.ok()) return;
  for (const Json& part : parts->AsArray()) {
    if (const auto text = part.FindString("text")) {
      said->content = said->content.value_or("") + *text;
    } else if (const auto thinking = part.FindString("thinking")) {
      said->reasoning = said->reasoning.value_or("") + *thinking;
    }
  }
}

// A string that is there and not null.
void ReadOptionalString(JsonScanner* scanner, std::optional<std::string>* value) {
  if (scanner->Peek() == '"') {
    scanner->ReadString(&value->emplace());
  } else {
    scanner->Skip();
  }
}

void ReadMessage(JsonScanner* scanner, Said* said) {
  if (scanner->Peek() != '{') {
    scanner->Skip();
    return;
  }
  scanner->BeginObject();
  std::string name;
  while (scanner->NextMember(&name)) {
    if (name == "content") {
      ReadContent(scanner, said);
    } else if (name == "reasoning_content" || name == "reasoning") {
      // Servers that send both send the same text twice; an empty or null one never hides the
      // other.
      std::optional<std::string> text;
      ReadOptionalString(scanner, &text);
      if (text && (!said->reasoning || !text->empty())) said->reasoning = std::move(text);
    } else if (name == "refusal") {
      ReadOptionalString(scanner, &said->refusal);
    } else {
      scanner->Skip();
    }
  }
}

struct ReadChoice {
  int64_t index = 0;
  Said said;
  std::optional<std::string> finish;
  std::optional<std::string> logprobs;
};

absl::Status ReadChoiceObject(JsonScanner* scanner, bool logprobs, ReadChoice* choice) {
  scanner->BeginObject();
  std::string name;
  while (scanner->NextMember(&name)) {
    if (name == "message" || name == "delta") {
      ReadMessage(scanner, &choice->said);
    } else if (name == "text") {
      ReadContent(scanner, &choice->said);
    } else if (name == "finish_reason") {
      ReadOptionalString(scanner, &choice->finish);
    } else if (name == "index") {
      scanner->ReadInteger(&choice->index);
    } else if (name == "logprobs" && logprobs) {
      std::string packed;
      ASSIGN_OR_RETURN(const bool found, ReadLogprobs(scanner, &packed));
      if (found) choice->logprobs = std::move(packed);
    } else {
      scanner->Skip();
    }
  }
  return absl::OkStatus();
}

void ReadCount(JsonScanner* scanner, std::optional<int64_t>* count) {
  int64_t value = 0;
  if (scanner->ReadInteger(&value) && value >= 0) *count = value;
}

void ReadUsage(JsonScanner* scanner, ReplyUsage* usage) {
  if (scanner->Peek() != '{') {
    scanner->Skip();
    return;
  }
  scanner->BeginObject();
  std::string name;
  while (scanner->NextMember(&name)) {
    if (name == "prompt_tokens") {
      ReadCount(scanner, &usage->prompt);
    } else if (name == "completion_tokens") {
      ReadCount(scanner, &usage->completion);
    } else if (name == "reasoning_tokens") {
      ReadCount(scanner, &usage->reasoning);
    } else if (name == "completion_tokens_details") {
      ReadUsage(scanner, usage);
    } else {
      scanner->Skip();
    }
  }
}

absl::Status ErrorStatus(std::string_view raw) {
  std::string message = ErrorMessage(absl::StrFormat("{\"error\":%s}", raw));
  return Unavailable("the server replied with an error: %s", message.empty() ? raw : message);
}

// The members of a reply or of a stream event. `on_choice` takes each element of `choices`.
template <typename OnChoice>
absl::Status ReadReply(JsonScanner* scanner, bool logprobs, Reply* reply, bool* has_choices,
                       OnChoice on_choice) {
  const char first = scanner->Peek();
  if (first != '{') return InvalidArgument("expected a JSON object, found %s", KindAt(first));
  scanner->BeginObject();
  std::string name, object, message;
  while (scanner->NextMember(&name)) {
    const char kind = scanner->Peek();
    if (name == "choices" && kind == '[') {
      if (*has_choices) return InvalidArgument("field 'choices': expected one, found two");
      *has_choices = true;
      scanner->BeginArray();
      while (scanner->NextElement()) {
        if (scanner->Peek() != '{') {
          return InvalidArgument("field 'choices': expected objects, found %s",
                                 KindAt(scanner->Peek()));
        }
        ReadChoice choice;
        RETURN_IF_ERROR(ReadChoiceObject(scanner, logprobs, &choice));
        if (scanner->failed()) break;
        RETURN_IF_ERROR(on_choice(std::move(choice)));
      }
    } else if (name == "choices" && kind != 'n') {
      return InvalidArgument("field 'choices': expected an array, found %s", KindAt(kind));
    } else if (name == "error" && kind != 'n') {
      const std::string_view raw = scanner->Raw();
      if (!scanner->failed()) return ErrorStatus(raw);
    } else if (name == "usage") {
      ReadUsage(scanner, &reply->usage);
    } else if (name == "model" && kind == '"') {
      scanner->ReadString(&reply->model);
    } else if (name == "object" && kind == '"') {
      scanner->ReadString(&object);
    } else if (name == "message" && kind == '"') {
      scanner->ReadString(&message);
    } else {
      scanner->Skip();
    }
  }
  reply->repaired |= scanner->repaired();
  RETURN_IF_ERROR(scanner->Finish());
  // vLLM's older form: {"object": "error", "message": ...}.
  if (object != "error") return absl::OkStatus();
  return ErrorStatus(Json(message).Dump());
}

// Not an answer but a request given up by the server.
absl::Status Aborted(std::string_view finish) {
  return Unavailable("the server gave up: finish_reason '%s'", finish);
}

// The choice as it will be used. No content at all is an answer only where something else says why:
// thinking in its own field, a refusal, or a budget that ran out.
absl::StatusOr<ReplyChoice> Settled(ReadChoice read, size_t position) {
  ReplyChoice choice;
  choice.index = static_cast<int>(std::clamp<int64_t>(read.index, 0, kMaxChoices));
  choice.finish = std::move(read.finish).value_or("");
  choice.logprobs = std::move(read.logprobs);
  if (FinishTellsFailure(choice.finish)) return Aborted(choice.finish);
  Said& said = read.said;
  const bool thought = said.reasoning && !said.reasoning->empty();
  if (said.content) {
    choice.content = *std::move(said.content);
  } else if (said.refusal) {
    choice.content = *std::move(said.refusal);
  } else if (!thought && FinishReasonFromName(choice.finish) != FinishReason::kLength) {
    return InvalidArgument("field 'choices[%d]': expected content, found %s", position,
                           said.content_kind);
  }
  choice.reasoning = std::move(said.reasoning);
  return choice;
}

}  // namespace

absl::StatusOr<Reply> ParseReply(std::string_view body, bool logprobs) {
  Reply reply;
  bool has_choices = false;
  JsonScanner scanner(body);
  const auto take = [&](ReadChoice read) -> absl::Status {
    ASSIGN_OR_RETURN(ReplyChoice choice, Settled(std::move(read), reply.choices.size()));
    reply.choices.push_back(std::move(choice));
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(ReadReply(&scanner, logprobs, &reply, &has_choices, take));
  if (!has_choices) return InvalidArgument("field 'choices': expected an array, found none");
  if (reply.choices.empty()) {
    return InvalidArgument("field 'choices': expected at least one choice, found none");
  }
  std::stable_sort(reply.choices.begin(), reply.choices.end(),
                   [](const ReplyChoice& a, const ReplyChoice& b) { return a.index < b.index; });
  return reply;
}

absl::Status EventReader::Feed(std::string_view bytes) {
  while (error_.ok() && !done_ && !bytes.empty()) {
    const size_t end = bytes.find('\n');
    if (end == bytes.npos) {
      line_ += bytes;
      break;
    }
    if (line_.empty()) {
      error_ = Line(bytes.substr(0, end));
    } else {
      line_ += bytes.substr(0, end);
      const std::string line = std::move(line_);
      line_.clear();
      error_ = Line(line);
    }
    bytes.remove_prefix(end + 1);
  }
  return error_;
}

absl::Status EventReader::Line(std::string_view line) {
  if (!line.starts_with("data:")) return absl::OkStatus();  // a comment that keeps us alive, a name
  const std::string_view payload = Trim(line.substr(5));
  if (payload == "[DONE]") {
    done_ = true;
    return absl::OkStatus();
  }
  return payload.empty() ? absl::OkStatus() : Event(payload);
}

absl::Status EventReader::Event(std::string_view json) {
  bool has_choices = false;
  JsonScanner scanner(json);
  const absl::Status status = ReadReply(
      &scanner, logprobs_, &reply_, &has_choices, [this](ReadChoice read) -> absl::Status {
        if (read.index < 0 || read.index >= kMaxChoices) {
          return InvalidArgument("field 'choices': expected an index below %d, found %d",
                                 kMaxChoices, read.index);
        }
        const auto index = static_cast<size_t>(read.index);
        if (choices_.size() <= index) choices_.resize(index + 1);
        Building& building = choices_[index];
        building.choice.index = static_cast<int>(read.index);
        for (const auto* text : {&read.said.content, &read.said.refusal}) {
          if (!*text) continue;
          building.said = true;
          building.choice.content += **text;
        }
        if (read.said.reasoning) {
          if (!building.choice.reasoning) building.choice.reasoning.emplace();
          *building.choice.reasoning += *read.said.reasoning;
        }
        if (read.logprobs) {
          if (!building.choice.logprobs) building.choice.logprobs.emplace();
          *building.choice.logprobs += *read.logprobs;
        }
        if (read.finish && !read.finish->empty()) {
          building.finished = true;
          building.choice.finish = *std::move(read.finish);
          if (FinishTellsFailure(building.choice.finish)) return Aborted(building.choice.finish);
        }
        return absl::OkStatus();
      });
  bytes_ = 0;
  for (const Building& building : choices_) {
    bytes_ += building.choice.content.size();
    if (building.choice.reasoning) bytes_ += building.choice.reasoning->size();
    if (building.choice.logprobs) bytes_ += building.choice.logprobs->size();
  }
  return Annotate(status, "stream");
}

absl::StatusOr<Reply> EventReader::Finish() {
  if (error_.ok() && !done_ && !line_.empty()) error_ = Line(line_);
  RETURN_IF_ERROR(error_);
  if (choices_.empty()) return Unavailable("stream: it ended without a choice");
  for (Building& building : choices_) {
    if (!building.finished) {
      return Unavailable("stream: it ended before choice %d had a finish_reason",
                         building.choice.index);
    }
    const bool thought = building.choice.reasoning && !building.choice.reasoning->empty();
    if (!building.said && !thought &&
        FinishReasonFromName(building.choice.finish) != FinishReason::kLength) {
      return InvalidArgument("stream: choice %d: expected content, found none",
                             building.choice.index);
    }
    reply_.choices.push_back(std::move(building.choice));
  }
  choices_.clear();
  return std::move(reply_);
}

std::string ErrorMessage(std::string_view body) {
  const absl::StatusOr<Json> json = ParseJson(ToValidUtf8(body.substr(0, 1 << 16)));
  std::string message;
  if (json.ok()) {
    const Json* error = json->Find("error");
    if (error != nullptr && error->is_string()) message = error->AsString();
    if (error != nullptr && error->is_object()) message = error->FindString("message").value_or("");
    if (message.empty()) message = json->FindString("message").value_or("");
    if (message.empty() && json->Find("detail") != nullptr)
      message = json->Find("detail")->ToText();
  } else if (!Trim(body).starts_with('<')) {
    message = ToValidUtf8(body.substr(0, kMessageBytes));
  }
  for (char& c : message) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return Shorten(Trim(message), kMessageBytes);
}

std::string ErrorCode(std::string_view body) {
  const absl::StatusOr<Json> json = ParseJson(ToValidUtf8(body.substr(0, 1 << 16)));
  if (!json.ok()) return "";
  const Json* error = json->Find("error");
  if (error == nullptr) return "";
  if (const auto code = error->FindString("code")) return *code;
  return error->FindString("type").value_or("");
}

}  // namespace assay::http
