// Hashes: SHA-256 for fingerprints, and a 64-bit mix of it for seeds and orders.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace assay {

// FIPS 180-4. Not thread-safe; one per stream.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void Update(std::string_view bytes);
  std::string HexDigest();  // 64 lower-case digits; ends the stream

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string Sha256Hex(std::string_view bytes);
// The first 8 bytes of the SHA-256, big-endian: equal on every machine and in every version.
uint64_t Hash64(std::string_view bytes);

}  // namespace assay
