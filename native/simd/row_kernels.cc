// Copies, sums and checks of rows.
#include "simd/kernels.h"
#include "simd/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/row_kernels.cc"
#include <hwy/foreach_target.h>  // re-includes this file for every instruction set
#include <hwy/highway.h>

#include "simd/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace hotrow {
namespace HWY_NAMESPACE {

void gather(const float* const* rows, size_t count, size_t dim, float* out) {
  if (dim == 1) {
    for (size_t i = 0; i < count; ++i) out[i] = *rows[i];
    return;
  }
  for (size_t i = 0; i < count; ++i, out += dim) {
    const float* const row = rows[i];
    for_lanes(dim, [&](auto d, size_t j) { hn::StoreU(hn::LoadU(d, row + j), d, out + j); });
  }
}

void add(float* sum, const float* x, size_t n) {
  for_lanes(n, [&](auto d, size_t i) {
    hn::StoreU(hn::Add(hn::LoadU(d, sum + i), hn::LoadU(d, x + i)), d, sum + i);
  });
}

void add_scaled(float* sum, const float* x, float scale, size_t n) {
  for_lanes(n, [&](auto d, size_t i) {
    const auto scaled = hn::Mul(hn::Set(d, scale), hn::LoadU(d, x + i));
    hn::StoreU(hn::Add(hn::LoadU(d, sum + i), scaled), d, sum + i);
  });
}

void scale(float* out, const float* x, float scale, size_t n) {
  for_lanes(n, [&](auto d, size_t i) {
    hn::StoreU(hn::Mul(hn::Set(d, scale), hn::LoadU(d, x + i)), d, out + i);
  });
}

bool all_finite(const float* x, size_t n) {
  // x - x is 0 for a finite x and NaN otherwise, and NaN survives every sum. Two sums keep the
  // additions from waiting for each other.
  const hn::CappedTag<float, 16> d;
  const size_t lanes = hn::Lanes(d);
  auto a = hn::Zero(d);
  auto b = hn::Zero(d);
  size_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    const auto u = hn::LoadU(d, x + i);
    const auto v = hn::LoadU(d, x + i + lanes);
    a = hn::Add(a, hn::Sub(u, u));
    b = hn::Add(b, hn::Sub(v, v));
  }
  float rest = 0;
  for (; i < n; ++i) rest += x[i] - x[i];
  return hn::AllTrue(d, hn::Eq(hn::Add(a, b), hn::Zero(d))) && rest == 0.0F;
}

const RowKernels* row_table() {
  static const RowKernels kTable = {
      hwy::TargetName(HWY_TARGET), gather, add, add_scaled, scale, all_finite};
  return &kTable;
}

}  // namespace HWY_NAMESPACE
}  // namespace hotrow
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include "simd/dispatch-inl.h"

namespace hotrow {

const RowKernels& row_kernels() {
  static const RowKernels* const kChosen = HOTROW_TABLE_FOR(simd_level(), row_table);
  return *kChosen;
}

std::vector<const RowKernels*> all_row_kernels() {
  return tables_of_all_levels<const RowKernels*>(
      [](SimdLevel level) { return HOTROW_TABLE_FOR(level, row_table); });
}

}  // namespace hotrow

#endif  // HWY_ONCE
