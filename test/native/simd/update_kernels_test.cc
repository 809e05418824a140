// Every optimizer's kernel on every instruction set: close to float64, equal bit for bit among
// each other, and writing nothing but its row.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "model/plain_optimizer.h"
#include "simd/kernels.h"
#include "support/bits.h"
#include "support/random.h"
#include "support/reference_optimizer.h"
#include "support/stores.h"
#include "table/optimizer.h"

namespace hotrow::test {
namespace {

constexpr float kGuard = -12345.5F;
constexpr size_t kGuards = 24;  // more than the widest vector

std::vector<size_t> dims() {
  std::vector<size_t> all;
  for (size_t dim = 1; dim <= 70; ++dim) all.push_back(dim);
  all.push_back(128);
  return all;
}

/// A row as it lies in a slab: values, then state, with guards around and a start that is aligned
/// to 8 bytes only, as packed rows are.
class GuardedRow {
 public:
  GuardedRow(const OptimizerOptions& options, std::span<const float> initial)
      : optimizer_(options),
        kind_(options.kind),
        dim_(initial.size()),
        state_(optimizer_.state_values(dim_)),
        memory_(kGuards * 2 + 2 + dim_ + state_, kGuard) {
    std::copy(initial.begin(), initial.end(), w());
    optimizer_.fill_state({state(), state_});
  }

  float* w() { return memory_.data() + kGuards + 2; }
  float* state() { return w() + dim_; }
  std::span<const float> values() { return {w(), dim_}; }
  std::span<const float> all() { return {w(), dim_ + state_}; }

  /// Runs the rule on a guarded copy of g, prepared as the options say; the copy must stay as it
  /// is.
  void step(const UpdateKernels& kernels, std::span<const float> g, uint64_t t) {
    std::vector<float> gradient(g.begin(), g.end());
    gradient.resize(g.size() + kGuards, kGuard);
    const std::vector<float> before = gradient;
    std::vector<float> scratch(g.size() + kGuards, kGuard);
    const UpdateStep step = optimizer_.step(t);
    const float* const ready = kernels.prepare(w(), gradient.data(), dim_, step, scratch.data());
    kernels.rule(kind_)(w(), state(), ready, dim_, step);
    EXPECT_TRUE(same_bits(gradient, before));
    EXPECT_EQ(std::count(scratch.begin() + static_cast<ptrdiff_t>(dim_), scratch.end(), kGuard),
              static_cast<ptrdiff_t>(kGuards));
  }

  bool guards_intact() {
    const auto is_guard = [](float x) { return x == kGuard; };
    return std::all_of(memory_.data(), w(), is_guard) &&
           std::all_of(w() + dim_ + state_, memory_.data() + memory_.size(), is_guard);
  }

 private:
  Optimizer optimizer_;
  OptimizerKind kind_;
  size_t dim_;
  size_t state_;
  std::vector<float> memory_;
};

void expect_close(std::span<const float> got, const ReferenceRow& reference) {
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], reference.w[i], 2e-5 * std::max(1.0, std::fabs(reference.w[i])))
        << "value " << i;
  }
}

void compare_with_float64(const UpdateKernels& kernels, const OptimizerOptions& options,
                          size_t dim) {
  SCOPED_TRACE(testing::Message() << kernels.target << " " << describe(options) << " dim " << dim);
  Random random(dim);
  const std::vector<float> initial = random.reals(dim);
  GuardedRow row(options, initial);
  ReferenceRow reference(options, initial);
  for (uint64_t t = 1; t <= 12; ++t) {
    const std::vector<float> g = random.reals(dim, -2.0F, 2.0F);
    row.step(kernels, g, t);
    reference.step(g, t);
    ASSERT_NO_FATAL_FAILURE(expect_close(row.values(), reference));
  }
  ASSERT_TRUE(row.guards_intact());
}

TEST(UpdateKernels, ComeCloseToFloat64) {
  for (const UpdateKernels* kernels : all_update_kernels()) {
    for (const OptimizerOptions& options : every_optimizer()) {
      for (const size_t dim : dims()) {
        ASSERT_NO_FATAL_FAILURE(compare_with_float64(*kernels, options, dim));
      }
    }
  }
}

TEST(UpdateKernels, ComeCloseToFloat64OnPreparedGradients) {
  for (const UpdateKernels* kernels : all_update_kernels()) {
    for (const OptimizerOptions& options : every_optimizer()) {
      for (const OptimizerOptions& prepared : every_preparation(options)) {
        for (const size_t dim : {1U, 7U, 16U, 33U, 64U, 70U}) {
          ASSERT_NO_FATAL_FAILURE(compare_with_float64(*kernels, prepared, dim));
        }
      }
    }
  }
}

