// `assay grade-worker GRADER`: the child that a grader's worker pool starts. Not for people.
#include <cstdio>

#include "harness/command.h"
#include "harness/process.h"
#include "harness/registry.h"

namespace assay {
namespace {

int Serve(const std::string& name) {
  const absl::StatusOr<const Grader*> grader = FindGrader(name);
  if (!grader.ok()) {
    std::fprintf(stderr, "assay grade-worker: %s\n",
                 std::string(grader.status().message()).c_str());
    return 1;
  }
  if (!(*grader)->work) {
    std::fprintf(stderr, "assay grade-worker: the grader '%s' works in the process itself\n",
                 name.c_str());
    return 1;
  }
  return ServeWorker((*grader)->work);
}

}  // namespace

Command GradeWorkerCommand() {
  Command command;
  command.name = "grade-worker";
  command.about = "Internal: do a grader's work in a process of its own";
  command.order = 900;
  command.declare = [](CommandLine& line) {
    auto name = std::make_shared<std::string>();
    line.Positional("grader", name.get(), "The grader whose work is done", true);
    line.Action([name] { return Serve(*name); });
  };
  return command;
}

}  // namespace assay
