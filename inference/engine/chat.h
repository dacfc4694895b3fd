// A conversation as token ids, through the checkpoint's own chat template.
//
// The template is chat_template.jinja where that file exists, else tokenizer_config.json's
// "chat_template" (a string, or a list from which "default" is taken). Without one, a prompt must
// be a single message: its text, with what the tokenizer's post-processor puts around it.
//
// A rendered conversation is encoded without the post-processor, so that no second beginning-of-
// sequence token comes in. Texts of messages cannot inject control tokens: "<|im_end|>" in a
// problem is encoded as the letters it is made of. Where a message holds no such text, the ids are
// those of Hugging Face's apply_chat_template. In assistant messages only special tokens are taken
// apart: templates look for "</think>" in them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/template.h"
#include "harness/types.h"
#include "inference/engine/tokenizer.h"

namespace assay {

// Whether "<think>\n" is put behind the rendered conversation where the template did not.
enum class ThinkPrefix {
  kAuto,  // where the template is DeepSeek-R1's: older revisions end in <｜Assistant｜>
  kAlways,
  kNever,  // what the template itself writes stays
};
std::optional<ThinkPrefix> ThinkPrefixFromName(std::string_view name);  // "auto|always|never"

struct ChatOptions {
  ThinkPrefix think_prefix = ThinkPrefix::kAuto;
  Json variables;  // object or null: more variables for the template (enable_thinking)
  // What templates that ask for the date are told: never the wall clock. 2024-07-26, the date that
  // Llama 3's templates fall back to.
  int64_t date_unix_seconds = 1721952000;
};

struct RenderedPrompt {
  std::string text;
  std::vector<int> ids;
  bool think_open = false;   // it ends inside an open <think>: the reply begins as reasoning
  bool think_added = false;  // by think_prefix, not by the template
  int leading_bos = 0;       // 0 or 1; two are an error
};

// Immutable and thread-safe.
class ChatFormat {
 public:
  // `directory` is the checkpoint's. Errors name the file and, for templates, the line.
  static absl::StatusOr<std::shared_ptr<const ChatFormat>> Open(
      const std::string& directory, std::shared_ptr<const Tokenizer> tokenizer,
      const ChatOptions& options = {});
  // The same with the template's text given; empty: none.
  static absl::StatusOr<std::shared_ptr<const ChatFormat>> Make(
      std::string_view source, std::string_view name, std::shared_ptr<const Tokenizer> tokenizer,
      const ChatOptions& options = {});

  // Renders conversations whose texts are known: an error where the template shows a user's text
  // not at all, or not once. (What it does with system messages and earlier turns is asked when a
  // prompt has them: `ignores`.)
  absl::Status Check() const;
  // What the template leaves out, for people: "the system message", "earlier turns".
  std::vector<std::string> ignores() const;

  // The conversation, then the generation prompt, then the think prefix, then prompt.reply_prefix
  // (in which added tokens are tokens; a "<think>" that already stands there is not repeated).
  absl::StatusOr<RenderedPrompt> Render(const Prompt& prompt) const;

  bool has_template() const { return template_.has_value(); }
  const std::string& source() const { return source_; }  // the template's text
  const std::string& origin() const { return origin_; }  // the file that it came from

 private:
  ChatFormat() = default;
  absl::StatusOr<std::string> RenderTemplate(const Prompt& prompt,
                                             std::string_view separator) const;
  bool ShowsAll(const std::vector<Message>& messages) const;
  absl::Status CheckIsShown(const Prompt& prompt) const;
  bool WantsThink(std::string_view text) const;

  std::string source_, origin_;
  std::optional<Template> template_;
  std::shared_ptr<const Tokenizer> tokenizer_;  // shared with the checkpoint
  ChatOptions options_;
  bool shows_system_ = true, shows_turns_ = true;
};

}  // namespace assay
