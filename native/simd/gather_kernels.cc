// Copies of rows of every value type into f32, at the speed of memory. Built without
// ThreadSanitizer: they read rows that others may be writing (see simd/convert_kernels.h).
#include "simd/convert_kernels.h"
#include "simd/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/gather_kernels.cc"
#include <hwy/foreach_target.h>  // re-includes this file for every instruction set
#include <hwy/highway.h>

#include "simd/decode-inl.h"

HWY_BEFORE_NAMESPACE();
namespace hotrow {
namespace HWY_NAMESPACE {

template <class Row>
HWY_INLINE void gather_rows(const std::byte* const* rows, size_t count, size_t dim, float* out,
                            size_t out_stride) {
  for (size_t i = 0; i < count; ++i, out += out_stride) {
    const Row row(rows[i], dim);
    for_lanes(dim, [&](auto d, size_t j) { hn::StoreU(row.load(d, j), d, out + j); });
  }
}

void gather_f32(const std::byte* const* rows, size_t count, size_t dim, float* out,
                size_t out_stride) {
  if (dim == 1) {
    for (size_t i = 0; i < count; ++i) out[i * out_stride] = *numbers_of<float>(rows[i]);
    return;
  }
  gather_rows<F32Row>(rows, count, dim, out, out_stride);
}

void gather_f16(const std::byte* const* rows, size_t count, size_t dim, float* out,
                size_t out_stride) {
  gather_rows<F16Row>(rows, count, dim, out, out_stride);
}

void gather_bf16(const std::byte* const* rows, size_t count, size_t dim, float* out,
                 size_t out_stride) {
  gather_rows<Bf16Row>(rows, count, dim, out, out_stride);
}

void gather_i8(const std::byte* const* rows, size_t count, size_t dim, float* out,
               size_t out_stride) {
  gather_rows<I8Row>(rows, count, dim, out, out_stride);
}

void gather_i4(const std::byte* const* rows, size_t count, size_t dim, float* out,
               size_t out_stride) {
  gather_rows<I4Row>(rows, count, dim, out, out_stride);
}

}  // namespace HWY_NAMESPACE
}  // namespace hotrow
HWY_AFTER_NAMESPACE();
