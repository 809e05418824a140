// Stochastic rounding: reproducible, unbiased and within the type's range, on every instruction
// set.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "simd/convert_kernels.h"
#include "support/scale.h"
#include "support/value_rows.h"

namespace hotrow::test {
namespace {

constexpr size_t kDim = 64;

/// For each of kDim lanes and each of `rows` rows: was x rounded up? Lane by lane in a row.
std::vector<uint8_t> ups(ValueType type, float x, size_t rows) {
  const std::vector<float> values(kDim, x);
  const uint16_t down =
      format_of(type).pattern(x, std::floor(x / format_of(type).unit(x)), format_of(type).unit(x));
  std::vector<uint8_t> result;
  for (size_t r = 0; r < rows; ++r) {
    const Bytes row = encode_by_chance(value_kernels(type), type, values, r);
    for (size_t i = 0; i < kDim; ++i) {
      const auto pattern = read_at<uint16_t>(row, 2 * i);
      EXPECT_TRUE(pattern == down || pattern == down + 1) << pattern << " of " << x;
      result.push_back(pattern == down ? 0 : 1);
    }
  }
  return result;
}

/// Five standard deviations around the number of successes of n trials.
testing::AssertionResult likely(double successes, double n, double probability) {
  const double deviation = std::sqrt(n * probability * (1 - probability));
  const double off = std::fabs(successes - n * probability);
  if (off <= 5 * deviation + 1e-9) return testing::AssertionSuccess();
  return testing::AssertionFailure() << successes << " of " << n << " at " << probability << ": "
                                     << off / deviation << " standard deviations off";
}

/// Values whose fraction of a unit is known: a place, and the fraction.
std::vector<float> values_with_fraction(ValueType type, double fraction) {
  const HalfFormat& format = format_of(type);
  std::vector<float> values;
  for (const double place : {1.0, 1.75, 0x1p-10, 1000.0, 0x1p-14, 0x1p-15, 0x1.8p-20, 0x1p-24, 0.0,
                             0x1p-126, 0x1p-130}) {
    const double value = place + fraction * format.unit(place);
    const auto x = static_cast<float>(value);
    const bool exact = double{x} == value && x / format.unit(x) >= 0;
    if (exact && std::fmod(place, format.unit(place)) == 0) values.push_back(x);
  }
  return values;
}

TEST(Stochastic, SameBitsOnEveryInstructionSetAsWritten) {
  for (const ValueType type : kHalves) {
    on_every_target(type, [&](const ValueKernels& kernels) {
      Random random(1);
      for (size_t dim = 1; dim <= 130; ++dim) {
        const std::vector<float> x = mixed_values(random, dim);
        const uint64_t number = random.next();
        const Bytes row = encode_by_chance(kernels, type, x, number);
        for (uint32_t i = 0; i < dim; ++i) {
          const uint16_t expected = by_chance(format_of(type), x[i], chance_of(number, i));
          ASSERT_EQ(read_at<uint16_t>(row, 2 * size_t{i}), expected)
              << std::hexfloat << x[i] << " at " << i << " of " << dim;
        }
        if (dim % 2 == 1) {
          ASSERT_EQ(read_at<uint16_t>(row, 2 * dim), 0);
        }
      }
    });
  }
}

TEST(Stochastic, GoesUpAsOftenAsTheFractionSays) {
  const size_t rows = scaled(1500);
  for (const ValueType type : kHalves) {
    for (const double fraction : {0.5, 0.25, 0.75, 0.125, 0.9375, 0x1p-7}) {
      const auto values = values_with_fraction(type, fraction);
      ASSERT_GE(values.size(), 6U);
      for (const float x : values) {
        double up = 0;
        for (const uint8_t each : ups(type, x, rows)) up += each;
        EXPECT_TRUE(likely(up, static_cast<double>(rows * kDim), fraction))
            << name_of(type) << " " << std::hexfloat << x;
      }
    }
  }
}

TEST(Stochastic, TheMeanOfManyIsTheValue) {
  Random random(2);
  const size_t rows = scaled(2000);
  for (const ValueType type : kHalves) {
    for (int trial = 0; trial < 20; ++trial) {
      const float x = random.real() * std::ldexp(1.0F, -static_cast<int>(random.below(24)));
      const std::vector<float> values(kDim, x);
      double sum = 0;
      for (size_t r = 0; r < rows; ++r) {
        const Bytes row = encode_by_chance(value_kernels(type), type, values, r * 7);
        for (const float value : values_of(type, row, kDim)) sum += double{value} - x;
      }
      const auto n = static_cast<double>(rows * kDim);
      // A value between two that are one unit apart deviates by at most half a unit.
      EXPECT_LE(std::fabs(sum / n), 5 * 0.5 * format_of(type).unit(x) / std::sqrt(n))
          << name_of(type) << " " << x;
    }
  }
}

// The numbers of pushes follow each other: neither lanes nor such rows may know of one another.
TEST(Stochastic, LanesAndRowsAreIndependent) {
  const size_t rows = scaled(3000);
  for (const ValueType type : kHalves) {
    const float x = 1.0F + static_cast<float>(format_of(type).unit(1) / 2);
    const std::vector<uint8_t> up = ups(type, x, rows);
    for (const size_t distance : {size_t{1}, size_t{2}, size_t{16}, kDim, kDim + 1, 16 * kDim}) {
      double equal = 0;
      for (size_t i = 0; i + distance < up.size(); ++i) equal += up[i] == up[i + distance] ? 1 : 0;
      EXPECT_TRUE(likely(equal, static_cast<double>(up.size() - distance), 0.5)) << distance;
    }
    for (size_t lane = 0; lane < kDim; ++lane) {
      double count = 0;
      for (size_t i = lane; i < up.size(); i += kDim) count += up[i];
      EXPECT_TRUE(likely(count, static_cast<double>(rows), 0.5)) << "lane " << lane;
    }
  }
}

TEST(Stochastic, OneNumberGivesOneRow) {
  const std::vector<float> x = Random(3).reals(100);
  for (const ValueType type : kHalves) {
    const ValueKernels& kernels = value_kernels(type);
    const Bytes first = encode_by_chance(kernels, type, x, 1);
    EXPECT_EQ(encode_by_chance(kernels, type, x, 1), first);
    EXPECT_NE(encode_by_chance(kernels, type, x, 2), first);
    EXPECT_NE(encode_by_chance(kernels, type, x, uint64_t{1} << 32), first);
    EXPECT_NE(encode_by_chance(kernels, type, x, 1 | uint64_t{1} << 63), first);
  }
}

TEST(Stochastic, NothingBecomesInfinite) {
  for (const ValueType type : kHalves) {
    on_every_target(type, [&](const ValueKernels& kernels) {
      Random random(4);
      for (uint64_t trial = 0; trial < scaled(2000); ++trial) {
        std::vector<float> x = mixed_values(random, 40);
        for (float& value : x) {
          if (random.one_in(2)) {
            const float most = static_cast<float>(format_of(type).most);
            value = most * (1 + random.real() * 0x1p-9F);
          }
        }
        const Bytes row = encode_by_chance(kernels, type, x, trial);
        for (size_t i = 0; i < x.size(); ++i) {
          ASSERT_TRUE(format_of(type).finite(read_at<uint16_t>(row, 2 * i))) << x[i];
        }
      }
    });
  }
}

// Far below the least subnormal the chance is tiny but right to 2^-31 of a unit.
TEST(Stochastic, AddingUpWhatIsTooSmallToSee) {
  const size_t pushes = scaled(40000);
  float kept = 1.0F;
  for (size_t push = 0; push < pushes; ++push) {
    const std::vector<float> x = {kept + 0x1p-16F};  // a 64th of the unit of f16 at 1
    kept =
        values_of(ValueType::kF16,
                  encode_by_chance(value_kernels(ValueType::kF16), ValueType::kF16, x, push), 1)[0];
    ASSERT_GE(kept, 1.0F);
  }
  const double expected = static_cast<double>(pushes) * 0x1p-16;
  EXPECT_NEAR(kept, 1 + expected, expected / 4);
}

}  // namespace
}  // namespace hotrow::test
