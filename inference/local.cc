// The backend `local`: a Hugging Face checkpoint directory, run by the embedded engine.
#include <filesystem>

#include "harness/backend.h"
#include "harness/status.h"
#include "inference/engine/engine.h"
#include "inference/engine/options.h"
#include "inference/engine/probe.h"
#include "inference/engine/source.h"

namespace assay {
namespace {

// A directory that holds a config.json, or that looks as if it should.
bool Claims(const BackendConfig& config) {
  std::error_code ignored;
  return config.base_urls.empty() && !config.model.empty() &&
         std::filesystem::is_directory(config.model, ignored);
}

absl::StatusOr<EngineOptions> ReadConfig(const BackendConfig& config) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(config.model, ignored)) {
    return NotFound(
        "--model '%s': no such directory; the backend 'local' reads a Hugging Face "
        "checkpoint (config.json, *.safetensors, tokenizer.json)",
        config.model);
  }
  ASSIGN_OR_RETURN(EngineOptions options, ReadEngineOptions(config.options));
  if (config.max_connections > 0) options.batch = config.max_connections;
  return options;
}

absl::Status Check(const BackendConfig& config) { return ReadConfig(config).status(); }

absl::StatusOr<Engine> OpenConfigured(const BackendConfig& config) {
  ASSIGN_OR_RETURN(const EngineOptions options, ReadConfig(config));
  return OpenEngine(config.model, options);
}

absl::StatusOr<std::unique_ptr<CompletionSource>> Open(const BackendConfig& config) {
  ASSIGN_OR_RETURN(Engine engine, OpenConfigured(config));
  return MakeEngineSource(std::move(engine), config.model, config.options);
}

absl::StatusOr<Json> Probe(const BackendConfig& config) {
  ASSIGN_OR_RETURN(const Engine engine, OpenConfigured(config));
  return ProbeEngine(engine);
}

}  // namespace

Backend LocalBackend() {
  Backend backend;
  backend.name = "local";
  backend.about = "a Hugging Face checkpoint directory, run by the embedded engine on this machine";
  backend.options = EngineOptionNames();
  backend.fixed_options = {"context", "mode"};  // most others are in the reproduction key
  backend.scores_continuations = true;
  backend.claims = Claims;
  backend.open = Open;
  backend.check = Check;
  backend.probe = Probe;
  return backend;
}

}  // namespace assay
