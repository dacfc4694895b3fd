// fork, exec and one socket pair for each child. The only file that starts processes.
//
// Not Boost.Process: limits must be set between fork and exec, and a reply must be waited for with
// a deadline; in 1.74 both mean going around it.
#include "harness/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <new>
#include <optional>

#include "harness/status.h"

namespace assay {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// Before every request and every reply. Both sides are the same program on the same machine.
struct Frame {
  uint32_t bytes = 0;
  uint32_t word = 0;  // of a request: its limit in milliseconds (below); of a reply: a ReplyKind
};
constexpr uint32_t kIsCpuLimit = 1u << 31;  // the limit is one of CPU time, to be kept to the tick
constexpr int64_t kMostMilliseconds = 1 << 30;
enum ReplyKind : uint32_t { kReady = 1, kAnswer = 2, kOutOfMemory = 3 };
constexpr uint32_t kMostBytes = 256u << 20;

#if defined(ASSAY_SANITIZE_ADDRESS) || defined(ASSAY_SANITIZE_THREAD)
constexpr bool kLimitsMemory = false;  // sanitizers reserve terabytes of address space
#else
constexpr bool kLimitsMemory = true;
#endif

// ---- bytes over the socket --------------------------------------------------------------------

bool SendAll(int fd, const Frame& frame, std::string_view bytes) {
  iovec parts[2] = {{const_cast<Frame*>(&frame), sizeof frame},
                    {const_cast<char*>(bytes.data()), bytes.size()}};
  msghdr message = {};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  while (parts[0].iov_len + parts[1].iov_len > 0) {
    const ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    auto left = static_cast<size_t>(sent);
    for (iovec& part : parts) {
      const size_t taken = std::min(left, part.iov_len);
      part.iov_base = static_cast<char*>(part.iov_base) + taken;
      part.iov_len -= taken;
      left -= taken;
    }
  }
  return true;
}

enum class Received { kAll, kClosed, kTooLate };

// Whether something can be read before the deadline.
bool WaitReadable(int fd, Clock::time_point deadline) {
  while (true) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) return false;
    pollfd waiting = {fd, POLLIN, 0};
    const int ready = poll(&waiting, 1, static_cast<int>(std::min<int64_t>(left.count(), 1 << 30)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return true;  // let the read say what is wrong
  }
}

// Reads once, at least one byte and at most `room`.
Received ReceiveSome(int fd, char* to, size_t room,
                     const std::optional<Clock::time_point>& deadline, size_t* got) {
  while (true) {
    if (deadline && !WaitReadable(fd, *deadline)) return Received::kTooLate;
    const ssize_t count = recv(fd, to, room, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return Received::kClosed;
    *got = static_cast<size_t>(count);
    return Received::kAll;
  }
}

// No deadline: waits for ever. Requests and replies alternate, so that what is read with the head
// of a frame is the beginning of its bytes and nothing else: a short frame takes one system call.
Received ReceiveFrame(int fd, Frame* frame, std::string* bytes,
                      const std::optional<Clock::time_point>& deadline) {
  char first[4096];
  size_t have = 0;
  while (have < sizeof *frame) {
    size_t got = 0;
    const Received received = ReceiveSome(fd, first + have, sizeof first - have, deadline, &got);
    if (received != Received::kAll) return received;
    have += got;
  }
  memcpy(frame, first, sizeof *frame);
  have -= sizeof *frame;
  if (frame->bytes > kMostBytes || have > frame->bytes)
    return Received::kClosed;  // not our protocol
  bytes->resize(frame->bytes);
  memcpy(bytes->data(), first + sizeof *frame, have);
  while (have < bytes->size()) {
    size_t got = 0;
    const Received received =
        ReceiveSome(fd, bytes->data() + have, bytes->size() - have, deadline, &got);
    if (received != Received::kAll) return received;
    have += got;
  }
  return Received::kAll;
}

// ---- one child --------------------------------------------------------------------------------

// In the child, between fork and exec: system calls only, since another thread may have held any
// lock.
[[noreturn]] void BecomeWorker(int socket, size_t memory_bytes, char* const* arguments) {
  setpgid(0, 0);  // Ctrl-C is the parent's to answer
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int nowhere = open("/dev/null", O_WRONLY);
  if (dup2(socket, STDIN_FILENO) < 0 || dup2(nowhere, STDOUT_FILENO) < 0) _exit(126);
  close_range(STDERR_FILENO + 1, ~0u, 0);
  if (kLimitsMemory) {
    const rlimit memory = {memory_bytes, memory_bytes};
    setrlimit(RLIMIT_AS, &memory);
  }
  const rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  execvp(arguments[0], arguments);
  _exit(127);
}

struct Child {
  pid_t pid = -1;
  int socket = -1;
  bool alive() const { return pid > 0; }
};

absl::StatusOr<Child> Spawn(const WorkerOptions& options) {
  std::vector<char*> arguments;
  for (const std::string& argument : options.command)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
    return Internal("worker: no socket pair: %s", strerror(errno));
  }
  const pid_t pid = fork();
  if (pid == 0) BecomeWorker(sockets[1], options.memory_bytes, arguments.data());
  close(sockets[1]);
  if (pid > 0) return Child{pid, sockets[0]};
  close(sockets[0]);
  return Internal("worker: cannot fork: %s", strerror(errno));
}

// Kills and reaps; returns the wait status. What the child had ended with before the kill stands.
int Bury(Child* child) {
  int status = 0;
  kill(child->pid, SIGKILL);
  while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR) {
  }
  close(child->socket);
  *child = Child();
  return status;
}

