// Distribution functions and their quantiles: normal, Student's t, chi-squared, beta.
//
// Pure and thread-safe. Outside a function's domain the result is NaN, never an exception.
#pragma once

namespace assay {

double NormalCdf(double x);
double NormalQuantile(double p);
double StudentCdf(double t, double degrees_of_freedom);
double StudentQuantile(double p, double degrees_of_freedom);
double ChiSquaredUpper(double x, double degrees_of_freedom);  // P(X > x)
double BetaQuantile(double p, double a, double b);

}  // namespace assay
