// Any template over any problem text: an error that names a line, or a prompt in which the text
// brought in no control token. The bytes are the template, a NUL, and the text.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "harness/text.h"
#include "inference/engine/chat.h"
#include "tests/engine_vocabulary.h"

namespace assay {
namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

constexpr std::string_view kPlain =
    "{{ bos_token }}{% for m in messages %}{{ m.content }}<|end|>{% endfor %}";

int64_t ControlTokens(const Tokenizer& tokenizer, const std::vector<int>& ids) {
  return std::count_if(ids.begin(), ids.end(), [&](int id) { return tokenizer.IsAdded(id); });
}

}  // namespace
}  // namespace assay

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  static const auto* tokenizer = new std::shared_ptr<const Tokenizer>(
      *Tokenizer::Parse(testing_support::SmallTokenizer().Dump(), "fuzz",
                        Json::MakeObject({{"bos_token", "<|begin|>"}})));
  static const auto* plain =
      new std::shared_ptr<const ChatFormat>(*ChatFormat::Make(kPlain, "plain", *tokenizer));
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(bytes.find('\0'), size);
  const std::string text(bytes.substr(std::min(end + 1, size)));
  const Prompt prompt = {.messages = {{"user", text}}};
  const auto simple = (*plain)->Render(prompt);
  // bos, and the template's own end: whatever the text says. A text may use up all separators.
  Require(!simple.ok() || ControlTokens(**tokenizer, simple->ids) == 2);
  const auto chat = ChatFormat::Make(bytes.substr(0, end), "fuzz", *tokenizer);
  if (!chat.ok()) {
    Require(std::string(chat.status().message()).starts_with("fuzz:"));
    return 0;
  }
  const auto rendered = (*chat)->Render(prompt);
  if (!rendered.ok()) return 0;
  for (const int id : rendered->ids) Require(id >= 0 && id < (*tokenizer)->size());
  Require(rendered->leading_bos <= 1);
  return 0;
}
