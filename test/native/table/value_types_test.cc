// Rows of every value type through the whole table.
#include <gtest/gtest.h>

#include <cmath>

#include "support/bits.h"
#include "support/random.h"
#include "support/reference_values.h"
#include "support/tables.h"

namespace hotrow::test {
namespace {

TableOptions of(ValueType type, uint32_t dim = 33) {
  TableOptions options{.dim = dim, .value_type = type, .initializer = uniform(1)};
  return options;
}

std::vector<float> random_rows(size_t values, uint64_t seed) {
  Random random(seed);
  std::vector<float> rows(values);
  for (float& value : rows) {
    value = static_cast<float>(static_cast<double>(random.next() >> 11) * 0x1p-52 - 1.0);
  }
  return rows;
}

TEST(ValueTypes, AssignedRowsComeBackWithinTheTypesPrecision) {
  const std::pair<ValueType, double> types[] = {{ValueType::kF32, 0},
                                                {ValueType::kF16, 0x1p-11},
                                                {ValueType::kBf16, 0x1p-8},
                                                {ValueType::kI8, 1.0 / 255},
                                                {ValueType::kI4, 1.0 / 15}};
  for (const auto& [type, error] : types) {
    const LoneTable table(of(type));
    const std::vector<uint64_t> keys = range(0, 1000);
    const std::vector<float> rows = random_rows(1000 * 33, 1);
    must(table->update(keys, rows));
    std::vector<float> back(rows.size());
    must(table->lookup(keys, back));
    for (size_t i = 0; i < rows.size(); ++i) ASSERT_NEAR(back[i], rows[i], error * 1.01);
    // Reading changes nothing, and what was read assigns itself.
    must(table->update(keys, back));
    std::vector<float> again(rows.size());
    must(table->lookup(keys, again));
    if (type == ValueType::kF16 || type == ValueType::kBf16) {
      EXPECT_TRUE(same_bits(again, back));
    }
  }
}

TEST(ValueTypes, RowsAreSmaller) {
  const auto row_bytes = [](ValueType type) { return LoneTable(of(type, 64)).stats().row_bytes; };
  EXPECT_EQ(row_bytes(ValueType::kF32), 256U);
  EXPECT_EQ(row_bytes(ValueType::kF16), 128U);
  EXPECT_EQ(row_bytes(ValueType::kBf16), 128U);
  EXPECT_EQ(row_bytes(ValueType::kI8), 128U) << "72 bytes, which must not straddle a third line";
  EXPECT_EQ(row_bytes(ValueType::kI4), 64U);
}

TEST(ValueTypes, TrainingIn16BitsFollowsTrainingIn32) {
  for (const ValueType type : {ValueType::kF16, ValueType::kBf16}) {
    TableOptions options = of(type, 16);
    options.optimizer = optimizer(OptimizerKind::kAdagrad, 0.05F);
    const LoneTable narrow(options);
    options.value_type = ValueType::kF32;
    const LoneTable wide(options);
    const std::vector<uint64_t> keys = range(0, 500);
    for (int step = 0; step < 20; ++step) {
      const auto gradients = random_rows(500 * 16, static_cast<uint64_t>(step));
      must(narrow->push(keys, gradients));
      must(wide->push(keys, gradients));
    }
    std::vector<float> a(500 * 16);
    std::vector<float> b(500 * 16);
    must(narrow->lookup(keys, a));
    must(wide->lookup(keys, b));
    double worst = 0;
    for (size_t i = 0; i < a.size(); ++i) worst = std::max<double>(worst, std::fabs(a[i] - b[i]));
    EXPECT_LT(worst, type == ValueType::kF16 ? 0.01 : 0.08);
    EXPECT_GT(worst, 0);
  }
}

TEST(ValueTypes, StochasticRoundingKeepsSmallChanges) {
  TableOptions options = of(ValueType::kBf16, 64);
  options.initializer = {.kind = InitializerKind::kConstant, .value = 1.0F};
  options.optimizer = {.kind = OptimizerKind::kSum};
  const auto after = [&](Rounding rounding) {
    options.rounding = rounding;
    const LoneTable table(options);
    // A thousandth of 1 is an eighth of the last place.
    for (int i = 0; i < 200; ++i) table.push(range(0, 50), 0.001F);
    std::vector<float> rows(50 * 64);
    must(table->lookup(range(0, 50), rows));
    double sum = 0;
    for (const float value : rows) sum += value;
    return sum / static_cast<double>(rows.size());
  };
  EXPECT_EQ(after(Rounding::kNearest), 1.0) << "every step is lost";
  EXPECT_NEAR(after(Rounding::kStochastic), 1.2, 0.01);
}

TEST(ValueTypes, TheSameBitsForAnyNumberOfThreads) {
  for (const ValueType type : {ValueType::kF16, ValueType::kBf16}) {
    TableOptions options = of(type, 8);
    options.rounding = Rounding::kStochastic;
    options.optimizer = optimizer(OptimizerKind::kAdam);
    std::vector<float> expected;
    for (const uint32_t threads : {1U, 2U, 4U}) {
      const LoneTable table(options, threads);
      for (uint64_t step = 0; step < 3; ++step) {
        must(table->push(range(0, 20'000), random_rows(20'000 * 8, step)));
      }
      std::vector<float> rows(20'000 * 8);
      must(table->lookup(range(0, 20'000), rows));
      if (threads == 1) expected = rows;
      EXPECT_TRUE(same_bits(rows, expected));
    }
  }
}

TEST(ValueTypes, PoolingAndMissingKeysGiveF32) {
  for (const ValueType type : {ValueType::kF16, ValueType::kBf16, ValueType::kI8, ValueType::kI4}) {
    TableOptions options = of(type, 4);
    options.initializer = {.kind = InitializerKind::kConstant, .value = 0.5F};
    const LoneTable table(options);
    must(table->update(range(0, 2), std::vector<float>(8, 2.0F)));
    const std::vector<uint64_t> keys = {0, 1, 99};
    const std::vector<uint32_t> offsets = {0, 3};
    std::vector<float> out(4);
    must(table->lookup_pooled({keys, offsets, {}, Pooling::kSum}, out));
    EXPECT_EQ(out, std::vector<float>(4, 4.5F));
  }
}

TEST(ValueTypes, ServingRowsTakeNoGradients) {
  for (const ValueType type : {ValueType::kI8, ValueType::kI4}) {
    const LoneTable table(of(type, 2));
    const std::vector<uint32_t> offsets = {0, 1};
    EXPECT_TRUE(fails(table->push(range(0, 1), std::vector<float>(2)), StatusCode::kInvalidArgument,
                      "valueType"));
    EXPECT_TRUE(fails(table->push_pooled({range(0, 1), offsets, {}}, std::vector<float>(2)),
                      StatusCode::kInvalidArgument, "valueType"));
    EXPECT_EQ(table->size(), 0U);
  }
}

}  // namespace
}  // namespace hotrow::test
