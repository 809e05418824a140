// validate(): every field of every set of options, and what its message names.
#include "hotrow/options.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "support/scale.h"
#include "support/status.h"
#include "support/stores.h"

namespace hotrow::test {
namespace {

constexpr auto kInvalid = StatusCode::kInvalidArgument;
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

template <class Options>
void expect_field(float Options::* field, const char* name, const std::vector<float>& wrong,
                  const std::vector<float>& right) {
  for (const float value : wrong) {
    Options options;
    options.*field = value;
    EXPECT_TRUE(fails(options.validate(), kInvalid, std::string(name) + ": expected")) << value;
  }
  for (const float value : right) {
    Options options;
    options.*field = value;
    EXPECT_TRUE(ok(options.validate())) << name << " " << value;
  }
}

TEST(OptimizerOptions, EachField) {
  using O = OptimizerOptions;
  const std::vector<float> not_positive = {0.0F, -1.0F, kInf, -kInf, kNan};
  const std::vector<float> negative = {-0.001F, -1.0F, kInf, -kInf, kNan};
  const std::vector<float> no_fraction = {-0.1F, 1.0F, 2.0F, kInf, -kInf, kNan};
  expect_field(&O::learning_rate, "optimizer.learningRate", not_positive, {1e-30F, 1.0F, 1e30F});
  expect_field(&O::initial_accumulator, "optimizer.initialAccumulator", negative, {0.0F, 1.0F});
  expect_field(&O::epsilon, "optimizer.epsilon", not_positive, {1e-30F, 1.0F});
  expect_field(&O::beta1, "optimizer.beta1", no_fraction, {0.0F, 0.5F, 0.999999F});
  expect_field(&O::beta2, "optimizer.beta2", no_fraction, {0.0F, 0.5F, 0.999999F});
  expect_field(&O::beta, "optimizer.beta", not_positive, {1e-30F, 1.0F});
  expect_field(&O::l1, "optimizer.l1", negative, {0.0F, 1.0F});
  expect_field(&O::l2, "optimizer.l2", negative, {0.0F, 1.0F});
}

TEST(InitializerOptions, EachField) {
  using I = InitializerOptions;
  const std::vector<float> not_finite = {kInf, -kInf, kNan};
  expect_field(&I::value, "initializer.value", not_finite, {0.0F, -1e30F});
  expect_field(&I::low, "initializer.low", not_finite, {0.0F, -1.0F});
  expect_field(&I::high, "initializer.high", not_finite, {0.0F, -1.0F});
  expect_field(&I::mean, "initializer.mean", not_finite, {0.0F, -1.0F});
  expect_field(&I::stddev, "initializer.stddev", {-1.0F, kInf, kNan}, {0.0F, 1.0F});
}

TEST(InitializerOptions, UniformNeedsAnInterval) {
  InitializerOptions options{.kind = InitializerKind::kUniform};
  EXPECT_TRUE(fails(options.validate(), kInvalid, "low below high"));
  options.high = -1;
  EXPECT_TRUE(fails(options.validate(), kInvalid, "received low 0 and high -1"));
  options.high = 1;
  EXPECT_TRUE(ok(options.validate()));
  options.kind = InitializerKind::kNormal;
  options.low = 2;
  EXPECT_TRUE(ok(options.validate())) << "others do not look at it";
}

TEST(TableOptions, Dim) {
  for (const uint32_t dim : {1U, 64U, kMaxDim}) {
    EXPECT_TRUE(ok(TableOptions{.dim = dim}.validate()));
  }
  for (const uint32_t dim : {0U, kMaxDim + 1, UINT32_MAX}) {
    EXPECT_TRUE(fails(TableOptions{.dim = dim}.validate(), kInvalid,
                      "dim: expected an integer from 1 to 8192, received " + std::to_string(dim)));
  }
}

TEST(TableOptions, StochasticRoundingIsForSixteenBits) {
  for (const ValueType type :
       {ValueType::kF32, ValueType::kF16, ValueType::kBf16, ValueType::kI8, ValueType::kI4}) {
    TableOptions options{.dim = 1, .value_type = type};
    EXPECT_TRUE(ok(options.validate()));
    options.rounding = Rounding::kStochastic;
    if (type == ValueType::kF16 || type == ValueType::kBf16) {
      EXPECT_TRUE(ok(options.validate()));
    } else {
      EXPECT_TRUE(fails(options.validate(), kInvalid, "rounding: expected 'nearest'"));
    }
  }
}

TEST(TableOptions, PartsAreValidatedToo) {
  TableOptions options{.dim = 1};
  options.optimizer.l1 = -1;
  EXPECT_TRUE(fails(options.validate(), kInvalid, "optimizer.l1"));
  options.optimizer.l1 = 0;
  options.initializer.stddev = -1;
  EXPECT_TRUE(fails(options.validate(), kInvalid, "initializer.stddev"));
}

TEST(DenseOptions, Shape) {
  const std::vector<std::vector<uint64_t>> right = {
      {1}, {3, 4}, {1, 1, 1, 1, 1, 1, 1, 1}, {kMaxDenseValues}, {1 << 16, 1 << 15}};
  for (const auto& shape : right) {
    EXPECT_TRUE(ok(DenseOptions{.shape = shape}.validate()));
  }
  const std::vector<std::vector<uint64_t>> wrong = {{},
                                                    std::vector<uint64_t>(9, 1),
                                                    {0},
                                                    {3, 0, 4},
                                                    {kMaxDenseValues + 1},
                                                    {kMaxDenseValues, 2},
                                                    {1 << 16, 1 << 16},
                                                    {UINT64_MAX},
                                                    {uint64_t{1} << 32, uint64_t{1} << 32}};
  for (const auto& shape : wrong) {
    EXPECT_TRUE(fails(DenseOptions{.shape = shape}.validate(), kInvalid, "shape: expected"));
  }
}

TEST(DenseOptions, PartsAreValidatedToo) {
  DenseOptions options{.shape = {2}};
  options.optimizer.learning_rate = 0;
  EXPECT_TRUE(fails(options.validate(), kInvalid, "optimizer.learningRate"));
  options.optimizer.learning_rate = 1;
  options.initializer.mean = kNan;
  EXPECT_TRUE(fails(options.validate(), kInvalid, "initializer.mean"));
}

TEST(StoreOptions, MemoryAndThreads) {
  constexpr uint64_t kMost = uint64_t{1} << 46;
  for (const uint64_t bytes : {uint64_t{0}, 16 * kMiB, kMost}) {
    EXPECT_TRUE(ok(StoreOptions{.memory_bytes = bytes}.validate()));
  }
  for (const uint64_t bytes : {uint64_t{1}, 16 * kMiB - 1, kMost + 1, UINT64_MAX}) {
    EXPECT_TRUE(fails(StoreOptions{.memory_bytes = bytes}.validate(), kInvalid, "memoryBytes"));
  }
  EXPECT_TRUE(ok(StoreOptions{.threads = kMaxThreads}.validate()));
  EXPECT_TRUE(fails(StoreOptions{.threads = kMaxThreads + 1}.validate(), kInvalid, "threads"));
}

// A ceiling beyond what the machine has is a wish, not an error: everything works below it.
TEST(StoreOptions, AnEnormousCeilingWorks) {
  // Sanitizers leave less address space to reserve.
  for (const uint64_t bytes : {uint64_t{1} << 40, uint64_t{1} << (kSlowdown > 1 ? 39 : 46)}) {
    SCOPED_TRACE(bytes);
    const auto store = private_store(1, bytes);
    auto table = store->table("t", sum_table(1));
    ASSERT_TRUE(ok(table));
    const std::vector<uint64_t> keys = range(0, scaled(200000));
    EXPECT_TRUE(ok(table.value()->push(keys, std::vector<float>(keys.size(), 1.0F))));
    EXPECT_EQ(lookup(*table.value(), keys), std::vector<float>(keys.size(), 1.0F));
    EXPECT_TRUE(ok(store->table("wide", sum_table(kMaxDim))));
  }
}

TEST(Options, EqualOnlyWhenEveryFieldIs) {
  TableOptions a{.dim = 4};
  TableOptions b = a;
  EXPECT_EQ(a, b);
  b.optimizer.l2 = 0.5F;
  EXPECT_FALSE(a == b);
  b = a;
  b.initializer.mean = 1;
  EXPECT_FALSE(a == b);
  b = a;
  b.seed = 1;
  EXPECT_FALSE(a == b);
  b = a;
  b.value_type = ValueType::kI4;
  EXPECT_FALSE(a == b);
  b = a;
  b.rounding = Rounding::kStochastic;
  EXPECT_FALSE(a == b);
}

}  // namespace
}  // namespace hotrow::test
