// A separator that occurs in no message is put inside every control token that a message holds; it
// passes through the template unseen, keeps the token from being found, and vanishes in encoding.
#include "inference/engine/chat.h"

#include <algorithm>

#include "harness/status.h"
#include "harness/text.h"
#include "inference/engine/mapped_file.h"

namespace assay {
namespace {

constexpr size_t kMaxTemplateBytes = 4 << 20;
constexpr std::string_view kThinkOpen = "<think>";
constexpr std::string_view kThinkClose = "</think>";
constexpr std::string_view kThinkPrefix = "<think>\n";
// Texts that no template holds.
constexpr std::string_view kUserProbe = "Is 4417 a prime?";
constexpr std::string_view kSystemProbe = "Answer in 29 words.";
constexpr std::string_view kEarlierProbe = "Is 4421 a prime?";
constexpr std::string_view kReplyProbe = "4421 is one.";
constexpr std::string_view kR1Assistant = "<｜Assistant｜>";

// A noncharacter of Unicode: no text that means anything holds it, and no template cares.
absl::StatusOr<std::string> UnusedSeparator(const Prompt& prompt) {
  for (char32_t candidate = 0xFDD0; candidate <= 0xFDEF; ++candidate) {
    std::string separator;
    AppendUtf8(candidate, &separator);
    const auto holds = [&](const Message& message) { return Contains(message.text, separator); };
    if (std::none_of(prompt.messages.begin(), prompt.messages.end(), holds)) return separator;
  }
  return InvalidArgument("the messages hold all 32 noncharacters from U+FDD0 to U+FDEF");
}

// A template that is there and says nothing is a slip, not a wish: Hugging Face would render it to
// nothing.
absl::Status CheckNotEmpty(std::string_view source, std::string_view where) {
  if (!Trim(source).empty()) return absl::OkStatus();
  return InvalidArgument(
      "%s: the chat template is empty, so that the model would be shown nothing; --model-args "
      "chat_template=none sends a prompt's text as it is",
      where);
}

// The string, or the "default" of a list of named templates.
absl::StatusOr<std::string> TemplateOf(const Json& config, const std::string& path) {
  const Json* value = config.Find("chat_template");
  if (value == nullptr || value->is_null()) return std::string();
  const std::string where = path + ": field 'chat_template'";
  if (value->is_string()) {
    RETURN_IF_ERROR(CheckNotEmpty(value->AsString(), where));
    return value->AsString();
  }
  if (value->is_array()) {
    for (const Json& named : value->AsArray()) {
      const std::optional<std::string> text = named.FindString("template");
      if (!text || named.FindString("name") != "default") continue;
      RETURN_IF_ERROR(CheckNotEmpty(*text, where));
      return *text;
    }
  }
  return InvalidArgument(
      "%s: field 'chat_template': expected a string, or a list with one named 'default'", path);
}

int Occurrences(std::string_view text, std::string_view part) {
  int count = 0;
  for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + part.size())) {
    ++count;
  }
  return count;
}

bool EndsInThink(std::string_view text) { return TrimRight(text).ends_with(kThinkOpen); }

// Only the end of the conversation and the forced prefix count: a problem may talk of <think>.
bool LeavesThinkOpen(std::string_view conversation, std::string_view prefix) {
  const size_t close = prefix.rfind(kThinkClose);
  const size_t open = prefix.rfind(kThinkOpen);
  if (open != std::string_view::npos) return close == std::string_view::npos || close < open;
  return EndsInThink(conversation) && close == std::string_view::npos;
}

}  // namespace

std::optional<ThinkPrefix> ThinkPrefixFromName(std::string_view name) {
  if (name == "auto") return ThinkPrefix::kAuto;
  if (name == "always") return ThinkPrefix::kAlways;
  if (name == "never") return ThinkPrefix::kNever;
  return std::nullopt;
}

