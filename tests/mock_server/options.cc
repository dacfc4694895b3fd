// The flags as a table: name, what it takes, how it is set.
#include "tests/mock_server/options.h"

#include <functional>
#include <optional>
#include <utility>

#include "harness/status.h"
#include "harness/text.h"

namespace assay::mock_server {
namespace {

struct Flag {
  std::string name;
  std::string wants;
  std::function<bool(std::string_view, Options*)> set;  // false: the value is not of that kind
};

Flag Int(std::string name, int Options::*member) {
  return {std::move(name), "an integer", [member](std::string_view text, Options* options) {
            const std::optional<int64_t> value = ParseInt(text);
            if (!value) return false;
            options->*member = static_cast<int>(*value);
            return true;
          }};
}

Flag Int64(std::string name, int64_t Options::*member) {
  return {std::move(name), "an integer", [member](std::string_view text, Options* options) {
            const std::optional<int64_t> value = ParseInt(text);
            if (!value) return false;
            options->*member = *value;
            return true;
          }};
}

Flag Real(std::string name, double Options::*member) {
  return {std::move(name), "a number", [member](std::string_view text, Options* options) {
            const std::optional<double> value = ParseDouble(text);
            if (!value) return false;
            options->*member = *value;
            return true;
          }};
}

Flag Text(std::string name, std::string Options::*member) {
  return {std::move(name), "text", [member](std::string_view text, Options* options) {
            options->*member = std::string(text);
            return true;
          }};
}

Flag Truth(std::string name, bool Options::*member) {
  return {std::move(name), "true or false", [member](std::string_view text, Options* options) {
            options->*member = text == "true";
            return text == "true" || text == "false";
          }};
}

Flag Rate(std::string name, Fault fault) {
  return {std::move(name), "a share in [0, 1]", [fault](std::string_view text, Options* options) {
            const std::optional<double> value = ParseDouble(text);
            if (!value || *value < 0 || *value > 1) return false;
            options->rate(fault) = *value;
            return true;
          }};
}

template <typename Enum>
Flag OneOf(std::string name, Enum Options::*member,
           std::vector<std::pair<std::string, Enum>> values) {
  std::string wants;
  for (const auto& [word, value] : values) wants += (wants.empty() ? "" : "|") + word;
  return {std::move(name), wants,
          [member, values = std::move(values)](std::string_view text, Options* options) {
            for (const auto& [word, value] : values) {
              if (word == text) {
                options->*member = value;
                return true;
              }
            }
            return false;
          }};
}

const std::vector<Flag>& Flags() {
  using O = Options;
  static const auto* flags = new std::vector<Flag>{
      Int("port", &O::port),
      Text("replies", &O::reply_file),
      Int("body-bytes", &O::body_bytes),
      {"answers", "answers between commas",
       [](std::string_view text, Options* options) {
         options->answers.clear();
         for (const std::string_view answer : Split(text, ',')) {
           options->answers.emplace_back(answer);
         }
         return true;
       }},
      Real("length-share", &O::length_share),
      OneOf<ReasoningForm>("reasoning", &O::reasoning,
                           {{"none", ReasoningForm::kNone},
                            {"tags", ReasoningForm::kTags},
                            {"field", ReasoningForm::kField},
                            {"short-field", ReasoningForm::kShortField},
                            {"close-only", ReasoningForm::kCloseOnly}}),
      Truth("usage", &O::usage),
      OneOf<Honours>("n", &O::n,
                     {{"yes", Honours::kYes}, {"no", Honours::kNo}, {"refuse", Honours::kRefuses}}),
      Truth("stream", &O::streams),
      Int("chunk-bytes", &O::chunk_bytes),
      Real("chunk-delay-ms", &O::chunk_delay_ms),
      Truth("honours-seed", &O::honours_seed),
      Truth("honours-stop", &O::honours_stop),
      Truth("honours-logprobs", &O::honours_logprobs),
      Truth("honours-max-tokens", &O::honours_max_tokens),
      Text("model", &O::model),
      Truth("strict-model", &O::strict_model),
      Real("delay-ms", &O::delay_ms),
      OneOf<DelayShape>("delay-shape", &O::delay_shape,
                        {{"fixed", DelayShape::kFixed},
                         {"lognormal", DelayShape::kLognormal},
                         {"exponential", DelayShape::kExponential}}),
      Real("delay-sigma", &O::delay_sigma),
      {"seed", "an integer",
       [](std::string_view text, Options* options) {
         const std::optional<int64_t> value = ParseInt(text);
         options->seed = static_cast<uint64_t>(value.value_or(0));
         return value.has_value();
       }},
      Rate("rate-429", Fault::kTooManyRequests),
      Rate("rate-5xx", Fault::kServerError),
      Rate("rate-reset", Fault::kReset),
      Rate("rate-stall", Fault::kStall),
      Rate("rate-cut", Fault::kCut),
      Rate("rate-truncated-json", Fault::kTruncatedJson),
      Rate("rate-invalid-utf8", Fault::kInvalidUtf8),
      Rate("rate-wrong-type", Fault::kWrongType),
      Rate("rate-null-content", Fault::kNullContent),
      Rate("rate-missing-choices", Fault::kMissingChoices),
      Rate("rate-empty-body", Fault::kEmptyBody),
      Rate("rate-missing-usage", Fault::kMissingUsage),
      Rate("rate-huge", Fault::kHuge),
      OneOf<RetryAfter>("retry-after", &O::retry_after,
                        {{"none", RetryAfter::kNone},
                         {"seconds", RetryAfter::kSeconds},
                         {"date", RetryAfter::kDate}}),
      Int("retry-after-seconds", &O::retry_after_seconds),
      Real("stall-seconds", &O::stall_seconds),
      Int64("huge-bytes", &O::huge_bytes),
      Text("require-key", &O::require_key),
      Int("always-status", &O::always_status),
      Int64("always-after", &O::always_after),
      Int("max-in-flight", &O::max_in_flight),
      Int("overload-status", &O::overload_status),
      Int64("down-after", &O::down_after),
      Real("down-for", &O::down_seconds),
  };
  return *flags;
}

absl::Status SetFlag(std::string_view name, std::string_view value, Options* options) {
  std::vector<std::string> names;
  for (const Flag& flag : Flags()) {
    names.push_back(flag.name);
    if (flag.name != name) continue;
    if (flag.set(value, options)) return absl::OkStatus();
    return InvalidArgument("--%s: expected %s, found '%s'", name, flag.wants, value);
  }
  return InvalidArgument("unknown flag --%s%s", name, DidYouMean(name, names));
}

}  // namespace

std::string_view FaultName(Fault fault) {
  static constexpr std::string_view kNames[kFaults] = {"none",
                                                       "too_many_requests",
                                                       "server_error",
                                                       "reset",
                                                       "stall",
                                                       "cut",
                                                       "truncated_json",
                                                       "invalid_utf8",
                                                       "wrong_type",
                                                       "null_content",
                                                       "missing_choices",
                                                       "empty_body",
                                                       "missing_usage",
                                                       "huge"};
  return kNames[static_cast<size_t>(fault)];
}

absl::StatusOr<Options> ParseFlags(const std::vector<std::string>& words) {
  Options options;
  for (size_t i = 0; i < words.size(); ++i) {
    std::string_view word = words[i];
    if (!word.starts_with("--")) return InvalidArgument("expected --FLAG, found '%s'", word);
    word.remove_prefix(2);
    if (const size_t equals = word.find('='); equals != word.npos) {
      RETURN_IF_ERROR(SetFlag(word.substr(0, equals), word.substr(equals + 1), &options));
      continue;
    }
    if (i + 1 == words.size()) return InvalidArgument("--%s: expected a value", word);
    RETURN_IF_ERROR(SetFlag(word, words[++i], &options));
  }
  return options;
}

std::string FlagsHelp() {
  std::string help =
      "assay-mock-server: an OpenAI-compatible server with known replies and faults\n";
  for (const Flag& flag : Flags()) help += absl::StrFormat("  --%-22s %s\n", flag.name, flag.wants);
  return help;
}

}  // namespace assay::mock_server
