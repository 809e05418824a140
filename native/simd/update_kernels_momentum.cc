// Rules that step along the gradient or along a sum of gradients: SGD, sum, momentum, Nesterov,
// LARS, Lion.
#include "simd/kernels.h"
#include "simd/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/update_kernels_momentum.cc"
#include <hwy/foreach_target.h>  // re-includes this file for every instruction set
#include <hwy/highway.h>

#include "simd/update_rules-inl.h"

HWY_BEFORE_NAMESPACE();
namespace hotrow {
namespace HWY_NAMESPACE {

void update_sgd(float* w, float* /*state*/, const float* g, size_t n, const UpdateStep& step) {
  for_lanes(n, [&](auto d, size_t i) {
    const auto change = hn::Mul(hn::Set(d, step.learning_rate), hn::LoadU(d, g + i));
    hn::StoreU(hn::Sub(hn::LoadU(d, w + i), change), d, w + i);
  });
}

void update_sum(float* w, float* /*state*/, const float* g, size_t n, const UpdateStep& /*step*/) {
  for_lanes(n, [&](auto d, size_t i) {
    hn::StoreU(hn::Add(hn::LoadU(d, w + i), hn::LoadU(d, g + i)), d, w + i);
  });
}

void update_momentum(float* w, float* state, const float* g, size_t n, const UpdateStep& step) {
  for_lanes(n, [&](auto d, size_t i) {
    const auto carried = hn::Mul(hn::Set(d, step.momentum), hn::LoadU(d, state + i));
    const auto m = hn::Add(carried, hn::LoadU(d, g + i));
    hn::StoreU(m, d, state + i);
    const auto change = hn::Mul(hn::Set(d, step.learning_rate), m);
    hn::StoreU(hn::Sub(hn::LoadU(d, w + i), change), d, w + i);
  });
}

void update_nesterov(float* w, float* state, const float* g, size_t n, const UpdateStep& step) {
  for_lanes(n, [&](auto d, size_t i) {
    const auto momentum = hn::Set(d, step.momentum);
    const auto gradient = hn::LoadU(d, g + i);
    const auto m = hn::Add(hn::Mul(momentum, hn::LoadU(d, state + i)), gradient);
    hn::StoreU(m, d, state + i);
    const auto ahead = hn::Add(gradient, hn::Mul(momentum, m));
    const auto change = hn::Mul(hn::Set(d, step.learning_rate), ahead);
    hn::StoreU(hn::Sub(hn::LoadU(d, w + i), change), d, w + i);
  });
}

void update_lars(float* w, float* state, const float* g, size_t n, const UpdateStep& step) {
  const float row_norm = square_root(sum_of_squares(w, n));
  const float gradient_norm = square_root(sum_of_squares(g, n));
  const float divisor = gradient_norm + step.weight_decay * row_norm;
  const bool scaled = row_norm > 0 && gradient_norm > 0;
  const float ratio = scaled ? step.trust * row_norm / divisor : 1.0F;
  const float rate = step.learning_rate * ratio;
  for_lanes(n, [&](auto d, size_t i) {
    const auto row = hn::LoadU(d, w + i);
    const auto decay = hn::Mul(hn::Set(d, step.weight_decay), row);
    const auto pull = hn::Mul(hn::Set(d, rate), hn::Add(hn::LoadU(d, g + i), decay));
    const auto m = hn::Add(hn::Mul(hn::Set(d, step.momentum), hn::LoadU(d, state + i)), pull);
    hn::StoreU(m, d, state + i);
    hn::StoreU(hn::Sub(row, m), d, w + i);
  });
}

void update_lion(float* w, float* state, const float* g, size_t n, const UpdateStep& step) {
  for_lanes(n, [&](auto d, size_t i) {
    const auto gradient = hn::LoadU(d, g + i);
    const auto before = hn::LoadU(d, state + i);
    const auto blend = hn::Add(hn::Mul(hn::Set(d, step.beta1), before),
                               hn::Mul(hn::Set(d, step.one_minus_beta1), gradient));
    const auto m = hn::Add(hn::Mul(hn::Set(d, step.beta2), before),
                           hn::Mul(hn::Set(d, step.one_minus_beta2), gradient));
    hn::StoreU(m, d, state + i);
    const auto rate = hn::CopySign(hn::Set(d, step.learning_rate), blend);
    const auto change = hn::IfThenElseZero(hn::Ne(blend, hn::Zero(d)), rate);
    const auto kept = hn::Mul(hn::Set(d, step.kept_share), hn::LoadU(d, w + i));
    hn::StoreU(hn::Sub(kept, change), d, w + i);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace hotrow
HWY_AFTER_NAMESPACE();
