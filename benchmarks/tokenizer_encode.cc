// Encodes documents for benchmarks/tokenizer_compare.py: tokenizer.json and a file of documents in,
// ids and the time out.
//
// usage: tokenizer_encode TOKENIZER DOCUMENTS IDS
// DOCUMENTS: for each document its length in bytes as 64 bits little-endian, then its text. IDS:
// for each document the number of ids as 32 bits, then the ids. Prints the seconds spent in Encode.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "inference/engine/tokenizer.h"

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const auto tokenizer = assay::Tokenizer::Open(argv[1]);
  if (!tokenizer.ok()) {
    std::fprintf(stderr, "%s\n", std::string(tokenizer.status().message()).c_str());
    return 1;
  }
  std::ifstream in(argv[2], std::ios::binary);
  const std::string documents{std::istreambuf_iterator<char>(in), {}};
  std::ofstream out(argv[3], std::ios::binary);
  std::chrono::duration<double> spent{0};
  for (size_t at = 0; at + 8 <= documents.size();) {
    uint64_t length = 0;
    std::memcpy(&length, documents.data() + at, 8);
    const std::string_view text = std::string_view(documents).substr(at + 8, length);
    const auto begin = std::chrono::steady_clock::now();
    const std::vector<int> ids = (*tokenizer)->Encode(text, true);
    spent += std::chrono::steady_clock::now() - begin;
    const auto count = static_cast<int32_t>(ids.size());
    out.write(reinterpret_cast<const char*>(&count), sizeof count);
    out.write(reinterpret_cast<const char*>(ids.data()),
              static_cast<std::streamsize>(ids.size() * sizeof(int)));
    at += 8 + length;
  }
  std::printf("%.6f\n", spent.count());
  return out.good() ? 0 : 1;
}
