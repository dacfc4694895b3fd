// The only file that includes Boost.Math; its errors become NaN.
#include "harness/distributions.h"

#include <boost/math/distributions/beta.hpp>
#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>

namespace assay {
namespace {

namespace policies = boost::math::policies;
using Quiet = policies::policy<policies::domain_error<policies::ignore_error>,
                               policies::pole_error<policies::ignore_error>,
                               policies::overflow_error<policies::ignore_error>,
                               policies::evaluation_error<policies::ignore_error>,
                               policies::rounding_error<policies::ignore_error>>;
using Normal = boost::math::normal_distribution<double, Quiet>;
using Student = boost::math::students_t_distribution<double, Quiet>;
using ChiSquared = boost::math::chi_squared_distribution<double, Quiet>;
using Beta = boost::math::beta_distribution<double, Quiet>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

double NormalCdf(double x) {
  if (std::isinf(x)) return x < 0 ? 0 : 1;
  return boost::math::cdf(Normal(), x);
}

double NormalQuantile(double p) {
  if (p == 0 || p == 1) return p == 0 ? -kInfinity : kInfinity;
  return boost::math::quantile(Normal(), p);
}

double StudentCdf(double t, double degrees_of_freedom) {
  if (std::isinf(t)) return t < 0 ? 0 : 1;
  return boost::math::cdf(Student(degrees_of_freedom), t);
}

double StudentQuantile(double p, double degrees_of_freedom) {
  if (p == 0 || p == 1) return p == 0 ? -kInfinity : kInfinity;
  return boost::math::quantile(Student(degrees_of_freedom), p);
}

double ChiSquaredUpper(double x, double degrees_of_freedom) {
  if (x <= 0) return 1;
  return boost::math::cdf(boost::math::complement(ChiSquared(degrees_of_freedom), x));
}

double BetaQuantile(double p, double a, double b) { return boost::math::quantile(Beta(a, b), p); }

}  // namespace assay
