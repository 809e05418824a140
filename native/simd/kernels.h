// Row arithmetic, one source for every instruction set, chosen once when the library loads.
//
// Every kernel gives the same bits on every instruction set: element-wise work uses only
// operations that IEEE 754 defines exactly, without fused multiply-add, and sums run in the one
// fixed order that `sum_of_squares` documents. HOTROW_CPU=baseline|avx2|avx512 in the environment
// caps the choice.
#ifndef HOTROW_SIMD_KERNELS_H_
#define HOTROW_SIMD_KERNELS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "hotrow/options.h"
#include "simd/update_step.h"

namespace hotrow {

/// Applies gradient g [n] to row w [n] and its state, in place. State sizes: table/optimizer.h.
using UpdateRow = void (*)(float* w, float* state, const float* g, size_t n,
                           const UpdateStep& step);

/// The optimizers' kernels; instrumented by sanitizers.
struct UpdateKernels {
  const char* target;  // name of the instruction set
  UpdateRow (*rule)(OptimizerKind kind);
  /// The gradient that the rule is to see in the place of g [n]: clipped, then added_decay * w
  /// added. Returns g where nothing changes, else `scratch` [n], filled.
  const float* (*prepare)(const float* w, const float* g, size_t n, const UpdateStep& step,
                          float* scratch);
};

/// Copies and sums; the copy reads rows that others may be writing (table/lookup.cc validates
/// afterwards), so this part is built without ThreadSanitizer.
struct RowKernels {
  const char* target;
  /// out[i] = *rows[i] for `count` rows of `dim` values; rows in `out` lie `dim` apart.
  void (*gather)(const float* const* rows, size_t count, size_t dim, float* out);
  /// sum[j] += x[j]
  void (*add)(float* sum, const float* x, size_t n);
  /// sum[j] += scale * x[j], rounded after the product
  void (*add_scaled)(float* sum, const float* x, float scale, size_t n);
  /// out[j] = scale * x[j]
  void (*scale)(float* out, const float* x, float scale, size_t n);
  /// Is no value NaN or infinite?
  bool (*all_finite)(const float* x, size_t n);
};

/// The kernels for this machine. Cost of a call: a load.
const UpdateKernels& update_kernels();
const RowKernels& row_kernels();

/// Every instruction set that this machine can run, best first; for tests.
std::vector<const UpdateKernels*> all_update_kernels();
std::vector<const RowKernels*> all_row_kernels();

}  // namespace hotrow

#endif  // HOTROW_SIMD_KERNELS_H_
