// The server for the browser on this machine: who is answered, who is refused, and what a client
// that is slow, rude or one of many can do to it. Real sockets throughout.
#include "http/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "absl/strings/str_format.h"
#include "harness/text.h"
#include "tests/testing.h"

namespace assay::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

// A client that sends what it is told and reads until the server closes.
class Line {
 public:
  explicit Line(int port) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  }
  ~Line() { close(fd_); }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  bool connected() const { return connected_; }
  void Send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }
  void EndSending() const { shutdown(fd_, SHUT_WR); }
  // Until `enough` occurs in it, the server closes, or the time is up.
  std::string Read(std::string_view enough = "", milliseconds longest = milliseconds(20'000)) {
    const auto until = steady_clock::now() + longest;
    while (enough.empty() || !Contains(received_, enough)) {
      const auto left =
          std::chrono::duration_cast<milliseconds>(until - steady_clock::now()).count();
      pollfd wait = {fd_, POLLIN, 0};
      if (left <= 0 || poll(&wait, 1, static_cast<int>(left)) <= 0) return received_;
      char bytes[4096];
      const ssize_t got = recv(fd_, bytes, sizeof bytes, 0);
      if (got <= 0) {
        closed_ = true;
        return received_;
      }
      received_.append(bytes, static_cast<size_t>(got));
    }
    return received_;
  }
  bool closed() const { return closed_; }

 private:
  int fd_ = -1;
  bool connected_ = false, closed_ = false;
  std::string received_;
};

std::unique_ptr<LocalServer> StartServer(const ServerLimits& limits = {},
                                         Handler handler = nullptr) {
  if (handler == nullptr) {
    handler = [](const ServedRequest& request) {
      ServedReply reply;
      reply.body = "path " + request.path;
      for (const auto& [name, value] : request.query) reply.body += "|" + name + "=" + value;
      return reply;
    };
  }
  absl::StatusOr<std::unique_ptr<LocalServer>> server =
      LocalServer::Start(0, limits, std::move(handler));
  EXPECT_OK(server.status());
  return *std::move(server);
}

std::string Get(const LocalServer& server, std::string_view target, std::string_view more = "") {
  Line line(server.port());
  line.Send(absl::StrFormat("GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%sConnection: close\r\n\r\n",
                            target, server.port(), more));
  return line.Read();
}

std::string FirstLine(std::string_view reply) {
  return std::string(reply.substr(0, reply.find("\r\n")));
}

// --- the rules, by themselves ---

TEST(ServerRules, HostsOriginsSitesAndMethods) {
  struct Case {
    std::vector<std::pair<std::string, std::string>> headers;
    int status;  // 0: answered
    std::string method = "GET";
    int port = 8123;
  };
  const std::vector<Case> cases = {
      {{{"Host", "127.0.0.1:8123"}}, 0},
      {{{"Host", "localhost:8123"}}, 0},
      {{{"host", " LOCALHOST:8123 "}}, 0},
      {{{"Host", "127.0.0.1:8123"}}, 0, "HEAD"},
      {{{"Host", "127.0.0.1"}}, 0, "GET", 80},
      // Another name for this address: what a rebound name looks like.
      {{{"Host", "127.0.0.1"}}, 403},
      {{{"Host", "127.0.0.1:8124"}}, 403},
      {{{"Host", "127.0.0.1:81234"}}, 403},
      {{{"Host", "evil.example:8123"}}, 403},
      {{{"Host", "127.0.0.1.evil.example:8123"}}, 403},
      {{{"Host", "localhost.:8123"}}, 403},
      {{{"Host", "user@127.0.0.1:8123"}}, 403},
      {{{"Host", "127.0.0.1:8123/"}}, 403},
      {{{"Host", "[::1]:8123"}}, 403},
      {{{"Host", "0.0.0.0:8123"}}, 403},
      {{{"Host", "127.1:8123"}}, 403},
      {{{"Host", "2130706433:8123"}}, 403},
      {{{"Host", ""}}, 403},
      {{}, 400},
      {{{"Host", "127.0.0.1:8123"}, {"Host", "127.0.0.1:8123"}}, 400},
      {{{"Host", "127.0.0.1:8123"}, {"HOST", "evil.example"}}, 400},
      {{{"X-Forwarded-Host", "127.0.0.1:8123"}}, 400},
      // Pages of others.
      {{{"Host", "127.0.0.1:8123"}, {"Origin", "http://127.0.0.1:8123"}}, 0},
      {{{"Host", "localhost:8123"}, {"Origin", "http://localhost:8123"}}, 0},
      {{{"Host", "localhost:8123"}, {"Origin", "http://127.0.0.1:8123"}}, 403},
      {{{"Host", "127.0.0.1:8123"}, {"Origin", "http://127.0.0.1:8888"}}, 403},
      {{{"Host", "127.0.0.1:8123"}, {"Origin", "https://127.0.0.1:8123"}}, 403},
      {{{"Host", "127.0.0.1:8123"}, {"Origin", "http://evil.example"}}, 403},
      {{{"Host", "127.0.0.1:8123"}, {"Origin", "null"}}, 403},
      {{{"Host", "127.0.0.1:8123"}, {"origin", "file://"}}, 403},
      {{{"Host", "127.0.0.1:8123"},
        {"Origin", "http://127.0.0.1:8123"},
        {"Origin", "http://evil.example"}},
       403},
      {{{"Host", "127.0.0.1:8123"}, {"Sec-Fetch-Site", "none"}}, 0},
      {{{"Host", "127.0.0.1:8123"}, {"Sec-Fetch-Site", "same-origin"}}, 0},
      {{{"Host", "127.0.0.1:8123"}, {"Sec-Fetch-Site", "same-site"}}, 403},
      {{{"Host", "127.0.0.1:8123"}, {"sec-fetch-site", "cross-site"}}, 403},
      {{{"Host", "127.0.0.1:8123"}, {"Sec-Fetch-Site", "None"}}, 403},
      {{{"Host", "127.0.0.1:8123"}}, 405, "POST"},
      {{{"Host", "127.0.0.1:8123"}}, 405, "OPTIONS"},
      {{{"Host", "127.0.0.1:8123"}}, 405, "get"},
      {{{"Host", "127.0.0.1:8123"}}, 405, "CONNECT"},
      // A foreign page learns nothing by its method either.
      {{{"Host", "evil.example"}}, 403, "OPTIONS"},
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    const Case& one = cases[i];
    const auto refusal = RefusalOf({one.method, "/", one.headers}, one.port);
    EXPECT_EQ(refusal ? refusal->status : 0, one.status) << "case " << i;
  }
}