// The socket closed: waits for the end that caused it, and says what it was.
absl::Status HowItEnded(Child* child, std::string_view program) {
  // A child that closed its socket is ending; the kill in Bury must not overtake it.
  int status = 0;
  pid_t reaped = 0;
  for (int i = 0; i < 200 && reaped == 0; ++i) {
    reaped = waitpid(child->pid, &status, WNOHANG);
    if (reaped == 0) usleep(1000);
  }
  if (reaped == child->pid) {
    close(child->socket);
    *child = Child();
  } else {
    status = Bury(child);
  }
  if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGPROF))
    return absl::DeadlineExceededError("worker: used up its CPU time");
  if (WIFSIGNALED(status))
    return absl::AbortedError(absl::StrFormat("worker: crashed (%s)", strsignal(WTERMSIG(status))));
  const int code = WEXITSTATUS(status);
  if (code == 127) return Internal("worker: cannot run '%s'", program);
  return Internal("worker: '%s' ended with status %d", program, code);
}

absl::StatusOr<Child> StartChild(const WorkerOptions& options) {
  ASSIGN_OR_RETURN(Child child, Spawn(options));
  Frame frame;
  std::string nothing;
  const Received received =
      ReceiveFrame(child.socket, &frame, &nothing, Clock::now() + options.start_limit);
  if (received == Received::kAll && frame.word == kReady) return child;
  if (received == Received::kClosed) {
    const absl::Status ended = HowItEnded(&child, options.command[0]);
    // Dead before its first request: no request's fault.
    return IsFaultOfRequest(ended) ? Internal("%s before its first request", ended.message())
                                   : ended;
  }
  Bury(&child);
  return Internal("worker: '%s' did not say that it is ready", options.command[0]);
}

}  // namespace

struct WorkerPool::Shared {
  WorkerOptions options;
  std::mutex mutex;
  std::condition_variable freed;
  std::vector<Child> free;  // guarded by mutex; the last used is at the back: it is warm
  int64_t started = 0;      // guarded by mutex

  Child Take() {
    std::unique_lock lock(mutex);
    freed.wait(lock, [&] { return !free.empty(); });
    const Child child = free.back();
    free.pop_back();
    return child;
  }

  void PutBack(const Child& child) {
    {
      const std::lock_guard lock(mutex);
      // The living stand at the back, so that they are taken before another is started.
      free.insert(child.alive() ? free.end() : free.begin(), child);
    }
    freed.notify_one();
  }

  absl::Status EnsureStarted(Child* child) {
    if (child->alive()) return absl::OkStatus();
    ASSIGN_OR_RETURN(*child, StartChild(options));
    const std::lock_guard lock(mutex);
    ++started;
    return absl::OkStatus();
  }

  // Sends to a child, a fresh one where it died since its last call.
  absl::Status Send(Child* child, std::string_view request, const CallLimits& limits) {
    RETURN_IF_ERROR(EnsureStarted(child));
    const bool cpu = limits.cpu.count() > 0;
    const int64_t milliseconds =
        std::clamp<int64_t>((cpu ? limits.cpu : limits.wall).count(), 1, kMostMilliseconds);
    const Frame frame{static_cast<uint32_t>(request.size()),
                      static_cast<uint32_t>(milliseconds) | (cpu ? kIsCpuLimit : 0)};
    if (SendAll(child->socket, frame, request)) return absl::OkStatus();
    Bury(child);
    RETURN_IF_ERROR(EnsureStarted(child));
    if (SendAll(child->socket, frame, request)) return absl::OkStatus();
    return HowItEnded(child, options.command[0]);
  }

