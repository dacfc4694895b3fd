// The endpoint backend against the mock server: every fault alone and all together, and what the
// requests say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
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
#include "harness/token_logprobs.h"
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

Json RecordedBody(const mock_server::Recorded& recorded) {
  absl::StatusOr<Json> body = ParseJson(recorded.body);
  EXPECT_OK(body);
  return body.ok() ? *std::move(body) : Json();
}

mock_server::Options WithRate(Fault fault, double rate) {
  mock_server::Options options;
  options.rate(fault) = rate;
  return options;
}

TEST(Endpoint, EveryDrawLandsOnceWithItsOwnReply) {
  const auto server = StartOrFail({});
  const auto source = OpenOrFail(ConfigFor({server->base_url()}));
  ExpectAllLanded(Complete(*source, MakeRequests(50, 3)), 50, 3);
  EXPECT_EQ(source->identity().model_hash, "mock");
  EXPECT_EQ(source->identity().endpoint, "/v1/chat/completions");
}

// Each fault by itself, at a rate at which many requests fail more than once.
struct FaultCase {
  std::string name;
  Fault fault;
  std::string stream;
};

class EndpointFault : public testing::TestWithParam<FaultCase> {};

TEST_P(EndpointFault, LosesNoDrawAndMakesNoAnswerOfIt) {
  mock_server::Options options = WithRate(GetParam().fault, 0.3);
  options.huge_bytes = 1 << 20;
  const auto server = StartOrFail(options);
  const auto source =
      OpenOrFail(ConfigFor({server->base_url()}, FastOptions({{"stall_timeout", 0.02},
                                                              {"stream", GetParam().stream},
                                                              {"n_per_request", 1},
                                                              {"max_retries", 30}})));
  BackendCounters counters;
  ExpectAllLanded(Complete(*source, MakeRequests(40, 4), &counters), 40, 4);
  EXPECT_GT(server->stats().fault(GetParam().fault), 10) << "the fault was not met";
  EXPECT_EQ(counters.in_flight, 0);
}

std::vector<FaultCase> AllFaults() {
  std::vector<FaultCase> cases;
  for (int i = 0; i < mock_server::kFaults; ++i) {
    const auto fault = static_cast<Fault>(i);
    if (fault == Fault::kNone) continue;
    cases.push_back({std::string(FaultName(fault)), fault, "false"});
    cases.push_back({std::string(FaultName(fault)) + "_streamed", fault, "true"});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(All, EndpointFault, testing::ValuesIn(AllFaults()),
                         [](const auto& each) { return each.param.name; });

mock_server::Options EveryFault() {
  mock_server::Options options;
  for (int i = 1; i < mock_server::kFaults; ++i) options.rate(static_cast<Fault>(i)) = 0.02;
  options.rate(Fault::kTooManyRequests) = 0.2;
  options.rate(Fault::kReset) = 0.05;
  options.huge_bytes = 1 << 20;
  options.chunk_bytes = 1 << 10;
  return options;
}

TEST(Endpoint, AllFaultsTogetherLoseNothing) {
  for (const std::string stream : {"false", "true"}) {
    SCOPED_TRACE(stream);
    const auto server = StartOrFail(EveryFault());
    const auto source = OpenOrFail(
        ConfigFor({server->base_url()},
                  FastOptions({{"stall_timeout", 0.05}, {"stream", stream}, {"max_retries", 30}})));
    ExpectAllLanded(Complete(*source, MakeRequests(150, 4)), 150, 4);
  }
}

TEST(Endpoint, InvalidUtf8IsReplacedAndCounted) {
  const auto server = StartOrFail(WithRate(Fault::kInvalidUtf8, 1));
  const auto source = OpenOrFail(ConfigFor({server->base_url()}));
  BackendCounters counters;
  const Landed landed = Complete(*source, MakeRequests(3, 1), &counters);
  ExpectAllLanded(landed, 3, 1);
  EXPECT_EQ(counters.repaired_replies, 3);
  for (const auto& [key, completion] : landed.completions) {
    EXPECT_FALSE(FirstInvalidUtf8(completion.raw));
    EXPECT_THAT(completion.raw, HasSubstr("\xEF\xBF\xBD("));
  }
}

TEST(Endpoint, ARetryAfterInSecondsOrAsADateIsWaitedFor) {
  for (const auto form : {mock_server::RetryAfter::kSeconds, mock_server::RetryAfter::kDate}) {
    mock_server::Options options = WithRate(Fault::kTooManyRequests, 0.5);
    options.retry_after = form;
    options.retry_after_seconds = form == mock_server::RetryAfter::kSeconds ? 1 : 2;
    const auto server = StartOrFail(options);
    const auto source = OpenOrFail(ConfigFor({server->base_url()}));
    // Our own back-off would be over in 20 ms. A date has no parts of a second: at least one
    // passes.
    const auto began = std::chrono::steady_clock::now();
    ExpectAllLanded(Complete(*source, MakeRequests(2, 1)), 2, 1);
    ASSERT_GT(server->stats().fault(Fault::kTooManyRequests), 0);
    EXPECT_GT(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(900));
  }
}

TEST(Endpoint, AWaitBeyondPatienceIsNotWaitedForAndSaysHowLongItWouldBe) {
  mock_server::Options options = WithRate(Fault::kTooManyRequests, 1);
  options.retry_after = mock_server::RetryAfter::kSeconds;
  options.retry_after_seconds = 99'999'999;
  const auto server = StartOrFail(options);
  const auto source = OpenOrFail(
      ConfigFor({server->base_url()}, FastOptions({{"max_retries", 2}, {"patience", 1}})));
  const Landed few = Complete(*source, MakeRequests(5, 1));
  EXPECT_OK(few.status);
  ASSERT_EQ(few.failures.size(), 5u);
  const std::string message(few.failures.begin()->second.message());
  EXPECT_THAT(message, HasSubstr("429 Too Many Requests: the server asks to wait 99999999 s"));
  EXPECT_THAT(message, HasSubstr("1 s (patience)"));
  EXPECT_EQ(server->stats().requests, 5);
  // Of many, not each is sent only to be given up.
  const Landed many = Complete(*source, MakeRequests(1000, 1));
  EXPECT_EQ(many.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(many.status.message()), HasSubstr("asks to wait 99999999 s"));
  EXPECT_LT(server->stats().requests, 100);
}

// A server whose quota is used up for today is left to the others.
TEST(Endpoint, AWaitBeyondPatienceIsNoLossWhereThereAreOtherServers) {
  mock_server::Options options = WithRate(Fault::kTooManyRequests, 1);
  options.retry_after = mock_server::RetryAfter::kSeconds;
  options.retry_after_seconds = 80'000;
  const auto used_up = StartOrFail(options);
  const auto other = StartOrFail({});
  const auto source = OpenOrFail(ConfigFor({used_up->base_url(), other->base_url()},
                                           FastOptions({{"max_retries", 2}, {"patience", 1}})));
  ExpectAllLanded(Complete(*source, MakeRequests(200, 2)), 200, 2);
  EXPECT_LT(used_up->stats().requests, 100);
  // Where both are, it is told as of one.
  const auto second = StartOrFail(options);
  const auto neither = OpenOrFail(ConfigFor({used_up->base_url(), second->base_url()},
                                            FastOptions({{"max_retries", 2}, {"patience", 1}})));
  const Landed refused = Complete(*neither, MakeRequests(1000, 1));
  EXPECT_EQ(refused.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(refused.status.message()), HasSubstr("asks to wait 80000 s"));
}

TEST(Endpoint, ALongWaitSaysThatTheServerAskedForIt) {
  mock_server::Options options = WithRate(Fault::kTooManyRequests, 1);
  options.retry_after = mock_server::RetryAfter::kSeconds;
  options.retry_after_seconds = 300;
  const auto server = StartOrFail(options);
  BackendCounters counters;
  const Landed landed = Complete(*OpenOrFail(ConfigFor({server->base_url()})), MakeRequests(1, 1),
                                 &counters, [&] { return !counters.last_trouble.Get().empty(); });
  EXPECT_TRUE(landed.failures.empty());
  EXPECT_THAT(counters.last_trouble.Get(), testing::StartsWith("waiting 300 s as the server asks"));
}

// One that waits for its back-off keeps no other from being asked.
TEST(Endpoint, ARefusedRequestHoldsNoPlaceOfThoseInFlight) {
  mock_server::Options options = WithRate(Fault::kTooManyRequests, 0.25);
  options.retry_after = mock_server::RetryAfter::kSeconds;
  options.retry_after_seconds = 1;
  options.record = true;
  const auto server = StartOrFail(options);
  BackendConfig config = ConfigFor({server->base_url()});
  config.max_connections = 1;
  ExpectAllLanded(Complete(*OpenOrFail(config), MakeRequests(20, 1)), 20, 1);
  EXPECT_EQ(server->stats().max_in_flight, 1);
  // Each was asked a first time before any was asked again.
  std::set<std::string> first;
  std::vector<std::string> order;
  for (const mock_server::Recorded& recorded : server->recorded()) order.push_back(recorded.body);
  ASSERT_GT(order.size(), 20u) << "none was refused";
  for (size_t i = 0; i < 20; ++i) first.insert(order[i]);
  EXPECT_EQ(first.size(), 20u);
}

// Answers whatever comes with a plain 400, as web servers do that are spoken to in TLS.
class PlainServer {
 public:
  PlainServer() : listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_, 16), 0);
    EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this] { Serve(); });
  }
  ~PlainServer() {
    shutdown(listener_, SHUT_RDWR);  // ends accept
    thread_.join();
    close(listener_);
  }
  int port() const { return port_; }

 private:
  void Serve() const {
    for (int client; (client = accept(listener_, nullptr, nullptr)) >= 0;) {
      std::array<char, 4096> bytes;
      constexpr std::string_view kReply = "HTTP/1.1 400 Bad Request\r\n\r\n";
      if (recv(client, bytes.data(), bytes.size(), 0) > 0) {
        EXPECT_GT(send(client, kReply.data(), kReply.size(), MSG_NOSIGNAL), 0);
      }
      close(client);
    }
  }

  const int listener_;
  int port_ = 0;
  std::jthread thread_;
};

