// A changed tokenizer.json over any text: refused, or it decodes to the same bytes and holds
// control tokens off. Input: a text, NUL, a JSON object of replacements ("model" member by member).
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "harness/text.h"
#include "inference/engine/nfc.h"
#include "inference/engine/tokenizer.h"
#include "tests/engine_vocabulary.h"

namespace assay {
namespace {

void Require(bool holds) { holds ? void() : std::abort(); }

Json Changed(const Json& changes) {
  Json json = testing_support::SmallTokenizer();
  for (const Json::Member& member : changes.AsMembers()) {
    const bool is_model = member.first == "model" && member.second.is_object();
    if (!is_model) json.Set(member.first, member.second);
    if (!is_model || json.Find("model") == nullptr) continue;
    for (const auto& [field, value] : member.second.AsMembers())
      json.Find("model")->Set(field, value);
  }
  return json;
}

void Check(const std::shared_ptr<const Tokenizer>& tokenizer, std::string_view text) {
  const std::vector<int> plain = tokenizer->Encode(text, false);
  const std::string decoded = tokenizer->Decode(plain, false);
  Require(decoded == text || decoded == ToNfc(text));
  TokenStream stream(tokenizer, false);
  std::string streamed;
  for (const int id : plain) streamed += stream.Append(id);
  Require(streamed + stream.Finish() == ToValidUtf8(decoded));
  const std::string separator = "\uFDD0";
  if (Contains(text, separator) || FirstInvalidUtf8(text)) return;
  const std::string apart = tokenizer->Separate(text, separator, false);
  for (const int id : tokenizer->EncodeSeparated(apart, separator))
    Require(!tokenizer->IsAdded(id));
}

}  // namespace
}  // namespace assay

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  static const auto* small = new std::shared_ptr<const Tokenizer>(
      *Tokenizer::Parse(testing_support::SmallTokenizer().Dump(), "fuzz", {}));
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(bytes.find('\0'), size);
  Check(*small, bytes.substr(0, end));
  const auto changes = ParseJson(bytes.substr(std::min(end + 1, size)));
  if (!changes.ok() || !changes->is_object()) return 0;
  const auto tokenizer = Tokenizer::Parse(Changed(*changes).Dump(), "fuzz", {});
  if (tokenizer.ok()) Check(*tokenizer, bytes.substr(0, end));
  return 0;
}
