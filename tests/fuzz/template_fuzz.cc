// Any template over any context, under small limits: it ends, within its limits, the same way
// twice (where holes are forbidden: the same, or an error), and an error names a line. The bytes
// are the source, a NUL, and the context as JSON.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "harness/template.h"
#include "harness/text.h"

namespace assay {
namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

// "fuzz:LINE: ..."
bool NamesALine(const absl::Status& status) {
  const std::string message(status.message());
  if (!message.starts_with("fuzz:")) return false;
  const size_t colon = message.find(':', 5);
  return colon != std::string::npos && ParseInt(message.substr(5, colon - 5)).value_or(0) >= 1;
}

const Json& StandardContext() {
  static const auto* context = new Json(*ParseJson(
      R"({"s": "héllo World", "n": 3, "f": -2.5, "none": null, "l": [3, 1, 2], "e": [],
          "d": {"a": 1, "items": {"b": "x"}}, "big": 123456789012345678901234567890,
          "messages": [{"role": "user", "content": " Hi "}, {"role": "assistant", "content": null}],
          "add_generation_prompt": true})"));
  return *context;
}

}  // namespace
}  // namespace assay

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(bytes.find('\0'), size);
  const absl::StatusOr<Template> parsed = Template::Parse(bytes.substr(0, end), "fuzz");
  if (!parsed.ok()) {
    Require(NamesALine(parsed.status()));
    return 0;
  }
  for (const std::string& name : parsed->NamesRead()) Require(!name.empty());
  const absl::StatusOr<Json> given = ParseJson(bytes.substr(std::min(end + 1, size)));
  const TemplateLimits limits = {
      .max_steps = 20'000, .max_output_bytes = 1 << 16, .max_memory_bytes = 4 << 20};
  const Json& context = given.ok() && given->is_object() ? *given : StandardContext();
  const absl::StatusOr<std::string> text = parsed->Render(context, limits);
  if (text.ok()) {
    Require(text->size() <= limits.max_output_bytes);
    Require(!FirstInvalidUtf8(*text).has_value());
  } else {
    Require(NamesALine(text.status()));
  }
  const absl::StatusOr<std::string> again = parsed->Render(context, limits);
  Require(again.status() == text.status() && (!text.ok() || *again == *text));
  // Where holes are forbidden, it is an error or the same text.
  TemplateLimits strict = limits;
  strict.write_holes = false;
  std::vector<std::string> blank;
  const absl::StatusOr<std::string> whole = parsed->Render(context, strict, &blank);
  Require(whole.ok() ? text.ok() && *whole == *text : NamesALine(whole.status()));
  for (const std::string& name : blank) Require(!name.empty());
  for (const std::string& name : parsed->MembersRead("d")) Require(!name.empty());
  return 0;
}