TEST(ServerRules, TargetsAreDecodedOrRefused) {
  const auto shown = [](std::string_view target) -> std::string {
    const std::optional<ServedRequest> request = ParseTarget(target);
    if (!request) return "(refused)";
    std::string text = request->path;
    for (const auto& [name, value] : request->query) text += "|" + name + "=" + value;
    return text;
  };
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"/", "/"},
      {"/a?", "/a"},
      {"/report?run=a&run=b", "/report|run=a|run=b"},
      {"/?q=a+b%20c%2Bd", "/|q=a b c+d"},
      {"/a+b", "/a+b"},
      {"/?a=b=c&d&=e", "/|a=b=c|d=|=e"},
      {"/%2e%2e/%2Fetc", "/..//etc"},
      {"/?q=%C3%A9%ff", "/|q=\xc3\xa9\xff"},
      {"/?q=x#y", "/|q=x"},
      {"", "(refused)"},
      {"*", "(refused)"},
      {"report", "(refused)"},
      {"http://127.0.0.1:8123/", "(refused)"},
      {"/%", "(refused)"},
      {"/?q=%4", "(refused)"},
      {"/?q=%zz", "(refused)"},
      {"/ x", "(refused)"},
      {"/\x01", "(refused)"},
      {"/\xc3\xa9", "(refused)"},
  };
  for (const auto& [target, wanted] : cases) EXPECT_EQ(shown(target), wanted) << target;
  std::string every;
  for (int c = 0; c < 256; ++c) every += static_cast<char>(c);
  const std::optional<ServedRequest> back = ParseTarget("/?q=" + PercentEncode(every));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->query[0].second, every);
}

// --- over sockets ---

TEST(LocalServer, AnswersWithItsHeaders) {
  const auto server = StartServer();
  const std::string reply = Get(*server, "/a%20b?x=1&y=%3Cb%3E");
  EXPECT_EQ(FirstLine(reply), "HTTP/1.1 200 OK");
  EXPECT_THAT(reply, HasSubstr("\r\n\r\npath /a b|x=1|y=<b>"));
  for (const char* header :
       {"Content-Security-Policy: default-src 'none'", "frame-ancestors 'none'",
        "X-Content-Type-Options: nosniff", "Cache-Control: no-store", "X-Frame-Options: DENY",
        "Cross-Origin-Resource-Policy: same-origin", "Referrer-Policy: no-referrer"}) {
    EXPECT_THAT(reply, HasSubstr(header));
  }
  EXPECT_THAT(reply, Not(HasSubstr("Access-Control-Allow-Origin")));
  EXPECT_EQ(server->address(), absl::StrFormat("http://127.0.0.1:%d", server->port()));
}

