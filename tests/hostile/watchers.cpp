// Asks for what watches others or runs in the kernel, in children that may die of it.
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

int main() {
  std::setvbuf(stdout, nullptr, _IONBF, 0);
  char room[256];
  std::memset(room, 0, sizeof room);
  const long calls[][6] = {{SYS_inotify_init1, 0},
                           {SYS_inotify_init, 0},
                           {SYS_fanotify_init, 0, 0},
                           {SYS_perf_event_open, reinterpret_cast<long>(room), 0, -1, -1, 0},
                           {SYS_bpf, 5, reinterpret_cast<long>(room), 128},
                           {SYS_io_uring_setup, 4, reinterpret_cast<long>(room)},
                           {SYS_userfaultfd, 1},
                           {SYS_add_key, reinterpret_cast<long>("user"),
                            reinterpret_cast<long>("k"), reinterpret_cast<long>("v"), 1, -3},
                           {SYS_keyctl, 1, 0},
                           {SYS_ptrace, PTRACE_TRACEME, 0, 0, 0},
                           {SYS_process_vm_readv, getpid(), 0, 0, 0, 0},
                           {SYS_kcmp, getpid(), getpid(), 0, 0, 0},
                           {SYS_quotactl, 0, 0, 0, 0},
                           {SYS_landlock_create_ruleset, 0, 0, 1},
                           {SYS_io_setup, 8, reinterpret_cast<long>(room)}};
  for (const auto& call : calls) {
    const pid_t child = fork();
    if (child == 0) {
      if (syscall(call[0], call[1], call[2], call[3], call[4], call[5]) >= 0)
        std::printf("WATCHES %ld\n", call[0]);
      _exit(0);
    }
    if (child > 0) waitpid(child, nullptr, 0);
  }
  std::puts("4");
}
