// LiveCodeBench's hidden tests: base64 of zlib of a pickle of a JSON text.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "harness/json.h"

namespace assay::code {

// JSON as it is, or packed. The pickle is read by a machine that knows how to make a string (and a
// dictionary of strings) and nothing else; every other opcode is an error, so that no file can run
// code. At most 512 MB unpacked. `where` begins the messages.
absl::StatusOr<Json> ReadPrivateTests(std::string_view text, std::string_view where);

// The one string (or dictionary of strings, as a JSON text) that a pickle of protocol 2 to 5 holds.
absl::StatusOr<std::string> UnpickleText(std::string_view bytes);
absl::StatusOr<std::string> DecodeBase64(std::string_view text);

}  // namespace assay::code
