// Tokens go to the hub alone: everything that is shown passes Scrub, and no header is kept.
#include "fetch/hub.h"

#include <cstdlib>

#include "harness/json.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay::fetch {
namespace {

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : std::string(Trim(value));
}

absl::Status TakeEndpoint(const char* name, std::string* endpoint) {
  std::string value = Environment(name);
  if (value.empty()) return absl::OkStatus();
  while (value.ends_with("/")) value.pop_back();
  const std::string origin = OriginOf(value);
  // The value is not shown: somebody may have written a password into it.
  if (origin.empty() || Contains(origin, "@") || value.find_first_of("?# \t\"<>") != value.npos) {
    return InvalidArgument("$%s: expected http(s)://HOST[:PORT][/PATH], without user and password",
                           name);
  }
  *endpoint = std::move(value);
  return absl::OkStatus();
}

bool IsUnreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

// RFC 3986's percent-encoding; `kept` stays as it is.
std::string Encode(std::string_view text, std::string_view kept) {
  std::string encoded;
  for (const char c : text) {
    if (IsUnreserved(c) || Contains(kept, std::string_view(&c, 1))) {
      encoded += c;
    } else {
      encoded += absl::StrFormat("%%%02X", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

bool IsPrivateWay(std::string_view origin) {
  if (origin.starts_with("https://")) return true;
  for (const std::string_view host : {"http://127.", "http://localhost", "http://[::1]"}) {
    if (origin.starts_with(host)) return true;
  }
  return false;
}

// What the server said went wrong: the hub's header, or an "error" in a JSON body.
std::string Said(const http::Outcome& outcome) {
  const auto header = outcome.headers.find(kErrorMessageHeader);
  std::string said = header == outcome.headers.end() ? "" : header->second;
  if (said.empty() && outcome.body.starts_with("{")) {
    const absl::StatusOr<Json> json = ParseJson(outcome.body);
    if (json.ok()) said = json->FindString("error").value_or("");
  }
  if (said.empty()) return "";
  return ": " + Printable(Shorten(said, 300));
}

std::string PageOf(const Hub& hub, const CatalogueEntry& entry) {
  if (!entry.page.empty()) return entry.page;
  if (!entry.hub_id.empty()) return hub.endpoint + "/datasets/" + entry.hub_id;
  return entry.origin;
}

}  // namespace

absl::StatusOr<Hub> HubFromEnvironment() {
  Hub hub;
  RETURN_IF_ERROR(TakeEndpoint("HF_ENDPOINT", &hub.endpoint));
  RETURN_IF_ERROR(TakeEndpoint("HF_ROWS_ENDPOINT", &hub.rows_endpoint));
  hub.token = Environment("HF_TOKEN");
  for (const char c : hub.token) {
    if (c > ' ' && c <= '~') continue;
    return InvalidArgument("$HF_TOKEN: a token is letters, digits and _, on one line");
  }
  return hub;
}

std::string ResolveUrl(const Hub& hub, std::string_view id, std::string_view revision,
                       std::string_view path) {
  return absl::StrFormat("%s/datasets/%s/resolve/%s/%s", hub.endpoint, Encode(id, "/"),
                         Encode(revision, ""), Encode(path, "/"));
}

std::string RowsUrl(const Hub& hub, std::string_view id, std::string_view config,
                    std::string_view split, int64_t offset, int64_t length) {
  return absl::StrFormat("%s/rows?dataset=%s&config=%s&split=%s&offset=%d&length=%d",
                         hub.rows_endpoint, Encode(id, ""), Encode(config, ""), Encode(split, ""),
                         offset, length);
}

std::string OriginOf(std::string_view url) {
  const std::string lower = ToLowerAscii(url.substr(0, 8));
  const size_t begin = lower.starts_with("https://") ? 8 : lower.starts_with("http://") ? 7 : 0;
  if (begin == 0) return "";
  const std::string_view host = url.substr(begin, url.find_first_of("/?#\\", begin) - begin);
  if (host.empty()) return "";
  std::string origin = ToLowerAscii(url.substr(0, begin)) + ToLowerAscii(host);
  // The default port written out is the same origin.
  const std::string_view port = begin == 8 ? ":443" : ":80";
  if (origin.ends_with(port)) origin.resize(origin.size() - port.size());
  return origin;
}

std::string AuthorizationFor(const Hub& hub, std::string_view url) {
  if (hub.token.empty()) return "";
  const std::string origin = OriginOf(url);
  const bool own = origin == OriginOf(hub.endpoint) || origin == OriginOf(hub.rows_endpoint);
  return own && IsPrivateWay(origin) ? "Authorization: Bearer " + hub.token : "";
}

std::string ShownUrl(std::string_view url) {
  return Printable(Shorten(url.substr(0, url.find_first_of("?#")), 300));
}

std::string Scrub(const Hub& hub, std::string text) {
  return hub.token.empty() ? text : ReplaceAll(text, hub.token, "[HF_TOKEN]");
}

absl::Status RefusalError(const Hub& hub, const CatalogueEntry& entry, std::string_view url,
                          const http::Outcome& outcome) {
  const std::string where =
      absl::StrFormat("%s: %s", ShownUrl(url), http::StatusText(outcome.status)) + Said(outcome);
  const std::string page = PageOf(hub, entry);
  std::string what;
  absl::StatusCode code = absl::StatusCode::kPermissionDenied;
  if (outcome.status == 401 && hub.token.empty()) {
    what = absl::StrFormat(
        "; the set is gated or not public: accept its terms at %s, make a token at "
        "https://huggingface.co/settings/tokens, and set the variable HF_TOKEN to it",
        page);
  } else if (outcome.status == 401) {
    what = AuthorizationFor(hub, url).empty()
               ? "; HF_TOKEN is set, but goes over https and to the hub only"
               : "; the token in HF_TOKEN was not taken: is it whole, and still valid?";
  } else if (outcome.status == 403) {
    what = absl::StrFormat(
        "; the account of this token may not read the set yet: accept its terms at %s%s", page,
        hub.token.empty() ? ", and set the variable HF_TOKEN"
                          : "; a fine-grained token (HF_TOKEN) must also be allowed to read gated "
                            "repositories");
  } else if (outcome.status == 404 || outcome.status == 410) {
    code = absl::StatusCode::kNotFound;
    what = "; the file or revision is not there (any more): see " + page +
           ", and import the file by hand (`assay datasets import FILE --as " + entry.name + "`)";
  } else {
    code = absl::StatusCode::kUnavailable;
  }
  return absl::Status(code, Scrub(hub, where + what));
}

absl::Status TroubleError(const Hub& hub, std::string_view url, const http::Outcome& outcome) {
  const std::string host = OriginOf(url);
  std::string what;
  switch (outcome.trouble) {
    case http::Trouble::kConnect:
      what = absl::StrFormat(
          "%s cannot be reached: %s. Behind a proxy, set HTTPS_PROXY; for a mirror, HF_ENDPOINT; "
          "without a network, copy the file here and use `assay datasets import`",
          host, outcome.error);
      break;
    case http::Trouble::kTls:
      what = absl::StrFormat("%s: its certificate was refused: %s", host, outcome.error);
      break;
    case http::Trouble::kTimeout:
      what = absl::StrFormat("%s did not begin to answer in time", host);
      break;
    case http::Trouble::kStall:
      what = absl::StrFormat("%s sent nothing more in the middle of the file", host);
      break;
    case http::Trouble::kTooLarge:
      what = absl::StrFormat("%s: the reply is longer than is read", ShownUrl(url));
      break;
    default:
      what = absl::StrFormat("%s: the connection broke: %s", host, outcome.error);
  }
  return absl::UnavailableError(Scrub(hub, what));
}

}  // namespace assay::fetch
