// Fuzzes the reader of server replies: it is total, agrees with the general JSON reader on what is
// JSON, and reads a stream the same in whatever pieces it comes.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "harness/json.h"
#include "harness/json_scanner.h"
#include "harness/status.h"
#include "harness/text.h"
#include "inference/http/reply.h"

namespace {

using assay::JsonScanner;
using assay::http::EventReader;

// A repeated name is left to the package: it must read the same value.
void CompareValues(std::string_view text) {
  const absl::StatusOr<assay::Json> fast = assay::ParseJson(text);
  if (!fast.ok()) return;
  const absl::StatusOr<assay::Json> slow =
      assay::ParseJson("{\"a\":0,\"a\":" + std::string(text) + "}");
  if (!slow.ok() && assay::Contains(slow.status().ToString(), "nested deeper")) return;
  CHECK(slow.ok() && slow->Find("a")->Dump() == fast->Dump());
}

// Half surrogate pairs and deep nesting are where the two readers differ on purpose.
void CompareReaders(std::string_view text) {
  if (assay::FirstInvalidUtf8(text) || assay::Contains(text, "\\u")) return;
  JsonScanner scanner(text);
  scanner.Skip();
  const bool fast = scanner.Finish().ok();
  const bool general = assay::ParseJson(text).ok();
  // Numbers beyond a double's range are JSON, but not for the general reader.
  if (fast && !general && text.find_first_of("eE0123456789") != text.npos) return;
  CHECK(fast == general);
}

std::string ReadStream(std::string_view bytes, size_t step) {
  EventReader reader(/*logprobs=*/true);
  for (size_t at = 0; at < bytes.size(); at += step) (void)reader.Feed(bytes.substr(at, step));
  const auto reply = reader.Finish();
  if (!reply.ok()) return reply.status().ToString();
  std::string text;
  for (const auto& choice : reply->choices) {
    CHECK(!assay::FirstInvalidUtf8(choice.content));
    text += choice.content + "|" + choice.reasoning.value_or("-") + "|" + choice.finish + "|" +
            choice.logprobs.value_or("-") + "\n";
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CompareReaders(text);
  CompareValues(text);
  if (const auto reply = assay::http::ParseReply(text); reply.ok()) {
    CHECK(!reply->choices.empty());
    for (const auto& choice : reply->choices) CHECK(!assay::FirstInvalidUtf8(choice.content));
  }
  (void)assay::http::ParseReply(text, /*logprobs=*/true);
  CHECK(ReadStream(text, text.size() + 1) == ReadStream(text, 3));
  CHECK(!assay::FirstInvalidUtf8(assay::http::ErrorMessage(text)));
  (void)assay::http::ErrorCode(text);
  return 0;
}