absl::StatusOr<std::shared_ptr<const ChatFormat>> ChatFormat::Open(
    const std::string& directory, std::shared_ptr<const Tokenizer> tokenizer,
    const ChatOptions& options) {
  const std::string file = directory + "/chat_template.jinja";
  if (FileExists(file)) {
    ASSIGN_OR_RETURN(const std::string source, ReadTextFile(file, kMaxTemplateBytes));
    RETURN_IF_ERROR(CheckNotEmpty(source, file));
    return Make(source, file, std::move(tokenizer), options);
  }
  const std::string config_path = directory + "/tokenizer_config.json";
  if (!FileExists(config_path)) return Make("", "", std::move(tokenizer), options);
  ASSIGN_OR_RETURN(const std::string text, ReadTextFile(config_path, 4 * kMaxTemplateBytes));
  absl::StatusOr<Json> config = ParseJson(text);
  if (!config.ok()) return Annotate(config.status(), config_path);
  ASSIGN_OR_RETURN(const std::string source, TemplateOf(*config, config_path));
  return Make(source, config_path + ": chat_template", std::move(tokenizer), options);
}

absl::StatusOr<std::shared_ptr<const ChatFormat>> ChatFormat::Make(
    std::string_view source, std::string_view name, std::shared_ptr<const Tokenizer> tokenizer,
    const ChatOptions& options) {
  if (tokenizer == nullptr) {
    return FailedPrecondition("a conversation needs a tokenizer, and there is no tokenizer.json");
  }
  auto chat = std::shared_ptr<ChatFormat>(new ChatFormat);
  chat->tokenizer_ = std::move(tokenizer);
  chat->options_ = options;
  if (!options.variables.is_null() && !options.variables.is_object()) {
    return InvalidArgument("template variables: expected an object, found %s",
                           KindName(options.variables));
  }
  if (source.empty()) return std::shared_ptr<const ChatFormat>(std::move(chat));
  if (FirstInvalidUtf8(source)) return InvalidArgument("%s: is not valid UTF-8", name);
  ASSIGN_OR_RETURN(chat->template_, Template::Parse(source, name));
  chat->source_ = source;
  chat->origin_ = name;
  const Message user = {"user", std::string(kUserProbe)};
  chat->shows_system_ = chat->ShowsAll({{"system", std::string(kSystemProbe)}, user});
  chat->shows_turns_ = chat->ShowsAll(
      {{"user", std::string(kEarlierProbe)}, {"assistant", std::string(kReplyProbe)}, user});
  return std::shared_ptr<const ChatFormat>(std::move(chat));
}

// True too where the template refuses these messages: it says so itself when it is asked.
bool ChatFormat::ShowsAll(const std::vector<Message>& messages) const {
  Prompt prompt;
  prompt.messages = messages;
  const absl::StatusOr<std::string> text = RenderTemplate(prompt, "");
  return !text.ok() || std::all_of(messages.begin(), messages.end(), [&](const Message& message) {
    return Contains(*text, message.text);
  });
}

absl::Status ChatFormat::Check() const {
  if (!template_) return absl::OkStatus();
  Prompt prompt;
  prompt.messages.push_back({"user", std::string(kUserProbe)});
  absl::StatusOr<std::string> text = RenderTemplate(prompt, "");
  if (!text.ok()) return Annotate(text.status(), "a conversation of one user message");
  const int shown = Occurrences(*text, kUserProbe);
  if (shown == 1) return absl::OkStatus();
  const std::string what = Trim(*text).empty() ? "renders to nothing"
                           : shown == 0        ? "never shows the user's text"
                                        : absl::StrFormat("shows the user's text %d times", shown);
  return InvalidArgument(
      "%s: the chat template %s: '%s' becomes '%s'; --model-args chat_template=none sends a "
      "prompt's text as it is",
      origin_, what, kUserProbe, Printable(Shorten(*text, 200)));
}

std::vector<std::string> ChatFormat::ignores() const {
  std::vector<std::string> ignored;
  if (!shows_system_) ignored.emplace_back("the system message");
  if (!shows_turns_) ignored.emplace_back("earlier turns");
  return ignored;
}

