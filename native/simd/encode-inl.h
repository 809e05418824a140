// Writers of rows: one a value type, each taking vectors of f32. Included once per instruction
// set, inside convert_kernels.cc.
#if defined(HOTROW_SIMD_ENCODE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HOTROW_SIMD_ENCODE_INL_H_
#undef HOTROW_SIMD_ENCODE_INL_H_
#else
#define HOTROW_SIMD_ENCODE_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "base/hash.h"
#include "simd/decode-inl.h"

HWY_BEFORE_NAMESPACE();
namespace hotrow {
namespace HWY_NAMESPACE {

// Bits of the largest finite f16 and bf16, and of 2^126, as f32.
constexpr int32_t kMostF16 = 0x477fe000;
constexpr int32_t kMostBf16 = 0x7f7f0000;
constexpr int32_t kMostQuantized = 0x7e800000;

template <class D>
using Unsigned = hn::Vec<hn::RebindToUnsigned<D>>;

template <class D>
HWY_INLINE Unsigned<D> sign_of(D /*d*/, hn::Vec<D> x) {
  const hn::RebindToUnsigned<D> du;
  return hn::And(hn::BitCast(du, x), hn::Set(du, 0x80000000U));
}

/// The bits of |x|, at most `most`. As integers, infinity and NaN lie above all other numbers.
template <class D>
HWY_INLINE Unsigned<D> magnitude_of(D /*d*/, hn::Vec<D> x, int32_t most) {
  const hn::RebindToSigned<D> di;
  const auto magnitude = hn::And(hn::BitCast(di, x), hn::Set(di, 0x7fffffff));
  return hn::BitCast(hn::RebindToUnsigned<D>(), hn::Min(magnitude, hn::Set(di, most)));
}

template <class D>
HWY_INLINE hn::Vec<D> clamped(D d, hn::Vec<D> x, int32_t most) {
  return hn::BitCast(d, hn::Or(magnitude_of(d, x, most), sign_of(d, x)));
}

/// Stores the low halves of 32-bit lanes; the upper ones are zero.
template <class D>
HWY_INLINE void store_halves(D /*d*/, Unsigned<D> bits, uint16_t* out) {
  const hn::Rebind<uint16_t, D> d16;
  hn::StoreU(hn::DemoteTo(d16, hn::BitCast(hn::RebindToSigned<D>(), bits)), d16, out);
}

/// The random bits of a row's lanes: 32 a lane, a mix of 32-bit integers (Wellons' hash with the
/// constants 0x21f0aaad and 0xd35a2d97) over a counter, with half of the row's number put in
/// before and half in between.
struct Chance {
  HWY_INLINE explicit Chance(uint64_t random) {
    const uint64_t mixed = mix64(random);
    start = static_cast<uint32_t>(mixed);
    second = static_cast<uint32_t>(mixed >> 32);
  }
  template <class D>
  HWY_INLINE Unsigned<D> bits(D /*d*/, size_t i) const {
    const hn::RebindToUnsigned<D> du;
    // Not hn::Iota, which stores its lanes one by one and waits to load them as a vector.
    alignas(64) static constexpr uint32_t kLanes[16] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                        8, 9, 10, 11, 12, 13, 14, 15};
    static_assert(hn::MaxLanes(D()) <= 16);
    const auto lane = hn::Add(hn::Load(du, kLanes), hn::Set(du, static_cast<uint32_t>(i)));
    auto x = hn::Add(hn::Mul(lane, hn::Set(du, 0x9e3779b9U)), hn::Set(du, start));
    x = hn::Mul(hn::Xor(x, hn::ShiftRight<16>(x)), hn::Set(du, 0x21f0aaadU));
    x = hn::Xor(hn::Xor(x, hn::ShiftRight<15>(x)), hn::Set(du, second));
    x = hn::Mul(x, hn::Set(du, 0xd35a2d97U));
    return hn::Xor(x, hn::ShiftRight<15>(x));
  }
  uint32_t start;
  uint32_t second;
};

/// Joins a 16-bit magnitude with the sign of x.
template <class D>
HWY_INLINE Unsigned<D> with_sign(D d, Unsigned<D> magnitude, hn::Vec<D> x) {
  return hn::Or(magnitude, hn::ShiftRight<16>(sign_of(d, x)));
}

// Below this f32 (2^-14) f16 is subnormal: its unit stays 2^-24.
constexpr uint32_t kLeastNormalF16 = uint32_t{127 - 14} << 23;
constexpr uint32_t kF16Rebias = uint32_t{127 - 15} << 10;

template <class D>
HWY_INLINE Unsigned<D> select_f16(D /*d*/, Unsigned<D> magnitude, Unsigned<D> normal,
                                  Unsigned<D> subnormal) {
  const hn::RebindToSigned<D> di;
  const auto least = hn::Set(di, static_cast<int32_t>(kLeastNormalF16));
  const auto is_subnormal = hn::Lt(hn::BitCast(di, magnitude), least);
  return hn::IfThenElse(hn::RebindMask(hn::RebindToUnsigned<D>(), is_subnormal), subnormal, normal);
}

/// f16 to the nearest by integers, for targets that have no instruction.
template <class D>
HWY_INLINE Unsigned<D> nearest_f16(D d, Unsigned<D> magnitude) {
  const hn::RebindToUnsigned<D> du;
  const auto odd = hn::And(hn::ShiftRight<13>(magnitude), hn::Set(du, 1));
  const auto raised = hn::Add(hn::Add(magnitude, hn::Set(du, 0xfff)), odd);
  const auto normal = hn::Sub(hn::ShiftRight<13>(raised), hn::Set(du, kF16Rebias));
  // The unit of 0.5 is 2^-24: adding 0.5 rounds to a multiple of it.
  const auto half = hn::Set(d, 0.5F);
  const auto sum = hn::BitCast(du, hn::Add(hn::BitCast(d, magnitude), half));
  return select_f16(d, magnitude, normal, hn::Sub(sum, hn::BitCast(du, half)));
}

/// f16 by chance: what is cut off and 13 random bits carry, or do not.
template <class D>
HWY_INLINE Unsigned<D> stochastic_f16(D d, Unsigned<D> magnitude, Unsigned<D> chance) {
  const hn::RebindToSigned<D> di;
  const hn::RebindToUnsigned<D> du;
  const auto raised = hn::Add(magnitude, hn::ShiftRight<19>(chance));
  const auto normal = hn::Sub(hn::ShiftRight<13>(raised), hn::Set(du, kF16Rebias));
  // Subnormal results cut off any number of bits; their fraction is compared with 31 random ones.
  const auto units = hn::Mul(hn::BitCast(d, magnitude), hn::Set(d, 0x1p24F));
  const auto whole = hn::ConvertTo(di, units);
  const auto fraction = hn::Sub(units, hn::ConvertTo(d, whole));
  const auto threshold = hn::ConvertTo(di, hn::Mul(fraction, hn::Set(d, 0x1p31F)));
  const auto up = hn::Gt(threshold, hn::BitCast(di, hn::ShiftRight<1>(chance)));
  const auto subnormal = hn::Sub(whole, hn::VecFromMask(di, up));
  return select_f16(d, magnitude, normal, hn::BitCast(du, subnormal));
}

template <class D>
HWY_INLINE void store_f16(D d, hn::Vec<D> x, uint16_t* out) {
#if HOTROW_F16C
  const hn::Rebind<hwy::float16_t, D> d16;
  const hn::Rebind<uint16_t, D> du16;
  const auto converted = hn::DemoteTo(d16, clamped(d, x, kMostF16));
  hn::StoreU(hn::BitCast(du16, converted), du16, out);
#else
  store_halves(d, with_sign(d, nearest_f16(d, magnitude_of(d, x, kMostF16)), x), out);
#endif
}

template <class D>
HWY_INLINE void store_bf16(D d, hn::Vec<D> x, uint16_t* out) {
  const hn::RebindToUnsigned<D> du;
  const auto magnitude = magnitude_of(d, x, kMostBf16);
  const auto odd = hn::And(hn::ShiftRight<16>(magnitude), hn::Set(du, 1));
  const auto raised = hn::Add(hn::Add(magnitude, hn::Set(du, 0x7fff)), odd);
  store_halves(d, with_sign(d, hn::ShiftRight<16>(raised), x), out);
}

template <class D>
HWY_INLINE void store_f16_by_chance(D d, hn::Vec<D> x, Unsigned<D> chance, uint16_t* out) {
  const auto magnitude = stochastic_f16(d, magnitude_of(d, x, kMostF16), chance);
  store_halves(d, with_sign(d, magnitude, x), out);
}

template <class D>
HWY_INLINE void store_bf16_by_chance(D d, hn::Vec<D> x, Unsigned<D> chance, uint16_t* out) {
  // The largest magnitude has no bits below, so nothing carries beyond it.
  const auto raised = hn::Add(magnitude_of(d, x, kMostBf16), hn::ShiftRight<16>(chance));
  store_halves(d, with_sign(d, hn::ShiftRight<16>(raised), x), out);
}

/// What turns the values of one row into numbers from 0 to kMost.
template <int32_t kMost>
struct Quantizer {
  HWY_INLINE Quantizer(const float* x, size_t dim) {
    const hn::CappedTag<float, 16> d;
    const hn::CappedTag<float, 1> one;
    auto low = hn::BitCast(d, hn::Set(hn::RebindToSigned<decltype(d)>(), kMostQuantized));
    auto high = hn::Neg(low);
    size_t i = 0;
    for (; i + hn::Lanes(d) <= dim; i += hn::Lanes(d)) {
      const auto v = clamped(d, hn::LoadU(d, x + i), kMostQuantized);
      low = hn::Min(low, v);
      high = hn::Max(high, v);
    }
    float least = hn::GetLane(hn::MinOfLanes(d, low));
    float most = hn::GetLane(hn::MaxOfLanes(d, high));
    for (; i < dim; ++i) {
      const float v = hn::GetLane(clamped(one, hn::LoadU(one, x + i), kMostQuantized));
      least = std::min(least, v);
      most = std::max(most, v);
    }
    // Which zero is the least depends on the order of comparisons; + 0 makes both the same.
    bias = least + 0.0F;
    scale = (most + 0.0F - bias) / static_cast<float>(kMost);
    divisor = scale > 0 ? scale : 1.0F;
  }
  template <class D>
  HWY_INLINE hn::Vec<hn::RebindToSigned<D>> numbers(D d, const float* x) const {
    const auto v = clamped(d, hn::LoadU(d, x), kMostQuantized);
    const auto steps = hn::Div(hn::Sub(v, hn::Set(d, bias)), hn::Set(d, divisor));
    return hn::Min(hn::NearestInt(steps), hn::Set(hn::RebindToSigned<D>(), kMost));
  }
  HWY_INLINE void store_coefficients(std::byte* out) const {
    std::memcpy(out, &scale, sizeof scale);
    std::memcpy(out + sizeof scale, &bias, sizeof bias);
  }
  float scale;
  float bias;
  float divisor;  // scale, or 1 where all values are equal
};

template <class D>
HWY_INLINE void store_i8(D /*d*/, hn::Vec<hn::RebindToSigned<D>> q, uint8_t* out) {
  const hn::Rebind<uint8_t, D> d8;
  hn::StoreU(hn::DemoteTo(d8, q), d8, out);
}

/// Stores the numbers of an even number of lanes, or the last one alone.
template <class D>
HWY_INLINE void store_i4(D /*d*/, hn::Vec<hn::RebindToSigned<D>> q, uint8_t* out) {
  if constexpr (hn::MaxLanes(D()) == 1) {
    *out = static_cast<uint8_t>(hn::GetLane(q));
  } else {
    const hn::Rebind<uint8_t, D> d8;
    const hn::Repartition<int16_t, decltype(d8)> d16;
    const hn::Rebind<uint8_t, decltype(d16)> half;
    const auto pairs = hn::BitCast(d16, hn::DemoteTo(d8, q));
    const auto joined = hn::And(hn::Or(pairs, hn::ShiftRight<4>(pairs)), hn::Set(d16, 0xff));
    hn::StoreU(hn::DemoteTo(half, joined), half, out);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace hotrow
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
