// Waits on the program, its output and the clock at once; what it reports comes from the kernel.
#include "sandbox/daemon/worker.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "sandbox/daemon/python.h"
#include "sandbox/daemon/root.h"
#include "sandbox/daemon/system.h"
#include "sandbox/daemon/watch.h"

namespace assay::sandboxd {
namespace {

using sandbox_wire::End;
using sandbox_wire::Frame;
using sandbox_wire::Limits;
using sandbox_wire::Request;
using sandbox_wire::Stdin;
using sandbox_wire::Stopped;

constexpr int64_t kPollUs = 10000;

// One of the program's outputs: kept up to a limit, then counted and thrown away.
struct Stream {
  int descriptor = -1;
  int64_t keep = 0;
  int64_t seen = 0;
  std::string text;

  // Reads what is there, 4 MiB at the most so that the clock is looked at; closes at the end.
  void Drain() {
    char buffer[65536];
    for (int i = 0; i < 64 && descriptor >= 0; ++i) {
      const ssize_t got = read(descriptor, buffer, sizeof buffer);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return;  // nothing there now
      if (got == 0) return Close();
      seen += got;
      const int64_t room = std::max<int64_t>(0, keep - static_cast<int64_t>(text.size()));
      text.append(buffer, static_cast<size_t>(std::min<int64_t>(got, room)));
    }
  }
  void Close() {
    if (descriptor >= 0) close(descriptor);
    descriptor = -1;
  }
};

std::string MakeStream(int64_t keep, Stream* stream, int* write_end) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return Errno("pipe");
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  stream->descriptor = ends[0];
  stream->keep = keep;
  *write_end = ends[1];
  return "";
}

// Descriptors that close with the object.
struct Owned {
  std::vector<int> descriptors;
  ~Owned() { sandbox_wire::CloseAll(&descriptors); }
  int Keep(int descriptor) {
    descriptors.push_back(descriptor);
    return descriptor;
  }
};

// A memory file's own open description, at its beginning and read-only: several runs read one file.
int Reopen(int descriptor) {
  const std::string path = "/proc/self/fd/" + std::to_string(descriptor);
  return open(path.c_str(), O_RDONLY | O_CLOEXEC);
}

class Run {
 public:
  // `zygote` is null where the program is executed.
  Run(int socket, int proc, const Place& place, const Request& request, Zygote* zygote, int warm)
      : socket_(socket), proc_(proc), place_(place), request_(request), zygote_(zygote) {
    if (warm > 0) zygotes_.push_back(warm);
  }

  // "" and *end, or what is wrong with the sandbox.
  std::string Do(std::vector<int> given, End* end) {
    std::string failed = Begin(std::move(given));
    const int scratch = request_.collect.empty() || !failed.empty() ? -1 : OpenScratch();
    if (failed.empty()) Watch(end);
    Finish(end);
    if (scratch >= 0) {
      Collect(scratch, end);
      close(scratch);
    }
    EmptyScratch(place_);
    return failed.empty() ? lost_ : failed;
  }

 private:
  std::string Begin(std::vector<int> given) {
    Owned owned{std::move(given)};
    size_t next = 0;
    const auto take = [&] {
      return next < owned.descriptors.size() ? owned.descriptors[next++] : -1;
    };
    Descriptors program(3, -1);
    program[0] = request_.standard_input == Stdin::kNothing ? -1 : take();
    if (request_.standard_input == Stdin::kMemory) program[0] = owned.Keep(Reopen(program[0]));
    program[1] = request_.stdout_given ? take() : -1;
    for (int64_t i = 0; i < request_.extra; ++i) program.push_back(take());
    if (request_.standard_input == Stdin::kNothing)
      program[0] = owned.Keep(open("/dev/null", O_RDONLY | O_CLOEXEC));
    std::string failed;
    if (!request_.stdout_given) {
      failed = MakeStream(request_.limits.stdout_bytes, &out_, &program[1]);
      owned.Keep(program[1]);
    }
    if (failed.empty()) failed = MakeStream(request_.limits.stderr_bytes, &error_, &program[2]);
    owned.Keep(program[2]);
    if (!failed.empty()) return failed;
    if (std::count(program.begin(), program.end(), -1) > 0) return Errno("a descriptor is missing");
    failed = OpenCell(place_, request_.limits, &cell_);
    began_us_ = NowUs();
    if (!failed.empty()) return failed;
    return zygote_ != nullptr ? zygote_->StartProgram(place_, request_, program, &cell_)
                              : StartProgram(place_, request_, program, &cell_);
  }

  // Until the program ended or was stopped.
  void Watch(End* end) {
    int64_t next_look = began_us_ + kPollUs;
    while (true) {
      const int64_t now = NowUs();
      if (end->stopped == Stopped::kNo && now - began_us_ > request_.limits.wall_ms * 1000)
        Stop(Stopped::kWall, "wall", end);
      if (now >= next_look) {
        Look(end);
        // A tree of many processes takes long to read: a tenth of the time goes to it.
        next_look = NowUs() + std::max(kPollUs, 10 * (NowUs() - now));
      }
      pollfd waiting[4] = {{cell_.program_pidfd, POLLIN, 0},
                           {out_.descriptor, POLLIN, 0},
                           {error_.descriptor, POLLIN, 0},
                           {socket_, POLLRDHUP, 0}};
      const int64_t left = std::max<int64_t>(1, (next_look - NowUs() + 999) / 1000);
      poll(waiting, 4, static_cast<int>(left));
      if ((waiting[3].revents & (POLLRDHUP | POLLHUP)) != 0) Abandon();
      error_.Drain();
      out_.Drain();
      if (out_.seen > out_.keep) Stop(Stopped::kOutput, "stdout", end);
      if ((waiting[0].revents & POLLIN) != 0) break;
    }
    end->ended_us = NowUs();
    end->wall_us = end->ended_us - began_us_;
  }

