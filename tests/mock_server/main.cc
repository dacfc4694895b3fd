// The stand-alone mock server: prints its port, serves until SIGTERM or SIGINT.
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "tests/mock_server/server.h"

int main(int argc, char** argv) {
  using namespace assay::mock_server;
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words == std::vector<std::string>{"--help"}) {
    std::fputs(FlagsHelp().c_str(), stdout);
    return 0;
  }
  const absl::StatusOr<Options> options = ParseFlags(words);
  if (!options.ok()) {
    std::fprintf(stderr, "assay-mock-server: %s\n",
                 std::string(options.status().message()).c_str());
    return 2;
  }
  // Blocked before the server's thread starts, so that only sigwait sees them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const auto server = MockServer::Start(*options);
  if (!server.ok()) {
    std::fprintf(stderr, "assay-mock-server: %s\n", std::string(server.status().message()).c_str());
    return 1;
  }
  std::printf("%d\n", (*server)->port());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  return 0;
}
