// Conversion of single rows, for whoever holds them, and the table of every type's kernels.
#include "simd/convert_kernels.h"

#include "simd/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/convert_kernels.cc"
#include <hwy/foreach_target.h>  // re-includes this file for every instruction set
#include <hwy/highway.h>

#include "simd/decode-inl.h"
#include "simd/encode-inl.h"

HWY_BEFORE_NAMESPACE();
namespace hotrow {
namespace HWY_NAMESPACE {

template <class Row>
void decode_row(const std::byte* values, size_t dim, float* out) {
  const Row row(values, dim);
  for_lanes(dim, [&](auto d, size_t i) { hn::StoreU(row.load(d, i), d, out + i); });
}

/// Zeros from the end of the numbers to the next multiple of 4 bytes.
HWY_INLINE void pad(ValueType type, size_t dim, std::byte* values) {
  const size_t used = number_bytes(type, dim);
  std::memset(values + used, 0, padded_number_bytes(type, dim) - used);
}

void encode_f32(const float* x, size_t dim, std::byte* values) {
  std::memcpy(values, x, dim * sizeof(float));
}

void encode_f16(const float* x, size_t dim, std::byte* values) {
  auto* const out = reinterpret_cast<uint16_t*>(values);
  for_lanes(dim, [&](auto d, size_t i) { store_f16(d, hn::LoadU(d, x + i), out + i); });
  pad(ValueType::kF16, dim, values);
}

void encode_bf16(const float* x, size_t dim, std::byte* values) {
  auto* const out = reinterpret_cast<uint16_t*>(values);
  for_lanes(dim, [&](auto d, size_t i) { store_bf16(d, hn::LoadU(d, x + i), out + i); });
  pad(ValueType::kBf16, dim, values);
}

void encode_f16_by_chance(const float* x, size_t dim, uint64_t random, std::byte* values) {
  auto* const out = reinterpret_cast<uint16_t*>(values);
  const Chance chance(random);
  for_lanes(dim, [&](auto d, size_t i) {
    store_f16_by_chance(d, hn::LoadU(d, x + i), chance.bits(d, i), out + i);
  });
  pad(ValueType::kF16, dim, values);
}

void encode_bf16_by_chance(const float* x, size_t dim, uint64_t random, std::byte* values) {
  auto* const out = reinterpret_cast<uint16_t*>(values);
  const Chance chance(random);
  for_lanes(dim, [&](auto d, size_t i) {
    store_bf16_by_chance(d, hn::LoadU(d, x + i), chance.bits(d, i), out + i);
  });
  pad(ValueType::kBf16, dim, values);
}

void encode_i8(const float* x, size_t dim, std::byte* values) {
  auto* const out = reinterpret_cast<uint8_t*>(values);
  const Quantizer<255> quantizer(x, dim);
  for_lanes(dim, [&](auto d, size_t i) { store_i8(d, quantizer.numbers(d, x + i), out + i); });
  pad(ValueType::kI8, dim, values);
  quantizer.store_coefficients(values + padded_number_bytes(ValueType::kI8, dim));
}

void encode_i4(const float* x, size_t dim, std::byte* values) {
  auto* const out = reinterpret_cast<uint8_t*>(values);
  const Quantizer<15> quantizer(x, dim);
  for_lanes(dim, [&](auto d, size_t i) { store_i4(d, quantizer.numbers(d, x + i), out + i / 2); });
  pad(ValueType::kI4, dim, values);
  quantizer.store_coefficients(values + padded_number_bytes(ValueType::kI4, dim));
}

/// For types that round to the nearest only.
template <void (*kEncode)(const float*, size_t, std::byte*)>
void encode_without_chance(const float* x, size_t dim, uint64_t /*random*/, std::byte* values) {
  kEncode(x, dim, values);
}

/// One of each type, in the order of the enum.
const ValueKernels* value_table() {
  static const char* const kTarget = hwy::TargetName(HWY_TARGET);
  static const ValueKernels kTable[] = {
      {kTarget, gather_f32, decode_row<F32Row>, encode_f32, encode_without_chance<encode_f32>},
      {kTarget, gather_f16, decode_row<F16Row>, encode_f16, encode_f16_by_chance},
      {kTarget, gather_bf16, decode_row<Bf16Row>, encode_bf16, encode_bf16_by_chance},
      {kTarget, gather_i8, decode_row<I8Row>, encode_i8, encode_without_chance<encode_i8>},
      {kTarget, gather_i4, decode_row<I4Row>, encode_i4, encode_without_chance<encode_i4>}};
  return kTable;
}

}  // namespace HWY_NAMESPACE
}  // namespace hotrow
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include "simd/dispatch-inl.h"

namespace hotrow {

const ValueKernels& value_kernels(ValueType type) {
  static const ValueKernels* const kChosen = HOTROW_TABLE_FOR(simd_level(), value_table);
  return kChosen[static_cast<size_t>(type)];
}

std::vector<const ValueKernels*> all_value_kernels(ValueType type) {
  return tables_of_all_levels<const ValueKernels*>([type](SimdLevel level) {
    return HOTROW_TABLE_FOR(level, value_table) + static_cast<size_t>(type);
  });
}

}  // namespace hotrow

#endif  // HWY_ONCE
