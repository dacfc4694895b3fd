// The backend `endpoint`: any server that speaks OpenAI's API over HTTP.
#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "harness/backend.h"
#include "harness/status.h"
#include "inference/http/ask.h"
#include "inference/http/asker.h"
#include "inference/http/probe.h"
#include "inference/http/settings.h"

namespace assay {
namespace {

// A URL, a name under openai/, or a server that the environment names and no file of that name.
bool Claims(const BackendConfig& config) {
  if (!config.base_urls.empty() || config.model.starts_with("openai/")) return true;
  std::error_code ignored;
  const char* from_environment = std::getenv("OPENAI_BASE_URL");
  return from_environment != nullptr && *from_environment != '\0' && !config.model.empty() &&
         config.model.find(':') == std::string::npos &&
         !std::filesystem::exists(config.model, ignored);
}

absl::StatusOr<std::unique_ptr<CompletionSource>> Open(const BackendConfig& config) {
  ASSIGN_OR_RETURN(http::Settings settings, http::ReadSettings(config));
  return http::MakeAsker(std::move(settings), config);
}

absl::Status Check(const BackendConfig& config) { return http::ReadSettings(config).status(); }

absl::StatusOr<Json> Probe(const BackendConfig& config) {
  ASSIGN_OR_RETURN(const http::Settings settings, http::ReadSettings(config));
  return http::ProbeEndpoint(settings);
}

absl::StatusOr<std::string> Body(const BackendConfig& config, const CompletionRequest& request) {
  ASSIGN_OR_RETURN(const http::Settings settings, http::ReadSettings(config));
  ASSIGN_OR_RETURN(const http::Ask ask, http::MakeAsk(settings, request));
  // As a server is first asked; one that refuses stream_options is asked again without.
  std::vector<Draw> first = request.draws;
  first.resize(std::min(first.size(), static_cast<size_t>(settings.n_per_request)));
  return http::RequestBody(settings, ask, first, true);
}

}  // namespace

Backend EndpointBackend() {
  Backend backend;
  backend.name = "endpoint";
  backend.about = "a server that speaks OpenAI's API (vLLM, SGLang, llama-server, hosted ones)";
  backend.options = http::OptionNames();
  backend.fixed_options = {"api", "send_seed", "send_prefix", "prefilled"};
  backend.claims = Claims;
  backend.open = Open;
  backend.check = Check;
  backend.probe = Probe;
  backend.request_body = Body;
  return backend;
}

}  // namespace assay
