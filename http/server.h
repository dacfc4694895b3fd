// A small HTTP server for a browser on this machine: 127.0.0.1 only, GET and HEAD only.
//
// It answers nobody else: a page of another site can make a browser send requests here, and can
// give its own name this machine's address. Such requests (another Host, a foreign Origin, a
// Sec-Fetch-Site that is not ours) are refused before the handler sees them. What a client sends is
// bounded in bytes and time, and so is how many there are.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace assay::http {

using Query = std::vector<std::pair<std::string, std::string>>;  // decoded, in order

struct ServedRequest {
  std::string path;  // decoded; begins with '/'
  Query query;
};

struct ServedReply {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::string policy;    // Content-Security-Policy; empty: nothing may run or load
  std::string location;  // of a redirection
};

struct ServerLimits {
  int max_connections = 64;
  size_t max_head_bytes = 16 << 10;          // request line and headers
  std::chrono::milliseconds read{15'000};    // for a whole head, from the last reply on
  std::chrono::milliseconds write{120'000};  // for a whole reply
  int handlers = 4;                          // threads that answer
};

// Called from several threads at once.
using Handler = std::function<ServedReply(const ServedRequest&)>;

class LocalServer {
 public:
  // Port 0: a free one. A port that is taken is an error that says so.
  static absl::StatusOr<std::unique_ptr<LocalServer>> Start(int port, const ServerLimits& limits,
                                                            Handler handler);
  // Closes every connection; waits for handlers that are at work.
  ~LocalServer();
  LocalServer(const LocalServer&) = delete;
  LocalServer& operator=(const LocalServer&) = delete;

  int port() const;
  std::string address() const;  // "http://127.0.0.1:PORT"
  int connections() const;      // open now

 private:
  class Impl;
  explicit LocalServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// A sentence for people.
ServedReply PlainReply(int status, std::string text);

// --- the rules, by themselves ---

struct RequestHead {
  std::string method;
  std::string target;
  std::vector<std::pair<std::string, std::string>> headers;
};
// Why a request is refused, or nothing.
std::optional<ServedReply> RefusalOf(const RequestHead& head, int port);

// "/a%20b?x=1&y" as path and query; nothing where an escape is broken or the path is none.
std::optional<ServedRequest> ParseTarget(std::string_view target);
// For a query: letters, digits and "-._~" as they are.
std::string PercentEncode(std::string_view text);

}  // namespace assay::http
