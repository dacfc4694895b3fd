// The endpoint backend against the mock server: every fault alone and all together, and what the
// requests say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "absl/strings/str_format.h"
#include "harness/keys.h"
#include "harness/registry.h"
#include "harness/text.h"
#include "tests/mock_server/server.h"
#include "tests/testing.h"

namespace assay {
namespace {

using mock_server::Fault;
using mock_server::MockServer;
using testing::HasSubstr;
using testing_support::TemporaryDirectory;
using testing_support::WriteWholeFile;

struct Landed {
  std::map<std::pair<std::string, int>, Completion> completions;
  std::map<std::pair<std::string, int>, absl::Status> failures;
  int repeated = 0;  // draws that were done more than once
  absl::Status status;
};

CompletionRequest MakeRequest(int problem, int draws) {
  CompletionRequest request;
  request.task = "test";
  request.problem_id = "p" + std::to_string(problem);
  request.prompt.messages = {
      {"user", absl::StrFormat("Question %d: what is %d + 1?", problem, problem)}};
  request.sampling.temperature = 0.6;
  request.sampling.max_tokens = 2048;
  for (int i = 0; i < draws; ++i) {
    request.draws.push_back({i, SampleSeed(1, "test", request.problem_id, i)});
  }
  return request;
}

std::vector<CompletionRequest> MakeRequests(int problems, int draws) {
  std::vector<CompletionRequest> requests;
  for (int i = 0; i < problems; ++i) requests.push_back(MakeRequest(i, draws));
  return requests;
}

// Options that make waiting short: nothing here depends on the clock but the length of the test.
Json FastOptions(std::initializer_list<Json::Member> more = {}) {
  Json options = Json::MakeObject({{"backoff_base_ms", 2}, {"backoff_cap_ms", 20}});
  for (const Json::Member& member : more) options.Set(member.first, member.second);
  return options;
}

BackendConfig ConfigFor(std::vector<std::string> urls, Json options = FastOptions()) {
  BackendConfig config;
  config.model = "openai/mock";
  config.base_urls = std::move(urls);
  config.options = std::move(options);
  return config;
}

std::unique_ptr<CompletionSource> OpenOrFail(const BackendConfig& config) {
  const absl::StatusOr<const Backend*> backend = FindBackend("endpoint");
  EXPECT_OK(backend);
  auto source = (*backend)->open(config);
  EXPECT_OK(source);
  return source.ok() ? *std::move(source) : nullptr;
}

Landed Complete(CompletionSource& source, std::vector<CompletionRequest> requests,
                BackendCounters* counters = nullptr, std::function<bool()> stopping = nullptr) {
  BackendCounters own;
  Landed landed;
  std::mutex mutex;
  size_t next = 0;
  CompletionFlow flow;
  flow.counters = counters != nullptr ? counters : &own;
  flow.stopping = stopping ? stopping : [] { return false; };
  flow.next = [&]() -> std::optional<CompletionRequest> {
    const std::lock_guard lock(mutex);
    if (next == requests.size()) return std::nullopt;
    return requests[next++];
  };
  flow.done = [&](const CompletionRequest& request, const Draw& draw,
                  absl::StatusOr<Completion> completion) {
    const std::lock_guard lock(mutex);
    const std::pair key(request.problem_id, draw.index);
    if (landed.completions.count(key) + landed.failures.count(key) > 0) ++landed.repeated;
    if (completion.ok()) {
      landed.completions[key] = *std::move(completion);
    } else {
      landed.failures[key] = completion.status();
    }
  };
  landed.status = source.Run(flow);
  return landed;
}

std::unique_ptr<MockServer> StartOrFail(const mock_server::Options& options) {
  auto server = MockServer::Start(options);
  EXPECT_OK(server);
  return server.ok() ? *std::move(server) : nullptr;
}

// Every draw landed once, and holds the reply that belongs to it.
void ExpectAllLanded(const Landed& landed, int problems, int draws) {
  EXPECT_OK(landed.status);
  EXPECT_EQ(landed.repeated, 0);
  EXPECT_EQ(landed.failures.size(), 0u)
      << (landed.failures.empty() ? absl::OkStatus() : landed.failures.begin()->second);
  EXPECT_EQ(landed.completions.size(), static_cast<size_t>(problems * draws));
  std::set<std::string> texts;
  for (const auto& [key, completion] : landed.completions) {
    EXPECT_THAT(completion.raw, HasSubstr(absl::StrFormat("Draw %d of problem", key.second)));
    EXPECT_THAT(completion.raw, HasSubstr("\\boxed{42}"));
    texts.insert(completion.raw);
  }
  EXPECT_EQ(texts.size(), landed.completions.size()) << "two draws hold the same text";
}

TEST(Endpoint, EveryDrawLandsOnceWithItsOwnReply) {
  const auto server = StartOrFail({});
  const auto source = OpenOrFail(ConfigFor({server->base_url()}));
  ExpectAllLanded(Complete(*source, MakeRequests(50, 3)), 50, 3);
}

}  // namespace
}  // namespace assay
