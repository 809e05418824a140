// What comes before a rule (clipping, weight decay), and each instruction set's table of rules.
// The rules: update_kernels_*.cc.
#include <limits>

#include "simd/kernels.h"
#include "simd/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/update_kernels.cc"
#include <hwy/foreach_target.h>  // re-includes this file for every instruction set
#include <hwy/highway.h>

#include "simd/update_rules-inl.h"

HWY_BEFORE_NAMESPACE();
namespace hotrow {
namespace HWY_NAMESPACE {

void clip_values(const float* g, size_t n, float limit, float* out) {
  for_lanes(n, [&](auto d, size_t i) {
    const auto low = hn::Set(d, -limit);
    const auto high = hn::Set(d, limit);
    hn::StoreU(hn::Min(hn::Max(hn::LoadU(d, g + i), low), high), d, out + i);
  });
}

void scale_into(const float* x, size_t n, float scale, float* out) {
  for_lanes(n, [&](auto d, size_t i) {
    hn::StoreU(hn::Mul(hn::Set(d, scale), hn::LoadU(d, x + i)), d, out + i);
  });
}

/// Is norm(g) above `limit`? Then `out` is g scaled down to it.
bool clip_norm(const float* g, size_t n, float limit, float* out) {
  const float squares = sum_of_squares(g, n);
  if (squares <= std::numeric_limits<float>::max()) {
    const float norm = square_root(squares);
    if (!(norm > limit)) return false;
    scale_into(g, n, limit / norm, out);
    return true;
  }
  // The squares pass the range of f32. Those of g times 2^-80 do not.
  constexpr float kShrink = 0x1p-80F;
  scale_into(g, n, kShrink, out);
  const float norm = square_root(sum_of_squares(out, n));
  if (!(norm > limit * kShrink)) return false;
  scale_into(out, n, limit / norm, out);
  return true;
}

const float* prepare(const float* w, const float* g, size_t n, const UpdateStep& step,
                     float* scratch) {
  const float* row = g;
  if (step.clip_value > 0) {
    clip_values(g, n, step.clip_value, scratch);
    row = scratch;
  } else if (step.clip_norm > 0 && clip_norm(g, n, step.clip_norm, scratch)) {
    row = scratch;
  }
  if (step.added_decay == 0) return row;
  for_lanes(n, [&](auto d, size_t i) {
    const auto decay = hn::Mul(hn::Set(d, step.added_decay), hn::LoadU(d, w + i));
    hn::StoreU(hn::Add(hn::LoadU(d, row + i), decay), d, scratch + i);
  });
  return scratch;
}

UpdateRow update_rule(OptimizerKind kind) {
  switch (kind) {
    case OptimizerKind::kSgd:
      return update_sgd;
    case OptimizerKind::kAdagrad:
      return update_adagrad;
    case OptimizerKind::kRowwiseAdagrad:
      return update_rowwise_adagrad;
    case OptimizerKind::kAdam:
      return update_adam;
    case OptimizerKind::kFtrl:
      return update_ftrl;
    case OptimizerKind::kSum:
      return update_sum;
    case OptimizerKind::kMomentum:
      return update_momentum;
    case OptimizerKind::kNesterov:
      return update_nesterov;
    case OptimizerKind::kAdagradDecay:
      return update_adagrad_decay;
    case OptimizerKind::kRmsprop:
      return update_rmsprop;
    case OptimizerKind::kAdadelta:
      return update_adadelta;
    case OptimizerKind::kAdamW:
      return update_adamw;
    case OptimizerKind::kAmsgrad:
      return update_amsgrad;
    case OptimizerKind::kAdamax:
      return update_adamax;
    case OptimizerKind::kRowwiseAdam:
      return update_rowwise_adam;
    case OptimizerKind::kGroupFtrl:
      return update_group_ftrl;
    case OptimizerKind::kLamb:
      return update_lamb;
    case OptimizerKind::kLars:
      return update_lars;
    case OptimizerKind::kLion:
      return update_lion;
  }
  return update_sum;
}

const UpdateKernels* update_table() {
  static const UpdateKernels kTable = {hwy::TargetName(HWY_TARGET), update_rule, prepare};
  return &kTable;
}

}  // namespace HWY_NAMESPACE
}  // namespace hotrow
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include "simd/dispatch-inl.h"

namespace hotrow {

const UpdateKernels& update_kernels() {
  static const UpdateKernels* const kChosen = HOTROW_TABLE_FOR(simd_level(), update_table);
  return *kChosen;
}

std::vector<const UpdateKernels*> all_update_kernels() {
  return tables_of_all_levels<const UpdateKernels*>(
      [](SimdLevel level) { return HOTROW_TABLE_FOR(level, update_table); });
}

}  // namespace hotrow

#endif  // HWY_ONCE
