// Waits on the program, its output and the clock at once; what it reports comes from the kernel.
#include "sandbox/daemon/worker.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "sandbox/daemon/group.h"
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

// Cells besides the one in use: the next one, made while nobody waits, and those that still end.
// To end a mount namespace takes the kernel milliseconds, in which an empty cell is waited for in
// vain.
class Cells {
 public:
  explicit Cells(Place* place) : place_(*place) {}

  // A fresh cell with these limits.
  std::string Take(const Limits& limits, Cell* cell) {
    const bool fits = next_.first > 0 && scratch_bytes_ == limits.scratch_bytes &&
                      scratch_files_ == limits.scratch_files;
    if (!fits) {
      if (next_.first > 0) End(next_);
      next_ = Cell();
      return OpenCell(place_, limits, cell);
    }
    *cell = next_;
    next_ = Cell();
    return "";
  }

  // For the next run, which likely is as the last one. A failure is that run's to tell.
  void Prepare(const Limits& limits) {
    if (place_.tier != Tier::kFull || next_.first > 0) return;
    scratch_bytes_ = limits.scratch_bytes;
    scratch_files_ = limits.scratch_files;
    if (!OpenCell(place_, limits, &next_).empty()) {
      CellEnd ignored;
      CloseCell(place_, &next_, &ignored);
    }
  }

  // Kills a cell in which nothing runs but its first process, and does not wait.
  void End(const Cell& cell) {
    KillCell(cell);
    if (cell.program_pidfd >= 0) close(cell.program_pidfd);
    close(cell.first_pidfd);
    ending_.push_back(cell.first);
    Reap();
  }

  // Those that have ended; waits where too many have not.
  void Reap() {
    std::erase_if(ending_, [](int pid) { return waitpid(pid, nullptr, WNOHANG) == pid; });
    while (ending_.size() > kMostEnding) {
      waitpid(ending_.front(), nullptr, 0);
      ending_.erase(ending_.begin());
    }
    place_.ending = static_cast<int>(ending_.size());
  }

  const std::vector<int>& ending() const { return ending_; }

 private:
  static constexpr size_t kMostEnding = 16;
  Place& place_;
  Cell next_;
  int64_t scratch_bytes_ = 0, scratch_files_ = 0;
  std::vector<int> ending_;  // first processes
};

