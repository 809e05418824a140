// What rows of 8-bit and 4-bit numbers keep of their values, on every instruction set.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "simd/convert_kernels.h"
#include "support/bits.h"
#include "support/value_rows.h"

namespace hotrow::test {
namespace {

using Limits = std::numeric_limits<float>;

/// Calls check(kernels, type, greatest number) for both types on every instruction set.
template <class Check>
void on_both(const Check& check) {
  for (const ValueType type : {ValueType::kI8, ValueType::kI4}) {
    on_every_target(type, [&](const ValueKernels& kernels) {
      check(kernels, type, type == ValueType::kI8 ? 255 : 15);
    });
  }
}

float scale_of(const Bytes& row) { return read_at<float>(row, row.size() - 8); }
float bias_of(const Bytes& row) { return read_at<float>(row, row.size() - 4); }

TEST(Quantize, ConstantRowsAreExact) {
  on_both([](const ValueKernels& kernels, ValueType type, int /*most*/) {
    for (const float value : {0.0F, 1.0F, -0.1F, 3e-39F, Limits::denorm_min(), -0x1p126F}) {
      for (const size_t dim : {1U, 2U, 7U, 16U, 33U}) {
        const std::vector<float> x(dim, value);
        const Bytes row = encode(kernels, type, x);
        EXPECT_TRUE(same_bits(decode(kernels, row, dim), x)) << value << " x " << dim;
        EXPECT_EQ(scale_of(row), 0);
        EXPECT_EQ(row[0], std::byte{0});
      }
    }
  });
}

// Which of two equal zeros a minimum is differs between instruction sets.
TEST(Quantize, ZerosHaveNoSign) {
  on_both([](const ValueKernels& kernels, ValueType type, int /*most*/) {
    for (const auto& pattern : {std::vector{-0.0F, 0.0F}, {0.0F, -0.0F}, {-0.0F, -0.0F}}) {
      for (size_t dim = 1; dim <= 40; ++dim) {
        std::vector<float> x(dim);
        for (size_t i = 0; i < dim; ++i) x[i] = pattern[i % 2];
        const Bytes row = encode(kernels, type, x);
        EXPECT_EQ(row, Bytes(row.size(), std::byte{0}));
      }
    }
  });
}

TEST(Quantize, TheEndsOfARowAreItsFirstAndLastNumber) {
  on_both([](const ValueKernels& kernels, ValueType type, int most) {
    for (size_t dim = 2; dim <= 40; ++dim) {
      for (size_t at = 0; at + 1 < dim; ++at) {
        std::vector<float> x(dim, 0.5F);
        x[at] = -1;
        x[at + 1] = 2;
        const Bytes row = encode(kernels, type, x);
        EXPECT_EQ(bias_of(row), -1);
        EXPECT_EQ(scale_of(row), 3.0F / static_cast<float>(most));
        const std::vector<float> out = decode(kernels, row, dim);
        EXPECT_EQ(out[at], -1);
        EXPECT_NEAR(out[at + 1], 2, 1e-6);
      }
    }
  });
}

TEST(Quantize, AnErrorIsAtMostHalfAStep) {
  on_both([](const ValueKernels& kernels, ValueType type, int most) {
    Random random(4);
    for (int trial = 0; trial < 300; ++trial) {
      const float centre = random.real(-10, 10);
      const float width = std::ldexp(1.0F, static_cast<int>(random.below(20)) - 12);
      const std::vector<float> x =
          random.reals(1 + random.below(130), centre - width, centre + width);
      const Bytes row = encode(kernels, type, x);
      const std::vector<float> out = decode(kernels, row, x.size());
      const auto [least, greatest] = std::minmax_element(x.begin(), x.end());
      const double step = (double{*greatest} - *least) / most;
      // Four roundings of numbers no larger than the ends of the row.
      const double rounding = 4 * 0x1p-24 * std::max(std::fabs(*least), std::fabs(*greatest));
      for (size_t i = 0; i < x.size(); ++i) {
        ASSERT_NEAR(out[i], x[i], step / 2 * (1 + 1e-5) + rounding);
      }
    }
  });
}

TEST(Quantize, ExtremeRangesStayFinite) {
  on_both([](const ValueKernels& kernels, ValueType type, int /*most*/) {
    const float infinity = Limits::infinity();
    const std::vector<std::vector<float>> rows = {{Limits::max(), Limits::lowest(), 0},
                                                  {infinity, -infinity, 1},
                                                  {infinity, infinity},
                                                  {Limits::max(), Limits::max(), -0x1p126F},
                                                  {0x1p126F, -0x1p126F, 1e30F, 5},
                                                  {Limits::quiet_NaN(), -infinity, 2}};
    for (const auto& x : rows) {
      for (size_t dim = x.size(); dim <= 70; ++dim) {
        std::vector<float> wide(dim);
        for (size_t i = 0; i < dim; ++i) wide[i] = x[i % x.size()];
        const Bytes row = encode(kernels, type, wide);
        ASSERT_EQ(row, encoded(type, wide));
        for (const float value : decode(kernels, row, dim)) {
          ASSERT_TRUE(std::isfinite(value));
          ASSERT_LE(std::fabs(value), 0x1.00001p126F);
        }
      }
    }
  });
}

// Every number under the largest scale and bias that encode makes.
TEST(Quantize, NoNumberOfTheWidestRowOverflows) {
  on_both([](const ValueKernels& kernels, ValueType type, int most) {
    std::vector<float> x = {-0x1p126F, 0x1p126F};
    for (int q = 0; q <= most; ++q) {
      x.push_back(static_cast<float>(std::ldexp(2.0 * q / most - 1, 126)));
    }
    const Bytes row = encode(kernels, type, x);
    const std::vector<float> out = decode(kernels, row, x.size());
    for (size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(out[i] / 0x1p126F, x[i] / 0x1p126F, 1e-6);
  });
}

// The step of such a row is not exact, or zero: values go to numbers that exist all the same.
TEST(Quantize, RangesOfSubnormals) {
  on_both([](const ValueKernels& kernels, ValueType type, int /*most*/) {
    for (int units = 1; units <= 3000; units += 1 + units / 8) {
      const std::vector<float> x = {0, std::ldexp(static_cast<float>(units), -149),
                                    std::ldexp(static_cast<float>(units / 2), -149)};
      const Bytes row = encode(kernels, type, x);
      ASSERT_EQ(row, encoded(type, x)) << units;
      for (const float value : decode(kernels, row, 3)) ASSERT_LE(std::fabs(value), 2 * x[1]);
    }
  });
}

TEST(Quantize, ChanceHasNoPart) {
  on_both([](const ValueKernels& kernels, ValueType type, int /*most*/) {
    const std::vector<float> x = Random(5).reals(37);
    for (const uint64_t random : {0U, 1U, 2U}) {
      EXPECT_EQ(encode_by_chance(kernels, type, x, random), encode(kernels, type, x));
    }
  });
}

}  // namespace
}  // namespace hotrow::test
