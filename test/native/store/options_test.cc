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

constexpr float kInf = std::numeric_limits<float>::infinity();

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
  expect_field(&O::weight_decay, "optimizer.weightDecay", negative, {0.0F, 1.0F});
  expect_field(&O::clip_value, "optimizer.clipValue", negative, {0.0F, 1.0F});
  expect_field(&O::clip_norm, "optimizer.clipNorm", negative, {0.0F, 1.0F});
}

/// As expect_field, for a field that only some rules read.
void expect_own_field(OptimizerKind kind, float OptimizerOptions::* field, const char* name,
                      const std::vector<float>& wrong, const std::vector<float>& right) {
  SCOPED_TRACE(testing::Message() << name_of(kind) << " " << name);
  OptimizerOptions options{.kind = kind};
  const std::string message = std::string("optimizer.") + name + ": expected";
  for (const float value : wrong) {
    options.*field = value;
    EXPECT_TRUE(fails(options.validate(), kInvalid, message)) << value;
  }
  for (const float value : right) {
    options.*field = value;
    EXPECT_TRUE(ok(options.validate())) << value;
  }
  // With any rule that does not read it, only the default is right.
  options.kind = kind == OptimizerKind::kSgd ? OptimizerKind::kSum : OptimizerKind::kSgd;
  options.*field = right.front();
  EXPECT_TRUE(fails(options.validate(), kInvalid, message + " "));
  EXPECT_TRUE(fails(options.validate(), kInvalid, "does not use it)"));
  options.*field = OptimizerOptions().*field;
  EXPECT_TRUE(ok(options.validate()));
}

TEST(OptimizerOptions, FieldsOfSomeRules) {
  using O = OptimizerOptions;
  using Kind = OptimizerKind;
  const std::vector<float> negative = {-0.001F, -1.0F, kInf, -kInf, kNan};
  const std::vector<float> no_fraction = {-0.1F, 1.0F, 2.0F, kInf, -kInf, kNan};
  const std::vector<float> not_positive = {0.0F, -1.0F, kInf, -kInf, kNan};
  expect_own_field(Kind::kGroupFtrl, &O::l21, "l21", negative, {1.0F, 0.0F});
  for (const Kind kind : {Kind::kMomentum, Kind::kNesterov, Kind::kLars}) {
    expect_own_field(kind, &O::momentum, "momentum", no_fraction, {0.0F, 0.5F, 0.999F});
  }
  for (const Kind kind : {Kind::kRmsprop, Kind::kAdadelta}) {
    expect_own_field(kind, &O::rho, "rho", no_fraction, {0.0F, 0.5F, 0.999F});
  }
  expect_own_field(Kind::kAdagradDecay, &O::decay_rate, "decayRate",
                   {0.0F, -1.0F, 1.1F, kInf, kNan}, {1.0F, 0.1F});
  expect_own_field(Kind::kLars, &O::trust, "trust", not_positive, {1.0F, 1e-9F});
}

TEST(OptimizerOptions, DecaySteps) {
  OptimizerOptions options{.kind = OptimizerKind::kAdagradDecay, .decay_steps = 0};
  EXPECT_TRUE(fails(options.validate(), kInvalid,
                    "optimizer.decaySteps: expected an integer above 0, received 0"));
  for (const uint32_t steps : {1U, 7U, UINT32_MAX}) {
    options.decay_steps = steps;
    EXPECT_TRUE(ok(options.validate()));
  }
  options.kind = OptimizerKind::kAdagrad;
  EXPECT_TRUE(fails(options.validate(), kInvalid,
                    "optimizer.decaySteps: expected 100000 (adagrad does not use it), received "
                    "4294967295"));
}

TEST(OptimizerOptions, SumTakesNeitherDecayNorClipping) {
  using O = OptimizerOptions;
  for (float O::* const field : {&O::weight_decay, &O::clip_value, &O::clip_norm}) {
    OptimizerOptions options{.kind = OptimizerKind::kSum};
    options.*field = 0.5F;
    EXPECT_TRUE(
        fails(options.validate(), kInvalid, ": expected 0 (sum does not use it), received 0.5"));
  }
}

TEST(OptimizerOptions, GradientsAreClippedInOneWay) {
  OptimizerOptions options{.clip_value = 0.5F, .clip_norm = 2.0F};
  EXPECT_TRUE(fails(options.validate(), kInvalid,
                    "optimizer: expected clipValue or clipNorm, received clipValue 0.5 and "
                    "clipNorm 2"));
}

// Tables of earlier releases set such fields without harm.
TEST(OptimizerOptions, OlderFieldsAreLegalWithEveryRule) {
  for (const OptimizerOptions& options : every_optimizer()) {
    EXPECT_TRUE(ok(options.validate())) << name_of(options.kind);
    for (const OptimizerOptions& prepared : every_preparation(options)) {
      EXPECT_TRUE(ok(prepared.validate())) << describe(prepared);
    }
  }
}

