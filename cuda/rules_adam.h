// Rules with a mean of gradients over a root of mean squares, as simd/update_kernels_adam.cc has
// them: Adam, AdamW, AMSGrad, Adamax, row-wise Adam, LAMB.
#ifndef HOTROW_CUDA_RULES_ADAM_H_
#define HOTROW_CUDA_RULES_ADAM_H_

#include "cuda/rules_row.h"

namespace hotrow::gpu {

/// The mean of gradients, moved.
HOTROW_DEVICE float next_first(float first, float g, const UpdateStep& step) {
  return step.beta1 * first + step.one_minus_beta1 * g;
}
/// The mean of squares, moved.
HOTROW_DEVICE float next_second(float second, float g, const UpdateStep& step) {
  return step.beta2 * second + step.one_minus_beta2 * (g * g);
}
/// sqrt(v) without its bias, plus epsilon.
HOTROW_DEVICE float root_of(float v, const UpdateStep& step) {
  return sqrtf(v) / step.adam_root_correction + step.epsilon;
}

template <class Tile, class Values>
HOTROW_DEVICE void update_adam(const Tile& tile, const Values& values, float* state,
                               const Gradient& gradient, uint32_t dim, const UpdateStep& step) {
  each_element<2>(tile, values, state, gradient, dim, [&](float w, float g, float* s) {
    s[0] = next_first(s[0], g, step);
    s[1] = next_second(s[1], g, step);
    return w - step.adam_rate * s[0] / root_of(s[1], step);
  });
}

template <class Tile, class Values>
HOTROW_DEVICE void update_adamw(const Tile& tile, const Values& values, float* state,
                                const Gradient& gradient, uint32_t dim, const UpdateStep& step) {
  each_element<2>(tile, values, state, gradient, dim, [&](float w, float g, float* s) {
    s[0] = next_first(s[0], g, step);
    s[1] = next_second(s[1], g, step);
    return step.kept_share * w - step.adam_rate * s[0] / root_of(s[1], step);
  });
}

template <class Tile, class Values>
HOTROW_DEVICE void update_amsgrad(const Tile& tile, const Values& values, float* state,
                                  const Gradient& gradient, uint32_t dim, const UpdateStep& step) {
  each_element<3>(tile, values, state, gradient, dim, [&](float w, float g, float* s) {
    s[0] = next_first(s[0], g, step);
    s[1] = next_second(s[1], g, step);
    s[2] = s[2] > s[1] ? s[2] : s[1];  // a NaN stays one, which fmaxf would drop
    return w - step.adam_rate * s[0] / root_of(s[2], step);
  });
}

template <class Tile, class Values>
HOTROW_DEVICE void update_adamax(const Tile& tile, const Values& values, float* state,
                                 const Gradient& gradient, uint32_t dim, const UpdateStep& step) {
  each_element<2>(tile, values, state, gradient, dim, [&](float w, float g, float* s) {
    s[0] = next_first(s[0], g, step);
    const float faded = step.beta2 * s[1];
    const float size = fabsf(settled(g));
    s[1] = faded > size ? faded : size;
    return w - step.adam_rate * s[0] / (s[1] + step.epsilon);
  });
}

template <class Tile, class Values>
HOTROW_DEVICE void update_rowwise_adam(const Tile& tile, const Values& values, float* state,
                                       const Gradient& gradient, uint32_t dim,
                                       const UpdateStep& step) {
  const float before = state[dim];
  const float mean = gradient.squares(tile, values, dim) / static_cast<float>(dim);
  const float second = step.beta2 * before + step.one_minus_beta2 * mean;
  const float root = root_of(second, step);
  each_element<1>(tile, values, state, gradient, dim, [&](float w, float g, float* s) {
    s[0] = next_first(s[0], g, step);
    return w - step.adam_rate * s[0] / root;
  });
  put(tile, state + dim, second);
}

/// LAMB's r, from moments that have been moved.
HOTROW_DEVICE float lamb_direction(float m, float v, float w, const UpdateStep& step) {
  return step.mean_scale * m / root_of(v, step) + step.weight_decay * w;
}

/// Moves the moments; the learning rate times the trust ratio.
template <class Tile, class Values>
HOTROW_DEVICE float lamb_rate(const Tile& tile, const Values& values, float* state,
                              const Gradient& gradient, uint32_t dim, const UpdateStep& step) {
  struct Squares {
    float row;
    float direction;
  };
  const auto load = [&](size_t i) {
    return Element<2>{values.load(i), gradient.load(i), {state[i], state[size_t{dim} + i]}};
  };
  const auto partial = tile.map([&](unsigned lane) {
    Squares sums = {0, 0};
    in_fours(lane, dim, load, [&](size_t i, const Element<2>& at) {
      const float g = gradient.made(at.g, at.w);
      const float m = next_first(at.s[0], g, step);
      const float v = next_second(at.s[1], g, step);
      state[i] = settled(m);
      state[size_t{dim} + i] = settled(v);
      const float r = lamb_direction(m, v, at.w, step);
      sums.row += at.w * at.w;
      sums.direction += r * r;
    });
    return sums;
  });
  const auto row = tile.map([&](unsigned lane) { return partial[lane].row; });
  const auto direction = tile.map([&](unsigned lane) { return partial[lane].direction; });
  const float row_norm = sqrtf(tile.sum(row));
  const float direction_norm = sqrtf(tile.sum(direction));
  const bool scaled = row_norm > 0 && direction_norm > 0;
  return step.learning_rate * (scaled ? row_norm / direction_norm : 1.0F);
}

// r is worked out twice: the ratio must be known before the row moves, and r has no other place.
// Lanes read only what they wrote themselves.
template <class Tile, class Values>
HOTROW_DEVICE void update_lamb(const Tile& tile, const Values& values, float* state,
                               const Gradient& gradient, uint32_t dim, const UpdateStep& step) {
  const float rate = lamb_rate(tile, values, state, gradient, dim, step);
  each_element<2, 0>(tile, values, state, gradient, dim, [&](float w, float /*g*/, float* s) {
    return w - rate * lamb_direction(s[0], s[1], w, step);
  });
}

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_RULES_ADAM_H_
