// Asks for each namespace in each way, in children that may die of it.
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <initializer_list>

int main() {
  std::setvbuf(stdout, nullptr, _IONBF, 0);
  for (unsigned long flag : {0x00020000ul, 0x02000000ul, 0x04000000ul, 0x08000000ul, 0x10000000ul,
                             0x20000000ul, 0x40000000ul, 0x00000080ul}) {
    for (int way = 0; way < 3; ++way) {
      const pid_t child = fork();
      if (child == 0) {
        long got = -1;
        if (way == 0) got = syscall(SYS_unshare, flag);
        if (way == 1 && flag != 0x80) got = syscall(SYS_clone, flag | SIGCHLD, 0, 0, 0, 0);
        if (way == 2) {
          clone_args arguments = {};
          arguments.flags = flag;
          arguments.exit_signal = SIGCHLD;
          got = syscall(SYS_clone3, &arguments, sizeof arguments);
        }
        if (got >= 0) std::puts("NESTED");
        _exit(0);
      }
      if (child > 0) waitpid(child, nullptr, 0);
    }
  }
  std::puts("4");
}
