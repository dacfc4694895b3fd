// Languages as data, and programs made ready: compiled once, in the sandbox, and kept.
//
//   ASSIGN_OR_RETURN(std::unique_ptr<Runner> runner, Runner::Start({.workers = 2}));
//   ASSIGN_OR_RETURN(Prepared program, runner->Prepare(**FindLanguage("cpp"), source));
//   if (program.ready) { ASSIGN_OR_RETURN(ProgramEnd end, runner->Run(program, "1 2\n", {})); }
//
// A language is a file of sandbox/languages/; sandbox/README.md says what its members mean.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "sandbox/sandbox.h"

namespace assay {

struct Language {
  std::string name;
  std::string about;
  std::vector<std::string> aliases;
  std::vector<std::string> extensions;  // ".py": for files given by people
  std::string source;                   // the name of its file in /box
  std::vector<std::string> compile;     // empty: nothing to compile
  std::vector<std::string> precompile;  // makes /pch/bits/stdc++.h.gch; empty: none
  std::string artifact;                 // what `compile` leaves in /tmp and `run` finds in /box
  std::vector<std::string> run;
  // Of a problem's own programs, whose exit status 1 says "wrong": a file in /box that gives their
  // crashes another one (kGuardFailed, kGuardGone), and what is run then. Empty: they do that.
  std::string guard_name;
  std::string guard_text;
  std::vector<std::string> guard_run;
  std::vector<std::string> environment;
  double time_factor = 1;          // of the problem's time limits
  int64_t extra_memory_bytes = 0;  // what the run-time system needs besides the problem's limit
  int64_t processes = 0;           // at the least; 0: as the limits say
  bool warm = false;               // a CPython: runs begin as forks of one that is warm
  std::string probe_program;       // the language is offered where this file is executable
  std::string probe_source;        // a program of its own and what it prints
  std::string probe_output;
};

// What a row, a task or a person may give as a limit.
struct LimitRange {
  double least, most;
  std::string_view wanted;
  bool Holds(double value) const { return value >= least && value <= most; }  // NaN: no
};
constexpr LimitRange kSecondsOfALimit = {0.001, 86400, "seconds from 0.001 to 86,400"};
constexpr LimitRange kMebibytesOfALimit = {1, 1 << 20, "MiB from 1 to 1,048,576"};

constexpr int64_t kGuardFailed = 3;  // it raised what nobody caught; testlib's own failure
constexpr int64_t kGuardGone = 217;  // the same, since whom it reads from or writes to has ended

// All specs, whether installed or not. Immutable; thread-safe.
const std::vector<Language>& Languages();
// By name or alias; NotFound with the nearest name.
absl::StatusOr<const Language*> FindLanguage(std::string_view name);
absl::StatusOr<const Language*> LanguageOfFile(std::string_view path);
bool IsInstalled(const Language& language);

// How a run ended, before anybody looked at its output.
enum class RunVerdict {
  kFinished,  // exit status 0, nothing exceeded
  kTimeLimit,
  kMemoryLimit,
  kOutputLimit,
  kRuntimeError,
  kSecurityViolation,
  kCompileError
};
std::string_view RunVerdictName(RunVerdict verdict);  // "finished", "time_limit", ...

struct ProgramEnd {
  RunVerdict verdict = RunVerdict::kFinished;
  std::string why;  // "cpu", "wall", "exit 1", "SIGSEGV", the compiler's first error
  RunEnd run;
};
ProgramEnd Classify(RunEnd run, const RunLimits& limits);

// A program that can be run; its failure where it cannot (it does not compile).
struct Prepared {
  bool ready = false;
  const Language* language = nullptr;
  bool guarded = false;            // runs below the language's guard
  std::shared_ptr<const Box> box;  // shared: its tests run on many threads
  ProgramEnd failure;
  bool from_cache = false;
};

struct RunnerOptions {
  int workers = 1;
  Isolation isolation = Isolation::kFull;
  std::string cache_directory;  // empty: $XDG_CACHE_HOME/assay, ~/.cache/assay
  bool precompiled_headers = true;
  std::string cgroup;  // as SandboxOptions::cgroup
};

// What a language is compiled within: CPU 8 s, 768 MiB, files of 64 MiB; 30 s of wall time, since a
// compiler does not sleep and a busy machine is not the program's fault.
RunLimits CompileLimits();

class Runner {
 public:
  // Errors as Sandbox::Start.
  static absl::StatusOr<std::unique_ptr<Runner>> Start(const RunnerOptions& options);
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // Thread-safe, as all below. FailedPrecondition where the language is not installed.
  absl::StatusOr<Prepared> Prepare(const Language& language, std::string_view source);
  // The same with further files in /box beside the source.
  absl::StatusOr<Prepared> Prepare(const Language& language, std::string_view source,
                                   std::vector<sandbox_wire::BoxFile> more);
  // The same for a problem's own program: below its language's guard, where it has one.
  absl::StatusOr<Prepared> PrepareGuarded(const Language& language, std::string_view source);
  // Limits as the problem gives them; the language's factors are applied here.
  absl::StatusOr<ProgramEnd> Run(const Prepared& program, std::string_view input,
                                 const RunLimits& limits,
                                 const std::vector<std::string>& arguments = {});
  absl::StatusOr<std::pair<ProgramEnd, ProgramEnd>> RunJoined(
      const Prepared& first, const RunLimits& first_limits,
      const std::vector<std::string>& first_arguments, const Prepared& second,
      const RunLimits& second_limits, const std::vector<std::string>& second_arguments,
      Joint joint);
  Sandbox& sandbox();

 private:
  struct Shared;
  explicit Runner(std::unique_ptr<Shared> shared);
  std::unique_ptr<Shared> shared_;
};

// The limits of a problem as they are for this language.
RunLimits EffectiveLimits(const Language& language, RunLimits limits);

}  // namespace assay
