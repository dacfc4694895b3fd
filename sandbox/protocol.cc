// Frames with descriptors (SCM_RIGHTS) and the packing of requests and ends.
#include "sandbox/protocol.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace assay::sandbox_wire {
namespace {

struct Head {
  uint32_t magic = 0x41535958;
  Kind kind = Kind::kFault;
  uint64_t bytes = 0;
};
constexpr size_t kMostBytes = size_t{1} << 30;
constexpr size_t kMostDescriptors = 16;

int64_t NowMs() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool WaitReadable(int socket, int64_t deadline_ms) {
  while (true) {
    const int64_t left = deadline_ms < 0 ? -1 : std::max<int64_t>(0, deadline_ms - NowMs());
    pollfd waiting = {socket, POLLIN, 0};
    const int ready = poll(&waiting, 1, static_cast<int>(left));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

void TakeDescriptors(msghdr* message, std::vector<int>* descriptors) {
  for (cmsghdr* part = CMSG_FIRSTHDR(message); part != nullptr; part = CMSG_NXTHDR(message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int descriptor = -1;
      memcpy(&descriptor, CMSG_DATA(part) + i * sizeof(int), sizeof descriptor);
      descriptors->push_back(descriptor);
    }
  }
}

bool ReceiveSome(int socket, char* to, size_t room, int64_t deadline, size_t* got,
                 std::vector<int>* descriptors) {
  if (!WaitReadable(socket, deadline)) return false;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMostDescriptors)];
  iovec part = {to, room};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t count = -1;
  do {
    count = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (count < 0 && errno == EINTR);
  if (count <= 0) return false;
  TakeDescriptors(&message, descriptors);
  *got = static_cast<size_t>(count);
  return true;
}

bool ReceiveAll(int socket, char* to, size_t bytes, int64_t deadline,
                std::vector<int>* descriptors) {
  while (bytes > 0) {
    size_t got = 0;
    if (!ReceiveSome(socket, to, bytes, deadline, &got, descriptors)) return false;
    to += got;
    bytes -= got;
  }
  return true;
}

bool SendPart(int socket, msghdr* message) {
  iovec* parts = message->msg_iov;
  while (parts[0].iov_len + parts[1].iov_len > 0) {
    const ssize_t sent = sendmsg(socket, message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    message->msg_control = nullptr;  // descriptors go with the first byte
    message->msg_controllen = 0;
    auto left = static_cast<size_t>(sent);
    for (int i = 0; i < 2; ++i) {
      const size_t taken = std::min(left, parts[i].iov_len);
      parts[i].iov_base = static_cast<char*>(parts[i].iov_base) + taken;
      parts[i].iov_len -= taken;
      left -= taken;
    }
  }
  return true;
}

}  // namespace

bool Send(int socket, Kind kind, std::string_view bytes, const std::vector<int>& descriptors) {
  if (descriptors.size() > kMostDescriptors) return false;
  Head head;
  head.kind = kind;
  head.bytes = bytes.size();
  iovec parts[2] = {{&head, sizeof head}, {const_cast<char*>(bytes.data()), bytes.size()}};
  msghdr message = {};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMostDescriptors)] = {};
  if (!descriptors.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors.size());
    cmsghdr* part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(int) * descriptors.size());
    memcpy(CMSG_DATA(part), descriptors.data(), sizeof(int) * descriptors.size());
  }
  return SendPart(socket, &message);
}

bool Receive(int socket, Frame* frame, int timeout_ms) {
  const int64_t deadline = timeout_ms < 0 ? -1 : NowMs() + timeout_ms;
  Head head;
  const uint32_t magic = head.magic;
  frame->descriptors.clear();
  const bool begun = ReceiveAll(socket, reinterpret_cast<char*>(&head), sizeof head, deadline,
                                &frame->descriptors);
  if (begun && head.magic == magic && head.bytes <= kMostBytes) {
    frame->kind = head.kind;
    frame->bytes.resize(head.bytes);
    if (ReceiveAll(socket, frame->bytes.data(), head.bytes, deadline, &frame->descriptors))
      return true;
  }
  CloseAll(&frame->descriptors);
  return false;
}

void CloseAll(std::vector<int>* descriptors) {
  for (const int descriptor : *descriptors) close(descriptor);
  descriptors->clear();
}

void Writer::Int(int64_t value) { bytes_.append(reinterpret_cast<char*>(&value), sizeof value); }

void Writer::Text(std::string_view text) {
  Int(static_cast<int64_t>(text.size()));
  bytes_ += text;
}

