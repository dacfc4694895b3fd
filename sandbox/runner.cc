// Compiling in the sandbox, the cache of what was compiled, and runs of it.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>

#include "harness/hash.h"
#include "harness/status.h"
#include "harness/text.h"
#include "sandbox/language.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
constexpr uint64_t kCacheBytes = uint64_t{1} << 30;
constexpr size_t kMostSource = size_t{1} << 20;  // of a program's text; longer is not one

fs::path DefaultCache() {
  if (const char* given = std::getenv("XDG_CACHE_HOME"); given != nullptr && *given != '\0')
    return fs::path(given) / "assay";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0')
    return fs::path(home) / ".cache" / "assay";
  return fs::temp_directory_path() / absl::StrFormat("assay-cache-%d", getuid());
}

std::string ReadOrEmpty(const fs::path& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return "";
  std::string bytes(static_cast<size_t>(std::max<std::streamoff>(0, file.tellg())), '\0');
  file.seekg(0);
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<size_t>(file.gcount()));
  return bytes;
}

// Whole or not at all. A cache that cannot be written costs time, nothing else.
void WriteWhole(const fs::path& path, std::string_view bytes) {
  const fs::path part = path.string() + absl::StrFormat(".%d.part", getpid());
  std::error_code ignored;
  {
    std::ofstream file(part, std::ios::binary);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!file.flush()) {
      fs::remove(part, ignored);
      return;
    }
  }
  fs::rename(part, path, ignored);
}

// Oldest first until half of the room is free.
void TrimCache(const fs::path& directory) {
  std::error_code ignored;
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  uint64_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    const uint64_t size = entry.file_size(ignored);
    if (ignored) continue;
    bytes += size;
    files.emplace_back(entry.last_write_time(ignored), entry.path());
  }
  if (bytes <= kCacheBytes) return;
  std::sort(files.begin(), files.end());
  for (const auto& [time, path] : files) {
    if (bytes <= kCacheBytes / 2) return;
    bytes -= std::min(bytes, static_cast<uint64_t>(fs::file_size(path, ignored)));
    fs::remove(path, ignored);
  }
}

// What a compiler is, without running it: its file's size and time. A new one makes a new cache.
std::string CompilerMark(const Language& language) {
  std::error_code ignored;
  const fs::path real = fs::canonical(language.probe_program, ignored);
  return absl::StrFormat("%s %d %d", real.string(), fs::file_size(real, ignored),
                         fs::last_write_time(real, ignored).time_since_epoch().count());
}

std::string FirstError(std::string_view diagnostics) {
  for (const std::string_view line : SplitLines(diagnostics)) {
    if (Contains(line, "error") || Contains(line, "Error")) return Shorten(Trim(line), 200);
  }
  const std::string_view trimmed = Trim(diagnostics);
  return Shorten(trimmed.substr(0, trimmed.find('\n')), 200);
}

}  // namespace

RunLimits CompileLimits() {
  return {.wall_ms = 30000,
          .cpu_ms = 8000,
          .memory_bytes = int64_t{768} << 20,
          .processes = 32,
          .open_files = 256,
          .file_bytes = 64 << 20,
          .stdout_bytes = 1 << 20,
          .scratch_bytes = int64_t{128} << 20,
          .scratch_files = 4096};
}

struct Runner::Shared {
  RunnerOptions options;
  fs::path cache;
  std::unique_ptr<Sandbox> sandbox;
  std::mutex mutex;
  bool header_tried = false;                   // guarded by mutex
  std::map<std::string, ProgramEnd> failures;  // guarded by mutex; by key, of this process

  fs::path HeaderDirectory() const { return cache / "pch"; }

  // Compiles; what comes back is the artifact's bytes or how it failed.
  absl::StatusOr<ProgramEnd> Compile(const std::vector<std::string>& command,
                                     const Language& language, const std::string& artifact,
                                     std::shared_ptr<const Box> box, RunLimits limits) {
    ProgramRun run;
    run.arguments = command;
    run.environment = language.environment;
    run.box = std::move(box);
    run.limits = limits;
    run.collect = "/tmp/" + artifact;
    run.collect_bytes = limits.file_bytes;
    ASSIGN_OR_RETURN(RunEnd end, sandbox->RunProgram(run));
    return Classify(std::move(end), limits);
  }

