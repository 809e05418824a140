// What rows of every value type hold, by plain arithmetic in f64 and f32: written from the
// descriptions in hotrow/options.h and simd/value_layout.h, sharing no code with the kernels.
#ifndef HOTROW_TEST_SUPPORT_REFERENCE_VALUES_H_
#define HOTROW_TEST_SUPPORT_REFERENCE_VALUES_H_

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "hotrow/options.h"

namespace hotrow::test {

inline constexpr ValueType kEveryValueType[] = {ValueType::kF32, ValueType::kF16, ValueType::kBf16,
                                                ValueType::kI8, ValueType::kI4};

inline const char* name_of(ValueType type) {
  return std::vector{"f32", "f16", "bf16", "i8", "i4"}[static_cast<size_t>(type)];
}

using Bytes = std::vector<std::byte>;

template <class T>
void append(Bytes& bytes, T value) {
  const auto* const first = reinterpret_cast<const std::byte*>(&value);
  bytes.insert(bytes.end(), first, first + sizeof value);
}

template <class T>
T read_at(const Bytes& bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

/// A binary format of 16 bits: sign, exponent, fraction.
struct HalfFormat {
  int fraction_bits;
  int least_exponent;  // of normal numbers
  double most;

  /// For finite patterns.
  double decoded(uint16_t bits) const {
    const int exponent = (bits & 0x7fff) >> fraction_bits;
    const int fraction = bits & ((1 << fraction_bits) - 1);
    const int whole = exponent == 0 ? fraction : fraction + (1 << fraction_bits);
    const double value =
        std::ldexp(whole, std::max(exponent, 1) - 1 + least_exponent - fraction_bits);
    return (bits & 0x8000) != 0 ? -value : value;
  }
  bool finite(uint16_t bits) const { return std::fabs(decoded(bits)) <= most; }

  /// The format's unit in the last place at x.
  double unit(double x) const {
    const int exponent = x == 0 ? least_exponent : std::max(std::ilogb(x), least_exponent);
    return std::ldexp(1.0, exponent - fraction_bits);
  }
  /// |x| within the format's range; a NaN is beyond it.
  double magnitude(float x) const {
    const double value = std::fabs(double{x});
    return value <= most ? value : most;
  }
  /// The pattern of `units` units of `unit`, with the sign of x. What carries goes on to the
  /// exponent.
  uint16_t pattern(float x, double units, double unit) const {
    const int exponent = std::ilogb(unit) + fraction_bits;
    const int bits = ((exponent - least_exponent) << fraction_bits) + static_cast<int>(units);
    return static_cast<uint16_t>(bits | (std::signbit(x) ? 0x8000 : 0));
  }
  uint16_t nearest(float x) const {
    const double value = magnitude(x);
    return pattern(x, std::nearbyint(value / unit(value)), unit(value));
  }
};

inline constexpr HalfFormat kHalf{10, -14, 65504.0};
inline constexpr HalfFormat kBrainHalf{7, -126, 0x1.fep127};

inline constexpr ValueType kHalves[] = {ValueType::kF16, ValueType::kBf16};

inline const HalfFormat& format_of(ValueType type) {
  return type == ValueType::kF16 ? kHalf : kBrainHalf;
}

/// The 32 random bits of a lane.
inline uint32_t chance_of(uint64_t random, uint32_t lane) {
  uint64_t z = random;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  z ^= z >> 31;
  uint32_t x = static_cast<uint32_t>(z) + lane * 0x9e3779b9U;
  x = (x ^ (x >> 16)) * 0x21f0aaadU;
  x = (x ^ (x >> 15) ^ static_cast<uint32_t>(z >> 32)) * 0xd35a2d97U;
  return x ^ (x >> 15);
}

/// Up when the upper bits of `chance` and the fraction that is cut off make a whole; for subnormal
/// f16, when 31 bits of chance are below the fraction.
inline uint16_t by_chance(const HalfFormat& format, float x, uint32_t chance) {
  const double value = format.magnitude(x);
  const double unit = format.unit(value);
  const double whole = std::floor(value / unit);
  const double fraction = value / unit - whole;
  const int cut = 23 - format.fraction_bits;  // bits that a normal number loses
  const bool subnormal_half = &format == &kHalf && value < std::ldexp(1.0, format.least_exponent);
  const bool up = subnormal_half
                      ? std::floor(std::ldexp(fraction, 31)) > static_cast<double>(chance >> 1)
                      : std::ldexp(fraction, cut) + (chance >> (32 - cut)) >= std::ldexp(1.0, cut);
  return format.pattern(x, whole + (up ? 1 : 0), unit);
}

/// Numbers, scale and bias of a quantized row.
struct Quantized {
  Quantized(std::span<const float> x, int most) {
    std::vector<float> values(x.begin(), x.end());
    for (float& v : values) {
      v = std::fabs(v) <= 0x1p126F ? v : std::copysign(0x1p126F, v);
      if (v == 0) v = 0;  // without its sign
    }
    bias = *std::min_element(values.begin(), values.end());
    scale = (*std::max_element(values.begin(), values.end()) - bias) / static_cast<float>(most);
    for (const float v : values) {
      const float steps = scale == 0 ? 0 : std::nearbyint((v - bias) / scale);
      numbers.push_back(static_cast<uint8_t>(std::min(steps, static_cast<float>(most))));
    }
  }
  std::vector<uint8_t> numbers;
  float scale;
  float bias;
};

inline void append_numbers(Bytes& bytes, ValueType type, std::span<const float> x) {
  if (type == ValueType::kF32) {
    for (const float v : x) append(bytes, v);
  } else if (type == ValueType::kF16 || type == ValueType::kBf16) {
    for (const float v : x) {
      append(bytes, format_of(type).nearest(v));
    }
  } else if (type == ValueType::kI8) {
    for (const uint8_t q : Quantized(x, 255).numbers) append(bytes, q);
  } else {
    const auto numbers = Quantized(x, 15).numbers;
    for (size_t i = 0; i < numbers.size(); i += 2) {
      const int high = i + 1 < numbers.size() ? numbers[i + 1] : 0;
      append(bytes, static_cast<uint8_t>(high * 16 + numbers[i]));
    }
  }
}

inline bool is_quantized(ValueType type) {
  return type == ValueType::kI8 || type == ValueType::kI4;
}

/// A row's bytes, rounded to the nearest.
inline Bytes encoded(ValueType type, std::span<const float> x) {
  Bytes bytes;
  append_numbers(bytes, type, x);
  while (bytes.size() % 4 != 0) bytes.push_back(std::byte{0});
  if (is_quantized(type)) {
    const Quantized row(x, type == ValueType::kI8 ? 255 : 15);
    append(bytes, row.scale);
    append(bytes, row.bias);
  }
  return bytes;
}

/// The values in a row's bytes.
inline std::vector<float> decoded(ValueType type, const Bytes& bytes, size_t dim) {
  std::vector<float> values(dim);
  for (size_t i = 0; i < dim; ++i) {
    if (type == ValueType::kF32) {
      values[i] = read_at<float>(bytes, 4 * i);
    } else if (!is_quantized(type)) {
      values[i] = static_cast<float>(format_of(type).decoded(read_at<uint16_t>(bytes, 2 * i)));
    } else {
      const int byte = read_at<uint8_t>(bytes, type == ValueType::kI8 ? i : i / 2);
      const int q = type == ValueType::kI8 ? byte : i % 2 == 0 ? byte % 16 : byte / 16;
      const volatile float product =  // no fused multiply-add here
          read_at<float>(bytes, bytes.size() - 8) * static_cast<float>(q);
      values[i] = read_at<float>(bytes, bytes.size() - 4) + product;
    }
  }
  return values;
}

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_REFERENCE_VALUES_H_
