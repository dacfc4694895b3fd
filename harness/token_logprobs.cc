// Both of OpenAI's forms come in; its newer one goes out.
#include "harness/token_logprobs.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

static_assert(std::endian::native == std::endian::little);

void AppendNumber(uint64_t value, std::string* out) {
  while (value >= 0x80) {
    out->push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out->push_back(static_cast<char>(value));
}

void AppendChance(const TokenChance& chance, std::string* out) {
  AppendNumber(chance.text.size(), out);
  *out += chance.text;
  char bytes[sizeof(float)];
  std::memcpy(bytes, &chance.logprob, sizeof bytes);
  out->append(bytes, sizeof bytes);
}

// Takes values from the front; false where they are not there.
struct Unpacker {
  std::string_view rest;

  bool Number(uint64_t* value) {
    *value = 0;
    for (int shift = 0; shift < 64 && !rest.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest[0]);
      rest.remove_prefix(1);
      *value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }
  bool Chance(TokenChance* chance) {
    uint64_t size = 0;
    if (!Number(&size) || size > rest.size()) return false;
    chance->text = rest.substr(0, size);
    rest.remove_prefix(size);
    if (rest.size() < sizeof(float)) return false;
    std::memcpy(&chance->logprob, rest.data(), sizeof(float));
    rest.remove_prefix(sizeof(float));
    return true;
  }
  bool Token(LoggedToken* token) {
    uint64_t count = 0;
    if (!Chance(&token->drawn) || !Number(&count)) return false;
    if (count > rest.size()) return false;  // each takes more than a byte
    token->top.resize(count);
    for (TokenChance& chance : token->top) {
      if (!Chance(&chance)) return false;
    }
    return true;
  }
};

// Servers write the least float, or less, for what cannot be: JSON has no infinity.
float Finite(double value) {
  constexpr double kMost = std::numeric_limits<float>::max();
  return static_cast<float>(std::clamp(value, -kMost, kMost));
}

Json ToJson(float value) {
  if (std::isnan(value)) return Json();
  value = Finite(value);
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;  // the shortest that is it
  return Json::MakeNumber(value, std::string(text, end));
}

Json ToJson(const TokenChance& chance) {
  Json json =
      Json::MakeObject({{"token", ToValidUtf8(chance.text)}, {"logprob", ToJson(chance.logprob)}});
  if (!FirstInvalidUtf8(chance.text)) return json;
  Json bytes = Json::MakeArray();
  for (const char byte : chance.text) bytes.Append(int{static_cast<unsigned char>(byte)});
  json.Set("bytes", std::move(bytes));
  return json;
}

absl::Status WrongField(std::string_view field, std::string_view wanted, std::string_view found) {
  return InvalidArgument("field 'logprobs.%s': expected %s, found %s", field, wanted, found);
}

// --- the form of chat completions: one pass, nothing is built ---

// The value of "bytes" where it is a list of them. Anything else stands for nothing: the token's
// text is there.
void ReadBytes(JsonScanner* scanner, std::string* bytes) {
  bytes->clear();
  if (scanner->Peek() != '[') {
    scanner->Skip();
    return;
  }
  scanner->BeginArray();
  bool fine = true;
  while (scanner->NextElement()) {
    int64_t byte = -1;
    fine = scanner->ReadInteger(&byte) && byte >= 0 && byte <= 255 && fine;
    bytes->push_back(static_cast<char>(byte));
  }
  if (!fine) bytes->clear();
}

class EntryReader {
 public:
  // `list` is the field's name, for messages.
  EntryReader(JsonScanner* scanner, std::string_view list) : scanner_(scanner), list_(list) {}

  absl::Status ReadList(std::string* packed) {
    if (scanner_->Peek() != '[') return Wrong("", "a list", scanner_->Raw());
    scanner_->BeginArray();
    LoggedToken token;
    for (; scanner_->NextElement(); ++place_) {
      token.top.clear();
      RETURN_IF_ERROR(ReadEntry(&token.drawn, &token.top));
      if (scanner_->failed()) break;
      AppendLoggedToken(token, packed);
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Wrong(std::string_view member, std::string_view wanted,
                     std::string_view found) const {
    std::string field = list_;
    if (!member.empty()) field += absl::StrFormat("[%d]%s", place_, member);
    return WrongField(field, wanted, found.empty() ? "nothing" : Shorten(ToValidUtf8(found), 60));
  }

  // `top`: where its alternatives go; null for one of them.
  absl::Status ReadEntry(TokenChance* chance, std::vector<TokenChance>* top) {
    const std::string_view inside = top == nullptr ? ".top_logprobs[]" : "";
    if (scanner_->Peek() != '{')
      return Wrong(absl::StrFormat("%s.", inside), "an object", scanner_->Raw());
    scanner_->BeginObject();
    bool has_text = false, has_logprob = false;
    std::string bytes;
    while (scanner_->NextMember(&name_)) {
      const std::string member = absl::StrFormat("%s.%s", inside, name_);
      if (name_ == "token") {
        if (scanner_->Peek() != '"') return Wrong(member, "a string", scanner_->Raw());
        has_text = scanner_->ReadString(&chance->text);
      } else if (name_ == "logprob") {
        double value = 0;
        const std::string_view raw = scanner_->Raw();
        if (!JsonScanner(raw).ReadNumber(&value)) return Wrong(member, "a number", raw);
        chance->logprob = Finite(value);
        has_logprob = true;
      } else if (name_ == "bytes") {
        ReadBytes(scanner_, &bytes);
      } else if (name_ == "top_logprobs" && top != nullptr && scanner_->Peek() == '[') {
        scanner_->BeginArray();
        while (scanner_->NextElement()) RETURN_IF_ERROR(ReadEntry(&top->emplace_back(), nullptr));
      } else {
        scanner_->Skip();
      }
    }
    if (scanner_->failed()) return absl::OkStatus();  // told by the scanner
    if (!has_text) return Wrong(absl::StrFormat("%s.token", inside), "a string", "");
    if (!has_logprob) return Wrong(absl::StrFormat("%s.logprob", inside), "a number", "");
    if (!bytes.empty()) chance->text = std::move(bytes);
    return absl::OkStatus();
  }

  JsonScanner* scanner_;
  std::string list_;
  int64_t place_ = 0;
  std::string name_;
};

// --- the form of completions: lists side by side ---

absl::Status ReadTopMap(const Json& map, std::string_view field, std::vector<TokenChance>* top) {
  if (map.is_null()) return absl::OkStatus();
  if (!map.is_object()) return WrongField(field, "an object", KindName(map));
  for (const auto& [text, logprob] : map.AsMembers()) {
    if (!logprob.is_number()) return WrongField(field, "numbers", Shorten(logprob.Dump(), 60));
    top->push_back({text, Finite(logprob.AsNumber())});
  }
  return absl::OkStatus();
}

absl::Status ReadSideBySide(const Json& lists, std::string* packed) {
  const Json* tokens = lists.Find("tokens");
  const Json* logprobs = lists.Find("token_logprobs");
  const Json* top = lists.Find("top_logprobs");
  if (logprobs == nullptr || !logprobs->is_array() || !tokens->is_array() ||
      logprobs->size() != tokens->size()) {
    return WrongField("token_logprobs", "as many numbers as tokens",
                      logprobs == nullptr ? "nothing" : Shorten(logprobs->Dump(), 60));
  }
  const bool has_top = top != nullptr && top->is_array();
  if (has_top && top->size() != tokens->size()) {
    return WrongField("top_logprobs", "as many objects as tokens",
                      absl::StrFormat("%d", top->size()));
  }
  for (size_t i = 0; i < tokens->size(); ++i) {
    const Json& text = tokens->AsArray()[i];
    const Json& logprob = logprobs->AsArray()[i];
    if (!text.is_string()) {
      return WrongField(absl::StrFormat("tokens[%d]", i), "a string", Shorten(text.Dump(), 60));
    }
    if (!logprob.is_number()) {
      return WrongField(absl::StrFormat("token_logprobs[%d]", i), "a number",
                        Shorten(logprob.Dump(), 60));
    }
    LoggedToken token{{text.AsString(), Finite(logprob.AsNumber())}, {}};
    if (has_top) {
      RETURN_IF_ERROR(
          ReadTopMap(top->AsArray()[i], absl::StrFormat("top_logprobs[%d]", i), &token.top));
    }
    AppendLoggedToken(token, packed);
  }
  return absl::OkStatus();
}

}  // namespace

void AppendLoggedToken(const LoggedToken& token, std::string* packed) {
  AppendChance(token.drawn, packed);
  AppendNumber(token.top.size(), packed);
  for (const TokenChance& chance : token.top) AppendChance(chance, packed);
}

absl::Status ForEachLoggedToken(std::string_view packed,
                                const std::function<absl::Status(const LoggedToken&)>& visit) {
  Unpacker unpacker{packed};
  LoggedToken token;
  while (!unpacker.rest.empty()) {
    if (!unpacker.Token(&token)) {
      return absl::DataLossError("log-probabilities: a token that is not whole");
    }
    RETURN_IF_ERROR(visit(token));
  }
  return absl::OkStatus();
}

absl::StatusOr<Json> LogprobsToJson(std::string_view packed) {
  Json content = Json::MakeArray();
  RETURN_IF_ERROR(ForEachLoggedToken(packed, [&](const LoggedToken& token) {
    Json entry = ToJson(token.drawn);
    Json top = Json::MakeArray();
    for (const TokenChance& chance : token.top) top.Append(ToJson(chance));
    entry.Set("top_logprobs", std::move(top));
    content.Append(std::move(entry));
    return absl::OkStatus();
  }));
  return Json::MakeObject({{"content", std::move(content)}});
}

absl::StatusOr<bool> ReadLogprobs(JsonScanner* scanner, std::string* packed) {
  if (scanner->Peek() == 'n') {
    scanner->Skip();
    return false;
  }
  const std::string_view whole = scanner->Raw();
  if (scanner->failed()) return false;
  if (!whole.starts_with('{')) {
    return InvalidArgument("field 'logprobs': expected an object, found %s",
                           Shorten(ToValidUtf8(whole), 60));
  }
  JsonScanner members(whole);
  members.BeginObject();
  std::string name, thought, said;
  bool any = false;
  while (members.NextMember(&name)) {
    const bool is_list = members.Peek() != 'n';
    if (name == "tokens" && is_list) {
      ASSIGN_OR_RETURN(const Json lists, ParseJson(ToValidUtf8(whole)));
      RETURN_IF_ERROR(ReadSideBySide(lists, packed));
      return true;
    }
    const bool thinking = name == "reasoning_content";
    if (is_list && (thinking || name == "content" || name == "refusal")) {
      RETURN_IF_ERROR(EntryReader(&members, name).ReadList(thinking ? &thought : &said));
      any = true;
    } else {
      members.Skip();
    }
  }
  *packed += thought;
  *packed += said;
  return any;
}

absl::StatusOr<bool> ReadLogprobs(const Json& logprobs, std::string* packed) {
  const std::string text = logprobs.Dump();
  JsonScanner scanner(text);
  return ReadLogprobs(&scanner, packed);
}

}  // namespace assay
