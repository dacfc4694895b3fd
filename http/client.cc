// libcurl's multi interface driven by our own epoll set: the work of a turn is that of the sockets
// that are ready, not of all that are open (a thousand streams would drown in the latter).
#include "http/client.h"

#include <curl/curl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "harness/build_info.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay::http {
namespace {

using std::chrono::milliseconds;

constexpr size_t kReserveAtMost = size_t{1} << 20;  // a server may claim any length

struct Slot {
  CURL* easy = nullptr;
  Request request;
  Outcome outcome;
  size_t max_bytes = 0;
  bool began = false;  // a byte of the reply's body came
  bool streams = false;
  Clock::time_point started;
  Clock::time_point last_byte;
  std::vector<curl_slist> headers;  // this request's own, in front of the common ones
  size_t active_index = 0;
  std::array<char, CURL_ERROR_SIZE> error{};
  std::string url;  // as last set
};

std::string ContentType(CURL* easy) {
  const char* type = nullptr;
  curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
  return type == nullptr ? "" : ToValidUtf8(type);
}

// What is known once the reply's head is there.
void ReadHead(Slot* slot) {
  Outcome& outcome = slot->outcome;
  long status = 0;
  curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
  outcome.status = static_cast<int>(status);
  outcome.content_type = ContentType(slot->easy);
  curl_off_t length = -1;
  curl_easy_getinfo(slot->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  outcome.length = length;
  for (const std::string& name : slot->request.wanted_headers) {
    curl_header* header = nullptr;
    if (curl_easy_header(slot->easy, name.c_str(), 0, CURLH_HEADER, -1, &header) != CURLHE_OK) {
      continue;
    }
    outcome.headers[name] = ToValidUtf8(header->value);
  }
}

void BeginBody(Slot* slot) {
  slot->began = true;
  ReadHead(slot);
  const Outcome& head = slot->outcome;
  if (slot->request.on_bytes != nullptr) {
    slot->streams = slot->request.on_head != nullptr
                        ? slot->request.on_head(head)
                        : head.status == 200 && head.content_type.starts_with("text/event-stream");
  }
  if (head.length > 0 && !slot->streams) {
    slot->outcome.body.reserve(std::min(static_cast<size_t>(head.length), kReserveAtMost));
  }
}

// libcurl's write callback: fewer bytes than given ends the transfer.
size_t OnBody(char* bytes, size_t, size_t size, void* user) {
  auto* slot = static_cast<Slot*>(user);
  slot->last_byte = Clock::now();
  if (!slot->began) BeginBody(slot);
  slot->outcome.bytes += static_cast<int64_t>(size);
  if (slot->streams) {
    if (slot->request.on_bytes({bytes, size})) return size;
    slot->outcome.trouble = Trouble::kRejected;
    return 0;
  }
  if (slot->outcome.body.size() + size > slot->max_bytes) {
    slot->outcome.trouble = Trouble::kTooLarge;
    return 0;
  }
  slot->outcome.body.append(bytes, size);
  return size;
}

Trouble TroubleOf(CURLcode code) {
  switch (code) {
    case CURLE_OK:
      return Trouble::kNone;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_OPERATION_TIMEDOUT:  // only connecting has a time limit of libcurl's
      return Trouble::kConnect;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return Trouble::kTls;
    default:
      return Trouble::kBroken;
  }
}

bool IsLoopback(std::string_view url) {
  const size_t begin = url.find("://");
  const std::string_view host = begin == url.npos ? url : url.substr(begin + 3);
  return host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]");
}

void InitialiseOnce() {
  static const CURLcode done = curl_global_init(CURL_GLOBAL_ALL);
  CHECK(done == CURLE_OK);
}

}  // namespace

class Client::Impl {
 public:
  Impl(std::vector<std::string> headers, const Limits& limits);
  ~Impl();

  void Start(Request request);
  void Wait(milliseconds longest, std::vector<Outcome>* out);
  int in_flight() const { return static_cast<int>(active_.size()); }
  void Cancel();

