// The self-test's outside: the daemon's own program is run inside as a hostile one.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "harness/status.h"
#include "harness/text.h"
#include "sandbox/sandbox.h"

namespace assay {
namespace {

// A file outside that no program may read, for the time of a probe.
struct Canary {
  std::string path;
  Canary() {
    char name[] = "/var/tmp/assay-canary-XXXXXX";
    const int file = mkstemp(name);
    path = name;
    if (file >= 0) close(file);
  }
  ~Canary() { unlink(path.c_str()); }
};

std::vector<SandboxProbe> ParseProbes(std::string_view output) {
  std::vector<SandboxProbe> probes;
  for (const std::string_view line : SplitLines(output)) {
    const std::vector<std::string_view> words = Split(line, ' ');
    if (words.size() < 2) continue;
    SandboxProbe probe;
    probe.name = std::string(words[1]);
    probe.held = words[0] == "held";
    if (words.size() > 2)
      probe.found = std::string(line.substr(static_cast<size_t>(words[2].data() - line.data())));
    probes.push_back(std::move(probe));
  }
  return probes;
}

// A run that must be stopped by the limit named.
absl::StatusOr<SandboxProbe> ProbeLimit(Sandbox& sandbox, const std::shared_ptr<const Box>& box,
                                        const char* how, RunStopped wanted, RunLimits limits) {
  ProgramRun run;
  run.arguments = {"/box/probe", "--misbehave", how};
  run.box = box;
  run.limits = limits;
  ASSIGN_OR_RETURN(const RunEnd end, sandbox.RunProgram(run));
  SandboxProbe probe;
  probe.name = absl::StrFormat("%s-limit", StoppedName(wanted));
  probe.held = end.stopped == wanted;
  if (!probe.held) probe.found = absl::StrFormat("stopped: %s", StoppedName(end.stopped));
  return probe;
}

}  // namespace

absl::StatusOr<std::vector<SandboxProbe>> ProbeSandbox(Sandbox& sandbox) {
  std::ifstream file(sandbox.program(), std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::shared_ptr<const Box> box = MakeBox({{"probe", std::move(bytes), true}});
  const Canary canary;
  ProgramRun run;
  run.arguments = {"/box/probe", "--probe", std::to_string(getpid()), canary.path};
  run.box = box;
  run.limits.processes = 16;
  run.limits.scratch_bytes = 1 << 20;
  run.limits.file_bytes = 2 << 20;
  ASSIGN_OR_RETURN(const RunEnd end, sandbox.RunProgram(run));
  std::vector<SandboxProbe> probes = ParseProbes(end.standard_output);
  if (end.exit_code != 0 || probes.size() < 15) {
    return Internal("sandbox: the self-test's program ended early (exit %d, signal %d): %s",
                    end.exit_code, end.signal, Shorten(end.standard_error, 200));
  }
  const RunLimits brief = {.wall_ms = 5000, .cpu_ms = 50, .memory_bytes = 64 << 20};
  RunLimits briefer = brief;
  briefer.wall_ms = 50;
  const struct {
    const char* how;
    RunStopped wanted;
    RunLimits limits;
  } table[] = {{"spin", RunStopped::kCpu, brief},
               {"sleep", RunStopped::kWall, briefer},
               {"memory", RunStopped::kMemory, {.memory_bytes = 64 << 20}},
               {"output", RunStopped::kOutput, {.stdout_bytes = 1 << 20}}};
  for (const auto& row : table) {
    ASSIGN_OR_RETURN(SandboxProbe probe, ProbeLimit(sandbox, box, row.how, row.wanted, row.limits));
    probes.push_back(std::move(probe));
  }
  return probes;
}

absl::Status CheckProbes(const std::vector<SandboxProbe>& probes, Isolation isolation) {
  std::vector<std::string> open;
  if (isolation == Isolation::kNone) return absl::OkStatus();
  for (const SandboxProbe& probe : probes) {
    if (isolation == Isolation::kLandlock && probe.name == "scratch") continue;
    if (!probe.held) open.push_back(absl::StrFormat("%s (%s)", probe.name, probe.found));
  }
  if (open.empty()) return absl::OkStatus();
  return FailedPrecondition("sandbox: the self-test got out: %s", Join(open, "; "));
}

}  // namespace assay
