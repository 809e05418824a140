// Loops over arrays of any length in full vectors, then in shorter ones. Included once per
// instruction set, inside update_kernels*.cc and row_kernels.cc.
#if defined(HOTROW_SIMD_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HOTROW_SIMD_LANES_INL_H_
#undef HOTROW_SIMD_LANES_INL_H_
#else
#define HOTROW_SIMD_LANES_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>

HWY_BEFORE_NAMESPACE();
namespace hotrow {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Calls body(d, i) so that vectors of tag d at i cover [from, n) without overlap, widest first.
template <size_t kLanes, class Body>
HWY_INLINE void for_lanes_from(size_t from, size_t n, const Body& body) {
  const hn::CappedTag<float, kLanes> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = from;
  for (; i + lanes <= n; i += lanes) body(d, i);
  if constexpr (kLanes > 1) {
    if (i < n) for_lanes_from<kLanes / 2>(i, n, body);
  }
}

template <class Body>
HWY_INLINE void for_lanes(size_t n, const Body& body) {
  for_lanes_from<16>(0, n, body);
}

}  // namespace HWY_NAMESPACE
}  // namespace hotrow
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
