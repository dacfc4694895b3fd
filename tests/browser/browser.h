// A real browser for tests: Debian's chromium without a window, spoken to over a pipe in the
// DevTools protocol.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "harness/json.h"

namespace assay::testing_support {

// One page. Not thread-safe. Every call has a time limit; a browser that hangs is an error.
class Browser {
 public:
  // "" where there is none on the PATH.
  static std::string Program();
  static absl::StatusOr<std::unique_ptr<Browser>> Start();
  ~Browser();  // kills the browser and removes its profile
  Browser(const Browser&) = delete;
  Browser& operator=(const Browser&) = delete;

  // Opens a file or an address ("http://..."), with "#..." after it, in a fresh document and waits
  // until it says that it is drawn; one without a script, until it is loaded. What was complained
  // about and requested before is forgotten.
  absl::Status Open(const std::string& path, std::string_view fragment = "");
  // The value of an expression, a promise's when it is kept; an exception is an error.
  absl::StatusOr<Json> Evaluate(std::string_view expression);
  // Until the expression is true; while it throws, or one page gives way to the next, it is not.
  absl::Status WaitFor(std::string_view expression);
  // With the mouse, in the middle of the first element that fits, scrolled to where it is seen.
  absl::Status Click(std::string_view selector);
  absl::Status Type(std::string_view text);
  absl::Status Press(std::string_view key, int code);

  absl::Status Resize(int width, int height);
  absl::Status Prefer(std::string_view scheme);  // "light", "dark"
  absl::Status Screenshot(const std::string& path);

  // Console errors and warnings, exceptions, and the browser's own log since Open.
  const std::vector<std::string>& complaints() const { return complaints_; }
  // What was asked of the network or the disk since Open, other than the page itself and data:.
  const std::vector<std::string>& requests() const { return requests_; }

 private:
  Browser() = default;
  absl::Status Launch();
  absl::StatusOr<Json> Call(std::string_view method, Json parameters);
  absl::StatusOr<Json> CallBrowser(std::string_view method, Json parameters);
  absl::Status Send(const Json& message);
  absl::StatusOr<Json> Receive(std::chrono::steady_clock::time_point until);
  void Notice(const Json& event);

  pid_t process_ = 0;
  int to_ = -1, from_ = -1;
  int64_t next_ = 1;
  std::string profile_;
  std::string session_;
  std::string received_;  // not yet a whole message
  std::string opened_;
  std::vector<std::string> complaints_, requests_;
};

}  // namespace assay::testing_support
