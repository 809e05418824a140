// Initial rows: pure functions of (seed, key), the right distributions, and bits that never change.
#include "table/initializer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "support/bits.h"
#include "support/scale.h"

namespace hotrow::test {
namespace {

std::vector<float> row_of(const InitializerOptions& options, uint64_t seed, uint64_t key,
                          size_t dim = 64) {
  std::vector<float> row(dim, -99.0F);
  Initializer(options, seed).fill(key, row);
  return row;
}

InitializerOptions uniform_between(float low, float high) {
  return {.kind = InitializerKind::kUniform, .low = low, .high = high};
}
InitializerOptions normal(float mean, float stddev) {
  return {.kind = InitializerKind::kNormal, .mean = mean, .stddev = stddev};
}
InitializerOptions truncated(float mean, float stddev) {
  return {.kind = InitializerKind::kTruncatedNormal, .mean = mean, .stddev = stddev};
}

std::vector<double> sample(const InitializerOptions& options) {
  std::vector<double> values;
  std::vector<float> row(50);
  const Initializer initializer(options, 123);
  for (uint64_t key = 0; key < 8000; ++key) {
    initializer.fill(key, row);
    values.insert(values.end(), row.begin(), row.end());
  }
  std::sort(values.begin(), values.end());
  return values;
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double x : values) sum += x;
  return sum / static_cast<double>(values.size());
}
double deviation_of(const std::vector<double>& values) {
  const double mean = mean_of(values);
  double sum = 0;
  for (const double x : values) sum += (x - mean) * (x - mean);
  return std::sqrt(sum / static_cast<double>(values.size()));
}
/// The greatest distance between the sample's distribution and `cumulative` (Kolmogorov, Smirnov).
template <class Cumulative>
double distance(const std::vector<double>& sorted, const Cumulative& cumulative) {
  double most = 0;
  const auto n = static_cast<double>(sorted.size());
  for (size_t i = 0; i < sorted.size(); ++i) {
    const double below = cumulative(sorted[i]);
    most = std::max({most, std::fabs(below - static_cast<double>(i) / n),
                     std::fabs(below - static_cast<double>(i + 1) / n)});
  }
  return most;
}
double below_normal(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

// 0.1 % of samples of this size are further away than this.
constexpr double kFar = 1.95 / 632.0;

TEST(Initializer, ZerosAndConstant) {
  EXPECT_EQ(row_of({}, 1, 2, 9), std::vector<float>(9, 0.0F));
  EXPECT_EQ(row_of({.kind = InitializerKind::kConstant, .value = 0.25F}, 1, 2, 9),
            std::vector<float>(9, 0.25F));
}

TEST(Initializer, IsAPureFunctionOfSeedAndKey) {
  for (const auto& options : {uniform_between(-1, 1), normal(0, 1), truncated(0, 1)}) {
    const Initializer shared(options, 77);
    for (const uint64_t key : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 40, UINT64_MAX}) {
      std::vector<float> row(64);
      shared.fill(key, row);
      EXPECT_TRUE(same_bits(row_of(options, 77, key), row));
      shared.fill(key, row);
      EXPECT_TRUE(same_bits(row_of(options, 77, key), row)) << "no state is kept";
    }
  }
}

TEST(Initializer, KeysSeedsAndPlacesDiffer) {
  const auto options = uniform_between(-1, 1);
  const std::vector<float> row = row_of(options, 5, 10);
  EXPECT_NE(row, row_of(options, 5, 11));
  EXPECT_NE(row, row_of(options, 6, 10));
  EXPECT_NE(row_of(options, 5, 6), row_of(options, 6, 5));
  EXPECT_NE(row_of(options, 0, 1), row_of(options, 1, 0));
  std::vector<float> sorted = row;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(std::unique(sorted.begin(), sorted.end()), sorted.end());
}

TEST(Initializer, UniformFillsItsInterval) {
  const std::vector<double> values = sample(uniform_between(-0.5F, 1.5F));
  EXPECT_GE(values.front(), -0.5);
  EXPECT_LT(values.back(), 1.5);
  EXPECT_LT(values.front(), -0.4999);
  EXPECT_GT(values.back(), 1.4999);
  EXPECT_NEAR(mean_of(values), 0.5, 0.004);
  EXPECT_NEAR(deviation_of(values), 2.0 / std::sqrt(12.0), 0.003);
  EXPECT_LT(distance(values, [](double x) { return (x + 0.5) / 2.0; }), kFar);
}

TEST(Initializer, UniformNeverReachesItsUpperEnd) {
  // Between neighbours nothing is left but the lower one.
  const float high = std::nextafterf(1.0F, 2.0F);
  for (const float value : row_of(uniform_between(1.0F, high), 3, 4, 1000)) EXPECT_EQ(value, 1.0F);
  for (const float value : row_of(uniform_between(-3e38F, 3e38F), 3, 4, 1000)) {
    EXPECT_TRUE(std::isfinite(value));
  }
}

TEST(Initializer, NormalHasItsMomentsAndShape) {
  const std::vector<double> values = sample(normal(2.0F, 3.0F));
  EXPECT_NEAR(mean_of(values), 2.0, 0.02);
  EXPECT_NEAR(deviation_of(values), 3.0, 0.015);
  EXPECT_LT(distance(values, [](double x) { return below_normal((x - 2.0) / 3.0); }), kFar);
  EXPECT_GT(values.back(), 2.0 + 3.0 * 4) << "400,000 draws pass four deviations";
}

TEST(Initializer, TruncatedNormalStopsAtTwoDeviations) {
  const std::vector<double> values = sample(truncated(-1.0F, 0.5F));
  EXPECT_GE(values.front(), -2.0);
  EXPECT_LE(values.back(), 0.0);
  EXPECT_LT(values.front(), -1.99);
  EXPECT_GT(values.back(), -0.01);
  EXPECT_NEAR(mean_of(values), -1.0, 0.003);
  // The deviation of a standard normal cut at two of its own.
  EXPECT_NEAR(deviation_of(values), 0.5 * 0.8796256610342398, 0.002);
  const double cut = below_normal(-2.0);
  const auto cumulative = [&](double x) {
    return (below_normal((x + 1.0) / 0.5) - cut) / (1.0 - 2.0 * cut);
  };
  EXPECT_LT(distance(values, cumulative), kFar);
}

TEST(Initializer, NoDeviationIsTheMean) {
  EXPECT_EQ(row_of(normal(0.5F, 0.0F), 1, 2), std::vector<float>(64, 0.5F));
  EXPECT_EQ(row_of(truncated(0.5F, 0.0F), 1, 2), std::vector<float>(64, 0.5F));
}

TEST(Initializer, NeighbouringKeysAreUncorrelated) {
  const Initializer initializer(normal(0, 1), 9);
  std::vector<float> a(32);
  std::vector<float> b(32);
  double along = 0;
  double across = 0;
  double n = 0;
  for (uint64_t key = 0; key < 4000; ++key) {
    initializer.fill(key, a);
    initializer.fill(key + 1, b);
    for (size_t i = 0; i < a.size(); ++i) across += static_cast<double>(a[i]) * b[i];
    for (size_t i = 1; i < a.size(); ++i) along += static_cast<double>(a[i]) * a[i - 1];
    n += 32;
  }
  EXPECT_NEAR(across / n, 0.0, 4 / std::sqrt(n));
  EXPECT_NEAR(along / n, 0.0, 4 / std::sqrt(n));
}

TEST(NormalQuantile, KnownValues) {
  const std::pair<double, double> known[] = {{0.5, 0.0},
                                             {0.75, 0.6744897501960817},
                                             {0.975, 1.959963984540054},
                                             {0.001, -3.090232306167813},
                                             {1e-10, -6.361340902404056},
                                             {1e-20, -9.262340089798408},
                                             {1e-300, -37.0470962993612}};
  for (const auto& [p, x] : known) {
    EXPECT_NEAR(normal_quantile(p), x, 1e-14 * std::max(1.0, std::fabs(x))) << p;
  }
}

TEST(NormalQuantile, IsOddAndRising) {
  double before = -100;
  for (int i = 1; i < 4096; ++i) {
    const double p = i / 4096.0;  // 1 - p is exact
    EXPECT_EQ(normal_quantile(p), -normal_quantile(1.0 - p)) << p;
    EXPECT_GT(normal_quantile(p), before);
    before = normal_quantile(p);
  }
}

TEST(NormalQuantile, InvertsTheDistribution) {
  for (int i = 1; i < 2000; ++i) {
    for (const double p : {i / 2000.0, std::ldexp(0.7, -i / 8)}) {
      EXPECT_NEAR(below_normal(normal_quantile(p)) / p, 1.0, 1e-12) << p;
    }
  }
}

}  // namespace
}  // namespace hotrow::test
