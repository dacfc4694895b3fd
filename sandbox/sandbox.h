// Runs a hostile program within limits and says how it ended.
//
//   ASSIGN_OR_RETURN(std::unique_ptr<Sandbox> sandbox, Sandbox::Start({.workers = 2}));
//   ASSIGN_OR_RETURN(RunEnd end, sandbox->RunProgram({.arguments = {"/usr/bin/true"}}));
//
// The programs run below processes of another program, assay-sandboxd, which has an empty
// environment and none of our memory. What an end says comes from the kernel through it; a program
// can choose its own output, its own exit status, and nothing else. An error is ours (the sandbox
// could not be made, or broke) and never says anything about the program; what can be tried again
// has been. sandbox/README.md says what is promised.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sandbox/protocol.h"

namespace assay {

enum class Isolation { kFull, kLandlock, kNone };
std::string_view IsolationName(Isolation isolation);  // "full", "landlock", "none"
absl::StatusOr<Isolation> IsolationFromName(std::string_view name);

using RunLimits = sandbox_wire::Limits;
using RunEnd = sandbox_wire::End;
using RunStopped = sandbox_wire::Stopped;
std::string_view StoppedName(RunStopped stopped);  // "no", "wall", "cpu", "memory", "output"

// What /box holds while a program runs: its source, its binary. Read-only inside.
struct Box {
  std::string id;  // equal ids mean equal contents: a worker that holds it is not sent it again
  std::vector<sandbox_wire::BoxFile> files;
};
// With an id made from the contents. Shared: the tests of one program run on many threads.
std::shared_ptr<const Box> MakeBox(std::vector<sandbox_wire::BoxFile> files);

struct ProgramRun {
  std::vector<std::string> arguments;    // [0] is a path: /usr/bin/python3
  std::vector<std::string> environment;  // besides PATH, HOME, LANG; nothing of ours is inherited
  std::shared_ptr<const Box> box;        // null: an empty one
  std::string input;                     // standard input
  RunLimits limits;
  std::string collect;        // "/tmp/NAME": a file that comes back in RunEnd::collected; "" none
  int64_t collect_bytes = 0;  // a larger file does not
  sandbox_wire::Runner runner = sandbox_wire::Runner::kExec;
};

// How two programs that run at once are joined.
enum class Joint {
  kStandard,  // each one's output is the other's input
  kSide       // each reads the other at descriptor 3 and writes to it at 4; 0, 1, 2 are its own
};

struct SandboxOptions {
  int workers = 1;  // programs that run at once
  Isolation isolation = Isolation::kFull;
  std::vector<std::pair<std::string, std::string>> show;  // a directory of ours, "/inside"
  // Where cgroups may be made: a directory, "off" (memory is polled), or "": $ASSAY_CGROUP, else
  // the one that we are in where it may be divided. A named one that cannot be used is an error.
  std::string cgroup;
  std::string program;  // assay-sandboxd; empty: $ASSAY_SANDBOXD, or beside our own program
};

class Sandbox {
 public:
  // FailedPrecondition where this machine does not allow the isolation asked for: the message says
  // what failed. Never takes a lower one by itself.
  static absl::StatusOr<std::unique_ptr<Sandbox>> Start(SandboxOptions options);
  ~Sandbox();  // ends the workers and whatever runs in them; no call may be under way
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  // Waits for a free worker. Thread-safe.
  absl::StatusOr<RunEnd> RunProgram(const ProgramRun& run);
  // Two programs, joined; needs two workers. Thread-safe.
  absl::StatusOr<std::pair<RunEnd, RunEnd>> RunJoined(const ProgramRun& first,
                                                      const ProgramRun& second, Joint joint);
  Isolation isolation() const;
  int workers() const;
  // What holds and counts the memory of programs: "cgroup" or "poll"; and why it is a poll.
  std::string_view memory_means() const;
  const std::string& why_poll() const;
  const std::string& program() const;  // assay-sandboxd's path
  int64_t restarts() const;            // workers that were replaced since the start

 private:
  struct Shared;
  explicit Sandbox(std::unique_ptr<Shared> shared);
  std::unique_ptr<Shared> shared_;
};

// The self-test: probes that try to get out, run inside; what each found.
struct SandboxProbe {
  std::string name;
  bool held = false;
  std::string found;
};
absl::StatusOr<std::vector<SandboxProbe>> ProbeSandbox(Sandbox& sandbox);
// Ok where every probe held that this isolation promises; else FailedPrecondition naming the
// others. `landlock` has no limit on the bytes in /tmp; `none` promises nothing.
absl::Status CheckProbes(const std::vector<SandboxProbe>& probes, Isolation isolation);

}  // namespace assay
