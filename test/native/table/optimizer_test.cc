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
      {OptimizerKind::kFtrl, {2, 128}}};
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

}  // namespace
}  // namespace hotrow::test
