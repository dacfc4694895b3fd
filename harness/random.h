// Random numbers that are the same on every machine: xoshiro256** for our draws, and Python's
// Mersenne Twister to reproduce the permutations of published protocols.
//
// Plain values; one per thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace assay {

// xoshiro256** 1.0, its state filled by four outputs of splitmix64.
class Xoshiro256 {
 public:
  explicit Xoshiro256(uint64_t seed);
  uint64_t Next();
  // The high word of Next() * bound: in [0, bound), bound > 0. Bias below bound / 2^64.
  uint64_t Below(uint64_t bound);
  double Uniform();  // in [0, 1), 53 bits

 private:
  std::array<uint64_t, 4> state_;
};

// random.Random(seed) of CPython 3 for a non-negative integer seed: what simple-evals and others
// order their choices with.
class PythonRandom {
 public:
  explicit PythonRandom(uint64_t seed);
  uint32_t GetRandBits32();
  uint64_t GetRandBits(int bits);  // 1 to 64
  double Random();
  uint64_t Below(uint64_t bound);  // randrange(bound)
  // random.sample(range(population), count); count <= population.
  std::vector<int64_t> Sample(int64_t population, int64_t count);
  template <typename T>
  void Shuffle(std::vector<T>* values) {
    for (size_t i = values->size(); i-- > 1;) std::swap((*values)[i], (*values)[Below(i + 1)]);
  }

 private:
  void Refill();
  std::array<uint32_t, 624> state_;
  size_t next_ = 624;
};

// The order of the four choices of each GPQA row as simple-evals draws it: Random(0), one
// sample(range(4), 4) per row, the rows repeated `repeats` times. order[row][shown] = 0 for the
// correct answer, 1..3 for the incorrect ones.
std::vector<std::array<int, 4>> SimpleEvalsGpqaOrders(int rows, int repeats);

}  // namespace assay
