// A thread for each connection, blocking calls: a few clients at once are all that tests need.
#include "tests/mock_hub/hub.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "harness/hash.h"
#include "harness/json.h"
#include "harness/status.h"
#include "harness/text.h"
#include "tests/mock_server/http_text.h"

namespace assay::mock_hub {
namespace {

using mock_server::HeaderValue;

constexpr std::string_view kLoginPage =
    "<!DOCTYPE html><html><head><title>Log in</title></head><body>Log in</body></html>";

std::string Head(int status, std::string_view type, int64_t length, std::string_view more) {
  std::string head = absl::StrFormat("HTTP/1.1 %d X\r\nContent-Type: %s\r\n", status, type);
  if (length >= 0) {
    head += absl::StrFormat("Content-Length: %d\r\n", length);
  } else {
    head += "Transfer-Encoding: chunked\r\n";
  }
  return head + std::string(more) + "\r\n";
}

bool SendAll(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

std::string Decode(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      decoded += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

std::string QueryValue(std::string_view query, std::string_view name) {
  for (const std::string_view pair : Split(query, '&')) {
    const size_t equals = pair.find('=');
    if (equals != pair.npos && pair.substr(0, equals) == name) {
      return Decode(pair.substr(equals + 1));
    }
  }
  return "";
}

int64_t SizeOf(const HubFile& file) {
  if (file.disk_path.empty()) return static_cast<int64_t>(file.bytes.size());
  struct stat info;
  return stat(file.disk_path.c_str(), &info) == 0 ? info.st_size : 0;
}

}  // namespace

struct MockHub::Exchange {
  int socket = -1;
  bool is_store = false;
  std::string head;
  std::string path;  // decoded, without the query
  std::string query;
};

absl::StatusOr<std::unique_ptr<MockHub>> MockHub::Start() {
  std::unique_ptr<MockHub> hub(new MockHub);
  RETURN_IF_ERROR(hub->Listen(&hub->hub_, false));
  RETURN_IF_ERROR(hub->Listen(&hub->store_, true));
  return hub;
}

absl::Status MockHub::Listen(Listener* listener, bool is_store) {
  listener->is_store = is_store;
  listener->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener->socket, generic, size) != 0 || listen(listener->socket, 64) != 0 ||
      getsockname(listener->socket, generic, &size) != 0) {
    return Unavailable("the mock hub cannot listen: %s", std::strerror(errno));
  }
  listener->port = ntohs(address.sin_port);
  listener->thread = std::thread([this, listener] { Accept(listener); });
  return absl::OkStatus();
}

MockHub::~MockHub() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  for (Listener* listener : {&hub_, &store_}) {
    shutdown(listener->socket, SHUT_RDWR);
    if (listener->thread.joinable()) listener->thread.join();
    close(listener->socket);
  }
  // No new ones come: the listeners are gone.
  for (Served& served : served_) shutdown(served.socket, SHUT_RDWR);
  for (Served& served : served_) {
    served.thread.join();
    close(served.socket);
  }
}

void MockHub::Accept(Listener* listener) {
  while (true) {
    const int socket = accept4(listener->socket, nullptr, nullptr, SOCK_CLOEXEC);
    const std::lock_guard lock(mutex_);
    if (stopping_ || (socket < 0 && errno != EINTR && errno != ECONNABORTED)) {
      if (socket >= 0) close(socket);
      return;
    }
    if (socket < 0) continue;
    const int yes = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    const bool is_store = listener->is_store;
    served_.push_back({std::thread([this, socket, is_store] { Serve(socket, is_store); }), socket});
  }
}