TEST(LocalServer, AConnectionServesManyRequestsInOrder) {
  const auto server = StartServer();
  Line line(server->port());
  const std::string request =
      absl::StrFormat(" HTTP/1.1\r\nHost: localhost:%d\r\n\r\n", server->port());
  line.Send("GET /1" + request + "HEAD /22" + request + "GET /333" + request);
  const std::string reply = line.Read("path /333");
  const size_t first = reply.find("path /1"), third = reply.find("path /333");
  ASSERT_NE(first, std::string::npos);
  ASSERT_NE(third, std::string::npos);
  EXPECT_LT(first, third);
  // HEAD: the length, and no body.
  EXPECT_THAT(reply, Not(HasSubstr("path /22")));
  EXPECT_THAT(reply, HasSubstr("Content-Length: 8\r\n"));
}

TEST(LocalServer, RefusesOverTheWire) {
  std::atomic<int> answered{0};
  const auto server = StartServer({}, [&](const ServedRequest&) {
    ++answered;
    return ServedReply{};
  });
  const std::string ours = absl::StrFormat("Host: 127.0.0.1:%d\r\n", server->port());
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "403"},
      {"GET / HTTP/1.1\r\n" + ours + "Origin: http://evil.example\r\n\r\n", "403"},
      {"GET / HTTP/1.1\r\n" + ours + "Sec-Fetch-Site: cross-site\r\n\r\n", "403"},
      {"GET / HTTP/1.0\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\n" + ours + "Content-Length: 5\r\n\r\nhello", "405"},
      {"DELETE / HTTP/1.1\r\n" + ours + "\r\n", "405"},
      {"GET / HTTP/1.1\r\n" + ours + "Content-Length: 5\r\n\r\nhello", "400"},
      {"GET / HTTP/1.1\r\n" + ours + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
       "400"},
      {"GET http://127.0.0.1/ HTTP/1.1\r\n" + ours + "\r\n", "400"},
      {"GET /%zz HTTP/1.1\r\n" + ours + "\r\n", "400"},
      {"GET / HTTP/9.9\r\n" + ours + "\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost 127.0.0.1\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\n" + ours + "A: " + std::string(40000, 'a') + "\r\n\r\n", "431"},
      {"GET /" + std::string(40000, 'a') + " HTTP/1.1\r\n" + ours + "\r\n", "431"},
      {"GET / HTTP/1.1\r\n" + ours + "Content-Length: 99999999999999999999999\r\n\r\n", "400"},
      {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello tls \r\n\r\n", "400"},
      {std::string(4096, '\0'), "400"},
      {"\r\n\r\n\r\n\r\n", "400"},
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    Line line(server->port());
    line.Send(cases[i].first);
    EXPECT_THAT(FirstLine(line.Read()), HasSubstr(" " + cases[i].second + " ")) << "case " << i;
    EXPECT_TRUE(line.closed()) << "case " << i;
  }
  EXPECT_EQ(answered, 0);
  EXPECT_THAT(Get(*server, "/"), StartsWith("HTTP/1.1 200")) << "and it still answers";
  EXPECT_EQ(answered, 1);
}

TEST(LocalServer, RandomBytesDoNoHarm) {
  const auto server = StartServer();
  uint32_t state = 12345;
  const auto next = [&] { return state = state * 1664525u + 1013904223u; };
  const std::string whole =
      absl::StrFormat("GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", server->port());
  for (int i = 0; i < 300; ++i) {
    std::string bytes = whole;
    const int changes = 1 + static_cast<int>((next() >> 16) % 8);
    for (int c = 0; c < changes; ++c) {
      bytes[(next() >> 8) % bytes.size()] = static_cast<char>(next() >> 24);
    }
    Line line(server->port());
    line.Send(bytes);
    line.EndSending();
    line.Read("", milliseconds(5000));
    EXPECT_TRUE(line.closed() || Contains(line.Read("\r\n\r\n"), "HTTP/1.1 ")) << i;
  }
  EXPECT_THAT(Get(*server, "/"), StartsWith("HTTP/1.1 200"));
}

