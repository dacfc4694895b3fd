// Messages are JSON texts with a zero byte after each, on descriptors 3 and 4 of the browser.
#include "tests/browser/browser.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay::testing_support {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kLimit{30};  // a machine under load starts a browser slowly

std::string FindOnPath(const std::string& name) {
  const char* path = std::getenv("PATH");
  for (const std::string_view folder : Split(path != nullptr ? path : "", ':')) {
    const std::string file = std::string(folder) + "/" + name;
    if (access(file.c_str(), X_OK) == 0) return file;
  }
  return "";
}

// A page that is being left takes the question with it.
bool IsBetweenPages(const absl::Status& status) {
  return status.code() == absl::StatusCode::kInternal &&
         (absl::StrContains(status.message(), "navigated or closed") ||
          absl::StrContains(status.message(), "context was destroyed") ||
          absl::StrContains(status.message(), "Cannot find default execution context"));
}

}  // namespace

std::string Browser::Program() {
  for (const char* name : {"chromium", "chromium-browser", "google-chrome"}) {
    if (const std::string found = FindOnPath(name); !found.empty()) return found;
  }
  return "";
}

absl::StatusOr<std::unique_ptr<Browser>> Browser::Start() {
  std::unique_ptr<Browser> browser(new Browser);
  RETURN_IF_ERROR(browser->Launch());
  return browser;
}