void Writer::Texts(const std::vector<std::string>& texts) {
  Int(static_cast<int64_t>(texts.size()));
  for (const std::string& text : texts) Text(text);
}

int64_t Reader::Int() {
  int64_t value = 0;
  if (rest_.size() < sizeof value) {
    good_ = false;
    rest_ = {};
    return 0;
  }
  memcpy(&value, rest_.data(), sizeof value);
  rest_.remove_prefix(sizeof value);
  return value;
}

std::string Reader::Text() {
  const int64_t size = Int();
  if (size < 0 || static_cast<uint64_t>(size) > rest_.size()) {
    good_ = false;
    rest_ = {};
    return "";
  }
  std::string text(rest_.substr(0, static_cast<size_t>(size)));
  rest_.remove_prefix(static_cast<size_t>(size));
  return text;
}

std::vector<std::string> Reader::Texts() {
  const int64_t count = Int();
  std::vector<std::string> texts;
  for (int64_t i = 0; i < count && good_; ++i) texts.push_back(Text());
  return texts;
}

namespace {

// The members of Limits in one order, for both directions.
template <typename L, typename Act>
void EachLimit(L& limits, const Act& act) {
  for (auto* value :
       {&limits.wall_ms, &limits.cpu_ms, &limits.memory_bytes, &limits.processes,
        &limits.open_files, &limits.file_bytes, &limits.stdout_bytes, &limits.stderr_bytes,
        &limits.scratch_bytes, &limits.scratch_files, &limits.stack_bytes}) {
    act(value);
  }
}

}  // namespace

std::string Pack(const Request& request) {
  Writer writer;
  writer.Texts(request.arguments);
  writer.Texts(request.environment);
  writer.Text(request.box_id);
  writer.Int(request.box_sent ? 1 : 0);
  writer.Int(static_cast<int64_t>(request.box.size()));
  for (const BoxFile& file : request.box) {
    writer.Text(file.name);
    writer.Text(file.bytes);
    writer.Int(file.executable ? 1 : 0);
  }
  writer.Int(static_cast<int64_t>(request.standard_input));
  writer.Int(request.stdout_given ? 1 : 0);
  writer.Int(request.extra);
  writer.Text(request.collect);
  writer.Int(request.collect_bytes);
  writer.Int(static_cast<int64_t>(request.runner));
  EachLimit(request.limits, [&](const int64_t* value) { writer.Int(*value); });
  return writer.Take();
}

bool Unpack(std::string_view bytes, Request* request) {
  Reader reader(bytes);
  request->arguments = reader.Texts();
  request->environment = reader.Texts();
  request->box_id = reader.Text();
  request->box_sent = reader.Int() != 0;
  const int64_t files = reader.Int();
  for (int64_t i = 0; i < files && reader.good(); ++i) {
    BoxFile file;
    file.name = reader.Text();
    file.bytes = reader.Text();
    file.executable = reader.Int() != 0;
    request->box.push_back(std::move(file));
  }
  request->standard_input = static_cast<Stdin>(reader.Int());
  request->stdout_given = reader.Int() != 0;
  request->extra = reader.Int();
  request->collect = reader.Text();
  request->collect_bytes = reader.Int();
  request->runner = static_cast<Runner>(reader.Int());
  EachLimit(request->limits, [&](int64_t* value) { *value = reader.Int(); });
  return reader.good() && !request->arguments.empty();
}

std::string Pack(const End& end) {
  Writer writer;
  for (const int64_t value :
       {end.exit_code, end.signal, static_cast<int64_t>(end.stopped), end.wall_us, end.ended_us,
        end.cpu_us, end.memory_bytes, end.stdout_seen, int64_t{end.collected_found}}) {
    writer.Int(value);
  }
  writer.Text(end.stopped_by);
  writer.Text(end.standard_output);
  writer.Text(end.standard_error);
  writer.Text(end.collected);
  return writer.Take();
}

bool Unpack(std::string_view bytes, End* end) {
  Reader reader(bytes);
  end->exit_code = reader.Int();
  end->signal = reader.Int();
  end->stopped = static_cast<Stopped>(reader.Int());
  end->wall_us = reader.Int();
  end->ended_us = reader.Int();
  end->cpu_us = reader.Int();
  end->memory_bytes = reader.Int();
  end->stdout_seen = reader.Int();
  end->collected_found = reader.Int() != 0;
  end->stopped_by = reader.Text();
  end->standard_output = reader.Text();
  end->standard_error = reader.Text();
  end->collected = reader.Text();
  return reader.good();
}

}  // namespace assay::sandbox_wire