class Run {
 public:
  // `zygote` is null where the program is executed.
  Run(int socket, int proc, const Place& place, Group* group, const Request& request,
      Zygote* zygote, std::vector<int> ours, Cells* cells)
      : socket_(socket),
        proc_(proc),
        place_(place),
        group_(*group),
        request_(request),
        zygote_(zygote),
        cells_(*cells),
        ours_(std::move(ours)) {}

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
    failed = cells_.Take(request_.limits, &cell_);
    ours_.insert(ours_.end(), cells_.ending().begin(), cells_.ending().end());
    if (failed.empty()) failed = group_.Begin(request_.limits);
    began_us_ = looked_us_ = NowUs();
    if (!failed.empty()) return failed;
    return zygote_ != nullptr ? zygote_->StartProgram(place_, request_, program, &cell_)
                              : StartProgram(place_, request_, program, &cell_);
  }

  // Until the program ended or was stopped.
  void Watch(End* end) {
    int64_t next_look = began_us_ + kPollUs;
    while (true) {
      const int64_t now = NowUs();
      if (end->stopped == Stopped::kNo && IsLate(now)) Stop(Stopped::kWall, "wall", end);
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
    ended_ = end->stopped == Stopped::kNo;
    end->ended_us = NowUs();
    end->wall_us = end->ended_us - began_us_;
  }

  // The time in the queue for a processor does not count, and the kernel tells it only once the
  // turn has come: who stands in the queue is judged when he has had his turn. Nor does, once more
  // the limit at the most, what was seen of waiting for a disk, where something was read from one:
  // who waits for a child that he made by vfork looks the same.
  bool IsLate(int64_t now) {
    const int64_t wall_us = request_.limits.wall_ms * 1000;
    const int64_t took_us = now - began_us_;
    if (took_us <= wall_us + waited_us_) return false;
    const Waiting waiting = ReadWaiting(proc_, place_, cell_, ours_);
    const int64_t disk_us = waiting.disk_bytes > 0 ? std::min(disk_us_, wall_us) : 0;
    waited_us_ = std::min(waiting.waited_us + disk_us, (sandbox_wire::kMostWalls - 1) * wall_us);
    if (took_us <= wall_us + waited_us_) return false;
    const bool had_a_turn = ran_ns_ >= 0 && waiting.ran_ns != ran_ns_;
    ran_ns_ = waiting.ran_ns;
    const bool in_queue = waiting.runnable && !had_a_turn;
    return !in_queue || took_us > sandbox_wire::kMostWalls * wall_us;
  }

  // Nobody asks any more. The worker is the first process of its namespace: all end with it.
  [[noreturn]] void Abandon() {
    if (place_.tier == Tier::kFull) _exit(0);
    CellEnd end;
    CloseCell(place_, &cell_, &end);
    _exit(0);
  }

  void Look(End* end) {
    // Where the kernel holds the limit, nobody counts.
    const int64_t limit = group_.used() ? INT64_MAX : request_.limits.memory_bytes;
    Usage usage = ReadUsage(proc_, place_, cell_, ours_, limit);
    // Pages that several share were counted for each of them: the kernel's own figure is less.
    if (group_.used() && usage.memory_bytes > request_.limits.memory_bytes)
      usage.memory_bytes = std::min(usage.memory_bytes, group_.CurrentBytes());
    peak_ = std::max(peak_, usage.memory_bytes);
    const int64_t now = NowUs();
    if (usage.waits_for_disk) disk_us_ += now - looked_us_;
    looked_us_ = now;
    if (usage.memory_bytes > limit) Stop(Stopped::kMemory, "rss", end);
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

  // Where the program ended by itself and left nothing behind, its cell ends without us.
  bool LeaveCell(CellEnd* last) {
    if (!ended_ || place_.tier != Tier::kFull) return false;
    if (zygote_ != nullptr) lost_ = zygote_->Reap(last);
    if (!lost_.empty()) return false;
    ReapProgram(&cell_, last);
    int64_t orphans_us = 0;
    if (!IsEmptyCell(proc_, cell_, ours_, &orphans_us) || group_.HoldsMore()) return false;
    last->cpu_us += orphans_us;
    cells_.End(cell_);
    cell_ = Cell();
    return true;
  }

  void CloseFull(CellEnd* last) {
    KillCell(cell_);
    group_.KillAll();
    if (zygote_ != nullptr && cell_.program_pidfd >= 0 && !last->program_reaped && lost_.empty())
      lost_ = zygote_->Reap(last);
    CloseCell(place_, &cell_, last);
  }

  void Finish(End* end) {
    CellEnd last;
    if (!LeaveCell(&last)) CloseFull(&last);
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
    NoteKill(end);
    // The poll is every 10 ms; what was used between the last look and the end counts too.
    if (end->stopped == Stopped::kNo && end->cpu_us > request_.limits.cpu_ms * 1000) {
      end->stopped = Stopped::kCpu;
      end->stopped_by = "cpu";
    }
  }

  // A program that ran out of its own memory is told from one that others' greed ended.
  void NoteKill(End* end) {
    if (end->stopped != Stopped::kNo || end->signal != SIGKILL) return;
    const Group::Killed killed = group_.WhyKilled();
    if (killed == Group::Killed::kOthers) lost_ = "the machine ran out of memory";
    if (killed != Group::Killed::kOwnLimit) return;
    end->stopped = Stopped::kMemory;
    end->stopped_by = "cgroup";
    end->memory_bytes = std::max(end->memory_bytes, request_.limits.memory_bytes);
  }

  const int socket_;
  const int proc_;
  const Place& place_;
  Group& group_;
  const Request& request_;
  Zygote* const zygote_;
  Cells& cells_;
  std::vector<int> ours_;  // processes that are no program's
  std::string lost_;       // what is wrong with the zygote
  Cell cell_;
  Stream out_, error_;
  int64_t began_us_ = 0;
  int64_t peak_ = 0;
  int64_t waited_us_ = 0;  // for a processor, when last looked at
  int64_t looked_us_ = 0;  // when
  int64_t disk_us_ = 0;    // between looks of which the later found it waiting for a disk
  int64_t ran_ns_ = -1;    // on one, when last found late; -1: not yet
  bool ended_ = false;     // by itself
};

// What /box holds between requests.
class Box {
 public:
  explicit Box(std::string path) : path_(std::move(path)) {}
  // Takes the files out of the request: what is held on, every fork copies.
  std::string Hold(Request* from) {
    Request& request = *from;
    if (request.box_id == holds_ && !request.box_sent) return "";
    if (!request.box_sent) return "/box does not hold " + request.box_id;
    holds_ = "";
    std::string failed = EmptyBox(path_);
    std::vector<BoxEntry> files;
    has_driver_ = false;
    for (sandbox_wire::BoxFile& file : request.box) {
      has_driver_ |= file.name == "main.py" && IsDriver(file.bytes);
      files.push_back({file.name, std::move(file.bytes), file.executable});
    }
    request.box.clear();
    if (failed.empty()) failed = FillBox(path_, files);
    if (failed.empty()) holds_ = request.box_id;
    return failed;
  }
  bool has_driver() const { return has_driver_; }

 private:
  const std::string path_;
  std::string holds_;
  bool has_driver_ = false;
};

// Warm interpreters, each begun when it is first asked for.
struct Zygotes {
  Zygote programs{Zygote::Kind::kPrograms};
  Zygote calls{Zygote::Kind::kCalls};
  Zygote tools{Zygote::Kind::kTools};

  Zygote& For(const Request& request, bool is_driver) {
    if (!is_driver) return programs;
    const std::string& what = request.arguments.back();
    return what == "tester" || what == "lcb" ? tools : calls;
  }
  std::vector<int> pids() const {
    std::vector<int> all = {programs.pid(), calls.pid(), tools.pid()};
    std::erase_if(all, [](int pid) { return pid <= 0; });
    return all;
  }
};

}  // namespace

