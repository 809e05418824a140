// Values of rows, one at a time, between f32 and the form in which rows keep them: the bits that
// the kernels of simd/convert_kernels.h read and write, by the same integers on the CPU and on the
// device. What every type means: ValueType in hotrow/options.h; where its bytes lie:
// simd/value_layout.h.
//
// Types are template arguments, so that kernels branch on none of them; with_value_type() and
// with_pushed_values() choose at launch. Rows start at multiples of 4 bytes. Quantized rows are
// only read: tables that keep them are never pushed.
#ifndef HOTROW_CUDA_CODEC_H_
#define HOTROW_CUDA_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "cuda/tile.h"
#include "hotrow/options.h"
#include "simd/value_layout.h"

namespace hotrow::gpu {

HOTROW_DEVICE uint32_t bits_of(float x) {
#ifdef __CUDACC__
  return __float_as_uint(x);
#else
  uint32_t bits = 0;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
#endif
}
HOTROW_DEVICE float float_of(uint32_t bits) {
#ifdef __CUDACC__
  return __uint_as_float(bits);
#else
  float x = 0;
  std::memcpy(&x, &bits, sizeof x);
  return x;
#endif
}

/// x, a NaN as x86 makes it of numbers: the device makes others, whose sign would decide to which
/// end of their range f16 and bf16 go. The absolute value of such a NaN stays as well.
HOTROW_DEVICE float settled(float x) {
#ifdef __CUDACC__
  return x != x && bits_of(x) != 0x7fc00000U ? float_of(0xffc00000U) : x;
#else
  return x;
#endif
}

/// mix64 of base/hash.h, which devices cannot call.
HOTROW_BOTH constexpr uint64_t mixed(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

/// The random bits of a row's values at one push, as those of simd/encode-inl.h.
class Chance {
 public:
  /// `random`: of RowCodec::encode.
  HOTROW_DEVICE explicit Chance(uint64_t random)
      : start_(static_cast<uint32_t>(mixed(random))),
        second_(static_cast<uint32_t>(mixed(random) >> 32)) {}

  HOTROW_DEVICE uint32_t bits(uint32_t i) const {
    uint32_t x = i * 0x9e3779b9U + start_;
    x = (x ^ (x >> 16)) * 0x21f0aaadU;
    x = (x ^ (x >> 15) ^ second_) * 0xd35a2d97U;
    return x ^ (x >> 15);
  }

 private:
  uint32_t start_;
  uint32_t second_;
};

/// f32 from the bits of f16. Those of a NaN, which no row holds, are made quiet.
HOTROW_DEVICE float f32_of_f16(uint16_t half) {
  const uint32_t magnitude = (half & 0x7fffU) << 13;
  // The exponent counts from -15 and is read as if from -127; subnormals come out right, too.
  uint32_t bits = bits_of(float_of(magnitude) * 0x1p112F);
  constexpr uint32_t kInfinity = 31U << 23;
  if (magnitude >= kInfinity) {
    bits = magnitude | 0x7f800000U | (magnitude > kInfinity ? 0x00400000U : 0);
  }
  return float_of(bits | (half & 0x8000U) << 16);
}
HOTROW_DEVICE float f32_of_bf16(uint16_t half) { return float_of(uint32_t{half} << 16); }

/// The bits of |x|, at most `most`; infinity and NaN lie above all other numbers.
HOTROW_DEVICE uint32_t magnitude_of(float x, uint32_t most) {
  const uint32_t magnitude = bits_of(x) & 0x7fffffffU;
  return magnitude < most ? magnitude : most;
}
/// Joins a 16-bit magnitude with the sign of x.
HOTROW_DEVICE uint16_t with_sign(uint32_t magnitude, float x) {
  return static_cast<uint16_t>(magnitude | ((bits_of(x) >> 16) & 0x8000U));
}

// Bits of the largest finite f16 and bf16 as f32, and of the least f32 that is no subnormal f16.
inline constexpr uint32_t kMostF16 = 0x477fe000;
inline constexpr uint32_t kMostBf16 = 0x7f7f0000;
inline constexpr uint32_t kLeastNormalF16 = (127U - 14) << 23;
inline constexpr uint32_t kF16Rebias = (127U - 15) << 10;

/// To the nearest, ties to even.
HOTROW_DEVICE uint16_t nearest_f16(float x) {
  const uint32_t magnitude = magnitude_of(x, kMostF16);
  if (magnitude < kLeastNormalF16) {
    // The unit of 0.5 is 2^-24: adding 0.5 rounds to a multiple of it.
    return with_sign(bits_of(float_of(magnitude) + 0.5F) - bits_of(0.5F), x);
  }
  const uint32_t raised = magnitude + 0xfff + ((magnitude >> 13) & 1);
  return with_sign((raised >> 13) - kF16Rebias, x);
}
HOTROW_DEVICE uint16_t nearest_bf16(float x) {
  const uint32_t magnitude = magnitude_of(x, kMostBf16);
  return with_sign((magnitude + 0x7fff + ((magnitude >> 16) & 1)) >> 16, x);
}

/// By chance: what is cut off and as many random bits carry, or do not.
HOTROW_DEVICE uint16_t stochastic_f16(float x, uint32_t chance) {
  const uint32_t magnitude = magnitude_of(x, kMostF16);
  if (magnitude < kLeastNormalF16) {
    // Subnormal results cut off any number of bits; their fraction is compared with 31 random ones.
    const float units = float_of(magnitude) * 0x1p24F;
    const auto whole = static_cast<uint32_t>(units);
    const float fraction = units - static_cast<float>(whole);
    const bool up = static_cast<uint32_t>(fraction * 0x1p31F) > chance >> 1;
    return with_sign(whole + (up ? 1 : 0), x);
  }
  return with_sign(((magnitude + (chance >> 19)) >> 13) - kF16Rebias, x);
}
HOTROW_DEVICE uint16_t stochastic_bf16(float x, uint32_t chance) {
  // The largest magnitude has no bits below, so nothing carries beyond it.
  return with_sign((magnitude_of(x, kMostBf16) + (chance >> 16)) >> 16, x);
}

/// What a row's numbers are, in memory.
template <ValueType kType>
using Number = std::conditional_t<
    kType == ValueType::kF32, float,
    std::conditional_t<kType == ValueType::kF16 || kType == ValueType::kBf16, uint16_t, uint8_t>>;

/// padded_number_bytes() of simd/value_layout.h, which devices cannot call.
template <ValueType kType>
HOTROW_BOTH constexpr uint32_t coefficients_at(uint32_t dim) {
  constexpr uint32_t kBits = kType == ValueType::kI4 ? 4 : 8 * sizeof(Number<kType>);
  return (dim * kBits + 31) / 32 * 4;
}
static_assert(coefficients_at<ValueType::kI4>(33) == padded_number_bytes(ValueType::kI4, 33));
static_assert(coefficients_at<ValueType::kI4>(8) == padded_number_bytes(ValueType::kI4, 8));
static_assert(coefficients_at<ValueType::kI8>(33) == padded_number_bytes(ValueType::kI8, 33));

/// Reads the values of one row, of any type.
template <ValueType kType>
class RowReader {
 public:
  static constexpr bool kQuantized = has_coefficients(kType);

  HOTROW_DEVICE RowReader(const std::byte* row, uint32_t dim)
      : numbers_(reinterpret_cast<const Number<kType>*>(row)) {
    if constexpr (kQuantized) {
      const std::byte* const place = row + coefficients_at<kType>(dim);
      scale_ = *reinterpret_cast<const float*>(place);
      bias_ = *reinterpret_cast<const float*>(place + sizeof(float));
    }
  }

  HOTROW_DEVICE float load(size_t i) const {
    if constexpr (kType == ValueType::kF32) {
      return numbers_[i];
    } else if constexpr (kType == ValueType::kF16) {
      return f32_of_f16(numbers_[i]);
    } else if constexpr (kType == ValueType::kBf16) {
      return f32_of_bf16(numbers_[i]);
    } else if constexpr (kType == ValueType::kI8) {
      return value(numbers_[i]);
    } else {
      return value((numbers_[i / 2] >> (i % 2 * 4)) & 15U);
    }
  }

 private:
  HOTROW_DEVICE float value(uint32_t q) const { return scale_ * static_cast<float>(q) + bias_; }

  const Number<kType>* numbers_;
  float scale_ = 0;
  float bias_ = 0;
};

/// Reads and writes the values of one row that is pushed. Padding stays: it is zero from the row's
/// beginning on.
template <ValueType kType, Rounding kRounding = Rounding::kNearest>
class RowValues {
 public:
  static_assert(!has_coefficients(kType));
  static constexpr bool kByChance = kRounding == Rounding::kStochastic && kType != ValueType::kF32;

  /// `random`: of RowCodec::encode. Read where rounding is stochastic.
  HOTROW_DEVICE RowValues(std::byte* row, uint64_t random)
      : numbers_(reinterpret_cast<Number<kType>*>(row)), chance_(random) {}

  HOTROW_DEVICE float load(size_t i) const {
    return RowReader<kType>(reinterpret_cast<const std::byte*>(numbers_), 0).load(i);
  }
  HOTROW_DEVICE void store(size_t i, float x) const {
    if constexpr (kType == ValueType::kF32) {
      numbers_[i] = x;
    } else if constexpr (kType == ValueType::kF16) {
      numbers_[i] =
          kByChance ? stochastic_f16(x, chance_.bits(static_cast<uint32_t>(i))) : nearest_f16(x);
    } else {
      numbers_[i] =
          kByChance ? stochastic_bf16(x, chance_.bits(static_cast<uint32_t>(i))) : nearest_bf16(x);
    }
  }

 private:
  Number<kType>* numbers_;
  Chance chance_;
};

template <auto kValue>
using Constant = std::integral_constant<decltype(kValue), kValue>;

/// f(Constant<type>) of any type.
template <class F>
auto with_value_type(ValueType type, const F& f) {
  switch (type) {
    case ValueType::kF16:
      return f(Constant<ValueType::kF16>());
    case ValueType::kBf16:
      return f(Constant<ValueType::kBf16>());
    case ValueType::kI8:
      return f(Constant<ValueType::kI8>());
    case ValueType::kI4:
      return f(Constant<ValueType::kI4>());
    case ValueType::kF32:
      break;
  }
  return f(Constant<ValueType::kF32>());
}

/// f(Constant<type>, Constant<rounding>) of those that are pushed. `type` is not quantized.
template <class F>
auto with_pushed_values(ValueType type, Rounding rounding, const F& f) {
  const bool by_chance = rounding == Rounding::kStochastic;
  if (type == ValueType::kF16) {
    return by_chance ? f(Constant<ValueType::kF16>(), Constant<Rounding::kStochastic>())
                     : f(Constant<ValueType::kF16>(), Constant<Rounding::kNearest>());
  }
  if (type == ValueType::kBf16) {
    return by_chance ? f(Constant<ValueType::kBf16>(), Constant<Rounding::kStochastic>())
                     : f(Constant<ValueType::kBf16>(), Constant<Rounding::kNearest>());
  }
  return f(Constant<ValueType::kF32>(), Constant<Rounding::kNearest>());
}

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_CODEC_H_
