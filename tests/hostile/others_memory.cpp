// Opens what /proc says of processes that are not its own.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <string>

int main() {
  for (int pid = 1; pid < 400; ++pid) {
    if (pid == getpid()) continue;
    for (const char* name : {"mem", "maps", "environ", "auxv", "root/tmp", "cwd/.", "exe", "fd/0",
                             "stack", "syscall", "pagemap", "task/1/mem", "ns/pid", "map_files"}) {
      const std::string path = "/proc/" + std::to_string(pid) + "/" + name;
      if (open(path.c_str(), O_RDONLY) >= 0) std::printf("OPENED %s\n", path.c_str());
    }
  }
  std::puts("4");
}
