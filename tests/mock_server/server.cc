// One thread, one epoll set. A connection holds at most one request at a time; what it will send is
// a list of steps, each due at a time, so that delays, stalls and resets are all the same thing.
#include "tests/mock_server/server.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <ctime>
#include <deque>
#include <mutex>
#include <queue>
#include <string_view>
#include <thread>
#include <unordered_map>

#include "harness/json.h"
#include "harness/status.h"
#include "harness/text.h"
#include "tests/mock_server/http_text.h"
#include "tests/mock_server/replies.h"

namespace assay::mock_server {
namespace {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

std::chrono::nanoseconds Milliseconds(double value) {
  return std::chrono::nanoseconds(static_cast<int64_t>(value * 1e6));
}

enum class Act { kSend, kClose, kReset };

struct Step {
  std::chrono::nanoseconds wait{0};  // after the step before
  Act act = Act::kSend;
  std::string bytes;
};

struct Connection {
  int fd = -1;
  uint64_t id = 0;
  std::string in;
  std::string out;
  size_t sent = 0;
  std::deque<Step> steps;  // of the reply that is under way
  bool answering = false;  // a completion request counts as in flight
  bool wants_write = false;
  bool closing = false;  // once `out` is sent
};

struct Due {
  TimePoint when;
  uint64_t connection = 0;  // 0: the listener comes back
  bool operator>(const Due& other) const { return when > other.when; }
};

std::string HttpDate(std::time_t when) {
  std::tm parts{};
  gmtime_r(&when, &parts);
  char text[64];
  std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return text;
}

std::string_view Reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 429:
      return "Too Many Requests";
    case 500:
      return "Internal Server Error";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Status";
  }
}

std::string Response(int status, std::string_view type, std::string_view body,
                     std::string_view more_headers = "") {
  std::string response = "HTTP/1.1 " + std::to_string(status) + " ";
  response.reserve(body.size() + 256);
  response += Reason(status);
  response += "\r\nContent-Type: ";
  response += type;
  response += "\r\nContent-Length: ";
  response += std::to_string(body.size());
  response += "\r\n";
  response += more_headers;
  response += "\r\n";
  response += body;
  return response;
}

std::string ErrorResponse(int status, std::string_view message, std::string_view more = "") {
  const Json body = Json::MakeObject(
      {{"error", Json::MakeObject({{"message", message}, {"type", "error"}, {"code", status}})}});
  return Response(status, "application/json", body.Dump(), more);
}

struct HttpRequest {
  std::string_view method;
  std::string_view path;
  std::string_view head;
  std::string_view body;
};

std::string Chunked(std::string_view bytes) {
  return absl::StrFormat("%x\r\n%s\r\n", bytes.size(), bytes);
}

// Uniform in (0, 1): two of them give a normal deviate.
double Normal(uint64_t hash) {
  const double u = (Unit(hash) + 0x1.0p-54), v = Unit(Mix(hash));
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * 3.14159265358979323846 * v);
}

}  // namespace

class MockServer::Loop {
 public:
  explicit Loop(Options options, ReplyBook book)
      : options_(std::move(options)), book_(std::move(book)) {}
  ~Loop();

  absl::Status Listen(int port);
  void Begin() {
    thread_ = std::jthread([this] { Run(); });
  }
  int port() const { return port_; }
  Stats stats() const;
  std::vector<Recorded> recorded() const;

 private:
  void Run();
  int WaitMilliseconds() const;
  void FireTimers();
  void Accept();
  void Handle(uint64_t id, uint32_t events);
  void ReadFrom(Connection* connection);
  void TryRequest(Connection* connection);
  void Answer(Connection* connection, const HttpRequest& request);
  void AnswerCompletion(Connection* connection, const HttpRequest& http, Api api);
  std::optional<std::string> Refusal(const HttpRequest& http, const Request& request) const;
  Fault PickFault(const Request& request);
  void PlanReply(Connection* connection, const Request& request, Fault fault,
                 std::vector<Reply> replies);
  void PlanPlain(Connection* connection, std::string response, Fault fault);
  void PlanStream(Connection* connection, std::vector<std::string> events, Fault fault);
  std::string FaultHeaders() const;
  std::chrono::nanoseconds Delay(const Request& request) const;
  void SendNow(Connection* connection, std::string response);
  void Advance(Connection* connection);
  void Flush(Connection* connection);
  void WatchWrites(Connection* connection, bool on);
  void FinishAnswer(Connection* connection);
  void Close(Connection* connection, bool reset);
  void GoDown();
  void CountRequest(const HttpRequest& http);
  std::string StatsJson() const;

