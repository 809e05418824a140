// Gathers of rows of every value type, on every instruction set.
#include <gtest/gtest.h>

#include <vector>

#include "simd/convert_kernels.h"
#include "support/bits.h"
#include "support/value_rows.h"

namespace hotrow::test {
namespace {

constexpr float kUntouched = 777.25F;

/// `count` rows of `dim` values in one slab, in mixed order.
struct Slab {
  Slab(ValueType type, size_t dim, size_t count, Random& random) {
    const size_t stride = value_bytes(type, dim);
    for (size_t i = 0; i < count; ++i) {
      const Bytes row = encoded(type, random.reals(dim, -2, 3));
      memory.insert(memory.end(), row.begin(), row.end());
    }
    for (size_t i = 0; i < count; ++i) {
      const size_t row = random.below(count);
      rows.push_back(memory.data() + row * stride);
      values.push_back(decoded(type, {rows[i], rows[i] + stride}, dim));
    }
  }
  Bytes memory;
  std::vector<const std::byte*> rows;
  std::vector<std::vector<float>> values;
};

void check_gather(const ValueKernels& kernels, const Slab& slab, size_t dim, size_t stride) {
  const size_t count = slab.rows.size();
  std::vector<float> expected(count * stride + 17, kUntouched);
  for (size_t i = 0; i < count; ++i) {
    std::copy(slab.values[i].begin(), slab.values[i].end(),
              expected.begin() + static_cast<ptrdiff_t>(i * stride));
  }
  std::vector<float> out(expected.size(), kUntouched);
  kernels.gather(slab.rows.data(), count, dim, out.data(), stride);
  EXPECT_TRUE(same_bits(out, expected)) << count << " rows of " << dim << ", stride " << stride;
}

TEST(GatherKernels, EveryDim) {
  for (const ValueType type : kEveryValueType) {
    on_every_target(type, [&](const ValueKernels& kernels) {
      Random random(1);
      for (size_t dim = 1; dim <= 130; ++dim) {
        check_gather(kernels, Slab(type, dim, 3, random), dim, dim);
      }
    });
  }
}

TEST(GatherKernels, EveryCountAndStride) {
  for (const ValueType type : kEveryValueType) {
    on_every_target(type, [&](const ValueKernels& kernels) {
      Random random(2);
      for (const size_t dim : {1U, 2U, 15U, 16U, 17U, 64U, 100U}) {
        for (const size_t count : {0U, 1U, 2U, 5U, 7U, 15U, 16U, 17U, 33U}) {
          const Slab slab(type, dim, count, random);
          for (const size_t gap : {0U, 1U, 3U, 64U}) check_gather(kernels, slab, dim, dim + gap);
        }
      }
    });
  }
}

// Two tables side by side in one output.
TEST(GatherKernels, SeveralTablesIntoOneOutput) {
  Random random(3);
  const Slab left(ValueType::kF16, 5, 9, random);
  const Slab right(ValueType::kI8, 20, 9, random);
  std::vector<float> expected;
  for (size_t i = 0; i < 9; ++i) {
    expected.insert(expected.end(), left.values[i].begin(), left.values[i].end());
    expected.insert(expected.end(), right.values[i].begin(), right.values[i].end());
  }
  std::vector<float> out(expected.size(), kUntouched);
  value_kernels(ValueType::kF16).gather(left.rows.data(), 9, 5, out.data(), 25);
  value_kernels(ValueType::kI8).gather(right.rows.data(), 9, 20, out.data() + 5, 25);
  EXPECT_TRUE(same_bits(out, expected));
}

TEST(GatherKernels, F32MayReadItsOwnOutput) {
  for (const ValueKernels* kernels : all_value_kernels(ValueType::kF32)) {
    for (const size_t dim : {1U, 3U, 20U}) {
      std::vector<float> out(2 * dim, 1.5F);
      const std::vector<float> row(dim, 7.0F);
      const std::byte* const rows[] = {reinterpret_cast<const std::byte*>(out.data()),
                                       reinterpret_cast<const std::byte*>(row.data())};
      kernels->gather(rows, 2, dim, out.data(), dim);
      std::vector<float> expected(dim, 1.5F);
      expected.insert(expected.end(), dim, 7.0F);
      EXPECT_EQ(out, expected);
    }
  }
}

}  // namespace
}  // namespace hotrow::test
