// Rules that step along the gradient or along a sum of gradients, as
// simd/update_kernels_momentum.cc has them: SGD, sum, momentum, Nesterov, LARS, Lion.
#ifndef HOTROW_CUDA_RULES_MOMENTUM_H_
#define HOTROW_CUDA_RULES_MOMENTUM_H_

#include "cuda/rules_row.h"

namespace hotrow::gpu {

template <class Tile, class Values>
HOTROW_DEVICE void update_sgd(const Tile& tile, const Values& values, float* state,
                              const Gradient& gradient, uint32_t dim, const UpdateStep& step) {
  each_element<0>(tile, values, state, gradient, dim,
                  [&](float w, float g, float* /*s*/) { return w - step.learning_rate * g; });
}

template <class Tile, class Values>
HOTROW_DEVICE void update_sum(const Tile& tile, const Values& values, float* state,
                              const Gradient& gradient, uint32_t dim, const UpdateStep& /*step*/) {
  each_element<0>(tile, values, state, gradient, dim,
                  [&](float w, float g, float* /*s*/) { return w + g; });
}

template <class Tile, class Values>
HOTROW_DEVICE void update_momentum(const Tile& tile, const Values& values, float* state,
                                   const Gradient& gradient, uint32_t dim, const UpdateStep& step) {
  each_element<1>(tile, values, state, gradient, dim, [&](float w, float g, float* s) {
    s[0] = step.momentum * s[0] + g;
    return w - step.learning_rate * s[0];
  });
}

template <class Tile, class Values>
HOTROW_DEVICE void update_nesterov(const Tile& tile, const Values& values, float* state,
                                   const Gradient& gradient, uint32_t dim, const UpdateStep& step) {
  each_element<1>(tile, values, state, gradient, dim, [&](float w, float g, float* s) {
    s[0] = step.momentum * s[0] + g;
    return w - step.learning_rate * (g + step.momentum * s[0]);
  });
}

template <class Tile, class Values>
HOTROW_DEVICE void update_lars(const Tile& tile, const Values& values, float* state,
                               const Gradient& gradient, uint32_t dim, const UpdateStep& step) {
  const float row_norm = sqrtf(sum_of_squares(
      tile, dim, [&](size_t i) { return values.load(i); }, [](float w) { return w; }));
  const float gradient_norm = sqrtf(gradient.squares(tile, values, dim));
  const float divisor = gradient_norm + step.weight_decay * row_norm;
  const bool scaled = row_norm > 0 && gradient_norm > 0;
  const float ratio = scaled ? step.trust * row_norm / divisor : 1.0F;
  const float rate = step.learning_rate * ratio;
  each_element<1>(tile, values, state, gradient, dim, [&](float w, float g, float* s) {
    const float pull = rate * (g + step.weight_decay * w);
    s[0] = step.momentum * s[0] + pull;
    return w - s[0];
  });
}

template <class Tile, class Values>
HOTROW_DEVICE void update_lion(const Tile& tile, const Values& values, float* state,
                               const Gradient& gradient, uint32_t dim, const UpdateStep& step) {
  each_element<1>(tile, values, state, gradient, dim, [&](float w, float g, float* s) {
    const float blend = step.beta1 * s[0] + step.one_minus_beta1 * g;
    s[0] = step.beta2 * s[0] + step.one_minus_beta2 * g;
    const float change = blend != 0 ? copy_sign(step.learning_rate, blend) : 0.0F;
    return step.kept_share * w - change;
  });
}

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_RULES_MOMENTUM_H_
