// The codecs of the GPU tier beside those of the table: the same bits both ways.
#include "cuda/codec.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "base/hash.h"
#include "support/bits.h"
#include "support/value_rows.h"

namespace hotrow::test {
namespace {

using Limits = std::numeric_limits<float>;

/// The values of a row, as the tier reads them.
std::vector<float> read(ValueType type, const Bytes& row, uint32_t dim) {
  std::vector<float> values(dim);
  gpu::with_value_type(type, [&](auto constant) {
    const gpu::RowReader<decltype(constant)::value> reader(row.data(), dim);
    for (uint32_t i = 0; i < dim; ++i) values[i] = reader.load(i);
  });
  return values;
}

/// A row of x, as the tier writes it.
Bytes written(ValueType type, Rounding rounding, const std::vector<float>& x, uint64_t random) {
  Bytes row(value_bytes(type, x.size()));
  gpu::with_pushed_values(type, rounding, [&](auto constant, auto rounds) {
    const gpu::RowValues<decltype(constant)::value, decltype(rounds)::value> values(row.data(),
                                                                                    random);
    for (size_t i = 0; i < x.size(); ++i) values.store(i, x[i]);
  });
  return row;
}

void expect_written_alike(ValueType type, const std::vector<float>& x, uint64_t random) {
  const ValueKernels& kernels = value_kernels(type);
  ASSERT_EQ(written(type, Rounding::kNearest, x, random), encode(kernels, type, x));
  ASSERT_EQ(written(type, Rounding::kStochastic, x, random),
            encode_by_chance(kernels, type, x, random));
}

TEST(CudaCodec, EveryPatternOf16BitsIsReadAlike) {
  constexpr uint32_t kPatterns = 65536;
  Bytes row;
  for (uint32_t i = 0; i < kPatterns; ++i) append(row, static_cast<uint16_t>(i));
  for (const ValueType type : kHalves) {
    ASSERT_TRUE(same_bits(read(type, row, kPatterns), values_of(type, row, kPatterns)));
  }
}

TEST(CudaCodec, RowsOfEveryTypeAreReadAlike) {
  Random random(1);
  for (const ValueType type : kEveryValueType) {
    for (uint32_t dim = 1; dim <= 130; ++dim) {
      for (const auto& x : {random.reals(dim, -3, 5), mixed_values(random, dim)}) {
        const Bytes row = encode(value_kernels(type), type, x);
        ASSERT_TRUE(same_bits(read(type, row, dim), values_of(type, row, dim)))
            << name_of(type) << " dim " << dim;
      }
    }
  }
}

TEST(CudaCodec, RowsArePaddedAndWrittenAlike) {
  Random random(2);
  for (const ValueType type : {ValueType::kF32, ValueType::kF16, ValueType::kBf16}) {
    SCOPED_TRACE(name_of(type));
    for (uint32_t dim = 1; dim <= 130; ++dim) {
      expect_written_alike(type, mixed_values(random, dim), random.next());
      if (HasFatalFailure()) return;
    }
    for (int trial = 0; trial < 40; ++trial) {
      expect_written_alike(type, mixed_values(random, 5000), random.next());
      if (HasFatalFailure()) return;
    }
  }
}

// Every value of a type, the ties between neighbours, what lies beside both, and the ends.
TEST(CudaCodec, TiesAndEndsAreWrittenAlike) {
  for (const ValueType type : kHalves) {
    const HalfFormat& format = format_of(type);
    std::vector<float> values = {Limits::max(), Limits::infinity(), Limits::quiet_NaN(),
                                 Limits::signaling_NaN(), Limits::denorm_min()};
    const auto add = [&](double x) {
      const auto middle = static_cast<float>(x);
      for (const float each :
           {middle, std::nextafter(middle, 0.0F), std::nextafter(middle, Limits::infinity())}) {
        values.insert(values.end(), {each, -each});
      }
    };
    for (int low = 0; format.finite(static_cast<uint16_t>(low + 1)); ++low) {
      const double a = format.decoded(static_cast<uint16_t>(low));
      const double b = format.decoded(static_cast<uint16_t>(low + 1));
      for (const double x : {a, (a + b) / 2, b}) add(x);
    }
    add(format.most * (1 + 0x1p-11));
    SCOPED_TRACE(name_of(type));
    for (const uint64_t random : {1U, 2U, 3U}) expect_written_alike(type, values, random);
  }
}

// At the chance that decides, where drawn ones hardly ever are.
TEST(CudaCodec, SubnormalsGoUpBelowTheirFraction) {
  for (const float units : {0.25F, 0.75F, 1.5F, 1000.125F}) {
    const float x = units * 0x1p-24F;
    const auto threshold = static_cast<uint32_t>((units - std::floor(units)) * 0x1p31F);
    for (const uint32_t chance : {2 * threshold - 1, 2 * threshold, 2 * threshold + 1}) {
      EXPECT_EQ(gpu::stochastic_f16(x, chance), by_chance(kHalf, x, chance)) << units;
    }
  }
}

TEST(CudaCodec, ChanceIsTheTables) {
  Random random(3);
  for (int trial = 0; trial < 1000; ++trial) {
    const uint64_t number = random.next();
    ASSERT_EQ(gpu::mixed(number), mix64(number));
    const auto i = static_cast<uint32_t>(random.below(kMaxDim));
    ASSERT_EQ(gpu::Chance(number).bits(i), chance_of(number, i));
  }
}

}  // namespace
}  // namespace hotrow::test
