// The statistics: every number with its interval. The only maker of an Estimate.
//
// Formulas and their oracles: tests/statistics_test.cc. All functions are pure and thread-safe;
// what is drawn at random is drawn by a seeded xoshiro256**.
#pragma once

#include <cstdint>
#include <string>

namespace assay {

// A value with its error. Only harness/statistics.cc builds one, so no number goes without its
// interval.
class Estimate {
 public:
  double value() const { return value_; }
  double standard_error() const { return standard_error_; }
  double low() const { return low_; }
  double high() const { return high_; }
  double level() const { return level_; }  // 0.95
  int64_t problems() const { return problems_; }
  int64_t samples() const { return samples_; }
  const std::string& method() const { return method_; }  // "mean over problems, t interval"

 private:
  friend class EstimateMaker;  // defined in statistics.cc
  Estimate() = default;
  double value_ = 0, standard_error_ = 0, low_ = 0, high_ = 0, level_ = 0.95;
  int64_t problems_ = 0, samples_ = 0;
  std::string method_;
};

}  // namespace assay