TEST(Endpoint, HttpsToAServerThatSpeaksHttpIsSaidAtOnce) {
  const PlainServer server;
  const auto source =
      OpenOrFail(ConfigFor({absl::StrFormat("https://127.0.0.1:%d/v1", server.port())},
                           FastOptions({{"start_patience", 2}})));
  const Landed landed = Complete(*source, MakeRequests(3, 1));
  EXPECT_EQ(landed.status.code(), absl::StatusCode::kFailedPrecondition) << landed.status;
  EXPECT_THAT(std::string(landed.status.message()), HasSubstr("the server speaks http, not https"));
}

TEST(Endpoint, AServerThatDiesAndComesBackLosesNothing) {
  mock_server::Options options;
  options.down_after = 40;
  options.down_seconds = 1;
  options.delay_ms = 2;
  const auto server = StartOrFail(options);
  Json plain = Json::MakeObject();  // the default back-off and patience
  const auto source = OpenOrFail(ConfigFor({server->base_url()}, plain));
  BackendCounters counters;
  ExpectAllLanded(Complete(*source, MakeRequests(100, 2), &counters), 100, 2);
  EXPECT_GT(counters.retries, 0);
  EXPECT_THAT(counters.last_trouble.Get(), HasSubstr("127.0.0.1"));
}

TEST(Endpoint, AServerThatNeverAnswersEndsTheRun) {
  auto server = StartOrFail({});
  const std::string url = server->base_url();
  server.reset();  // nobody listens on that port now
  const auto source = OpenOrFail(ConfigFor({url}, FastOptions({{"start_patience", 0.05}})));
  const Landed landed = Complete(*source, MakeRequests(5, 2));
  EXPECT_EQ(landed.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(landed.status.message()), HasSubstr("is the server running"));
  EXPECT_THAT(std::string(landed.status.message()), HasSubstr(url + "/chat/completions"));
  EXPECT_TRUE(landed.completions.empty());
}

TEST(Endpoint, ADeadServerAmongTwoIsAvoided) {
  auto dead = StartOrFail({});
  const std::string dead_url = dead->base_url();
  dead.reset();
  const auto server = StartOrFail({});
  const auto source = OpenOrFail(ConfigFor({dead_url, server->base_url()}));
  const Landed landed = Complete(*source, MakeRequests(100, 1));
  ExpectAllLanded(landed, 100, 1);
  for (const auto& [key, completion] : landed.completions) {
    EXPECT_EQ(completion.served_by, server->base_url() + "/chat/completions");
  }
}

TEST(Endpoint, SeveralServersShareTheWork) {
  mock_server::Options options;
  options.delay_ms = 5;
  const auto first = StartOrFail(options), second = StartOrFail(options);
  const auto source = OpenOrFail(ConfigFor({first->base_url(), second->base_url()}));
  ExpectAllLanded(Complete(*source, MakeRequests(200, 1)), 200, 1);
  EXPECT_GT(first->stats().requests, 60);
  EXPECT_GT(second->stats().requests, 60);
}

