// `assay doctor`: is this machine, this build, this endpoint fit for a run?
#include "harness/command.h"

namespace assay {

Command DoctorCommand() {
  Command command;
  command.name = "doctor";
  command.about = "Check the build, the machine and an endpoint";
  command.declare = [](CommandLine& line) { line.Action([] { return 1; }); };
  return command;
}

}  // namespace assay
