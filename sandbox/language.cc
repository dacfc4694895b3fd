// Reading the specs, which are part of the program.
#include "sandbox/language.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "harness/json.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay {

const std::map<std::string, std::string>& SandboxFiles();  // cmake/embed.cmake

namespace {

std::vector<std::string> Texts(const Json& json, std::string_view name) {
  std::vector<std::string> texts;
  if (const Json* list = json.Find(name); list != nullptr) {
    for (const Json& text : list->AsArray()) texts.push_back(text.AsString());
  }
  return texts;
}

// The specs are ours: a mistake in one is a bug, found by the first test that asks for languages.
Language FromJson(const Json& json) {
  Language language;
  language.name = json.FindString("name").value_or("");
  language.about = json.FindString("about").value_or("");
  language.aliases = Texts(json, "aliases");
  language.extensions = Texts(json, "extensions");
  language.source = json.FindString("source").value_or("");
  language.compile = Texts(json, "compile");
  language.precompile = Texts(json, "precompile");
  language.artifact = json.FindString("artifact").value_or("");
  language.run = Texts(json, "run");
  if (const Json* guard = json.Find("guard"); guard != nullptr) {
    const std::string file = guard->FindString("file").value_or("");
    language.guard_name = file.substr(file.rfind('/') + 1);
    language.guard_text = SandboxFiles().at(file);
    language.guard_run = Texts(*guard, "run");
    CHECK(!language.guard_run.empty());
  }
  language.environment = Texts(json, "environment");
  language.time_factor = json.FindNumber("time_factor").value_or(1.0);
  language.extra_memory_bytes = json.FindInteger("extra_memory_mib").value_or(0) << 20;
  language.processes = json.FindInteger("processes").value_or(0);
  language.warm = json.FindBool("warm").value_or(false);
  const Json* probe = json.Find("probe");
  CHECK(!language.name.empty() && !language.source.empty() && !language.run.empty());
  CHECK(probe != nullptr && language.compile.empty() == language.artifact.empty());
  language.probe_program = probe->FindString("program").value_or("");
  language.probe_source = probe->FindString("source").value_or("");
  language.probe_output = probe->FindString("output").value_or("");
  return language;
}

std::vector<Language> ReadLanguages() {
  std::vector<Language> languages;
  for (const auto& [path, text] : SandboxFiles()) {
    if (!path.starts_with("sandbox/languages/")) continue;
    const absl::StatusOr<Json> json = ParseJson(text);
    CHECK(json.ok());
    languages.push_back(FromJson(*json));
  }
  return languages;
}

std::string SignalName(int64_t signal) {
  const char* name = sigabbrev_np(static_cast<int>(signal));
  return name == nullptr ? absl::StrFormat("signal %d", signal) : absl::StrFormat("SIG%s", name);
}

std::string_view LastLine(std::string_view text) {
  text = TrimRight(text);
  const size_t newline = text.rfind('\n');
  return newline == std::string_view::npos ? text : text.substr(newline + 1);
}

// A program that says that it found no memory failed for that reason; it can only blame itself.
bool SaysNoMemory(const RunEnd& run) {
  return LastLine(run.standard_error).starts_with("MemoryError") ||
         Contains(run.standard_error, "std::bad_alloc");
}

}  // namespace

const std::vector<Language>& Languages() {
  static const auto* languages = new std::vector<Language>(ReadLanguages());
  return *languages;
}

absl::StatusOr<const Language*> FindLanguage(std::string_view name) {
  const std::string wanted = ToLowerAscii(name);
  std::vector<std::string> known;
  for (const Language& language : Languages()) {
    const auto alias = std::find(language.aliases.begin(), language.aliases.end(), wanted);
    if (language.name == wanted || alias != language.aliases.end()) return &language;
    known.push_back(language.name);
  }
  return NotFound("language '%s' is not known%s (known: %s)", std::string(name),
                  DidYouMean(wanted, known), Join(known, ", "));
}

absl::StatusOr<const Language*> LanguageOfFile(std::string_view path) {
  for (const Language& language : Languages()) {
    for (const std::string& extension : language.extensions) {
      if (path.ends_with(extension)) return &language;
    }
  }
  return NotFound("%s: no language is known by that name's ending; --language names one",
                  std::string(path));
}

bool IsInstalled(const Language& language) {
  return access(language.probe_program.c_str(), X_OK) == 0;
}

std::string_view RunVerdictName(RunVerdict verdict) {
  switch (verdict) {
    case RunVerdict::kFinished:
      return "finished";
    case RunVerdict::kTimeLimit:
      return "time_limit";
    case RunVerdict::kMemoryLimit:
      return "memory_limit";
    case RunVerdict::kOutputLimit:
      return "output_limit";
    case RunVerdict::kRuntimeError:
      return "runtime_error";
    case RunVerdict::kSecurityViolation:
      return "security_violation";
    case RunVerdict::kCompileError:
      break;
  }
  return "compile_error";
}

ProgramEnd Classify(RunEnd run, const RunLimits& limits) {
  ProgramEnd end;
  const auto is = [&](RunVerdict verdict, std::string why) {
    end.verdict = verdict;
    end.why = std::move(why);
  };
  const bool failed = run.exit_code != 0;  // -1 where a signal ended it
  if (run.stopped == RunStopped::kWall || run.stopped == RunStopped::kCpu) {
    is(RunVerdict::kTimeLimit, run.stopped_by);
  } else if (run.stopped == RunStopped::kMemory) {
    is(RunVerdict::kMemoryLimit, run.stopped_by);
  } else if (run.stopped == RunStopped::kOutput) {
    is(RunVerdict::kOutputLimit, run.stopped_by);
  } else if (run.signal == SIGXCPU) {
    is(RunVerdict::kTimeLimit, "cpu");
  } else if (run.signal == SIGXFSZ) {
    is(RunVerdict::kOutputLimit, "file");
  } else if (run.signal == SIGSYS) {
    is(RunVerdict::kSecurityViolation, "a forbidden system call");
  } else if (failed && (SaysNoMemory(run) || run.memory_bytes > limits.memory_bytes / 10 * 9)) {
    is(RunVerdict::kMemoryLimit, "alloc");
  } else if (run.signal != 0) {
    is(RunVerdict::kRuntimeError, SignalName(run.signal));
  } else if (failed) {
    is(RunVerdict::kRuntimeError, absl::StrFormat("exit %d", run.exit_code));
  }
  end.run = std::move(run);
  return end;
}

RunLimits EffectiveLimits(const Language& language, RunLimits limits) {
  limits.wall_ms = static_cast<int64_t>(static_cast<double>(limits.wall_ms) * language.time_factor);
  limits.cpu_ms = static_cast<int64_t>(static_cast<double>(limits.cpu_ms) * language.time_factor);
  limits.memory_bytes += language.extra_memory_bytes;
  limits.processes = std::max(limits.processes, language.processes);
  return limits;
}

}  // namespace assay
