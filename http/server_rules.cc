// Who is answered: the Host, Origin and Sec-Fetch-Site of a request, its method and its target.
#include <algorithm>
#include <cctype>

#include "absl/strings/str_format.h"
#include "harness/text.h"
#include "http/server.h"

namespace assay::http {
namespace {

std::vector<std::string> ValuesOf(const RequestHead& head, std::string_view name) {
  std::vector<std::string> values;
  for (const auto& [known, value] : head.headers) {
    if (EqualsIgnoreCaseAscii(known, name)) values.emplace_back(Trim(value));
  }
  return values;
}

// The names under which this server is reached; browsers leave out the port 80.
bool IsOurName(std::string_view host, int port) {
  for (const char* name : {"127.0.0.1", "localhost"}) {
    if (EqualsIgnoreCaseAscii(host, absl::StrFormat("%s:%d", name, port))) return true;
    if (port == 80 && EqualsIgnoreCaseAscii(host, name)) return true;
  }
  return false;
}

std::optional<ServedReply> WrongHost(const RequestHead& head, int port) {
  const std::vector<std::string> hosts = ValuesOf(head, "Host");
  if (hosts.size() != 1) {
    return PlainReply(400, absl::StrFormat("expected one Host header, found %d", hosts.size()));
  }
  if (IsOurName(hosts[0], port)) return std::nullopt;
  return PlainReply(403,
                    absl::StrFormat("This is 127.0.0.1:%d and localhost:%d; it does not answer as "
                                    "'%s'. (A port that is forwarded must be the same on both "
                                    "sides.)",
                                    port, port, Printable(Shorten(hosts[0], 200))));
}

std::optional<ServedReply> FromElsewhere(const RequestHead& head, const std::string& host) {
  for (const std::string& origin : ValuesOf(head, "Origin")) {
    if (EqualsIgnoreCaseAscii(origin, "http://" + host)) continue;
    return PlainReply(
        403, absl::StrFormat("It does not answer pages of '%s'.", Printable(Shorten(origin, 200))));
  }
  for (const std::string& site : ValuesOf(head, "Sec-Fetch-Site")) {
    if (site == "same-origin" || site == "none") continue;
    return PlainReply(
        403,
        "It does not answer what comes from other sites. If you followed a link: copy "
        "the address into the browser's address bar.");
  }
  return std::nullopt;
}

std::optional<int> HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

// `plus_is_blank`: in a query, as forms write it.
std::optional<std::string> PercentDecode(std::string_view text, bool plus_is_blank) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_blank) {
      decoded += ' ';
    } else if (text[i] != '%') {
      decoded += text[i];
    } else {
      if (i + 2 >= text.size()) return std::nullopt;
      const std::optional<int> high = HexDigit(text[i + 1]), low = HexDigit(text[i + 2]);
      if (!high || !low) return std::nullopt;
      decoded += static_cast<char>(*high * 16 + *low);
      i += 2;
    }
  }
  return decoded;
}

bool IsVisibleAscii(char c) { return c > ' ' && c < 0x7f; }

}  // namespace

ServedReply PlainReply(int status, std::string text) {
  ServedReply reply;
  reply.status = status;
  reply.body = std::move(text) + "\n";
  return reply;
}

std::optional<ServedReply> RefusalOf(const RequestHead& head, int port) {
  if (std::optional<ServedReply> wrong = WrongHost(head, port)) return wrong;
  if (std::optional<ServedReply> wrong = FromElsewhere(head, ValuesOf(head, "Host")[0])) {
    return wrong;
  }
  if (head.method != "GET" && head.method != "HEAD") {
    return PlainReply(405, absl::StrFormat("expected GET or HEAD, found %s",
                                           Printable(Shorten(head.method, 40))));
  }
  if (!ParseTarget(head.target)) return PlainReply(400, "the address cannot be read");
  return std::nullopt;
}

std::optional<ServedRequest> ParseTarget(std::string_view target) {
  if (!target.starts_with('/')) return std::nullopt;
  if (!std::all_of(target.begin(), target.end(), IsVisibleAscii)) return std::nullopt;
  target = target.substr(0, target.find('#'));
  const size_t mark = target.find('?');
  ServedRequest request;
  const std::optional<std::string> path = PercentDecode(target.substr(0, mark), false);
  if (!path) return std::nullopt;
  request.path = *path;
  if (mark == std::string_view::npos || mark + 1 == target.size()) return request;
  for (const std::string_view piece : Split(target.substr(mark + 1), '&')) {
    const size_t equals = std::min(piece.find('='), piece.size());
    const std::optional<std::string> name = PercentDecode(piece.substr(0, equals), true);
    const std::optional<std::string> value =
        PercentDecode(piece.substr(std::min(equals + 1, piece.size())), true);
    if (!name || !value) return std::nullopt;
    request.query.emplace_back(*name, *value);
  }
  return request;
}

std::string PercentEncode(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 && (std::isalnum(byte) != 0 || Contains("-._~", {&c, 1}))) {
      encoded += c;
    } else {
      encoded += absl::StrFormat("%%%02X", byte);
    }
  }
  return encoded;
}

}  // namespace assay::http