std::string MockHub::endpoint() const { return absl::StrFormat("http://127.0.0.1:%d", hub_.port); }
void MockHub::PutFile(const std::string& id, const std::string& path, HubFile file) {
  const std::lock_guard lock(mutex_);
  files_[id + "/" + path] = std::move(file);
}
void MockHub::PutRows(const std::string& id, const std::string& config, const std::string& split,
                      SplitRows rows) {
  const std::lock_guard lock(mutex_);
  rows_[id + " " + config + " " + split] = std::move(rows);
}
void MockHub::SetToken(std::string token) {
  const std::lock_guard lock(mutex_);
  token_ = std::move(token);
}
void MockHub::SetRevision(std::string commit) {
  const std::lock_guard lock(mutex_);
  revision_ = std::move(commit);
}
void MockHub::SetPace(int64_t bytes_per_second) {
  const std::lock_guard lock(mutex_);
  pace_ = bytes_per_second;
}
void MockHub::AddOrder(Order order) {
  const std::lock_guard lock(mutex_);
  orders_.push_back(std::move(order));
}
size_t MockHub::orders_left() const {
  const std::lock_guard lock(mutex_);
  return orders_.size();
}
std::vector<SeenRequest> MockHub::seen() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}
Order MockHub::NextOrder() {
  const std::lock_guard lock(mutex_);
  if (orders_.empty()) return {};
  Order order = std::move(orders_.front());
  orders_.pop_front();
  return order;
}

// Requests one after the other, until one of them ends the connection.
void MockHub::Serve(int socket, bool is_store) {
  std::string in;
  char buffer[16384];
  while (true) {
    const size_t end = in.find("\r\n\r\n");
    if (end == std::string::npos) {
      const ssize_t got = recv(socket, buffer, sizeof buffer, 0);
      if (got <= 0) break;
      in.append(buffer, static_cast<size_t>(got));
      continue;
    }
    Exchange exchange{.socket = socket, .is_store = is_store, .head = in.substr(0, end + 2)};
    in.erase(0, end + 4);
    const std::vector<std::string_view> words =
        Split(std::string_view(exchange.head).substr(0, exchange.head.find("\r\n")), ' ');
    std::string target(words.size() > 1 ? words[1] : "/");
    // A proxy is asked with the whole address.
    if (const size_t scheme = target.find("://"); scheme != std::string::npos) {
      target = target.substr(target.find('/', scheme + 3));
    }
    const size_t question = target.find('?');
    exchange.path = Decode(target.substr(0, question));
    if (question != std::string::npos) exchange.query = target.substr(question + 1);
    {
      const std::lock_guard lock(mutex_);
      seen_.push_back({is_store, target, exchange.head});
    }
    if (!Answer(exchange)) break;
  }
  shutdown(socket, SHUT_RDWR);
}

bool MockHub::Answer(Exchange& exchange) {
  if (exchange.path == "/rows") return AnswerRows(exchange);
  return AnswerFile(exchange);
}

bool MockHub::MayRead(const Exchange& exchange, bool gated) const {
  const std::lock_guard lock(mutex_);
  return !gated || HeaderValue(exchange.head, "Authorization") == "Bearer " + token_;
}

// "/datasets/OWNER/NAME/resolve/REVISION/PATH" at the hub; "/store/KEY" at the store; any other
// path is a file of that name ("/KEY").
bool MockHub::AnswerFile(Exchange& exchange) {
  std::string key = exchange.path.substr(1);
  std::string revision, commit;
  if (key.starts_with("datasets/")) {
    const size_t resolve = key.find("/resolve/");
    const size_t slash = resolve == key.npos ? key.npos : key.find('/', resolve + 9);
    if (slash == key.npos) return SendAll(exchange.socket, Head(404, "text/plain", 0, ""));
    revision = key.substr(resolve + 9, slash - resolve - 9);
    key = key.substr(9, resolve - 9) + key.substr(slash);
  } else if (key.starts_with("store/")) {
    key = key.substr(6);
  }
  HubFile file;
  {
    const std::lock_guard lock(mutex_);
    const auto found = files_.find(key);
    const bool known = revision.empty() || revision == "main" || revision == revision_;
    if (found == files_.end() || !known) {
      const std::string_view code = known ? "EntryNotFound" : "RevisionNotFound";
      return SendAll(
          exchange.socket,
          Head(404, "text/plain", 0,
               absl::StrFormat("X-Error-Code: %s\r\nX-Error-Message: not found\r\n", code)));
    }
    file = found->second;
    commit = revision_;
  }
  if (!exchange.is_store && !MayRead(exchange, file.gated)) {
    const bool anonymous = HeaderValue(exchange.head, "Authorization").empty();
    return SendAll(exchange.socket,
                   Head(anonymous ? 401 : 403, "text/plain", 0,
                        "X-Error-Code: GatedRepo\r\nX-Error-Message: Access to this dataset is "
                        "restricted.\r\n"));
  }
  if (!file.location.empty()) {
    return SendAll(exchange.socket,
                   Head(302, "text/plain", 0, "Location: " + file.location + "\r\n"));
  }
  if (!exchange.is_store && file.redirected) {
    const std::string linked = file.linked_sha256.empty() && file.disk_path.empty()
                                   ? Sha256Hex(file.bytes)
                                   : file.linked_sha256;
    return SendAll(
        exchange.socket,
        Head(302, "text/plain", 0,
             absl::StrFormat("Location: http://127.0.0.1:%d/store/%s?X-Signature=signed_secret\r\n"
                             "X-Repo-Commit: %s\r\nX-Linked-Etag: \"%s\"\r\n",
                             store_.port, key, commit, linked)));
  }
  return SendFile(exchange, key, file);
}

