// The stand-alone mock hub: serves files of this disk as datasets/mock/files/resolve/main/NAME;
// prints its address, serves until SIGTERM or SIGINT. For benchmarks and trials by hand.
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <string>

#include "tests/mock_hub/hub.h"

int main(int argc, char** argv) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const auto hub = assay::mock_hub::MockHub::Start();
  if (!hub.ok() || argc < 2) {
    std::fprintf(stderr, "usage: assay-mock-hub FILE...\n");
    return 2;
  }
  for (int i = 1; i < argc; ++i) {
    const std::filesystem::path path(argv[i]);
    assay::mock_hub::HubFile file;
    file.disk_path = path.string();
    (*hub)->PutFile("mock/files", path.filename().string(), file);
  }
  std::printf("%s\n", (*hub)->endpoint().c_str());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  return 0;
}
