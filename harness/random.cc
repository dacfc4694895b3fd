// xoshiro256** (Blackman, Vigna 2018), and MT19937 as CPython seeds and reads it.
#include "harness/random.h"

#include <bit>
#include <cmath>
#include <unordered_set>

#include "harness/status.h"

namespace assay {
namespace {

uint64_t SplitMix64(uint64_t* state) {
  *state += 0x9e3779b97f4a7c15;
  uint64_t z = *state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

Xoshiro256::Xoshiro256(uint64_t seed) {
  for (uint64_t& word : state_) word = SplitMix64(&seed);
}

uint64_t Xoshiro256::Next() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

uint64_t Xoshiro256::Below(uint64_t bound) {
  return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * bound) >> 64);
}

double Xoshiro256::Uniform() { return static_cast<double>(Next() >> 11) * 0x1p-53; }

PythonRandom::PythonRandom(uint64_t seed) {
  state_[0] = 19650218;
  for (size_t i = 1; i < state_.size(); ++i) {
    state_[i] = 1812433253U * (state_[i - 1] ^ (state_[i - 1] >> 30)) + static_cast<uint32_t>(i);
  }
  // CPython's init_by_array, with the seed's 32-bit words, lowest first, as the key.
  std::vector<uint32_t> key = {static_cast<uint32_t>(seed)};
  if (seed >> 32 != 0) key.push_back(static_cast<uint32_t>(seed >> 32));
  size_t i = 1;
  size_t j = 0;
  const auto advance = [&] {
    if (++i == state_.size()) {
      state_[0] = state_.back();
      i = 1;
    }
  };
  for (size_t step = 0; step < state_.size(); ++step) {
    state_[i] = (state_[i] ^ ((state_[i - 1] ^ (state_[i - 1] >> 30)) * 1664525U)) + key[j] +
                static_cast<uint32_t>(j);
    advance();
    j = (j + 1) % key.size();
  }
  for (size_t step = 1; step < state_.size(); ++step) {
    state_[i] = (state_[i] ^ ((state_[i - 1] ^ (state_[i - 1] >> 30)) * 1566083941U)) -
                static_cast<uint32_t>(i);
    advance();
  }
  state_[0] = 0x80000000U;
}

void PythonRandom::Refill() {
  const size_t n = state_.size();
  for (size_t i = 0; i < n; ++i) {
    const uint32_t mixed = (state_[i] & 0x80000000U) | (state_[(i + 1) % n] & 0x7fffffffU);
    state_[i] = state_[(i + 397) % n] ^ (mixed >> 1) ^ ((mixed & 1U) != 0 ? 0x9908b0dfU : 0U);
  }
  next_ = 0;
}

uint32_t PythonRandom::GetRandBits32() {
  if (next_ == state_.size()) Refill();
  uint32_t value = state_[next_++];
  value ^= value >> 11;
  value ^= (value << 7) & 0x9d2c5680U;
  value ^= (value << 15) & 0xefc60000U;
  return value ^ (value >> 18);
}

uint64_t PythonRandom::GetRandBits(int bits) {
  CHECK(bits >= 1 && bits <= 64);
  if (bits <= 32) return GetRandBits32() >> (32 - bits);
  const uint64_t low = GetRandBits32();
  return low | (uint64_t{GetRandBits32() >> (64 - bits)} << 32);
}

double PythonRandom::Random() {
  const uint32_t high = GetRandBits32() >> 5;
  const uint32_t low = GetRandBits32() >> 6;
  return (high * 67108864.0 + low) * 0x1p-53;
}

uint64_t PythonRandom::Below(uint64_t bound) {
  CHECK(bound > 0);
  const int bits = std::bit_width(bound);
  uint64_t value = GetRandBits(bits);
  while (value >= bound) value = GetRandBits(bits);
  return value;
}

std::vector<int64_t> PythonRandom::Sample(int64_t population, int64_t count) {
  CHECK(count >= 0 && count <= population);
  // CPython draws from a shrinking pool where a set would cost more memory, else rejects repeats:
  // the two consume different numbers, so the border matters.
  double set_size = 21;
  if (count > 5) {
    set_size += std::pow(4, std::ceil(std::log(static_cast<double>(count) * 3) / std::log(4.0)));
  }
  std::vector<int64_t> result;
  if (static_cast<double>(population) <= set_size) {
    std::vector<int64_t> pool(static_cast<size_t>(population));
    for (int64_t i = 0; i < population; ++i) pool[static_cast<size_t>(i)] = i;
    for (int64_t i = 0; i < count; ++i) {
      const size_t drawn = Below(static_cast<uint64_t>(population - i));
      result.push_back(pool[drawn]);
      pool[drawn] = pool[static_cast<size_t>(population - i - 1)];
    }
    return result;
  }
  std::unordered_set<int64_t> taken;
  while (static_cast<int64_t>(result.size()) < count) {
    const auto drawn = static_cast<int64_t>(Below(static_cast<uint64_t>(population)));
    if (taken.insert(drawn).second) result.push_back(drawn);
  }
  return result;
}

std::vector<std::array<int, 4>> SimpleEvalsGpqaOrders(int rows, int repeats) {
  PythonRandom random(0);
  std::vector<std::array<int, 4>> orders(static_cast<size_t>(rows) * static_cast<size_t>(repeats));
  for (std::array<int, 4>& order : orders) {
    const std::vector<int64_t> drawn = random.Sample(4, 4);
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(drawn[i]);
  }
  return orders;
}

}  // namespace assay
