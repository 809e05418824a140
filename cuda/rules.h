// The optimizers' rules on rows of the GPU tier: the formulas of hotrow/options.h, in exactly that
// order of operations, so that state is bit-equal to what the kernels of native/simd make of it.
// By family: rules_momentum.h, rules_adagrad.h, rules_adam.h, rules_ftrl.h; what they share:
// rules_row.h.
//
// Device code must be compiled with -fmad=false and without -use_fast_math, the CPU's with
// -ffp-contract=off. One tile owns the row; nothing else reads or writes it meanwhile.
#ifndef HOTROW_CUDA_RULES_H_
#define HOTROW_CUDA_RULES_H_

#include <cstdint>

#include "cuda/codec.h"
#include "cuda/rules_adagrad.h"
#include "cuda/rules_adam.h"
#include "cuda/rules_ftrl.h"
#include "cuda/rules_momentum.h"
#include "cuda/rules_row.h"
#include "hotrow/options.h"
#include "simd/update_step.h"

namespace hotrow::gpu {

/// Runs the rule on a row whose gradient is as the rule is to see it.
template <OptimizerKind kKind, class Values, class Tile>
HOTROW_DEVICE void run_rule(const Tile& tile, const Values& values, float* state,
                            const Gradient& gradient, uint32_t dim, const UpdateStep& step) {
  using Kind = OptimizerKind;
  if constexpr (kKind == Kind::kSgd) update_sgd(tile, values, state, gradient, dim, step);
  if constexpr (kKind == Kind::kAdagrad) update_adagrad(tile, values, state, gradient, dim, step);
  if constexpr (kKind == Kind::kRowwiseAdagrad) {
    update_rowwise_adagrad(tile, values, state, gradient, dim, step);
  }
  if constexpr (kKind == Kind::kAdam) update_adam(tile, values, state, gradient, dim, step);
  if constexpr (kKind == Kind::kFtrl) update_ftrl(tile, values, state, gradient, dim, step);
  if constexpr (kKind == Kind::kSum) update_sum(tile, values, state, gradient, dim, step);
  if constexpr (kKind == Kind::kMomentum) {
    update_momentum(tile, values, state, gradient, dim, step);
  }
  if constexpr (kKind == Kind::kNesterov) {
    update_nesterov(tile, values, state, gradient, dim, step);
  }
  if constexpr (kKind == Kind::kAdagradDecay) {
    update_adagrad_decay(tile, values, state, gradient, dim, step);
  }
  if constexpr (kKind == Kind::kRmsprop) update_rmsprop(tile, values, state, gradient, dim, step);
  if constexpr (kKind == Kind::kAdadelta) {
    update_adadelta(tile, values, state, gradient, dim, step);
  }
  if constexpr (kKind == Kind::kAdamW) update_adamw(tile, values, state, gradient, dim, step);
  if constexpr (kKind == Kind::kAmsgrad) update_amsgrad(tile, values, state, gradient, dim, step);
  if constexpr (kKind == Kind::kAdamax) update_adamax(tile, values, state, gradient, dim, step);
  if constexpr (kKind == Kind::kRowwiseAdam) {
    update_rowwise_adam(tile, values, state, gradient, dim, step);
  }
  if constexpr (kKind == Kind::kGroupFtrl) {
    update_group_ftrl(tile, values, state, gradient, dim, step);
  }
  if constexpr (kKind == Kind::kLamb) update_lamb(tile, values, state, gradient, dim, step);
  if constexpr (kKind == Kind::kLars) update_lars(tile, values, state, gradient, dim, step);
  if constexpr (kKind == Kind::kLion) update_lion(tile, values, state, gradient, dim, step);
}

/// Applies the summed gradient [dim] to the row's values [dim] (RowValues of cuda/codec.h) and its
/// state, as `step` says: RowRules::apply of table/row_rules.h. State as table/optimizer.h lays it
/// out; nullptr where the rule has none. Every lane of the tile comes with the same arguments. What
/// is written is seen by the other lanes after tile.sync().
template <OptimizerKind kKind, class Values, class Tile>
HOTROW_DEVICE void update_row(const Tile& tile, Values values, float* state, const float* gradient,
                              uint32_t dim, const UpdateStep& step) {
  static_assert(Tile::kWidth == kRowLanes, "the order of sums is that of sixteen lanes");
  if (step.way == RowWay::kFrozen) return;
  run_rule<kKind>(tile, values, state, Gradient(tile, gradient, dim, step), dim, step);
}

/// f(Constant<kind>).
template <class F>
auto with_rule(OptimizerKind kind, const F& f) {
  using Kind = OptimizerKind;
  switch (kind) {
#define HOTROW_RULE(name) \
  case Kind::name:        \
    return f(Constant<Kind::name>())
    HOTROW_RULE(kSgd);
    HOTROW_RULE(kAdagrad);
    HOTROW_RULE(kRowwiseAdagrad);
    HOTROW_RULE(kAdam);
    HOTROW_RULE(kFtrl);
    HOTROW_RULE(kMomentum);
    HOTROW_RULE(kNesterov);
    HOTROW_RULE(kAdagradDecay);
    HOTROW_RULE(kRmsprop);
    HOTROW_RULE(kAdadelta);
    HOTROW_RULE(kAdamW);
    HOTROW_RULE(kAmsgrad);
    HOTROW_RULE(kAdamax);
    HOTROW_RULE(kRowwiseAdam);
    HOTROW_RULE(kGroupFtrl);
    HOTROW_RULE(kLamb);
    HOTROW_RULE(kLars);
    HOTROW_RULE(kLion);
#undef HOTROW_RULE
    case Kind::kSum:
      break;
  }
  return f(Constant<Kind::kSum>());
}

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_RULES_H_
