// Names of headers are alike in any case.
#include "tests/mock_server/http_text.h"

#include "harness/text.h"

namespace assay::mock_server {

std::string_view HeaderValue(std::string_view head, std::string_view name) {
  for (size_t at = head.find("\r\n"); at != head.npos;) {
    const size_t begin = at + 2;
    at = head.find("\r\n", begin);
    const std::string_view line = head.substr(begin, at == head.npos ? at : at - begin);
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    if (EqualsIgnoreCaseAscii(line.substr(0, name.size()), name)) {
      return Trim(line.substr(name.size() + 1));
    }
  }
  return "";
}

}  // namespace assay::mock_server