TEST(LocalServer, HalfARequestIsGivenUp) {
  ServerLimits limits;
  limits.read = milliseconds(300);
  const auto server = StartServer(limits);
  Line silent(server->port()), half(server->port()), dripping(server->port());
  half.Send("GET / HTTP/1.1\r\nHost: 127");
  // A byte now and then is not a request either: the limit is for the whole head.
  std::jthread drip([&](const std::stop_token& stop) {
    for (const char c : std::string("GET / HTTP/1.1\r\nX: ") + std::string(1000, 'a')) {
      if (stop.stop_requested()) return;
      dripping.Send({&c, 1});
      std::this_thread::sleep_for(milliseconds(20));
    }
  });
  for (Line* line : {&silent, &half, &dripping}) {
    EXPECT_THAT(line->Read("", milliseconds(10'000)), IsEmpty());
    EXPECT_TRUE(line->closed());
  }
  drip.request_stop();
}

TEST(LocalServer, AClientThatDoesNotReadIsGivenUp) {
  ServerLimits limits;
  limits.write = milliseconds(300);
  const auto server = StartServer(limits, [](const ServedRequest&) {
    ServedReply reply;
    reply.body.assign(64 << 20, 'x');
    return reply;
  });
  Line line(server->port());
  line.Send(absl::StrFormat("GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", server->port()));
  const auto wait_for = [&](int connections) {
    const auto until = steady_clock::now() + std::chrono::seconds(20);
    while (server->connections() != connections && steady_clock::now() < until) {
      std::this_thread::sleep_for(milliseconds(5));
    }
    return server->connections();
  };
  ASSERT_EQ(wait_for(1), 1);
  EXPECT_EQ(wait_for(0), 0);
}

TEST(LocalServer, ManyIdleConnectionsKeepNobodyOut) {
  ServerLimits limits;
  limits.max_connections = 8;
  const auto server = StartServer(limits);
  std::vector<std::unique_ptr<Line>> idle;
  for (int i = 0; i < 40; ++i) {
    idle.push_back(std::make_unique<Line>(server->port()));
    EXPECT_TRUE(idle.back()->connected());
  }
  EXPECT_THAT(Get(*server, "/in"), HasSubstr("path /in"));
  EXPECT_LE(server->connections(), 16);
  idle.clear();
}

TEST(LocalServer, TooManyAtWorkAreTurnedAway) {
  ServerLimits limits;
  limits.max_connections = 3;
  limits.handlers = 1;
  std::atomic<bool> go_on{false};
  const auto server = StartServer(limits, [&](const ServedRequest&) {
    while (!go_on) std::this_thread::sleep_for(milliseconds(5));
    return ServedReply{};
  });
  const std::string request = absl::StrFormat(
      "GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n", server->port());
  std::vector<std::unique_ptr<Line>> busy;
  for (int i = 0; i < 3; ++i) {
    busy.push_back(std::make_unique<Line>(server->port()));
    busy.back()->Send(request);
  }
  std::this_thread::sleep_for(milliseconds(200));  // until all three are asked
  const std::string refused = Get(*server, "/");
  go_on = true;
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 503"));
  for (const auto& line : busy) EXPECT_THAT(line->Read(), StartsWith("HTTP/1.1 200"));
}

TEST(LocalServer, ListensOnLoopbackOnlyAndATakenPortIsSaid) {
  const auto server = StartServer();
  const auto second = LocalServer::Start(server->port(), {}, nullptr);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr(absl::StrFormat("127.0.0.1:%d: another program", server->port())));
  for (const int wrong : {-1, 65536, 1 << 20}) {
    EXPECT_FALSE(LocalServer::Start(wrong, {}, nullptr).ok()) << wrong;
  }
  // Another address of this machine, in the same loopback network, is not listened on.
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(server->port()));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
  EXPECT_NE(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
  close(fd);
}

TEST(LocalServer, EndsWhileClientsWaitAndWork) {
  std::atomic<int> began{0};
  auto server = StartServer({}, [&](const ServedRequest&) {
    ++began;
    std::this_thread::sleep_for(milliseconds(100));
    ServedReply reply;
    reply.body.assign(1 << 20, 'x');
    return reply;
  });
  const int port = server->port();
  std::vector<std::unique_ptr<Line>> lines;
  for (int i = 0; i < 30; ++i) {
    lines.push_back(std::make_unique<Line>(port));
    if (i % 3 != 0) {
      lines.back()->Send(absl::StrFormat("GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", port));
    }
  }
  while (began == 0) std::this_thread::sleep_for(milliseconds(5));
  server.reset();
  for (const auto& line : lines) {
    line->Read("", milliseconds(5000));
    EXPECT_TRUE(line->closed());
  }
  EXPECT_FALSE(Line(port).connected());
}

TEST(LocalServer, ManyClientsAtOnceGetTheirOwnAnswers) {
  const auto server = StartServer();
  std::atomic<int> right{0};
  {
    std::vector<std::jthread> clients;
    for (int c = 0; c < 8; ++c) {
      clients.emplace_back([&, c] {
        for (int i = 0; i < 25; ++i) {
          const std::string path = absl::StrFormat("/%d-%d", c, i);
          if (Get(*server, path).ends_with("path " + path)) ++right;
        }
      });
    }
  }
  EXPECT_EQ(right, 200);
}

}  // namespace
}  // namespace assay::http
