// `assay sandbox`: one program in the sandbox, and the sandbox's self-test.
#include <cstdio>
#include <fstream>
#include <iterator>

#include "harness/command.h"
#include "harness/json.h"
#include "harness/status.h"
#include "harness/text.h"
#include "reports/terminal.h"
#include "sandbox/language.h"

namespace assay {
namespace {

struct RunFlags {
  std::string file;
  std::string input;  // a file; empty: none
  std::string language;
  std::string isolation = "full";
  double seconds = 10;
  double cpu_seconds = 5;
  int memory_mib = 256;
  bool json = false;
};

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "assay sandbox: %s\n", Printable(std::string(status.message())).c_str());
  return 1;
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return NotFound("%s: cannot be read", path);
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

Json ToJson(const ProgramEnd& end, const Sandbox& sandbox) {
  Json json = Json::MakeObject({{"verdict", RunVerdictName(end.verdict)},
                                {"why", end.why},
                                {"isolation", IsolationName(sandbox.isolation())},
                                {"memory_by", sandbox.memory_means()}});
  json.Set("exit_code", end.run.exit_code);
  json.Set("signal", end.run.signal);
  json.Set("wall_seconds", static_cast<double>(end.run.wall_us) / 1e6);
  json.Set("cpu_seconds", static_cast<double>(end.run.cpu_us) / 1e6);
  json.Set("memory_bytes", end.run.memory_bytes);
  json.Set("stdout_bytes", end.run.stdout_seen);
  json.Set("stdout", end.run.standard_output);
  json.Set("stderr", end.run.standard_error);
  return json;
}

void Print(const ProgramEnd& end, const Sandbox& sandbox) {
  std::fwrite(end.run.standard_output.data(), 1, end.run.standard_output.size(), stdout);
  std::fflush(stdout);
  std::fprintf(stderr, "%s", SafeLines(end.run.standard_error).c_str());
  std::fprintf(
      stderr,
      "-- %s%s%s; %.3f s, %.3f s of CPU, %.1f MiB, %s bytes out; isolation %s, memory by %s\n",
      std::string(RunVerdictName(end.verdict)).c_str(), end.why.empty() ? "" : ": ",
      Printable(end.why).c_str(), static_cast<double>(end.run.wall_us) / 1e6,
      static_cast<double>(end.run.cpu_us) / 1e6,
      static_cast<double>(end.run.memory_bytes) / (1 << 20),
      WithThousands(end.run.stdout_seen).c_str(),
      std::string(IsolationName(sandbox.isolation())).c_str(),
      std::string(sandbox.memory_means()).c_str());
}

absl::Status RunFile(const RunFlags& flags) {
  ASSIGN_OR_RETURN(const Isolation isolation, IsolationFromName(flags.isolation));
  ASSIGN_OR_RETURN(std::string source, ReadFile(flags.file));
  std::string input;
  if (!flags.input.empty()) {
    ASSIGN_OR_RETURN(input, ReadFile(flags.input));
  }
  ASSIGN_OR_RETURN(const Language* language, flags.language.empty() ? LanguageOfFile(flags.file)
                                                                    : FindLanguage(flags.language));
  ASSIGN_OR_RETURN(const std::unique_ptr<Runner> runner,
                   Runner::Start({.workers = 1, .isolation = isolation}));
  RunLimits limits;
  limits.wall_ms = static_cast<int64_t>(flags.seconds * 1000);
  limits.cpu_ms = static_cast<int64_t>(flags.cpu_seconds * 1000);
  limits.memory_bytes = static_cast<int64_t>(flags.memory_mib) << 20;
  ASSIGN_OR_RETURN(const Prepared prepared, runner->Prepare(*language, source));
  ProgramEnd end = prepared.failure;
  if (prepared.ready) {
    ASSIGN_OR_RETURN(end, runner->Run(prepared, input, limits));
  }
  if (flags.json) {
    std::printf("%s\n", ToJson(end, runner->sandbox()).Dump().c_str());
  } else {
    Print(end, runner->sandbox());
  }
  return absl::OkStatus();
}

absl::Status TestSandbox(const std::string& isolation_name, bool json) {
  ASSIGN_OR_RETURN(const Isolation isolation, IsolationFromName(isolation_name));
  ASSIGN_OR_RETURN(const std::unique_ptr<Sandbox> sandbox,
                   Sandbox::Start({.isolation = isolation}));
  ASSIGN_OR_RETURN(const std::vector<SandboxProbe> probes, ProbeSandbox(*sandbox));
  for (const SandboxProbe& probe : probes) {
    if (json) {
      std::printf("%s\n", Json::MakeObject(
                              {{"probe", probe.name}, {"held", probe.held}, {"found", probe.found}})
                              .Dump()
                              .c_str());
    } else {
      std::printf("%-6s %-16s %s\n", probe.held ? "held" : "OPEN", probe.name.c_str(),
                  Printable(probe.found).c_str());
    }
  }
  return CheckProbes(probes, isolation);
}

}  // namespace

Command SandboxCommand() {
  Command command;
  command.name = "sandbox";
  command.about = "Run one program in the sandbox, or try the sandbox itself";
  command.order = 70;
  command.declare = [](CommandLine& line) {
    auto flags = std::make_shared<RunFlags>();
    CommandLine& run = line.Sub("run", "Run one file and say how it ended");
    run.Positional("file", &flags->file, "The program's source", true);
    run.Option("--stdin", &flags->input, "A file that is its standard input");
    run.Option("--language", &flags->language, "Its language; else told by the file's name");
    run.Option("--isolation", &flags->isolation,
               "full, landlock or none: less than full only where you say so");
    run.Option("--seconds", &flags->seconds, "Wall time that it may take");
    run.Option("--cpu-seconds", &flags->cpu_seconds, "CPU time of all its processes");
    run.Option("--memory-mib", &flags->memory_mib, "Memory of all its processes");
    run.Flag("--json", &flags->json, "Print one JSON object");
    run.Action([flags] {
      const absl::Status status = RunFile(*flags);
      return status.ok() ? 0 : Fail(status);
    });
    auto json = std::make_shared<bool>(false);
    auto isolation = std::make_shared<std::string>("full");
    CommandLine& test = line.Sub("test", "Try to get out, some twenty ways");
    test.Option("--isolation", isolation.get(), "full, landlock or none");
    test.Flag("--json", json.get(), "Print one JSON object a line");
    test.Action([json, isolation] {
      const absl::Status status = TestSandbox(*isolation, *json);
      return status.ok() ? 0 : Fail(status);
    });
  };
  return command;
}

}  // namespace assay
