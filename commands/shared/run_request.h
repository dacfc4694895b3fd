// What the user asked a run for, as typed; kept in the manifest so that `resume` asks for the same.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/backend.h"
#include "harness/json.h"
#include "harness/pipeline.h"
#include "harness/registry.h"
#include "harness/task.h"

namespace assay {

struct RunRequest {
  std::string backend;  // empty: the one that claims the model
  std::string model;
  std::vector<std::string> base_urls;
  Json model_args = Json::MakeObject();
  std::string api_key_env;
  int max_connections = 0;
  std::vector<std::string> tasks;  // names, suites, paths
  std::vector<std::string> include_paths;
  std::vector<std::string> data_dirs;
  TaskOverrides overrides;
  double limit = 0;
  uint64_t seed = 0;
  std::string isolation;  // empty: as the tasks say
};

Json RunRequestToJson(const RunRequest& request);
absl::StatusOr<RunRequest> RunRequestFromJson(const Json& json);

// "a=1,b=text,c=[1,2]" -> {"a":1,"b":"text","c":[1,2]}: lm-evaluation-harness's form. Values that
// are JSON are read as such.
absl::StatusOr<Json> ParseKeyValues(std::string_view flag, std::string_view text);

// Refuses secrets typed as flags: credentials in a URL, api_key and the like among the model
// arguments.
absl::Status RefuseSecrets(const RunRequest& request);

BackendConfig MakeBackendConfig(const RunRequest& request);
// By name, or the one backend that claims the request.
absl::StatusOr<const Backend*> ChooseBackend(const RunRequest& request);
// Loads the tasks, in the order asked; naming one twice is an error.
absl::StatusOr<RunPlan> MakeRunPlan(const RunRequest& request);

// --device, the short way to say --model-args device=...: into `model_args`. An error where both
// say something else.
absl::Status SetDevice(const std::string& device, Json* model_args);

}  // namespace assay
