// The options as a table, and base URLs taken apart so that secrets in them stay apart.
#include "inference/http/settings.h"

#include <cstdlib>
#include <functional>
#include <utility>

#include "harness/status.h"
#include "harness/text.h"

namespace assay::http {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kDefaultUrl = "https://api.openai.com/v1";
// A reply that may take minutes is streamed, so that a stall is seen.
constexpr int kStreamFromTokens = 4096;
constexpr size_t kShortestSecret = 16;

struct Option {
  std::string name;
  std::string wants;
  std::function<bool(std::string_view, Settings*)> set;
};

Option Truth(std::string name, bool Settings::*member) {
  return {std::move(name), "true or false", [member](std::string_view text, Settings* settings) {
            settings->*member = text == "true";
            return text == "true" || text == "false";
          }};
}

Option Count(std::string name, int least, int Settings::*member) {
  return {std::move(name), absl::StrFormat("an integer of at least %d", least),
          [least, member](std::string_view text, Settings* settings) {
            const std::optional<int64_t> value = ParseInt(text);
            if (!value || *value < least || *value > 1'000'000) return false;
            settings->*member = static_cast<int>(*value);
            return true;
          }};
}

// A time, told in units of `unit` milliseconds.
Option Time(std::string name, double unit, std::function<milliseconds*(Settings*)> member) {
  return {std::move(name), unit == 1 ? "milliseconds above 0" : "seconds above 0",
          [unit, member = std::move(member)](std::string_view text, Settings* settings) {
            const std::optional<double> value = ParseDouble(text);
            if (!value || !(*value > 0) || *value > 1e9) return false;
            *member(settings) =
                milliseconds(std::max<int64_t>(1, static_cast<int64_t>(*value * unit)));
            return true;
          }};
}

bool SetApi(std::string_view text, Settings* settings) {
  settings->api = text == "completions" ? Api::kCompletions : Api::kChat;
  return text == "chat" || text == "completions";
}

bool SetStream(std::string_view text, Settings* settings) {
  settings->stream = text == "true"    ? Streaming::kAlways
                     : text == "false" ? Streaming::kNever
                                       : Streaming::kAuto;
  return text == "auto" || text == "true" || text == "false";
}

bool SetReplyLimit(std::string_view text, Settings* settings) {
  const std::optional<int64_t> value = ParseInt(text);
  if (!value || *value < 1 || *value > 65536) return false;
  settings->limits.max_bytes = static_cast<size_t>(*value) << 20;
  return true;
}

bool SetMaxTokensField(std::string_view text, Settings* settings) {
  settings->max_tokens_field = std::string(text);
  return text == "max_tokens" || text == "max_completion_tokens";
}

const std::vector<Option>& Options() {
  static const auto* options = new std::vector<Option>{
      {"api", "chat or completions", SetApi},
      {"stream", "auto, true or false", SetStream},
      Count("n_per_request", 1, &Settings::n_per_request),
      Truth("send_seed", &Settings::send_seed),
      Truth("send_prefix", &Settings::send_prefix),
      Truth("prefilled", &Settings::prefilled),
      Truth("sample_header", &Settings::sample_header),
      {"max_tokens_field", "max_tokens or max_completion_tokens", SetMaxTokensField},
      Time("timeout", 1000, [](Settings* s) { return &s->limits.total; }),
      Time("stall_timeout", 1000, [](Settings* s) { return &s->limits.stall; }),
      Time("connect_timeout", 1000, [](Settings* s) { return &s->limits.connect; }),
      {"max_reply_mb", "an integer from 1 to 65536", SetReplyLimit},
      Count("max_retries", 0, &Settings::max_retries),
      Time("patience", 1000, [](Settings* s) { return &s->patience; }),
      Time("start_patience", 1000, [](Settings* s) { return &s->start_patience; }),
      Time("final_patience", 1000, [](Settings* s) { return &s->final_patience; }),
      Time("backoff_base_ms", 1, [](Settings* s) { return &s->backoff_base; }),
      Time("backoff_cap_ms", 1, [](Settings* s) { return &s->backoff_cap; }),
      Count("start_connections", 1, &Settings::start_connections),
  };
  return *options;
}

absl::Status SetOption(std::string_view name, const Json& value, Settings* settings) {
  for (const Option& option : Options()) {
    if (option.name != name) continue;
    if (option.set(value.ToText(), settings)) return absl::OkStatus();
    return InvalidArgument("--model-args: %s: expected %s, found '%s'", name, option.wants,
                           value.ToText());
  }
  return InvalidArgument("--model-args: the backend 'endpoint' knows no '%s'%s", name,
                         DidYouMean(name, OptionNames()));
}

std::string Environment(const std::string& name) {
  const char* value = name.empty() ? nullptr : std::getenv(name.c_str());
  return value == nullptr ? "" : std::string(Trim(value));
}

// A URL's path without the slashes at its end and without a completions path that the user copied
// along; "/v1" where there is none.
std::string BasePath(std::string_view path) {
  const auto trim_slashes = [&] {
    while (path.ends_with('/')) path.remove_suffix(1);
  };
  trim_slashes();
  for (const std::string_view known : {"/chat/completions", "/completions"}) {
    if (!path.ends_with(known)) continue;
    path.remove_suffix(known.size());
    break;
  }
  trim_slashes();
  return path.empty() ? "/v1" : std::string(path);
}

absl::StatusOr<BaseUrl> ReadUrl(std::string_view text, Api api) {
  text = Trim(text);
  const size_t scheme_end = text.find("://");
  // The text itself is not shown in errors: it may hold a password.
  if (scheme_end == text.npos) {
    return InvalidArgument(
        "--base-url: expected http://HOST:PORT/v1 or https://..., found no '://'");
  }
  const std::string_view scheme = text.substr(0, scheme_end);
  if (scheme != "http" && scheme != "https") {
    return InvalidArgument("--base-url: expected http or https before '://', found '%s'",
                           Shorten(scheme, 20));
  }
  std::string_view rest = text.substr(scheme_end + 3);
  rest = rest.substr(0, rest.find('#'));
  const size_t question = rest.find('?');
  const std::string query = question == rest.npos ? "" : std::string(rest.substr(question));
  rest = rest.substr(0, question);
  const size_t slash = rest.find('/');
  std::string_view authority = rest.substr(0, slash);
  BaseUrl url;
  if (const size_t at = authority.rfind('@'); at != authority.npos) {
    url.credentials = std::string(authority.substr(0, at));
    authority.remove_prefix(at + 1);
  }
  if (authority.empty()) return InvalidArgument("--base-url: expected a host after '://'");
  const std::string base = BasePath(slash == rest.npos ? "" : rest.substr(slash));
  const std::string server = absl::StrFormat("%s://%s", scheme, authority);
  url.path = base + (api == Api::kChat ? "/chat/completions" : "/completions");
  url.label = server + url.path;
  url.url = url.label + query;
  url.models_url = server + base + "/models" + query;
  if (const std::string wrong = WrongUrl(url.url); !wrong.empty()) {
    return InvalidArgument("--base-url: expected http://HOST:PORT/v1 or https://...: %s", wrong);
  }
  return url;
}

absl::Status ReadUrls(const BackendConfig& config, Settings* settings) {
  std::vector<std::string> texts = config.base_urls;
  if (texts.empty()) {
    const std::string from_environment = Environment("OPENAI_BASE_URL");
    texts.push_back(from_environment.empty() ? std::string(kDefaultUrl) : from_environment);
  }
  for (const std::string& text : texts) {
    ASSIGN_OR_RETURN(BaseUrl url, ReadUrl(text, settings->api));
    settings->urls.push_back(std::move(url));
  }
  return absl::OkStatus();
}

absl::Status ReadKey(const BackendConfig& config, Settings* settings) {
  settings->key_env = config.api_key_env.empty() ? "OPENAI_API_KEY" : config.api_key_env;
  settings->key = Environment(settings->key_env);
  if (settings->key.empty() && !config.api_key_env.empty()) {
    return FailedPrecondition("--api-key-env %s: that variable is not set", settings->key_env);
  }
  for (const char c : settings->key) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7F) {
      return InvalidArgument("the key in $%s holds a blank or control character",
                             settings->key_env);
    }
  }
  return absl::OkStatus();
}

}  // namespace

