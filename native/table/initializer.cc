#include "table/initializer.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/hash.h"

namespace hotrow {

namespace {

// splitmix64's increment: 2^64 divided by the golden ratio, odd.
constexpr uint64_t kGolden = 0x9e3779b97f4a7c15U;

template <size_t kTerms>
double polynomial(const double (&coefficients)[kTerms], double x) {
  double sum = coefficients[kTerms - 1];
  for (size_t i = kTerms - 1; i-- > 0;) sum = sum * x + coefficients[i];
  return sum;
}

// Natural logarithm of a positive normal number by 2 atanh((m - 1) / (m + 1)), within 1e-13: the
// library's log differs between libm versions and processors.
double exact_log(double x) {
  constexpr double kLn2 = 0.693147180559945309417;
  const auto bits = std::bit_cast<uint64_t>(x);
  auto exponent = static_cast<int>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0x000fffffffffffffU) | 0x3ff0000000000000U);
  if (m > 1.41421356237309504880) {
    m *= 0.5;
    ++exponent;
  }
  static constexpr double kOdd[] = {1.0,     1.0 / 3,  1.0 / 5,  1.0 / 7,
                                    1.0 / 9, 1.0 / 11, 1.0 / 13, 1.0 / 15};
  const double s = (m - 1.0) / (m + 1.0);
  return 2.0 * s * polynomial(kOdd, s * s) + exponent * kLn2;
}

// Coefficients of AS 241: centre, tails, far tails; numerator and denominator.
constexpr double kCentre[] = {3.3871328727963666080e0,  1.3314166789178437745e+2,
                              1.9715909503065514427e+3, 1.3731693765509461125e+4,
                              4.5921953931549871457e+4, 6.7265770927008700853e+4,
                              3.3430575583588128105e+4, 2.5090809287301226727e+3};
constexpr double kCentreBelow[] = {1.0,
                                   4.2313330701600911252e+1,
                                   6.8718700749205790830e+2,
                                   5.3941960214247511077e+3,
                                   2.1213794301586595867e+4,
                                   3.9307895800092710610e+4,
                                   2.8729085735721942674e+4,
                                   5.2264952788528545610e+3};
constexpr double kTail[] = {1.42343711074968357734e0,  4.63033784615654529590e0,
                            5.76949722146069140550e0,  3.64784832476320460504e0,
                            1.27045825245236838258e0,  2.41780725177450611770e-1,
                            2.27238449892691845833e-2, 7.74545014278341407640e-4};
constexpr double kTailBelow[] = {1.0,
                                 2.05319162663775882187e0,
                                 1.67638483018380384940e0,
                                 6.89767334985100004550e-1,
                                 1.48103976427480074590e-1,
                                 1.51986665636164571966e-2,
                                 5.47593808499534494600e-4,
                                 1.05075007164441684324e-9};
constexpr double kFarTail[] = {6.65790464350110377720e0,  5.46378491116411436990e0,
                               1.78482653991729133580e0,  2.96560571828504891230e-1,
                               2.65321895265761230930e-2, 1.24266094738807843860e-3,
                               2.71155556874348757815e-5, 2.01033439929228813265e-7};
constexpr double kFarTailBelow[] = {1.0,
                                    5.99832206555887937690e-1,
                                    1.36929880922735805310e-1,
                                    1.48753612908506148525e-2,
                                    7.86869131145613259100e-4,
                                    1.84631831751005468180e-5,
                                    1.42151175831644588870e-7,
                                    2.04426310338993978564e-15};

/// A double in (0, 1), never an end, from the upper 53 bits.
double unit_interval(uint64_t draw) { return (static_cast<double>(draw >> 11) + 0.5) * 0x1.0p-53; }

}  // namespace

double normal_quantile(double p) {
  const double q = p - 0.5;
  if (std::fabs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * polynomial(kCentre, r) / polynomial(kCentreBelow, r);
  }
  const double r = std::sqrt(-exact_log(q < 0 ? p : 1.0 - p));
  const double x = r <= 5.0 ? polynomial(kTail, r - 1.6) / polynomial(kTailBelow, r - 1.6)
                            : polynomial(kFarTail, r - 5.0) / polynomial(kFarTailBelow, r - 5.0);
  return q < 0 ? -x : x;
}

void Initializer::fill(uint64_t key, std::span<float> row, uint64_t first) const {
  // Mass of the standard normal distribution below -2.
  constexpr double kBelowTwoDeviations = 0.022750131948179207;
  // One draw a value.
  uint64_t state = mix64(mix64(key) ^ seed_) + first * kGolden;
  const auto draw = [&state] { return mix64(state += kGolden); };
  switch (options_.kind) {
    case InitializerKind::kZeros:
      std::fill(row.begin(), row.end(), 0.0F);
      return;
    case InitializerKind::kConstant:
      std::fill(row.begin(), row.end(), options_.value);
      return;
    case InitializerKind::kUniform: {
      const double low = options_.low;
      const double width = static_cast<double>(options_.high) - low;
      // Rounding to f32 may reach `high`, which the interval leaves out.
      const float most = std::nextafterf(options_.high, options_.low);
      for (float& value : row) {
        value = std::min(static_cast<float>(low + width * unit_interval(draw())), most);
      }
      return;
    }
    case InitializerKind::kNormal:
      for (float& value : row) {
        const double x = normal_quantile(unit_interval(draw()));
        value = static_cast<float>(options_.mean + options_.stddev * x);
      }
      return;
    case InitializerKind::kTruncatedNormal:
      for (float& value : row) {
        const double p =
            kBelowTwoDeviations + (1.0 - 2.0 * kBelowTwoDeviations) * unit_interval(draw());
        const double x = std::clamp(normal_quantile(p), -2.0, 2.0);
        value = static_cast<float>(options_.mean + options_.stddev * x);
      }
      return;
  }
}

}  // namespace hotrow
