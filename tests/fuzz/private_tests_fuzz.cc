// LiveCodeBench's hidden tests from any bytes: no crash, nothing made but strings, damage is an
// error that names its place.
#include <cstdint>
#include <string>

#include "graders/code/private_tests.h"
#include "harness/json.h"
#include "harness/status.h"
#include "harness/text.h"

// The first byte says what the rest is: a pickle, base64, or a whole field.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 3 == 0) {
    const absl::StatusOr<std::string> text = assay::code::UnpickleText(bytes);
    // A text is a piece of the pickle; a dictionary's JSON can be six times as long, and no more.
    if (text.ok()) CHECK(text->size() <= 6 * bytes.size() + 2);
    if (!text.ok()) CHECK(assay::Contains(std::string(text.status().message()), "pickle"));
  } else if (data[0] % 3 == 1) {
    const absl::StatusOr<std::string> raw = assay::code::DecodeBase64(bytes);
    if (raw.ok()) CHECK(raw->size() <= bytes.size());
  } else {
    const absl::StatusOr<assay::Json> tests = assay::code::ReadPrivateTests(bytes, "row 1");
    if (tests.ok()) CHECK(tests->is_array());
    if (!tests.ok())
      CHECK(assay::Contains(std::string(tests.status().message()),
                            "row 1: field 'private_test_cases'"));
  }
  return 0;
}
