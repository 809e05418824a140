// Rules that follow the regularized leader, as simd/update_kernels_ftrl.cc has them: FTRL-Proximal,
// and with a group lasso over the row.
#ifndef HOTROW_CUDA_RULES_FTRL_H_
#define HOTROW_CUDA_RULES_FTRL_H_

#include "cuda/rules_row.h"

namespace hotrow::gpu {

/// Moves n and z of an element by its gradient; the root of n.
HOTROW_DEVICE float move_leader(float& squares, float& linear, float g, float w,
                                const UpdateStep& step) {
  const float after = squares + g * g;
  const float root = sqrtf(after);
  const float sigma = (root - sqrtf(squares)) / step.learning_rate;
  const float pull = g - sigma * w;
  squares = after;
  linear = linear + pull;
  return root;
}

/// sign(z) l1 - z
HOTROW_DEVICE float beyond_l1(float z, const UpdateStep& step) { return copy_sign(step.l1, z) - z; }

HOTROW_DEVICE float divisor_of(float root, const UpdateStep& step) {
  return (step.beta + root) / step.learning_rate + step.l2;
}

template <class Tile, class Values>
HOTROW_DEVICE void update_ftrl(const Tile& tile, const Values& values, float* state,
                               const Gradient& gradient, uint32_t dim, const UpdateStep& step) {
  each_element<2>(tile, values, state, gradient, dim, [&](float w, float g, float* s) {
    const float root = move_leader(s[0], s[1], g, w, step);
    return fabsf(s[1]) > step.l1 ? beyond_l1(s[1], step) / divisor_of(root, step) : 0.0F;
  });
}

/// s of an element, the row before it is scaled.
HOTROW_DEVICE float shrunk_leader(float z, const UpdateStep& step) {
  return fabsf(z) > step.l1 ? beyond_l1(z, step) : 0.0F;
}

// s is worked out twice: it has no place as f32 in rows of other types.
template <class Tile, class Values>
HOTROW_DEVICE void update_group_ftrl(const Tile& tile, const Values& values, float* state,
                                     const Gradient& gradient, uint32_t dim,
                                     const UpdateStep& step) {
  const auto load = [&](size_t i) {
    return Element<2>{values.load(i), gradient.load(i), {state[i], state[size_t{dim} + i]}};
  };
  const auto partial = tile.map([&](unsigned lane) {
    float sum = 0;
    in_fours(lane, dim, load, [&](size_t i, Element<2>& at) {
      move_leader(at.s[0], at.s[1], gradient.made(at.g, at.w), at.w, step);
      state[i] = settled(at.s[0]);
      state[size_t{dim} + i] = settled(at.s[1]);
      const float s = shrunk_leader(at.s[1], step);
      sum += s * s;
    });
    return sum;
  });
  const float norm = sqrtf(tile.sum(partial));
  const float threshold = sqrtf(static_cast<float>(dim)) * step.l21;
  const bool stays = norm > threshold;
  const float share = 1.0F - threshold / norm;
  each_element<2, 0>(tile, values, state, gradient, dim, [&](float, float, float* s) {
    const float scaled = share * shrunk_leader(s[1], step);
    return stays ? scaled / divisor_of(sqrtf(s[0]), step) : 0.0F;
  });
}

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_RULES_FTRL_H_
