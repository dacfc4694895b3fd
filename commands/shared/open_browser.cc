// xdg-open knows which browser it is.
#include "commands/shared/open_browser.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/status.h"

namespace assay {

absl::Status OpenInBrowser(std::string target) {
  std::string program = "xdg-open";
  char* const words[] = {program.data(), target.data(), nullptr};
  pid_t child = 0;
  int status = posix_spawnp(&child, program.c_str(), nullptr, nullptr, words, environ);
  if (status == 0 && waitpid(child, &status, 0) == child && status == 0) return absl::OkStatus();
  return Unavailable("--open: xdg-open cannot show %s", target);
}

}  // namespace assay
