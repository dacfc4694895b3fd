// Waits where a process is in the state in which disks keep one.
#include <unistd.h>

int main() {
  if (vfork() == 0) {
    sleep(3600);
    _exit(0);
  }
}
