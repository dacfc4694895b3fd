// Rows from any bytes: no crash, no endless loop, and the same rows whatever the read sizes.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "harness/rows.h"
#include "harness/status.h"

namespace {

class Bytes final : public assay::ByteSource {
 public:
  Bytes(std::string bytes, size_t step) : bytes_(std::move(bytes)), step_(step) {}
  absl::StatusOr<size_t> Read(char* buffer, size_t capacity) override {
    const size_t size = std::min({step_, capacity, bytes_.size() - at_});
    bytes_.copy(buffer, size, at_);
    at_ += size;
    return size;
  }

 private:
  std::string bytes_;
  size_t step_;
  size_t at_ = 0;
};

std::string ReadAs(const char* name, const std::string& bytes, size_t step) {
  auto reader = assay::OpenRows(std::make_unique<Bytes>(bytes, step), name);
  CHECK(reader.ok());
  std::string all;
  for (size_t rows = 0; rows <= bytes.size() + 1; ++rows) {
    const auto row = (*reader)->Next();
    if (!row.ok()) return all + std::string(row.status().message());
    if (!row->has_value()) return all;
    CHECK((*row)->fields.is_object());
    all += std::to_string((*row)->line) + (*row)->fields.Dump() + "\n";
  }
  CHECK(false && "more rows than bytes");
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  static constexpr std::array<const char*, 4> kNames = {"f.jsonl", "f.json", "f.csv", "f.tsv"};
  const char* name = kNames[data[0] % kNames.size()];
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string whole = ReadAs(name, bytes, 1 << 20);
  CHECK(whole == ReadAs(name, bytes, 1 + data[0] / 4 % 16));
  return 0;
}
