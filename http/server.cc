// The only file that speaks Boost.Beast: one thread for all connections, a few that answer.
#include "http/server.h"

#include <array>
#include <atomic>
#include <set>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/bind_handler.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include "absl/strings/str_format.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace wire = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::chrono::seconds kLinger{2};  // for a client to read why it was refused
constexpr std::chrono::milliseconds kAcceptAgain{100};
constexpr char kNothingMayRun[] = "default-src 'none'; base-uri 'none'; form-action 'none'";

RequestHead HeadOf(const wire::request<wire::empty_body>& request) {
  RequestHead head;
  head.method = std::string(request.method_string());
  head.target = std::string(request.target());
  for (const auto& field : request) {
    head.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  return head;
}

ServedReply ReplyToTrouble(error_code trouble) {
  if (trouble == wire::error::header_limit || trouble == wire::error::buffer_overflow) {
    return PlainReply(431, "the request's head is too long");
  }
  return PlainReply(400, "this is no HTTP request");
}

}  // namespace

class LocalServer::Impl {
 public:
  Impl(const ServerLimits& limits, Handler handler)
      : limits_(limits),
        handler_(std::move(handler)),
        acceptor_(io_),
        again_(io_),
        work_(asio::make_work_guard(io_)),
        handlers_(static_cast<size_t>(limits.handlers)) {}
  ~Impl();

  absl::Status Listen(int port);
  void Begin();
  int port() const { return port_; }
  int connections() const { return connections_; }

 private:
  class Session;
  void Accept();
  void Welcome(tcp::socket socket);
  bool MakeRoom();

  const ServerLimits limits_;
  const Handler handler_;
  asio::io_context io_{1};
  tcp::acceptor acceptor_;
  asio::steady_timer again_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::set<Session*> sessions_;  // of the io thread
  std::atomic<int> connections_{0};
  int port_ = 0;
  asio::thread_pool handlers_;  // after what its last requests touch when they are forgotten
  std::jthread thread_;
};

// One connection; all but the handler's call happens on the io thread. Lives as long as something
// is being waited for.
class LocalServer::Impl::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Impl* server, tcp::socket socket)
      : server_(server), stream_(std::move(socket)), buffer_(server->limits_.max_head_bytes) {
    server_->sessions_.insert(this);
    ++server_->connections_;
  }
  ~Session() {
    server_->sessions_.erase(this);
    --server_->connections_;
  }

  void Read() {
    waits_since_ = std::chrono::steady_clock::now();
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(server_->limits_.max_head_bytes));
    stream_.expires_after(server_->limits_.read);
    wire::async_read_header(stream_, buffer_, *parser_,
                            beast::bind_front_handler(&Session::OnHead, shared_from_this()));
  }

  void TurnAway() {
    Write(PlainReply(503, "too many connections: close some of this server's pages"), Then::kClose);
  }

  void Close() { stream_.close(); }
  // Waiting for the client, and since when: nothing is lost where it is closed.
  std::optional<std::chrono::steady_clock::time_point> waits_since() const { return waits_since_; }

 private:
  enum class Then { kReadOn, kClose };

  void OnHead(error_code trouble, size_t) {
    waits_since_.reset();
    if (trouble == wire::error::end_of_stream || trouble == beast::error::timeout) return;
    if (trouble &&
        trouble.category() != wire::make_error_code(wire::error::bad_method).category()) {
      return;  // reset, closed
    }
    if (trouble) return Write(ReplyToTrouble(trouble), Then::kClose);
    const wire::request<wire::empty_body>& request = parser_->get();
    is_head_ = request.method() == wire::verb::head;
    const RequestHead head = HeadOf(request);
    if (std::optional<ServedReply> refusal = RefusalOf(head, server_->port_)) {
      return Write(*std::move(refusal), Then::kClose);
    }
    const bool has_body = request.chunked() || request.count(wire::field::content_length) > 0;
    if (has_body) return Write(PlainReply(400, "a request here has no body"), Then::kClose);
    Answer(*ParseTarget(head.target), request.keep_alive() ? Then::kReadOn : Then::kClose);
  }

  void Answer(ServedRequest request, Then then) {
    stream_.expires_never();
    asio::post(server_->handlers_,
               [self = shared_from_this(), request = std::move(request), then]() mutable {
                 Impl* server = self->server_;
                 ServedReply reply = server->handler_(request);
                 // The session goes back to the io thread, and ends there.
                 asio::post(server->io_, [self = std::move(self), reply = std::move(reply),
                                          then]() mutable { self->Write(std::move(reply), then); });
               });
  }

  void Write(ServedReply reply, Then then) {
    reply_.emplace(static_cast<wire::status>(reply.status), 11);
    const auto set = [&](const char* name, const std::string& value) { reply_->set(name, value); };
    set("Content-Type", reply.content_type);
    set("Content-Security-Policy", (reply.policy.empty() ? kNothingMayRun : reply.policy) +
                                       std::string("; frame-ancestors 'none'"));
    set("X-Content-Type-Options", "nosniff");
    set("X-Frame-Options", "DENY");
    set("Referrer-Policy", "no-referrer");
    set("Cross-Origin-Resource-Policy", "same-origin");
    set("Cross-Origin-Opener-Policy", "same-origin");
    set("Cache-Control", "no-store");
    if (!reply.location.empty()) set("Location", reply.location);
    if (reply.status == 405) set("Allow", "GET, HEAD");
    reply_->content_length(reply.body.size());
    reply_->keep_alive(then == Then::kReadOn);
    if (!is_head_) reply_->body() = std::move(reply.body);
    stream_.expires_after(server_->limits_.write);
    wire::async_write(stream_, *reply_,
                      [self = shared_from_this(), then](error_code trouble, size_t) {
                        self->reply_.reset();
                        if (trouble) return;
                        if (then == Then::kReadOn) return self->Read();
                        self->Linger();
                      });
  }

  // What is closed with bytes unread is reset, and the client may never see the reply.
  void Linger() {
    waits_since_ = std::chrono::steady_clock::now();
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.expires_after(kLinger);
    Discard();
  }
  void Discard() {
    stream_.async_read_some(asio::buffer(discarded_),
                            [self = shared_from_this()](error_code trouble, size_t) {
                              if (!trouble) self->Discard();
                            });
  }

  Impl* server_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::optional<wire::request_parser<wire::empty_body>> parser_;
  std::optional<wire::response<wire::string_body>> reply_;
  std::array<char, 4096> discarded_;
  std::optional<std::chrono::steady_clock::time_point> waits_since_;
  bool is_head_ = false;
};

