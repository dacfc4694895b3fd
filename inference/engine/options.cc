// One reader for each option; an option that has none does not exist.
#include "inference/engine/options.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

absl::Status Wrong(std::string_view name, const Json& found, std::string_view wanted) {
  return InvalidArgument("--model-args: %s: expected %s, found %s", name, wanted, found.Dump());
}

absl::Status ReadCount(std::string_view name, const Json& value, int least, int most, int* out) {
  if (!value.is_integer() || value.AsInteger() < least || value.AsInteger() > most) {
    return Wrong(name, value, absl::StrFormat("a number from %d to %d", least, most));
  }
  *out = static_cast<int>(value.AsInteger());
  return absl::OkStatus();
}

absl::Status ReadDevice(const Json& value, EngineOptions* options) {
  const std::string text = value.ToText();
  for (const Device device : {Device::kAuto, Device::kCpu, Device::kCuda, Device::kReference}) {
    if (text != DeviceName(device)) continue;
    options->device = device;
    return absl::OkStatus();
  }
  if (text.starts_with("cuda:") || text == "gpu") {
    return InvalidArgument(
        "--model-args: device: expected auto, cpu, cuda or reference, found '%s': a GPU is asked "
        "for by device=cuda, and CUDA_VISIBLE_DEVICES says which",
        text);
  }
  return Wrong("device", value, "auto, cpu, cuda or reference");
}

absl::Status ReadMode(const Json& value, EngineOptions* options) {
  const std::string text = value.ToText();
  if (text != "exact" && text != "fast") return Wrong("mode", value, "exact or fast");
  options->fast = text == "fast";
  return absl::OkStatus();
}

absl::Status ReadWeightFormat(const Json& value, EngineOptions* options) {
  const std::string text = value.ToText();
  if (text != "auto" && text != "bf16" && text != "f32") {
    return Wrong("dtype", value, "auto, bf16 or f32");
  }
  options->weights = text == "auto"   ? WeightFormat::kAuto
                     : text == "bf16" ? WeightFormat::kBf16
                                      : WeightFormat::kF32;
  return absl::OkStatus();
}

absl::Status ReadThink(const Json& value, EngineOptions* options) {
  const std::optional<ThinkPrefix> think = ThinkPrefixFromName(value.ToText());
  if (!think) return Wrong("think", value, "auto, always or never");
  options->chat.think_prefix = *think;
  return absl::OkStatus();
}

// "4GB", "512MB", "1.5e9", 4 (gigabytes, as a bare number up to 4096).
absl::Status ReadMemory(const Json& value, EngineOptions* options) {
  std::string text = ToLowerAscii(value.ToText());
  double unit = 1;
  for (const auto& [name, bytes] : std::initializer_list<std::pair<std::string_view, double>>{
           {"gib", 0x1p30}, {"mib", 0x1p20}, {"gb", 1e9}, {"mb", 1e6}, {"g", 1e9}, {"m", 1e6}}) {
    if (!text.ends_with(name)) continue;
    unit = bytes;
    text.resize(text.size() - name.size());
    break;
  }
  const std::optional<double> number = ParseDouble(Trim(text));
  if (!number || !(*number > 0) || *number * unit > 1e15) {
    return Wrong("kv_memory", value, "a size such as 4GB or 512MB");
  }
  options->kv_memory_bytes = *number * unit;
  if (unit == 1 && *number <= 4096) options->kv_memory_bytes = *number * 1e9;
  return absl::OkStatus();
}

absl::Status ReadChatVariables(const Json& value, EngineOptions* options) {
  if (!value.is_object()) {
    return Wrong("chat_template_kwargs", value, "an object such as {\"enable_thinking\": false}");
  }
  options->chat.variables = value;
  return absl::OkStatus();
}

absl::Status ReadChatTemplate(const Json& value, EngineOptions* options) {
  const std::string text = value.ToText();
  if (text != "auto" && text != "none") return Wrong("chat_template", value, "auto or none");
  options->use_chat_template = text == "auto";
  return absl::OkStatus();
}

absl::Status ReadContext(const Json& value, EngineOptions* options) {
  int context = 0;
  RETURN_IF_ERROR(ReadCount("context", value, 2, 1 << 24, &context));
  options->context = context;
  return absl::OkStatus();
}

struct Reader {
  std::string name;
  std::function<absl::Status(const Json&, EngineOptions*)> read;
};

const std::vector<Reader>& Readers() {
  static const auto* readers = new std::vector<Reader>{
      {"device", ReadDevice},
      {"mode", ReadMode},
      {"dtype", ReadWeightFormat},
      {"think", ReadThink},
      {"chat_template", ReadChatTemplate},
      {"chat_template_kwargs", ReadChatVariables},
      {"threads", [](const Json& v,
                     EngineOptions* o) { return ReadCount("threads", v, 0, 1024, &o->threads); }},
      {"batch",
       [](const Json& v, EngineOptions* o) { return ReadCount("batch", v, 1, 4096, &o->batch); }},
      {"prefill_chunk",
       [](const Json& v, EngineOptions* o) {
         return ReadCount("prefill_chunk", v, 1, 65536, &o->prefill_chunk);
       }},
      {"context", ReadContext},
      {"kv_memory", ReadMemory},
  };
  return *readers;
}

}  // namespace

std::vector<std::string> EngineOptionNames() {
  std::vector<std::string> names;
  for (const Reader& reader : Readers()) names.push_back(reader.name);
  return names;
}

absl::StatusOr<EngineOptions> ReadEngineOptions(const Json& given) {
  EngineOptions options;
  if (!given.is_object()) return options;
  for (const Json::Member& member : given.AsMembers()) {
    const std::string& name = member.first;  // clang 14 captures no structured binding
    const auto reader = std::find_if(Readers().begin(), Readers().end(),
                                     [&](const Reader& r) { return r.name == name; });
    if (reader == Readers().end()) {
      return InvalidArgument("--model-args: the backend 'local' knows no '%s'%s", name,
                             DidYouMean(name, EngineOptionNames()));
    }
    RETURN_IF_ERROR(reader->read(member.second, &options));
  }
  return options;
}

std::string_view DeviceName(Device device) {
  switch (device) {
    case Device::kAuto:
      return "auto";
    case Device::kCpu:
      return "cpu";
    case Device::kCuda:
      return "cuda";
    case Device::kReference:
      return "reference";
  }
  return "";
}

}  // namespace assay
