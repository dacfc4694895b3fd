// Drives the endpoint backend against a running server and prints what a request costs: CPU time,
// rate, memory. Used by http_requests.py; no task, no grading, no store.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include "harness/backend.h"
#include "harness/keys.h"
#include "harness/text.h"

namespace assay {

Backend EndpointBackend();  // inference/endpoint.cc; the other entries are not linked

}  // namespace assay

namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
}

int Usage() {
  std::fprintf(stderr, "http_client URL REQUESTS CONNECTIONS PROMPT_BYTES stream|plain\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace assay;
  if (argc != 6) return Usage();
  const int64_t requests = ParseInt(argv[2]).value_or(0);
  const std::string prompt(static_cast<size_t>(ParseInt(argv[4]).value_or(0)), 'x');
  BackendConfig config;
  config.model = "openai/mock";
  config.base_urls = {argv[1]};
  config.max_connections = static_cast<int>(ParseInt(argv[3]).value_or(0));
  config.options = Json::MakeObject({{"stream", std::string(argv[5]) == "stream"}});
  const auto source = EndpointBackend().open(config);
  if (!source.ok()) {
    std::fprintf(stderr, "%s\n", source.status().ToString().c_str());
    return 1;
  }
  int64_t given = 0, good = 0, failed = 0, bytes = 0;
  BackendCounters counters;
  CompletionFlow flow;
  flow.counters = &counters;
  flow.stopping = [] { return false; };
  flow.next = [&]() -> std::optional<CompletionRequest> {
    if (given == requests) return std::nullopt;
    CompletionRequest request;
    request.task = "bench";
    request.problem_id = std::to_string(given);
    request.prompt.messages = {{"user", prompt + request.problem_id}};
    request.sampling.temperature = 0.6;
    request.sampling.max_tokens = 32768;
    request.draws = {{0, SampleSeed(1, request.task, request.problem_id, 0)}};
    ++given;
    return request;
  };
  flow.done = [&](const CompletionRequest&, const Draw&, absl::StatusOr<Completion> completion) {
    if (!completion.ok()) {
      ++failed;
      return;
    }
    ++good;
    bytes += static_cast<int64_t>(completion->answer.size() + completion->reasoning.size());
  };
  const double cpu = CpuSeconds();
  const auto began = std::chrono::steady_clock::now();
  const absl::Status status = (*source)->Run(flow);
  const double wall =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  const double spent = CpuSeconds() - cpu;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf(
      "{\"ok\":%s,\"good\":%lld,\"failed\":%lld,\"text_bytes\":%lld,\"wall_seconds\":%.4f,"
      "\"cpu_us_per_request\":%.2f,\"requests_per_second\":%.1f,\"rss_mb\":%.1f}\n",
      status.ok() ? "true" : "false", static_cast<long long>(good), static_cast<long long>(failed),
      static_cast<long long>(bytes), wall, spent * 1e6 / static_cast<double>(requests),
      static_cast<double>(good) / wall, static_cast<double>(usage.ru_maxrss) / 1024);
  return status.ok() && good == requests ? 0 : 1;
}
