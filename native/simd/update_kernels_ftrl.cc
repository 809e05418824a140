// Rules that follow the regularized leader: FTRL-Proximal, and with a group lasso over the row.
#include "simd/kernels.h"
#include "simd/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/update_kernels_ftrl.cc"
#include <hwy/foreach_target.h>  // re-includes this file for every instruction set
#include <hwy/highway.h>

#include "simd/update_rules-inl.h"

HWY_BEFORE_NAMESPACE();
namespace hotrow {
namespace HWY_NAMESPACE {

/// A vector of n and z, moved by the gradient.
template <class V>
struct Moved {
  V root;  // of n
  V z;
};

template <class D, class V>
HWY_INLINE Moved<V> move_state(D d, float* squares, float* linear, V gradient, V row,
                               const UpdateStep& step) {
  const V before = hn::LoadU(d, squares);
  const V after = hn::Add(before, hn::Mul(gradient, gradient));
  const V root = hn::Sqrt(after);
  const V sigma = hn::Div(hn::Sub(root, hn::Sqrt(before)), hn::Set(d, step.learning_rate));
  const V pull = hn::Sub(gradient, hn::Mul(sigma, row));
  const V z = hn::Add(hn::LoadU(d, linear), pull);
  hn::StoreU(after, d, squares);
  hn::StoreU(z, d, linear);
  return {root, z};
}

/// sign(z) l1 - z
template <class D, class V>
HWY_INLINE V beyond_l1(D d, V z, const UpdateStep& step) {
  return hn::Sub(hn::CopySign(hn::Set(d, step.l1), z), z);
}

template <class D, class V>
HWY_INLINE V divisor_of(D d, V root, const UpdateStep& step) {
  const V rate = hn::Set(d, step.learning_rate);
  return hn::Add(hn::Div(hn::Add(hn::Set(d, step.beta), root), rate), hn::Set(d, step.l2));
}

void update_ftrl(float* w, float* state, const float* g, size_t n, const UpdateStep& step) {
  for_lanes(n, [&](auto d, size_t i) {
    const auto moved =
        move_state(d, state + i, state + n + i, hn::LoadU(d, g + i), hn::LoadU(d, w + i), step);
    const auto shrunk = hn::Div(beyond_l1(d, moved.z, step), divisor_of(d, moved.root, step));
    const auto outweighs = hn::Gt(hn::Abs(moved.z), hn::Set(d, step.l1));
    hn::StoreU(hn::IfThenElseZero(outweighs, shrunk), d, w + i);
  });
}

// Between the two passes s lies where the row was: the row is made anew from it.
void update_group_ftrl(float* w, float* state, const float* g, size_t n, const UpdateStep& step) {
  SquareSum squares;
  squares.add(n, [&](auto d, size_t i) {
    const auto moved =
        move_state(d, state + i, state + n + i, hn::LoadU(d, g + i), hn::LoadU(d, w + i), step);
    const auto outweighs = hn::Gt(hn::Abs(moved.z), hn::Set(d, step.l1));
    const auto s = hn::IfThenElseZero(outweighs, beyond_l1(d, moved.z, step));
    hn::StoreU(s, d, w + i);
    return s;
  });
  const float norm = square_root(squares.total());
  const float threshold = square_root(static_cast<float>(n)) * step.l21;
  if (!(norm > threshold)) {
    for_lanes(n, [&](auto d, size_t i) { hn::StoreU(hn::Zero(d), d, w + i); });
    return;
  }
  const float share = 1.0F - threshold / norm;
  for_lanes(n, [&](auto d, size_t i) {
    const auto s = hn::Mul(hn::Set(d, share), hn::LoadU(d, w + i));
    const auto root = hn::Sqrt(hn::LoadU(d, state + i));
    hn::StoreU(hn::Div(s, divisor_of(d, root, step)), d, w + i);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace hotrow
HWY_AFTER_NAMESPACE();
