// One request to the end: redirects by hand, refusals and broken connections waited out.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "fetch/hub.h"
#include "harness/catalogue.h"
#include "http/client.h"

namespace assay::fetch {

struct Patience {
  std::chrono::milliseconds connect{15'000};
  std::chrono::milliseconds first_byte{60'000};
  std::chrono::milliseconds stall{60'000};
  std::chrono::milliseconds backoff_base{500};
  std::chrono::milliseconds backoff_cap{30'000};
  std::chrono::milliseconds retry_after_cap{300'000};  // a server that asks for more is told of
  int tries = 6;                                       // in a row without a byte gained
};

enum class Unit { kBytes, kRows };

// What somebody waiting is told.
struct Watcher {
  std::function<void(const std::string&)> note = [](const std::string&) {};  // a line
  // Done so far and in all (-1: not known).
  std::function<void(std::string_view what, int64_t done, int64_t total, Unit unit)> progress =
      [](std::string_view, int64_t, int64_t, Unit) {};
  std::function<bool()> stopping = [] { return false; };
};

// A request as one hop of it is sent; `url` is where redirects have led.
struct Hop {
  std::string url;
  std::vector<std::string> headers;
  std::vector<std::string> wanted_headers;
  std::function<bool(const http::Outcome&)> on_head;
  std::function<bool(std::string_view)> on_bytes;
};

// Talks to the servers of one set. Not thread-safe.
class Transfer {
 public:
  Transfer(const Hub& hub, const CatalogueEntry& entry, const Patience& patience,
           const Watcher& watcher);

  // Sends what `make` makes until a reply of 2xx is whole, over redirects, with waits between.
  // `gained`: whether the last try brought something (then the count of tries begins anew).
  // Credentials go to the hub's own addresses alone. `on_hop`, where set, sees each reply, the
  // redirects too.
  absl::StatusOr<http::Outcome> Get(const std::string& url, const std::function<Hop()>& make,
                                    const std::function<bool()>& gained,
                                    const std::function<void(const http::Outcome&)>& on_hop = {});

  const Hub& hub() const { return hub_; }
  const CatalogueEntry& entry() const { return entry_; }
  const Watcher& watcher() const { return watcher_; }

 private:
  struct Answer {
    http::Outcome outcome;
    std::string url;  // that gave it
  };
  absl::StatusOr<http::Outcome> Send(const Hop& hop);
  absl::StatusOr<Answer> Follow(const std::string& url, const std::function<Hop()>& make,
                                const std::function<void(const http::Outcome&)>& on_hop);
  absl::Status WaitBefore(int tries, double retry_after_seconds, const absl::Status& why);
  absl::Status Sleep(std::chrono::milliseconds wait) const;

  const Hub& hub_;
  const CatalogueEntry& entry_;
  const Patience patience_;
  const Watcher& watcher_;
  std::unique_ptr<http::Client> client_;
  std::mt19937_64 random_;
};

}  // namespace assay::fetch