Browser::~Browser() {
  if (to_ >= 0) close(to_);
  if (from_ >= 0) close(from_);
  if (process_ > 0) {
    kill(-process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  std::error_code ignored;
  for (int i = 0; i < 20 && !profile_.empty() && std::filesystem::exists(profile_); ++i) {
    std::filesystem::remove_all(profile_, ignored);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

absl::Status Browser::Launch() {
  std::string folder = (std::filesystem::temp_directory_path() / "assay-browser-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) return Unavailable("cannot make %s", folder);
  profile_ = folder;
  int to[2], from[2];
  if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) return Unavailable("no pipe");
  // Out of the way of 3 and 4, where the browser expects its ends.
  const int its_input = fcntl(to[0], F_DUPFD_CLOEXEC, 10);
  const int its_output = fcntl(from[1], F_DUPFD_CLOEXEC, 10);
  to_ = fcntl(to[1], F_DUPFD_CLOEXEC, 10);
  from_ = fcntl(from[0], F_DUPFD_CLOEXEC, 10);
  for (const int end : {to[0], to[1], from[0], from[1]}) close(end);
  std::vector<std::string> words = {Program(),
                                    "--headless=new",
                                    "--remote-debugging-pipe",
                                    "--user-data-dir=" + profile_,
                                    "--no-first-run",
                                    "--disable-gpu",
                                    "--disable-extensions",
                                    "--disable-background-networking",
                                    "--disable-component-update",
                                    "--disable-dev-shm-usage",
                                    "--hide-scrollbars",
                                    "--force-color-profile=srgb",
                                    "about:blank"};
  if (geteuid() == 0) words.insert(words.begin() + 1, "--no-sandbox");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, its_input, 3);
  posix_spawn_file_actions_adddup2(&actions, its_output, 4);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  const int failed =
      posix_spawn(&process_, words[0].c_str(), &actions, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close(its_input);
  close(its_output);
  if (failed != 0) return Unavailable("cannot start '%s'", words[0]);
  signal(SIGPIPE, SIG_IGN);
  ASSIGN_OR_RETURN(const Json target,
                   CallBrowser("Target.createTarget", Json::MakeObject({{"url", "about:blank"}})));
  ASSIGN_OR_RETURN(const Json attached,
                   CallBrowser("Target.attachToTarget",
                               Json::MakeObject({{"targetId", *target.FindString("targetId")},
                                                 {"flatten", true}})));
  session_ = *attached.FindString("sessionId");
  for (const char* part : {"Page.enable", "Runtime.enable", "Log.enable", "Network.enable"}) {
    RETURN_IF_ERROR(Call(part, Json::MakeObject()).status());
  }
  return Resize(1280, 900);
}

absl::Status Browser::Send(const Json& message) {
  const std::string text = message.Dump() + std::string(1, '\0');
  size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t n = write(to_, text.data() + sent, text.size() - sent);
    if (n <= 0) return Unavailable("the browser is gone");
    sent += static_cast<size_t>(n);
  }
  return absl::OkStatus();
}

absl::StatusOr<Json> Browser::Receive(steady_clock::time_point until) {
  while (true) {
    const size_t end = received_.find('\0');
    if (end != std::string::npos) {
      const std::string text = received_.substr(0, end);
      received_.erase(0, end + 1);
      return ParseJson(ToValidUtf8(text));
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - steady_clock::now()).count();
    pollfd wait = {from_, POLLIN, 0};
    if (left <= 0 || poll(&wait, 1, static_cast<int>(left)) <= 0) {
      return absl::DeadlineExceededError("the browser does not answer");
    }
    char buffer[65536];
    const ssize_t n = read(from_, buffer, sizeof(buffer));
    if (n <= 0) return Unavailable("the browser is gone");
    received_.append(buffer, static_cast<size_t>(n));
  }
}

void Browser::Notice(const Json& event) {
  const std::string method = event.FindString("method").value_or("");
  const Json* parameters = event.Find("params");
  if (parameters == nullptr) return;
  if (method == "Runtime.exceptionThrown") {
    complaints_.push_back("exception: " + parameters->Dump());
  } else if (method == "Runtime.consoleAPICalled") {
    const std::string type = parameters->FindString("type").value_or("");
    if (type == "error" || type == "warning" || type == "assert") {
      complaints_.push_back("console: " + parameters->Dump());
    }
  } else if (method == "Log.entryAdded") {
    const Json* entry = parameters->Find("entry");
    const std::string level = entry->FindString("level").value_or("");
    if (level == "error" || level == "warning") complaints_.push_back("log: " + entry->Dump());
  } else if (method == "Network.requestWillBeSent") {
    const std::string url = parameters->Find("request")->FindString("url").value_or("");
    const bool itself = url == opened_ || url.substr(0, url.find('#')) == opened_;
    if (!itself && !url.starts_with("data:")) requests_.push_back(url);
  }
}

absl::StatusOr<Json> Browser::CallBrowser(std::string_view method, Json parameters) {
  const int64_t id = next_++;
  Json message = Json::MakeObject({{"id", id}, {"method", method}});
  message.Set("params", std::move(parameters));
  if (!session_.empty()) message.Set("sessionId", session_);
  RETURN_IF_ERROR(Send(message));
  const auto until = steady_clock::now() + kLimit;
  while (true) {
    ASSIGN_OR_RETURN(const Json answer, Receive(until));
    if (answer.FindInteger("id") != id) {
      Notice(answer);
      continue;
    }
    if (const Json* error = answer.Find("error")) {
      return Internal("%s: %s", method, error->Dump());
    }
    const Json* result = answer.Find("result");
    return result != nullptr ? *result : Json::MakeObject();
  }
}

absl::StatusOr<Json> Browser::Call(std::string_view method, Json parameters) {
  return CallBrowser(method, std::move(parameters));
}

absl::Status Browser::Open(const std::string& path, std::string_view fragment) {
  RETURN_IF_ERROR(Call("Page.navigate", Json::MakeObject({{"url", "about:blank"}})).status());
  RETURN_IF_ERROR(WaitFor("location.href === 'about:blank'"));
  complaints_.clear();
  requests_.clear();
  const bool served = path.starts_with("http://");
  opened_ = served ? path : "file://" + std::filesystem::absolute(path).string();
  RETURN_IF_ERROR(
      Call("Page.navigate", Json::MakeObject({{"url", opened_ + std::string(fragment)}})).status());
  return WaitFor(
      "location.protocol !== 'about:' && document.readyState === 'complete' && "
      "(document.scripts.length === 0 || (document.body.dataset.ready !== undefined && "
      "document.body.dataset.drawn !== undefined))");
}

absl::StatusOr<Json> Browser::Evaluate(std::string_view expression) {
  ASSIGN_OR_RETURN(const Json answer,
                   Call("Runtime.evaluate", Json::MakeObject({{"expression", expression},
                                                              {"awaitPromise", true},
                                                              {"returnByValue", true}})));
  if (const Json* thrown = answer.Find("exceptionDetails")) {
    return Internal("%s: %s", expression, thrown->Dump());
  }
  const Json* value = answer.Find("result")->Find("value");
  return value != nullptr ? *value : Json();
}

absl::Status Browser::WaitFor(std::string_view expression) {
  const auto until = steady_clock::now() + kLimit;
  while (steady_clock::now() < until) {
    // What is looked for is not there yet: a reason to wait, too.
    const absl::StatusOr<Json> value =
        Evaluate("(() => { try { return Boolean(" + std::string(expression) +
                 "); } catch (e) { return false; } })()");
    if (value.ok() && *value == Json(true)) return absl::OkStatus();
    if (!value.ok() && !IsBetweenPages(value.status())) return value.status();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return absl::DeadlineExceededError("never true: " + std::string(expression));
}

absl::Status Browser::Click(std::string_view selector) {
  std::string quoted;
  AppendJsonString(selector, &quoted);
  ASSIGN_OR_RETURN(const Json place, Evaluate(absl::StrFormat(
                                         "(() => { const n = document.querySelector(%s); if (!n) "
                                         "return null; n.scrollIntoView({block: 'center'}); const "
                                         "r = n.getBoundingClientRect(); return [r.x + r.width / "
                                         "2, r.y + r.height / 2]; })()",
                                         quoted)));
  if (!place.is_array()) return NotFound("nothing fits %s", selector);
  for (const char* type : {"mousePressed", "mouseReleased"}) {
    absl::Status done =
        Call("Input.dispatchMouseEvent", Json::MakeObject({{"type", type},
                                                           {"x", place.AsArray()[0]},
                                                           {"y", place.AsArray()[1]},
                                                           {"button", "left"},
                                                           {"clickCount", 1}}))
            .status();
    // A link that was let go of may have left its page before it answers.
    if (!done.ok() && !(IsBetweenPages(done) && type[5] == 'R')) return done;
  }
  return absl::OkStatus();
}

absl::Status Browser::Type(std::string_view text) {
  return Call("Input.insertText", Json::MakeObject({{"text", text}})).status();
}

absl::Status Browser::Press(std::string_view key, int code) {
  for (const char* type : {"keyDown", "keyUp"}) {
    Json event = Json::MakeObject(
        {{"type", type}, {"key", key}, {"code", key}, {"windowsVirtualKeyCode", code}});
    if (key == "Enter" && type[3] == 'D') event.Set("text", "\r");
    RETURN_IF_ERROR(Call("Input.dispatchKeyEvent", std::move(event)).status());
  }
  return absl::OkStatus();
}

absl::Status Browser::Resize(int width, int height) {
  return Call("Emulation.setDeviceMetricsOverride", Json::MakeObject({{"width", width},
                                                                      {"height", height},
                                                                      {"deviceScaleFactor", 1},
                                                                      {"mobile", false}}))
      .status();
}

absl::Status Browser::Prefer(std::string_view scheme) {
  Json feature = Json::MakeObject({{"name", "prefers-color-scheme"}, {"value", scheme}});
  Json features = Json::MakeArray();
  features.Append(std::move(feature));
  return Call("Emulation.setEmulatedMedia", Json::MakeObject({{"features", std::move(features)}}))
      .status();
}

absl::Status Browser::Screenshot(const std::string& path) {
  ASSIGN_OR_RETURN(const Json answer,
                   Call("Page.captureScreenshot", Json::MakeObject({{"format", "png"}})));
  std::string bytes;
  if (!absl::Base64Unescape(answer.FindString("data").value_or(""), &bytes)) {
    return Internal("the browser gave no picture");
  }
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  return file.good() ? absl::OkStatus() : Unavailable("cannot write %s", path);
}

}  // namespace assay::testing_support
