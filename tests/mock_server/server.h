// The mock server itself: one epoll thread that serves /v1/chat/completions, /v1/completions,
// /v1/models and /stats.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/mock_server/options.h"

namespace assay::mock_server {

struct Stats {
  int64_t requests = 0;    // to complete something, faults and refusals included
  int64_t served_ok = 0;   // answered whole and without a fault that spoils the answer
  int64_t choices_ok = 0;  // completions in them
  int64_t in_flight = 0;   // being answered now
  int64_t max_in_flight = 0;
  int64_t connections = 0;  // ever accepted
  int64_t bytes_in = 0;
  int64_t bytes_out = 0;
  std::array<int64_t, kFaults> faults{};  // by Fault; [0] counts the requests without one

  int64_t fault(Fault which) const { return faults[static_cast<size_t>(which)]; }
};

// A request as it came, where Options::record.
struct Recorded {
  std::string head;  // request line and headers
  std::string body;
};

// Serves from its own thread until destroyed. All functions are thread-safe.
class MockServer {
 public:
  static absl::StatusOr<std::unique_ptr<MockServer>> Start(const Options& options);
  ~MockServer();
  MockServer(const MockServer&) = delete;
  MockServer& operator=(const MockServer&) = delete;

  int port() const;
  std::string base_url() const;  // "http://127.0.0.1:PORT/v1"
  Stats stats() const;
  std::vector<Recorded> recorded() const;

 private:
  class Loop;
  explicit MockServer(std::unique_ptr<Loop> loop);
  std::unique_ptr<Loop> loop_;
};

}  // namespace assay::mock_server
