// The pool of supervisors: starting, asking, replacing one that broke.
#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <thread>

#include "harness/hash.h"
#include "harness/status.h"
#include "harness/text.h"
#include "sandbox/cgroup.h"

namespace assay {
namespace {

using sandbox_wire::Frame;
using sandbox_wire::Kind;
using sandbox_wire::Request;

constexpr int kStartMs = 20000;
constexpr int kSlackMs = 30000;  // beyond a program's wall limit, for a machine under load
constexpr int kAttempts = 3;

// A descriptor that closes with its object.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  int get() const { return number_; }

 private:
  int number_ = -1;
};

absl::Status SystemError(std::string_view what) {
  const char* hint = errno == EMFILE ? " (ulimit -n is too low for so many workers)" : "";
  return absl::UnavailableError(absl::StrFormat("sandbox: %s: %s%s", what, strerror(errno), hint));
}

// ---- one worker -------------------------------------------------------------------------------

struct Worker {
  pid_t pid = -1;
  int socket = -1;
  std::string holds;   // the box it was sent last
  std::string slot;    // of cgroups; empty: none
  std::string memory;  // what it counts memory by, in its own words
  bool alive() const { return pid > 0; }
};

void Bury(Worker* worker, Cgroups* cgroups) {
  if (!worker->alive()) return;
  close(worker->socket);
  kill(worker->pid, SIGKILL);
  while (waitpid(worker->pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (!worker->slot.empty()) cgroups->RemoveSlot(worker->slot);
  *worker = Worker();
}

std::string FindProgram(const SandboxOptions& options) {
  if (!options.program.empty()) return options.program;
  if (const char* given = std::getenv("ASSAY_SANDBOXD"); given != nullptr) return given;
  std::error_code ignored;
  const std::filesystem::path own = std::filesystem::read_symlink("/proc/self/exe", ignored);
  return (own.parent_path() / "assay-sandboxd").string();
}

std::vector<std::string> CommandOf(const SandboxOptions& options, const std::string& program) {
  std::vector<std::string> words = {program,
                                    "--tier=" + std::string(IsolationName(options.isolation))};
  for (const auto& [real, inside] : options.show) {
    words.push_back("--show=" + inside);
    words.push_back("--real=" + real);
  }
  return words;
}

// posix_spawn: the harness is large and has threads; its memory is not copied, and nothing of it
// is run in the child.
absl::StatusOr<pid_t> Spawn(const std::vector<std::string>& words,
                            const std::vector<int>& descriptors) {
  // First above every target, so that no source is overwritten before it is copied.
  std::vector<Descriptor> high;
  for (const int descriptor : descriptors) {
    high.emplace_back(fcntl(descriptor, F_DUPFD_CLOEXEC, 3 + static_cast<int>(descriptors.size())));
    if (high.back().get() < 0) return SystemError("a descriptor for assay-sandboxd");
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (size_t i = 0; i < high.size(); ++i)
    posix_spawn_file_actions_adddup2(&actions, high[i].get(), 3 + static_cast<int>(i));
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3 + static_cast<int>(descriptors.size()));
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  char* no_environment[] = {nullptr};
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t pid = -1;
  const int error =
      posix_spawn(&pid, arguments[0], &actions, &attributes, arguments.data(), no_environment);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error == 0) return pid;
  return absl::FailedPreconditionError(
      absl::StrFormat("sandbox: cannot run '%s': %s", words[0], strerror(error)));
}

absl::StatusOr<Worker> StartWorker(const SandboxOptions& options, const std::string& program,
                                   Cgroups* cgroups) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
    return SystemError("socket pair");
  Descriptor ours(sockets[0]), theirs(sockets[1]);
  std::vector<Descriptor> directories;
  std::vector<int> given = {theirs.get()};
  for (const auto& [real, inside] : options.show) {
    directories.emplace_back(open(real.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (directories.back().get() < 0) return SystemError(real);
    given.push_back(directories.back().get());
  }
  std::vector<std::string> words = CommandOf(options, program);
  Worker worker;
  Descriptor slot;
  if (cgroups->usable()) {
    ASSIGN_OR_RETURN(worker.slot, cgroups->MakeSlot());
    slot = Descriptor(open(worker.slot.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (slot.get() < 0) return SystemError(worker.slot);
    given.push_back(slot.get());
    words.push_back("--cgroup");
  }
  ASSIGN_OR_RETURN(worker.pid, Spawn(words, given));
  theirs = Descriptor();
  worker.socket = dup(ours.get());
  fcntl(worker.socket, F_SETFD, FD_CLOEXEC);
  Frame frame;
  if (sandbox_wire::Receive(worker.socket, &frame, kStartMs) && frame.kind == Kind::kHello) {
    worker.memory = frame.bytes;
    return worker;
  }
  Bury(&worker, cgroups);
  if (frame.kind != Kind::kFault || frame.bytes.empty())
    return absl::UnavailableError("sandbox: assay-sandboxd ended before it was ready");
  return absl::FailedPreconditionError(
      absl::StrFormat("sandbox: isolation '%s' is not possible here: %s",
                      IsolationName(options.isolation), frame.bytes));
}

// ---- requests ---------------------------------------------------------------------------------

const std::shared_ptr<const Box>& EmptyBox() {
  static const auto* empty = new std::shared_ptr<const Box>(MakeBox({}));
  return *empty;
}

Request RequestOf(const ProgramRun& run, const Box& box, const Worker& worker) {
  Request request;
  request.arguments = run.arguments;
  request.environment = {"PATH=/usr/bin:/bin", "HOME=/tmp", "LANG=C.UTF-8"};
  for (const std::string& entry : run.environment) request.environment.push_back(entry);
  request.box_id = box.id;
  request.box_sent = worker.holds != box.id;
  if (request.box_sent) request.box = box.files;
  request.collect = run.collect;
  request.collect_bytes = run.collect_bytes;
  request.runner = run.runner;
  request.limits = run.limits;
  return request;
}

// The input as a file in memory that nobody can change any more, whoever opens it how.
absl::StatusOr<Descriptor> SealedFile(std::string_view bytes) {
  Descriptor file(memfd_create("input", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (file.get() < 0) return SystemError("memfd_create");
  while (!bytes.empty()) {
    const ssize_t written = write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return SystemError("input file");
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  const int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
  if (fcntl(file.get(), F_ADD_SEALS, seals) != 0) return SystemError("input file's seals");
  return file;
}

}  // namespace

struct Sandbox::Shared {
  SandboxOptions options;
  std::string program;
  std::unique_ptr<Cgroups> cgroups;
  bool in_cgroups = false;
  std::string why_poll;
  std::atomic<int64_t> restarts{0};
  std::mutex mutex;
  std::condition_variable freed;
  std::vector<Worker> free;  // guarded by mutex

  // Prefers workers that hold the box.
  std::vector<Worker> Take(size_t count, std::string_view box_id) {
    std::unique_lock lock(mutex);
    freed.wait(lock, [&] { return free.size() >= count; });
    std::stable_partition(free.begin(), free.end(),
                          [&](const Worker& worker) { return worker.holds != box_id; });
    std::vector<Worker> taken(free.end() - static_cast<std::ptrdiff_t>(count), free.end());
    free.resize(free.size() - count);
    return taken;
  }

  void PutBack(std::vector<Worker> workers) {
    {
      const std::lock_guard lock(mutex);
      for (Worker& worker : workers) free.push_back(std::move(worker));
    }
    freed.notify_all();
  }

  absl::Status EnsureStarted(Worker* worker) {
    if (worker->alive()) return absl::OkStatus();
    ASSIGN_OR_RETURN(*worker, StartWorker(options, program, cgroups.get()));
    if ((worker->memory == "cgroup") == in_cgroups) return absl::OkStatus();
    const std::string memory = worker->memory;
    Bury(worker, cgroups.get());
    // One sandbox judges by one measure.
    return absl::UnavailableError(
        absl::StrFormat("sandbox: a worker counts memory otherwise than the first: %s", memory));
  }

  // `descriptors` as the request says.
  absl::Status Ask(Worker* worker, const Request& request, const std::vector<int>& descriptors) {
    const bool sent =
        sandbox_wire::Send(worker->socket, Kind::kRun, sandbox_wire::Pack(request), descriptors);
    if (!sent) return Broke(worker, "does not take requests");
    worker->holds = request.box_id;
    return absl::OkStatus();
  }

  absl::StatusOr<RunEnd> Answer(Worker* worker, const ProgramRun& run) {
    Frame frame;
    const auto patience = static_cast<int>(
        std::min<int64_t>(sandbox_wire::kMostWalls * run.limits.wall_ms + kSlackMs, INT_MAX));
    if (!sandbox_wire::Receive(worker->socket, &frame, patience))
      return Broke(worker, "gave no answer");
    RunEnd end;
    if (frame.kind == Kind::kEnd && sandbox_wire::Unpack(frame.bytes, &end)) return end;
    return Broke(worker, frame.bytes);
  }

  absl::Status Broke(Worker* worker, std::string_view why) {
    Bury(worker, cgroups.get());
    ++restarts;
    return absl::UnavailableError(absl::StrFormat("sandbox: assay-sandboxd: %s", why));
  }

  absl::StatusOr<RunEnd> TryProgram(Worker* worker, const ProgramRun& run, const Box& box,
                                    int input) {
    RETURN_IF_ERROR(EnsureStarted(worker));
    Request request = RequestOf(run, box, *worker);
    request.standard_input = sandbox_wire::Stdin::kMemory;
    RETURN_IF_ERROR(Ask(worker, request, {input}));
    return Answer(worker, run);
  }
};

Sandbox::Sandbox(std::unique_ptr<Shared> shared) : shared_(std::move(shared)) {}

Sandbox::~Sandbox() {
  for (Worker& worker : shared_->free) Bury(&worker, shared_->cgroups.get());
}

absl::StatusOr<std::unique_ptr<Sandbox>> Sandbox::Start(SandboxOptions options) {
  CHECK(options.workers > 0);
  auto shared = std::make_unique<Shared>();
  shared->program = FindProgram(options);
  shared->free.resize(static_cast<size_t>(options.workers));
  shared->options = std::move(options);
  ASSIGN_OR_RETURN(shared->cgroups, Cgroups::Open(shared->options.cgroup));
  Cgroups* const cgroups = shared->cgroups.get();
  Worker& first = shared->free[0];
  ASSIGN_OR_RETURN(first, StartWorker(shared->options, shared->program, cgroups));
  shared->in_cgroups = first.memory == "cgroup";
  shared->why_poll = cgroups->usable() ? first.memory : cgroups->why();
  if (cgroups->asked_for() && !shared->in_cgroups) {
    Bury(&first, cgroups);
    return FailedPrecondition("sandbox: cgroup '%s' cannot be used: %s", cgroups->folder(),
                              shared->why_poll);
  }
  return std::unique_ptr<Sandbox>(new Sandbox(std::move(shared)));
}

absl::StatusOr<RunEnd> Sandbox::RunProgram(const ProgramRun& run) {
  const std::shared_ptr<const Box>& box = run.box ? run.box : EmptyBox();
  ASSIGN_OR_RETURN(const Descriptor input, SealedFile(run.input));
  std::vector<Worker> taken = shared_->Take(1, box->id);
  absl::StatusOr<RunEnd> end = absl::UnknownError("");
  for (int attempt = 0; attempt < kAttempts && !end.ok(); ++attempt)
    end = shared_->TryProgram(&taken[0], run, *box, input.get());
  shared_->PutBack(std::move(taken));
  return end;
}

namespace {

struct Pipe {
  Descriptor read, write;
};
absl::StatusOr<Pipe> MakePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return SystemError("pipe");
  return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

}  // namespace

absl::StatusOr<std::pair<RunEnd, RunEnd>> Sandbox::RunJoined(const ProgramRun& first,
                                                             const ProgramRun& second,
                                                             Joint joint) {
  CHECK(workers() >= 2);
  const ProgramRun* runs[2] = {&first, &second};
  std::shared_ptr<const Box> boxes[2];
  for (int i = 0; i < 2; ++i) boxes[i] = runs[i]->box ? runs[i]->box : EmptyBox();
  ASSIGN_OR_RETURN(const Descriptor input0, SealedFile(first.input));
  ASSIGN_OR_RETURN(const Descriptor input1, SealedFile(second.input));
  const int inputs[2] = {input0.get(), input1.get()};
  std::vector<Worker> taken = shared_->Take(2, boxes[0]->id);
  const auto attempt = [&]() -> absl::StatusOr<std::pair<RunEnd, RunEnd>> {
    ASSIGN_OR_RETURN(Pipe forth, MakePipe());  // first -> second
    ASSIGN_OR_RETURN(Pipe back, MakePipe());
    for (Worker& worker : taken) RETURN_IF_ERROR(shared_->EnsureStarted(&worker));
    for (size_t i = 0; i < 2; ++i) {
      Request request = RequestOf(*runs[i], *boxes[i], taken[i]);
      const int reads = i == 0 ? back.read.get() : forth.read.get();
      const int writes = i == 0 ? forth.write.get() : back.write.get();
      std::vector<int> descriptors = {reads, writes};
      if (joint == Joint::kStandard) {
        request.standard_input = sandbox_wire::Stdin::kPipe;
        request.stdout_given = true;
      } else {
        request.standard_input = sandbox_wire::Stdin::kMemory;
        request.extra = 2;
        descriptors.insert(descriptors.begin(), inputs[i]);
      }
      RETURN_IF_ERROR(shared_->Ask(&taken[i], request, descriptors));
    }
    forth = Pipe();  // so that the end of one is seen by the other
    back = Pipe();
    absl::StatusOr<RunEnd> ends[2] = {absl::UnknownError(""), absl::UnknownError("")};
    for (size_t i = 0; i < 2; ++i) ends[i] = shared_->Answer(&taken[i], *runs[i]);
    if (!ends[0].ok()) return ends[0].status();
    if (!ends[1].ok()) return ends[1].status();
    return std::make_pair(*std::move(ends[0]), *std::move(ends[1]));
  };
  absl::StatusOr<std::pair<RunEnd, RunEnd>> ends = absl::UnknownError("");
  for (int i = 0; i < kAttempts && !ends.ok(); ++i) {
    // Where one of two broke, the other waits for it in vain.
    if (i > 0) {
      for (Worker& worker : taken) Bury(&worker, shared_->cgroups.get());
    }
    ends = attempt();
  }
  if (!ends.ok()) {
    for (Worker& worker : taken) Bury(&worker, shared_->cgroups.get());
  }
  shared_->PutBack(std::move(taken));
  return ends;
}

Isolation Sandbox::isolation() const { return shared_->options.isolation; }
int Sandbox::workers() const { return shared_->options.workers; }
const std::string& Sandbox::program() const { return shared_->program; }
std::string_view Sandbox::memory_means() const { return shared_->in_cgroups ? "cgroup" : "poll"; }
const std::string& Sandbox::why_poll() const { return shared_->why_poll; }
int64_t Sandbox::restarts() const { return shared_->restarts; }

std::shared_ptr<const Box> MakeBox(std::vector<sandbox_wire::BoxFile> files) {
  Sha256 hash;
  for (const sandbox_wire::BoxFile& file : files) {
    hash.Update(absl::StrFormat("%d %d %d\n", file.name.size(), file.bytes.size(),
                                file.executable ? 1 : 0));
    hash.Update(file.name);
    hash.Update(file.bytes);
  }
  auto box = std::make_shared<Box>();
  box->id = hash.HexDigest();
  box->files = std::move(files);
  return box;
}

std::string_view IsolationName(Isolation isolation) {
  if (isolation == Isolation::kFull) return "full";
  return isolation == Isolation::kLandlock ? "landlock" : "none";
}

absl::StatusOr<Isolation> IsolationFromName(std::string_view name) {
  for (const Isolation isolation : {Isolation::kFull, Isolation::kLandlock, Isolation::kNone}) {
    if (name == IsolationName(isolation)) return isolation;
  }
  return InvalidArgument("isolation '%s': expected full, landlock or none", std::string(name));
}

std::string_view StoppedName(RunStopped stopped) {
  switch (stopped) {
    case RunStopped::kWall:
      return "wall";
    case RunStopped::kCpu:
      return "cpu";
    case RunStopped::kMemory:
      return "memory";
    case RunStopped::kOutput:
      return "output";
    case RunStopped::kNo:
      break;
  }
  return "no";
}

}  // namespace assay