TEST(PushOptions, LearningRate) {
  EXPECT_TRUE(ok(PushOptions().validate()));
  EXPECT_TRUE(ok(PushOptions{.learning_rate = 1e-30F}.validate()));
  for (const float rate : {-0.1F, kInf, -kInf, kNan}) {
    EXPECT_TRUE(fails(PushOptions{.learning_rate = rate}.validate(), kInvalid,
                      "learningRate: expected a finite number above 0, received"));
  }
}

Status with_groups(std::vector<OptimizerGroup> groups, const OptimizerOptions& optimizer = {}) {
  return TableOptions{.dim = 1, .optimizer = optimizer, .groups = std::move(groups)}.validate();
}

TEST(OptimizerGroup, Slots) {
  constexpr uint32_t kLast = (1U << 20) - 1;
  EXPECT_TRUE(ok(with_groups({{.first_slot = 0, .last_slot = kLast}})));
  EXPECT_TRUE(
      ok(with_groups({{.first_slot = 5, .last_slot = 6}, {.first_slot = 0, .last_slot = 4}})));
  EXPECT_TRUE(
      fails(with_groups({{}, {.first_slot = kLast + 1, .last_slot = kLast + 1}}), kInvalid,
            "groups[1].firstSlot: expected an integer from 0 to 1048575, received 1048576"));
  EXPECT_TRUE(fails(with_groups({{.last_slot = kLast + 1}}), kInvalid, "groups[0].lastSlot"));
  EXPECT_TRUE(fails(with_groups({{.first_slot = 3, .last_slot = 2}}), kInvalid,
                    "groups[0]: expected firstSlot up to lastSlot, received 3 and 2"));
}

TEST(OptimizerGroup, NoSlotIsInTwo) {
  const OptimizerGroup has{.first_slot = 10, .last_slot = 20};
  for (const auto& [first, last] :
       {std::pair{0U, 10U}, {10U, 20U}, {12U, 15U}, {20U, 30U}, {5U, 25U}}) {
    EXPECT_TRUE(fails(
        with_groups(
            {{.first_slot = 1, .last_slot = 1}, has, {.first_slot = first, .last_slot = last}}),
        kInvalid,
        first == 0 ? "groups[2]: expected slots that groups[0] does not have"
                   : "groups[2]: expected slots that groups[1] does not have, received"));
  }
  for (const auto& [first, last] : {std::pair{0U, 9U}, {21U, 21U}}) {
    EXPECT_TRUE(ok(with_groups({has, {.first_slot = first, .last_slot = last}})));
  }
}

TEST(OptimizerGroup, AtMostSixtyFour) {
  std::vector<OptimizerGroup> groups;
  for (uint32_t i = 0; i < kMaxGroups; ++i) groups.push_back({.first_slot = i, .last_slot = i});
  EXPECT_TRUE(ok(with_groups(groups)));
  groups.push_back({.first_slot = 99, .last_slot = 99});
  EXPECT_TRUE(
      fails(with_groups(groups), kInvalid, "groups: expected at most 64 groups, received 65"));
}

TEST(OptimizerGroup, Numbers) {
  for (const float scale : {0.0F, -1.0F, kInf, kNan}) {
    EXPECT_TRUE(fails(with_groups({{.rate_scale = scale}}), kInvalid,
                      "groups[0].rateScale: expected a finite number above 0, received"));
  }
  for (const float decay : {-0.5F, -2.0F, kInf, kNan}) {
    EXPECT_TRUE(fails(with_groups({{.weight_decay = decay}}), kInvalid,
                      "groups[0].weightDecay: expected a finite number of at least 0"));
  }
  EXPECT_TRUE(ok(with_groups({{.rate_scale = 0.1F, .weight_decay = 0}})));
  // A rate of 0 would divide by 0, and one of infinity by infinity.
  for (const float scale : {1e-38F, 1e38F}) {
    EXPECT_TRUE(fails(with_groups({{.rate_scale = scale}}, {.learning_rate = scale}), kInvalid,
                      "groups[0].rateScale: expected a number that leaves the learning rate"));
  }
}

TEST(OptimizerGroup, OfASumOnlyFrozen) {
  const OptimizerOptions sum{.kind = OptimizerKind::kSum};
  EXPECT_TRUE(ok(with_groups({{.frozen = true}}, sum)));
  EXPECT_TRUE(ok(with_groups({{.weight_decay = 0}}, sum)));
  EXPECT_TRUE(
      fails(with_groups({{.rate_scale = 2}}, sum), kInvalid, "groups[0].rateScale: expected 1"));
  EXPECT_TRUE(fails(with_groups({{.weight_decay = 0.1F}}, sum), kInvalid,
                    "groups[0].weightDecay: expected 0"));
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
  b = a;
  b.groups = {{.frozen = true}};
  EXPECT_FALSE(a == b);
}

}  // namespace
}  // namespace hotrow::test