bool MockHub::SendFile(Exchange& exchange, const std::string& key, const HubFile& given) {
  HubFile file = given;
  const Order order = NextOrder();
  if (order.fault == Fault::kSilence) {
    char byte;
    recv(exchange.socket, &byte, 1, 0);  // until the client goes
    return false;
  }
  if (order.fault == Fault::kStatus) {
    const std::string more =
        order.retry_after < 0 ? "" : absl::StrFormat("Retry-After: %.0f\r\n", order.retry_after);
    return SendAll(exchange.socket, Head(order.status, "text/plain", 0, more));
  }
  if (order.fault == Fault::kWebPage || order.fault == Fault::kDisguisedPage) {
    file.bytes = kLoginPage;
    file.content_type = order.fault == Fault::kWebPage ? "text/html" : file.content_type;
    file.etag.clear();
  }
  if (order.fault == Fault::kFlip) file.bytes[file.bytes.size() / 2] ^= 1;
  if (order.fault == Fault::kChange) {
    file.bytes = order.bytes;
    file.etag = "\"v2\"";
    const std::lock_guard lock(mutex_);
    files_[key] = file;
  }
  const int64_t size = SizeOf(file);
  int64_t begin = 0;
  const std::string_view range = HeaderValue(exchange.head, "Range");
  const std::string_view if_range = HeaderValue(exchange.head, "If-Range");
  if (file.ranges && range.starts_with("bytes=") && (if_range.empty() || if_range == file.etag)) {
    begin = ParseInt(range.substr(6, range.find('-') - 6)).value_or(0);
  }
  if (order.fault == Fault::kWrongRange) begin = std::max<int64_t>(0, begin - 1);
  std::string more;
  {
    const std::lock_guard lock(mutex_);
    more = "X-Repo-Commit: " + revision_ + "\r\n";
  }
  if (!file.etag.empty()) more += "ETag: " + file.etag + "\r\n";
  if (begin > 0 && begin >= size) {
    return SendAll(exchange.socket, Head(416, "text/plain", 0, more));
  }
  if (begin > 0) {
    more += absl::StrFormat("Content-Range: bytes %d-%d/%d\r\n", begin, size - 1, size);
  }
  const int64_t length = file.says_length ? size - begin : -1;
  if (!SendAll(exchange.socket, Head(begin > 0 ? 206 : 200, file.content_type, length, more))) {
    return false;
  }
  return SendBody(exchange, file, begin, size, order);
}

