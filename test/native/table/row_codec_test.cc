// One table's way to keep values: the codec gives what the kernels of its type give.
#include "table/row_codec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "memory/slab_pool.h"
#include "support/bits.h"
#include "support/scale.h"
#include "support/value_rows.h"

namespace hotrow::test {
namespace {

Bytes encode(const RowCodec& codec, const std::vector<float>& x, uint64_t random = 0) {
  Bytes row(codec.bytes(), std::byte{0xa5});
  codec.encode(x.data(), row.data(), random);
  return row;
}

TEST(RowCodec, BytesOfEveryTypeAndDim) {
  for (const ValueType type : kEveryValueType) {
    for (uint32_t dim = 1; dim <= 300; ++dim) {
      const RowCodec codec(type, Rounding::kNearest, dim);
      ASSERT_EQ(codec.bytes(), encoded(type, std::vector<float>(dim, 1.0F)).size());
      ASSERT_EQ(codec.bytes() % 4, 0U) << "optimizer state may follow";
      ASSERT_EQ(codec.dim(), dim);
    }
  }
}

TEST(RowCodec, StridesOfCommonRows) {
  const auto stride = [](ValueType type, uint32_t dim) {
    return slab_stride(RowCodec(type, Rounding::kNearest, dim).bytes());
  };
  EXPECT_EQ(stride(ValueType::kF32, 64), 256U);
  EXPECT_EQ(stride(ValueType::kF16, 64), 128U);
  EXPECT_EQ(stride(ValueType::kBf16, 16), 32U);
  EXPECT_EQ(stride(ValueType::kI8, 64), 128U);
  EXPECT_EQ(stride(ValueType::kI8, 56), 64U);
  EXPECT_EQ(stride(ValueType::kI8, 24), 32U);
  EXPECT_EQ(stride(ValueType::kI4, 64), 64U);
  EXPECT_EQ(stride(ValueType::kI4, 48), 32U);
}

TEST(RowCodec, OnlyF32IsChangedInPlace) {
  for (const ValueType type : kEveryValueType) {
    EXPECT_EQ(RowCodec(type, Rounding::kNearest, 4).in_place(), type == ValueType::kF32);
  }
}

TEST(RowCodec, RoundTrips) {
  Random random(1);
  for (const ValueType type : kEveryValueType) {
    for (const uint32_t dim : {1U, 2U, 7U, 16U, 33U, 64U, 100U}) {
      const RowCodec codec(type, Rounding::kNearest, dim);
      const std::vector<float> x = random.reals(dim);
      const Bytes row = encode(codec, x, random.next());
      EXPECT_EQ(row, encoded(type, x)) << "to the nearest, whatever the random number";
      std::vector<float> out(dim);
      codec.decode(row.data(), out.data());
      EXPECT_TRUE(same_bits(out, decoded(type, row, dim)));
      std::vector<float> gathered(2 * dim);
      const std::byte* const rows[] = {row.data(), row.data()};
      codec.gather()(rows, 2, dim, gathered.data(), dim);
      out.insert(out.end(), out.begin(), out.end());
      EXPECT_TRUE(same_bits(gathered, out));
    }
  }
}

TEST(RowCodec, WhatWasReadIsWrittenBackAsItWas) {
  Random random(2);
  for (const ValueType type : {ValueType::kF32, ValueType::kF16, ValueType::kBf16}) {
    for (const Rounding rounding : {Rounding::kNearest, Rounding::kStochastic}) {
      const RowCodec codec(type, rounding, 33);
      const Bytes row = encode(codec, random.reals(33), 1);
      std::vector<float> values(33);
      codec.decode(row.data(), values.data());
      EXPECT_EQ(encode(codec, values, 2), row) << name_of(type);
    }
  }
}

TEST(RowCodec, AssignKeepsWhatWasReadOfEveryType) {
  Random random(5);
  for (const ValueType type : kEveryValueType) {
    for (uint64_t i = 0; i < scaled(20'000); ++i) {
      const auto dim = static_cast<uint32_t>(1 + random.below(40));
      const RowCodec codec(type, Rounding::kNearest, dim);
      // Ranges far below the values, where steps come near the last bits, and far above.
      const float range = std::exp2(static_cast<float>(random.below(40)) - 30.0F);
      const float middle = random.reals(1, -2.0F, 2.0F)[0];
      std::vector<float> values = random.reals(dim, middle - range, middle + range);
      std::vector<float> scratch(dim);
      Bytes row(codec.bytes());
      codec.encode(values.data(), row.data(), 0);
      codec.decode(row.data(), values.data());
      codec.assign(values.data(), row.data(), 0, scratch);
      std::vector<float> again(dim);
      codec.decode(row.data(), again.data());
      ASSERT_EQ(again, values) << name_of(type) << " dim " << dim << " range " << range;
    }
  }
}

TEST(RowCodec, AssignOfOtherRowsIsEncode) {
  Random random(6);
  for (const ValueType type : kEveryValueType) {
    for (int i = 0; i < 1000; ++i) {
      const RowCodec codec(type, Rounding::kNearest, 24);
      const std::vector<float> values = random.reals(24);
      std::vector<float> scratch(24);
      Bytes row(codec.bytes());
      codec.assign(values.data(), row.data(), 0, scratch);
      ASSERT_EQ(row, encode(codec, values)) << name_of(type);
    }
  }
}

TEST(RowCodec, StochasticRoundingFollowsItsNumber) {
  const std::vector<float> x = Random(3).reals(64);
  for (const ValueType type : {ValueType::kF16, ValueType::kBf16}) {
    const RowCodec codec(type, Rounding::kStochastic, 64);
    const Bytes expected = encode_by_chance(value_kernels(type), type, x, 9);
    EXPECT_EQ(encode(codec, x, 9), expected);
    EXPECT_NE(encode(codec, x, 10), expected);
  }
}

TEST(RowCodec, WritesNothingBehindItsBytes) {
  for (const ValueType type : kEveryValueType) {
    for (uint32_t dim = 1; dim <= 40; ++dim) {
      const RowCodec codec(type, Rounding::kNearest, dim);
      GuardedRow row(type, dim);
      codec.encode(Random(dim).reals(dim).data(), row.data(), 0);
      EXPECT_TRUE(row.intact());
    }
  }
}

}  // namespace
}  // namespace hotrow::test
