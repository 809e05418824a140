// Values between f32 and the form in which rows keep them, one source for every instruction set.
//
// The same bits on every instruction set: f16 is converted by F16C where there is one and by
// integers elsewhere, products are rounded before sums, and the chance of stochastic rounding is a
// function of its arguments. What every type means: ValueType in hotrow/options.h; where its bytes
// lie: simd/value_layout.h.
//
// `gather` reads rows that others may be writing (table/gather.cc validates afterwards), so
// gather_kernels.cc is built without ThreadSanitizer; the rest, convert_kernels.cc, is for whoever
// holds the row's lock, and is instrumented.
#ifndef HOTROW_SIMD_CONVERT_KERNELS_H_
#define HOTROW_SIMD_CONVERT_KERNELS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "hotrow/options.h"

namespace hotrow {

/// The values of `count` rows of `dim` values, as f32: those of rows[i] go to out + i * out_stride
/// (in values, at least dim), and nothing else is written. Nothing branches on what a row holds; a
/// torn row gives garbage. Rows start at multiples of 4 bytes.
using GatherValues = void (*)(const std::byte* const* rows, size_t count, size_t dim, float* out,
                              size_t out_stride);

/// The kernels of one value type. Rows [value_bytes(type, dim)] and f32 values [dim] do not
/// overlap, except in `gather` of kF32, where a row may be its own place in `out`.
struct ValueKernels {
  const char* target;  // name of the instruction set
  GatherValues gather;
  /// out [dim] = the values of one row.
  void (*decode)(const std::byte* values, size_t dim, float* out);
  /// Writes all bytes of the row's values, padding included, to the nearest.
  void (*encode)(const float* x, size_t dim, std::byte* values);
  /// As encode, rounding by chance. The bits that decide on x[j] are a pure function of
  /// (random, j), different for any two values of `random`. Types without such a rounding ignore
  /// `random`.
  void (*encode_stochastic)(const float* x, size_t dim, uint64_t random, std::byte* values);
};

/// The kernels for this machine. Cost of a call: two loads.
const ValueKernels& value_kernels(ValueType type);

/// Every instruction set that this machine can run, best first; for tests.
std::vector<const ValueKernels*> all_value_kernels(ValueType type);

}  // namespace hotrow

#endif  // HOTROW_SIMD_CONVERT_KERNELS_H_
