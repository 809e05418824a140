// Every optimizer's kernel on every instruction set: close to float64, equal bit for bit among
// each other, and writing nothing but its row.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
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

UpdateRow kernel_of(const UpdateKernels& kernels, OptimizerKind kind) {
  switch (kind) {
    case OptimizerKind::kSgd:
      return kernels.sgd;
    case OptimizerKind::kAdagrad:
      return kernels.adagrad;
    case OptimizerKind::kRowwiseAdagrad:
      return kernels.rowwise_adagrad;
    case OptimizerKind::kAdam:
      return kernels.adam;
    case OptimizerKind::kFtrl:
      return kernels.ftrl;
    case OptimizerKind::kSum:
      return kernels.sum;
  }
  return nullptr;
}

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

  /// Runs the kernel on a guarded copy of g; the copy must stay as it is.
  void step(UpdateRow kernel, std::span<const float> g, uint64_t t) {
    std::vector<float> gradient(g.begin(), g.end());
    gradient.resize(g.size() + kGuards, kGuard);
    const std::vector<float> before = gradient;
    kernel(w(), state(), gradient.data(), dim_, optimizer_.step(t));
    EXPECT_TRUE(same_bits(gradient, before));
  }

  bool guards_intact() {
    const auto is_guard = [](float x) { return x == kGuard; };
    return std::all_of(memory_.data(), w(), is_guard) &&
           std::all_of(w() + dim_ + state_, memory_.data() + memory_.size(), is_guard);
  }

 private:
  Optimizer optimizer_;
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

TEST(UpdateKernels, ComeCloseToFloat64) {
  for (const UpdateKernels* kernels : all_update_kernels()) {
    for (const OptimizerOptions& options : every_optimizer()) {
      for (const size_t dim : dims()) {
        SCOPED_TRACE(testing::Message()
                     << kernels->target << " " << name_of(options.kind) << " dim " << dim);
        Random random(dim);
        const std::vector<float> initial = random.reals(dim);
        GuardedRow row(options, initial);
        ReferenceRow reference(options, initial);
        for (uint64_t t = 1; t <= 12; ++t) {
          const std::vector<float> g = random.reals(dim, -2.0F, 2.0F);
          row.step(kernel_of(*kernels, options.kind), g, t);
          reference.step(g, t);
          ASSERT_NO_FATAL_FAILURE(expect_close(row.values(), reference));
        }
        ASSERT_TRUE(row.guards_intact());
      }
    }
  }
}

TEST(UpdateKernels, GiveTheSameBitsOnEveryInstructionSet) {
  const auto all = all_update_kernels();
  for (const OptimizerOptions& options : every_optimizer()) {
    const PlainOptimizer plain(options);
    for (const size_t dim : dims()) {
      Random random(dim * 7 + 1);
      const std::vector<float> initial = random.reals(dim, -3.0F, 3.0F);
      PlainRow scalar = plain.fresh(initial);
      std::vector<GuardedRow> rows(all.size(), GuardedRow(options, initial));
      for (uint64_t t = 1; t <= 6; ++t) {
        // From denormal to large, with zeros of both signs between.
        std::vector<float> g = random.reals(dim);
        for (float& x : g) {
          x *= std::ldexp(1.0F, static_cast<int>(random.below(60)) - 40);
          if (random.one_in(10)) x = random.one_in(2) ? 0.0F : -0.0F;
        }
        plain.step(scalar, g, t);
        for (size_t i = 0; i < all.size(); ++i) {
          SCOPED_TRACE(testing::Message() << all[i]->target << " " << name_of(options.kind)
                                          << " dim " << dim << " step " << t);
          rows[i].step(kernel_of(*all[i], options.kind), g, t);
          ASSERT_TRUE(same_bits(rows[i].values(), scalar.w));
          ASSERT_TRUE(same_bits(rows[i].all(), rows[0].all()));
        }
      }
    }
  }
}

TEST(UpdateKernels, FtrlZeroesWhatL1Outweighs) {
  OptimizerOptions options = optimizer(OptimizerKind::kFtrl, 0.1F);
  options.l1 = 5.0F;
  for (const UpdateKernels* kernels : all_update_kernels()) {
    GuardedRow row(options, std::vector<float>{0.0F, 0.0F, 0.0F});
    row.step(kernels->ftrl, std::vector<float>{1.0F, -7.0F, 7.0F}, 1);
    EXPECT_EQ(row.values()[0], 0.0F) << "|z| = 1 is below l1";
    EXPECT_GT(row.values()[1], 0.0F) << "against the gradient";
    EXPECT_LT(row.values()[2], 0.0F);
    EXPECT_EQ(row.values()[1], -row.values()[2]);
  }
}

TEST(UpdateKernels, SumIsExactForIntegers) {
  for (const UpdateKernels* kernels : all_update_kernels()) {
    std::vector<float> w(37, 0.0F);
    const std::vector<float> ones(37, 1.0F);
    for (int i = 0; i < 1000; ++i) kernels->sum(w.data(), nullptr, ones.data(), 37, {});
    EXPECT_EQ(w, std::vector<float>(37, 1000.0F));
    w.assign(37, 16777215.0F);
    kernels->sum(w.data(), nullptr, ones.data(), 37, {});
    EXPECT_EQ(w, std::vector<float>(37, 16777216.0F));
  }
}

TEST(UpdateKernels, ZeroGradientsOnFreshRowsChangeNothing) {
  for (const UpdateKernels* kernels : all_update_kernels()) {
    for (OptimizerOptions options : every_optimizer()) {
      if (options.kind == OptimizerKind::kFtrl) continue;  // its w comes from z, not from w
      options.initial_accumulator = 0.0F;
      const std::vector<float> initial = Random(5).reals(33);
      GuardedRow row(options, initial);
      row.step(kernel_of(*kernels, options.kind), std::vector<float>(33, 0.0F), 1);
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
