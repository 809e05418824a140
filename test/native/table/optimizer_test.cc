// State sizes, first states and the constants of a step.
#include "table/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "support/stores.h"

namespace hotrow::test {
namespace {

TEST(Optimizer, StateLiesBehindTheRow) {
  const std::pair<OptimizerKind, std::pair<uint64_t, uint64_t>> sizes[] = {
      {OptimizerKind::kSgd, {0, 0}},
      {OptimizerKind::kSum, {0, 0}},
      {OptimizerKind::kRowwiseAdagrad, {1, 1}},
      {OptimizerKind::kAdagrad, {1, 64}},
      {OptimizerKind::kAdam, {2, 128}},
      {OptimizerKind::kFtrl, {2, 128}},
      {OptimizerKind::kMomentum, {1, 64}},
      {OptimizerKind::kNesterov, {1, 64}},
      {OptimizerKind::kAdagradDecay, {2, 65}},
      {OptimizerKind::kRmsprop, {1, 64}},
      {OptimizerKind::kAdadelta, {2, 128}},
      {OptimizerKind::kAdamW, {2, 128}},
      {OptimizerKind::kAmsgrad, {3, 192}},
      {OptimizerKind::kAdamax, {2, 128}},
      {OptimizerKind::kRowwiseAdam, {2, 65}},
      {OptimizerKind::kGroupFtrl, {2, 128}},
      {OptimizerKind::kLamb, {2, 128}},
      {OptimizerKind::kLars, {1, 64}},
      {OptimizerKind::kLion, {1, 64}}};
  for (const auto& [kind, values] : sizes) {
    EXPECT_EQ(Optimizer({.kind = kind}).state_values(1), values.first) << name_of(kind);
    EXPECT_EQ(Optimizer({.kind = kind}).state_values(64), values.second) << name_of(kind);
  }
}

std::vector<float> first_state(OptimizerKind kind, size_t dim) {
  const Optimizer optimizer({.kind = kind, .initial_accumulator = 0.4F});
  std::vector<float> state(optimizer.state_values(dim), -9.0F);
  optimizer.fill_state(state);
  return state;
}

TEST(Optimizer, StateStartsAsStated) {
  EXPECT_EQ(first_state(OptimizerKind::kAdagrad, 3), (std::vector<float>{0.4F, 0.4F, 0.4F}));
  EXPECT_EQ(first_state(OptimizerKind::kRowwiseAdagrad, 3), (std::vector<float>{0.4F}));
  EXPECT_EQ(first_state(OptimizerKind::kAdam, 2), (std::vector<float>{0, 0, 0, 0}));
  EXPECT_EQ(first_state(OptimizerKind::kFtrl, 2), (std::vector<float>{0.4F, 0.4F, 0, 0}));
  EXPECT_EQ(first_state(OptimizerKind::kGroupFtrl, 2), (std::vector<float>{0.4F, 0.4F, 0, 0}));
  EXPECT_EQ(first_state(OptimizerKind::kAdagradDecay, 2), (std::vector<float>{0.4F, 0.4F, 0}));
  for (const auto kind : {OptimizerKind::kMomentum, OptimizerKind::kNesterov,
                          OptimizerKind::kRmsprop, OptimizerKind::kLars, OptimizerKind::kLion}) {
    EXPECT_EQ(first_state(kind, 2), (std::vector<float>{0, 0})) << name_of(kind);
  }
  for (const auto kind : {OptimizerKind::kAdadelta, OptimizerKind::kAdamW, OptimizerKind::kAdamax,
                          OptimizerKind::kLamb}) {
    EXPECT_EQ(first_state(kind, 2), std::vector<float>(4)) << name_of(kind);
  }
  EXPECT_EQ(first_state(OptimizerKind::kRowwiseAdam, 2), std::vector<float>(3));
  EXPECT_EQ(first_state(OptimizerKind::kAmsgrad, 2), std::vector<float>(6));
}

TEST(Optimizer, AdamsConstantsFollowTheStep) {
  const OptimizerOptions options{
      .kind = OptimizerKind::kAdam, .learning_rate = 0.02F, .beta1 = 0.9F, .beta2 = 0.999F};
  const Optimizer optimizer(options);
  for (const uint64_t t : {1U, 2U, 3U, 10U, 1000U, 100000U, 4000000000U}) {
    const UpdateStep step = optimizer.step(t);
    const double first = 1 - std::pow(double{options.beta1}, static_cast<double>(t));
    const double second = 1 - std::pow(double{options.beta2}, static_cast<double>(t));
    EXPECT_NEAR(step.adam_rate, 0.02 / first, 1e-7 * 0.02 / first) << t;
    EXPECT_NEAR(step.adam_root_correction, std::sqrt(second), 1e-7) << t;
  }
  EXPECT_EQ(optimizer.step(UINT64_MAX).adam_rate, 0.02F);
}

TEST(Optimizer, WithoutBetasAdamsConstantsAreThoseOfTheFirstStep) {
  const Optimizer optimizer(
      {.kind = OptimizerKind::kAdam, .learning_rate = 0.5F, .beta1 = 0, .beta2 = 0});
  for (const uint64_t t : {1U, 2U, 77U}) {
    EXPECT_EQ(optimizer.step(t).adam_rate, 0.5F);
    EXPECT_EQ(optimizer.step(t).adam_root_correction, 1.0F);
  }
}

TEST(Optimizer, TheStepCarriesTheOptions) {
  const OptimizerOptions options = every_optimizer()[4];
  const UpdateStep step = Optimizer(options).step(1);
  EXPECT_EQ(step.learning_rate, options.learning_rate);
  EXPECT_EQ(step.epsilon, options.epsilon);
  EXPECT_EQ(step.beta1, options.beta1);
  EXPECT_EQ(step.one_minus_beta1, 1.0F - options.beta1);
  EXPECT_EQ(step.beta2, options.beta2);
  EXPECT_EQ(step.one_minus_beta2, 1.0F - options.beta2);
  EXPECT_EQ(step.beta, options.beta);
  EXPECT_EQ(step.l1, options.l1);
  EXPECT_EQ(step.l2, options.l2);
}

TEST(Optimizer, TheRateOfAPushReplacesTheOptions) {
  const OptimizerOptions options = every_optimizer()[11];
  ASSERT_EQ(options.kind, OptimizerKind::kAdamW);
  OptimizerOptions faster = options;
  faster.learning_rate = 0.5F;
  const UpdateStep step = Optimizer(options).step(3, 0.5F);
  const UpdateStep expected = Optimizer(faster).step(3);
  EXPECT_EQ(step.learning_rate, 0.5F);
  EXPECT_EQ(step.adam_rate, expected.adam_rate);
  EXPECT_EQ(step.kept_share, expected.kept_share);
}

TEST(Optimizer, RulesThatDecayTheRowThemselvesLeaveTheGradientAlone) {
  for (OptimizerOptions options : every_optimizer()) {
    SCOPED_TRACE(name_of(options.kind));
    if (options.kind == OptimizerKind::kSum) continue;
    options.weight_decay = 0.25F;
    const Optimizer optimizer(options);
    const UpdateStep step = optimizer.step(1);
    const bool itself =
        options.kind == OptimizerKind::kAdamW || options.kind == OptimizerKind::kLamb ||
        options.kind == OptimizerKind::kLars || options.kind == OptimizerKind::kLion;
    EXPECT_EQ(step.weight_decay, itself ? 0.25F : 0.0F);
    EXPECT_EQ(step.added_decay, itself ? 0.0F : 0.25F);
    EXPECT_EQ(step.way, itself ? RowWay::kDirect : RowWay::kPrepared);
    EXPECT_EQ(optimizer.scratch_values(7), itself ? 0U : 7U);
  }
}

TEST(Optimizer, ScratchIsForPreparationsAlone) {
  EXPECT_EQ(Optimizer({}).scratch_values(9), 0U);
  EXPECT_EQ(Optimizer({.clip_value = 1}).scratch_values(9), 9U);
  EXPECT_EQ(Optimizer({.clip_norm = 1}).scratch_values(9), 9U);
  const OptimizerGroup decays[] = {{.weight_decay = 0.1F}};
  EXPECT_EQ(Optimizer({}, decays).scratch_values(9), 9U) << "a group's decay needs it too";
  const OptimizerGroup frozen[] = {{.frozen = true}};
  EXPECT_EQ(Optimizer({}, frozen).scratch_values(9), 0U);
}

TEST(Optimizer, DecaysAreCountedByPushesOfTheTable) {
  const Optimizer optimizer({.kind = OptimizerKind::kAdagradDecay, .decay_steps = 10});
  EXPECT_EQ(optimizer.step(9).decays, 0.0F);
  EXPECT_EQ(optimizer.step(10).decays, 1.0F);
  EXPECT_EQ(optimizer.step(39).decays, 3.0F);
  EXPECT_EQ(optimizer.step(UINT64_MAX).decays, 0x1p24F) << "where f32 stops counting";
}

TEST(StepTable, WithoutGroupsEveryKeyHasTheOptimizersStep) {
  const Optimizer optimizer({.learning_rate = 0.5F});
  const StepTable steps(optimizer, 1);
  const StepTable faster(optimizer, 1, 2.0F);
  for (const uint64_t key : {uint64_t{0}, uint64_t{1} << 44, UINT64_MAX}) {
    EXPECT_EQ(steps.for_key(key).learning_rate, 0.5F);
    EXPECT_EQ(faster.for_key(key).learning_rate, 2.0F);
  }
}

TEST(StepTable, AKeysGroupIsThatOfItsSlot) {
  // Out of order, with a gap, and with both ends of all slots.
  const OptimizerGroup groups[] = {{.first_slot = 7, .last_slot = 9, .rate_scale = 4},
                                   {.first_slot = 0, .last_slot = 2, .weight_decay = 0.5F},
                                   {.first_slot = kMaxSlot, .last_slot = kMaxSlot, .frozen = true}};
  const Optimizer optimizer({.learning_rate = 0.5F, .weight_decay = 0.125F}, groups);
  const StepTable steps(optimizer, 1, 0.25F);
  for (const uint64_t feature : {uint64_t{0}, (uint64_t{1} << 44) - 1}) {
    for (const uint32_t slot : {0U, 1U, 2U}) {
      const UpdateStep& step = steps.for_key(slot_key(slot, feature));
      EXPECT_EQ(step.learning_rate, 0.25F);
      EXPECT_EQ(step.added_decay, 0.5F);
    }
    for (const uint32_t slot : {7U, 8U, 9U}) {
      const UpdateStep& step = steps.for_key(slot_key(slot, feature));
      EXPECT_EQ(step.learning_rate, 1.0F) << "of the push, scaled";
      EXPECT_EQ(step.added_decay, 0.125F);
    }
    for (const uint32_t slot : {3U, 6U, 10U, kMaxSlot - 1}) {
      const UpdateStep& step = steps.for_key(slot_key(slot, feature));
      EXPECT_EQ(step.learning_rate, 0.25F);
      EXPECT_EQ(step.added_decay, 0.125F);
      EXPECT_EQ(step.way, RowWay::kPrepared);
    }
    EXPECT_EQ(steps.for_key(slot_key(kMaxSlot, feature)).way, RowWay::kFrozen);
  }
}

TEST(StepTable, HoldsAsManyGroupsAsThereMayBe) {
  std::vector<OptimizerGroup> groups;
  for (uint32_t i = 0; i < kMaxGroups; ++i) {
    groups.push_back({.first_slot = 2 * i, .last_slot = 2 * i, .rate_scale = float(i + 1)});
  }
  const Optimizer optimizer({.learning_rate = 1}, groups);
  const StepTable steps(optimizer, 1);
  for (uint32_t i = 0; i < kMaxGroups; ++i) {
    EXPECT_EQ(steps.for_key(slot_key(2 * i, 3)).learning_rate, float(i + 1));
    EXPECT_EQ(steps.for_key(slot_key(2 * i + 1, 3)).learning_rate, 1.0F);
  }
}

}  // namespace
}  // namespace hotrow::test
