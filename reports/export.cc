// JSON lines: a sample each, and the draws that are missing.
#include "reports/export.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "harness/manifest.h"
#include "harness/status.h"
#include "harness/text.h"
#include "harness/token_logprobs.h"
#include "reports/compare.h"

namespace assay {
namespace {

constexpr size_t kBufferBytes = 1 << 20;
constexpr std::string_view kFormat = "assay-sample/1";

Json OrNull(const std::optional<std::string>& text) { return text ? Json(*text) : Json(); }

Json TokensToJson(const TokenCounts& tokens) {
  const bool measured = tokens.source == TokenSource::kMeasured;
  return Json::MakeObject({{"prompt", tokens.prompt},
                           {"reasoning", tokens.reasoning},
                           {"answer", tokens.answer},
                           {"source", measured ? "measured" : "estimated"}});
}

Json ExtractionToJson(const Extraction& extraction) {
  return Json::MakeObject({{"answer", OrNull(extraction.answer)},
                           {"strict", OrNull(extraction.strict)},
                           {"lenient", OrNull(extraction.lenient)},
                           {"rule", extraction.rule},
                           {"begin", static_cast<int64_t>(extraction.begin)},
                           {"end", static_cast<int64_t>(extraction.end)}});
}

Json VerdictToJson(const Verdict& verdict) {
  return Json::MakeObject({{"outcome", OutcomeName(verdict.outcome)},
                           {"score", verdict.score},
                           {"why", verdict.why},
                           {"grader", verdict.grader},
                           {"grader_version", verdict.grader_version},
                           {"detail", verdict.detail}});
}

void Append(Json members, Json* json) {
  for (Json::Member& member : members.AsMembers())
    json->Set(member.first, std::move(member.second));
}

// One sample at a time: with log-probabilities each may be many megabytes.
absl::Status WriteTask(Store& store, const RunManifest& run, const std::string& task,
                       LineFile* file) {
  return store.ForEachProblem(run.id, task, [&](const Problem& problem, const Prompt& prompt) {
    const SampleFilter filter = {
        .task = task, .problem_id = problem.id, .parts = SampleParts::kAll, .logprobs = true};
    return store.ForEachSample(run.id, filter, [&](const StoredSample& sample) -> absl::Status {
      Json line = SampleToJson(run, problem, prompt, sample);
      const std::string& logprobs = sample.sample.completion.logprobs;
      if (!logprobs.empty()) {
        ASSIGN_OR_RETURN(Json json, LogprobsToJson(logprobs));
        line.Set("logprobs", std::move(json));
      }
      return file->Write(line.Dump());
    });
  });
}

absl::Status WriteFailures(Store& store, const RunManifest& run, const std::string& task,
                           LineFile* file) {
  ASSIGN_OR_RETURN(const std::vector<StoredFailure> failures, store.ListFailures(run.id));
  for (const StoredFailure& failure : failures) {
    if (failure.task != task) continue;
    RETURN_IF_ERROR(file->Write(Json::MakeObject({{"format", kFormat},
                                                  {"run", run.id},
                                                  {"task", task},
                                                  {"problem_id", failure.problem_id},
                                                  {"index", failure.index},
                                                  {"error", failure.message},
                                                  {"when", failure.when}})
                                    .Dump()));
  }
  return absl::OkStatus();
}

std::string_view StateName(RunState state) {
  if (state == RunState::kRunning) return "running";
  return state == RunState::kComplete ? "complete" : "incomplete";
}

absl::StatusOr<ExportedFile> WriteManifest(const RunSummary& run, const std::string& path) {
  ASSIGN_OR_RETURN(LineFile file, LineFile::Create(path));
  Json json = RunManifestToJson(run.manifest);
  json.Set("state", StateName(run.state));
  json.Set("finished", run.finished);
  json.Set("samples_planned", run.samples_planned);
  json.Set("samples_stored", run.samples_stored);
  json.Set("failures", run.failures);
  RETURN_IF_ERROR(file.Write(json.Dump(2)));
  return file.Close();
}

std::string SamplesPath(const std::string& directory, std::string_view task) {
  return absl::StrFormat("%s/samples_%s.jsonl", directory, FileNamePart(task));
}

// Two runs' files side by side would be read as one: the manifest in the directory says whose they
// are. What it does not name is left alone.
absl::Status MakeRoomFor(const RunManifest& run, const std::string& directory, OtherExport other) {
  const std::string path = directory + "/manifest.json";
  std::ifstream file(path);
  if (!file) return absl::OkStatus();
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const absl::StatusOr<Json> manifest = ParseJson(text);
  const std::string id =
      manifest.ok() && manifest->is_object() ? manifest->FindString("id").value_or("") : "";
  if (id == run.id) return absl::OkStatus();
  if (other == OtherExport::kRefuse) {
    return FailedPrecondition(
        "%s: the directory holds %s; name another one, or replace that with --force", directory,
        id.empty() ? "a manifest.json that is no run's" : "the export of run " + id);
  }
  if (id.empty()) {
    return FailedPrecondition("%s: it is no run's manifest; move it away", path);
  }
  const Json* tasks = manifest->Find("tasks");
  if (tasks == nullptr || !tasks->is_array()) return absl::OkStatus();
  for (const Json& task : tasks->AsArray()) {
    const std::string name = task.is_object() ? task.FindString("name").value_or("") : "";
    std::error_code ignored;
    if (!name.empty()) std::filesystem::remove(SamplesPath(directory, name), ignored);
  }
  return absl::OkStatus();
}

bool EndsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

}  // namespace

// --- files ---

absl::StatusOr<LineFile> LineFile::Create(const std::string& path) {
  if (path == "-") return LineFile(path, STDOUT_FILENO);
  LineFile file(path, -1);
  file.descriptor_ = open((path + ".part").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file.descriptor_ < 0) return file.Failed("made");
  return file;
}

LineFile::LineFile(LineFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      buffer_(std::move(other.buffer_)),
      lines_(other.lines_) {}

LineFile::~LineFile() {
  if (descriptor_ < 0 || path_ == "-") return;
  close(descriptor_);
  unlink((path_ + ".part").c_str());
}

absl::Status LineFile::Failed(std::string_view act) const {
  const int error = errno;
  const std::string message =
      absl::StrFormat("%s: cannot be %s: %s", path_, act, std::strerror(error));
  const bool full = error == ENOSPC || error == EFBIG || error == EDQUOT;
  return full ? absl::ResourceExhaustedError(message) : absl::PermissionDeniedError(message);
}

absl::Status LineFile::Flush() {
  size_t written = 0;
  while (written < buffer_.size()) {
    const ssize_t count = write(descriptor_, buffer_.data() + written, buffer_.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Failed("written");
    written += static_cast<size_t>(count);
  }
  buffer_.clear();
  return absl::OkStatus();
}

absl::Status LineFile::Write(std::string_view line) {
  buffer_ += line;
  buffer_ += '\n';
  ++lines_;
  return buffer_.size() < kBufferBytes ? absl::OkStatus() : Flush();
}

absl::StatusOr<ExportedFile> LineFile::Close() {
  RETURN_IF_ERROR(Flush());
  if (path_ != "-") {
    if (close(std::exchange(descriptor_, -1)) != 0) return Failed("written");
    if (std::rename((path_ + ".part").c_str(), path_.c_str()) != 0) return Failed("written");
  }
  return ExportedFile{path_, lines_};
}

absl::Status MakeDirectory(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrFormat("%s: the directory cannot be made: %s", path, error.message()));
}

std::string FileNamePart(std::string_view text) {
  std::string part;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '-' || c == '_';
    part += plain ? c : '_';
  }
  return part;
}

// --- what is written ---

absl::StatusOr<std::vector<TaskManifest>> ChooseTasks(const RunManifest& run,
                                                      const std::string& task) {
  if (task.empty()) return run.tasks;
  ASSIGN_OR_RETURN(const TaskManifest* found, NamedTask(run, task));
  return std::vector<TaskManifest>{*found};
}

absl::Status ForEachProblemWithSamples(
    Store& store, const std::string& run_id, const std::string& task,
    const std::function<absl::Status(const Problem&, const Prompt&,
                                     const std::vector<StoredSample>&)>& visit) {
  return store.ForEachProblem(
      run_id, task, [&](const Problem& problem, const Prompt& prompt) -> absl::Status {
        SampleFilter filter;
        filter.task = task;
        filter.problem_id = problem.id;
        filter.parts = SampleParts::kAll;
        std::vector<StoredSample> samples;
        RETURN_IF_ERROR(store.ForEachSample(run_id, filter, [&](const StoredSample& sample) {
          samples.push_back(sample);
          return absl::OkStatus();
        }));
        return visit(problem, prompt, samples);
      });
}

Json SampleToJson(const RunManifest& run, const Problem& problem, const Prompt& prompt,
                  const StoredSample& stored) {
  const Sample& sample = stored.sample;
  const Completion& completion = sample.completion;
  Json json = Json::MakeObject({{"format", kFormat},
                                {"run", run.id},
                                {"model", run.model},
                                {"task", stored.task},
                                {"problem_id", sample.problem_id},
                                {"index", sample.index},
                                {"key", stored.key}});
  Json asked = AskedToJson(problem, prompt);
  Append(std::move(asked), &json);
  Append(Json::MakeObject(
             {{"raw", completion.raw},
              {"reasoning", completion.reasoning},
              {"answer", completion.answer},
              {"unclosed_reasoning", completion.unclosed_reasoning},
              {"finish", FinishReasonName(completion.finish)},
              {"tokens", TokensToJson(completion.tokens)},
              {"latency_seconds", completion.latency_seconds},
              {"cost_usd", completion.cost_usd ? Json(*completion.cost_usd) : Json()},
              {"seed", completion.seed},
              {"served_by", completion.served_by},
              {"served_model", completion.served_model},
              {"extraction", stored.graded ? ExtractionToJson(sample.extraction) : Json()},
              {"verdict", stored.graded ? VerdictToJson(sample.verdict) : Json()}}),
         &json);
  return json;
}

absl::StatusOr<std::vector<ExportedFile>> ExportJsonl(Store& store, const RunSummary& run,
                                                      const std::string& task,
                                                      const std::string& path, OtherExport other) {
  ASSIGN_OR_RETURN(const std::vector<TaskManifest> tasks, ChooseTasks(run.manifest, task));
  std::vector<ExportedFile> files;
  if (path == "-" || EndsWith(path, ".jsonl")) {
    ASSIGN_OR_RETURN(LineFile file, LineFile::Create(path));
    for (const TaskManifest& one : tasks) {
      RETURN_IF_ERROR(WriteTask(store, run.manifest, one.name, &file));
      RETURN_IF_ERROR(WriteFailures(store, run.manifest, one.name, &file));
    }
    ASSIGN_OR_RETURN(files.emplace_back(), file.Close());
    return files;
  }
  RETURN_IF_ERROR(MakeDirectory(path));
  RETURN_IF_ERROR(MakeRoomFor(run.manifest, path, other));
  for (const TaskManifest& one : tasks) {
    const std::string name = SamplesPath(path, one.name);
    ASSIGN_OR_RETURN(LineFile file, LineFile::Create(name));
    RETURN_IF_ERROR(WriteTask(store, run.manifest, one.name, &file));
    RETURN_IF_ERROR(WriteFailures(store, run.manifest, one.name, &file));
    ASSIGN_OR_RETURN(files.emplace_back(), file.Close());
  }
  ASSIGN_OR_RETURN(files.emplace_back(), WriteManifest(run, path + "/manifest.json"));
  return files;
}

}  // namespace assay
