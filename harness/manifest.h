// Manifests as JSON: how the store keeps them, and how export and --json show them.
#pragma once

#include "absl/status/statusor.h"
#include "harness/json.h"
#include "harness/types.h"

namespace assay {

// Fields that are empty, null or 0 are written all the same: a reader sees what is unknown.
Json SessionToJson(const RunSession& session);
Json TaskManifestToJson(const TaskManifest& task);
Json RunManifestToJson(const RunManifest& manifest);

// A member that is not known is passed over (a newer assay wrote it); one that is missing keeps its
// default; one of the wrong kind is an error that names it.
absl::StatusOr<TaskManifest> TaskManifestFromJson(const Json& json);
absl::StatusOr<RunManifest> RunManifestFromJson(const Json& json);

// The problem as it was asked, without its id.
Json AskedToJson(const Problem& problem, const Prompt& prompt);
absl::Status AskedFromJson(const Json& json, Problem* problem, Prompt* prompt);

}  // namespace assay
