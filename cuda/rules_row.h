// What the optimizers' rules are written with: loops over a row's elements, sums of squares, and
// the gradient as a rule is to see it.
//
// One tile of 16 lanes owns a row: element i belongs to lane i mod 16, in rising order of i. So a
// lane's sum of squares is the partial sum of hotrow/options.h, and the tile's sum folds them by
// halves: the bits of native/simd. Elements go in fours, whose loads come before their stores: four
// loads of each array are on their way at once, and a row of 64 is done in one round.
#ifndef HOTROW_CUDA_RULES_ROW_H_
#define HOTROW_CUDA_RULES_ROW_H_

#include <cfloat>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "cuda/codec.h"
#include "cuda/tile.h"
#include "simd/update_step.h"

#ifdef __CUDACC__
#define HOTROW_UNROLL _Pragma("unroll")
#else
#define HOTROW_UNROLL
#endif

namespace hotrow::gpu {

/// Lanes of the tile that owns a row.
inline constexpr uint32_t kRowLanes = 16;

/// An element before it is changed: its value, its gradient as pushed, its state in each array.
template <int kArrays>
struct Element {
  float w;
  float g;
  float s[kArrays == 0 ? 1 : kArrays];
};

/// use(i, load(i)) for every element i of a lane, in rising order; four loads before four uses.
template <class Load, class Use>
HOTROW_DEVICE void in_fours(unsigned lane, uint32_t dim, const Load& load, const Use& use) {
  constexpr uint32_t kAtOnce = 4;
  for (uint32_t first = lane; first < dim; first += kAtOnce * kRowLanes) {
    // Of one address in 64 bits the others are at constant distances; 32 bits could wrap around.
    const size_t at = first;
    const uint32_t left = dim - first;
    decltype(load(at)) held[kAtOnce] = {};
    HOTROW_UNROLL
    for (uint32_t k = 0; k < kAtOnce; ++k) {
      if (k * kRowLanes < left) held[k] = load(at + k * kRowLanes);
    }
    HOTROW_UNROLL
    for (uint32_t k = 0; k < kAtOnce; ++k) {
      if (k * kRowLanes < left) use(at + k * kRowLanes, held[k]);
    }
  }
}

/// The sum of the squares of value(load(i)) over the row.
template <class Tile, class Load, class Value>
HOTROW_DEVICE float sum_of_squares(const Tile& tile, uint32_t dim, const Load& load,
                                   const Value& value) {
  const auto partial = tile.map([&](unsigned lane) {
    float sum = 0;
    in_fours(lane, dim, load, [&](size_t /*i*/, const auto& held) {
      const float v = value(held);
      sum += v * v;
    });
    return sum;
  });
  return tile.sum(partial);
}

/// The summed gradient of a row, clipped and decayed as the step says: `prepare` of
/// simd/kernels.h, worked out anew at each reading. Made before the row is changed; decay reads
/// values that were not.
class Gradient {
 public:
  template <class Tile>
  HOTROW_DEVICE Gradient(const Tile& tile, const float* pushed, uint32_t dim,
                         const UpdateStep& step)
      : pushed_(pushed), step_(step) {
    const bool clips = step.way == RowWay::kPrepared && !(step.clip_value > 0);
    if (clips && step.clip_norm > 0) clip_norm(tile, dim);
  }

  /// As pushed.
  HOTROW_DEVICE float load(size_t i) const { return pushed_[i]; }
  /// As the rule is to see it, from a pushed one and the row's value.
  HOTROW_DEVICE float made(float pushed, float w) const {
    if (step_.way == RowWay::kDirect) return pushed;
    float g = pushed;
    if (step_.clip_value > 0) {
      // Not fminf and fmaxf, which take a NaN and the signs of zeros differently.
      g = g > -step_.clip_value ? g : -step_.clip_value;
      g = g < step_.clip_value ? g : step_.clip_value;
    } else {
      g = scale_ * (shrink_ * g);  // exact where both are 1
    }
    return step_.added_decay == 0 ? g : g + step_.added_decay * w;
  }

  /// norm(g)^2 of the gradient as the rule is to see it.
  template <class Tile, class Values>
  HOTROW_DEVICE float squares(const Tile& tile, const Values& values, uint32_t dim) const {
    const bool decays = step_.way == RowWay::kPrepared && step_.added_decay != 0;
    return sum_of_squares(
        tile, dim,
        [&](size_t i) { return Element<0>{decays ? values.load(i) : 0.0F, load(i), {}}; },
        [&](const Element<0>& at) { return made(at.g, at.w); });
  }

 private:
  template <class Tile>
  HOTROW_DEVICE void clip_norm(const Tile& tile, uint32_t dim) {
    const float limit = step_.clip_norm;
    const auto norm_of = [&](float shrink) {
      return sqrtf(sum_of_squares(
          tile, dim, [&](size_t i) { return pushed_[i]; }, [&](float g) { return shrink * g; }));
    };
    const float norm = norm_of(1.0F);
    if (norm <= FLT_MAX) {
      if (norm > limit) scale_ = limit / norm;
      return;
    }
    // The squares pass the range of f32. Those of g times 2^-80 do not.
    constexpr float kShrink = 0x1p-80F;
    const float shrunk = norm_of(kShrink);
    if (!(shrunk > limit * kShrink)) return;
    shrink_ = kShrink;
    scale_ = limit / shrunk;
  }

  const float* pushed_;
  const UpdateStep& step_;
  float shrink_ = 1;
  float scale_ = 1;
};

/// w = rule(w, g, s) for every element of the row, where s are its values in the first kArrays
/// arrays of the state. What the rule makes of the first kMoved of them is kept.
template <int kArrays, int kMoved, class Tile, class Values, class Rule>
HOTROW_DEVICE void each_element(const Tile& tile, const Values& values, float* state,
                                const Gradient& gradient, uint32_t dim, const Rule& rule) {
  const auto load = [&](size_t i) {
    Element<kArrays> at = {values.load(i), gradient.load(i), {}};
    HOTROW_UNROLL
    for (int a = 0; a < kArrays; ++a) at.s[a] = state[static_cast<size_t>(a) * dim + i];
    return at;
  };
  const auto use = [&](size_t i, Element<kArrays>& at) {
    const float w = rule(at.w, gradient.made(at.g, at.w), at.s);
    HOTROW_UNROLL
    for (int a = 0; a < kMoved; ++a) {
      state[static_cast<size_t>(a) * dim + i] = settled(at.s[a]);
    }
    values.store(i, settled(w));
  };
  tile.each([&](unsigned lane) { in_fours(lane, dim, load, use); });
}

template <int kArrays, class Tile, class Values, class Rule>
HOTROW_DEVICE void each_element(const Tile& tile, const Values& values, float* state,
                                const Gradient& gradient, uint32_t dim, const Rule& rule) {
  each_element<kArrays, kArrays>(tile, values, state, gradient, dim, rule);
}

/// Writes the one number that a row has beside its arrays, which every lane has read.
template <class Tile>
HOTROW_DEVICE void put(const Tile& tile, float* place, float x) {
  tile.sync();
  tile.leader([&] { *place = settled(x); });
}

/// Of a NaN as x86 makes it, too.
HOTROW_DEVICE float copy_sign(float magnitude, float sign) {
  return copysignf(magnitude, settled(sign));
}

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_RULES_ROW_H_