  absl::StatusOr<std::string> Exchange(Child* child, std::string_view request,
                                       const CallLimits& limits) {
    RETURN_IF_ERROR(Send(child, request, limits));
    Frame frame;
    std::string reply;
    const Received received =
        ReceiveFrame(child->socket, &frame, &reply, Clock::now() + limits.wall);
    if (received == Received::kAll && frame.word == kAnswer) return reply;
    if (received == Received::kClosed) return HowItEnded(child, options.command[0]);
    Bury(child);
    if (received == Received::kTooLate)
      return absl::DeadlineExceededError(
          absl::StrFormat("worker: no reply within %d ms", limits.wall.count()));
    if (frame.word == kOutOfMemory) return absl::ResourceExhaustedError("worker: out of memory");
    return Internal("worker: '%s' sent a reply of unknown kind %u", options.command[0], frame.word);
  }
};

WorkerPool::WorkerPool(WorkerOptions options) : shared_(std::make_unique<Shared>()) {
  CHECK(!options.command.empty() && options.workers > 0);
  shared_->free.resize(static_cast<size_t>(options.workers));
  shared_->options = std::move(options);
}

WorkerPool::~WorkerPool() {
  for (Child& child : shared_->free) {
    if (child.alive()) Bury(&child);
  }
}

absl::StatusOr<std::string> WorkerPool::Call(std::string_view request, const CallLimits& limits) {
  if (request.size() > kMostBytes)
    return ResourceExhausted("worker: a request of %d bytes", request.size());
  Child child = shared_->Take();
  absl::StatusOr<std::string> reply = shared_->Exchange(&child, request, limits);
  shared_->PutBack(child);
  return reply;
}

int64_t WorkerPool::started() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->started;
}

bool IsFaultOfRequest(const absl::Status& status) {
  return absl::IsDeadlineExceeded(status) || absl::IsResourceExhausted(status) ||
         absl::IsAborted(status);
}

std::string_view NameOfFault(const absl::Status& status) {
  if (absl::IsDeadlineExceeded(status)) return "timeout";
  return absl::IsResourceExhausted(status) ? "over limit" : "crash";
}

// ---- the child's side -------------------------------------------------------------------------

namespace {

// CPU time that this process may still use. The timer's signal ends it where that is the request's
// limit; RLIMIT_CPU, which counts in seconds, ends a hung child whose parent is gone.
void AllowCpu(uint32_t word) {
  const uint32_t limit_milliseconds = word & ~kIsCpuLimit;
  itimerval timer = {};
  if (word & kIsCpuLimit) {
    timer.it_value.tv_sec = limit_milliseconds / 1000;
    timer.it_value.tv_usec = limit_milliseconds % 1000 * 1000;
  }
  setitimer(ITIMER_PROF, &timer, nullptr);
  rusage used = {};
  getrusage(RUSAGE_SELF, &used);
  const rlim_t seconds = static_cast<rlim_t>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                         limit_milliseconds / 1000 + 3;
  const rlimit cpu = {seconds, RLIM_INFINITY};
  setrlimit(RLIMIT_CPU, &cpu);
}

bool Reply(ReplyKind kind, std::string_view bytes) {
  return SendAll(STDIN_FILENO, {static_cast<uint32_t>(bytes.size()), kind}, bytes);
}

}  // namespace

int ServeWorker(const std::function<std::string(std::string_view)>& answer) {
  if (!Reply(kReady, "")) return 2;  // started by hand, not by a pool
  Frame frame;
  std::string request;
  try {
    while (ReceiveFrame(STDIN_FILENO, &frame, &request, std::nullopt) == Received::kAll) {
      AllowCpu(frame.word);
      if (!Reply(kAnswer, answer(request))) return 1;
    }
  } catch (const std::bad_alloc&) {
    Reply(kOutOfMemory, "");
    return 3;
  }
  return 0;
}

// ---- our own program --------------------------------------------------------------------------

namespace {
struct Program {
  std::mutex mutex;
  std::string path;  // guarded by mutex
};
Program& TheProgram() {
  static auto* program = new Program;
  return *program;
}
}  // namespace

void SetWorkerProgram(std::string path) {
  const std::lock_guard lock(TheProgram().mutex);
  TheProgram().path = std::move(path);
}

std::string WorkerProgram() {
  const std::lock_guard lock(TheProgram().mutex);
  return TheProgram().path;
}

}  // namespace assay
