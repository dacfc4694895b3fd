// Puts one page of each of many large ones into a pipe and unmaps the rest.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>

int main() {
  for (int pipes = 0; pipes < 20; ++pipes) {
    int ends[2];
    if (pipe(ends) != 0) break;
    fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    for (int page = 0; page < 256; ++page) {
      void* raw =
          mmap(nullptr, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      const uintptr_t large = (reinterpret_cast<uintptr_t>(raw) + (2 << 20) - 1) >> 21 << 21;
      char* at = reinterpret_cast<char*>(large);
      madvise(at, 2 << 20, MADV_HUGEPAGE);
      at[0] = 1;
      iovec part = {at, 4096};
      if (vmsplice(ends[1], &part, 1, 0) == 4096) std::puts("PINNED");
      munmap(raw, 4 << 20);
    }
  }
  std::puts("4");
}