 private:
  static int OnSocket(CURL*, curl_socket_t socket, int what, void* user, void* known);
  static int OnTimer(CURLM*, long milliseconds, void* user);

  Slot* Idle();
  void Apply(Slot* slot);
  void Release(Slot* slot);
  milliseconds TimeToWait(milliseconds longest) const;
  void Drive(milliseconds wait);
  void Collect(std::vector<Outcome>* out);
  void Sweep(std::vector<Outcome>* out);
  void End(Slot* slot, CURLcode code, std::vector<Outcome>* out);

  const Limits limits_;
  const milliseconds sweep_every_;
  CURLM* multi_ = nullptr;
  int epoll_ = -1;
  curl_slist* headers_ = nullptr;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Slot*> idle_;
  std::vector<Slot*> active_;
  std::optional<Clock::time_point> timer_;  // when libcurl wants to be called
  Clock::time_point next_sweep_;
};

Client::Impl::Impl(std::vector<std::string> headers, const Limits& limits)
    : limits_(limits),
      sweep_every_(std::clamp(std::min({limits.total, limits.stall, limits.first_byte}) / 4,
                              milliseconds(2), milliseconds(250))) {
  InitialiseOnce();
  multi_ = curl_multi_init();
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  CHECK(multi_ != nullptr && epoll_ >= 0);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Impl::OnSocket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Impl::OnTimer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(limits.max_connections) + 8);
  // "Expect:" forbids libcurl to wait for "100 Continue" before a long prompt.
  headers_ = curl_slist_append(headers_, "Expect:");
  for (const std::string& header : headers) {
    headers_ = curl_slist_append(headers_, header.c_str());
  }
}

Client::Impl::~Impl() {
  Cancel();
  for (const std::unique_ptr<Slot>& slot : slots_) curl_easy_cleanup(slot->easy);
  curl_multi_cleanup(multi_);
  curl_slist_free_all(headers_);
  close(epoll_);
}

