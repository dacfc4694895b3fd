// A run as files for other programs: JSON lines with everything, or lm-evaluation-harness's pair.
//
// docs/export.md says what every field means. Reading them back: harness/import.h.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/json.h"
#include "harness/store.h"

namespace assay {

struct ExportedFile {
  std::string path;  // "-" is stdout
  int64_t lines = 0;
};

// Where `path` is "-" or ends in .jsonl: that one file. Otherwise a directory, made where it is
// missing: manifest.json and a samples_TASK.jsonl each. A file appears whole or not at all.
// A directory that holds another run's export is refused, or, with kReplace, freed of that run's
// files first.
enum class OtherExport { kRefuse, kReplace };
absl::StatusOr<std::vector<ExportedFile>> ExportJsonl(Store& store, const RunSummary& run,
                                                      const std::string& task,
                                                      const std::string& path,
                                                      OtherExport other = OtherExport::kRefuse);

// results_TIME.json and a samples_TASK_TIME.jsonl each, in the directory `path`. FailedPrecondition
// where samples are missing or ungraded, unless `allow_partial`: results_*.json holds headline
// numbers.
absl::StatusOr<std::vector<ExportedFile>> ExportLmEval(Store& store, const RunSummary& run,
                                                       const std::string& task,
                                                       const std::string& path, bool allow_partial);

// One line of the JSONL form.
Json SampleToJson(const RunManifest& run, const Problem& problem, const Prompt& prompt,
                  const StoredSample& stored);

// --- what both forms share ---

// Writes lines to a file that takes its name only when it is whole; "-" is stdout.
class LineFile {
 public:
  static absl::StatusOr<LineFile> Create(const std::string& path);
  LineFile(LineFile&& other) noexcept;
  LineFile& operator=(LineFile&&) = delete;
  ~LineFile();  // without Close: nothing is left behind
  absl::Status Write(std::string_view line);
  absl::StatusOr<ExportedFile> Close();

 private:
  LineFile(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  absl::Status Flush();
  absl::Status Failed(std::string_view act) const;
  std::string path_;
  int descriptor_;
  std::string buffer_;
  int64_t lines_ = 0;
};

absl::Status MakeDirectory(const std::string& path);

// The run's tasks, or the one of that name.
absl::StatusOr<std::vector<TaskManifest>> ChooseTasks(const RunManifest& run,
                                                      const std::string& task);
// "a/b c" -> "a_b_c": fit for a file's name.
std::string FileNamePart(std::string_view text);

// Each problem with its samples in order; problems without a sample too.
absl::Status ForEachProblemWithSamples(
    Store& store, const std::string& run_id, const std::string& task,
    const std::function<absl::Status(const Problem&, const Prompt&,
                                     const std::vector<StoredSample>&)>& visit);

}  // namespace assay