  // Nobody asks any more. The worker is the first process of its namespace: all end with it.
  [[noreturn]] void Abandon() {
    if (place_.tier == Tier::kFull) _exit(0);
    CellEnd end;
    CloseCell(place_, &cell_, &end);
    _exit(0);
  }

  void Look(End* end) {
    const Usage usage = ReadUsage(proc_, place_, cell_, zygotes_, request_.limits.memory_bytes);
    peak_ = std::max(peak_, usage.memory_bytes);
    if (usage.memory_bytes > request_.limits.memory_bytes) Stop(Stopped::kMemory, "rss", end);
    if (usage.cpu_us > request_.limits.cpu_ms * 1000) Stop(Stopped::kCpu, "cpu", end);
  }

  void Stop(Stopped why, const char* by, End* end) {
    if (end->stopped != Stopped::kNo) return;
    end->stopped = why;
    end->stopped_by = by;
    if (cell_.program_pidfd >= 0) PidfdKill(cell_.program_pidfd);
    KillCell(cell_);
  }

  // The scratch directory, held open so that a file in it can be read when all processes are gone.
  int OpenScratch() const {
    const std::string path = place_.tier == Tier::kFull
                                 ? "/proc/" + std::to_string(cell_.first) + "/root/tmp"
                                 : place_.scratch;
    return open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  }

  // Nothing of the program's runs any more that could change what the name means.
  void Collect(int scratch, End* end) {
    const std::string name = request_.collect.substr(request_.collect.rfind('/') + 1);
    const int file = openat(scratch, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) return;
    struct stat about = {};
    if (fstat(file, &about) == 0 && S_ISREG(about.st_mode) &&
        about.st_size <= request_.collect_bytes) {
      end->collected.resize(static_cast<size_t>(about.st_size));
      const ssize_t got = pread(file, end->collected.data(), end->collected.size(), 0);
      end->collected_found = got == about.st_size;
    }
    close(file);
  }

  void Finish(End* end) {
    CellEnd last;
    KillCell(cell_);
    if (zygote_ != nullptr && cell_.program_pidfd >= 0) lost_ = zygote_->Reap(&last);
    CloseCell(place_, &cell_, &last);
    error_.Drain();
    for (int i = 0; i < 64 && out_.descriptor >= 0; ++i) out_.Drain();
    if (out_.seen > out_.keep && end->stopped == Stopped::kNo) {
      end->stopped = Stopped::kOutput;
      end->stopped_by = "stdout";
    }
    out_.Close();
    error_.Close();
    end->standard_output = std::move(out_.text);
    end->standard_error = std::move(error_.text);
    end->stdout_seen = out_.seen;
    end->cpu_us = last.cpu_us;
    end->memory_bytes = std::max(peak_, last.peak_bytes);
    if (WIFEXITED(last.status)) end->exit_code = WEXITSTATUS(last.status);
    if (WIFSIGNALED(last.status)) end->signal = WTERMSIG(last.status);
    // The poll is every 10 ms; what was used between the last look and the end counts too.
    if (end->stopped == Stopped::kNo && end->cpu_us > request_.limits.cpu_ms * 1000) {
      end->stopped = Stopped::kCpu;
      end->stopped_by = "cpu";
    }
  }

  const int socket_;
  const int proc_;
  const Place& place_;
  const Request& request_;
  Zygote* const zygote_;
  std::string lost_;          // what is wrong with the zygote
  std::vector<int> zygotes_;  // processes of ours that are no program's
  Cell cell_;
  Stream out_, error_;
  int64_t began_us_ = 0;
  int64_t peak_ = 0;
};

// What /box holds between requests.
class Box {
 public:
  explicit Box(std::string path) : path_(std::move(path)) {}
  std::string Hold(const Request& request) {
    if (request.box_id == holds_ && !request.box_sent) return "";
    if (!request.box_sent) return "/box does not hold " + request.box_id;
    holds_ = "";
    std::string failed = EmptyBox(path_);
    std::vector<BoxEntry> files;
    for (const sandbox_wire::BoxFile& file : request.box)
      files.push_back({file.name, file.bytes, file.executable});
    if (failed.empty()) failed = FillBox(path_, files);
    if (failed.empty()) holds_ = request.box_id;
    return failed;
  }

 private:
  const std::string path_;
  std::string holds_;
};

}  // namespace

int Serve(int socket, const Place& place) {
  const int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  Box box(place.box);
  Zygote zygote;
  Frame frame;
  while (sandbox_wire::Receive(socket, &frame)) {
    Request request;
    End end;
    std::string failed = "a request that cannot be read";
    if (frame.kind == sandbox_wire::Kind::kRun && Unpack(frame.bytes, &request)) {
      failed = box.Hold(request);
      const bool warm = FitsZygote(place, request);
      if (failed.empty() && warm) failed = zygote.Ensure(place, request);
      if (failed.empty()) {
        failed = Run(socket, proc, place, request, warm ? &zygote : nullptr, zygote.pid())
                     .Do(std::move(frame.descriptors), &end);
      }
    }
    frame.descriptors.clear();
    const bool sent = failed.empty() ? Send(socket, sandbox_wire::Kind::kEnd, Pack(end))
                                     : Send(socket, sandbox_wire::Kind::kFault, failed);
    if (!sent) break;
  }
  return 0;
}

}  // namespace assay::sandboxd
