// Rules that divide the gradient by the root of past squares, as simd/update_kernels_adagrad.cc has
// them: Adagrad, row-wise Adagrad, Adagrad with decay, RMSprop, Adadelta.
#ifndef HOTROW_CUDA_RULES_ADAGRAD_H_
#define HOTROW_CUDA_RULES_ADAGRAD_H_

#include "cuda/rules_row.h"

namespace hotrow::gpu {

template <class Tile, class Values>
HOTROW_DEVICE void update_adagrad(const Tile& tile, const Values& values, float* state,
                                  const Gradient& gradient, uint32_t dim, const UpdateStep& step) {
  each_element<1>(tile, values, state, gradient, dim, [&](float w, float g, float* s) {
    s[0] = s[0] + g * g;
    return w - step.learning_rate * g / (sqrtf(s[0]) + step.epsilon);
  });
}

template <class Tile, class Values>
HOTROW_DEVICE void update_rowwise_adagrad(const Tile& tile, const Values& values, float* state,
                                          const Gradient& gradient, uint32_t dim,
                                          const UpdateStep& step) {
  const float before = state[0];
  const float mean = gradient.squares(tile, values, dim) / static_cast<float>(dim);
  const float sum = before + mean;
  const float root = sqrtf(sum) + step.epsilon;
  each_element<0>(tile, values, state, gradient, dim, [&](float w, float g, float* /*s*/) {
    return w - step.learning_rate * g / root;
  });
  put(tile, state, sum);
}

template <class Tile, class Values>
HOTROW_DEVICE void update_adagrad_decay(const Tile& tile, const Values& values, float* state,
                                        const Gradient& gradient, uint32_t dim,
                                        const UpdateStep& step) {
  const float decays = state[dim];
  const bool decay = step.decays > decays;
  each_element<1>(tile, values, state, gradient, dim, [&](float w, float g, float* s) {
    const float decayed = step.decay_rate * s[0];
    const float kept = decayed > step.least_accumulator ? decayed : step.least_accumulator;
    s[0] = (decay ? kept : s[0]) + g * g;
    return w - step.learning_rate * g / (sqrtf(s[0]) + step.epsilon);
  });
  if (decay) put(tile, state + dim, decays + 1);
}

template <class Tile, class Values>
HOTROW_DEVICE void update_rmsprop(const Tile& tile, const Values& values, float* state,
                                  const Gradient& gradient, uint32_t dim, const UpdateStep& step) {
  each_element<1>(tile, values, state, gradient, dim, [&](float w, float g, float* s) {
    s[0] = step.rho * s[0] + step.one_minus_rho * (g * g);
    return w - step.learning_rate * g / (sqrtf(s[0]) + step.epsilon);
  });
}

template <class Tile, class Values>
HOTROW_DEVICE void update_adadelta(const Tile& tile, const Values& values, float* state,
                                   const Gradient& gradient, uint32_t dim, const UpdateStep& step) {
  each_element<2>(tile, values, state, gradient, dim, [&](float w, float g, float* s) {
    s[0] = step.rho * s[0] + step.one_minus_rho * (g * g);
    const float ratio = sqrtf(s[1] + step.epsilon) / sqrtf(s[0] + step.epsilon);
    const float change = ratio * g;
    s[1] = step.rho * s[1] + step.one_minus_rho * (change * change);
    return w - step.learning_rate * change;
  });
}

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_RULES_ADAGRAD_H_