int Serve(int socket, Place place, Group group) {
  const int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  Box box(place.box);
  Zygotes zygotes;
  Cells cells(&place);
  Frame frame;
  while (sandbox_wire::Receive(socket, &frame)) {
    Request request;
    End end;
    std::string failed = "a request that cannot be read";
    if (frame.kind == sandbox_wire::Kind::kRun && Unpack(frame.bytes, &request)) {
      frame.bytes = std::string();
      cells.Reap();
      failed = box.Hold(&request);
      const bool warm = FitsZygote(place, request);
      Zygote& zygote = zygotes.For(request, box.has_driver());
      if (failed.empty() && warm) failed = zygote.Ensure(place, request);
      const std::vector<int> warm_ones = zygotes.pids();
      place.own_processes = 3 + static_cast<int>(warm_ones.size());
      if (failed.empty()) {
        failed =
            Run(socket, proc, place, &group, request, warm ? &zygote : nullptr, warm_ones, &cells)
                .Do(std::move(frame.descriptors), &end);
      }
    }
    frame.descriptors.clear();
    const bool sent = failed.empty() ? Send(socket, sandbox_wire::Kind::kEnd, Pack(end))
                                     : Send(socket, sandbox_wire::Kind::kFault, failed);
    if (!sent) break;
    cells.Prepare(request.limits);
  }
  return 0;
}

}  // namespace assay::sandboxd
