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

// The string, or the "default" of a list of named templates.
absl::StatusOr<std::string> TemplateOf(const Json& config, const std::string& path) {
  const Json* value = config.Find("chat_template");
  if (value == nullptr || value->is_null()) return std::string();
  if (value->is_string()) return value->AsString();
  if (value->is_array()) {
    for (const Json& named : value->AsArray()) {
      const std::optional<std::string> text = named.FindString("template");
      if (text && named.FindString("name") == "default") return *text;
    }
  }
  return InvalidArgument(
      "%s: field 'chat_template': expected a string, or a list with one named 'default'", path);
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
  return std::shared_ptr<const ChatFormat>(std::move(chat));
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
