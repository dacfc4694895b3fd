// Hugging Face's hub as addresses: where files and rows are, who may see HF_TOKEN, and what a
// refusal means.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "harness/catalogue.h"
#include "http/client.h"

namespace assay::fetch {

struct Hub {
  std::string endpoint = "https://huggingface.co";                       // $HF_ENDPOINT
  std::string rows_endpoint = "https://datasets-server.huggingface.co";  // $HF_ROWS_ENDPOINT
  std::string token;                                                     // secret; $HF_TOKEN
};

absl::StatusOr<Hub> HubFromEnvironment();

std::string ResolveUrl(const Hub& hub, std::string_view id, std::string_view revision,
                       std::string_view path);
std::string RowsUrl(const Hub& hub, std::string_view id, std::string_view config,
                    std::string_view split, int64_t offset, int64_t length);

// "Authorization: ..." where this address is one of the hub's own (same scheme, host and port) and
// the way there is private (https, or this machine); else "".
std::string AuthorizationFor(const Hub& hub, std::string_view url);

// `url` without its query: signed addresses carry a key there.
std::string ShownUrl(std::string_view url);
// "https://host:port" of an address.
std::string OriginOf(std::string_view url);
// The token replaced, wherever it stands.
std::string Scrub(const Hub& hub, std::string text);

// What a reply of 400 or more means for this set, as an error that says what to do.
absl::Status RefusalError(const Hub& hub, const CatalogueEntry& entry, std::string_view url,
                          const http::Outcome& outcome);
// The same for a request that got no whole reply.
absl::Status TroubleError(const Hub& hub, std::string_view url, const http::Outcome& outcome);

// The headers that RefusalError reads.
inline constexpr const char* kErrorMessageHeader = "X-Error-Message";

}  // namespace assay::fetch