  const Options options_;
  ReplyBook book_;
  int epoll_ = -1;
  int listener_ = -1;
  int wake_ = -1;
  std::atomic<int> port_{0};  // asked for by other threads
  bool went_down_ = false;
  uint64_t next_id_ = 2;  // 0 and 1 name the listener and the wake-up
  std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  std::unordered_map<uint64_t, uint64_t> attempts_;  // by request, where faults are drawn
  std::atomic<bool> stop_{false};

  mutable std::mutex mutex_;
  Stats stats_;                     // guarded by mutex_
  std::vector<Recorded> recorded_;  // guarded by mutex_

  std::jthread thread_;
};

MockServer::Loop::~Loop() {
  stop_ = true;
  const uint64_t one = 1;
  if (wake_ >= 0 && write(wake_, &one, sizeof one) < 0) std::perror("mock server: wake");
  if (thread_.joinable()) thread_.join();
  for (const auto& [id, connection] : connections_) close(connection->fd);
  for (const int fd : {listener_, wake_, epoll_}) {
    if (fd >= 0) close(fd);
  }
}

absl::Status MockServer::Loop::Listen(int port) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener_, 4096) != 0) {
    return Unavailable("port %d: %s", port, std::strerror(errno));
  }
  socklen_t size = sizeof address;
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  if (epoll_ < 0) {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    wake_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    epoll_event event{.events = EPOLLIN, .data = {.u64 = 1}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event);
  }
  epoll_event event{.events = EPOLLIN, .data = {.u64 = 0}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event);
  return absl::OkStatus();
}

Stats MockServer::Loop::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

std::vector<Recorded> MockServer::Loop::recorded() const {
  const std::lock_guard lock(mutex_);
  return recorded_;
}

void MockServer::Loop::Run() {
  std::array<epoll_event, 256> events;
  while (!stop_) {
    const int count =
        epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), WaitMilliseconds());
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<size_t>(i)];
      if (event.data.u64 == 0) Accept();
      if (event.data.u64 > 1) Handle(event.data.u64, event.events);
    }
    FireTimers();
  }
}

int MockServer::Loop::WaitMilliseconds() const {
  if (due_.empty()) return -1;
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(due_.top().when - Clock::now());
  return static_cast<int>(std::clamp<int64_t>(wait.count(), 0, 1000));
}

void MockServer::Loop::FireTimers() {
  const TimePoint now = Clock::now();
  while (!due_.empty() && due_.top().when <= now) {
    const Due due = due_.top();
    due_.pop();
    if (due.connection == 0) {
      const absl::Status status = Listen(port_);
      if (!status.ok()) due_.push({now + std::chrono::milliseconds(50), 0});
      continue;
    }
    const auto found = connections_.find(due.connection);
    if (found == connections_.end()) continue;
    if (!found->second->steps.empty()) found->second->steps.front().wait = {};
    Advance(found->second.get());
  }
}

void MockServer::Loop::Accept() {
  while (listener_ >= 0) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto connection = std::make_unique<Connection>();
    connection->fd = fd;
    connection->id = next_id_++;
    epoll_event event{.events = EPOLLIN, .data = {.u64 = connection->id}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    connections_.emplace(connection->id, std::move(connection));
    const std::lock_guard lock(mutex_);
    ++stats_.connections;
  }
}

void MockServer::Loop::Handle(uint64_t id, uint32_t events) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  Connection* connection = found->second.get();
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) return Close(connection, false);
  if ((events & EPOLLIN) != 0) return ReadFrom(connection);
  if ((events & EPOLLOUT) != 0) Flush(connection);
}

