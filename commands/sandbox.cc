// `assay sandbox`: one program in the sandbox, and the sandbox's self-test.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

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
  int64_t memory_mib = 256;
  bool json = false;
};

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "assay sandbox: %s\n", Printable(std::string(status.message())).c_str());
  return 1;
}

constexpr size_t kMostInput = size_t{1} << 30;  // bytes of a source or of a standard input

// A file or a pipe, whole. Devices have no end.
absl::StatusOr<std::string> ReadOpen(const std::string& path, int descriptor) {
  struct stat info;
  if (fstat(descriptor, &info) != 0) return Unavailable("%s: %s", path, strerror(errno));
  if (S_ISDIR(info.st_mode)) return InvalidArgument("%s: a directory, wanted a file", path);
  if (S_ISCHR(info.st_mode) && isatty(descriptor) == 0 && path != "/dev/null")
    return InvalidArgument("%s: a device, wanted a file", path);
  if (S_ISREG(info.st_mode) && info.st_size > static_cast<off_t>(kMostInput)) {
    return InvalidArgument("%s: %s bytes, wanted at most 1 GiB", path, WithThousands(info.st_size));
  }
  std::string bytes;
  std::vector<char> part(size_t{1} << 20);
  while (true) {
    const ssize_t count = read(descriptor, part.data(), part.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Unavailable("%s: read: %s", path, strerror(errno));
    if (count == 0) return bytes;
    bytes.append(part.data(), static_cast<size_t>(count));
    if (bytes.size() > kMostInput) {
      return InvalidArgument("%s: more than %s bytes, wanted at most 1 GiB", path,
                             WithThousands(static_cast<int64_t>(kMostInput)));
    }
  }
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return NotFound("%s: cannot be read: %s", path, strerror(errno));
  absl::StatusOr<std::string> bytes = ReadOpen(path, descriptor);
  close(descriptor);
  return bytes;
}

// What a limit may be; the first flag that is none is wrong use.
absl::Status CheckLimits(const RunFlags& flags) {
  const auto check = [](std::string_view name, const Json& value, const LimitRange& range) {
    if (range.Holds(value.AsNumber())) return absl::OkStatus();
    return InvalidArgument("%s: found %s, wanted %s", std::string(name), value.Dump(),
                           std::string(range.wanted));
  };
  RETURN_IF_ERROR(check("--seconds", flags.seconds, kSecondsOfALimit));
  RETURN_IF_ERROR(check("--cpu-seconds", flags.cpu_seconds, kSecondsOfALimit));
  return check("--memory-mib", flags.memory_mib, kMebibytesOfALimit);
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
  limits.memory_bytes = flags.memory_mib << 20;
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
      if (const absl::Status limits = CheckLimits(*flags); !limits.ok()) {
        Fail(limits);
        std::fprintf(stderr, "Try: assay sandbox run --help\n");
        return 2;
      }
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
