// libcurl follows no redirect for us: each hop is looked at, so that the token goes nowhere else.
#include "fetch/transfer.h"

#include <algorithm>
#include <thread>

#include "harness/status.h"
#include "http/pacing.h"

namespace assay::fetch {
namespace {

using std::chrono::milliseconds;

constexpr int kMaxRedirects = 10;
constexpr size_t kMaxBodyBytes = size_t{256} << 20;  // of a reply that is kept in memory
constexpr milliseconds kLookAround{100};             // how soon `stopping` is seen

http::Limits LimitsOf(const Patience& patience) {
  http::Limits limits;
  limits.connect = patience.connect;
  limits.total = std::chrono::hours(24 * 365);
  limits.first_byte = patience.first_byte;
  limits.stall = patience.stall;
  limits.max_bytes = kMaxBodyBytes;
  limits.max_connections = 8;
  limits.read_bytes = 512 << 10;
  return limits;
}

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool IsWorthAnotherTry(const http::Outcome& outcome) {
  if (outcome.trouble == http::Trouble::kTls || outcome.trouble == http::Trouble::kTooLarge) {
    return false;
  }
  if (outcome.trouble != http::Trouble::kNone) return true;
  return outcome.status == 408 || outcome.status == 429 || outcome.status >= 500;
}

}  // namespace

Transfer::Transfer(const Hub& hub, const CatalogueEntry& entry, const Patience& patience,
                   const Watcher& watcher)
    : hub_(hub),
      entry_(entry),
      patience_(patience),
      watcher_(watcher),
      client_(std::make_unique<http::Client>(std::vector<std::string>{}, LimitsOf(patience))),
      random_(std::random_device{}()) {}

absl::StatusOr<http::Outcome> Transfer::Send(const Hop& hop) {
  http::Request request;
  request.url = hop.url;
  request.headers = hop.headers;
  if (std::string authorization = AuthorizationFor(hub_, hop.url); !authorization.empty()) {
    request.headers.push_back(std::move(authorization));
  }
  request.wanted_headers = hop.wanted_headers;
  request.wanted_headers.emplace_back(kErrorMessageHeader);
  request.on_head = hop.on_head;
  request.on_bytes = hop.on_bytes;
  client_->Start(std::move(request));
  std::vector<http::Outcome> outcomes;
  while (outcomes.empty()) {
    client_->Wait(kLookAround, &outcomes);
    if (outcomes.empty() && watcher_.stopping()) {
      client_->Cancel();
      return absl::CancelledError("stopped; the same command goes on from here");
    }
  }
  return std::move(outcomes[0]);
}

absl::StatusOr<Transfer::Answer> Transfer::Follow(
    const std::string& url, const std::function<Hop()>& make,
    const std::function<void(const http::Outcome&)>& on_hop) {
  Hop hop = make();
  hop.url = url;
  for (int redirects = 0;; ++redirects) {
    ASSIGN_OR_RETURN(http::Outcome outcome, Send(hop));
    if (on_hop) on_hop(outcome);
    const bool moved = outcome.trouble == http::Trouble::kNone && IsRedirect(outcome.status);
    if (!moved) return Answer{std::move(outcome), hop.url};
    const std::string origin = OriginOf(outcome.location);
    if (origin.empty()) {
      return Unavailable("%s: a redirect (%d) to nowhere", ShownUrl(hop.url), outcome.status);
    }
    if (OriginOf(hop.url).starts_with("https://") && !origin.starts_with("https://")) {
      return Unavailable("%s: a redirect from https to plain http (%s) is not followed",
                         ShownUrl(hop.url), origin);
    }
    if (redirects == kMaxRedirects) {
      return Unavailable("%s: more than %d redirects", ShownUrl(url), kMaxRedirects);
    }
    hop.url = outcome.location;
  }
}

absl::StatusOr<http::Outcome> Transfer::Get(
    const std::string& url, const std::function<Hop()>& make, const std::function<bool()>& gained,
    const std::function<void(const http::Outcome&)>& on_hop) {
  for (int tries = 1;; ++tries) {
    ASSIGN_OR_RETURN(Answer answer, Follow(url, make, on_hop));
    http::Outcome& outcome = answer.outcome;
    const bool whole = outcome.trouble == http::Trouble::kNone;
    if (whole && outcome.status >= 200 && outcome.status < 300) return std::move(outcome);
    const absl::Status why = whole ? RefusalError(hub_, entry_, answer.url, outcome)
                                   : TroubleError(hub_, answer.url, outcome);
    if (outcome.trouble == http::Trouble::kRejected || !IsWorthAnotherTry(outcome)) return why;
    if (gained()) tries = 1;
    if (tries >= patience_.tries) {
      return absl::Status(why.code(),
                          absl::StrFormat("%s (%d tries)", std::string(why.message()), tries));
    }
    RETURN_IF_ERROR(WaitBefore(tries, outcome.retry_after_seconds, why));
  }
}

absl::Status Transfer::WaitBefore(int tries, double retry_after_seconds, const absl::Status& why) {
  milliseconds wait = http::Backoff(tries, patience_.backoff_base, patience_.backoff_cap, &random_);
  const milliseconds asked(static_cast<int64_t>(retry_after_seconds * 1000));
  if (asked > patience_.retry_after_cap) {
    return Unavailable("%s; the server asks to come back in %d s", std::string(why.message()),
                       asked.count() / 1000);
  }
  wait = std::max(wait, asked);
  watcher_.note(absl::StrFormat("%s; again in %.1f s", std::string(why.message()),
                                static_cast<double>(wait.count()) / 1000));
  return Sleep(wait);
}

absl::Status Transfer::Sleep(milliseconds wait) const {
  const auto until = http::Clock::now() + wait;
  while (http::Clock::now() < until) {
    if (watcher_.stopping()) {
      return absl::CancelledError("stopped; the same command goes on from here");
    }
    std::this_thread::sleep_for(
        std::min(kLookAround, std::chrono::ceil<milliseconds>(until - http::Clock::now())));
  }
  return absl::OkStatus();
}

}  // namespace assay::fetch