TEST(UpdateKernels, StayCloseToFloat64OverManySteps) {
  for (const OptimizerOptions& options : every_optimizer()) {
    SCOPED_TRACE(name_of(options.kind));
    Random random(11);
    const std::vector<float> initial = random.reals(19);
    GuardedRow row(options, initial);
    ReferenceRow reference(options, initial);
    for (uint64_t t = 1; t <= 400; ++t) {
      const std::vector<float> g = random.reals(19);
      row.step(update_kernels(), g, t);
      reference.step(g, t);
    }
    // Rounding adds up: a few units in the last place a step.
    for (size_t i = 0; i < 19; ++i) EXPECT_NEAR(row.values()[i], reference.w[i], 3e-4) << i;
  }
}

/// From denormal to large, with zeros of both signs between.
std::vector<float> wild_gradient(Random& random, size_t dim) {
  std::vector<float> g = random.reals(dim);
  for (float& x : g) {
    x *= std::ldexp(1.0F, static_cast<int>(random.below(60)) - 40);
    if (random.one_in(10)) x = random.one_in(2) ? 0.0F : -0.0F;
  }
  return g;
}

void compare_instruction_sets(const OptimizerOptions& options, size_t dim) {
  const auto all = all_update_kernels();
  Random random(dim * 7 + 1);
  const std::vector<float> initial = random.reals(dim, -3.0F, 3.0F);
  const PlainOptimizer plain(options);
  PlainRow scalar = plain.fresh(initial);
  std::vector<GuardedRow> rows(all.size(), GuardedRow(options, initial));
  for (uint64_t t = 1; t <= 6; ++t) {
    const std::vector<float> g = wild_gradient(random, dim);
    plain.step(scalar, g, t);
    for (size_t i = 0; i < all.size(); ++i) {
      SCOPED_TRACE(testing::Message() << all[i]->target << " " << describe(options) << " dim "
                                      << dim << " step " << t);
      rows[i].step(*all[i], g, t);
      ASSERT_TRUE(same_bits(rows[i].values(), scalar.w));
      ASSERT_TRUE(same_bits(rows[i].all(), rows[0].all()));
    }
  }
}

TEST(UpdateKernels, GiveTheSameBitsOnEveryInstructionSet) {
  for (const OptimizerOptions& options : every_optimizer()) {
    for (const size_t dim : dims()) {
      ASSERT_NO_FATAL_FAILURE(compare_instruction_sets(options, dim));
    }
  }
}

TEST(UpdateKernels, GiveTheSameBitsOnPreparedGradients) {
  for (const OptimizerOptions& options : every_optimizer()) {
    for (const OptimizerOptions& prepared : every_preparation(options)) {
      for (size_t dim = 1; dim <= 70; dim += 3) {
        ASSERT_NO_FATAL_FAILURE(compare_instruction_sets(prepared, dim));
      }
    }
  }
}

TEST(UpdateKernels, FtrlZeroesWhatL1Outweighs) {
  OptimizerOptions options = optimizer(OptimizerKind::kFtrl, 0.1F);
  options.l1 = 5.0F;
  for (const UpdateKernels* kernels : all_update_kernels()) {
    GuardedRow row(options, std::vector<float>{0.0F, 0.0F, 0.0F});
    row.step(*kernels, std::vector<float>{1.0F, -7.0F, 7.0F}, 1);
    EXPECT_EQ(row.values()[0], 0.0F) << "|z| = 1 is below l1";
    EXPECT_GT(row.values()[1], 0.0F) << "against the gradient";
    EXPECT_LT(row.values()[2], 0.0F);
    EXPECT_EQ(row.values()[1], -row.values()[2]);
  }
}

TEST(UpdateKernels, SumIsExactForIntegers) {
  for (const UpdateKernels* kernels : all_update_kernels()) {
    const UpdateRow sum = kernels->rule(OptimizerKind::kSum);
    std::vector<float> w(37, 0.0F);
    const std::vector<float> ones(37, 1.0F);
    for (int i = 0; i < 1000; ++i) sum(w.data(), nullptr, ones.data(), 37, {});
    EXPECT_EQ(w, std::vector<float>(37, 1000.0F));
    w.assign(37, 16777215.0F);
    sum(w.data(), nullptr, ones.data(), 37, {});
    EXPECT_EQ(w, std::vector<float>(37, 16777216.0F));
  }
}

TEST(UpdateKernels, ZeroGradientsOnFreshRowsChangeNothing) {
  for (const UpdateKernels* kernels : all_update_kernels()) {
    for (OptimizerOptions options : every_optimizer()) {
      // Their w comes from z, not from w.
      if (options.kind == OptimizerKind::kFtrl || options.kind == OptimizerKind::kGroupFtrl)
        continue;
      options.initial_accumulator = 0.0F;
      options.weight_decay = 0.0F;
      const std::vector<float> initial = Random(5).reals(33);
      GuardedRow row(options, initial);
      row.step(*kernels, std::vector<float>(33, 0.0F), 1);
      EXPECT_TRUE(same_bits(row.values(), initial)) << name_of(options.kind);
    }
  }
}

TEST(UpdateKernels, TheChosenOnesAreAmongAll) {
  const auto all = all_update_kernels();
  ASSERT_FALSE(all.empty());
  EXPECT_NE(std::find(all.begin(), all.end(), &update_kernels()), all.end());
}

}  // namespace
}  // namespace hotrow::test
