// The bytes of a row's values, for every value type. Optimizer state may follow: the values take a
// multiple of 4 bytes, the last of them zero where a diagram says 0. Everything is little-endian.
//
//   f32   | v[0] | v[1] | ... | v[dim-1] |
//   f16   | v[0] | v[1] | ... | v[dim-1] | 0 |
//   bf16  | v[0] | v[1] | ... | v[dim-1] | 0 |
//   i8    | q[0] | q[1] | ... | q[dim-1] | 0 .. 0 | scale f32 | bias f32 |
//   i4    | q[1] q[0] | q[3] q[2] | ...  | 0 .. 0 | scale f32 | bias f32 |
//          bits 7..4  3..0; the high half of the last byte is 0 when dim is odd
//
//   bytes: f32 4 dim; f16, bf16 2 dim; i8 dim + 8; i4 (dim + 1) / 2 + 8; padding not counted
//
// Scale and bias lie behind the numbers: so numbers start where rows start, on a cache line from 33
// bytes on, and no vector of them straddles two lines. In front, they would shift every one by 8
// bytes. Either way a row of dim 64 in i8 has 72 bytes and touches two lines of its 128-byte
// stride (dim 56 fits one line, dim 24 a packed row of 32 bytes).
#ifndef HOTROW_SIMD_VALUE_LAYOUT_H_
#define HOTROW_SIMD_VALUE_LAYOUT_H_

#include <cstddef>
#include <cstdint>

#include "hotrow/options.h"

namespace hotrow {

/// Bytes of scale and bias, f32 both, scale first.
inline constexpr size_t kCoefficientBytes = 8;

/// Bytes that `dim` numbers take, without padding, scale and bias.
constexpr size_t number_bytes(ValueType type, size_t dim) {
  switch (type) {
    case ValueType::kF32:
      return 4 * dim;
    case ValueType::kF16:
    case ValueType::kBf16:
      return 2 * dim;
    case ValueType::kI8:
      return dim;
    case ValueType::kI4:
      return (dim + 1) / 2;
  }
  return 0;
}

/// Bytes from the start of the numbers to the padding's end: where scale and bias lie, if any.
constexpr size_t padded_number_bytes(ValueType type, size_t dim) {
  return (number_bytes(type, dim) + 3) / 4 * 4;
}

constexpr bool has_coefficients(ValueType type) {
  return type == ValueType::kI8 || type == ValueType::kI4;
}

/// Bytes of a row's values, a multiple of 4.
constexpr size_t value_bytes(ValueType type, size_t dim) {
  return padded_number_bytes(type, dim) + (has_coefficients(type) ? kCoefficientBytes : 0);
}

static_assert(value_bytes(ValueType::kF32, 64) == 256);
static_assert(value_bytes(ValueType::kF16, 3) == 8);
static_assert(value_bytes(ValueType::kI8, 64) == 72);
static_assert(value_bytes(ValueType::kI8, 56) == 64);
static_assert(value_bytes(ValueType::kI4, 33) == 28);

}  // namespace hotrow

#endif  // HOTROW_SIMD_VALUE_LAYOUT_H_
