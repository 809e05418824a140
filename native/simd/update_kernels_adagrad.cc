// Rules that divide the gradient by the root of past squares: Adagrad, row-wise Adagrad, Adagrad
// with decay, RMSprop, Adadelta.
#include "simd/kernels.h"
#include "simd/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/update_kernels_adagrad.cc"
#include <hwy/foreach_target.h>  // re-includes this file for every instruction set
#include <hwy/highway.h>

#include "simd/update_rules-inl.h"

HWY_BEFORE_NAMESPACE();
namespace hotrow {
namespace HWY_NAMESPACE {

void update_adagrad(float* w, float* state, const float* g, size_t n, const UpdateStep& step) {
  for_lanes(n, [&](auto d, size_t i) {
    const auto gradient = hn::LoadU(d, g + i);
    const auto sum = hn::Add(hn::LoadU(d, state + i), hn::Mul(gradient, gradient));
    hn::StoreU(sum, d, state + i);
    const auto root = hn::Add(hn::Sqrt(sum), hn::Set(d, step.epsilon));
    const auto change = hn::Div(hn::Mul(hn::Set(d, step.learning_rate), gradient), root);
    hn::StoreU(hn::Sub(hn::LoadU(d, w + i), change), d, w + i);
  });
}

void update_rowwise_adagrad(float* w, float* state, const float* g, size_t n,
                            const UpdateStep& step) {
  state[0] += sum_of_squares(g, n) / static_cast<float>(n);
  const float root = square_root(state[0]) + step.epsilon;
  for_lanes(n, [&](auto d, size_t i) {
    const auto scaled = hn::Mul(hn::Set(d, step.learning_rate), hn::LoadU(d, g + i));
    const auto change = hn::Div(scaled, hn::Set(d, root));
    hn::StoreU(hn::Sub(hn::LoadU(d, w + i), change), d, w + i);
  });
}

void update_adagrad_decay(float* w, float* state, const float* g, size_t n,
                          const UpdateStep& step) {
  float& decays = state[n];
  if (step.decays > decays) {
    decays += 1;
    for_lanes(n, [&](auto d, size_t i) {
      const auto decayed = hn::Mul(hn::Set(d, step.decay_rate), hn::LoadU(d, state + i));
      hn::StoreU(hn::Max(decayed, hn::Set(d, step.least_accumulator)), d, state + i);
    });
  }
  update_adagrad(w, state, g, n, step);
}

void update_rmsprop(float* w, float* state, const float* g, size_t n, const UpdateStep& step) {
  for_lanes(n, [&](auto d, size_t i) {
    const auto gradient = hn::LoadU(d, g + i);
    const auto fresh = hn::Mul(hn::Set(d, step.one_minus_rho), hn::Mul(gradient, gradient));
    const auto v = hn::Add(hn::Mul(hn::Set(d, step.rho), hn::LoadU(d, state + i)), fresh);
    hn::StoreU(v, d, state + i);
    const auto root = hn::Add(hn::Sqrt(v), hn::Set(d, step.epsilon));
    const auto change = hn::Div(hn::Mul(hn::Set(d, step.learning_rate), gradient), root);
    hn::StoreU(hn::Sub(hn::LoadU(d, w + i), change), d, w + i);
  });
}

void update_adadelta(float* w, float* state, const float* g, size_t n, const UpdateStep& step) {
  float* const squares = state;
  float* const changes = state + n;
  for_lanes(n, [&](auto d, size_t i) {
    const auto rho = hn::Set(d, step.rho);
    const auto rest = hn::Set(d, step.one_minus_rho);
    const auto epsilon = hn::Set(d, step.epsilon);
    const auto gradient = hn::LoadU(d, g + i);
    const auto before = hn::LoadU(d, changes + i);
    const auto v = hn::Add(hn::Mul(rho, hn::LoadU(d, squares + i)),
                           hn::Mul(rest, hn::Mul(gradient, gradient)));
    hn::StoreU(v, d, squares + i);
    const auto ratio = hn::Div(hn::Sqrt(hn::Add(before, epsilon)), hn::Sqrt(hn::Add(v, epsilon)));
    const auto change = hn::Mul(ratio, gradient);
    hn::StoreU(hn::Add(hn::Mul(rho, before), hn::Mul(rest, hn::Mul(change, change))), d,
               changes + i);
    const auto scaled = hn::Mul(hn::Set(d, step.learning_rate), change);
    hn::StoreU(hn::Sub(hn::LoadU(d, w + i), scaled), d, w + i);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace hotrow
HWY_AFTER_NAMESPACE();
