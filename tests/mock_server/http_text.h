// A request's head as text, for the mock servers.
#pragma once

#include <string_view>

namespace assay::mock_server {

// The value of a header, or "". `head`: from the request line on.
std::string_view HeaderValue(std::string_view head, std::string_view name);

}  // namespace assay::mock_server