void MockServer::Loop::ReadFrom(Connection* connection) {
  static thread_local std::array<char, 65536> buffer;
  const ssize_t got = recv(connection->fd, buffer.data(), buffer.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return Close(connection, false);
  connection->in.append(buffer.data(), static_cast<size_t>(got));
  {
    const std::lock_guard lock(mutex_);
    stats_.bytes_in += got;
  }
  TryRequest(connection);
}

// Answers the request that `in` begins with, once it is whole and no other is being answered.
void MockServer::Loop::TryRequest(Connection* connection) {
  if (!connection->steps.empty() || connection->closing) return;
  const std::string_view in = connection->in;
  if (in.starts_with('\x16')) {  // a TLS hello; like others, this server takes it for a bad request
    connection->in.clear();
    return SendNow(connection, ErrorResponse(400, "this server speaks http"));
  }
  const size_t end = in.find("\r\n\r\n");
  if (end == in.npos) return;
  HttpRequest request;
  request.head = in.substr(0, end);
  const std::string_view length = HeaderValue(request.head, "Content-Length");
  const size_t size = static_cast<size_t>(ParseInt(length).value_or(0));
  if (in.size() < end + 4 + size) {
    if (HeaderValue(request.head, "Expect") == "100-continue" && in.size() == end + 4) {
      connection->out += "HTTP/1.1 100 Continue\r\n\r\n";
      Flush(connection);
    }
    return;
  }
  // Taken out of the connection first: answering may close it.
  const std::string bytes = connection->in.substr(0, end + 4 + size);
  connection->in.erase(0, bytes.size());
  const std::string_view taken = bytes;
  request.head = taken.substr(0, end);
  request.body = taken.substr(end + 4);
  const std::vector<std::string_view> words =
      Split(request.head.substr(0, request.head.find("\r\n")), ' ');
  request.method = words[0];
  request.path = words.size() > 1 ? words[1] : "";
  const uint64_t id = connection->id;
  Answer(connection, request);
  const auto found = connections_.find(id);
  if (found != connections_.end() && !found->second->in.empty()) TryRequest(found->second.get());
}

void MockServer::Loop::Answer(Connection* connection, const HttpRequest& request) {
  const std::string_view path = request.path.substr(0, request.path.find('?'));
  if (path.ends_with("/chat/completions")) return AnswerCompletion(connection, request, Api::kChat);
  if (path.ends_with("/completions")) {
    return AnswerCompletion(connection, request, Api::kCompletions);
  }
  if (path.ends_with("/models")) {
    const Json body = Json::MakeObject(
        {{"object", "list"},
         {"data", Json::Array{Json::MakeObject({{"id", options_.model}, {"object", "model"}})}}});
    return SendNow(connection, Response(200, "application/json", body.Dump()));
  }
  if (path == "/stats") {
    return SendNow(connection, Response(200, "application/json", StatsJson()));
  }
  SendNow(connection, ErrorResponse(404, "no such path"));
}

void MockServer::Loop::CountRequest(const HttpRequest& http) {
  const std::lock_guard lock(mutex_);
  ++stats_.requests;
  ++stats_.in_flight;
  stats_.max_in_flight = std::max(stats_.max_in_flight, stats_.in_flight);
  if (options_.record) recorded_.push_back({std::string(http.head), std::string(http.body)});
}

void MockServer::Loop::AnswerCompletion(Connection* connection, const HttpRequest& http, Api api) {
  CountRequest(http);
  connection->answering = true;
  if (options_.down_after > 0 && !went_down_ && stats().requests > options_.down_after) {
    return GoDown();
  }
  const absl::StatusOr<Request> request =
      ReadRequest(api, http.body, HeaderValue(http.head, "x-assay-sample"));
  if (!request.ok()) return SendNow(connection, ErrorResponse(400, request.status().ToString()));
  if (const std::optional<std::string> refusal = Refusal(http, *request)) {
    return SendNow(connection, *refusal);
  }
  const int choices = options_.n == Honours::kYes ? request->n : 1;
  absl::StatusOr<std::vector<Reply>> replies = book_.Replies(*request, choices);
  if (!replies.ok()) return SendNow(connection, ErrorResponse(400, replies.status().ToString()));
  const Fault fault = PickFault(*request);
  PlanReply(connection, *request, fault, *std::move(replies));
}

// What is wrong with the request itself, or with the server for as long as it lives.
std::optional<std::string> MockServer::Loop::Refusal(const HttpRequest& http,
                                                     const Request& request) const {
  if (options_.always_status != 0 && stats().requests > options_.always_after) {
    return ErrorResponse(options_.always_status, "this server answers nothing else");
  }
  const std::string_view authorization = HeaderValue(http.head, "Authorization");
  if (!options_.require_key.empty() && authorization != "Bearer " + options_.require_key) {
    // Some servers do repeat the key that they were shown.
    return ErrorResponse(401, absl::StrFormat("Incorrect API key provided: %s", authorization));
  }
  if (options_.strict_model && request.model != options_.model) {
    return ErrorResponse(404, absl::StrFormat("The model '%s' does not exist", request.model));
  }
  if (request.n > 1 && options_.n == Honours::kRefuses) {
    return ErrorResponse(400, "Only one completion choice is allowed");
  }
  if (options_.max_in_flight > 0 && stats().in_flight > options_.max_in_flight) {
    return ErrorResponse(options_.overload_status, "too many requests in flight", FaultHeaders());
  }
  return std::nullopt;
}

// Drawn from the request and how often it came, not from the order of arrival.
Fault MockServer::Loop::PickFault(const Request& request) {
  double total = 0;
  for (const double rate : options_.rates) total += rate;
  Fault picked = Fault::kNone;
  if (total > 0) {
    uint64_t key = Mix(request.prompt_hash ^ request.seed.value_or(0));
    for (const int sample : request.samples) key = Mix(key + static_cast<uint64_t>(sample) + 1);
    const uint64_t attempt = attempts_[key]++;
    double point = Unit(Mix(Mix(key ^ options_.seed) + attempt));
    for (int fault = 1; fault < kFaults && picked == Fault::kNone; ++fault) {
      point -= options_.rates[static_cast<size_t>(fault)];
      if (point < 0) picked = static_cast<Fault>(fault);
    }
  }
  const std::lock_guard lock(mutex_);
  ++stats_.faults[static_cast<size_t>(picked)];
  return picked;
}

std::string MockServer::Loop::FaultHeaders() const {
  switch (options_.retry_after) {
    case RetryAfter::kSeconds:
      return absl::StrFormat("Retry-After: %d\r\n", options_.retry_after_seconds);
    case RetryAfter::kDate:
      return "Retry-After: " + HttpDate(std::time(nullptr) + options_.retry_after_seconds) + "\r\n";
    case RetryAfter::kNone:
      break;
  }
  return "";
}

std::chrono::nanoseconds MockServer::Loop::Delay(const Request& request) const {
  if (options_.delay_ms <= 0) return {};
  uint64_t key = Mix(request.prompt_hash ^ request.seed.value_or(0) ^ (options_.seed << 32));
  for (const int sample : request.samples) key = Mix(key + static_cast<uint64_t>(sample) + 1);
  switch (options_.delay_shape) {
    case DelayShape::kLognormal:
      return Milliseconds(options_.delay_ms * std::exp(options_.delay_sigma * Normal(key)));
    case DelayShape::kExponential:
      return Milliseconds(-options_.delay_ms * std::log(1 - Unit(key)));
    case DelayShape::kFixed:
      break;
  }
  return Milliseconds(options_.delay_ms);
}

void MockServer::Loop::PlanReply(Connection* connection, const Request& request, Fault fault,
                                 std::vector<Reply> replies) {
  const size_t choices = replies.size();
  if (fault == Fault::kHuge) {
    const auto size = static_cast<size_t>(options_.huge_bytes);
    replies[0].content.insert(0, std::string(size, 'z') + "\n");
  }
  if (fault == Fault::kTooManyRequests) {
    PlanPlain(connection, ErrorResponse(429, "rate limit reached", FaultHeaders()), fault);
  } else if (fault == Fault::kServerError) {
    static constexpr std::array kStatuses = {500, 502, 503, 504};
    const int status = kStatuses[Mix(request.prompt_hash) % kStatuses.size()];
    PlanPlain(connection, ErrorResponse(status, "the engine stumbled", FaultHeaders()), fault);
  } else if (request.stream && options_.streams && fault != Fault::kWrongType) {
    PlanStream(connection, Events(options_, request, replies, fault), fault);
  } else {
    const std::string_view type =
        fault == Fault::kWrongType ? "text/html; charset=utf-8" : "application/json";
    PlanPlain(connection, Response(200, type, JsonBody(options_, request, replies, fault)), fault);
  }
  if (!connection->steps.empty()) connection->steps.front().wait += Delay(request);
  const bool good = fault == Fault::kNone || fault == Fault::kInvalidUtf8 ||
                    fault == Fault::kMissingUsage || fault == Fault::kHuge;
  if (good) {
    const std::lock_guard lock(mutex_);
    ++stats_.served_ok;
    stats_.choices_ok += static_cast<int64_t>(choices);
  }
  Advance(connection);
}

void MockServer::Loop::PlanPlain(Connection* connection, std::string response, Fault fault) {
  std::deque<Step>& steps = connection->steps;
  const size_t half = response.size() / 2;
  if (fault == Fault::kReset) {
    // Half of the resets come before the first byte, half inside the reply.
    if (Mix(connection->id) % 2 == 0) steps.push_back({{}, Act::kSend, response.substr(0, half)});
    steps.push_back({Milliseconds(1), Act::kReset, ""});
  } else if (fault == Fault::kCut) {
    steps.push_back({{}, Act::kSend, response.substr(0, half)});
    steps.push_back({{}, Act::kClose, ""});
  } else if (fault == Fault::kStall) {
    steps.push_back({{}, Act::kSend, response.substr(0, half)});
    const double seconds = options_.stall_seconds > 0 ? options_.stall_seconds : 86400;
    steps.push_back({Milliseconds(seconds * 1e3), Act::kSend, response.substr(half)});
  } else {
    steps.push_back({{}, Act::kSend, std::move(response)});
  }
}

void MockServer::Loop::PlanStream(Connection* connection, std::vector<std::string> events,
                                  Fault fault) {
  std::deque<Step>& steps = connection->steps;
  std::string first =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
      "Transfer-Encoding: chunked\r\n\r\n";
  const bool breaks = fault == Fault::kReset || fault == Fault::kCut || fault == Fault::kStall;
  const size_t whole = events.size();
  if (breaks) events.resize(whole / 2);
  steps.push_back({{}, Act::kSend, std::move(first)});
  for (const std::string& event : events) {
    if (options_.chunk_delay_ms > 0) {
      steps.push_back({Milliseconds(options_.chunk_delay_ms), Act::kSend, Chunked(event)});
    } else {
      steps.back().bytes += Chunked(event);
    }
  }
  if (fault == Fault::kReset) {
    steps.push_back({Milliseconds(1), Act::kReset, ""});
  } else if (fault == Fault::kCut) {
    steps.push_back({{}, Act::kClose, ""});
  } else if (fault == Fault::kStall) {
    steps.push_back({Milliseconds(86400e3), Act::kClose, ""});
  } else {
    steps.back().bytes += "0\r\n\r\n";
  }
}

void MockServer::Loop::SendNow(Connection* connection, std::string response) {
  connection->steps.push_back({{}, Act::kSend, std::move(response)});
  Advance(connection);
}

// Does the steps that are due; arms a timer for the first that is not.
void MockServer::Loop::Advance(Connection* connection) {
  while (!connection->steps.empty()) {
    Step& step = connection->steps.front();
    if (step.wait.count() > 0) {
      due_.push({Clock::now() + step.wait, connection->id});
      return Flush(connection);
    }
    const Act act = step.act;
    if (act == Act::kReset) return Close(connection, true);
    if (act == Act::kClose) connection->closing = true;
    if (connection->out.empty()) {
      connection->out = std::move(step.bytes);
    } else {
      connection->out += step.bytes;
    }
    connection->steps.pop_front();
  }
  Flush(connection);
}

void MockServer::Loop::Flush(Connection* connection) {
  int64_t written = 0;
  while (connection->sent < connection->out.size()) {
    const ssize_t put = send(connection->fd, connection->out.data() + connection->sent,
                             connection->out.size() - connection->sent, MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno != EAGAIN) return Close(connection, false);
    if (put < 0) break;
    connection->sent += static_cast<size_t>(put);
    written += put;
  }
  {
    const std::lock_guard lock(mutex_);
    stats_.bytes_out += written;
  }
  const bool all = connection->sent == connection->out.size();
  WatchWrites(connection, !all);
  if (!all) return;
  connection->out.clear();
  connection->sent = 0;
  if (connection->closing) return Close(connection, false);
  if (connection->steps.empty()) FinishAnswer(connection);
}

void MockServer::Loop::WatchWrites(Connection* connection, bool on) {
  if (connection->wants_write == on) return;
  connection->wants_write = on;
  epoll_event event{.events = EPOLLIN | (on ? EPOLLOUT : 0u), .data = {.u64 = connection->id}};
  epoll_ctl(epoll_, EPOLL_CTL_MOD, connection->fd, &event);
}

void MockServer::Loop::FinishAnswer(Connection* connection) {
  if (!connection->answering) return;
  connection->answering = false;
  const std::lock_guard lock(mutex_);
  --stats_.in_flight;
}

void MockServer::Loop::Close(Connection* connection, bool reset) {
  FinishAnswer(connection);
  if (reset) {
    const linger now{.l_onoff = 1, .l_linger = 0};
    setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  close(connection->fd);
  connections_.erase(connection->id);
}

// A process that dies: every connection is reset, new ones are refused.
void MockServer::Loop::GoDown() {
  went_down_ = true;
  close(listener_);
  listener_ = -1;
  std::vector<Connection*> all;
  for (const auto& [id, connection] : connections_) all.push_back(connection.get());
  for (Connection* connection : all) Close(connection, true);
  due_.push({Clock::now() + Milliseconds(options_.down_seconds * 1e3), 0});
}

std::string MockServer::Loop::StatsJson() const {
  const Stats now = stats();
  Json faults = Json::MakeObject();
  for (int i = 1; i < kFaults; ++i) {
    faults.Set(FaultName(static_cast<Fault>(i)), now.faults[static_cast<size_t>(i)]);
  }
  return Json::MakeObject({{"requests", now.requests},
                           {"served_ok", now.served_ok},
                           {"choices_ok", now.choices_ok},
                           {"in_flight", now.in_flight},
                           {"max_in_flight", now.max_in_flight},
                           {"connections", now.connections},
                           {"bytes_in", now.bytes_in},
                           {"bytes_out", now.bytes_out},
                           {"faults", std::move(faults)}})
      .Dump();
}

MockServer::MockServer(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
MockServer::~MockServer() = default;

absl::StatusOr<std::unique_ptr<MockServer>> MockServer::Start(const Options& options) {
  ASSIGN_OR_RETURN(ReplyBook book, ReplyBook::Open(options));
  auto loop = std::make_unique<Loop>(options, std::move(book));
  RETURN_IF_ERROR(loop->Listen(options.port));
  loop->Begin();
  return std::unique_ptr<MockServer>(new MockServer(std::move(loop)));
}

int MockServer::port() const { return loop_->port(); }
std::string MockServer::base_url() const {
  return absl::StrFormat("http://127.0.0.1:%d/v1", port());
}
Stats MockServer::stats() const { return loop_->stats(); }
std::vector<Recorded> MockServer::recorded() const { return loop_->recorded(); }

}  // namespace assay::mock_server
