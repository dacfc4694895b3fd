// Reads a byte of every 2 MiB of a huge reservation: nothing is touched, tables of the kernel grow.
#include <sys/mman.h>

int main() {
  volatile char sink = 0;
  while (true) {
    const unsigned long bytes = 1ul << 38;
    void* at = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) return 1;
    madvise(at, bytes, MADV_NOHUGEPAGE);
    for (unsigned long i = 0; i < bytes; i += 2 << 20) sink = static_cast<char*>(at)[i];
  }
}
