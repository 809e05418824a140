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

/// Folds a vector by halves into one lane: lane j plus lane j + half of what is left.
template <class D, class V>
HWY_INLINE float fold(D d, V v) {
  if constexpr (hn::MaxLanes(d) == 2) {
    return hn::GetLane(v) + hn::ExtractLane(v, 1);
  } else {
    const hn::Half<D> half;
    return fold(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}

/// Sixteen partial sums of squares, element i in sum i mod 16, folded by halves in the end: the
/// same bits for every vector width. Held in registers while whole groups of sixteen are added.
class SquareSum {
 public:
  /// The widest vectors.
  using D = hn::CappedTag<float, 16>;
  static constexpr size_t kParts = 16 / hn::MaxLanes(D());
  static_assert(kParts == 1 || kParts == 2 || kParts == 4, "total() knows these");

  /// Adds the squares of the vectors value(d, i), i from 0 to n; `value` sees each i once, in
  /// order.
  template <class Value>
  HWY_INLINE void add(size_t n, const Value& value) {
    const D d;
    constexpr size_t kWidth = hn::MaxLanes(D());
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
      for (size_t part = 0; part < kParts; ++part) {
        const auto v = value(d, i + part * kWidth);
        parts_[part] = hn::Add(parts_[part], hn::Mul(v, v));
      }
    }
    if (i < n) add_tail(i, n, value);
  }

  HWY_INLINE float total() const {
    const D d;
    if constexpr (kParts == 4) {
      return fold(d, hn::Add(hn::Add(parts_[0], parts_[2]), hn::Add(parts_[1], parts_[3])));
    } else if constexpr (kParts == 2) {
      return fold(d, hn::Add(parts_[0], parts_[1]));
    } else {
      return fold(d, parts_[0]);
    }
  }

 private:
  template <class Value>
  HWY_INLINE void add_tail(size_t from, size_t n, const Value& value) {
    const D d;
    constexpr size_t kWidth = hn::MaxLanes(D());
    HWY_ALIGN float sums[16];
    for (size_t part = 0; part < kParts; ++part) {
      hn::Store(parts_[part], d, sums + part * kWidth);
    }
    for_lanes_from<16>(from, n, [&](auto narrow, size_t i) {
      const auto v = value(narrow, i);
      float* const at = sums + i % 16;
      hn::Store(hn::Add(hn::Load(narrow, at), hn::Mul(v, v)), narrow, at);
    });
    for (size_t part = 0; part < kParts; ++part) {
      parts_[part] = hn::Load(d, sums + part * kWidth);
    }
  }

  hn::Vec<D> parts_[kParts] = {};
};

HWY_INLINE float sum_of_squares(const float* x, size_t n) {
  SquareSum sum;
  sum.add(n, [&](auto d, size_t i) { return hn::LoadU(d, x + i); });
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
