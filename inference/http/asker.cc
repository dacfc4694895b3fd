// One thread: take work, send while the pacer allows, wait, judge what came back.
//
// A draw is in exactly one place at any time: in `ready_`, in `waiting_`, in `flying_`, or done. So
// none is lost and none is done twice.
#include "inference/http/asker.h"

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <unordered_map>
#include <utility>

#include "harness/status.h"
#include "harness/text.h"
#include "http/client.h"
#include "http/pacing.h"
#include "inference/http/ask.h"
#include "inference/http/reply.h"

namespace assay::http {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLookAround{50};         // how soon `stopping` is seen
constexpr milliseconds kProbeAgainMost{2'000};  // how often a server that is away is tried
// 400s with no success before, or waits beyond patience with none in between.
constexpr int kRefusalsBeforeGivingUp = 8;
constexpr double kLongestAsked = 1e9;  // seconds of a Retry-After

// Draws that travel in one request.
struct Job {
  std::shared_ptr<const Ask> ask;  // shared by all jobs of a problem
  std::vector<Draw> draws;
  int failures = 0;        // broken or wrong replies
  int refusals = 0;        // 429, 503
  bool n_refused = false;  // was split since the server answered 400
  std::optional<Clock::time_point> first_refused;
  Clock::time_point sent;
  size_t url = 0;
  std::unique_ptr<EventReader> events;  // of the reply under way
};

struct Server {
  int in_flight = 0;
  int failed_connects = 0;         // in a row
  bool answered = false;           // ever
  Clock::time_point down_until{};  // nothing is sent to it before: away, or it asked for that
};

enum class HonoursN { kUnknown, kYes, kNo };

bool IsRefusal(int status) { return status == 429 || status == 503 || status == 529; }

// Statuses after which asking anew is pointless, whatever is asked.
bool IsFinal(int status) {
  switch (status) {
    case 401:
    case 402:
    case 403:
    case 404:
    case 405:
    case 407:
    case 410:
      return true;
    default:
      return status >= 300 && status < 400;
  }
}

bool SaysNoSuchModel(std::string_view message) {
  const std::string text = ToLowerAscii(message);
  if (!Contains(text, "model")) return false;
  for (const char* phrase : {"not exist", "not found", "unknown model", "invalid model",
                             "no such model", "model not supported"}) {
    if (Contains(text, phrase)) return true;
  }
  return false;
}

// OpenSSL takes the first bytes of a plain reply for a version of TLS.
bool SpeaksPlainHttp(const Outcome& outcome) {
  return outcome.trouble != Trouble::kNone && Contains(outcome.error, "wrong version number");
}

std::string TlsTrouble(const Outcome& outcome) {
  if (!SpeaksPlainHttp(outcome)) return outcome.error;
  return "the server speaks http, not https: give --base-url with http://";
}

bool WantsLogprobs(const Job& job) { return job.ask->request.sampling.top_logprobs.has_value(); }

// A reply without a word may have none.
bool LacksLogprobs(const ReplyChoice& choice) {
  const bool says = !choice.content.empty() || !choice.reasoning.value_or("").empty();
  return says && choice.logprobs.value_or("").empty();
}

class Asker final : public CompletionSource {
 public:
  Asker(Settings settings, const BackendConfig& config)
      : settings_(std::move(settings)), config_(config), servers_(settings_.urls.size()) {}

  BackendIdentity identity() const override;
  absl::Status Run(const CompletionFlow& flow) override;

 private:
  void Begin(const CompletionFlow& flow);
  absl::Status AskAll();
  absl::Status HandleAll(std::vector<Outcome>* outcomes);
  absl::Status TakeInTheRest(const absl::Status& why);
  void MoveDue();
  absl::Status Fill();
  std::optional<size_t> PickServer(Clock::time_point now) const;
  absl::StatusOr<bool> TakeWork();
  void Send(Job job, size_t url);
  milliseconds TimeToWait() const;
  absl::Status Handle(Outcome outcome);
  absl::Status HandleTrouble(Job job, const Outcome& outcome);
  void HandleTooLarge(Job job);
  absl::Status HandleUnreachable(Job job, const Outcome& outcome);
  absl::Status HandleOk(Job job, Outcome outcome);
  absl::Status HandleStatus(Job job, const Outcome& outcome);
  absl::Status HandleRefusal(Job job, const Outcome& outcome);
  absl::Status WaitAsAsked(Job job, const Outcome& outcome, milliseconds spread);
  bool LeaveAlone(size_t url, milliseconds wait);
  absl::Status HandleBadRequest(Job job, const Outcome& outcome);
  absl::Status FinalError(const Job& job, const Outcome& outcome, std::string_view said) const;
  void Deliver(Job job, Reply reply, const Outcome& outcome);
  void Retry(Job job, absl::Status why);
  void CountRetry(std::string why);
  void WaitFor(Job job, milliseconds wait);
  void GiveUp(Job job, const absl::Status& why);
  void Split(Job job);
  std::string Message(const Job& job, std::string_view what) const;
  std::string Label(const Job& job) const { return settings_.urls[job.url].label; }

  const Settings settings_;
  const BackendConfig config_;

  // Of one Run.
  const CompletionFlow* flow_ = nullptr;
  std::unique_ptr<Client> client_;
  std::optional<Pacer> pacer_;
  std::vector<Server> servers_;
  std::deque<Job> ready_;
  std::multimap<Clock::time_point, Job> waiting_;
  std::unordered_map<uint64_t, Job> flying_;
  uint64_t next_tag_ = 1;
  bool exhausted_ = false;        // `next` gave nothing more
  bool full_ = false;             // as much is in flight as the pacer allows
  bool ending_ = false;           // nothing more is sent
  size_t draws_per_request_ = 1;  // at most; fewer once replies were too large
  HonoursN honours_n_ = HonoursN::kUnknown;
  bool stream_usage_ = true;
  WaitingRoom room_;
  Clock::time_point served_;  // when the server last took a request on; before that, the beginning
  int64_t delivered_ = 0;
  int bad_requests_ = 0;
  int too_long_ = 0;  // refusals in a row whose wait is longer than patience
  std::optional<Clock::time_point> unreachable_since_;
  std::mt19937_64 random_;

  mutable std::mutex mutex_;
  std::string served_model_;  // guarded by mutex_
};

BackendIdentity Asker::identity() const {
  BackendIdentity identity;
  identity.model = config_.model;
  {
    const std::lock_guard lock(mutex_);
    identity.model_hash = served_model_;
  }
  for (const BaseUrl& url : settings_.urls) identity.base_urls.push_back(url.label);
  identity.endpoint = settings_.urls[0].path;
  identity.options = config_.options;
  return identity;
}

std::string Asker::Message(const Job& job, std::string_view what) const {
  return Scrub(settings_, absl::StrFormat("%s: %s", Label(job), what));
}

void Asker::Begin(const CompletionFlow& flow) {
  flow_ = &flow;
  std::vector<std::string> headers;
  if (!settings_.key.empty()) headers.push_back("Authorization: Bearer " + settings_.key);
  client_ = std::make_unique<Client>(std::move(headers), settings_.limits);
  pacer_.emplace(settings_.start_connections, settings_.max_connections);
  servers_.assign(settings_.urls.size(), {});
  ready_.clear();
  waiting_.clear();
  flying_.clear();
  exhausted_ = false;
  ending_ = false;
  draws_per_request_ = static_cast<size_t>(settings_.n_per_request);
  delivered_ = 0;
  bad_requests_ = 0;
  too_long_ = 0;
  room_ = WaitingRoom();
  unreachable_since_.reset();
  served_ = Clock::now();
  random_.seed(std::random_device{}());
}

absl::Status Asker::Run(const CompletionFlow& flow) {
  Begin(flow);
  absl::Status status = AskAll();
  if (!status.ok()) status = TakeInTheRest(status);
  client_->Cancel();
  flow.counters->in_flight = 0;
  return status;
}

absl::Status Asker::AskAll() {
  std::vector<Outcome> outcomes;
  while (!flow_->stopping()) {
    MoveDue();
    RETURN_IF_ERROR(Fill());
    if (exhausted_ && ready_.empty() && waiting_.empty() && flying_.empty()) break;
    full_ = client_->in_flight() >= pacer_->limit();
    client_->Wait(TimeToWait(), &outcomes);
    RETURN_IF_ERROR(HandleAll(&outcomes));
  }
  return absl::OkStatus();
}

// All of them, whatever one of them says: a reply that is here was paid for.
absl::Status Asker::HandleAll(std::vector<Outcome>* outcomes) {
  absl::Status first;
  for (Outcome& outcome : *outcomes) first.Update(Handle(std::move(outcome)));
  outcomes->clear();
  flow_->counters->in_flight = client_->in_flight();
  flow_->counters->concurrency = pacer_->limit();
  return first;
}

// After a final error: nothing more is sent, and what the server works on already, which is paid
// for, has a while to arrive. Gives the error that is to be told.
absl::Status Asker::TakeInTheRest(const absl::Status& why) {
  ending_ = true;
  const double patience = static_cast<double>(settings_.final_patience.count()) / 1000;
  if (!flying_.empty()) {
    flow_->counters->last_trouble.Set(absl::StrFormat(
        "ending, waits at most %g s for what is in flight: %s", patience, why.message()));
  }
  const Clock::time_point until = Clock::now() + settings_.final_patience;
  std::vector<Outcome> outcomes;
  while (!flying_.empty() && !flow_->stopping()) {
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
    if (left <= milliseconds(0)) break;
    client_->Wait(std::min(kLookAround, left), &outcomes);
    HandleAll(&outcomes).IgnoreError();  // the run ends in the first one
  }
  if (flying_.empty()) return why;
  return absl::Status(why.code(),
                      absl::StrFormat("%s; given up: %d requests still in flight after %g s "
                                      "(final_patience) or when they were stopped",
                                      why.message(), flying_.size(), patience));
}

// Retries go before new work: they are the oldest.
void Asker::MoveDue() {
  const Clock::time_point now = Clock::now();
  while (!waiting_.empty() && waiting_.begin()->first <= now) {
    ready_.push_front(std::move(waiting_.begin()->second));
    waiting_.erase(waiting_.begin());
  }
}

absl::Status Asker::Fill() {
  while (client_->in_flight() < pacer_->limit()) {
    const std::optional<size_t> url = PickServer(Clock::now());
    if (!url) break;
    if (ready_.empty()) {
      // Who waits for his turn holds no place of those in flight. How many wait is bounded: a
      // server that refuses all must not draw the whole dataset in.
      const int most = std::max(pacer_->limit(), room_.size());
      if (exhausted_ || static_cast<int>(waiting_.size()) >= most) break;
      ASSIGN_OR_RETURN(const bool took, TakeWork());
      if (!took) break;
    }
    Job job = std::move(ready_.front());
    ready_.pop_front();
    Send(std::move(job), *url);
  }
  return absl::OkStatus();
}

// The one with the least in flight among those that are up. One that did not answer last time gets
// a single request until it answers.
std::optional<size_t> Asker::PickServer(Clock::time_point now) const {
  std::optional<size_t> best;
  for (size_t i = 0; i < servers_.size(); ++i) {
    const Server& server = servers_[i];
    if (now < server.down_until) continue;
    if (server.failed_connects > 0 && server.in_flight > 0) continue;
    if (!best || server.in_flight < servers_[*best].in_flight) best = i;
  }
  return best;
}

// Whether there was any; it is in `ready_` then.
absl::StatusOr<bool> Asker::TakeWork() {
  std::optional<CompletionRequest> request = flow_->next();
  if (!request) {
    exhausted_ = true;
    return false;
  }
  const std::vector<Draw> draws = request->draws;
  ASSIGN_OR_RETURN(Ask ask, MakeAsk(settings_, *std::move(request)));
  const auto shared = std::make_shared<const Ask>(std::move(ask));
  const size_t step = honours_n_ == HonoursN::kNo ? 1 : draws_per_request_;
  for (size_t i = 0; i < draws.size(); i += step) {
    Job job;
    job.ask = shared;
    const size_t end = std::min(draws.size(), i + step);
    job.draws.assign(draws.begin() + static_cast<std::ptrdiff_t>(i),
                     draws.begin() + static_cast<std::ptrdiff_t>(end));
    ready_.push_back(std::move(job));
  }
  return !ready_.empty();
}

void Asker::Send(Job job, size_t url) {
  if (job.draws.size() > 1 && honours_n_ == HonoursN::kNo) return Split(std::move(job));
  Request request;
  request.tag = next_tag_++;
  request.url = settings_.urls[url].url;
  request.credentials = settings_.urls[url].credentials;
  request.body = RequestBody(settings_, *job.ask, job.draws, stream_usage_);
  if (settings_.sample_header) {
    std::string header = "x-assay-sample: ";
    for (size_t i = 0; i < job.draws.size(); ++i) {
      if (i > 0) header += ',';
      header += std::to_string(job.draws[i].index);
    }
    request.headers.push_back(std::move(header));
  }
  if (job.ask->streams) {
    job.events = std::make_unique<EventReader>(WantsLogprobs(job));
    request.on_bytes = [reader = job.events.get(),
                        most = settings_.limits.max_bytes](std::string_view bytes) {
      return reader->Feed(bytes).ok() && reader->buffered() <= most;
    };
  }
  job.url = url;
  job.sent = Clock::now();
  ++servers_[url].in_flight;
  ++flow_->counters->requests_sent;
  flying_.emplace(request.tag, std::move(job));
  client_->Start(std::move(request));
}

milliseconds Asker::TimeToWait() const {
  const Clock::time_point now = Clock::now();
  Clock::time_point until = now + kLookAround;
  if (!waiting_.empty()) until = std::min(until, waiting_.begin()->first);
  for (const Server& server : servers_) {
    if (server.down_until > now) until = std::min(until, server.down_until);
  }
  return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(until - now));
}

absl::Status Asker::Handle(Outcome outcome) {
  const auto found = flying_.find(outcome.tag);
  CHECK(found != flying_.end());
  Job job = std::move(found->second);
  flying_.erase(found);
  --servers_[job.url].in_flight;
  flow_->counters->bytes_received += outcome.bytes;
  if (SpeaksPlainHttp(outcome) && !servers_[job.url].answered) outcome.trouble = Trouble::kTls;
  if (outcome.trouble == Trouble::kConnect) return HandleUnreachable(std::move(job), outcome);
  if (outcome.trouble != Trouble::kTls) {
    servers_[job.url].failed_connects = 0;
    servers_[job.url].answered = true;
    unreachable_since_.reset();
  }
  if (outcome.trouble != Trouble::kNone) return HandleTrouble(std::move(job), outcome);
  if (outcome.status != 200) return HandleStatus(std::move(job), outcome);
  return HandleOk(std::move(job), std::move(outcome));
}

absl::Status Asker::HandleTrouble(Job job, const Outcome& outcome) {
  const double total = static_cast<double>(settings_.limits.total.count()) / 1000;
  const double stall = static_cast<double>(settings_.limits.stall.count()) / 1000;
  switch (outcome.trouble) {
    case Trouble::kTls:
      return absl::FailedPreconditionError(Message(job, TlsTrouble(outcome)));
    case Trouble::kTimeout:
      Retry(std::move(job), absl::DeadlineExceededError(
                                absl::StrFormat("no whole reply within %g s (timeout)", total)));
      break;
    case Trouble::kStall:
      Retry(std::move(job), absl::DeadlineExceededError(absl::StrFormat(
                                "the reply stalled for %g s (stall_timeout)", stall)));
      break;
    case Trouble::kRejected:
      if (const absl::Status bad = job.events->Feed(""); !bad.ok()) {
        Retry(std::move(job), Annotate(bad, "reply"));
        break;
      }
      [[fallthrough]];
    case Trouble::kTooLarge:
      HandleTooLarge(std::move(job));
      break;
    default:
      Retry(std::move(job), Unavailable("%s", outcome.error));
  }
  return absl::OkStatus();
}

// All draws of a request share the room of one reply: on their own each may have enough. Later
// requests hold fewer, or each of them would be paid for twice.
void Asker::HandleTooLarge(Job job) {
  const std::string what = absl::StrFormat("a reply of more than %d MB (max_reply_mb)",
                                           settings_.limits.max_bytes >> 20);
  if (job.draws.size() == 1) return GiveUp(std::move(job), ResourceExhausted("%s", what));
  draws_per_request_ = std::min(draws_per_request_, job.draws.size() / 2);
  CountRetry(Message(job, absl::StrFormat("%s to %d draws in one request; now one by one", what,
                                          job.draws.size())));
  Split(std::move(job));
}

// Nobody was asked anything, so the job has not failed: it goes to another server, or waits for
// this one to come back.
absl::Status Asker::HandleUnreachable(Job job, const Outcome& outcome) {
  const Clock::time_point now = Clock::now();
  Server& server = servers_[job.url];
  ++server.failed_connects;
  server.down_until =
      now + Backoff(server.failed_connects, settings_.backoff_base / 4 + milliseconds(1),
                    std::min(kProbeAgainMost, settings_.backoff_cap), &random_);
  const std::string why = Message(job, outcome.error);
  CountRetry(why);
  ready_.push_front(std::move(job));
  const bool any_up = std::any_of(servers_.begin(), servers_.end(), [&](const Server& s) {
    return s.failed_connects == 0 && s.down_until <= now;
  });
  if (any_up || !flying_.empty()) return absl::OkStatus();
  if (!unreachable_since_) unreachable_since_ = now;
  const bool ever =
      std::any_of(servers_.begin(), servers_.end(), [](const Server& s) { return s.answered; });
  const milliseconds patience = ever ? settings_.patience : settings_.start_patience;
  if (now - *unreachable_since_ < patience) return absl::OkStatus();
  return absl::UnavailableError(absl::StrFormat(
      "%s; tried for %g s (%s): is the server running, is --base-url right?", why,
      static_cast<double>(patience.count()) / 1000, ever ? "patience" : "start_patience"));
}

absl::Status Asker::HandleOk(Job job, Outcome outcome) {
  served_ = Clock::now();
  room_.Succeeded();
  too_long_ = 0;
  const bool streamed =
      job.events != nullptr && outcome.content_type.starts_with("text/event-stream");
  if (!streamed && Contains(ToLowerAscii(outcome.content_type), "html")) {
    Retry(std::move(job),
          InvalidArgument("reply: expected JSON, found content type '%s'", outcome.content_type));
    return absl::OkStatus();
  }
  const bool logprobs = WantsLogprobs(job);
  absl::StatusOr<Reply> reply =
      streamed ? job.events->Finish() : ParseReply(outcome.body, logprobs);
  if (!reply.ok()) {
    Retry(std::move(job), Annotate(reply.status(), "reply"));
    return absl::OkStatus();
  }
  if (logprobs && std::any_of(reply->choices.begin(), reply->choices.end(), LacksLogprobs)) {
    const std::string lacking =
        "reply: field 'logprobs': the log-probabilities of tokens were asked for, and it has none";
    // A server that never sends any would be asked for a whole run in vain.
    if (delivered_ == 0) {
      return absl::FailedPreconditionError(Message(
          job, lacking + "; leave logprobs out of the sampling, or ask a server that has them"));
    }
    Retry(std::move(job), absl::InvalidArgumentError(lacking));
    return absl::OkStatus();
  }
  Deliver(std::move(job), *std::move(reply), outcome);
  return absl::OkStatus();
}

void Asker::Deliver(Job job, Reply reply, const Outcome& outcome) {
  ++delivered_;
  pacer_->Succeeded(full_);
  if (reply.repaired) ++flow_->counters->repaired_replies;
  if (!reply.model.empty()) {
    const std::lock_guard lock(mutex_);
    if (served_model_ != reply.model) served_model_ = reply.model;
  }
  const size_t count = std::min(job.draws.size(), reply.choices.size());
  if (job.draws.size() > 1) {
    honours_n_ = count == job.draws.size() ? HonoursN::kYes : HonoursN::kNo;
  } else if (job.n_refused) {
    honours_n_ = HonoursN::kNo;
  }
  if (ScrubReply(settings_, &reply)) ++flow_->counters->scrubbed_replies;
  const uint64_t seed = job.draws[0].seed;  // the one that was sent, for all of them
  for (size_t i = 0; i < count; ++i) {
    Completion completion = ToCompletion(*job.ask, &reply, i, seed, outcome.seconds, Label(job));
    flow_->counters->tokens += completion.tokens.reasoning + completion.tokens.answer;
    flow_->done(job.ask->request, job.draws[i], std::move(completion));
  }
  if (count == job.draws.size()) return;
  job.draws.erase(job.draws.begin(), job.draws.begin() + static_cast<std::ptrdiff_t>(count));
  Split(std::move(job));
}

// Each draw on its own from here on.
void Asker::Split(Job job) {
  for (size_t i = job.draws.size(); i-- > 0;) {
    Job single;
    single.ask = job.ask;
    single.draws = {job.draws[i]};
    single.failures = job.failures;
    single.n_refused = job.n_refused;
    ready_.push_front(std::move(single));
  }
}

absl::Status Asker::HandleStatus(Job job, const Outcome& outcome) {
  const std::string said = ErrorMessage(outcome.body);
  const std::string code = ErrorCode(outcome.body);
  // OpenAI's word for an empty account is a 429 that no waiting heals.
  const bool no_money = code == "insufficient_quota";
  if (IsFinal(outcome.status) || no_money) return FinalError(job, outcome, said);
  if (IsRefusal(outcome.status)) return HandleRefusal(std::move(job), outcome);
  const std::string text =
      StatusText(outcome.status) + (said.empty() ? "" : absl::StrFormat(": %s", said));
  if (outcome.status == 400 || outcome.status == 422) {
    return HandleBadRequest(std::move(job), outcome);
  }
  if (outcome.status == 413) {
    GiveUp(std::move(job), InvalidArgument("%s", text));
    return absl::OkStatus();
  }
  Retry(std::move(job), Unavailable("%s", text));
  return absl::OkStatus();
}

// Too many requests, or no capacity: fewer at once from here on, and this one again later.
absl::Status Asker::HandleRefusal(Job job, const Outcome& outcome) {
  const Clock::time_point now = Clock::now();
  pacer_->Refused(job.sent, now);
  room_.Refused();
  ++job.refusals;
  if (!job.first_refused) job.first_refused = now;
  // Nobody waits longer than the server has refused everybody: one that serves others in between
  // is full, not away, and whoever was unlucky often would wait for nothing.
  const auto refusing = std::chrono::ceil<milliseconds>(now - served_);
  const milliseconds cap =
      std::min(settings_.backoff_cap, std::max(settings_.backoff_base, refusing));
  const milliseconds wait = Backoff(job.refusals, settings_.backoff_base, cap, &random_);
  if (outcome.retry_after_seconds > 0) return WaitAsAsked(std::move(job), outcome, wait);
  if (job.refusals > settings_.max_retries &&
      now + wait - *job.first_refused > settings_.patience) {
    GiveUp(std::move(job),
           Unavailable("%s, %d times in %g s (patience)", StatusText(outcome.status), job.refusals,
                       std::chrono::duration<double>(now - *job.first_refused).count()));
    return absl::OkStatus();
  }
  CountRetry(Message(job, StatusText(outcome.status)));
  WaitFor(std::move(job), wait);
  return absl::OkStatus();
}

// The server says how long. Longer than patience is not waited for: where there are other servers,
// they are asked meanwhile; else, where it says so time and again, it is asked no more.
absl::Status Asker::WaitAsAsked(Job job, const Outcome& outcome, milliseconds spread) {
  const std::string seconds = absl::StrFormat("%.0f s", outcome.retry_after_seconds);
  const milliseconds asked(
      static_cast<int64_t>(std::min(outcome.retry_after_seconds, kLongestAsked) * 1000));
  if (Clock::now() + asked - *job.first_refused <= settings_.patience) {
    CountRetry(Scrub(settings_, absl::StrFormat("waiting %s as the server asks; %s: %s", seconds,
                                                Label(job), StatusText(outcome.status))));
    // No earlier than asked; a little later, so that not all come back in one instant.
    WaitFor(std::move(job), asked + std::min(spread, asked / 4));
    return absl::OkStatus();
  }
  if (LeaveAlone(job.url, asked)) {
    CountRetry(Message(job, absl::StrFormat("%s: asks to wait %s; the other servers are asked",
                                            StatusText(outcome.status), seconds)));
    job.refusals = 0;
    job.first_refused.reset();
    ready_.push_front(std::move(job));
    return absl::OkStatus();
  }
  const std::string why = absl::StrFormat(
      "%s: the server asks to wait %s, which is longer than what is left of %g s (patience)",
      StatusText(outcome.status), seconds, static_cast<double>(settings_.patience.count()) / 1000);
  const absl::Status end =
      absl::UnavailableError(Message(job, why + "; resume then, or with more patience"));
  GiveUp(std::move(job), Unavailable("%s", why));
  return ++too_long_ >= kRefusalsBeforeGivingUp ? end : absl::OkStatus();
}

// Whether there is another server to ask, so that this one is not asked for so long.
bool Asker::LeaveAlone(size_t url, milliseconds wait) {
  const Clock::time_point now = Clock::now();
  const auto is_up = [&](const Server& server) {
    return &server != &servers_[url] && server.failed_connects == 0 && server.down_until <= now;
  };
  if (std::none_of(servers_.begin(), servers_.end(), is_up)) return false;
  servers_[url].down_until = now + wait;
  return true;
}

// The request itself is refused. Some refuse only `n` or `stream_options`: then without.
absl::Status Asker::HandleBadRequest(Job job, const Outcome& outcome) {
  const std::string said = ErrorMessage(outcome.body);
  if (job.ask->streams && stream_usage_ && Contains(said, "stream_options")) {
    stream_usage_ = false;
    ready_.push_front(std::move(job));
    return absl::OkStatus();
  }
  if (SaysNoSuchModel(said)) return FinalError(job, outcome, said);
  if (job.draws.size() > 1) {
    job.n_refused = true;
    Split(std::move(job));
    return absl::OkStatus();
  }
  if (++bad_requests_ >= kRefusalsBeforeGivingUp && delivered_ == 0) {
    return FinalError(job, outcome, said);
  }
  GiveUp(std::move(job), InvalidArgument("%s: %s", StatusText(outcome.status), said));
  return absl::OkStatus();
}

// What ends the run, and what to check.
absl::Status Asker::FinalError(const Job& job, const Outcome& outcome,
                               std::string_view said) const {
  const int status = outcome.status;
  std::string check;
  if (status == 401 || status == 403) {
    check = settings_.key.empty()
                ? absl::StrFormat("set $%s to a key (it is not set)", settings_.key_env)
                : absl::StrFormat("check the key in $%s and that it may use the model '%s'",
                                  settings_.key_env, settings_.model);
  } else if (status == 404 || SaysNoSuchModel(said)) {
    check = absl::StrFormat("check --base-url (most end in /v1) and the model's name '%s'",
                            settings_.model);
  } else if (status == 405 || status == 410) {
    check = "nothing is completed at this address: check --base-url (most end in /v1)";
  } else if (status == 402 || status == 429) {
    check = "the account has no credit left";
  } else if (status >= 300 && status < 400) {
    const std::string to = outcome.location.substr(0, outcome.location.find('?'));
    check = to.empty()
                ? "the server redirects and does not say where to: check --base-url"
                : absl::StrFormat("the server redirects to '%s': give that as --base-url", to);
  } else {
    check = "check --model-args and the task's sampling";
  }
  const std::string message = Message(job, absl::StrFormat("%s%s%s; %s", StatusText(status),
                                                           said.empty() ? "" : ": ", said, check));
  if (status == 401) return absl::UnauthenticatedError(message);
  if (status == 403) return absl::PermissionDeniedError(message);
  if (status == 404) return absl::NotFoundError(message);
  return absl::FailedPreconditionError(message);
}

// A reply was broken or wrong: again, later, as often as allowed. Several draws in one request part
// ways after a second failure: one of them may be the cause.
void Asker::Retry(Job job, absl::Status why) {
  ++job.failures;
  if (job.failures > settings_.max_retries) return GiveUp(std::move(job), why);
  CountRetry(Message(job, std::string(why.message())));
  if (job.draws.size() > 1 && job.failures >= 2) return Split(std::move(job));
  const auto wait = Backoff(job.failures, settings_.backoff_base, settings_.backoff_cap, &random_);
  WaitFor(std::move(job), wait);
}

void Asker::CountRetry(std::string why) {
  if (ending_) return;  // nothing is asked again
  ++flow_->counters->retries;
  flow_->counters->last_trouble.Set(std::move(why));
}

void Asker::WaitFor(Job job, milliseconds wait) {
  job.events.reset();
  waiting_.emplace(Clock::now() + wait, std::move(job));
}

void Asker::GiveUp(Job job, const absl::Status& why) {
  const std::string tries =
      job.failures > 1 ? absl::StrFormat(" (after %d tries)", job.failures) : "";
  const absl::Status status(why.code(), Message(job, std::string(why.message()) + tries));
  for (const Draw& draw : job.draws) flow_->done(job.ask->request, draw, status);
}

}  // namespace

std::unique_ptr<CompletionSource> MakeAsker(Settings settings, const BackendConfig& config) {
  return std::make_unique<Asker>(std::move(settings), config);
}

}  // namespace assay::http
