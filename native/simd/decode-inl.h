// Readers of rows: one a value type, each giving vectors of f32. Included once per instruction
// set, inside gather_kernels.cc and convert_kernels.cc. Everything is forced inline: the two files
// are built with different flags and must share no function.
#if defined(HOTROW_SIMD_DECODE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HOTROW_SIMD_DECODE_INL_H_
#undef HOTROW_SIMD_DECODE_INL_H_
#else
#define HOTROW_SIMD_DECODE_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstring>

#include "simd/lanes-inl.h"
#include "simd/value_layout.h"

// Does this target convert f16 by an instruction?
#undef HOTROW_F16C
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2 && !defined(HWY_DISABLE_F16C)
#define HOTROW_F16C 1
#else
#define HOTROW_F16C 0
#endif

HWY_BEFORE_NAMESPACE();
namespace hotrow {
namespace HWY_NAMESPACE {

// gather_kernels.cc
void gather_f32(const std::byte* const* rows, size_t count, size_t dim, float* out,
                size_t out_stride);
void gather_f16(const std::byte* const* rows, size_t count, size_t dim, float* out,
                size_t out_stride);
void gather_bf16(const std::byte* const* rows, size_t count, size_t dim, float* out,
                 size_t out_stride);
void gather_i8(const std::byte* const* rows, size_t count, size_t dim, float* out,
               size_t out_stride);
void gather_i4(const std::byte* const* rows, size_t count, size_t dim, float* out,
               size_t out_stride);

// The first of the numbers of a row, as what they are.
template <class T>
HWY_INLINE const T* numbers_of(const std::byte* values) {
  return reinterpret_cast<const T*>(values);
}

/// f32 from the bits of f16 in 32-bit lanes, as vcvtph2ps gives it.
template <class D>
HWY_INLINE hn::Vec<D> f32_of_f16_bits(D d, hn::Vec<hn::RebindToSigned<D>> bits) {
  const hn::RebindToSigned<D> di;
  constexpr int32_t kRebias = (127 - 15) << 23;
  constexpr int32_t kLeastNormal = 1 << 23;
  constexpr int32_t kInfinity = 31 << 23;
  const auto rebias = hn::Set(di, kRebias);
  const auto sign = hn::ShiftLeft<16>(hn::And(bits, hn::Set(di, 0x8000)));
  const auto magnitude = hn::ShiftLeft<13>(hn::And(bits, hn::Set(di, 0x7fff)));
  // Infinity and NaN: the exponent moves on to the top, and a NaN is made quiet.
  const auto at_top = hn::Gt(magnitude, hn::Set(di, kInfinity - 1));
  const auto is_nan = hn::Gt(magnitude, hn::Set(di, kInfinity));
  const auto moved = hn::Add(hn::Add(magnitude, rebias), hn::IfThenElseZero(at_top, rebias));
  const auto normal = hn::Or(moved, hn::IfThenElseZero(is_nan, hn::Set(di, 0x00400000)));
  // Zeros and subnormals: as the fraction of a number with the least exponent, less its one.
  const auto one = hn::Set(di, kRebias + kLeastNormal);
  const auto fraction = hn::BitCast(d, hn::Add(magnitude, one));
  const auto subnormal = hn::BitCast(di, hn::Sub(fraction, hn::BitCast(d, one)));
  const auto is_subnormal = hn::Lt(magnitude, hn::Set(di, kLeastNormal));
  return hn::BitCast(d, hn::Or(hn::IfThenElse(is_subnormal, subnormal, normal), sign));
}

struct F32Row {
  HWY_INLINE F32Row(const std::byte* values, size_t /*dim*/) : numbers(numbers_of<float>(values)) {}
  template <class D>
  HWY_INLINE hn::Vec<D> load(D d, size_t i) const {
    return hn::LoadU(d, numbers + i);
  }
  const float* numbers;
};

struct F16Row {
  HWY_INLINE F16Row(const std::byte* values, size_t /*dim*/)
      : numbers(numbers_of<uint16_t>(values)) {}
  template <class D>
  HWY_INLINE hn::Vec<D> load(D d, size_t i) const {
    const auto bits = hn::LoadU(hn::Rebind<uint16_t, D>(), numbers + i);
#if HOTROW_F16C
    return hn::PromoteTo(d, hn::BitCast(hn::Rebind<hwy::float16_t, D>(), bits));
#else
    return f32_of_f16_bits(d, hn::PromoteTo(hn::RebindToSigned<D>(), bits));
#endif
  }
  const uint16_t* numbers;
};

struct Bf16Row {
  HWY_INLINE Bf16Row(const std::byte* values, size_t /*dim*/)
      : numbers(numbers_of<uint16_t>(values)) {}
  template <class D>
  HWY_INLINE hn::Vec<D> load(D d, size_t i) const {
    const auto bits = hn::LoadU(hn::Rebind<uint16_t, D>(), numbers + i);
    return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(hn::RebindToUnsigned<D>(), bits)));
  }
  const uint16_t* numbers;
};

/// Scale and bias of a row.
struct Coefficients {
  HWY_INLINE Coefficients(const std::byte* values, size_t numbers_bytes) {
    std::memcpy(&scale, values + numbers_bytes, sizeof scale);
    std::memcpy(&bias, values + numbers_bytes + sizeof scale, sizeof bias);
  }
  template <class D, class V>
  HWY_INLINE hn::Vec<D> value(D d, V q) const {
    return hn::Add(hn::Mul(hn::Set(d, scale), hn::ConvertTo(d, q)), hn::Set(d, bias));
  }
  float scale;
  float bias;
};

struct I8Row {
  HWY_INLINE I8Row(const std::byte* values, size_t dim)
      : numbers(numbers_of<uint8_t>(values)),
        coefficients(values, padded_number_bytes(ValueType::kI8, dim)) {}
  template <class D>
  HWY_INLINE hn::Vec<D> load(D d, size_t i) const {
    const auto bytes = hn::LoadU(hn::Rebind<uint8_t, D>(), numbers + i);
    return coefficients.value(d, hn::PromoteTo(hn::RebindToSigned<D>(), bytes));
  }
  const uint8_t* numbers;
  Coefficients coefficients;
};

struct I4Row {
  HWY_INLINE I4Row(const std::byte* values, size_t dim)
      : numbers(numbers_of<uint8_t>(values)),
        coefficients(values, padded_number_bytes(ValueType::kI4, dim)) {}
  template <class D>
  HWY_INLINE hn::Vec<D> load(D d, size_t i) const {
    const hn::RebindToSigned<D> di;
    if constexpr (hn::MaxLanes(D()) == 1) {
      return coefficients.value(d, hn::Set(di, (numbers[i / 2] >> (i % 2 * 4)) & 15));
    } else {
      // i is even here. A byte widened to 16 bits, with a copy of itself 4 bits higher, has the low
      // half in its first byte and the high half in its second.
      const hn::Repartition<uint16_t, hn::Rebind<uint8_t, D>> d16;
      const hn::Rebind<uint8_t, decltype(d16)> d8;
      const auto wide = hn::PromoteTo(d16, hn::LoadU(d8, numbers + i / 2));
      const auto pairs = hn::And(hn::Or(wide, hn::ShiftLeft<4>(wide)), hn::Set(d16, 0x0f0f));
      return coefficients.value(d, hn::PromoteTo(di, hn::BitCast(hn::Rebind<uint8_t, D>(), pairs)));
    }
  }
  const uint8_t* numbers;
  Coefficients coefficients;
};

}  // namespace HWY_NAMESPACE
}  // namespace hotrow
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
