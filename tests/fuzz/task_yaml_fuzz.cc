// Task files from any bytes: an error or a task, never a crash; a task read again is the same.
#include <cstdint>
#include <string>

#include "harness/status.h"
#include "harness/task.h"
#include "harness/yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<assay::YamlNode> node = assay::ParseYaml(text, "fuzz.yaml");
  const absl::StatusOr<assay::Task> task = assay::TaskFromText(text, "fuzz.yaml");
  if (!node.ok()) {
    CHECK(!task.ok());
    CHECK(node.status().message().substr(0, 9) == "fuzz.yaml");
    return 0;
  }
  // What was read can be written as JSON, which is YAML, and read again.
  const assay::Json json = assay::YamlToJson(*node);
  const absl::StatusOr<assay::Json> again = assay::ParseJson(json.Dump());
  CHECK(again.ok());
  if (!task.ok()) return 0;
  CHECK(task->hash.size() == 64);
  CHECK(assay::TaskFromText(text, "fuzz.yaml")->hash == task->hash);
  return 0;
}
