// Many HTTP requests at once on one thread: the only user of libcurl.
//
// Not thread-safe. Start and Wait belong to one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace assay::http {

using Clock = std::chrono::steady_clock;

// How a request ended below HTTP. kNone: a whole reply with a status is there.
enum class Trouble {
  kNone,
  kConnect,   // no connection: refused, unreachable, name unknown, or too slow to come about
  kBroken,    // reset, closed in the middle, or no HTTP
  kTimeout,   // the whole took too long, or nothing came
  kStall,     // the reply began and then nothing more came
  kTooLarge,  // more bytes than allowed
  kRejected,  // the receiver of the bytes (Request::on_bytes) wanted no more
  kTls,       // the server's certificate or protocol was refused
};

struct Limits {
  std::chrono::milliseconds connect{10'000};
  std::chrono::milliseconds total{3'600'000};
  std::chrono::milliseconds first_byte{3'600'000};  // until the reply's body begins
  std::chrono::milliseconds stall{120'000};         // between two bytes, once a reply began
  size_t max_bytes = size_t{256} << 20;
  int max_connections = 1024;
  size_t read_bytes = 32 << 10;  // at once; held by every request in flight
};

struct Outcome;

struct Request {
  uint64_t tag = 0;  // comes back with the outcome
  std::string url;
  std::string credentials;                  // "user:password" or empty
  std::string body;                         // posted; empty: GET
  std::vector<std::string> headers;         // more of them, for this request alone
  std::vector<std::string> wanted_headers;  // of the reply: what Outcome::headers is to hold
  // Takes the reply's bytes as they come; false ends it. Asked for the body of which replies:
  // `on_head`, given the outcome so far (status, headers, length); without it, those of status 200
  // and content type text/event-stream.
  std::function<bool(std::string_view)> on_bytes;
  std::function<bool(const Outcome&)> on_head;
};

struct Outcome {
  uint64_t tag = 0;
  Trouble trouble = Trouble::kNone;
  std::string error;  // of libcurl's, for `trouble`
  int status = 0;
  std::string content_type;
  double retry_after_seconds = 0;  // 0: none asked for
  std::string location;
  std::map<std::string, std::string> headers;  // those wanted that came, by the names asked for
  int64_t length = -1;                         // of the body, as announced; -1: not said
  std::string body;                            // what on_bytes did not take
  int64_t bytes = 0;                           // of body, taken by on_bytes or not
  double seconds = 0;
};

class Client {
 public:
  // `headers` go with every request and are shown to nobody.
  Client(std::vector<std::string> headers, const Limits& limits);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void Start(Request request);
  // Waits until something ended, at most so long; gives what ended, by way of `out`.
  void Wait(std::chrono::milliseconds longest, std::vector<Outcome>* out);
  int in_flight() const;
  // Ends all requests; no outcome will come of them.
  void Cancel();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// What is wrong with an address, by libcurl's words ("Port number was not a decimal number between
// 0 and 65535"); "" where it can be asked. The address is not repeated: it may hold a password.
std::string WrongUrl(const std::string& url);

// "429 Too Many Requests"; the number alone where the status is not well known.
std::string StatusText(int status);

// One request, waited for.
Outcome Fetch(Client* client, Request request);

}  // namespace assay::http
