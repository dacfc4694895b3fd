// The zygote keeps four capabilities over an exec (ambient), since it puts its children into
// cells.
#include "sandbox/daemon/python.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

#include "sandbox/daemon/system.h"

namespace assay {
const std::map<std::string, std::string>& SandboxFiles();  // cmake/embed.cmake
}

extern const unsigned char kPythonFork[];  // cmake/embed_bytes.cmake: python/fork.c, compiled
extern const size_t kPythonForkBytes;

namespace assay::sandboxd {
namespace {

using sandbox_wire::Request;

constexpr int kStartMs = 10000;
constexpr int kReplyMs = 10000;
constexpr size_t kMostLimits = 16;  // fork.c
constexpr int kKept[] = {CAP_SYS_ADMIN, CAP_SYS_CHROOT, CAP_SETPCAP, CAP_SYS_PTRACE};

// Ptrace: setns by a pidfd asks for the right to look into its process, which has more than these.
void KeepCapabilities() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct has[2] = {};
  syscall(SYS_capget, &header, has);
  for (const int capability : kKept) has[0].inheritable |= 1u << capability;
  syscall(SYS_capset, &header, has);
  for (const int capability : kKept) prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0);
  for (const int capability : kKept) prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

constexpr int kCgroup = 6;  // the zygote's descriptor, where there is one

[[noreturn]] void BeZygote(const Request& request, Zygote::Kind kind, int socket, int filter,
                           int library, int cgroup) {
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  std::vector<int> copies;  // first above every target, so that none is overwritten
  for (const int given : {socket, filter, library, cgroup}) {
    if (given >= 0) copies.push_back(fcntl(given, F_DUPFD, 24));
  }
  int next = 3;
  for (const int copy : copies) dup2(copy, next++);
  const int null = open("/dev/null", O_RDWR);
  for (int i = 0; i < 3; ++i) dup2(null, i);
  close_range(static_cast<unsigned>(next), ~0u, 0);
  KeepCapabilities();
  signal(SIGPIPE, SIG_DFL);
  std::vector<std::string> words;
  for (const std::string& word : request.arguments) {
    if (word.starts_with("/box/")) break;
    words.push_back(word);
  }
  words.insert(words.end(), {"-c", SandboxFiles().at("sandbox/python/zygote.py")});
  if (kind != Zygote::Kind::kPrograms)
    words.push_back(SandboxFiles().at("sandbox/python/driver.py"));
  if (kind == Zygote::Kind::kTools) words.push_back("tools");
  std::vector<char*> arguments, environment;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  for (const std::string& entry : request.environment)
    environment.push_back(const_cast<char*>(entry.c_str()));
  arguments.push_back(nullptr);
  environment.push_back(nullptr);
  execve(arguments[0], arguments.data(), environment.data());
  _exit(127);
}

int MemoryFile(const char* name, std::string_view bytes) {
  const int file = memfd_create(name, MFD_CLOEXEC);
  if (file >= 0 && !WriteAll(file, bytes)) {
    close(file);
    return -1;
  }
  return file;
}

bool ReadMessage(int socket, int timeout_ms, std::string* text) {
  pollfd waiting = {socket, POLLIN, 0};
  if (poll(&waiting, 1, timeout_ms) <= 0) return false;
  char buffer[512];
  const ssize_t got = recv(socket, buffer, sizeof buffer, 0);
  text->assign(buffer, got > 0 ? static_cast<size_t>(got) : 0);
  return got > 0;
}

// As sandbox/python/fork.c reads it: the cgroup, the limits, then the file and its arguments,
// divided by zeros.
std::string RequestText(const Place& place, const Request& request) {
  int64_t numbers[2 + 2 * kMostLimits] = {};
  numbers[0] = place.cgroup < 0 ? -1 : kCgroup;
  for (const LimitRow& row : LimitTable(place, request.limits)) {
    const auto at = static_cast<size_t>(numbers[1]++);
    if (at == kMostLimits) abort();  // a bug: fork.c has room for as many
    numbers[2 + 2 * at] = row.resource;
    numbers[3 + 2 * at] = row.value;
  }
  std::string text(reinterpret_cast<const char*>(numbers), sizeof numbers);
  const auto file = std::find_if(request.arguments.begin(), request.arguments.end(),
                                 [](const std::string& word) { return word.starts_with("/box/"); });
  for (auto word = file; word != request.arguments.end(); ++word) {
    if (word != file) text += '\0';
    text += *word;
  }
  return text;
}

bool SendWith(int socket, const std::string& text, const std::vector<int>& descriptors) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 16)] = {};
  iovec part = {const_cast<char*>(text.data()), text.size()};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors.size());
  cmsghdr* head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof(int) * descriptors.size());
  memcpy(CMSG_DATA(head), descriptors.data(), sizeof(int) * descriptors.size());
  return sendmsg(socket, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

}  // namespace

