// What single rules are for: the properties by which each of them is chosen.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "simd/kernels.h"
#include "support/bits.h"
#include "support/random.h"
#include "support/stores.h"
#include "table/optimizer.h"

namespace hotrow::test {
namespace {

/// A row with its state under one rule.
class Rule {
 public:
  Rule(const OptimizerOptions& options, std::vector<float> w)
      : optimizer_(options), w_(std::move(w)), state_(optimizer_.state_values(w_.size())) {
    optimizer_.fill_state(state_);
  }

  Rule& step(const std::vector<float>& g, uint64_t t = 0, float rate = 0) {
    last_ = t == 0 ? last_ + 1 : t;
    std::vector<float> scratch(g.size());
    optimizer_.apply(optimizer_.step(last_, rate), w_.data(), state_.data(), g.data(), g.size(),
                     scratch.data());
    return *this;
  }
  const std::vector<float>& w() const { return w_; }
  const std::vector<float>& state() const { return state_; }

 private:
  Optimizer optimizer_;
  std::vector<float> w_;
  std::vector<float> state_;
  uint64_t last_ = 0;
};

OptimizerOptions rule(OptimizerKind kind) {
  for (const OptimizerOptions& options : every_optimizer()) {
    if (options.kind == kind) return options;
  }
  return {};
}

TEST(Rules, MomentumAndNesterovByHand) {
  const OptimizerOptions momentum{
      .kind = OptimizerKind::kMomentum, .learning_rate = 0.5F, .momentum = 0.5F};
  Rule plain(momentum, {1});
  EXPECT_EQ(plain.step({1}).w()[0], 0.5F) << "m = 1";
  EXPECT_EQ(plain.step({1}).w()[0], -0.25F) << "m = 1.5";
  OptimizerOptions nesterov = momentum;
  nesterov.kind = OptimizerKind::kNesterov;
  Rule ahead(nesterov, {1});
  EXPECT_EQ(ahead.step({1}).w()[0], 0.25F) << "1 + 0.5 * 1";
  EXPECT_EQ(ahead.step({1}).w()[0], -0.625F) << "1 + 0.5 * 1.5";
}

TEST(Rules, AdamWWithoutDecayIsAdamAndLionKeepsItsStepLength) {
  OptimizerOptions adamw = rule(OptimizerKind::kAdamW);
  adamw.weight_decay = 0;
  OptimizerOptions adam = adamw;
  adam.kind = OptimizerKind::kAdam;
  const std::vector<float> start = Random(1).reals(23);
  Rule a(adamw, start);
  Rule b(adam, start);
  for (uint64_t t = 1; t <= 9; ++t) {
    const std::vector<float> g = Random(t).reals(23);
    EXPECT_TRUE(same_bits(a.step(g).w(), b.step(g).w()));
  }
  Rule lion({.kind = OptimizerKind::kLion, .learning_rate = 0.25F}, {0, 0, 0});
  EXPECT_EQ(lion.step({1e-9F, -1e9F, 0}).w(), (std::vector<float>{-0.25F, 0.25F, 0}));
}

TEST(Rules, DecoupledDecayShrinksWithoutAGradient) {
  const OptimizerOptions options{
      .kind = OptimizerKind::kAdamW, .learning_rate = 0.5F, .weight_decay = 0.5F};
  EXPECT_EQ(Rule(options, {4, -2}).step({0, 0}).w(), (std::vector<float>{3, -1.5F}));
}

TEST(Rules, AmsgradNeverTakesLargerStepsAfterALargeGradient) {
  OptimizerOptions options{
      .kind = OptimizerKind::kAmsgrad, .learning_rate = 0.1F, .beta1 = 0, .beta2 = 0.5F};
  Rule amsgrad(options, {0});
  options.kind = OptimizerKind::kAdam;
  Rule adam(options, {0});
  amsgrad.step({1000});
  adam.step({1000});
  for (int i = 0; i < 40; ++i) {
    amsgrad.step({1});
    adam.step({1});
  }
  EXPECT_LT(amsgrad.w()[0], 0);
  EXPECT_GT(amsgrad.w()[0], -0.2F) << "the large gradient still counts";
  EXPECT_LT(adam.w()[0], -1.0F) << "Adam has forgotten it";
  EXPECT_EQ(amsgrad.state()[2], 0.5F * 1000 * 1000);
}

TEST(Rules, GroupFtrlIsFtrlWithoutL21) {
  OptimizerOptions grouped = rule(OptimizerKind::kGroupFtrl);
  grouped.l21 = 0;
  OptimizerOptions plain = grouped;
  plain.kind = OptimizerKind::kFtrl;
  const std::vector<float> start = Random(2).reals(21);
  Rule a(grouped, start);
  Rule b(plain, start);
  for (uint64_t t = 1; t <= 9; ++t) {
    const std::vector<float> g = Random(t).reals(21);
    EXPECT_EQ(a.step(g).w(), b.step(g).w());
  }
}

TEST(Rules, GroupFtrlTakesWholeRowsAway) {
  const OptimizerOptions options{
      .kind = OptimizerKind::kGroupFtrl, .learning_rate = 0.1F, .l21 = 2};
  // norm(z) = 3.9 and 4.1 beside sqrt(4) * 2
  EXPECT_EQ(Rule(options, {0, 0, 0, 0}).step({3.9F, 0, 0, 0}).w(), std::vector<float>(4));
  Rule kept(options, {0, 0, 0, 0});
  kept.step({4.1F, 0, 0, 0});
  EXPECT_LT(kept.w()[0], 0);
  EXPECT_GT(kept.w()[0], -0.01F) << "and shrinks what stays";
}

TEST(Rules, TrustRatiosScaleTheStepByTheRow) {
  // Without momentum and decay, LARS steps learning_rate * trust * norm(w) along g.
  const OptimizerOptions lars{
      .kind = OptimizerKind::kLars, .learning_rate = 0.5F, .momentum = 0, .trust = 0.25F};
  EXPECT_EQ(Rule(lars, {3, 4}).step({0, 100}).w(), (std::vector<float>{3, 4 - 0.625F}));
  const OptimizerOptions lamb{.kind = OptimizerKind::kLamb,
                              .learning_rate = 0.5F,
                              .epsilon = 1e-12F,
                              .beta1 = 0,
                              .beta2 = 0};
  // r is the sign of g, of norm sqrt(2); norm(w) is 5.
  const std::vector<float> w = Rule(lamb, {3, 4}).step({-2, 7}).w();
  EXPECT_NEAR(w[0], 3 + 2.5 / std::sqrt(2), 1e-5);
  EXPECT_NEAR(w[1], 4 - 2.5 / std::sqrt(2), 1e-5);
}

TEST(Rules, RowsOfZerosLearnUnderTrustRatios) {
  for (const auto kind : {OptimizerKind::kLars, OptimizerKind::kLamb}) {
    const std::vector<float> w = Rule(rule(kind), {0, 0, 0}).step({1, -1, 0}).w();
    EXPECT_LT(w[0], 0) << name_of(kind);
    EXPECT_GT(w[1], 0) << name_of(kind);
    EXPECT_EQ(w[2], 0) << name_of(kind);
  }
}

TEST(Rules, AdagradsDecayIsOncePerPeriodAndNeverBelowTheStart) {
  const OptimizerOptions options{.kind = OptimizerKind::kAdagradDecay,
                                 .learning_rate = 1,
                                 .initial_accumulator = 1,
                                 .decay_rate = 0.5F,
                                 .decay_steps = 10};
  Rule row(options, {0});
  EXPECT_EQ(row.step({3}, 9).state()[0], 10.0F);
  EXPECT_EQ(row.step({0}, 10).state(), (std::vector<float>{5, 1}));
  EXPECT_EQ(row.step({0}, 11).state(), (std::vector<float>{5, 1})) << "the same period";
  EXPECT_EQ(row.step({0}, 45).state(), (std::vector<float>{2.5F, 2})) << "one decay a push";
  EXPECT_EQ(row.step({0}, 46).state(), (std::vector<float>{1.25F, 3}));
  EXPECT_EQ(row.step({0}, 47).state(), (std::vector<float>{1, 4})) << "the floor";
  EXPECT_EQ(row.step({0}, 48).state(), (std::vector<float>{1, 4}));
}

TEST(Rules, RowwiseAdamDividesTheRowByOneNumber) {
  const OptimizerOptions options{.kind = OptimizerKind::kRowwiseAdam,
                                 .learning_rate = 1,
                                 .epsilon = 1e-12F,
                                 .beta1 = 0,
                                 .beta2 = 0};
  Rule row(options, {0, 0});
  row.step({1, 7});  // the root of the mean square is 5
  EXPECT_NEAR(row.w()[0], -0.2, 1e-6);
  EXPECT_NEAR(row.w()[1], -1.4, 1e-6);
  EXPECT_EQ(row.state(), (std::vector<float>{1, 7, 25}));
}

TEST(Rules, TheRateOfAStepIsTakenUpByEveryRule) {
  for (const OptimizerOptions& options : every_optimizer()) {
    if (options.kind == OptimizerKind::kSum) continue;
    OptimizerOptions faster = options;
    faster.learning_rate = 0.3F;
    const std::vector<float> start = Random(4).reals(11);
    Rule given(options, start);
    Rule own(faster, start);
    for (uint64_t t = 1; t <= 5; ++t) {
      const std::vector<float> g = Random(t).reals(11, -2.0F, 2.0F);
      given.step(g, t, 0.3F);
      own.step(g, t);
    }
    EXPECT_TRUE(same_bits(given.w(), own.w())) << name_of(options.kind);
    EXPECT_NE(given.w(), Rule(options, start).step(std::vector<float>(11, 1.0F)).w());
  }
}

}  // namespace
}  // namespace hotrow::test