TEST(Endpoint, ConcurrencyGrowsWhereTheServerBearsItAndFallsWhereNot) {
  mock_server::Options options;
  options.delay_ms = 5;
  const auto strong = StartOrFail(options);
  const auto source =
      OpenOrFail(ConfigFor({strong->base_url()}, FastOptions({{"start_connections", 4}})));
  ExpectAllLanded(Complete(*source, MakeRequests(600, 1)), 600, 1);
  EXPECT_GT(strong->stats().max_in_flight, 40);

  options.max_in_flight = 6;
  const auto weak = StartOrFail(options);
  BackendCounters counters;
  const auto asking = OpenOrFail(ConfigFor({weak->base_url()}));
  ExpectAllLanded(Complete(*asking, MakeRequests(600, 1), &counters), 600, 1);
  // It began with 32; what is left wavers around what the server bears.
  EXPECT_LT(counters.concurrency, 24);
  EXPECT_GE(counters.concurrency, 1);
}

TEST(Endpoint, MaxConnectionsIsTheCap) {
  mock_server::Options options;
  options.delay_ms = 2;
  const auto server = StartOrFail(options);
  BackendConfig config = ConfigFor({server->base_url()});
  config.max_connections = 5;
  const auto source = OpenOrFail(config);
  ExpectAllLanded(Complete(*source, MakeRequests(100, 1)), 100, 1);
  EXPECT_EQ(server->stats().max_in_flight, 5);
}

TEST(Endpoint, ExhaustedRetriesLeaveTheDrawMissingAndTheRunGoesOn) {
  mock_server::Options options;
  options.always_status = 500;
  const auto server = StartOrFail(options);
  const auto source =
      OpenOrFail(ConfigFor({server->base_url()}, FastOptions({{"max_retries", 2}})));
  const Landed landed = Complete(*source, MakeRequests(20, 1));
  EXPECT_OK(landed.status);
  EXPECT_TRUE(landed.completions.empty());
  ASSERT_EQ(landed.failures.size(), 20u);
  EXPECT_EQ(landed.repeated, 0);
  EXPECT_EQ(server->stats().requests, 60);
  const std::string message(landed.failures.begin()->second.message());
  EXPECT_THAT(message, HasSubstr("500 Internal Server Error"));
  EXPECT_THAT(message, HasSubstr("after 3 tries"));
}

TEST(Endpoint, RefusalsAreBornUntilPatienceEnds) {
  mock_server::Options options;
  options.always_status = 429;
  const auto server = StartOrFail(options);
  const auto source = OpenOrFail(
      ConfigFor({server->base_url()}, FastOptions({{"max_retries", 2}, {"patience", 0.05}})));
  const Landed landed = Complete(*source, MakeRequests(5, 1));
  EXPECT_OK(landed.status);
  ASSERT_EQ(landed.failures.size(), 5u);
  EXPECT_THAT(std::string(landed.failures.begin()->second.message()), HasSubstr("429"));
}

TEST(Endpoint, AWrongReplyIsNeverAnAnswer) {
  const std::pair<Fault, std::string> cases[] = {
      {Fault::kTruncatedJson, "reply: JSON, byte"},
      {Fault::kWrongType, "expected JSON, found content type 'text/html"},
      {Fault::kNullContent, "field 'choices[0]': expected content, found null"},
      {Fault::kMissingChoices, "the engine is being restarted"},
      {Fault::kEmptyBody, "expected a JSON object, found the end"},
      {Fault::kStall, "stalled"},
      {Fault::kCut, ""},
      {Fault::kReset, ""},
  };
  for (const auto& [fault, message] : cases) {
    SCOPED_TRACE(FaultName(fault));
    const auto server = StartOrFail(WithRate(fault, 1));
    const auto source = OpenOrFail(ConfigFor(
        {server->base_url()}, FastOptions({{"max_retries", 1}, {"stall_timeout", 0.02}})));
    const Landed landed = Complete(*source, MakeRequests(3, 2));
    EXPECT_OK(landed.status);
    EXPECT_TRUE(landed.completions.empty());
    ASSERT_EQ(landed.failures.size(), 6u);
    EXPECT_THAT(std::string(landed.failures.begin()->second.message()), HasSubstr(message));
  }
}

TEST(Endpoint, AWrongKeyModelOrPathStopsAtOnceAndSaysWhatToCheck) {
  const std::tuple<int, absl::StatusCode, std::string> cases[] = {
      {401, absl::StatusCode::kUnauthenticated, "OPENAI_API_KEY"},
      {402, absl::StatusCode::kFailedPrecondition, "credit"},
      {403, absl::StatusCode::kPermissionDenied, "OPENAI_API_KEY"},
      {404, absl::StatusCode::kNotFound, "--base-url"},
      {405, absl::StatusCode::kFailedPrecondition, "check --base-url"},
      {307, absl::StatusCode::kFailedPrecondition, "redirects and does not say where to"},
  };
  for (const auto& [status, code, message] : cases) {
    mock_server::Options options;
    options.always_status = status;
    const auto server = StartOrFail(options);
    const auto source = OpenOrFail(ConfigFor({server->base_url()}));
    const Landed landed = Complete(*source, MakeRequests(500, 1));
    EXPECT_EQ(landed.status.code(), code) << landed.status;
    EXPECT_THAT(std::string(landed.status.message()), HasSubstr(message));
    EXPECT_LE(server->stats().requests, 64);
    EXPECT_TRUE(landed.completions.empty());
  }
}

// The first requests are slow and good, the others are refused at once: 401 while twenty are worked
// on.
struct RefusedInTheMiddle {
  std::unique_ptr<MockServer> server;
  std::unique_ptr<CompletionSource> source;
};
RefusedInTheMiddle StartRefusedInTheMiddle(double delay_ms, double final_patience) {
  mock_server::Options options;
  options.always_status = 401;
  options.always_after = 20;
  options.delay_ms = delay_ms;
  RefusedInTheMiddle both;
  both.server = StartOrFail(options);
  both.source = OpenOrFail(
      ConfigFor({both.server->base_url()}, FastOptions({{"final_patience", final_patience}})));
  return both;
}

TEST(Endpoint, WhatIsInFlightAtAFinalErrorStillLands) {
  const auto [server, source] = StartRefusedInTheMiddle(150, 60);
  BackendCounters counters;
  const Landed landed = Complete(*source, MakeRequests(500, 1), &counters);
  EXPECT_EQ(landed.status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(landed.status.message()), testing::Not(HasSubstr("given up")));
  EXPECT_EQ(landed.completions.size(), 20u);
  EXPECT_TRUE(landed.failures.empty());
  EXPECT_EQ(landed.repeated, 0);
  EXPECT_LE(server->stats().requests, 64) << "nothing new is sent once the error is there";
  EXPECT_EQ(counters.retries, 0);
  EXPECT_THAT(counters.last_trouble.Get(), HasSubstr("ending, waits at most 60 s"));
}

