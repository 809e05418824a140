// The optimizers' row kernels, declared, and the sums over a row that they share. Included once per
// instruction set, inside update_kernels.cc and the files of the families, update_kernels_*.cc.
//
// Formulas: hotrow/options.h, in exactly that order of operations.
#if defined(HOTROW_SIMD_UPDATE_RULES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HOTROW_SIMD_UPDATE_RULES_INL_H_
#undef HOTROW_SIMD_UPDATE_RULES_INL_H_
#else
#define HOTROW_SIMD_UPDATE_RULES_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>

#include "simd/kernels.h"
#include "simd/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace hotrow {
namespace HWY_NAMESPACE {

#define HOTROW_DECLARE_RULE(name) \
  void update_##name(float* w, float* state, const float* g, size_t n, const UpdateStep& step)
// update_kernels_momentum.cc
HOTROW_DECLARE_RULE(sgd);
HOTROW_DECLARE_RULE(sum);
HOTROW_DECLARE_RULE(momentum);
HOTROW_DECLARE_RULE(nesterov);
HOTROW_DECLARE_RULE(lars);
HOTROW_DECLARE_RULE(lion);
// update_kernels_adagrad.cc
HOTROW_DECLARE_RULE(adagrad);
HOTROW_DECLARE_RULE(rowwise_adagrad);
HOTROW_DECLARE_RULE(adagrad_decay);
HOTROW_DECLARE_RULE(rmsprop);
HOTROW_DECLARE_RULE(adadelta);
// update_kernels_adam.cc
HOTROW_DECLARE_RULE(adam);
HOTROW_DECLARE_RULE(adamw);
HOTROW_DECLARE_RULE(amsgrad);
HOTROW_DECLARE_RULE(adamax);
HOTROW_DECLARE_RULE(rowwise_adam);
HOTROW_DECLARE_RULE(lamb);
// update_kernels_ftrl.cc
HOTROW_DECLARE_RULE(ftrl);
HOTROW_DECLARE_RULE(group_ftrl);
#undef HOTROW_DECLARE_RULE

/// A sum of squares in sixteen partial sums (element i goes to sum i mod 16), folded by halves: the
/// same bits for every vector width.
struct SquareSum {
  HWY_ALIGN float partial[16] = {};

  /// Adds the squares of elements i and following, within for_lanes.
  template <class D, class V>
  HWY_INLINE void add(D d, size_t i, V v) {
    float* const at = partial + i % 16;
    hn::Store(hn::Add(hn::Load(d, at), hn::Mul(v, v)), d, at);
  }

  HWY_INLINE float total() {
    for (size_t half = 8; half > 0; half /= 2) {
      for (size_t j = 0; j < half; ++j) partial[j] += partial[j + half];
    }
    return partial[0];
  }
};

HWY_INLINE float sum_of_squares(const float* x, size_t n) {
  SquareSum sum;
  for_lanes(n, [&](auto d, size_t i) { sum.add(d, i, hn::LoadU(d, x + i)); });
  return sum.total();
}

HWY_INLINE float square_root(float x) {
  const hn::CappedTag<float, 1> one;
  return hn::GetLane(hn::Sqrt(hn::Set(one, x)));
}

}  // namespace HWY_NAMESPACE
}  // namespace hotrow
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