  // The precompiled header, once for a machine: 100 MB, seven seconds, and every later compilation
  // is three times as fast. Another process that makes it now is not waited for.
  void EnsureHeader(const Language& language) {
    const std::lock_guard lock(mutex);
    if (header_tried || language.precompile.empty() || !options.precompiled_headers) return;
    header_tried = true;
    const fs::path folder = HeaderDirectory() / "bits";
    const std::string mark = Sha256Hex(CompilerMark(language) + Join(language.precompile, " "));
    if (ReadOrEmpty(folder / "mark") == mark && fs::exists(folder / "stdc++.h.gch")) return;
    const int guard =
        open((HeaderDirectory() / "lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644);
    if (guard >= 0 && flock(guard, LOCK_EX | LOCK_NB) == 0) MakeHeader(language, folder, mark);
    if (guard >= 0) close(guard);
  }

  void MakeHeader(const Language& language, const fs::path& folder, const std::string& mark) {
    std::error_code ignored;
    fs::create_directories(folder, ignored);
    RunLimits limits = CompileLimits();
    limits.wall_ms = 120000;
    limits.cpu_ms = 60000;
    limits.memory_bytes = int64_t{2} << 30;
    limits.file_bytes = limits.scratch_bytes = int64_t{400} << 20;
    const absl::StatusOr<ProgramEnd> end =
        Compile(language.precompile, language, "stdc++.h.gch",
                MakeBox({{"main.hpp", "#include <bits/stdc++.h>\n", false}}), limits);
    if (!end.ok() || !end->run.collected_found || end->verdict != RunVerdict::kFinished) return;
    fs::remove(folder / "mark", ignored);
    WriteWhole(folder / "stdc++.h.gch", end->run.collected);
    WriteWhole(folder / "mark", mark);
  }

  absl::StatusOr<Prepared> PrepareCompiled(const Language& language,
                                           std::vector<sandbox_wire::BoxFile> files) {
    EnsureHeader(language);
    const std::shared_ptr<const Box> box = MakeBox(std::move(files));
    const std::string key =
        Sha256Hex(CompilerMark(language) + "\n" + Join(language.compile, " ") + "\n" + box->id);
    Prepared prepared;
    prepared.language = &language;
    const fs::path kept = cache / "programs" / key;
    std::string artifact = ReadOrEmpty(kept);
    prepared.from_cache = !artifact.empty();
    if (artifact.empty()) {
      {
        const std::lock_guard lock(mutex);
        if (const auto known = failures.find(key); known != failures.end()) {
          prepared.failure = known->second;
          return prepared;
        }
      }
      ASSIGN_OR_RETURN(ProgramEnd end, Compile(language.compile, language, language.artifact, box,
                                               CompileLimits()));
      if (end.verdict != RunVerdict::kFinished || !end.run.collected_found) {
        prepared.failure = Failure(std::move(end));
        const std::lock_guard lock(mutex);
        failures[key] = prepared.failure;
        return prepared;
      }
      artifact = std::move(end.run.collected);
      WriteWhole(kept, artifact);
    }
    prepared.box = MakeBox({{language.artifact, std::move(artifact), true}});
    prepared.ready = true;
    return prepared;
  }

  static ProgramEnd Failure(ProgramEnd end) {
    const bool limit = end.verdict == RunVerdict::kTimeLimit ||
                       end.verdict == RunVerdict::kMemoryLimit ||
                       end.verdict == RunVerdict::kOutputLimit;
    end.why = limit ? absl::StrFormat("compiler: %s (%s)", RunVerdictName(end.verdict), end.why)
                    : FirstError(end.run.standard_error);
    end.verdict = RunVerdict::kCompileError;
    return end;
  }
};

Runner::Runner(std::unique_ptr<Shared> shared) : shared_(std::move(shared)) {}
Runner::~Runner() = default;
Sandbox& Runner::sandbox() { return *shared_->sandbox; }

absl::StatusOr<std::unique_ptr<Runner>> Runner::Start(const RunnerOptions& options) {
  auto shared = std::make_unique<Shared>();
  shared->options = options;
  shared->cache =
      options.cache_directory.empty() ? DefaultCache() : fs::path(options.cache_directory);
  std::error_code error;
  fs::create_directories(shared->HeaderDirectory(), error);
  fs::create_directories(shared->cache / "programs", error);
  if (error)
    return FailedPrecondition("sandbox: cache directory %s: %s", shared->cache.string(),
                              error.message());
  TrimCache(shared->cache / "programs");
  SandboxOptions sandbox;
  sandbox.workers = options.workers;
  sandbox.isolation = options.isolation;
  sandbox.cgroup = options.cgroup;
  sandbox.show = {{shared->HeaderDirectory().string(), "/pch"}};
  ASSIGN_OR_RETURN(shared->sandbox, Sandbox::Start(std::move(sandbox)));
  return std::unique_ptr<Runner>(new Runner(std::move(shared)));
}

absl::StatusOr<Prepared> Runner::Prepare(const Language& language, std::string_view source) {
  return Prepare(language, source, {});
}

absl::StatusOr<Prepared> Runner::Prepare(const Language& language, std::string_view source,
                                         std::vector<sandbox_wire::BoxFile> more) {
  if (!IsInstalled(language)) {
    return FailedPrecondition("language '%s' is not installed: %s is missing", language.name,
                              language.probe_program);
  }
  Prepared prepared;
  prepared.language = &language;
  if (source.size() > kMostSource) {
    prepared.failure.verdict = RunVerdict::kCompileError;
    prepared.failure.why = absl::StrFormat("source of %s bytes; %s is the most",
                                           WithThousands(static_cast<int64_t>(source.size())),
                                           WithThousands(static_cast<int64_t>(kMostSource)));
    return prepared;
  }
  std::vector<sandbox_wire::BoxFile> files = {{language.source, std::string(source), false}};
  for (sandbox_wire::BoxFile& file : more) files.push_back(std::move(file));
  if (!language.compile.empty()) return shared_->PrepareCompiled(language, std::move(files));
  prepared.box = MakeBox(std::move(files));
  prepared.ready = true;
  return prepared;
}

absl::StatusOr<Prepared> Runner::PrepareGuarded(const Language& language, std::string_view source) {
  if (language.guard_text.empty()) return Prepare(language, source);
  ASSIGN_OR_RETURN(Prepared prepared,
                   Prepare(language, source, {{language.guard_name, language.guard_text, false}}));
  prepared.guarded = true;
  return prepared;
}

namespace {

ProgramRun RunOf(const Prepared& program, const RunLimits& limits,
                 const std::vector<std::string>& arguments) {
  CHECK(program.ready);
  ProgramRun run;
  run.arguments = program.guarded ? program.language->guard_run : program.language->run;
  run.arguments.insert(run.arguments.end(), arguments.begin(), arguments.end());
  run.environment = program.language->environment;
  run.box = program.box;
  if (program.language->warm) run.runner = sandbox_wire::Runner::kPython;
  run.limits = EffectiveLimits(*program.language, limits);
  return run;
}

}  // namespace

absl::StatusOr<ProgramEnd> Runner::Run(const Prepared& program, std::string_view input,
                                       const RunLimits& limits,
                                       const std::vector<std::string>& arguments) {
  ProgramRun run = RunOf(program, limits, arguments);
  run.input = std::string(input);
  ASSIGN_OR_RETURN(RunEnd end, shared_->sandbox->RunProgram(run));
  return Classify(std::move(end), run.limits);
}

absl::StatusOr<std::pair<ProgramEnd, ProgramEnd>> Runner::RunJoined(
    const Prepared& first, const RunLimits& first_limits,
    const std::vector<std::string>& first_arguments, const Prepared& second,
    const RunLimits& second_limits, const std::vector<std::string>& second_arguments, Joint joint) {
  const ProgramRun one = RunOf(first, first_limits, first_arguments);
  const ProgramRun other = RunOf(second, second_limits, second_arguments);
  using Ends = std::pair<RunEnd, RunEnd>;
  ASSIGN_OR_RETURN(Ends ends, shared_->sandbox->RunJoined(one, other, joint));
  return std::make_pair(Classify(std::move(ends.first), one.limits),
                        Classify(std::move(ends.second), other.limits));
}

}  // namespace assay