bool MockHub::SendBody(Exchange& exchange, const HubFile& file, int64_t begin, int64_t size,
                       const Order& order) {
  if (!file.disk_path.empty()) {
    const int descriptor = open(file.disk_path.c_str(), O_RDONLY | O_CLOEXEC);
    off_t at = begin;
    while (descriptor >= 0 && at < size) {
      if (sendfile(exchange.socket, descriptor, &at, static_cast<size_t>(size - at)) <= 0) break;
    }
    if (descriptor >= 0) close(descriptor);
    return at == size;
  }
  const bool stops = order.fault == Fault::kCut || order.fault == Fault::kStall;
  const int64_t end = stops ? std::min(size, begin + order.after) : size;
  const std::string_view bytes =
      std::string_view(file.bytes)
          .substr(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
  const bool sent =
      file.says_length
          ? SendPaced(exchange.socket, bytes)
          : SendAll(exchange.socket, absl::StrFormat("%x\r\n%s\r\n", bytes.size(), bytes)) &&
                (stops || SendAll(exchange.socket, "0\r\n\r\n"));
  if (!sent || !stops) return sent;
  if (order.fault == Fault::kStall) {
    char byte;
    recv(exchange.socket, &byte, 1, 0);
  }
  return false;
}

bool MockHub::SendPaced(int socket, std::string_view bytes) {
  constexpr auto kTurn = std::chrono::milliseconds(10);
  while (!bytes.empty()) {
    int64_t pace = 0;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return false;
      pace = pace_;
    }
    if (pace == 0) return SendAll(socket, bytes);
    const size_t part =
        std::min(bytes.size(), static_cast<size_t>(std::max<int64_t>(1, pace / 100)));
    if (!SendAll(socket, bytes.substr(0, part))) return false;
    bytes.remove_prefix(part);
    std::this_thread::sleep_for(kTurn);
  }
  return true;
}

bool MockHub::AnswerRows(Exchange& exchange) {
  const std::string id = QueryValue(exchange.query, "dataset");
  const std::string name =
      id + " " + QueryValue(exchange.query, "config") + " " + QueryValue(exchange.query, "split");
  const int64_t offset = ParseInt(QueryValue(exchange.query, "offset")).value_or(0);
  const int64_t length = ParseInt(QueryValue(exchange.query, "length")).value_or(100);
  SplitRows split;
  {
    const std::lock_guard lock(mutex_);
    const auto found = rows_.find(name);
    if (found == rows_.end() || length > 100) {
      const std::string body = "{\"error\":\"The split does not exist.\"}";
      return SendAll(exchange.socket,
                     Head(404, "application/json", static_cast<int64_t>(body.size()), "") + body);
    }
    split = found->second;
  }
  if (!MayRead(exchange, split.gated)) {
    return SendAll(exchange.socket, Head(401, "application/json", 0, ""));
  }
  const Order order = NextOrder();
  if (order.fault == Fault::kStatus) {
    const std::string more =
        order.retry_after < 0 ? "" : absl::StrFormat("Retry-After: %.0f\r\n", order.retry_after);
    return SendAll(exchange.socket, Head(order.status, "application/json", 0, more));
  }
  if (order.fault == Fault::kMoved) {
    const std::lock_guard lock(mutex_);
    rows_[name].revision = split.revision = std::string(40, '9');
    rows_[name].rows.push_back(split.rows.back());
    split = rows_[name];
  }
  std::string body = "{\"features\":[],\"rows\":[";
  const auto total = static_cast<int64_t>(split.rows.size());
  const int64_t end = order.fault == Fault::kNoRows ? offset : std::min(total, offset + length);
  for (int64_t i = offset; i < end; ++i) {
    const bool cut = order.fault == Fault::kCutCell && i == offset;
    body += absl::StrFormat("%s{\"row_idx\":%d,\"row\":%s,\"truncated_cells\":[%s]}",
                            i > offset ? "," : "", i, split.rows[static_cast<size_t>(i)],
                            cut ? "\"question\"" : "");
  }
  body += absl::StrFormat("],\"num_rows_total\":%d,\"num_rows_per_page\":100,\"partial\":false}",
                          total);
  const std::string more = split.revision.empty() ? "" : "X-Revision: " + split.revision + "\r\n";
  const std::string head = Head(200, "application/json", static_cast<int64_t>(body.size()), more);
  if (order.fault == Fault::kCut) {
    SendAll(exchange.socket, head + body.substr(0, static_cast<size_t>(order.after)));
    return false;
  }
  return SendAll(exchange.socket, head) && SendPaced(exchange.socket, body);
}

}  // namespace assay::mock_hub