bool IsDriver(const std::string& text) {
  return text == SandboxFiles().at("sandbox/python/driver.py");
}

bool FitsZygote(const Place& place, const Request& request) {
  return request.runner == sandbox_wire::Runner::kPython && place.tier == Tier::kFull &&
         std::any_of(request.arguments.begin(), request.arguments.end(),
                     [](const std::string& word) { return word.starts_with("/box/"); });
}

std::string Zygote::Ensure(const Place& place, const Request& request) {
  if (pid_ > 0) return "";
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0)
    return Errno("socket pair");
  const int filter = MemoryFile("filter", {reinterpret_cast<const char*>(place.filter.data()),
                                           place.filter.size() * sizeof(sock_filter)});
  const int library =
      MemoryFile("fork", {reinterpret_cast<const char*>(kPythonFork), kPythonForkBytes});
  if (filter < 0 || library < 0) return Errno("a file in memory");
  pid_ = Clone(0, nullptr);
  if (pid_ == 0) BeZygote(request, kind_, sockets[1], filter, library, place.cgroup);
  close(filter);
  close(library);
  close(sockets[1]);
  socket_ = sockets[0];
  std::string said;
  if (pid_ > 0 && ReadMessage(socket_, kStartMs, &said) && said == "ready") return "";
  return "the warm Python did not start: " + said;
}

std::string Zygote::StartProgram(const Place& place, const Request& request,
                                 const Descriptors& descriptors, Cell* cell) {
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) return Errno("pipe");
  std::vector<int> given = {report[1], cell->first_pidfd};
  given.insert(given.end(), descriptors.begin(), descriptors.end());
  const bool sent = SendWith(socket_, RequestText(place, request), given);
  close(report[1]);
  std::string said;
  const bool answered = sent && ReadMessage(socket_, kReplyMs, &said);
  const int child = answered ? atoi(said.c_str()) : 0;
  std::string began(1, '\0');
  const bool confined = child > 0 && read(report[0], began.data(), 1) == 1 && began == "+";
  if (child > 0 && !confined) {
    char rest[300];
    const ssize_t got = read(report[0], rest, sizeof rest);
    said = began + std::string(rest, got > 0 ? static_cast<size_t>(got) : 0);
  }
  close(report[0]);
  if (!confined) return "the warm Python: " + said;
  cell->program_pidfd = PidfdOpen(child);
  send(socket_, "w", 1, MSG_NOSIGNAL);
  return cell->program_pidfd < 0 ? Errno("pidfd_open") : "";
}

std::string Zygote::Reap(CellEnd* end) {
  std::string said;
  if (!ReadMessage(socket_, kReplyMs, &said)) return "the warm Python does not say how it ended";
  long status = 0, cpu = 0, peak = 0;
  if (std::sscanf(said.c_str(), "%ld %ld %ld", &status, &cpu, &peak) != 3)
    return "the warm Python: " + said;
  end->program_reaped = true;
  end->status = static_cast<int>(status);
  end->cpu_us += cpu;
  end->peak_bytes = std::max<int64_t>(end->peak_bytes, peak);
  return "";
}

}  // namespace assay::sandboxd