const std::vector<std::string>& OptionNames() {
  static const auto* names = [] {
    auto* all = new std::vector<std::string>;
    for (const Option& option : Options()) all->push_back(option.name);
    return all;
  }();
  return *names;
}

absl::StatusOr<Settings> ReadSettings(const BackendConfig& config) {
  Settings settings;
  const std::string_view model = config.model;
  settings.model = std::string(model.starts_with("openai/") ? model.substr(7) : model);
  if (settings.model.empty()) {
    return InvalidArgument(
        "--model: expected NAME or openai/NAME, which of the endpoint's models to ask, found '%s'",
        model);
  }
  if (config.options.is_object()) {
    for (const auto& [name, value] : config.options.AsMembers()) {
      RETURN_IF_ERROR(SetOption(name, value, &settings));
    }
  }
  RETURN_IF_ERROR(ReadUrls(config, &settings));
  RETURN_IF_ERROR(ReadKey(config, &settings));
  if (config.max_connections > 0) {
    // Who names a number wants that many at once, from the start.
    settings.max_connections = config.max_connections;
    settings.start_connections = config.max_connections;
  }
  settings.start_connections = std::min(settings.start_connections, settings.max_connections);
  settings.limits.max_connections = settings.max_connections;
  return settings;
}

std::string Scrub(const Settings& settings, std::string text) {
  if (settings.key.size() >= 4) text = ReplaceAll(text, settings.key, "[key]");
  for (const BaseUrl& url : settings.urls) {
    if (url.credentials.empty()) continue;
    text = ReplaceAll(text, url.credentials, "[user:password]");
    const size_t colon = url.credentials.find(':');
    if (colon == std::string::npos || url.credentials.size() - colon < 5) continue;
    text = ReplaceAll(text, url.credentials.substr(colon + 1), "[password]");
  }
  return text;
}

bool ScrubReply(const Settings& settings, Reply* reply) {
  if (settings.key.size() < kShortestSecret) return false;
  bool found = false;
  const auto scrub = [&](std::string* text) {
    if (!Contains(*text, settings.key)) return;
    *text = ReplaceAll(*text, settings.key, "[key]");
    found = true;
  };
  for (ReplyChoice& choice : reply->choices) {
    scrub(&choice.content);
    if (choice.reasoning) scrub(&*choice.reasoning);
  }
  scrub(&reply->model);
  return found;
}

bool Streams(const Settings& settings, const std::optional<int>& max_tokens) {
  if (settings.stream != Streaming::kAuto) return settings.stream == Streaming::kAlways;
  return !max_tokens || *max_tokens > kStreamFromTokens;
}

}  // namespace assay::http
