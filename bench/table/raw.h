// The limits: what the machine can do when row numbers need no finding. They use the store's own
// kernels, fetch ahead like it, and take no locks.
#ifndef HOTROW_BENCH_TABLE_RAW_H_
#define HOTROW_BENCH_TABLE_RAW_H_

#include <cstdint>
#include <span>

#include "simd/kernels.h"
#include "workload.h"

namespace hotrow::bench {

/// out[i] = the values of rows[i], in order of arrival.
void raw_gather(const RowSlab& slab, std::span<const uint32_t> rows, float* out);

/// Runs the optimizer's kernel on rows[i] with gradient i, in order of arrival.
void raw_update(const RowSlab& slab, std::span<const uint32_t> rows, const float* gradients,
                UpdateRow update, const UpdateStep& step);

/// Reads and writes every byte of the rows, state included: what any update must move.
void raw_touch(const RowSlab& slab, std::span<const uint32_t> rows);

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_TABLE_RAW_H_
