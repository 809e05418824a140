// Rules with a mean of gradients over a root of mean squares: Adam, AdamW, AMSGrad, Adamax,
// row-wise Adam, LAMB.
#include "simd/kernels.h"
#include "simd/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/update_kernels_adam.cc"
#include <hwy/foreach_target.h>  // re-includes this file for every instruction set
#include <hwy/highway.h>

#include "simd/update_rules-inl.h"

HWY_BEFORE_NAMESPACE();
namespace hotrow {
namespace HWY_NAMESPACE {

// Loads come before stores in every loop: a load behind a store whose address has the same low 12
// bits waits for it.

/// The mean of gradients at `first`, moved.
template <class D, class V>
HWY_INLINE V next_first(D d, const float* first, V gradient, const UpdateStep& step) {
  return hn::Add(hn::Mul(hn::Set(d, step.beta1), hn::LoadU(d, first)),
                 hn::Mul(hn::Set(d, step.one_minus_beta1), gradient));
}

/// The mean of squares at `second`, moved.
template <class D, class V>
HWY_INLINE V next_second(D d, const float* second, V gradient, const UpdateStep& step) {
  return hn::Add(hn::Mul(hn::Set(d, step.beta2), hn::LoadU(d, second)),
                 hn::Mul(hn::Set(d, step.one_minus_beta2), hn::Mul(gradient, gradient)));
}

/// sqrt(v) without its bias, plus epsilon.
template <class D, class V>
HWY_INLINE V root_of(D d, V v, const UpdateStep& step) {
  return hn::Add(hn::Div(hn::Sqrt(v), hn::Set(d, step.adam_root_correction)),
                 hn::Set(d, step.epsilon));
}

void update_adam(float* w, float* state, const float* g, size_t n, const UpdateStep& step) {
  for_lanes(n, [&](auto d, size_t i) {
    const auto gradient = hn::LoadU(d, g + i);
    const auto m = next_first(d, state + i, gradient, step);
    const auto v = next_second(d, state + n + i, gradient, step);
    hn::StoreU(m, d, state + i);
    hn::StoreU(v, d, state + n + i);
    const auto change = hn::Div(hn::Mul(hn::Set(d, step.adam_rate), m), root_of(d, v, step));
    hn::StoreU(hn::Sub(hn::LoadU(d, w + i), change), d, w + i);
  });
}

void update_adamw(float* w, float* state, const float* g, size_t n, const UpdateStep& step) {
  for_lanes(n, [&](auto d, size_t i) {
    const auto gradient = hn::LoadU(d, g + i);
    const auto m = next_first(d, state + i, gradient, step);
    const auto v = next_second(d, state + n + i, gradient, step);
    hn::StoreU(m, d, state + i);
    hn::StoreU(v, d, state + n + i);
    const auto change = hn::Div(hn::Mul(hn::Set(d, step.adam_rate), m), root_of(d, v, step));
    const auto kept = hn::Mul(hn::Set(d, step.kept_share), hn::LoadU(d, w + i));
    hn::StoreU(hn::Sub(kept, change), d, w + i);
  });
}

void update_amsgrad(float* w, float* state, const float* g, size_t n, const UpdateStep& step) {
  float* const highest = state + 2 * n;
  for_lanes(n, [&](auto d, size_t i) {
    const auto gradient = hn::LoadU(d, g + i);
    const auto m = next_first(d, state + i, gradient, step);
    const auto v = next_second(d, state + n + i, gradient, step);
    const auto h = hn::Max(hn::LoadU(d, highest + i), v);
    hn::StoreU(m, d, state + i);
    hn::StoreU(v, d, state + n + i);
    hn::StoreU(h, d, highest + i);
    const auto change = hn::Div(hn::Mul(hn::Set(d, step.adam_rate), m), root_of(d, h, step));
    hn::StoreU(hn::Sub(hn::LoadU(d, w + i), change), d, w + i);
  });
}

void update_adamax(float* w, float* state, const float* g, size_t n, const UpdateStep& step) {
  float* const largest = state + n;
  for_lanes(n, [&](auto d, size_t i) {
    const auto gradient = hn::LoadU(d, g + i);
    const auto m = next_first(d, state + i, gradient, step);
    const auto faded = hn::Mul(hn::Set(d, step.beta2), hn::LoadU(d, largest + i));
    const auto u = hn::Max(faded, hn::Abs(gradient));
    hn::StoreU(m, d, state + i);
    hn::StoreU(u, d, largest + i);
    const auto divisor = hn::Add(u, hn::Set(d, step.epsilon));
    const auto change = hn::Div(hn::Mul(hn::Set(d, step.adam_rate), m), divisor);
    hn::StoreU(hn::Sub(hn::LoadU(d, w + i), change), d, w + i);
  });
}

void update_rowwise_adam(float* w, float* state, const float* g, size_t n, const UpdateStep& step) {
  float& second = state[n];
  const float mean = sum_of_squares(g, n) / static_cast<float>(n);
  second = step.beta2 * second + step.one_minus_beta2 * mean;
  const float root = square_root(second) / step.adam_root_correction + step.epsilon;
  for_lanes(n, [&](auto d, size_t i) {
    const auto m = next_first(d, state + i, hn::LoadU(d, g + i), step);
    hn::StoreU(m, d, state + i);
    const auto change = hn::Div(hn::Mul(hn::Set(d, step.adam_rate), m), hn::Set(d, root));
    hn::StoreU(hn::Sub(hn::LoadU(d, w + i), change), d, w + i);
  });
}

/// LAMB's r, from moments that have been moved.
template <class D, class V>
HWY_INLINE V lamb_direction(D d, V m, V v, V row, const UpdateStep& step) {
  const V mean = hn::Mul(hn::Set(d, step.mean_scale), m);
  return hn::Add(hn::Div(mean, root_of(d, v, step)), hn::Mul(hn::Set(d, step.weight_decay), row));
}

// r is worked out twice: the ratio must be known before the row moves, and r has no other place.
void update_lamb(float* w, float* state, const float* g, size_t n, const UpdateStep& step) {
  SquareSum row_squares;
  row_squares.add(n, [&](auto d, size_t i) { return hn::LoadU(d, w + i); });
  SquareSum direction_squares;
  direction_squares.add(n, [&](auto d, size_t i) {
    const auto gradient = hn::LoadU(d, g + i);
    const auto row = hn::LoadU(d, w + i);
    const auto m = next_first(d, state + i, gradient, step);
    const auto v = next_second(d, state + n + i, gradient, step);
    hn::StoreU(m, d, state + i);
    hn::StoreU(v, d, state + n + i);
    return lamb_direction(d, m, v, row, step);
  });
  const float row_norm = square_root(row_squares.total());
  const float direction_norm = square_root(direction_squares.total());
  const bool scaled = row_norm > 0 && direction_norm > 0;
  const float rate = step.learning_rate * (scaled ? row_norm / direction_norm : 1.0F);
  for_lanes(n, [&](auto d, size_t i) {
    const auto row = hn::LoadU(d, w + i);
    const auto direction =
        lamb_direction(d, hn::LoadU(d, state + i), hn::LoadU(d, state + n + i), row, step);
    hn::StoreU(hn::Sub(row, hn::Mul(hn::Set(d, rate), direction)), d, w + i);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace hotrow
HWY_AFTER_NAMESPACE();