int Client::Impl::OnSocket(CURL*, curl_socket_t socket, int what, void* user, void* known) {
  auto* self = static_cast<Impl*>(user);
  if (what == CURL_POLL_REMOVE) {
    epoll_ctl(self->epoll_, EPOLL_CTL_DEL, socket, nullptr);
    return 0;
  }
  epoll_event event{};
  event.events =
      ((what & CURL_POLL_IN) != 0 ? EPOLLIN : 0u) | ((what & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0u);
  event.data.fd = socket;
  if (known == nullptr) {
    epoll_ctl(self->epoll_, EPOLL_CTL_ADD, socket, &event);
    curl_multi_assign(self->multi_, socket, self);
  } else {
    epoll_ctl(self->epoll_, EPOLL_CTL_MOD, socket, &event);
  }
  return 0;
}

int Client::Impl::OnTimer(CURLM*, long milliseconds, void* user) {
  auto* self = static_cast<Impl*>(user);
  self->timer_.reset();
  if (milliseconds >= 0) self->timer_ = Clock::now() + std::chrono::milliseconds(milliseconds);
  return 0;
}

Slot* Client::Impl::Idle() {
  if (!idle_.empty()) {
    Slot* slot = idle_.back();
    idle_.pop_back();
    return slot;
  }
  slots_.push_back(std::make_unique<Slot>());
  Slot* slot = slots_.back().get();
  slot->easy = curl_easy_init();
  CHECK(slot->easy != nullptr);
  const std::string agent = "assay/" + AssayVersion();
  curl_easy_setopt(slot->easy, CURLOPT_PRIVATE, slot);
  curl_easy_setopt(slot->easy, CURLOPT_WRITEFUNCTION, &OnBody);
  curl_easy_setopt(slot->easy, CURLOPT_WRITEDATA, slot);
  curl_easy_setopt(slot->easy, CURLOPT_ERRORBUFFER, slot->error.data());
  curl_easy_setopt(slot->easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(slot->easy, CURLOPT_BUFFERSIZE, static_cast<long>(limits_.read_bytes));
  curl_easy_setopt(slot->easy, CURLOPT_USERAGENT, agent.c_str());
  curl_easy_setopt(slot->easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(slot->easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(slot->easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  curl_easy_setopt(slot->easy, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(limits_.connect.count()));
  return slot;
}

void Client::Impl::Apply(Slot* slot) {
  const Request& request = slot->request;
  if (slot->url != request.url) {
    slot->url = request.url;
    curl_easy_setopt(slot->easy, CURLOPT_URL, request.url.c_str());
    // A proxy for the world must not be asked for a server on this machine.
    curl_easy_setopt(slot->easy, CURLOPT_NOPROXY, IsLoopback(request.url) ? "*" : nullptr);
    curl_easy_setopt(slot->easy, CURLOPT_USERPWD,
                     request.credentials.empty() ? nullptr : request.credentials.c_str());
  }
  if (request.body.empty()) {
    curl_easy_setopt(slot->easy, CURLOPT_HTTPGET, 1L);
  } else {
    curl_easy_setopt(slot->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, request.body.data());
    curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
  }
  slot->headers.clear();
  for (std::string& header : slot->request.headers) {
    slot->headers.push_back({header.data(), nullptr});
  }
  static char json[] = "Content-Type: application/json";  // libcurl's lists are not const-correct
  if (!request.body.empty()) slot->headers.push_back({json, nullptr});
  for (size_t i = 0; i < slot->headers.size(); ++i) {
    slot->headers[i].next = i + 1 < slot->headers.size() ? &slot->headers[i + 1] : headers_;
  }
  curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER,
                   slot->headers.empty() ? headers_ : slot->headers.data());
}

void Client::Impl::Start(Request request) {
  Slot* slot = Idle();
  slot->request = std::move(request);
  slot->outcome = Outcome{.tag = slot->request.tag};
  slot->max_bytes = limits_.max_bytes;
  slot->began = false;
  slot->streams = false;
  slot->started = slot->last_byte = Clock::now();
  slot->error[0] = '\0';
  Apply(slot);
  slot->active_index = active_.size();
  active_.push_back(slot);
  CHECK(curl_multi_add_handle(multi_, slot->easy) == CURLM_OK);
}

void Client::Impl::Release(Slot* slot) {
  curl_multi_remove_handle(multi_, slot->easy);
  active_.back()->active_index = slot->active_index;
  active_[slot->active_index] = active_.back();
  active_.pop_back();
  slot->request.on_bytes = nullptr;
  slot->request.on_head = nullptr;
  idle_.push_back(slot);
}

milliseconds Client::Impl::TimeToWait(milliseconds longest) const {
  const Clock::time_point now = Clock::now();
  auto wait = std::chrono::duration_cast<std::chrono::nanoseconds>(longest);
  if (timer_) wait = std::min<std::chrono::nanoseconds>(wait, *timer_ - now);
  if (!active_.empty()) wait = std::min<std::chrono::nanoseconds>(wait, next_sweep_ - now);
  return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(wait));
}

void Client::Impl::Drive(milliseconds wait) {
  std::array<epoll_event, 256> events;
  int running = 0;
  const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()),
                               static_cast<int>(wait.count()));
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<size_t>(i)];
    const int mask = ((event.events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
                     ((event.events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                     ((event.events & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0);
    curl_multi_socket_action(multi_, event.data.fd, mask, &running);
  }
  if (timer_ && *timer_ <= Clock::now()) {
    timer_.reset();
    curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
  }
}

void Client::Impl::Wait(milliseconds longest, std::vector<Outcome>* out) {
  Drive(TimeToWait(longest));
  Collect(out);
  if (Clock::now() >= next_sweep_) Sweep(out);
}

void Client::Impl::Collect(std::vector<Outcome>* out) {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    Slot* slot = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot);
    End(slot, message->data.result, out);
  }
}

// Requests that are over their time. Backwards, since ending one moves the last into its place.
void Client::Impl::Sweep(std::vector<Outcome>* out) {
  const Clock::time_point now = Clock::now();
  next_sweep_ = now + sweep_every_;
  for (size_t i = active_.size(); i-- > 0;) {
    Slot* slot = active_[i];
    if (now - slot->started >= limits_.total) {
      slot->outcome.trouble = Trouble::kTimeout;
    } else if (!slot->began && now - slot->started >= limits_.first_byte) {
      slot->outcome.trouble = Trouble::kTimeout;
    } else if (slot->began && now - slot->last_byte >= limits_.stall) {
      slot->outcome.trouble = Trouble::kStall;
    } else {
      continue;
    }
    End(slot, CURLE_ABORTED_BY_CALLBACK, out);
  }
}

void Client::Impl::End(Slot* slot, CURLcode code, std::vector<Outcome>* out) {
  Outcome& outcome = slot->outcome;
  if (!slot->began) ReadHead(slot);
  const int status = outcome.status;
  if (outcome.trouble == Trouble::kNone) outcome.trouble = TroubleOf(code);
  if (outcome.trouble != Trouble::kNone && code != CURLE_OK) {
    outcome.error =
        ToValidUtf8(slot->error[0] != '\0' ? slot->error.data() : curl_easy_strerror(code));
  }
  if (status >= 300) {
    curl_off_t retry_after = 0;
    curl_easy_getinfo(slot->easy, CURLINFO_RETRY_AFTER, &retry_after);
    outcome.retry_after_seconds = static_cast<double>(std::max<curl_off_t>(0, retry_after));
    const char* location = nullptr;
    curl_easy_getinfo(slot->easy, CURLINFO_REDIRECT_URL, &location);
    if (location != nullptr) outcome.location = ToValidUtf8(location);
  }
  outcome.seconds = std::chrono::duration<double>(Clock::now() - slot->started).count();
  out->push_back(std::move(outcome));
  Release(slot);
}

void Client::Impl::Cancel() {
  while (!active_.empty()) Release(active_.back());
}

Client::Client(std::vector<std::string> headers, const Limits& limits)
    : impl_(std::make_unique<Impl>(std::move(headers), limits)) {}
Client::~Client() = default;
void Client::Start(Request request) { impl_->Start(std::move(request)); }
void Client::Wait(milliseconds longest, std::vector<Outcome>* out) { impl_->Wait(longest, out); }
int Client::in_flight() const { return impl_->in_flight(); }
void Client::Cancel() { impl_->Cancel(); }

std::string WrongUrl(const std::string& url) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parts(curl_url(), &curl_url_cleanup);
  CHECK(parts != nullptr);
  const CURLUcode code = curl_url_set(parts.get(), CURLUPART_URL, url.c_str(), 0);
  if (code != CURLUE_OK) return curl_url_strerror(code);
  char* port = nullptr;
  if (curl_url_get(parts.get(), CURLUPART_PORT, &port, 0) != CURLUE_OK) return "";
  const bool zero = std::string_view(port) == "0";
  curl_free(port);
  return zero ? "Port 0 is nobody's" : "";
}

std::string StatusText(int status) {
  static constexpr std::pair<int, const char*> kTexts[] = {
      {301, "Moved Permanently"},  {302, "Found"},
      {307, "Temporary Redirect"}, {308, "Permanent Redirect"},
      {400, "Bad Request"},        {401, "Unauthorized"},
      {402, "Payment Required"},   {403, "Forbidden"},
      {404, "Not Found"},          {405, "Method Not Allowed"},
      {408, "Request Timeout"},    {410, "Gone"},
      {413, "Content Too Large"},  {422, "Unprocessable Content"},
      {429, "Too Many Requests"},  {500, "Internal Server Error"},
      {502, "Bad Gateway"},        {503, "Service Unavailable"},
      {504, "Gateway Timeout"},    {529, "Overloaded"}};
  for (const auto& [number, text] : kTexts) {
    if (number == status) return absl::StrFormat("%d %s", number, text);
  }
  return std::to_string(status);
}

Outcome Fetch(Client* client, Request request) {
  client->Start(std::move(request));
  std::vector<Outcome> outcomes;
  while (outcomes.empty()) client->Wait(milliseconds(1000), &outcomes);
  return std::move(outcomes[0]);
}

}  // namespace assay::http