absl::Status LocalServer::Impl::Listen(int port) {
  if (port < 0 || port > 65535) {
    return InvalidArgument("a port is 0 (any free one) to 65535, found %d", port);
  }
  error_code trouble;
  const tcp::endpoint here(asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(port));
  acceptor_.open(here.protocol(), trouble);
  if (!trouble) acceptor_.set_option(tcp::acceptor::reuse_address(true), trouble);
  if (!trouble) acceptor_.bind(here, trouble);
  if (!trouble) acceptor_.listen(asio::socket_base::max_listen_connections, trouble);
  if (trouble) {
    const bool taken = trouble == asio::error::address_in_use;
    return Unavailable("cannot listen on 127.0.0.1:%d: %s", port,
                       taken ? "another program listens there; name another port, or 0 for any"
                             : trouble.message());
  }
  port_ = acceptor_.local_endpoint(trouble).port();
  return trouble ? Unavailable("127.0.0.1: %s", trouble.message()) : absl::OkStatus();
}

void LocalServer::Impl::Begin() {
  Accept();
  thread_ = std::jthread([this] { io_.run(); });
}

void LocalServer::Impl::Accept() {
  acceptor_.async_accept([this](error_code trouble, tcp::socket socket) {
    if (trouble == asio::error::operation_aborted || !acceptor_.is_open()) return;
    if (!trouble) {
      Welcome(std::move(socket));
      return Accept();
    }
    // No descriptor left, most often: some will be given back.
    again_.expires_after(kAcceptAgain);
    again_.async_wait([this](error_code stopped) {
      if (!stopped) Accept();
    });
  });
}

void LocalServer::Impl::Welcome(tcp::socket socket) {
  // Those that are turned away and do not go are connections, too.
  const auto most = static_cast<size_t>(limits_.max_connections);
  if (sessions_.size() >= 2 * most) return;
  const bool room = sessions_.size() < most || MakeRoom();
  const auto session = std::make_shared<Session>(this, std::move(socket));
  if (room) return session->Read();
  session->TurnAway();
}

// Closes the connection that has been waiting for its client the longest.
bool LocalServer::Impl::MakeRoom() {
  Session* longest = nullptr;
  for (Session* session : sessions_) {
    if (!session->waits_since()) continue;
    if (longest == nullptr || *session->waits_since() < *longest->waits_since()) longest = session;
  }
  if (longest == nullptr) return false;
  longest->Close();
  return true;
}

LocalServer::Impl::~Impl() {
  asio::post(io_, [this] {
    error_code ignored;
    acceptor_.close(ignored);
    again_.cancel();
    for (Session* session : sessions_) session->Close();
  });
  handlers_.stop();  // those that wait are forgotten
  handlers_.join();
  work_.reset();
  // What handlers answered last finds its connection closed.
  if (thread_.joinable()) thread_.join();
}

LocalServer::LocalServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LocalServer::~LocalServer() = default;

absl::StatusOr<std::unique_ptr<LocalServer>> LocalServer::Start(int port,
                                                                const ServerLimits& limits,
                                                                Handler handler) {
  auto impl = std::make_unique<Impl>(limits, std::move(handler));
  RETURN_IF_ERROR(impl->Listen(port));
  impl->Begin();
  return std::unique_ptr<LocalServer>(new LocalServer(std::move(impl)));
}

int LocalServer::port() const { return impl_->port(); }
std::string LocalServer::address() const {
  return absl::StrFormat("http://127.0.0.1:%d", impl_->port());
}
int LocalServer::connections() const { return impl_->connections(); }

}  // namespace assay::http