TEST(Endpoint, AFinalErrorWaitsNoLongerThanItsPatienceAndNotForAnybodyWhoStops) {
  {
    const auto [server, source] = StartRefusedInTheMiddle(600'000, 0.05);
    const Landed landed = Complete(*source, MakeRequests(500, 1));
    EXPECT_EQ(landed.status.code(), absl::StatusCode::kUnauthenticated);
    EXPECT_THAT(std::string(landed.status.message()),
                HasSubstr("given up: 20 requests still in flight after 0.05 s (final_patience)"));
  }
  const auto [server, source] = StartRefusedInTheMiddle(600'000, 3600);
  BackendCounters counters;
  const Landed landed = Complete(*source, MakeRequests(500, 1), &counters, [&] {
    return counters.last_trouble.Get().find("ending") != std::string::npos;
  });
  EXPECT_EQ(landed.status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_TRUE(landed.completions.empty());
}

TEST(Endpoint, AnUnknownModelStopsAtOnce) {
  mock_server::Options options;
  options.strict_model = true;
  const auto server = StartOrFail(options);
  BackendConfig config = ConfigFor({server->base_url()});
  config.model = "openai/mick";
  const auto source = OpenOrFail(config);
  const Landed landed = Complete(*source, MakeRequests(3, 1));
  EXPECT_EQ(landed.status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(landed.status.message()), HasSubstr("'mick'"));
}

TEST(Endpoint, APromptThatTheServerRefusesIsMissingAndTheOthersLand) {
  TemporaryDirectory directory;
  WriteWholeFile(directory.Path("replies.jsonl"),
                 "{\"match\": \"Question 1:\", \"replies\": [\"one\"]}\n"
                 "{\"match\": \"Question 2:\", \"replies\": [\"two\"]}\n");
  mock_server::Options options;
  options.reply_file = directory.Path("replies.jsonl");
  const auto server = StartOrFail(options);
  const auto source = OpenOrFail(ConfigFor({server->base_url()}));
  const Landed landed = Complete(*source, MakeRequests(3, 2));
  EXPECT_OK(landed.status);
  EXPECT_EQ(landed.completions.size(), 4u);
  ASSERT_EQ(landed.failures.size(), 2u);
  EXPECT_THAT(std::string(landed.failures.begin()->second.message()),
              HasSubstr("no recorded reply matches"));
}

TEST(Endpoint, AServerThatRefusesEveryRequestEndsTheRun) {
  mock_server::Options options;
  options.always_status = 400;
  const auto server = StartOrFail(options);
  const auto source = OpenOrFail(ConfigFor({server->base_url()}));
  const Landed landed = Complete(*source, MakeRequests(1000, 1));
  EXPECT_EQ(landed.status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_LT(server->stats().requests, 100);
}

TEST(Endpoint, SeveralDrawsTravelInOneRequestWhereTheServerHonoursN) {
  const auto server = StartOrFail({});
  const auto source = OpenOrFail(ConfigFor({server->base_url()}));
  ExpectAllLanded(Complete(*source, MakeRequests(10, 16)), 10, 16);
  EXPECT_EQ(server->stats().requests, 20);  // eight draws each
}

TEST(Endpoint, AServerThatIgnoresOrRefusesNIsAskedForEachDraw) {
  for (const auto honours : {mock_server::Honours::kNo, mock_server::Honours::kRefuses}) {
    mock_server::Options options;
    options.n = honours;
    const auto server = StartOrFail(options);
    BackendConfig config = ConfigFor({server->base_url()});
    config.max_connections = 1;
    const auto source = OpenOrFail(config);
    ExpectAllLanded(Complete(*source, MakeRequests(30, 4)), 30, 4);
    // It is found out once.
    EXPECT_LE(server->stats().requests, 30 * 4 + 4);
  }
}

TEST(Endpoint, RecordedRepliesComeBackAsTheSamplesTheyWere) {
  TemporaryDirectory directory;
  std::string rows;
  for (int problem = 0; problem < 30; ++problem) {
    Json row = Json::MakeObject({{"match", absl::StrFormat("Question %d:", problem)}});
    for (int i = 0; i < 8; ++i) {
      Json& replies = i == 0 ? row.Set("replies", Json::MakeArray()) : *row.Find("replies");
      replies.Append(absl::StrFormat("problem %d sample %d", problem, i));
    }
    rows += row.Dump() + "\n";
  }
  WriteWholeFile(directory.Path("replies.jsonl"), rows);
  for (const auto honours : {mock_server::Honours::kYes, mock_server::Honours::kNo}) {
    mock_server::Options options = EveryFault();
    options.rate(Fault::kInvalidUtf8) = 0;
    options.rate(Fault::kHuge) = 0;
    options.reply_file = directory.Path("replies.jsonl");
    options.n = honours;
    const auto server = StartOrFail(options);
    const auto source = OpenOrFail(ConfigFor(
        {server->base_url()}, FastOptions({{"stall_timeout", 0.05}, {"max_retries", 30}})));
    const Landed landed = Complete(*source, MakeRequests(30, 8));
    EXPECT_OK(landed.status);
    EXPECT_EQ(landed.repeated, 0);
    ASSERT_EQ(landed.completions.size(), 240u);
    for (const auto& [key, completion] : landed.completions) {
      EXPECT_EQ(completion.answer,
                absl::StrFormat("problem %s sample %d", key.first.substr(1), key.second));
    }
  }
}

TEST(Endpoint, RealOutputsComeBackWholeUnderRefusalsAndResets) {
  SKIP_WITHOUT_SHARED("vectors/qwen_math_outputs.jsonl");
  const auto rows = testing_support::ReadJsonLinesFile(
      testing_support::SharedPath("vectors/qwen_math_outputs.jsonl"));
  std::map<int64_t, Json> replies;
  std::vector<CompletionRequest> requests;
  for (const Json& row : rows) {
    const int64_t id = *row.FindInteger("idx");
    Json& entry = replies[id];
    if (entry.is_null()) {
      entry.Set("match", *row.FindString("question"));
      CompletionRequest request = MakeRequest(static_cast<int>(id), 8);
      request.prompt.messages = {{"user", *row.FindString("question")}};
      requests.push_back(std::move(request));
      entry.Set("replies", Json::MakeArray());
    }
    entry.Find("replies")->Append(*row.FindString("raw_output"));
  }
  TemporaryDirectory directory;
  std::string lines;
  for (const auto& [id, entry] : replies) lines += entry.Dump() + "\n";
  WriteWholeFile(directory.Path("replies.jsonl"), lines);
  mock_server::Options options;
  options.reply_file = directory.Path("replies.jsonl");
  options.rate(Fault::kTooManyRequests) = 0.2;
  options.rate(Fault::kReset) = 0.05;
  const auto server = StartOrFail(options);
  const auto source =
      OpenOrFail(ConfigFor({server->base_url()}, FastOptions({{"max_retries", 20}})));
  const Landed landed = Complete(*source, std::move(requests));
  EXPECT_OK(landed.status);
  EXPECT_EQ(landed.repeated, 0);
  ASSERT_EQ(landed.completions.size(), rows.size());
  for (const Json& row : rows) {
    const std::pair key("p" + std::to_string(*row.FindInteger("idx")),
                        static_cast<int>(*row.FindInteger("sample")));
    ASSERT_TRUE(landed.completions.contains(key));
    EXPECT_EQ(landed.completions.at(key).raw, *row.FindString("raw_output"));
  }
}

TEST(Endpoint, TheRequestSaysWhatWasAsked) {
  mock_server::Options options;
  options.record = true;
  const auto server = StartOrFail(options);
  const auto source = OpenOrFail(ConfigFor({server->base_url()}));
  CompletionRequest request = MakeRequest(7, 2);
  request.prompt.messages.insert(request.prompt.messages.begin(), {"system", "Be \"brief\".\n"});
  request.sampling.top_p = 0.95;
  request.sampling.stop = {"\n\n", "END"};
  request.sampling.extra =
      Json::MakeObject({{"chat_template_kwargs", Json::MakeObject({{"k", 1}})}});
  const uint64_t seed = request.draws[0].seed;
  EXPECT_OK(Complete(*source, {request}).status);
  ASSERT_EQ(server->recorded().size(), 1u);
  const Json body = RecordedBody(server->recorded()[0]);
  EXPECT_EQ(body.FindString("model"), "mock");
  EXPECT_EQ(body.Find("messages")->AsArray()[0].FindString("content"), "Be \"brief\".\n");
  EXPECT_EQ(body.Find("messages")->AsArray()[1].FindString("role"), "user");
  EXPECT_EQ(body.FindNumber("temperature"), 0.6);
  EXPECT_EQ(body.FindNumber("top_p"), 0.95);
  EXPECT_EQ(body.FindInteger("max_tokens"), 2048);
  EXPECT_EQ(body.FindInteger("n"), 2);
  EXPECT_EQ(body.FindInteger("seed"), static_cast<int64_t>(seed));
  EXPECT_EQ(body.Find("stop")->Dump(), R"(["\n\n","END"])");
  EXPECT_EQ(body.Find("chat_template_kwargs")->Dump(), R"({"k":1})");
  EXPECT_EQ(body.Find("stream"), nullptr);
  EXPECT_EQ(body.Find("top_k"), nullptr) << "what is not set is not sent";
  EXPECT_THAT(server->recorded()[0].head, HasSubstr("x-assay-sample: 0,1"));
}

TEST(Endpoint, ALongReplyIsStreamedAndAShortOneNot) {
  mock_server::Options options;
  options.record = true;
  const auto server = StartOrFail(options);
  const auto source = OpenOrFail(ConfigFor({server->base_url()}));
  CompletionRequest request = MakeRequest(1, 1);
  request.sampling.max_tokens = 32768;
  const Landed landed = Complete(*source, {request});
  ExpectAllLanded(landed, 1, 1);
  const Json body = RecordedBody(server->recorded().at(0));
  EXPECT_EQ(body.FindBool("stream"), true);
  EXPECT_EQ(body.Find("stream_options")->FindBool("include_usage"), true);
  EXPECT_EQ(landed.completions.begin()->second.tokens.source, TokenSource::kMeasured);
}

TEST(Endpoint, AServerThatDoesNotStreamIsReadAllTheSame) {
  mock_server::Options options;
  options.streams = false;
  const auto server = StartOrFail(options);
  const auto source =
      OpenOrFail(ConfigFor({server->base_url()}, FastOptions({{"stream", "true"}})));
  ExpectAllLanded(Complete(*source, MakeRequests(10, 2)), 10, 2);
}

TEST(Endpoint, AForcedPrefixIsContinuedAndOpensTheThinking) {
  mock_server::Options options;
  options.record = true;
  options.reasoning = mock_server::ReasoningForm::kCloseOnly;
  const auto server = StartOrFail(options);
  CompletionRequest request = MakeRequest(1, 1);
  request.prompt.reply_prefix = "<think>\n";
  const auto source = OpenOrFail(ConfigFor({server->base_url()}));
  const Landed landed = Complete(*source, {request});
  ExpectAllLanded(landed, 1, 1);
  EXPECT_EQ(Trim(landed.completions.begin()->second.answer), "The answer is \\boxed{42}.");
  const Json body = RecordedBody(server->recorded().at(0));
  EXPECT_EQ(body.Find("messages")->AsArray().back().FindString("content"), "<think>\n");
  EXPECT_EQ(body.FindBool("continue_final_message"), true);
  EXPECT_EQ(body.FindBool("add_generation_prompt"), false);

  const auto dropping =
      OpenOrFail(ConfigFor({server->base_url()}, FastOptions({{"send_prefix", false}})));
  EXPECT_OK(Complete(*dropping, {request}).status);
  const Json without = RecordedBody(server->recorded().at(1));
  EXPECT_EQ(without.Find("messages")->size(), 1u);
  EXPECT_EQ(without.Find("continue_final_message"), nullptr);
}

TEST(Endpoint, CompletionsAreAskedWithOneText) {
  mock_server::Options options;
  options.record = true;
  const auto server = StartOrFail(options);
  for (const std::string stream : {"false", "true"}) {
    const auto source = OpenOrFail(
        ConfigFor({server->base_url()}, FastOptions({{"api", "completions"}, {"stream", stream}})));
    EXPECT_EQ(source->identity().endpoint, "/v1/completions");
    CompletionRequest request = MakeRequest(3, 1);
    request.prompt.reply_prefix = "So";
    ExpectAllLanded(Complete(*source, {request}), 1, 1);
  }
  const Json body = RecordedBody(server->recorded().at(0));
  EXPECT_EQ(body.FindString("prompt"), "Question 3: what is 3 + 1?So");
  EXPECT_EQ(body.Find("messages"), nullptr);
}

TEST(Endpoint, ThinkingIsTheSameInWhicheverFormItComes) {
  using mock_server::ReasoningForm;
  std::set<std::string> thoughts, answers;
  for (const auto form : {ReasoningForm::kTags, ReasoningForm::kField, ReasoningForm::kShortField,
                          ReasoningForm::kCloseOnly}) {
    for (const std::string stream : {"false", "true"}) {
      mock_server::Options options;
      options.reasoning = form;
      const auto server = StartOrFail(options);
      const auto source = OpenOrFail(
          ConfigFor({server->base_url()}, FastOptions({{"stream", stream}, {"prefilled", true}})));
      const Landed landed = Complete(*source, MakeRequests(1, 1));
      EXPECT_OK(landed.status);
      ASSERT_EQ(landed.completions.size(), 1u);
      const Completion& completion = landed.completions.begin()->second;
      thoughts.insert(std::string(Trim(completion.reasoning)));
      answers.insert(std::string(Trim(completion.answer)));
      EXPECT_FALSE(completion.truncated());
      EXPECT_GT(completion.tokens.reasoning, 400);
      EXPECT_LT(completion.tokens.answer, 20);
    }
  }
  EXPECT_EQ(thoughts.size(), 1u);
  EXPECT_EQ(answers, std::set<std::string>{"The answer is \\boxed{42}."});
}

TEST(Endpoint, AReplyCutAtTheTokenCapIsTruncated) {
  using mock_server::ReasoningForm;
  for (const auto form : {ReasoningForm::kNone, ReasoningForm::kTags, ReasoningForm::kField,
                          ReasoningForm::kCloseOnly}) {
    mock_server::Options options;
    options.reasoning = form;
    options.length_share = 1;
    const auto server = StartOrFail(options);
    const auto source = OpenOrFail(ConfigFor({server->base_url()}));
    const Landed landed = Complete(*source, MakeRequests(4, 1));
    EXPECT_OK(landed.status);
    ASSERT_EQ(landed.completions.size(), 4u);
    for (const auto& [key, completion] : landed.completions) {
      EXPECT_TRUE(completion.truncated());
      EXPECT_EQ(completion.finish, FinishReason::kLength);
    }
  }
}

TEST(Endpoint, TokensAreMeasuredWhereTheServerTellsThemAndEstimatedWhereNot) {
  mock_server::Options options;
  const auto telling = StartOrFail(options);
  options.usage = false;
  const auto silent = StartOrFail(options);
  const Landed told = Complete(*OpenOrFail(ConfigFor({telling->base_url()})), MakeRequests(1, 1));
  const Landed untold = Complete(*OpenOrFail(ConfigFor({silent->base_url()})), MakeRequests(1, 1));
  const TokenCounts measured = told.completions.at({"p0", 0}).tokens;
  const TokenCounts estimated = untold.completions.at({"p0", 0}).tokens;
  EXPECT_EQ(measured.source, TokenSource::kMeasured);
  EXPECT_EQ(estimated.source, TokenSource::kEstimated);
  EXPECT_NEAR(static_cast<double>(estimated.answer), static_cast<double>(measured.answer), 100);
  EXPECT_GT(measured.prompt, 0);
  EXPECT_GT(estimated.prompt, 0);
}

TEST(Endpoint, AReplyOf64MegabytesSurvivesAndALimitIsKept) {
  mock_server::Options options = WithRate(Fault::kHuge, 1);
  options.chunk_bytes = 1 << 14;
  const auto server = StartOrFail(options);
  const auto source = OpenOrFail(ConfigFor({server->base_url()}));
  const Landed landed = Complete(*source, MakeRequests(1, 1));
  ExpectAllLanded(landed, 1, 1);
  EXPECT_GT(landed.completions.begin()->second.raw.size(), size_t{64} << 20);
  for (const std::string stream : {"false", "true"}) {
    const auto bounded = OpenOrFail(
        ConfigFor({server->base_url()}, FastOptions({{"max_reply_mb", 1}, {"stream", stream}})));
    const Landed refused = Complete(*bounded, MakeRequests(1, 1));
    EXPECT_OK(refused.status);
    ASSERT_EQ(refused.failures.size(), 1u);
    EXPECT_THAT(std::string(refused.failures.begin()->second.message()), HasSubstr("max_reply_mb"));
  }
}

// The room is a reply's, and each of several draws in one request fits alone.
TEST(Endpoint, DrawsThatAreTooLargeTogetherAreAskedAlone) {
  mock_server::Options options;
  options.body_bytes = 900'000;
  options.honours_max_tokens = false;
  options.chunk_bytes = 1 << 14;
  for (const std::string stream : {"false", "true"}) {
    SCOPED_TRACE(stream);
    const auto server = StartOrFail(options);
    BackendConfig config =
        ConfigFor({server->base_url()}, FastOptions({{"max_reply_mb", 2}, {"stream", stream}}));
    config.max_connections = 1;
    BackendCounters counters;
    const Landed landed = Complete(*OpenOrFail(config), MakeRequests(4, 4), &counters);
    EXPECT_OK(landed.status);
    EXPECT_EQ(landed.completions.size(), 16u);
    EXPECT_EQ(landed.failures.size() + static_cast<size_t>(landed.repeated), 0u);
    for (const auto& [key, completion] : landed.completions) {
      EXPECT_GE(completion.raw.size(), 900'000u);
    }
    // Found out once: four draws that were too large, each again, then twice two for each problem.
    EXPECT_EQ(server->stats().requests, 1 + 4 + 3 * 2);
    EXPECT_EQ(counters.retries, 1);
    EXPECT_THAT(counters.last_trouble.Get(), HasSubstr("max_reply_mb"));
  }
}

TEST(Endpoint, ARequestThatTakesTooLongIsGivenUp) {
  mock_server::Options options;
  options.delay_ms = 60'000;
  const auto server = StartOrFail(options);
  const auto source = OpenOrFail(
      ConfigFor({server->base_url()}, FastOptions({{"timeout", 0.03}, {"max_retries", 1}})));
  const Landed landed = Complete(*source, MakeRequests(2, 1));
  EXPECT_OK(landed.status);
  ASSERT_EQ(landed.failures.size(), 2u);
  EXPECT_THAT(std::string(landed.failures.begin()->second.message()), HasSubstr("(timeout)"));
}

TEST(Endpoint, StoppingGivesUpWhatIsInFlight) {
  mock_server::Options options;
  options.delay_ms = 600'000;
  const auto server = StartOrFail(options);
  const auto source = OpenOrFail(ConfigFor({server->base_url()}));
  const Landed landed = Complete(*source, MakeRequests(100, 1), nullptr,
                                 [&] { return server->stats().requests >= 20; });
  EXPECT_OK(landed.status);
  EXPECT_TRUE(landed.completions.empty());
  EXPECT_TRUE(landed.failures.empty()) << "what was given up is not a failure";
}

TEST(Endpoint, TheKeyGoesToTheServerAndNowhereElse) {
  const std::string key = "sk-secret-0123456789";
  ASSERT_EQ(setenv("ASSAY_TEST_KEY", key.c_str(), 1), 0);
  mock_server::Options options;
  options.require_key = key;
  const auto server = StartOrFail(options);
  BackendConfig config = ConfigFor({server->base_url()});
  config.api_key_env = "ASSAY_TEST_KEY";
  const auto source = OpenOrFail(config);
  const Landed landed = Complete(*source, MakeRequests(3, 1));
  ExpectAllLanded(landed, 3, 1);
  const BackendIdentity identity = source->identity();
  const std::string shown = identity.model + identity.model_hash + identity.endpoint +
                            identity.options.Dump() + identity.base_urls[0];
  EXPECT_EQ(shown.find(key), std::string::npos);

  // A server that repeats the key in its error.
  options.require_key = "another";
  const auto refusing = StartOrFail(options);
  config.base_urls = {refusing->base_url()};
  const Landed refused = Complete(*OpenOrFail(config), MakeRequests(3, 1));
  EXPECT_EQ(refused.status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(refused.status.ToString().find(key), std::string::npos) << refused.status;
  EXPECT_THAT(std::string(refused.status.message()), HasSubstr("[key]"));
  EXPECT_THAT(std::string(refused.status.message()), HasSubstr("$ASSAY_TEST_KEY"));

  // One that repeats it in its reply (a proxy that shows what it was sent).
  options.require_key = key;
  options.answers = {key + ", " + key};
  options.reasoning = mock_server::ReasoningForm::kField;
  const auto repeating = StartOrFail(options);
  config.base_urls = {repeating->base_url()};
  BackendCounters counters;
  const Landed repeated = Complete(*OpenOrFail(config), MakeRequests(3, 1), &counters);
  EXPECT_OK(repeated.status);
  ASSERT_EQ(repeated.completions.size(), 3u);
  EXPECT_EQ(counters.scrubbed_replies, 3);
  for (const auto& [draw, completion] : repeated.completions) {
    const std::string all = completion.raw + completion.reasoning + completion.answer;
    EXPECT_EQ(all.find(key), std::string::npos);
    EXPECT_THAT(completion.answer, HasSubstr("\\boxed{[key], [key]}"));
  }

  // A word that servers without keys are given is no secret, and stays in what a model writes.
  ASSERT_EQ(setenv("ASSAY_TEST_KEY", "EMPTY", 1), 0);
  options.require_key = "EMPTY";
  options.answers = {"EMPTY"};
  const auto open = StartOrFail(options);
  config.base_urls = {open->base_url()};
  const Landed plain = Complete(*OpenOrFail(config), MakeRequests(1, 1), &counters);
  ASSERT_EQ(plain.completions.size(), 1u);
  EXPECT_THAT(plain.completions.begin()->second.raw, HasSubstr("\\boxed{EMPTY}"));
  EXPECT_EQ(counters.scrubbed_replies, 3);
}

TEST(Endpoint, UserAndPasswordInAUrlAreSentAndNotShown) {
  mock_server::Options options;
  options.record = true;
  const auto server = StartOrFail(options);
  const std::string url =
      ReplaceAll(server->base_url(), "http://", "http://user:hunter2hunter2@") + "?token=abc123";
  BackendConfig config = ConfigFor({url});
  config.api_key_env = "";
  unsetenv("OPENAI_API_KEY");
  const auto source = OpenOrFail(config);
  EXPECT_OK(Complete(*source, MakeRequests(1, 1)).status);
  EXPECT_THAT(server->recorded().at(0).head, HasSubstr("Authorization: Basic"));
  EXPECT_THAT(server->recorded().at(0).head, HasSubstr("?token=abc123"));
  EXPECT_EQ(source->identity().base_urls[0], server->base_url() + "/chat/completions");
}

TEST(Endpoint, SettingsAreCheckedAndNamesSuggested) {
  const auto open = [](BackendConfig config) {
    return std::string((*FindBackend("endpoint"))->open(config).status().message());
  };
  EXPECT_THAT(open(ConfigFor({"http://h/v1"}, Json::MakeObject({{"timeot", 3}}))),
              HasSubstr("did you mean 'timeout'"));
  EXPECT_THAT(open(ConfigFor({"http://h/v1"}, Json::MakeObject({{"timeout", "soon"}}))),
              HasSubstr("expected seconds above 0, found 'soon'"));
  EXPECT_THAT(open(ConfigFor({"localhost:8000"})), HasSubstr("http://HOST:PORT"));
  EXPECT_THAT(open(ConfigFor({"ftp://user:secret@h"})), testing::Not(HasSubstr("secret")));
  for (const char* url : {"http://h:99999/v1", "http://h:0/v1", "http://h:x/v1", "http://h h/v1",
                          "http://user:secret@h:99999/v1", "http://[::1/v1", "http:///v1"}) {
    EXPECT_THAT(open(ConfigFor({url})), HasSubstr("--base-url: expected")) << url;
    EXPECT_THAT(open(ConfigFor({url})), testing::Not(HasSubstr("secret"))) << url;
  }
  for (const char* url : {"http://h:65535/v1", "http://[::1]:8000/v1", "https://my_host-1.example",
                          "http://127.0.0.1:1/v1?a=b"}) {
    EXPECT_EQ(open(ConfigFor({url})), "") << url;
  }
  BackendConfig no_key = ConfigFor({"http://h/v1"});
  no_key.api_key_env = "ASSAY_NO_SUCH_VARIABLE";
  EXPECT_THAT(open(no_key), HasSubstr("not set"));
}

TEST(Endpoint, ABaseUrlMayEndInMostWays) {
  for (const std::string end :
       {"", "/", "/v1", "/v1/", "/v1/chat/completions", "/v1/completions"}) {
    const auto source = OpenOrFail(ConfigFor({"http://host:8000" + end}));
    EXPECT_EQ(source->identity().base_urls[0], "http://host:8000/v1/chat/completions") << end;
  }
  const auto deep = OpenOrFail(ConfigFor({"https://host/openai/v2?version=3"}));
  EXPECT_EQ(deep->identity().endpoint, "/openai/v2/chat/completions");
}

TEST(Endpoint, AFieldThatIsOursCannotBePassedThrough) {
  const auto server = StartOrFail({});
  CompletionRequest request = MakeRequest(1, 1);
  request.sampling.extra = Json::MakeObject({{"n", 3}});
  const Landed landed = Complete(*OpenOrFail(ConfigFor({server->base_url()})), {request});
  EXPECT_EQ(landed.status.code(), absl::StatusCode::kInvalidArgument);
}

// Each token of a completion with what the server said of it: "text logprob alternatives".
std::vector<LoggedToken> LogprobsOf(const Completion& completion) {
  std::vector<LoggedToken> tokens;
  EXPECT_OK(ForEachLoggedToken(completion.logprobs, [&](const LoggedToken& token) {
    tokens.push_back(token);
    return absl::OkStatus();
  }));
  return tokens;
}

TEST(Endpoint, LogprobsAreAskedForAndComeBackTokenByToken) {
  mock_server::Options options;
  options.record = true;
  options.reasoning = mock_server::ReasoningForm::kField;
  const auto server = StartOrFail(options);
  for (const std::string api : {"chat", "completions"}) {
    for (const std::string stream : {"false", "true"}) {
      const auto source = OpenOrFail(
          ConfigFor({server->base_url()}, FastOptions({{"api", api}, {"stream", stream}})));
      for (const int alternatives : {0, 3}) {
        CompletionRequest request = MakeRequest(1, 3);
        request.sampling.top_logprobs = alternatives;
        const Landed landed = Complete(*source, {request});
        ASSERT_OK(landed.status);
        ASSERT_EQ(landed.completions.size(), 3u);
        for (const auto& [key, completion] : landed.completions) {
          std::string text;
          for (const LoggedToken& token : LogprobsOf(completion)) {
            text += token.drawn.text;
            EXPECT_LE(token.drawn.logprob, 0);
            ASSERT_EQ(token.top.size(), static_cast<size_t>(alternatives));
            if (alternatives > 0) {
              EXPECT_EQ(token.top[1].text, token.drawn.text + "b");
            }
          }
          // The thinking's tokens are there too.
          EXPECT_EQ(text, api == "chat" ? completion.reasoning + completion.raw : completion.raw);
        }
        const Json body = RecordedBody(server->recorded().back());
        if (api == "chat") {
          EXPECT_EQ(body.FindBool("logprobs"), true);
          EXPECT_EQ(body.FindInteger("top_logprobs"), alternatives);
        } else {
          EXPECT_EQ(body.FindInteger("logprobs"), alternatives);
          EXPECT_EQ(body.Find("top_logprobs"), nullptr);
        }
      }
    }
  }
  // Nothing is asked for, nothing is kept.
  const Landed plain = Complete(*OpenOrFail(ConfigFor({server->base_url()})), {MakeRequest(1, 1)});
  EXPECT_EQ(RecordedBody(server->recorded().back()).Find("logprobs"), nullptr);
  EXPECT_EQ(plain.completions.begin()->second.logprobs, "");
}

TEST(Endpoint, AServerWithoutLogprobsEndsTheRunAndSaysSo) {
  mock_server::Options options;
  options.honours_logprobs = false;
  const auto server = StartOrFail(options);
  for (const std::string stream : {"false", "true"}) {
    CompletionRequest request = MakeRequest(1, 2);
    request.sampling.top_logprobs = 0;
    const auto source =
        OpenOrFail(ConfigFor({server->base_url()}, FastOptions({{"stream", stream}})));
    const Landed landed = Complete(*source, {request});
    EXPECT_EQ(landed.status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(landed.status.message()),
                HasSubstr("the log-probabilities of tokens were asked for, and it has none"));
    EXPECT_TRUE(landed.completions.empty());
  }
}

// What the probe must find of each personality.
TEST(Probe, TellsWhatTheServerHonours) {
  const auto probe = [](const mock_server::Options& options) {
    const auto server = StartOrFail(options);
    absl::StatusOr<Json> found = (*FindBackend("endpoint"))->probe(ConfigFor({server->base_url()}));
    EXPECT_OK(found);
    return found.ok() ? found->AsArray().at(0) : Json();
  };
  const Json good = probe({});
  for (const char* name : {"reachable", "model_listed", "usage", "streams", "honours_n",
                           "honours_seed", "honours_stop", "honours_max_tokens"}) {
    EXPECT_EQ(good.FindBool(name), true) << name << " in " << good.Dump();
  }
  EXPECT_EQ(good.FindString("reasoning"), "none");
  mock_server::Options options;
  options.usage = false;
  options.n = mock_server::Honours::kNo;
  options.streams = false;
  options.honours_seed = options.honours_stop = options.honours_max_tokens = false;
  options.model = "other";
  const Json bad = probe(options);
  for (const char* name : {"model_listed", "usage", "streams", "honours_n", "honours_seed",
                           "honours_stop", "honours_max_tokens"}) {
    EXPECT_EQ(bad.FindBool(name), false) << name << " in " << bad.Dump();
  }
  options = {};
  options.n = mock_server::Honours::kRefuses;
  EXPECT_EQ(probe(options).FindBool("honours_n"), false);
  for (const auto& [form, name] :
       {std::pair{mock_server::ReasoningForm::kTags, "tags"},
        std::pair{mock_server::ReasoningForm::kField, "field"},
        std::pair{mock_server::ReasoningForm::kCloseOnly, "close_only"}}) {
    options = {};
    options.reasoning = form;
    const Json found = probe(options);
    EXPECT_EQ(found.FindString("reasoning"), name);
    EXPECT_EQ(found.FindBool("honours_stop"), true) << name << " in " << found.Dump();
    options.honours_stop = false;
    EXPECT_EQ(probe(options).FindBool("honours_stop"), false) << name;
  }
}

TEST(Probe, SaysWhyAServerIsOfNoUse) {
  auto gone = StartOrFail({});
  const std::string url = gone->base_url();
  gone.reset();
  mock_server::Options options;
  options.require_key = "something";
  const auto locked = StartOrFail(options);
  ASSERT_OK_AND_ASSIGN(const Json found,
                       (*FindBackend("endpoint"))->probe(ConfigFor({url, locked->base_url()})));
  EXPECT_EQ(found.AsArray()[0].FindBool("reachable"), false);
  EXPECT_THAT(found.AsArray()[0].FindString("error").value_or(""), HasSubstr(url));
  EXPECT_EQ(found.AsArray()[1].FindBool("reachable"), false);
  EXPECT_THAT(found.AsArray()[1].FindString("error").value_or(""), HasSubstr("401"));
}

}  // namespace
}  // namespace assay
