// Publications may disagree: then every figure is shown, none is chosen.
#include "harness/reference_results.h"

#include <cctype>

#include "absl/strings/str_format.h"
#include "harness/text.h"

namespace assay {
namespace {

std::string PlainName(std::string_view model) {
  while (model.ends_with('/')) model.remove_suffix(1);
  const size_t slash = model.rfind('/');
  if (slash != model.npos) model.remove_prefix(slash + 1);
  std::string plain;
  for (const char c : ToLowerAscii(model)) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) plain += c;
  }
  return plain;
}

std::string ValueText(const ReferenceResult& result) {
  return result.unit == "rating" ? absl::StrFormat("%.0f", result.value)
                                 : absl::StrFormat("%.1f", result.value);
}

}  // namespace

std::vector<ReferenceResult> ReferenceResultsOf(const Json& definition) {
  std::vector<ReferenceResult> results;
  const Json* list = definition.Find("reference_results");
  if (list == nullptr || !list->is_array()) return results;
  for (const Json& item : list->AsArray()) {
    ReferenceResult result;
    result.model = item.FindString("model").value_or("");
    result.metric = item.FindString("metric").value_or("");
    result.value = item.FindNumber("value").value_or(0);
    result.unit = item.FindString("unit").value_or("percent");
    result.source = item.FindString("source").value_or("");
    result.note = item.FindString("note").value_or("");
    results.push_back(std::move(result));
  }
  return results;
}

std::vector<ReferenceResult> PublishedFor(const Json& definition, std::string_view model) {
  std::vector<ReferenceResult> found;
  const std::string wanted = PlainName(model);
  for (ReferenceResult& result : ReferenceResultsOf(definition)) {
    if (!wanted.empty() && PlainName(result.model) == wanted) found.push_back(std::move(result));
  }
  return found;
}

std::string PublishedText(const std::vector<ReferenceResult>& of_model, std::string_view metric) {
  std::vector<std::pair<std::string, std::string>> values;  // value, sources
  for (const ReferenceResult& result : of_model) {
    if (result.metric != metric) continue;
    const std::string value = ValueText(result);
    const std::string source = result.source + (result.note.empty() ? "" : ": " + result.note);
    bool known = false;
    for (auto& [other, sources] : values) {
      if (other != value) continue;
      sources += "; " + source;
      known = true;
    }
    if (!known) values.emplace_back(value, source);
  }
  std::vector<std::string> texts;
  for (const auto& [value, sources] : values) {
    texts.push_back(absl::StrFormat("%s (%s)", value, sources));
  }
  return Join(texts, ", ");
}

}  // namespace assay
