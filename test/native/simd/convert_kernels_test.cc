// Conversion of rows to and from every value type, on every instruction set, against plain
// arithmetic.
#include "simd/convert_kernels.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "support/bits.h"
#include "support/value_rows.h"

namespace hotrow::test {
namespace {

using Limits = std::numeric_limits<float>;
constexpr size_t kPatterns = 65536;

/// A row of all 65,536 patterns.
Bytes every_pattern() {
  Bytes row;
  for (size_t i = 0; i < kPatterns; ++i) append(row, static_cast<uint16_t>(i));
  return row;
}

TEST(ConvertKernels, EveryDimEncodesAsWritten) {
  for (const ValueType type : kEveryValueType) {
    on_every_target(type, [&](const ValueKernels& kernels) {
      Random random(1);
      for (size_t dim = 1; dim <= 130; ++dim) {
        for (const auto& x : {random.reals(dim), mixed_values(random, dim)}) {
          ASSERT_EQ(encode(kernels, type, x), encoded(type, x)) << "dim " << dim;
          ASSERT_EQ(value_bytes(type, dim), encoded(type, x).size());
        }
      }
    });
  }
}

TEST(ConvertKernels, EveryDimDecodesAsWritten) {
  for (const ValueType type : kEveryValueType) {
    on_every_target(type, [&](const ValueKernels& kernels) {
      Random random(2);
      for (size_t dim = 1; dim <= 130; ++dim) {
        const Bytes row = encoded(type, random.reals(dim, -3, 5));
        ASSERT_TRUE(same_bits(decode(kernels, row, dim), decoded(type, row, dim))) << dim;
      }
    });
  }
}

TEST(ConvertKernels, LongRows) {
  Random random(3);
  for (const ValueType type : kEveryValueType) {
    const std::vector<float> x = random.reals(kMaxDim);
    on_every_target(type, [&](const ValueKernels& kernels) {
      const Bytes row = encode(kernels, type, x);
      ASSERT_EQ(row, encoded(type, x));
      ASSERT_TRUE(same_bits(decode(kernels, row, kMaxDim), decoded(type, row, kMaxDim)));
    });
  }
}

TEST(ConvertKernels, EveryPatternOf16BitsDecodes) {
  for (const ValueType type : kHalves) {
    on_every_target(type, [&](const ValueKernels& kernels) {
      const std::vector<float> out = decode(kernels, every_pattern(), kPatterns);
      for (size_t i = 0; i < kPatterns; ++i) {
        const auto bits = static_cast<uint16_t>(i);
        if (!format_of(type).finite(bits)) continue;
        const auto expected = static_cast<float>(format_of(type).decoded(bits));
        ASSERT_EQ(std::bit_cast<uint32_t>(out[i]), std::bit_cast<uint32_t>(expected)) << i;
      }
    });
  }
}

// A reader may see such a row before it finds that the row was being written.
TEST(ConvertKernels, PatternsThatRowsNeverHoldDecodeAlike) {
  for (const ValueType type : kHalves) {
    on_every_target(type, [&](const ValueKernels& kernels) {
      const std::vector<float> out = decode(kernels, every_pattern(), kPatterns);
      for (uint32_t i = 0; i < kPatterns; ++i) {
        if (format_of(type).finite(static_cast<uint16_t>(i))) continue;
        uint32_t expected = i << 16;
        if (type == ValueType::kF16) {
          const uint32_t fraction = (i & 0x3ff) << 13;
          expected = (i & 0x8000) << 16 | 0x7f800000 | fraction | (fraction != 0 ? 0x400000 : 0);
        }
        ASSERT_EQ(std::bit_cast<uint32_t>(out[i]), expected) << i;
      }
    });
  }
}

TEST(ConvertKernels, EveryFinitePatternOf16BitsIsKept) {
  for (const ValueType type : kHalves) {
    std::vector<float> values;
    Bytes expected;
    for (size_t i = 0; i < kPatterns; ++i) {
      const auto bits = static_cast<uint16_t>(i);
      if (!format_of(type).finite(bits)) continue;
      values.push_back(static_cast<float>(format_of(type).decoded(bits)));
      append(expected, bits);
    }
    on_every_target(type, [&](const ValueKernels& kernels) {
      ASSERT_EQ(encode(kernels, type, values), expected);
      for (const uint64_t random : {0U, 1U, 99U}) {
        ASSERT_EQ(encode_by_chance(kernels, type, values, random), expected);
      }
    });
  }
}

// Between each two neighbours: the middle, which is a tie, the f32 beside it, and beside the ends.
TEST(ConvertKernels, RoundsToTheNearestAndTiesToEven) {
  for (const ValueType type : kHalves) {
    const HalfFormat& format = format_of(type);
    std::vector<float> values;
    Bytes expected;
    const auto add = [&](float x, int pattern) {
      values.insert(values.end(), {x, -x});
      append(expected, static_cast<uint16_t>(pattern));
      append(expected, static_cast<uint16_t>(pattern | 0x8000));
    };
    for (int low = 0; format.finite(static_cast<uint16_t>(low + 1)); ++low) {
      const double a = format.decoded(static_cast<uint16_t>(low));
      const double b = format.decoded(static_cast<uint16_t>(low + 1));
      const auto middle = static_cast<float>((a + b) / 2);
      add(middle, low + low % 2);
      add(std::nextafter(middle, 0.0F), low);
      add(std::nextafter(middle, Limits::max()), low + 1);
      add(std::nextafter(static_cast<float>(a), Limits::max()), low);
      add(std::nextafter(static_cast<float>(b), 0.0F), low + 1);
    }
    on_every_target(type, [&](const ValueKernels& kernels) {
      const Bytes row = encode(kernels, type, values);
      for (size_t i = 0; i < values.size(); ++i) {
        const auto wanted = read_at<uint16_t>(expected, 2 * i);
        ASSERT_EQ(read_at<uint16_t>(row, 2 * i), wanted) << std::hexfloat << values[i];
        ASSERT_EQ(format.nearest(values[i]), wanted) << "the reference at " << values[i];
      }
    });
  }
}

TEST(ConvertKernels, F16EndsAtItsLargestValue) {
  const std::vector<float> x = {65504.0F,      65504.004F,         65519.0F,
                                65520.0F,      65536.0F,           1e6F,
                                Limits::max(), Limits::infinity(), Limits::quiet_NaN()};
  on_every_target(ValueType::kF16, [&](const ValueKernels& kernels) {
    for (const float value : x) {
      for (const float sign : {1.0F, -1.0F}) {
        const std::vector<float> row(19, std::copysign(value, sign));
        const std::vector<float> kept(19, sign * 65504.0F);
        const Bytes nearest = encode(kernels, ValueType::kF16, row);
        EXPECT_EQ(decode(kernels, nearest, 19), kept) << value;
        EXPECT_EQ(encode_by_chance(kernels, ValueType::kF16, row, 5), nearest) << value;
      }
    }
  });
}

TEST(ConvertKernels, Bf16EndsAtItsLargestValue) {
  const std::vector<float> x = {0x1.fep127F,   0x1.fe0002p127F,    0x1.ff0002p127F,
                                Limits::max(), Limits::infinity(), Limits::signaling_NaN()};
  on_every_target(ValueType::kBf16, [&](const ValueKernels& kernels) {
    for (const float value : x) {
      for (const float sign : {1.0F, -1.0F}) {
        const std::vector<float> row(19, std::copysign(value, sign));
        const std::vector<float> kept(19, sign * 0x1.fep127F);
        const Bytes nearest = encode(kernels, ValueType::kBf16, row);
        EXPECT_EQ(decode(kernels, nearest, 19), kept) << value;
        EXPECT_EQ(encode_by_chance(kernels, ValueType::kBf16, row, 5), nearest) << value;
      }
    }
  });
}

// The published patterns of IEEE 754 and of bfloat16, so that the reference is held too.
TEST(ConvertKernels, KnownPatterns) {
  const auto pattern = [](ValueType type, float x) {
    return read_at<uint16_t>(encode(value_kernels(type), type, std::vector<float>{x}), 0);
  };
  EXPECT_EQ(pattern(ValueType::kF16, 1.0F), 0x3c00);
  EXPECT_EQ(pattern(ValueType::kF16, -2.0F), 0xc000);
  EXPECT_EQ(pattern(ValueType::kF16, 0.333251953125F), 0x3555);
  EXPECT_EQ(pattern(ValueType::kF16, 65504.0F), 0x7bff);
  EXPECT_EQ(pattern(ValueType::kF16, 0x1p-14F), 0x0400);
  EXPECT_EQ(pattern(ValueType::kF16, 0x1p-24F), 0x0001);
  EXPECT_EQ(pattern(ValueType::kF16, -0.0F), 0x8000);
  EXPECT_EQ(pattern(ValueType::kBf16, 1.0F), 0x3f80);
  EXPECT_EQ(pattern(ValueType::kBf16, -2.0F), 0xc000);
  EXPECT_EQ(pattern(ValueType::kBf16, 3.14159274F), 0x4049);
  EXPECT_EQ(pattern(ValueType::kBf16, Limits::denorm_min() * 65536), 0x0001);
}

TEST(ConvertKernels, TheChosenOnesAreAmongAll) {
  for (const ValueType type : kEveryValueType) {
    const auto all = all_value_kernels(type);
    EXPECT_NE(std::find(all.begin(), all.end(), &value_kernels(type)), all.end());
  }
}

}  // namespace
}  // namespace hotrow::test
