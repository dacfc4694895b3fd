// What the harness and assay-sandboxd say to each other: frames over a Unix stream socket.
//
// The daemon links this file and nothing else of ours: it is small, and it holds no secret because
// it never hears one. Both sides are one build; there are no versions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace assay::sandbox_wire {

enum class Kind : uint32_t { kHello = 1, kRun = 2, kEnd = 3, kFault = 4 };

struct Frame {
  Kind kind = Kind::kFault;
  std::string bytes;
  std::vector<int> descriptors;  // owned by whoever holds the frame
};

// Both wait; false where the other side is gone or speaks another language. `timeout_ms` < 0: no
// limit. A frame that is late is as bad as none.
bool Send(int socket, Kind kind, std::string_view bytes, const std::vector<int>& descriptors = {});
bool Receive(int socket, Frame* frame, int timeout_ms = -1);
void CloseAll(std::vector<int>* descriptors);

// Values one after the other. A reader that runs past the end, or meets a size that cannot be,
// becomes bad and gives zeros from then on.
class Writer {
 public:
  void Int(int64_t value);
  void Text(std::string_view text);
  void Texts(const std::vector<std::string>& texts);
  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  int64_t Int();
  std::string Text();
  std::vector<std::string> Texts();
  bool good() const { return good_; }

 private:
  std::string_view rest_;
  bool good_ = true;
};

// A program that waits for a processor, since others have it, has as much more wall time; at most
// this many times its limit. What is its own doing, its CPU limit ends.
constexpr int64_t kMostWalls = 8;

struct Limits {
  int64_t wall_ms = 10000;  // without the time that it waited for a processor
  int64_t cpu_ms = 5000;
  int64_t memory_bytes = int64_t{256} << 20;
  int64_t processes = 64;  // threads count
  int64_t open_files = 64;
  int64_t file_bytes = 16 << 20;  // the largest file that it may write
  int64_t stdout_bytes = 16 << 20;
  int64_t stderr_bytes = 64 << 10;   // kept; what is more is thrown away
  int64_t scratch_bytes = 16 << 20;  // of /tmp
  int64_t scratch_files = 256;
  int64_t stack_bytes = int64_t{64} << 20;
};

struct BoxFile {
  std::string name;  // in /box, no '/'
  std::string bytes;
  bool executable = false;
};

enum class Stdin : int64_t { kNothing, kMemory, kPipe };
enum class Runner : int64_t { kExec, kPython };

// One program to run. Descriptors travel beside it: standard input where it is not kNothing, then
// standard output where `stdout_given`, then `extra` more, which become 3, 4, ...
struct Request {
  std::vector<std::string> arguments;    // [0] is a path inside
  std::vector<std::string> environment;  // "NAME=value"; nothing else is inherited
  std::string box_id;                    // what /box holds, by name
  bool box_sent = false;                 // else /box holds box_id already
  std::vector<BoxFile> box;
  Stdin standard_input = Stdin::kNothing;
  bool stdout_given = false;
  int64_t extra = 0;
  std::string collect;  // path of a file in /tmp that comes back; "" none
  int64_t collect_bytes = 0;
  Runner runner = Runner::kExec;
  Limits limits;
};

enum class Stopped : int64_t { kNo, kWall, kCpu, kMemory, kOutput };

// How it ended, as the kernel told the supervisor.
struct End {
  int64_t exit_code = -1;          // -1 where a signal ended it
  int64_t signal = 0;              // 0 where it exited
  Stopped stopped = Stopped::kNo;  // a limit of ours ended it
  std::string stopped_by;          // "rss", "cgroup": the means, where there are several
  int64_t wall_us = 0;
  int64_t ended_us = 0;      // CLOCK_MONOTONIC, to tell which of two ended first
  int64_t cpu_us = 0;        // of all its processes
  int64_t memory_bytes = 0;  // the peak that was seen
  int64_t stdout_seen = 0;   // bytes, kept or not
  std::string standard_output;
  std::string standard_error;
  bool collected_found = false;
  std::string collected;
};

std::string Pack(const Request& request);
bool Unpack(std::string_view bytes, Request* request);
std::string Pack(const End& end);
bool Unpack(std::string_view bytes, End* end);

}  // namespace assay::sandbox_wire
