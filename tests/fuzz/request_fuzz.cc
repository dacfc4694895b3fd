// Fuzzes who `assay view` answers: a request that is not refused names this server as its host and
// its origin, and its address means the same when it is written again.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "harness/status.h"
#include "harness/text.h"
#include "http/server.h"

namespace {

using assay::http::ParseTarget;
using assay::http::PercentEncode;
using assay::http::RequestHead;
using assay::http::ServedRequest;

constexpr int kPort = 8123;

// The first line is "METHOD TARGET", the others are headers.
RequestHead HeadOf(std::string_view text) {
  RequestHead head;
  for (const std::string_view line : assay::Split(text, '\n')) {
    if (head.method.empty() && head.headers.empty()) {
      const size_t blank = std::min(line.find(' '), line.size());
      head.method = std::string(line.substr(0, blank));
      head.target = std::string(line.substr(std::min(blank + 1, line.size())));
      continue;
    }
    const size_t colon = std::min(line.find(':'), line.size());
    head.headers.emplace_back(std::string(line.substr(0, colon)),
                              std::string(line.substr(std::min(colon + 1, line.size()))));
  }
  return head;
}

std::string Written(const ServedRequest& request) {
  std::string target = "/" + PercentEncode(std::string_view(request.path).substr(1));
  char mark = '?';
  for (const auto& [name, value] : request.query) {
    target += mark + PercentEncode(name) + "=" + PercentEncode(value);
    mark = '&';
  }
  return target;
}

void CheckAnswered(const RequestHead& head) {
  CHECK(head.method == "GET" || head.method == "HEAD");
  int hosts = 0;
  for (const auto& [name, value] : head.headers) {
    const std::string lower = assay::ToLowerAscii(assay::Trim(value));
    const bool ours = lower == "127.0.0.1:8123" || lower == "localhost:8123";
    if (assay::EqualsIgnoreCaseAscii(name, "host")) {
      ++hosts;
      CHECK(ours);
    }
    if (assay::EqualsIgnoreCaseAscii(name, "origin")) {
      CHECK(lower == "http://127.0.0.1:8123" || lower == "http://localhost:8123");
    }
    if (assay::EqualsIgnoreCaseAscii(name, "sec-fetch-site")) {
      CHECK(lower == "none" || lower == "same-origin");
    }
  }
  CHECK(hosts == 1);
  const auto request = ParseTarget(head.target);
  CHECK(request.has_value());
  const auto again = ParseTarget(Written(*request));
  CHECK(again.has_value() && again->path == request->path && again->query == request->query);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const RequestHead head = HeadOf({reinterpret_cast<const char*>(bytes), size});
  const auto refusal = assay::http::RefusalOf(head, kPort);
  if (!refusal) CheckAnswered(head);
  return 0;
}
