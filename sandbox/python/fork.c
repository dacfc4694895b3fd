// The warm Python's native half: waits for requests, forks, puts the child into its cell and
// confines it; returns to Python in the child only.
//
// A library that sandbox/python/zygote.py loads from a file in memory. It knows nothing of Python:
// a fork here skips what os.fork() does for programs with threads, which costs more than the rest.
// The order and the meaning of the steps are cell.cc's.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kMostDescriptors = 16, kReport = 0, kCell = 1, kFirst = 2 };

// As sandbox/daemon/python.cc writes it; the rest is text for Python.
struct Request {
  int64_t cgroup;  // a descriptor: the directory of the one that the child begins in; -1: none
  int64_t limits;
  struct {
    int64_t resource, value;
  } limit[16];
};

static _Noreturn void Say(int report, const char* what) {
  char text[200];
  const int length = snprintf(text, sizeof text, "%s: %s", what, strerror(errno));
  if (write(report, text, (size_t)length) != length) _exit(126);
  _exit(127);
}

static size_t Receive(int socket, char* buffer, size_t room, int* descriptors, size_t* count) {
  union {
    char bytes[CMSG_SPACE(sizeof(int) * kMostDescriptors)];
    struct cmsghdr aligned;
  } control;
  struct iovec part = {buffer, room};
  struct msghdr message = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof control.bytes};
  ssize_t got = -1;
  do {
    got = recvmsg(socket, &message, 0);
  } while (got < 0 && errno == EINTR);
  if (got <= 0) _exit(0);  // the worker is gone
  *count = 0;
  struct cmsghdr* head = CMSG_FIRSTHDR(&message);
  if (head != NULL && head->cmsg_type == SCM_RIGHTS) {
    *count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(descriptors, CMSG_DATA(head), *count * sizeof(int));
  }
  return (size_t)got;
}

// The program's descriptors become 0, 1, 2, ...; the report comes after them.
static int Arrange(int* descriptors, size_t count) {
  const int programs = (int)count - kFirst;
  int high[kMostDescriptors];
  for (size_t i = 0; i < count; ++i) high[i] = fcntl(descriptors[i], F_DUPFD, 24);
  for (int i = 0; i < programs; ++i) {
    if (dup2(high[kFirst + i], i) < 0) Say(high[kReport], "dup2");
  }
  if (dup2(high[kReport], programs) < 0) Say(high[kReport], "dup2");
  if (close_range((unsigned)programs + 1, ~0u, 0) != 0) Say(programs, "close_range");
  return programs;
}

static void Confine(int report, const struct Request* request, const struct sock_fprog* filter) {
  for (int64_t i = 0; i < request->limits; ++i) {
    const struct rlimit both = {(rlim_t)request->limit[i].value, (rlim_t)request->limit[i].value};
    if (setrlimit((int)request->limit[i].resource, &both) != 0) Say(report, "setrlimit");
  }
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) Say(report, "ambient");
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  const struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
  if (syscall(SYS_capset, &header, none) != 0) Say(report, "capset");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) Say(report, "no_new_privs");
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, filter) != 0) Say(report, "seccomp");
}

static void BeProgram(int* descriptors, size_t count, const struct Request* request,
                      const struct sock_fprog* filter) {
  if (setns(descriptors[kCell], CLONE_NEWNS | CLONE_NEWIPC) != 0)
    Say(descriptors[kReport], "setns into the cell");
  const int report = Arrange(descriptors, count);
  setsid();
  umask(022);
  if (chdir("/tmp") != 0) Say(report, "chdir");
  // Where the machine runs out of memory, the kernel's choice is the program, not the harness.
  const int score = open("/proc/self/oom_score_adj", O_WRONLY);
  if (score < 0 || write(score, "1000", 4) != 4) Say(report, "oom_score_adj");
  close(score);
  Confine(report, request, filter);
  if (write(report, "+", 1) != 1) _exit(127);
  close(report);
}

static void Serve(int socket, pid_t child) {
  char text[100];
  send(socket, text, (size_t)snprintf(text, sizeof text, "%d", child), MSG_NOSIGNAL);
  // The worker holds its pidfd when it answers: only then may the child be reaped.
  if (recv(socket, text, 1, 0) != 1) _exit(0);
  int status = 0;
  struct rusage usage;
  while (wait4(child, &status, 0, &usage) < 0 && errno == EINTR) {
  }
  const long cpu = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
                   usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
  const int length = snprintf(text, sizeof text, "%d %ld %ld", status, cpu, usage.ru_maxrss * 1024);
  send(socket, text, (size_t)length, MSG_NOSIGNAL);
}

// fork(), into a cgroup: glibc has no such call. What else glibc does in a child of one thread is to
// write down its number and to tell the kernel of its robust locks again.
static pid_t ForkInto(int64_t cgroup) {
  if (cgroup < 0) return fork();
  int* number = NULL;
  void* locks = NULL;
  size_t locks_bytes = 0;
  if (prctl(PR_GET_TID_ADDRESS, &number, 0, 0, 0) != 0) return -1;
  if (syscall(SYS_get_robust_list, 0, &locks, &locks_bytes) != 0) return -1;
  struct clone_args arguments = {
      .flags = CLONE_INTO_CGROUP | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID,
      .exit_signal = SIGCHLD,
      .child_tid = (uint64_t)number,
      .cgroup = (uint64_t)cgroup};
  const pid_t child = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
  if (child == 0) syscall(SYS_set_robust_list, locks, locks_bytes);
  return child;
}

// Serves one request. 0 when the child has ended; in the child, confined and in its cell, the
// length of the request's text, which is in `buffer`.
int assay_serve(int socket, const void* filter_bytes, unsigned short filter_length, char* buffer,
                size_t room) {
  const struct sock_fprog filter = {filter_length, (struct sock_filter*)filter_bytes};
  int descriptors[kMostDescriptors];
  size_t count = 0;
  const size_t got = Receive(socket, buffer, room, descriptors, &count);
  const struct Request* request = (const struct Request*)buffer;
  if (got <= sizeof *request || request->limits > 16 || count < kFirst + 3) _exit(1);
  if (setns(descriptors[kCell], CLONE_NEWPID) != 0) {
    const char* const said = "setns to the cell's pid namespace failed";
    send(socket, said, strlen(said), MSG_NOSIGNAL);
    _exit(1);
  }
  const pid_t child = ForkInto(request->cgroup);
  if (child == 0) {
    BeProgram(descriptors, count, request, &filter);
    memmove(buffer, buffer + sizeof *request, got - sizeof *request);
    return (int)(got - sizeof *request);
  }
  if (child < 0) {
    char said[100];
    snprintf(said, sizeof said, "fork: %s", strerror(errno));
    send(socket, said, strlen(said), MSG_NOSIGNAL);
    _exit(1);
  }
  for (size_t i = 0; i < count; ++i) close(descriptors[i]);
  Serve(socket, child);
  return 0;
}