absl::Status ChatFormat::CheckIsShown(const Prompt& prompt) const {
  const auto has = [&](std::string_view role) {
    return std::any_of(prompt.messages.begin(), prompt.messages.end(),
                       [&](const Message& message) { return message.role == role; });
  };
  if (!shows_system_ && has("system")) {
    return InvalidArgument(
        "%s: the chat template does not show system messages, and this prompt has one", origin_);
  }
  if (!shows_turns_ && has("assistant")) {
    return InvalidArgument(
        "%s: the chat template does not show earlier turns, and this prompt has some (few-shot "
        "examples: as_turns: false puts them into one message)",
        origin_);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ChatFormat::RenderTemplate(const Prompt& prompt,
                                                       std::string_view separator) const {
  Json messages = Json::MakeArray();
  for (const Message& message : prompt.messages) {
    const bool only_special = message.role == "assistant";
    messages.Append(Json::MakeObject(
        {{"role", message.role},
         {"content", tokenizer_->Separate(message.text, separator, only_special)}}));
  }
  Json context = tokenizer_->special_tokens();
  if (options_.variables.is_object()) {
    for (const Json::Member& variable : options_.variables.AsMembers()) {
      context.Set(variable.first, variable.second);
    }
  }
  context.Set("messages", std::move(messages));
  context.Set("add_generation_prompt", true);
  // As Hugging Face passes them: there, and none.
  if (context.Find("tools") == nullptr) context.Set("tools", Json());
  if (context.Find("documents") == nullptr) context.Set("documents", Json());
  return template_->Render(context, {.now_unix_seconds = options_.date_unix_seconds});
}

bool ChatFormat::WantsThink(std::string_view text) const {
  switch (options_.think_prefix) {
    case ThinkPrefix::kNever:
      return false;
    case ThinkPrefix::kAlways:
      return !EndsInThink(text);
    case ThinkPrefix::kAuto:
      return text.ends_with(kR1Assistant) && tokenizer_->TokenId(kThinkOpen).has_value();
  }
  return false;
}

absl::StatusOr<RenderedPrompt> ChatFormat::Render(const Prompt& prompt) const {
  RenderedPrompt out;
  ASSIGN_OR_RETURN(const std::string separator, UnusedSeparator(prompt));
  std::string text;
  if (template_) {
    RETURN_IF_ERROR(CheckIsShown(prompt));
    ASSIGN_OR_RETURN(text, RenderTemplate(prompt, separator));
  } else {
    if (prompt.messages.size() != 1) {
      return FailedPrecondition(
          "the checkpoint has no chat template, so that a prompt must be one message; this one has "
          "%d",
          prompt.messages.size());
    }
    text = tokenizer_->Separate(prompt.messages[0].text, separator, false);
  }
  out.think_added = WantsThink(text);
  if (out.think_added) text += kThinkPrefix;
  std::string_view prefix = prompt.reply_prefix;
  if (prefix.starts_with(kThinkOpen) && EndsInThink(text)) {
    text = std::string(TrimRight(text));
    prefix.remove_prefix(kThinkOpen.size());
  }
  out.think_open = LeavesThinkOpen(text, prompt.reply_prefix);
  text += prefix;
  out.ids = tokenizer_->EncodeSeparated(text, separator);
  if (!template_) {
    out.ids.insert(out.ids.begin(), tokenizer_->prefix_ids().begin(),
                   tokenizer_->prefix_ids().end());
  }
  out.text = ReplaceAll(text, separator, "");
  if (const std::optional<int> bos = tokenizer_->bos()) {
    while (out.leading_bos < static_cast<int>(out.ids.size()) &&
           out.ids[static_cast<size_t>(out.leading_bos)] == *bos) {
      ++out.leading_bos;
    }
  }
  if (out.leading_bos > 1) {
    return InvalidArgument("%s: the prompt begins with %d beginning-of-sequence tokens", origin_,
                           out.leading_bos);
  }
  return out;
}

}  // namespace assay
